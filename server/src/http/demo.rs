//! The demo's own backend: what a customer's application would do with its secret, done here so that a browser can play it.
//!
//! These paths act for the demo tenant without a secret, so they exist only when the binary runs as `stepup demo`.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use challenge::{ActionCode, TenantId, UserId};
use serde_json::{Map, Value, json};

use super::body::JsonObject;
use super::pages;
use super::params::Query;
use crate::app::App;
use crate::challenges::validate::{self, Expectation};
use crate::decode::Target;
use crate::error::{ApiError, Problem};
use crate::json::Fields;
use crate::pipeline::{self, Headers};

/// Where a request can pretend to come from, so that each kind of place can be tried.
const PLACES: [(&str, &str); 7] = [
    ("81.2.69.142", "United Kingdom"),
    ("1.128.0.1", "Australia"),
    ("8.8.8.8", "United States, a data centre"),
    ("185.220.101.1", "a Tor exit"),
    ("175.45.176.1", "North Korea"),
    ("203.0.113.66", "an address on the block list"),
    ("10.0.0.7", "a private network, no place"),
];

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/demo", get(async |State(app): State<App>, asked: HeaderMap| pages::page(&app, "demo.html", &asked)))
        .route("/demo/config", get(config))
        .route("/demo/track", post(track))
        .route("/demo/validate", post(validated))
        .route("/demo/enrol", post(enrol))
        .route("/demo/enrol.svg", get(enrolment_code))
        .route("/demo/phones", get(phones))
        .route_layer(from_fn(own_pages_only))
}

/// These paths need no secret, so another site's page in the same browser must not reach them: browsers say where a request
/// begins (Fetch Metadata), and programs, which say nothing, are the person's own.
async fn own_pages_only(request: Request, next: Next) -> Response {
    let site = request.headers().get("sec-fetch-site").map(|site| site.as_bytes());
    match site {
        None | Some(b"same-origin" | b"none") => next.run(request).await,
        Some(_) if request.method() == Method::GET && request.uri().path() == "/demo" => next.run(request).await,
        Some(_) => ApiError::new(Problem::Forbidden, "the demo answers only its own pages").into_response(),
    }
}

fn tenant(app: &App) -> Result<TenantId, ApiError> {
    let id = app.config.demo.clone().ok_or_else(|| ApiError::not_found("page"))?;
    TenantId::parse(id).map_err(ApiError::internal)
}

fn user(text: &str) -> Result<UserId, ApiError> {
    let expected = "expected a user id of 1 to 255 bytes without control characters";
    UserId::parse(text).map_err(|_| ApiError::field("/userId", "invalid", expected))
}

/// What the page needs to know before it can show anything.
async fn config(State(app): State<App>) -> Result<Json<Value>, ApiError> {
    let tenant = tenant(&app)?;
    let atlas = app.atlas.load();
    let built = atlas.sources().iter().filter_map(|source| source.build_date).min();
    let places: Vec<Value> = PLACES.iter().map(|(ip, label)| json!({"ip": ip, "label": label})).collect();
    Ok(Json(json!({
        "tenantId": tenant.as_str(),
        "pack": app.config.policies.pack.display().to_string(),
        "geoDate": built.map_or_else(|| "unknown date".to_owned(), |date| date.strftime("%Y-%m-%d").to_string()),
        "places": places,
    })))
}

/// `track`, as the application's backend would call it; the trace comes along for the curious.
async fn track(State(app): State<App>, JsonObject(mut body): JsonObject) -> Result<Json<Value>, ApiError> {
    let tenant = tenant(&app)?;
    let mut fields = Fields::of(&body);
    let (user_id, action) = (fields.required_text("userId", 255), fields.required_text("action", 100));
    fields.finish()?;
    let action =
        ActionCode::parse(&action).map_err(|_| ApiError::field("/action", "invalid", "expected an action code"))?;
    let target = Target { tenant, user: user(&user_id)?, action };
    body.remove("userId");
    body.remove("action");
    let tracked = pipeline::track(&app, target, Headers::default(), &body, true).await?;
    Ok(Json(Value::Object(tracked.answer)))
}

/// `validate`, as the application's backend would call it.
async fn validated(State(app): State<App>, JsonObject(body): JsonObject) -> Result<Json<Value>, ApiError> {
    let tenant = tenant(&app)?;
    let expectation = Expectation::read(&body)?;
    validate::validate(&app, &tenant, "demo", &expectation, app.clock.now()).await.map(Json)
}

/// A link with which a phone enrols for a user: a track token that may add an authenticator.
async fn enrol(State(app): State<App>, JsonObject(body): JsonObject) -> Result<Json<Value>, ApiError> {
    let tenant = tenant(&app)?;
    let mut fields = Fields::of(&body);
    let user_id = fields.required_text("userId", 255);
    fields.finish()?;
    let action = ActionCode::parse("device_enrol").map_err(ApiError::internal)?;
    let target = Target { tenant, user: user(&user_id)?, action };
    let request: Map<String, Value> = [
        ("scope".to_owned(), json!("add:authenticators")),
        ("deviceId".to_owned(), json!(format!("desk-{}", app.random.uuid_v4()))),
        ("ipAddress".to_owned(), json!(PLACES.first().map_or("", |(ip, _)| ip))),
    ]
    .into_iter()
    .collect();
    let answer = pipeline::track(&app, target, Headers::default(), &request, false).await?.answer;
    let token = answer.get("token").and_then(Value::as_str);
    let token =
        token.ok_or_else(|| ApiError::new(Problem::Conflict, "the pack blocks enrolling a device for this user"))?;
    let mut link = json!({ "token": token, "url": pages::enrolment_link(&app, token) });
    // A user with a phone says yes to the next one with that.
    if answer.get("isEnrolled") == Some(&json!(true)) && answer.get("state") == Some(&json!("CHALLENGE_REQUIRED")) {
        link["confirmUrl"] = answer.get("url").cloned().unwrap_or_default();
    }
    Ok(Json(link))
}

/// The enrolment link as a QR code.
async fn enrolment_code(State(app): State<App>, mut query: Query) -> Result<Response, ApiError> {
    tenant(&app)?;
    let token = query.text("token", 16 * 1024).unwrap_or_default();
    query.finish()?;
    let is_token = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-');
    if token.is_empty() || !token.chars().all(is_token) {
        return Err(ApiError::field("/query/token", "invalid", "expected the token of an enrolment link"));
    }
    Ok(pages::svg(&pages::enrolment_link(&app, &token)))
}

/// The phones of a user, oldest first.
async fn phones(State(app): State<App>, mut query: Query) -> Result<Json<Value>, ApiError> {
    let tenant = tenant(&app)?;
    let user_id = query.text("userId", 255).unwrap_or_default();
    query.finish()?;
    let mut known = app.store.credentials(&tenant, &user(&user_id)?).await.map_err(ApiError::internal)?;
    known.sort_by_key(|phone| phone.enrolled_at);
    let phones: Vec<Value> = known
        .iter()
        .filter(|phone| phone.revoked_at.is_none())
        .map(|phone| json!({"name": phone.device_name.as_deref().unwrap_or("A phone"), "enrolledAt": phone.enrolled_at.to_string()}))
        .collect();
    Ok(Json(json!({ "phones": phones })))
}
