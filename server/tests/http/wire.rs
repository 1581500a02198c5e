//! The constraints that published SDKs put on every answer (`docs`: the wire's hard constraints).

use axum::body::Body;
use serde_json::{Value, json};

use crate::support::{BACKEND, World, basic, request};

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
    assert!(api["paths"]["/users/{userId}/actions/{action}"]["post"].is_object());
    world.post("/v1/users/u1/actions/signIn", json!({"ipAddress": "8.8.8.8", "outcome": "failed"})).await.ok();
    let metrics = open("/metrics").await;
    let text = metrics.body.as_str().expect("text").to_owned();
    assert!(
        text.contains("stepup_decisions_total") && text.contains("route=\"/v1/users/{user}/actions/{action}\""),
        "{text}"
    );
    assert!(!text.contains("u1\""), "metrics name routes, not people");
}
