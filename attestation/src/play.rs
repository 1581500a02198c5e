//! Google's Play Integrity: Google says that a copy of an app that it knows runs on a phone that it knows, and asked it to vouch
//! for a text.
//!
//! <https://developer.android.com/google/play/integrity/classic#decrypt-verify>. Tokens are encrypted to keys that the operator
//! takes from the Play Console; without them only Google can read a token, and we ask nobody. As with Apple's, nothing is said
//! of the credential's key but what is in the text.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use x509_cert::der::Decode as _;

use crate::Refusal;

/// Real tokens have two to three KiB.
const MOST_BYTES: usize = 16 * 1024;
/// How far the clocks of Google and ours may be apart, with the way of the token between them.
const FRESH: SignedDuration = SignedDuration::from_mins(10);

/// The keys of an app in the Play Console, as it shows them.
#[derive(Clone)]
pub struct PlayKeys {
    decryption: [u8; 32],
    /// `04 ‖ x ‖ y`
    verification: Vec<u8>,
}

/// A key is not what the Play Console shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlayKeyError {
    /// The decryption key.
    #[error("the decryption key is not the base64 of 32 bytes")]
    Decryption,
    /// The verification key.
    #[error("the verification key is not the base64 of a P-256 public key")]
    Verification,
}

impl PlayKeys {
    /// Reads both keys in standard base64.
    pub fn from_base64(decryption: &str, verification: &str) -> Result<PlayKeys, PlayKeyError> {
        let decryption = STANDARD.decode(decryption.trim()).ok().and_then(|bytes| bytes.try_into().ok());
        let decryption = decryption.ok_or(PlayKeyError::Decryption)?;
        let spki = STANDARD.decode(verification.trim()).map_err(|_| PlayKeyError::Verification)?;
        let key = x509_cert::spki::SubjectPublicKeyInfoRef::from_der(&spki).map_err(|_| PlayKeyError::Verification)?;
        let verification = key.subject_public_key.raw_bytes().to_vec();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &verification)
            .parse()
            .map_err(|_| PlayKeyError::Verification)?;
        Ok(PlayKeys { decryption, verification })
    }
}

/// Which apps, and how to read what is said of them.
#[derive(Clone)]
pub struct PlayRules {
    /// The keys.
    pub keys: PlayKeys,
    /// The package names; none vouches if there is none.
    pub packages: Vec<String>,
}

/// What is proven: which app vouches, and what Google says of the phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlayFacts {
    /// Which of the packages.
    pub app: String,
    /// Google's verdicts.
    pub device: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verdict {
    request_details: RequestDetails,
    app_integrity: AppIntegrity,
    device_integrity: DeviceIntegrity,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestDetails {
    request_package_name: String,
    /// Of a classic request: base64, url-safe, perhaps padded.
    nonce: Option<String>,
    /// Of a standard request: what the app said, as it is.
    request_hash: Option<String>,
    /// Milliseconds, as text.
    timestamp_millis: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AppIntegrity {
    app_recognition_verdict: String,
    package_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceIntegrity {
    #[serde(default)]
    device_recognition_verdict: Vec<String>,
}

/// Judges a token. `expected` is the text that the app must have had vouched for: base64url without padding.
pub fn verify(token: &str, expected: &str, rules: &PlayRules, now: Timestamp) -> Result<PlayFacts, Refusal> {
    if token.len() > MOST_BYTES {
        return Err(Refusal::TooLarge);
    }
    let signed = decrypt(token, &rules.keys.decryption)?;
    let payload = verified(&signed, &rules.keys.verification)?;
    let verdict: Verdict = serde_json::from_slice(&payload).map_err(|_| Refusal::Malformed)?;
    let details = verdict.request_details;

    let asked = details.nonce.as_deref().or(details.request_hash.as_deref()).ok_or(Refusal::Malformed)?;
    if asked.trim_end_matches('=') != expected {
        return Err(Refusal::WrongChallenge);
    }
    let at = details.timestamp_millis.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    if at.ok_or(Refusal::Malformed)?.duration_since(now).abs() > FRESH {
        return Err(Refusal::NotFresh);
    }
    let app = verdict.app_integrity;
    let known = |name: &String| rules.packages.contains(name);
    if !known(&details.request_package_name) || app.package_name.as_ref().is_some_and(|name| !known(name)) {
        return Err(Refusal::OtherApp);
    }
    let device = verdict.device_integrity.device_recognition_verdict;
    let genuine = ["MEETS_DEVICE_INTEGRITY", "MEETS_STRONG_INTEGRITY"];
    if app.app_recognition_verdict != "PLAY_RECOGNIZED" || !device.iter().any(|word| genuine.contains(&word.as_str())) {
        return Err(Refusal::NotRecognised);
    }
    Ok(PlayFacts { app: details.request_package_name, device })
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    enc: Option<String>,
}

fn decoded(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)
}

fn header(part: &str) -> Result<Header, Refusal> {
    serde_json::from_slice(&decoded(part)?).map_err(|_| Refusal::Malformed)
}

/// A JWE of A256KW and A256GCM (RFC 7516 §5.2), nothing else.
fn decrypt(token: &str, key: &[u8; 32]) -> Result<String, Refusal> {
    let parts: Vec<&str> = token.split('.').collect();
    let [head, wrapped, iv, text, tag] = parts.as_slice() else { return Err(Refusal::Malformed) };
    let Header { alg, enc } = header(head)?;
    if (alg.as_str(), enc.as_deref()) != ("A256KW", Some("A256GCM")) {
        return Err(Refusal::WrongFormat);
    }
    let failed = |_| Refusal::BadSignature;
    let kek = AesKek::new(&AES_256, key).map_err(failed)?;
    let mut content_key = [0; 40];
    let content_key = kek.unwrap(&decoded(wrapped)?, &mut content_key).map_err(failed)?;
    let content_key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, content_key).map_err(failed)?);
    let nonce = Nonce::try_assume_unique_for_key(&decoded(iv)?).map_err(failed)?;
    let mut sealed = decoded(text)?;
    sealed.extend(decoded(tag)?);
    let opened = content_key.open_in_place(nonce, Aad::from(head.as_bytes()), &mut sealed).map_err(failed)?;
    String::from_utf8(opened.to_vec()).map_err(|_| Refusal::Malformed)
}

/// The payload of a JWS of ES256.
fn verified(signed: &str, key: &[u8]) -> Result<Vec<u8>, Refusal> {
    let parts: Vec<&str> = signed.split('.').collect();
    let [head, payload, signature] = parts.as_slice() else { return Err(Refusal::Malformed) };
    if header(head)?.alg != "ES256" {
        return Err(Refusal::WrongFormat);
    }
    let message = format!("{head}.{payload}");
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
        .verify(message.as_bytes(), &decoded(signature)?)
        .map_err(|_| Refusal::BadSignature)?;
    decoded(payload)
}
