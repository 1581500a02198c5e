//! What the engine says about one event.

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    maybe::{Maybe, Why},
    outcome::{Claimant, Level, Outcome, Severity},
    value::Value,
};

/// The engine's answer, with everything that led to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The answer.
    pub outcome: Outcome,
    /// What settled it.
    pub decided_by: DecidedBy,
    /// Every live rule that matched, in the order of policies and rules in the pack.
    pub rules: Vec<RuleHit>,
    /// Reasons of the rules that matched, each once, then those of unknown rules that raised the answer.
    pub reasons: Vec<Reason>,
    /// Flags set by the rules that matched, sorted, each once.
    pub flags: Vec<String>,
    /// The highest severity of the rules that matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// What could not be told, rule by rule.
    pub unknown: Vec<UnknownAtom>,
    /// Shadow rules that would have matched.
    pub shadow: Vec<RuleHit>,
    /// The answer there would have been, had every shadow rule been live.
    pub shadow_outcome: Outcome,
    /// The challenge to issue, when the answer is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<ChallengeSpec>,
    /// Entries to add to lists once the decision is durable.
    pub effects: Vec<ListEffect>,
    /// What each script returned, so that a replay need not run it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scripts: Vec<ScriptResult>,
    /// Total and thresholds of each policy that scores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<Score>,
}

/// What settled the answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum DecidedBy {
    /// The rule with this name matched.
    Rule(Arc<str>),
    /// No rule matched: the policy's `default`.
    Default,
    /// A rule could not be told, which raised the answer to a challenge.
    Unknown,
    /// The total of a policy that scores.
    Score,
}

impl DecidedBy {
    /// The rule's name, or `default`, `unknown`, `score`.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            DecidedBy::Rule(name) => name,
            DecidedBy::Default => "default",
            DecidedBy::Unknown => "unknown",
            DecidedBy::Score => "score",
        }
    }
}

impl Serialize for DecidedBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl From<String> for DecidedBy {
    fn from(word: String) -> DecidedBy {
        match word.as_str() {
            "default" => DecidedBy::Default,
            "unknown" => DecidedBy::Unknown,
            "score" => DecidedBy::Score,
            name => DecidedBy::Rule(name.into()),
        }
    }
}

/// A rule that matched (or, in shadow, would have).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleHit {
    /// Its policy.
    pub policy: Arc<str>,
    /// Its name.
    pub rule: Arc<str>,
    /// What it asks for; none for `nothing` and for a score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The points it adds, in a policy that scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<i64>,
    /// Whether it is an exemption (`allow final`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exemption: bool,
}

impl RuleHit {
    /// `allow`, `challenge`, `block`, `score 30` or `nothing`.
    #[must_use]
    pub fn word(&self) -> String {
        match (self.outcome, self.score) {
            (Some(outcome), _) => outcome.word().to_owned(),
            (None, Some(points)) => format!("score {points}"),
            (None, None) => "nothing".to_owned(),
        }
    }
}

/// Why the answer is what it is, for people and machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// The declared code, or `UNKNOWN:<rule>:<field>`.
    pub code: String,
    /// The text that may be shown to the user.
    pub text: String,
    /// The text for analysts and auditors only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal: Option<String>,
    /// The regulation it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regulation: Option<String>,
}

/// Something a rule needed and did not get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnknownAtom {
    /// The policy of the rule.
    pub policy: Arc<str>,
    /// The rule that could not be told.
    pub rule: Arc<str>,
    /// The field, aggregate or script.
    pub atom: Arc<str>,
    /// Why it is unknown.
    pub why: Why,
}

/// The challenge to issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChallengeSpec {
    /// `qr`.
    pub method: String,
    /// How strong a proof.
    pub level: Level,
    /// The fields hashed into what the phone signs (dynamic linking, PSD2 RTS Art. 5).
    pub bind: Vec<FieldText>,
    /// The fields shown on the phone; always includes every bound one.
    pub show: Vec<FieldText>,
    /// How long it stays open, in seconds; the tenant's default when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_s: Option<u32>,
    /// How many answers may fail; the tenant's default when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Whose phone may answer.
    pub user: Claimant,
}

/// A field and its value as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldText {
    /// The field's path, as in the rule.
    pub path: Arc<str>,
    /// Its value (`20.00 EUR`); none when the field is missing.
    pub value: Option<String>,
}

/// An entry to add to a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListEffect {
    /// The list, without `@`.
    pub list: Arc<str>,
    /// The entry.
    pub value: String,
    /// For how many seconds it stays.
    pub for_s: u64,
    /// The rule that adds it.
    pub rule: Arc<str>,
}

/// What a script returned for these arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScriptResult {
    /// The script's name and arguments, as in `payee_similarity("p1", "p2")`.
    pub call: String,
    /// Its value, or why there is none.
    pub result: Maybe<Value>,
}

/// How a policy that scores came to its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    /// The policy.
    pub policy: Arc<str>,
    /// The saturating sum of the points of matching rules.
    pub total: i64,
}
