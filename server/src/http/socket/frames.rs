//! The messages of the socket: one in, seven out.
//!
//! Stock SDKs know `CHALLENGE_CREATED` and `STATE_CHANGE` and ignore every other type, so `EXPIRED`,
//! `MATCH_CODE`, `QR` and `ERROR` are safe additions.

use challenge::terminal::CreateAttempt;
use challenge::{ActionCode, ChallengeId};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::clock::whole_milliseconds;
use crate::error::ApiError;
use crate::http::client::bodies;
use crate::json::{self, Fields};

/// What a screen asks for.
#[derive(Debug)]
pub enum Request {
    /// `CREATE_CHALLENGE`.
    Create(Create),
    /// `CREATE_CHALLENGE`, with something in it that cannot be read. Whoever asked waits for a challenge, and must hear of one.
    Unreadable(ApiError),
}

/// A challenge to make.
#[derive(Debug)]
pub struct Create {
    /// The action to be approved.
    pub action: ActionCode,
    /// The screen's own data; only an anonymous screen's counts.
    pub custom: Map<String, Value>,
    /// Whether the page draws the rolling QR (ours do).
    pub rolling: bool,
    /// The registered terminal that the screen says to be, and its signature.
    pub terminal: Option<CreateAttempt>,
}

/// Where the terminal stands in the message.
pub const TERMINAL: &str = "/data/terminal";

/// Reads a text frame with the strictness of a request body.
pub fn read(text: &str) -> Result<Request, ApiError> {
    let message = json::object(text.as_bytes())?;
    let mut fields = Fields::of(&message);
    let kind = fields.required_text("type", 64);
    let data = fields.object("data");
    if !kind.is_empty() && kind != "CREATE_CHALLENGE" {
        fields.issue("type", "unknown-type", "this server knows `CREATE_CHALLENGE`");
    }
    if data.is_none() && message.get("data").is_none_or(Value::is_null) {
        fields.issue("data", "missing-field", "this field is required");
    }
    fields.finish()?;
    let Some(data) = data else { return Err(ApiError::field("/data", "missing-field", "this field is required")) };
    Ok(create(data).map_or_else(Request::Unreadable, Request::Create))
}

fn create(data: &Map<String, Value>) -> Result<Create, ApiError> {
    let mut fields = Fields::within(data, "/data");
    let challenge_type = fields.required_text("challengeType", 64);
    if challenge_type == "PUSH" {
        return Err(ApiError::not_offered("a push over a socket (`POST /v1/client/challenge/push` sends one)"));
    }
    if !challenge_type.is_empty() && challenge_type != "QR_CODE" {
        return Err(ApiError::not_offered(&challenge_type));
    }
    let action = fields.required_text("actionCode", 100);
    let custom = fields.object("custom").cloned().unwrap_or_default();
    let rolling = fields.boolean("rollingQr").unwrap_or(false);
    let action = match ActionCode::parse(action.as_str()) {
        Ok(action) => Some(action),
        Err(_) if action.is_empty() => None,
        Err(_) => {
            fields.issue("actionCode", "wrong-form", "an action code is 1 to 100 of `A-Z a-z 0-9 . _ : -`");
            None
        }
    };
    fields.finish()?;
    let terminal = bodies::terminal_in(data, TERMINAL)?;
    let action =
        action.ok_or_else(|| ApiError::field("/data/actionCode", "missing-field", "this field is required"))?;
    Ok(Create { action, custom, rolling, terminal })
}

/// `CHALLENGE_CREATED`, with our additions: what pages draw that can draw a rolling QR, and the code with which to poll.
pub fn created(challenge: ChallengeId, expires_at: Timestamp, additions: &Map<String, Value>) -> Value {
    let mut data = additions.clone();
    data.insert("challengeId".into(), json!(challenge));
    data.insert("challengeType".into(), json!("QR_CODE"));
    data.insert("expiresAt".into(), json!(whole_milliseconds(expires_at)));
    data.insert("state".into(), json!("unclaimed"));
    json!({"type": "CHALLENGE_CREATED", "data": data})
}

/// `STATE_CHANGE`; the access token goes with `approved` and with nothing else.
pub fn state_change(challenge: ChallengeId, state: &str, access_token: Option<&str>) -> Value {
    let mut data = json!({"challengeId": challenge, "state": state});
    if let Some(token) = access_token {
        data["accessToken"] = json!(token);
    }
    json!({"type": "STATE_CHANGE", "data": data})
}

/// `STATE_CHANGE` to `claimed`, with who took a challenge that was for anybody; stock SDKs do not look at that.
pub fn claimed(challenge: ChallengeId, claimed_by: Option<Value>) -> Value {
    let mut message = state_change(challenge, "claimed", None);
    if let Some(claimer) = claimed_by {
        message["data"]["claimedBy"] = claimer;
    }
    message
}

/// `MATCH_CODE`: the digits to show, for the claimer to type on the phone.
pub fn match_code(challenge: ChallengeId, code: &str) -> Value {
    json!({"type": "MATCH_CODE", "data": {"challengeId": challenge, "matchCode": code}})
}

/// `QR`: the next steps of a rolling code, for a page that asked for them.
pub fn next_steps(challenge: ChallengeId, mut qr: Map<String, Value>) -> Value {
    qr.insert("challengeId".into(), json!(challenge));
    json!({"type": "QR", "data": qr})
}

/// `EXPIRED`: nobody answered in time.
pub fn expired(challenge: ChallengeId) -> Value {
    json!({"type": "EXPIRED", "data": {"challengeId": challenge}})
}

/// `ERROR`: the same words an HTTP refusal has.
pub fn error(refusal: &ApiError) -> Value {
    json!({"type": "ERROR", "data": refusal.body(None)})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_frames_are_read() {
        for text in [
            r#"{"type":"CREATE_CHALLENGE","data":{"challengeType":"QR_CODE","actionCode":"kiosk-login","custom":{"till":7}}}"#,
            r#"{"type":"CREATE_CHALLENGE","data":{"challengeType":"QR_CODE","actionCode":"pay"}}"#,
        ] {
            assert!(matches!(read(text), Ok(Request::Create(_))), "{text}");
        }
    }

    #[test]
    fn each_bad_frame_is_refused_with_its_place() {
        for (text, pointer) in [
            ("[]", ""),
            ("{}", "/type"),
            (r#"{"type":"SUBSCRIBE","data":{}}"#, "/type"),
            (r#"{"type":"CREATE_CHALLENGE"}"#, "/data"),
            (r#"{"type":"CREATE_CHALLENGE","data":7}"#, "/data"),
            (r#"{"type":"CREATE_CHALLENGE","type":"x","data":{}}"#, "/type"),
        ] {
            let refusal = read(text).expect_err(text);
            assert_eq!(refusal.issues().first().map(|issue| issue.pointer.as_str()), Some(pointer), "{text}");
        }
        for (data, pointer) in [
            (r#"{"challengeType":"QR_CODE"}"#, "/data/actionCode"),
            (r#"{"challengeType":"QR_CODE","actionCode":"a b"}"#, "/data/actionCode"),
            (r#"{"challengeType":"QR_CODE","actionCode":"a","custom":[]}"#, "/data/custom"),
        ] {
            let Ok(Request::Unreadable(refusal)) = read(&format!(r#"{{"type":"CREATE_CHALLENGE","data":{data}}}"#))
            else {
                panic!("{data} is read, or no wish for a challenge")
            };
            assert_eq!(refusal.issues().first().map(|issue| issue.pointer.as_str()), Some(pointer), "{data}");
        }
    }

    #[test]
    fn a_date_looks_as_javascript_prints_it() {
        let at: Timestamp = "2026-11-23T13:29:00.366123Z".parse().expect("a time");
        assert_eq!(whole_milliseconds(at), "2026-11-23T13:29:00.366Z");
    }
}
