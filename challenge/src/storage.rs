//! How a challenge is written down.
//!
//! Two JSON texts: the frozen facts, written once, and the state, replaced by compare-and-set on the version beside it.
//! The shapes here are a format: a row written by an older release must still be read. Secrets leave their types here by
//! name, and nowhere else. Enums are externally tagged, as serde's other taggings buffer and then misread numbers when
//! JSON keeps them as text.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{ClaimNonce, CredentialId, MatchCode, UserId};
use crate::signature::SignatureR;
use crate::state::{Answer, Challenge, Claim, Freshness, Frozen, Protocol, Rejection, State, Supersession};
use crate::terminal::Channel;

/// A stored text that is not a challenge: the database was changed by something else than this crate.
#[derive(Debug, thiserror::Error)]
#[error("the stored challenge cannot be read: {0}")]
pub struct Unreadable(String);

impl Challenge {
    /// The text of what never changes.
    pub fn frozen_text(&self) -> Result<String, Unreadable> {
        serde_json::to_string(&self.frozen).map_err(|error| Unreadable(error.to_string()))
    }

    /// The text of the state; beside it the store keeps [`State::name`] and [`Challenge::version`].
    pub fn state_text(&self) -> Result<String, Unreadable> {
        serde_json::to_string(&StoredState::from(&self.state)).map_err(|error| Unreadable(error.to_string()))
    }

    /// Reads what the two functions above wrote.
    pub fn from_texts(frozen: &str, state: &str, version: u32) -> Result<Self, Unreadable> {
        let frozen: Frozen = serde_json::from_str(frozen).map_err(|error| Unreadable(error.to_string()))?;
        let state: StoredState = serde_json::from_str(state).map_err(|error| Unreadable(error.to_string()))?;
        Ok(Self { frozen, state: state.try_into()?, version })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum StoredState {
    Generated,
    Claimed { claim: StoredClaim },
    Approved { claim: StoredClaim, answer: Answer },
    Rejected { claim: StoredClaim, at: Timestamp, reason: Rejection },
    Expired { at: Timestamp, claim: Option<StoredClaim> },
    Superseded { at: Timestamp, reason: Supersession, claim: Option<StoredClaim> },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StoredClaim {
    by: CredentialId,
    user: UserId,
    at: Timestamp,
    nonce: String,
    protocol: Protocol,
    freshness: Freshness,
    #[serde(skip_serializing_if = "Option::is_none")]
    near: Option<Channel>,
    match_code: Option<String>,
    wrong_codes: u8,
    spent: Vec<SignatureR>,
}

impl From<&State> for StoredState {
    fn from(state: &State) -> Self {
        match state {
            State::Generated => Self::Generated,
            State::Claimed(claim) => Self::Claimed { claim: claim.into() },
            State::Approved { claim, answer } => Self::Approved { claim: claim.into(), answer: answer.clone() },
            State::Rejected { claim, at, reason } => Self::Rejected { claim: claim.into(), at: *at, reason: *reason },
            State::Expired { at, claim } => Self::Expired { at: *at, claim: claim.as_ref().map(Into::into) },
            State::Superseded { at, reason, claim } => {
                Self::Superseded { at: *at, reason: *reason, claim: claim.as_ref().map(Into::into) }
            }
        }
    }
}

impl TryFrom<StoredState> for State {
    type Error = Unreadable;

    fn try_from(stored: StoredState) -> Result<Self, Unreadable> {
        let optional = |claim: Option<StoredClaim>| claim.map(Claim::try_from).transpose();
        Ok(match stored {
            StoredState::Generated => Self::Generated,
            StoredState::Claimed { claim } => Self::Claimed(claim.try_into()?),
            StoredState::Approved { claim, answer } => Self::Approved { claim: claim.try_into()?, answer },
            StoredState::Rejected { claim, at, reason } => Self::Rejected { claim: claim.try_into()?, at, reason },
            StoredState::Expired { at, claim } => Self::Expired { at, claim: optional(claim)? },
            StoredState::Superseded { at, reason, claim } => Self::Superseded { at, reason, claim: optional(claim)? },
        })
    }
}

impl From<&Claim> for StoredClaim {
    fn from(claim: &Claim) -> Self {
        Self {
            by: claim.by.clone(),
            user: claim.user.clone(),
            at: claim.at,
            nonce: claim.nonce.expose(),
            protocol: claim.protocol,
            freshness: claim.freshness,
            near: claim.near,
            match_code: claim.match_code.as_ref().map(|code| code.expose().to_owned()),
            wrong_codes: claim.wrong_codes,
            spent: claim.spent.clone(),
        }
    }
}

impl TryFrom<StoredClaim> for Claim {
    type Error = Unreadable;

    fn try_from(stored: StoredClaim) -> Result<Self, Unreadable> {
        let unreadable = |error: crate::id::InvalidId| Unreadable(error.to_string());
        Ok(Self {
            by: stored.by,
            user: stored.user,
            at: stored.at,
            nonce: ClaimNonce::parse(&stored.nonce).map_err(unreadable)?,
            protocol: stored.protocol,
            freshness: stored.freshness,
            near: stored.near,
            match_code: stored.match_code.map(|code| MatchCode::parse(&code).map_err(unreadable)).transpose()?,
            wrong_codes: stored.wrong_codes,
            spent: stored.spent,
        })
    }
}
