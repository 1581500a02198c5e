//! A tree as text, without spans: for reading in a corpus and for comparing two trees.

use super::File;
use serde_json::Value;
use std::fmt::Write;

/// How wide a node may be before it is broken into lines.
const WIDTH: usize = 110;

/// Whether two files say the same thing, wherever they say it.
pub fn same_meaning(left: &File, right: &File) -> bool {
    match (serde_json::to_value(left), serde_json::to_value(right)) {
        (Ok(left), Ok(right)) => left == right,
        _ => false,
    }
}

/// The tree as indented text, one node per line where it does not fit on one.
pub fn dump(file: &File) -> String {
    let mut out = String::new();
    // A tree of strings, booleans and enums always serialises; the depth is bounded by the parser.
    if let Ok(Value::Object(root)) = serde_json::to_value(file)
        && let Some(Value::Array(items)) = root.get("items")
    {
        for item in items {
            write_node(&mut out, item, 0);
            out.push('\n');
        }
    }
    out
}

fn write_node(out: &mut String, node: &Value, indent: usize) {
    let line = one_line(node);
    if line.len() + indent <= WIDTH {
        out.push_str(&line);
        return;
    }
    let inner = indent + 2;
    match node {
        Value::Object(entries) => {
            let variant = entries.len() == 1 && entries.keys().all(|key| is_variant(key));
            for (index, (key, value)) in shown(entries).into_iter().enumerate() {
                if variant {
                    let _ = write!(out, "{key} ");
                    write_node(out, value, indent);
                } else {
                    let lead = if index == 0 { "{" } else { "" };
                    let _ = write!(out, "{lead}\n{:inner$}{key}: ", "");
                    write_node(out, value, inner);
                }
            }
            if !variant {
                let _ = write!(out, "\n{:indent$}}}", "");
            }
        }
        Value::Array(elements) => {
            out.push('[');
            for element in elements {
                let _ = write!(out, "\n{:inner$}", "");
                write_node(out, element, inner);
            }
            let _ = write!(out, "\n{:indent$}]", "");
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push_str(&line),
    }
}

fn one_line(node: &Value) -> String {
    match node {
        Value::Null => "none".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(value) if is_variant(value) => value.clone(),
        Value::String(value) => format!("{value:?}"),
        Value::Array(elements) => format!("[{}]", elements.iter().map(one_line).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            if let (1, Some((key, value))) = (entries.len(), entries.iter().next()) {
                // A name or a number is its text; a variant reads `Variant content`.
                return if is_variant(key) {
                    format!("{key} {}", one_line(value))
                } else {
                    format!("`{}`", bare(value))
                };
            }
            let fields = shown(entries).into_iter().map(|(key, value)| format!("{key}: {}", one_line(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

/// The fields that say something, by name: the map's own order depends on a feature others may switch on.
fn shown(entries: &serde_json::Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut fields: Vec<_> = entries.iter().filter(|(_, value)| !is_absent(value)).collect();
    fields.sort_by_key(|(key, _)| *key);
    fields
}

fn bare(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => one_line(other),
    }
}

fn is_variant(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_uppercase())
}

fn is_absent(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(elements) => elements.is_empty(),
        Value::Number(_) | Value::String(_) | Value::Object(_) | Value::Bool(true) => false,
    }
}
