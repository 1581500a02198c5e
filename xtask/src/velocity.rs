//! `cargo xtask velocity`: the long form of the tests of history, optimised.

use crate::run;

/// Options of the velocity suite.
#[derive(clap::Args)]
pub struct Velocity {
    /// Comparisons of the bounded windows with the full history
    #[arg(long, default_value_t = 100_000_000)]
    comparisons: u64,
    /// Events on one key, and new keys, of the floods
    #[arg(long, default_value_t = 1_000_000)]
    flood: u64,
}

impl Velocity {
    /// Runs the suite; fails with the first contradiction.
    pub fn run(self) -> anyhow::Result<()> {
        let mut command = run::command(&[
            "cargo",
            "test",
            "--release",
            "--package",
            "engine",
            "--test",
            "velocity_windows_never_contradict_the_full_history",
            "--test",
            "velocity_memory_stays_flat",
            "--",
            "--nocapture",
        ]);
        command.env("STEPUP_COMPARISONS", self.comparisons.to_string());
        command.env("STEPUP_FLOOD", self.flood.to_string());
        let (succeeded, _) = run::shown(command)?;
        anyhow::ensure!(succeeded, "the windows contradict the full history, or keep too much");
        Ok(())
    }
}
