//! `POST /v1/users/{userId}/reset`: an administrator helps a user whose phones and codes are gone.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Extension, Json, Router};
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::{Caller, Right};
use crate::error::ApiError;
use crate::http::body::JsonObject;
use crate::http::context::Visit;
use crate::http::params::{Ids, idempotency_key};
use crate::json::Fields;
use crate::recovery::reset::{self, Wish};

/// How long the permission to enrol holds unless the administrator says otherwise: until tomorrow at this time.
const ENROL_WITHIN_S: u32 = 24 * 3600;
/// And at most.
const LONGEST_WITHIN_S: i64 = 7 * 24 * 3600;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/v1/users/{user}/reset", post(reset))
}

/// `POST /v1/users/{userId}/reset`: revokes the user's phones and recovery codes, takes open challenges back, and permits one
/// new phone. The same `Idempotency-Key` again hears the same; so does a reset of a user who is reset already.
#[utoipa::path(post, path = "/users/{userId}/reset", tag = "users",
    params(("userId" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "repeats hear the same")),
    request_body(content = Object, description = "`{reason, author, enrolWithinS?, overrule?, ipAddress?}`"),
    responses((status = 200, description = "what was taken away, and until when a phone may be enrolled", body = Object),
        (status = 403, description = "the key is no administrator's, or a policy blocks the recovery")))]
pub(super) async fn reset(
    State(app): State<App>,
    caller: Caller,
    ids: Ids,
    Extension(visit): Extension<Arc<Visit>>,
    headers: HeaderMap,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Administer)?;
    let user = ids.user()?;
    let mut fields = Fields::of(&body);
    fields.only(&["reason", "author", "enrolWithinS", "overrule", "ipAddress"]);
    let reason = fields.required_text("reason", 1024);
    let author = fields.required_text("author", 255);
    let within = fields.integer("enrolWithinS", 60..=LONGEST_WITHIN_S).and_then(|s| u32::try_from(s).ok());
    let overrule = fields.boolean("overrule").unwrap_or(false);
    let ip = match fields.text("ipAddress", 64).map(|text| text.parse()) {
        None => visit.client,
        Some(Ok(ip)) => ip,
        Some(Err(_)) => {
            fields.issue("ipAddress", "wrong-type", "expected an IPv4 or IPv6 address");
            visit.client
        }
    };
    for (name, text) in [("reason", &reason), ("author", &author)] {
        if !text.is_empty() && text.trim().is_empty() {
            fields.issue(name, "empty", "say it in words");
        }
    }
    fields.finish()?;
    let key = idempotency_key(&headers)?.map(str::to_owned);
    let wish = Wish {
        tenant: caller.tenant,
        user,
        reason,
        author,
        actor: caller.key,
        idempotency_key: key,
        enrol_within_s: within.unwrap_or(ENROL_WITHIN_S),
        overrule,
        ip,
    };
    let done = reset::reset(&app, wish).await?;
    Ok(Json(json!({
        "resetId": done.reset.id.to_string(),
        "userId": done.reset.user.as_str(),
        "reason": done.reset.reason,
        "author": done.reset.author,
        "createdAt": done.reset.at.to_string(),
        "enrolUntil": done.reset.permitted_until.to_string(),
        "revokedAuthenticators": done.credentials,
        "revokedRecoveryCodes": done.codes,
        "cancelledChallenges": done.cancelled.len(),
        "repeated": done.repeated,
    })))
}
