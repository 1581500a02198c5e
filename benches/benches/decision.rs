//! The whole way of a decision over HTTP, beside a hello-world JSON echo in the same run on the same machine.
//!
//! `track` is durable and audited before it is answered; `evaluate` stores nothing. The load generator is in the same
//! process, so what counts is the ratio. After the figures of criterion a table shows the latencies.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::routing::post;
use axum::{Json, Router};
use benches::load;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use server::app::App;
use server::auth::Secret;
use server::config::Config;
use server::limits::Limit;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const CONNECTIONS: usize = 32;

fn body(number: usize) -> String {
    format!(
        r#"{{"ipAddress":"81.2.69.{}","deviceId":"d1","userAgent":"Mozilla/5.0","custom":{{"outcome":"succeeded"}}}}"#,
        number % 250 + 1
    )
}

async fn hello() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let echo = async |Json(body): Json<serde_json::Value>| Json(body);
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/hello", post(echo))).await });
    Ok(address)
}

async fn stepup(data: &Path, secret: &Secret) -> anyhow::Result<SocketAddr> {
    let mut config = Config::demo(data, 0);
    config.policies.pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/starter");
    config.policies.watch = false;
    let plenty = Limit::new(u32::MAX, u32::MAX);
    config.limits.key = plenty;
    config.limits.tenant = plenty;
    config.limits.address = plenty;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    config.server.public_url = format!("http://localhost:{}", address.port());
    let tenant = challenge::TenantId::parse("5e1eebc0-31c5-42db-b86f-3981f0081ac6")?;
    config.tenants.insert(tenant.to_string(), server::config::TenantConfig::default());
    let app = App::start(config).await?;
    app.admit(&tenant, "bench", "backend", secret).await?;
    tokio::spawn(server::serve::serve(app, listener, std::future::pending()));
    Ok(address)
}

fn head(path: &str, secret: &Secret) -> String {
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{}:", secret.expose()));
    format!("POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Basic {basic}\r\ncontent-type: application/json\r\n")
}

fn decision(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime starts");
    let data = tempfile::tempdir().expect("a temporary folder");
    let secret = Secret::parse("sk_bench_0123456789abcdef").expect("the secret keeps the rule");
    let peer = runtime.block_on(hello()).expect("the peer starts");
    let ours = runtime.block_on(stepup(data.path(), &secret)).expect("stepup starts");

    let cases = [
        ("hello-world JSON", peer, head("/hello", &secret)),
        ("evaluate, not stored", ours, head("/v1/evaluate", &secret)),
        ("track, durable and audited", ours, head("/v1/users/bench/actions/sign_in", &secret)),
    ];
    let text = |name: &str, number: usize| match name {
        "evaluate, not stored" => body(number).replacen('{', r#"{"userId":"bench","action":"sign_in","#, 1),
        _ => body(number),
    };
    let mut group = criterion.benchmark_group("decision");
    group.throughput(Throughput::Elements(1)).sample_size(10).measurement_time(Duration::from_secs(5));
    for (name, server, head) in &cases {
        group.bench_function(*name, |bench| {
            bench.iter_custom(|requests| {
                let name = *name;
                let load = load::run(*server, head, CONNECTIONS, requests as usize, move |number| text(name, number));
                runtime.block_on(load).elapsed
            });
        });
    }
    group.finish();

    println!("\n{CONNECTIONS} connections            p50        p90        p99");
    for (name, server, head) in cases {
        let seen = runtime.block_on(load::run(server, &head, CONNECTIONS, 3_200, move |number| text(name, number)));
        println!("{name:<28}{:>8.2?} {:>10.2?} {:>10.2?}", seen.quantile(0.5), seen.quantile(0.9), seen.quantile(0.99));
    }
}

criterion_group!(benches, decision);
criterion_main!(benches);
