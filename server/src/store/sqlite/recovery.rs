use challenge::state::Supersession;
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use uuid::Uuid;

use super::batch::{Batch, Entry};
use super::cells::{Columns, ms, whole_ms};
use super::fault::Fault;
use super::unit::{Running, Verb};
use super::{challenges, credentials, decisions, devices, sessions, users};
use crate::store::model::*;
use crate::store::rows::Row;
use crate::store::verbs::{IssueRecoveryCodes, ResetUser, UseRecoveryCode};
use crate::store::{StoreError, tables};

// --- codes ---

impl Verb for IssueRecoveryCodes {
    type Done = ();
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            issue(batch, &self.tenant, &self.user, &self.codes, &self.actor, self.at).await?;
            Ok(Ok(()))
        })
    }
}

/// Issues codes; the good ones of before are withdrawn in the same entry.
pub(super) async fn issue(
    batch: &mut Batch,
    tenant: &TenantId,
    user: &UserId,
    new: &NewRecoveryCodes,
    actor: &str,
    at: Timestamp,
) -> Result<(), Fault> {
    let old = good_of(batch.conn(), tenant, user).await?;
    let seq = batch.next_seq();
    let mut entry = Entry::new(tenant, "recovery.codes_issued", at)
        .fact("batch", new.batch.to_string())
        .fact("codes", new.codes.len().to_string())
        .fact("withdrawn", old.len().to_string())
        .fact("actor", actor)
        .tell(Event::notice("recovery_codes_issued", user).with("codes", new.codes.len()));
    for code in old {
        entry = ended(entry, code, at, seq);
    }
    for (id, hash) in &new.codes {
        let code = RecoveryCode {
            tenant: tenant.clone(),
            id: *id,
            batch: new.batch,
            user: user.clone(),
            code_salt: new.code_salt,
            hash: *hash,
            issued_at: whole_ms(at),
            ended_at: None,
            used_for: None,
            credential: None,
            seq,
        };
        entry = entry.made(code_row(&code));
    }
    batch.append(entry).await?;
    Ok(())
}

/// Withdraws every good code of a user, and says how many there were.
pub(super) async fn withdraw(
    batch: &mut Batch,
    tenant: &TenantId,
    user: &UserId,
    actor: &str,
    at: Timestamp,
) -> Result<u64, Fault> {
    let good = good_of(batch.conn(), tenant, user).await?;
    let count = good.len() as u64;
    if count > 0 {
        let seq = batch.next_seq();
        let mut entry =
            Entry::new(tenant, "recovery.codes_withdrawn", at).fact("codes", count.to_string()).fact("actor", actor);
        for code in good {
            entry = ended(entry, code, at, seq);
        }
        batch.append(entry).await?;
    }
    Ok(count)
}

fn ended(entry: Entry, code: RecoveryCode, at: Timestamp, seq: Seq) -> Entry {
    let was = code.seq;
    entry.changed(code_row(&RecoveryCode { ended_at: Some(whole_ms(at)), seq, ..code }), was)
}

impl Verb for UseRecoveryCode {
    type Done = RecoveryCodeUsed;
    type Refused = RecoveryCodeError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let used = &self.0;
            // The decision may be of this very batch.
            batch.flush().await?;
            match judge(batch, used).await? {
                Ok((code, decision, true)) => {
                    let left = good_of(batch.conn(), &used.tenant, &code.user).await?.len() as u64;
                    Ok(Ok(RecoveryCodeUsed { decision, cancelled: Vec::new(), left, repeated: true }))
                }
                Ok((code, decision, false)) => Ok(Ok(spend(batch, used, code, decision).await?)),
                Err(refusal) => {
                    let code = match refusal {
                        RecoveryCodeError::Spent => "spent",
                        RecoveryCodeError::NotAsked => "not_asked",
                        RecoveryCodeError::Store(_) => "storage",
                    };
                    let entry = Entry::new(&used.tenant, "refusal.recovery_code", used.at)
                        .fact("recovery_code", used.code.to_string())
                        .fact("purpose", used.purpose.as_str())
                        .fact("decision", used.decision.to_string())
                        .fact("code", code);
                    batch.append(entry).await?;
                    Ok(Err(refusal))
                }
            }
        })
    }
}

/// The code, the attempt, and whether this very use is on record already.
async fn judge(
    batch: &mut Batch,
    used: &RecoveryCodeUse,
) -> Result<Result<(RecoveryCode, Decision, bool), RecoveryCodeError>, Fault> {
    let Some(code) = code_by_id(batch.conn(), &used.tenant, used.code).await? else {
        return Ok(Err(RecoveryCodeError::Spent));
    };
    let decision = decisions::by_id(batch.conn(), &used.tenant, used.decision).await?;
    let Some(decision) = decision.filter(|decision| decision.user == code.user) else {
        return Ok(Err(RecoveryCodeError::NotAsked));
    };
    if code.used_for == Some((used.purpose, used.decision)) {
        return Ok(Ok((code, decision, true)));
    }
    if code.ended_at.is_some() {
        return Ok(Err(RecoveryCodeError::Spent));
    }
    match used.purpose {
        RecoveryPurpose::Approval if decision.state != ActionState::ChallengeRequired => {
            Ok(Err(RecoveryCodeError::NotAsked))
        }
        RecoveryPurpose::Approval | RecoveryPurpose::Enrolment => Ok(Ok((code, decision, false))),
    }
}

async fn spend(
    batch: &mut Batch,
    used: &RecoveryCodeUse,
    code: RecoveryCode,
    decision: Decision,
) -> Result<RecoveryCodeUsed, Fault> {
    let mut cancelled = Vec::new();
    if used.purpose == RecoveryPurpose::Approval {
        let open = challenges::open_for(batch.conn(), &decision, used.at).await?;
        cancelled = challenges::cancel(batch, open, Supersession::Cancelled, used.at).await?;
    }
    let seq = batch.next_seq();
    let was = code.seq;
    let spent =
        RecoveryCode { ended_at: Some(whole_ms(used.at)), used_for: Some((used.purpose, used.decision)), seq, ..code };
    let left = (good_of(batch.conn(), &used.tenant, &spent.user).await?.len() as u64).saturating_sub(1);
    let mut entry = Entry::new(&used.tenant, "recovery.code_used", used.at)
        .fact("recovery_code", spent.id.to_string())
        .fact("purpose", used.purpose.as_str())
        .fact("decision", decision.id.to_string())
        .fact("left", left.to_string())
        .tell(
            Event::notice("recovery_code_used", &spent.user)
                .with("purpose", used.purpose.as_str())
                .with("codesLeft", left)
                .with("decisionId", decision.id),
        )
        .changed(code_row(&spent), was);
    let mut after = decision.clone();
    if used.purpose == RecoveryPurpose::Approval {
        after = Decision {
            state: ActionState::ChallengeSucceeded,
            verification_method: Some(RECOVERY_CODE.to_owned()),
            verified_by: None,
            state_updated_at: whole_ms(used.at),
            seq,
            ..decision.clone()
        };
        let row_entry = decisions::entry_of(batch.conn(), &decision.tenant, decision.id).await?;
        batch.flush().await?;
        entry = devices::authenticated(batch, entry, &after, row_entry, used.at).await?;
        entry = entry
            .fact("state", after.state.as_str())
            .changed(decisions::to_row(&after, row_entry)?, decision.seq)
            // It went through, but no phone answered: rules that ask for challenges passed must not find one.
            .document(decisions::settled(&after, Settlement::Set(ActionState::Allow), used.at)?);
    }
    batch.append(entry).await?;
    Ok(RecoveryCodeUsed { decision: after, cancelled, left, repeated: false })
}

/// Lets a phone in by a code that was used for that; `None` if the code is not such a one or has let one in.
pub(super) async fn open_code(
    batch: &mut Batch,
    tenant: &TenantId,
    user: &UserId,
    id: RecoveryCodeId,
) -> Result<Option<RecoveryCode>, Fault> {
    let code = code_by_id(batch.conn(), tenant, id).await?;
    Ok(code.filter(|code| {
        let is_for_enrolment = matches!(code.used_for, Some((RecoveryPurpose::Enrolment, _)));
        code.user == *user && is_for_enrolment && code.credential.is_none()
    }))
}

pub(super) fn code_row(code: &RecoveryCode) -> Row {
    Row {
        table: &tables::RECOVERY_CODES,
        name: format!("recovery_codes/{}", code.id),
        cells: vec![
            code.tenant.as_str().into(),
            code.id.to_string().into(),
            code.batch.to_string().into(),
            code.user.as_str().into(),
            code.code_salt.to_vec().into(),
            code.hash.into(),
            ms(code.issued_at).into(),
            code.ended_at.map(ms).into(),
            code.used_for.map(|(purpose, _)| purpose.as_str()).into(),
            code.used_for.map(|(_, decision)| decision.0).into(),
            code.credential.as_ref().map(CredentialId::as_str).into(),
        ],
    }
}

fn code_from(row: &SqliteRow) -> Result<RecoveryCode, Fault> {
    let salt = row.blob("code_salt")?.try_into().map_err(|_| Fault::damaged("code_salt has not 16 bytes"))?;
    let used_for = match (row.opt_text("purpose")?, row.opt_uuid("decision")?) {
        (Some(word), Some(decision)) => {
            let purpose = RecoveryPurpose::parse(&word).ok_or_else(|| Fault::damaged("purpose holds no such value"))?;
            Some((purpose, DecisionId(decision)))
        }
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            return Err(Fault::damaged("a purpose without a decision, or the reverse"));
        }
    };
    Ok(RecoveryCode {
        tenant: row.parsed("tenant", TenantId::parse)?,
        id: RecoveryCodeId(row.parsed("id", |text| Uuid::try_parse(&text))?),
        batch: row.parsed("batch", |text| Uuid::try_parse(&text))?,
        user: row.parsed("user", UserId::parse)?,
        code_salt: salt,
        hash: row.hash("hash")?,
        issued_at: row.at("issued_at")?,
        ended_at: row.opt_at("ended_at")?,
        used_for,
        credential: credential_in(row)?,
        seq: row.seq("seq")?,
    })
}

fn credential_in(row: &SqliteRow) -> Result<Option<CredentialId>, Fault> {
    row.opt_text("credential")?.map(|id| CredentialId::parse(id).map_err(Fault::damaged)).transpose()
}

async fn code_by_id(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    id: RecoveryCodeId,
) -> Result<Option<RecoveryCode>, Fault> {
    let row = sqlx::query("SELECT * FROM recovery_codes WHERE tenant = ? AND id = ?")
        .bind(tenant.as_str())
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(code_from).transpose()
}

/// A user's good codes.
pub(super) async fn good_of(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    user: &UserId,
) -> Result<Vec<RecoveryCode>, Fault> {
    let rows =
        sqlx::query("SELECT * FROM recovery_codes WHERE tenant = ? AND user = ? AND ended_at IS NULL ORDER BY rowid")
            .bind(tenant.as_str())
            .bind(user.as_str())
            .fetch_all(conn)
            .await?;
    rows.iter().map(code_from).collect()
}

/// The codes issued last, but for those that were withdrawn.
async fn newest_of(conn: &mut SqliteConnection, tenant: &TenantId, user: &UserId) -> Result<Vec<RecoveryCode>, Fault> {
    let rows = sqlx::query(
        "SELECT * FROM recovery_codes WHERE tenant = ?1 AND user = ?2 AND (ended_at IS NULL OR purpose IS NOT NULL) \
         AND batch = (SELECT batch FROM recovery_codes WHERE tenant = ?1 AND user = ?2 ORDER BY rowid DESC LIMIT 1) \
         ORDER BY rowid",
    )
    .bind(tenant.as_str())
    .bind(user.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter().map(code_from).collect()
}

// --- resets ---

impl Verb for ResetUser {
    type Done = ResetDone;
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move { Ok(Ok(reset(batch, &self.0).await?)) })
    }
}

async fn reset(batch: &mut Batch, new: &NewReset) -> Result<ResetDone, Fault> {
    let (tenant, user, at) = (&new.tenant, &new.user, new.at);
    let repeats = |reset| ResetDone { reset, credentials: 0, codes: 0, cancelled: Vec::new(), repeated: true };
    if let Some(key) = &new.idempotency_key
        && let Some(first) = reset_by_key(batch.conn(), tenant, user, key).await?
    {
        return Ok(repeats(first));
    }
    let active = credentials::active_of(batch.conn(), tenant, user).await?;
    let good = good_of(batch.conn(), tenant, user).await?;
    let open = challenges::open_of(batch.conn(), tenant, user, at).await?;
    let pending = pending_of(batch.conn(), tenant, user).await?;
    if let Some(pending) = pending.filter(|pending| at < pending.permitted_until)
        && active.is_empty()
        && good.is_empty()
        && open.is_empty()
    {
        return Ok(repeats(pending));
    }
    let (credentials, codes) = (active.len() as u64, good.len() as u64);
    batch.flush().await?;
    let cancelled = challenges::cancel(batch, open, Supersession::Cancelled, at).await?;
    for credential in active {
        credentials::revoke(batch, credential, "reset", at).await?;
    }
    withdraw(batch, tenant, user, "reset", at).await?;
    sessions::revoke_all(batch, tenant, user, "reset", at).await?;
    let made = Reset {
        tenant: tenant.clone(),
        id: new.id,
        user: user.clone(),
        reason: new.reason.clone(),
        author: new.author.clone(),
        actor: new.actor.clone(),
        idempotency_key: new.idempotency_key.clone(),
        at: whole_ms(at),
        permitted_until: whole_ms(new.permitted_until),
        credential: None,
        seq: batch.next_seq(),
    };
    let entry = Entry::new(tenant, "user.reset", at)
        .fact("reset", made.id.to_string())
        .fact("actor", made.actor.as_str())
        .fact("credentials", credentials.to_string())
        .fact("recovery_codes", codes.to_string())
        .fact("challenges", cancelled.len().to_string())
        .tell(
            Event::notice("user_reset", user)
                .with("resetId", made.id)
                .with("enrolUntil", made.permitted_until)
                .with("authenticators", credentials)
                .with("recoveryCodes", codes),
        )
        .made(reset_row(&made));
    batch.append(entry).await?;
    Ok(ResetDone { reset: made, credentials, codes, cancelled, repeated: false })
}

pub(super) fn reset_row(reset: &Reset) -> Row {
    Row {
        table: &tables::RESETS,
        name: format!("resets/{}", reset.id),
        cells: vec![
            reset.tenant.as_str().into(),
            reset.id.to_string().into(),
            reset.user.as_str().into(),
            reset.reason.as_str().into(),
            reset.author.as_str().into(),
            reset.actor.as_str().into(),
            reset.idempotency_key.as_deref().into(),
            ms(reset.at).into(),
            ms(reset.permitted_until).into(),
            reset.credential.as_ref().map(CredentialId::as_str).into(),
        ],
    }
}

fn reset_from(row: &SqliteRow) -> Result<Reset, Fault> {
    Ok(Reset {
        tenant: row.parsed("tenant", TenantId::parse)?,
        id: row.parsed("id", |text| Uuid::try_parse(&text))?,
        user: row.parsed("user", UserId::parse)?,
        reason: row.text("reason")?,
        author: row.text("author")?,
        actor: row.text("actor")?,
        idempotency_key: row.opt_text("idempotency_key")?,
        at: row.at("made_at")?,
        permitted_until: row.at("permitted_until")?,
        credential: credential_in(row)?,
        seq: row.seq("seq")?,
    })
}

async fn reset_by_key(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    user: &UserId,
    key: &str,
) -> Result<Option<Reset>, Fault> {
    let row = sqlx::query("SELECT * FROM resets WHERE tenant = ? AND user = ? AND idempotency_key = ?")
        .bind(tenant.as_str())
        .bind(user.as_str())
        .bind(key)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(reset_from).transpose()
}

/// When everything was last taken from a user, by a reset or a deletion: what was given out before is worth nothing.
pub(super) async fn began_anew(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    user: &UserId,
) -> Result<Option<Timestamp>, Fault> {
    let reset = last_reset(conn, tenant, user).await?.map(|reset| reset.at);
    Ok(reset.max(users::deleted_at(conn, tenant, user).await?))
}

/// The newest reset.
async fn last_reset(conn: &mut SqliteConnection, tenant: &TenantId, user: &UserId) -> Result<Option<Reset>, Fault> {
    let row = sqlx::query("SELECT * FROM resets WHERE tenant = ? AND user = ? ORDER BY rowid DESC LIMIT 1")
        .bind(tenant.as_str())
        .bind(user.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(reset_from).transpose()
}

/// The newest reset, unless a phone was enrolled after it.
async fn pending_of(conn: &mut SqliteConnection, tenant: &TenantId, user: &UserId) -> Result<Option<Reset>, Fault> {
    Ok(last_reset(conn, tenant, user).await?.filter(|reset| reset.credential.is_none()))
}

// --- standing ---

pub(super) async fn standing(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    user: &UserId,
) -> Result<RecoveryStanding, Fault> {
    let codes_left = good_of(conn, tenant, user).await?.len() as u64;
    let pending_reset = pending_of(conn, tenant, user).await?;
    let had_phone = sqlx::query("SELECT 1 AS found FROM credentials WHERE tenant = ? AND user = ? LIMIT 1")
        .bind(tenant.as_str())
        .bind(user.as_str())
        .fetch_optional(conn)
        .await?
        .is_some();
    Ok(RecoveryStanding { codes_left, pending_reset, had_phone })
}

impl super::Sqlite {
    pub async fn recovery_codes(&self, tenant: &TenantId, user: &UserId) -> Result<Vec<RecoveryCode>, StoreError> {
        Ok(newest_of(&mut *self.reader().await?, tenant, user).await?)
    }

    pub async fn began_anew(&self, tenant: &TenantId, user: &UserId) -> Result<Option<Timestamp>, StoreError> {
        Ok(began_anew(&mut *self.reader().await?, tenant, user).await?)
    }

    pub async fn reset_by_key(&self, tenant: &TenantId, user: &UserId, key: &str) -> Result<Option<Reset>, StoreError> {
        Ok(reset_by_key(&mut *self.reader().await?, tenant, user, key).await?)
    }

    pub async fn recovery_standing(&self, tenant: &TenantId, user: &UserId) -> Result<RecoveryStanding, StoreError> {
        Ok(standing(&mut *self.reader().await?, tenant, user).await?)
    }
}
