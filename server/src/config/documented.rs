//! Whether `docs/configuration.md` has every key there is, and none that is not.
//!
//! The keys are asked of the very reader of the file: it refuses an unknown key and names those it knows.

use std::collections::{BTreeMap, BTreeSet};

use super::Config;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");

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

/// A part of the page: the sections that its heading names, and what stands under it.
struct Part<'a> {
    sections: Vec<String>,
    text: &'a str,
}

/// The heading of the keys that are in no section.
const TOP: &str = "# At the top";

fn parts(page: &str) -> Vec<Part<'_>> {
    page.split("\n#").map(part).collect()
}

fn part(part: &str) -> Part<'_> {
    let (heading, text) = part.split_once('\n').unwrap_or((part, ""));
    let quoted = heading.split('`').skip(1).step_by(2).filter(|name| name.starts_with('['));
    let sections = quoted.map(|name| name.trim_matches(['[', ']']).to_owned());
    Part { sections: if heading == TOP { vec![String::new()] } else { sections.collect() }, text }
}

/// The keys with which rows of tables begin.
fn rows(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).map(str::to_owned).collect()
}

#[test]
fn every_key_has_its_row_and_every_row_its_key() {
    let mut found = BTreeMap::new();
    sections(&[], &mut found);
    // Should the reader one day refuse in other words, keys would be missed: these are in a list, in options and far below.
    for (section, key) in [
        ("", "database"),
        ("limits.recovery_address", "burst"),
        ("tenants.NAME.webhooks", "secret_files"),
        ("tenants.NAME.attestation.play", "verification_key_file"),
        ("tenants.NAME.clients.CLIENT", "claims"),
    ] {
        assert!(found.get(section).is_some_and(|keys| keys.contains(key)), "`{section}` has no `{key}`: {found:?}");
    }
    let page = std::fs::read_to_string(PAGE).expect("the page");
    let parts = parts(&page);
    let headed = |section: &str| parts.iter().find(|part| part.sections.iter().any(|name| name == section));
    let mut wrong = Vec::new();
    for (section, keys) in &found {
        // An endpoint belongs to one tenant: these are refused.
        if section == "defaults.webhooks" {
            continue;
        }
        if let Some(part) = headed(section) {
            let rows = rows(part.text);
            let name = |key: &str| if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
            let has_heading = |key: &str| {
                let own = placeholder(key).map_or(String::new(), |own| format!(".{own}"));
                headed(&format!("{}{own}", name(key))).is_some()
            };
            let missing = keys.iter().filter(|key| !rows.contains(*key) && !has_heading(key));
            wrong.extend(missing.map(|key| format!("`{}` has no row", name(key))));
            wrong.extend(rows.difference(keys).map(|row| format!("there is no key `{}`", name(row))));
        } else {
            // A small table stands in the text of the section around it: `per_minute` of a limit.
            let around = section.rsplit_once('.').map_or("", |(around, _)| around);
            let text = headed(around).map_or("", |part| part.text);
            let missing = keys.iter().filter(|key| !text.contains(&format!("`{key}`")));
            wrong.extend(missing.map(|key| format!("`{section}.{key}` is not named")));
        }
    }
    let named = parts.iter().flat_map(|part| &part.sections);
    wrong.extend(named.filter(|name| !found.contains_key(*name)).map(|name| format!("there is no section `[{name}]`")));
    assert!(wrong.is_empty(), "docs/configuration.md:\n{}", wrong.join("\n"));
}

#[test]
fn the_example_is_a_configuration() {
    let page = std::fs::read_to_string(PAGE).expect("the page");
    let (_, example) = page.split_once("\n```toml\n").expect("an example");
    let (example, _) = example.split_once("\n```\n").expect("its end");
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("stepup.toml");
    std::fs::write(&file, example).expect("written");
    let config = Config::load(Some(&file), []).expect("a good configuration");
    assert!(config.warnings().is_empty() && config.tenants.contains_key("shop"));
}
