//! The devices from which users act: `/v1/users/{userId}/devices`. Phones that hold a key are authenticators.

use axum::extract::State;
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::{Caller, Right};
use crate::caches::refuse;
use crate::challenges::wire_method;
use crate::error::{ApiError, Problem};
use crate::http::body::JsonObject;
use crate::http::params::Ids;
use crate::json::Fields;
use crate::store::{DeviceChange, DeviceError, UserDevice};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/users/{user}/devices", get(list))
        .route("/v1/users/{user}/devices/{device}", patch(remember))
        .route("/v1/users/{user}/devices/{device}/invalidate", post(invalidate))
}

/// `GET /v1/users/{userId}/devices`
#[utoipa::path(get, path = "/users/{userId}/devices", tag = "users", params(("userId" = String, Path)),
    responses((status = 200, description = "the devices that `track` named, oldest first", body = Vec<Object>)))]
pub(super) async fn list(State(app): State<App>, caller: Caller, ids: Ids) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Read)?;
    let devices = app.store.user_devices(&caller.tenant, &ids.user()?).await.map_err(refuse)?;
    Ok(Json(devices.iter().map(shown).collect()))
}

/// `PATCH /v1/users/{userId}/devices/{deviceId}`: remembers the user on it, or no longer. Rules read it as the event's field
/// `device_remembered`, where their pack declares one.
#[utoipa::path(patch, path = "/users/{userId}/devices/{deviceId}", tag = "users",
    params(("userId" = String, Path), ("deviceId" = String, Path)),
    request_body(content = Object, description = "`{rememberedUntil}`: a time to come, or null"),
    responses((status = 200, description = "the device", body = Object),
        (status = 404, description = "the user was never seen on it"),
        (status = 409, description = "it was invalidated, and the user has not passed a challenge on it since")))]
pub(super) async fn remember(
    State(app): State<App>,
    caller: Caller,
    ids: Ids,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Operate)?;
    let now = app.clock.now();
    let mut fields = Fields::of(&body);
    fields.only(&["rememberedUntil"]);
    let until = fields.text("rememberedUntil", 64);
    let time = until.as_deref().map(str::parse::<Timestamp>);
    match (&time, body.get("rememberedUntil")) {
        (None, None) => fields.issue("rememberedUntil", "missing-field", "this field is required; null forgets"),
        (Some(Err(_)), _) => {
            fields.issue("rememberedUntil", "wrong-type", "expected an RFC 3339 time such as 2026-03-01T10:00:00Z");
        }
        (Some(Ok(until)), _) if *until <= now => {
            fields.issue("rememberedUntil", "in-the-past", "expected a time to come, or null to forget");
        }
        (Some(Ok(_)), _) | (None, Some(_)) => {}
    }
    fields.finish()?;
    let change = time.and_then(Result::ok).map_or(DeviceChange::Forget, DeviceChange::Remember);
    act(&app, &caller, &ids, change, now).await
}

/// `POST /v1/users/{userId}/devices/{deviceId}/invalidate`: somebody else may have it. Passing a challenge on it makes it
/// good again.
#[utoipa::path(post, path = "/users/{userId}/devices/{deviceId}/invalidate", tag = "users",
    params(("userId" = String, Path), ("deviceId" = String, Path)),
    responses((status = 200, description = "the device", body = Object),
        (status = 404, description = "the user was never seen on it")))]
pub(super) async fn invalidate(State(app): State<App>, caller: Caller, ids: Ids) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Operate)?;
    act(&app, &caller, &ids, DeviceChange::Invalidate, app.clock.now()).await
}

async fn act(
    app: &App,
    caller: &Caller,
    ids: &Ids,
    change: DeviceChange,
    now: Timestamp,
) -> Result<Json<Value>, ApiError> {
    let user = ids.user()?;
    let done = app.store.change_device(&caller.tenant, &user, ids.text("device"), change, &caller.key, now).await;
    let device = done.map_err(|error| match error {
        DeviceError::NotFound => ApiError::new(Problem::NotFound, "the user was never seen on this device"),
        DeviceError::Invalidated => {
            let detail = "the device was invalidated; the user must pass a challenge on it before it can be remembered";
            ApiError::new(Problem::Conflict, detail)
        }
        DeviceError::Store(error) => refuse(error),
    })?;
    app.caches.forget_seen_devices(&caller.tenant, &user);
    Ok(Json(shown(&device)))
}

fn shown(device: &UserDevice) -> Value {
    let mut body = json!({
        "userId": device.user.as_str(),
        "deviceId": device.device,
        "createdAt": device.created_at.to_string(),
    });
    let times = [
        ("authenticatedAt", device.authenticated_at),
        ("invalidatedAt", device.invalidated_at),
        ("rememberedUntil", device.remembered_until),
    ];
    for (name, at) in times {
        if let Some(at) = at {
            body[name] = json!(at.to_string());
        }
    }
    if let Some(method) = &device.last_method {
        body["lastVerificationMethod"] = json!(wire_method(method));
        body["lastVerificationMethodDetail"] = json!(method);
    }
    body
}
