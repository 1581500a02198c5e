//! The three answers and their one order.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the engine answers. `Allow < Challenge < Block`; combining is the maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The action goes ahead.
    Allow,
    /// The action goes ahead once the challenge is passed.
    Challenge,
    /// The action is refused.
    Block,
}

impl Outcome {
    /// The word used in rules and on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Allow => "allow",
            Outcome::Challenge => "challenge",
            Outcome::Block => "block",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How strong a proof a challenge asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The phone holding the key.
    #[default]
    Possession,
    /// The phone, unlocked by its owner's body.
    Biometric,
}

impl Level {
    /// Every level, weakest first.
    pub const ALL: [Level; 2] = [Level::Possession, Level::Biometric];

    /// The word used in rules.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Level::Possession => "possession",
            Level::Biometric => "biometric",
        }
    }
}

/// Whose phone may answer a challenge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claimant {
    /// Whoever scans it; the answer tells who that is.
    Anonymous,
    /// Only a device of the event's user.
    #[default]
    Locked,
}

impl Claimant {
    /// Both.
    pub const ALL: [Claimant; 2] = [Claimant::Anonymous, Claimant::Locked];

    /// The word used in rules.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Claimant::Anonymous => "anonymous",
            Claimant::Locked => "locked",
        }
    }
}

/// How loudly a match should be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For the record.
    Low,
    /// Worth a look.
    Medium,
    /// Look today.
    High,
    /// Look now.
    Critical,
}

impl Severity {
    /// Every severity, mildest first.
    pub const ALL: [Severity; 4] = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// The word used in rules.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// The severity with this name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|severity| severity.word() == word)
    }
}
