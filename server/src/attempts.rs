//! Attempts under way: a second one with the same idempotency key waits for the first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::store::DecisionKey;

type Door = Arc<tokio::sync::Mutex<()>>;

/// Which keys are being decided right now. Cloning shares it.
#[derive(Clone, Default)]
pub struct Attempts(Arc<Mutex<HashMap<DecisionKey, Door>>>);

/// The right to decide under one key; others wait until it is dropped.
pub struct Attempt {
    attempts: Attempts,
    key: DecisionKey,
    door: Option<(Door, OwnedMutexGuard<()>)>,
}

impl Attempts {
    /// Waits until nobody else decides under this key.
    pub async fn begin(&self, key: &DecisionKey) -> Attempt {
        let door = self.lock().entry(key.clone()).or_default().clone();
        let guard = door.clone().lock_owned().await;
        Attempt { attempts: self.clone(), key: key.clone(), door: Some((door, guard)) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<DecisionKey, Door>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let Some((door, guard)) = self.door.take() else { return };
        let mut doors = self.attempts.lock();
        drop(guard);
        // The map's copy and ours: nobody waits, and nobody can begin to while the map is locked.
        if Arc::strong_count(&door) == 2 {
            doors.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use challenge::{ActionCode, IdempotencyKey, TenantId, UserId};

    fn key(text: &str) -> DecisionKey {
        DecisionKey {
            tenant: TenantId::parse("t").expect("an id"),
            user: UserId::parse("u").expect("an id"),
            action: ActionCode::parse("a").expect("a code"),
            idempotency_key: IdempotencyKey::parse(text).expect("a key"),
        }
    }

    #[tokio::test]
    async fn the_second_waits_for_the_first_and_nothing_is_remembered_afterwards() {
        let attempts = Attempts::default();
        let first = attempts.begin(&key("k")).await;
        let waiting = tokio::spawn({
            let attempts = attempts.clone();
            async move { drop(attempts.begin(&key("k")).await) }
        });
        drop(attempts.begin(&key("other")).await);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        waiting.await.expect("the second got its turn");
        assert!(attempts.lock().is_empty());
    }
}
