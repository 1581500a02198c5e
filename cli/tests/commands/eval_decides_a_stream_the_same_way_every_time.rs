//! Each folder of `cli/tests/corpus/eval` is a pack, a stream and its decisions. `ACCEPT=1` writes what is seen.

use std::fmt::Write as _;
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

/// `eval` with this many threads; with 0, as many as it likes.
fn with(threads: u32) -> String {
    if threads == 0 { "eval".to_owned() } else { format!("eval --threads {threads}") }
}

#[test]
fn every_stream_of_the_corpus_gets_its_decisions_and_gets_them_again() {
    let accept = std::env::var_os("ACCEPT").is_some_and(|value| value == "1");
    let mut differing = Vec::new();
    for case in cases() {
        let events = std::fs::read(case.join("events.ndjson")).expect("events");
        let bad = case.ends_with("bad_lines_are_answered_and_the_run_goes_on");
        let run = |threads: u32| {
            Run::new(&with(threads))
                .arg(case.join("pack.rules"))
                .input(events.clone())
                .exit(if bad { 4 } else { 0 })
                .run()
                .stdout
        };
        let first = run(0);
        assert_eq!(first, run(1), "one thread decides {} otherwise", case.display());
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

/// Events of a few users from a few addresses, many of them late, some at the same moment; ends of challenges, some of
/// which never were; lines that are no events. The same for the same number of lines.
fn stream(lines: u64) -> String {
    let mut state = 20_261_125_u64;
    let mut below = move |end: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % end
    };
    let mut out = String::new();
    let mut users = Vec::new();
    let mut second = 0;
    for key in 0..lines {
        second += below(3);
        let late = if below(8) == 0 { below(1_500) } else { 0 };
        let at = 200_000 + second - late.min(second);
        let (day, hour, minute) = (1 + at / 86_400, at / 3_600 % 24, at / 60 % 60);
        let time = format!("2026-03-{day:02}T{hour:02}:{minute:02}:{:02}Z", at % 60);
        let kind = below(20);
        // An end has the user of the event whose challenge it ends.
        let ended = key.saturating_sub(1 + below(60));
        let (user, address) = (below(40), below(60));
        let user = if kind > 16 { *users.get(ended as usize).unwrap_or(&user) } else { user };
        users.push(user);
        let head = format!("{{\"time\":\"{time}\",\"userId\":\"ann{user}\"");
        let _ = match kind {
            0..8 => writeln!(
                out,
                "{head},\"action\":\"sign_in\",\"idempotencyKey\":\"k{key}\",\"ipAddress\":\"8.{}.{address}.7\",\"custom\":{{\"outcome\":\"{}\"}}}}",
                address % 9 * 20,
                ["failed", "succeeded"][below(2) as usize]
            ),
            8..15 => writeln!(
                out,
                "{head},\"action\":\"withdrawal\",\"idempotencyKey\":\"k{key}\",\"custom\":{{\"amount\":{{\"value\":\"{}.{:02}\",\"currency\":\"EUR\"}},\"payee\":\"{}\"}}}}",
                below(90),
                below(100),
                ["bob", "shop", "annabel", "rent", "x"][below(5) as usize]
            ),
            15 => writeln!(out, "{head},\"action\":\"withdrawal\",\"custom\":{{\"amount\":12}}}}"),
            16 => writeln!(out, "{}", ["", "nonsense", "[1, 2]", "{\"time\":5}"][below(4) as usize]),
            _ => writeln!(
                out,
                "{head},\"challenge\":\"{}\",\"ref\":\"k{}\"}}",
                ["succeeded", "succeeded", "succeeded", "declined", "expired"][below(5) as usize],
                ended
            ),
        };
    }
    out
}

/// `STEPUP_STREAM_LINES=26000 cargo nextest run -p cli -E 'test(threads_changes)'` looks at more than 20,000 events.
#[test]
fn the_number_of_threads_changes_no_byte() {
    let lines = std::env::var("STEPUP_STREAM_LINES").map_or(3_000, |lines| lines.parse().expect("a number of lines"));
    let events = stream(lines);
    let pack = checkout("cli/tests/corpus/threads");
    let run = |threads: u32| Run::new(&with(threads)).arg(&pack).input(events.clone()).exit(4).run();
    let alone = run(1);
    let decisions: Vec<Value> = alone.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let decided = decisions.iter().filter(|decision| decision["outcome"].is_string()).count();
    assert!(decided as u64 >= lines * 7 / 10, "only {decided} of {lines} were decided");
    for rule in ["blocked", "guessing", "stuffing", "small", "fan_out", "watched", "declined", "named_alike", "default"]
    {
        assert!(decisions.iter().any(|decision| decision["decidedBy"] == rule), "nothing was decided by `{rule}`");
    }
    for threads in [2, 3, 8, 8] {
        let together = run(threads);
        assert!(alone.stdout == together.stdout, "with {threads} threads the decisions are others");
        assert_eq!(alone.stderr, together.stderr, "with {threads} threads");
    }
}

fn started(threads: u32) -> std::process::Child {
    Command::new(binary())
        .args(with(threads).split(' '))
        .arg(checkout("cli/tests/corpus/eval/guessing_is_challenged_at_the_sixth_failure/pack.rules"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts")
}

const EVENT: &str =
    r#"{"time":"2026-03-01T10:00:00Z","action":"sign_in","userId":"u","ipAddress":"10.0.0.1","outcome":"failed"}"#;

#[test]
fn an_event_is_answered_before_the_next_is_written() {
    for threads in [0, 1, 3] {
        let mut child = started(threads);
        let mut events = child.stdin.take().expect("a pipe");
        let mut decisions = BufReader::new(child.stdout.take().expect("a pipe"));
        for index in 0..3 {
            writeln!(events, "{EVENT}").expect("written");
            let mut line = String::new();
            decisions.read_line(&mut line).expect("a decision");
            let decision: Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!(decision["index"], index);
        }
        drop(events);
        assert!(child.wait().expect("it ends").success());
    }
}

#[test]
fn it_ends_when_nobody_reads_its_decisions_although_events_could_still_come() {
    for threads in [0, 1, 3] {
        let mut child = started(threads);
        let mut events = child.stdin.take().expect("a pipe");
        drop(child.stdout.take());
        writeln!(events, "{EVENT}").expect("written");
        assert!(child.wait().expect("it ends").success());
    }
}
