//! The background work: takes from the outbox what is due, endpoint by endpoint.
//!
//! At least once: a receiver hears an event again when its answer, or our note of it, was lost. Every endpoint has a task
//! of its own with a few attempts at a time, so that one that is down costs the others nothing; what waits, waits on disk.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::{Endpoint, schedule};
use crate::app::App;
use crate::clock::whole_milliseconds;
use crate::store::{Attempted, Delivery, StoreError};

/// How often an endpoint's task looks for what has become due by time alone.
const EVERY: Duration = Duration::from_millis(500);
/// How long a task waits after it has worked: commits that follow each other are looked at together.
const PACE: Duration = Duration::from_millis(20);
/// How many events of one endpoint are in memory.
const BATCH: u32 = 32;
/// How many of them are under way at a time.
const AT_A_TIME: usize = 4;
/// How often old rows are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(600);
/// How many rows one look deletes; the next goes on.
const PRUNE: u32 = 10_000;

/// Delivers until `closing`, beginning now.
pub fn spawn(app: &App, closing: &CancellationToken) {
    for endpoint in app.webhooks.endpoints() {
        tokio::spawn(until(closing.clone(), keep_delivering(app.clone(), endpoint.clone())));
    }
    tokio::spawn(until(closing.clone(), keep_house(app.clone())));
}

/// An attempt that is cut off here is made again by the next start.
async fn until(closing: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        () = closing.cancelled() => {}
    }
}

async fn keep_delivering(app: App, endpoint: Arc<Endpoint>) {
    let mut news = app.store.outbox();
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            changed = news.changed() => if changed.is_err() { return },
        }
        if let Err(error) = round(&app, &endpoint).await {
            tracing::warn!(%error, endpoint = %endpoint.name, "the outbox cannot be read or written; trying again");
            sleep(EVERY).await;
        }
        sleep(PACE).await;
    }
}

/// Tries everything that is due at one endpoint, and says how many attempts that were.
pub async fn round(app: &App, endpoint: &Endpoint) -> Result<usize, StoreError> {
    let mut tried = 0;
    loop {
        let now = app.clock.now();
        let due = app.store.due_deliveries(&endpoint.tenant, &endpoint.name, now, BATCH).await?;
        if due.is_empty() {
            return Ok(tried);
        }
        tried += due.len();
        let attempts = stream::iter(due).map(|delivery| attempt(app, endpoint, delivery));
        attempts.buffer_unordered(AT_A_TIME).try_collect::<()>().await?;
    }
}

/// One attempt, and the note of what it came to.
async fn attempt(app: &App, endpoint: &Endpoint, delivery: Delivery) -> Result<(), StoreError> {
    let body = envelope(app, &delivery);
    let signature = endpoint.keys.header(&body, app.clock.now());
    let outcome = app.webhooks.sender.post(&endpoint.url, signature, body).await;
    let now = app.clock.now();
    let tried = delivery.attempts.saturating_add(1);
    let (word, attempted) = match outcome {
        Ok(()) => ("delivered", Attempted::Delivered),
        Err(failure) => {
            let failure = failure.to_string();
            let (tenant, name, event) = (&endpoint.tenant, &endpoint.name, delivery.event);
            tracing::warn!(%tenant, endpoint = %name, %event, tried, %failure, "a webhook was not delivered");
            if tried >= app.webhooks.config.attempts {
                ("dead", Attempted::Dead { failure })
            } else {
                let pause = SignedDuration::try_from(schedule::pause(tried, &app.random));
                let at = now.checked_add(pause.unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MAX);
                ("failed", Attempted::Later { at, failure })
            }
        }
    };
    metrics::counter!("stepup_webhook_attempts_total", "outcome" => word).increment(1);
    app.store.settle_delivery(&delivery, attempted, now).await
}

/// What is sent: the same bytes in every attempt, so that a receiver may compare them.
fn envelope(app: &App, delivery: &Delivery) -> Bytes {
    let data: Value = serde_json::from_str(&delivery.data).unwrap_or_default();
    let envelope = json!({
        "version": 1,
        "type": delivery.kind.as_str(),
        "id": delivery.event.to_string(),
        "source": app.issuer().as_str(),
        "time": whole_milliseconds(delivery.time),
        "tenantId": delivery.tenant,
        "data": data,
    });
    Bytes::from(envelope.to_string())
}

/// Buries what waits for endpoints that are not configured any more, and forgets what ended long ago.
async fn keep_house(app: App) {
    if let Err(error) = bury_orphans(&app).await {
        tracing::warn!(%error, "events for endpoints that are gone could not be set aside");
    }
    let mut every = interval(PRUNE_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if let Err(error) = prune(&app).await {
            tracing::warn!(%error, "delivered events could not be deleted; trying again");
        }
    }
}

/// Makes dead letters of what waits for an endpoint that the configuration does not know any more. Says how many.
pub async fn bury_orphans(app: &App) -> Result<usize, StoreError> {
    let mut buried = 0;
    for (tenant, name, _) in app.store.waiting_deliveries().await? {
        let known = |endpoint: &&Arc<Endpoint>| endpoint.tenant == tenant && *endpoint.name == *name;
        if app.webhooks.endpoints().iter().find(known).is_some() {
            continue;
        }
        tracing::warn!(%tenant, endpoint = %name, "events wait for an endpoint that is not configured; they are dead letters now");
        loop {
            let waiting = app.store.due_deliveries(&tenant, &name, Timestamp::MAX, BATCH).await?;
            if waiting.is_empty() {
                break;
            }
            let dead = || Attempted::Dead { failure: "no endpoint of this name is configured".to_owned() };
            for delivery in waiting {
                app.store.settle_delivery(&delivery, dead(), app.clock.now()).await?;
                buried += 1;
            }
        }
    }
    Ok(buried)
}

/// Deletes what was delivered, and what died, long enough ago. Says how many.
pub async fn prune(app: &App) -> Result<u64, StoreError> {
    let before = |kept_s: u64| {
        let kept = SignedDuration::try_from(Duration::from_secs(kept_s)).unwrap_or(SignedDuration::MAX);
        app.clock.now().checked_sub(kept).unwrap_or(Timestamp::MIN)
    };
    let config = &app.webhooks.config;
    app.store.prune_outbox(before(config.keep_delivered_s), before(config.keep_dead_s), PRUNE).await
}
