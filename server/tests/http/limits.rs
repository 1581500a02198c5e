//! Whoever asks too much is told when to come back, and nobody else notices.

use std::time::Duration;

use serde_json::{Value, json};
use server::limits::Limit;

use crate::support::{BACKEND, FOREIGN, Reply, World, basic, request, starter};

fn assert_says_when(reply: &Reply, policy: &str) {
    assert_eq!(reply.status, 429, "{:#}", reply.body);
    assert_eq!(reply.body["error"], "too_many_requests");
    assert_eq!(reply.body["type"], "urn:stepup:problem:too-many-requests");
    assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
    assert!(reply.header("ratelimit-policy").starts_with(&format!("\"{policy}\";q=")), "{:?}", reply.headers);
    assert!(reply.header("ratelimit").starts_with(&format!("\"{policy}\";r=0;t=")), "{:?}", reply.headers);
}

#[tokio::test]
async fn a_key_that_asks_too_much_gets_429_with_headers_and_nothing_is_recorded() {
    let world = World::with(|config| {
        config.policies.pack = starter();
        config.limits.key = Limit::new(60, 3);
    })
    .await;
    let ask = || world.get("/v1/users/ada");
    for left in [2, 1, 0] {
        let reply = ask().await;
        assert_eq!(reply.header("ratelimit").split(';').nth(1), Some(format!("r={left}").as_str()));
        reply.ok();
    }
    let entries = world.entries().await;
    let body = json!({"ipAddress": "81.2.69.142", "custom": {"outcome": "failed"}});
    assert_says_when(&world.post("/v1/users/ada/actions/signIn", body).await, "key");
    assert_eq!(world.entries().await, entries);
    world.call_as(FOREIGN, "GET", "/v1/users/ada", Value::Null).await.ok();
    world.clock.advance(Duration::from_secs(1));
    ask().await.ok();
}

#[tokio::test]
async fn all_keys_of_a_tenant_share_its_limit() {
    let world = World::with(|config| {
        config.policies.pack = starter();
        config.limits.tenant = Limit::new(60, 2);
    })
    .await;
    world.call_as(BACKEND, "GET", "/v1/policies", Value::Null).await.ok();
    world.call_as(crate::support::ANALYST, "GET", "/v1/policies", Value::Null).await.ok();
    assert_says_when(&world.call_as(crate::support::ADMIN, "GET", "/v1/policies", Value::Null).await, "tenant");
}

#[tokio::test]
async fn an_address_is_limited_before_anyone_looks_at_its_path() {
    let world = World::with(|config| {
        config.policies.pack = starter();
        config.limits.address = Limit::new(60, 2);
    })
    .await;
    let knock = |path: &str| world.send(request("GET", path).body(axum::body::Body::empty()).expect("a request"));
    assert_eq!(knock("/nowhere").await.status, 404);
    assert_eq!(knock("/healthz").await.status, 200);
    assert_says_when(&knock("/nowhere").await, "address");
}

#[tokio::test]
async fn guessing_secrets_is_slower_than_knowing_one() {
    let world = World::with(|config| {
        config.policies.pack = starter();
        config.limits.failed_auth = Limit::new(60, 3);
    })
    .await;
    for n in 0..3 {
        let guess = format!("sk_test_guess_number_{n}");
        world.call_as(&guess, "GET", "/v1/users/ada", Value::Null).await.refused(401, "unauthorized");
    }
    let guess = world.call_as("sk_test_guess_number_9", "GET", "/v1/users/ada", Value::Null).await;
    assert_says_when(&guess, "failed-auth");
    // The right secret from the same address still works: a customer behind the same proxy is not locked out.
    world.get("/v1/users/ada").await.ok();
}

#[tokio::test]
async fn guessing_tenants_and_tokens_is_slower_than_knowing_one() {
    let guesses = [
        ("POST", "/v1/client/challenge", "authorization", "Basic bm9ib2R5"),
        ("POST", "/v1/client/challenge", "authorization", "Bearer x.y.z"),
        ("GET", "/ws-v1-challenge", "sec-websocket-protocol", "authsignal-ws,x.authsignal.tenant.nobody"),
        ("GET", "/ws-v1-challenge", "sec-websocket-protocol", "authsignal-ws,x.authsignal.token.x.y.z"),
    ];
    for (method, path, header, guess) in guesses {
        let world = World::with(|config| {
            config.policies.pack = starter();
            config.limits.failed_auth = Limit::new(60, 3);
        })
        .await;
        let ask = |path, header, value| {
            let asked = request(method, path).header(header, value).body(axum::body::Body::empty());
            world.send(asked.expect("a request"))
        };
        for _ in 0..3 {
            assert_eq!(ask(path, header, guess).await.status, 401, "{guess}");
        }
        assert_says_when(&ask(path, header, guess).await, "failed-auth");
        // Screens and phones behind the same address go on.
        if method == "POST" {
            ask("/v1/client/challenge", "authorization", "Basic YWNtZQ==").await.ok();
        }
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_its_own_limit() {
    let world = World::with(|config| {
        config.policies.pack = starter();
        config.limits.address = Limit::new(60, 1);
        config.server.trusted_proxies = vec!["192.0.2.0/24".parse().expect("a network")];
    })
    .await;
    let via = |client: &str| {
        let request = request("GET", "/v1/users/ada").header("authorization", basic(BACKEND));
        world.send(request.header("x-forwarded-for", client).body(axum::body::Body::empty()).expect("a request"))
    };
    via("198.51.100.1").await.ok();
    via("198.51.100.2").await.ok();
    assert_says_when(&via("198.51.100.1").await, "address");
    assert_says_when(&via("203.0.113.50, 198.51.100.2").await, "address");
}
