use jiff::Timestamp;
use sqlx::QueryBuilder;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use uuid::Uuid;

use super::batch::{Batch, Entry};
use super::cells::{Columns, ms, whole_ms};
use super::fault::Fault;
use super::sessions;
use super::unit::{Running, Verb};
use super::{credentials, devices, recovery};
use crate::store::model::*;
use crate::store::rows::Row;
use crate::store::verbs::{DeleteUser, UpsertUser};
use crate::store::{StoreError, tables};

impl Verb for UpsertUser {
    type Done = User;
    type Refused = StoreError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move { Ok(Ok(upsert(batch, (&self.tenant, &self.user), &self.attributes, self.at).await?)) })
    }
}

/// Sets the attributes that are given. What says nothing new writes nothing.
pub(super) async fn upsert(
    batch: &mut Batch,
    (tenant, user): (&TenantId, &UserId),
    given: &UserAttributes,
    at: Timestamp,
) -> Result<User, Fault> {
    let when = whole_ms(at);
    let seq = batch.next_seq();
    let held = by_user(batch.conn(), tenant, user).await?;
    let (kind, user, was) = match held {
        Some((user, deleted)) => {
            let attributes = merged(&user.attributes, given);
            if !deleted && attributes == user.attributes {
                return Ok(user);
            }
            let was = user.seq;
            ("user.changed", User { attributes, updated_at: when, seq, ..user }, Some(was))
        }
        None => {
            let user = User {
                tenant: tenant.clone(),
                user: user.clone(),
                pseudonym: Uuid::new_v4(),
                attributes: given.clone(),
                created_at: when,
                updated_at: when,
                seq,
            };
            ("user.created", user, None)
        }
    };
    let entry = Entry::new(tenant, kind, at).fact("user", user.pseudonym.to_string());
    let row = to_row(&user, None);
    batch
        .append(match was {
            Some(was) => entry.changed(row, was),
            None => entry.made(row),
        })
        .await?;
    Ok(user)
}

impl Verb for DeleteUser {
    type Done = ();
    type Refused = DeleteUserError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let held = by_user(batch.conn(), &self.tenant, &self.user).await?.filter(|(_, deleted)| !deleted);
            let active = credentials::active_of(batch.conn(), &self.tenant, &self.user).await?;
            let codes = recovery::withdraw(batch, &self.tenant, &self.user, "user deleted", self.at).await?;
            let sessions = sessions::revoke_all(batch, &self.tenant, &self.user, "user deleted", self.at).await?;
            if held.is_none() && active.is_empty() && codes == 0 && sessions == 0 {
                return Ok(Err(DeleteUserError::NotFound));
            }
            devices::erase(batch, &self.tenant, &self.user, self.at).await?;
            for credential in active {
                credentials::revoke(batch, credential, "user deleted", self.at).await?;
            }
            if let Some((user, _)) = held {
                let was = user.seq;
                let at = whole_ms(self.at);
                let gone = User { attributes: UserAttributes::default(), updated_at: at, ..user };
                let entry = Entry::new(&self.tenant, "user.deleted", self.at)
                    .fact("user", gone.pseudonym.to_string())
                    .changed(to_row(&gone, Some(ms(at))), was);
                batch.append(entry).await?;
            }
            Ok(Ok(()))
        })
    }
}

/// What is given, over what was known. That an address was verified says nothing of another one.
fn merged(known: &UserAttributes, given: &UserAttributes) -> UserAttributes {
    let given = given.clone();
    let known = known.clone();
    let same_email = given.email.is_none() || given.email == known.email;
    let same_number = given.phone_number.is_none() || given.phone_number == known.phone_number;
    UserAttributes {
        email: given.email.or(known.email),
        email_verified: given.email_verified.or(known.email_verified.map(|was| was && same_email)),
        phone_number: given.phone_number.or(known.phone_number),
        phone_number_verified: given
            .phone_number_verified
            .or(known.phone_number_verified.map(|was| was && same_number)),
        username: given.username.or(known.username),
        display_name: given.display_name.or(known.display_name),
        locale: given.locale.or(known.locale),
        custom: given.custom.or(known.custom),
    }
}

fn to_row(user: &User, deleted_at: Option<i64>) -> Row {
    let attributes = &user.attributes;
    Row {
        table: &tables::USERS,
        name: format!("users/{}", user.pseudonym),
        cells: vec![
            user.tenant.as_str().into(),
            user.pseudonym.into(),
            user.user.as_str().into(),
            attributes.email.as_deref().into(),
            attributes.email_verified.into(),
            attributes.phone_number.as_deref().into(),
            attributes.phone_number_verified.into(),
            attributes.username.as_deref().into(),
            attributes.display_name.as_deref().into(),
            attributes.locale.as_deref().into(),
            attributes.custom.as_deref().into(),
            ms(user.created_at).into(),
            ms(user.updated_at).into(),
            deleted_at.into(),
        ],
    }
}

fn from_row(row: &SqliteRow) -> Result<User, Fault> {
    Ok(User {
        tenant: row.parsed("tenant", TenantId::parse)?,
        user: row.parsed("user", UserId::parse)?,
        pseudonym: row.uuid("pseudonym")?,
        attributes: UserAttributes {
            email: row.opt_text("email")?,
            email_verified: row.opt_int("email_verified")?.map(|flag| flag != 0),
            phone_number: row.opt_text("phone_number")?,
            phone_number_verified: row.opt_int("phone_number_verified")?.map(|flag| flag != 0),
            username: row.opt_text("username")?,
            display_name: row.opt_text("display_name")?,
            locale: row.opt_text("locale")?,
            custom: row.opt_text("custom")?,
        },
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
        seq: row.seq("seq")?,
    })
}

/// The user, and whether they were deleted.
async fn by_user(conn: &mut SqliteConnection, tenant: &TenantId, user: &UserId) -> Result<Option<(User, bool)>, Fault> {
    let row = sqlx::query("SELECT * FROM users WHERE tenant = ? AND user = ?")
        .bind(tenant.as_str())
        .bind(user.as_str())
        .fetch_optional(conn)
        .await?;
    row.map(|row| Ok((from_row(&row)?, row.opt_int("deleted_at")?.is_some()))).transpose()
}

impl super::Sqlite {
    pub async fn user(&self, tenant: &TenantId, user: &UserId) -> Result<Option<User>, StoreError> {
        let held = by_user(&mut *self.reader().await?, tenant, user).await?;
        Ok(held.filter(|(_, deleted)| !deleted).map(|(user, _)| user))
    }

    pub async fn users(
        &self,
        tenant: &TenantId,
        filter: &UserFilter,
        page: &PageRequest,
    ) -> Result<Page<User>, StoreError> {
        Ok(list(&mut *self.reader().await?, tenant, filter, page).await?)
    }
}

async fn list(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    filter: &UserFilter,
    page: &PageRequest,
) -> Result<Page<User>, Fault> {
    let limit = page.limit.clamp(1, PageRequest::LARGEST);
    let mut query = QueryBuilder::new("SELECT * FROM users WHERE deleted_at IS NULL AND tenant = ");
    query.push_bind(tenant.as_str());
    let wanted = [("email", &filter.email), ("username", &filter.username), ("phone_number", &filter.phone_number)];
    for (column, value) in wanted {
        if let Some(value) = value {
            query.push(" AND ").push(column).push(" = ").push_bind(value);
        }
    }
    if let Some(after) = &page.after {
        query.push(" AND user > ").push_bind(&after.0);
    }
    query.push(" ORDER BY user LIMIT ").push_bind(i64::from(limit) + 1);
    let rows = query.build().fetch_all(conn).await?;
    let more = rows.len() > limit as usize;
    let rows = rows.get(..limit as usize).unwrap_or(&rows);
    let items = rows.iter().map(from_row).collect::<Result<Vec<_>, _>>()?;
    let next = items.last().filter(|_| more).map(|user| Cursor(user.user.to_string()));
    Ok(Page { items, next })
}
