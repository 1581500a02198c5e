//! A service with a kiosk, for the benchmarks that speak to it over the wire.

use std::net::SocketAddr;
use std::path::Path;

use server::app::App;
use server::auth::Secret;
use server::config::Config;
use server::limits::Limit;
use tokio::net::TcpListener;

/// Whose kiosk it is.
pub const TENANT: &str = "5e1eebc0-31c5-42db-b86f-3981f0081ac6";
/// Of its backend.
pub const SECRET: &str = "sk_bench_0123456789abcdef";
const PACK: &str = r#"
event kiosk_login "kiosk-login" {}
event device_enrol {}
policy kiosk on kiosk_login { default challenge qr { user: anonymous } }
policy enrol on device_enrol { default allow }
"#;

/// A service that nobody limits.
pub async fn serve(data: &Path) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let mut config = Config::demo(data, address.port());
    config.policies.pack = data.join("pack");
    std::fs::create_dir(&config.policies.pack)?;
    std::fs::write(config.policies.pack.join("bench.rules"), PACK)?;
    config.policies.watch = false;
    let plenty = Limit::new(u32::MAX, u32::MAX);
    (config.limits.key, config.limits.tenant, config.limits.address) = (plenty, plenty, plenty);
    config.limits.challenge = plenty;
    let app = App::start(config).await?;
    let secret = Secret::parse(SECRET).expect("the secret keeps the rule");
    app.admit(&challenge::TenantId::parse(TENANT)?, "bench", "backend", &secret).await?;
    tokio::spawn(server::serve::serve(app, listener, std::future::pending()));
    Ok(address)
}
