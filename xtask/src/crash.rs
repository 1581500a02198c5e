//! `cargo xtask crash`: the long form of the crash test in `cli/tests/crash.rs`.

use crate::run;

/// Options of the crash suite.
#[derive(clap::Args)]
pub struct Crash {
    /// How many times the server is killed
    #[arg(long, default_value_t = 10_000)]
    rounds: u32,
}

impl Crash {
    /// Runs the rounds; fails with the first lost answer.
    pub fn run(self) -> anyhow::Result<()> {
        let mut command = run::command(&["cargo", "test", "--package", "cli", "--test", "crash", "--", "--nocapture"]);
        command.env("STEPUP_CRASH_ROUNDS", self.rounds.to_string());
        let (succeeded, _) = run::shown(command)?;
        anyhow::ensure!(succeeded, "an acknowledged answer was lost, or the server did not come back");
        Ok(())
    }
}
