//! Findings as SARIF 2.1.0 (OASIS, 27 March 2020), for code scanning services and editors.

use engine::Compilation;
use engine::check::codes;
use grammar::diagnostic::codes::CodeDoc;
use grammar::{Applicability, Diagnostic, Edit, Label, Severity, SourceMap, Span};
use serde_json::{Map, Value, json};

use crate::output;

const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// Prints the findings.
pub fn print(compilation: &Compilation) -> anyhow::Result<()> {
    let rules = codes::all();
    let mut findings: Vec<&Diagnostic> = compilation.diagnostics.iter().collect();
    findings.sort();
    let results: Vec<Value> =
        findings.into_iter().map(|finding| result(finding, &rules, &compilation.sources)).collect();
    output::json(&json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "stepup",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": REPOSITORY,
                "rules": rules.iter().map(|doc| rule(doc)).collect::<Vec<Value>>(),
            }},
            "columnKind": "unicodeCodePoints",
            // A pack with errors is what was looked for; we did not fail.
            "invocations": [{"executionSuccessful": true}],
            "results": results,
        }],
    }))
}

fn rule(doc: &CodeDoc) -> Value {
    let text = format!("{}\n\n{}", doc.meaning, doc.why);
    let block = |text: &str| format!("```\n{}\n```", text.trim_end());
    let markdown = format!("{text}\n\nExample:\n\n{}\n\nInstead:\n\n{}", block(doc.example), block(doc.instead));
    json!({
        "id": doc.code,
        "shortDescription": {"text": doc.summary},
        "fullDescription": {"text": doc.meaning},
        "help": {"text": text, "markdown": markdown},
        "helpUri": format!("{REPOSITORY}/blob/main/docs/diagnostics/{}.md", doc.code),
        "defaultConfiguration": {"level": doc.severity.name()},
    })
}

fn result(finding: &Diagnostic, rules: &[&CodeDoc], sources: &SourceMap) -> Value {
    let mut text = finding.message.clone();
    for more in finding.notes.iter().chain(&finding.help) {
        text += "\n";
        text += more.trim_start();
    }
    let mut result = json!({
        "ruleId": finding.code,
        "level": level(finding.severity),
        "message": message(&text),
    });
    if let Some(index) = rules.iter().position(|doc| doc.code == finding.code) {
        result["ruleIndex"] = index.into();
    }
    let place = |label: &Label, id: Option<usize>| {
        let mut location = json!({"physicalLocation": physical(label.span, sources)?});
        if !label.text.is_empty() {
            location["message"] = message(&label.text);
        }
        if let Some(id) = id {
            location["id"] = id.into();
        }
        Some(location)
    };
    let (primary, related): (Vec<&Label>, Vec<&Label>) = finding.labels.iter().partition(|label| label.primary);
    let locations: Vec<Value> = primary.into_iter().filter_map(|label| place(label, None)).collect();
    if !locations.is_empty() {
        result["locations"] = locations.into();
    }
    let related: Vec<Value> =
        related.into_iter().enumerate().filter_map(|(index, label)| place(label, Some(index + 1))).collect();
    if !related.is_empty() {
        result["relatedLocations"] = related.into();
    }
    if let Some(fix) = &finding.fix {
        let mut files: Vec<&Edit> = fix.edits.iter().collect();
        files.dedup_by_key(|edit| edit.span.file);
        let changes: Vec<Value> = files
            .into_iter()
            .map(|first| {
                let edits = fix.edits.iter().filter(|edit| edit.span.file == first.span.file);
                json!({
                    "artifactLocation": {"uri": uri(sources.name(first.span.file))},
                    "replacements": edits.map(|edit| replacement(edit, sources)).collect::<Vec<Value>>(),
                })
            })
            .collect();
        let sure = match fix.applicability {
            Applicability::Certain => "machine-applicable",
            Applicability::Likely => "maybe",
        };
        result["fixes"] = json!([{
            "description": message(finding.help.as_deref().unwrap_or(&finding.message)),
            "artifactChanges": changes,
            "properties": {"applicability": sure},
        }]);
    }
    result
}

fn replacement(edit: &Edit, sources: &SourceMap) -> Value {
    json!({"deletedRegion": region(edit.span, sources), "insertedContent": {"text": edit.replacement}})
}

fn physical(span: Span, sources: &SourceMap) -> Option<Value> {
    let file = sources.get(span.file)?;
    Some(json!({"artifactLocation": {"uri": uri(&file.name)}, "region": region(span, sources)}))
}

/// Lines and columns from 1, in characters; the end is behind the last one.
fn region(span: Span, sources: &SourceMap) -> Value {
    let mut region = Map::new();
    if let (Some(start), Some(end)) = (sources.position(span), sources.position(span.after())) {
        region.insert("startLine".to_owned(), start.line.into());
        region.insert("startColumn".to_owned(), start.column.into());
        region.insert("endLine".to_owned(), end.line.into());
        region.insert("endColumn".to_owned(), end.column.into());
    }
    region.into()
}

/// In messages, braces stand for arguments and are doubled (§3.11.5).
fn message(text: &str) -> Value {
    json!({"text": text.replace('{', "{{").replace('}', "}}")})
}

fn level(severity: Severity) -> &'static str {
    severity.name()
}

/// A path as a URI reference: relative as seen from here, or absolute with its scheme.
fn uri(path: &str) -> String {
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    let mut uri = scheme.to_owned();
    for byte in path.trim_start_matches("./").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            // Windows' separator.
            b'\\' => uri.push('/'),
            other => uri += &format!("%{other:02X}"),
        }
    }
    uri
}
