//! What stands between tokens and means nothing to the engine: comments and blank lines.

use crate::scan::{Comment, Scan};

/// The comments of a file, handed out once each, in order.
#[derive(Debug)]
pub(crate) struct Trivia<'a> {
    text: &'a str,
    comments: std::iter::Peekable<std::vec::IntoIter<Comment>>,
}

/// A comment and how it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remark {
    /// With its `#` or `/* */`; line ends are `\n`.
    pub text: String,
    pub place: Place,
    /// Whether a blank line is before it.
    pub blank_before: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Alone on its line or lines.
    OwnLine,
    /// Behind something, to the end of the line.
    Trailing,
    /// With something after it on its line.
    Inline,
}

impl<'a> Trivia<'a> {
    pub fn of(scan: &Scan<'a>) -> Self {
        Trivia { text: &scan.source.text, comments: scan.comments.clone().into_iter().peekable() }
    }

    /// The comments that start before this byte and were not handed out yet.
    pub fn before(&mut self, offset: usize) -> Vec<Remark> {
        let mut remarks = Vec::new();
        while let Some(comment) = self.comments.next_if(|comment| comment.start < offset) {
            let place = match (comment.starts_line, comment.ends_line) {
                (true, true) => Place::OwnLine,
                (false, true) => Place::Trailing,
                (_, false) => Place::Inline,
            };
            let blank_before = self.blank_before(comment.start);
            remarks.push(Remark { text: written(self.text, &comment), place, blank_before });
        }
        remarks
    }

    /// Whether a blank line is right before this byte.
    pub fn blank_before(&self, offset: usize) -> bool {
        let before = self.text.get(..offset).unwrap_or_default();
        let blanks = before.get(before.trim_end().len()..).unwrap_or_default();
        blanks.bytes().filter(|byte| *byte == b'\n').count() >= 2
    }
}

/// The texts of all comments, in order.
pub(crate) fn comment_texts(scan: &Scan) -> Vec<String> {
    scan.comments.iter().map(|comment| written(&scan.source.text, comment)).collect()
}

fn written(text: &str, comment: &Comment) -> String {
    text.get(comment.start..comment.end).unwrap_or_default().replace("\r\n", "\n")
}
