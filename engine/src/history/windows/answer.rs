//! From a structure to an answer.

use jiff::Timestamp;
use smallvec::SmallVec;

use super::{
    super::{
        atom, calendar,
        estimate::Sample,
        number::{self, Finer, Number},
        observation::Observation,
        plan::{Bound, Function, SeenKind, SeenSpec, Unit, Window, WindowSpec},
        position::{Gaps, Lost, Position, Reach},
    },
    amounts::Sum,
    extremes::Extreme,
    layout::{Keep, TrackPlan},
    times::First,
    track::{Brought, Content, Kept, Track},
    values::Distinct,
};
use crate::{
    interval::Interval,
    maybe::{Maybe, Why},
    status::Status,
    tri::Tri,
    value::{Currency, Value},
};

/// An answer, or why there is none.
type Answer = Result<Interval<Value>, Why>;

/// A structure, and what may be missing from it.
#[derive(Clone, Copy)]
pub(super) struct Held<'a> {
    pub track: &'a Track,
    pub gaps: Gaps<'a>,
}

/// What is known of the anchors of a `since` window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anchor {
    /// The newest one in reach.
    pub newest: Option<Position>,
    /// Up to where there may be others.
    pub missing: Lost,
    /// Why there may be others in reach.
    pub gap: Option<Why>,
}

impl Anchor {
    pub fn of(newest: Option<Position>, gaps: Gaps<'_>, reach: &Reach) -> Anchor {
        Anchor { newest, missing: gaps.newest(), gap: gaps.affect(reach) }
    }
}

/// The event being judged, as far as readings need it.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub event: &'a Observation,
    pub at: Position,
    pub status: Status,
    /// In microseconds.
    pub retention: i64,
}

/// Where a window starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub position: Position,
    /// As it is logged, in microseconds.
    pub time: Option<i64>,
    /// The anchor of a `since` window may lie in what is missing: then the window starts at `position` or later, but
    /// no later than this.
    pub at_latest: Option<(Position, Why)>,
}

impl Held<'_> {
    /// The newest of the events of a structure that holds anchors.
    pub fn anchor(&self, reach: &Reach) -> Option<Anchor> {
        let Kept::Times(times) = &self.track.kept else { return None };
        Some(Anchor::of(times.newest(reach), self.gaps, reach))
    }
}

impl Asking<'_> {
    /// Where the window starts. For a `since` window, `anchor` says which of its anchors is the newest in reach, and what may
    /// be missing of them.
    pub fn start(&self, window: Window, anchor: impl FnOnce(&Reach) -> Option<Anchor>) -> Result<Start, Why> {
        let at = |position: Position, time: Option<i64>| Start { position, time, at_latest: None };
        let before = |micros: i64| self.at.at.checked_sub(micros);
        let retained_from = Position::opening(self.at.at.saturating_sub(self.retention).saturating_add(1));
        let retained = || at(retained_from, before(self.retention));
        let position = match window {
            Window::Sliding(ms) => calendar::sliding_start(self.at, ms),
            Window::Tumbling(ms) => calendar::tumbling_start(self.at, ms),
            Window::Calendar { unit, zone } => {
                let name = match self.event.zones.get(usize::from(zone.0)) {
                    Some(Maybe::Known(name)) => name,
                    Some(Maybe::Unknown(why)) => return Err(*why),
                    None => return Err(Why::Absent),
                };
                let zone = calendar::zone(name).ok_or(Why::LookupFailed)?;
                let time = Timestamp::from_microsecond(self.at.at).map_err(|_| Why::Overflow)?;
                let start = calendar::calendar_start(time, unit, &zone).ok_or(Why::Overflow)?;
                Position::opening(start.as_microsecond())
            }
            Window::Since(_) => return self.since(anchor, retained()),
            Window::Retained => retained_from,
        };
        if retained_from >= position {
            return Ok(retained());
        }
        let time = match window {
            Window::Sliding(ms) => before(ms.max(0).saturating_mul(1_000)),
            Window::Tumbling(_) | Window::Calendar { .. } | Window::Since(_) | Window::Retained => Some(position.at),
        };
        Ok(at(position, time))
    }

    /// Where a `since` window starts: after the newest anchor, or else with the retained past.
    fn since(&self, anchor: impl FnOnce(&Reach) -> Option<Anchor>, retained: Start) -> Result<Start, Why> {
        let reach = &Reach { start: retained.position, end: self.at };
        let Anchor { newest: found, missing, gap } = anchor(reach).ok_or(Why::Absent)?;
        // A missing anchor could only be newer than the one found if it is late, or this event is.
        let uncertain = gap.filter(|_| found.is_none_or(|found| found <= missing.upto));
        let start = match found {
            Some(found) => Start { position: found.next(), time: Some(found.at), at_latest: None },
            None => retained,
        };
        Ok(match uncertain {
            Some(why) => Start { time: None, at_latest: Some((missing.upto.next().min(self.at), why)), ..start },
            None => start,
        })
    }

    /// Answers a window from its structure. `this` is the event being judged, where it takes part.
    pub fn aggregate(
        &self,
        spec: &WindowSpec,
        plan: &TrackPlan,
        held: &Held<'_>,
        start: &Start,
        this: Option<&Brought<'_>>,
    ) -> Maybe<Interval<Value>> {
        let this = this.map(|brought| (brought, self.status));
        self.between(spec, start, |reach| self.over(spec, plan, held, reach, this))
    }

    /// Answers a window of which the start may be uncertain, by what is said over a certain reach.
    pub fn between(
        &self,
        spec: &WindowSpec,
        start: &Start,
        over: impl Fn(&Reach) -> Maybe<Interval<Value>>,
    ) -> Maybe<Interval<Value>> {
        let reach = &Reach { start: start.position, end: self.at };
        let Some((latest, why)) = start.at_latest else { return over(reach) };
        // From its least over the shortest window to its most over the longest, where more events never mean less.
        let shortest = &Reach { start: latest.max(reach.start), ..*reach };
        match spec.function {
            Function::Count | Function::CountDistinct(_) => match (over(shortest), over(reach)) {
                (Maybe::Known(least), Maybe::Known(most)) => {
                    let why = if least.lo == most.hi { None } else { Some(why) };
                    Maybe::Known(Interval { lo: least.lo, hi: most.hi, why })
                }
                (Maybe::Unknown(why), _) | (_, Maybe::Unknown(why)) => Maybe::Unknown(why),
            },
            Function::Sum(_)
            | Function::Avg(_)
            | Function::Min(_)
            | Function::Max(_)
            | Function::Stddev(_)
            | Function::P95(_) => Maybe::Unknown(why),
        }
    }

    fn over(
        &self,
        spec: &WindowSpec,
        plan: &TrackPlan,
        held: &Held<'_>,
        reach: &Reach,
        this: Option<(&Brought<'_>, Status)>,
    ) -> Maybe<Interval<Value>> {
        let loose = held.track.loose(reach, this);
        match &held.track.kept {
            Kept::Times(times) => {
                let (sure, perhaps) = loose.fold(times.count(reach), |(sure, perhaps), (_, passes)| match passes {
                    Tri::True => (sure + 1, perhaps),
                    Tri::False | Tri::Unknown => (sure, perhaps + 1),
                });
                known(counted(sure, (perhaps, Why::Absent), held.gaps.affect(reach), spec.bound).map(whole))
            }
            Kept::Values(values) => {
                let loose = loose.map(|(content, passes)| match content {
                    Content::Value(atom) => (Some(atom), passes),
                    Content::Event | Content::Number(_) | Content::Unknown(_) => (None, passes),
                });
                let Distinct { sure, perhaps, why } = values.count(reach, loose);
                known(counted(sure, (perhaps, why), held.gaps.affect(reach), spec.bound).map(whole))
            }
            Kept::Amounts(amounts) => {
                let mut numbers: SmallVec<[(Number, Tri); 2]> = SmallVec::new();
                for (content, passes) in loose {
                    match number_of(content) {
                        Ok(number) => numbers.push((*number, passes)),
                        Err(why) => return Maybe::Unknown(why),
                    }
                }
                let room = plan.keep.room(plan.what);
                match spec.function {
                    Function::Sum(_) | Function::Count => match amounts.sum(reach, &numbers, room, held.gaps) {
                        Ok(sum) => known(self.summed(spec, sum)),
                        Err(why) => Maybe::Unknown(why),
                    },
                    Function::Avg(_)
                    | Function::Stddev(_)
                    | Function::P95(_)
                    | Function::Min(_)
                    | Function::Max(_)
                    | Function::CountDistinct(_) => {
                        let for_mean = matches!(spec.function, Function::Avg(_));
                        let sample = amounts.sample(reach, &numbers, room, for_mean, held.gaps);
                        known(sample.and_then(|(sample, currency)| described(spec, &sample, currency)))
                    }
                }
            }
            Kept::Extremes(extremes) => {
                let loose = loose.map(|(content, passes)| (number_of(content).copied(), passes));
                known(extremes.find(reach, loose, held.gaps).and_then(|extreme| extremal(spec, extreme)))
            }
            Kept::Appearances(_) => Maybe::Unknown(Why::Absent), // no window asks for them
        }
    }

    /// A sum as an answer: beyond the largest constant it is compared with, nothing more is said than that.
    pub fn summed(&self, spec: &WindowSpec, sum: Sum) -> Answer {
        let Sum { mut lo, mut hi, mut why, currency, perhaps_currency } = sum;
        if let Bound::AtMost(most) = spec.bound {
            if lo > most {
                (lo, hi, why) = (most + 1, None, Some(Why::Saturated));
            } else if hi.is_some_and(|hi| hi > most) {
                (hi, why) = (None, why.or(Some(Why::Saturated)));
            }
        }
        let currency = currency.or_else(|| match spec.unit {
            Unit::Money(Some(currency)) => Some(currency),
            Unit::Money(None)
            | Unit::Int
            | Unit::Decimal
            | Unit::Percent
            | Unit::Duration
            | Unit::Timestamp
            | Unit::Speed
            | Unit::Distance => {
                let own = atom::field(&self.event.fields, spec.function.field()?).known().copied()?;
                number::number(own, spec.unit).ok()?.currency
            }
        });
        if perhaps_currency.is_some() && perhaps_currency != currency {
            return Err(Why::CurrencyMismatch); // nothing, or something in another currency
        }
        if matches!(spec.unit, Unit::Money(_)) && currency.is_none() {
            // Nothing, in no currency; or something of which we do not know even the currency.
            return Err(sum.why.filter(|_| sum.hi.is_none()).unwrap_or(Why::Absent));
        }
        let least = number::value(lo, spec.unit, currency).ok_or(Why::Overflow)?;
        match hi {
            Some(hi) if hi == lo => Ok(Interval::exactly(least)),
            Some(hi) => {
                let most = number::value(hi, spec.unit, currency).ok_or(Why::Overflow)?;
                Ok(Interval::between(least, most, why.unwrap_or(Why::Absent)))
            }
            None => Ok(Interval::at_least(least, why.unwrap_or(Why::Saturated))),
        }
    }

    /// Answers a question about earlier appearances.
    pub fn appearance(&self, spec: &SeenSpec, plan: &TrackPlan, Held { track, gaps }: &Held<'_>) -> Answer {
        let Kept::Appearances(appearances) = &track.kept else { return Err(Why::Absent) };
        let (times, run) = &**appearances;
        let window = spec.within_ms.map_or(Window::Retained, Window::Sliding);
        let start = self.start(window, |_| None)?;
        let reach = &Reach { start: start.position, end: self.at };
        let gap = gaps.affect(reach);
        let moment = |at: Position| Timestamp::from_microsecond(at.at).map(Value::Timestamp).map_err(|_| Why::Overflow);
        match spec.kind {
            SeenKind::Times => {
                let (sure, perhaps) = times.count(reach);
                counted(sure, (perhaps, Why::Absent), gap, spec.bound).map(whole)
            }
            SeenKind::Last => match (times.newest(reach), gap) {
                (Some(newest), Some(why)) if gaps.newest().upto >= newest => {
                    let latest = gaps.newest().upto.min(self.at);
                    Ok(Interval::between(moment(newest)?, moment(latest)?, why))
                }
                (Some(newest), _) => Ok(Interval::exactly(moment(newest)?)),
                (None, Some(why)) => Err(why),
                (None, None) => Err(Why::Absent),
            },
            SeenKind::First if spec.within_ms.is_some() => match (times.oldest(reach), gap) {
                (Some(oldest), Some(why)) => Ok(Interval::between(moment(reach.start)?, moment(oldest)?, why)),
                (Some(oldest), None) => Ok(Interval::exactly(moment(oldest)?)),
                (None, Some(why)) => Err(why),
                (None, None) => Err(Why::Absent),
            },
            SeenKind::First => match run.first(self.at, plan.span) {
                First::Never => Err(Why::Absent),
                First::At(first) => Ok(Interval::exactly(moment(first)?)),
                First::AtOrBefore(first, why) => Ok(Interval::at_most(moment(first)?, why)),
                First::Unknown(why) => Err(why),
            },
        }
    }
}

pub(super) fn known(answer: Answer) -> Maybe<Interval<Value>> {
    answer.map_or_else(Maybe::Unknown, Maybe::Known)
}

/// A mean, deviation or percentile as an answer.
pub(super) fn described(spec: &WindowSpec, sample: &Sample, currency: Option<Currency>) -> Answer {
    if !sample.certain() {
        return Err(if sample.empty() { Why::Absent } else { Why::LowPrecision });
    }
    let finer = Finer::than(spec.unit);
    let (range, show): (_, &dyn Fn(i128) -> Option<Value>) = match spec.function {
        Function::P95(_) => (sample.p95(), &|steps| number::value(steps, spec.unit, currency)),
        Function::Stddev(_) => (sample.deviation(finer), &|steps| finer.value(steps, currency)),
        _ => (sample.mean(finer), &|steps| finer.value(steps, currency)),
    };
    let (lo, hi) = range.ok_or(Why::Overflow)?;
    let (least, most) = (show(lo).ok_or(Why::Overflow)?, show(hi).ok_or(Why::Overflow)?);
    // Wide because of events that may not be in the window, or else of summaries of many.
    let uncertain = sample.perhaps.iter().any(|cell| cell.count > 0);
    let why = if uncertain { Why::Absent } else { Why::Saturated };
    Ok(if lo == hi { Interval::exactly(least) } else { Interval::between(least, most, why) })
}

/// The least or the greatest value as an answer.
pub(super) fn extremal(spec: &WindowSpec, extreme: Option<Extreme>) -> Answer {
    let Extreme { lo, hi, why, currency } = extreme.ok_or(Why::Absent)?;
    let end = |steps: Option<i128>| match steps {
        Some(steps) => number::value(steps, spec.unit, currency).map(Some).ok_or(Why::Overflow),
        None => Ok(None),
    };
    Ok(Interval { lo: end(lo)?, hi: end(hi)?, why })
}

/// A count as an answer: beyond the largest constant it is compared with, nothing more is said than that. There may be more of
/// them, and why.
pub(super) fn counted(
    sure: u64,
    (perhaps, open): (u64, Why),
    gap: Option<Why>,
    bound: Bound,
) -> Result<Interval<i64>, Why> {
    let whole = |count: u64| i64::try_from(count).map_err(|_| Why::Overflow);
    let beyond = |count: u64| matches!(bound, Bound::AtMost(most) if i128::from(count) > most.max(0));
    if let Bound::AtMost(most) = bound
        && beyond(sure)
    {
        let past = u64::try_from(most.max(0)).unwrap_or(u64::MAX).saturating_add(1);
        return Ok(Interval::at_least(whole(past)?, Why::Saturated));
    }
    let most = sure.saturating_add(perhaps);
    match gap {
        Some(why) => Ok(Interval::at_least(whole(sure)?, why)),
        None if perhaps == 0 => Ok(Interval::exactly(whole(sure)?)),
        None if beyond(most) => Ok(Interval::at_least(whole(sure)?, open)),
        None => Ok(Interval::between(whole(sure)?, whole(most)?, open)),
    }
}

pub(super) fn whole(count: Interval<i64>) -> Interval<Value> {
    count.map(Value::Int)
}

fn number_of(content: &Content) -> Result<&Number, Why> {
    match content {
        Content::Number(number) => Ok(number),
        Content::Unknown(why) => Err(*why),
        Content::Event | Content::Value(_) => Err(Why::Absent),
    }
}

/// Whether a wider threshold would keep more than this one does: then what was kept for this one cannot serve it.
pub(super) fn serves(kept: Keep, wanted: Keep) -> bool {
    let bound = match (kept.bound, wanted.bound) {
        (Bound::Unbounded, _) => true,
        (Bound::AtMost(kept), Bound::AtMost(wanted)) => kept >= wanted,
        (Bound::AtMost(_), Bound::Unbounded) => false,
    };
    bound && kept.entries >= wanted.entries
}
