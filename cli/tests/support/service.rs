//! A running service: started as a person or a supervisor would, asked over HTTP, stopped or killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;

use super::binary;

/// How long a start may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The process.
pub struct Service {
    child: Option<Child>,
    out: PathBuf,
    err: PathBuf,
}

impl Service {
    /// Starts `stepup <words>` in `folder`; what it says goes to `stdout.log` and `stderr.log` there.
    pub fn start(folder: &Path, words: &[&str]) -> Service {
        let (out, err) = (folder.join("stdout.log"), folder.join("stderr.log"));
        let file = |path: &Path| Stdio::from(File::create(path).expect("a log file"));
        let child = Command::new(binary())
            .args(words)
            .current_dir(folder)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(file(&out))
            .stderr(file(&err))
            .spawn()
            .expect("the binary starts");
        Service { child: Some(child), out, err }
    }

    /// Waits until `seen` gives something; fails when the process ends first.
    pub fn until<T>(&mut self, mut seen: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(seen) = seen() {
                return seen;
            }
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().expect("a status")) {
                panic!("the service ended with {status}:\n{}\n{}", self.stdout(), self.stderr());
            }
            assert!(Instant::now() < deadline, "the service is not ready:\n{}\n{}", self.stdout(), self.stderr());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// What it said so far.
    pub fn stdout(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// What it complained about so far.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.err).unwrap_or_default()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it is gone");
    }

    /// Asks it to stop and waits for its end.
    pub fn stop(mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let asked = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", child.id())).status().expect("sh runs");
        assert!(asked.success(), "the signal was not sent");
        child.wait().expect("it ends")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Who asks.
#[derive(Clone, Copy)]
pub enum Caller<'a> {
    /// Anybody.
    Nobody,
    /// A backend with its secret.
    Secret(&'a str),
    /// A page or phone of a tenant.
    Tenant(&'a str),
    /// Whoever has a token.
    Token(&'a str),
}

/// An HTTP client of one service.
#[derive(Clone)]
pub struct Api {
    client: reqwest::Client,
    /// With `/v1`.
    pub base: String,
}

/// What was answered.
pub struct Answer {
    pub status: u16,
    pub replayed: bool,
    pub json: Value,
}

impl Answer {
    /// The body of a success.
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.json);
        self.json
    }
}

impl Api {
    pub fn new(base: impl Into<String>) -> Api {
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().expect("a client");
        Api { client, base: base.into() }
    }

    /// Sends a request. No answer, or half of one, is an error.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        caller: Caller<'_>,
        body: Option<&Value>,
    ) -> reqwest::Result<Answer> {
        let request = self.client.request(method, format!("{}{path}", self.base));
        let request = match caller {
            Caller::Nobody => request,
            Caller::Secret(secret) => request.basic_auth(secret, Some("")),
            Caller::Tenant(tenant) => request.basic_auth(tenant, Some("")),
            Caller::Token(token) => request.bearer_auth(token),
        };
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = request.send().await?;
        let status = response.status().as_u16();
        let replayed = response.headers().get("idempotent-replayed").is_some_and(|value| value == "true");
        let bytes = response.bytes().await?;
        let json =
            serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&bytes)));
        Ok(Answer { status, replayed, json })
    }

    pub async fn get(&self, path: &str, caller: Caller<'_>) -> reqwest::Result<Answer> {
        self.send(Method::GET, path, caller, None).await
    }

    pub async fn post(&self, path: &str, caller: Caller<'_>, body: &Value) -> reqwest::Result<Answer> {
        self.send(Method::POST, path, caller, Some(body)).await
    }
}
