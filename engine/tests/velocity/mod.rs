//! Random plans and streams of events, shared by the tests of history.
#![allow(dead_code, reason = "each test file uses a part")]

use std::sync::Arc;

use engine::{
    codes::Currency,
    history::{
        HistoryPlan, Limits, Observation, Snapshot,
        plan::{
            Bound, CalendarUnit, EventId, EventKind, FieldRef, FilterId, Function, SeenKind, SeenSpec, Unit, Window,
            WindowSpec, ZoneRef,
        },
    },
    maybe::{Maybe, Why},
    money::Money,
    status::Status,
    tri::Tri,
    value::{GeoFix, Precision, Value},
};
use jiff::Timestamp;
use rust_decimal::Decimal;

#[path = "../../../benches/src/dice.rs"]
mod dice;
pub use dice::Dice;

impl Dice {
    /// So many times in a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }
}

pub const USER: FieldRef = FieldRef(0);
pub const IP: FieldRef = FieldRef(1);
pub const AMOUNT: FieldRef = FieldRef(2);
pub const RECORDS: FieldRef = FieldRef(3);
pub const PAYEE: FieldRef = FieldRef(4);
pub const RATE: FieldRef = FieldRef(5);
pub const DEVICE: FieldRef = FieldRef(6);
pub const WAIT: FieldRef = FieldRef(7);

/// `where (completed)`
pub const COMPLETED: FilterId = FilterId(0);
/// A filter on the event's own fields.
pub const FAILED: FilterId = FilterId(1);
/// A filter that is sometimes unknown.
pub const DOUBTFUL: FilterId = FilterId(2);
/// A filter on the status that is sometimes unknown.
pub const BLOCKED_ABROAD: FilterId = FilterId(3);

pub const LOGIN: EventKind = EventKind::Action(EventId(0));
pub const PAY: EventKind = EventKind::Action(EventId(1));

pub fn names(of: &[&str]) -> Vec<Arc<str>> {
    of.iter().map(|name| Arc::from(*name)).collect()
}

pub fn empty_plan() -> HistoryPlan {
    HistoryPlan {
        actions: names(&["login", "pay"]),
        fields: names(&["user", "ip", "amount", "records", "payee", "rate", "device", "wait"]),
        filters: names(&["completed", "failed", "doubtful", "blocked_abroad"]),
        zones: names(&["user.tz"]),
        anchors: true,
        ..HistoryPlan::default()
    }
}

pub fn count_by_user(window: Window, bound: i128) -> WindowSpec {
    WindowSpec {
        event: LOGIN,
        filter: None,
        keys: vec![USER],
        function: Function::Count,
        distinct: false,
        unit: Unit::Int,
        window,
        including_this: false,
        bound: Bound::AtMost(bound),
    }
}

pub fn eur() -> Currency {
    Currency::parse("EUR").expect("a currency")
}

pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// A plan of `windows` random aggregates and some questions about earlier appearances.
pub fn random_plan(dice: &mut Dice, windows: usize) -> HistoryPlan {
    let mut plan = empty_plan();
    for _ in 0..windows {
        let spec = random_window(dice);
        plan.intern_window(spec);
    }
    for _ in 0..4 {
        let kind = dice.pick(&[SeenKind::First, SeenKind::Last, SeenKind::Times]);
        plan.intern_seen(SeenSpec {
            kind,
            what: dice.pick(&[DEVICE, IP, PAYEE]),
            keys: dice.pick(&[vec![USER], vec![IP]]),
            within_ms: dice.pick(&[None, Some(20 * MINUTE), Some(DAY)]),
            bound: Bound::AtMost(i128::from(dice.below(5))),
        });
    }
    plan
}

fn random_window(dice: &mut Dice) -> WindowSpec {
    let (field, unit, largest) = dice.pick(&[
        (AMOUNT, Unit::Money(Some(eur())), 3_000),
        (AMOUNT, Unit::Money(None), 800),
        (RECORDS, Unit::Int, 60),
        (RATE, Unit::Decimal, 20_000_000_000_000),
        (WAIT, Unit::Duration, 5_000),
    ]);
    let function = match dice.below(11) {
        0..=2 => Function::Count,
        3 | 4 => Function::CountDistinct(dice.pick(&[PAYEE, IP, DEVICE, AMOUNT, USER])),
        5 | 6 => Function::Sum(field),
        7 => Function::Avg(field),
        8 => dice.pick(&[Function::Min(field), Function::Max(field)]),
        9 => Function::Stddev(field),
        _ => Function::P95(field),
    };
    let counts = matches!(function, Function::Count | Function::CountDistinct(_));
    let bound = match dice.below(6) {
        0 => Bound::Unbounded,
        _ if counts => Bound::AtMost(i128::from(dice.below(9))),
        _ => Bound::AtMost(dice.pick(&[largest, largest / 7, 0])),
    };
    WindowSpec {
        event: dice.pick(&[
            LOGIN,
            LOGIN,
            PAY,
            PAY,
            EventKind::ChallengeIssued,
            EventKind::ChallengeSucceeded,
            EventKind::ChallengeDeclined,
            EventKind::ChallengeExpired,
        ]),
        filter: dice.pick(&[None, None, Some(COMPLETED), Some(FAILED), Some(DOUBTFUL), Some(BLOCKED_ABROAD)]),
        keys: dice.pick(&[vec![USER], vec![USER], vec![IP], vec![USER, IP]]),
        function,
        distinct: dice.percent(20),
        unit: if counts { Unit::Int } else { unit },
        window: match dice.below(10) {
            0..=3 => Window::Sliding(dice.pick(&[MINUTE, 10 * MINUTE, HOUR, DAY])),
            4 => Window::Tumbling(dice.pick(&[10 * MINUTE, HOUR])),
            5 | 6 => Window::Calendar {
                unit: dice.pick(&[CalendarUnit::Hour, CalendarUnit::Day, CalendarUnit::Week, CalendarUnit::Month]),
                zone: ZoneRef(0),
            },
            7 | 8 => Window::Since(dice.pick(&[
                EventKind::ChallengeIssued,
                EventKind::ChallengeSucceeded,
                EventKind::ChallengeDeclined,
                EventKind::ChallengeExpired,
                PAY,
            ])),
            _ => Window::Retained,
        },
        including_this: dice.percent(50),
        bound,
    }
}

/// What a stream may contain beyond events in order.
#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    /// Per cent of events that come after newer ones.
    pub late: u64,
    /// Per cent of events that are handed in twice.
    pub repeated: u64,
    /// Per cent of steps that settle an earlier event.
    pub settled: u64,
    /// Whether some fields and filters could not be found out, and amounts come in two currencies.
    pub unknown: bool,
    /// Whether amounts can be below zero: sums drop nothing below their threshold then, but may have before.
    pub negative: bool,
}

/// A step of a stream.
#[derive(Clone, Debug)]
pub enum Step {
    Observe(Box<Observation>),
    Settle { user: Arc<str>, reference: Arc<str>, status: Status },
}

/// A stream of so many steps around a day on which the clocks change.
pub fn random_stream(dice: &mut Dice, steps: usize, trouble: Trouble) -> Vec<Step> {
    let start: Timestamp = dice
        .pick(&["2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z", "2025-12-31T20:00:00Z", "1969-12-31T23:00:00Z"])
        .parse()
        .expect("a timestamp");
    let mut now = start.as_millisecond();
    let pace = dice.pick(&[5_000, 60_000, 20 * 60_000, 3 * 3_600_000]);
    // On a coarse clock events fall on the very edges of windows.
    let grain = dice.pick(&[1, 1, 60_000, 600_000]);
    let depth = dice.pick(&[6, 40]);
    let users = dice.pick(&[1, 2]);
    // Events of others, of which there may be very many, come between.
    let others = dice.pick(&[1, 1, 1 << 19]);
    let mut open: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    let mut past: Vec<Observation> = Vec::new();
    let mut out = Vec::new();
    for seq in 0..steps as u64 {
        if dice.percent(trouble.settled) && !open.is_empty() {
            let place = dice.below(open.len() as u64) as usize;
            let (user, reference) = open[place].clone();
            let status = dice.pick(&Status::ALL);
            if !matches!(status, Status::Pending | Status::Challenged) {
                open.swap_remove(place);
            }
            out.push(Step::Settle { user, reference, status });
        }
        // Same-time events are frequent, and long pauses happen.
        now += match dice.below(10) {
            0..=2 => 0,
            3 => dice.below(20 * pace) as i64,
            _ => dice.below(pace) as i64,
        };
        let time = if dice.percent(trouble.late) { now - dice.below(depth * pace) as i64 } else { now };
        let seq = (seq + 1) * others;
        let event = random_event(dice, seq, time - time.rem_euclid(grain), users, trouble);
        open.push((event.user.clone(), event.reference.clone()));
        if dice.percent(trouble.repeated) && !past.is_empty() {
            let back = dice.below(past.len().min(8) as u64) as usize;
            let again = past[past.len() - 1 - back].clone();
            out.push(Step::Observe(Box::new(Observation { seq, ..again })));
        } else {
            past.push(event.clone());
            out.push(Step::Observe(Box::new(event)));
        }
    }
    out
}

fn random_event(dice: &mut Dice, seq: u64, time_ms: i64, users: u64, trouble: Trouble) -> Observation {
    let kind = match dice.below(10) {
        0..=3 => LOGIN,
        4..=6 => PAY,
        7 => EventKind::ChallengeIssued,
        8 => EventKind::ChallengeSucceeded,
        _ => dice.pick(&[EventKind::ChallengeDeclined, EventKind::ChallengeExpired]),
    };
    let time = Timestamp::from_millisecond(time_ms).expect("in range");
    let user: Arc<str> = format!("u{}", dice.below(users)).into();
    let currency = if trouble.unknown && dice.percent(5) { Currency::parse("USD").expect("a currency") } else { eur() };
    let sometimes = |dice: &mut Dice, percent: u64, value: Value| {
        if dice.percent(percent) {
            Maybe::Unknown(if trouble.unknown && dice.percent(30) { Why::LookupFailed } else { Why::Absent })
        } else {
            Maybe::Known(value)
        }
    };
    let amount = match dice.below(20) {
        0 if trouble.negative => -(dice.below(300) as i128),
        1 | 2 => 0,
        _ => dice.below(700) as i128,
    };
    let fields = vec![
        Maybe::Known(Value::User(user.clone())),
        {
            let network = if dice.percent(10) { "2001:db8::" } else { "198.51.100." };
            let ip = Value::Ip(format!("{network}{}", dice.below(3)).parse().expect("an address"));
            sometimes(dice, 8, ip)
        },
        sometimes(dice, 3, Value::Money(Money { minor: amount, currency })),
        {
            let records = dice.below(12) as i64;
            sometimes(dice, 2, Value::Int(records))
        },
        {
            // Now and then one that is longer than those before it, or too long for a log.
            let length = if dice.percent(5) { dice.pick(&[10, 20, 37, 38, 60]) } else { 1 };
            let payee = format!("{}{}", "p".repeat(length), dice.below(12));
            sometimes(dice, 10, Value::Text(payee.into()))
        },
        {
            let rate =
                Decimal::new(dice.below(900) as i64 - if trouble.negative { 100 } else { 0 }, dice.below(4) as u32);
            sometimes(dice, 2, Value::Decimal(rate))
        },
        {
            let device = format!("d{}", dice.below(4));
            sometimes(dice, 10, Value::Device(device.into()))
        },
        Maybe::Known(Value::Duration(dice.below(2_000) as i64)),
    ];
    let doubt = if trouble.unknown { 25 } else { 0 };
    let own = if dice.percent(doubt) { Tri::Unknown } else { Tri::from(dice.percent(60)) };
    let abroad = if dice.percent(doubt) { Tri::Unknown } else { Tri::from(dice.percent(60)) };
    let filters = vec![
        Status::ALL.map(|status| Tri::from(status.completed())),
        [Tri::from(dice.percent(50)); 7],
        [own; 7],
        Status::ALL.map(|status| Tri::from(status == Status::Blocked).and(abroad)),
    ];
    let fix = GeoFix {
        country: engine::codes::Country::parse("NZ").expect("a country"),
        region: None,
        city: None,
        lat: dice.below(90) as f64,
        lon: 0.0,
        radius_km: 10.0,
        time_zone: None,
        precision: Precision::City,
        source: "test".into(),
        digest: "00".into(),
    };
    let geo = if dice.percent(70) { Maybe::Known(Arc::new(fix)) } else { Maybe::Unknown(Why::Absent) };
    Observation {
        seq,
        time,
        future: dice.percent(1),
        kind,
        user,
        status: if dice.percent(70) { Status::Pending } else { dice.pick(&Status::ALL) },
        fields,
        filters,
        zones: vec![if dice.percent(97) {
            Maybe::Known(dice.pick(&["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia"]).into())
        } else {
            Maybe::Known("Mars/Olympus".into())
        }],
        snapshot: Snapshot { geo, ..Snapshot::at(time) },
        reference: format!("r{seq}").into(),
    }
}

pub fn limits() -> Limits {
    Limits { retention_ms: 40 * DAY, ..Limits::default() }
}

/// An event with nothing but a user, a time in milliseconds and a kind.
pub fn plain(seq: u64, time_ms: i64, user: &str) -> Observation {
    let absent = Maybe::Unknown(Why::Absent);
    let mut fields = vec![absent; 8];
    fields[0] = Maybe::Known(Value::User(user.into()));
    let time = Timestamp::from_millisecond(time_ms).expect("in range");
    Observation {
        seq,
        time,
        future: false,
        kind: LOGIN,
        user: user.into(),
        status: Status::Pending,
        fields,
        filters: vec![
            Status::ALL.map(|status| Tri::from(status.completed())),
            [Tri::True; 7],
            [Tri::True; 7],
            Status::ALL.map(|status| Tri::from(status == Status::Blocked)),
        ],
        zones: vec![Maybe::Known("UTC".into())],
        snapshot: Snapshot::at(time),
        reference: format!("r{seq}").into(),
    }
}

pub fn with(mut event: Observation, field: FieldRef, value: Value) -> Observation {
    event.fields[usize::from(field.0)] = Maybe::Known(value);
    event
}
