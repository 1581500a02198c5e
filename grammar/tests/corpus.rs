//! What the parser and the formatter do, case by case: see `grammar/corpus`. `ACCEPT=1 cargo test -p grammar` writes down what
//! they do now.

use grammar::diagnostic::codes::CODES;
use grammar::{FileId, SourceFile, SourceMap, ast, format, parse, render_text};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn right_files_parse_to_these_trees() {
    check("parse/ok", "ast", |source| {
        let parsed = parse(source);
        assert_eq!(findings(source), "", "{} has errors", source.name);
        ast::dump(&parsed.file)
    });
}

#[test]
fn wrong_files_get_these_diagnostics() {
    check("parse/err", "diag", |source| {
        assert!(!parse(source).diagnostics.is_empty(), "{} has no errors", source.name);
        findings(source)
    });
}

#[test]
fn files_are_formatted_like_this() {
    check("format", "out", formatted);
}

#[test]
fn formatting_is_stable_and_keeps_the_meaning_of_every_right_file() {
    for source in cases("parse/ok").into_iter().chain(cases("format")) {
        let once = formatted(&source);
        let again = SourceFile::new(source.id, source.name.clone(), once.clone());
        assert_eq!(formatted(&again), once, "{} changes when it is formatted twice", source.name);
        assert!(ast::same_meaning(&parse(&source).file, &parse(&again).file), "{} changes its meaning", source.name);
        assert!(once.lines().all(|line| line.trim_end() == line), "{} keeps blanks at line ends", source.name);
    }
}

#[test]
fn every_code_is_documented_and_has_a_case() {
    let documented: BTreeSet<&str> = CODES.iter().map(|doc| doc.code).collect();
    assert_eq!(documented.len(), CODES.len(), "a code is documented twice");
    let seen: BTreeSet<&str> =
        cases("parse/err").iter().flat_map(|source| parse(source).diagnostics).map(|finding| finding.code).collect();
    // The first needs a large file and has a test of its own; the second is a mistake of ours that no file is known to show.
    let elsewhere = BTreeSet::from(["file-too-large", "unformattable"]);
    let unseen: Vec<_> = documented.difference(&seen).filter(|code| !elsewhere.contains(*code)).collect();
    let undocumented: Vec<_> = seen.difference(&documented).collect();
    assert!(unseen.is_empty() && undocumented.is_empty(), "no case: {unseen:?}; not documented: {undocumented:?}");
}

#[test]
fn the_example_of_every_code_shows_it_and_what_to_write_instead_is_right() {
    for doc in CODES {
        let texts = [doc.summary, doc.meaning, doc.why, doc.example, doc.instead];
        assert!(texts.iter().all(|text| !text.is_empty()), "{} is not documented in full", doc.code);
        if !doc.example.starts_with('(') {
            let found = parse(&source(doc.example)).diagnostics;
            assert!(
                found.iter().any(|finding| finding.code == doc.code),
                "the example of {} gives {found:#?}",
                doc.code
            );
        }
        assert_eq!(findings(&source(doc.instead)), "", "what to write instead of {} is wrong", doc.code);
    }
}

#[test]
fn a_certain_fix_removes_its_finding() {
    let mut applied = 0;
    for case in cases("parse/err") {
        let before = parse(&case).diagnostics;
        for finding in &before {
            let Some(fix) = finding.fix.as_ref().filter(|fix| fix.applicability == grammar::Applicability::Certain)
            else {
                continue;
            };
            let mut text = case.text.clone();
            text.replace_range(fix.span.range(), &fix.replacement);
            let after = parse(&SourceFile::new(case.id, case.name.clone(), text)).diagnostics;
            let count =
                |findings: &[grammar::Diagnostic]| findings.iter().filter(|other| other.code == finding.code).count();
            assert!(count(&after) < count(&before), "{}: the fix of {finding:#?} leaves {after:#?}", case.name);
            applied += 1;
        }
    }
    assert!(applied > 15, "only {applied} certain fixes were tried");
}

#[test]
fn a_file_over_a_mebibyte_is_refused_unread() {
    let large = source(&"# x\n".repeat(grammar::MAX_FILE_BYTES / 4 + 1));
    let parsed = parse(&large);
    assert_eq!(parsed.diagnostics.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["file-too-large"]);
    assert!(format(&large).is_err());
    let largest = source(&"# x\n".repeat(grammar::MAX_FILE_BYTES / 4));
    assert!(parse(&largest).diagnostics.is_empty());
}

fn check(folder: &str, extension: &str, result: impl Fn(&SourceFile) -> String) {
    let accept = std::env::var_os("ACCEPT").is_some_and(|value| value == "1");
    let mut differing = Vec::new();
    for source in cases(folder) {
        let got = result(&source);
        let path = corpus().join(folder).join(&source.name).with_extension(extension);
        if accept {
            fs::write(&path, got).expect("the corpus can be written");
        } else if fs::read_to_string(&path).ok().as_ref() != Some(&got) {
            differing.push(format!("--- {}: now\n{got}", path.display()));
        }
    }
    assert!(differing.is_empty(), "{}\nto accept: ACCEPT=1 cargo test -p grammar", differing.join("\n"));
}

fn cases(folder: &str) -> Vec<SourceFile> {
    let entries = fs::read_dir(corpus().join(folder)).expect("the corpus is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("the corpus can be read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rules"));
    paths.sort();
    assert!(!paths.is_empty(), "no cases in {folder}");
    let name = |path: &Path| path.file_name().expect("a file has a name").to_string_lossy().into_owned();
    paths
        .iter()
        .map(|path| SourceFile::new(FileId(0), name(path), fs::read_to_string(path).expect("a case is text")))
        .collect()
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn source(text: &str) -> SourceFile {
    SourceFile::new(FileId(0), "case.rules", text)
}

fn findings(source: &SourceFile) -> String {
    render_text(&parse(source).diagnostics, &SourceMap::from(source.clone()), false)
}

fn formatted(source: &SourceFile) -> String {
    format(source).unwrap_or_else(|findings| {
        panic!("{}: {}", source.name, render_text(&findings, &SourceMap::from(source.clone()), false))
    })
}
