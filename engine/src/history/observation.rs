//! What goes into history, and what comes out of it.

use std::{net::IpAddr, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::plan::EventKind;
use crate::{
    interval::Interval,
    maybe::{Maybe, Why},
    status::Status,
    tri::Tri,
    value::{GeoFix, Value},
};

/// What history keeps of one event, built by the evaluator so that history never evaluates an expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// The order of ingestion: unique and increasing. Events of the same time stand in this order.
    pub seq: u64,
    /// When it happened, after [`clamp_future`]; exact to the microsecond.
    pub time: Timestamp,
    /// Whether [`clamp_future`] moved `time`.
    pub future: bool,
    /// What happened.
    pub kind: EventKind,
    /// Whose event it is.
    pub user: Arc<str>,
    /// How far it has come.
    pub status: Status,
    /// The fields the plan names, by `FieldRef`.
    pub fields: Vec<Maybe<Value>>,
    /// The result of each filter of the plan for every status ([`Status::index`]), since only the status of an event
    /// changes later. By `FilterId`.
    pub filters: Vec<[Tri; 7]>,
    /// The zones of calendar windows, as IANA names, by `ZoneRef`.
    pub zones: Vec<Maybe<Arc<str>>>,
    /// What `last_verified` and `previous` will remember of it.
    pub snapshot: Snapshot,
    /// The idempotency key or decision id, unique among the user's events. A second observation with the same
    /// reference is a retry and is not counted again; `settle` finds the event by it.
    pub reference: Arc<str>,
}

/// Where and with what a past event happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// When.
    pub time: Timestamp,
    /// Where, as far as known.
    pub geo: Maybe<Arc<GeoFix>>,
    /// From which address.
    pub ip: Maybe<IpAddr>,
    /// Out of which autonomous system.
    pub asn: Maybe<u32>,
    /// On which device.
    pub device: Maybe<Arc<str>>,
}

impl Snapshot {
    /// A snapshot that knows nothing but the time.
    pub fn at(time: Timestamp) -> Snapshot {
        let absent = Maybe::Unknown(Why::Absent);
        Snapshot {
            time,
            geo: Maybe::Unknown(Why::Absent),
            ip: absent,
            asn: Maybe::Unknown(Why::Absent),
            device: Maybe::Unknown(Why::Absent),
        }
    }
}

/// What history says to an event: every answer the plan asks for, by its slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// Aggregates, by position in `HistoryPlan::windows`.
    pub windows: Vec<Maybe<Interval<Value>>>,
    /// Where each window begins, resolved for the log; `None` where that is not known (no such zone, no key) or the
    /// window was not asked for.
    pub starts: SmallVec<[Option<Timestamp>; 4]>,
    /// Earlier appearances, by position in `HistoryPlan::seen`: timestamps, or a whole number for `times_seen`.
    pub seen: Vec<Maybe<Interval<Value>>>,
    /// The user's newest earlier event that passed a challenge.
    pub last_verified: Maybe<Snapshot>,
    /// The user's newest earlier event with a location fix that was not blocked.
    pub previous: Maybe<Snapshot>,
    /// The time lay in the future and was clamped.
    pub future: bool,
    /// The reference is known: this is a retry, answered as of the first try and not counted again.
    pub duplicate: bool,
}

impl Observed {
    /// Nothing known: the answers to a plan with so many windows and questions about earlier appearances.
    #[inline(always)]
    pub(super) fn nothing(windows: usize, seen: usize, future: bool) -> Observed {
        Observed {
            windows: unknown(windows),
            starts: SmallVec::from_elem(None, windows),
            seen: unknown(seen),
            last_verified: Maybe::Unknown(Why::Absent),
            previous: Maybe::Unknown(Why::Absent),
            future,
            duplicate: false,
        }
    }

    /// Nothing known again.
    pub(super) fn forget(&mut self, future: bool) {
        for answer in self.windows.iter_mut().chain(&mut self.seen) {
            *answer = Maybe::Unknown(Why::Absent);
        }
        for start in &mut self.starts {
            *start = None;
        }
        self.last_verified = Maybe::Unknown(Why::Absent);
        self.previous = Maybe::Unknown(Why::Absent);
        (self.future, self.duplicate) = (future, false);
    }
}

/// Puts a value in its place, if there is one.
pub(super) fn set<T>(slots: &mut [T], slot: usize, value: T) {
    if let Some(place) = slots.get_mut(slot) {
        *place = value;
    }
}

fn unknown(answers: usize) -> Vec<Maybe<Interval<Value>>> {
    std::iter::repeat_with(|| Maybe::Unknown(Why::Absent)).take(answers).collect()
}

/// What became of [`settle`](super::History::settle).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Settled {
    /// The event has the new status.
    Changed,
    /// The event had reached a final status, which stays: `allowed`, `blocked`, `verified`, `declined`, `expired`.
    AlreadyFinal,
    /// No event with this reference is in flight: it never was, or is too old to be remembered one by one.
    NotInFlight,
}

/// The time an event enters history with: its own, or the time of arrival if it claims to be further in the future
/// than `tolerance`. The second part says whether it was moved.
pub fn clamp_future(time: Timestamp, received: Timestamp, tolerance: SignedDuration) -> (Timestamp, bool) {
    match received.checked_add(tolerance) {
        Ok(latest) if time > latest => (received, true),
        Ok(_) | Err(_) => (time, false),
    }
}

/// Whether a status can still change.
pub(super) fn in_flight(status: Status) -> bool {
    match status {
        Status::Pending | Status::Challenged => true,
        Status::Allowed | Status::Blocked | Status::Verified | Status::Declined | Status::Expired => false,
    }
}
