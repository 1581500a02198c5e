//! Found, absent, or failed: the three answers a source can give.

use std::fmt;

/// What a source said about one field.
///
/// The difference between [`Known::Absent`] and [`Known::Failed`] is the point of the type: a database that has no
/// entry for an address said something; a database that could not be read said nothing, and a policy must not take
/// its silence for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Known<T> {
    /// The value.
    Found(T),
    /// Every source was read and none has a value: no entry, no such source, or an address that is not public.
    Absent,
    /// A source that may have the value could not be read, so the value is unknown.
    Failed(Failure),
}

/// Why a look-up failed: which file, and what its reader said. Written to the operator, never to an API client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Failure {
    /// The name of the source, as in [`SourceInfo::name`](crate::SourceInfo::name).
    pub source: String,
    /// The reader's message.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.source, self.reason)
    }
}

impl<T> Known<T> {
    /// The value, if there is one.
    pub fn found(self) -> Option<T> {
        match self {
            Known::Found(value) => Some(value),
            Known::Absent | Known::Failed(_) => None,
        }
    }

    /// The same answer about a borrowed value.
    pub fn as_ref(&self) -> Known<&T> {
        match self {
            Known::Found(value) => Known::Found(value),
            Known::Absent => Known::Absent,
            Known::Failed(failure) => Known::Failed(failure.clone()),
        }
    }

    /// The same answer about a value made from this one.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Known::Found(value) => Known::Found(make(value)),
            Known::Absent => Known::Absent,
            Known::Failed(failure) => Known::Failed(failure),
        }
    }

    /// This answer if it is a value, otherwise the next source's; a failure outlives an absence.
    pub fn or_else(self, next: impl FnOnce() -> Known<T>) -> Known<T> {
        match self {
            Known::Found(value) => Known::Found(value),
            Known::Absent => next(),
            Known::Failed(failure) => match next() {
                Known::Found(value) => Known::Found(value),
                Known::Absent | Known::Failed(_) => Known::Failed(failure),
            },
        }
    }
}

impl Known<bool> {
    /// Listed by either: true wins, then failure, then false. Absent only if neither source covers the question.
    pub fn or(self, other: Known<bool>) -> Known<bool> {
        match (self, other) {
            (Known::Found(true), _) | (_, Known::Found(true)) => Known::Found(true),
            (Known::Failed(failure), _) | (_, Known::Failed(failure)) => Known::Failed(failure),
            (Known::Found(false), _) | (_, Known::Found(false)) => Known::Found(false),
            (Known::Absent, Known::Absent) => Known::Absent,
        }
    }
}
