//! The service is killed while it works, and nothing that it answered may be lost.
//!
//! Each round starts the service on the data that the round before left, looks for every answer it gave (decisions,
//! enrolments, steps of challenges, used-up tokens, list entries), verifies the audit log, then loads the service with
//! concurrent clients and kills it with SIGKILL at a random moment. `STEPUP_CRASH_ROUNDS` (50) and `STEPUP_CRASH_SEED`
//! choose how often and how; each client's requests and the moments follow from the seed.

mod support;

#[path = "crash/dice.rs"]
mod dice;
#[path = "crash/load.rs"]
mod load;
#[path = "crash/promise.rs"]
mod promise;

use std::path::Path;
use std::time::Duration;

use dice::Dice;
use load::Clients;
use promise::Promise;
use serde_json::json;
use support::service::{Api, Caller, Service, free_port};
use support::{Run, checkout};
use tempfile::TempDir;

/// The tenant of the storm.
pub const TENANT: &str = "storm";

/// After this many rounds the data begins anew: the log is verified whole in every round.
const ROUNDS_PER_DATA: u32 = 10;

/// How many clients work at once.
const CLIENTS: u64 = 6;

/// Where the service is and with what it is asked.
#[derive(Clone)]
pub struct Target {
    /// The API.
    pub api: Api,
    /// Of a key that may do everything.
    pub secret: String,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

#[test]
fn nothing_that_was_answered_is_lost_to_kill_9() {
    let rounds = number("STEPUP_CRASH_ROUNDS").unwrap_or(50) as u32;
    let now = || std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_nanos() as u64;
    let seed = number("STEPUP_CRASH_SEED").unwrap_or_else(now);
    println!("{rounds} rounds with STEPUP_CRASH_SEED={seed}");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let mut dice = Dice::new(seed);
    let (mut data, mut total) = (prepare(), 0);
    let (mut fresh, mut older) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        if round > 0 && round % ROUNDS_PER_DATA == 0 {
            older.append(&mut fresh);
            runtime.block_on(last_look(&data, &older));
            (data, older) = (prepare(), Vec::new());
        }
        let (service, target) = runtime.block_on(data.start());
        runtime.block_on(look(&data, &service, &target, &fresh));
        older.append(&mut fresh);
        fresh = runtime.block_on(storm(service, &target, round, &mut dice));
        total += fresh.len();
        println!("round {round}: {} answers", fresh.len());
    }
    older.append(&mut fresh);
    runtime.block_on(last_look(&data, &older));
    println!("{total} answers in {rounds} rounds, none lost");
    assert!(total > rounds as usize, "the storm was a breeze: {total} answers in {rounds} rounds");
}

/// The folder of a service with a tenant and a key that may do everything.
struct Data {
    folder: TempDir,
    port: u16,
}

fn prepare() -> Data {
    let port = free_port();
    let pack = checkout("rules/starter").canonicalize().expect("the starter pack");
    let limit = "{ per_minute = 100000000, burst = 10000000 }";
    let config = format!(
        "database = \"sqlite:data/stepup.db\"\n\
         [server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://localhost:{port}\"\n\
         [policies]\npack = \"{}\"\nwatch = false\n[keys]\ndirectory = \"data/keys\"\n[log]\nfilter = \"warn,server::policies::load=error\"\n\
         [limits]\nkey = {limit}\ntenant = {limit}\naddress = {limit}\nchallenge = {limit}\nfailed_auth = {limit}\n\
         [tenants.{TENANT}]\n",
        pack.display()
    );
    // The first start makes the tenant and stops, since nobody has a secret of it yet.
    let first = Run::new("serve").file("stepup.toml", config).exit(1).run();
    let keyed =
        Run::in_folder(first.folder, "keys new --role admin --name storm --secret-file secret --config stepup.toml")
            .run();
    Data { folder: keyed.folder, port }
}

impl Data {
    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn target(&self) -> Target {
        let secret = std::fs::read_to_string(self.path().join("secret")).expect("the secret");
        Target { api: Api::new(format!("http://127.0.0.1:{}/v1", self.port)), secret }
    }

    async fn start(&self) -> (Service, Target) {
        let mut service = Service::start(self.path(), &["serve"]);
        let address = ("127.0.0.1", self.port);
        service.until(|| std::net::TcpStream::connect(address).ok());
        let target = self.target();
        // The port is open before the data is; the first answer comes when it is.
        let ready = target.api.get("/lists/blocked_ips/entries", Caller::Secret(&target.secret)).await;
        match ready {
            Ok(answer) => drop(answer.ok()),
            Err(error) => panic!("the service does not answer: {error}\n{}", service.stderr()),
        }
        (service, target)
    }
}

/// Work, and its sudden end; what was answered before it.
async fn storm(service: Service, target: &Target, round: u32, dice: &mut Dice) -> Vec<Promise> {
    let clients = Clients::start(target, round, CLIENTS, dice);
    tokio::time::sleep(Duration::from_millis(dice.between(20, 450))).await;
    service.kill();
    clients.promises().await
}

/// Looks for everything that was promised, and at the log.
async fn look(data: &Data, service: &Service, target: &Target, promises: &[Promise]) {
    for promise in promises {
        if let Err(broken) = promise.is_kept(target).await {
            panic!("{broken}\npromised: {promise:?}\n{}", service.stderr());
        }
    }
    // While the service runs: the verifier reads what it would.
    let report = std::process::Command::new(support::binary())
        .args(["audit", "verify", "--format", "json", "--config", "stepup.toml"])
        .current_dir(data.path())
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&report.stdout);
    assert!(report.status.success(), "{said}{}", String::from_utf8_lossy(&report.stderr));
    let report: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(report["firstBad"], json!(null));
}

/// The same for everything that was ever promised on this data, and a stop as it should be.
async fn last_look(data: &Data, promises: &[Promise]) {
    let (service, target) = data.start().await;
    look(data, &service, &target, promises).await;
    assert_eq!(service.stop().code(), Some(0));
}
