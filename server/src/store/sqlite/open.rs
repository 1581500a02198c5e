//! Opening: lock, version, migrations, and whether the log is the one that was signed.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqlitePool};

use super::batch::{Batch, Log};
use super::cells::Columns;
use super::fault::Fault;
use super::log::hashes;
use super::migrations::MIGRATIONS;
use crate::audit::tree::{Frontier, leaf_hash};
use crate::audit::{self, Checkpoint, InvalidNote, LogKey};
use crate::store::rows::Cell;
use crate::store::{OpenError, Options};

/// The first SQLite without the WAL-reset bug, which corrupts a database that two connections share.
const OLDEST_SQLITE: [u32; 3] = [3, 51, 3];

pub(super) struct Opened {
    pub batch: Batch,
    pub readers: SqlitePool,
    pub lock: File,
    /// The signed checkpoint of the newest commit.
    pub newest: Option<String>,
}

pub(super) async fn open(options: &Options) -> Result<Opened, OpenError> {
    let lock = lock(&options.path)?;
    let failed = |cause: String| OpenError::Database { path: options.path.display().to_string(), cause };
    let mut conn = writing(&options.path).connect().await.map_err(|error| failed(error.to_string()))?;
    check_version(&mut conn).await?;
    MIGRATIONS.run(&mut conn).await.map_err(|error| failed(error.to_string()))?;
    let key = options.signer.verifier();
    let (log, newest) = resume(&mut conn, &key).await?;
    check_checkpoint_file(&mut conn, &options.checkpoint_path(), &key, &log).await?;
    let public = audit::public_key_path(&options.path);
    audit::write_file(&public, &format!("{key}\n"))
        .map_err(|error| failed(format!("{}: {error}", public.display())))?;
    let readers = SqlitePoolOptions::new()
        .max_connections(options.readers.max(1))
        .acquire_timeout(Duration::from_secs(5))
        .connect_with(reading(&options.path))
        .await
        .map_err(|error| failed(error.to_string()))?;
    Ok(Opened {
        batch: Batch::new(conn, options.signer.clone(), options.subscriptions.clone(), log),
        readers,
        lock,
        newest,
    })
}

/// What the schema of a database says after migration `version`: every table, index and trigger with its SQL.
pub(super) async fn schema_at(version: i64) -> Result<Vec<SchemaRow>, Fault> {
    let known = MIGRATIONS.iter().any(|migration| migration.version == version);
    if !known {
        return Err(Fault::damaged(format!("its schema is number {version}, which this program does not know")));
    }
    let mut conn = SqliteConnectOptions::new().in_memory(true).connect().await?;
    let run = MIGRATIONS.run_to(version, &mut conn).await;
    run.map_err(|error| Fault::damaged(format!("the schema cannot be made: {error}")))?;
    let schema = schema(&mut conn).await;
    conn.close().await?;
    schema
}

/// The kind, name and SQL of everything in a schema, by name.
pub(super) type SchemaRow = (Cell, Cell, Cell);

pub(super) async fn schema(conn: &mut SqliteConnection) -> Result<Vec<SchemaRow>, Fault> {
    let rows = sqlx::query("SELECT type, name, sql FROM sqlite_schema ORDER BY name, type").fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.cell("type")?, row.cell("name")?, row.cell("sql")?))).collect()
}

/// Two writers would number entries twice, so the second process does not start.
fn lock(database: &Path) -> Result<File, OpenError> {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    let failed = |cause: String| OpenError::Database { path: database.display().to_string(), cause };
    let file =
        File::options().create(true).truncate(false).write(true).open(&path).map_err(|e| failed(e.to_string()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: Path::new(&path).display().to_string() }),
        Err(TryLockError::Error(error)) => Err(failed(error.to_string())),
    }
}

fn common(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(1))
        .pragma("mmap_size", "0")
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging()
}

fn writing(path: &Path) -> SqliteConnectOptions {
    common(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // What was erased or moved is overwritten, so that no copy stays in the file that nothing vouches for.
        .pragma("secure_delete", "ON")
        // The writer moves the WAL itself: an automatic checkpoint hides its errors.
        .pragma("wal_autocheckpoint", "0")
        .statement_cache_capacity(200)
        .thread_name(|_| "store-writer".to_owned())
}

/// For readers of the server and for the verifier.
pub(super) fn reading(path: &Path) -> SqliteConnectOptions {
    common(path).read_only(true).thread_name(|number| format!("store-reader-{number}"))
}

async fn check_version(conn: &mut SqliteConnection) -> Result<(), OpenError> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(conn)
        .await
        .map_err(|error| OpenError::OldSqlite { found: error.to_string() })?;
    if is_new_enough(&found) { Ok(()) } else { Err(OpenError::OldSqlite { found }) }
}

fn is_new_enough(version: &str) -> bool {
    let parts: Option<Vec<u32>> = version.split('.').map(|part| part.parse().ok()).collect();
    parts.is_some_and(|parts| parts.as_slice() >= OLDEST_SQLITE.as_slice())
}

fn damaged(what: impl std::fmt::Display) -> OpenError {
    OpenError::Damaged(what.to_string())
}

/// Takes up the log where the last commit left it. Checks what can be checked quickly: that the head is signed by our
/// key, and that the entries since the last kept checkpoint lead from it to the head.
async fn resume(conn: &mut SqliteConnection, key: &LogKey) -> Result<(Log, Option<String>), OpenError> {
    let head = read_head(conn).await.map_err(damaged)?;
    let Some((log, note)) = head else {
        let entries: i64 =
            sqlx::query_scalar("SELECT count(*) FROM audit_entries").fetch_one(conn).await.map_err(damaged)?;
        return if entries == 0 { Ok((Log::default(), None)) } else { Err(damaged("the log has entries but no head")) };
    };
    let signed = Checkpoint::open(&note, key).map_err(|error| match error {
        InvalidNote::NotSigned => damaged(format!("its head is not signed by {key}; is this the right log key?")),
        error => damaged(format!("the signed head: {error}")),
    })?;
    if signed.size != log.frontier.size() || signed.root != log.frontier.root() {
        return Err(damaged("the tree is not the one that was signed"));
    }
    let tail = frontier_at(conn, log.frontier.size()).await.map_err(damaged)?;
    if tail != log.frontier {
        return Err(damaged("the last entries are not the ones that were signed"));
    }
    Ok((log, Some(note)))
}

async fn read_head(conn: &mut SqliteConnection) -> Result<Option<(Log, String)>, Fault> {
    let Some(row) = sqlx::query("SELECT * FROM audit_head").fetch_optional(conn).await? else { return Ok(None) };
    let frontier = Frontier::resume(row.seq("size")?, hashes(&row.blob("peaks")?)?)
        .ok_or_else(|| Fault::damaged("the tree's edge does not fit its size"))?;
    let (kept_size, kept_time) = (row.seq("kept_size")?, row.int("kept_time")?);
    Ok(Some((Log { frontier, time: row.int("time")?, kept_size, kept_time }, row.text("note")?)))
}

/// The tree's edge at a size, from the last kept checkpoint before it and the entries since.
async fn frontier_at(conn: &mut SqliteConnection, size: u64) -> Result<Frontier, Fault> {
    let kept = sqlx::query("SELECT size, peaks FROM audit_checkpoints WHERE size < ? ORDER BY size DESC LIMIT 1")
        .bind(size as i64)
        .fetch_optional(&mut *conn)
        .await?;
    let mut frontier = match kept {
        Some(row) => Frontier::resume(row.seq("size")?, hashes(&row.blob("peaks")?)?)
            .ok_or_else(|| Fault::damaged("a kept checkpoint does not fit its size"))?,
        None => Frontier::default(),
    };
    loop {
        let rows = sqlx::query("SELECT seq, leaf FROM audit_entries WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT 256")
            .bind(frontier.size() as i64)
            .bind(size as i64)
            .fetch_all(&mut *conn)
            .await?;
        if rows.is_empty() {
            return Ok(frontier);
        }
        for row in rows {
            if row.seq("seq")? != frontier.size() {
                return Err(Fault::damaged(format!("entry {} is missing", frontier.size())));
            }
            frontier.push(leaf_hash(row.text("leaf")?.as_bytes()));
        }
    }
}

/// T-62: a database that is behind the checkpoint file, or does not begin as it says, was rolled back or replaced.
async fn check_checkpoint_file(
    conn: &mut SqliteConnection,
    path: &Path,
    key: &LogKey,
    log: &Log,
) -> Result<(), OpenError> {
    let unreadable = |what: String| damaged(format!("{}: {what}", path.display()));
    let Some(note) = audit::read_file(path).map_err(|error| unreadable(error.to_string()))? else {
        return Ok(());
    };
    let signed = Checkpoint::open(&note, key).map_err(|error| unreadable(error.to_string()))?;
    let stored = log.frontier.size();
    if signed.size > stored {
        return Err(OpenError::RolledBack { file: path.display().to_string(), signed: signed.size, stored });
    }
    let beginning = frontier_at(conn, signed.size).await.map_err(damaged)?;
    if beginning.root() != signed.root {
        return Err(damaged(format!("its first {} entries are not the ones that were signed", signed.size)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_before_3_51_3_is_refused() {
        for (version, fine) in [
            ("3.51.2", false),
            ("3.7.0", false),
            ("3.51.3", true),
            ("3.51.10", true),
            ("3.52.0", true),
            ("4.0.0", true),
            ("x", false),
            ("", false),
        ] {
            assert_eq!(is_new_enough(version), fine, "{version}");
        }
    }
}
