//! What published SDKs insist on and no other test looks at. `docs/wire.md` has the whole list.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::a_kiosk_learns_who_signs_in::enrolled;
use crate::an_approval_counts_once::approved;
use crate::harness::{SECRET, Server, id, token};
use crate::phone::Sdk;
use crate::screen::{PollingScreen, Screen};

/// .NET's SDK reads these and throws on any other.
const CLOSED_LIST: [&str; 13] = [
    "SMS",
    "EMAIL_MAGIC_LINK",
    "EMAIL_OTP",
    "AUTHENTICATOR_APP",
    "PASSKEY",
    "SECURITY_KEY",
    "PUSH",
    "VERIFF",
    "IPROOV",
    "IDVERSE",
    "RECOVERY_CODE",
    "DEVICE",
    "WHATSAPP",
];

/// Every value of a member whose name ends in `verificationMethod(s)`, however deep.
fn methods(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let lower = name.to_lowercase();
                if lower.ends_with("verificationmethod") || lower.ends_with("verificationmethods") {
                    let texts = member.as_array().cloned().unwrap_or_else(|| vec![member.clone()]);
                    found.extend(texts.iter().map(|text| text.as_str().expect("a text").to_owned()));
                }
                methods(member, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| methods(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn verification_methods_are_words_of_the_closed_list() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Android).await;
    let tracked = server.pay("ann", "k1").await;
    let screen = PollingScreen::create(&server, Some(&token(&tracked)), json!({"action": "pay"})).await.expect("one");
    let open = server.backend("GET", "/v1/challenges?userId=ann", Value::Null).await.ok();
    phone.claim(&server, &screen.challenge_id).await.ok();
    phone.answer(&server, &screen.challenge_id, true).await.ok();
    let result = screen.poll(&server).await.ok()["accessToken"].as_str().expect("a token").to_owned();
    let mut answers = vec![tracked, open, server.validate(json!({"token": result})).await];
    for path in
        ["/v1/users/ann", "/v1/users/ann/authenticators", "/v1/users/ann/actions", "/v1/users/ann/actions/pay/k1"]
    {
        answers.push(server.backend("GET", path, Value::Null).await.ok());
    }
    for answer in answers {
        let mut found = Vec::new();
        methods(&answer, &mut found);
        assert!(!found.is_empty(), "{answer:#}");
        assert!(found.iter().all(|word| CLOSED_LIST.contains(&word.as_str())), "{found:?} in {answer:#}");
    }
}

#[tokio::test]
async fn times_are_texts_or_32_bit_seconds_where_the_sdks_read_them_so() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let tracked = server.pay("ann", "k1").await;
    let mut screen = Screen::identified(&server, &token(&tracked)).await;
    let created = screen.create("pay", None).await;
    let open = server.backend("GET", "/v1/challenges?userId=ann&action=pay", Value::Null).await.ok();
    assert!(i32::try_from(open["expiresAt"].as_i64().expect("a number")).is_ok(), "{open}");
    let polled = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("one");
    assert!(!polled.device_code.is_empty());
    let credential = phone.get(&server).await.ok();
    let devices = server.backend("GET", "/v1/users/ann/authenticators", Value::Null).await.ok();
    let action = server.backend("GET", "/v1/users/ann/actions/pay/k1", Value::Null).await.ok();
    for time in [
        &created["expiresAt"],
        &credential["verifiedAt"],
        &devices[0]["createdAt"],
        &devices[0]["verifiedAt"],
        &action["createdAt"],
        &action["stateUpdatedAt"],
    ] {
        let text = time.as_str().unwrap_or_else(|| panic!("{time} is no text"));
        assert!(text.ends_with('Z') && text.parse::<Timestamp>().is_ok(), "{text}");
    }
}

#[tokio::test]
async fn what_a_screen_must_keep_can_stand_in_a_protocol_header() {
    let server = Server::start().await;
    let result = approved(&server, "ann", "k1").await;
    for text in [token(&server.pay("ann", "k2").await), result] {
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{text}");
    }
}

#[tokio::test]
async fn what_java_net_and_go_ask_of_challenges_finds_them() {
    let server = Server::start().await;
    enrolled(&server, "a b", Sdk::Ios).await;
    let tracked = server.pay("a%20b", "k1").await;
    let screen = PollingScreen::create(&server, Some(&token(&tracked)), json!({"action": "pay"})).await.expect("one");
    let challenge = &screen.challenge_id;
    for (method, path, body) in [
        ("GET", format!("/v1/challenges?challengeId={challenge}"), Value::Null),
        ("GET", format!("/v1/v1/challenges?challengeId={challenge}"), Value::Null),
        ("GET", "/v1/challenges?userId=a%20b&action=pay&verificationMethod=DEVICE".to_owned(), Value::Null),
        ("POST", "/v1/challenges".to_owned(), json!({"challengeId": challenge})),
        ("POST", format!("/v1/challengeschallengeId={challenge}"), json!({})),
        ("POST", "/v1/challengesuserId=a%20b&action=pay".to_owned(), json!({})),
    ] {
        let found = server.backend(method, &path, body).await.ok();
        assert_eq!(found["challengeId"].as_str(), Some(challenge.as_str()), "{method} {path}");
    }
    for path in ["/v1/challenges?userId=a%20b&action=sign_in", "/v1/challenges?userId=a%20b&verificationMethod=SMS"] {
        assert_eq!(server.backend("GET", path, Value::Null).await.ok(), json!({}), "{path}");
    }
    // What is over is not found, whether or not that has been written down.
    server.clock.advance(Duration::from_secs(601));
    let path = format!("/v1/challenges?challengeId={challenge}");
    assert_eq!(server.backend("GET", &path, Value::Null).await.ok(), json!({}));
}

#[tokio::test]
async fn an_unauthorised_backend_reads_the_words_that_sdk_suites_pin() {
    let server = Server::start().await;
    for headers in
        [vec![], vec![("authorization", "Basic d3Jvbmc6".to_owned())], vec![("authorization", SECRET.to_owned())]]
    {
        let reply = server.request("GET", "/v1/users/ann", &headers, None).await;
        reply.refused(401, "unauthorized");
        assert_eq!(
            reply.body["errorDescription"],
            "The request is unauthorized. Check that your API key and region base URL are correctly configured."
        );
    }
}

#[tokio::test]
async fn whatever_is_deleted_is_answered_with_an_object() {
    let server = Server::start().await;
    enrolled(&server, "ann", Sdk::Ios).await;
    let devices = server.backend("GET", "/v1/users/ann/authenticators", Value::Null).await.ok();
    let device = devices[0]["userAuthenticatorId"].as_str().expect("an id");
    for path in [format!("/v1/users/ann/authenticators/{device}"), "/v1/users/ann".to_owned()] {
        assert_eq!(server.backend("DELETE", &path, Value::Null).await.ok(), json!({"success": true}), "{path}");
    }
}

#[tokio::test]
async fn a_page_that_sends_its_cookie_may() {
    let server = Server::start().await;
    // The SDK's `useCookies`: credentials mode, in which `*` is not enough.
    let headers = [
        ("origin", "http://localhost:3000".to_owned()),
        ("cookie", "__as_aid=0b2c".to_owned()),
        ("authorization", server.browser_basic()),
    ];
    let body = json!({"action": "kiosk-login"}).to_string();
    let reply = server.request("POST", "/v1/client/challenge/qr-code", &headers, Some(body)).await;
    let header = |name: &str| reply.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    assert_eq!(header("access-control-allow-origin").as_deref(), Some("http://localhost:3000"));
    assert_eq!(header("access-control-allow-credentials").as_deref(), Some("true"));
    reply.ok();
}

#[tokio::test]
async fn a_socket_carries_several_challenges_and_never_says_unclaimed_again() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let mut screen = Screen::anonymous(&server).await;
    let first = id(&screen.create("kiosk-login", Some(json!({"till": "1"}))).await);
    phone.claim(&server, &first).await.ok();
    assert_eq!(screen.state(&first).await, ("claimed".to_owned(), None));
    // The SDK's timer goes off: another challenge on the same socket, and the claimed one may finish.
    let second = id(&screen.create("kiosk-login", Some(json!({"till": "2"}))).await);
    assert!(screen.is_silent().await);
    let third = id(&screen.create("kiosk-login", Some(json!({"till": "3"}))).await);
    phone.claim(&server, &second).await.refused(409, "challenge_superseded");
    phone.answer(&server, &first, true).await.ok();
    assert_eq!(screen.state(&first).await.0, "approved");
    phone.claim(&server, &third).await.ok();
    assert_eq!(screen.state(&third).await.0, "claimed");
    // Messages of types that nobody knows are no reason to end.
    screen.send(json!({"type": "SOMETHING_NEW", "data": {}})).await;
    assert_eq!(screen.next().await["type"], "ERROR");
    phone.answer(&server, &third, false).await.ok();
    assert_eq!(screen.state(&third).await.0, "rejected");
}

#[tokio::test]
async fn a_poll_of_what_is_over_makes_the_sdk_call_nothing_back() {
    let server = Server::start().await;
    let screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("one");
    server.pass(Duration::from_secs(601)).await;
    let late = screen.poll(&server).await;
    assert_eq!((late.status, late.body["state"].as_str()), (200, Some("expired")));
    let flags = ["isClaimed", "isConsumed", "isVerified"].map(|flag| late.body[flag].as_bool());
    // Neither claimed nor approved: the SDK calls nothing back, and its refresh comes.
    assert_eq!(flags, [Some(false), Some(true), Some(false)]);
    assert!(late.body.get("accessToken").is_none());
}

#[tokio::test]
async fn a_refusal_names_the_trace_that_the_caller_sent() {
    let server = Server::start().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for (header, told) in [(format!("00-{trace}-00f067aa0ba902b7-01"), Some(trace)), ("00-x-y-z".to_owned(), None)] {
        let reply = server.request("GET", "/v1/users/ann", &[("traceparent", header)], None).await;
        assert_eq!((reply.status, reply.body["traceId"].as_str()), (401, told));
    }
}

#[tokio::test]
async fn the_logs_entry_of_a_decision_names_the_callers_trace() {
    let server = Server::start().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let basic = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("{SECRET}:"));
    let authorization = format!("Basic {basic}");
    for (parent, told) in [(format!("00-{trace}-00f067aa0ba902b7-01"), Some(trace)), ("00-x-y-z".to_owned(), None)] {
        let headers = [("traceparent", parent), ("authorization", authorization.clone())];
        server.request("POST", "/v1/users/ann/actions/signIn", &headers, None).await.ok();
        let last = server.app.store.log_head().await.expect("the log").size - 1;
        let tenant = challenge::TenantId::parse(server.tenant.as_str()).expect("a tenant");
        let leaf = server.app.store.audit_leaf(&tenant, last).await.expect("the log").expect("an entry");
        let leaf = server::audit::Leaf::decode(&leaf).expect("a leaf");
        assert_eq!(
            (leaf.kind.as_str(), leaf.facts.get("x.trace").and_then(server::audit::Fact::text)),
            ("decision", told)
        );
    }
}
