//! Expectations that give a part: what is given is compared, and what comes is written in its place.

use serde_json::{Map, Value as Json};

/// In which order a person would tell the parts of a decision.
const ORDER: [&str; 24] = [
    "index",
    "rule",
    "atom",
    "why",
    "outcome",
    "decidedBy",
    "rules",
    "reasons",
    "severity",
    "flags",
    "unknown",
    "shadow",
    "challenge",
    "method",
    "level",
    "bind",
    "show",
    "expiresIn",
    "attempts",
    "user",
    "error",
    "code",
    "pointer",
    "detail",
];

/// The lines with the decisions in them. A line without `index` is about the next decision; if every line has one,
/// only those decisions are compared.
pub fn decisions(lines: &str, decided: &[Json]) -> String {
    let lines: Vec<(&str, Json)> =
        lines.lines().map(|line| (line, serde_json::from_str(line).unwrap_or(Json::Null))).collect();
    let chosen = !lines.is_empty() && lines.iter().all(|(_, json)| json.get("index").is_some());
    let pairs: Vec<(Option<&(&str, Json)>, &Json)> = if chosen {
        let at = |index: &Json| decided.iter().find(|found| &found["index"] == index);
        lines.iter().filter_map(|line| Some((Some(line), at(&line.1["index"])?))).collect()
    } else {
        decided.iter().enumerate().map(|(position, found)| (lines.get(position), found)).collect()
    };
    let line = |(expected, found): &(Option<&(&str, Json)>, &Json)| match expected {
        // `{}` asks for nothing, and would be true of everything.
        Some((line, expected)) if expected.as_object().is_some_and(|parts| !parts.is_empty()) => {
            if fits(expected, found) { format!("{line}\n") } else { format!("{}\n", spaced(&part(expected, found))) }
        }
        _ => format!("{}\n", spaced(&worth_telling(found))),
    };
    pairs.iter().map(line).collect()
}

/// The lines `what = value` with the values that were read; all of them, if none is there.
pub fn reads(lines: &str, reads: &[(String, String)]) -> String {
    let line = |what: &str, value: &str| format!("{what} = {value}\n");
    if lines.trim().is_empty() {
        let mut all: Vec<String> = reads.iter().map(|(what, value)| line(what, value)).collect();
        all.dedup();
        return all.concat();
    }
    let value = |expected: &str| {
        let found = reads
            .iter()
            .find(|(what, _)| expected.strip_prefix(what.as_str()).is_some_and(|rest| rest.starts_with(" = ")));
        match found {
            Some((what, value)) => line(what, value),
            None => format!("(nothing reads this: {expected})\n"),
        }
    };
    lines.lines().map(value).collect()
}

/// Whether everything that is expected is so. A part that is not there is null.
fn fits(expected: &Json, found: &Json) -> bool {
    match (expected, found) {
        (Json::Object(expected), Json::Object(found)) => {
            expected.iter().all(|(key, value)| fits(value, found.get(key).unwrap_or(&Json::Null)))
        }
        (Json::Array(expected), Json::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(expected, found)| fits(expected, found))
        }
        (expected, found) => expected == found,
    }
}

/// As much of what was found as was asked for.
fn part(expected: &Json, found: &Json) -> Json {
    match (expected, found) {
        (Json::Object(expected), Json::Object(found)) => expected
            .iter()
            .map(|(key, value)| (key.clone(), part(value, found.get(key).unwrap_or(&Json::Null))))
            .collect::<Map<String, Json>>()
            .into(),
        (Json::Array(expected), Json::Array(found)) if expected.len() == found.len() => {
            expected.iter().zip(found).map(|(expected, found)| part(expected, found)).collect()
        }
        (_, found) => found.clone(),
    }
}

/// What a reader wants to know of a decision when nothing else is said.
fn worth_telling(found: &Json) -> Json {
    let empty = |value: &Json| value.as_array().is_some_and(Vec::is_empty);
    let keys = ["outcome", "decidedBy", "reasons", "severity", "flags", "unknown", "shadow", "error"];
    let told = keys.iter().filter_map(|key| Some(((*key).to_owned(), found.get(*key)?.clone())));
    Json::Object(told.filter(|(_, value)| !empty(value)).collect())
}

/// JSON as a person writes it.
fn spaced(json: &Json) -> String {
    match json {
        Json::Object(parts) => {
            let mut parts: Vec<(&String, &Json)> = parts.iter().collect();
            let place = |key: &str| ORDER.iter().position(|other| *other == key).unwrap_or(ORDER.len());
            parts.sort_by_key(|(key, _)| (place(key), (*key).clone()));
            let parts: Vec<String> = parts
                .into_iter()
                .map(|(key, value)| format!("{}: {}", Json::from(key.clone()), spaced(value)))
                .collect();
            format!("{{{}}}", parts.join(", "))
        }
        Json::Array(values) => format!("[{}]", values.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
