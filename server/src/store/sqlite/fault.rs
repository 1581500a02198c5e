//! What can go wrong in SQLite, sorted by what it means for us.

use sqlx::Error;

use crate::audit::leaf::InvalidLeaf;
use crate::store::StoreError;

/// Something unexpected: not a refusal of the domain, which is a result like any other.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum Fault {
    #[error(transparent)]
    Sqlite(#[from] Error),
    #[error("{0}")]
    Damaged(String),
    #[error("the audit entry cannot be written: {0}")]
    Leaf(#[from] InvalidLeaf),
    #[error("row {0} is not as it was read in the same transaction")]
    Raced(String),
}

/// What follows from a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// Only the unit at hand is affected.
    Unit,
    /// No space; everything may be well later.
    Full,
    /// Nothing may be acknowledged any more: what the disk holds is unknown.
    Fatal,
}

impl Fault {
    pub(super) fn damaged(what: impl std::fmt::Display) -> Self {
        Self::Damaged(what.to_string())
    }

    pub(super) fn severity(&self) -> Severity {
        match self {
            Self::Sqlite(error) => severity(error),
            Self::Damaged(_) | Self::Leaf(_) | Self::Raced(_) => Severity::Unit,
        }
    }
}

/// SQLite's primary result codes (sqlite.org/rescode.html) that concern more than one statement.
fn severity(error: &Error) -> Severity {
    const FULL: u32 = 13;
    // ABORT and BUSY leave the transaction as it was; ERROR, CONSTRAINT, MISMATCH, TOOBIG concern the statement.
    const OF_ONE_STATEMENT: [u32; 9] = [1, 4, 5, 6, 9, 18, 19, 20, 25];
    match error {
        Error::Database(database) => {
            let code = database.code().and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff);
            match code {
                Some(FULL) => Severity::Full,
                Some(code) if OF_ONE_STATEMENT.contains(&code) => Severity::Unit,
                Some(_) | None => Severity::Fatal,
            }
        }
        Error::RowNotFound
        | Error::ColumnDecode { .. }
        | Error::ColumnNotFound(_)
        | Error::ColumnIndexOutOfBounds { .. }
        | Error::Decode(_)
        | Error::Encode(_)
        | Error::TypeNotFound { .. }
        | Error::PoolTimedOut => Severity::Unit,
        _ => Severity::Fatal,
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        let text = fault.to_string().into();
        match (fault.severity(), &fault) {
            (Severity::Full, _) => Self::Full(text),
            (Severity::Fatal, _) => Self::Unavailable(text),
            (Severity::Unit, Fault::Damaged(_)) => Self::Damaged(text),
            (Severity::Unit, _) => Self::Refused(text),
        }
    }
}
