//! One wiring for production, the demo and the tests.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use challenge::token::SHORTEST_SHARED_SECRET;
use challenge::{Issuer, TenantId};
use geoip::Atlas;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::attempts::Attempts;
use crate::auth::Secret;
use crate::caches::Caches;
use crate::challenges::prompts::Prompts;
use crate::clock::{Clock, Steady, SystemClock};
use crate::config::{Config, TenantConfig, TokenAlgorithm};
use crate::evidence::Judges;
use crate::keys::{Keys, KeysError};
use crate::limits::Limits;
use crate::notify::Notifier;
use crate::policies::{PackRefused, Policies};
use crate::random::Random;
use crate::store::{self, NewApiKey, NewTenant, OpenError, Store, StoreError};
use crate::webhooks::Webhooks;
use crate::webhooks::guard::{Resolve, SystemResolver};

/// The running service. Cloning shares it.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What the service is made of.
pub struct Parts {
    /// What the operator decided.
    pub config: Arc<Config>,
    /// What happened, durable.
    pub store: Store,
    /// What time it is.
    pub clock: Arc<Steady>,
    /// The dice.
    pub random: Random,
    /// The rules in force and the history they read, per tenant.
    pub policies: Policies,
    /// Where addresses are.
    pub atlas: ArcSwap<Atlas>,
    /// Our private keys.
    pub keys: Keys,
    /// What to believe of what makers of phones say.
    pub judges: Judges,
    /// How much anyone may ask.
    pub limits: Limits,
    /// Who waits for a challenge to change.
    pub notifier: Notifier,
    /// Answers that would cost a database round trip.
    pub caches: Caches,
    /// How often users were asked lately.
    pub prompts: Prompts,
    /// Attempts under way, by their idempotency key.
    pub attempts: Attempts,
    /// Who is told what happened, and the way there.
    pub webhooks: Webhooks,
    /// Cancelled when the server begins to drain: sockets close, workers stop.
    pub closing: CancellationToken,
    pub(crate) issuer: Issuer,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Why the service does not start. The text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store opened, and then failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A pack does not compile; the diagnostics are rendered.
    #[error(transparent)]
    Pack(#[from] PackRefused),
    /// A geo database cannot be used.
    #[error("a geo database cannot be used: {0}")]
    Geo(String),
    /// A value of the configuration is not what it should be.
    #[error("`{key}` cannot be used: {why}")]
    Config {
        /// Which key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

impl App {
    /// Opens the store, loads the keys, compiles the packs and rebuilds history; then the service can answer.
    pub async fn start(config: Config) -> Result<App, StartError> {
        App::start_with(config, Arc::new(SystemClock::new()), Random::system()).await
    }

    /// The same with a clock and dice of the caller's choice.
    pub async fn start_with(config: Config, clock: Arc<dyn Clock>, random: Random) -> Result<App, StartError> {
        App::start_resolving(config, clock, random, Arc::new(SystemResolver)).await
    }

    /// The same with a way of the caller's choice to find the hosts of webhooks.
    pub async fn start_resolving(
        config: Config,
        clock: Arc<dyn Clock>,
        random: Random,
        resolver: Arc<dyn Resolve>,
    ) -> Result<App, StartError> {
        let refused =
            |key: &str, why: &dyn std::fmt::Display| StartError::Config { key: key.to_owned(), why: why.to_string() };
        let issuer = Issuer::parse(config.server.public_url.trim_end_matches('/'))
            .map_err(|error| refused("server.public_url", &error))?;
        let keys = Keys::load(&config.keys.directory, &issuer, shared_secrets(&config)?, &random)?;
        let path = config.sqlite_path().ok_or_else(|| refused("database", &"only `sqlite:PATH` is built in"))?;
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(|error| refused("database", &error))?;
        }
        let judges = Judges::start(&config, clock.now())?;
        let webhooks = Webhooks::start(&config, resolver)?;
        let subscriptions = Arc::new(webhooks.subscriptions());
        let options = store::Options { subscriptions, ..store::Options::new(path, keys.log().clone()) };
        let store = Store::open(options).await?;
        let last = store.log_time().await?.unwrap_or(Timestamp::MIN);
        let clock = Arc::new(Steady::since(last, clock));
        let atlas = match config.geo.files.as_slice() {
            [] => Atlas::bundled(),
            files => Atlas::open(files).map_err(|error| StartError::Geo(error.to_string()))?,
        };
        create_tenants(&config, &store, clock.now()).await?;
        let policies = Policies::start(&config, &store, clock.clone()).await?;
        let prompts = Prompts::remember(&store, clock.now()).await?;
        Ok(App(Arc::new(Parts {
            limits: Limits::new(&config.limits, clock.clone()),
            config: Arc::new(config),
            store,
            clock,
            random,
            policies,
            atlas: ArcSwap::from_pointee(atlas),
            keys,
            judges,
            notifier: Notifier::default(),
            caches: Caches::default(),
            prompts,
            attempts: Attempts::default(),
            webhooks,
            closing: CancellationToken::new(),
            issuer,
        })))
    }

    /// Every path of ours.
    pub fn router(&self) -> Router {
        crate::http::router(self.clone())
    }

    /// How the world reaches us: tokens name it as `iss`, phones pin it.
    pub fn issuer(&self) -> Issuer {
        self.issuer.clone()
    }

    /// Adds a tenant with an API key, unless they exist already. For the demo and for tests.
    pub async fn admit(&self, tenant: &TenantId, name: &str, role: &str, secret: &Secret) -> Result<(), StoreError> {
        admit(&self.store, tenant, name, role, role, secret, self.clock.now()).await?;
        self.policies.create(&self.store, tenant).await
    }
}

/// Creates the tenants of the configuration, with the API keys of their secret files.
async fn create_tenants(config: &Config, store: &Store, now: Timestamp) -> Result<(), StartError> {
    for (id, settings) in &config.tenants {
        let tenant = configured_tenant(id)?;
        let name = settings.name.as_deref().unwrap_or(id);
        match configured_secret(id, settings)? {
            None => put_tenant(store, &tenant, name, now).await?,
            Some(secret) => admit(store, &tenant, name, "backend", "configured", &secret, now).await?,
        }
    }
    Ok(())
}

/// The secrets of the tenants whose tokens are signed with them.
fn shared_secrets(config: &Config) -> Result<Vec<(TenantId, Secret)>, StartError> {
    let mut shared = Vec::new();
    for (id, settings) in config.tenants.iter().filter(|(id, _)| config.tenant(id).tokens == TokenAlgorithm::Hs256) {
        let refused = |why: String| StartError::Config { key: format!("tenants.{id}.tokens"), why };
        let secret = configured_secret(id, settings)?;
        let secret = secret
            .ok_or_else(|| refused("hs256 signs with the tenant's API secret: name its `secret_file`".to_owned()))?;
        if secret.expose().len() < SHORTEST_SHARED_SECRET {
            return Err(refused(format!("hs256 needs a secret of at least {SHORTEST_SHARED_SECRET} characters")));
        }
        shared.push((configured_tenant(id)?, secret));
    }
    Ok(shared)
}

fn configured_tenant(id: &str) -> Result<TenantId, StartError> {
    TenantId::parse(id).map_err(|error| StartError::Config { key: format!("tenants.{id}"), why: error.to_string() })
}

fn configured_secret(id: &str, settings: &TenantConfig) -> Result<Option<Secret>, StartError> {
    let Some(file) = &settings.secret_file else { return Ok(None) };
    let bytes = crate::keys::read_private(file)?;
    let text = std::str::from_utf8(&bytes).map(str::trim).unwrap_or_default();
    let refused = || StartError::Config { key: format!("tenants.{id}.secret_file"), why: Secret::RULE.to_owned() };
    Secret::parse(text).map(Some).ok_or_else(refused)
}

async fn put_tenant(store: &Store, tenant: &TenantId, name: &str, at: Timestamp) -> Result<(), StoreError> {
    let tenant = NewTenant { id: tenant.clone(), name: name.to_owned(), settings: "{}".to_owned(), at };
    store.put_tenant(tenant).await.map(drop)
}

async fn admit(
    store: &Store,
    tenant: &TenantId,
    name: &str,
    role: &str,
    key: &str,
    secret: &Secret,
    at: Timestamp,
) -> Result<(), StoreError> {
    put_tenant(store, tenant, name, at).await?;
    let key = NewApiKey {
        tenant: tenant.clone(),
        id: format!("{key}-{}", secret.fingerprint()),
        role: role.to_owned(),
        name: format!("{name} ({role})"),
        hash: secret.hash(),
        created_at: at,
    };
    store.put_api_key(key).await.map(drop)
}
