//! `GET /openapi.json`: this API for machines.

use std::collections::BTreeSet;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::app::App;
use crate::error::Problem;
use crate::http::params::MOST_ON_A_PAGE;
use crate::http::{
    actions, authenticators, challenges, client, decisions, devices, lists, policies, resets, sessions, terminals,
    users, validate, webhooks,
};

mod answers;
mod examples;

#[derive(OpenApi)]
#[openapi(
    info(title = "Stepup", description = "Policy-driven step-up authentication: track an action, get allow, challenge or block."),
    servers((url = "/v1")),
    security(("secret" = [])),
    paths(
        actions::track, actions::read, actions::update, actions::list, validate::read, devices::list, devices::remember, devices::invalidate, sessions::create, sessions::validate,
        sessions::refresh, sessions::revoke, sessions::revoke_all, users::read, users::update,
        users::delete, users::list, resets::reset, terminals::list, terminals::read, terminals::register, terminals::revoke, authenticators::list, authenticators::enrol, authenticators::remove,
        challenges::by_query, decisions::read, decisions::list, policies::evaluate, policies::in_force,
        policies::read, policies::check, lists::read, lists::add, lists::remove, webhooks::list, webhooks::dead_letters,
        webhooks::redeliver,
    ),
    nest((path = "/client", api = client::ClientApi))
)]
struct Api;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/openapi.json", get(document))
}

async fn document() -> Json<Value> {
    Json(openapi())
}

fn openapi() -> Value {
    let mut api = Api::openapi();
    let mut components = api.components.take().unwrap_or_default();
    let told = [
        ("secret", HttpAuthScheme::Basic, "backends: an API secret as the name, no password"),
        ("tenant", HttpAuthScheme::Basic, "screens and phones: the tenant's id as the name, no password"),
        ("token", HttpAuthScheme::Bearer, "screens and phones: the token of `track`, or of a fresh approval"),
    ];
    for (name, scheme, what) in told {
        let http = HttpBuilder::new().scheme(scheme).description(Some(what)).build();
        components.add_security_scheme(name, SecurityScheme::Http(http));
    }
    api.components = Some(components);
    let problems: Vec<String> = Problem::ALL
        .iter()
        .map(|problem| {
            let entry = problem.entry();
            format!("- `{}` {}: {} (`{}`)", entry.slug, entry.status.as_u16(), entry.title, entry.code)
        })
        .collect();
    let intro = api.info.description.unwrap_or_default();
    api.info.description = Some(format!("{intro}\n\nEvery refusal is one of:\n{}", problems.join("\n")));
    // Made of texts and lists: it always has a JSON form.
    let mut api = serde_json::to_value(api).unwrap_or_default();
    name_operations(&mut api);
    answers::write(&mut api);
    examples::write(&mut api);
    say_how_refusals_look(&mut api);
    api
}

/// Names each operation by its method and path, `getUsersByUserIdActions`: generators make a method of it, so no two have one name.
/// Pages have one size everywhere.
fn name_operations(api: &mut Value) {
    let paths = api.get_mut("paths").and_then(Value::as_object_mut).into_iter().flatten();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object_mut().into_iter().flatten() {
            operation["operationId"] = json!(operation_id(method, path));
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten();
            for limit in parameters.filter(|parameter| parameter["name"] == "limit") {
                limit["schema"] = json!({"type": "integer", "minimum": 1, "maximum": MOST_ON_A_PAGE});
            }
        }
    }
}

fn operation_id(method: &str, path: &str) -> String {
    let mut id = method.to_owned();
    for part in path.split(['/', '-', '.', '_']).filter(|part| !part.is_empty()) {
        let name = part.trim_matches(['{', '}']);
        id.push_str(if name == part { "" } else { "By" });
        let mut letters = name.chars();
        id.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        id.push_str(letters.as_str());
    }
    id
}

/// Gives every operation its refusals: those that it names, and whatever else may be wrong.
fn say_how_refusals_look(api: &mut Value) {
    let text = || json!({"type": "string"});
    let issue = json!({
        "type": "object",
        "required": ["pointer", "code", "detail"],
        "properties": {"pointer": text(), "code": text(), "detail": text()},
    });
    let slugs: Vec<String> = Problem::ALL.iter().map(|problem| problem.type_uri()).collect();
    let codes: BTreeSet<&str> = Problem::ALL.iter().map(|problem| problem.entry().code).collect();
    let mut members = Map::new();
    for name in ["error", "errorCode"] {
        members.insert(name.into(), json!({"type": "string", "enum": codes}));
    }
    members.insert("type".into(), json!({"type": "string", "enum": slugs}));
    members.insert("status".into(), json!({"type": "integer"}));
    members.insert("errors".into(), json!({"type": "array", "items": issue}));
    for name in ["errorDescription", "title", "detail", "instance"] {
        members.insert(name.into(), text());
    }
    let required: Vec<&String> = members.keys().collect();
    api["components"]["schemas"]["Refusal"] = json!({
        "type": "object",
        "description": "the wire's three members and those of RFC 9457; some refusals have more, such as `attemptsLeft`",
        "required": required,
        "properties": members,
    });
    let content = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}});
    let paths = api.get_mut("paths").and_then(Value::as_object_mut).into_iter().flatten();
    let operations = paths.flat_map(|(_, methods)| methods.as_object_mut().into_iter().flatten());
    for (_, operation) in operations {
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { continue };
        responses.insert("default".into(), json!({"description": "a refusal"}));
        for (status, response) in responses.iter_mut().filter(|(status, _)| *status != "200") {
            debug_assert!(!status.starts_with('2'), "only 200 is success here");
            response["content"] = content.clone();
        }
    }
}
