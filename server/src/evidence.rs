//! What a phone's maker says of a new key, brought along when the key is enrolled (T-25, T-26).
//!
//! The `attestation` crate judges evidence; here is which evidence a tenant takes, what it must be about, and what becomes of it.
//! Evidence names the key if it describes the very key (Android's keystore), or if an app vouches for the hash of the enrolment
//! message, in which the key is. Stock SDKs have an app vouch for our nonce alone: that says something of the phone it was made
//! on, and nothing of the key that comes with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use attestation::Refusal;
use attestation::android::{self, AndroidRules, UserVerification};
use attestation::apple::{self, AppleRules};
use attestation::path::{AnchorError, Anchors};
use attestation::play::{self, PlayKeys, PlayRules};
use attestation::revocation::Revoked;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use challenge::credential::Unlock;
use challenge::keys::{DeviceKey, sha256};
use challenge::messages::ServerNonce;
use challenge::{KeyProtection, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::app::{App, StartError};
use crate::challenges::refusals;
use crate::config::{AttestationConfig, AttestationPolicy, Config, PlayConfig};
use crate::error::{ApiError, Problem};
use crate::keys::read_private;
use crate::store::NewRefusal;

/// Google publishes what it calls back within days.
const LIST_IS_OLD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What to do about a missing `android_signers`.
const NAME_SIGNERS: &str = "name the SHA-256 of the certificates that sign it, as `keytool -printcert -jarfile app.apk` and the Play Console show it";
const PACKAGE: &str = "a package name as `com.example.bank`";
const APP_ID: &str = "an app id as `TEAM123456.com.example.bank`";

/// What each tenant wants to hear and believes.
pub struct Judges {
    tenants: BTreeMap<String, Judge>,
    default: Judge,
}

#[derive(Default)]
struct Judge {
    policy: AttestationPolicy,
    biometric_is_proven: bool,
    android: Option<AndroidRules>,
    apple: Option<AppleRules>,
    play: Option<PlayRules>,
}

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

impl Judges {
    /// Reads the settings of all tenants, with the files they name.
    pub fn start(config: &Config, now: Timestamp) -> Result<Judges, StartError> {
        let judge = |place: &str, settings: Option<&AttestationConfig>| match settings {
            None => Ok(None),
            Some(settings) => Judge::new(&format!("{place}.attestation"), settings, now).map(Some),
        };
        let mut tenants = BTreeMap::new();
        for (id, tenant) in &config.tenants {
            if let Some(judge) = judge(&format!("tenants.{id}"), tenant.attestation.as_ref())? {
                tenants.insert(id.clone(), judge);
            }
        }
        Ok(Judges { tenants, default: judge("defaults", config.defaults.attestation.as_ref())?.unwrap_or_default() })
    }

    fn of(&self, tenant: &TenantId) -> &Judge {
        self.tenants.get(tenant.as_str()).unwrap_or(&self.default)
    }

    /// Whether a key of this protection may confirm what asks for its user (level `biometric`).
    pub fn user_is_asked_enough(&self, tenant: &TenantId, protection: KeyProtection) -> bool {
        let asks = match protection {
            KeyProtection::Unattested | KeyProtection::Hardware { unlock: Unlock::Nothing } => false,
            KeyProtection::Hardware { unlock: Unlock::Pin | Unlock::Biometric | Unlock::PinOrBiometric } => true,
        };
        asks || !self.of(tenant).biometric_is_proven
    }
}

impl Judge {
    fn new(place: &str, settings: &AttestationConfig, now: Timestamp) -> Result<Judge, StartError> {
        let refused = |key: &str, why: String| StartError::Config { key: format!("{place}.{key}"), why };
        let read = |key: &str, path: &Path| fs::read(path).map_err(|error| refused(key, unreadable(path, &error)));
        let names = [
            ("android_packages", settings.android_packages.iter().find(|name| !is_package(name)), PACKAGE),
            ("apple_apps", settings.apple_apps.iter().find(|name| !is_app_id(name)), APP_ID),
        ];
        for (key, wrong, expected) in names {
            if let Some(name) = wrong {
                return Err(refused(key, format!("`{name}` is not {expected}, and no phone could say so")));
            }
        }
        let roots = |pinned: Result<Anchors, AnchorError>, key: &str, further: &[PathBuf]| {
            let mut roots = pinned.map_err(|error| refused("policy", error.to_string()))?;
            for path in further {
                let text = String::from_utf8_lossy(&read(key, path)?).into_owned();
                roots = roots.and(Anchors::from_pem(&text).map_err(|error| refused(key, about(path, &error)))?);
            }
            Ok::<_, StartError>(roots)
        };
        let google = roots(Anchors::google(), "android_more_roots", &settings.android_more_roots)?;
        let apples = roots(Anchors::apple(), "apple_more_roots", &settings.apple_more_roots)?;

        let signers = signers(&settings.android_signers).map_err(|why| refused("android_signers", why))?;
        let android = match settings.android_packages.as_slice() {
            [] => None,
            packages => Some(AndroidRules {
                anchors: google,
                revoked: match &settings.android_revoked {
                    None => Revoked::default(),
                    Some(path) => Revoked::from_status_list(&read("android_revoked", path)?)
                        .map_err(|error| refused("android_revoked", about(path, &error)))?,
                },
                packages: packages.to_vec(),
                signers,
                expired_factory_keys: settings.android_expired_factory_keys,
            }),
        };
        let apple = match settings.apple_apps.as_slice() {
            [] => None,
            apps => Some(AppleRules { anchors: apples, apps: apps.to_vec(), development: settings.apple_development }),
        };
        let play = settings.play.as_ref().map(|play| {
            let keys = play_keys(play).map_err(|why| refused("play", why))?;
            if settings.android_packages.is_empty() {
                return Err(refused("play", "name the apps: `android_packages`".to_owned()));
            }
            Ok(PlayRules { keys, packages: settings.android_packages.clone() })
        });
        let judge = Judge {
            policy: settings.policy,
            biometric_is_proven: settings.biometric_is_proven,
            android,
            apple,
            play: play.transpose()?,
        };
        if judge.policy != AttestationPolicy::None && judge.android.is_none() && judge.apple.is_none() {
            let why = "no evidence could be believed: name your apps in `android_packages` or `apple_apps`";
            return Err(refused("policy", why.to_owned()));
        }
        let any_signer = judge.android.as_ref().is_some_and(|rules| rules.signers.is_empty());
        match judge.policy {
            AttestationPolicy::Require if any_signer => {
                let why = format!("an app of anybody's that is named as yours is would do: {NAME_SIGNERS}");
                return Err(refused("android_signers", why));
            }
            AttestationPolicy::Record if any_signer => {
                tracing::warn!(place, "no `android_signers`: no Android key counts as attested; {NAME_SIGNERS}");
            }
            AttestationPolicy::None | AttestationPolicy::Record | AttestationPolicy::Require => {}
        }
        let could_prove = judge.policy != AttestationPolicy::None && judge.android.is_some() && !any_signer;
        if judge.biometric_is_proven && !could_prove {
            let why = "no key could prove it: it needs `android_packages`, `android_signers` and the policy `record` or `require`";
            return Err(refused("biometric_is_proven", why.to_owned()));
        }
        if judge.policy != AttestationPolicy::None && judge.android.is_some() {
            tell_age_of_list(place, settings.android_revoked.as_deref(), now);
        }
        Ok(judge)
    }

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

fn is_package(name: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_');
    name.contains('.') && name.split('.').all(part)
}

fn is_app_id(name: &str) -> bool {
    let team =
        |team: &str| team.len() == 10 && team.chars().all(|sign| sign.is_ascii_uppercase() || sign.is_ascii_digit());
    let part = |part: &str| !part.is_empty() && part.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '-');
    name.split_once('.').is_some_and(|(first, bundle)| team(first) && bundle.split('.').all(part))
}

fn signers(digests: &[String]) -> Result<Vec<[u8; 32]>, String> {
    let read = |text: &String| {
        // `keytool` and the Play Console write colons.
        let hex: Vec<char> = text.chars().filter(|sign| *sign != ':').collect();
        let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).ok();
        let bytes = hex.chunks(2).map(byte).collect::<Option<Vec<u8>>>();
        bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| format!("`{text}` is not a SHA-256 in hexadecimal"))
    };
    digests.iter().map(read).collect()
}

fn play_keys(play: &PlayConfig) -> Result<PlayKeys, String> {
    let decryption = read_private(&play.decryption_key_file).map_err(|error| error.to_string())?;
    let decryption = std::str::from_utf8(&decryption).unwrap_or_default();
    let path = &play.verification_key_file;
    let verification = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    PlayKeys::from_base64(decryption, &verification).map_err(|error| error.to_string())
}

fn tell_age_of_list(place: &str, list: Option<&Path>, now: Timestamp) {
    let Some(path) = list else {
        tracing::warn!(place, "no `android_revoked`: keystores that Google called back are believed");
        return;
    };
    let changed = fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let age = changed.and_then(|at| Timestamp::try_from(at).ok()).map(|at| now.duration_since(at));
    if let Some(age) = age.filter(|age| *age > LIST_IS_OLD) {
        let (list, days) = (path.display(), age.as_hours() / 24);
        tracing::warn!(place, %list, days, "the list of keystores that Google called back is old; fetch it again and restart");
    }
}

fn about(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("cannot read {}: {error}", path.display())
}
