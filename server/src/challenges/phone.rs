//! What a phone does: it claims the challenge it scanned, and answers it.
//!
//! Whatever the version of the signatures, both go through the same checks in the same order and end in one transition
//! that the store runs in its transaction. Nothing is answered before that is durable.

use std::net::IpAddr;

use challenge::keys::DeviceKey;
use challenge::messages::{PhoneNonce, TypedCode};
use challenge::qr::RollingCode;
use challenge::signature::Signature;
use challenge::state::{Claim, Kind, Level, Subject};
use challenge::terminal::Near;
use challenge::{
    AnswerAttempt, AnswerError, AnswerProof, Challenge, ChallengeId, ClaimAttempt, ClaimError, ClaimNonce, ClaimProof,
    Credential, Decision, Effect, TenantId,
};
use jiff::Timestamp;

use super::{anonymous, claiming, follow, refusals};
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::limits;
use crate::recovery::cooling;
use crate::store::{NewRefusal, Operation, TransitionRequest, Transitioned};

/// A phone's request about a challenge, parsed and not yet believed.
#[derive(Clone)]
pub struct Call {
    /// The tenant it says it belongs to.
    pub tenant: TenantId,
    /// Which of its keys it uses: `qr-code`.
    pub kind: &'static str,
    /// What that key may answer; a challenge of another kind does not exist for it.
    pub answers: &'static [Kind],
    /// The challenge it scanned.
    pub challenge: ChallengeId,
    /// Its public key.
    pub key: DeviceKey,
    /// Its signature.
    pub signature: Signature,
    /// Where it is.
    pub from: PhoneEnd,
}

/// The phone's end of a request, as far as the request tells.
#[derive(Clone)]
pub struct PhoneEnd {
    /// Where it came from.
    pub ip: IpAddr,
    /// What the phone's program calls itself.
    pub user_agent: Option<String>,
}

/// How a claim is signed; the endpoint says which.
#[derive(Clone)]
pub enum ClaimedWith {
    /// The bare challenge id.
    Compat,
    /// `stepup/v2/claim`.
    V2 {
        /// The phone's own 16 bytes.
        nonce: PhoneNonce,
        /// The code in the QR, unless a bare id was scanned.
        code: Option<RollingCode>,
        /// What the phone heard from the terminal beside it.
        near: Option<Near>,
    },
}

/// How an answer is signed; the endpoint says which.
#[derive(Clone, Copy)]
pub enum AnsweredWith {
    /// The bare challenge id.
    Compat,
    /// `stepup/v2/decide`.
    V2,
}

/// A claim that is durable.
pub struct Claimed {
    /// The challenge, in state `claimed`.
    pub challenge: Challenge,
    /// The claim in it.
    pub claim: Claim,
}

/// Gives the challenge to the phone, or says why not.
pub async fn claim(app: &App, call: Call, with: ClaimedWith) -> Result<Claimed, ApiError> {
    let now = app.clock.now();
    let credential = known_credential(app, &call, "claim", now).await?;
    let attempt = claim_attempt(app, &call, with);

    // Before anybody is bound to it, the policy is asked what it thinks of this user doing the action there. Only once
    // the signature is known to be good: the question names a person.
    let stored = app.store.challenge(&call.tenant, call.challenge).await.map_err(refusals::store)?;
    let stored = stored.ok_or_else(refusals::challenge_not_found)?;
    if let Ok(step) = stored.challenge.claim(&credential, &attempt, now) {
        let level = match step.effect {
            Effect::Moved if is_anonymous(&stored.challenge) => {
                anonymous::admit(app, &stored.challenge, &credential.user, now).await?
            }
            Effect::Moved | Effect::Repeated | Effect::WrongCode { .. } => stored.challenge.frozen().level,
        };
        may_confirm(app, &stored.challenge, level, &credential, "claim", now).await?;
    }

    let step = claiming::take(app, &call, &credential, attempt, now).await?;
    if is_anonymous(&step.after) {
        anonymous::decide(app, &step.after, now).await?;
    }
    let claim = step.after.state().claim().cloned();
    let claim = claim.ok_or_else(|| ApiError::internal("a claimed challenge has no claim"))?;
    Ok(Claimed { challenge: step.after, claim })
}

/// Approves or rejects the challenge. The answer says whether it is approved now.
pub async fn answer(
    app: &App,
    call: Call,
    with: AnsweredWith,
    decision: Decision,
    code: TypedCode,
) -> Result<bool, ApiError> {
    let now = app.clock.now();
    let credential = known_credential(app, &call, "answer", now).await?;
    if decision == Decision::Approve {
        let stored = app.store.challenge(&call.tenant, call.challenge).await.map_err(refusals::store)?;
        let stored = stored.ok_or_else(refusals::challenge_not_found)?;
        if stored.challenge.state().claim().is_some_and(|claim| claim.by == credential.id) {
            may_confirm(app, &stored.challenge, stored.challenge.frozen().level, &credential, "answer", now).await?;
        }
        // A crash may have come between claim and decision; nothing is approved that no policy has judged.
        if is_anonymous(&stored.challenge) && stored.challenge.state().claim().is_some() {
            anonymous::decide(app, &stored.challenge, now).await?;
        }
    }
    let proof = match with {
        AnsweredWith::Compat => AnswerProof::Compat,
        AnsweredWith::V2 => AnswerProof::V2 { issuer: super::issuer(app) },
    };
    let attempt = AnswerAttempt { signature: call.signature, proof, code };
    let answers = call.answers;
    let judge = move |challenge: &Challenge, signer: &Credential, now| match challenge.frozen().kind {
        kind if answers.contains(&kind) => challenge.answer(decision, signer, &attempt, now),
        _ => Err(AnswerError::NotFound),
    };
    let step = take(app, &call, Operation::answer(credential.id.clone(), judge), now).await?;
    match step.effect {
        Effect::Moved | Effect::Repeated => Ok(decision == Decision::Approve),
        Effect::WrongCode { attempts_left } => {
            let detail = match attempts_left {
                0 => "the code is wrong and this was the last attempt; the challenge is rejected".to_owned(),
                left => format!("the code is not the one on the screen; {left} attempts are left"),
            };
            Err(ApiError::new(Problem::WrongCode, detail).with("attemptsLeft", attempts_left.into()))
        }
    }
}

/// What the phone sent, as the transition wants it.
pub(super) fn claim_attempt(app: &App, call: &Call, with: ClaimedWith) -> ClaimAttempt {
    let proof = match with {
        ClaimedWith::Compat => ClaimProof::Compat,
        ClaimedWith::V2 { nonce, code, near } => ClaimProof::V2 {
            issuer: super::issuer(app),
            phone_nonce: nonce,
            rolling: code.map(|code| (app.keys.rolling_key(&call.challenge), code)),
            near,
        },
    };
    let nonce = ClaimNonce::from_random(app.random.bytes());
    ClaimAttempt { signature: call.signature, proof, nonce, match_code: None }
}

/// Refuses a phone that must not confirm what is of this level: it came too lately, or its key may sign without its user.
async fn may_confirm(
    app: &App,
    challenge: &Challenge,
    level: Level,
    credential: &Credential,
    what: &str,
    now: Timestamp,
) -> Result<(), ApiError> {
    cooling::admit(app, challenge, level, &credential.id, what, now).await?;
    if level < Level::Biometric || app.judges.user_is_asked_enough(&credential.tenant, credential.protection) {
        return Ok(());
    }
    let detail = "this request needs a key whose hardware asks for a PIN, a finger or a face each time; enrol one that proves it";
    let said = ApiError::new(Problem::UserVerificationUnproven, detail);
    Err(refusals::of_phone(app, (challenge, &credential.id), what, said, now).await)
}

/// Writes down a claim that was refused before its challenge was recorded.
pub(super) async fn refused(app: &App, call: &Call, why: ClaimError, now: Timestamp) -> ApiError {
    let leaf = NewRefusal {
        tenant: call.tenant.clone(),
        what: "claim".to_owned(),
        code: why.code().to_owned(),
        facts: [("challenge".to_owned(), call.challenge.to_string())].into(),
        at: now,
    };
    refusals::written(app, leaf, refusals::claim(why)).await
}

/// Counts the attempt and finds the credential. The attempt is counted before anything is looked at (T-33), and by where it
/// comes from: whoever read the code and sends nonsense keeps the right phone from nothing (T-35).
pub(super) async fn known_credential(
    app: &App,
    call: &Call,
    what: &str,
    now: Timestamp,
) -> Result<Credential, ApiError> {
    let attempts = format!("{} {}", call.challenge, limits::network_of(call.from.ip));
    app.limits.gate(limits::Subject::Challenge(&attempts))?;
    let spki = call.key.to_spki();
    let found = app.store.credential_by_key(&call.tenant, call.kind, &spki).await.map_err(refusals::store)?;
    if let Some(found) = found {
        return Ok(found.credential);
    }
    let refusal = refusals::unknown_credential();
    // The key's thumbprint is no person's name: nobody here owns the key.
    let facts = [
        ("challenge".to_owned(), call.challenge.to_string()),
        ("key".to_owned(), call.key.thumbprint().to_base64url()),
    ];
    let leaf = NewRefusal {
        tenant: call.tenant.clone(),
        what: what.to_owned(),
        code: "unknown_credential".to_owned(),
        facts: facts.into(),
        at: now,
    };
    Err(refusals::written(app, leaf, refusal).await)
}

async fn take(app: &App, call: &Call, operation: Operation, now: Timestamp) -> Result<Transitioned, ApiError> {
    let request = TransitionRequest { tenant: call.tenant.clone(), challenge: call.challenge, operation, at: now };
    let step = app.store.transition(request).await.map_err(refusals::transition)?;
    follow::step(app, &step, now);
    Ok(step)
}

fn is_anonymous(challenge: &Challenge) -> bool {
    matches!(challenge.frozen().subject, Subject::Anonymous)
}
