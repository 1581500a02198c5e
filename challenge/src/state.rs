//! A challenge: what was frozen when it was made, and where its life stands.
//!
//! `generated → claimed → approved | rejected`, and from any open state `→ expired | superseded`. A state owns the facts
//! that are true in it. The transitions are in [`crate::claim`], [`crate::answer`] and [`crate::retire`]; nothing else
//! makes a new state, and none of them touches [`Frozen`] (I9).

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::credential::KeyProtection;
use crate::id::{ChallengeId, ClaimNonce, CredentialId, MatchCode, UserId};
use crate::signature::SignatureR;
use crate::terminal::Channel;

pub use crate::frozen::{
    Detail, Draft, DraftError, Frozen, Kind, LONGEST_LIFE, Level, MOST_ATTEMPTS, Origin, OriginPlace, Protocol, Subject,
};

/// A challenge at one moment: frozen facts, state, and the version that compare-and-set compares.
#[derive(Debug, Clone)]
pub struct Challenge {
    pub(crate) frozen: Frozen,
    pub(crate) state: State,
    pub(crate) version: u32,
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
    /// Over which radio the terminal of the challenge heard the phone.
    pub near: Option<Channel>,
    /// Digits to type, when the claim-time policy asked for them.
    pub match_code: Option<MatchCode>,
    /// How many wrong codes were typed; it never decreases (I10).
    pub wrong_codes: u8,
    /// The `r` of every compat claim and of every answer with a wrong code: no compat signature among them may answer again
    /// (T-09).
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
            .field("near", &self.near)
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

impl Challenge {
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
