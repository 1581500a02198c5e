//! The administrator's reset: everything goes, one phone may come in, and it is on record.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use challenge::TenantId;
use serde_json::{Value, json};
use server::auth::Secret;

use crate::a_lost_phone_is_recovered::{codes_left, enrolled_with_codes, log, redeem, start, start_with};
use crate::harness::{Reply, Server, id, token};
use crate::phone::{Phone, Sdk};
use crate::phone_v2;
use crate::screen::{PollingScreen, Screen};

pub const ADMIN: &str = "sk_test_admin_0123456789";

pub async fn admit(server: &Server, role: &str, secret: &str) {
    let tenant = TenantId::parse(server.tenant.as_str()).expect("an id");
    server.app.admit(&tenant, "Test", role, &Secret::parse(secret).expect("a secret")).await.expect("a key");
}

async fn reset_as(server: &Server, secret: &str, user: &str, key: Option<&str>, body: Value) -> Reply {
    let mut headers = vec![("authorization", format!("Basic {}", STANDARD.encode(format!("{secret}:"))))];
    headers.extend(key.map(|key| ("idempotency-key", key.to_owned())));
    server.request("POST", &format!("/v1/users/{user}/reset"), &headers, Some(body.to_string())).await
}

pub async fn reset(server: &Server, user: &str) -> Reply {
    reset_as(server, ADMIN, user, None, why()).await
}

fn why() -> Value {
    json!({"reason": "phone stolen, shown a passport", "author": "Kim at the help desk"})
}

/// The scopes of a token of `track`.
fn scopes(tracked: &Value) -> String {
    let claims = token(tracked).split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).expect("claims");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    claims["scope"].as_str().expect("a scope").to_owned()
}

/// The scope would let in every phone that shows the token: a reset permits one, and whoever has codes shows one.
#[tokio::test]
async fn only_who_never_had_a_phone_gets_the_scope_to_add_one_unasked() {
    let server = start().await;
    admit(&server, "admin", ADMIN).await;
    let unasked = async |server: &Server, key: &str| {
        let tracked = server.track("ann", "login", json!({"idempotencyKey": key})).await;
        assert_eq!(tracked["isEnrolled"], key == "k2", "{tracked}");
        scopes(&tracked).contains("add:authenticators")
    };
    assert!(unasked(&server, "k1").await);
    let (phone, _, _) = enrolled_with_codes(&server, "ann").await;
    assert!(!unasked(&server, "k2").await);

    phone.remove(&server, server::clock::Clock::now(&*server.clock).as_second()).await.ok();
    assert!(!unasked(&server, "k3").await, "codes are left");
    reset(&server, "ann").await.ok();
    assert!(!unasked(&server, "k4").await, "the reset permits one phone");
    server.pass(Duration::from_secs(7 * 24 * 3600)).await;
    assert!(!unasked(&server, "k5").await, "its permission is over");
}

#[tokio::test]
async fn a_reset_takes_everything_and_permits_one_phone() {
    let server = start().await;
    admit(&server, "admin", ADMIN).await;
    let (phone, _, codes) = enrolled_with_codes(&server, "ann").await;
    let tracked = server.track("ann", "login", json!({})).await;
    let mut screen = Screen::identified(&server, &token(&tracked)).await;
    let shown = id(&screen.create("login", None).await);
    phone.claim(&server, &shown).await.ok();
    assert_eq!(screen.state(&shown).await.0, "claimed");

    let done = reset(&server, "ann").await.ok();
    assert_eq!((&done["revokedAuthenticators"], &done["revokedRecoveryCodes"]), (&json!(1), &json!(10)), "{done}");
    assert_eq!((&done["cancelledChallenges"], &done["repeated"]), (&json!(1), &json!(false)));
    assert_eq!(done["author"], "Kim at the help desk");
    assert_eq!(screen.state(&shown).await.0, "superseded");
    phone.answer(&server, &shown, true).await.refused(409, "challenge_superseded");
    redeem(&server, &token(&tracked), &codes[0], "enrolment").await.refused(400, "invalid_recovery_code");

    // The same again is the same, and rules hear of one recovery.
    let again = reset(&server, "ann").await.ok();
    assert_eq!((&again["resetId"], &again["repeated"]), (&done["resetId"], &json!(true)));
    let held = server.track("ann", "change", json!({})).await;
    assert_eq!((&held["state"], &held["ruleIds"]), (&json!("BLOCK"), &json!(["held"])), "{held}");

    // One phone comes in with the token of `track` alone, and gets new codes; a second does not.
    let plain = token(&server.track("ann", "login", json!({})).await);
    let new = Phone::new(&server, Sdk::Ios);
    let made = phone_v2::enrol_with(&server, &new, &plain, json!({"recoveryCodes": true})).await.ok();
    assert_eq!(made["recoveryCodes"].as_array().map(Vec::len), Some(10));
    Phone::new(&server, Sdk::Ios).add(&server, &plain).await.refused(403, "forbidden");
    let body = json!({"action": "vault"});
    let vault = token(&server.track("ann", "vault", json!({})).await);
    let screen = PollingScreen::create(&server, Some(&vault), body).await.expect("a challenge");
    new.claim(&server, &screen.challenge_id).await.refused(403, "credential_cooling_off");
    let log = log(&server).await;
    assert_eq!((log["user.reset"], log["recovery.codes_withdrawn"], log["credential.revoked"]), (1, 1, 1), "{log:?}");
}

/// A reset is for whoever lost a phone to somebody, who may have their tokens too.
#[tokio::test]
async fn what_was_given_out_before_a_reset_lets_nobody_in_after_it() {
    let server = start().await;
    admit(&server, "admin", ADMIN).await;
    let (_, _, codes) = enrolled_with_codes(&server, "ann").await;
    let plain = server.track("ann", "login", json!({"idempotencyKey": "k1"})).await;
    let scoped = server.track("ann", "login", json!({"scope": "add:authenticators"})).await;
    let by_code = redeem(&server, &token(&plain), &codes[0], "enrolment").await.ok();
    let by_code = by_code["enrolmentToken"].as_str().expect("a token").to_owned();
    server.pass(Duration::from_secs(1)).await;
    reset(&server, "ann").await.ok();
    for taken in [token(&plain), token(&scoped), by_code] {
        Phone::new(&server, Sdk::Ios).add(&server, &taken).await.refused(403, "forbidden");
    }
    // The backend that says the same again gets a token that is as new as the answer.
    let again = server.track("ann", "login", json!({"idempotencyKey": "k1"})).await;
    Phone::new(&server, Sdk::Ios).add(&server, &token(&again)).await.ok();
    assert_eq!(log(&server).await["refusal.enrol token_outdated"], 3);
}

/// Who comes back under the id of a deleted user may be somebody else.
#[tokio::test]
async fn a_deletion_takes_the_open_challenges_and_the_tokens_too() {
    let server = start().await;
    // One who was told of and has a phone, and one of whom nothing is known but what was tracked.
    let phone = enrolled_with_codes(&server, "ann").await.0;
    let plain = server.track("ann", "login", json!({"idempotencyKey": "k1"})).await;
    let scoped = server.track("ann", "login", json!({"scope": "add:authenticators"})).await;
    let strangers = server.track("eve", "login", json!({})).await;
    let mut screen = Screen::identified(&server, &token(&plain)).await;
    let shown = id(&screen.create("login", None).await);
    phone.claim(&server, &shown).await.ok();
    assert_eq!(screen.state(&shown).await.0, "claimed");
    server.pass(Duration::from_secs(1)).await;
    for user in ["ann", "eve", "eve"] {
        server.backend("DELETE", &format!("/v1/users/{user}"), Value::Null).await.ok();
    }
    assert_eq!(screen.state(&shown).await.0, "superseded");
    phone.answer(&server, &shown, true).await.refused(409, "challenge_superseded");
    for (user, taken) in [("ann", &plain), ("ann", &scoped), ("eve", &strangers)] {
        Phone::new(&server, Sdk::Ios).add(&server, &token(taken)).await.refused(403, "forbidden");
        // Whoever is told of again is there again, and the token stays what it was.
        server.track(user, "hello", json!({"email": "new@example.org"})).await;
        Phone::new(&server, Sdk::Ios).add(&server, &token(taken)).await.refused(403, "forbidden");
    }
    let again = server.track("ann", "login", json!({"idempotencyKey": "k1"})).await;
    Phone::new(&server, Sdk::Ios).add(&server, &token(&again)).await.ok();
    let log = log(&server).await;
    assert_eq!((log["user.deleted"], log["refusal.enrol token_outdated"]), (2, 6), "{log:?}");
}

#[tokio::test]
async fn the_permission_of_a_reset_ends_and_lets_one_phone_in() {
    let server = start().await;
    admit(&server, "admin", ADMIN).await;
    enrolled_with_codes(&server, "ann").await;
    let mut body = why();
    body["enrolWithinS"] = json!(3600);
    reset_as(&server, ADMIN, "ann", None, body).await.ok();
    server.pass(Duration::from_secs(3600)).await;
    let late = Phone::new(&server, Sdk::Ios);
    late.add(&server, &token(&server.track("ann", "login", json!({})).await)).await.refused(403, "recovery_required");

    // A new reset permits again; then the phone that came in is removed, and the permission is spent.
    assert_eq!(reset(&server, "ann").await.ok()["repeated"], false);
    late.add(&server, &token(&server.track("ann", "login", json!({})).await)).await.ok();
    assert_eq!(codes_left(&server, "ann").await, 0);
}

#[tokio::test]
async fn a_reset_key_repeats_its_reset_though_a_phone_came_in_meanwhile() {
    let server = start().await;
    admit(&server, "admin", ADMIN).await;
    enrolled_with_codes(&server, "ann").await;
    let first = reset_as(&server, ADMIN, "ann", Some("ticket-7"), why()).await.ok();
    let phone = Phone::new(&server, Sdk::Ios);
    phone.add(&server, &token(&server.track("ann", "login", json!({})).await)).await.ok();
    let repeated = reset_as(&server, ADMIN, "ann", Some("ticket-7"), why()).await.ok();
    assert_eq!((&repeated["resetId"], &repeated["repeated"]), (&first["resetId"], &json!(true)));
    phone.get(&server).await.ok();
    // Another key is another reset.
    let next = reset_as(&server, ADMIN, "ann", Some("ticket-8"), why()).await.ok();
    assert_eq!((&next["revokedAuthenticators"], &next["repeated"]), (&json!(1), &json!(false)));
    phone.get(&server).await.refused(400, "invalid_credential");
}

#[tokio::test]
async fn only_an_administrator_resets_and_says_why_and_who() {
    let server = start().await;
    for (role, secret) in
        [("admin", ADMIN), ("analyst", "sk_test_analyst_012345"), ("reviewer", "sk_test_reviewer_01234")]
    {
        admit(&server, role, secret).await;
    }
    let (phone, _, _) = enrolled_with_codes(&server, "ann").await;
    server.backend("POST", "/v1/users/ann/reset", why()).await.refused(403, "forbidden");
    for secret in ["sk_test_analyst_012345", "sk_test_reviewer_01234"] {
        reset_as(&server, secret, "ann", None, why()).await.refused(403, "forbidden");
    }
    for body in [
        json!({}),
        json!({"reason": "x"}),
        json!({"author": "x"}),
        json!({"reason": "  ", "author": "x"}),
        json!({"reason": "x", "author": "x", "enrolWithinS": 0}),
        json!({"reason": "x", "author": "x", "ipAddress": "here"}),
    ] {
        reset_as(&server, ADMIN, "ann", None, body).await.refused(400, "invalid_request");
    }
    phone.get(&server).await.ok();
    assert_eq!(codes_left(&server, "ann").await, 10);
    assert!(!log(&server).await.contains_key("user.reset"));
}

#[tokio::test]
async fn a_policy_holds_a_reset_up_until_it_is_overruled() {
    let server = start_with(|config| {
        let rules = r#"
event login {}
event hello {}
policy hello on hello { default allow }
event recovery { method: enum("recovery_code", "support") }
policy login on login { default challenge qr { level: possession } }
policy recovery on recovery {
  default allow
  rule no_support "the help desk resets nobody" { when method == "support" then block reason NO_SUPPORT }
}
reason NO_SUPPORT "Please come by"
"#;
        std::fs::write(config.policies.pack.join("test.rules"), rules).expect("a pack");
    })
    .await;
    admit(&server, "admin", ADMIN).await;
    let (phone, _, _) = enrolled_with_codes(&server, "ann").await;
    reset(&server, "ann").await.refused(403, "action_blocked");
    phone.get(&server).await.ok();
    let mut body = why();
    body["overrule"] = json!(true);
    reset_as(&server, ADMIN, "ann", None, body).await.ok();
    phone.get(&server).await.refused(400, "invalid_credential");
    let found = server.backend("GET", "/v1/decisions?action=recovery", Value::Null).await.ok();
    let decisions = found["decisions"].as_array().expect("decisions");
    let told: Vec<_> = decisions.iter().map(|one| (one["outcome"].as_str(), one["flags"].clone())).collect();
    assert_eq!(told, [(Some("allow"), json!(["overruled"])), (Some("block"), json!([]))]);
}

#[tokio::test]
async fn whoever_lost_a_phone_is_not_let_through_for_having_none() {
    let server = start_with(|config| config.defaults.unenrolled = Some(server::config::Unenrolled::Allow)).await;
    admit(&server, "admin", ADMIN).await;
    assert_eq!(server.track("bob", "login", json!({})).await["state"], "ALLOW");
    let phone = Phone::new(&server, Sdk::Ios);
    phone.add(&server, &token(&server.track("ann", "login", json!({})).await)).await.ok();
    assert_eq!(server.track("ann", "login", json!({})).await["state"], "CHALLENGE_REQUIRED");
    reset(&server, "ann").await.ok();
    assert_eq!(server.track("ann", "login", json!({})).await["state"], "CHALLENGE_REQUIRED");
    // Nor for having been reset before ever having one.
    reset(&server, "cai").await.ok();
    assert_eq!(server.track("cai", "login", json!({})).await["state"], "CHALLENGE_REQUIRED");
}

#[tokio::test]
async fn another_tenants_administrator_resets_nobody_here() {
    let server = start().await;
    let other = TenantId::parse(crate::harness::OTHER_TENANT).expect("an id");
    let secret = Secret::parse("sk_test_admin_of_rival").expect("a secret");
    server.app.admit(&other, "Rival", "admin", &secret).await.expect("a key");
    let (phone, _, _) = enrolled_with_codes(&server, "ann").await;
    let done = reset_as(&server, "sk_test_admin_of_rival", "ann", None, why()).await.ok();
    assert_eq!((&done["revokedAuthenticators"], &done["revokedRecoveryCodes"]), (&json!(0), &json!(0)));
    phone.get(&server).await.ok();
    assert_eq!(codes_left(&server, "ann").await, 10);
}
