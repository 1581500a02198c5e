use serde_json::Value;

use crate::support::Run;

/// Two slips that are certain, one that is not, and one for which there is no fix.
const SLIPS: &str = "# my rules
event pay {
  amount: money
}

policy p on pay {
  default alow

  rule big {
    when amont > 10 EUR # much
    then block
  }

  rule far {
    when amt_of > 3
    then block reason NO_SUCH
  }
}
";

#[test]
fn certain_fixes_are_written_and_the_rest_is_left() {
    let ran = Run::new("check --fix pack").file("pack/sub/a.rules", SLIPS).exit(3).stderr("").run();
    ran.says(&[
        "fixed pack/sub/a.rules:7:11: ",
        "fixed pack/sub/a.rules:10:10: there is no signal `amont` [unknown-signal]; did you mean `amount`?",
        "wrote pack/sub/a.rules",
        "NO_SUCH",
        "pack cannot be used: 2 errors",
    ]);
    let mended = SLIPS.replace("alow", "allow").replace("amont", "amount");
    assert_eq!(ran.read("pack/sub/a.rules"), mended);
    let again = Run::in_folder(ran.folder, "check --fix pack").exit(3).run();
    again.says(&["there was nothing to fix for certain"]);
    assert_eq!(again.read("pack/sub/a.rules"), mended);
    let names: Vec<_> = std::fs::read_dir(again.folder.path().join("pack/sub")).expect("a folder").collect();
    assert_eq!(names.len(), 1, "nothing is left lying about: {names:?}");
}

#[test]
fn a_pack_of_which_all_is_fixed_can_be_used() {
    let rules = "policy p on any { defalt allow }\n";
    let ran = Run::new("check --fix a.rules").file("a.rules", rules).run();
    ran.says(&["wrote a.rules", "a.rules is fine"]);
    assert_eq!(ran.read("a.rules"), "policy p on any { default allow }\n");
}

#[test]
fn a_dry_run_prints_a_diff_that_patch_understands_and_writes_nothing() {
    for option in ["--diff", "--fix --diff", "--fix --dry-run", "--dry-run"] {
        let ran = Run::new(&format!("check {option} .")).file("a.rules", SLIPS).exit(3).run();
        assert_eq!(ran.read("a.rules"), SLIPS);
        let lines: Vec<&str> = ran.stdout.lines().collect();
        assert_eq!(lines[..2], ["--- a/a.rules", "+++ b/a.rules"], "{}", ran.stdout);
        assert!(lines.contains(&"-  default alow") && lines.contains(&"+  default allow"), "{}", ran.stdout);
        ran.complains(&["2 findings would be fixed in 1 file; left: 2 errors"]);
    }
}

#[test]
fn programs_are_told_the_same() {
    let ran = Run::new("check --diff --format json .").file("a.rules", SLIPS).exit(3).stderr("").run();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(report["fixed"].as_array().map(Vec::len), Some(2), "{report}");
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(4), "{report}");
    assert!(report["diff"].as_str().is_some_and(|diff| diff.starts_with("--- a/a.rules\n")), "{report}");
    let ran = Run::in_folder(ran.folder, "check --fix --format json .").exit(3).stderr("").run();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(2), "{report}");
    assert_eq!(report["changed"][0], "./a.rules", "{report}");
    assert_eq!((&report["fixed"][1]["line"], &report["fixed"][1]["code"]), (&10.into(), &"unknown-signal".into()));
}

#[cfg(unix)]
#[test]
fn links_and_modes_stay_what_they_are() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let run = Run::new("check --fix pack").file("elsewhere/a.rules", "policy p on any { defalt allow }\n");
    std::fs::create_dir(run.folder().join("pack")).expect("a folder");
    symlink("../elsewhere/a.rules", run.folder().join("pack/a.rules")).expect("a link");
    let target = run.folder().join("elsewhere/a.rules");
    std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o640)).expect("a mode");
    let ran = run.run();
    assert!(ran.folder.path().join("pack/a.rules").is_symlink());
    assert_eq!(ran.read("elsewhere/a.rules"), "policy p on any { default allow }\n");
    let mode =
        std::fs::metadata(ran.folder.path().join("elsewhere/a.rules")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}
