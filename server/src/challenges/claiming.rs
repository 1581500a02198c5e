//! What the policies say to a claim: the event `challenge_claim`, with the phone's end and the screen's.
//!
//! The event is judged when everything else about the claim is known to be right, and its decision is committed together with
//! the claim. `block` refuses the claim and leaves the code to others; `challenge` asks for the match code, two digits that
//! the screen shows and the claimer types. A claim by somebody else than the user of the challenge is an event of that user's,
//! `challenge_foreign_claim`. A pack that does not declare an event is not asked.

use challenge::id::MatchCode;
use challenge::state::{Kind, State, Subject};
use challenge::{
    ActionCode, Challenge, ChallengeId, ClaimAttempt, ClaimError, ClaimProof, Credential, Effect, IdempotencyKey,
    TenantId, UserId,
};
use engine::event::EventInput;
use engine::outcome::Outcome;
use engine::program::CHALLENGE_CLAIM;
use engine::verdict::{Reason, Verdict};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::phone::Call;
use super::{ends, follow, refusals};
use crate::app::App;
use crate::config::Unenrolled;
use crate::decide::{self, Decided};
use crate::error::{ApiError, Problem};
use crate::pipeline::own::{self, Own};
use crate::random::Random;
use crate::store::{
    DecisionId, DecisionKey, NewRefusal, Operation, RecordError, Site, TransitionError, TransitionRequest, Transitioned,
};

/// The event of the user whose challenge somebody else's phone claimed.
const FOREIGN_CLAIM: &str = "challenge_foreign_claim";

/// Takes the challenge for the phone unless the policies refuse it.
pub async fn take(
    app: &App,
    call: &Call,
    credential: &Credential,
    mut attempt: ClaimAttempt,
    now: Timestamp,
) -> Result<Transitioned, ApiError> {
    // Always before the attempt's turn: a pack that wants to take over waits for us, and others for it.
    let policies = app.policies.of(&call.tenant);
    let judging = policies.judging().await;
    // One claim of a user's after the other: a retry finds what the first came to, and is not judged again.
    let claim_code = action(CHALLENGE_CLAIM)?;
    let _turn = app.attempts.begin(&key_of(call, &credential.user, claim_code, call.challenge.to_string())?).await;
    let stored = app.store.challenge(&call.tenant, call.challenge).await.map_err(refusals::store)?;
    let stored = stored.ok_or_else(refusals::challenge_not_found)?;
    let challenge = &stored.challenge;
    let about = match (challenge.claim(credential, &attempt, now), &challenge.frozen().subject) {
        (Ok(step), _) if step.effect == Effect::Moved => Some((CHALLENGE_CLAIM, &credential.user)),
        (Err(ClaimError::WrongUser), Subject::Identified(owner)) => Some((FOREIGN_CLAIM, owner)),
        (Ok(_) | Err(_), _) => None,
    };
    let fits = call.answers.contains(&challenge.frozen().kind);
    let about = about.filter(|(event, _)| fits && judging.program().event(event).is_some());
    let Some((event, user)) = about else {
        return commit(app, call, claim(call, credential, attempt), now).await.map_err(refusals::transition);
    };

    let site = site_of(app, challenge).await?;
    let own = event_of(app, call, (challenge, site), credential, &attempt, (event, user), now)?;
    let hindered = Hindered::of(challenge.frozen().kind, &attempt.proof);
    let foreign = event == FOREIGN_CLAIM;
    let judged = own::judge(app, &judging, own, |verdict| answered(verdict, foreign, hindered)).await;
    let (decision, judged) = match judged {
        Ok(judged) => judged,
        // The pack declares the event with a field that we cannot fill.
        Err(unfit) if unfit.problem() == Problem::InvalidEvent => return Err(unfit_event(app, call, &unfit, now).await),
        Err(refusal) => return Err(refusal),
    };
    if !foreign && judged.decided.outcome == Outcome::Block {
        return match app.store.record_decision(decision).await {
            Ok(_) => {
                judged.recorded(app, &judging);
                Err(refused(&judged.verdict, hindered, &judged.decided.reasons))
            }
            Err(RecordError::Duplicate(_)) => Err(ApiError::internal("a fresh decision was there already")),
            Err(RecordError::Store(error)) => Err(crate::caches::refuse(error)),
        };
    }
    if !foreign && judged.decided.outcome == Outcome::Challenge {
        attempt.match_code = Some(match_code(&app.random)?);
    }
    let taken = commit(app, call, claim(call, credential, attempt).recording(decision), now).await;
    // The decision is as durable as the claim or its refusal.
    if !matches!(taken, Err(TransitionError::Store(_))) {
        judged.recorded(app, &judging);
    }
    taken.map_err(refusals::transition)
}

/// The digits that the claimer must type, for the screen that made the challenge.
pub fn code_on_screen(challenge: &Challenge) -> Option<&str> {
    match challenge.state() {
        State::Claimed(claim) => claim.match_code.as_ref().map(MatchCode::expose),
        _ => None,
    }
}

/// The same, for a screen that heard of the claim just now. It is looked up, so that the code travels nowhere else.
pub async fn code_of(app: &App, tenant: &TenantId, challenge: ChallengeId) -> Result<Option<String>, ApiError> {
    let stored = app.store.challenge(tenant, challenge).await.map_err(refusals::store)?;
    Ok(stored.and_then(|stored| code_on_screen(&stored.challenge).map(str::to_owned)))
}

fn claim(call: &Call, credential: &Credential, attempt: ClaimAttempt) -> Operation {
    let answers = call.answers;
    let judge = move |challenge: &Challenge, signer: &Credential, now| match challenge.frozen().kind {
        kind if answers.contains(&kind) => challenge.claim(signer, &attempt, now),
        _ => Err(ClaimError::NotFound),
    };
    Operation::claim(credential.id.clone(), judge)
}

async fn commit(app: &App, call: &Call, operation: Operation, now: Timestamp) -> Result<Transitioned, TransitionError> {
    let request = TransitionRequest { tenant: call.tenant.clone(), challenge: call.challenge, operation, at: now };
    let step = app.store.transition(request).await?;
    follow::step(app, &step, now);
    Ok(step)
}

/// Why a claimer cannot be asked for the number on the screen.
#[derive(Clone, Copy)]
enum Hindered {
    /// An app that asks for itself: no other screen could show one.
    NoScreen,
    /// A stock app has no field for the number, and would send it unsigned.
    TooOld,
}

impl Hindered {
    fn of(kind: Kind, proof: &ClaimProof) -> Option<Hindered> {
        match (kind, proof) {
            (Kind::InApp, _) => Some(Hindered::NoScreen),
            (Kind::Qr | Kind::Push, ClaimProof::Compat) => Some(Hindered::TooOld),
            (Kind::Qr | Kind::Push, ClaimProof::V2 { .. }) => None,
        }
    }
}

/// What we answer to a claim, from what the rules say.
fn answered(verdict: &Verdict, foreign: bool, hindered: Option<Hindered>) -> Decided {
    let mut decided = decide::decide(verdict, true, Unenrolled::Challenge);
    let mut block = |code: &str, text: &str| {
        decided.outcome = Outcome::Block;
        decided.reasons.push(Reason { code: code.into(), text: text.into(), internal: None, regulation: None });
    };
    if foreign {
        block("WRONG_USER", "The request is for another person.");
    } else if verdict.outcome == Outcome::Challenge {
        match hindered {
            Some(Hindered::NoScreen) => block("NO_OTHER_SCREEN", "There is no screen that could show a number."),
            Some(Hindered::TooOld) => block("PROTOCOL_TOO_OLD", "This app cannot take the number on the screen."),
            None => {}
        }
    }
    decided
}

/// The refusal of a claim that the policies do not let through.
fn refused(verdict: &Verdict, hindered: Option<Hindered>, reasons: &[Reason]) -> ApiError {
    let error = match (verdict.outcome, hindered) {
        (Outcome::Challenge, Some(Hindered::TooOld)) => ApiError::new(
            Problem::ProtocolTooOld,
            "a policy asks for the number on the screen, which needs version 2 signatures; update the app",
        ),
        (Outcome::Challenge, Some(Hindered::NoScreen)) => ApiError::new(
            Problem::ActionBlocked,
            "a policy asks for the number on another screen, which an app that asks for itself does not have; use a QR code or a push",
        ),
        (Outcome::Allow | Outcome::Block | Outcome::Challenge, _) => {
            ApiError::new(Problem::ActionBlocked, "a policy refuses this claim; the code stays open to others")
        }
    };
    // What could not be told names a rule, which is no business of a phone's.
    let public = reasons.iter().filter(|reason| !reason.code.starts_with("UNKNOWN:"));
    let public: Vec<Value> = public.map(|reason| json!({"code": reason.code, "text": reason.text})).collect();
    error.with("reasons", json!(public))
}

/// Nothing is let through that the pack wanted judged and we cannot describe; the operator's log says why.
async fn unfit_event(app: &App, call: &Call, unfit: &ApiError, now: Timestamp) -> ApiError {
    tracing::error!(why = unfit.detail(), "the pack declares an event for claims that cannot be filled");
    let leaf = NewRefusal {
        tenant: call.tenant.clone(),
        what: "claim".to_owned(),
        code: "invalid_event".to_owned(),
        facts: [("challenge".to_owned(), call.challenge.to_string())].into(),
        at: now,
    };
    let said = ApiError::new(Problem::ActionBlocked, "the policies cannot judge this claim, so it is refused");
    refusals::written(app, leaf, said).await
}

/// Where the terminal of a challenge stands, if an administrator has said it.
async fn site_of(app: &App, challenge: &Challenge) -> Result<Option<Site>, ApiError> {
    let frozen = challenge.frozen();
    let Some(terminal) = &frozen.terminal else { return Ok(None) };
    let known = app.store.terminal(&frozen.tenant, &terminal.id).await.map_err(refusals::store)?;
    Ok(known.map(|known| known.place))
}

fn action(name: &str) -> Result<ActionCode, ApiError> {
    ActionCode::parse(name).map_err(ApiError::internal)
}

fn key_of(call: &Call, user: &UserId, action: ActionCode, key: String) -> Result<DecisionKey, ApiError> {
    let idempotency_key = IdempotencyKey::parse(key).map_err(ApiError::internal)?;
    Ok(DecisionKey { tenant: call.tenant.clone(), user: user.clone(), action, idempotency_key })
}

#[allow(clippy::too_many_arguments, reason = "both ends of a claim, and what it is about")]
fn event_of(
    app: &App,
    call: &Call,
    (challenge, site): (&Challenge, Option<Site>),
    credential: &Credential,
    attempt: &ClaimAttempt,
    (event, user): (&str, &UserId),
    now: Timestamp,
) -> Result<Own, ApiError> {
    let id = DecisionId(app.random.uuid_v7(now));
    let mut input = EventInput::new(event, user.as_str(), now);
    let phone = &call.from;
    input.ip = Some(phone.ip.to_canonical());
    input.user_agent = phone.user_agent.clone();
    input.device_name = phone.user_agent.as_deref().and_then(crate::device::label);
    input.device = Some(credential.id.to_string());
    input.custom = ends::between(phone.ip, challenge.frozen().origin.ip, site.as_ref(), &app.atlas.load());
    input.custom.insert("challenge_action".to_owned(), json!(challenge.frozen().action));
    input.custom.insert("challenge_kind".to_owned(), json!(challenge.frozen().kind.wire_name()));
    let protocol = match attempt.proof {
        ClaimProof::Compat => "compat",
        ClaimProof::V2 { .. } => "v2",
    };
    input.custom.insert("protocol".to_owned(), json!(protocol));
    input.custom.insert("trusted_origin".to_owned(), json!(challenge.frozen().terminal.is_some()));
    if let Some(terminal) = &challenge.frozen().terminal {
        input.custom.insert("terminal".to_owned(), json!(terminal.id));
    }
    // That it is true has been verified: only a claim that is right so far is judged.
    if let ClaimProof::V2 { near: Some(near), .. } = &attempt.proof {
        input.custom.insert("proximity".to_owned(), json!(near.channel.word()));
    }
    if event == FOREIGN_CLAIM {
        input.custom.insert("claimer".to_owned(), json!(credential.user));
    }
    let facts = [("challenge", challenge.id().to_string()), ("credential", credential.id.to_string())];
    Ok(Own {
        // The challenge's id leads from its end to this decision.
        key: key_of(call, user, action(event)?, format!("{}.{id}", challenge.id()))?,
        id,
        input,
        facts: facts.map(|(name, fact)| (name.to_owned(), fact)).into(),
    })
}

/// Two digits, each pair as likely as any other.
fn match_code(random: &Random) -> Result<MatchCode, ApiError> {
    let [byte] = loop {
        // 200 is the largest multiple of 100 in a byte; what lies above would favour the first pairs.
        match random.bytes::<1>() {
            [byte] if byte < 200 => break [byte],
            _ => {}
        }
    };
    MatchCode::parse(&format!("{:02}", byte % 100)).map_err(ApiError::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_digits_comes_about_equally_often() {
        let random = Random::seeded(17);
        let mut seen = [0_u32; 100];
        for _ in 0..100_000 {
            let code = match_code(&random).expect("a code");
            assert_eq!(code.expose().len(), 2);
            seen[code.expose().parse::<usize>().expect("digits")] += 1;
        }
        // Chi-square with 99 degrees of freedom exceeds 149 once in a thousand; the dice are seeded.
        let expected = 1_000.0;
        let chi: f64 = seen.iter().map(|n| (f64::from(*n) - expected).powi(2) / expected).sum();
        assert!(chi < 149.0, "{chi}");
    }
}
