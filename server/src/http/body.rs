//! Reading a request's body: bounded in size and time, plain JSON only.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::json;

/// A body that is one strict JSON object; an empty body is an empty object.
pub struct JsonObject(pub Map<String, Value>);

impl FromRequest<App> for JsonObject {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<JsonObject, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body, json::MAX_BODY, app).await?;
        json::object(&bytes).map(JsonObject)
    }
}

/// Reads a JSON body of at most `limit` bytes.
pub async fn read(headers: &HeaderMap, body: axum::body::Body, limit: usize, app: &App) -> Result<Bytes, ApiError> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let body = Limited::new(body, limit).collect();
    let bytes = match tokio::time::timeout(app.config.server.body_timeout(), body).await {
        // Python's SDK can announce more than it sends (wire §2.4, 5): say so and hang up.
        Err(_) => {
            let detail = "the body did not arrive in time; is Content-Length larger than what is sent?";
            return Err(ApiError::new(Problem::RequestTimeout, detail).closing());
        }
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large(limit)),
        Ok(Err(_)) => {
            return Err(ApiError::new(Problem::MalformedRequest, "the body ended before it was complete").closing());
        }
        Ok(Ok(body)) => body.to_bytes(),
    };
    if !bytes.is_empty() {
        check_type(headers)?;
    }
    Ok(bytes)
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(Problem::PayloadTooLarge, format!("a body may have at most {} KiB", limit / 1024)).closing()
}

/// Refuses anything but uncompressed `application/json` (or a `+json` type); no type at all is taken for JSON.
fn check_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let refuse = |detail: &str| Err(ApiError::new(Problem::UnsupportedMediaType, detail));
    if headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return refuse("a compressed body is not accepted; send it without Content-Encoding");
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let media = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media == "application/json" || media.starts_with("application/") && media.ends_with("+json") {
        return Ok(());
    }
    refuse("send the body as JSON with `Content-Type: application/json`")
}
