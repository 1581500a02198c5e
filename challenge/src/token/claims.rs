//! What the tokens say.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Purpose, Registered};
use crate::assurance::{Acr, Amr, Assurance, Link};
use crate::id::{ActionCode, ChallengeId, IdempotencyKey, Issuer, TenantId, UserId};
use crate::state::Challenge;

/// What every mint is told: whose, when and for how long.
#[derive(Debug, Clone)]
pub struct Mint<'a> {
    /// The public base URL.
    pub issuer: &'a Issuer,
    /// Whom it is for: the tenant, for both purposes.
    pub audience: &'a TenantId,
    /// A fresh unique name.
    pub jti: String,
    /// Now.
    pub at: Timestamp,
    /// How long it is valid; cut to the purpose's longest life.
    pub life: SignedDuration,
}

impl Mint<'_> {
    /// The claims that every token has, for `audience`. Fractions of the present second are dropped, so a token is valid at
    /// the moment it is minted.
    pub(super) fn registered(self, audience: &str, user: &UserId, longest: SignedDuration) -> Registered {
        let iat = self.at.as_second();
        Registered {
            iss: self.issuer.to_string(),
            aud: audience.to_owned(),
            sub: user.to_string(),
            jti: self.jti,
            iat,
            nbf: iat,
            exp: iat.saturating_add(self.life.min(longest).as_secs().max(0)),
        }
    }
}

/// The claim `other`, which stock SDKs read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Other {
    /// The tenant.
    pub tenant_id: String,
    /// The tenant again: what browsers may know of it.
    pub publishable_key: String,
    /// The user.
    pub user_id: String,
    /// The user's name, if tracked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The user's e-mail address, if tracked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The user's phone number, if tracked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// The action tracked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_code: Option<String>,
    /// Which attempt at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Where the hosted page returns to after an approval; the server has checked its origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_url: Option<String>,
}

impl Other {
    fn of(tenant: &TenantId, user: &UserId, action: &ActionCode, key: &IdempotencyKey) -> Self {
        Self {
            tenant_id: tenant.to_string(),
            publishable_key: tenant.to_string(),
            user_id: user.to_string(),
            action_code: Some(action.to_string()),
            idempotency_key: Some(key.to_string()),
            ..Self::default()
        }
    }
}

/// What `track` hands to the browser: it may create challenges for this action and, by scope, manage credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackClaims {
    /// What every token says.
    #[serde(flatten)]
    pub registered: Registered,
    /// The action.
    pub act: String,
    /// The idempotency key.
    pub idk: String,
    /// What it permits, separated by spaces: `read:authenticators add:authenticators`.
    pub scope: String,
    /// For stock SDKs.
    pub other: Other,
}

/// What a track token is made from.
#[derive(Debug, Clone)]
pub struct TrackFacts<'a> {
    /// The user.
    pub user: &'a UserId,
    /// The action.
    pub action: &'a ActionCode,
    /// Which attempt at it.
    pub idempotency_key: &'a IdempotencyKey,
    /// What it permits, separated by spaces.
    pub scope: &'a str,
    /// Where the hosted page returns to after an approval, if its origin is registered.
    pub redirect_url: Option<&'a str>,
}

impl TrackClaims {
    /// Whether `scope` names this permission.
    pub fn permits(&self, permission: &str) -> bool {
        self.scope.split(' ').any(|word| word == permission)
    }

    /// The claims for a tracked action.
    pub fn new(mint: Mint<'_>, facts: &TrackFacts<'_>) -> Self {
        let audience = mint.audience;
        Self {
            registered: mint.registered(audience.as_str(), facts.user, Self::LONGEST_LIFE),
            act: facts.action.to_string(),
            idk: facts.idempotency_key.to_string(),
            scope: facts.scope.to_owned(),
            other: Other {
                redirect_url: facts.redirect_url.map(str::to_owned),
                ..Other::of(audience, facts.user, facts.action, facts.idempotency_key)
            },
        }
    }
}

impl Purpose for TrackClaims {
    const TYP: &'static str = "stepup-track+jwt";
    const LONGEST_LIFE: SignedDuration = SignedDuration::from_mins(60);

    fn registered(&self) -> &Registered {
        &self.registered
    }
}

/// How the action stands; the wire's spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenState {
    /// The challenge was approved.
    #[serde(rename = "CHALLENGE_SUCCEEDED")]
    ChallengeSucceeded,
}

/// What an approved challenge hands to the screen, for the backend to validate once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultClaims {
    /// What every token says.
    #[serde(flatten)]
    pub registered: Registered,
    /// The action.
    pub act: String,
    /// The idempotency key.
    pub idk: String,
    /// The challenge.
    pub cid: ChallengeId,
    /// SHA-256 of the context bytes, base64url.
    pub ctx: String,
    /// How the action stands.
    pub state: TokenState,
    /// The rung of the ladder.
    pub acr: Acr,
    /// What was used.
    pub amr: Vec<Amr>,
    /// What ties the approval to the bound fields.
    pub link: Link,
    /// Whether two categories of factor were shown.
    pub sca: bool,
    /// The registered terminal that showed the challenge, whichever way the phone signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal: Option<String>,
    /// What it permits when stock SDKs send it back, separated by spaces.
    pub scope: String,
    /// For stock SDKs.
    pub other: Other,
}

/// What a result token is made from.
#[derive(Debug, Clone)]
pub struct ResultFacts<'a> {
    /// The approved challenge.
    pub challenge: &'a Challenge,
    /// What it permits, separated by spaces.
    pub scope: &'a str,
}

impl ResultClaims {
    /// The claims for an approved challenge; `None` for any other, which is what keeps I5: no approval, no token.
    pub fn new(mint: Mint<'_>, facts: &ResultFacts<'_>) -> Option<Self> {
        let assurance = facts.challenge.assurance()?;
        Some(Self::of(mint, facts.challenge, facts.challenge.user()?, facts.scope, assurance))
    }

    /// The claims for a challenge whose action `user` confirmed with a recovery code instead of a phone. Nothing was shown to
    /// them by anything they hold, and nothing was signed: it is on no rung above the lowest, and says so. The caller has
    /// made the use of the code durable, which stands in for the approval (I5).
    pub fn by_recovery_code(mint: Mint<'_>, challenge: &Challenge, user: &UserId, scope: &str) -> Self {
        let assurance = Assurance {
            acr: Acr::RecoveryCode,
            amr: vec![Amr::RecoveryCode],
            link: Link::None,
            sca: false,
            terminal: None,
        };
        Self::of(mint, challenge, user, scope, assurance)
    }

    fn of(mint: Mint<'_>, challenge: &Challenge, user: &UserId, scope: &str, assurance: Assurance) -> Self {
        let Assurance { acr, amr, link, sca, terminal } = assurance;
        let frozen = challenge.frozen();
        let audience = mint.audience;
        Self {
            registered: mint.registered(audience.as_str(), user, Self::LONGEST_LIFE),
            act: frozen.action.to_string(),
            idk: frozen.idempotency_key.to_string(),
            cid: frozen.id,
            ctx: frozen.context.hash_base64url(),
            state: TokenState::ChallengeSucceeded,
            acr,
            amr,
            link,
            sca,
            terminal: terminal.map(String::from),
            scope: scope.to_owned(),
            other: Other::of(&frozen.tenant, user, &frozen.action, &frozen.idempotency_key),
        }
    }
}

impl Purpose for ResultClaims {
    const TYP: &'static str = "stepup-result+jwt";
    const LONGEST_LIFE: SignedDuration = SignedDuration::from_mins(5);

    fn registered(&self) -> &Registered {
        &self.registered
    }
}
