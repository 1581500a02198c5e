//! Certain fixes made in the text itself, and kept only where they make it better.

use crate::diagnostic::codes::CODES;
use crate::diagnostic::{Diagnostic, Edit, Fix};
use crate::source::{FileId, Position, SourceFile, Span};
use std::collections::{BTreeMap, HashSet};

/// Fixes can uncover others; more rounds than this no text has needed, of which all findings were shown.
const MOST_ROUNDS: usize = 10;

/// Rounds while there are more findings than are shown: as many as the largest file needs.
const MOST_CUT_OFF: usize = 1_100;

/// How often groups of fixes that make it worse are tried, whole or in halves, for all rounds together. Each costs a check.
const MOST_IN_VAIN: usize = 100;

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
    /// The findings, which are in order of place, as they were found in these files.
    fn all(findings: &[Diagnostic], files: &[SourceFile]) -> Vec<Fixed> {
        let begin = Position { line: 1, column: 1 };
        // Counted on from the last one: a file can have as many as it has lines.
        let mut last = (FileId(u32::MAX), 0, begin);
        let fixed = findings.iter().map(|finding| {
            let span = finding.span().unwrap_or_default();
            let file = files.iter().find(|file| file.id == span.file);
            let (from, known) = if last.0 == span.file && last.1 <= span.start { (last.1, last.2) } else { (0, begin) };
            let position = file.map_or(begin, |file| file.position_behind(from, known, span.start));
            last = (span.file, span.start, position);
            Fixed { file: file.map(|file| file.name.clone()).unwrap_or_default(), position, finding: finding.clone() }
        });
        fixed.collect()
    }
}

/// Makes every certain fix of what `check` finds in the files, again until there is none left.
///
/// Of fixes that overlap only the first is made in one round. A round is kept if what it fixed is no longer found and it made
/// no error; else its halves are tried, down to single fixes, and those that fail this are left to people. An error that was
/// not found before was hidden, not made, if it is one of meaning and stands in text that no fix wrote: what cannot be read, or
/// has no type, is not looked at further. Where there are more findings than are shown, any error may have been hidden, and
/// there are more rounds.
/// `check` is told which files may be changed, and finds things in no others.
pub fn mend(files: Vec<SourceFile>, check: impl FnMut(&[SourceFile]) -> Vec<Diagnostic>) -> Mended {
    let mut mending =
        Mending { files, left: Vec::new(), fixed: Vec::new(), refused: HashSet::new(), in_vain: 0, check };
    mending.left = (mending.check)(&mending.files);
    let (mut rounds, mut more_rounds) = (0, 0);
    while rounds < MOST_ROUNDS && more_rounds < MOST_CUT_OFF && mending.in_vain < MOST_IN_VAIN {
        let counted = if is_cut_off(&mending.left) { &mut more_rounds } else { &mut rounds };
        *counted += 1;
        let refused = &mending.refused;
        let chosen = without_overlaps(mending.left.iter().filter(|finding| !refused.contains(*finding)));
        if chosen.is_empty() {
            break;
        }
        mending.make(&chosen);
    }
    let Mending { files, left, mut fixed, .. } = mending;
    fixed.sort_by(|a, b| (&a.file, a.position, &a.finding).cmp(&(&b.file, b.position, &b.finding)));
    Mended { files, fixed, left }
}

/// Files on the way to be mended.
struct Mending<C> {
    files: Vec<SourceFile>,
    left: Vec<Diagnostic>,
    fixed: Vec<Fixed>,
    /// Fixes that made things worse, not to be tried again.
    refused: HashSet<Diagnostic>,
    in_vain: usize,
    check: C,
}

impl<C: FnMut(&[SourceFile]) -> Vec<Diagnostic>> Mending<C> {
    /// Makes those of these fixes that make it better.
    fn make(&mut self, fixes: &[Diagnostic]) {
        if fixes.is_empty() || self.in_vain >= MOST_IN_VAIN {
            return;
        }
        if let Some((files, found)) = better(&self.files, &self.left, fixes, &mut self.check) {
            self.fixed.extend(Fixed::all(fixes, &self.files));
            (self.files, self.left) = (files, found);
            return;
        }
        self.in_vain += 1;
        match fixes {
            // It is out of the way of the next round, which makes what it overlapped.
            [only] => drop(self.refused.insert(only.clone())),
            _ => {
                // The latter half first, so that the places of the former stay right.
                let (former, latter) = fixes.split_at(fixes.len() / 2);
                self.make(latter);
                self.make(former);
            }
        }
    }
}

/// Whether there were more findings than these.
fn is_cut_off(findings: &[Diagnostic]) -> bool {
    findings.iter().any(|finding| finding.code == "too-many-findings")
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
                // Nothing may be written where another edit begins or ends, unless both replace something.
                let beside = u32::from([other.span, edit.span].iter().all(|span| span.start < span.end));
                other.span.file == edit.span.file
                    && other.span.start + beside <= edit.span.end
                    && edit.span.start + beside <= other.span.end
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
    let cut_off = is_cut_off(before);
    let (had, has) = (counted(before), counted(&after));
    let count = |counts: &BTreeMap<Key, usize>, key: &Key| counts.get(key).copied().unwrap_or_default();
    let gone = if cut_off {
        // Others of the same kind have come up in their place.
        let after: HashSet<(Key, Span)> = after.iter().map(|finding| (key(finding), start(finding))).collect();
        !fixes
            .iter()
            .any(|fixed| moved(start(fixed), &written).is_some_and(|place| after.contains(&(key(fixed), place))))
    } else {
        counted(fixes).iter().all(|(key, fixed)| count(&has, key) + fixed <= count(&had, key))
    };
    // What stands where another error was is read otherwise now.
    let made: HashSet<&Diagnostic> = fixes.iter().collect();
    let errors = before.iter().filter(|finding| finding.is_error() && !made.contains(finding));
    let wrong: HashSet<Span> = errors.filter_map(|finding| moved(start(finding), &written)).collect();
    let no_worse = after.iter().filter(|finding| finding.is_error()).all(|finding| {
        let key = key(finding);
        count(&has, &key) <= count(&had, &key)
            || was_hidden(finding, &written, cut_off)
            || (wrong.contains(&start(finding)) && !touches(finding, &written))
    });
    (gone && no_worse).then_some((changed, after))
}

/// Whether a new error was there before, where nobody could see it yet.
fn was_hidden(finding: &Diagnostic, written: &[Written], cut_off: bool) -> bool {
    let syntax = CODES.iter().any(|doc| doc.code == finding.code);
    (cut_off || !syntax) && finding.span().is_some() && !touches(finding, written)
}

/// Whether a finding is about text that a fix wrote, which is in order of place.
fn touches(finding: &Diagnostic, written: &[Written]) -> bool {
    finding.span().is_some_and(|place| {
        let end = (place.file, place.end.max(place.start + 1));
        let before = written.partition_point(|written| (written.now.file, written.now.start) < end);
        // They do not overlap: the last of them reaches furthest.
        let last = before.checked_sub(1).and_then(|last| written.get(last)).map(|last| last.now);
        last.is_some_and(|last| last.file == place.file && place.start < last.end.max(last.start + 1))
    })
}

/// What a fix replaced, and where it wrote.
struct Written {
    before: Span,
    now: Span,
}

/// Where this place is after the fixes; nowhere if it was left out.
fn moved(place: Span, written: &[Written]) -> Option<Span> {
    let at = |place: Span, start: u32| Span { start, end: start, ..place };
    let before = written.partition_point(|edit| (edit.before.file, edit.before.start) <= (place.file, place.start));
    let last = before.checked_sub(1).and_then(|last| written.get(last)).filter(|last| last.before.file == place.file);
    match last {
        None => Some(at(place, place.start)),
        Some(last) if place.start >= last.before.end => Some(at(place, place.start - last.before.end + last.now.end)),
        Some(last) if last.now.start == last.now.end => None,
        Some(last) => Some(at(place, last.now.start)),
    }
}

/// Where a finding starts.
fn start(finding: &Diagnostic) -> Span {
    finding.span().map(Span::before).unwrap_or_default()
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
fn with_fixes<'a>(
    files: &[SourceFile],
    fixes: impl Iterator<Item = &'a Fix>,
) -> Option<(Vec<SourceFile>, Vec<Written>)> {
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
            let now = Span { file: file.id, start, end: u32::try_from(text.len()).ok()? };
            written.push(Written { before: edit.span, now });
            at = edit.span.end as usize;
        }
        if at > 0 || !text.is_empty() {
            text.push_str(file.text.get(at..)?);
            file.text = text;
        }
    }
    Some((changed, written))
}
