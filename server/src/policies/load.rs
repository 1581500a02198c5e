//! From a folder to a program in force.

use std::path::PathBuf;
use std::sync::Arc;

use challenge::TenantId;
use engine::program::Program;
use jiff::Timestamp;

use crate::packs::{self, ReadPackError};
use crate::store::{NewPack, Store, StoreError};

/// A pack that compiled.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its name.
    pub name: String,
    /// What it means.
    pub program: Arc<Program>,
    /// Its files, to be kept with the decisions it makes.
    pub archive: Arc<[u8]>,
}

/// A pack that cannot be used. The text is for its author.
#[derive(Debug, thiserror::Error)]
pub enum PackRefused {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] ReadPackError),
    /// It does not compile.
    #[error("the pack in {folder} does not compile:\n\n{report}")]
    Wrong {
        /// Where it is.
        folder: PathBuf,
        /// The rendered diagnostics.
        report: String,
    },
    /// Compiling it failed in us.
    #[error("the pack in {0} could not be compiled: we failed, and the log says why")]
    Broken(PathBuf),
}

/// Reads and compiles the pack in a folder, off the threads that answer requests.
pub(super) async fn load(folder: PathBuf) -> Result<Loaded, PackRefused> {
    let place = folder.clone();
    tokio::task::spawn_blocking(move || compile(folder)).await.map_err(|_| PackRefused::Broken(place))?
}

fn compile(folder: PathBuf) -> Result<Loaded, PackRefused> {
    let pack = packs::read_pack(&folder)?;
    let compilation = engine::compile(&pack);
    let report = || grammar::diagnostic::render_text(&compilation.diagnostics, &compilation.sources, false);
    let Some(program) = compilation.program.clone() else {
        return Err(PackRefused::Wrong { folder, report: report() });
    };
    if !compilation.diagnostics.is_empty() {
        tracing::warn!(pack = %folder.display(), "the pack compiles with remarks:\n{}", report());
    }
    Ok(Loaded { archive: packs::archive(&pack).into(), name: pack.name, program })
}

/// Notes in the store and the audit log that a pack is in force, unless it is already.
pub(super) async fn activate(
    store: &Store,
    tenant: &TenantId,
    loaded: &Loaded,
    at: Timestamp,
) -> Result<(), StoreError> {
    let version = loaded.program.version();
    if store.active_pack(tenant).await?.is_some_and(|active| active.version == version) {
        return Ok(());
    }
    let pack = NewPack {
        tenant: tenant.clone(),
        version: version.to_owned(),
        name: loaded.name.clone(),
        archive: loaded.archive.to_vec(),
        actor: "configuration".to_owned(),
        at,
    };
    store.activate_pack(pack).await?;
    tracing::info!(tenant = %tenant, version, "a policy pack is in force");
    Ok(())
}
