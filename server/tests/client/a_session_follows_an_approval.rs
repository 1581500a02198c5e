//! Sessions: an approval begins one, refresh tokens work once, and what is over is over at once.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use server::config::{ClientConfig, ProfileClaim};

use crate::an_administrator_resets_a_user::{ADMIN, admit, reset};
use crate::an_approval_counts_once::approved;
use crate::harness::{OTHER_TENANT, Reply, SECRET, Server, TENANT, token};

const HOUR: u32 = 3_600;

/// A service with two applications: `web` with a short life, and `kiosk`.
async fn start() -> Server {
    Server::start_with(|config| {
        let web = ClientConfig {
            access_s: 600,
            idle_s: HOUR,
            lifetime_s: 3 * HOUR,
            claims: vec![ProfileClaim::Email, ProfileClaim::Name],
        };
        config.defaults.clients.insert("web".to_owned(), web.clone());
        config.defaults.clients.insert("kiosk".to_owned(), ClientConfig { claims: Vec::new(), ..web });
    })
    .await
}

/// The tokens of one session.
#[derive(Clone, Debug, PartialEq)]
struct Pair {
    access: String,
    refresh: String,
}

#[track_caller]
fn pair(answer: Reply) -> Pair {
    let body = answer.ok();
    let text = |name: &str| body[name].as_str().expect("a token").to_owned();
    Pair { access: text("accessToken"), refresh: text("refreshToken") }
}

async fn create(server: &Server, client: &str, token: &str) -> Reply {
    server.backend("POST", "/v1/sessions", json!({"clientId": client, "token": token, "action": "pay"})).await
}

async fn begin(server: &Server, user: &str, key: &str) -> Pair {
    let token = approved(server, user, key).await;
    pair(create(server, "web", &token).await)
}

async fn refresh(server: &Server, token: &str) -> Reply {
    server.backend("POST", "/v1/sessions/refresh", json!({"refreshToken": token})).await
}

async fn standing(server: &Server, token: &str) -> Reply {
    server.backend("POST", "/v1/sessions/validate", json!({"accessToken": token})).await
}

/// Header and claims, unverified.
fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64url"));
    let mut part = || serde_json::from_slice(&parts.next().expect("a part")).expect("JSON");
    (part(), part())
}

#[tokio::test]
async fn an_approval_begins_a_session_that_says_who_and_how() {
    let server = start().await;
    server.backend("PATCH", "/v1/users/ann", json!({"email": "ann@example.com", "phoneNumber": "+491234"})).await.ok();
    let tokens = begin(&server, "ann", "k1").await;

    let (header, claims) = parts(&tokens.access);
    assert_eq!((header["typ"].as_str(), header["alg"].as_str()), (Some("at+jwt"), Some("ES256")));
    let jwks = server.request("GET", "/.well-known/jwks.json", &[], None).await.ok();
    assert_eq!(jwks["keys"][0]["kid"], header["kid"]);
    assert_eq!((claims["aud"].as_str(), claims["sub"].as_str()), (Some("web"), Some("ann")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
    assert_eq!(claims["profile"], json!({"email": "ann@example.com"}), "what the application may know, and no more");

    let answer = standing(&server, &tokens.access).await.ok();
    assert_eq!(answer["user"]["userId"], "ann");
    assert_eq!(answer["user"]["phoneNumber"], "+491234");
    assert_eq!(answer["expiresAt"], claims["exp"]);
    assert_eq!(answer["verificationMethod"], "DEVICE");
    assert_eq!(answer["acr"], "qr.compat");
    assert_eq!(answer["sessionId"], claims["sid"]);

    for (clients, good) in [(json!(["web"]), true), (json!(["kiosk", "web"]), true), (json!(["kiosk"]), false)] {
        let body = json!({"accessToken": tokens.access, "clientIds": clients});
        let reply = server.backend("POST", "/v1/sessions/validate", body).await;
        assert_eq!(reply.status == 200, good, "{clients}");
    }
}

#[tokio::test]
async fn an_approval_begins_one_session_and_validates_no_more() {
    let server = start().await;
    let token = approved(&server, "ann", "k1").await;
    let first = pair(create(&server, "web", &token).await);
    // A lost reply: the same session again, to the same caller for the same application, for ten seconds.
    let again = pair(create(&server, "web", &token).await);
    assert_eq!(again.refresh, first.refresh);
    create(&server, "kiosk", &token).await.refused(401, "invalid_token");
    assert_eq!(server.validate(json!({"token": token})).await["error"], "token_already_used");
    server.clock.advance(Duration::from_secs(10));
    create(&server, "web", &token).await.refused(401, "invalid_token");
    // And the other way round.
    let token = approved(&server, "bob", "k2").await;
    assert_eq!(server.validate(json!({"token": token})).await["isValid"], true);
    create(&server, "web", &token).await.refused(401, "invalid_token");
}

#[tokio::test]
async fn of_many_calls_at_once_all_get_the_one_session() {
    let server = start().await;
    let token = approved(&server, "ann", "k1").await;
    let replies = futures_util::future::join_all((0..30).map(|_| create(&server, "web", &token))).await;
    let tokens: Vec<Pair> = replies.into_iter().map(pair).collect();
    assert!(tokens.iter().all(|pair| pair.refresh == tokens[0].refresh));
    let ended = server.backend("POST", "/v1/sessions/user/revoke", json!({"userId": "ann"})).await.ok();
    assert_eq!(ended["revoked"], 1);
}

#[tokio::test]
async fn no_approval_no_session() {
    let server = start().await;
    let tracked = server.pay("ann", "k1").await;
    create(&server, "web", &token(&tracked)).await.refused(401, "invalid_token");
    create(&server, "web", "nonsense").await.refused(401, "invalid_token");
    let good = approved(&server, "bob", "k2").await;
    create(&server, "unheard-of", &good).await.refused(400, "invalid_configuration");
    let other_action = json!({"clientId": "web", "token": good, "action": "sign_in"});
    server.backend("POST", "/v1/sessions", other_action).await.refused(401, "invalid_token");
    for body in [json!({}), json!({"clientId": "web"}), json!({"token": good}), json!({"clientId": 7, "token": good})] {
        server.backend("POST", "/v1/sessions", body).await.refused(400, "invalid_request");
    }
    let foreign = foreign(&server, "/v1/sessions", json!({"clientId": "web", "token": good})).await;
    foreign.refused(401, "invalid_token");
    // None of these used it up.
    create(&server, "web", &good).await.ok();
    let late = approved(&server, "cat", "k3").await;
    server.clock.advance(Duration::from_secs(126));
    create(&server, "web", &late).await.refused(401, "expired_token");
}

#[tokio::test]
async fn a_refresh_replaces_both_tokens() {
    let server = start().await;
    let first = begin(&server, "ann", "k1").await;
    server.clock.advance(Duration::from_secs(500));
    let second = pair(refresh(&server, &first.refresh).await);
    assert_ne!(second, first);
    // Requests under way with the old access token are let finish; then it is worth nothing.
    standing(&server, &first.access).await.ok();
    standing(&server, &second.access).await.ok();
    server.clock.advance(Duration::from_secs(10));
    standing(&server, &first.access).await.refused(401, "invalid_token");
    standing(&server, &second.access).await.ok();
    server.clock.advance(Duration::from_secs(600));
    standing(&server, &second.access).await.refused(401, "expired_token");
    let third = pair(refresh(&server, &second.refresh).await);
    standing(&server, &third.access).await.ok();
}

#[tokio::test]
async fn a_refresh_whose_reply_was_lost_gets_the_same_and_a_stolen_one_ends_the_session() {
    let server = start().await;
    let first = begin(&server, "ann", "k1").await;
    let second = pair(refresh(&server, &first.refresh).await);
    server.clock.advance(Duration::from_secs(9));
    assert_eq!(pair(refresh(&server, &first.refresh).await).refresh, second.refresh);
    server.clock.advance(Duration::from_secs(2));
    refresh(&server, &first.refresh).await.refused(401, "invalid_token");
    // Both sides lose it: which of them is the thief is not known.
    refresh(&server, &second.refresh).await.refused(401, "invalid_token");
    standing(&server, &second.access).await.refused(401, "invalid_token");
}

#[tokio::test]
async fn of_many_refreshes_at_once_one_is_next_and_the_others_are_its_repeats() {
    let server = start().await;
    let first = begin(&server, "ann", "k1").await;
    let replies = futures_util::future::join_all((0..30).map(|_| refresh(&server, &first.refresh))).await;
    let tokens: Vec<Pair> = replies.into_iter().map(pair).collect();
    assert!(tokens.iter().all(|pair| pair.refresh == tokens[0].refresh));
    assert_ne!(tokens[0].refresh, first.refresh);
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_at_last() {
    let server = start().await;
    let idle = begin(&server, "ann", "k1").await;
    server.clock.advance(Duration::from_secs(3_600));
    refresh(&server, &idle.refresh).await.refused(401, "invalid_token");

    let mut busy = begin(&server, "bob", "k2").await;
    for _ in 0..5 {
        server.clock.advance(Duration::from_secs(1_800));
        busy = pair(refresh(&server, &busy.refresh).await);
    }
    // The last access token does not outlive the session.
    server.clock.advance(Duration::from_secs(1_500));
    busy = pair(refresh(&server, &busy.refresh).await);
    let (_, claims) = parts(&busy.access);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    server.clock.advance(Duration::from_secs(300));
    refresh(&server, &busy.refresh).await.refused(401, "invalid_token");
    standing(&server, &busy.access).await.refused(401, "invalid_token");
}

#[tokio::test]
async fn who_signs_out_is_out_at_once() {
    let server = start().await;
    let tokens = begin(&server, "ann", "k1").await;
    let revoke = |token: String| {
        let server = &server;
        async move { server.backend("POST", "/v1/sessions/revoke", json!({"accessToken": token})).await }
    };
    for bad in ["", "x", "a.b.c"] {
        assert!(revoke(bad.to_owned()).await.status >= 400);
    }
    revoke(tokens.access.clone()).await.ok();
    standing(&server, &tokens.access).await.refused(401, "invalid_token");
    refresh(&server, &tokens.refresh).await.refused(401, "invalid_token");
    revoke(tokens.access.clone()).await.ok();
    // Also late, when the access token has expired.
    let late = begin(&server, "ann", "k2").await;
    server.clock.advance(Duration::from_secs(700));
    revoke(late.access).await.ok();
    refresh(&server, &late.refresh).await.refused(401, "invalid_token");
}

#[tokio::test]
async fn all_sessions_of_a_user_end_together_and_with_the_user() {
    let server = start().await;
    let (first, second) = (begin(&server, "ann", "k1").await, begin(&server, "ann", "k2").await);
    let other = begin(&server, "bob", "k3").await;
    let end = || server.backend("POST", "/v1/sessions/user/revoke", json!({"userId": "ann"}));
    assert_eq!(end().await.ok(), json!({"success": true, "revoked": 2}));
    assert_eq!(end().await.ok(), json!({"success": true, "revoked": 0}));
    for gone in [&first, &second] {
        standing(&server, &gone.access).await.refused(401, "invalid_token");
    }
    standing(&server, &other.access).await.ok();
    server.backend("DELETE", "/v1/users/bob", Value::Null).await.ok();
    standing(&server, &other.access).await.refused(401, "invalid_token");
    for body in [json!({}), json!({"userId": ""}), json!({"userId": 1})] {
        server.backend("POST", "/v1/sessions/user/revoke", body).await.refused(400, "invalid_request");
    }
}

#[tokio::test]
async fn a_reset_ends_the_sessions_of_whoever_had_the_phone() {
    let server = start().await;
    admit(&server, "admin", ADMIN).await;
    let tokens = begin(&server, "ann", "k1").await;
    reset(&server, "ann").await.ok();
    standing(&server, &tokens.access).await.refused(401, "invalid_token");
    refresh(&server, &tokens.refresh).await.refused(401, "invalid_token");
}

#[tokio::test]
async fn nobody_else_can_use_or_guess_the_tokens() {
    let server = start().await;
    let tokens = begin(&server, "ann", "k1").await;
    for (path, body) in [
        ("/v1/sessions/validate", json!({"accessToken": tokens.access})),
        ("/v1/sessions/refresh", json!({"refreshToken": tokens.refresh})),
        ("/v1/sessions/revoke", json!({"accessToken": tokens.access})),
    ] {
        foreign(&server, path, body).await.refused(401, "invalid_token");
    }
    let mut guesses = vec![String::new(), "rt_".to_owned(), "rt_x_0_y".to_owned(), tokens.refresh.to_uppercase()];
    guesses.push(format!("{}A", tokens.refresh));
    guesses.push(tokens.refresh.replacen("_0_", "_1_", 1));
    guesses.push(tokens.refresh.replacen("_0_", "_00_", 1));
    guesses.push(tokens.refresh.replacen("_0_", "_+0_", 1));
    guesses.push("rt_".repeat(10_000));
    for guess in guesses {
        assert!(refresh(&server, &guess).await.status >= 400, "{guess}");
    }
    // A token of another purpose stands for no session, and an access token for no approval.
    let result = approved(&server, "ann", "k2").await;
    standing(&server, &result).await.refused(401, "invalid_token");
    let answer = server.validate(json!({"token": tokens.access})).await;
    assert_eq!((answer["isValid"].as_bool(), answer["error"].as_str()), (Some(false), Some("invalid_token")));
    // All of it left the session as it was.
    pair(refresh(&server, &tokens.refresh).await);
}

async fn foreign(server: &Server, path: &str, body: Value) -> Reply {
    assert_ne!(TENANT, OTHER_TENANT);
    let secret = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("{SECRET}-other:"));
    server.request("POST", path, &[("authorization", format!("Basic {secret}"))], Some(body.to_string())).await
}
