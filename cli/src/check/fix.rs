//! The certain fixes of a pack, made, shown or written.

use std::path::PathBuf;

use engine::check::{MendedPack, mend};
use engine::{Compilation, PackSource};
use grammar::{Diagnostic, Fixed};
use similar::TextDiff;

use crate::files;
use crate::pack::{Opened, named_from_here};

/// How many of these findings would be fixed. Not all that could be: a fix that uncovers an error is not made.
pub fn fixable(source: &PackSource, found: &Compilation) -> usize {
    let certain = found.diagnostics.iter().filter(|finding| finding.certain_fix().is_some()).count();
    if certain == 0 || found.program.is_some() { 0 } else { mend(source).fixed.len().min(certain) }
}

/// What the fixes come to.
pub struct Mending {
    /// What was fixed.
    pub fixed: Vec<Fixed>,
    /// The files that change, as named from here.
    pub changed: Vec<Changed>,
    after: MendedPack,
}

/// A file that changes.
pub struct Changed {
    /// As named in the pack.
    inside: String,
    /// As named from here.
    pub path: PathBuf,
    /// What it said.
    before: String,
    /// What it says now.
    now: String,
}

impl Mending {
    /// Makes the certain fixes in memory.
    pub fn of(opened: &Opened) -> Mending {
        let mut after = mend(&opened.source);
        let text = |files: &PackSource, path: &str| {
            files.files.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
        };
        let changed = after.changed.iter().map(|inside| Changed {
            inside: inside.clone(),
            path: opened.folder.join(inside),
            before: text(&opened.source, inside),
            now: text(&after.pack, inside),
        });
        let changed = changed.collect();
        let named = |mut fixed: Fixed| {
            fixed.file = opened.folder.join(&fixed.file).display().to_string();
            fixed
        };
        let fixed = std::mem::take(&mut after.fixed).into_iter().map(named).collect();
        Mending { fixed, changed, after }
    }

    /// Writes the changed files, each whole or not at all.
    pub fn write(&self, opened: &Opened) -> anyhow::Result<()> {
        for file in &self.changed {
            let before = opened.source.files.get(&file.inside).map(Vec::as_slice).unwrap_or_default();
            files::replace(&file.path, before, &file.now)?;
        }
        Ok(())
    }

    /// The pack as it is afterwards.
    pub fn opened(&self, folder: PathBuf) -> Opened {
        let mut compilation = engine::compile(&self.after.pack);
        compilation.sources = named_from_here(&compilation.sources, &folder);
        Opened { folder, source: self.after.pack.clone(), compilation }
    }

    /// What is left to find afterwards.
    pub fn left(&self) -> &[Diagnostic] {
        &self.after.compilation.diagnostics
    }

    /// All changes as one unified diff, for `git apply` and `patch -p1`.
    pub fn diff(&self) -> String {
        let mut text = String::new();
        for file in &self.changed {
            let name = file.path.display().to_string();
            let name = name.trim_start_matches("./").trim_start_matches('/');
            let diff = TextDiff::from_lines(&file.before, &file.now);
            text += &diff.unified_diff().header(&format!("a/{name}"), &format!("b/{name}")).to_string();
        }
        text
    }
}
