//! A result token counts once (I6, T-56).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long the same caller gets the same answer again: stock server SDKs send a validation twice after a lost reply.
pub const RETRY_WINDOW: SignedDuration = SignedDuration::from_secs(60);

/// Whether a token's `jti` was used, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TokenUse {
    /// Nobody has validated it.
    Unused,
    /// It was validated.
    Used {
        /// When first.
        at: Timestamp,
        /// By whom: the API key's id.
        by: String,
    },
}

/// What a validation finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redemption {
    /// The first use; store the new [`TokenUse`] by compare-and-set before answering.
    First(TokenUse),
    /// The same caller again within [`RETRY_WINDOW`]: the same answer, flagged `alreadyValidated`.
    Retry,
    /// Used up: `isValid` is false.
    Spent,
}

impl TokenUse {
    /// Validates a token for `caller`.
    pub fn redeem(&self, caller: &str, now: Timestamp) -> Redemption {
        match self {
            Self::Unused => Redemption::First(Self::Used { at: now, by: caller.to_owned() }),
            Self::Used { at, by } if by == caller && now.duration_since(*at) < RETRY_WINDOW => Redemption::Retry,
            Self::Used { .. } => Redemption::Spent,
        }
    }
}
