//! One unit of work for the writer: what to do, and whom to tell once it is durable.

use jiff::Timestamp;
use tokio::sync::oneshot::Sender;

use super::model::*;
use super::StoreError;

/// Where a unit's result goes after the commit.
pub(super) type Reply<T, E> = Sender<Result<T, E>>;

/// A verb that writes, with its arguments.
pub(super) enum Work {
    RecordDecision(Box<NewDecision>, Reply<Recorded, RecordError>),
    SetActionState(StateChange, Reply<Decision, StateChangeError>),
    CreateChallenge(Box<NewChallenge>, Reply<RecordedChallenge, StoreError>),
    Transition(TransitionRequest, Reply<Transitioned, TransitionError>),
    Enrol(Box<NewCredential>, Reply<Enrolled, EnrolError>),
    RevokeCredential {
        tenant: TenantId,
        id: CredentialId,
        actor: String,
        at: Timestamp,
        reply: Reply<StoredCredential, RevokeError>,
    },
    UpsertUser { tenant: TenantId, user: UserId, attributes: UserAttributes, at: Timestamp, reply: Reply<User, StoreError> },
    DeleteUser { tenant: TenantId, user: UserId, at: Timestamp, reply: Reply<(), DeleteUserError> },
    Consume(NewUse, Reply<Use, StoreError>),
    AddListEntry(NewListEntry, Reply<ListChange, StoreError>),
    RemoveListEntry {
        tenant: TenantId,
        list: String,
        value: String,
        actor: String,
        at: Timestamp,
        reply: Reply<ListChange, StoreError>,
    },
    ActivatePack(Box<NewPack>, Reply<ActivePack, StoreError>),
    PutTenant(NewTenant, Reply<Tenant, StoreError>),
    PutApiKey(NewApiKey, Reply<ApiKey, StoreError>),
    RevokeApiKey { tenant: TenantId, id: String, actor: String, at: Timestamp, reply: Reply<Option<ApiKey>, StoreError> },
    RecordRefusal(NewRefusal, Reply<Seq, StoreError>),
}
