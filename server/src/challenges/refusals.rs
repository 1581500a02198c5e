//! How the refusals of challenge and store read to a client.

use challenge::id::InvalidId;
use challenge::keys::KeyError;
use challenge::retire::{ExpireError, SupersedeError};
use challenge::signature::SignatureError;
use challenge::state::Challenge;
use challenge::{AnswerError, ClaimError, CredentialId};
use jiff::Timestamp;

use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::store::{CreateError, NewRefusal, StoreError, TransitionError};

/// Writes a refusal down, and then says it.
pub async fn written(app: &App, leaf: NewRefusal, said: ApiError) -> ApiError {
    match app.store.record_refusal(leaf).await {
        Ok(_) => said,
        Err(error) => store(error),
    }
}

/// Refuses a phone something about a challenge, in writing. `what` is `claim` or `answer`.
pub async fn of_phone(
    app: &App,
    (challenge, credential): (&Challenge, &CredentialId),
    what: &str,
    said: ApiError,
    now: Timestamp,
) -> ApiError {
    let leaf = NewRefusal {
        tenant: challenge.frozen().tenant.clone(),
        what: what.to_owned(),
        code: said.problem().entry().code.to_owned(),
        facts: [
            ("challenge".to_owned(), challenge.id().to_string()),
            ("credential".to_owned(), credential.to_string()),
        ]
        .into(),
        at: now,
    };
    written(app, leaf, said).await
}

/// A step that was not taken.
pub fn transition(refused: TransitionError) -> ApiError {
    match refused {
        TransitionError::NotFound => challenge_not_found(),
        TransitionError::UnknownCredential => unknown_credential(),
        TransitionError::Claim(refused) => claim(refused),
        TransitionError::Answer(refused) => answer(refused),
        TransitionError::Expire(ExpireError::StillOpen) => {
            ApiError::new(Problem::Conflict, "the challenge has not expired yet")
        }
        TransitionError::Supersede(SupersedeError::Expired) => {
            ApiError::new(Problem::ChallengeExpired, "the challenge has expired")
        }
        TransitionError::Supersede(SupersedeError::Claimed) => {
            ApiError::new(Problem::Conflict, "the challenge is claimed, let it finish")
        }
        TransitionError::Expire(ExpireError::Ended) | TransitionError::Supersede(SupersedeError::Ended) => {
            ApiError::new(Problem::ChallengeClosed, "the challenge has already ended")
        }
        TransitionError::Store(error) => store(error),
    }
}

/// A claim that was refused.
pub fn claim(refused: ClaimError) -> ApiError {
    let problem = match refused {
        ClaimError::NotFound => Problem::ChallengeNotFound,
        ClaimError::Expired => Problem::ChallengeExpired,
        ClaimError::Superseded => Problem::ChallengeSuperseded,
        ClaimError::ProtocolTooOld => Problem::ProtocolTooOld,
        ClaimError::BadSignature => Problem::InvalidSignature,
        ClaimError::CredentialRevoked => Problem::CredentialRevoked,
        ClaimError::WrongUser => Problem::WrongUser,
        ClaimError::AlreadyClaimed => Problem::ChallengeAlreadyClaimed,
        ClaimError::QrStale => Problem::QrStale,
        ClaimError::InvalidProximity => Problem::InvalidProximity,
        ClaimError::TooManyClaims => Problem::TooManyRequests,
    };
    ApiError::new(problem, refused.to_string())
}

/// An answer that was refused.
pub fn answer(refused: AnswerError) -> ApiError {
    let problem = match refused {
        AnswerError::NotFound => Problem::ChallengeNotFound,
        AnswerError::Expired => Problem::ChallengeExpired,
        AnswerError::Superseded => Problem::ChallengeSuperseded,
        AnswerError::NotClaimed => Problem::ChallengeNotClaimed,
        AnswerError::NotClaimer => Problem::NotClaimer,
        AnswerError::ProtocolMismatch => Problem::ProtocolMismatch,
        AnswerError::BadSignature => Problem::InvalidSignature,
        AnswerError::CredentialRevoked => Problem::CredentialRevoked,
        AnswerError::WrongUser => Problem::WrongUser,
        AnswerError::SignatureReused => Problem::SignatureReused,
        AnswerError::AlreadyAnswered => Problem::ChallengeAlreadyAnswered,
    };
    ApiError::new(problem, refused.to_string())
}

/// A challenge that was not kept.
pub fn create(refused: CreateError) -> ApiError {
    match refused {
        CreateError::TerminalRevoked => super::terminal::revoked(),
        CreateError::Store(error) => store(error),
    }
}

/// The store could not read or write.
pub fn store(error: StoreError) -> ApiError {
    match error {
        StoreError::Unavailable(_) | StoreError::Full(_) => ApiError::unavailable(error, 5),
        StoreError::Refused(_) | StoreError::Damaged(_) => ApiError::internal(error),
    }
}

/// The challenge does not exist, is another tenant's, or may not be known to the caller: all sound the same.
pub fn challenge_not_found() -> ApiError {
    ApiError::new(Problem::ChallengeNotFound, "there is no such challenge")
}

/// The key is not enrolled in this tenant.
pub fn unknown_credential() -> ApiError {
    ApiError::new(Problem::UnknownCredential, "this key is not enrolled here; add the phone first")
}

/// A text that cannot be a challenge id.
pub fn challenge_id(invalid: InvalidId) -> ApiError {
    ApiError::new(Problem::InvalidChallengeId, invalid.to_string())
}

/// A text that cannot be a public key.
pub fn public_key(invalid: KeyError) -> ApiError {
    let expected = "expected the SubjectPublicKeyInfo (91 bytes of DER) of a P-256 key as padded standard base64, 124 characters; a query has that text encoded once more";
    ApiError::new(Problem::InvalidPublicKey, format!("{invalid}; {expected}"))
}

/// A text that cannot be a signature.
pub fn signature(invalid: SignatureError) -> ApiError {
    ApiError::new(Problem::InvalidSignature, invalid.to_string())
}
