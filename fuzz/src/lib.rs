//! What must hold for any bytes. The fuzzer looks for bytes for which it does not; `cargo xtask fuzz` runs it.

#[path = "../../grammar/tests/generate/comments.rs"]
mod comments;
mod folder;
#[path = "../../engine/tests/interpreter/mod.rs"]
mod interpreter;
#[path = "../../engine/tests/oracle/mod.rs"]
#[allow(unused_imports)]
mod oracle;
mod stream;

use std::{num::NonZeroUsize, sync::Arc};

use engine::{PackSource, Program, Whereabouts, compile, run_tests};
use grammar::{Diagnostic, FileId, SourceFile, SourceMap, ast, render_json, render_text};

/// Steps of the parser that an item may take whatever it holds, and for each byte: dense text takes up to a hundred.
const STEPS: usize = 4_000;
const STEPS_PER_BYTE: usize = 400;

/// Bytes are read as text in a number of steps that is bounded by their length, and every finding points into that text and
/// can be drawn.
pub fn parse(bytes: &[u8]) {
    let source = file(bytes);
    pest::set_call_limit(NonZeroUsize::new(STEPS + STEPS_PER_BYTE * source.text.len()));
    let bounded = grammar::parse(&source);
    pest::set_call_limit(None);
    let parsed = grammar::parse(&source);
    assert_eq!(bounded, parsed, "more steps than {STEPS_PER_BYTE} for each of {} bytes", source.text.len());
    for item in &parsed.file.items {
        assert!(source.text.get(item.span().range()).is_some(), "an item lies outside the text");
    }
    show(&parsed.diagnostics, &SourceMap::from(source));
}

/// A file that parses is formatted once and for all.
pub fn format(bytes: &[u8]) {
    let source = file(bytes);
    let parsed = grammar::parse(&source);
    let formatted = match grammar::format(&source) {
        Ok(text) => text,
        Err(findings) => {
            assert!(findings.iter().all(|finding| finding.code != "unformattable"), "the formatter gives up");
            return;
        }
    };
    let again = SourceFile::new(source.id, source.name.clone(), formatted);
    assert!(ast::same_meaning(&parsed.file, &grammar::parse(&again).file), "another meaning:\n{}", again.text);
    assert_eq!(comments::of(&source.text), comments::of(&again.text), "other comments:\n{}", again.text);
    assert_eq!(grammar::format(&again).as_deref(), Ok(again.text.as_str()), "formatted twice is formatted otherwise");
}

/// Bytes are a pack that compiles or has an error, and its own tests can be run.
pub fn check(bytes: &[u8]) {
    let (pack, _) = folder::unpacked(bytes);
    if let Some(program) = compiled(&pack) {
        for result in run_tests(&program, &|_| Whereabouts::default()) {
            show(&result.failures, program.sources());
        }
    }
}

/// A pack decides a stream the same way twice, and what it decides can be explained and replayed. Bytes behind a zero are
/// throws of dice, by which a pack and a stream are drawn that a simple interpreter understands: the two agree.
pub fn eval(bytes: &[u8]) {
    if let [0, throws @ ..] = bytes {
        let case = oracle::given(throws);
        if let Some(mismatch) = case.differs() {
            let (case, mismatch) = oracle::smallest(case, mismatch);
            panic!("the engine and the interpreter differ\n{case}\n{mismatch}");
        }
        return;
    }
    let (pack, events) = folder::unpacked(bytes);
    let Some(program) = compiled(&pack) else { return };
    let decided = stream::decided(&program, &events);
    assert_eq!(decided, stream::decided(&program, &events), "decided in two ways");
}

fn compiled(pack: &PackSource) -> Option<Arc<Program>> {
    let compilation = compile(pack);
    show(&compilation.diagnostics, &compilation.sources);
    let wrong = compilation.diagnostics.iter().any(Diagnostic::is_error);
    assert_eq!(compilation.program.is_none(), wrong, "a pack has a program or an error");
    compilation.program
}

fn show(diagnostics: &[Diagnostic], sources: &SourceMap) {
    for finding in diagnostics {
        let spans = finding
            .labels
            .iter()
            .map(|label| label.span)
            .chain(finding.fix.iter().flat_map(|fix| fix.edits.iter().map(|edit| edit.span)));
        for span in spans {
            let text = sources.get(span.file).map_or("", |source| &source.text);
            assert!(text.get(span.range()).is_some(), "{finding:?} points outside the text");
        }
    }
    // Drawing is slow; some of many are enough.
    let some = diagnostics.get(..4).unwrap_or(diagnostics);
    let drawn = render_text(some, sources, true);
    assert_eq!(drawn.is_empty(), some.is_empty());
    let written = render_json(some, sources);
    assert!(serde_json::from_str::<serde_json::Value>(&written).is_ok(), "not JSON: {written}");
}

fn file(bytes: &[u8]) -> SourceFile {
    SourceFile::new(FileId(0), "case.rules", String::from_utf8_lossy(bytes))
}
