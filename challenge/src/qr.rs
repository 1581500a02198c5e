//! What the QR holds.
//!
//! Stock apps expect the bare challenge id. Our page shows a URL that opens the phone page; its strong form carries
//! bytes signed by the server's QR key, which a phone checks before any network call, and a code that rolls every 15
//! seconds, so that a photograph is worthless after 30 (T-02). Neither stops the relay of a live screen, and we do not
//! say so.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use crate::id::{ChallengeId, InvalidId, Issuer, decode_exactly};

/// What a stock app scans.
pub fn compat_text(challenge: &ChallengeId) -> String {
    challenge.to_string()
}

/// A URL that opens our phone page on the challenge. The id is in the fragment, which browsers do not send.
pub fn page_url(public_url: &Issuer, challenge: &ChallengeId) -> String {
    format!("{}/authenticator#c={challenge}", public_url.as_str().trim_end_matches('/'))
}

/// How long one code stays on the screen, in seconds.
pub const STEP_S: i64 = 15;
const VERSION: u8 = 1;
const SIGNED_LEN: usize = 23;
const STATIC_LEN: usize = SIGNED_LEN + 64;
/// Length of the whole payload in bytes; 130 characters of base64url.
pub const PAYLOAD_LEN: usize = STATIC_LEN + 2 + 8;

/// The secret that one challenge's codes come from.
#[derive(Clone)]
pub struct RollingKey([u8; 32]);

impl RollingKey {
    /// Derives it from the server's 32-byte master secret, so that no challenge needs a secret of its own in the store.
    pub fn derive(master: &[u8; 32], challenge: &ChallengeId) -> Self {
        let mut purpose = b"stepup/qr/v1\n".to_vec();
        purpose.extend(challenge.as_bytes());
        Self(hmac_sha256(master, &purpose))
    }

    /// The code of one step: the first 8 bytes of HMAC-SHA-256 over the step, big-endian.
    pub fn code(&self, step: u16) -> RollingCode {
        let [a, b, c, d, e, f, g, h, ..] = hmac_sha256(&self.0, &step.to_be_bytes());
        RollingCode([a, b, c, d, e, f, g, h])
    }

    /// Accepts the code of the current step and the one before.
    pub fn check(&self, code: &RollingCode, created_at: Timestamp, now: Timestamp) -> Result<(), StaleQr> {
        let step = step_at(created_at, now);
        let current = verify_slices_are_equal(&self.code(step).0, &code.0).is_ok();
        let previous =
            step.checked_sub(1).is_some_and(|step| verify_slices_are_equal(&self.code(step).0, &code.0).is_ok());
        if current || previous { Ok(()) } else { Err(StaleQr) }
    }
}

fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    for (to, from) in out.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    out
}

/// The step on the screen at `now`: whole 15-second steps since the challenge was made.
pub fn step_at(created_at: Timestamp, now: Timestamp) -> u16 {
    let elapsed_s = now.duration_since(created_at).as_secs().max(0);
    u16::try_from(elapsed_s / STEP_S).unwrap_or(u16::MAX)
}

/// Eight bytes that prove the QR was on a screen just now.
#[derive(Clone, PartialEq, Eq)]
pub struct RollingCode([u8; 8]);

impl RollingCode {
    /// Reads 11 characters of base64url.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        decode_exactly(text).map(Self).ok_or(InvalidId { what: "qr code" })
    }

    /// The text for the signed claim message.
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

/// The scanned code was on the screen too long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the scanned code is too old, scan the screen again")]
pub struct StaleQr;

/// The server's Ed25519 key for QR codes, used for nothing else.
pub struct QrSigningKey {
    kid: u8,
    pair: Ed25519KeyPair,
}

impl QrSigningKey {
    /// Reads an unencrypted PKCS#8 Ed25519 key; `kid` tells phones which of the pinned keys it is.
    pub fn from_pkcs8(kid: u8, der: &[u8]) -> Result<Self, QrError> {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(|pair| Self { kid, pair }).map_err(|_| QrError::Key)
    }

    /// What phones pin at enrolment.
    pub fn public(&self) -> QrPublicKey {
        QrPublicKey { kid: self.kid, bytes: self.pair.public_key().as_ref().to_vec() }
    }

    /// Signs the part that stays the same for the challenge's whole life.
    pub fn sign(&self, challenge: &ChallengeId, expires_at: Timestamp, flags: u8) -> Result<StaticPart, QrError> {
        let expires_s = u32::try_from(expires_at.as_second()).map_err(|_| QrError::Expiry)?;
        let mut bytes = Vec::with_capacity(PAYLOAD_LEN);
        bytes.extend([VERSION, self.kid]);
        bytes.extend(challenge.as_bytes());
        bytes.extend(expires_s.to_be_bytes());
        bytes.push(flags);
        let signature = self.pair.sign(&bytes);
        bytes.extend(signature.as_ref());
        Ok(StaticPart(bytes))
    }
}

/// The signed part of a payload; add a code to get what the QR shows.
pub struct StaticPart(Vec<u8>);

impl StaticPart {
    /// The URL for one step: `{issuer}/q/{payload}`.
    pub fn url(&self, issuer: &Issuer, key: &RollingKey, step: u16) -> String {
        let mut bytes = self.0.clone();
        bytes.extend(step.to_be_bytes());
        bytes.extend(key.code(step).0);
        format!("{}/q/{}", issuer.as_str().trim_end_matches('/'), URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// A QR key as phones pin it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QrPublicKey {
    /// Its number.
    pub kid: u8,
    /// 32 bytes.
    pub bytes: Vec<u8>,
}

/// What a scanned and verified payload says.
pub struct Scanned {
    /// Which challenge.
    pub challenge: ChallengeId,
    /// When it ends, in Unix seconds.
    pub expires_s: u32,
    /// Reserved for the page; signed.
    pub flags: u8,
    /// The step the code belongs to; unsigned, for diagnosis only.
    pub step: u16,
    /// To be sent with the claim.
    pub code: RollingCode,
}

/// Why a scanned text is refused before any network call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QrError {
    /// Not a QR of the pinned issuer.
    #[error("this QR code belongs to another service")]
    OtherIssuer,
    /// The payload is damaged or of another version.
    #[error("this QR code is damaged")]
    Malformed,
    /// Signed with a key that was not pinned.
    #[error("this QR code is signed with an unknown key")]
    UnknownKey,
    /// The signature does not fit.
    #[error("this QR code is forged")]
    BadSignature,
    /// Its time is over.
    #[error("this QR code has expired")]
    Expired,
    /// The signing key is not an Ed25519 key in PKCS#8.
    #[error("the QR signing key is not an Ed25519 key in PKCS#8")]
    Key,
    /// The expiry does not fit 32 bits.
    #[error("the challenge's expiry is out of range")]
    Expiry,
}

/// Reads a scanned URL as the phone must: pinned issuer, pinned key, signature, expiry, in this order.
pub fn verify(url: &str, issuer: &Issuer, pinned: &[QrPublicKey], now: Timestamp) -> Result<Scanned, QrError> {
    let payload = url
        .strip_prefix(issuer.as_str().trim_end_matches('/'))
        .and_then(|rest| rest.strip_prefix("/q/"))
        .ok_or(QrError::OtherIssuer)?;
    let bytes: [u8; PAYLOAD_LEN] = decode_exactly(payload).ok_or(QrError::Malformed)?;
    let (signed, rest) = bytes.split_at(SIGNED_LEN);
    let (signature, rolling) = rest.split_at(STATIC_LEN - SIGNED_LEN);
    let &[version, kid, ref body @ ..] = signed else { return Err(QrError::Malformed) };
    if version != VERSION {
        return Err(QrError::Malformed);
    }
    let key = pinned.iter().find(|key| key.kid == kid).ok_or(QrError::UnknownKey)?;
    UnparsedPublicKey::new(&ED25519, &key.bytes).verify(signed, signature).map_err(|_| QrError::BadSignature)?;
    let (id, body) = body.split_first_chunk::<16>().ok_or(QrError::Malformed)?;
    let (expires, body) = body.split_first_chunk::<4>().ok_or(QrError::Malformed)?;
    let &[flags] = body else { return Err(QrError::Malformed) };
    let (step, code) = rolling.split_first_chunk::<2>().ok_or(QrError::Malformed)?;
    let code: [u8; 8] = code.try_into().map_err(|_| QrError::Malformed)?;
    let expires_s = u32::from_be_bytes(*expires);
    if now.as_second() >= i64::from(expires_s) {
        return Err(QrError::Expired);
    }
    let challenge = ChallengeId::from_random(*id);
    if challenge.as_bytes() != id {
        return Err(QrError::Malformed);
    }
    Ok(Scanned { challenge, expires_s, flags, step: u16::from_be_bytes(*step), code: RollingCode(code) })
}
