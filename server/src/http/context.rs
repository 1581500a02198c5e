//! What is true of every request before anyone looks at its path: an id, the client's address, a budget, a log line.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Extensions, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

use crate::app::App;
use crate::clock::Clock;
use crate::error::ApiError;
use crate::http::client_address::client_address;
use crate::http::trace::trace_id;
use crate::limits::{Allowance, Subject};
use crate::serve::Peer;

/// One request on its way through.
pub struct Visit {
    /// Under which name the log knows it; sent as `x-request-id`.
    pub id: Uuid,
    /// Where it really comes from, canonical.
    pub client: IpAddr,
    allowance: Mutex<Option<Allowance>>,
    route: OnceLock<String>,
}

impl Visit {
    /// The visit of a request that came through [`enter`].
    ///
    /// # Panics
    /// If the router was built without that layer: a mistake of ours that the first test would show.
    pub fn of(extensions: &Extensions) -> Arc<Visit> {
        extensions.get::<Arc<Visit>>().cloned().expect("every request passes http::context::enter")
    }

    /// Notes what a limit leaves; the tightest is told to the client.
    pub fn allow(&self, allowance: Allowance) {
        let mut tightest = self.allowance.lock().unwrap_or_else(PoisonError::into_inner);
        *tightest = Some(match tightest.take() {
            None => allowance,
            Some(other) => other.tighter(allowance),
        });
    }
}

/// The outermost layer: counts the address, runs the rest, finishes the answer and logs it.
pub async fn enter(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = app.clock.elapsed();
    let peer = request.extensions().get::<Peer>().map_or(IpAddr::from([127, 0, 0, 1]), |peer| peer.0.ip());
    let client = client_address(peer, request.headers(), &app.config.server.trusted_proxies);
    let visit =
        Arc::new(Visit { id: app.random.uuid_v4(), client, allowance: Mutex::default(), route: OnceLock::new() });
    request.extensions_mut().insert(visit.clone());
    let method = request.method().clone();
    let trace = trace_id(request.headers()).map(str::to_owned);

    let mut response = match app.limits.gate(Subject::Address(client)) {
        Ok(allowance) => {
            visit.allow(allowance);
            next.run(request).await
        }
        Err(refusal) => axum::response::IntoResponse::into_response(refusal),
    };

    let refusal = response.extensions_mut().remove::<ApiError>();
    // So that a developer finds the refusal in their own traces, and the trace in our log.
    let refusal = refusal.map(|error| match &trace {
        Some(trace) => error.with("traceId", trace.as_str().into()),
        None => error,
    });
    if let Some(error) = &refusal {
        let mut complete = error.response(Some(&visit.id.urn().to_string()));
        // What inner layers added (CORS, Allow) stays; what the error says itself wins.
        for (name, value) in response.headers() {
            if !complete.headers().contains_key(name) && name != header::CONTENT_LENGTH {
                complete.headers_mut().append(name.clone(), value.clone());
            }
        }
        response = complete;
    }
    finish(&visit, &mut response);

    let route = visit.route.get().map_or("none", String::as_str);
    let seconds = app.clock.elapsed().saturating_sub(started).as_secs_f64();
    let status = response.status().as_u16();
    let labels = [("method", method.to_string()), ("route", route.to_owned()), ("status", status.to_string())];
    metrics::counter!("stepup_http_requests_total", &labels).increment(1);
    metrics::histogram!("stepup_http_request_seconds", &labels[..2]).record(seconds);
    let problem = refusal.as_ref().map(|error| error.problem().entry().slug);
    let cause = refusal.as_ref().and_then(ApiError::cause);
    if let Some(cause) = cause {
        tracing::error!(request_id = %visit.id, trace_id = trace, %method, route, status, problem, cause, "request failed");
    } else {
        tracing::info!(request_id = %visit.id, trace_id = trace, %method, route, status, problem, ms = seconds * 1e3, "request");
    }
    response
}

/// Headers that every answer has.
fn finish(visit: &Visit, response: &mut Response) {
    let allowance = visit.allowance.lock().unwrap_or_else(PoisonError::into_inner).take();
    let headers = response.headers_mut();
    if let (Some(allowance), false) = (allowance, headers.contains_key("ratelimit")) {
        allowance.write(headers);
    }
    if let Ok(id) = HeaderValue::from_str(&visit.id.to_string()) {
        headers.insert("x-request-id", id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Notes which route answers, for metrics: the pattern, never the ids in the path.
pub async fn note_route(matched: MatchedPath, request: Request, next: Next) -> Response {
    let _ = Visit::of(request.extensions()).route.set(matched.as_str().to_owned());
    next.run(request).await
}
