//! `stepup webhooks list|dead|redeliver --server URL`

use std::io::Write;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::exit::Exit;
use crate::output::{self, Format, JSON_VERSION};
use crate::remote::Server;

/// Where the server is, and whose secret these commands need.
#[derive(clap::Args)]
struct Address {
    /// The running server
    #[arg(long, value_name = "URL", default_value = "http://localhost:8080")]
    server: String,
    /// A file with the secret of an administrator's API key (else the variable STEPUP_API_SECRET)
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

impl Address {
    fn server(&self) -> anyhow::Result<Server> {
        let needs = "a key of the role admin: `stepup keys new --role admin`";
        Server::at(&self.server, self.secret_file.as_deref(), needs)
    }
}

/// Options of `webhooks`.
#[derive(clap::Args)]
#[command(after_help = "The service must be running.")]
pub struct Webhooks {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// List the endpoints, and how much waits for each
    List(List),
    /// List what was given up, newest first
    Dead(Dead),
    /// Give what was given up all its attempts again
    Redeliver(Redeliver),
}

#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    address: Address,
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(clap::Args)]
struct Dead {
    /// Of this endpoint alone
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    #[command(flatten)]
    address: Address,
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true))]
struct Redeliver {
    /// The event with this id, as `dead` shows it
    #[arg(long, value_name = "ID", group = "which")]
    id: Option<String>,
    /// Those of this endpoint
    #[arg(long, value_name = "NAME", group = "which")]
    endpoint: Option<String>,
    /// Every one
    #[arg(long, group = "which", conflicts_with_all = ["id", "endpoint"])]
    all: bool,
    #[command(flatten)]
    address: Address,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Webhooks {
    /// Does what was asked.
    pub fn run(self) -> anyhow::Result<Exit> {
        match self.verb {
            Verb::List(list) => list.run(),
            Verb::Dead(dead) => dead.run(),
            Verb::Redeliver(redeliver) => redeliver.run(),
        }
    }
}

impl List {
    fn run(self) -> anyhow::Result<Exit> {
        let answer = self.address.server()?.get(&["webhooks"])?;
        let webhooks = rows(&answer, "webhooks");
        print(self.format, json!({ "webhooks": webhooks }), |out| {
            for hook in &webhooks {
                writeln!(out, "{}  {} waiting  {}", text(hook, "name"), hook["waiting"], text(hook, "url"))?;
            }
            if webhooks.is_empty() {
                writeln!(out, "no endpoint is configured: `[[tenants.NAME.webhooks]]`")?;
            }
            Ok(())
        })
    }
}

impl Dead {
    fn run(self) -> anyhow::Result<Exit> {
        let server = self.address.server()?;
        let mut letters = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = vec![("limit", "500")];
            query.extend(self.endpoint.as_deref().map(|endpoint| ("endpoint", endpoint)));
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page = server.get_where(&["webhooks", "dead-letters"], &query)?;
            letters.extend(rows(&page, "deadLetters"));
            cursor = page.get("cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        print(self.format, json!({ "deadLetters": letters }), |out| {
            for letter in &letters {
                let word = |name| text(letter, name);
                let (id, endpoint, kind) = (word("id"), word("endpoint"), word("type"));
                let (died, attempts, failure) = (word("diedAt"), &letter["attempts"], word("failure"));
                writeln!(out, "{id}  {endpoint}  {kind}  {died}  {attempts} attempts  {failure}")?;
            }
            if letters.is_empty() {
                writeln!(out, "nothing was given up")?;
            }
            Ok(())
        })
    }
}

impl Redeliver {
    fn run(self) -> anyhow::Result<Exit> {
        let mut body = Map::new();
        body.extend(self.id.map(|id| ("id".to_owned(), json!(id))));
        body.extend(self.endpoint.map(|endpoint| ("endpoint".to_owned(), json!(endpoint))));
        let answer = self.address.server()?.post(&["webhooks", "redeliver"], None, &Value::Object(body))?;
        let many = answer["redelivered"].clone();
        print(self.format, json!({ "redelivered": many }), |out| Ok(writeln!(out, "{many} will be tried again")?))
    }
}

fn print(
    format: Format,
    mut members: Value,
    people: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<Exit> {
    match format {
        Format::Text => {
            let mut out = output::stdout();
            people(&mut out)?;
            out.flush()?;
        }
        Format::Json => {
            members["version"] = json!(JSON_VERSION);
            output::json(&members)?;
        }
    }
    Ok(Exit::Fine)
}

fn rows(answer: &Value, name: &str) -> Vec<Value> {
    answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or("?")
}
