//! Webhooks, with real receivers on this machine (T-51, T-52).

use std::collections::VecDeque;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};
use server::app::{App, StartError};
use server::clock::{Clock, ManualClock};
use server::config::{Config, EventPattern, HookUrl, TenantConfig, WebhookConfig, WebhooksConfig};
use server::random::Random;
use server::store::{Event, EventType, UserId};
use server::webhooks::guard::{Guard, Refused, Resolve, SystemResolver};
use server::webhooks::post::{Failure, Sender};
use server::webhooks::{Endpoint, deliver};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

use crate::support::{ADMIN, ANALYST, BACKEND, REVIEWER, World, basic, request};

/// The secret of the tenant's configuration, with which its webhooks are signed.
const SECRET: &str = "sk_test_configured_of_acme";
/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);
const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
const BROKEN: &str = "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n";

/// A request as it came in.
struct Heard {
    head: String,
    body: String,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        let line = |line: &&str| line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name));
        self.head.lines().find(line).and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// Listens on this machine, keeps what it hears and answers from a script, and when that is over with 200.
struct Receiver {
    port: u16,
    heard: mpsc::UnboundedReceiver<Heard>,
    script: Arc<Mutex<VecDeque<String>>>,
}

impl Receiver {
    async fn new(script: &[&str]) -> Receiver {
        Receiver::listening(script, None).await
    }

    async fn listening(script: &[&str], tls: Option<TlsAcceptor>) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let script = Arc::new(Mutex::new(script.iter().map(|line| (*line).to_owned()).collect::<VecDeque<_>>()));
        let (tell, heard) = mpsc::unbounded_channel();
        let lines = script.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tell, lines, tls) = (tell.clone(), lines.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => converse(stream, tell, lines).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                converse(stream, tell, lines).await;
                            }
                        }
                    }
                });
            }
        });
        Receiver { port, heard, script }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks", self.port)
    }

    async fn next(&mut self) -> Heard {
        tokio::time::timeout(PATIENCE, self.heard.recv()).await.expect("in time").expect("a request")
    }

    fn nothing(&mut self) -> bool {
        self.heard.try_recv().is_err()
    }
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    tell: mpsc::UnboundedSender<Heard>,
    script: Arc<Mutex<VecDeque<String>>>,
) {
    let mut bytes = Vec::new();
    let heard = loop {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let mut heard = Heard { head: head.to_owned(), body: body.to_owned() };
        if heard.body.len() >= heard.header("content-length").parse().expect("a length") {
            heard.body = body.to_owned();
            break heard;
        }
    };
    let answer = script.lock().expect("unpoisoned").pop_front().unwrap_or_else(|| FINE.to_owned());
    let _ = tell.send(heard);
    if answer == "never" {
        std::future::pending::<()>().await;
    }
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn hook(name: &str, url: &str, events: &[&str]) -> WebhookConfig {
    let pattern = |text: &&str| EventPattern::try_from((*text).to_owned()).expect("a pattern");
    WebhookConfig {
        name: name.to_owned(),
        url: HookUrl::try_from(url.to_owned()).expect("a URL"),
        secret_files: Vec::new(),
        events: events.iter().map(pattern).collect(),
    }
}

fn secret_file(folder: &Path, name: &str, secret: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(&path, secret).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("private");
    path
}

fn with_hooks(config: &mut Config, hooks: Vec<WebhookConfig>) {
    let secret_file = secret_file(&config.keys.directory.with_file_name("secrets"), "acme", SECRET);
    config.policies.pack = crate::support::starter();
    config.webhooks.development = true;
    config.webhooks.attempts = 3;
    config.tenants.insert(
        "acme".to_owned(),
        TenantConfig { secret_file: Some(secret_file), webhooks: hooks, ..TenantConfig::default() },
    );
}

async fn world(hooks: Vec<WebhookConfig>) -> World {
    World::with(move |config| with_hooks(config, hooks)).await
}

fn endpoint(world: &World, name: &str) -> Arc<Endpoint> {
    let found = world.app.webhooks.endpoints().iter().find(|endpoint| *endpoint.name == *name);
    found.expect("an endpoint").clone()
}

async fn round(world: &World, name: &str) -> usize {
    deliver::round(&world.app, &endpoint(world, name)).await.expect("a round")
}

/// What the field's SDKs compute, written down once more.
fn verifies(secret: &str, heard: &Heard) -> bool {
    let header = heard.header("x-signature-v2");
    let (t, signatures) = header.split_once(',').expect("a time and signatures");
    let content = format!("{}.{}", t.strip_prefix("t=").expect("a time"), heard.body);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let computed = STANDARD.encode(hmac::sign(&key, content.as_bytes())).replace('=', "");
    signatures.split(',').any(|signature| signature.strip_prefix("v2=") == Some(&computed))
}

async fn notice(world: &World, code: u32) {
    let event = Event::notice("test", &UserId::parse("ann").expect("an id")).with("code", code);
    let tenant = endpoint_tenant(world);
    world.app.store.tell(&tenant, event, world.clock.now()).await.expect("told");
}

fn endpoint_tenant(world: &World) -> challenge::TenantId {
    world.app.webhooks.endpoints()[0].tenant.clone()
}

#[tokio::test]
async fn a_decision_is_told_signed_and_once() {
    let mut receiver = Receiver::new(&[]).await;
    let world = world(vec![hook("shop", &receiver.url(), &["decision.*", "notice"])]).await;
    let path = "/v1/users/ann/actions/sign_in";
    let answer = world
        .post(path, json!({"idempotencyKey": "k1", "ipAddress": "81.2.69.142", "custom": {"outcome": "succeeded"}}))
        .await
        .ok();
    assert_eq!(round(&world, "shop").await, 1);
    let heard = receiver.next().await;
    assert!(heard.head.starts_with("POST /hooks HTTP/1.1\r\n"), "{}", heard.head);
    assert_eq!(heard.header("content-type"), "application/json");
    assert!(heard.header("x-signature-v2").starts_with(&format!("t={},v2=", world.clock.now().as_second())));
    assert!(verifies(SECRET, &heard) && !verifies("sk_another_secret", &heard));
    let told = heard.json();
    assert_eq!(
        (&told["version"], &told["type"], &told["tenantId"]),
        (&json!(1), &json!("decision.recorded"), &json!("acme"))
    );
    assert_eq!((&told["source"], &told["time"]), (&json!("http://localhost:8080"), &json!("2026-03-01T10:00:00.000Z")));
    assert_eq!(told["data"]["state"], answer["state"]);
    assert_eq!((&told["data"]["userId"], &told["data"]["idempotencyKey"]), (&json!("ann"), &json!("k1")));
    // Two of the field's SDKs read `data` as texts.
    assert!(told["data"].as_object().expect("an object").values().all(Value::is_string), "{told:#}");
    assert_eq!(round(&world, "shop").await, 0);
    assert!(receiver.nothing());
    // A repeat of the request is not a second decision.
    world
        .post(path, json!({"idempotencyKey": "k1", "ipAddress": "81.2.69.142", "custom": {"outcome": "succeeded"}}))
        .await
        .ok();
    assert_eq!(round(&world, "shop").await, 0);
}

#[tokio::test]
async fn a_decision_is_told_with_the_trace_of_its_request_and_signed_with_it() {
    let mut receiver = Receiver::new(&[]).await;
    let world = world(vec![hook("shop", &receiver.url(), &["decision.recorded"])]).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for (parent, told) in
        [(format!("00-{trace}-00f067aa0ba902b7-01"), json!(trace)), ("00-x-y-z".to_owned(), Value::Null)]
    {
        let body = json!({"ipAddress": "81.2.69.142", "custom": {"outcome": "succeeded"}}).to_string();
        let request = request("POST", "/v1/users/ann/actions/sign_in")
            .header("authorization", basic(BACKEND))
            .header("content-type", "application/json")
            .header("traceparent", parent);
        world.send(request.body(body.into()).expect("a request")).await.ok();
        assert_eq!(round(&world, "shop").await, 1);
        let heard = receiver.next().await;
        assert!(verifies(SECRET, &heard));
        assert_eq!(heard.json()["data"]["traceId"], told);
    }
}

#[tokio::test]
async fn while_a_secret_is_changed_both_fit() {
    let mut receiver = Receiver::new(&[]).await;
    let url = receiver.url();
    let world = World::with(move |config| {
        let folder = config.keys.directory.with_file_name("secrets");
        let files = ["hook_secret_new_1", "hook_secret_old_1"].map(|secret| secret_file(&folder, secret, secret));
        with_hooks(config, vec![WebhookConfig { secret_files: files.to_vec(), ..hook("shop", &url, &[]) }]);
    })
    .await;
    notice(&world, 1).await;
    // The activation of the pack and the notice.
    round(&world, "shop").await;
    let heard = receiver.next().await;
    assert!(
        verifies("hook_secret_new_1", &heard) && verifies("hook_secret_old_1", &heard) && !verifies(SECRET, &heard)
    );
}

#[tokio::test]
async fn one_changed_bit_is_noticed() {
    let mut receiver = Receiver::new(&[]).await;
    let world = world(vec![hook("shop", &receiver.url(), &["notice"])]).await;
    notice(&world, 1).await;
    round(&world, "shop").await;
    let heard = receiver.next().await;
    for at in 0..heard.body.len() {
        let mut bytes = heard.body.clone().into_bytes();
        bytes[at] ^= 1;
        let body = String::from_utf8(bytes).expect("still ASCII");
        assert!(!verifies(SECRET, &Heard { head: heard.head.clone(), body }), "byte {at}");
    }
    assert!(verifies(SECRET, &heard));
}

#[tokio::test]
async fn what_fails_is_tried_later_survives_a_restart_dies_and_is_brought_back() {
    let mut receiver = Receiver::new(&[BROKEN, BROKEN, BROKEN]).await;
    let mut world = world(vec![hook("shop", &receiver.url(), &["notice"])]).await;
    notice(&world, 1).await;
    assert_eq!(round(&world, "shop").await, 1);
    let first = receiver.next().await.body;
    assert_eq!(round(&world, "shop").await, 0, "not before its time");
    for _ in 0..2 {
        world = world.restart().await;
        assert_eq!(round(&world, "shop").await, 0, "a restart brings nothing forward");
        world.clock.advance(Duration::from_secs(10));
        assert_eq!(round(&world, "shop").await, 1);
        assert_eq!(receiver.next().await.body, first, "the same bytes each time");
    }
    world.clock.advance(Duration::from_secs(86_400));
    assert_eq!(round(&world, "shop").await, 0, "it is dead");

    let dead = world.call_as(ADMIN, "GET", "/v1/webhooks/dead-letters?endpoint=shop", json!(null)).await.ok();
    let letter = &dead["deadLetters"][0];
    assert_eq!(
        (&letter["attempts"], &letter["failure"], &letter["type"]),
        (&json!(3), &json!("answered 500"), &json!("notice"))
    );
    assert_eq!(letter["data"]["code"], "1");
    let id = letter["id"].clone();
    let again = json!({"id": id});
    assert_eq!(
        world.call_as(ADMIN, "POST", "/v1/webhooks/redeliver", json!({"endpoint": "other"})).await.ok()["redelivered"],
        0
    );
    assert_eq!(world.call_as(ADMIN, "POST", "/v1/webhooks/redeliver", again.clone()).await.ok()["redelivered"], 1);
    assert_eq!(world.call_as(ADMIN, "POST", "/v1/webhooks/redeliver", again).await.ok()["redelivered"], 0);
    let list = world.call_as(ADMIN, "GET", "/v1/webhooks", json!(null)).await.ok();
    assert_eq!((&list["webhooks"][0]["name"], &list["webhooks"][0]["waiting"]), (&json!("shop"), &json!(1)));
    assert_eq!(round(&world, "shop").await, 1);
    assert_eq!(receiver.next().await.body, first);
    let dead = world.call_as(ADMIN, "GET", "/v1/webhooks/dead-letters", json!(null)).await.ok();
    assert_eq!(dead["deadLetters"], json!([]));
}

#[tokio::test]
async fn only_an_administrator_sees_and_revives_dead_letters() {
    let world = world(vec![]).await;
    for secret in [BACKEND, ANALYST, REVIEWER] {
        for (method, path) in
            [("GET", "/v1/webhooks"), ("GET", "/v1/webhooks/dead-letters"), ("POST", "/v1/webhooks/redeliver")]
        {
            world.call_as(secret, method, path, json!(null)).await.refused(403, "forbidden");
        }
    }
    world.call_as(ADMIN, "POST", "/v1/webhooks/redeliver", json!({"id": "x"})).await.refused(400, "invalid_request");
    // Misspelt, it would mean every one.
    let misspelt = world.call_as(ADMIN, "POST", "/v1/webhooks/redeliver", json!({"endpiont": "other"})).await;
    let complaint = &misspelt.refused(400, "invalid_request")["errors"][0];
    assert_eq!((&complaint["pointer"], &complaint["code"]), (&json!("/endpiont"), &json!("unknown-field")));
    assert_eq!(complaint["detail"], "there is no such field; is `endpoint` meant?");
}

#[tokio::test]
async fn an_endpoint_that_hangs_delays_no_other() {
    let mut dead = Receiver::new(&["never"; 8]).await;
    let mut good = Receiver::new(&[]).await;
    let world = world(vec![hook("dead", &dead.url(), &["notice"]), hook("good", &good.url(), &["notice"])]).await;
    deliver::spawn(&world.app, &world.app.closing);
    for code in 0..40 {
        notice(&world, code).await;
    }
    dead.next().await;
    let mut codes = Vec::new();
    for _ in 0..40 {
        let code = good.next().await.json()["data"]["code"].as_str().expect("a text").parse::<u32>().expect("a number");
        codes.push(code);
    }
    codes.sort_unstable();
    assert_eq!(codes, (0..40).collect::<Vec<_>>());
    world.app.closing.cancel();
}

/// One attempt against a receiver that answers `answer`.
async fn attempt(answer: &str) -> Result<(), Failure> {
    let receiver = Receiver::new(&[answer]).await;
    let config = WebhooksConfig { development: true, timeout_s: 1, ..WebhooksConfig::default() };
    let sender = Sender::new(Guard::new(&config), Arc::new(Zone::of(&[&["127.0.0.1"]])), &config).expect("a sender");
    let url = HookUrl::try_from(receiver.url()).expect("a URL");
    let outcome = sender.post(&url, String::new(), "{}".into()).await;
    assert!(receiver.script.lock().expect("unpoisoned").is_empty(), "the receiver was reached");
    outcome
}

#[tokio::test]
async fn t51_no_redirect_is_followed_and_no_answer_is_waited_for_or_read_for_long() {
    let other = Receiver::new(&["unheard"]).await;
    for status in [301, 302, 303, 307, 308] {
        let redirect = format!("HTTP/1.1 {status} Go\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", other.url());
        assert!(matches!(attempt(&redirect).await, Err(Failure::Status(answered)) if answered.as_u16() == status));
    }
    assert_eq!(other.script.lock().expect("unpoisoned").len(), 1, "nobody went there");
    assert!(matches!(attempt("never").await, Err(Failure::Timeout(_))));
    assert!(matches!(attempt("220 smtp.example ESMTP\r\n").await, Err(Failure::Broken)));
    assert!(matches!(attempt("").await, Err(Failure::Broken)));
    assert!(attempt("HTTP/1.1 204 Thanks\r\n\r\n").await.is_ok());
    // An answer without end: what came is enough, and 64 KiB of it are read.
    assert!(attempt(&format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1_000_000))).await.is_ok());
    // A head without end is no answer.
    assert!(matches!(
        attempt(&format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(1_000_000))).await,
        Err(Failure::Broken)
    ));
}

/// A zone that answers each question with the next of its answers, and with the last for ever.
struct Zone {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Zone {
    fn of(answers: &[&[&str]]) -> Zone {
        let addresses = |texts: &&[&str]| texts.iter().map(|text| text.parse().expect("an address")).collect();
        Zone { answers: Mutex::new(answers.iter().map(addresses).collect()), asked: Mutex::default() }
    }
}

impl Resolve for Zone {
    fn resolve<'a>(&'a self, host: &'a str, _: u16) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
        self.asked.lock().expect("unpoisoned").push(host.to_owned());
        let mut answers = self.answers.lock().expect("unpoisoned");
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(async move { Ok(answer.unwrap_or_default()) })
    }
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

/// Speaks TLS as `hooks.example`.
fn acceptor() -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(fixture("hooks.pem")).expect("a file").collect::<Result<_, _>>();
    let key = PrivateKeyDer::from_pem_file(fixture("hooks.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain.expect("certificates"), key);
    TlsAcceptor::from(Arc::new(config.expect("a configuration")))
}

#[tokio::test]
async fn t51_a_name_is_looked_up_once_an_attempt_and_a_rebound_one_reaches_nothing() {
    let mut receiver = Receiver::listening(&[], Some(acceptor())).await;
    let config = WebhooksConfig {
        ports: vec![receiver.port],
        allowed_networks: vec!["127.0.0.1/32".parse().expect("a network")],
        ca_file: Some(fixture("ca.pem")),
        ..WebhooksConfig::default()
    };
    // First where it belongs, then inside our network, then both, then inside in other coats, then nowhere.
    let zone = Arc::new(Zone::of(&[
        &["127.0.0.1"],
        &["127.0.0.2"],
        &["127.0.0.1", "169.254.169.254"],
        &["::ffff:127.0.0.3"],
        &["64:ff9b::7f00:2"],
        &["2002:7f00:1::"],
        &["::1"],
        &[],
    ]));
    let sender = Sender::new(Guard::new(&config), zone.clone(), &config).expect("a sender");
    let url = HookUrl::try_from(format!("https://hooks.example:{}/in", receiver.port)).expect("a URL");
    let post = || sender.post(&url, "t=1,v2=x".to_owned(), "{}".into());
    post().await.expect("delivered over TLS to the address that the name had");
    let heard = receiver.next().await;
    assert_eq!(
        (heard.header("host"), heard.body.as_str()),
        (format!("hooks.example:{}", receiver.port).as_str(), "{}")
    );
    for _ in 0..7 {
        let outcome = post().await;
        assert!(matches!(outcome, Err(Failure::Refused(_))), "{outcome:?}");
    }
    assert_eq!(*zone.asked.lock().expect("unpoisoned"), vec!["hooks.example"; 8], "once an attempt");
    assert!(receiver.nothing());
}

#[tokio::test]
async fn t51_this_machine_is_refused_however_it_is_spelt() {
    let receiver = Receiver::listening(&[], Some(acceptor())).await;
    let config =
        WebhooksConfig { ports: vec![receiver.port], ca_file: Some(fixture("ca.pem")), ..WebhooksConfig::default() };
    // The system's own resolver, which knows the old spellings of IPv4.
    let sender = Sender::new(Guard::new(&config), Arc::new(SystemResolver), &config).expect("a sender");
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "localhost",
    ] {
        let url = HookUrl::try_from(format!("https://{host}:{}/", receiver.port)).expect("a URL");
        match sender.post(&url, String::new(), "{}".into()).await {
            // Some systems do not know an old spelling, which is as good.
            Err(Failure::Refused(Refused::Address(..)) | Failure::Name) => {}
            other => panic!("{host}: {other:?}"),
        }
    }
    let mut receiver = receiver;
    assert!(receiver.nothing());
}

#[tokio::test]
async fn a_receiver_must_prove_its_name() {
    let mut receiver = Receiver::listening(&[], Some(acceptor())).await;
    let own = WebhooksConfig {
        ports: vec![receiver.port],
        allowed_networks: vec!["127.0.0.0/8".parse().expect("a network")],
        ca_file: Some(fixture("ca.pem")),
        ..WebhooksConfig::default()
    };
    let public = WebhooksConfig { ca_file: None, ..own.clone() };
    // The right authority and another name; the right name and no authority that we know.
    for (config, host) in [(&own, "other.example"), (&public, "hooks.example")] {
        let sender = Sender::new(Guard::new(config), Arc::new(Zone::of(&[&["127.0.0.1"]])), config).expect("a sender");
        let url = HookUrl::try_from(format!("https://{host}:{}/", receiver.port)).expect("a URL");
        let outcome = sender.post(&url, String::new(), "{}".into()).await;
        assert!(matches!(outcome, Err(Failure::Tls(_))), "{host}: {outcome:?}");
    }
    assert!(receiver.nothing());
}

#[tokio::test]
async fn what_waits_for_an_endpoint_that_is_gone_is_set_aside() {
    let receiver = Receiver::new(&[]).await;
    let world = world(vec![hook("shop", &receiver.url(), &["notice"])]).await;
    notice(&world, 1).await;
    assert_eq!(deliver::bury_orphans(&world.app).await.expect("looked"), 0);
    let mut config = (*world.app.config).clone();
    config.tenants.get_mut("acme").expect("a tenant").webhooks = vec![hook("other", &receiver.url(), &["notice"])];
    world.app.store.close().await;
    let World { app, clock, router, data: _data, .. } = world;
    drop((app, router));
    let app = App::start_with(config, clock.clone(), Random::seeded(9)).await.expect("started");
    assert_eq!(deliver::bury_orphans(&app).await.expect("looked"), 1);
    clock.advance(Duration::from_secs(29 * 86_400));
    assert_eq!(deliver::prune(&app).await.expect("pruned"), 0);
    clock.advance(Duration::from_secs(2 * 86_400));
    assert_eq!(deliver::prune(&app).await.expect("pruned"), 1);
}

#[tokio::test]
async fn an_endpoint_without_a_secret_is_a_mistake_at_start() {
    let data = tempfile::tempdir().expect("a folder");
    let mut config = Config::demo(data.path(), 8080);
    let webhooks = vec![hook("shop", "https://shop.example/", &[])];
    config.tenants.insert("acme".to_owned(), TenantConfig { webhooks, ..TenantConfig::default() });
    let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
    match App::start_with(config, clock, Random::seeded(1)).await {
        Err(StartError::Config { key, why }) => {
            assert!(key == "tenants.acme.webhooks.shop" && why.contains("secret_file"), "{key}: {why}");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
    assert_eq!(EventType::ALL.len(), 13, "the list in docs/webhooks.md is whole");
}
