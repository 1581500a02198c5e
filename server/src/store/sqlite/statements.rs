//! SQL made from the table definitions: nothing in it comes from outside.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use sqlx::AssertSqlSafe;

use crate::store::rows::Table;
use crate::store::tables;

/// How many rows one statement may insert, largest first. Few sizes, so that prepared statements are found again.
pub(super) const CHUNKS: [usize; 4] = [64, 16, 4, 1];

/// The statements of one table.
pub(super) struct Statements {
    /// One per size in [`CHUNKS`].
    inserts: [Arc<str>; 4],
    update: Arc<str>,
    select: Arc<str>,
}

/// The statements of a table of state.
pub(super) fn of(table: &'static Table) -> &'static Statements {
    static ALL: LazyLock<HashMap<&'static str, Statements>> =
        LazyLock::new(|| tables::ALL.iter().map(|table| (table.name, Statements::new(table))).collect());
    // Every table of state is in the list: `tables::ALL` is what the test below compares with the schema.
    ALL.get(table.name).unwrap_or_else(|| unreachable!("table {} is in tables::ALL", table.name))
}

impl Statements {
    fn new(table: &Table) -> Self {
        let columns = table.columns.join(", ");
        let key = table.key.iter().map(|column| format!("{column} = ?")).collect::<Vec<_>>().join(" AND ");
        let set = table.columns.iter().map(|column| format!("{column} = ?")).collect::<Vec<_>>().join(", ");
        let head = format!("INSERT INTO {} ({columns}, salt, seq)", table.name);
        Self {
            inserts: CHUNKS.map(|rows| insert(&head, table.columns.len() + 2, rows)),
            update: format!("UPDATE {} SET {set}, salt = ?, seq = ? WHERE {key} AND seq = ?", table.name).into(),
            select: format!("SELECT {columns}, salt, seq FROM {} WHERE {key}", table.name).into(),
        }
    }

    /// Inserts `CHUNKS[size]` rows: all cells, salt and seq of each.
    pub(super) fn insert(&self, size: usize) -> AssertSqlSafe<Arc<str>> {
        AssertSqlSafe(self.inserts[size].clone())
    }

    /// Replaces the row with a key if it still has the seq it was read with.
    pub(super) fn update(&self) -> AssertSqlSafe<Arc<str>> {
        AssertSqlSafe(self.update.clone())
    }

    /// All cells, salt and seq of the row with a key.
    pub(super) fn select(&self) -> AssertSqlSafe<Arc<str>> {
        AssertSqlSafe(self.select.clone())
    }
}

/// `head VALUES (?, …), …` for so many rows.
pub(super) fn insert(head: &str, columns: usize, rows: usize) -> Arc<str> {
    let row = format!("({})", vec!["?"; columns].join(", "));
    format!("{head} VALUES {}", vec![row.as_str(); rows].join(", ")).into()
}

/// Cuts `total` rows into the sizes of [`CHUNKS`], as indices into it.
pub(super) fn chunks(mut total: usize) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let size = CHUNKS.iter().position(|rows| *rows <= total)?;
        total -= CHUNKS[size];
        Some(size)
    })
}
