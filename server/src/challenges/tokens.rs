//! The two tokens around a challenge: the one that opens it for a screen, and the one that proves it was approved.

use challenge::state::State;
use challenge::token::{Mint, Registered, ResultClaims, ResultFacts, TokenError, TrackClaims, TrackFacts};
use challenge::{ActionCode, Challenge, IdempotencyKey, TenantId, UserId};
use jiff::{SignedDuration, Timestamp};

use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::store::{DecisionKey, EnrolmentRight, RecoveryCodeId};

/// May see the user's authenticators. Every track token may.
pub const READ: &str = "read:authenticators";
/// May add one.
pub const ADD: &str = "add:authenticators";
/// What the holder of a fresh approval may do with the user's authenticators.
const AFTER_APPROVAL: &str = "read:authenticators add:authenticators update:authenticators remove:authenticators";

/// The scopes that exist, as `track` may ask for them.
const KNOWN: [&str; 4] = [READ, ADD, "update:authenticators", "remove:authenticators"];

/// How long a result token is valid after the approval.
pub const RESULT_LIFE: SignedDuration = SignedDuration::from_secs(120);
/// How long a track token is valid; the wire's ten minutes.
pub const TRACK_LIFE: SignedDuration = SignedDuration::from_secs(600);

/// The `scope` of a track token: reading, and whichever known scopes the backend asked for. Unknown words are dropped,
/// so that asking for nonsense never grants anything.
pub fn scope(asked: Option<&str>) -> String {
    let asked: Vec<&str> = asked.unwrap_or_default().split_whitespace().collect();
    let granted = KNOWN.into_iter().filter(|scope| *scope == READ || asked.contains(scope));
    granted.collect::<Vec<_>>().join(" ")
}

/// What a track token says.
pub struct Ask<'a> {
    /// The attempt it opens.
    pub key: &'a DecisionKey,
    /// The scopes the backend asked for.
    pub scope: Option<&'a str>,
    /// Where the hosted page returns to; its origin has been checked.
    pub redirect_url: Option<&'a str>,
}

/// The token that `track` returns: the screen's right to show challenges for this one attempt.
pub fn track_token(app: &App, ask: &Ask<'_>, now: Timestamp) -> Result<String, ApiError> {
    let issuer = super::issuer(app);
    let DecisionKey { tenant, user, action, idempotency_key } = ask.key;
    let mint =
        Mint { issuer: &issuer, audience: tenant, jti: app.random.uuid_v7(now).to_string(), at: now, life: TRACK_LIFE };
    let scope = scope(ask.scope);
    let facts = TrackFacts { user, action, idempotency_key, scope: &scope, redirect_url: ask.redirect_url };
    app.keys.tokens().signing().sign(&TrackClaims::new(mint, &facts), now).map_err(ApiError::internal)
}

/// What the `jti` of a token begins with that a recovery code gave: the rest is the code's id. It adds one phone, and the
/// store sees to it that it is one.
const BY_RECOVERY: &str = "recovery-code-";

/// The token that a recovery code gives: for the same attempt, with the right to add one phone.
pub fn enrolment_token(
    app: &App,
    key: &DecisionKey,
    shown: &TrackClaims,
    code: RecoveryCodeId,
    now: Timestamp,
) -> Result<String, ApiError> {
    let issuer = super::issuer(app);
    let jti = format!("{BY_RECOVERY}{code}");
    let mint = Mint { issuer: &issuer, audience: &key.tenant, jti, at: now, life: TRACK_LIFE };
    let scope = scope(Some(ADD));
    let facts = TrackFacts {
        user: &key.user,
        action: &key.action,
        idempotency_key: &key.idempotency_key,
        scope: &scope,
        redirect_url: shown.other.redirect_url.as_deref(),
    };
    app.keys.tokens().signing().sign(&TrackClaims::new(mint, &facts), now).map_err(ApiError::internal)
}

/// The attempt that a track token opens.
pub fn attempt_of(claims: &TrackClaims) -> Result<DecisionKey, ApiError> {
    let unusable = |_| refused(TokenError::Claims);
    Ok(DecisionKey {
        tenant: TenantId::parse(claims.registered.aud.as_str()).map_err(unusable)?,
        user: UserId::parse(claims.registered.sub.as_str()).map_err(unusable)?,
        action: ActionCode::parse(claims.act.as_str()).map_err(unusable)?,
        idempotency_key: IdempotencyKey::parse(claims.idk.as_str()).map_err(unusable)?,
    })
}

/// The page that shows the challenge to the token's holder.
pub fn url(app: &App, track_token: &str) -> String {
    let issuer = super::issuer(app);
    format!("{}/challenge?token={track_token}", issuer.as_str().trim_end_matches('/'))
}

/// The token of an approved challenge, for the screen that created it. However often it is fetched it is the same one:
/// same name, same times, so that it validates once (I5, I6).
pub fn result_token(app: &App, challenge: &Challenge) -> Result<String, ApiError> {
    let State::Approved { answer, .. } = challenge.state() else {
        return Err(ApiError::new(Problem::Conflict, "the challenge is not approved"));
    };
    let issuer = super::issuer(app);
    let mint = Mint {
        issuer: &issuer,
        audience: &challenge.frozen().tenant,
        jti: format!("approval-{}", challenge.id()),
        at: answer.at,
        life: RESULT_LIFE,
    };
    let claims = ResultClaims::new(mint, &ResultFacts { challenge, scope: AFTER_APPROVAL })
        .ok_or_else(|| ApiError::internal("an approved challenge has no assurance"))?;
    app.keys.tokens().signing().sign(&claims, app.clock.now()).map_err(ApiError::internal)
}

/// The refusal of an action that is not the tracked one.
pub fn another_action(tracked: &str, asked: &ActionCode, pointer: &str) -> Result<(), ApiError> {
    if asked.as_str() == tracked {
        return Ok(());
    }
    let detail =
        format!("the token is of the action `{tracked}`; name that one, or `track` this one and show its token");
    Err(ApiError::field(pointer, "other-action", detail))
}

/// What the holder of a token may do.
pub enum Bearer {
    /// Holds a track token: stands before the screen.
    Screen(TrackClaims),
    /// Holds a result token: has just approved.
    Approved(ResultClaims),
}

impl Bearer {
    fn registered(&self) -> &Registered {
        match self {
            Bearer::Screen(claims) => &claims.registered,
            Bearer::Approved(claims) => &claims.registered,
        }
    }

    /// The user the token is about.
    pub fn user(&self) -> Result<UserId, ApiError> {
        UserId::parse(self.registered().sub.as_str()).map_err(|_| refused(TokenError::Claims))
    }

    /// Refuses a call that names, at `pointer`, another action than its token: a page would show one thing and ask for
    /// another. Packages send what the page's author wrote, and their documentation asks for the tracked action.
    pub fn must_be_of(&self, action: &ActionCode, pointer: &str) -> Result<(), ApiError> {
        let tracked = match self {
            Bearer::Screen(claims) => &claims.act,
            Bearer::Approved(claims) => &claims.act,
        };
        another_action(tracked, action, pointer)
    }

    /// The tenant the token is for.
    pub fn tenant(&self) -> Result<TenantId, ApiError> {
        TenantId::parse(self.registered().aud.as_str()).map_err(|_| refused(TokenError::Claims))
    }

    /// Its own name (`jti`).
    pub fn name(&self) -> &str {
        &self.registered().jti
    }

    /// When it was made.
    pub fn made_at(&self) -> Timestamp {
        // Whoever made it had a clock within these bounds; the least trusted answer otherwise.
        Timestamp::from_second(self.registered().iat).unwrap_or(Timestamp::MIN)
    }

    /// What it lets in.
    pub fn enrolment_right(&self) -> EnrolmentRight {
        if let Bearer::Screen(claims) = self
            && let Some(code) =
                claims.registered.jti.strip_prefix(BY_RECOVERY).and_then(|id| uuid::Uuid::try_parse(id).ok())
        {
            return EnrolmentRight::RecoveryCode(RecoveryCodeId(code));
        }
        if self.permits(ADD) { EnrolmentRight::Scope } else { EnrolmentRight::Token }
    }

    /// Whether it grants the scope.
    pub fn permits(&self, scope: &str) -> bool {
        let granted = match self {
            Bearer::Screen(claims) => &claims.scope,
            Bearer::Approved(claims) => &claims.scope,
        };
        granted.split(' ').any(|word| word == scope)
    }
}

/// Reads a Bearer token of either purpose; its header says which it is.
pub fn bearer(app: &App, token: &str, now: Timestamp) -> Result<Bearer, ApiError> {
    let keys = app.keys.tokens();
    let verifier = keys.verifier();
    match verifier.verify_for_any_audience::<TrackClaims>(token, now) {
        Ok(claims) => Ok(Bearer::Screen(claims)),
        Err(TokenError::Type) => {
            verifier.verify_for_any_audience::<ResultClaims>(token, now).map(Bearer::Approved).map_err(refused)
        }
        Err(error) => Err(refused(error)),
    }
}

/// Reads a track token.
pub fn track_claims(app: &App, token: &str, now: Timestamp) -> Result<TrackClaims, ApiError> {
    app.keys.tokens().verifier().verify_for_any_audience(token, now).map_err(refused)
}

/// How a refused token reads: expired or not valid, and no more than that.
pub fn refused(error: TokenError) -> ApiError {
    tracing::debug!(%error, "a token was refused");
    match error {
        TokenError::Expired => ApiError::new(Problem::ExpiredToken, "the token has expired; track the action again"),
        TokenError::TooLong
        | TokenError::Malformed
        | TokenError::Algorithm
        | TokenError::Type
        | TokenError::UnknownKey
        | TokenError::BadSignature
        | TokenError::Claims
        | TokenError::Issuer
        | TokenError::Audience
        | TokenError::NotYetValid
        | TokenError::Lifetime => ApiError::new(Problem::InvalidToken, "the token is not valid here"),
    }
}

#[cfg(test)]
mod tests {
    use super::scope;

    #[test]
    fn a_scope_grants_what_was_asked_and_is_known() {
        for (asked, granted) in [
            (None, "read:authenticators"),
            (Some(""), "read:authenticators"),
            (Some("add:authenticators"), "read:authenticators add:authenticators"),
            (Some("admin  remove:authenticators *"), "read:authenticators remove:authenticators"),
            (Some("add:authenticatorsX"), "read:authenticators"),
        ] {
            assert_eq!(scope(asked), granted, "{asked:?}");
        }
    }
}
