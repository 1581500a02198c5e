//! What the verifier reads: the database as it is, typed as little as possible, so that a changed byte is a finding and
//! not an error.

pub(crate) use super::rows::{Cell, Table};
pub(crate) use super::sqlite::evidence::Evidence;
pub(crate) use super::tables;

use super::rows::digest;

/// Why the database cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreadable(pub String);

/// A row of the log.
pub(crate) struct Entry {
    pub seq: u64,
    pub leaf: Cell,
    pub hash: Cell,
}

/// Documents beside an entry, each with its salt.
pub(crate) struct Document {
    pub tenant: Cell,
    pub decision: Cell,
    pub kind: Cell,
    pub event: (Cell, Cell),
    pub record: (Cell, Cell),
}

/// A kept checkpoint.
#[derive(Clone)]
pub(crate) struct Kept {
    pub size: i64,
    pub peaks: Cell,
    pub note: Cell,
}

/// The log's head.
pub(crate) struct Head {
    pub size: Cell,
    pub peaks: Cell,
    pub time: Cell,
    pub note: Cell,
    pub kept_size: Cell,
    pub kept_time: Cell,
}

/// A row of state.
pub(crate) struct StateRow {
    pub cells: Vec<Cell>,
    pub salt: Cell,
    /// `None` if it is not the number of an entry.
    pub seq: Option<u64>,
}

impl StateRow {
    /// The digest that the entry which last described the row must hold.
    pub fn digest(&self, table: &Table) -> String {
        match &self.salt {
            Cell::Blob(salt) => digest(table, salt, &self.cells),
            other => format!("none: its salt is {other}"),
        }
    }

    fn key<'a>(&'a self, table: &'a Table) -> impl Iterator<Item = &'a Cell> {
        let at = |key: &&'static str| table.columns.iter().position(|column| column == key);
        table.key.iter().filter_map(at).filter_map(|at| self.cells.get(at))
    }

    /// Whether these are the values of the key columns.
    pub fn has_key(&self, table: &Table, key: &[Cell]) -> bool {
        self.key(table).eq(key)
    }

    /// The values of the key columns, for reports.
    pub fn key_text(&self, table: &Table) -> String {
        self.key(table).map(Cell::to_string).collect::<Vec<_>>().join(" ")
    }
}
