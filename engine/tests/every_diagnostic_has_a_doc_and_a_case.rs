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
    check::{codes::CODES, expired, mend},
    compile, compile_within,
};

/// Codes that no rule text alone can cause; each has a test of its own below.
const WITHOUT_A_CASE: [&str; 2] = ["empty-pack", "pack-too-large"];

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
        assert!(with_case.contains(*code) || WITHOUT_A_CASE.contains(code), "`{code}` has no case");
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
        assert!(!after.fixed.is_empty(), "{}: no fix made it better", case.display());
        let left = &after.compilation.diagnostics;
        assert_eq!(errors(left) + errors(&after.fixed), errors(&before), "{}: {left:#?}", case.display());
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
