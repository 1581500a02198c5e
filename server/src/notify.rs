//! Tells waiting screens what became of a challenge.
//!
//! In-process and after the commit only: a message here is a hint to look, never the truth. The
//! store is the truth, which is why a screen that polls sees the same as one that listens.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use challenge::ChallengeId;
use futures_channel::mpsc::UnboundedSender;

/// A committed change of a challenge's state.
#[derive(Clone, Debug)]
pub struct Change {
    /// The challenge that changed.
    pub challenge: ChallengeId,
    /// The state it is in now, as the wire spells it.
    pub state: &'static str,
    /// Whether its claimer must type a match code, which the screen then fetches and shows.
    pub asks_code: bool,
}

/// Hands committed changes to whoever watches the challenge. Cheap to clone.
#[derive(Clone, Default)]
pub struct Notifier {
    watchers: Arc<Mutex<HashMap<ChallengeId, Vec<Watcher>>>>,
}

struct Watcher {
    number: u64,
    changes: UnboundedSender<Change>,
}

impl Notifier {
    /// Sends each later change of the challenge to `changes`, until the returned guard is dropped.
    ///
    /// Watch first and read the state afterwards: the other order can miss a change.
    #[must_use = "watching ends when the guard is dropped"]
    pub fn watch(&self, challenge: ChallengeId, changes: UnboundedSender<Change>) -> Watch {
        let mut watchers = self.lock();
        let list = watchers.entry(challenge).or_insert_with(|| Vec::with_capacity(1));
        let number = list.last().map_or(0, |last| last.number + 1);
        list.push(Watcher { number, changes });
        Watch { notifier: self.clone(), challenge, number }
    }

    /// Tells the watchers, and waits for none of them. Call after the commit.
    pub fn publish(&self, change: &Change) {
        let watchers = self.lock();
        for watcher in watchers.get(&change.challenge).into_iter().flatten() {
            if watcher.changes.unbounded_send(change.clone()).is_err() {
                tracing::debug!(challenge = %change.challenge, "a watcher has just left");
            }
        }
    }

    /// How many challenges are watched now.
    pub fn watched(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ChallengeId, Vec<Watcher>>> {
        // Every critical section above leaves the map whole, so a poisoned lock is still good.
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One watcher's registration; dropping it ends the watching.
pub struct Watch {
    notifier: Notifier,
    challenge: ChallengeId,
    number: u64,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watchers = self.notifier.lock();
        if let Some(list) = watchers.get_mut(&self.challenge) {
            list.retain(|watcher| watcher.number != self.number);
            if list.is_empty() {
                watchers.remove(&self.challenge);
            }
        }
    }
}
