//! How a version 2 phone proves that its new key exists and was let in, and how it takes a key out again.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use challenge::keys::DeviceKey;
use challenge::messages::{
    AuthMessage, EnrollMessage, LineValue, RemoveMessage, ServerNonce, auth, enroll, remove as remove_message,
};
use challenge::signature::Signature;
use challenge::{ActionCode, TenantId};
use serde_json::{Value, json};

use super::bodies;
use super::caller::{Caller, Holder};
use crate::app::App;
use crate::challenges::{anonymous, in_app, nonces};
use crate::config::MobileProtocol;
use crate::error::{ApiError, Problem};
use crate::http::body::JsonObject;
use crate::http::context::Visit;
use crate::store::StoredCredential;

/// `POST /challenge`: the nonce that an enrolment, a removal or a question signs, and a challenge for the app itself: of the action it
/// names, or of the tracked action whose token it will show. Stock SDKs ask for the nonce before attestation.
#[utoipa::path(post, path = "/challenge", tag = "client", security(("tenant" = []), ("token" = [])),
    request_body(content = Object, description = "`{action?}`: with a token, that of the token"),
    responses((status = 200, description = "a challenge for an app that answers for itself, and a nonce for what version 2 signs", body = Object)))]
pub async fn nonce(
    State(app): State<App>,
    caller: Caller,
    Extension(visit): Extension<Arc<Visit>>,
    headers: HeaderMap,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let now = app.clock.now();
    let action = bodies::optional(&body, "action", bodies::ACTION, |text| ActionCode::parse(text).ok())?;
    let (asker, challenge) = match (&caller, action) {
        (Caller::Tenant(tenant), Some(action)) => {
            let origin = anonymous::origin(&app, visit.client, &headers);
            (tenant.to_string(), in_app::create(&app, tenant, action, origin, now).await?)
        }
        (Caller::Tenant(tenant), None) => (tenant.to_string(), in_app::fresh_id(&app, tenant, now)),
        // The token says which action it is.
        (Caller::Holder(holder), action) => {
            if let Some(action) = action {
                holder.bearer.must_be_of(&action, "/action")?;
            }
            (holder.token.clone(), in_app::fresh_id(&app, &holder.bearer.tenant()?, now))
        }
    };
    Ok(Json(json!({
        "challengeId": challenge,
        "nonce": nonces::given(&app, &asker, now).expose(),
        // What a terminal signs names whom it asks.
        "issuer": app.issuer(),
    })))
}

/// The message that the holder of a token has signed with the new key, for this token and with our nonce. A phone whose answer was
/// lost, or who was refused, says the same again: one key is one enrolment, so nothing else is let in by it.
pub fn signed(
    app: &App,
    holder: &Holder,
    key: &DeviceKey,
    nonce: &ServerNonce,
    signature: &Signature,
) -> Result<String, ApiError> {
    let tenant = holder.bearer.tenant()?;
    let issuer = app.issuer();
    let thumbprint = key.thumbprint();
    let message =
        enroll(&EnrollMessage { issuer: &issuer, tenant: &tenant, nonce, key: &thumbprint, token: &holder.token });
    key.verify(message.as_bytes(), signature).map_err(|_| bad_signature())?;
    nonces::must_be_ours(app, &holder.token, nonce, "/nonce")?;
    Ok(message)
}

/// Whether the credential's own key has signed its removal with our nonce. A key is removed once and for good.
pub fn verify_removal(
    app: &App,
    tenant: &TenantId,
    phone: &StoredCredential,
    nonce: &ServerNonce,
    signature: &Signature,
) -> Result<(), ApiError> {
    let issuer = app.issuer();
    let credential = &phone.credential.id;
    let message = remove_message(&RemoveMessage { issuer: &issuer, tenant, credential, nonce });
    phone.credential.key.verify(message.as_bytes(), signature).map_err(|_| bad_signature())?;
    nonces::must_be_ours(app, tenant.as_str(), nonce, "/nonce")
}

/// Whether the key has signed, with our nonce, that it asks this `GET` of `path`. The nonce is not used up: what a question tells
/// its asker, it may tell twice.
pub fn verify_question(
    app: &App,
    tenant: &TenantId,
    key: &DeviceKey,
    path: &str,
    nonce: &ServerNonce,
    signature: Option<&Signature>,
) -> Result<(), ApiError> {
    let method = LineValue::parse("GET").map_err(ApiError::internal)?;
    let path = LineValue::parse(path).map_err(ApiError::internal)?;
    let message = auth(&AuthMessage { method: &method, path: &path, body: b"", nonce });
    let fits = signature.is_some_and(|signature| key.verify(message.as_bytes(), signature).is_ok());
    if !fits {
        return Err(bad_signature().about("/header/X-Authsignal-Signature"));
    }
    nonces::must_be_ours(app, tenant.as_str(), nonce, "/query/nonce")
}

/// Where a tenant wants version 2 for every action, a key that everybody may know tells nobody whose it is.
pub fn must_sign(app: &App, tenant: &TenantId) -> Result<(), ApiError> {
    match app.config.tenant(tenant.as_str()).min_mobile_protocol.get("*") {
        Some(MobileProtocol::V2) => Err(ApiError::new(
            Problem::ProtocolTooOld,
            "who asks for a credential must sign the question: `version=2`, `nonce` and `X-Authsignal-Signature`",
        )),
        Some(_) | None => Ok(()),
    }
}

fn bad_signature() -> ApiError {
    ApiError::new(Problem::InvalidSignature, "the signature does not fit the key and the message")
}
