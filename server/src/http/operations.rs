//! For whoever runs the service: is it alive, does it take work, what is it doing.

use std::sync::OnceLock;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;

use crate::app::App;
use crate::store::Health;

pub(super) fn routes() -> Router<App> {
    // The recorder is the process's; the first router installs it.
    recorder();
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready)).route("/metrics", get(figures))
}

/// `GET /healthz`: the process answers.
async fn alive() -> Response {
    Json(json!({"status": "alive"})).into_response()
}

/// `GET /readyz`: it takes work; 503 when it is draining or cannot record. A failed reload is reported and is no reason
/// to send traffic elsewhere: the last good pack is in force.
async fn ready(State(app): State<App>) -> Response {
    let storage = match app.store.health() {
        Health::Writing => json!({"status": "writing"}),
        Health::Full(_) => json!({"status": "full"}),
        Health::ReadOnly(_) => json!({"status": "read-only"}),
    };
    let draining = app.closing.is_cancelled();
    let ready = !draining && matches!(app.store.health(), Health::Writing);
    let body = json!({
        "status": if ready { "ready" } else { "unavailable" },
        "draining": draining,
        "storage": storage,
        "policies": app.policies.report(),
    });
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

/// `GET /metrics`: Prometheus text.
async fn figures(State(app): State<App>) -> Response {
    for (table, keys) in app.limits.sizes() {
        metrics::gauge!("stepup_limit_keys", "table" => table).set(keys as f64);
    }
    let text = recorder().map(PrometheusHandle::render).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let buckets = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
            let installed =
                PrometheusBuilder::new().set_buckets(&buckets).and_then(PrometheusBuilder::install_recorder);
            if let Err(error) = &installed {
                tracing::warn!(%error, "metrics are off: another recorder is installed");
            }
            installed.ok()
        })
        .as_ref()
}
