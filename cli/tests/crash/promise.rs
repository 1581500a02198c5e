//! What the service said that it did, and how to see whether it still holds.

use serde_json::{Value, json};

use crate::support::phone::Phone;
use crate::support::service::Caller;
use crate::{TENANT, Target};

/// One answer of the service.
#[derive(Debug)]
pub enum Promise {
    /// It decided.
    Decided {
        /// Where the attempt was tracked.
        path: String,
        /// What was said, with its idempotency key.
        body: Value,
        /// The decision's id.
        id: String,
        /// The outcome.
        outcome: String,
    },
    /// It enrolled a phone.
    Enrolled {
        /// The phone's key.
        public_key: String,
        /// The credential's id.
        credential: String,
    },
    /// It took a challenge to this step.
    Challenge {
        /// The challenge's id.
        id: String,
        /// The screen's secret.
        device_code: String,
        /// How far it came.
        step: Step,
    },
    /// It validated a result token: it may never do so for the first time again.
    Validated {
        /// The token.
        token: String,
    },
    /// It put an address on the block list.
    Listed {
        /// The address.
        value: String,
    },
    /// It took an address off the block list.
    Unlisted {
        /// The address.
        value: String,
    },
}

/// How far a challenge came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Created,
    Claimed,
    Approved,
    Rejected,
}

impl Promise {
    /// Whether the service still says so; if not, what it says instead.
    pub async fn is_kept(&self, target: &Target) -> Result<(), String> {
        let Target { api, secret } = target;
        let secret = Caller::Secret(secret);
        let lost = |what: &str, answer: &Value| Err(format!("{what}: {answer}"));
        let failed = |error: reqwest::Error| format!("no answer: {error}");
        match self {
            Promise::Decided { path, body, id, outcome } => {
                let read = api.get(&format!("/decisions/{id}"), secret).await.map_err(failed)?;
                if read.status != 200 || read.json["outcome"] != json!(outcome) {
                    return lost("the decision is not what it was", &read.json);
                }
                let again = api.post(path, secret, body).await.map_err(failed)?;
                if !again.replayed || again.json["decisionId"] != json!(id) {
                    return lost("the attempt was decided again", &again.json);
                }
                Ok(())
            }
            Promise::Enrolled { public_key, credential } => {
                let read = api.get(&Phone::query(public_key), Caller::Tenant(TENANT)).await.map_err(failed)?;
                if read.json["userAuthenticatorId"] != json!(credential) {
                    return lost("the phone is not known", &read.json);
                }
                Ok(())
            }
            Promise::Challenge { id, device_code, step } => {
                let body = json!({"challengeId": id, "deviceCode": device_code});
                let read = api.post("/client/verify/qr-code", Caller::Tenant(TENANT), &body).await.map_err(failed)?;
                let is = |name: &str| read.json[name] == json!(true);
                let kept = match step {
                    Step::Created => read.status == 200,
                    Step::Claimed => is("isClaimed"),
                    Step::Approved => is("isVerified") && is("isConsumed"),
                    Step::Rejected => is("isConsumed") && !is("isVerified"),
                };
                if kept { Ok(()) } else { lost("the challenge is not where it was", &read.json) }
            }
            Promise::Validated { token } => {
                let again = api.post("/validate", secret, &json!({"token": token})).await.map_err(failed)?;
                // The same caller may hear the same answer again, but never as if it were the first.
                let first = again.json["isValid"] == json!(true) && again.json["alreadyValidated"] != json!(true);
                if first { lost("the token was used for the first time twice", &again.json) } else { Ok(()) }
            }
            Promise::Listed { value } | Promise::Unlisted { value } => {
                let read = api.get("/lists/blocked_ips/entries", secret).await.map_err(failed)?;
                let entries = read.json["entries"].as_array().cloned().unwrap_or_default();
                let is_there = entries.iter().any(|entry| entry["value"] == json!(value));
                let should_be = matches!(self, Promise::Listed { .. });
                if is_there == should_be { Ok(()) } else { lost("the list is not as it was", &read.json) }
            }
        }
    }
}
