//! What backends, analysts and reviewers live through.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{ANALYST, World};

const LONDON: &str = "81.2.69.142";
const SYDNEY: &str = "139.130.4.5";

async fn sign_in(world: &World, user: &str, ip: &str, outcome: &str) -> Value {
    let body = json!({"ipAddress": ip, "deviceId": "d1", "custom": {"outcome": outcome}});
    world.post(&format!("/v1/users/{user}/actions/signIn"), body).await.ok()
}

#[tokio::test]
async fn an_ordinary_sign_in_is_allowed_with_every_field_the_sdks_read() {
    let world = World::starter().await;
    let answer = sign_in(&world, "ada", "8.8.8.8", "succeeded").await;
    assert_eq!(answer["state"], "ALLOW");
    assert_eq!(answer["outcome"], "allow");
    assert_eq!(answer["isEnrolled"], false);
    assert_eq!(answer["enrolledVerificationMethods"], json!([]));
    assert_eq!(answer["allowedVerificationMethods"], json!(["DEVICE"]));
    assert_eq!(answer["ruleIds"], json!([]));
    assert_eq!(answer["reasons"], json!([]));
    assert_eq!(answer["flags"], json!([]));
    assert!(answer["policyVersion"].as_str().is_some_and(|version| version.starts_with("sha256:")));
    let token = answer["token"].as_str().expect("a token");
    assert_eq!(answer["url"], format!("http://localhost:8080/challenge?token={token}"));
    assert!(answer["idempotencyKey"].is_string() && answer["decisionId"].is_string());
    assert!(answer.get("challenge").is_none() && answer.get("trace").is_none());
}

#[tokio::test]
async fn the_address_8_8_8_8_is_in_the_united_states() {
    let world = World::starter().await;
    let answer = sign_in(&world, "ada", "8.8.8.8", "succeeded").await;
    let decision = world.get(&format!("/v1/decisions/{}", answer["decisionId"].as_str().expect("an id"))).await.ok();
    assert_eq!(
        decision["signals"]["located"]["place"]["known"]["country"], "US",
        "{:#}",
        decision["signals"]["located"]["place"]
    );
    assert_eq!(decision["outcome"], "allow");
    assert_eq!(decision["trace"]["policies"][0]["policy"], "sign_in");
}

#[tokio::test]
async fn london_and_an_hour_later_sydney_is_impossible_travel() {
    let world = World::starter().await;
    assert_eq!(sign_in(&world, "ada", LONDON, "succeeded").await["outcome"], "allow");
    world.clock.advance(Duration::from_secs(3600));
    let answer = sign_in(&world, "ada", SYDNEY, "succeeded").await;
    assert_eq!(answer["state"], "CHALLENGE_REQUIRED", "{answer:#}");
    assert_eq!(answer["reasons"][0]["code"], "IMPOSSIBLE_TRAVEL");
    assert_eq!(answer["ruleIds"], json!(["travel"]));
    let shown = answer["challenge"]["show"].as_array().expect("fields");
    assert!(shown.iter().any(|field| field["field"] == "geo.country" && field["value"] == "AU"), "{answer:#}");
    let read = format!("/v1/users/ada/actions/signIn/{}", answer["idempotencyKey"].as_str().expect("a key"));
    assert_eq!(
        world.get(&read).await.ok()["rules"][0],
        json!({"ruleId": "travel", "name": "travel", "description": "could not have flown there"})
    );
    // Somebody else who was never in London may be in Sydney.
    assert_eq!(sign_in(&world, "bob", SYDNEY, "succeeded").await["outcome"], "allow");
}

#[tokio::test]
async fn the_fifth_failed_sign_in_in_ten_minutes_is_challenged() {
    let world = World::starter().await;
    for attempt in 1..=4 {
        let answer = sign_in(&world, "ada", LONDON, "failed").await;
        assert_eq!(answer["outcome"], "allow", "attempt {attempt}: {answer:#}");
        world.clock.advance(Duration::from_secs(60));
    }
    let answer = sign_in(&world, "ada", LONDON, "failed").await;
    assert_eq!(answer["outcome"], "challenge");
    assert_eq!(answer["reasons"], json!([{"code": "PASSWORD_GUESSING", "text": answer["reasons"][0]["text"]}]));
    assert_eq!(answer["challenge"]["level"], "possession");
    assert!(answer["challenge"]["expiresAt"].as_str().is_some_and(|at| at > "2026-03-01T10:05"), "{answer:#}");
    // Ten minutes after the first failures the count has fallen again.
    world.clock.advance(Duration::from_secs(600));
    assert_eq!(sign_in(&world, "ada", LONDON, "failed").await["outcome"], "allow");
}

#[tokio::test]
async fn an_address_put_on_the_list_is_blocked_at_once_and_again_after_a_restart() {
    let world = World::starter().await;
    assert_eq!(sign_in(&world, "ada", LONDON, "succeeded").await["outcome"], "allow");
    let entry = json!({"value": LONDON, "reason": "attack of 1 March", "expiresAt": "2026-03-02T00:00:00Z"});
    let added = world.call_as(ANALYST, "POST", "/v1/lists/blocked_ips/entries", entry).await.ok();
    assert_eq!(added["value"], LONDON);
    let blocked = sign_in(&world, "ada", LONDON, "succeeded").await;
    assert_eq!((&blocked["state"], &blocked["reasons"][0]["code"]), (&json!("BLOCK"), &json!("IP_BLOCKED")));

    let world = world.restart().await;
    assert_eq!(sign_in(&world, "ada", LONDON, "succeeded").await["outcome"], "block");
    let path = format!("/v1/lists/blocked_ips/entries?value={LONDON}");
    world.call_as(ANALYST, "DELETE", &path, Value::Null).await.ok();
    assert_eq!(sign_in(&world, "ada", LONDON, "succeeded").await["outcome"], "allow");
}

/// Before entries were normalised they were kept as written, and rules read them as they are read now.
#[tokio::test]
async fn an_entry_that_an_older_version_wrote_is_removed_by_either_spelling() {
    let rules = "event join { club: string }\nlist @clubs: string managed\n\
                 policy p on join { default allow rule r { when club in @clubs then block } }";
    let (composed, decomposed) = ("caf%C3%A9", "cafe%CC%81");
    for spelling in [composed, decomposed] {
        let world = World::with_rules(rules).await;
        let old = server::store::NewListEntry {
            tenant: challenge::TenantId::parse("acme").expect("an id"),
            id: server::store::ListEntryId(uuid::Uuid::from_u128(7)),
            list: "clubs".to_owned(),
            value: "cafe\u{301}".to_owned(),
            reason: None,
            author: "key".to_owned(),
            at: world.app.clock.now(),
            expires_at: None,
        };
        world.app.store.add_list_entry(old).await.expect("written");
        let world = world.restart().await;
        let join = async |world: &World| {
            let body = json!({"custom": {"club": "caf\u{e9}"}});
            world.post("/v1/users/ada/actions/join", body).await.ok()["outcome"].clone()
        };
        assert_eq!(join(&world).await, "block");
        // To add it once more makes no second row of it.
        world.call_as(ANALYST, "POST", "/v1/lists/clubs/entries", json!({"value": "caf\u{e9}"})).await.ok();
        let path = "/v1/lists/clubs/entries";
        let listed = world.call_as(ANALYST, "GET", path, Value::Null).await.ok();
        assert_eq!(listed["entries"].as_array().map(Vec::len), Some(1), "{listed:#}");

        world.call_as(ANALYST, "DELETE", &format!("{path}?value={spelling}"), Value::Null).await.ok();
        assert_eq!(world.call_as(ANALYST, "GET", path, Value::Null).await.ok()["entries"], json!([]));
        let world = world.restart().await;
        assert_eq!(join(&world).await, "allow", "{spelling}");
    }
}

#[tokio::test]
async fn an_entry_without_an_end_ends_when_its_list_says() {
    let world = World::starter().await;
    let entry = json!({"value": LONDON});
    let added = world.call_as(ANALYST, "POST", "/v1/lists/blocked_ips/entries", entry).await.ok();
    assert_eq!(added["expiresAt"], "2026-03-08T10:00:00Z", "seven days from now, as `ttl 7d` says");
}

#[tokio::test]
async fn a_withdrawal_is_challenged_by_default_and_bound_to_amount_and_payee() {
    let world = World::starter().await;
    let body = json!({"amount": {"value": "120.50", "currency": "EUR"}, "custom": {"payee": "DE89 3704"}});
    let answer = world.post("/v1/users/ada/actions/withdrawal", body).await.ok();
    assert_eq!(answer["state"], "CHALLENGE_REQUIRED", "{answer:#}");
    let bound = json!([{"field": "amount", "value": "120.50 EUR"}, {"field": "payee", "value": "DE89 3704"}]);
    assert_eq!(answer["challenge"]["bind"], bound);
    let id = answer["challenge"]["challengeId"].as_str().expect("an id");
    let open = world.get(&format!("/v1/challenges?challengeId={id}")).await.ok();
    assert_eq!(open["verificationMethod"], "DEVICE");
    assert_eq!(open["expiresAt"], 1_772_359_500, "seconds since 1970, five minutes from now");
}

#[tokio::test]
async fn what_happened_is_known_again_after_a_restart() {
    let mut world = World::starter().await;
    for _ in 0..5 {
        sign_in(&world, "ada", LONDON, "failed").await;
        world.clock.advance(Duration::from_secs(10));
        world = world.restart().await;
    }
    assert_eq!(sign_in(&world, "ada", LONDON, "failed").await["outcome"], "challenge");
}

#[tokio::test]
async fn a_question_changes_nothing() {
    let world = World::starter().await;
    let entries = world.entries().await;
    let question = json!({"action": "signIn", "userId": "ada", "ipAddress": LONDON, "custom": {"outcome": "failed"}});
    for _ in 0..10 {
        let answer = world.post("/v1/evaluate", question.clone()).await.ok();
        assert_eq!(answer["outcome"], "allow");
        assert!(answer["trace"]["policies"].is_array());
    }
    assert_eq!(world.entries().await, entries);
    assert_eq!(sign_in(&world, "ada", LONDON, "failed").await["outcome"], "allow");
}

#[tokio::test]
async fn explain_names_each_rule_and_what_it_read() {
    let world = World::starter().await;
    let body = json!({"ipAddress": "8.8.8.8", "custom": {"outcome": "succeeded"}});
    let answer = world.post("/v1/users/ada/actions/signIn?explain=true", body).await.ok();
    let rules = answer["trace"]["policies"][0]["rules"].as_array().expect("rules").clone();
    let names: Vec<&str> = rules.iter().filter_map(|rule| rule["rule"].as_str()).collect();
    assert_eq!(names, ["blocked_ip", "sanctioned", "stuffing", "guessing", "travel", "anon_new"]);
    assert!(rules.iter().all(|rule| rule["state"].is_string() && !rule["atoms"].as_array().expect("atoms").is_empty()));
}

#[tokio::test]
async fn a_decision_can_be_found_read_and_changed_by_the_backend() {
    let world = World::starter().await;
    let body = json!({"idempotencyKey": "k 1|x", "ipAddress": LONDON, "custom": {"outcome": "succeeded"}});
    world.post("/v1/users/auth0%7Cada/actions/signIn", body).await.ok();
    let path = "/v1/users/auth0|ada/actions/signIn/k%201%7Cx";
    let action = world.get(path).await.ok();
    assert_eq!((&action["state"], &action["rules"]), (&json!("ALLOW"), &json!([])));
    let changed = world.call("PATCH", path, json!({"state": "REVIEW_REQUIRED"})).await.ok();
    assert_eq!(changed["state"], "REVIEW_REQUIRED");
    let list = world.get("/v1/users/auth0|ada/actions?codes=signIn,pay&state=REVIEW_REQUIRED").await.ok();
    assert_eq!(list[0]["idempotencyKey"], "k 1|x");
    let none = world.get("/v1/users/auth0|ada/actions?codes=pay").await.ok();
    assert_eq!(none, json!([]));
    let page = world.get("/v1/decisions?user=auth0%7Cada&outcome=allow&limit=1").await.ok();
    assert_eq!(page["decisions"][0]["actionCode"], "signIn");
}

#[tokio::test]
async fn a_user_is_known_once_told_of_and_forgotten_when_deleted() {
    let world = World::starter().await;
    let stranger = world.get("/v1/users/ada").await.ok();
    assert_eq!((&stranger["isEnrolled"], stranger.get("email")), (&json!(false), None));
    let told =
        json!({"email": "ada@example.org", "emailVerified": true, "custom": {"homeCountry": "GB", "tags": ["a"]}});
    assert_eq!(world.call("PATCH", "/v1/users/ada", told).await.ok()["email"], "ada@example.org");
    let more = world.post("/v1/users/ada", json!({"username": "ada"})).await.ok();
    assert_eq!((&more["email"], &more["username"]), (&json!("ada@example.org"), &json!("ada")));
    assert_eq!(world.get("/v1/users/ada").await.ok()["custom"]["homeCountry"], "GB");
    let found = world.get("/v1/users?email=ada%40example.org&limit=10").await.ok();
    assert_eq!(found["users"][0]["userId"], "ada");
    assert_eq!(world.get("/v1/users/ada/authenticators").await.ok(), json!([]));
    for _ in 0..2 {
        assert_eq!(world.call("DELETE", "/v1/users/ada", Value::Null).await.ok(), json!({"success": true}));
    }
    assert_eq!(world.get("/v1/users/ada").await.ok().get("email"), None);
}

#[tokio::test]
async fn what_track_says_of_a_user_is_kept() {
    let world = World::starter().await;
    let sign_in = |more: Value| {
        let mut body = json!({"ipAddress": LONDON, "custom": {"outcome": "succeeded"}});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        world.post("/v1/users/ada/actions/signIn", body)
    };
    let given = json!({"email": "ada@example.org", "username": "ada", "phoneNumber": "+4420"});
    sign_in(given.clone()).await.ok();
    for (name, value) in given.as_object().expect("an object") {
        assert_eq!(&world.get("/v1/users/ada").await.ok()[name], value);
    }
    assert_eq!(world.get("/v1/users?username=ada").await.ok()["users"][0]["email"], "ada@example.org");
    // The same again, or nothing, writes no more than its decision.
    let entries = world.entries().await;
    sign_in(given).await.ok();
    sign_in(json!({"email": null})).await.ok();
    assert_eq!(world.entries().await, entries + 2);
    // Another address is another to verify; what an event of the past says is not so today, nor what a repeat says.
    world.call("PATCH", "/v1/users/ada", json!({"emailVerified": true})).await.ok();
    let moved = json!({"email": "ada@example.net", "idempotencyKey": "k"});
    sign_in(moved.clone()).await.ok();
    let shown = world.get("/v1/users/ada").await.ok();
    assert_eq!((&shown["email"], &shown["emailVerified"]), (&json!("ada@example.net"), &json!(false)));
    world.call("PATCH", "/v1/users/ada", json!({"email": "ada@example.com"})).await.ok();
    sign_in(moved).await.ok();
    sign_in(json!({"email": "old@example.org", "occurredAt": "2026-03-01T09:59:00Z"})).await.ok();
    let shown = world.get("/v1/users/ada").await.ok();
    assert_eq!((&shown["email"], &shown["username"]), (&json!("ada@example.com"), &json!("ada")));
    // A question stores nothing.
    let asked = json!({"userId": "eve", "action": "password_change", "email": "e@example.org", "ipAddress": LONDON});
    world.call_as(ANALYST, "POST", "/v1/evaluate", asked).await.ok();
    assert_eq!(world.get("/v1/users/eve").await.ok().get("email"), None);
}

#[tokio::test]
async fn what_no_rule_could_read_of_a_user_is_refused() {
    let world = World::starter().await;
    for (custom, pointer) in [
        (json!({"timeZone": "Nowhere/Land"}), "/custom/timeZone"),
        (json!({"tz": 5}), "/custom/tz"),
        (json!({"homeCountry": "nz"}), "/custom/homeCountry"),
        (json!({"home_country": "ZZ"}), "/custom/home_country"),
    ] {
        let refusal =
            world.call("PATCH", "/v1/users/ada", json!({"custom": custom})).await.refused(400, "invalid_request");
        assert_eq!(refusal["errors"][0]["pointer"], pointer, "{refusal}");
    }
    let misspelt = world.call("PATCH", "/v1/users/ada", json!({"emial": "a@example.org"})).await;
    assert_eq!(misspelt.refused(400, "invalid_request")["errors"][0]["pointer"], "/emial");
    let good = json!({"custom": {"timeZone": "Europe/Paris", "homeCountry": "FR"}, "somethingOfAnSdk": 1});
    world.call("PATCH", "/v1/users/ada", good).await.ok();
}

#[tokio::test]
async fn decisions_are_found_by_every_name_of_their_action_and_by_no_misspelt_question() {
    let world = World::starter().await;
    for (action, key) in [("sign_in", "k1"), ("signIn", "k2"), ("sign-in", "k3")] {
        let body = json!({"ipAddress": LONDON, "idempotencyKey": key, "custom": {"outcome": "succeeded"}});
        world.post(&format!("/v1/users/ada/actions/{action}"), body).await.ok();
    }
    for name in ["sign_in", "signIn"] {
        let found = world.get(&format!("/v1/decisions?user=ada&action={name}")).await.ok();
        assert_eq!(found["decisions"].as_array().map(Vec::len), Some(3), "{found}");
    }
    for (query, detail) in [("userId=ada", "is `user` meant?"), ("since=2026-01-01", "there are: action, ")] {
        let refusal = world.get(&format!("/v1/decisions?{query}")).await.refused(400, "invalid_request");
        let said = refusal["errors"][0]["detail"].as_str().unwrap_or_default();
        assert!(said.contains(detail), "{query}: {said}");
    }
    world.post("/v1/users/ada/actions/signIn?explian=true", json!({})).await.refused(400, "invalid_request");
    world.get("/v1/challenges?action=sign_in").await.refused(400, "invalid_request");
    let validate = json!({"token": "x", "expects": {"amount": "1 EUR"}});
    assert_eq!(
        world.post("/v1/validate", validate).await.refused(400, "invalid_request")["errors"][0]["pointer"],
        "/expects"
    );
}

#[tokio::test]
async fn a_known_home_country_reaches_the_rules() {
    let world = World::starter().await;
    let body = json!({"ipAddress": LONDON, "deviceId": "d1"});
    let away = world.post("/v1/users/ada/actions/passwordChange?explain=true", body.clone()).await.ok();
    world.call("PATCH", "/v1/users/ada", json!({"custom": {"homeCountry": "GB"}})).await.ok();
    let home = world.post("/v1/users/ada/actions/passwordChange?explain=true", body).await.ok();
    assert!(away["trace"].to_string().contains("user.home_country"));
    assert_ne!(away["trace"]["verdict"]["unknown"], home["trace"]["verdict"]["unknown"], "{home:#}");
}

#[tokio::test]
async fn a_pack_is_checked_without_being_put_into_force() {
    let world = World::starter().await;
    let version = world.get("/v1/policies").await.ok()["version"].clone();
    let good = world.call_as(
        ANALYST,
        "POST",
        "/v1/policies/check",
        json!({"source": "event x {}\npolicy p on x { default allow }"}),
    );
    assert_eq!(good.await.ok()["ok"], true);
    let bad = json!({"files": {"a.rules": "event x {}\npolicy p on y { default allow }"}});
    let report = world.call_as(ANALYST, "POST", "/v1/policies/check", bad).await.ok();
    assert_eq!(report["ok"], false);
    assert!(report["text"].as_str().is_some_and(|text| text.contains("a.rules")), "{report:#}");
    assert_eq!(world.get("/v1/policies").await.ok()["version"], version);
}

#[tokio::test]
async fn a_tenant_decides_what_a_challenge_for_a_user_without_a_device_comes_to() {
    use server::config::{TenantConfig, Unenrolled};
    let own = |unenrolled| TenantConfig { unenrolled: Some(unenrolled), ..TenantConfig::default() };
    for (default, own, state, code, flags) in [
        (None, None, "CHALLENGE_REQUIRED", None, json!([])),
        (Some(Unenrolled::Challenge), None, "CHALLENGE_REQUIRED", None, json!([])),
        (Some(Unenrolled::Block), None, "BLOCK", Some("UNENROLLED"), json!([])),
        (Some(Unenrolled::Allow), None, "ALLOW", Some("UNENROLLED"), json!(["unenrolled_allowed"])),
        // The tenant's own word goes before the defaults.
        (Some(Unenrolled::Allow), Some(own(Unenrolled::Challenge)), "CHALLENGE_REQUIRED", None, json!([])),
        (Some(Unenrolled::Allow), Some(own(Unenrolled::Block)), "BLOCK", Some("UNENROLLED"), json!([])),
    ] {
        let world = World::with(|config| {
            config.policies.pack = crate::support::starter();
            config.defaults.unenrolled = default;
            config.tenants.extend(own.map(|own| ("acme".to_owned(), own)));
        })
        .await;
        let body = json!({"amount": "10.00 EUR", "payee": "p"});
        let answer = world.post("/v1/users/ada/actions/withdrawal", body).await.ok();
        assert_eq!(answer["state"], state, "{answer:#}");
        assert_eq!(answer["reasons"][0]["code"].as_str(), code);
        assert_eq!(answer.get("mustEnrol"), None);
        // Never silently: the decision says it for good.
        let id = answer["decisionId"].as_str().expect("an id");
        let decision = world.get(&format!("/v1/decisions/{id}")).await.ok();
        assert_eq!((&answer["flags"], &decision["flags"]), (&flags, &flags), "{decision:#}");
        // Only who must enrol may do so unasked.
        let claims = answer["token"].as_str().and_then(|token| token.split('.').nth(1)).expect("claims");
        let claims =
            base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims).expect("base64url");
        let claims: serde_json::Value = serde_json::from_slice(&claims).expect("JSON");
        let adds = claims["scope"].as_str().is_some_and(|scope| scope.contains("add:authenticators"));
        assert_eq!(adds, state == "CHALLENGE_REQUIRED", "{claims}");
    }
}
