//! `GET /openapi.json`: this API for machines.

use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::app::App;
use crate::error::Problem;
use crate::http::{
    actions, authenticators, challenges, client, decisions, devices, lists, policies, resets, sessions, users,
    validate, webhooks,
};

mod examples;

#[derive(OpenApi)]
#[openapi(
    info(title = "Stepup", description = "Policy-driven step-up authentication: track an action, get allow, challenge or block."),
    servers((url = "/v1")),
    security(("secret" = [])),
    paths(
        actions::track, actions::read, actions::update, actions::list, validate::read, devices::list, devices::remember, devices::invalidate, sessions::create, sessions::validate,
        sessions::refresh, sessions::revoke, sessions::revoke_all, users::read, users::update,
        users::delete, users::list, resets::reset, authenticators::list, authenticators::enrol, authenticators::remove,
        challenges::by_query, decisions::read, decisions::list, policies::evaluate, policies::in_force,
        policies::check, lists::read, lists::add, lists::remove, webhooks::list, webhooks::dead_letters,
        webhooks::redeliver,
    ),
    nest((path = "/client", api = client::ClientApi))
)]
struct Api;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/openapi.json", get(document))
}

async fn document() -> Json<Value> {
    Json(openapi())
}

fn openapi() -> Value {
    let mut api = Api::openapi();
    let mut components = api.components.take().unwrap_or_default();
    let told = [
        ("secret", HttpAuthScheme::Basic, "backends: an API secret as the name, no password"),
        ("tenant", HttpAuthScheme::Basic, "screens and phones: the tenant's id as the name, no password"),
        ("token", HttpAuthScheme::Bearer, "screens and phones: the token of `track`, or of a fresh approval"),
    ];
    for (name, scheme, what) in told {
        let http = HttpBuilder::new().scheme(scheme).description(Some(what)).build();
        components.add_security_scheme(name, SecurityScheme::Http(http));
    }
    api.components = Some(components);
    let problems: Vec<String> = Problem::ALL
        .iter()
        .map(|problem| {
            let entry = problem.entry();
            format!("- `{}` {}: {} (`{}`)", entry.slug, entry.status.as_u16(), entry.title, entry.code)
        })
        .collect();
    let intro = api.info.description.unwrap_or_default();
    api.info.description = Some(format!("{intro}\n\nEvery refusal is one of:\n{}", problems.join("\n")));
    // Made of texts and lists: it always has a JSON form.
    let mut api = serde_json::to_value(api).unwrap_or_default();
    examples::write(&mut api);
    api
}
