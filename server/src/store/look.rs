//! A look at a database from outside of the service, which may be running: nothing is locked, written or verified.

use std::path::Path;

use jiff::Timestamp;

use super::Seq;
use super::sqlite::look::Sight;

/// Why nothing can be seen.
#[derive(Debug, thiserror::Error)]
#[error("the database cannot be read: {0}")]
pub struct LookError(pub(super) String);

/// The state of a log, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// The version of the linked SQLite.
    pub sqlite: String,
    /// How many entries the log has.
    pub entries: u64,
    /// When the last of them was made.
    pub last_at: Option<Timestamp>,
}

/// One entry of the log with the documents beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEntry {
    /// Its number.
    pub seq: Seq,
    /// Its canonical bytes.
    pub leaf: String,
    /// The event of a decision, unless erased.
    pub event: Option<String>,
    /// What a decision rested on, unless erased.
    pub record: Option<String>,
}

/// Looks at the log in `database`.
pub async fn glance(database: &Path) -> Result<Glance, LookError> {
    let mut sight = Sight::open(database).await?;
    let sqlite = sight.engine_version().await?;
    let head = sight.head().await?;
    sight.close().await;
    Ok(Glance { sqlite, entries: head.map_or(0, |(entries, _)| entries), last_at: head.map(|(_, at)| at) })
}

/// Entries that were looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// In order, no more than were asked for.
    pub entries: Vec<LoggedEntry>,
    /// Whether there are others behind them.
    pub more: bool,
}

/// The first `limit` entries that `name` stands for: an entry's number, any id that entries name (a decision's, a challenge's, a
/// credential's, a pack's), or what happened (`policy.activated`).
pub async fn entries_of(database: &Path, name: &str, limit: usize) -> Result<Found, LookError> {
    let mut sight = Sight::open(database).await?;
    let mut numbers = match name.parse::<Seq>() {
        Ok(seq) => vec![seq],
        Err(_) => sight.entries_naming(name, limit.saturating_add(1)).await?,
    };
    let more = numbers.len() > limit;
    numbers.truncate(limit);
    let mut entries = Vec::new();
    for seq in numbers {
        entries.extend(sight.entry(seq).await?);
    }
    sight.close().await;
    Ok(Found { entries, more })
}
