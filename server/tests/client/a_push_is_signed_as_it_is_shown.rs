//! Push and in-app with version 2: the phone claims, shows the frozen context, and signs that, the decision and what was
//! typed, as it does for a code on a screen.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::a_push_is_answered_by_the_phone::{poll, pushable, send};
use crate::harness::{Server, id, token};
use crate::phone::{Phone, Sdk};
use crate::phone_v2::{self, Decide};

/// A person whose phone has a key of one kind, enrolled with version 2.
async fn enrolled(server: &Server, user: &str, kind: &'static str) -> (Phone, String) {
    let phone = Phone::of_kind(server, Sdk::Android, kind);
    let more = json!({"pushToken": "fcm/token-1"});
    let added = phone_v2::enrol_with(server, &phone, &server.enrolment_token(user).await, more).await.ok();
    (phone, added["userAuthenticatorId"].as_str().expect("an id").to_owned())
}

/// A payment's token, and the push that its page sent.
async fn pushed(server: &Server, user: &str, key: &str) -> (String, String) {
    let page = token(&server.pay(user, key).await);
    let challenge = id(&send(server, &page).await.ok());
    (page, challenge)
}

/// Amount and payee must be signed: the server may not vouch for stock phones.
async fn signing() -> Server {
    Server::start_with(|config| config.defaults.server_linking = Some(false)).await
}

/// Whoever claims anything is asked for the number on the screen.
async fn asking() -> Server {
    Server::start_with(|config| {
        let rules = "event challenge_claim {}\n\npolicy always on challenge_claim {\n  default challenge qr\n}\n";
        std::fs::write(config.policies.pack.join("claim.rules"), rules).expect("written");
    })
    .await
}

fn payload(token: &Value) -> Value {
    let part = token.as_str().and_then(|token| token.split('.').nth(1)).expect("a token");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

#[tokio::test]
async fn a_bound_push_is_shown_signed_and_validated_and_a_stock_answer_is_refused() {
    let server = signing().await;
    let (phone, credential) = enrolled(&server, "ann", "push").await;
    let (page, challenge) = pushed(&server, "ann", "k1").await;
    // What a stock phone signs covers neither amount nor payee.
    phone.answer(&server, &challenge, true).await.refused(400, "protocol_too_old");

    // The question must be signed to have the context; what is shown is what the claim gives to sign.
    phone.pending_in(&server, "&version=2", None).await.refused(400, "invalid_signature");
    assert_eq!(phone.pending_in(&server, "&version=3", None).await.status, 400);
    let shown = phone_v2::pending(&server, &phone).await.ok();
    assert_eq!((&shown["challengeId"], &shown["needsCode"]), (&json!(challenge), &json!(false)));
    let claimed = phone_v2::claim(&server, &phone, &credential, &challenge, "").await.ok();
    assert_eq!(claimed["context"], shown["context"]);
    let context = URL_SAFE_NO_PAD.decode(claimed["context"].as_str().expect("a context")).expect("base64url");
    let context: Value = serde_json::from_slice(&context).expect("JSON");
    assert_eq!(context["bind"][0], json!({"field": "amount", "value": "20.00 EUR"}));
    assert_eq!(poll(&server, &page, &challenge).await.ok()["state"], "claimed");
    assert_eq!(phone.pending(&server, None).await.ok()["challengeId"], json!(challenge), "taken by this phone");

    // Nor does a stock answer finish what was begun with version 2.
    phone.answer(&server, &challenge, true).await.refused(409, "protocol_mismatch");
    let decide = phone_v2::decision(&server, &credential, &challenge, &claimed, "approve");
    let other = |change: fn(&mut Decide)| {
        let mut decide = decide.clone();
        change(&mut decide);
        decide.text()
    };
    let mutations: [fn(&mut Decide); 8] = [
        |d| d.iss = "https://mfa.example.net/v1".to_owned(),
        |d| d.tenant = "0d5e7a1c-8f0f-4a51-9d0e-2c6a9f1b7e11".to_owned(),
        |d| d.challenge = "3a991a14-690c-492b-a5e5-02b9056a4b7d".to_owned(),
        |d| d.credential = "another".to_owned(),
        |d| d.claim = "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        |d| d.ctx = phone_v2::sha256(b"20000.00 EUR"),
        |d| d.decision = "reject".to_owned(),
        |d| d.code = "17".to_owned(),
    ];
    for change in mutations {
        let signed = other(change);
        phone_v2::decide(&server, &phone, &challenge, true, &signed).await.refused(400, "invalid_signature");
    }
    let signed = decide.text();
    let approve = || phone_v2::decide(&server, &phone, &challenge, true, &signed);
    assert_eq!(approve().await.ok(), json!({"isVerified": true}));
    let before = server.app.store.log_head().await.expect("the log").size;
    assert_eq!(approve().await.ok(), json!({"isVerified": true}), "a lost reply");
    assert_eq!(server.app.store.log_head().await.expect("the log").size, before);
    let rejected = other(|d| d.decision = "reject".to_owned());
    phone_v2::decide(&server, &phone, &challenge, false, &rejected).await.refused(409, "challenge_already_answered");

    let done = poll(&server, &page, &challenge).await.ok();
    let claims = payload(&done["accessToken"]);
    assert_eq!((&claims["acr"], &claims["link"]), (&json!("qr.linked"), &json!("signed")), "{claims}");
    let wanted = json!({"token": done["accessToken"], "action": "pay", "userId": "ann",
        "expect": {"amount": {"value": "20.00", "currency": "EUR"}}});
    let validated = server.validate(wanted).await;
    assert_eq!((&validated["isValid"], &validated["verificationMethod"]), (&json!(true), &json!("PUSH")));
}

#[tokio::test]
async fn a_signed_push_is_rejected_and_is_nobody_elses() {
    let server = Server::start().await;
    let (phone, credential) = enrolled(&server, "ann", "push").await;
    let (second, other) = enrolled(&server, "ann", "push").await;
    let (scanner, scans) = enrolled(&server, "ann", "qr-code").await;
    let (stranger, strange) = enrolled(&server, "bob", "push").await;
    let (page, challenge) = pushed(&server, "ann", "k1").await;
    phone_v2::claim(&server, &stranger, &strange, &challenge, "").await.refused(403, "wrong_user");
    phone_v2::claim(&server, &scanner, &scans, &challenge, "").await.refused(404, "challenge_not_found");
    // A claim names the key that signs it.
    phone_v2::claim(&server, &phone, &other, &challenge, "").await.refused(400, "invalid_signature");
    // No code of a screen belongs to a push.
    phone_v2::claim(&server, &phone, &credential, &challenge, "AAAAAAAAAAA").await.refused(400, "qr_stale");
    phone_v2::decide(&server, &phone, &challenge, true, "x").await.refused(409, "challenge_not_claimed");
    assert_eq!(poll(&server, &page, &challenge).await.ok()["state"], "unclaimed");

    let claimed = phone_v2::claim(&server, &phone, &credential, &challenge, "").await.ok();
    phone_v2::claim(&server, &second, &other, &challenge, "").await.refused(409, "challenge_already_claimed");
    let theirs = phone_v2::decision(&server, &other, &challenge, &claimed, "approve").text();
    phone_v2::decide(&server, &second, &challenge, true, &theirs).await.refused(403, "not_claimer");
    assert_eq!(phone_v2::pending(&server, &second).await.ok()["challengeId"], json!(null));
    let again = phone_v2::claim(&server, &phone, &credential, &challenge, "").await.ok();
    assert_eq!(again["claim"], claimed["claim"], "a lost reply: the same claim");
    let reject = phone_v2::decision(&server, &credential, &challenge, &claimed, "reject").text();
    let answered = phone_v2::decide(&server, &phone, &challenge, false, &reject).await.ok();
    assert_eq!(answered, json!({"isVerified": false}));
    assert_eq!(server.state("ann", "pay", "k1").await, "CHALLENGE_FAILED");

    // By itself, a stock claim of a push would be an approval in the hands of whoever reads it.
    let (_, challenge) = pushed(&server, "ann", "k2").await;
    let refused = phone.claim(&server, &challenge).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["pointer"]), (400, &json!("/version")), "{}", refused.body);
    let legacy = pushable(&server, "cy", Sdk::Legacy).await;
    let (_, challenge) = pushed(&server, "cy", "k1").await;
    legacy.claim(&server, &challenge).await.refused(404, "challenge_not_found");
    assert_eq!(legacy.answer(&server, &challenge, true).await.ok(), json!({"isVerified": true}));
}

#[tokio::test]
async fn a_push_asks_for_the_number_that_its_page_shows_and_three_wrong_ones_end_it() {
    let server = asking().await;
    let (phone, credential) = enrolled(&server, "ann", "push").await;
    let number = async |key: &str| {
        let (page, challenge) = pushed(&server, "ann", key).await;
        assert_eq!(poll(&server, &page, &challenge).await.ok()["matchCode"], json!(null));
        let claimed = phone_v2::claim(&server, &phone, &credential, &challenge, "").await.ok();
        assert_eq!(claimed["needsCode"], true);
        assert_eq!(phone_v2::pending(&server, &phone).await.ok()["needsCode"], true);
        let shown = poll(&server, &page, &challenge).await.ok()["matchCode"].as_str().expect("digits").to_owned();
        assert!(!claimed.to_string().contains(&format!("\"{shown}\"")), "the phone is not told the number");
        let wrong = format!("{:02}", (shown.parse::<u32>().expect("digits") + 1) % 100);
        let decide = phone_v2::decision(&server, &credential, &challenge, &claimed, "approve");
        (page, challenge, decide, shown, wrong)
    };
    let (page, challenge, decide, shown, wrong) = number("k1").await;
    phone_v2::approve_with(&server, &phone, &decide, &wrong).await.refused(400, "wrong_code");
    phone_v2::decide(&server, &phone, &challenge, true, &decide.text()).await.refused(400, "wrong_code");
    assert_eq!(phone_v2::approve_with(&server, &phone, &decide, &shown).await.ok(), json!({"isVerified": true}));
    let done = poll(&server, &page, &challenge).await.ok();
    assert_eq!((&done["isVerified"], &done["matchCode"]), (&json!(true), &json!(null)));

    let (page, challenge, decide, shown, wrong) = number("k2").await;
    for (typed, left) in [(wrong.as_str(), 2), ("", 1), (&format!("{wrong}0"), 0)] {
        let refused = phone_v2::approve_with(&server, &phone, &decide, typed).await;
        refused.refused(400, "wrong_code");
        assert_eq!(refused.body["attemptsLeft"], left);
    }
    phone_v2::approve_with(&server, &phone, &decide, &shown).await.refused(409, "challenge_already_answered");
    assert_eq!(poll(&server, &page, &challenge).await.ok()["state"], "rejected");
    assert_eq!(server.state("ann", "pay", "k2").await, "CHALLENGE_FAILED");
}

#[tokio::test]
async fn an_app_shows_what_a_tracked_action_is_about_and_signs_that() {
    let server = signing().await;
    let (app, credential) = enrolled(&server, "ann", "in-app").await;
    let (stranger, strange) = enrolled(&server, "bob", "in-app").await;
    let page = token(&server.pay("ann", "k1").await);
    let challenge = id(&app.ask(&server, None).await.ok());
    // Refused before anything is recorded: what is bound is not signed, the wrong person, the wrong key, no word for what.
    let size = async || server.app.store.log_head().await.expect("the log").size;
    let before = size().await;
    app.verify(&server, &challenge, Some(&page)).await.refused(400, "protocol_too_old");
    let claim = async |phone: &Phone, credential: &str| {
        phone_v2::claim_with_token(&server, phone, credential, &challenge, &page).await
    };
    claim(&stranger, &strange).await.refused(403, "wrong_user");
    claim(&app, &strange).await.refused(400, "invalid_signature");
    phone_v2::claim(&server, &app, &credential, &challenge, "").await.refused(401, "invalid_token");
    let open = server.backend("GET", &format!("/v1/challenges?challengeId={challenge}"), Value::Null).await.ok();
    assert_eq!(open, json!({}));
    assert!(size().await > before, "and the refusals are in the log");

    let claimed = claim(&app, &credential).await.ok();
    assert_eq!((&claimed["needsCode"], &claimed["custom"]["payee"]), (&json!(false), &json!("Bakery")));
    assert_eq!(claim(&app, &credential).await.ok()["claim"], claimed["claim"], "a lost reply");
    let decide = phone_v2::decision(&server, &credential, &challenge, &claimed, "approve");
    let tampered = Decide { ctx: phone_v2::sha256(b"other bytes"), ..decide.clone() };
    phone_v2::verify(&server, &app, &challenge, &tampered.text()).await.refused(400, "invalid_signature");
    let compat = app.verify(&server, &challenge, Some(&page)).await;
    compat.refused(400, "protocol_too_old");
    let verified = phone_v2::verify(&server, &app, &challenge, &decide.text()).await.ok();
    assert_eq!((&verified["userId"], &verified["userAuthenticatorId"]), (&json!("ann"), &json!(credential)));
    assert_eq!(payload(&verified["token"])["acr"], "qr.linked");
    phone_v2::verify(&server, &app, &challenge, &decide.text()).await.ok();
    let validated = server.validate(json!({"token": verified["token"], "action": "pay", "userId": "ann"})).await;
    assert_eq!((&validated["isValid"], &validated["verificationMethodDetail"]), (&json!(true), &json!("IN_APP")));

    // No is an answer too.
    let page = token(&server.pay("ann", "k2").await);
    let challenge = id(&app.ask(&server, None).await.ok());
    let claimed = phone_v2::claim_with_token(&server, &app, &credential, &challenge, &page).await.ok();
    let reject = phone_v2::decision(&server, &credential, &challenge, &claimed, "reject").text();
    let answered = phone_v2::decide(&server, &app, &challenge, false, &reject).await.ok();
    assert_eq!(answered, json!({"isVerified": false}));
    assert_eq!(server.state("ann", "pay", "k2").await, "CHALLENGE_FAILED");
    phone_v2::verify(&server, &app, &challenge, &reject).await.refused(400, "invalid_signature");
}

#[tokio::test]
async fn an_app_that_names_its_action_signs_its_context_too() {
    let server = Server::start().await;
    let (app, credential) = enrolled(&server, "ann", "in-app").await;
    let (other, theirs) = enrolled(&server, "bob", "in-app").await;
    let challenge = id(&app.ask(&server, Some("kiosk-login")).await.ok());
    let claimed = phone_v2::claim(&server, &app, &credential, &challenge, "").await.ok();
    phone_v2::claim(&server, &other, &theirs, &challenge, "").await.refused(409, "challenge_already_claimed");
    app.verify(&server, &challenge, None).await.refused(409, "protocol_mismatch");
    let decide = phone_v2::decision(&server, &credential, &challenge, &claimed, "approve");
    let verified = phone_v2::verify(&server, &app, &challenge, &decide.text()).await.ok();
    assert_eq!(payload(&verified["token"])["acr"], "qr.linked");
    let expected = json!({"token": verified["token"], "action": "kiosk-login", "userId": "ann"});
    assert_eq!(server.validate(expected).await["isValid"], true);
}

#[tokio::test]
async fn an_app_has_no_other_screen_to_show_a_number() {
    let server = asking().await;
    let (app, credential) = enrolled(&server, "ann", "in-app").await;
    let page = token(&server.pay("ann", "k1").await);
    let challenge = id(&app.ask(&server, None).await.ok());
    let refused = phone_v2::claim_with_token(&server, &app, &credential, &challenge, &page).await;
    refused.refused(403, "action_blocked");
    assert_eq!(refused.body["reasons"][0]["code"], "NO_OTHER_SCREEN", "{}", refused.body);
}
