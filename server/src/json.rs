//! Strict JSON: what the client meant, or a precise reason why we will not guess.
//!
//! `serde_json` alone keeps the last of two equal keys, takes an array for a struct and rounds large numbers; then
//! the phone, the rules and the audit log may each see another request. Here a body is one object, a key occurs once,
//! depth and key count are bounded, numbers keep their digits, and every complaint has a JSON pointer (RFC 6901).

use std::collections::BTreeSet;
use std::fmt;

use aws_lc_rs::digest;
use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use crate::error::{ApiError, FieldIssue, Problem};

/// Largest body we read, in bytes.
pub const MAX_BODY: usize = 64 * 1024;
/// Deepest nesting of objects and arrays.
pub const MAX_DEPTH: usize = 16;
/// Most object keys in one body, at all depths together.
pub const MAX_KEYS: usize = 256;

/// Reads a body as one JSON object. An empty body is `{}`: PHP's SDK and browsers send that for "no parameters".
pub fn object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match parse(body)? {
        Value::Object(map) => Ok(map),
        other => Err(malformed("", "wrong-type", format!("the body must be an object, not {}", kind(&other)))),
    }
}

/// Reads any strict JSON text.
pub fn parse(body: &[u8]) -> Result<Value, ApiError> {
    let text = std::str::from_utf8(body).map_err(|error| {
        malformed("", "not-utf8", format!("the body is not UTF-8: byte {} is wrong", error.valid_up_to()))
    })?;
    let whole: &RawValue = serde_json::from_str(text).map_err(|error| malformed("", "not-json", lower(&error)))?;
    let mut reader = Reader { keys: 0 };
    reader.value(whole, &mut Pointer::default(), 0)
}

/// SHA-256 over the meaning of a JSON value: key order and white space do not count, digits do.
pub fn digest(value: &Value) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    feed(value, &mut context);
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

fn feed(value: &Value, context: &mut digest::Context) {
    let mut tagged = |tag: u8, bytes: &[u8]| {
        context.update(&[tag]);
        context.update(&(bytes.len() as u64).to_be_bytes());
        context.update(bytes);
    };
    match value {
        Value::Null => tagged(b'n', b""),
        Value::Bool(yes) => tagged(b'b', &[u8::from(*yes)]),
        Value::Number(number) => tagged(b'd', number.to_string().as_bytes()),
        Value::String(text) => tagged(b's', text.as_bytes()),
        Value::Array(items) => {
            tagged(b'a', &(items.len() as u64).to_be_bytes());
            items.iter().for_each(|item| feed(item, context));
        }
        Value::Object(map) => {
            tagged(b'o', &(map.len() as u64).to_be_bytes());
            for key in map.keys().collect::<BTreeSet<_>>() {
                context.update(&(key.len() as u64).to_be_bytes());
                context.update(key.as_bytes());
                feed(&map[key], context);
            }
        }
    }
}

/// Where we are in the body, as reference tokens.
#[derive(Default)]
struct Pointer(String);

impl Pointer {
    fn within<T>(&mut self, token: &str, read: impl FnOnce(&mut Pointer) -> T) -> T {
        let length = self.0.len();
        self.0.push('/');
        self.0.push_str(&escape(token));
        let result = read(self);
        self.0.truncate(length);
        result
    }
}

/// Escapes one reference token of a JSON pointer (RFC 6901 §3).
pub fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

struct Reader {
    keys: usize,
}

impl Reader {
    fn value(&mut self, raw: &RawValue, at: &mut Pointer, depth: usize) -> Result<Value, ApiError> {
        let text = raw.get();
        let nested = |depth: usize, at: &Pointer| {
            if depth < MAX_DEPTH {
                return Ok(depth + 1);
            }
            Err(malformed(&at.0, "too-deep", format!("objects and arrays may nest {MAX_DEPTH} deep")))
        };
        // The text is already known to be one JSON value, so its first byte tells what it is.
        match text.bytes().next() {
            Some(b'{') => {
                let depth = nested(depth, at)?;
                let entries = serde_json::Deserializer::from_str(text)
                    .deserialize_map(Entries)
                    .map_err(|error| malformed(&at.0, "not-json", lower(&error)))?;
                self.members(entries, at, depth)
            }
            Some(b'[') => {
                let depth = nested(depth, at)?;
                let items = serde_json::Deserializer::from_str(text)
                    .deserialize_seq(Items)
                    .map_err(|error| malformed(&at.0, "not-json", lower(&error)))?;
                let read =
                    |(index, raw): (usize, &RawValue)| at.within(&index.to_string(), |at| self.value(raw, at, depth));
                items.into_iter().enumerate().map(read).collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            Some(b'"') => serde_json::from_str(text)
                .map(Value::String)
                .map_err(|error| malformed(&at.0, "not-text", lower(&error))),
            Some(b't') => Ok(Value::Bool(true)),
            Some(b'f') => Ok(Value::Bool(false)),
            Some(b'n') => Ok(Value::Null),
            _ => text
                .parse::<Number>()
                .map(Value::Number)
                .map_err(|error| malformed(&at.0, "not-a-number", lower(&error))),
        }
    }

    fn members(
        &mut self,
        entries: Vec<(String, &RawValue)>,
        at: &mut Pointer,
        depth: usize,
    ) -> Result<Value, ApiError> {
        self.keys += entries.len();
        if self.keys > MAX_KEYS {
            return Err(malformed(&at.0, "too-many-keys", format!("a body may have {MAX_KEYS} keys in all")));
        }
        let mut map = Map::new();
        for (key, raw) in entries {
            let value = at.within(&key, |at| {
                if map.contains_key(&key) {
                    return Err(malformed(&at.0, "duplicate-key", format!("the key `{key}` occurs twice")));
                }
                self.value(raw, at, depth)
            })?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}

struct Items;

impl<'de> Visitor<'de> for Items {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(items)
    }
}

/// What kind of JSON a value is, for messages.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn malformed(pointer: &str, code: &str, detail: String) -> ApiError {
    ApiError::fields(Problem::MalformedJson, vec![FieldIssue::new(pointer, code, detail)])
}

fn lower(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        // Not a word that is written in capitals, as EOF is.
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(chars).collect(),
        _ => text,
    }
}

/// Reads named fields out of an object and remembers every complaint, so that a client learns all of them at once.
///
/// `null` counts as absent: Go's SDK sends it for parameters it was not given.
pub struct Fields<'a> {
    map: &'a Map<String, Value>,
    at: String,
    issues: Vec<FieldIssue>,
}

impl<'a> Fields<'a> {
    /// A reader of the body's top level.
    pub fn of(map: &'a Map<String, Value>) -> Fields<'a> {
        Fields { map, at: String::new(), issues: Vec::new() }
    }

    /// A reader of the object at the JSON pointer `at`.
    pub fn within(map: &'a Map<String, Value>, at: impl Into<String>) -> Fields<'a> {
        Fields { map, at: at.into(), issues: Vec::new() }
    }

    /// The value of a field that is there and not null.
    pub fn value(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// An optional text of at most `max` characters, without control characters.
    pub fn text(&mut self, name: &str, max: usize) -> Option<String> {
        let value = self.value(name)?;
        let Value::String(text) = value else {
            self.wrong_type(name, "text", value);
            return None;
        };
        if text.chars().count() > max {
            self.issue(name, "too-long", format!("at most {max} characters are accepted"));
            return None;
        }
        if text.chars().any(char::is_control) {
            self.issue(name, "control-character", "control characters are not accepted");
            return None;
        }
        Some(text.clone())
    }

    /// Like [`text`](Self::text), but absence and emptiness are complaints; the value is then empty.
    pub fn required_text(&mut self, name: &str, max: usize) -> String {
        match self.value(name) {
            None => {
                self.issue(name, "missing-field", "this field is required");
                String::new()
            }
            Some(Value::String(text)) if text.is_empty() => {
                self.issue(name, "empty", "this field must not be empty");
                String::new()
            }
            Some(_) => self.text(name, max).unwrap_or_default(),
        }
    }

    /// An optional value in its text form; empty counts as absent.
    pub fn parsed<T>(&mut self, name: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name, 255).filter(|text| !text.is_empty())?;
        let value = parse(&text);
        if value.is_none() {
            self.issue(name, "invalid", format!("expected {expected}"));
        }
        value
    }

    /// Like [`parsed`](Self::parsed), but absence and emptiness are complaints.
    pub fn required_parsed<T>(&mut self, name: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        match self.value(name) {
            None => self.issue(name, "missing-field", format!("this field is required: {expected}")),
            Some(Value::String(text)) if text.is_empty() => self.issue(name, "empty", format!("expected {expected}")),
            Some(_) => return self.parsed(name, expected, parse),
        }
        None
    }

    /// An optional boolean.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        let value = self.value(name)?;
        let Value::Bool(yes) = value else {
            self.wrong_type(name, "a boolean", value);
            return None;
        };
        Some(*yes)
    }

    /// An optional whole number within `range`.
    pub fn integer(&mut self, name: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let value = self.value(name)?;
        let Value::Number(number) = value else {
            self.wrong_type(name, "a whole number", value);
            return None;
        };
        match number.to_string().parse::<i64>() {
            Ok(whole) if range.contains(&whole) => Some(whole),
            _ => {
                self.issue(
                    name,
                    "out-of-range",
                    format!("expected a whole number from {} to {}", range.start(), range.end()),
                );
                None
            }
        }
    }

    /// An optional object.
    pub fn object(&mut self, name: &str) -> Option<&'a Map<String, Value>> {
        let value = self.value(name)?;
        let Value::Object(map) = value else {
            self.wrong_type(name, "an object", value);
            return None;
        };
        Some(map)
    }

    /// An optional array.
    pub fn array(&mut self, name: &str) -> Option<&'a Vec<Value>> {
        let value = self.value(name)?;
        let Value::Array(items) = value else {
            self.wrong_type(name, "an array", value);
            return None;
        };
        Some(items)
    }

    /// Complains of every field but these: a misspelt one would say nothing, where it was to say something.
    pub fn only(&mut self, known: &[&str]) {
        self.judge_names(known, true);
    }

    /// Complains of fields that are nearly one of these. Others are let be, where SDKs may send more than we read.
    pub fn spelt(&mut self, known: &[&str]) {
        self.judge_names(known, false);
    }

    fn judge_names(&mut self, known: &[&str], strictly: bool) {
        for name in self.map.keys() {
            if let Some(detail) = strange("field", name, known, strictly) {
                self.issue(name, "unknown-field", detail);
            }
        }
    }

    /// Records a complaint about one field.
    pub fn issue(&mut self, name: &str, code: &str, detail: impl Into<String>) {
        self.issues.push(FieldIssue::new(format!("{}/{}", self.at, escape(name)), code, detail));
    }

    /// Records a complaint about a member of an object field.
    pub fn issue_within(&mut self, name: &str, member: &str, code: &str, detail: impl Into<String>) {
        self.issues.push(FieldIssue::new(format!("{}/{}/{}", self.at, escape(name), escape(member)), code, detail));
    }

    fn wrong_type(&mut self, name: &str, expected: &str, got: &Value) {
        self.issue(name, "wrong-type", format!("expected {expected}, got {}", kind(got)));
    }

    /// All complaints as one refusal, or nothing.
    pub fn finish(self) -> Result<(), ApiError> {
        if self.issues.is_empty() { Ok(()) } else { Err(ApiError::fields(Problem::InvalidField, self.issues)) }
    }

    /// The complaints so far, to be joined with others.
    pub fn into_issues(self) -> Vec<FieldIssue> {
        self.issues
    }
}

/// What to say of a name that is none of those known, of what there is; nothing of one that is far from all, unless `strictly`.
pub fn strange(what: &str, name: &str, known: &[&str], strictly: bool) -> Option<String> {
    if known.contains(&name) {
        return None;
    }
    match grammar::nearest(name, known.iter().copied()) {
        Some(meant) => Some(format!("there is no such {what}; is `{meant}` meant?")),
        None => strictly.then(|| format!("there is no such {what}; there are: {}", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusal(text: &str) -> (String, String) {
        let error = object(text.as_bytes()).expect_err(text);
        let issue = &error.issues()[0];
        (issue.pointer.clone(), issue.code.clone())
    }

    #[test]
    fn each_trap_of_loose_json_is_refused_with_its_place() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(16), "]".repeat(16));
        let wide = format!("{{{}}}", (0..257).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(","));
        for (text, pointer, code) in [
            ("[1]", "", "wrong-type"),
            ("null", "", "wrong-type"),
            ("{\"a\":1,}", "", "not-json"),
            ("{\"a\":1} x", "", "not-json"),
            ("{\"a\":1,\"a\":2}", "/a", "duplicate-key"),
            ("{\"a\":{\"b/c\":1,\"b\\u002fc\":2}}", "/a/b~1c", "duplicate-key"),
            ("{\"a\":[{},{\"x\":1,\"x\":1}]}", "/a/1/x", "duplicate-key"),
            ("{\"a\":\"\\ud800\"}", "/a", "not-text"),
            ("{\"a\":01}", "", "not-json"),
            ("{\"a\":NaN}", "", "not-json"),
            (deep.as_str(), "/a/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0", "too-deep"),
            (wide.as_str(), "", "too-many-keys"),
        ] {
            assert_eq!(refusal(text), (pointer.to_owned(), code.to_owned()), "{text}");
        }
    }

    #[test]
    fn numbers_keep_their_digits_and_an_empty_body_is_an_empty_object() {
        let body =
            object(br#"{"a":18446744073709551616,"b":1e-400,"c":0.10,"d":{"$serde_json::private::Number":"7"}}"#);
        let body = body.expect("good JSON");
        assert_eq!(body["a"].to_string(), "18446744073709551616");
        assert_eq!(body["b"].to_string(), "1e-400");
        assert_eq!(body["c"].to_string(), "0.10");
        assert!(body["d"].is_object(), "an object is never taken for a number");
        assert!(object(b" \n").expect("empty").is_empty());
    }

    #[test]
    fn the_digest_ignores_layout_and_nothing_else() {
        let same = |a: &str, b: &str| digest(&parse(a.as_bytes()).unwrap()) == digest(&parse(b.as_bytes()).unwrap());
        assert!(same(r#"{"a":1,"b":[true,null]}"#, "{ \"b\" : [true, null], \"a\":1 }"));
        assert!(!same(r#"{"a":1}"#, r#"{"a":1.0}"#));
        assert!(!same(r#"{"a":["b"]}"#, r#"{"a":"b"}"#));
        assert!(!same(r#"{"a":[["b"],"c"]}"#, r#"{"a":[["b","c"]]}"#));
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = object(&bytes);
        }

        #[test]
        fn what_we_accept_serde_json_accepts_too(text in r#"[\[\]{}:,"a1\\u \-.e]{0,40}"#) {
            if parse(text.as_bytes()).is_ok() {
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
            }
        }
    }
}
