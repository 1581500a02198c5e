use serde_json::Value;

use crate::support::{Run, checkout};

const POLICY: &str = "event pay {\n  amount: money\n}\n\npolicy p on pay {\n  default allow\n\n  rule big {\n    when amount > 10 EUR\n    then block\n  }\n}\n";
const PASSES: &str =
    "test \"small <is> allowed\" {\n  event pay { user: \"ann\", amount: 1 EUR }\n  expect allow by default\n}\n";
const FAILS: &str = "test \"big is allowed\" {\n  event pay { user: \"ann\", amount: 11 EUR }\n  expect allow\n}\n";

#[test]
fn passes_are_counted_on_the_last_line() {
    Run::new("test .")
        .file("p.rules", POLICY)
        .file("p.test.rules", PASSES)
        .stdout("1 passed, 0 failed\n")
        .stderr("")
        .run();
}

#[test]
fn a_failure_says_what_was_expected_what_came_and_why() {
    let ran = Run::new("test pack")
        .file("pack/p.rules", POLICY)
        .file("pack/p.test.rules", format!("{PASSES}\n{FAILS}"))
        .exit(4)
        .run();
    ran.says(&[
        "FAILED \"big is allowed\" (pack/p.test.rules:6)",
        "pack/p.test.rules:8",
        "expect allow",
        "block",
        "big",
    ]);
    assert_eq!(ran.stdout.lines().last(), Some("1 passed, 1 failed"));
}

#[test]
fn a_pack_without_tests_says_so() {
    Run::new("test .").file("p.rules", POLICY).run().says(&[". has no tests", "0 passed, 0 failed\n"]);
}

#[test]
fn a_pack_with_errors_runs_no_test() {
    let ran =
        Run::new("test .").file("p.rules", POLICY.replace("amount >", "amont >")).file("t.rules", FAILS).exit(3).run();
    assert_eq!(ran.stdout, "");
    ran.complains(&["error", "cannot be used"]);
}

#[test]
fn programs_get_json_and_build_servers_get_junit() {
    let ran = Run::new("test . --format json --junit report.xml")
        .file("p.rules", POLICY)
        .file("p.test.rules", format!("{PASSES}\n{FAILS}"))
        .exit(4)
        .run();
    let results: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((results["passed"].as_u64(), results["failed"].as_u64()), (Some(1), Some(1)));
    assert_eq!(results["tests"][1]["failures"][0]["severity"], "error", "{results}");
    let xml = ran.read("report.xml");
    for part in [
        "<testsuites name=\".\" tests=\"2\" failures=\"1\">",
        "<testsuite name=\"p.test.rules\" tests=\"2\" failures=\"1\">",
        "name=\"small &lt;is&gt; allowed\"",
        "<failure message=",
    ] {
        assert!(xml.contains(part), "no `{part}` in\n{xml}");
    }
}

#[test]
fn the_shipped_pack_passes_its_tests() {
    let ran = Run::new("test").arg(checkout("rules/starter")).run();
    assert!(ran.stdout.ends_with(" passed, 0 failed\n") && !ran.stdout.starts_with("0 "), "{}", ran.stdout);
}
