//! The formatter: one canonical layout, every comment kept.
//!
//! A walk over the tree passes every token of the text once and lays it out, with the comments before it ([`crate::trivia`]),
//! as a document of groups that break when they do not fit ([`doc`]). What was on one line stays there if it fits; single
//! blank lines stay.
//!
//! Invariant: what the layout is made of (the tree, the places of comments, where blocks were broken) reads the same from the
//! result, so that formatting what is formatted changes nothing.

mod doc;
mod expression;
mod item;
mod policy;
mod test;

use crate::ast::{File, Ident, ListName, Path, Text, same_meaning};
use crate::diagnostic::Diagnostic;
use crate::parse::parse_scan;
use crate::scan::{Scan, Token};
use crate::source::{SourceFile, Span};
use crate::trivia::{Gap, comment_texts, tokens_and_gaps};
use crate::{MAX_FILE_BYTES, parse};
use doc::{Doc, Docs, cat, indent, line, separator, space};

/// The file in its canonical layout; or, when it does not parse, why.
///
/// Formatting what is formatted changes nothing, and no comment is lost. The result is parsed again and compared before it
/// is given out: it means what the file meant.
///
/// ```
/// use grammar::{FileId, SourceFile, format};
/// let source = SourceFile::new(FileId(0), "a.rules", "let   risky=ip.tor or\n ip.vpn # both\n");
/// assert_eq!(format(&source).as_deref(), Ok("let risky = ip.tor or ip.vpn  # both\n"));
/// ```
pub fn format(source: &SourceFile) -> Result<String, Vec<Diagnostic>> {
    if source.text.len() > MAX_FILE_BYTES {
        return Err(parse(source).diagnostics);
    }
    let scan = Scan::of(source);
    let parsed = parse_scan(&scan);
    if parsed.diagnostics.iter().any(Diagnostic::is_error) {
        return Err(parsed.diagnostics);
    }
    let formatted = SourceFile::new(source.id, source.name.clone(), laid_out(&scan, &parsed.file));
    if formatted.text.len() > MAX_FILE_BYTES {
        let message = format!("`{}` would be larger than 1 MiB when it is formatted", source.name);
        return Err(vec![
            Diagnostic::error("file-too-large", message)
                .at(Span::new(source.id, 0, 0), "")
                .help("split it into several files; a pack is compiled as a whole"),
        ]);
    }
    let scan_again = Scan::of(&formatted);
    let parsed_again = parse_scan(&scan_again);
    let kept = !parsed_again.diagnostics.iter().any(Diagnostic::is_error)
        && same_meaning(&parsed.file, &parsed_again.file)
        && comment_texts(&scan) == comment_texts(&scan_again);
    if kept {
        return Ok(formatted.text);
    }
    // A mistake of ours, and no reason to damage somebody's file.
    Err(vec![
        Diagnostic::error("unformattable", format!("`{}` cannot be formatted without changing it", source.name))
            .at(Span::new(source.id, 0, 0), "")
            .help("the file is fine and was left as it is; please report it"),
    ])
}

fn laid_out(scan: &Scan<'_>, file: &File) -> String {
    doc::render(&Layout::of(scan).file(file))
}

/// Lays out nodes, each token with its comments. Nodes must be visited in the order of the source.
struct Layout<'a> {
    source: &'a str,
    tokens: Vec<Token>,
    /// The comments not laid out yet; one more than there are tokens.
    gaps: Vec<Gap>,
    /// How many of the gaps before each end a line in the source, and how many must.
    lines_before: Vec<usize>,
    forced_before: Vec<usize>,
    /// The next token.
    at: usize,
    /// The next byte; inside the next token where a node ends in the middle of it, as in `5x`.
    offset: usize,
}

/// Which blank lines above comments and above the token are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blanks {
    None,
    All,
    /// All but one that would be the first thing in its block.
    Inner,
}

impl<'a> Layout<'a> {
    fn of(scan: &Scan<'a>) -> Self {
        let (tokens, gaps) = tokens_and_gaps(scan);
        let count = |counts: fn(&Gap) -> bool| {
            let sums = gaps.iter().scan(0, |sum, gap| {
                let before = *sum;
                *sum += usize::from(counts(gap));
                Some(before)
            });
            sums.collect()
        };
        let (lines_before, forced_before) = (count(|gap| gap.newline), count(Gap::forces_line));
        Layout { source: &scan.source.text, tokens, gaps, lines_before, forced_before, at: 0, offset: 0 }
    }

    /// What was written from here to `end`, as `written`, with the comments around it.
    fn piece(&mut self, end: usize, written: impl Into<String>) -> Docs {
        let mut docs = self.comment_lines(Blanks::None);
        if let Some(gap) = self.gaps.get_mut(self.at) {
            docs.extend(gap.inline.drain(..).map(Doc::Inline));
        }
        docs.push(Doc::Text(written.into()));
        let before = self.at;
        self.offset = end;
        while self.tokens.get(self.at).is_some_and(|token| token.end <= end) {
            self.at += 1;
        }
        if let Some(gap) = self.gaps.get_mut(self.at).filter(|_| self.at > before) {
            docs.extend(gap.trailing.drain(..).map(Doc::Trailing));
        }
        docs
    }

    /// Where the next piece starts.
    fn start(&self) -> usize {
        self.tokens.get(self.at).map_or(self.offset, |token| token.start.max(self.offset))
    }

    /// A word or sign of the language.
    fn word(&mut self, word: &str) -> Docs {
        let end = self.start() + word.len();
        debug_assert_eq!(self.source.get(self.start()..end), Some(word), "the walk has lost its place");
        self.piece(end, word)
    }

    /// Words with a space between.
    fn words(&mut self, words: &[&str]) -> Docs {
        let mut docs = Vec::new();
        for (index, word) in words.iter().enumerate() {
            docs.extend(if index > 0 { space() } else { Vec::new() });
            docs.extend(self.word(word));
        }
        docs
    }

    /// Whether this is the next token.
    fn next_is(&self, word: &str) -> bool {
        self.tokens.get(self.at).is_some_and(|token| self.source.get(token.start..token.end) == Some(word))
    }

    /// A node that is one piece of text.
    fn leaf(&mut self, span: Span, written: impl Into<String>) -> Docs {
        self.piece(span.end as usize, written)
    }

    /// The tokens of a node with nothing between them.
    fn glued(&mut self, span: Span) -> Docs {
        let mut docs = Vec::new();
        while let Some(token) = self.tokens.get(self.at).filter(|token| token.start < span.end as usize) {
            let (start, end) = (self.start(), token.end.min(span.end as usize));
            docs.extend(self.piece(end, self.source.get(start..end).unwrap_or_default()));
        }
        docs
    }

    fn ident(&mut self, ident: &Ident) -> Docs {
        self.leaf(ident.span, ident.name.clone())
    }

    fn path(&mut self, path: &Path) -> Docs {
        self.leaf(path.span, path.text())
    }

    fn list_name(&mut self, name: &ListName) -> Docs {
        self.leaf(name.span, format!("@{}", name.name))
    }

    fn quoted(&mut self, value: &Text) -> Docs {
        self.leaf(value.span, format!("\"{}\"", value.raw))
    }

    /// `a, b, c` on one line.
    fn separated<T>(&mut self, nodes: &[T], mut lay: impl FnMut(&mut Self, &T) -> Docs) -> Docs {
        let mut docs = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            if index > 0 {
                docs.extend([Doc::Comma, Doc::Space]);
            }
            docs.extend(lay(self, node));
        }
        docs
    }

    /// What stands behind a word or an operator: where comments push it to a line of its own, it is indented there.
    fn behind(&mut self, lay: impl FnOnce(&mut Self) -> Docs) -> Docs {
        let pushed = self.is_pushed();
        let docs = lay(self);
        if pushed { indent(docs) } else { docs }
    }

    /// Whether comments push the next token to another line than the one before it.
    fn is_pushed(&self) -> bool {
        self.counted_between(&self.forced_before, self.at, self.at + 1) > 0
    }

    /// Docs that stay on one line if they fit, unless `broken` or comments inside end a line.
    fn group(&mut self, broken: bool, lay: impl FnOnce(&mut Self) -> Docs) -> Docs {
        let first = self.at;
        let docs = lay(self);
        let forced = self.counted_between(&self.forced_before, first + 1, self.at) > 0;
        doc::group(docs, broken || forced)
    }

    fn counted_between(&self, sums: &[usize], from: usize, until: usize) -> usize {
        let sum = |at: usize| sums.get(at).or(sums.last()).copied().unwrap_or(0);
        sum(until).saturating_sub(sum(from))
    }

    /// The comments on lines of their own above the next token.
    fn comment_lines(&mut self, blanks: Blanks) -> Docs {
        let lines = self.gaps.get_mut(self.at).map(|gap| std::mem::take(&mut gap.lines)).unwrap_or_default();
        let mut docs = Vec::new();
        for (index, line) in lines.into_iter().enumerate() {
            let kept = blanks == Blanks::All || (blanks == Blanks::Inner && index > 0);
            if kept && line.blank_before {
                docs.push(Doc::Blank);
            }
            let mut text = String::new();
            for (index, comment) in line.comments.iter().enumerate() {
                text.push_str(if index > 0 { separator(comment) } else { "" });
                text.push_str(comment);
            }
            docs.push(Doc::CommentLine(text));
        }
        docs
    }

    /// The comment lines above a member of a block, and the blank line.
    fn above_member(&mut self, blanks: Blanks) -> Docs {
        let mut docs = self.comment_lines(blanks);
        let kept = blanks == Blanks::All || (blanks == Blanks::Inner && !docs.is_empty());
        if kept && self.gaps.get(self.at).is_some_and(|gap| gap.blank_before) {
            docs.push(Doc::Blank);
        }
        docs
    }

    /// How a block or list is closed: the comment lines above its closing bracket, the bracket, and what is between.
    /// `inside` is what it holds; `gap` is between brackets and content.
    fn closed(&mut self, open: Docs, mut inside: Docs, gap: &'static str, close: &str) -> Docs {
        if inside.is_empty() && !self.gaps.get(self.at).is_some_and(Gap::has_comments) {
            return cat([open, self.word(close)]);
        }
        let blanks = if inside.is_empty() { Blanks::Inner } else { Blanks::All };
        inside.extend(self.comment_lines(blanks));
        cat([open, indent(inside), line(gap), self.word(close)])
    }

    /// `{ member member }`: on one line if it was and fits, else a member per line.
    fn block<T>(&mut self, members: &[T], flat_gap: &'static str, mut lay: impl FnMut(&mut Self, &T) -> Docs) -> Docs {
        let was_broken = !members.is_empty() && self.has_line_end_inside();
        self.group(was_broken, |layout| {
            let open = layout.word("{");
            let mut inside = Vec::new();
            for (index, member) in members.iter().enumerate() {
                inside.push(Doc::Line(if index == 0 { " " } else { flat_gap }));
                inside.extend(layout.above_member(if index == 0 { Blanks::Inner } else { Blanks::All }));
                inside.extend(layout.group(false, |layout| lay(layout, member)));
            }
            layout.closed(open, inside, " ", "}")
        })
    }

    /// Whether the brackets that open here had anything on a line of its own.
    fn has_line_end_inside(&self) -> bool {
        let mut open = 0_usize;
        let inside = self.tokens.iter().skip(self.at).position(|token| {
            match token.kind {
                crate::scan::TokenKind::Open(_) => open += 1,
                crate::scan::TokenKind::Close(_) => open = open.saturating_sub(1),
                _ => {}
            }
            open == 0
        });
        let close = self.at + inside.unwrap_or(0);
        self.counted_between(&self.lines_before, self.at + 1, close + 1) > 0
    }

    /// `{ a: 1, b: 2 }` or `[1, 2]`: broken if the first element was on a line of its own, or it does not fit.
    fn list<T>(
        &mut self,
        (open, close): (&str, &str),
        elements: &[T],
        mut lay: impl FnMut(&mut Self, &T) -> Docs,
    ) -> Docs {
        let was_broken = !elements.is_empty() && self.gaps.get(self.at + 1).is_some_and(|gap| gap.newline);
        self.group(was_broken, |layout| {
            let gap = if open == "{" { " " } else { "" };
            let open = layout.word(open);
            let mut inside = Vec::new();
            for (index, element) in elements.iter().enumerate() {
                inside.push(Doc::Line(if index == 0 { gap } else { " " }));
                inside.extend(layout.above_member(if index == 0 { Blanks::Inner } else { Blanks::All }));
                inside.extend(lay(layout, element));
                inside.push(if index + 1 < elements.len() { Doc::Comma } else { Doc::CommaIfBroken });
            }
            layout.closed(open, inside, gap, close)
        })
    }

    /// `(a, b)`: an argument per line if they do not fit on one.
    fn arguments<T>(&mut self, arguments: &[T], mut lay: impl FnMut(&mut Self, &T) -> Docs) -> Docs {
        self.group(false, |layout| {
            let open = layout.word("(");
            let mut inside = Vec::new();
            for (index, argument) in arguments.iter().enumerate() {
                inside.extend(if index == 0 { line("") } else { vec![Doc::Comma, Doc::Line(" ")] });
                inside.extend(lay(layout, argument));
            }
            layout.closed(open, inside, "", ")")
        })
    }
}
