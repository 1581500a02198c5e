//! A screen with a registered key (`docs/terminals.md`): what it signs, what that is worth, and what is refused.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use challenge::TenantId;
use serde_json::{Value, json};
use server::auth::Secret;

use crate::harness::{Reply, Server, id, token};
use crate::phone::{Phone, Sdk};
use crate::phone_v2::{self, message, sha256};
use crate::screen::{PollingScreen, Screen};

/// A kiosk with a key of its own.
pub struct Kiosk {
    id: String,
    key: Phone,
}

impl Kiosk {
    fn new(server: &Server, id: &str) -> Kiosk {
        Kiosk { id: id.to_owned(), key: Phone::new(server, Sdk::Android) }
    }

    /// One that an administrator has registered.
    pub async fn registered(server: &Server, id: &str) -> Kiosk {
        let kiosk = Kiosk::new(server, id);
        kiosk.register(server).await.ok();
        kiosk
    }

    async fn register(&self, server: &Server) -> Reply {
        let place = json!({"country": "GB", "city": "London", "latitude": 51.5, "longitude": -0.1});
        let body = json!({"publicKey": self.key.public_key(), "name": "Kiosk 7, Central Station", "place": place});
        admin(server, "PUT", &format!("/v1/terminals/{}", self.id), body).await
    }

    /// What it says of itself when it asks for a challenge; `own` is its nonce.
    async fn vouches(&self, server: &Server, action: &str, token: Option<&str>, own: u8) -> Value {
        let headers = [("authorization", server.browser_basic())];
        let given = server.request("POST", "/v1/client/challenge", &headers, Some("{}".into())).await.ok();
        assert_eq!(given["issuer"], json!(phone_v2::issuer(server)), "what it signs names whom it asks");
        let (server_nonce, nonce) = (given["nonce"].as_str().expect("a nonce"), URL_SAFE_NO_PAD.encode([own; 16]));
        let text = message(
            "create",
            &[
                ("iss", &phone_v2::issuer(server)),
                ("tenant", &server.tenant),
                ("terminal", &self.id),
                ("action", action),
                ("token", &token.map(|token| sha256(token.as_bytes())).unwrap_or_default()),
                ("server", server_nonce),
                ("nonce", &nonce),
            ],
        );
        json!({"terminalId": self.id, "serverNonce": server_nonce, "nonce": nonce, "signature": self.key.sign(&text)})
    }

    /// Shows a code to whoever comes.
    async fn shows(&self, server: &Server, own: u8) -> PollingScreen {
        let terminal = self.vouches(server, "kiosk-login", None, own).await;
        let body = json!({"action": "kiosk-login", "rollingQr": true, "terminal": terminal});
        PollingScreen::create(server, None, body).await.expect("a challenge")
    }

    /// What it says over its radio to the tests' phones.
    fn near(&self, server: &Server, challenge: &str, channel: &str) -> Value {
        let text = message(
            "near",
            &[
                ("iss", &phone_v2::issuer(server)),
                ("tenant", &server.tenant),
                ("terminal", &self.id),
                ("challenge", challenge),
                ("channel", channel),
                ("nonce", &phone_v2::own_nonce()),
            ],
        );
        json!({"channel": channel, "signature": self.key.sign(&text)})
    }
}

/// A request of the tenant's administrator.
async fn admin(server: &Server, method: &str, path: &str, body: Value) -> Reply {
    let (tenant, secret) =
        (TenantId::parse(&*server.tenant).expect("a tenant"), format!("sk_test_terminals_{}", server.tenant));
    server.app.admit(&tenant, "Admin", "admin", &Secret::parse(&secret).expect("a secret")).await.expect("a key");
    let authorization = format!("Basic {}", STANDARD.encode(format!("{secret}:")));
    let body = (!matches!(method, "GET" | "DELETE")).then(|| body.to_string());
    server.request(method, path, &[("authorization", authorization)], body).await
}

/// Ann's phone, with version 2.
async fn phone_of_ann(server: &Server) -> (Phone, String) {
    let phone = Phone::new(server, Sdk::Android);
    let enrolled = phone_v2::enrol(server, &phone, &server.enrolment_token("ann").await).await.ok();
    (phone, enrolled["userAuthenticatorId"].as_str().expect("an id").to_owned())
}

async fn code_of(server: &Server, screen: &PollingScreen) -> String {
    let polled = screen.poll(server).await.ok();
    let url = polled["qr"]["steps"][0]["url"].as_str().expect("a url").to_owned();
    let payload = URL_SAFE_NO_PAD.decode(url.rsplit('/').next().expect("a payload")).expect("base64url");
    URL_SAFE_NO_PAD.encode(&payload[payload.len() - 8..])
}

/// Approves what was claimed and validates what came of it.
async fn approved(
    server: &Server,
    (phone, credential): &(Phone, String),
    screen: &PollingScreen,
    claimed: &Value,
) -> Value {
    let signed = phone_v2::decision(server, credential, &screen.challenge_id, claimed, "approve");
    phone_v2::decide(server, phone, &screen.challenge_id, true, &signed.text()).await.ok();
    let polled = screen.poll(server).await.ok();
    server.validate(json!({"token": polled["accessToken"]})).await
}

#[tokio::test]
async fn a_code_of_a_registered_kiosk_is_approved_on_a_trusted_origin() {
    let server = Server::start().await;
    let ann = phone_of_ann(&server).await;
    let kiosk = Kiosk::registered(&server, "kiosk-7").await;

    let screen = kiosk.shows(&server, 1).await;
    let code = code_of(&server, &screen).await;
    let claimed = phone_v2::claim(&server, &ann.0, &ann.1, &screen.challenge_id, &code).await.ok();
    let context = URL_SAFE_NO_PAD.decode(claimed["context"].as_str().expect("a context")).expect("base64url");
    let context: Value = serde_json::from_slice(&context).expect("JSON");
    assert_eq!(context["origin"]["terminal"], json!({"id": "kiosk-7", "name": "Kiosk 7, Central Station"}));
    assert_eq!((&context["origin"]["country"], &context["origin"]["city"]), (&json!("GB"), &json!("London")));
    let valid = approved(&server, &ann, &screen, &claimed).await;
    assert_eq!((&valid["acr"], &valid["terminal"]), (&json!("qr.trusted_origin"), &json!("kiosk-7")), "{valid}");

    // The log names the terminal and what it signed; the same on another page is fresh and no more.
    let plain =
        PollingScreen::create(&server, None, json!({"action": "kiosk-login", "rollingQr": true})).await.expect("one");
    let code = code_of(&server, &plain).await;
    let claimed = phone_v2::claim(&server, &ann.0, &ann.1, &plain.challenge_id, &code).await.ok();
    let valid = approved(&server, &ann, &plain, &claimed).await;
    assert_eq!((&valid["acr"], valid.get("terminal")), (&json!("qr.fresh"), None), "{valid}");
}

#[tokio::test]
async fn a_stock_phone_at_a_kiosk_is_no_more_than_compat_and_the_kiosk_is_named() {
    let server = Server::start().await;
    let phone = crate::a_kiosk_learns_who_signs_in::enrolled(&server, "ann", Sdk::Ios).await;
    let kiosk = Kiosk::registered(&server, "kiosk-7").await;
    let screen = kiosk.shows(&server, 1).await;
    phone.claim(&server, &screen.challenge_id).await.ok();
    phone.answer(&server, &screen.challenge_id, true).await.ok();
    let polled = screen.poll(&server).await.ok();
    let valid = server.validate(json!({"token": polled["accessToken"]})).await;
    assert_eq!((&valid["acr"], &valid["terminal"]), (&json!("qr.compat"), &json!("kiosk-7")), "{valid}");
}

#[tokio::test]
async fn a_phone_that_the_kiosk_heard_is_near_it_and_no_other_word_is_taken() {
    let server = Server::start().await;
    let ann = phone_of_ann(&server).await;
    let kiosk = Kiosk::registered(&server, "kiosk-7").await;
    let screen = kiosk.shows(&server, 1).await;
    let challenge = &screen.challenge_id;

    let other = Kiosk::registered(&server, "kiosk-8").await;
    let elsewhere = kiosk.shows(&server, 2).await;
    let mut another_radio = kiosk.near(&server, challenge, "ble");
    another_radio["channel"] = json!("nfc");
    for near in
        [other.near(&server, challenge, "nfc"), kiosk.near(&server, &elsewhere.challenge_id, "nfc"), another_radio]
    {
        let refused = phone_v2::claim_near(&server, &ann.0, &ann.1, challenge, "", near).await;
        refused.refused(400, "invalid_proximity");
    }
    for (near, pointer) in [
        (json!({"channel": "wifi", "signature": "x"}), "/near/channel"),
        (json!({"channel": "nfc"}), "/near/signature"),
        (json!("nfc"), "/near"),
    ] {
        let refused = phone_v2::claim_near(&server, &ann.0, &ann.1, challenge, "", near).await;
        refused.refused(400, "invalid_request");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{}", refused.body);
    }
    assert_eq!(screen.poll(&server).await.ok()["state"], "unclaimed", "nothing of that claimed it");

    let near = kiosk.near(&server, challenge, "nfc");
    let claimed = phone_v2::claim_near(&server, &ann.0, &ann.1, challenge, "", near).await.ok();
    let valid = approved(&server, &ann, &screen, &claimed).await;
    assert_eq!((&valid["acr"], &valid["terminal"]), (&json!("qr.proximate"), &json!("kiosk-7")), "{valid}");
}

#[tokio::test]
async fn who_is_no_registered_terminal_gets_no_challenge_at_all() {
    let server = Server::start().await;
    let kiosk = Kiosk::registered(&server, "kiosk-7").await;
    let ask = async |terminal: Value| {
        let body = json!({"action": "kiosk-login", "terminal": terminal});
        PollingScreen::create(&server, None, body).await.expect_err("a refusal")
    };
    let right = kiosk.vouches(&server, "kiosk-login", None, 1).await;
    let changed = |name: &str, value: Value| {
        let mut said = right.clone();
        said[name] = value;
        said
    };
    let stranger = Kiosk::new(&server, "kiosk-7");
    for (what, terminal) in [
        ("another key", stranger.vouches(&server, "kiosk-login", None, 1).await),
        ("an id that nobody registered", Kiosk::new(&server, "kiosk-9").vouches(&server, "kiosk-login", None, 1).await),
        ("another terminal's id", changed("terminalId", json!("kiosk-8"))),
        ("another action", kiosk.vouches(&server, "pay", None, 1).await),
        ("the token of something", kiosk.vouches(&server, "kiosk-login", Some("a.b.c"), 1).await),
        ("another nonce than was signed", changed("nonce", json!(URL_SAFE_NO_PAD.encode([9; 16])))),
    ] {
        let refused = ask(terminal).await;
        refused.refused(403, "terminal_refused");
        assert_eq!(refused.body["errors"][0]["pointer"], "/terminal", "{what}: {}", refused.body);
    }
    for (name, value) in [
        ("terminalId", json!("kiosk 7")),
        ("serverNonce", json!("short")),
        ("nonce", json!(7)),
        ("signature", json!("")),
        ("signature", Value::Null),
    ] {
        let refused = ask(changed(name, value)).await;
        refused.refused(400, "invalid_request");
        assert_eq!(refused.body["errors"][0]["pointer"], format!("/terminal/{name}"), "{}", refused.body);
    }
    ask(json!(true)).await.refused(400, "invalid_request");

    // What was signed makes one challenge, however often it is sent, and none when it is old.
    let body = json!({"action": "kiosk-login", "terminal": right});
    PollingScreen::create(&server, None, body).await.expect("a challenge");
    let again = ask(right.clone()).await;
    assert_eq!((again.status, &again.body["errors"][0]["pointer"]), (400, &json!("/terminal/nonce")), "{}", again.body);
    let kept = kiosk.vouches(&server, "kiosk-login", None, 2).await;
    server.pass(std::time::Duration::from_secs(1_201)).await;
    let old = ask(kept).await;
    assert_eq!(old.body["errors"][0]["code"], "unknown-nonce", "{}", old.body);
    assert_eq!(old.body["errors"][0]["pointer"], "/terminal/serverNonce", "{}", old.body);
}

#[tokio::test]
async fn over_a_socket_a_kiosk_signs_each_code_and_a_stranger_is_told_so() {
    let server = Server::start().await;
    let ann = phone_of_ann(&server).await;
    let kiosk = Kiosk::registered(&server, "kiosk-7").await;
    let mut screen = Screen::anonymous(&server).await;
    let asks = |terminal: Value| {
        let data =
            json!({"challengeType": "QR_CODE", "actionCode": "kiosk-login", "rollingQr": true, "terminal": terminal});
        json!({"type": "CREATE_CHALLENGE", "data": data})
    };
    screen.send(asks(kiosk.vouches(&server, "kiosk-login", None, 1).await)).await;
    let first = screen.next().await;
    assert_eq!(first["type"], "CHALLENGE_CREATED", "{first}");
    // The next code, under another signature, takes the first one's place.
    screen.send(asks(kiosk.vouches(&server, "kiosk-login", None, 2).await)).await;
    let challenge = loop {
        let said = screen.next().await;
        if said["type"] == "CHALLENGE_CREATED" {
            break id(&said["data"]);
        }
    };
    let near = kiosk.near(&server, &challenge, "uwb");
    phone_v2::claim_near(&server, &ann.0, &ann.1, &challenge, "", near).await.ok();

    let mut thief = Screen::anonymous(&server).await;
    thief.send(asks(Kiosk::new(&server, "kiosk-7").vouches(&server, "kiosk-login", None, 3).await)).await;
    let refusal = thief.next().await;
    assert_eq!((&refusal["type"], &refusal["data"]["errorCode"]), (&json!("ERROR"), &json!("terminal_refused")));
    assert_eq!(refusal["data"]["errors"][0]["pointer"], "/data/terminal", "{refusal}");
    // As every refusal, in a way that a stock SDK notices.
    let (made, rejected) = (thief.next().await, thief.next().await);
    assert_eq!((&made["type"], &rejected["data"]["state"]), (&json!("CHALLENGE_CREATED"), &json!("rejected")));
}

#[tokio::test]
async fn a_page_with_the_token_and_without_the_key_never_shows_the_kiosks_code() {
    let server = Server::start().await;
    let ann = phone_of_ann(&server).await;
    let kiosk = Kiosk::registered(&server, "kiosk-7").await;
    let tracked = token(&server.pay("ann", "k1").await);
    let at_kiosk =
        json!({"action": "pay", "rollingQr": true, "terminal": kiosk.vouches(&server, "pay", Some(&tracked), 1).await});
    let screen = PollingScreen::create(&server, Some(&tracked), at_kiosk).await.expect("a challenge");

    // Somebody took the token off the wire: their page gets a code of its own, and the kiosk's is gone.
    let page = PollingScreen::create(&server, Some(&tracked), json!({"action": "pay"})).await.expect("a challenge");
    assert_ne!(page.challenge_id, screen.challenge_id);
    assert_eq!(screen.poll(&server).await.ok()["state"], "superseded");
    let claimed = phone_v2::claim(&server, &ann.0, &ann.1, &page.challenge_id, "").await.ok();
    let valid = approved(&server, &ann, &page, &claimed).await;
    assert_eq!((&valid["acr"], valid.get("terminal")), (&json!("qr.linked"), None), "{valid}");

    // The kiosk, asking again for another payment, adopts nothing of a page's either; its own it does.
    let tracked = token(&server.pay("ann", "k2").await);
    let page = PollingScreen::create(&server, Some(&tracked), json!({"action": "pay"})).await.expect("a challenge");
    let asks = async |own: u8| {
        let terminal = kiosk.vouches(&server, "pay", Some(&tracked), own).await;
        let body = json!({"action": "pay", "rollingQr": true, "terminal": terminal});
        PollingScreen::create(&server, Some(&tracked), body).await.expect("a challenge")
    };
    let screen = asks(2).await;
    assert_ne!(screen.challenge_id, page.challenge_id);
    assert_eq!(asks(3).await.challenge_id, screen.challenge_id, "a kiosk that was reloaded goes on");
    let code = code_of(&server, &screen).await;
    let claimed = phone_v2::claim(&server, &ann.0, &ann.1, &screen.challenge_id, &code).await.ok();
    let valid = approved(&server, &ann, &screen, &claimed).await;
    assert_eq!((&valid["acr"], &valid["terminal"]), (&json!("qr.trusted_origin"), &json!("kiosk-7")), "{valid}");
}

#[tokio::test]
async fn revoking_a_terminal_ends_what_is_on_its_screen_and_is_for_good() {
    let server = Server::start().await;
    let ann = phone_of_ann(&server).await;
    let kiosk = Kiosk::registered(&server, "kiosk-7").await;
    let (shown, taken) = (kiosk.shows(&server, 1).await, kiosk.shows(&server, 2).await);
    let others = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    let code = code_of(&server, &taken).await;
    let claimed = phone_v2::claim(&server, &ann.0, &ann.1, &taken.challenge_id, &code).await.ok();

    let revoked = admin(&server, "DELETE", "/v1/terminals/kiosk-7", Value::Null).await.ok();
    assert_eq!((&revoked["terminalId"], &revoked["cancelledChallenges"]), (&json!("kiosk-7"), &json!(2)), "{revoked}");
    assert!(revoked["revokedAt"].is_string(), "{revoked}");
    let again = admin(&server, "DELETE", "/v1/terminals/kiosk-7", Value::Null).await.ok();
    assert_eq!((&again["revokedAt"], &again["cancelledChallenges"]), (&revoked["revokedAt"], &json!(0)));

    // Neither what nobody has claimed nor what somebody was about to approve.
    phone_v2::claim(&server, &ann.0, &ann.1, &shown.challenge_id, "").await.refused(409, "challenge_superseded");
    let signed = phone_v2::decision(&server, &ann.1, &taken.challenge_id, &claimed, "approve");
    let answered = phone_v2::decide(&server, &ann.0, &taken.challenge_id, true, &signed.text()).await;
    answered.refused(409, "challenge_superseded");
    assert_eq!(others.poll(&server).await.ok()["state"], "unclaimed", "other screens go on");

    let body = json!({"action": "kiosk-login", "terminal": kiosk.vouches(&server, "kiosk-login", None, 3).await});
    PollingScreen::create(&server, None, body).await.expect_err("a refusal").refused(403, "terminal_refused");
    kiosk.register(&server).await.refused(409, "conflict");
    admin(&server, "GET", "/v1/terminals/kiosk-7", Value::Null).await.refused(404, "not_found");

    // A new key under the old name is the terminal again, and what it had is remembered.
    Kiosk::registered(&server, "kiosk-7").await;
    let listed = server.backend("GET", "/v1/terminals", Value::Null).await.ok();
    let terminals = listed["terminals"].as_array().expect("terminals");
    assert_eq!(terminals.len(), 2, "{listed}");
    assert_eq!(terminals.iter().filter(|terminal| terminal["revokedAt"].is_null()).count(), 1, "{listed}");
}

#[tokio::test]
async fn a_key_is_one_terminals_and_another_key_takes_its_place() {
    let server = Server::start().await;
    let kiosk = Kiosk::registered(&server, "kiosk-7").await;
    let entries = async || server.app.store.log_head().await.expect("a log").size;
    let before = entries().await;
    let again = kiosk.register(&server).await.ok();
    admin(&server, "PUT", "/v1/terminals/kiosk-7", again.clone()).await.ok();
    assert_eq!(entries().await, before, "what is said again is not written again");
    assert_eq!(
        again["place"],
        json!({"country": "GB", "region": null, "city": "London", "latitude": 51.5, "longitude": -0.1})
    );

    let stolen_name = json!({"publicKey": kiosk.key.public_key(), "name": "Kiosk 8"});
    admin(&server, "PUT", "/v1/terminals/kiosk-8", stolen_name).await.refused(409, "key_taken");
    let renamed = json!({"publicKey": kiosk.key.public_key(), "name": "Kiosk 7, platform 2"});
    let renamed = admin(&server, "PUT", "/v1/terminals/kiosk-7", renamed).await.ok();
    assert_eq!((&renamed["name"], renamed.get("place")), (&json!("Kiosk 7, platform 2"), None), "{renamed}");

    let screen = kiosk.shows(&server, 1).await;
    let successor = Kiosk::new(&server, "kiosk-7");
    let replaced = successor.register(&server).await.ok();
    assert_eq!(replaced["cancelledChallenges"], 1, "what the old key vouched for is over: {replaced}");
    assert_eq!(screen.poll(&server).await.ok()["state"], "superseded");
    successor.shows(&server, 2).await;
    kiosk.register(&server).await.refused(409, "conflict");
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused_at_its_place_and_only_administrators_may() {
    let server = Server::start().await;
    let key = Kiosk::new(&server, "k").key.public_key();
    let place = |place: Value| json!({"publicKey": key, "name": "Kiosk", "place": place});
    for (path, body, pointer) in [
        ("kiosk%207", json!({"publicKey": key, "name": "Kiosk"}), "/path/terminalId"),
        ("kiosk-7", json!({"name": "Kiosk"}), "/publicKey"),
        ("kiosk-7", json!({"publicKey": "MFkw", "name": "Kiosk"}), "/publicKey"),
        ("kiosk-7", json!({"publicKey": key}), "/name"),
        ("kiosk-7", json!({"publicKey": key, "name": " "}), "/name"),
        ("kiosk-7", json!({"publicKey": key, "name": "Kiosk \u{202e}7"}), "/name"),
        ("kiosk-7", json!({"publicKey": key, "name": "x".repeat(141)}), "/name"),
        ("kiosk-7", place(json!({"city": "London"})), "/place/country"),
        ("kiosk-7", place(json!({"country": "XX"})), "/place/country"),
        ("kiosk-7", place(json!({"country": "GB", "latitude": 51.5})), "/place/longitude"),
        ("kiosk-7", place(json!({"country": "GB", "latitude": 90.1, "longitude": 0})), "/place/latitude"),
        ("kiosk-7", place(json!({"country": "GB", "latitude": "51.5", "longitude": 0})), "/place/latitude"),
        ("kiosk-7", place(json!("London")), "/place"),
        ("kiosk-7", place(json!({"country": "GB", "town": "London"})), "/place/town"),
        ("kiosk-7", json!({"publicKey": key, "name": "Kiosk", "location": {}}), "/location"),
    ] {
        let refused = admin(&server, "PUT", &format!("/v1/terminals/{path}"), body.clone()).await;
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["pointer"]),
            (400, &json!(pointer)),
            "{body}: {}",
            refused.body
        );
    }
    assert_eq!(server.backend("GET", "/v1/terminals", Value::Null).await.ok(), json!({"terminals": []}));
    let body = json!({"publicKey": key, "name": "Kiosk"});
    server.backend("PUT", "/v1/terminals/kiosk-7", body).await.refused(403, "forbidden");
    server.backend("DELETE", "/v1/terminals/kiosk-7", json!({})).await.refused(403, "forbidden");
    admin(&server, "DELETE", "/v1/terminals/kiosk-7", Value::Null).await.refused(404, "not_found");
}

/// The rules of the documentation, as they stand there.
fn documented() -> &'static str {
    let page = include_str!("../../../docs/terminals.md");
    let (_, rules) = page.split_once("```rules\n").expect("a fence");
    rules.split_once("```").expect("its end").0
}

#[tokio::test]
async fn rules_see_at_the_claim_whether_the_screen_is_a_terminal_and_the_phone_beside_it() {
    let server = Server::start_with(|config| {
        std::fs::write(config.policies.pack.join("terminals.rules"), documented()).expect("rules");
    })
    .await;
    let ann = phone_of_ann(&server).await;
    let kiosk = Kiosk::registered(&server, "kiosk-7").await;
    let safe = Kiosk::registered(&server, "safe-1").await;

    // The attacker's page has relayed a payment: it is refused, and the person reads why.
    let tracked = token(&server.pay("ann", "k1").await);
    let page = PollingScreen::create(&server, Some(&tracked), json!({"action": "pay"})).await.expect("a challenge");
    let refused = phone_v2::claim(&server, &ann.0, &ann.1, &page.challenge_id, "").await;
    refused.refused(403, "action_blocked");
    assert_eq!(refused.body["reasons"][0]["text"], "This code is not from one of our terminals", "{}", refused.body);
    let terminal = kiosk.vouches(&server, "pay", Some(&tracked), 1).await;
    let body = json!({"action": "pay", "terminal": terminal});
    let screen = PollingScreen::create(&server, Some(&tracked), body).await.expect("a challenge");
    phone_v2::claim(&server, &ann.0, &ann.1, &screen.challenge_id, "").await.ok();

    let shown = safe.shows(&server, 2).await;
    let challenge = &shown.challenge_id;
    phone_v2::claim(&server, &ann.0, &ann.1, challenge, "").await.refused(403, "action_blocked");
    let far = safe.near(&server, challenge, "ble");
    phone_v2::claim_near(&server, &ann.0, &ann.1, challenge, "", far).await.refused(403, "action_blocked");
    let near = safe.near(&server, challenge, "nfc");
    phone_v2::claim_near(&server, &ann.0, &ann.1, challenge, "", near).await.ok();
}

#[tokio::test]
async fn of_a_challenge_and_a_revocation_at_once_no_challenge_of_a_revoked_terminal_stays() {
    let server = Server::start().await;
    for round in 0..20 {
        let kiosk = Kiosk::registered(&server, &format!("kiosk-{round}")).await;
        let terminal = kiosk.vouches(&server, "kiosk-login", None, round).await;
        let body = json!({"action": "kiosk-login", "terminal": terminal});
        let path = format!("/v1/terminals/kiosk-{round}");
        let (made, _) =
            tokio::join!(PollingScreen::create(&server, None, body), admin(&server, "DELETE", &path, Value::Null),);
        match made {
            Ok(screen) => assert_eq!(screen.poll(&server).await.ok()["state"], "superseded", "round {round}"),
            Err(refused) => refused.refused(403, "terminal_refused"),
        }
    }
}
