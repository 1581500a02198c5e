//! Rows of state as cells, and the digest by which the audit log vouches for them.
//!
//! Every table of state has columns that mean something, then `salt` and `seq`. Whenever a row is made or changed, the
//! audit entry with number `seq` holds the row's digest under the row's name. So the newest entry that names a row says
//! exactly how the row must be now. Rows are never deleted.

use std::fmt;

use crate::audit::note::hex;
use crate::audit::tree::sha256;

/// One value of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl Cell {
    /// A type byte, then the value behind its length.
    fn digest_into(&self, bytes: &mut Vec<u8>) {
        let integer;
        let (tag, value): (u8, &[u8]) = match self {
            Cell::Null => (0, &[]),
            Cell::Int(value) => {
                integer = value.to_be_bytes();
                (1, &integer)
            }
            Cell::Text(text) => (2, text.as_bytes()),
            Cell::Blob(blob) => (3, blob),
        };
        bytes.push(tag);
        bytes.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(value);
    }
}

/// For reports: short, and without the content of documents.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Null => f.write_str("nothing"),
            Cell::Int(value) => write!(f, "{value}"),
            Cell::Text(text) if text.len() <= 64 => write!(f, "`{text}`"),
            Cell::Text(text) => write!(f, "a text of {} bytes", text.len()),
            Cell::Blob(blob) if blob.len() <= 32 => f.write_str(&hex(blob)),
            Cell::Blob(blob) => write!(f, "{} bytes", blob.len()),
        }
    }
}

macro_rules! cell_from {
    ($($type:ty => |$value:ident| $cell:expr),+ $(,)?) => {
        $(impl From<$type> for Cell { fn from($value: $type) -> Self { $cell } })+
    };
}

cell_from! {
    i64 => |value| Cell::Int(value),
    u32 => |value| Cell::Int(value.into()),
    bool => |value| Cell::Int(value.into()),
    String => |value| Cell::Text(value),
    &str => |value| Cell::Text(value.to_owned()),
    Vec<u8> => |value| Cell::Blob(value),
    &[u8] => |value| Cell::Blob(value.to_vec()),
    [u8; 32] => |value| Cell::Blob(value.to_vec()),
    uuid::Uuid => |value| Cell::Blob(value.as_bytes().to_vec()),
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Cell::Null, Into::into)
    }
}

/// A table of state.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Table {
    /// The table, and the word before the slash in row names.
    pub name: &'static str,
    /// The columns that mean something, in the order of the digest.
    pub columns: &'static [&'static str],
    /// The columns that find the one row a name means: `tenant` first where the table has one.
    pub key: &'static [&'static str],
}

/// A row of state, ready to be written and vouched for.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub table: &'static Table,
    /// The row's name in the log: table, slash, and a key without personal data.
    pub name: String,
    /// One per column of the table.
    pub cells: Vec<Cell>,
}

/// A row's digest: SHA-256 over salt, table name and cells, each behind its length, in hexadecimal.
pub(crate) fn digest(table: &Table, salt: &[u8], cells: &[Cell]) -> String {
    let mut bytes = Vec::with_capacity(1024);
    Cell::Blob(salt.to_vec()).digest_into(&mut bytes);
    Cell::Text(table.name.to_owned()).digest_into(&mut bytes);
    for cell in cells {
        cell.digest_into(&mut bytes);
    }
    hex(&sha256(&[&bytes]))
}
