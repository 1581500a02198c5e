//! Rules from outside: which are in force, what would they say, does this pack compile.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use challenge::{ActionCode, UserId};
use engine::pack::PackSource;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::auth::{Caller, Right};
use crate::decode::Target;
use crate::error::ApiError;
use crate::http::body::{self, JsonObject};
use crate::http::params::Ids;
use crate::json::{self, Fields};
use crate::pipeline;

/// Largest pack that can be sent for checking, in bytes of its JSON form.
const MAX_PACK: usize = 1024 * 1024;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/evaluate", post(evaluate))
        .route("/v1/policies", get(in_force))
        .route("/v1/policies/check", post(check))
        .route("/v1/policies/{policyVersion}", get(read))
}

/// `POST /v1/evaluate`: what would the rules say to this event? Nothing is stored and nothing is counted.
#[utoipa::path(post, path = "/evaluate", tag = "policies",
    request_body(content = Object, description = "`{action, userId, …}` and the fields of `track`"),
    responses((status = 200, description = "the decision there would be, with its trace", body = Object)))]
pub(super) async fn evaluate(
    State(app): State<App>,
    caller: Caller,
    JsonObject(mut body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Try)?;
    let mut fields = Fields::of(&body);
    let action = fields.required_text("action", 100);
    let user = fields.required_text("userId", 255);
    fields.finish()?;
    let action = ActionCode::parse(action).map_err(|_| {
        ApiError::field("/action", "invalid", "expected 1 to 100 of the characters A-Z a-z 0-9 . _ : -")
    })?;
    let user = UserId::parse(user)
        .map_err(|_| ApiError::field("/userId", "invalid", "expected 1 to 255 bytes without control characters"))?;
    body.remove("action");
    body.remove("userId");
    let target = Target { tenant: caller.tenant, user, action };
    pipeline::rehearse(&app, target, &body).await.map(|answer| Json(Value::Object(answer)))
}

/// `GET /v1/policies`: the pack in force, what it knows, and whether the last reload failed.
#[utoipa::path(get, path = "/policies", tag = "policies",
    responses((status = 200, description = "the pack in force", body = Object)))]
pub(super) async fn in_force(State(app): State<App>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Read)?;
    let policies = app.policies.of(&caller.tenant);
    let program = policies.program();
    let actions: Vec<Value> = program
        .actions()
        .into_iter()
        .map(|action| {
            let fields: Vec<Value> = action
                .fields
                .iter()
                .map(|field| {
                    json!({"name": &*field.name, "type": field.ty, "required": field.required, "pii": field.pii})
                })
                .collect();
            json!({"name": &*action.name, "aliases": texts(&action.aliases), "requires": texts(&action.requires), "fields": fields})
        })
        .collect();
    let list: Vec<Value> = program
        .policies()
        .into_iter()
        .map(|policy| {
            json!({"name": &*policy.name, "actions": texts(&policy.actions), "owner": policy.owner.as_deref(), "rules": texts(&policy.rules)})
        })
        .collect();
    let lists: Vec<Value> =
        program.managed_lists().map(|(name, element)| json!({"name": name, "element": element.to_string()})).collect();
    let mut body = json!({
        "version": program.version(),
        "name": policies.name(),
        "actions": actions,
        "policies": list,
        "lists": lists,
    });
    if let Some(failure) = policies.failure() {
        body["reloadFailure"] = json!({"at": failure.at.to_string(), "report": failure.report});
    }
    Ok(Json(body))
}

fn texts(names: &[std::sync::Arc<str>]) -> Vec<&str> {
    names.iter().map(|name| &**name).collect()
}

/// `GET /v1/policies/{policyVersion}`: the text of a pack that is in force or was, byte by byte what its decisions were made by.
#[utoipa::path(get, path = "/policies/{policyVersion}", tag = "policies", params(("policyVersion" = String, Path)),
    responses((status = 200, description = "the files of the pack; what is no UTF-8 is in `binary`, as base64", body = Object),
        (status = 404, description = "no pack of this version was ever in force")))]
pub(super) async fn read(State(app): State<App>, caller: Caller, ids: Ids) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Read)?;
    let version = ids.text("policyVersion");
    let pack = pipeline::archived(&app, &caller.tenant, version).await?;
    let pack = pack.ok_or_else(|| ApiError::not_found("version of the policies"))?;
    let (mut files, mut binary) = (Map::new(), Map::new());
    for (path, bytes) in pack.files {
        match String::from_utf8(bytes) {
            Ok(text) => files.insert(path, text.into()),
            Err(error) => binary.insert(path, STANDARD.encode(error.as_bytes()).into()),
        };
    }
    let in_force = app.policies.of(&caller.tenant).program().version() == version;
    let mut body = json!({"version": version, "inForce": in_force, "files": files});
    if !binary.is_empty() {
        body["binary"] = binary.into();
    }
    Ok(Json(body))
}

/// `POST /v1/policies/check`: compiles a pack and says what is wrong with it. Nothing is put into force.
#[utoipa::path(post, path = "/policies/check", tag = "policies",
    request_body(content = Object, description = "`{files: {path: text}}`, or `{source: text}` for a single file"),
    responses((status = 200, description = "whether the pack compiles, and what was found", body = Object)))]
pub(super) async fn check(State(app): State<App>, caller: Caller, request: Request) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Try)?;
    let (parts, stream) = request.into_parts();
    let bytes = body::read(&parts.headers, stream, MAX_PACK, &app).await?;
    let pack = pack(&json::object(&bytes)?)?;
    let checked = tokio::task::spawn_blocking(move || {
        let compilation = engine::compile(&pack);
        let rendered = grammar::diagnostic::render_text(&compilation.diagnostics, &compilation.sources, false);
        let list = grammar::diagnostic::render_json(&compilation.diagnostics, &compilation.sources);
        let version = compilation.program.as_ref().map(|program| program.version().to_owned());
        (version, list, rendered)
    })
    .await
    .map_err(ApiError::internal)?;
    let (version, list, rendered) = checked;
    let diagnostics: Value = serde_json::from_str(&list).map_err(ApiError::internal)?;
    Ok(Json(json!({"ok": version.is_some(), "version": version, "diagnostics": diagnostics, "text": rendered})))
}

fn pack(body: &Map<String, Value>) -> Result<PackSource, ApiError> {
    let mut fields = Fields::of(body);
    fields.only(&["source", "files"]);
    let mut files = BTreeMap::new();
    if let Some(source) = fields.value("source") {
        match source {
            Value::String(text) => drop(files.insert("pack.rules".to_owned(), text.clone().into_bytes())),
            other => fields.issue("source", "wrong-type", format!("expected text, got {}", json::kind(other))),
        }
    }
    for (path, content) in fields.object("files").into_iter().flatten() {
        match content {
            Value::String(text) => drop(files.insert(path.clone(), text.clone().into_bytes())),
            other => {
                fields.issue_within("files", path, "wrong-type", format!("expected text, got {}", json::kind(other)))
            }
        }
    }
    if files.is_empty() {
        fields.issue("files", "missing-field", "give `files` (path to text) or `source` (one file's text)");
    }
    fields.finish()?;
    Ok(PackSource { name: "checked".to_owned(), files })
}
