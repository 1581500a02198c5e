//! The packs of this repository compile without a warning, are tested to the last condition, have an owner, and say
//! what they stop.

mod common;

use std::{collections::BTreeMap, fs, path::Path};

use common::{failures_of, program_of, read_pack, results_of};
use engine::{Compilation, PackSource, Whereabouts, compile, cover_tests};
use grammar::{FileId, Severity, SourceFile};

/// What a README tells whoever considers the pack, in this order.
const SECTIONS: [&str; 8] = [
    "The fraud it stops",
    "Thresholds, and why",
    "What it costs honest users",
    "What it does not stop",
    "Tuning",
    "What the backend sends",
    "Try it",
    "Sources",
];

#[test]
fn every_shipped_pack_is_sound_and_tested_to_the_last_condition() {
    let names = shipped();
    assert!(names.len() >= 2, "{names:?}");
    let faults: Vec<String> = names.iter().flat_map(|name| faults(&rules_of(name), name)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_shipped_pack_has_a_readme_that_answers_an_analysts_questions() {
    let mut faults = Vec::new();
    for name in shipped() {
        let text = readme(&name);
        let mut fault = |what: String| faults.push(format!("rules/{name}/README.md {what}"));
        if !text.starts_with(&format!("# {name}: ")) {
            fault(format!("does not begin with `# {name}: …`"));
        }
        let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        if headings != SECTIONS {
            fault(format!("has the sections {headings:?} instead of {SECTIONS:?}"));
        }
        let program = program_of(&rules_of(&name));
        for rule in program.policies().iter().flat_map(|policy| &policy.rules) {
            if !text.contains(&format!("`{rule}`")) {
                fault(format!("does not speak of `{rule}`"));
            }
        }
        for action in program.actions() {
            if !text.contains(&*action.name) {
                fault(format!("does not say that the backend tracks `{}`", action.name));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A table of boundary cases is only worth something if each row is run.
#[test]
fn every_numbered_case_of_a_readme_is_a_test_of_that_number() {
    let mut tables = 0;
    for name in shipped() {
        let row = |line: &str| line.strip_prefix("| ")?.split_once(" | ")?.0.parse::<u32>().ok();
        let rows: Vec<u32> = readme(&name).lines().filter_map(row).collect();
        let results = results_of(&program_of(&rules_of(&name)));
        let case = |test: &str| test.split_once(", case ")?.1.split(':').next()?.parse::<u32>().ok();
        let cases: Vec<u32> = results.iter().filter_map(|test| case(&test.name)).collect();
        assert_eq!(rows, cases, "the rows of rules/{name}/README.md and its numbered tests");
        tables += usize::from(!rows.is_empty());
    }
    assert!(tables > 0, "no pack has numbered cases");
}

/// Each in a folder of its own, they are one pack: no name is taken twice, and none changes what another answers. With
/// them go the rules of `rules/README.md` that join them.
#[test]
fn the_packs_work_side_by_side() {
    let together = shipped().into_iter().filter(|name| name != "starter");
    let files = together.flat_map(|name| {
        let files = rules_of(&name).files.into_iter();
        files.map(move |(path, bytes)| (format!("{name}/{path}"), bytes))
    });
    let readme = fs::read_to_string(root().join("README.md")).expect("the list of packs");
    let joins = readme.split_once("```rules\n").and_then(|(_, rest)| rest.split_once("```")).expect("rules").0;
    let mut files: BTreeMap<String, Vec<u8>> = files.collect();
    files.insert("joins.rules".to_owned(), joins.as_bytes().to_vec());
    for name in shipped() {
        assert!(readme.contains(&format!("| `{name}` |")), "rules/README.md does not list `{name}`");
    }
    let program = program_of(&PackSource { name: "together".to_owned(), files });
    assert!(results_of(&program).iter().any(|test| test.file == "joins.rules"));
    let failures = failures_of(&program);
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn a_file_is_looked_for_beside_the_rules_that_name_it_then_further_out() {
    let rules = |list: &str, path: &str| {
        let event = format!("event {list} {{}}\n");
        let policy =
            format!("policy {list} on {list} {{ default allow  rule r{list} {{ when user in @{list} then block }} }}");
        format!("{event}list @{list}: user from \"{path}\"\n{policy}").into_bytes()
    };
    let test = |list: &str, user: &str| {
        format!("test \"{list}\" {{ event {list} {{ user: \"{user}\" }}  expect block by r{list} }}").into_bytes()
    };
    let files = [
        ("a/deep/near.rules", rules("near", "lists/users.csv")),
        ("a/deep/lists/users.csv", b"deep".to_vec()),
        ("b/deep/far.rules", rules("far", "lists/users.csv")),
        ("b/lists/users.csv", b"middle".to_vec()),
        ("c/out.rules", rules("out", "lists/users.csv")),
        ("lists/users.csv", b"outer".to_vec()),
        ("near.test.rules", test("near", "deep")),
        ("far.test.rules", test("far", "middle")),
        ("out.test.rules", test("out", "outer")),
    ];
    let files = files.into_iter().map(|(path, bytes)| (path.to_owned(), bytes)).collect();
    let program = program_of(&PackSource { name: "nested".to_owned(), files });
    assert_eq!((results_of(&program).len(), failures_of(&program)), (3, String::new()));
}

fn faults(pack: &PackSource, name: &str) -> Vec<String> {
    let Compilation { program, diagnostics, sources } = compile(pack);
    let severe: Vec<_> = diagnostics.into_iter().filter(|finding| finding.severity != Severity::Note).collect();
    let mut faults = Vec::new();
    if !severe.is_empty() {
        faults.push(format!("rules/{name}:\n{}", grammar::render_text(&severe, &sources, false)));
    }
    let Some(program) = program else { return faults };
    faults.extend(policies_without_owner(pack).into_iter().map(|policy| format!("rules/{name}: {policy}")));
    for file in sources.files() {
        if grammar::format(file).as_deref() != Ok(file.text.as_str()) {
            faults.push(format!("rules/{name}/{} is not formatted: `stepup fmt rules/{name}`", file.name));
        }
    }
    let (results, coverage) = cover_tests(&program, &|_| Whereabouts::default());
    for test in results.iter().filter(|test| !test.passed) {
        let why = grammar::render_text(&test.failures, &sources, false);
        faults.push(format!("rules/{name}/{}: \"{}\"\n{why}", test.file, test.name));
    }
    for policy in coverage.policies.iter().filter(|policy| policy.judged == 0) {
        faults.push(format!("rules/{name}: no test reaches the policy `{}`", policy.policy));
    }
    for rule in coverage.rules() {
        if !rule.covered() {
            faults.push(format!("rules/{name}: no test makes `{}` match", rule.rule));
        }
        for condition in rule.conditions.iter().filter(|condition| !condition.both_ways()) {
            faults.push(format!("rules/{name}: the tests of `{}` see only one side of {}", rule.rule, condition.text));
        }
    }
    faults
}

/// Who answers for it, until when somebody looks at it again, and a title and a reason for each rule.
fn policies_without_owner(pack: &PackSource) -> Vec<String> {
    use grammar::ast::{EffectKind, Item};
    let mut faults = Vec::new();
    for (path, bytes) in pack.files.iter().filter(|(path, _)| path.ends_with(".rules")) {
        let text = String::from_utf8_lossy(bytes);
        let tree = grammar::parse(&SourceFile::new(FileId(0), path.clone(), text)).file;
        for item in &tree.items {
            match item {
                Item::Policy(policy) => {
                    let has = |key: &str| {
                        policy.meta().is_some_and(|meta| meta.entries.iter().any(|entry| entry.key.name == key))
                    };
                    for key in ["owner", "review_by"].into_iter().filter(|key| !has(key)) {
                        faults.push(format!("the policy `{}` has no `{key}`", policy.name.name));
                    }
                    for rule in policy.rules() {
                        let gives = |effect: &grammar::ast::Effect| matches!(effect.kind, EffectKind::Reason(_));
                        if !rule.then().is_some_and(|then| then.effects.iter().any(gives)) {
                            faults.push(format!("the rule `{}` gives no reason", rule.name.name));
                        }
                        if rule.title.is_none() {
                            faults.push(format!("the rule `{}` has no title", rule.name.name));
                        }
                    }
                }
                Item::Reason(reason) if reason.internal.is_none() => {
                    faults.push(format!("the reason `{}` tells an analyst no more than the user", reason.code.name));
                }
                _ => {}
            }
        }
    }
    faults
}

/// The names of the packs in `rules/`.
fn shipped() -> Vec<String> {
    let entries = fs::read_dir(root()).expect("the folder of packs").map(|entry| entry.expect("an entry"));
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules")
}

fn readme(name: &str) -> String {
    fs::read_to_string(root().join(name).join("README.md")).unwrap_or_default()
}

/// What the server and the command line read of a folder: rules, scripts, lists.
fn rules_of(name: &str) -> PackSource {
    let pack = read_pack(&format!("../rules/{name}"));
    let files: BTreeMap<_, _> = pack.files.into_iter().filter(|(path, _)| !path.ends_with(".md")).collect();
    PackSource { name: name.to_owned(), files }
}
