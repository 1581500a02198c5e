//! From what the rules say to what we answer: the tenant's word on users without a device. Pure.

use engine::outcome::{Claimant, Outcome};
use engine::verdict::{Reason, Verdict};

use crate::config::Unenrolled;
use crate::store;

/// What we answer, and how it differs from the verdict.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The answer.
    pub outcome: Outcome,
    /// Public reasons, the rules' first.
    pub reasons: Vec<Reason>,
    /// Flags, the rules' first.
    pub flags: Vec<String>,
    /// The user must enrol a device before the challenge can be answered.
    pub must_enrol: bool,
}

/// Applies the tenant's settings to a verdict. Only an explicit `allow` lets a user without a device through, and the
/// decision says so.
pub fn decide(verdict: &Verdict, has_device: bool, unenrolled: Unenrolled) -> Decided {
    let mut decided = Decided {
        outcome: verdict.outcome,
        reasons: verdict.reasons.clone(),
        flags: verdict.flags.clone(),
        must_enrol: false,
    };
    let locked = verdict.challenge.as_ref().is_none_or(|spec| spec.user == Claimant::Locked);
    if verdict.outcome != Outcome::Challenge || has_device || !locked {
        return decided;
    }
    match unenrolled {
        Unenrolled::Challenge => decided.must_enrol = true,
        Unenrolled::Block => {
            decided.outcome = Outcome::Block;
            decided.reasons.push(reason("UNENROLLED", "No device is enrolled for this user."));
        }
        Unenrolled::Allow => {
            decided.outcome = Outcome::Allow;
            decided.reasons.push(reason("UNENROLLED", "No device is enrolled for this user."));
            decided.flags.push("unenrolled_allowed".to_owned());
        }
    }
    decided
}

fn reason(code: &str, text: &str) -> Reason {
    Reason { code: code.to_owned(), text: text.to_owned(), internal: None, regulation: None }
}

/// An action's first state.
pub fn first_state(outcome: Outcome) -> store::ActionState {
    match outcome {
        Outcome::Allow => store::ActionState::Allow,
        Outcome::Challenge => store::ActionState::ChallengeRequired,
        Outcome::Block => store::ActionState::Block,
    }
}
