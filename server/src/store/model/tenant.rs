use jiff::Timestamp;

use super::{Seq, TenantId};

/// A tenant to create or to change.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// Its id, the wire's tenant id.
    pub id: TenantId,
    /// What people call it.
    pub name: String,
    /// Settings, as JSON text of the caller's making.
    pub settings: String,
    /// When.
    pub at: Timestamp,
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // Fields mean what they mean in `NewTenant`.
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
    pub settings: String,
    pub created_at: Timestamp,
    /// The audit entry that last described this row.
    pub seq: Seq,
}

/// An API key's public name.
pub type ApiKeyId = String;

/// An API key to add.
#[derive(Clone)]
pub struct NewApiKey {
    /// For which tenant.
    pub tenant: TenantId,
    /// Its public name.
    pub id: ApiKeyId,
    /// `backend`, `analyst`, `reviewer`, `admin`.
    pub role: String,
    /// What people call it.
    pub name: String,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// When.
    pub created_at: Timestamp,
}

/// An API key. Revoked keys are never returned by [`crate::store::Store::api_key_by_hash`].
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs)] // Fields mean what they mean in `NewApiKey`.
pub struct ApiKey {
    pub tenant: TenantId,
    pub id: ApiKeyId,
    pub role: String,
    pub name: String,
    pub hash: [u8; 32],
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    /// The audit entry that last described this row.
    pub seq: Seq,
}
