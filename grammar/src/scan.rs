//! A light scanner: tokens, comments and brackets, found before pest sees anything.
//!
//! Pest stops at the first error and recurses as deep as the text nests. The scanner finds where items and their members
//! begin, so that each is parsed alone, and refuses what nests too deep. On the way it meets the mistakes people make with
//! characters (quotes, operators of other languages, units) and reports them better than a grammar could.

use crate::diagnostic::Diagnostic;
use crate::source::{SourceFile, Span};

mod brackets;
mod characters;
mod depth;

pub(crate) use brackets::Brackets;
pub(crate) use characters::meant_unit;
pub(crate) use depth::too_deep;

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
    /// What is wrong already, in order of place. Text with one of these in it is not parsed.
    pub problems: Vec<Diagnostic>,
}

impl<'a> Scan<'a> {
    pub fn of(source: &'a SourceFile) -> Self {
        let mut scanner =
            Scanner { source, at: 0, line_start: 0, tokens: Vec::new(), comments: Vec::new(), problems: Vec::new() };
        scanner.run();
        let Scanner { mut tokens, comments, mut problems, .. } = scanner;
        let brackets = Brackets::of(source, &mut tokens, &mut problems);
        characters::judge(source, &tokens, &mut problems);
        problems.sort();
        Scan { source, tokens, comments, brackets, problems }
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

    /// Whether a problem lies in these bytes.
    pub fn has_problem(&self, start: usize, end: usize) -> bool {
        // Sorted by where they start, so the search is short.
        let first =
            self.problems.partition_point(|problem| problem.span().is_some_and(|span| (span.start as usize) < start));
        self.problems.get(first).and_then(Diagnostic::span).is_some_and(|span| (span.start as usize) < end)
    }
}

struct Scanner<'a> {
    source: &'a SourceFile,
    at: usize,
    line_start: usize,
    tokens: Vec<Token>,
    comments: Vec<Comment>,
    problems: Vec<Diagnostic>,
}

/// Operators of two characters or more, ours and other languages', longest first.
const LONG_SYMBOLS: [&str; 15] =
    ["!==", "===", "==", "!=", ">=", "<=", "->", "..", "??", "&&", "||", "<>", "=>", "=<", "//"];

impl Scanner<'_> {
    fn run(&mut self) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' => {
                    self.at += 1;
                    self.line_start = self.at;
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'#' => self.line_comment(),
                b'/' if self.peek(1) == Some(b'*') => self.block_comment(),
                b'"' => self.string(),
                b'\'' => self.single_quoted(),
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
        let length = self.rest().find('\n').unwrap_or(self.rest().len());
        let written = self.rest().get(..length).unwrap_or_default().trim_end().len();
        self.comments.push(Comment { start: self.at, end: self.at + written });
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
        self.at = end;
    }

    fn string(&mut self) {
        let mut escaped = false;
        let mut end = None;
        for (index, byte) in self.rest().bytes().enumerate().skip(1) {
            match byte {
                b'\n' => break,
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    end = Some(self.at + index + 1);
                    break;
                }
                _ => {}
            }
        }
        let end = end.unwrap_or_else(|| {
            let line = self.rest().split('\n').next().unwrap_or_default().trim_end();
            let end = self.at + line.len();
            self.problems.push(
                Diagnostic::error("unclosed-string", "this string never ends")
                    .at(self.span(self.at, end), "a string ends on the line it starts on")
                    .suggest("close it with `\"`; write `\\n` for a line break", self.span(end, end), "\""),
            );
            end
        });
        self.token(TokenKind::Text, end);
    }

    fn single_quoted(&mut self) {
        let inner = self.rest().get(1..).unwrap_or_default();
        let stop = inner.find(['\'', '\n']).filter(|stop| inner.as_bytes().get(*stop) == Some(&b'\''));
        match stop.and_then(|stop| inner.get(..stop)) {
            Some(inner) => {
                let (end, replacement) = (self.at + inner.len() + 2, format!("\"{}\"", inner.replace('"', "\\\"")));
                self.problems.push(
                    Diagnostic::error("single-quotes", "strings are written in double quotes")
                        .at(self.span(self.at, end), "single quotes")
                        .correct(format!("write `{replacement}`"), self.span(self.at, end), replacement),
                );
                self.token(TokenKind::Text, end);
            }
            None => self.unexpected(1, None),
        }
    }

    /// Characters beyond ASCII have no meaning outside strings and comments; some are lookalikes of ours.
    fn foreign(&mut self) {
        let Some(first) = self.rest().chars().next() else { return };
        if first == '\u{feff}' && self.at == 0 {
            // A byte order mark, left by an editor.
            self.at += first.len_utf8();
            self.line_start = self.at;
            return;
        }
        let replacement = match first {
            '“' | '”' | '„' | '«' | '»' => Some("\""),
            '‘' | '’' => Some("\""),
            '–' | '—' | '−' => Some("-"),
            '≥' => Some(">="),
            '≤' => Some("<="),
            '≠' => Some("!="),
            '…' => Some(".."),
            '×' => Some("*"),
            '÷' => Some("/"),
            '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{200b}' => Some(" "),
            _ => None,
        };
        let length = match replacement {
            Some(_) => first.len_utf8(),
            None => self.rest().find(|c: char| c.is_ascii()).unwrap_or(self.rest().len()),
        };
        self.unexpected(length, replacement);
    }

    fn unexpected(&mut self, length: usize, replacement: Option<&str>) {
        let span = self.span(self.at, self.at + length);
        let shown: String = self.rest().get(..length).unwrap_or_default().chars().take(20).collect();
        let finding =
            Diagnostic::error("unexpected-character", format!("`{}` has no meaning here", shown.escape_debug()))
                .at(span, "not part of the language");
        self.problems.push(match replacement {
            Some(" ") => finding.correct("this blank is not a plain space; use one", span, " "),
            Some(plain) => finding.correct(format!("write `{plain}`"), span, plain),
            None => finding
                .help("names are made of ASCII letters, digits and `_`; anything may stand in a string or a comment"),
        });
        self.at += length;
    }

    fn symbol(&mut self) {
        let rest = self.rest();
        // `a //* b */ c` is a division and a comment.
        let long = LONG_SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)).filter(|_| !rest.starts_with("//*"));
        let length = long.map_or(1, |symbol| symbol.len());
        match self.peek(0) {
            Some(b';') => {
                let span = self.span(self.at, self.at + 1);
                self.problems.push(
                    Diagnostic::error("unexpected-character", "`;` has no meaning here")
                        .at(span, "not part of the language")
                        .correct("leave it out; nothing needs a separator at the end", span, ""),
                );
                self.at += 1;
            }
            Some(byte) if length == 1 && !b"=<>+-*/?:.,!@%&|".contains(&byte) => self.unexpected(1, None),
            _ => self.token(TokenKind::Symbol, self.at + length),
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
