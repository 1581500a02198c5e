//! `/openapi.json` says how each answer looks. Every test here and over HTTP holds what it hears against that; this one asks
//! each operation of backends once, so that none is said without being seen.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use server::config::ClientConfig;

use crate::a_terminal_vouches_for_its_screen::Kiosk;
use crate::an_administrator_resets_a_user::{ADMIN, admit};
use crate::an_approval_counts_once::approved;
use crate::answers::{self, Document};
use crate::harness::Server;
use crate::phone::{Phone, Sdk};

/// The same service with a list.
async fn start() -> Server {
    Server::start_with(|config| {
        config.defaults.clients.insert("web".to_owned(), ClientConfig::default());
        std::fs::write(config.policies.pack.join("lists.rules"), "list @blocked: ip managed").expect("written");
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
    ask("GET", "/v1/policies", none()).await;
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

    assert_eq!(answers::not_yet_answered(), Vec::<String>::new());
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
    for wrong in [json!({"success": false}), json!({}), json!([]), json!({"success": true, "secret": "x"})] {
        assert!(judge("/v1/things/7", wrong.clone()).is_err(), "{wrong}");
    }
}
