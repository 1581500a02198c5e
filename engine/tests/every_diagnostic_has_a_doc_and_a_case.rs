//! The corpus of the checker: `corpus/check/<code>/<case>.rules` gives the findings in `<case>.diag`.
//! `ACCEPT=1` writes what comes; read the difference before keeping it.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use common::{read_pack, results_of};
use engine::{Limits, PackSource, check::codes::CODES, compile, compile_within};

/// Codes that no rule text alone can cause; each has a test of its own below.
const WITHOUT_A_CASE: [&str; 3] = ["empty-pack", "not-utf8", "pack-too-large"];

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

/// Every finding of a case, those of its tests included, drawn.
fn findings(case: &Path) -> (String, BTreeSet<&'static str>) {
    let mut pack = read_pack("corpus/check/_files");
    pack.files.insert("case.rules".into(), fs::read(case).expect("the case is readable"));
    let compilation = compile(&pack);
    let mut all = compilation.diagnostics;
    if let Some(program) = &compilation.program {
        all.extend(results_of(program).into_iter().flat_map(|result| result.failures));
    }
    let codes = all.iter().map(|finding| finding.code).collect();
    (grammar::render_text(&all, &compilation.sources, false), codes)
}

#[test]
fn every_case_gives_its_findings() {
    let update = std::env::var_os("ACCEPT").is_some();
    let mut wrong = String::new();
    for (code, case) in cases() {
        let (text, codes) = findings(&case);
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
fn every_code_in_the_source_is_documented() {
    let mut used = BTreeMap::new();
    for folder in ["src/check", "src"] {
        for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("the source is there") {
            let path = file.expect("the entry is readable").path();
            if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("codes.rs") {
                let text = fs::read_to_string(&path).expect("the file is readable");
                for before in ["error(", "warning(", "note(", "unknown_name("] {
                    for after in text.split(before).skip(1) {
                        let after = after.trim_start();
                        if let Some(code) = after.strip_prefix('"').and_then(|rest| rest.split('"').next())
                            && code.contains('-')
                        {
                            used.insert(code.to_owned(), path.clone());
                        }
                    }
                }
            }
        }
    }
    assert!(used.len() > 30, "only {} codes found", used.len());
    for (code, path) in used {
        assert!(CODES.iter().any(|doc| doc.code == code), "`{code}` in {} has no doc", path.display());
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
