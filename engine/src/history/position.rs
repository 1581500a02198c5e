//! The total order of history: event time, then ingestion.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::maybe::Why;

/// Where an event stands in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Position {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// Order of ingestion.
    pub seq: u64,
}

impl Default for Position {
    fn default() -> Position {
        Position::START
    }
}

impl Position {
    /// Before everything.
    pub const START: Position = Position { at: i64::MIN, seq: 0 };

    /// Where an event of this time and sequence number stands.
    pub fn of(time: Timestamp, seq: u64) -> Position {
        Position { at: time.as_microsecond(), seq }
    }

    /// Before every event of this microsecond.
    pub fn opening(at: i64) -> Position {
        Position { at, seq: 0 }
    }

    /// The first position after this one.
    pub fn next(self) -> Position {
        match self.seq.checked_add(1) {
            Some(seq) => Position { seq, ..self },
            None => Position { at: self.at.saturating_add(1), seq: 0 },
        }
    }
}

/// A part of the order: from `start` (included) to `end` (excluded).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    pub start: Position,
    pub end: Position,
}

impl Reach {
    pub fn contains(&self, position: Position) -> bool {
        self.start <= position && position < self.end
    }
}

/// Up to where events may be missing, and why. Every approximation of history comes from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lost {
    /// Events up to here may be missing; later ones are all there.
    pub upto: Position,
    pub why: Why,
}

impl Default for Lost {
    fn default() -> Lost {
        Lost::NOTHING
    }
}

impl Lost {
    /// Nothing is missing.
    pub const NOTHING: Lost = Lost { upto: Position::START, why: Why::Saturated };

    /// What reaches further.
    pub fn wider<'a>(&'a self, other: &'a Lost) -> &'a Lost {
        if self.upto >= other.upto { self } else { other }
    }

    /// Notes that an event at `position` may be missing.
    pub fn extend(&mut self, position: Position, why: Why) {
        if position >= self.upto {
            *self = Lost { upto: position, why };
        }
    }

    /// Why the answer over `reach` may be incomplete; `None` if it is complete.
    pub fn affects(&self, reach: &Reach) -> Option<Why> {
        (self.upto > Position::START && reach.start <= self.upto && reach.start < reach.end).then_some(self.why)
    }
}

/// Everything that may be missing from one structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gaps<'a> {
    /// What was never seen: before history began, while the quota was full, or before the key was forgotten.
    pub hidden: &'a Lost,
    /// What was seen and dropped, because no threshold needs it.
    pub dropped: &'a Lost,
}

impl Gaps<'_> {
    /// Why the answer over `reach` may be incomplete.
    pub fn affect(&self, reach: &Reach) -> Option<Why> {
        self.hidden.affects(reach).or(self.dropped.affects(reach))
    }

    /// The newest position that may be missing.
    pub fn newest(&self) -> Lost {
        *self.hidden.wider(self.dropped)
    }
}
