//! The phone takes a challenge: one claimer, for good.

use jiff::Timestamp;

use crate::credential::{Credential, CredentialStatus};
use crate::id::{ClaimNonce, Issuer, MatchCode};
use crate::messages::{self, PhoneNonce};
use crate::qr::{RollingCode, RollingKey, StaleQr};
use crate::signature::Signature;
use crate::state::{Challenge, Claim, Effect, Freshness, Protocol, State, Subject, Transition};
use crate::terminal::{Channel, Near};

/// How many different compat signatures of one challenge are remembered before further claims are refused.
const MOST_SPENT: usize = 16;

/// One request to claim. The challenge id's format was checked before anything was looked up ([`crate::ChallengeId`]).
#[derive(Clone)]
pub struct ClaimAttempt {
    /// The phone's signature.
    pub signature: Signature,
    /// What it signed besides the challenge.
    pub proof: ClaimProof,
    /// 16 fresh random bytes; a repeated claim keeps the first ones.
    pub nonce: ClaimNonce,
    /// Digits to ask for, if the claim-time policy says so.
    pub match_code: Option<MatchCode>,
}

/// What the phone signed. The endpoint says which; neither is ever tried for the other (T-10).
#[derive(Clone)]
pub enum ClaimProof {
    /// The challenge id and nothing else.
    Compat,
    /// The message `stepup/v2/claim`.
    V2 {
        /// The issuer the phone pinned at enrolment.
        issuer: Issuer,
        /// 16 bytes of the phone's choice.
        phone_nonce: PhoneNonce,
        /// The code in the scanned QR and the key to check it with; `None` when a bare id was scanned.
        rolling: Option<(RollingKey, RollingCode)>,
        /// What the phone heard from the terminal beside it.
        near: Option<Near>,
    },
}

impl ClaimProof {
    fn protocol(&self) -> Protocol {
        match self {
            Self::Compat => Protocol::Compat,
            Self::V2 { .. } => Protocol::V2,
        }
    }
}

/// Why a claim is refused; the state does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The credential is another tenant's: to it, this challenge does not exist (T-41).
    #[error("there is no such challenge")]
    NotFound,
    /// Its time is over.
    #[error("the challenge has expired")]
    Expired,
    /// It was taken back.
    #[error("the challenge was replaced or cancelled")]
    Superseded,
    /// This action asks for version 2 signatures.
    #[error("this challenge must be claimed with version 2 signatures")]
    ProtocolTooOld,
    /// The signature does not fit.
    #[error("the signature does not fit the key and the challenge")]
    BadSignature,
    /// The key may not sign any more.
    #[error("the credential was revoked")]
    CredentialRevoked,
    /// The challenge is another user's.
    #[error("the challenge is for another user")]
    WrongUser,
    /// Somebody has it already, or this credential claimed it the other way.
    #[error("the challenge was already claimed")]
    AlreadyClaimed,
    /// The scanned code was on the screen too long ago (T-02).
    #[error("the scanned code is too old, scan the screen again")]
    QrStale,
    /// What the phone heard is not the signature of this challenge's terminal for this claim.
    #[error("the terminal's signature does not fit this claim")]
    InvalidProximity,
    /// The claimer re-signed the same claim again and again.
    #[error("the challenge was claimed too often")]
    TooManyClaims,
}

impl ClaimError {
    /// The wire's word.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "challenge_not_found",
            Self::Expired => "challenge_expired",
            Self::Superseded => "challenge_superseded",
            Self::ProtocolTooOld => "protocol_too_old",
            Self::BadSignature => "invalid_signature",
            Self::CredentialRevoked => "credential_revoked",
            Self::WrongUser => "wrong_user",
            Self::AlreadyClaimed => "challenge_already_claimed",
            Self::QrStale => "qr_stale",
            Self::InvalidProximity => "invalid_proximity",
            Self::TooManyClaims => "too_many_requests",
        }
    }
}

impl Challenge {
    /// Gives the challenge to the credential that scanned it. `credential` is the one found by the key that the phone sent,
    /// read in the transaction that stores the result.
    ///
    /// [`Effect::Moved`] for the first claim. [`Effect::Repeated`] when the claimer asks again: same claim, same nonce,
    /// though a *new* compat signature is remembered as spent, so the version may grow.
    pub fn claim(
        &self,
        credential: &Credential,
        attempt: &ClaimAttempt,
        now: Timestamp,
    ) -> Result<Transition, ClaimError> {
        let protocol = attempt.proof.protocol();
        if credential.tenant != self.frozen.tenant {
            return Err(ClaimError::NotFound);
        }
        if self.state.is_open() && now >= self.frozen.expires_at {
            return Err(ClaimError::Expired);
        }
        if protocol < self.frozen.minimum_protocol {
            return Err(ClaimError::ProtocolTooOld);
        }
        let message = self.claim_message(credential, attempt);
        credential.key.verify(message.as_bytes(), &attempt.signature).map_err(|_| ClaimError::BadSignature)?;
        match credential.status {
            CredentialStatus::Active => {}
            CredentialStatus::Revoked => return Err(ClaimError::CredentialRevoked),
        }
        match &self.frozen.subject {
            Subject::Identified(user) if *user != credential.user => return Err(ClaimError::WrongUser),
            Subject::Identified(_) | Subject::Anonymous => {}
        }
        match &self.state {
            State::Generated => self.first_claim(credential, attempt, protocol, now),
            State::Claimed(claim) if claim.by == credential.id && claim.protocol == protocol => {
                // The claim bound the user; a credential that changed hands since then is somebody else's (T-06).
                if claim.user != credential.user {
                    return Err(ClaimError::WrongUser);
                }
                self.repeated_claim(claim, attempt.signature, protocol)
            }
            State::Claimed(_) | State::Approved { .. } | State::Rejected { .. } => Err(ClaimError::AlreadyClaimed),
            State::Expired { .. } => Err(ClaimError::Expired),
            State::Superseded { .. } => Err(ClaimError::Superseded),
        }
    }

    fn claim_message(&self, credential: &Credential, attempt: &ClaimAttempt) -> String {
        match &attempt.proof {
            ClaimProof::Compat => messages::compat(&self.frozen.id),
            ClaimProof::V2 { issuer, phone_nonce, rolling, .. } => messages::claim(&messages::ClaimMessage {
                issuer,
                tenant: &self.frozen.tenant,
                challenge: &self.frozen.id,
                credential: &credential.id,
                qr: rolling.as_ref().map(|(_, code)| code),
                nonce: phone_nonce,
            }),
        }
    }

    fn first_claim(
        &self,
        credential: &Credential,
        attempt: &ClaimAttempt,
        protocol: Protocol,
        now: Timestamp,
    ) -> Result<Transition, ClaimError> {
        let freshness = match &attempt.proof {
            ClaimProof::V2 { rolling: Some((key, code)), .. } => {
                key.check(code, self.frozen.created_at, now).map_err(|StaleQr| ClaimError::QrStale)?;
                Freshness::Rolling
            }
            ClaimProof::V2 { rolling: None, .. } | ClaimProof::Compat => Freshness::Unknown,
        };
        let near = self.heard(&attempt.proof)?;
        let spent = if self.spends(protocol) { vec![attempt.signature.r()] } else { Vec::new() };
        let claim = Claim {
            by: credential.id.clone(),
            user: credential.user.clone(),
            at: now,
            nonce: attempt.nonce.clone(),
            protocol,
            freshness,
            near,
            match_code: attempt.match_code.clone(),
            wrong_codes: 0,
            spent,
        };
        Ok(self.moved_to(State::Claimed(claim), Effect::Moved))
    }

    /// Over which radio the terminal has heard the claimer. What does not fit refuses the claim: a phone that says more than is
    /// true is told so.
    fn heard(&self, proof: &ClaimProof) -> Result<Option<Channel>, ClaimError> {
        match proof {
            ClaimProof::V2 { issuer, phone_nonce, near: Some(near), .. } => {
                match self.is_near(issuer, near, phone_nonce) {
                    true => Ok(Some(near.channel)),
                    false => Err(ClaimError::InvalidProximity),
                }
            }
            ClaimProof::V2 { near: None, .. } | ClaimProof::Compat => Ok(None),
        }
    }

    /// Whether a claim's signature must never be taken for an answer (T-09). A version 2 signature says what it is for; and
    /// where nothing is scanned, the one signature is claim and answer at once.
    fn spends(&self, protocol: Protocol) -> bool {
        match protocol {
            Protocol::Compat => self.frozen.kind.is_scanned(),
            Protocol::V2 => false,
        }
    }

    /// Every compat signature of this challenge would approve it as well, so a re-signed claim is spent like the first.
    fn repeated_claim(
        &self,
        claim: &Claim,
        signature: Signature,
        protocol: Protocol,
    ) -> Result<Transition, ClaimError> {
        let news = self.spends(protocol) && !claim.spent.contains(&signature.r());
        if !news {
            return Ok(self.unchanged(Effect::Repeated));
        }
        if claim.spent.len() >= MOST_SPENT {
            return Err(ClaimError::TooManyClaims);
        }
        let mut claim = claim.clone();
        claim.spent.push(signature.r());
        Ok(self.moved_to(State::Claimed(claim), Effect::Repeated))
    }
}
