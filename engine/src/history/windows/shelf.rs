//! A map with a quota that forgets only what no longer matters.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

use super::super::position::{Lost, Position};
use crate::maybe::Why;

/// Values by key. A key whose newest event is older than a horizon may go; at the quota a new key is refused rather
/// than a live one forgotten.
#[derive(Clone, Debug)]
pub(super) struct Shelf<K, V> {
    slots: HashMap<K, Slot<V>>,
    /// The newest event of each key when it was last looked at, about in order.
    expiry: VecDeque<(i64, K)>,
    /// What a key that is new may have missed, because it was forgotten or refused.
    pub missed: Lost,
}

#[derive(Clone, Debug)]
struct Slot<V> {
    newest: i64,
    value: V,
}

/// How long keys stay, and how many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    /// A key with no event after this may go.
    pub horizon: i64,
    pub keys: usize,
}

impl<K: Clone + Eq + Hash, V> Shelf<K, V> {
    pub fn new() -> Shelf<K, V> {
        Shelf { slots: HashMap::new(), expiry: VecDeque::new(), missed: Lost::NOTHING }
    }

    pub fn get<Q: ?Sized + Eq + Hash>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.slots.get(key).map(|slot| &slot.value)
    }

    pub fn get_mut<Q: ?Sized + Eq + Hash>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.slots.get_mut(key).map(|slot| &mut slot.value)
    }

    /// The value under the key of an event at `at`, made if the key is new; `None` if there is no room for it, which
    /// is noted. The newest event of the key comes with it.
    pub fn take_in(
        &mut self,
        key: &K,
        at: Position,
        quota: Quota,
        make: impl FnOnce(Lost) -> V,
    ) -> Option<(&mut V, i64)> {
        // What makes room now was some other key, so this one has not missed it.
        let missed = self.missed;
        self.forget(quota.horizon, 2, key);
        if !self.slots.contains_key(key) {
            if self.slots.len() >= quota.keys {
                self.forget(quota.horizon, usize::MAX, key);
            }
            if self.slots.len() >= quota.keys {
                self.missed.extend(at, Why::Quota);
                return None;
            }
            self.expiry.push_back((at.at, key.clone()));
            self.slots.insert(key.clone(), Slot { newest: at.at, value: make(missed) });
        }
        let slot = self.slots.get_mut(key)?;
        slot.newest = slot.newest.max(at.at);
        Some((&mut slot.value, slot.newest))
    }

    /// Whether `take_in` would find room for a new key.
    pub fn has_room(&self, quota: Quota) -> bool {
        let mut candidates = self.expiry.iter().take_while(|(newest, _)| *newest <= quota.horizon);
        self.slots.len() < quota.keys
            || candidates.any(|(_, key)| self.slots.get(key).is_none_or(|slot| slot.newest <= quota.horizon))
    }

    /// Forgets keys without an event after the horizon, looking at no more than `most` of them and sparing one. A key
    /// that had newer events since it was queued goes to the end of the queue, so each event costs at most one look.
    fn forget(&mut self, horizon: i64, most: usize, spared: &K) {
        for _ in 0..most.min(self.expiry.len()) {
            let Some((_, key)) = self.expiry.pop_front_if(|(newest, _)| *newest <= horizon) else { return };
            match self.slots.get(&key).map(|slot| slot.newest) {
                Some(newest) if newest > horizon || key == *spared => self.expiry.push_back((newest, key)),
                Some(newest) => {
                    self.slots.remove(&key);
                    self.missed.extend(Position { at: newest, seq: u64::MAX }, Why::Saturated);
                }
                None => {}
            }
        }
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.slots.values().map(|slot| &slot.value)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.slots.values_mut().map(|slot| &mut slot.value)
    }

    /// The same keys with other values.
    pub fn map_values<W>(self, mut f: impl FnMut(V) -> W) -> Shelf<K, W> {
        let slots = self.slots.into_iter().map(|(key, Slot { newest, value })| (key, Slot { newest, value: f(value) }));
        Shelf { slots: slots.collect(), expiry: self.expiry, missed: self.missed }
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<(K, Slot<V>)>() + self.expiry.capacity() * size_of::<(i64, K)>()
    }
}
