//! Every bad input of a phone is refused in the wire's words, and the whole database is what it was, but for the log's entry of
//! the refusal.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use challenge::signature::Signature;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use server::clock::Clock;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use tokio_tungstenite::tungstenite::Message;

use crate::a_kiosk_learns_who_signs_in::enrolled;
use crate::harness::{self, OTHER_TENANT, Reply, Server};
use crate::phone::{Phone, Sdk};
use crate::phone_v2::{self, Decide};
use crate::screen::{PollingScreen, Screen};

const BASE: &str = "/v1/client/user-authenticators/qr-code";

/// Every row of every table but the log's, as text.
pub async fn rows(server: &Server) -> BTreeMap<String, Vec<String>> {
    let path = server.app.config.sqlite_path().expect("a file");
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut database = options.connect().await.expect("the database");
    let names =
        sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'audit_%' ORDER BY name");
    let names = names.fetch_all(&mut database).await.expect("the tables");
    let mut tables = BTreeMap::new();
    for name in names {
        let name: String = name.get(0);
        let columns = sqlx::query(AssertSqlSafe(format!("SELECT name FROM pragma_table_info('{name}')")));
        let columns = columns.fetch_all(&mut database).await.expect("the columns");
        let cells: Vec<String> =
            columns.iter().map(|column| format!("quote(\"{}\")", column.get::<String, _>(0))).collect();
        let select = format!("SELECT {} AS cells FROM \"{name}\" ORDER BY cells", cells.join(" || ' ' || "));
        let rows = sqlx::query(AssertSqlSafe(select)).fetch_all(&mut database).await.expect("the rows");
        tables.insert(name, rows.iter().map(|row| row.get(0)).collect());
    }
    tables
}

/// The service before anything bad came.
struct Before<'a> {
    server: &'a Server,
    rows: BTreeMap<String, Vec<String>>,
}

impl<'a> Before<'a> {
    async fn now(server: &'a Server) -> Before<'a> {
        let rows = rows(server).await;
        assert!(rows["credentials"].len() >= 2 && rows["challenges"].len() >= 3, "the snapshot misses what is there");
        Before { server, rows }
    }

    async fn refused(&self, what: &str, reply: Reply, status: u16, code: &str) {
        assert_eq!((reply.status, reply.body["error"].as_str()), (status, Some(code)), "{what}: {}", reply.body);
        assert_eq!(reply.body["errorCode"], code, "{what}");
        assert!(reply.body["errorDescription"].is_string(), "{what}");
        self.unchanged(what).await;
    }

    async fn unchanged(&self, what: &str) {
        assert_eq!(rows(self.server).await, self.rows, "{what} changed something");
    }
}

fn vectors(text: &str) -> Vec<Value> {
    let read: Value = serde_json::from_str(text).expect("the vectors are JSON");
    read.get("table").unwrap_or(&read).as_array().expect("a table").clone()
}

/// Sends a body of our making in a tenant's name.
async fn post(server: &Server, path: &str, authorization: &str, body: Value) -> Reply {
    let headers = [("authorization", authorization.to_owned())];
    server.request("POST", &format!("{BASE}{path}"), &headers, Some(body.to_string())).await
}

/// An anonymous screen's challenge.
async fn shown(server: &Server) -> String {
    PollingScreen::create(server, None, json!({"action": "kiosk-login"})).await.expect("a challenge").challenge_id
}

#[tokio::test]
async fn a_bad_socket() {
    let server = &Server::start_with(|config| {
        config.server.socket_timeout_s = 1;
        config.defaults.allowed_origins = vec!["https://shop.example".to_owned()];
    })
    .await;
    let phone = enrolled(server, "ann", Sdk::Ios).await;
    enrolled(server, "bob", Sdk::Android).await;
    let mut good = Screen::anonymous(server).await;
    let followed = good.create("kiosk-login", None).await;
    shown(server).await;
    shown(server).await;

    let before = Before::now(server).await;
    let watched = server.app.notifier.watched();
    let anonymous = format!("x.authsignal.tenant.{}", server.tenant);
    let elsewhere = Screen::open(server, &anonymous, Some("https://evil.example")).await.err().expect("a refusal");
    assert_eq!((elsewhere.status, elsewhere.body["error"].as_str()), (403, Some("origin_refused")));
    before.unchanged("a socket of another site's page").await;
    for (what, frame, code) in [
        // Of one that is too large the rest lies unread, and may take our last word with it.
        ("a message that is too large", Some(Message::text("x".repeat(4097))), None),
        ("a frame of 64 KiB", Some(Message::text("x".repeat(70_000))), None),
        ("a binary frame", Some(Message::binary(ask("kiosk-login"))), Some(1003)),
        ("a socket that never asks for a challenge", None, Some(1008)),
    ] {
        let mut screen = Screen::anonymous(server).await;
        if let Some(frame) = frame {
            screen.socket.send(frame).await.expect("a write");
        }
        let last = screen.socket.next().await;
        match (&last, code) {
            (Some(Ok(Message::Close(Some(closed)))), Some(code)) => assert_eq!(u16::from(closed.code), code, "{what}"),
            (Some(Ok(Message::Close(_)) | Err(_)) | None, None) => {}
            _ => panic!("{what}: {last:?}"),
        }
        before.unchanged(what).await;
        assert_eq!(server.app.notifier.watched(), watched, "{what}");
    }

    // Nor does the end of one that has a challenge on show end the challenge.
    good.socket.send(Message::binary(vec![0; 16])).await.expect("a write");
    assert!(good.next_or_close().await.is_none());
    before.unchanged("a binary frame on a socket that waits").await;
    let polling = PollingScreen::resume(server, &followed);
    phone.claim(server, &polling.challenge_id).await.ok();
    assert_eq!(polling.poll(server).await.ok()["isClaimed"], true);
}

fn ask(action: &str) -> String {
    json!({"type": "CREATE_CHALLENGE", "data": {"challengeType": "QR_CODE", "actionCode": action}}).to_string()
}

#[tokio::test]
async fn a_bad_claim_or_answer() {
    let server = &Server::start().await;
    let (ann, bob) = (enrolled(server, "ann", Sdk::Ios).await, enrolled(server, "bob", Sdk::Android).await);
    let stranger = Phone::new(server, Sdk::Ios);
    let (open, claimed, approved) = (shown(server).await, shown(server).await, shown(server).await);
    let (open, claimed, approved) = (open.as_str(), claimed.as_str(), approved.as_str());
    let claim = ann.sign(claimed);
    ann.claim_signed(server, claimed, &claim).await.ok();
    let (first, second) = (ann.sign(approved), ann.sign(approved));
    ann.claim_signed(server, approved, &first).await.ok();
    ann.answer_signed(server, approved, true, None, &second).await.ok();
    let twin = |signature: &str| Signature::from_base64(signature).expect("a signature").twin().to_base64();

    let before = Before::now(server).await;
    let refused =
        async |what: &str, reply: Reply, status: u16, code: &str| before.refused(what, reply, status, code).await;

    let reply = stranger.claim(server, open).await;
    refused("a key that is not enrolled", reply, 404, "unknown_credential").await;
    for (what, signature) in [
        ("a signature of a key that is not enrolled", stranger.sign(open)),
        ("a signature of another user's key", bob.sign(open)),
        ("a signature of another challenge", ann.sign(claimed)),
        ("a signature of nothing", ann.sign("")),
        ("a signature of a removal", ann.sign("2992401.0")),
    ] {
        refused(what, ann.claim_signed(server, open, &signature).await, 400, "invalid_signature").await;
    }
    for vector in vectors(include_str!("../../../challenge/vectors/der.json")) {
        let (name, der) = (vector["name"].as_str().expect("a name"), vector["der"].as_str().expect("DER"));
        // An empty text is a field that is missing.
        let code = if der.is_empty() { "invalid_request" } else { "invalid_signature" };
        refused(name, ann.claim_signed(server, open, der).await, 400, code).await;
        refused(name, ann.answer_signed(server, claimed, true, None, der).await, 400, code).await;
    }
    for id in ["2992401.0", "https://evil.example/", &open.to_uppercase(), &"x".repeat(900)] {
        refused(id, ann.claim(server, id).await, 400, "invalid_challenge_id").await;
    }

    let reply = bob.claim(server, claimed).await;
    refused("a second claim", reply, 409, "challenge_already_claimed").await;
    let reply = bob.answer(server, claimed, true).await;
    refused("an approval by another phone", reply, 403, "not_claimer").await;
    let reply = ann.answer(server, open, true).await;
    refused("an approval without a claim", reply, 409, "challenge_not_claimed").await;
    let reply = ann.answer_signed(server, claimed, true, None, &ann.sign(open)).await;
    refused("an approval signed for another challenge", reply, 400, "invalid_signature").await;
    for yes in [true, false] {
        for (what, signature) in [("the claim's signature", claim.clone()), ("its high-s twin", twin(&claim))] {
            let reply = ann.answer_signed(server, claimed, yes, None, &signature).await;
            refused(what, reply, 401, "signature_reused").await;
        }
    }
    for signature in [second.clone(), twin(&second), ann.sign(approved)] {
        let reply = ann.answer_signed(server, approved, false, None, &signature).await;
        refused("a rejection after the approval", reply, 409, "challenge_already_answered").await;
    }
    for signature in [first.clone(), twin(&first)] {
        let reply = ann.answer_signed(server, approved, true, None, &signature).await;
        refused("the claim's signature after the approval", reply, 401, "signature_reused").await;
    }
    // What is good still is.
    ann.answer(server, claimed, true).await.ok();
    bob.claim(server, open).await.ok();
    assert_ne!(rows(server).await, before.rows, "the comparison sees nothing");
}

/// T-23, T-24.
#[tokio::test]
async fn a_bad_key() {
    let server = &Server::start().await;
    let (ann, _) = (enrolled(server, "ann", Sdk::Ios).await, enrolled(server, "bob", Sdk::Ios).await);
    let (open, _, _) = (shown(server).await, shown(server).await, shown(server).await);
    let bearer = format!("Bearer {}", server.enrolment_token("carl").await);
    let before = Before::now(server).await;
    for vector in vectors(include_str!("../../../challenge/vectors/spki.json")) {
        let name = vector["name"].as_str().expect("a name");
        let key = vector["text"].as_str().expect("a key");
        // Not even a text that a field may have: empty, or with control characters.
        let no_text = key.is_empty() || key.chars().any(char::is_control);
        let code = if no_text { "invalid_request" } else { "invalid_public_key" };
        if vector["expect"] == "ok" {
            continue;
        }
        let enrolment = json!({"publicKey": key, "deviceName": "x", "devicePlatform": "ios"});
        before.refused(name, post(server, "", &bearer, enrolment).await, 400, code).await;
        let claim = json!({"publicKey": key, "challengeId": open, "signature": ann.sign(&open)});
        before.refused(name, post(server, "/challenge/claim", &ann.basic(), claim).await, 400, code).await;
    }
    let taken = json!({"publicKey": ann.public_key(), "deviceName": "x", "devicePlatform": "ios"});
    before.refused("a key of somebody else", post(server, "", &bearer, taken).await, 409, "key_taken").await;
}

#[tokio::test]
async fn a_bad_removal() {
    let server = &Server::start().await;
    let (ann, bob) = (enrolled(server, "ann", Sdk::Ios).await, enrolled(server, "bob", Sdk::Android).await);
    let _ = (shown(server).await, shown(server).await, shown(server).await);
    let now = server.clock.now().as_second();
    let before = Before::now(server).await;
    for (what, seconds) in [("long ago", -1_200), ("in a while", 1_200), ("before all time", -now), ("in years", now)] {
        let reply = ann.remove(server, now + seconds).await;
        before.refused(&format!("a window {what}"), reply, 400, "invalid_signature").await;
    }
    let window = now.div_euclid(600);
    for (what, signature) in [
        ("a window signed by another phone", bob.sign(&format!("{window}.0"))),
        ("a window spelt as a whole number", ann.sign(&window.to_string())),
        ("a window with a line behind", ann.sign(&format!("{window}.0\n"))),
    ] {
        let body = json!({"publicKey": ann.public_key(), "signature": signature});
        before.refused(what, post(server, "/remove", &ann.basic(), body).await, 400, "invalid_signature").await;
    }
    let stranger = Phone::new(server, Sdk::Ios);
    before.refused("a stranger", stranger.remove(server, now).await, 404, "unknown_credential").await;
    ann.remove(server, now).await.ok();
}

/// In each of the spellings of Basic that the published packages have.
#[tokio::test]
async fn a_foreign_tenant() {
    let server = &Server::start().await;
    let (ann, _) = (enrolled(server, "ann", Sdk::Ios).await, enrolled(server, "bob", Sdk::Ios).await);
    let (open, claimed, _) = (shown(server).await, shown(server).await, shown(server).await);
    ann.claim(server, &claimed).await.ok();
    let window = format!("{}.0", server.clock.now().as_second().div_euclid(600));
    let key = ann.public_key();
    let before = Before::now(server).await;
    for (tenant, status, code) in
        [(OTHER_TENANT, 404, "unknown_credential"), ("00000000-0000-4000-8000-000000000000", 401, "unauthorized")]
    {
        let spellings = [
            ("browser", STANDARD.encode(tenant)),
            ("Android", STANDARD.encode(format!("{tenant}:"))),
            ("iOS", URL_SAFE_NO_PAD.encode(format!("{tenant}:"))),
        ];
        for (spelling, words) in spellings {
            let basic = format!("Basic {words}");
            let claim = json!({"publicKey": key, "challengeId": open, "signature": ann.sign(&open)});
            let answer =
                json!({"publicKey": key, "challengeId": claimed, "signature": ann.sign(&claimed), "approved": true});
            let removal = json!({"publicKey": key, "signature": ann.sign(&window)});
            for (path, body) in [("/challenge/claim", claim), ("/challenge", answer), ("/remove", removal)] {
                let what = format!("{path} as {tenant}, spelt as by {spelling}");
                before.refused(&what, post(server, path, &basic, body).await, status, code).await;
            }
        }
    }
}

/// T-26: what a phone says of itself proves nothing.
#[tokio::test]
async fn a_boast_is_worth_nothing() {
    let server = &Server::start().await;
    let phone = Phone::new(server, Sdk::Ios);
    let bearer = format!("Bearer {}", server.enrolment_token("ann").await);
    let enrolment = json!({
        "publicKey": phone.public_key(), "deviceName": "x", "devicePlatform": "ios", "uv": true, "userVerified": true,
        "protection": {"hardware": {"unlock": "biometric"}}, "amr": ["hwk", "bio"],
        "performAttestation": {"provider": "APP_ATTEST", "token": "o2NmbXQ", "keyId": "k"},
    });
    post(server, "", &bearer, enrolment).await.ok();
    let screen = PollingScreen::create(server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    phone.claim(server, &screen.challenge_id).await.ok();
    let answer = json!({
        "publicKey": phone.public_key(), "challengeId": screen.challenge_id, "approved": true, "uv": true,
        "signature": phone.sign(&screen.challenge_id),
    });
    post(server, "/challenge", &phone.basic(), answer).await.ok();
    let token = screen.poll(server).await.ok()["accessToken"].clone();
    let valid = server.validate(json!({"token": token})).await;
    assert_eq!((&valid["amr"], &valid["sca"], &valid["acr"]), (&json!(["swk"]), &json!(false), &json!("qr.compat")));
}

/// T-10, in version 2: a signature for anything else, in any field, and one of an older kind.
#[tokio::test]
async fn a_bad_version_2_signature() {
    let server = &Server::start().await;
    let phones = [Phone::new(server, Sdk::Ios), Phone::new(server, Sdk::Android)];
    let mut credentials = Vec::new();
    for (phone, user) in phones.iter().zip(["ann", "bob"]) {
        let made = phone_v2::enrol(server, phone, &server.enrolment_token(user).await).await.ok();
        credentials.push(made["userAuthenticatorId"].as_str().expect("an id").to_owned());
    }
    let ([ann, bob], [anns, bobs]) = (&phones, credentials.as_slice()) else { panic!("two phones") };
    let (open, other, claimed) = (shown(server).await, shown(server).await, shown(server).await);
    let taken = phone_v2::claim(server, ann, anns, &claimed, "").await.ok();
    let good = phone_v2::decision(server, anns, &claimed, &taken, "approve");
    let nonce = URL_SAFE_NO_PAD.encode([7; 16]);
    let claim = |fields: [(&str, &str); 6], purpose: &str, phone: &Phone| {
        let text = phone_v2::message(purpose, &fields);
        json!({"version": 2, "challengeId": open, "publicKey": phone.public_key(), "nonce": nonce, "signature": phone.sign(&text)})
    };
    let issuer = phone_v2::issuer(server);
    let right = [
        ("iss", issuer.as_str()),
        ("tenant", server.tenant.as_str()),
        ("challenge", open.as_str()),
        ("credential", anns.as_str()),
        ("qr", ""),
        ("nonce", nonce.as_str()),
    ];

    let before = Before::now(server).await;
    let wrong = [
        ("iss", "https://evil.example"),
        ("tenant", OTHER_TENANT),
        ("challenge", other.as_str()),
        ("credential", bobs.as_str()),
        ("qr", "AAAAAAAAAAA"),
        ("nonce", "AAAAAAAAAAAAAAAAAAAAAA"),
    ];
    for (at, (name, value)) in wrong.into_iter().enumerate() {
        let mut fields = right;
        fields[at] = (name, value);
        let reply = post(server, "/challenge/claim", &ann.basic(), claim(fields, "claim", ann)).await;
        before.refused(&format!("a claim with another `{name}`"), reply, 400, "invalid_signature").await;
    }
    for purpose in ["decide", "remove", "enroll", "auth", "Claim", "claim\n"] {
        let reply = post(server, "/challenge/claim", &ann.basic(), claim(right, purpose, ann)).await;
        before.refused(&format!("a claim signed as `{purpose}`"), reply, 400, "invalid_signature").await;
    }
    let reply = ann.answer_signed(server, &claimed, true, None, &ann.sign(&claimed)).await;
    before.refused("an answer that signs the bare id", reply, 409, "protocol_mismatch").await;

    type Change = fn(&mut Decide);
    let changed: [(&str, Change); 8] = [
        ("iss", |decide| decide.iss = "https://evil.example".into()),
        ("tenant", |decide| decide.tenant = OTHER_TENANT.into()),
        ("challenge", |decide| decide.challenge = "74caf39d-0000-4000-8000-000000000000".into()),
        ("credential", |decide| decide.credential = "another".into()),
        ("claim", |decide| decide.claim = URL_SAFE_NO_PAD.encode([0; 16])),
        ("ctx", |decide| decide.ctx = phone_v2::sha256(b"another context")),
        ("decision", |decide| decide.decision = "reject".into()),
        ("code", |decide| decide.code = "42".into()),
    ];
    for (name, change) in changed {
        let mut decide = good.clone();
        change(&mut decide);
        let reply = phone_v2::decide(server, ann, &claimed, true, &decide.text()).await;
        before.refused(&format!("an answer with another `{name}`"), reply, 400, "invalid_signature").await;
    }
    let by_bob = Decide { credential: bobs.clone(), ..good.clone() };
    let reply = phone_v2::decide(server, bob, &claimed, true, &by_bob.text()).await;
    before.refused("an answer of another phone", reply, 403, "not_claimer").await;

    // The twin of a signature that was taken: as the same answer a repeat, as the other one nothing.
    let signature = ann.sign(&good.text());
    let twin = Signature::from_base64(&signature).expect("a signature").twin().to_base64();
    let answer = |signature: &str, approved: bool| json!({"version": 2, "challengeId": claimed, "publicKey": ann.public_key(), "approved": approved, "signature": signature});
    post(server, "/challenge", &ann.basic(), answer(&signature, true)).await.ok();
    let after = Before::now(server).await;
    assert_ne!(after.rows, before.rows, "the comparison sees nothing");
    post(server, "/challenge", &ann.basic(), answer(&twin, true)).await.ok();
    let reply = post(server, "/challenge", &ann.basic(), answer(&twin, false)).await;
    after.refused("the high-s twin as a rejection", reply, 400, "invalid_signature").await;
    let twin_of_claim = Signature::from_base64(&ann.sign(&phone_v2::message("claim", &right))).expect("a signature");
    let reply = post(server, "/challenge", &ann.basic(), answer(&twin_of_claim.twin().to_base64(), true)).await;
    after.refused("the high-s twin of a claim as an answer", reply, 400, "invalid_signature").await;
}

/// Where nothing is scanned, one signature claims and answers.
#[tokio::test]
async fn a_bad_answer_to_a_push_or_in_the_app() {
    let server = &Server::start().await;
    let mut phones = Vec::new();
    for (user, kind) in [("ann", "push"), ("bob", "push"), ("ann", "in-app"), ("ann", "qr-code")] {
        let phone = Phone::of_kind(server, Sdk::Ios, kind);
        phone.add(server, &server.enrolment_token(user).await).await.ok();
        phones.push(phone);
    }
    let [ann, bob, app, scanner] = phones.as_slice() else { panic!("four phones") };
    let mut pushed = Vec::new();
    for key in ["k1", "k2"] {
        let page = [("authorization", format!("Bearer {}", harness::token(&server.pay("ann", key).await)))];
        let made = server.request("POST", "/v1/client/challenge/push", &page, Some(r#"{"action":"pay"}"#.into())).await;
        pushed.push(harness::id(&made.ok()));
    }
    let [push, other] = pushed.as_slice() else { panic!("two pushes") };
    let own = harness::id(&app.ask(server, Some("kiosk-login")).await.ok());
    let verify = async |id: &str, signature: String| {
        let body = json!({"challengeId": id, "publicKey": app.public_key(), "signature": signature});
        let headers = [("authorization", app.basic())];
        server.request("POST", "/v1/client/verify/in-app", &headers, Some(body.to_string())).await
    };

    let before = Before::now(server).await;
    for (what, signature) in [
        ("a push signed by another user", bob.sign(push)),
        ("a push signed by another key of the user", scanner.sign(push)),
        ("a push signed for another one", ann.sign(other)),
        ("a push signed as a removal", ann.sign("2992401.0")),
    ] {
        let reply = ann.answer_signed(server, push, true, None, &signature).await;
        before.refused(what, reply, 400, "invalid_signature").await;
    }
    before.refused("a push answered by a stranger", bob.answer(server, push, true).await, 403, "wrong_user").await;
    let reply = scanner.claim(server, push).await;
    before.refused("a push claimed like a code", reply, 404, "challenge_not_found").await;
    for (what, signature) in [
        ("a proof signed by another key", ann.sign(&own)),
        ("a proof signed for another challenge", app.sign(push)),
        ("a proof of nothing", app.sign("")),
    ] {
        before.refused(what, verify(&own, signature).await, 400, "invalid_signature").await;
    }
    before.refused("a push proven in the app", verify(push, app.sign(push)).await, 404, "challenge_not_found").await;
    for vector in vectors(include_str!("../../../challenge/vectors/der.json")) {
        let (name, der) = (vector["name"].as_str().expect("a name"), vector["der"].as_str().expect("DER"));
        let code = if der.is_empty() { "invalid_request" } else { "invalid_signature" };
        before.refused(name, ann.answer_signed(server, push, true, None, der).await, 400, code).await;
        before.refused(name, verify(&own, der.to_owned()).await, 400, code).await;
    }

    // The twin of the answer that was taken is that answer again, and no other.
    let no = ann.sign(push);
    let twin = Signature::from_base64(&no).expect("a signature").twin().to_base64();
    ann.answer_signed(server, push, false, None, &no).await.ok();
    let after = Before::now(server).await;
    assert_ne!(after.rows, before.rows, "the comparison sees nothing");
    let reply = ann.answer_signed(server, push, true, None, &twin).await;
    after.refused("the high-s twin of a rejection as an approval", reply, 409, "challenge_already_answered").await;
}

/// Counts payees, and asks the phone where it would show one.
const COUNTED: &str = r#"
event pay {
  payee: string
}

policy pay on pay {
  default challenge qr { show: [payee] }

  rule many "three payees in a day" {
    when count(distinct payee) of pay by user over 24h including this >= 3
    then block reason MANY
  }
}

reason MANY "Too many payees today"
"#;

#[tokio::test]
async fn a_text_that_no_phone_may_show_is_not_counted() {
    let server = Server::start_with(|config| {
        std::fs::write(config.policies.pack.join("test.rules"), COUNTED).expect("a pack");
    })
    .await;
    let pay = async |payee: &str| {
        let body = json!({"custom": {"payee": payee}});
        server.backend("POST", "/v1/users/ann/actions/pay", body).await
    };
    for number in 0..4 {
        let refused = pay(&format!("a\u{200b}{number}")).await;
        refused.refused(422, "invalid_request");
        assert_eq!(refused.body["errors"][0]["pointer"], "/custom/payee", "{}", refused.body);
    }
    for (payee, outcome) in [("one", "challenge"), ("two", "challenge"), ("three", "block")] {
        assert_eq!(pay(payee).await.ok()["outcome"], outcome, "{payee}");
    }
}
