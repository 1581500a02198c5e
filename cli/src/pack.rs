//! Reading and compiling a pack, with its diagnostics shown.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;
use engine::{Compilation, Limits, PackSource, compile};
use grammar::ast::{self, Item};
use grammar::{Diagnostic, FileId, SourceFile, SourceMap, parse, render_json, render_text};
use serde_json::{Value, json};
use server::packs::{ReadPackError, read_at_most, read_file, read_pack};

use crate::exit::Exit;
use crate::output::{self, Format, JSON_VERSION, colours_on_stderr, counted};

/// A pack as it lies on the disk, and what became of it.
pub struct Opened {
    /// Its folder.
    pub folder: PathBuf,
    /// Its files.
    pub source: PackSource,
    /// What it compiles to; its diagnostics name files so that a terminal can open them.
    pub compilation: Compilation,
}

/// Reads the pack in `path`, a folder or a single rule file, and compiles it.
pub fn compiled(path: &Path) -> anyhow::Result<Compilation> {
    Ok(opened(path)?.compilation)
}

/// The same, with what it was compiled from.
pub fn opened(path: &Path) -> anyhow::Result<Opened> {
    let is_folder = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.is_dir();
    let folder = if is_folder { path } else { path.parent().unwrap_or(Path::new("")) };
    let source = match if is_folder { read_pack(path) } else { single(path) } {
        Ok(source) => source,
        Err(error) => {
            let compilation = refused(error)?;
            return Ok(Opened { folder: folder.to_owned(), source: PackSource::default(), compilation });
        }
    };
    let mut compilation = compile(&source);
    compilation.sources = named_from_here(&compilation.sources, folder);
    Ok(Opened { folder: folder.to_owned(), source, compilation })
}

/// A pack that is not worth reading has errors like one that does not compile; what the system refuses is our failure.
fn refused(error: ReadPackError) -> anyhow::Result<Compilation> {
    let finding = match error {
        ReadPackError::Unreadable { .. } | ReadPackError::Archive => return Err(error.into()),
        ReadPackError::NoRules(folder) => {
            Diagnostic::error("empty-pack", format!("{} has no `.rules` file", folder.display()))
                .help("name the folder that holds the rule files")
        }
        ReadPackError::TooLarge { folder, limit } => {
            Diagnostic::error("pack-too-large", format!("the pack in {} is too large: {limit}", folder.display()))
                .help("split the pack, or move large lists to managed lists")
        }
        ReadPackError::NoFile { path, why } => Diagnostic::error("not-a-file", format!("{} {why}", path.display()))
            .help("a pack is folders and files; take it out, or give it another name"),
    };
    Ok(Compilation { program: None, diagnostics: vec![finding], sources: SourceMap::default() })
}

/// A pack of one rule file and the lists and scripts it names.
fn single(path: &Path) -> Result<PackSource, ReadPackError> {
    let limits = Limits::default();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = path.parent().unwrap_or(Path::new(""));
    // It was named by a person: a pipe (`<(…)`) is fine.
    let unreadable = |cause| ReadPackError::Unreadable { path: path.to_owned(), cause };
    let text = read_at_most(File::open(path).map_err(unreadable)?, limits.file_bytes).map_err(unreadable)?;
    let text = text.ok_or_else(|| ReadPackError::TooLarge {
        folder: path.to_owned(),
        limit: format!("it has more than the limit of {} bytes for a rule file", limits.file_bytes),
    })?;
    let tree = parse(&SourceFile::new(FileId(0), name.clone(), String::from_utf8_lossy(&text))).file;
    let mut left = limits.pack_bytes.saturating_sub(text.len());
    let mut files = BTreeMap::from([(name.clone(), text)]);
    for beside in files_named_in(&tree) {
        // Only what lies in the file's own folder; a file that is not there is the compiler's to report.
        let inside = Path::new(beside).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        let place = folder.join(beside);
        if inside && !files.contains_key(beside) && place.exists() {
            let bytes = read_file(&place, left)?.ok_or_else(|| ReadPackError::TooLarge {
                folder: path.to_owned(),
                limit: format!("its files have more than the limit of {} bytes together", limits.pack_bytes),
            })?;
            left -= bytes.len();
            files.insert(beside.to_owned(), bytes);
        }
    }
    Ok(PackSource { name, files })
}

fn files_named_in(tree: &ast::File) -> impl Iterator<Item = &str> {
    tree.items.iter().filter_map(|item| match item {
        Item::List(list) => match &list.source {
            ast::ListSource::File(path) => Some(path.value.as_str()),
            ast::ListSource::Inline(_) | ast::ListSource::Managed => None,
        },
        Item::Script(script) => Some(script.path.value.as_str()),
        Item::Rates(rates) => Some(rates.path.value.as_str()),
        Item::Import(import) => Some(import.path.value.as_str()),
        Item::Event(_) | Item::Reason(_) | Item::Let(_) | Item::Policy(_) | Item::Test(_) | Item::Prove(_) => None,
    })
}

/// The same files under the same numbers, named as seen from the working directory.
pub fn named_from_here(sources: &SourceMap, folder: &Path) -> SourceMap {
    let mut named = SourceMap::default();
    for file in sources.files() {
        named.add(folder.join(&file.name).display().to_string(), file.text.clone());
    }
    named
}

/// Shows the errors of a pack that some other command cannot work with. A program gets the form that `check` has.
pub fn complain(path: &Path, compilation: &Compilation, format: Format) -> anyhow::Result<Exit> {
    match format {
        Format::Text => {
            eprint!("{}", render_text(&compilation.diagnostics, &compilation.sources, colours_on_stderr()));
            eprintln!("{} cannot be used: {}", path.display(), tally(&compilation.diagnostics));
        }
        Format::Json => {
            let findings: Value = serde_json::from_str(&render_json(&compilation.diagnostics, &compilation.sources))?;
            output::json(&json!({"version": JSON_VERSION, "usable": false, "findings": findings}))?;
        }
    }
    Ok(Exit::Pack)
}

/// `2 errors, 1 warning`
pub fn tally(diagnostics: &[Diagnostic]) -> String {
    let count = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let counts = [grammar::Severity::Error, grammar::Severity::Warning, grammar::Severity::Note]
        .map(|severity| (count(severity), severity.name()));
    let said: Vec<String> =
        counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| counted(count, word)).collect();
    if said.is_empty() { "nothing to report".to_owned() } else { said.join(", ") }
}
