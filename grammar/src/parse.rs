//! Rule text to a syntax tree, item by item.

use crate::MAX_FILE_BYTES;
use crate::amend::{Amended, Change, lies_in, stand_in};
use crate::ast;
use crate::diagnostic::{Diagnostic, Findings, Fix, MOST_FINDINGS};
use crate::expected;
use crate::lower::{Grammar, Lower, Pair, Rule};
use crate::recover;
use crate::scan::{Scan, too_deep};
use crate::source::{FileId, SourceFile, Span};
use pest::Parser as _;
use std::collections::BTreeSet;
use std::ops::Range;

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The items that parsed, slips with a certain fix as if they were fixed. Of an event, policy or test with errors, the
    /// members that parsed.
    pub file: ast::File,
    /// What was wrong, in order of place.
    pub diagnostics: Vec<Diagnostic>,
    /// Names whose declarations could not be read: events, fields, lists (without `@`), scripts, reasons, `let`s, policies,
    /// rules. They exist; to use one is not a second mistake.
    pub lost: BTreeSet<String>,
}

/// Reads a file. Never fails: what does not parse is left out and has a diagnostic, the rest is there.
/// Takes time in proportion to the length of the text.
pub fn parse(source: &SourceFile) -> Parsed {
    parse_within(source, MOST_FINDINGS)
}

fn parse_within(source: &SourceFile, most: usize) -> Parsed {
    if source.text.len() > MAX_FILE_BYTES {
        let message = format!("`{}` is larger than 1 MiB", source.name);
        let finding = Diagnostic::error("file-too-large", message)
            .at(Span::new(source.id, 0, 0), "")
            .help("split it into several files; a pack is compiled as a whole");
        return Parsed { diagnostics: vec![finding], ..Parsed::nothing() };
    }
    parse_scan(&Scan::within(source, most))
}

/// Reads a file as it lies on the disk. One that is not UTF-8 is read as far as it can be, with a finding about that.
pub fn parse_bytes(id: FileId, name: &str, bytes: &[u8]) -> (SourceFile, Parsed) {
    parse_bytes_within(id, name, bytes, MOST_FINDINGS)
}

/// Like [`parse_bytes`], with at most so many findings kept; the others are counted.
pub fn parse_bytes_within(id: FileId, name: &str, bytes: &[u8], most: usize) -> (SourceFile, Parsed) {
    let (text, finding) = match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), None),
        Err(_) if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) => {
            let finding = Diagnostic::error("not-utf8", format!("`{name}` is UTF-16 text"));
            (String::new(), Some(finding.at(Span::new(id, 0, 0), "").help("save it as UTF-8")))
        }
        Err(_) if bytes.contains(&0) => {
            let finding = Diagnostic::error("not-utf8", format!("`{name}` is not text"));
            (String::new(), Some(finding.at(Span::new(id, 0, 0), "").help("rule files are UTF-8 text")))
        }
        Err(error) => {
            // Up to here the text is the same, and then has the character that stands for what is none.
            let start = error.valid_up_to();
            let place = Span::new(id, start, start + char::REPLACEMENT_CHARACTER.len_utf8());
            let byte = bytes.get(start).copied().unwrap_or_default();
            let finding = Diagnostic::error("not-utf8", format!("`{name}` is not UTF-8 text"))
                .at(place, format!("byte 0x{byte:02X} is no character"))
                .help(match char::from(byte) {
                    _ if error.error_len().is_none() => "the file was cut off within a character".to_owned(),
                    letter if letter.is_alphabetic() => {
                        format!("save the file as UTF-8; if it is Latin-1, this is `{letter}`")
                    }
                    _ => "save the file as UTF-8".to_owned(),
                });
            (String::from_utf8_lossy(bytes).into_owned(), Some(finding))
        }
    };
    let source = SourceFile::new(id, name, text);
    let mut parsed = parse_within(&source, most);
    if let Some(finding) = finding {
        // That it is no letter has been said.
        let said = |other: &Diagnostic| {
            let text = other.span().map_or("", |span| source.slice(span));
            other.code == "unexpected-character" && text.contains(char::REPLACEMENT_CHARACTER)
        };
        parsed.diagnostics.retain(|other| !said(other));
        parsed.diagnostics.insert(0, finding);
        parsed.diagnostics.sort();
    }
    (source, parsed)
}

/// Parses what has been scanned.
pub(crate) fn parse_scan(scan: &Scan) -> Parsed {
    let mut parser = Parser {
        scan,
        diagnostics: scan.problems.clone(),
        changes: Vec::new(),
        foreign: Vec::new(),
        lost: BTreeSet::new(),
    };
    for fix in scan.problems.as_slice().iter().filter_map(Diagnostic::certain_fix) {
        parser.amend(fix);
    }
    for name in &scan.foreign_names {
        parser.stand_in(*name);
    }
    let mut items = Vec::new();
    for region in recover::items(scan) {
        if let Some(finding) = recover::unknown_item(scan, &region) {
            match finding {
                Some(finding) if parser.amends(&finding, &region) => parser.diagnostics.push(finding),
                Some(finding) => {
                    parser.foreign.push(parser.bytes(&region));
                    parser.diagnostics.push(finding);
                    parser.lose(&region);
                    continue;
                }
                None => {
                    parser.lose(&region);
                    continue;
                }
            }
        }
        if let Some(finding) = too_deep(scan, region.clone()) {
            parser.diagnostics.push(finding);
            parser.lose(&region);
        } else {
            items.extend(parser.item(region));
        }
    }
    parser.forget_inside();
    parser.diagnostics.extend(scan.notices.iter().cloned());
    parser.diagnostics.sort();
    parser.cut_short();
    Parsed { file: ast::File { items }, diagnostics: parser.diagnostics.finish(&scan.source.name), lost: parser.lost }
}

impl Parsed {
    fn nothing() -> Self {
        Parsed { file: ast::File::default(), diagnostics: Vec::new(), lost: BTreeSet::new() }
    }
}

/// How many slips of one clause are mended on the way to its end. Each costs another reading of it.
const MENDED_AT_MOST: usize = 8;

pub(crate) struct Parser<'a> {
    pub scan: &'a Scan<'a>,
    pub diagnostics: Findings,
    /// The certain fixes of all findings so far, in order of place, without overlaps.
    changes: Vec<Change>,
    /// The bytes of what is no item at all, in order.
    foreign: Vec<Range<usize>>,
    lost: BTreeSet<String>,
}

impl<'a> Parser<'a> {
    fn item(&mut self, region: Range<usize>) -> Option<ast::Item> {
        match self.read(Rule::item_only, region.clone(), &[], |lower, pair| lower.item(pair)) {
            Ok(item) => Some(item),
            Err(finding) => {
                let before = self.diagnostics.len();
                let item = recover::item(self, region.clone());
                // Where the parts have nothing wrong with them, it is how they stand together.
                if self.diagnostics.len() == before && !self.scan.has_problem(&self.bytes(&region)) {
                    self.diagnostics.extend(finding.map(|finding| *finding));
                }
                if item.is_none() {
                    self.lose(&region);
                }
                item
            }
        }
    }

    /// The text of a token, as amended.
    pub fn word(&self, index: usize) -> &str {
        let Some(token) = self.scan.tokens.get(index) else { return "" };
        let change = self.change_at(token.start, token.end);
        change.map_or_else(|| self.scan.text(token), |change| change.replacement.as_str())
    }

    fn change_at(&self, start: usize, end: usize) -> Option<&Change> {
        let place = self.changes.partition_point(|change| (change.start, change.end) < (start, end));
        self.changes.get(place).filter(|change| (change.start, change.end) == (start, end))
    }

    /// Notes a fix to be made before anything is parsed again; whether it could be.
    fn amend(&mut self, fix: &Fix) -> bool {
        let changes = fix.edits.iter().map(|edit| Change {
            start: edit.span.start as usize,
            end: edit.span.end as usize,
            replacement: edit.replacement.clone(),
        });
        let changes: Vec<Change> = changes.collect();
        self.change(changes)
    }

    /// Reads on past a name that is not ASCII as if it were one: it has been said, and hides nothing else.
    fn stand_in(&mut self, name: Span) {
        let written = self.scan.source.slice(name);
        let (start, end) = (name.start as usize, name.end as usize);
        if self.change(vec![Change { start, end, replacement: stand_in(written) }]) {
            self.lost.insert(written.trim_start_matches('@').to_owned());
        }
    }

    fn change(&mut self, changes: Vec<Change>) -> bool {
        if changes.iter().any(|change| self.overlaps(change)) {
            return false;
        }
        for change in changes {
            let place = self.changes.partition_point(|other| *other < change);
            self.changes.insert(place, change);
        }
        true
    }

    fn overlaps(&self, change: &Change) -> bool {
        let place = self.changes.partition_point(|other| *other < *change);
        let before = place.checked_sub(1).and_then(|place| self.changes.get(place));
        before.is_some_and(|other| other.end > change.start || other.start == change.start)
            || self.changes.get(place).is_some_and(|other| other.start < change.end || other.start == change.start)
    }

    /// Makes the certain fix of a finding, if it has one inside the region.
    pub fn amends(&mut self, finding: &Diagnostic, region: &Range<usize>) -> bool {
        let bytes = self.bytes(region);
        finding.certain_fix().is_some_and(|fix| {
            let inside = |span: Span| span.start as usize >= bytes.start && span.end as usize <= bytes.end;
            fix.edits.iter().all(|edit| inside(edit.span)) && self.amend(fix)
        })
    }

    pub fn judge(&mut self, judge: impl FnOnce(&mut Vec<Diagnostic>)) {
        let mut problems = Vec::new();
        judge(&mut problems);
        self.diagnostics.extend(problems);
    }

    /// What is wrong inside of something that is nothing of ours is no finding of its own.
    fn forget_inside(&mut self) {
        let serious = |code: &str| matches!(code, "merge-conflict" | "hidden-character" | "unclosed-comment");
        let foreign = std::mem::take(&mut self.foreign);
        self.diagnostics.retain(|finding| {
            let start = finding.span().map_or(0, |span| span.start as usize);
            let before = foreign.partition_point(|bytes| bytes.end <= start);
            foreign.get(before).is_none_or(|bytes| start <= bytes.start) || serious(finding.code)
        });
    }

    /// In a file that ends too early, all that is missing at its end is one mistake.
    fn cut_short(&mut self) {
        let open = &self.scan.brackets.left_open;
        let Some(last) = self.scan.tokens.last().filter(|_| !open.is_empty()) else { return };
        let end = u32::try_from(last.end).unwrap_or(u32::MAX);
        let text = &self.scan.source.text;
        // A policy or rule that is still open may have had the rest of its clauses.
        let incomplete = |finding: &Diagnostic| {
            let name = finding.span().map_or(0, |span| span.end as usize);
            let brace = text.get(name..).and_then(|rest| rest.find('{')).map(|at| name + at);
            matches!(finding.code, "missing-default" | "missing-then" | "missing-condition")
                && brace.is_some_and(|brace| open.contains(&brace))
        };
        let at_end = |finding: &Diagnostic| {
            finding.code == "unexpected-end" && finding.span().is_some_and(|span| span.end == end)
        };
        let missing =
            self.diagnostics.as_slice().iter().find(|finding| at_end(finding)).map(|finding| finding.message.clone());
        self.diagnostics.retain(|finding| !at_end(finding) && !incomplete(finding));
        let finding =
            self.diagnostics.as_mut_slice().iter_mut().rev().find(|finding| finding.code == "unclosed-bracket");
        if let (Some(finding), Some(missing)) = (finding, missing) {
            let missing = missing.replace(", but this ends here", "");
            finding.fix = None;
            finding.help = Some(format!("the file seems to be cut short: {missing} next"));
        }
    }

    /// Notes what a region that could not be read would have declared.
    pub fn lose(&mut self, region: &Range<usize>) {
        let names = recover::declared(self.scan, region);
        self.lost.extend(names.into_iter().map(str::to_owned));
    }

    /// Parses the tokens of `region` as `rule`, which holds one thing, and lowers that.
    /// The error is empty when the scanner has said already what is wrong, and none of those `said`.
    pub fn read<T>(
        &mut self,
        rule: Rule,
        region: Range<usize>,
        said: &[Diagnostic],
        lower: impl FnOnce(&mut Lower, Pair) -> Option<T>,
    ) -> Result<T, Option<Box<Diagnostic>>> {
        let bytes = self.bytes(&region);
        if self.is_spoiled(&bytes) {
            return Err(None);
        }
        let amended = Amended::of(&self.scan.source.text, bytes.clone(), &self.changes);
        let mut pairs = match Grammar::parse(rule, &amended.text) {
            Ok(pairs) => pairs,
            // Among names that are not ASCII, what else is wrong cannot be told.
            Err(_) if self.scan.foreign_names_in(&bytes) => return Err(None),
            Err(error) => return Err(Some(Box::new(expected::diagnose(self.scan, region, &amended, &error, said)))),
        };
        let mut lowering = Lower { source: self.scan.source, amended: &amended, problems: Vec::new() };
        let inner = pairs.next().and_then(|whole| whole.into_inner().next());
        let lowered = inner.and_then(|pair| lower(&mut lowering, pair));
        self.diagnostics.extend(std::mem::take(&mut lowering.problems));
        lowered.ok_or_else(|| {
            let span = Span::new(self.scan.source.id, bytes.start, bytes.end);
            Some(Box::new(
                Diagnostic::error("unexpected-token", "this could not be read").at(span, "please report this text"),
            ))
        })
    }

    /// Like [`Parser::read`], with the error reported; and when it has a certain fix, with what comes behind it read too.
    pub fn read_or_report<T>(
        &mut self,
        rule: Rule,
        region: Range<usize>,
        lower: impl Fn(&mut Lower, Pair) -> Option<T>,
    ) -> Option<T> {
        let mut said: Vec<Diagnostic> = Vec::new();
        for _ in 0..=MENDED_AT_MOST {
            match self.read(rule, region.clone(), &said, &lower) {
                Ok(value) => return Some(value),
                Err(None) => break,
                // Each must be of another place.
                Err(Some(finding)) if said.iter().any(|said| said.starts_where(&finding)) => break,
                Err(Some(finding)) => {
                    let mended = self.amends(&finding, &region);
                    self.diagnostics.push((*finding).clone());
                    if !mended {
                        break;
                    }
                    said.push(*finding);
                }
            }
        }
        self.lose(&region);
        None
    }

    /// Whether something is wrong in these bytes that no certain fix puts right.
    fn is_spoiled(&self, bytes: &Range<usize>) -> bool {
        let changed = |span: Span| {
            let change = self.change_at(span.start as usize, span.end as usize);
            change.is_some_and(|change| lies_in(change, bytes))
        };
        let unfixed = |problem: &Diagnostic| match problem.certain_fix() {
            Some(fix) => !fix.edits.iter().all(|edit| changed(edit.span)),
            None => !problem.span().is_some_and(changed),
        };
        self.scan.is_muted(bytes) || self.scan.problems_in(bytes).any(unfixed)
    }

    pub fn bytes(&self, region: &Range<usize>) -> Range<usize> {
        let tokens = self.scan.tokens.get(region.clone()).unwrap_or_default();
        tokens.first().map_or(0, |token| token.start)..tokens.last().map_or(0, |token| token.end)
    }

    pub fn span(&self, region: &Range<usize>) -> Span {
        let bytes = self.bytes(region);
        Span::new(self.scan.source.id, bytes.start, bytes.end)
    }
}
