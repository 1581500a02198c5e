//! `stepup new [PACK…] [--into DIR]`

use std::io::Write;
use std::path::PathBuf;

use serde_json::json;

use crate::exit::Exit;
use crate::output::{self, Format, JSON_VERSION};
use crate::shipped;

/// Options of `new`.
#[derive(clap::Args)]
pub struct New {
    /// The packs to start from; none lists them
    packs: Vec<String>,
    /// Where to put them, each in a folder of its own; together they are one pack
    #[arg(long, value_name = "DIR", default_value = ".")]
    into: PathBuf,
    /// How to print the list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl New {
    /// Writes shipped packs to folders, or lists them. Nothing is written unless everything can be.
    pub fn run(self) -> anyhow::Result<Exit> {
        let shipped = shipped::packs();
        let names = || shipped.iter().map(|(name, _)| name.as_str());
        let mut out = output::stdout();
        if self.packs.is_empty() && self.format == Format::Json {
            let packs = shipped.iter().map(|(name, what)| json!({"name": name, "summary": what}));
            output::json(&json!({"version": JSON_VERSION, "packs": packs.collect::<Vec<_>>()}))?;
            return Ok(Exit::Fine);
        }
        if self.packs.is_empty() {
            let width = names().map(str::len).max().unwrap_or(0);
            for (name, what) in &shipped {
                writeln!(out, "{name:<width$}  {what}")?;
            }
            out.flush()?;
            return Ok(Exit::Fine);
        }
        for name in &self.packs {
            if !names().any(|known| known == name) {
                let hint = match grammar::nearest(name, names()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "`stepup new` lists them".to_owned(),
                };
                eprintln!("stepup: there is no pack `{name}`; {hint}");
                return Ok(Exit::Usage);
            }
            let folder = self.into.join(name);
            if folder.exists() {
                eprintln!(
                    "stepup: {} exists already; move it away, or choose another place with --into",
                    folder.display()
                );
                return Ok(Exit::Failed);
            }
        }
        for name in &self.packs {
            let folder = self.into.join(name);
            std::fs::create_dir_all(&self.into)?;
            shipped::unpack(name, &folder)?;
            writeln!(out, "{}: read README.md, then `stepup test {}`", folder.display(), folder.display())?;
        }
        out.flush()?;
        Ok(Exit::Fine)
    }
}
