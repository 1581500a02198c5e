//! The client API: what browsers and phones call, under `/v1/client`.
//!
//! Stock SDKs take nothing but 200 for success and need JSON in every answer, so nothing here says 201 or 204. What they
//! know and we do not offer is refused as `invalid_configuration`.

mod authenticators;
pub(super) mod bodies;
mod caller;
mod cors;
mod doors;
mod enrolment;
mod in_app;
mod jwks;
pub(super) mod origins;
mod phone;
mod push;
mod recovery;
mod screen;

use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::{Extension, Router};

use challenge::state::Kind;
use utoipa::OpenApi;

use crate::app::App;
use crate::error::{ApiError, Problem};

use doors::Door;

pub(super) use caller::known_tenant;

/// The client API for machines.
#[derive(OpenApi)]
#[openapi(paths(
    screen::create,
    screen::poll,
    push::send,
    push::poll,
    enrolment::nonce,
    in_app::verify,
    recovery::redeem,
    recovery::issue,
    authenticators::list,
    authenticators::add,
    authenticators::get,
    authenticators::remove,
    phone::claim,
    phone::answer,
    push::nonce_to_ask,
    push::pending,
    push::nonce_to_update,
    push::update,
    jwks::of_tenant,
))]
pub(super) struct ClientApi;

/// Every path of the client API.
pub fn routes(app: &App) -> Router<App> {
    let router = Router::new()
        .route("/challenge", post(enrolment::nonce))
        .route("/challenge/qr-code", post(screen::create))
        .route("/verify/qr-code", post(screen::poll))
        .route("/verify/recovery-code", post(recovery::redeem))
        .route("/user-authenticators/recovery-code", post(recovery::issue))
        .route("/challenge/push", post(push::send))
        .route("/verify/push", post(push::poll))
        .route("/verify/in-app", post(in_app::verify).layer(Extension(Door::IN_APP)))
        .route("/verify/device", post(in_app::verify).layer(Extension(Door::DEVICE)))
        .route("/user-authenticators", get(authenticators::list))
        .route("/public/{tenant}/.well-known/jwks", get(jwks::of_tenant))
        .merge(kind(Door::QR_CODE))
        .merge(kind(Door::PUSH))
        .merge(kind(Door::IN_APP))
        .merge(kind(Door::DEVICE));
    let router = router
        .fallback(not_offered)
        .method_not_allowed_fallback(not_this_way)
        .layer(from_fn_with_state(app.clone(), cors::allow));
    Router::new().nest("/v1/client", router).route("/.well-known/jwks.json", get(jwks::all))
}

/// `/user-authenticators/{kind}`: the key, and what may be answered with it.
fn kind(door: Door) -> Router<App> {
    let path = |rest: &str| format!("/user-authenticators/{}{rest}", door.path);
    let mut router = Router::new()
        .route(&path("/remove"), post(authenticators::remove))
        .route(&path("/challenge/claim"), post(phone::claim));
    let mut own = get(authenticators::get).post(authenticators::add);
    let mut answer = post(phone::answer);
    if door.answers.contains(&Kind::Push) {
        own = own.patch(push::update);
        answer = answer.get(push::pending);
        router = router
            .route(&path("/challenge/sign"), post(push::nonce_to_ask))
            .route(&path("/sign"), post(push::nonce_to_update));
    }
    router.route(&path("/challenge"), answer).route(&path(""), own).layer(Extension(door))
}

/// Ours and not the outer router's, so that a preflight passes the CORS layer.
async fn not_this_way() -> ApiError {
    ApiError::new(Problem::MethodNotAllowed, "this path does not answer to this method")
}

async fn not_offered(uri: axum::http::Uri) -> ApiError {
    ApiError::not_offered(&format!("`{}`", uri.path()))
}
