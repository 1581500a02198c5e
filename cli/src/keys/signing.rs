//! `stepup keys rotate|signing`: the keys that sign tokens. They are files, so the service may run meanwhile.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use server::keys::{self, KeyAlgorithm, KeyTurn, QrKeyFile, TokenKeyFile};

use crate::exit::Exit;
use crate::output::{self, Format, JSON_VERSION};
use crate::place::Place;

/// How long strangers may keep the JWKS: a key that signs sooner than this after it was made surprises them.
const JWKS_CACHED: SignedDuration = SignedDuration::from_mins(5);

/// How long a key for tokens is published before it signs: strangers ask for the JWKS at least daily.
const TOKENS_KNOWN: SignedDuration = SignedDuration::from_hours(24);
/// The same for QR codes: a phone hears of it when it claims or asks about itself, which some do but once a month.
const QR_KNOWN: SignedDuration = SignedDuration::from_hours(30 * 24);

#[derive(clap::Args)]
#[command(after_help = "The service may run: it reads the new key at once when it watches its files, or on SIGHUP.")]
pub struct Rotate {
    /// How long the new key is published before it signs: `24h`, `30m`; `0s` when the old one was stolen. Left out, 24 hours; 30 days with `--qr`
    #[arg(long, value_name = "TIME")]
    after: Option<SignedDuration>,
    /// The next key for QR codes, which phones pin, instead
    #[arg(long, conflicts_with = "algorithm")]
    qr: bool,
    /// With which algorithm the new key signs
    #[arg(long, value_enum, default_value_t)]
    algorithm: Algorithm,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Clone, Copy, Default, clap::ValueEnum)]
enum Algorithm {
    /// ECDSA on P-256, which every library that reads tokens knows
    #[default]
    Es256,
    /// Ed25519 (RFC 8037): look first whether those who verify your tokens know it
    Eddsa,
}

#[derive(clap::Args)]
pub struct Signing {
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    pub place: Place,
}

impl Rotate {
    pub fn run(self) -> anyhow::Result<Exit> {
        let after = self.after.unwrap_or(if self.qr { QR_KNOWN } else { TOKENS_KNOWN });
        anyhow::ensure!(!after.is_negative(), "a key cannot begin in the past; `--after 0s` is now");
        let config = self.place.config()?;
        let now = Timestamp::now();
        let from = now.checked_add(after).context("`--after` is too long")?;
        if self.qr {
            return self.rotate_qr(&config.keys.directory, now, from);
        }
        let path = keys::rotate(
            &config.keys.directory,
            from,
            match self.algorithm {
                Algorithm::Es256 => KeyAlgorithm::Es256,
                Algorithm::Eddsa => KeyAlgorithm::EdDsa,
            },
        )?;
        let listed = keys::list(&config.keys.directory, now)?;
        let made = listed.iter().find(|key| key.path == path).context("the new key is gone already")?;
        if self.format == Format::Json {
            output::json(&json!({"version": JSON_VERSION, "key": as_json(made)}))?;
            return Ok(Exit::Fine);
        }
        let mut out = output::stdout();
        writeln!(out, "{} signs tokens from {} on; it is in {}", made.kid, when(made), path.display())?;
        if after < JWKS_CACHED {
            writeln!(out, "who verifies tokens by the JWKS may know it only {} minutes later", JWKS_CACHED.as_mins())?;
        }
        for old in listed.iter().filter(|key| key.turn == KeyTurn::Retired) {
            writeln!(out, "{} is no longer accepted; {} can be removed", old.kid, old.path.display())?;
        }
        out.flush()?;
        Ok(Exit::Fine)
    }

    fn rotate_qr(self, directory: &Path, now: Timestamp, from: Timestamp) -> anyhow::Result<Exit> {
        let path = keys::rotate_qr(directory, from)?;
        let listed = keys::list_qr(directory, now)?;
        let made = listed.iter().find(|key| key.path == path).context("the new key is gone already")?;
        if self.format == Format::Json {
            output::json(&json!({"version": JSON_VERSION, "qrKey": qr_as_json(made)}))?;
            return Ok(Exit::Fine);
        }
        let mut out = output::stdout();
        writeln!(out, "key {} signs QR codes from {from:.0} on; it is in {}", made.kid, path.display())?;
        writeln!(out, "a phone that hears nothing of it before asks for it when it first meets one of its codes")?;
        out.flush()?;
        Ok(Exit::Fine)
    }
}

impl Signing {
    pub fn run(self) -> anyhow::Result<Exit> {
        let config = self.place.config()?;
        let now = Timestamp::now();
        let keys = keys::list(&config.keys.directory, now)?;
        let qr_keys = keys::list_qr(&config.keys.directory, now)?;
        if self.format == Format::Json {
            let keys: Vec<_> = keys.iter().map(as_json).collect();
            let qr_keys: Vec<_> = qr_keys.iter().map(qr_as_json).collect();
            output::json(&json!({"version": JSON_VERSION, "keys": keys, "qrKeys": qr_keys}))?;
            return Ok(Exit::Fine);
        }
        let mut out = output::stdout();
        if keys.is_empty() {
            writeln!(out, "there are no keys; the first start of the service makes one")?;
        }
        for key in &keys {
            let stands = stands(key.turn, key.from);
            writeln!(out, "{}  {}  {stands}  {}", key.kid, key.algorithm, key.path.display())?;
        }
        for key in &qr_keys {
            writeln!(out, "QR codes, key {}  {}  {}", key.kid, stands(key.turn, key.from), key.path.display())?;
        }
        out.flush()?;
        Ok(Exit::Fine)
    }
}

fn when(key: &TokenKeyFile) -> String {
    key.from.map_or_else(|| "the beginning".to_owned(), |from| from.to_string())
}

fn stands(turn: KeyTurn, from: Option<Timestamp>) -> String {
    match turn {
        KeyTurn::Next => format!("signs from {} on", from.map_or_else(String::new, |from| from.to_string())),
        KeyTurn::Signing => "signs".to_owned(),
        KeyTurn::Verifying(end) => format!("verifies until {end}"),
        KeyTurn::Retired => "retired, can be removed".to_owned(),
    }
}

fn turn_as_json(turn: KeyTurn) -> (&'static str, Option<String>) {
    match turn {
        KeyTurn::Next => ("next", None),
        KeyTurn::Signing => ("signing", None),
        KeyTurn::Verifying(end) => ("verifying", Some(end.to_string())),
        KeyTurn::Retired => ("retired", None),
    }
}

fn qr_as_json(key: &QrKeyFile) -> serde_json::Value {
    let (state, until) = turn_as_json(key.turn);
    json!({
        "kid": key.kid,
        "state": state,
        "signsFrom": key.from.map(|from| from.to_string()),
        "verifiesUntil": until,
        "file": key.path,
    })
}

fn as_json(key: &TokenKeyFile) -> serde_json::Value {
    let (state, until) = turn_as_json(key.turn);
    json!({
        "kid": key.kid,
        "algorithm": key.algorithm,
        "state": state,
        "signsFrom": key.from.map(|from| from.to_string()),
        "verifiesUntil": until,
        "file": key.path,
    })
}
