//! The formatter: one canonical layout, every comment kept.
//!
//! The tree is laid out as a document of groups that break when they do not fit ([`doc`]). Comments are put back before
//! the first node behind them. What was on one line stays there if it fits; single blank lines stay.

mod doc;
mod expression;
mod item;
mod policy;
mod test;

use crate::ast::{File, Ident, ListName, Path, Text, same_meaning};
use crate::diagnostic::Diagnostic;
use crate::parse::parse_scan;
use crate::scan::{Scan, TokenKind};
use crate::source::{SourceFile, Span};
use crate::trivia::{Place, Trivia, comment_texts};
use crate::{MAX_FILE_BYTES, parse};
use doc::{Doc, group, indent, text};
use std::collections::HashMap;

/// The file in its canonical layout; or, when it does not parse, why.
///
/// Formatting what is formatted changes nothing, and no comment is lost: the result is parsed again and compared before it is
/// given out.
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
    let mut formatted = laid_out(&scan, &parsed.file);
    for _ in 0..PASSES {
        let again = SourceFile::new(source.id, source.name.clone(), formatted);
        let scan_again = Scan::of(&again);
        let parsed_again = parse_scan(&scan_again);
        let kept = parsed_again.diagnostics.is_empty()
            && same_meaning(&parsed.file, &parsed_again.file)
            && comment_texts(&scan) == comment_texts(&scan_again);
        if !kept {
            break;
        }
        let settled = laid_out(&scan_again, &parsed_again.file);
        if settled == again.text {
            return Ok(settled);
        }
        formatted = settled;
    }
    // A mistake of ours, and no reason to damage somebody's file.
    Err(vec![
        Diagnostic::error("unformattable", format!("`{}` cannot be formatted without changing it", source.name))
            .at(Span::new(source.id, 0, 0), "")
            .help("the file is fine and was left as it is; please report it"),
    ])
}

/// How often a layout is laid out again before we give up. Almost always once, and the same comes out; a comment in an odd
/// place may move to the end of its line, and then the line around it has more room.
const PASSES: usize = 4;

fn laid_out(scan: &Scan<'_>, file: &File) -> String {
    let mut layout = Layout::of(scan);
    let document = layout.file(file);
    doc::render(&document)
}

/// Lays out nodes, with the comments between them. Nodes must be visited in the order of the source.
struct Layout<'a> {
    source: &'a str,
    trivia: Trivia<'a>,
    /// For each closing bracket, by its first byte, the first byte of its opening one.
    opened_at: HashMap<usize, usize>,
    /// For each opening bracket, the byte of its closing one, in order.
    brackets: Vec<(usize, usize)>,
}

type Docs = Vec<Doc>;

impl<'a> Layout<'a> {
    fn of(scan: &Scan<'a>) -> Self {
        let mut brackets = Vec::new();
        for (index, token) in scan.tokens.iter().enumerate() {
            let close = scan.brackets.close_of(index).and_then(|close| scan.tokens.get(close));
            if let (TokenKind::Open(_), Some(close)) = (token.kind, close) {
                brackets.push((token.start, close.start));
            }
        }
        let opened_at = brackets.iter().map(|(open, close)| (*close, *open)).collect();
        Layout { source: &scan.source.text, trivia: Trivia::of(scan), opened_at, brackets }
    }

    /// The comments before a byte.
    fn comments_before(&mut self, offset: usize) -> Docs {
        let mut docs = Vec::new();
        for remark in self.trivia.before(offset) {
            if remark.blank_before && remark.place != Place::Trailing {
                docs.push(Doc::Blank);
            }
            docs.push(match remark.place {
                Place::OwnLine => Doc::OwnLine(remark.text),
                Place::Trailing => Doc::Trailing(remark.text),
                Place::Inline => Doc::Inline(remark.text),
            });
        }
        docs
    }

    /// The comments before a node, then a word that belongs in front of the node.
    fn lead(&mut self, node: Span, word: impl Into<String>) -> Docs {
        let mut docs = self.comments_before(node.start as usize);
        docs.push(text(word));
        docs
    }

    /// A node that is one piece of text.
    fn leaf(&mut self, span: Span, written: impl Into<String>) -> Docs {
        self.lead(span, written)
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

    fn names(&mut self, names: &[Ident]) -> Docs {
        self.separated(names, ", ", |layout, name| layout.ident(name))
    }

    fn paths(&mut self, paths: &[Path]) -> Docs {
        self.separated(paths, ", ", |layout, path| layout.path(path))
    }

    fn separated<T>(&mut self, nodes: &[T], separator: &str, mut lay: impl FnMut(&mut Self, &T) -> Docs) -> Docs {
        let mut docs = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            if index > 0 {
                docs.push(text(separator));
            }
            docs.extend(lay(self, node));
        }
        docs
    }

    /// `{ member member }` up to the closing brace at `close`: on one line if it was and fits, else a member per line.
    fn block<T>(
        &mut self,
        close: usize,
        members: &[T],
        flat_gap: &'static str,
        span: impl Fn(&T) -> Span,
        mut lay: impl FnMut(&mut Self, &T) -> Docs,
    ) -> Doc {
        let open = self.opened_at.get(&close).copied().unwrap_or(close);
        let was_broken =
            !members.is_empty() && self.source.get(open..close).is_some_and(|inside| inside.contains('\n'));
        let mut inside = Vec::new();
        for (index, member) in members.iter().enumerate() {
            inside.push(Doc::Line(if index == 0 { " " } else { flat_gap }));
            let start = span(member).start as usize;
            inside.extend(self.comments_before(start));
            if self.trivia.blank_before(start) {
                inside.push(Doc::Blank);
            }
            inside.extend(lay(self, member));
        }
        let remarks = self.comments_before(close);
        if members.is_empty() && remarks.is_empty() {
            return text("{}");
        }
        if members.is_empty() {
            inside.push(Doc::Line(" "));
        }
        inside.extend(remarks);
        group(vec![text("{"), indent(inside), Doc::Line(" "), text("}")], was_broken)
    }

    /// `{ a: 1, b: 2 }` or `[1, 2]` up to the closing bracket at `close`: broken if the first element was on a line of its own,
    /// or it does not fit.
    fn list<T>(
        &mut self,
        brackets: (&'static str, &'static str),
        close: usize,
        elements: &[T],
        span: impl Fn(&T) -> Span,
        mut lay: impl FnMut(&mut Self, &T) -> Docs,
    ) -> Doc {
        let open = self.opened_at.get(&close).copied().unwrap_or(close);
        let before_first = elements.first().and_then(|first| self.source.get(open..span(first).start as usize));
        let was_broken = before_first.is_some_and(|blanks| blanks.contains('\n'));
        let gap = if brackets.0 == "{" { " " } else { "" };
        let mut inside = Vec::new();
        for (index, element) in elements.iter().enumerate() {
            inside.push(if index == 0 { Doc::Line(gap) } else { Doc::Line(" ") });
            let start = span(element).start as usize;
            inside.extend(self.comments_before(start));
            if self.trivia.blank_before(start) {
                inside.push(Doc::BlankIfBroken);
            }
            inside.extend(lay(self, element));
            inside.push(if index + 1 < elements.len() { text(",") } else { Doc::IfBroken(",") });
        }
        let remarks = self.comments_before(close);
        if elements.is_empty() && remarks.is_empty() {
            return text(format!("{}{}", brackets.0, brackets.1));
        }
        if elements.is_empty() {
            inside.push(Doc::Line(gap));
        }
        inside.extend(remarks);
        group(vec![text(brackets.0), indent(inside), Doc::Line(gap), text(brackets.1)], was_broken)
    }

    /// The closing bracket that ends a node.
    fn close_of(node: Span) -> usize {
        (node.end as usize).saturating_sub(1)
    }

    /// The closing bracket of the first bracket opened at or after a byte.
    fn close_after(&self, offset: usize) -> usize {
        let next = self.brackets.partition_point(|(open, _)| *open < offset);
        self.brackets.get(next).map_or(offset, |(_, close)| *close)
    }
}
