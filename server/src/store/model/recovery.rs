use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

use super::decision::words;
use super::{CredentialId, Decision, DecisionId, Seq, TenantId, Transitioned, UserId};
use crate::store::StoreError;

/// The wire's word for how a user proved themself with a recovery code.
pub const RECOVERY_CODE: &str = "RECOVERY_CODE";

/// Our own random name of a recovery code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecoveryCodeId(pub Uuid);

impl fmt::Display for RecoveryCodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Recovery codes that are issued together, as hashes.
#[derive(Clone)]
pub struct NewRecoveryCodes {
    /// The name of them all.
    pub batch: Uuid,
    /// The salt of their hashes.
    pub code_salt: [u8; 16],
    /// A fresh random id and the hash of each code.
    pub codes: Vec<(RecoveryCodeId, [u8; 32])>,
}

/// One recovery code as it stands now.
#[derive(Clone)]
#[allow(missing_docs)] // Fields mean what they mean in `NewRecoveryCodes`.
pub struct RecoveryCode {
    pub tenant: TenantId,
    pub id: RecoveryCodeId,
    pub batch: Uuid,
    pub user: UserId,
    pub code_salt: [u8; 16],
    pub hash: [u8; 32],
    pub issued_at: Timestamp,
    /// When it was used or withdrawn.
    pub ended_at: Option<Timestamp>,
    /// What it was used for; `None` while it is good, and for ever if it was withdrawn.
    pub used_for: Option<(RecoveryPurpose, DecisionId)>,
    /// The phone it let in.
    pub credential: Option<CredentialId>,
    /// The audit entry that last described this row.
    pub seq: Seq,
}

/// What one code is good for; each is used for one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecoveryPurpose {
    /// It stands in for the phone in one challenge.
    Approval,
    /// It lets one new phone in.
    Enrolment,
}

words!(RecoveryPurpose { Approval = "approval", Enrolment = "enrolment" });

/// A recovery code to use.
#[derive(Debug, Clone)]
pub struct RecoveryCodeUse {
    /// Whose.
    pub tenant: TenantId,
    /// Which code; it was found by its hash.
    pub code: RecoveryCodeId,
    /// What for.
    pub purpose: RecoveryPurpose,
    /// The attempt that is confirmed, or whose token showed the code.
    pub decision: DecisionId,
    /// When.
    pub at: Timestamp,
}

/// A code that was used, durable.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RecoveryCodeUsed {
    /// The attempt; after an approval in state `CHALLENGE_SUCCEEDED`.
    pub decision: Decision,
    /// Challenges that were taken back because of it.
    pub cancelled: Vec<Transitioned>,
    /// How many codes the user has left.
    pub left: u64,
    /// The same use came before; nothing was written.
    pub repeated: bool,
}

/// Why a code was not used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RecoveryCodeError {
    /// There is no such code, or it was used or withdrawn.
    #[error("the recovery code is not valid any more")]
    Spent,
    /// There is nothing to approve.
    #[error("there is no challenge to pass")]
    NotAsked,
    /// The store could not write.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An administrator takes everything from a user that could approve, and permits one new enrolment.
#[derive(Debug, Clone)]
pub struct NewReset {
    /// Whose user.
    pub tenant: TenantId,
    /// A fresh random UUID.
    pub id: Uuid,
    /// Who is reset.
    pub user: UserId,
    /// Why, in the administrator's words.
    pub reason: String,
    /// Who decided it, in the administrator's words.
    pub author: String,
    /// With which API key. Must not name a person.
    pub actor: String,
    /// The caller's key: the same one again finds the first reset.
    pub idempotency_key: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Until when one phone may be enrolled.
    pub permitted_until: Timestamp,
}

/// A reset as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // Fields mean what they mean in `NewReset`.
pub struct Reset {
    pub tenant: TenantId,
    pub id: Uuid,
    pub user: UserId,
    pub reason: String,
    pub author: String,
    pub actor: String,
    pub idempotency_key: Option<String>,
    pub at: Timestamp,
    pub permitted_until: Timestamp,
    /// The phone that was enrolled after it.
    pub credential: Option<CredentialId>,
    /// The audit entry that last described this row.
    pub seq: Seq,
}

/// What a reset came to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ResetDone {
    /// The reset: the new one, or the one that this repeats.
    pub reset: Reset,
    /// How many phones were revoked.
    pub credentials: u64,
    /// How many recovery codes were withdrawn.
    pub codes: u64,
    /// Challenges that were taken back.
    pub cancelled: Vec<Transitioned>,
    /// It repeats an earlier one; nothing was written.
    pub repeated: bool,
}

/// Where a user stands with recovery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryStanding {
    /// Codes that are good.
    pub codes_left: u64,
    /// The newest reset after which no phone was enrolled yet.
    pub pending_reset: Option<Reset>,
    /// Whether a phone was ever enrolled for the user.
    pub had_phone: bool,
}

impl RecoveryStanding {
    /// Whether a user without a phone may enrol one with no more than the token of `track`: the first one ever, or the one
    /// that a reset permits. Whoever holds codes shows one; a reset's permission ends.
    pub fn admits(&self, now: Timestamp) -> bool {
        match &self.pending_reset {
            Some(reset) => now < reset.permitted_until,
            None => self.codes_left == 0 || !self.had_phone,
        }
    }
}

/// Whether a token made in this second is from before everything was last taken from its user. Tokens count in whole seconds: one of
/// the same second is let be.
pub fn is_outdated(made_at_s: i64, began_anew: Option<Timestamp>) -> bool {
    began_anew.is_some_and(|began_anew| made_at_s < began_anew.as_second())
}
