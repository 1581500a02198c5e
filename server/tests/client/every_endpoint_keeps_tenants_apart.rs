//! T-41: another tenant, with every right of its own and every id and token of ours, walks through each endpoint that the
//! API describes. It learns nothing and changes nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use challenge::TenantId;
use serde_json::{Value, json};
use server::auth::Secret;
use server::config::ClientConfig;

use crate::a_kiosk_learns_who_signs_in::enrolled;
use crate::a_terminal_vouches_for_its_screen::Kiosk;
use crate::harness::{OTHER_TENANT, SECRET, Server, TENANT, token};
use crate::phone::{Phone, Sdk};
use crate::screen::PollingScreen;

const RIVAL_ADMIN: &str = "sk_test_rival_admin_0123";
pub const USER: &str = "ann";

/// What a tenant has, and what must not show up elsewhere.
pub struct Ours {
    pub decision: String,
    pub authenticator: String,
    pub open_challenge: String,
    pub track_token: String,
    pub device_code: String,
    pub result_token: String,
    pub access_token: String,
    pub refresh_token: String,
    pub session: String,
    pub policy_version: String,
    pub phone: Phone,
}

impl Ours {
    /// Words that no answer to another tenant may hold.
    fn secrets(&self) -> [&str; 7] {
        [
            "ann@example.com",
            "Bakery",
            "Central Station",
            "Jo's phone",
            &self.authenticator,
            &self.session,
            &self.refresh_token,
        ]
    }
}

pub async fn ours(server: &Server) -> Ours {
    let phone = enrolled(server, USER, Sdk::Android).await;
    server.backend("PATCH", "/v1/users/ann", json!({"email": "ann@example.com", "displayName": "Ann"})).await.ok();
    server.track(USER, "sign_in", json!({"deviceId": "laptop"})).await;
    Kiosk::registered(server, "kiosk-7").await;
    let approve = async |key: &str| {
        let tracked = server.pay(USER, key).await;
        let body = json!({"action": "pay"});
        let screen = PollingScreen::create(server, Some(&token(&tracked)), body).await.expect("a challenge");
        phone.claim(server, &screen.challenge_id).await.ok();
        phone.answer(server, &screen.challenge_id, true).await.ok();
        let polled = screen.poll(server).await.ok();
        (tracked, polled["accessToken"].as_str().expect("a token").to_owned())
    };
    let (tracked, result_token) = approve("k1").await;
    let (_, for_session) = approve("k2").await;
    let begin = json!({"clientId": "web", "token": for_session});
    let session = server.backend("POST", "/v1/sessions", begin).await.ok();
    let open = server.pay(USER, "k3").await;
    let screen = PollingScreen::create(server, Some(&token(&open)), json!({"action": "pay"})).await.expect("one");
    let devices = server.backend("GET", "/v1/users/ann/authenticators", Value::Null).await.ok();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let access_token = text(&session["accessToken"]);
    let standing = server.backend("POST", "/v1/sessions/validate", json!({"accessToken": access_token})).await.ok();
    let policies = server.backend("GET", "/v1/policies", Value::Null).await.ok();
    Ours {
        policy_version: text(&policies["version"]),
        decision: text(&tracked["decisionId"]),
        authenticator: text(&devices[0]["userAuthenticatorId"]),
        open_challenge: screen.challenge_id,
        track_token: token(&open),
        device_code: screen.device_code,
        result_token,
        refresh_token: text(&session["refreshToken"]),
        session: text(&standing["sessionId"]),
        access_token,
        phone,
    }
}

impl Ours {
    /// The text with ids of the same form that nobody has in the place of ours.
    fn missed(&self, text: &str) -> String {
        [&self.decision, &self.authenticator, &self.open_challenge, &self.session].into_iter().fold(
            text.to_owned(),
            |text, id| {
                let (rest, last) = id.split_at(id.len() - 1);
                text.replace(id, &format!("{rest}{}", if last == "0" { "1" } else { "0" }))
            },
        )
    }
}

/// All that the tenant's own backend sees of its user.
async fn sight(server: &Server, ours: &Ours) -> Vec<Value> {
    let mut seen = Vec::new();
    let decision = format!("/v1/decisions/{}", ours.decision);
    let challenge = format!("/v1/challenges?challengeId={}", ours.open_challenge);
    for path in [
        "/v1/users/ann",
        "/v1/users/ann/authenticators",
        "/v1/users/ann/devices",
        "/v1/users/ann/actions",
        "/v1/users/ann/actions/pay/k1",
        "/v1/users",
        "/v1/decisions",
        "/v1/policies",
        "/v1/terminals",
        &decision,
        &challenge,
    ] {
        seen.push(server.backend("GET", path, Value::Null).await.ok());
    }
    let body = json!({"accessToken": ours.access_token});
    seen.push(server.backend("POST", "/v1/sessions/validate", body).await.ok());
    seen
}

/// Whether an operation refuses what it does not know: then it is told what it knows alone, or nothing of ours would be reached.
pub fn is_strict(path: &str) -> bool {
    let strict = ["/decisions", "/webhooks", "/lists", "/terminals", "/policies", "/sessions/validate"];
    strict.iter().any(|beginning| path.starts_with(beginning)) || path.ends_with("/reset") || path.contains("/devices/")
}

/// The names of an operation's parameters and of what its body has.
pub fn known(operation: &Value) -> Vec<String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let named = parameters.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned));
    let body = operation["requestBody"]["content"]["application/json"]["example"].as_object();
    named.chain(body.into_iter().flat_map(|body| body.keys().cloned())).collect()
}

/// The path with our ids in the place of its parameters.
fn filled(path: &str, ours: &Ours) -> String {
    let parts = path.split('/').map(|part| match part {
        "{userId}" => USER,
        "{action}" => "pay",
        "{idempotencyKey}" => "k1",
        "{userAuthenticatorId}" => &ours.authenticator,
        "{deviceId}" => "laptop",
        "{terminalId}" => "kiosk-7",
        "{id}" | "{decisionId}" => &ours.decision,
        "{list}" => "anything",
        "{policyVersion}" => &ours.policy_version,
        "{kind}" => "qr-code",
        "{tenantId}" => TENANT,
        other if other.starts_with('{') => panic!("say what `{other}` of {path} is for another tenant"),
        other => other,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn t41_another_tenant_learns_and_changes_nothing_at_any_endpoint() {
    let server = Server::start_with(|config| {
        config.defaults.clients.insert("web".to_owned(), ClientConfig::default());
    })
    .await;
    let rival = TenantId::parse(OTHER_TENANT).expect("an id");
    server.app.admit(&rival, "Rival", "admin", &Secret::parse(RIVAL_ADMIN).expect("a secret")).await.expect("a key");
    let ours = ours(&server).await;
    let before = sight(&server, &ours).await;

    let query = format!(
        "userId=ann&user=ann&action=pay&email=ann%40example.com&challengeId={}&token={}&limit=100",
        ours.open_challenge, ours.result_token
    );
    let body = json!({
        "token": ours.result_token, "accessToken": ours.access_token, "refreshToken": ours.refresh_token,
        "clientId": "web", "userId": USER, "challengeId": ours.open_challenge, "state": "REVIEW_FAILED",
        "rememberedUntil": "2030-01-01T00:00:00Z", "reason": "because", "author": "a rival",
        "verificationMethod": "RECOVERY_CODE", "email": "rival@example.com", "value": "x", "values": ["x"],
        "deviceId": "laptop", "custom": {"amount": {"value": "1.00", "currency": "EUR"}, "payee": "Rival"},
    });
    let api = server.request("GET", "/openapi.json", &[], None).await.ok();
    let mut walked = 0;
    for (path, methods) in api["paths"].as_object().expect("paths") {
        for (method, operation) in
            methods.as_object().expect("methods").iter().filter(|(key, _)| !key.starts_with("x-"))
        {
            let (strict, known) = (is_strict(path), known(operation));
            let fits = |name: &str| !strict || known.iter().any(|known| known == name);
            let query: Vec<&str> =
                query.split('&').filter(|pair| fits(pair.split_once('=').map_or(*pair, |(name, _)| name))).collect();
            let query = format!("?{}", query.join("&"));
            let body: serde_json::Map<String, Value> = body.as_object().expect("an object").clone();
            let body = Value::Object(body.into_iter().filter(|(name, _)| fits(name)).collect());
            // Screens and phones come in their tenant's name, backends with a secret.
            let callers = match path.starts_with("/client/") {
                true => vec![OTHER_TENANT.to_owned()],
                false => vec![format!("{SECRET}-other"), RIVAL_ADMIN.to_owned()],
            };
            for caller in callers {
                let authorization = format!("Basic {}", STANDARD.encode(format!("{caller}:")));
                let method = method.to_uppercase();
                let url = format!("/v1{}{}", filled(path, &ours), if method == "GET" { query.as_str() } else { "" });
                let said = (method != "GET").then(|| body.to_string());
                let ask = async |url: &str, said: Option<String>| {
                    server.request(&method, url, &[("authorization", authorization.clone())], said).await
                };
                let reply = ask(&url, said.clone()).await;
                // What is ours sounds like what nobody has: neither forbidden nor anything else that says it is there.
                let nobodys = ask(&ours.missed(&url), said.map(|said| ours.missed(&said))).await;
                assert_eq!(
                    (reply.status, &reply.body["error"]),
                    (nobodys.status, &nobodys.body["error"]),
                    "{method} {path}: {}",
                    reply.body
                );
                let text = reply.body.to_string();
                assert!(reply.status < 500 && reply.status != 429, "{method} {path}: {text}");
                assert!(
                    reply.status != 405 && !text.contains("there is nothing at"),
                    "{method} {path} is described and not there"
                );
                for ours in ours.secrets() {
                    assert!(!text.contains(ours), "{method} {path} tells of `{ours}`: {text}");
                }
                walked += 1;
            }
        }
    }
    assert!(walked > 80, "{walked} calls");
    assert_eq!(sight(&server, &ours).await, before, "something of ours was changed");
    // And what works once still works.
    assert_eq!(server.validate(json!({"token": ours.result_token})).await["isValid"], true);
    server.backend("POST", "/v1/sessions/refresh", json!({"refreshToken": ours.refresh_token})).await.ok();
}
