//! `stepup fmt [--check] PATH…`

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use grammar::{Diagnostic, FileId, MAX_FILE_BYTES, SourceFile, SourceMap, render_json, render_text};
use serde_json::{Value, json};
use server::packs::read_at_most;

use crate::exit::Exit;
use crate::files::replace;
use crate::output::{self, Format, JSON_VERSION, colours_on_stderr, counted};

/// Options of `fmt`.
#[derive(clap::Args)]
pub struct Fmt {
    /// Only say which files would change; exit 4 if any would
    #[arg(long)]
    check: bool,
    /// Rule files, or folders of them; `-` formats standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How to say what was done
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What became of one file.
enum Formatted {
    Same,
    Changed(String),
    Broken(Vec<Diagnostic>, SourceMap),
}

/// What became of all of them.
#[derive(Default)]
struct Done {
    seen: usize,
    changed: Vec<String>,
    /// Those that were left alone, and why.
    broken: Vec<(String, Vec<Diagnostic>, SourceMap)>,
}

impl Fmt {
    /// Formats each `*.rules` file; one that does not parse is reported and left alone.
    pub fn run(self) -> anyhow::Result<Exit> {
        if self.paths == [Path::new("-")] {
            return standard_input(self.check);
        }
        let mut files = Vec::new();
        for path in &self.paths {
            collect(path, &mut files)?;
        }
        files.dedup();
        if files.is_empty() {
            eprintln!("stepup: there is no `*.rules` file in what was named");
            return Ok(Exit::Pack);
        }
        let mut done = Done { seen: files.len(), ..Done::default() };
        for path in &files {
            let name = path.display().to_string();
            let reading = || format!("cannot read {name}");
            let Some(bytes) =
                read_at_most(File::open(path).with_context(reading)?, MAX_FILE_BYTES).with_context(reading)?
            else {
                done.broken.push((name.clone(), vec![too_large(&name)], SourceMap::default()));
                continue;
            };
            match formatted(&name, bytes.clone()) {
                Formatted::Same => {}
                Formatted::Changed(text) => {
                    if !self.check {
                        replace(path, &bytes, &text)?;
                    }
                    done.changed.push(name);
                }
                Formatted::Broken(findings, sources) => done.broken.push((name, findings, sources)),
            }
        }
        match self.format {
            Format::Text => done.text(self.check)?,
            Format::Json => output::json(&done.json()?)?,
        }
        Ok(match (done.broken.len(), done.changed.len(), self.check) {
            (1.., _, _) => Exit::Pack,
            (0, 1.., true) => Exit::Tests,
            (0, 0, true) | (0, _, false) => Exit::Fine,
        })
    }
}

impl Done {
    fn text(&self, check: bool) -> anyhow::Result<()> {
        let mut out = output::stdout();
        for name in &self.changed {
            writeln!(out, "{} {name}", if check { "would format" } else { "formatted" })?;
        }
        for (_, findings, sources) in &self.broken {
            eprint!("{}", render_text(findings, sources, colours_on_stderr()));
        }
        let seen = counted(self.seen, "file");
        let verb = if check { "would change" } else { "changed" };
        let what = match self.changed.len() {
            0 => "nothing to change".to_owned(),
            many => format!("{many} {verb}"),
        };
        let left = match self.broken.len() {
            0 => String::new(),
            many => format!(", {many} left alone because of errors"),
        };
        writeln!(out, "{seen} looked at, {what}{left}")?;
        Ok(out.flush()?)
    }

    fn json(&self) -> serde_json::Result<Value> {
        let mut findings = Vec::new();
        for (_, found, sources) in &self.broken {
            findings.extend(serde_json::from_str::<Vec<Value>>(&render_json(found, sources))?);
        }
        let broken: Vec<&str> = self.broken.iter().map(|(name, _, _)| name.as_str()).collect();
        Ok(json!({
            "version": JSON_VERSION, "files": self.seen, "changed": self.changed, "broken": broken, "findings": findings,
        }))
    }
}

/// For editors: text in, formatted text out.
fn standard_input(check: bool) -> anyhow::Result<Exit> {
    let reading = || "cannot read standard input".to_owned();
    let bytes = read_at_most(std::io::stdin().lock(), MAX_FILE_BYTES).with_context(reading)?;
    let formatted = match &bytes {
        Some(bytes) => formatted("<stdin>", bytes.clone()),
        None => Formatted::Broken(vec![too_large("<stdin>")], SourceMap::default()),
    };
    let mut out = output::stdout();
    let exit = match formatted {
        Formatted::Broken(findings, sources) => {
            eprint!("{}", render_text(&findings, &sources, colours_on_stderr()));
            Exit::Pack
        }
        Formatted::Changed(_) if check => Exit::Tests,
        Formatted::Same if check => Exit::Fine,
        Formatted::Same => out.write_all(&bytes.unwrap_or_default()).map(|()| Exit::Fine)?,
        Formatted::Changed(text) => write!(out, "{text}").map(|()| Exit::Fine)?,
    };
    out.flush()?;
    Ok(exit)
}

fn too_large(name: &str) -> Diagnostic {
    Diagnostic::error("file-too-large", format!("`{name}` has more than the limit of {MAX_FILE_BYTES} bytes"))
        .help("split it; long lists belong into files of their own")
}

fn formatted(name: &str, bytes: Vec<u8>) -> Formatted {
    let Ok(text) = String::from_utf8(bytes) else {
        let finding = Diagnostic::error("not-utf8", format!("`{name}` is not UTF-8 text")).help("save it as UTF-8");
        return Formatted::Broken(vec![finding], SourceMap::default());
    };
    let file = SourceFile::new(FileId(0), name, text);
    match grammar::format(&file) {
        Ok(formatted) if formatted == file.text => Formatted::Same,
        Ok(formatted) => Formatted::Changed(formatted),
        Err(diagnostics) => Formatted::Broken(diagnostics, SourceMap::from(file)),
    }
}

/// A file that is named is formatted whatever it is called; in a folder, the `*.rules` files are.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let reading = || format!("cannot read {}", path.display());
    if !std::fs::metadata(path).with_context(reading)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = std::fs::read_dir(path).with_context(reading)?;
    let mut inside =
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>().with_context(reading)?;
    inside.sort();
    for entry in inside {
        let hidden = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        // A link to a folder may lead round in a circle.
        let folder = entry.is_dir() && !entry.is_symlink();
        if !hidden && (folder || (entry.is_file() && entry.extension().is_some_and(|ending| ending == "rules"))) {
            collect(&entry, files)?;
        }
    }
    Ok(())
}
