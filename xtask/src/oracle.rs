//! `cargo xtask oracle`: the engine against a simple interpreter, in the long form of
//! `engine/tests/the_program_and_a_simple_interpreter_agree.rs`.

use crate::run;

/// Options of the comparison.
#[derive(clap::Args)]
pub struct Oracle {
    /// How many pairs of a policy and an event are compared
    #[arg(long, default_value_t = 10_000_000)]
    pairs: u64,
    /// Which policies and events are drawn; printed, and the same on every machine
    #[arg(long)]
    seed: Option<u64>,
}

impl Oracle {
    /// Compares; fails with the smallest policy and event on which the two differ.
    pub fn run(self) -> anyhow::Result<()> {
        let test = "the_program_and_a_simple_interpreter_agree";
        let mut command =
            run::command(&["cargo", "test", "--release", "--package", "engine", "--test", test, "--", "--nocapture"]);
        command.env("STEPUP_ORACLE_PAIRS", self.pairs.to_string());
        if let Some(seed) = self.seed {
            command.env("STEPUP_ORACLE_SEED", seed.to_string());
        }
        let (succeeded, _) = run::shown(command)?;
        anyhow::ensure!(succeeded, "the engine and the interpreter do not agree");
        Ok(())
    }
}
