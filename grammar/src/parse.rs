//! Rule text to a syntax tree, item by item.

use crate::MAX_FILE_BYTES;
use crate::ast;
use crate::diagnostic::Diagnostic;
use crate::expected;
use crate::lower::{Grammar, Lower, Pair, Rule};
use crate::recover;
use crate::scan::{Scan, too_deep};
use crate::source::{SourceFile, Span};
use pest::Parser as _;
use std::ops::Range;

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The items that parsed. Of a policy or test with errors, the members that parsed.
    pub file: ast::File,
    /// What was wrong, in order of place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a file. Never fails: what does not parse is left out and has a diagnostic, the rest is there.
/// Takes time in proportion to the length of the text.
pub fn parse(source: &SourceFile) -> Parsed {
    if source.text.len() > MAX_FILE_BYTES {
        let message = format!("`{}` is larger than 1 MiB", source.name);
        let finding = Diagnostic::error("file-too-large", message)
            .at(Span::new(source.id, 0, 0), "")
            .help("split it into several files; a pack is compiled as a whole");
        return Parsed { file: ast::File::default(), diagnostics: vec![finding] };
    }
    parse_scan(&Scan::of(source))
}

/// Parses what has been scanned.
pub(crate) fn parse_scan(scan: &Scan) -> Parsed {
    let mut parser = Parser { scan, diagnostics: scan.problems.clone() };
    let mut items = Vec::new();
    for region in recover::items(scan) {
        if let Some(finding) = recover::unknown_item(scan, &region) {
            parser.diagnostics.extend(finding);
        } else if let Some(finding) = too_deep(scan, region.clone()) {
            parser.diagnostics.push(finding);
        } else {
            items.extend(parser.item(region));
        }
    }
    parser.diagnostics.sort();
    parser.diagnostics.dedup();
    Parsed { file: ast::File { items }, diagnostics: parser.diagnostics }
}

pub(crate) struct Parser<'a> {
    pub scan: &'a Scan<'a>,
    pub diagnostics: Vec<Diagnostic>,
}

impl<'a> Parser<'a> {
    fn item(&mut self, region: Range<usize>) -> Option<ast::Item> {
        match self.read(Rule::item_only, region.clone(), |lower, pair| lower.item(pair)) {
            Ok(item) => Some(item),
            Err(finding) => {
                let before = self.diagnostics.len();
                let item = recover::item(self, region.clone());
                // Where the parts have nothing wrong with them, it is how they stand together.
                if self.diagnostics.len() == before && !self.has_problem(&region) {
                    self.diagnostics.extend(finding.map(|finding| *finding));
                }
                item
            }
        }
    }

    /// Parses the tokens of `region` as `rule`, which holds one thing, and lowers that.
    /// The error is empty when the scanner has said already what is wrong.
    pub fn read<T>(
        &mut self,
        rule: Rule,
        region: Range<usize>,
        lower: impl FnOnce(&mut Lower, Pair) -> Option<T>,
    ) -> Result<T, Option<Box<Diagnostic>>> {
        let (start, end) = self.bytes(&region);
        if self.scan.has_problem(start, end) {
            return Err(None);
        }
        let text = self.scan.source.text.get(start..end).unwrap_or_default();
        let mut pairs = match Grammar::parse(rule, text) {
            Ok(pairs) => pairs,
            Err(error) => return Err(Some(Box::new(expected::diagnose(self.scan, region, start, &error)))),
        };
        let mut lowering = Lower { file: self.scan.source.id, offset: start, problems: Vec::new() };
        let inner = pairs.next().and_then(|whole| whole.into_inner().next());
        let lowered = inner.and_then(|pair| lower(&mut lowering, pair));
        self.diagnostics.append(&mut lowering.problems);
        lowered.ok_or_else(|| {
            let span = Span::new(self.scan.source.id, start, end);
            Some(Box::new(
                Diagnostic::error("unexpected-token", "this could not be read").at(span, "please report this text"),
            ))
        })
    }

    /// Like [`Parser::read`], with the error reported.
    pub fn read_or_report<T>(
        &mut self,
        rule: Rule,
        region: Range<usize>,
        lower: impl FnOnce(&mut Lower, Pair) -> Option<T>,
    ) -> Option<T> {
        match self.read(rule, region, lower) {
            Ok(value) => Some(value),
            Err(finding) => {
                self.diagnostics.extend(finding.map(|finding| *finding));
                None
            }
        }
    }

    pub fn bytes(&self, region: &Range<usize>) -> (usize, usize) {
        let tokens = self.scan.tokens.get(region.clone()).unwrap_or_default();
        (tokens.first().map_or(0, |token| token.start), tokens.last().map_or(0, |token| token.end))
    }

    pub fn span(&self, region: &Range<usize>) -> Span {
        let (start, end) = self.bytes(region);
        Span::new(self.scan.source.id, start, end)
    }

    fn has_problem(&self, region: &Range<usize>) -> bool {
        let (start, end) = self.bytes(region);
        self.scan.has_problem(start, end)
    }
}
