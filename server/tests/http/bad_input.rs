//! A corpus of requests we refuse, each with the error it gets; and nothing has changed afterwards.

use std::path::Path;

use axum::body::Body;
use serde::Deserialize;
use serde_json::Value;

use crate::support::{ADMIN, ANALYST, BACKEND, FOREIGN, REVIEWER, World, basic, request};

/// One request and its refusal.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// What is wrong with it.
    name: String,
    #[serde(default = "post")]
    method: String,
    path: String,
    /// Whose secret: `backend` (default), `analyst`, `reviewer`, `admin`, `foreign`, `none`, or the header as it is.
    #[serde(default = "backend")]
    auth: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// A JSON body.
    #[serde(default)]
    body: Option<Value>,
    /// A body as it is.
    #[serde(default)]
    raw: Option<String>,
    /// A body of this many bytes.
    #[serde(default)]
    bytes: Option<usize>,
    status: u16,
    error: String,
    /// The problem's slug.
    problem: String,
    #[serde(default)]
    pointer: Option<String>,
    /// The code of the first entry of `errors`.
    #[serde(default)]
    code: Option<String>,
    /// Words that the description contains.
    #[serde(default)]
    says: Option<String>,
}

fn post() -> String {
    "POST".to_owned()
}

fn backend() -> String {
    "backend".to_owned()
}

fn rows() -> Vec<(String, Row)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/http");
    let mut rows = Vec::new();
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a corpus file");
        let of_file: Vec<Row> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let stem = file.file_stem().expect("a name").to_string_lossy().into_owned();
        rows.extend(of_file.into_iter().map(|row| (stem.clone(), row)));
    }
    rows
}

async fn send(world: &World, row: &Row) -> crate::support::Reply {
    let mut builder = request(&row.method, &row.path);
    let secret = match row.auth.as_str() {
        "backend" => Some(BACKEND),
        "analyst" => Some(ANALYST),
        "reviewer" => Some(REVIEWER),
        "admin" => Some(ADMIN),
        "foreign" => Some(FOREIGN),
        _ => None,
    };
    match secret {
        Some(secret) => builder = builder.header("authorization", basic(secret)),
        None if row.auth == "none" => {}
        None => builder = builder.header("authorization", &row.auth),
    }
    if !row.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        builder = builder.header("content-type", "application/json");
    }
    for (name, value) in &row.headers {
        builder = builder.header(name, value);
    }
    let body = match (&row.body, &row.raw, row.bytes) {
        (Some(body), None, None) => Body::from(body.to_string()),
        (None, Some(raw), None) => Body::from(raw.clone()),
        (None, None, Some(bytes)) => {
            Body::from(format!("{{\"deviceId\":\"{}\"}}", "x".repeat(bytes.saturating_sub(15))))
        }
        _ => Body::empty(),
    };
    world.send(builder.body(body).expect("a request")).await
}

#[tokio::test]
async fn each_bad_request_gets_its_refusal_and_changes_nothing() {
    let world = World::starter().await;
    let taken =
        serde_json::json!({"idempotencyKey": "taken", "ipAddress": "81.2.69.142", "custom": {"outcome": "failed"}});
    let taken = world.post("/v1/users/ada/actions/signIn", taken).await.ok();
    let decision = taken["decisionId"].as_str().expect("an id");
    let rows = rows();
    assert!(rows.len() >= 60, "the corpus has {} rows", rows.len());

    // What `/openapi.json` says that every refusal has.
    let api = world.get("/openapi.json").await.ok();
    let refusal = &api["components"]["schemas"]["Refusal"];
    let members: Vec<&str> = refusal["required"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
    assert_eq!(members.len(), 9);
    let known =
        |name: &str, word: &Value| refusal["properties"][name]["enum"].as_array().expect("words").contains(word);

    let before = world.entries().await;
    let mut wrong = Vec::new();
    for (file, mut row) in rows {
        row.path = row.path.replace("{decision}", decision);
        let reply = send(&world, &row).await;
        let body = &reply.body;
        let text = |name: &str| body[name].as_str().unwrap_or("").to_owned();
        let issue = |name: &str| body["errors"][0][name].as_str().map(str::to_owned);
        let status = u64::from(row.status);
        let holds = [
            reply.status.as_u16() == row.status,
            reply.header("content-type") == "application/json",
            text("error") == row.error && text("errorCode") == row.error,
            !text("errorDescription").is_empty() && text("detail") == text("errorDescription"),
            text("type") == format!("urn:stepup:problem:{}", row.problem),
            body["status"].as_u64() == Some(status),
            text("instance").starts_with("urn:uuid:") && text("instance").ends_with(reply.header("x-request-id")),
            members.iter().all(|member| body.get(*member).is_some()),
            known("error", &body["error"]) && known("type", &body["type"]),
            row.pointer.is_none() || issue("pointer") == row.pointer,
            row.code.is_none() || issue("code") == row.code,
            row.says.as_ref().is_none_or(|words| text("errorDescription").contains(words.as_str())),
            world.entries().await == before,
        ];
        if holds.contains(&false) {
            wrong.push(format!("{file}: {}\n  {holds:?}\n  {} {body}", row.name, reply.status));
        }
    }
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
