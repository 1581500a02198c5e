//! The keys that sign tokens, as files: which signs when stands in a file's name, so that a rotation is one new file.

use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use challenge::token::{SharedKey, SigningKey, SigningKeys, Verifier};
use challenge::{Issuer, TenantId};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use zeroize::Zeroizing;

use super::{KeysError, file_error, files_in, read_private, unusable, write_private};
use crate::auth::Secret;

/// The key that was there first.
const FIRST: &str = "token.p8";
/// From when a successor signs, in UTC, as its file's name says it.
pub(super) const WHEN: &str = "%Y%m%dT%H%M%SZ";

/// The keys that sign tokens and what verifies them.
pub struct TokenKeys {
    signing: SigningKeys,
    verifier: Verifier,
}

/// One key file and its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenKeyFile {
    /// The file.
    pub path: PathBuf,
    /// The key's name in tokens and in the JWKS.
    pub kid: String,
    /// `ES256` or `EdDSA`.
    pub algorithm: &'static str,
    /// From when it signs; `None` for the first.
    pub from: Option<Timestamp>,
    /// How it stands.
    pub turn: KeyTurn,
}

/// What a new key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyAlgorithm {
    /// ECDSA on P-256 with SHA-256 (RFC 7518 §3.4), which every JOSE library knows.
    #[default]
    Es256,
    /// Ed25519 (RFC 8037).
    EdDsa,
}

/// How a key stands at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyTurn {
    /// Published, and yet to sign.
    Next,
    /// Signs.
    Signing,
    /// Verifies until then, and signs no more.
    Verifying(Timestamp),
    /// Neither published nor accepted: the file can go.
    Retired,
}

impl TokenKeys {
    /// Reads the keys of `directory`, making the first if there is none, and adds the secrets of tenants with HS256.
    pub(super) fn load(
        directory: &Path,
        issuer: &Issuer,
        shared: &[(TenantId, Secret)],
    ) -> Result<TokenKeys, KeysError> {
        if files(directory)?.is_empty() {
            write_new_key(&directory.join(FIRST), KeyAlgorithm::default())?;
        }
        let shared = shared
            .iter()
            .map(|(tenant, secret)| SharedKey::new(tenant.clone(), secret.expose().as_bytes()))
            .collect::<Result<_, _>>()
            .map_err(unusable(directory))?;
        let signing = read(directory)?.with_shared(shared).map_err(unusable(directory))?;
        let verifier = Verifier::new(issuer, &signing);
        Ok(TokenKeys { signing, verifier })
    }

    /// What signs.
    pub fn signing(&self) -> &SigningKeys {
        &self.signing
    }

    /// What verifies.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }
}

/// Makes the key that signs from `from` on, to the second. It is published as soon as a service has read it.
pub fn rotate(directory: &Path, from: Timestamp, algorithm: KeyAlgorithm) -> Result<PathBuf, KeysError> {
    // Without a first key this one would sign at once, whatever its name says.
    if files(directory)?.is_empty() {
        return Err(unusable(directory)("it has no key that signs tokens; start the service once to make one"));
    }
    let path = directory.join(format!("token-{}.p8", from.strftime(WHEN)));
    if path.exists() {
        return Err(unusable(&path)("there is a key that begins in that second already"));
    }
    write_new_key(&path, algorithm)?;
    Ok(path)
}

/// The keys that sign tokens and how each stands at `now`, in the order of their turns.
pub fn list(directory: &Path, now: Timestamp) -> Result<Vec<TokenKeyFile>, KeysError> {
    let files = files(directory)?;
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let keys = read(directory)?;
    let stand = files.into_iter().zip(keys.turns()).map(|((from, path), turn)| {
        let stands = match turn.retires_at() {
            _ if turn.signs(now) => KeyTurn::Signing,
            _ if turn.from.is_some_and(|from| now < from) => KeyTurn::Next,
            Some(end) if turn.is_published(now) => KeyTurn::Verifying(end),
            Some(_) | None => KeyTurn::Retired,
        };
        let algorithm = turn.key.public().algorithm();
        TokenKeyFile { path, kid: turn.key.kid().to_string(), algorithm, from, turn: stands }
    });
    Ok(stand.collect())
}

/// The schedule that the files tell. There is at least one file.
fn read(directory: &Path) -> Result<SigningKeys, KeysError> {
    let mut keys = files(directory)?.into_iter().map(|(from, path)| {
        let bytes = read_private(&path)?;
        Ok((from, SigningKey::from_pkcs8(&bytes).map_err(unusable(&path))?))
    });
    let (_, first) = keys.next().unwrap_or_else(|| Err(unusable(directory)("it has no key that signs tokens")))?;
    let mut successors = Vec::new();
    for key in keys {
        let (from, key) = key?;
        successors.push((from.unwrap_or(Timestamp::MIN), key));
    }
    SigningKeys::new(first, successors).map_err(unusable(directory))
}

/// The files with their times, in the order of their turns. The earliest signs until the next begins, also when the very
/// first was removed after it had retired.
fn files(directory: &Path) -> Result<Vec<(Option<Timestamp>, PathBuf)>, KeysError> {
    let mut found = Vec::new();
    for (name, path) in files_in(directory)? {
        if name == FIRST {
            found.push((None, path));
        } else if let Some(when) = name.strip_prefix("token-").and_then(|rest| rest.strip_suffix(".p8")) {
            // A name that is nearly right would be a key that never signs.
            let why = "its name must say from when it signs, in UTC: `token-20260301T100000Z.p8`";
            found.push((Some(instant(when).ok_or_else(|| unusable(&path)(why))?), path));
        }
    }
    found.sort();
    Ok(found)
}

/// Reads exactly what [`WHEN`] writes.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let at = TimeZone::UTC.to_timestamp(DateTime::strptime(WHEN, text).ok()?).ok()?;
    (at.strftime(WHEN).to_string() == text).then_some(at)
}

pub(super) fn write_new_key(path: &Path, algorithm: KeyAlgorithm) -> Result<(), KeysError> {
    let random = SystemRandom::new();
    let key = match algorithm {
        KeyAlgorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
        KeyAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random),
    };
    let key = key.map_err(|_| unusable(path)("the key could not be made"))?;
    write_private(path, &Zeroizing::new(key.as_ref().to_vec())).map_err(file_error(path))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn folder_with_a_key() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        write_new_key(&folder.path().join(FIRST), KeyAlgorithm::default()).expect("a key");
        folder
    }

    #[test]
    fn a_rotation_is_one_new_file_of_ours_alone() {
        let folder = folder_with_a_key();
        let path = rotate(folder.path(), at("2026-03-02T10:00:00.9Z"), KeyAlgorithm::default()).expect("rotated");
        assert_eq!(path.file_name().and_then(|name| name.to_str()), Some("token-20260302T100000Z.p8"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
        }
        let first = folder.path().join(FIRST);
        let (day, month) = (at("2026-03-03T11:00:00Z"), at("2026-04-01T00:00:00Z"));
        for (now, turns) in [
            (at("2026-03-01T10:00:00Z"), [KeyTurn::Signing, KeyTurn::Next]),
            (at("2026-03-02T10:00:00Z"), [KeyTurn::Verifying(day), KeyTurn::Signing]),
            (month, [KeyTurn::Retired, KeyTurn::Signing]),
        ] {
            let listed = list(folder.path(), now).expect("listed");
            assert_eq!(listed.iter().map(|key| key.turn).collect::<Vec<_>>(), turns, "{now}");
            assert_eq!(listed.iter().map(|key| &key.path).collect::<Vec<_>>(), [&first, &path], "{now}");
        }
        assert!(rotate(folder.path(), at("2026-03-02T10:00:00Z"), KeyAlgorithm::default()).is_err(), "the same second");
        // When the first has retired its file may go, and no new first key comes into being.
        fs::remove_file(first).expect("removed");
        let issuer = Issuer::parse("https://mfa.example.com").expect("an issuer");
        let keys = TokenKeys::load(folder.path(), &issuer, &[]).expect("loaded");
        assert_eq!(keys.signing().published(month).count(), 1);
        assert_eq!(files(folder.path()).expect("files").len(), 1);
    }

    #[test]
    fn a_file_that_would_never_sign_is_refused() {
        for name in [
            "token-.p8",
            "token-old.p8",
            "token-2026-03-02.p8",
            "token-20260231T100000Z.p8",
            "token-20260302T100000.p8",
        ] {
            let folder = folder_with_a_key();
            write_new_key(&folder.path().join(name), KeyAlgorithm::default()).expect("a key");
            let error = list(folder.path(), at("2026-03-01T10:00:00Z")).expect_err(name).to_string();
            assert!(error.contains(name) && error.contains("from when it signs"), "{error}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        assert!(
            rotate(folder.path(), at("2026-03-01T10:00:00Z"), KeyAlgorithm::default())
                .expect_err("empty")
                .to_string()
                .contains("start the service once")
        );
        assert_eq!(list(folder.path(), at("2026-03-01T10:00:00Z")).expect("listed"), []);
    }
}
