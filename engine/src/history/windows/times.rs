//! Counts: the newest timestamps, as many as the threshold needs.

use std::collections::VecDeque;

use super::super::position::{Lost, Position, Reach};
use crate::maybe::Why;

/// The newest events under a key.
#[derive(Clone, Debug, Default)]
pub(in crate::history) struct Times {
    /// Those that certainly count, in order.
    sure: VecDeque<Position>,
    /// Those of which the filter could not be decided, in order.
    perhaps: VecDeque<Position>,
}

impl Times {
    /// Adds an event and drops the oldest beyond `keep`, of either sort.
    pub fn insert(&mut self, position: Position, certain: bool, keep: usize, lost: &mut Lost) {
        let times = if certain { &mut self.sure } else { &mut self.perhaps };
        insert_sorted(times, position);
        while times.len() > keep {
            if let Some(oldest) = times.pop_front() {
                lost.extend(oldest, Why::Saturated);
            }
        }
    }

    /// How many certain events, and how many uncertain ones.
    pub fn count(&self, reach: Reach) -> (u64, u64) {
        (between(&self.sure, reach), between(&self.perhaps, reach))
    }

    /// The oldest certain event in reach.
    pub fn oldest(&self, reach: Reach) -> Option<Position> {
        self.sure.get(self.sure.partition_point(|at| *at < reach.start)).copied().filter(|at| *at < reach.end)
    }

    /// The newest certain event in reach.
    pub fn newest(&self, reach: Reach) -> Option<Position> {
        let after = self.sure.partition_point(|at| *at < reach.end);
        self.sure.get(after.checked_sub(1)?).copied().filter(|at| *at >= reach.start)
    }

    pub fn len(&self) -> usize {
        self.sure.len() + self.perhaps.len()
    }

    pub fn bytes(&self) -> usize {
        (self.sure.capacity() + self.perhaps.capacity()) * size_of::<Position>()
    }
}

/// Events nearly always come in order, so the place is looked for from the newest.
fn insert_sorted(times: &mut VecDeque<Position>, position: Position) {
    if times.back().is_none_or(|newest| *newest < position) {
        times.push_back(position);
    } else {
        let place = times.partition_point(|at| *at < position);
        times.insert(place, position);
    }
}

fn between(times: &VecDeque<Position>, reach: Reach) -> u64 {
    let before_start = times.partition_point(|at| *at < reach.start);
    let before_end = match times.back() {
        Some(newest) if *newest >= reach.end => times.partition_point(|at| *at < reach.end),
        Some(_) | None => times.len(),
    };
    before_end.saturating_sub(before_start) as u64
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
