//! The definition of history: everything is kept, and every answer is computed from all of it.
//!
//! Slow on purpose, and read top to bottom beside `docs/language` §6. The bounded windows of
//! [`History`](super::History) must never contradict it.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{
    calendar,
    estimate::{Cell, Sample},
    limits::Limits,
    number::{self, Finer, Number},
    observation::{Observation, Observed, Settled, Snapshot, in_flight},
    plan::{EventKind, FieldRef, Function, HistoryPlan, SeenKind, SeenSpec, Unit, Window, WindowSpec},
};
use crate::{
    interval::Interval,
    maybe::{Maybe, Why},
    status::Status,
    tri::Tri,
    value::{Currency, Value},
};

/// The full history of a tenant.
#[derive(Clone, Debug)]
pub struct Reference {
    plan: Arc<HistoryPlan>,
    retention: SignedDuration,
    /// In the total order: (event time, seq).
    events: Vec<Observation>,
}

/// An answer to an aggregate.
type Answer = Maybe<Interval<Value>>;

impl Reference {
    /// An empty history. Of the limits only the retention matters here.
    pub fn new(plan: Arc<HistoryPlan>, limits: &Limits) -> Reference {
        Reference { plan, retention: SignedDuration::from_millis(limits.retention_ms), events: Vec::new() }
    }

    /// Appends the event and answers what the plan asks about its past.
    pub fn observe(&mut self, observation: Observation) -> Observed {
        let observed = self.peek(&observation);
        if !observed.duplicate {
            let place = self.events.partition_point(|event| order(event) < order(&observation));
            self.events.insert(place, observation);
        }
        observed
    }

    /// Answers as [`Reference::observe`] would, and keeps nothing.
    pub fn peek(&self, observation: &Observation) -> Observed {
        let first_try = self.events.iter().find(|event| same_event(event, observation));
        let this = first_try.unwrap_or(observation);
        let earlier: Vec<&Observation> = self.events.iter().filter(|event| order(event) < order(this)).collect();
        let answers: Vec<(Answer, Option<Timestamp>)> = (self.plan.windows.iter().enumerate())
            .map(|(slot, spec)| {
                if self.asks(this, |asked| asked.windows.contains(&slot)) {
                    self.aggregate(spec, this, &earlier)
                } else {
                    (Maybe::Unknown(Why::Absent), None)
                }
            })
            .collect();
        let (windows, starts) = answers.into_iter().unzip();
        let seen = (self.plan.seen.iter().enumerate())
            .map(|(slot, spec)| {
                if self.asks(this, |asked| asked.seen.contains(&slot)) {
                    self.appearances(spec, this, &earlier)
                } else {
                    Maybe::Unknown(Why::Absent)
                }
            })
            .collect();
        Observed {
            windows,
            starts,
            seen,
            last_verified: self.newest_of_user(this, &earlier, |event| event.status == Status::Verified),
            previous: self.newest_of_user(this, &earlier, |event| {
                event.status != Status::Blocked && event.snapshot.geo.known().is_some()
            }),
            future: this.future,
            duplicate: first_try.is_some(),
        }
    }

    /// Changes the status of an event in flight.
    pub fn settle(&mut self, user: &str, reference: &str, status: Status) -> Settled {
        let found = self.events.iter_mut().find(|event| *event.user == *user && *event.reference == *reference);
        match found {
            None => Settled::NotInFlight,
            Some(event) if !in_flight(event.status) => Settled::AlreadyFinal,
            Some(event) => {
                event.status = status;
                Settled::Changed
            }
        }
    }

    fn asks(&self, this: &Observation, of: impl Fn(&super::plan::Asked) -> bool) -> bool {
        match this.kind {
            EventKind::Action(id) => self.plan.asked.get(usize::from(id.0)).is_none_or(of),
            EventKind::ChallengeIssued
            | EventKind::ChallengeSucceeded
            | EventKind::ChallengeDeclined
            | EventKind::ChallengeExpired => true,
        }
    }

    fn aggregate(
        &self,
        spec: &WindowSpec,
        this: &Observation,
        earlier: &[&Observation],
    ) -> (Answer, Option<Timestamp>) {
        if let Some(why) = missing_key(this, &spec.keys) {
            return (Maybe::Unknown(why), None);
        }
        let related: Vec<&Observation> =
            earlier.iter().copied().filter(|event| agree(event, this, &spec.keys)).collect();
        let start = match self.start(spec.window, this, &related) {
            Ok(start) => start,
            Err(why) => return (Maybe::Unknown(why), None),
        };
        let mut inside: Vec<&Observation> = related.into_iter().filter(|event| start.before(event)).collect();
        if spec.including_this {
            inside.push(this);
        }
        inside.retain(|event| event.kind == spec.event);
        let in_window: Vec<(Tri, &Observation)> = inside
            .into_iter()
            .map(|event| (passes(event, spec), event))
            .filter(|(passes, _)| !passes.is_false())
            .collect();
        let answer = match spec.function {
            Function::Count => count(&in_window),
            Function::CountDistinct(field) => count_distinct(&in_window, field),
            Function::Sum(field)
            | Function::Avg(field)
            | Function::Min(field)
            | Function::Max(field)
            | Function::Stddev(field)
            | Function::P95(field) => numeric(spec, field, this, &in_window),
        };
        (answer, start.timestamp())
    }

    /// Where the window of `this` starts. `related` are the earlier events with the same keys.
    fn start(&self, window: Window, this: &Observation, related: &[&Observation]) -> Result<Start, Why> {
        let after = |width: SignedDuration| this.time.checked_sub(width).map_or(Start::Everything, Start::After);
        let retained = after(self.retention);
        let start = match window {
            Window::Sliding(ms) => after(SignedDuration::from_millis(ms)),
            Window::Tumbling(ms) => {
                let micros = this.time.as_microsecond();
                let start = micros - micros.rem_euclid(ms.max(1).saturating_mul(1_000));
                Timestamp::from_microsecond(start).map_or(Start::Everything, Start::At)
            }
            Window::Calendar { unit, zone } => {
                let name = this.zones.get(usize::from(zone.0)).map_or(Maybe::Unknown(Why::Absent), Maybe::as_ref);
                let name = match name {
                    Maybe::Known(name) => name,
                    Maybe::Unknown(why) => return Err(why),
                };
                let zone = calendar::zone(name).ok_or(Why::LookupFailed)?;
                Start::At(calendar::calendar_start(this.time, unit, &zone).ok_or(Why::Overflow)?)
            }
            Window::Since(kind) => {
                match related.iter().rev().find(|event| event.kind == kind && retained.before(event)) {
                    Some(anchor) => Start::AfterEvent(anchor.time, anchor.seq),
                    None => retained,
                }
            }
            Window::Retained => retained,
        };
        Ok(if retained.micros() >= start.micros() { retained } else { start })
    }

    fn appearances(&self, spec: &SeenSpec, this: &Observation, earlier: &[&Observation]) -> Answer {
        let fields: Vec<FieldRef> = spec.keys.iter().copied().chain([spec.what]).collect();
        if let Some(why) = missing_key(this, &fields) {
            return Maybe::Unknown(why);
        }
        let is_action = |event: &Observation| matches!(event.kind, EventKind::Action(_));
        let with_it: Vec<&Observation> =
            earlier.iter().copied().filter(|event| is_action(event) && agree(event, this, &fields)).collect();
        let window = spec.within_ms.map_or(Window::Retained, Window::Sliding);
        let start = match self.start(window, this, &[]) {
            Ok(start) => start,
            Err(why) => return Maybe::Unknown(why),
        };
        let inside: Vec<&Observation> = with_it.iter().copied().filter(|event| start.before(event)).collect();
        let found = match spec.kind {
            SeenKind::Times => Some(Value::Int(inside.len() as i64)),
            SeenKind::Last => inside.last().map(|event| Value::Timestamp(event.time)),
            SeenKind::First if spec.within_ms.is_some() => inside.first().map(|event| Value::Timestamp(event.time)),
            // The latest run of events without a gap as long as the retention, which reaches to this event.
            SeenKind::First => {
                let mut first = this.time;
                let run = with_it.iter().rev().take_while(|event| {
                    let close = first.duration_since(event.time) < self.retention;
                    first = event.time;
                    close
                });
                run.last().map(|event| Value::Timestamp(event.time))
            }
        };
        Maybe::from(found).map(Interval::exactly)
    }

    fn newest_of_user(
        &self,
        this: &Observation,
        earlier: &[&Observation],
        wanted: impl Fn(&Observation) -> bool,
    ) -> Maybe<Snapshot> {
        if !self.plan.anchors {
            return Maybe::Unknown(Why::Absent);
        }
        let retained = this.time.checked_sub(self.retention).map_or(Start::Everything, Start::After);
        let newest = earlier.iter().rev().find(|event| {
            event.user == this.user
                && matches!(event.kind, EventKind::Action(_))
                && retained.before(event)
                && wanted(event)
        });
        Maybe::from(newest.map(|event| event.snapshot.clone()))
    }
}

/// The first instant of a window.
#[derive(Clone, Copy)]
enum Start {
    Everything,
    At(Timestamp),
    After(Timestamp),
    AfterEvent(Timestamp, u64),
}

impl Start {
    /// Whether the window's start lies before the event.
    fn before(self, event: &Observation) -> bool {
        match self {
            Start::Everything => true,
            Start::At(time) => event.time >= time,
            Start::After(time) => event.time > time,
            Start::AfterEvent(time, seq) => (event.time, event.seq) > (time, seq),
        }
    }

    fn micros(self) -> i64 {
        match self {
            Start::Everything => i64::MIN,
            Start::At(time) | Start::After(time) | Start::AfterEvent(time, _) => time.as_microsecond(),
        }
    }

    fn timestamp(self) -> Option<Timestamp> {
        match self {
            Start::Everything => None,
            Start::At(time) | Start::After(time) | Start::AfterEvent(time, _) => Some(time),
        }
    }
}

fn order(event: &Observation) -> (Timestamp, u64) {
    (event.time, event.seq)
}

fn same_event(a: &Observation, b: &Observation) -> bool {
    a.user == b.user && a.reference == b.reference
}

fn field_of(event: &Observation, field: FieldRef) -> Maybe<&Value> {
    event.fields.get(usize::from(field.0)).map_or(Maybe::Unknown(Why::Absent), Maybe::as_ref)
}

fn missing_key(event: &Observation, keys: &[FieldRef]) -> Option<Why> {
    keys.iter().find_map(|key| field_of(event, *key).why())
}

fn agree(a: &Observation, b: &Observation, keys: &[FieldRef]) -> bool {
    keys.iter().all(|key| match (field_of(a, *key), field_of(b, *key)) {
        (Maybe::Known(a), Maybe::Known(b)) => a.same(b) == Some(true),
        (Maybe::Known(_) | Maybe::Unknown(_), Maybe::Known(_) | Maybe::Unknown(_)) => false,
    })
}

/// Whether the event passes the filter, by its status of now.
fn passes(event: &Observation, spec: &WindowSpec) -> Tri {
    match spec.filter {
        None => Tri::True,
        Some(filter) => match event.filters.get(usize::from(filter.0)) {
            Some(by_status) => by_status.get(event.status.index()).copied().unwrap_or(Tri::Unknown),
            None => Tri::Unknown,
        },
    }
}

fn whole(lo: usize, hi: usize) -> Answer {
    let (least, most) = (Value::Int(lo as i64), Value::Int(hi as i64));
    Maybe::Known(if lo == hi { Interval::exactly(least) } else { Interval::between(least, most, Why::Absent) })
}

fn count(in_window: &[(Tri, &Observation)]) -> Answer {
    let sure = in_window.iter().filter(|(passes, _)| passes.is_true()).count();
    whole(sure, in_window.len())
}

fn count_distinct(in_window: &[(Tri, &Observation)], field: FieldRef) -> Answer {
    let mut sure: Vec<&Value> = Vec::new();
    let mut perhaps: Vec<&Value> = Vec::new();
    let mut unknown = 0;
    let new_in = |seen: &[&Value], value: &Value| !seen.iter().any(|other| other.same(value) == Some(true));
    for (_, event) in in_window.iter().filter(|(passes, _)| passes.is_true()) {
        match field_of(event, field) {
            Maybe::Known(value) if new_in(&sure, value) => sure.push(value),
            Maybe::Known(_) | Maybe::Unknown(Why::Absent) => {}
            Maybe::Unknown(_) => unknown += 1,
        }
    }
    for (_, event) in in_window.iter().filter(|(passes, _)| passes.is_unknown()) {
        match field_of(event, field) {
            Maybe::Known(value) if new_in(&sure, value) && new_in(&perhaps, value) => perhaps.push(value),
            Maybe::Known(_) | Maybe::Unknown(Why::Absent) => {}
            Maybe::Unknown(_) => unknown += 1,
        }
    }
    whole(sure.len(), sure.len() + perhaps.len() + unknown)
}

fn numeric(spec: &WindowSpec, field: FieldRef, this: &Observation, in_window: &[(Tri, &Observation)]) -> Answer {
    let mut numbers: Vec<(Tri, Number)> = Vec::new();
    for (passes, event) in in_window {
        match field_of(event, field) {
            Maybe::Unknown(Why::Absent) => {}
            Maybe::Unknown(why) => return Maybe::Unknown(why),
            Maybe::Known(value) => match number::number(value, spec.unit) {
                Ok(number) => numbers.push((*passes, number)),
                Err(Why::Absent) => {}
                Err(why) => return Maybe::Unknown(why),
            },
        }
    }
    let currencies: BTreeSet<Currency> = numbers.iter().filter_map(|(_, number)| number.currency).collect();
    if currencies.len() > 1 {
        return Maybe::Unknown(Why::CurrencyMismatch);
    }
    let currency = currencies.first().copied();
    let part = |wanted: Tri| -> Vec<i128> {
        numbers.iter().filter(|(passes, _)| *passes == wanted).map(|(_, number)| number.steps).collect()
    };
    let (mut sure, mut perhaps) = (part(Tri::True), part(Tri::Unknown));
    if spec.distinct {
        let distinct: BTreeSet<i128> = sure.iter().copied().collect();
        let others: BTreeSet<i128> = perhaps.iter().copied().collect();
        perhaps = others.difference(&distinct).copied().collect();
        sure = distinct.into_iter().collect();
    }
    if spec.function == Function::Sum(field) {
        let total = |values: &[i128], sign: i128| values.iter().filter(|v| v.signum() == sign).sum::<i128>();
        let all = total(&sure, 1) + total(&sure, -1);
        let certain = numbers.iter().filter(|(passes, _)| passes.is_true()).find_map(|(_, number)| number.currency);
        let perhaps_currency = currency;
        let currency = certain.or_else(|| currency_of(this, field, spec.unit));
        if perhaps_currency.is_some() && perhaps_currency != currency {
            return Maybe::Unknown(Why::CurrencyMismatch); // nothing, or something in another currency
        }
        if matches!(spec.unit, Unit::Money(_)) && currency.is_none() {
            return Maybe::Unknown(Why::Absent); // nothing in no currency
        }
        return interval(all + total(&perhaps, -1), all + total(&perhaps, 1), |steps| {
            number::value(steps, spec.unit, currency)
        });
    }
    let finer = Finer::than(spec.unit);
    let sample = Sample {
        sure: sure.iter().copied().map(Cell::point).collect(),
        perhaps: perhaps.iter().copied().map(Cell::point).collect(),
        summed: None,
    };
    if !sample.certain() {
        // Only what is certainly not there is absent: `??` must not take the place of what may be there.
        return Maybe::Unknown(if sample.empty() { Why::Absent } else { Why::LowPrecision });
    }
    let own = |steps| number::value(steps, spec.unit, currency);
    let fine = |steps| finer.value(steps, currency);
    let spread = |range: Option<(i128, i128)>, show: &dyn Fn(i128) -> Option<Value>| match range {
        Some((lo, hi)) => interval(lo, hi, show),
        None => Maybe::Unknown(Why::Overflow),
    };
    let everything = || sure.iter().chain(&perhaps).copied();
    match spec.function {
        Function::Min(_) => spread(everything().min().zip(sure.iter().copied().min()), &own),
        Function::Max(_) => spread(sure.iter().copied().max().zip(everything().max()), &own),
        Function::P95(_) => spread(sample.p95(), &own),
        Function::Avg(_) => spread(sample.mean(finer), &fine),
        Function::Stddev(_) => spread(sample.deviation(finer), &fine),
        Function::Count | Function::CountDistinct(_) | Function::Sum(_) => Maybe::Unknown(Why::Absent),
    }
}

/// An empty sum has the currency of what it is compared with, or else of the event being judged.
fn currency_of(this: &Observation, field: FieldRef, unit: Unit) -> Option<Currency> {
    match unit {
        Unit::Money(Some(currency)) => Some(currency),
        Unit::Money(None)
        | Unit::Int
        | Unit::Decimal
        | Unit::Percent
        | Unit::Duration
        | Unit::Timestamp
        | Unit::Speed
        | Unit::Distance => field_of(this, field).known().and_then(|value| number::number(value, unit).ok())?.currency,
    }
}

fn interval(lo: i128, hi: i128, show: impl Fn(i128) -> Option<Value>) -> Answer {
    match (show(lo), show(hi)) {
        (Some(least), Some(_)) if lo == hi => Maybe::Known(Interval::exactly(least)),
        (Some(least), Some(most)) => Maybe::Known(Interval::between(least, most, Why::Absent)),
        (Some(_) | None, Some(_) | None) => Maybe::Unknown(Why::Overflow),
    }
}
