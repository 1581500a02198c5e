//! Answers that would cost a database round trip: API keys, tenants, devices, idempotent answers.
//!
//! Never the source of truth: every entry is a copy of a committed row, is dropped when the row changes, and ages out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use challenge::{TenantId, UserId};
use engine::program::Program;
use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;

use crate::error::ApiError;
use crate::store::{ApiKey, Decision, DecisionKey, Store, StoreError, StoredCredential, Tenant, User, UserDevice};

/// How long a track token is given out again: it lives for ten minutes, and a screen needs some of them.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_mins(9);

/// All caches. Cloning shares them.
#[derive(Clone)]
pub struct Caches {
    keys: Cache<[u8; 32], Arc<ApiKey>>,
    tenants: Cache<TenantId, Arc<Tenant>>,
    devices: Cache<(TenantId, UserId), Arc<[StoredCredential]>>,
    users: Cache<(TenantId, UserId), Option<Arc<User>>>,
    /// The devices from which users act.
    seen: Cache<(TenantId, UserId), Arc<[UserDevice]>>,
    answers: Cache<DecisionKey, Arc<Answered>>,
    /// Track tokens that were given out, so that a repeat gets the same one while it is good. Never stored: whoever reads
    /// the database must not be able to open challenges.
    tokens: Cache<(DecisionKey, String), (Timestamp, Arc<str>)>,
    /// Packs that were in force once, by version; compiling one costs milliseconds.
    programs: Cache<String, Arc<Program>>,
    /// Counts what was forgotten. A reader whose row may be older than the last change takes its entry back.
    changes: Arc<AtomicU64>,
}

/// What an idempotent repeat needs of a decision.
#[derive(Clone, Debug)]
pub struct Answered {
    /// SHA-256 of the request that led to it.
    pub body_hash: [u8; 32],
    /// What the caller was told.
    pub answer: String,
}

impl From<&Decision> for Answered {
    fn from(decision: &Decision) -> Answered {
        Answered { body_hash: decision.body_hash, answer: decision.answer.clone() }
    }
}

impl Default for Caches {
    fn default() -> Caches {
        let aging = |seconds| Duration::from_secs(seconds);
        Caches {
            keys: Cache::builder().max_capacity(10_000).time_to_live(aging(30)).build(),
            tenants: Cache::builder().max_capacity(10_000).time_to_live(aging(30)).build(),
            devices: Cache::builder().max_capacity(50_000).time_to_live(aging(60)).build(),
            users: Cache::builder().max_capacity(50_000).time_to_live(aging(60)).build(),
            seen: Cache::builder().max_capacity(50_000).time_to_live(aging(60)).build(),
            answers: Cache::builder()
                .max_capacity(64 << 20)
                .weigher(|_, answered: &Arc<Answered>| u32::try_from(answered.answer.len() + 256).unwrap_or(u32::MAX))
                .time_to_live(aging(600))
                .build(),
            tokens: Cache::builder().max_capacity(50_000).time_to_live(aging(540)).build(),
            programs: Cache::builder().max_capacity(16).time_to_idle(aging(3600)).build(),
            changes: Arc::default(),
        }
    }
}

impl Caches {
    /// The API key with this hash. Only keys that exist are remembered, so that guessing cannot fill the cache.
    pub async fn api_key(&self, store: &Store, hash: &[u8; 32]) -> Result<Option<Arc<ApiKey>>, ApiError> {
        if let Some(key) = self.keys.get(hash) {
            return Ok(Some(key));
        }
        let before = self.changes();
        let key = store.api_key_by_hash(hash).await.map_err(refuse)?.map(Arc::new);
        if let Some(key) = &key {
            self.remember(&self.keys, *hash, key.clone(), before);
        }
        Ok(key)
    }

    /// Forgets an API key: it was revoked or changed.
    pub fn forget_api_key(&self, hash: &[u8; 32]) {
        self.changed();
        self.keys.invalidate(hash);
    }

    /// The tenant with this id, if there is one.
    pub async fn tenant(&self, store: &Store, id: &TenantId) -> Result<Option<Arc<Tenant>>, ApiError> {
        if let Some(tenant) = self.tenants.get(id) {
            return Ok(Some(tenant));
        }
        let tenant = store.tenant(id).await.map_err(refuse)?.map(Arc::new);
        if let Some(tenant) = &tenant {
            self.tenants.insert(id.clone(), tenant.clone());
        }
        Ok(tenant)
    }

    /// The track token with this scope that was given out for an attempt, or a fresh one if that one is forgotten or nearly over.
    pub fn token(
        &self,
        key: &DecisionKey,
        scope: &str,
        now: Timestamp,
        mint: impl FnOnce() -> Result<String, ApiError>,
    ) -> Result<Arc<str>, ApiError> {
        let asked = (key.clone(), scope.to_owned());
        match self.tokens.get(&asked) {
            Some((minted_at, token)) if now.duration_since(minted_at) < TOKEN_LIFE => Ok(token),
            Some(_) | None => {
                let token: Arc<str> = mint()?.into();
                self.tokens.insert(asked, (now, token.clone()));
                Ok(token)
            }
        }
    }

    /// A user's active devices.
    pub async fn devices(
        &self,
        store: &Store,
        tenant: &TenantId,
        user: &UserId,
    ) -> Result<Arc<[StoredCredential]>, ApiError> {
        let read = async { Ok(store.credentials(tenant, user).await?.into()) };
        self.of_user(&self.devices, tenant, user, read).await
    }

    /// The devices from which a user acts.
    pub async fn seen_devices(
        &self,
        store: &Store,
        tenant: &TenantId,
        user: &UserId,
    ) -> Result<Arc<[UserDevice]>, ApiError> {
        let read = async { Ok(store.user_devices(tenant, user).await?.into()) };
        self.of_user(&self.seen, tenant, user, read).await
    }

    /// What is known of a user.
    pub async fn user(&self, store: &Store, tenant: &TenantId, user: &UserId) -> Result<Option<Arc<User>>, ApiError> {
        let read = async { Ok(store.user(tenant, user).await?.map(Arc::new)) };
        self.of_user(&self.users, tenant, user, read).await
    }

    /// What a cache has of a user, or else what `read` finds, which is then remembered.
    async fn of_user<V>(
        &self,
        cache: &Cache<(TenantId, UserId), V>,
        tenant: &TenantId,
        user: &UserId,
        read: impl Future<Output = Result<V, StoreError>>,
    ) -> Result<V, ApiError>
    where
        V: Clone + Send + Sync + 'static,
    {
        let key = (tenant.clone(), user.clone());
        if let Some(known) = cache.get(&key) {
            return Ok(known);
        }
        // Before the reading begins: a future does nothing until it is awaited.
        let before = self.changes();
        let known = read.await.map_err(refuse)?;
        self.remember(cache, key, known.clone(), before);
        Ok(known)
    }

    /// Forgets what was read about a user: their attributes or devices changed. Call it after the commit.
    pub fn forget_user(&self, tenant: &TenantId, user: &UserId) {
        let key = (tenant.clone(), user.clone());
        self.changed();
        self.devices.invalidate(&key);
        self.users.invalidate(&key);
        self.seen.invalidate(&key);
    }

    /// Forgets the tokens that were given out: a reset or a deletion makes those of its user worthless, and a repeat must get a fresh
    /// one. Those of everybody, which stay good: both are rare, and a repeat gets another one that is as good.
    pub fn forget_tokens(&self) {
        self.tokens.invalidate_all();
    }

    /// Forgets which devices a user acts from: there is a new one, or one changed. Call it after the commit.
    pub fn forget_seen_devices(&self, tenant: &TenantId, user: &UserId) {
        self.changed();
        self.seen.invalidate(&(tenant.clone(), user.clone()));
    }

    /// The answer that was given under this key.
    pub async fn answered(&self, store: &Store, key: &DecisionKey) -> Result<Option<Arc<Answered>>, ApiError> {
        if let Some(answered) = self.answers.get(key) {
            return Ok(Some(answered));
        }
        let answered = store.decision_by_key(key).await.map_err(refuse)?.map(|row| Arc::new(Answered::from(&row)));
        if let Some(answered) = &answered {
            self.answers.insert(key.clone(), answered.clone());
        }
        Ok(answered)
    }

    /// A pack that was explained with lately.
    pub fn program(&self, version: &str) -> Option<Arc<Program>> {
        self.programs.get(version)
    }

    /// Keeps a compiled pack for the next explanation.
    pub fn remember_program(&self, version: &str, program: Arc<Program>) {
        self.programs.insert(version.to_owned(), program);
    }

    fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Remembers what was read when `before` changes had happened. A change since then either is seen here, or comes
    /// after the insertion and removes it: no stale row stays.
    fn remember<K, V>(&self, cache: &Cache<K, V>, key: K, value: V, before: u64)
    where
        K: std::hash::Hash + Eq + Clone + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        cache.insert(key.clone(), value);
        if self.changes() != before {
            cache.invalidate(&key);
        }
    }

    /// Remembers an answer that is durable.
    pub fn remember_answer(&self, key: DecisionKey, body_hash: [u8; 32], answer: String) {
        self.answers.insert(key, Arc::new(Answered { body_hash, answer }));
    }
}

/// A store that cannot answer, as the client is told.
pub fn refuse(error: StoreError) -> ApiError {
    match error {
        StoreError::Unavailable(_) | StoreError::Full(_) => ApiError::unavailable(error, 5),
        StoreError::Refused(_) | StoreError::Damaged(_) => ApiError::internal(error),
    }
}
