//! The server's token keys: one signs, several verify while they rotate.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::Serialize;

use super::Purpose;
use crate::id::KeyId;
use crate::keys::sha256;

/// One ES256 key pair. It has no `Debug`.
pub struct SigningKey {
    private: EncodingKey,
    public: VerificationKey,
}

/// The public half of a token key, named by its RFC 7638 thumbprint so that no two keys share a name.
#[derive(Clone)]
pub struct VerificationKey {
    pub(super) kid: KeyId,
    /// `04 ‖ x ‖ y`.
    pub(super) decoding: DecodingKey,
    x: String,
    y: String,
}

/// Why a set of keys cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not an unencrypted PKCS#8 P-256 private key.
    #[error("the signing key is not an unencrypted P-256 key in PKCS#8")]
    NotP256,
    /// The same key is given twice.
    #[error("the signing key `{0}` is given twice")]
    Twice(KeyId),
    /// Signing itself failed.
    #[error("the token could not be signed")]
    Signing,
}

impl SigningKey {
    /// Reads an unencrypted PKCS#8 P-256 key in DER.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeySetError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(|_| KeySetError::NotP256)?;
        let public = VerificationKey::from_point(pair.public_key().as_ref()).ok_or(KeySetError::NotP256)?;
        Ok(Self { private: EncodingKey::from_ec_der(der), public })
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
        Some(Self { kid, decoding: DecodingKey::from_ec_der(point), x, y })
    }

    /// Its name.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }
}

/// The active key and the others that are published: the next one before its first use, the last one until its tokens
/// are over.
pub struct SigningKeys {
    active: SigningKey,
    others: Vec<VerificationKey>,
}

impl SigningKeys {
    /// Signs with `active`, publishes and accepts `others` too.
    pub fn new(active: SigningKey, others: Vec<VerificationKey>) -> Result<Self, KeySetError> {
        let mut seen = vec![active.kid().clone()];
        for other in &others {
            if seen.contains(&other.kid) {
                return Err(KeySetError::Twice(other.kid.clone()));
            }
            seen.push(other.kid.clone());
        }
        Ok(Self { active, others })
    }

    /// Every key that verifies, the active one first.
    pub fn public(&self) -> impl Iterator<Item = &VerificationKey> {
        std::iter::once(&self.active.public).chain(&self.others)
    }

    /// Signs claims as a compact JWS with `typ`, `alg` and `kid` in its header. The only error is a failing library.
    pub fn sign<P: Purpose>(&self, claims: &P) -> Result<String, KeySetError> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(P::TYP.to_owned());
        header.kid = Some(self.active.kid().to_string());
        jsonwebtoken::encode(&header, claims, &self.active.private).map_err(|_| KeySetError::Signing)
    }

    /// The JWKS text (RFC 7517) with every public key.
    pub fn jwks(&self) -> String {
        let keys: Vec<_> = self
            .public()
            .map(|key| Jwk {
                kty: "EC",
                crv: "P-256",
                alg: "ES256",
                usage: "sig",
                kid: key.kid.as_str(),
                x: &key.x,
                y: &key.y,
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
    y: &'a str,
}
