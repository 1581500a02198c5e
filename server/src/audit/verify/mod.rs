//! Reads a database and believes nothing in it.
//!
//! One pass over the entries in order: number, canonical bytes, hash, time, the documents beside it, the rows it speaks
//! of, and the tree against every signed checkpoint on the way. It stops at the first thing that is wrong, which is then
//! the first bad entry. Afterwards: nothing may be there that no entry vouches for, the head must be the tree's, and
//! SQLite must find its file sound. Memory is bounded by a page of entries.

mod rest;
mod signed;

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

use super::leaf::{Leaf, commitment};
use super::note::{Checkpoint, LogKey, hex};
use super::report::{Finding, Report, Trust};
use super::tree::{Frontier, leaf_hash};
use super::{checkpoint_path, public_key_path, read_file};
use crate::store::evidence::{Cell, Document, Entry, Evidence, Kept, StateRow, Unreadable, tables};

/// Entries read at once.
const PAGE: u32 = 512;

/// Why nothing could be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no such file.
    #[error("there is no database at {0}")]
    Missing(PathBuf),
    /// The public key beside the database is not one.
    #[error("{path}: {cause}")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
}

/// Verifies the log in a database against `key`; without one, against `audit.pub` beside the database if there is one.
/// The database is opened read-only; a server may be running on it.
pub async fn verify(database: &Path, key: Option<&LogKey>) -> Result<Report, VerifyError> {
    if !database.is_file() {
        return Err(VerifyError::Missing(database.to_owned()));
    }
    let (key, trust) = match key {
        Some(key) => (Some(key.clone()), Trust::Pinned(key.to_string())),
        None => match key_beside(database)? {
            Some(key) => (Some(key.clone()), Trust::BesideDatabase(key.to_string())),
            None => (None, Trust::Unchecked),
        },
    };
    let report = Report {
        database: database.display().to_string(),
        entries: 0,
        checkpoints: 0,
        rows: 0,
        documents: 0,
        checkpoint: None,
        trust,
        first_bad: None,
    };
    // Read before the database: a server that runs may write both, and then the database is the newer one.
    let file = read_file(&checkpoint_path(database)).map_err(|error| error.to_string());
    let evidence = match Evidence::open(database).await {
        Ok(evidence) => evidence,
        Err(error) => return Ok(Report { first_bad: Some(unreadable(None, &error)), ..report }),
    };
    let mut verifier = Verifier {
        evidence,
        key,
        report,
        log: Frontier::default(),
        times: Times::default(),
        kept: VecDeque::new(),
        vouched: HashMap::new(),
        file: None,
    };
    if let Err(finding) = verifier.run(file).await {
        verifier.report.first_bad = Some(*finding);
    }
    verifier.evidence.close().await;
    Ok(verifier.report)
}

fn key_beside(database: &Path) -> Result<Option<LogKey>, VerifyError> {
    let path = public_key_path(database);
    let unusable = |cause: String| VerifyError::Key { path: path.clone(), cause };
    match read_file(&path).map_err(|error| unusable(error.to_string()))? {
        Some(text) => Ok(Some(LogKey::parse(&text).map_err(|error| unusable(error.to_string()))?)),
        None => Ok(None),
    }
}

struct Verifier {
    evidence: Evidence,
    key: Option<LogKey>,
    report: Report,
    /// The tree over the entries so far.
    log: Frontier,
    times: Times,
    /// Kept checkpoints that were read but not reached.
    kept: VecDeque<Kept>,
    /// How many rows of each table an entry vouched for.
    vouched: HashMap<&'static str, u64>,
    /// The checkpoint of the file beside the database, until the tree has reached its size.
    file: Option<Checkpoint>,
}

#[derive(Default)]
struct Times {
    last: i64,
    at_last_kept: i64,
    last_kept: u64,
}

type Checked = Result<(), Box<Finding>>;

/// Shorthand for findings about an entry.
fn bad(seq: u64, what: &'static str, expected: impl Into<String>, found: impl Into<String>) -> Box<Finding> {
    let (expected, found) = (expected.into(), found.into());
    Box::new(Finding { seq: Some(seq), kind: None, id: None, what, expected, found })
}

fn unreadable(seq: Option<u64>, error: &Unreadable) -> Finding {
    Finding {
        seq,
        kind: None,
        id: None,
        what: "database-unreadable",
        expected: "a sound SQLite database of this program".to_owned(),
        found: error.to_string(),
    }
}

trait About {
    fn about(self, kind: &str, id: &str) -> Self;
}

impl About for Box<Finding> {
    fn about(mut self, kind: &str, id: &str) -> Self {
        self.kind.get_or_insert_with(|| kind.to_owned());
        self.id.get_or_insert_with(|| id.to_owned());
        self
    }
}

impl Verifier {
    async fn run(&mut self, file: Result<Option<String>, String>) -> Checked {
        // Whoever lifts a trigger or spoils the checkpoint's file does it to change an entry: that entry is what to name.
        let (opened, spoiled) = match self.open_file(file) {
            Ok(opened) => (opened, None),
            Err(finding) => (None, Some(finding)),
        };
        self.file = opened;
        let lifted = self.check_schema().await?;
        self.check_entries().await?;
        if let Some(finding) = lifted.or(spoiled) {
            return Err(finding);
        }
        self.check_head().await?;
        self.check_file_is_reached()?;
        self.check_nothing_else().await?;
        self.check_told().await?;
        self.check_soundness().await
    }

    async fn check_entries(&mut self) -> Checked {
        loop {
            let from = self.log.size();
            let entries = self.page(from).await?;
            if entries.is_empty() {
                self.check_signed().await?;
                return self.check_no_more_signed().await;
            }
            let below = entries.last().map_or(from, |entry| entry.seq.saturating_add(1));
            let page = |error: Unreadable| Box::new(unreadable(Some(from), &error));
            let mut documents = self.evidence.documents(from, below).await.map_err(page)?;
            let mut decisions = self.evidence.decisions(from, below).await.map_err(page)?;
            for entry in entries {
                self.check_entry(entry, &mut documents, &mut decisions).await?;
            }
        }
    }

    /// A page of entries. Where a page cannot be read, one by one, so that the entry that cannot be read is named.
    async fn page(&mut self, from: u64) -> Result<Vec<Entry>, Box<Finding>> {
        if let Ok(entries) = self.evidence.entries(from, PAGE).await {
            return Ok(entries);
        }
        self.evidence.entries(from, 1).await.map_err(|error| Box::new(unreadable(Some(from), &error)))
    }

    async fn check_entry(
        &mut self,
        entry: Entry,
        documents: &mut HashMap<u64, Document>,
        decisions: &mut HashMap<u64, StateRow>,
    ) -> Checked {
        let seq = self.log.size();
        if entry.seq != seq {
            return Err(bad(seq, "entry-missing", format!("entry {seq}"), format!("entry {} comes next", entry.seq)));
        }
        self.check_signed().await?;
        let leaf = self.check_leaf(seq, &entry)?;
        self.check_document(&leaf, documents.remove(&seq)).map_err(|finding| finding.about(&leaf.kind, ""))?;
        let mut held = decisions.remove(&seq);
        for (name, digest) in &leaf.rows {
            self.check_row(&leaf, name, digest, held.take()).await?;
        }
        self.report.entries = self.log.size();
        Ok(())
    }

    fn check_leaf(&mut self, seq: u64, entry: &Entry) -> Result<Leaf, Box<Finding>> {
        let Cell::Text(text) = &entry.leaf else {
            return Err(bad(seq, "leaf-changed", "canonical JSON text", "bytes that are not text"));
        };
        let hash = leaf_hash(text.as_bytes());
        if entry.hash != Cell::Blob(hash.to_vec()) {
            let (expected, found) = (format!("hash {}", entry.hash), format!("hash {}", hex(&hash)));
            return Err(bad(seq, "leaf-changed", expected, found));
        }
        let leaf = Leaf::decode(text).map_err(|error| bad(seq, "leaf-changed", "an audit entry", error.to_string()))?;
        if leaf.seq != seq {
            let found = format!("it says that it is number {}", leaf.seq);
            return Err(bad(seq, "entry-moved", format!("entry {seq}"), found).about(&leaf.kind, ""));
        }
        if leaf.time < self.times.last {
            let expected = format!("a time of at least {}", self.times.last);
            return Err(bad(seq, "time-goes-back", expected, leaf.time.to_string()).about(&leaf.kind, ""));
        }
        self.times.last = leaf.time;
        self.log.push(hash);
        Ok(leaf)
    }

    fn check_document(&mut self, leaf: &Leaf, document: Option<Document>) -> Checked {
        let seq = leaf.seq;
        let Some(document) = document else {
            return match leaf.holds.keys().next() {
                Some(field) => Err(bad(seq, "document-missing", format!("the document `{field}`"), "nothing")),
                None => Ok(()),
            };
        };
        if leaf.holds.is_empty() {
            return Err(bad(seq, "document-inserted", "no document beside this entry", "a document"));
        }
        let kind = if leaf.kind == "decision" { "event" } else { "settled" };
        let decision = leaf.facts.get("decision").and_then(|fact| fact.text()).unwrap_or_default();
        let frame = [
            ("tenant", &document.tenant, Cell::Text(leaf.tenant.clone())),
            ("kind", &document.kind, Cell::Text(kind.to_owned())),
            ("decision", &document.decision, tables::uuid_cell(decision)),
        ];
        for (column, found, expected) in frame {
            if *found != expected {
                return Err(
                    bad(seq, "document-changed", expected.to_string(), found.to_string()).about("document", column)
                );
            }
        }
        for (field, (value, salt)) in [("event", &document.event), ("record", &document.record)] {
            let found = match (value, salt) {
                (Cell::Null, Cell::Null) => None,
                (Cell::Text(value), Cell::Blob(salt)) => Some(commitment(salt, field, value.as_bytes())),
                _ => Some("not a text with a salt".to_owned()),
            };
            if found.as_ref() != leaf.holds.get(field) {
                let say = |commitment: Option<&String>| {
                    commitment.map_or("nothing".to_owned(), |commitment| format!("commitment {commitment}"))
                };
                let finding = bad(seq, "document-changed", say(leaf.holds.get(field)), say(found.as_ref()));
                return Err(finding.about("document", field));
            }
        }
        self.report.documents += 1;
        Ok(())
    }

    /// The row an entry speaks of must be there, and be at least as new; if this is the entry that last spoke of it, it
    /// must be exactly so.
    async fn check_row(&mut self, leaf: &Leaf, name: &str, digest: &str, held: Option<StateRow>) -> Checked {
        let seq = leaf.seq;
        let checked = async {
            let Some((table, key)) = tables::find(&leaf.tenant, name) else {
                return Err(bad(seq, "leaf-changed", "the name of a row of state", name));
            };
            let row = match held.filter(|row| row.has_key(table, &key)) {
                Some(row) => Some(row),
                None => {
                    let row = self.evidence.row(table, key).await;
                    row.map_err(|error| Box::new(unreadable(Some(seq), &error)))?
                }
            };
            let Some(row) = row else {
                return Err(bad(seq, "row-missing", "the row", "nothing"));
            };
            match row.seq {
                Some(described) if described > seq => Ok(()),
                Some(described) if described == seq => {
                    let found = row.digest(table);
                    if found == digest {
                        *self.vouched.entry(table.name).or_default() += 1;
                        self.report.rows += 1;
                        return Ok(());
                    }
                    Err(bad(seq, "row-changed", format!("digest {digest}"), format!("digest {found}")))
                }
                Some(older) => {
                    let found = format!("the row as of entry {older}");
                    Err(bad(seq, "row-rolled-back", format!("the row as of entry {seq}"), found))
                }
                None => Err(bad(seq, "row-changed", "the number of an entry in `seq`", "something else")),
            }
        };
        checked.await.map_err(|finding| finding.about(&leaf.kind, name))
    }
}
