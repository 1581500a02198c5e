//! CORS: lets the pages of known origins read our answers.
//!
//! The SDK may run with credentials, so the origin is named and never `*`. A page we do not know gets its answer without
//! the headers, and its browser keeps it from reading it.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;

use super::origins::Origin;
use crate::app::App;

/// What the SDKs send besides the headers that need no permission.
const HEADERS: &str = "authorization, content-type, x-authsignal-sdk, x-authsignal-version, x-authsignal-tenant-id, \
                       x-authsignal-native-sdk, x-authsignal-native-version, x-authsignal-signature";
const METHODS: &str = "GET, POST, PATCH, OPTIONS";
/// How long a browser may remember the permission, in seconds.
const MAX_AGE_S: &str = "600";

/// Answers preflights with 200 and adds the headers to everything else.
pub async fn allow(State(app): State<App>, request: Request, next: Next) -> Response {
    let origin = Origin::of(request.headers());
    let mut response = if request.method() == Method::OPTIONS {
        let mut response = Response::new("{}".into());
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Origin::Page(page) = &origin
        && origin.is_known(&app)
    {
        permit(headers, page);
    }
    response
}

fn permit(headers: &mut HeaderMap, page: &str) {
    let Ok(page) = HeaderValue::from_str(page) else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, page);
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after, ratelimit"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE_S));
}
