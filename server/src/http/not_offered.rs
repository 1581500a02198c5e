//! What stock server SDKs can ask for and Stepup does not do: refused clearly, naming what is offered.

use axum::Router;
use axum::http::Uri;
use axum::routing::{any, get};

use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/challenge", any(code_by_message))
        .route("/v1/verify", any(code_by_message))
        .route("/v1/claim", any(code_by_message))
        .route("/v1/users/authenticators", any(passkeys))
        .route("/v1/authenticators", get(authenticators_of_all))
        .route("/v1/action-configurations", any(management))
        .route("/v1/action-configurations/{*rest}", any(management))
        .route("/v1/action_configurations", any(management))
        .route("/v1/action_configurations/{*rest}", any(management))
}

async fn code_by_message(_: Caller, uri: Uri) -> ApiError {
    ApiError::not_offered(&format!("sending codes by SMS, EMAIL_OTP or WHATSAPP (`{}`)", uri.path()))
}

async fn passkeys(_: Caller) -> ApiError {
    ApiError::not_offered("enrolling PASSKEY credentials in batches")
}

async fn authenticators_of_all(_: Caller) -> ApiError {
    ApiError::not_offered(
        "listing the authenticators of all users (those of one are at `/v1/users/{userId}/authenticators`)",
    )
}

async fn management(_: Caller) -> ApiError {
    ApiError::not_offered("configuring actions over the management API (actions are declared in the policy pack)")
}
