use std::path::Path;
use std::process::Command;

use crate::support::{Run, binary, checkout};

/// Before a line of a README that says what the commands above it print.
const SAYS: &str = "# says: ";
/// Printed by the shell where such a line stands.
const MARK: &str = "@@ so far @@";

/// Runs what stands in a README under "Try it" in one shell, as a reader would paste it at the root of the checkout.
fn try_it(name: &str) {
    let readme = std::fs::read_to_string(checkout("rules").join(name).join("README.md")).expect("a README");
    let section = readme.split_once("## Try it").map(|(_, rest)| rest).expect("a section `Try it`");
    let block = section.split_once("```sh\n").and_then(|(_, rest)| rest.split_once("```")).expect("commands").0;
    let mark = format!("echo '{MARK}'");
    let script: Vec<&str> =
        block.lines().map(|line| if line.starts_with(SAYS) { mark.as_str() } else { line }).collect();
    let folder = Path::new(binary()).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    let ran = shell.args(["-e", "-c", &script.join("\n")]).current_dir(checkout(".")).env("PATH", &path).output();
    let ran = ran.expect("a shell");
    let printed = String::from_utf8_lossy(&ran.stdout);
    let complaints = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "rules/{name}/README.md, Try it:\n{printed}\n{complaints}");
    let promises: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix(SAYS)).collect();
    assert!(promises.len() > 1, "rules/{name}/README.md promises nothing");
    let mut last = "";
    for (promise, part) in promises.iter().zip(printed.split(MARK)) {
        // Two promises in a row are about the same output.
        last = if part.trim().is_empty() { last } else { part };
        assert!(last.contains(promise), "rules/{name}/README.md promises `{promise}`, and the output is\n{last}");
    }
}

#[test]
fn what_a_reader_is_told_to_try_does_what_it_says() {
    let mut tried = 0;
    for entry in std::fs::read_dir(checkout("rules")).expect("the packs") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            try_it(&path.file_name().expect("a name").to_string_lossy());
            tried += 1;
        }
    }
    assert!(tried > 1, "only {tried} packs");
}

#[test]
fn new_lists_the_packs_that_come_with_the_program() {
    let ran = Run::new("new").stderr("").run();
    for name in ["starter", "sign-in", "payments"] {
        assert!(ran.stdout.lines().any(|line| line.starts_with(&format!("{name} "))), "{}", ran.stdout);
    }
}

#[test]
fn new_writes_packs_side_by_side_that_work_as_one() {
    let ran = Run::new("new sign-in payments --into rules").stderr("").run();
    ran.says(&["rules/sign-in", "stepup test rules/payments"]);
    let files = ran.folder.path().join("rules/sign-in");
    assert!(files.join("lists/blocked_ips.csv").is_file() && files.join("README.md").is_file());
    let ran = Run::in_folder(ran.folder, "test rules").stderr("").run();
    assert!(ran.stdout.ends_with(" passed, 0 failed\n"), "{}", ran.stdout);
    // What is there is somebody's work.
    let ran = Run::in_folder(ran.folder, "new starter sign-in --into rules").exit(1).stdout("").run();
    ran.complains(&["rules/sign-in exists already", "--into"]);
    assert!(!ran.folder.path().join("rules/starter").exists());
}

#[test]
fn new_knows_the_name_you_meant() {
    Run::new("new sign_in")
        .exit(2)
        .stdout("")
        .run()
        .complains(&["there is no pack `sign_in`", "did you mean `sign-in`?"]);
    Run::new("new everything").exit(2).stdout("").run().complains(&["`stepup new` lists them"]);
}
