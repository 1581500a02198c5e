//! Every way we say no to an API client, in one closed list.
//!
//! One body satisfies the wire (`error`, `errorCode`, `errorDescription`) and RFC 9457 (`type`, `title`, `status`,
//! `detail`, `instance`, and our extension `errors[]` with one JSON pointer per field). Causes inside the server
//! never reach the body: they go to the log under the request's id.

use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// The closed registry of problems. Adding one means adding a row to [`Problem::entry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is described by its row in `entry`")]
pub enum Problem {
    MalformedRequest,
    MalformedJson,
    InvalidField,
    InvalidEvent,
    UnknownAction,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    IdempotencyConflict,
    Conflict,
    PayloadTooLarge,
    UriTooLong,
    HeadersTooLarge,
    UnsupportedMediaType,
    TooManyRequests,
    InvalidConfiguration,
    InvalidToken,
    ExpiredToken,
    InvalidCredential,
    UnknownCredential,
    CredentialNotFound,
    InvalidSignature,
    ChallengeNotFound,
    ChallengeExpired,
    ChallengeClosed,
    ChallengeNotClaimed,
    ChallengeAlreadyClaimed,
    ChallengeAlreadyAnswered,
    ChallengeSuperseded,
    NotClaimer,
    WrongUser,
    WrongCode,
    SignatureReused,
    ProtocolTooOld,
    ProtocolMismatch,
    QrStale,
    InvalidProximity,
    TerminalRefused,
    InvalidChallengeId,
    InvalidPublicKey,
    KeyTaken,
    AttestationRefused,
    UserVerificationUnproven,
    CredentialRevoked,
    CredentialCoolingOff,
    InvalidRecoveryCode,
    RecoveryNotEnough,
    RecoveryRequired,
    ActionBlocked,
    OriginRefused,
    InvalidPolicy,
    Internal,
    Unavailable,
}

/// What a problem always looks like from outside.
pub struct Entry {
    /// Last part of the stable `type` URI.
    pub slug: &'static str,
    /// HTTP status.
    pub status: StatusCode,
    /// The wire's `error` and `errorCode`.
    pub code: &'static str,
    /// RFC 9457 `title`: the same for every occurrence.
    pub title: &'static str,
}

impl Problem {
    /// All problems, for the documentation and the test that pins them.
    pub const ALL: [Problem; 55] = [
        Problem::MalformedRequest,
        Problem::MalformedJson,
        Problem::InvalidField,
        Problem::InvalidEvent,
        Problem::UnknownAction,
        Problem::Unauthorized,
        Problem::Forbidden,
        Problem::NotFound,
        Problem::MethodNotAllowed,
        Problem::RequestTimeout,
        Problem::IdempotencyConflict,
        Problem::Conflict,
        Problem::PayloadTooLarge,
        Problem::UriTooLong,
        Problem::HeadersTooLarge,
        Problem::UnsupportedMediaType,
        Problem::TooManyRequests,
        Problem::InvalidConfiguration,
        Problem::InvalidToken,
        Problem::ExpiredToken,
        Problem::InvalidCredential,
        Problem::UnknownCredential,
        Problem::CredentialNotFound,
        Problem::InvalidSignature,
        Problem::ChallengeNotFound,
        Problem::ChallengeExpired,
        Problem::ChallengeClosed,
        Problem::ChallengeNotClaimed,
        Problem::ChallengeAlreadyClaimed,
        Problem::ChallengeAlreadyAnswered,
        Problem::ChallengeSuperseded,
        Problem::NotClaimer,
        Problem::WrongUser,
        Problem::WrongCode,
        Problem::SignatureReused,
        Problem::ProtocolTooOld,
        Problem::ProtocolMismatch,
        Problem::QrStale,
        Problem::InvalidProximity,
        Problem::TerminalRefused,
        Problem::InvalidChallengeId,
        Problem::InvalidPublicKey,
        Problem::KeyTaken,
        Problem::AttestationRefused,
        Problem::UserVerificationUnproven,
        Problem::CredentialRevoked,
        Problem::CredentialCoolingOff,
        Problem::InvalidRecoveryCode,
        Problem::RecoveryNotEnough,
        Problem::RecoveryRequired,
        Problem::ActionBlocked,
        Problem::OriginRefused,
        Problem::InvalidPolicy,
        Problem::Internal,
        Problem::Unavailable,
    ];

    /// The row of this problem in the registry. The slug, status and code are stable: clients rely on them.
    pub fn entry(self) -> Entry {
        let (slug, status, code, title) = match self {
            Problem::MalformedRequest => ("malformed-request", 400, "invalid_request", "The request cannot be read"),
            Problem::MalformedJson => ("malformed-json", 400, "invalid_request", "The body is not the JSON we accept"),
            Problem::InvalidField => ("invalid-field", 400, "invalid_request", "A field has a wrong value"),
            Problem::InvalidEvent => {
                ("invalid-event", 422, "invalid_request", "The event does not fit its declaration")
            }
            Problem::UnknownAction => ("unknown-action", 422, "invalid_request", "No policy knows this action"),
            Problem::Unauthorized => ("unauthorized", 401, "unauthorized", "The request is unauthorized"),
            Problem::Forbidden => ("forbidden", 403, "forbidden", "This key or token may not do this"),
            Problem::NotFound => ("not-found", 404, "not_found", "There is nothing here"),
            Problem::MethodNotAllowed => ("method-not-allowed", 405, "method_not_allowed", "Not with this method"),
            Problem::RequestTimeout => {
                ("request-timeout", 408, "request_timeout", "The request took too long to arrive")
            }
            Problem::IdempotencyConflict => {
                ("idempotency-conflict", 409, "idempotency-conflict", "The idempotency key belongs to another request")
            }
            Problem::Conflict => ("conflict", 409, "conflict", "The state has moved on"),
            Problem::PayloadTooLarge => ("payload-too-large", 413, "payload_too_large", "The body is too large"),
            Problem::UriTooLong => ("uri-too-long", 414, "invalid_request", "The address is too long"),
            Problem::UnsupportedMediaType => {
                ("unsupported-media-type", 415, "unsupported_media_type", "The body must be plain application/json")
            }
            Problem::TooManyRequests => ("too-many-requests", 429, "too_many_requests", "Too many requests"),
            Problem::HeadersTooLarge => ("headers-too-large", 431, "invalid_request", "The headers are too large"),
            Problem::InvalidConfiguration => {
                ("invalid-configuration", 400, "invalid_configuration", "This is not offered or not configured here")
            }
            Problem::InvalidToken => ("invalid-token", 401, "invalid_token", "The token is not valid"),
            Problem::ExpiredToken => ("expired-token", 401, "expired_token", "The token has expired"),
            Problem::InvalidCredential => {
                ("invalid-credential", 400, "invalid_credential", "The credential is not valid")
            }
            Problem::UnknownCredential => {
                ("unknown-credential", 404, "unknown_credential", "This key is not enrolled here")
            }
            Problem::CredentialNotFound => {
                ("credential-not-found", 404, "credential_not_found", "There is no such credential")
            }
            Problem::InvalidSignature => ("invalid-signature", 400, "invalid_signature", "The signature does not fit"),
            Problem::ChallengeNotFound => {
                ("challenge-not-found", 404, "challenge_not_found", "There is no such challenge")
            }
            Problem::ChallengeExpired => ("challenge-expired", 400, "challenge_expired", "The challenge has expired"),
            Problem::ChallengeClosed => {
                ("challenge-closed", 409, "challenge_closed", "The challenge is no longer open")
            }
            Problem::ChallengeNotClaimed => {
                ("challenge-not-claimed", 409, "challenge_not_claimed", "The challenge must be claimed first")
            }
            Problem::ChallengeAlreadyClaimed => {
                ("challenge-already-claimed", 409, "challenge_already_claimed", "Another phone has this challenge")
            }
            Problem::ChallengeAlreadyAnswered => {
                ("challenge-already-answered", 409, "challenge_already_answered", "The challenge has its answer")
            }
            Problem::ChallengeSuperseded => {
                ("challenge-superseded", 409, "challenge_superseded", "The challenge was replaced or cancelled")
            }
            Problem::NotClaimer => ("not-claimer", 403, "not_claimer", "Another phone has this challenge"),
            Problem::WrongUser => ("wrong-user", 403, "wrong_user", "The challenge is for another user"),
            Problem::WrongCode => ("wrong-code", 400, "wrong_code", "The code is not the one on the screen"),
            Problem::SignatureReused => ("signature-reused", 401, "signature_reused", "The signature was used before"),
            Problem::ProtocolTooOld => ("protocol-too-old", 400, "protocol_too_old", "Version 2 signatures are needed"),
            Problem::ProtocolMismatch => {
                ("protocol-mismatch", 409, "protocol_mismatch", "The claim was signed in the other version")
            }
            Problem::QrStale => ("qr-stale", 400, "qr_stale", "The QR code is too old"),
            Problem::InvalidProximity => {
                ("invalid-proximity", 400, "invalid_proximity", "The terminal's answer does not fit this claim")
            }
            Problem::TerminalRefused => {
                ("terminal-refused", 403, "terminal_refused", "The terminal is not registered, or did not sign this")
            }
            Problem::InvalidChallengeId => {
                ("invalid-challenge-id", 400, "invalid_challenge_id", "This is not a challenge id")
            }
            Problem::InvalidPublicKey => ("invalid-public-key", 400, "invalid_public_key", "The key cannot be used"),
            Problem::KeyTaken => ("key-taken", 409, "key_taken", "The key belongs to another user"),
            Problem::AttestationRefused => {
                ("attestation-refused", 403, "attestation_refused", "The phone's maker does not vouch for the key")
            }
            Problem::UserVerificationUnproven => {
                ("user-verification-unproven", 403, "user_verification_unproven", "The key may sign without its user")
            }
            Problem::CredentialRevoked => ("credential-revoked", 403, "credential_revoked", "This phone was removed"),
            Problem::CredentialCoolingOff => {
                ("credential-cooling-off", 403, "credential_cooling_off", "This phone was added too recently")
            }
            Problem::InvalidRecoveryCode => {
                ("invalid-recovery-code", 400, "invalid_recovery_code", "The recovery code is not valid")
            }
            Problem::RecoveryNotEnough => {
                ("recovery-not-enough", 403, "recovery_not_enough", "A recovery code does not confirm this")
            }
            Problem::RecoveryRequired => {
                ("recovery-required", 403, "recovery_required", "The user must be recovered first")
            }
            Problem::ActionBlocked => ("action-blocked", 403, "action_blocked", "A policy refuses this action"),
            Problem::OriginRefused => ("origin-refused", 403, "origin_refused", "This web page may not connect"),
            Problem::InvalidPolicy => ("invalid-policy", 422, "invalid_policy", "The policy pack does not compile"),
            Problem::Internal => ("internal-error", 500, "internal_error", "We failed"),
            Problem::Unavailable => ("unavailable", 503, "service_unavailable", "We cannot answer right now"),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Entry { slug, status, code, title }
    }

    /// The part of the request that this problem is always about: what `errors[0].pointer` says when nothing more exact
    /// is known. The whole body has the empty pointer.
    fn place(self) -> Option<&'static str> {
        match self {
            Problem::PayloadTooLarge => Some(""),
            Problem::UnsupportedMediaType => Some("/header/Content-Type"),
            Problem::Unauthorized | Problem::InvalidToken | Problem::ExpiredToken => Some("/header/Authorization"),
            Problem::IdempotencyConflict => Some("/idempotencyKey"),
            Problem::InvalidRecoveryCode => Some("/verificationCode"),
            Problem::AttestationRefused => Some("/performAttestation"),
            Problem::InvalidSignature | Problem::SignatureReused => Some("/signature"),
            Problem::InvalidProximity => Some("/near"),
            Problem::TerminalRefused => Some("/terminal"),
            Problem::InvalidPublicKey | Problem::KeyTaken => Some("/publicKey"),
            Problem::InvalidChallengeId
            | Problem::ChallengeNotFound
            | Problem::ChallengeExpired
            | Problem::ChallengeNotClaimed
            | Problem::ChallengeAlreadyClaimed
            | Problem::ChallengeAlreadyAnswered
            | Problem::ChallengeSuperseded => Some("/challengeId"),
            _ => None,
        }
    }

    /// The stable identifier of the problem type (RFC 9457 `type`).
    pub fn type_uri(self) -> String {
        format!("urn:stepup:problem:{}", self.entry().slug)
    }
}

/// One field that is wrong: where (RFC 6901), which rule it breaks, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldIssue {
    /// JSON pointer into the body, or into `/path`, `/query` or `/header` pseudo-trees for the rest of the request.
    pub pointer: String,
    /// Stable slug: `missing-field`, `wrong-type`, `too-long`, ….
    pub code: String,
    /// One sentence for a developer.
    pub detail: String,
}

impl FieldIssue {
    /// An issue at `pointer`.
    pub fn new(pointer: impl Into<String>, code: impl Into<String>, detail: impl Into<String>) -> FieldIssue {
        FieldIssue { pointer: pointer.into(), code: code.into(), detail: detail.into() }
    }

    /// Where and what. The whole body has the empty pointer, and nothing to name.
    fn sentence(&self) -> String {
        if self.pointer.is_empty() { self.detail.clone() } else { format!("{}: {}", self.pointer, self.detail) }
    }
}

/// A refusal on its way to a client.
#[derive(Clone, Debug)]
pub struct ApiError {
    problem: Problem,
    detail: String,
    errors: Vec<FieldIssue>,
    more: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Arc<str>>,
}

impl ApiError {
    /// A refusal with the sentence the client will read as `errorDescription`.
    pub fn new(problem: Problem, detail: impl Into<String>) -> ApiError {
        ApiError {
            problem,
            detail: detail.into(),
            errors: Vec::new(),
            more: Map::new(),
            headers: Vec::new(),
            cause: None,
        }
    }

    /// A body or parameter that is wrong in named places; the first one is the description.
    pub fn fields(problem: Problem, errors: Vec<FieldIssue>) -> ApiError {
        let detail = match errors.as_slice() {
            [] => problem.entry().title.to_owned(),
            [only] => only.sentence(),
            [first, rest @ ..] => format!("{} (and {} more, see `errors`)", first.sentence(), rest.len()),
        };
        ApiError { errors, ..ApiError::new(problem, detail) }
    }

    /// A single wrong field.
    pub fn field(pointer: impl Into<String>, code: &str, detail: impl Into<String>) -> ApiError {
        ApiError::fields(Problem::InvalidField, vec![FieldIssue::new(pointer, code, detail)])
    }

    /// The same where what it is about stands in this field of the body.
    pub fn about(self, pointer: &str) -> ApiError {
        match self.problem.place() {
            Some(_) if self.errors.is_empty() => {
                let issue = FieldIssue::new(pointer, self.problem.entry().slug, self.detail.clone());
                ApiError { errors: vec![issue], ..self }
            }
            _ => self,
        }
    }

    /// The same of a request that says elsewhere what it is about: `place` knows where, if it does.
    pub fn placed(self, place: impl Fn(&str) -> Option<String>) -> ApiError {
        if self.errors.is_empty() {
            return self;
        }
        let moved = |issue: FieldIssue| match place(&issue.pointer) {
            Some(pointer) => FieldIssue { pointer, ..issue },
            None => issue,
        };
        ApiError::fields(self.problem, self.errors.into_iter().map(moved).collect())
    }

    /// The wire's 401, with the text that the published SDKs' suites pin.
    pub fn unauthorized() -> ApiError {
        ApiError::new(
            Problem::Unauthorized,
            "The request is unauthorized. Check that your API key and region base URL are correctly configured.",
        )
        .header(header::WWW_AUTHENTICATE, "Basic realm=\"stepup\"")
    }

    /// 404 for a thing of ours: `not_found("decision")`.
    pub fn not_found(what: &str) -> ApiError {
        ApiError::new(Problem::NotFound, format!("there is no such {what}"))
    }

    /// Our failure. The cause is logged under the request id and never sent.
    pub fn internal(cause: impl fmt::Display) -> ApiError {
        let mut error =
            ApiError::new(Problem::Internal, "something went wrong on our side; the request id leads to the details");
        error.cause = Some(Arc::from(cause.to_string()));
        error
    }

    /// We cannot do this now but may soon; `retry_after_s` seconds is our advice.
    pub fn unavailable(cause: impl fmt::Display, retry_after_s: u64) -> ApiError {
        let mut error = ApiError::new(Problem::Unavailable, "the service cannot record anything right now; try again");
        error.cause = Some(Arc::from(cause.to_string()));
        error.header(header::RETRY_AFTER, retry_after_s.to_string())
    }

    /// A method that stock SDKs know and Stepup does not offer.
    pub fn not_offered(what: &str) -> ApiError {
        ApiError::new(
            Problem::InvalidConfiguration,
            format!(
                "{what} is not offered by this server; offered: QR_CODE and IN_APP, reported to stock SDKs as DEVICE (a phone that holds a key), PUSH, and RECOVERY_CODE"
            ),
        )
    }

    /// Adds a member to the body that this refusal alone has: `reasons`, `attemptsLeft`.
    pub fn with(mut self, name: &str, value: Value) -> ApiError {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// Adds a response header; a value that is no header value is left out.
    pub fn header(mut self, name: HeaderName, value: impl AsRef<str>) -> ApiError {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.push((name, value));
        }
        self
    }

    /// Tells hyper to close the connection after this answer.
    pub fn closing(self) -> ApiError {
        self.header(header::CONNECTION, "close")
    }

    /// Which problem this is.
    pub fn problem(&self) -> Problem {
        self.problem
    }

    /// The sentence for the client.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The wrong fields, if any.
    pub fn issues(&self) -> &[FieldIssue] {
        &self.errors
    }

    /// The cause inside the server, for the log only.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The body: the wire's trio and RFC 9457 in one object.
    pub fn body(&self, instance: Option<&str>) -> Value {
        let entry = self.problem.entry();
        let mut body = json!({
            "error": entry.code,
            "errorCode": entry.code,
            "errorDescription": self.detail,
            "type": self.problem.type_uri(),
            "title": entry.title,
            "status": entry.status.as_u16(),
            "detail": self.detail,
        });
        if let Some(instance) = instance {
            body["instance"] = Value::from(instance);
        }
        for (name, value) in &self.more {
            body[name] = value.clone();
        }
        let issue =
            |pointer: &str, code: &str, detail: &str| json!({"pointer": pointer, "code": code, "detail": detail});
        body["errors"] = match (self.errors.as_slice(), self.problem.place()) {
            ([], Some(place)) => json!([issue(place, entry.slug, &self.detail)]),
            (errors, _) => errors.iter().map(|wrong| issue(&wrong.pointer, &wrong.code, &wrong.detail)).collect(),
        };
        body
    }

    /// The whole answer; `instance` is the id under which the log knows this request.
    pub fn response(&self, instance: Option<&str>) -> Response {
        let mut response = Response::new(Body::from(self.body(instance).to_string()));
        *response.status_mut() = self.problem.entry().status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &self.headers {
            response.headers_mut().append(name, value.clone());
        }
        response
    }
}

impl IntoResponse for ApiError {
    /// The answer without an instance; the outermost layer finds the error in the extensions and adds it.
    fn into_response(self) -> Response {
        let mut response = self.response(None);
        response.extensions_mut().insert(self);
        response
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.problem.entry().slug, self.detail)
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_its_own_type_and_a_status_that_is_a_refusal() {
        let mut slugs: Vec<&str> = Problem::ALL.iter().map(|problem| problem.entry().slug).collect();
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), Problem::ALL.len());
        for problem in Problem::ALL {
            assert!(problem.entry().status.as_u16() >= 400, "{problem:?}");
        }
    }

    #[test]
    fn a_refusal_points_at_what_it_is_about_even_when_no_field_was_named() {
        let pointer = |error: ApiError| error.body(None)["errors"][0]["pointer"].as_str().map(str::to_owned);
        assert_eq!(pointer(ApiError::new(Problem::InvalidSignature, "no")).as_deref(), Some("/signature"));
        assert_eq!(pointer(ApiError::new(Problem::InvalidPublicKey, "no")).as_deref(), Some("/publicKey"));
        let elsewhere = ApiError::new(Problem::InvalidPublicKey, "no").about("/query/publicKey");
        assert_eq!(pointer(elsewhere).as_deref(), Some("/query/publicKey"));
        assert_eq!(pointer(ApiError::new(Problem::PayloadTooLarge, "no")).as_deref(), Some(""));
        assert_eq!(pointer(ApiError::field("/userId", "invalid", "no")).as_deref(), Some("/userId"));
        assert_eq!(pointer(ApiError::internal("no")), None);
    }

    #[test]
    fn a_cause_never_reaches_the_body() {
        let error = ApiError::internal("no such table: decisions");
        assert!(!error.body(Some("urn:uuid:1")).to_string().contains("decisions"));
        assert_eq!(error.cause(), Some("no such table: decisions"));
    }
}
