//! Counts: the newest timestamps, as many as the threshold needs.

use super::{
    super::position::{Lost, Position, Reach},
    queue::Queue,
};
use crate::maybe::Why;

/// The newest events under a key.
#[derive(Clone, Debug, Default)]
pub(in crate::history) struct Times {
    /// Those that certainly count.
    sure: Queue<Position>,
    /// Those of which the filter could not be decided.
    perhaps: Option<Box<Queue<Position>>>,
}

impl Times {
    /// Adds an event and drops the oldest beyond `keep`, of either sort.
    pub fn insert(&mut self, position: Position, certain: bool, keep: usize, lost: &mut Lost) {
        let times = if certain { &mut self.sure } else { self.perhaps.get_or_insert_default() };
        times.insert(position);
        // As many uncertain ones are left as make the answer open, and open for the same reason.
        let why = if certain { Why::Saturated } else { Why::Absent };
        while times.len() > keep {
            if let Some(oldest) = times.pop_front() {
                lost.extend(oldest, why);
            }
        }
    }

    /// Drops what lies before `horizon`: it has left every window.
    pub fn purge(&mut self, horizon: Position, lost: &mut Lost) {
        for times in [Some(&mut self.sure), self.perhaps.as_deref_mut()].into_iter().flatten() {
            while let Some(oldest) = times.first().copied().filter(|oldest| *oldest < horizon) {
                times.pop_front();
                lost.extend(oldest, Why::Saturated);
            }
        }
    }

    /// How many certain events, and how many uncertain ones.
    pub fn count(&self, reach: &Reach) -> (u64, u64) {
        let perhaps = self.perhaps.as_ref().map_or(0, |perhaps| perhaps.range(reach).len());
        (self.sure.range(reach).len() as u64, perhaps as u64)
    }

    /// The oldest certain event in reach.
    pub fn oldest(&self, reach: &Reach) -> Option<Position> {
        self.sure.within(reach).first().copied()
    }

    /// The newest certain event in reach.
    pub fn newest(&self, reach: &Reach) -> Option<Position> {
        self.sure.within(reach).last().copied()
    }

    pub fn len(&self) -> usize {
        self.sure.len() + self.perhaps.as_ref().map_or(0, |perhaps| perhaps.len())
    }

    /// What it takes beyond its own size, in bytes.
    pub fn heap(&self) -> usize {
        let perhaps = self.perhaps.as_ref().map_or(0, |perhaps| size_of_val(&**perhaps) + perhaps.heap());
        self.sure.heap() + perhaps
    }
}

/// When a value first appeared: the start of the latest run of events without a gap as long as the retention.
/// Constant size.
#[derive(Clone, Debug)]
pub(in crate::history) struct Run {
    /// First and newest event of the run.
    span: Option<(Position, Position)>,
    /// The newest event of older runs.
    older: Option<Position>,
    /// A late event joined the run with an older one: it began at `first` or before.
    joined: bool,
    /// What was missing when the key was new.
    hidden: Lost,
}

/// What is known of the first appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::history) enum First {
    Never,
    At(Position),
    AtOrBefore(Position, Why),
    Unknown(Why),
}

impl Run {
    pub fn new(hidden: Lost) -> Run {
        Run { span: None, older: None, joined: false, hidden }
    }

    /// Adds an event; `gap` is the retention in microseconds.
    pub fn insert(&mut self, position: Position, gap: i64) {
        let Some((first, newest)) = self.span else {
            self.span = Some((position, position));
            return;
        };
        let close = |earlier: Position, later: Position| later.at.saturating_sub(earlier.at) < gap;
        if position > newest {
            if close(newest, position) {
                self.span = Some((first, position));
            } else {
                self.older = self.older.max(Some(newest));
                self.joined = false;
                self.span = Some((position, position));
            }
        } else if position < first {
            if close(position, first) {
                self.joined |= self.older.is_some_and(|older| older > position || close(older, position));
                self.span = Some((position, newest));
            } else {
                self.older = self.older.max(Some(position));
            }
        }
    }

    /// The first appearance, as an event at `end` sees it.
    pub fn first(&self, end: Position, gap: i64) -> First {
        let close = |earlier: Position| end.at.saturating_sub(earlier.at) < gap;
        let hidden = |before: Position| {
            let matters = self.hidden.upto > Position::START && before.at.saturating_sub(self.hidden.upto.at) < gap;
            matters.then_some(self.hidden.why)
        };
        match self.span {
            Some((first, newest)) if first < end => {
                if newest < end && !close(newest) {
                    First::Never
                } else if self.joined {
                    First::AtOrBefore(first, Why::Saturated)
                } else {
                    hidden(first).map_or(First::At(first), |why| First::AtOrBefore(first, why))
                }
            }
            // The run lies in the future of a late event; what came before it is known by its newest event only.
            Some(_) | None => match self.older {
                Some(older) if older >= end => First::Unknown(Why::Saturated),
                Some(older) if close(older) => First::AtOrBefore(older, Why::Saturated),
                Some(_) | None => hidden(end).map_or(First::Never, First::Unknown),
            },
        }
    }
}
