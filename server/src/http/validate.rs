//! `POST /v1/validate`: was the challenge really passed, and is this the first time we are asked?

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;

use crate::app::App;
use crate::auth::{Caller, Right};
use crate::challenges::validate::{self, Expectation};
use crate::error::ApiError;
use crate::http::body::JsonObject;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/v1/validate", post(read))
}

/// `POST /v1/validate`
#[utoipa::path(post, path = "/validate", tag = "actions",
    request_body(content = Object, description = "`{token, action?, userId?}`"),
    responses((status = 200, description = "whether the token proves an approval; a token validates once", body = Object)))]
pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Operate)?;
    let expectation = Expectation::read(&body)?;
    let now = app.clock.now();
    validate::validate(&app, &caller.tenant, &caller.key, &expectation, now).await.map(Json)
}
