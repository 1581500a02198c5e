//! What no phone may show is refused before it is counted: a wrong request changes nothing.
//!
//! Which texts a challenge shows is known when the rules have answered, and they answer about an event that is counted. An event
//! with a text that could be refused (an odd sign, or one as long as some user agents are) is therefore tried without counting
//! first, and its rules are asked twice. Most events have no such text.

use challenge::text::{LONGEST_LABEL, show};
use serde_json::Value;

use crate::decode::Attempted;

/// The longest user id and idempotency key; a phone shows them whole.
const LONGEST_NAME: usize = 255;

/// Whether the request has a text that no phone may show.
pub(super) fn is_doubtful(attempted: &Attempted) -> bool {
    let input = &attempted.input;
    let names = [attempted.key.user.as_str(), attempted.key.idempotency_key.as_str()];
    let labels = [&input.device, &input.email, &input.phone, &input.user_agent, &input.session, &input.locale]
        .into_iter()
        .flatten();
    !(names.into_iter().all(|name| may_be_shown(name, LONGEST_NAME))
        && labels.into_iter().all(|text| may_be_shown(text, LONGEST_LABEL))
        && input.custom.values().all(has_showable_texts))
}

fn has_showable_texts(value: &Value) -> bool {
    match value {
        Value::String(text) => may_be_shown(text, LONGEST_LABEL),
        Value::Array(items) => items.iter().all(has_showable_texts),
        Value::Object(members) => members.values().all(has_showable_texts),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

fn may_be_shown(text: &str, longest: usize) -> bool {
    let is_plain = text.len() <= longest && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    is_plain || show(text, longest).is_ok()
}

/// Where in the request of `track` a field of the event stands, if not under `custom`.
pub(super) fn place(attempted: &Attempted, pointer: &str) -> Option<String> {
    let field = pointer.strip_prefix("/custom/")?;
    let name = match field {
        "device" => "deviceId",
        "user_agent" => "userAgent",
        "session" => "sessionId",
        "phone" => "phoneNumber",
        "email" | "locale" => field,
        _ if attempted.lifted.iter().any(|lifted| lifted == field) => field,
        _ => return None,
    };
    Some(format!("/{name}"))
}
