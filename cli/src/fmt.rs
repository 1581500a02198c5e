//! `stepup fmt [--check] PATH…`

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use grammar::{Diagnostic, FileId, SourceFile, SourceMap, render_text};

use crate::exit::Exit;
use crate::output::{self, colours_on_stderr, counted};

/// Options of `fmt`.
#[derive(clap::Args)]
pub struct Fmt {
    /// Only say which files would change; exit 4 if any would
    #[arg(long)]
    check: bool,
    /// Rule files, or folders of them; `-` formats standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// What became of one file.
enum Formatted {
    Same,
    Changed(String),
    Broken,
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
        anyhow::ensure!(!files.is_empty(), "there is no *.rules file in what was named");
        let mut out = output::stdout();
        let (mut changed, mut broken) = (0_u32, 0_u32);
        for path in &files {
            let name = path.display().to_string();
            let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
            match formatted(&name, bytes) {
                Formatted::Same => {}
                Formatted::Changed(text) => {
                    changed += 1;
                    if self.check {
                        writeln!(out, "would format {name}")?;
                    } else {
                        replace(path, &text)?;
                        writeln!(out, "formatted {name}")?;
                    }
                }
                Formatted::Broken => broken += 1,
            }
        }
        let seen = counted(files.len(), "file");
        let verb = if self.check { "would change" } else { "changed" };
        let what = if changed == 0 { "nothing to change".to_owned() } else { format!("{changed} {verb}") };
        let left = if broken == 0 { String::new() } else { format!(", {broken} left alone because of errors") };
        writeln!(out, "{seen} looked at, {what}{left}")?;
        out.flush()?;
        Ok(match (broken, changed, self.check) {
            (1.., _, _) => Exit::Pack,
            (0, 1.., true) => Exit::Tests,
            (0, 0, true) | (0, _, false) => Exit::Fine,
        })
    }
}

/// For editors: text in, formatted text out.
fn standard_input(check: bool) -> anyhow::Result<Exit> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
    let mut out = output::stdout();
    let exit = match formatted("<stdin>", bytes.clone()) {
        Formatted::Broken => Exit::Pack,
        Formatted::Changed(_) if check => Exit::Tests,
        Formatted::Same if check => Exit::Fine,
        Formatted::Same => out.write_all(&bytes).map(|()| Exit::Fine)?,
        Formatted::Changed(text) => write!(out, "{text}").map(|()| Exit::Fine)?,
    };
    out.flush()?;
    Ok(exit)
}

fn formatted(name: &str, bytes: Vec<u8>) -> Formatted {
    let Ok(text) = String::from_utf8(bytes) else {
        let finding = Diagnostic::error("not-utf8", format!("`{name}` is not UTF-8 text"));
        eprint!("{}", render_text(&[finding], &SourceMap::default(), colours_on_stderr()));
        return Formatted::Broken;
    };
    let file = SourceFile::new(FileId(0), name, text);
    match grammar::format(&file) {
        Ok(formatted) if formatted == file.text => Formatted::Same,
        Ok(formatted) => Formatted::Changed(formatted),
        Err(diagnostics) => {
            let sources = SourceMap::from(file);
            eprint!("{}", render_text(&diagnostics, &sources, colours_on_stderr()));
            Formatted::Broken
        }
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

/// Writes beside and renames, so that a crash leaves the old file or the new one.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    // Through a link, so that the link stays one.
    let path = path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?;
    let mut beside = path.clone().into_os_string();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, text).with_context(|| format!("cannot write {}", beside.display()))?;
    if let Ok(metadata) = std::fs::metadata(&path) {
        std::fs::set_permissions(&beside, metadata.permissions())
            .with_context(|| format!("cannot set the mode of {}", beside.display()))?;
    }
    std::fs::rename(&beside, &path).with_context(|| format!("cannot replace {}", path.display()))
}
