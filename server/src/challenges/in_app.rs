//! A user proves themself in the app that holds their key: the app asks for a challenge, signs it, and has the result. A
//! stock app signs its id, once; ours claims it, shows the context, and signs that.
//!
//! Either for a tracked action, whose token the app holds: then the id is derived and nothing is stored until it comes back
//! signed. Or for an action that the app names: then it is a challenge for whoever claims it, like a kiosk's, and the
//! policies are asked about the claimer before anything is approved.

use challenge::messages::TypedCode;
use challenge::state::Kind;
use challenge::token::TokenError;
use challenge::{ActionCode, Challenge, ChallengeId, Decision, TenantId, UserId};
use jiff::Timestamp;
use serde_json::Map;

use super::generate::ForAnybody;
use super::phone::{self, AnsweredWith, Call, Claimed, ClaimedWith};
use super::screen::{self, Next, Screen, Way};
use super::tokens::{self, Bearer};
use super::{anonymous, generate, push, refusals};
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::store::{CreateError, NewChallenge, StoreError};

/// For how long a derived id is given out, in seconds; it is accepted for at most twice as long.
const WINDOW_S: i64 = 300;

/// What was proven.
pub struct Proven {
    /// The challenge, approved.
    pub challenge: Challenge,
    /// Whose key it was.
    pub user: UserId,
}

/// An id that an app may sign to approve the tracked action whose token it holds.
pub fn fresh_id(app: &App, tenant: &TenantId, now: Timestamp) -> ChallengeId {
    app.keys.app_challenge(tenant, window(now), app.random.bytes())
}

/// A challenge for whoever's app answers it.
pub async fn create(
    app: &App,
    tenant: &TenantId,
    action: ActionCode,
    origin: challenge::state::Origin,
    now: Timestamp,
) -> Result<ChallengeId, ApiError> {
    let custom = anonymous::presentable(app, tenant, &action, Map::new(), &origin, now)?;
    let challenge =
        generate::anonymous(app, Kind::InApp, ForAnybody { tenant, action, custom, origin, at: None }, now)?;
    let id = challenge.id();
    let new = NewChallenge { challenge, decision: None, supersedes: None };
    screen::create(app, new).await.map_err(refusals::create)?;
    Ok(id)
}

/// Takes the challenge for the app, which will show its context.
pub async fn claim(app: &App, call: Call, with: ClaimedWith, bearer: Option<&Bearer>) -> Result<Claimed, ApiError> {
    begin(app, &call, &with, bearer).await?;
    phone::claim(app, call, with).await
}

/// Approves the challenge for the app. A stock app's one signature takes it as well.
pub async fn verify(app: &App, call: Call, with: AnsweredWith, bearer: Option<&Bearer>) -> Result<Proven, ApiError> {
    let (tenant, id) = (call.tenant.clone(), call.challenge);
    match with {
        AnsweredWith::Compat => {
            begin(app, &call, &ClaimedWith::Compat, bearer).await?;
            push::take(app, &call).await?;
        }
        AnsweredWith::V2 => {}
    }
    phone::answer(app, call, with, Decision::Approve, TypedCode::default()).await?;
    let stored = app.store.challenge(&tenant, id).await.map_err(refusals::store)?;
    let challenge = stored.ok_or_else(refusals::challenge_not_found)?.challenge;
    let user = challenge.user().cloned().ok_or_else(|| ApiError::internal("an approved challenge has no user"))?;
    Ok(Proven { challenge, user })
}

/// Records the challenge of a tracked action under the id that the app has signed, unless that is done. No challenge is
/// written for a claim that would not be taken, or an id that is not ours.
async fn begin(app: &App, call: &Call, with: &ClaimedWith, bearer: Option<&Bearer>) -> Result<(), ApiError> {
    let now = app.clock.now();
    if app.store.challenge(&call.tenant, call.challenge).await.map_err(refusals::store)?.is_some() {
        return Ok(());
    }
    let ours = [window(now), window(now) - 1].into_iter().any(|window| {
        let seed = call.challenge.as_bytes().first_chunk().copied();
        seed.is_some_and(|seed| app.keys.app_challenge(&call.tenant, window, seed) == call.challenge)
    });
    if !ours {
        return Err(refusals::challenge_not_found());
    }
    let Some(Bearer::Screen(claims)) = bearer else {
        let detail =
            "nothing says what is approved: show the token of `track`, or name an action to `/client/challenge`";
        return Err(ApiError::new(Problem::InvalidToken, detail));
    };
    let screen = Screen::identified(claims)?;
    let Screen::Identified(holder) = &screen else { return Err(tokens::refused(TokenError::Claims)) };
    let credential = phone::known_credential(app, call, "claim", now).await?;
    if credential.user != holder.user {
        return Err(ApiError::new(Problem::WrongUser, "the token is for another user than the key"));
    }
    let way = Way::Named(Kind::InApp, call.challenge);
    let Next::Fresh { challenge, decision, predecessors } =
        screen::identified(app, holder, way, &[], None, now).await?
    else {
        return Err(ApiError::internal("a challenge with a name of its own was adopted"));
    };
    if let Err(refused) = challenge.claim(&credential, &phone::claim_attempt(app, call, with.clone()), now) {
        return Err(phone::refused(app, call, refused, now).await);
    }
    let supersedes = predecessors.into_iter().next();
    let new = NewChallenge { challenge: *challenge, decision: Some(decision), supersedes };
    match screen::create(app, new).await {
        Ok(()) => Ok(()),
        // The same request came twice at once; the other one wrote it.
        Err(CreateError::Store(StoreError::Refused(_))) => Ok(()),
        Err(error) => Err(refusals::create(error)),
    }
}

fn window(now: Timestamp) -> i64 {
    now.as_second().div_euclid(WINDOW_S)
}
