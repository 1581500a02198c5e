//! Reading and compiling a pack, with its diagnostics shown.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use engine::{Compilation, PackSource, compile};
use grammar::ast::{self, Item};
use grammar::{Diagnostic, FileId, SourceFile, SourceMap, parse, render_text};
use server::packs::read_pack;

use crate::output::{colours_on_stderr, counted};

/// Reads the pack in `path`, a folder or a single rule file, and compiles it. Its diagnostics name files so that a
/// terminal can open them.
pub fn compiled(path: &Path) -> anyhow::Result<Compilation> {
    let is_folder = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.is_dir();
    let (folder, source) =
        if is_folder { (path, read_pack(path)?) } else { (path.parent().unwrap_or(Path::new("")), single(path)?) };
    let mut compilation = compile(&source);
    compilation.sources = named_from_here(&compilation.sources, folder);
    Ok(compilation)
}

/// A pack of one rule file and the lists and scripts it names.
fn single(path: &Path) -> anyhow::Result<PackSource> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = path.parent().unwrap_or(Path::new(""));
    let tree = parse(&SourceFile::new(FileId(0), name.clone(), String::from_utf8_lossy(&text))).file;
    let mut files = BTreeMap::from([(name.clone(), text)]);
    for beside in files_named_in(&tree) {
        // Only what lies in the file's own folder; a file that is not there is the compiler's to report.
        let inside = Path::new(beside).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if let (true, Ok(bytes)) = (inside, std::fs::read(folder.join(beside))) {
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

/// Shows the errors of a pack that some other command cannot work with.
pub fn complain(path: &Path, compilation: &Compilation) {
    eprint!("{}", render_text(&compilation.diagnostics, &compilation.sources, colours_on_stderr()));
    eprintln!("{} cannot be used: {}", path.display(), tally(&compilation.diagnostics));
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
