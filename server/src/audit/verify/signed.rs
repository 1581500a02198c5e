//! What was signed: kept checkpoints, the head, the file beside the database.

use super::{About, Checked, Finding, PAGE, Verifier, bad, unreadable};
use crate::audit::note::{Checkpoint, hex};
use crate::audit::report::SignedHead;
use crate::store::evidence::{Cell, Head, Kept};

impl Verifier {
    pub(super) fn open_file(&self, file: Result<Option<String>, String>) -> Result<Option<Checkpoint>, Box<Finding>> {
        let what = |found: String| {
            bad(0, "checkpoint-file-changed", "a checkpoint signed by this log's key", found)
                .about("checkpoint", "audit.checkpoint")
        };
        let Some(note) = file.map_err(what)? else { return Ok(None) };
        self.open(&note).map(Some).map_err(|error| {
            let mut finding = what(error);
            finding.seq = None;
            finding
        })
    }

    /// Opens a signed checkpoint, or without a key reads it.
    pub(super) fn open(&self, note: &str) -> Result<Checkpoint, String> {
        let opened = match &self.key {
            Some(key) => Checkpoint::open(note, key),
            None => Checkpoint::parse(note.split("\n\n").next().unwrap_or_default()),
        };
        opened.map_err(|error| error.to_string())
    }

    pub(super) fn open_cell(&self, note: &Cell) -> Result<Checkpoint, String> {
        match note {
            Cell::Text(note) => self.open(note),
            other => Err(other.to_string()),
        }
    }

    /// What was signed over exactly the entries so far must be signed over exactly these.
    pub(super) async fn check_signed(&mut self) -> Checked {
        let size = self.log.size();
        if let Some(file) = self.file.take_if(|file| file.size == size) {
            self.check_root(&file, "audit.checkpoint")?;
        }
        while let Some(kept) = self.next_kept().await? {
            if kept.size > size as i64 {
                return Ok(());
            }
            self.kept.pop_front();
            let id = format!("size {}", kept.size);
            let changed = |expected: &str, found: String| {
                bad(size.saturating_sub(1), "checkpoint-changed", expected, found).about("checkpoint", &id)
            };
            let signed =
                self.open_cell(&kept.note).map_err(|error| changed("a checkpoint by this log's key", error))?;
            if i64::try_from(signed.size) != Ok(kept.size) {
                return Err(changed(&format!("size {}", signed.size), format!("size {}", kept.size)));
            }
            self.check_root(&signed, &id)?;
            if kept.peaks != Cell::Blob(self.log.peaks().concat()) {
                return Err(changed("the tree's edge", kept.peaks.to_string()));
            }
            (self.times.last_kept, self.times.at_last_kept) = (size, self.times.last);
            self.report.checkpoints += 1;
        }
        Ok(())
    }

    /// The kept checkpoint with the smallest size that was not checked yet.
    pub(super) async fn next_kept(&mut self) -> Result<Option<Kept>, Box<Finding>> {
        if self.kept.is_empty() {
            let page = self.evidence.checkpoints(self.report.checkpoints, PAGE).await;
            self.kept = page.map_err(|error| Box::new(unreadable(None, &error)))?.into();
        }
        Ok(self.kept.front().cloned())
    }

    /// A checkpoint over more entries than there are means that entries are missing at the end.
    pub(super) async fn check_no_more_signed(&mut self) -> Checked {
        let size = self.log.size();
        match self.next_kept().await? {
            Some(kept) => {
                let expected = format!("{} entries, which were signed", kept.size);
                Err(bad(size, "entry-missing", expected, format!("{size} entries")).about("checkpoint", "kept"))
            }
            None => Ok(()),
        }
    }

    /// The tree so far must be the one that was signed. If it is not, the first entry since the last good checkpoint is
    /// the first that cannot be trusted.
    pub(super) fn check_root(&mut self, signed: &Checkpoint, id: &str) -> Checked {
        let (size, root) = (self.log.size(), self.log.root());
        if signed.size != size || signed.root != root {
            let expected = format!("root {} over {} entries, as signed", hex(&signed.root), signed.size);
            let found = format!("root {} over {size} entries", hex(&root));
            return Err(bad(self.times.last_kept, "root-differs", expected, found).about("checkpoint", id));
        }
        let (origin, root) = (signed.origin.clone(), hex(&root));
        self.report.checkpoint = Some(SignedHead { origin, size, root });
        Ok(())
    }

    /// The head must be the tree over all entries, signed.
    pub(super) async fn check_head(&mut self) -> Checked {
        let size = self.log.size();
        let last = size.saturating_sub(1);
        let head = self.evidence.head().await.map_err(|error| Box::new(unreadable(None, &error)))?;
        let Some(Head { size: stored, peaks, time, note, kept_size, kept_time }) = head else {
            if size == 0 {
                return Ok(());
            }
            return Err(
                bad(last, "checkpoint-missing", "a signed head of the log", "nothing").about("checkpoint", "head")
            );
        };
        let signed = self.open_cell(&note).map_err(|error| {
            bad(last, "checkpoint-changed", "a head signed by this log's key", error).about("checkpoint", "head")
        })?;
        if signed.size > size {
            let finding = bad(
                size,
                "entry-missing",
                format!("{} entries, which were signed", signed.size),
                format!("{size} entries"),
            );
            return Err(finding.about("checkpoint", "head"));
        }
        self.check_root(&signed, "head")?;
        let number = |value: u64| Cell::Int(value as i64);
        let columns = [
            ("size", stored, number(size)),
            ("peaks", peaks, Cell::Blob(self.log.peaks().concat())),
            ("time", time, Cell::Int(self.times.last)),
            ("kept_size", kept_size, number(self.times.last_kept)),
            ("kept_time", kept_time, Cell::Int(self.times.at_last_kept)),
        ];
        for (column, found, expected) in columns {
            if found != expected {
                let finding = bad(last, "head-changed", expected.to_string(), found.to_string());
                return Err(finding.about("head", column));
            }
        }
        self.report.checkpoints += 1;
        Ok(())
    }

    pub(super) fn check_file_is_reached(&self) -> Checked {
        let size = self.log.size();
        match &self.file {
            Some(file) => {
                let expected = format!("{} entries, which were signed", file.size);
                Err(bad(size, "entry-missing", expected, format!("{size} entries"))
                    .about("checkpoint", "audit.checkpoint"))
            }
            None => Ok(()),
        }
    }
}
