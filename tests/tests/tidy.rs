//! The house rules that a machine can check (docs/ARCHITECTURE.md lists them).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file that git tracks and whose name ends in one of `endings`.
fn tracked(endings: &[&str]) -> Vec<(PathBuf, String)> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    let listed = listed.expect("git lists the files of the checkout");
    assert!(listed.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    let files = names.lines().filter(|name| endings.iter().any(|ending| name.ends_with(ending)));
    files.filter_map(|name| Some((PathBuf::from(name), std::fs::read_to_string(root().join(name)).ok()?))).collect()
}

fn manifest(crate_name: &str) -> String {
    std::fs::read_to_string(root().join(crate_name).join("Cargo.toml")).expect("each crate has a manifest")
}

/// The names in a manifest's `[dependencies]` table.
fn dependencies(crate_name: &str) -> BTreeSet<String> {
    let manifest = manifest(crate_name);
    let table = manifest.lines().skip_while(|line| line.trim() != "[dependencies]").skip(1);
    let table = table.take_while(|line| !line.starts_with('['));
    let names = table
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'));
    names.map(str::to_owned).collect()
}

const OURS: [&str; 7] = ["grammar", "engine", "challenge", "attestation", "geoip", "server", "cli"];

#[test]
fn crates_depend_only_along_the_arrows() {
    let allowed: [(&str, &[&str]); 7] = [
        ("grammar", &[]),
        ("challenge", &[]),
        ("attestation", &[]),
        ("geoip", &[]),
        ("engine", &["grammar"]),
        ("server", &["grammar", "engine", "challenge", "attestation", "geoip"]),
        ("cli", &["grammar", "engine", "challenge", "attestation", "geoip", "server"]),
    ];
    for (name, arrows) in allowed {
        let found: Vec<String> =
            dependencies(name).into_iter().filter(|other| OURS.contains(&other.as_str())).collect();
        let wrong: Vec<&String> = found.iter().filter(|other| !arrows.contains(&other.as_str())).collect();
        assert!(wrong.is_empty(), "`{name}` must not depend on {wrong:?}");
    }
}

#[test]
fn pure_crates_have_no_runtime_database_or_network() {
    for name in ["grammar", "engine", "challenge", "attestation"] {
        let found = dependencies(name);
        for effect in ["tokio", "axum", "hyper", "sqlx", "reqwest", "rand", "tracing", "notify"] {
            assert!(!found.contains(effect), "`{name}` is pure and must not depend on `{effect}`");
        }
    }
}

#[test]
fn pure_crates_do_not_read_the_clock_the_disk_or_the_dice() {
    let forbidden = [
        "std::fs",
        "std::net::Tcp",
        "SystemTime::now",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "SystemRandom",
        "std::env::var",
    ];
    for (path, text) in tracked(&[".rs"]) {
        let pure = ["grammar/src", "engine/src", "challenge/src", "attestation/src"]
            .iter()
            .any(|folder| path.starts_with(folder));
        if pure && !path.components().any(|part| part.as_os_str() == "tests.rs") {
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for word in forbidden {
                assert!(!code.contains(word), "{} is in a pure crate and says `{word}`", path.display());
            }
        }
    }
}

#[test]
fn only_the_store_and_the_audit_verifier_contain_sql() {
    for (path, text) in tracked(&[".rs"]) {
        let shell = path.starts_with("server/src") || path.starts_with("cli/src");
        let allowed = path.starts_with("server/src/store") || path.starts_with("server/src/audit");
        if shell && !allowed {
            assert!(!text.contains("sqlx::"), "{} says `sqlx::`: SQL lives in server/src/store", path.display());
        }
    }
}

#[test]
fn nothing_is_left_half_done() {
    let words = [
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("FIX", "ME"),
        concat!("#[ign", "ore"),
        concat!("db", "g!("),
    ];
    for (path, text) in tracked(&[".rs", ".mjs", ".js", ".ts"]) {
        if path.to_string_lossy().contains("vendor") {
            continue;
        }
        for word in words {
            assert!(!text.contains(word), "{} still says `{word}`", path.display());
        }
    }
}

#[test]
fn paths_named_in_the_documents_exist() {
    let folders = [
        "grammar/",
        "engine/",
        "challenge/",
        "attestation/",
        "geoip/",
        "server/",
        "cli/",
        "rules/",
        "tests/",
        "benches/",
        "docs/",
        "xtask/",
    ];
    for (path, text) in tracked(&[".md"]) {
        if path.starts_with("docs/STYLE.md") {
            continue;
        }
        for quoted in text.split('`').skip(1).step_by(2) {
            let named = quoted.split([' ', ':', '#']).next().unwrap_or_default();
            let is_path =
                folders.iter().any(|folder| named.starts_with(folder)) && !named.contains(['*', '{', '<', '…', '$']);
            if is_path {
                assert!(root().join(named).exists(), "{} names `{named}`, which does not exist", path.display());
            }
        }
    }
}

#[test]
fn the_one_cryptographic_backend_is_aws_lc() {
    // The lock file also names what optional features could bring, so the tree of what is built is asked. Only for this
    // machine: a build fetches nothing for others, and the tree of all of them could not be drawn offline.
    let words = ["tree", "--workspace", "--edges", "normal,build,dev", "--prefix", "none", "--offline"];
    let tree = Command::new(env!("CARGO")).args(words).current_dir(root()).output().expect("cargo prints the tree");
    assert!(tree.status.success(), "cargo tree failed: {}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8_lossy(&tree.stdout);
    assert!(tree.contains("aws-lc-rs v"), "the tree names what is built");
    for other in ["ring", "rsa", "openssl-sys", "serde_yaml", "serde_yml"] {
        let built = tree.lines().find(|line| line.starts_with(&format!("{other} v")));
        assert_eq!(built, None, "`{other}` came into the build");
    }
}

/// The names of all test functions and others in the Rust files.
fn functions() -> BTreeSet<String> {
    tracked(&[".rs"])
        .iter()
        .flat_map(|(_, text)| text.lines())
        .filter_map(|line| {
            line.trim_start().trim_start_matches("pub ").trim_start_matches("async ").strip_prefix("fn ")
        })
        .filter_map(|rest| rest.split(['(', '<']).next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_test_that_a_promise_names_exists() {
    let tests = functions();
    // The page, how its rows begin, in which column tests are named, and how many at least.
    for (page, row, column, at_least) in [
        ("docs/acceptance.md", "| T-", 3, 50),
        ("docs/acceptance.md", "| I", 3, 20),
        ("docs/rfc8725.md", "| 3.", 3, 12),
        ("docs/wire.md", "| S", 3, 17),
        ("docs/wire.md", "| C", 3, 17),
    ] {
        let text = std::fs::read_to_string(root().join(page)).expect("the page of what was promised");
        let rows = text.lines().filter(|line| line.starts_with(row));
        let cells = rows.map(|row| (row, row.split('|').nth(column).unwrap_or_default()));
        let mut named = BTreeSet::new();
        for (row, cell) in cells {
            let names: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
            // What is open says so in a column behind; elsewhere a row without a test is a promise without one.
            let is_open = row.split('|').nth(column + 1).is_some_and(|open| !open.trim().is_empty());
            assert!(!names.is_empty() || is_open, "{page} promises without a test: {row}");
            named.extend(names);
        }
        let missing: Vec<&&str> =
            named.iter().filter(|name| !name.starts_with("cargo ") && !tests.contains(**name)).collect();
        assert!(named.len() >= at_least, "the rows of {page} are read: {}", named.len());
        assert!(missing.is_empty(), "{page} names tests that do not exist: {missing:?}");
    }
}

#[test]
fn every_section_of_rfc_8725_has_its_row() {
    let page = std::fs::read_to_string(root().join("docs/rfc8725.md")).expect("the page");
    let sections: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| 3."))
        .filter_map(|rest| rest.split(' ').next().map(str::to_owned))
        .collect();
    assert_eq!(sections, (1..=12).map(|section| section.to_string()).collect::<Vec<_>>());
}
