//! What the backend asks at the end: is this token good for this user, this action, this amount? Yes, once.

use challenge::assurance::Acr;
use challenge::redeem::{Redemption, TokenUse};
use challenge::state::Frozen;
use challenge::token::{ResultClaims, TokenError, TrackClaims};
use challenge::{ActionCode, IdempotencyKey, TenantId, UserId};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{refusals, wire_method};
use crate::app::App;
use crate::error::ApiError;
use crate::json::Fields;
use crate::store::{ActionState, Decision, DecisionKey, NewUse, RECOVERY_CODE, Use, UseKind, is_outdated};

/// What the backend expects of the token.
#[derive(Debug, Default)]
pub struct Expectation {
    /// The token, as the screen handed it over.
    pub token: String,
    /// Of this action.
    pub action: Option<String>,
    /// Of this user.
    pub user: Option<String>,
    /// With these values shown and bound, by field name.
    pub fields: Map<String, Value>,
}

impl Expectation {
    /// Reads the body of `POST /validate`.
    pub fn read(body: &Map<String, Value>) -> Result<Expectation, ApiError> {
        let mut fields = Fields::of(body);
        fields.spelt(&["token", "action", "actionCode", "userId", "expect"]);
        let token = fields.required_text("token", 16 * 1024);
        // The answer has both names.
        let (action, code) = (fields.text("action", 100), fields.text("actionCode", 100));
        let user = fields.text("userId", 255);
        let expected = fields.object("expect").cloned().unwrap_or_default();
        for (name, value) in &expected {
            if !readable(value) {
                let detail = "expected text, a number, or `{\"value\": …, \"currency\": …}`";
                fields.issue_within("expect", name, "wrong-type", detail);
            }
        }
        fields.finish()?;
        Ok(Expectation { token, action: action.or(code), user, fields: expected })
    }
}

/// Answers `POST /validate` for the backend that holds the API key named `caller`.
///
/// A token that is not good is an answer (`isValid: false` with the reason), not a failure: only a request that cannot be
/// read, or a store that cannot, is an error.
pub async fn validate(
    app: &App,
    tenant: &TenantId,
    caller: &str,
    expectation: &Expectation,
    now: Timestamp,
) -> Result<Value, ApiError> {
    let good = match check(app, tenant, caller, expectation, now).await? {
        Ok(good) => good,
        Err(told) => return Ok(told),
    };
    let used = match app.store.consume(good.token).await.map_err(refusals::store)? {
        Use::First => TokenUse::Unused,
        Use::Again { first_used_at, first_used_by } => TokenUse::Used { at: first_used_at, by: first_used_by },
    };
    let mut told = good.told;
    match used.redeem(caller, now) {
        Redemption::First(_) => told["alreadyValidated"] = json!(false),
        // A stock SDK sends the request again when the connection broke: it must hear the same.
        Redemption::Retry if is_repeat(app, &used, now) => told["alreadyValidated"] = json!(true),
        Redemption::Retry | Redemption::Spent => {
            told["alreadyValidated"] = json!(true);
            return Ok(refuse(told, "token_already_used", "the token was validated before"));
        }
    }
    told["isValid"] = json!(true);
    Ok(told)
}

/// A token that proves the approval that was expected, and what is still to be done: to use it up.
pub struct Good {
    /// What it says.
    pub claims: ResultClaims,
    /// The answer, as far as it is known before the token is used up.
    pub told: Value,
    /// Its use.
    pub token: NewUse,
}

/// Whether a token is good for what is expected of it. If not, what to tell the backend; nothing is used up.
pub async fn check(
    app: &App,
    tenant: &TenantId,
    caller: &str,
    expectation: &Expectation,
    now: Timestamp,
) -> Result<Result<Good, Value>, ApiError> {
    let claims = match app.keys.tokens().verifier().verify::<ResultClaims>(&expectation.token, tenant, now) {
        Ok(claims) => claims,
        Err(TokenError::Type) => return not_yet(app, tenant, &expectation.token, now).await.map(Err),
        Err(error) => return Ok(Err(invalid(error.code(), &error.to_string()))),
    };
    let stored = app.store.challenge(tenant, claims.cid).await.map_err(refusals::store)?;
    let Some(stored) = stored else {
        return Ok(Err(invalid("invalid_token", "the token's challenge is not known here")));
    };
    let Some(decision) = decision_of(app, tenant, &claims.registered.sub, &claims.act, &claims.idk).await? else {
        return Ok(Err(invalid("invalid_token", "the token's action is not known here")));
    };
    let told = answer(&claims, &decision);
    if let Some(mismatch) = mismatch(expectation, &claims, stored.challenge.frozen()) {
        return Ok(Err(refuse(told, mismatch.0, &mismatch.1)));
    }
    if decision.state != ActionState::ChallengeSucceeded {
        return Ok(Err(refuse(told, "invalid_state", "the action was changed after the approval")));
    }
    // Whoever it is to keep out may have given the approval.
    let began_anew = app.store.began_anew(tenant, &decision.user).await.map_err(refusals::store)?;
    if is_outdated(claims.registered.iat, began_anew) {
        let why = "the user was reset or deleted after the approval; track the action again";
        return Ok(Err(refuse(told, "token_outdated", why)));
    }
    let token = NewUse {
        tenant: tenant.clone(),
        kind: UseKind::ResultToken,
        id: claims.registered.jti.clone(),
        by: caller.to_owned(),
        decision: Some(decision.id),
        at: now,
        expires_at: Timestamp::from_second(claims.registered.exp).unwrap_or(Timestamp::MAX),
    };
    Ok(Ok(Good { claims, told, token }))
}

/// Whether the operator still takes it for a repeat of the same request; the kernel allows a minute at most.
fn is_repeat(app: &App, used: &TokenUse, now: Timestamp) -> bool {
    let window = SignedDuration::from_secs(i64::from(app.config.challenges.revalidate_s));
    match used {
        TokenUse::Unused => false,
        TokenUse::Used { at, .. } => now.duration_since(*at) < window,
    }
}

/// A track token: the screen came back without an approval. It says how the action stands and is never valid.
async fn not_yet(app: &App, tenant: &TenantId, token: &str, now: Timestamp) -> Result<Value, ApiError> {
    let claims: TrackClaims = match app.keys.tokens().verifier().verify(token, tenant, now) {
        Ok(claims) => claims,
        Err(error) => return Ok(invalid(error.code(), &error.to_string())),
    };
    let Some(decision) = decision_of(app, tenant, &claims.registered.sub, &claims.act, &claims.idk).await? else {
        return Ok(invalid("invalid_token", "the token's action is not known here"));
    };
    let mut told = basics(&decision);
    told["isValid"] = json!(false);
    Ok(refuse(told, "challenge_not_completed", "this is the token of `track`; validate the one the challenge gave"))
}

async fn decision_of(
    app: &App,
    tenant: &TenantId,
    user: &str,
    action: &str,
    key: &str,
) -> Result<Option<Decision>, ApiError> {
    let (Ok(user), Ok(action), Ok(idempotency_key)) =
        (UserId::parse(user), ActionCode::parse(action), IdempotencyKey::parse(key))
    else {
        return Ok(None);
    };
    let key = DecisionKey { tenant: tenant.clone(), user, action, idempotency_key };
    app.store.decision_by_key(&key).await.map_err(refusals::store)
}

fn basics(decision: &Decision) -> Value {
    json!({
        "isValid": false,
        "state": decision.state.as_str(),
        "stateUpdatedAt": decision.state_updated_at.to_string(),
        "userId": decision.user,
        // Some SDKs read the one, some the other.
        "action": decision.action,
        "actionCode": decision.action,
        "idempotencyKey": decision.idempotency_key,
        "decisionId": decision.id.to_string(),
    })
}

fn answer(claims: &ResultClaims, decision: &Decision) -> Value {
    let mut told = basics(decision);
    // The .NET SDK reads a closed list that has no QR_CODE.
    let method = match claims.acr {
        Acr::RecoveryCode => RECOVERY_CODE,
        _ => decision.verification_method.as_deref().unwrap_or("QR_CODE"),
    };
    told["verificationMethod"] = json!(wire_method(method));
    told["verificationMethodDetail"] = json!(method);
    told["challengeId"] = json!(claims.cid);
    told["acr"] = json!(claims.acr);
    if let Some(terminal) = &claims.terminal {
        told["terminal"] = json!(terminal);
    }
    told["amr"] = json!(claims.amr);
    told["link"] = json!(claims.link);
    told["sca"] = json!(claims.sca);
    told
}

fn invalid(code: &str, why: &str) -> Value {
    refuse(json!({"isValid": false}), code, why)
}

fn refuse(mut told: Value, code: &str, why: &str) -> Value {
    told["isValid"] = json!(false);
    told["error"] = json!(code);
    told["errorCode"] = json!(code);
    told["errorDescription"] = json!(why);
    told
}

/// The first thing that is not as the backend expects. Nothing is used up by it.
fn mismatch(expectation: &Expectation, claims: &ResultClaims, frozen: &Frozen) -> Option<(&'static str, String)> {
    if expectation.user.as_ref().is_some_and(|user| *user != claims.registered.sub) {
        return Some(("user_mismatch", "the token is about another user".to_owned()));
    }
    if expectation.action.as_ref().is_some_and(|action| *action != claims.act) {
        return Some(("action_mismatch", "the token is about another action".to_owned()));
    }
    let shown = |name: &str| frozen.bind.iter().chain(&frozen.show).find(|detail| detail.field == name);
    expectation.fields.iter().find_map(|(name, expected)| match shown(name) {
        None => Some(("context_mismatch", format!("`{name}` was not part of what the user approved"))),
        Some(detail) if same(expected, &detail.value) => None,
        Some(_) => Some(("context_mismatch", format!("the user approved another `{name}`"))),
    })
}

fn readable(value: &Value) -> bool {
    match value {
        Value::String(_) | Value::Number(_) => true,
        Value::Object(money) => {
            money.len() == 2
                && money.get("currency").is_some_and(Value::is_string)
                && money.get("value").is_some_and(|value| value.is_string() || value.is_number())
        }
        Value::Null | Value::Bool(_) | Value::Array(_) => false,
    }
}

/// Whether an expected value is the one in words: `{"value":"20","currency":"EUR"}` is `20.00 EUR`.
fn same(expected: &Value, shown: &str) -> bool {
    match expected {
        Value::String(text) => text == shown || money(text).is_some_and(|sum| money(shown) == Some(sum)),
        Value::Number(number) => decimal(&number.to_string()).is_some_and(|n| decimal(shown) == Some(n)),
        Value::Object(object) => {
            let value = match object.get("value") {
                Some(Value::String(text)) => decimal(text),
                Some(Value::Number(number)) => decimal(&number.to_string()),
                _ => None,
            };
            let currency = object.get("currency").and_then(Value::as_str);
            match (value, currency, money(shown)) {
                (Some(value), Some(currency), Some(shown)) => shown == (value, currency),
                _ => false,
            }
        }
        Value::Null | Value::Bool(_) | Value::Array(_) => false,
    }
}

fn money(text: &str) -> Option<(Decimal, &str)> {
    let (value, currency) = text.split_once(' ')?;
    let right = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
    if right { Some((decimal(value)?, currency)) } else { None }
}

fn decimal(text: &str) -> Option<Decimal> {
    Decimal::from_str_exact(text).ok().map(|number| number.normalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_the_same_however_it_is_written() {
        for (expected, shown, yes) in [
            (json!({"value": "20.00", "currency": "EUR"}), "20.00 EUR", true),
            (json!({"value": "20", "currency": "EUR"}), "20.00 EUR", true),
            (json!({"value": 20, "currency": "EUR"}), "20.00 EUR", true),
            (json!("20.00 EUR"), "20.00 EUR", true),
            (json!("20 EUR"), "20.00 EUR", true),
            (json!({"value": "20.01", "currency": "EUR"}), "20.00 EUR", false),
            (json!({"value": "20.00", "currency": "USD"}), "20.00 EUR", false),
            (json!("20.00"), "20.00 EUR", false),
            (json!({"value": "20.00", "currency": "EUR"}), "EUR", false),
            (json!("p1"), "p1", true),
            (json!("p1"), "p2", false),
            (json!(7), "7", true),
            (json!(7.0), "7", true),
            (json!(8), "7", false),
        ] {
            assert_eq!(same(&expected, shown), yes, "{expected} against {shown}");
        }
    }

    #[test]
    fn an_expectation_that_cannot_be_compared_is_refused() {
        for bad in
            [json!(null), json!(true), json!([1]), json!({}), json!({"value": 1}), json!({"value": 1, "currency": 2})]
        {
            assert!(!readable(&bad), "{bad}");
        }
    }
}
