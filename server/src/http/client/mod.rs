//! The client API: what browsers and phones call, under `/v1/client`.
//!
//! Stock SDKs take nothing but 200 for success and need JSON in every answer, so nothing here says 201 or 204. What they
//! know and we do not offer is refused as `invalid_configuration`.

mod authenticators;
mod bodies;
mod caller;
mod cors;
mod enrolment;
mod jwks;
pub(super) mod origins;
mod phone;
mod recovery;
mod screen;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::app::App;
use crate::error::{ApiError, Problem};

pub(super) use caller::known_tenant;

/// Every path of the client API.
pub fn routes(app: &App) -> Router<App> {
    let mut router = Router::new()
        .route("/challenge", post(enrolment::nonce))
        .route("/challenge/qr-code", post(screen::create))
        .route("/verify/qr-code", post(screen::poll))
        .route("/verify/recovery-code", post(recovery::redeem))
        .route("/user-authenticators/recovery-code", post(recovery::issue))
        .route("/user-authenticators", get(authenticators::list))
        .route("/public/{tenant}/.well-known/jwks", get(jwks::of_tenant));
    // Phones built before 2025-10-29 call the QR key a `device`.
    for kind in ["qr-code", "device"] {
        let path = |rest: &str| format!("/user-authenticators/{kind}{rest}");
        router = router
            .route(&path(""), get(authenticators::get).post(authenticators::add))
            .route(&path("/remove"), post(authenticators::remove))
            .route(&path("/challenge/claim"), post(phone::claim))
            .route(&path("/challenge"), post(phone::answer));
    }
    let router = router
        .fallback(not_offered)
        .method_not_allowed_fallback(not_this_way)
        .layer(from_fn_with_state(app.clone(), cors::allow));
    Router::new().nest("/v1/client", router).route("/.well-known/jwks.json", get(jwks::all))
}

/// Ours and not the outer router's, so that a preflight passes the CORS layer.
async fn not_this_way() -> ApiError {
    ApiError::new(Problem::MethodNotAllowed, "this path does not answer to this method")
}

async fn not_offered(uri: axum::http::Uri) -> ApiError {
    ApiError::not_offered(&format!("`{}`", uri.path()))
}
