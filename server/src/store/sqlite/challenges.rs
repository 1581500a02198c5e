use challenge::invariant;
use challenge::state::{Claim, Kind, LONGEST_LIFE, Rejection, State, Supersession};
use challenge::{AnswerError, Challenge, ClaimError, Credential, Effect, Subject};
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::batch::{Batch, Entry};
use super::cells::{Columns, ms, ms_up, whole_ms};
use super::fault::Fault;
use super::unit::{Running, Verb};
use super::{credentials, decisions, devices, terminals};
use crate::audit::Fact;
use crate::store::model::*;
use crate::store::rows::Row;
use crate::store::verbs::{CreateChallenge, Transition};
use crate::store::{StoreError, tables};

impl Verb for CreateChallenge {
    type Done = RecordedChallenge;
    type Refused = CreateError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let frozen = self.0.challenge.frozen();
            if let Some(terminal) = &frozen.terminal
                && !terminals::vouches(batch.conn(), &frozen.tenant, terminal).await?
            {
                return Ok(Err(CreateError::TerminalRevoked));
            }
            Ok(Ok(create(batch, &self.0, self.0.decision).await?))
        })
    }
}

/// Inserts a challenge, and supersedes the one whose place it takes.
pub(super) async fn create(
    batch: &mut Batch,
    new: &NewChallenge,
    decision: Option<DecisionId>,
) -> Result<RecordedChallenge, Fault> {
    let challenge = &new.challenge;
    let frozen = challenge.frozen();
    let superseded = match new.supersedes {
        Some(old) => supersede(batch, &frozen.tenant, old, frozen.created_at).await?,
        None => None,
    };
    let entry = Entry::new(&frozen.tenant, "challenge.generated", frozen.created_at)
        .fact("challenge", challenge.id().to_string())
        .fact("action", frozen.action.as_str())
        .fact("context", frozen.context.hash_base64url())
        .opt_fact("decision", decision.map(|id| id.to_string()))
        .opt_fact("terminal", frozen.terminal.as_ref().map(|terminal| terminal.id.as_str()))
        .opt_fact("terminal_signature", frozen.terminal.as_ref().map(|terminal| terminal.vouched.signature.as_str()))
        .opt_fact("supersedes", superseded.as_ref().map(|old| old.id().to_string()))
        .tell(told(EventType::ChallengeGenerated, challenge, decision))
        .made(to_row(challenge, decision)?);
    let entry = pushes(batch, challenge).await?.into_iter().fold(entry, Entry::tell);
    let seq = batch.append(entry).await?;
    Ok(RecordedChallenge { id: challenge.id(), seq, superseded })
}

/// What the backend needs to send a push: one event for each phone of the user that takes one.
async fn pushes(batch: &mut Batch, challenge: &Challenge) -> Result<Vec<Event>, Fault> {
    let frozen = challenge.frozen();
    let user = match (frozen.kind, &frozen.subject) {
        (Kind::Push, Subject::Identified(user)) => user,
        (Kind::Push | Kind::Qr | Kind::InApp, _) => return Ok(Vec::new()),
    };
    let phones = credentials::active_of(batch.conn(), &frozen.tenant, user).await?;
    let phones = phones.into_iter().filter(|phone| phone.takes_push_at(frozen.created_at));
    Ok(phones
        .map(|phone| {
            Event::new(EventType::PushCreated)
                .with("challengeId", challenge.id())
                .with("userId", user)
                .with("actionCode", &frozen.action)
                .with("idempotencyKey", &frozen.idempotency_key)
                .with("verificationMethod", "PUSH")
                .with("userAuthenticatorId", &phone.credential.id)
                .with("devicePlatform", &phone.device_platform)
                .opt_with("to", phone.push_token)
                .with("expiresAt", crate::clock::whole_milliseconds(frozen.expires_at))
        })
        .collect())
}

async fn supersede(
    batch: &mut Batch,
    tenant: &TenantId,
    id: ChallengeId,
    at: Timestamp,
) -> Result<Option<Challenge>, Fault> {
    let Some(old) = by_id(batch.conn(), tenant, id).await? else { return Ok(None) };
    match old.challenge.supersede(Supersession::Refreshed, at) {
        Ok(step) if step.effect == Effect::Moved => {
            let entry = moved(&old, &step.next, "supersede", None, at)?;
            batch.append(entry).await?;
            Ok(Some(step.next))
        }
        Ok(_) | Err(_) => Ok(None),
    }
}

impl Verb for Transition {
    type Done = Transitioned;
    type Refused = TransitionError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let request = &self.0;
            if let Operation::Claim { decision: Some(new), .. } = &request.operation {
                decisions::record(batch, new).await?;
            }
            match judge(batch, request).await? {
                Ok((stored, credential, step)) => Ok(Ok(apply(batch, request, stored, credential, step).await?)),
                Err(refusal) => {
                    let entry = refused(request, &refusal);
                    let warning = warning(batch, request, &refusal).await?;
                    batch.append(warning.into_iter().fold(entry, Entry::tell)).await?;
                    Ok(Err(refusal))
                }
            }
        })
    }
}

/// Somebody else's phone tried to take or answer a user's challenge: that user should hear of it (T-05).
async fn warning(
    batch: &mut Batch,
    request: &TransitionRequest,
    refusal: &TransitionError,
) -> Result<Option<Event>, Fault> {
    let (TransitionError::Claim(ClaimError::WrongUser) | TransitionError::Answer(AnswerError::WrongUser)) = refusal
    else {
        return Ok(None);
    };
    let stored = by_id(batch.conn(), &request.tenant, request.challenge).await?;
    Ok(stored.as_ref().and_then(|stored| {
        let frozen = stored.challenge.frozen();
        let event = Event::notice("another_users_phone", stored.challenge.user()?);
        let event = event.with("challengeId", frozen.id).with("actionCode", &frozen.action);
        Some(event.opt_with("userAuthenticatorId", request.operation.credential()))
    }))
}

type Judged = (StoredChallenge, Option<StoredCredential>, challenge::Transition);

/// Reads what the step depends on, in the transaction that will write it, and asks the pure transition.
async fn judge(batch: &mut Batch, request: &TransitionRequest) -> Result<Result<Judged, TransitionError>, Fault> {
    let Some(stored) = by_id(batch.conn(), &request.tenant, request.challenge).await? else {
        return Ok(Err(TransitionError::NotFound));
    };
    let credential = match request.operation.credential() {
        None => None,
        Some(id) => match credentials::by_id(batch.conn(), &request.tenant, id).await? {
            Some(credential) => Some(credential),
            None => return Ok(Err(TransitionError::UnknownCredential)),
        },
    };
    let challenge = &stored.challenge;
    let at = request.at;
    let usable = credential.as_ref().map(|stored| stored.usable_at(at));
    let step = match (&request.operation, &usable) {
        (Operation::Claim { judge, .. }, Some(credential)) => {
            judge(challenge, credential, at).map_err(TransitionError::from)
        }
        (Operation::Answer { judge, .. }, Some(credential)) => {
            judge(challenge, credential, at).map_err(TransitionError::from)
        }
        (Operation::Claim { .. } | Operation::Answer { .. }, None) => Err(TransitionError::UnknownCredential),
        (Operation::Expire, _) => challenge.expire(at).map_err(TransitionError::from),
        (Operation::Supersede(reason), _) => challenge.supersede(*reason, at).map_err(TransitionError::from),
    };
    Ok(step.map(|step| (stored, credential, step)))
}

/// Writes a step that was granted. A step that only remembers something (a wrong code, another spent signature) is
/// written as well: it must survive whatever the caller does next (I10).
async fn apply(
    batch: &mut Batch,
    request: &TransitionRequest,
    stored: StoredChallenge,
    credential: Option<StoredCredential>,
    step: challenge::Transition,
) -> Result<Transitioned, Fault> {
    let claimed_as = claimed_as(&stored.challenge);
    if stored.decision.is_some() || claimed_as.is_some() {
        batch.flush().await?;
    }
    let decision = match (stored.decision, claimed_as) {
        (Some(id), _) => decisions::by_id(batch.conn(), &request.tenant, id).await?,
        (None, Some(key)) => decisions::by_key(batch.conn(), &key).await?,
        (None, None) => None,
    };
    let (before, after) = (stored.challenge.clone(), step.next);
    // A move is a change, whatever version it says.
    if after.version() == before.version() && step.effect != Effect::Moved {
        let effect = step.effect;
        return Ok(Transitioned { before, after, effect, decision, claim_decision: None, seq: None });
    }
    let signer = credential.as_ref().map(|credential| credential.usable_at(request.at));
    if let Some(broken) = invariant::broken(&before, &after, signer.as_ref(), request.at) {
        return Err(Fault::damaged(format!("a step of challenge {} is not written: {broken}", before.id())));
    }
    let mut entry = moved(&stored, &after, request.operation.name(), request.operation.credential(), request.at)?;
    if let Effect::WrongCode { attempts_left } = step.effect {
        entry = entry.fact("attempts_left", attempts_left.to_string());
    }
    let approved = matches!(after.state(), State::Approved { .. }) && step.effect == Effect::Moved;
    if let Some(credential) = credential.filter(|_| approved) {
        let used = StoredCredential { last_verified_at: Some(whole_ms(request.at)), ..credential };
        entry = entry.changed(credentials::to_row(&used), used.seq);
    }
    if let Some(notice) = left_alone(batch, &after, request.at).await? {
        entry = entry.tell(notice);
    }
    let mut decision_after = decision.clone();
    if let Some(decision) = decision
        && let Some(how) = settlement(after.state())
    {
        let row_entry = decisions::entry_of(batch.conn(), &decision.tenant, decision.id).await?;
        let settled = follow(&decision, &after, request.at, batch.next_seq());
        entry = entry.document(decisions::settled(&settled, how, request.at)?);
        if settled.state != decision.state {
            entry = entry
                .changed(decisions::to_row(&settled, row_entry)?, decision.seq)
                .fact("state", settled.state.as_str())
                .tell(decisions::changed(&decision, &settled));
            if settled.state == ActionState::ChallengeSucceeded {
                entry = devices::authenticated(batch, entry, &settled, row_entry, request.at).await?;
            }
            decision_after = Some(settled);
        }
    }
    let seq = batch.append(entry).await?;
    let claim_decision = settle_claim(batch, &after, request.at).await?;
    let effect = step.effect;
    Ok(Transitioned { before, after, effect, decision: decision_after, claim_decision, seq: Some(seq) })
}

/// The decline after which a user is left alone is one that they, or whoever looks after them, should hear of (T-16); one
/// that only makes it longer is not.
async fn left_alone(batch: &mut Batch, challenge: &Challenge, at: Timestamp) -> Result<Option<Event>, Fault> {
    let Some((user, _)) = declined(challenge) else { return Ok(None) };
    let frozen = challenge.frozen();
    let since = at - LEFT_ALONE - LEFT_ALONE - LONGEST_LIFE;
    let asked = made_since(batch.conn(), &frozen.tenant, user, since).await?;
    let mut times: Vec<_> = asked.iter().filter_map(|stored| declined(&stored.challenge)).map(|(_, at)| at).collect();
    times.sort();
    let already = left_alone_until(&times).is_some_and(|until| at < until);
    times.push(at);
    let until = left_alone_until(&times).filter(|until| !already && at < *until);
    Ok(until.map(|until| {
        Event::notice("user_left_alone", user)
            .with("until", crate::clock::whole_milliseconds(until))
            .with("challengeId", frozen.id)
            .with("actionCode", &frozen.action)
    }))
}

/// Who said no when to what they were asked.
fn declined(challenge: &Challenge) -> Option<(&UserId, Timestamp)> {
    match (challenge.state(), &challenge.frozen().subject) {
        (State::Rejected { at, reason: Rejection::Declined, .. }, Subject::Identified(user)) => Some((user, *at)),
        _ => None,
    }
}

/// Where the policies asked the claimer for the match code, their decision about the claim ends with the challenge.
async fn settle_claim(batch: &mut Batch, challenge: &Challenge, at: Timestamp) -> Result<Option<Decision>, Fault> {
    let asked = challenge.state().claim().filter(|claim| claim.match_code.is_some());
    let (Some(claim), Some(how)) = (asked, settlement(challenge.state())) else { return Ok(None) };
    batch.flush().await?;
    let tenant = &challenge.frozen().tenant;
    let Some(decision) = decisions::about_claim(batch.conn(), tenant, &claim.user, challenge.id()).await? else {
        return Ok(None);
    };
    let row_entry = decisions::entry_of(batch.conn(), tenant, decision.id).await?;
    let settled = follow(&decision, challenge, at, batch.next_seq());
    let mut entry = Entry::new(tenant, "decision.settled", at)
        .fact("challenge", challenge.id().to_string())
        .fact("how", how.word())
        .document(decisions::settled(&settled, how, at)?);
    if settled.state != decision.state {
        entry = entry
            .changed(decisions::to_row(&settled, row_entry)?, decision.seq)
            .fact("state", settled.state.as_str())
            .tell(decisions::changed(&decision, &settled));
    }
    batch.append(entry).await?;
    Ok(Some(settled))
}

/// Takes open challenges back; what has ended meanwhile is let be.
pub(super) async fn cancel(
    batch: &mut Batch,
    open: Vec<StoredChallenge>,
    reason: Supersession,
    at: Timestamp,
) -> Result<Vec<Transitioned>, Fault> {
    let mut cancelled = Vec::new();
    for stored in open {
        let Ok(step) = stored.challenge.supersede(reason, at) else { continue };
        let frozen = stored.challenge.frozen();
        let operation = Operation::Supersede(reason);
        let request = TransitionRequest { tenant: frozen.tenant.clone(), challenge: frozen.id, operation, at };
        cancelled.push(apply(batch, &request, stored, None, step).await?);
    }
    Ok(cancelled)
}

/// The open challenges in which a tracked action is asked for, whoever began them.
pub(super) async fn open_for(
    conn: &mut SqliteConnection,
    decision: &Decision,
    now: Timestamp,
) -> Result<Vec<StoredChallenge>, Fault> {
    let mut open = open_of(conn, &decision.tenant, &decision.user, now).await?;
    open.retain(|stored| {
        let claimed = claimed_as(&stored.challenge);
        stored.decision == Some(decision.id)
            || claimed
                .is_some_and(|key| key.action == decision.action && key.idempotency_key == decision.idempotency_key)
    });
    Ok(open)
}

/// The name under which an anonymous challenge's action was tracked once it was claimed: with the claimer as its user.
fn claimed_as(challenge: &Challenge) -> Option<DecisionKey> {
    let frozen = challenge.frozen();
    match &frozen.subject {
        Subject::Identified(_) => None,
        Subject::Anonymous => challenge.state().claim().map(|claim| DecisionKey {
            tenant: frozen.tenant.clone(),
            user: claim.user.clone(),
            action: frozen.action.clone(),
            idempotency_key: frozen.idempotency_key.clone(),
        }),
    }
}

/// How a challenge's end settles its event; `None` if it is not an end, or a refreshed QR goes on in its place.
fn settlement(state: &State) -> Option<Settlement> {
    match state {
        State::Generated | State::Claimed(_) => None,
        State::Approved { .. } => Some(Settlement::Succeeded),
        State::Rejected { reason: Rejection::Declined | Rejection::TooManyAttempts, .. } => Some(Settlement::Declined),
        State::Expired { .. } => Some(Settlement::Expired),
        State::Superseded { reason: Supersession::Refreshed, .. } => None,
        State::Superseded { reason: Supersession::ActionChanged | Supersession::Cancelled, .. } => {
            Some(Settlement::Superseded)
        }
    }
}

/// The decision after its challenge ended. A state that was set from outside in the meantime stays.
fn follow(decision: &Decision, challenge: &Challenge, at: Timestamp, seq: Seq) -> Decision {
    let mut after = decision.clone();
    if decision.state != ActionState::ChallengeRequired {
        return after;
    }
    match challenge.state() {
        State::Approved { claim, .. } => {
            after.state = ActionState::ChallengeSucceeded;
            after.verification_method = Some(challenge.frozen().kind.wire_name().to_owned());
            after.verified_by = Some(claim.by.clone());
        }
        State::Rejected { .. } => after.state = ActionState::ChallengeFailed,
        State::Generated | State::Claimed(_) | State::Expired { .. } | State::Superseded { .. } => return after,
    }
    after.state_updated_at = whole_ms(at);
    after.seq = seq;
    after
}

/// The entry of a step: names the states, the credential and what the phone signed, never the person.
fn moved(
    before: &StoredChallenge,
    after: &Challenge,
    operation: &str,
    credential: Option<&CredentialId>,
    at: Timestamp,
) -> Result<Entry, Fault> {
    let (from, to) = (before.challenge.state().name(), after.state().name());
    let kind = if from == to { format!("challenge.{operation}.counted") } else { format!("challenge.{to}") };
    let mut entry = Entry::new(&after.frozen().tenant, kind, at)
        .fact("challenge", after.id().to_string())
        .fact("from", from)
        .fact("to", to)
        .opt_fact("credential", credential.map(|id| Fact::from(id.as_str())))
        .opt_fact("decision", before.decision.map(|id| id.to_string()))
        .changed(to_row(after, before.decision)?, before.seq);
    if let (State::Claimed(Claim { near: Some(channel), .. }), true) = (after.state(), from != to) {
        entry = entry.fact("near", channel.word());
    }
    if let State::Approved { answer, .. } = after.state() {
        entry = entry.fact("message_hash", answer.message_hash.as_str()).fact("signature", answer.signature.as_str());
    }
    if from == to {
        return Ok(entry);
    }
    let by = after.state().claim().map(|claim| &claim.by);
    Ok(entry.tell(told(event_type(after.state()), after, before.decision).opt_with("userAuthenticatorId", by)))
}

fn event_type(state: &State) -> EventType {
    match state {
        State::Generated => EventType::ChallengeGenerated,
        State::Claimed(_) => EventType::ChallengeClaimed,
        State::Approved { .. } => EventType::ChallengeApproved,
        State::Rejected { .. } => EventType::ChallengeRejected,
        State::Expired { .. } => EventType::ChallengeExpired,
        State::Superseded { .. } => EventType::ChallengeSuperseded,
    }
}

/// What webhooks hear of a challenge that has just come into its state.
fn told(kind: EventType, challenge: &Challenge, decision: Option<DecisionId>) -> Event {
    let frozen = challenge.frozen();
    let reason = match challenge.state() {
        State::Rejected { reason: Rejection::Declined, .. } => Some("declined"),
        State::Rejected { reason: Rejection::TooManyAttempts, .. } => Some("too_many_attempts"),
        State::Superseded { reason: Supersession::Refreshed, .. } => Some("refreshed"),
        State::Superseded { reason: Supersession::ActionChanged, .. } => Some("action_changed"),
        State::Superseded { reason: Supersession::Cancelled, .. } => Some("cancelled"),
        State::Generated | State::Claimed(_) | State::Approved { .. } | State::Expired { .. } => None,
    };
    Event::new(kind)
        .opt_with("reason", reason)
        .with("challengeId", challenge.id())
        .with("actionCode", &frozen.action)
        .with("idempotencyKey", &frozen.idempotency_key)
        .with("state", challenge.state().wire_name())
        .opt_with("userId", challenge.user())
        .opt_with("decisionId", decision)
}

fn refused(request: &TransitionRequest, refusal: &TransitionError) -> Entry {
    let code = match refusal {
        TransitionError::NotFound => "challenge_not_found",
        TransitionError::UnknownCredential => "unknown_credential",
        TransitionError::Claim(error) => error.code(),
        TransitionError::Answer(error) => error.code(),
        TransitionError::Expire(_) => "cannot_expire",
        TransitionError::Supersede(_) => "cannot_supersede",
        TransitionError::Store(_) => "storage",
    };
    Entry::new(&request.tenant, format!("refusal.{}", request.operation.name()), request.at)
        .fact("challenge", request.challenge.to_string())
        .fact("code", code)
        .opt_fact("credential", request.operation.credential().map(|id| Fact::from(id.as_str())))
}

fn to_row(challenge: &Challenge, decision: Option<DecisionId>) -> Result<Row, Fault> {
    let frozen = challenge.frozen();
    let user = match &frozen.subject {
        Subject::Identified(user) => Some(user.as_str()),
        Subject::Anonymous => challenge.user().map(UserId::as_str),
    };
    Ok(Row {
        table: &tables::CHALLENGES,
        name: format!("challenges/{}", challenge.id()),
        cells: vec![
            frozen.tenant.as_str().into(),
            challenge.id().to_string().into(),
            decision.map(|id| id.0).into(),
            user.into(),
            challenge.frozen_text().map_err(Fault::damaged)?.into(),
            challenge.state_text().map_err(Fault::damaged)?.into(),
            challenge.state().name().into(),
            challenge.version().into(),
            ms(frozen.created_at).into(),
            ms_up(frozen.expires_at).into(),
        ],
    })
}

fn from_row(row: &SqliteRow) -> Result<StoredChallenge, Fault> {
    let version = u32::try_from(row.int("version")?).map_err(Fault::damaged)?;
    let challenge =
        Challenge::from_texts(&row.text("frozen")?, &row.text("state")?, version).map_err(Fault::damaged)?;
    Ok(StoredChallenge { challenge, decision: row.opt_uuid("decision")?.map(DecisionId), seq: row.seq("seq")? })
}

pub(super) async fn by_id(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    id: ChallengeId,
) -> Result<Option<StoredChallenge>, Fault> {
    let row = sqlx::query("SELECT * FROM challenges WHERE tenant = ? AND id = ?")
        .bind(tenant.as_str())
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(from_row).transpose()
}

impl StoredCredential {
    /// The credential as the transitions see it at `at`: one that has expired is as good as revoked.
    fn usable_at(&self, at: Timestamp) -> Credential {
        let mut credential = self.credential.clone();
        if self.revoked_at.is_some() || self.expires_at.is_some_and(|expires| at >= expires) {
            credential.status = challenge::CredentialStatus::Revoked;
        }
        credential
    }
}

impl super::Sqlite {
    pub async fn challenge(&self, tenant: &TenantId, id: ChallengeId) -> Result<Option<StoredChallenge>, StoreError> {
        Ok(by_id(&mut *self.reader().await?, tenant, id).await?)
    }

    pub async fn open_challenges(
        &self,
        tenant: &TenantId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<Vec<StoredChallenge>, StoreError> {
        Ok(open_of(&mut *self.reader().await?, tenant, user, now).await?)
    }

    pub async fn challenges_since(
        &self,
        tenant: &TenantId,
        user: &UserId,
        since: Timestamp,
    ) -> Result<Vec<StoredChallenge>, StoreError> {
        Ok(made_since(&mut *self.reader().await?, tenant, user, since).await?)
    }

    pub async fn prompts_since(&self, since: Timestamp) -> Result<Vec<Prompt>, StoreError> {
        Ok(prompts_since(&mut *self.reader().await?, since).await?)
    }

    pub async fn latest_challenge_of(
        &self,
        tenant: &TenantId,
        decision: DecisionId,
    ) -> Result<Option<StoredChallenge>, StoreError> {
        Ok(latest_of(&mut *self.reader().await?, tenant, decision).await?)
    }

    pub async fn overdue_challenges(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(TenantId, ChallengeId)>, StoreError> {
        Ok(overdue(&mut *self.reader().await?, now, limit).await?)
    }

    pub async fn next_expiry(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(next_expiry(&mut *self.reader().await?).await?)
    }
}

pub(super) async fn open_of(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    user: &UserId,
    now: Timestamp,
) -> Result<Vec<StoredChallenge>, Fault> {
    let rows = sqlx::query(
        "SELECT * FROM challenges WHERE tenant = ? AND user = ? AND state_name IN ('generated', 'claimed') \
         AND expires_at > ? ORDER BY created_at DESC, id",
    )
    .bind(tenant.as_str())
    .bind(user.as_str())
    .bind(ms(now))
    .fetch_all(conn)
    .await?;
    rows.iter().map(from_row).collect()
}

/// What a terminal has on its screen: few challenges are open at a time, so no index is kept for what an administrator asks.
pub(super) async fn open_at_terminal(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    terminal: &TerminalId,
    now: Timestamp,
) -> Result<Vec<StoredChallenge>, Fault> {
    let rows = sqlx::query(
        "SELECT * FROM challenges WHERE state_name IN ('generated', 'claimed') AND expires_at > ? AND tenant = ? \
         AND json_extract(frozen, '$.terminal.id') = ? ORDER BY created_at, id",
    )
    .bind(ms(now))
    .bind(tenant.as_str())
    .bind(terminal.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter().map(from_row).collect()
}

async fn made_since(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    user: &UserId,
    since: Timestamp,
) -> Result<Vec<StoredChallenge>, Fault> {
    let rows = sqlx::query(
        "SELECT * FROM challenges WHERE tenant = ? AND user = ? AND created_at >= ? ORDER BY created_at DESC, id",
    )
    .bind(tenant.as_str())
    .bind(user.as_str())
    .bind(ms(since))
    .fetch_all(conn)
    .await?;
    rows.iter().map(from_row).collect()
}

/// Reads backwards from the newest row: rows stand in the order in which they were committed, and no index is kept for what
/// is asked once at a start.
async fn prompts_since(conn: &mut SqliteConnection, since: Timestamp) -> Result<Vec<Prompt>, Fault> {
    let mut prompts = Vec::new();
    let mut before = i64::MAX;
    loop {
        let rows = sqlx::query(
            "SELECT c.rowid AS number, c.*, d.challenge AS first FROM challenges c \
             LEFT JOIN decisions d ON d.tenant = c.tenant AND d.id = c.decision \
             WHERE c.rowid < ? ORDER BY c.rowid DESC LIMIT 1000",
        )
        .bind(before)
        .fetch_all(&mut *conn)
        .await?;
        let mut late = false;
        for row in &rows {
            before = row.int("number")?;
            if row.at("created_at")? < since {
                continue;
            }
            late = true;
            if row.opt_uuid("decision")?.is_some() {
                let challenge = from_row(row)?.challenge;
                let first = row.opt_text("first")?.is_some_and(|first| first == challenge.id().to_string());
                prompts.push(Prompt { challenge, first });
            }
        }
        // Clocks may step back, but not over a thousand challenges.
        if !late {
            prompts.reverse();
            return Ok(prompts);
        }
    }
}

async fn latest_of(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    decision: DecisionId,
) -> Result<Option<StoredChallenge>, Fault> {
    let row = sqlx::query(
        "SELECT * FROM challenges WHERE tenant = ? AND decision = ? ORDER BY created_at DESC, rowid DESC LIMIT 1",
    )
    .bind(tenant.as_str())
    .bind(decision.0.as_bytes().to_vec())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(from_row).transpose()
}

async fn overdue(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(TenantId, ChallengeId)>, Fault> {
    let rows = sqlx::query(
        "SELECT tenant, id FROM challenges WHERE state_name IN ('generated', 'claimed') AND expires_at <= ? \
         ORDER BY expires_at LIMIT ?",
    )
    .bind(ms(now))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| Ok((row.parsed("tenant", TenantId::parse)?, row.parsed("id", |id| ChallengeId::parse(&id))?)))
        .collect()
}

async fn next_expiry(conn: &mut SqliteConnection) -> Result<Option<Timestamp>, Fault> {
    sqlx::query("SELECT min(expires_at) AS expires_at FROM challenges WHERE state_name IN ('generated', 'claimed')")
        .fetch_one(conn)
        .await?
        .opt_at("expires_at")
}
