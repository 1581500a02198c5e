//! The transaction that the writer fills: rows of state, the audit entries that vouch for them, and the tree's new head.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Executor};

use super::cells::{bind, ms};
use super::fault::Fault;
use super::outbox::{self, Told};
use super::statements::{self, CHUNKS};
use crate::audit::leaf::{self, Fact, InvalidLeaf, Leaf, commitment};
use crate::audit::tree::{Frontier, Hash, leaf_hash};
use crate::audit::{Checkpoint, LogSigner};
use crate::store::model::{DecisionId, Event, Seq, Subscriptions, TenantId};
use crate::store::rows::{Row, digest};
use crate::store::tables;

/// A signed checkpoint is kept for good after so many entries …
const KEEP_AFTER_ENTRIES: u64 = 1_000;
/// … or so much log time.
const KEEP_AFTER_MS: i64 = 1_000;

/// Beyond this a unit's clock is so far behind the log's that the entry says so.
const CLOCK_SLACK_MS: i64 = 5_000;

/// Where the log stands.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Log {
    pub frontier: Frontier,
    /// Time of the last entry.
    pub time: i64,
    /// Size and time at the checkpoint last kept.
    pub kept_size: u64,
    pub kept_time: i64,
}

/// The writer's connection and the transaction under way on it.
pub(in crate::store) struct Batch {
    conn: SqliteConnection,
    signer: Arc<LogSigner>,
    subscriptions: Arc<Subscriptions>,
    /// As of the last commit.
    committed: Log,
    /// As of the transaction under way.
    log: Log,
    /// Look before leaping: check uniqueness first, because a fault here would cost other units their batch.
    pub careful: bool,
    entries: Vec<(Seq, String, Hash)>,
    documents: Vec<Held>,
    events: Vec<Told>,
    /// Whether something was put into the outbox; whoever commits takes it.
    pub told: bool,
    /// Decisions are many and read by nobody before they are committed, so they are inserted together at the end.
    decisions: Vec<Vouched>,
}

/// A row with what the log says of it.
struct Vouched {
    row: Row,
    salt: [u8; 16],
    seq: Seq,
}

/// A document with its salts.
struct Held {
    seq: Seq,
    tenant: String,
    document: Document,
    event_salt: [u8; 16],
    record_salt: [u8; 16],
}

/// What a unit did, for the log. Rows and documents become part of the transaction with it.
pub(in crate::store) struct Entry {
    tenant: String,
    kind: String,
    at: Timestamp,
    facts: BTreeMap<String, Fact>,
    changes: Vec<(Row, Option<Seq>)>,
    document: Option<Document>,
    events: Vec<Event>,
}

/// Personal documents that the entry commits to.
pub(in crate::store) struct Document {
    pub decision: DecisionId,
    pub kind: &'static str,
    pub event: Option<String>,
    pub record: Option<String>,
}

impl Entry {
    pub fn new(tenant: &TenantId, kind: impl Into<String>, at: Timestamp) -> Self {
        Self {
            tenant: tenant.to_string(),
            kind: kind.into(),
            at,
            facts: BTreeMap::new(),
            changes: Vec::new(),
            document: None,
            events: Vec::new(),
        }
    }

    /// States something that may be kept for ever.
    pub fn fact(mut self, name: &str, value: impl Into<Fact>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// States it if there is something to state.
    pub fn opt_fact(self, name: &str, value: Option<impl Into<Fact>>) -> Self {
        match value {
            Some(value) => self.fact(name, value),
            None => self,
        }
    }

    /// Inserts a row.
    pub fn made(self, row: Row) -> Self {
        self.written(row, None)
    }

    /// Replaces a row, provided entry `was` is still the last that described it.
    pub fn changed(self, row: Row, was: Seq) -> Self {
        self.written(row, Some(was))
    }

    /// Replaces a row that an entry has described, or inserts it.
    pub fn written(mut self, row: Row, was: Option<Seq>) -> Self {
        self.changes.push((row, was));
        self
    }

    /// Puts documents beside the leaf.
    pub fn document(mut self, document: Document) -> Self {
        self.document = Some(document);
        self
    }

    /// Tells the tenant's webhooks of it, once and only if the entry is durable.
    pub fn tell(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }
}

impl Batch {
    pub fn new(conn: SqliteConnection, signer: Arc<LogSigner>, subscriptions: Arc<Subscriptions>, log: Log) -> Self {
        Self {
            conn,
            signer,
            subscriptions,
            committed: log.clone(),
            log,
            careful: false,
            entries: Vec::new(),
            documents: Vec::new(),
            events: Vec::new(),
            told: false,
            decisions: Vec::new(),
        }
    }

    /// The connection, for reads inside the transaction.
    pub fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.conn
    }

    /// The number the next entry will have.
    pub fn next_seq(&self) -> Seq {
        self.log.frontier.size()
    }

    pub async fn begin(&mut self) -> Result<(), Fault> {
        self.conn.execute("BEGIN IMMEDIATE").await?;
        Ok(())
    }

    /// Writes an entry with its rows and documents, and returns its number.
    pub async fn append(&mut self, entry: Entry) -> Result<Seq, Fault> {
        let seq = self.next_seq();
        let at = ms(entry.at);
        let time = at.max(self.log.time);
        let mut told = Vec::new();
        for event in entry.events {
            told.extend(self.address(&entry.tenant, event, time, seq)?);
        }
        let mut leaf = Leaf {
            facts: entry.facts,
            holds: BTreeMap::new(),
            kind: entry.kind,
            rows: BTreeMap::new(),
            seq,
            tenant: entry.tenant,
            time,
            v: leaf::VERSION,
        };
        if time - at > CLOCK_SLACK_MS {
            leaf.facts.insert("clock".to_owned(), at.to_string().into());
        }
        if !told.is_empty() {
            leaf.facts.insert(tables::TOLD.to_owned(), told.as_slice().into());
        }
        let mut vouched = Vec::with_capacity(entry.changes.len());
        for (row, was) in entry.changes {
            let salt = fresh_salt()?;
            leaf.rows.insert(row.name.clone(), digest(row.table, &salt, &row.cells));
            vouched.push((Vouched { row, salt, seq }, was));
        }
        if let Some(document) = entry.document {
            self.hold(&mut leaf, document)?;
        }
        let text = encode(leaf)?;
        let hash = leaf_hash(text.as_bytes());
        self.log.frontier.push(hash);
        self.log.time = time;
        self.entries.push((seq, text, hash));
        for (row, was) in vouched {
            self.write(row, was).await?;
        }
        Ok(seq)
    }

    /// Puts an event aside for each endpoint that wants it, and gives the digests by which the entry vouches for what is
    /// told. `sequence` lets a receiver put events in order.
    fn address(&mut self, tenant: &str, event: Event, time: i64, seq: Seq) -> Result<Vec<String>, Fault> {
        let kind = event.kind;
        let subscriptions = self.subscriptions.get(tenant).into_iter().flatten();
        let mut wanting = subscriptions.filter(|subscription| subscription.events.contains(&kind)).peekable();
        if wanting.peek().is_none() {
            return Ok(Vec::new());
        }
        let millis = u64::try_from(time).unwrap_or(0);
        let random = fresh_salt()?;
        let id =
            random.first_chunk().map(|random| uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid());
        let id = id.ok_or_else(|| Fault::damaged("a salt is too short for an id"))?;
        let data = serde_json::to_string(&event.with("sequence", seq).data).map_err(Fault::damaged)?;
        let salt = fresh_salt()?;
        let told: Vec<Told> = wanting
            .map(|subscription| Told {
                time,
                salt,
                seq,
                cells: vec![
                    tenant.into(),
                    (&*subscription.endpoint).into(),
                    id.into(),
                    kind.as_str().into(),
                    time.into(),
                    data.as_str().into(),
                ],
            })
            .collect();
        let digests = told.iter().map(|told| digest(&tables::OUTBOX, &told.salt, &told.cells)).collect();
        self.events.extend(told);
        Ok(digests)
    }

    /// Commits to documents in the leaf and puts them aside for the end of the batch.
    fn hold(&mut self, leaf: &mut Leaf, document: Document) -> Result<(), Fault> {
        let (event_salt, record_salt) = (fresh_salt()?, fresh_salt()?);
        leaf.facts.insert("decision".to_owned(), document.decision.to_string().into());
        for (field, salt, value) in
            [("event", &event_salt, &document.event), ("record", &record_salt, &document.record)]
        {
            if let Some(value) = value {
                leaf.holds.insert(field.to_owned(), commitment(salt, field, value.as_bytes()));
            }
        }
        self.documents.push(Held { seq: leaf.seq, tenant: leaf.tenant.clone(), document, event_salt, record_salt });
        Ok(())
    }

    async fn write(&mut self, vouched: Vouched, was: Option<Seq>) -> Result<(), Fault> {
        match was {
            None if *vouched.row.table == tables::DECISIONS => self.decisions.push(vouched),
            None => self.insert(vec![vouched]).await?,
            Some(was) => self.replace(vouched, was).await?,
        }
        Ok(())
    }

    /// Inserts rows of one table.
    async fn insert(&mut self, rows: Vec<Vouched>) -> Result<(), Fault> {
        let Some(table) = rows.first().map(|vouched| vouched.row.table) else { return Ok(()) };
        let statements = statements::of(table);
        let mut rows = rows.into_iter();
        for size in statements::chunks(rows.len()) {
            let mut query = sqlx::query(statements.insert(size));
            for vouched in rows.by_ref().take(statements::CHUNKS[size]) {
                for cell in vouched.row.cells {
                    query = bind(query, cell);
                }
                query = query.bind(vouched.salt.to_vec()).bind(vouched.seq as i64);
            }
            query.execute(&mut self.conn).await?;
        }
        Ok(())
    }

    /// Replaces a row: compare-and-set on the entry that last described it.
    async fn replace(&mut self, vouched: Vouched, was: Seq) -> Result<(), Fault> {
        let table = vouched.row.table;
        let key: Vec<_> = table
            .key
            .iter()
            .filter_map(|key| table.columns.iter().position(|column| column == key))
            .filter_map(|at| vouched.row.cells.get(at).cloned())
            .collect();
        let mut query = sqlx::query(statements::of(table).update());
        for cell in vouched.row.cells {
            query = bind(query, cell);
        }
        query = query.bind(vouched.salt.to_vec()).bind(vouched.seq as i64);
        for cell in key {
            query = bind(query, cell);
        }
        let changed = query.bind(was as i64).execute(&mut self.conn).await?.rows_affected();
        if changed == 1 { Ok(()) } else { Err(Fault::Raced(vouched.row.name)) }
    }

    /// Writes what was put aside: decisions, documents, entries.
    pub async fn flush(&mut self) -> Result<(), Fault> {
        let decisions = std::mem::take(&mut self.decisions);
        self.insert(decisions).await?;
        self.flush_documents().await?;
        self.flush_events().await?;
        self.flush_entries().await
    }

    async fn flush_documents(&mut self) -> Result<(), Fault> {
        static INSERTS: LazyLock<[Arc<str>; 4]> = LazyLock::new(|| {
            let head = "INSERT INTO documents \
                        (seq, tenant, decision, kind, event, event_salt, record, record_salt)";
            CHUNKS.map(|rows| statements::insert(head, 8, rows))
        });
        let mut documents = std::mem::take(&mut self.documents).into_iter();
        for size in statements::chunks(documents.len()) {
            let mut query = sqlx::query(AssertSqlSafe(INSERTS[size].clone()));
            for Held { seq, tenant, document, event_salt, record_salt } in documents.by_ref().take(CHUNKS[size]) {
                let event_salt = document.event.is_some().then(|| event_salt.to_vec());
                let record_salt = document.record.is_some().then(|| record_salt.to_vec());
                query = query
                    .bind(seq as i64)
                    .bind(tenant)
                    .bind(document.decision.0.as_bytes().to_vec())
                    .bind(document.kind)
                    .bind(document.event)
                    .bind(event_salt)
                    .bind(document.record)
                    .bind(record_salt);
            }
            query.execute(&mut self.conn).await?;
        }
        Ok(())
    }

    async fn flush_events(&mut self) -> Result<(), Fault> {
        let events = std::mem::take(&mut self.events);
        self.told |= !events.is_empty();
        outbox::insert(&mut self.conn, events).await
    }

    async fn flush_entries(&mut self) -> Result<(), Fault> {
        static INSERTS: LazyLock<[Arc<str>; 4]> = LazyLock::new(|| {
            CHUNKS.map(|rows| statements::insert("INSERT INTO audit_entries (seq, leaf, hash)", 3, rows))
        });
        let mut entries = std::mem::take(&mut self.entries).into_iter();
        for size in statements::chunks(entries.len()) {
            let mut query = sqlx::query(AssertSqlSafe(INSERTS[size].clone()));
            for (seq, leaf, hash) in entries.by_ref().take(CHUNKS[size]) {
                query = query.bind(seq as i64).bind(leaf).bind(hash.to_vec());
            }
            query.execute(&mut self.conn).await?;
        }
        Ok(())
    }

    /// Signs the tree as it now is, commits, and returns the signed checkpoint; `None` if no entry was written.
    pub async fn commit(&mut self) -> Result<Option<String>, Fault> {
        self.flush().await?;
        let grown = self.log.frontier.size() > self.committed.frontier.size();
        let note = if grown { Some(self.sign_head().await?) } else { None };
        self.conn.execute("COMMIT").await?;
        self.committed = self.log.clone();
        Ok(note)
    }

    async fn sign_head(&mut self) -> Result<String, Fault> {
        let log = &mut self.log;
        let size = log.frontier.size();
        let checkpoint = Checkpoint { origin: self.signer.name().to_owned(), size, root: log.frontier.root() };
        let note = self.signer.sign(&checkpoint.text());
        let peaks = log.frontier.peaks().concat();
        if log.kept_size == 0 || size - log.kept_size >= KEEP_AFTER_ENTRIES || log.time - log.kept_time >= KEEP_AFTER_MS
        {
            (log.kept_size, log.kept_time) = (size, log.time);
            sqlx::query("INSERT INTO audit_checkpoints (size, peaks, note) VALUES (?, ?, ?)")
                .bind(size as i64)
                .bind(&peaks)
                .bind(&note)
                .execute(&mut self.conn)
                .await?;
        }
        sqlx::query(
            "INSERT INTO audit_head (id, size, peaks, time, note, kept_size, kept_time) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (id) DO UPDATE SET \
             size = ?1, peaks = ?2, time = ?3, note = ?4, kept_size = ?5, kept_time = ?6",
        )
        .bind(size as i64)
        .bind(&peaks)
        .bind(log.time)
        .bind(&note)
        .bind(log.kept_size as i64)
        .bind(log.kept_time)
        .execute(&mut self.conn)
        .await?;
        Ok(note)
    }

    /// Forgets the transaction under way.
    pub async fn roll_back(&mut self) -> Result<(), Fault> {
        self.forget_pending();
        self.log = self.committed.clone();
        // After some errors SQLite has rolled back by itself, and says that there is nothing to roll back.
        match self.conn.execute("ROLLBACK").await {
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(error)) if error.message().contains("no transaction is active") => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Marks where one unit begins, so that it can be undone without the others.
    pub async fn mark(&mut self) -> Result<Log, Fault> {
        self.flush().await?;
        self.conn.execute("SAVEPOINT unit").await?;
        Ok(self.log.clone())
    }

    /// Keeps what was done since the mark.
    pub async fn keep(&mut self) -> Result<(), Fault> {
        self.flush().await?;
        self.conn.execute("RELEASE unit").await?;
        Ok(())
    }

    /// Undoes what was done since the mark.
    pub async fn undo(&mut self, mark: Log) -> Result<(), Fault> {
        self.forget_pending();
        self.log = mark;
        self.conn.execute("ROLLBACK TO unit").await?;
        self.conn.execute("RELEASE unit").await?;
        Ok(())
    }

    fn forget_pending(&mut self) {
        self.entries.clear();
        self.documents.clear();
        self.events.clear();
        self.decisions.clear();
    }

    /// Moves what the WAL holds into the database file.
    pub async fn checkpoint_wal(&mut self, empty: bool) -> Result<(), Fault> {
        let pragma = if empty { "PRAGMA wal_checkpoint(TRUNCATE)" } else { "PRAGMA wal_checkpoint(PASSIVE)" };
        self.conn.execute(pragma).await?;
        Ok(())
    }
}

/// The leaf's bytes. Lists of words that make it too large for the log are replaced by their number: the document beside
/// the leaf has them.
fn encode(mut leaf: Leaf) -> Result<String, InvalidLeaf> {
    match leaf.encode() {
        Err(InvalidLeaf::TooLarge(_)) => {
            for fact in leaf.facts.values_mut() {
                if let Fact::List(words) = fact {
                    *fact = Fact::Text(format!("{} words", words.len()));
                }
            }
            leaf.encode()
        }
        encoded => encoded,
    }
}

fn fresh_salt() -> Result<[u8; 16], Fault> {
    let mut salt = [0; 16];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| Fault::damaged("the system gives no random bytes"))?;
    Ok(salt)
}
