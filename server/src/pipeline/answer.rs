//! What `track` says: the wire's fields, and ours.

use engine::outcome::Outcome;
use engine::program::Program;
use engine::signals::Signals;
use engine::verdict::{Reason, Verdict};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::challenges::tokens;
use crate::clock::whole_milliseconds;
use crate::decide::{Decided, first_state};
use crate::decode::Attempted;
use crate::error::ApiError;
use crate::http::authenticators::enrolled_methods;
use crate::origin;
use crate::policies::Judging;
use crate::store::{DecisionId, DecisionKey, NewChallenge, StoredCredential};

/// Asks [`add_token`] for the right to enrol; never sent.
const MUST_ENROL: &str = "mustEnrol";

/// The answer without its token and trace: what is recorded, and found again by a repeat.
pub(super) fn body(
    attempted: &Attempted,
    id: DecisionId,
    judging: &Judging<'_>,
    verdict: &Verdict,
    decided: &Decided,
    challenge: Option<&NewChallenge>,
    devices: &[StoredCredential],
) -> Map<String, Value> {
    let mut body = enrolled_methods(devices);
    let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    put("idempotencyKey", json!(attempted.key.idempotency_key.as_str()));
    put("state", json!(first_state(decided.outcome).as_str()));
    put("isEnrolled", json!(!devices.is_empty()));
    put("ruleIds", json!(verdict.rules.iter().map(|hit| &*hit.rule).collect::<Vec<_>>()));
    put("decisionId", json!(id.to_string()));
    put("outcome", json!(decided.outcome.word()));
    put("reasons", reasons(&decided.reasons));
    put("policyVersion", json!(judging.program().version()));
    put("flags", json!(decided.flags));
    if decided.must_enrol {
        put(MUST_ENROL, json!(true));
    }
    if let (Outcome::Challenge, Some(spec)) = (decided.outcome, &verdict.challenge) {
        let fields = |list: &[engine::verdict::FieldText]| -> Vec<Value> {
            list.iter().map(|field| json!({"field": &*field.path, "value": field.value})).collect()
        };
        let mut shown = json!({"level": spec.level.word(), "bind": fields(&spec.bind), "show": fields(&spec.show)});
        if let Some(new) = challenge {
            shown["challengeId"] = json!(new.challenge.id().to_string());
            shown["expiresAt"] = json!(whole_milliseconds(new.challenge.frozen().expires_at));
        }
        put("challenge", shown);
    }
    body
}

/// Public reasons: a code and the text a user may see.
fn reasons(reasons: &[Reason]) -> Value {
    reasons.iter().map(|reason| json!({"code": reason.code, "text": reason.text})).collect()
}

/// Adds the track token, and the address of the page that it opens. Only a user who still has no device may enrol one
/// with it unasked: a repeat after the enrolment must not let a second device in.
pub(super) async fn add_token(
    app: &App,
    attempted: &Attempted,
    answer: &mut Map<String, Value>,
) -> Result<(), ApiError> {
    let key = &attempted.key;
    let mut scope = attempted.scope.clone().unwrap_or_default();
    if answer.remove(MUST_ENROL).is_some() && may_enrol_unasked(app, key).await? {
        scope.push(' ');
        scope.push_str(tokens::ADD);
    }
    let redirect_url = redirect(app, attempted, answer);
    let now = app.clock.now();
    let ask = tokens::Ask { key: &attempted.key, scope: Some(&scope), redirect_url };
    let mint = || tokens::track_token(app, &ask, now);
    // Only a key that the caller chose can come again.
    let token = if attempted.named { app.caches.token(&attempted.key, &scope, now, mint)? } else { mint()?.into() };
    answer.insert("url".to_owned(), json!(tokens::url(app, &token)));
    answer.insert("token".to_owned(), json!(&*token));
    Ok(())
}

/// Whether the user has no device and never lost one: after a loss it is a recovery that lets one in, or the permission of a
/// reset, which lets in one and not every phone that shows the token.
async fn may_enrol_unasked(app: &App, key: &DecisionKey) -> Result<bool, ApiError> {
    if !app.caches.devices(&app.store, &key.tenant, &key.user).await?.is_empty() {
        return Ok(false);
    }
    let standing = app.store.recovery_standing(&key.tenant, &key.user).await.map_err(crate::caches::refuse)?;
    Ok(standing.pending_reset.is_none() && standing.admits(app.clock.now()))
}

/// Where the hosted page may return to. Another origin is not an error, since backends send the address with every action;
/// but it is never silent either.
fn redirect<'a>(app: &App, attempted: &'a Attempted, answer: &mut Map<String, Value>) -> Option<&'a str> {
    let url = attempted.redirect_url.as_deref()?;
    let origin = origin::of(url);
    let settings = app.config.tenant(attempted.key.tenant.as_str());
    if origin.is_some() && settings.redirect_origins.iter().any(|registered| origin::of(registered) == origin) {
        return Some(url);
    }
    let detail = "the hosted page will not return there: its origin is not in `redirect_origins` of the tenant";
    answer.insert(
        "warnings".to_owned(),
        json!([{"pointer": "/redirectUrl", "code": "origin-not-registered", "detail": detail}]),
    );
    None
}

/// Adds the trace, recomputed from what was recorded.
pub(super) async fn add_trace(
    app: &App,
    attempted: &Attempted,
    answer: &mut Map<String, Value>,
) -> Result<(), ApiError> {
    let decision = app.store.decision_by_key(&attempted.key).await.map_err(crate::caches::refuse)?;
    let recorded = match &decision {
        Some(decision) => super::recorded(app, decision).await?,
        None => None,
    };
    answer.insert("trace".to_owned(), recorded.and_then(|recorded| recorded.trace).unwrap_or(Value::Null));
    Ok(())
}

/// What a rehearsal says: no ids, no token, and the whole explanation.
pub(super) fn rehearsed(
    program: &Program,
    signals: &Signals,
    verdict: &Verdict,
) -> Result<Map<String, Value>, ApiError> {
    let trace = serde_json::to_value(engine::explain(program, signals)).map_err(ApiError::internal)?;
    let body = json!({
        "outcome": verdict.outcome.word(),
        "decidedBy": verdict.decided_by.word(),
        "ruleIds": verdict.rules.iter().map(|hit| &*hit.rule).collect::<Vec<_>>(),
        "reasons": reasons(&verdict.reasons),
        "flags": verdict.flags,
        "policyVersion": program.version(),
        "challenge": verdict.challenge,
        "unknown": verdict.unknown,
        "shadow": verdict.shadow,
        "trace": trace,
    });
    match body {
        Value::Object(map) => Ok(map),
        _ => Err(ApiError::internal("an object literal is an object")),
    }
}
