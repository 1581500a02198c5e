//! Whether `docs/configuration.md` has every key there is, and none that is not.
//!
//! The keys are asked of the very reader of the file: it refuses an unknown key and names those it knows.

use std::collections::{BTreeMap, BTreeSet};

use super::Config;

const PAGE: &str = include_str!("../../../docs/configuration.md");

/// A key that nobody has.
const PROBE: &str = "zz_probe";

/// What the page calls an operator's own name in this table.
fn placeholder(table: &str) -> Option<&'static str> {
    match table {
        "tenants" => Some("NAME"),
        "clients" => Some("CLIENT"),
        _ => None,
    }
}

/// The keys of this section, as the refusal of an unknown one names them; nothing for what is no section.
fn keys(section: &[String]) -> BTreeSet<String> {
    // A section is a table, or in a list of tables.
    let table = format!("{{ {PROBE} = 1 }}");
    let value =
        |inner: &str| section.iter().rev().fold(inner.to_owned(), |inner, key| format!("{{ {key} = {inner} }}"));
    let list = section.split_last().map(|(last, around)| {
        let list = format!("{{ {last} = [{table}] }}");
        around.iter().rev().fold(list, |inner, key| format!("{{ {key} = {inner} }}"))
    });
    let documents = [Some(value(&table)), list];
    documents.into_iter().flatten().find_map(|document| refused(&document)).unwrap_or_default()
}

fn refused(document: &str) -> Option<BTreeSet<String>> {
    let inner = format!("whole = {document}").parse::<toml::Table>().expect("TOML").remove("whole").expect("a value");
    let error = inner.try_into::<Config>().expect_err("nobody has the key").to_string();
    let (_, known) = error.split_once(&format!("unknown field `{PROBE}`, expected "))?;
    let known = known.lines().next().unwrap_or_default();
    Some(known.split('`').skip(1).step_by(2).map(str::to_owned).collect())
}

/// All sections below this one with their keys, by the names that the page has for them.
fn sections(section: &[String], found: &mut BTreeMap<String, BTreeSet<String>>) {
    let here = keys(section);
    for key in &here {
        let mut below = section.to_vec();
        below.push(key.clone());
        below.extend(placeholder(key).map(str::to_owned));
        sections(&below, found);
    }
    if !here.is_empty() {
        found.insert(section.join("."), here);
    }
}

/// The page by its headings: the sections that a heading names, and what stands under it.
fn parts() -> Vec<(Vec<String>, &'static str)> {
    let part = |part: &'static str| {
        let (heading, text) = part.split_once('\n').unwrap_or((part, ""));
        let quoted = heading.split('`').skip(1).step_by(2);
        (quoted.map(|name| name.trim_matches(['[', ']']).to_owned()).collect(), text)
    };
    PAGE.split("\n#").map(part).collect()
}

/// The keys with which rows of tables begin.
fn rows(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).map(str::to_owned).collect()
}

#[test]
fn every_key_has_its_row_and_every_row_its_key() {
    let mut found = BTreeMap::new();
    sections(&[], &mut found);
    // What the reader says in other words than expected would be missed: these are in lists, in options and far below.
    for (section, key) in [
        ("", "database"),
        ("limits.recovery_address", "burst"),
        ("tenants.NAME.webhooks", "secret_files"),
        ("tenants.NAME.attestation.play", "verification_key_file"),
        ("tenants.NAME.clients.CLIENT", "claims"),
    ] {
        assert!(found.get(section).is_some_and(|keys| keys.contains(key)), "`{section}` has no `{key}`: {found:?}");
    }
    let parts = parts();
    let headed = |section: &str| parts.iter().find(|(names, _)| names.iter().any(|name| name == section));
    let mut wrong = Vec::new();
    // What is not under a heading of its own stands where its parent is: `per_minute` of a limit.
    for (section, keys) in &found {
        // One endpoint belongs to one tenant: `defaults.webhooks` is refused.
        if section == "defaults.webhooks" {
            continue;
        }
        let mut around = section.as_str();
        while !around.is_empty() && headed(around).is_none() {
            around = around.rsplit_once('.').map_or("", |(parent, _)| parent);
        }
        let text = match around {
            "" => headed("top level"),
            around => headed(around),
        };
        let text = text.map_or("", |(_, text)| *text);
        let rows = rows(text);
        let below = |key: &str| if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
        for key in keys {
            let name = below(key);
            let has_heading = headed(&name).is_some()
                || placeholder(key).is_some_and(|own| headed(&format!("{name}.{own}")).is_some());
            let is_there = if around == section { rows.contains(key) } else { text.contains(&format!("`{key}`")) };
            if !is_there && !has_heading {
                wrong.push(format!("`{name}` is missing"));
            }
        }
        if around == section {
            wrong.extend(rows.difference(keys).map(|row| format!("there is no key `{row}` in [{section}]")));
        }
    }
    for (name, _) in parts.iter().flat_map(|(names, _)| names).map(|name| (name, ())) {
        if name != "top level" && !found.contains_key(name.as_str()) {
            wrong.push(format!("there is no section [{name}]"));
        }
    }
    assert!(wrong.is_empty(), "docs/configuration.md:\n{}", wrong.join("\n"));
}
