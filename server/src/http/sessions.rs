//! Sessions of applications: `/v1/sessions`.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use challenge::UserId;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::auth::{Caller, Right};
use crate::caches::refuse;
use crate::challenges::validate::Expectation;
use crate::challenges::wire_method;
use crate::error::ApiError;
use crate::http::body::JsonObject;
use crate::http::users::attributes;
use crate::json::Fields;
use crate::sessions::{self, Tokens};

/// Longest token that is looked at.
const LONGEST_TOKEN: usize = 16 * 1024;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/sessions", post(create))
        .route("/v1/sessions/validate", post(validate))
        .route("/v1/sessions/refresh", post(refresh))
        .route("/v1/sessions/revoke", post(revoke))
        .route("/v1/sessions/user/revoke", post(revoke_all))
}

/// `POST /v1/sessions`: a session for an approval.
#[utoipa::path(post, path = "/sessions", tag = "sessions",
    request_body(content = Object, description = "`{clientId, token, action?}`: an application of the configuration, and the token of an approved challenge"),
    responses((status = 200, description = "the session's tokens; the one that was shown is used up", body = Object),
        (status = 400, description = "`invalid_configuration`: no such application"),
        (status = 401, description = "`invalid_token` or `expired_token`: the token proves no approval, or did before")))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Operate)?;
    let mut fields = Fields::of(&body);
    fields.spelt(&["clientId", "token", "action", "actionCode", "userId", "expect"]);
    let client = fields.required_text("clientId", 100);
    fields.finish()?;
    let expectation = Expectation::read(&body)?;
    let now = app.clock.now();
    let begun = sessions::begin(&app, &caller.tenant, &caller.key, &client, &expectation, now).await;
    begun.map(pair).map_err(|refusal| refusal.about("/token"))
}

/// `POST /v1/sessions/validate`: whose session an access token stands for, now.
#[utoipa::path(post, path = "/sessions/validate", tag = "sessions",
    request_body(content = Object, description = "`{accessToken, clientIds?}`"),
    responses((status = 200, description = "whose session it is and how they proved themselves; `expiresAt` in Unix seconds", body = Object),
        (status = 401, description = "`invalid_token` or `expired_token`")))]
pub(super) async fn validate(
    State(app): State<App>,
    caller: Caller,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Operate)?;
    let mut fields = Fields::of(&body);
    fields.spelt(&["accessToken", "clientIds"]);
    let token = fields.required_text("accessToken", LONGEST_TOKEN);
    let mut clients = None;
    if let Some(items) = fields.array("clientIds") {
        let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        if texts.is_none() {
            fields.issue("clientIds", "wrong-type", "expected a list of texts");
        }
        clients = texts;
    }
    fields.finish()?;
    let now = app.clock.now();
    let standing = sessions::standing(&app, &caller.tenant, &token, clients.as_deref(), now).await;
    let standing = standing.map_err(|refusal| refusal.about("/accessToken"))?;
    let session = standing.session;
    let known = app.caches.user(&app.store, &caller.tenant, &session.user).await?;
    let mut user = known.map(|user| attributes(&user.attributes)).unwrap_or_default();
    user.insert("userId".into(), json!(session.user.as_str()));
    Ok(Json(json!({
        "user": user,
        "expiresAt": standing.expires_at,
        "verificationMethod": wire_method(&session.method),
        "verificationMethodDetail": session.method,
        "sessionId": session.id.to_string(),
        "clientId": session.client,
        "acr": session.acr,
        "amr": session.amr,
        "authenticatedAt": session.approved_at.to_string(),
        "sessionExpiresAt": session.expires_at.to_string(),
    })))
}

/// `POST /v1/sessions/refresh`: the next pair of tokens.
#[utoipa::path(post, path = "/sessions/refresh", tag = "sessions",
    request_body(content = Object, description = "`{refreshToken}`"),
    responses((status = 200, description = "new tokens; the old pair is worth nothing", body = Object),
        (status = 401, description = "`invalid_token`: the session is over. A refresh token that comes a second time ends it")))]
pub(super) async fn refresh(
    State(app): State<App>,
    caller: Caller,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Operate)?;
    let token = token(&body, "refreshToken")?;
    let next = sessions::refresh(&app, &caller.tenant, &token, app.clock.now()).await;
    next.map(pair).map_err(|refusal| refusal.about("/refreshToken"))
}

/// `POST /v1/sessions/revoke`: ends the session of an access token, expired or not.
#[utoipa::path(post, path = "/sessions/revoke", tag = "sessions",
    request_body(content = Object, description = "`{accessToken}`"),
    responses((status = 200, description = "the session is over", body = Object), (status = 401, description = "`invalid_token`")))]
pub(super) async fn revoke(
    State(app): State<App>,
    caller: Caller,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Operate)?;
    let token = token(&body, "accessToken")?;
    let ended = sessions::revoke(&app, &caller.tenant, &caller.key, &token, app.clock.now()).await;
    ended.map_err(|refusal| refusal.about("/accessToken"))?;
    Ok(Json(json!({"success": true})))
}

/// `POST /v1/sessions/user/revoke`: ends every session of a user.
#[utoipa::path(post, path = "/sessions/user/revoke", tag = "sessions",
    request_body(content = Object, description = "`{userId}`"),
    responses((status = 200, description = "how many were open", body = Object)))]
pub(super) async fn revoke_all(
    State(app): State<App>,
    caller: Caller,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Operate)?;
    let mut fields = Fields::of(&body);
    let text = fields.required_text("userId", 255);
    let user = UserId::parse(text.as_str());
    if let (Err(error), false) = (&user, text.is_empty()) {
        fields.issue("userId", "invalid", error.to_string());
    }
    fields.finish()?;
    let user = user.map_err(ApiError::internal)?;
    let now = app.clock.now();
    let revoked = app.store.revoke_sessions(&caller.tenant, &user, &caller.key, now).await.map_err(refuse)?;
    Ok(Json(json!({"success": true, "revoked": revoked})))
}

/// The one token that a body is about.
fn token(body: &Map<String, Value>, name: &str) -> Result<String, ApiError> {
    let mut fields = Fields::of(body);
    let token = fields.required_text(name, LONGEST_TOKEN);
    fields.finish()?;
    Ok(token)
}

fn pair(tokens: Tokens) -> Json<Value> {
    Json(json!({"accessToken": tokens.access, "refreshToken": tokens.refresh}))
}
