//! The compiled program, with its index and its bounded history, against an interpreter that walks the tree and scans
//! the whole past, on random policies and random events.
//!
//! `cargo xtask oracle` runs ten million pairs of a policy and an event. Here are some thousands, from fifty packs; the
//! environment says otherwise: `STEPUP_ORACLE_PAIRS`, `STEPUP_ORACLE_SEED`, and `STEPUP_ORACLE_CASE` for one case alone.

mod interpreter;
mod oracle;

use std::{
    env,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

const SEED: u64 = 20_261_123;

fn setting(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.replace('_', "").parse().unwrap_or_else(|_| panic!("{name} is a whole number")))
}

/// Draws the smallest case that still fails.
fn fail(seed: u64, number: u64, case: oracle::Case, mismatch: oracle::Mismatch) -> ! {
    let (case, mismatch) = oracle::smallest(case, mismatch);
    panic!(
        "case {number} of seed {seed} differs\n\n{case}\n{mismatch}\n\n\
         again: STEPUP_ORACLE_SEED={seed} STEPUP_ORACLE_CASE={number} cargo test -p engine --test {}",
        env!("CARGO_CRATE_NAME")
    )
}

#[test]
fn on_random_policies_and_events() {
    let seed = setting("STEPUP_ORACLE_SEED").unwrap_or(SEED);
    if let Some(number) = setting("STEPUP_ORACLE_CASE") {
        let case = oracle::case(seed, number);
        if let Some(mismatch) = case.differs() {
            fail(seed, number, case, mismatch);
        }
        return;
    }
    let wanted = setting("STEPUP_ORACLE_PAIRS").unwrap_or(6_000);
    let threads = if wanted > 100_000 { thread::available_parallelism().map_or(1, Into::into) } else { 1 };
    let (compared, failed, next) = (AtomicU64::new(0), AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while compared.load(Ordering::Relaxed) < wanted && !failed.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let case = oracle::case(seed, number);
                    if let Some(mismatch) = case.differs() {
                        failed.store(true, Ordering::Relaxed);
                        fail(seed, number, case, mismatch);
                    }
                    compared.fetch_add(case.pairs(), Ordering::Relaxed);
                }
            });
        }
    });
    let (compared, cases) = (compared.into_inner(), next.into_inner());
    println!("{compared} pairs of a policy and an event in {cases} packs (seed {seed}): no difference");
    assert!(compared >= wanted, "only {compared} pairs were compared");
}
