//! What `check` found and fixed, for people and for programs.

use std::io::Write;
use std::path::Path;

use engine::{Compilation, Program};
use grammar::{Fixed, render_json, render_text};
use serde_json::{Value, json};

use super::fix::Mending;
use crate::output::{self, JSON_VERSION, colours_on_stdout, counted};
use crate::pack::tally;

/// Everything there is to say.
pub struct Report<'a> {
    /// As it was named.
    pub pack: &'a Path,
    /// What was found; with fixes written, what is left.
    pub compilation: &'a Compilation,
    /// What was fixed, if that was asked for.
    pub mending: Option<&'a Mending>,
    /// Whether fixes are only shown.
    pub diff: bool,
    /// How many of these findings `--fix` would fix.
    pub fixable: usize,
}

impl Report<'_> {
    /// For people. A diff goes alone to standard output, so that it can be piped on.
    pub fn text(&self) -> anyhow::Result<()> {
        let mut out = output::stdout();
        if let (Some(mending), true) = (self.mending, self.diff) {
            write!(out, "{}", mending.diff())?;
            out.flush()?;
            let fixes = counted(mending.fixed.len(), "finding");
            let files = counted(mending.changed.len(), "file");
            eprintln!("{fixes} would be fixed in {files}; left: {}", tally(mending.left()));
            return Ok(());
        }
        if let Some(mending) = self.mending {
            for Fixed { finding, file, position } in &mending.fixed {
                let (line, column) = (position.line, position.column);
                write!(out, "fixed {file}:{line}:{column}: {} [{}]", finding.message, finding.code)?;
                match &finding.help {
                    Some(help) => writeln!(out, "; {help}")?,
                    None => writeln!(out)?,
                }
            }
            for file in &mending.changed {
                writeln!(out, "wrote {}", file.path.display())?;
            }
            if mending.fixed.is_empty() {
                writeln!(out, "there was nothing to fix for certain")?;
            }
            writeln!(out)?;
        }
        let found = &self.compilation.diagnostics;
        write!(out, "{}", render_text(found, &self.compilation.sources, colours_on_stdout()))?;
        let name = self.pack.display();
        match &self.compilation.program {
            None => {
                writeln!(out, "{name} cannot be used: {}", tally(found))?;
                let fixes = self.fixable;
                if fixes > 0 && self.mending.is_none() {
                    writeln!(out, "{} can be fixed for you: `stepup check --fix {name}`", counted(fixes, "finding"))?;
                }
                if let Some(folder) = whole_pack(self.pack) {
                    writeln!(
                        out,
                        "only this file was looked at; the pack around it: `stepup check {}`",
                        folder.display()
                    )?;
                }
            }
            Some(program) => {
                let verdict =
                    if found.is_empty() { "is fine".to_owned() } else { format!("can be used: {}", tally(found)) };
                let policies = counted(program.policies().len(), "policy");
                let rules = counted(rules_of(program), "rule");
                writeln!(out, "{name} {verdict}; {policies}, {rules}, {}", program.version())?;
            }
        }
        Ok(out.flush()?)
    }

    /// For programs: `docs/output-formats.md`.
    pub fn json(&self) -> anyhow::Result<()> {
        let findings: Value =
            serde_json::from_str(&render_json(&self.compilation.diagnostics, &self.compilation.sources))?;
        let mut report = json!({
            "version": JSON_VERSION,
            "usable": self.compilation.program.is_some(),
            "findings": findings,
        });
        if let Some(program) = &self.compilation.program {
            report["policyVersion"] = program.version().into();
            report["policies"] = program.policies().len().into();
            report["rules"] = rules_of(program).into();
        }
        if let Some(mending) = self.mending {
            report["fixed"] = mending.fixed.iter().map(fixed).collect();
            report["changed"] =
                mending.changed.iter().map(|file| Value::from(file.path.display().to_string())).collect();
            if self.diff {
                report["diff"] = mending.diff().into();
            }
        }
        output::json(&report)
    }
}

fn fixed(Fixed { finding, file, position }: &Fixed) -> Value {
    json!({
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "help": finding.help,
        "file": file,
        "line": position.line,
        "column": position.column,
    })
}

fn rules_of(program: &Program) -> usize {
    program.policies().iter().map(|policy| policy.rules.len()).sum()
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
