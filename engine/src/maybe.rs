//! A fact that may be unknown, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a value is unknown. Each cause is named in the trace; none becomes a silent `false` or `0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The event, the user or the data base has no such value.
    Absent,
    /// The window has not seen enough of the past yet.
    WarmingUp,
    /// The counter keeps only as much as its thresholds need, and the answer lies beyond.
    Saturated,
    /// A look-up failed or timed out.
    LookupFailed,
    /// The value is known, but not finely enough for this question.
    LowPrecision,
    /// A script failed or ran out of its budget.
    ScriptError,
    /// The arithmetic left the range of its type.
    Overflow,
    /// Amounts in two currencies met.
    CurrencyMismatch,
    /// The store of windows is full and this key is new to it.
    Quota,
}

impl Why {
    /// Every cause.
    pub const ALL: [Why; 9] = [
        Why::Absent,
        Why::WarmingUp,
        Why::Saturated,
        Why::LookupFailed,
        Why::LowPrecision,
        Why::ScriptError,
        Why::Overflow,
        Why::CurrencyMismatch,
        Why::Quota,
    ];

    /// The slug used in decisions, traces and the audit log.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Why::Absent => "absent",
            Why::WarmingUp => "warming_up",
            Why::Saturated => "saturated",
            Why::LookupFailed => "lookup_failed",
            Why::LowPrecision => "low_precision",
            Why::ScriptError => "script_error",
            Why::Overflow => "overflow",
            Why::CurrencyMismatch => "currency_mismatch",
            Why::Quota => "quota",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

/// A value, or the reason why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Maybe<T> {
    /// The value is known.
    Known(T),
    /// It is not, for this reason.
    Unknown(Why),
}

impl<T> Maybe<T> {
    /// The value, if known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Maybe::Known(value) => Some(value),
            Maybe::Unknown(_) => None,
        }
    }

    /// The reason, if unknown.
    pub fn why(&self) -> Option<Why> {
        match self {
            Maybe::Known(_) => None,
            Maybe::Unknown(why) => Some(*why),
        }
    }

    /// Borrows the inside.
    pub fn as_ref(&self) -> Maybe<&T> {
        match self {
            Maybe::Known(value) => Maybe::Known(value),
            Maybe::Unknown(why) => Maybe::Unknown(*why),
        }
    }

    /// Applies `f` to a known value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Maybe<U> {
        match self {
            Maybe::Known(value) => Maybe::Known(f(value)),
            Maybe::Unknown(why) => Maybe::Unknown(why),
        }
    }

    /// Applies `f`, which may itself not know, to a known value.
    pub fn and_then<U>(self, f: impl FnOnce(T) -> Maybe<U>) -> Maybe<U> {
        match self {
            Maybe::Known(value) => f(value),
            Maybe::Unknown(why) => Maybe::Unknown(why),
        }
    }
}

impl<T> From<Option<T>> for Maybe<T> {
    /// `None` is `absent`.
    fn from(value: Option<T>) -> Maybe<T> {
        match value {
            Some(value) => Maybe::Known(value),
            None => Maybe::Unknown(Why::Absent),
        }
    }
}

impl<T> Default for Maybe<T> {
    /// Nothing was looked up: absent.
    fn default() -> Maybe<T> {
        Maybe::Unknown(Why::Absent)
    }
}
