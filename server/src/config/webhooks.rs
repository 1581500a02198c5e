//! `[webhooks]` and `[[tenants.<id>.webhooks]]`: who hears of what, and where we may knock.

use std::path::PathBuf;

use axum::http::Uri;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

use crate::store::EventType;

/// `[webhooks]`: what holds for every endpoint.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhooksConfig {
    /// Lets endpoints be plain http, and have any port, on this machine. For development and tests.
    pub development: bool,
    /// The ports that endpoints may have.
    pub ports: Vec<u16>,
    /// Networks that are not the public Internet and may be reached nevertheless: `10.1.2.0/24`.
    pub allowed_networks: Vec<IpNet>,
    /// Certificates (PEM) of authorities that are trusted beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// Seconds that one attempt may take, from the name's look-up to the end of the answer.
    pub timeout_s: u64,
    /// How often an event is tried before it becomes a dead letter. The pauses double from five seconds to six hours.
    pub attempts: u32,
    /// How long a delivered event is kept, in seconds.
    pub keep_delivered_s: u64,
    /// How long a dead letter is kept, in seconds.
    pub keep_dead_s: u64,
}

impl Default for WebhooksConfig {
    fn default() -> WebhooksConfig {
        WebhooksConfig {
            development: false,
            ports: vec![443, 8443],
            allowed_networks: Vec::new(),
            ca_file: None,
            timeout_s: 5,
            attempts: 16,
            keep_delivered_s: 86_400,
            keep_dead_s: 30 * 86_400,
        }
    }
}

/// `[[tenants.<id>.webhooks]]`: one endpoint.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// What lists of dead letters call it; its own within the tenant.
    pub name: String,
    /// Where it listens.
    pub url: HookUrl,
    /// Files with its secrets, one signature for each, so that a secret can be changed without a gap. Without any, the
    /// tenant's `secret_file`: what the field's SDKs verify with.
    #[serde(default)]
    pub secret_files: Vec<PathBuf>,
    /// What it wants to hear: `challenge.approved`, `challenge.*`. Without the key, everything.
    #[serde(default, deserialize_with = "some_events")]
    pub events: Vec<EventPattern>,
}

impl WebhookConfig {
    /// The events it wants to hear.
    pub fn wanted(&self) -> Vec<EventType> {
        let wants =
            |kind: &EventType| self.events.is_empty() || self.events.iter().any(|pattern| pattern.covers(*kind));
        EventType::ALL.iter().copied().filter(wants).collect()
    }
}

/// An empty list reads as if nothing were told, and here it would mean everything.
fn some_events<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<EventPattern>, D::Error> {
    let events = Vec::deserialize(deserializer)?;
    if events.is_empty() {
        let why =
            "`events = []` is an endpoint that hears of nothing; name events, or leave `events` out for all of them";
        return Err(serde::de::Error::custom(why));
    }
    Ok(events)
}

/// An event's type, or `GROUP.*`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct EventPattern(String);

impl EventPattern {
    fn covers(&self, kind: EventType) -> bool {
        match self.0.strip_suffix('*') {
            Some(group) => kind.as_str().starts_with(group),
            None => kind.as_str() == self.0,
        }
    }
}

impl TryFrom<String> for EventPattern {
    type Error = String;

    fn try_from(text: String) -> Result<EventPattern, String> {
        let pattern = EventPattern(text);
        let whole = !pattern.0.ends_with('*') || pattern.0.ends_with(".*");
        if whole && EventType::ALL.iter().any(|kind| pattern.covers(*kind)) {
            return Ok(pattern);
        }
        let known: Vec<&str> = EventType::ALL.iter().map(|kind| kind.as_str()).collect();
        Err(format!("there is no event `{}`; there are {}, and `GROUP.*`", pattern.0, known.join(", ")))
    }
}

/// Where an endpoint listens, taken apart. Whether we may go there is decided when we go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HookUrl {
    /// Whether the connection is encrypted: `https`.
    pub encrypted: bool,
    /// The host's name or address, without brackets.
    pub host: String,
    /// The port, the scheme's own if none is written.
    pub port: u16,
    /// Host and port as they are written.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

impl TryFrom<String> for HookUrl {
    type Error = String;

    fn try_from(text: String) -> Result<HookUrl, String> {
        let uri: Uri = text.parse().map_err(|error| format!("`{text}` is no URL: {error}"))?;
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(format!("`{text}` must begin with `https://`")),
        };
        let authority = uri.authority().ok_or_else(|| format!("`{text}` has no host"))?;
        if authority.as_str().contains('@') {
            return Err("a webhook's URL has no user name and no password: requests are signed".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if host.is_empty() {
            return Err(format!("`{text}` has no host"));
        }
        Ok(HookUrl {
            encrypted,
            host,
            port: authority.port_u16().unwrap_or(if encrypted { 443 } else { 80 }),
            authority: authority.to_string(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }
}

impl std::fmt::Display for HookUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}{}", if self.encrypted { "https" } else { "http" }, self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_or_refused() {
        let url = HookUrl::try_from("https://Shop.Example:8443/hooks?x=1".to_owned()).expect("a URL");
        assert_eq!(
            (url.encrypted, url.host.as_str(), url.port, url.path.as_str()),
            (true, "shop.example", 8443, "/hooks?x=1")
        );
        let url = HookUrl::try_from("http://[::1]".to_owned()).expect("a URL");
        assert_eq!((url.host.as_str(), url.port, url.path.as_str(), url.authority.as_str()), ("::1", 80, "/", "[::1]"));
        for bad in [
            "",
            "shop.example",
            "/hooks",
            "ftp://shop.example/",
            "https://",
            "https://u:p@shop.example/",
            "https://a b/",
            "https://ex\u{e4}mple/",
        ] {
            assert!(HookUrl::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pattern_names_events_that_exist() {
        let config = |events: &[&str]| WebhookConfig {
            name: "x".to_owned(),
            url: HookUrl::try_from("https://x/".to_owned()).expect("a URL"),
            secret_files: Vec::new(),
            events: events.iter().map(|text| EventPattern::try_from((*text).to_owned()).expect("a pattern")).collect(),
        };
        assert_eq!(config(&[]).wanted(), EventType::ALL);
        let wanted = config(&["credential.*", "notice"]).wanted();
        assert_eq!(wanted, [EventType::CredentialAdded, EventType::CredentialRemoved, EventType::Notice]);
        for bad in ["", "*", "challenge", "challenge*", "challenge.won", "shop.*", "notice.*"] {
            let error = EventPattern::try_from(bad.to_owned()).expect_err(bad);
            assert!(error.contains("challenge.approved"), "{error}");
        }
    }
}
