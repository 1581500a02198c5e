//! `stepup test PACK`

mod junit;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use engine::{TestResult, run_tests};
use grammar::{SourceMap, render_json, render_text};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::geo::GeoFiles;
use crate::output::{self, Format, colours_on_stdout};
use crate::pack;

/// Options of `test`.
#[derive(clap::Args)]
pub struct Test {
    /// The pack's folder, or one rule file
    pack: PathBuf,
    /// Also write the results as JUnit XML, for a build server
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    geo: GeoFiles,
    /// How to print the results
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Test {
    /// Runs every `test` block. A failure shows what was expected, what came, and why; the last line counts.
    pub fn run(self) -> anyhow::Result<Exit> {
        let geo = self.geo.open()?;
        let compilation = pack::compiled(&self.pack)?;
        let Some(program) = &compilation.program else {
            pack::complain(&self.pack, &compilation);
            return Ok(Exit::Pack);
        };
        let results = run_tests(program, &|ip| geo.locate(ip));
        if let Some(path) = &self.junit {
            let report = junit::report(&self.pack.display().to_string(), &results, &compilation.sources);
            std::fs::write(path, report).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let mut out = output::stdout();
        match self.format {
            Format::Text => text(&mut out, &self.pack, &results, &compilation.sources)?,
            Format::Json => writeln!(out, "{}", as_json(&results, &compilation.sources)?)?,
        }
        out.flush()?;
        Ok(if results.iter().all(|result| result.passed) { Exit::Fine } else { Exit::Tests })
    }
}

fn text(out: &mut impl Write, pack: &Path, results: &[TestResult], sources: &SourceMap) -> std::io::Result<()> {
    if results.is_empty() {
        writeln!(
            out,
            "{} has no tests: write `test \"…\" {{ event …  expect … }}` beside its policies",
            pack.display()
        )?;
    }
    let failed: Vec<&TestResult> = results.iter().filter(|result| !result.passed).collect();
    for result in &failed {
        let place = if pack.is_dir() { pack.join(&result.file) } else { pack.to_owned() };
        writeln!(out, "FAILED \"{}\" ({}:{})", result.name, place.display(), result.line)?;
        write!(out, "{}", render_text(&result.failures, sources, colours_on_stdout()))?;
    }
    writeln!(out, "{} passed, {} failed", results.len() - failed.len(), failed.len())
}

fn as_json(results: &[TestResult], sources: &SourceMap) -> serde_json::Result<String> {
    let mut tests = Vec::new();
    for result in results {
        let failures: Value = serde_json::from_str(&render_json(&result.failures, sources))?;
        tests.push(json!({
            "name": result.name, "file": result.file, "line": result.line, "passed": result.passed, "failures": failures,
        }));
    }
    let failed = results.iter().filter(|result| !result.passed).count();
    serde_json::to_string_pretty(&json!({"passed": results.len() - failed, "failed": failed, "tests": tests}))
}
