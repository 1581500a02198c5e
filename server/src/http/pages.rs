//! The pages for people: the hosted challenge page, the phone's page, the API's, and what they load. All of it is in the binary.

use std::sync::LazyLock;

use aws_lc_rs::digest::{Context, SHA256};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use challenge::qr::PAYLOAD_LEN;
use challenge::{ChallengeId, Issuer};
use fast_qr::convert::Builder as _;
use fast_qr::convert::svg::SvgBuilder;
use fast_qr::{ECL, QRBuilder};
use rust_embed::RustEmbed;

use super::body::JsonObject;
use super::language;
use crate::app::App;
use crate::challenges::tokens;
use crate::error::ApiError;
use crate::json::Fields;

#[derive(RustEmbed)]
#[folder = "assets/"]
pub(super) struct Assets;

/// The pages that every installation serves.
pub fn routes() -> Router<App> {
    let authenticator = async |State(app): State<App>, asked: HeaderMap| page(&app, "authenticator.html", &asked);
    Router::new()
        .route("/", get(home))
        .route("/challenge", get(async |State(app): State<App>, asked: HeaderMap| page(&app, "challenge.html", &asked)))
        .route("/authenticator", get(authenticator))
        .route("/docs", get(async |State(app): State<App>, asked: HeaderMap| page(&app, "docs.html", &asked)))
        // What the rolling QR holds; the page itself reads the payload.
        .route("/q/{payload}", get(authenticator))
        .route("/assets/{*path}", get(asset))
        .route("/qr/{file}", get(code))
        .route("/qr/enrolment", post(enrolment_code))
}

/// Where somebody who types the bare address ends.
async fn home(State(app): State<App>) -> Redirect {
    Redirect::temporary(if app.config.demo.is_some() { "/demo" } else { "/authenticator" })
}

/// An HTML page in the language that was asked for, with the headers that keep it to itself: nothing inline, nothing from
/// elsewhere, in nobody's frame.
pub(super) fn page(app: &App, name: &str, asked: &HeaderMap) -> Response {
    let Some(file) = Assets::get(name) else { return StatusCode::NOT_FOUND.into_response() };
    let mut response = spoken(&String::from_utf8_lossy(&file.data), asked).into_response();
    let headers = response.headers_mut();
    let socket = app.config.server.public_url.replacen("http", "ws", 1);
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob: mediastream:; \
         connect-src 'self' {socket}; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-language"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("permissions-policy", HeaderValue::from_static("camera=(self), microphone=(), geolocation=()"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}

/// Fills what a page needs before any script runs: its language, the direction of its text, and the texts in `{{…}}`.
fn spoken(template: &str, asked: &HeaderMap) -> String {
    let Some(language) = language::chosen(asked) else { return template.to_owned() };
    let mut pieces = template.split("{{");
    let mut html = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let Some((key, rest)) = piece.split_once("}}") else { continue };
        match key {
            "language" => html.push_str(&language.code),
            "languages" => {
                let codes: Vec<&str> = language::all().iter().map(|language| language.code.as_str()).collect();
                html.push_str(&codes.join(" "));
            }
            key => {
                let text = language.text(key).replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
                html.push_str(&text);
            }
        }
        html.push_str(rest);
    }
    html
}

/// A name for all assets together: the worker that keeps them for offline use is another one when any of them changes.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut all = Context::new(&SHA256);
    let mut paths: Vec<_> = Assets::iter().collect();
    paths.sort();
    for file in paths.iter().filter_map(|path| Assets::get(path)) {
        all.update(&file.metadata.sha256_hash());
    }
    all.finish().as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
});

/// The script that keeps the phone's page for offline use. It may serve the page's own addresses, above its folder.
fn worker() -> Response {
    let Some(file) = Assets::get("worker.js") else { return StatusCode::NOT_FOUND.into_response() };
    let codes: Vec<&str> = language::all().iter().map(|language| language.code.as_str()).collect();
    let script =
        String::from_utf8_lossy(&file.data).replace("{{version}}", &VERSION).replace("{{languages}}", &codes.join(" "));
    let headers = [
        ("content-type", "text/javascript; charset=utf-8"),
        ("cache-control", "no-cache"),
        ("service-worker-allowed", "/"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; connect-src 'self'"),
    ];
    (headers, script).into_response()
}

/// The operator's own style sheet, as it is now; without one, nothing.
async fn theme(app: &App) -> Response {
    let css = match &app.config.server.theme_file {
        None => Vec::new(),
        Some(path) => tokio::fs::read(path).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "server.theme_file cannot be read; the pages keep to their own colours");
            Vec::new()
        }),
    };
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, css).into_response()
}

/// A script, a style sheet or a manifest, with a strong ETag.
async fn asset(State(app): State<App>, Path(path): Path<String>, asked: HeaderMap) -> Response {
    match path.as_str() {
        "worker.js" => return worker(),
        "theme.css" => return theme(&app).await,
        _ => {}
    }
    let Some(file) = Assets::get(&path) else { return StatusCode::NOT_FOUND.into_response() };
    let kind = match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("webmanifest") => "application/manifest+json",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
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
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// `/qr/{challenge id or payload}.svg`: the code that opens the phone's page on this challenge, plain or as one step of the
/// rolling code. It says nothing that its own name does not.
async fn code(State(app): State<App>, Path(file): Path<String>) -> Response {
    let Some(name) = file.strip_suffix(".svg") else { return StatusCode::NOT_FOUND.into_response() };
    if let Ok(id) = ChallengeId::parse(name) {
        return svg(&challenge::qr::page_url(&app.issuer(), &id));
    }
    let is_payload = name.len() == (PAYLOAD_LEN * 4).div_ceil(3)
        && name.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_'));
    if is_payload { svg(&format!("{}/q/{name}", base(&app.issuer()))) } else { StatusCode::NOT_FOUND.into_response() }
}

/// `POST /qr/enrolment`: the link that enrols a phone under the user of a track token, as a QR code. The token comes in the
/// body, so that it is in no log of addresses.
async fn enrolment_code(State(app): State<App>, JsonObject(body): JsonObject) -> Result<Response, ApiError> {
    let mut fields = Fields::of(&body);
    let token = fields.required_text("token", 4096);
    fields.finish()?;
    tokens::track_claims(&app, &token, app.clock.now())?;
    Ok(svg(&enrolment_link(&app, &token)))
}

/// The link that enrols a phone. The token is in the fragment, which browsers do not send.
pub(super) fn enrolment_link(app: &App, token: &str) -> String {
    format!("{}/authenticator#enrol={token}", base(&app.issuer()))
}

fn base(issuer: &Issuer) -> &str {
    issuer.as_str().trim_end_matches('/')
}

/// A text as a QR code in SVG: black on white in every theme, because cameras are not people.
pub(super) fn svg(text: &str) -> Response {
    let Ok(code) = QRBuilder::new(text).ecl(ECL::M).build() else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let picture = SvgBuilder::default().margin(2).to_str(&code);
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "no-store")], picture).into_response()
}
