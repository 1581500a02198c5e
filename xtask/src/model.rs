//! `cargo xtask model`: the wide worlds of the model in `challenge/tests/model`.

use crate::run;

/// Explores them, optimised; fails with the shortest way to a broken promise.
pub fn run() -> anyhow::Result<()> {
    let mut command =
        run::command(&["cargo", "test", "--release", "--package", "challenge", "--test", "model", "--", "--nocapture"]);
    command.env("STEPUP_MODEL", "full");
    let (succeeded, _) = run::shown(command)?;
    anyhow::ensure!(succeeded, "a promise can be broken");
    Ok(())
}
