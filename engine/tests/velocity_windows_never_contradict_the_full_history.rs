//! The bounded windows against the full history, on random plans and streams.
//!
//! `STEPUP_COMPARISONS=10000000` makes so many threshold comparisons instead of the usual 200,000;
//! `STEPUP_SEED=…` replays a failure.

mod velocity;

use std::{env, sync::Arc};

use engine::{
    history::{History, HistoryPlan, Limits, Observed, Reference, Snapshot, plan::Bound},
    interval::Interval,
    maybe::{Maybe, Why},
    tri::Tri,
    value::Value,
};
use velocity::{Dice, Step, Trouble, limits, random_plan, random_stream};

/// What was compared.
#[derive(Debug, Default)]
struct Tally {
    comparisons: u64,
    undecided_in_both: u64,
    /// The full history decides, the bounded windows say unknown: only where something was dropped.
    wider: u64,
    /// An example of that.
    example: Option<String>,
}

impl Tally {
    fn wider(&mut self, example: impl FnOnce() -> String) {
        self.wider += 1;
        self.example.get_or_insert_with(example);
    }
}

#[test]
fn in_order_every_comparison_is_decided_exactly_as_by_the_full_history() {
    let trouble = Trouble { late: 0, repeated: 0, settled: 40, unknown: true, negative: false };
    let tally = run("in order", trouble, &limits(), 45);
    assert_eq!(tally.example, None, "in order, nothing that matters is dropped");
}

#[test]
fn late_and_repeated_events_are_counted_exactly_or_unknown() {
    let trouble = Trouble { late: 15, repeated: 5, settled: 40, unknown: true, negative: true };
    let tally = run("late", trouble, &limits(), 45);
    assert!(tally.wider * 50 < tally.comparisons, "unknown is the exception: {tally:?}");
}

#[test]
fn with_next_to_no_room_the_answer_is_unknown_and_never_wrong() {
    let trouble = Trouble { late: 10, repeated: 0, settled: 30, unknown: true, negative: true };
    let little = Limits { entries: 6, pending: 2, references: 8, lateness_ms: 1_000, ..limits() };
    run("little room", trouble, &little, 10);
}

#[test]
fn with_little_retention_and_few_keys_the_answer_is_unknown_and_never_wrong() {
    let trouble = Trouble { late: 10, repeated: 0, settled: 30, unknown: false, negative: true };
    let little = Limits { retention_ms: 3 * velocity::HOUR, keys: 3, lateness_ms: 60_000, ..limits() };
    run("short memory", trouble, &little, 10);
}

/// Compares until this case's share (in per cent) of the comparisons is done.
fn run(name: &str, trouble: Trouble, limits: &Limits, share: u64) -> Tally {
    let wanted: u64 = env::var("STEPUP_COMPARISONS").ok().and_then(|n| n.parse().ok()).unwrap_or(200_000) * share / 100;
    let only: Option<u64> = env::var("STEPUP_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut tally = Tally::default();
    let mut seed = only.unwrap_or(1);
    while tally.comparisons < wanted {
        compare_streams(name, seed, trouble, limits, &mut tally);
        seed += 1;
        if only.is_some() {
            break;
        }
    }
    let Tally { comparisons, undecided_in_both, wider, .. } = &tally;
    println!(
        "{name}: {comparisons} comparisons, no mismatch; {undecided_in_both} undecided in both, {wider} wider; seeds up to {seed}"
    );
    assert!(*comparisons > undecided_in_both * 2, "the streams decide something");
    tally
}

fn compare_streams(name: &str, seed: u64, trouble: Trouble, limits: &Limits, tally: &mut Tally) {
    let mut dice = Dice(seed.wrapping_mul(0x5851_F42D_4C95_7F2D));
    let plan = Arc::new(random_plan(&mut dice, 14));
    let steps = dice.pick(&[60, 100, 300]);
    let stream = random_stream(&mut dice, steps, trouble);
    let mut reference = Reference::new(plan.clone(), limits);
    let mut history = History::new(plan.clone(), limits.clone());
    let exact_flags = limits.keys > 100;
    for (place, step) in stream.into_iter().enumerate() {
        match step {
            Step::Settle { user, reference: name, status } => {
                let expected = reference.settle(&user, &name, status);
                let settled = history.settle(&user, &name, status);
                let forgotten = settled == engine::history::Settled::NotInFlight;
                assert!(settled == expected || forgotten && limits.references < 100, "{settled:?} {expected:?}");
            }
            Step::Observe(event) => {
                let expected = reference.observe(*event.clone());
                let peeked = history.peek(&event);
                let found = history.observe(&event);
                let context = format!("{name}, STEPUP_SEED={seed}, step {place}: {:?} at {}", event.kind, event.time);
                assert_eq!(peeked, found, "{context}: peek and observe differ");
                compare(&context, &plan, &expected, &found, exact_flags, tally);
            }
        }
    }
}

fn compare(
    context: &str,
    plan: &HistoryPlan,
    expected: &Observed,
    found: &Observed,
    exact_flags: bool,
    tally: &mut Tally,
) {
    for (slot, spec) in plan.windows.iter().enumerate() {
        let context = || format!("{context}\n  window {slot}: {spec:?}");
        compare_answers(&context, spec.bound, &expected.windows[slot], &found.windows[slot], tally);
        match found.starts[slot] {
            Some(start) => assert_eq!(expected.starts[slot], Some(start), "{}: start", context()),
            None if found.windows[slot].known().is_some() && expected.starts[slot].is_some() => {
                tally.wider(|| format!("{}: start", context()));
            }
            None => {}
        }
    }
    for (slot, spec) in plan.seen.iter().enumerate() {
        let context = || format!("{context}\n  seen {slot}: {spec:?}");
        let bound = if spec.kind == engine::history::plan::SeenKind::Times { spec.bound } else { Bound::Unbounded };
        compare_answers(&context, bound, &expected.seen[slot], &found.seen[slot], tally);
    }
    compare_snapshots(&format!("{context}: last_verified"), &expected.last_verified, &found.last_verified, tally);
    compare_snapshots(&format!("{context}: previous"), &expected.previous, &found.previous, tally);
    assert_eq!((expected.future, expected.duplicate), (found.future, found.duplicate), "{context}");
    assert!(expected.late == found.late || !exact_flags, "{context}: late");
}

fn compare_snapshots(context: &str, expected: &Maybe<Snapshot>, found: &Maybe<Snapshot>, tally: &mut Tally) {
    tally.comparisons += 1;
    match found {
        Maybe::Known(_) | Maybe::Unknown(Why::Absent) => assert_eq!(expected, found, "{context}"),
        Maybe::Unknown(_) => tally.wider(|| format!("{context}: {expected:?} {found:?}")),
    }
}

fn compare_answers(
    context: &dyn Fn() -> String,
    bound: Bound,
    expected: &Maybe<Interval<Value>>,
    found: &Maybe<Interval<Value>>,
    tally: &mut Tally,
) {
    let differ = || format!("{}\n  full history {expected:?}\n  windows      {found:?}", context());
    let (expected, found) = match (expected, found) {
        (Maybe::Unknown(Why::Absent), Maybe::Unknown(Why::Absent)) => {
            tally.comparisons += 1;
            return;
        }
        // `??` and `is missing` look at absence: it must never stand for something else.
        (_, Maybe::Unknown(Why::Absent)) => panic!("absent, though it is not: {}", differ()),
        (Maybe::Unknown(_), Maybe::Unknown(_)) => {
            tally.comparisons += 1;
            tally.undecided_in_both += 1;
            return;
        }
        (Maybe::Known(_), Maybe::Unknown(_)) => {
            tally.comparisons += 1;
            tally.wider(differ);
            return;
        }
        (Maybe::Unknown(Why::Absent), Maybe::Known(found)) if found.lo.is_none() || found.hi.is_none() => {
            tally.comparisons += 1;
            tally.wider(differ);
            return;
        }
        (Maybe::Unknown(_), Maybe::Known(_)) => panic!("known, though it cannot be: {}", differ()),
        (Maybe::Known(expected), Maybe::Known(found)) => (expected, found),
    };
    for constant in constants(expected, found, bound) {
        let constant = Interval::exactly(constant);
        for compare in [greater, at_least, equal] {
            let (truth, answer) = (compare(expected, &constant), compare(found, &constant));
            tally.comparisons += 1;
            match (truth, answer) {
                (Tri::Unknown, Tri::Unknown) => tally.undecided_in_both += 1,
                (Tri::True, Tri::True) | (Tri::False, Tri::False) => {}
                (Tri::True | Tri::False, Tri::Unknown) => tally.wider(|| format!("{constant:?}: {}", differ())),
                (Tri::True, Tri::False) | (Tri::False, Tri::True) | (Tri::Unknown, Tri::True | Tri::False) => {
                    panic!("{truth:?} became {answer:?} against {constant:?}: {}", differ())
                }
            }
        }
    }
}

fn greater(a: &Interval<Value>, b: &Interval<Value>) -> Tri {
    b.less_by(a, Value::compare)
}

fn at_least(a: &Interval<Value>, b: &Interval<Value>) -> Tri {
    a.less_by(b, Value::compare).not()
}

fn equal(a: &Interval<Value>, b: &Interval<Value>) -> Tri {
    a.equal_by(b, Value::compare)
}

/// Constants a rule may compare with: around the ends of both answers, and none above the bound.
fn constants(expected: &Interval<Value>, found: &Interval<Value>, bound: Bound) -> Vec<Value> {
    let ends = [&expected.lo, &expected.hi, &found.lo, &found.hi].into_iter().flatten();
    let mut around: Vec<Value> = ends.flat_map(|end| [-1, 0, 1].map(|step| moved(end, step))).collect();
    if let (Bound::AtMost(most), Some(end)) = (bound, &expected.lo) {
        around.extend([0, 1, most / 2, most - 1, most].iter().filter_map(|steps| of_steps(end, *steps)));
        around.retain(|constant| steps_of(constant).is_none_or(|steps| steps <= most));
    }
    let mut different: Vec<Value> = Vec::new();
    for constant in around {
        if !different.contains(&constant) {
            different.push(constant);
        }
    }
    different
}

fn moved(value: &Value, step: i64) -> Value {
    match value {
        Value::Int(n) => Value::Int(n + step),
        Value::Duration(n) => Value::Duration(n + step),
        Value::Decimal(n) => Value::Decimal(n + rust_decimal::Decimal::new(step, 9)),
        Value::Money(m) => Value::Money(engine::money::Money { minor: m.minor + i128::from(step), ..*m }),
        Value::Timestamp(at) => Value::Timestamp(*at + jiff::SignedDuration::from_millis(step)),
        other => panic!("not a result: {other:?}"),
    }
}

/// The constant of so many steps, of the same type as the value.
fn of_steps(like: &Value, steps: i128) -> Option<Value> {
    match like {
        Value::Int(_) => i64::try_from(steps).ok().map(Value::Int),
        Value::Duration(_) => i64::try_from(steps).ok().map(Value::Duration),
        Value::Decimal(_) => Some(Value::Decimal(rust_decimal::Decimal::from_i128_with_scale(steps, 12))),
        Value::Money(money) => Some(Value::Money(engine::money::Money { minor: steps, ..*money })),
        _ => None,
    }
}

fn steps_of(value: &Value) -> Option<i128> {
    match value {
        Value::Int(n) | Value::Duration(n) => Some(i128::from(*n)),
        Value::Money(money) => Some(money.minor),
        Value::Decimal(n) => {
            let n = n.normalize();
            Some(n.mantissa() * 10_i128.pow(12 - n.scale()))
        }
        _ => None,
    }
}
