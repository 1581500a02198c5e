//! Reading a token that anybody may have written.
//!
//! The library checks the signature; header and claims are read here, for three reasons. Its time checks ask the system
//! clock. Its claim checks skip a malformed `iss` that is not listed as required. And numbers arrive as text when JSON is
//! compiled to keep their digits, which its untyped reading takes for malformed.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Purpose, Registered, SigningKeys};
use crate::id::{Issuer, TenantId};

/// The longest token read, in bytes.
pub const LONGEST_TOKEN: usize = 8 * 1024;

/// How far clocks may differ, in seconds.
pub const LEEWAY_S: i64 = 5;

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`LONGEST_TOKEN`].
    #[error("the token is too long")]
    TooLong,
    /// Not three parts of strict base64url, or a header that is not ours.
    #[error("the token is malformed")]
    Malformed,
    /// The algorithm is not the key's: `none`, HMAC with a public key, …
    #[error("the token's algorithm is not allowed")]
    Algorithm,
    /// Minted for another purpose.
    #[error("the token is for another purpose")]
    Type,
    /// No such key.
    #[error("the token's key is unknown")]
    UnknownKey,
    /// Forged or altered.
    #[error("the token's signature does not fit")]
    BadSignature,
    /// A claim is missing or of the wrong type.
    #[error("a claim of the token is missing or malformed")]
    Claims,
    /// Minted by somebody else.
    #[error("the token was issued by another service")]
    Issuer,
    /// Minted for somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// Over.
    #[error("the token has expired")]
    Expired,
    /// Minted in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Lives longer than any token of its purpose.
    #[error("the token's lifetime is too long")]
    Lifetime,
}

impl TokenError {
    /// The wire's word. Which check failed is for the log, not for whoever sent the token.
    pub fn code(self) -> &'static str {
        match self {
            Self::Expired => "expired_token",
            Self::TooLong
            | Self::Malformed
            | Self::Algorithm
            | Self::Type
            | Self::UnknownKey
            | Self::BadSignature
            | Self::Claims
            | Self::Issuer
            | Self::Audience
            | Self::NotYetValid
            | Self::Lifetime => "invalid_token",
        }
    }
}

/// Accepts tokens of one issuer, signed with one of its keys.
pub struct Verifier {
    issuer: String,
    keys: BTreeMap<String, Accepted>,
}

/// A key and what it is good for.
struct Accepted {
    algorithm: Algorithm,
    key: DecodingKey,
    /// From when it is not accepted any more.
    until: Option<Timestamp>,
    /// The one audience it may speak to; others than the signer hold an HMAC secret.
    only_for: Option<TenantId>,
}

impl Verifier {
    /// Accepts what any of `keys` signed in the name of `issuer`.
    pub fn new(issuer: &Issuer, keys: &SigningKeys) -> Self {
        let own = keys.turns().map(|turn| {
            let public = turn.key.public();
            let (key, until) = (public.decoding.clone(), turn.retires_at());
            (public.kid().to_string(), Accepted { algorithm: public.algorithm, key, until, only_for: None })
        });
        let shared = keys.shared().iter().map(|key| {
            let (decoding, only_for) = (key.decoding.clone(), Some(key.tenant.clone()));
            let accepted = Accepted { algorithm: Algorithm::HS256, key: decoding, until: None, only_for };
            (key.kid.to_string(), accepted)
        });
        Self { issuer: issuer.to_string(), keys: own.chain(shared).collect() }
    }

    /// The claims of a token that is ours, of purpose `P`, for `audience`, and valid at `now`.
    pub fn verify<P: Purpose>(&self, token: &str, audience: &TenantId, now: Timestamp) -> Result<P, TokenError> {
        let claims: P = self.verify_for_any_audience(token, now)?;
        if claims.registered().aud == audience.as_str() { Ok(claims) } else { Err(TokenError::Audience) }
    }

    /// The same where the token itself says which tenant the caller means, as on a socket that sends nothing else. The
    /// caller must use the token's `aud` as the tenant of everything it then does.
    pub fn verify_for_any_audience<P: Purpose>(&self, token: &str, now: Timestamp) -> Result<P, TokenError> {
        let claims: P = self.signed(token, now)?;
        check_times(claims.registered(), now)?;
        Ok(claims)
    }

    /// The same also for a token that has expired: good for ending what it stood for, and for nothing else.
    pub fn verify_ended<P: Purpose>(&self, token: &str, now: Timestamp) -> Result<P, TokenError> {
        self.signed(token, now)
    }

    /// The claims of a token that is ours and of purpose `P`, whatever its times.
    fn signed<P: Purpose>(&self, token: &str, now: Timestamp) -> Result<P, TokenError> {
        if token.len() > LONGEST_TOKEN {
            return Err(TokenError::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(TokenError::Malformed)?;
        let header: TokenHeader = read_object(header).ok_or(TokenError::Malformed)?;
        let accepted = self.keys.get(&header.kid).filter(|key| key.until.is_none_or(|until| now < until));
        let accepted = accepted.ok_or(TokenError::UnknownKey)?;
        // The key says which algorithm; the header may only agree.
        if header.alg != format!("{:?}", accepted.algorithm) {
            return Err(TokenError::Algorithm);
        }
        if header.typ != P::TYP {
            return Err(TokenError::Type);
        }
        match jsonwebtoken::crypto::verify(signature, message.as_bytes(), &accepted.key, accepted.algorithm) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(TokenError::BadSignature),
        }
        let claims: P = read_object(claims).ok_or(TokenError::Claims)?;
        check_registered(claims.registered(), &self.issuer, P::LONGEST_LIFE)?;
        if accepted.only_for.as_ref().is_some_and(|tenant| claims.shared_with() != Some(tenant.as_str())) {
            return Err(TokenError::Audience);
        }
        Ok(claims)
    }
}

/// Exactly the header we write; `crit`, `jwk`, `jku`, `x5c` and whatever comes next are refused by not being here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenHeader {
    alg: String,
    typ: String,
    kid: String,
}

fn check_registered(claims: &Registered, issuer: &str, longest: SignedDuration) -> Result<(), TokenError> {
    if claims.sub.is_empty() || claims.jti.is_empty() || claims.aud.is_empty() {
        return Err(TokenError::Claims);
    }
    if claims.iss != issuer {
        return Err(TokenError::Issuer);
    }
    let life_s = claims.exp.saturating_sub(claims.iat);
    if life_s <= 0 || claims.nbf < claims.iat {
        return Err(TokenError::Claims);
    }
    if life_s > longest.as_secs() {
        return Err(TokenError::Lifetime);
    }
    Ok(())
}

fn check_times(claims: &Registered, now: Timestamp) -> Result<(), TokenError> {
    let now_s = now.as_second();
    if now_s >= claims.exp.saturating_add(LEEWAY_S) {
        return Err(TokenError::Expired);
    }
    if now_s.saturating_add(LEEWAY_S) < claims.nbf {
        return Err(TokenError::NotYetValid);
    }
    Ok(())
}

/// Reads one base64url part as a JSON object. An array is refused by its first byte: serde would take it for a struct.
fn read_object<T: DeserializeOwned>(part: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    if bytes.first() != Some(&b'{') {
        return None;
    }
    serde_json::from_slice(&bytes).ok()
}
