//! One event against 10, 100 and 1,000 rules: all matches are collected, with full treatment of missing data, and are
//! exactly those of the reference. The workload is the one that other engines are measured on (`benches/peers`).

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::compile;

#[path = "../peers/src/events.rs"]
#[allow(dead_code, clippy::indexing_slicing, clippy::missing_docs_in_private_items)]
mod events;
#[path = "../peers/src/reference.rs"]
#[allow(dead_code, clippy::indexing_slicing)]
mod reference;
#[path = "../peers/src/rules.rs"]
#[allow(dead_code, clippy::indexing_slicing)]
mod rules;
#[path = "../peers/src/engines/stepup.rs"]
#[allow(clippy::indexing_slicing)]
mod stepup;

use stepup::Stepup;

const EVENTS: usize = 10_000;
/// As for the peers.
const MEASURED: usize = 2_000;

fn evaluate(criterion: &mut Criterion) {
    let lists = rules::lists();
    let sets = events::Sets::new(&lists);
    let sent = events::events(EVENTS, &lists);
    let interned = events::interned(&sent);
    let mut group = criterion.benchmark_group("evaluate");
    group.throughput(Throughput::Elements(MEASURED as u64));
    for count in [10, 100, 1_000] {
        let rules = rules::rules(count);
        let expected = reference::matches(&rules, &interned, &sets);
        let (_, checksum) = reference::checksum(&expected);
        assert!(reference::CHECKSUMS.contains(&(count, checksum)), "the workload is another one");
        let mut engine = Stepup::new(&rules, &lists, &sent).expect("the workload compiles");
        let mut out = Vec::new();
        for (event, expected) in expected.iter().enumerate() {
            out.clear();
            engine.evaluate(event, &mut out);
            out.sort_unstable();
            assert_eq!(out, *expected, "event {event} against {count} rules");
        }
        group.bench_function(BenchmarkId::new("rules", count), |bench| {
            bench.iter(|| {
                for event in 0..MEASURED {
                    out.clear();
                    engine.evaluate(event, &mut out);
                    black_box(&out);
                }
            });
        });
    }
    group.finish();
    for count in [1_000, 10_000] {
        let pack = stepup::pack(&rules::rules(count), &lists);
        criterion.bench_function(&format!("compile/rules/{count}"), |bench| {
            bench.iter(|| black_box(compile(&pack).program.is_some()));
        });
    }
}

criterion_group! { name = benches; config = Criterion::default().sample_size(20); targets = evaluate }
criterion_main!(benches);
