//! `stepup audit verify|show`

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::Timestamp;
use serde_json::{Value, json};
use server::audit::{self, Fact, Leaf, LogKey};
use server::store::{Found, LoggedEntry, entries_of};

use crate::exit::Exit;
use crate::output::{self, Format, JSON_VERSION};
use crate::place::{self, Place};
use crate::service;

/// Options of `audit`.
#[derive(clap::Args)]
pub struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Check every entry, signature and row; name the first that is not as it was signed, with exit code 4. Without the log's
    /// public key nothing is proven, which is exit code 4 too
    Verify(Verify),
    /// Show the entries of a decision, a challenge, a credential or a pack, those of a kind, or one by its number
    Show(Show),
}

/// Which log.
#[derive(clap::Args)]
struct Log {
    /// The SQLite file itself
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "config"])]
    database: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
struct Show {
    /// An entry's number, an id that entries name (of a decision, a challenge, a credential, a pack), or a kind of entry such
    /// as `policy.activated`
    id: String,
    /// Show at most so many entries, the oldest
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// How to print the entries
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    log: Log,
}

#[derive(clap::Args)]
struct Verify {
    /// The log's public key, from a place that whoever runs the service cannot change: its text, or a file with it
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    log: Log,
}

impl Audit {
    /// Does it.
    pub fn run(self) -> anyhow::Result<Exit> {
        match self.verb {
            Verb::Verify(verify) => verify.run(),
            Verb::Show(show) => show.run(),
        }
    }
}

impl Log {
    fn database(&self) -> anyhow::Result<PathBuf> {
        match &self.database {
            Some(path) => Ok(path.clone()),
            None => Ok(place::database(&self.place.config()?)?.to_owned()),
        }
    }
}

impl Show {
    fn run(self) -> anyhow::Result<Exit> {
        let database = self.log.database()?;
        anyhow::ensure!(
            database.is_file(),
            "there is no database at {}; {}",
            database.display(),
            self.log.place.remedy()
        );
        let Found { entries, more } = service::runtime()?.block_on(entries_of(&database, &self.id, self.limit))?;
        anyhow::ensure!(!entries.is_empty(), "the log in {} has no entry `{}`", database.display(), self.id);
        let mut out = output::stdout();
        match self.format {
            Format::Json => {
                let entries = entries.iter().map(as_json).collect::<Result<Vec<_>, _>>()?;
                let shown = json!({"version": JSON_VERSION, "entries": entries, "more": more});
                writeln!(out, "{}", serde_json::to_string_pretty(&shown)?)?;
            }
            Format::Text => {
                for entry in &entries {
                    tell(&mut out, entry)?;
                }
                if more {
                    writeln!(out, "There are more: `--limit {}` shows twice as many.", self.limit.saturating_mul(2))?;
                }
            }
        }
        out.flush()?;
        Ok(Exit::Fine)
    }
}

/// An entry for people: what happened, when, and the facts; the documents indented below.
fn tell(out: &mut impl Write, entry: &LoggedEntry) -> anyhow::Result<()> {
    let Ok(leaf) = Leaf::decode(&entry.leaf) else {
        writeln!(out, "entry {}: not readable, see `stepup audit verify`", entry.seq)?;
        return Ok(());
    };
    let at = Timestamp::from_millisecond(leaf.time).map_or_else(|_| leaf.time.to_string(), |at| at.to_string());
    writeln!(out, "entry {}: {} at {at} (tenant {})", entry.seq, leaf.kind, leaf.tenant)?;
    for (name, fact) in &leaf.facts {
        match fact {
            Fact::Text(text) => writeln!(out, "  {name}: {text}")?,
            Fact::List(words) => writeln!(out, "  {name}: {}", words.join(", "))?,
        }
    }
    for row in leaf.rows.keys() {
        writeln!(out, "  changes {row}")?;
    }
    for (name, document) in [("event", &entry.event), ("record", &entry.record)] {
        match document {
            Some(text) => {
                let pretty = serde_json::from_str(text).and_then(|json: Value| serde_json::to_string_pretty(&json));
                let pretty = pretty.unwrap_or_else(|_| text.clone());
                writeln!(out, "  {name}:\n    {}", pretty.replace('\n', "\n    "))?;
            }
            None if leaf.holds.contains_key(name) => writeln!(out, "  {name}: erased")?,
            None => {}
        }
    }
    writeln!(out)?;
    Ok(())
}

fn as_json(entry: &LoggedEntry) -> serde_json::Result<Value> {
    let parsed = |text: &Option<String>| text.as_deref().map(serde_json::from_str::<Value>).transpose();
    Ok(json!({
        "entry": entry.seq,
        "leaf": serde_json::from_str::<Value>(&entry.leaf)?,
        "event": parsed(&entry.event)?,
        "record": parsed(&entry.record)?,
    }))
}

impl Verify {
    fn run(self) -> anyhow::Result<Exit> {
        let database = self.log.database()?;
        let key = self.key.as_deref().map(read_key).transpose()?;
        let verified = service::runtime()?.block_on(audit::verify(&database, key.as_ref()));
        let report = verified.with_context(|| self.log.place.remedy())?;
        let mut out = output::stdout();
        match self.format {
            Format::Text => write!(out, "{}", report.to_text())?,
            Format::Json => {
                let mut json: Value = serde_json::from_str(&report.to_json())?;
                json["version"] = JSON_VERSION.into();
                writeln!(out, "{json}")?;
            }
        }
        out.flush()?;
        Ok(if report.is_proven() { Exit::Fine } else { Exit::Tests })
    }
}

/// The key's text, or the file that has it.
fn read_key(key: &str) -> anyhow::Result<LogKey> {
    if let Ok(parsed) = LogKey::parse(key.trim()) {
        return Ok(parsed);
    }
    let text = std::fs::read_to_string(Path::new(key))
        .with_context(|| format!("`{key}` is neither a public key (NAME+HASH+KEY) nor a file that can be read"))?;
    LogKey::parse(text.trim()).with_context(|| format!("{key} does not hold a public key (NAME+HASH+KEY)"))
}
