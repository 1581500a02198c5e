use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::batch::{Batch, Entry};
use super::cells::{Columns, ms, whole_ms};
use super::fault::Fault;
use super::unit::{Running, Verb};
use crate::store::model::*;
use crate::store::rows::Row;
use crate::store::verbs::ChangeDevice;
use crate::store::{StoreError, tables};

/// The row of a device that a decision is the first to come from.
pub(super) async fn first_seen(
    batch: &mut Batch,
    new: &NewDevice,
    decision: &NewDecision,
) -> Result<Option<Row>, Fault> {
    if by_name(batch.conn(), &decision.tenant, &decision.user, &new.device).await?.is_some() {
        return Ok(None);
    }
    Ok(Some(to_row(&UserDevice {
        tenant: decision.tenant.clone(),
        pseudonym: new.pseudonym,
        user: decision.user.clone(),
        device: new.device.clone(),
        created_at: whole_ms(decision.created_at),
        authenticated_at: None,
        last_method: None,
        remembered_until: None,
        invalidated_at: None,
        seq: batch.next_seq(),
    })))
}

/// Adds to the entry of a passed challenge that the user passed it on the device that the decision came from. `entry_of` is
/// the decision's first entry, which must have been flushed.
pub(super) async fn authenticated(
    batch: &mut Batch,
    entry: Entry,
    decision: &Decision,
    entry_of: Seq,
    at: Timestamp,
) -> Result<Entry, Fault> {
    let named = sqlx::query("SELECT json_extract(record, '$.device') AS device FROM documents WHERE seq = ?")
        .bind(entry_of as i64)
        .fetch_optional(batch.conn())
        .await?;
    let Some(name) = named.map(|row| row.opt_text("device")).transpose()?.flatten() else { return Ok(entry) };
    let Some(held) = by_name(batch.conn(), &decision.tenant, &decision.user, &name).await? else { return Ok(entry) };
    let was = held.seq;
    let after = UserDevice {
        authenticated_at: Some(whole_ms(at)),
        last_method: decision.verification_method.clone(),
        invalidated_at: None,
        ..held
    };
    Ok(entry.changed(to_row(&after), was))
}

impl Verb for ChangeDevice {
    type Done = UserDevice;
    type Refused = DeviceError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let Some(held) = by_name(batch.conn(), &self.tenant, &self.user, &self.device).await? else {
                return Ok(Err(DeviceError::NotFound));
            };
            let after = match self.change {
                DeviceChange::Remember(_) if held.invalidated_at.is_some() => {
                    return Ok(Err(DeviceError::Invalidated));
                }
                DeviceChange::Remember(until) => UserDevice { remembered_until: Some(whole_ms(until)), ..held.clone() },
                DeviceChange::Forget => UserDevice { remembered_until: None, ..held.clone() },
                DeviceChange::Invalidate => UserDevice {
                    remembered_until: None,
                    invalidated_at: held.invalidated_at.or(Some(whole_ms(self.at))),
                    ..held.clone()
                },
            };
            if after == held {
                return Ok(Ok(held));
            }
            let kind = match self.change {
                DeviceChange::Remember(_) => "device.remembered",
                DeviceChange::Forget => "device.forgotten",
                DeviceChange::Invalidate => "device.invalidated",
            };
            let was = held.seq;
            let after = UserDevice { seq: batch.next_seq(), ..after };
            let entry = Entry::new(&self.tenant, kind, self.at)
                .fact("device", after.pseudonym.to_string())
                .fact("actor", self.actor.as_str())
                .opt_fact("until", after.remembered_until.map(|until| until.to_string()))
                .changed(to_row(&after), was);
            batch.append(entry).await?;
            Ok(Ok(after))
        })
    }
}

/// Forgets what a user's devices are called and takes them back.
pub(super) async fn erase(batch: &mut Batch, tenant: &TenantId, user: &UserId, at: Timestamp) -> Result<(), Fault> {
    for held in of_user(batch.conn(), tenant, user).await? {
        let was = held.seq;
        let gone =
            UserDevice { remembered_until: None, invalidated_at: held.invalidated_at.or(Some(whole_ms(at))), ..held };
        let entry = Entry::new(tenant, "device.erased", at).fact("device", gone.pseudonym.to_string());
        batch.append(entry.changed(row(&gone, None), was)).await?;
    }
    Ok(())
}

fn to_row(device: &UserDevice) -> Row {
    row(device, Some(&device.device))
}

fn row(device: &UserDevice, name: Option<&str>) -> Row {
    Row {
        table: &tables::DEVICES,
        name: format!("devices/{}", device.pseudonym),
        cells: vec![
            device.tenant.as_str().into(),
            device.pseudonym.into(),
            device.user.as_str().into(),
            name.into(),
            ms(device.created_at).into(),
            device.authenticated_at.map(ms).into(),
            device.last_method.as_deref().into(),
            device.remembered_until.map(ms).into(),
            device.invalidated_at.map(ms).into(),
        ],
    }
}

fn from_row(row: &SqliteRow) -> Result<UserDevice, Fault> {
    Ok(UserDevice {
        tenant: row.parsed("tenant", TenantId::parse)?,
        pseudonym: row.uuid("pseudonym")?,
        user: row.parsed("user", UserId::parse)?,
        device: row.text("device")?,
        created_at: row.at("created_at")?,
        authenticated_at: row.opt_at("authenticated_at")?,
        last_method: row.opt_text("last_method")?,
        remembered_until: row.opt_at("remembered_until")?,
        invalidated_at: row.opt_at("invalidated_at")?,
        seq: row.seq("seq")?,
    })
}

async fn by_name(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    user: &UserId,
    device: &str,
) -> Result<Option<UserDevice>, Fault> {
    let row = sqlx::query("SELECT * FROM devices WHERE tenant = ? AND user = ? AND device = ?")
        .bind(tenant.as_str())
        .bind(user.as_str())
        .bind(device)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(from_row).transpose()
}

async fn of_user(conn: &mut SqliteConnection, tenant: &TenantId, user: &UserId) -> Result<Vec<UserDevice>, Fault> {
    let query = "SELECT * FROM devices WHERE tenant = ? AND user = ? AND device IS NOT NULL ORDER BY created_at, rowid";
    let rows = sqlx::query(query).bind(tenant.as_str()).bind(user.as_str()).fetch_all(conn).await?;
    rows.iter().map(from_row).collect()
}

impl super::Sqlite {
    pub async fn user_devices(&self, tenant: &TenantId, user: &UserId) -> Result<Vec<UserDevice>, StoreError> {
        Ok(of_user(&mut *self.reader().await?, tenant, user).await?)
    }
}
