//! The rules in force and the past they read, per tenant.
//!
//! A pack is compiled at start (or the service does not start), and again when its files change; a pack that does not
//! compile is reported and changes nothing. History is rebuilt from the journal before a pack that asks other questions
//! takes over, so no window ever starts from a guess.

mod judging;
mod load;
mod past;
mod reload;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use challenge::{ActionCode, IdempotencyKey, TenantId, UserId};
use engine::lists::{ListState, parse_entry};
use engine::program::Program;
use engine::status::Status;
use engine::value::Value;
use jiff::Timestamp;
use serde_json::json;

use crate::app::StartError;
use crate::clock::Clock;
use crate::config::Config;
use crate::packs::ReadPackError;
use crate::store::{ActionState, Settlement, Store, StoreError};
pub use judging::Judging;
pub use load::{Loaded, PackRefused};
use past::Past;
pub use past::{JournalLine, When};
pub use reload::watch;

/// All tenants' policies. Cloning shares them.
#[derive(Clone)]
pub struct Policies(Arc<Tenants>);

struct Tenants {
    open: RwLock<HashMap<TenantId, Arc<TenantPolicies>>>,
    /// The pack of tenants that have none of their own.
    default: Mutex<(PathBuf, Loaded)>,
    clock: Arc<dyn Clock>,
}

/// One tenant's policies.
pub struct TenantPolicies {
    tenant: TenantId,
    folder: PathBuf,
    /// Held for reading from an event's observation until its commit, for writing while a pack takes over.
    turnstile: tokio::sync::RwLock<()>,
    loaded: ArcSwap<Loaded>,
    lists: ArcSwap<ListState>,
    past: Mutex<Past>,
    failure: ArcSwapOption<ReloadFailure>,
}

/// A pack that is not where the configuration says is the operator's matter, not its author's.
fn names_the_key(key: String, refused: PackRefused) -> StartError {
    match refused {
        PackRefused::Unreadable(cause @ (ReadPackError::Unreadable { .. } | ReadPackError::NoRules(_))) => {
            let why = format!("{cause}; name the folder of a pack, as `stepup new` writes one");
            StartError::Config { key, why }
        }
        PackRefused::Unreadable(cause) => StartError::Config { key, why: cause.to_string() },
        refused @ (PackRefused::Wrong { .. } | PackRefused::Broken(_)) => StartError::Pack(refused),
    }
}

/// Why the last reload changed nothing.
#[derive(Clone, Debug)]
pub struct ReloadFailure {
    /// When it was tried.
    pub at: Timestamp,
    /// The rendered diagnostics.
    pub report: String,
}

impl Policies {
    /// Compiles every tenant's pack and rebuilds every tenant's history.
    pub async fn start(config: &Config, store: &Store, clock: Arc<dyn Clock>) -> Result<Policies, StartError> {
        let default = load::load(config.policies.pack.clone())
            .await
            .map_err(|error| names_the_key("policies.pack".to_owned(), error))?;
        let policies = Policies(Arc::new(Tenants {
            open: RwLock::default(),
            default: Mutex::new((config.policies.pack.clone(), default.clone())),
            clock,
        }));
        for tenant in store.tenants().await? {
            let folder = config.pack(tenant.id.as_str()).to_owned();
            let loaded = if folder == config.policies.pack {
                default.clone()
            } else {
                let key = format!("tenants.{}.pack", tenant.id);
                load::load(folder.clone()).await.map_err(|error| names_the_key(key, error))?
            };
            load::activate(store, &tenant.id, &loaded, policies.0.clock.now()).await?;
            let past = Past::empty(&loaded.program);
            let opened = TenantPolicies::new(tenant.id, folder, loaded, past);
            opened.read_lists(store, policies.0.clock.now()).await?;
            policies.insert(opened);
        }
        policies.rebuild(store).await?;
        Ok(policies)
    }

    /// Reads the journal once and gives every tenant its past back.
    async fn rebuild(&self, store: &Store) -> Result<(), StoreError> {
        let all: HashMap<TenantId, Arc<TenantPolicies>> = self.read().clone();
        past::replay(store, None, |tenant, step| {
            if let Some(policies) = all.get(tenant) {
                policies.past().remember(&policies.program(), &policies.lists.load(), step);
            }
        })
        .await
        .map(drop)
    }

    /// A tenant that was just created: it has no past.
    pub async fn create(&self, store: &Store, tenant: &TenantId) -> Result<(), StoreError> {
        if self.read().contains_key(tenant) {
            return Ok(());
        }
        let (folder, loaded) = self.default();
        load::activate(store, tenant, &loaded, self.0.clock.now()).await?;
        let past = Past::empty(&loaded.program);
        self.insert(TenantPolicies::new(tenant.clone(), folder, loaded, past));
        Ok(())
    }

    /// A tenant's policies. One that somebody else created while we run has a past we have not read: its windows say
    /// "at least" until the next start.
    pub fn of(&self, tenant: &TenantId) -> Arc<TenantPolicies> {
        if let Some(policies) = self.read().get(tenant) {
            return policies.clone();
        }
        let (folder, loaded) = self.default();
        let past = Past::unknown_before(&loaded.program, self.0.clock.now());
        self.insert(TenantPolicies::new(tenant.clone(), folder, loaded, past))
    }

    /// Tells history how an earlier event ended. Call it after the commit.
    pub fn settle(
        &self,
        tenant: &TenantId,
        user: &UserId,
        action: &ActionCode,
        key: &IdempotencyKey,
        status: Status,
        at: Timestamp,
    ) {
        let policies = self.of(tenant);
        let (program, lists) = (policies.program(), policies.lists.load());
        let reference = crate::decode::reference(action, key);
        policies.past().settle(&program, &lists, user.as_str(), &reference, status, at);
    }

    /// For `/readyz`: versions in force and reloads that failed, without naming tenants.
    pub fn report(&self) -> serde_json::Value {
        let open = self.read();
        let failed = open.values().filter(|policies| policies.failure.load().is_some()).count();
        let mut versions: Vec<String> = open.values().map(|policies| policies.program().version().to_owned()).collect();
        versions.sort();
        versions.dedup();
        json!({"tenants": open.len(), "versions": versions, "failedReloads": failed})
    }

    fn tenants(&self) -> Vec<Arc<TenantPolicies>> {
        self.read().values().cloned().collect()
    }

    fn default(&self) -> (PathBuf, Loaded) {
        self.0.default.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn insert(&self, policies: TenantPolicies) -> Arc<TenantPolicies> {
        let mut open = self.0.open.write().unwrap_or_else(PoisonError::into_inner);
        // Of two that open the same tenant the first stays: it may have observed something already.
        open.entry(policies.tenant.clone()).or_insert_with(|| Arc::new(policies)).clone()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<TenantId, Arc<TenantPolicies>>> {
        self.0.open.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TenantPolicies {
    fn new(tenant: TenantId, folder: PathBuf, loaded: Loaded, past: Past) -> TenantPolicies {
        TenantPolicies {
            tenant,
            folder,
            turnstile: tokio::sync::RwLock::new(()),
            loaded: ArcSwap::from_pointee(loaded),
            lists: ArcSwap::from_pointee(ListState::default()),
            past: Mutex::new(past),
            failure: ArcSwapOption::empty(),
        }
    }

    /// The program in force.
    pub fn program(&self) -> Arc<Program> {
        self.loaded.load().program.clone()
    }

    /// The pack's name.
    pub fn name(&self) -> String {
        self.loaded.load().name.clone()
    }

    /// Why the last reload changed nothing, if it failed.
    pub fn failure(&self) -> Option<Arc<ReloadFailure>> {
        self.failure.load_full()
    }

    /// A value was put on a managed list. Call it after the commit.
    pub fn list_added(&self, list: &str, value: &Value, until: Option<Timestamp>) {
        self.lists.rcu(|lists| {
            let mut lists = ListState::clone(lists);
            lists.add(list, value, until);
            lists
        });
    }

    /// A value was taken off a managed list. Call it after the commit.
    pub fn list_removed(&self, list: &str, value: &Value) {
        self.lists.rcu(|lists| {
            let mut lists = ListState::clone(lists);
            lists.remove(list, value);
            lists
        });
    }

    /// Reads the managed lists from the store, as the program in force types them.
    async fn read_lists(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let entries = store.list_entries(&self.tenant, None, now).await?;
        let program = self.program();
        let mut lists = ListState::default();
        for entry in entries {
            let element = program.managed_lists().find(|(name, _)| *name == entry.list).map(|(_, element)| element);
            // A list that the pack no longer has is asked by nobody.
            if let Some(value) = element.and_then(|element| parse_entry(&entry.value, element)) {
                lists.add(&entry.list, &value, entry.expires_at);
            }
        }
        self.lists.store(Arc::new(lists));
        Ok(())
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a state set from outside means for history; a review leaves the event as it is.
pub fn status_of(state: ActionState) -> Option<Status> {
    match state {
        ActionState::Allow => Some(Status::Allowed),
        ActionState::Block => Some(Status::Blocked),
        ActionState::ChallengeRequired => Some(Status::Challenged),
        ActionState::ChallengeSucceeded => Some(Status::Verified),
        ActionState::ChallengeFailed => Some(Status::Declined),
        ActionState::ReviewRequired | ActionState::ReviewSucceeded | ActionState::ReviewFailed => None,
    }
}

/// What the end of a challenge means for history; of a superseded one, the successor will tell.
fn status_after(how: Settlement) -> Option<Status> {
    match how {
        Settlement::Succeeded => Some(Status::Verified),
        Settlement::Declined => Some(Status::Declined),
        Settlement::Expired => Some(Status::Expired),
        Settlement::Superseded => None,
        Settlement::Set(state) => status_of(state),
    }
}
