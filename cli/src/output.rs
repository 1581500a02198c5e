//! How we print: for people on a terminal, or as JSON.
//!
//! Everything goes through `io::Write` and `?`: a reader who leaves early (`stepup check . | head`) ends us quietly.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use clap::ValueEnum;

/// The form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Standard output, buffered. Flush it before the command ends, else an error of the last write is lost.
pub fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::new(io::stdout().lock())
}

/// The version of everything that `--format json` prints. It rises when a reader of the old form would go wrong; a new
/// member is no new version.
pub const JSON_VERSION: u32 = 1;

/// Prints one JSON value and a line end, and nothing else.
pub fn json(value: &serde_json::Value) -> anyhow::Result<()> {
    let mut out = stdout();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

/// Whether standard output may have colours.
pub fn colours_on_stdout() -> bool {
    wanted() && io::stdout().is_terminal()
}

/// Whether standard error may have colours.
pub fn colours_on_stderr() -> bool {
    wanted() && io::stderr().is_terminal()
}

/// Nobody said `NO_COLOR` (no-color.org: set and not empty), and the terminal can.
fn wanted() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    !refused && !dumb
}

/// Whether the reader of our output has left: nothing to complain about.
pub fn reader_left(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// `1 error`, `2 errors`.
pub fn counted(count: usize, word: &str) -> String {
    match (count, word.strip_suffix('y')) {
        (1, _) => format!("1 {word}"),
        (count, Some(stem)) => format!("{count} {stem}ies"),
        (count, None) => format!("{count} {word}s"),
    }
}
