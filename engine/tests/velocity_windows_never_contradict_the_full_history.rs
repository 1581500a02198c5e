//! The bounded windows against the full history, on random plans and streams.
//!
//! `cargo xtask velocity` makes 100,000,000 threshold comparisons instead of the usual 200,000 (it sets
//! `STEPUP_COMPARISONS`); `STEPUP_SEED=…` replays a failure. Each case also shows that its streams had everything in them
//! that a window can meet: a category that never occurs fails the test.

mod velocity;

use std::{collections::BTreeMap, env, sync::Arc};

use engine::{
    history::{
        History, HistoryPlan, Limits, Observation, Observed, Reference, Settled, Snapshot, calendar,
        plan::{Bound, CalendarUnit, EventKind, FilterId, Function, SeenKind, Window, WindowSpec},
    },
    interval::Interval,
    maybe::{Maybe, Why},
    status::Status,
    tri::Tri,
    value::Value,
};
use jiff::Timestamp;
use velocity::{Dice, Step, Trouble, limits, random_plan, random_stream};

/// What must have been compared at least once where time is in order, and what else where it is not.
const EVERYWHERE: &[&str] = &[
    "count",
    "count distinct",
    "sum",
    "avg",
    "min",
    "max",
    "stddev",
    "p95",
    "sum distinct",
    "avg distinct",
    "stddev distinct",
    "p95 distinct",
    "including this",
    "excluding this",
    "sliding",
    "tumbling",
    "calendar hour",
    "calendar day",
    "calendar week",
    "calendar month",
    "a day of 23 h",
    "a day of 25 h",
    "since challenge.issued",
    "since challenge.succeeded",
    "since challenge.declined",
    "since challenge.expired",
    "since an action",
    "retained",
    "of an action",
    "of challenge.issued",
    "of challenge.succeeded",
    "of challenge.declined",
    "of challenge.expired",
    "where on the status",
    "where on a field",
    "one key",
    "two keys",
    "first_seen",
    "last_seen",
    "times_seen",
    "first_seen within",
    "last_seen within",
    "times_seen within",
    "last_verified",
    "previous",
    "simultaneous",
    "settled as allowed",
    "settled as blocked",
    "settled as challenged",
    "settled as verified",
    "settled as declined",
    "settled as expired",
];
const OUT_OF_ORDER: &[&str] = &["late", "before an event that came earlier", "duplicate"];

/// Filters of which the result can change while an event is undecided.
const ON_THE_STATUS: [FilterId; 2] = [velocity::COMPLETED, velocity::BLOCKED_ABROAD];

/// What was compared.
#[derive(Debug, Default)]
struct Tally {
    /// How often each category of comparison, or of step, occurred.
    occurred: BTreeMap<String, u64>,
    comparisons: u64,
    undecided_in_both: u64,
    /// The full history decides, the bounded windows say unknown: only where something was dropped.
    wider: u64,
    /// An example of that.
    example: Option<String>,
}

impl Tally {
    fn occurred(&mut self, category: &str) {
        match self.occurred.get_mut(category) {
            Some(times) => *times += 1,
            None => drop(self.occurred.insert(category.to_owned(), 1)),
        }
    }

    /// The categories that have not occurred.
    fn missing(&self, categories: &[&'static str]) -> Vec<&'static str> {
        categories.iter().filter(|name| !self.occurred.contains_key(**name)).copied().collect()
    }

    fn wider(&mut self, example: impl FnOnce() -> String) {
        self.wider += 1;
        self.example.get_or_insert_with(example);
    }
}

#[test]
fn in_order_every_comparison_is_decided_exactly_as_by_the_full_history() {
    let trouble = Trouble { late: 0, repeated: 0, settled: 40, unknown: true, negative: false };
    let tally = run("in order", trouble, &limits(), 45, EVERYWHERE);
    assert_eq!(tally.example, None, "in order, nothing that matters is dropped");
}

/// Filters on fields alone and few late events: most keys stay plain, and some do not.
#[test]
fn plain_keys_are_answered_exactly_and_so_is_what_becomes_of_them() {
    let plan = |dice: &mut Dice| {
        let mut plan = random_plan(dice, 5);
        for window in &mut plan.windows {
            window.filter = window.filter.filter(|filter| !ON_THE_STATUS.contains(filter));
        }
        HistoryPlan { seen: Vec::new(), anchors: false, ..plan }
    };
    let both = std::cell::Cell::new((0, 0));
    let check = |_: &HistoryPlan, history: &History| {
        let (plain, other) = both.get();
        let sizes = history.stats();
        both.set((plain + sizes.plain_keys, other + sizes.keys - sizes.plain_keys));
    };
    let in_order = Trouble { late: 0, repeated: 0, settled: 40, unknown: true, negative: false };
    let tally = run_plans("plain", in_order, &limits(), 10, &["count", "sum", "count distinct"], &plan, &check);
    assert_eq!(tally.example, None, "in order, nothing that matters is dropped");
    let late = Trouble { late: 2, repeated: 2, settled: 40, unknown: false, negative: true };
    run_plans("plain, and late", late, &limits(), 10, &["count", "sum", "max", "late"], &plan, &check);
    let little = Limits { entries: 6, lateness_ms: 1_000, ..limits() };
    run_plans("plain, and little room", late, &little, 5, &[], &plan, &check);
    let (plain, other) = both.get();
    println!("plain keys {plain}, others {other}");
    assert!(plain > other / 4 && other > plain / 20, "both sorts occur: {plain} plain, {other} others");
}

/// What most rules ask, and most events are answered without a detour: counts and sums over windows that slide.
#[test]
fn counts_and_sums_over_sliding_windows_are_answered_exactly_and_so_is_what_comes_late() {
    let plan = |dice: &mut Dice| loop {
        let mut plan = random_plan(dice, 8);
        plan.windows.retain(|window| {
            let counts = matches!(window.function, Function::Count | Function::CountDistinct(_));
            let sums = matches!(window.function, Function::Sum(_)) && !window.distinct;
            matches!(window.window, Window::Sliding(_)) && (counts || sums)
        });
        for window in &mut plan.windows {
            window.filter = window.filter.filter(|filter| !ON_THE_STATUS.contains(filter));
        }
        if !plan.windows.is_empty() {
            return HistoryPlan { seen: Vec::new(), anchors: false, ..plan };
        }
    };
    let categories = &["count", "sum", "count distinct", "including this", "excluding this", "where on a field"];
    let in_order = Trouble { late: 0, repeated: 0, settled: 40, unknown: true, negative: false };
    let tally = run_plans("sliding", in_order, &limits(), 5, categories, &plan, &|_, _| {});
    assert_eq!(tally.example, None, "in order, nothing that matters is dropped");
    let late = Trouble { late: 2, repeated: 2, settled: 40, unknown: false, negative: true };
    run_plans("sliding, and late", late, &limits(), 5, categories, &plan, &|_, _| {});
    let little = Limits { entries: 6, keys: 3, lateness_ms: 1_000, ..limits() };
    run_plans("sliding, and little room", late, &little, 5, &[], &plan, &|_, _| {});
}

#[test]
fn late_and_repeated_events_are_counted_exactly_or_unknown() {
    let trouble = Trouble { late: 15, repeated: 5, settled: 40, unknown: true, negative: true };
    let tally = run("late", trouble, &limits(), 40, &[EVERYWHERE, OUT_OF_ORDER].concat());
    assert!(tally.wider * 50 < tally.comparisons, "unknown is the exception: {tally:?}");
}

#[test]
fn with_next_to_no_room_the_answer_is_unknown_and_never_wrong() {
    let trouble = Trouble { late: 10, repeated: 0, settled: 30, unknown: true, negative: true };
    let little = Limits { entries: 6, pending: 2, references: 8, lateness_ms: 1_000, ..limits() };
    run("little room", trouble, &little, 10, &[]);
}

#[test]
fn many_events_handed_in_together_are_answered_as_one_by_one() {
    let trouble = Trouble { late: 5, repeated: 5, settled: 0, unknown: true, negative: true };
    for seed in 1..=20 {
        let mut dice = Dice(seed);
        let plan = Arc::new(random_plan(&mut dice, 14));
        let mut one_by_one = History::new(plan.clone(), limits());
        let mut together = one_by_one.clone();
        let events = random_stream(&mut dice, 200, trouble).into_iter().filter_map(|step| match step {
            Step::Observe(event) => Some(*event),
            Step::Settle { .. } => None,
        });
        let events: Vec<Observation> = events.collect();
        let mut answers = Vec::new();
        for events in events.chunks(70) {
            together.observe_all(events, |event, observed| answers.push((event.seq, observed.clone())));
        }
        let expected: Vec<_> = events.iter().map(|event| (event.seq, one_by_one.observe(event))).collect();
        assert_eq!(answers, expected, "{seed}");
        assert_eq!(together.stats(), one_by_one.stats(), "{seed}");
    }
}

/// A single count or distinct count, so that what is kept can be held against its threshold after every step.
#[test]
fn no_key_keeps_more_than_its_threshold_allows() {
    let trouble = Trouble { late: 15, repeated: 5, settled: 40, unknown: false, negative: false };
    let plan = |dice: &mut Dice| loop {
        let plan = random_plan(dice, 1);
        let counts = matches!(plan.windows[0].function, Function::Count | Function::CountDistinct(_));
        if counts && matches!(plan.windows[0].bound, Bound::AtMost(_)) {
            return HistoryPlan { seen: Vec::new(), anchors: false, ..plan };
        }
    };
    let check = |plan: &HistoryPlan, history: &History| {
        let Bound::AtMost(most) = plan.windows[0].bound else { return };
        // One more than the constant tells more from equal, one more is spared for the event being judged. A `since`
        // keeps its anchors beside: two, and the same two.
        let anchors = if matches!(plan.windows[0].window, Window::Since(_)) { 4 } else { 0 };
        let kept = history.stats().most_entries;
        assert!(kept <= (most as usize + 2).max(anchors), "{kept} kept for {:?}", plan.windows[0]);
    };
    let categories =
        &["count", "count distinct", "late", "duplicate", "simultaneous", "since an action", "where on the status"];
    run_plans("one threshold", trouble, &limits(), 5, categories, &plan, &check);
}

#[test]
fn with_little_retention_and_few_keys_the_answer_is_unknown_and_never_wrong() {
    let trouble = Trouble { late: 10, repeated: 0, settled: 30, unknown: false, negative: true };
    let little = Limits { retention_ms: 3 * velocity::HOUR, keys: 3, lateness_ms: 60_000, ..limits() };
    run("short memory", trouble, &little, 10, &[]);
}

/// Streams against plans of fourteen windows.
fn run(name: &str, trouble: Trouble, limits: &Limits, share: u64, categories: &[&'static str]) -> Tally {
    run_plans(name, trouble, limits, share, categories, &|dice| random_plan(dice, 14), &|_, _| {})
}

/// Compares until this case's share (in per cent) of the comparisons is done and every category has occurred, which
/// takes a few dozen streams.
fn run_plans(
    name: &str,
    trouble: Trouble,
    limits: &Limits,
    share: u64,
    categories: &[&'static str],
    plan: &dyn Fn(&mut Dice) -> HistoryPlan,
    check: &dyn Fn(&HistoryPlan, &History),
) -> Tally {
    let wanted: u64 = env::var("STEPUP_COMPARISONS").ok().and_then(|n| n.parse().ok()).unwrap_or(200_000) * share / 100;
    let only: Option<u64> = env::var("STEPUP_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut tally = Tally::default();
    let mut seed = only.unwrap_or(1);
    while tally.comparisons < wanted || (seed < 400 && !tally.missing(categories).is_empty()) {
        let mut dice = Dice(seed.wrapping_mul(0x5851_F42D_4C95_7F2D));
        let plan = Arc::new(plan(&mut dice));
        compare_streams(&format!("{name}, STEPUP_SEED={seed}"), &mut dice, &plan, trouble, limits, check, &mut tally);
        seed += 1;
        if only.is_some() {
            break;
        }
    }
    let Tally { comparisons, undecided_in_both, wider, .. } = &tally;
    println!(
        "{name}: {comparisons} comparisons, no mismatch; {undecided_in_both} undecided in both, {wider} wider; seeds up to {seed}"
    );
    println!("{:?}", tally.occurred);
    let missing = tally.missing(categories);
    assert!(missing.is_empty() || only.is_some(), "never compared: {missing:?}");
    assert!(*comparisons > undecided_in_both * 2, "the streams decide something");
    tally
}

fn compare_streams(
    name: &str,
    dice: &mut Dice,
    plan: &Arc<HistoryPlan>,
    trouble: Trouble,
    limits: &Limits,
    check: &dyn Fn(&HistoryPlan, &History),
    tally: &mut Tally,
) {
    let steps = dice.pick(&[60, 100, 300]);
    let stream = random_stream(dice, steps, trouble);
    let mut reference = Reference::new(plan.clone(), limits);
    let mut history = History::new(plan.clone(), limits.clone()).seeded([dice.roll(), 2, 3, 4]);
    let mut before: Option<Observation> = None;
    let mut newest: BTreeMap<Arc<str>, (Timestamp, u64)> = BTreeMap::new();
    for (place, step) in stream.into_iter().enumerate() {
        match step {
            Step::Settle { user, reference: name, status } => {
                let expected = reference.settle(&user, &name, status);
                let settled = history.settle(&user, &name, status);
                let forgotten = settled == Settled::NotInFlight;
                assert!(settled == expected || forgotten && limits.references < 100, "{settled:?} {expected:?}");
                if settled == Settled::Changed && status != Status::Pending {
                    tally.occurred(&format!("settled as {}", status.word()));
                }
            }
            Step::Observe(event) => {
                let expected = reference.observe(*event.clone());
                let peeked = history.peek(&event);
                let found = history.observe(&event);
                let context = format!("{name}, step {place}: {:?} at {}", event.kind, event.time);
                assert_eq!(peeked, found, "{context}: peek and observe differ under {:?}", plan.windows);
                compare(&context, plan, &expected, &found, tally);
                note_order(&event, before.as_ref(), newest.get(&event.user), &expected, tally);
                if matches!(event.kind, EventKind::Action(_)) {
                    let own = newest.entry(event.user.clone()).or_insert((event.time, event.seq));
                    *own = (*own).max((event.time, event.seq));
                }
                note_windows(plan, &event, &expected, tally);
                before = Some(*event);
            }
        }
        check(plan, &history);
    }
}

/// Notes how the event stands to those before it; `newest` is its user's newest action.
fn note_order(
    event: &Observation,
    before: Option<&Observation>,
    newest: Option<&(Timestamp, u64)>,
    expected: &Observed,
    tally: &mut Tally,
) {
    if expected.duplicate {
        return tally.occurred("duplicate");
    }
    if newest.is_some_and(|newest| *newest > (event.time, event.seq)) {
        tally.occurred("late");
    }
    if before.is_some_and(|before| before.time > event.time) {
        tally.occurred("before an event that came earlier");
    }
    if before.is_some_and(|before| before.time == event.time) {
        tally.occurred("simultaneous");
    }
}

/// Notes what each answer was about; one that is not known in the full history shows nothing.
fn note_windows(plan: &HistoryPlan, event: &Observation, expected: &Observed, tally: &mut Tally) {
    for (spec, answer) in plan.windows.iter().zip(&expected.windows) {
        if answer.known().is_none() {
            continue;
        }
        tally.occurred(&function_name(spec));
        tally.occurred(if spec.including_this { "including this" } else { "excluding this" });
        tally.occurred(if spec.keys.len() == 1 { "one key" } else { "two keys" });
        tally.occurred(&format!("of {}", kind_name(spec.event)));
        match spec.filter {
            Some(filter) if ON_THE_STATUS.contains(&filter) => tally.occurred("where on the status"),
            Some(_) => tally.occurred("where on a field"),
            None => {}
        }
        match spec.window {
            Window::Sliding(_) => tally.occurred("sliding"),
            Window::Tumbling(_) => tally.occurred("tumbling"),
            Window::Calendar { unit, zone } => {
                tally.occurred(&format!("calendar {unit:?}").to_lowercase());
                let zone = event.zones.get(usize::from(zone.0)).and_then(|name| name.known());
                if let (CalendarUnit::Day, Some(hours)) = (unit, zone.and_then(|zone| hours_of_day(event, zone))) {
                    tally.occurred(&format!("a day of {hours} h"));
                }
            }
            Window::Since(kind) => tally.occurred(&format!("since {}", kind_name(kind))),
            Window::Retained => tally.occurred("retained"),
        }
    }
    for (spec, answer) in plan.seen.iter().zip(&expected.seen) {
        if answer.known().is_some() {
            let name = match spec.kind {
                SeenKind::First => "first_seen",
                SeenKind::Last => "last_seen",
                SeenKind::Times => "times_seen",
            };
            tally.occurred(&format!("{name}{}", if spec.within_ms.is_some() { " within" } else { "" }));
        }
    }
    for (name, snapshot) in [("last_verified", &expected.last_verified), ("previous", &expected.previous)] {
        if snapshot.known().is_some() {
            tally.occurred(name);
        }
    }
}

fn function_name(spec: &WindowSpec) -> String {
    let name = match spec.function {
        Function::Count => return "count".to_owned(),
        Function::CountDistinct(_) => return "count distinct".to_owned(),
        Function::Min(_) => return "min".to_owned(),
        Function::Max(_) => return "max".to_owned(),
        Function::Sum(_) => "sum",
        Function::Avg(_) => "avg",
        Function::Stddev(_) => "stddev",
        Function::P95(_) => "p95",
    };
    if spec.distinct { format!("{name} distinct") } else { name.to_owned() }
}

fn kind_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Action(_) => "an action",
        EventKind::ChallengeIssued => "challenge.issued",
        EventKind::ChallengeSucceeded => "challenge.succeeded",
        EventKind::ChallengeDeclined => "challenge.declined",
        EventKind::ChallengeExpired => "challenge.expired",
    }
}

/// How long the local day of the event is.
fn hours_of_day(event: &Observation, zone: &str) -> Option<i64> {
    let zone = calendar::zone(zone)?;
    let day = event.time.to_zoned_datetime(zone.clone()).date();
    let midnight = |day: jiff::civil::Date| day.to_zoned_datetime(zone.clone()).ok();
    let length = midnight(day.tomorrow().ok()?)?.timestamp().duration_since(midnight(day)?.timestamp());
    Some(length.as_secs() / 3_600)
}

fn compare(context: &str, plan: &HistoryPlan, expected: &Observed, found: &Observed, tally: &mut Tally) {
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
        let bound = if spec.kind == SeenKind::Times { spec.bound } else { Bound::Unbounded };
        compare_answers(&context, bound, &expected.seen[slot], &found.seen[slot], tally);
    }
    compare_snapshots(&format!("{context}: last_verified"), &expected.last_verified, &found.last_verified, tally);
    compare_snapshots(&format!("{context}: previous"), &expected.previous, &found.previous, tally);
    assert_eq!((expected.future, expected.duplicate), (found.future, found.duplicate), "{context}");
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
