use challenge::keys::DeviceKey;
use challenge::state::OriginPlace;
use challenge::state::Supersession;
use challenge::terminal::Terminal;
use jiff::Timestamp;
use rust_decimal::Decimal;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::batch::{Batch, Entry};
use super::cells::{Columns, ms, whole_ms};
use super::challenges;
use super::fault::Fault;
use super::unit::{Running, Verb};
use crate::store::model::*;
use crate::store::rows::Row;
use crate::store::verbs::{RegisterTerminal, RevokeTerminal};
use crate::store::{StoreError, tables};

impl Verb for RegisterTerminal {
    type Done = TerminalChanged;
    type Refused = RegisterError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let new = &self.0;
            let held = by_key(batch.conn(), &new.tenant, &new.key).await?;
            match held {
                Some(held) if held.revoked_at.is_some() => Ok(Err(RegisterError::KeyRevoked)),
                Some(held) if held.id != new.id => Ok(Err(RegisterError::KeyTaken)),
                Some(held) => {
                    Ok(Ok(TerminalChanged { terminal: describe(batch, held, new).await?, cancelled: vec![] }))
                }
                None => {
                    let cancelled = match active(batch.conn(), &new.tenant, &new.id).await? {
                        Some(old) => revoke(batch, old, &new.actor, new.at).await?.cancelled,
                        None => Vec::new(),
                    };
                    Ok(Ok(TerminalChanged { terminal: register(batch, new).await?, cancelled }))
                }
            }
        })
    }
}

impl Verb for RevokeTerminal {
    type Done = TerminalChanged;
    type Refused = RevokeTerminalError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            if let Some(held) = active(batch.conn(), &self.tenant, &self.id).await? {
                return Ok(Ok(revoke(batch, held, &self.actor, self.at).await?));
            }
            // Who says it twice hears the same.
            let gone = all(batch.conn(), &self.tenant).await?.into_iter().rev().find(|held| held.id == self.id);
            Ok(gone
                .map(|terminal| TerminalChanged { terminal, cancelled: vec![] })
                .ok_or(RevokeTerminalError::NotFound))
        })
    }
}

async fn register(batch: &mut Batch, new: &NewTerminal) -> Result<RegisteredTerminal, Fault> {
    let terminal = RegisteredTerminal {
        tenant: new.tenant.clone(),
        id: new.id.clone(),
        name: new.name.clone(),
        key: new.key.clone(),
        place: new.place.clone(),
        actor: new.actor.clone(),
        registered_at: whole_ms(new.at),
        revoked_at: None,
        seq: batch.next_seq(),
    };
    batch.append(entry("terminal.registered", &terminal, &new.actor, new.at).made(to_row(&terminal))).await?;
    Ok(terminal)
}

/// The same key with another name or place; nothing is written if all is as before.
async fn describe(batch: &mut Batch, held: RegisteredTerminal, new: &NewTerminal) -> Result<RegisteredTerminal, Fault> {
    if held.name == new.name && held.place == new.place {
        return Ok(held);
    }
    let was = held.seq;
    let after = RegisteredTerminal { name: new.name.clone(), place: new.place.clone(), seq: batch.next_seq(), ..held };
    batch.append(entry("terminal.described", &after, &new.actor, new.at).changed(to_row(&after), was)).await?;
    Ok(after)
}

/// Revokes the key, and takes back what it has on its screen: nothing that a stolen terminal began may be approved.
async fn revoke(
    batch: &mut Batch,
    held: RegisteredTerminal,
    actor: &str,
    at: Timestamp,
) -> Result<TerminalChanged, Fault> {
    batch.flush().await?;
    let open = challenges::open_at_terminal(batch.conn(), &held.tenant, &held.id, at).await?;
    let cancelled = challenges::cancel(batch, open, Supersession::Cancelled, at).await?;
    let was = held.seq;
    let terminal = RegisteredTerminal { revoked_at: Some(whole_ms(at)), seq: batch.next_seq(), ..held };
    batch.append(entry("terminal.revoked", &terminal, actor, at).changed(to_row(&terminal), was)).await?;
    Ok(TerminalChanged { terminal, cancelled })
}

fn entry(kind: &str, terminal: &RegisteredTerminal, actor: &str, at: Timestamp) -> Entry {
    Entry::new(&terminal.tenant, kind, at)
        .fact("terminal", terminal.id.as_str())
        .fact("key", terminal.key.thumbprint().to_base64url())
        .fact("actor", actor)
}

fn to_row(terminal: &RegisteredTerminal) -> Row {
    let thumbprint = terminal.key.thumbprint().to_base64url();
    let Site { place, position } = &terminal.place;
    let degrees = |part: fn(&(Decimal, Decimal)) -> Decimal| position.as_ref().map(|at| part(at).to_string());
    Row {
        table: &tables::TERMINALS,
        name: format!("terminals/{thumbprint}"),
        cells: vec![
            terminal.tenant.as_str().into(),
            thumbprint.into(),
            terminal.id.as_str().into(),
            terminal.name.as_str().into(),
            terminal.key.to_spki().to_vec().into(),
            place.country.as_deref().into(),
            place.region.as_deref().into(),
            place.city.as_deref().into(),
            degrees(|at| at.0).as_deref().into(),
            degrees(|at| at.1).as_deref().into(),
            terminal.actor.as_str().into(),
            ms(terminal.registered_at).into(),
            terminal.revoked_at.map(ms).into(),
        ],
    }
}

fn from_row(row: &SqliteRow) -> Result<RegisteredTerminal, Fault> {
    let degrees = |column: &str| -> Result<Option<Decimal>, Fault> {
        let text = row.opt_text(column)?;
        text.map(|text| text.parse().map_err(|_| Fault::damaged(format!("{column} is no number")))).transpose()
    };
    Ok(RegisteredTerminal {
        tenant: row.parsed("tenant", TenantId::parse)?,
        id: row.parsed("id", TerminalId::parse)?,
        name: row.text("name")?,
        key: DeviceKey::from_spki(&row.blob("public_key")?).map_err(Fault::damaged)?,
        place: Site {
            place: OriginPlace {
                country: row.opt_text("country")?,
                region: row.opt_text("region")?,
                city: row.opt_text("city")?,
            },
            position: degrees("latitude")?.zip(degrees("longitude")?),
        },
        actor: row.text("actor")?,
        registered_at: row.at("registered_at")?,
        revoked_at: row.opt_at("revoked_at")?,
        seq: row.seq("seq")?,
    })
}

async fn by_key(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    key: &DeviceKey,
) -> Result<Option<RegisteredTerminal>, Fault> {
    let row = sqlx::query("SELECT * FROM terminals WHERE tenant = ? AND key = ?")
        .bind(tenant.as_str())
        .bind(key.thumbprint().to_base64url())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(from_row).transpose()
}

async fn active(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    id: &TerminalId,
) -> Result<Option<RegisteredTerminal>, Fault> {
    let row = sqlx::query("SELECT * FROM terminals WHERE tenant = ? AND id = ? AND revoked_at IS NULL")
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// Whether the terminal of a challenge is still who it was when it signed. Asked in the transaction that records the challenge:
/// of a creation and a revocation at once, one sees the other.
pub(super) async fn vouches(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    terminal: &Terminal,
) -> Result<bool, Fault> {
    let held = active(conn, tenant, &terminal.id).await?;
    Ok(held.is_some_and(|held| held.still_vouches(terminal)))
}

async fn all(conn: &mut SqliteConnection, tenant: &TenantId) -> Result<Vec<RegisteredTerminal>, Fault> {
    let rows = sqlx::query("SELECT * FROM terminals WHERE tenant = ? ORDER BY id, registered_at, rowid")
        .bind(tenant.as_str())
        .fetch_all(conn)
        .await?;
    rows.iter().map(from_row).collect()
}

impl super::Sqlite {
    pub async fn terminal(&self, tenant: &TenantId, id: &TerminalId) -> Result<Option<RegisteredTerminal>, StoreError> {
        Ok(active(&mut *self.reader().await?, tenant, id).await?)
    }

    pub async fn terminals(&self, tenant: &TenantId) -> Result<Vec<RegisteredTerminal>, StoreError> {
        Ok(all(&mut *self.reader().await?, tenant).await?)
    }
}
