use jiff::Timestamp;
use uuid::Uuid;

use super::{Seq, TenantId};

/// A pack to put into force.
#[derive(Debug, Clone)]
pub struct NewPack {
    /// For which tenant.
    pub tenant: TenantId,
    /// Its content hash, `sha256:…`. The same version is stored once, however often it is activated.
    pub version: String,
    /// Its name.
    pub name: String,
    /// Its files, as bytes of the caller's making (an archive). Kept for as long as decisions name the version.
    pub archive: Vec<u8>,
    /// Who put it into force: an API key id, `startup`. Must not name a person.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// The pack in force.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // Fields mean what they mean in `NewPack`.
pub struct ActivePack {
    pub tenant: TenantId,
    pub version: String,
    pub name: String,
    pub activated_at: Timestamp,
    pub actor: String,
    /// The audit entry of the activation.
    pub seq: Seq,
}

/// Our own random name of a list entry, the only one the audit log uses: values can be personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListEntryId(pub Uuid);

/// A value to put on a managed list.
#[derive(Debug, Clone)]
pub struct NewListEntry {
    /// On whose list.
    pub tenant: TenantId,
    /// A fresh random UUID.
    pub id: ListEntryId,
    /// Which list.
    pub list: String,
    /// The value in the list's canonical text.
    pub value: String,
    /// Why.
    pub reason: Option<String>,
    /// Who put it there: an API key id, `rule:name`.
    pub author: String,
    /// When.
    pub at: Timestamp,
    /// Until when; `None` for good.
    pub expires_at: Option<Timestamp>,
}

/// A value on a managed list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // Fields mean what they mean in `NewListEntry`.
pub struct ListEntry {
    pub tenant: TenantId,
    pub id: ListEntryId,
    pub list: String,
    pub value: String,
    pub reason: Option<String>,
    pub author: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub removed_at: Option<Timestamp>,
    /// The audit entry that last described this row.
    pub seq: Seq,
}

/// What adding or removing a list value came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListChange {
    /// The list changed.
    Changed(ListEntry),
    /// It was so already: the value was on the list with at least this expiry, or was not on it.
    AsBefore(Option<ListEntry>),
}
