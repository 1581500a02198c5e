use crate::support::{Run, checkout};

const UGLY: &str = "policy  p on any{default   allow}";
const PRETTY: &str = "policy p on any { default allow }\n";
const BROKEN: &str = "policy p on any { default }\n";

#[test]
fn a_file_is_rewritten_and_a_second_run_finds_nothing() {
    let ran =
        Run::new("fmt a.rules").file("a.rules", UGLY).stdout("formatted a.rules\n1 file looked at, 1 changed\n").run();
    assert_eq!(ran.read("a.rules"), PRETTY);
    assert!(!ran.folder.path().join("a.rules.new").exists());
    Run::new("fmt a.rules").file("a.rules", PRETTY).stdout("1 file looked at, nothing to change\n").run();
}

#[test]
fn check_names_the_files_and_touches_none() {
    let ran = Run::new("fmt --check .")
        .file("a.rules", UGLY)
        .file("deep/b.rules", UGLY)
        .file("deep/c.rules", PRETTY)
        .file("notes.txt", UGLY)
        .file(".hidden/d.rules", UGLY)
        .exit(4)
        .stdout("would format ./a.rules\nwould format ./deep/b.rules\n3 files looked at, 2 would change\n")
        .stderr("")
        .run();
    assert_eq!(ran.read("a.rules"), UGLY);
}

#[test]
fn a_broken_file_is_reported_and_left_alone_and_the_others_are_formatted() {
    let ran = Run::new("fmt .")
        .file("a.rules", BROKEN)
        .file("b.rules", UGLY)
        .exit(3)
        .stdout("formatted ./b.rules\n2 files looked at, 1 changed, 1 left alone because of errors\n")
        .run();
    ran.complains(&["error", "a.rules:1"]);
    assert_eq!((ran.read("a.rules").as_str(), ran.read("b.rules").as_str()), (BROKEN, PRETTY));
}

#[test]
fn what_is_not_text_is_reported_and_left_alone_and_the_others_are_formatted() {
    let bytes = b"let a = b # caf\xe9";
    let ran = Run::new("fmt .").file("a.rules", bytes).file("b.rules", UGLY).exit(3).run();
    ran.complains(&["error[not-utf8]", "a.rules"]);
    assert_eq!(std::fs::read(ran.folder.path().join("a.rules")).expect("there"), bytes);
    assert_eq!(ran.read("b.rules"), PRETTY);
}

#[test]
fn an_editor_pipes_a_buffer_through() {
    Run::new("fmt -").input(UGLY).stdout(PRETTY).stderr("").run();
    Run::new("fmt -").input(PRETTY).stdout(PRETTY).run();
    Run::new("fmt --check -").input(UGLY).stdout("").exit(4).run();
    Run::new("fmt -").input(BROKEN).stdout("").exit(3).run().complains(&["<stdin>:1"]);
}

#[test]
fn what_is_not_there_is_our_failure_and_a_folder_without_rules_is_the_packs() {
    Run::new("fmt missing.rules").exit(1).stdout("").run().complains(&["stepup: cannot read missing.rules"]);
    Run::new("fmt .").exit(3).run().complains(&["no `*.rules` file"]);
}

#[test]
fn the_shipped_packs_are_formatted() {
    Run::new("fmt --check").arg(checkout("rules")).run();
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_the_mode_stays() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let run = Run::new("fmt link.rules").file("real.rules", UGLY);
    let ran = {
        let folder = run.folder();
        symlink("real.rules", folder.join("link.rules")).expect("a link");
        std::fs::set_permissions(folder.join("real.rules"), std::fs::Permissions::from_mode(0o640)).expect("a mode");
        run.run()
    };
    assert!(ran.folder.path().join("link.rules").is_symlink());
    assert_eq!(ran.read("real.rules"), PRETTY);
    let mode = std::fs::metadata(ran.folder.path().join("real.rules")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}
