use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::batch::{Batch, Entry};
use super::cells::{Columns, ms, whole_ms};
use super::fault::Fault;
use super::unit::{Running, Verb};
use crate::store::model::*;
use crate::store::rows::Row;
use crate::store::verbs::{PutApiKey, PutTenant, RevokeApiKey};
use crate::store::{StoreError, tables};

impl Verb for PutTenant {
    type Done = Tenant;
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let new = &self.0;
            let held = by_id(batch.conn(), &new.id).await?;
            if let Some(held) = held.as_ref().filter(|held| held.name == new.name && held.settings == new.settings) {
                return Ok(Ok(held.clone()));
            }
            let tenant = Tenant {
                id: new.id.clone(),
                name: new.name.clone(),
                settings: new.settings.clone(),
                created_at: held.as_ref().map_or(whole_ms(new.at), |held| held.created_at),
                seq: batch.next_seq(),
            };
            let entry = match held {
                Some(held) => Entry::new(&new.id, "tenant.changed", new.at).changed(tenant_row(&tenant), held.seq),
                None => Entry::new(&new.id, "tenant.created", new.at).made(tenant_row(&tenant)),
            };
            batch.append(entry).await?;
            Ok(Ok(tenant))
        })
    }
}

impl Verb for PutApiKey {
    type Done = ApiKey;
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let new = &self.0;
            let held = key_by_id(batch.conn(), &new.tenant, &new.id).await?;
            if let Some(held) = held.as_ref().filter(|held| says(held, new)) {
                return Ok(Ok(held.clone()));
            }
            let key = ApiKey {
                tenant: new.tenant.clone(),
                id: new.id.clone(),
                role: new.role.clone(),
                name: new.name.clone(),
                hash: new.hash,
                created_at: held.as_ref().map_or(whole_ms(new.created_at), |held| held.created_at),
                // Revoked is for good: putting a key again does not bring it back.
                revoked_at: held.as_ref().and_then(|held| held.revoked_at),
                seq: batch.next_seq(),
            };
            let kind = if held.is_some() { "key.changed" } else { "key.created" };
            let entry = Entry::new(&new.tenant, kind, new.created_at)
                .fact("key", new.id.as_str())
                .fact("role", new.role.as_str());
            batch.append(entry.written(key_row(&key), held.map(|held| held.seq))).await?;
            Ok(Ok(key))
        })
    }
}

fn says(held: &ApiKey, new: &NewApiKey) -> bool {
    held.role == new.role && held.name == new.name && held.hash == new.hash
}

impl Verb for RevokeApiKey {
    type Done = Option<ApiKey>;
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let held = match key_by_id(batch.conn(), &self.tenant, &self.id).await? {
                Some(held) if held.revoked_at.is_none() => held,
                as_before => return Ok(Ok(as_before)),
            };
            let was = held.seq;
            let revoked = ApiKey { revoked_at: Some(whole_ms(self.at)), seq: batch.next_seq(), ..held };
            let entry = Entry::new(&self.tenant, "key.revoked", self.at)
                .fact("key", self.id.as_str())
                .fact("actor", self.actor.as_str())
                .changed(key_row(&revoked), was);
            batch.append(entry).await?;
            Ok(Ok(Some(revoked)))
        })
    }
}

fn tenant_row(tenant: &Tenant) -> Row {
    Row {
        table: &tables::TENANTS,
        name: "tenants/".to_owned(),
        cells: vec![
            tenant.id.as_str().into(),
            tenant.name.as_str().into(),
            tenant.settings.as_str().into(),
            ms(tenant.created_at).into(),
        ],
    }
}

fn key_row(key: &ApiKey) -> Row {
    Row {
        table: &tables::API_KEYS,
        name: format!("api_keys/{}", key.id),
        cells: vec![
            key.tenant.as_str().into(),
            key.id.as_str().into(),
            key.role.as_str().into(),
            key.name.as_str().into(),
            key.hash.into(),
            ms(key.created_at).into(),
            key.revoked_at.map(ms).into(),
        ],
    }
}

fn tenant_from(row: &SqliteRow) -> Result<Tenant, Fault> {
    Ok(Tenant {
        id: row.parsed("id", TenantId::parse)?,
        name: row.text("name")?,
        settings: row.text("settings")?,
        created_at: row.at("created_at")?,
        seq: row.seq("seq")?,
    })
}

fn key_from(row: &SqliteRow) -> Result<ApiKey, Fault> {
    Ok(ApiKey {
        tenant: row.parsed("tenant", TenantId::parse)?,
        id: row.text("id")?,
        role: row.text("role")?,
        name: row.text("name")?,
        hash: row.hash("hash")?,
        created_at: row.at("created_at")?,
        revoked_at: row.opt_at("revoked_at")?,
        seq: row.seq("seq")?,
    })
}

async fn by_id(conn: &mut SqliteConnection, id: &TenantId) -> Result<Option<Tenant>, Fault> {
    let row = sqlx::query("SELECT * FROM tenants WHERE id = ?").bind(id.as_str()).fetch_optional(conn).await?;
    row.as_ref().map(tenant_from).transpose()
}

async fn key_by_id(conn: &mut SqliteConnection, tenant: &TenantId, id: &str) -> Result<Option<ApiKey>, Fault> {
    let row = sqlx::query("SELECT * FROM api_keys WHERE tenant = ? AND id = ?")
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(key_from).transpose()
}

impl super::Sqlite {
    pub async fn tenant(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        Ok(by_id(&mut *self.reader().await?, id).await?)
    }

    pub async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        let rows = sqlx::query("SELECT * FROM tenants ORDER BY id")
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(Fault::from)?;
        Ok(rows.iter().map(tenant_from).collect::<Result<_, _>>()?)
    }

    pub async fn api_key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        let row = sqlx::query("SELECT * FROM api_keys WHERE hash = ? AND revoked_at IS NULL")
            .bind(hash.to_vec())
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(Fault::from)?;
        Ok(row.as_ref().map(key_from).transpose()?)
    }

    pub async fn api_keys(&self, tenant: &TenantId) -> Result<Vec<ApiKey>, StoreError> {
        let rows = sqlx::query("SELECT * FROM api_keys WHERE tenant = ? ORDER BY id")
            .bind(tenant.as_str())
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(Fault::from)?;
        Ok(rows.iter().map(key_from).collect::<Result<_, _>>()?)
    }
}
