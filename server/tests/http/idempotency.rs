//! The same key is the same attempt: once decided, once counted, once recorded.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::World;

fn attempt(outcome: &str) -> Value {
    json!({"idempotencyKey": "k1", "ipAddress": "81.2.69.142", "custom": {"outcome": outcome}})
}

const PATH: &str = "/v1/users/ada/actions/signIn";

#[tokio::test]
async fn a_repeat_gets_the_stored_answer_and_counts_nothing_even_after_a_restart() {
    let world = World::starter().await;
    let first = world.post(PATH, attempt("failed")).await;
    assert_eq!(first.header("idempotent-replayed"), "");
    let first = first.ok();
    let entries = world.entries().await;
    world.clock.advance(Duration::from_secs(1));
    let again = world.post(PATH, attempt("failed")).await;
    assert_eq!(again.header("idempotent-replayed"), "true");
    let again = again.ok();
    assert_eq!(again["decisionId"], first["decisionId"]);
    assert!(again["token"].is_string());

    let world = world.restart().await;
    let after = world.post(PATH, attempt("failed")).await;
    assert_eq!(after.header("idempotent-replayed"), "true");
    assert_eq!(after.ok()["decisionId"], first["decisionId"]);
    assert_eq!(world.entries().await, entries);
    // One failure so far, not three: four more are needed, and only the fifth of all is challenged.
    for n in 0..4 {
        let body = json!({"ipAddress": "81.2.69.142", "custom": {"outcome": "failed"}});
        let answer = world.post(PATH, body).await.ok();
        assert_eq!(answer["outcome"], if n < 3 { "allow" } else { "challenge" });
    }
}

#[tokio::test]
async fn the_key_with_another_body_is_a_conflict_and_changes_nothing() {
    let world = World::starter().await;
    world.post(PATH, attempt("failed")).await.ok();
    let entries = world.entries().await;
    let refusal = world.post(PATH, attempt("succeeded")).await.refused(409, "idempotency-conflict");
    assert_eq!(refusal["type"], "urn:stepup:problem:idempotency-conflict");
    assert_eq!(world.entries().await, entries);
    // Another user, another action and another tenant have keys of their own.
    world.post("/v1/users/bob/actions/signIn", attempt("succeeded")).await.ok();
    world.call_as(crate::support::FOREIGN, "POST", PATH, attempt("succeeded")).await.ok();
}

#[tokio::test]
async fn the_header_is_a_synonym_of_the_field() {
    let world = World::starter().await;
    let first = world.post(PATH, attempt("failed")).await.ok();
    let mut body = attempt("failed");
    body.as_object_mut().expect("an object").remove("idempotencyKey");
    let asked = async |keys: &[&str]| {
        let request = crate::support::request("POST", PATH)
            .header("authorization", crate::support::basic(crate::support::BACKEND));
        let request = keys.iter().fold(request, |request, key| request.header("idempotency-key", *key));
        world.send(request.body(body.to_string().into()).expect("a request")).await
    };
    assert_eq!(asked(&["k1"]).await.ok()["decisionId"], first["decisionId"]);
    assert_eq!(asked(&["k1", "k1"]).await.ok()["decisionId"], first["decisionId"]);
    let long = "k".repeat(256);
    for (keys, code) in [(["k1", "k2"], "ambiguous"), (["", ""], "invalid"), ([&long, &long], "invalid")] {
        let refusal = asked(&keys).await.refused(400, "invalid_request");
        let complaint = &refusal["errors"][0];
        assert_eq!((&complaint["pointer"], &complaint["code"]), (&json!("/header/Idempotency-Key"), &json!(code)));
    }
}

#[tokio::test]
async fn of_many_at_once_one_decides_and_all_hear_the_same() {
    let world = std::sync::Arc::new(World::starter().await);
    let before = world.entries().await;
    let attempts: Vec<_> = (0..32)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move { world.post(PATH, attempt("failed")).await.ok()["decisionId"].clone() })
        })
        .collect();
    let mut ids = Vec::new();
    for attempt in attempts {
        ids.push(attempt.await.expect("an answer"));
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(world.entries().await, before + 1);
}

#[tokio::test]
async fn of_two_withdrawals_at_once_neither_misses_the_other() {
    let rules = "event pay { amount: money }\n\
        reason TWICE \"twice\"\n\
        policy p on pay { default allow\n  rule twice { when count() of pay by user over 1h >= 1 then block reason TWICE } }";
    let world = std::sync::Arc::new(World::with_rules(rules).await);
    for round in 0..50 {
        let one = |key: &str| {
            let (world, path) = (world.clone(), format!("/v1/users/u{round}/actions/pay"));
            let body = json!({"idempotencyKey": key, "amount": "1.00 EUR"});
            tokio::spawn(async move { world.post(&path, body).await.ok()["outcome"].clone() })
        };
        let (a, b) = tokio::join!(one("a"), one("b"));
        let mut outcomes = [a.expect("an answer"), b.expect("an answer")].map(|outcome| outcome.to_string());
        outcomes.sort();
        assert_eq!(outcomes, ["\"allow\"", "\"block\""], "round {round}");
    }
}
