use std::time::Duration;

use serde_json::json;

use crate::a_kiosk_learns_who_signs_in::enrolled;
use crate::harness::{Server, id, token};
use crate::phone::Sdk;
use crate::screen::{PollingScreen, Screen};

#[tokio::test]
async fn the_phone_sees_what_was_tracked_and_the_backend_hears_of_it() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let tracked = server.pay("ann", "k1").await;
    assert!(tracked["url"].as_str().expect("a url").contains("/challenge?token="), "{tracked}");
    let mut screen = Screen::identified(&server, &token(&tracked)).await;
    // What the screen says about a tracked action does not count.
    let challenge = id(&screen.create("pay", Some(json!({"amount": "1.00 EUR"}))).await);

    let claimed = phone.claim(&server, &challenge).await.ok();
    assert_eq!(claimed["idempotencyKey"], "k1");
    assert_eq!(claimed["ipAddress"], "8.8.8.8");
    assert_eq!(claimed["userAgent"], "Firefox");
    assert_eq!(claimed["custom"]["amount"], "20.00 EUR", "{claimed}");
    assert_eq!(claimed["custom"]["payee"], "Bakery", "{claimed}");

    phone.answer(&server, &challenge, true).await.ok();
    assert_eq!(screen.state(&challenge).await.0, "claimed");
    let (state, result) = screen.state(&challenge).await;
    assert_eq!(state, "approved");
    assert_eq!(server.state("ann", "pay", "k1").await, "CHALLENGE_SUCCEEDED");

    let amount = json!({"value": "20", "currency": "EUR"});
    let body =
        json!({"token": result, "action": "pay", "userId": "ann", "expect": {"amount": amount, "payee": "Bakery"}});
    let valid = server.validate(body).await;
    assert_eq!(valid["isValid"], true, "{valid}");
    assert_eq!((&valid["action"], &valid["actionCode"]), (&json!("pay"), &json!("pay")));
    assert_eq!(valid["link"], "server");
    assert_eq!(valid["sca"], false);
}

#[tokio::test]
async fn by_polling_a_rejection_fails_the_action() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Android).await;
    let tracked = server.pay("ann", "k1").await;
    let screen = PollingScreen::create(&server, Some(&token(&tracked)), json!({"action": "pay"})).await.expect("one");
    phone.claim(&server, &screen.challenge_id).await.ok();
    phone.answer(&server, &screen.challenge_id, false).await.ok();
    assert_eq!(server.state("ann", "pay", "k1").await, "CHALLENGE_FAILED");
    // What is rejected stays rejected.
    phone.answer(&server, &screen.challenge_id, true).await.refused(409, "challenge_already_answered");
}

#[tokio::test]
async fn t11_what_the_backend_decides_meanwhile_is_asked_of_no_phone_any_more() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let tracked = server.pay("ann", "k1").await;
    let mut screen = Screen::identified(&server, &token(&tracked)).await;
    let challenge = id(&screen.create("pay", None).await);
    phone.claim(&server, &challenge).await.ok();
    assert_eq!(screen.state(&challenge).await.0, "claimed");
    let action = "/v1/users/ann/actions/pay/k1";
    server.backend("PATCH", action, json!({"state": "CHALLENGE_REQUIRED"})).await.ok();
    assert!(screen.is_silent().await, "that is no change");
    server.backend("PATCH", action, json!({"state": "BLOCK"})).await.ok();
    assert_eq!(screen.state(&challenge).await.0, "superseded");
    phone.answer(&server, &challenge, true).await.refused(409, "challenge_superseded");
    assert_eq!(server.backend("GET", "/v1/challenges?userId=ann", json!({})).await.ok(), json!({}));
    assert_eq!(server.state("ann", "pay", "k1").await, "BLOCK");

    // Also what a kiosk began.
    let mut kiosk = Screen::anonymous(&server).await;
    let challenge = id(&kiosk.create("kiosk-login", None).await);
    let claimed = phone.claim(&server, &challenge).await.ok();
    assert_eq!(kiosk.state(&challenge).await.0, "claimed");
    let action = format!("/v1/users/ann/actions/kiosk-login/{}", claimed["idempotencyKey"].as_str().expect("a key"));
    server.backend("PATCH", &action, json!({"state": "BLOCK"})).await.ok();
    assert_eq!(kiosk.state(&challenge).await.0, "superseded");
    phone.answer(&server, &challenge, true).await.refused(409, "challenge_superseded");
}

#[tokio::test]
async fn nobody_else_can_claim_it() {
    let server = Server::start().await;
    let bob = enrolled(&server, "bob", Sdk::Android).await;
    let tracked = server.pay("ann", "k1").await;
    let mut screen = Screen::identified(&server, &token(&tracked)).await;
    let challenge = id(&screen.create("pay", None).await);
    let before = server.app.store.log_head().await.expect("the log").size;
    bob.claim(&server, &challenge).await.refused(403, "wrong_user");
    assert!(screen.is_silent().await);
    // The log says whose phone it was (T-05).
    let tenant = challenge::TenantId::parse(server.tenant.as_str()).expect("a tenant");
    let leaf = server.app.store.audit_leaf(&tenant, before).await.expect("the log").expect("an entry");
    let tried = bob.get(&server).await.ok()["userAuthenticatorId"].as_str().expect("an id").to_owned();
    for word in ["refusal.claim", "wrong_user", &challenge, &tried] {
        assert!(leaf.contains(word), "{word}: {leaf}");
    }
    let ann = enrolled(&server, "ann", Sdk::Ios).await;
    ann.claim(&server, &challenge).await.ok();
}

#[tokio::test]
async fn a_reloaded_page_shows_the_same_code_and_a_refresh_retires_it() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let tracked = server.pay("ann", "k1").await;
    let mut screen = Screen::identified(&server, &token(&tracked)).await;
    let first = id(&screen.create("pay", None).await);

    let reloaded = PollingScreen::create(&server, Some(&token(&tracked)), json!({"action": "pay"})).await.expect("one");
    assert_eq!(reloaded.challenge_id, first);

    let second = id(&screen.create("pay", None).await);
    assert_ne!(first, second);
    phone.claim(&server, &first).await.refused(409, "challenge_superseded");

    // One that the phone holds may finish beside its successor.
    phone.claim(&server, &second).await.ok();
    assert_eq!(screen.state(&second).await.0, "claimed");
    let third = id(&screen.create("pay", None).await);
    assert_ne!(second, third);
    phone.answer(&server, &second, true).await.ok();
    assert_eq!(screen.state(&second).await.0, "approved");
}

#[tokio::test]
async fn another_action_than_the_tokens_is_refused_where_it_stands() {
    let server = Server::start().await;
    let bearer = token(&server.pay("ann", "k1").await);
    let headers = [("authorization", format!("Bearer {bearer}"))];
    for path in ["/v1/client/challenge/qr-code", "/v1/client/challenge/push", "/v1/client/challenge"] {
        let reply = server.request("POST", path, &headers, Some(json!({"action": "sign_in"}).to_string())).await;
        reply.refused(400, "invalid_request");
        assert_eq!(reply.body["errors"][0]["pointer"], "/action", "{path}: {}", reply.body);
        assert!(reply.body["detail"].as_str().is_some_and(|said| said.contains("`pay`")), "{path}: {}", reply.body);
    }
    let mut screen = Screen::identified(&server, &bearer).await;
    screen.ask("sign_in", None).await;
    let error = screen.next().await;
    assert_eq!(error["data"]["errors"][0]["pointer"], "/data/actionCode", "{error}");
    let nobody = screen.next().await;
    assert_eq!(screen.state(&id(&nobody["data"])).await.0, "rejected");
    screen.create("pay", None).await;
}

#[tokio::test]
async fn there_is_nothing_to_approve_in_an_allowed_action() {
    let server = Server::start().await;
    let tracked = server.track("ann", "sign_in", json!({})).await;
    assert_eq!(tracked["state"], "ALLOW");
    let refused = PollingScreen::create(&server, Some(&token(&tracked)), json!({"action": "sign_in"})).await;
    refused.expect_err("a refusal").refused(409, "challenge_closed");
}

#[tokio::test]
async fn a_user_is_not_asked_six_times_in_ten_minutes() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    for number in 1..=6 {
        let tracked = server.pay("ann", &format!("k{number}")).await;
        let asked = PollingScreen::create(&server, Some(&token(&tracked)), json!({"action": "pay"})).await;
        if number < 6 {
            let screen = asked.expect("a challenge");
            phone.claim(&server, &screen.challenge_id).await.ok();
            phone.answer(&server, &screen.challenge_id, true).await.ok();
        } else {
            let refusal = asked.expect_err("a refusal");
            refusal.refused(429, "too_many_requests");
            assert!(refusal.headers.contains_key("retry-after"));
        }
    }
}

#[tokio::test]
async fn t16_a_restart_forgets_neither_how_often_somebody_was_asked_nor_that_they_declined() {
    let server = Server::start().await;
    let ann = enrolled(&server, "ann", Sdk::Ios).await;
    for number in 1..=5 {
        let tracked = server.pay("ann", &format!("k{number}")).await;
        let mut screen = Screen::identified(&server, &token(&tracked)).await;
        screen.create("pay", None).await;
        // A fresh QR for the same request is not counted again.
        let challenge = id(&screen.create("pay", None).await);
        ann.claim(&server, &challenge).await.ok();
        ann.answer(&server, &challenge, true).await.ok();
    }
    let bob = enrolled(&server, "bob", Sdk::Android).await;
    for number in 1..=3 {
        let tracked = server.pay("bob", &format!("k{number}")).await;
        let screen =
            PollingScreen::create(&server, Some(&token(&tracked)), json!({"action": "pay"})).await.expect("one");
        bob.claim(&server, &screen.challenge_id).await.ok();
        bob.answer(&server, &screen.challenge_id, false).await.ok();
    }

    let server = server.restart().await;
    for user in ["ann", "bob"] {
        let tracked = server.pay(user, "late").await;
        let asked = PollingScreen::create(&server, Some(&token(&tracked)), json!({"action": "pay"})).await;
        asked.expect_err("a refusal").refused(429, "too_many_requests");
    }
    // Ten minutes later Ann may be asked again, a quarter of an hour later Bob, and no restart makes it longer.
    server.pass(Duration::from_secs(601)).await;
    let server = server.restart().await;
    for (user, allowed) in [("ann", true), ("bob", false)] {
        let tracked = server.pay(user, "later").await;
        let asked = PollingScreen::create(&server, Some(&token(&tracked)), json!({"action": "pay"})).await;
        assert_eq!(asked.is_ok(), allowed, "{user}");
    }
    server.pass(Duration::from_secs(300)).await;
    let server = server.restart().await;
    let tracked = server.pay("bob", "last").await;
    PollingScreen::create(&server, Some(&token(&tracked)), json!({"action": "pay"})).await.expect("a challenge");
}

#[tokio::test]
async fn three_open_requests_are_enough() {
    let server = Server::start().await;
    for number in 1..=4 {
        let tracked = server.pay("ann", &format!("k{number}")).await;
        let asked = PollingScreen::create(&server, Some(&token(&tracked)), json!({"action": "pay"})).await;
        assert_eq!(asked.is_ok(), number <= 3, "request {number}");
    }
}

#[tokio::test]
async fn the_hosted_page_returns_only_to_a_registered_origin() {
    let server = Server::start_with(|config| {
        config.defaults.redirect_origins = vec!["https://shop.example".to_owned()];
    })
    .await;
    for (url, kept) in [
        ("https://shop.example/done?a=1", true),
        ("https://shop.example.evil.example/", false),
        ("https://evil.example/?https://shop.example/", false),
        ("http://localhost:3000/", false),
    ] {
        let tracked = server.track("ann", "sign_in", json!({"redirectUrl": url})).await;
        let token = token(&tracked);
        let claims = token.split('.').nth(1).expect("a payload");
        let claims = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, claims).expect("base64url");
        let claims: serde_json::Value = serde_json::from_slice(&claims).expect("JSON");
        let expected = if kept { json!(url) } else { serde_json::Value::Null };
        assert_eq!(claims["other"]["redirectUrl"], expected, "{url}");
    }
}

#[tokio::test]
async fn a_screen_that_lost_its_socket_goes_on_by_polling() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let tracked = server.pay("ann", "k1").await;
    let mut screen = Screen::identified(&server, &token(&tracked)).await;
    let created = screen.create("pay", None).await;
    phone.claim(&server, &id(&created)).await.ok();
    assert_eq!(screen.state(&id(&created)).await.0, "claimed");
    drop(screen);
    let polling = PollingScreen::resume(&server, &created);
    assert_eq!(polling.poll(&server).await.ok()["isClaimed"], true);
    phone.answer(&server, &id(&created), true).await.ok();
    assert_eq!(polling.poll(&server).await.ok()["isVerified"], true);
}
