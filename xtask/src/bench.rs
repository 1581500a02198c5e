//! `cargo xtask bench`: all benchmarks in full, peers in the same run.

use crate::run;

/// Options of the benchmark run.
#[derive(clap::Args)]
pub struct Bench {
    /// Only the benchmarks whose name contains this text
    filter: Option<String>,
}

impl Bench {
    /// Runs `cargo bench` for the benches crate.
    pub fn run(self) -> anyhow::Result<()> {
        let mut command = run::command(&["cargo", "bench", "--package", "benches"]);
        if let Some(filter) = self.filter {
            command.args(["--", &filter]);
        }
        let (succeeded, _) = run::shown(command)?;
        anyhow::ensure!(succeeded, "a benchmark failed");
        Ok(())
    }
}
