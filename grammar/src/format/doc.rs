//! A document of texts, possible line breaks and groups, and its rendering. After Wadler's *A prettier printer*.

/// The widest line.
const WIDTH: usize = 120;

#[derive(Debug, Clone)]
pub(super) enum Doc {
    Text(String),
    /// A space that never breaks.
    Space,
    /// Joins the text before it.
    Comma,
    /// [`Doc::Comma`] if its group is broken, else nothing.
    CommaIfBroken,
    /// A line break if its group is broken, else this text.
    Line(&'static str),
    /// Makes the line break before it a blank line.
    Blank,
    /// Comments on a line of their own.
    CommentLine(String),
    /// A comment behind the text before it; it ends the line.
    Trailing(String),
    /// A comment on the line of the text behind it.
    Inline(String),
    Group(Vec<Doc>, bool),
    Indent(Vec<Doc>, bool),
}

pub(super) type Docs = Vec<Doc>;

/// One after the other.
pub(super) fn cat<const N: usize>(parts: [Docs; N]) -> Docs {
    parts.into_iter().flatten().collect()
}

pub(super) fn space() -> Docs {
    vec![Doc::Space]
}

pub(super) fn line(flat: &'static str) -> Docs {
    vec![Doc::Line(flat)]
}

/// Docs that stay on one line if they fit, unless `broken`. Comments before them are none of their business.
pub(super) fn group(mut docs: Docs, broken: bool) -> Docs {
    let is_comment = |doc: &Doc| matches!(doc, Doc::CommentLine(_) | Doc::Inline(_) | Doc::Blank);
    let inside = docs.split_off(docs.iter().position(|doc| !is_comment(doc)).unwrap_or(docs.len()));
    let broken = broken || has_broken(&inside);
    docs.push(Doc::Group(inside, broken));
    docs
}

pub(super) fn indent(docs: Docs) -> Docs {
    let broken = has_broken(&docs);
    vec![Doc::Indent(docs, broken)]
}

/// Whether a group among these is broken whatever the width, which breaks all groups around it.
fn has_broken(docs: &[Doc]) -> bool {
    docs.iter().any(|doc| matches!(doc, Doc::Group(_, true) | Doc::Indent(_, true)))
}

/// The document as text, with a line end after the last line; empty if there is nothing.
pub(super) fn render(docs: &[Doc]) -> String {
    let mut page = Page::default();
    let mut work: Vec<Task> = docs.iter().rev().map(|doc| Task { indent: 0, broken: true, doc }).collect();
    while let Some(Task { indent, broken, doc }) = work.pop() {
        match doc {
            Doc::Text(written) => page.text(indent, written),
            Doc::Space => page.due(Due::Space(" ")),
            Doc::Comma => page.comma(),
            Doc::CommaIfBroken if broken => page.comma(),
            Doc::CommaIfBroken => {}
            Doc::Line(_) if broken => page.due(Due::Line),
            Doc::Line("") => {}
            Doc::Line(flat) => page.due(Due::Space(flat)),
            Doc::Blank => page.blank(),
            Doc::CommentLine(comments) => page.comment_line(indent, comments),
            Doc::Trailing(comment) => page.trailing(comment),
            Doc::Inline(comment) => page.inline(indent, comment),
            Doc::Group(inner, forced) => {
                // In a flat group nothing is forced, and what is inside fits because the group does.
                let broken = broken && (*forced || !fits(WIDTH.saturating_sub(page.column(indent)), inner, &work));
                work.extend(inner.iter().rev().map(|doc| Task { indent, broken, doc }));
            }
            Doc::Indent(inner, _) => {
                work.extend(inner.iter().rev().map(|doc| Task { indent: indent + 2, broken, doc }));
            }
        }
    }
    page.finish()
}

struct Task<'a> {
    indent: usize,
    broken: bool,
    doc: &'a Doc,
}

/// Whether a group fits on the rest of the line, together with what follows it up to where the line may break.
///
/// What follows counts as if it broke wherever it can. Whether it will, may depend on how it was written (a list keeps its
/// first element on a line of its own), and then this group would look different when it is formatted again.
fn fits(room: usize, group: &[Doc], after: &[Task]) -> bool {
    let mut room = room;
    let mut after = after.iter().rev();
    let mut work: Vec<(bool, &Doc)> = group.iter().rev().map(|doc| (false, doc)).collect();
    loop {
        let (broken, doc) = match work.pop() {
            Some(next) => next,
            None => match after.next() {
                Some(task) => (true, task.doc),
                None => return true,
            },
        };
        let width = match doc {
            Doc::Line(_) if broken => return true,
            Doc::CommentLine(_) | Doc::Trailing(_) => return true,
            Doc::Text(written) => written.chars().count(),
            Doc::Inline(comment) => comment.chars().count() + 2,
            Doc::Line(flat) => flat.len(),
            Doc::Space | Doc::Comma => 1,
            Doc::CommaIfBroken => usize::from(broken),
            Doc::Blank => 0,
            Doc::Group(inner, _) | Doc::Indent(inner, _) => {
                work.extend(inner.iter().rev().map(|doc| (broken, doc)));
                0
            }
        };
        if width > room {
            return false;
        }
        room -= width;
    }
}

/// The text so far. Blanks and line ends are written when something follows them.
#[derive(Default)]
struct Page {
    out: String,
    /// The column of the next character, if the line goes on.
    column: usize,
    /// What is due before the next text.
    due: Due,
    blank: bool,
    /// Comments for the end of this line; a comma may still come before them.
    trailing: String,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Due {
    #[default]
    Nothing,
    Space(&'static str),
    Line,
}

impl Page {
    /// Where the next character will stand.
    fn column(&self, indent: usize) -> usize {
        match self.due {
            Due::Nothing => self.column,
            Due::Space(blanks) => self.column + blanks.len(),
            Due::Line => indent,
        }
    }

    fn due(&mut self, due: Due) {
        if self.due != Due::Line {
            self.due = due;
        }
    }

    fn blank(&mut self) {
        self.blank = self.due == Due::Line;
    }

    fn text(&mut self, indent: usize, written: &str) {
        // Only an inline comment asks for a space here.
        if matches!(self.due, Due::Space(_)) && matches!(written, ")" | "]" | ":") {
            self.due = Due::Nothing;
        }
        self.begin(indent);
        self.push(written);
    }

    fn comma(&mut self) {
        self.push(",");
    }

    fn comment_line(&mut self, indent: usize, comments: &str) {
        self.due = Due::Line;
        self.begin(indent);
        self.push(comments);
        self.due = Due::Line;
    }

    fn trailing(&mut self, comment: &str) {
        self.trailing.push_str(separator(comment));
        self.trailing.push_str(comment);
        self.due = Due::Line;
    }

    fn inline(&mut self, indent: usize, comment: &str) {
        if self.due == Due::Nothing && !self.out.is_empty() && !self.out.ends_with(['(', '[']) {
            self.due = Due::Space(" ");
        }
        self.begin(indent);
        self.push(comment);
        self.due = Due::Space(" ");
    }

    /// Writes what is due.
    fn begin(&mut self, indent: usize) {
        match std::mem::take(&mut self.due) {
            Due::Line if !self.out.is_empty() => {
                self.out.push_str(&std::mem::take(&mut self.trailing));
                self.out.push_str(if self.blank { "\n\n" } else { "\n" });
                self.column = 0;
                self.push(&" ".repeat(indent));
            }
            Due::Space(blanks) => self.push(blanks),
            Due::Line | Due::Nothing => {}
        }
        self.blank = false;
    }

    fn push(&mut self, written: &str) {
        self.out.push_str(written);
        self.column += written.chars().count();
    }

    fn finish(mut self) -> String {
        self.out.push_str(&self.trailing);
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }
}

/// What stands between a comment and what is before it on its line.
pub(super) fn separator(comment: &str) -> &'static str {
    if comment.starts_with('#') { "  " } else { " " }
}
