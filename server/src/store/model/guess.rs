use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{TenantId, UserId};
use crate::store::StoreError;

/// A recovery code that somebody typed, counted before it is looked at (T-33, I10).
#[derive(Debug, Clone)]
pub struct NewGuess {
    /// Whose user.
    pub tenant: TenantId,
    /// For whom it was typed.
    pub user: UserId,
    /// A fresh random UUID: the count's name in the log, if this is the user's first.
    pub pseudonym: Uuid,
    /// How many are looked at.
    pub limit: GuessLimit,
    /// When.
    pub at: Timestamp,
}

/// How many may be typed at once, and how soon one is forgiven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuessLimit {
    /// At once.
    pub burst: u32,
    /// The time after which one more may come.
    pub each: SignedDuration,
}

impl GuessLimit {
    /// Counts one more: `forgiven_at` is when all of before would be forgiven, and the answer when all will be (GCRA's
    /// theoretical arrival time). `Err` says from when on one more may come; it counts nothing.
    ///
    /// ```
    /// # use server::store::GuessLimit;
    /// # use jiff::{SignedDuration, Timestamp};
    /// let limit = GuessLimit { burst: 2, each: SignedDuration::from_mins(1) };
    /// let now = Timestamp::UNIX_EPOCH;
    /// let one = limit.count(now, now).expect("the first");
    /// let two = limit.count(one, now).expect("the second");
    /// assert_eq!(limit.count(two, now), Err(now + SignedDuration::from_mins(1)));
    /// ```
    pub fn count(self, forgiven_at: Timestamp, now: Timestamp) -> Result<Timestamp, Timestamp> {
        let after = |at: Timestamp, times: u32| {
            let times = i32::try_from(times).unwrap_or(i32::MAX);
            let step = self.each.checked_mul(times).unwrap_or(SignedDuration::MAX);
            at.saturating_add(step).unwrap_or(Timestamp::MAX)
        };
        let next = after(forgiven_at.max(now), 1);
        if next > after(now, self.burst.max(1)) {
            let full = self.each.checked_mul(i32::try_from(self.burst.max(1)).unwrap_or(i32::MAX));
            return Err(next.saturating_sub(full.unwrap_or(SignedDuration::MAX)).unwrap_or(now));
        }
        Ok(next)
    }
}

/// Why a code is not looked at.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GuessError {
    /// Too many were typed for this user.
    #[error("too many codes were typed for this user")]
    TooMany {
        /// From when on one more may come.
        again_at: Timestamp,
    },
    /// The store could not write.
    #[error(transparent)]
    Store(#[from] StoreError),
}
