use std::path::PathBuf;

use serde::Deserialize;

/// `[tenants.<id>.attestation]`: what a phone's maker must say of a new key, and whom to believe.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AttestationConfig {
    /// What evidence is for.
    pub policy: AttestationPolicy,
    /// The Android apps that may make keys, by their package names.
    pub android_packages: Vec<String>,
    /// SHA-256, in hexadecimal, of the certificates that may have signed them; empty for any.
    pub android_signers: Vec<String>,
    /// Whether the certificates that were put into a phone at the factory may have expired. Nothing can renew them.
    pub android_expired_factory_keys: bool,
    /// PEM files of roots that are believed beside Google's pinned ones.
    pub android_more_roots: Vec<PathBuf>,
    /// A copy of Google's attestation status list, which the operator refreshes.
    pub android_revoked: Option<PathBuf>,
    /// The iOS apps, as `<team>.<bundle>`.
    pub apple_apps: Vec<String>,
    /// PEM files of roots that are believed beside Apple's pinned one.
    pub apple_more_roots: Vec<PathBuf>,
    /// Whether builds for developers count.
    pub apple_development: bool,
    /// The keys of the Play Console with which Play Integrity's tokens for `android_packages` are read.
    pub play: Option<PlayConfig>,
    /// Whether only a key whose hardware asks for a PIN, a finger or a face before each signature confirms what is of the
    /// level `biometric`.
    pub biometric_is_proven: bool,
}

/// What evidence of a phone's maker is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttestationPolicy {
    /// It is not looked at.
    #[default]
    None,
    /// What it proves counts and is written down, as is why it proves nothing. A phone without it is as welcome.
    Record,
    /// A key without evidence that names it is not enrolled.
    Require,
}

/// Files that hold one key each, in base64; nobody else may read the first.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlayConfig {
    /// The decryption key.
    pub decryption_key_file: PathBuf,
    /// The verification key.
    pub verification_key_file: PathBuf,
}
