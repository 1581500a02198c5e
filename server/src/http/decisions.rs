//! Decisions after the fact: `/v1/decisions`.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use challenge::{ActionCode, Challenge, UserId};
use engine::Program;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::auth::{Caller, Right};
use crate::caches::refuse;
use crate::challenges::wire_method;
use crate::error::ApiError;
use crate::http::params::{Ids, Query};
use crate::pipeline;
use crate::store::{ActionState, Cursor, Decision, DecisionFilter, DecisionId, Outcome, PageRequest};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/v1/decisions", get(list)).route("/v1/decisions/{id}", get(read))
}

/// `GET /v1/decisions/{id}`: what was decided and why, recomputed from what was recorded.
#[utoipa::path(get, path = "/decisions/{decisionId}", tag = "decisions", params(("decisionId" = String, Path)),
    responses((status = 200, description = "the decision with its signals and its trace", body = Object),
        (status = 404, description = "there is no such decision")))]
pub(super) async fn read(State(app): State<App>, caller: Caller, ids: Ids) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Read)?;
    let id = Uuid::try_parse(ids.text("id")).map_err(|_| ApiError::not_found("decision"))?;
    let decision = app.store.decision(&caller.tenant, DecisionId(id)).await.map_err(refuse)?;
    let decision = decision.ok_or_else(|| ApiError::not_found("decision"))?;
    let mut body = shown(&decision);
    match pipeline::recorded(&app, &decision).await? {
        Some(recorded) => {
            body["signals"] = recorded.signals;
            body["verdict"] = recorded.verdict;
            body["trace"] = recorded.trace.unwrap_or(Value::Null);
        }
        None => {
            body["erased"] = json!(true);
            return Ok(Json(body));
        }
    }
    if let Some(id) = decision.challenge
        && let Some(stored) = app.store.challenge(&caller.tenant, id).await.map_err(refuse)?
    {
        body["challenge"] = prompted(&stored.challenge);
    }
    Ok(Json(body))
}

/// `GET /v1/decisions?user=&action=&outcome=&state=&rule=&reason=&from=&to=&limit=&cursor=`, newest first.
#[utoipa::path(get, path = "/decisions", tag = "decisions",
    params(("user" = Option<String>, Query), ("action" = Option<String>, Query), ("outcome" = Option<String>, Query),
        ("state" = Option<String>, Query), ("rule" = Option<String>, Query), ("reason" = Option<String>, Query),
        ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("limit" = Option<u32>, Query),
        ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "a page of decisions and the cursor of the next", body = Object)))]
pub(super) async fn list(State(app): State<App>, caller: Caller, mut query: Query) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Read)?;
    let action = query.parsed("action", "an action code", |text| ActionCode::parse(text).ok());
    let actions = action.map(|action| names_of(&app.policies.of(&caller.tenant).program(), action)).unwrap_or_default();
    let filter = DecisionFilter {
        user: query.parsed("user", "a user id", |text| UserId::parse(text).ok()),
        actions,
        outcome: query.parsed("outcome", "`allow`, `challenge` or `block`", outcome),
        state: query.parsed("state", "a state such as CHALLENGE_REQUIRED", ActionState::parse),
        rule: query.text("rule", 255),
        reason: query.text("reason", 255),
        from: query.time("from"),
        to: query.time("to"),
    };
    // What is no cursor must not begin anew at the first page.
    let after = query.parsed("cursor", "the cursor of an earlier answer", |text| text.parse::<i64>().ok());
    let page = PageRequest { after: after.map(|entry| Cursor(entry.to_string())), limit: query.limit(100) };
    query.finish_strictly()?;
    let found = app.store.decisions(&caller.tenant, &filter, &page).await.map_err(refuse)?;
    let mut body = json!({"decisions": found.items.iter().map(shown).collect::<Vec<_>>()});
    if let Some(next) = found.next {
        body["cursor"] = json!(next.0);
    }
    Ok(Json(body))
}

/// An action under all its names: which of them it was tracked by does not matter.
fn names_of(program: &Program, action: ActionCode) -> Vec<ActionCode> {
    let Some(event) = program.event(action.as_str()) else { return vec![action] };
    let names = std::iter::once(&event.name).chain(&event.aliases);
    names.filter_map(|name| ActionCode::parse(name.to_string()).ok()).collect()
}

fn outcome(word: &str) -> Option<Outcome> {
    [Outcome::Allow, Outcome::Challenge, Outcome::Block].into_iter().find(|outcome| outcome.word() == word)
}

fn shown(decision: &Decision) -> Value {
    let mut body = json!({
        "decisionId": decision.id.to_string(),
        "userId": decision.user.as_str(),
        "actionCode": decision.action.as_str(),
        "idempotencyKey": decision.idempotency_key.as_str(),
        "outcome": decision.outcome.word(),
        "state": decision.state.as_str(),
        "rules": decision.rules,
        "reasons": decision.reasons,
        "flags": decision.flags,
        "policyVersion": decision.policy_version,
        "createdAt": decision.created_at.to_string(),
        "stateUpdatedAt": decision.state_updated_at.to_string(),
        "auditEntry": decision.seq,
    });
    if let Some(challenge) = &decision.challenge {
        body["challengeId"] = json!(challenge.to_string());
    }
    if let Some(method) = &decision.verification_method {
        body["verificationMethod"] = json!(wire_method(method));
        body["verificationMethodDetail"] = json!(method);
    }
    if let Some(credential) = &decision.verified_by {
        body["verifiedByAuthenticatorId"] = json!(credential.as_str());
    }
    body
}

/// What the phone was shown, and what it signed: with the credential's public key a stranger can check the signature.
fn prompted(challenge: &Challenge) -> Value {
    let context = &challenge.frozen().context;
    let mut body = json!({
        "challengeId": challenge.id(),
        "state": challenge.state().wire_name(),
        "expiresAt": format!("{:.3}", challenge.frozen().expires_at),
        // The frozen bytes are JSON text of ours; if they were not, their hash would still say which they were.
        "shown": serde_json::from_slice::<Value>(context.as_bytes()).unwrap_or(Value::Null),
        "shownHash": context.hash_base64url(),
    });
    if let Some(claim) = challenge.state().claim() {
        body["claimedBy"] = json!(claim.by.as_str());
        body["claimedAt"] = json!(claim.at.to_string());
        body["protocol"] = json!(claim.protocol);
    }
    if let challenge::State::Approved { answer, .. } = challenge.state() {
        body["approvedAt"] = json!(answer.at.to_string());
        body["signature"] = json!(answer.signature);
        body["messageHash"] = json!(answer.message_hash);
    }
    body
}
