use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::batch::{Batch, Entry};
use super::cells::Columns;
use super::decisions::SettledLine;
use super::fault::Fault;
use super::unit::{Running, Verb};
use crate::audit::Checkpoint;
use crate::audit::tree::{Frontier, Hash};
use crate::store::StoreError;
use crate::store::model::*;
use crate::store::verbs::RecordRefusal;

impl Verb for RecordRefusal {
    type Done = Seq;
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let refusal = &self.0;
            let mut entry = Entry::new(&refusal.tenant, format!("refusal.{}", refusal.what), refusal.at);
            for (name, fact) in &refusal.facts {
                entry = entry.fact(&format!("x.{name}"), fact.as_str());
            }
            Ok(Ok(batch.append(entry.fact("code", refusal.code.as_str())).await?))
        })
    }
}

/// Hashes as they are stored: one after the other.
pub(super) fn hashes(bytes: &[u8]) -> Result<Vec<Hash>, Fault> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if rest.is_empty() { Ok(hashes.to_vec()) } else { Err(Fault::damaged("hashes have 32 bytes each")) }
}

fn frontier(row: &SqliteRow) -> Result<Frontier, Fault> {
    Frontier::resume(row.seq("size")?, hashes(&row.blob("peaks")?)?)
        .ok_or_else(|| Fault::damaged("the tree's edge does not fit its size"))
}

impl super::Sqlite {
    pub async fn journal(&self, after: Option<Seq>, limit: u32) -> Result<Vec<JournalEntry>, StoreError> {
        Ok(journal(&mut *self.reader().await?, after, limit).await?)
    }

    pub async fn checkpoint(&self) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT note FROM audit_head")
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(Fault::from)?;
        Ok(row.map(|row| row.text("note")).transpose()?)
    }

    pub async fn log_head(&self) -> Result<Checkpoint, StoreError> {
        let row = sqlx::query("SELECT size, peaks FROM audit_head")
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(Fault::from)?;
        let frontier = row.as_ref().map(frontier).transpose()?.unwrap_or_default();
        Ok(Checkpoint { origin: self.origin.clone(), size: frontier.size(), root: frontier.root() })
    }

    pub async fn log_time(&self) -> Result<Option<Timestamp>, StoreError> {
        let head = sqlx::query("SELECT time FROM audit_head");
        let row = head.fetch_optional(&mut *self.reader().await?).await.map_err(Fault::from)?;
        Ok(row.map(|row| row.at("time")).transpose()?)
    }

    pub async fn audit_leaf(&self, tenant: &TenantId, seq: Seq) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT leaf FROM audit_entries WHERE seq = ? AND json_extract(leaf, '$.tenant') = ?")
            .bind(seq as i64)
            .bind(tenant.as_str())
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(Fault::from)?;
        Ok(row.map(|row| row.text("leaf")).transpose()?)
    }
}

async fn journal(conn: &mut SqliteConnection, after: Option<Seq>, limit: u32) -> Result<Vec<JournalEntry>, Fault> {
    let rows = sqlx::query(
        "SELECT seq, tenant, decision, kind, event FROM documents WHERE seq > ? AND event IS NOT NULL \
         ORDER BY seq LIMIT ?",
    )
    .bind(after.map_or(-1, |seq| seq as i64))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(step).collect()
}

fn step(row: &SqliteRow) -> Result<JournalEntry, Fault> {
    let (seq, tenant) = (row.seq("seq")?, row.parsed("tenant", TenantId::parse)?);
    let decision = DecisionId(row.uuid("decision")?);
    let line = row.text("event")?;
    match row.text("kind")?.as_str() {
        "event" => Ok(JournalEntry::Event { seq, tenant, decision, line }),
        _ => {
            let settled: SettledLine = serde_json::from_str(&line).map_err(Fault::damaged)?;
            let how = Settlement::parse(&settled.how).ok_or_else(|| Fault::damaged("an unknown end of an event"))?;
            let at = jiff::Timestamp::from_millisecond(settled.at).map_err(Fault::damaged)?;
            let SettledLine { action, idempotency_key, user, .. } = settled;
            Ok(JournalEntry::Settled(Settled { seq, tenant, decision, user, action, idempotency_key, how, at }))
        }
    }
}
