//! Ids in paths and values in queries, parsed at the door.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use challenge::{ActionCode, IdempotencyKey, UserId};
use jiff::Timestamp;

use crate::error::{ApiError, FieldIssue, Problem};
use crate::json::strange;

/// The ids of a path by their names, percent-decoded. `|` and spaces are welcome raw or encoded.
pub struct Ids(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Ids {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Ids, ApiError> {
        let raw = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::field("/path", "not-utf8", "the path is not percent-encoded UTF-8"))?;
        Ok(Ids(raw.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }
}

/// The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header), said once or more often in the same words.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    const HEADER: &str = "idempotency-key";
    let wrong = |code: &str, detail: &str| ApiError::field("/header/Idempotency-Key", code, detail);
    let Some(first) = headers.get(HEADER) else { return Ok(None) };
    if headers.get_all(HEADER).iter().any(|other| other != first) {
        return Err(wrong("ambiguous", "the header names two keys"));
    }
    let key = first.to_str().ok().filter(|key| (1..=255).contains(&key.len()));
    key.map(Some).ok_or_else(|| wrong("invalid", "expected 1 to 255 visible ASCII characters"))
}

impl Ids {
    /// The id with this name; empty if the route has none, which no parser accepts.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// `{user}`
    pub fn user(&self) -> Result<UserId, ApiError> {
        let expected = "expected a user id of 1 to 255 bytes without control characters";
        UserId::parse(self.text("user")).map_err(|_| ApiError::field("/path/userId", "invalid", expected))
    }

    /// `{action}`
    pub fn action(&self) -> Result<ActionCode, ApiError> {
        let expected = "expected an action code of 1 to 100 of the characters A-Z a-z 0-9 . _ : -";
        ActionCode::parse(self.text("action")).map_err(|_| ApiError::field("/path/action", "invalid", expected))
    }

    /// `{key}`
    pub fn idempotency_key(&self) -> Result<IdempotencyKey, ApiError> {
        let expected = "expected 1 to 255 bytes without control characters";
        IdempotencyKey::parse(self.text("key"))
            .map_err(|_| ApiError::field("/path/idempotencyKey", "invalid", expected))
    }
}

/// The most that is on one page.
pub const MOST_ON_A_PAGE: u32 = 500;

/// The values of a query; complaints are collected. Unknown names are ignored, as SDKs add their own, but for those that are nearly
/// the name of a value that was asked for.
pub struct Query {
    values: BTreeMap<String, String>,
    asked: BTreeSet<String>,
    issues: Vec<FieldIssue>,
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Query, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let mut read = Query { values: BTreeMap::new(), asked: BTreeSet::new(), issues: Vec::new() };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if read.values.insert(name.to_string(), value.into_owned()).is_some() {
                read.issue(&name, "duplicate", "this parameter is given twice");
            }
        }
        Ok(read)
    }
}

impl Query {
    /// An optional text; empty counts as absent.
    pub fn text(&mut self, name: &str, max: usize) -> Option<String> {
        self.asked.insert(name.to_owned());
        let value = self.values.get(name).filter(|value| !value.is_empty())?.clone();
        if value.chars().count() > max {
            self.issue(name, "too-long", &format!("at most {max} characters are accepted"));
            return None;
        }
        Some(value)
    }

    /// An optional value in its text form.
    pub fn parsed<T>(&mut self, name: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name, 255)?;
        let value = parse(&text);
        if value.is_none() {
            self.issue(name, "invalid", &format!("expected {expected}"));
        }
        value
    }

    /// An optional RFC 3339 time.
    pub fn time(&mut self, name: &str) -> Option<Timestamp> {
        self.parsed(name, "an RFC 3339 time such as 2026-03-01T10:00:00Z", |text| text.parse().ok())
    }

    /// An optional page size from 1 to [`MOST_ON_A_PAGE`].
    pub fn limit(&mut self, default: u32) -> u32 {
        self.parsed("limit", &format!("a whole number from 1 to {MOST_ON_A_PAGE}"), |text| {
            text.parse().ok().filter(|limit| (1..=MOST_ON_A_PAGE).contains(limit))
        })
        .unwrap_or(default)
    }

    /// Whether a switch such as `explain=true` is on.
    pub fn switch(&mut self, name: &str) -> bool {
        self.parsed(name, "`true` or `false`", |text| match text {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        })
        .unwrap_or(false)
    }

    fn issue(&mut self, name: &str, code: &str, detail: &str) {
        self.issues.push(FieldIssue::new(format!("/query/{name}"), code, detail));
    }

    /// All complaints as one refusal, or nothing. Whatever was not asked for is a complaint too: for what no SDK calls.
    pub fn finish_strictly(mut self) -> Result<(), ApiError> {
        self.judge_names(true);
        self.refused()
    }

    /// All complaints as one refusal, or nothing.
    pub fn finish(mut self) -> Result<(), ApiError> {
        self.judge_names(false);
        self.refused()
    }

    fn judge_names(&mut self, strictly: bool) {
        let known: Vec<&str> = self.asked.iter().map(String::as_str).collect();
        let complaint = |name: &String| Some((name.clone(), strange("parameter", name, &known, strictly)?));
        let complaints: Vec<(String, String)> = self.values.keys().filter_map(complaint).collect();
        for (name, detail) in complaints {
            self.issue(&name, "unknown-parameter", &detail);
        }
    }

    fn refused(self) -> Result<(), ApiError> {
        if self.issues.is_empty() { Ok(()) } else { Err(ApiError::fields(Problem::InvalidField, self.issues)) }
    }
}
