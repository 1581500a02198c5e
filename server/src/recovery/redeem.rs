//! Uses a recovery code up. It stands in for the phone in one challenge, or lets one new phone in.
//!
//! A code is something that the person has (NIST SP 800-63B, section 5.1.2), and nothing that could show them what they
//! confirm. So it passes a challenge of the level `possession` that binds no fields, and no other; for those it lets a
//! phone in, which then answers.

use std::net::IpAddr;

use challenge::TenantId;
use challenge::state::Level;
use challenge::token::{ResultClaims, TrackClaims};
use engine::status::Status;
use jiff::{SignedDuration, Timestamp};

use super::code;
use super::event::{self, Method, Recovery};
use crate::app::App;
use crate::challenges::{follow, refusals, tokens};
use crate::error::{ApiError, Problem};
use crate::limits::{self, Subject};
use crate::store::{
    ActionState, Decision, DecisionKey, GuessError, GuessLimit, NewGuess, NewRefusal, RecoveryCode, RecoveryCodeError,
    RecoveryCodeUse, RecoveryCodeUsed, RecoveryPurpose,
};

/// What somebody who holds a track token sends.
pub struct Redemption<'a> {
    /// The token.
    pub claims: &'a TrackClaims,
    /// What was typed.
    pub typed: String,
    /// What the code is to do.
    pub purpose: RecoveryPurpose,
    /// Where it comes from.
    pub client: IpAddr,
    /// The browser's description of itself.
    pub user_agent: Option<String>,
}

/// What came of it.
pub struct Redeemed {
    /// After an approval the result token; for an enrolment the token that adds one phone.
    pub token: String,
    /// How many codes are left.
    pub left: u64,
}

/// Uses the code, or says why not.
pub async fn redeem(app: &App, redemption: Redemption<'_>) -> Result<Redeemed, ApiError> {
    let now = app.clock.now();
    let key = tokens::attempt_of(redemption.claims)?;
    // Counted before anything is looked at: parallel guesses must not all see the same count (T-33).
    app.limits.gate(Subject::RecoveryFrom(redemption.client))?;
    count(app, &key, now).await?;
    let decision = app.store.decision_by_key(&key).await.map_err(refusals::store)?;
    let decision = decision.ok_or_else(|| tokens::refused(challenge::token::TokenError::Claims))?;

    let code = right_code(app, &key, &decision, &redemption, now).await?;
    let use_before = (redemption.purpose, decision.id);
    if code.used_for != Some(use_before) {
        admit(app, &key.tenant, &decision, redemption.purpose).await?;
        let recovery = Recovery {
            tenant: &key.tenant,
            user: &key.user,
            // Another attempt is another event: what a policy refuses today it may allow tomorrow.
            key: format!("code-{}-{}", code.id, decision.id),
            ip: Some(redemption.client),
            user_agent: redemption.user_agent,
            method: Method::RecoveryCode,
        };
        event::judge(app, recovery).await?;
    }
    let used = RecoveryCodeUse {
        tenant: key.tenant.clone(),
        code: code.id,
        purpose: redemption.purpose,
        decision: decision.id,
        at: now,
    };
    let used = app.store.use_recovery_code(used).await.map_err(|error| match error {
        RecoveryCodeError::Spent => wrong(),
        RecoveryCodeError::NotAsked => nothing_to_approve(&decision),
        RecoveryCodeError::Store(error) => refusals::store(error),
    })?;
    after(app, &key, &used, redemption.purpose, now);
    let token = match redemption.purpose {
        RecoveryPurpose::Approval => result_token(app, &used.decision).await?,
        RecoveryPurpose::Enrolment => tokens::enrolment_token(app, &key, redemption.claims, code.id, now)?,
    };
    Ok(Redeemed { token, left: used.left })
}

/// Counts the attempt durably, or refuses it: failures are forgotten by time alone, and by no restart (I10).
async fn count(app: &App, key: &DecisionKey, now: Timestamp) -> Result<(), ApiError> {
    let limit = app.config.limits.recovery;
    let guess = NewGuess {
        tenant: key.tenant.clone(),
        user: key.user.clone(),
        pseudonym: app.random.uuid_v4(),
        limit: GuessLimit {
            burst: limit.burst.get(),
            each: SignedDuration::from_mins(1) / i32::try_from(limit.per_minute.get()).unwrap_or(i32::MAX),
        },
        at: now,
    };
    app.store.count_guess(guess).await.map_err(|error| match error {
        GuessError::TooMany { again_at } => {
            let wait = again_at.duration_since(now).as_millis().max(0).unsigned_abs().div_ceil(1000);
            limits::used_up("recovery", limit, u64::try_from(wait).unwrap_or(u64::MAX))
        }
        GuessError::Store(error) => refusals::store(error),
    })
}

/// The code that was typed, if it is good, or was used for this very thing before (the answer was lost on the way).
async fn right_code(
    app: &App,
    key: &DecisionKey,
    decision: &Decision,
    redemption: &Redemption<'_>,
    now: Timestamp,
) -> Result<RecoveryCode, ApiError> {
    let kept = app.store.recovery_codes(&key.tenant, &key.user).await.map_err(refusals::store)?;
    let (typed, app_there) = (redemption.typed.clone(), app.clone());
    let search = move || code::find(&typed, &kept, app_there.keys.recovery());
    let found = tokio::task::spawn_blocking(search).await.map_err(ApiError::internal)?;
    let this_use = (redemption.purpose, decision.id);
    let usable = |code: &RecoveryCode| code.ended_at.is_none() || code.used_for == Some(this_use);
    if let Some(code) = found.filter(usable) {
        return Ok(code);
    }
    let leaf = NewRefusal {
        tenant: key.tenant.clone(),
        what: "recovery_code".to_owned(),
        code: Problem::InvalidRecoveryCode.entry().code.to_owned(),
        facts: [("decision".to_owned(), decision.id.to_string())].into(),
        at: now,
    };
    Err(refusals::written(app, leaf, wrong()).await)
}

/// Whether a code may do this at all. Nothing is used up by asking.
async fn admit(app: &App, tenant: &TenantId, decision: &Decision, purpose: RecoveryPurpose) -> Result<(), ApiError> {
    if decision.state == ActionState::Block {
        return Err(ApiError::new(Problem::ActionBlocked, "the action of this token was blocked; it recovers nobody"));
    }
    if purpose == RecoveryPurpose::Enrolment {
        return Ok(());
    }
    if decision.state != ActionState::ChallengeRequired {
        return Err(nothing_to_approve(decision));
    }
    let challenge = match decision.challenge {
        Some(id) => app.store.challenge(tenant, id).await.map_err(refusals::store)?,
        None => None,
    };
    let asked = challenge.ok_or_else(|| nothing_to_approve(decision))?;
    let frozen = asked.challenge.frozen();
    if frozen.level > Level::Possession || !frozen.bind.is_empty() {
        let detail = "this request needs a phone that shows what is confirmed; use the code to enrol one";
        return Err(ApiError::new(Problem::RecoveryNotEnough, detail));
    }
    Ok(())
}

/// Screens and history hear of it. A repeat tells nobody anything.
fn after(app: &App, key: &DecisionKey, used: &RecoveryCodeUsed, purpose: RecoveryPurpose, now: Timestamp) {
    if used.repeated {
        return;
    }
    for step in &used.cancelled {
        follow::step(app, step, now);
    }
    if purpose == RecoveryPurpose::Approval {
        // It went through; that no phone answered is what rules must know.
        let DecisionKey { tenant, user, action, idempotency_key } = key;
        app.policies.settle(tenant, user, action, idempotency_key, Status::Allowed, now);
    }
}

/// The token of an attempt that a code approved; however often it is asked for, it is the same one and validates once.
async fn result_token(app: &App, decision: &Decision) -> Result<String, ApiError> {
    let challenge = match decision.challenge {
        Some(id) => app.store.challenge(&decision.tenant, id).await.map_err(refusals::store)?,
        None => None,
    };
    let challenge = challenge.ok_or_else(|| nothing_to_approve(decision))?;
    let issuer = crate::challenges::issuer(app);
    let mint = challenge::token::Mint {
        issuer: &issuer,
        audience: &decision.tenant,
        jti: format!("recovery-{}", decision.id),
        at: decision.state_updated_at,
        life: tokens::RESULT_LIFE,
    };
    // Unlike a phone's approval it manages no authenticators: one code, one use.
    let claims = ResultClaims::by_recovery_code(mint, &challenge.challenge, &decision.user, tokens::READ);
    app.keys.tokens().signing().sign(&claims, app.clock.now()).map_err(ApiError::internal)
}

fn wrong() -> ApiError {
    ApiError::new(Problem::InvalidRecoveryCode, "this is none of the recovery codes that are left")
}

fn nothing_to_approve(decision: &Decision) -> ApiError {
    let detail = format!("there is nothing to approve: the action's state is {}", decision.state);
    ApiError::new(Problem::ChallengeClosed, detail)
}
