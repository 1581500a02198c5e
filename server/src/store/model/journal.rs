use jiff::Timestamp;

use super::{ActionCode, ActionState, DecisionId, IdempotencyKey, Seq, TenantId, UserId};

/// One step of what happened, in commit order: what history is rebuilt from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalEntry {
    /// An event was decided.
    Event {
        /// The decision's audit entry.
        seq: Seq,
        /// Whose.
        tenant: TenantId,
        /// Which decision.
        decision: DecisionId,
        /// The line that `NewDecision::event_line` held.
        line: String,
    },
    /// An earlier event's fate became known.
    Settled(Settled),
}

impl JournalEntry {
    /// The audit entry of this step; `journal(from)` goes on after it.
    pub fn seq(&self) -> Seq {
        match self {
            JournalEntry::Event { seq, .. } => *seq,
            JournalEntry::Settled(settled) => settled.seq,
        }
    }
}

/// How an earlier event ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // Fields mean what they mean in `Decision`.
pub struct Settled {
    pub seq: Seq,
    pub tenant: TenantId,
    pub decision: DecisionId,
    pub user: UserId,
    pub action: ActionCode,
    pub idempotency_key: IdempotencyKey,
    pub how: Settlement,
    pub at: Timestamp,
}

/// The end of an event's challenge, or a state set from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The challenge was approved.
    Succeeded,
    /// The challenge was rejected.
    Declined,
    /// Nobody answered in time.
    Expired,
    /// A newer challenge, or a change of the action, took this one's place.
    Superseded,
    /// The backend set the action's state.
    Set(ActionState),
}

/// A refusal to write down.
#[derive(Debug, Clone)]
pub struct NewRefusal {
    /// Whose door it was.
    pub tenant: TenantId,
    /// What was refused: `claim`, `api`, `enrol`, …
    pub what: String,
    /// The error's code.
    pub code: String,
    /// What else may be said for ever: nothing personal.
    pub facts: std::collections::BTreeMap<String, String>,
    /// When.
    pub at: Timestamp,
}

impl Settlement {
    /// The word it is written down as.
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Declined => "declined",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::Set(state) => state.as_str(),
        }
    }

    /// Reads [`Self::word`].
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "succeeded" => Some(Self::Succeeded),
            "declined" => Some(Self::Declined),
            "expired" => Some(Self::Expired),
            "superseded" => Some(Self::Superseded),
            state => ActionState::parse(state).map(Self::Set),
        }
    }
}
