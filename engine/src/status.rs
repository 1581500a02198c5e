//! How an event ended, as history remembers it.

use serde::{Deserialize, Serialize};

/// The status of an event in history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Observed, not yet decided (or decided and not yet settled).
    Pending,
    /// Let through.
    Allowed,
    /// Refused.
    Blocked,
    /// A challenge is open.
    Challenged,
    /// The challenge was passed.
    Verified,
    /// The challenge was rejected on the phone.
    Declined,
    /// The challenge ran out.
    Expired,
}

impl Status {
    /// Every status, in the order used by [`Status::index`].
    pub const ALL: [Status; 7] = [
        Status::Pending,
        Status::Allowed,
        Status::Blocked,
        Status::Challenged,
        Status::Verified,
        Status::Declined,
        Status::Expired,
    ];

    /// The position in [`Status::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Status::Pending => 0,
            Status::Allowed => 1,
            Status::Blocked => 2,
            Status::Challenged => 3,
            Status::Verified => 4,
            Status::Declined => 5,
            Status::Expired => 6,
        }
    }

    /// Whether the action went through: allowed, verified, or pending, since an in-flight sibling
    /// counts as if it went through.
    #[must_use]
    pub fn completed(self) -> bool {
        match self {
            Status::Pending | Status::Allowed | Status::Verified => true,
            Status::Blocked | Status::Challenged | Status::Declined | Status::Expired => false,
        }
    }

    /// The word used in rules, streams and logs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Allowed => "allowed",
            Status::Blocked => "blocked",
            Status::Challenged => "challenged",
            Status::Verified => "verified",
            Status::Declined => "declined",
            Status::Expired => "expired",
        }
    }

    /// The status with this name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.word() == word)
    }
}
