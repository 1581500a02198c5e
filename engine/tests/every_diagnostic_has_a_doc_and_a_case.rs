//! The corpus of the checker: `corpus/check/<code>/<case>.rules` gives the findings in `<case>.diag`.
//! `ACCEPT=1` writes what comes; read the difference before keeping it.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use common::{read_pack, results_of};
use engine::{
    Limits, PackSource,
    check::{
        codes::{self, CODES},
        expired, mend,
    },
    compile, compile_within,
};
use grammar::{FileId, SourceFile};

/// Codes that no rule text alone can cause, or none that belongs into a corpus; and the test that causes each.
const WITHOUT_A_CASE: [(&str, &str); 6] = [
    ("empty-pack", "../cli/tests/commands/check_reports_everything_at_once.rs"),
    ("file-too-large", "../grammar/tests/corpus.rs"),
    ("not-a-file", "../cli/tests/commands/packs_over_a_limit_are_refused.rs"),
    ("pack-too-large", "../cli/tests/commands/packs_over_a_limit_are_refused.rs"),
    ("too-many-findings", "../grammar/tests/corpus.rs"),
    ("unformattable", "../grammar/src/format.rs"),
];

fn has_a_test(code: &str) -> bool {
    WITHOUT_A_CASE.iter().any(|(known, _)| *known == code)
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/check")
}

fn cases() -> Vec<(String, PathBuf)> {
    let mut cases = Vec::new();
    for folder in fs::read_dir(corpus()).expect("the corpus is there") {
        let folder = folder.expect("the entry is readable").path();
        let code = folder.file_name().expect("it has a name").to_string_lossy().into_owned();
        if code.starts_with('_') {
            continue;
        }
        for case in fs::read_dir(&folder).expect("the folder is readable") {
            let case = case.expect("the entry is readable").path();
            if case.extension().is_some_and(|extension| extension == "rules") {
                cases.push((code.clone(), case));
            }
        }
    }
    cases.sort();
    cases
}

fn pack_of(case: &Path) -> PackSource {
    let mut pack = read_pack("corpus/check/_files");
    pack.files.insert("case.rules".into(), fs::read(case).expect("the case is readable"));
    pack
}

/// Every finding of a case, those of its tests included, drawn.
fn findings(code: &str, case: &Path) -> (String, BTreeSet<&'static str>) {
    let compilation = compile(&pack_of(case));
    let mut all = compilation.diagnostics;
    if let Some(program) = &compilation.program {
        all.extend(results_of(program).into_iter().flat_map(|result| result.failures));
        if code == "expired-rule" {
            all.extend(expired(program, "2030-01-01T00:00:00Z".parse().expect("a time")));
        }
    }
    let codes = all.iter().map(|finding| finding.code).collect();
    (grammar::render_text(&all, &compilation.sources, false), codes)
}

#[test]
fn every_case_gives_its_findings() {
    let update = std::env::var_os("ACCEPT").is_some();
    let mut wrong = String::new();
    for (code, case) in cases() {
        let (text, codes) = findings(&code, &case);
        assert!(codes.contains(code.as_str()), "{} does not cause `{code}` but {codes:?}:\n{text}", case.display());
        let expected = case.with_extension("diag");
        if update {
            fs::write(&expected, &text).expect("the expectation is writable");
        } else if fs::read_to_string(&expected).unwrap_or_default() != text {
            wrong += &format!("{}\n{text}\n", case.display());
        }
    }
    assert!(wrong.is_empty(), "these came out differently:\n{wrong}");
}

#[test]
fn every_code_has_a_doc_and_a_case_and_no_case_is_about_nothing() {
    let documented: BTreeSet<&str> = CODES.iter().map(|doc| doc.code).collect();
    assert_eq!(documented.len(), CODES.len(), "a code is documented twice");
    assert!(CODES.is_sorted_by_key(|doc| doc.code), "the codes are in alphabetical order");
    for doc in CODES {
        for (part, text) in [
            ("summary", doc.summary),
            ("meaning", doc.meaning),
            ("why", doc.why),
            ("example", doc.example),
            ("instead", doc.instead),
        ] {
            assert!(!text.trim().is_empty(), "`{}` has no {part}", doc.code);
        }
    }
    let with_case: BTreeSet<String> = cases().into_iter().map(|(code, _)| code).collect();
    for code in &documented {
        assert!(with_case.contains(*code) || has_a_test(code), "`{code}` has no case");
    }
    for code in &with_case {
        assert!(documented.contains(code.as_str()), "`{code}` has cases and no doc");
    }
}

#[test]
fn certain_fixes_are_made_and_what_they_fixed_is_gone() {
    let update = std::env::var_os("ACCEPT").is_some();
    let mut wrong = String::new();
    let mut mended = 0;
    for (_, case) in cases() {
        let pack = pack_of(&case);
        let before = compile(&pack).diagnostics;
        let expected = case.with_extension("fixed");
        if !before.iter().any(|finding| finding.certain_fix().is_some()) {
            assert!(!expected.exists(), "{} has nothing to fix and a .fixed beside it", case.display());
            continue;
        }
        let after = mend(&pack);
        let errors = |found: &[grammar::Diagnostic]| found.iter().filter(|finding| finding.is_error()).count();
        let fixed: Vec<grammar::Diagnostic> = after.fixed.iter().map(|fixed| fixed.finding.clone()).collect();
        assert!(!after.fixed.is_empty(), "{}: no fix made it better", case.display());
        let left = &after.compilation.diagnostics;
        // What a slip hid may be found now, and nothing vanishes.
        assert!(errors(left) + errors(&fixed) >= errors(&before), "{}: {left:#?}", case.display());
        let text = after.pack.files.get("case.rules").expect("the case is still there");
        if update {
            fs::write(&expected, text).expect("the expectation is writable");
        } else if fs::read(&expected).unwrap_or_default() != *text {
            wrong += &format!("{}\n{}\n", case.display(), String::from_utf8_lossy(text));
        }
        mended += 1;
    }
    assert!(wrong.is_empty(), "these were fixed differently:\n{wrong}");
    assert!(mended > 20, "only {mended} cases were mended");
}

/// The codes that the source files below these folders make findings of.
fn used_codes(folder: &Path, used: &mut BTreeMap<String, PathBuf>) {
    for entry in fs::read_dir(folder).expect("the source is there") {
        let path = entry.expect("the entry is readable").path();
        if path.is_dir() {
            used_codes(&path, used);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("codes.rs") {
            let text = fs::read_to_string(&path).expect("the file is readable");
            // The doc comments of the type itself have examples.
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            for made in ["Diagnostic::error(", "Diagnostic::warning(", "Diagnostic::note("] {
                for after in code.split(made).skip(1) {
                    let literal = after.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
                    match literal {
                        Some(code) => drop(used.insert(code.to_owned(), path.clone())),
                        None => {
                            let named = after.trim_start().split([',', ')']).next().unwrap_or_default();
                            assert!(named == "kind" || named == "code", "{}: which code is `{named}`?", path.display());
                        }
                    }
                }
            }
        }
    }
}

/// The text of every expectation below a folder.
fn expectations(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).expect("the corpus is there") {
        let path = entry.expect("the entry is readable").path();
        if path.is_dir() {
            expectations(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "diag") {
            *all += &fs::read_to_string(&path).expect("the expectation is readable");
        }
    }
}

#[test]
fn every_code_of_every_crate_comes_up_in_a_corpus_or_in_the_test_that_is_named() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut drawn = String::new();
    expectations(&here.join("corpus"), &mut drawn);
    expectations(&here.join("../grammar/corpus"), &mut drawn);
    for doc in codes::all() {
        let head = format!("{}[{}]: ", doc.severity.name(), doc.code);
        let test = WITHOUT_A_CASE.iter().find(|(code, _)| *code == doc.code);
        let Some((_, test)) = test else {
            assert!(drawn.contains(&head), "nothing in the corpora shows {head}");
            continue;
        };
        let text = fs::read_to_string(here.join(test)).expect("the test is there");
        assert!(text.contains(doc.code), "{test} is not about `{}`", doc.code);
    }
}

#[test]
fn every_code_in_the_source_is_documented_and_every_documented_code_is_used() {
    let mut used = BTreeMap::new();
    for folder in ["src", "../grammar/src", "../cli/src", "../server/src"] {
        used_codes(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut used);
    }
    let documented: BTreeSet<&str> =
        CODES.iter().chain(grammar::diagnostic::codes::CODES).map(|doc| doc.code).collect();
    assert_eq!(documented.len(), CODES.len() + grammar::diagnostic::codes::CODES.len(), "a code is in both registries");
    for (code, path) in &used {
        assert!(documented.contains(code.as_str()), "`{code}` in {} has no doc", path.display());
    }
    // Chosen between by the kind of quote.
    let chosen = ["single-quotes", "curly-quotes"];
    for code in documented {
        assert!(used.contains_key(code) || chosen.contains(&code), "`{code}` is documented and nothing finds it");
    }
}

#[test]
fn a_pack_over_a_limit_is_refused_with_the_limit_named() {
    let rules = "event e { n: int }\npolicy p on e { default allow\n rule a { when n > 1 then block }\n rule b { when n > 2 then block }\n}\n\
                 list @l: int = [1, 2, 3]\n";
    let usual = Limits::default();
    let cases = [
        (Limits { files: 0, ..usual }, "files, more than the limit of 0"),
        (Limits { file_bytes: 10, ..usual }, "more than the limit of 10 for a file"),
        (Limits { pack_bytes: 10, ..usual }, "more than the limit of 10"),
        (Limits { rules: 1, ..usual }, "more than 1 rules"),
        (Limits { list_entries: 2, ..usual }, "more than the limit of 2 for a list"),
    ];
    for (limits, named) in cases {
        let compilation = compile_within(&PackSource::of_rules(rules), limits);
        assert!(compilation.program.is_none());
        let found = compilation.diagnostics.iter().any(|d| d.code == "pack-too-large" && d.message.contains(named));
        assert!(found, "{named}: {:?}", compilation.diagnostics);
    }
    // What is as large as it may be is taken; less is refused for that one limit.
    let all = Limits {
        files: 1,
        file_bytes: rules.len(),
        pack_bytes: rules.len(),
        rules: 2,
        list_entries: 3,
        ..Limits::default()
    };
    let refused = |limits: Limits| {
        let compilation = compile_within(&PackSource::of_rules(rules), limits);
        let codes: Vec<&str> = compilation.diagnostics.iter().filter(|d| d.is_error()).map(|d| d.code).collect();
        assert_eq!(compilation.program.is_none(), !codes.is_empty());
        codes == ["pack-too-large"]
    };
    assert!(compile_within(&PackSource::of_rules(rules), all).program.is_some());
    assert!(refused(Limits { files: 0, ..all }));
    assert!(refused(Limits { file_bytes: all.file_bytes - 1, ..all }));
    assert!(refused(Limits { pack_bytes: all.pack_bytes - 1, ..all }));
    assert!(refused(Limits { rules: 1, ..all }));
    assert!(refused(Limits { list_entries: 2, ..all }));
}

#[test]
fn a_pack_without_text_is_refused() {
    let empty = compile(&PackSource::default());
    assert!(empty.program.is_none());
    assert_eq!(empty.diagnostics.first().map(|d| d.code), Some("empty-pack"));
    let mut latin = PackSource::of_rules("event e {}");
    latin.files.insert("latin.rules".into(), b"# caf\xe9".to_vec());
    let latin = compile(&latin);
    assert!(latin.program.is_none());
    assert_eq!(latin.diagnostics.first().map(|d| d.code), Some("not-utf8"));
}

#[test]
fn a_rule_that_says_what_unknown_means_is_not_warned_of_absence() {
    let rules = "event e { name: string? }
policy p on e {
  default allow
  rule r {
    when name != \"x\"
    on unknown skip
    then challenge qr
  }
}
";
    let compiled = engine::compile(&engine::PackSource::of_rules(rules));
    assert_eq!(compiled.diagnostics, []);
}

/// The smallest case of a code with what is found in it; of the parser's codes the example itself.
fn shown(doc: &grammar::diagnostic::codes::CodeDoc) -> Option<(String, String)> {
    let only =
        |found: Vec<grammar::Diagnostic>| -> Vec<_> { found.into_iter().filter(|it| it.code == doc.code).collect() };
    if grammar::diagnostic::codes::CODES.iter().any(|other| other.code == doc.code) {
        let source = SourceFile::new(FileId(0), "example.rules", doc.example);
        let found = only(grammar::parse(&source).diagnostics);
        let text = grammar::render_text(&found, &source.into(), false);
        return (!found.is_empty()).then(|| (doc.example.to_owned(), text));
    }
    let cases = cases().into_iter().filter(|(code, _)| code == doc.code).map(|(_, case)| case);
    let plain = |case: &Path| case.ends_with("typo.rules") || case.ends_with("plain.rules");
    let length = |case: &Path| fs::metadata(case).map_or(u64::MAX, |data| data.len());
    let case = cases.min_by_key(|case| (!plain(case), length(case), case.clone()))?;
    let mut pack = read_pack("corpus/check/_files");
    let rules = fs::read_to_string(&case).ok()?;
    pack.files.insert("example.rules".into(), rules.clone().into_bytes());
    let compilation = compile(&pack);
    let mut found = compilation.diagnostics;
    if let Some(program) = &compilation.program {
        found.extend(results_of(program).into_iter().flat_map(|result| result.failures));
        found.extend(expired(program, "2030-01-01T00:00:00Z".parse().expect("a time")));
    }
    let text = grammar::render_text(&only(found), &compilation.sources, false);
    (rules.len() < 1_000).then_some((rules, text))
}

/// The page of a code.
fn page(doc: &grammar::diagnostic::codes::CodeDoc) -> String {
    let block = |text: &str| format!("```text\n{}\n```\n", text.trim_end());
    let mut page = format!(
        "<!-- made from the registry by `ACCEPT=1 cargo nextest run -p engine -E 'test(pages)'`; do not edit -->\n# {}\n\n",
        doc.code
    );
    page += &format!("{}: {}\n\n## What it means\n\n{}\n\n", doc.severity.name(), doc.summary, doc.meaning);
    page += &format!("## Why it matters\n\n{}\n\n## Example\n\n{}\n", doc.why, block(doc.example));
    page += &format!("## Instead\n\n{}", block(doc.instead));
    if let Some((rules, found)) = shown(doc) {
        page += "\n## As `stepup check` shows it\n\n";
        if rules != doc.example {
            page += &format!("{}\n", block(&rules));
        }
        page += &block(&found);
    }
    page
}

#[test]
fn the_pages_of_the_diagnostics_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/diagnostics");
    let mut pages = BTreeMap::new();
    let mut index = "<!-- made from the registry by `ACCEPT=1 cargo nextest run -p engine -E 'test(pages)'`; do not edit -->\n\
                     # Diagnostics\n\nWhat `stepup check`, `fmt` and `test` find, by code. `stepup explain CODE` says the same.\n\n\
                     | code | | |\n|---|---|---|\n"
        .to_owned();
    for doc in codes::all() {
        let summary = doc.summary.replace('|', "\\|");
        index += &format!("| [`{0}`]({0}.md) | {1} | {summary} |\n", doc.code, doc.severity.name());
        pages.insert(format!("{}.md", doc.code), page(doc));
    }
    pages.insert("README.md".to_owned(), index);
    if std::env::var_os("ACCEPT").is_some() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("the folder is writable");
        for (name, text) in &pages {
            fs::write(folder.join(name), text).expect("the page is writable");
        }
        return;
    }
    for (name, text) in &pages {
        let on_disk = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert_eq!(on_disk, *text, "docs/diagnostics/{name} is not current");
    }
    for entry in fs::read_dir(&folder).expect("the folder is there") {
        let name = entry.expect("the entry is readable").file_name().to_string_lossy().into_owned();
        assert!(pages.contains_key(&name), "docs/diagnostics/{name} is about no code");
    }
}
