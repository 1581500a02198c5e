//! `stepup migrate`

use std::io::Write;

use serde_json::json;

use crate::exit::Exit;
use crate::output::{self, Format, JSON_VERSION};
use crate::place::{self, Place};
use crate::service;

/// Options of `migrate`.
#[derive(clap::Args)]
pub struct Migrate {
    /// How to print what was done
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    place: Place,
}

impl Migrate {
    /// Brings the database to this version's schema, creating it if need be. `serve` does the same at its start; this is
    /// for those who want to see it done before.
    pub fn run(self) -> anyhow::Result<Exit> {
        self.place.must_exist()?;
        let config = self.place.config()?;
        service::runtime()?.block_on(async {
            let store = place::create_or_open(&config).await?;
            let head = store.log_head().await?;
            store.close().await;
            let database = place::database(&config)?;
            match self.format {
                Format::Json => output::json(&json!({
                    "version": JSON_VERSION,
                    "database": database,
                    "logEntries": head.size,
                }))?,
                Format::Text => {
                    let mut out = output::stdout();
                    writeln!(
                        out,
                        "{} has this version's schema; its log has {} entries",
                        database.display(),
                        head.size
                    )?;
                    out.flush()?;
                }
            }
            Ok(Exit::Fine)
        })
    }
}
