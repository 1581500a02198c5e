//! What the operator decides: `stepup.toml`, and over it `STEPUP__SECTION__KEY` in the environment.
//!
//! Every key has a default; an unknown key is refused with its name, because a misspelt limit is no limit.
//! `docs/configuration.md` is the operator's page; a test compares its keys with these.

mod attestation;
#[cfg(test)]
mod documented;
mod load;
mod origins;
mod webhooks;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use crate::limits::LimitsConfig;
pub use attestation::{AttestationConfig, AttestationPolicy, PlayConfig};
pub use load::ConfigError;
pub use webhooks::{EventPattern, HookUrl, WebhookConfig, WebhooksConfig};

/// Everything that can be configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where things are kept: `sqlite:PATH`.
    pub database: String,
    /// Where velocity windows live: `memory`.
    pub velocity: String,
    /// How we listen.
    pub server: ServerConfig,
    /// Which rules are in force.
    pub policies: PoliciesConfig,
    /// Geo databases beside the bundled ones.
    pub geo: GeoConfig,
    /// Where our private keys are.
    pub keys: KeysConfig,
    /// Challenges and their tokens.
    pub challenges: ChallengesConfig,
    /// How much anyone may ask of us.
    pub limits: LimitsConfig,
    /// What holds for every webhook endpoint.
    pub webhooks: WebhooksConfig,
    /// What we write to the log.
    pub log: LogConfig,
    /// Settings of tenants that have none of their own.
    pub defaults: TenantConfig,
    /// The tenant for which `/demo` plays the backend, without a secret. No file and no variable can set it.
    #[serde(skip)]
    pub demo: Option<String>,
    /// Tenants by their id; each is created at start.
    pub tenants: BTreeMap<String, TenantConfig>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            database: "sqlite:stepup.db".to_owned(),
            velocity: "memory".to_owned(),
            server: ServerConfig::default(),
            policies: PoliciesConfig::default(),
            geo: GeoConfig::default(),
            keys: KeysConfig::default(),
            challenges: ChallengesConfig::default(),
            limits: LimitsConfig::default(),
            webhooks: WebhooksConfig::default(),
            log: LogConfig::default(),
            defaults: TenantConfig::default(),
            demo: None,
            tenants: BTreeMap::new(),
        }
    }
}

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// How browsers and phones reach us: scheme and host, without a path. Tokens name it as `iss`, phones pin it.
    pub public_url: String,
    /// A style sheet of your own for the hosted pages, read after theirs: `:root { --accent: #7a1fa2 }`. What it may set is at
    /// the top of `/assets/stepup.css`; the pages load nothing from elsewhere.
    pub theme_file: Option<PathBuf>,
    /// Networks whose `X-Forwarded-For` and `Forwarded` we believe. Empty: the headers are ignored.
    pub trusted_proxies: Vec<IpNet>,
    /// Most open connections.
    pub max_connections: usize,
    /// Most open connections from one address (IPv6: one /64); trusted proxies are exempt.
    pub max_connections_per_address: usize,
    /// Seconds until the request head must have arrived.
    pub header_timeout_s: u64,
    /// Seconds until the body must have arrived.
    pub body_timeout_s: u64,
    /// Seconds a connection may be idle between requests.
    pub idle_timeout_s: u64,
    /// Seconds a client may take to accept more of an answer.
    pub write_timeout_s: u64,
    /// Seconds a WebSocket may be open before it asks for its first challenge.
    pub socket_timeout_s: u64,
    /// Seconds between two pings on a WebSocket; a client that lets two of them pass is gone.
    pub ping_s: u64,
    /// Seconds that requests in flight get to finish at shutdown.
    pub drain_s: u64,
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: "http://localhost:8080".to_owned(),
            theme_file: None,
            trusted_proxies: Vec::new(),
            max_connections: 16_000,
            max_connections_per_address: 1_000,
            header_timeout_s: 5,
            body_timeout_s: 5,
            idle_timeout_s: 60,
            write_timeout_s: 10,
            socket_timeout_s: 30,
            ping_s: 30,
            drain_s: 10,
        }
    }
}

impl ServerConfig {
    /// The body time-out as a duration.
    pub fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_s)
    }
}

/// `[policies]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoliciesConfig {
    /// The pack's directory.
    pub pack: PathBuf,
    /// Whether to reload when a file of the pack or of the keys changes (SIGHUP always reloads).
    pub watch: bool,
    /// How far in the past `occurredAt` may lie, in seconds.
    pub late_s: u64,
    /// How far in the future `occurredAt` may lie before it is clamped, in seconds.
    pub future_s: u64,
}

impl Default for PoliciesConfig {
    fn default() -> PoliciesConfig {
        PoliciesConfig { pack: PathBuf::from("rules/starter"), watch: true, late_s: 30 * 86_400, future_s: 60 }
    }
}

/// `[geo]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeoConfig {
    /// MMDB files (GeoLite2, GeoIP2, DB-IP), preferred over the bundled data.
    pub files: Vec<PathBuf>,
}

/// `[keys]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeysConfig {
    /// The directory with our private keys; missing ones are made at start, readable by us alone.
    pub directory: PathBuf,
}

impl Default for KeysConfig {
    fn default() -> KeysConfig {
        KeysConfig { directory: PathBuf::from("stepup-keys") }
    }
}

/// `[challenges]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChallengesConfig {
    /// How long a challenge stays open unless its rule says otherwise, in seconds; at most 600.
    pub lifetime_s: u32,
    /// How many answers may fail unless the rule says otherwise; at most 5.
    pub attempts: u32,
    /// Within how many seconds the same caller may validate a result token again and get the same answer, flagged
    /// `alreadyValidated`; at most 60, and 0 for never. Stock SDKs send a request twice when the connection breaks.
    pub revalidate_s: u32,
}

impl Default for ChallengesConfig {
    fn default() -> ChallengesConfig {
        ChallengesConfig { lifetime_s: 600, attempts: 3, revalidate_s: 0 }
    }
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// A tracing filter: `info`, `server=debug,info`.
    pub filter: String,
    /// `json` or `text`.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig { filter: "info".to_owned(), format: LogFormat::Json }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object per line, for machines.
    Json,
    /// For people.
    Text,
}

/// `[tenants.<id>]` and `[defaults]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TenantConfig {
    /// What people call it.
    pub name: Option<String>,
    /// A file with the API secret of the tenant's backend; it must not be readable by others.
    pub secret_file: Option<PathBuf>,
    /// A pack of its own instead of `[policies] pack`.
    pub pack: Option<PathBuf>,
    /// What a challenge for a user without a device comes to.
    pub unenrolled: Option<Unenrolled>,
    /// Origins to which the hosted page may return: `https://shop.example`.
    pub redirect_origins: Vec<String>,
    /// Origins of pages that may use the client API from a browser (CORS and WebSocket), beside our own. Empty: pages of
    /// this machine.
    pub allowed_origins: Vec<String>,
    /// Whether `bind` may be satisfied by the server's own linking, for stock SDKs that do not sign the context. It may unless
    /// this says `false` (`docs/decisions/0023`).
    pub server_linking: Option<bool>,
    /// How phones must sign, by action; `*` for every other action. Without an entry, as a rule's `bind` says.
    pub min_mobile_protocol: BTreeMap<String, MobileProtocol>,
    /// With what its tokens are signed.
    pub tokens: Option<TokenAlgorithm>,
    /// Who is told what happened.
    pub webhooks: Vec<WebhookConfig>,
    /// For how many seconds a phone that is not the user's first, or came in by a recovery, confirms nothing of the level
    /// `cooling_off_level`; 0 for never.
    pub cooling_off_s: Option<u32>,
    /// From which level on a phone must have cooled off.
    pub cooling_off_level: Option<CoolingOffLevel>,
    /// What lets a further phone in.
    pub second_phone: Option<SecondPhone>,
    /// What is asked of the makers of phones.
    pub attestation: Option<AttestationConfig>,
    /// The applications that may have sessions, by the `clientId` they are known by.
    pub clients: BTreeMap<String, ClientConfig>,
}

/// `[tenants.<id>.clients.<clientId>]`: an application whose users have sessions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientConfig {
    /// How long an access token is valid, in seconds; at most an hour.
    pub access_s: u32,
    /// How long a session lasts that is not refreshed, in seconds.
    pub idle_s: u32,
    /// How long a session lasts at most, in seconds.
    pub lifetime_s: u32,
    /// What its access tokens tell of the user.
    pub claims: Vec<ProfileClaim>,
}

impl Default for ClientConfig {
    fn default() -> ClientConfig {
        ClientConfig { access_s: 600, idle_s: 7 * 86_400, lifetime_s: 30 * 86_400, claims: Vec::new() }
    }
}

/// A claim about the user, by its name in OpenID Connect Core 1.0 §5.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileClaim {
    /// `email` and `email_verified`.
    Email,
    /// `phone_number` and `phone_number_verified`.
    PhoneNumber,
    /// `preferred_username`: the tracked `username`.
    PreferredUsername,
    /// `name`: the `displayName`.
    Name,
    /// `locale`.
    Locale,
}

/// How a tenant's tokens are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenAlgorithm {
    /// With a key of ours; the public half is in the JWKS.
    #[default]
    Es256,
    /// With the API secret of `secret_file`, for backends that verify tokens themselves as the wire once had it. Whoever
    /// holds the secret can make such tokens.
    Hs256,
}

/// The oldest way of signing that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MobileProtocol {
    /// The bare challenge id, as stock SDKs sign it.
    Compat,
    /// Purpose, context and decision: version 2.
    V2,
}

/// The level of challenge from which on a new phone waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CoolingOffLevel {
    /// Every challenge.
    Possession,
    /// Only the strongest.
    #[default]
    Biometric,
}

impl From<CoolingOffLevel> for challenge::state::Level {
    fn from(level: CoolingOffLevel) -> challenge::state::Level {
        match level {
            CoolingOffLevel::Possession => challenge::state::Level::Possession,
            CoolingOffLevel::Biometric => challenge::state::Level::Biometric,
        }
    }
}

/// What lets in a phone that is not the user's first (T-22). It cools off either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecondPhone {
    /// The scope `add:authenticators`, which the backend gives when it has made sure by its own means; where a policy
    /// challenges the action, once that is passed.
    #[default]
    Scope,
    /// A phone that is there: the scope counts only after one has approved the action. Without one a recovery code or an
    /// administrator's reset remains.
    Approval,
}

/// A day: long enough for a message to reach the owner of an account.
const COOLING_OFF_S: u32 = 24 * 3600;

/// What happens when a user without an enrolled device must be challenged. Never a silent allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unenrolled {
    /// The hosted page walks the user through enrolment first.
    #[default]
    Challenge,
    /// The action is refused.
    Block,
    /// The action goes ahead for a user who never had a device; said in the decision and in the log. Whoever lost theirs is
    /// challenged.
    Allow,
}

/// What holds for one tenant, defaults filled in.
#[derive(Clone, Debug)]
pub struct TenantSettings {
    /// See [`TenantConfig::unenrolled`].
    pub unenrolled: Unenrolled,
    /// See [`TenantConfig::redirect_origins`].
    pub redirect_origins: Vec<String>,
    /// See [`TenantConfig::allowed_origins`].
    pub allowed_origins: Vec<String>,
    /// See [`TenantConfig::server_linking`].
    pub server_linking: bool,
    /// See [`TenantConfig::min_mobile_protocol`].
    pub min_mobile_protocol: BTreeMap<String, MobileProtocol>,
    /// See [`TenantConfig::tokens`].
    pub tokens: TokenAlgorithm,
    /// See [`TenantConfig::cooling_off_s`].
    pub cooling_off_s: u32,
    /// See [`TenantConfig::cooling_off_level`].
    pub cooling_off_level: CoolingOffLevel,
    /// See [`TenantConfig::second_phone`].
    pub second_phone: SecondPhone,
}

impl Config {
    /// The defaults for a demo: everything under `data`, on `port` of this machine.
    pub fn demo(data: &Path, port: u16) -> Config {
        let mut config =
            Config { database: format!("sqlite:{}", data.join("stepup.db").display()), ..Config::default() };
        config.keys.directory = data.join("keys");
        config.server.listen = SocketAddr::from(([127, 0, 0, 1], port));
        config.server.public_url = format!("http://localhost:{port}");
        config.log.format = LogFormat::Text;
        config.defaults.clients.insert("demo".to_owned(), ClientConfig::default());
        config
    }

    /// The settings of one of a tenant's applications; its own before the defaults.
    pub fn client(&self, tenant: &str, client: &str) -> Option<&ClientConfig> {
        let own = self.tenants.get(tenant).and_then(|tenant| tenant.clients.get(client));
        own.or_else(|| self.defaults.clients.get(client))
    }

    /// The settings of a tenant, its own before the defaults.
    pub fn tenant(&self, id: &str) -> TenantSettings {
        let none = TenantConfig::default();
        let own = self.tenants.get(id).unwrap_or(&none);
        let origins = |own: &Vec<String>, default: &Vec<String>| {
            if own.is_empty() { default.clone() } else { own.clone() }
        };
        TenantSettings {
            unenrolled: own.unenrolled.or(self.defaults.unenrolled).unwrap_or_default(),
            redirect_origins: origins(&own.redirect_origins, &self.defaults.redirect_origins),
            allowed_origins: origins(&own.allowed_origins, &self.defaults.allowed_origins),
            server_linking: own.server_linking.or(self.defaults.server_linking).unwrap_or(true),
            min_mobile_protocol: match own.min_mobile_protocol.is_empty() {
                true => self.defaults.min_mobile_protocol.clone(),
                false => own.min_mobile_protocol.clone(),
            },
            tokens: own.tokens.or(self.defaults.tokens).unwrap_or_default(),
            cooling_off_s: own.cooling_off_s.or(self.defaults.cooling_off_s).unwrap_or(COOLING_OFF_S),
            cooling_off_level: own.cooling_off_level.or(self.defaults.cooling_off_level).unwrap_or_default(),
            second_phone: own.second_phone.or(self.defaults.second_phone).unwrap_or_default(),
        }
    }

    /// The pack directory of a tenant.
    pub fn pack(&self, tenant: &str) -> &Path {
        self.tenants.get(tenant).and_then(|own| own.pack.as_deref()).unwrap_or(&self.policies.pack)
    }

    /// The SQLite file of `database`.
    pub fn sqlite_path(&self) -> Option<&Path> {
        self.database.strip_prefix("sqlite:").map(|path| Path::new(path.strip_prefix("//").unwrap_or(path)))
    }
}
