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
fn json_is_one_object_with_a_version() {
    let ran = Run::new("check --format json .").file("a.rules", BAD).exit(3).stderr("").run();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((report["version"].as_u64(), report["usable"].as_bool()), (Some(1), Some(false)), "{report}");
    let first = &report["findings"][0];
    assert_eq!((first["severity"].as_str(), first["line"].as_u64()), (Some("error"), Some(9)), "{report}");
    assert!(first["file"].as_str().is_some_and(|file| file.ends_with("a.rules")), "{report}");
    // The edit of a fix fits the bytes of the file.
    let edit = &first["fix"]["edits"][0];
    let (from, to) = (edit["offset"].as_u64(), edit["endOffset"].as_u64());
    let bytes = |offset: Option<u64>| usize::try_from(offset.expect("an offset")).expect("small");
    assert_eq!(&BAD[bytes(from)..bytes(to)], "amont", "{report}");
    assert_eq!(edit["replacement"], "amount");
    let good = Run::new("check --format json .").file("a.rules", GOOD).run();
    let report: Value = serde_json::from_str(&good.stdout).expect("JSON");
    assert_eq!(
        (&report["usable"], &report["findings"], &report["rules"]),
        (&true.into(), &Value::Array(vec![]), &0.into())
    );
}

#[test]
fn what_is_not_there_is_our_failure_and_a_folder_without_rules_is_the_packs() {
    Run::new("check missing").exit(1).stdout("").run().complains(&["cannot read missing"]);
    Run::new("check .").file("notes.txt", "").exit(3).run().says(&["error[empty-pack]", "no `.rules` file"]);
}

#[test]
fn the_shipped_pack_can_be_used() {
    Run::new("check").arg(checkout("rules/starter")).run();
}
