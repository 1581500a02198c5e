//! A challenge that is sent to the user's own phones: the backend hears of it by webhook and sends the push, the phone
//! fetches what there is to decide, and the one signature of a stock phone takes the challenge and answers it. Ours claims
//! it first, as one that it scanned.

use challenge::messages::TypedCode;
use challenge::state::{Kind, State};
use challenge::{Challenge, ChallengeId, Decision};

use super::phone::{self, AnsweredWith, Call, ClaimedWith};
use super::screen::{self, Next, Screen, Way};
use super::{refusals, tokens};
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::store::{DecisionKey, NewChallenge, StoredCredential};

/// Sends the challenge of a tracked action to its user's phones. One that is open already is not sent again.
pub async fn send(app: &App, screen: &Screen) -> Result<ChallengeId, ApiError> {
    let Screen::Identified(holder) = screen else {
        return Err(ApiError::new(Problem::InvalidToken, "a push goes to a user: show the token of `track`"));
    };
    let now = app.clock.now();
    let phones = app.store.credentials(&holder.tenant, &holder.user).await.map_err(refusals::store)?;
    if !phones.iter().any(|phone| phone.takes_push_at(now)) {
        let detail = "the user has no phone that takes a push; add one under `push`, or show a QR code";
        return Err(ApiError::new(Problem::InvalidConfiguration, detail));
    }
    let (challenge, decision, predecessors) =
        match screen::identified(app, holder, Way::By(Kind::Push), &[], None, now).await? {
            Next::Adopted(challenge) => return Ok(challenge.id()),
            Next::Fresh { challenge, decision, predecessors } => (*challenge, decision, predecessors),
        };
    let id = challenge.id();
    let mut predecessors = predecessors.into_iter();
    let new = NewChallenge { challenge, decision: Some(decision), supersedes: predecessors.next() };
    screen::create(app, new).await.map_err(refusals::create)?;
    for predecessor in predecessors {
        screen::retire(app, &holder.tenant, predecessor, now).await?;
    }
    Ok(id)
}

/// How a push stands, for the holder of the token of its action. Anybody else hears that there is no such challenge.
pub async fn look(app: &App, key: &DecisionKey, id: ChallengeId) -> Result<Challenge, ApiError> {
    let decision = app.store.decision_by_key(key).await.map_err(refusals::store)?;
    let decision = decision.ok_or_else(|| tokens::refused(challenge::token::TokenError::Claims))?;
    let stored = app.store.challenge(&key.tenant, id).await.map_err(refusals::store)?;
    match stored {
        Some(stored) if stored.decision == Some(decision.id) && stored.challenge.frozen().kind == Kind::Push => {
            screen::settled(app, stored.challenge).await
        }
        Some(_) | None => Err(refusals::challenge_not_found()),
    }
}

/// The newest push that this phone can answer now.
pub async fn pending(app: &App, phone: &StoredCredential) -> Result<Option<Challenge>, ApiError> {
    let now = app.clock.now();
    let (tenant, user) = (&phone.credential.tenant, &phone.credential.user);
    let open = app.store.open_challenges(tenant, user, now).await.map_err(refusals::store)?;
    let mine = |challenge: &Challenge| match challenge.state() {
        State::Generated => true,
        // Taken, and the answer did not count: a wrong code, or a lost connection.
        State::Claimed(claim) => claim.by == phone.credential.id,
        State::Approved { .. } | State::Rejected { .. } | State::Expired { .. } | State::Superseded { .. } => false,
    };
    let pushed = open.into_iter().map(|stored| stored.challenge);
    Ok(pushed.into_iter().find(|challenge| challenge.frozen().kind == Kind::Push && mine(challenge)))
}

/// Approves or rejects. Where nothing was scanned, the request claims the challenge first.
pub async fn answer(
    app: &App,
    call: Call,
    with: AnsweredWith,
    decision: Decision,
    code: TypedCode,
) -> Result<bool, ApiError> {
    let stored = app.store.challenge(&call.tenant, call.challenge).await.map_err(refusals::store)?;
    let untaken =
        |challenge: &Challenge| matches!(challenge.state(), State::Generated) && !challenge.frozen().kind.is_scanned();
    if let (AnsweredWith::Compat, true) = (with, stored.is_some_and(|stored| untaken(&stored.challenge))) {
        take(app, &call).await?;
    }
    phone::answer(app, call, with, decision, code).await
}

/// Claims with the signature of an answer. One that was taken meanwhile is left to the answer, which knows by whom.
pub(super) async fn take(app: &App, call: &Call) -> Result<(), ApiError> {
    match phone::claim(app, call.clone(), ClaimedWith::Compat).await {
        Ok(_) => Ok(()),
        Err(refused) if refused.problem() == Problem::ChallengeAlreadyClaimed => Ok(()),
        Err(refused) => Err(refused),
    }
}
