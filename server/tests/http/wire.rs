//! The constraints that published SDKs put on every answer (`docs`: the wire's hard constraints).

use axum::body::Body;
use serde_json::{Value, json};
use server::auth::{Right, Role};

use crate::support::{ADMIN, ANALYST, BACKEND, REVIEWER, World, basic, request};

#[tokio::test]
async fn the_content_type_is_bare_even_on_refusals() {
    let world = World::starter().await;
    for (method, path) in
        [("GET", "/v1/users/u1"), ("GET", "/v1/nothing"), ("PUT", "/v1/users/u1"), ("DELETE", "/v1/users/u1")]
    {
        let reply = world.call(method, path, Value::Null).await;
        assert_eq!(reply.header("content-type"), "application/json", "{method} {path}");
        assert!(reply.body.is_object());
    }
}

#[tokio::test]
async fn an_empty_body_is_an_empty_object_with_and_without_a_type() {
    let world = World::with_rules("event ping {}\npolicy p on ping { default allow }").await;
    for headers in [&[("content-type", "application/json")][..], &[("content-type", "text/plain")], &[]] {
        let mut builder = request("POST", "/v1/users/u1/actions/ping").header("authorization", basic(BACKEND));
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        assert_eq!(world.send(builder.body(Body::empty()).expect("a request")).await.ok()["state"], "ALLOW");
    }
    // Go's SDK sends null for what it was not given.
    let body = json!({"redirectToSettings": null, "custom": null, "idempotencyKey": null});
    world.post("/v1/users/u1/actions/ping", body).await.ok();
}

#[tokio::test]
async fn doubled_slashes_and_doubled_bases_reach_their_paths() {
    let world = World::starter().await;
    world.get("/v1//users/u1").await.ok();
    world.get("/v1/users/u1/").await.ok();
    assert_eq!(world.get("/v1/v1/challenges?challengeId=74caf39d-0000-4000-8000-000000000000").await.ok(), json!({}));
    assert_eq!(world.post("/v1/challenges", json!({"userId": "u1"})).await.ok(), json!({}));
}

#[tokio::test]
async fn user_ids_may_be_encoded_or_raw() {
    let world = World::with_rules("event ping {}\npolicy p on ping { default allow }").await;
    for (path, user) in [
        ("auth0|a%20b", "auth0|a b"),
        ("auth0%7Ca%20b", "auth0|a b"),
        ("a%2Fb", "a/b"),
        ("%E2%9C%93", "✓"),
        ("a+b", "a+b"),
        ("100%25", "100%"),
    ] {
        let answer = world.post(&format!("/v1/users/{path}/actions/ping"), json!({})).await.ok();
        let id = answer["decisionId"].as_str().expect("an id");
        assert_eq!(world.get(&format!("/v1/decisions/{id}")).await.ok()["userId"], user);
        assert_eq!(world.get(&format!("/v1/users/{path}")).await.ok()["userId"], user);
    }
}

#[tokio::test]
async fn a_wrong_method_says_which_are_right() {
    let world = World::starter().await;
    let reply = world.call("PUT", "/v1/users/u1", json!({})).await;
    let allow = reply.header("allow").to_owned();
    reply.refused(405, "method_not_allowed");
    for method in ["GET", "PATCH", "POST", "DELETE"] {
        assert!(allow.contains(method), "{allow}");
    }
}

#[tokio::test]
async fn whoever_runs_the_service_can_see_how_it_is() {
    let world = World::starter().await;
    let open = |path: &str| world.send(request("GET", path).body(Body::empty()).expect("a request"));
    assert_eq!(open("/healthz").await.ok(), json!({"status": "alive"}));
    let ready = open("/readyz").await.ok();
    assert_eq!((&ready["status"], &ready["policies"]["failedReloads"]), (&json!("ready"), &json!(0)));
    let api = open("/openapi.json").await.ok();
    assert_eq!(
        api["paths"]["/users/{userId}/actions/{action}"]["post"]["operationId"],
        "postUsersByUserIdActionsByAction"
    );
    let operations =
        api["paths"].as_object().into_iter().flatten().flat_map(|(_, methods)| methods.as_object()).flatten();
    let ids: Vec<&str> = operations.filter_map(|(_, operation)| operation["operationId"].as_str()).collect();
    let different: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
    assert!(ids.len() > 50 && different.len() == ids.len(), "{ids:?}");
    assert_eq!(open("/docs").await.header("content-type"), "text/html; charset=utf-8");
    world.post("/v1/users/u1/actions/signIn", json!({"ipAddress": "8.8.8.8", "outcome": "failed"})).await.ok();
    let metrics = open("/metrics").await;
    let text = metrics.body.as_str().expect("text").to_owned();
    assert!(
        text.contains("stepup_decisions_total") && text.contains("route=\"/v1/users/{user}/actions/{action}\""),
        "{text}"
    );
    assert!(!text.contains("u1\""), "metrics name routes, not people");
}

/// Where an operation of the description is, with the examples of its parameters.
fn address_of(path: &str, operation: &Value) -> String {
    let mut address = format!("/v1{path}");
    let mut query = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let (name, example) = (parameter["name"].as_str().expect("a name"), &parameter["example"]);
        let text = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
        match parameter["in"].as_str() {
            Some("path") => address = address.replace(&format!("{{{name}}}"), &text),
            Some("query") if !example.is_null() => query.push(format!("{name}={text}")),
            _ => {}
        }
    }
    if !query.is_empty() {
        address = format!("{address}?{}", query.join("&"));
    }
    address
}

#[tokio::test]
async fn every_example_of_the_description_is_read() {
    let world = World::starter().await;
    let api = world.get("/openapi.json").await.ok();
    let mut wrong = Vec::new();
    for (path, methods) in api["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let address = address_of(path, operation);
            let client = path.starts_with("/client");
            let secret = if client { "YWNtZQ==".to_owned() } else { basic(ADMIN)[6..].to_owned() };
            let body = &operation["requestBody"]["content"]["application/json"]["example"];
            let asked = request(&method.to_uppercase(), &address)
                .header("authorization", format!("Basic {secret}"))
                .header("content-type", "application/json")
                .body(if body.is_null() { Body::empty() } else { Body::from(body.to_string()) });
            let reply = world.send(asked.expect("a request")).await;
            let problem = reply.body["type"].as_str().unwrap_or_default();
            let misread = [
                "malformed",
                "invalid-field",
                "invalid-event",
                "unknown-action",
                "invalid-public-key",
                "invalid-challenge-id",
            ];
            if misread.iter().any(|slug| problem.contains(slug))
                || reply.status.is_server_error()
                || reply.status == 405
            {
                wrong.push(format!("{method} {address}: {} {}", reply.status, reply.body));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a caller must be allowed for an operation of the server API.
fn needed(method: &str, path: &str) -> Right {
    match (method, path) {
        (_, path) if path.starts_with("/webhooks") || path.ends_with("/reset") => Right::Administer,
        ("put" | "delete", "/terminals/{terminalId}") => Right::Administer,
        ("post" | "delete", "/lists/{list}/entries") => Right::Govern,
        ("post", "/evaluate" | "/policies/check") => Right::Try,
        ("get", _) => Right::Read,
        _ => Right::Operate,
    }
}

#[tokio::test]
async fn a_role_may_at_every_endpoint_what_it_is_for_and_no_more() {
    let world = World::starter().await;
    let api = world.get("/openapi.json").await.ok();
    let mut wrong = Vec::new();
    for (path, methods) in api["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            // Phones and screens have no role.
            if path.starts_with("/client") {
                continue;
            }
            let body = operation["requestBody"]["content"]["application/json"]["example"].clone();
            for (secret, role) in
                [(BACKEND, Role::Backend), (ANALYST, Role::Analyst), (REVIEWER, Role::Reviewer), (ADMIN, Role::Admin)]
            {
                let address = address_of(path, operation);
                let reply = world.call_as(secret, &method.to_uppercase(), &address, body.clone()).await;
                let may = role.has(needed(method, path));
                if may == (reply.body["error"] == "forbidden") {
                    wrong.push(format!("{} at {method} {path}: {}", role.as_str(), reply.body));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
