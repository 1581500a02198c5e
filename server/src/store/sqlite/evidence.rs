use std::collections::HashMap;
use std::path::Path;

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use super::cells::{Columns, bind};
use super::fault::Fault;
use super::{open, statements};
use crate::store::evidence::{Cell, Document, Entry, Head, Kept, StateRow, Table, Unreadable};

/// A database opened for reading only, at one moment: what a running server writes meanwhile is not seen.
pub(crate) struct Evidence {
    conn: SqliteConnection,
}

impl From<Fault> for Unreadable {
    fn from(fault: Fault) -> Self {
        Self(fault.to_string())
    }
}

impl From<sqlx::Error> for Unreadable {
    fn from(error: sqlx::Error) -> Self {
        Self(error.to_string())
    }
}

/// Something in the schema that this program did not make, or did and is not there.
pub struct Foreign {
    /// Its name.
    pub name: String,
    /// The SQL that this program makes it with; null for something it does not make.
    pub expected: Cell,
    /// The SQL that is there.
    pub found: Cell,
    /// Whether the tables themselves are as they should be: only a trigger or an index is not.
    pub leaves_tables: bool,
}

impl Foreign {
    fn new(kind: &Cell, name: &Cell, expected: Cell, found: Cell) -> Foreign {
        let leaves_tables = ["trigger", "index"].iter().any(|word| *kind == Cell::Text((*word).to_owned()));
        Foreign { name: name.to_string(), expected, found, leaves_tables }
    }
}

impl Evidence {
    pub async fn open(path: &Path) -> Result<Self, Unreadable> {
        let mut conn = open::reading(path).connect().await?;
        conn.execute("BEGIN").await?;
        Ok(Self { conn })
    }

    /// Where the schema is not the one that this program makes, if anywhere. The triggers that protect the log are part of
    /// it. Tables and views come first: with one of those changed, what is read may not be what was written.
    pub async fn foreign_schema(&mut self) -> Result<Option<Foreign>, Unreadable> {
        let version: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
            .fetch_one(&mut self.conn)
            .await?;
        let expected = open::schema_at(version).await?;
        let found = open::schema(&mut self.conn).await?;
        let missing = expected.iter().filter(|row| !found.contains(row)).map(|(kind, name, sql)| {
            let there = found.iter().find(|(k, n, _)| k == kind && n == name);
            Foreign::new(kind, name, sql.clone(), there.map_or(Cell::Null, |(_, _, sql)| sql.clone()))
        });
        let stray = found.iter().filter(|row| !expected.contains(row));
        let stray = stray.map(|(kind, name, sql)| Foreign::new(kind, name, Cell::Null, sql.clone()));
        let mut all: Vec<Foreign> = missing.chain(stray).collect();
        all.sort_by_key(|foreign| foreign.leaves_tables);
        Ok(all.into_iter().next())
    }

    /// Lets go of the files. What goes wrong here changes nothing that was read.
    pub async fn close(self) {
        let _ = self.conn.close().await;
    }

    /// Entries from a number on, in order.
    pub async fn entries(&mut self, from: u64, limit: u32) -> Result<Vec<Entry>, Unreadable> {
        let rows = sqlx::query("SELECT seq, leaf, hash FROM audit_entries WHERE seq >= ? ORDER BY seq LIMIT ?")
            .bind(clamped(from))
            .bind(i64::from(limit))
            .fetch_all(&mut self.conn)
            .await?;
        rows.iter()
            .map(|row| Ok(Entry { seq: row.seq("seq")?, leaf: row.cell("leaf")?, hash: row.cell("hash")? }))
            .collect()
    }

    /// Documents of a range of entries, by entry.
    pub async fn documents(&mut self, from: u64, below: u64) -> Result<HashMap<u64, Document>, Unreadable> {
        let rows = sqlx::query("SELECT * FROM documents WHERE seq >= ? AND seq < ?")
            .bind(clamped(from))
            .bind(clamped(below))
            .fetch_all(&mut self.conn)
            .await?;
        rows.iter().map(|row| Ok((row.seq("seq")?, document(row)?))).collect()
    }

    /// Decisions that were recorded by a range of entries, by entry: what a look-up by key would find one by one.
    pub async fn decisions(&mut self, from: u64, below: u64) -> Result<HashMap<u64, StateRow>, Unreadable> {
        let rows = sqlx::query("SELECT * FROM decisions WHERE entry >= ? AND entry < ?")
            .bind(clamped(from))
            .bind(clamped(below))
            .fetch_all(&mut self.conn)
            .await?;
        rows.iter().map(|row| Ok((row.seq("entry")?, state_row(&crate::store::tables::DECISIONS, row)?))).collect()
    }

    /// The row with these values of the key columns.
    pub async fn row(&mut self, table: &'static Table, key: Vec<Cell>) -> Result<Option<StateRow>, Unreadable> {
        let query = key.into_iter().fold(sqlx::query(statements::of(table).select()), bind);
        let row = query.fetch_optional(&mut self.conn).await?;
        Ok(row.map(|row| state_row(table, &row)).transpose()?)
    }

    /// Rows of a table in the order of its rowids.
    pub async fn scan(&mut self, table: &'static Table, skip: u64, limit: u32) -> Result<Vec<StateRow>, Unreadable> {
        let rows = sqlx::query(AssertSqlSafe(format!("SELECT * FROM {} ORDER BY rowid LIMIT ? OFFSET ?", table.name)))
            .bind(i64::from(limit))
            .bind(clamped(skip))
            .fetch_all(&mut self.conn)
            .await?;
        rows.iter().map(|row| Ok(state_row(table, row)?)).collect()
    }

    /// How many rows a table has. The table itself is counted, not one of its indexes.
    pub async fn count(&mut self, table: &'static str) -> Result<u64, Unreadable> {
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table} NOT INDEXED")))
            .fetch_one(&mut self.conn)
            .await?;
        Ok(count.unsigned_abs())
    }

    /// Kept checkpoints, the smallest first.
    pub async fn checkpoints(&mut self, skip: u64, limit: u32) -> Result<Vec<Kept>, Unreadable> {
        let rows = sqlx::query("SELECT size, peaks, note FROM audit_checkpoints ORDER BY size LIMIT ? OFFSET ?")
            .bind(i64::from(limit))
            .bind(clamped(skip))
            .fetch_all(&mut self.conn)
            .await?;
        rows.iter()
            .map(|row| Ok(Kept { size: row.int("size")?, peaks: row.cell("peaks")?, note: row.cell("note")? }))
            .collect()
    }

    pub async fn head(&mut self) -> Result<Option<Head>, Unreadable> {
        let rows = sqlx::query("SELECT * FROM audit_head").fetch_all(&mut self.conn).await?;
        match rows.as_slice() {
            [] => Ok(None),
            [row] if row.cell("id")? != Cell::Int(1) => Err(Unreadable("the log's head is not number 1".to_owned())),
            [row] => Ok(Some(Head {
                size: row.cell("size")?,
                peaks: row.cell("peaks")?,
                time: row.cell("time")?,
                note: row.cell("note")?,
                kept_size: row.cell("kept_size")?,
                kept_time: row.cell("kept_time")?,
            })),
            _ => Err(Unreadable("the log has two heads".to_owned())),
        }
    }

    /// What SQLite finds wrong with its own file, if anything.
    pub async fn complaint(&mut self) -> Result<Option<String>, Unreadable> {
        let found: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut self.conn).await?;
        Ok((found != "ok").then_some(found))
    }
}

/// SQLite's integers are signed; what is beyond them is beyond every row.
fn clamped(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn document(row: &SqliteRow) -> Result<Document, Fault> {
    Ok(Document {
        tenant: row.cell("tenant")?,
        decision: row.cell("decision")?,
        kind: row.cell("kind")?,
        event: (row.cell("event")?, row.cell("event_salt")?),
        record: (row.cell("record")?, row.cell("record_salt")?),
    })
}

fn state_row(table: &Table, row: &SqliteRow) -> Result<StateRow, Fault> {
    let seq = match row.cell("seq")? {
        Cell::Int(seq) => u64::try_from(seq).ok(),
        _ => None,
    };
    let cells = table.columns.iter().map(|column| row.cell(column)).collect::<Result<_, _>>()?;
    Ok(StateRow { cells, salt: row.cell("salt")?, seq })
}
