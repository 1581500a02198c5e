//! Every answer of the API, held against its own document.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock, PoisonError};

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

/// The schemas of the document, each closed: what it does not name must not be answered. One is compiled when it is first
/// wanted: each test is a process of its own, and asks for few.
pub struct Document {
    closed: Value,
    compiled: Mutex<(Schemas, BTreeMap<String, SchemaIndex>)>,
    operations: Vec<Operation>,
}

/// Method, the parts of the path, and where the schema is; empty parts stand for any.
type Operation = (String, Vec<String>, String);

static DOCUMENT: OnceLock<Document> = OnceLock::new();
static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Whether the document is still to be given.
pub fn wants_the_document() -> bool {
    DOCUMENT.get().is_none()
}

/// Takes `/openapi.json`.
pub fn take_the_document(api: &Value) {
    DOCUMENT.get_or_init(|| Document::of(api));
}

/// Checks what was answered with 200.
#[track_caller]
pub fn check(method: &str, path: &str, body: &Value) {
    match DOCUMENT.get().map(|document| document.judge(method, path, body)) {
        Some(Ok(Some(operation))) => {
            SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert(operation);
        }
        Some(Err(why)) => panic!("{method} {path} is answered otherwise than its document says: {why}\n{body:#}"),
        Some(Ok(None)) | None => {}
    }
}

impl Document {
    /// Every operation.
    pub fn of(api: &Value) -> Document {
        let mut closed = api.clone();
        closed["components"]["schemas"].as_object_mut().expect("schemas").values_mut().for_each(close);
        let mut operations = Vec::new();
        for (path, methods) in api["paths"].as_object().expect("paths") {
            for (method, _) in methods.as_object().expect("methods") {
                let pointer =
                    format!("/paths/{}/{method}/responses/200/content/application~1json/schema", escaped(path));
                let place = format!("openapi.json#{}", pointer.replace('{', "%7B").replace('}', "%7D"));
                let parts = path.trim_start_matches('/').split('/');
                let pattern = parts.map(|part| if part.starts_with('{') { String::new() } else { part.to_owned() });
                operations.push((method.to_uppercase(), pattern.collect(), place));
            }
        }
        // `/user-authenticators/recovery-code` before `/user-authenticators/{kind}`.
        operations.sort_by_key(|(_, pattern, _): &Operation| pattern.iter().filter(|part| part.is_empty()).count());
        Document { closed, compiled: Mutex::new((Schemas::new(), BTreeMap::new())), operations }
    }

    fn compile(&self, place: &str, schemas: &mut Schemas) -> SchemaIndex {
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource("openapi.json", self.closed.clone()).expect("a document");
        compiler.compile(place, schemas).expect("a schema")
    }

    /// Which operation it is, if it is one; or what is wrong with its answer. Nothing below `/client` is answered that the
    /// document does not have.
    pub fn judge(&self, method: &str, path: &str, body: &Value) -> Result<Option<String>, String> {
        let path = path.split('?').next().unwrap_or_default();
        let Some(path) = path.strip_prefix("/v1/") else { return Ok(None) };
        let Some((verb, pattern, place)) = self.operation_at(method, path) else {
            // A browser asks with `OPTIONS` first, anywhere.
            let undescribed = path.starts_with("client/") && method != "OPTIONS";
            return if undescribed { Err("there is no such operation".to_owned()) } else { Ok(None) };
        };
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let (schemas, known) = &mut *compiled;
        let schema = *known.entry(place.clone()).or_insert_with(|| self.compile(place, schemas));
        schemas.validate(body, schema).map_err(|error| format!("{error:#}"))?;
        Ok(Some(operation(verb, pattern)))
    }

    /// Packages before 2025-10 say `device` where others say `in-app` or `push`, and the document says it once.
    fn operation_at(&self, method: &str, path: &str) -> Option<&Operation> {
        let named = ["device", "in-app", "push"].map(|kind| path.replacen("/device", &format!("/{kind}"), 1));
        named.iter().find_map(|path| {
            let parts: Vec<&str> = path.split('/').collect();
            self.operations.iter().find(|(verb, pattern, _)| verb == method && fits(pattern, &parts))
        })
    }
}

fn fits(pattern: &[String], parts: &[&str]) -> bool {
    let same = |(wanted, part): (&String, &&str)| wanted.is_empty() || wanted == part;
    pattern.len() == parts.len() && pattern.iter().zip(parts).all(same)
}

/// The operations that were not answered yet in this process.
pub fn not_yet_answered() -> Vec<String> {
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let all = DOCUMENT.get().map(|document| &document.operations).into_iter().flatten();
    all.map(|(method, pattern, _)| operation(method, pattern)).filter(|operation| !seen.contains(operation)).collect()
}

fn operation(method: &str, pattern: &[String]) -> String {
    format!("{method} /{}", pattern.join("/"))
}

fn escaped(path: &str) -> String {
    path.replace('~', "~0").replace('/', "~1")
}

/// An object with named members has no others.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if members.get("properties").is_some_and(Value::is_object) && members.contains_key("type") {
                members.entry("additionalProperties").or_insert(Value::Bool(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
