//! The one task that writes. It takes whatever waits, commits it together, and only then answers.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};

use super::batch::Batch;
use super::fault::{Fault, Severity};
use super::unit::Unit;
use crate::store::{Health, StoreError};

/// The most units one transaction takes.
const LARGEST_BATCH: usize = 512;

/// After so many units the WAL is moved into the database file. Not entries: a delivered webhook writes none.
const WAL_AFTER_UNITS: usize = 1_000;

pub(super) struct Writer {
    pub batch: Batch,
    pub queue: mpsc::Receiver<Box<dyn Unit>>,
    pub health: Arc<ArcSwap<Health>>,
    /// The newest signed checkpoint, for the file beside the database.
    pub newest: watch::Sender<Option<String>>,
    /// Marked when a commit has put something into the outbox.
    pub told: watch::Sender<()>,
    /// Ends the queue: what waits is still written.
    pub closing: watch::Receiver<bool>,
}

impl Writer {
    pub async fn run(mut self) {
        let mut units = Vec::with_capacity(LARGEST_BATCH);
        let mut since_moved = 0;
        loop {
            tokio::select! {
                biased;
                // An error means that the store itself is gone.
                _ = self.closing.changed(), if !self.queue.is_closed() => self.queue.close(),
                taken = self.queue.recv_many(&mut units, LARGEST_BATCH) => {
                    if taken == 0 {
                        break;
                    }
                    self.write(std::mem::take(&mut units)).await;
                    since_moved += taken;
                    if since_moved >= WAL_AFTER_UNITS {
                        since_moved = 0;
                        self.move_wal(false).await;
                    }
                }
            }
        }
        self.move_wal(true).await;
    }

    /// Commits a batch and answers each of its units.
    async fn write(&mut self, mut units: Vec<Box<dyn Unit>>) {
        if let Health::ReadOnly(why) = self.health.load().as_ref() {
            let error = StoreError::Unavailable(why.clone());
            units.into_iter().for_each(|unit| unit.settle(Err(error.clone())));
            return;
        }
        let outcome = match self.together(&mut units).await {
            Ok(note) => Ok((note, Vec::new())),
            // Some unit cannot be written. Find out which: one by one, each behind a savepoint.
            Err(fault) if fault.severity() == Severity::Unit => self.one_by_one(&mut units).await,
            Err(fault) => Err(fault),
        };
        match outcome {
            Ok((note, mut failed)) => {
                if matches!(self.health.load().as_ref(), Health::Full(_)) {
                    tracing::info!("the disk has space again; writes go on");
                    self.health.store(Arc::new(Health::Writing));
                }
                if note.is_some() {
                    self.newest.send_replace(note);
                }
                if std::mem::take(&mut self.batch.told) {
                    self.told.send_replace(());
                }
                failed.resize_with(units.len(), || None);
                for (unit, failed) in units.into_iter().zip(failed) {
                    unit.settle(failed.map_or(Ok(()), Err));
                }
            }
            Err(fault) => {
                let error = self.stop(fault).await;
                units.into_iter().for_each(|unit| unit.settle(Err(error.clone())));
            }
        }
    }

    /// The usual way: all units, one commit.
    async fn together(&mut self, units: &mut [Box<dyn Unit>]) -> Result<Option<String>, Fault> {
        self.batch.careful = false;
        self.batch.begin().await?;
        let mut result = Ok(());
        for unit in units.iter_mut() {
            result = unit.run(&mut self.batch).await;
            if result.is_err() {
                break;
            }
        }
        let committed = match result {
            Ok(()) => self.batch.commit().await,
            Err(fault) => Err(fault),
        };
        if committed.is_err() {
            self.batch.roll_back().await?;
        }
        committed
    }

    /// The careful way: a unit that fails is undone alone. Gives each unit's failure, in order.
    async fn one_by_one(
        &mut self,
        units: &mut [Box<dyn Unit>],
    ) -> Result<(Option<String>, Vec<Option<StoreError>>), Fault> {
        self.batch.careful = true;
        self.batch.begin().await?;
        let result = self.try_each(units).await;
        if result.is_err() {
            self.batch.roll_back().await?;
        }
        result
    }

    async fn try_each(
        &mut self,
        units: &mut [Box<dyn Unit>],
    ) -> Result<(Option<String>, Vec<Option<StoreError>>), Fault> {
        let mut failures = Vec::with_capacity(units.len());
        for unit in units.iter_mut() {
            let mark = self.batch.mark().await?;
            let tried = match unit.run(&mut self.batch).await {
                Ok(()) => self.batch.keep().await,
                Err(fault) => Err(fault),
            };
            match tried {
                Ok(()) => failures.push(None),
                Err(fault) if fault.severity() == Severity::Unit => {
                    self.batch.undo(mark).await?;
                    tracing::error!(%fault, "a write was refused by the storage");
                    failures.push(Some(fault.into()));
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok((self.batch.commit().await?, failures))
    }

    /// After a full disk the next batch tries again. After anything else nothing is written any more: an fsync that
    /// failed once may have lost pages that a second one would not mention.
    async fn stop(&mut self, fault: Fault) -> StoreError {
        let severity = fault.severity();
        let error = StoreError::from(fault);
        tracing::error!(%error, "nothing of this batch was acknowledged");
        match severity {
            // Rolled back whole, for example because another program held the write lock too long.
            Severity::Unit => {}
            Severity::Full => self.health.store(Arc::new(Health::Full(error.to_string().into()))),
            Severity::Fatal => self.health.store(Arc::new(Health::ReadOnly(error.to_string().into()))),
        }
        match error {
            StoreError::Full(_) | StoreError::Unavailable(_) => error,
            other => StoreError::Unavailable(other.to_string().into()),
        }
    }

    async fn move_wal(&mut self, empty: bool) {
        if matches!(self.health.load().as_ref(), Health::ReadOnly(_)) {
            return;
        }
        // What is committed is durable in the WAL already, so nobody has to be told of a failure but the operator;
        // a failed fsync of the database file is nevertheless the end of writing.
        if let Err(fault) = self.batch.checkpoint_wal(empty).await
            && fault.severity() != Severity::Unit
        {
            self.stop(fault).await;
        }
    }
}
