//! Ends challenges whose time is over: they are refused anyway, but the screen, history and the log must hear of it.
//!
//! Pull-based and idempotent: a sweep takes what is overdue by the service's own clock, however it came to be so, the time
//! before this process was started included.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::challenges::{follow, refusals};
use crate::error::ApiError;
use crate::store::{Operation, TransitionError, TransitionRequest};

/// How often we look. A screen learns of its expiry at most this much late.
const EVERY: Duration = Duration::from_millis(500);
/// How many challenges one look ends; the next look goes on.
const BATCH: u32 = 256;

/// Sweeps until `closing`, beginning now.
pub fn spawn(app: App, closing: CancellationToken) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                () = closing.cancelled() => return,
            }
            if let Err(error) = sweep(&app).await {
                tracing::warn!(%error, cause = error.cause(), "overdue challenges could not be expired; trying again");
            }
        }
    })
}

/// Expires everything that is overdue now, and says how many there were.
pub async fn sweep(app: &App) -> Result<usize, ApiError> {
    let mut ended = 0;
    loop {
        let now = app.clock.now();
        let overdue = app.store.overdue_challenges(now, BATCH).await.map_err(refusals::store)?;
        if overdue.is_empty() {
            return Ok(ended);
        }
        // All at once: the store commits them together.
        let before = ended;
        let steps = overdue.into_iter().map(|(tenant, challenge)| {
            let request = TransitionRequest { tenant, challenge, operation: Operation::Expire, at: now };
            app.store.transition(request)
        });
        for outcome in futures_util::future::join_all(steps).await {
            match outcome {
                Ok(step) => {
                    follow::step(app, &step, now);
                    ended += 1;
                }
                Err(TransitionError::Store(error)) => return Err(refusals::store(error)),
                // Answered or ended by somebody else between the look and the step.
                Err(refused) => tracing::debug!(%refused, "an overdue challenge had ended already"),
            }
        }
        // A row that cannot be ended must not keep us here for ever; the next look tries again.
        if ended == before {
            return Ok(ended);
        }
    }
}
