//! `stepup keys new|list|revoke`, and `rotate|signing` of `signing.rs`

mod signing;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use challenge::TenantId;
use jiff::Timestamp;
use serde_json::json;
use server::auth::{Role, Secret};
use server::keys::write_private;
use server::random::Random;
use server::store::{ApiKey, NewApiKey, Store};

use crate::exit::Exit;
use crate::output::{self, Format, JSON_VERSION};
use crate::place::{self, Place};
use crate::service;

/// Options of `keys`.
#[derive(clap::Args)]
#[command(
    after_help = "For `new`, `list` and `revoke` the service must be stopped: two writers would tear the audit log apart."
)]
pub struct Keys {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Make an API key; its secret is shown once and kept only as a hash
    New(New),
    /// List the API keys, without their secrets
    List(List),
    /// Revoke an API key
    Revoke(Revoke),
    /// Make the next key that signs tokens
    Rotate(signing::Rotate),
    /// List the keys that sign tokens: which does, which comes, which can go
    Signing(signing::Signing),
}

#[derive(clap::Args)]
struct New {
    /// For which tenant; may be left out when there is only one
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// What the key may do
    #[arg(long, value_enum)]
    role: RoleName,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// Write the secret to this file, readable by you alone, instead of showing it
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
struct List {
    /// Of which tenant; all when left out
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
struct Revoke {
    /// The key's id, as `keys list` shows it
    id: String,
    /// Of which tenant; may be left out when there is only one
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum RoleName {
    /// A customer's backend: track, validate, users, authenticators
    Backend,
    /// Tries rules and keeps lists
    Analyst,
    /// Reads decisions, users and policies
    Reviewer,
    /// Everything
    Admin,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Role {
        match name {
            RoleName::Backend => Role::Backend,
            RoleName::Analyst => Role::Analyst,
            RoleName::Reviewer => Role::Reviewer,
            RoleName::Admin => Role::Admin,
        }
    }
}

impl Keys {
    /// Does what was asked.
    pub fn run(self) -> anyhow::Result<Exit> {
        match self.verb {
            Verb::New(new) => with_store(&new.place.clone(), async |store| new.run(store).await),
            Verb::List(list) => with_store(&list.place.clone(), async |store| list.run(store).await),
            Verb::Revoke(revoke) => with_store(&revoke.place.clone(), async |store| revoke.run(store).await),
            Verb::Rotate(rotate) => rotate.run(),
            Verb::Signing(signing) => signing.run(),
        }
    }
}

/// Opens the data, does it, closes the data.
fn with_store(place: &Place, work: impl AsyncFnOnce(&Store) -> anyhow::Result<Exit>) -> anyhow::Result<Exit> {
    let config = place.config()?;
    let remedy = place.remedy();
    service::runtime()?.block_on(async {
        let store = place::open(&config, remedy).await?;
        let done = work(&store).await;
        store.close().await;
        done
    })
}

impl New {
    async fn run(self, store: &Store) -> anyhow::Result<Exit> {
        let tenant = which_tenant(store, self.tenant.as_deref()).await?;
        let secret = Secret::generate(&Random::system());
        let role = Role::from(self.role);
        // The secret first: a key whose secret was never seen would be of no use to anybody.
        if let Some(path) = &self.secret_file {
            anyhow::ensure!(!path.exists(), "{} is there already; secrets are not overwritten", path.display());
            write_private(path, secret.expose().as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        let key = NewApiKey {
            tenant,
            id: format!("{}-{}", role.as_str(), secret.fingerprint()),
            role: role.as_str().to_owned(),
            name: self.name,
            hash: secret.hash(),
            created_at: Timestamp::now(),
        };
        let key = store.put_api_key(key).await?;
        if self.format == Format::Json {
            let mut key = as_json(&key);
            match &self.secret_file {
                Some(path) => key["secretFile"] = json!(path),
                None => key["secret"] = json!(secret.expose()),
            }
            output::json(&json!({"version": JSON_VERSION, "key": key}))?;
            return Ok(Exit::Fine);
        }
        let mut out = output::stdout();
        writeln!(out, "{} may act as {} for the tenant {}", key.id, key.role, key.tenant)?;
        match &self.secret_file {
            Some(path) => writeln!(out, "its secret is in {}", path.display())?,
            None => writeln!(out, "its secret, shown only now: {}", secret.expose())?,
        }
        out.flush()?;
        Ok(Exit::Fine)
    }
}

impl List {
    async fn run(self, store: &Store) -> anyhow::Result<Exit> {
        let tenants = match &self.tenant {
            Some(id) => vec![which_tenant(store, Some(id)).await?],
            None => store.tenants().await?.into_iter().map(|tenant| tenant.id).collect(),
        };
        let mut keys = Vec::new();
        for tenant in &tenants {
            keys.extend(store.api_keys(tenant).await?);
        }
        let mut out = output::stdout();
        match self.format {
            Format::Json => {
                let keys: Vec<_> = keys.iter().map(as_json).collect();
                writeln!(out, "{}", serde_json::to_string_pretty(&json!({"version": JSON_VERSION, "keys": keys}))?)?;
            }
            Format::Text if keys.is_empty() => writeln!(out, "there are no keys")?,
            Format::Text => {
                for key in &keys {
                    let state = key.revoked_at.map_or_else(|| "in use".to_owned(), |at| format!("revoked {at}"));
                    writeln!(
                        out,
                        "{}  {}  {}  made {}  {state}  \"{}\"",
                        key.tenant, key.id, key.role, key.created_at, key.name
                    )?;
                }
            }
        }
        out.flush()?;
        Ok(Exit::Fine)
    }
}

impl Revoke {
    async fn run(self, store: &Store) -> anyhow::Result<Exit> {
        let tenant = which_tenant(store, self.tenant.as_deref()).await?;
        let revoked = store.revoke_api_key(&tenant, &self.id, "command-line", Timestamp::now()).await?;
        let Some(key) = revoked else {
            let known = store.api_keys(&tenant).await?;
            let near = grammar::nearest(&self.id, known.iter().map(|key| key.id.as_str()));
            let hint = near
                .map_or_else(|| "`stepup keys list` shows them".to_owned(), |near| format!("did you mean `{near}`?"));
            anyhow::bail!("the tenant {tenant} has no key `{}`; {hint}", self.id);
        };
        if self.format == Format::Json {
            output::json(&json!({"version": JSON_VERSION, "key": as_json(&key)}))?;
            return Ok(Exit::Fine);
        }
        let mut out = output::stdout();
        writeln!(out, "{} is revoked: nobody can use it any more", key.id)?;
        out.flush()?;
        Ok(Exit::Fine)
    }
}

/// The tenant that was named; the only one when none was.
async fn which_tenant(store: &Store, named: Option<&str>) -> anyhow::Result<TenantId> {
    let tenants = store.tenants().await?;
    let ids = || tenants.iter().map(|tenant| tenant.id.as_str()).collect::<Vec<_>>();
    match (named, tenants.as_slice()) {
        (Some(name), _) => match tenants.iter().find(|tenant| tenant.id.as_str() == name) {
            Some(tenant) => Ok(tenant.id.clone()),
            None => anyhow::bail!("there is no tenant `{name}`; there are: {}", ids().join(", ")),
        },
        (None, [only]) => Ok(only.id.clone()),
        (None, []) => anyhow::bail!("there is no tenant yet: start the service once with a `[tenants.NAME]`"),
        (None, [_, _, ..]) => anyhow::bail!("which tenant? Name one with --tenant: {}", ids().join(", ")),
    }
}

fn as_json(key: &ApiKey) -> serde_json::Value {
    json!({
        "tenant": key.tenant.as_str(),
        "id": key.id,
        "role": key.role,
        "name": key.name,
        "createdAt": key.created_at.to_string(),
        "revokedAt": key.revoked_at.map(|at| at.to_string()),
    })
}
