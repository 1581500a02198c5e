//! Makes challenges: freezes what the phone will show and sign.

use challenge::context::ContextError;
use challenge::state::{Detail, DraftError, Kind, LONGEST_LIFE, Level, Origin, Protocol, Subject};
use challenge::{ActionCode, Challenge, ChallengeId, Draft, IdempotencyKey, TenantId, UserId};
use engine::outcome;
use engine::verdict::{ChallengeSpec, FieldText};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::terminal::Vouching;
use crate::app::App;
use crate::config::MobileProtocol;
use crate::error::{ApiError, FieldIssue, Problem};
use crate::store::NewChallenge;

/// A decision that asks for a challenge.
pub struct ForDecision<'a> {
    /// Whose decision.
    pub tenant: &'a TenantId,
    /// Whose phone must answer.
    pub user: &'a UserId,
    /// What they try to do.
    pub action: &'a ActionCode,
    /// Which attempt at it.
    pub idempotency_key: &'a IdempotencyKey,
    /// What the policy asks for.
    pub spec: &'a ChallengeSpec,
    /// Where the request came from.
    pub origin: Origin,
}

/// The challenge that is recorded in one unit with its decision. A screen shows it later, with the decision's token.
pub fn for_decision(app: &App, asked: ForDecision<'_>, now: Timestamp) -> Result<NewChallenge, ApiError> {
    let bind = details(&asked.spec.bind);
    let show: Vec<Detail> = details(&asked.spec.show)
        .into_iter()
        .filter(|shown| !bind.iter().any(|bound| bound.field == shown.field))
        .collect();
    let draft = Draft {
        tenant: asked.tenant.clone(),
        id: ChallengeId::from_random(app.random.bytes()),
        action: asked.action.clone(),
        idempotency_key: asked.idempotency_key.clone(),
        subject: Subject::Identified(asked.user.clone()),
        origin: asked.origin,
        custom: public(bind.iter().chain(&show)),
        level: level(asked.spec),
        minimum_protocol: minimum_protocol(app, asked.tenant, asked.action, !bind.is_empty()),
        bind,
        show,
        device_code: None,
        terminal: None,
        life: life(app, asked.spec.expires_s),
        attempts_allowed: asked
            .spec
            .attempts
            .and_then(|n| u8::try_from(n).ok())
            .filter(|n| *n > 0)
            .unwrap_or_else(|| default_attempts(app)),
    };
    let challenge = freeze(app, Kind::Qr, draft, now)?;
    Ok(NewChallenge { challenge, decision: None, supersedes: None })
}

/// A fresh challenge for the same request: everything frozen stays but the name, the times and the way to the phone. Which
/// terminal shows it is never taken from its predecessor.
pub fn successor(
    app: &App,
    predecessor: &Challenge,
    kind: Kind,
    id: ChallengeId,
    at: Option<&Vouching>,
    now: Timestamp,
) -> Result<Challenge, ApiError> {
    let frozen = predecessor.frozen();
    let origin = frozen.origin.clone();
    let draft = Draft {
        tenant: frozen.tenant.clone(),
        id,
        action: frozen.action.clone(),
        idempotency_key: frozen.idempotency_key.clone(),
        subject: frozen.subject.clone(),
        origin: at.map_or(origin.clone(), |at| at.placed(origin)),
        custom: frozen.custom.clone(),
        level: frozen.level,
        bind: frozen.bind.clone(),
        show: frozen.show.clone(),
        minimum_protocol: frozen.minimum_protocol,
        device_code: None,
        terminal: at.map(|at| at.terminal.clone()),
        life: frozen.expires_at.duration_since(frozen.created_at),
        attempts_allowed: frozen.attempts_allowed,
    };
    freeze(app, kind, draft, now)
}

/// A screen that does not know who will answer.
pub struct ForAnybody<'a> {
    /// Whose screen.
    pub tenant: &'a TenantId,
    /// What is to be approved.
    pub action: ActionCode,
    /// The screen's own data, as far as a phone may see it.
    pub custom: Map<String, Value>,
    /// Where the screen is.
    pub origin: Origin,
    /// The terminal that it is.
    pub at: Option<Vouching>,
}

/// A challenge for whoever claims it: a kiosk shows it or an app asks for it, and the claim says who that is.
pub fn anonymous(app: &App, kind: Kind, asked: ForAnybody<'_>, now: Timestamp) -> Result<Challenge, ApiError> {
    let ForAnybody { tenant, action, custom, origin, at } = asked;
    let origin = at.as_ref().map_or(origin.clone(), |at| at.placed(origin));
    let minimum_protocol = minimum_protocol(app, tenant, &action, false);
    let key = IdempotencyKey::parse(app.random.uuid_v7(now).to_string()).map_err(ApiError::internal)?;
    let draft = Draft {
        tenant: tenant.clone(),
        id: ChallengeId::from_random(app.random.bytes()),
        action,
        idempotency_key: key,
        subject: Subject::Anonymous,
        origin,
        custom,
        level: Level::Possession,
        bind: Vec::new(),
        show: Vec::new(),
        minimum_protocol,
        device_code: None,
        terminal: at.map(|at| at.terminal),
        life: life(app, None),
        attempts_allowed: default_attempts(app),
    };
    freeze(app, kind, draft, now)
}

fn freeze(app: &App, kind: Kind, mut draft: Draft, now: Timestamp) -> Result<Challenge, ApiError> {
    draft.device_code = Some(app.keys.device_code(&draft.id).hash());
    Challenge::generate_as(kind, draft, now).map_err(|error| match error {
        DraftError::Context(context) => ApiError::fields(Problem::InvalidEvent, vec![unshowable(&context)]),
        DraftError::Life | DraftError::Attempts => ApiError::internal(error),
    })
}

/// What cannot be shown, and where a request says it.
fn unshowable(error: &ContextError) -> FieldIssue {
    let (pointer, detail) = match error {
        ContextError::Text { pointer, why } => (pointer.as_str(), format!("this text {why}")),
        ContextError::TooDeep { pointer } => (pointer.as_str(), error.to_string()),
        ContextError::TooLong => ("/custom", error.to_string()),
    };
    // What is bound or shown is a field of the event.
    let field = pointer.strip_prefix("/bind/").or_else(|| pointer.strip_prefix("/show/"));
    let pointer = match (field, pointer) {
        (Some(field), _) => format!("/custom/{field}"),
        (None, "/user") => "/path/userId".to_owned(),
        (None, pointer) => pointer.to_owned(),
    };
    FieldIssue::new(pointer, "not-showable", detail)
}

/// What a policy asks of the key.
pub(super) fn level(spec: &ChallengeSpec) -> Level {
    match spec.level {
        outcome::Level::Possession => Level::Possession,
        outcome::Level::Biometric => Level::Biometric,
    }
}

fn life(app: &App, asked_s: Option<u32>) -> SignedDuration {
    let life = asked_s.map_or_else(
        || SignedDuration::from_secs(i64::from(app.config.challenges.lifetime_s)),
        |s| SignedDuration::from_secs(i64::from(s)),
    );
    life.clamp(SignedDuration::from_secs(1), LONGEST_LIFE)
}

/// How many wrong codes end a challenge when the policy does not say.
fn default_attempts(app: &App) -> u8 {
    u8::try_from(app.config.challenges.attempts).unwrap_or(u8::MAX).max(1)
}

/// A rule that binds fields wants them signed, unless the tenant lets the server vouch for stock phones. A tenant may want
/// signatures over everything for an action besides.
fn minimum_protocol(app: &App, tenant: &TenantId, action: &ActionCode, binds: bool) -> Protocol {
    let settings = app.config.tenant(tenant.as_str());
    let asked = settings.min_mobile_protocol.get(action.as_str()).or_else(|| settings.min_mobile_protocol.get("*"));
    let signed = binds && !settings.server_linking;
    if signed || asked == Some(&MobileProtocol::V2) { Protocol::V2 } else { Protocol::Compat }
}

/// Fields in words. One that the event does not have is said to be missing: leaving it out would hide that it is.
fn details(fields: &[FieldText]) -> Vec<Detail> {
    fields
        .iter()
        .map(|field| Detail {
            field: field.path.to_string(),
            value: field.value.clone().unwrap_or_else(|| "not given".to_owned()),
        })
        .collect()
}

/// What stock phones get as `custom`: the fields the policy shows, and no other.
fn public<'a>(details: impl Iterator<Item = &'a Detail>) -> Map<String, Value> {
    details.map(|detail| (detail.field.clone(), Value::from(detail.value.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use challenge::state::MOST_ATTEMPTS;
    use engine::check::limits;

    use super::*;

    /// A pack that says more would compile, and each of its challenges fail.
    #[test]
    fn rules_can_ask_of_a_challenge_what_it_can_be() {
        assert_eq!(limits::MOST_ATTEMPTS, u32::from(MOST_ATTEMPTS));
        assert_eq!(i64::from(limits::MOST_EXPIRES_S), LONGEST_LIFE.as_secs());
    }
}
