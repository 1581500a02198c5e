//! What the demo keeps beside the database: its API secret, and `demo.json` for scripts.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use server::auth::Secret;
use server::keys::{read_private, write_private};
use server::random::Random;

/// `demo.json`: what a script needs to use the running demo.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoFile {
    /// Where the API is; ends in `/v1`.
    pub base_url: String,
    /// Whose API it is.
    pub tenant_id: String,
    /// With which the tenant's backend signs in.
    pub api_secret: String,
    /// Where a person looks.
    pub console_url: String,
    /// The application and the kiosk.
    pub demo_url: String,
    /// The phone's page.
    pub authenticator_url: String,
    /// The hosted QR page; needs `?token=…` of a challenged action.
    pub challenge_url: String,
    /// To verify the audit log with: a C2SP verifier key.
    pub audit_public_key: String,
    /// The data folder.
    pub data: String,
    /// The folder of the pack in force.
    pub pack: String,
    /// The process that serves.
    pub pid: u32,
}

impl DemoFile {
    /// Replaces the file in one step, readable by us alone: a script sees the old one or the whole new one.
    pub fn write(&self, data: &Path) -> anyhow::Result<()> {
        let path = data.join("demo.json");
        let text = serde_json::to_string_pretty(self)? + "\n";
        write_private(&path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The data folder, closed to others when we make it.
pub fn create_folder(data: &Path) -> anyhow::Result<()> {
    let mut folder = std::fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(data).with_context(|| format!("cannot create the data folder {}", data.display()))
}

/// The file with the API secret.
pub fn secret_path(data: &Path) -> PathBuf {
    data.join("api-secret")
}

/// Makes the API secret at the first start.
pub fn make_secret(data: &Path) -> anyhow::Result<()> {
    let path = secret_path(data);
    if path.exists() {
        return Ok(());
    }
    let secret = Secret::generate(&Random::system());
    write_private(&path, secret.expose().as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

/// The port of the last start, from `demo.json`.
pub fn last_port(data: &Path) -> Option<u16> {
    let demo: serde_json::Value = serde_json::from_slice(&std::fs::read(data.join("demo.json")).ok()?).ok()?;
    let (_, port) = demo.get("baseUrl")?.as_str()?.strip_suffix("/v1")?.rsplit_once(':')?;
    port.parse().ok()
}

/// The API secret.
pub fn secret(data: &Path) -> anyhow::Result<Secret> {
    let path = secret_path(data);
    let bytes = read_private(&path)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default().trim();
    let rule = || {
        format!("{} does not hold an API secret ({}); remove it and a new one is made", path.display(), Secret::RULE)
    };
    Secret::parse(text).with_context(rule)
}
