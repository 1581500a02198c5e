//! What a screen does: it shows a challenge and learns what became of it.

use challenge::keys::sha256;
use challenge::qr::{self, STEP_S};
use challenge::state::{Kind, Origin, State, Supersession};
use challenge::terminal::CreateAttempt;
use challenge::token::TrackClaims;
use challenge::{ActionCode, Challenge, ChallengeId, DeviceCode, IdempotencyKey, TenantId, UserId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::generate::ForAnybody;
use super::terminal::Vouching;
use super::{anonymous, follow, generate, refusals, terminal, tokens};
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::limits;
use crate::store::{
    ActionState, CreateError, DecisionId, DecisionKey, NewChallenge, Operation, StoredChallenge, TransitionError,
    TransitionRequest,
};

/// How many steps of a rolling QR a page gets ahead: one minute.
const STEPS_AHEAD: u16 = 4;

/// Who shows the challenge.
#[derive(Clone)]
pub enum Screen {
    /// Nobody in particular: a kiosk of this tenant.
    Anonymous(TenantId),
    /// Holds the token of one tracked action.
    Identified(Box<Holder>),
}

/// What a track token says.
#[derive(Clone)]
pub struct Holder {
    pub(super) tenant: TenantId,
    pub(super) user: UserId,
    action: ActionCode,
    idempotency_key: IdempotencyKey,
    expires_at: Timestamp,
    /// SHA-256 of the token, where a terminal may have signed it.
    token: Option<[u8; 32]>,
}

/// What a screen wants to show.
pub struct Ask {
    /// The action; an identified screen's is that of its token.
    pub action: ActionCode,
    /// The screen's own data; only an anonymous screen's counts.
    pub custom: Map<String, Value>,
    /// Where the screen is.
    pub origin: Origin,
    /// The registered terminal that the screen says to be, and where in the request it says so.
    pub terminal: Option<(CreateAttempt, &'static str)>,
    /// Challenges that this screen shows now and will not show any more.
    pub shows_already: Vec<ChallengeId>,
}

/// A challenge on a screen.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// Which.
    pub id: ChallengeId,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when it can be answered.
    pub expires_at: Timestamp,
}

impl Shown {
    /// What the screen of this challenge needs.
    pub fn of(challenge: &Challenge) -> Shown {
        let frozen = challenge.frozen();
        Shown { id: frozen.id, created_at: frozen.created_at, expires_at: frozen.expires_at }
    }
}

impl Screen {
    /// A screen that opens with a track token.
    pub fn identified(claims: &TrackClaims) -> Result<Screen, ApiError> {
        let unusable = |_| tokens::refused(challenge::token::TokenError::Claims);
        Ok(Screen::Identified(Box::new(Holder {
            tenant: TenantId::parse(claims.registered.aud.as_str()).map_err(unusable)?,
            user: UserId::parse(claims.registered.sub.as_str()).map_err(unusable)?,
            action: ActionCode::parse(claims.act.as_str()).map_err(unusable)?,
            idempotency_key: IdempotencyKey::parse(claims.idk.as_str()).map_err(unusable)?,
            expires_at: Timestamp::from_second(claims.registered.exp).unwrap_or(Timestamp::MIN),
            token: None,
        })))
    }

    /// The same, knowing the token's text: a terminal signs its hash.
    pub fn holding(self, token: &str) -> Screen {
        match self {
            Screen::Identified(holder) => {
                Screen::Identified(Box::new(Holder { token: Some(sha256(token.as_bytes())), ..*holder }))
            }
            anonymous @ Screen::Anonymous(_) => anonymous,
        }
    }

    /// Refuses a screen that holds a token and asks, at `pointer`, for another action.
    pub fn must_be_of(&self, action: &ActionCode, pointer: &str) -> Result<(), ApiError> {
        match self {
            Screen::Anonymous(_) => Ok(()),
            Screen::Identified(holder) => tokens::another_action(holder.action.as_str(), action, pointer),
        }
    }

    /// SHA-256 of the token that an identified screen holds.
    pub fn token_hash(&self) -> Option<&[u8; 32]> {
        match self {
            Screen::Anonymous(_) => None,
            Screen::Identified(holder) => holder.token.as_ref(),
        }
    }

    /// Whose screen it is.
    pub fn tenant(&self) -> &TenantId {
        match self {
            Screen::Anonymous(tenant) => tenant,
            Screen::Identified(holder) => &holder.tenant,
        }
    }
}

/// Shows a challenge. `watch` is called with its id before anything can happen to it, so that no change is missed; what it
/// returns is handed back.
pub async fn show<W>(
    app: &App,
    screen: &Screen,
    ask: Ask,
    watch: impl FnOnce(ChallengeId) -> W,
) -> Result<(Shown, W), ApiError> {
    let now = app.clock.now();
    let at = match &ask.terminal {
        Some((attempt, at)) => Some(terminal::vouching(app, screen, &ask.action, (attempt, at), now).await?),
        None => None,
    };
    let (challenge, decision, predecessors) = match screen {
        Screen::Anonymous(tenant) => {
            let custom = anonymous::presentable(app, tenant, &ask.action, ask.custom, &ask.origin, now)?;
            let asked = ForAnybody { tenant, action: ask.action, custom, origin: ask.origin, at };
            let challenge = generate::anonymous(app, Kind::Qr, asked, now)?;
            (challenge, None, ask.shows_already)
        }
        Screen::Identified(holder) => {
            match identified(app, holder, Way::By(Kind::Qr), &ask.shows_already, at.as_ref(), now).await? {
                Next::Adopted(challenge) => {
                    let watching = watch(challenge.id());
                    // It may have been claimed while nobody watched; the screen is told as if it had just happened.
                    follow::catch_up(app, screen.tenant(), challenge.id()).await?;
                    return Ok((Shown::of(&challenge), watching));
                }
                Next::Fresh { challenge, decision, predecessors } => (*challenge, Some(decision), predecessors),
            }
        }
    };
    let shown = Shown::of(&challenge);
    let watching = watch(shown.id);
    let mut predecessors = predecessors.into_iter();
    let new = NewChallenge { challenge, decision, supersedes: predecessors.next() };
    create(app, new).await.map_err(refusals::create)?;
    for predecessor in predecessors {
        retire(app, screen.tenant(), predecessor, now).await?;
    }
    Ok((shown, watching))
}

/// Records a new challenge; the screen of the one whose place it takes hears of it.
pub(super) async fn create(app: &App, new: NewChallenge) -> Result<(), CreateError> {
    let recorded = app.store.create_challenge(new).await?;
    if let Some(superseded) = &recorded.superseded {
        follow::publish(app, superseded);
    }
    Ok(())
}

/// How the challenge of a tracked action reaches the phone.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// Under a fresh name.
    By(Kind),
    /// Under this name, which the phone has signed already.
    Named(Kind, ChallengeId),
}

/// What the holder of a track token gets.
pub(super) enum Next {
    /// The challenge that was recorded with the decision, or that another view of the same page shows.
    Adopted(Box<Challenge>),
    /// A new one in the place of these.
    Fresh { challenge: Box<Challenge>, decision: DecisionId, predecessors: Vec<ChallengeId> },
}

pub(super) async fn identified(
    app: &App,
    holder: &Holder,
    way: Way,
    shows_already: &[ChallengeId],
    at: Option<&Vouching>,
    now: Timestamp,
) -> Result<Next, ApiError> {
    if now >= holder.expires_at {
        return Err(tokens::refused(challenge::token::TokenError::Expired));
    }
    let key = DecisionKey {
        tenant: holder.tenant.clone(),
        user: holder.user.clone(),
        action: holder.action.clone(),
        idempotency_key: holder.idempotency_key.clone(),
    };
    let decision = app.store.decision_by_key(&key).await.map_err(refusals::store)?;
    let decision = decision.ok_or_else(|| tokens::refused(challenge::token::TokenError::Claims))?;
    if decision.state != ActionState::ChallengeRequired {
        let detail = format!("there is nothing to approve: the action's state is {}", decision.state);
        return Err(ApiError::new(Problem::ChallengeClosed, detail));
    }

    let open = app.store.open_challenges(&holder.tenant, &holder.user, now).await.map_err(refusals::store)?;
    let (own, others): (Vec<_>, Vec<_>) = open.into_iter().partition(|stored| stored.decision == Some(decision.id));
    app.prompts.admit(&holder.tenant, &holder.user, decision.challenge, others.len(), now)?;

    let (kind, id) = match way {
        Way::By(kind) => (kind, None),
        Way::Named(kind, id) => (kind, Some(id)),
    };
    let unclaimed = |stored: &&StoredChallenge| matches!(stored.challenge.state(), State::Generated);
    let suits = |challenge: &Challenge| challenge.frozen().kind == kind && is_shown_by(challenge, at);
    let adoptable =
        own.iter().filter(unclaimed).filter(|stored| id.is_none() && suits(&stored.challenge)).find(|stored| {
            !shows_already.contains(&stored.challenge.id()) && has_half_its_life(&stored.challenge, now)
        });
    if let Some(stored) = adoptable {
        let adopted = stored.challenge.clone();
        // Whatever else this screen showed is not shown any more.
        for old in shows_already {
            retire(app, &holder.tenant, *old, now).await?;
        }
        return Ok(Next::Adopted(Box::new(adopted)));
    }
    let first = match decision.challenge {
        Some(id) => app.store.challenge(&holder.tenant, id).await.map_err(refusals::store)?,
        None => None,
    };
    let first = first.ok_or_else(|| ApiError::internal(format!("decision {} has no challenge", decision.id)))?;
    let id = id.unwrap_or_else(|| ChallengeId::from_random(app.random.bytes()));
    let challenge = generate::successor(app, &first.challenge, kind, id, at, now)?;
    let predecessors = own.iter().filter(unclaimed).map(|stored| stored.challenge.id()).collect();
    Ok(Next::Fresh { challenge: Box::new(challenge), decision: decision.id, predecessors })
}

/// Whether this very terminal made it, or none did and none asks: a page without the key must not show a terminal's challenge.
fn is_shown_by(challenge: &Challenge, at: Option<&Vouching>) -> bool {
    match (&challenge.frozen().terminal, at) {
        (None, None) => true,
        (Some(made), Some(at)) => made.id == at.terminal.id && made.key == at.terminal.key,
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn has_half_its_life(challenge: &Challenge, now: Timestamp) -> bool {
    let frozen = challenge.frozen();
    let whole = frozen.expires_at.duration_since(frozen.created_at);
    frozen.expires_at.duration_since(now) > whole / 2
}

/// Takes an unclaimed challenge off the screen. One that a phone holds, or that has ended, is let be.
pub(super) async fn retire(
    app: &App,
    tenant: &TenantId,
    challenge: ChallengeId,
    now: Timestamp,
) -> Result<(), ApiError> {
    let operation = Operation::Supersede(Supersession::Refreshed);
    let request = TransitionRequest { tenant: tenant.clone(), challenge, operation, at: now };
    match app.store.transition(request).await {
        Ok(step) => {
            follow::step(app, &step, now);
            Ok(())
        }
        Err(TransitionError::Store(error)) => Err(refusals::store(error)),
        Err(_) => Ok(()),
    }
}

/// How a challenge stands, for the polling screen that can prove it made it. Without the right code nothing is looked up, so
/// that an unknown challenge and a known one sound the same and cost the same (T-19).
pub async fn look(
    app: &App,
    tenant: &TenantId,
    challenge: ChallengeId,
    code: &DeviceCode,
) -> Result<Challenge, ApiError> {
    // The code that the challenge has, or would have.
    if !app.keys.device_code(&challenge).hash().matches(code) {
        return Err(refusals::challenge_not_found());
    }
    app.limits.gate(limits::Subject::Poll(&challenge))?;
    let stored = app.store.challenge(tenant, challenge).await.map_err(refusals::store)?;
    settled(app, stored.ok_or_else(refusals::challenge_not_found)?.challenge).await
}

/// A challenge that is open though its time is over is ended before anybody hears that it has: an answer that came in time
/// may be on its way to the disk, and a screen that was told of one end must never hear of another.
pub(super) async fn settled(app: &App, challenge: Challenge) -> Result<Challenge, ApiError> {
    let now = app.clock.now();
    if !challenge.state().is_open() || challenge.is_open_at(now) {
        return Ok(challenge);
    }
    let (tenant, id) = (challenge.frozen().tenant.clone(), challenge.id());
    let request = TransitionRequest { tenant: tenant.clone(), challenge: id, operation: Operation::Expire, at: now };
    match app.store.transition(request).await {
        Ok(step) => {
            follow::step(app, &step, now);
            Ok(step.after)
        }
        Err(TransitionError::Store(error)) => Err(refusals::store(error)),
        // That answer was first.
        Err(_) => {
            let stored = app.store.challenge(&tenant, id).await.map_err(refusals::store)?;
            stored.map(|stored| stored.challenge).ok_or_else(refusals::challenge_not_found)
        }
    }
}

/// The result token of an approved challenge, for the screen that created it.
pub async fn access_token(app: &App, screen: &Screen, challenge: ChallengeId) -> Result<String, ApiError> {
    let stored = app.store.challenge(screen.tenant(), challenge).await.map_err(refusals::store)?;
    let stored = stored.ok_or_else(refusals::challenge_not_found)?;
    tokens::result_token(app, &stored.challenge)
}

/// What a page of ours draws instead of the bare id: `qr`, with a plain link and, for the next minute, a signed link per
/// 15-second step.
pub fn rolling_qr(app: &App, shown: &Shown) -> Map<String, Value> {
    let mut additions = Map::new();
    let issuer = super::issuer(app);
    let now = app.clock.now();
    let mut drawn = json!({"link": qr::page_url(&issuer, &shown.id), "stepSeconds": STEP_S});
    let keys = app.keys.qr();
    let signed = keys.signing(now).and_then(|key| key.sign(&shown.id, shown.expires_at, 0).ok());
    if let Some(signed) = signed {
        let key = app.keys.rolling_key(&shown.id);
        let first = qr::step_at(shown.created_at, now);
        drawn["steps"] = (first..first.saturating_add(STEPS_AHEAD))
            .map(|step| {
                let from = shown.created_at + SignedDuration::from_secs(i64::from(step) * STEP_S);
                json!({"from": from.to_string(), "url": signed.url(&issuer, &key, step)})
            })
            .collect();
    }
    additions.insert("qr".to_owned(), drawn);
    additions
}
