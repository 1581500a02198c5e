//! `last_verified` and `previous`: the newest of a user's events that can be either. Constant size.

use std::collections::VecDeque;

use super::super::{
    observation::{Snapshot, in_flight},
    position::{Lost, Position, Reach},
};
use crate::{
    maybe::{Maybe, Why},
    status::Status,
};

/// So many of each sort are kept: one would do, the others are for events that come late.
const KEPT: usize = 4;
/// What is remembered of a user.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    verified: Newest,
    located: Newest,
    pending: Vec<(Position, Status, Snapshot)>,
}

/// The newest events of one sort, in order.
#[derive(Clone, Debug, Default)]
struct Newest {
    events: VecDeque<(Position, Snapshot)>,
    lost: Lost,
}

impl Trail {
    pub fn new(hidden: Lost) -> Trail {
        let none = Newest { events: VecDeque::new(), lost: hidden };
        Trail { verified: none.clone(), located: none, pending: Vec::new() }
    }

    /// Takes in an action; of those that are undecided, so many stay. Returns whether it is one.
    pub fn append(&mut self, at: Position, status: Status, snapshot: &Snapshot, most_pending: usize) -> bool {
        if !in_flight(status) {
            self.decide(at, status, snapshot.clone());
            return false;
        }
        self.pending.push((at, status, snapshot.clone()));
        if self.pending.len() > most_pending {
            let oldest = self.pending.iter().map(|(at, ..)| *at).min();
            if let Some(oldest) = oldest {
                self.freeze(oldest);
            }
        }
        true
    }

    pub fn settle(&mut self, at: Position, status: Status) {
        let Some(place) = self.pending.iter().position(|(other, ..)| *other == at) else { return };
        if in_flight(status) {
            if let Some((_, now, _)) = self.pending.get_mut(place) {
                *now = status;
            }
        } else {
            let (_, _, snapshot) = self.pending.swap_remove(place);
            self.decide(at, status, snapshot);
        }
    }

    /// Stops waiting for an undecided event: it may have been either.
    pub fn freeze(&mut self, at: Position) {
        if let Some(place) = self.pending.iter().position(|(other, ..)| *other == at) {
            self.pending.swap_remove(place);
            self.verified.lost.extend(at, Why::Saturated);
            self.located.lost.extend(at, Why::Saturated);
        }
    }

    fn decide(&mut self, at: Position, status: Status, snapshot: Snapshot) {
        if status == Status::Verified {
            self.verified.insert(at, snapshot.clone());
        }
        if status != Status::Blocked && snapshot.geo.known().is_some() {
            self.located.insert(at, snapshot);
        }
    }

    /// The newest event that passed a challenge.
    pub fn last_verified(&self, reach: &Reach) -> Maybe<Snapshot> {
        let found = self.verified.find(reach);
        found.map_or_else(Maybe::Unknown, |found| Maybe::from(found.map(|(_, snapshot)| snapshot.clone())))
    }

    /// The newest event with a location fix that was not blocked, undecided ones included.
    pub fn previous(&self, reach: &Reach) -> Maybe<Snapshot> {
        let pending = self.pending.iter().filter(|(at, status, snapshot)| {
            reach.contains(*at) && *status != Status::Blocked && snapshot.geo.known().is_some()
        });
        let pending = pending.max_by_key(|(at, ..)| *at).map(|(at, _, snapshot)| (*at, snapshot));
        match (self.located.find(reach), pending) {
            (Ok(decided), pending) => {
                let decided = decided.filter(|(at, _)| pending.is_none_or(|(newer, _)| newer < *at));
                Maybe::from(decided.or(pending).map(|(_, snapshot)| snapshot.clone()))
            }
            (Err(_), Some((at, snapshot))) if at > self.located.lost.upto => Maybe::Known(snapshot.clone()),
            (Err(why), Some(_) | None) => Maybe::Unknown(why),
        }
    }

    /// What it takes beyond its own size, in bytes.
    pub fn heap(&self) -> usize {
        let kept = self.verified.events.capacity() + self.located.events.capacity() + self.pending.capacity();
        kept * size_of::<(Position, Status, Snapshot)>()
    }
}

impl Newest {
    fn insert(&mut self, at: Position, snapshot: Snapshot) {
        let place = self.events.partition_point(|(other, _)| *other < at);
        self.events.insert(place, (at, snapshot));
        if self.events.len() > KEPT
            && let Some((dropped, _)) = self.events.pop_front()
        {
            self.lost.extend(dropped, Why::Saturated);
        }
    }

    /// The newest in reach, `None` if there certainly is none.
    fn find(&self, reach: &Reach) -> Result<Option<(Position, &Snapshot)>, Why> {
        let found = self.events.iter().rev().find(|(at, _)| *at < reach.end).filter(|(at, _)| *at >= reach.start);
        match (found, self.lost.affects(reach)) {
            (Some((at, snapshot)), _) if *at > self.lost.upto => Ok(Some((*at, snapshot))),
            (_, Some(why)) => Err(why),
            (Some((at, snapshot)), None) => Ok(Some((*at, snapshot))),
            (None, None) => Ok(None),
        }
    }
}
