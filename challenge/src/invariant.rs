//! What must hold from one state of a challenge to the next (I1 to I11), said apart from the code that makes the steps: the
//! store asks it of every step that it is about to write, in every build.

use jiff::Timestamp;

use crate::credential::{Credential, CredentialStatus};
use crate::state::{Challenge, State, Subject};

/// A promise that a step would break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// What was frozen changed (I9).
    #[error("I9: what a challenge froze never changes")]
    Frozen,
    /// An end was left (I3).
    #[error("I3: a challenge that has ended stays so")]
    LeftAnEnd,
    /// It does not follow the version that it replaces.
    #[error("each change is one version more")]
    Version,
    /// The claim changed or was forgotten (I1).
    #[error("I1: a challenge has one claimer, for good")]
    Claim,
    /// A count went back, or something spent is good again (I10).
    #[error("I10: what was counted is never taken back")]
    Count,
    /// It was claimed or approved too late (I4).
    #[error("I4: nothing is claimed or approved at or after the expiry")]
    Late,
    /// It was claimed or approved by a key that may not (I2, I8, I11).
    #[error("I2, I8, I11: an active key of the claimer's, of the challenge's user and tenant")]
    Signer,
    /// It was approved or declined without a claim before (I2).
    #[error("I2: an answer follows a claim")]
    Unclaimed,
}

/// The first promise that the step from `before` to `after` would break. `signer` is whose request it is, as it is in the
/// transaction that writes the step.
pub fn broken(before: &Challenge, after: &Challenge, signer: Option<&Credential>, now: Timestamp) -> Option<Broken> {
    let (old, new) = (before.frozen(), after.frozen());
    let same = (&old.tenant, old.id, old.kind, &old.subject) == (&new.tenant, new.id, new.kind, &new.subject)
        && (old.created_at, old.expires_at, old.attempts_allowed)
            == (new.created_at, new.expires_at, new.attempts_allowed)
        && old.context == new.context;
    if !same {
        return Some(Broken::Frozen);
    }
    if !before.state().is_open() {
        return Some(Broken::LeftAnEnd);
    }
    if before.version().checked_add(1) != Some(after.version()) {
        return Some(Broken::Version);
    }
    let (claimed, claim) = (before.state().claim(), after.state().claim());
    if let Some(old) = claimed {
        let Some(new) = claim.filter(|new| (&old.by, &old.user, old.at) == (&new.by, &new.user, new.at)) else {
            return Some(Broken::Claim);
        };
        if !old.nonce.matches(&new.nonce) {
            return Some(Broken::Claim);
        }
        if new.wrong_codes < old.wrong_codes || !old.spent.iter().all(|spent| new.spent.contains(spent)) {
            return Some(Broken::Count);
        }
    }
    match after.state() {
        State::Approved { .. } | State::Rejected { .. } if claimed.is_none() => return Some(Broken::Unclaimed),
        // The worker and the screen take what nobody claimed, and nobody signs for it.
        State::Generated | State::Expired { .. } | State::Superseded { .. } => return None,
        State::Claimed(_) | State::Approved { .. } | State::Rejected { .. } => {}
    }
    if now >= new.expires_at {
        return Some(Broken::Late);
    }
    let may = |signer: &Credential| {
        let for_user = match &new.subject {
            Subject::Identified(user) => *user == signer.user,
            Subject::Anonymous => true,
        };
        for_user
            && signer.status == CredentialStatus::Active
            && signer.tenant == new.tenant
            && claim.is_some_and(|claim| claim.by == signer.id && claim.user == signer.user)
    };
    if signer.is_some_and(may) { None } else { Some(Broken::Signer) }
}
