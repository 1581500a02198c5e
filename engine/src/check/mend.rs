//! The certain fixes of a pack's findings, made.

use grammar::{Fixed, SourceFile};

use super::{Compilation, compile_within};
use crate::pack::{Limits, PackSource};

/// A pack whose findings with a certain fix are fixed.
#[derive(Debug)]
pub struct MendedPack {
    /// The pack, only its rule files changed.
    pub pack: PackSource,
    /// The paths of the files that were changed.
    pub changed: Vec<String>,
    /// What was fixed.
    pub fixed: Vec<Fixed>,
    /// What is left.
    pub compilation: Compilation,
}

/// How many findings of one file are fixed in one round.
const MOST_AT_ONCE: usize = 20_000;

/// Makes every certain fix of what is found in a pack, as long as that makes it better: see [`grammar::mend`].
///
/// ```
/// use engine::{PackSource, check::mend};
/// let pack = PackSource::of_rules("policy p on any { default alow }");
/// let mended = mend(&pack);
/// assert_eq!(mended.pack, PackSource::of_rules("policy p on any { default allow }"));
/// assert!(mended.compilation.program.is_some());
/// ```
#[must_use]
pub fn mend(pack: &PackSource) -> MendedPack {
    // More at once, since each round reads the whole pack.
    let limits = Limits { findings: MOST_AT_ONCE, ..Limits::default() };
    let before = compile_within(pack, limits);
    let mut current = pack.clone();
    let check = |files: &[SourceFile]| {
        for file in files.iter().filter(|file| is_text(pack, file)) {
            current.files.insert(file.name.clone(), file.text.clone().into_bytes());
        }
        let mut findings = compile_within(&current, limits).diagnostics;
        for finding in &mut findings {
            let elsewhere = |file: grammar::FileId| files.get(file.0 as usize).is_none_or(|file| !is_text(pack, file));
            // What is no text cannot be written back, and what is no rule file is not ours to change.
            if finding.fix.as_ref().is_some_and(|fix| fix.edits.iter().any(|edit| elsewhere(edit.span.file))) {
                finding.fix = None;
            }
        }
        findings
    };
    let mended = grammar::mend(before.sources.files().to_vec(), check);
    let mut pack_after = pack.clone();
    let mut changed = Vec::new();
    for file in mended.files {
        let differs = pack.files.get(&file.name).is_some_and(|bytes| bytes.as_slice() != file.text.as_bytes());
        if differs && is_text(pack, &file) {
            changed.push(file.name.clone());
            pack_after.files.insert(file.name, file.text.into_bytes());
        }
    }
    let compilation = compile_within(&pack_after, Limits::default());
    MendedPack { pack: pack_after, changed, fixed: mended.fixed, compilation }
}

/// Whether the file lies in the pack as UTF-8 text.
fn is_text(pack: &PackSource, file: &SourceFile) -> bool {
    pack.files.get(&file.name).is_some_and(|bytes| std::str::from_utf8(bytes).is_ok())
}
