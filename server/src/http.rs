//! The front door: paths and JSON names of the public API, one file per resource. No decisions are made here.

pub mod body;
pub mod client;
pub mod client_address;
pub mod context;
pub mod normalise;
pub mod params;
pub mod trace;

mod actions;
pub(crate) mod authenticators;
mod challenges;
mod decisions;
mod demo;
mod devices;
mod language;
mod lists;
mod not_offered;
mod openapi;
mod operations;
mod pages;
mod policies;
mod resets;
mod sessions;
mod socket;
mod terminals;
mod users;
mod validate;
mod webhooks;

use std::any::Any;

use axum::Router;
use axum::body::Body;
use axum::http::{Response, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::error::{ApiError, Problem};

/// Every path of the service, with what is true of all of them around it.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        .merge(actions::routes())
        .merge(validate::routes())
        .merge(sessions::routes())
        .merge(devices::routes())
        .merge(users::routes())
        .merge(resets::routes())
        .merge(terminals::routes())
        .merge(authenticators::routes())
        .merge(challenges::routes())
        .merge(decisions::routes())
        .merge(policies::routes())
        .merge(lists::routes())
        .merge(webhooks::routes())
        .merge(not_offered::routes())
        .merge(openapi::routes())
        .merge(operations::routes())
        .merge(client::routes(&app))
        .merge(socket::routes())
        .merge(pages::routes())
        .merge(if app.config.demo.is_some() { demo::routes() } else { Router::new() })
        .route_layer(from_fn(context::note_route))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_this_way)
        .with_state(app.clone());
    // Paths are normalised before they are matched, so the routes are a service inside an outer router.
    Router::new()
        .fallback_service(tower::ServiceBuilder::new().map_request(normalise::path).service(routes))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(app, context::enter))
}

async fn nothing_here(uri: Uri) -> ApiError {
    ApiError::new(Problem::NotFound, format!("there is nothing at {}; /openapi.json lists what there is", uri.path()))
}

async fn not_this_way() -> ApiError {
    ApiError::new(Problem::MethodNotAllowed, "this path does not answer to this method; see the Allow header")
}

/// A handler's panic is our mistake: the request fails, the service goes on.
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    metrics::counter!("stepup_panics_total").increment(1);
    ApiError::internal(format!("panic: {}", text.unwrap_or("without a text"))).into_response()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_500_in_the_wires_words_and_tells_nothing() {
        let response = panicked(Box::new("the secret is canary".to_owned()));
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (500, &"application/json".parse().expect("a value"))
        );
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((&body["error"], &body["errorCode"]), (&Value::from("internal_error"), &body["error"]));
        assert!(body["errorDescription"].is_string() && !body.to_string().contains("canary"), "{body}");
    }
}
