use std::io::Read;
use std::process::{Command, Stdio};

use crate::support::{Run, binary};

#[test]
fn a_wrong_command_line_is_usage_and_nothing_on_standard_output() {
    for words in ["", "nonsense", "fmt", "fmt --nonsense .", "completions klingon"] {
        let ran = Run::new(words).exit(2).stdout("").run();
        assert!(ran.stderr.contains("Usage: stepup") || ran.stderr.contains("--help"), "{words}: {}", ran.stderr);
    }
}

#[test]
fn help_names_the_exit_codes() {
    Run::new("--help").run().says(&[
        "Self-hosted adaptive MFA",
        "Exit codes: 0 fine; 1 we failed; 2 usage; 3 the pack has errors; 4 tests",
    ]);
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        Run::new(&format!("completions {shell}")).run().says(&["stepup"]);
    }
}

#[test]
fn a_reader_who_leaves_early_is_no_error() {
    // The script is longer than a pipe is deep, so the writer meets the closed end.
    let mut child = Command::new(binary())
        .args(["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    drop(child.stdout.take());
    let mut complaint = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut complaint).expect("UTF-8");
    assert_eq!(complaint, "");
    assert!(child.wait().expect("it ends").success());
}
