//! A phone's key: added under a user's token, found again, taken out by its own signature.

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use challenge::keys::DeviceKey;
use challenge::messages::{RemovalWindow, verify_removal};
use challenge::qr::QrPublicKey;
use challenge::signature::Signature;
use challenge::state::Kind;
use challenge::token::TokenError;
use challenge::{Credential, CredentialId, CredentialStatus, Platform, TenantId, UserId};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::bodies::{self, AddBody, RemoveBody, Version};
use super::caller::{Holder, OfTenant};
use super::doors::Door;
use super::enrolment;
use super::push::SIGNATURE;
use crate::app::App;
use crate::challenges::tokens::{self, ADD, Bearer, READ};
use crate::challenges::{nonces, refusals};
use crate::config::SecondPhone;
use crate::error::{ApiError, Problem};
use crate::evidence::{self, About, Verdict};
use crate::http::body::JsonObject;
use crate::recovery::issue;
use crate::store::{
    ActionState, EnrolError, Enrolled, EnrolmentRight, NewCredential, NewUse, RECOVERY_CODE, RevokeError,
    StoredCredential, Use, UseKind,
};

/// `POST /user-authenticators/{kind}`
#[utoipa::path(post, path = "/user-authenticators/{kind}", tag = "client", security(("token" = [])),
    params(("kind" = String, Path, description = "`qr-code`, `push`, `in-app`, or `device` of packages before 2025-10")),
    request_body(content = Object, description = "`{publicKey, deviceName, devicePlatform, pushToken?, performAttestation?, version?, …}`"),
    responses((status = 200, description = "the credential; with version 2 also what the phone keeps", body = Object),
        (status = 403, description = "`forbidden`: the token lets no phone in; `attestation_refused`"),
        (status = 409, description = "the key is another user's")))]
pub async fn add(
    State(app): State<App>,
    Extension(door): Extension<Door>,
    holder: Holder,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let body = AddBody::read(&body)?;
    let about = match &body.proof {
        Some((nonce, signature)) => About {
            key: &body.key,
            nonces: vec![nonce.clone()],
            message: Some(enrolment::signed(&app, &holder, &body.key, nonce, signature)?),
        },
        None => About { key: &body.key, nonces: nonces::accepted(&app, &holder.token).into(), message: None },
    };
    let verdict = evidence::admit(&app, &holder.bearer.tenant()?, body.evidence.as_ref(), &about).await?;
    let proven = body.proof.is_some();
    let (enrolled, codes) = enrol(&app, &holder.bearer, door, body, verdict).await?;
    let credential = enrolled.credential;
    let mut answer = described(&credential);
    if let Some(codes) = codes {
        answer["recoveryCodes"] = json!(codes);
    }
    if proven {
        // What the phone pins: whom it talks to, and whose QR codes it believes.
        answer["issuer"] = json!(app.issuer());
        answer["tenantId"] = json!(credential.credential.tenant);
        answer["qrKeys"] = qr_keys(&app);
    }
    Ok(Json(answer))
}

/// Enrols the key. A user's first phone needs no more than their token, for a key of each kind; every further one needs the
/// scope, which the backend gives when it has made sure by other means (T-22), and one after a loss needs a recovery. A phone that will show recovery
/// codes gets some for a user who has none.
async fn enrol(
    app: &App,
    bearer: &Bearer,
    door: Door,
    body: AddBody,
    verdict: Verdict,
) -> Result<(Enrolled, Option<Vec<String>>), ApiError> {
    let (tenant, user, now) = (bearer.tenant()?, bearer.user()?, app.clock.now());
    let right = enrolment_right(app, bearer).await?;
    let fresh = match body.shows_recovery_codes && has_no_codes(app, &tenant, &user).await? {
        true => Some(issue::fresh(app).await?),
        false => None,
    };
    let id = CredentialId::parse(app.random.uuid_v4().to_string()).map_err(ApiError::internal)?;
    let new = NewCredential {
        credential: Credential {
            id,
            tenant: tenant.clone(),
            user: user.clone(),
            key: body.key,
            platform: Platform::from_wire(&body.platform),
            status: CredentialStatus::Active,
            protection: verdict.protection,
        },
        kind: door.key.to_owned(),
        device_name: body.device_name,
        device_platform: body.platform,
        attestation: verdict.kept,
        // Only where it is of use: it is personal.
        push_token: body.push_token.filter(|_| door.answers.contains(&Kind::Push)),
        enrolled_at: now,
        expires_at: None,
        right,
        token: bearer.name().to_owned(),
        token_at: bearer.made_at(),
        recovery_codes: fresh.as_ref().map(|fresh| fresh.kept.clone()),
    };
    let enrolled = app.store.enrol(new).await.map_err(|error| match error {
        EnrolError::KeyTaken => {
            ApiError::new(Problem::KeyTaken, "this key is enrolled for another user; make a new one")
        }
        EnrolError::KeyRevoked => {
            ApiError::new(Problem::InvalidCredential, "this key was removed, for good; make a new one")
        }
        EnrolError::IdTaken => ApiError::internal("a fresh random credential id is in use"),
        EnrolError::NeedsScope => {
            let detail = format!(
                "the user has an authenticator already; track the action with scope `{ADD}` to add another, and pass its challenge first"
            );
            ApiError::new(Problem::Forbidden, detail)
        }
        EnrolError::NeedsRecovery => {
            let detail = format!(
                "the user's phones are gone; a recovery code, a reset by an administrator or the scope `{ADD}` lets another in"
            );
            ApiError::new(Problem::RecoveryRequired, detail)
        }
        EnrolError::CodeSpent => {
            ApiError::new(Problem::Forbidden, "the recovery code of this token has let another phone in")
        }
        EnrolError::TokenOutdated => {
            ApiError::new(Problem::Forbidden, "the user was reset or deleted after this token was made; track the action again")
        }
        EnrolError::Store(error) => refusals::store(error),
    })?;
    app.caches.forget_user(&tenant, &user);
    let texts = fresh.filter(|_| enrolled.codes_issued).map(|fresh| fresh.texts);
    Ok((enrolled, texts))
}

async fn has_no_codes(app: &App, tenant: &TenantId, user: &UserId) -> Result<bool, ApiError> {
    let standing = app.store.recovery_standing(tenant, user).await.map_err(refusals::store)?;
    Ok(standing.codes_left == 0)
}

/// What the holder of the token may let in. The token of an attempt that a policy blocked adds nothing, whatever its scope: a
/// blocked `device_enrol` enrols no device, and neither does one that somebody declined. Where the policy asks for a challenge, the scope counts once that is passed, so
/// that the phone there is says yes to the next one (T-22); the first phone needs no scope. A recovery code that passed the
/// challenge was good for that alone. A tenant may want the yes of a phone wherever there is one.
pub(super) async fn enrolment_right(app: &App, bearer: &Bearer) -> Result<EnrolmentRight, ApiError> {
    let right = bearer.enrolment_right();
    let Bearer::Screen(claims) = bearer else { return Ok(right) };
    let decision = app.store.decision_by_key(&tokens::attempt_of(claims)?).await.map_err(refusals::store)?;
    let Some(decision) = decision else { return Err(tokens::refused(TokenError::Claims)) };
    match (decision.state, right) {
        (ActionState::Block, _) => {
            Err(ApiError::new(Problem::ActionBlocked, "the action of this token was blocked; it adds no phone"))
        }
        (ActionState::ChallengeFailed | ActionState::ReviewFailed, EnrolmentRight::Scope | EnrolmentRight::Token) => {
            Err(ApiError::new(Problem::Forbidden, "the action of this token was declined; it adds no phone"))
        }
        (ActionState::ChallengeRequired | ActionState::ReviewRequired, EnrolmentRight::Scope) => {
            Ok(EnrolmentRight::Token)
        }
        (_, EnrolmentRight::Scope) if decision.verification_method.as_deref() == Some(RECOVERY_CODE) => {
            Ok(EnrolmentRight::Token)
        }
        (_, EnrolmentRight::Scope) => {
            let asked = app.config.tenant(decision.tenant.as_str()).second_phone == SecondPhone::Approval;
            let approved = decision.state == ActionState::ChallengeSucceeded && decision.verified_by.is_some();
            Ok(if asked && !approved { EnrolmentRight::Token } else { EnrolmentRight::Scope })
        }
        (_, right @ (EnrolmentRight::Token | EnrolmentRight::RecoveryCode(_))) => Ok(right),
    }
}

/// `GET /user-authenticators`: the phones of the token's user, without which a screen would show a code that nobody can
/// answer.
#[utoipa::path(get, path = "/user-authenticators", tag = "client", security(("token" = [])),
    responses((status = 200, description = "the phones of the token's user, and whether this token lets one in", body = Object)))]
pub async fn list(State(app): State<App>, holder: Holder) -> Result<Json<Value>, ApiError> {
    let (tenant, user) = (holder.bearer.tenant()?, holder.bearer.user()?);
    // Every token of ours has this scope so far; one that is narrower must not read here unnoticed.
    if !holder.bearer.permits(READ) {
        return Err(ApiError::new(Problem::Forbidden, format!("the token lacks the scope `{READ}`")));
    }
    let known = app.store.credentials(&tenant, &user).await.map_err(refusals::store)?;
    let active = known.iter().map(|phone| {
        let mut shown = described(phone);
        // So that whoever sees the list knows their phones, and one that is not theirs.
        shown["deviceName"] = json!(phone.device_name);
        shown["devicePlatform"] = json!(phone.device_platform);
        shown
    });
    let standing = app.store.recovery_standing(&tenant, &user).await.map_err(refusals::store)?;
    Ok(Json(json!({
        "userAuthenticators": active.collect::<Vec<_>>(),
        "recoveryCodesLeft": standing.codes_left,
        // Whether a user without a phone may simply enrol one: a page offers that, or a recovery.
        "mayEnrol": enrolment_right(&app, &holder.bearer).await? == EnrolmentRight::Scope || standing.admits(app.clock.now()),
    })))
}

/// `GET /user-authenticators/{kind}?publicKey=`: whose the key is. With `version=2` the question is signed by the key itself, and
/// nobody else hears anything; where the tenant wants version 2 for every action (`*`), there is no other way to ask.
#[utoipa::path(get, path = "/user-authenticators/{kind}", tag = "client", security(("tenant" = [])),
    params(("kind" = String, Path, description = "`qr-code`, `push`, `in-app`, or `device` of packages before 2025-10"), ("publicKey" = String, Query, description = "the base64 of the key, encoded once more"),
        ("version" = Option<u8>, Query, description = "2: the question is signed"), ("nonce" = Option<String>, Query, description = "of `POST /v1/client/challenge`"),
        ("X-Authsignal-Signature" = Option<String>, Header, description = "with version 2: over `stepup/v2/auth`")),
    responses((status = 200, description = "the credential, and the keys whose QR codes it believes", body = Object),
        (status = 400, description = "`invalid_credential`: it was removed"),
        (status = 404, description = "`unknown_credential`")))]
pub async fn get(
    State(app): State<App>,
    Extension(door): Extension<Door>,
    caller: OfTenant,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let key = key_in(query.as_deref())?;
    match bodies::version_in(query.as_deref())? {
        Version::Compat => enrolment::must_sign(&app, &caller.tenant)?,
        Version::V2 => {
            let nonce = bodies::nonce_in(query.as_deref())?;
            let signature = headers.get(SIGNATURE).and_then(|text| text.to_str().ok());
            let signature = signature.and_then(|text| Signature::from_base64(text).ok());
            let path = format!("/v1/client/user-authenticators/{}", door.path);
            enrolment::verify_question(&app, &caller.tenant, &key, &path, &nonce, signature.as_ref())?;
        }
    }
    let mut answer = described(&active(&app, &caller.tenant, door, &key).await?);
    answer["qrKeys"] = qr_keys(&app);
    Ok(Json(answer))
}

/// The keys whose QR codes a phone believes, now and soon: `[{kid, publicKey}]`. Ours hear of them with each answer about
/// themselves, so that the next key is known before it signs.
pub(super) fn qr_keys(app: &App) -> Value {
    let published = app.keys.qr().published(app.clock.now());
    let told = |key: QrPublicKey| json!({"kid": key.kid, "publicKey": URL_SAFE_NO_PAD.encode(key.bytes)});
    published.into_iter().map(told).collect()
}

/// The key that a query names.
pub(super) fn key_in(query: Option<&str>) -> Result<DeviceKey, ApiError> {
    let text = public_key(query.unwrap_or_default())
        .ok_or_else(|| ApiError::field("/query/publicKey", "missing-field", "this parameter is required, once"))?;
    DeviceKey::from_query(&text).map_err(|invalid| refusals::public_key(invalid).about("/query/publicKey"))
}

/// The credential of a key, unless it was removed.
pub(super) async fn active(
    app: &App,
    tenant: &TenantId,
    door: Door,
    key: &DeviceKey,
) -> Result<StoredCredential, ApiError> {
    let credential = find(app, tenant, door, key).await?.ok_or_else(refusals::unknown_credential)?;
    match credential.revoked_at {
        None => Ok(credential),
        Some(_) => Err(ApiError::new(Problem::InvalidCredential, "the authenticator was removed; add the phone again")),
    }
}

/// The value of `publicKey`. Read by hand: form decoding would turn the `+` of base64 into a space.
fn public_key(query: &str) -> Option<String> {
    let mut values = query.split('&').filter_map(|pair| pair.strip_prefix("publicKey="));
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    let value = value.replace("%3D", "=").replace("%3d", "=").replace("%2B", "+").replace("%2b", "+");
    Some(value.replace("%2F", "/").replace("%2f", "/"))
}

/// `POST /user-authenticators/{kind}/remove`
#[utoipa::path(post, path = "/user-authenticators/{kind}/remove", tag = "client", security(("tenant" = [])),
    params(("kind" = String, Path, description = "`qr-code`, `push`, `in-app`, or `device` of packages before 2025-10")),
    request_body(content = Object, description = "`{publicKey, signature}`, or version 2 `{userAuthenticatorId, nonce, signature, version}`"),
    responses((status = 200, description = "it is removed for good; a repeat hears the same", body = Object)))]
pub async fn remove(
    State(app): State<App>,
    Extension(door): Extension<Door>,
    caller: OfTenant,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let tenant = caller.tenant;
    let credential = match RemoveBody::read(&body)? {
        RemoveBody::Compat { key, signature } => signed_window(&app, &tenant, door, &key, &signature).await?,
        RemoveBody::V2 { credential, nonce, signature } => {
            let found = app.store.credential(&tenant, &credential).await.map_err(refusals::store)?;
            let found = found.ok_or_else(refusals::unknown_credential)?;
            enrolment::verify_removal(&app, &tenant, &found, &nonce, &signature)?;
            found
        }
    };
    let (id, now) = (&credential.credential.id, app.clock.now());
    // A repeat finds the credential revoked, and hears the same.
    let revoked = app.store.revoke_credential(&tenant, id, id.as_str(), now).await;
    let revoked = revoked.map_err(|error| match error {
        RevokeError::NotFound => refusals::unknown_credential(),
        RevokeError::Store(error) => refusals::store(error),
    })?;
    app.caches.forget_user(&tenant, &revoked.credential.user);
    Ok(Json(json!({"removedAuthenticatorId": revoked.credential.id})))
}

/// The credential whose key signed the current ten-minute window.
async fn signed_window(
    app: &App,
    tenant: &TenantId,
    door: Door,
    key: &DeviceKey,
    signature: &Signature,
) -> Result<StoredCredential, ApiError> {
    let credential = find(app, tenant, door, key).await?.ok_or_else(refusals::unknown_credential)?;
    let window = verify_removal(key, signature, app.clock.now()).map_err(|_| {
        ApiError::new(Problem::InvalidSignature, "the signature does not fit the key and the current ten minutes")
    })?;
    if credential.revoked_at.is_some() {
        return Ok(credential);
    }
    match use_window(app, tenant, key, window, credential.credential.id.as_str()).await? {
        Use::Again { first_used_by, .. } if first_used_by == BURNT => Err(ApiError::new(
            Problem::SignatureReused,
            format!("this signature came in as a claim before; try again after {}", end_of(window)),
        )),
        Use::First | Use::Again { .. } => Ok(credential),
    }
}

/// A phone signs whatever text it scans. If the text was the number of a removal window, somebody may be fishing for that
/// signature; it is remembered as used, so that it removes nothing (T-14).
pub async fn burn_window(app: &App, tenant: &TenantId, key: &DeviceKey, signature: &Signature) -> Result<(), ApiError> {
    if let Ok(window) = verify_removal(key, signature, app.clock.now()) {
        use_window(app, tenant, key, window, BURNT).await?;
    }
    Ok(())
}

/// Who used a window that a claim tried to use.
const BURNT: &str = "refused claim";

async fn use_window(
    app: &App,
    tenant: &TenantId,
    key: &DeviceKey,
    window: RemovalWindow,
    by: &str,
) -> Result<Use, ApiError> {
    let now = app.clock.now();
    let thing = NewUse {
        tenant: tenant.clone(),
        kind: UseKind::Removal,
        id: format!("{}@{}", key.thumbprint().to_base64url(), window.number()),
        by: by.to_owned(),
        decision: None,
        at: now,
        expires_at: now + SignedDuration::from_secs(1800),
    };
    app.store.consume(thing).await.map_err(refusals::store)
}

fn end_of(window: RemovalWindow) -> String {
    let end_s = window.number().saturating_add(1).saturating_mul(600);
    jiff::Timestamp::from_second(end_s).map_or_else(|_| "ten minutes".to_owned(), |end| end.to_string())
}

async fn find(app: &App, tenant: &TenantId, door: Door, key: &DeviceKey) -> Result<Option<StoredCredential>, ApiError> {
    app.store.credential_by_key(tenant, door.key, &key.to_spki()).await.map_err(refusals::store)
}

/// What stock SDKs read of a credential; the first three are required.
pub(super) fn described(credential: &StoredCredential) -> Value {
    let mut answer = json!({
        "userAuthenticatorId": credential.credential.id,
        "userId": credential.credential.user,
        "verifiedAt": credential.enrolled_at.to_string(),
    });
    if let Some(at) = credential.last_verified_at {
        answer["lastVerifiedAt"] = json!(at.to_string());
    }
    if let Some(at) = credential.expires_at {
        answer["expiresAt"] = json!(at.to_string());
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::public_key;

    #[test]
    fn a_key_in_the_query_is_read_as_each_platform_writes_it() {
        for (query, key) in [
            ("publicKey=TUZrd0V3", Some("TUZrd0V3")),
            ("publicKey=TUZr==", Some("TUZr==")),
            ("publicKey=TUZr%3D%3D&x=1", Some("TUZr==")),
            ("publicKey=a+b%2Fc", Some("a+b/c")),
            ("", None),
            ("publicKey=a&publicKey=b", None),
            ("xpublicKey=a", None),
        ] {
            assert_eq!(public_key(query).as_deref(), key, "{query}");
        }
    }
}
