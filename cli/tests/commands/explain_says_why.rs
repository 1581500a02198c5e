use serde_json::Value;

use crate::support::{Run, checkout};

#[test]
fn every_code_that_check_prints_is_explained() {
    let ran = Run::new("check .")
        .file(
            "a.rules",
            "policy p on any {\n  default allow\n\n  rule r {\n    when ip.contry == NZ\n    then block\n  }\n}\n",
        )
        .exit(3)
        .run();
    let code = ran.stdout.split(['[', ']']).nth(1).expect("a code in brackets").to_owned();
    Run::new(&format!("explain {code}")).stderr("").run().says(&[&code, "What it means", "Instead", "docs/language/"]);
    Run::new(&format!("explain {code}x")).exit(2).stdout("").run().complains(&["did you mean", &code]);
}

#[test]
fn without_a_code_all_are_listed() {
    let listed = Run::new("explain").stderr("").run();
    listed.says(&["unknown-signal ", "error ", "not-utf8", "`stepup explain CODE`"]);
    assert_eq!(Run::new("explain --list").run().stdout, listed.stdout);
    let json: Value = serde_json::from_str(&Run::new("explain --format json").run().stdout).expect("JSON");
    let codes = json["codes"].as_array().expect("codes");
    assert_eq!(codes.len() + 2, listed.stdout.lines().count());
    for code in codes {
        let code = code["code"].as_str().expect("a code");
        assert!(listed.stdout.lines().any(|line| line.split(' ').next() == Some(code)), "{code}");
    }
}

#[test]
fn a_code_is_found_as_it_was_printed_or_nearly() {
    for written in [
        "unknown-signal",
        "[unknown-signal]",
        "error[unknown-signal]: there is no signal",
        "unknown_signal",
        "`unknown-signal`",
    ] {
        Run::new("explain").arg(written).run().says(&["error[unknown-signal]"]);
    }
    Run::new("explain unknwon-signal").exit(2).run().complains(&["did you mean `unknown-signal`"]);
    Run::new("explain signal").exit(2).run().complains(&["did you mean `unknown-signal`"]);
    Run::new("explain banana").exit(2).run().complains(&["`stepup explain` lists the codes"]);
    let json = Run::new("explain unknown-signal --format json").run().stdout;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert!(json["meaning"].as_str().is_some_and(|text| !text.is_empty()), "{json}");
    Run::new("explain --server http://localhost:1").exit(2).run().complains(&["a decision's id"]);
}

#[test]
fn a_sentence_comes_first_then_rules_with_the_values_they_read() {
    let event = "{\n  \"time\": \"2026-03-01T10:00:00Z\",\n  \"action\": \"sign_in\",\n  \"userId\": \"ann\",\n  \"ipAddress\": \"203.0.113.66\",\n  \"custom\": {\"outcome\": \"succeeded\"}\n}\n";
    let ran = Run::new("explain")
        .arg(checkout("rules/starter"))
        .arg("--event")
        .arg("e.json")
        .file("e.json", event)
        .stderr("")
        .run();
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[0], "sign_in by ann at 2026-03-01T10:00:00Z");
    assert_eq!(lines[1], "Blocked, because the rule `blocked_ip` matched: address on the block list.");
    ran.says(&["ip = 203.0.113.66", "IP_BLOCKED", "not known", "previous.geo", "what would have changed the answer"]);
}

#[test]
fn the_last_line_of_a_stream_is_explained_by_those_before_it() {
    let events: String = (0..6)
        .map(|i| format!("{{\"time\":\"2026-03-01T10:0{i}:00Z\",\"action\":\"sign_in\",\"userId\":\"ann\",\"ipAddress\":\"81.2.69.142\",\"outcome\":\"failed\"}}\n"))
        .collect();
    let ran = Run::new("explain --event - --format json").arg(checkout("rules/starter")).input(events).run();
    let explained: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(explained["trace"]["outcome"], "challenge", "{explained}");
    assert_eq!(explained["trace"]["decidedBy"], "guessing");
}

#[test]
fn an_event_that_cannot_be_read_is_named_with_its_line() {
    let run = |text: &str| {
        Run::new("explain --event e.json").arg(checkout("rules/starter")).file("e.json", text).exit(1).stdout("").run()
    };
    run("").complains(&["e.json has no event"]);
    run("nonsense\n").complains(&["e.json:1"]);
    run("{\"time\":\"2026-03-01T10:00:00Z\",\"action\":\"sign_in\",\"userId\":\"ann\"}")
        .complains(&["e.json:1", "/ipAddress"]);
    // A known key that says something else is refused, as `eval` refuses it.
    let tried = |outcome: &str| {
        format!(
            "{{\"time\":\"2026-03-01T10:00:00Z\",\"action\":\"sign_in\",\"userId\":\"ann\",\"ipAddress\":\"203.0.113.9\",\
             \"idempotencyKey\":\"k1\",\"custom\":{{\"outcome\":\"{outcome}\"}}}}\n"
        )
    };
    run(&[tried("failed"), tried("succeeded")].concat()).complains(&[
        "e.json:2",
        "[idempotency-conflict]",
        "/idempotencyKey",
    ]);
}

#[test]
fn a_server_is_asked_only_for_what_can_be_a_decision() {
    let id = "01a2094c-ad6c-7ce2-8c79-ea206afb809e";
    Run::new(&format!("explain {id} --server localhost:1")).exit(1).run().complains(&["not a server's address"]);
    Run::new("explain ../users --server http://localhost:1").exit(1).run().complains(&["not a decision's id"]);
    Run::new(&format!("explain {id} --server http://localhost:1")).exit(1).run().complains(&["STEPUP_API_SECRET"]);
    let asked =
        Run::new(&format!("explain {id} --server http://localhost:1")).env("STEPUP_API_SECRET", "sk_0123456789abcdef");
    asked.exit(1).run().complains(&["cannot reach http://localhost:1/v1/decisions"]);
}
