//! A map with a quota that forgets only what no longer matters.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::{
    super::{
        atom::Key,
        position::{Lost, Position},
    },
    pages::Pages,
};
use crate::maybe::Why;

/// A value under each key. A key whose newest event is older than a horizon may go; at the quota a new key is
/// refused rather than a live one forgotten.
///
/// What is looked into at random is small, the places alone: they say where everything else about a key is, so that the
/// processor fetches all of it side by side.
#[derive(Clone, Debug)]
pub(super) struct Shelf<V> {
    places: HashTable<Place>,
    rows: Pages<Row<V>>,
    /// Rows without a key.
    vacant: Vec<u32>,
    /// The newest event of each key when it was last looked at, about in order.
    expiry: VecDeque<(i64, Place)>,
    /// What a key that is new may have missed, because it was forgotten or refused.
    pub missed: Lost,
}

/// Half of a key's hash, and its row.
#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u32,
    row: u32,
}

/// A key and what is kept under it.
#[derive(Clone, Debug, Default)]
pub(super) struct Row<V> {
    key: Key,
    /// Its newest event.
    pub newest: Position,
    pub value: V,
    /// What it may have missed before it was taken in.
    pub missed: Lost,
}

/// How long keys stay, and how many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    /// A key with no event after this may go.
    pub horizon: i64,
    pub keys: usize,
}

/// A key with its hash.
pub(super) type Hashed = (u64, Key);

impl<V: Default> Shelf<V> {
    pub fn new() -> Shelf<V> {
        Shelf {
            places: HashTable::new(),
            rows: Pages::new(),
            vacant: Vec::new(),
            expiry: VecDeque::new(),
            missed: Lost::NOTHING,
        }
    }

    #[inline]
    fn find(&self, (hash, key): &Hashed) -> Option<u32> {
        let hash = *hash as u32;
        let is_it = |place: &Place| place.hash == hash && self.rows.get(place.row).is_some_and(|row| row.key == *key);
        self.places.find(spread(hash), is_it).map(|place| place.row)
    }

    pub fn get(&self, key: &Hashed) -> Option<&Row<V>> {
        self.rows.get(self.find(key)?)
    }

    pub fn get_mut(&mut self, key: &Hashed) -> Option<&mut Row<V>> {
        let row = self.find(key)?;
        self.rows.get_mut(row)
    }

    /// Where the key probably is.
    pub fn glance(&self, (hash, _): &Hashed) -> Option<u32> {
        let hash = *hash as u32;
        self.places.find(spread(hash), |place| place.hash == hash).map(|place| place.row)
    }

    /// The row that was glanced at.
    pub fn look(&self, row: u32) -> Option<&Row<V>> {
        self.rows.get(row)
    }

    /// What is kept under the key of an event at `at`, made if the key is new; `None` if there is no room for it, which is
    /// noted. To say in an old row that the event is its newest is left to the caller.
    pub fn take_in(
        &mut self,
        key: &Hashed,
        at: Position,
        quota: Quota,
        make: impl FnOnce(&Lost) -> V,
    ) -> Option<&mut Row<V>> {
        // What makes room now was some other key, so this one has not missed it.
        let missed = self.missed;
        self.forget(quota.horizon, 2, &key.1);
        if let Some(row) = self.find(key) {
            return self.rows.get_mut(row);
        }
        if self.len() >= quota.keys {
            self.forget(quota.horizon, usize::MAX, &key.1);
        }
        if self.len() >= quota.keys {
            self.missed.extend(at, Why::Quota);
            return None;
        }
        let number = self.vacant.pop().or_else(|| u32::try_from(self.places.len()).ok())?;
        let hash = key.0 as u32;
        let place = Place { hash, row: number };
        self.places.insert_unique(spread(hash), place, |place| spread(place.hash));
        self.rows.put(number, Row { key: key.1.clone(), newest: at, value: make(&missed), missed });
        self.expiry.push_back((at.at, place));
        self.rows.get_mut(number)
    }

    /// Whether `take_in` would find room for a new key.
    pub fn has_room(&self, quota: Quota) -> bool {
        let mut candidates = self.expiry.iter().take_while(|(newest, _)| *newest <= quota.horizon);
        self.len() < quota.keys
            || candidates.any(|(_, place)| self.rows.get(place.row).is_none_or(|row| row.newest.at <= quota.horizon))
    }

    /// Forgets keys without an event after the horizon, looking at no more than `most` of them and sparing one. A key
    /// that had newer events since it was queued goes to the end of the queue, so each event costs at most one look.
    fn forget(&mut self, horizon: i64, most: usize, spared: &Key) {
        for _ in 0..most.min(self.expiry.len()) {
            let Some((_, place)) = self.expiry.pop_front_if(|(newest, _)| *newest <= horizon) else { return };
            let Some(row) = self.rows.get(place.row) else { continue };
            let newest = row.newest.at;
            if newest > horizon || row.key == *spared {
                self.expiry.push_back((newest, place));
            } else {
                self.remove(place);
                self.missed.extend(Position { at: newest, seq: u64::MAX }, Why::Saturated);
            }
        }
    }

    fn remove(&mut self, place: Place) {
        if let Ok(found) = self.places.find_entry(spread(place.hash), |other| other.row == place.row) {
            found.remove();
        }
        self.rows.put(place.row, Row::default());
        self.vacant.push(place.row);
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.places.iter().filter_map(|place| self.rows.get(place.row)).map(|row| &row.value)
    }

    /// The same keys with other values.
    pub fn map_values<W: Default>(self, mut f: impl FnMut(V, &Lost) -> W) -> Shelf<W> {
        let Shelf { places, rows, vacant, expiry, missed } = self;
        let other = |row: Row<V>| {
            let Row { key, newest, value, missed } = row;
            Row { key, newest, value: f(value, &missed), missed }
        };
        Shelf { places, rows: rows.map(other), vacant, expiry, missed }
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// The memory taken, apart from what the values have on the heap.
    pub fn bytes(&self) -> usize {
        let keys =
            self.places.iter().filter_map(|place| self.rows.get(place.row)).map(|row| row.key.heap()).sum::<usize>();
        let queues = self.expiry.capacity() * size_of::<(i64, Place)>() + self.vacant.capacity() * size_of::<u32>();
        self.places.allocation_size() + self.rows.bytes() + keys + queues
    }
}

/// As many bits as the table wants out of half of them.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}
