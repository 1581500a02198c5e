//! `cargo xtask tenants`: the long form of T-41 by chance in `server/tests/client`.

use crate::run;

/// Options of the suite.
#[derive(clap::Args)]
pub struct Tenants {
    /// How many calls pair what is one tenant's with what is another's
    #[arg(long, default_value_t = 100_000)]
    calls: u32,
    /// Repeat a run that printed this
    #[arg(long)]
    seed: Option<u64>,
}

impl Tenants {
    /// Makes the calls, optimised; fails with the first that returns or changes what is another tenant's.
    pub fn run(self) -> anyhow::Result<()> {
        let words =
            ["cargo", "test", "--release", "--package", "server", "--test", "client", "chance", "--", "--nocapture"];
        let mut command = run::command(&words);
        command.env("STEPUP_TENANT_CALLS", self.calls.to_string());
        if let Some(seed) = self.seed {
            command.env("STEPUP_SEED", seed.to_string());
        }
        let (succeeded, _) = run::shown(command)?;
        anyhow::ensure!(succeeded, "something of another tenant was returned or changed");
        Ok(())
    }
}
