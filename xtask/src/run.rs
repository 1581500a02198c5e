//! Running a command and keeping its output.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// The path of the repository's root.
pub fn root() -> std::path::PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where cargo puts what it builds.
pub fn target() -> std::path::PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// A command at the repository's root, from words.
pub fn command(words: &[impl AsRef<std::ffi::OsStr>]) -> Command {
    let mut words = words.iter();
    let mut command = Command::new(words.next().map_or("true".as_ref(), AsRef::as_ref));
    command.args(words).current_dir(root());
    command
}

/// Runs a command, shows its output as it comes and returns whether it succeeded, with all that it printed.
pub fn shown(mut command: Command) -> anyhow::Result<(bool, String)> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let errors = child.stderr.take();
    let reader = std::thread::spawn(move || errors.map(|stream| echo(stream, true)).unwrap_or_default());
    let mut printed = child.stdout.take().map(|stream| echo(stream, false)).unwrap_or_default();
    printed.push_str(&reader.join().unwrap_or_default());
    Ok((child.wait()?.success(), printed))
}

fn echo(stream: impl std::io::Read, to_stderr: bool) -> String {
    let mut printed = String::new();
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        // A closed terminal must not stop the run, so a failing write is ignored.
        let _ = if to_stderr { writeln!(std::io::stderr(), "{line}") } else { writeln!(std::io::stdout(), "{line}") };
        printed.push_str(&line);
        printed.push('\n');
    }
    printed
}

/// Whether a program can be found on the path.
pub fn exists(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}
