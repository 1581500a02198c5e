use jiff::Timestamp;
use sqlx::QueryBuilder;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::batch::{Batch, Entry};
use super::cells::{Columns, ms, whole_ms};
use super::fault::Fault;
use super::unit::{Running, Verb};
use crate::store::model::*;
use crate::store::rows::Row;
use crate::store::verbs::{AddListEntry, RemoveListEntry};
use crate::store::{StoreError, tables};

impl Verb for AddListEntry {
    type Done = ListChange;
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move { Ok(Ok(add(batch, &self.0).await?)) })
    }
}

/// Puts a value on a list, or extends its stay; a stay is never shortened by adding.
pub(super) async fn add(batch: &mut Batch, new: &NewListEntry) -> Result<ListChange, Fault> {
    let at = whole_ms(new.at);
    let expires_at = new.expires_at.map(whole_ms);
    let fresh = ListEntry {
        tenant: new.tenant.clone(),
        id: new.id,
        list: new.list.clone(),
        value: new.value.clone(),
        reason: new.reason.clone(),
        author: new.author.clone(),
        created_at: at,
        expires_at,
        removed_at: None,
        seq: batch.next_seq(),
    };
    let (entry, was) = match current(batch.conn(), &new.tenant, &new.list, &new.value).await? {
        Some(held) if stays_as_long(&held, expires_at) => return Ok(ListChange::AsBefore(Some(held))),
        // The one entry for a value is taken up again, so that a list has a value at most once.
        Some(held) => (ListEntry { id: held.id, ..fresh }, Some(held.seq)),
        None => (fresh, None),
    };
    let leaf = Entry::new(&new.tenant, "list.changed", new.at)
        .fact("list", new.list.as_str())
        .fact("entry", entry.id.0.to_string())
        .fact("change", "added")
        .fact("author", new.author.as_str())
        .opt_fact("expires_at", expires_at.map(|at| at.to_string()));
    batch
        .append(match was {
            Some(was) => leaf.changed(to_row(&entry), was),
            None => leaf.made(to_row(&entry)),
        })
        .await?;
    Ok(ListChange::Changed(entry))
}

fn stays_as_long(held: &ListEntry, until: Option<Timestamp>) -> bool {
    match (held.expires_at, until) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(held), Some(until)) => held >= until,
    }
}

impl Verb for RemoveListEntry {
    type Done = ListChange;
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let Some(held) = current(batch.conn(), &self.tenant, &self.list, &self.value).await? else {
                return Ok(Ok(ListChange::AsBefore(None)));
            };
            let was = held.seq;
            let removed = ListEntry { removed_at: Some(whole_ms(self.at)), seq: batch.next_seq(), ..held };
            let leaf = Entry::new(&self.tenant, "list.changed", self.at)
                .fact("list", self.list.as_str())
                .fact("entry", removed.id.0.to_string())
                .fact("change", "removed")
                .fact("author", self.actor.as_str())
                .changed(to_row(&removed), was);
            batch.append(leaf).await?;
            Ok(Ok(ListChange::Changed(removed)))
        })
    }
}

fn to_row(entry: &ListEntry) -> Row {
    Row {
        table: &tables::LIST_ENTRIES,
        name: format!("list_entries/{}", entry.id.0),
        cells: vec![
            entry.tenant.as_str().into(),
            entry.id.0.into(),
            entry.list.as_str().into(),
            entry.value.as_str().into(),
            entry.reason.as_deref().into(),
            entry.author.as_str().into(),
            ms(entry.created_at).into(),
            entry.expires_at.map(ms).into(),
            entry.removed_at.map(ms).into(),
        ],
    }
}

fn from_row(row: &SqliteRow) -> Result<ListEntry, Fault> {
    Ok(ListEntry {
        tenant: row.parsed("tenant", TenantId::parse)?,
        id: ListEntryId(row.uuid("id")?),
        list: row.text("list")?,
        value: row.text("value")?,
        reason: row.opt_text("reason")?,
        author: row.text("author")?,
        created_at: row.at("created_at")?,
        expires_at: row.opt_at("expires_at")?,
        removed_at: row.opt_at("removed_at")?,
        seq: row.seq("seq")?,
    })
}

async fn current(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    list: &str,
    value: &str,
) -> Result<Option<ListEntry>, Fault> {
    let row =
        sqlx::query("SELECT * FROM list_entries WHERE tenant = ? AND list = ? AND value = ? AND removed_at IS NULL")
            .bind(tenant.as_str())
            .bind(list)
            .bind(value)
            .fetch_optional(conn)
            .await?;
    row.as_ref().map(from_row).transpose()
}

impl super::Sqlite {
    pub async fn list_entries(
        &self,
        tenant: &TenantId,
        list: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<ListEntry>, StoreError> {
        Ok(entries(&mut *self.reader().await?, tenant, list, now).await?)
    }
}

async fn entries(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    list: Option<&str>,
    now: Timestamp,
) -> Result<Vec<ListEntry>, Fault> {
    let mut query = QueryBuilder::new("SELECT * FROM list_entries WHERE removed_at IS NULL AND tenant = ");
    query.push_bind(tenant.as_str());
    if let Some(list) = list {
        query.push(" AND list = ").push_bind(list);
    }
    query.push(" AND (expires_at IS NULL OR expires_at > ").push_bind(ms(now)).push(") ORDER BY list, value");
    let rows = query.build().fetch_all(conn).await?;
    rows.iter().map(from_row).collect()
}
