//! What each diagnostic code means.

use super::Severity;

/// The documentation of one diagnostic code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeDoc {
    /// The slug: `unclosed-string`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub summary: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// Source that causes it.
    pub example: &'static str,
    /// The same, written right.
    pub instead: &'static str,
}

/// The codes of the parser.
pub const CODES: &[CodeDoc] = &[];
