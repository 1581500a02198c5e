//! What happened and how things stand, durable.
//!
//! [`Store`] speaks in verbs of the domain. Every write is one [unit](verbs) that a single writer puts into a transaction
//! together with its audit entry; units that wait are committed together, without a timer. No verb returns before its
//! transaction is durable, and nothing outside this module contains SQL.
//!
//! A verb that fails with a [`StoreError`] wrote nothing, except that after [`StoreError::Unavailable`] it is unknown
//! whether the transaction under way reached the disk. A verb that refuses wrote nothing but its refusal.

mod error;
pub(crate) mod evidence;
mod look;
pub mod model;
mod races;
mod rows;
mod sqlite;
pub(crate) mod tables;
mod verbs;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::audit::{Checkpoint, LogSigner};
pub use error::{OpenError, StoreError};
pub use look::{Found, Glance, LoggedEntry, LookError, entries_of, glance};
pub use model::*;
pub use races::Challenges;

/// Where the store is and who signs its log.
#[derive(Debug, Clone)]
pub struct Options {
    /// The SQLite file. The checkpoint file is beside it: [`Options::checkpoint_path`].
    pub path: PathBuf,
    /// The key that signs checkpoints; its name is the log's origin.
    pub signer: Arc<LogSigner>,
    /// How many reader connections to keep.
    pub readers: u32,
    /// Which webhooks hear of what.
    pub subscriptions: Arc<Subscriptions>,
}

impl Options {
    /// Four readers, and nobody to tell.
    pub fn new(path: impl Into<PathBuf>, signer: Arc<LogSigner>) -> Self {
        Self { path: path.into(), signer, readers: 4, subscriptions: Arc::default() }
    }

    /// `audit.checkpoint` beside the database: the newest signed checkpoint, so that a truncated or restored database is
    /// noticed.
    pub fn checkpoint_path(&self) -> PathBuf {
        crate::audit::checkpoint_path(&self.path)
    }
}

/// The store. Cloning shares it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<sqlite::Sqlite>,
}

/// Whether the store takes writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Writing,
    /// The disk was full at the last attempt; the next write tries again, and reads work.
    Full(Arc<str>),
    /// It does not any more, for this reason; reads still work.
    ReadOnly(Arc<str>),
}

impl Store {
    /// Opens, creates or migrates the database and checks that its log continues what was last signed.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        Ok(Self { inner: Arc::new(sqlite::Sqlite::open(options).await?) })
    }

    /// Whether writes are taken.
    pub fn health(&self) -> Health {
        self.inner.health()
    }

    /// Writes what waits, then the checkpoint file, then closes. Later writes are refused.
    pub async fn close(&self) {
        self.inner.close().await;
    }

    // --- decisions ---

    /// Records a decision with its event, challenge, list effects and audit entry.
    pub async fn record_decision(&self, decision: NewDecision) -> Result<Recorded, RecordError> {
        self.inner.submit(verbs::RecordDecision(decision)).await
    }

    /// Sets the state of an action from outside, and takes back what phones were asked about it.
    pub async fn set_action_state(&self, change: StateChange) -> Result<StateChanged, StateChangeError> {
        self.inner.submit(verbs::SetActionState(change)).await
    }

    /// The decision with this name on the wire.
    pub async fn decision_by_key(&self, key: &DecisionKey) -> Result<Option<Decision>, StoreError> {
        self.inner.decision_by_key(key).await
    }

    /// The decision with this id.
    pub async fn decision(&self, tenant: &TenantId, id: DecisionId) -> Result<Option<Decision>, StoreError> {
        self.inner.decision(tenant, id).await
    }

    /// The replay input recorded with a decision; `None` if there is no such decision or it was erased.
    pub async fn decision_record(&self, tenant: &TenantId, id: DecisionId) -> Result<Option<String>, StoreError> {
        self.inner.decision_record(tenant, id).await
    }

    /// Decisions, newest first.
    pub async fn decisions(
        &self,
        tenant: &TenantId,
        filter: &DecisionFilter,
        page: &PageRequest,
    ) -> Result<Page<Decision>, StoreError> {
        self.inner.decisions(tenant, filter, page).await
    }

    // --- challenges ---

    /// Keeps a challenge that no decision made (an anonymous or refreshed QR).
    pub async fn create_challenge(&self, challenge: NewChallenge) -> Result<RecordedChallenge, CreateError> {
        self.inner.submit(verbs::CreateChallenge(challenge)).await
    }

    /// Takes one step of a challenge's life. Of concurrent steps that exclude each other exactly one succeeds.
    pub async fn transition(&self, request: TransitionRequest) -> Result<Transitioned, TransitionError> {
        self.inner.submit(verbs::Transition(request)).await
    }

    /// The challenge with this id.
    pub async fn challenge(&self, tenant: &TenantId, id: ChallengeId) -> Result<Option<StoredChallenge>, StoreError> {
        self.inner.challenge(tenant, id).await
    }

    /// A user's challenges that are open at `now`, newest first.
    pub async fn open_challenges(
        &self,
        tenant: &TenantId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<Vec<StoredChallenge>, StoreError> {
        self.inner.open_challenges(tenant, user, now).await
    }

    /// A user's challenges made at or after `since`, newest first, whatever became of them: what limits on prompts count.
    pub async fn challenges_since(
        &self,
        tenant: &TenantId,
        user: &UserId,
        since: Timestamp,
    ) -> Result<Vec<StoredChallenge>, StoreError> {
        self.inner.challenges_since(tenant, user, since).await
    }

    /// All tenants' challenges made for a known user at or after `since`, oldest first: what limits on prompts rebuild
    /// themselves from.
    pub async fn prompts_since(&self, since: Timestamp) -> Result<Vec<Prompt>, StoreError> {
        self.inner.prompts_since(since).await
    }

    /// The newest challenge that a decision asked for.
    pub async fn latest_challenge_of(
        &self,
        tenant: &TenantId,
        decision: DecisionId,
    ) -> Result<Option<StoredChallenge>, StoreError> {
        self.inner.latest_challenge_of(tenant, decision).await
    }

    /// Up to `limit` challenges of all tenants whose time is over at `now` but which are still open: the expiry worker's.
    pub async fn overdue_challenges(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(TenantId, ChallengeId)>, StoreError> {
        self.inner.overdue_challenges(now, limit).await
    }

    /// When the next open challenge of any tenant expires.
    pub async fn next_expiry(&self) -> Result<Option<Timestamp>, StoreError> {
        self.inner.next_expiry().await
    }

    // --- credentials ---

    /// Enrols a device key; the same user's repeat of an active key finds the first enrolment.
    pub async fn enrol(&self, credential: NewCredential) -> Result<Enrolled, EnrolError> {
        self.inner.submit(verbs::Enrol(credential)).await
    }

    /// Revokes a credential for good; a repeat finds it revoked. `actor` is an API key id, a credential id or a reason
    /// and must not name a person.
    pub async fn revoke_credential(
        &self,
        tenant: &TenantId,
        id: &CredentialId,
        actor: &str,
        at: Timestamp,
    ) -> Result<StoredCredential, RevokeError> {
        let (tenant, id, actor) = (tenant.clone(), id.clone(), actor.to_owned());
        self.inner.submit(verbs::RevokeCredential { tenant, id, actor, at }).await
    }

    /// Takes note of what a phone has proven to want for its own credential. A revoked one is refused as unknown.
    pub async fn refresh_credential(&self, refresh: CredentialRefresh) -> Result<StoredCredential, RevokeError> {
        self.inner.submit(verbs::RefreshCredential(refresh)).await
    }

    /// The credential with this id, revoked or not.
    pub async fn credential(
        &self,
        tenant: &TenantId,
        id: &CredentialId,
    ) -> Result<Option<StoredCredential>, StoreError> {
        self.inner.credential(tenant, id).await
    }

    /// The credential with this public key (SPKI DER), revoked or not.
    pub async fn credential_by_key(
        &self,
        tenant: &TenantId,
        kind: &str,
        public_key: &[u8],
    ) -> Result<Option<StoredCredential>, StoreError> {
        self.inner.credential_by_key(tenant, kind, public_key).await
    }

    /// A user's active credentials, oldest first.
    pub async fn credentials(&self, tenant: &TenantId, user: &UserId) -> Result<Vec<StoredCredential>, StoreError> {
        self.inner.credentials(tenant, user).await
    }

    /// Whether a phone is another one than the user's very first, or was enrolled after a recovery or reset: one that a
    /// thief may have added. It stays so.
    pub async fn is_later_phone(&self, tenant: &TenantId, id: &CredentialId) -> Result<bool, StoreError> {
        self.inner.is_later_phone(tenant, id).await
    }

    // --- terminals ---

    /// Registers a terminal's key. Another key under the same id takes the old one's place; the same says the same again.
    pub async fn register_terminal(&self, terminal: NewTerminal) -> Result<TerminalChanged, RegisterError> {
        self.inner.submit(verbs::RegisterTerminal(terminal)).await
    }

    /// Revokes a terminal's key for good, and takes back the challenges that it has on its screen; a repeat finds it revoked.
    /// `actor` must not name a person.
    pub async fn revoke_terminal(
        &self,
        tenant: &TenantId,
        id: &TerminalId,
        actor: &str,
        at: Timestamp,
    ) -> Result<TerminalChanged, RevokeTerminalError> {
        let (tenant, id, actor) = (tenant.clone(), id.clone(), actor.to_owned());
        self.inner.submit(verbs::RevokeTerminal { tenant, id, actor, at }).await
    }

    /// The terminal with this id, unless revoked.
    pub async fn terminal(&self, tenant: &TenantId, id: &TerminalId) -> Result<Option<RegisteredTerminal>, StoreError> {
        self.inner.terminal(tenant, id).await
    }

    /// Every key that a terminal has or had, by id and age.
    pub async fn terminals(&self, tenant: &TenantId) -> Result<Vec<RegisteredTerminal>, StoreError> {
        self.inner.terminals(tenant).await
    }

    // --- recovery ---

    /// Issues recovery codes; those that were issued before are worth nothing from now on.
    pub async fn issue_recovery_codes(
        &self,
        tenant: &TenantId,
        user: &UserId,
        codes: NewRecoveryCodes,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (tenant, user, actor) = (tenant.clone(), user.clone(), actor.to_owned());
        self.inner.submit(verbs::IssueRecoveryCodes { tenant, user, codes, actor, at }).await
    }

    /// The codes that were issued to a user last, used ones included; empty if all were withdrawn.
    pub async fn recovery_codes(&self, tenant: &TenantId, user: &UserId) -> Result<Vec<RecoveryCode>, StoreError> {
        self.inner.recovery_codes(tenant, user).await
    }

    /// Counts a code that was typed, before it is looked at; refused ones are not counted. Of any number of concurrent ones
    /// no more are let through than the limit says, whatever becomes of them, and a restart forgets none.
    pub async fn count_guess(&self, guess: NewGuess) -> Result<(), GuessError> {
        self.inner.submit(verbs::CountGuess(guess)).await
    }

    /// Uses a code up, for one thing. Of any number of concurrent uses exactly one succeeds.
    pub async fn use_recovery_code(&self, used: RecoveryCodeUse) -> Result<RecoveryCodeUsed, RecoveryCodeError> {
        self.inner.submit(verbs::UseRecoveryCode(used)).await
    }

    /// Revokes a user's phones and recovery codes, takes their open challenges back, and permits one enrolment. Finds the
    /// earlier reset if this one has its idempotency key, or would change nothing.
    pub async fn reset_user(&self, reset: NewReset) -> Result<ResetDone, StoreError> {
        self.inner.submit(verbs::ResetUser(reset)).await
    }

    /// The reset that a caller's key names.
    pub async fn reset_by_key(&self, tenant: &TenantId, user: &UserId, key: &str) -> Result<Option<Reset>, StoreError> {
        self.inner.reset_by_key(tenant, user, key).await
    }

    /// Where a user stands with recovery.
    pub async fn recovery_standing(&self, tenant: &TenantId, user: &UserId) -> Result<RecoveryStanding, StoreError> {
        self.inner.recovery_standing(tenant, user).await
    }

    /// When everything was last taken from a user, by a reset or a deletion.
    pub async fn began_anew(&self, tenant: &TenantId, user: &UserId) -> Result<Option<Timestamp>, StoreError> {
        self.inner.began_anew(tenant, user).await
    }

    // --- users ---

    /// Creates the user if need be and sets the attributes that are given.
    pub async fn upsert_user(
        &self,
        tenant: &TenantId,
        user: &UserId,
        attributes: UserAttributes,
        at: Timestamp,
    ) -> Result<User, StoreError> {
        let (tenant, user) = (tenant.clone(), user.clone());
        self.inner.submit(verbs::UpsertUser { tenant, user, attributes, at }).await
    }

    /// Forgets a user's attributes, revokes their credentials, sessions and recovery codes, and takes back the open challenges, which
    /// it returns. Decisions stay; tokens of before enrol nothing any more.
    pub async fn delete_user(
        &self,
        tenant: &TenantId,
        user: &UserId,
        at: Timestamp,
    ) -> Result<Vec<Transitioned>, DeleteUserError> {
        let (tenant, user) = (tenant.clone(), user.clone());
        self.inner.submit(verbs::DeleteUser { tenant, user, at }).await
    }

    /// The user with this id, unless deleted.
    pub async fn user(&self, tenant: &TenantId, user: &UserId) -> Result<Option<User>, StoreError> {
        self.inner.user(tenant, user).await
    }

    /// Users that were not deleted, by id.
    pub async fn users(
        &self,
        tenant: &TenantId,
        filter: &UserFilter,
        page: &PageRequest,
    ) -> Result<Page<User>, StoreError> {
        self.inner.users(tenant, filter, page).await
    }

    // --- things that work once ---

    /// Uses up a token, a nonce, a removal window. Of any number of concurrent uses exactly one is [`Use::First`].
    pub async fn consume(&self, thing: NewUse) -> Result<Use, StoreError> {
        self.inner.submit(verbs::Consume(thing)).await
    }

    // --- the devices from which users act ---

    /// A user's devices, in the order in which they were first seen.
    pub async fn user_devices(&self, tenant: &TenantId, user: &UserId) -> Result<Vec<UserDevice>, StoreError> {
        self.inner.user_devices(tenant, user).await
    }

    /// Remembers a user on a device, or takes that or the device back. Writes nothing if it is so already. `actor` must not
    /// name a person.
    pub async fn change_device(
        &self,
        tenant: &TenantId,
        user: &UserId,
        device: &str,
        change: DeviceChange,
        actor: &str,
        at: Timestamp,
    ) -> Result<UserDevice, DeviceError> {
        let (tenant, user) = (tenant.clone(), user.clone());
        let (device, actor) = (device.to_owned(), actor.to_owned());
        self.inner.submit(verbs::ChangeDevice { tenant, user, device, change, actor, at }).await
    }

    // --- sessions ---

    /// Begins a session and uses up the token it is given for, in one step. Of any number of concurrent calls with the
    /// same token exactly one begins a session.
    pub async fn begin_session(&self, session: NewSession) -> Result<Begun, StoreError> {
        self.inner.submit(verbs::BeginSession(session)).await
    }

    /// Takes a refresh token. One that was used before ends the session.
    pub async fn refresh_session(&self, refresh: Refresh) -> Result<Refreshed, StoreError> {
        self.inner.submit(verbs::RefreshSession(refresh)).await
    }

    /// Ends a session; one that is over or was never there stays so. `actor` must not name a person.
    pub async fn revoke_session(
        &self,
        tenant: &TenantId,
        id: SessionId,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (tenant, actor) = (tenant.clone(), actor.to_owned());
        self.inner.submit(verbs::RevokeSession { tenant, id, actor, at }).await
    }

    /// Ends all sessions of a user and says how many were open.
    pub async fn revoke_sessions(
        &self,
        tenant: &TenantId,
        user: &UserId,
        actor: &str,
        at: Timestamp,
    ) -> Result<u32, StoreError> {
        let (tenant, user, actor) = (tenant.clone(), user.clone(), actor.to_owned());
        self.inner.submit(verbs::RevokeSessions { tenant, user, actor, at }).await
    }

    /// The session with this id, over or not.
    pub async fn session(&self, tenant: &TenantId, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.inner.session(tenant, id).await
    }

    // --- lists and packs ---

    /// Puts a value on a managed list, or extends its stay.
    pub async fn add_list_entry(&self, entry: NewListEntry) -> Result<ListChange, StoreError> {
        self.inner.submit(verbs::AddListEntry(entry)).await
    }

    /// Takes a value off a managed list.
    pub async fn remove_list_entry(
        &self,
        tenant: &TenantId,
        list: &str,
        value: &str,
        actor: &str,
        at: Timestamp,
    ) -> Result<ListChange, StoreError> {
        let (tenant, list, value, actor) = (tenant.clone(), list.to_owned(), value.to_owned(), actor.to_owned());
        self.inner.submit(verbs::RemoveListEntry { tenant, list, value, actor, at }).await
    }

    /// The values on a tenant's managed lists (one list, or all) that have not expired at `now`, in a fixed order.
    pub async fn list_entries(
        &self,
        tenant: &TenantId,
        list: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<ListEntry>, StoreError> {
        self.inner.list_entries(tenant, list, now).await
    }

    /// Keeps a pack by its content hash and puts it into force.
    pub async fn activate_pack(&self, pack: NewPack) -> Result<ActivePack, StoreError> {
        self.inner.submit(verbs::ActivatePack(pack)).await
    }

    /// The pack in force.
    pub async fn active_pack(&self, tenant: &TenantId) -> Result<Option<ActivePack>, StoreError> {
        self.inner.active_pack(tenant).await
    }

    /// The files of a pack that was once in force, as `NewPack::archive` held them.
    pub async fn pack_archive(&self, tenant: &TenantId, version: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.pack_archive(tenant, version).await
    }

    // --- tenants and keys ---

    /// Creates a tenant or changes its name and settings. Writes nothing if they are so already.
    pub async fn put_tenant(&self, tenant: NewTenant) -> Result<Tenant, StoreError> {
        self.inner.submit(verbs::PutTenant(tenant)).await
    }

    /// The tenant with this id.
    pub async fn tenant(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        self.inner.tenant(id).await
    }

    /// Every tenant, by id.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        self.inner.tenants().await
    }

    /// Adds an API key, or changes its role and name. Writes nothing if they are so already.
    pub async fn put_api_key(&self, key: NewApiKey) -> Result<ApiKey, StoreError> {
        self.inner.submit(verbs::PutApiKey(key)).await
    }

    /// Revokes an API key; `None` if there is no such key.
    pub async fn revoke_api_key(
        &self,
        tenant: &TenantId,
        id: &str,
        actor: &str,
        at: Timestamp,
    ) -> Result<Option<ApiKey>, StoreError> {
        let (tenant, id, actor) = (tenant.clone(), id.to_owned(), actor.to_owned());
        self.inner.submit(verbs::RevokeApiKey { tenant, id, actor, at }).await
    }

    /// The key whose secret has this SHA-256, unless revoked. Not tenant-bound: the key says whose it is.
    pub async fn api_key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        self.inner.api_key_by_hash(hash).await
    }

    /// A tenant's API keys, revoked ones included.
    pub async fn api_keys(&self, tenant: &TenantId) -> Result<Vec<ApiKey>, StoreError> {
        self.inner.api_keys(tenant).await
    }

    // --- webhooks ---

    /// Tells the tenant's webhooks of something that no other verb does, with an audit entry of its own. What a verb does
    /// is told on its own entry instead.
    pub async fn tell(&self, tenant: &TenantId, event: Event, at: Timestamp) -> Result<Seq, StoreError> {
        self.inner.submit(verbs::Tell { tenant: tenant.clone(), event, at }).await
    }

    /// Changes whenever there is something new to deliver.
    pub fn outbox(&self) -> tokio::sync::watch::Receiver<()> {
        self.inner.outbox()
    }

    /// Up to `limit` deliveries to one endpoint whose time has come, the one that waits longest first.
    pub async fn due_deliveries(
        &self,
        tenant: &TenantId,
        endpoint: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.inner.due_deliveries(tenant, endpoint, now, limit).await
    }

    /// How many deliveries wait, for each endpoint that has any, configured or not.
    pub async fn waiting_deliveries(&self) -> Result<Vec<(TenantId, String, u64)>, StoreError> {
        self.inner.waiting_deliveries().await
    }

    /// Writes down what an attempt came to. A delivery that has ended meanwhile stays as it is.
    pub async fn settle_delivery(
        &self,
        delivery: &Delivery,
        attempted: Attempted,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (number, event) = (delivery.number, delivery.event);
        self.inner.submit(verbs::SettleDelivery { number, event, attempted, at }).await
    }

    /// Deliveries that were given up, newest first.
    pub async fn dead_letters(
        &self,
        tenant: &TenantId,
        which: &DeadLetters,
        page: &PageRequest,
    ) -> Result<Page<Delivery>, StoreError> {
        self.inner.dead_letters(tenant, which, page).await
    }

    /// Gives dead letters all their attempts again, from now on. Says how many.
    pub async fn redeliver(
        &self,
        tenant: &TenantId,
        which: DeadLetters,
        actor: &str,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let (tenant, actor) = (tenant.clone(), actor.to_owned());
        self.inner.submit(verbs::Redeliver { tenant, which, actor, at }).await
    }

    /// Deletes up to `limit` rows each of what was delivered and of what died before these times. Says how many.
    pub async fn prune_outbox(
        &self,
        delivered_before: Timestamp,
        dead_before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.inner.submit(verbs::PruneOutbox { delivered_before, dead_before, limit }).await
    }

    // --- the log ---

    /// Writes an audit entry of a refusal that never reached a verb (a bad signature on an unknown challenge, a foreign
    /// secret). `facts` must hold nothing personal.
    pub async fn record_refusal(&self, refusal: NewRefusal) -> Result<Seq, StoreError> {
        self.inner.submit(verbs::RecordRefusal(refusal)).await
    }

    /// Up to `limit` steps of all tenants after audit entry `after` (`None`: from the beginning), in commit order. An
    /// empty answer is the end.
    pub async fn journal(&self, after: Option<Seq>, limit: u32) -> Result<Vec<JournalEntry>, StoreError> {
        self.inner.journal(after, limit).await
    }

    /// The newest signed checkpoint, as a signed note; `None` while the log is empty.
    pub async fn checkpoint(&self) -> Result<Option<String>, StoreError> {
        self.inner.checkpoint().await
    }

    /// The time of the log's last entry.
    pub async fn log_time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.inner.log_time().await
    }

    /// How many entries the log has, and their root.
    pub async fn log_head(&self) -> Result<Checkpoint, StoreError> {
        self.inner.log_head().await
    }

    /// The canonical bytes of one tenant's audit entry.
    pub async fn audit_leaf(&self, tenant: &TenantId, seq: Seq) -> Result<Option<String>, StoreError> {
        self.inner.audit_leaf(tenant, seq).await
    }
}
