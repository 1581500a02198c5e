use serde_json::json;
use server::clock::Clock;
use server::config::MobileProtocol;

use crate::a_kiosk_learns_who_signs_in::enrolled;
use crate::harness::{OTHER_TENANT, Server, token};
use crate::phone::{Phone, Sdk, quoted};
use crate::phone_v2;
use crate::screen::PollingScreen;

#[tokio::test]
async fn every_sdk_finds_what_it_added() {
    let server = Server::start().await;
    for sdk in [Sdk::Ios, Sdk::Android, Sdk::Legacy] {
        let user = format!("ann-{sdk:?}");
        let phone = Phone::new(&server, sdk);
        phone.get(&server).await.refused(404, "unknown_credential");
        let added = phone.add(&server, &server.enrolment_token(&user).await).await.ok();
        let found = phone.get(&server).await.ok();
        for member in ["userAuthenticatorId", "userId", "verifiedAt"] {
            assert!(found[member].is_string(), "{found}");
            assert_eq!(found[member], added[member]);
        }
        assert_eq!(found["userId"], json!(user));
    }
}

#[tokio::test]
async fn a_first_phone_needs_no_scope_and_a_second_does() {
    let server = Server::start().await;
    let plain = token(&server.track("ann", "sign_in", json!({})).await);
    let first = Phone::new(&server, Sdk::Ios);
    first.add(&server, &plain).await.ok();
    // A repeated request is the same enrolment.
    first.add(&server, &plain).await.ok();

    let second = Phone::new(&server, Sdk::Android);
    second.add(&server, &plain).await.refused(403, "forbidden");
    second.add(&server, &server.enrolment_token("ann").await).await.ok();
}

#[tokio::test]
async fn a_blocked_action_adds_no_phone() {
    let server = Server::start().await;
    let closed = json!({"scope": "add:authenticators", "custom": {"till": "13"}});
    let tracked = server.track("ann", "kiosk-login", closed).await;
    assert_eq!(tracked["state"], "BLOCK", "{tracked}");
    let phone = Phone::new(&server, Sdk::Ios);
    phone.add(&server, &token(&tracked)).await.refused(403, "action_blocked");
    phone.get(&server).await.refused(404, "unknown_credential");
}

#[tokio::test]
async fn one_key_is_one_users() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    phone.add(&server, &server.enrolment_token("bob").await).await.refused(409, "key_taken");
}

#[tokio::test]
async fn a_tenant_cannot_add_and_a_foreign_tenant_cannot_find() {
    let server = Server::start().await;
    for sdk in [Sdk::Ios, Sdk::Android, Sdk::Legacy] {
        let mut phone = enrolled(&server, &format!("ann-{sdk:?}"), sdk).await;
        let screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
        phone.tenant = OTHER_TENANT.to_owned();
        phone.get(&server).await.refused(404, "unknown_credential");
        phone.claim(&server, &screen.challenge_id).await.refused(404, "unknown_credential");
        phone.tenant = "00000000-0000-4000-8000-000000000000".to_owned();
        phone.get(&server).await.refused(401, "unauthorized");
    }
}

#[tokio::test]
async fn removal_is_for_good_and_a_repeat_hears_the_same() {
    let server = Server::start().await;
    for (sdk, skew_s) in [(Sdk::Ios, 0), (Sdk::Android, -600), (Sdk::Legacy, 600)] {
        let user = format!("ann-{sdk:?}");
        let is_enrolled = async || {
            let known = server.backend("GET", &format!("/v1/users/{user}"), json!(null)).await.ok();
            known["isEnrolled"] == true
        };
        assert!(!is_enrolled().await);
        let phone = enrolled(&server, &user, sdk).await;
        assert!(is_enrolled().await);
        let now = server.clock.now().as_second() + skew_s;
        let removed = phone.remove(&server, now).await.ok();
        assert!(!is_enrolled().await, "the backend hears of it at once");
        assert!(removed["removedAuthenticatorId"].is_string());
        let entries = async || server.app.store.log_head().await.expect("the log").size;
        let before = entries().await;
        assert_eq!(phone.remove(&server, now).await.ok(), removed);
        assert_eq!(entries().await, before, "one removal, one entry in the log (T-15)");
        phone.get(&server).await.refused(400, "invalid_credential");

        let screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
        phone.claim(&server, &screen.challenge_id).await.refused(403, "credential_revoked");
        let token = server.enrolment_token(&format!("ann-{sdk:?}")).await;
        phone.add(&server, &token).await.refused(400, "invalid_credential");
    }
}

/// A push token is personal: it is kept where a push is sent, and nowhere else.
#[tokio::test]
async fn a_push_token_is_kept_for_pushes_alone() {
    let server = Server::start().await;
    for (kind, kept) in [("qr-code", None), ("in-app", None), ("push", Some("apns/1")), ("device", Some("apns/1"))] {
        let phone = Phone::new(&server, Sdk::Ios);
        let headers = [("authorization", format!("Bearer {}", server.enrolment_token(kind).await))];
        let body = json!({"publicKey": phone.public_key(), "devicePlatform": "ios", "pushToken": "apns/1"});
        let path = format!("/v1/client/user-authenticators/{kind}");
        server.request("POST", &path, &headers, Some(body.to_string())).await.ok();
        let (tenant, user) = (challenge::TenantId::parse(server.tenant.as_str()), challenge::UserId::parse(kind));
        let phones = server.app.store.credentials(&tenant.expect("a tenant"), &user.expect("a user")).await;
        let tokens: Vec<_> = phones.expect("phones").into_iter().map(|phone| phone.push_token).collect();
        assert_eq!(tokens, [kept.map(str::to_owned)], "{kind}");
    }
}

/// The backend may have mixed up two users.
#[tokio::test]
async fn a_phone_is_taken_from_its_own_user_alone() {
    let server = Server::start().await;
    let (ann, _) = (enrolled(&server, "ann", Sdk::Ios).await, enrolled(&server, "bob", Sdk::Ios).await);
    let credential = ann.get(&server).await.ok()["userAuthenticatorId"].as_str().expect("an id").to_owned();
    let remove = |user: &str| {
        let path = format!("/v1/users/{user}/authenticators/{credential}");
        let server = &server;
        async move { server.backend("DELETE", &path, json!({})).await }
    };
    remove("bob").await.refused(404, "credential_not_found");
    ann.get(&server).await.ok();
    remove("ann").await.ok();
    ann.get(&server).await.refused(400, "invalid_credential");
}

#[tokio::test]
async fn a_removal_signed_long_ago_removes_nothing() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let now = server.clock.now().as_second();
    for old in [now - 1200, now + 1200, 0] {
        phone.remove(&server, old).await.refused(400, "invalid_signature");
    }
    phone.get(&server).await.ok();
}

#[tokio::test]
async fn a_removal_signature_fished_by_a_qr_removes_nothing() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let now = server.clock.now().as_second();
    let fished = format!("{}.0", now.div_euclid(600));
    phone.claim(&server, &fished).await.refused(400, "invalid_challenge_id");
    phone.remove(&server, now).await.refused(401, "signature_reused");
    phone.get(&server).await.ok();
}

#[tokio::test]
async fn a_key_that_is_no_p256_key_is_refused() {
    let server = Server::start().await;
    let token = server.enrolment_token("ann").await;
    let good = Phone::new(&server, Sdk::Ios).public_key();
    let off_curve = format!("{}AAAA{}", &good[..100], &good[104..]);
    for key in ["", "AAAA", "not base64!", &good[..120], &format!("{good}AAAA"), &off_curve] {
        let body = format!("{{\"publicKey\":{},\"deviceName\":\"x\",\"devicePlatform\":\"ios\"}}", quoted(key));
        let headers = [("authorization", format!("Bearer {token}"))];
        let reply = server.request("POST", "/v1/client/user-authenticators/qr-code", &headers, Some(body)).await;
        assert_eq!(reply.status, 400, "{key}: {}", reply.body);
    }
}

/// Whoever learns a public key learns of its owner by it, unless the question is signed (design: get-credential).
#[tokio::test]
async fn whose_a_key_is_may_be_asked_by_the_key_itself_alone() {
    let server = Server::start_with(|config| {
        config.defaults.min_mobile_protocol.insert("*".to_owned(), MobileProtocol::V2);
    })
    .await;
    let (phone, stranger) = (Phone::new(&server, Sdk::Ios), Phone::new(&server, Sdk::Ios));
    let token = server.enrolment_token("ann").await;
    phone_v2::enrol(&server, &phone, &token).await.ok();
    phone.get(&server).await.refused(400, "protocol_too_old");
    stranger.get(&server).await.refused(400, "protocol_too_old");

    let basic = [("authorization", phone.basic())];
    let asked = server.request("POST", "/v1/client/challenge", &basic, Some("{}".into())).await.ok();
    let nonce = asked["nonce"].as_str().expect("a nonce").to_owned();
    let ask = async |signer: &Phone, signed_path: &str, signed_nonce: &str, nonce: &str| {
        let path = phone.path("");
        let text = phone_v2::message(
            "auth",
            &[("method", "GET"), ("path", signed_path), ("body", &phone_v2::sha256(b"")), ("nonce", signed_nonce)],
        );
        let headers = [("authorization", phone.basic()), ("x-authsignal-signature", signer.sign(&text))];
        let query = format!("?publicKey={}&version=2&nonce={nonce}", phone.key_in_query());
        server.request("GET", &format!("{path}{query}"), &headers, None).await
    };
    let path = phone.path("");
    // Twice, as an answer may be lost.
    for _ in 0..2 {
        assert_eq!(ask(&phone, &path, &nonce, &nonce).await.ok()["userId"], "ann");
    }
    let enrolments = phone_v2::nonce(&server, &token).await;
    ask(&stranger, &path, &nonce, &nonce).await.refused(400, "invalid_signature");
    ask(&phone, "/v1/client/user-authenticators/push", &nonce, &nonce).await.refused(400, "invalid_signature");
    ask(&phone, &path, &enrolments, &nonce).await.refused(400, "invalid_signature");
    for (nonce, code) in [(enrolments.as_str(), "unknown-nonce"), ("short", "invalid")] {
        let refused = ask(&phone, &path, nonce, nonce).await;
        assert_eq!((refused.status, &refused.body["errors"][0]["code"]), (400, &serde_json::json!(code)));
    }
    server.clock.advance(std::time::Duration::from_secs(1_200));
    assert_eq!(ask(&phone, &path, &nonce, &nonce).await.body["errors"][0]["code"], "unknown-nonce");
}
