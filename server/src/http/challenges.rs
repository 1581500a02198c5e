//! `GET /v1/challenges`: the open challenge of a user or with an id, as backends ask for it.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use challenge::{ChallengeId, UserId};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::auth::{Caller, Right};
use crate::caches::refuse;
use crate::challenges::wire_method;
use crate::error::ApiError;
use crate::http::body::JsonObject;
use crate::http::params::Query;
use crate::json::Fields;

pub(super) fn routes() -> Router<App> {
    // .NET's SDK posts what the others ask for in the query.
    Router::new().route("/v1/challenges", get(by_query).post(by_body))
}

const CHALLENGE: &str = "the id of a challenge, a UUID";
const USER: &str = "1 to 255 bytes without control characters";

struct Wanted {
    challenge: Option<ChallengeId>,
    user: Option<UserId>,
    action: Option<String>,
    method: Option<String>,
}

/// `GET /v1/challenges?challengeId=&userId=&action=&verificationMethod=`; `{}` when none is open.
#[utoipa::path(get, path = "/challenges", tag = "actions",
    params(("challengeId" = Option<String>, Query), ("userId" = Option<String>, Query), ("action" = Option<String>, Query),
        ("verificationMethod" = Option<String>, Query)),
    responses((status = 200, description = "the open challenge, or `{}`", body = Object)))]
pub(super) async fn by_query(
    State(app): State<App>,
    caller: Caller,
    mut query: Query,
) -> Result<Json<Value>, ApiError> {
    let wanted = Wanted {
        challenge: query.parsed("challengeId", CHALLENGE, challenge_id),
        user: query.parsed("userId", USER, user_id),
        action: query.text("action", 100),
        method: query.text("verificationMethod", 64),
    };
    query.finish()?;
    find(&app, &caller, wanted).await
}

async fn by_body(
    State(app): State<App>,
    caller: Caller,
    mut query: Query,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let mut fields = Fields::of(&body);
    // Java's SDK posts what it asks for in the query, with an empty body.
    let challenge = fields.parsed("challengeId", CHALLENGE, challenge_id);
    let user = fields.parsed("userId", USER, user_id);
    let mut text = |name: &str, max: usize| fields.text(name, max).or_else(|| query.text(name, max));
    let (action, method) = (text("action", 100), text("verificationMethod", 64));
    let wanted = Wanted {
        challenge: challenge.or_else(|| query.parsed("challengeId", CHALLENGE, challenge_id)),
        user: user.or_else(|| query.parsed("userId", USER, user_id)),
        action,
        method,
    };
    fields.finish()?;
    query.finish()?;
    find(&app, &caller, wanted).await
}

fn challenge_id(text: &str) -> Option<ChallengeId> {
    ChallengeId::parse(text).ok()
}

fn user_id(text: &str) -> Option<UserId> {
    UserId::parse(text).ok()
}

async fn find(app: &App, caller: &Caller, wanted: Wanted) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Read)?;
    if wanted.challenge.is_none() && wanted.user.is_none() && (wanted.action.is_some() || wanted.method.is_some()) {
        return Err(ApiError::field("/userId", "missing-field", "whose? name the user, or the challenge itself"));
    }
    let now = app.clock.now();
    let mut candidates = Vec::new();
    if let Some(id) = wanted.challenge {
        candidates.extend(app.store.challenge(&caller.tenant, id).await.map_err(refuse)?);
    } else if let Some(user) = &wanted.user {
        candidates = app.store.open_challenges(&caller.tenant, user, now).await.map_err(refuse)?;
    }
    let fits = |stored: &crate::store::StoredChallenge| {
        let frozen = stored.challenge.frozen();
        stored.challenge.is_open_at(now)
            && wanted.action.as_deref().is_none_or(|action| action == frozen.action.as_str())
            && wanted.user.as_ref().is_none_or(|user| stored.challenge.user() == Some(user))
            && wanted
                .method
                .as_deref()
                .is_none_or(|method| [frozen.kind.wire_name(), wire_method(frozen.kind.wire_name())].contains(&method))
    };
    let Some(found) = candidates.into_iter().find(fits) else { return Ok(Json(Value::Object(Map::new()))) };
    let frozen = found.challenge.frozen();
    Ok(Json(json!({
        "challengeId": found.challenge.id().to_string(),
        // Seconds since 1970, in 32 bits for .NET.
        "expiresAt": frozen.expires_at.as_second(),
        "verificationMethod": wire_method(frozen.kind.wire_name()),
        "verificationMethodDetail": frozen.kind.wire_name(),
        "action": frozen.action.as_str(),
        "state": found.challenge.state().wire_name(),
    })))
}
