//! `stepup serve`, as an operator runs it.

#![cfg(unix)]

mod support;

use std::process::Command;

use serde_json::{Value, json};
use support::Run;
use support::service::{Api, Caller, Service, free_port};
use tempfile::TempDir;

const ALLOWS: &str = "policy p on any { default allow }\n";
const BLOCKS: &str = "policy p on any { default block }\n";

struct Served {
    service: Service,
    folder: TempDir,
    api: Api,
}

const SECRET: &str = "sk_0123456789abcdef";

fn serve(public_url: &str) -> Served {
    serve_pack(public_url, ALLOWS)
}

fn serve_pack(public_url: &str, rules: &str) -> Served {
    use std::os::unix::fs::PermissionsExt;
    let port = free_port();
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    std::fs::create_dir(folder.path().join("pack")).expect("a folder");
    write("pack/p.rules", rules);
    write("secret", SECRET);
    std::fs::set_permissions(folder.path().join("secret"), std::fs::Permissions::from_mode(0o600)).expect("a mode");
    let config = format!(
        "database = \"sqlite:data/stepup.db\"\n[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"{public_url}\"\n\
         [policies]\npack = \"pack\"\nwatch = false\n[keys]\ndirectory = \"data/keys\"\n[tenants.shop]\nsecret_file = \"secret\"\n"
    );
    write("stepup.toml", &config);
    let mut service = Service::start(folder.path(), &["serve", "--config", "stepup.toml"]);
    service.until(|| std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    Served { service, folder, api: Api::new(format!("http://127.0.0.1:{port}")) }
}

impl Served {
    async fn outcome(&self) -> Value {
        let path = "/v1/users/ann/actions/anything";
        self.api.post(path, Caller::Secret(SECRET), &json!({})).await.expect("an answer").ok()["outcome"].clone()
    }

    fn write_pack(&self, rules: &str) {
        std::fs::write(self.folder.path().join("pack/p.rules"), rules).expect("written");
    }

    fn hang_up(&self) {
        let pid = self.service.id();
        let sent = Command::new("sh").arg("-c").arg(format!("kill -HUP {pid}")).status().expect("sh runs");
        assert!(sent.success());
    }

    /// Waits until `/readyz` reports `name` as `value`.
    async fn until_ready_says(&self, name: &str, value: impl Fn(&Value) -> bool) {
        for _ in 0..500 {
            let ready = self.api.get("/readyz", Caller::Nobody).await.expect("an answer").json;
            if value(&ready["policies"][name]) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("/readyz does not report {name}\n{}", self.service.stderr());
    }
}

#[tokio::test]
async fn sighup_takes_over_a_changed_pack_and_keeps_the_last_good_one() {
    let served = serve("http://localhost").await_ready().await;
    assert_eq!(served.outcome().await, "allow");
    let version =
        served.api.get("/readyz", Caller::Nobody).await.expect("an answer").json["policies"]["versions"].clone();

    served.write_pack(BLOCKS);
    served.hang_up();
    served.until_ready_says("versions", |versions| *versions != version).await;
    assert_eq!(served.outcome().await, "block");

    served.write_pack("policy p on any { default perhaps }\n");
    served.hang_up();
    served.until_ready_says("failedReloads", |failed| *failed == 1).await;
    assert_eq!(served.outcome().await, "block");
    assert!(served.service.stderr().contains("the last good one stays in force"), "{}", served.service.stderr());

    served.write_pack(ALLOWS);
    served.hang_up();
    served.until_ready_says("failedReloads", |failed| *failed == 0).await;
    assert_eq!(served.outcome().await, "allow");

    let (service, folder) = (served.service, served.folder);
    assert_eq!(service.stop().code(), Some(0));
    let verified = Run::in_folder(folder, "audit verify --config stepup.toml").run();
    verified.says(&["good: data/stepup.db"]);
}

#[tokio::test]
async fn a_running_service_takes_over_a_new_token_key() {
    let served = serve("http://localhost").await_ready().await;
    let published = async || {
        let jwks = served.api.get("/.well-known/jwks.json", Caller::Nobody).await.expect("an answer").json;
        jwks["keys"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(published().await, 1);
    let rotated = Command::new(support::binary())
        .args(["keys", "rotate", "--config", "stepup.toml"])
        .current_dir(served.folder.path())
        .output()
        .expect("the binary runs");
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    served.hang_up();
    for _ in 0..500 {
        if published().await == 2 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the new key is not published\n{}", served.service.stderr());
}

impl Served {
    async fn await_ready(self) -> Served {
        self.until_ready_says("tenants", |tenants| *tenants == 1).await;
        self
    }
}

#[tokio::test]
async fn the_log_is_json_and_warns_about_a_host_that_breaks_the_stock_socket_url() {
    let served = serve("https://api.shop.example").await_ready().await;
    let said = served.service.stderr();
    let lines: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect();
    let warned =
        |line: &Value| line["level"] == "WARN" && line["message"].as_str().is_some_and(|text| text.contains("`api`"));
    assert!(lines.iter().any(warned), "{said}");
    assert!(!said.contains(SECRET), "the secret is in the log");
    assert_eq!(served.service.stop().code(), Some(0));
}

#[test]
fn a_taken_address_is_named() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let config = format!("database = \"sqlite:data/stepup.db\"\n[server]\nlisten = \"127.0.0.1:{port}\"\n");
    let ran = Run::new("serve").file("stepup.toml", config).exit(1).run();
    ran.complains(&[&format!("port {port} is taken"), "server.listen"]);
    assert!(!ran.folder.path().join("data").exists());
}

const PAYMENTS: &str = "event pay { amount: money  fee: money? @currency(paid_in)  paid_in: currency? }\n\
                        policy p on pay { default allow }\n";

#[tokio::test]
async fn an_amount_finer_than_its_currency_is_a_422_that_points_at_it() {
    let served = serve_pack("http://localhost", PAYMENTS).await_ready().await;
    let pay = async |custom: &Value| {
        let body = json!({ "custom": custom });
        served.api.post("/v1/users/ann/actions/pay", Caller::Secret(SECRET), &body).await.expect("an answer")
    };
    for (currency, fine, finer) in [
        ("JPY", "1200", "1200.5"),
        ("EUR", "12.30", "12.301"),
        ("KWD", "12.305", "12.3051"),
        ("CLF", "12.3051", "12.30512"),
    ] {
        // As a number too, which must not pass through binary floating point on its way.
        let number = |digits: &str| serde_json::from_str::<Value>(digits).expect("a number");
        let forms = |digits: &str| {
            [
                ("/custom/amount", json!({ "amount": format!("{digits} {currency}") })),
                ("/custom/amount", json!({ "amount": { "value": digits, "currency": currency } })),
                ("/custom/amount", json!({ "amount": { "value": number(digits), "currency": currency } })),
                ("/custom/fee", json!({ "amount": "1 EUR", "fee": number(digits), "paid_in": currency })),
            ]
        };
        for (_, custom) in forms(fine) {
            assert_eq!(pay(&custom).await.ok()["outcome"], "allow", "{custom}");
        }
        for (pointer, custom) in forms(finer) {
            let refused = pay(&custom).await;
            assert_eq!(refused.status, 422, "{custom}: {}", refused.json);
            let error = &refused.json["errors"][0];
            assert_eq!(error["pointer"], pointer, "{custom}: {}", refused.json);
            assert_eq!(error["code"], "too-many-decimals", "{custom}: {}", refused.json);
        }
    }
    assert_eq!(served.service.stop().code(), Some(0));
}
