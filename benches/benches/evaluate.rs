//! One event against 10, 100 and 1,000 rules: all matches are collected, with full treatment of missing data.

use std::hint::black_box;
use std::sync::Arc;

use benches::workload;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::{EventInput, Located, PackSource, Program, Signals, Stream, compile, evaluate, explain};
use jiff::Timestamp;

const EVENTS: usize = 1_000;

fn program(rules: usize) -> Arc<Program> {
    let pack = PackSource { name: "bench".to_owned(), files: workload::pack(rules) };
    let compiled = compile(&pack);
    compiled.program.unwrap_or_else(|| {
        panic!(
            "the workload compiles:\n{}",
            grammar::diagnostic::render_text(&compiled.diagnostics, &compiled.sources, false)
        )
    })
}

fn signals(program: &Arc<Program>) -> Vec<Signals> {
    let mut stream = Stream::new(Arc::clone(program));
    let start = Timestamp::UNIX_EPOCH;
    let signals = workload::events(EVENTS).into_iter().map(|sample| {
        let mut input = EventInput::new("operation", &sample.user, start);
        input.ip = Some(sample.ip.into());
        input.custom = sample.custom;
        let event = program.decode(&input).expect("the workload's events fit their schema");
        stream.push(Located::nowhere(Arc::new(event))).0
    });
    signals.collect()
}

fn rules(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("evaluate");
    group.throughput(Throughput::Elements(EVENTS as u64));
    for count in [10, 100, 1_000] {
        let program = program(count);
        let signals = signals(&program);
        let matches: usize = signals.iter().map(|signals| evaluate(&program, signals).rules.len()).sum();
        assert!(matches > 0, "a workload without a match would measure nothing");
        group.bench_with_input(BenchmarkId::new("rules", count), &signals, |bench, signals| {
            bench.iter(|| {
                for signals in signals {
                    black_box(evaluate(&program, signals));
                }
            });
        });
    }
    group.finish();

    let program = program(100);
    let signals = signals(&program);
    criterion.bench_function("explain/rules/100", |bench| bench.iter(|| black_box(explain(&program, &signals[0]))));
    let pack = PackSource { name: "bench".to_owned(), files: workload::pack(1_000) };
    criterion.bench_function("compile/rules/1000", |bench| bench.iter(|| black_box(compile(&pack).program.is_some())));
}

criterion_group!(benches, rules);
criterion_main!(benches);
