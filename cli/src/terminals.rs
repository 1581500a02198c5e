//! `stepup terminals register|list|revoke`

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use serde_json::{Map, Value, json};

use crate::exit::Exit;
use crate::output::{self, Format, JSON_VERSION};
use crate::remote::Server;

/// Options of `terminals`.
#[derive(clap::Args)]
#[command(after_help = "The service must be running. See docs/terminals.md for what a registered terminal can prove.")]
pub struct Terminals {
    #[command(subcommand)]
    verb: Verb,
    /// The running server
    #[arg(long, value_name = "URL", default_value = "http://localhost:8080", global = true)]
    server: String,
    /// A file with the secret of an API key (else the variable STEPUP_API_SECRET)
    #[arg(long, value_name = "FILE", global = true)]
    secret_file: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t, global = true)]
    format: Format,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Let a terminal vouch for the challenges that it shows
    Register(Register),
    /// Show which keys terminals have, or had
    List,
    /// Take a terminal's key back, and what is on its screen
    Revoke {
        /// The terminal's id
        id: String,
    },
}

#[derive(clap::Args)]
struct Register {
    /// The terminal's id: 1 to 64 of `A-Z a-z 0-9 . _ : -`
    id: String,
    /// What people read on their phones
    #[arg(long)]
    name: String,
    /// Its P-256 key: base64 of the SubjectPublicKeyInfo, or a file with that in PEM
    #[arg(long, value_name = "BASE64|FILE")]
    public_key: String,
    /// Where it stands: an ISO 3166-1 code such as DE
    #[arg(long, value_name = "CODE")]
    country: Option<String>,
    #[arg(long, requires = "country")]
    region: Option<String>,
    #[arg(long, requires = "country")]
    city: Option<String>,
    /// Degrees north (WGS 84): distances to phones are measured from here
    #[arg(long, value_name = "DEGREES", requires_all = ["country", "longitude"], allow_negative_numbers = true)]
    latitude: Option<f64>,
    /// Degrees east
    #[arg(long, value_name = "DEGREES", requires_all = ["country", "latitude"], allow_negative_numbers = true)]
    longitude: Option<f64>,
}

impl Terminals {
    /// Asks the server.
    pub fn run(self) -> anyhow::Result<Exit> {
        let needs = match self.verb {
            Verb::List => "a key that may read: `stepup keys new --role reviewer`",
            Verb::Register(_) | Verb::Revoke { .. } => "a key of the role admin: `stepup keys new --role admin`",
        };
        let server = Server::at(&self.server, self.secret_file.as_deref(), needs)?;
        let (name, answer) = match &self.verb {
            Verb::Register(register) => ("terminal", server.put(&["terminals", &register.id], &register.body()?)?),
            Verb::List => {
                ("terminals", server.get(&["terminals"])?.get_mut("terminals").map(Value::take).unwrap_or_default())
            }
            Verb::Revoke { id } => ("terminal", server.delete(&["terminals", id])?),
        };
        if self.format == Format::Json {
            output::json(&json!({"version": JSON_VERSION, name: answer}))?;
            return Ok(Exit::Fine);
        }
        let mut out = output::stdout();
        match answer.as_array() {
            Some(none) if none.is_empty() => writeln!(out, "no terminal is registered")?,
            Some(all) => all.iter().try_for_each(|terminal| writeln!(out, "{}", line(terminal)))?,
            None => {
                writeln!(out, "{}", line(&answer))?;
                if let Some(cancelled) = answer.get("cancelledChallenges").and_then(Value::as_u64).filter(|n| *n > 0) {
                    writeln!(out, "{cancelled} open requests on its screen are cancelled")?;
                }
            }
        }
        out.flush()?;
        Ok(Exit::Fine)
    }
}

impl Register {
    fn body(&self) -> anyhow::Result<Value> {
        let mut body = json!({"name": self.name, "publicKey": public_key(&self.public_key)?});
        let mut place = Map::new();
        for (name, value) in [("country", &self.country), ("region", &self.region), ("city", &self.city)] {
            place.extend(value.as_ref().map(|text| (name.to_owned(), json!(text))));
        }
        for (name, value) in [("latitude", self.latitude), ("longitude", self.longitude)] {
            place.extend(value.map(|degrees| (name.to_owned(), json!(degrees))));
        }
        if !place.is_empty() {
            body["place"] = Value::Object(place);
        }
        Ok(body)
    }
}

/// The key as the server takes it: itself, or what stands in a PEM file (RFC 7468) between its first and last line.
fn public_key(given: &str) -> anyhow::Result<String> {
    if given.len() == 124 && !given.contains('.') {
        return Ok(given.to_owned());
    }
    let text = std::fs::read_to_string(given)
        .with_context(|| format!("`{given}` is neither the 124 characters of a key nor a file that can be read"))?;
    let lines = || text.lines().map(str::trim);
    let begins = lines().any(|line| line == "-----BEGIN PUBLIC KEY-----");
    ensure!(begins, "`{given}` has no line `-----BEGIN PUBLIC KEY-----`; `openssl ec -in key.pem -pubout` writes one");
    Ok(lines()
        .skip_while(|line| !line.starts_with("-----BEGIN"))
        .skip(1)
        .take_while(|line| !line.starts_with("-----"))
        .collect())
}

/// `kiosk-7  Kiosk 7, Central Station  Berlin, DE  registered 2026-…  key N1bc…`
fn line(terminal: &Value) -> String {
    let text = |name: &str| terminal.get(name).and_then(Value::as_str);
    let place = terminal.get("place").cloned().unwrap_or_default();
    let words = ["city", "region", "country"].map(|name| place.get(name).and_then(Value::as_str));
    let place: Vec<&str> = words.into_iter().flatten().collect();
    let since = match text("revokedAt") {
        Some(at) => format!("revoked {at}"),
        None => format!("registered {}", text("registeredAt").unwrap_or("?")),
    };
    let key = text("keyThumbprint").map(|key| format!("key {key}"));
    let parts = [
        text("terminalId").map(str::to_owned),
        text("name").map(str::to_owned),
        Some(place.join(", ")),
        Some(since),
        key,
    ];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
}
