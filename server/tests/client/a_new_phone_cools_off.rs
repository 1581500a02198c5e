//! T-22: a phone that came in later confirms nothing of the strongest level for a day.

use std::time::Duration;

use serde_json::json;
use server::config::{CoolingOffLevel, SecondPhone};

use crate::a_lost_phone_is_recovered::{enrolled_with_codes, log, redeem, start, start_with};
use crate::an_administrator_resets_a_user::{ADMIN, admit, reset};
use crate::harness::{Reply, Server, token};
use crate::phone::{Phone, Sdk};
use crate::phone_v2;
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

/// Between claim and answer the operator may have become stricter.
#[tokio::test]
async fn t22_what_a_phone_may_confirm_is_asked_again_at_its_answer() {
    let server = start().await;
    first(&server, "ann").await;
    let new = second(&server, "ann").await;
    let (claimed, challenge) = claim(&server, &new, "ann", "login").await;
    claimed.ok();
    let server =
        server.restart_with(|config| config.defaults.cooling_off_level = Some(CoolingOffLevel::Possession)).await;
    new.answer(&server, &challenge, true).await.refused(403, "credential_cooling_off");
    assert_eq!(log(&server).await["refusal.answer credential_cooling_off"], 1);
    // To say no is never too early.
    new.answer(&server, &challenge, false).await.ok();
}

#[tokio::test]
async fn t22_where_the_policy_asks_the_first_phone_says_yes_to_the_second() {
    let server = start().await;
    let old = first(&server, "ann").await;
    let scope = json!({"scope": "add:authenticators"});
    let asked = server.track("ann", "login", scope.clone()).await;
    let new = Phone::new(&server, Sdk::Android);
    new.add(&server, &token(&asked)).await.refused(403, "forbidden");
    let ours = Phone::new(&server, Sdk::Ios);
    let bearer = [("authorization", format!("Bearer {}", token(&asked)))];
    let codes = server.request("POST", "/v1/client/user-authenticators/recovery-code", &bearer, Some("{}".into()));
    codes.await.refused(403, "forbidden");

    let screen = PollingScreen::create(&server, Some(&token(&asked)), json!({"action": "login"})).await;
    let screen = screen.expect("a challenge");
    old.claim(&server, &screen.challenge_id).await.ok();
    old.answer(&server, &screen.challenge_id, true).await.ok();
    new.add(&server, &token(&asked)).await.ok();
    // Refused too early, it says the same again under the same nonce: what is refused uses nothing up.
    let asked = server.track("ann", "login", scope.clone()).await;
    phone_v2::enrol(&server, &ours, &token(&asked)).await.refused(403, "forbidden");
    let screen = PollingScreen::create(&server, Some(&token(&asked)), json!({"action": "login"})).await;
    let screen = screen.expect("a challenge");
    old.claim(&server, &screen.challenge_id).await.ok();
    old.answer(&server, &screen.challenge_id, true).await.ok();
    phone_v2::enrol(&server, &ours, &token(&asked)).await.ok();
    // One that was refused lets nobody in.
    let asked = server.track("ann", "login", scope).await;
    let screen = PollingScreen::create(&server, Some(&token(&asked)), json!({"action": "login"})).await;
    let screen = screen.expect("a challenge");
    old.claim(&server, &screen.challenge_id).await.ok();
    old.answer(&server, &screen.challenge_id, false).await.ok();
    Phone::new(&server, Sdk::Android).add(&server, &token(&asked)).await.refused(403, "forbidden");
}

/// A challenge of a kiosk is frozen before anybody knows who claims it; the policy's level counts at the claim.
#[tokio::test]
async fn t22_a_new_phone_waits_for_the_strongest_level_of_a_kiosk_as_well() {
    let server = start().await;
    let old = first(&server, "ann").await;
    let new = second(&server, "ann").await;
    let screen = PollingScreen::create(&server, None, json!({"action": "safe"})).await.expect("a challenge");
    new.claim(&server, &screen.challenge_id).await.refused(403, "credential_cooling_off");
    assert_eq!(screen.poll(&server).await.ok()["state"], "unclaimed");
    let log = log(&server).await;
    assert_eq!((log["refusal.claim credential_cooling_off"], log["decision"]), (1, 2), "{log:?}");
    old.claim(&server, &screen.challenge_id).await.ok();
    old.answer(&server, &screen.challenge_id, true).await.ok();

    server.pass(Duration::from_secs(24 * 3600)).await;
    let screen = PollingScreen::create(&server, None, json!({"action": "safe"})).await.expect("a challenge");
    new.claim(&server, &screen.challenge_id).await.ok();
    new.answer(&server, &screen.challenge_id, true).await.ok();
}

/// An app of the field's makes a key for each kind of challenge.
#[tokio::test]
async fn t22_keys_that_one_token_brought_are_one_phone_and_others_are_not() {
    let server = start().await;
    let scope = json!({"scope": "add:authenticators"});
    let shown = token(&server.track("ann", "hello", scope.clone()).await);
    let push = Phone::of_kind(&server, Sdk::Ios, "push");
    push.add(&server, &shown).await.ok();
    let scanner = Phone::new(&server, Sdk::Ios);
    scanner.add(&server, &shown).await.ok();
    claim(&server, &scanner, "ann", "vault").await.0.ok();

    // The same kind twice is two phones, another platform is another phone, and so is what another token brought.
    let twice = Phone::new(&server, Sdk::Ios);
    twice.add(&server, &shown).await.ok();
    claim(&server, &twice, "ann", "vault").await.0.refused(403, "credential_cooling_off");
    let shown = token(&server.track("bob", "hello", scope.clone()).await);
    Phone::of_kind(&server, Sdk::Ios, "push").add(&server, &shown).await.ok();
    let foreign = Phone::new(&server, Sdk::Android);
    foreign.add(&server, &shown).await.ok();
    claim(&server, &foreign, "bob", "vault").await.0.refused(403, "credential_cooling_off");
    Phone::of_kind(&server, Sdk::Ios, "push")
        .add(&server, &token(&server.track("carl", "hello", scope.clone()).await))
        .await
        .ok();
    let later = Phone::new(&server, Sdk::Ios);
    later.add(&server, &token(&server.track("carl", "hello", scope.clone()).await)).await.ok();
    claim(&server, &later, "carl", "vault").await.0.refused(403, "credential_cooling_off");
    // Nor does the second key of a second phone shorten anything.
    let shown = token(&server.track("carl", "hello", scope).await);
    Phone::of_kind(&server, Sdk::Ios, "push").add(&server, &shown).await.ok();
    let scanner = Phone::new(&server, Sdk::Ios);
    scanner.add(&server, &shown).await.ok();
    claim(&server, &scanner, "carl", "vault").await.0.refused(403, "credential_cooling_off");
    log(&server).await;
}

/// The policy asks for a challenge, which nobody can pass before the first phone is in.
#[tokio::test]
async fn t22_the_token_that_let_a_first_phone_in_takes_its_keys_of_other_kinds() {
    let server = start().await;
    admit(&server, "admin", ADMIN).await;
    let scope = json!({"scope": "add:authenticators"});
    let shown = async |user: &str| token(&server.track(user, "login", scope.clone()).await);
    let all = async |token: &str| {
        let kinds = ["push", "qr-code", "in-app"].map(|kind| Phone::of_kind(&server, Sdk::Ios, kind));
        for key in &kinds {
            key.add(&server, token).await.ok();
            key.add(&server, token).await.ok();
        }
        let [_, scanner, _] = kinds;
        scanner
    };
    let ann = shown("ann").await;
    let scanner = all(&ann).await;
    claim(&server, &scanner, "ann", "vault").await.0.ok();
    // The one phone that a reset lets in has keys as well, and each of them waits.
    reset(&server, "ann").await.ok();
    Phone::new(&server, Sdk::Ios).add(&server, &ann).await.ok();
    reset(&server, "zoe").await.ok();
    let scanner = all(&shown("zoe").await).await;
    claim(&server, &scanner, "zoe", "vault").await.0.refused(403, "credential_cooling_off");

    // Another phone is challenged: the same kind twice, another platform, another token, one beside a phone that was there.
    let bob = shown("bob").await;
    Phone::of_kind(&server, Sdk::Ios, "push").add(&server, &bob).await.ok();
    let refused = async |phone: Phone, token: &str| phone.add(&server, token).await.refused(403, "forbidden");
    refused(Phone::of_kind(&server, Sdk::Ios, "push"), &bob).await;
    refused(Phone::new(&server, Sdk::Android), &bob).await;
    refused(Phone::new(&server, Sdk::Ios), &shown("bob").await).await;
    first(&server, "carl").await;
    let carl = shown("carl").await;
    refused(Phone::of_kind(&server, Sdk::Ios, "push"), &carl).await;
    refused(Phone::new(&server, Sdk::Ios), &carl).await;
    // Nor does it bring back what was taken out, or anything after a no.
    let dora = shown("dora").await;
    let phone = Phone::new(&server, Sdk::Ios);
    phone.add(&server, &dora).await.ok();
    let push = Phone::of_kind(&server, Sdk::Ios, "push");
    push.add(&server, &dora).await.ok();
    push.remove(&server, server::clock::Clock::now(&*server.clock).as_second()).await.ok();
    refused(Phone::of_kind(&server, Sdk::Ios, "push"), &dora).await;
    refused(Phone::of_kind(&server, Sdk::Ios, "in-app"), &dora).await;
    let emil = shown("emil").await;
    let phone = Phone::new(&server, Sdk::Ios);
    phone.add(&server, &emil).await.ok();
    let screen = PollingScreen::create(&server, Some(&emil), json!({"action": "login"})).await.expect("a challenge");
    phone.claim(&server, &screen.challenge_id).await.ok();
    phone.answer(&server, &screen.challenge_id, false).await.ok();
    refused(Phone::of_kind(&server, Sdk::Ios, "push"), &emil).await;
    log(&server).await;
    // And it ends with the token.
    server.pass(Duration::from_secs(700)).await;
    Phone::new(&server, Sdk::Ios).add(&server, &bob).await.refused(401, "expired_token");
}

#[tokio::test]
async fn t22_a_tenant_may_want_the_yes_of_a_phone_whatever_the_policy_says() {
    let server = start_with(|config| config.defaults.second_phone = Some(SecondPhone::Approval)).await;
    // The first comes in as ever.
    let scope = json!({"scope": "add:authenticators"});
    let shown = token(&server.track("ann", "hello", scope.clone()).await);
    let old = Phone::new(&server, Sdk::Ios);
    old.add(&server, &shown).await.ok();
    let new = Phone::new(&server, Sdk::Android);
    new.add(&server, &shown).await.refused(403, "forbidden");
    // The backend's own word that the challenge was passed is no phone's.
    let asked = json!({"scope": "add:authenticators", "idempotencyKey": "k1"});
    let asked = token(&server.track("ann", "login", asked).await);
    let word = json!({"state": "CHALLENGE_SUCCEEDED"});
    server.backend("PATCH", "/v1/users/ann/actions/login/k1", word).await.ok();
    new.add(&server, &asked).await.refused(403, "forbidden");

    let asked = token(&server.track("ann", "login", scope).await);
    let screen = PollingScreen::create(&server, Some(&asked), json!({"action": "login"})).await.expect("a challenge");
    old.claim(&server, &screen.challenge_id).await.ok();
    old.answer(&server, &screen.challenge_id, true).await.ok();
    new.add(&server, &asked).await.ok();
    // It was the first phone's wish, and still it waits.
    claim(&server, &new, "ann", "vault").await.0.refused(403, "credential_cooling_off");
}

#[tokio::test]
async fn t22_a_recovery_code_that_confirmed_an_action_lets_no_phone_in_besides() {
    let server = start().await;
    let (_, _, codes) = enrolled_with_codes(&server, "ann").await;
    let shown = token(&server.track("ann", "login", json!({"scope": "add:authenticators"})).await);
    redeem(&server, &shown, &codes[0], "approval").await.ok();
    Phone::new(&server, Sdk::Android).add(&server, &shown).await.refused(403, "forbidden");
}

#[tokio::test]
async fn t22_the_phone_that_was_there_hears_of_a_new_one() {
    let server = start().await;
    let (old, credential, _) = enrolled_with_codes(&server, "ann").await;
    let claimed = async || {
        let shown = token(&server.track("ann", "login", json!({})).await);
        let body = json!({"action": "login"});
        let screen = PollingScreen::create(&server, Some(&shown), body).await.expect("a challenge");
        let claimed = phone_v2::claim(&server, &old, &credential, &screen.challenge_id, "").await.ok();
        (claimed, screen.challenge_id)
    };
    server.pass(Duration::from_secs(60)).await;
    assert_eq!(claimed().await.0.get("phonesAdded"), None);
    second(&server, "ann").await;
    second(&server, "bob").await;
    let told = json!([{"deviceName": "Jo's phone", "devicePlatform": "android", "addedAt": "2026-03-02T10:01:00Z"}]);
    server.pass(Duration::from_secs(60)).await;
    let (first, challenge) = claimed().await;
    assert_eq!(first["phonesAdded"], told);
    // Until it approves: whoever does has seen it and says it is well.
    assert_eq!(claimed().await.0["phonesAdded"], told);
    let answer = phone_v2::decision(&server, &credential, &challenge, &first, "approve");
    phone_v2::decide(&server, &old, &challenge, true, &answer.text()).await.ok();
    server.pass(Duration::from_secs(600)).await;
    assert_eq!(claimed().await.0.get("phonesAdded"), None);

    // A page can show the list.
    let bearer = [("authorization", format!("Bearer {}", token(&server.track("ann", "hello", json!({})).await)))];
    let list = server.request("GET", "/v1/client/user-authenticators", &bearer, None).await.ok();
    let names: Vec<_> =
        list["userAuthenticators"].as_array().expect("a list").iter().map(|phone| &phone["deviceName"]).collect();
    assert_eq!(names, ["Web phone", "Jo's phone"]);
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
