//! What a compiled pack asks of history: which events to keep, by which keys, and for how long.
//!
//! The compiler fills a [`HistoryPlan`] through its `intern_*` methods; two expressions that ask for the same
//! aggregate get the same slot, so they share one structure and one answer. Slots are positions: the evaluator
//! fills `Observation::fields[slot]`, and reads the answer to window `n` in `Observed::windows[n]`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::value::Value;

/// The action an event is about: a position in [`HistoryPlan::actions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId(pub u16);

/// A path the pack reads from past events: a position in [`HistoryPlan::fields`] and in `Observation::fields`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FieldRef(pub u16);

/// A `where (…)` clause: a position in [`HistoryPlan::filters`] and in `Observation::filters`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FilterId(pub u16);

/// A zone expression of a calendar window: a position in [`HistoryPlan::zones`] and in `Observation::zones`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ZoneRef(pub u16);

/// What can happen in history: an action, or a step in the life of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventKind {
    /// A tracked action.
    Action(EventId),
    /// `challenge.issued`
    ChallengeIssued,
    /// `challenge.succeeded`
    ChallengeSucceeded,
    /// `challenge.declined`
    ChallengeDeclined,
    /// `challenge.expired`
    ChallengeExpired,
}

/// The unit of a `calendar` window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CalendarUnit {
    /// From the last full hour on the local clock.
    Hour,
    /// From local midnight (or the first instant after it, where a clock change skips midnight).
    Day,
    /// From Monday, as in ISO 8601.
    Week,
    /// From the first of the month.
    Month,
}

/// Which part of the past an aggregate looks at. Each window ends at the event being judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Window {
    /// `over 1h`: events in `(t − w, t]`, in milliseconds, exact.
    Sliding(i64),
    /// `over tumbling 1h`: from the last multiple of the width since 1970-01-01T00:00:00Z, in milliseconds.
    Tumbling(i64),
    /// `over calendar day in zone`: from the start of the unit in the zone of the event being judged.
    Calendar {
        /// Hour, day, week or month.
        unit: CalendarUnit,
        /// Where the zone's name stands in `Observation::zones`.
        zone: ZoneRef,
    },
    /// `since event`: after the newest such event with the same keys; without one, all retained history.
    Since(EventKind),
    /// All retained history.
    Retained,
}

/// What is computed over the events of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Function {
    /// `count()`: how many events.
    Count,
    /// `count(distinct x)`: how many different values; events without the field are skipped.
    CountDistinct(FieldRef),
    /// `sum(x)`; events without the field are skipped, and the sum of none is zero.
    Sum(FieldRef),
    /// `avg(x)`: the mean, rounded half to even ([`Unit`] says to what); of none it is absent.
    Avg(FieldRef),
    /// `min(x)`; of none it is absent.
    Min(FieldRef),
    /// `max(x)`; of none it is absent.
    Max(FieldRef),
    /// `stddev(x)`: of the population, rounded half to even; of none it is absent.
    Stddev(FieldRef),
    /// `p95(x)`: the nearest-rank 95th percentile, the ⌈0.95·n⌉-th smallest value; of none it is absent.
    P95(FieldRef),
}

impl Function {
    /// The field the function reads; `count()` reads none.
    pub fn field(self) -> Option<FieldRef> {
        match self {
            Function::Count => None,
            Function::CountDistinct(field)
            | Function::Sum(field)
            | Function::Avg(field)
            | Function::Min(field)
            | Function::Max(field)
            | Function::Stddev(field)
            | Function::P95(field) => Some(field),
        }
    }
}

/// The unit of the aggregated field, which is also the unit of [`Bound`].
///
/// Numbers are held as whole multiples of one step, so that sums are exact: an integer's step is 1, a money's is
/// its currency's minor unit, a duration's is a millisecond, a timestamp's a microsecond, and every decimal's
/// (decimal, percent, speed, distance) is 10⁻¹². A value with more decimals, or above 10³⁰ steps, makes the
/// aggregate unknown (`overflow`). Means and deviations are rounded to the step; those of integers are decimals
/// rounded to 10⁻⁹.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Unit {
    /// Whole numbers, and the unit of both counts.
    Int,
    /// Fixed-point decimals.
    Decimal,
    /// Percentages.
    Percent,
    /// Amounts of money. The currency, where the compiler knows what the result is compared with, is the currency
    /// of an empty sum; without it an empty sum takes the currency of the event being judged.
    Money(Option<crate::value::Currency>),
    /// Milliseconds.
    Duration,
    /// Instants (only `min` and `max` make sense).
    Timestamp,
    /// Kilometres per hour.
    Speed,
    /// Kilometres.
    Distance,
}

/// The largest constant an aggregate is compared with: history keeps no more than what can change that comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Bound {
    /// Compared with nothing above this many steps of the [`Unit`]. A result above it is reported as
    /// `[bound + 1, ∞)`.
    AtMost(i128),
    /// Compared with something not known at compile time: kept as exactly as the limits allow.
    Unbounded,
}

impl Bound {
    /// The bound that keeps every comparison with `constant` exact, for an aggregate in this unit (`Int` for both
    /// counts and `times_seen`); fractions are rounded up. A constant that is not of the unit, or is out of range,
    /// needs everything.
    pub fn for_constant(constant: &Value, unit: Unit) -> Bound {
        super::number::steps_rounded_up(constant, unit).map_or(Bound::Unbounded, Bound::AtMost)
    }

    /// Whether a result of so many steps is not above it.
    #[inline]
    pub(super) fn reaches(self, steps: i128) -> bool {
        match self {
            Bound::AtMost(most) => steps <= most,
            Bound::Unbounded => true,
        }
    }

    /// The bound that serves both.
    pub fn max(self, other: Bound) -> Bound {
        match (self, other) {
            (Bound::AtMost(a), Bound::AtMost(b)) => Bound::AtMost(a.max(b)),
            (Bound::Unbounded, Bound::AtMost(_) | Bound::Unbounded) | (Bound::AtMost(_), Bound::Unbounded) => {
                Bound::Unbounded
            }
        }
    }
}

/// One aggregate: `function of event where (filter) by keys over window [including this]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WindowSpec {
    /// Which events.
    pub event: EventKind,
    /// Which of them; all of them without a filter.
    pub filter: Option<FilterId>,
    /// Only events that agree with the one being judged on all of these. An event that lacks one of them is
    /// counted under no key, and asking on such an event gives unknown.
    pub keys: Vec<FieldRef>,
    /// What is computed.
    pub function: Function,
    /// `distinct` on a numeric function: equal values of the field are taken once. Implied by `CountDistinct`,
    /// without effect on `Count`, `Min` and `Max`.
    pub distinct: bool,
    /// The unit of the aggregated field; `Int` for both counts.
    pub unit: Unit,
    /// Over which part of the past.
    pub window: Window,
    /// Whether the event being judged takes part, if it is of this kind and passes the filter.
    pub including_this: bool,
    /// The largest constant the result is compared with.
    pub bound: Bound,
}

/// What is asked about a value's earlier appearances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SeenKind {
    /// `first_seen(x)`: the time of the first event with it; absent if there is none. Without `within` it is the
    /// start of the latest run of events without a gap as long as the retention.
    First,
    /// `last_seen(x)`: the time of the newest earlier event with it; absent if there is none.
    Last,
    /// `times_seen(x)`: how many earlier events had it.
    Times,
}

/// `first_seen|last_seen|times_seen(what) by keys [within …]`, over earlier actions of any kind and status.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeenSpec {
    /// First, last or how often.
    pub kind: SeenKind,
    /// The value that is looked for.
    pub what: FieldRef,
    /// Only events that agree on all of these.
    pub keys: Vec<FieldRef>,
    /// Only events in `(t − within, t]`, in milliseconds; without it, all retained history.
    pub within_ms: Option<i64>,
    /// The largest constant `times_seen` is compared with; without effect on the other two.
    pub bound: Bound,
}

/// Everything a pack asks of history.
///
/// Names stand beside the slots so that [`History::replan`](super::History::replan) can tell which structures of the
/// old pack serve the new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HistoryPlan {
    /// Declared event names by [`EventId`].
    pub actions: Vec<Arc<str>>,
    /// Canonical paths by [`FieldRef`]: `user`, `ip.asn`, `amount`.
    pub fields: Vec<Arc<str>>,
    /// Canonical texts of `where` clauses by [`FilterId`], with every `let` expanded: equal texts mean equal filters.
    pub filters: Vec<Arc<str>>,
    /// Canonical texts of zone expressions by [`ZoneRef`].
    pub zones: Vec<Arc<str>>,
    /// Aggregates, by position in `Observed::windows`.
    pub windows: Vec<WindowSpec>,
    /// Questions about earlier appearances, by position in `Observed::seen`.
    pub seen: Vec<SeenSpec>,
    /// Whether any rule reads `last_verified` or `previous`.
    pub anchors: bool,
    /// What each action asks for, by [`EventId`]: the rest of its answers stay unknown and cost nothing. An action
    /// beyond the end of the list (the list may be empty) asks for everything.
    pub asked: Vec<Asked>,
}

/// The answers one action's policies read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Asked {
    /// Positions in [`HistoryPlan::windows`].
    pub windows: Vec<usize>,
    /// Positions in [`HistoryPlan::seen`].
    pub seen: Vec<usize>,
}

impl HistoryPlan {
    /// The slot of an action, added if it is new. `None` when there are 65,536 already.
    pub fn intern_action(&mut self, name: &str) -> Option<EventId> {
        intern_name(&mut self.actions, name).map(EventId)
    }

    /// The slot of a path, added if it is new.
    pub fn intern_field(&mut self, path: &str) -> Option<FieldRef> {
        intern_name(&mut self.fields, path).map(FieldRef)
    }

    /// The slot of a filter by its canonical text, added if it is new.
    pub fn intern_filter(&mut self, text: &str) -> Option<FilterId> {
        intern_name(&mut self.filters, text).map(FilterId)
    }

    /// The slot of a zone expression by its canonical text, added if it is new.
    pub fn intern_zone(&mut self, text: &str) -> Option<ZoneRef> {
        intern_name(&mut self.zones, text).map(ZoneRef)
    }

    /// The slot of an aggregate, added if it is new. One that differs only in its bound shares the slot, which then
    /// serves the larger bound.
    pub fn intern_window(&mut self, spec: WindowSpec) -> usize {
        for (slot, known) in self.windows.iter_mut().enumerate() {
            let bound = known.bound.max(spec.bound);
            if *known == (WindowSpec { bound: known.bound, ..spec.clone() }) {
                known.bound = bound;
                return slot;
            }
        }
        self.windows.push(spec);
        self.windows.len() - 1
    }

    /// The slot of a question about earlier appearances, added if it is new; bounds merge as for windows.
    pub fn intern_seen(&mut self, spec: SeenSpec) -> usize {
        for (slot, known) in self.seen.iter_mut().enumerate() {
            let bound = known.bound.max(spec.bound);
            if *known == (SeenSpec { bound: known.bound, ..spec.clone() }) {
                known.bound = bound;
                return slot;
            }
        }
        self.seen.push(spec);
        self.seen.len() - 1
    }
}

fn intern_name(names: &mut Vec<Arc<str>>, name: &str) -> Option<u16> {
    if let Some(slot) = names.iter().position(|known| **known == *name) {
        return u16::try_from(slot).ok();
    }
    let slot = u16::try_from(names.len()).ok()?;
    names.push(name.into());
    Some(slot)
}
