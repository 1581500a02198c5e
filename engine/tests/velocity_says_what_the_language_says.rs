//! Each sentence of the language about history, as an example. Every example holds for the full history and for the
//! bounded windows alike.

mod velocity;

use std::sync::Arc;

use engine::{
    history::{
        History, HistoryPlan, Observation, Observed, Reference, Settled, Snapshot, clamp_future,
        plan::{Bound, CalendarUnit, EventKind, Function, SeenKind, SeenSpec, Unit, Window, WindowSpec, ZoneRef},
    },
    interval::Interval,
    maybe::{Maybe, Why},
    money::Money,
    status::Status,
    tri::Tri,
    value::Value,
};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use velocity::{
    AMOUNT, BLOCKED_ABROAD, COMPLETED, DAY, DEVICE, FAILED, HOUR, IP, LOGIN, MINUTE, PAY, PAYEE, RECORDS, USER,
    count_by_user, empty_plan, eur, limits, plain, with,
};

/// Both histories at once: they must agree on everything an example shows.
struct Both {
    reference: Reference,
    history: History,
}

impl Both {
    fn new(plan: HistoryPlan) -> Both {
        let plan = Arc::new(plan);
        Both { reference: Reference::new(plan.clone(), &limits()), history: History::new(plan, limits()) }
    }

    fn of(window: WindowSpec) -> Both {
        let mut plan = empty_plan();
        plan.intern_window(window);
        Both::new(plan)
    }

    fn observe(&mut self, event: &Observation) -> Observed {
        let expected = self.reference.observe(event.clone());
        assert_eq!(self.history.observe(event), expected);
        expected
    }

    /// The answer to the only window.
    fn ask(&mut self, event: &Observation) -> Maybe<Interval<Value>> {
        self.observe(event).windows.remove(0)
    }

    fn settle(&mut self, event: &Observation, status: Status) {
        let settled = self.reference.settle(&event.user, &event.reference, status);
        assert_eq!(self.history.settle(&event.user, &event.reference, status), settled);
        assert_eq!(settled, Settled::Changed);
    }
}

fn exactly(count: i64) -> Maybe<Interval<Value>> {
    Maybe::Known(Interval::exactly(Value::Int(count)))
}

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().expect("a timestamp").as_millisecond()
}

fn moment(ms: i64) -> Maybe<Interval<Value>> {
    Maybe::Known(Interval::exactly(Value::Timestamp(Timestamp::from_millisecond(ms).expect("in range"))))
}

fn euros(cents: i128) -> Value {
    Value::Money(Money { minor: cents, currency: eur() })
}

#[test]
fn a_sliding_window_is_open_at_its_start_and_leaves_out_the_event_itself() {
    let mut both = Both::of(count_by_user(Window::Sliding(10 * MINUTE), 9));
    assert_eq!(both.ask(&plain(1, 0, "ann")), exactly(0));
    assert_eq!(both.ask(&plain(2, 10 * MINUTE - 1, "ann")), exactly(1));
    assert_eq!(both.ask(&plain(3, 10 * MINUTE, "ann")), exactly(1)); // the first has just left
    assert_eq!(both.ask(&plain(4, 10 * MINUTE, "ann")), exactly(2)); // of the same time, but ingested before
    assert_eq!(both.ask(&plain(5, 10 * MINUTE, "bob")), exactly(0));
}

#[test]
fn including_this_counts_the_event_only_if_it_is_of_the_kind_and_passes_the_filter() {
    let window = WindowSpec { including_this: true, filter: Some(FAILED), ..count_by_user(Window::Sliding(HOUR), 9) };
    let mut both = Both::of(window);
    assert_eq!(both.ask(&plain(1, 0, "ann")), exactly(1));
    let mut passed = plain(2, 1, "ann");
    passed.filters[1] = [Tri::False; 7];
    assert_eq!(both.ask(&passed), exactly(1));
    assert_eq!(both.ask(&Observation { kind: PAY, ..plain(3, 2, "ann") }), exactly(1));
    assert_eq!(both.ask(&plain(4, 3, "ann")), exactly(2));
}

#[test]
fn a_tumbling_window_starts_afresh_at_multiples_of_its_width() {
    let mut both = Both::of(count_by_user(Window::Tumbling(HOUR), 9));
    for (seq, time, expected) in [(1, 0, 0), (2, HOUR - 1, 1), (3, HOUR, 0), (4, HOUR + 1, 1)] {
        assert_eq!(both.ask(&plain(seq, time, "ann")), exactly(expected));
    }
}

#[test]
fn a_calendar_day_has_23_or_25_hours_when_the_clocks_change() {
    let window = Window::Calendar { unit: CalendarUnit::Day, zone: ZoneRef(0) };
    let berlin = |seq, time: &str| {
        let zones = vec![Maybe::Known("Europe/Berlin".into())];
        Observation { zones, ..plain(seq, at(time), "ann") }
    };
    let mut both = Both::of(count_by_user(window, 9));
    both.ask(&berlin(1, "2026-03-28T22:59:59Z")); // 23:59:59 the day before
    both.ask(&berlin(2, "2026-03-28T23:00:00Z")); // midnight
    let observed = both.observe(&berlin(3, "2026-03-29T21:59:59Z")); // 23:59:59, 23 hours later
    assert_eq!(observed.windows, [exactly(1)]);
    assert_eq!(observed.starts[0].map(|start| start.to_string()), Some("2026-03-28T23:00:00Z".to_owned()));
    assert_eq!(both.ask(&berlin(4, "2026-03-29T22:00:00Z")), exactly(0));

    let mut both = Both::of(count_by_user(window, 9));
    both.ask(&berlin(1, "2026-10-24T22:00:00Z")); // midnight
    assert_eq!(both.ask(&berlin(2, "2026-10-25T22:59:59Z")), exactly(1)); // 24:59:59 later, the same day
    assert_eq!(both.ask(&berlin(3, "2026-10-25T23:00:00Z")), exactly(0));
}

#[test]
fn a_zone_that_does_not_exist_makes_the_day_unknown() {
    let mut both = Both::of(count_by_user(Window::Calendar { unit: CalendarUnit::Day, zone: ZoneRef(0) }, 9));
    let zones = vec![Maybe::Known("Mars/Olympus".into())];
    assert_eq!(both.ask(&Observation { zones, ..plain(1, 0, "ann") }), Maybe::Unknown(Why::LookupFailed));
    let zones = vec![Maybe::Unknown(Why::Absent)];
    assert_eq!(both.ask(&Observation { zones, ..plain(2, 0, "ann") }), Maybe::Unknown(Why::Absent));
}

#[test]
fn since_looks_back_to_the_newest_anchor_of_the_same_key_or_else_to_everything() {
    let mut both = Both::of(count_by_user(Window::Since(EventKind::ChallengeSucceeded), 9));
    let passed = |seq, time, user| Observation { kind: EventKind::ChallengeSucceeded, ..plain(seq, time, user) };
    both.ask(&plain(1, 0, "ann"));
    assert_eq!(both.ask(&plain(2, 1, "ann")), exactly(1));
    both.observe(&passed(3, 2, "bob"));
    assert_eq!(both.ask(&plain(4, 3, "ann")), exactly(2)); // Bob's challenge is no anchor of Ann's
    both.observe(&passed(5, 4, "ann"));
    assert_eq!(both.ask(&plain(6, 5, "ann")), exactly(0));
    assert_eq!(both.ask(&plain(7, 6, "ann")), exactly(1));
}

#[test]
fn three_declined_prompts_in_ten_minutes_are_counted_like_any_event() {
    let declined = WindowSpec { event: EventKind::ChallengeDeclined, ..count_by_user(Window::Sliding(10 * MINUTE), 3) };
    let mut both = Both::of(declined);
    for seq in 1..=3 {
        let kind = EventKind::ChallengeDeclined;
        both.observe(&Observation { kind, ..plain(seq, seq as i64 * MINUTE, "ann") });
    }
    assert_eq!(both.ask(&plain(4, 5 * MINUTE, "ann")), exactly(3));
}

#[test]
fn completed_counts_what_is_in_flight_and_forgets_what_was_blocked() {
    let window = WindowSpec {
        event: PAY,
        filter: Some(COMPLETED),
        function: Function::Sum(AMOUNT),
        unit: Unit::Money(Some(eur())),
        including_this: true,
        bound: Bound::AtMost(1_000_000),
        ..count_by_user(Window::Sliding(DAY), 0)
    };
    let mut both = Both::of(window);
    let pay = |seq, cents| with(Observation { kind: PAY, ..plain(seq, seq as i64, "ann") }, AMOUNT, euros(cents));
    let sum = |cents| Maybe::Known(Interval::exactly(euros(cents)));
    let (first, second, third) = (pay(1, 1_000), pay(2, 200), pay(3, 30));
    assert_eq!(both.ask(&first), sum(1_000));
    assert_eq!(both.ask(&second), sum(1_200)); // the first is still pending: it counts
    both.settle(&first, Status::Blocked);
    assert_eq!(both.ask(&third), sum(230));
    both.settle(&second, Status::Challenged);
    assert_eq!(both.ask(&pay(4, 4)), sum(34));
    both.settle(&second, Status::Verified);
    assert_eq!(both.ask(&pay(5, 5)), sum(239));
}

#[test]
fn a_filter_that_could_not_be_decided_widens_the_answer() {
    let window = WindowSpec { filter: Some(FAILED), ..count_by_user(Window::Sliding(HOUR), 9) };
    let mut both = Both::of(window);
    let mut doubtful = plain(1, 0, "ann");
    doubtful.filters[1] = [Tri::Unknown; 7];
    both.ask(&doubtful);
    both.ask(&plain(2, 1, "ann"));
    let between = Interval::between(Value::Int(1), Value::Int(2), Why::Absent);
    assert_eq!(both.ask(&plain(3, 2, "ann")), Maybe::Known(between));
}

#[test]
fn a_missing_key_makes_the_answer_absent_and_the_event_uncounted() {
    let mut both = Both::of(WindowSpec { keys: vec![USER, DEVICE], ..count_by_user(Window::Sliding(HOUR), 9) });
    let on = |seq, device: &str| with(plain(seq, seq as i64, "ann"), DEVICE, Value::Device(device.into()));
    both.ask(&on(1, "phone"));
    assert_eq!(both.ask(&plain(2, 2, "ann")), Maybe::Unknown(Why::Absent));
    assert_eq!(both.ask(&on(3, "phone")), exactly(1));
    assert_eq!(both.ask(&on(4, "tablet")), exactly(0));
}

#[test]
fn distinct_and_sum_skip_events_without_the_field() {
    let payees = WindowSpec { function: Function::CountDistinct(PAYEE), ..count_by_user(Window::Sliding(HOUR), 9) };
    let mut both = Both::of(payees);
    let to = |seq, payee: &str| with(plain(seq, seq as i64, "ann"), PAYEE, Value::Text(payee.into()));
    both.ask(&to(1, "shop"));
    both.ask(&plain(2, 2, "ann"));
    both.ask(&to(3, "shop"));
    both.ask(&to(4, "bank"));
    assert_eq!(both.ask(&plain(5, 5, "ann")), exactly(2));
    let mut lost = plain(6, 6, "ann");
    lost.fields[usize::from(PAYEE.0)] = Maybe::Unknown(Why::LookupFailed);
    both.ask(&lost);
    let between = Interval::between(Value::Int(2), Value::Int(3), Why::Absent);
    assert_eq!(both.ask(&plain(7, 7, "ann")), Maybe::Known(between)); // not found out is not the same as absent
}

#[test]
fn values_are_told_apart_whatever_their_length() {
    let payees = WindowSpec { function: Function::CountDistinct(PAYEE), ..count_by_user(Window::Sliding(HOUR), 99) };
    let mut both = Both::of(payees);
    // The lengths around those for which room is made: of an address, of a UUID, and beyond.
    let lengths = [1, 12, 13, 14, 15, 36, 37, 38, 39, 300, 1, 12, 300];
    for (seq, (length, distinct)) in (1..).zip(lengths.into_iter().zip([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10])) {
        let payee = with(plain(seq, seq as i64, "ann"), PAYEE, Value::Text("p".repeat(length).into()));
        assert_eq!(both.ask(&payee), exactly(distinct), "{length}");
    }
    // A longer value of one field leaves those of the other as they are.
    let mut plan = empty_plan();
    for field in [PAYEE, DEVICE] {
        plan.intern_window(WindowSpec {
            function: Function::CountDistinct(field),
            ..count_by_user(Window::Sliding(HOUR), 9)
        });
    }
    let mut both = Both::new(plan);
    for (seq, length) in (1..).zip([1, 36, 1, 36]) {
        let event = with(plain(seq, seq as i64, "ann"), PAYEE, Value::Text("p".into()));
        let observed = both.observe(&with(event, DEVICE, Value::Device("d".repeat(length).into())));
        assert_eq!(observed.windows, [exactly((seq as i64 - 1).min(1)), exactly((seq as i64 - 1).min(2))]);
    }
}

#[test]
fn every_function_has_its_usual_value() {
    let mut plan = empty_plan();
    let functions = [
        Function::Sum(RECORDS),
        Function::Avg(RECORDS),
        Function::Min(RECORDS),
        Function::Max(RECORDS),
        Function::Stddev(RECORDS),
        Function::P95(RECORDS),
    ];
    for function in functions {
        let bound = Bound::Unbounded;
        plan.intern_window(WindowSpec { function, bound, ..count_by_user(Window::Sliding(HOUR), 0) });
    }
    plan.intern_window(WindowSpec {
        function: Function::Sum(RECORDS),
        distinct: true,
        bound: Bound::Unbounded,
        ..count_by_user(Window::Sliding(HOUR), 0)
    });
    let mut both = Both::new(plan);
    let absent = Maybe::Unknown(Why::Absent);
    let none = both.observe(&plain(1, 1, "ann")).windows;
    assert_eq!(none, [exactly(0), absent.clone(), absent.clone(), absent.clone(), absent.clone(), absent, exactly(0)]);
    for (seq, records) in (2..).zip([2, 4, 4, 4, 5, 5, 7, 9]) {
        both.observe(&with(plain(seq, seq as i64, "ann"), RECORDS, Value::Int(records)));
    }
    let decimal = |value| Maybe::Known(Interval::exactly(Value::Decimal(Decimal::from(value))));
    let found = both.observe(&plain(50, 50, "ann")).windows;
    assert_eq!(found, [exactly(40), decimal(5), exactly(2), exactly(9), decimal(2), exactly(9), exactly(27)]);
}

#[test]
fn two_currencies_never_add_and_no_amounts_are_zero_of_the_right_one() {
    let sum = |unit| {
        let function = Function::Sum(AMOUNT);
        Both::of(WindowSpec { function, unit, bound: Bound::AtMost(9_999), ..count_by_user(Window::Sliding(HOUR), 0) })
    };
    let dollars = Value::Money(Money::parse_text("1 USD").expect("an amount"));
    let mut both = sum(Unit::Money(Some(eur())));
    assert_eq!(both.ask(&plain(1, 1, "ann")), Maybe::Known(Interval::exactly(euros(0))));
    both.ask(&with(plain(2, 2, "ann"), AMOUNT, euros(5)));
    assert_eq!(both.ask(&with(plain(3, 3, "ann"), AMOUNT, dollars.clone())), Maybe::Known(Interval::exactly(euros(5))));
    assert_eq!(both.ask(&plain(4, 4, "ann")), Maybe::Unknown(Why::CurrencyMismatch));
    let mut both = sum(Unit::Money(None));
    assert_eq!(both.ask(&plain(1, 1, "ann")), Maybe::Unknown(Why::Absent));
    let zero = Value::Money(Money::parse_text("0 USD").expect("an amount"));
    assert_eq!(both.ask(&with(plain(2, 2, "ann"), AMOUNT, dollars)), Maybe::Known(Interval::exactly(zero)));
}

/// Amounts that a threshold no longer needs are dropped, but not what they were in.
#[test]
fn a_late_amount_does_not_stand_for_dropped_ones_in_another_currency() {
    let function = Function::Sum(AMOUNT);
    let bound = Bound::AtMost(0);
    let sum = WindowSpec { function, unit: Unit::Money(Some(eur())), bound, ..count_by_user(Window::Sliding(HOUR), 0) };
    let mut plan = empty_plan();
    plan.intern_window(WindowSpec { including_this: true, ..sum });
    let mut history = History::new(Arc::new(plan), limits());
    for (seq, time) in [(1, 1), (2, 9)] {
        history.observe(&with(plain(seq, time, "ann"), AMOUNT, euros(5)));
    }
    let dollars = Value::Money(Money::parse_text("1 USD").expect("an amount"));
    let late = history.observe(&with(plain(3, 5, "ann"), AMOUNT, dollars));
    assert_eq!(late.windows, [Maybe::Unknown(Why::Saturated)]);
}

/// An amount in another currency that has left the window takes nothing from what is known of those in it.
#[test]
fn a_foreign_amount_that_is_settled_late_does_not_make_later_sums_unknown() {
    let (function, filter) = (Function::Sum(AMOUNT), Some(COMPLETED));
    let unit = Unit::Money(Some(eur()));
    let mut plan = empty_plan();
    plan.intern_window(WindowSpec { function, filter, unit, ..count_by_user(Window::Sliding(HOUR), 0) });
    let mut history = History::new(Arc::new(plan), limits());
    let dollars = Value::Money(Money::parse_text("1 USD").expect("an amount"));
    let undecided = with(plain(1, 0, "ann"), AMOUNT, dollars);
    history.observe(&undecided);
    for (seq, minutes) in [(2, 65), (3, 66)] {
        let status = Status::Allowed;
        history.observe(&Observation { status, ..with(plain(seq, minutes * MINUTE, "ann"), AMOUNT, euros(5)) });
    }
    assert_eq!(history.settle("ann", &undecided.reference, Status::Verified), Settled::Changed);
    let cent = Value::Money(Money { minor: 1, currency: eur() });
    let more = Maybe::Known(Interval::at_least(cent, Why::Saturated));
    assert_eq!(history.observe(&plain(4, 67 * MINUTE, "ann")).windows, [more]);
}

/// The same where the amounts in euros have left the window, and the key has been a log until then.
#[test]
fn a_late_amount_does_not_stand_for_those_that_have_left_in_another_currency() {
    let sum = WindowSpec {
        function: Function::Sum(AMOUNT),
        unit: Unit::Money(None),
        including_this: true,
        ..count_by_user(Window::Sliding(HOUR), 0)
    };
    let mut plan = empty_plan();
    plan.intern_window(sum);
    plan.intern_window(count_by_user(Window::Sliding(HOUR), 9));
    let mut history = History::new(Arc::new(plan), limits());
    history.observe(&with(plain(1, 0, "ann"), AMOUNT, euros(5)));
    history.observe(&plain(2, 3 * HOUR, "ann"));
    let dollars = Value::Money(Money::parse_text("1 USD").expect("an amount"));
    let late = history.observe(&with(plain(3, HOUR / 2, "ann"), AMOUNT, dollars));
    assert_eq!(late.windows[0], Maybe::Unknown(Why::Saturated));
}

/// A key can have a newest event of which nothing is kept: what comes before that is late all the same.
#[test]
fn an_event_is_late_to_one_that_did_not_count() {
    let mut plan = empty_plan();
    plan.intern_window(WindowSpec { filter: Some(FAILED), ..count_by_user(Window::Sliding(HOUR), 9) });
    let mut history = History::new(Arc::new(plan), limits());
    for (seq, minute, counts) in [(1, 180, false), (2, 60, true), (3, 50, true), (4, 70, true), (5, 181, true)] {
        let mut event = Observation { status: Status::Allowed, ..plain(seq, minute * MINUTE, "ann") };
        event.filters[usize::from(FAILED.0)] = [Tri::from(counts); 7];
        let peeked = history.peek(&event);
        assert_eq!(peeked, history.observe(&event), "{seq}");
    }
}

/// What is kept of a key becomes as small as it can when its many events have left.
#[test]
fn the_first_event_after_many_that_have_left_is_counted() {
    let mut plan = empty_plan();
    plan.intern_window(WindowSpec { filter: Some(FAILED), ..count_by_user(Window::Sliding(HOUR), 50) });
    plan.intern_window(count_by_user(Window::Sliding(HOUR), 50));
    let mut both = Both::new(plan);
    for seq in 1..=45 {
        both.observe(&plain(seq, seq as i64 * 1_000, "ann"));
    }
    both.observe(&plain(46, 5 * HOUR, "ann"));
    let asked = both.observe(&Observation { kind: PAY, ..plain(47, 5 * HOUR + 1, "ann") });
    assert_eq!(asked.windows, [exactly(1), exactly(1)]);
}

/// Rows of a log come and go, and are moved now and then: also when the event comes that turns it into structures.
#[test]
fn an_amount_in_a_second_currency_finds_the_events_before_it_wherever_they_stand() {
    let sliding = count_by_user(Window::Sliding(10 * MINUTE), 99);
    let (function, unit) = (Function::Sum(AMOUNT), Unit::Money(Some(eur())));
    let dollars = Value::Money(Money::parse_text("1 USD").expect("an amount"));
    for before in 0..60 {
        let mut plan = empty_plan();
        plan.intern_window(sliding.clone());
        plan.intern_window(WindowSpec { function, unit, bound: Bound::AtMost(99_999), ..sliding.clone() });
        let mut both = Both::new(plan);
        for seq in 1..=before {
            both.observe(&with(plain(seq, seq as i64 * MINUTE, "ann"), AMOUNT, euros(5)));
        }
        for seq in before + 1..before + 20 {
            both.observe(&with(plain(seq, seq as i64 * MINUTE, "ann"), AMOUNT, dollars.clone()));
        }
    }
}

#[test]
fn beyond_the_threshold_a_count_says_no_more_than_that() {
    let mut both = History::new(
        Arc::new({
            let mut plan = empty_plan();
            plan.intern_window(count_by_user(Window::Sliding(HOUR), 2));
            plan
        }),
        limits(),
    );
    let answers: Vec<_> = (1..=6).map(|seq| both.observe(&plain(seq, seq as i64, "ann")).windows.remove(0)).collect();
    let more = Maybe::Known(Interval::at_least(Value::Int(3), Why::Saturated));
    assert_eq!(answers, [exactly(0), exactly(1), exactly(2), more.clone(), more.clone(), more]);
}

#[test]
fn a_late_event_takes_its_own_place() {
    let mut both = Both::of(count_by_user(Window::Sliding(HOUR), 9));
    both.ask(&plain(1, 10 * MINUTE, "ann"));
    both.ask(&plain(2, 30 * MINUTE, "ann"));
    let late = both.observe(&plain(3, 20 * MINUTE, "ann"));
    assert_eq!(late.windows, [exactly(1)]); // it does not see what came after it
    let next = both.observe(&plain(4, 31 * MINUTE, "ann"));
    assert_eq!(next.windows, [exactly(3)]);
}

#[test]
fn a_retry_is_answered_as_the_first_time_and_counted_once() {
    let mut both = Both::of(count_by_user(Window::Sliding(HOUR), 9));
    let first = plain(1, 1, "ann");
    both.ask(&first);
    both.ask(&plain(2, 2, "ann"));
    let retry = both.observe(&Observation { seq: 3, ..first });
    assert_eq!((retry.duplicate, &retry.windows[..]), (true, &[exactly(0)][..]));
    assert_eq!(both.ask(&plain(4, 4, "ann")), exactly(2));
    let same_word = Observation { reference: "r1".into(), ..plain(5, 5, "bob") };
    assert!(!both.observe(&same_word).duplicate); // references are the user's own
}

#[test]
fn a_time_too_far_in_the_future_becomes_the_time_of_arrival() {
    let now = Timestamp::from_second(1_000).expect("in range");
    let tolerance = SignedDuration::from_secs(5);
    let check = |seconds| clamp_future(Timestamp::from_second(seconds).expect("in range"), now, tolerance);
    assert_eq!(check(1_005), (Timestamp::from_second(1_005).expect("in range"), false));
    assert_eq!(check(1_006), (now, true));
    assert_eq!(check(0), (Timestamp::UNIX_EPOCH, false));
}

#[test]
fn first_last_and_times_seen() {
    let mut plan = empty_plan();
    for (kind, within_ms) in [
        (SeenKind::First, None),
        (SeenKind::First, Some(HOUR)),
        (SeenKind::Last, None),
        (SeenKind::Times, None),
        (SeenKind::Times, Some(HOUR)),
    ] {
        plan.intern_seen(SeenSpec { kind, what: DEVICE, keys: vec![USER], within_ms, bound: Bound::AtMost(5) });
    }
    let mut both = Both::new(plan);
    let on = |seq, time, device: &str| with(plain(seq, time, "ann"), DEVICE, Value::Device(device.into()));
    let absent = || Maybe::Unknown(Why::Absent);
    let never = both.observe(&on(1, 0, "phone")).seen;
    assert_eq!(never, [absent(), absent(), absent(), exactly(0), exactly(0)]);
    both.observe(&on(2, 2 * HOUR, "phone"));
    both.observe(&on(3, 2 * HOUR, "tablet"));
    let found = both.observe(&on(4, 2 * HOUR + 1, "phone")).seen;
    assert_eq!(found, [moment(0), moment(2 * HOUR), moment(2 * HOUR), exactly(2), exactly(1)]);
    // Forty days are the retention of this test: a device that was away so long is new again.
    assert_eq!(both.observe(&on(5, 43 * DAY, "phone")).seen[0], absent());
}

#[test]
fn last_verified_and_previous_follow_the_user() {
    let mut both = Both::new(empty_plan());
    let located = |seq, user: &str| {
        let event = plain(seq, seq as i64, user);
        let fix = engine::value::GeoFix {
            country: engine::codes::Country::parse("NZ").expect("a country"),
            region: None,
            city: None,
            lat: -41.3,
            lon: 174.8,
            radius_km: 5.0,
            time_zone: None,
            precision: engine::value::Precision::City,
            source: "test".into(),
            digest: "00".into(),
        };
        Observation { snapshot: Snapshot { geo: Maybe::Known(Arc::new(fix)), ..event.snapshot }, ..event }
    };
    let times = |observed: Observed| {
        let ms = |snapshot: Maybe<Snapshot>| snapshot.known().map(|snapshot| snapshot.time.as_millisecond());
        (ms(observed.last_verified), ms(observed.previous))
    };
    let (first, second) = (located(1, "ann"), located(2, "ann"));
    assert_eq!(times(both.observe(&first)), (None, None));
    assert_eq!(times(both.observe(&second)), (None, Some(1)));
    both.observe(&plain(3, 3, "ann")); // without a fix
    both.settle(&first, Status::Challenged);
    both.settle(&second, Status::Blocked);
    assert_eq!(times(both.observe(&plain(4, 4, "ann"))), (None, Some(1)));
    both.settle(&first, Status::Verified);
    assert_eq!(times(both.observe(&plain(5, 5, "ann"))), (Some(1), Some(1)));
    assert_eq!(times(both.observe(&plain(6, 6, "bob"))), (None, None));
}

#[test]
fn a_final_status_stays() {
    let mut both = Both::of(count_by_user(Window::Sliding(HOUR), 9));
    let event = plain(1, 1, "ann");
    both.ask(&event);
    both.settle(&event, Status::Allowed);
    for settled in
        [both.reference.settle("ann", "r1", Status::Blocked), both.history.settle("ann", "r1", Status::Blocked)]
    {
        assert_eq!(settled, Settled::AlreadyFinal);
    }
    assert_eq!(both.history.settle("ann", "nothing", Status::Allowed), Settled::NotInFlight);
}

#[test]
fn what_an_action_does_not_ask_is_not_answered_but_still_kept() {
    let mut plan = empty_plan();
    plan.intern_window(WindowSpec { keys: vec![USER], ..count_by_user(Window::Sliding(HOUR), 9) });
    plan.asked = vec![Default::default(), engine::history::plan::Asked { windows: vec![0], seen: vec![] }];
    let mut both = Both::new(plan);
    assert_eq!(both.ask(&plain(1, 1, "ann")), Maybe::Unknown(Why::Absent));
    assert_eq!(both.ask(&Observation { kind: PAY, ..plain(2, 2, "ann") }), exactly(1));
}

#[test]
fn equal_aggregates_share_a_slot_that_serves_the_larger_threshold() {
    let mut plan = empty_plan();
    let small = plan.intern_window(count_by_user(Window::Sliding(HOUR), 3));
    let large = plan.intern_window(count_by_user(Window::Sliding(HOUR), 30));
    let other = plan.intern_window(count_by_user(Window::Sliding(DAY), 3));
    let by_ip = plan.intern_window(WindowSpec { keys: vec![IP], ..count_by_user(Window::Sliding(HOUR), 3) });
    assert_eq!((small, large, other, by_ip), (0, 0, 1, 2));
    assert_eq!(plan.windows[0].bound, Bound::AtMost(30));
    let cents = |text: &str| Value::Money(Money::parse_text(text).expect("an amount"));
    assert_eq!(Bound::for_constant(&cents("10000 EUR"), Unit::Money(None)), Bound::AtMost(1_000_000));
    assert_eq!(Bound::for_constant(&Value::Decimal(Decimal::new(25, 1)), Unit::Int), Bound::AtMost(3));
    assert_eq!(Bound::for_constant(&Value::Text("?".into()), Unit::Int), Bound::Unbounded);
}

#[test]
fn observations_and_answers_survive_json_and_always_look_the_same() {
    let mut both =
        Both::of(WindowSpec { filter: Some(BLOCKED_ABROAD), event: LOGIN, ..count_by_user(Window::Sliding(HOUR), 2) });
    let event = with(plain(1, 1, "ann"), AMOUNT, euros(-5));
    let observed = both.observe(&event);
    let json = serde_json::to_string(&event).expect("serialises");
    assert_eq!(serde_json::from_str::<Observation>(&json).expect("reads back"), event);
    let json = serde_json::to_string(&observed).expect("serialises");
    let again = serde_json::from_str::<Observed>(&json).expect("reads back");
    assert_eq!(again, observed);
    assert_eq!(serde_json::to_string(&again).expect("serialises"), json);
}

#[test]
fn what_a_late_event_can_no_longer_be_told_exactly_is_not_told() {
    // A run of forty days' gaps at most: the late event joins two runs, and the older one's start is forgotten.
    let mut plan = empty_plan();
    let (kind, keys) = (SeenKind::First, vec![USER]);
    plan.intern_seen(SeenSpec { kind, what: DEVICE, keys, within_ms: None, bound: Bound::Unbounded });
    let mut history = History::new(Arc::new(plan), limits());
    let on_phone = |seq, time| with(plain(seq, time, "ann"), DEVICE, Value::Device("phone".into()));
    for (seq, day) in [(1, 0), (2, 50), (3, 25)] {
        history.observe(&on_phone(seq, day * DAY));
    }
    let first = history.observe(&on_phone(4, 51 * DAY)).seen.remove(0);
    let latest = Value::Timestamp(Timestamp::from_millisecond(25 * DAY).expect("in range"));
    assert_eq!(first, Maybe::Known(Interval::at_most(latest, Why::Saturated)));

    // A rising series keeps its newest values only: what the greatest was in the middle of it is gone.
    let max = WindowSpec {
        function: Function::Max(RECORDS),
        bound: Bound::Unbounded,
        ..count_by_user(Window::Sliding(HOUR), 0)
    };
    let mut plan = empty_plan();
    plan.intern_window(max);
    let mut history = History::new(Arc::new(plan), limits());
    for seq in 1..=40 {
        history.observe(&with(plain(seq, seq as i64 * 10, "ann"), RECORDS, Value::Int(seq as i64)));
    }
    assert_eq!(history.observe(&plain(41, 205, "ann")).windows[0], Maybe::Unknown(Why::Saturated));
    assert_eq!(history.observe(&plain(42, 500, "ann")).windows[0], exactly(40));
}
