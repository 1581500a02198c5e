//! One line of a stream: an event, or how a challenge ended. It is read as the server reads `track`, so that what the
//! one takes the other takes.

use std::net::IpAddr;
use std::sync::Arc;

use challenge::{ActionCode, TenantId, UserId};
use engine::status::Status;
use engine::{ChallengeEnd, Event, FieldError, Program};
use jiff::fmt::temporal::Pieces;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use server::decode::{self, Skew, Target};
use server::error::{ApiError, Problem};
use server::json::{self, Fields};
use server::random::Random;

use super::lines::{LONGEST, TooLong};

/// What a line says.
pub enum Step {
    /// Somebody tried something.
    Event {
        /// What.
        event: Arc<Event>,
        /// From where.
        ip: Option<IpAddr>,
    },
    /// A challenge ended.
    Challenge {
        /// Whose.
        user: String,
        /// The idempotency key of its event.
        reference: String,
        /// How.
        end: ChallengeEnd,
        /// When.
        at: Timestamp,
    },
    /// The line is blank.
    Nothing,
}

/// Why a line cannot be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// A stable slug.
    pub code: String,
    /// What is wrong and what would be right.
    pub detail: String,
    /// Where: an RFC 6901 pointer into the line.
    pub pointer: String,
}

impl BadLine {
    fn new(code: &str, pointer: &str, detail: impl Into<String>) -> BadLine {
        BadLine { code: code.to_owned(), detail: detail.into(), pointer: pointer.to_owned() }
    }
}

impl From<FieldError> for BadLine {
    fn from(error: FieldError) -> BadLine {
        BadLine::new(error.code, &error.pointer, error.detail)
    }
}

impl From<TooLong> for BadLine {
    fn from(_: TooLong) -> BadLine {
        BadLine::new("too-long", "", format!("a line may have at most {LONGEST} bytes"))
    }
}

impl From<ApiError> for BadLine {
    /// The first complaint; the others will be the first when it is gone.
    fn from(error: ApiError) -> BadLine {
        match error.issues().first() {
            Some(issue) => BadLine::new(&issue.code, &issue.pointer, issue.detail.clone()),
            None => BadLine::new("invalid", "", error.detail()),
        }
    }
}

/// Reads a line.
pub fn read(line: &[u8], program: &Program) -> Result<Step, BadLine> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(Step::Nothing);
    }
    match json::parse(line)? {
        Value::Object(body) => step(body, program),
        other => Err(BadLine::new("wrong-type", "", format!("a line is one object, not {}", json::kind(&other)))),
    }
}

/// Reads an object that stands for a line.
pub fn step(mut body: Map<String, Value>, program: &Program) -> Result<Step, BadLine> {
    let time = time(body.remove("time"))?;
    if body.get("challenge").is_some_and(|value| !value.is_null()) {
        return end_of_challenge(&body, time);
    }
    let text = |name: &str| match body.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        None | Some(Value::Null) => Err(missing(name)),
        Some(other) => {
            Err(BadLine::new("wrong-type", &format!("/{name}"), format!("expected text, got {}", json::kind(other))))
        }
    };
    let (action, user) = (text("action")?, text("userId")?);
    let status = status(body.get("status"))?;
    let target = Target {
        tenant: TenantId::parse("stream").map_err(|error| BadLine::new("invalid", "", error.to_string()))?,
        user: UserId::parse(user).map_err(|error| BadLine::new("invalid-user", "/userId", error.to_string()))?,
        action: ActionCode::parse(action)
            .map_err(|error| BadLine::new("invalid-action", "/action", error.to_string()))?,
    };
    for name in ["action", "userId", "status"] {
        body.remove(name);
    }
    let named = body.get("idempotencyKey").and_then(Value::as_str).map(str::to_owned);
    // A key of no consequence spares the dice; events without a key are told apart by their place in the stream.
    let key = named.as_deref().unwrap_or("-");
    let skew = Skew { late: SignedDuration::MAX, future: SignedDuration::MAX };
    let attempted = decode::attempted(target, Some(key), &body, program, time, skew, &Random::seeded(0))?;
    let mut input = attempted.input;
    input.idempotency_key = named;
    input.status = status;
    input.time = time;
    let ip = input.ip;
    let event = program.decode(&input).map_err(|errors| {
        let lifted = |name: &str| body.contains_key(name);
        BadLine::from(decode::refused(errors, lifted))
    })?;
    Ok(Step::Event { event: Arc::new(event), ip })
}

fn end_of_challenge(body: &Map<String, Value>, at: Timestamp) -> Result<Step, BadLine> {
    let mut fields = Fields::of(body);
    let word = fields.text("challenge", 64).unwrap_or_default();
    let end = ChallengeEnd::from_word(&word);
    if end.is_none() {
        fields.issue("challenge", "wrong-type", "expected `succeeded`, `declined` or `expired`");
    }
    let reference = fields.text("ref", 255);
    if reference.is_none() {
        fields.issue("ref", "missing-field", "expected the idempotencyKey of the event that was challenged");
    }
    let user = fields.text("userId", 255);
    if user.is_none() {
        fields.issue("userId", "missing-field", "expected the user of the event that was challenged");
    }
    fields.finish()?;
    match (user, reference, end) {
        (Some(user), Some(reference), Some(end)) => Ok(Step::Challenge { user, reference, end, at }),
        (_, _, _) => Err(BadLine::from(ApiError::new(Problem::InvalidField, "the line is not complete"))),
    }
}

fn time(value: Option<Value>) -> Result<Timestamp, BadLine> {
    let help = "expected an RFC 3339 time such as 2026-03-01T10:00:00Z";
    match value {
        Some(Value::String(text)) => text.parse().map_err(|_| {
            // What is written as it should be is a time that is none of ours.
            let moment = Pieces::parse(&text).is_ok_and(|pieces| pieces.time().is_some() && pieces.offset().is_some());
            let range = format!("a time lies between {} and {}", Timestamp::MIN, Timestamp::MAX);
            BadLine::new("wrong-type", "/time", if moment { range } else { help.to_owned() })
        }),
        None | Some(Value::Null) => Err(missing("time")),
        Some(other) => Err(BadLine::new("wrong-type", "/time", format!("{help}, got {}", json::kind(&other)))),
    }
}

fn status(value: Option<&Value>) -> Result<Option<Status>, BadLine> {
    let words = || Status::ALL.map(Status::word).join("`, `");
    let wrong = || BadLine::new("wrong-type", "/status", format!("expected one of `{}`", words()));
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(word)) => Status::from_word(word).map(Some).ok_or_else(wrong),
        Some(_) => Err(wrong()),
    }
}

fn missing(name: &str) -> BadLine {
    let about = match name {
        "time" => "every line says when",
        "action" => "an event says what was tried; a challenge line has `challenge`",
        _ => "every line says whose it is",
    };
    BadLine::new("missing-field", &format!("/{name}"), format!("`{name}` is missing: {about}"))
}
