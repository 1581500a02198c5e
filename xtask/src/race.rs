//! `cargo xtask race`: the long form of the races in `server/tests/client`.

use crate::run;

/// Options of the race suite.
#[derive(clap::Args)]
pub struct Race {
    /// How many challenges are fought over
    #[arg(long, default_value_t = 10_000)]
    rounds: u32,
}

impl Race {
    /// Runs the rounds, optimised; fails with the first that has two winners, or none.
    pub fn run(self) -> anyhow::Result<()> {
        let words =
            ["cargo", "test", "--release", "--package", "server", "--test", "client", "races", "--", "--nocapture"];
        let mut command = run::command(&words);
        command.env("STEPUP_RACE_ROUNDS", self.rounds.to_string());
        let (succeeded, _) = run::shown(command)?;
        anyhow::ensure!(succeeded, "a race did not have exactly one winner");
        Ok(())
    }
}
