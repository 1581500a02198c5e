//! Sessions of applications: an approval begins one, refresh tokens keep it alive, and it can be ended at any time.
//!
//! An access token is a JWT that an application's services verify by the JWKS; whoever must know at once that a session
//! was ended asks `POST /v1/sessions/validate`. A refresh token is opaque and works once (RFC 9700 §4.14.2).

mod refresh_token;

use challenge::token::{Mint, Profile, SessionClaims, SessionFacts, TokenError};
use challenge::{TenantId, UserId};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::app::App;
use crate::caches::refuse;
use crate::challenges::tokens::refused;
use crate::challenges::validate::{self, Expectation};
use crate::config::{ClientConfig, ProfileClaim};
use crate::error::{ApiError, Problem};
use crate::store::{Begun, NewSession, Refresh, Refreshed, Session, SessionId, UserAttributes};
use refresh_token::RefreshToken;

/// For how long the same call is the repeat of one whose reply was lost, and gets the same answer.
const REPEAT_WINDOW: SignedDuration = SignedDuration::from_secs(10);

/// The two tokens of a session.
pub struct Tokens {
    /// The JWT for the application's services.
    pub access: String,
    /// What gets the next pair, once.
    pub refresh: String,
}

/// A session that an access token stands for, good at this moment.
pub struct Standing {
    /// The session.
    pub session: Session,
    /// When the access token expires, in Unix seconds.
    pub expires_at: i64,
}

/// Begins a session for the result token of an approved challenge, which is used up by it.
pub async fn begin(
    app: &App,
    tenant: &TenantId,
    caller: &str,
    client: &str,
    expectation: &Expectation,
    now: Timestamp,
) -> Result<Tokens, ApiError> {
    let settings = client_settings(app, tenant, client)?;
    let good = validate::check(app, tenant, caller, expectation, now).await?.map_err(|told| no_approval(&told))?;
    let method = good.told["verificationMethodDetail"].as_str().unwrap_or("QR_CODE").to_owned();
    let lives_until = end(now, now, settings);
    let new = NewSession {
        id: SessionId(Uuid::from_bytes(*good.claims.cid.as_bytes())),
        user: UserId::parse(good.claims.registered.sub.as_str()).map_err(ApiError::internal)?,
        client: client.to_owned(),
        method,
        acr: word(&good.claims.acr)?,
        amr: good.claims.amr.iter().map(word).collect::<Result<_, _>>()?,
        approved_at: Timestamp::from_second(good.claims.registered.iat).map_err(ApiError::internal)?,
        expires_at: lives_until,
        token: good.token,
    };
    let used =
        || ApiError::new(Problem::InvalidToken, "the token was used before: it validates or begins a session once");
    match app.store.begin_session(new).await.map_err(refuse)? {
        Begun::New(session) => mint(app, &session, settings, now).await,
        // The backend's client sends again when the connection broke before our answer.
        Begun::Before(session) if is_repeat_of(&session, caller, client, now) => {
            mint(app, &session, settings, now).await
        }
        Begun::Before(_) | Begun::Used => Err(used()),
    }
}

fn is_repeat_of(session: &Session, caller: &str, client: &str, now: Timestamp) -> bool {
    session.generation == 0
        && session.is_open(now)
        && session.created_by == caller
        && session.client == client
        && now.duration_since(session.created_at) < REPEAT_WINDOW
}

/// Takes a refresh token and gives the next pair; the old pair is worth nothing from then on.
pub async fn refresh(app: &App, tenant: &TenantId, token: &str, now: Timestamp) -> Result<Tokens, ApiError> {
    let over = || ApiError::new(Problem::InvalidToken, "the session is over; the user must sign in again");
    let presented = RefreshToken::read(&app.keys, tenant, token).ok_or_else(over)?;
    let known = app.store.session(tenant, presented.session).await.map_err(refuse)?.ok_or_else(over)?;
    let settings = client_settings(app, tenant, &known.client)?;
    let asked = Refresh {
        tenant: tenant.clone(),
        id: presented.session,
        generation: presented.generation,
        repeat_since: now.saturating_sub(REPEAT_WINDOW).unwrap_or(Timestamp::MIN),
        at: now,
        expires_at: end(known.created_at, now, settings),
    };
    match app.store.refresh_session(asked).await.map_err(refuse)? {
        Refreshed::Next(session) | Refreshed::Same(session) => mint(app, &session, settings, now).await,
        Refreshed::Stolen => {
            tracing::warn!(session = %presented.session, "a refresh token was used again: its session is ended");
            Err(over())
        }
        Refreshed::Over => Err(over()),
    }
}

/// The session of an access token, if both are good; `clients` are the applications it may be for, if it matters.
pub async fn standing(
    app: &App,
    tenant: &TenantId,
    token: &str,
    clients: Option<&[String]>,
    now: Timestamp,
) -> Result<Standing, ApiError> {
    let claims: SessionClaims = app.keys.tokens().verifier().verify_for_any_audience(token, now).map_err(not_good)?;
    let id = session_of(&claims, tenant)?;
    if clients.is_some_and(|clients| !clients.contains(&claims.registered.aud)) {
        return Err(ApiError::new(Problem::InvalidToken, "the access token is for another application"));
    }
    let session = app.store.session(tenant, id).await.map_err(refuse)?;
    let session = session.filter(|session| session.is_open(now) && is_current(session, claims.generation, now));
    let session =
        session.ok_or_else(|| ApiError::new(Problem::InvalidToken, "the session is over or was refreshed"))?;
    Ok(Standing { session, expires_at: claims.registered.exp })
}

/// Whether the token is of the present pair, or of the last one while requests that carried it are still under way.
fn is_current(session: &Session, generation: u32, now: Timestamp) -> bool {
    let just_replaced = now.duration_since(session.refreshed_at) < REPEAT_WINDOW;
    generation == session.generation || (just_replaced && generation.checked_add(1) == Some(session.generation))
}

/// Ends the session of an access token, also of one that has expired: who signs out late is signed out as well.
pub async fn revoke(app: &App, tenant: &TenantId, caller: &str, token: &str, now: Timestamp) -> Result<(), ApiError> {
    let claims: SessionClaims = app.keys.tokens().verifier().verify_ended(token, now).map_err(not_good)?;
    let id = session_of(&claims, tenant)?;
    app.store.revoke_session(tenant, id, caller, now).await.map_err(refuse)
}

fn session_of(claims: &SessionClaims, tenant: &TenantId) -> Result<SessionId, ApiError> {
    if claims.tenant != tenant.as_str() {
        return Err(not_good(TokenError::Audience));
    }
    Uuid::try_parse(&claims.sid).map(SessionId).map_err(|_| not_good(TokenError::Claims))
}

async fn mint(app: &App, session: &Session, settings: &ClientConfig, now: Timestamp) -> Result<Tokens, ApiError> {
    let user = app.caches.user(&app.store, &session.tenant, &session.user).await?;
    let profile = user.map(|user| profile(&user.attributes, &settings.claims)).unwrap_or_default();
    let issuer = app.issuer();
    let left = session.expires_at.duration_since(session.refreshed_at);
    let mint = Mint {
        issuer: &issuer,
        audience: &session.tenant,
        jti: format!("{}.{}", session.id, session.generation),
        at: session.refreshed_at,
        life: SignedDuration::from_secs(i64::from(settings.access_s)).min(left),
    };
    let facts = SessionFacts {
        tenant: &session.tenant,
        client: &session.client,
        user: &session.user,
        session: &session.id.to_string(),
        generation: session.generation,
        approved_at: session.approved_at,
        acr: &session.acr,
        amr: session.amr.clone(),
        profile,
    };
    let access = app.keys.tokens().signing().sign(&SessionClaims::new(mint, facts), now).map_err(ApiError::internal)?;
    let refresh = RefreshToken { session: session.id, generation: session.generation };
    Ok(Tokens { access, refresh: refresh.write(&app.keys, &session.tenant) })
}

fn profile(known: &UserAttributes, told: &[ProfileClaim]) -> Profile {
    let tells = |claim| told.contains(&claim);
    Profile {
        email: known.email.clone().filter(|_| tells(ProfileClaim::Email)),
        email_verified: known.email_verified.filter(|_| tells(ProfileClaim::Email)),
        phone_number: known.phone_number.clone().filter(|_| tells(ProfileClaim::PhoneNumber)),
        phone_number_verified: known.phone_number_verified.filter(|_| tells(ProfileClaim::PhoneNumber)),
        preferred_username: known.username.clone().filter(|_| tells(ProfileClaim::PreferredUsername)),
        name: known.display_name.clone().filter(|_| tells(ProfileClaim::Name)),
        locale: known.locale.clone().filter(|_| tells(ProfileClaim::Locale)),
    }
}

/// Until when a session lasts that began and was last used at these times.
fn end(began: Timestamp, used: Timestamp, settings: &ClientConfig) -> Timestamp {
    let after = |at: Timestamp, seconds: u32| {
        at.saturating_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(Timestamp::MAX)
    };
    after(began, settings.lifetime_s).min(after(used, settings.idle_s))
}

fn client_settings<'a>(app: &'a App, tenant: &TenantId, client: &str) -> Result<&'a ClientConfig, ApiError> {
    app.config.client(tenant.as_str(), client).ok_or_else(|| {
        let detail = format!("no application `{client}` is configured; add `[tenants.{tenant}.clients.{client}]`");
        ApiError::new(Problem::InvalidConfiguration, detail)
    })
}

/// What a claim's type is called in a token.
fn word(value: &impl serde::Serialize) -> Result<String, ApiError> {
    let word = serde_json::to_value(value).map_err(ApiError::internal)?;
    word.as_str().map(str::to_owned).ok_or_else(|| ApiError::internal("a claim that is no word"))
}

/// Why a token that does not validate begins no session.
fn no_approval(told: &serde_json::Value) -> ApiError {
    let expired = told["error"] == TokenError::Expired.code();
    let problem = if expired { Problem::ExpiredToken } else { Problem::InvalidToken };
    ApiError::new(problem, told["errorDescription"].as_str().unwrap_or("the token proves no approval").to_owned())
}

fn not_good(error: TokenError) -> ApiError {
    match error {
        TokenError::Expired => {
            ApiError::new(Problem::ExpiredToken, "the access token has expired; refresh the session")
        }
        other => refused(other),
    }
}
