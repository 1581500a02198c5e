//! Hands codes out. They are shown once; what is kept cannot be turned back into them.

use challenge::{TenantId, UserId};

use super::code::{BATCH, RecoveryCode};
use crate::app::App;
use crate::challenges::refusals;
use crate::error::ApiError;
use crate::store::{NewRecoveryCodes, RecoveryCodeId};

/// Fresh codes: the texts for the person, and what the store keeps.
pub struct Fresh {
    /// One text per code.
    pub texts: Vec<String>,
    /// Their hashes.
    pub kept: NewRecoveryCodes,
}

/// Makes a batch of codes. Stretching them takes a moment, so it is done beside the tasks that serve.
pub async fn fresh(app: &App) -> Result<Fresh, ApiError> {
    let app = app.clone();
    let make = move || {
        let code_salt = app.random.bytes();
        let codes: Vec<RecoveryCode> = (0..BATCH).map(|_| RecoveryCode::from_random(app.random.bytes())).collect();
        let kept = codes
            .iter()
            .map(|code| (RecoveryCodeId(app.random.uuid_v4()), code.hash(&code_salt, app.keys.recovery())))
            .collect();
        Fresh {
            texts: codes.iter().map(RecoveryCode::expose).collect(),
            kept: NewRecoveryCodes { batch: app.random.uuid_v4(), code_salt, codes: kept },
        }
    };
    tokio::task::spawn_blocking(make).await.map_err(ApiError::internal)
}

/// Issues codes to a user in the place of those before. `actor` must not name a person.
pub async fn anew(app: &App, tenant: &TenantId, user: &UserId, actor: &str) -> Result<Fresh, ApiError> {
    let fresh = fresh(app).await?;
    let (kept, at) = (fresh.kept.clone(), app.clock.now());
    app.store.issue_recovery_codes(tenant, user, kept, actor, at).await.map_err(refusals::store)?;
    Ok(fresh)
}
