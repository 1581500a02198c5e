//! Why a running server decided as it did.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use engine::Trace;
use serde_json::Value;
use zeroize::Zeroizing;

use super::Explained;

/// The secret of the server's API, in the environment.
const VARIABLE: &str = "STEPUP_API_SECRET";

/// Where `stepup demo` leaves what a script needs.
const DEMO: &str = "stepup-data/demo.json";

/// Asks the server at `url` about the decision `id`.
pub fn explain(url: &str, id: &str, secret_file: Option<&Path>) -> anyhow::Result<Explained> {
    let base = base(url)?;
    anyhow::ensure!(
        id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'),
        "`{id}` is not a decision's id; `track` answers it as `decisionId`"
    );
    let secret = secret(&base, secret_file)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let decision = runtime.block_on(ask(&format!("{base}/decisions/{id}"), &secret))?;
    let trace: Trace = match decision.get("trace") {
        Some(trace) if !trace.is_null() => serde_json::from_value(trace.clone())
            .context("the server's trace is not one this version understands; use the same version as the server")?,
        _ if decision.get("erased").and_then(Value::as_bool) == Some(true) => {
            bail!("what the decision rested on was erased; what is left: {decision}")
        }
        _ => bail!("the server gave no trace: the pack that decided may be gone; what is left: {decision}"),
    };
    let text = |name: &str| decision.get(name).and_then(Value::as_str).unwrap_or("?");
    let heading = format!("{} by {} at {} ({})", text("actionCode"), text("userId"), text("createdAt"), text("state"));
    Ok(Explained { heading, trace, json: decision })
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
fn secret(base: &str, file: Option<&Path>) -> anyhow::Result<Zeroizing<String>> {
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
    demo.as_ref().and_then(of_demo).ok_or_else(|| {
        anyhow!(
            "which API secret? Give --secret-file FILE or set {VARIABLE} (a role that may read decisions is enough)"
        )
    })
}

fn of_demo(demo: &Value) -> Option<Zeroizing<String>> {
    Some(Zeroizing::new(demo.get("apiSecret")?.as_str()?.to_owned()))
}

async fn ask(url: &str, secret: &str) -> anyhow::Result<Value> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
    let answer =
        client.get(url).basic_auth(secret, Some("")).send().await.with_context(|| format!("cannot reach {url}"))?;
    let status = answer.status();
    let bytes = answer.bytes().await.with_context(|| format!("{url} did not finish its answer"))?;
    let body: Value = serde_json::from_slice(&bytes)
        .map_err(|_| anyhow!("{url} answered {status} and no JSON: is it a Stepup server?"))?;
    if status.is_success() {
        return Ok(body);
    }
    let why = body.get("errorDescription").or_else(|| body.get("detail")).and_then(Value::as_str);
    bail!("{url} answered {status}: {}", why.unwrap_or("without a reason"))
}
