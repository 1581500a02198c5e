//! A whole service in a test: real SQLite in a temporary folder, a clock that moves when told, seeded dice.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod answers;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use challenge::TenantId;
use http_body_util::BodyExt;
use serde_json::Value;
use server::app::App;
use server::auth::Secret;
use server::clock::ManualClock;
use server::config::Config;
use server::random::Random;
use server::serve::Peer;
use tempfile::TempDir;
use tower::ServiceExt;

/// When every test begins: a Sunday morning.
pub const START: &str = "2026-03-01T10:00:00Z";

/// The service and what the test holds of it.
pub struct World {
    pub app: App,
    pub clock: Arc<ManualClock>,
    pub data: Arc<TempDir>,
    pub router: Router,
    config: Config,
    starts: u64,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

/// Secrets of the tenants and roles that every world has.
pub const BACKEND: &str = "sk_test_backend_of_acme";
pub const ANALYST: &str = "sk_test_analyst_of_acme";
pub const REVIEWER: &str = "sk_test_reviewer_of_acme";
pub const ADMIN: &str = "sk_test_admin_of_acme";
pub const FOREIGN: &str = "sk_test_backend_of_rival";

pub fn starter() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/starter")
}

/// Everything that was logged by any test of this binary, on the most talkative level.
pub fn log() -> String {
    String::from_utf8_lossy(&LINES.lock().expect("unpoisoned")).into_owned()
}

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Lines;

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.lock().expect("unpoisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn listen_to_the_log() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let lines = tracing_subscriber::fmt().json().with_env_filter("debug,server=trace").with_writer(|| Lines);
        tracing::subscriber::set_global_default(lines.finish()).expect("the only subscriber");
    });
}

impl World {
    /// The shipped starter pack.
    pub async fn starter() -> World {
        World::with(|config| config.policies.pack = starter()).await
    }

    /// A pack of one file.
    pub async fn with_rules(rules: &str) -> World {
        let rules = rules.to_owned();
        World::with(move |config| {
            let pack = config.keys.directory.with_file_name("pack");
            std::fs::create_dir_all(&pack).expect("a folder");
            std::fs::write(pack.join("pack.rules"), rules).expect("written");
            config.policies.pack = pack;
        })
        .await
    }

    /// A service whose configuration the test changes first.
    pub async fn with(change: impl FnOnce(&mut Config)) -> World {
        let data = Arc::new(tempfile::tempdir().expect("a folder"));
        let mut config = Config::demo(data.path(), 8080);
        config.policies.watch = false;
        change(&mut config);
        let clock = Arc::new(ManualClock::at(START.parse().expect("a time")));
        World::open(data, config, clock, 1).await
    }

    async fn open(data: Arc<TempDir>, config: Config, clock: Arc<ManualClock>, starts: u64) -> World {
        listen_to_the_log();
        // Other dice after a restart: ids must not repeat.
        let app = App::start_with(config.clone(), clock.clone(), Random::seeded(starts)).await;
        let app = app.unwrap_or_else(|error| panic!("the service does not start: {error}"));
        for (tenant, role, secret) in [
            ("acme", "backend", BACKEND),
            ("acme", "analyst", ANALYST),
            ("acme", "reviewer", REVIEWER),
            ("acme", "admin", ADMIN),
            ("rival", "backend", FOREIGN),
        ] {
            let tenant = TenantId::parse(tenant).expect("an id");
            let secret = Secret::parse(secret).expect("a secret");
            app.admit(&tenant, "A tenant", role, &secret).await.expect("admitted");
        }
        World { router: app.router(), app, clock, data, config, starts }
    }

    /// Stops the service and starts it again on the same data.
    pub async fn restart(self) -> World {
        let World { app, clock, data, config, router, starts } = self;
        drop(router);
        app.store.close().await;
        drop(app);
        World::open(data, config, clock, starts + 1).await
    }

    /// A request with a JSON body in the backend's name.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        self.call_as(BACKEND, method, path, body).await
    }

    /// A request with a JSON body in somebody's name.
    pub async fn call_as(&self, secret: &str, method: &str, path: &str, body: Value) -> Reply {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = request(method, path)
            .header("authorization", basic(secret))
            .header("content-type", "application/json")
            .body(body)
            .expect("a request");
        self.send(request).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.call("POST", path, body).await
    }

    /// Any request. What is answered must be as the API's document says.
    pub async fn send(&self, request: Request<Body>) -> Reply {
        if answers::wants_the_document() {
            // From an address of its own: what the test's may ask is the test's.
            let reader = Peer(SocketAddr::from(([192, 0, 2, 254], 40_000)));
            let document = self::request("GET", "/openapi.json").extension(reader).body(Body::empty());
            let document = document.expect("a request");
            answers::take_the_document(&self.ask(document).await.body);
        }
        let (method, path) = (request.method().to_string(), request.uri().to_string());
        let reply = self.ask(request).await;
        if reply.status == StatusCode::OK {
            answers::check(&method, &path, &reply.body);
        }
        reply
    }

    async fn ask(&self, mut request: Request<Body>) -> Reply {
        if request.extensions().get::<Peer>().is_none() {
            request.extensions_mut().insert(Peer(SocketAddr::from(([192, 0, 2, 7], 40_000))));
        }
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// How many entries the audit log has: nothing happens without one.
    pub async fn entries(&self) -> u64 {
        self.app.store.log_head().await.expect("the log").size
    }
}

impl Reply {
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{:#}", self.body);
        assert_eq!(self.headers["content-type"], "application/json");
        self.body
    }

    #[track_caller]
    pub fn refused(self, status: u16, error: &str) -> Value {
        assert_eq!((self.status.as_u16(), self.body["error"].as_str()), (status, Some(error)), "{:#}", self.body);
        self.body
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

pub fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(Method::from_bytes(method.as_bytes()).expect("a method")).uri(path)
}

/// The wire's way to show a secret.
pub fn basic(secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{secret}:")))
}
