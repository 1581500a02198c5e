//! How ids that come from outside are hashed.

use std::hash::{BuildHasher, Hasher};

use super::atom::Key;

/// A keyed hash: without the seed nobody can choose ids that collide. Answers do not depend on it.
#[derive(Clone, Debug)]
pub(super) struct Hashing(ahash::RandomState);

impl Hashing {
    pub fn seeded([a, b, c, d]: [u64; 4]) -> Hashing {
        Hashing(ahash::RandomState::with_seeds(a, b, c, d))
    }

    /// The key with its hash.
    pub fn key(&self, key: Key) -> (u64, Key) {
        (self.of(key.as_slice()), key)
    }

    pub fn of(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }

    /// The hash of two texts, neither of which can pass for a part of the other.
    pub fn of_both(&self, one: &str, other: &str) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(one.as_bytes());
        hasher.write(other.as_bytes());
        hasher.finish()
    }
}

impl Default for Hashing {
    fn default() -> Hashing {
        Hashing::seeded([1, 2, 3, 4])
    }
}
