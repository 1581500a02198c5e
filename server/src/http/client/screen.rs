//! A screen without a socket: it creates a challenge and asks every few seconds what became of it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use challenge::DeviceCode;
use challenge::state::State as ChallengeState;
use serde_json::{Map, Value, json};

use super::bodies::{CreateBody, PollBody, TERMINAL};
use super::caller::{Caller, OfTenant};
use crate::app::App;
use crate::challenges::screen::{self, Ask, Screen, Shown};
use crate::challenges::tokens::{self, Bearer};
use crate::challenges::{anonymous, claimer, claiming, refusals};
use crate::clock::whole_milliseconds;
use crate::error::{ApiError, Problem};
use crate::http::body::JsonObject;
use crate::http::context::Visit;

/// `POST /challenge/qr-code`
#[utoipa::path(post, path = "/challenge/qr-code", tag = "client", security(("tenant" = []), ("token" = [])),
    request_body(content = Object, description = "`{action, custom?, rollingQr?, terminal?: {terminalId, serverNonce, nonce, signature}}`; with the token of `track` the action is the tracked one, and the tracked data counts"),
    responses((status = 200, description = "the challenge; only who has the device code can ask what becomes of it", body = Object),
        (status = 403, description = "`terminal_refused`: it is not registered, or did not sign this"),
        (status = 409, description = "`challenge_closed`: there is nothing to approve"),
        (status = 429, description = "too many are open or were made for this user")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Extension(visit): Extension<Arc<Visit>>,
    headers: HeaderMap,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let CreateBody { action, custom, rolling, terminal } = CreateBody::read(&body)?;
    let screen = match caller {
        Caller::Tenant(tenant) => Screen::Anonymous(tenant),
        Caller::Holder(holder) => match &holder.bearer {
            Bearer::Screen(claims) => Screen::identified(claims)?.holding(&holder.token),
            Bearer::Approved(_) => {
                return Err(ApiError::new(
                    Problem::InvalidToken,
                    "this token is an approval; show the token of `track`",
                ));
            }
        },
    };
    screen.must_be_of(&action, "/action")?;
    let origin = anonymous::origin(&app, visit.client, &headers);
    let terminal = terminal.map(|terminal| (terminal, TERMINAL));
    let ask = Ask { action, custom, origin, terminal, shows_already: Vec::new() };
    let (shown, ()) = screen::show(&app, &screen, ask, |_| ()).await?;
    let mut answer = if rolling { screen::rolling_qr(&app, &shown) } else { Map::new() };
    answer.insert("challengeId".into(), json!(shown.id));
    answer.insert("deviceCode".into(), json!(app.keys.device_code(&shown.id).expose()));
    answer.insert("expiresAt".into(), json!(whole_milliseconds(shown.expires_at)));
    answer.insert("state".into(), json!("unclaimed"));
    Ok(Json(Value::Object(answer)))
}

/// `POST /verify/qr-code`
#[utoipa::path(post, path = "/verify/qr-code", tag = "client", security(("tenant" = [])),
    request_body(content = Object, description = "`{challengeId, deviceCode}`"),
    responses((status = 200, description = "what became of it, with the token of an approval", body = Object),
        (status = 404, description = "`challenge_not_found`, also for a wrong device code")))]
pub async fn poll(
    State(app): State<App>,
    caller: OfTenant,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let PollBody { challenge, device_code } = PollBody::read(&body)?;
    // What cannot be an id or a code at all sounds like one that is wrong.
    let challenge = challenge.ok_or_else(refusals::challenge_not_found)?;
    let device_code = device_code.unwrap_or_else(|| DeviceCode::from_random(app.random.bytes()));
    let challenge = screen::look(&app, &caller.tenant, challenge, &device_code).await?;

    let state = challenge.state();
    let mut answer = json!({
        "isClaimed": state.claim().is_some(),
        "isConsumed": !state.is_open(),
        "isVerified": false,
        "state": state.wire_name(),
        "expiresAt": whole_milliseconds(challenge.frozen().expires_at),
    });
    match state {
        ChallengeState::Approved { .. } => {
            answer["isVerified"] = json!(true);
            answer["accessToken"] = json!(tokens::result_token(&app, &challenge)?);
        }
        ChallengeState::Generated => {
            answer["qr"] = screen::rolling_qr(&app, &Shown::of(&challenge)).remove("qr").unwrap_or_default();
        }
        ChallengeState::Claimed(_) => {
            if let Some(code) = claiming::code_on_screen(&challenge) {
                answer["matchCode"] = json!(code);
            }
            if let Some(claimer) = claimer::on_screen(&app, &challenge).await? {
                answer["claimedBy"] = claimer;
            }
        }
        ChallengeState::Rejected { .. } | ChallengeState::Expired { .. } | ChallengeState::Superseded { .. } => {}
    }
    Ok(Json(answer))
}
