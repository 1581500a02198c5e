use serde_json::Value;

use crate::support::{Run, checkout};

const GOOD: &str = "policy p on any { default allow }\n";
const BAD: &str = "event pay {\n  amount: money\n}\n\npolicy p on pay {\n  default allow\n\n  rule big {\n    when amont > 10 EUR\n    then block reason NO_SUCH\n  }\n}\n";

#[test]
fn a_good_pack_is_fine_and_says_what_it_has() {
    Run::new("check .").file("a.rules", GOOD).stderr("").run().says(&[". is fine; 1 policy, 0 rules, sha256:"]);
}

#[test]
fn all_errors_come_with_place_caret_and_suggestion() {
    let ran = Run::new("check pack").file("pack/deep/a.rules", BAD).exit(3).stderr("").run();
    ran.says(&["pack/deep/a.rules:9:10", "^^^^^ ", "amount", "NO_SUCH", "pack cannot be used: 2 errors"]);
}

#[test]
fn one_file_is_a_pack_and_the_pack_around_it_is_mentioned() {
    Run::new("check a.rules").file("a.rules", GOOD).run().says(&["a.rules is fine"]);
    let ran = Run::new("check pack/a.rules").file("pack/a.rules", BAD).file("pack/b.rules", GOOD).exit(3).run();
    ran.says(&["only this file was looked at", "stepup check pack"]);
}

#[test]
fn one_file_brings_the_lists_it_names() {
    let rules = "list @l: ip from \"lists/l.csv\"\npolicy p on any {\n  default allow\n\n  rule r {\n    when ip in @l\n    on unknown skip\n    then block\n  }\n}\n";
    Run::new("check a.rules").file("a.rules", rules).file("lists/l.csv", "203.0.113.1\n").run();
    Run::new("check a.rules").file("a.rules", rules).exit(3).run();
}

#[test]
fn json_is_one_array_of_findings() {
    let ran = Run::new("check --format json .").file("a.rules", BAD).exit(3).stderr("").run();
    let findings: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let first = &findings[0];
    assert_eq!((first["severity"].as_str(), first["line"].as_u64()), (Some("error"), Some(9)), "{findings}");
    assert!(first["file"].as_str().is_some_and(|file| file.ends_with("a.rules")), "{findings}");
    Run::new("check --format json .").file("a.rules", GOOD).stdout("[]\n").run();
}

#[test]
fn what_is_no_pack_is_our_failure() {
    Run::new("check missing").exit(1).stdout("").run().complains(&["cannot read missing"]);
    Run::new("check .").file("notes.txt", "").exit(1).run().complains(&["no `.rules` file"]);
}

#[test]
fn the_shipped_pack_can_be_used() {
    Run::new("check").arg(checkout("rules/starter")).run();
}
