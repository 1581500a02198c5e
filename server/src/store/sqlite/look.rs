//! A look at a database that may be in use: for `doctor` and `audit show`. Nothing is verified here.

use std::path::Path;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions, Connection};

use super::cells::Columns;
use super::open;
use crate::audit::Leaf;
use crate::store::{LoggedEntry, LookError, Seq};

impl From<sqlx::Error> for LookError {
    fn from(error: sqlx::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<super::fault::Fault> for LookError {
    fn from(fault: super::fault::Fault) -> Self {
        Self(fault.to_string())
    }
}

/// A database opened for reading only.
pub(crate) struct Sight(SqliteConnection);

impl Sight {
    pub async fn open(path: &Path) -> Result<Self, LookError> {
        Ok(Self(open::reading(path).connect().await?))
    }

    pub async fn close(self) {
        // What goes wrong here changes nothing that was read.
        let _ = self.0.close().await;
    }

    pub async fn engine_version(&mut self) -> Result<String, LookError> {
        Ok(sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut self.0).await?)
    }

    /// How many entries the log says it has, and when the last was made.
    pub async fn head(&mut self) -> Result<Option<(u64, Timestamp)>, LookError> {
        let row = sqlx::query("SELECT size, time FROM audit_head").fetch_optional(&mut self.0).await?;
        row.map(|row| Ok((row.seq("size")?, row.at("time")?))).transpose()
    }

    pub async fn entry(&mut self, seq: Seq) -> Result<Option<LoggedEntry>, LookError> {
        let row = sqlx::query(
            "SELECT seq, leaf, event, record FROM audit_entries LEFT JOIN documents USING (seq) WHERE seq = ?",
        )
        .bind(i64::try_from(seq).unwrap_or(i64::MAX))
        .fetch_optional(&mut self.0)
        .await?;
        let read = |row: sqlx::sqlite::SqliteRow| {
            Ok(LoggedEntry {
                seq: row.seq("seq")?,
                leaf: row.text("leaf")?,
                event: row.opt_text("event")?,
                record: row.opt_text("record")?,
            })
        };
        row.map(read).transpose()
    }

    /// The first entries whose leaf names a row or a fact by exactly this name, or is of this kind, in order.
    pub async fn entries_naming(&mut self, name: &str, limit: usize) -> Result<Vec<Seq>, LookError> {
        // SQLite finds the likely ones: a name ends where its text in the leaf does.
        let mut rows = sqlx::query("SELECT seq, leaf FROM audit_entries WHERE instr(leaf, ?) > 0 ORDER BY seq")
            .bind(format!("{name}\""))
            .fetch(&mut self.0);
        let mut numbers = Vec::new();
        while let Some(row) = rows.try_next().await? {
            if Leaf::decode(&row.text("leaf")?).is_ok_and(|leaf| leaf.names(name)) {
                numbers.push(row.seq("seq")?);
                if numbers.len() >= limit {
                    break;
                }
            }
        }
        Ok(numbers)
    }
}
