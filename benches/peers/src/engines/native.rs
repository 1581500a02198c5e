//! Plain Rust: generated `if`s.

use crate::events::{Event, Sets};

include!(concat!(env!("OUT_DIR"), "/ifs.rs"));

/// The rules as generated `if`s; only for 10, 100 and 1,000 rules.
pub fn ifs(rules: usize) -> Option<fn(&Event, &Sets, &mut Vec<u32>)> {
    match rules {
        10 => Some(evaluate_10),
        100 => Some(evaluate_100),
        1000 => Some(evaluate_1000),
        _ => None,
    }
}
