//! Reading and judging the configuration.

use std::path::{Path, PathBuf};

use challenge::redeem::RETRY_WINDOW;
use challenge::state::{LONGEST_LIFE, MOST_ATTEMPTS};

use super::{Config, origins};

/// Why the configuration cannot be used. The text tells the operator what to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or not readable.
    #[error("cannot read the configuration {path}: {cause}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file is not TOML, or has an unknown key or a wrong value.
    #[error("the configuration {origin} is wrong: {cause}")]
    Wrong {
        /// The file, or `the environment`.
        origin: String,
        /// What and where.
        cause: String,
    },
    /// A value that cannot work.
    #[error("`{key}` cannot be used: {why}")]
    Unusable {
        /// Which key.
        key: String,
        /// Why, and what would work.
        why: String,
    },
}

impl Config {
    /// Reads `file` (if given), lays the `STEPUP__…` variables of `environment` over it and judges the result.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        let mut table = match file {
            None => toml::Table::new(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
                let table: toml::Table = toml::from_str(&text).map_err(|error| wrong(path.display(), &error))?;
                // Judged alone first, so that a mistake in the file is reported with its line.
                toml::from_str::<Config>(&text).map_err(|error| wrong(path.display(), &error))?;
                table
            }
        };
        let mut variables: Vec<_> = environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        variables.sort();
        for (name, text) in &variables {
            lay_over(&mut table, name, text)?;
        }
        let config: Config = table.try_into().map_err(|error| wrong("of the environment", &error))?;
        config.judge()?;
        Ok(config)
    }

    /// Refuses what cannot work.
    fn judge(&self) -> Result<(), ConfigError> {
        if self.sqlite_path().is_none_or(|path| path.as_os_str().is_empty()) {
            return unusable("database", "only `sqlite:PATH` is built in");
        }
        if self.velocity != "memory" {
            return unusable("velocity", "only `memory` is built in");
        }
        self.judge_server()?;
        self.judge_challenges()?;
        self.judge_tenants()?;
        self.judge_clients()?;
        self.judge_webhooks()
    }

    fn judge_server(&self) -> Result<(), ConfigError> {
        let server = &self.server;
        // The pages ask for all they need at the root of the host: under a path they would not load.
        origins::judge_web(&server.public_url).or_else(|why| unusable("server.public_url", why))?;
        if let Some(Err(why)) = server.theme_file.as_ref().map(std::fs::read_to_string) {
            return unusable("server.theme_file", format!("it cannot be read: {why}"));
        }
        let times = [server.header_timeout_s, server.body_timeout_s, server.idle_timeout_s, server.write_timeout_s];
        if times.contains(&0) {
            return unusable("server", "a time-out of 0 s would refuse everybody");
        }
        if server.max_connections == 0 || server.max_connections_per_address == 0 {
            return unusable("server.max_connections", "nobody could connect");
        }
        Ok(())
    }

    /// What the kernel would refuse, or shorten without a word.
    fn judge_challenges(&self) -> Result<(), ConfigError> {
        let challenges = &self.challenges;
        let (life_s, repeat_s) = (LONGEST_LIFE.as_secs(), RETRY_WINDOW.as_secs());
        if !(1..=life_s).contains(&i64::from(challenges.lifetime_s)) {
            let why = format!("it is {}, and a challenge is open for 1 to {life_s} seconds", challenges.lifetime_s);
            return unusable("challenges.lifetime_s", why);
        }
        if !(1..=u32::from(MOST_ATTEMPTS)).contains(&challenges.attempts) {
            let why = format!("it is {}, and a challenge allows 1 to {MOST_ATTEMPTS} attempts", challenges.attempts);
            return unusable("challenges.attempts", why);
        }
        if i64::from(challenges.revalidate_s) > repeat_s {
            let why = format!(
                "it is {}, and a repeat is answered for at most {repeat_s} seconds; 0 is never",
                challenges.revalidate_s
            );
            return unusable("challenges.revalidate_s", why);
        }
        Ok(())
    }

    fn judge_tenants(&self) -> Result<(), ConfigError> {
        for (id, tenant) in &self.tenants {
            if tenant.name.as_ref().is_some_and(|name| name.trim().is_empty()) {
                let why = format!(
                    "it is empty: write what people call the tenant, or leave it out and the tenant is called `{id}`"
                );
                return unusable(format!("tenants.{id}.name"), why);
            }
        }
        let named = self.tenants.iter().map(|(id, tenant)| (format!("tenants.{id}"), tenant));
        for (place, tenant) in named.chain([("defaults".to_owned(), &self.defaults)]) {
            for origin in &tenant.redirect_origins {
                origins::judge(origin).or_else(|why| unusable(format!("{place}.redirect_origins"), why))?;
            }
            for origin in &tenant.allowed_origins {
                origins::judge_web(origin).or_else(|why| unusable(format!("{place}.allowed_origins"), why))?;
            }
        }
        Ok(())
    }

    fn judge_clients(&self) -> Result<(), ConfigError> {
        let clients = self.tenants.values().chain([&self.defaults]).flat_map(|tenant| &tenant.clients);
        for (id, client) in clients {
            if id.is_empty() || id.len() > 100 {
                return unusable("clients", "a `clientId` has 1 to 100 characters");
            }
            if !(30..=3_600).contains(&client.access_s) {
                return unusable("clients.access_s", "an access token is valid for 30 to 3600 seconds");
            }
            if client.idle_s < client.access_s || client.lifetime_s < client.idle_s {
                return unusable("clients.idle_s", "`access_s` ≤ `idle_s` ≤ `lifetime_s` is what works");
            }
        }
        Ok(())
    }

    fn judge_webhooks(&self) -> Result<(), ConfigError> {
        let config = &self.webhooks;
        if config.timeout_s == 0 || config.attempts == 0 {
            return unusable("webhooks", "`timeout_s` and `attempts` must be at least 1");
        }
        if !self.defaults.webhooks.is_empty() {
            return unusable("defaults.webhooks", "an endpoint belongs to one tenant: `[[tenants.NAME.webhooks]]`");
        }
        for (id, tenant) in &self.tenants {
            let mut names = std::collections::BTreeSet::new();
            for hook in &tenant.webhooks {
                let about = |why: &str| unusable("tenants.webhooks", format!("`{}` of `{id}`: {why}", hook.name));
                let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
                if hook.name.is_empty() || hook.name.len() > 64 || !hook.name.bytes().all(fine) {
                    return about("a name is 1 to 64 of the characters A-Z a-z 0-9 . _ -");
                }
                if !names.insert(hook.name.as_str()) {
                    return about("there are two endpoints of this name");
                }
                if !hook.url.encrypted && !config.development {
                    return about(
                        "the URL must be https; plain http is for this machine, with `webhooks.development = true`",
                    );
                }
                if !config.development && !config.ports.contains(&hook.url.port) {
                    return about(&format!("port {} is not one of `webhooks.ports`", hook.url.port));
                }
            }
        }
        Ok(())
    }

    /// What works but will surprise: to be printed at start.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let url = self.server.public_url.as_str();
        let host = url.split("://").nth(1).unwrap_or_default().split('/').next().unwrap_or_default();
        for word in ["v1", "api"] {
            if host.contains(word) {
                warnings.push(format!(
                    "the host of server.public_url contains `{word}`: the stock browser SDK replaces it when it derives \
                     its WebSocket address, so QR challenges over WebSocket will need another host name (polling works)"
                ));
            }
        }
        if url.starts_with("http://")
            && !["localhost", "127.0.0.1", "[::1]"].iter().any(|local| host.starts_with(local))
        {
            warnings.push("server.public_url is not https: phones will refuse to use the camera and keys".to_owned());
        }
        warnings
    }
}

const PREFIX: &str = "STEPUP__";

fn unusable<T>(key: impl Into<String>, why: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError::Unusable { key: key.into(), why: why.into() })
}

fn wrong(origin: impl std::fmt::Display, error: &toml::de::Error) -> ConfigError {
    ConfigError::Wrong { origin: origin.to_string(), cause: error.to_string() }
}

/// Puts one variable at its place: `STEPUP__SERVER__LISTEN` is `server.listen`. A value is read as TOML if it is one
/// (`5`, `true`, `["a"]`), else as text.
fn lay_over(table: &mut toml::Table, name: &str, text: &str) -> Result<(), ConfigError> {
    let misplaced = || ConfigError::Wrong {
        origin: "of the environment".to_owned(),
        cause: format!("`{name}` does not name a key"),
    };
    let path: Vec<String> = name[PREFIX.len()..].split("__").map(str::to_lowercase).collect();
    let (key, sections) =
        path.split_last().filter(|_| path.iter().all(|part| !part.is_empty())).ok_or_else(misplaced)?;
    let mut place = table;
    for section in sections {
        let entry = place.entry(section.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        place = entry.as_table_mut().ok_or_else(misplaced)?;
    }
    let parsed = format!("value = {text}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("value"));
    let value = match parsed {
        Some(
            value @ (toml::Value::Integer(_) | toml::Value::Boolean(_) | toml::Value::Array(_) | toml::Value::Table(_)),
        ) => value,
        Some(toml::Value::String(text)) => toml::Value::String(text),
        Some(toml::Value::Float(_) | toml::Value::Datetime(_)) | None => toml::Value::String(text.to_owned()),
    };
    place.insert(key.clone(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("stepup.toml");
        std::fs::write(&file, text).expect("written");
        Config::load(Some(&file), environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
        let text =
            "[server]\nlisten = \"127.0.0.1:9\"\nheader_timeout_s = 7\n[limits]\nkey = { per_minute = 5, burst = 2 }\n";
        let environment = [
            ("STEPUP__SERVER__LISTEN", "0.0.0.0:80"),
            ("STEPUP__SERVER__TRUSTED_PROXIES", "[\"10.0.0.0/8\"]"),
            ("STEPUP__TENANTS__ACME__UNENROLLED", "block"),
            ("PATH", "/bin"),
        ];
        let config = load(text, &environment).expect("a good configuration");
        assert_eq!(config.server.listen.to_string(), "0.0.0.0:80");
        assert_eq!(config.server.header_timeout_s, 7);
        assert_eq!(config.server.body_timeout_s, 5);
        assert_eq!(config.limits.key.burst.get(), 2);
        assert_eq!(config.server.trusted_proxies.len(), 1);
        assert_eq!(config.tenant("acme").unenrolled, super::super::Unenrolled::Block);
        assert_eq!(config.tenant("other").unenrolled, super::super::Unenrolled::Challenge);
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        for (text, environment, names) in [
            ("[server]\nlisten_on = \"x\"", &[][..], "listen_on"),
            ("[server]\nheader_timeout_s = 0", &[], "server"),
            ("database = \"mysql:x\"", &[], "database"),
            ("velocity = \"redis://x\"", &[], "velocity"),
            ("[server]\npublic_url = \"ftp://x\"", &[], "public_url"),
            ("[server]\ntheme_file = \"/nowhere/theme.css\"", &[], "theme_file"),
            ("[limits]\nkey = { per_minute = 0, burst = 1 }", &[], "per_minute"),
            ("", &[("STEPUP__SERVER__PORT", "80")], "port"),
            ("", &[("STEPUP__", "80")], "STEPUP__"),
            ("[log]\nformat = \"xml\"", &[], "format"),
            ("[webhooks]\nport = [443]", &[], "port"),
            ("[webhooks]\nattempts = 0", &[], "attempts"),
            ("[[tenants.a.webhooks]]\nname = \"x\"\nurl = \"https://x/\"\nsecret = \"s\"", &[], "secret"),
            ("[[tenants.a.webhooks]]\nname = \"x\"\nurl = \"http://x/\"", &[], "https"),
            ("[[tenants.a.webhooks]]\nname = \"x\"\nurl = \"https://x:22/\"", &[], "22"),
            ("[[tenants.a.webhooks]]\nname = \"a b\"\nurl = \"https://x/\"", &[], "a b"),
            (
                "[[tenants.a.webhooks]]\nname = \"x\"\nurl = \"https://x/\"\nevents = [\"challenge.won\"]",
                &[],
                "challenge.won",
            ),
            ("[[defaults.webhooks]]\nname = \"x\"\nurl = \"https://x/\"", &[], "defaults"),
            // Which maker's, the message says.
            ("[tenants.a.attestation]\nmore_roots = [\"x.pem\"]", &[], "`android_more_roots`"),
            ("[tenants.a.clients.web]\naccess_s = 7200", &[], "clients.access_s"),
            ("[defaults.clients.web]\nidle_s = 60", &[], "clients.idle_s"),
            ("[tenants.a.clients.web]\nclaims = [\"ssn\"]", &[], "ssn"),
            ("[[tenants.a.webhooks]]\nname = \"x\"\nurl = \"https://x/\"\nevents = []", &[], "leave `events` out"),
        ] {
            let error = load(text, environment).expect_err(text).to_string();
            assert!(error.contains(names), "{text}: {error}");
        }
    }

    #[test]
    fn what_would_be_changed_in_silence_is_refused_with_what_to_write() {
        let check = |text: &str, says: &str| {
            let error = load(text, &[]).expect_err(text).to_string();
            assert_eq!(error, says, "{text}");
        };
        for (value, why) in [("0", "0"), ("601", "601"), ("3600", "3600")] {
            check(
                &format!("[challenges]\nlifetime_s = {value}"),
                &format!(
                    "`challenges.lifetime_s` cannot be used: it is {why}, and a challenge is open for 1 to 600 seconds"
                ),
            );
        }
        for value in ["0", "6", "256"] {
            check(
                &format!("[challenges]\nattempts = {value}"),
                &format!("`challenges.attempts` cannot be used: it is {value}, and a challenge allows 1 to 5 attempts"),
            );
        }
        check(
            "[challenges]\nrevalidate_s = 61",
            "`challenges.revalidate_s` cannot be used: it is 61, and a repeat is answered for at most 60 seconds; 0 is never",
        );
        for name in ["", " "] {
            check(
                &format!("[tenants.a]\nname = \"{name}\""),
                "`tenants.a.name` cannot be used: it is empty: write what people call the tenant, or leave it out and the \
                 tenant is called `a`",
            );
        }
        let edges = "[challenges]\nlifetime_s = 600\nattempts = 5\nrevalidate_s = 60\n[tenants.a]\nname = \"A\"";
        load(edges, &[]).expect("the longest life and the most attempts");
        load("[challenges]\nlifetime_s = 1\nattempts = 1\nrevalidate_s = 0", &[]).expect("the shortest and the fewest");
    }

    #[test]
    fn what_is_no_origin_is_refused_by_key_and_value() {
        for (key, value) in [
            ("redirect_origins", "shop.example"),
            ("redirect_origins", "*"),
            ("redirect_origins", "https://shop.example/cart"),
            ("allowed_origins", "shop.example"),
            ("allowed_origins", "*"),
            ("allowed_origins", "https://shop.example/cart"),
            ("allowed_origins", "shop-app://back"),
        ] {
            for place in ["tenants.a", "defaults"] {
                let text = format!("[{place}]\n{key} = [\"https://good.example\", \"{value}\"]");
                let error = load(&text, &[]).expect_err(&text).to_string();
                let begins = format!("`{place}.{key}` cannot be used: `{value}` ");
                assert!(error.starts_with(&begins) && error.contains("`https://"), "{text}: {error}");
            }
        }
        let text = "[tenants.a]\nredirect_origins = [\"https://shop.example:8443\", \"http://localhost:3000\", \"shop-app://back\"]\n\
                    allowed_origins = [\"https://shop.example\", \"http://[::1]:3000\"]";
        load(text, &[]).expect("origins");
    }

    #[test]
    fn our_own_address_has_no_path() {
        for good in
            ["https://mfa.example.com", "https://mfa.example.com/", "http://localhost:8080", "https://m.example:8443"]
        {
            load(&format!("[server]\npublic_url = \"{good}\""), &[]).expect(good);
        }
        for (bad, says) in [
            ("https://mfa.example.com/v1", "write `https://mfa.example.com`"),
            ("https://example.com/mfa/", "write `https://example.com`"),
            ("https://mfa.example.com?a", "write `https://mfa.example.com`"),
            ("mfa.example.com", "`https://"),
            ("https://", "`https://"),
        ] {
            let error = load(&format!("[server]\npublic_url = \"{bad}\""), &[]).expect_err(bad).to_string();
            assert!(
                error.starts_with("`server.public_url` cannot be used: ") && error.contains(says),
                "{bad}: {error}"
            );
        }
    }

    #[test]
    fn a_host_that_breaks_the_stock_socket_url_is_warned_about() {
        let mut config = Config::default();
        assert!(config.warnings().is_empty());
        config.server.public_url = "https://rapid.example.com".to_owned();
        assert_eq!(config.warnings().len(), 1);
    }
}
