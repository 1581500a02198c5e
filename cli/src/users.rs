//! `stepup users reset`

use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::exit::Exit;
use crate::output::{self, Format, JSON_VERSION};
use crate::remote::Server;

/// Options of `users`.
#[derive(clap::Args)]
#[command(after_help = "The service must be running: screens and rules hear of it at once.")]
pub struct Users {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Take a user's phones and recovery codes away, and permit one new phone
    Reset(Reset),
}

#[derive(clap::Args)]
struct Reset {
    /// The user's id, as the backend knows it
    user: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who decided it, for the record
    #[arg(long, value_name = "NAME")]
    author: String,
    /// For how many seconds a new phone may be enrolled; a day when left out
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(60..=604_800))]
    within: Option<u32>,
    /// Go ahead though a policy blocks the recovery; the decision says so
    #[arg(long)]
    overrule: bool,
    /// A name for this reset, such as a ticket's: the same again is the same reset
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// The running server
    #[arg(long, value_name = "URL", default_value = "http://localhost:8080")]
    server: String,
    /// A file with the secret of an administrator's API key (else the variable STEPUP_API_SECRET)
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Users {
    /// Asks the server.
    pub fn run(self) -> anyhow::Result<Exit> {
        let Verb::Reset(reset) = self.verb;
        reset.run()
    }
}

impl Reset {
    fn run(self) -> anyhow::Result<Exit> {
        let needs = "a key of the role admin: `stepup keys new --role admin`";
        let server = Server::at(&self.server, self.secret_file.as_deref(), needs)?;
        let mut body = json!({"reason": self.reason, "author": self.author, "overrule": self.overrule});
        if let Some(seconds) = self.within {
            body["enrolWithinS"] = json!(seconds);
        }
        let reset = server.post(&["users", &self.user, "reset"], self.key.as_deref(), &body)?;
        if self.format == Format::Json {
            output::json(&json!({"version": JSON_VERSION, "reset": reset}))?;
            return Ok(Exit::Fine);
        }
        let number = |name: &str| reset.get(name).and_then(Value::as_u64).unwrap_or_default();
        let text = |name: &str| reset.get(name).and_then(Value::as_str).unwrap_or("?");
        let mut out = output::stdout();
        if reset.get("repeated").and_then(Value::as_bool) == Some(true) {
            writeln!(out, "{} was reset already, by {} at {}", self.user, text("author"), text("createdAt"))?;
        } else {
            writeln!(
                out,
                "{} is reset: {} phones and {} recovery codes are worth nothing any more, {} open requests are cancelled",
                self.user,
                number("revokedAuthenticators"),
                number("revokedRecoveryCodes"),
                number("cancelledChallenges")
            )?;
        }
        writeln!(out, "one phone may be enrolled until {}", text("enrolUntil"))?;
        out.flush()?;
        Ok(Exit::Fine)
    }
}
