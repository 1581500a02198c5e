//! Names and secrets, parsed once at the door.
//!
//! Identifiers print and serialise as their text. Secrets ([`DeviceCode`], [`ClaimNonce`], [`MatchCode`]) do neither:
//! leaving the process is an explicit call, and comparing them takes the same time whatever they hold.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid, Variant};

use crate::keys::sha256;

/// The name of a challenge and the whole text of a compat QR: a version 4 UUID in lower-case hyphenated form.
///
/// The stock phone signs whatever text the QR held, so a challenge id must never look like any other thing a phone
/// might sign. Parsing is the first check on any request (T-14): the removal window `2992401.0` is not an id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChallengeId(Uuid);

impl ChallengeId {
    /// Makes an id from 16 random bytes; 122 of their bits survive (RFC 9562 §5.4).
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Reads exactly the text form that [`fmt::Display`] writes; upper case, braces, `urn:` and other versions are refused.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId { what: "challenge id" };
        if text.len() != 36 {
            return Err(invalid);
        }
        let id = Uuid::try_parse(text).map_err(|_| invalid)?;
        let random = id.get_version_num() == 4 && id.get_variant() == Variant::RFC4122;
        if random && id.hyphenated().to_string() == text { Ok(Self(id)) } else { Err(invalid) }
    }

    /// The 16 bytes, as the signed QR carries them.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for ChallengeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for ChallengeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl TryFrom<String> for ChallengeId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::parse(&text)
    }
}

impl From<ChallengeId> for String {
    fn from(id: ChallengeId) -> String {
        id.to_string()
    }
}

/// A text that cannot be the identifier it was offered as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a {what}")]
pub struct InvalidId {
    /// What was expected, for the message: `challenge id`, `tenant id`, …
    pub what: &'static str,
}

impl InvalidId {
    /// The wire's word for it: `invalid_challenge_id`, `invalid_tenant_id`, …
    pub fn code(&self) -> String {
        format!("invalid_{}", self.what.replace(' ', "_"))
    }
}

/// Whether a character may stand in a value of a signed message line: `[A-Za-z0-9._:/@|+=-]`.
pub fn is_line_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._:/@|+=-".contains(c)
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $longest:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Accepts 1 to the allowed number of bytes of allowed characters.
            pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                let allowed: fn(char) -> bool = $allowed;
                if text.is_empty() || text.len() > $longest || !text.chars().all(allowed) {
                    return Err(InvalidId { what: $what });
                }
                Ok(Self(text))
            }

            /// The text as it was parsed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

text_id! {
    /// The tenant a challenge belongs to: 1–128 characters that may stand in a signed line.
    TenantId, "tenant id", 128, is_line_char
}
text_id! {
    /// One enrolled device key (`userAuthenticatorId` on the wire): 1–128 characters that may stand in a signed line.
    CredentialId, "credential id", 128, is_line_char
}
text_id! {
    /// A registered terminal, as its administrator calls it (`kiosk-7`): 1–64 of `[A-Za-z0-9._:-]`.
    TerminalId, "terminal id", 64, |c| c.is_ascii_alphanumeric() || "._:-".contains(c)
}
text_id! {
    /// Who is signing in, paying, …: the backend's own user id, 1–255 bytes without control characters.
    UserId, "user id", 255, |c| !c.is_control()
}
text_id! {
    /// What the user tries to do (`withdrawal`): 1–100 of `[A-Za-z0-9._:-]`.
    ActionCode, "action code", 100, |c| c.is_ascii_alphanumeric() || "._:-".contains(c)
}
text_id! {
    /// One attempt at an action: 1–255 bytes without control characters.
    IdempotencyKey, "idempotency key", 255, |c| !c.is_control()
}
text_id! {
    /// The public base URL that phones pin and tokens name as `iss`: 1–255 characters that may stand in a signed line.
    Issuer, "issuer", 255, is_line_char
}
text_id! {
    /// A key's name in token headers and the JWKS: 1–64 of `[A-Za-z0-9_-]`.
    KeyId, "key id", 64, |c| c.is_ascii_alphanumeric() || "_-".contains(c)
}

/// The 256-bit secret that a polling screen proves itself with (T-18, T-19). Only its hash is stored; it is never in a QR.
pub struct DeviceCode([u8; 32]);

impl DeviceCode {
    /// Takes 32 bytes from a cryptographic generator.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the 43-character base64url text that [`DeviceCode::expose`] wrote.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        decode_exactly(text).map(Self).ok_or(InvalidId { what: "device code" })
    }

    /// The text for the screen that created the challenge, and nobody else.
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What the store keeps.
    pub fn hash(&self) -> DeviceCodeHash {
        DeviceCodeHash(sha256(&self.0))
    }
}

/// SHA-256 of a [`DeviceCode`]: enough to recognise it, useless to poll with.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceCodeHash([u8; 32]);

impl DeviceCodeHash {
    /// Whether `code` is the one that was hashed; takes the same time for every wrong code.
    pub fn matches(&self, code: &DeviceCode) -> bool {
        verify_slices_are_equal(&self.0, &code.hash().0).is_ok()
    }
}

impl fmt::Debug for DeviceCodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceCodeHash(…)")
    }
}

impl TryFrom<String> for DeviceCodeHash {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        decode_exactly(&text).map(Self).ok_or(InvalidId { what: "device code hash" })
    }
}

impl From<DeviceCodeHash> for String {
    fn from(hash: DeviceCodeHash) -> String {
        URL_SAFE_NO_PAD.encode(hash.0)
    }
}

/// 16 bytes handed out with a successful claim; a version 2 answer must repeat them, so that no answer can be prepared
/// before the claim.
#[derive(Clone)]
pub struct ClaimNonce([u8; 16]);

impl ClaimNonce {
    /// Takes 16 bytes from a cryptographic generator.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Reads the 22-character base64url text that [`ClaimNonce::expose`] wrote.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        decode_exactly(text).map(Self).ok_or(InvalidId { what: "claim nonce" })
    }

    /// The text for the claim response, the signed message and the store.
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Constant-time equality.
    pub fn matches(&self, other: &ClaimNonce) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

/// Two to eight digits shown on the screen and typed on the phone.
#[derive(Clone)]
pub struct MatchCode(String);

impl MatchCode {
    /// Accepts 2–8 ASCII digits.
    pub fn parse(digits: &str) -> Result<Self, InvalidId> {
        let right = (2..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if right { Ok(Self(digits.to_owned())) } else { Err(InvalidId { what: "match code" }) }
    }

    /// The digits, for the screen that created the challenge and for the store.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the user typed these digits; constant-time for texts of the right length.
    pub fn matches(&self, typed: &str) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), typed.as_bytes()).is_ok()
    }
}

/// Decodes strict base64url without padding into exactly `N` bytes.
pub(crate) fn decode_exactly<const N: usize>(text: &str) -> Option<[u8; N]> {
    // The longest text we take is far below this; it bounds the work on hostile input.
    if text.len() > 2 * N + 4 {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}
