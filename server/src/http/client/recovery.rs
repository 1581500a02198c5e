//! Recovery codes, as the person's own pages use them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::authenticators::enrolment_right;
use super::bodies::RecoveryBody;
use super::caller::Holder;
use crate::app::App;
use crate::challenges::tokens::{ADD, Bearer};
use crate::error::{ApiError, Problem};
use crate::http::body::JsonObject;
use crate::http::context::Visit;
use crate::recovery::issue as issuing;
use crate::recovery::redeem::{self as redeeming, Redemption};
use crate::store::{EnrolmentRight, RecoveryPurpose};

/// `POST /verify/recovery-code` with the token of `track`: the phone is gone. `purpose` `approval` passes the challenge,
/// `enrolment` gives a token that adds one phone.
#[utoipa::path(post, path = "/verify/recovery-code", tag = "client", security(("token" = [])),
    request_body(content = Object, description = "`{verificationCode, purpose?}`; `approval` or `enrolment`"),
    responses((status = 200, description = "the token that the purpose asked for, and how many codes are left", body = Object),
        (status = 400, description = "`invalid_recovery_code`"),
        (status = 429, description = "five wrong ones")))]
pub async fn redeem(
    State(app): State<App>,
    holder: Holder,
    Extension(visit): Extension<Arc<Visit>>,
    headers: HeaderMap,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let RecoveryBody { typed, purpose } = RecoveryBody::read(&body)?;
    let Bearer::Screen(claims) = &holder.bearer else {
        return Err(ApiError::new(Problem::InvalidToken, "this token is an approval; use the token of `track`"));
    };
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let user_agent = user_agent.map(|text| text.chars().take(512).collect());
    let redeemed = redeeming::redeem(&app, Redemption { claims, typed, purpose, client: visit.client, user_agent });
    let redeemed = redeemed.await?;
    let mut answer = json!({
        "isVerified": purpose == RecoveryPurpose::Approval,
        "recoveryCodesLeft": redeemed.left,
    });
    match purpose {
        RecoveryPurpose::Approval => answer["accessToken"] = json!(redeemed.token),
        RecoveryPurpose::Enrolment => answer["enrolmentToken"] = json!(redeemed.token),
    }
    Ok(Json(answer))
}

/// `POST /user-authenticators/recovery-code`: new codes in the place of the old, for whoever may add a phone.
#[utoipa::path(post, path = "/user-authenticators/recovery-code", tag = "client", security(("token" = [])),
    responses((status = 200, description = "new codes, in the place of all that were there", body = Object)))]
pub async fn issue(State(app): State<App>, holder: Holder, _: JsonObject) -> Result<Json<Value>, ApiError> {
    match enrolment_right(&app, &holder.bearer).await? {
        EnrolmentRight::Scope => {}
        EnrolmentRight::Token | EnrolmentRight::RecoveryCode(_) => {
            let detail = format!(
                "the token lacks the scope `{ADD}`, which a fresh approval has, or its challenge is not passed"
            );
            return Err(ApiError::new(Problem::Forbidden, detail));
        }
    }
    let (tenant, user) = (holder.bearer.tenant()?, holder.bearer.user()?);
    let fresh = issuing::anew(&app, &tenant, &user, "user").await?;
    Ok(Json(json!({"recoveryCodes": fresh.texts})))
}
