//! `stepup`: one binary for the backend developer, the risk analyst and the compliance reviewer.

mod audit;
mod check;
mod completions;
mod demo;
mod doctor;
mod eval;
mod exit;
mod explain;
mod files;
mod fmt;
mod geo;
mod keys;
mod logging;
mod migrate;
mod new;
mod output;
mod pack;
mod place;
mod remote;
mod serve;
mod service;
mod shipped;
mod terminals;
mod test;
mod users;
mod webhooks;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use exit::Exit;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Self-hosted adaptive MFA: rules decide allow, block or challenge; a phone answers the challenge.
#[derive(Parser)]
#[command(name = "stepup", version, propagate_version = true, after_help = AFTER)]
struct Stepup {
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str =
    "Exit codes: 0 fine; 1 we failed; 2 usage; 3 the pack has errors; 4 tests, proofs or verification failed.";

#[derive(Subcommand)]
enum Command {
    /// Start everything on embedded defaults and say where to look
    Demo(demo::Demo),
    /// Run the service
    Serve(serve::Serve),
    /// Start from packs that come with the program, or list them
    New(new::New),
    /// Report everything that is wrong with a pack
    Check(check::Check),
    /// Write rule files the one way
    Fmt(fmt::Fmt),
    /// Run the tests of a pack
    Test(test::Test),
    /// Decide a stream of events: NDJSON in, NDJSON out, the same on every run
    Eval(eval::Eval),
    /// Say why: what a diagnostic code means, what a pack makes of an event, why a server decided as it did
    Explain(explain::Explain),
    /// Check the audit log
    Audit(audit::Audit),
    /// Make, list and revoke API keys
    Keys(keys::Keys),
    /// Reset a user whose phone is gone, at a running server
    Users(users::Users),
    /// Register the terminals whose screens are to be trusted, at a running server
    Terminals(terminals::Terminals),
    /// Look after webhooks: what waits, what was given up, and try that again
    Webhooks(webhooks::Webhooks),
    /// Bring the database to this version's schema
    Migrate(migrate::Migrate),
    /// Look at this machine's configuration, data and clocks, and say what is wrong
    Doctor(doctor::Doctor),
    /// Print completions for a shell
    Completions(completions::Completions),
}

fn main() -> ExitCode {
    let answer = match Stepup::parse().command {
        Command::Demo(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::New(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Fmt(command) => command.run(),
        Command::Test(command) => command.run(),
        Command::Eval(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Audit(command) => command.run(),
        Command::Keys(command) => command.run(),
        Command::Users(command) => command.run(),
        Command::Terminals(command) => command.run(),
        Command::Webhooks(command) => command.run(),
        Command::Migrate(command) => command.run(),
        Command::Doctor(command) => command.run(),
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
