//! What each tenant wants to hear of a phone's maker and whom it believes, as the configuration and its files say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use attestation::android::AndroidRules;
use attestation::apple::AppleRules;
use attestation::path::{AnchorError, Anchors};
use attestation::play::{PlayKeys, PlayRules};
use attestation::revocation::Revoked;
use challenge::credential::Unlock;
use challenge::{KeyProtection, TenantId};
use jiff::{SignedDuration, Timestamp};

use crate::app::StartError;
use crate::config::{AttestationConfig, AttestationPolicy, Config, PlayConfig};
use crate::keys::read_private;

/// Google publishes what it calls back within days.
const LIST_IS_OLD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What to do about a missing `android_signers`.
const NAME_SIGNERS: &str = "name the SHA-256 of the certificates that sign it, as `keytool -printcert -jarfile app.apk` and the Play Console show it";
const PACKAGE: &str = "a package name as `com.example.bank`";
const APP_ID: &str = "an app id as `TEAM123456.com.example.bank`";

/// The judges of all tenants.
pub struct Judges {
    tenants: BTreeMap<String, Seat>,
    default: Option<Seat>,
}

/// A judge, who gives way to another when the files are read again.
struct Seat {
    place: String,
    settings: AttestationConfig,
    judge: ArcSwap<Judge>,
}

/// What one tenant wants to hear and believes.
#[derive(Default)]
pub(super) struct Judge {
    pub policy: AttestationPolicy,
    pub biometric_is_proven: bool,
    pub android: Option<AndroidRules>,
    pub apple: Option<AppleRules>,
    pub play: Option<PlayRules>,
}

impl Judges {
    /// Reads the settings of all tenants, with the files they name.
    pub fn start(config: &Config, now: Timestamp) -> Result<Judges, StartError> {
        let seat = |place: &str, settings: &Option<AttestationConfig>| {
            settings.as_ref().map(|settings| Seat::take(place, settings, now)).transpose()
        };
        let mut tenants = BTreeMap::new();
        for (id, tenant) in &config.tenants {
            if let Some(seat) = seat(&format!("tenants.{id}"), &tenant.attestation)? {
                tenants.insert(id.clone(), seat);
            }
        }
        Ok(Judges { tenants, default: seat("defaults", &config.defaults.attestation)? })
    }

    /// Reads all files again: lists of what was called back, roots, keys. What cannot be read leaves its tenant as it was.
    pub fn reload(&self, now: Timestamp) {
        for seat in self.seats() {
            match Judge::new(&seat.place, &seat.settings, now) {
                Ok(judge) => seat.judge.store(Arc::new(judge)),
                Err(error) => {
                    metrics::counter!("stepup_attestation_reloads_failed_total").increment(1);
                    tracing::error!(%error, "what phones' makers say was not read again; what was read before stays in force");
                }
            }
        }
    }

    /// The lists of what was called back.
    pub fn lists(&self) -> Vec<PathBuf> {
        self.seats().filter_map(|seat| seat.settings.android_revoked.clone()).collect()
    }

    /// Whether a key of this protection may confirm what asks for its user (level `biometric`).
    pub fn user_is_asked_enough(&self, tenant: &TenantId, protection: KeyProtection) -> bool {
        let asks = match protection {
            KeyProtection::Unattested | KeyProtection::Hardware { unlock: Unlock::Nothing } => false,
            KeyProtection::Hardware { unlock: Unlock::Pin | Unlock::Biometric | Unlock::PinOrBiometric } => true,
        };
        asks || !self.of(tenant).biometric_is_proven
    }

    pub(super) fn of(&self, tenant: &TenantId) -> Arc<Judge> {
        let seat = self.tenants.get(tenant.as_str()).or(self.default.as_ref());
        seat.map(|seat| seat.judge.load_full()).unwrap_or_default()
    }

    fn seats(&self) -> impl Iterator<Item = &Seat> {
        self.tenants.values().chain(&self.default)
    }
}

impl Seat {
    fn take(place: &str, settings: &AttestationConfig, now: Timestamp) -> Result<Seat, StartError> {
        let place = format!("{place}.attestation");
        let judge = ArcSwap::from_pointee(Judge::new(&place, settings, now)?);
        Ok(Seat { place, settings: settings.clone(), judge })
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
                let why = format!("it is empty, so that any app with the name of yours would do: {NAME_SIGNERS}");
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
        tracing::warn!(place, %list, days, "the list of keystores that Google called back is old; fetch it again");
    }
}

fn about(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("cannot read {}: {error}", path.display())
}
