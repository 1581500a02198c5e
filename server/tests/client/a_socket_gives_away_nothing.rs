use futures_util::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::a_kiosk_learns_who_signs_in::enrolled;
use crate::harness::{OTHER_TENANT, Server, id, token};
use crate::phone::Sdk;
use crate::screen::{PollingScreen, Screen};

#[tokio::test]
async fn a_bad_credential_is_refused_before_the_upgrade() {
    let server = Server::start().await;
    let forged = token(&server.pay("ann", "k1").await).replace('.', ".A");
    for (credential, code) in [
        ("x.authsignal.tenant.00000000-0000-4000-8000-000000000000".to_owned(), "unauthorized"),
        ("x.authsignal.tenant.".to_owned(), "unauthorized"),
        (format!("x.authsignal.token.{forged}"), "invalid_token"),
        ("x.authsignal.token.x".to_owned(), "invalid_token"),
        ("something-else".to_owned(), "unauthorized"),
    ] {
        let refusal = Screen::open(&server, &credential, None).await.err().expect("a refusal");
        assert_eq!((refusal.status, refusal.body["error"].as_str()), (401, Some(code)), "{credential}");
    }
    let alone = format!("x.authsignal.tenant.{}", server.tenant);
    let refusal = Screen::open_at(&server, "/ws-v1-challenge", &alone, None).await.err().expect("a refusal");
    assert_eq!(refusal.status, 401);
}

#[tokio::test]
async fn an_expired_token_opens_nothing() {
    let server = Server::start().await;
    let token = token(&server.pay("ann", "k1").await);
    server.clock.advance(std::time::Duration::from_secs(605));
    let credential = format!("x.authsignal.token.{token}");
    let refusal = Screen::open(&server, &credential, None).await.err().expect("a refusal");
    assert_eq!((refusal.status, refusal.body["error"].as_str()), (401, Some("expired_token")));
}

#[tokio::test]
async fn a_token_that_expires_while_the_socket_is_open_makes_no_more_challenges() {
    let server = Server::start().await;
    let mut screen = Screen::identified(&server, &token(&server.pay("ann", "k1").await)).await;
    screen.create("pay", None).await;
    server.clock.advance(std::time::Duration::from_secs(605));
    screen.ask("pay", None).await;
    let error = screen.next().await;
    assert_eq!((&error["type"], &error["data"]["error"]), (&json!("ERROR"), &json!("expired_token")), "{error}");
    let challenge = id(&screen.next().await["data"]);
    assert_eq!(screen.state(&challenge).await.0, "rejected");
}

#[tokio::test]
async fn every_path_that_sdks_derive_answers() {
    let server = Server::start().await;
    let protocols = format!("authsignal-ws,x.authsignal.tenant.{}", server.tenant);
    for path in ["/ws-v1-challenge", "/ws-v1-challenge/", "/api-ws/ws-v1-challenge"] {
        let mut screen = Screen::open_at(&server, path, &protocols, None).await.expect("the upgrade");
        screen.create("kiosk-login", None).await;
    }
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused() {
    let server = Server::start_with(|config| {
        config.defaults.allowed_origins = vec!["https://shop.example".to_owned()];
    })
    .await;
    let credential = format!("x.authsignal.tenant.{}", server.tenant);
    for origin in ["https://evil.example", "https://shop.example.evil.example", "http://shop.example", "null"] {
        let refusal = Screen::open(&server, &credential, Some(origin)).await.err().expect("a refusal");
        assert_eq!((refusal.status, refusal.body["error"].as_str()), (403, Some("origin_refused")), "{origin}");
    }
    Screen::open(&server, &credential, Some("https://shop.example")).await.expect("the upgrade");
}

#[tokio::test]
async fn cors_names_a_known_origin_and_answers_preflights_with_200() {
    let server = Server::start().await;
    for (origin, known) in [("http://localhost:3000", true), ("https://evil.example", false)] {
        let headers = [
            ("origin", origin.to_owned()),
            ("access-control-request-method", "POST".to_owned()),
            ("access-control-request-headers", "authorization,content-type".to_owned()),
        ];
        let reply = server.request("OPTIONS", "/v1/client/challenge/qr-code", &headers, None).await;
        assert_eq!(reply.status, 200);
        let allowed = reply.headers.get("access-control-allow-origin").and_then(|value| value.to_str().ok());
        assert_eq!(allowed, known.then_some(origin));
    }
    // A refusal must be readable for the page, or the SDK sees nothing at all.
    let headers = [("origin", "http://localhost:3000".to_owned())];
    let reply = server.request("POST", "/v1/client/challenge/qr-code", &headers, Some("{}".into())).await;
    reply.refused(401, "unauthorized");
    assert!(reply.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn only_the_screen_that_made_a_challenge_hears_of_it() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let mut creator = Screen::anonymous(&server).await;
    let mut other = Screen::anonymous(&server).await;
    let challenge = id(&creator.create("kiosk-login", None).await);
    other.create("kiosk-login", None).await;
    phone.claim(&server, &challenge).await.ok();
    phone.answer(&server, &challenge, true).await.ok();
    assert_eq!(creator.state(&challenge).await.0, "claimed");
    assert_eq!(creator.state(&challenge).await.0, "approved");
    assert!(other.is_silent().await);
}

#[tokio::test]
async fn a_poller_without_the_code_hears_what_one_with_an_unknown_id_hears() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let mut screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    let other = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    phone.claim(&server, &screen.challenge_id).await.ok();
    phone.answer(&server, &screen.challenge_id, true).await.ok();

    let right = screen.challenge_id.clone();
    let mut said = Vec::new();
    for code in ["", "short", other.device_code.as_str(), &"A".repeat(43)] {
        said.push(screen.poll_with(&server, code).await);
    }
    screen.challenge_id = "74caf39d-0000-4000-8000-000000000000".to_owned();
    said.push(screen.poll(&server).await);
    screen.challenge_id = "no id".to_owned();
    said.push(screen.poll(&server).await);
    for reply in said {
        reply.refused(404, "challenge_not_found");
        assert_eq!(reply.body["errorDescription"], "there is no such challenge");
    }

    // Another tenant's name does not help, and the right code still works.
    screen.challenge_id = right;
    let foreign = format!("Basic {}", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, OTHER_TENANT));
    let body = json!({"challengeId": screen.challenge_id, "deviceCode": screen.device_code}).to_string();
    let reply = server.request("POST", "/v1/client/verify/qr-code", &[("authorization", foreign)], Some(body)).await;
    reply.refused(404, "challenge_not_found");
    assert_eq!(screen.poll(&server).await.ok()["isVerified"], true);
}

#[tokio::test]
async fn t19_without_the_code_a_known_and_an_unknown_challenge_answer_with_the_same_bytes_and_without_the_store() {
    let server = Server::start().await;
    let known = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    let mut unknown = known.clone();
    unknown.challenge_id = "74caf39d-0000-4000-8000-000000000000".to_owned();
    assert_eq!(known.poll(&server).await.ok()["state"], "unclaimed");
    // What costs nothing tells nothing by what it costs: no database is asked, not even one that is there no more.
    server.app.store.close().await;
    assert_eq!(known.poll(&server).await.status, 503);
    let mut answers = std::collections::BTreeSet::new();
    for (screen, code) in [(&known, "A"), (&unknown, "A"), (&known, "B"), (&unknown, "B")] {
        let mut reply = screen.poll_with(&server, &code.repeat(43)).await;
        reply.refused(404, "challenge_not_found");
        // The name of the request is the request's, and as long as any other.
        let instance = reply.body["instance"].take();
        assert_eq!(instance.as_str().map(str::len), Some("urn:uuid:".len() + 36));
        let varying = ["x-request-id", "date", "ratelimit"];
        let headers = reply.headers.iter().filter(|(name, _)| !varying.contains(&name.as_str()));
        answers.insert(format!("{:?} {}", headers.collect::<Vec<_>>(), reply.body));
    }
    assert_eq!(answers.len(), 1, "{answers:#?}");
}

#[tokio::test]
async fn a_frame_that_is_too_large_or_binary_ends_the_socket() {
    let server = Server::start().await;
    for frame in [Message::text("x".repeat(5000)), Message::binary(vec![0u8; 16]), Message::text("x".repeat(70_000))] {
        let mut screen = Screen::anonymous(&server).await;
        screen.socket.send(frame).await.expect("a write");
        assert!(screen.next_or_close().await.is_none());
    }
}

#[tokio::test]
async fn a_message_of_four_kibibytes_is_read() {
    let server = Server::start().await;
    let mut screen = Screen::anonymous(&server).await;
    let ask = |till: String| {
        let data = json!({"challengeType": "QR_CODE", "actionCode": "kiosk-login", "custom": {"till": till}});
        json!({"type": "CREATE_CHALLENGE", "data": data}).to_string()
    };
    let till = "x".repeat(4096 - ask(String::new()).len());
    screen.socket.send(Message::text(ask(till.clone()))).await.expect("a write");
    // Read whole: what is refused is its content, in our words.
    let error = screen.next().await;
    assert_eq!(
        (&error["type"], &error["data"]["errors"][0]["pointer"]),
        (&json!("ERROR"), &json!("/data/custom/till")),
        "{error}"
    );
    screen.socket.send(Message::text(ask(till + "x"))).await.expect("a write");
    while screen.next_or_close().await.is_some() {}
}

#[tokio::test]
async fn frames_that_say_nothing_are_refused_and_end_the_socket_when_they_go_on() {
    let server = Server::start().await;
    let mut screen = Screen::anonymous(&server).await;
    for _ in 0..8 {
        screen.socket.send(Message::text("[1]")).await.expect("a write");
        let error = screen.next().await;
        assert_eq!((&error["type"], &error["data"]["error"]), (&json!("ERROR"), &json!("invalid_request")));
    }
    assert!(screen.next_or_close().await.is_none());
}

#[tokio::test]
async fn a_socket_is_no_way_around_the_limits() {
    let one = |burst| server::limits::Limit::new(60, burst);
    // The upgrade and each challenge count against the address, as requests do.
    let server = Server::start_with(|config| config.limits.address = one(3)).await;
    let mut screen = Screen::anonymous(&server).await;
    screen.create("kiosk-login", None).await;
    screen.create("kiosk-login", None).await;
    screen.ask("kiosk-login", None).await;
    let error = screen.next().await;
    assert_eq!((&error["type"], &error["data"]["error"]), (&json!("ERROR"), &json!("too_many_requests")), "{error}");
    // The upgrade counts against the tenant.
    let server = Server::start_with(|config| config.limits.tenant = one(1)).await;
    let _open = Screen::anonymous(&server).await;
    let credential = format!("x.authsignal.tenant.{}", server.tenant);
    let refusal = Screen::open(&server, &credential, None).await.err().expect("a refusal");
    assert_eq!((refusal.status, refusal.body["error"].as_str()), (429, Some("too_many_requests")));
}

#[tokio::test]
async fn a_socket_holds_at_most_eight_challenges() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Android).await;
    let mut screen = Screen::anonymous(&server).await;
    for _ in 0..8 {
        let challenge = id(&screen.create("kiosk-login", None).await);
        phone.claim(&server, &challenge).await.ok();
        assert_eq!(screen.state(&challenge).await.0, "claimed");
    }
    screen.ask("kiosk-login", None).await;
    let error = screen.next().await;
    assert_eq!((&error["type"], &error["data"]["error"]), (&json!("ERROR"), &json!("too_many_requests")), "{error}");
}

#[tokio::test]
async fn what_stock_sdks_know_and_we_do_not_offer_is_refused_as_such() {
    let server = Server::start().await;
    let methods = ["sms", "email-otp", "email-magic-link", "totp", "passkey", "whatsapp", "palm", "security-key"];
    for (method, what) in methods.iter().flat_map(|method| ["challenge", "verify"].map(|what| (method, what))) {
        let path = format!("/v1/client/{what}/{method}");
        let headers = [("authorization", server.browser_basic())];
        let reply = server.request("POST", &path, &headers, Some("{}".into())).await;
        reply.refused(400, "invalid_configuration");
        assert!(reply.body["detail"].as_str().is_some_and(|said| said.contains("QR_CODE")), "{path}: {}", reply.body);
    }
    let path = "/v1/client/user-authenticators/passkey";
    let headers = [("authorization", server.browser_basic())];
    server.request("POST", path, &headers, Some("{}".into())).await.refused(400, "invalid_configuration");
}

#[tokio::test]
async fn the_public_keys_are_where_both_worlds_look() {
    let server = Server::start().await;
    let wire = format!("/v1/client/public/{}/.well-known/jwks", server.tenant);
    let keys = server.request("GET", &wire, &[], None).await.ok();
    assert_eq!(keys["keys"][0]["alg"], "ES256");
    assert_eq!(server.request("GET", "/.well-known/jwks.json", &[], None).await.ok(), keys);
    let unknown = "/v1/client/public/00000000-0000-4000-8000-000000000000/.well-known/jwks";
    server.request("GET", unknown, &[], None).await.refused(404, "not_found");
}

#[tokio::test]
async fn t18_a_device_code_is_told_to_its_own_screen_alone() {
    let server = Server::start().await;
    let ann = enrolled(&server, "ann", Sdk::Ios).await;
    let screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    let claimed = ann.claim(&server, &screen.challenge_id).await;
    let approved = ann.answer(&server, &screen.challenge_id, true).await;
    let polled = screen.poll(&server).await;
    for reply in [claimed, approved, polled] {
        assert_eq!(reply.status, 200);
        assert!(!format!("{:?} {}", reply.headers, reply.body).contains(&screen.device_code));
    }
}
