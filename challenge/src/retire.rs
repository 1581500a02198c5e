//! A challenge ends without an answer.

use jiff::Timestamp;

use crate::state::{Challenge, Effect, State, Supersession, Transition};

/// Why a challenge does not expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExpireError {
    /// Its time is not over.
    #[error("the challenge has not expired yet")]
    StillOpen,
    /// It ended otherwise before.
    #[error("the challenge has already ended")]
    Ended,
}

/// Why a challenge is not taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SupersedeError {
    /// A newer QR does not take a challenge away from the phone that holds it.
    #[error("the challenge is claimed, let it finish")]
    Claimed,
    /// Its time is over; expire it instead.
    #[error("the challenge has expired")]
    Expired,
    /// It ended otherwise before.
    #[error("the challenge has already ended")]
    Ended,
}

impl Challenge {
    /// Ends an open challenge whose time is over.
    pub fn expire(&self, now: Timestamp) -> Result<Transition, ExpireError> {
        let claim = match &self.state {
            State::Generated => None,
            State::Claimed(claim) => Some(claim.clone()),
            State::Expired { .. } => return Ok(self.unchanged(Effect::Repeated)),
            State::Approved { .. } | State::Rejected { .. } | State::Superseded { .. } => {
                return Err(ExpireError::Ended);
            }
        };
        if now < self.frozen.expires_at {
            return Err(ExpireError::StillOpen);
        }
        Ok(self.moved_to(State::Expired { at: now, claim }, Effect::Moved))
    }

    /// Takes an open challenge back.
    pub fn supersede(&self, reason: Supersession, now: Timestamp) -> Result<Transition, SupersedeError> {
        let claim = match (&self.state, reason) {
            (State::Generated, _) => None,
            (State::Claimed(_), Supersession::Refreshed) => return Err(SupersedeError::Claimed),
            (State::Claimed(claim), Supersession::ActionChanged | Supersession::Cancelled) => Some(claim.clone()),
            (State::Superseded { .. }, _) => return Ok(self.unchanged(Effect::Repeated)),
            (State::Approved { .. } | State::Rejected { .. } | State::Expired { .. }, _) => {
                return Err(SupersedeError::Ended);
            }
        };
        if now >= self.frozen.expires_at {
            return Err(SupersedeError::Expired);
        }
        Ok(self.moved_to(State::Superseded { at: now, reason, claim }, Effect::Moved))
    }
}
