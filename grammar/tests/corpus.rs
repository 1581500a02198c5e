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
    // The first two need a large file and have tests of their own; the third is a mistake of ours that no file is known to show.
    let elsewhere = BTreeSet::from(["file-too-large", "too-many-findings", "unformattable"]);
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
fn files_that_are_not_text_get_these_diagnostics() {
    let folder = corpus().join("parse/bytes");
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is there") {
        let path = entry.expect("the corpus can be read").path();
        if path.extension().is_some_and(|extension| extension == "rules") {
            let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
            let (source, parsed) =
                grammar::parse_bytes(FileId(0), &name, &fs::read(&path).expect("a case can be read"));
            assert_eq!(parsed.diagnostics.iter().filter(|finding| finding.code == "not-utf8").count(), 1, "{name}");
            accept_or_compare(&path.with_extension("diag"), &render_text(&parsed.diagnostics, &source.into(), false));
            count += 1;
        }
    }
    assert!(count >= 5, "{count} cases");
}

#[test]
fn certain_fixes_are_made_and_what_they_fixed_is_gone() {
    let mut mended = 0;
    for case in cases("parse/err") {
        let path = corpus().join("parse/err").join(&case.name).with_extension("fixed");
        let before = parse(&case).diagnostics;
        if !before.iter().any(|finding| finding.certain_fix().is_some()) {
            assert!(!path.exists(), "{} has nothing to fix and a .fixed beside it", case.name);
            continue;
        }
        let after =
            grammar::mend(vec![case.clone()], |files| files.iter().flat_map(|file| parse(file).diagnostics).collect());
        let text = after.files.into_iter().next().map(|file| file.text).expect("one file stays one file");
        let left = parse(&SourceFile::new(case.id, case.name.clone(), text.clone())).diagnostics;
        assert_eq!(left.len() + after.fixed.len(), before.len(), "{}: {left:#?}", case.name);
        accept_or_compare(&path, &text);
        mended += 1;
    }
    assert!(mended > 80, "only {mended} cases were mended");
}

#[test]
fn the_table_of_wrong_files_is_long() {
    let count = cases("parse/err").len();
    assert!(count >= 150, "{count} wrong files");
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

#[test]
fn after_a_thousand_findings_the_rest_are_counted() {
    let found = parse(&source(&"let a = ;\n".repeat(3_000))).diagnostics;
    assert_eq!(found.len(), 1_001);
    let note = found.first().expect("there are findings");
    assert_eq!((note.code, note.is_error()), ("too-many-findings", false));
    assert!(note.message.contains("5000 are not shown"), "{}", note.message);
}

#[test]
fn what_was_reported_is_mended_however_much_there_is() {
    let rules = |words: [&str; 3]| -> String {
        let [when, then, block] = words;
        (0..1_500)
            .map(|n| format!("policy p{n} on e {{ default allow rule r{n} {{ {when} n > 0 {then} {block} }} }}\n"))
            .collect()
    };
    for (wrong, right) in [
        (rules(["whn", "thn", "blck"]), rules(["when", "then", "block"])),
        ("policy p on e { default allow ; }\n".repeat(2_500), "policy p on e { default allow  }\n".repeat(2_500)),
    ] {
        let mut checks = 0;
        let mended = grammar::mend(vec![source(&wrong)], |files| {
            checks += 1;
            files.iter().flat_map(|file| parse(file).diagnostics).collect()
        });
        assert_eq!(mended.left, [], "left to find");
        assert!(mended.files.iter().all(|file| file.text == right), "mended otherwise");
        assert!(checks < 20, "{checks} checks");
    }
}

/// Every kind of nesting, from either side of the limit. What is 64 deep may be wrong otherwise, but not for that.
#[test]
fn sixty_four_levels_are_read_and_the_sixty_fifth_is_refused() {
    // The levels around it, and what opens and closes one more.
    let kinds = [
        ("parentheses", "let a = ", 0, "(", "b", ")", ""),
        ("parentheses in a rule", "policy p on e { default allow rule r { when ", 2, "(", "b", ")", " then block } }"),
        ("not", "let a = ", 0, "not ", "b", "", ""),
        ("not in parentheses", "let a = not (", 2, "not ", "b", "", ")"),
        ("not around parentheses", "let a = ", 0, "not not (", "b", ")", ""),
        ("calls", "let a = ", 0, "f(", "b", ")", ""),
        ("where", "let a = count() of e where (", 1, "(", "b", ")", ") by user over 1h > 3"),
        ("lists of a record", "test \"t\" { event e { l: ", 2, "[", "1", "]", "} }"),
        ("records", "test \"t\" { event e { l: ", 2, "{ a: ", "1", " }", "} }"),
        ("where of a proof", "prove \"p\" { for all e where ", 1, "(", "b", ")", " expect at least block }"),
    ];
    let deeper = |text: &str| parse(&source(text)).diagnostics.iter().any(|finding| finding.code == "nested-too-deep");
    for (kind, before, around, open, inner, close, after) in kinds {
        // `not not (` are three levels at once.
        let step = if open == "not not (" { 3 } else { 1 };
        let nested = |count: usize| format!("{before}{}{inner}{}{after}\n", open.repeat(count), close.repeat(count));
        let most = (grammar::MAX_NESTING - around) / step;
        let findings = parse(&source(nested(most).as_str())).diagnostics;
        assert!(findings.is_empty(), "{kind}, {most}: {findings:#?}");
        assert!(deeper(&nested(most + 1)), "{kind}: one more is read");
        assert!(format(&source(nested(most).as_str())).is_ok(), "{kind}");
    }
}

fn check(folder: &str, extension: &str, result: impl Fn(&SourceFile) -> String) {
    for source in cases(folder) {
        let path = corpus().join(folder).join(&source.name).with_extension(extension);
        accept_or_compare(&path, &result(&source));
    }
}

fn accept_or_compare(path: &Path, got: &str) {
    if std::env::var_os("ACCEPT").is_some_and(|value| value == "1") {
        fs::write(path, got).expect("the corpus can be written");
    } else {
        let expected = fs::read_to_string(path).unwrap_or_default();
        assert_eq!(got, expected, "{} differs; to accept: ACCEPT=1 cargo test -p grammar", path.display());
    }
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
