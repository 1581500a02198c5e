use sqlx::sqlite::SqliteConnection;

use super::batch::{Batch, Entry};
use super::cells::{Columns, ms};
use super::fault::Fault;
use super::unit::{Running, Verb};
use crate::store::model::*;
use crate::store::rows::Row;
use crate::store::verbs::Consume;
use crate::store::{StoreError, tables};

impl Verb for Consume {
    type Done = Use;
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let thing = &self.0;
            // Never the first time again: a repeat is written down too, since it may be a stolen token.
            if let Some(again) = earlier(batch.conn(), thing).await? {
                batch.append(entry(thing, "refusal.use")).await?;
                return Ok(Ok(again));
            }
            let kind = match thing.kind {
                UseKind::ResultToken => "token.validated",
                UseKind::Removal | UseKind::Nonce => "nonce.used",
            };
            batch.append(entry(thing, kind).made(to_row(thing))).await?;
            Ok(Ok(Use::First))
        })
    }
}

/// What the log says of a use.
pub(super) fn entry(thing: &NewUse, kind: &str) -> Entry {
    Entry::new(&thing.tenant, kind, thing.at)
        .fact("kind", thing.kind.as_str())
        .fact("id", thing.id.as_str())
        .fact("by", thing.by.as_str())
        .opt_fact("decision", thing.decision.map(|id| id.to_string()))
}

pub(super) fn to_row(thing: &NewUse) -> Row {
    Row {
        table: &tables::USES,
        name: format!("uses/{}/{}", thing.kind, thing.id),
        cells: vec![
            thing.tenant.as_str().into(),
            thing.kind.as_str().into(),
            thing.id.as_str().into(),
            thing.by.as_str().into(),
            thing.decision.map(|id| id.0).into(),
            ms(thing.at).into(),
            ms(thing.expires_at).into(),
        ],
    }
}

pub(super) async fn earlier(conn: &mut SqliteConnection, thing: &NewUse) -> Result<Option<Use>, Fault> {
    let row = sqlx::query("SELECT used_at, used_by FROM uses WHERE tenant = ? AND kind = ? AND id = ?")
        .bind(thing.tenant.as_str())
        .bind(thing.kind.as_str())
        .bind(thing.id.as_str())
        .fetch_optional(conn)
        .await?;
    row.map(|row| Ok(Use::Again { first_used_at: row.at("used_at")?, first_used_by: row.text("used_by")? })).transpose()
}
