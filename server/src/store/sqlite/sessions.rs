use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::batch::{Batch, Entry};
use super::cells::{Columns, ms, whole_ms};
use super::fault::Fault;
use super::unit::{Running, Verb};
use super::uses;
use crate::store::model::*;
use crate::store::rows::Row;
use crate::store::verbs::{BeginSession, RefreshSession, RevokeSession, RevokeSessions};
use crate::store::{StoreError, tables};

impl Verb for BeginSession {
    type Done = Begun;
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let (new, token) = (&self.0, &self.0.token);
            if uses::earlier(batch.conn(), token).await?.is_some() {
                let held = by_id(batch.conn(), &token.tenant, new.id).await?;
                let refusal =
                    uses::entry(token, "refusal.use").opt_fact("session", held.as_ref().map(|s| s.id.to_string()));
                batch.append(refusal).await?;
                return Ok(Ok(held.map_or(Begun::Used, Begun::Before)));
            }
            let session = Session {
                tenant: token.tenant.clone(),
                id: new.id,
                user: new.user.clone(),
                client: new.client.clone(),
                method: new.method.clone(),
                acr: new.acr.clone(),
                amr: new.amr.clone(),
                approved_at: whole_ms(new.approved_at),
                created_by: token.by.clone(),
                created_at: whole_ms(token.at),
                generation: 0,
                refreshed_at: whole_ms(token.at),
                expires_at: whole_ms(new.expires_at),
                revoked_at: None,
                seq: batch.next_seq(),
            };
            let entry = uses::entry(token, "session.began")
                .fact("session", session.id.to_string())
                .fact("client", session.client.as_str())
                .made(uses::to_row(token))
                .made(to_row(&session));
            batch.append(entry).await?;
            Ok(Ok(Begun::New(session)))
        })
    }
}

impl Verb for RefreshSession {
    type Done = Refreshed;
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let asked = &self.0;
            let held = by_id(batch.conn(), &asked.tenant, asked.id).await?;
            let Some(session) = held.filter(|session| session.is_open(asked.at)) else {
                return Ok(Ok(Refreshed::Over));
            };
            if asked.generation == session.generation {
                return Ok(Ok(Refreshed::Next(go_on(batch, session, asked).await?)));
            }
            let is_last = asked.generation.checked_add(1) == Some(session.generation);
            if is_last && session.refreshed_at >= asked.repeat_since {
                return Ok(Ok(Refreshed::Same(session)));
            }
            revoke(batch, session, "refresh token used again", asked.at).await?;
            Ok(Ok(Refreshed::Stolen))
        })
    }
}

async fn go_on(batch: &mut Batch, session: Session, asked: &Refresh) -> Result<Session, Fault> {
    let was = session.seq;
    let next = Session {
        generation: session.generation.saturating_add(1),
        refreshed_at: whole_ms(asked.at),
        expires_at: whole_ms(asked.expires_at),
        seq: batch.next_seq(),
        ..session
    };
    let entry = Entry::new(&next.tenant, "session.refreshed", asked.at)
        .fact("session", next.id.to_string())
        .fact("generation", u64::from(next.generation).to_string())
        .changed(to_row(&next), was);
    batch.append(entry).await?;
    Ok(next)
}

impl Verb for RevokeSession {
    type Done = ();
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let held = by_id(batch.conn(), &self.tenant, self.id).await?;
            if let Some(session) = held.filter(|session| session.revoked_at.is_none()) {
                revoke(batch, session, &self.actor, self.at).await?;
            }
            Ok(Ok(()))
        })
    }
}

impl Verb for RevokeSessions {
    type Done = u32;
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move { Ok(Ok(revoke_all(batch, &self.tenant, &self.user, &self.actor, self.at).await?)) })
    }
}

/// Ends every session of a user, and says how many.
pub(super) async fn revoke_all(
    batch: &mut Batch,
    tenant: &TenantId,
    user: &UserId,
    actor: &str,
    at: jiff::Timestamp,
) -> Result<u32, Fault> {
    let rows =
        sqlx::query("SELECT * FROM sessions WHERE tenant = ? AND user = ? AND revoked_at IS NULL ORDER BY rowid")
            .bind(tenant.as_str())
            .bind(user.as_str())
            .fetch_all(batch.conn())
            .await?;
    let open: Vec<Session> = rows.iter().map(from_row).collect::<Result<_, _>>()?;
    let open: Vec<Session> = open.into_iter().filter(|session| session.is_open(at)).collect();
    let count = u32::try_from(open.len()).unwrap_or(u32::MAX);
    for session in open {
        revoke(batch, session, actor, at).await?;
    }
    Ok(count)
}

async fn revoke(batch: &mut Batch, session: Session, actor: &str, at: jiff::Timestamp) -> Result<(), Fault> {
    let was = session.seq;
    let over = Session { revoked_at: Some(whole_ms(at)), seq: batch.next_seq(), ..session };
    let entry = Entry::new(&over.tenant, "session.revoked", at)
        .fact("session", over.id.to_string())
        .fact("actor", actor)
        .changed(to_row(&over), was);
    batch.append(entry).await?;
    Ok(())
}

fn to_row(session: &Session) -> Row {
    Row {
        table: &tables::SESSIONS,
        name: format!("sessions/{}", session.id),
        cells: vec![
            session.tenant.as_str().into(),
            session.id.0.into(),
            session.user.as_str().into(),
            session.client.as_str().into(),
            session.method.as_str().into(),
            session.acr.as_str().into(),
            session.amr.join(" ").into(),
            ms(session.approved_at).into(),
            session.created_by.as_str().into(),
            ms(session.created_at).into(),
            session.generation.into(),
            ms(session.refreshed_at).into(),
            ms(session.expires_at).into(),
            session.revoked_at.map(ms).into(),
        ],
    }
}

fn from_row(row: &SqliteRow) -> Result<Session, Fault> {
    let generation = u32::try_from(row.int("generation")?);
    Ok(Session {
        tenant: row.parsed("tenant", TenantId::parse)?,
        id: SessionId(row.uuid("id")?),
        user: row.parsed("user", UserId::parse)?,
        client: row.text("client")?,
        method: row.text("method")?,
        acr: row.text("acr")?,
        amr: row.text("amr")?.split_whitespace().map(str::to_owned).collect(),
        approved_at: row.at("approved_at")?,
        created_by: row.text("created_by")?,
        created_at: row.at("created_at")?,
        generation: generation.map_err(|_| Fault::damaged("a session was refreshed too often"))?,
        refreshed_at: row.at("refreshed_at")?,
        expires_at: row.at("expires_at")?,
        revoked_at: row.opt_at("revoked_at")?,
        seq: row.seq("seq")?,
    })
}

async fn by_id(conn: &mut SqliteConnection, tenant: &TenantId, id: SessionId) -> Result<Option<Session>, Fault> {
    let row = sqlx::query("SELECT * FROM sessions WHERE tenant = ? AND id = ?")
        .bind(tenant.as_str())
        .bind(id.0.as_bytes().to_vec())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(from_row).transpose()
}

impl super::Sqlite {
    pub async fn session(&self, tenant: &TenantId, id: SessionId) -> Result<Option<Session>, StoreError> {
        Ok(by_id(&mut *self.reader().await?, tenant, id).await?)
    }
}
