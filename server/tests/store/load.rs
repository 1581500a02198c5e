//! Under load the writer commits many units at once, and every one of them is there.

use std::collections::HashSet;
use std::time::Instant;

use server::audit;
use server::store::*;

use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_unit_of_a_mixed_load_is_in_the_log_once() {
    let world = World::new().await;
    let phone = Phone::enrolled(&world.store, "u1", "c1").await;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..32_i64 {
        let store = world.store.clone();
        let (allowed, (withheld, challenge)) =
            (decision("u2", &format!("k{task}"), task), challenged("u1", &format!("k{task}"), task));
        let (claim, approve) = (phone.claim(challenge.id(), task + 1), phone.approve(challenge.id(), task + 2));
        tasks.spawn(async move {
            let mut seqs = vec![store.record_decision(allowed.clone()).await.unwrap().seq];
            assert!(matches!(store.record_decision(allowed).await, Err(RecordError::Duplicate(_))));
            seqs.push(store.record_decision(withheld).await.unwrap().seq);
            seqs.push(store.transition(claim).await.unwrap().seq.unwrap());
            seqs.push(store.transition(approve).await.unwrap().seq.unwrap());
            seqs
        });
    }
    let seqs: Vec<Seq> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(seqs.iter().collect::<HashSet<_>>().len(), 32 * 4, "no number was given twice");
    // One more entry per challenge that a decision made, and one for the phone.
    assert_eq!(world.entries().await, 32 * 5 + 1);
    let journal = world.store.journal(None, 1_000).await.unwrap();
    assert!(journal.is_sorted_by_key(JournalEntry::seq));
    assert_eq!(journal.len(), 32 * 3);
    let database = world.database();
    let _folder = world.closed().await;
    let report = audit::verify(&database, Some(&signer().verifier())).await.unwrap();
    assert!(report.is_good(), "{}", report.to_text());
    assert_eq!(report.entries, 32 * 5 + 1);
}

/// Prints what one durable decision costs; `cargo nextest run --run-ignored only`. Asserts nothing about time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn cost_of_a_durable_decision() {
    let world = World::new().await;
    for callers in [1, 8, 32, 256] {
        let total = if callers == 1 { 200 } else { 12_800 };
        let (cpu, wall) = (cpu_seconds(), Instant::now());
        let mut tasks = tokio::task::JoinSet::new();
        for caller in 0..callers {
            let store = world.store.clone();
            tasks.spawn(async move {
                for n in 0..total / callers {
                    let mut new = decision("u1", &format!("{callers}-{caller}-{n}"), 0);
                    new.record = "x".repeat(1_500);
                    new.answer = "y".repeat(600);
                    store.record_decision(new).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        let (cpu, wall) = (cpu_seconds() - cpu, wall.elapsed().as_secs_f64());
        let each = f64::from(total);
        println!("{callers} callers: {:.1} µs CPU and {:.1} µs wall per decision", cpu / each * 1e6, wall / each * 1e6);
    }
    let database = world.database();
    let _folder = world.closed().await;
    let size = std::fs::metadata(&database).unwrap().len();
    let (cpu, wall) = (cpu_seconds(), Instant::now());
    let report = audit::verify(&database, Some(&signer().verifier())).await.unwrap();
    assert!(report.is_good(), "{}", report.to_text());
    println!("{} bytes per decision on disk", size / report.entries);
    println!(
        "verify: {:.1} µs CPU per entry, {:.1} s",
        (cpu_seconds() - cpu) / report.entries as f64 * 1e6,
        wall.elapsed().as_secs_f64()
    );
}

/// User and system time of this process, from the kernel's accounting.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}
