//! `stepup check PACK`

mod fix;
mod report;
mod sarif;

use std::path::PathBuf;

use clap::ValueEnum;
use engine::check::expired;
use jiff::Timestamp;

use crate::exit::Exit;
use crate::pack::{self, Opened};
use fix::Mending;
use report::Report;

/// Options of `check`.
#[derive(clap::Args)]
#[command(after_help = AFTER)]
pub struct Check {
    /// The pack's folder, or one rule file
    pack: PathBuf,
    /// Make the fixes that are certain, until none is left, and write the changed files
    #[arg(long)]
    fix: bool,
    /// Print what --fix would change as a unified diff, and write nothing
    #[arg(long, visible_alias = "dry-run")]
    diff: bool,
    /// How to print what is found
    #[arg(long, value_enum, default_value_t)]
    format: CheckFormat,
}

const AFTER: &str = "\
A fix is made only if its finding is gone afterwards and no error is there that was not there before. What is likely and not certain
is left to you: the help of a finding says it.
Apply a diff with `git apply` or `patch -p1`. With --diff the exit code tells of the files as they are.";

/// The form of the findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For code scanning: SARIF 2.1.0.
    Sarif,
}

impl Check {
    /// Reports every error and warning of the pack. They are what was asked for, so they go to standard output.
    pub fn run(self) -> anyhow::Result<Exit> {
        if self.diff && self.format == CheckFormat::Sarif {
            eprintln!("stepup: `--diff` has no SARIF form; in SARIF each finding has its own fix");
            return Ok(Exit::Usage);
        }
        let mut opened = pack::opened(&self.pack)?;
        // A pack that was not read has nothing to fix.
        let fixing = (self.fix || self.diff) && !opened.source.files.is_empty();
        let mending = fixing.then(|| Mending::of(&opened));
        if let Some(mending) = &mending
            && !self.diff
        {
            mending.write(&opened)?;
            let folder = opened.folder;
            opened = mending.opened(folder);
        }
        let Opened { compilation, source, .. } = &mut opened;
        if let Some(program) = &compilation.program {
            compilation.diagnostics.extend(expired(program, Timestamp::now()));
        }
        let fixable =
            if mending.is_none() && self.format == CheckFormat::Text { fix::fixable(source, compilation) } else { 0 };
        let report = Report { pack: &self.pack, compilation, mending: mending.as_ref(), diff: self.diff, fixable };
        match self.format {
            CheckFormat::Text => report.text()?,
            CheckFormat::Json => report.json()?,
            CheckFormat::Sarif => sarif::print(compilation)?,
        }
        Ok(if compilation.program.is_some() { Exit::Fine } else { Exit::Pack })
    }
}
