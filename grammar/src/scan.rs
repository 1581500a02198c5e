//! A light scanner: tokens, comments and brackets, found before pest sees anything.
//!
//! Pest stops at the first error and recurses as deep as the text nests. The scanner finds where items and their members
//! begin, so that each is parsed alone, and refuses what nests too deep. On the way it meets the mistakes people make with
//! characters (quotes, operators of other languages, units) and reports them better than a grammar could.

use crate::diagnostic::{Applicability, Diagnostic, Findings, MOST_FINDINGS};
use crate::source::{SourceFile, Span};
use std::ops::Range;

mod brackets;
mod characters;
mod conflict;
mod depth;
mod foreign;
mod pattern;

pub(crate) use brackets::Brackets;
pub(crate) use characters::{in_short, is_currency, meant_unit, twelve_hours};
pub(crate) use depth::too_deep;
pub(crate) use pattern::in_a_text;

/// A word, number, string, bracket or operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
    /// How many brackets are open around it. A bracket counts itself out.
    pub depth: usize,
    /// Whether no token is before it on its line.
    pub starts_line: bool,
    /// Whether nothing at all is before it on its line.
    pub at_margin: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Word,
    Number,
    Text,
    /// `@name`
    ListName,
    Open(u8),
    Close(u8),
    Symbol,
}

/// A comment, with its `#` or `/* */`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Comment {
    pub start: usize,
    pub end: usize,
}

/// What the scanner found.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    pub source: &'a SourceFile,
    pub tokens: Vec<Token>,
    pub comments: Vec<Comment>,
    pub brackets: Brackets,
    /// What is wrong already, in order of place. Text with one of these in it is parsed only as far as they have certain
    /// fixes.
    pub problems: Findings,
    /// What is wrong and in the way of nothing.
    pub notices: Vec<Diagnostic>,
    /// Places that nothing is to be parsed across, besides those problems; in order.
    pub muted: Vec<usize>,
    /// Names with letters that are not ASCII, each a problem without a fix; in order.
    pub foreign_names: Vec<Span>,
}

impl<'a> Scan<'a> {
    pub fn of(source: &'a SourceFile) -> Self {
        Self::within(source, MOST_FINDINGS)
    }

    /// The scan with at most so many problems.
    pub fn within(source: &'a SourceFile, most: usize) -> Self {
        let mut scanner = Scanner {
            source,
            at: 0,
            line_start: 0,
            tokens: Vec::new(),
            comments: Vec::new(),
            problems: Findings::up_to(most),
            muted: Vec::new(),
            foreign_names: Vec::new(),
            returns: Vec::new(),
            passed_over: None,
            no_conflict_ends: false,
            has_nulls: false,
        };
        scanner.run();
        if scanner.has_nulls
            && let Some(finding) = foreign::two_byte_text(source)
        {
            let brackets = Brackets::of(source, &mut [], &mut Findings::up_to(most));
            let mut problems = Findings::up_to(most);
            problems.push(finding);
            return Scan {
                source,
                tokens: Vec::new(),
                comments: Vec::new(),
                brackets,
                problems,
                notices: Vec::new(),
                muted: Vec::new(),
                foreign_names: Vec::new(),
            };
        }
        let notices = scanner.lone_returns().into_iter().collect();
        let Scanner { mut tokens, comments, mut problems, muted, foreign_names, .. } = scanner;
        let brackets = Brackets::of(source, &mut tokens, &mut problems);
        characters::judge(source, &tokens, &mut problems);
        problems.sort();
        Scan { source, tokens, comments, brackets, problems, notices, muted, foreign_names }
    }

    pub fn text(&self, token: &Token) -> &'a str {
        self.source.text.get(token.start..token.end).unwrap_or_default()
    }

    /// The text of the token with this number; empty past the end.
    pub fn word(&self, index: usize) -> &'a str {
        self.tokens.get(index).map_or("", |token| self.text(token))
    }

    pub fn kind(&self, index: usize) -> Option<TokenKind> {
        self.tokens.get(index).map(|token| token.kind)
    }

    pub fn span(&self, token: &Token) -> Span {
        Span::new(self.source.id, token.start, token.end)
    }

    /// The problems in these bytes.
    pub fn problems_in(&self, region: &Range<usize>) -> impl Iterator<Item = &Diagnostic> {
        let start = |problem: &Diagnostic| problem.span().map_or(0, |span| span.start as usize);
        // Sorted by where they start, so the search is short.
        let problems = self.problems.as_slice();
        let first = problems.partition_point(|problem| start(problem) < region.start);
        let end = region.end;
        problems.iter().skip(first).take_while(move |problem| start(problem) < end)
    }

    /// Whether a problem lies in these bytes.
    pub fn has_problem(&self, region: &Range<usize>) -> bool {
        self.problems_in(region).next().is_some() || self.is_muted(region)
    }

    /// Whether a name that is not ASCII lies in these bytes.
    pub fn foreign_names_in(&self, region: &Range<usize>) -> bool {
        let first = self.foreign_names.partition_point(|name| (name.start as usize) < region.start);
        self.foreign_names.get(first).is_some_and(|name| (name.start as usize) < region.end)
    }

    /// Whether these bytes hold a place that nothing is to be parsed across.
    pub fn is_muted(&self, region: &Range<usize>) -> bool {
        let first = self.muted.partition_point(|place| *place < region.start);
        self.muted.get(first).is_some_and(|place| *place < region.end)
    }
}

struct Scanner<'a> {
    source: &'a SourceFile,
    at: usize,
    line_start: usize,
    tokens: Vec<Token>,
    comments: Vec<Comment>,
    problems: Findings,
    muted: Vec<usize>,
    foreign_names: Vec<Span>,
    /// Carriage returns that no line feed follows.
    returns: Vec<usize>,
    /// The side of a merge conflict that is not read: where it starts and ends.
    passed_over: Option<(usize, usize)>,
    /// That no merge conflict ends from here on.
    no_conflict_ends: bool,
    /// Whether there are NUL characters, not counting those in comments and texts.
    has_nulls: bool,
}

/// Operators of two characters or more, ours and other languages', longest first.
const LONG_SYMBOLS: [&str; 18] =
    ["...", "!==", "===", "==", "!=", ">=", "<=", "->", "..", "??", "&&", "||", "<>", "=>", "=<", "//", "**", ":="];

impl Scanner<'_> {
    fn run(&mut self) {
        while let Some(byte) = self.peek(0) {
            if self.at == self.line_start && self.conflict() {
                continue;
            }
            match byte {
                b'\n' => {
                    self.at += 1;
                    self.line_start = self.at;
                }
                b' ' | b'\t' => self.at += 1,
                b'\r' => self.carriage_return(),
                b'#' => self.line_comment(),
                b'/' if self.peek(1) == Some(b'*') => self.block_comment(),
                b'/' if self.pattern_is_due() && self.slashed_pattern() => {}
                b'"' => self.string(),
                b'\'' | b'`' => self.foreign_string(char::from(byte)),
                b'0'..=b'9' => self.number(),
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                    let end = self.end_of_word(self.at);
                    self.token(TokenKind::Word, end);
                }
                b'@' if self.peek(1).is_some_and(is_word) => {
                    let end = self.end_of_word(self.at + 1);
                    self.token(TokenKind::ListName, end);
                }
                b'{' | b'(' | b'[' => self.token(TokenKind::Open(byte), self.at + 1),
                b'}' | b')' | b']' => self.token(TokenKind::Close(byte), self.at + 1),
                0x80.. => self.foreign(),
                b'=' | b'!' | b'~' if self.foreign_match() => {}
                b'^' | b'\\' | b'.' | b'$' if self.bare_pattern() => {}
                _ => self.symbol(),
            }
        }
    }

    fn rest(&self) -> &str {
        self.source.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.source.text.as_bytes().get(self.at + ahead).copied()
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source.id, start, end)
    }

    fn token(&mut self, kind: TokenKind, end: usize) {
        // A comment before it on its line changes nothing: the formatter moves some.
        let starts_line = self.tokens.last().is_none_or(|last| last.end <= self.line_start);
        let at_margin = starts_line && self.at == self.line_start;
        self.tokens.push(Token { kind, start: self.at, end, depth: 0, starts_line, at_margin });
        self.at = end;
    }

    fn end_of_word(&self, start: usize) -> usize {
        let text = self.source.text.as_bytes();
        text.iter().skip(start).position(|byte| !is_word(*byte)).map_or(text.len(), |length| start + length)
    }

    /// Digits with `_`, decimals and anything glued to them: `10_000`, `1.5`, `15m`, `5min`. Dates and addresses come in pieces.
    fn number(&mut self) {
        let mut end = self.end_of_word(self.at);
        let text = self.source.text.as_bytes();
        let decimals = text.get(end) == Some(&b'.') && text.get(end + 1).is_some_and(u8::is_ascii_digit);
        if decimals {
            end = self.end_of_word(end + 1);
        }
        self.token(TokenKind::Number, end);
    }

    fn line_comment(&mut self) {
        let length = self.rest().find(['\n', '\r']).unwrap_or(self.rest().len());
        let written = self.rest().get(..length).unwrap_or_default().trim_end().len();
        self.comments.push(Comment { start: self.at, end: self.at + written });
        self.hidden_characters(self.at, self.at + length, false);
        self.at += length;
    }

    fn block_comment(&mut self) {
        let length = match self.rest().find("*/") {
            // `/*/` opens and does not close.
            Some(close) if close >= 2 => close + 2,
            _ => match self.rest().get(2..).and_then(|inner| inner.find("*/")) {
                Some(close) => close + 4,
                None => {
                    self.problems.push(
                        Diagnostic::error("unclosed-comment", "this comment never ends")
                            .at(self.span(self.at, self.at + 2), "starts here")
                            .help("close it with `*/`, or use `#` for a comment to the end of the line"),
                    );
                    self.rest().len()
                }
            },
        };
        let end = self.at + length;
        self.comments.push(Comment { start: self.at, end });
        if let Some(newline) = self.source.text.get(self.at..end).and_then(|comment| comment.rfind('\n')) {
            self.line_start = self.at + newline + 1;
        }
        self.hidden_characters(self.at, end, false);
        self.at = end;
    }

    fn string(&mut self) {
        let mut escaped = false;
        let mut end = None;
        for (index, byte) in self.rest().bytes().enumerate().skip(1) {
            match byte {
                b'\n' | b'\r' => break,
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    end = Some(self.at + index + 1);
                    break;
                }
                _ => {}
            }
        }
        let end = end.unwrap_or_else(|| self.unclosed_string());
        self.hidden_characters(self.at, end, true);
        self.token(TokenKind::Text, end);
    }

    /// A `*/` that closes nothing.
    fn comment_end(&mut self) {
        let span = self.span(self.at, self.at + 2);
        let finding =
            Diagnostic::error("unmatched-bracket", "this `*/` closes nothing").at(span, "no comment is open here");
        let last = self.comments.last().copied();
        let nested = last.filter(|comment| {
            let inner = self.source.text.get(comment.start + 2..comment.end);
            inner.is_some_and(|inner| inner.contains("/*"))
        });
        let finding = match nested {
            Some(comment) => {
                // What stands between was meant to be a comment too.
                let behind =
                    |problem: &Diagnostic| problem.span().is_some_and(|span| span.start as usize >= comment.end);
                while self.problems.pop_if(|problem| behind(problem)).is_some() {}
                while self.tokens.pop_if(|token| token.start >= comment.end).is_some() {}
                self.muted.push(self.at);
                finding
                    .also(self.span(comment.start, comment.start + 2), "this comment ended at its first `*/`")
                    .help("comments do not nest: leave out the inner one")
            }
            None => finding.suggest("leave it out", span, ""),
        };
        self.problems.push(finding);
        self.at += 2;
    }

    /// The end of a line; a line feed should be behind it.
    fn carriage_return(&mut self) {
        if self.peek(1) != Some(b'\n') {
            self.returns.push(self.at);
            self.line_start = self.at + 1;
        }
        self.at += 1;
    }

    /// Carriage returns alone end lines for us and for few others: what is behind a comment would not be seen.
    fn lone_returns(&self) -> Option<Diagnostic> {
        // At the end of the file it hides nothing.
        let first = self.returns.first().copied().filter(|at| at + 1 < self.source.text.len())?;
        let edits = self.returns.iter().map(|at| (self.span(*at, at + 1), "\n"));
        Some(
            Diagnostic::error("lone-carriage-return", "lines end with a carriage return alone")
                .at(self.span(first, first + 1), "the first")
                .with_edits("save the file with line feeds, as all tools read it", edits, Applicability::Certain),
        )
    }

    fn symbol(&mut self) {
        let rest = self.rest();
        // `a */* b */ c` is a product and a comment.
        if rest.starts_with("*/") && !rest.starts_with("*/*") {
            return self.comment_end();
        }
        if rest.starts_with("---") {
            let dashes = rest.bytes().take_while(|byte| *byte == b'-').count();
            let span = self.span(self.at, self.at + dashes);
            self.problems.push(
                Diagnostic::error("unexpected-character", "a line of dashes has no meaning here")
                    .at(span, "not part of the language")
                    .correct("leave it out, or begin it with `#`", span, ""),
            );
            self.at += dashes;
            return;
        }
        // `a //* b */ c` is a division and a comment.
        let long = LONG_SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)).filter(|_| !rest.starts_with("//*"));
        let length = long.map_or(1, |symbol| symbol.len());
        match self.peek(0) {
            Some(b';') => {
                let many = rest.bytes().take_while(|byte| *byte == b';').count();
                let span = self.span(self.at, self.at + many);
                self.problems.push(
                    Diagnostic::error("unexpected-character", "`;` has no meaning here")
                        .at(span, "not part of the language")
                        .correct("leave it out; nothing needs a separator at the end", span, ""),
                );
                self.at += many;
            }
            // Nothing is divided by a division, and nothing is negated twice: both start comments elsewhere.
            Some(b'/') if length == 2 && !self.closes_more(2) => self.foreign_comment("//"),
            Some(b'-') if rest.starts_with("--") && !matches!(self.peek(2), Some(b'0'..=b'9' | b'-')) => {
                self.foreign_comment("--");
            }
            Some(byte) if length == 1 && !b"=<>+-*/?:.,!@%&|".contains(&byte) => self.no_meaning(),
            _ => self.token(TokenKind::Symbol, self.at + length),
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
