//! The verbs that write, as values: what the writer is handed.

use jiff::Timestamp;

use super::model::*;

pub(super) struct RecordDecision(pub NewDecision);
pub(super) struct SetActionState(pub StateChange);
pub(super) struct CreateChallenge(pub NewChallenge);
pub(super) struct Transition(pub TransitionRequest);
pub(super) struct Enrol(pub NewCredential);
pub(super) struct RevokeCredential {
    pub tenant: TenantId,
    pub id: CredentialId,
    pub actor: String,
    pub at: Timestamp,
}
pub(super) struct IssueRecoveryCodes {
    pub tenant: TenantId,
    pub user: UserId,
    pub codes: NewRecoveryCodes,
    pub actor: String,
    pub at: Timestamp,
}
pub(super) struct CountGuess(pub NewGuess);
pub(super) struct UseRecoveryCode(pub RecoveryCodeUse);
pub(super) struct ResetUser(pub NewReset);
pub(super) struct RefreshCredential(pub CredentialRefresh);
pub(super) struct UpsertUser {
    pub tenant: TenantId,
    pub user: UserId,
    pub attributes: UserAttributes,
    pub at: Timestamp,
}
pub(super) struct DeleteUser {
    pub tenant: TenantId,
    pub user: UserId,
    pub at: Timestamp,
}
pub(super) struct Consume(pub NewUse);
pub(super) struct ChangeDevice {
    pub tenant: TenantId,
    pub user: UserId,
    pub device: String,
    pub change: DeviceChange,
    pub actor: String,
    pub at: Timestamp,
}
pub(super) struct BeginSession(pub NewSession);
pub(super) struct RefreshSession(pub Refresh);
pub(super) struct RevokeSession {
    pub tenant: TenantId,
    pub id: SessionId,
    pub actor: String,
    pub at: Timestamp,
}
pub(super) struct RevokeSessions {
    pub tenant: TenantId,
    pub user: UserId,
    pub actor: String,
    pub at: Timestamp,
}
pub(super) struct AddListEntry(pub NewListEntry);
pub(super) struct RemoveListEntry {
    pub tenant: TenantId,
    pub list: String,
    pub value: String,
    pub actor: String,
    pub at: Timestamp,
}
pub(super) struct ActivatePack(pub NewPack);
pub(super) struct PutTenant(pub NewTenant);
pub(super) struct PutApiKey(pub NewApiKey);
pub(super) struct RevokeApiKey {
    pub tenant: TenantId,
    pub id: String,
    pub actor: String,
    pub at: Timestamp,
}
pub(super) struct Tell {
    pub tenant: TenantId,
    pub event: Event,
    pub at: Timestamp,
}
pub(super) struct SettleDelivery {
    pub number: i64,
    pub event: uuid::Uuid,
    pub attempted: Attempted,
    pub at: Timestamp,
}
pub(super) struct Redeliver {
    pub tenant: TenantId,
    pub which: DeadLetters,
    pub actor: String,
    pub at: Timestamp,
}
pub(super) struct PruneOutbox {
    pub delivered_before: Timestamp,
    pub dead_before: Timestamp,
    pub limit: u32,
}
pub(super) struct RegisterTerminal(pub NewTerminal);
pub(super) struct RevokeTerminal {
    pub tenant: TenantId,
    pub id: TerminalId,
    pub actor: String,
    pub at: Timestamp,
}
pub(super) struct RecordRefusal(pub NewRefusal);
