//! The screen's live connection. Everything that can be refused is refused at the upgrade, because that is the only refusal
//! a stock SDK hears.
//!
//! The credential travels in `Sec-WebSocket-Protocol`, next to `authsignal-ws`; it is never logged, and the answer echoes
//! only `authsignal-ws`.

pub mod frames;
mod session;

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};

use super::client::known_tenant;
use super::client::origins::Origin;
use super::context::Visit;
use crate::app::App;
use crate::challenges::screen::Screen;
use crate::challenges::{anonymous, tokens};
use crate::error::{ApiError, Problem};
use crate::limits::Subject;
use session::Session;

/// The subprotocol that both sides speak.
const PROTOCOL: &str = "authsignal-ws";
const TENANT: &str = "x.authsignal.tenant.";
const TOKEN: &str = "x.authsignal.token.";

/// Largest message we read. With the library's own sizes an idle socket costs 134 KB; `cargo xtask sockets` says what ours do.
const MESSAGE: usize = 4 * 1024;
/// What is kept to read into, for as long as the socket is open: what screens say is shorter, and a longer message comes in
/// several reads.
const READ: usize = 256;
/// How much may wait for a slow reader.
const WAITING: usize = 64 * 1024;

/// The paths that stock SDKs derive from their base URL.
pub fn routes() -> Router<App> {
    let mut router = Router::new();
    for path in ["/ws-v1-challenge", "/api-ws/ws-v1-challenge"] {
        router = router.route(path, get(upgrade)).route(&format!("{path}/"), get(upgrade));
    }
    router
}

async fn upgrade(
    State(app): State<App>,
    Extension(visit): Extension<Arc<Visit>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let screen = match authenticate(&app, &headers).await {
        Ok(screen) => screen,
        Err(refusal) => {
            app.limits.gate(Subject::FailedAuth(visit.client))?;
            return Err(refusal);
        }
    };
    if !Origin::of(&headers).is_allowed(&app, screen.tenant().as_str()) {
        return Err(ApiError::new(Problem::OriginRefused, "pages of this origin may not connect for this tenant"));
    }
    visit.allow(app.limits.gate(Subject::Tenant(screen.tenant().as_str()))?);
    let mut upgrade = upgrade.map_err(|rejection| ApiError::new(Problem::MalformedRequest, rejection.to_string()))?;
    upgrade.set_selected_protocol(HeaderValue::from_static(PROTOCOL));
    let origin = anonymous::origin(&app, visit.client, &headers);
    let client = visit.client;
    Ok(upgrade
        .read_buffer_size(READ)
        .write_buffer_size(MESSAGE)
        .max_write_buffer_size(WAITING)
        .max_message_size(MESSAGE)
        .max_frame_size(MESSAGE)
        .on_failed_upgrade(|error| tracing::debug!(%error, "a socket was not opened"))
        .on_upgrade(async move |socket| {
            let session = Box::new(Session::new(app, screen, origin, client, socket));
            // A task of its own: the library's would keep all that the socket was made of.
            tokio::spawn(session.run());
        }))
}

/// Who opens the socket, by the second word of the protocol header.
async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Screen, ApiError> {
    match credential(headers).ok_or_else(ApiError::unauthorized)? {
        Credential::Tenant(id) => known_tenant(app, &id).await.map(Screen::Anonymous),
        Credential::Token(token) => {
            Ok(Screen::identified(&tokens::track_claims(app, &token, app.clock.now())?)?.holding(&token))
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Credential {
    Tenant(String),
    Token(String),
}

/// Reads the offered protocols: ours, and exactly one credential.
fn credential(headers: &HeaderMap) -> Option<Credential> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = Vec::new();
    for line in lines {
        offered.extend(line.to_str().ok()?.split(',').map(str::trim));
    }
    if !offered.contains(&PROTOCOL) {
        return None;
    }
    let mut credentials = offered.iter().filter_map(|word| {
        let tenant = word.strip_prefix(TENANT).map(|id| Credential::Tenant(id.to_owned()));
        tenant.or_else(|| word.strip_prefix(TOKEN).map(|token| Credential::Token(token.to_owned())))
    });
    let credential = credentials.next()?;
    credentials.next().is_none().then_some(credential)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Option<Credential> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::SEC_WEBSOCKET_PROTOCOL, line.parse().expect("a header value"));
        }
        credential(&headers)
    }

    #[test]
    fn a_credential_stands_beside_our_protocol_and_alone() {
        let tenant = |id: &str| Some(Credential::Tenant(id.to_owned()));
        let token = |text: &str| Some(Credential::Token(text.to_owned()));
        for (lines, expected) in [
            (&["authsignal-ws,x.authsignal.tenant.5e1e"][..], tenant("5e1e")),
            (&["authsignal-ws, x.authsignal.token.a.b.c"], token("a.b.c")),
            (&["authsignal-ws", "x.authsignal.tenant.5e1e"], tenant("5e1e")),
            (&["x.authsignal.tenant.5e1e"], None),
            (&["authsignal-ws"], None),
            (&["authsignal-ws,x.authsignal.tenant.a,x.authsignal.tenant.b"], None),
            (&["authsignal-ws,x.authsignal.tenant.a,x.authsignal.token.b"], None),
            (&[], None),
        ] {
            assert_eq!(read(lines), expected, "{lines:?}");
        }
    }
}
