//! Why a running server decided as it did.

use std::path::Path;

use anyhow::{Context, bail};
use engine::Trace;
use serde_json::Value;

use super::Explained;
use crate::remote::Server;

/// Asks the server at `url` about the decision `id`.
pub fn explain(url: &str, id: &str, secret_file: Option<&Path>) -> anyhow::Result<Explained> {
    anyhow::ensure!(
        id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'),
        "`{id}` is not a decision's id; `track` answers it as `decisionId`"
    );
    let server = Server::at(url, secret_file, "a role that may read decisions is enough")?;
    let decision = server.get(&["decisions", id])?;
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
