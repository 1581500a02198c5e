//! The public keys of our tokens (RFC 7517), where the wire and where everybody else looks for them.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::caller::known_tenant;
use crate::app::App;
use crate::error::ApiError;

/// `GET /v1/client/public/{tenant}/.well-known/jwks`: every tenant's tokens are signed with the same keys.
#[utoipa::path(get, path = "/public/{tenantId}/.well-known/jwks", tag = "client", security(()),
    params(("tenantId" = String, Path)),
    responses((status = 200, description = "the keys that verify our tokens (RFC 7517); also at `/.well-known/jwks.json`", body = Object)))]
pub async fn of_tenant(State(app): State<App>, Path(tenant): Path<String>) -> Result<Response, ApiError> {
    match known_tenant(&app, &tenant).await {
        Ok(_) => Ok(keys(&app)),
        Err(_) => Err(ApiError::not_found("tenant")),
    }
}

/// `GET /.well-known/jwks.json`
pub async fn all(State(app): State<App>) -> Response {
    keys(&app)
}

fn keys(app: &App) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
    ];
    (headers, app.keys.tokens().signing().jwks(app.clock.now())).into_response()
}
