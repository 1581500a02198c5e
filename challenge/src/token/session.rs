//! The access token of a session: what a backend hands to its own services after a sign-in was approved.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Mint, Purpose, Registered};
use crate::id::{TenantId, UserId};

/// What the application is told of the user, under the names of OpenID Connect Core 1.0 §5.1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether it is verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    /// The telephone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// Whether it is verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number_verified: Option<bool>,
    /// What the user signs in with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<String>,
    /// What the user is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The user's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
}

/// The claims of an access token after RFC 9068.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionClaims {
    /// What every token says; it is for the application.
    #[serde(flatten)]
    pub registered: Registered,
    /// The application again: RFC 9068 §2.2 requires both.
    pub client_id: String,
    /// The session (OpenID Connect Front-Channel Logout 1.0 §3).
    pub sid: String,
    /// How often the session was refreshed before this token.
    pub generation: u32,
    /// Whose session it is.
    pub tenant: String,
    /// When the user approved, in Unix seconds.
    pub auth_time: i64,
    /// The rung of the ladder that the approval reached.
    pub acr: String,
    /// What was used (RFC 8176).
    pub amr: Vec<String>,
    /// What the application is told of the user.
    pub profile: Profile,
}

/// What an access token is made from.
#[derive(Debug, Clone)]
pub struct SessionFacts<'a> {
    /// Whose session it is.
    pub tenant: &'a TenantId,
    /// The application.
    pub client: &'a str,
    /// The user.
    pub user: &'a UserId,
    /// The session.
    pub session: &'a str,
    /// How often it was refreshed.
    pub generation: u32,
    /// When the user approved.
    pub approved_at: Timestamp,
    /// See [`SessionClaims::acr`].
    pub acr: &'a str,
    /// See [`SessionClaims::amr`].
    pub amr: Vec<String>,
    /// See [`SessionClaims::profile`].
    pub profile: Profile,
}

impl SessionClaims {
    /// The claims of one access token. The mint's audience is the tenant; the token's is the application.
    pub fn new(mint: Mint<'_>, facts: SessionFacts<'_>) -> Self {
        Self {
            registered: mint.registered(facts.client, facts.user, Self::LONGEST_LIFE),
            client_id: facts.client.to_owned(),
            sid: facts.session.to_owned(),
            generation: facts.generation,
            tenant: facts.tenant.to_string(),
            auth_time: facts.approved_at.as_second(),
            acr: facts.acr.to_owned(),
            amr: facts.amr,
            profile: facts.profile,
        }
    }
}

impl Purpose for SessionClaims {
    const TYP: &'static str = "at+jwt";
    const LONGEST_LIFE: SignedDuration = SignedDuration::from_mins(60);

    fn registered(&self) -> &Registered {
        &self.registered
    }

    /// Nobody: the application's services verify it by the JWKS, and its audience is a name that a tenant may have too.
    fn shared_with(&self) -> Option<&str> {
        None
    }
}
