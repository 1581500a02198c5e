//! A challenge: what was frozen when it was made, and where its life stands.
//!
//! `generated → claimed → approved | rejected`, and from any open state `→ expired | superseded`. A state owns the facts
//! that are true in it. The transitions are in [`crate::claim`], [`crate::answer`] and [`crate::retire`]; nothing else
//! makes a new state, and none of them touches [`Frozen`] (I9).

use std::fmt;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::context::{self, ContextBytes, ContextError};
use crate::credential::KeyProtection;
use crate::id::{
    ActionCode, ChallengeId, ClaimNonce, CredentialId, DeviceCodeHash, IdempotencyKey, MatchCode, TenantId, UserId,
};
use crate::signature::SignatureR;

/// No challenge lives longer (NIST SP 800-63B-4 out-of-band authenticators: at most ten minutes).
pub const LONGEST_LIFE: SignedDuration = SignedDuration::from_secs(600);

/// A challenge at one moment: frozen facts, state, and the version that compare-and-set compares.
#[derive(Debug, Clone)]
pub struct Challenge {
    pub(crate) frozen: Frozen,
    pub(crate) state: State,
    pub(crate) version: u32,
}

/// What was decided when the challenge was made. Public to read, but a [`Challenge`] only ever lends it immutably.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Frozen {
    /// Whose it is; every look-up compares it (I11).
    pub tenant: TenantId,
    /// Its name, and the compat QR.
    pub id: ChallengeId,
    /// How it reaches the phone.
    pub kind: Kind,
    /// What the user tries to do.
    pub action: ActionCode,
    /// Which attempt at it.
    pub idempotency_key: IdempotencyKey,
    /// Who may answer.
    pub subject: Subject,
    /// Where the screen is.
    pub origin: Origin,
    /// The action's data that the phone may see.
    pub custom: Map<String, Value>,
    /// What the policy asks of the key.
    pub level: Level,
    /// The fields an approval is bound to, as display text (dynamic linking, RTS Art. 5).
    pub bind: Vec<Detail>,
    /// The fields shown beside them.
    pub show: Vec<Detail>,
    /// The very bytes a version 2 phone shows and signs.
    pub context: ContextBytes,
    /// The oldest way of signing that this challenge takes.
    pub minimum_protocol: Protocol,
    /// For a polling screen: the hash of its device code.
    pub device_code: Option<DeviceCodeHash>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From this instant on it can be neither claimed nor answered; there is no grace (T-07).
    pub expires_at: Timestamp,
    /// How many wrong match codes end it.
    pub attempts_allowed: u8,
}

/// How a challenge reaches the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A QR code on the screen.
    Qr,
}

/// Who may answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Subject {
    /// Only this user (I8).
    Identified(UserId),
    /// Whoever claims it; the claim says who that is.
    Anonymous,
}

/// What the policy asks of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// Having the device.
    Possession,
    /// Having the device and proving to it who holds it.
    Biometric,
}

/// How the phone signs; the order is from weaker to stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Protocol {
    /// The bare challenge id, as stock SDKs do.
    Compat,
    /// Our line messages with purpose, context and decision.
    V2,
}

/// Where the screen is that shows the QR.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Origin {
    /// Its address.
    pub ip: Option<IpAddr>,
    /// Its `User-Agent`, as sent.
    pub user_agent: Option<String>,
    /// A readable name of the device (`Firefox on Linux`).
    pub device: Option<String>,
    /// Where the address is thought to be.
    pub place: Option<OriginPlace>,
}

/// A place in words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OriginPlace {
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// The region's name.
    pub region: Option<String>,
    /// The city's name.
    pub city: Option<String>,
}

/// One field as the phone shows it: `amount` → `20.00 EUR`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Detail {
    /// The field's name in the action.
    pub field: String,
    /// Its value in words.
    pub value: String,
}

/// Where a challenge's life stands.
#[derive(Debug, Clone)]
pub enum State {
    /// Shown, not yet scanned (`unclaimed` on the wire).
    Generated,
    /// One credential has it, for good (I1).
    Claimed(Claim),
    /// The claimer said yes.
    Approved {
        /// Who had it.
        claim: Claim,
        /// What was said and with which signature.
        answer: Answer,
    },
    /// It will not be approved.
    Rejected {
        /// Who had it.
        claim: Claim,
        /// When it ended.
        at: Timestamp,
        /// Why.
        reason: Rejection,
    },
    /// Nobody answered in time.
    Expired {
        /// When that was noticed.
        at: Timestamp,
        /// Who had it, if anybody.
        claim: Option<Claim>,
    },
    /// It was taken back.
    Superseded {
        /// When.
        at: Timestamp,
        /// Why.
        reason: Supersession,
        /// Who had it, if anybody.
        claim: Option<Claim>,
    },
}

/// The facts of a successful claim.
#[derive(Clone)]
pub struct Claim {
    /// The one credential that may answer.
    pub by: CredentialId,
    /// Its user: for an anonymous challenge, who it is now about.
    pub user: UserId,
    /// When.
    pub at: Timestamp,
    /// Handed to the claimer; its version 2 answer repeats it.
    pub nonce: ClaimNonce,
    /// How the claim was signed, and the answer must be.
    pub protocol: Protocol,
    /// Whether the QR was proven to be on a screen moments before.
    pub freshness: Freshness,
    /// Digits to type, when the claim-time policy asked for them.
    pub match_code: Option<MatchCode>,
    /// How many wrong codes were typed; it never decreases (I10).
    pub wrong_codes: u8,
    /// The `r` of every compat signature seen for this challenge: none of them may answer (T-09).
    pub spent: Vec<SignatureR>,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("by", &self.by)
            .field("user", &self.user)
            .field("at", &self.at)
            .field("protocol", &self.protocol)
            .field("freshness", &self.freshness)
            .field("wrong_codes", &self.wrong_codes)
            .field("spent", &self.spent.len())
            .finish_non_exhaustive()
    }
}

/// What the claim proved about the QR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Freshness {
    /// Nothing: the id alone was scanned.
    Unknown,
    /// The rolling code was on the screen within the last 30 seconds.
    Rolling,
}

/// The facts of an approval: enough for a stranger to verify it again (T-61).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Answer {
    /// When.
    pub at: Timestamp,
    /// The phone's signature, base64 of its DER. A finished challenge takes no other, so it opens nothing.
    pub signature: String,
    /// SHA-256 of the message it signs, base64url.
    pub message_hash: String,
    /// The signature repeats the claim's `r`: a deterministic signer, or a replay that cannot be told from one.
    pub repeats_claim: bool,
    /// The match code was asked for and typed right.
    pub code_matched: bool,
    /// What enrolment had proven about the key when it signed.
    pub evidence: KeyProtection,
}

/// What the phone says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// Go ahead.
    Approve,
    /// Not me, or not this.
    Reject,
}

/// Why a challenge was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Rejection {
    /// The user declined.
    Declined,
    /// The match code was typed wrong too often (T-17).
    TooManyAttempts,
}

/// Why a challenge was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Supersession {
    /// The screen shows a newer QR; only an unclaimed challenge gives way to it.
    Refreshed,
    /// The action was changed after the challenge froze it (T-11).
    ActionChanged,
    /// The backend or an administrator took it back.
    Cancelled,
}

impl State {
    /// The name the store compares and indexes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::Claimed(_) => "claimed",
            Self::Approved { .. } => "approved",
            Self::Rejected { .. } => "rejected",
            Self::Expired { .. } => "expired",
            Self::Superseded { .. } => "superseded",
        }
    }

    /// The name the wire uses.
    pub fn wire_name(&self) -> &'static str {
        match self {
            Self::Generated => "unclaimed",
            _ => self.name(),
        }
    }

    /// Whether it can still change (I3).
    pub fn is_open(&self) -> bool {
        match self {
            Self::Generated | Self::Claimed(_) => true,
            Self::Approved { .. } | Self::Rejected { .. } | Self::Expired { .. } | Self::Superseded { .. } => false,
        }
    }

    /// The claim, in every state that remembers one.
    pub fn claim(&self) -> Option<&Claim> {
        match self {
            Self::Generated => None,
            Self::Claimed(claim) | Self::Approved { claim, .. } | Self::Rejected { claim, .. } => Some(claim),
            Self::Expired { claim, .. } | Self::Superseded { claim, .. } => claim.as_ref(),
        }
    }
}

/// What is decided before a challenge exists; [`Challenge::generate`] freezes it.
#[derive(Debug, Clone)]
pub struct Draft {
    /// See [`Frozen::tenant`].
    pub tenant: TenantId,
    /// See [`Frozen::id`].
    pub id: ChallengeId,
    /// See [`Frozen::action`].
    pub action: ActionCode,
    /// See [`Frozen::idempotency_key`].
    pub idempotency_key: IdempotencyKey,
    /// See [`Frozen::subject`].
    pub subject: Subject,
    /// See [`Frozen::origin`].
    pub origin: Origin,
    /// See [`Frozen::custom`].
    pub custom: Map<String, Value>,
    /// See [`Frozen::level`].
    pub level: Level,
    /// See [`Frozen::bind`].
    pub bind: Vec<Detail>,
    /// See [`Frozen::show`].
    pub show: Vec<Detail>,
    /// See [`Frozen::minimum_protocol`].
    pub minimum_protocol: Protocol,
    /// See [`Frozen::device_code`].
    pub device_code: Option<DeviceCodeHash>,
    /// How long it may be answered; more than 0, at most [`LONGEST_LIFE`].
    pub life: SignedDuration,
    /// How many wrong match codes end it; at least 1.
    pub attempts_allowed: u8,
}

/// Why a draft does not become a challenge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// The life is not between a moment and ten minutes.
    #[error("a challenge lives more than 0 and at most 600 seconds")]
    Life,
    /// No attempt would be allowed.
    #[error("a challenge allows at least one attempt")]
    Attempts,
    /// Something cannot be shown safely on the phone.
    #[error(transparent)]
    Context(#[from] ContextError),
}

impl Challenge {
    /// Freezes a draft, the context bytes included, into a challenge in state `generated`.
    pub fn generate(draft: Draft, now: Timestamp) -> Result<Self, DraftError> {
        if draft.life <= SignedDuration::ZERO || draft.life > LONGEST_LIFE {
            return Err(DraftError::Life);
        }
        if draft.attempts_allowed == 0 {
            return Err(DraftError::Attempts);
        }
        let expires_at = now.checked_add(draft.life).map_err(|_| DraftError::Life)?;
        let context = context::freeze(&draft, now, expires_at)?;
        let frozen = Frozen {
            tenant: draft.tenant,
            id: draft.id,
            kind: Kind::Qr,
            action: draft.action,
            idempotency_key: draft.idempotency_key,
            subject: draft.subject,
            origin: draft.origin,
            custom: draft.custom,
            level: draft.level,
            bind: draft.bind,
            show: draft.show,
            context,
            minimum_protocol: draft.minimum_protocol,
            device_code: draft.device_code,
            created_at: now,
            expires_at,
            attempts_allowed: draft.attempts_allowed,
        };
        Ok(Self { frozen, state: State::Generated, version: 0 })
    }

    /// What never changes.
    pub fn frozen(&self) -> &Frozen {
        &self.frozen
    }

    /// Its name.
    pub fn id(&self) -> ChallengeId {
        self.frozen.id
    }

    /// Where its life stands. An open state says nothing about expiry: ask [`Challenge::is_open_at`].
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Grows by one with every change; a writer replaces exactly the version it read.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Whether it can still be claimed or answered at `now`.
    pub fn is_open_at(&self, now: Timestamp) -> bool {
        self.state.is_open() && now < self.frozen.expires_at
    }

    /// Who it is about: the identified user, else the claimer.
    pub fn user(&self) -> Option<&UserId> {
        match &self.frozen.subject {
            Subject::Identified(user) => Some(user),
            Subject::Anonymous => self.state.claim().map(|claim| &claim.user),
        }
    }

    pub(crate) fn moved_to(&self, state: State, effect: Effect) -> Transition {
        let next = Self { frozen: self.frozen.clone(), state, version: self.version.saturating_add(1) };
        Transition { next, effect }
    }

    pub(crate) fn unchanged(&self, effect: Effect) -> Transition {
        Transition { next: self.clone(), effect }
    }
}

/// What a transition yields. Whenever `next.version()` differs from the version read, the store must replace exactly
/// that version before anybody is answered, whatever the effect: a wrong code counts even though it achieves nothing.
#[derive(Debug, Clone)]
#[must_use]
pub struct Transition {
    /// The challenge afterwards.
    pub next: Challenge,
    /// What to tell the caller.
    pub effect: Effect,
}

/// What a transition achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The state changed: answer with success, write the audit leaf, tell the screen.
    Moved,
    /// The same request came again: give the same answer, no leaf, no event (T-08).
    Repeated,
    /// The match code was wrong: refuse with `wrong_code`.
    WrongCode {
        /// How many tries are left; with 0 the challenge is now rejected.
        attempts_left: u8,
    },
}
