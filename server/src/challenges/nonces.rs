//! Nonces that a phone or a terminal signs.
//!
//! They are derived, not stored: from our secret, the asker and the current ten minutes. One is worth nothing to anybody else,
//! and what is done with it is done once.

use challenge::TenantId;
use challenge::messages::ServerNonce;
use jiff::{SignedDuration, Timestamp};

use super::refusals;
use crate::app::App;
use crate::error::ApiError;
use crate::store::{NewUse, Use, UseKind};

/// How long one nonce is given out, in seconds; it is accepted for at most twice as long.
const WINDOW_S: i64 = 600;

/// What a nonce is used for.
pub struct Purpose<'a> {
    /// Of which tenant.
    pub tenant: &'a TenantId,
    /// Whom the nonce was given to: a tenant, or the text of a token.
    pub asker: &'a str,
    /// What is done with it, once: an id, or a key's thumbprint.
    pub by: &'a str,
    /// Whether that is done already, so that nothing is let in by doing it again.
    pub done: bool,
    /// Where in the request our nonce stands, and what makes its use the only one.
    pub places: [&'a str; 2],
}

/// The nonce to sign now.
pub fn given(app: &App, asker: &str, now: Timestamp) -> ServerNonce {
    app.keys.nonce(asker, window(now))
}

/// The nonces that may be signed now.
pub fn accepted(app: &App, asker: &str) -> [ServerNonce; 2] {
    let current = window(app.clock.now());
    [current, current - 1].map(|window| app.keys.nonce(asker, window))
}

/// Which ten minutes a time lies in.
pub fn window(now: Timestamp) -> i64 {
    now.as_second().div_euclid(WINDOW_S)
}

/// Uses up a nonce that is ours and not too old.
pub async fn use_up(app: &App, purpose: Purpose<'_>, nonce: &ServerNonce) -> Result<(), ApiError> {
    let now = app.clock.now();
    let [ours, unique] = purpose.places;
    if !accepted(app, purpose.asker).contains(nonce) {
        return Err(unknown(ours));
    }
    if purpose.done {
        return Ok(());
    }
    let thing = NewUse {
        tenant: purpose.tenant.clone(),
        kind: UseKind::Nonce,
        id: format!("{}@{}", nonce.expose(), purpose.by),
        by: purpose.by.to_owned(),
        decision: None,
        at: now,
        expires_at: now + SignedDuration::from_secs(2 * WINDOW_S),
    };
    match app.store.consume(thing).await.map_err(refusals::store)? {
        Use::First => Ok(()),
        Use::Again { .. } => Err(ApiError::field(unique, "used-nonce", "this nonce was used; ask for a new one")),
    }
}

/// The refusal of a nonce that is not ours, or too old.
pub fn unknown(pointer: &str) -> ApiError {
    ApiError::field(pointer, "unknown-nonce", "ask `POST /v1/client/challenge` for a nonce and sign that")
}
