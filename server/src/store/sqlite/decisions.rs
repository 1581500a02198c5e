use challenge::state::Supersession;
use engine::program::CHALLENGE_CLAIM;
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, SqlitePool};

use super::batch::{Batch, Document, Entry};
use super::cells::{Columns, ms, whole_ms};
use super::fault::Fault;
use super::unit::{Running, Verb};
use super::{challenges, devices, lists, users};
use crate::store::model::*;
use crate::store::rows::Row;
use crate::store::verbs::{RecordDecision, SetActionState};
use crate::store::{StoreError, tables};

impl Verb for RecordDecision {
    type Done = Recorded;
    type Refused = RecordError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let new = &self.0;
            // Usually the unique index alone decides: a duplicate fails the batch, and it is then run carefully.
            if batch.careful
                && let Some(stored) = by_key(batch.conn(), &key_of(new)).await?
            {
                return Ok(Err(RecordError::Duplicate(Box::new(stored))));
            }
            Ok(Ok(record(batch, new).await?))
        })
    }
}

/// Writes a decision with everything that goes with it.
pub(super) async fn record(batch: &mut Batch, new: &NewDecision) -> Result<Recorded, Fault> {
    let decision = first_row(new, batch.next_seq());
    let device = match &new.device {
        Some(device) => devices::first_seen(batch, device, new).await?,
        None => None,
    };
    let challenge = new.challenge.as_ref();
    let entry = Entry::new(&new.tenant, "decision", new.created_at)
        .fact("action", new.action.as_str())
        .fact("outcome", new.outcome.word())
        .fact("state", new.state.as_str())
        .fact("policy", new.policy_version.as_str())
        .fact("rules", new.rules.as_slice())
        .fact("reasons", new.reasons.as_slice())
        .fact("flags", new.flags.as_slice())
        .opt_fact("challenge", challenge.map(|new| new.challenge.id().to_string()))
        .tell(recorded(&decision).opt_with("traceId", new.facts.get("trace")))
        .made(to_row(&decision, batch.next_seq())?)
        .document(Document {
            decision: new.id,
            kind: "event",
            event: Some(new.event_line.clone()),
            record: Some(new.record.clone()),
        });
    let entry = match device {
        Some(device) => entry.made(device),
        None => entry,
    };
    let entry = new.facts.iter().fold(entry, |entry, (name, fact)| entry.fact(&format!("x.{name}"), fact.as_str()));
    let seq = batch.append(entry).await?;
    if let Some(challenge) = challenge {
        challenges::create(batch, challenge, Some(new.id)).await?;
    }
    for effect in &new.list_effects {
        lists::add(batch, effect).await?;
    }
    if let Some(attributes) = &new.about_user {
        users::upsert(batch, (&new.tenant, &new.user), attributes, new.created_at).await?;
    }
    Ok(Recorded { id: new.id, seq, challenge: challenge.map(|new| new.challenge.id()) })
}

/// Whether a user tracked anything since.
pub(super) async fn any_since(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    user: &UserId,
    since: Option<Timestamp>,
) -> Result<bool, Fault> {
    let found = sqlx::query("SELECT 1 FROM decisions WHERE tenant = ? AND user = ? AND created_at >= ? LIMIT 1")
        .bind(tenant.as_str())
        .bind(user.as_str())
        .bind(since.map_or(i64::MIN, ms))
        .fetch_optional(conn)
        .await?;
    Ok(found.is_some())
}

impl Verb for SetActionState {
    type Done = StateChanged;
    type Refused = StateChangeError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let change = &self.0;
            let Some(decision) = by_key(batch.conn(), &change.key).await? else {
                return Ok(Err(StateChangeError::NotFound));
            };
            if decision.state == change.state {
                return Ok(Ok(StateChanged { decision, superseded: Vec::new() }));
            }
            // What a phone was asked is not the question any more (T-11).
            let superseded = match change.state {
                ActionState::ChallengeRequired => Vec::new(),
                _ => {
                    let open = challenges::open_for(batch.conn(), &decision, change.at).await?;
                    challenges::cancel(batch, open, Supersession::ActionChanged, change.at).await?
                }
            };
            let entry = entry_of(batch.conn(), &decision.tenant, decision.id).await?;
            let after = Decision {
                state: change.state,
                state_updated_at: whole_ms(change.at),
                seq: batch.next_seq(),
                ..decision.clone()
            };
            let leaf = Entry::new(&after.tenant, "decision.state", change.at)
                .fact("decision", after.id.to_string())
                .fact("from", decision.state.as_str())
                .fact("to", after.state.as_str())
                .fact("actor", change.actor.as_str())
                .changed(to_row(&after, entry)?, decision.seq)
                .tell(changed(&decision, &after))
                .document(settled(&after, Settlement::Set(change.state), change.at)?);
            batch.append(leaf).await?;
            Ok(Ok(StateChanged { decision: after, superseded }))
        })
    }
}

fn key_of(new: &NewDecision) -> DecisionKey {
    DecisionKey {
        tenant: new.tenant.clone(),
        user: new.user.clone(),
        action: new.action.clone(),
        idempotency_key: new.idempotency_key.clone(),
    }
}

fn first_row(new: &NewDecision, seq: Seq) -> Decision {
    Decision {
        tenant: new.tenant.clone(),
        id: new.id,
        user: new.user.clone(),
        action: new.action.clone(),
        idempotency_key: new.idempotency_key.clone(),
        body_hash: new.body_hash,
        outcome: new.outcome,
        state: new.state,
        policy_version: new.policy_version.clone(),
        rules: new.rules.clone(),
        reasons: new.reasons.clone(),
        flags: new.flags.clone(),
        created_at: whole_ms(new.created_at),
        state_updated_at: whole_ms(new.created_at),
        challenge: new.challenge.as_ref().map(|new| new.challenge.id()),
        verification_method: None,
        verified_by: None,
        answer: new.answer.clone(),
        seq,
    }
}

/// What webhooks hear of a new decision.
fn recorded(decision: &Decision) -> Event {
    about(EventType::DecisionRecorded, decision)
        .with("outcome", decision.outcome.word())
        .with("policyVersion", &decision.policy_version)
        .with("rules", decision.rules.join(","))
        .with("reasons", decision.reasons.join(","))
        .with("flags", decision.flags.join(","))
        .opt_with("challengeId", decision.challenge)
}

/// What webhooks hear when a decision's state has changed.
pub(super) fn changed(before: &Decision, after: &Decision) -> Event {
    about(EventType::DecisionChanged, after)
        .with("before", before.state)
        .opt_with("verificationMethod", after.verification_method.as_deref())
        .opt_with("userAuthenticatorId", after.verified_by.as_ref())
}

fn about(kind: EventType, decision: &Decision) -> Event {
    Event::new(kind)
        .with("decisionId", decision.id)
        .with("userId", &decision.user)
        .with("actionCode", &decision.action)
        .with("idempotencyKey", &decision.idempotency_key)
        .with("state", decision.state)
}

/// The journal's document for an end of a decision's challenge, or a state set from outside.
pub(super) fn settled(decision: &Decision, how: Settlement, at: jiff::Timestamp) -> Result<Document, Fault> {
    let line = SettledLine {
        action: decision.action.clone(),
        at: ms(at),
        how: how.word().to_owned(),
        idempotency_key: decision.idempotency_key.clone(),
        user: decision.user.clone(),
    };
    let event = serde_json::to_string(&line).map_err(Fault::damaged)?;
    Ok(Document { decision: decision.id, kind: "settled", event: Some(event), record: None })
}

/// How a [`Settled`] is written down.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct SettledLine {
    pub action: ActionCode,
    pub at: i64,
    pub how: String,
    pub idempotency_key: IdempotencyKey,
    pub user: UserId,
}

/// The row of a decision; `entry` is the audit entry that recorded it.
pub(super) fn to_row(decision: &Decision, entry: Seq) -> Result<Row, Fault> {
    let words = |words: &[String]| serde_json::to_string(words).map_err(Fault::damaged);
    Ok(Row {
        table: &tables::DECISIONS,
        name: format!("decisions/{}", decision.id),
        cells: vec![
            (entry as i64).into(),
            decision.tenant.as_str().into(),
            decision.id.0.into(),
            decision.user.as_str().into(),
            decision.action.as_str().into(),
            decision.idempotency_key.as_str().into(),
            decision.body_hash.into(),
            decision.outcome.word().into(),
            decision.state.as_str().into(),
            decision.policy_version.as_str().into(),
            words(&decision.rules)?.into(),
            words(&decision.reasons)?.into(),
            words(&decision.flags)?.into(),
            ms(decision.created_at).into(),
            ms(decision.state_updated_at).into(),
            decision.challenge.map(|id| id.to_string()).into(),
            decision.verification_method.as_deref().into(),
            decision.verified_by.as_ref().map(CredentialId::as_str).into(),
            decision.answer.as_str().into(),
        ],
    })
}

fn from_row(row: &SqliteRow) -> Result<Decision, Fault> {
    let words = |column: &str| row.parsed(column, |text| serde_json::from_str::<Vec<String>>(&text));
    Ok(Decision {
        tenant: row.parsed("tenant", TenantId::parse)?,
        id: DecisionId(row.uuid("id")?),
        user: row.parsed("user", UserId::parse)?,
        action: row.parsed("action", ActionCode::parse)?,
        idempotency_key: row.parsed("idempotency_key", IdempotencyKey::parse)?,
        body_hash: row.hash("body_hash")?,
        outcome: row.parsed("outcome", |word| outcome(&word).ok_or(()))?,
        state: row.parsed("state", |word| ActionState::parse(&word).ok_or(()))?,
        policy_version: row.text("policy_version")?,
        rules: words("rules")?,
        reasons: words("reasons")?,
        flags: words("flags")?,
        created_at: row.at("created_at")?,
        state_updated_at: row.at("state_updated_at")?,
        challenge: optional(row.opt_text("challenge")?, |id| ChallengeId::parse(&id))?,
        verification_method: row.opt_text("verification_method")?,
        verified_by: optional(row.opt_text("verified_by")?, CredentialId::parse)?,
        answer: row.text("answer")?,
        seq: row.seq("seq")?,
    })
}

fn outcome(word: &str) -> Option<Outcome> {
    [Outcome::Allow, Outcome::Challenge, Outcome::Block].into_iter().find(|outcome| outcome.word() == word)
}

/// Parses a text that may be absent; one that does not parse is damage.
pub(super) fn optional<T, E: std::fmt::Display>(
    text: Option<String>,
    parse: impl FnOnce(String) -> Result<T, E>,
) -> Result<Option<T>, Fault> {
    text.map(parse).transpose().map_err(Fault::damaged)
}

pub(super) async fn by_key(conn: &mut SqliteConnection, key: &DecisionKey) -> Result<Option<Decision>, Fault> {
    let row =
        sqlx::query("SELECT * FROM decisions WHERE tenant = ? AND user = ? AND action = ? AND idempotency_key = ?")
            .bind(key.tenant.as_str())
            .bind(key.user.as_str())
            .bind(key.action.as_str())
            .bind(key.idempotency_key.as_str())
            .fetch_optional(conn)
            .await?;
    row.as_ref().map(from_row).transpose()
}

/// The newest decision about this user's claim of this challenge; its key begins with the challenge's id.
pub(super) async fn about_claim(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    user: &UserId,
    challenge: ChallengeId,
) -> Result<Option<Decision>, Fault> {
    let row = sqlx::query(
        "SELECT * FROM decisions WHERE tenant = ?1 AND user = ?2 AND action = ?3 AND outcome = 'challenge' \
         AND idempotency_key > ?4 || '.' AND idempotency_key < ?4 || '/' ORDER BY idempotency_key DESC LIMIT 1",
    )
    .bind(tenant.as_str())
    .bind(user.as_str())
    .bind(CHALLENGE_CLAIM)
    .bind(challenge.to_string())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(from_row).transpose()
}

pub(super) async fn by_id(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    id: DecisionId,
) -> Result<Option<Decision>, Fault> {
    let row = sqlx::query("SELECT * FROM decisions WHERE tenant = ? AND id = ?")
        .bind(tenant.as_str())
        .bind(id.0.as_bytes().to_vec())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The audit entry that recorded a decision.
pub(super) async fn entry_of(conn: &mut SqliteConnection, tenant: &TenantId, id: DecisionId) -> Result<Seq, Fault> {
    sqlx::query("SELECT entry FROM decisions WHERE tenant = ? AND id = ?")
        .bind(tenant.as_str())
        .bind(id.0.as_bytes().to_vec())
        .fetch_one(conn)
        .await?
        .seq("entry")
}

impl super::Sqlite {
    pub async fn decision_by_key(&self, key: &DecisionKey) -> Result<Option<Decision>, StoreError> {
        Ok(by_key(&mut *self.reader().await?, key).await?)
    }

    pub async fn decision(&self, tenant: &TenantId, id: DecisionId) -> Result<Option<Decision>, StoreError> {
        Ok(by_id(&mut *self.reader().await?, tenant, id).await?)
    }

    pub async fn decision_record(&self, tenant: &TenantId, id: DecisionId) -> Result<Option<String>, StoreError> {
        Ok(record_of(&self.readers, tenant, id).await?)
    }

    pub async fn decisions(
        &self,
        tenant: &TenantId,
        filter: &DecisionFilter,
        page: &PageRequest,
    ) -> Result<Page<Decision>, StoreError> {
        Ok(list(&self.readers, tenant, filter, page).await?)
    }
}

async fn record_of(pool: &SqlitePool, tenant: &TenantId, id: DecisionId) -> Result<Option<String>, Fault> {
    let row = sqlx::query(
        "SELECT documents.record FROM decisions JOIN documents ON documents.seq = decisions.entry \
         WHERE decisions.tenant = ?1 AND decisions.id = ?2 AND documents.tenant = ?1",
    )
    .bind(tenant.as_str())
    .bind(id.0.as_bytes().to_vec())
    .fetch_optional(pool)
    .await?;
    row.map_or(Ok(None), |row| row.opt_text("record"))
}

async fn list(
    pool: &SqlitePool,
    tenant: &TenantId,
    filter: &DecisionFilter,
    page: &PageRequest,
) -> Result<Page<Decision>, Fault> {
    let limit = page.limit.clamp(1, PageRequest::LARGEST);
    let mut query = QueryBuilder::new("SELECT * FROM decisions WHERE tenant = ");
    query.push_bind(tenant.as_str());
    if let Some(user) = &filter.user {
        query.push(" AND user = ").push_bind(user.as_str());
    }
    if !filter.actions.is_empty() {
        query.push(" AND action IN (");
        let mut actions = query.separated(", ");
        for action in &filter.actions {
            actions.push_bind(action.as_str());
        }
        query.push(")");
    }
    if let Some(outcome) = filter.outcome {
        query.push(" AND outcome = ").push_bind(outcome.word());
    }
    if let Some(state) = filter.state {
        query.push(" AND state = ").push_bind(state.as_str());
    }
    for (column, word) in [("rules", &filter.rule), ("reasons", &filter.reason)] {
        if let Some(word) = word {
            query.push(" AND EXISTS (SELECT 1 FROM json_each(").push(column).push(") WHERE value = ");
            query.push_bind(word).push(")");
        }
    }
    if let Some(from) = filter.from {
        query.push(" AND created_at >= ").push_bind(ms(from));
    }
    if let Some(to) = filter.to {
        query.push(" AND created_at < ").push_bind(ms(to));
    }
    // Entries are numbered in commit order, so the entry is both the order and the place to go on from.
    if let Some(after) = page.after.as_ref().and_then(|cursor| cursor.0.parse::<i64>().ok()) {
        query.push(" AND entry < ").push_bind(after);
    }
    query.push(" ORDER BY entry DESC LIMIT ").push_bind(i64::from(limit) + 1);
    let rows = query.build().fetch_all(pool).await?;
    let more = rows.len() > limit as usize;
    let rows = rows.get(..limit as usize).unwrap_or(&rows);
    let last = rows.last().map(|row| row.int("entry")).transpose()?;
    Ok(Page {
        items: rows.iter().map(from_row).collect::<Result<_, _>>()?,
        next: last.filter(|_| more).map(|entry| Cursor(entry.to_string())),
    })
}
