//! The claimer says yes or no, once.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use crate::credential::{Credential, CredentialStatus};
use crate::id::Issuer;
use crate::keys::sha256;
use crate::messages::{self, TypedCode};
use crate::signature::Signature;
use crate::state::{Answer, Challenge, Claim, Decision, Effect, Protocol, Rejection, State, Subject, Transition};

/// One request to answer.
#[derive(Clone)]
pub struct AnswerAttempt {
    /// The phone's signature.
    pub signature: Signature,
    /// How it signed.
    pub proof: AnswerProof,
    /// The digits the user typed, or none.
    pub code: TypedCode,
}

/// What the phone signed. The endpoint says which; neither is ever tried for the other (T-10).
#[derive(Clone)]
pub enum AnswerProof {
    /// The challenge id; the decision travels unsigned.
    Compat,
    /// The message `stepup/v2/decide`.
    V2 {
        /// The issuer the phone pinned at enrolment.
        issuer: Issuer,
    },
}

/// Why an answer is refused; the state does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The credential is another tenant's: to it, this challenge does not exist (T-41).
    #[error("there is no such challenge")]
    NotFound,
    /// Its time is over.
    #[error("the challenge has expired")]
    Expired,
    /// It was taken back.
    #[error("the challenge was replaced or cancelled")]
    Superseded,
    /// Nobody has claimed it.
    #[error("the challenge must be claimed before it is answered")]
    NotClaimed,
    /// Another credential has it.
    #[error("the challenge was claimed by another credential")]
    NotClaimer,
    /// It was claimed with the other kind of signature.
    #[error("the answer must be signed the way the claim was")]
    ProtocolMismatch,
    /// The signature does not fit.
    #[error("the signature does not fit the key, the challenge and the decision")]
    BadSignature,
    /// The key may not sign any more.
    #[error("the credential was revoked")]
    CredentialRevoked,
    /// The credential speaks for another user than the challenge or its claim.
    #[error("the challenge is for another user")]
    WrongUser,
    /// The signature was sent before, as a claim or with a wrong code.
    #[error("the signature was already used on this challenge")]
    SignatureReused,
    /// Another answer was given before.
    #[error("the challenge was already answered")]
    AlreadyAnswered,
}

impl AnswerError {
    /// The wire's word.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "challenge_not_found",
            Self::Expired => "challenge_expired",
            Self::Superseded => "challenge_superseded",
            Self::NotClaimed => "challenge_not_claimed",
            Self::NotClaimer => "not_claimer",
            Self::ProtocolMismatch => "protocol_mismatch",
            Self::BadSignature => "invalid_signature",
            Self::CredentialRevoked => "credential_revoked",
            Self::WrongUser => "wrong_user",
            Self::SignatureReused => "signature_reused",
            Self::AlreadyAnswered => "challenge_already_answered",
        }
    }
}

impl Challenge {
    /// The claimer approves. [`Effect::WrongCode`] is not an error but a change that must be stored.
    pub fn approve(
        &self,
        credential: &Credential,
        attempt: &AnswerAttempt,
        now: Timestamp,
    ) -> Result<Transition, AnswerError> {
        self.answer(Decision::Approve, credential, attempt, now)
    }

    /// The claimer declines; no code is asked for.
    pub fn reject(
        &self,
        credential: &Credential,
        attempt: &AnswerAttempt,
        now: Timestamp,
    ) -> Result<Transition, AnswerError> {
        self.answer(Decision::Reject, credential, attempt, now)
    }

    /// Approves or rejects. `credential` is the one found by the key that the phone sent, read in the transaction that stores
    /// the result, so that one revoked a moment ago does not decide (T-21).
    pub fn answer(
        &self,
        decision: Decision,
        credential: &Credential,
        attempt: &AnswerAttempt,
        now: Timestamp,
    ) -> Result<Transition, AnswerError> {
        let verified = self.verify_answer(decision, credential, attempt, now)?;
        let claim = verified.claim;
        match (&self.state, decision) {
            (State::Claimed(_), Decision::Approve) => {
                Ok(self.approved_or_wrong_code(verified, credential, attempt, now))
            }
            (State::Claimed(_), Decision::Reject) => {
                let state = State::Rejected { claim: claim.clone(), at: now, reason: Rejection::Declined };
                Ok(self.moved_to(state, Effect::Moved))
            }
            (State::Approved { .. }, Decision::Approve) if code_fits(claim, &attempt.code) => {
                Ok(self.unchanged(Effect::Repeated))
            }
            (State::Rejected { reason: Rejection::Declined, .. }, Decision::Reject) => {
                Ok(self.unchanged(Effect::Repeated))
            }
            (State::Approved { .. } | State::Rejected { .. }, _) => Err(AnswerError::AlreadyAnswered),
            (State::Generated, _) => Err(AnswerError::NotClaimed),
            (State::Expired { .. }, _) => Err(AnswerError::Expired),
            (State::Superseded { .. }, _) => Err(AnswerError::Superseded),
        }
    }

    /// Everything that must hold whatever the answer is, in the order that tells a stranger least.
    fn verify_answer(
        &self,
        decision: Decision,
        credential: &Credential,
        attempt: &AnswerAttempt,
        now: Timestamp,
    ) -> Result<VerifiedAnswer<'_>, AnswerError> {
        if credential.tenant != self.frozen.tenant {
            return Err(AnswerError::NotFound);
        }
        if self.state.is_open() && now >= self.frozen.expires_at {
            return Err(AnswerError::Expired);
        }
        let claim = match &self.state {
            State::Generated => return Err(AnswerError::NotClaimed),
            State::Expired { .. } => return Err(AnswerError::Expired),
            State::Superseded { .. } => return Err(AnswerError::Superseded),
            State::Claimed(claim) | State::Approved { claim, .. } | State::Rejected { claim, .. } => claim,
        };
        if claim.by != credential.id {
            return Err(AnswerError::NotClaimer);
        }
        let message = match (&attempt.proof, claim.protocol) {
            (AnswerProof::Compat, Protocol::Compat) => messages::compat(&self.frozen.id),
            (AnswerProof::V2 { issuer }, Protocol::V2) => messages::decide(&messages::DecideMessage {
                issuer,
                tenant: &self.frozen.tenant,
                challenge: &self.frozen.id,
                credential: &credential.id,
                claim: &claim.nonce,
                context: &self.frozen.context.hash(),
                decision,
                code: &attempt.code,
            }),
            (AnswerProof::Compat, Protocol::V2) | (AnswerProof::V2 { .. }, Protocol::Compat) => {
                return Err(AnswerError::ProtocolMismatch);
            }
        };
        credential.key.verify(message.as_bytes(), &attempt.signature).map_err(|_| AnswerError::BadSignature)?;
        match credential.status {
            CredentialStatus::Active => {}
            CredentialStatus::Revoked => return Err(AnswerError::CredentialRevoked),
        }
        // The claim bound the user; a credential that changed hands since then speaks for somebody else (T-05, T-06).
        let right_user = match &self.frozen.subject {
            Subject::Identified(user) => *user == credential.user && claim.user == *user,
            Subject::Anonymous => claim.user == credential.user,
        };
        if !right_user {
            return Err(AnswerError::WrongUser);
        }
        // A version 2 signature says what it is for, so only compat signatures can be replayed as something else (T-09).
        let repeats_claim = claim.protocol == Protocol::Compat && claim.spent.contains(&attempt.signature.r());
        if repeats_claim && credential.platform.randomises_signatures() {
            return Err(AnswerError::SignatureReused);
        }
        Ok(VerifiedAnswer { claim, message, repeats_claim })
    }

    fn approved_or_wrong_code(
        &self,
        verified: VerifiedAnswer<'_>,
        credential: &Credential,
        attempt: &AnswerAttempt,
        now: Timestamp,
    ) -> Transition {
        let claim = verified.claim;
        if !code_fits(claim, &attempt.code) {
            return self.count_wrong_code(claim, attempt.signature, now);
        }
        let answer = Answer {
            at: now,
            signature: attempt.signature.to_base64(),
            message_hash: URL_SAFE_NO_PAD.encode(sha256(verified.message.as_bytes())),
            repeats_claim: verified.repeats_claim,
            code_matched: claim.match_code.is_some(),
            evidence: credential.protection,
        };
        self.moved_to(State::Approved { claim: claim.clone(), answer }, Effect::Moved)
    }

    /// A wrong code is a change of its own, so that no later failure can take the count back (I10, T-17).
    ///
    /// Its signature is kept. A compat one must not carry another guess, as the code travels unsigned; a version 2 one that
    /// comes again is the same guess sent twice, and is counted once.
    fn count_wrong_code(&self, claim: &Claim, signature: Signature, now: Timestamp) -> Transition {
        let mut claim = claim.clone();
        let counted = claim.spent.contains(&signature.r());
        if counted && claim.protocol == Protocol::V2 {
            let attempts_left = self.frozen.attempts_allowed.saturating_sub(claim.wrong_codes);
            return self.unchanged(Effect::WrongCode { attempts_left });
        }
        if !counted {
            claim.spent.push(signature.r());
        }
        claim.wrong_codes = claim.wrong_codes.saturating_add(1);
        let attempts_left = self.frozen.attempts_allowed.saturating_sub(claim.wrong_codes);
        let state = if attempts_left == 0 {
            State::Rejected { claim, at: now, reason: Rejection::TooManyAttempts }
        } else {
            State::Claimed(claim)
        };
        self.moved_to(state, Effect::WrongCode { attempts_left })
    }
}

/// An answer whose signer and signature are right.
struct VerifiedAnswer<'a> {
    claim: &'a Claim,
    message: String,
    repeats_claim: bool,
}

fn code_fits(claim: &Claim, typed: &TypedCode) -> bool {
    claim.match_code.as_ref().is_none_or(|code| code.matches(typed.as_str()))
}
