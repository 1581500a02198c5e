use std::sync::Arc;

/// Why the store could not do what it was asked. The text is for the operator's log, not for API clients.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Nothing can be written: an earlier write or its fsync failed, or the store is shutting down. Whether the write at
    /// hand is durable is unknown if it was under way; a repeat with its idempotency key finds out after a restart.
    #[error("storage is unavailable: {0}")]
    Unavailable(Arc<str>),
    /// The disk is full. Nothing of this request was written.
    #[error("storage is full: {0}")]
    Full(Arc<str>),
    /// This one request could not be written or read; nothing of it was written.
    #[error("storage refused this request: {0}")]
    Refused(Arc<str>),
    /// A row does not say what a row of its kind says: `stepup audit verify` tells more.
    #[error("storage is damaged: {0}")]
    Damaged(Arc<str>),
}

impl StoreError {
    /// The API's word: `storage_unavailable` or `storage_full`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Full(_) => "storage_full",
            Self::Unavailable(_) | Self::Refused(_) | Self::Damaged(_) => "storage_unavailable",
        }
    }
}

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database cannot be opened or migrated.
    #[error("cannot open the database {path}: {cause}")]
    Database {
        /// Which file.
        path: String,
        /// What SQLite or the migration said.
        cause: String,
    },
    /// SQLite is too old: versions before 3.51.3 can corrupt a WAL that two connections share.
    #[error("SQLite {found} is linked, but 3.51.3 or newer is needed: older ones can corrupt a shared WAL")]
    OldSqlite {
        /// The linked version.
        found: String,
    },
    /// Another process works on this database; two writers would tear the log apart.
    #[error("another process is using {path}; stop it first")]
    InUse {
        /// The lock file.
        path: String,
    },
    /// The checkpoint file knows more entries than the database has, or another beginning (T-62).
    #[error(
        "the database was rolled back: {file} is signed over {signed} entries, but the database has {stored}; \
         restore the newer database, or move the checkpoint file away to accept the loss"
    )]
    RolledBack {
        /// The checkpoint file.
        file: String,
        /// Entries it is signed over.
        signed: u64,
        /// Entries in the database.
        stored: u64,
    },
    /// The log in the database is not the one that was signed.
    #[error("the audit log is damaged: {0}; run `stepup audit verify` for the first bad entry")]
    Damaged(String),
}
