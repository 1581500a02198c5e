//! `stepup explain`, `stepup explain CODE`, `stepup explain PACK --event FILE`, `stepup explain --server URL DECISION`

mod code;
mod event;
mod manual;
mod narrate;
mod remote;

use std::io::Write;
use std::path::{Path, PathBuf};

use engine::Trace;
use serde_json::Value;

use crate::exit::Exit;
use crate::geo::GeoFiles;
use crate::output::{self, Format};

/// Options of `explain`.
#[derive(clap::Args)]
pub struct Explain {
    /// A diagnostic code as `check` prints it in brackets; or with --event a pack; or with --server a decision's id;
    /// nothing lists the codes
    #[arg(value_name = "CODE|PACK|DECISION")]
    what: Option<String>,
    /// List all diagnostic codes, one on each line
    #[arg(long, conflicts_with_all = ["what", "event", "server"])]
    list: bool,
    /// A file with an event in JSON, or with a stream whose last line is explained by the lines before it; `-` is
    /// standard input
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    event: Option<PathBuf>,
    /// Ask a running server about one of its decisions
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// A file with the API secret for --server, or a demo.json; without it STEPUP_API_SECRET, then the demo of this folder
    #[arg(long, value_name = "FILE", requires = "server")]
    secret_file: Option<PathBuf>,
    #[command(flatten)]
    geo: GeoFiles,
    /// How to print the explanation
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A decision and why.
pub struct Explained {
    /// What was tried, in one line.
    pub heading: String,
    /// Why.
    pub trace: Trace,
    /// All of it, for programs.
    pub json: Value,
}

impl Explain {
    /// Explains what was named.
    pub fn run(self) -> anyhow::Result<Exit> {
        let explained = match (&self.what, &self.event, &self.server) {
            (None, None, None) => return code::list(self.format),
            (None, _, _) => {
                eprintln!("stepup: what is to be explained? `--event` needs a pack, `--server` a decision's id");
                return Ok(Exit::Usage);
            }
            (Some(code), None, None) => return code::explain(code, self.format),
            (Some(pack), Some(file), _) => match event::explain(Path::new(pack), file, &self.geo, self.format)? {
                Ok(explained) => explained,
                Err(exit) => return Ok(exit),
            },
            (Some(decision), None, Some(server)) => remote::explain(server, decision, self.secret_file.as_deref())?,
        };
        match self.format {
            Format::Text => {
                let mut out = output::stdout();
                write!(out, "{}", narrate::text(&explained.heading, &explained.trace))?;
                out.flush()?;
            }
            Format::Json => output::json(&explained.json)?,
        }
        Ok(Exit::Fine)
    }
}
