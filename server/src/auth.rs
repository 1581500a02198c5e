//! Who calls the server API: a secret, shown as Basic user name (the wire) or as Bearer, known to us only as a hash.

use std::sync::Arc;

use aws_lc_rs::digest;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use challenge::TenantId;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::http::context::Visit;
use crate::limits::Subject;
use crate::random::Random;

/// A caller of the server API, known by their key.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose key it is; everything the caller sees or touches is this tenant's.
    pub tenant: TenantId,
    /// The key's public name, for the audit log.
    pub key: String,
    /// What the key may do.
    pub role: Role,
}

/// What an API key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A customer's backend: track, validate, users, authenticators.
    Backend,
    /// Tries rules and keeps lists.
    Analyst,
    /// Reads decisions and the audit log, changes nothing.
    Reviewer,
    /// Everything.
    Admin,
}

/// Kinds of work, for the one table of who may do what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Tracks actions and manages users: the wire's server API.
    Operate,
    /// Reads decisions, policies, lists and the log.
    Read,
    /// Tries rules out, without effect on anybody.
    Try,
    /// Changes lists and policies.
    Govern,
    /// Looks after the service and its users: dead letters of webhooks, lost phones.
    Administer,
}

impl Role {
    /// Reads the stored word; an unknown word may nothing.
    pub fn parse(word: &str) -> Option<Role> {
        match word {
            "backend" => Some(Role::Backend),
            "analyst" => Some(Role::Analyst),
            "reviewer" => Some(Role::Reviewer),
            "admin" => Some(Role::Admin),
            _ => None,
        }
    }

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Backend => "backend",
            Role::Analyst => "analyst",
            Role::Reviewer => "reviewer",
            Role::Admin => "admin",
        }
    }

    /// Whether this role has this right.
    pub fn has(self, right: Right) -> bool {
        match (self, right) {
            (Role::Admin, _) => true,
            (Role::Backend, Right::Operate | Right::Read | Right::Try) => true,
            (Role::Analyst, Right::Read | Right::Try | Right::Govern) => true,
            (Role::Reviewer, Right::Read) => true,
            (Role::Backend, Right::Govern | Right::Administer) => false,
            (Role::Analyst, Right::Operate | Right::Administer) => false,
            (Role::Reviewer, Right::Operate | Right::Try | Right::Govern | Right::Administer) => false,
        }
    }
}

impl Caller {
    /// Refuses a caller whose role does not have `right`.
    pub fn must(&self, right: Right) -> Result<(), ApiError> {
        if self.role.has(right) {
            return Ok(());
        }
        let detail = format!("the role `{}` of this API key does not allow this", self.role.as_str());
        Err(ApiError::new(Problem::Forbidden, detail))
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    /// Authenticates, then counts the request against the key and its tenant.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Caller, ApiError> {
        let visit = Visit::of(&parts.extensions);
        let Some(secret) = presented(&parts.headers) else {
            app.limits.gate(Subject::FailedAuth(visit.client))?;
            return Err(ApiError::unauthorized());
        };
        let hash = secret.hash();
        let key = app.caches.api_key(&app.store, &hash).await?;
        // The look-up is by hash already; comparing again in constant time keeps a weaker index from mattering.
        let Some(key) = key.filter(|key| bool::from(key.hash.ct_eq(&hash))) else {
            app.limits.gate(Subject::FailedAuth(visit.client))?;
            return Err(ApiError::unauthorized());
        };
        visit.allow(app.limits.gate(Subject::Key(&key.id))?);
        visit.allow(app.limits.gate(Subject::Tenant(key.tenant.as_str()))?);
        let role = Role::parse(&key.role)
            .ok_or_else(|| ApiError::internal(format!("the API key {} has the unknown role {}", key.id, key.role)))?;
        Ok(Caller { tenant: key.tenant.clone(), key: key.id.clone(), role })
    }
}

/// An API secret. It has no `Debug` and no `Serialize`; only its hash is ever stored.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// What a secret must look like.
    pub const RULE: &'static str = "a secret is 16 to 256 visible ASCII characters without `:`";

    /// A fresh secret: `sk_` and 256 random bits.
    pub fn generate(random: &Random) -> Secret {
        Secret(Zeroizing::new(format!("sk_{}", random.text::<32>())))
    }

    /// Accepts a text that obeys [`Secret::RULE`].
    pub fn parse(text: &str) -> Option<Secret> {
        let good = (16..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        good.then(|| Secret(Zeroizing::new(text.to_owned())))
    }

    /// The text, for the one who must keep it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// SHA-256: enough for a secret with more than 100 bits of its own.
    pub fn hash(&self) -> [u8; 32] {
        sha256(self.0.as_bytes())
    }

    /// A short public name that tells secrets apart.
    pub fn fingerprint(&self) -> String {
        self.hash()[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// The secret of an `Authorization` header: `Basic base64(secret ":")`, or `Bearer secret`.
fn presented(headers: &HeaderMap) -> Option<Secret> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Secret::parse(rest.trim());
    }
    Secret::parse(&basic_user(value)?)
}

/// The user name of a Basic header, in any of the spellings the SDKs send: with or without `:`, standard or URL
/// alphabet, padded or not.
pub fn basic_user(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let rest = rest.trim();
    let alphabet = if rest.contains(['-', '_']) { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    let text = String::from_utf8(GeneralPurpose::new(alphabet, config).decode(rest).ok()?).ok()?;
    let (user, password) = text.split_once(':').unwrap_or((&text, ""));
    (!user.is_empty() && password.is_empty()).then(|| user.to_owned())
}

/// An API key as the caches keep it.
pub type CachedKey = Arc<crate::store::ApiKey>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wires_spellings_of_basic_give_the_same_name() {
        for value in [
            "Basic c2tfdGVzdF8xMjM6", // node: `sk_test_123:`
            "basic c2tfdGVzdF8xMjM=", // browser: no colon
            "Basic c2tfdGVzdF8xMjM",  // iOS: unpadded
        ] {
            assert_eq!(basic_user(value).as_deref(), Some("sk_test_123"), "{value}");
        }
        for value in ["Basic", "Basic !!!", "Bearer c2tfdGVzdF8xMjM6", "Basic Og==", "Basic YTpi", ""] {
            assert_eq!(basic_user(value), None, "{value}");
        }
    }

    #[test]
    fn only_an_admin_has_every_right_and_a_reviewer_changes_nothing() {
        let rights = [Right::Operate, Right::Read, Right::Try, Right::Govern, Right::Administer];
        let all = |role: Role| rights.into_iter().filter(|right| role.has(*right)).count();
        assert_eq!([Role::Admin, Role::Backend, Role::Analyst, Role::Reviewer].map(all), [5, 3, 3, 1]);
    }
}
