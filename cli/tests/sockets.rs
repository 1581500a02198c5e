//! Thousands of screens wait at a service: each costs it little memory, and each hears of its own challenge at once.
//!
//! `STEPUP_SOCKETS` (300) is how many screens there are in all, `STEPUP_SOCKET_PROCESSES` (1) how many services share them. A
//! process may have only so many files open, so each service has a process of clients of its own. `cargo xtask sockets` is
//! the long form; it runs the optimised binary.

mod support;

#[path = "sockets/screens.rs"]
mod screens;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime};

use support::phone::Phone;
use support::service::{Api, Caller, Service, free_port};
use support::{Run, checkout};
use tempfile::TempDir;

const TENANT: &str = "kiosks";
/// Most bytes of the service's memory for a screen, when there are enough of them to tell.
const MOST_BYTES: u64 = 8 * 1024;
/// So many are enough.
const ENOUGH: usize = 5_000;
/// How many of the screens of a service see an approval.
const APPROVALS: usize = 100;
/// How long a client may take to have all its screens open, and a screen to be told.
const PATIENCE: Duration = Duration::from_secs(600);

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

#[test]
fn a_waiting_screen_costs_little_and_hears_of_its_challenge() {
    if std::env::var_os(screens::SERVER).is_some() {
        return;
    }
    let sockets = number("STEPUP_SOCKETS").unwrap_or(300);
    let processes = number("STEPUP_SOCKET_PROCESSES").unwrap_or(1).max(1);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut houses: Vec<House> = Vec::new();
    for n in 0..processes {
        let share = sockets / processes + usize::from(n < sockets % processes);
        houses.push(runtime.block_on(House::open(share)));
    }
    // All at once, as they would come after a restart.
    for (number, house) in houses.iter_mut().enumerate() {
        house.send_clients(number);
    }
    for house in &mut houses {
        house.await_screens();
    }
    let mut delays = Vec::new();
    for house in &mut houses {
        delays.extend(runtime.block_on(house.approve_some()));
    }
    let (mut bytes, mut open) = (0, 0);
    for house in &houses {
        bytes += house.grown();
        open += house.screens;
        let each = house.grown() / house.screens as u64;
        println!("{} screens wait at one service: {each} bytes of its memory for each", house.screens);
        assert!(house.screens < ENOUGH || each <= MOST_BYTES, "{each} bytes for a screen");
    }
    delays.sort_unstable();
    let at = |share: usize| delays[(delays.len() - 1) * share / 100];
    println!("{open} screens in {processes} services: {} bytes for each, all told", bytes / open as u64);
    println!("from the phone's approval to the screen, {} times: median {:?}, p99 {:?}", delays.len(), at(50), at(99));
}

/// The other side, in a process of its own.
#[test]
fn screens_of_one_service() {
    screens::run();
}

/// A service, and the process of its screens.
struct House {
    _folder: TempDir,
    service: Service,
    address: String,
    phone: Phone,
    before: u64,
    screens: usize,
    clients: Option<Clients>,
    samples: Vec<String>,
}

struct Clients {
    child: Child,
    lines: Receiver<String>,
}

impl House {
    async fn open(screens: usize) -> House {
        let (folder, port) = prepare();
        let address = format!("127.0.0.1:{port}");
        let mut service = Service::start(folder.path(), &["serve"]);
        service.until(|| std::net::TcpStream::connect(&address).ok());
        let secret = std::fs::read_to_string(folder.path().join("secret")).expect("the secret");
        let api = Api::new(format!("http://{address}/v1"));
        let body = serde_json::json!({"scope": "add:authenticators"});
        let tracked = api.post("/users/ann/actions/device_enrol", Caller::Secret(&secret), &body).await;
        let tracked = tracked.expect("an answer").ok();
        let phone = Phone::new(&api, TENANT);
        phone.enrol(tracked["token"].as_str().expect("a token")).await.expect("an answer").ok();
        let before = resident(service.id());
        House { _folder: folder, service, address, phone, before, screens, clients: None, samples: Vec::new() }
    }

    fn send_clients(&mut self, number: usize) {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "screens_of_one_service", "--nocapture"])
            .env(screens::SERVER, &self.address)
            .env(screens::HOUSE, number.to_string())
            .env(screens::COUNT, self.screens.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the clients start");
        let (said, lines) = channel();
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if said.send(line).is_err() {
                    return;
                }
            }
        });
        self.clients = Some(Clients { child, lines });
    }

    fn next_line(&self, prefix: &str) -> String {
        let clients = self.clients.as_ref().expect("they were sent");
        loop {
            match clients.lines.recv_timeout(PATIENCE) {
                Ok(line) => match line.strip_prefix(prefix) {
                    Some(rest) => return rest.to_owned(),
                    None => continue,
                },
                Err(error) => panic!("no `{prefix}` of the clients: {error}\n{}", self.service.stderr()),
            }
        }
    }

    fn await_screens(&mut self) {
        let ids = self.next_line(screens::READY);
        self.samples = ids.split_whitespace().take(APPROVALS).map(str::to_owned).collect();
    }

    /// Approves some of the challenges; how long it took until each screen had heard of it, from before the phone's request.
    async fn approve_some(&self) -> Vec<Duration> {
        let mut delays = Vec::new();
        for id in &self.samples {
            self.phone.claim(id).await.expect("an answer").ok();
            let asked = SystemTime::now();
            self.phone.answer(id, true).await.expect("an answer").ok();
            let line = self.next_line(screens::TOLD);
            let (whom, nanoseconds) = line.split_once(' ').expect("an id and a time");
            assert_eq!(whom, id, "another screen was told");
            let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds.parse().expect("a number"));
            delays.push(at.duration_since(asked).unwrap_or_default());
        }
        delays
    }

    /// How many bytes the service has taken since it had no screens.
    fn grown(&self) -> u64 {
        resident(self.service.id()).saturating_sub(self.before)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(clients) = &mut self.clients {
            let _ = clients.child.kill();
            let _ = clients.child.wait();
        }
    }
}

/// The resident memory of a process in bytes; 0 where the system does not say.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    kib * 1024
}

/// A tenant with a kiosk, and a service that lets one address have all its connections.
fn prepare() -> (TempDir, u16) {
    let port = free_port();
    let limit = "{ per_minute = 100000000, burst = 10000000 }";
    let config = format!(
        "database = \"sqlite:data/stepup.db\"\n\
         [server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://localhost:{port}\"\n\
         max_connections = 20000\nmax_connections_per_address = 20000\n\
         [policies]\npack = \"pack\"\nwatch = false\n[keys]\ndirectory = \"data/keys\"\n[log]\nfilter = \"warn\"\n\
         [limits]\nkey = {limit}\ntenant = {limit}\naddress = {limit}\nchallenge = {limit}\nfailed_auth = {limit}\n\
         [tenants.{TENANT}]\n"
    );
    let pack = std::fs::read_to_string(checkout("cli/tests/sockets/kiosk.rules")).expect("the pack");
    let first = Run::new("serve").file("pack/kiosk.rules", pack).file("stepup.toml", config).exit(1).run();
    let words = "keys new --role admin --name kiosks --secret-file secret --config stepup.toml";
    (Run::in_folder(first.folder, words).run().folder, port)
}
