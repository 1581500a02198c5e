//! What stands between tokens and means nothing to the engine: comments, blank lines and commas.
//!
//! A comment belongs to a token: it stands behind it to the end of its line, above it on lines of its own, or right
//! before it on its line. The formatter writes it back in the same of these three places, so that a second reading
//! finds what the first one found.

use crate::scan::{Comment, Scan, Token};

/// What stands before a token, or before the end of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The comments behind the token before, to the end of its line.
    pub trailing: Vec<String>,
    /// The comments on lines of their own.
    pub lines: Vec<CommentLine>,
    /// The comments right before the token, on its line.
    pub inline: Vec<String>,
    /// Whether a blank line is above the token.
    pub blank_before: bool,
    /// Whether the token is on another line than the one before it.
    pub newline: bool,
}

/// Comments with a line to themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommentLine {
    pub comments: Vec<String>,
    /// Whether a blank line is above.
    pub blank_before: bool,
}

impl Gap {
    /// Whether the token cannot stand on the line of the one before it.
    pub fn forces_line(&self) -> bool {
        !self.trailing.is_empty() || !self.lines.is_empty()
    }

    pub fn has_comments(&self) -> bool {
        self.forces_line() || !self.inline.is_empty()
    }
}

/// The tokens without the commas, and the gap before each; one more gap ends the file.
///
/// Commas are blanks here: most may be left out, and the formatter knows where it wants them.
pub(crate) fn tokens_and_gaps(scan: &Scan) -> (Vec<Token>, Vec<Gap>) {
    let mut comments = scan.comments.iter().peekable();
    let mut tokens = Vec::new();
    let mut gaps = Vec::new();
    let mut reading = Reading::after(&scan.source.text, None);
    for token in &scan.tokens {
        while let Some(comment) = comments.next_if(|comment| comment.start < token.start) {
            reading.comment(comment);
        }
        if scan.text(token) == "," {
            reading.skip(token.start, token.end);
            continue;
        }
        gaps.push(reading.before(Some(token.start)));
        tokens.push(*token);
        reading = Reading::after(&scan.source.text, Some(token.end));
    }
    comments.for_each(|comment| reading.comment(comment));
    gaps.push(reading.before(None));
    (tokens, gaps)
}

/// The texts of all comments, in order.
pub(crate) fn comment_texts(scan: &Scan) -> Vec<String> {
    scan.comments.iter().map(|comment| written(&scan.source.text, comment)).collect()
}

fn written(text: &str, comment: &Comment) -> String {
    text.get(comment.start..comment.end).unwrap_or_default().replace("\r\n", "\n")
}

/// A gap as it is read from left to right.
struct Reading<'a> {
    text: &'a str,
    /// Where the last token, comma or comment ended.
    end: usize,
    lines: Vec<ReadLine>,
    /// Whether a line has ended since the last token.
    newline: bool,
    /// Whether one has ended, or nothing stood, since the last token, comma or comment.
    fresh: bool,
}

struct ReadLine {
    comments: Vec<String>,
    /// Whether nothing stands before it on its line.
    fresh: bool,
    blank_before: bool,
    /// A comment over several lines, which has its lines to itself whatever stood beside it.
    tall: bool,
}

impl<'a> Reading<'a> {
    fn after(text: &'a str, token_end: Option<usize>) -> Self {
        let end = token_end.unwrap_or(0);
        Reading { text, end, lines: Vec::new(), newline: false, fresh: token_end.is_none() }
    }

    fn comment(&mut self, comment: &Comment) {
        let blank_before = self.skip(comment.start, comment.end);
        let text = written(self.text, comment);
        let tall = text.contains('\n');
        self.newline |= tall;
        match self.lines.last_mut() {
            Some(line) if !self.fresh && !tall && !line.tall => line.comments.push(text),
            _ => self.lines.push(ReadLine { comments: vec![text], fresh: self.fresh, blank_before, tall }),
        }
        self.fresh = false;
    }

    /// Passes over the blanks to `start` and what ends at `end`; says whether a blank line was among them.
    fn skip(&mut self, start: usize, end: usize) -> bool {
        let blanks = self.text.get(self.end..start).unwrap_or_default();
        let newlines = blanks.bytes().filter(|byte| *byte == b'\n').count();
        self.newline |= newlines > 0;
        self.fresh |= newlines > 0;
        self.end = end;
        newlines > 1
    }

    /// The gap before the token at `start`, or before the end of the file.
    fn before(mut self, start: Option<usize>) -> Gap {
        let mut blank_before = self.skip(start.unwrap_or(self.text.len()), 0);
        let ends_line = self.fresh || start.is_none();
        let mut inline = Vec::new();
        if let Some(last) = self.lines.pop_if(|last| !ends_line && !last.tall) {
            (inline, blank_before) = (last.comments, last.blank_before);
        }
        let behind = self.lines.first().is_some_and(|first| !first.fresh && !first.tall);
        let mut lines = self.lines.into_iter();
        let trailing = if behind { lines.next().map(|first| first.comments) } else { None };
        let lines = lines.map(|line| CommentLine { comments: line.comments, blank_before: line.blank_before });
        Gap {
            trailing: trailing.unwrap_or_default(),
            lines: lines.collect(),
            inline,
            blank_before,
            newline: self.newline,
        }
    }
}
