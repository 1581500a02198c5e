//! Device keys: P-256 points in the one spelling we accept.
//!
//! On the wire a key is the standard base64 of its SubjectPublicKeyInfo DER: always the same 26-byte header followed by
//! the uncompressed point (RFC 5480). Anything else — another curve, explicit parameters, a compressed point, a point off
//! the curve, one byte more — is refused, so equal keys have equal texts and a key can be looked up by its text (T-24).

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::signature::Signature;

/// DER of `SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING (66 bytes, 0 unused) }` up to the point.
const SPKI_HEADER: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Length of a P-256 SPKI in bytes.
pub const SPKI_LEN: usize = 91;

/// The public half of a phone's key. It has no `Debug` and no `Serialize`: whoever knows it can ask whose it is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DeviceKey {
    /// `04 ‖ x ‖ y`, checked to be on the curve.
    point: [u8; 65],
}

/// Why a text or byte string is not a device key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the base64 that this place asks for.
    #[error("the public key is not padded standard base64")]
    Encoding,
    /// Not 91 bytes: another curve, another key type, a compressed point or trailing data.
    #[error("the public key is not the 91-byte SubjectPublicKeyInfo of a P-256 key")]
    Length,
    /// 91 bytes, but not id-ecPublicKey with prime256v1.
    #[error("the public key is not an id-ecPublicKey on curve prime256v1")]
    Algorithm,
    /// The point is not in uncompressed form.
    #[error("the public key's point is not uncompressed")]
    PointFormat,
    /// The coordinates are not a point of the curve.
    #[error("the public key's point is not on curve P-256")]
    OffCurve,
}

impl KeyError {
    /// The wire's word for every unusable key; the message says why.
    pub fn code(&self) -> &'static str {
        "invalid_public_key"
    }
}

impl DeviceKey {
    /// Reads SPKI DER.
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let der: &[u8; SPKI_LEN] = der.try_into().map_err(|_| KeyError::Length)?;
        let point = der.strip_prefix(&SPKI_HEADER).ok_or(KeyError::Algorithm)?;
        let point: [u8; 65] = point.try_into().map_err(|_| KeyError::Length)?;
        if point.first() != Some(&0x04) {
            return Err(KeyError::PointFormat);
        }
        // The library checks the curve equation and the coordinates' range while parsing.
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).parse().map_err(|_| KeyError::OffCurve)?;
        Ok(Self { point })
    }

    /// Reads the `publicKey` of a JSON body: padded standard base64 of the SPKI.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        // 91 bytes are 124 characters; a longer text is refused before any work is done on it.
        if text.len() > 200 {
            return Err(KeyError::Length);
        }
        Self::from_spki(&STANDARD.decode(text).map_err(|_| KeyError::Encoding)?)
    }

    /// Reads the `publicKey` of a query string, where the base64 *text* is encoded once more: by iOS as base64url without
    /// padding, by Android as standard base64 with `==`. Percent-decoding has happened before.
    pub fn from_query(text: &str) -> Result<Self, KeyError> {
        if text.len() > 300 {
            return Err(KeyError::Length);
        }
        // A `+` that went through form decoding arrives as a space.
        let text = text.replace([' ', '-'], "+").replace('_', "/");
        let inner = EITHER_PADDING.decode(text).map_err(|_| KeyError::Encoding)?;
        Self::from_base64(std::str::from_utf8(&inner).map_err(|_| KeyError::Encoding)?)
    }

    /// The SPKI DER, 91 bytes.
    pub fn to_spki(&self) -> [u8; SPKI_LEN] {
        let mut der = [0; SPKI_LEN];
        for (to, from) in der.iter_mut().zip(SPKI_HEADER.iter().chain(&self.point)) {
            *to = *from;
        }
        der
    }

    /// The text that bodies carry and the store looks up: padded standard base64 of the SPKI, 124 characters.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.to_spki())
    }

    /// SHA-256 of the SPKI: names the key in logs and in the enrolment message.
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint(sha256(&self.to_spki()))
    }

    /// Whether this key made `signature` over the SHA-256 of `message`.
    ///
    /// High-s signatures verify, as secure enclaves emit them. The numbers verified are the numbers
    /// [`Signature::r`] compares: the DER text is parsed once, by us.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.point)
            .verify(message, &signature.to_fixed())
            .map_err(|_| BadSignature)
    }
}

const EITHER_PADDING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The signature does not belong to this key and message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not fit the key and the message")]
pub struct BadSignature;

/// SHA-256 of a key's SPKI.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// The digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest as unpadded base64url, 43 characters.
    pub fn to_base64url(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl std::fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Thumbprint({})", self.to_base64url())
    }
}

/// SHA-256 as an array.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(digest::digest(&digest::SHA256, bytes).as_ref()) {
        *to = *from;
    }
    out
}
