//! Nonces that a phone or a terminal signs.
//!
//! They are derived, not stored: from our secret, the asker and the current ten minutes. One is worth nothing to anybody else.
//! What a phone does with one can be done only once anyway: a key is enrolled, or removed, for good. What a terminal asks for
//! could be asked for again, so that is written down.

use challenge::TenantId;
use challenge::messages::ServerNonce;
use jiff::{SignedDuration, Timestamp};

use super::refusals;
use crate::app::App;
use crate::error::ApiError;
use crate::store::{NewUse, Use, UseKind};

/// How long one nonce is given out, in seconds; it is accepted for at most twice as long.
const WINDOW_S: i64 = 600;

/// What a terminal uses a nonce for.
pub struct Purpose<'a> {
    /// Of which tenant.
    pub tenant: &'a TenantId,
    /// What is done with it, once.
    pub by: &'a str,
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

/// Refuses a nonce, which stands at `pointer`, that was not given to `asker` or is too old.
pub fn must_be_ours(app: &App, asker: &str, nonce: &ServerNonce, pointer: &str) -> Result<(), ApiError> {
    if accepted(app, asker).contains(nonce) {
        return Ok(());
    }
    Err(ApiError::field(pointer, "unknown-nonce", "ask `POST /v1/client/challenge` for a nonce and sign that"))
}

/// Uses up a nonce that is ours and not too old.
pub async fn use_up(app: &App, purpose: Purpose<'_>, nonce: &ServerNonce) -> Result<(), ApiError> {
    let now = app.clock.now();
    let [ours, unique] = purpose.places;
    must_be_ours(app, purpose.tenant.as_str(), nonce, ours)?;
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
        Use::Again { .. } => Err(ApiError::field(unique, "used-nonce", "this nonce was used; make another one")),
    }
}
