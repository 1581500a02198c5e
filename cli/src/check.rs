//! `stepup check PACK`

use std::io::Write;
use std::path::{Path, PathBuf};

use engine::check::expired;
use grammar::{render_json, render_text};
use jiff::Timestamp;

use crate::exit::Exit;
use crate::output::{self, Format, colours_on_stdout, counted};
use crate::pack::{self, tally};

/// Options of `check`.
#[derive(clap::Args)]
pub struct Check {
    /// The pack's folder, or one rule file
    pack: PathBuf,
    /// How to print what is found
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Check {
    /// Reports every error and warning of the pack. They are what was asked for, so they go to standard output.
    pub fn run(self) -> anyhow::Result<Exit> {
        let mut compilation = pack::compiled(&self.pack)?;
        if let Some(program) = &compilation.program {
            compilation.diagnostics.extend(expired(program, Timestamp::now()));
        }
        let mut out = output::stdout();
        let (found, sources) = (&compilation.diagnostics, &compilation.sources);
        match self.format {
            Format::Json => writeln!(out, "{}", render_json(found, sources))?,
            Format::Text => {
                write!(out, "{}", render_text(found, sources, colours_on_stdout()))?;
                let name = self.pack.display();
                match &compilation.program {
                    None => {
                        writeln!(out, "{name} cannot be used: {}", tally(found))?;
                        if let Some(folder) = whole_pack(&self.pack) {
                            writeln!(
                                out,
                                "only this file was looked at; the pack around it: `stepup check {}`",
                                folder.display()
                            )?;
                        }
                    }
                    Some(program) => {
                        let policies = program.policies();
                        let rules: usize = policies.iter().map(|policy| policy.rules.len()).sum();
                        let verdict = if found.is_empty() {
                            "is fine".to_owned()
                        } else {
                            format!("can be used: {}", tally(found))
                        };
                        writeln!(
                            out,
                            "{name} {verdict}; {}, {}, {}",
                            counted(policies.len(), "policy"),
                            counted(rules, "rule"),
                            program.version()
                        )?;
                    }
                }
            }
        }
        out.flush()?;
        Ok(if compilation.program.is_some() { Exit::Fine } else { Exit::Pack })
    }
}

/// The folder of a single file that has other rule files beside it.
fn whole_pack(path: &Path) -> Option<&Path> {
    if path.is_dir() {
        return None;
    }
    let folder = path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
    let beside = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let rules = beside.filter(|file| file.extension().is_some_and(|ending| ending == "rules")).count();
    (rules > 1).then_some(folder)
}
