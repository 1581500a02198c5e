use serde_json::Value;

use crate::support::Run;

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
fn a_proof_is_not_passed_off_as_decided() {
    let prove = "prove \"large sums are blocked\" { for all pay where amount > 10 EUR expect at least block }\n";
    Run::new("test .")
        .file("p.rules", format!("{POLICY}{PASSES}"))
        .file("proofs.rules", prove)
        .stdout("not decided, only read: prove \"large sums are blocked\" (proofs.rules:1)\n1 passed, 0 failed\n")
        .run();
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

const MORE: &str = "event get {\n  id: string?\n}\n\npolicy q on get {\n  default allow\n  on unknown skip\n\n  rule named {\n    when id == \"x\" and not (id == \"y\")\n    then block\n  }\n\n  rule idle {\n    mode off\n    when id == \"z\"\n    then block\n  }\n}\n";
const MORE_TESTS: &str = "test \"z\" {\n  event get { user: \"ann\", id: \"z\" }\n  expect allow by default\n}\n\ntest \"none\" {\n  event get { user: \"ann\" }\n  expect unknown named\n}\n";

#[test]
fn coverage_says_which_rules_and_conditions_the_tests_exercise() {
    let tests = format!("{PASSES}\n{MORE_TESTS}");
    let ran = Run::new("test . --coverage")
        .file("p.rules", POLICY)
        .file("q.rules", MORE)
        .file("t.test.rules", &tests)
        .stderr("")
        .run();
    assert_eq!(
        ran.stdout,
        "\
coverage of p: the default decided 1 of 1 tests
  rule   matched  not matched  unknown
  big          0            1        0
    never matched
    never true: amount > 10.00 EUR
coverage of q: the default decided 2 of 2 tests
  rule   matched  not matched  unknown
  named        0            1        1
    never matched
    never true: id == \"x\"
    never true: id == \"y\"
  idle         0            0        0  (off)
0 of 2 rules matched, 0 of 3 conditions seen both ways
3 passed, 0 failed
"
    );
    let ran = Run::new("test . --coverage --format json").file("q.rules", MORE).file("t.test.rules", MORE_TESTS).run();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let named = &report["coverage"][0]["rules"][0];
    assert_eq!((named["rule"].as_str(), named["notMatched"].as_u64()), (Some("named"), Some(1)), "{report}");
    assert_eq!((named["conditions"][0]["false"].as_u64(), named["unknown"].as_u64()), (Some(1), Some(1)), "{report}");
}

#[test]
fn required_coverage_fails_the_run_and_names_the_rules_that_lack_it() {
    let run = |words: &str, tests: &str| {
        Run::new(words).file("p.rules", POLICY).file("q.rules", MORE).file("t.test.rules", tests)
    };
    let matching = "test \"x\" {\n  event get { user: \"ann\", id: \"x\" }\n  expect block by named\n}\n";
    let big = FAILS.replace("expect allow", "expect block");
    run("test . --require-coverage", PASSES).exit(4).stderr("the tests do not cover big, named\n").run();
    let all = format!("{PASSES}\n{big}\n{matching}");
    run("test . --require-coverage", &all).stderr("").run();
    run("test . --require-coverage=rules", &all).stderr("").run();
    let ran = run("test . --require-coverage=conditions", &all).exit(4).run();
    ran.complains(&["the tests do not cover named"]);
    let y = MORE_TESTS.replace("id: \"z\"", "id: \"y\"");
    run("test . --require-coverage=conditions", &format!("{all}\n{y}")).stderr("").run();
}
