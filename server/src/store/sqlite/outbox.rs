//! What webhooks still have to tell.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite};

use super::batch::{Batch, Entry};
use super::cells::{Columns, bind, ms};
use super::fault::Fault;
use super::statements::{self, CHUNKS};
use super::unit::{Running, Verb};
use crate::store::model::*;
use crate::store::rows::Cell;
use crate::store::verbs::{PruneOutbox, Redeliver, SettleDelivery, Tell};
use crate::store::{StoreError, tables};

/// An event for one endpoint, not yet written.
pub(super) struct Told {
    /// The columns of [`tables::OUTBOX`].
    pub cells: Vec<Cell>,
    /// It is due as soon as it is told.
    pub time: i64,
    pub salt: [u8; 16],
    /// The entry that tells of it.
    pub seq: Seq,
}

/// Writes what the entries of this transaction have to tell.
pub(super) async fn insert(conn: &mut SqliteConnection, told: Vec<Told>) -> Result<(), Fault> {
    static INSERTS: LazyLock<[Arc<str>; 4]> = LazyLock::new(|| {
        let columns = tables::OUTBOX.columns.join(", ");
        let head = format!("INSERT INTO outbox ({columns}, salt, seq, state, attempts, at)");
        CHUNKS.map(|rows| statements::insert(&head, 11, rows))
    });
    let mut told = told.into_iter();
    for size in statements::chunks(told.len()) {
        let mut query = sqlx::query(AssertSqlSafe(INSERTS[size].clone()));
        for Told { cells, time, salt, seq } in told.by_ref().take(CHUNKS[size]) {
            query = cells.into_iter().fold(query, bind);
            query = query.bind(salt.to_vec()).bind(seq as i64).bind("waiting").bind(0_i64).bind(time);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

impl Verb for Tell {
    type Done = Seq;
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let word = self.event.data.get("notice").cloned();
            let entry = Entry::new(&self.tenant, self.event.kind.as_str(), self.at).opt_fact("notice", word);
            Ok(Ok(batch.append(entry.tell(self.event.clone())).await?))
        })
    }
}

impl Verb for SettleDelivery {
    type Done = ();
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let (state, failure, at) = match &self.attempted {
                Attempted::Delivered => ("delivered", None, self.at),
                Attempted::Later { at, failure } => ("waiting", Some(failure.as_str()), *at),
                Attempted::Dead { failure } => ("dead", Some(failure.as_str()), self.at),
            };
            sqlx::query(
                "UPDATE outbox SET state = ?, failure = ?, at = ?, attempts = attempts + 1 \
                 WHERE number = ? AND event = ? AND state = 'waiting'",
            )
            .bind(state)
            .bind(failure)
            .bind(ms(at))
            .bind(self.number)
            .bind(self.event.as_bytes().to_vec())
            .execute(batch.conn())
            .await?;
            Ok(Ok(()))
        })
    }
}

impl Verb for Redeliver {
    type Done = u64;
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let mut query = QueryBuilder::new("UPDATE outbox SET state = 'waiting', attempts = 0, at = ");
            query.push_bind(ms(self.at)).push(" WHERE state = 'dead' AND tenant = ").push_bind(self.tenant.as_str());
            narrow(&mut query, &self.which);
            let revived = query.build().execute(batch.conn()).await?.rows_affected();
            if revived > 0 {
                let entry = Entry::new(&self.tenant, "webhook.redelivered", self.at)
                    .fact("actor", self.actor.as_str())
                    .fact("count", revived.to_string())
                    .opt_fact("endpoint", self.which.endpoint.clone())
                    .opt_fact("event", self.which.event.map(|event| event.to_string()));
                batch.append(entry).await?;
                batch.told = true;
            }
            Ok(Ok(revived))
        })
    }
}

impl Verb for PruneOutbox {
    type Done = u64;
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let mut gone = 0;
            for (state, before) in [("delivered", self.delivered_before), ("dead", self.dead_before)] {
                let pruned = sqlx::query(
                    "DELETE FROM outbox WHERE number IN \
                     (SELECT number FROM outbox WHERE state = ? AND state <> 'waiting' AND at < ? LIMIT ?)",
                )
                .bind(state)
                .bind(ms(before))
                .bind(i64::from(self.limit))
                .execute(batch.conn())
                .await?;
                gone += pruned.rows_affected();
            }
            Ok(Ok(gone))
        })
    }
}

fn narrow(query: &mut QueryBuilder<Sqlite>, which: &DeadLetters) {
    if let Some(event) = which.event {
        query.push(" AND event = ").push_bind(event.as_bytes().to_vec());
    }
    if let Some(endpoint) = &which.endpoint {
        query.push(" AND endpoint = ").push_bind(endpoint.clone());
    }
}

fn from_row(row: &SqliteRow) -> Result<Delivery, Fault> {
    Ok(Delivery {
        number: row.int("number")?,
        tenant: row.parsed("tenant", TenantId::parse)?,
        endpoint: row.text("endpoint")?,
        event: row.uuid("event")?,
        kind: row.parsed("type", |word| EventType::parse(&word).ok_or(()))?,
        time: row.at("time")?,
        data: row.text("data")?,
        attempts: u32::try_from(row.int("attempts")?).map_err(Fault::damaged)?,
        failure: row.opt_text("failure")?,
        at: row.at("at")?,
    })
}

impl super::Sqlite {
    pub async fn due_deliveries(
        &self,
        tenant: &TenantId,
        endpoint: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM outbox WHERE state = 'waiting' AND tenant = ? AND endpoint = ? AND at <= ? \
             ORDER BY at, number LIMIT ?",
        )
        .bind(tenant.as_str())
        .bind(endpoint)
        .bind(ms(now))
        .bind(i64::from(limit))
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(Fault::from)?;
        Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
    }

    pub async fn waiting_deliveries(&self) -> Result<Vec<(TenantId, String, u64)>, StoreError> {
        let rows = sqlx::query(
            "SELECT tenant, endpoint, count(*) AS many FROM outbox WHERE state = 'waiting' GROUP BY tenant, endpoint",
        )
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(Fault::from)?;
        let read = |row: &SqliteRow| {
            Ok::<_, Fault>((row.parsed("tenant", TenantId::parse)?, row.text("endpoint")?, row.seq("many")?))
        };
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    }

    pub async fn dead_letters(
        &self,
        tenant: &TenantId,
        which: &DeadLetters,
        page: &PageRequest,
    ) -> Result<Page<Delivery>, StoreError> {
        let limit = page.limit.clamp(1, PageRequest::LARGEST);
        let mut query = QueryBuilder::new("SELECT * FROM outbox WHERE state = 'dead' AND tenant = ");
        query.push_bind(tenant.as_str());
        narrow(&mut query, which);
        if let Some(after) = page.after.as_ref().and_then(|cursor| cursor.0.parse::<i64>().ok()) {
            query.push(" AND number < ").push_bind(after);
        }
        query.push(" ORDER BY number DESC LIMIT ").push_bind(i64::from(limit) + 1);
        let rows = query.build().fetch_all(&mut *self.reader().await?).await.map_err(Fault::from)?;
        let more = rows.len() > limit as usize;
        let items: Vec<Delivery> = rows.iter().take(limit as usize).map(from_row).collect::<Result<_, _>>()?;
        let next = items.last().filter(|_| more).map(|last| Cursor(last.number.to_string()));
        Ok(Page { items, next })
    }
}
