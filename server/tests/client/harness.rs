//! The whole service on a loopback port: real SQLite, a pack of its own, a clock that moves when told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use challenge::TenantId;
use jiff::Timestamp;
use serde_json::{Value, json};
use server::app::App;
use server::auth::Secret;
use server::clock::ManualClock;
use server::config::Config;
use server::limits::Limit;
use server::random::Random;
use server::worker;
use tokio_util::sync::CancellationToken;

use crate::answers;

pub const TENANT: &str = "5e1eebc0-31c5-42db-b86f-3981f0081ac6";
pub const OTHER_TENANT: &str = "0d5e7a1c-8f0f-4a51-9d0e-2c6a9f1b7e11";
pub const SECRET: &str = "sk_test_0123456789abcdef";

/// A payment that binds amount and payee, a kiosk, a kiosk that is closed, an action that is always allowed.
const PACK: &str = r#"
event pay {
  amount: money
  payee: string
}

event kiosk_login "kiosk-login" {
  till: string?
}

event sign_in "signIn" {}

policy pay on pay {
  default challenge qr { bind: [amount, payee], show: [amount, payee, ip] }
}

policy kiosk on kiosk_login {
  default challenge qr { user: anonymous }

  rule closed "this till is closed" {
    when till == "13"
    on unknown skip
    then block reason TILL_CLOSED
  }
}

policy sign_in on sign_in {
  default allow
}

reason TILL_CLOSED "This till is closed"
"#;

/// A running service.
pub struct Server {
    pub app: App,
    pub base: String,
    pub tenant: String,
    /// Of the tenant's backend.
    pub secret: String,
    pub clock: Arc<ManualClock>,
    http: reqwest::Client,
    stop: CancellationToken,
    serving: Option<tokio::task::JoinHandle<()>>,
    config: Config,
    directory: Arc<tempfile::TempDir>,
}

/// An answer: status, headers and JSON body.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Reply {
    /// The body of a 200; anything else fails the test with what was said.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        assert_eq!(self.headers.get("content-type").map(|value| value.as_bytes()), Some(&b"application/json"[..]));
        self.body
    }

    /// Asserts a refusal with this status and code, in the wire's three fields.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["error"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.body["errorCode"], code);
        assert!(self.body["errorDescription"].is_string());
    }
}

impl Server {
    /// Starts a service with generous limits.
    pub async fn start() -> Server {
        Server::start_with(|_| {}).await
    }

    /// Starts a service whose configuration the test may change.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Server {
        let directory = Arc::new(tempfile::tempdir().expect("a directory"));
        let pack = directory.path().join("pack");
        std::fs::create_dir(&pack).expect("a folder");
        std::fs::write(pack.join("test.rules"), PACK).expect("a pack");

        let (listener, port) = listen().await;
        let mut config = Config::demo(directory.path(), port);
        config.policies.pack = pack;
        config.policies.watch = false;
        config.limits.challenge = Limit::new(100_000, 10_000);
        change(&mut config);

        let start: Timestamp = "2026-03-02T10:00:00Z".parse().expect("a time");
        let clock = Arc::new(ManualClock::at(start));
        Server::serve(directory, config, clock, listener, port).await
    }

    /// The same with another configuration.
    pub async fn restart_with(mut self, change: impl FnOnce(&mut Config)) -> Server {
        change(&mut self.config);
        self.restart().await
    }

    /// Stops the service and starts it again on the same data, on another port.
    pub async fn restart(mut self) -> Server {
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            serving.await.expect("the service stops");
        }
        self.app.store.close().await;
        let (directory, config, clock) = (self.directory.clone(), self.config.clone(), self.clock.clone());
        // The database is free once nobody holds the service any more.
        drop(self);
        let (listener, port) = listen().await;
        Server::serve(directory, config, clock, listener, port).await
    }

    async fn serve(
        directory: Arc<tempfile::TempDir>,
        config: Config,
        clock: Arc<ManualClock>,
        listener: tokio::net::TcpListener,
        port: u16,
    ) -> Server {
        let app = App::start_with(config.clone(), clock.clone(), Random::system()).await.expect("the service starts");
        let secret = Secret::parse(SECRET).expect("a secret");
        for tenant in [TENANT, OTHER_TENANT] {
            let id = TenantId::parse(tenant).expect("a tenant");
            let secret = if tenant == TENANT { secret.expose().to_owned() } else { format!("{SECRET}-other") };
            let secret = Secret::parse(&secret).expect("a secret");
            app.admit(&id, "Test", "backend", &secret).await.expect("a tenant");
        }
        let stop = CancellationToken::new();
        let serving = server::serve::serve(app.clone(), listener, stop.clone().cancelled_owned());
        let serving = tokio::spawn(async move { serving.await.expect("the service serves") });
        Server {
            app,
            base: format!("http://127.0.0.1:{port}"),
            tenant: TENANT.to_owned(),
            secret: SECRET.to_owned(),
            clock,
            http: reqwest::Client::new(),
            stop,
            serving: Some(serving),
            config,
            directory,
        }
    }

    /// One request. What is answered must be as the API's document says.
    pub async fn request(&self, method: &str, path: &str, headers: &[(&str, String)], body: Option<String>) -> Reply {
        if answers::wants_the_document() {
            answers::take_the_document(&self.ask("GET", "/openapi.json", &[], None).await.body);
        }
        let reply = self.ask(method, path, headers, body).await;
        if reply.status == 200 {
            answers::check(method, path, &reply.body);
        }
        reply
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, String)], body: Option<String>) -> Reply {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"));
        Reply { status, headers, body }
    }

    /// A request of the tenant's backend.
    pub async fn backend(&self, method: &str, path: &str, body: Value) -> Reply {
        let authorization = format!("Basic {}", STANDARD.encode(format!("{}:", self.secret)));
        let body = (method != "GET").then(|| body.to_string());
        self.request(method, path, &[("authorization", authorization)], body).await
    }

    /// Tracks an action.
    pub async fn track(&self, user: &str, action: &str, body: Value) -> Value {
        self.backend("POST", &format!("/v1/users/{user}/actions/{action}"), body).await.ok()
    }

    /// Tracks a payment of 20 euros to a payee, which is always challenged.
    pub async fn pay(&self, user: &str, key: &str) -> Value {
        let custom = json!({"amount": {"value": "20.00", "currency": "EUR"}, "payee": "Bakery"});
        let body = json!({"idempotencyKey": key, "ipAddress": "8.8.8.8", "userAgent": "Firefox", "custom": custom});
        let tracked = self.track(user, "pay", body).await;
        assert_eq!(tracked["state"], "CHALLENGE_REQUIRED", "{tracked}");
        tracked
    }

    /// A token with which the user's phone may be added.
    pub async fn enrolment_token(&self, user: &str) -> String {
        let tracked = self.track(user, "sign_in", json!({"scope": "add:authenticators"})).await;
        token(&tracked)
    }

    /// Validates a result token.
    pub async fn validate(&self, body: Value) -> Value {
        self.backend("POST", "/v1/validate", body).await.ok()
    }

    /// How the action stands, for the backend.
    pub async fn state(&self, user: &str, action: &str, key: &str) -> String {
        let action = self.backend("GET", &format!("/v1/users/{user}/actions/{action}/{key}"), Value::Null).await.ok();
        action["state"].as_str().expect("a state").to_owned()
    }

    /// The tenant's `Authorization` as the browser SDK writes it.
    pub fn browser_basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(&self.tenant))
    }

    /// Lets time pass, and ends what is over.
    pub async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        worker::sweep(&self.app).await.expect("a sweep");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn listen() -> (tokio::net::TcpListener, u16) {
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// The token of an answer to `track`.
pub fn token(tracked: &Value) -> String {
    tracked["token"].as_str().expect("a token").to_owned()
}

/// The id of a challenge in a message or an answer.
pub fn id(created: &Value) -> String {
    created["challengeId"].as_str().expect("a challenge id").to_owned()
}
