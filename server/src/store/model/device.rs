use jiff::Timestamp;
use uuid::Uuid;

use super::{Seq, TenantId, UserId};
use crate::store::StoreError;

/// A device that a decision was asked from and that may be new.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// A fresh UUID version 4: its name in the log if it is new.
    pub pseudonym: Uuid,
    /// What the backend calls it.
    pub device: String,
}

/// A device from which a user acts: a browser, an app. Not the phone that holds a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserDevice {
    /// Whose customer's.
    pub tenant: TenantId,
    /// Its name in the log.
    pub pseudonym: Uuid,
    /// Who acts from it.
    pub user: UserId,
    /// What the backend calls it.
    pub device: String,
    /// When it was first seen.
    pub created_at: Timestamp,
    /// When the user last passed a challenge on it.
    pub authenticated_at: Option<Timestamp>,
    /// How, precisely: `QR_CODE`.
    pub last_method: Option<String>,
    /// Until when the user asked to be remembered on it.
    pub remembered_until: Option<Timestamp>,
    /// When it was taken back. Passing a challenge on it makes it good again.
    pub invalidated_at: Option<Timestamp>,
    /// The audit entry that last described this row.
    pub seq: Seq,
}

impl UserDevice {
    /// Whether the user is remembered on it.
    pub fn is_remembered(&self, now: Timestamp) -> bool {
        self.invalidated_at.is_none() && self.remembered_until.is_some_and(|until| now < until)
    }
}

/// What is to happen to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceChange {
    /// Remember the user on it until then.
    Remember(Timestamp),
    /// Remember no longer.
    Forget,
    /// Take it back: somebody else may have it.
    Invalidate,
}

/// Why nothing happened to a device.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DeviceError {
    /// The user was never seen on it.
    #[error("there is no such device")]
    NotFound,
    /// It was taken back, and the user has not passed a challenge on it since.
    #[error("the device was invalidated")]
    Invalidated,
    /// The store could not write.
    #[error(transparent)]
    Store(#[from] StoreError),
}
