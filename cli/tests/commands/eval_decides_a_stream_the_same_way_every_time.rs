//! Each folder of `cli/tests/corpus/eval` is a pack, a stream and its decisions. `ACCEPT=1` writes what is seen.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Run, binary, checkout};

fn cases() -> Vec<PathBuf> {
    let folder = checkout("cli/tests/corpus/eval");
    let entries = std::fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("an entry").path());
    let mut cases: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    cases.sort();
    assert!(cases.len() >= 8, "the corpus is not complete: {cases:?}");
    cases
}

#[test]
fn every_stream_of_the_corpus_gets_its_decisions_and_gets_them_again() {
    let accept = std::env::var_os("ACCEPT").is_some_and(|value| value == "1");
    let mut differing = Vec::new();
    for case in cases() {
        let events = std::fs::read(case.join("events.ndjson")).expect("events");
        let bad = case.ends_with("bad_lines_are_answered_and_the_run_goes_on");
        let run = || {
            Run::new("eval")
                .arg(case.join("pack.rules"))
                .input(events.clone())
                .exit(if bad { 4 } else { 0 })
                .run()
                .stdout
        };
        let (first, second) = (run(), run());
        assert_eq!(first, second, "two runs of {} differ", case.display());
        let expected = case.join("decisions.ndjson");
        if accept {
            std::fs::write(&expected, &first).expect("written");
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        if first != expected {
            differing.push(format!("--- {}\n{first}--- expected\n{expected}", case.display()));
        }
    }
    assert!(differing.is_empty(), "{}\nto accept: ACCEPT=1 cargo test -p cli", differing.join("\n"));
}

#[test]
fn the_starter_pack_decides_the_same_bytes_twice_and_says_which_pack_it_was() {
    let events: String = (0..300)
        .map(|i| {
            format!(
                "{{\"time\":\"2026-03-01T10:{:02}:{:02}Z\",\"action\":\"sign_in\",\"userId\":\"u{}\",\"ipAddress\":\"8.8.{}.1\",\"deviceId\":\"d1\",\"custom\":{{\"outcome\":\"failed\"}}}}\n",
                i / 60, i % 60, i % 7, i % 5
            )
        })
        .collect();
    let run = || Run::new("eval").arg(checkout("rules/starter")).input(events.clone()).stderr("").run().stdout;
    let first = run();
    assert_eq!(first, run());
    let lines: Vec<Value> = first.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 300);
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(line["index"], index);
        assert!(line["policyVersion"].as_str().is_some_and(|version| version.starts_with("sha256:")));
    }
    assert!(lines.iter().any(|line| line["decidedBy"] == "guessing"), "nobody guessed");
}

#[test]
fn bad_lines_are_counted_on_standard_error() {
    let pack = checkout("cli/tests/corpus/eval/guessing_is_challenged_at_the_sixth_failure/pack.rules");
    let ran = Run::new("eval").arg(&pack).input("{}\n\nnonsense\n").exit(4).run();
    ran.complains(&["2 lines of 3 could not be decided, the first is line 1"]);
    assert_eq!(ran.stdout.lines().count(), 2);
    let stray = r#"{"time":"2026-03-01T10:00:00Z","challenge":"expired","ref":"k","userId":"u"}"#;
    Run::new("eval").arg(&pack).input(stray).stdout("").run().complains(&["1 challenge line named no event"]);
    Run::new("eval").arg(&pack).input("").stdout("").stderr("").run();
}

#[test]
fn a_pack_with_errors_decides_nothing() {
    let ran =
        Run::new("eval bad.rules").file("bad.rules", "policy p on any { default perhaps }").input("{}\n").exit(3).run();
    ran.complains(&["error", "bad.rules:1", "bad.rules cannot be used: 1 error"]);
    assert_eq!(ran.stdout, "");
}

#[test]
fn an_event_is_answered_before_the_next_is_written() {
    let pack = checkout("cli/tests/corpus/eval/guessing_is_challenged_at_the_sixth_failure/pack.rules");
    let mut child = Command::new(binary())
        .arg("eval")
        .arg(pack)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut events = child.stdin.take().expect("a pipe");
    let mut decisions = BufReader::new(child.stdout.take().expect("a pipe"));
    for index in 0..3 {
        let event = r#"{"time":"2026-03-01T10:00:00Z","action":"sign_in","userId":"u","ipAddress":"10.0.0.1","outcome":"failed"}"#;
        writeln!(events, "{event}").expect("written");
        let mut line = String::new();
        decisions.read_line(&mut line).expect("a decision");
        let decision: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(decision["index"], index);
    }
    drop(events);
    assert!(child.wait().expect("it ends").success());
}
