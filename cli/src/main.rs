//! `stepup`: one binary for the backend developer, the risk analyst and the compliance reviewer.

mod completions;
mod exit;
mod fmt;
mod output;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use exit::Exit;

/// Self-hosted adaptive MFA: rules decide allow, block or challenge; a phone answers the challenge.
#[derive(Parser)]
#[command(name = "stepup", version, about, propagate_version = true, after_help = AFTER)]
struct Stepup {
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str =
    "Exit codes: 0 fine; 1 we failed; 2 usage; 3 the pack has errors; 4 tests, proofs or verification failed.";

#[derive(Subcommand)]
enum Command {
    /// Write rule files the one way
    Fmt(fmt::Fmt),
    /// Print completions for a shell
    Completions(completions::Completions),
}

fn main() -> ExitCode {
    let answer = match Stepup::parse().command {
        Command::Fmt(command) => command.run(),
        Command::Completions(command) => command.run(),
    };
    match answer {
        Ok(exit) => exit.into(),
        Err(error) if output::reader_left(&error) => Exit::Fine.into(),
        Err(error) => {
            eprintln!("stepup: {error:#}");
            Exit::Failed.into()
        }
    }
}
