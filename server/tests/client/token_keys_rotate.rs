use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use server::config::{TenantConfig, TokenAlgorithm};
use server::keys::KeyAlgorithm;

use crate::an_approval_counts_once::approved;
use crate::harness::{OTHER_TENANT, Server, TENANT, token};
use crate::phone::{Phone, Sdk};
use crate::phone_v2::{self, message, sha256};
use crate::screen::PollingScreen;

const DAY: u64 = 24 * 3600;

fn header(token: &str) -> Value {
    let header = token.split('.').next().expect("a header");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).expect("base64url")).expect("JSON")
}

fn kid(token: &str) -> String {
    header(token)["kid"].as_str().expect("a kid").to_owned()
}

/// The names of the published keys, which are the same at both places.
async fn published(server: &Server) -> Vec<String> {
    let everywhere = server.request("GET", "/.well-known/jwks.json", &[], None).await;
    assert_eq!(everywhere.headers["cache-control"], "public, max-age=300");
    let everywhere = everywhere.ok();
    let path = format!("/v1/client/public/{}/.well-known/jwks", server.tenant);
    assert_eq!(server.request("GET", &path, &[], None).await.ok(), everywhere);
    let keys = everywhere["keys"].as_array().expect("keys");
    keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

async fn is_valid(server: &Server, token: &str) -> bool {
    server.validate(json!({"token": token})).await["isValid"] == true
}

#[tokio::test]
async fn a_key_is_published_before_it_signs_and_verifies_after_it_signed() {
    let server = Server::start().await;
    let directory = server.app.config.keys.directory.clone();
    let first = approved(&server, "ann", "k1").await;
    assert_eq!(published(&server).await, [kid(&first)]);

    let from = server.app.clock.now() + Duration::from_secs(DAY);
    server::keys::rotate(&directory, from, KeyAlgorithm::EdDsa).expect("rotated");
    server.app.keys.reload().expect("read again");
    let both = published(&server).await;
    assert_eq!((both.len(), &both[0]), (2, &kid(&first)));
    assert!(is_valid(&server, &first).await, "a reload changes nothing for a token in flight");
    assert_eq!(kid(&approved(&server, "bob", "k1").await), both[0], "the new key does not sign yet");

    // A token of the old key's last minute is validated after the new one began.
    server.pass(Duration::from_secs(DAY - 60)).await;
    let last = approved(&server, "cleo", "k1").await;
    assert_eq!(kid(&last), both[0]);
    server.pass(Duration::from_secs(60)).await;
    let next = approved(&server, "dora", "k1").await;
    assert_eq!(kid(&next), both[1]);
    // The two need not be of one algorithm.
    assert_eq!((&header(&last)["alg"], &header(&next)["alg"]), (&json!("ES256"), &json!("EdDSA")));
    assert!(is_valid(&server, &last).await && is_valid(&server, &next).await);
    assert_eq!(published(&server).await, both);

    server.pass(Duration::from_secs(25 * 3600)).await;
    assert_eq!(published(&server).await, both[1..]);
}

#[tokio::test]
async fn keys_that_cannot_be_used_change_nothing() {
    let server = Server::start().await;
    let directory = server.app.config.keys.directory.clone();
    let before = published(&server).await;
    for (name, bytes) in [("token-soon.p8", &b"x"[..]), ("token-20260302T110000Z.p8", b"not a key")] {
        server::keys::write_private(&directory.join(name), bytes).expect("written");
        assert!(server.app.keys.reload().expect_err(name).to_string().contains(name));
        std::fs::remove_file(directory.join(name)).expect("removed");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let path = server::keys::rotate(&directory, server.app.clock.now(), KeyAlgorithm::Es256).expect("rotated");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("a mode");
        let error = server.app.keys.reload().expect_err("others can read it").to_string();
        assert!(error.contains("can be read by others"), "{error}");
    }
    assert_eq!(published(&server).await, before);
    assert!(is_valid(&server, &approved(&server, "ann", "k1").await).await);
}

/// A service whose first tenant has asked for HS256.
async fn with_hs256() -> Server {
    Server::start_with(|config| {
        let file = config.keys.directory.with_file_name("secret");
        server::keys::write_private(&file, LONG.as_bytes()).expect("written");
        let tokens = Some(TokenAlgorithm::Hs256);
        let settings = TenantConfig { secret_file: Some(file), tokens, ..TenantConfig::default() };
        config.tenants.insert(TENANT.to_owned(), settings);
    })
    .await
}

const LONG: &str = "sk_test_0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn a_backend_that_verifies_tokens_itself_may_have_hs256() {
    let server = with_hs256().await;
    let result = approved(&server, "ann", "k1").await;
    assert_eq!((&header(&result)["alg"], &header(&result)["typ"]), (&json!("HS256"), &json!("stepup-result+jwt")));
    // What backends of the wire run: the API secret, and no more.
    let (message, tag) = result.rsplit_once('.').expect("three parts");
    let tag = URL_SAFE_NO_PAD.decode(tag).expect("base64url");
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, LONG.as_bytes()), message.as_bytes(), &tag).expect("it fits");
    assert!(is_valid(&server, &result).await, "and /validate takes it, once");
    assert!(!is_valid(&server, &result).await);
    assert!(!published(&server).await.iter().any(|kid| kid.starts_with("hs256")), "a secret has no public half");
    let other = format!("Basic {}", STANDARD.encode("sk_test_0123456789abcdef-other:"));
    let path = "/v1/users/ann/actions/signIn";
    let tracked = server.request("POST", path, &[("authorization", other)], Some("{}".to_owned())).await.ok();
    assert_eq!(header(&token(&tracked))["alg"], "ES256", "another tenant's tokens");
}

#[tokio::test]
async fn a_tenant_that_knows_its_hs256_secret_cannot_speak_for_another() {
    let server = with_hs256().await;
    let own = server.enrolment_token("ann").await;
    let claims = own.split('.').nth(1).expect("claims");
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON");
    let sign = |claims: &Value| {
        let encoded = URL_SAFE_NO_PAD.encode(claims.to_string());
        let message = format!("{}.{encoded}", own.split('.').next().expect("a header"));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, LONG.as_bytes()), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    };
    let body = || Some("{}".to_owned());
    let path = "/v1/client/challenge";
    let bearer = |token: String| [("authorization", format!("Bearer {token}"))];
    server.request("POST", path, &bearer(sign(&claims)), body()).await.ok();
    claims["aud"] = json!(OTHER_TENANT);
    server.request("POST", path, &bearer(sign(&claims)), body()).await.refused(401, "invalid_token");
}

#[tokio::test]
async fn hs256_without_a_good_secret_does_not_start() {
    use server::app::App;
    let folder = tempfile::tempdir().expect("a folder");
    let (short, good) = (folder.path().join("short"), folder.path().join("good"));
    server::keys::write_private(&short, &LONG.as_bytes()[..31]).expect("written");
    server::keys::write_private(&good, &LONG.as_bytes()[..32]).expect("written");
    for (secret_file, why) in [(None, Some("secret_file")), (Some(short), Some("32 characters")), (Some(good), None)] {
        let mut config = server::config::Config::demo(folder.path(), 8080);
        config.policies.pack = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/starter");
        let tokens = Some(TokenAlgorithm::Hs256);
        config.tenants.insert("shop".to_owned(), TenantConfig { secret_file, tokens, ..TenantConfig::default() });
        let refused = App::start(config).await.err().map(|error| error.to_string());
        assert_eq!(refused.is_some(), why.is_some(), "{refused:?}");
        let names = |text: &String| text.contains("tenants.shop.tokens") && why.is_some_and(|why| text.contains(why));
        assert!(refused.as_ref().is_none_or(names), "{refused:?}");
    }
}

/// The numbers of the keys whose codes a phone is told to believe.
fn believed(answer: &Value) -> Vec<u64> {
    let keys = answer["qrKeys"].as_array().unwrap_or_else(|| panic!("no keys in {answer}"));
    keys.iter().map(|key| key["kid"].as_u64().expect("a number")).collect()
}

/// The number in the code that a screen shows now.
async fn signs_with(server: &Server, screen: &PollingScreen) -> u8 {
    let polled = screen.poll(server).await.ok();
    let url = polled["qr"]["steps"][0]["url"].as_str().expect("a url");
    URL_SAFE_NO_PAD.decode(url.rsplit('/').next().expect("a payload")).expect("base64url")[1]
}

#[tokio::test]
async fn a_phone_learns_of_the_next_key_for_codes_before_it_signs() {
    let server = Server::start().await;
    let directory = server.app.config.keys.directory.clone();
    let phone = Phone::new(&server, Sdk::Android);
    let enrolled = phone_v2::enrol(&server, &phone, &server.enrolment_token("ann").await).await.ok();
    let credential = enrolled["userAuthenticatorId"].as_str().expect("an id").to_owned();
    assert_eq!(believed(&enrolled), [1]);
    let shows = async || {
        let body = json!({"action": "kiosk-login", "rollingQr": true});
        PollingScreen::create(&server, None, body).await.expect("a challenge")
    };

    server::keys::rotate_qr(&directory, server.app.clock.now() + Duration::from_secs(DAY)).expect("rotated");
    server.app.keys.reload().expect("read again");
    let screen = shows().await;
    assert_eq!(signs_with(&server, &screen).await, 1, "the new key does not sign yet");
    let claimed = phone_v2::claim(&server, &phone, &credential, &screen.challenge_id, "").await.ok();
    assert_eq!(believed(&claimed), [1, 2], "a claim says which will");

    server.pass(Duration::from_secs(DAY)).await;
    let screen = shows().await;
    assert_eq!(signs_with(&server, &screen).await, 2);
    server.pass(Duration::from_secs(600)).await;
    // Whoever claimed nothing in the meantime asks about itself.
    let basic = [("authorization", phone.basic())];
    let nonce = server.request("POST", "/v1/client/challenge", &basic, Some("{}".into()));
    let nonce = nonce.await.ok()["nonce"].as_str().expect("a nonce").to_owned();
    let path = phone.path("");
    let text = message("auth", &[("method", "GET"), ("path", &path), ("body", &sha256(b"")), ("nonce", &nonce)]);
    let key = URL_SAFE_NO_PAD.encode(phone.public_key());
    let headers = [("authorization", phone.basic()), ("x-authsignal-signature", phone.sign(&text))];
    let url = format!("{path}?publicKey={key}&version=2&nonce={nonce}");
    let asked = server.request("GET", &url, &headers, None).await.ok();
    assert_eq!(believed(&asked), [2], "the first is over with its last code");
}
