use std::path::Path;

use crate::support::Run;

const GOOD: &str = "event pay {\n  n: int\n}\n\npolicy p on pay {\n  default allow\n\n  rule big {\n    when n > 10\n    then block\n  }\n}\n\ntest \"t\" {\n  event pay { user: \"ann\", n: 1 }\n  expect allow\n}\n";

/// Files that the commands below are about.
fn with_files(run: Run) -> Run {
    let event = r#"{"time":"2026-03-01T10:00:00Z","action":"pay","userId":"ann","custom":{"n":1}}"#;
    run.file("good/a.rules", GOOD)
        .file("untidy/a.rules", GOOD.replace('\n', " "))
        .file("failing/a.rules", GOOD.replace("expect allow", "expect block"))
        .file("slip/a.rules", GOOD.replace("default allow", "defalt allow"))
        .file("wrong/a.rules", GOOD.replace("n > 10", "banana > 10"))
        .file("syntax/a.rules", "policy policy policy {{{\n")
        .file("empty/notes.txt", "no rules here\n")
        .file("taken/kiosk/x", "")
        .file("event.json", event)
        .file("bad.json", "nonsense\n")
        .file("wrong.toml", "databse = 1\n")
}

/// `protocol.md` §4: 0 fine; 1 we failed; 2 usage; 3 the pack has errors; 4 tests, proofs or verification failed.
#[test]
fn every_command_keeps_to_the_table() {
    let table: &[(i32, &[&str])] = &[
        (
            0,
            &[
                "--help",
                "--version",
                "check good",
                "check --fix slip",
                "check --diff good",
                "check good/a.rules",
                "check untidy",
                "check failing",
                "fmt good",
                "fmt untidy",
                "fmt --check good",
                "test good",
                "eval good",
                "explain",
                "explain --list",
                "explain unknown-signal",
                "explain good --event event.json",
                "new",
                "new kiosk",
                "completions bash",
                "check good --format json",
                "check good --format sarif",
                "test good --format json",
                "fmt --check good --format json",
            ],
        ),
        (
            1,
            &[
                "check nowhere",
                "check --fix nowhere",
                "fmt nowhere",
                "test nowhere",
                "eval nowhere",
                "explain nowhere --event event.json",
                "explain good --event nowhere",
                "explain good --event bad.json",
                "explain 01a2094c-ad6c-7ce2-8c79-ea206afb809e --server x",
                "new kiosk --into taken",
                "serve --config nowhere.toml",
                "keys list --data nowhere",
                "audit verify --data nowhere",
                "audit show 1 --data nowhere",
                "check nowhere --format json",
                "check nowhere --format sarif",
            ],
        ),
        (
            2,
            &[
                "",
                "nonsense",
                "check",
                "check good bad",
                "check --format xml good",
                "check --diff --format sarif good",
                "fmt",
                "fmt --format sarif good",
                "test",
                "test --require-coverage=most good",
                "eval",
                "eval good --threads 0",
                "explain banana",
                "explain --list unknown-signal",
                "explain --event event.json",
                "explain --server http://localhost:1",
                "new banana",
                "completions klingon",
                "serve --nonsense",
                "demo --port none",
                "keys",
                "keys new",
                "audit",
                "audit show",
                "migrate x",
                "doctor x",
            ],
        ),
        (
            3,
            &[
                "check wrong",
                "check syntax",
                "check empty",
                "check --fix wrong",
                "check --diff slip",
                "check wrong/a.rules",
                "check wrong --format json",
                "check empty --format json",
                "check wrong --format sarif",
                "check empty --format sarif",
                "test wrong",
                "test empty",
                "test empty --format json",
                "eval wrong",
                "eval empty",
                "fmt syntax",
                "fmt --check syntax",
                "fmt empty",
                "explain wrong --event event.json",
                "explain empty --event event.json --format json",
            ],
        ),
        (
            4,
            &[
                "fmt --check untidy",
                "test failing",
                "test good --require-coverage",
                "test failing --format json",
                "doctor --config wrong.toml",
            ],
        ),
    ];
    for (code, commands) in table {
        for words in *commands {
            let ran = with_files(Run::new(words)).exit(*code).run();
            match code {
                1 | 2 => {
                    assert_eq!(ran.stdout, "", "stepup {words} says nothing on standard output");
                    assert_ne!(ran.stderr, "", "stepup {words} says why");
                }
                // A stream of nothing has no decisions.
                _ if *words == "eval good" || words.starts_with("check --diff good") => {}
                _ => assert_ne!(ran.stdout.len() + ran.stderr.len(), 0, "stepup {words} says something"),
            }
            if words.contains("json") && *words != "explain good --event event.json" && matches!(code, 0 | 3 | 4) {
                let last = words.rsplit(' ').next().unwrap_or_default();
                if last == "json" || Path::new(last).extension().is_none() {
                    let value: Result<serde_json::Value, _> = serde_json::from_str(&ran.stdout);
                    assert!(value.is_ok_and(|value| value["version"] == 1), "stepup {words}: {}", ran.stdout);
                }
            }
        }
    }
    with_files(Run::new("eval good"))
        .input("nonsense\n")
        .exit(4)
        .run()
        .complains(&["1 line of 1 could not be decided"]);
}
