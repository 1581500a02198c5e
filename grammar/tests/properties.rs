//! What holds for every text, and for every file somebody could write.

mod generate;

use generate::{Written, comments, file, noise};
use grammar::{FileId, SourceFile, SourceMap, ast, format, parse, render_json, render_text};
use proptest::prelude::*;

const SIX_POLICIES: &str = include_str!("../corpus/parse/ok/six_policies.rules");

fn source(text: impl Into<String>) -> SourceFile {
    SourceFile::new(FileId(0), "case.rules", text)
}

/// Everything a reader of this text goes through, without a panic; gives the number of findings.
fn survive(text: &str) -> usize {
    let source = source(text);
    let parsed = parse(&source);
    for finding in &parsed.diagnostics {
        for label in &finding.labels {
            assert!(source.text.get(label.span.range()).is_some(), "{finding:?} points outside the text");
        }
        let documented = grammar::diagnostic::codes::CODES.iter().any(|doc| doc.code == finding.code);
        assert!(documented, "{} is not documented", finding.code);
    }
    let sources = SourceMap::from(source.clone());
    let drawn = render_text(&parsed.diagnostics, &sources, true);
    let written = render_json(&parsed.diagnostics, &sources);
    assert_eq!(drawn.is_empty(), parsed.diagnostics.is_empty());
    assert!(serde_json::from_str::<serde_json::Value>(&written).is_ok());
    match format(&source) {
        Ok(formatted) => assert_stable(&formatted, &parsed.file),
        Err(findings) => {
            assert!(findings.iter().all(|finding| finding.code != "unformattable"), "cannot format {text:?}")
        }
    }
    parsed.diagnostics.len()
}

fn assert_stable(formatted: &str, meaning: &ast::File) {
    let again = source(formatted);
    assert!(ast::same_meaning(&parse(&again).file, meaning), "formatting changed the meaning: {formatted}");
    assert_eq!(format(&again).as_deref(), Ok(formatted), "formatting twice is not formatting once");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_survived(text in "\\PC{0,200}") {
        survive(&text);
    }

    #[test]
    fn any_bytes_that_are_text_are_survived(text in proptest::collection::vec(any::<char>(), 0..100)) {
        survive(&text.into_iter().collect::<String>());
    }

    #[test]
    fn any_heap_of_our_own_words_is_survived(text in noise()) {
        survive(&text);
    }

    #[test]
    fn a_right_file_with_a_hole_in_it_is_survived(start in 0..SIX_POLICIES.len(), length in 0_usize..60) {
        let mut text = SIX_POLICIES.to_owned();
        let at = |mut offset: usize| { while !text.is_char_boundary(offset) { offset -= 1 } offset };
        let (start, end) = (at(start), at((start + length).min(text.len())));
        text.replace_range(start..end, "");
        survive(&text);
    }

    #[test]
    fn a_right_file_with_something_put_in_is_survived(at in 0..SIX_POLICIES.len(), what in noise()) {
        let mut text = SIX_POLICIES.to_owned();
        let mut at = at;
        while !text.is_char_boundary(at) { at -= 1 }
        text.insert_str(at, &what);
        survive(&text);
    }

    #[test]
    fn a_right_file_cut_short_is_survived(at in 0..SIX_POLICIES.len()) {
        let mut at = at;
        while !SIX_POLICIES.is_char_boundary(at) { at -= 1 }
        survive(&SIX_POLICIES[..at]);
    }

    /// `PROPTEST_CASES=1000000 cargo test --release -p grammar --test properties once_and_for_all` looks at a million files.
    #[test]
    fn what_somebody_could_write_is_formatted_once_and_for_all(written in file()) {
        let Written { text, comments } = written;
        let source = source(text.as_str());
        let parsed = parse(&source);
        prop_assert!(parsed.diagnostics.is_empty(), "{text}\n{}", render_text(&parsed.diagnostics, &SourceMap::from(source), false));
        let formatted = format(&source).map_err(|findings| TestCaseError::fail(format!("{text}\n{findings:?}")))?;
        assert_stable(&formatted, &parsed.file);
        prop_assert_eq!(comments::of(&formatted), comments, "comments of {} in {}", text, formatted);
    }

    #[test]
    fn an_error_in_one_item_leaves_the_others(before in file(), after in file()) {
        let (before, after) = (before.text, after.text);
        let count = |text: &str| parse(&source(text)).file.items.len();
        let text = format!("{before}\nlet broken = a b\n{after}");
        let parsed = parse(&source(text.as_str()));
        prop_assert_eq!(parsed.file.items.len(), count(&before) + count(&after), "{}", text);
        prop_assert_eq!(parsed.diagnostics.len(), 1, "{:#?} in {}", parsed.diagnostics, text);
    }
}

/// A quarter of a mebibyte each: whatever took the square of the length would take minutes here.
#[test]
fn a_quarter_of_a_mebibyte_of_anything_is_survived() {
    let blanks = " ".repeat(100_000);
    for (part, has_errors) in [
        ("(", true),
        (")", true),
        ("{\n", true),
        ("rule r {\n", true),
        ("policy p on e {\n", true),
        ("'", true),
        ("\"", true),
        ("// ", true),
        ("/**/", false),
        ("/*", true),
        ("\n", false),
        ("a ", true),
        ("let a = (((\n", true),
        ("not ", true),
        ("é", true),
        ("let let = let\n", false),
    ] {
        let text = part.repeat((1 << 18) / part.len());
        let found = parse(&source(text.as_str())).diagnostics;
        assert_eq!(!found.is_empty(), has_errors, "{part:?}: {:#?}", found.first());
    }
    for (opening, closing) in [("(", "]"), ("{(", "}"), ("[", ")")] {
        let text = format!("let a = {}{}", opening.repeat(1 << 16), closing.repeat(1 << 16));
        assert!(!parse(&source(text)).diagnostics.is_empty());
    }
    let comments = format!("{blanks}{}", "/**/".repeat(1 << 15));
    assert!(parse(&source(comments)).diagnostics.is_empty());
}
