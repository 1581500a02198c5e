//! What is wrong, where, and what to do: one value for every reader.
//!
//! The same [`Diagnostic`] is drawn as text for a terminal ([`render_text`]), written as JSON for a build server
//! ([`render_json`]), and shown in an editor. The parser makes them, and so does every later stage.

pub mod codes;
mod findings;
mod render;

pub(crate) use findings::{Findings, MOST_FINDINGS};
pub use render::{render_json, render_text};

use crate::source::Span;
use serde::Serialize;
use std::cmp::Ordering;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The pack cannot be used.
    Error,
    /// It can be used, and is probably not what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// The word shown to people.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// One finding.
///
/// ```
/// use grammar::{Diagnostic, SourceMap, Span, render_text};
/// let mut sources = SourceMap::default();
/// let file = sources.add("a.rules", "let home = ip.contry\n");
/// let finding = Diagnostic::error("unknown-signal", "there is no signal `ip.contry`")
///     .at(Span::new(file, 11, 20), "not a signal")
///     .suggest("did you mean `ip.country`?", Span::new(file, 11, 20), "ip.country");
/// assert!(render_text(&[finding], &sources, false).contains("^^^^^^^^^ not a signal"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// A stable, readable slug: `unknown-signal`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// One fact: lower case, no full stop, user text in backticks.
    pub message: String,
    /// Where. The first primary one is the place.
    pub labels: Vec<Label>,
    /// What to do next.
    pub help: Option<String>,
    /// More to know.
    pub notes: Vec<String>,
    /// Edits that would do it.
    pub fix: Option<Fix>,
}

/// A marked piece of source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label {
    /// Which piece.
    pub span: Span,
    /// What about it; may be empty.
    pub text: String,
    /// Whether this is where the problem is, rather than something that explains it.
    pub primary: bool,
}

/// What would resolve a finding: edits to be made together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fix {
    /// In order of place, not overlapping.
    pub edits: Vec<Edit>,
    /// How sure we are.
    pub applicability: Applicability,
}

/// A piece of source to be replaced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edit {
    /// What to replace; empty to insert.
    pub span: Span,
    /// What to put there.
    pub replacement: String,
}

/// How sure a [`Fix`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Applicability {
    /// It is what was meant; a tool may apply it unasked. In JSON `machine-applicable`.
    #[serde(rename = "machine-applicable")]
    Certain,
    /// It is probably what was meant; ask first. In JSON `maybe`.
    #[serde(rename = "maybe")]
    Likely,
}

impl Diagnostic {
    /// A finding that makes the pack unusable.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, message)
    }

    /// A finding that is probably a mistake.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, message)
    }

    /// Something worth knowing.
    pub fn note(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Note, message)
    }

    fn new(code: &'static str, severity: Severity, message: impl Into<String>) -> Self {
        let message = message.into();
        Diagnostic { code, severity, message, labels: Vec::new(), help: None, notes: Vec::new(), fix: None }
    }

    /// Marks where the problem is. `text` may be empty.
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into(), primary: true });
        self
    }

    /// Marks something that explains the problem.
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into(), primary: false });
        self
    }

    /// Says what to do next.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Adds something to know.
    pub fn with_note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Says what to do next and offers the edit that probably does it.
    pub fn suggest(self, help: impl Into<String>, span: Span, replacement: impl Into<String>) -> Self {
        self.with_fix(help, span, replacement, Applicability::Likely)
    }

    /// Says what to do next and offers the edit that does it for certain.
    pub fn correct(self, help: impl Into<String>, span: Span, replacement: impl Into<String>) -> Self {
        self.with_fix(help, span, replacement, Applicability::Certain)
    }

    /// Says what to do next and offers the edit that does it, as sure as `applicability` says.
    pub fn with_fix(
        self,
        help: impl Into<String>,
        span: Span,
        replacement: impl Into<String>,
        applicability: Applicability,
    ) -> Self {
        self.with_edits(help, [(span, replacement)], applicability)
    }

    /// Says what to do next and offers the edits that do it together. They do not overlap.
    pub fn with_edits(
        mut self,
        help: impl Into<String>,
        edits: impl IntoIterator<Item = (Span, impl Into<String>)>,
        applicability: Applicability,
    ) -> Self {
        self.help = Some(help.into());
        let edits = edits.into_iter().map(|(span, replacement)| Edit { span, replacement: replacement.into() });
        let mut edits: Vec<Edit> = edits.collect();
        edits.sort();
        self.fix = Some(Fix { edits, applicability });
        self
    }

    /// Offers the candidate closest to `name` in place of what is at `span`, if one is close.
    pub fn near<'n>(self, name: &str, span: Span, candidates: impl IntoIterator<Item = &'n str>) -> Self {
        match crate::nearest::meant(name, candidates) {
            Some((near, sure)) => self.with_fix(format!("did you mean `{near}`?"), span, near, sure),
            None => self,
        }
    }

    /// Says what to do next unless that has been said.
    pub fn or_help(mut self, text: impl Into<String>) -> Self {
        self.help.get_or_insert_with(|| text.into());
        self
    }

    /// The edits that a tool may make unasked, if there are any.
    pub fn certain_fix(&self) -> Option<&Fix> {
        self.fix.as_ref().filter(|fix| fix.applicability == Applicability::Certain)
    }

    /// Where the problem is: the first primary label.
    pub fn span(&self) -> Option<Span> {
        self.labels.iter().find(|label| label.primary).or(self.labels.first()).map(|label| label.span)
    }

    /// Whether both speak of the same place.
    pub(crate) fn starts_where(&self, other: &Diagnostic) -> bool {
        self.span().map(|span| (span.file, span.start)) == other.span().map(|span| (span.file, span.start))
    }

    /// Whether it makes the pack unusable.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl Ord for Diagnostic {
    /// By file and position, then the worse first, then by code and message. Findings without a place come first.
    fn cmp(&self, other: &Self) -> Ordering {
        let place = |finding: &Diagnostic| finding.span().map(|span| (span.file, span.start, span.end));
        let rest = |finding: &Diagnostic| (finding.severity, finding.code);
        place(self)
            .cmp(&place(other))
            .then_with(|| rest(self).cmp(&rest(other)))
            .then_with(|| self.message.cmp(&other.message))
    }
}

impl PartialOrd for Diagnostic {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
