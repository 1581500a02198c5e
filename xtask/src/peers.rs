//! `cargo xtask peers`: our rule engine beside other engines, in one process (`benches/peers`).

use crate::run;

/// Options of the comparison.
#[derive(clap::Args)]
pub struct Peers {
    /// How many rules: several numbers with commas between them
    #[arg(long, default_value = "10,100,1000,10000")]
    rules: String,
    /// Only these engines, with commas between them: stepup, plain, wirefilter, zen, cel, rhai, cedar
    #[arg(long)]
    only: Option<String>,
    /// How often each engine is measured; the median counts
    #[arg(long, default_value_t = 7)]
    runs: u32,
}

impl Peers {
    /// Builds the engines, which takes minutes, and measures them. Fails if one finds other matches than the reference.
    pub fn run(self) -> anyhow::Result<()> {
        let (rules, runs) = (self.rules, self.runs.to_string());
        let mut command =
            run::command(&["cargo", "run", "--release", "--quiet", "--", "--rules", &rules, "--runs", &runs]);
        if let Some(only) = &self.only {
            command.args(["--only", only]);
        }
        command.current_dir(run::root().join("benches/peers"));
        let (succeeded, _) = run::shown(command)?;
        anyhow::ensure!(succeeded, "the comparison failed");
        Ok(())
    }
}
