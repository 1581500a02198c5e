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

/// The x of keys whose private half is known to everybody: the generator of the curve (SEC 2, §2.4.2; the private key one, or the
/// order less one) and the keys of RFC 6979 A.2.5, RFC 7515 A.3 and RFC 7517 A.1. A point and its negative have one x.
const PUBLISHED: [[u8; 32]; 4] = [
    [
        0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03,
        0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
    ],
    [
        0x60, 0xfe, 0xd4, 0xba, 0x25, 0x5a, 0x9d, 0x31, 0xc9, 0x61, 0xeb, 0x74, 0xc6, 0x35, 0x6d, 0x68, 0xc0, 0x49,
        0xb8, 0x92, 0x3b, 0x61, 0xfa, 0x6c, 0xe6, 0x69, 0x62, 0x2e, 0x60, 0xf2, 0x9f, 0xb6,
    ],
    [
        0x7f, 0xcd, 0xce, 0x27, 0x70, 0xf6, 0xc4, 0x5d, 0x41, 0x83, 0xcb, 0xee, 0x6f, 0xdb, 0x4b, 0x7b, 0x58, 0x07,
        0x33, 0x35, 0x7b, 0xe9, 0xef, 0x13, 0xba, 0xcf, 0x6e, 0x3c, 0x7b, 0xd1, 0x54, 0x45,
    ],
    [
        0x30, 0xa0, 0x42, 0x4c, 0xd2, 0x1c, 0x29, 0x44, 0x83, 0x8a, 0x2d, 0x75, 0xc9, 0x2b, 0x37, 0xe7, 0x6e, 0xa2,
        0x0d, 0x9f, 0x00, 0x89, 0x3a, 0x3b, 0x4e, 0xee, 0x8a, 0x3c, 0x0a, 0xaf, 0xec, 0x3e,
    ],
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
    /// A key out of a standard: everybody can sign with it.
    #[error("the public key is one whose private key is published in a standard: make a key of your own")]
    Published,
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
        if PUBLISHED.iter().any(|x| point.get(1..33) == Some(x.as_slice())) {
            return Err(KeyError::Published);
        }
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
