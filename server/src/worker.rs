//! Ends challenges whose time is over: they are refused anyway, but the screen, history and the log must hear of it.
//!
//! Pull-based and idempotent: a sweep takes what is overdue by the service's own clock, however it came to be so, the time
//! before this process was started included.

use std::time::Duration;

use challenge::state::Supersession;
use jiff::Timestamp;
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
///
/// If the wall clock was set back, nobody can say any more when what is open will be over: it is over now, and only then is
/// the clock followed. So no challenge lives longer for it (T-07).
pub async fn sweep(app: &App) -> Result<usize, ApiError> {
    let mut ended = end(app, Ending::Overdue).await?;
    if app.clock.is_set_back() {
        tracing::warn!("the clock was set back; open challenges are cancelled");
        ended += end(app, Ending::All).await?;
        app.clock.follow();
        // Those that were made meanwhile, by the time that is over.
        ended += end(app, Ending::All).await?;
    }
    Ok(ended)
}

#[derive(Clone, Copy, PartialEq)]
enum Ending {
    Overdue,
    All,
}

async fn end(app: &App, which: Ending) -> Result<usize, ApiError> {
    let mut ended = 0;
    loop {
        let now = app.clock.now();
        let until = if which == Ending::All { Timestamp::MAX } else { now };
        let open = app.store.overdue_challenges(until, BATCH).await.map_err(refusals::store)?;
        if open.is_empty() {
            return Ok(ended);
        }
        // All at once: the store commits them together.
        let before = ended;
        let steps = open.into_iter().map(|(tenant, challenge)| {
            let operation = match which {
                Ending::Overdue => Operation::Expire,
                Ending::All => Operation::Supersede(Supersession::Cancelled),
            };
            app.store.transition(TransitionRequest { tenant, challenge, operation, at: now })
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
