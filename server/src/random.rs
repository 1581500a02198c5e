//! Where the server gets its unguessable bytes: the operating system, or in tests a seeded generator.

use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SecureRandom;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use uuid::Uuid;

/// The server's dice. Cloning shares the source.
#[derive(Clone)]
pub struct Random(Source);

#[derive(Clone)]
enum Source {
    System(aws_lc_rs::rand::SystemRandom),
    Seeded(Arc<Mutex<ChaCha20Rng>>),
}

impl Random {
    /// The operating system's generator: the only one used outside tests.
    pub fn system() -> Random {
        Random(Source::System(aws_lc_rs::rand::SystemRandom::new()))
    }

    /// A repeatable stream, for tests and simulations only.
    pub fn seeded(seed: u64) -> Random {
        Random(Source::Seeded(Arc::new(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))))
    }

    /// Fills `bytes` with random bytes.
    ///
    /// # Panics
    /// If the operating system has no randomness to give: nothing safe can be done without it.
    pub fn fill(&self, bytes: &mut [u8]) {
        match &self.0 {
            Source::System(system) => system.fill(bytes).expect("the operating system gives random bytes"),
            Source::Seeded(rng) => rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner).fill_bytes(bytes),
        }
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A random secret as text: base64url without padding of `N` random bytes.
    pub fn text<const N: usize>(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes::<N>())
    }

    /// A random UUID (version 4): an id nobody can guess.
    pub fn uuid_v4(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// A time-ordered UUID (version 7): an id that sorts by when it was made.
    pub fn uuid_v7(&self, now: Timestamp) -> Uuid {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use challenge::ChallengeId;

    use super::*;

    #[test]
    fn t18_a_million_challenge_ids_are_well_formed_differ_and_favour_no_byte() {
        const IDS: usize = 1_000_000;
        let random = Random::system();
        let mut seen = HashSet::with_capacity(IDS);
        let mut counts = [0_u32; 256];
        for _ in 0..IDS {
            let id = ChallengeId::from_random(random.bytes());
            assert_eq!(ChallengeId::parse(&id.to_string()), Ok(id));
            for (place, byte) in id.as_bytes().iter().enumerate() {
                // Version and variant are fixed, and stand in these two.
                if place != 6 && place != 8 {
                    counts[usize::from(*byte)] += 1;
                }
            }
            assert!(seen.insert(*id.as_bytes()), "{id} came twice");
        }
        // 255 degrees of freedom: above 481 less than once in 10^15 runs, and at once for a generator that is broken.
        let expected = (IDS * 14) as f64 / 256.0;
        let chi: f64 = counts.iter().map(|n| (f64::from(*n) - expected).powi(2) / expected).sum();
        assert!(chi < 481.0, "chi-square {chi:.0}");
    }
}
