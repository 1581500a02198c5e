//! How much anyone may ask of us: GCRA (governor) per API key, tenant, client address and challenge.
//!
//! Memory is bounded: a table holds at most [`CAPACITY`] keys. When it is full, only keys that are idle (their bucket
//! is full again) are forgotten; a new key then shares one overflow bucket, so a flood of made-up keys can neither
//! exhaust memory nor wash out the limit of somebody who is being counted.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use challenge::ChallengeId;
use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::{Quota, RateLimiter};
use serde::Deserialize;

use crate::clock::Clock;
use crate::error::{ApiError, Problem};

/// Most keys one table remembers (about 100 bytes each).
pub const CAPACITY: usize = 100_000;
const SHARDS: usize = 16;
const SWEEP_EVERY_NS: u64 = 1_000_000_000;

/// A limit as the operator writes it: `{ per_minute = 600, burst = 100 }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Sustained requests per minute.
    pub per_minute: NonZeroU32,
    /// How many may come at once.
    pub burst: NonZeroU32,
}

impl Limit {
    /// A limit from plain numbers; zero counts as one.
    pub const fn new(per_minute: u32, burst: u32) -> Limit {
        Limit { per_minute: nonzero(per_minute), burst: nonzero(burst) }
    }

    fn quota(self) -> Quota {
        Quota::per_minute(self.per_minute).allow_burst(self.burst)
    }
}

const fn nonzero(n: u32) -> NonZeroU32 {
    match NonZeroU32::new(n) {
        Some(n) => n,
        None => NonZeroU32::MIN,
    }
}

/// The limits of every kind of key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Per API key (server API).
    pub key: Limit,
    /// Per tenant, over both APIs.
    pub tenant: Limit,
    /// Per client address, IPv6 by /64.
    pub address: Limit,
    /// Per challenge: claims and answers from one client address, and polls of its own screen.
    pub challenge: Limit,
    /// Failed authentications per client address.
    pub failed_auth: Limit,
    /// Recovery codes typed for one user, right or wrong. Counted in the store: a restart forgets none (T-33).
    pub recovery: Limit,
    /// Recovery codes typed from one client address, right or wrong.
    pub recovery_address: Limit,
}

impl Default for LimitsConfig {
    fn default() -> LimitsConfig {
        LimitsConfig {
            key: Limit::new(60_000, 2_000),
            tenant: Limit::new(120_000, 4_000),
            address: Limit::new(30_000, 1_000),
            challenge: Limit::new(120, 60),
            failed_auth: Limit::new(30, 20),
            // RTS Art. 4(3)(b): five attempts, then a wait.
            recovery: Limit::new(1, 5),
            recovery_address: Limit::new(6, 20),
        }
    }
}

/// What a request is counted against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// An API key, by its public id.
    Key(&'a str),
    /// A tenant, by its id.
    Tenant(&'a str),
    /// A client's address (already canonical).
    Address(IpAddr),
    /// A challenge, by its id and what is asked of it.
    Challenge(&'a str),
    /// A challenge that is polled by its own screen: whoever has read its id off that must not use up what it may ask.
    Poll(&'a ChallengeId),
    /// A client's address that presented a wrong secret.
    FailedAuth(IpAddr),
    /// A client's address from which a recovery code is typed.
    RecoveryFrom(IpAddr),
}

/// All tables. Cloning shares them.
#[derive(Clone)]
pub struct Limits(Arc<Tables>);

struct Tables {
    clock: Arc<dyn Clock>,
    key: Table<String>,
    tenant: Table<String>,
    address: Table<IpAddr>,
    challenge: Table<String>,
    failed_auth: Table<IpAddr>,
    recovery_address: Table<IpAddr>,
}

impl Limits {
    /// Fresh tables with the given limits.
    pub fn new(config: &LimitsConfig, clock: Arc<dyn Clock>) -> Limits {
        Limits(Arc::new(Tables {
            key: Table::new("key", config.key, CAPACITY, &clock),
            tenant: Table::new("tenant", config.tenant, CAPACITY, &clock),
            address: Table::new("address", config.address, CAPACITY, &clock),
            challenge: Table::new("challenge", config.challenge, CAPACITY, &clock),
            failed_auth: Table::new("failed-auth", config.failed_auth, CAPACITY, &clock),
            recovery_address: Table::new("recovery-address", config.recovery_address, CAPACITY, &clock),
            clock,
        }))
    }

    /// The one gate in front of every method: counts the request against `subject` and says how much is left,
    /// or refuses with 429, `Retry-After` and the RateLimit headers.
    pub fn gate(&self, subject: Subject<'_>) -> Result<Allowance, ApiError> {
        let tables = &*self.0;
        let clock = &*tables.clock;
        match subject {
            Subject::Key(id) => tables.key.count(id.to_owned(), clock),
            Subject::Tenant(id) => tables.tenant.count(id.to_owned(), clock),
            Subject::Address(address) => tables.address.count(network_of(address), clock),
            Subject::Challenge(id) => tables.challenge.count(id.to_owned(), clock),
            Subject::Poll(id) => tables.challenge.count(format!("poll {id}"), clock),
            Subject::FailedAuth(address) => tables.failed_auth.count(network_of(address), clock),
            Subject::RecoveryFrom(address) => tables.recovery_address.count(network_of(address), clock),
        }
    }

    /// How many keys each table holds, for `/metrics`.
    pub fn sizes(&self) -> [(&'static str, usize); 6] {
        let tables = &*self.0;
        [
            (tables.key.name, tables.key.limiter.len()),
            (tables.tenant.name, tables.tenant.limiter.len()),
            (tables.address.name, tables.address.limiter.len()),
            (tables.challenge.name, tables.challenge.limiter.len()),
            (tables.failed_auth.name, tables.failed_auth.limiter.len()),
            (tables.recovery_address.name, tables.recovery_address.limiter.len()),
        ]
    }
}

/// What is left after a request was let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    name: &'static str,
    limit: Limit,
    remaining: u32,
    reset_s: u64,
}

impl Allowance {
    /// Requests that may still come at once.
    pub fn remaining(&self) -> u32 {
        self.remaining
    }

    /// The tighter of two allowances: the one a client should heed.
    pub fn tighter(self, other: Allowance) -> Allowance {
        let share = |a: &Allowance| u64::from(a.remaining) * 1_000_000 / u64::from(a.limit.burst.get());
        if share(&other) < share(&self) { other } else { self }
    }

    /// Writes `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).
    pub fn write(&self, headers: &mut HeaderMap) {
        for (name, value) in self.fields() {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }

    fn fields(&self) -> [(HeaderName, String); 2] {
        let window_s = (u64::from(self.limit.burst.get()) * 60).div_ceil(u64::from(self.limit.per_minute.get()));
        [
            (
                HeaderName::from_static("ratelimit-policy"),
                format!("\"{}\";q={};w={}", self.name, self.limit.burst, window_s.max(1)),
            ),
            (
                HeaderName::from_static("ratelimit"),
                format!("\"{}\";r={};t={}", self.name, self.remaining, self.reset_s),
            ),
        ]
    }
}

/// IPv6 users own a /64, so that is what we count; IPv4 counts by address.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
    }
}

/// One table: a governor limiter over a capped store.
struct Table<K: Hash + Eq + Clone> {
    name: &'static str,
    limit: Limit,
    limiter: RateLimiter<K, Capped<K>, GovernorClock, StateInformationMiddleware>,
    full: Arc<AtomicBool>,
    next_sweep_ns: AtomicU64,
}

impl<K: Hash + Eq + Clone> Table<K> {
    fn new(name: &'static str, limit: Limit, capacity: usize, clock: &Arc<dyn Clock>) -> Table<K> {
        let full = Arc::new(AtomicBool::new(false));
        let store = Capped::new(capacity, full.clone());
        let limiter = RateLimiter::new(limit.quota(), store, GovernorClock(clock.clone()));
        Table { name, limit, limiter, full, next_sweep_ns: AtomicU64::new(0) }
    }

    fn count(&self, key: K, clock: &dyn Clock) -> Result<Allowance, ApiError> {
        let outcome = self.limiter.check_key(&key);
        self.sweep_if_full(clock);
        match outcome {
            Ok(snapshot) => Ok(self.allowance(&snapshot)),
            Err(not_until) => {
                let wait = not_until.wait_time_from(clock.elapsed());
                let wait_s = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Err(used_up(self.name, self.limit, wait_s))
            }
        }
    }

    fn allowance(&self, snapshot: &StateSnapshot) -> Allowance {
        let remaining = snapshot.remaining_burst_capacity();
        let used = u64::from(self.limit.burst.get().saturating_sub(remaining));
        let reset_s = (used * 60).div_ceil(u64::from(self.limit.per_minute.get()));
        Allowance { name: self.name, limit: self.limit, remaining, reset_s }
    }

    /// Forgets idle keys after the table was found full, at most once a second.
    fn sweep_if_full(&self, clock: &dyn Clock) {
        if !self.full.load(Ordering::Relaxed) {
            return;
        }
        let now = u64::try_from(clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let next = self.next_sweep_ns.load(Ordering::Relaxed);
        let after = now.saturating_add(SWEEP_EVERY_NS);
        if now >= next && self.next_sweep_ns.compare_exchange(next, after, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.full.store(false, Ordering::Relaxed);
            self.limiter.retain_recent();
        }
    }
}

/// The refusal of a request beyond the limit: 429 with `Retry-After` and the RateLimit headers.
pub(crate) fn used_up(name: &'static str, limit: Limit, wait_s: u64) -> ApiError {
    let wait_s = wait_s.max(1);
    let spent = Allowance { name, limit, remaining: 0, reset_s: wait_s };
    let detail = format!(
        "the limit of {} per minute for this {} is used up; try again in {wait_s} s",
        limit.per_minute,
        name.replace('-', " ")
    );
    let error = ApiError::new(Problem::TooManyRequests, detail).header(header::RETRY_AFTER, wait_s.to_string());
    spent.fields().into_iter().fold(error, |error, (name, value)| error.header(name, value))
}

/// A sharded map that never holds more than its capacity; what does not fit shares the overflow cell.
struct Capped<K> {
    shards: Vec<Mutex<HashMap<K, Nanos>>>,
    overflow: Mutex<Option<Nanos>>,
    hasher: RandomState,
    per_shard: usize,
    full: Arc<AtomicBool>,
}

impl<K: Hash + Eq + Clone> Capped<K> {
    fn new(capacity: usize, full: Arc<AtomicBool>) -> Capped<K> {
        Capped {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            overflow: Mutex::new(None),
            hasher: RandomState::new(),
            per_shard: capacity.div_ceil(SHARDS),
            full,
        }
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, HashMap<K, Nanos>> {
        let index = (self.hasher.hash_one(key) >> 32) as usize % SHARDS;
        lock(&self.shards[index])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The maps hold plain numbers; a panic elsewhere cannot leave one half written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: Hash + Eq + Clone> StateStore for Capped<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut shard = self.shard(key);
        let known = shard.get(key).copied();
        if known.is_none() && shard.len() >= self.per_shard {
            drop(shard);
            self.full.store(true, Ordering::Relaxed);
            let mut overflow = lock(&self.overflow);
            let (outcome, next) = measure(*overflow)?;
            *overflow = Some(next);
            return Ok(outcome);
        }
        let (outcome, next) = measure(known)?;
        shard.insert(key.clone(), next);
        Ok(outcome)
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for Capped<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        for shard in &self.shards {
            lock(shard).retain(|_, arrival| *arrival > drop_below);
        }
    }

    fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[derive(Clone)]
struct GovernorClock(Arc<dyn Clock>);

impl governor::clock::Clock for GovernorClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn clock() -> Arc<ManualClock> {
        Arc::new(ManualClock::at("2026-03-01T10:00:00Z".parse().expect("a time")))
    }

    #[test]
    fn the_request_after_the_burst_is_refused_until_its_time_has_come() {
        let clock = clock();
        let config = LimitsConfig { key: Limit::new(60, 3), ..LimitsConfig::default() };
        let limits = Limits::new(&config, clock.clone());
        for left in [2, 1, 0] {
            assert_eq!(limits.gate(Subject::Key("a")).expect("within the burst").remaining(), left);
        }
        let refusal = limits.gate(Subject::Key("a")).expect_err("the fourth at once");
        let response = refusal.response(None);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(response.headers()["ratelimit-policy"], "\"key\";q=3;w=3");
        assert_eq!(response.headers()["ratelimit"], "\"key\";r=0;t=1");
        assert!(limits.gate(Subject::Key("b")).is_ok(), "another key is another bucket");
        clock.advance(Duration::from_secs(1));
        assert!(limits.gate(Subject::Key("a")).is_ok());
    }

    #[test]
    fn an_ipv6_user_is_counted_by_their_64_and_a_mapped_address_is_its_ipv4() {
        let config = LimitsConfig { address: Limit::new(60, 1), ..LimitsConfig::default() };
        let limits = Limits::new(&config, clock());
        let gate = |text: &str| limits.gate(Subject::Address(text.parse().expect("an address"))).is_ok();
        assert!(gate("2001:db8:1:2::1"));
        assert!(!gate("2001:db8:1:2:ffff::9"));
        assert!(gate("2001:db8:1:3::1"));
        assert!(gate("192.0.2.1"));
        assert!(!gate("::ffff:192.0.2.1"));
    }

    #[test]
    fn a_flood_of_new_keys_shares_one_bucket_and_never_forgets_a_live_key() {
        let manual = clock();
        let shared: Arc<dyn Clock> = manual.clone();
        let table: Table<u32> = Table::new("key", Limit::new(60, 2), 64, &shared);
        let spend = |key: u32| table.count(key, &*shared).is_ok();
        assert!(spend(0) && spend(0) && !spend(0), "key 0 is live and empty");
        let admitted = (1..10_000).filter(|key| spend(*key)).count();
        assert!(table.limiter.len() <= 64 + SHARDS, "{} keys", table.limiter.len());
        assert!(admitted <= 64 + SHARDS + 2, "{admitted} of the flood were let through");
        assert!(!spend(0), "the live key is still remembered");
        manual.advance(Duration::from_secs(10));
        assert!(spend(1_000_000));
        spend(1_000_001);
        assert!(table.limiter.len() <= 4, "idle keys were forgotten, {} left", table.limiter.len());
    }
}
