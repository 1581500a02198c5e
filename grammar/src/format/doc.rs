//! A document of texts, possible line breaks and groups, and its rendering. After Wadler's *A prettier printer*.

/// The widest line.
const WIDTH: usize = 120;

#[derive(Debug, Clone)]
pub(super) enum Doc {
    Text(String),
    /// A line break if its group is broken, else this text.
    Line(&'static str),
    /// A blank line, unless a block has just been opened.
    Blank,
    /// [`Doc::Blank`] if its group is broken, else nothing.
    BlankIfBroken,
    /// This text if its group is broken, else nothing.
    IfBroken(&'static str),
    /// A comment alone on its line.
    OwnLine(String),
    /// A comment at the end of the line that was written last.
    Trailing(String),
    /// A comment with something behind it.
    Inline(String),
    Group(Vec<Doc>, bool),
    Indent(Vec<Doc>, bool),
}

pub(super) fn text(written: impl Into<String>) -> Doc {
    Doc::Text(written.into())
}

/// Docs that stay on one line if they fit, unless `broken`.
pub(super) fn group(docs: Vec<Doc>, broken: bool) -> Doc {
    let broken = broken || docs.iter().any(forces_break);
    Doc::Group(docs, broken)
}

pub(super) fn indent(docs: Vec<Doc>) -> Doc {
    let forced = docs.iter().any(forces_break);
    Doc::Indent(docs, forced)
}

fn forces_break(doc: &Doc) -> bool {
    match doc {
        Doc::OwnLine(_) | Doc::Trailing(_) | Doc::Blank => true,
        Doc::Inline(comment) => comment.contains('\n'),
        Doc::Group(_, broken) | Doc::Indent(_, broken) => *broken,
        Doc::Text(_) | Doc::Line(_) | Doc::BlankIfBroken | Doc::IfBroken(_) => false,
    }
}

/// The document as text, with a line end after the last line; empty if there is nothing.
pub(super) fn render(docs: &[Doc]) -> String {
    let mut page = Page::default();
    let mut work: Vec<(usize, bool, &Doc)> = docs.iter().rev().map(|doc| (0, true, doc)).collect();
    while let Some((indent, broken, doc)) = work.pop() {
        match doc {
            Doc::Text(written) => page.write(indent, written),
            Doc::Line(_) if broken => page.break_line(),
            Doc::Line(flat) => page.write(indent, flat),
            Doc::Blank => page.blank_line(),
            Doc::BlankIfBroken => {
                if broken {
                    page.blank_line();
                }
            }
            Doc::IfBroken(written) => {
                if broken {
                    page.write(indent, written);
                }
            }
            Doc::OwnLine(comment) => page.own_line(indent, comment),
            Doc::Trailing(comment) => page.trailing(indent, comment),
            Doc::Inline(comment) => page.inline(indent, comment),
            Doc::Group(inner, forced) => {
                let broken = *forced || !fits(WIDTH.saturating_sub(page.column(indent)), inner, &work);
                work.extend(inner.iter().rev().map(|doc| (indent, broken, doc)));
            }
            Doc::Indent(inner, _) => work.extend(inner.iter().rev().map(|doc| (indent + 2, broken, doc))),
        }
    }
    page.finish()
}

/// Whether a group fits on the rest of the line, together with what must follow it there.
fn fits(room: usize, group: &[Doc], after: &[(usize, bool, &Doc)]) -> bool {
    let mut room = room;
    let mut after = after.iter().rev();
    let mut work: Vec<(bool, &Doc)> = group.iter().rev().map(|doc| (false, doc)).collect();
    loop {
        let (broken, doc) = match work.pop() {
            Some(next) => next,
            None => match after.next() {
                Some((_, broken, doc)) => (*broken, *doc),
                None => return true,
            },
        };
        let written = match doc {
            Doc::Text(written) => written.as_str(),
            // It ends the line, and once written it is a comment behind it, which has no width.
            Doc::Inline(comment) if comment.contains('\n') => return true,
            Doc::Inline(comment) => {
                // The spaces around it: what is around a group must never seem narrower than the group does later.
                room = room.saturating_sub(2);
                comment.as_str()
            }
            Doc::Line(_) if broken => return true,
            Doc::Line(flat) => flat,
            Doc::Blank | Doc::OwnLine(_) | Doc::Trailing(_) => return true,
            Doc::IfBroken(written) if broken => written,
            Doc::IfBroken(_) | Doc::BlankIfBroken => "",
            Doc::Group(inner, forced) => {
                work.extend(inner.iter().rev().map(|doc| (*forced, doc)));
                ""
            }
            Doc::Indent(inner, _) => {
                work.extend(inner.iter().rev().map(|doc| (broken, doc)));
                ""
            }
        };
        let width = written.chars().count();
        if width > room {
            return false;
        }
        room -= width;
    }
}

/// The text so far. Line ends are written when something follows them, so that comments can still join the line before.
#[derive(Default)]
struct Page {
    out: String,
    /// The column of the next character, if the line goes on.
    column: usize,
    line_ended: bool,
    blank: bool,
    /// Whether a comment was written that needs a space behind it.
    after_inline: bool,
    /// Whether the line was ended by a comment, which nothing can join.
    comment_ended: bool,
}

impl Page {
    /// Where the next character will stand; a line that is due begins at its indentation.
    fn column(&self, indent: usize) -> usize {
        if self.line_ended { indent } else { self.column }
    }

    fn break_line(&mut self) {
        self.line_ended = true;
        self.after_inline = false;
    }

    /// Asks for a blank line before what comes next; the break itself comes with that.
    fn blank_line(&mut self) {
        let opened = !self.comment_ended && self.out.trim_end().ends_with(['{', '[', '(']);
        self.blank = !self.out.is_empty() && !opened;
    }

    fn write(&mut self, indent: usize, written: &str) {
        if written.is_empty() {
            return;
        }
        self.comment_ended = false;
        let written = if self.start_line(indent) { written.trim_start() } else { written };
        if written.is_empty() {
            return;
        }
        let joins = written.starts_with([',', ')', ']', ' ']);
        if self.after_inline && !joins {
            self.push(" ");
        }
        self.after_inline = false;
        self.push(written);
    }

    /// Begins the line that is due, if one is.
    fn start_line(&mut self, indent: usize) -> bool {
        if !self.line_ended || self.out.is_empty() {
            self.line_ended = false;
            self.blank = false;
            return self.out.is_empty();
        }
        self.trim();
        self.out.push_str(if self.blank { "\n\n" } else { "\n" });
        self.column = 0;
        self.push(&" ".repeat(indent));
        self.line_ended = false;
        self.blank = false;
        true
    }

    fn push(&mut self, written: &str) {
        self.out.push_str(written);
        self.column = match written.rsplit_once('\n') {
            Some((_, last)) => last.chars().count(),
            None => self.column + written.chars().count(),
        };
    }

    fn trim(&mut self) {
        let length = self.out.trim_end().len();
        self.column = self.column.saturating_sub(self.out.len() - length);
        self.out.truncate(length);
    }

    fn own_line(&mut self, indent: usize, comment: &str) {
        self.line_ended = true;
        self.start_line(indent);
        self.push(comment);
        self.line_ended = true;
        self.comment_ended = true;
        self.after_inline = false;
    }

    fn trailing(&mut self, indent: usize, comment: &str) {
        if self.out.is_empty() || self.comment_ended {
            return self.own_line(indent, comment);
        }
        self.trim();
        if comment.starts_with('#') {
            self.push("  ");
        } else if !self.out.ends_with(['(', '[']) {
            self.push(" ");
        }
        self.push(comment);
        self.line_ended = true;
        self.comment_ended = true;
        self.after_inline = false;
    }

    fn inline(&mut self, indent: usize, comment: &str) {
        self.comment_ended = false;
        let fresh = self.start_line(indent);
        if !fresh && !self.out.ends_with([' ', '(', '[', '\n']) {
            self.push(" ");
        }
        self.push(comment);
        self.after_inline = true;
    }

    fn finish(mut self) -> String {
        self.trim();
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }
}
