//! `/openapi.json` says how each answer looks. Every test here and over HTTP holds what it hears against that; these ask each
//! operation once, so that none is said without being seen.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use server::clock::Clock;
use server::config::ClientConfig;

use crate::a_kiosk_learns_who_signs_in::enrolled;
use crate::a_lost_phone_is_recovered::{redeem, texts};
use crate::a_push_is_answered_by_the_phone::{poll, pushable, send};
use crate::a_terminal_vouches_for_its_screen::Kiosk;
use crate::an_administrator_resets_a_user::{ADMIN, admit};
use crate::an_approval_counts_once::approved;
use crate::answers::{self, Document};
use crate::harness::{Server, id, token};
use crate::phone::{Phone, Sdk};
use crate::phone_v2;
use crate::screen::PollingScreen;

/// The same service with a list, and a sign-in that a recovery code may confirm.
async fn start() -> Server {
    Server::start_with(|config| {
        config.defaults.clients.insert("web".to_owned(), ClientConfig::default());
        let rules = "list @blocked: ip managed\n\nevent login {}\n\n\
            policy login on login {\n  default challenge qr { level: possession }\n}\n";
        std::fs::write(config.policies.pack.join("more.rules"), rules).expect("written");
    })
    .await
}

#[tokio::test]
async fn every_operation_of_backends_answers_as_the_document_says() {
    let server = start().await;
    admit(&server, "admin", ADMIN).await;
    let ask = async |method: &str, path: &str, body: Value| {
        let authorization = format!("Basic {}", STANDARD.encode(format!("{ADMIN}:")));
        let body = (method != "GET").then(|| body.to_string());
        server.request(method, path, &[("authorization", authorization)], body).await.ok()
    };
    let none = || Value::Null;
    let text = |answer: &Value, name: &str| answer[name].as_str().expect("a text").to_owned();

    // A user with a phone, a browser, and everything that can be known of them.
    let known = json!({"email": "ann@example.org", "emailVerified": true, "phoneNumber": "+491234", "username": "ann",
        "displayName": "Ann", "locale": "en-NZ", "custom": {"tier": 3}});
    ask("PATCH", "/v1/users/ann", known).await;
    server.track("ann", "sign_in", json!({"deviceId": "laptop", "redirectUrl": "https://nowhere.example/"})).await;
    let (validated, for_session) = (approved(&server, "ann", "k1").await, approved(&server, "bob", "k2").await);
    ask("POST", "/v1/validate", json!({"token": validated})).await;
    ask("POST", "/v1/validate", json!({"token": validated})).await;
    ask("POST", "/v1/validate", json!({"token": "x.y.z"})).await;
    ask("POST", "/v1/users/ann/actions/sign_in?explain=true", json!({})).await;
    server.pay("ann", "k3").await;
    for path in
        ["/v1/challenges?userId=ann", "/v1/challenges?userId=nobody", "/v1/users?limit=1", "/v1/decisions?limit=1"]
    {
        ask("GET", path, none()).await;
    }
    let paid = ask("GET", "/v1/users/ann/actions/pay/k1", none()).await;
    ask("GET", "/v1/users/ann/actions", none()).await;
    ask("GET", &format!("/v1/decisions/{}", text(&paid, "decisionId")), none()).await;
    ask("PATCH", "/v1/users/ann/actions/pay/k3", json!({"state": "REVIEW_SUCCEEDED"})).await;
    ask("GET", "/v1/users/ann", none()).await;
    ask("GET", "/v1/users/ann/devices", none()).await;
    let until = json!({"rememberedUntil": "2027-01-01T00:00:00Z"});
    ask("PATCH", "/v1/users/ann/devices/laptop", until).await;
    ask("POST", "/v1/users/ann/devices/laptop/invalidate", json!({})).await;

    // Sessions.
    let begun = ask("POST", "/v1/sessions", json!({"clientId": "web", "token": for_session})).await;
    ask("POST", "/v1/sessions/validate", json!({"accessToken": begun["accessToken"]})).await;
    let next = ask("POST", "/v1/sessions/refresh", json!({"refreshToken": begun["refreshToken"]})).await;
    ask("POST", "/v1/sessions/revoke", json!({"accessToken": next["accessToken"]})).await;
    ask("POST", "/v1/sessions/user/revoke", json!({"userId": "bob"})).await;

    // Rules and lists.
    let version = ask("GET", "/v1/policies", none()).await["version"].as_str().expect("a version").to_owned();
    ask("GET", &format!("/v1/policies/{version}"), none()).await;
    for source in ["event e {}\npolicy p on e { default allow }", "policy p on e { default allow }"] {
        ask("POST", "/v1/policies/check", json!({"source": source})).await;
    }
    let custom = json!({"amount": {"value": "20.00", "currency": "EUR"}, "payee": "Bakery"});
    ask("POST", "/v1/evaluate", json!({"userId": "ann", "action": "pay", "custom": custom})).await;
    ask("POST", "/v1/evaluate", json!({"userId": "ann", "action": "sign_in"})).await;
    let list = "/v1/lists/blocked/entries";
    ask("POST", list, json!({"value": "203.0.113.9", "reason": "attack", "expiresAt": "2027-01-01T00:00:00Z"})).await;
    ask("POST", list, json!({"value": "203.0.113.10"})).await;
    ask("GET", list, none()).await;
    ask("DELETE", &format!("{list}?value=203.0.113.9"), none()).await;

    // Terminals, with a place and without.
    Kiosk::registered(&server, "kiosk-7").await;
    let key = Phone::new(&server, Sdk::Android).public_key();
    ask("PUT", "/v1/terminals/kiosk-8", json!({"publicKey": key, "name": "Kiosk 8"})).await;
    ask("GET", "/v1/terminals/kiosk-7", none()).await;
    ask("DELETE", "/v1/terminals/kiosk-7", none()).await;
    ask("GET", "/v1/terminals", none()).await;

    // What an administrator does, and the end of it all.
    for path in ["/v1/webhooks", "/v1/webhooks/dead-letters"] {
        ask("GET", path, none()).await;
    }
    ask("POST", "/v1/webhooks/redeliver", json!({})).await;
    ask("POST", "/v1/users/ann/authenticators", json!({"verificationMethod": "RECOVERY_CODE"})).await;
    let phones = ask("GET", "/v1/users/bob/authenticators", none()).await;
    let phone = text(&phones[0], "userAuthenticatorId");
    ask("DELETE", &format!("/v1/users/bob/authenticators/{phone}"), none()).await;
    ask("POST", "/v1/users/ann/reset", json!({"reason": "phone stolen", "author": "Kim at the help desk"})).await;
    ask("DELETE", "/v1/users/ann", none()).await;
    ask("GET", &format!("/v1/decisions/{}", text(&paid, "decisionId")), none()).await;

    assert_eq!(unanswered(|operation| !operation.contains(" /client/")), Vec::<String>::new());
}

#[tokio::test]
async fn every_operation_of_screens_and_phones_answers_as_the_document_says() {
    let server = start().await;
    let text = |answer: &Value, name: &str| answer[name].as_str().expect("a text").to_owned();
    let as_holder = async |token: &str, method: &str, path: &str, body: Value| {
        let bearer = [("authorization", format!("Bearer {token}"))];
        let body = (method != "GET").then(|| body.to_string());
        server.request(method, &format!("/v1/client{path}"), &bearer, body).await.ok()
    };

    // Ann has a key of each kind, of both versions, and one without a name.
    let scanner = enrolled(&server, "ann", Sdk::Ios).await;
    let pushed = pushable(&server, "ann", Sdk::Android).await;
    let app = Phone::of_kind(&server, Sdk::Android, "in-app");
    let own = Phone::new(&server, Sdk::Android);
    let scope = server.enrolment_token("ann").await;
    app.add(&server, &scope).await.ok();
    let added = phone_v2::enrol_with(&server, &own, &scope, json!({"recoveryCodes": true})).await.ok();
    let (credential, codes) = (text(&added, "userAuthenticatorId"), texts(&added));
    let nameless = json!({"publicKey": Phone::new(&server, Sdk::Ios).public_key()});
    as_holder(&scope, "POST", "/user-authenticators/qr-code", nameless).await;
    as_holder(&scope, "GET", "/user-authenticators", Value::Null).await;
    scanner.get(&server).await.ok();

    // A kiosk's code, which a phone of theirs approves, and a page's, which one of ours declines.
    let asked = json!({"action": "kiosk-login", "rollingQr": true});
    let kiosk = PollingScreen::create(&server, None, asked).await.expect("a challenge");
    kiosk.poll(&server).await.ok();
    scanner.claim(&server, &kiosk.challenge_id).await.ok();
    kiosk.poll(&server).await.ok();
    scanner.answer(&server, &kiosk.challenge_id, true).await.ok();
    kiosk.poll(&server).await.ok();
    let page = token(&server.pay("ann", "k1").await);
    let screen = PollingScreen::create(&server, Some(&page), json!({"action": "pay"})).await.expect("a challenge");
    let claimed = phone_v2::claim(&server, &own, &credential, &screen.challenge_id, "").await.ok();
    let declines = phone_v2::decision(&server, &credential, &screen.challenge_id, &claimed, "reject");
    phone_v2::decide(&server, &own, &screen.challenge_id, false, &declines.text()).await.ok();
    screen.poll(&server).await.ok();

    // A push, and the phone that says where it is now.
    pushed.pending(&server, None).await.ok();
    let page = token(&server.pay("ann", "k2").await);
    let challenge = id(&send(&server, &page).await.ok());
    pushed.pending(&server, None).await.ok();
    phone_v2::pending(&server, &pushed).await.ok();
    poll(&server, &page, &challenge).await.ok();
    pushed.answer(&server, &challenge, true).await.ok();
    poll(&server, &page, &challenge).await.ok();
    let to_sign = pushed.message(&server, "/sign").await.ok();
    pushed.update(&server, &id(&to_sign), &text(&to_sign, "message"), "apns/token-2").await.ok();

    // An app that asks for itself, of a user with a name and of one without.
    let page = token(&server.pay("ann", "k3").await);
    app.verify(&server, &id(&app.ask(&server, None).await.ok()), Some(&page)).await.ok();
    server.backend("PATCH", "/v1/users/ann", json!({"username": "ann"})).await.ok();
    app.verify(&server, &id(&app.ask(&server, Some("kiosk-login")).await.ok()), None).await.ok();

    // Recovery codes, and a key that takes itself out.
    for (code, purpose) in [(&codes[0], "approval"), (&codes[1], "enrolment")] {
        let page = token(&server.track("ann", "login", json!({})).await);
        redeem(&server, &page, code, purpose).await.ok();
    }
    as_holder(&scope, "POST", "/user-authenticators/recovery-code", json!({})).await;
    scanner.remove(&server, server.clock.now().as_second()).await.ok();
    let keys = format!("/v1/client/public/{}/.well-known/jwks", server.tenant);
    server.request("GET", &keys, &[], None).await.ok();

    assert_eq!(unanswered(|operation| operation.contains(" /client/")), Vec::<String>::new());
}

/// The operations of these that were not answered yet.
fn unanswered(of: impl Fn(&String) -> bool) -> Vec<String> {
    answers::not_yet_answered().into_iter().filter(of).collect()
}

#[test]
fn what_the_document_does_not_say_is_noticed() {
    let schema = json!({"type": "object", "required": ["success"], "properties": {"success": {"const": true}}});
    let content = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Success"}}});
    let paths = json!({"/things/{thing}": {"delete": {"responses": {"200": {"content": content}}}}});
    let document = Document::of(&json!({"paths": paths, "components": {"schemas": {"Success": schema}}}));
    let judge = |path: &str, body: Value| document.judge("DELETE", path, &body);
    assert_eq!(judge("/v1/things/7?x=1", json!({"success": true})), Ok(Some("DELETE /things/".to_owned())));
    assert_eq!(judge("/v1/things/7/parts", json!(7)), Ok(None));
    assert!(judge("/v1/client/things/7", json!(7)).is_err(), "what screens and phones hear is described");
    for wrong in [json!({"success": false}), json!({}), json!([]), json!({"success": true, "secret": "x"})] {
        assert!(judge("/v1/things/7", wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn a_path_that_names_its_kind_is_held_against_its_own_schema() {
    let answered = |name: &str| {
        let content = json!({"application/json": {"schema": {"type": "object", "required": [name]}}});
        json!({"post": {"responses": {"200": {"content": content}}}})
    };
    let document = Document::of(&json!({
        "paths": {
            "/client/keys/{kind}": answered("key"),
            "/client/keys/codes": answered("codes"),
            "/client/verify/push": answered("pushed"),
            "/client/verify/in-app": answered("token"),
        },
        "components": {"schemas": {}},
    }));
    for (path, name) in [("keys/push", "key"), ("keys/codes", "codes"), ("verify/device", "token")] {
        let judged = document.judge("POST", &format!("/v1/client/{path}"), &json!({name: "x"}));
        assert!(judged.is_ok_and(|operation| operation.is_some()), "{path}");
    }
    assert!(document.judge("POST", "/v1/client/keys/codes", &json!({"key": "x"})).is_err());
}
