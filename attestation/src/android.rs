//! Android Key Attestation: a keystore describes the very key that will sign, and the phone's maker vouches for the keystore.
//!
//! <https://developer.android.com/privacy-and-security/security-key-attestation>. Where Google's own verifier is more lenient
//! than RFC 5280, and why, is said at each place.

use jiff::Timestamp;
use serde::Serialize;

use crate::Refusal;
use crate::description::{Authorizations, KeyDescription};
use crate::path::{self, Anchors, Strictness};
use crate::revocation::Revoked;

/// The extension that describes a key.
const KEY_DESCRIPTION: &str = "1.3.6.1.4.1.11129.2.1.17";
/// The extension of keys that Google gives to a phone for weeks; keys without it are the factory's, for the phone's life.
const PROVISIONING_INFO: &str = "1.3.6.1.4.1.11129.2.1.30";

/// Whom to trust, and which apps.
#[derive(Debug, Clone)]
pub struct AndroidRules {
    /// The roots.
    pub anchors: Anchors,
    /// What was called back.
    pub revoked: Revoked,
    /// The package names that may make keys; empty for any.
    pub packages: Vec<String>,
    /// SHA-256 of the certificates that may have signed the app; empty for any.
    pub signers: Vec<[u8; 32]>,
    /// Whether the authorities that were put into a phone at the factory may have expired. Nothing can renew them.
    pub expired_factory_keys: bool,
}

impl AndroidRules {
    /// Any app, under these roots.
    pub fn trusting(anchors: Anchors) -> AndroidRules {
        AndroidRules {
            anchors,
            revoked: Revoked::default(),
            packages: Vec::new(),
            signers: Vec::new(),
            expired_factory_keys: false,
        }
    }
}

/// Where a key lives, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecurityLevel {
    /// In the operating system.
    Software,
    /// In a part of the processor that the operating system cannot enter.
    TrustedEnvironment,
    /// In a chip of its own.
    StrongBox,
}

/// What the hardware asks of the user before each signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UserVerification {
    /// Nothing, or an unlocking that may be a while ago.
    Nothing,
    /// The PIN, pattern or password of the phone.
    Pin,
    /// A fingerprint or face.
    Biometric,
    /// Either.
    PinOrBiometric,
}

/// What is proven of a key: it lives in hardware, was made there, and signs with ECDSA P-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyFacts {
    /// Where it lives: what is weaker of the key's place and that of who describes it.
    pub level: SecurityLevel,
    /// What is asked before it signs.
    pub verification: UserVerification,
    /// `YYYYMM` of the system's last security update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch_level: Option<u32>,
    /// The packages that share the key's owner, as the system says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// The version of the description.
    pub version: u32,
}

/// Judges a chain of DER certificates, leaf first. `key` is the SubjectPublicKeyInfo of the credential, `challenge` the hash of
/// the message that enrols it.
pub fn verify(
    chain: &[Vec<u8>],
    key: &[u8],
    challenge: &[u8],
    rules: &AndroidRules,
    now: Timestamp,
) -> Result<KeyFacts, Refusal> {
    let chain = path::read(chain)?;
    let (leaf, authorities) = chain.split_first().ok_or(Refusal::Malformed)?;
    let of_the_factory = authorities.first().is_some_and(|link| link.extension(PROVISIONING_INFO).is_none());
    let strictness =
        if of_the_factory && rules.expired_factory_keys { Strictness::Factory } else { Strictness::Keystore };
    path::judge(&chain, &rules.anchors, &rules.revoked, strictness, now)?;
    // A key that was attested could sign a certificate that says more of another key. Such a chain has two descriptions.
    if authorities.iter().any(|link| link.extension(KEY_DESCRIPTION).is_some()) {
        return Err(Refusal::ExtendedChain);
    }
    if leaf.key != key {
        return Err(Refusal::OtherKey);
    }
    let description = KeyDescription::read(leaf.extension(KEY_DESCRIPTION).ok_or(Refusal::NoDescription)?)?;
    if description.challenge != challenge {
        return Err(Refusal::WrongChallenge);
    }
    judge(description, rules)
}

const PURPOSE_SIGN: u32 = 2;
const PURPOSE_VERIFY: u32 = 3;
const ALGORITHM_EC: u32 = 3;
const CURVE_P256: u32 = 1;
const ORIGIN_GENERATED: u32 = 0;
const BOOT_VERIFIED: u32 = 0;

/// Only what the hardware enforces counts; the rest is the operating system's word.
fn judge(description: KeyDescription, rules: &AndroidRules) -> Result<KeyFacts, Refusal> {
    let level = description.attestation_level.min(description.key_level);
    if level == SecurityLevel::Software {
        return Err(Refusal::SoftwareKey);
    }
    let hardware = &description.hardware;
    // Verifying needs no private key, and old keystores list it with signing.
    let signs = hardware.purposes.contains(&PURPOSE_SIGN);
    let only_signs = hardware.purposes.iter().all(|purpose| [PURPOSE_SIGN, PURPOSE_VERIFY].contains(purpose));
    // The first versions do not name the curve; the key itself was compared.
    let curve_fits = hardware.curve.is_none_or(|curve| curve == CURVE_P256);
    if !signs || !only_signs || hardware.algorithm != Some(ALGORITHM_EC) || !curve_fits {
        return Err(Refusal::WrongPurpose);
    }
    if hardware.origin != Some(ORIGIN_GENERATED) {
        return Err(Refusal::NotGenerated);
    }
    if hardware.root_of_trust.as_ref().is_some_and(|root| root.state != BOOT_VERIFIED || !root.locked) {
        return Err(Refusal::UnverifiedBoot);
    }
    let (verification, patch_level) = (verification(hardware), hardware.os_patch_level);
    let application = description.software.application.or(description.hardware.application).unwrap_or_default();
    let known = rules.packages.is_empty() || application.packages.iter().any(|name| rules.packages.contains(name));
    let signed = rules.signers.is_empty()
        || application.signers.iter().any(|signer| rules.signers.iter().any(|known| known.as_slice() == signer));
    if !known || !signed {
        return Err(Refusal::OtherApp);
    }
    Ok(KeyFacts { level, verification, patch_level, packages: application.packages, version: description.version })
}

/// A key that stays usable for a while after an unlocking, or while the phone is carried, proves nothing of the one signature.
fn verification(hardware: &Authorizations) -> UserVerification {
    const PASSWORD: u32 = 1;
    const FINGERPRINT: u32 = 2;
    let lasts = hardware.auth_timeout_s.is_some_and(|seconds| seconds > 0) || hardware.while_on_body;
    let Some(kinds) = hardware.user_auth_type.filter(|_| !hardware.no_auth_required && !lasts) else {
        return UserVerification::Nothing;
    };
    match (kinds & PASSWORD != 0, kinds & FINGERPRINT != 0) {
        (false, false) => UserVerification::Nothing,
        (true, false) => UserVerification::Pin,
        (false, true) => UserVerification::Biometric,
        (true, true) => UserVerification::PinOrBiometric,
    }
}
