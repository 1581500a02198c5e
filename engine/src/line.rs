//! One line of a stream of events (`protocol.md` §4): an attempt, or how the challenge of an earlier one ended.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::{
    event::{EventInput, FieldError},
    replay::ChallengeEnd,
    status::Status,
};

/// What a line says.
#[derive(Clone, Debug)]
pub enum Line {
    /// An attempt at an action.
    Event(Box<EventInput>),
    /// How a challenge ended.
    Challenge {
        /// When.
        time: Timestamp,
        /// Whose.
        user_id: String,
        /// The idempotency key of the attempt that was challenged.
        reference: String,
        /// How.
        end: ChallengeEnd,
    },
}

/// Reads a line, or says what is wrong with it.
pub fn read_line(line: &str) -> Result<Line, FieldError> {
    let json: Json =
        serde_json::from_str(line).map_err(|error| wrong("", "malformed-json", format!("not JSON: {error}")))?;
    let Json::Object(mut fields) = json else {
        return Err(wrong("", "wrong-type", "a line is one JSON object".to_owned()));
    };
    let time = required(&mut fields, "time")?;
    let time =
        time.parse().map_err(|_| wrong("/time", "wrong-type", "`time` is an RFC 3339 time with an offset".into()))?;
    let user_id = required(&mut fields, "userId")?;
    if let Some(end) = text(&mut fields, "challenge")? {
        let words = "`challenge` is succeeded, declined or expired";
        let end = ChallengeEnd::from_word(&end).ok_or_else(|| wrong("/challenge", "wrong-type", words.into()))?;
        return Ok(Line::Challenge { time, user_id, reference: required(&mut fields, "ref")?, end });
    }
    let action = required(&mut fields, "action")?;
    let mut input = EventInput::new(&action, &user_id, time);
    if let Some(ip) = text(&mut fields, "ipAddress")? {
        let ip = ip.parse().map_err(|_| wrong("/ipAddress", "wrong-type", format!("`{ip}` is not an IP address")))?;
        input.ip = Some(ip);
    }
    input.device = text(&mut fields, "deviceId")?;
    input.device_name = text(&mut fields, "deviceName")?;
    input.email = text(&mut fields, "email")?;
    input.phone = text(&mut fields, "phoneNumber")?;
    input.user_agent = text(&mut fields, "userAgent")?;
    input.session = text(&mut fields, "sessionId")?;
    input.locale = text(&mut fields, "locale")?;
    input.idempotency_key = text(&mut fields, "idempotencyKey")?;
    if let Some(word) = text(&mut fields, "status")? {
        let detail = format!("there is no status `{word}`");
        input.status = Some(Status::from_word(&word).ok_or_else(|| wrong("/status", "wrong-type", detail))?);
    }
    input.custom = match fields.remove("custom") {
        None | Some(Json::Null) => Map::new(),
        Some(Json::Object(custom)) => custom,
        Some(_) => return Err(wrong("/custom", "wrong-type", "`custom` is an object".into())),
    };
    // A declared field at the top level is accepted too; what nobody declared is of no interest.
    for (name, value) in fields {
        input.custom.entry(name).or_insert(value);
    }
    Ok(Line::Event(Box::new(input)))
}

fn required(fields: &mut Map<String, Json>, name: &str) -> Result<String, FieldError> {
    let missing = || wrong(&format!("/{name}"), "missing-field", format!("a line needs `{name}`"));
    text(fields, name)?.ok_or_else(missing)
}

fn text(fields: &mut Map<String, Json>, name: &str) -> Result<Option<String>, FieldError> {
    match fields.remove(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(&format!("/{name}"), "wrong-type", format!("`{name}` is a string"))),
    }
}

fn wrong(pointer: &str, code: &'static str, detail: String) -> FieldError {
    FieldError { pointer: pointer.to_owned(), code, detail }
}
