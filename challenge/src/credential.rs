//! An enrolled device key, as far as the transitions need to know it.

use serde::{Deserialize, Serialize};

use crate::id::{CredentialId, TenantId, UserId};
use crate::keys::DeviceKey;

/// A device key and whose it is, read from the store in the transaction that makes the transition: a key revoked a
/// moment ago must not decide (T-21).
#[derive(Clone)]
pub struct Credential {
    /// Its name (`userAuthenticatorId`).
    pub id: CredentialId,
    /// The tenant it was enrolled in.
    pub tenant: TenantId,
    /// The user it speaks for.
    pub user: UserId,
    /// The public key.
    pub key: DeviceKey,
    /// What kind of signer it was enrolled as.
    pub platform: Platform,
    /// Whether it may still sign.
    pub status: CredentialStatus,
    /// What enrolment proved about the key.
    pub protection: KeyProtection,
}

/// The kind of signer, as told at enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Secure Enclave: signs with a fresh random nonce every time.
    Ios,
    /// Android Keystore: signs with a fresh random nonce every time.
    Android,
    /// A browser or any other program; it may sign deterministically (RFC 6979), so equal signatures prove no replay.
    Other,
}

impl Platform {
    /// Reads `devicePlatform`; anything but `ios` and `android` is [`Platform::Other`].
    pub fn from_wire(text: &str) -> Self {
        match text {
            "ios" => Self::Ios,
            "android" => Self::Android,
            _ => Self::Other,
        }
    }

    /// Whether two honest signatures never share their `r`.
    pub fn randomises_signatures(self) -> bool {
        match self {
            Self::Ios | Self::Android => true,
            Self::Other => false,
        }
    }
}

/// Whether a credential may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialStatus {
    /// It may.
    Active,
    /// Removed by its user or an administrator; it never may again.
    Revoked,
}

/// What an attestation checked at enrolment says about the key; a boolean sent by the phone says nothing (T-26).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyProtection {
    /// Nothing was proven.
    Unattested,
    /// The key lives in secure hardware; `unlock` says what the hardware asks for before it signs.
    Hardware {
        /// What the user must do for each signature.
        unlock: Unlock,
    },
}

/// What secure hardware asks of the user before it signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Unlock {
    /// Nothing: possession only.
    Nothing,
    /// A PIN or passcode.
    Pin,
    /// A fingerprint or face.
    Biometric,
    /// Either, as the owner of the phone likes. Which it was is not told.
    PinOrBiometric,
}
