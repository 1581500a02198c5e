use std::time::Duration;

use serde_json::{Value, json};

use crate::a_kiosk_learns_who_signs_in::enrolled;
use crate::an_administrator_resets_a_user::{ADMIN, admit, reset};
use crate::harness::{Server, token, token as token_of};
use crate::phone::Sdk;
use crate::screen::PollingScreen;

/// An approved payment's token.
pub async fn approved(server: &Server, user: &str, key: &str) -> String {
    let phone = enrolled(server, user, Sdk::Android).await;
    let tracked = server.pay(user, key).await;
    let screen = PollingScreen::create(server, Some(&token(&tracked)), json!({"action": "pay"})).await.expect("one");
    phone.claim(server, &screen.challenge_id).await.ok();
    phone.answer(server, &screen.challenge_id, true).await.ok();
    screen.poll(server).await.ok()["accessToken"].as_str().expect("a token").to_owned()
}

fn verdict(answer: &Value) -> (bool, Option<bool>) {
    (answer["isValid"].as_bool().expect("isValid"), answer["alreadyValidated"].as_bool())
}

#[tokio::test]
async fn the_decision_says_what_the_phone_was_shown_and_which_key_signed() {
    let server = Server::start().await;
    approved(&server, "ann", "k1").await;
    let tracked = server.backend("GET", "/v1/users/ann/actions/pay/k1", Value::Null).await.ok();
    let path = format!("/v1/decisions/{}", tracked["decisionId"].as_str().expect("an id"));
    let decision = server.backend("GET", &path, Value::Null).await.ok();
    let challenge = &decision["challenge"];
    assert_eq!(challenge["state"], "approved", "{decision:#}");
    assert_eq!(challenge["challengeId"], decision["challengeId"]);
    assert_eq!(challenge["claimedBy"], decision["verifiedByAuthenticatorId"]);
    assert!(challenge["signature"].is_string() && challenge["shownHash"].is_string());
    assert!(challenge["shown"].to_string().contains("Bakery"), "{challenge:#}");
}

#[tokio::test]
async fn a_second_validation_says_that_it_is_one() {
    let server = Server::start_with(|config| config.challenges.revalidate_s = 0).await;
    let token = approved(&server, "ann", "k1").await;
    let body = json!({"token": token});
    assert_eq!(verdict(&server.validate(body.clone()).await), (true, Some(false)));
    let again = server.validate(body).await;
    assert_eq!(verdict(&again), (false, Some(true)));
    assert_eq!(again["error"], "token_already_used");
}

#[tokio::test]
async fn a_caller_whose_connection_broke_hears_the_same_within_the_window() {
    let server = Server::start_with(|config| config.challenges.revalidate_s = 60).await;
    let token = approved(&server, "ann", "k1").await;
    let body = json!({"token": token});
    assert_eq!(verdict(&server.validate(body.clone()).await), (true, Some(false)));
    server.clock.advance(Duration::from_secs(59));
    assert_eq!(verdict(&server.validate(body.clone()).await), (true, Some(true)));
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(verdict(&server.validate(body).await), (false, Some(true)));
}

#[tokio::test]
async fn of_many_validations_at_once_one_is_the_first() {
    let server = Server::start().await;
    let token = approved(&server, "ann", "k1").await;
    let all = (0..50).map(|_| server.validate(json!({"token": token})));
    let answers = futures_util::future::join_all(all).await;
    let first = answers.iter().filter(|answer| verdict(answer) == (true, Some(false))).count();
    assert_eq!(first, 1);
}

#[tokio::test]
async fn what_does_not_fit_the_expectation_is_invalid_and_uses_nothing_up() {
    let server = Server::start().await;
    let token = approved(&server, "ann", "k1").await;
    let euros = |value: &str| json!({"value": value, "currency": "EUR"});
    for (body, code) in [
        (json!({"token": token, "userId": "bob"}), "user_mismatch"),
        (json!({"token": token, "action": "sign_in"}), "action_mismatch"),
        (json!({"token": token, "expect": {"amount": euros("2000.00")}}), "context_mismatch"),
        (json!({"token": token, "expect": {"payee": "Butcher"}}), "context_mismatch"),
        (json!({"token": token, "expect": {"iban": "x"}}), "context_mismatch"),
        (json!({"token": "x"}), "invalid_token"),
        (json!({"token": format!("{}x", token)}), "invalid_token"),
    ] {
        let answer = server.validate(body.clone()).await;
        assert_eq!((answer["isValid"].as_bool(), answer["error"].as_str()), (Some(false), Some(code)), "{body}");
    }
    let right = json!({"token": token, "userId": "ann", "action": "pay", "expect": {"amount": euros("20")}});
    assert_eq!(verdict(&server.validate(right).await), (true, Some(false)));
}

#[tokio::test]
async fn a_token_of_track_is_no_approval() {
    let server = Server::start().await;
    let tracked = server.pay("ann", "k1").await;
    let answer = server.validate(json!({"token": token(&tracked)})).await;
    assert_eq!((verdict(&answer), &answer["error"]), ((false, None), &json!("challenge_not_completed")));
    assert_eq!(answer["state"], "CHALLENGE_REQUIRED");
}

/// T-11: what the backend decided after the approval stands, whoever still holds the token.
#[tokio::test]
async fn what_the_backend_takes_back_after_the_approval_validates_no_more() {
    let server = Server::start().await;
    let token = approved(&server, "ann", "k1").await;
    for state in ["BLOCK", "CHALLENGE_FAILED", "REVIEW_REQUIRED", "CHALLENGE_REQUIRED"] {
        server.backend("PATCH", "/v1/users/ann/actions/pay/k1", json!({"state": state})).await.ok();
        let answer = server.validate(json!({"token": token})).await;
        assert_eq!((verdict(&answer), &answer["error"]), ((false, None), &json!("invalid_state")), "{state}: {answer}");
        assert_eq!(answer["state"], state);
    }
    // It was not used up by that.
    server.backend("PATCH", "/v1/users/ann/actions/pay/k1", json!({"state": "CHALLENGE_SUCCEEDED"})).await.ok();
    assert_eq!(verdict(&server.validate(json!({"token": token})).await), (true, Some(false)));
}

/// Whoever has the stolen phone may have approved before the owner called.
#[tokio::test]
async fn an_approval_of_before_a_reset_or_a_deletion_is_worth_nothing() {
    let server = Server::start().await;
    admit(&server, "admin", ADMIN).await;
    let (of_ann, of_bob) = (approved(&server, "ann", "k1").await, approved(&server, "bob", "k2").await);
    server.pass(Duration::from_secs(1)).await;
    reset(&server, "ann").await.ok();
    server.backend("DELETE", "/v1/users/bob", Value::Null).await.ok();
    for token in [&of_ann, &of_bob] {
        let answer = server.validate(json!({"token": token})).await;
        assert_eq!((verdict(&answer), &answer["error"]), ((false, None), &json!("token_outdated")), "{answer}");
        let session = server.backend("POST", "/v1/sessions", json!({"clientId": "web", "token": token})).await;
        assert_ne!(session.status, 200, "{}", session.body);
    }
    assert_eq!(
        verdict(&server.validate(json!({"token": approved(&server, "ann", "k3").await})).await),
        (true, Some(false))
    );
}

#[tokio::test]
async fn another_tenants_backend_learns_nothing_from_a_token() {
    let server = Server::start().await;
    let token = approved(&server, "ann", "k1").await;
    let secret = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, "sk_test_0123456789abcdef-other:");
    let headers = [("authorization", format!("Basic {secret}"))];
    let body = Some(json!({"token": token}).to_string());
    let answer = server.request("POST", "/v1/validate", &headers, body).await.ok();
    assert_eq!((answer["isValid"].as_bool(), answer["error"].as_str()), (Some(false), Some("invalid_token")));
    assert!(answer.get("userId").is_none());
    // Nor from the token of `track`, which names its user to whoever may ask.
    let tracked = token_of(&server.pay("ann", "k2").await);
    let path = format!("/v1/users?token={tracked}");
    let refused = server.request("GET", &path, &headers, None).await;
    refused.refused(401, "unauthorized");
    assert!(!refused.body.to_string().contains("ann"), "{}", refused.body);
    assert_eq!(server.backend("GET", &path, Value::Null).await.ok()["tokenPayload"]["sub"], "ann");
}

#[tokio::test]
async fn a_token_that_is_too_old_is_invalid() {
    let server = Server::start().await;
    let token = approved(&server, "ann", "k1").await;
    server.clock.advance(Duration::from_secs(126));
    let answer = server.validate(json!({"token": token})).await;
    assert_eq!((answer["isValid"].as_bool(), answer["error"].as_str()), (Some(false), Some("expired_token")));
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_refused_with_the_field() {
    let server = Server::start().await;
    for (body, pointer) in [
        (json!({}), "/token"),
        (json!({"token": 7}), "/token"),
        (json!({"token": "x", "expect": []}), "/expect"),
        (json!({"token": "x", "expect": {"amount": true}}), "/expect/amount"),
        (json!({"token": "x", "action": {}}), "/action"),
    ] {
        let reply = server.backend("POST", "/v1/validate", body).await;
        reply.refused(400, "invalid_request");
        assert_eq!(reply.body["errors"][0]["pointer"], pointer);
    }
}
