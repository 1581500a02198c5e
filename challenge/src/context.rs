//! The context: the very bytes a version 2 phone shows and signs.
//!
//! A JSON text is made once, when the challenge is, and kept verbatim. The phone receives these bytes, parses and shows
//! them, and signs their SHA-256; the server hashes the same bytes. Nobody serialises twice, so nobody needs canonical
//! JSON, and what was shown can be verified years later (T-11, T-12).

use std::fmt;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::{ActionCode, ChallengeId, IdempotencyKey, InvalidId, TenantId, TerminalId};
use crate::keys::sha256;
use crate::state::{Detail, Draft, Level, Subject};
use crate::text::{LONGEST_LABEL, TextError, clean, show};

/// The longest context in bytes.
pub const LONGEST_CONTEXT: usize = 16 * 1024;
/// The longest text in `custom`, in characters.
const LONGEST_CUSTOM_TEXT: usize = 1024;
/// The deepest nesting in `custom`.
const DEEPEST: usize = 8;

/// Frozen context bytes: a JSON text in UTF-8.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContextBytes(Vec<u8>);

impl ContextBytes {
    /// The bytes, for the phone.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as unpadded base64url: the `context` of the claim response.
    pub fn to_base64url(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0)
    }

    /// SHA-256 of the bytes: what `ctx` stands for in messages and tokens.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&self.0)
    }

    /// The hash as unpadded base64url.
    pub fn hash_base64url(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.hash())
    }
}

impl fmt::Debug for ContextBytes {
    /// The context names a person and what they do; logs get its hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContextBytes({})", self.hash_base64url())
    }
}

impl TryFrom<String> for ContextBytes {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        URL_SAFE_NO_PAD.decode(text).map(Self).map_err(|_| InvalidId { what: "context" })
    }
}

impl From<ContextBytes> for String {
    fn from(bytes: ContextBytes) -> String {
        bytes.to_base64url()
    }
}

/// Why a context cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// A text breaks the rules of [`crate::text`].
    #[error("the text at `{pointer}` {why}")]
    Text {
        /// JSON pointer to it.
        pointer: String,
        /// What is wrong with it.
        why: TextError,
    },
    /// `custom` is nested too deeply.
    #[error("`{pointer}` is nested more than {DEEPEST} levels deep")]
    TooDeep {
        /// JSON pointer to it.
        pointer: String,
    },
    /// All of it together is too long.
    #[error("the data to show is longer than {LONGEST_CONTEXT} bytes")]
    TooLong,
}

/// Makes the context of a draft. The field order is fixed by [`Context`], `custom` is sorted by key.
pub(crate) fn freeze(
    draft: &Draft,
    created_at: Timestamp,
    expires_at: Timestamp,
) -> Result<ContextBytes, ContextError> {
    let mut reader = Reader::default();
    let user = match &draft.subject {
        Subject::Identified(user) => Some(reader.label(user.as_str(), "/user", 255)?),
        Subject::Anonymous => None,
    };
    let custom = reader.object(&draft.custom, "/custom", 1)?;
    let bind = reader.details(&draft.bind, "/bind")?;
    let show = reader.details(&draft.show, "/show")?;
    reader.label(draft.idempotency_key.as_str(), "/idempotencyKey", 255)?;
    let context = Context {
        version: 2,
        tenant: &draft.tenant,
        challenge: draft.id,
        action: &draft.action,
        idempotency_key: &draft.idempotency_key,
        user,
        level: draft.level,
        origin: origin(draft),
        custom,
        bind,
        show,
        mixed_script: reader.mixed_script,
        created_at,
        expires_at,
    };
    // Every key is text and every number finite, so serialising cannot fail; if it did, nothing would be shown.
    let bytes = serde_json::to_vec(&context).map_err(|_| ContextError::TooLong)?;
    if bytes.len() > LONGEST_CONTEXT { Err(ContextError::TooLong) } else { Ok(ContextBytes(bytes)) }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    version: u8,
    tenant: &'a TenantId,
    challenge: ChallengeId,
    action: &'a ActionCode,
    idempotency_key: &'a IdempotencyKey,
    user: Option<String>,
    level: Level,
    origin: ContextOrigin,
    custom: Map<String, Value>,
    bind: Vec<Detail>,
    show: Vec<Detail>,
    mixed_script: Vec<String>,
    created_at: Timestamp,
    expires_at: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContextOrigin {
    ip: Option<IpAddr>,
    country: Option<String>,
    region: Option<String>,
    city: Option<String>,
    device: Option<String>,
    user_agent: Option<String>,
    /// Left out where there is none: contexts of plain screens stay as they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    terminal: Option<ContextTerminal>,
}

#[derive(Serialize)]
struct ContextTerminal {
    id: TerminalId,
    name: String,
}

/// What the screen's browser, the geo database and the register of terminals say is cleaned, not refused: nobody can be asked for better.
fn origin(draft: &Draft) -> ContextOrigin {
    let cleaned = |text: &Option<String>| text.as_deref().map(clean);
    let place = draft.origin.place.clone().unwrap_or_default();
    ContextOrigin {
        ip: draft.origin.ip.map(|ip| ip.to_canonical()),
        country: cleaned(&place.country),
        region: cleaned(&place.region),
        city: cleaned(&place.city),
        device: cleaned(&draft.origin.device),
        user_agent: cleaned(&draft.origin.user_agent),
        terminal: draft.terminal.as_ref().map(|it| ContextTerminal { id: it.id.clone(), name: clean(&it.name) }),
    }
}

/// Checks texts and remembers where scripts are mixed.
#[derive(Default)]
struct Reader {
    mixed_script: Vec<String>,
}

impl Reader {
    fn label(&mut self, text: &str, pointer: &str, longest: usize) -> Result<String, ContextError> {
        let shown = show(text, longest).map_err(|why| ContextError::Text { pointer: pointer.to_owned(), why })?;
        if shown.mixed_script {
            self.mixed_script.push(pointer.to_owned());
        }
        Ok(shown.text)
    }

    fn details(&mut self, details: &[Detail], pointer: &str) -> Result<Vec<Detail>, ContextError> {
        let mut shown = Vec::with_capacity(details.len());
        for detail in details {
            let pointer = format!("{pointer}/{}", escape(&detail.field));
            let field = self.label(&detail.field, &pointer, LONGEST_LABEL)?;
            let value = self.label(&detail.value, &pointer, LONGEST_LABEL)?;
            shown.push(Detail { field, value });
        }
        Ok(shown)
    }

    fn object(
        &mut self,
        object: &Map<String, Value>,
        at: &str,
        depth: usize,
    ) -> Result<Map<String, Value>, ContextError> {
        let mut shown = Map::new();
        for (key, value) in object {
            let pointer = format!("{at}/{}", escape(key));
            let key = self.label(key, &pointer, LONGEST_LABEL)?;
            shown.insert(key, self.value(value, &pointer, depth)?);
        }
        Ok(shown)
    }

    fn value(&mut self, value: &Value, pointer: &str, depth: usize) -> Result<Value, ContextError> {
        if depth > DEEPEST {
            return Err(ContextError::TooDeep { pointer: pointer.to_owned() });
        }
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
            Value::String(text) => self.label(text, pointer, LONGEST_CUSTOM_TEXT).map(Value::String),
            Value::Object(object) => self.object(object, pointer, depth + 1).map(Value::Object),
            Value::Array(items) => {
                let mut shown = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    shown.push(self.value(item, &format!("{pointer}/{index}"), depth + 1)?);
                }
                Ok(Value::Array(shown))
            }
        }
    }
}

/// RFC 6901 §3.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
