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

/// Decided events that are forgotten together. What is looked into at random is kept small: the places alone, which say
/// where an event begins.
#[derive(Clone, Debug, Default)]
struct Generation {
    places: Places,
    events: usize,
    /// One event after the other: a head, its user, its reference. Behind them there is room, which can be looked at before it
    /// is written to.
    bytes: Vec<u8>,
    used: usize,
}

/// A decided event, and how long its user and reference are.
#[derive(Clone, Copy, Debug)]
struct Decided {
    at: Position,
    user: u32,
    reference: u32,
    status: Status,
}

/// The bytes of a [`Decided`].
const HEAD: usize = 25;
/// What an event may take of the bytes that are looked at before.
const LINE: usize = 64;

impl Ledger {
    /// When the event happened, and how far it has come. The hash is that of user and reference together.
    pub fn find(&self, hash: u64, user: &str, reference: &str) -> Option<(Position, Status)> {
        if let Some(found) = self.undecided.find(hash, |event| event.is(hash, user, reference)) {
            return Some((found.event.at, found.event.status));
        }
        let decided = self.recent.find(hash, user, reference).or_else(|| self.older.find(hash, user, reference));
        decided.map(|event| (event.at, event.status))
    }

    /// Looks at where the next events, so many, are going to be written.
    #[inline]
    pub fn glance_ahead(&self, events: usize) -> u64 {
        let lines = (0..=events).filter_map(|line| self.recent.bytes.get(self.recent.used + line * LINE));
        lines.fold(0, |near, byte| near ^ u64::from(*byte))
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
        let place = match u32::try_from(self.recent.used) {
            Ok(place) if self.recent.events < limit.max(1) => place,
            Ok(_) | Err(_) => {
                std::mem::swap(&mut self.recent, &mut self.older);
                self.recent.places.clear();
                (self.recent.events, self.recent.used) = (0, 0);
                0
            }
        };
        // Names as long as that would not have been let in.
        let length = |name: &str| u32::try_from(name.len()).unwrap_or(u32::MAX);
        let event = Decided { at, user: length(user), reference: length(reference), status };
        self.recent.write(event, user.as_bytes(), reference.as_bytes());
        self.recent.places.insert(half(hash), place);
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
        self.undecided.len() + self.recent.events + self.older.events
    }

    pub fn undecided(&self) -> usize {
        self.undecided.len()
    }

    pub fn bytes(&self) -> usize {
        let generation = |generation: &Generation| generation.places.bytes() + generation.bytes.capacity();
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
    fn find(&self, hash: u64, user: &str, reference: &str) -> Option<Decided> {
        let is_it = |place: u32| {
            self.read(place).is_some_and(|(event, names)| {
                names.split_at_checked(event.user as usize).is_some_and(|(one, other)| {
                    one == user.as_bytes() && other.get(..event.reference as usize) == Some(reference.as_bytes())
                })
            })
        };
        self.places.find(half(hash), is_it).and_then(|place| self.read(place)).map(|(event, _)| event)
    }

    /// The event that begins there, and the bytes from its names on.
    #[inline]
    fn read(&self, place: u32) -> Option<(Decided, &[u8])> {
        let (head, names) = self.bytes.get(place as usize..)?.split_first_chunk()?;
        Some((Decided::of(head)?, names))
    }

    fn write(&mut self, event: Decided, user: &[u8], reference: &[u8]) {
        let end = self.used + HEAD + user.len() + reference.len();
        if end > self.bytes.len() {
            self.bytes.resize((end + end / 2).max(32 * LINE), 0);
        }
        self.put(&event.at.at.to_le_bytes());
        self.put(&event.at.seq.to_le_bytes());
        self.put(&event.user.to_le_bytes());
        self.put(&event.reference.to_le_bytes());
        self.put(&[event.status.index() as u8]);
        self.put(user);
        self.put(reference);
        self.events += 1;
    }

    #[inline]
    fn put(&mut self, part: &[u8]) {
        let end = self.used + part.len();
        if let Some(place) = self.bytes.get_mut(self.used..end) {
            place.copy_from_slice(part);
        }
        self.used = end;
    }
}

impl Decided {
    #[inline]
    fn of(bytes: &[u8; HEAD]) -> Option<Decided> {
        let (at, rest) = bytes.split_first_chunk()?;
        let (seq, rest) = rest.split_first_chunk()?;
        let (user, rest) = rest.split_first_chunk()?;
        let (reference, rest) = rest.split_first_chunk()?;
        Some(Decided {
            at: Position { at: i64::from_le_bytes(*at), seq: u64::from_le_bytes(*seq) },
            user: u32::from_le_bytes(*user),
            reference: u32::from_le_bytes(*reference),
            status: *Status::ALL.get(usize::from(*rest.first()?))?,
        })
    }
}
