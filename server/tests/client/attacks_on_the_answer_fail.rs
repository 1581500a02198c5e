use challenge::signature::Signature;
use serde_json::json;

use crate::a_kiosk_learns_who_signs_in::enrolled;
use crate::harness::Server;
use crate::phone::{Phone, Sdk};
use crate::screen::PollingScreen;

async fn kiosk(server: &Server) -> PollingScreen {
    PollingScreen::create(server, None, json!({"action": "kiosk-login"})).await.expect("a challenge")
}

#[tokio::test]
async fn a_claims_signature_is_no_approval_nor_is_its_twin() {
    let server = Server::start().await;
    for sdk in [Sdk::Ios, Sdk::Android, Sdk::Legacy] {
        let phone = enrolled(&server, &format!("ann-{sdk:?}"), sdk).await;
        let screen = kiosk(&server).await;
        let captured = phone.sign(&screen.challenge_id);
        phone.claim_signed(&server, &screen.challenge_id, &captured).await.ok();
        let twin = Signature::from_base64(&captured).expect("a signature").twin().to_base64();
        for replayed in [captured, twin] {
            let reply = phone.answer_signed(&server, &screen.challenge_id, true, None, &replayed).await;
            reply.refused(401, "signature_reused");
        }
        assert_eq!(screen.poll(&server).await.ok()["state"], "claimed");
        phone.answer(&server, &screen.challenge_id, true).await.ok();
    }
}

#[tokio::test]
async fn an_answer_without_a_claim_or_by_another_phone_changes_nothing() {
    let server = Server::start().await;
    let (ann, bob) = (enrolled(&server, "ann", Sdk::Ios).await, enrolled(&server, "bob", Sdk::Android).await);
    let screen = kiosk(&server).await;
    ann.answer(&server, &screen.challenge_id, true).await.refused(409, "challenge_not_claimed");
    ann.claim(&server, &screen.challenge_id).await.ok();
    bob.claim(&server, &screen.challenge_id).await.refused(409, "challenge_already_claimed");
    bob.answer(&server, &screen.challenge_id, true).await.refused(403, "not_claimer");
    assert_eq!(screen.poll(&server).await.ok()["state"], "claimed");
}

#[tokio::test]
async fn a_repeated_approval_is_one_approval() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let screen = kiosk(&server).await;
    phone.claim(&server, &screen.challenge_id).await.ok();
    phone.claim(&server, &screen.challenge_id).await.ok();
    let signature = phone.sign(&screen.challenge_id);
    let before = server.app.store.log_head().await.expect("a head").size;
    for _ in 0..10 {
        phone.answer_signed(&server, &screen.challenge_id, true, None, &signature).await.ok();
    }
    let after = server.app.store.log_head().await.expect("a head").size;
    assert_eq!(after - before, 1, "one approval, one entry in the log");
    phone.answer(&server, &screen.challenge_id, false).await.refused(409, "challenge_already_answered");
}

#[tokio::test]
async fn a_wrong_key_and_a_malformed_signature_are_refused() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let stranger = Phone::new(&server, Sdk::Ios);
    let screen = kiosk(&server).await;
    let id = &screen.challenge_id;

    stranger.claim(&server, id).await.refused(404, "unknown_credential");
    phone.claim_signed(&server, id, &stranger.sign(id)).await.refused(400, "invalid_signature");
    let refused = phone.claim_signed(&server, id, &phone.sign("something else")).await;
    refused.refused(400, "invalid_signature");
    assert_eq!(refused.body["errors"][0]["pointer"], "/signature");
    let good = phone.sign(id);
    for bad in ["", "AAAA", "not base64", &good[..good.len() - 4], &format!("{good}AAAA"), &"A".repeat(2000)] {
        let reply = phone.claim_signed(&server, id, bad).await;
        assert_eq!(reply.status, 400, "{bad}: {}", reply.body);
    }
    assert_eq!(screen.poll(&server).await.ok()["state"], "unclaimed");
}

#[tokio::test]
async fn what_is_no_challenge_id_is_refused_first() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Android).await;
    for id in ["2992401.0", "https://evil.example/", "74CAF39D-0000-4000-8000-000000000000", &"x".repeat(900)] {
        phone.claim(&server, id).await.refused(400, "invalid_challenge_id");
    }
    phone.claim(&server, "74caf39d-0000-4000-8000-000000000000").await.refused(404, "challenge_not_found");
}

#[tokio::test]
async fn a_phone_removed_between_claim_and_answer_answers_nothing() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let screen = kiosk(&server).await;
    phone.claim(&server, &screen.challenge_id).await.ok();
    let now = server::clock::Clock::now(&*server.clock).as_second();
    phone.remove(&server, now).await.ok();
    phone.answer(&server, &screen.challenge_id, true).await.refused(403, "credential_revoked");
}

#[tokio::test]
async fn a_body_that_is_not_what_it_should_be_is_refused_with_the_field() {
    let server = Server::start().await;
    let phone = Phone::new(&server, Sdk::Android);
    let headers = [("authorization", phone.basic())];
    for (path, body, pointer) in [
        ("/challenge/claim", "{}", "/challengeId"),
        ("/challenge/claim", "[]", ""),
        ("/challenge/claim", r#"{"challengeId":"a","challengeId":"b"}"#, "/challengeId"),
        ("/challenge/claim", r#"{"challengeId":7,"publicKey":"","signature":""}"#, "/challengeId"),
        ("/challenge", r#"{"challengeId":"a","publicKey":"b","signature":"c"}"#, "/approved"),
        ("/challenge", r#"{"approved":"yes"}"#, "/approved"),
        ("/challenge", r#"{"approved":true,"verificationCode":"12a"}"#, "/verificationCode"),
        ("/challenge/claim", r#"{"version":3}"#, "/version"),
        ("/challenge/claim", r#"{"version":2}"#, "/nonce"),
        ("/remove", "{}", "/signature"),
    ] {
        let reply = server.request("POST", &phone.path(path), &headers, Some(body.to_owned())).await;
        reply.refused(400, "invalid_request");
        assert_eq!(reply.body["errors"][0]["pointer"], pointer, "{path} {body}: {}", reply.body);
    }
}

#[tokio::test]
async fn attempts_on_one_challenge_are_limited() {
    let server = Server::start_with(|config| config.limits.challenge = server::limits::Limit::new(60, 5)).await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let screen = kiosk(&server).await;
    for _ in 0..5 {
        phone.claim_signed(&server, &screen.challenge_id, &phone.sign("x")).await.refused(400, "invalid_signature");
    }
    let reply = phone.claim(&server, &screen.challenge_id).await;
    reply.refused(429, "too_many_requests");
    assert!(reply.headers.contains_key("retry-after"));
}

/// T-35: to send nonsense about a challenge that somebody else has is no way to keep them from it.
#[tokio::test]
async fn a_flood_of_bad_attempts_from_elsewhere_keeps_nobody_from_their_challenge() {
    let server = Server::start_with(|config| {
        config.limits.challenge = server::limits::Limit::new(60, 5);
        config.server.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    })
    .await;
    let (phone, stranger) = (enrolled(&server, "ann", Sdk::Ios).await, Phone::new(&server, Sdk::Ios));
    let screen = kiosk(&server).await;
    let flood = async |path: &str| {
        let headers = [("authorization", stranger.basic()), ("x-forwarded-for", "198.51.100.7".to_owned())];
        let id = &screen.challenge_id;
        let body = json!({"challengeId": id, "publicKey": stranger.public_key(), "signature": stranger.sign(id), "approved": true});
        for _ in 0..5 {
            server.request("POST", &stranger.path(path), &headers, Some(body.to_string())).await;
        }
        server
            .request("POST", &stranger.path(path), &headers, Some(body.to_string()))
            .await
            .refused(429, "too_many_requests");
    };
    flood("/challenge/claim").await;
    phone.claim(&server, &screen.challenge_id).await.ok();
    flood("/challenge").await;
    phone.answer(&server, &screen.challenge_id, true).await.ok();
}

/// Whoever has no device code learns nothing and hinders nobody; the screen itself asks at most so often.
#[tokio::test]
async fn polls_of_one_challenge_are_limited_for_its_own_screen_alone() {
    let server = Server::start_with(|config| config.limits.challenge = server::limits::Limit::new(60, 5)).await;
    let screen = kiosk(&server).await;
    for _ in 0..10 {
        screen.poll_with(&server, &"A".repeat(43)).await.refused(404, "challenge_not_found");
    }
    for _ in 0..5 {
        screen.poll(&server).await.ok();
    }
    let reply = screen.poll(&server).await;
    reply.refused(429, "too_many_requests");
    assert!(reply.headers.contains_key("retry-after"));
}
