//! The pages for people: the hosted challenge page, the phone's page, and what they load. All of it is in the binary.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use challenge::ChallengeId;
use fast_qr::convert::Builder as _;
use fast_qr::convert::svg::SvgBuilder;
use fast_qr::{ECL, QRBuilder};
use rust_embed::RustEmbed;

use crate::app::App;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Assets;

/// The pages that every installation serves.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/", get(home))
        .route("/challenge", get(async |State(app): State<App>| page(&app, "challenge.html")))
        .route("/authenticator", get(async |State(app): State<App>| page(&app, "authenticator.html")))
        .route("/assets/{*path}", get(asset))
        .route("/qr/{file}", get(code))
}

/// Where somebody who types the bare address ends.
async fn home(State(app): State<App>) -> Redirect {
    Redirect::temporary(if app.config.demo.is_some() { "/demo" } else { "/authenticator" })
}

/// An HTML page with the headers that keep it to itself: nothing inline, nothing from elsewhere, in nobody's frame.
pub(super) fn page(app: &App, name: &str) -> Response {
    let Some(file) = Assets::get(name) else { return StatusCode::NOT_FOUND.into_response() };
    let mut response = file.data.into_owned().into_response();
    let headers = response.headers_mut();
    let socket = app.config.server.public_url.replacen("http", "ws", 1);
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob: mediastream:; \
         connect-src 'self' {socket}; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("permissions-policy", HeaderValue::from_static("camera=(self), microphone=(), geolocation=()"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}

/// A script, a style sheet or a manifest, with a strong ETag.
async fn asset(Path(path): Path<String>, asked: HeaderMap) -> Response {
    let Some(file) = Assets::get(&path) else { return StatusCode::NOT_FOUND.into_response() };
    let kind = match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        // Pages are served by name, with their headers; everything else is text for people.
        Some("html") => return StatusCode::NOT_FOUND.into_response(),
        _ => "text/plain; charset=utf-8",
    };
    let hash: String = file.metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hash}\"");
    let known = asked.get(header::IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == tag.as_bytes());
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { file.data.into_owned().into_response() };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// `/qr/{challenge id}.svg`: the code that opens the phone's page on this challenge. It says nothing that the id does not.
async fn code(State(app): State<App>, Path(file): Path<String>) -> Response {
    let id = file.strip_suffix(".svg").and_then(|id| ChallengeId::parse(id).ok());
    match id {
        Some(id) => svg(&challenge::qr::page_url(&app.issuer(), &id)),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A text as a QR code in SVG: black on white in every theme, because cameras are not people.
pub(super) fn svg(text: &str) -> Response {
    let Ok(code) = QRBuilder::new(text).ecl(ECL::M).build() else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let picture = SvgBuilder::default().margin(2).to_str(&code);
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "no-store")], picture).into_response()
}
