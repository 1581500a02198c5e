//! `track` and what became of it: `/v1/users/{userId}/actions/…`.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::auth::{Caller, Right};
use crate::caches::refuse;
use crate::challenges::{follow, wire_method};
use crate::decode::Target;
use crate::error::{ApiError, Problem};
use crate::http::body::JsonObject;

use crate::http::params::{Ids, Query, idempotency_key};
use crate::http::trace::trace_id;
use crate::json::Fields;
use crate::pipeline::{self, Headers};
use crate::policies::status_of;
use crate::store::{
    ActionState, Decision, DecisionFilter, DecisionKey, PageRequest, StateChange, StateChangeError, StateChanged,
};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/users/{user}/actions", get(list))
        .route("/v1/users/{user}/actions/{action}", post(track))
        .route("/v1/users/{user}/actions/{action}/{key}", get(read).patch(update))
}

/// `POST /v1/users/{userId}/actions/{action}`: may the user do this?
#[utoipa::path(post, path = "/users/{userId}/actions/{action}", tag = "actions",
    params(
        ("userId" = String, Path, description = "the backend's own id of the user"),
        ("action" = String, Path, description = "what the user tries to do, as declared in the policy pack"),
        ("explain" = Option<bool>, Query, description = "add the full trace to the answer"),
        ("Idempotency-Key" = Option<String>, Header, description = "same as `idempotencyKey` in the body"),
        ("traceparent" = Option<String>, Header, description = "W3C Trace Context; its trace id is in the audit log's entry of the decision")),
    request_body(content = Object, description = "wire fields, event fields and `custom`; may be empty"),
    responses((status = 200, description = "the decision, durable", body = Object),
        (status = 400, description = "the request cannot be read"), (status = 401, description = "no such API key"),
        (status = 409, description = "the idempotency key belongs to another request"),
        (status = 422, description = "the event does not fit its declaration"),
        (status = 429, description = "too many requests")))]
pub(super) async fn track(
    State(app): State<App>,
    caller: Caller,
    ids: Ids,
    mut query: Query,
    headers: HeaderMap,
    JsonObject(body): JsonObject,
) -> Result<Response, ApiError> {
    caller.must(Right::Operate)?;
    let explain = query.switch("explain");
    query.finish()?;
    let target = Target { tenant: caller.tenant, user: ids.user()?, action: ids.action()? };
    let said = Headers { key: idempotency_key(&headers)?, trace: trace_id(&headers) };
    let tracked = pipeline::track(&app, target, said, &body, explain).await?;
    let mut response = Json(Value::Object(tracked.answer)).into_response();
    if tracked.replayed {
        response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// `GET /v1/users/{userId}/actions/{action}/{idempotencyKey}`: how does it stand?
#[utoipa::path(get, path = "/users/{userId}/actions/{action}/{idempotencyKey}", tag = "actions",
    params(("userId" = String, Path), ("action" = String, Path), ("idempotencyKey" = String, Path)),
    responses((status = 200, description = "the action and its state", body = Object),
        (status = 404, description = "there is no such action")))]
pub(super) async fn read(State(app): State<App>, caller: Caller, ids: Ids) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Read)?;
    let key = key(&caller, &ids)?;
    let decision =
        app.store.decision_by_key(&key).await.map_err(refuse)?.ok_or_else(|| ApiError::not_found("action"))?;
    // What a rule is for is said by the pack that decided, if it is still the one in force.
    let program = app.policies.of(&caller.tenant).program();
    let same = program.version() == decision.policy_version;
    let description = |rule: &String| program.description_of(rule).filter(|_| same).unwrap_or_default();
    let rules: Vec<Value> = decision
        .rules
        .iter()
        .map(|rule| json!({"ruleId": rule, "name": rule, "description": description(rule)}))
        .collect();
    let mut action = summary(&decision);
    action["rules"] = Value::from(rules);
    action["ruleIds"] = json!(decision.rules);
    action["priorityRuleId"] = json!(decision.rules.first());
    action["output"] = json!({});
    action["decisionId"] = json!(decision.id.to_string());
    action["outcome"] = json!(decision.outcome.word());
    Ok(Json(action))
}

/// `PATCH /v1/users/{userId}/actions/{action}/{idempotencyKey}`: the backend says how it ended.
#[utoipa::path(patch, path = "/users/{userId}/actions/{action}/{idempotencyKey}", tag = "actions",
    params(("userId" = String, Path), ("action" = String, Path), ("idempotencyKey" = String, Path)),
    request_body(content = Object, description = "`{state}`"),
    responses((status = 200, description = "the new state", body = Object),
        (status = 404, description = "there is no such action")))]
pub(super) async fn update(
    State(app): State<App>,
    caller: Caller,
    ids: Ids,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Operate)?;
    let key = key(&caller, &ids)?;
    let state = action_state(&body)?;
    let at = app.clock.now();
    let change = StateChange { key: key.clone(), state, actor: caller.key, at };
    let StateChanged { decision, superseded } =
        app.store.set_action_state(change).await.map_err(|error| match error {
            StateChangeError::NotFound => ApiError::not_found("action"),
            StateChangeError::Store(error) => refuse(error),
        })?;
    for step in &superseded {
        follow::step(&app, step, at);
    }
    if let Some(status) = status_of(state) {
        app.policies.settle(&key.tenant, &key.user, &key.action, &key.idempotency_key, status, at);
    }
    Ok(Json(summary(&decision)))
}

/// `GET /v1/users/{userId}/actions?fromDate=&codes=a,b&state=`: what has the user tried lately?
#[utoipa::path(get, path = "/users/{userId}/actions", tag = "actions",
    params(("userId" = String, Path), ("fromDate" = Option<String>, Query), ("codes" = Option<String>, Query),
        ("state" = Option<String>, Query)),
    responses((status = 200, description = "the user's actions, newest first", body = Vec<Object>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    ids: Ids,
    mut query: Query,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Read)?;
    let codes = query.parsed("codes", "action codes with commas between them", |text| {
        text.split(',').map(|code| challenge::ActionCode::parse(code.trim()).ok()).collect::<Option<Vec<_>>>()
    });
    let filter = DecisionFilter {
        user: Some(ids.user()?),
        actions: codes.unwrap_or_default(),
        state: query.parsed("state", "a state such as CHALLENGE_REQUIRED", ActionState::parse),
        from: query.time("fromDate"),
        ..DecisionFilter::default()
    };
    let limit = query.limit(100);
    query.finish()?;
    let page = app.store.decisions(&caller.tenant, &filter, &PageRequest::first(limit)).await.map_err(refuse)?;
    Ok(Json(page.items.iter().map(summary).collect()))
}

fn key(caller: &Caller, ids: &Ids) -> Result<DecisionKey, ApiError> {
    Ok(DecisionKey {
        tenant: caller.tenant.clone(),
        user: ids.user()?,
        action: ids.action()?,
        idempotency_key: ids.idempotency_key()?,
    })
}

fn action_state(body: &Map<String, Value>) -> Result<ActionState, ApiError> {
    let mut fields = Fields::of(body);
    let word = fields.required_text("state", 64);
    let state = ActionState::parse(&word);
    if state.is_none() && !word.is_empty() {
        let words: Vec<&str> = ActionState::ALL.iter().map(|state| state.as_str()).collect();
        fields.issue("state", "invalid", format!("expected one of {}", words.join(", ")));
    }
    fields.finish()?;
    state.ok_or_else(|| ApiError::new(Problem::InvalidField, "the state is missing"))
}

/// An action as the wire's lists show it.
fn summary(decision: &Decision) -> Value {
    let mut action = json!({
        "actionCode": decision.action.as_str(),
        "idempotencyKey": decision.idempotency_key.as_str(),
        "createdAt": decision.created_at.to_string(),
        "updatedAt": decision.state_updated_at.to_string(),
        "state": decision.state.as_str(),
        "stateUpdatedAt": decision.state_updated_at.to_string(),
    });
    if let Some(method) = &decision.verification_method {
        action["verificationMethod"] = json!(wire_method(method));
        action["verificationMethodDetail"] = json!(method);
    }
    if let Some(credential) = &decision.verified_by {
        action["verifiedByAuthenticatorId"] = json!(credential.as_str());
    }
    action
}
