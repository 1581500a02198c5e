//! Three-valued logic: what a condition can come to when a fact may be unknown.

use serde::{Deserialize, Serialize};

/// True, false or unknown, with the operators of Kleene's strong logic.
///
/// `and` is the minimum and `or` the maximum of `False < Unknown < True`, so De Morgan and
/// commutativity hold and the compiler may reorder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tri {
    /// Certainly not.
    #[default]
    False,
    /// Cannot be told from what is known.
    Unknown,
    /// Certainly so.
    True,
}

impl Tri {
    /// Both hold: `False` wins over `Unknown`.
    #[must_use]
    pub fn and(self, other: Tri) -> Tri {
        self.min(other)
    }

    /// At least one holds: `True` wins over `Unknown`.
    #[must_use]
    pub fn or(self, other: Tri) -> Tri {
        self.max(other)
    }

    /// The opposite; the opposite of unknown is unknown.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "reads as the word of the rule language")]
    pub fn not(self) -> Tri {
        match self {
            Tri::False => Tri::True,
            Tri::Unknown => Tri::Unknown,
            Tri::True => Tri::False,
        }
    }

    /// Whether this is certainly true.
    #[must_use]
    pub fn is_true(self) -> bool {
        self == Tri::True
    }

    /// Whether this is certainly false.
    #[must_use]
    pub fn is_false(self) -> bool {
        self == Tri::False
    }

    /// Whether it could not be told.
    #[must_use]
    pub fn is_unknown(self) -> bool {
        self == Tri::Unknown
    }
}

impl From<bool> for Tri {
    fn from(certain: bool) -> Tri {
        if certain { Tri::True } else { Tri::False }
    }
}
