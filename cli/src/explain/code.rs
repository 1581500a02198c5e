//! What a diagnostic code means, and which there are.

use std::io::Write;

use engine::check::codes;
use grammar::diagnostic::codes::CodeDoc;
use serde_json::{Value, json};

use super::manual;
use crate::exit::Exit;
use crate::output::{self, Format, JSON_VERSION, counted};

/// How many codes a misspelt one may have meant.
const MOST_NEAR: usize = 3;

/// One line for each code.
pub fn list(format: Format) -> anyhow::Result<Exit> {
    let all = codes::all();
    if format == Format::Json {
        let listed: Vec<Value> = all
            .iter()
            .map(|doc| json!({"code": doc.code, "severity": doc.severity.name(), "summary": doc.summary}))
            .collect();
        output::json(&json!({"version": JSON_VERSION, "codes": listed}))?;
        return Ok(Exit::Fine);
    }
    let mut out = output::stdout();
    let width = all.iter().map(|doc| doc.code.len()).max().unwrap_or_default();
    for doc in &all {
        writeln!(out, "{:<width$}  {:<7}  {}", doc.code, doc.severity.name(), doc.summary)?;
    }
    writeln!(out, "\n{}; `stepup explain CODE` says more about one", counted(all.len(), "code"))?;
    out.flush()?;
    Ok(Exit::Fine)
}

/// Says what the code means, why it matters, shows an example and what to write instead.
pub fn explain(code: &str, format: Format) -> anyhow::Result<Exit> {
    let all = codes::all();
    // As `check` prints it, or with its severity and message.
    let wanted = code.trim();
    let wanted = wanted.split_once('[').map_or(wanted, |(_, inner)| inner.split(']').next().unwrap_or(inner));
    let wanted = wanted.trim_matches('`').to_lowercase().replace('_', "-");
    let Some(doc) = all.iter().find(|doc| doc.code == wanted) else {
        let near = near(&wanted, &all);
        let hint = match near.as_slice() {
            [] => "`stepup explain` lists the codes; a pack is explained with `--event FILE`".to_owned(),
            near => format!(
                "did you mean {}?",
                near.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(" or ")
            ),
        };
        eprintln!("stepup: there is no diagnostic `{wanted}`; {hint}");
        return Ok(Exit::Usage);
    };
    if format == Format::Json {
        output::json(&json!({
            "version": JSON_VERSION,
            "code": doc.code,
            "severity": doc.severity.name(),
            "summary": doc.summary,
            "meaning": doc.meaning,
            "why": doc.why,
            "example": doc.example,
            "instead": doc.instead,
            "manual": manual::place(doc.code),
        }))?;
        return Ok(Exit::Fine);
    }
    let mut out = output::stdout();
    writeln!(out, "{}[{}]: {}", doc.severity.name(), doc.code, doc.summary)?;
    let parts = [
        ("What it means", doc.meaning),
        ("Why it matters", doc.why),
        ("Example", doc.example),
        ("Instead", doc.instead),
    ];
    for (title, text) in parts.into_iter().filter(|(_, text)| !text.is_empty()) {
        writeln!(out, "\n{title}")?;
        for line in text.lines() {
            writeln!(out, "{}", format!("  {line}").trim_end())?;
        }
    }
    writeln!(out, "\nThe manual of the language: {}", manual::place(doc.code))?;
    out.flush()?;
    Ok(Exit::Fine)
}

/// The codes that may have been meant: those that differ in a slip, else those that share most words.
fn near(wanted: &str, all: &[&'static CodeDoc]) -> Vec<&'static str> {
    let mut near: Vec<&str> = Vec::new();
    while near.len() < MOST_NEAR {
        let rest = all.iter().map(|doc| doc.code).filter(|code| !near.contains(code));
        let Some(next) = grammar::nearest(wanted, rest) else { break };
        near.push(next);
    }
    if !near.is_empty() {
        return near;
    }
    let words: Vec<&str> = wanted.split(['-', ' ']).filter(|word| word.len() > 2).collect();
    let shared = |doc: &CodeDoc| {
        let of_code: Vec<&str> = doc.code.split('-').collect();
        words.iter().filter(|word| of_code.contains(word) || doc.code.contains(**word)).count()
    };
    let mut ranked: Vec<(usize, &'static str)> =
        all.iter().map(|doc| (shared(doc), doc.code)).filter(|(count, _)| *count > 0).collect();
    ranked.sort_by_key(|(count, code)| (std::cmp::Reverse(*count), *code));
    ranked.into_iter().take(MOST_NEAR).map(|(_, code)| code).collect()
}
