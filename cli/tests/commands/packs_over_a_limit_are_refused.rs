//! The limits of a pack, through the binary: whatever lies in a folder, a command ends, and says which limit was passed.

use engine::Limits;

use crate::support::Run;

const GOOD: &str = "policy p on any { default allow }\n";

fn refused(run: Run) -> String {
    let ran = run.exit(3).stderr("").run();
    assert!(ran.stdout.contains("cannot be used: "), "{}", ran.stdout);
    ran.stdout
}

#[test]
fn too_many_files() {
    let most = Limits::default().files;
    let mut run = Run::new("check pack");
    for number in 0..=most {
        run = run.file(&format!("pack/{number}.rules"), "");
    }
    let text = refused(run);
    assert!(text.contains("error[pack-too-large]") && text.contains("more files than the limit of 1000"), "{text}");
}

#[test]
fn too_many_bytes() {
    let limits = Limits::default();
    let text = refused(Run::new("check pack").file("pack/a.rules", "#".repeat(limits.file_bytes + 1)));
    assert!(text.contains("`a.rules` has more than the limit of 1048576 bytes for a rule file"), "{text}");
    let text =
        refused(Run::new("check pack").file("pack/a.rules", GOOD).file("pack/b.csv", "\n".repeat(limits.pack_bytes)));
    assert!(text.contains("its files have more than the limit of 67108864 bytes together"), "{text}");
}

#[test]
fn too_many_rules() {
    let most = Limits::default().rules;
    let mut run = Run::new("check pack");
    // As many as fit into files.
    for file in 0..3 {
        let rules: String =
            (0..=most / 3).map(|n| format!("rule r{file}_{n} {{ when n > 1 then nothing }}\n")).collect();
        let event = if file == 0 { "event e { n: int }\n" } else { "" };
        run = run
            .file(&format!("pack/{file}.rules"), format!("{event}policy p{file} on e {{ default allow\n{rules}}}\n"));
    }
    let text = refused(run);
    assert!(text.contains("the pack has more than 20000 rules"), "{text}");
}

#[test]
fn too_many_entries_of_a_list() {
    let most = u32::try_from(Limits::default().list_entries).expect("small");
    let entries: String = (0..=most).map(|n| format!("{}\n", std::net::Ipv4Addr::from(n + 1))).collect();
    let rules = "list @l: ip from \"l.csv\"\npolicy p on any {\n  default allow\n  rule r { when ip in @l on unknown skip then block }\n}\n";
    let text = refused(Run::new("check pack").file("pack/a.rules", rules).file("pack/l.csv", entries));
    assert!(text.contains("`@l` has 1000001 entries, more than the limit of 1000000 for a list"), "{text}");
}

#[cfg(unix)]
mod what_is_no_file {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::{GOOD, refused};
    use crate::support::Run;

    #[test]
    fn a_pipe_is_not_waited_for() {
        for name in ["b.rules", "b.csv", "b.rhai"] {
            for command in ["check pack", "check --fix pack"] {
                let run = Run::new(command).file("pack/a.rules", GOOD);
                let pipe = run.folder().join("pack").join(name);
                assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
                let text = refused(run);
                assert!(text.contains("error[not-a-file]") && text.contains(&format!("pack/{name}")), "{text}");
            }
        }
    }

    #[test]
    fn a_device_is_not_read() {
        for (command, text) in [("check pack", true), ("test pack", false), ("eval pack", false)] {
            let run = Run::new(command).file("pack/a.rules", GOOD);
            symlink("/dev/zero", run.folder().join("pack/b.csv")).expect("a link");
            if text {
                assert!(refused(run).contains("error[not-a-file]"));
            } else {
                run.exit(3).run().complains(&["error[not-a-file]"]);
            }
        }
        // Named by a person, it is read as far as a rule file may go.
        let text = refused(Run::new("check /dev/zero"));
        assert!(text.contains("more than the limit of 1048576 bytes"), "{text}");
        Run::new("fmt --check /dev/zero").exit(3).run().complains(&["1048576"]);
    }

    #[test]
    fn a_device_beside_a_single_file_is_not_read() {
        let rules = format!("list @l: ip from \"l.csv\"\n{GOOD}");
        let run = Run::new("check a.rules").file("a.rules", rules);
        symlink("/dev/zero", run.folder().join("l.csv")).expect("a link");
        assert!(refused(run).contains("error[not-a-file]"));
    }

    #[test]
    fn circles_of_links_end() {
        let run = Run::new("check pack").file("pack/a.rules", GOOD);
        symlink(".", run.folder().join("pack/again")).expect("a link");
        assert!(refused(run).contains("leads back to a folder around it"));
        let run = Run::new("check pack").file("pack/deep/a.rules", GOOD);
        symlink("../..", run.folder().join("pack/deep/up")).expect("a link");
        assert!(refused(run).contains("leads back to a folder around it"));
        // A link to itself is nothing that can be read.
        let run = Run::new("check pack").file("pack/a.rules", GOOD);
        symlink("b.rules", run.folder().join("pack/b.rules")).expect("a link");
        run.exit(1).stdout("").run().complains(&["cannot read pack/b.rules"]);
    }
}
