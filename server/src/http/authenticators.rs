//! A user's devices, as the server API sees them: `/v1/users/{userId}/authenticators`.

use axum::extract::State;
use axum::routing::{delete, get};
use axum::{Json, Router};
use challenge::CredentialId;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::auth::{Caller, Right};
use crate::caches::refuse;
use crate::clock::whole_milliseconds;
use crate::error::{ApiError, Problem};
use crate::http::body::JsonObject;
use crate::http::params::Ids;
use crate::json::Fields;
use crate::recovery::issue;
use crate::store::{RECOVERY_CODE, RevokeError, StoredCredential};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/users/{user}/authenticators", get(list).post(enrol))
        .route("/v1/users/{user}/authenticators/{id}", delete(remove))
}

/// `GET /v1/users/{userId}/authenticators`
#[utoipa::path(get, path = "/users/{userId}/authenticators", tag = "users", params(("userId" = String, Path)),
    responses((status = 200, description = "the user's devices; empty when there are none", body = Vec<Object>)))]
pub(super) async fn list(State(app): State<App>, caller: Caller, ids: Ids) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Read)?;
    let devices = app.caches.devices(&app.store, &caller.tenant, &ids.user()?).await?;
    Ok(Json(devices.iter().map(shown).collect()))
}

/// `POST /v1/users/{userId}/authenticators` with `verificationMethod` `RECOVERY_CODE`: recovery codes for the user, shown only
/// now; those of before are worth nothing any more. Telephone numbers and mailboxes, which the wire enrols here too, are not
/// offered, and a device proves its key itself.
#[utoipa::path(post, path = "/users/{userId}/authenticators", tag = "users", params(("userId" = String, Path)),
    request_body(content = Object),
    responses((status = 200, description = "the codes, shown this once", body = Object),
        (status = 400, description = "`invalid_configuration`: of the wire's methods only `RECOVERY_CODE` is enrolled here")))]
pub(super) async fn enrol(
    State(app): State<App>,
    caller: Caller,
    ids: Ids,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Operate)?;
    let user = ids.user()?;
    let mut fields = Fields::of(&body);
    let method = fields.required_text("verificationMethod", 64);
    fields.finish()?;
    if method == RECOVERY_CODE {
        let fresh = issue::anew(&app, &caller.tenant, &user, &caller.key).await?;
        let at = whole_milliseconds(app.clock.now());
        return Ok(Json(json!({
            "authenticator": {
                "userId": user.as_str(),
                "userAuthenticatorId": fresh.kept.batch.to_string(),
                "verificationMethod": RECOVERY_CODE,
                "createdAt": at,
                "verifiedAt": at,
            },
            "recoveryCodes": fresh.texts,
        })));
    }
    Err(ApiError::not_offered(&format!("enrolling `{method}` from the server")))
}

/// `DELETE /v1/users/{userId}/authenticators/{id}`: the device can approve nothing from now on.
#[utoipa::path(delete, path = "/users/{userId}/authenticators/{userAuthenticatorId}", tag = "users",
    params(("userId" = String, Path), ("userAuthenticatorId" = String, Path)),
    responses((status = 200, description = "it is removed for good", body = Object),
        (status = 404, description = "the user has no such device")))]
pub(super) async fn remove(State(app): State<App>, caller: Caller, ids: Ids) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Operate)?;
    let user = ids.user()?;
    let unknown = || ApiError::new(Problem::CredentialNotFound, "the user has no such authenticator");
    let id = CredentialId::parse(ids.text("id")).map_err(|_| unknown())?;
    let device = app.store.credential(&caller.tenant, &id).await.map_err(refuse)?.ok_or_else(unknown)?;
    if device.credential.user != user {
        return Err(unknown());
    }
    app.store.revoke_credential(&caller.tenant, &id, &caller.key, app.clock.now()).await.map_err(
        |error| match error {
            RevokeError::NotFound => unknown(),
            RevokeError::Store(error) => refuse(error),
        },
    )?;
    app.caches.forget_user(&caller.tenant, &user);
    Ok(Json(json!({"success": true})))
}

fn shown(device: &StoredCredential) -> Value {
    let (method, detail) = method_of(&device.kind);
    let mut body = json!({
        "userId": device.credential.user.as_str(),
        "userAuthenticatorId": device.credential.id.as_str(),
        "verificationMethod": method,
        "verificationMethodDetail": detail,
        "createdAt": device.enrolled_at.to_string(),
        "verifiedAt": device.enrolled_at.to_string(),
    });
    if let Some(at) = device.last_verified_at {
        body["lastVerifiedAt"] = json!(at.to_string());
    }
    if let Some(name) = &device.device_name {
        body["displayName"] = json!(name);
    }
    let said = device.attestation.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    if let Some(said) = said {
        body["attestation"] = said;
        body["keyProtection"] = json!(device.credential.protection);
    }
    body
}

/// A kind of credential in the wire's closed list, and precisely. .NET's SDK throws on a word it does not know.
fn method_of(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "push" => ("PUSH", "PUSH"),
        "in-app" => ("DEVICE", "IN_APP"),
        _ => ("DEVICE", "QR_CODE"),
    }
}

/// The wire's three fields about a user's methods, and their precise twins.
pub(crate) fn enrolled_methods(devices: &[StoredCredential]) -> Map<String, Value> {
    let mut methods: Vec<&str> = devices.iter().map(|device| method_of(&device.kind).0).collect();
    let mut details: Vec<&str> = devices.iter().map(|device| method_of(&device.kind).1).collect();
    for list in [&mut methods, &mut details] {
        list.sort_unstable();
        list.dedup();
    }
    let mut body = Map::new();
    if let Some(first) = methods.first() {
        body.insert("defaultVerificationMethod".into(), json!(first));
    }
    body.insert("enrolledVerificationMethods".into(), json!(methods));
    body.insert("enrolledVerificationMethodDetails".into(), json!(details));
    // A QR code can always be shown; a push needs a phone that takes it.
    let allowed = if methods.contains(&"PUSH") { json!(["DEVICE", "PUSH"]) } else { json!(["DEVICE"]) };
    body.insert("allowedVerificationMethods".into(), allowed);
    body
}
