//! The store in one SQLite file.
//!
//! WAL with `synchronous=FULL`; one connection writes (see [`writer`]), a few read. No memory map: a corrupted or
//! truncated file must be an error, not a signal.

mod batch;
mod cells;
mod challenges;
mod credentials;
mod decisions;
mod devices;
pub(super) mod evidence;
mod fault;
mod guesses;
mod lists;
mod log;
pub(super) mod look;
mod migrations;
mod open;
mod outbox;
mod packs;
mod recovery;
mod sessions;
mod statements;
mod tenants;
mod terminals;
#[cfg(test)]
mod tests;
mod unit;
mod users;
mod uses;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sqlx::SqlitePool;
use sqlx::pool::PoolConnection;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;

use super::{Health, OpenError, Options, StoreError};
use crate::audit;
use fault::Fault;
use unit::{Pending, Unit, Verb};
use writer::Writer;

/// How many units may wait for the writer before callers wait to queue.
const QUEUE: usize = 4_096;

/// The checkpoint file is written at most this often: its fsync competes with the writer's.
const CHECKPOINT_FILE_PACE: Duration = Duration::from_secs(1);

pub(super) struct Sqlite {
    queue: mpsc::Sender<Box<dyn Unit>>,
    readers: SqlitePool,
    health: Arc<ArcSwap<Health>>,
    origin: String,
    outbox: watch::Receiver<()>,
    closing: watch::Sender<bool>,
    tasks: Mutex<Option<Tasks>>,
    /// Held for as long as the store is open: nobody else may write.
    _lock: std::fs::File,
}

struct Tasks {
    writer: JoinHandle<()>,
    checkpoint_file: JoinHandle<()>,
}

impl Sqlite {
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        Ok(Self::start(open::open(&options).await?, &options))
    }

    fn start(opened: open::Opened, options: &Options) -> Self {
        let open::Opened { batch, readers, lock, newest } = opened;
        let health = Arc::new(ArcSwap::from_pointee(Health::Writing));
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (newest, to_file) = watch::channel(newest);
        let (closing, close) = watch::channel(false);
        let (told, outbox) = watch::channel(());
        let writer = Writer { batch, queue: waiting, health: health.clone(), newest, told, closing: close };
        let tasks = Tasks {
            writer: tokio::spawn(writer.run()),
            checkpoint_file: tokio::spawn(keep_checkpoint_file(
                options.checkpoint_path(),
                to_file,
                closing.subscribe(),
            )),
        };
        Self {
            queue,
            readers,
            health,
            origin: options.signer.name().to_owned(),
            outbox,
            closing,
            tasks: Mutex::new(Some(tasks)),
            _lock: lock,
        }
    }

    pub fn health(&self) -> Health {
        self.health.load().as_ref().clone()
    }

    /// Changes whenever the outbox has something new.
    pub fn outbox(&self) -> watch::Receiver<()> {
        self.outbox.clone()
    }

    /// Queues a verb and waits until it is durable.
    pub async fn submit<V: Verb>(&self, verb: V) -> Result<V::Done, V::Refused> {
        let (pending, answer) = Pending::new(verb);
        let closed = || StoreError::Unavailable("the store is closed".into());
        self.queue.send(Box::new(pending)).await.map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed().into()))
    }

    async fn reader(&self) -> Result<PoolConnection<sqlx::Sqlite>, Fault> {
        Ok(self.readers.acquire().await?)
    }

    pub async fn close(&self) {
        self.closing.send_replace(true);
        if let Some(tasks) = self.tasks.lock().await.take() {
            // The writer ends when its queue is empty; the checkpoint file follows when the writer has gone.
            for task in [tasks.writer, tasks.checkpoint_file] {
                if let Err(error) = task.await {
                    tracing::error!(%error, "a task of the store did not end well");
                }
            }
        }
        self.readers.close().await;
    }
}

/// Writes every newest checkpoint to its file, and the last one before it ends.
async fn keep_checkpoint_file(
    path: PathBuf,
    mut newest: watch::Receiver<Option<String>>,
    mut closing: watch::Receiver<bool>,
) {
    // An error means that the writer has gone: what it left is the last.
    while newest.changed().await.is_ok() {
        write_checkpoint_file(&path, &mut newest).await;
        tokio::select! {
            () = tokio::time::sleep(CHECKPOINT_FILE_PACE) => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }
    write_checkpoint_file(&path, &mut newest).await;
}

async fn write_checkpoint_file(path: &std::path::Path, newest: &mut watch::Receiver<Option<String>>) {
    let Some(note) = newest.borrow_and_update().clone() else { return };
    let path = path.to_owned();
    let written = tokio::task::spawn_blocking(move || audit::write_file(&path, &note)).await;
    match written {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(%error, "the checkpoint file cannot be written; a rolled-back database may go unnoticed")
        }
        Err(error) => tracing::error!(%error, "the checkpoint file was not written"),
    }
}
