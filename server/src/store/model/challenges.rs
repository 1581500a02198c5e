use challenge::claim::ClaimError;
use challenge::retire::{ExpireError, SupersedeError};
use challenge::state::Supersession;
use challenge::{AnswerError, Challenge, Credential, Effect, Transition};
use jiff::{SignedDuration, Timestamp};

use super::{ChallengeId, CredentialId, Decision, DecisionId, NewDecision, Seq, TenantId};
use crate::store::StoreError;

/// A challenge to keep. Its tenant, id, user and device code are the frozen ones.
#[derive(Debug, Clone)]
pub struct NewChallenge {
    /// The challenge, in state `generated`.
    pub challenge: Challenge,
    /// The decision that asked for it; `record_decision` fills it in itself.
    pub decision: Option<DecisionId>,
    /// The unclaimed challenge whose place it takes (a refreshed QR), superseded in the same transaction.
    pub supersedes: Option<ChallengeId>,
}

/// A challenge as it stands now.
#[derive(Debug, Clone)]
pub struct StoredChallenge {
    /// The challenge.
    pub challenge: Challenge,
    /// The decision that asked for it.
    pub decision: Option<DecisionId>,
    /// The audit entry that last described it.
    pub seq: Seq,
}

/// A challenge that a user was asked to answer.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// The challenge.
    pub challenge: Challenge,
    /// Whether it is the one that came with its decision, and not a fresh QR for the same request.
    pub first: bool,
}

/// How long a user is left alone who declined three times within as long (T-16).
pub const LEFT_ALONE: SignedDuration = SignedDuration::from_mins(15);

/// Until when a user is left alone who declined at these times, oldest first; `None` if they never declined that often.
///
/// ```
/// # use server::store::left_alone_until;
/// let [a, b, c] = [0, 300, 600].map(|s| jiff::Timestamp::from_second(s).expect("a time"));
/// assert_eq!(left_alone_until(&[a, b]), None);
/// assert_eq!(left_alone_until(&[a, b, c]), jiff::Timestamp::from_second(600 + 900).ok());
/// ```
pub fn left_alone_until(declined: &[Timestamp]) -> Option<Timestamp> {
    let enough = |three: &&[Timestamp]| matches!(three, [first, _, third] if third.duration_since(*first) < LEFT_ALONE);
    let last = declined.windows(3).rev().find(enough)?.last()?;
    last.checked_add(LEFT_ALONE).ok()
}

/// A claim's or answer's pure transition, given the challenge and the credential as they are in the transaction.
pub type Judge<E> = Box<dyn Fn(&Challenge, &Credential, Timestamp) -> Result<Transition, E> + Send + Sync>;

/// What to do to a challenge.
pub enum Operation {
    /// A phone claims it.
    Claim {
        /// With this credential.
        credential: CredentialId,
        /// Calls [`Challenge::claim`] with what the phone sent.
        judge: Judge<ClaimError>,
        /// What the policies said to it, recorded in the same transaction whatever the claim comes to.
        decision: Option<Box<NewDecision>>,
    },
    /// The claimer answers.
    Answer {
        /// With this credential.
        credential: CredentialId,
        /// Calls [`Challenge::answer`] with what the phone sent.
        judge: Judge<AnswerError>,
    },
    /// Its time is over.
    Expire,
    /// It is taken back.
    Supersede(Supersession),
}

impl Operation {
    /// A claim; `judge` calls [`Challenge::claim`].
    pub fn claim<J>(credential: CredentialId, judge: J) -> Self
    where
        J: Fn(&Challenge, &Credential, Timestamp) -> Result<Transition, ClaimError> + Send + Sync + 'static,
    {
        Self::Claim { credential, judge: Box::new(judge), decision: None }
    }

    /// Records this decision with the claim; of other operations nothing is decided.
    pub fn recording(self, new: NewDecision) -> Self {
        match self {
            Self::Claim { credential, judge, .. } => Self::Claim { credential, judge, decision: Some(Box::new(new)) },
            other => other,
        }
    }

    /// An answer; `judge` calls [`Challenge::approve`] or [`Challenge::reject`].
    pub fn answer<J>(credential: CredentialId, judge: J) -> Self
    where
        J: Fn(&Challenge, &Credential, Timestamp) -> Result<Transition, AnswerError> + Send + Sync + 'static,
    {
        Self::Answer { credential, judge: Box::new(judge) }
    }

    /// The audit log's word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Claim { .. } => "claim",
            Self::Answer { .. } => "answer",
            Self::Expire => "expire",
            Self::Supersede(_) => "supersede",
        }
    }

    /// The credential it is done with, if it needs one.
    pub fn credential(&self) -> Option<&CredentialId> {
        match self {
            Self::Claim { credential, .. } | Self::Answer { credential, .. } => Some(credential),
            Self::Expire | Self::Supersede(_) => None,
        }
    }
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Operation::{}", self.name())
    }
}

/// One step of one challenge.
#[derive(Debug)]
pub struct TransitionRequest {
    /// Whose; another tenant's challenge does not exist (T-41).
    pub tenant: TenantId,
    /// Which challenge.
    pub challenge: ChallengeId,
    /// What to do.
    pub operation: Operation,
    /// When.
    pub at: Timestamp,
}

/// A durable step. When the challenge belongs to a decision, its state has followed in the same transaction: approved →
/// `CHALLENGE_SUCCEEDED`, rejected → `CHALLENGE_FAILED`; an expired or superseded challenge leaves it as it is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Transitioned {
    /// The challenge as it was.
    pub before: Challenge,
    /// The challenge as it is.
    pub after: Challenge,
    /// What the step achieved; a wrong match code is counted, and is not an error.
    pub effect: Effect,
    /// The decision it belongs to, as it is.
    pub decision: Option<Decision>,
    /// The decision that asked the claimer for the match code, if this step ended the challenge.
    pub claim_decision: Option<Decision>,
    /// The audit entry; `None` when a repeated request changed nothing.
    pub seq: Option<Seq>,
}

/// A durable new challenge.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RecordedChallenge {
    /// Which.
    pub id: ChallengeId,
    /// The audit entry.
    pub seq: Seq,
    /// The predecessor it superseded, as it is now. `None` when there was none, or it was past superseding.
    pub superseded: Option<Challenge>,
}

/// Why a challenge was not kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CreateError {
    /// Its terminal was revoked or got another key since it signed.
    #[error("the terminal that vouched for the challenge does not any more")]
    TerminalRevoked,
    /// The store could not write.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a step was refused. The challenge is as it was; the refusal itself is in the audit log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TransitionError {
    /// There is no such challenge in this tenant.
    #[error("there is no such challenge")]
    NotFound,
    /// There is no such credential in this tenant.
    #[error("there is no such credential")]
    UnknownCredential,
    /// The claim is refused.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The answer is refused.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// It cannot expire.
    #[error(transparent)]
    Expire(#[from] ExpireError),
    /// It cannot be taken back.
    #[error(transparent)]
    Supersede(#[from] SupersedeError),
    /// The store could not write.
    #[error(transparent)]
    Store(#[from] StoreError),
}
