//! `stepup test PACK`

mod coverage;
mod junit;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use engine::program::Proof;
use engine::{Coverage, TestResult, cover_tests};
use grammar::{SourceMap, render_json, render_text};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::geo::GeoFiles;
use crate::output::{self, Format, JSON_VERSION, colours_on_stdout};
use crate::pack;
use coverage::Required;

/// Options of `test`.
#[derive(clap::Args)]
pub struct Test {
    /// The pack's folder, or one rule file
    pack: PathBuf,
    /// Also write the results as JUnit XML, for a build server
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Also show which rules matched in the tests, and which conditions were seen both true and false
    #[arg(long)]
    coverage: bool,
    /// The same, and exit with 4 unless every live and shadow rule matched in some test; with `conditions`, unless each
    /// of their conditions was seen both true and false as well
    #[arg(long, value_enum, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "rules")]
    require_coverage: Option<Required>,
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
            return pack::complain(&self.pack, &compilation, self.format);
        };
        let (results, coverage) = cover_tests(program, &|ip| geo.locate(ip));
        if let Some(path) = &self.junit {
            let report = junit::report(&self.pack.display().to_string(), &results, &compilation.sources);
            std::fs::write(path, report).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let shown = (self.coverage || self.require_coverage.is_some()).then_some(&coverage);
        let mut out = output::stdout();
        match self.format {
            Format::Text => text(&mut out, &self.pack, program.proofs(), &results, shown, &compilation.sources)?,
            Format::Json => {
                writeln!(out, "{}", as_json(program.proofs(), &results, shown, &compilation.sources)?)?;
            }
        }
        out.flush()?;
        let uncovered = self.require_coverage.map(|required| required.unmet(&coverage)).unwrap_or_default();
        if !uncovered.is_empty() {
            eprintln!("the tests do not cover {}", uncovered.join(", "));
        }
        Ok(if uncovered.is_empty() && results.iter().all(|result| result.passed) { Exit::Fine } else { Exit::Tests })
    }
}

fn text(
    out: &mut impl Write,
    pack: &Path,
    proofs: &[Proof],
    results: &[TestResult],
    coverage: Option<&Coverage>,
    sources: &SourceMap,
) -> std::io::Result<()> {
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
    if let Some(coverage) = coverage {
        coverage::text(out, coverage)?;
    }
    for proof in proofs {
        writeln!(out, "not decided, only read: prove \"{}\" ({}:{})", proof.name, proof.file, proof.line)?;
    }
    writeln!(out, "{} passed, {} failed", results.len() - failed.len(), failed.len())
}

fn as_json(
    proofs: &[Proof],
    results: &[TestResult],
    coverage: Option<&Coverage>,
    sources: &SourceMap,
) -> serde_json::Result<String> {
    let mut tests = Vec::new();
    for result in results {
        let failures: Value = serde_json::from_str(&render_json(&result.failures, sources))?;
        tests.push(json!({
            "name": result.name, "file": result.file, "line": result.line, "passed": result.passed, "failures": failures,
        }));
    }
    let failed = results.iter().filter(|result| !result.passed).count();
    let proof = |proof: &Proof| json!({"name": proof.name, "file": proof.file, "line": proof.line, "decided": false});
    let proofs: Vec<Value> = proofs.iter().map(proof).collect();
    let mut report = json!({"version": JSON_VERSION, "passed": results.len() - failed, "failed": failed, "tests": tests, "proofs": proofs});
    if let (Some(coverage), Some(report)) = (coverage, report.as_object_mut()) {
        report.insert("coverage".to_owned(), coverage::as_json(coverage));
    }
    serde_json::to_string_pretty(&report)
}
