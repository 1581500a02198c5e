//! A recovery is an event like any other: rules judge it, and later rules count it.
//!
//! It is the action [`ACTION`] with `method` `recovery_code` or `support`. A pack that does not declare it has nothing to
//! say: then the audit log alone knows.

use std::net::IpAddr;

use challenge::{ActionCode, IdempotencyKey, TenantId, UserId};
use engine::event::EventInput;
use serde_json::json;

use crate::app::App;
use crate::error::ApiError;
use crate::pipeline::{self, Happened};
use crate::store::DecisionKey;

/// The action's name. Aliases of the pack are found by it.
pub const ACTION: &str = engine::program::RECOVERY;

/// How the user is recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// With a code of theirs that was right.
    RecoveryCode,
    /// By an administrator. Whether they overrule a policy that blocks.
    Support {
        /// They were told, and insist.
        overrule: bool,
    },
}

/// Who is recovered, from where.
pub struct Recovery<'a> {
    /// Whose user.
    pub tenant: &'a TenantId,
    /// Who.
    pub user: &'a UserId,
    /// The event's own name.
    pub key: String,
    /// The address it comes from.
    pub ip: Option<IpAddr>,
    /// The browser's description of itself.
    pub user_agent: Option<String>,
    /// How.
    pub method: Method,
}

/// Asks the policies and records the event. `Err(action_blocked)` is the policies' no.
pub async fn judge(app: &App, recovery: Recovery<'_>) -> Result<(), ApiError> {
    let now = app.clock.now();
    let action = ActionCode::parse(ACTION).map_err(ApiError::internal)?;
    let idempotency_key = IdempotencyKey::parse(recovery.key).map_err(ApiError::internal)?;
    let mut input = EventInput::new(ACTION, recovery.user.as_str(), now);
    input.ip = recovery.ip.map(|ip| ip.to_canonical());
    input.device_name = recovery.user_agent.as_deref().and_then(crate::device::label);
    input.user_agent = recovery.user_agent;
    input.idempotency_key = Some(crate::decode::reference(&action, &idempotency_key));
    let (word, authority) = match recovery.method {
        Method::RecoveryCode => ("recovery_code", Happened::MayBeRefused),
        Method::Support { overrule: false } => ("support", Happened::MayBeBlocked),
        Method::Support { overrule: true } => ("support", Happened::Regardless),
    };
    input.custom.insert("method".to_owned(), json!(word));
    let key = DecisionKey { tenant: recovery.tenant.clone(), user: recovery.user.clone(), action, idempotency_key };
    pipeline::happened(app, key, input, authority).await
}
