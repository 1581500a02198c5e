//! An administrator's reset: everything that could approve for the user is taken away, and one phone may come in.

use std::net::IpAddr;

use challenge::{TenantId, UserId};
use jiff::{SignedDuration, Timestamp};

use super::event::{self, Method, Recovery};
use crate::app::App;
use crate::caches::refuse;
use crate::challenges::follow;
use crate::error::ApiError;
use crate::store::{NewReset, ResetDone};

/// What an administrator asks for.
pub struct Wish {
    /// Whose user.
    pub tenant: TenantId,
    /// Who.
    pub user: UserId,
    /// Why.
    pub reason: String,
    /// Who decided it.
    pub author: String,
    /// The API key.
    pub actor: String,
    /// The caller's key.
    pub idempotency_key: Option<String>,
    /// How long the permission to enrol holds, in seconds.
    pub enrol_within_s: u32,
    /// Goes ahead though a policy blocks it.
    pub overrule: bool,
    /// Where the request comes from: the help desk.
    pub ip: IpAddr,
}

/// Resets the user, once.
pub async fn reset(app: &App, wish: Wish) -> Result<ResetDone, ApiError> {
    let now = app.clock.now();
    let Wish { tenant, user, .. } = &wish;
    let new = NewReset {
        tenant: tenant.clone(),
        id: app.random.uuid_v4(),
        user: user.clone(),
        reason: wish.reason.clone(),
        author: wish.author.clone(),
        actor: wish.actor.clone(),
        idempotency_key: wish.idempotency_key.clone(),
        at: now,
        permitted_until: until(now, wish.enrol_within_s),
    };
    // A repeat is no second event.
    let repeated = match &new.idempotency_key {
        Some(key) => app.store.reset_by_key(tenant, user, key).await.map_err(refuse)?.is_some(),
        None => false,
    };
    if !repeated && !changes_nothing(app, &new, now).await? {
        let recovery = Recovery {
            tenant,
            user,
            key: format!("reset-{}", new.id),
            ip: Some(wish.ip),
            user_agent: None,
            method: Method::Support { overrule: wish.overrule },
        };
        event::judge(app, recovery).await?;
    }
    let done = app.store.reset_user(new).await.map_err(refuse)?;
    follow::taken(app, tenant, user, &done.cancelled, now);
    Ok(done)
}

/// Whether the store will find that the user is reset already: then rules hear of nothing new.
async fn changes_nothing(app: &App, new: &NewReset, now: Timestamp) -> Result<bool, ApiError> {
    let (tenant, user) = (&new.tenant, &new.user);
    let standing = app.store.recovery_standing(tenant, user).await.map_err(refuse)?;
    let permitted = standing.pending_reset.is_some_and(|reset| now < reset.permitted_until);
    Ok(permitted
        && standing.codes_left == 0
        && app.store.credentials(tenant, user).await.map_err(refuse)?.is_empty()
        && app.store.open_challenges(tenant, user, now).await.map_err(refuse)?.is_empty())
}

fn until(now: Timestamp, seconds: u32) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(Timestamp::MAX)
}
