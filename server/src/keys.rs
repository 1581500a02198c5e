//! Our own private keys: one file each, made at first start, readable by us alone.
//!
//! | file | what it is for |
//! |---|---|
//! | `token.p8` | signs track and result tokens (ES256, or EdDSA; PKCS#8 DER), until a successor does |
//! | `token-20260301T100000Z.p8` | signs them from that time on; published and accepted before |
//! | `qr.p8` | signs the QR code's URL (Ed25519, PKCS#8 DER), until a successor does |
//! | `qr-2-20260301T100000Z.p8` | signs it from that time on, as key number 2; phones pin it before |
//! | `qr-rolling.key` | from which the rolling codes of a QR are derived (32 bytes) |
//! | `recovery.key` | with which recovery codes are hashed (32 bytes); without it no code is recognised |
//! | `log.seed` | signs the audit log's checkpoints (Ed25519 seed, 32 bytes) |
//! | `log.origin` | the name in those checkpoints; a log keeps its name when the public URL or the port changes |

mod qr;
mod tokens;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use challenge::messages::ServerNonce;
use challenge::qr::RollingKey;
use challenge::{ChallengeId, DeviceCode, Issuer, TenantId};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::audit::LogSigner;
use crate::auth::Secret;
use crate::random::Random;
pub use qr::{QrKeyFile, QrKeys, list_qr, rotate_qr};
pub use tokens::{KeyAlgorithm, KeyTurn, TokenKeyFile, TokenKeys, list, rotate};

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file cannot be read or written.
    #[error("cannot use the key file {path}: {cause}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Others can read a key.
    #[error("the key file {path} can be read by others (mode {mode:o}); run `chmod 600` on it")]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file does not hold the key it should.
    #[error("the key file {path} is not usable: {why}")]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// The keys in use. They have no `Debug` and never leave this process.
pub struct Keys {
    directory: PathBuf,
    issuer: Issuer,
    /// Tenants whose tokens are signed with their own API secret.
    shared: Vec<(TenantId, Secret)>,
    tokens: ArcSwap<TokenKeys>,
    qr: ArcSwap<QrKeys>,
    rolling_master: Zeroizing<[u8; 32]>,
    recovery: hmac::Key,
    log: Arc<LogSigner>,
}

impl Keys {
    /// Loads the keys from `directory`, making those that are missing. The tokens of `shared` tenants are signed with their
    /// own secrets.
    pub fn load(
        directory: &Path,
        issuer: &Issuer,
        shared: Vec<(TenantId, Secret)>,
        random: &Random,
    ) -> Result<Keys, KeysError> {
        fs::create_dir_all(directory).map_err(file_error(directory))?;
        let file = |name: &str| directory.join(name);
        let tokens = TokenKeys::load(directory, issuer, &shared)?;

        let qr = QrKeys::load(directory)?;
        let rolling_master = load_secret(&file("qr-rolling.key"), random)?;
        let recovery = load_secret(&file("recovery.key"), random)?;
        let recovery = hmac::Key::new(hmac::HMAC_SHA256, &*recovery);
        let seed = load_secret(&file("log.seed"), random)?;
        let origin_path = file("log.origin");
        let origin = load_or_make(&origin_path, || Ok(log_origin(issuer).into_bytes()))?;
        let origin = std::str::from_utf8(&origin).map_err(unusable(&origin_path))?.trim();
        let log = LogSigner::from_seed(origin, &seed).map_err(unusable(&origin_path))?;
        Ok(Keys {
            directory: directory.to_owned(),
            issuer: issuer.clone(),
            shared,
            tokens: ArcSwap::from_pointee(tokens),
            qr: ArcSwap::from_pointee(qr),
            rolling_master,
            recovery,
            log: Arc::new(log),
        })
    }

    /// What signs track and result tokens and verifies them. Ask again for each request: keys rotate.
    pub fn tokens(&self) -> Arc<TokenKeys> {
        self.tokens.load_full()
    }

    /// Reads the keys for tokens and for QR codes again, after a rotation. What cannot be used changes nothing.
    pub fn reload(&self) -> Result<(), KeysError> {
        let tokens = TokenKeys::load(&self.directory, &self.issuer, &self.shared)?;
        let qr = QrKeys::load(&self.directory)?;
        self.tokens.store(Arc::new(tokens));
        self.qr.store(Arc::new(qr));
        Ok(())
    }

    /// What signs QR codes. Ask again for each: keys rotate.
    pub fn qr(&self) -> Arc<QrKeys> {
        self.qr.load_full()
    }

    /// The rolling key of one challenge's QR.
    pub fn rolling_key(&self, challenge: &ChallengeId) -> RollingKey {
        RollingKey::derive(&self.rolling_master, challenge)
    }

    /// The secret with which the screen that made a challenge polls it. Derived, so that only its hash is stored.
    pub fn device_code(&self, challenge: &ChallengeId) -> DeviceCode {
        DeviceCode::from_random(self.derived(b"stepup/device-code/v1\n", &[challenge.as_bytes()]))
    }

    /// What makes the refresh token of a session ours. Derived, so that nothing of it is stored and a repeat of a refresh
    /// whose reply was lost gets the same one.
    pub fn refresh_code(&self, tenant: &TenantId, session: &Uuid, generation: u32) -> [u8; 32] {
        let parts: [&[u8]; 3] = [session.as_bytes(), &generation.to_be_bytes(), tenant.as_str().as_bytes()];
        self.derived(b"stepup/refresh-token/v1\n", &parts)
    }

    /// The nonce that an asker signs within one window of time. Derived, so that handing it out stores nothing; worthless
    /// to anybody but the asker.
    pub fn nonce(&self, asker: &str, window: i64) -> ServerNonce {
        let code = self.derived(b"stepup/nonce/v1\n", &[&window.to_be_bytes(), asker.as_bytes()]);
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&code[..16]);
        ServerNonce::from_random(nonce)
    }

    /// What recovery codes are hashed with. It is not in the database, so that a copy of that alone recognises no code.
    pub fn recovery(&self) -> &hmac::Key {
        &self.recovery
    }

    /// A challenge id that an app may sign within one window of time. Derived from a random seed, so that it can be told
    /// from any other id though nothing was stored when it was given out.
    pub fn app_challenge(&self, tenant: &TenantId, window: i64, seed: [u8; 6]) -> ChallengeId {
        let parts: [&[u8]; 3] = [&window.to_be_bytes(), &seed, tenant.as_str().as_bytes()];
        let code = self.derived(b"stepup/app-challenge/v1\n", &parts);
        let mut id = [0; 16];
        id[..6].copy_from_slice(&seed);
        id[6..].copy_from_slice(&code[..10]);
        ChallengeId::from_random(id)
    }

    /// HMAC-SHA-256 under the rolling master: a label that says what it is for, and what it is of. At most the last part has
    /// a length of its own, so that no two lists of parts are the same bytes.
    fn derived(&self, label: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.rolling_master);
        let mut context = hmac::Context::with_key(&key);
        context.update(label);
        parts.iter().for_each(|part| context.update(part));
        let mut code = [0; 32];
        code.copy_from_slice(context.sign().as_ref());
        code
    }

    /// What signs the audit log's checkpoints.
    pub fn log(&self) -> &Arc<LogSigner> {
        &self.log
    }
}

/// The log's origin line (C2SP tlog-checkpoint): the public host and path, without a scheme.
fn log_origin(issuer: &Issuer) -> String {
    let url = issuer.as_str();
    let host = url.split_once("://").map_or(url, |(_, host)| host).trim_end_matches('/');
    format!("{host}/log")
}

fn load_secret(path: &Path, random: &Random) -> Result<Zeroizing<[u8; 32]>, KeysError> {
    let bytes = load_or_make(path, || Ok(random.bytes::<32>().to_vec()))?;
    let secret: [u8; 32] = bytes.as_slice().try_into().map_err(|_| unusable(path)("it must hold 32 bytes"))?;
    Ok(Zeroizing::new(secret))
}

fn load_or_make(
    path: &Path,
    make: impl FnOnce() -> Result<Vec<u8>, &'static str>,
) -> Result<Zeroizing<Vec<u8>>, KeysError> {
    if path.exists() {
        return read_private(path);
    }
    let bytes = Zeroizing::new(make().map_err(unusable(path))?);
    write_private(path, &bytes).map_err(file_error(path))?;
    Ok(bytes)
}

/// The files of a folder, by name.
fn files_in(directory: &Path) -> Result<Vec<(String, PathBuf)>, KeysError> {
    let entries = fs::read_dir(directory).map_err(file_error(directory))?;
    let named = entries.map(|entry| {
        let path = entry.map_err(file_error(directory))?.path();
        Ok((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), path))
    });
    named.collect()
}

/// Writes a secret so that only we can read it, and so that a crash leaves either nothing or all of it.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

/// Reads a secret and refuses one that others can read.
pub fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeysError> {
    #[cfg(unix)]
    {
        let metadata = fs::metadata(path).map_err(file_error(path))?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeysError::Exposed { path: path.to_owned(), mode });
        }
    }
    fs::read(path).map(Zeroizing::new).map_err(file_error(path))
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> KeysError {
    let path = path.to_owned();
    move |cause| KeysError::File { path, cause }
}

fn unusable<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> KeysError {
    let path = path.to_owned();
    move |why| KeysError::Unusable { path, why: why.to_string() }
}
