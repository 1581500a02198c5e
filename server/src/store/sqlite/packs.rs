use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::batch::{Batch, Entry};
use super::cells::{Columns, ms, whole_ms};
use super::fault::Fault;
use super::unit::{Running, Verb};
use crate::store::model::*;
use crate::store::rows::Row;
use crate::store::verbs::ActivatePack;
use crate::store::{StoreError, tables};

impl Verb for ActivatePack {
    type Done = ActivePack;
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let new = &self.0;
            let held = active(batch.conn(), &new.tenant).await?;
            if let Some(held) = held.as_ref().filter(|held| held.version == new.version) {
                return Ok(Ok(held.clone()));
            }
            let known = archive(batch.conn(), &new.tenant, &new.version).await?.is_some();
            let activated = ActivePack {
                tenant: new.tenant.clone(),
                version: new.version.clone(),
                name: new.name.clone(),
                activated_at: whole_ms(new.at),
                actor: new.actor.clone(),
                seq: batch.next_seq(),
            };
            let mut entry = Entry::new(&new.tenant, "policy.activated", new.at)
                .fact("policy", new.version.as_str())
                .fact("name", new.name.as_str())
                .fact("actor", new.actor.as_str())
                .opt_fact("before", held.as_ref().map(|held| held.version.clone()))
                .tell(
                    Event::new(EventType::PolicyActivated)
                        .with("policyVersion", &new.version)
                        .with("name", &new.name)
                        .with("actor", &new.actor)
                        .opt_with("before", held.as_ref().map(|held| &held.version)),
                );
            if !known {
                entry = entry.made(pack_row(new));
            }
            batch.append(entry.written(active_row(&activated), held.map(|held| held.seq))).await?;
            Ok(Ok(activated))
        })
    }
}

fn pack_row(new: &NewPack) -> Row {
    Row {
        table: &tables::PACKS,
        name: format!("packs/{}", new.version),
        cells: vec![
            new.tenant.as_str().into(),
            new.version.as_str().into(),
            new.name.as_str().into(),
            new.archive.as_slice().into(),
        ],
    }
}

fn active_row(active: &ActivePack) -> Row {
    Row {
        table: &tables::ACTIVE_PACKS,
        name: "active_packs/".to_owned(),
        cells: vec![
            active.tenant.as_str().into(),
            active.version.as_str().into(),
            active.name.as_str().into(),
            active.actor.as_str().into(),
            ms(active.activated_at).into(),
        ],
    }
}

fn from_row(row: &SqliteRow) -> Result<ActivePack, Fault> {
    Ok(ActivePack {
        tenant: row.parsed("tenant", TenantId::parse)?,
        version: row.text("version")?,
        name: row.text("name")?,
        activated_at: row.at("activated_at")?,
        actor: row.text("actor")?,
        seq: row.seq("seq")?,
    })
}

async fn active(conn: &mut SqliteConnection, tenant: &TenantId) -> Result<Option<ActivePack>, Fault> {
    let row =
        sqlx::query("SELECT * FROM active_packs WHERE tenant = ?").bind(tenant.as_str()).fetch_optional(conn).await?;
    row.as_ref().map(from_row).transpose()
}

async fn archive(conn: &mut SqliteConnection, tenant: &TenantId, version: &str) -> Result<Option<Vec<u8>>, Fault> {
    let row = sqlx::query("SELECT archive FROM packs WHERE tenant = ? AND version = ?")
        .bind(tenant.as_str())
        .bind(version)
        .fetch_optional(conn)
        .await?;
    row.map(|row| row.blob("archive")).transpose()
}

impl super::Sqlite {
    pub async fn active_pack(&self, tenant: &TenantId) -> Result<Option<ActivePack>, StoreError> {
        Ok(active(&mut *self.reader().await?, tenant).await?)
    }

    pub async fn pack_archive(&self, tenant: &TenantId, version: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(archive(&mut *self.reader().await?, tenant, version).await?)
    }
}
