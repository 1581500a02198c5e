//! The bodies that phones and screens send, read strictly: every wrong field is named.
//!
//! A phone says which version its signatures have: `"version": 2`, or nothing for a stock SDK. Neither is ever tried for
//! the other.

use challenge::keys::DeviceKey;
use challenge::messages::{PhoneNonce, ServerNonce, TerminalNonce, TypedCode};
use challenge::qr::RollingCode;
use challenge::signature::Signature;
use challenge::terminal::{Channel, CreateAttempt, Near};
use challenge::{ActionCode, ChallengeId, CredentialId, Decision, DeviceCode, TerminalId};
use serde_json::{Map, Value};

use crate::challenges::phone::{AnsweredWith, ClaimedWith};
use crate::challenges::refusals;
use crate::error::ApiError;
use crate::json::Fields;
use crate::store::RecoveryPurpose;

type Object = Map<String, Value>;

/// `{challengeId, publicKey, signature}`; version 2 adds `nonce`, `qr` if one was scanned, and `near` if a
/// terminal was heard.
pub struct ClaimBody {
    pub challenge: ChallengeId,
    pub key: DeviceKey,
    pub signature: Signature,
    pub with: ClaimedWith,
}

/// `{challengeId, publicKey, signature, approved, verificationCode?}`.
pub struct AnswerBody {
    pub challenge: ChallengeId,
    pub key: DeviceKey,
    pub signature: Signature,
    pub with: AnsweredWith,
    pub decision: Decision,
    pub code: TypedCode,
}

/// `{publicKey, deviceName, devicePlatform, pushToken?, performAttestation?: {provider, token?, keyId?, chain?}}`; version 2 adds `nonce` and `signature`, and our
/// own phones `recoveryCodes`.
pub struct AddBody {
    pub key: DeviceKey,
    pub device_name: Option<String>,
    pub platform: String,
    pub push_token: Option<String>,
    pub proof: Option<(ServerNonce, Signature)>,
    /// What the phone's maker says of the key; looked at only where the tenant wishes it.
    pub evidence: Option<Object>,
    /// Whether the phone will show recovery codes to the person.
    pub shows_recovery_codes: bool,
}

/// A key that takes itself out.
pub enum RemoveBody {
    /// `{publicKey, signature}`: signed the number of a ten-minute window.
    Compat { key: DeviceKey, signature: Signature },
    /// `{userAuthenticatorId, nonce, signature}`.
    V2 { credential: CredentialId, nonce: ServerNonce, signature: Signature },
}

/// `{verificationCode, purpose?}`
pub struct RecoveryBody {
    pub typed: String,
    pub purpose: RecoveryPurpose,
}

/// `{challengeId, deviceCode}`. What is no device code is a wrong one.
pub struct PollBody {
    pub challenge: Option<ChallengeId>,
    pub device_code: Option<DeviceCode>,
}

/// `{action, custom?, rollingQr?, terminal?}`.
pub struct CreateBody {
    pub action: ActionCode,
    pub custom: Object,
    pub rolling: bool,
    pub terminal: Option<CreateAttempt>,
}

/// What a signature looks like in a body.
const DER: &str = "padded standard base64 of a DER signature";
/// And a nonce of ours.
const OUR_NONCE: &str = "the `nonce` of `POST /v1/client/challenge`";
/// And one that a phone or a terminal makes up.
const OWN_NONCE: &str = "16 random bytes in unpadded base64url";
/// And an action.
pub(super) const ACTION: &str = "an action code of 1 to 100 of the characters A-Z a-z 0-9 . _ : -";
/// And the id of a credential.
const CREDENTIAL: &str = "the `userAuthenticatorId` that the enrolment answered";
/// And a key.
const KEY: &str = "the base64 of the key's SubjectPublicKeyInfo";
/// Where the terminal stands in a screen's wish.
pub const TERMINAL: &str = "/terminal";

/// `{challengeId, publicKey, signature}` of an app; version 2 comes after a claim.
pub struct VerifyBody {
    pub challenge: ChallengeId,
    pub key: DeviceKey,
    pub signature: Signature,
    pub with: AnsweredWith,
}

/// `{challengeId, publicKey, signature, pushToken?, resetExpiry?}`: what a phone says anew about itself.
pub struct UpdateBody {
    pub challenge: ChallengeId,
    pub key: DeviceKey,
    pub signature: Signature,
    pub push_token: Option<String>,
    pub resets_expiry: bool,
}

/// How a phone signs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// As stock SDKs do.
    Compat,
    /// With a purpose, the context and the decision.
    V2,
}

impl ClaimBody {
    /// Reads a claim.
    pub fn read(body: &Object) -> Result<ClaimBody, ApiError> {
        let with = match version(body)? {
            Version::Compat => ClaimedWith::Compat,
            Version::V2 => {
                let nonce = required(body, "nonce", OWN_NONCE, |text| PhoneNonce::parse(text).ok())?;
                let form = "the last 8 bytes of the scanned link in unpadded base64url";
                let code = optional(body, "qr", form, |text| RollingCode::parse(text).ok())?;
                ClaimedWith::V2 { nonce, code, near: near_in(body)? }
            }
        };
        let (challenge, key, signature) = signed_challenge(body)?;
        Ok(ClaimBody { challenge, key, signature, with })
    }
}

impl AnswerBody {
    /// Reads an answer.
    pub fn read(body: &Object) -> Result<AnswerBody, ApiError> {
        let with = answered_with(body)?;
        let mut fields = Fields::of(body);
        let approved = fields.boolean("approved");
        if fields.value("approved").is_none() {
            fields.issue("approved", "missing-field", "this field is required");
        }
        fields.finish()?;
        let code = optional(body, "verificationCode", "at most 8 digits", |text| TypedCode::parse(text).ok())?;
        let (challenge, key, signature) = signed_challenge(body)?;
        let decision = if approved == Some(true) { Decision::Approve } else { Decision::Reject };
        Ok(AnswerBody { challenge, key, signature, with, decision, code: code.unwrap_or_default() })
    }
}

impl AddBody {
    /// Reads a new key.
    pub fn read(body: &Object) -> Result<AddBody, ApiError> {
        let mut fields = Fields::of(body);
        let key = fields.required_text("publicKey", 1024);
        let device_name = fields.text("deviceName", 255);
        let platform = fields.text("devicePlatform", 32).unwrap_or_else(|| "other".to_owned());
        let push_token = fields.text("pushToken", 4096).filter(|token| !token.is_empty());
        let evidence = fields.object("performAttestation").cloned();
        let shows_recovery_codes = fields.boolean("recoveryCodes").unwrap_or(false);
        fields.finish()?;
        let proof = match version(body)? {
            Version::Compat => None,
            Version::V2 => {
                let nonce = required(body, "nonce", OUR_NONCE, |text| ServerNonce::parse(text).ok())?;
                let signature = required(body, "signature", DER, |text| Some(text.to_owned()))?;
                Some((nonce, Signature::from_base64(&signature).map_err(refusals::signature)?))
            }
        };
        let key = DeviceKey::from_base64(&key).map_err(refusals::public_key)?;
        Ok(AddBody { key, device_name, platform, push_token, proof, evidence, shows_recovery_codes })
    }
}

impl VerifyBody {
    /// Reads a proof.
    pub fn read(body: &Object) -> Result<VerifyBody, ApiError> {
        let with = answered_with(body)?;
        let (challenge, key, signature) = signed_challenge(body)?;
        Ok(VerifyBody { challenge, key, signature, with })
    }
}

impl UpdateBody {
    /// Reads an update.
    pub fn read(body: &Object) -> Result<UpdateBody, ApiError> {
        let mut fields = Fields::of(body);
        let push_token = fields.text("pushToken", 4096).filter(|token| !token.is_empty());
        let resets_expiry = fields.boolean("resetExpiry").unwrap_or(false);
        fields.finish()?;
        let (challenge, key, signature) = signed_challenge(body)?;
        Ok(UpdateBody { challenge, key, signature, push_token, resets_expiry })
    }
}

impl RemoveBody {
    /// Reads a removal.
    pub fn read(body: &Object) -> Result<RemoveBody, ApiError> {
        let version = version(body)?;
        let signature = required(body, "signature", DER, |text| Some(text.to_owned()))?;
        let signature = Signature::from_base64(&signature).map_err(refusals::signature)?;
        match version {
            Version::Compat => {
                let key = required(body, "publicKey", KEY, |text| Some(text.to_owned()))?;
                let key = DeviceKey::from_base64(&key).map_err(refusals::public_key)?;
                Ok(RemoveBody::Compat { key, signature })
            }
            Version::V2 => Ok(RemoveBody::V2 {
                credential: required(body, "userAuthenticatorId", CREDENTIAL, |text| CredentialId::parse(text).ok())?,
                nonce: required(body, "nonce", OUR_NONCE, |text| ServerNonce::parse(text).ok())?,
                signature,
            }),
        }
    }
}

impl RecoveryBody {
    /// Reads a recovery code. What is no code is a wrong one.
    pub fn read(body: &Object) -> Result<RecoveryBody, ApiError> {
        let mut fields = Fields::of(body);
        let typed = fields.required_text("verificationCode", 1024);
        let word = fields.text("purpose", 64);
        let purpose = word.as_deref().map_or(Some(RecoveryPurpose::Approval), RecoveryPurpose::parse);
        if purpose.is_none() {
            let words: Vec<&str> = RecoveryPurpose::ALL.iter().map(|purpose| purpose.as_str()).collect();
            fields.issue("purpose", "invalid", format!("expected one of {}", words.join(", ")));
        }
        fields.finish()?;
        let purpose = purpose.ok_or_else(|| ApiError::field("/purpose", "invalid", "expected a purpose"))?;
        Ok(RecoveryBody { typed, purpose })
    }
}

impl PollBody {
    /// Reads a poll.
    pub fn read(body: &Object) -> Result<PollBody, ApiError> {
        let mut fields = Fields::of(body);
        let challenge = fields.required_text("challengeId", 1024);
        let device_code = fields.text("deviceCode", 1024).unwrap_or_default();
        fields.finish()?;
        Ok(PollBody {
            challenge: ChallengeId::parse(&challenge).ok(),
            device_code: DeviceCode::parse(&device_code).ok(),
        })
    }
}

impl CreateBody {
    /// Reads a screen's wish.
    pub fn read(body: &Object) -> Result<CreateBody, ApiError> {
        let mut fields = Fields::of(body);
        let custom = fields.object("custom").cloned().unwrap_or_default();
        let rolling = fields.boolean("rollingQr").unwrap_or(false);
        fields.finish()?;
        let action = required(body, "action", ACTION, |text| ActionCode::parse(text).ok())?;
        let terminal = terminal_in(body, TERMINAL)?;
        Ok(CreateBody { action, custom, rolling, terminal })
    }
}

/// `terminal: {terminalId, serverNonce, nonce, signature}` of a screen that says to be a registered one.
pub fn terminal_in(body: &Object, at: &str) -> Result<Option<CreateAttempt>, ApiError> {
    let mut fields = Fields::of(body);
    let said = fields.object("terminal");
    if let Some(wrong) = fields.into_issues().into_iter().next() {
        return Err(ApiError::field(at, &wrong.code, wrong.detail));
    }
    let Some(said) = said else { return Ok(None) };
    let mut fields = Fields::within(said, at);
    let id =
        fields.required_parsed("terminalId", "1 to 64 of `A-Z a-z 0-9 . _ : -`", |text| TerminalId::parse(text).ok());
    let server = fields.required_parsed("serverNonce", OUR_NONCE, |text| ServerNonce::parse(text).ok());
    let own = fields.required_parsed("nonce", OWN_NONCE, |text| TerminalNonce::parse(text).ok());
    let signature = fields.required_parsed("signature", DER, |text| Signature::from_base64(text).ok());
    fields.finish()?;
    let (Some(terminal), Some(server_nonce), Some(nonce), Some(signature)) = (id, server, own, signature) else {
        return Err(ApiError::field(at, "missing-field", "these fields are required"));
    };
    Ok(Some(CreateAttempt { terminal, server_nonce, nonce, signature }))
}

/// `near: {channel, signature}` of a claim: what the phone heard from the terminal beside it.
fn near_in(body: &Object) -> Result<Option<Near>, ApiError> {
    let mut fields = Fields::of(body);
    let said = fields.object("near");
    fields.finish()?;
    let Some(said) = said else { return Ok(None) };
    let mut fields = Fields::within(said, "/near");
    let channel = fields.required_parsed("channel", "`nfc`, `ble` or `uwb`", Channel::parse);
    let signature = fields.required_parsed("signature", DER, |text| Signature::from_base64(text).ok());
    fields.finish()?;
    let (Some(channel), Some(signature)) = (channel, signature) else {
        return Err(ApiError::field("/near", "missing-field", "these fields are required"));
    };
    Ok(Some(Near { channel, signature }))
}

/// The members that every signed request about a challenge has.
fn signed_challenge(body: &Object) -> Result<(ChallengeId, DeviceKey, Signature), ApiError> {
    let mut fields = Fields::of(body);
    let challenge = fields.required_text("challengeId", 1024);
    let key = fields.required_text("publicKey", 1024);
    let signature = fields.required_text("signature", 1024);
    fields.finish()?;
    // The id's form comes first: a phone signs whatever text it scanned (T-14).
    let challenge = ChallengeId::parse(&challenge).map_err(refusals::challenge_id)?;
    let key = DeviceKey::from_base64(&key).map_err(refusals::public_key)?;
    let signature = Signature::from_base64(&signature).map_err(refusals::signature)?;
    Ok((challenge, key, signature))
}

/// The key and signature of a body that is otherwise refused.
pub fn key_and_signature(body: &Object) -> Option<(DeviceKey, Signature)> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let key = DeviceKey::from_base64(text("publicKey")?).ok()?;
    Some((key, Signature::from_base64(text("signature")?).ok()?))
}

fn answered_with(body: &Object) -> Result<AnsweredWith, ApiError> {
    Ok(match version(body)? {
        Version::Compat => AnsweredWith::Compat,
        Version::V2 => AnsweredWith::V2,
    })
}

fn version(body: &Object) -> Result<Version, ApiError> {
    let mut fields = Fields::of(body);
    let version = match fields.integer("version", 1..=2) {
        Some(2) => Version::V2,
        _ => Version::Compat,
    };
    fields.finish()?;
    Ok(version)
}

/// The version that a question names in its query.
pub(super) fn version_in(query: Option<&str>) -> Result<Version, ApiError> {
    let named = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("version="));
    match named {
        None | Some("1") => Ok(Version::Compat),
        Some("2") => Ok(Version::V2),
        Some(_) => Err(ApiError::field("/query/version", "invalid", "expected 1 or 2")),
    }
}

/// The nonce in the query of a signed question.
pub(super) fn nonce_in(query: Option<&str>) -> Result<ServerNonce, ApiError> {
    let named = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("nonce="));
    let missing = || ApiError::field("/query/nonce", "missing-field", "ask `POST /v1/client/challenge` for a nonce");
    ServerNonce::parse(named.ok_or_else(missing)?)
        .map_err(|_| ApiError::field("/query/nonce", "invalid", "expected the 22 characters of a nonce"))
}

/// A member that must be there and have its form.
pub(super) fn required<T>(
    body: &Object,
    name: &str,
    form: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, ApiError> {
    let missing = || ApiError::field(format!("/{name}"), "missing-field", format!("this field is required: {form}"));
    optional(body, name, form, parse)?.ok_or_else(missing)
}

/// A member that must have its form if it is there; an empty text is taken for none.
pub(super) fn optional<T>(
    body: &Object,
    name: &str,
    form: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, ApiError> {
    let mut fields = Fields::of(body);
    let text = fields.text(name, 1024).filter(|text| !text.is_empty());
    fields.finish()?;
    let Some(text) = text else { return Ok(None) };
    let wrong = || ApiError::field(format!("/{name}"), "wrong-form", format!("expected {form}"));
    parse(&text).map(Some).ok_or_else(wrong)
}
