use challenge::credential::Unlock;
use challenge::keys::DeviceKey;
use challenge::{Credential, CredentialStatus, KeyProtection, Platform};
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::batch::{Batch, Entry};
use super::cells::{Columns, ms, whole_ms};
use super::fault::Fault;
use super::recovery;
use super::unit::{Running, Verb};
use crate::store::model::*;
use crate::store::rows::Row;
use crate::store::verbs::{Enrol, RefreshCredential, RevokeCredential};
use crate::store::{StoreError, tables};

impl Verb for Enrol {
    type Done = Enrolled;
    type Refused = EnrolError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let new = &self.0;
            match admit(batch, new).await? {
                Ok(Admitted::Held(credential)) => {
                    Ok(Ok(Enrolled { credential: *credential, new: false, codes_issued: false }))
                }
                Ok(Admitted::By(door)) => Ok(Ok(let_in(batch, new, door).await?)),
                Err(refusal) => {
                    let code = match refusal {
                        EnrolError::KeyTaken => "key_taken",
                        EnrolError::KeyRevoked => "key_revoked",
                        EnrolError::IdTaken => "id_taken",
                        EnrolError::NeedsScope => "needs_scope",
                        EnrolError::NeedsRecovery => "needs_recovery",
                        EnrolError::CodeSpent => "code_spent",
                        EnrolError::TokenOutdated => "token_outdated",
                        EnrolError::Store(_) => "storage",
                    };
                    let entry = Entry::new(&new.credential.tenant, "refusal.enrol", new.enrolled_at)
                        .fact("credential", new.credential.id.as_str())
                        .fact("code", code);
                    batch.append(entry).await?;
                    Ok(Err(refusal))
                }
            }
        })
    }
}

/// Why a key may be enrolled.
enum Admitted {
    /// It is already, by the same user.
    Held(Box<StoredCredential>),
    /// It is new, and this lets it in.
    By(Door),
}

/// Through which door a new phone comes in.
enum Door {
    /// Nobody stands before it: the user's first, or one that the backend vouches for.
    Open,
    /// An administrator's reset permits one.
    Reset(Box<Reset>),
    /// A recovery code was used for one.
    Code(Box<RecoveryCode>),
    /// It is a key of another kind of the phone that is in.
    Beside,
}

async fn admit(batch: &mut Batch, new: &NewCredential) -> Result<Result<Admitted, EnrolError>, Fault> {
    let tenant = &new.credential.tenant;
    // A key has one owner, whatever it is used for (T-23).
    for held in by_public_key(batch.conn(), tenant, &new.credential.key.to_spki()).await? {
        if held.credential.user != new.credential.user {
            return Ok(Err(EnrolError::KeyTaken));
        }
        if held.kind == new.kind {
            let revoked = held.revoked_at.is_some();
            return Ok(if revoked { Err(EnrolError::KeyRevoked) } else { Ok(Admitted::Held(Box::new(held))) });
        }
    }
    if by_id(batch.conn(), tenant, &new.credential.id).await?.is_some() {
        return Ok(Err(EnrolError::IdTaken));
    }
    Ok(door(batch, new).await?.map(Admitted::By))
}

/// Judged in the transaction that enrols: of two phones that come at once, the second is the second (T-22).
async fn door(batch: &mut Batch, new: &NewCredential) -> Result<Result<Door, EnrolError>, Fault> {
    let (tenant, user) = (&new.credential.tenant, &new.credential.user);
    // A reset and a deletion take everything away, the tokens of whoever they are to keep out too.
    if is_outdated(new.token_at.as_second(), recovery::began_anew(batch.conn(), tenant, user).await?) {
        return Ok(Err(EnrolError::TokenOutdated));
    }
    if is_of_the_phone_that_is_in(batch.conn(), new).await? {
        return Ok(Ok(Door::Beside));
    }
    let standing = recovery::standing(batch.conn(), tenant, user).await?;
    // Whatever lets a phone in after a reset, it is the one that the reset permits.
    let permitted = |reset: Option<Reset>| reset.map_or(Door::Open, |reset| Door::Reset(Box::new(reset)));
    match new.right {
        EnrolmentRight::Scope => Ok(Ok(permitted(standing.pending_reset))),
        EnrolmentRight::RecoveryCode(id) => match recovery::open_code(batch, tenant, user, id).await? {
            Some(code) => Ok(Ok(Door::Code(Box::new(code)))),
            None => Ok(Err(EnrolError::CodeSpent)),
        },
        EnrolmentRight::Token if !active_of(batch.conn(), tenant, user).await?.is_empty() => {
            Ok(Err(EnrolError::NeedsScope))
        }
        EnrolmentRight::Token if standing.admits(new.enrolled_at) => Ok(Ok(permitted(standing.pending_reset))),
        EnrolmentRight::Token => Ok(Err(EnrolError::NeedsRecovery)),
    }
}

/// How a key came in.
#[derive(PartialEq)]
struct Way<'a> {
    token: &'a str,
    platform: &'a str,
    name: Option<&'a str>,
}

/// A key that a user has or had.
struct Arrived {
    stored: StoredCredential,
    /// The token that brought it.
    token: Option<String>,
    /// Whether a recovery code or a reset let it in.
    after_a_loss: bool,
}

impl Arrived {
    fn way(&self) -> Option<Way<'_>> {
        let (platform, name) = (&self.stored.device_platform, self.stored.device_name.as_deref());
        self.token.as_deref().map(|token| Way { token, platform, name })
    }

    /// Keys of different kinds that came in by one token, under one name, on one platform, are one phone's (decision 16).
    fn shares_a_phone_with(&self, kind: &str, way: Option<Way<'_>>) -> bool {
        way.is_some() && self.way() == way && self.stored.kind != kind
    }
}

/// Every key that a user ever had, in the order of enrolment: rows are never deleted.
async fn arrived(conn: &mut SqliteConnection, tenant: &TenantId, user: &UserId) -> Result<Vec<Arrived>, Fault> {
    let rows = sqlx::query(
        "SELECT held.*, came.token AS came_by, \
             EXISTS (SELECT 1 FROM recovery_codes AS c WHERE c.tenant = held.tenant AND c.credential = held.id) \
             OR EXISTS (SELECT 1 FROM resets AS r WHERE r.tenant = held.tenant AND r.credential = held.id) AS after_a_loss \
         FROM credentials AS held \
         LEFT JOIN arrivals AS came ON came.tenant = held.tenant AND came.credential = held.id \
         WHERE held.tenant = ? AND held.user = ? ORDER BY held.rowid",
    )
    .bind(tenant.as_str())
    .bind(user.as_str())
    .fetch_all(conn)
    .await?;
    let arrived = |row: &SqliteRow| {
        let (token, after_a_loss) = (row.opt_text("came_by")?, row.int("after_a_loss")? != 0);
        Ok(Arrived { stored: from_row(row)?, token, after_a_loss })
    };
    rows.iter().map(arrived).collect()
}

/// Whether the user has one phone, this very token let it in, and it now brings a key of a kind that it has not brought yet.
/// Nothing that the token brought may have been revoked since.
async fn is_of_the_phone_that_is_in(conn: &mut SqliteConnection, new: &NewCredential) -> Result<bool, Fault> {
    let way = || Some(Way { token: &new.token, platform: &new.device_platform, name: new.device_name.as_deref() });
    let mut is_in = false;
    for held in arrived(conn, &new.credential.tenant, &new.credential.user).await? {
        let brought = held.token.as_deref() == Some(new.token.as_str());
        match (brought, held.stored.revoked_at) {
            (true, None) if held.shares_a_phone_with(&new.kind, way()) => is_in = true,
            (true, _) | (false, None) => return Ok(false),
            (false, Some(_)) => {}
        }
    }
    Ok(is_in)
}

/// Whether a key is of another phone than the user's very first, or came after a loss. The same key under another kind is the
/// same phone. Of keys that one token brought, a recovery lets in all.
async fn is_later_phone(conn: &mut SqliteConnection, tenant: &TenantId, id: &CredentialId) -> Result<bool, Fault> {
    let Some(stored) = by_id(&mut *conn, tenant, id).await? else { return Ok(false) };
    let all = arrived(conn, tenant, &stored.credential.user).await?;
    let Some(this) = all.iter().find(|held| held.stored.credential.id == *id) else { return Ok(false) };
    let another = |earlier: &Arrived| {
        earlier.stored.credential.key != this.stored.credential.key
            && !earlier.shares_a_phone_with(&this.stored.kind, this.way())
    };
    let together =
        |held: &Arrived| held.stored.credential.id == *id || (held.token.is_some() && held.token == this.token);
    Ok(all.iter().any(|held| held.after_a_loss && together(held))
        || all.iter().take_while(|held| held.stored.credential.id != *id).any(another))
}

/// Enrols the key, with what goes with it: phones it replaces are revoked, a user who has no recovery codes gets some.
async fn let_in(batch: &mut Batch, new: &NewCredential, door: Door) -> Result<Enrolled, Fault> {
    let (tenant, user) = (&new.credential.tenant, &new.credential.user);
    if let Door::Code(_) = door {
        // Who comes with a code says that the phones before are gone.
        for lost in active_of(batch.conn(), tenant, user).await? {
            revoke(batch, lost, "replaced after a recovery", new.enrolled_at).await?;
        }
    }
    let credential = insert(batch, new, door).await?;
    let mut codes_issued = false;
    if let Some(codes) = &new.recovery_codes
        && recovery::good_of(batch.conn(), tenant, user).await?.is_empty()
    {
        recovery::issue(batch, tenant, user, codes, credential.credential.id.as_str(), new.enrolled_at).await?;
        codes_issued = true;
    }
    Ok(Enrolled { credential, new: true, codes_issued })
}

async fn insert(batch: &mut Batch, new: &NewCredential, door: Door) -> Result<StoredCredential, Fault> {
    let stored = StoredCredential {
        credential: Credential { status: CredentialStatus::Active, ..new.credential.clone() },
        kind: new.kind.clone(),
        device_name: new.device_name.clone(),
        device_platform: new.device_platform.clone(),
        attestation: new.attestation.clone(),
        push_token: new.push_token.clone(),
        enrolled_at: whole_ms(new.enrolled_at),
        expires_at: new.expires_at.map(whole_ms),
        last_verified_at: None,
        revoked_at: None,
        seq: batch.next_seq(),
    };
    let credential = &stored.credential;
    // The key's thumbprint is in the log, so that a signature in the log can be checked against the key that made it.
    let entry = Entry::new(&credential.tenant, "credential.enrolled", new.enrolled_at)
        .fact("credential", credential.id.as_str())
        .fact("kind", stored.kind.as_str())
        .fact("key", credential.key.thumbprint().to_base64url())
        .fact("platform", platform_word(credential.platform))
        .fact("protection", protection_word(credential.protection))
        .opt_fact("attestation", stored.attestation.as_deref())
        .tell(told(EventType::CredentialAdded, &stored))
        .fact("right", if let Door::Beside = door { "same-phone" } else { right_word(new.right) })
        .made(arrival(&stored, &new.token))
        .made(to_row(&stored));
    let (id, seq) = (Some(credential.id.clone()), stored.seq);
    let entry = match door {
        Door::Open | Door::Beside => entry,
        Door::Reset(reset) => {
            let was = reset.seq;
            let used = Reset { credential: id, seq, ..*reset };
            entry.fact("reset", used.id.to_string()).changed(recovery::reset_row(&used), was)
        }
        Door::Code(code) => {
            let was = code.seq;
            let used = RecoveryCode { credential: id, seq, ..*code };
            entry.fact("recovery_code", used.id.to_string()).changed(recovery::code_row(&used), was)
        }
    };
    batch.append(entry).await?;
    Ok(stored)
}

impl Verb for RevokeCredential {
    type Done = StoredCredential;
    type Refused = RevokeError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            match by_id(batch.conn(), &self.tenant, &self.id).await? {
                None => Ok(Err(RevokeError::NotFound)),
                Some(stored) if stored.revoked_at.is_some() => Ok(Ok(stored)),
                Some(stored) => Ok(Ok(revoke(batch, stored, &self.actor, self.at).await?)),
            }
        })
    }
}

impl Verb for RefreshCredential {
    type Done = StoredCredential;
    type Refused = RevokeError;

    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self> {
        Box::pin(async move {
            let refresh = &self.0;
            let stored = match by_id(batch.conn(), &refresh.tenant, &refresh.id).await? {
                Some(stored) if stored.revoked_at.is_none() => stored,
                Some(_) | None => return Ok(Err(RevokeError::NotFound)),
            };
            let at = whole_ms(refresh.at);
            let life = stored.expires_at.map(|expires| expires.duration_since(stored.enrolled_at));
            let anew = life.filter(|_| refresh.resets_expiry).and_then(|life| at.checked_add(life).ok());
            let was = stored.seq;
            let refreshed = StoredCredential {
                push_token: refresh.push_token.clone().or(stored.push_token.clone()),
                expires_at: anew.or(stored.expires_at),
                last_verified_at: Some(at),
                seq: batch.next_seq(),
                ..stored
            };
            let entry = Entry::new(&refresh.tenant, "credential.refreshed", refresh.at)
                .fact("credential", refresh.id.as_str())
                .changed(to_row(&refreshed), was);
            batch.append(entry).await?;
            Ok(Ok(refreshed))
        })
    }
}

/// Revokes an active credential.
pub(super) async fn revoke(
    batch: &mut Batch,
    stored: StoredCredential,
    actor: &str,
    at: Timestamp,
) -> Result<StoredCredential, Fault> {
    let was = stored.seq;
    let mut revoked = StoredCredential { revoked_at: Some(whole_ms(at)), seq: batch.next_seq(), ..stored };
    revoked.credential.status = CredentialStatus::Revoked;
    let entry = Entry::new(&revoked.credential.tenant, "credential.revoked", at)
        .fact("credential", revoked.credential.id.as_str())
        .fact("actor", actor)
        .tell(told(EventType::CredentialRemoved, &revoked).with("actor", actor))
        .changed(to_row(&revoked), was);
    batch.append(entry).await?;
    Ok(revoked)
}

/// What webhooks hear of a credential.
fn told(kind: EventType, stored: &StoredCredential) -> Event {
    Event::new(kind)
        .with("userId", &stored.credential.user)
        .with("userAuthenticatorId", &stored.credential.id)
        .with("kind", &stored.kind)
        .with("devicePlatform", &stored.device_platform)
        .opt_with("deviceName", stored.device_name.as_ref())
}

fn arrival(stored: &StoredCredential, token: &str) -> Row {
    let credential = &stored.credential;
    Row {
        table: &tables::ARRIVALS,
        name: format!("arrivals/{}", credential.id),
        cells: vec![credential.tenant.as_str().into(), credential.id.as_str().into(), token.into()],
    }
}

pub(super) fn to_row(stored: &StoredCredential) -> Row {
    let credential = &stored.credential;
    Row {
        table: &tables::CREDENTIALS,
        name: format!("credentials/{}", credential.id),
        cells: vec![
            credential.tenant.as_str().into(),
            credential.id.as_str().into(),
            credential.user.as_str().into(),
            stored.kind.as_str().into(),
            credential.key.to_spki().to_vec().into(),
            platform_word(credential.platform).into(),
            protection_word(credential.protection).into(),
            stored.device_name.as_deref().into(),
            stored.device_platform.as_str().into(),
            stored.attestation.as_deref().into(),
            stored.push_token.as_deref().into(),
            ms(stored.enrolled_at).into(),
            stored.expires_at.map(ms).into(),
            stored.last_verified_at.map(ms).into(),
            stored.revoked_at.map(ms).into(),
        ],
    }
}

fn from_row(row: &SqliteRow) -> Result<StoredCredential, Fault> {
    let revoked_at = row.opt_at("revoked_at")?;
    let credential = Credential {
        id: row.parsed("id", CredentialId::parse)?,
        tenant: row.parsed("tenant", TenantId::parse)?,
        user: row.parsed("user", UserId::parse)?,
        key: DeviceKey::from_spki(&row.blob("public_key")?).map_err(Fault::damaged)?,
        platform: row.parsed("platform", |word| platform(&word).ok_or(()))?,
        status: if revoked_at.is_some() { CredentialStatus::Revoked } else { CredentialStatus::Active },
        protection: row.parsed("protection", |word| protection(&word).ok_or(()))?,
    };
    Ok(StoredCredential {
        credential,
        kind: row.text("kind")?,
        device_name: row.opt_text("device_name")?,
        device_platform: row.text("device_platform")?,
        attestation: row.opt_text("attestation")?,
        push_token: row.opt_text("push_token")?,
        enrolled_at: row.at("enrolled_at")?,
        expires_at: row.opt_at("expires_at")?,
        last_verified_at: row.opt_at("last_verified_at")?,
        revoked_at,
        seq: row.seq("seq")?,
    })
}

fn right_word(right: EnrolmentRight) -> &'static str {
    match right {
        EnrolmentRight::Token => "token",
        EnrolmentRight::Scope => "scope",
        EnrolmentRight::RecoveryCode(_) => "recovery-code",
    }
}

fn platform_word(platform: Platform) -> &'static str {
    match platform {
        Platform::Ios => "ios",
        Platform::Android => "android",
        Platform::Other => "other",
    }
}

fn platform(word: &str) -> Option<Platform> {
    [Platform::Ios, Platform::Android, Platform::Other].into_iter().find(|platform| platform_word(*platform) == word)
}

fn protection_word(protection: KeyProtection) -> &'static str {
    match protection {
        KeyProtection::Unattested => "unattested",
        KeyProtection::Hardware { unlock: Unlock::Nothing } => "hardware",
        KeyProtection::Hardware { unlock: Unlock::Pin } => "hardware-pin",
        KeyProtection::Hardware { unlock: Unlock::Biometric } => "hardware-biometric",
        KeyProtection::Hardware { unlock: Unlock::PinOrBiometric } => "hardware-pin-or-biometric",
    }
}

fn protection(word: &str) -> Option<KeyProtection> {
    match word {
        "unattested" => Some(KeyProtection::Unattested),
        "hardware" => Some(KeyProtection::Hardware { unlock: Unlock::Nothing }),
        "hardware-pin" => Some(KeyProtection::Hardware { unlock: Unlock::Pin }),
        "hardware-biometric" => Some(KeyProtection::Hardware { unlock: Unlock::Biometric }),
        "hardware-pin-or-biometric" => Some(KeyProtection::Hardware { unlock: Unlock::PinOrBiometric }),
        _ => None,
    }
}

pub(super) async fn by_id(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    id: &CredentialId,
) -> Result<Option<StoredCredential>, Fault> {
    let row = sqlx::query("SELECT * FROM credentials WHERE tenant = ? AND id = ?")
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(from_row).transpose()
}

async fn by_public_key(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    spki: &[u8],
) -> Result<Vec<StoredCredential>, Fault> {
    let rows = sqlx::query("SELECT * FROM credentials WHERE tenant = ? AND public_key = ? ORDER BY kind")
        .bind(tenant.as_str())
        .bind(spki.to_vec())
        .fetch_all(conn)
        .await?;
    rows.iter().map(from_row).collect()
}

/// A user's active credentials, oldest first.
pub(super) async fn active_of(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    user: &UserId,
) -> Result<Vec<StoredCredential>, Fault> {
    let rows = sqlx::query(
        "SELECT * FROM credentials WHERE tenant = ? AND user = ? AND revoked_at IS NULL ORDER BY enrolled_at, id",
    )
    .bind(tenant.as_str())
    .bind(user.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter().map(from_row).collect()
}

impl super::Sqlite {
    pub async fn credential(
        &self,
        tenant: &TenantId,
        id: &CredentialId,
    ) -> Result<Option<StoredCredential>, StoreError> {
        Ok(by_id(&mut *self.reader().await?, tenant, id).await?)
    }

    pub async fn credential_by_key(
        &self,
        tenant: &TenantId,
        kind: &str,
        public_key: &[u8],
    ) -> Result<Option<StoredCredential>, StoreError> {
        let held = by_public_key(&mut *self.reader().await?, tenant, public_key).await?;
        Ok(held.into_iter().find(|stored| stored.kind == kind))
    }

    pub async fn is_later_phone(&self, tenant: &TenantId, id: &CredentialId) -> Result<bool, StoreError> {
        Ok(is_later_phone(&mut *self.reader().await?, tenant, id).await?)
    }

    pub async fn credentials(&self, tenant: &TenantId, user: &UserId) -> Result<Vec<StoredCredential>, StoreError> {
        Ok(active_of(&mut *self.reader().await?, tenant, user).await?)
    }
}
