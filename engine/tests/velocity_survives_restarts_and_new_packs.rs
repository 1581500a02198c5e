//! A history that starts late, is rebuilt from the journal, or goes on under a new pack: "at least", never less.

mod velocity;

use std::sync::Arc;

use engine::{
    history::{
        History, HistoryPlan, Observation, Reference, Settled,
        plan::{Bound, EventKind, FieldRef, FilterId, Function, SeenKind, SeenSpec, Unit, Window, WindowSpec},
    },
    interval::Interval,
    maybe::{Maybe, Why},
    status::Status,
    tri::Tri,
    value::Value,
};
use jiff::Timestamp;
use velocity::{
    AMOUNT, COMPLETED, DAY, DEVICE, Dice, HOUR, MINUTE, Step, Trouble, USER, count_by_user, empty_plan, eur, limits,
    names, plain, random_plan, random_stream, with,
};

fn exactly(count: i64) -> Maybe<Interval<Value>> {
    Maybe::Known(Interval::exactly(Value::Int(count)))
}

fn at_least(count: i64) -> Maybe<Interval<Value>> {
    Maybe::Known(Interval::at_least(Value::Int(count), Why::WarmingUp))
}

fn moment(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).expect("in range")
}

#[test]
fn five_minutes_after_the_start_a_day_is_at_least_what_was_seen() {
    let mut plan = empty_plan();
    plan.intern_window(count_by_user(Window::Sliding(DAY), 9));
    plan.intern_window(count_by_user(Window::Sliding(MINUTE), 9));
    plan.intern_window(count_by_user(Window::Since(EventKind::ChallengeSucceeded), 9));
    plan.intern_window(WindowSpec {
        function: Function::Sum(AMOUNT),
        unit: Unit::Money(Some(eur())),
        ..count_by_user(Window::Sliding(DAY), 100)
    });
    plan.intern_window(WindowSpec { function: Function::Avg(AMOUNT), ..count_by_user(Window::Sliding(DAY), 100) });
    for kind in [SeenKind::Times, SeenKind::Last, SeenKind::First] {
        let (what, keys) = (DEVICE, vec![USER]);
        plan.intern_seen(SeenSpec { kind, what, keys, within_ms: None, bound: Bound::AtMost(3) });
    }
    let start = 10 * DAY;
    let mut history = History::warming(Arc::new(plan), limits(), moment(start));
    let on_phone = |seq, time| with(plain(seq, time, "ann"), DEVICE, Value::Device("phone".into()));

    let first = history.observe(&on_phone(1, start + 2 * MINUTE));
    assert_eq!(first.windows[..3], [at_least(0), exactly(0), at_least(0)]);
    assert_eq!(first.windows[4], Maybe::Unknown(Why::WarmingUp)); // not absent: `??` must not step in
    let unknown = || Maybe::Unknown(Why::WarmingUp);
    assert_eq!(first.seen, [at_least(0), unknown(), unknown()]);
    assert_eq!((first.last_verified.why(), first.previous.why()), (Some(Why::WarmingUp), Some(Why::WarmingUp)));

    let second = history.observe(&on_phone(2, start + 5 * MINUTE));
    assert_eq!(second.windows[..3], [at_least(1), exactly(0), at_least(1)]);
    let last = Value::Timestamp(moment(start + 2 * MINUTE));
    let first_seen = Interval::at_most(last.clone(), Why::WarmingUp);
    assert_eq!(second.seen, [at_least(1), Maybe::Known(Interval::exactly(last)), Maybe::Known(first_seen)]);

    history.observe(&Observation { kind: EventKind::ChallengeSucceeded, ..plain(3, start + 6 * MINUTE, "ann") });
    let next_day = history.observe(&plain(4, start + DAY + MINUTE, "ann"));
    assert_eq!(next_day.windows[..3], [exactly(2), exactly(0), exactly(0)]);
}

#[test]
fn a_history_that_started_late_never_contradicts_the_full_one() {
    let (mut compared, mut known) = (0, 0);
    for seed in 1..=40 {
        let mut dice = Dice(seed);
        let plan = Arc::new(random_plan(&mut dice, 14));
        let trouble = Trouble { late: 5, repeated: 0, settled: 0, unknown: false, negative: false };
        let events: Vec<Observation> =
            random_stream(&mut dice, 120, trouble).into_iter().filter_map(observed).collect();
        let mut reference = Reference::new(plan.clone(), &limits());
        let mut warming: Option<History> = None;
        for (place, event) in events.into_iter().enumerate() {
            // From here on everything with a later time is seen; late events of before are not handed in.
            if place == 40 {
                warming = Some(History::warming(plan.clone(), limits(), event.time));
            }
            let expected = reference.observe(event.clone());
            let Some(history) = &mut warming else { continue };
            let found = history.observe(&event);
            for (slot, spec) in plan.windows.iter().enumerate() {
                let context = format!("seed {seed}, event {place}, {spec:?}");
                compared += 1;
                known += contained(&context, &expected.windows[slot], &found.windows[slot]);
            }
            for (slot, spec) in plan.seen.iter().enumerate() {
                let context = format!("seed {seed}, event {place}, {spec:?}");
                compared += 1;
                known += contained(&context, &expected.seen[slot], &found.seen[slot]);
            }
        }
    }
    println!("{compared} answers, {known} of them say something");
    assert!(known * 2 > compared);
}

fn observed(step: Step) -> Option<Observation> {
    match step {
        Step::Observe(event) => Some(*event),
        Step::Settle { .. } => None,
    }
}

/// What is found holds what is true. Returns 1 if it says anything.
fn contained(context: &str, expected: &Maybe<Interval<Value>>, found: &Maybe<Interval<Value>>) -> u64 {
    let (expected, found) = match (expected, found) {
        (_, Maybe::Unknown(Why::Absent)) => {
            assert_eq!(expected, found, "{context}");
            return 1;
        }
        (_, Maybe::Unknown(_)) => return 0,
        (Maybe::Known(expected), Maybe::Known(found)) => (expected, found),
        (Maybe::Unknown(_), Maybe::Known(found)) => {
            assert!(found.lo.is_none() || found.hi.is_none(), "{context}: {expected:?} {found:?}");
            return 1;
        }
    };
    assert!(!found.less_by(expected, Value::compare).is_true(), "{context}: {expected:?} {found:?}");
    assert!(!expected.less_by(found, Value::compare).is_true(), "{context}: {expected:?} {found:?}");
    1
}

#[test]
fn rebuilding_from_the_journal_gives_the_same_answers() {
    for seed in 1..=10 {
        let mut dice = Dice(seed);
        let plan = Arc::new(random_plan(&mut dice, 14));
        let trouble = Trouble { late: 0, repeated: 0, settled: 0, unknown: true, negative: false };
        let events: Vec<Observation> =
            random_stream(&mut dice, 120, trouble).into_iter().filter_map(observed).collect();
        let (last, journal) = events.split_last().expect("events");
        let mut live = History::new(plan.clone(), limits());
        for event in journal {
            live.observe(event);
        }
        let mut rebuilt = History::rebuild(plan, limits(), None, journal);
        assert_eq!(live.peek(last), rebuilt.peek(last), "seed {seed}");
        for event in journal {
            let status = Status::Allowed;
            let settled = live.settle(&event.user, &event.reference, status);
            assert_eq!(rebuilt.settle(&event.user, &event.reference, status), settled, "seed {seed}");
        }
        assert_eq!(live.observe(last), rebuilt.observe(last), "seed {seed}");
    }
}

/// A pack with other slots for the same names, one window more and one threshold higher.
fn next_pack() -> HistoryPlan {
    let mut plan = HistoryPlan {
        actions: names(&["pay", "login"]),
        fields: names(&["device", "user"]),
        filters: names(&["other", "completed"]),
        anchors: true,
        ..HistoryPlan::default()
    };
    let login = EventKind::Action(engine::history::plan::EventId(1));
    let base = WindowSpec { event: login, keys: vec![FieldRef(1)], ..count_by_user(Window::Sliding(HOUR), 5) };
    plan.intern_window(WindowSpec { filter: Some(FilterId(1)), ..base.clone() }); // as before
    plan.intern_window(WindowSpec { filter: Some(FilterId(0)), ..base.clone() }); // a new filter
    plan.intern_window(WindowSpec { bound: Bound::AtMost(50), ..base }); // a higher threshold
    plan
}

fn first_pack() -> HistoryPlan {
    let mut plan = empty_plan();
    plan.intern_window(WindowSpec { filter: Some(COMPLETED), ..count_by_user(Window::Sliding(HOUR), 5) });
    plan.intern_window(count_by_user(Window::Sliding(HOUR), 5));
    plan
}

/// The same event for the next pack's slots.
fn for_next_pack(event: Observation) -> Observation {
    Observation {
        kind: EventKind::Action(engine::history::plan::EventId(1)),
        fields: vec![event.fields[6].clone(), event.fields[0].clone()],
        filters: vec![[Tri::True; 7], event.filters[0]],
        ..event
    }
}

#[test]
fn a_new_pack_keeps_what_stays_the_same_and_warms_up_the_rest() {
    let mut history = History::new(Arc::new(first_pack()), limits());
    for seq in 1..=3 {
        history.observe(&plain(seq, seq as i64 * MINUTE, "ann"));
    }
    history.replan(Arc::new(next_pack()), moment(4 * MINUTE));
    // An event that was undecided under the old pack is settled under the new one.
    assert_eq!(history.settle("ann", "r3", Status::Blocked), Settled::Changed);
    assert_eq!(history.settle("ann", "r2", Status::Challenged), Settled::Changed);
    assert_eq!(history.settle("ann", "r2", Status::Verified), Settled::Changed);
    let observed = history.observe(&for_next_pack(plain(4, 5 * MINUTE, "ann")));
    assert_eq!(observed.windows, [exactly(2), at_least(0), at_least(0)]);
    let verified = observed.last_verified.known().map(|snapshot| snapshot.time);
    assert_eq!(verified, Some(moment(2 * MINUTE)));
    let fifth = for_next_pack(plain(5, 64 * MINUTE + 1, "ann")); // an hour after the swap, every window has warmed up
    assert_eq!(history.observe(&fifth).windows, [exactly(1), exactly(1), exactly(1)]);
    assert!(history.observe(&fifth).duplicate);
}

#[test]
fn an_unchanged_pack_changes_nothing() {
    for seed in 1..=10 {
        let mut dice = Dice(seed);
        let plan = Arc::new(random_plan(&mut dice, 14));
        let trouble = Trouble { late: 5, repeated: 0, settled: 30, unknown: true, negative: true };
        let mut kept = History::new(plan.clone(), limits());
        let mut replanned = kept.clone();
        for step in random_stream(&mut dice, 80, trouble) {
            match step {
                Step::Observe(event) => {
                    assert_eq!(kept.observe(&event), replanned.observe(&event), "seed {seed}");
                    replanned.replan(plan.clone(), event.time);
                }
                Step::Settle { user, reference, status } => {
                    assert_eq!(kept.settle(&user, &reference, status), replanned.settle(&user, &reference, status));
                }
            }
        }
    }
}
