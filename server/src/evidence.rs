//! What a phone's maker says of a new key, brought along when the key is enrolled (T-25, T-26).
//!
//! The `attestation` crate judges evidence; here is which evidence a tenant takes, what it must be about, and what becomes of it.
//! Evidence names the key if it describes the very key (Android's keystore), or if an app vouches for the hash of the enrolment
//! message, in which the key is. Stock SDKs have an app vouch for our nonce alone: that says something of the phone it was made
//! on, and nothing of the key that comes with it.

mod judges;

use attestation::android::{self, UserVerification};
use attestation::{Refusal, apple, play};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use challenge::credential::Unlock;
use challenge::keys::{DeviceKey, sha256};
use challenge::messages::ServerNonce;
use challenge::{KeyProtection, TenantId};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::challenges::refusals;
use crate::config::AttestationPolicy;
use crate::error::{ApiError, Problem};
use crate::store::NewRefusal;
use judges::Judge;
pub use judges::Judges;

/// What evidence must be about.
pub struct About<'a> {
    /// The key to enrol.
    pub key: &'a DeviceKey,
    /// The nonces of ours that it may answer.
    pub nonces: Vec<ServerNonce>,
    /// The enrolment message that the key signed, if the phone speaks version 2.
    pub message: Option<String>,
}

/// What is kept with a new key.
pub struct Verdict {
    /// What was proven of it.
    pub protection: KeyProtection,
    /// What was said of it and whether it was believed, as JSON.
    pub kept: Option<String>,
}

/// Evidence that was believed.
struct Found {
    facts: Value,
    protection: KeyProtection,
    lacks: Option<Lack>,
}

/// What is true, and yet not enough to count for the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Lack {
    #[error("the evidence does not name the key: sign the enrolment in version 2 and have its hash attested")]
    Binding,
    #[error("nothing shows that the phone holds the key: sign the enrolment in version 2 with it")]
    Possession,
    #[error("any app of that name could have made the key: `android_signers` must say who signs the service's app")]
    Signer,
}

impl Lack {
    /// The word for it, for clients and the log.
    fn code(self) -> &'static str {
        match self {
            Self::Binding => "unbound",
            Self::Possession => "unsigned",
            Self::Signer => "any-signer",
        }
    }
}

impl Judge {
    fn look(&self, brought: &Map<String, Value>, about: &About<'_>, now: Timestamp) -> Result<Found, Refusal> {
        let text = |name: &str| brought.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(decoded).ok_or(Refusal::Malformed);
        match text("provider") {
            Some("ANDROID_KEY") => {
                let rules = self.android.as_ref().ok_or(Refusal::OtherApp)?;
                let certificates = brought.get("chain").and_then(Value::as_array).ok_or(Refusal::Malformed)?;
                let chain = certificates.iter().map(|each| each.as_str().and_then(decoded));
                let chain: Vec<Vec<u8>> = chain.collect::<Option<_>>().ok_or(Refusal::Malformed)?;
                let key = about.key.to_spki();
                // A keystore is told the challenge before it makes the key, so it cannot be one that names the key.
                let facts = about
                    .either(|nonce| android::verify(&chain, &key, &sha256(nonce.expose().as_bytes()), rules, now))?;
                let protection = KeyProtection::Hardware { unlock: unlock(facts.verification) };
                let lacks = match about.message {
                    _ if rules.signers.is_empty() => Some(Lack::Signer),
                    // Certificates are no secret: whoever has the chain and the token could bring them.
                    None => Some(Lack::Possession),
                    Some(_) => None,
                };
                Ok(Found { facts: json!(facts), protection, lacks })
            }
            Some("APP_ATTEST") => {
                let rules = self.apple.as_ref().ok_or(Refusal::OtherApp)?;
                let object = bytes("token")?;
                let key_id = text("keyId").map(|_| bytes("keyId")).transpose()?;
                let judge = |hash| apple::verify(&object, key_id.as_deref(), &hash, rules, now);
                let facts = match &about.message {
                    Some(message) => judge(sha256(message.as_bytes())),
                    None => about.either(|nonce| judge(sha256(nonce.expose().as_bytes()))),
                }?;
                Ok(about.vouched(json!(facts)))
            }
            Some("PLAY_INTEGRITY") => {
                let rules = self.play.as_ref().ok_or(Refusal::OtherApp)?;
                let token = text("token").ok_or(Refusal::Malformed)?;
                let judge = |expected: &str| play::verify(token, expected, rules, now);
                let facts = match &about.message {
                    Some(message) => judge(&URL_SAFE_NO_PAD.encode(sha256(message.as_bytes()))),
                    None => about.either(|nonce| judge(&nonce.expose())),
                }?;
                Ok(about.vouched(json!(facts)))
            }
            _ => Err(Refusal::WrongFormat),
        }
    }
}

impl About<'_> {
    /// What holds for one of the nonces.
    fn either<T>(&self, judge: impl Fn(&ServerNonce) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let mut verdicts = self.nonces.iter().map(judge);
        verdicts
            .find(|verdict| !matches!(verdict, Err(Refusal::WrongChallenge)))
            .unwrap_or(Err(Refusal::WrongChallenge))
    }

    /// An app vouches. That is no word about the place where the key lives.
    fn vouched(&self, facts: Value) -> Found {
        let lacks = self.message.is_none().then_some(Lack::Binding);
        Found { facts, protection: KeyProtection::Unattested, lacks }
    }
}

/// Judges what came with a new key by the tenant's settings. A refusal is written down.
pub async fn admit(
    app: &App,
    tenant: &TenantId,
    brought: Option<&Map<String, Value>>,
    about: &About<'_>,
) -> Result<Verdict, ApiError> {
    let (judge, now) = (app.judges.of(tenant), app.clock.now());
    let Some(brought) = brought.filter(|_| judge.policy != AttestationPolicy::None) else {
        return match judge.policy {
            AttestationPolicy::None | AttestationPolicy::Record => {
                Ok(Verdict { protection: KeyProtection::Unattested, kept: None })
            }
            AttestationPolicy::Require => {
                let why = "this service enrols only keys that their phone's maker vouches for; see docs/attestation.md";
                Err(refuse(app, tenant, about, "missing", why).await)
            }
        };
    };
    // The evidence itself is large and says more of a phone than is needed; its hash is enough to tell it again.
    let mut kept = Map::from_iter([
        ("provider".to_owned(), json!(brought.get("provider").and_then(Value::as_str).map(known_provider))),
        ("evidence".to_owned(), json!(URL_SAFE_NO_PAD.encode(crate::json::digest(&Value::Object(brought.clone()))))),
    ]);
    let protection = match (judge.look(brought, about, now), judge.policy) {
        (Err(refusal), AttestationPolicy::Require) => {
            return Err(refuse(app, tenant, about, refusal.code(), &refusal.to_string()).await);
        }
        (Ok(Found { lacks: Some(lack), .. }), AttestationPolicy::Require) => {
            return Err(refuse(app, tenant, about, lack.code(), &lack.to_string()).await);
        }
        (Err(refusal), _) => {
            kept.insert("refused".to_owned(), json!(refusal.code()));
            KeyProtection::Unattested
        }
        (Ok(found), _) => {
            kept.insert("facts".to_owned(), found.facts);
            match found.lacks {
                None => found.protection,
                Some(lack) => {
                    kept.insert("lacks".to_owned(), json!(lack.code()));
                    KeyProtection::Unattested
                }
            }
        }
    };
    Ok(Verdict { protection, kept: Some(Value::Object(kept).to_string()) })
}

async fn refuse(app: &App, tenant: &TenantId, about: &About<'_>, why: &str, detail: &str) -> ApiError {
    let facts = [("why".to_owned(), why.to_owned()), ("key".to_owned(), about.key.thumbprint().to_base64url())];
    let leaf = NewRefusal {
        tenant: tenant.clone(),
        what: "enrol".to_owned(),
        code: Problem::AttestationRefused.entry().code.to_owned(),
        facts: facts.into(),
        at: app.clock.now(),
    };
    refusals::written(app, leaf, ApiError::new(Problem::AttestationRefused, format!("{detail} (`{why}`)"))).await
}

/// Android's words for what is asked of the user.
fn unlock(verification: UserVerification) -> Unlock {
    match verification {
        UserVerification::Nothing => Unlock::Nothing,
        UserVerification::Pin => Unlock::Pin,
        UserVerification::Biometric => Unlock::Biometric,
        UserVerification::PinOrBiometric => Unlock::PinOrBiometric,
    }
}

/// A word of the phone's own making does not go into the log.
fn known_provider(word: &str) -> &'static str {
    match word {
        "ANDROID_KEY" => "ANDROID_KEY",
        "APP_ATTEST" => "APP_ATTEST",
        "PLAY_INTEGRITY" => "PLAY_INTEGRITY",
        _ => "unknown",
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
