//! The app that holds the key proves who uses it.

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::bodies::VerifyBody;
use super::caller::Caller;
use super::doors::Door;
use crate::app::App;
use crate::challenges::phone::{Call, PhoneEnd};
use crate::challenges::{in_app, refusals, tokens};
use crate::error::ApiError;
use crate::http::body::JsonObject;

/// `POST /verify/in-app`: `{challengeId, publicKey, signature}`, with the token of `track` or in the tenant's name. With
/// version 2 the app has claimed the challenge and shown its context before. Packages before 2025-10 ask `/verify/device`.
#[utoipa::path(post, path = "/verify/in-app", tag = "client", security(("tenant" = []), ("token" = [])),
    request_body(content = Object, description = "`{challengeId, publicKey, signature, version?, …}`"),
    responses((status = 200, description = "whose key it is, and the token that says so to the backend", body = Object)))]
pub async fn verify(
    State(app): State<App>,
    Extension(door): Extension<Door>,
    caller: Caller,
    from: PhoneEnd,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let VerifyBody { challenge, key, signature, with } = VerifyBody::read(&body)?;
    let tenant = caller.tenant()?;
    let answers = door.answers;
    let call = Call { tenant: tenant.clone(), kind: door.key, answers, challenge, key, signature, from };
    let proven = in_app::verify(&app, call, with, caller.bearer()).await?;
    let mut answer = json!({
        "token": tokens::result_token(&app, &proven.challenge)?,
        "userId": proven.user,
        "userAuthenticatorId": proven.challenge.state().claim().map(|claim| &claim.by),
    });
    let user = app.store.user(&tenant, &proven.user).await.map_err(refusals::store)?;
    if let Some(username) = user.and_then(|user| user.attributes.username) {
        answer["username"] = json!(username);
    }
    Ok(Json(answer))
}
