use jiff::Timestamp;
use uuid::Uuid;

use super::{Seq, TenantId, UserId};
use crate::store::StoreError;

/// What is known of a user. `None` in an update leaves the attribute as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)] // The wire's attributes by their own names.
pub struct UserAttributes {
    pub email: Option<String>,
    pub email_verified: Option<bool>,
    pub phone_number: Option<String>,
    pub phone_number_verified: Option<bool>,
    pub username: Option<String>,
    pub display_name: Option<String>,
    pub locale: Option<String>,
    /// JSON object text.
    pub custom: Option<String>,
}

/// A user of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Whose user.
    pub tenant: TenantId,
    /// The backend's name for them.
    pub user: UserId,
    /// Our own random name for them, the only one the audit log uses.
    pub pseudonym: Uuid,
    /// What is known of them.
    pub attributes: UserAttributes,
    /// When the user was first seen.
    pub created_at: Timestamp,
    /// When an attribute last changed.
    pub updated_at: Timestamp,
    /// The audit entry that last described this row.
    pub seq: Seq,
}

/// Which users to list.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// With exactly this e-mail address.
    pub email: Option<String>,
    /// With exactly this user name.
    pub username: Option<String>,
    /// With exactly this telephone number.
    pub phone_number: Option<String>,
}

/// Why a user was not deleted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DeleteUserError {
    /// There is no such user in this tenant.
    #[error("there is no such user")]
    NotFound,
    /// The store could not write.
    #[error(transparent)]
    Store(#[from] StoreError),
}
