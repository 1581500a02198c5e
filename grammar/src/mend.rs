//! Certain fixes made in the text itself, and kept only where they make it better.

use crate::diagnostic::codes::CODES;
use crate::diagnostic::{Diagnostic, Edit, Fix};
use crate::source::{Position, SourceFile, Span};
use std::collections::BTreeMap;

/// Fixes can uncover others; more rounds than this no text has needed.
const MOST_ROUNDS: usize = 10;

/// How many fixes are tried one by one, where all of them together went wrong.
const MOST_TRIED_ALONE: usize = 100;

/// Files with their certain fixes made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// All files, those without a fix unchanged.
    pub files: Vec<SourceFile>,
    /// What was fixed, in order of place.
    pub fixed: Vec<Fixed>,
    /// What is left to find.
    pub left: Vec<Diagnostic>,
}

/// A finding that was fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// As it was found.
    pub finding: Diagnostic,
    /// The name of its file.
    pub file: String,
    /// Where it began in that file. Fixes made before it may have moved it.
    pub position: Position,
}

impl Fixed {
    fn of(finding: Diagnostic, files: &[SourceFile]) -> Self {
        let span = finding.span().unwrap_or_default();
        let file = files.iter().find(|file| file.id == span.file);
        Fixed {
            file: file.map(|file| file.name.clone()).unwrap_or_default(),
            position: file.map_or(Position { line: 1, column: 1 }, |file| file.position(span.start)),
            finding,
        }
    }
}

/// Makes every certain fix of what `check` finds in the files, again until there is none left.
///
/// Of fixes that overlap only the first is made in one round. A round is kept if what it fixed is no longer found and it made
/// no error; else its fixes are tried one by one, and those that fail this are left to people. An error that was not found
/// before was hidden, not made, if it is one of meaning and stands in text that no fix wrote: what cannot be read, or has no
/// type, is not looked at further.
/// `check` is told which files may be changed, and finds things in no others.
pub fn mend(files: Vec<SourceFile>, mut check: impl FnMut(&[SourceFile]) -> Vec<Diagnostic>) -> Mended {
    let mut left = check(&files);
    let mut mended = Mended { files, fixed: Vec::new(), left: Vec::new() };
    // Fixes that made things worse, not to be tried again.
    let mut refused: Vec<Diagnostic> = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let chosen = without_overlaps(left.iter().filter(|finding| !refused.contains(finding)));
        if chosen.is_empty() {
            break;
        }
        if let Some((files, found)) = better(&mended.files, &left, &chosen, &mut check) {
            mended.fixed.extend(chosen.into_iter().map(|finding| Fixed::of(finding, &mended.files)));
            (mended.files, left) = (files, found);
            continue;
        }
        // From the last one back, so that the places of the others stay right.
        let mut alone = chosen;
        alone.truncate(MOST_TRIED_ALONE);
        for finding in alone.into_iter().rev() {
            match better(&mended.files, &left, std::slice::from_ref(&finding), &mut check) {
                Some((files, found)) => {
                    mended.fixed.push(Fixed::of(finding, &mended.files));
                    (mended.files, left) = (files, found);
                }
                // It is out of the way of the next round, which makes what it overlapped.
                None => refused.push(finding),
            }
        }
    }
    mended.fixed.sort_by(|a, b| (&a.file, a.position, &a.finding).cmp(&(&b.file, b.position, &b.finding)));
    mended.left = left;
    mended
}

/// The findings with certain fixes that do not touch each other, the first of those that do.
fn without_overlaps<'a>(findings: impl Iterator<Item = &'a Diagnostic>) -> Vec<Diagnostic> {
    let mut chosen = Vec::new();
    let mut edits: Vec<&Edit> = Vec::new();
    for finding in findings {
        let Some(fix) = finding.certain_fix() else { continue };
        let free = |edit: &Edit| {
            let place = edits.partition_point(|other| other.span < edit.span);
            let touches = |other: &&Edit| {
                other.span.file == edit.span.file
                    && other.span.start <= edit.span.end
                    && edit.span.start <= other.span.end
            };
            !place.checked_sub(1).and_then(|place| edits.get(place)).is_some_and(touches)
                && !edits.get(place).is_some_and(touches)
        };
        if fix.edits.iter().all(free) {
            for edit in &fix.edits {
                edits.insert(edits.partition_point(|other| other.span < edit.span), edit);
            }
            chosen.push(finding.clone());
        }
    }
    chosen
}

/// The files with these fixes made and what is found in them then, if that is better.
fn better(
    files: &[SourceFile],
    before: &[Diagnostic],
    fixes: &[Diagnostic],
    check: &mut impl FnMut(&[SourceFile]) -> Vec<Diagnostic>,
) -> Option<(Vec<SourceFile>, Vec<Diagnostic>)> {
    let (changed, written) = with_fixes(files, fixes.iter().filter_map(Diagnostic::certain_fix))?;
    let after = check(&changed);
    let (had, has) = (counted(before), counted(&after));
    let count = |counts: &BTreeMap<Key, usize>, key: &Key| counts.get(key).copied().unwrap_or_default();
    let gone = counted(fixes).iter().all(|(key, fixed)| count(&has, key) + fixed <= count(&had, key));
    let no_worse = after.iter().filter(|finding| finding.is_error()).all(|finding| {
        let key = key(finding);
        count(&has, &key) <= count(&had, &key) || was_hidden(finding, &written)
    });
    (gone && no_worse).then_some((changed, after))
}

/// Whether a new error was there before, where nobody could see it yet.
fn was_hidden(finding: &Diagnostic, written: &[Span]) -> bool {
    let syntax = CODES.iter().any(|doc| doc.code == finding.code);
    let touches = |place: Span, written: &Span| {
        place.file == written.file
            && place.start < written.end.max(written.start + 1)
            && written.start < place.end.max(place.start + 1)
    };
    !syntax && finding.span().is_some_and(|place| !written.iter().any(|written| touches(place, written)))
}

/// What makes a finding the same after its place has moved.
type Key = (u32, &'static str, String);

fn key(finding: &Diagnostic) -> Key {
    (finding.span().map_or(0, |span| span.file.0), finding.code, finding.message.clone())
}

fn counted(findings: &[Diagnostic]) -> BTreeMap<Key, usize> {
    let mut counts = BTreeMap::new();
    for finding in findings {
        *counts.entry(key(finding)).or_default() += 1;
    }
    counts
}

/// The files with these fixes made, and where the fixes wrote; nothing if one does not fit.
fn with_fixes<'a>(files: &[SourceFile], fixes: impl Iterator<Item = &'a Fix>) -> Option<(Vec<SourceFile>, Vec<Span>)> {
    let mut edits: Vec<&Edit> = fixes.flat_map(|fix| &fix.edits).collect();
    edits.sort();
    let mut changed = files.to_vec();
    let mut written = Vec::new();
    for file in &mut changed {
        let mut text = String::with_capacity(file.text.len());
        let mut at = 0;
        for edit in edits.iter().filter(|edit| edit.span.file == file.id) {
            text.push_str(file.text.get(at..edit.span.start as usize)?);
            let start = u32::try_from(text.len()).ok()?;
            text.push_str(&edit.replacement);
            written.push(Span { file: file.id, start, end: u32::try_from(text.len()).ok()? });
            at = edit.span.end as usize;
        }
        if at > 0 || !text.is_empty() {
            text.push_str(file.text.get(at..)?);
            file.text = text;
        }
    }
    Some((changed, written))
}
