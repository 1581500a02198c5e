//! Whoever changes the database by hand is found out, and the verifier names the first entry they touched (T-60, T-61).

use std::fs;
use std::path::{Path, PathBuf};

use server::audit::{self, Finding, LogSigner};
use server::store::*;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Connection, Executor, Row, TypeInfo, ValueRef};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::*;

/// A small log with a row in every table.
async fn small_log() -> (TempDir, PathBuf) {
    let world = World::new().await;
    let store = &world.store;
    store.put_tenant(NewTenant { id: tenant(), name: "Demo".into(), settings: "{}".into(), at: at(0) }).await.unwrap();
    let key = NewApiKey {
        tenant: tenant(),
        id: "key-1".into(),
        role: "backend".into(),
        name: "shop".into(),
        hash: [9; 32],
        created_at: at(1),
    };
    store.put_api_key(key).await.unwrap();
    let pack = NewPack {
        tenant: tenant(),
        version: "sha256:aa".into(),
        name: "starter".into(),
        archive: b"pack".to_vec(),
        actor: "startup".into(),
        at: at(2),
    };
    store.activate_pack(pack).await.unwrap();
    let email = UserAttributes { email: Some("u1@example.com".into()), ..UserAttributes::default() };
    store.upsert_user(&tenant(), &user("u1"), email, at(3)).await.unwrap();
    let phone = Phone::enrolled(store, "u1", "c1").await;
    store.record_decision(decision("u1", "k1", 4)).await.unwrap();
    let (withheld, challenge) = challenged("u1", "k2", 5);
    store.record_decision(withheld).await.unwrap();
    store.transition(phone.claim(challenge.id(), 6)).await.unwrap();
    store.transition(phone.approve(challenge.id(), 7)).await.unwrap();
    let token = NewUse {
        tenant: tenant(),
        kind: UseKind::ResultToken,
        id: "jti-1".into(),
        by: "key-1".into(),
        decision: None,
        at: at(8),
        expires_at: at(300),
    };
    store.consume(token).await.unwrap();
    let listed = NewListEntry {
        tenant: tenant(),
        id: ListEntryId(Uuid::new_v4()),
        list: "blocked_ips".into(),
        value: "203.0.113.9".into(),
        reason: None,
        author: "key-1".into(),
        at: at(9),
        expires_at: None,
    };
    store.add_list_entry(listed).await.unwrap();
    let database = world.database();
    (world.closed().await, database)
}

async fn first_bad(database: &Path) -> Option<Finding> {
    audit::verify(database, Some(&signer().verifier())).await.unwrap().first_bad
}

/// A connection that may do anything: the triggers that keep the log are away until it leaves.
struct Intruder {
    conn: SqliteConnection,
    triggers: Vec<(String, String)>,
}

impl Intruder {
    async fn enter(database: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(database).pragma("synchronous", "OFF").foreign_keys(false);
        let mut conn = options.connect().await.unwrap();
        let triggers = sqlx::query_as("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
            .fetch_all(&mut conn)
            .await
            .unwrap();
        let mut intruder = Self { conn, triggers };
        intruder.lift().await;
        intruder
    }

    async fn lift(&mut self) {
        for (name, _) in &self.triggers {
            self.conn.execute(AssertSqlSafe(format!("DROP TRIGGER {name}"))).await.unwrap();
        }
    }

    /// Puts the triggers back, word for word, so that nothing shows but what was done.
    async fn cover(&mut self) {
        for (_, sql) in &self.triggers {
            self.conn.execute(AssertSqlSafe(sql.clone())).await.unwrap();
        }
    }

    async fn leave(mut self) {
        self.cover().await;
        self.conn.close().await.unwrap();
    }
}

/// Makes the database these bytes and nothing else: no WAL of an earlier trial.
fn put_back(database: &Path, bytes: &[u8]) {
    for tail in ["-wal", "-shm"] {
        let mut beside = database.as_os_str().to_owned();
        beside.push(tail);
        let _ = fs::remove_file(beside);
    }
    fs::write(database, bytes).unwrap();
}

const TABLES: [&str; 14] = [
    "audit_entries",
    "audit_checkpoints",
    "audit_head",
    "documents",
    "tenants",
    "api_keys",
    "users",
    "credentials",
    "decisions",
    "challenges",
    "uses",
    "list_entries",
    "packs",
    "active_packs",
];

#[tokio::test]
async fn an_honest_log_verifies_with_and_without_the_key() {
    let (_folder, database) = small_log().await;
    for key in [Some(signer().verifier()), None] {
        let report = audit::verify(&database, key.as_ref()).await.unwrap();
        assert!(report.is_good(), "{}", report.to_text());
        assert_eq!((report.entries, report.documents, report.rows), (12, 3, 12));
        assert!(report.is_proven() && report.to_text().starts_with("good: "), "{}", report.to_text());
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
        assert_eq!(json["firstBad"], serde_json::Value::Null);
    }
    // With no key at all, not even beside it, a log agrees with itself, as a forged one may.
    let beside = database.with_file_name("audit.pub");
    let public = std::fs::read(&beside).unwrap();
    std::fs::remove_file(&beside).unwrap();
    let report = audit::verify(&database, None).await.unwrap();
    assert!(report.is_good() && !report.is_proven(), "{}", report.to_text());
    assert!(report.to_text().starts_with("NOT PROVEN: "), "{}", report.to_text());
    std::fs::write(&beside, public).unwrap();
    let mut intruder = Intruder::enter(&database).await;
    for table in TABLES {
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(&mut intruder.conn)
            .await
            .unwrap();
        assert!(rows > 0, "{table} has a row, or the tests below say nothing about it");
    }
    intruder.leave().await;
    assert_eq!(first_bad(&database).await, None, "coming and going leaves no trace");
}

#[tokio::test]
async fn the_triggers_keep_entries_and_checkpoints() {
    let (_folder, database) = small_log().await;
    let mut conn = SqliteConnectOptions::new().filename(&database).connect().await.unwrap();
    for statement in [
        "UPDATE audit_entries SET leaf = '{}' WHERE seq = 0",
        "DELETE FROM audit_entries WHERE seq = 0",
        "UPDATE audit_checkpoints SET note = ''",
        "DELETE FROM audit_checkpoints",
    ] {
        assert!(conn.execute(statement).await.is_err(), "{statement}");
    }
    assert_eq!(first_bad(&database).await, None);
}

/// Every byte of every value of every row, changed by one bit; then the value itself removed or its number changed.
#[tokio::test]
async fn a_changed_byte_of_any_value_is_found() {
    let (_folder, database) = small_log().await;
    let mut intruder = Intruder::enter(&database).await;
    intruder.cover().await;
    let every = std::env::var_os("STEPUP_EVERY_BYTE").is_some();
    let mut tried = 0;
    for table in TABLES {
        let rows = sqlx::query(AssertSqlSafe(format!("SELECT rowid AS place, * FROM {table}")))
            .fetch_all(&mut intruder.conn)
            .await
            .unwrap();
        for row in &rows {
            let place: i64 = row.get("place");
            for column in row.columns().iter().skip(1) {
                for changed in changes(row, column.ordinal(), every) {
                    let name = column.name();
                    if !intruder.set(table, name, place, &changed).await {
                        continue; // The schema itself refuses the value.
                    }
                    let found = first_bad(&database).await;
                    assert!(found.is_some(), "{table} row {place} {name} := {changed:?} goes unnoticed");
                    tried += 1;
                    let moved = if is_place(table, name) { number(&changed) } else { place };
                    let original = value(row, column.ordinal());
                    assert!(intruder.set(table, name, moved, &original).await, "{table} {name} is put back");
                }
            }
        }
    }
    assert_eq!(first_bad(&database).await, None, "everything is as it was");
    assert!(tried > 500, "{tried} changes");
}

#[derive(Debug, Clone)]
enum Value {
    Null,
    Int(i64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

fn number(value: &Value) -> i64 {
    match value {
        Value::Int(number) => *number,
        _ => panic!("{value:?} is no number"),
    }
}

/// Columns that are the rowid itself.
fn is_place(table: &str, column: &str) -> bool {
    matches!(
        (table, column),
        ("audit_entries", "seq")
            | ("audit_checkpoints", "size")
            | ("audit_head", "id")
            | ("documents", "seq")
            | ("decisions", "entry")
    )
}

fn value(row: &SqliteRow, column: usize) -> Value {
    let raw = row.try_get_raw(column).unwrap();
    if raw.is_null() {
        return Value::Null;
    }
    match raw.type_info().name() {
        "INTEGER" => Value::Int(row.get_unchecked(column)),
        "TEXT" => Value::Text(row.get_unchecked(column)),
        _ => Value::Blob(row.get_unchecked(column)),
    }
}

fn changes(row: &SqliteRow, column: usize, every: bool) -> Vec<Value> {
    let flips = |bytes: &Vec<u8>| {
        // In short: both ends and a few places between; long forms take every byte.
        let step = if every { 1 } else { (bytes.len() / 4).max(1) };
        let places: Vec<usize> = (0..bytes.len()).step_by(step).chain(bytes.len().checked_sub(1)).collect();
        places
            .into_iter()
            .map(|at| {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1;
                bytes
            })
            .collect::<Vec<_>>()
    };
    match value(row, column) {
        Value::Null => vec![Value::Int(0), Value::Text(b"x".to_vec()), Value::Blob(vec![0; 16])],
        Value::Int(number) => vec![Value::Int(number ^ 1), Value::Int(number + (1 << 20)), Value::Null],
        Value::Text(text) => {
            flips(&text).into_iter().map(Value::Text).chain([Value::Text(vec![]), Value::Null]).collect()
        }
        Value::Blob(blob) => {
            flips(&blob).into_iter().map(Value::Blob).chain([Value::Blob(vec![]), Value::Null]).collect()
        }
    }
}

impl Intruder {
    /// Sets one value, with the triggers back in place afterwards; `false` if the schema refuses the value.
    async fn set(&mut self, table: &str, column: &str, place: i64, value: &Value) -> bool {
        let as_text = matches!(value, Value::Text(_));
        let new = if as_text { "CAST(? AS TEXT)" } else { "?" };
        let query = sqlx::query(AssertSqlSafe(format!("UPDATE {table} SET {column} = {new} WHERE rowid = ?")));
        let query = match value.clone() {
            Value::Null => query.bind(None::<i64>),
            Value::Int(number) => query.bind(number),
            Value::Text(bytes) | Value::Blob(bytes) => query.bind(bytes),
        };
        self.lift().await;
        let done = query.bind(place).execute(&mut self.conn).await;
        self.cover().await;
        matches!(done, Ok(done) if done.rows_affected() == 1)
    }
}

/// What an intruder does, and what the verifier must say: the first bad entry, and in a word what is wrong.
#[tokio::test]
async fn each_way_to_forge_is_named_with_its_first_bad_entry() {
    let cases: [(&str, &str, u64, &str); 19] = [
        (
            "an entry's text",
            "UPDATE audit_entries SET leaf = replace(leaf, 'key-1', 'key-2') WHERE seq = 1",
            1,
            "leaf-changed",
        ),
        ("an entry's hash", "UPDATE audit_entries SET hash = zeroblob(32) WHERE seq = 4", 4, "leaf-changed"),
        ("an entry in the middle", "DELETE FROM audit_entries WHERE seq = 5", 5, "entry-missing"),
        ("the first entry", "DELETE FROM audit_entries WHERE seq = 0", 0, "entry-missing"),
        ("the last entry", "DELETE FROM audit_entries WHERE seq = 11", 11, "entry-missing"),
        ("all entries", "DELETE FROM audit_entries", 0, "entry-missing"),
        (
            "two entries change places",
            "UPDATE audit_entries SET seq = -1 WHERE seq = 2; UPDATE audit_entries SET seq = 2 WHERE seq = 3; UPDATE audit_entries SET seq = 3 WHERE seq = -1",
            2,
            "entry-moved",
        ),
        (
            "an entry is put in at the end",
            "INSERT INTO audit_entries SELECT 12, leaf, hash FROM audit_entries WHERE seq = 11",
            12,
            "entry-moved",
        ),
        (
            "an entry before the first",
            "INSERT INTO audit_entries SELECT -1, leaf, hash FROM audit_entries WHERE seq = 11",
            12,
            "rows-inserted",
        ),
        ("an event", "UPDATE documents SET event = replace(event, 'u1', 'u2') WHERE seq = 5", 5, "document-changed"),
        (
            "a replay record",
            "UPDATE documents SET record = replace(record, '203', '204') WHERE seq = 5",
            5,
            "document-changed",
        ),
        ("a document goes", "DELETE FROM documents WHERE seq = 6", 6, "document-missing"),
        (
            "a document comes",
            "INSERT INTO documents (seq, tenant, decision, kind, event, event_salt) SELECT 1, tenant, decision, kind, event, event_salt FROM documents WHERE seq = 5",
            1,
            "document-inserted",
        ),
        (
            "a blocked user is allowed",
            "UPDATE decisions SET outcome = 'allow', state = 'ALLOW' WHERE entry = 6",
            9,
            "row-changed",
        ),
        ("an approval is forged", "UPDATE challenges SET state_name = 'rejected'", 9, "row-changed"),
        ("a credential changes hands", "UPDATE credentials SET user = 'u2'", 9, "row-changed"),
        ("a decision goes", "DELETE FROM decisions WHERE entry = 5", 5, "row-missing"),
        ("a used token goes", "DELETE FROM uses", 10, "row-missing"),
        ("a row is dated back", "UPDATE decisions SET seq = 2 WHERE entry = 5", 5, "row-rolled-back"),
    ];
    let (folder, database) = small_log().await;
    let original = fs::read(&database).unwrap();
    for (case, statements, seq, what) in cases {
        put_back(&database, &original);
        let mut intruder = Intruder::enter(&database).await;
        sqlx::raw_sql(statements).execute(&mut intruder.conn).await.unwrap();
        intruder.leave().await;
        let found = first_bad(&database).await.unwrap_or_else(|| panic!("{case}: unnoticed"));
        assert_eq!((found.seq, found.what), (Some(seq), what), "{case}: {found:?}");
    }
    drop(folder);
}

#[tokio::test]
async fn rows_that_no_entry_speaks_of_are_found() {
    let copies = [
        (
            "credentials",
            "INSERT INTO credentials SELECT tenant, 'c9', 'u9', kind, x'00', platform, protection, device_name, device_platform, attestation, push_token, enrolled_at, expires_at, last_verified_at, revoked_at, salt, seq FROM credentials",
        ),
        (
            "api_keys",
            "INSERT INTO api_keys SELECT tenant, 'key-9', 'admin', name, zeroblob(32), created_at, revoked_at, salt, seq FROM api_keys",
        ),
        (
            "decisions",
            "INSERT INTO decisions SELECT 99, tenant, zeroblob(16), user, action, 'k9', body_hash, outcome, state, policy_version, rules, reasons, flags, created_at, state_updated_at, challenge, verification_method, verified_by, answer, salt, seq FROM decisions WHERE entry = 5",
        ),
        (
            "list_entries",
            "INSERT INTO list_entries SELECT tenant, zeroblob(16), list, '198.51.100.7', reason, author, created_at, expires_at, removed_at, salt, 99 FROM list_entries",
        ),
    ];
    let (folder, database) = small_log().await;
    let original = fs::read(&database).unwrap();
    for (table, statement) in copies {
        put_back(&database, &original);
        let mut intruder = Intruder::enter(&database).await;
        intruder.conn.execute(statement).await.unwrap();
        intruder.leave().await;
        let found = first_bad(&database).await.unwrap_or_else(|| panic!("{table}: unnoticed"));
        assert_eq!((found.what, found.kind.as_deref()), ("row-inserted", Some(table)), "{found:?}");
    }
    drop(folder);
}

/// The intruder knows the format: leaf, hash and row agree with each other. Only the signature does not.
#[tokio::test]
async fn a_consistent_rewrite_is_found_by_the_signed_root() {
    let (_folder, database) = small_log().await;
    let mut intruder = Intruder::enter(&database).await;
    let leaf: String =
        sqlx::query_scalar("SELECT leaf FROM audit_entries WHERE seq = 1").fetch_one(&mut intruder.conn).await.unwrap();
    let forged = leaf.replace("backend", "analyst");
    assert_ne!(leaf, forged);
    let hash = audit::tree::leaf_hash(forged.as_bytes());
    sqlx::query("UPDATE audit_entries SET leaf = ?, hash = ? WHERE seq = 1")
        .bind(&forged)
        .bind(hash.to_vec())
        .execute(&mut intruder.conn)
        .await
        .unwrap();
    intruder.leave().await;
    let found = first_bad(&database).await.unwrap();
    assert_eq!((found.seq, found.what), (Some(1), "root-differs"), "{found:?}");
}

/// The intruder signs the rewritten log with a key of their own, and puts that key beside the database.
#[tokio::test]
async fn a_log_signed_by_another_key_is_not_ours() {
    let (_folder, database) = small_log().await;
    let thief = LogSigner::from_seed("test.example/log", &[66; 32]).unwrap();
    let mut intruder = Intruder::enter(&database).await;
    for table in ["audit_head", "audit_checkpoints"] {
        let rows = sqlx::query(AssertSqlSafe(format!("SELECT rowid AS place, note FROM {table}")))
            .fetch_all(&mut intruder.conn)
            .await
            .unwrap();
        for row in rows {
            let note: String = row.get("note");
            let text = &note[..=note.find("\n\n").unwrap()];
            sqlx::query(AssertSqlSafe(format!("UPDATE {table} SET note = ? WHERE rowid = ?")))
                .bind(thief.sign(text))
                .bind(row.get::<i64, _>("place"))
                .execute(&mut intruder.conn)
                .await
                .unwrap();
        }
    }
    intruder.leave().await;
    fs::remove_file(audit::checkpoint_path(&database)).unwrap();
    let found = first_bad(&database).await.unwrap();
    assert_eq!(found.what, "checkpoint-changed", "{found:?}");
    fs::write(audit::public_key_path(&database), thief.verifier().to_string()).unwrap();
    assert!(audit::verify(&database, None).await.unwrap().is_good(), "this is why the key must be given from outside");
}

/// A row is put back to what it was at an earlier, true entry.
#[tokio::test]
async fn a_row_rolled_back_to_an_earlier_truth_is_found() {
    let world = World::new().await;
    let phone = Phone::enrolled(&world.store, "u1", "c1").await;
    let world = world.reopened().await;
    let database = world.database();
    let mut intruder = Intruder::enter(&database).await;
    intruder.conn.execute("CREATE TEMP TABLE kept AS SELECT * FROM credentials").await.unwrap();
    intruder.cover().await;
    world.store.revoke_credential(&tenant(), &phone.credential.id, "key-1", at(1)).await.unwrap();
    let _folder = world.closed().await;
    assert_eq!(first_bad(&database).await, None);
    intruder.lift().await;
    sqlx::raw_sql("DELETE FROM credentials; INSERT INTO credentials SELECT * FROM kept")
        .execute(&mut intruder.conn)
        .await
        .unwrap();
    intruder.leave().await;
    let found = first_bad(&database).await.unwrap();
    assert_eq!((found.seq, found.what, found.id.as_deref()), (Some(1), "row-rolled-back", Some("credentials/c1")));
}

/// One bit anywhere in the file: either nothing that the tables say has changed, or it is found.
#[tokio::test]
async fn a_flipped_bit_in_the_file_is_found_where_it_means_something() {
    let (folder, database) = small_log().await;
    let original = fs::read(&database).unwrap();
    let truth = everything(&database).await.unwrap();
    let flips: usize = std::env::var("STEPUP_FLIPS").ok().and_then(|flips| flips.parse().ok()).unwrap_or(250);
    // A fixed walk over what is not empty space; its stride meets every part of the file.
    let written: Vec<usize> = (0..original.len()).filter(|at| original[*at] != 0).collect();
    let stride = written.len() / flips + 1;
    let mut meant = 0;
    for flip in 0..flips {
        let at = written[(flip * stride + flip) % written.len()];
        let mut bytes = original.clone();
        bytes[at] ^= 1 << (flip % 8);
        put_back(&database, &bytes);
        let said = everything(&database).await;
        let verified = tokio::time::timeout(std::time::Duration::from_secs(60), first_bad(&database)).await;
        let found = verified.unwrap_or_else(|_| panic!("byte {at} bit {} makes the verifier wait for ever", flip % 8));
        if said.as_ref() != Some(&truth) {
            meant += 1;
            assert!(found.is_some(), "byte {at} bit {} goes unnoticed", flip % 8);
        }
    }
    assert!(meant > flips / 4, "{meant} of {flips} flips changed what the tables say");
    put_back(&database, &original);
    assert_eq!(first_bad(&database).await, None);
    drop(folder);
}

/// What all tables say, or `None` if they cannot be read.
///
/// A column name that is no UTF-8 kills the driver's thread, and nobody answers any more. The verifier is spared that: it
/// compares the schema's text before it asks a table.
async fn everything(database: &Path) -> Option<Vec<String>> {
    tokio::time::timeout(std::time::Duration::from_secs(5), read_everything(database)).await.ok().flatten()
}

async fn read_everything(database: &Path) -> Option<Vec<String>> {
    let mut conn = SqliteConnectOptions::new().filename(database).read_only(true).connect().await.ok()?;
    let mut said = Vec::new();
    for table in TABLES {
        let rows = sqlx::query(AssertSqlSafe(format!("SELECT * FROM {table} NOT INDEXED ORDER BY rowid")))
            .fetch_all(&mut conn)
            .await
            .ok()?;
        for row in rows {
            said.push(format!(
                "{table}: {:?}",
                (0..row.columns().len()).map(|column| value(&row, column)).collect::<Vec<_>>()
            ));
        }
    }
    conn.close().await.ok()?;
    Some(said)
}

/// Whoever takes the triggers away, or adds one, has been there.
#[tokio::test]
async fn a_changed_schema_is_found() {
    let (_folder, database) = small_log().await;
    let original = fs::read(&database).unwrap();
    for (statement, name) in [
        ("DROP TRIGGER audit_entries_stay", "`audit_entries_stay`"),
        ("DROP INDEX challenges_by_user", "`challenges_by_user`"),
        ("CREATE TABLE notes (text TEXT)", "`notes`"),
        ("CREATE TRIGGER thief AFTER INSERT ON uses BEGIN DELETE FROM uses; END", "`thief`"),
        ("ALTER TABLE users ADD COLUMN admin TEXT", "`users`"),
    ] {
        put_back(&database, &original);
        let mut conn = SqliteConnectOptions::new().filename(&database).connect().await.unwrap();
        conn.execute(statement).await.unwrap();
        conn.close().await.unwrap();
        let found = first_bad(&database).await.unwrap();
        assert_eq!((found.what, found.id.as_deref()), ("schema-changed", Some(name)), "{found:?}");
    }
}

/// The trigger that keeps the log was in the way of changing an entry; the entry is what the reviewer must be told.
#[tokio::test]
async fn an_entry_changed_after_its_trigger_was_lifted_is_named() {
    let (_folder, database) = small_log().await;
    let mut conn = SqliteConnectOptions::new().filename(&database).connect().await.unwrap();
    let triggers: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetch_all(&mut conn).await.unwrap();
    for trigger in triggers {
        conn.execute(AssertSqlSafe(format!("DROP TRIGGER {trigger}"))).await.unwrap();
    }
    conn.execute("UPDATE audit_entries SET leaf = replace(leaf, '\"kind\"', '\"Kind\"') WHERE seq = 2").await.unwrap();
    conn.close().await.unwrap();
    let found = first_bad(&database).await.unwrap();
    assert_eq!((found.what, found.seq), ("leaf-changed", Some(2)), "{found:?}");
}

#[tokio::test]
async fn what_is_not_there_cannot_be_verified() {
    let missing = audit::verify(Path::new("/nonexistent/stepup.db"), None).await;
    assert!(matches!(missing, Err(audit::VerifyError::Missing(_))));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stepup.db");
    fs::write(&path, b"this is not a database, whatever its name says").unwrap();
    let report = audit::verify(&path, None).await.unwrap();
    assert_eq!(report.first_bad.unwrap().what, "database-unreadable");
}
