//! Push, with the bytes of the published SDKs: the page asks, the backend hears by webhook, the phone fetches and answers.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use challenge::TenantId;
use serde_json::{Value, json};
use server::clock::Clock;
use server::config::{HookUrl, TenantConfig, WebhookConfig};

use crate::a_kiosk_learns_who_signs_in::enrolled;
use crate::harness::{Server, id, token};
use crate::phone::{Phone, Sdk};
use crate::screen::PollingScreen;

/// A service with a webhook, which nobody listens to: what waits in the outbox is what would be told.
async fn told() -> Server {
    Server::start_with(|config| {
        let secret = config.keys.directory.with_file_name("secret");
        std::fs::write(&secret, "sk_test_of_webhooks").expect("written");
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("private");
        let url = HookUrl::try_from("https://shop.invalid/hooks".to_owned()).expect("a URL");
        let hook = WebhookConfig { name: "shop".to_owned(), url, secret_files: vec![secret], events: Vec::new() };
        let tenant = TenantConfig { webhooks: vec![hook], ..TenantConfig::default() };
        config.tenants.insert("5e1eebc0-31c5-42db-b86f-3981f0081ac6".to_owned(), tenant);
    })
    .await
}

/// The pushes that the backend was asked to send, oldest first.
async fn pushes(server: &Server) -> Vec<Value> {
    let tenant = TenantId::parse(server.tenant.clone()).expect("an id");
    let later = server.clock.now() + jiff::SignedDuration::from_hours(1);
    let mut due = server.app.store.due_deliveries(&tenant, "shop", later, 500).await.expect("the outbox");
    // Attempts are under way, and what failed has another time.
    due.sort_by_key(|delivery| delivery.number);
    let pushes = due.into_iter().filter(|delivery| delivery.kind.as_str() == "push.created");
    pushes.map(|delivery| serde_json::from_str(&delivery.data).expect("JSON")).collect()
}

pub async fn pushable(server: &Server, user: &str, sdk: Sdk) -> Phone {
    let phone = Phone::of_kind(server, sdk, "push");
    phone.add(server, &server.enrolment_token(user).await).await.ok();
    phone
}

pub async fn send(server: &Server, token: &str) -> crate::harness::Reply {
    let headers = [("authorization", format!("Bearer {token}"))];
    server.request("POST", "/v1/client/challenge/push", &headers, Some(r#"{"action":"pay"}"#.to_owned())).await
}

pub async fn poll(server: &Server, token: &str, challenge: &str) -> crate::harness::Reply {
    let headers = [("authorization", format!("Bearer {token}"))];
    let body = json!({"challengeId": challenge}).to_string();
    server.request("POST", "/v1/client/verify/push", &headers, Some(body)).await
}

#[tokio::test]
async fn the_backend_is_asked_to_push_and_the_phones_one_signature_decides() {
    let server = told().await;
    for sdk in [Sdk::Ios, Sdk::Android, Sdk::Legacy] {
        let user = format!("ann-{sdk:?}");
        let phone = pushable(&server, &user, sdk).await;
        let credential = phone.get(&server).await.ok()["userAuthenticatorId"].clone();
        let nothing = phone.pending(&server, None).await.ok();
        assert_eq!(nothing, json!({"userAuthenticatorId": credential}), "nothing is pending");

        let tracked = server
            .track(
                &user,
                "pay",
                json!({
                    "idempotencyKey": "k1", "ipAddress": "8.8.8.8", "userAgent": "Firefox", "deviceId": "desk",
                    "custom": {"amount": {"value": "20.00", "currency": "EUR"}, "payee": "Bakery"},
                }),
            )
            .await;
        let page = token(&tracked);
        let challenge = id(&send(&server, &page).await.ok());
        let pushed = pushes(&server).await.pop().expect("a push");
        let expected = [
            ("to", "apns/token-1"),
            ("userId", &user),
            ("actionCode", "pay"),
            ("verificationMethod", "PUSH"),
            ("challengeId", &challenge),
            ("idempotencyKey", "k1"),
        ];
        for (name, value) in expected {
            assert_eq!(pushed[name], value, "{pushed}");
        }
        assert_eq!(pushed["userAuthenticatorId"], credential);

        // Phones since 2026-06 sign the question.
        let message =
            phone.message(&server, "/challenge/sign").await.ok()["message"].as_str().expect("a message").to_owned();
        let asked = phone.pending(&server, Some(&phone.sign(&message))).await.ok();
        assert_eq!(phone.pending(&server, None).await.ok(), asked);
        phone.pending(&server, Some(&phone.sign(&challenge))).await.refused(400, "invalid_signature");
        phone.pending(&server, Some("nonsense")).await.refused(400, "invalid_signature");
        let other = pushable(&server, &format!("bob-{sdk:?}"), sdk).await;
        phone.pending(&server, Some(&other.sign(&message))).await.refused(400, "invalid_signature");
        other.pending(&server, Some(&other.sign(&message))).await.refused(400, "invalid_signature");
        assert_eq!((&asked["challengeId"], &asked["userId"]), (&json!(challenge), &json!(user)));
        assert_eq!((&asked["actionCode"], &asked["userAuthenticatorId"]), (&json!("pay"), &credential));
        assert!(
            asked["expiresAt"].is_i64() && asked["custom"].is_object() && asked["user"]["custom"].is_object(),
            "{asked}"
        );
        assert_eq!((&asked["custom"]["payee"], &asked["ipAddress"]), (&json!("Bakery"), &json!("8.8.8.8")));
        assert_eq!((&asked["userAgent"], &asked["deviceId"]), (&json!("Firefox"), &json!("desk")));

        let waiting = poll(&server, &page, &challenge).await.ok();
        assert_eq!((&waiting["isVerified"], &waiting["isConsumed"]), (&json!(false), &json!(false)));
        let signature = phone.sign(&challenge);
        let answer = || phone.answer_signed(&server, &challenge, true, None, &signature);
        assert_eq!(answer().await.ok(), json!({"isVerified": true}));
        // The reply was lost: the same request is the same answer.
        assert_eq!(answer().await.ok(), json!({"isVerified": true}));
        phone.answer(&server, &challenge, false).await.refused(409, "challenge_already_answered");
        assert_eq!(phone.pending(&server, None).await.ok(), nothing);

        let done = poll(&server, &page, &challenge).await.ok();
        assert_eq!((&done["isVerified"], &done["isConsumed"]), (&json!(true), &json!(true)));
        let validated = server.validate(json!({"token": done["accessToken"], "action": "pay", "userId": user})).await;
        assert_eq!((&validated["isValid"], &validated["state"]), (&json!(true), &json!("CHALLENGE_SUCCEEDED")));
        assert_eq!(validated["verificationMethod"], "PUSH");
        let action = server.backend("GET", &format!("/v1/users/{user}/actions/pay/k1"), Value::Null).await.ok();
        assert_eq!(
            (&action["verificationMethod"], &action["verifiedByAuthenticatorId"]),
            (&json!("PUSH"), &credential)
        );
    }
}

#[tokio::test]
async fn a_push_is_rejected_or_runs_out() {
    let server = told().await;
    let phone = pushable(&server, "ann", Sdk::Android).await;
    let page = token(&server.pay("ann", "k1").await);
    let challenge = id(&send(&server, &page).await.ok());
    assert_eq!(phone.answer(&server, &challenge, false).await.ok(), json!({"isVerified": false}));
    let over = poll(&server, &page, &challenge).await.ok();
    assert_eq!(
        (&over["isVerified"], &over["isConsumed"], &over["accessToken"]),
        (&json!(false), &json!(true), &json!(null))
    );
    assert_eq!(server.state("ann", "pay", "k1").await, "CHALLENGE_FAILED");

    let page = token(&server.pay("ann", "k2").await);
    let challenge = id(&send(&server, &page).await.ok());
    server.pass(Duration::from_secs(590)).await;
    assert_eq!(phone.pending(&server, None).await.ok()["challengeId"], json!(challenge));
    server.pass(Duration::from_secs(20)).await;
    assert_eq!(phone.pending(&server, None).await.ok()["challengeId"], json!(null));
    phone.answer(&server, &challenge, true).await.refused(400, "challenge_expired");
}

#[tokio::test]
async fn asking_twice_is_one_push_and_a_phone_that_takes_none_gets_none() {
    let server = told().await;
    enrolled(&server, "ann", Sdk::Ios).await;
    let page = token(&server.pay("ann", "k1").await);
    send(&server, &page).await.refused(400, "invalid_configuration");
    pushable(&server, "ann", Sdk::Ios).await;
    let first = id(&send(&server, &page).await.ok());
    assert_eq!(id(&send(&server, &page).await.ok()), first);
    assert_eq!(pushes(&server).await.len(), 1);
}

#[tokio::test]
async fn a_push_is_nobody_elses() {
    let server = told().await;
    let scanner = enrolled(&server, "ann", Sdk::Ios).await;
    let phone = pushable(&server, "ann", Sdk::Ios).await;
    let stranger = pushable(&server, "bob", Sdk::Android).await;
    let page = token(&server.pay("ann", "k1").await);
    let challenge = id(&send(&server, &page).await.ok());
    let before = server.app.store.log_head().await.expect("the log").size;

    assert_eq!(stranger.pending(&server, None).await.ok()["challengeId"], json!(null));
    stranger.answer(&server, &challenge, true).await.refused(403, "wrong_user");
    // A key for codes neither claims nor answers a push, and a key for pushes no code.
    scanner.claim(&server, &challenge).await.refused(404, "challenge_not_found");
    scanner.answer(&server, &challenge, true).await.refused(404, "challenge_not_found");
    // Only refusals were written down.
    assert_eq!(poll(&server, &page, &challenge).await.ok()["state"], "unclaimed");
    assert!(server.app.store.log_head().await.expect("the log").size > before);
    let other = token(&server.pay("ann", "k2").await);
    poll(&server, &other, &challenge).await.refused(404, "challenge_not_found");
    poll(&server, &page, "3a991a14-690c-492b-a5e5-02b9056a4b7d").await.refused(404, "challenge_not_found");

    let screen = PollingScreen::create(&server, Some(&other), json!({"action": "pay"})).await.expect("a challenge");
    phone.answer(&server, &screen.challenge_id, true).await.refused(404, "challenge_not_found");
    scanner.claim(&server, &screen.challenge_id).await.ok();
    assert_eq!(phone.answer(&server, &challenge, true).await.ok(), json!({"isVerified": true}));
}

#[tokio::test]
async fn a_phone_keeps_its_push_token_fresh() {
    let server = told().await;
    for sdk in [Sdk::Ios, Sdk::Android, Sdk::Legacy] {
        let user = format!("ann-{sdk:?}");
        let phone = pushable(&server, &user, sdk).await;
        let asked = phone.message(&server, "/sign").await.ok();
        let message = asked["message"].as_str().expect("a message");
        let challenge = id(&asked);
        phone.update(&server, &challenge, &challenge, "x").await.refused(400, "invalid_signature");
        let updated = phone.update(&server, &challenge, message, "apns/token-2").await.ok();
        for member in ["userAuthenticatorId", "userId", "lastVerifiedAt"] {
            assert!(updated[member].is_string(), "{updated}");
        }
        assert_eq!(updated["pushToken"], "apns/token-2");
        phone.update(&server, &challenge, message, "apns/token-3").await.refused(401, "signature_reused");
        // One that was asked for too long ago counts for nothing.
        let asked = phone.message(&server, "/sign").await.ok();
        server.clock.advance(Duration::from_secs(1_201));
        let message = asked["message"].as_str().expect("a message");
        phone.update(&server, &id(&asked), message, "apns/token-4").await.refused(400, "invalid_signature");
        // Nor does a question.
        let asked = phone.message(&server, "/challenge/sign").await.ok();
        let signed = phone.sign(asked["message"].as_str().expect("a message"));
        phone.pending(&server, Some(&signed)).await.ok();
        server.clock.advance(Duration::from_secs(1_201));
        phone.pending(&server, Some(&signed)).await.refused(400, "invalid_signature");

        send(&server, &token(&server.pay(&user, "k1").await)).await.ok();
        assert_eq!(pushes(&server).await.pop().expect("a push")["to"], "apns/token-2");
        phone.remove(&server, server.clock.now().as_second()).await.ok();
        phone.message(&server, "/sign").await.refused(400, "invalid_credential");
        phone.pending(&server, None).await.refused(400, "invalid_credential");
    }
}

#[tokio::test]
async fn a_policy_that_asks_for_the_number_of_the_screen_takes_no_push_of_a_stock_phone() {
    let server = Server::start_with(|config| {
        let rules = "event challenge_claim {}\n\npolicy always on challenge_claim {\n  default challenge qr\n}\n";
        std::fs::write(config.policies.pack.join("claim.rules"), rules).expect("written");
    })
    .await;
    let phone = pushable(&server, "ann", Sdk::Ios).await;
    let page = token(&server.pay("ann", "k1").await);
    let challenge = id(&send(&server, &page).await.ok());
    // Its signature would not cover the number (T-17).
    phone.answer(&server, &challenge, true).await.refused(400, "protocol_too_old");
    assert_eq!(poll(&server, &page, &challenge).await.ok()["state"], "unclaimed");

    let app = Phone::of_kind(&server, Sdk::Ios, "in-app");
    app.add(&server, &server.enrolment_token("ann").await).await.ok();
    let page = token(&server.pay("ann", "k2").await);
    let challenge = id(&app.ask(&server, None).await.ok());
    let refused = app.verify(&server, &challenge, Some(&page)).await;
    // Whatever it signs with: no other screen is there to show a number.
    refused.refused(403, "action_blocked");
    assert!(
        refused.body["reasons"].as_array().expect("reasons").iter().any(|reason| reason["code"] == "NO_OTHER_SCREEN")
    );
    assert_eq!(server.state("ann", "pay", "k2").await, "CHALLENGE_REQUIRED");
}
