//! In-app verification, with the bytes of the published SDKs: one signature over an id that we gave.

use std::time::Duration;

use serde_json::{Value, json};

use crate::a_kiosk_learns_who_signs_in::enrolled;
use crate::harness::{OTHER_TENANT, Server, id, token};
use crate::phone::{Phone, Sdk};
use crate::screen::PollingScreen;

async fn app_of(server: &Server, user: &str, sdk: Sdk) -> Phone {
    let phone = Phone::of_kind(server, sdk, "in-app");
    phone.add(server, &server.enrolment_token(user).await).await.ok();
    phone
}

fn claims(token: &Value) -> Option<&str> {
    token.as_str().expect("a token").rsplit_once('.').map(|(signed, _)| signed)
}

#[tokio::test]
async fn a_tracked_action_is_approved_in_the_app() {
    let server = Server::start().await;
    for sdk in [Sdk::Ios, Sdk::Android, Sdk::Legacy] {
        let user = format!("ann-{sdk:?}");
        let phone = app_of(&server, &user, sdk).await;
        server.backend("PATCH", &format!("/v1/users/{user}"), json!({"username": "Ann"})).await.ok();
        let page = token(&server.pay(&user, "k1").await);
        let challenge = id(&phone.ask(&server, None).await.ok());
        let verified = phone.verify(&server, &challenge, Some(&page)).await.ok();
        assert_eq!((&verified["userId"], &verified["username"]), (&json!(user), &json!("Ann")));
        assert_eq!(verified["userAuthenticatorId"], phone.get(&server).await.ok()["userAuthenticatorId"]);
        // The reply was lost: the same again is the same token.
        let repeated = phone.verify(&server, &challenge, Some(&page)).await.ok();
        // Signed afresh, with the same claims.
        assert_eq!(claims(&repeated["token"]), claims(&verified["token"]));
        assert_eq!(server.state(&user, "pay", "k1").await, "CHALLENGE_SUCCEEDED");
        let validated = server.validate(json!({"token": verified["token"], "action": "pay", "userId": user})).await;
        assert_eq!((&validated["isValid"], &validated["verificationMethod"]), (&json!(true), &json!("DEVICE")));
        assert_eq!(validated["verificationMethodDetail"], "IN_APP");
        // What is approved is over: another id for the same action approves nothing more.
        let again = id(&phone.ask(&server, None).await.ok());
        phone.verify(&server, &again, Some(&page)).await.refused(409, "challenge_closed");
    }
}

#[tokio::test]
async fn an_app_names_an_action_and_the_policies_judge_its_user() {
    let server = Server::start().await;
    for sdk in [Sdk::Ios, Sdk::Android, Sdk::Legacy] {
        let user = format!("ann-{sdk:?}");
        let phone = app_of(&server, &user, sdk).await;
        let challenge = id(&phone.ask(&server, Some("kiosk-login")).await.ok());
        let verified = phone.verify(&server, &challenge, None).await.ok();
        let validated =
            server.validate(json!({"token": verified["token"], "action": "kiosk-login", "userId": user})).await;
        assert_eq!((&validated["isValid"], &validated["state"]), (&json!(true), &json!("CHALLENGE_SUCCEEDED")));
        let decisions =
            server.backend("GET", &format!("/v1/decisions?user={user}&action=kiosk-login"), json!(null)).await.ok();
        assert_eq!(decisions["decisions"].as_array().map(Vec::len), Some(1), "{decisions}");
        // A payment needs an amount and a payee, which no app can name here.
        assert_eq!(phone.ask(&server, Some("pay")).await.status, 422);
    }
}

#[tokio::test]
async fn an_id_that_was_not_given_for_it_verifies_nothing() {
    let server = Server::start().await;
    let phone = app_of(&server, "ann", Sdk::Ios).await;
    let scanner = enrolled(&server, "ann", Sdk::Ios).await;
    let stranger = app_of(&server, "bob", Sdk::Ios).await;
    let page = token(&server.pay("ann", "k1").await);

    let mine = id(&phone.ask(&server, None).await.ok());
    // Made up; of a QR code; another tenant's; without saying what it is for; with another user's key; with a key for codes.
    phone
        .verify(&server, "3a991a14-690c-492b-a5e5-02b9056a4b7d", Some(&page))
        .await
        .refused(404, "challenge_not_found");
    let screen = PollingScreen::create(&server, Some(&page), json!({"action": "pay"})).await.expect("a challenge");
    phone.verify(&server, &screen.challenge_id, Some(&page)).await.refused(404, "challenge_not_found");
    let mut elsewhere = Phone::new(&server, Sdk::Ios);
    elsewhere.tenant = OTHER_TENANT.to_owned();
    let foreign = id(&elsewhere.ask(&server, None).await.ok());
    phone.verify(&server, &foreign, Some(&page)).await.refused(404, "challenge_not_found");
    phone.verify(&server, &mine, None).await.refused(401, "invalid_token");
    stranger.verify(&server, &mine, Some(&page)).await.refused(403, "wrong_user");
    scanner.verify(&server, &mine, Some(&page)).await.refused(404, "unknown_credential");
    assert_eq!(server.state("ann", "pay", "k1").await, "CHALLENGE_REQUIRED");

    // Too old.
    server.clock.advance(Duration::from_secs(601));
    let page = token(&server.pay("ann", "k2").await);
    phone.verify(&server, &mine, Some(&page)).await.refused(404, "challenge_not_found");
    let mine = id(&phone.ask(&server, None).await.ok());
    phone.verify(&server, &mine, Some(&page)).await.ok();
}

#[tokio::test]
async fn an_anonymous_challenge_in_an_app_is_its_first_answerers() {
    let server = Server::start().await;
    let phone = app_of(&server, "ann", Sdk::Android).await;
    let other = app_of(&server, "bob", Sdk::Android).await;
    let challenge = id(&phone.ask(&server, Some("kiosk-login")).await.ok());
    assert_eq!(phone.verify(&server, &challenge, None).await.ok()["userId"], "ann");
    other.verify(&server, &challenge, None).await.refused(403, "not_claimer");
    let forgotten = id(&phone.ask(&server, Some("kiosk-login")).await.ok());
    server.pass(Duration::from_secs(601)).await;
    phone.verify(&server, &forgotten, None).await.refused(400, "challenge_expired");
}
