//! A decision explained after the fact: by the pack that made it, from the signals that were recorded.

use std::sync::Arc;

use engine::pack::PackSource;
use engine::program::Program;
use engine::signals::Signals;
use serde_json::Value;

use crate::app::App;
use crate::caches::refuse;
use crate::error::ApiError;
use crate::packs;
use crate::store::{Decision, TenantId};

/// What was recorded with a decision.
pub struct Remembered {
    /// Everything the rules could read.
    pub signals: Value,
    /// What they said.
    pub verdict: Value,
    /// Why, in full; `None` if the pack that decided is gone.
    pub trace: Option<Value>,
}

/// Reads a decision's record and explains it; `None` if it was erased.
pub async fn recorded(app: &App, decision: &Decision) -> Result<Option<Remembered>, ApiError> {
    let Some(text) = app.store.decision_record(&decision.tenant, decision.id).await.map_err(refuse)? else {
        return Ok(None);
    };
    let mut record: Value = serde_json::from_str(&text).map_err(ApiError::internal)?;
    let signals = record["signals"].take();
    let verdict = record["verdict"].take();
    let trace = match program(app, &decision.tenant, &decision.policy_version).await? {
        None => None,
        Some(program) => {
            let read: Signals = serde_json::from_value(signals.clone()).map_err(ApiError::internal)?;
            Some(serde_json::to_value(engine::explain(&program, &read)).map_err(ApiError::internal)?)
        }
    };
    Ok(Some(Remembered { signals, verdict, trace }))
}

/// The files of a pack that is or was in force.
pub async fn archived(app: &App, tenant: &TenantId, version: &str) -> Result<Option<PackSource>, ApiError> {
    let archive = app.store.pack_archive(tenant, version).await.map_err(refuse)?;
    archive.map(|archive| packs::unarchive("archived", &archive)).transpose().map_err(ApiError::internal)
}

/// The pack of this version: the one in force, or one that was.
async fn program(app: &App, tenant: &TenantId, version: &str) -> Result<Option<Arc<Program>>, ApiError> {
    let current = app.policies.of(tenant).program();
    if current.version() == version {
        return Ok(Some(current));
    }
    if let Some(program) = app.caches.program(version) {
        return Ok(Some(program));
    }
    let Some(pack) = archived(app, tenant, version).await? else { return Ok(None) };
    let compilation = tokio::task::spawn_blocking(move || engine::compile(&pack)).await.map_err(ApiError::internal)?;
    if let Some(program) = &compilation.program {
        app.caches.remember_program(version, program.clone());
    }
    Ok(compilation.program)
}
