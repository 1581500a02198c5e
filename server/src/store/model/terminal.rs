use challenge::keys::DeviceKey;
use challenge::state::OriginPlace;
use challenge::terminal::Terminal;
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{Seq, TenantId, TerminalId, Transitioned};
use crate::store::StoreError;

/// A terminal to register.
#[derive(Clone)]
pub struct NewTerminal {
    /// Whose.
    pub tenant: TenantId,
    /// What its administrator calls it. If it has another key now, that is revoked.
    pub id: TerminalId,
    /// What people read on their phones.
    pub name: String,
    /// Its key.
    pub key: DeviceKey,
    /// Where it stands.
    pub place: Site,
    /// Who registers it: an API key's id. Must not name a person.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// Where a terminal stands, as far as its administrator says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    /// In words.
    pub place: OriginPlace,
    /// Latitude and longitude in degrees (WGS 84).
    pub position: Option<(Decimal, Decimal)>,
}

/// A key with which a terminal vouches for challenges, or did.
#[derive(Clone)]
#[allow(missing_docs)] // Fields mean what they mean in `NewTerminal`.
pub struct RegisteredTerminal {
    pub tenant: TenantId,
    pub id: TerminalId,
    pub name: String,
    pub key: DeviceKey,
    pub place: Site,
    pub actor: String,
    pub registered_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    /// The audit entry that last described this row.
    pub seq: Seq,
}

impl RegisteredTerminal {
    /// Whether it is the one that vouched for a challenge, with the key that it still has.
    pub fn still_vouches(&self, terminal: &Terminal) -> bool {
        self.revoked_at.is_none() && self.id == terminal.id && self.key == terminal.key
    }
}

/// A terminal after a change, and the challenges that the change took off its screen.
#[derive(Clone)]
pub struct TerminalChanged {
    /// The terminal.
    pub terminal: RegisteredTerminal,
    /// What its old key had vouched for.
    pub cancelled: Vec<Transitioned>,
}

/// Why a terminal was not registered.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegisterError {
    /// The key is another terminal's.
    #[error("the key is registered for another terminal")]
    KeyTaken,
    /// The key was revoked, for good.
    #[error("the key was revoked")]
    KeyRevoked,
    /// The store could not write.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a terminal was not revoked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RevokeTerminalError {
    /// There is none.
    #[error("there is no such terminal")]
    NotFound,
    /// The store could not write.
    #[error(transparent)]
    Store(#[from] StoreError),
}
