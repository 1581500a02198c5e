//! `stepup doctor`: what is wrong with this machine's configuration, data and clocks.

mod checks;

use std::io::Write;

use serde::Serialize;
use serde_json::json;

use crate::exit::Exit;
use crate::output::{self, Format, JSON_VERSION};
use crate::place::Place;
use crate::service;

/// Options of `doctor`.
#[derive(clap::Args)]
pub struct Doctor {
    #[command(flatten)]
    place: Place,
    /// How to print the findings
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// It works, and somebody should look.
    Warning,
    /// The service would not start, or not be safe.
    Wrong,
}

/// One thing that was looked at.
#[derive(Serialize)]
pub struct Finding {
    /// How bad it is.
    pub grade: Grade,
    /// What was looked at.
    pub about: &'static str,
    /// What was seen, and what to do.
    pub text: String,
}

impl Doctor {
    /// Looks at everything, changes nothing. Anything wrong is exit code 4.
    pub fn run(self) -> anyhow::Result<Exit> {
        let findings = match self.place.config() {
            Ok(config) => service::runtime()?.block_on(checks::all(&config, &self.place)),
            Err(error) => vec![Finding { grade: Grade::Wrong, about: "configuration", text: format!("{error:#}") }],
        };
        let mut out = output::stdout();
        match self.format {
            Format::Json => writeln!(
                out,
                "{}",
                serde_json::to_string_pretty(&json!({"version": JSON_VERSION, "findings": findings}))?
            )?,
            Format::Text => {
                for Finding { grade, about, text } in &findings {
                    let mark = match grade {
                        Grade::Ok => "ok",
                        Grade::Warning => "look",
                        Grade::Wrong => "WRONG",
                    };
                    writeln!(out, "{mark:>5}  {about:<14} {text}")?;
                }
                let count = |grade| findings.iter().filter(|finding| finding.grade == grade).count();
                writeln!(out, "{} wrong, {} to look at", count(Grade::Wrong), count(Grade::Warning))?;
            }
        }
        out.flush()?;
        let wrong = findings.iter().any(|finding| finding.grade == Grade::Wrong);
        Ok(if wrong { Exit::Tests } else { Exit::Fine })
    }
}
