use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::{Server, token};
use crate::phone::{Phone, Sdk};
use crate::phone_v2::{self, Decide};
use crate::screen::PollingScreen;

struct Case {
    server: Server,
    phone: Phone,
    credential: String,
    screen: PollingScreen,
}

/// A web phone of Ann's and a payment of hers on a screen with a rolling code.
async fn case() -> Case {
    let server = Server::start().await;
    let phone = Phone::new(&server, Sdk::Android);
    let enrolled = phone_v2::enrol(&server, &phone, &server.enrolment_token("ann").await).await.ok();
    assert_eq!(enrolled["issuer"], json!(phone_v2::issuer(&server)));
    assert!(enrolled["qrKeys"][0]["publicKey"].is_string(), "{enrolled}");
    let tracked = server.pay("ann", "k1").await;
    let screen = PollingScreen::create(&server, Some(&token(&tracked)), json!({"action": "pay"})).await.expect("one");
    let credential = enrolled["userAuthenticatorId"].as_str().expect("an id").to_owned();
    Case { server, phone, credential, screen }
}

impl Case {
    async fn claimed(&self, qr: &str) -> Value {
        phone_v2::claim(&self.server, &self.phone, &self.credential, &self.screen.challenge_id, qr).await.ok()
    }

    fn decision(&self, claimed: &Value, word: &str) -> Decide {
        phone_v2::decision(&self.server, &self.credential, &self.screen.challenge_id, claimed, word)
    }

    /// The rolling code that the screen shows now, out of the URL in its QR.
    async fn rolling_code(&self) -> String {
        let polled = self.screen.poll(&self.server).await.ok();
        let url = polled["qr"]["steps"][0]["url"].as_str().expect("a url");
        let payload = URL_SAFE_NO_PAD.decode(url.rsplit('/').next().expect("a payload")).expect("base64url");
        URL_SAFE_NO_PAD.encode(&payload[payload.len() - 8..])
    }
}

#[tokio::test]
async fn an_approval_is_linked_to_amount_and_payee_by_signature() {
    let case = case().await;
    let claimed = case.claimed("").await;
    let bytes = URL_SAFE_NO_PAD.decode(claimed["context"].as_str().expect("text")).expect("base64url");
    let context: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(context["user"], "ann");
    assert_eq!(context["origin"]["ip"], "8.8.8.8");
    assert_eq!(context["origin"]["country"], "US");
    assert_eq!(context["origin"]["userAgent"], "Firefox");
    assert_eq!(context["action"], "pay");
    assert_eq!(context["createdAt"], "2026-03-02T10:00:00Z");
    let bound = ["amount", "payee"].map(|field| json!({"field": field, "value": context["custom"][field]}));
    assert_eq!(context["bind"], json!(bound));
    assert_eq!(context["bind"][0], json!({"field": "amount", "value": "20.00 EUR"}));
    assert_eq!(context["bind"][1], json!({"field": "payee", "value": "Bakery"}));

    let signed = case.decision(&claimed, "approve").text();
    phone_v2::decide(&case.server, &case.phone, &case.screen.challenge_id, true, &signed).await.ok();
    let token = case.screen.poll(&case.server).await.ok()["accessToken"].clone();
    let valid = case.server.validate(json!({"token": token})).await;
    assert_eq!(
        (&valid["isValid"], &valid["acr"], &valid["link"]),
        (&json!(true), &json!("qr.linked"), &json!("signed"))
    );
}

#[tokio::test]
async fn a_code_that_was_on_the_screen_just_now_makes_it_fresh_and_an_old_one_is_refused() {
    let case = case().await;
    let code = case.rolling_code().await;
    case.server.clock.advance(std::time::Duration::from_secs(31));
    let stale = phone_v2::claim(&case.server, &case.phone, &case.credential, &case.screen.challenge_id, &code).await;
    stale.refused(400, "qr_stale");

    let code = case.rolling_code().await;
    case.server.clock.advance(std::time::Duration::from_secs(14));
    let claimed = case.claimed(&code).await;
    let signed = case.decision(&claimed, "approve").text();
    phone_v2::decide(&case.server, &case.phone, &case.screen.challenge_id, true, &signed).await.ok();
    let token = case.screen.poll(&case.server).await.ok()["accessToken"].clone();
    assert_eq!(case.server.validate(json!({"token": token})).await["acr"], "qr.fresh");
}

#[tokio::test]
async fn a_change_in_any_field_makes_the_signature_worthless() {
    let case = case().await;
    let claimed = case.claimed("").await;
    let right = case.decision(&claimed, "approve");
    let changes: [fn(&mut Decide); 8] = [
        |signed| signed.iss.push('x'),
        |signed| signed.tenant.push('x'),
        |signed| signed.challenge.replace_range(..1, "0"),
        |signed| signed.credential.push('x'),
        |signed| signed.claim = "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        |signed| signed.ctx = phone_v2::sha256(b"another context"),
        |signed| signed.decision = "reject".to_owned(),
        |signed| signed.code.push('1'),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut signed = right.clone();
        change(&mut signed);
        if signed.text() == right.text() {
            continue;
        }
        let reply = phone_v2::decide(&case.server, &case.phone, &case.screen.challenge_id, true, &signed.text()).await;
        assert_eq!((reply.status, reply.body["error"].as_str()), (400, Some("invalid_signature")), "change {number}");
    }
    phone_v2::decide(&case.server, &case.phone, &case.screen.challenge_id, true, &right.text()).await.ok();
}

#[tokio::test]
async fn neither_version_is_taken_for_the_other() {
    let case = case().await;
    let id = &case.screen.challenge_id;
    // A stock signature with `version: 2`, and a version 2 claim answered the stock way.
    let body = json!({
        "version": 2, "challengeId": id, "publicKey": case.phone.public_key(),
        "signature": case.phone.sign(id), "nonce": URL_SAFE_NO_PAD.encode([7; 16]),
    });
    let headers = [("authorization", case.phone.basic())];
    let path = case.phone.path("/challenge/claim");
    case.server.request("POST", &path, &headers, Some(body.to_string())).await.refused(400, "invalid_signature");
    case.claimed("").await;
    case.phone.answer(&case.server, id, true).await.refused(409, "protocol_mismatch");
}

#[tokio::test]
async fn where_bound_fields_must_be_signed_a_stock_phone_is_told_to_update() {
    let server = Server::start_with(|config| config.defaults.server_linking = Some(false)).await;
    let phone = crate::a_kiosk_learns_who_signs_in::enrolled(&server, "ann", Sdk::Ios).await;
    let tracked = server.pay("ann", "k1").await;
    let screen = PollingScreen::create(&server, Some(&token(&tracked)), json!({"action": "pay"})).await.expect("one");
    phone.claim(&server, &screen.challenge_id).await.refused(400, "protocol_too_old");
}

#[tokio::test]
async fn an_enrolment_nonce_is_its_askers_and_what_a_lost_answer_repeats_is_the_same_enrolment() {
    let server = Server::start().await;
    let phone = Phone::new(&server, Sdk::Android);
    let (ann, bob) = (server.enrolment_token("ann").await, server.enrolment_token("bob").await);
    let bearer = [("authorization", format!("Bearer {ann}"))];
    let asked = server.request("POST", "/v1/client/challenge", &bearer, Some("{}".into())).await.ok();
    let nonce = asked["nonce"].as_str().expect("a nonce").to_owned();
    let spki = base64::engine::general_purpose::STANDARD.decode(phone.public_key()).expect("a key");
    let body = |token: &str| {
        let fields = [
            ("iss", phone_v2::issuer(&server)),
            ("tenant", server.tenant.clone()),
            ("nonce", nonce.clone()),
            ("key", phone_v2::sha256(&spki)),
            ("token", phone_v2::sha256(token.as_bytes())),
        ];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let signature = phone.sign(&phone_v2::message("enroll", &fields));
        json!({"version": 2, "publicKey": phone.public_key(), "devicePlatform": "web", "nonce": nonce, "signature": signature})
            .to_string()
    };
    let path = "/v1/client/user-authenticators/qr-code";
    let bobs = [("authorization", format!("Bearer {bob}"))];
    let stolen = server.request("POST", path, &bobs, Some(body(&bob))).await;
    assert_eq!(stolen.body["errors"][0]["code"], "unknown-nonce", "{}", stolen.body);
    server.request("POST", path, &bearer, Some(body(&bob))).await.refused(400, "invalid_signature");
    let made = server.request("POST", path, &bearer, Some(body(&ann))).await.ok();
    let entries = async || server.app.store.log_head().await.expect("the log").size;
    let before = entries().await;
    assert_eq!(server.request("POST", path, &bearer, Some(body(&ann))).await.ok(), made);
    let all = server.backend("GET", "/v1/users/ann/authenticators", Value::Null).await.ok();
    assert_eq!((all.as_array().map(Vec::len), entries().await), (Some(1), before));

    // Nor does a repeated removal come to more than the first, and it brings nothing back.
    let tenant = [("authorization", phone.basic())];
    let asked = server.request("POST", "/v1/client/challenge", &tenant, Some("{}".into())).await.ok();
    let (nonce, credential) = (asked["nonce"].as_str().expect("a nonce"), made["userAuthenticatorId"].as_str());
    let credential = credential.expect("an id");
    let issuer = phone_v2::issuer(&server);
    let fields = [("iss", &*issuer), ("tenant", &server.tenant), ("credential", credential), ("nonce", nonce)];
    let signature = phone.sign(&phone_v2::message("remove", &fields));
    let removal = json!({"version": 2, "userAuthenticatorId": credential, "nonce": nonce, "signature": signature});
    let remove = async || server.request("POST", &format!("{path}/remove"), &tenant, Some(removal.to_string())).await;
    let removed = remove().await.ok();
    let before = entries().await;
    assert_eq!((remove().await.ok(), entries().await), (removed, before));
    server.request("POST", path, &bearer, Some(body(&ann))).await.refused(400, "invalid_credential");
    assert_eq!(phone.get(&server).await.status, 400);
    // A nonce serves for its ten minutes and the next.
    server.clock.advance(std::time::Duration::from_secs(1_200));
    let old = remove().await;
    assert_eq!(old.body["errors"][0]["code"], "unknown-nonce", "{}", old.body);
}
