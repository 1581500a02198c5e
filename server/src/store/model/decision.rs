use std::collections::BTreeMap;
use std::fmt;

use engine::outcome::Outcome;
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    ActionCode, ChallengeId, CredentialId, IdempotencyKey, NewChallenge, NewDevice, NewListEntry, Seq, TenantId,
    Transitioned, UserAttributes, UserId,
};
use crate::store::StoreError;

/// A decision's name: a UUID version 7, chosen before the decision is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DecisionId(pub Uuid);

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// What became of the action so far, as the wire spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The wire's own words, listed by `as_str`.
pub enum ActionState {
    Allow,
    Block,
    ChallengeRequired,
    ChallengeSucceeded,
    ChallengeFailed,
    ReviewRequired,
    ReviewSucceeded,
    ReviewFailed,
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// Every value, in order.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// The stored and transmitted spelling.
            pub fn as_str(self) -> &'static str {
                match self { $($type::$variant => $word),+ }
            }

            /// Reads the spelling of [`Self::as_str`]; anything else is `None`.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some($type::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(super) use words;

words!(ActionState {
    Allow = "ALLOW",
    Block = "BLOCK",
    ChallengeRequired = "CHALLENGE_REQUIRED",
    ChallengeSucceeded = "CHALLENGE_SUCCEEDED",
    ChallengeFailed = "CHALLENGE_FAILED",
    ReviewRequired = "REVIEW_REQUIRED",
    ReviewSucceeded = "REVIEW_SUCCEEDED",
    ReviewFailed = "REVIEW_FAILED",
});

/// Everything there is to write down about one decision; [`crate::store::Store::record_decision`] takes it.
#[derive(Debug, Clone)]
pub struct NewDecision {
    /// Whose decision it is.
    pub tenant: TenantId,
    /// Its name, a fresh UUID version 7.
    pub id: DecisionId,
    /// Who acts.
    pub user: UserId,
    /// What they try to do.
    pub action: ActionCode,
    /// The caller's key, or one the server made up. Unique per (tenant, user, action).
    pub idempotency_key: IdempotencyKey,
    /// SHA-256 of the request that led here: a repeat with another body is a conflict, not a replay.
    pub body_hash: [u8; 32],
    /// What the policies said.
    pub outcome: Outcome,
    /// The action's first state, `ALLOW`, `BLOCK` or `CHALLENGE_REQUIRED`.
    pub state: ActionState,
    /// Content hash of the pack that decided, `sha256:…`.
    pub policy_version: String,
    /// Names of the rules that matched.
    pub rules: Vec<String>,
    /// Reason codes.
    pub reasons: Vec<String>,
    /// Flags raised (`review`, …).
    pub flags: Vec<String>,
    /// Further facts for the audit leaf. Must hold nothing personal: leaves are for ever.
    pub facts: BTreeMap<String, String>,
    /// When it was decided.
    pub created_at: Timestamp,
    /// The event in the journal's line format, from which history is rebuilt. Personal; erasable.
    pub event_line: String,
    /// The replay input (signals, verdict, versions) as JSON text. Personal; erasable.
    pub record: String,
    /// What the caller was told, for idempotent repeats. JSON text.
    pub answer: String,
    /// The challenge that goes with it, recorded in the same transaction.
    pub challenge: Option<NewChallenge>,
    /// List entries the matched rules add, recorded in the same transaction.
    pub list_effects: Vec<NewListEntry>,
    /// The device it was asked from, if it may be the first time.
    pub device: Option<NewDevice>,
    /// What the backend said of the user along with it, if that is news.
    pub about_user: Option<UserAttributes>,
}

/// A decision as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // Fields mean what they mean in `NewDecision`.
pub struct Decision {
    pub tenant: TenantId,
    pub id: DecisionId,
    pub user: UserId,
    pub action: ActionCode,
    pub idempotency_key: IdempotencyKey,
    pub body_hash: [u8; 32],
    pub outcome: Outcome,
    pub state: ActionState,
    pub policy_version: String,
    pub rules: Vec<String>,
    pub reasons: Vec<String>,
    pub flags: Vec<String>,
    pub created_at: Timestamp,
    pub state_updated_at: Timestamp,
    /// The challenge issued with it, if any.
    pub challenge: Option<ChallengeId>,
    /// How the user proved themself, in the wire's words (`QR_CODE`), once they did.
    pub verification_method: Option<String>,
    /// With which credential.
    pub verified_by: Option<CredentialId>,
    pub answer: String,
    /// The audit entry that last described this row.
    pub seq: Seq,
}

/// The wire's name for a decision.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct DecisionKey {
    pub tenant: TenantId,
    pub user: UserId,
    pub action: ActionCode,
    pub idempotency_key: IdempotencyKey,
}

/// Proof that a decision is durable. Only the store makes one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recorded {
    /// Which decision.
    pub id: DecisionId,
    /// Its audit entry.
    pub seq: Seq,
    /// The challenge recorded with it.
    pub challenge: Option<ChallengeId>,
}

/// Why a decision was not recorded. Nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RecordError {
    /// (tenant, user, action, idempotency key) already has this decision. Compare `body_hash` to tell a repeat from a conflict.
    #[error("the idempotency key was used before")]
    Duplicate(Box<Decision>),
    /// The store could not write.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A change of an action's state from outside (`PATCH` on the wire).
#[derive(Debug, Clone)]
pub struct StateChange {
    /// Which action.
    pub key: DecisionKey,
    /// Its new state.
    pub state: ActionState,
    /// Who asked: an API key id, `system`. Must not name a person.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// What a change of state from outside came to.
#[derive(Debug, Clone)]
pub struct StateChanged {
    /// The decision as it is now.
    pub decision: Decision,
    /// The challenges that asked for the action until then.
    pub superseded: Vec<Transitioned>,
}

/// Why a state was not changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StateChangeError {
    /// There is no such action in this tenant.
    #[error("there is no such action")]
    NotFound,
    /// The store could not write.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which decisions to list; an empty filter lists all of the tenant, newest first.
#[derive(Debug, Clone, Default)]
pub struct DecisionFilter {
    /// Of this user.
    pub user: Option<UserId>,
    /// With one of these actions; empty means any.
    pub actions: Vec<ActionCode>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// In this state.
    pub state: Option<ActionState>,
    /// That this rule had a part in.
    pub rule: Option<String>,
    /// With this reason code.
    pub reason: Option<String>,
    /// Created at or after.
    pub from: Option<Timestamp>,
    /// Created before.
    pub to: Option<Timestamp>,
}
