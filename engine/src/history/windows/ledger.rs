//! References of recent events: a retry is recognised, and an undecided event found again when it is settled.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use smallvec::SmallVec;

use super::super::{atom::Key, observation::in_flight, position::Position};
use crate::status::Status;

/// The events whose reference is remembered.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    events: HashMap<Name, Remembered>,
    /// Decided events, the oldest first; past the limit they are forgotten.
    decided: VecDeque<Name>,
    /// Undecided events as they came, among others that were decided since.
    opened: VecDeque<Name>,
    undecided: usize,
}

/// A user and a reference, in one allocation: the user's length first, so that no two pairs look alike.
type Name = Arc<[u8]>;

/// Where an event is kept.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub at: Position,
    pub status: Status,
    /// The groups and keys where it is pending.
    pub pending_in: Vec<(usize, Key)>,
    pub user_pending: bool,
}

/// An undecided event that had to make room.
pub(super) struct GivenUp {
    pub user: Arc<str>,
    pub event: Remembered,
}

fn name(user: &str, reference: &str) -> SmallVec<[u8; 96]> {
    let mut name = SmallVec::new();
    name.extend_from_slice(&(user.len() as u64).to_le_bytes());
    name.extend_from_slice(user.as_bytes());
    name.extend_from_slice(reference.as_bytes());
    name
}

fn user_of(name: &[u8]) -> Option<Arc<str>> {
    let (length, rest) = name.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    std::str::from_utf8(rest.get(..length)?).ok().map(Arc::from)
}

impl Ledger {
    pub fn find(&self, user: &str, reference: &str) -> Option<&Remembered> {
        self.events.get(&name(user, reference)[..])
    }

    pub fn find_mut(&mut self, user: &str, reference: &str) -> Option<&mut Remembered> {
        self.events.get_mut(&name(user, reference)[..])
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Remembered> {
        self.events.values_mut()
    }

    /// Remembers an event. Returns an undecided one that had to make room: nobody can settle it any more.
    pub fn remember(&mut self, user: &str, reference: &str, event: Remembered, limit: usize) -> Option<GivenUp> {
        let name: Name = Name::from(&name(user, reference)[..]);
        let undecided = in_flight(event.status);
        self.events.insert(name.clone(), event);
        if !undecided {
            self.decide(name, limit);
            return None;
        }
        self.opened.push_back(name);
        self.undecided += 1;
        if self.opened.len() > 2 * self.undecided + 64 {
            let events = &self.events;
            self.opened.retain(|name| events.get(name).is_some_and(|event| in_flight(event.status)));
        }
        if self.undecided <= limit { None } else { self.give_up_oldest() }
    }

    /// Notes that an event of the ledger reached a final status.
    pub fn decided(&mut self, user: &str, reference: &str, limit: usize) {
        self.undecided = self.undecided.saturating_sub(1);
        self.decide(Name::from(&name(user, reference)[..]), limit);
    }

    fn decide(&mut self, name: Name, limit: usize) {
        self.decided.push_back(name);
        while self.decided.len() > limit {
            if let Some(oldest) = self.decided.pop_front() {
                self.events.remove(&oldest);
            }
        }
    }

    fn give_up_oldest(&mut self) -> Option<GivenUp> {
        while let Some(oldest) = self.opened.pop_front() {
            if self.events.get(&oldest).is_some_and(|event| in_flight(event.status)) {
                self.undecided = self.undecided.saturating_sub(1);
                let event = self.events.remove(&oldest)?;
                return Some(GivenUp { user: user_of(&oldest)?, event });
            }
        }
        None
    }

    pub fn len(&self) -> usize {
        self.events.len()
    }

    pub fn undecided(&self) -> usize {
        self.undecided
    }

    pub fn bytes(&self) -> usize {
        let queued = (self.decided.capacity() + self.opened.capacity()) * size_of::<Name>();
        queued + self.events.capacity() * (size_of::<(Name, Remembered)>() + 64)
    }
}
