use challenge::state::Supersession;
use jiff::{SignedDuration, Timestamp};
use sqlx::QueryBuilder;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use uuid::Uuid;

use super::batch::{Batch, Entry};
use super::cells::{Columns, ms, whole_ms};
use super::fault::Fault;
use super::unit::{Running, Verb};
use super::{challenges, credentials, decisions, devices, recovery, sessions};
use crate::store::model::*;
use crate::store::rows::Row;
use crate::store::verbs::{DeleteUser, UpsertUser};
use crate::store::{StoreError, tables};

/// Why what a user had was taken from them.
const DELETED: &str = "user deleted";
const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);

/// A user, and when they were deleted last.
struct Held {
    user: User,
    deleted_at: Option<Timestamp>,
}

impl Held {
    /// Whether nothing was said of the user since they were deleted.
    fn is_gone(&self) -> bool {
        self.deleted_at.is_some_and(|deleted_at| self.user.updated_at <= deleted_at)
    }
}

/// The rows of users who are not gone.
const IS_THERE: &str = "(deleted_at IS NULL OR deleted_at < updated_at)";

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
    let (kind, user, was, deleted_at) = match held {
        Some(held) => {
            let (gone, Held { user, deleted_at }) = (held.is_gone(), held);
            let attributes = merged(&user.attributes, given);
            if !gone && attributes == user.attributes {
                return Ok(user);
            }
            let was = user.seq;
            // Later than the deletion, which makes the user one that is there.
            let after = |deleted_at: Timestamp| deleted_at.saturating_add(MILLISECOND).unwrap_or(Timestamp::MAX);
            let updated_at = deleted_at.map_or(when, |deleted_at| when.max(after(deleted_at)));
            ("user.changed", User { attributes, updated_at, seq, ..user }, Some(was), deleted_at)
        }
        None => ("user.created", created(tenant, user, given.clone(), when, seq), None, None),
    };
    let entry = Entry::new(tenant, kind, at).fact("user", user.pseudonym.to_string());
    batch.append(entry.written(to_row(&user, deleted_at), was)).await?;
    Ok(user)
}

impl Verb for DeleteUser {
    type Done = Vec<Transitioned>;
    type Refused = DeleteUserError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let (tenant, user, at) = (&self.tenant, &self.user, self.at);
            // What was tracked in this very batch is theirs too.
            batch.flush().await?;
            let held = by_user(batch.conn(), tenant, user).await?;
            let deleted_at = held.as_ref().and_then(|held| held.deleted_at);
            let is_there = held.as_ref().is_some_and(|held| !held.is_gone());
            let active = credentials::active_of(batch.conn(), tenant, user).await?;
            let codes = recovery::withdraw(batch, tenant, user, DELETED, at).await?;
            let sessions = sessions::revoke_all(batch, tenant, user, DELETED, at).await?;
            let open = challenges::open_of(batch.conn(), tenant, user, at).await?;
            let left = is_there || !active.is_empty() || codes > 0 || sessions > 0 || !open.is_empty();
            // Whoever was tracked since may hold a token, which must not outlive them.
            if !left && !decisions::any_since(batch.conn(), tenant, user, deleted_at).await? {
                return Ok(Err(DeleteUserError::NotFound));
            }
            let cancelled = challenges::cancel(batch, open, Supersession::Cancelled, at).await?;
            devices::erase(batch, tenant, user, at).await?;
            for credential in active {
                credentials::revoke(batch, credential, DELETED, at).await?;
            }
            let when = whole_ms(at);
            let entry = Entry::new(tenant, "user.deleted", at).fact("challenges", cancelled.len().to_string());
            let was = held.as_ref().map(|held| held.user.seq);
            let gone = match held {
                Some(Held { user, .. }) => User { attributes: UserAttributes::default(), updated_at: when, ..user },
                None => created(tenant, user, UserAttributes::default(), when, batch.next_seq()),
            };
            batch
                .append(entry.fact("user", gone.pseudonym.to_string()).written(to_row(&gone, Some(when)), was))
                .await?;
            Ok(Ok(cancelled))
        })
    }
}

fn created(tenant: &TenantId, user: &UserId, attributes: UserAttributes, at: Timestamp, seq: Seq) -> User {
    let (tenant, user) = (tenant.clone(), user.clone());
    User { tenant, user, pseudonym: Uuid::new_v4(), attributes, created_at: at, updated_at: at, seq }
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

fn to_row(user: &User, deleted_at: Option<Timestamp>) -> Row {
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
            deleted_at.map(ms).into(),
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

async fn by_user(conn: &mut SqliteConnection, tenant: &TenantId, user: &UserId) -> Result<Option<Held>, Fault> {
    let row = sqlx::query("SELECT * FROM users WHERE tenant = ? AND user = ?")
        .bind(tenant.as_str())
        .bind(user.as_str())
        .fetch_optional(conn)
        .await?;
    row.map(|row| Ok(Held { user: from_row(&row)?, deleted_at: row.opt_at("deleted_at")? })).transpose()
}

/// When a user was deleted last.
pub(super) async fn deleted_at(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    user: &UserId,
) -> Result<Option<Timestamp>, Fault> {
    Ok(by_user(conn, tenant, user).await?.and_then(|held| held.deleted_at))
}

impl super::Sqlite {
    pub async fn user(&self, tenant: &TenantId, user: &UserId) -> Result<Option<User>, StoreError> {
        let held = by_user(&mut *self.reader().await?, tenant, user).await?;
        Ok(held.filter(|held| !held.is_gone()).map(|held| held.user))
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
    let mut query = QueryBuilder::new("SELECT * FROM users WHERE ");
    query.push(IS_THERE).push(" AND tenant = ").push_bind(tenant.as_str());
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
