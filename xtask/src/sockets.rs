//! `cargo xtask sockets`: the long form of `cli/tests/sockets.rs`.

use crate::run;

/// Options of the socket suite.
#[derive(clap::Args)]
pub struct Sockets {
    /// How many screens wait, over all processes
    #[arg(long, default_value_t = 15_000)]
    sockets: u32,
    /// How many services share them; each, and the clients of each, are a process, which may have only so many files open
    #[arg(long, default_value_t = 1)]
    processes: u32,
}

impl Sockets {
    /// Opens them, optimised; fails if a screen is not told, or costs more than 8 KiB.
    pub fn run(self) -> anyhow::Result<()> {
        let words = ["cargo", "test", "--release", "--package", "cli", "--test", "sockets", "--", "--nocapture"];
        let mut command = run::command(&words);
        command.env("STEPUP_SOCKETS", self.sockets.to_string());
        command.env("STEPUP_SOCKET_PROCESSES", self.processes.to_string());
        let (succeeded, _) = run::shown(command)?;
        anyhow::ensure!(succeeded, "a screen was not told, or costs too much");
        Ok(())
    }
}
