//! A phone that came in later confirms nothing of the strongest level for a while (T-22): whoever stole a session and added
//! a phone waits, and the owner hears of it meanwhile.
//!
//! A user's very first phone does not wait: there was no phone before it whose owner could be robbed, and somebody who
//! enrols in order to pay would be turned away. Every further one does, and every one that a recovery code or a reset let
//! in. An app with a key for each kind of challenge is one phone: keys of different kinds that came in by one token, under
//! one name, on one platform. Whoever stole that very token could have been the first phone. It is asked from what never changes, so that asking outside of the transaction is as good: a phone only ever stops
//! cooling.

use challenge::state::{Challenge, Level};
use challenge::{CredentialId, TenantId};
use jiff::{SignedDuration, Timestamp};

use crate::app::App;
use crate::challenges::refusals;
use crate::error::{ApiError, Problem};

/// Refuses the phone if it is cooling off and what is asked of it is of a level that waits. `what` is `claim` or `answer`.
pub async fn admit(
    app: &App,
    challenge: &Challenge,
    level: Level,
    credential: &CredentialId,
    what: &str,
    now: Timestamp,
) -> Result<(), ApiError> {
    let tenant = &challenge.frozen().tenant;
    let settings = app.config.tenant(tenant.as_str());
    if level < settings.cooling_off_level.into() {
        return Ok(());
    }
    let Some(until) = until(app, tenant, credential, now).await? else { return Ok(()) };
    let detail = format!("this phone was added lately and confirms requests of this level from {until} on");
    let said = ApiError::new(Problem::CredentialCoolingOff, detail);
    Err(refusals::of_phone(app, (challenge, credential), what, said, now).await)
}

/// Until when the phone is cooling off; `None` if it is not.
pub async fn until(
    app: &App,
    tenant: &TenantId,
    credential: &CredentialId,
    now: Timestamp,
) -> Result<Option<Timestamp>, ApiError> {
    let for_s = app.config.tenant(tenant.as_str()).cooling_off_s;
    let known = app.store.credential(tenant, credential).await.map_err(refusals::store)?;
    let Some(known) = known else { return Ok(None) };
    let until = known.enrolled_at.saturating_add(SignedDuration::from_secs(i64::from(for_s))).unwrap_or(Timestamp::MAX);
    if now >= until || !app.store.is_later_phone(tenant, credential).await.map_err(refusals::store)? {
        return Ok(None);
    }
    Ok(Some(until))
}
