//! What the client meant by `track`: parsed and bounded once, here, and trusted afterwards.

use std::net::IpAddr;

use challenge::{ActionCode, IdempotencyKey, TenantId, UserId};
use engine::event::EventInput;
use engine::program::Program;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::error::{ApiError, FieldIssue, Problem};
use crate::json::{self, Fields};
use crate::policies::When;
use crate::random::Random;
use crate::store::{DecisionKey, UserAttributes};

/// The wire's fields of `track` and ours; whatever else stands at the top level is an event field if the pack
/// declares it, and otherwise of no interest: SDKs send more with every release.
const KNOWN: [&str; 20] = [
    "idempotencyKey",
    "redirectUrl",
    "redirectToSettings",
    "ipAddress",
    "userAgent",
    "deviceId",
    "deviceName",
    "sessionId",
    "scope",
    "email",
    "phoneNumber",
    "username",
    "custom",
    "challengeId",
    "locale",
    "customDomain",
    "crypto",
    "occurredAt",
    "explain",
    "action",
];

/// One attempt at an action, as told by a backend.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// The wire's name for it.
    pub key: DecisionKey,
    /// Whether the caller chose the idempotency key; only then can there be an earlier attempt.
    pub named: bool,
    /// SHA-256 of what was said, without the key itself.
    pub body_hash: [u8; 32],
    /// Who, what, when, from where.
    pub input: EventInput,
    /// Whether the backend said when it happened.
    pub when: When,
    /// When it reached us.
    pub received_at: Timestamp,
    /// What the backend says of the user along with it.
    pub about_user: UserAttributes,
    /// The scopes asked for the track token.
    pub scope: Option<String>,
    /// Where the hosted page returns to.
    pub redirect_url: Option<String>,
    /// Event fields that stood at the top level instead of under `custom`: where complaints must point.
    pub lifted: Vec<String>,
}

/// Whose attempt at what, from the path.
#[derive(Clone, Debug)]
pub struct Target {
    /// The caller's tenant.
    pub tenant: TenantId,
    /// Who acts.
    pub user: UserId,
    /// What they try to do.
    pub action: ActionCode,
}

/// How far `occurredAt` may lie from now.
#[derive(Clone, Copy, Debug)]
pub struct Skew {
    /// In the past.
    pub late: SignedDuration,
    /// In the future; within it the time is clamped to now.
    pub future: SignedDuration,
}

/// Reads the body of `track`. All complaints come together.
pub fn attempted(
    target: Target,
    key_header: Option<&str>,
    body: &Map<String, Value>,
    program: &Program,
    received_at: Timestamp,
    skew: Skew,
    random: &Random,
) -> Result<Attempted, ApiError> {
    let mut fields = Fields::of(body);
    let named = idempotency_key(&mut fields, key_header);
    let time = occurred_at(&mut fields, received_at, skew);
    let ip = ip_address(&mut fields);
    let mut input = EventInput::new(target.action.as_str(), target.user.as_str(), time);
    input.ip = ip;
    input.device = fields.text("deviceId", 255);
    input.email = fields.text("email", 320);
    input.phone = fields.text("phoneNumber", 64);
    input.user_agent = fields.text("userAgent", 1024);
    let named_itself = || input.user_agent.as_deref().and_then(crate::device::label);
    input.device_name = fields.text("deviceName", 255).or_else(named_itself);
    input.session = fields.text("sessionId", 255);
    input.locale = fields.text("locale", 64);
    let scope = fields.text("scope", 255);
    let redirect_url = redirect_url(&mut fields);
    let username = fields.text("username", 255);
    for other in ["challengeId", "customDomain"] {
        fields.text(other, 255);
    }
    fields.boolean("redirectToSettings");
    input.custom = fields.object("custom").cloned().unwrap_or_default();
    let lifted = lift_declared(&mut fields, &mut input, body, program);
    fields.finish()?;

    let is_named = named.is_some();
    let key = match named {
        Some(key) => key,
        None => IdempotencyKey::parse(random.uuid_v4().to_string()).map_err(ApiError::internal)?,
    };
    input.idempotency_key = Some(reference(&target.action, &key));
    let about_user = UserAttributes {
        email: input.email.clone().filter(|email| !email.is_empty()),
        phone_number: input.phone.clone().filter(|number| !number.is_empty()),
        username: username.filter(|name| !name.is_empty()),
        ..UserAttributes::default()
    };
    let mut said = body.clone();
    said.remove("idempotencyKey");
    Ok(Attempted {
        key: DecisionKey { tenant: target.tenant, user: target.user, action: target.action, idempotency_key: key },
        named: is_named,
        body_hash: json::digest(&Value::Object(said)),
        input: check_custom(input, &lifted)?,
        when: if body.get("occurredAt").is_some_and(|time| !time.is_null()) { When::Said } else { When::Now },
        lifted,
        received_at,
        about_user,
        scope,
        redirect_url,
    })
}

/// History's name for an attempt: idempotency keys are unique per action, references per user.
pub fn reference(action: &ActionCode, key: &IdempotencyKey) -> String {
    format!("{action}/{key}")
}

/// What the engine found wrong with the event, as the client is told.
pub fn refused(errors: Vec<engine::event::FieldError>, lifted: impl Fn(&str) -> bool) -> ApiError {
    let unknown = errors.iter().any(|error| error.code == "undeclared-action");
    let issues = errors
        .into_iter()
        .map(|error| {
            let name = error.pointer.strip_prefix("/custom/").filter(|name| lifted(name));
            let pointer = name.map_or(error.pointer.clone(), |name| format!("/{name}"));
            FieldIssue::new(pointer, error.code, error.detail)
        })
        .collect();
    ApiError::fields(if unknown { Problem::UnknownAction } else { Problem::InvalidEvent }, issues)
}

/// The key of the body or of the header; both are welcome if they agree.
fn idempotency_key(fields: &mut Fields, header: Option<&str>) -> Option<IdempotencyKey> {
    let said = fields.text("idempotencyKey", 255);
    let text = match (said, header) {
        (Some(said), Some(header)) if said != header => {
            fields.issue("idempotencyKey", "ambiguous", "the header Idempotency-Key names another key");
            return None;
        }
        (Some(said), _) => said,
        (None, Some(header)) => header.to_owned(),
        (None, None) => return None,
    };
    match IdempotencyKey::parse(text) {
        Ok(key) => Some(key),
        Err(_) => {
            fields.issue("idempotencyKey", "invalid", "expected 1 to 255 bytes without control characters");
            None
        }
    }
}

fn occurred_at(fields: &mut Fields, now: Timestamp, skew: Skew) -> Timestamp {
    let Some(text) = fields.text("occurredAt", 64) else { return now };
    let Ok(time) = text.parse::<Timestamp>() else {
        fields.issue("occurredAt", "wrong-type", "expected an RFC 3339 time such as 2026-03-01T10:00:00Z");
        return now;
    };
    let age = now.duration_since(time);
    if age > skew.late {
        fields.issue("occurredAt", "too-old", format!("at most {} s in the past are accepted", skew.late.as_secs()));
    }
    if age < -skew.future {
        let detail = format!("at most {} s in the future are accepted; check the clocks", skew.future.as_secs());
        fields.issue("occurredAt", "in-the-future", detail);
    }
    time
}

fn ip_address(fields: &mut Fields) -> Option<IpAddr> {
    let text = fields.text("ipAddress", 64)?;
    match text.parse::<IpAddr>() {
        Ok(address) => Some(address.to_canonical()),
        Err(_) => {
            fields.issue("ipAddress", "wrong-type", "expected an IPv4 or IPv6 address");
            None
        }
    }
}

fn redirect_url(fields: &mut Fields) -> Option<String> {
    let url = fields.text("redirectUrl", 2048)?;
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default();
    let named = !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if !named || ["javascript", "data", "vbscript", "file", "blob"].contains(&scheme.as_str()) {
        fields.issue("redirectUrl", "invalid", "expected an absolute address such as https://shop.example/done");
        return None;
    }
    Some(url)
}

/// Moves declared event fields from the top level into `custom`, and says which.
fn lift_declared(
    fields: &mut Fields,
    input: &mut EventInput,
    body: &Map<String, Value>,
    program: &Program,
) -> Vec<String> {
    let declared: Vec<String> = program
        .event(&input.action)
        .map(|event| event.fields.iter().map(|field| field.name.to_string()).collect())
        .unwrap_or_default();
    let mut lifted = Vec::new();
    for (name, value) in body {
        if KNOWN.contains(&name.as_str()) || value.is_null() || !declared.contains(name) {
            continue;
        }
        if input.custom.contains_key(name) {
            fields.issue(name, "ambiguous", "this field is also given under `custom`");
            continue;
        }
        input.custom.insert(name.clone(), value.clone());
        lifted.push(name.clone());
    }
    lifted
}

/// Custom data the pack does not know is kept for the record, so it is bounded too.
fn check_custom(input: EventInput, lifted: &[String]) -> Result<EventInput, ApiError> {
    let mut issues = Vec::new();
    for (name, value) in &input.custom {
        let at = if lifted.contains(name) { "" } else { "/custom" };
        let long = matches!(value, Value::String(text) if text.chars().count() > 4096);
        if long {
            let pointer = format!("{at}/{}", json::escape(name));
            issues.push(FieldIssue::new(pointer, "too-long", "at most 4096 characters are accepted"));
        }
    }
    if issues.is_empty() { Ok(input) } else { Err(ApiError::fields(Problem::InvalidField, issues)) }
}
