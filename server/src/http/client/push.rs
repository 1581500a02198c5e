//! Push: a page asks for one and polls, the phone fetches what there is to decide and keeps its push token fresh.

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use challenge::keys::DeviceKey;
use challenge::signature::Signature;
use challenge::state::State as ChallengeState;
use challenge::{ActionCode, ChallengeId, IdempotencyKey, UserId};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::authenticators::{active, described, key_in};
use super::bodies::{self, UpdateBody, Version};
use super::caller::{Holder, OfTenant};
use super::doors::Door;
use super::enrolment;
use super::phone::shown;
use crate::app::App;
use crate::challenges::screen::Screen;
use crate::challenges::tokens::{self, Bearer};
use crate::challenges::{claiming, nonces, push, refusals};
use crate::clock::whole_milliseconds;
use crate::error::{ApiError, Problem};
use crate::http::body::JsonObject;
use crate::limits::Subject;
use crate::store::{CredentialRefresh, DecisionKey, NewUse, RevokeError, Use, UseKind};

/// The header with a phone's signature over what [`nonce_to_ask`] gave it.
pub(super) const SIGNATURE: &str = "x-authsignal-signature";

/// `POST /challenge/push`: `{action}`, of a page that holds the token of `track`.
#[utoipa::path(post, path = "/challenge/push", tag = "client", security(("token" = [])),
    request_body(content = Object, description = "`{action?}`: that of the token"),
    responses((status = 200, description = "the message goes out as the webhook `push.created`", body = Object)))]
pub async fn send(
    State(app): State<App>,
    holder: Holder,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let action = bodies::optional(&body, "action", bodies::ACTION, |text| ActionCode::parse(text).ok())?;
    let screen = match &holder.bearer {
        Bearer::Screen(claims) => Screen::identified(claims)?,
        Bearer::Approved(_) => return Err(not_of_track()),
    };
    if let Some(action) = action {
        screen.must_be_of(&action, "/action")?;
    }
    let id = push::send(&app, &screen).await?;
    Ok(Json(json!({"challengeId": id, "state": "unclaimed"})))
}

/// `POST /verify/push`: `{challengeId}`, of the same page.
#[utoipa::path(post, path = "/verify/push", tag = "client", security(("token" = [])),
    request_body(content = Object, description = "`{challengeId}`"),
    responses((status = 200, description = "what became of it, with the token of an approval", body = Object)))]
pub async fn poll(
    State(app): State<App>,
    holder: Holder,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let id = bodies::required(&body, "challengeId", "the id that `POST /v1/client/challenge/push` answered", |text| {
        Some(text.to_owned())
    })?;
    let id = ChallengeId::parse(&id).map_err(|_| refusals::challenge_not_found())?;
    let Bearer::Screen(claims) = &holder.bearer else { return Err(not_of_track()) };
    let unusable = |_| tokens::refused(challenge::token::TokenError::Claims);
    let key = DecisionKey {
        tenant: holder.bearer.tenant()?,
        user: UserId::parse(claims.registered.sub.as_str()).map_err(unusable)?,
        action: ActionCode::parse(claims.act.as_str()).map_err(unusable)?,
        idempotency_key: IdempotencyKey::parse(claims.idk.as_str()).map_err(unusable)?,
    };
    let challenge = push::look(&app, &key, id).await?;
    app.limits.gate(Subject::Poll(&id))?;
    let mut answer = json!({
        "isVerified": false,
        "isConsumed": !challenge.state().is_open(),
        "state": challenge.state().wire_name(),
        "expiresAt": whole_milliseconds(challenge.frozen().expires_at),
    });
    if let ChallengeState::Approved { .. } = challenge.state() {
        answer["isVerified"] = json!(true);
        answer["accessToken"] = json!(tokens::result_token(&app, &challenge)?);
    }
    if let Some(code) = claiming::code_on_screen(&challenge) {
        answer["matchCode"] = json!(code);
    }
    Ok(Json(answer))
}

fn not_of_track() -> ApiError {
    ApiError::new(Problem::InvalidToken, "this token is an approval; show the token of `track`")
}

/// `POST /user-authenticators/push/challenge/sign?publicKey=`: what the phone signs before it asks what is pending.
#[utoipa::path(post, path = "/user-authenticators/push/challenge/sign", tag = "client", security(("tenant" = [])),
    params(("publicKey" = String, Query, description = "the base64 of the key, encoded once more")),
    responses((status = 200, description = "what to sign for the header `X-Authsignal-Signature`", body = Object)))]
pub async fn nonce_to_ask(
    State(app): State<App>,
    OfTenant { tenant }: OfTenant,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let key = key_in(query.as_deref())?;
    let asker = asker(tenant.as_str(), &key);
    Ok(Json(json!({"message": asking(&app, &asker, nonces::window(app.clock.now()))})))
}

/// `GET /user-authenticators/push/challenge?publicKey=`: what is pending, if anything. Phones since 2026-06 sign the
/// question; earlier ones do not, and their public key alone must do. With `version=2` it is signed, and the answer has the
/// context's bytes: what the phone shows now is what its claim gives it to sign. Packages before 2025-10 ask
/// `/user-authenticators/device` here and below.
#[utoipa::path(get, path = "/user-authenticators/push/challenge", tag = "client", security(("tenant" = [])),
    params(("publicKey" = String, Query, description = "the base64 of the key, encoded once more"), ("version" = Option<u8>, Query)),
    responses((status = 200, description = "what the phone shows; without `challengeId` nothing is pending", body = Object)))]
pub async fn pending(
    State(app): State<App>,
    Extension(door): Extension<Door>,
    OfTenant { tenant }: OfTenant,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let key = key_in(query.as_deref())?;
    let phone = active(&app, &tenant, door, &key).await?;
    let version = bodies::version_in(query.as_deref())?;
    let signature = headers.get(SIGNATURE);
    let bad_signature = || bad_signature().about("/header/X-Authsignal-Signature");
    if version == Version::V2 && signature.is_none() {
        return Err(bad_signature());
    }
    if signature.is_none() {
        enrolment::must_sign(&app, &tenant)?;
    }
    if let Some(signature) = signature {
        let asker = asker(tenant.as_str(), &key);
        let now = nonces::window(app.clock.now());
        let signature = signature.to_str().ok().and_then(|text| Signature::from_base64(text).ok());
        let fits = |window| {
            let message = asking(&app, &asker, window);
            signature.as_ref().is_some_and(|signature| key.verify(message.as_bytes(), signature).is_ok())
        };
        if ![now, now - 1].into_iter().any(fits) {
            return Err(bad_signature());
        }
    }
    let mut answer = json!({"userAuthenticatorId": phone.credential.id});
    if let Some(challenge) = push::pending(&app, &phone).await? {
        let frozen = challenge.frozen();
        let id = answer["userAuthenticatorId"].take();
        answer = shown(frozen);
        answer["userAuthenticatorId"] = id;
        answer["challengeId"] = json!(challenge.id());
        answer["userId"] = json!(phone.credential.user);
        // A whole number here, a text elsewhere: mobile SDKs fail on the other one.
        answer["expiresAt"] = json!(frozen.expires_at.as_second());
        if let Some(device) = &frozen.origin.device {
            answer["deviceId"] = json!(device);
        }
        if version == Version::V2 {
            answer["context"] = json!(frozen.context.to_base64url());
            answer["needsCode"] = json!(claiming::code_on_screen(&challenge).is_some());
        }
    }
    Ok(Json(answer))
}

/// `POST /user-authenticators/push/sign?publicKey=`: what the phone signs before it changes something about itself.
#[utoipa::path(post, path = "/user-authenticators/push/sign", tag = "client", security(("tenant" = [])),
    params(("publicKey" = String, Query, description = "the base64 of the key, encoded once more")),
    responses((status = 200, description = "what to sign, and the `challengeId` to send with it", body = Object)))]
pub async fn nonce_to_update(
    State(app): State<App>,
    Extension(door): Extension<Door>,
    OfTenant { tenant }: OfTenant,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let key = key_in(query.as_deref())?;
    active(&app, &tenant, door, &key).await?;
    let id = ChallengeId::from_random(app.random.bytes());
    let message = updating(&app, &asker(tenant.as_str(), &key), &id, nonces::window(app.clock.now()));
    Ok(Json(json!({"challengeId": id, "message": message})))
}

/// `PATCH /user-authenticators/push`: `{challengeId, publicKey, signature, pushToken?, resetExpiry?}`.
#[utoipa::path(patch, path = "/user-authenticators/push", tag = "client", security(("tenant" = [])),
    request_body(content = Object, description = "`{challengeId, publicKey, signature, pushToken?, resetExpiry?}`"),
    responses((status = 200, description = "the credential as it is now", body = Object)))]
pub async fn update(
    State(app): State<App>,
    Extension(door): Extension<Door>,
    OfTenant { tenant }: OfTenant,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let UpdateBody { challenge, key, signature, push_token, resets_expiry } = UpdateBody::read(&body)?;
    let phone = active(&app, &tenant, door, &key).await?;
    let at = app.clock.now();
    let asker = asker(tenant.as_str(), &key);
    let fits = |window| key.verify(updating(&app, &asker, &challenge, window).as_bytes(), &signature).is_ok();
    if ![nonces::window(at), nonces::window(at) - 1].into_iter().any(fits) {
        return Err(bad_signature());
    }
    let id = phone.credential.id;
    let thing = NewUse {
        tenant: tenant.clone(),
        kind: UseKind::Nonce,
        id: format!("update {challenge}@{id}"),
        by: id.as_str().to_owned(),
        decision: None,
        at,
        expires_at: at + SignedDuration::from_secs(1800),
    };
    if let Use::Again { .. } = app.store.consume(thing).await.map_err(refusals::store)? {
        return Err(ApiError::new(Problem::SignatureReused, "this signature was used; ask `sign` for a new message"));
    }
    let refresh = CredentialRefresh { tenant, id, push_token, resets_expiry, at };
    let refreshed = app.store.refresh_credential(refresh).await.map_err(|error| match error {
        RevokeError::NotFound => refusals::unknown_credential(),
        RevokeError::Store(error) => refusals::store(error),
    })?;
    let mut answer = described(&refreshed);
    if let Some(token) = &refreshed.push_token {
        answer["pushToken"] = json!(token);
    }
    Ok(Json(answer))
}

/// What a phone signs says what it is for: no such text is a challenge id, a window, or a message of version 2.
fn asking(app: &App, asker: &str, window: i64) -> String {
    format!("stepup/push/pending {}", app.keys.nonce(&format!("pending\n{asker}"), window).expose())
}

fn updating(app: &App, asker: &str, challenge: &ChallengeId, window: i64) -> String {
    let nonce = app.keys.nonce(&format!("update\n{challenge}\n{asker}"), window).expose();
    format!("stepup/push/update {challenge} {nonce}")
}

fn asker(tenant: &str, key: &DeviceKey) -> String {
    format!("{tenant}\n{}", key.thumbprint().to_base64url())
}

fn bad_signature() -> ApiError {
    ApiError::new(Problem::InvalidSignature, "the signature does not fit the key and the message")
}
