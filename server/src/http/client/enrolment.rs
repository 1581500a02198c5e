//! How a version 2 phone proves that its new key exists and was let in, and how it takes a key out again.
//!
//! The nonce is derived, not stored: from our secret, the asker and the current ten minutes. It is worth nothing to
//! anybody else, and each is used once.

use axum::Json;
use axum::extract::State;
use challenge::keys::DeviceKey;
use challenge::messages::{EnrollMessage, RemoveMessage, ServerNonce, enroll, remove as remove_message};
use challenge::signature::Signature;
use challenge::{CredentialId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::caller::{Caller, Holder};
use crate::app::App;
use crate::challenges::refusals;
use crate::error::{ApiError, Problem};
use crate::http::body::JsonObject;
use crate::store::{NewUse, Use, UseKind};

/// How long one nonce is given out, in seconds; it is accepted for at most twice as long.
const WINDOW_S: i64 = 600;

/// `POST /challenge`: the nonce that an enrolment or a removal signs. Stock SDKs ask for it before attestation.
pub async fn nonce(State(app): State<App>, caller: Caller, _: JsonObject) -> Result<Json<Value>, ApiError> {
    let now = app.clock.now();
    let asker = match &caller {
        Caller::Tenant(tenant) => tenant.to_string(),
        Caller::Holder(holder) => holder.token.clone(),
    };
    Ok(Json(json!({
        "challengeId": app.random.uuid_v4().to_string(),
        "nonce": app.keys.nonce(&asker, window(now)).expose(),
    })))
}

/// Whether the holder of a token has signed with the new key, for this token and with our nonce.
pub async fn verify(
    app: &App,
    holder: &Holder,
    key: &DeviceKey,
    nonce: &ServerNonce,
    signature: &Signature,
) -> Result<(), ApiError> {
    let tenant = holder.bearer.tenant()?;
    let issuer = app.issuer();
    let thumbprint = key.thumbprint();
    let message =
        enroll(&EnrollMessage { issuer: &issuer, tenant: &tenant, nonce, key: &thumbprint, token: &holder.token });
    key.verify(message.as_bytes(), signature).map_err(|_| bad_signature())?;
    // The same phone may repeat a lost request, so the nonce is used up per key.
    use_up(app, &tenant, &holder.token, nonce, &thumbprint.to_base64url()).await
}

/// Whether the credential's own key has signed its removal with our nonce.
pub async fn verify_removal(
    app: &App,
    tenant: &TenantId,
    credential: &CredentialId,
    key: &DeviceKey,
    nonce: &ServerNonce,
    signature: &Signature,
) -> Result<(), ApiError> {
    let issuer = app.issuer();
    let message = remove_message(&RemoveMessage { issuer: &issuer, tenant, credential, nonce });
    key.verify(message.as_bytes(), signature).map_err(|_| bad_signature())?;
    use_up(app, tenant, tenant.as_str(), nonce, credential.as_str()).await
}

async fn use_up(app: &App, tenant: &TenantId, asker: &str, nonce: &ServerNonce, by: &str) -> Result<(), ApiError> {
    let now = app.clock.now();
    let current = window(now);
    let ours = [current, current - 1].into_iter().any(|window| app.keys.nonce(asker, window) == *nonce);
    if !ours {
        return Err(ApiError::field(
            "/nonce",
            "unknown-nonce",
            "ask `POST /v1/client/challenge` for a nonce and sign that",
        ));
    }
    let thing = NewUse {
        tenant: tenant.clone(),
        kind: UseKind::Nonce,
        id: format!("{}@{by}", nonce.expose()),
        by: by.to_owned(),
        decision: None,
        at: now,
        expires_at: now + SignedDuration::from_secs(2 * WINDOW_S),
    };
    match app.store.consume(thing).await.map_err(refusals::store)? {
        Use::First => Ok(()),
        Use::Again { .. } => Err(ApiError::field("/nonce", "used-nonce", "this nonce was used; ask for a new one")),
    }
}

fn window(now: Timestamp) -> i64 {
    now.as_second().div_euclid(WINDOW_S)
}

fn bad_signature() -> ApiError {
    ApiError::new(Problem::InvalidSignature, "the signature does not fit the key and the message")
}
