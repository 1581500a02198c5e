//! Diagnostics for people (text with carets) and for programs (JSON).

use super::{Applicability, Diagnostic, Label, Severity};
use crate::source::{FileId, SourceFile, SourceMap, Span};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

/// Draws the findings as text with carets, in order of place, an empty line after each. With `color`, in ANSI colours.
///
/// Text of the sources is shown with control characters replaced, so a rule file cannot write to the terminal.
pub fn render_text(diagnostics: &[Diagnostic], sources: &SourceMap, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort();
    let mut out = String::new();
    for finding in sorted {
        // Owned by this loop, since the renderer borrows all of it.
        let report = [group(finding, sources)];
        out.push_str(&renderer.render(&report));
        out.push_str("\n\n");
    }
    out
}

fn group<'a>(finding: &'a Diagnostic, sources: &'a SourceMap) -> Group<'a> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut group = Group::with_title(level.primary_title(printable(&finding.message)).id(finding.code));
    let mut files: Vec<FileId> = Vec::new();
    // The file of the problem first, then those that explain it.
    for label in finding.labels.iter().filter(|label| label.primary).chain(&finding.labels) {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    for file in files.into_iter().filter_map(|id| sources.get(id)) {
        group = group.element(snippet(file, finding));
    }
    for note in &finding.notes {
        group = group.element(Level::NOTE.message(printable(note)));
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    group
}

/// The lines of one file that have labels on them.
fn snippet<'a>(file: &'a SourceFile, finding: &'a Diagnostic) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let labels: Vec<&Label> = finding.labels.iter().filter(|label| label.span.file == file.id).collect();
    let bounds: Vec<(usize, usize)> = labels.iter().map(|label| on_characters(&file.text, label.span)).collect();
    let first = bounds.iter().map(|(start, _)| *start).min().unwrap_or_default();
    let last = bounds.iter().map(|(_, end)| *end).max().unwrap_or_default();
    // Only these lines: the renderer's work grows with what it is given.
    let from = file.text.get(..first).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let until = file
        .text
        .get(last..)
        .and_then(|after| after.find(['\n', '\r']))
        .map_or(file.text.len(), |length| last + length);
    let line = file.position(u32::try_from(from).unwrap_or(u32::MAX)).line;
    let mut snippet = Snippet::source(file.text.get(from..until).unwrap_or_default())
        .line_start(line as usize)
        .path(file.name.as_str());
    for (label, (start, end)) in labels.into_iter().zip(bounds) {
        let kind = if label.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = kind.span(start - from..end - from);
        snippet = snippet.annotation(if label.text.is_empty() {
            annotation
        } else {
            annotation.label(printable(&label.text))
        });
    }
    snippet
}

/// The span's bytes, moved onto character boundaries inside the text.
fn on_characters(text: &str, span: Span) -> (usize, usize) {
    let floor = |offset: u32| {
        let mut offset = (offset as usize).min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    };
    let start = floor(span.start);
    (start, floor(span.end).max(start))
}

/// User text cannot move the cursor or change colours.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// Writes the findings as one JSON array, in order of place, indented.
///
/// Each has `code`, `severity`, `message`, `file`, `line`, `column`, `endLine`, `endColumn` (from 1, in characters, the end
/// exclusive), `offset`, `endOffset` (from 0, in bytes), all these absent when the finding has no place; `labels`, `notes`,
/// and where there is one `help` and `fix`.
pub fn render_json(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort();
    let findings: Vec<JsonFinding> = sorted.into_iter().map(|finding| JsonFinding::of(finding, sources)).collect();
    // Strings and numbers always serialise.
    serde_json::to_string_pretty(&findings).unwrap_or_else(|_| "[]".to_owned())
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    code: &'a str,
    severity: Severity,
    message: &'a str,
    #[serde(flatten)]
    place: Option<JsonPlace<'a>>,
    labels: Vec<JsonLabel<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    notes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<JsonFix<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonPlace<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    offset: u32,
    end_offset: u32,
}

#[derive(Serialize)]
struct JsonLabel<'a> {
    #[serde(flatten)]
    place: Option<JsonPlace<'a>>,
    text: &'a str,
    primary: bool,
}

#[derive(Serialize)]
struct JsonFix<'a> {
    applicability: Applicability,
    edits: Vec<JsonEdit<'a>>,
}

#[derive(Serialize)]
struct JsonEdit<'a> {
    #[serde(flatten)]
    place: Option<JsonPlace<'a>>,
    replacement: &'a str,
}

impl<'a> JsonPlace<'a> {
    fn of(span: Span, sources: &'a SourceMap) -> Option<Self> {
        let file = sources.get(span.file)?;
        let (start, end) = (file.position(span.start), file.position(span.end));
        Some(JsonPlace {
            file: &file.name,
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            offset: span.start,
            end_offset: span.end,
        })
    }
}

impl<'a> JsonFinding<'a> {
    fn of(finding: &'a Diagnostic, sources: &'a SourceMap) -> Self {
        JsonFinding {
            code: finding.code,
            severity: finding.severity,
            message: &finding.message,
            place: finding.span().and_then(|span| JsonPlace::of(span, sources)),
            labels: finding
                .labels
                .iter()
                .map(|label| JsonLabel {
                    place: JsonPlace::of(label.span, sources),
                    text: &label.text,
                    primary: label.primary,
                })
                .collect(),
            help: finding.help.as_deref(),
            notes: &finding.notes,
            fix: finding.fix.as_ref().map(|fix| JsonFix {
                applicability: fix.applicability,
                edits: fix
                    .edits
                    .iter()
                    .map(|edit| JsonEdit { place: JsonPlace::of(edit.span, sources), replacement: &edit.replacement })
                    .collect(),
            }),
        }
    }
}
