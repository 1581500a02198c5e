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

mod parse;

pub mod ast;

mod format;

pub mod diagnostic;
mod nearest;

pub use diagnostic::{Applicability, Diagnostic, Fix, Label, Severity, render_json, render_text};
pub use format::format;
pub use nearest::nearest;
pub use parse::{Parsed, parse};
pub use source::{FileId, Position, SourceFile, SourceMap, Span};

/// The deepest expression tree [`parse`] gives, counted in nodes. Walks over a tree may recurse.
pub const MAX_EXPRESSION_DEPTH: usize = 128;
