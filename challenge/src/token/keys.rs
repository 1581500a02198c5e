//! The server's token keys. They take turns by a schedule: one signs, the next is published before it does, and the last one
//! verifies until its tokens are over. Each is of ES256, or of EdDSA where an operator made one of that. A tenant that asks for
//! it has the wire's HS256 instead.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::Serialize;

use super::Purpose;
use crate::id::{KeyId, TenantId};
use crate::keys::sha256;

/// How long a key is published and accepted after its successor began to sign: the longest life of any token, and a day.
pub const KEPT_AFTER: SignedDuration = SignedDuration::from_hours(25);

/// The shortest HMAC secret in bytes: that of the hash's output (RFC 7518 §3.2, RFC 8725 §3.5).
pub const SHORTEST_SHARED_SECRET: usize = 32;

/// One key pair. It has no `Debug`.
pub struct SigningKey {
    private: EncodingKey,
    public: VerificationKey,
}

/// The public half of a token key, named by its RFC 7638 thumbprint so that no two keys share a name.
#[derive(Clone)]
pub struct VerificationKey {
    pub(super) kid: KeyId,
    pub(super) decoding: DecodingKey,
    /// The one algorithm that this key is good for (RFC 8725 §3.1).
    pub(super) algorithm: Algorithm,
    x: String,
    /// An Ed25519 key has none.
    y: Option<String>,
}

/// Why a set of keys cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not an unencrypted PKCS#8 private key on one of the two curves.
    #[error(
        "the signing key is not an unencrypted P-256 or Ed25519 key in PKCS#8 (Ed25519 in version 2, with its public half)"
    )]
    Unusable,
    /// The same key is given twice.
    #[error("the signing key `{0}` is given twice")]
    Twice(KeyId),
    /// Two keys would begin to sign at the same time.
    #[error("two signing keys begin at {0}")]
    SameTime(Timestamp),
    /// An HMAC secret that could be guessed.
    #[error("an HS256 secret must have at least {SHORTEST_SHARED_SECRET} bytes")]
    ShortSecret,
    /// A tenant with two HMAC secrets.
    #[error("the tenant `{0}` has two HS256 secrets")]
    SharedTwice(TenantId),
    /// Signing itself failed.
    #[error("the token could not be signed")]
    Signing,
}

impl SigningKey {
    /// Reads an unencrypted PKCS#8 key in DER: P-256 for ES256, or Ed25519 with its public half (RFC 8410 §7) for EdDSA.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeySetError> {
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            let public = VerificationKey::from_point(pair.public_key().as_ref()).ok_or(KeySetError::Unusable)?;
            return Ok(Self { private: EncodingKey::from_ec_der(der), public });
        }
        let pair = Ed25519KeyPair::from_pkcs8(der).map_err(|_| KeySetError::Unusable)?;
        let public = VerificationKey::from_ed25519(pair.public_key().as_ref()).ok_or(KeySetError::Unusable)?;
        Ok(Self { private: EncodingKey::from_ed_der(der), public })
    }

    /// Its name.
    pub fn kid(&self) -> &KeyId {
        &self.public.kid
    }

    /// What verifies its tokens.
    pub fn public(&self) -> &VerificationKey {
        &self.public
    }
}

impl VerificationKey {
    fn from_point(point: &[u8]) -> Option<Self> {
        let point: &[u8; 65] = point.try_into().ok()?;
        let (&[_], coordinates) = point.split_first_chunk::<1>()?;
        let (x, y) = coordinates.split_at_checked(32)?;
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        // RFC 7638 §3.2: the required members in alphabetical order, without white space.
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let kid = KeyId::parse(URL_SAFE_NO_PAD.encode(sha256(canonical.as_bytes()))).ok()?;
        Some(Self { kid, decoding: DecodingKey::from_ec_der(point), algorithm: Algorithm::ES256, x, y: Some(y) })
    }

    fn from_ed25519(public: &[u8]) -> Option<Self> {
        let public: &[u8; 32] = public.try_into().ok()?;
        let x = URL_SAFE_NO_PAD.encode(public);
        // RFC 8037 §2 and A.3.
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let kid = KeyId::parse(URL_SAFE_NO_PAD.encode(sha256(canonical.as_bytes()))).ok()?;
        Some(Self { kid, decoding: DecodingKey::from_ed_der(public), algorithm: Algorithm::EdDSA, x, y: None })
    }

    /// Its algorithm in the words of RFC 7518 and RFC 8037: `ES256`, `EdDSA`.
    pub fn algorithm(&self) -> &'static str {
        match self.y {
            Some(_) => "ES256",
            None => "EdDSA",
        }
    }

    /// Its name.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }
}

/// The HS256 secret of one tenant, who verifies its own tokens with it. It has no `Debug`.
///
/// Whoever verifies with it can also sign with it: a token under it is never taken for another tenant's.
pub struct SharedKey {
    pub(super) tenant: TenantId,
    pub(super) kid: KeyId,
    private: EncodingKey,
    pub(super) decoding: DecodingKey,
}

impl SharedKey {
    /// Takes the tenant's secret.
    pub fn new(tenant: TenantId, secret: &[u8]) -> Result<Self, KeySetError> {
        if secret.len() < SHORTEST_SHARED_SECRET {
            return Err(KeySetError::ShortSecret);
        }
        // Named after the tenant and not after the secret, of which a name would give something away.
        let name = format!("hs256-{}", URL_SAFE_NO_PAD.encode(sha256(tenant.as_str().as_bytes())));
        let kid = KeyId::parse(name).map_err(|_| KeySetError::ShortSecret)?;
        Ok(Self { tenant, kid, private: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret) })
    }
}

/// The keys that sign tokens: one after the other, each from its time on.
pub struct SigningKeys {
    first: SigningKey,
    /// Ascending by the time from which they sign.
    successors: Vec<(Timestamp, SigningKey)>,
    shared: Vec<SharedKey>,
}

/// One key of a schedule.
pub struct Turn<'a> {
    /// The key.
    pub key: &'a SigningKey,
    /// From when it signs; `None` for the first.
    pub from: Option<Timestamp>,
    /// From when its successor signs, if it has one.
    pub until: Option<Timestamp>,
}

impl Turn<'_> {
    /// From when it is neither published nor accepted.
    pub fn retires_at(&self) -> Option<Timestamp> {
        self.until.map(|until| until.saturating_add(KEPT_AFTER).unwrap_or(Timestamp::MAX))
    }

    /// Whether it signs at this time.
    pub fn signs(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// Whether it is published and accepted at this time; a key that is yet to sign is.
    pub fn is_published(&self, at: Timestamp) -> bool {
        self.retires_at().is_none_or(|end| at < end)
    }
}

impl SigningKeys {
    /// Signs with `first` until the earliest of `successors` begins, and so on.
    pub fn new(first: SigningKey, mut successors: Vec<(Timestamp, SigningKey)>) -> Result<Self, KeySetError> {
        successors.sort_by_key(|(from, _)| *from);
        let mut seen = vec![first.kid().clone()];
        let mut last = None;
        for (from, key) in &successors {
            if seen.contains(key.kid()) {
                return Err(KeySetError::Twice(key.kid().clone()));
            }
            if last == Some(*from) {
                return Err(KeySetError::SameTime(*from));
            }
            seen.push(key.kid().clone());
            last = Some(*from);
        }
        Ok(Self { first, successors, shared: Vec::new() })
    }

    /// Signs the tokens of some tenants with their own HS256 secrets instead.
    pub fn with_shared(mut self, shared: Vec<SharedKey>) -> Result<Self, KeySetError> {
        for (index, key) in shared.iter().enumerate() {
            if shared.iter().take(index).any(|other| other.tenant == key.tenant) {
                return Err(KeySetError::SharedTwice(key.tenant.clone()));
            }
        }
        self.shared = shared;
        Ok(self)
    }

    /// The keys in the order of their turns.
    pub fn turns(&self) -> impl Iterator<Item = Turn<'_>> {
        let keys = std::iter::once((None, &self.first)).chain(self.successors.iter().map(|(at, key)| (Some(*at), key)));
        let ends = self.successors.iter().map(|(at, _)| Some(*at)).chain(std::iter::once(None));
        keys.zip(ends).map(|((from, key), until)| Turn { key, from, until })
    }

    pub(super) fn shared(&self) -> &[SharedKey] {
        &self.shared
    }

    /// The key that signs at this time.
    pub fn active(&self, at: Timestamp) -> &SigningKey {
        self.successors.iter().rev().find(|(from, _)| *from <= at).map_or(&self.first, |(_, key)| key)
    }

    /// Every public key that verifies at this time.
    pub fn published(&self, at: Timestamp) -> impl Iterator<Item = &VerificationKey> {
        self.turns().filter(move |turn| turn.is_published(at)).map(|turn| &turn.key.public)
    }

    /// Signs claims as a compact JWS with `typ`, `alg` and `kid` in its header, with the key whose turn it is at `at`, or
    /// the audience's own. The only error is a failing library.
    pub fn sign<P: Purpose>(&self, claims: &P, at: Timestamp) -> Result<String, KeySetError> {
        let own = claims.shared_with().and_then(|aud| self.shared.iter().find(|key| key.tenant.as_str() == aud));
        let (algorithm, kid, private) = match own {
            Some(key) => (Algorithm::HS256, &key.kid, &key.private),
            None => {
                let key = self.active(at);
                (key.public.algorithm, key.kid(), &key.private)
            }
        };
        let mut header = Header::new(algorithm);
        header.typ = Some(P::TYP.to_owned());
        header.kid = Some(kid.to_string());
        jsonwebtoken::encode(&header, claims, private).map_err(|_| KeySetError::Signing)
    }

    /// The JWKS text (RFC 7517) with every public key of this time. HS256 secrets have no public half.
    pub fn jwks(&self, at: Timestamp) -> String {
        let keys: Vec<_> = self
            .published(at)
            .map(|key| {
                let (kty, crv) = if key.y.is_some() { ("EC", "P-256") } else { ("OKP", "Ed25519") };
                let (kid, x, y) = (key.kid.as_str(), &*key.x, key.y.as_deref());
                Jwk { kty, crv, alg: key.algorithm(), usage: "sig", kid, x, y }
            })
            .collect();
        // Strings under fixed names always serialise.
        serde_json::to_string(&Jwks { keys }).unwrap_or_else(|_| r#"{"keys":[]}"#.to_owned())
    }
}

#[derive(Serialize)]
struct Jwks<'a> {
    keys: Vec<Jwk<'a>>,
}

#[derive(Serialize)]
struct Jwk<'a> {
    kty: &'static str,
    crv: &'static str,
    alg: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    kid: &'a str,
    x: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<&'a str>,
}
