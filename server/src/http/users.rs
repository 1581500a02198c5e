//! Users: `/v1/users` and `/v1/users/{userId}`.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use challenge::UserId;
use engine::codes::Country;

use crate::app::App;
use crate::auth::{Caller, Right};
use crate::caches::refuse;
use crate::challenges::follow;
use crate::enrich;
use crate::error::ApiError;
use crate::http::authenticators::enrolled_methods;
use crate::http::body::JsonObject;
use crate::http::params::{Ids, Query};
use crate::json::{self, Fields};
use crate::store::{Cursor, DeleteUserError, PageRequest, User, UserAttributes, UserFilter};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/users", get(list))
        // Java's and Ruby's SDKs update with POST.
        .route("/v1/users/{user}", get(read).patch(update).post(update).delete(delete))
}

/// `GET /v1/users/{userId}`; a user never seen is simply not enrolled.
#[utoipa::path(get, path = "/users/{userId}", tag = "users", params(("userId" = String, Path)),
    responses((status = 200, description = "what is known of the user; `isEnrolled: false` for a stranger", body = Object)))]
pub(super) async fn read(State(app): State<App>, caller: Caller, ids: Ids) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Read)?;
    let user = ids.user()?;
    let known = app.caches.user(&app.store, &caller.tenant, &user).await?;
    let devices = app.caches.devices(&app.store, &caller.tenant, &user).await?;
    let mut body = known.map(|user| attributes(&user.attributes)).unwrap_or_default();
    body.insert("userId".into(), json!(user.as_str()));
    body.insert("isEnrolled".into(), json!(!devices.is_empty()));
    body.append(&mut enrolled_methods(&devices));
    let standing = app.store.recovery_standing(&caller.tenant, &user).await.map_err(refuse)?;
    body.insert("recoveryCodesLeft".into(), json!(standing.codes_left));
    Ok(Json(Value::Object(body)))
}

/// `PATCH /v1/users/{userId}` (and POST): sets the attributes that are given; `""` empties one, null leaves it as it is.
#[utoipa::path(patch, path = "/users/{userId}", tag = "users", params(("userId" = String, Path)),
    request_body(content = Object, description = "`email emailVerified phoneNumber phoneNumberVerified username displayName locale custom`"),
    responses((status = 200, description = "the user's attributes", body = Object)))]
pub(super) async fn update(
    State(app): State<App>,
    caller: Caller,
    ids: Ids,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Operate)?;
    let user = ids.user()?;
    let given = given_attributes(&body)?;
    let saved = app.store.upsert_user(&caller.tenant, &user, given, app.clock.now()).await.map_err(refuse)?;
    app.caches.forget_user(&caller.tenant, &user);
    let mut body = attributes(&saved.attributes);
    body.insert("userId".into(), json!(user.as_str()));
    Ok(Json(Value::Object(body)))
}

/// `DELETE /v1/users/{userId}`: forgets the user, revokes their devices, takes open challenges back and makes the tokens that were
/// given out for them worthless. Decisions stay, with what they rested on. A stranger is forgotten already.
#[utoipa::path(delete, path = "/users/{userId}", tag = "users", params(("userId" = String, Path)),
    responses((status = 200, description = "the user is forgotten", body = Object)))]
pub(super) async fn delete(State(app): State<App>, caller: Caller, ids: Ids) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Operate)?;
    let user = ids.user()?;
    let now = app.clock.now();
    let cancelled = match app.store.delete_user(&caller.tenant, &user, now).await {
        Ok(cancelled) => cancelled,
        Err(DeleteUserError::NotFound) => Vec::new(),
        Err(DeleteUserError::Store(error)) => return Err(refuse(error)),
    };
    follow::taken(&app, &caller.tenant, &user, &cancelled, now);
    Ok(Json(json!({"success": true})))
}

/// `GET /v1/users?email=&username=&phoneNumber=&token=&limit=&lastEvaluatedUserId=`
#[utoipa::path(get, path = "/users", tag = "users",
    params(("email" = Option<String>, Query), ("username" = Option<String>, Query), ("phoneNumber" = Option<String>, Query),
        ("token" = Option<String>, Query), ("limit" = Option<u32>, Query), ("lastEvaluatedUserId" = Option<String>, Query)),
    responses((status = 200, description = "users, by id", body = Object)))]
pub(super) async fn list(State(app): State<App>, caller: Caller, mut query: Query) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Read)?;
    let filter = UserFilter {
        email: query.text("email", 320),
        username: query.text("username", 255),
        phone_number: query.text("phoneNumber", 64),
    };
    let limit = query.limit(100);
    let after = query.text("lastEvaluatedUserId", 255).map(Cursor);
    let token = query.text("token", 16 * 1024);
    query.finish()?;
    if let Some(token) = token {
        return of_token(&app, &caller, &token).await.map_err(|refusal| refusal.about("/query/token"));
    }
    let page = app.store.users(&caller.tenant, &filter, &PageRequest { after, limit }).await.map_err(refuse)?;
    let mut body = json!({"users": page.items.iter().map(listed).collect::<Vec<_>>()});
    if let Some(next) = page.next {
        body["lastEvaluatedUserId"] = json!(next.0);
    }
    Ok(Json(body))
}

/// The user a track token is about, and the token's claims.
async fn of_token(app: &App, caller: &Caller, token: &str) -> Result<Json<Value>, ApiError> {
    let claims = crate::challenges::tokens::track_claims(app, token, app.clock.now())?;
    let user = UserId::parse(claims.registered.sub.as_str()).map_err(ApiError::internal)?;
    if claims.registered.aud != caller.tenant.as_str() {
        return Err(ApiError::unauthorized());
    }
    let known = app.caches.user(&app.store, &caller.tenant, &user).await?;
    let users: Vec<Value> = known.iter().map(|user| listed(user)).collect();
    let payload = serde_json::to_value(&claims).map_err(ApiError::internal)?;
    Ok(Json(json!({"users": users, "tokenPayload": payload})))
}

fn given_attributes(body: &Map<String, Value>) -> Result<UserAttributes, ApiError> {
    let mut fields = Fields::of(body);
    fields.spelt(&[
        "email",
        "emailVerified",
        "phoneNumber",
        "phoneNumberVerified",
        "username",
        "displayName",
        "locale",
        "custom",
        "defaultVerificationMethod",
    ]);
    let given = UserAttributes {
        email: fields.text("email", 320),
        email_verified: fields.boolean("emailVerified"),
        phone_number: fields.text("phoneNumber", 64),
        phone_number_verified: fields.boolean("phoneNumberVerified"),
        username: fields.text("username", 255),
        display_name: fields.text("displayName", 255),
        locale: fields.text("locale", 64),
        custom: None,
    };
    fields.text("defaultVerificationMethod", 64);
    let custom = fields.object("custom");
    for (name, value) in custom.into_iter().flatten() {
        let flat = match value {
            Value::Array(items) => items.iter().all(|item| !item.is_array() && !item.is_object()),
            Value::Object(_) => false,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        };
        if !flat {
            let detail = format!("expected text, a number, a boolean or a list of those, got {}", json::kind(value));
            fields.issue_within("custom", name, "wrong-type", detail);
        }
    }
    facts_of_rules(&mut fields, custom);
    fields.finish()?;
    Ok(UserAttributes { custom: custom.map(|map| Value::Object(map.clone()).to_string()), ..given })
}

/// What rules read as `user.tz` and `user.home_country`: what is neither would be missing, unnoticed, in every decision.
fn facts_of_rules(fields: &mut Fields<'_>, custom: Option<&Map<String, Value>>) {
    let mut check = |names: [&str; 2], expected: &str, good: fn(&str) -> bool| {
        for name in names {
            let given = custom.and_then(|custom| custom.get(name)).filter(|value| !value.is_null());
            if given.is_some_and(|value| !value.as_str().is_some_and(good)) {
                fields.issue_within("custom", name, "invalid", format!("expected {expected}"));
            }
        }
    };
    let zone = "a time zone of the IANA database such as Europe/Paris";
    check(enrich::TIME_ZONE, zone, |text| jiff::tz::TimeZoneDatabase::bundled().get(text).is_ok());
    check(enrich::HOME_COUNTRY, "an ISO 3166-1 code such as FR", |text| Country::parse(text).is_some());
}

/// A user as lists show them.
fn listed(user: &User) -> Value {
    let mut body = attributes(&user.attributes);
    body.insert("userId".into(), json!(user.user.as_str()));
    Value::Object(body)
}

pub(super) fn attributes(known: &UserAttributes) -> Map<String, Value> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    put("email", known.email.clone().map(Value::from));
    put("emailVerified", known.email_verified.map(Value::from));
    put("phoneNumber", known.phone_number.clone().map(Value::from));
    put("phoneNumberVerified", known.phone_number_verified.map(Value::from));
    put("username", known.username.clone().map(Value::from));
    put("displayName", known.display_name.clone().map(Value::from));
    put("locale", known.locale.clone().map(Value::from));
    put("custom", known.custom.as_deref().and_then(|text| serde_json::from_str(text).ok()));
    body
}
