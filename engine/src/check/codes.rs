//! What each diagnostic code of the checker means.

use grammar::diagnostic::codes::CodeDoc;

/// The codes of the checker.
pub const CODES: &[CodeDoc] = &[];
