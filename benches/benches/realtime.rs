//! From the phone's approval to the waiting screen: durable and audited, with the result token, beside a bare relay that writes
//! nothing down, in the same run.
//!
//! The clock starts before the phone's request is sent and stops when the screen has the whole message. After the figures of
//! criterion a table shows the latencies.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use benches::kiosk::{self, SECRET, TENANT};
use benches::wire::{Http, Socket};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::broadcast;

/// What a service does at the least: a request comes, and a message goes to the socket that waits.
async fn relay() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let (tell, _) = broadcast::channel::<String>(16);
    let socket = async |State(tell): State<broadcast::Sender<String>>, upgrade: WebSocketUpgrade| {
        let mut told = tell.subscribe();
        upgrade.on_upgrade(async move |mut socket| {
            while let Ok(text) = told.recv().await {
                if socket.send(Message::Text(text.into())).await.is_err() {
                    return;
                }
            }
        })
    };
    let approve = async |State(tell): State<broadcast::Sender<String>>, body: String| {
        // Nobody may wait yet; then nobody is told.
        let _ = tell.send(body);
        "{}"
    };
    let router = Router::new().route("/ws", get(socket)).route("/approve", post(approve)).with_state(tell);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// A kiosk's screen, and the phone of somebody who stands before it.
struct Scene {
    screen: Socket,
    http: Http,
    key: EcdsaKeyPair,
    public_key: String,
}

const PHONES: &str = "/v1/client/user-authenticators/qr-code";

impl Scene {
    async fn open(server: SocketAddr) -> Scene {
        let protocols = format!("authsignal-ws,x.authsignal.tenant.{TENANT}");
        let screen = Socket::open(server, "/ws-v1-challenge", Some(&protocols)).await;
        let mut http = Http::connect(server).await;
        let backend = format!("Basic {}", STANDARD.encode(format!("{SECRET}:")));
        let track = json!({"scope": "add:authenticators"});
        let tracked = http.post("/v1/users/ann/actions/device_enrol", &backend, &track).await;
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        let public_key = STANDARD.encode(key.public_key().as_der().expect("a public key").as_ref());
        let body = json!({"publicKey": public_key, "deviceName": "bench", "devicePlatform": "ios"});
        http.post(PHONES, &format!("Bearer {}", text(&tracked, "token")), &body).await;
        Scene { screen, http, key, public_key }
    }

    /// One challenge from its making to its end; how long the screen waited for the approval.
    async fn approve(&mut self) -> Duration {
        let ask =
            json!({"type": "CREATE_CHALLENGE", "data": {"challengeType": "QR_CODE", "actionCode": "kiosk-login"}});
        self.screen.send(&ask.to_string()).await;
        let created = self.screen.next().await;
        let id = text(&created["data"], "challengeId");
        let phone = format!("Basic {}", STANDARD.encode(format!("{TENANT}:")));
        let claim = json!({"challengeId": id, "publicKey": self.public_key, "signature": self.sign(&id)});
        self.http.post(&format!("{PHONES}/challenge/claim"), &phone, &claim).await;
        assert_eq!(self.screen.next().await["data"]["state"], "claimed");
        let answer = json!({
            "challengeId": id, "publicKey": self.public_key, "approved": true, "signature": self.sign(&id),
        });
        let path = format!("{PHONES}/challenge");
        let started = Instant::now();
        let (_, (told, waited)) = tokio::join!(self.http.post(&path, &phone, &answer), async {
            let told = self.screen.next().await;
            (told, started.elapsed())
        });
        assert_eq!(told["data"]["state"], "approved", "{told}");
        assert!(told["data"]["accessToken"].is_string(), "{told}");
        waited
    }

    fn sign(&self, message: &str) -> String {
        STANDARD.encode(self.key.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature").as_ref())
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {value}")).to_owned()
}

/// The same way through the relay.
struct Relayed {
    screen: Socket,
    http: Http,
}

impl Relayed {
    async fn approve(&mut self) -> Duration {
        let answer = json!({"state": "approved"});
        let started = Instant::now();
        let (_, waited) = tokio::join!(self.http.post("/approve", "none", &answer), async {
            self.screen.next().await;
            started.elapsed()
        });
        waited
    }
}

fn realtime(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime starts");
    let data = tempfile::tempdir().expect("a temporary folder");
    let mut relayed = runtime.block_on(async {
        let peer = relay().await.expect("the peer starts");
        Relayed { screen: Socket::open(peer, "/ws", None).await, http: Http::connect(peer).await }
    });
    let mut scene =
        runtime.block_on(async { Scene::open(kiosk::serve(data.path()).await.expect("stepup starts")).await });

    let mut group = criterion.benchmark_group("realtime");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    group.bench_function("bare relay, nothing written down", |bench| {
        bench.iter_custom(|times| {
            runtime.block_on(async {
                let mut total = Duration::ZERO;
                for _ in 0..times {
                    total += relayed.approve().await;
                }
                total
            })
        });
    });
    group.bench_function("approval to screen, durable and audited", |bench| {
        bench.iter_custom(|times| {
            runtime.block_on(async {
                let mut total = Duration::ZERO;
                for _ in 0..times {
                    total += scene.approve().await;
                }
                total
            })
        });
    });
    group.finish();

    let mut seen = [Vec::new(), Vec::new()];
    runtime.block_on(async {
        for _ in 0..200 {
            seen[0].push(relayed.approve().await);
            seen[1].push(scene.approve().await);
        }
    });
    println!("\n200 approvals               p50        p90        p99");
    for (name, mut delays) in ["bare relay", "approval to screen"].into_iter().zip(seen) {
        delays.sort_unstable();
        let at = |share: usize| delays[(delays.len() - 1) * share / 100];
        println!("{name:<22}{:>9.2?} {:>10.2?} {:>10.2?}", at(50), at(90), at(99));
    }
}

criterion_group!(benches, realtime);
criterion_main!(benches);
