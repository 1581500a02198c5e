use serde_json::json;

use crate::harness::{Server, id};
use crate::phone::{Phone, Sdk};
use crate::screen::{PollingScreen, Screen};

/// A phone that is enrolled for the user.
pub async fn enrolled(server: &Server, user: &str, sdk: Sdk) -> Phone {
    let phone = Phone::new(server, sdk);
    let token = server.enrolment_token(user).await;
    phone.add(server, &token).await.ok();
    phone
}

#[tokio::test]
async fn over_a_socket_the_screen_hears_claimed_and_approved_with_a_token() {
    let server = Server::start().await;
    for sdk in [Sdk::Ios, Sdk::Android, Sdk::Legacy] {
        let user = format!("ann-{sdk:?}");
        let phone = enrolled(&server, &user, sdk).await;
        let mut screen = Screen::anonymous(&server).await;
        let created = screen.create("kiosk-login", Some(json!({"till": "7", "undeclared": "x"}))).await;
        let challenge = id(&created);

        let claimed = phone.claim(&server, &challenge).await.ok();
        assert_eq!(claimed["success"], true);
        assert_eq!(claimed["actionCode"], "kiosk-login");
        assert_eq!(claimed["ipAddress"], "127.0.0.1");
        assert_eq!(claimed["custom"], json!({"till": "7"}));
        assert_eq!(claimed["user"]["custom"], json!({}));
        assert_eq!(screen.state(&challenge).await, ("claimed".to_owned(), None));

        let answered = phone.answer(&server, &challenge, true).await.ok();
        assert_eq!(answered, json!({"isVerified": true}));
        let (state, token) = screen.state(&challenge).await;
        assert_eq!(state, "approved");

        let valid = server.validate(json!({"token": token, "action": "kiosk-login"})).await;
        assert_eq!((&valid["isValid"], &valid["userId"]), (&json!(true), &json!(user)), "{valid}");
        assert_eq!(valid["state"], "CHALLENGE_SUCCEEDED");
        assert_eq!(valid["verificationMethod"], "DEVICE");
        assert_eq!(valid["acr"], "qr.compat");
    }
}

#[tokio::test]
async fn by_polling_the_screen_sees_the_same() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Android).await;
    let screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    let polled =
        |claimed: bool, consumed: bool| json!({"isClaimed": claimed, "isConsumed": consumed, "isVerified": false});
    let three = |body: &serde_json::Value| json!({"isClaimed": body["isClaimed"], "isConsumed": body["isConsumed"], "isVerified": body["isVerified"]});

    assert_eq!(three(&screen.poll(&server).await.ok()), polled(false, false));
    phone.claim(&server, &screen.challenge_id).await.ok();
    assert_eq!(three(&screen.poll(&server).await.ok()), polled(true, false));
    phone.answer(&server, &screen.challenge_id, true).await.ok();
    let first = screen.poll(&server).await.ok();
    assert_eq!(first["isVerified"], true);
    let second = screen.poll(&server).await.ok();

    // However often the token is fetched, it counts once.
    let valid = server.validate(json!({"token": first["accessToken"]})).await;
    assert_eq!(valid["isValid"], true, "{valid}");
    let again = server.validate(json!({"token": second["accessToken"]})).await;
    assert_eq!(again["alreadyValidated"], true, "{again}");
}

#[tokio::test]
async fn a_rejection_reaches_socket_and_poller() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;

    let mut screen = Screen::anonymous(&server).await;
    let challenge = id(&screen.create("kiosk-login", None).await);
    phone.claim(&server, &challenge).await.ok();
    assert_eq!(phone.answer(&server, &challenge, false).await.ok(), json!({"isVerified": false}));
    assert_eq!(screen.state(&challenge).await.0, "claimed");
    assert_eq!(screen.state(&challenge).await, ("rejected".to_owned(), None));

    let screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    phone.claim(&server, &screen.challenge_id).await.ok();
    phone.answer(&server, &screen.challenge_id, false).await.ok();
    let polled = screen.poll(&server).await.ok();
    assert_eq!((&polled["isClaimed"], &polled["isConsumed"]), (&json!(true), &json!(true)));
    assert!(polled.get("accessToken").is_none());
}

#[tokio::test]
async fn a_kiosk_that_lost_its_socket_goes_on_by_polling() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    for breaks_after_the_claim in [true, false] {
        let mut screen = Screen::anonymous(&server).await;
        let created = screen.create("kiosk-login", None).await;
        if breaks_after_the_claim {
            phone.claim(&server, &id(&created)).await.ok();
            assert_eq!(screen.state(&id(&created)).await.0, "claimed");
        }
        drop(screen);
        let polling = PollingScreen::resume(&server, &created);
        assert_eq!(polling.poll(&server).await.ok()["isClaimed"], breaks_after_the_claim);
        if !breaks_after_the_claim {
            phone.claim(&server, &id(&created)).await.ok();
        }
        phone.answer(&server, &id(&created), true).await.ok();
        let polled = polling.poll(&server).await.ok();
        assert_eq!(polled["isVerified"], true);
        assert!(polled["accessToken"].is_string());
    }
    // A refused screen gets an id that nobody has, and no code to ask with.
    let mut screen = Screen::anonymous(&server).await;
    screen.ask("no-such-action", None).await;
    assert_eq!(screen.next().await["type"], "ERROR");
    assert!(screen.next().await["data"].get("deviceCode").is_none());
}

#[tokio::test]
async fn a_policy_that_blocks_refuses_the_claim_and_leaves_the_code_to_others() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let mut screen = Screen::anonymous(&server).await;
    let closed = id(&screen.create("kiosk-login", Some(json!({"till": "13"}))).await);
    phone.claim(&server, &closed).await.refused(403, "action_blocked");
    assert!(screen.is_silent().await);
}

#[tokio::test]
async fn an_action_that_needs_a_known_user_cannot_be_started_by_a_kiosk() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let custom = json!({"amount": {"value": "20.00", "currency": "EUR"}, "payee": "Bakery"});
    let body = json!({"action": "pay", "custom": custom});
    let screen = PollingScreen::create(&server, None, body).await.expect("a challenge");
    phone.claim(&server, &screen.challenge_id).await.refused(403, "wrong_user");
}

#[tokio::test]
async fn an_unknown_action_is_refused_so_that_a_stock_sdk_notices() {
    let server = Server::start().await;
    let mut screen = Screen::anonymous(&server).await;
    // What cannot be an action at all, or has no action, is refused like one that nobody declared.
    for (action, custom) in [
        ("no-such-action", None),
        ("kiosk login", None),
        ("", None),
        (&*"x".repeat(101), None),
        ("kiosk-login", Some(json!("no object"))),
    ] {
        screen.ask(action, custom).await;
        let error = screen.next().await;
        assert_eq!((&error["type"], &error["data"]["error"]), (&json!("ERROR"), &json!("invalid_request")), "{error}");
        let created = screen.next().await;
        assert_eq!(created["type"], "CHALLENGE_CREATED");
        let challenge = id(&created["data"]);
        assert_eq!(screen.state(&challenge).await.0, "rejected");
    }
    screen.create("kiosk-login", None).await;

    let refused = PollingScreen::create(&server, None, json!({"action": "no-such-action"})).await;
    refused.expect_err("a refusal").refused(422, "invalid_request");
}

#[tokio::test]
async fn of_thirty_two_phones_that_claim_at_once_one_wins() {
    let server = Server::start().await;
    let mut phones = Vec::new();
    for number in 0..32 {
        phones.push(enrolled(&server, &format!("user-{number}"), Sdk::Android).await);
    }
    for _round in 0..3 {
        let screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
        let claims = phones.iter().map(|phone| phone.claim(&server, &screen.challenge_id));
        let replies = futures_util::future::join_all(claims).await;
        let winners: Vec<usize> = (0..phones.len()).filter(|&index| replies[index].status == 200).collect();
        assert_eq!(winners.len(), 1, "winners: {winners:?}");
        for (index, reply) in replies.iter().enumerate() {
            if !winners.contains(&index) {
                reply.refused(409, "challenge_already_claimed");
            }
        }
        let loser = usize::from(winners == [0]);
        phones[loser].answer(&server, &screen.challenge_id, true).await.refused(403, "not_claimer");
        phones[winners[0]].answer(&server, &screen.challenge_id, true).await.ok();
    }
}

/// A4: a bystander was faster, and the person before the screen sees it.
#[tokio::test]
async fn a_kiosk_sees_the_masked_claimer_and_a_known_users_screen_does_not() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    server.backend("PATCH", "/v1/users/ann", json!({"displayName": "Johanna"})).await.ok();
    let mut screen = Screen::anonymous(&server).await;
    let challenge = id(&screen.create("kiosk-login", None).await);
    phone.claim(&server, &challenge).await.ok();
    let claimer = json!({"name": "J•••", "devicePlatform": "ios"});
    let data = json!({"challengeId": challenge, "state": "claimed", "claimedBy": claimer});
    assert_eq!(screen.next().await, json!({"type": "STATE_CHANGE", "data": data}));

    let polling = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    assert_eq!(polling.poll(&server).await.ok().get("claimedBy"), None);
    phone.claim(&server, &polling.challenge_id).await.ok();
    assert_eq!(polling.poll(&server).await.ok()["claimedBy"], json!({"name": "J•••", "devicePlatform": "ios"}));
    phone.answer(&server, &polling.challenge_id, true).await.ok();
    assert_eq!(polling.poll(&server).await.ok().get("claimedBy"), None);

    let shown = crate::harness::token(&server.pay("ann", "k1").await);
    let polling = PollingScreen::create(&server, Some(&shown), json!({"action": "pay"})).await.expect("a challenge");
    phone.claim(&server, &polling.challenge_id).await.ok();
    let polled = polling.poll(&server).await.ok();
    assert_eq!((&polled["state"], polled.get("claimedBy")), (&json!("claimed"), None));
}

#[tokio::test]
async fn a_tenant_may_want_signatures_over_everything_for_an_action() {
    use server::config::MobileProtocol;
    let server = Server::start_with(|config| {
        config.defaults.min_mobile_protocol.insert("*".to_owned(), MobileProtocol::Compat);
        config.defaults.min_mobile_protocol.insert("kiosk-login".to_owned(), MobileProtocol::V2);
    })
    .await;
    let stock = enrolled(&server, "ann", Sdk::Ios).await;
    let screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    stock.claim(&server, &screen.challenge_id).await.refused(400, "protocol_too_old");
    assert_eq!(screen.poll(&server).await.ok()["state"], "unclaimed");
    let phone = Phone::new(&server, Sdk::Ios);
    let made = crate::phone_v2::enrol(&server, &phone, &server.enrolment_token("bob").await).await.ok();
    let credential = made["userAuthenticatorId"].as_str().expect("an id");
    crate::phone_v2::claim(&server, &phone, credential, &screen.challenge_id, "").await.ok();
    // Every other action is taken from stock phones.
    let shown = crate::harness::token(&server.pay("ann", "k1").await);
    let screen = PollingScreen::create(&server, Some(&shown), json!({"action": "pay"})).await.expect("a challenge");
    stock.claim(&server, &screen.challenge_id).await.ok();
}
