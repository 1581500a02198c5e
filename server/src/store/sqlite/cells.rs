//! Between SQLite's values and ours.

use jiff::Timestamp;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row as _, Sqlite, TypeInfo, ValueRef};
use uuid::Uuid;

use super::fault::Fault;
use crate::store::rows::Cell;

/// Milliseconds since 1970, rounded down.
pub(super) fn ms(at: Timestamp) -> i64 {
    at.as_nanosecond().div_euclid(1_000_000) as i64
}

/// Milliseconds since 1970, rounded up: for an expiry, so that what is overdue by this number is overdue by the instant.
pub(super) fn ms_up(at: Timestamp) -> i64 {
    -((-at.as_nanosecond()).div_euclid(1_000_000) as i64)
}

/// The instant rounded down to what is stored.
pub(super) fn whole_ms(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(ms(at)).unwrap_or(at)
}

pub(super) type BoundQuery<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Binds one cell.
pub(super) fn bind(query: BoundQuery<'_>, cell: Cell) -> BoundQuery<'_> {
    match cell {
        Cell::Null => query.bind(None::<i64>),
        Cell::Int(value) => query.bind(value),
        Cell::Text(text) => query.bind(text),
        Cell::Blob(blob) => query.bind(blob),
    }
}

/// Columns by name, in our types.
pub(super) trait Columns {
    fn int(&self, column: &str) -> Result<i64, Fault>;
    fn opt_int(&self, column: &str) -> Result<Option<i64>, Fault>;
    fn text(&self, column: &str) -> Result<String, Fault>;
    fn opt_text(&self, column: &str) -> Result<Option<String>, Fault>;
    fn blob(&self, column: &str) -> Result<Vec<u8>, Fault>;
    fn opt_blob(&self, column: &str) -> Result<Option<Vec<u8>>, Fault>;
    /// The value whatever its type is.
    fn cell(&self, column: &str) -> Result<Cell, Fault>;

    fn seq(&self, column: &str) -> Result<u64, Fault> {
        u64::try_from(self.int(column)?).map_err(|_| Fault::damaged(format!("{column} is negative")))
    }

    fn at(&self, column: &str) -> Result<Timestamp, Fault> {
        Timestamp::from_millisecond(self.int(column)?).map_err(|error| Fault::damaged(format!("{column}: {error}")))
    }

    fn opt_at(&self, column: &str) -> Result<Option<Timestamp>, Fault> {
        let at = self.opt_int(column)?.map(Timestamp::from_millisecond);
        at.transpose().map_err(|error| Fault::damaged(format!("{column}: {error}")))
    }

    fn uuid(&self, column: &str) -> Result<Uuid, Fault> {
        Uuid::from_slice(&self.blob(column)?).map_err(|error| Fault::damaged(format!("{column}: {error}")))
    }

    fn opt_uuid(&self, column: &str) -> Result<Option<Uuid>, Fault> {
        let uuid = self.opt_blob(column)?.map(|bytes| Uuid::from_slice(&bytes));
        uuid.transpose().map_err(|error| Fault::damaged(format!("{column}: {error}")))
    }

    fn hash(&self, column: &str) -> Result<[u8; 32], Fault> {
        self.blob(column)?.try_into().map_err(|_| Fault::damaged(format!("{column} has not 32 bytes")))
    }

    /// A text parsed by `parse`; anything it does not take is damage.
    fn parsed<T, E>(&self, column: &str, parse: impl FnOnce(String) -> Result<T, E>) -> Result<T, Fault> {
        parse(self.text(column)?).map_err(|_| Fault::damaged(format!("{column} holds no such value")))
    }
}

impl Columns for SqliteRow {
    fn int(&self, column: &str) -> Result<i64, Fault> {
        Ok(self.try_get(column)?)
    }

    fn opt_int(&self, column: &str) -> Result<Option<i64>, Fault> {
        Ok(self.try_get(column)?)
    }

    fn text(&self, column: &str) -> Result<String, Fault> {
        Ok(self.try_get(column)?)
    }

    fn opt_text(&self, column: &str) -> Result<Option<String>, Fault> {
        Ok(self.try_get(column)?)
    }

    fn blob(&self, column: &str) -> Result<Vec<u8>, Fault> {
        Ok(self.try_get(column)?)
    }

    fn opt_blob(&self, column: &str) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.try_get(column)?)
    }

    fn cell(&self, column: &str) -> Result<Cell, Fault> {
        let value = self.try_get_raw(column)?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        let kind = value.type_info();
        match kind.name() {
            "INTEGER" => Ok(Cell::Int(self.try_get_unchecked(column)?)),
            "BLOB" => Ok(Cell::Blob(self.try_get_unchecked(column)?)),
            // Damaged bytes need not be a text, and a damaged header can make a text of anything.
            _ => {
                let bytes: Vec<u8> = self.try_get_unchecked(column)?;
                Ok(String::from_utf8(bytes).map_or_else(|error| Cell::Blob(error.into_bytes()), Cell::Text))
            }
        }
    }
}
