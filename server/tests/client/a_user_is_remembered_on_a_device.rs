//! The devices from which users act: seen, passed a challenge on, remembered, taken back; and what rules hear of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{OTHER_TENANT, SECRET, Server, TENANT, token};
use crate::phone::{Phone, Sdk};
use crate::screen::PollingScreen;

/// A sign-in is challenged unless the user is remembered on the device, and blocked on one that was taken back.
const PACK: &str = r#"
event sign_in {
  device_remembered: bool?
  device_invalidated: bool?
}

event add_phone {}

policy sign_in on sign_in {
  default challenge qr

  rule stolen { when device_invalidated on unknown skip then block reason DEVICE_TAKEN_BACK }
  rule remembered { when device_remembered then allow }
}

policy add_phone on add_phone { default allow }

reason DEVICE_TAKEN_BACK "This device was taken back"
"#;

async fn start() -> Server {
    Server::start_with(|config| {
        std::fs::write(config.policies.pack.join("test.rules"), PACK).expect("a pack");
    })
    .await
}

async fn sign_in(server: &Server, device: Option<&str>) -> Value {
    server.track("ann", "sign_in", json!({"deviceId": device})).await
}

async fn devices(server: &Server) -> Vec<Value> {
    let listed = server.backend("GET", "/v1/users/ann/devices", Value::Null).await.ok();
    listed.as_array().expect("a list").clone()
}

async fn phone_of_ann(server: &Server) -> Phone {
    let phone = Phone::new(server, Sdk::Ios);
    let tracked = server.track("ann", "add_phone", json!({"scope": "add:authenticators"})).await;
    phone.add(server, &token(&tracked)).await.ok();
    phone
}

async fn pass(server: &Server, phone: &Phone, tracked: &Value) {
    let body = json!({"action": "sign_in"});
    let screen = PollingScreen::create(server, Some(&token(tracked)), body).await.expect("a challenge");
    phone.claim(server, &screen.challenge_id).await.ok();
    phone.answer(server, &screen.challenge_id, true).await.ok();
}

async fn remember(server: &Server, device: &str, until: Value) -> crate::harness::Reply {
    let path = format!("/v1/users/ann/devices/{device}");
    server.backend("PATCH", &path, json!({"rememberedUntil": until})).await
}

#[tokio::test]
async fn a_device_is_seen_authenticated_remembered_and_forgotten() {
    let server = start().await;
    let phone = phone_of_ann(&server).await;
    assert_eq!(devices(&server).await, [] as [Value; 0], "an event without a device shows none");
    let tracked = sign_in(&server, Some("laptop")).await;
    assert_eq!(tracked["state"], "CHALLENGE_REQUIRED");
    let seen = json!({"userId": "ann", "deviceId": "laptop", "createdAt": "2026-03-02T10:00:00Z"});
    assert_eq!(devices(&server).await, [seen]);

    server.clock.advance(Duration::from_secs(60));
    pass(&server, &phone, &tracked).await;
    let listed = devices(&server).await;
    assert_eq!(listed[0]["authenticatedAt"], "2026-03-02T10:01:00Z", "{listed:?}");
    assert_eq!(listed[0]["lastVerificationMethod"], "DEVICE");
    assert_eq!(listed[0]["lastVerificationMethodDetail"], "QR_CODE");

    let remembered = remember(&server, "laptop", json!("2026-03-03T10:00:00Z")).await.ok();
    assert_eq!(remembered["rememberedUntil"], "2026-03-03T10:00:00Z");
    assert_eq!(sign_in(&server, Some("laptop")).await["state"], "ALLOW");
    // Not on another one, not without one, and not for others.
    assert_eq!(sign_in(&server, Some("phone")).await["state"], "CHALLENGE_REQUIRED");
    assert_eq!(sign_in(&server, None).await["state"], "CHALLENGE_REQUIRED");
    let other = server.track("bob", "sign_in", json!({"deviceId": "laptop"})).await;
    assert_eq!(other["state"], "CHALLENGE_REQUIRED");
    let names: Vec<Value> = devices(&server).await.iter().map(|device| device["deviceId"].clone()).collect();
    assert_eq!(names, ["laptop", "phone"]);

    remember(&server, "laptop", Value::Null).await.ok();
    assert_eq!(sign_in(&server, Some("laptop")).await["state"], "CHALLENGE_REQUIRED");
    remember(&server, "laptop", json!("2026-03-02T11:00:00Z")).await.ok();
    assert_eq!(sign_in(&server, Some("laptop")).await["state"], "ALLOW");
    server.clock.advance(Duration::from_secs(3_600));
    assert_eq!(sign_in(&server, Some("laptop")).await["state"], "CHALLENGE_REQUIRED", "its time is over");
}

#[tokio::test]
async fn a_device_that_was_taken_back_is_good_again_when_a_challenge_was_passed_on_it() {
    let server = start().await;
    let phone = phone_of_ann(&server).await;
    // Asked before it is taken back, answered after: whoever holds the phone holds the device.
    let tracked = sign_in(&server, Some("laptop")).await;
    remember(&server, "laptop", json!("2026-03-03T10:00:00Z")).await.ok();
    let invalidate = || server.backend("POST", "/v1/users/ann/devices/laptop/invalidate", json!({}));
    let taken = invalidate().await.ok();
    assert_eq!(taken["invalidatedAt"], "2026-03-02T10:00:00Z");
    assert!(taken.get("rememberedUntil").is_none(), "{taken}");
    server.clock.advance(Duration::from_secs(5));
    assert_eq!(invalidate().await.ok(), taken, "a repeat changes nothing");
    assert_eq!(sign_in(&server, Some("laptop")).await["state"], "BLOCK");
    remember(&server, "laptop", json!("2026-03-03T10:00:00Z")).await.refused(409, "conflict");
    pass(&server, &phone, &tracked).await;
    assert!(devices(&server).await[0].get("invalidatedAt").is_none());
    remember(&server, "laptop", json!("2026-03-03T10:00:00Z")).await.ok();
    assert_eq!(sign_in(&server, Some("laptop")).await["state"], "ALLOW");
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_changes_nothing() {
    let server = start().await;
    sign_in(&server, Some("laptop")).await;
    let before = devices(&server).await;
    remember(&server, "unheard-of", json!("2026-03-03T10:00:00Z")).await.refused(404, "not_found");
    server.backend("POST", "/v1/users/ann/devices/unheard-of/invalidate", json!({})).await.refused(404, "not_found");
    for until in [json!("soon"), json!(7), json!("2026-03-02T10:00:00Z"), json!("2020-01-01T00:00:00Z")] {
        remember(&server, "laptop", until).await.refused(400, "invalid_request");
    }
    server.backend("PATCH", "/v1/users/ann/devices/laptop", json!({})).await.refused(400, "invalid_request");
    let secret = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("{SECRET}-other:"));
    let headers = [("authorization", format!("Basic {secret}"))];
    assert_ne!(TENANT, OTHER_TENANT);
    let path = "/v1/users/ann/devices/laptop";
    let body = Some(json!({"rememberedUntil": "2026-03-03T10:00:00Z"}).to_string());
    server.request("PATCH", path, &headers, body).await.refused(404, "not_found");
    assert_eq!(server.request("GET", "/v1/users/ann/devices", &headers, None).await.ok(), json!([]));
    assert_eq!(devices(&server).await, before);
}

#[tokio::test]
async fn a_deleted_users_devices_are_gone_and_new_if_they_come_again() {
    let server = start().await;
    sign_in(&server, Some("laptop")).await;
    server.backend("PATCH", "/v1/users/ann", json!({"email": "ann@example.com"})).await.ok();
    remember(&server, "laptop", json!("2026-03-03T10:00:00Z")).await.ok();
    server.backend("DELETE", "/v1/users/ann", Value::Null).await.ok();
    assert_eq!(devices(&server).await, [] as [Value; 0]);
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(sign_in(&server, Some("laptop")).await["state"], "CHALLENGE_REQUIRED");
    assert_eq!(devices(&server).await[0]["createdAt"], "2026-03-02T10:01:00Z");
}

#[tokio::test]
async fn of_many_first_events_of_a_device_one_makes_it() {
    let server = start().await;
    futures_util::future::join_all((0..30).map(|_| sign_in(&server, Some("laptop")))).await;
    assert_eq!(devices(&server).await.len(), 1);
}

#[tokio::test]
async fn a_backend_that_says_so_itself_is_believed() {
    let server = start().await;
    let body = json!({"deviceId": "laptop", "custom": {"device_remembered": true}});
    assert_eq!(server.track("ann", "sign_in", body).await["state"], "ALLOW");
}
