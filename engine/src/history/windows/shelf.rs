//! A map with a quota that forgets only what no longer matters.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::super::{
    atom::Key,
    hashing::Hashing,
    position::{Lost, Position},
};
use crate::maybe::Why;

/// Values by key. A key whose newest event is older than a horizon may go; at the quota a new key is refused rather
/// than a live one forgotten.
#[derive(Clone, Debug)]
pub(super) struct Shelf<V> {
    slots: HashTable<Slot<V>>,
    /// The newest event of each key when it was last looked at, about in order.
    expiry: VecDeque<(i64, Key)>,
    /// What a key that is new may have missed, because it was forgotten or refused.
    pub missed: Lost,
}

/// A key, the time of its newest event, and what is kept under it: with a pointer for a value, one cache line.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Slot<V> {
    key: Key,
    pub newest: i64,
    pub value: V,
}

/// How long keys stay, and how many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    /// A key with no event after this may go.
    pub horizon: i64,
    pub keys: usize,
}

impl<V> Shelf<V> {
    pub fn new() -> Shelf<V> {
        Shelf { slots: HashTable::new(), expiry: VecDeque::new(), missed: Lost::NOTHING }
    }

    pub fn get(&self, hashing: &Hashing, key: &Key) -> Option<&Slot<V>> {
        self.slots.find(hashing.of(key.as_slice()), |slot| slot.key == *key)
    }

    pub fn get_mut(&mut self, hashing: &Hashing, key: &Key) -> Option<&mut Slot<V>> {
        self.slots.find_mut(hashing.of(key.as_slice()), |slot| slot.key == *key)
    }

    /// Looks at what is kept under the key, to no other end than that it is near when it is needed: the processor waits
    /// for all that is looked at together, not for one after the other.
    pub fn warm(&self, hash: u64, key: &Key, look: impl FnOnce(&V) -> i64) {
        let found = self.slots.find(hash, |slot| slot.key == *key);
        std::hint::black_box(found.map_or(0, |slot| slot.newest ^ look(&slot.value)));
    }

    /// The slot of the key of an event at `at`, made if the key is new; `None` if there is no room for it, which is
    /// noted. The hash is that of the key. To say in an old slot that the event is its newest is left to the caller.
    pub fn take_in(
        &mut self,
        hashing: &Hashing,
        (hash, key): (u64, &Key),
        at: Position,
        quota: Quota,
        make: impl FnOnce(Lost) -> V,
    ) -> Option<&mut Slot<V>> {
        // What makes room now was some other key, so this one has not missed it.
        let missed = self.missed;
        self.forget(hashing, quota.horizon, 2, key);
        if self.slots.find(hash, |slot| slot.key == *key).is_none() {
            if self.slots.len() >= quota.keys {
                self.forget(hashing, quota.horizon, usize::MAX, key);
            }
            if self.slots.len() >= quota.keys {
                self.missed.extend(at, Why::Quota);
                return None;
            }
            self.expiry.push_back((at.at, key.clone()));
            let slot = Slot { key: key.clone(), newest: at.at, value: make(missed) };
            let rehash = |slot: &Slot<V>| hashing.of(slot.key.as_slice());
            return Some(self.slots.insert_unique(hash, slot, rehash).into_mut());
        }
        self.slots.find_mut(hash, |slot| slot.key == *key)
    }

    /// Whether `take_in` would find room for a new key.
    pub fn has_room(&self, hashing: &Hashing, quota: Quota) -> bool {
        let mut candidates = self.expiry.iter().take_while(|(newest, _)| *newest <= quota.horizon);
        self.slots.len() < quota.keys
            || candidates.any(|(_, key)| self.get(hashing, key).is_none_or(|slot| slot.newest <= quota.horizon))
    }

    /// Forgets keys without an event after the horizon, looking at no more than `most` of them and sparing one. A key
    /// that had newer events since it was queued goes to the end of the queue, so each event costs at most one look.
    fn forget(&mut self, hashing: &Hashing, horizon: i64, most: usize, spared: &Key) {
        for _ in 0..most.min(self.expiry.len()) {
            let Some((_, key)) = self.expiry.pop_front_if(|(newest, _)| *newest <= horizon) else { return };
            let found = self.slots.find_entry(hashing.of(key.as_slice()), |slot| slot.key == key);
            let Ok(found) = found else { continue };
            let newest = found.get().newest;
            if newest > horizon || key == *spared {
                self.expiry.push_back((newest, key));
            } else {
                found.remove();
                self.missed.extend(Position { at: newest, seq: u64::MAX }, Why::Saturated);
            }
        }
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.slots.iter().map(|slot| &slot.value)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.slots.iter_mut().map(|slot| &mut slot.value)
    }

    /// The same keys with other values.
    pub fn map_values<W>(self, hashing: &Hashing, mut f: impl FnMut(V) -> W) -> Shelf<W> {
        let mut slots = HashTable::with_capacity(self.slots.len());
        let rehash = |slot: &Slot<W>| hashing.of(slot.key.as_slice());
        for Slot { key, newest, value } in self.slots {
            let slot = Slot { key, newest, value: f(value) };
            slots.insert_unique(rehash(&slot), slot, rehash);
        }
        Shelf { slots, expiry: self.expiry, missed: self.missed }
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// The memory taken, apart from what the values have on the heap.
    pub fn bytes(&self) -> usize {
        let keys = self.slots.iter().map(|slot| slot.key.heap()).sum::<usize>();
        self.slots.allocation_size() + keys + self.expiry.capacity() * size_of::<(i64, Key)>()
    }
}
