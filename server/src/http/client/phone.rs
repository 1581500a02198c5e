//! What phones send about a challenge: they claim it, and they answer it.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::{Extension, Json};
use challenge::TenantId;
use challenge::state::{Claim, Frozen, Kind};
use serde_json::{Value, json};

use super::authenticators;
use super::bodies::{self, AnswerBody, ClaimBody};
use super::caller::{Caller, OfTenant};
use super::doors::Door;
use crate::app::App;
use crate::challenges::anonymous;
use crate::challenges::phone::{self, Call, ClaimedWith, PhoneEnd};
use crate::challenges::{in_app, push, refusals};
use crate::clock::whole_milliseconds;
use crate::error::ApiError;
use crate::http::body::JsonObject;
use crate::http::context::Visit;
use crate::store::StoredCredential;

/// `POST /user-authenticators/{kind}/challenge/claim`
#[utoipa::path(post, path = "/user-authenticators/{kind}/challenge/claim", tag = "client", security(("tenant" = []), ("token" = [])),
    params(("kind" = String, Path, description = "`qr-code`, `push`, `in-app`, or `device` of packages before 2025-10")),
    request_body(content = Object, description = "`{challengeId, publicKey, signature}`; version 2 adds `version`, `nonce`, the rolling code `qr` and `near: {channel, signature}`"),
    responses((status = 200, description = "what the phone shows; with version 2 also what it signs", body = Object),
        (status = 400, description = "`invalid_signature`, `qr_stale`, `invalid_proximity`"),
        (status = 403, description = "`wrong_user`, `credential_cooling_off`, `user_verification_unproven`, or a policy blocks the claim"),
        (status = 409, description = "`challenge_already_claimed`, or it has ended")))]
pub async fn claim(
    State(app): State<App>,
    Extension(door): Extension<Door>,
    caller: Caller,
    from: PhoneEnd,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let tenant = caller.tenant()?;
    let ClaimBody { challenge, key, signature, with } = match ClaimBody::read(&body) {
        Ok(claim) => claim,
        Err(refusal) => {
            if let Some((key, signature)) = bodies::key_and_signature(&body) {
                authenticators::burn_window(&app, &tenant, &key, &signature).await?;
            }
            return Err(refusal);
        }
    };
    let signs_context = matches!(with, ClaimedWith::V2 { .. });
    let answers = if signs_context { door.answers } else { door.scans };
    if answers.is_empty() {
        let detail = "a claim by itself is signed with version 2 here; an answer of version 1 claims as well";
        return Err(ApiError::field("/version", "too-old", detail));
    }
    let call = Call { tenant, kind: door.key, answers, challenge, key, signature, from };
    let claimed = match answers.contains(&Kind::InApp) {
        true => in_app::claim(&app, call, with, caller.bearer()).await?,
        false => phone::claim(&app, call, with).await?,
    };
    let frozen = claimed.challenge.frozen();
    let mut answer = shown(frozen);
    answer["success"] = json!(true);
    if signs_context {
        // The very bytes: the phone shows what it parses out of them, and signs their hash.
        answer["context"] = json!(frozen.context.to_base64url());
        answer["claim"] = json!(claimed.claim.nonce.expose());
        answer["userAuthenticatorId"] = json!(claimed.claim.by);
        answer["needsCode"] = json!(claimed.claim.match_code.is_some());
        answer["expiresAt"] = json!(whole_milliseconds(frozen.expires_at));
        answer["qrKeys"] = authenticators::qr_keys(&app);
        let added = added_since(&app, &claimed.claim, &frozen.tenant).await?;
        if !added.is_empty() {
            answer["phonesAdded"] = json!(added);
        }
    }
    Ok(Json(answer))
}

/// The user's phones that came after this one last approved. Whoever did not add one should hear of it, and no backend
/// can forget to tell (T-22).
async fn added_since(app: &App, claim: &Claim, tenant: &TenantId) -> Result<Vec<Value>, ApiError> {
    let phones = app.store.credentials(tenant, &claim.user).await.map_err(refusals::store)?;
    let Some(own) = phones.iter().find(|phone| phone.credential.id == claim.by) else { return Ok(Vec::new()) };
    let since = own.last_verified_at.unwrap_or(own.enrolled_at);
    let key = own.credential.key.to_spki();
    let others = phones.iter().filter(|phone| phone.enrolled_at > since && phone.credential.key.to_spki() != key);
    let told = |phone: &StoredCredential| {
        json!({
            "deviceName": phone.device_name,
            "devicePlatform": phone.device_platform,
            "addedAt": phone.enrolled_at.to_string(),
        })
    };
    Ok(others.map(told).collect())
}

/// `POST /user-authenticators/{kind}/challenge`
#[utoipa::path(post, path = "/user-authenticators/{kind}/challenge", tag = "client", security(("tenant" = [])),
    params(("kind" = String, Path, description = "`qr-code`, `push`, `in-app`, or `device` of packages before 2025-10")),
    request_body(content = Object, description = "`{challengeId, publicKey, approved, signature, verificationCode?, version?}`"),
    responses((status = 200, description = "whether it is approved now", body = Object),
        (status = 400, description = "`invalid_signature`, `wrong_code`"),
        (status = 401, description = "`signature_reused`"),
        (status = 403, description = "`not_claimer`, `credential_cooling_off`, `user_verification_unproven`")))]
pub async fn answer(
    State(app): State<App>,
    Extension(door): Extension<Door>,
    caller: OfTenant,
    from: PhoneEnd,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let AnswerBody { challenge, key, signature, with, decision, code } = AnswerBody::read(&body)?;
    let call = Call { tenant: caller.tenant, kind: door.key, answers: door.answers, challenge, key, signature, from };
    let approved = push::answer(&app, call, with, decision, code).await?;
    Ok(Json(json!({"isVerified": approved})))
}

impl<S: Send + Sync> FromRequestParts<S> for PhoneEnd {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<PhoneEnd, Infallible> {
        let ip = Visit::of(&parts.extensions).client;
        Ok(PhoneEnd { ip, user_agent: anonymous::user_agent(&parts.headers) })
    }
}

/// What stock phones show. Types bite here: `custom` and `user.custom` must be objects, and a member that is not known is
/// left out.
pub(super) fn shown(frozen: &Frozen) -> Value {
    let mut answer = json!({
        "actionCode": frozen.action,
        "idempotencyKey": frozen.idempotency_key,
        "custom": frozen.custom,
        "user": {"custom": {}},
    });
    if let Some(ip) = frozen.origin.ip {
        answer["ipAddress"] = json!(ip.to_canonical().to_string());
    }
    if let Some(user_agent) = &frozen.origin.user_agent {
        answer["userAgent"] = json!(user_agent);
    }
    answer
}
