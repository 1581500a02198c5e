//! How much history may take.

use serde::{Deserialize, Serialize};

/// How far history reaches back: 400 days, in milliseconds. No window of a pack is longer.
pub const RETENTION_MS: i64 = 400 * 86_400_000;

/// The bounds of one tenant's history. Reaching one makes answers wider or unknown, never wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Nothing older than this is looked at, in milliseconds.
    pub retention_ms: i64,
    /// Keys in each set of windows that share their `by`, and users whose `previous` is known.
    pub keys: usize,
    /// Amounts kept one by one under a key where the threshold does not say fewer; older ones are summarised in at
    /// most 64 parts. Also the values kept for a `count(distinct …)` that is compared with no constant.
    pub entries: usize,
    /// The most values or timestamps a threshold may ask to keep under a key.
    pub threshold: usize,
    /// Undecided events kept one by one under a key for filters on the status, and under a user for `previous` and
    /// `last_verified`.
    pub pending: usize,
    /// Events of which the reference is remembered: a retry among them is recognised, and an undecided one settled.
    pub references: usize,
    /// Entries that left a window are kept this much longer, in milliseconds, so that late events are judged exactly.
    pub lateness_ms: i64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            retention_ms: RETENTION_MS,
            keys: 1_000_000,
            entries: 1_024,
            threshold: 65_536,
            pending: 256,
            references: 65_536,
            lateness_ms: 600_000,
        }
    }
}
