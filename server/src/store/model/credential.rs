use challenge::Credential;
use jiff::Timestamp;

use super::{CredentialId, NewRecoveryCodes, RecoveryCodeId, Seq, TenantId};
use crate::store::StoreError;

/// A device key to enrol.
#[derive(Clone)]
pub struct NewCredential {
    /// Id, tenant, user, key, platform and protection; its status is taken to be active.
    pub credential: Credential,
    /// `qr-code`, `push`, `in-app`: (tenant, kind, key) is unique (T-23).
    pub kind: String,
    /// What the user calls the device.
    pub device_name: Option<String>,
    /// `devicePlatform` as the device said it.
    pub device_platform: String,
    /// What the device's maker said of the key and whether it was believed, as JSON.
    pub attestation: Option<String>,
    /// Where to push, if the device said.
    pub push_token: Option<String>,
    /// When it was enrolled (and, by that act, verified).
    pub enrolled_at: Timestamp,
    /// When it stops working by itself.
    pub expires_at: Option<Timestamp>,
    /// What lets it in.
    pub right: EnrolmentRight,
    /// The name (`jti`) of the token that was shown: keys of one phone, one for each kind, come in by the same one.
    pub token: String,
    /// When that token was made, to the second: one from before a reset lets nothing in.
    pub token_at: Timestamp,
    /// Recovery codes to issue with it, if the user has none.
    pub recovery_codes: Option<NewRecoveryCodes>,
}

/// What lets a new phone in (T-22). A repeat of an enrolment needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnrolmentRight {
    /// The token of a tracked action: good for a user's first phone, and for the one that a reset permits.
    Token,
    /// The scope that the backend gave, or a fresh approval by another phone.
    Scope,
    /// A recovery code, used for this: good for one phone, which takes the place of those before it.
    RecoveryCode(RecoveryCodeId),
}

/// A device key as it stands now.
#[derive(Clone)]
#[allow(missing_docs)] // Fields mean what they mean in `NewCredential`.
pub struct StoredCredential {
    pub credential: Credential,
    pub kind: String,
    pub device_name: Option<String>,
    pub device_platform: String,
    pub attestation: Option<String>,
    pub push_token: Option<String>,
    pub enrolled_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// When it last approved something.
    pub last_verified_at: Option<Timestamp>,
    /// When it was revoked, for good.
    pub revoked_at: Option<Timestamp>,
    /// The audit entry that last described this row.
    pub seq: Seq,
}

impl StoredCredential {
    /// Whether a push challenge may be sent to it at `at`: it was added for push, or is of the time before kinds and gave a
    /// push token.
    pub fn takes_push_at(&self, at: Timestamp) -> bool {
        let usable = self.revoked_at.is_none() && self.expires_at.is_none_or(|expires| at < expires);
        usable && (self.kind == "push" || self.push_token.is_some())
    }
}

/// What a phone says anew about its push credential.
#[derive(Debug, Clone)]
pub struct CredentialRefresh {
    /// Whose; another tenant's credential does not exist.
    pub tenant: TenantId,
    /// Which.
    pub id: CredentialId,
    /// Where to push from now on, if that has changed.
    pub push_token: Option<String>,
    /// Whether it starts its life again, if that is limited.
    pub resets_expiry: bool,
    /// When.
    pub at: Timestamp,
}

impl std::fmt::Debug for StoredCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredCredential")
            .field("id", &self.credential.id)
            .field("kind", &self.kind)
            .field("revoked_at", &self.revoked_at)
            .finish_non_exhaustive()
    }
}

/// A durable enrolment.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// The credential: the new one, or the same user's active one for the same key.
    pub credential: StoredCredential,
    /// Whether this very call enrolled it; `false` for a repeat.
    pub new: bool,
    /// Whether the recovery codes that came along are the user's now.
    pub codes_issued: bool,
}

/// Why a key was not enrolled.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EnrolError {
    /// Another user holds or held this key (T-23).
    #[error("the key belongs to another user")]
    KeyTaken,
    /// The key was enrolled before and revoked; revoked is for good (T-15).
    #[error("the key was revoked")]
    KeyRevoked,
    /// The credential id is in use.
    #[error("the credential id is in use")]
    IdTaken,
    /// The user has a phone already, and only the backend or that phone lets another in.
    #[error("the user has an authenticator already")]
    NeedsScope,
    /// The user lost their phones: a recovery code, a reset or the backend lets another in.
    #[error("the user must be recovered first")]
    NeedsRecovery,
    /// The recovery code has let another phone in.
    #[error("the recovery code has let another phone in")]
    CodeSpent,
    /// An administrator has reset the user since the token was made.
    #[error("the token is older than the reset of its user")]
    TokenOutdated,
    /// The store could not write.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a credential was not revoked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RevokeError {
    /// There is no such credential in this tenant.
    #[error("there is no such credential")]
    NotFound,
    /// The store could not write.
    #[error(transparent)]
    Store(#[from] StoreError),
}
