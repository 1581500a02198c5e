//! Why, in full: built on demand, costs nothing when not asked for.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    maybe::Why,
    outcome::Outcome,
    rates::Rate,
    tri::Tri,
    verdict::{DecidedBy, Verdict},
};

/// The explanation of one decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// The answer.
    pub outcome: Outcome,
    /// What settled it.
    pub decided_by: DecidedBy,
    /// The pack's version.
    pub policy_version: String,
    /// The exchange rates by which amounts in two currencies met.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<Rate>,
    /// Every policy that applies to the event, and all of its rules.
    pub policies: Vec<PolicyTrace>,
    /// Conditions any one of which, turned round, would have changed the answer.
    pub would_change: Vec<Turn>,
    /// The verdict explained.
    pub verdict: Verdict,
}

/// One policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyTrace {
    /// Its name.
    pub policy: Arc<str>,
    /// What it alone would have answered.
    pub outcome: Outcome,
    /// What settled it.
    pub decided_by: DecidedBy,
    /// Its rules, in the order of the file.
    pub rules: Vec<RuleTrace>,
}

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleState {
    /// It matched.
    Matched,
    /// It did not.
    NotMatched,
    /// It could not be told.
    Unknown,
    /// It is switched off.
    Off,
    /// The event lies outside `active from … until …`.
    NotActive,
    /// The event's entity is outside the rollout.
    NotRolledOut,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleTrace {
    /// Its name.
    pub rule: Arc<str>,
    /// Its description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Arc<str>>,
    /// `live`, `shadow` or `off`.
    pub mode: String,
    /// Where it stands: `file:line`.
    pub at: String,
    /// What became of it.
    pub state: RuleState,
    /// What it asks for: `challenge`, `score 30`, …
    pub then: String,
    /// Every condition in it.
    pub atoms: Vec<AtomTrace>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AtomTrace {
    /// The condition as written.
    pub text: String,
    /// What it came to.
    pub result: Tri,
    /// Why it could not be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// The values it read.
    pub reads: Vec<Read>,
}

/// One value a condition read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Read {
    /// The field, aggregate or script, as written.
    pub what: String,
    /// Its value as a rule would write it, `21..` for an interval, `unknown (absent)` without one.
    pub value: String,
}

/// A condition that would have changed the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Turn {
    /// The condition as written.
    pub condition: String,
    /// What it would have to be.
    pub becomes: Tri,
    /// The answer then.
    pub outcome: Outcome,
}
