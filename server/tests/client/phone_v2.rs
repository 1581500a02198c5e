//! Our own phone: the same key, and signatures that say what they are for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::{Reply, Server};
use crate::phone::Phone;

/// A version 2 message: the purpose, then one line per field.
pub fn message(purpose: &str, fields: &[(&str, &str)]) -> String {
    let mut text = format!("stepup/v2/{purpose}\n");
    for (name, value) in fields {
        text.push_str(&format!("{name}={value}\n"));
    }
    text
}

pub fn sha256(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes))
}

/// What an answer signs; tests change single fields of it.
#[derive(Clone)]
pub struct Decide {
    pub iss: String,
    pub tenant: String,
    pub challenge: String,
    pub credential: String,
    pub claim: String,
    pub ctx: String,
    pub decision: String,
    pub code: String,
}

impl Decide {
    pub fn text(&self) -> String {
        message(
            "decide",
            &[
                ("iss", &self.iss),
                ("tenant", &self.tenant),
                ("challenge", &self.challenge),
                ("credential", &self.credential),
                ("claim", &self.claim),
                ("ctx", &self.ctx),
                ("decision", &self.decision),
                ("code", &self.code),
            ],
        )
    }
}

/// The public base URL of the tests' configuration.
pub fn issuer(server: &Server) -> String {
    server.app.issuer().to_string()
}

/// Enrols with proof of possession and returns the answer.
pub async fn enrol(server: &Server, phone: &Phone, track_token: &str) -> Reply {
    enrol_with(server, phone, track_token, json!({})).await
}

/// The nonce that an enrolment under the token signs: the same for ten minutes.
pub async fn nonce(server: &Server, track_token: &str) -> String {
    let bearer = [("authorization", format!("Bearer {track_token}"))];
    let asked = server.request("POST", "/v1/client/challenge", &bearer, Some("{}".into())).await.ok();
    asked["nonce"].as_str().expect("a nonce").to_owned()
}

/// What an enrolment signs.
pub fn enrolment(server: &Server, phone: &Phone, track_token: &str, nonce: &str) -> String {
    let spki = base64::engine::general_purpose::STANDARD.decode(phone.public_key()).expect("a key");
    message(
        "enroll",
        &[
            ("iss", &issuer(server)),
            ("tenant", &server.tenant),
            ("nonce", nonce),
            ("key", &sha256(&spki)),
            ("token", &sha256(track_token.as_bytes())),
        ],
    )
}

/// The same, with more members in the body.
pub async fn enrol_with(server: &Server, phone: &Phone, track_token: &str, more: Value) -> Reply {
    let bearer = [("authorization", format!("Bearer {track_token}"))];
    let nonce = nonce(server, track_token).await;
    let text = enrolment(server, phone, track_token, &nonce);
    let mut body = json!({
        "version": 2,
        "publicKey": phone.public_key(),
        "deviceName": "Web phone",
        "devicePlatform": "web",
        "nonce": nonce,
        "signature": phone.sign(&text),
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    server.request("POST", &phone.path(""), &bearer, Some(body.to_string())).await
}

/// Claims; `qr` is the rolling code, or empty.
pub async fn claim(server: &Server, phone: &Phone, credential: &str, challenge: &str, qr: &str) -> Reply {
    claim_from(server, phone, credential, challenge, qr, None).await
}

/// Claims from an address, as the proxy before the server notes it.
pub async fn claim_from(
    server: &Server,
    phone: &Phone,
    credential: &str,
    challenge: &str,
    qr: &str,
    address: Option<&str>,
) -> Reply {
    let body = claim_body(server, phone, credential, challenge, qr);
    claim_as(server, phone, &phone.basic(), body, address).await
}

/// The phone's own 16 bytes; the tests' phones always make up the same.
pub fn own_nonce() -> String {
    URL_SAFE_NO_PAD.encode([7; 16])
}

/// Claims with what a terminal said over a radio.
pub async fn claim_near(
    server: &Server,
    phone: &Phone,
    credential: &str,
    challenge: &str,
    qr: &str,
    near: Value,
) -> Reply {
    let mut body = claim_body(server, phone, credential, challenge, qr);
    body["near"] = near;
    claim_as(server, phone, &phone.basic(), body, None).await
}

fn claim_body(server: &Server, phone: &Phone, credential: &str, challenge: &str, qr: &str) -> Value {
    let nonce = own_nonce();
    let text = message(
        "claim",
        &[
            ("iss", &issuer(server)),
            ("tenant", &server.tenant),
            ("challenge", challenge),
            ("credential", credential),
            ("qr", qr),
            ("nonce", &nonce),
        ],
    );
    let mut body = json!({
        "version": 2,
        "challengeId": challenge,
        "publicKey": phone.public_key(),
        "signature": phone.sign(&text),
        "nonce": nonce,
    });
    if !qr.is_empty() {
        body["qr"] = json!(qr);
    }
    body
}

/// A claim of an app that holds the token of a tracked action.
pub async fn claim_with_token(server: &Server, phone: &Phone, credential: &str, challenge: &str, token: &str) -> Reply {
    let body = claim_body(server, phone, credential, challenge, "");
    claim_as(server, phone, &format!("Bearer {token}"), body, None).await
}

async fn claim_as(server: &Server, phone: &Phone, authorization: &str, body: Value, address: Option<&str>) -> Reply {
    let mut headers = vec![("authorization", authorization.to_owned())];
    headers.extend(address.map(|address| ("x-forwarded-for", address.to_owned())));
    server.request("POST", &phone.path("/challenge/claim"), &headers, Some(body.to_string())).await
}

/// Answers with any text signed.
pub async fn decide(server: &Server, phone: &Phone, challenge: &str, approved: bool, signed: &str) -> Reply {
    decide_with(server, phone, challenge, approved, signed, None).await
}

/// Approves with the digits that the person typed.
pub async fn approve_with(server: &Server, phone: &Phone, claimed: &Decide, code: &str) -> Reply {
    let decide = Decide { code: code.to_owned(), ..claimed.clone() };
    decide_with(server, phone, &decide.challenge, true, &decide.text(), Some(code)).await
}

async fn decide_with(
    server: &Server,
    phone: &Phone,
    challenge: &str,
    approved: bool,
    signed: &str,
    code: Option<&str>,
) -> Reply {
    let body = json!({
        "version": 2,
        "challengeId": challenge,
        "publicKey": phone.public_key(),
        "approved": approved,
        "verificationCode": code,
        "signature": phone.sign(signed),
    });
    let headers = [("authorization", phone.basic())];
    server.request("POST", &phone.path("/challenge"), &headers, Some(body.to_string())).await
}

/// What the phone would sign, from a claim's answer.
pub fn decision(server: &Server, credential: &str, challenge: &str, claimed: &Value, word: &str) -> Decide {
    let context = URL_SAFE_NO_PAD.decode(claimed["context"].as_str().expect("a context")).expect("base64url");
    Decide {
        iss: issuer(server),
        tenant: server.tenant.clone(),
        challenge: challenge.to_owned(),
        credential: credential.to_owned(),
        claim: claimed["claim"].as_str().expect("a nonce").to_owned(),
        ctx: sha256(&context),
        decision: word.to_owned(),
        code: String::new(),
    }
}

/// Asks what is pending as our phone does: the question is signed, and the answer has the context.
pub async fn pending(server: &Server, phone: &Phone) -> Reply {
    let asked = phone.message(server, "/challenge/sign").await.ok();
    let signature = phone.sign(asked["message"].as_str().expect("a message"));
    phone.pending_in(server, "&version=2", Some(&signature)).await
}

/// Proves itself in the app with a version 2 signature over any text.
pub async fn verify(server: &Server, phone: &Phone, challenge: &str, signed: &str) -> Reply {
    let body = json!({
        "version": 2,
        "challengeId": challenge,
        "publicKey": phone.public_key(),
        "signature": phone.sign(signed),
    });
    let headers = [("authorization", phone.basic())];
    server.request("POST", "/v1/client/verify/in-app", &headers, Some(body.to_string())).await
}
