//! Registered terminals: `/v1/terminals`.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use challenge::TerminalId;
use challenge::keys::DeviceKey;
use challenge::state::OriginPlace;
use challenge::text::{LONGEST_LABEL, show};
use engine::codes::Country;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::auth::{Caller, Right};
use crate::caches::refuse;
use crate::challenges::{follow, refusals};
use crate::error::{ApiError, Problem};
use crate::http::body::JsonObject;
use crate::http::params::Ids;
use crate::json::Fields;
use crate::store::{NewTerminal, RegisterError, RegisteredTerminal, RevokeTerminalError, Site, TerminalChanged};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/terminals", get(list))
        .route("/v1/terminals/{terminal}", get(read).put(register).delete(revoke))
}

/// `GET /v1/terminals`: every key that a terminal has or had.
#[utoipa::path(get, path = "/terminals", tag = "terminals",
    responses((status = 200, description = "the terminals, by id and age; a revoked one has `revokedAt`", body = Object)))]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Read)?;
    let terminals = app.store.terminals(&caller.tenant).await.map_err(refuse)?;
    Ok(Json(json!({"terminals": terminals.iter().map(shown).collect::<Vec<_>>()})))
}

/// `GET /v1/terminals/{terminalId}`
#[utoipa::path(get, path = "/terminals/{terminalId}", tag = "terminals", params(("terminalId" = String, Path)),
    responses((status = 200, description = "the terminal, as an administrator registered it", body = Object),
        (status = 404, description = "none is registered, or it was revoked")))]
pub(super) async fn read(State(app): State<App>, caller: Caller, ids: Ids) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Read)?;
    let found = app.store.terminal(&caller.tenant, &id(&ids)?).await.map_err(refuse)?;
    Ok(Json(shown(&found.ok_or_else(|| ApiError::not_found("terminal"))?)))
}

/// `PUT /v1/terminals/{terminalId}`: registers its key, which lets it vouch for the challenges that it shows. Another key takes
/// the old one's place, and what that has on its screen is cancelled; the same again says the same again.
#[utoipa::path(put, path = "/terminals/{terminalId}", tag = "terminals", params(("terminalId" = String, Path)),
    request_body(content = Object, description = "`{publicKey, name, place?: {country, region?, city?, latitude?, longitude?}}`"),
    responses((status = 200, description = "the terminal", body = Object),
        (status = 409, description = "the key is another terminal's (`key_taken`), or was revoked")))]
pub(super) async fn register(
    State(app): State<App>,
    caller: Caller,
    ids: Ids,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Administer)?;
    let id = id(&ids)?;
    let mut fields = Fields::of(&body);
    // An answer may be sent back as it came.
    fields.only(&[
        "publicKey",
        "name",
        "place",
        "terminalId",
        "keyThumbprint",
        "registeredBy",
        "registeredAt",
        "cancelledChallenges",
    ]);
    let key = fields.required_text("publicKey", 1024);
    let name = shown_text(&mut fields, "name");
    if name.is_none() && fields.value("name").is_none() {
        fields.issue("name", "missing-field", "this field is required: people read it on their phones");
    }
    let place = fields.object("place");
    fields.finish()?;
    let place = place.map_or(Ok(Site::default()), site)?;
    let key = DeviceKey::from_base64(&key).map_err(refusals::public_key)?;
    let name = name.ok_or_else(|| ApiError::field("/name", "empty", "this field must not be empty"))?;
    let new = NewTerminal { tenant: caller.tenant, id, name, key, place, actor: caller.key, at: app.clock.now() };
    let done = app.store.register_terminal(new).await.map_err(|error| match error {
        RegisterError::KeyTaken => {
            ApiError::new(Problem::KeyTaken, "this key is another terminal's; each makes its own")
        }
        RegisterError::KeyRevoked => {
            ApiError::new(Problem::Conflict, "this key was revoked, for good; the terminal must make a new one")
        }
        RegisterError::Store(error) => refuse(error),
    })?;
    Ok(Json(told(&app, done)))
}

/// `DELETE /v1/terminals/{terminalId}`: its key vouches for nothing any more, and what is on its screen is cancelled.
#[utoipa::path(delete, path = "/terminals/{terminalId}", tag = "terminals", params(("terminalId" = String, Path)),
    responses((status = 200, description = "the terminal, with `revokedAt` and `cancelledChallenges`", body = Object),
        (status = 404, description = "none was ever registered under this id")))]
pub(super) async fn revoke(State(app): State<App>, caller: Caller, ids: Ids) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Administer)?;
    let done = app.store.revoke_terminal(&caller.tenant, &id(&ids)?, &caller.key, app.clock.now()).await;
    let done = done.map_err(|error| match error {
        RevokeTerminalError::NotFound => ApiError::not_found("terminal"),
        RevokeTerminalError::Store(error) => refuse(error),
    })?;
    Ok(Json(told(&app, done)))
}

fn id(ids: &Ids) -> Result<TerminalId, ApiError> {
    let expected = "expected a terminal's id of 1 to 64 of the characters A-Z a-z 0-9 . _ : -";
    TerminalId::parse(ids.text("terminal")).map_err(|_| ApiError::field("/path/terminalId", "invalid", expected))
}

/// Where the terminal stands. A position says nothing without the country: rules compare both.
fn site(place: &Map<String, Value>) -> Result<Site, ApiError> {
    let mut fields = Fields::within(place, "/place");
    fields.only(&["country", "region", "city", "latitude", "longitude"]);
    let code = "an ISO 3166-1 code such as DE";
    let country =
        fields.required_parsed("country", code, |code| Country::parse(code).map(|country| country.to_string()));
    let (region, city) = (shown_text(&mut fields, "region"), shown_text(&mut fields, "city"));
    let latitude = degrees(&mut fields, "latitude", 90);
    let longitude = degrees(&mut fields, "longitude", 180);
    for (name, other) in [("latitude", "longitude"), ("longitude", "latitude")] {
        if fields.value(name).is_none() && fields.value(other).is_some() {
            fields.issue(name, "missing-field", format!("a position has both; there is only {other}"));
        }
    }
    fields.finish()?;
    Ok(Site { place: OriginPlace { country, region, city }, position: latitude.zip(longitude) })
}

/// A text that people will read on their phones.
fn shown_text(fields: &mut Fields<'_>, name: &str) -> Option<String> {
    let text = fields.text(name, 4 * LONGEST_LABEL).filter(|text| !text.trim().is_empty())?;
    match show(&text, LONGEST_LABEL) {
        Ok(shown) => Some(shown.text),
        Err(why) => {
            fields.issue(name, "not-showable", format!("this text {why}"));
            None
        }
    }
}

fn degrees(fields: &mut Fields<'_>, name: &str, most: i64) -> Option<Decimal> {
    let value = fields.value(name)?;
    let number = value.as_number().map(ToString::to_string);
    let number =
        number.and_then(|text| Decimal::from_str_exact(&text).or_else(|_| Decimal::from_scientific(&text)).ok());
    let number =
        number.map(|number| number.round_dp(6).normalize()).filter(|number| number.abs() <= Decimal::from(most));
    if number.is_none() {
        fields.issue(name, "wrong-type", format!("expected degrees as a number from -{most} to {most} (WGS 84)"));
    }
    number
}

fn told(app: &App, done: TerminalChanged) -> Value {
    let now = app.clock.now();
    for step in &done.cancelled {
        follow::step(app, step, now);
    }
    let mut body = shown(&done.terminal);
    body["cancelledChallenges"] = json!(done.cancelled.len());
    body
}

fn shown(terminal: &RegisteredTerminal) -> Value {
    let mut body = json!({
        "terminalId": terminal.id,
        "name": terminal.name,
        "publicKey": terminal.key.to_base64(),
        "keyThumbprint": terminal.key.thumbprint().to_base64url(),
        "registeredBy": terminal.actor,
        "registeredAt": terminal.registered_at.to_string(),
    });
    let Site { place, position } = &terminal.place;
    if place.country.is_some() {
        body["place"] = json!(place);
        if let Some((latitude, longitude)) = position {
            body["place"]["latitude"] = number(latitude);
            body["place"]["longitude"] = number(longitude);
        }
    }
    if let Some(at) = terminal.revoked_at {
        body["revokedAt"] = json!(at.to_string());
    }
    body
}

/// The number with the digits that it has.
fn number(value: &Decimal) -> Value {
    serde_json::from_str(&value.to_string()).unwrap_or_default()
}
