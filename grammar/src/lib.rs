//! Rule text to a syntax tree, the formatter, and the diagnostics type.
//!
//! ```
//! use grammar::{SourceMap, parse, render_text};
//!
//! let mut sources = SourceMap::default();
//! let id = sources.add("fallback.rules", "policy fallback on any { default challenge qr }");
//! let parsed = parse(sources.get(id).expect("it was just added"));
//! assert!(parsed.diagnostics.is_empty(), "{}", render_text(&parsed.diagnostics, &sources, false));
//! ```

pub mod source;

mod scan;
mod trivia;

mod amend;
mod expected;
mod lower;
mod parse;
mod recover;

pub mod ast;

mod format;

pub mod diagnostic;
mod mend;
mod nearest;

pub use diagnostic::{Applicability, Diagnostic, Edit, Fix, Label, Severity, render_json, render_text};
pub use expected::{RESERVED, keywords};
pub use format::format;
pub use mend::{Fixed, Mended, mend};
pub use nearest::{meant, nearest};
pub use parse::{Parsed, parse, parse_bytes, parse_bytes_within};
pub use source::{FileId, Position, SourceFile, SourceMap, Span};

/// How many brackets and `not`s may be around one place in rule text.
pub const MAX_NESTING: usize = 64;

/// How many operators `+`, `-`, `*`, `/`, `??` may be around one value: in its own chain, and in those around it.
pub const MAX_OPERATORS: usize = 250;

/// The deepest expression tree [`parse`] gives, counted in nodes. Walks over a tree may recurse.
pub const MAX_EXPRESSION_DEPTH: usize = 600;

/// The largest file [`parse`] reads, in bytes.
pub const MAX_FILE_BYTES: usize = 1 << 20;
