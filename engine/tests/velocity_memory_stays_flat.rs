//! Floods: a million events on one key, a million keys, and nobody who settles anything.
//!
//! `STEPUP_FLOOD=1000000` makes the floods that large; unset, they are a tenth of it, to save the time of debug builds.

mod velocity;

use std::sync::Arc;

use engine::{
    history::{
        History, HistoryPlan, Limits, Observation,
        plan::{Bound, Function, SeenKind, SeenSpec, Unit, Window, WindowSpec},
    },
    interval::Interval,
    maybe::{Maybe, Why},
    money::Money,
    status::Status,
    value::Value,
};
use velocity::{
    AMOUNT, COMPLETED, DAY, DEVICE, HOUR, IP, MINUTE, PAYEE, USER, count_by_user, empty_plan, eur, limits, plain, with,
};

fn many() -> u64 {
    std::env::var("STEPUP_FLOOD").ok().and_then(|many| many.parse().ok()).unwrap_or(100_000)
}

fn plan_of(windows: Vec<WindowSpec>) -> Arc<HistoryPlan> {
    let mut plan = HistoryPlan { anchors: false, ..empty_plan() };
    for window in windows {
        plan.intern_window(window);
    }
    Arc::new(plan)
}

fn login(seq: u64, time_ms: i64, user: &str) -> Observation {
    Observation { status: Status::Allowed, ..plain(seq, time_ms, user) }
}

/// The newest k + 1, which tell more than k from k, and the event being judged, which is observed before it is judged.
#[test]
fn a_million_failed_logins_from_one_address_cost_k_plus_two_timestamps() {
    let by_ip = WindowSpec { keys: vec![IP], ..count_by_user(Window::Sliding(5 * MINUTE), 20) };
    let mut history = History::new(plan_of(vec![by_ip]), Limits { references: 1_000, ..limits() });
    let address = Value::Ip("203.0.113.9".parse().expect("an address"));
    let mut event = with(login(0, 0, "ann"), IP, address);
    for seq in 1..=many() {
        event = Observation { seq, reference: format!("r{seq}").into(), ..event };
        event.time = jiff::Timestamp::from_millisecond(seq as i64 / 100).expect("in range");
        let observed = history.observe(&event);
        if seq > 21 {
            let many = Interval::at_least(Value::Int(21), Why::Saturated);
            assert_eq!(observed.windows[0], Maybe::Known(many));
        }
        if seq % 50_000 == 0 {
            let bytes = history.stats().bytes;
            assert!(bytes < 1_000_000, "{bytes} after {seq}");
        }
    }
    let sizes = history.stats();
    println!("{sizes:?}");
    assert_eq!(sizes.most_entries, 20 + 2);
    assert_eq!(sizes.pending, 0);
}

#[test]
fn every_structure_stays_within_its_threshold_or_its_limit() {
    let money = Unit::Money(Some(eur()));
    let over_a_day =
        |function, unit, bound| WindowSpec { function, unit, bound, ..count_by_user(Window::Sliding(DAY), 0) };
    let cases = [
        (over_a_day(Function::CountDistinct(PAYEE), Unit::Int, Bound::AtMost(5)), 5 + 2),
        (over_a_day(Function::CountDistinct(PAYEE), Unit::Int, Bound::Unbounded), 1_024),
        // Amounts of up to 9.99 EUR against 100 EUR: some twenty entries.
        (over_a_day(Function::Sum(AMOUNT), money, Bound::AtMost(10_000)), 80),
        (over_a_day(Function::Sum(AMOUNT), money, Bound::Unbounded), 1_024 + 64),
        (over_a_day(Function::Avg(AMOUNT), money, Bound::Unbounded), 1_024 + 64),
        (over_a_day(Function::P95(AMOUNT), money, Bound::Unbounded), 1_024 + 64),
        (over_a_day(Function::Max(AMOUNT), money, Bound::Unbounded), 256),
        (over_a_day(Function::Count, Unit::Int, Bound::Unbounded), 1_024 + 64),
        (WindowSpec { filter: Some(COMPLETED), ..over_a_day(Function::Count, Unit::Int, Bound::AtMost(3)) }, 3 + 2),
    ];
    for (window, most) in cases {
        let mut history = History::new(plan_of(vec![window.clone()]), limits());
        let mut dice = velocity::Dice(7);
        for seq in 1..=6_000 {
            let event =
                with(login(seq, seq as i64 * 10, "ann"), PAYEE, Value::Text(format!("p{}", dice.below(4_000)).into()));
            let cents = 1 + i128::from(dice.below(999));
            let event = with(event, AMOUNT, Value::Money(Money { minor: cents, currency: eur() }));
            if seq % 100 == 0 {
                history.observe(&event);
            } else {
                history.remember(&event);
            }
        }
        let sizes = history.stats();
        assert!(sizes.most_entries <= most, "{} > {most}: {window:?}", sizes.most_entries);
    }
}

#[test]
fn a_million_new_keys_fill_the_quota_and_forget_no_live_key() {
    let quota = 1_000;
    let limits = Limits { keys: quota, lateness_ms: 0, ..limits() };
    let by_device = WindowSpec { keys: vec![DEVICE], ..count_by_user(Window::Sliding(HOUR), 9) };
    let mut history = History::new(plan_of(vec![by_device]), limits);
    let on =
        |seq: u64, time_ms: i64, device: &str| with(login(seq, time_ms, "ann"), DEVICE, Value::Device(device.into()));
    let (mut seq, mut refused) = (0, 0);
    let mut next = || {
        seq += 1;
        seq
    };
    for live in 0..500 {
        history.observe(&on(next(), 0, &format!("live{live}")));
    }
    for n in 0..many() {
        let answer =
            history.observe(&on(next(), 1 + (n * 1_000 / many()) as i64, &format!("flood{n}"))).windows.remove(0);
        match answer {
            Maybe::Known(_) => assert!(n < 500, "room for {n}"),
            Maybe::Unknown(why) => {
                assert_eq!(why, Why::Quota);
                refused += 1;
            }
        }
    }
    assert_eq!((refused, history.stats().most_keys), (many() - 500, quota));
    for live in 0..500 {
        let answer = history.observe(&on(next(), 2_000, &format!("live{live}"))).windows.remove(0);
        assert_eq!(answer, Maybe::Known(Interval::exactly(Value::Int(1))), "live{live}");
    }
    // When the flood's keys have left the window there is room again. The new key may be one that was refused less
    // than an hour ago: it says "at least" until that hour is over.
    let later = HOUR + 1_500;
    let answer = history.observe(&on(next(), later - 1_000, "new")).windows.remove(0);
    assert_eq!(answer, Maybe::Known(Interval::at_least(Value::Int(0), Why::Quota)));
    let answer = history.observe(&on(next(), later, "newer")).windows.remove(0);
    assert_eq!(answer, Maybe::Known(Interval::exactly(Value::Int(0))));
}

#[test]
fn undecided_events_that_nobody_settles_stay_counted_and_stay_few() {
    let limits = Limits { pending: 10, references: 50, ..limits() };
    let completed = WindowSpec { filter: Some(COMPLETED), ..count_by_user(Window::Sliding(DAY), 100) };
    let mut history = History::new(plan_of(vec![completed]), limits);
    for seq in 1..=5_000 {
        let answer = history.observe(&plain(seq, seq as i64, "ann")).windows.remove(0);
        let earlier = seq as i64 - 1;
        let Maybe::Known(count) = answer else { panic!("known: {answer:?}") };
        // Ten are waited for and count; of the others it will never be known, so the answer leaves it open.
        assert_eq!(count.lo, Some(Value::Int(earlier.min(10))), "{seq}");
        let hi = count.hi.clone().map(|hi| hi == Value::Int(earlier));
        assert!(hi.unwrap_or(earlier > 100), "{seq}: {count:?}");
    }
    let sizes = history.stats();
    println!("{sizes:?}");
    assert!(sizes.undecided <= 50 && sizes.pending <= 10 && sizes.entries <= 102, "{sizes:?}");
}

#[test]
fn devices_and_users_that_come_and_go_are_forgotten() {
    let mut plan = empty_plan();
    plan.intern_seen(SeenSpec {
        kind: SeenKind::Times,
        what: DEVICE,
        keys: vec![USER],
        within_ms: Some(HOUR),
        bound: Bound::AtMost(0),
    });
    let limits = Limits { retention_ms: DAY, references: 100, ..limits() };
    let mut history = History::new(Arc::new(plan), limits);
    for seq in 1..=50_000_u64 {
        let user = format!("u{seq}");
        let event = with(login(seq, seq as i64 * MINUTE, &user), DEVICE, Value::Device("d".into()));
        assert_eq!(history.observe(&event).seen, [Maybe::Known(Interval::exactly(Value::Int(0)))]);
    }
    let sizes = history.stats();
    // An hour's devices and a day's users, and the ten minutes of grace for late events.
    assert!(sizes.keys <= 60 + 10 + 2 && sizes.users <= 24 * 60 + 10 + 2, "{sizes:?}");
}
