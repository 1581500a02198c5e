//! The audit log of a demo that was really used: it verifies, and one changed cell is found and named.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use support::phone::Phone;
use support::service::{Api, Caller, Service};
use support::{Run, binary};
use tempfile::TempDir;

/// A stopped demo that tracked, enrolled, challenged and validated.
struct Used {
    folder: TempDir,
    demo: Value,
    /// A decision that was challenged and approved.
    decision: String,
}

impl Used {
    fn data(&self) -> PathBuf {
        self.folder.path().join("stepup-data")
    }
}

async fn used() -> Used {
    let folder = tempfile::tempdir().expect("a folder");
    let mut service = Service::start(folder.path(), &["demo", "--port", "0"]);
    let log = folder.path().join("stdout.log");
    service.until(|| std::fs::read_to_string(&log).ok().filter(|said| said.contains("Stop with Ctrl-C")));
    let demo = std::fs::read(folder.path().join("stepup-data/demo.json")).expect("demo.json");
    let demo: Value = serde_json::from_slice(&demo).expect("JSON");
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_else(|| panic!("{name}: {value}")).to_owned();
    let api = Api::new(text(&demo, "baseUrl"));
    let (secret, tenant) = (text(&demo, "apiSecret"), text(&demo, "tenantId"));
    let post = async |path: &str, caller: Caller<'_>, body: Value| {
        api.post(path, caller, &body).await.expect("an answer").ok()
    };

    for outcome in ["succeeded", "failed", "failed"] {
        let body = json!({"ipAddress": "81.2.69.142", "deviceId": "d1", "custom": {"outcome": outcome}});
        post("/users/ann/actions/sign_in", Caller::Secret(&secret), body).await;
    }
    let body = json!({"ipAddress": "203.0.113.66", "custom": {"outcome": "succeeded"}});
    post("/users/bob/actions/sign_in", Caller::Secret(&secret), body).await;
    let body = json!({"ipAddress": "81.2.69.142", "deviceId": "phone", "scope": "add:authenticators"});
    let enrolment = post("/users/ann/actions/device_enrol", Caller::Secret(&secret), body).await;
    let phone = Phone::new(&api, &tenant);
    phone.enrol(&text(&enrolment, "token")).await.expect("an answer").ok();
    post("/users/ann", Caller::Secret(&secret), json!({"email": "ann@example.com", "displayName": "Ann"})).await;
    let custom = json!({"amount": {"value": "25.00", "currency": "EUR"}, "payee": "p1"});
    let body = json!({"ipAddress": "81.2.69.142", "deviceId": "d1", "custom": custom});
    let tracked = post("/users/ann/actions/withdrawal", Caller::Secret(&secret), body).await;
    let token = text(&tracked, "token");
    let opened = post("/client/challenge/qr-code", Caller::Token(&token), json!({"action": "withdrawal"})).await;
    let challenge = text(&opened, "challengeId");
    phone.claim(&challenge).await.expect("an answer").ok();
    phone.answer(&challenge, true).await.expect("an answer").ok();
    let body = json!({"challengeId": challenge, "deviceCode": opened["deviceCode"]});
    let polled = post("/client/verify/qr-code", Caller::Tenant(&tenant), body).await;
    let validated = post("/validate", Caller::Secret(&secret), json!({"token": polled["accessToken"]})).await;
    assert_eq!(validated["isValid"], json!(true), "{validated}");
    assert_eq!(service.stop().code(), Some(0));
    let decision = text(&tracked, "decisionId");
    Used { folder, demo, decision }
}

/// `audit verify` and its exit code.
fn verify(data: &Path) -> (i32, Value) {
    let ran = Command::new(binary()).args(["audit", "verify", "--format", "json", "--data"]).arg(data).output();
    let ran = ran.expect("the binary runs");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let report = serde_json::from_str(&said)
        .unwrap_or_else(|_| panic!("not JSON: {said}{}", String::from_utf8_lossy(&ran.stderr)));
    (ran.status.code().expect("a code"), report)
}

#[tokio::test]
async fn a_used_demo_verifies_and_every_changed_cell_is_found() {
    let used = used().await;
    let (code, report) = verify(&used.data());
    assert_eq!((code, &report["firstBad"]), (0, &json!(null)), "{report}");
    assert!(report["entries"].as_u64() > Some(10), "{report}");

    pinned_keys_decide(&used);
    entries_can_be_read(&used);

    // Each of these is one byte in one cell; `expected` is the number of the entry that must be named, where one must.
    let cells = [
        ("audit_entries", "leaf", true),
        ("audit_entries", "hash", true),
        ("documents", "event", true),
        ("documents", "record", true),
        ("documents", "event_salt", true),
        ("decisions", "outcome", true),
        ("decisions", "answer", true),
        ("decisions", "body_hash", true),
        ("challenges", "state", true),
        ("challenges", "frozen", true),
        ("credentials", "public_key", true),
        ("credentials", "salt", true),
        ("uses", "used_by", true),
        ("users", "user", true),
        ("api_keys", "role", true),
        ("api_keys", "hash", true),
        ("packs", "archive", true),
        ("audit_checkpoints", "note", false),
        ("audit_head", "note", false),
    ];
    for (table, column, names_entry) in cells {
        let copy = tempfile::tempdir().expect("a folder");
        for file in ["stepup.db", "audit.checkpoint", "audit.pub"] {
            std::fs::copy(used.data().join(file), copy.path().join(file)).expect("a copy");
        }
        change_one_byte(&copy.path().join("stepup.db"), table, column).await;
        let (code, report) = verify(copy.path());
        let bad = &report["firstBad"];
        assert_eq!(code, 4, "a change of {table}.{column} went unnoticed: {report}");
        assert!(bad["what"].is_string() && bad["expected"] != bad["found"], "{table}.{column}: {report}");
        assert!(!names_entry || bad["seq"].is_u64(), "{table}.{column}: no entry is named: {report}");
        let said = Run::new("audit verify --data").arg(copy.path()).exit(4).run();
        said.says(&["BAD: ", "first bad: ", "expected: ", "found: "]);
    }
}

fn pinned_keys_decide(used: &Used) {
    let key = used.demo["auditPublicKey"].as_str().expect("a key");
    let verify = |key: &str| Run::new("audit verify --key").arg(key).arg("--data").arg(used.data());
    verify(key).run().says(&["good: ", "(given)"]);
    let file = used.folder.path().join("log.pub");
    std::fs::write(&file, format!("{key}\n")).expect("written");
    verify(&file.display().to_string()).run().says(&["good: ", "(given)"]);
    // Without any key a log agrees with itself, as a forged one may.
    let alone = tempfile::tempdir().expect("a folder");
    std::fs::copy(used.data().join("stepup.db"), alone.path().join("stepup.db")).expect("a copy");
    let said = Run::new("audit verify --data").arg(alone.path()).exit(4).run();
    said.says(&["NOT PROVEN: ", "agree with each other", "signatures were not checked"]);
    Run::new("audit verify --key").arg(key).arg("--data").arg(alone.path()).run().says(&["good: "]);
    // The key of another log of the same name.
    let other = Run::new("migrate --config stepup.toml")
        .file(
            "stepup.toml",
            format!("[server]\npublic_url = \"http://{}\"\n", key.split("/log+").next().expect("a name")),
        )
        .run();
    let other = std::fs::read_to_string(other.folder.path().join("audit.pub")).expect("a key");
    verify(other.trim()).exit(4).run().says(&["BAD: ", "first bad: "]);
}

fn entries_can_be_read(used: &Used) {
    let show = |id: &str| Run::new("audit show").arg(id).arg("--data").arg(used.data());
    show("0").run().says(&["entry 0: "]);
    show(&used.decision).run().says(&[": decision at ", "withdrawal", "outcome: challenge", "event:"]);
    let json = show(&used.decision).arg("--format").arg("json").run().stdout;
    let shown: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(shown["entries"][0]["leaf"]["kind"], json!("decision"), "{shown}");
    show("999999").exit(1).stdout("").run().complains(&["has no entry `999999`"]);
    // A name is a whole one, and all that happened of a kind can be had.
    for part in ["decis", &used.decision[..8]] {
        show(part).exit(1).stdout("").run().complains(&["has no entry"]);
    }
    let of_kind = |limit: &str| {
        let json = show("decision").arg("--limit").arg(limit).arg("--format").arg("json").run().stdout;
        serde_json::from_str::<Value>(&json).expect("JSON")
    };
    let all = of_kind("100");
    assert!(all["entries"].as_array().is_some_and(|all| all.len() > 1) && all["more"] == json!(false), "{all}");
    let one = of_kind("1");
    assert_eq!((&one["entries"][0], one["entries"].as_array().map(Vec::len)), (&all["entries"][0], Some(1)));
    assert_eq!(one["more"], json!(true));
    show("decision").arg("--limit").arg("1").run().says(&["There are more: `--limit 2`"]);
    show("no-such-id").exit(1).stdout("").run().complains(&["has no entry `no-such-id`"]);
}

/// Changes one byte of the last row's cell. Triggers that forbid it are taken away and put back as they were.
async fn change_one_byte(database: &Path, table: &str, column: &str) {
    let options = SqliteConnectOptions::new().filename(database).journal_mode(SqliteJournalMode::Wal);
    let mut conn = options.connect().await.expect("the database opens");
    let triggers =
        sqlx::query("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ? ORDER BY name")
            .bind(table)
            .fetch_all(&mut conn)
            .await
            .expect("the schema");
    let triggers: Vec<(String, String)> = triggers.iter().map(|row| (row.get("name"), row.get("sql"))).collect();
    for (name, _) in &triggers {
        run(&mut conn, format!("DROP TRIGGER {name}")).await;
    }
    let place = format!("WHERE rowid = (SELECT max(rowid) FROM {table} WHERE length({column}) > 1)");
    let row = sqlx::query(AssertSqlSafe(format!(
        "SELECT typeof({column}) AS kind, CAST({column} AS BLOB) AS bytes FROM {table} {place}"
    )))
    .fetch_one(&mut conn)
    .await
    .unwrap_or_else(|error| panic!("{table}.{column} has no value to change: {error}"));
    let (kind, mut bytes): (String, Vec<u8>) = (row.get("kind"), row.get("bytes"));
    // In the middle, and another ASCII letter or digit where one is, so that text stays text.
    let middle = bytes.len() / 2;
    bytes[middle] = if bytes[middle].is_ascii() && kind == "text" { bytes[middle] ^ 1 } else { bytes[middle] ^ 0x10 };
    let changed = sqlx::query(AssertSqlSafe(format!("UPDATE {table} SET {column} = CAST(? AS {kind}) {place}")))
        .bind(bytes)
        .execute(&mut conn)
        .await
        .expect("the cell is changed");
    assert_eq!(changed.rows_affected(), 1);
    for (_, sql) in triggers {
        run(&mut conn, sql).await;
    }
    conn.close().await.expect("closed");
}

async fn run(conn: &mut SqliteConnection, sql: String) {
    sqlx::query(AssertSqlSafe(sql)).execute(conn).await.expect("it runs");
}
