//! The JWTs we mint: a track token opens the challenge pages for one user, a result token says how a challenge ended, an
//! access token stands for a session.
//!
//! Line by line after RFC 8725 (docs/rfc8725.md): one algorithm per key, the key found by `kid` alone, an explicit `typ` per
//! purpose, all claims required and typed, and `now` given, as a validity check against a hidden clock cannot be tested.

mod claims;
mod keys;
mod session;
mod verifier;

pub use claims::{Mint, Other, ResultClaims, ResultFacts, TokenState, TrackClaims, TrackFacts};
pub use keys::{
    KEPT_AFTER, KeySetError, SHORTEST_SHARED_SECRET, SharedKey, SigningKey, SigningKeys, Turn, VerificationKey,
};
pub use session::{Profile, SessionClaims, SessionFacts};
pub use verifier::{LEEWAY_S, LONGEST_TOKEN, TokenError, Verifier};

use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A kind of token. Its `typ` is in the signed header, and a token of one purpose is never accepted for another.
pub trait Purpose: Serialize + DeserializeOwned + sealed::Sealed {
    /// The header's `typ` (RFC 8725 §3.11).
    const TYP: &'static str;
    /// No token of this purpose lives longer, whatever its claims say.
    const LONGEST_LIFE: SignedDuration;
    /// The claims that every purpose has.
    fn registered(&self) -> &Registered;
    /// The tenant whose HS256 secret may sign it, if it has one.
    fn shared_with(&self) -> Option<&str> {
        Some(&self.registered().aud)
    }
}

/// The claims of RFC 7519 that are required in every token; times are whole Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Who minted it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// Whom it is about: the user.
    pub sub: String,
    /// Its name, never used twice.
    pub jti: String,
    /// When it was minted.
    pub iat: i64,
    /// From when it is valid.
    pub nbf: i64,
    /// From when it is not.
    pub exp: i64,
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::TrackClaims {}
    impl Sealed for super::ResultClaims {}
    impl Sealed for super::SessionClaims {}
}
