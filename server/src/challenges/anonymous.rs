//! Challenges for whoever claims them: a kiosk shows one, and the claim says who it is about.
//!
//! The action is tracked when the phone claims it, with the claimer as the user and the screen's address, device and data
//! as the event's. Twice the policies are asked: before the claim as a mere question, so that somebody who may not do this
//! neither takes the QR from others nor leaves a trace in anybody's history; and after the claim for the record. Nothing
//! can be approved before that record is durable.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use challenge::state::{Level, Origin, OriginPlace, Supersession};
use challenge::{ActionCode, Challenge, TenantId, UserId};
use engine::event::EventInput;
use engine::maybe::Maybe;
use engine::outcome::{Claimant, Outcome};
use engine::verdict::Verdict;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{follow, generate, refusals};
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::store::{Operation, TransitionError, TransitionRequest};
use crate::{decode, enrich, pipeline};

/// Where a screen is, as far as its request tells.
pub fn origin(app: &App, client: IpAddr, headers: &HeaderMap) -> Origin {
    located(app, Some(client), user_agent(headers), None)
}

/// What a program calls itself, bounded.
pub fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok())?;
    Some(text.chars().take(512).collect())
}

/// An origin with the place of its address.
pub fn located(app: &App, ip: Option<IpAddr>, user_agent: Option<String>, device: Option<String>) -> Origin {
    let ip = ip.map(|ip| ip.to_canonical());
    let place = ip.and_then(|ip| match enrich::place_of(ip, &app.atlas.load()).0 {
        Maybe::Known(fix) => Some(OriginPlace {
            country: Some(fix.country.to_string()),
            region: fix.region.as_deref().map(str::to_owned),
            city: fix.city.as_deref().map(str::to_owned),
        }),
        Maybe::Unknown(_) => None,
    });
    let device = device.or_else(|| user_agent.as_deref().and_then(crate::device::label));
    Origin { ip, user_agent, device, place }
}

/// The data of an anonymous screen that a phone may be shown: what the action declares and does not mark as personal.
/// Refuses an action that no policy knows, and data that does not fit it, while the screen can still be told.
pub fn presentable(
    app: &App,
    tenant: &TenantId,
    action: &ActionCode,
    custom: Map<String, Value>,
    origin: &Origin,
    now: Timestamp,
) -> Result<Map<String, Value>, ApiError> {
    let policies = app.policies.of(tenant);
    let program = policies.program();
    let custom: Map<String, Value> = match program.event(action.as_str()) {
        Some(event) => {
            let public = |name: &String| event.fields.iter().any(|field| *field.name == **name && !field.pii);
            custom.into_iter().filter(|(name, _)| public(name)).collect()
        }
        None => Map::new(),
    };
    // Whoever claims it, the rest of the event is known now.
    let somebody = UserId::parse("somebody").map_err(ApiError::internal)?;
    let input = event(action, &somebody, "", &custom, origin, now);
    program.decode(&input).map_err(|errors| decode::refused(errors, |_| false))?;
    Ok(custom)
}

/// Asks the policies, without a trace, whether this user may take the challenge, and what they ask of the key: who claims
/// it was not known when the challenge was frozen.
pub async fn admit(app: &App, challenge: &Challenge, user: &UserId, now: Timestamp) -> Result<Level, ApiError> {
    let frozen = challenge.frozen();
    let verdict = pipeline::what_if(app, &frozen.tenant, input(challenge, user, now)).await?;
    judge(&verdict)?;
    Ok(verdict.challenge.as_ref().map_or(frozen.level, generate::level).max(frozen.level))
}

/// Records the decision about a claimed challenge, once. A policy that has changed its mind since the claim takes the
/// challenge back.
pub async fn decide(app: &App, challenge: &Challenge, now: Timestamp) -> Result<(), ApiError> {
    let claim = challenge.state().claim().ok_or_else(|| ApiError::internal("an unclaimed challenge has no user"))?;
    let recorded = pipeline::claimed(app, challenge, input(challenge, &claim.user, claim.at)).await?;
    if recorded.outcome != crate::store::Outcome::Block {
        return Ok(());
    }
    let frozen = challenge.frozen();
    let operation = Operation::Supersede(Supersession::Cancelled);
    let request = TransitionRequest { tenant: frozen.tenant.clone(), challenge: frozen.id, operation, at: now };
    match app.store.transition(request).await {
        Ok(step) => follow::step(app, &step, now),
        Err(TransitionError::Store(error)) => return Err(refusals::store(error)),
        // It has ended otherwise, which is as good.
        Err(_) => {}
    }
    Err(blocked())
}

fn judge(verdict: &Verdict) -> Result<(), ApiError> {
    match verdict.outcome {
        Outcome::Block => return Err(blocked()),
        Outcome::Allow | Outcome::Challenge => {}
    }
    // `user: locked` says that the backend must know beforehand who acts.
    let locked = verdict.challenge.as_ref().is_some_and(|spec| spec.user == Claimant::Locked);
    if locked {
        let detail = "this action must be tracked for a user first; a screen that knows nobody cannot start it";
        return Err(ApiError::new(Problem::WrongUser, detail));
    }
    Ok(())
}

fn blocked() -> ApiError {
    ApiError::new(Problem::ActionBlocked, "a policy refuses this action for this user from this screen")
}

/// The event that a claim makes of the screen's request.
fn input(challenge: &Challenge, user: &UserId, at: Timestamp) -> EventInput {
    let frozen = challenge.frozen();
    event(&frozen.action, user, frozen.idempotency_key.as_str(), &frozen.custom, &frozen.origin, at)
}

fn event(
    action: &ActionCode,
    user: &UserId,
    key: &str,
    custom: &Map<String, Value>,
    origin: &Origin,
    at: Timestamp,
) -> EventInput {
    let mut input = EventInput::new(action.as_str(), user.as_str(), at);
    input.ip = origin.ip;
    input.user_agent = origin.user_agent.clone();
    input.device_name = origin.device.clone();
    input.custom = custom.clone();
    input.idempotency_key = Some(format!("{action}/{key}"));
    input
}
