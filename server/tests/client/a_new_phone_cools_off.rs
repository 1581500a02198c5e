//! T-22: a phone that came in later confirms nothing of the strongest level for a day.

use std::time::Duration;

use serde_json::json;
use server::config::CoolingOffLevel;

use crate::a_lost_phone_is_recovered::{log, start, start_with};
use crate::harness::{Reply, Server, token};
use crate::phone::{Phone, Sdk};
use crate::screen::PollingScreen;

async fn first(server: &Server, user: &str) -> Phone {
    let phone = Phone::new(server, Sdk::Ios);
    phone.add(server, &token(&server.track(user, "hello", json!({})).await)).await.ok();
    phone
}

async fn second(server: &Server, user: &str) -> Phone {
    let phone = Phone::new(server, Sdk::Android);
    let scope = json!({"scope": "add:authenticators"});
    phone.add(server, &token(&server.track(user, "hello", scope).await)).await.ok();
    phone
}

/// Tracks the action and claims its challenge with the phone.
async fn claim(server: &Server, phone: &Phone, user: &str, action: &str) -> (Reply, String) {
    let tracked = server.track(user, action, json!({})).await;
    let body = json!({"action": action});
    let screen = PollingScreen::create(server, Some(&token(&tracked)), body).await.expect("a challenge");
    (phone.claim(server, &screen.challenge_id).await, screen.challenge_id)
}

#[tokio::test]
async fn t22_a_second_phone_waits_a_day_for_what_is_of_the_strongest_level() {
    let server = start().await;
    let old = first(&server, "ann").await;
    let new = second(&server, "ann").await;
    let (refused, challenge) = claim(&server, &new, "ann", "vault").await;
    refused.refused(403, "credential_cooling_off");
    // Nothing changed: the old phone takes the same challenge and approves it.
    old.claim(&server, &challenge).await.ok();
    new.answer(&server, &challenge, true).await.refused(403, "not_claimer");
    old.answer(&server, &challenge, true).await.ok();
    // What is of the weaker level does not wait.
    claim(&server, &new, "ann", "login").await.0.ok();
    assert_eq!(log(&server).await["refusal.claim credential_cooling_off"], 1);

    server.pass(Duration::from_secs(24 * 3600 - 1)).await;
    claim(&server, &new, "ann", "vault").await.0.refused(403, "credential_cooling_off");
    server.pass(Duration::from_secs(1)).await;
    let (claimed, challenge) = claim(&server, &new, "ann", "vault").await;
    claimed.ok();
    new.answer(&server, &challenge, true).await.ok();
}

#[tokio::test]
async fn a_first_phone_does_not_wait_and_one_after_it_does_though_it_is_gone() {
    let server = start().await;
    let phone = first(&server, "ann").await;
    claim(&server, &phone, "ann", "vault").await.0.ok();
    phone.remove(&server, server::clock::Clock::now(&*server.clock).as_second()).await.ok();
    let next = first(&server, "ann").await;
    claim(&server, &next, "ann", "vault").await.0.refused(403, "credential_cooling_off");
}

#[tokio::test]
async fn a_tenant_decides_how_long_and_for_what() {
    let off = start_with(|config| config.defaults.cooling_off_s = Some(0)).await;
    first(&off, "ann").await;
    let new = second(&off, "ann").await;
    claim(&off, &new, "ann", "vault").await.0.ok();

    let strict = start_with(|config| {
        config.defaults.cooling_off_s = Some(3600);
        config.defaults.cooling_off_level = Some(CoolingOffLevel::Possession);
    })
    .await;
    let old = first(&strict, "ann").await;
    claim(&strict, &old, "ann", "login").await.0.ok();
    let new = second(&strict, "ann").await;
    claim(&strict, &new, "ann", "login").await.0.refused(403, "credential_cooling_off");
    strict.pass(Duration::from_secs(3600)).await;
    claim(&strict, &new, "ann", "login").await.0.ok();
}

#[tokio::test]
async fn t22_where_the_policy_asks_the_first_phone_says_yes_to_the_second() {
    let server = start().await;
    let old = first(&server, "ann").await;
    let scope = json!({"scope": "add:authenticators"});
    let asked = server.track("ann", "login", scope.clone()).await;
    let new = Phone::new(&server, Sdk::Android);
    new.add(&server, &token(&asked)).await.refused(403, "forbidden");
    let bearer = [("authorization", format!("Bearer {}", token(&asked)))];
    let codes = server.request("POST", "/v1/client/user-authenticators/recovery-code", &bearer, Some("{}".into()));
    codes.await.refused(403, "forbidden");

    let screen = PollingScreen::create(&server, Some(&token(&asked)), json!({"action": "login"})).await;
    let screen = screen.expect("a challenge");
    old.claim(&server, &screen.challenge_id).await.ok();
    old.answer(&server, &screen.challenge_id, true).await.ok();
    new.add(&server, &token(&asked)).await.ok();
    // One that was refused lets nobody in.
    let asked = server.track("ann", "login", scope).await;
    let screen = PollingScreen::create(&server, Some(&token(&asked)), json!({"action": "login"})).await;
    let screen = screen.expect("a challenge");
    old.claim(&server, &screen.challenge_id).await.ok();
    old.answer(&server, &screen.challenge_id, false).await.ok();
    Phone::new(&server, Sdk::Android).add(&server, &token(&asked)).await.refused(403, "forbidden");
}

#[tokio::test]
async fn of_two_first_phones_at_once_one_is_the_first() {
    let server = std::sync::Arc::new(start().await);
    for round in 0..8 {
        let user = format!("ann{round}");
        let plain = token(&server.track(&user, "change", json!({})).await);
        let phones = (0..4).map(|_| {
            let (server, plain) = (server.clone(), plain.clone());
            tokio::spawn(async move { Phone::new(&server, Sdk::Ios).add(&server, &plain).await.status })
        });
        let statuses: Vec<u16> = futures_util::future::try_join_all(phones).await.expect("answers");
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 3, "{statuses:?}");
    }
}

#[tokio::test]
async fn t25_a_claimed_attestation_is_worth_nothing() {
    let server = start().await;
    let phone = Phone::new(&server, Sdk::Ios);
    let track = token(&server.track("ann", "login", json!({})).await);
    let attestation = json!({"provider": "APP_ATTEST", "token": "bm90IGEgc3RhdGVtZW50", "keyId": "a2V5"});
    let body = json!({"publicKey": phone.public_key(), "deviceName": "x", "devicePlatform": "ios", "performAttestation": attestation});
    let bearer = [("authorization", format!("Bearer {track}"))];
    let path = "/v1/client/user-authenticators/qr-code";
    server.request("POST", path, &bearer, Some(body.to_string())).await.ok();
    let tracked = server.track("ann", "login", json!({})).await;
    let body = json!({"action": "login"});
    let screen = PollingScreen::create(&server, Some(&token(&tracked)), body).await.expect("a challenge");
    phone.claim(&server, &screen.challenge_id).await.ok();
    phone.answer(&server, &screen.challenge_id, true).await.ok();
    let approved = screen.poll(&server).await.ok();
    let valid = server.validate(json!({"token": approved["accessToken"]})).await;
    assert_eq!((&valid["amr"], &valid["sca"]), (&json!(["swk"]), &json!(false)), "{valid}");
}
