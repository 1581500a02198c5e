//! Where text came from: files, spans in them, and line look-up.

use serde::Serialize;

/// The number of a file in its [`SourceMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct FileId(pub u32);

/// A half-open range of bytes in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Span {
    /// The file the bytes are in.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The span of bytes `start..end` of `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Span { file, start: clamp(start), end: clamp(end) }
    }

    /// The smallest span that covers both. Both must be in the same file.
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The empty span right before this one: where a missing word would be inserted.
    pub fn before(self) -> Span {
        Span { end: self.start, ..self }
    }

    /// The empty span right after this one.
    pub fn after(self) -> Span {
        Span { start: self.end, ..self }
    }

    /// The bytes as a range usable on the file's text.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One file of a pack, read by somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its number in the source map.
    pub id: FileId,
    /// Its name as shown in messages, with `/` between folders.
    pub name: String,
    /// Its whole text.
    pub text: String,
}

impl SourceFile {
    /// A file outside of any map, for example for formatting it alone.
    pub fn new(id: FileId, name: impl Into<String>, text: impl Into<String>) -> Self {
        SourceFile { id, name: name.into(), text: text.into() }
    }

    /// The text under `span`, or nothing if the span does not lie in this file on character boundaries.
    pub fn slice(&self, span: Span) -> &str {
        if span.file == self.id { self.text.get(span.range()).unwrap_or_default() } else { "" }
    }

    /// The line and column of a byte offset, both counted from 1, the column in characters.
    pub fn position(&self, offset: u32) -> Position {
        self.position_behind(0, Position { line: 1, column: 1 }, offset)
    }

    /// The same, counted on from the byte `from`, which is before it and of which the place is known.
    pub(crate) fn position_behind(&self, from: u32, known: Position, offset: u32) -> Position {
        let mut offset = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = self.text.get(from as usize..offset).unwrap_or_default();
        // A carriage return alone ends a line too; with a line feed behind it, that one does.
        let follows = self.text.get(offset..).unwrap_or_default();
        let returns = || {
            before.match_indices('\r').filter(|(at, _)| {
                let next = before.as_bytes().get(at + 1).or(follows.as_bytes().first());
                next != Some(&b'\n')
            })
        };
        let last_return = returns().map(|(at, _)| at).max();
        let line_start = before.rfind('\n').max(last_return).map(|end| end + 1);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Position {
            line: known.line + count(before.bytes().filter(|byte| *byte == b'\n').count() + returns().count()),
            column: count(before.get(line_start.unwrap_or(0)..).unwrap_or_default().chars().count())
                + if line_start.is_some() { 1 } else { known.column },
        }
    }
}

/// A place for a person: line and column, both counted from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// All files of one pack.
///
/// ```
/// let mut sources = grammar::SourceMap::default();
/// let id = sources.add("sign_in.rules", "let a = 1\nlet b = 2\n");
/// let span = grammar::Span::new(id, 14, 15);
/// assert_eq!(sources.slice(span), "b");
/// assert_eq!(sources.position(span), Some(grammar::Position { line: 2, column: 5 }));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    /// Takes a file in and gives it its number.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(SourceFile::new(id, name, text));
        id
    }

    /// The file with this number.
    pub fn get(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize)
    }

    /// All files, in the order they were added.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The name of the file with this number, or an empty string.
    pub fn name(&self, id: FileId) -> &str {
        self.get(id).map_or("", |file| file.name.as_str())
    }

    /// The text under a span, or an empty string.
    pub fn slice(&self, span: Span) -> &str {
        self.get(span.file).map_or("", |file| file.slice(span))
    }

    /// Line and column where a span starts.
    pub fn position(&self, span: Span) -> Option<Position> {
        self.get(span.file).map(|file| file.position(span.start))
    }
}

impl From<SourceFile> for SourceMap {
    /// A map in which this file keeps its number; the numbers before it are empty files.
    fn from(file: SourceFile) -> Self {
        let mut map = SourceMap::default();
        while map.files.len() < file.id.0 as usize {
            map.add("", "");
        }
        map.files.push(file);
        map
    }
}
