//! Who calls the client API: a tenant by its public id, or the holder of a token.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use challenge::TenantId;

use crate::app::App;
use crate::auth::basic_user;
use crate::challenges::tokens::{self, Bearer};
use crate::error::ApiError;
use crate::http::context::Visit;
use crate::limits::Subject;

/// The longest tenant id we look at, in characters.
const TENANT_MAX: usize = 64;

/// A call in a tenant's name. The id is public: it says whose data is meant and proves nothing.
pub struct OfTenant {
    /// Which tenant.
    pub tenant: TenantId,
}

/// A call with a token.
pub struct Holder {
    /// The token, verified.
    pub bearer: Bearer,
    /// Its text, which an enrolment message names by its hash.
    pub token: String,
}

/// A call in either way.
pub enum Caller {
    /// In a tenant's name.
    Tenant(TenantId),
    /// With a token.
    Holder(Box<Holder>),
}

impl Caller {
    /// Whose data is meant.
    pub fn tenant(&self) -> Result<TenantId, ApiError> {
        match self {
            Caller::Tenant(tenant) => Ok(tenant.clone()),
            Caller::Holder(holder) => holder.bearer.tenant(),
        }
    }

    /// The token, if there is one.
    pub fn bearer(&self) -> Option<&Bearer> {
        match self {
            Caller::Tenant(_) => None,
            Caller::Holder(holder) => Some(&holder.bearer),
        }
    }
}

impl FromRequestParts<App> for OfTenant {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<OfTenant, ApiError> {
        // A token says whose it is, so it may stand for its tenant.
        let tenant = Caller::from_request_parts(parts, app).await?.tenant()?;
        Ok(OfTenant { tenant })
    }
}

impl FromRequestParts<App> for Holder {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Holder, ApiError> {
        match Caller::from_request_parts(parts, app).await? {
            Caller::Holder(holder) => Ok(*holder),
            Caller::Tenant(_) => Err(ApiError::unauthorized()),
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    /// Finds out whose call it is and counts it against the tenant; its address has been counted already.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Caller, ApiError> {
        let visit = Visit::of(&parts.extensions);
        let client = visit.client;
        let caller = match credentials(&parts.headers) {
            None => Err(ApiError::unauthorized()),
            Some(Credentials::Tenant(id)) => known_tenant(app, &id).await.map(Caller::Tenant),
            Some(Credentials::Token(token)) => tokens::bearer(app, &token, app.clock.now())
                .map(|bearer| Caller::Holder(Box::new(Holder { bearer, token }))),
        };
        let caller = match caller {
            Ok(caller) => caller,
            Err(refusal) => {
                app.limits.gate(Subject::FailedAuth(client))?;
                return Err(refusal);
            }
        };
        let tenant = caller.tenant()?;
        visit.allow(app.limits.gate(Subject::Tenant(tenant.as_str()))?);
        Ok(caller)
    }
}

/// The tenant with this public id, if there is one.
pub async fn known_tenant(app: &App, id: &str) -> Result<TenantId, ApiError> {
    let id = tenant_id(id).ok_or_else(ApiError::unauthorized)?;
    match app.caches.tenant(&app.store, &id).await? {
        Some(_) => Ok(id),
        None => Err(ApiError::unauthorized()),
    }
}

/// A text that may be a tenant id. Everything else is refused before any look-up.
pub fn tenant_id(text: &str) -> Option<TenantId> {
    if text.len() > TENANT_MAX {
        return None;
    }
    TenantId::parse(text).ok()
}

/// What the `Authorization` header of a client call says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Credentials {
    /// `Basic`: the tenant's public id.
    Tenant(String),
    /// `Bearer`: a token still to be verified.
    Token(String),
}

/// Reads the header. `None` if it is absent, repeated or in no form the SDKs send.
fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return (!rest.is_empty()).then(|| Credentials::Token(rest.to_owned()));
    }
    basic_user(value).map(Credentials::Tenant)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;

    const TENANT: &str = "5e1eebc0-31c5-42db-b86f-3981f0081ac6";

    fn read(value: &str) -> Option<Credentials> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().expect("a header value"));
        credentials(&headers)
    }

    #[test]
    fn all_three_encodings_of_a_tenant_are_read() {
        let browser = STANDARD.encode(TENANT);
        let android = STANDARD.encode(format!("{TENANT}:"));
        let ios = URL_SAFE_NO_PAD.encode(format!("{TENANT}:"));
        for encoded in [browser, android, ios, "NWUxZWViYzAtMzFjNS00MmRiLWI4NmYtMzk4MWYwMDgxYWM2".to_owned()] {
            assert_eq!(read(&format!("Basic {encoded}")), Some(Credentials::Tenant(TENANT.to_owned())), "{encoded}");
        }
    }

    #[test]
    fn what_is_not_a_tenant_is_refused() {
        for value in ["Basic", "Basic ", "Basic !!!", "Digest abc", "Bearer ", "Basic /w=="] {
            assert_eq!(read(value), None, "{value}");
        }
        for text in ["", "a tenant", "ten\u{e4}nt", &"a".repeat(TENANT_MAX + 1)] {
            assert_eq!(tenant_id(text), None, "{text}");
        }
    }

    #[test]
    fn two_authorization_headers_are_refused() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, "Bearer a".parse().expect("a value"));
        headers.append(AUTHORIZATION, "Bearer b".parse().expect("a value"));
        assert_eq!(credentials(&headers), None);
    }
}
