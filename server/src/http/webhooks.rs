//! Webhooks as an administrator sees them: `/v1/webhooks`.

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::auth::{Caller, Right};
use crate::caches::refuse;
use crate::clock::whole_milliseconds;
use crate::error::ApiError;
use crate::http::body::JsonObject;
use crate::http::params::Query;
use crate::json::Fields;
use crate::store::{Cursor, DeadLetters, Delivery, PageRequest};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/webhooks", get(list))
        .route("/v1/webhooks/dead-letters", get(dead_letters))
        .route("/v1/webhooks/redeliver", post(redeliver))
}

/// `GET /v1/webhooks`: the endpoints, and how much waits for each.
#[utoipa::path(get, path = "/webhooks", tag = "webhooks",
    responses((status = 200, description = "where events go, and how many wait", body = Object)))]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Administer)?;
    let waiting = app.store.waiting_deliveries().await.map_err(refuse)?;
    let own = app.webhooks.endpoints().iter().filter(|endpoint| endpoint.tenant == caller.tenant);
    let webhooks: Vec<Value> = own
        .map(|endpoint| {
            let here = waiting.iter().find(|(tenant, name, _)| *tenant == caller.tenant && **name == *endpoint.name);
            json!({
                "name": *endpoint.name,
                "url": endpoint.url.to_string(),
                "events": endpoint.events.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(),
                "waiting": here.map_or(0, |(_, _, many)| *many),
            })
        })
        .collect();
    Ok(Json(json!({ "webhooks": webhooks })))
}

/// `GET /v1/webhooks/dead-letters`: what was given up, newest first.
#[utoipa::path(get, path = "/webhooks/dead-letters", tag = "webhooks",
    params(("endpoint" = Option<String>, Query), ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "a page of what could not be delivered, and the cursor of the next", body = Object)))]
pub(super) async fn dead_letters(
    State(app): State<App>,
    caller: Caller,
    mut query: Query,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Administer)?;
    let which = DeadLetters { event: None, endpoint: query.text("endpoint", 64) };
    let limit = query.limit(50);
    let after = query.parsed("cursor", "the cursor of an earlier answer", |text| text.parse::<i64>().ok());
    query.finish_strictly()?;
    let page = PageRequest { limit, after: after.map(|number| Cursor(number.to_string())) };
    let page = app.store.dead_letters(&caller.tenant, &which, &page).await.map_err(refuse)?;
    let mut answer = json!({ "deadLetters": page.items.iter().map(shown).collect::<Vec<_>>() });
    if let Some(next) = page.next {
        answer["cursor"] = json!(next.0);
    }
    Ok(Json(answer))
}

fn shown(dead: &Delivery) -> Value {
    json!({
        "id": dead.event.to_string(),
        "endpoint": dead.endpoint,
        "type": dead.kind.as_str(),
        "time": whole_milliseconds(dead.time),
        "data": serde_json::from_str::<Value>(&dead.data).unwrap_or_default(),
        "attempts": dead.attempts,
        "failure": dead.failure,
        "diedAt": whole_milliseconds(dead.at),
    })
}

/// `POST /v1/webhooks/redeliver`: `{id?, endpoint?}` gives dead letters all their attempts again; `{}` means every one.
#[utoipa::path(post, path = "/webhooks/redeliver", tag = "webhooks",
    request_body(content = Object, description = "`{id?, endpoint?}`; empty means every dead letter"),
    responses((status = 200, description = "how many are tried again", body = Object)))]
pub(super) async fn redeliver(
    State(app): State<App>,
    caller: Caller,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Administer)?;
    let mut fields = Fields::of(&body);
    fields.only(&["id", "endpoint"]);
    let endpoint = fields.text("endpoint", 64);
    let event = fields.text("id", 64).map(|text| Uuid::parse_str(&text));
    if let Some(Err(_)) = event {
        fields.issue("id", "wrong-form", "expected the `id` of a dead letter");
    }
    fields.finish()?;
    let which = DeadLetters { event: event.and_then(Result::ok), endpoint };
    let many = app.store.redeliver(&caller.tenant, which, &caller.key, app.clock.now()).await.map_err(refuse)?;
    Ok(Json(json!({ "redelivered": many })))
}
