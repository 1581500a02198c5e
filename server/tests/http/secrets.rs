//! What must stay secret is in no log line, no metric and no refusal (T-53).

use axum::body::Body;
use serde_json::json;

use crate::support::{World, log, request};

#[tokio::test]
async fn planted_canaries_never_reach_logs_or_metrics() {
    let world = World::starter().await;
    let path = "/v1/users/canary-user/actions/withdrawal";
    let body = json!({
        "idempotencyKey": "canary-key", "email": "canary-mail@example.org", "phoneNumber": "canary-phone",
        "userAgent": "canary-agent", "deviceId": "canary-device", "ipAddress": "81.2.69.142",
        "amount": "77.31 EUR", "payee": "canary-payee", "custom": {"note": "canary-note"},
    });
    let answer = world.post(path, body.clone()).await.ok();
    let token = answer["token"].as_str().expect("a token").to_owned();
    let mut other = body;
    other["payee"] = json!("canary-other");
    world.post(path, other).await.refused(409, "idempotency-conflict");
    world.post("/v1/validate", json!({"token": token})).await.ok();
    world.post(path, json!({"payee": 5, "amount": "canary-amount"})).await.refused(422, "invalid_request");
    world
        .call_as("sk_canary_wrong_secret", "GET", "/v1/users/canary-user", json!(null))
        .await
        .refused(401, "unauthorized");
    world.get("/v1/users?email=canary-mail%40example.org&token=canary-token").await;
    world.call("PATCH", "/v1/users/canary-user", json!({"email": "canary-mail@example.org"})).await.ok();
    let metrics = world.get("/metrics").await.body.to_string();

    // The log of every test so far: the more the better.
    let log = log();
    assert!(log.contains("/v1/users/{user}/actions/{action}"), "the log has request lines:\n{log}");
    let signature = token.rsplit('.').next().expect("a signature");
    for secret in ["canary", signature, "81.2.69.142", crate::support::BACKEND, "c2tfdGVzdF9iYWNrZW5k", "77.31"] {
        let leak = log.lines().find(|line| line.contains(secret));
        assert_eq!(leak, None, "`{secret}` is in the log");
        assert!(!metrics.contains(secret), "`{secret}` is in the metrics");
    }
}

/// A socket's credential travels in a header that other servers log (T-49).
#[tokio::test]
async fn what_a_socket_shows_is_in_no_log_line() {
    let world = World::starter().await;
    let body = json!({"amount": "2500 EUR", "payee": "p1"});
    let tracked = world.post("/v1/users/ada/actions/withdrawal", body).await.ok();
    let token = tracked["token"].as_str().expect("a token");
    for (credential, origin, status, code) in [
        (format!("token.{token}"), "https://evil.example", 403, "origin_refused"),
        ("tenant.acme".to_owned(), "https://evil.example", 403, "origin_refused"),
        (format!("token.{token}canary"), "http://localhost:8080", 401, "invalid_token"),
        ("tenant.canary".to_owned(), "http://localhost:8080", 401, "unauthorized"),
    ] {
        let asked = request("GET", "/ws-v1-challenge")
            .header("sec-websocket-protocol", format!("authsignal-ws,x.authsignal.{credential}"))
            .header("origin", origin)
            .body(Body::empty());
        world.send(asked.expect("a request")).await.refused(status, code);
    }
    let log = log();
    assert!(log.contains("/ws-v1-challenge"), "the log has request lines:\n{log}");
    let signature = token.rsplit('.').next().expect("a signature");
    for secret in ["canary", signature, "x.authsignal."] {
        assert_eq!(log.lines().find(|line| line.contains(secret)), None, "`{secret}` is in the log");
    }
}
