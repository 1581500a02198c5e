//! The engines, each with the same two verbs: made from rules and events, and asked for one event's matches.

#[cfg(feature = "cedar")]
pub mod cedar;
#[cfg(feature = "cel")]
pub mod cel;
pub mod native;
#[cfg(feature = "rhai")]
pub mod rhai;
pub mod stepup;
#[cfg(feature = "wirefilter")]
pub mod wirefilter;
#[cfg(feature = "zen")]
pub mod zen;

use crate::rules::{Clause, Op};

/// `field op value` with texts in the engine's quotes: most languages write it alike.
pub fn compared(clause: &Clause, quote: char) -> String {
    let name = clause.field.name();
    if clause.op == Op::Is {
        return name.to_owned();
    }
    match clause.field.symbol(clause.value) {
        Some(text) => format!("{name} {} {quote}{text}{quote}", clause.op.symbol()),
        None => format!("{name} {} {}", clause.op.symbol(), clause.value),
    }
}
