//! The transitions as values, for a writer that receives them through a queue.

use jiff::Timestamp;

use crate::answer::{AnswerAttempt, AnswerError};
use crate::claim::{ClaimAttempt, ClaimError};
use crate::credential::Credential;
use crate::retire::{ExpireError, SupersedeError};
use crate::state::{Challenge, Decision, Supersession, Transition};

/// Something that may happen to a challenge.
#[derive(Clone)]
pub enum Operation {
    /// A phone takes it.
    Claim(ClaimAttempt),
    /// The claimer approves or rejects.
    Answer(Decision, AnswerAttempt),
    /// Its time is over.
    Expire,
    /// It is taken back.
    Supersede(Supersession),
}

impl Operation {
    /// Its name in logs and audit leaves.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Claim(_) => "claim",
            Self::Answer(Decision::Approve, _) => "approve",
            Self::Answer(Decision::Reject, _) => "reject",
            Self::Expire => "expire",
            Self::Supersede(_) => "supersede",
        }
    }
}

/// Why an operation is refused; the state does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// See [`ClaimError`].
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// See [`AnswerError`].
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// See [`ExpireError`].
    #[error(transparent)]
    Expire(#[from] ExpireError),
    /// See [`SupersedeError`].
    #[error(transparent)]
    Supersede(#[from] SupersedeError),
    /// No credential has the key that the phone sent.
    #[error("the credential is not enrolled")]
    UnknownCredential,
}

impl Refusal {
    /// The wire's word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Claim(error) => error.code(),
            Self::Answer(error) => error.code(),
            Self::Expire(ExpireError::StillOpen) => "challenge_open",
            Self::Supersede(SupersedeError::Claimed) => "challenge_already_claimed",
            Self::Supersede(SupersedeError::Expired) => "challenge_expired",
            Self::Expire(ExpireError::Ended) | Self::Supersede(SupersedeError::Ended) => "challenge_already_answered",
            Self::UnknownCredential => "unknown_credential",
        }
    }
}

impl Challenge {
    /// Applies an operation. `credential` is the one found by the key that the phone sent, read in the transaction that
    /// stores the result; the operations that no phone asks for need none.
    pub fn apply(
        &self,
        operation: &Operation,
        credential: Option<&Credential>,
        now: Timestamp,
    ) -> Result<Transition, Refusal> {
        let known = credential.ok_or(Refusal::UnknownCredential);
        match operation {
            Operation::Claim(attempt) => Ok(self.claim(known?, attempt, now)?),
            Operation::Answer(decision, attempt) => Ok(self.answer(*decision, known?, attempt, now)?),
            Operation::Expire => Ok(self.expire(now)?),
            Operation::Supersede(reason) => Ok(self.supersede(*reason, now)?),
        }
    }
}
