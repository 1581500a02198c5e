//! The packs of this repository compile, and what their tests claim is so.

mod common;

use common::{failures_of, program_of, read_pack, results_of};

#[track_caller]
fn passes(folder: &str, at_least: usize) {
    let program = program_of(&read_pack(folder));
    let results = results_of(&program);
    assert!(results.len() >= at_least, "only {} tests in {folder}", results.len());
    let failures = failures_of(&program);
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn the_six_policies_of_the_language() {
    passes("corpus/language", 2);
}

#[test]
fn the_starter_pack() {
    passes("../rules/starter", 20);
}
