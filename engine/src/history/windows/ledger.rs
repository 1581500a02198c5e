//! References of recent events: a retry is recognised, and an undecided event found again when it is settled.

use std::{collections::VecDeque, sync::Arc};

use hashbrown::HashTable;

use super::{
    super::{atom::Key, position::Position},
    places::Places,
    shelf::half,
};
use crate::status::Status;

/// The events whose reference is remembered.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    undecided: HashTable<Undecided>,
    /// Hash and ticket of undecided events as they came, among others that were decided since.
    opened: VecDeque<(u64, u64)>,
    tickets: u64,
    /// Decided events, the newest: at least as many as the limit says, and at most twice as many.
    recent: Generation,
    /// Those before them.
    older: Generation,
}

#[derive(Clone, Debug)]
struct Undecided {
    hash: u64,
    ticket: u64,
    user: Arc<str>,
    reference: Arc<str>,
    event: Remembered,
}

/// Where an undecided event is kept.
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

/// Decided events that are forgotten together. What is looked into at random is kept small: the places alone.
#[derive(Clone, Debug, Default)]
struct Generation {
    places: Places,
    events: Vec<Decided>,
    /// Users and references, one after the other.
    names: Vec<u8>,
}

/// A decided event, and where its user and reference stand among the names.
#[derive(Clone, Copy, Debug)]
struct Decided {
    at: Position,
    start: usize,
    user: u32,
    reference: u32,
    status: Status,
}

impl Ledger {
    /// When the event happened, and how far it has come. The hash is that of user and reference together.
    pub fn find(&self, hash: u64, user: &str, reference: &str) -> Option<(Position, Status)> {
        if let Some(found) = self.undecided.find(hash, |event| event.is(hash, user, reference)) {
            return Some((found.event.at, found.event.status));
        }
        let decided = self.recent.find(hash, user, reference).or_else(|| self.older.find(hash, user, reference));
        decided.map(|event| (event.at, event.status))
    }

    /// Looks at where the event would be.
    #[inline]
    pub fn glance(&self, hash: u64) -> u64 {
        let in_generation = |generation: &Generation| generation.places.find(half(hash), |_| true).map_or(0, u64::from);
        in_generation(&self.recent) ^ in_generation(&self.older)
    }

    pub fn find_undecided(&mut self, hash: u64, user: &str, reference: &str) -> Option<&mut Remembered> {
        self.undecided.find_mut(hash, |event| event.is(hash, user, reference)).map(|found| &mut found.event)
    }

    pub fn undecided_mut(&mut self) -> impl Iterator<Item = &mut Remembered> {
        self.undecided.iter_mut().map(|undecided| &mut undecided.event)
    }

    /// Remembers a decided event.
    pub fn decided(&mut self, hash: u64, user: &str, reference: &str, at: Position, status: Status, limit: usize) {
        let event = match u32::try_from(self.recent.events.len()) {
            Ok(event) if self.recent.events.len() < limit.max(1) => event,
            Ok(_) | Err(_) => {
                std::mem::swap(&mut self.recent, &mut self.older);
                self.recent.places.clear();
                self.recent.events.clear();
                self.recent.names.clear();
                0
            }
        };
        let Generation { places, events, names } = &mut self.recent;
        // Names as long as that would not have been let in.
        let length = |name: &str| u32::try_from(name.len()).unwrap_or(u32::MAX);
        let (start, user_length, reference_length) = (names.len(), length(user), length(reference));
        names.extend_from_slice(user.as_bytes());
        names.extend_from_slice(reference.as_bytes());
        events.push(Decided { at, start, user: user_length, reference: reference_length, status });
        places.insert(half(hash), event);
    }

    /// Remembers an undecided event. Returns the oldest if it had to make room: nobody can settle it any more.
    pub fn open(
        &mut self,
        hash: u64,
        user: &Arc<str>,
        reference: &Arc<str>,
        event: Remembered,
        limit: usize,
    ) -> Option<GivenUp> {
        self.tickets += 1;
        let (user, reference) = (Arc::clone(user), Arc::clone(reference));
        let undecided = Undecided { hash, ticket: self.tickets, user, reference, event };
        self.undecided.insert_unique(hash, undecided, |event| event.hash);
        self.opened.push_back((hash, self.tickets));
        if self.opened.len() > 2 * self.undecided.len() + 64 {
            let undecided = &self.undecided;
            self.opened.retain(|(hash, ticket)| undecided.find(*hash, |event| event.ticket == *ticket).is_some());
        }
        if self.undecided.len() <= limit { None } else { self.give_up_oldest() }
    }

    /// Takes an event that has reached a final status off the undecided ones.
    pub fn close(&mut self, hash: u64, user: &str, reference: &str) -> Option<Remembered> {
        let found = self.undecided.find_entry(hash, |event| event.is(hash, user, reference)).ok()?;
        Some(found.remove().0.event)
    }

    fn give_up_oldest(&mut self) -> Option<GivenUp> {
        while let Some((hash, ticket)) = self.opened.pop_front() {
            if let Ok(found) = self.undecided.find_entry(hash, |event| event.ticket == ticket) {
                let Undecided { user, event, .. } = found.remove().0;
                return Some(GivenUp { user, event });
            }
        }
        None
    }

    pub fn len(&self) -> usize {
        self.undecided.len() + self.recent.events.len() + self.older.events.len()
    }

    pub fn undecided(&self) -> usize {
        self.undecided.len()
    }

    pub fn bytes(&self) -> usize {
        let generation = |generation: &Generation| {
            generation.places.bytes()
                + generation.events.capacity() * size_of::<Decided>()
                + generation.names.capacity()
        };
        let texts = |event: &Undecided| event.user.len() + event.reference.len() + 4 * size_of::<usize>();
        self.undecided.allocation_size()
            + self.undecided.iter().map(texts).sum::<usize>()
            + self.opened.capacity() * size_of::<(u64, u64)>()
            + generation(&self.recent)
            + generation(&self.older)
    }
}

impl Undecided {
    fn is(&self, hash: u64, user: &str, reference: &str) -> bool {
        self.hash == hash && *self.user == *user && *self.reference == *reference
    }
}

impl Generation {
    #[inline]
    fn find(&self, hash: u64, user: &str, reference: &str) -> Option<&Decided> {
        let of = |event: u32| self.events.get(event as usize);
        let is_it = |event: &Decided| {
            let middle = event.start + event.user as usize;
            self.names.get(event.start..middle) == Some(user.as_bytes())
                && self.names.get(middle..middle + event.reference as usize) == Some(reference.as_bytes())
        };
        self.places.find(half(hash), |event| of(event).is_some_and(is_it)).and_then(of)
    }
}
