//! What follows a committed step: the screen hears of it, and history learns how the event ended.

use challenge::state::{Rejection, State, Subject};
use challenge::{Challenge, ChallengeId, Effect, TenantId, UserId};
use engine::status::Status;
use jiff::Timestamp;

use super::refusals;
use crate::app::App;
use crate::error::ApiError;
use crate::notify::Change;
use crate::store::Transitioned;

/// After any transition. A repeated request changed nothing and tells nobody anything.
pub fn step(app: &App, step: &Transitioned, now: Timestamp) {
    let moved = step.before.state().name() != step.after.state().name();
    if !moved || step.effect == Effect::Repeated {
        return;
    }
    publish(app, &step.after);
    let Some(status) = settle(app, &step.after, now) else { return };
    if let Some(claim) = &step.claim_decision {
        app.policies.settle(&claim.tenant, &claim.user, &claim.action, &claim.idempotency_key, status, now);
    }
}

/// After everything was taken from a user, by a reset or a deletion: what was read of them and the tokens of before are forgotten, and
/// the screens hear that their challenges were taken back.
pub fn taken(app: &App, tenant: &TenantId, user: &UserId, cancelled: &[Transitioned], now: Timestamp) {
    app.caches.forget_user(tenant, user);
    app.caches.forget_tokens();
    cancelled.iter().for_each(|cancelled| step(app, cancelled, now));
}

/// Tells the screen.
pub fn publish(app: &App, challenge: &Challenge) {
    let state = challenge.state();
    let asks_code = matches!(state, State::Claimed(claim) if claim.match_code.is_some());
    app.notifier.publish(&Change { challenge: challenge.id(), state: state.wire_name(), asks_code });
}

/// For a screen that begins to watch a challenge late: says again what it has missed.
pub async fn catch_up(app: &App, tenant: &TenantId, challenge: ChallengeId) -> Result<(), ApiError> {
    let stored = app.store.challenge(tenant, challenge).await.map_err(refusals::store)?;
    match stored {
        Some(stored) if !matches!(stored.challenge.state(), State::Generated) => publish(app, &stored.challenge),
        Some(_) | None => {}
    }
    Ok(())
}

/// Rules can ask how earlier events ended; this is how history knows. Gives the end, if it is one.
fn settle(app: &App, challenge: &Challenge, now: Timestamp) -> Option<Status> {
    let status = match challenge.state() {
        State::Generated | State::Claimed(_) => return None,
        State::Approved { .. } => {
            // The user has passed a challenge on a device, and a phone has approved something.
            if let Some(user) = challenge.user() {
                app.caches.forget_user(&challenge.frozen().tenant, user);
            }
            Status::Verified
        }
        State::Rejected { reason, .. } => {
            if let (Rejection::Declined, Subject::Identified(user)) = (reason, &challenge.frozen().subject) {
                app.prompts.declined(&challenge.frozen().tenant, user, now);
            }
            Status::Declined
        }
        State::Expired { .. } => Status::Expired,
        // A newer challenge for the same event goes on.
        State::Superseded { .. } => return None,
    };
    if let Some(user) = challenge.user() {
        let frozen = challenge.frozen();
        app.policies.settle(&frozen.tenant, user, &frozen.action, &frozen.idempotency_key, status, now);
    }
    Some(status)
}
