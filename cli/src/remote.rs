//! Asks a running server, as a holder of one of its API secrets.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::Value;
use zeroize::Zeroizing;

/// The secret of the server's API, in the environment.
const VARIABLE: &str = "STEPUP_API_SECRET";

/// Where `stepup demo` leaves what a script needs.
const DEMO: &str = "stepup-data/demo.json";

/// A server and the secret for it.
pub struct Server {
    base: String,
    secret: Zeroizing<String>,
}

impl Server {
    /// The server at `url`. `needs` says which role the secret must have.
    pub fn at(url: &str, secret_file: Option<&Path>, needs: &str) -> anyhow::Result<Server> {
        let base = base(url)?;
        let secret = secret(&base, secret_file, needs)?;
        Ok(Server { base, secret })
    }

    /// The answer to a GET.
    pub fn get(&self, path: &[&str]) -> anyhow::Result<Value> {
        self.get_where(path, &[])
    }

    /// The answer to a GET with these parameters.
    pub fn get_where(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Value> {
        self.send(reqwest::Method::GET, path, query, None, None)
    }

    /// The answer to a POST. With a key the server answers a repeat as it answered the first.
    pub fn post(&self, path: &[&str], key: Option<&str>, body: &Value) -> anyhow::Result<Value> {
        self.send(reqwest::Method::POST, path, &[], key, Some(body))
    }

    /// The answer to a PUT.
    pub fn put(&self, path: &[&str], body: &Value) -> anyhow::Result<Value> {
        self.send(reqwest::Method::PUT, path, &[], None, Some(body))
    }

    /// The answer to a DELETE.
    pub fn delete(&self, path: &[&str]) -> anyhow::Result<Value> {
        self.send(reqwest::Method::DELETE, path, &[], None, None)
    }

    fn send(
        &self,
        method: reqwest::Method,
        path: &[&str],
        query: &[(&str, &str)],
        key: Option<&str>,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let mut url = reqwest::Url::parse(&self.base).with_context(|| format!("`{}` is not an address", self.base))?;
        url.path_segments_mut().map_err(|()| anyhow!("`{}` has no paths", self.base))?.extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
            let mut request = client.request(method, url.clone()).basic_auth(&*self.secret, Some(""));
            if let Some(key) = key {
                request = request.header("idempotency-key", key);
            }
            if let Some(body) = body {
                request = request.header("content-type", "application/json").body(body.to_string());
            }
            let answer = request.send().await.with_context(|| format!("cannot reach {url}"))?;
            let status = answer.status();
            let bytes = answer.bytes().await.with_context(|| format!("{url} did not finish its answer"))?;
            let body: Value = serde_json::from_slice(&bytes)
                .map_err(|_| anyhow!("{url} answered {status} and no JSON: is it a Stepup server?"))?;
            if status.is_success() {
                return Ok(body);
            }
            let why = body.get("errorDescription").or_else(|| body.get("detail")).and_then(Value::as_str);
            bail!("{url} answered {status}: {}", why.unwrap_or("without a reason"))
        })
    }
}

/// The URL with `/v1`, as backends have it or not.
fn base(url: &str) -> anyhow::Result<String> {
    let url = url.trim_end_matches('/');
    anyhow::ensure!(
        url.starts_with("http://") || url.starts_with("https://"),
        "`{url}` is not a server's address; it begins with https:// or http://"
    );
    Ok(if url.ends_with("/v1") { url.to_owned() } else { format!("{url}/v1") })
}

/// From the file; else from the environment; else from the demo, if it is the demo that is asked.
fn secret(base: &str, file: Option<&Path>, needs: &str) -> anyhow::Result<Zeroizing<String>> {
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let text = Zeroizing::new(text);
        return match serde_json::from_str::<Value>(&text) {
            Ok(demo) => of_demo(&demo).with_context(|| format!("{} has no apiSecret", path.display())),
            Err(_) => Ok(Zeroizing::new(text.trim().to_owned())),
        };
    }
    if let Ok(secret) = std::env::var(VARIABLE) {
        return Ok(Zeroizing::new(secret));
    }
    let demo: Option<Value> = std::fs::read_to_string(DEMO).ok().and_then(|text| serde_json::from_str(&text).ok());
    let demo = demo.filter(|demo| demo.get("baseUrl").and_then(Value::as_str) == Some(base));
    demo.as_ref()
        .and_then(of_demo)
        .ok_or_else(|| anyhow!("which API secret? Give --secret-file FILE or set {VARIABLE} ({needs})"))
}

fn of_demo(demo: &Value) -> Option<Zeroizing<String>> {
    Some(Zeroizing::new(demo.get("apiSecret")?.as_str()?.to_owned()))
}
