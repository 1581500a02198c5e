//! `cargo xtask accept`: the one verb for all snapshots.

use crate::run;

/// Runs the corpus tests with `ACCEPT=1`, which makes them write what they see instead of comparing.
pub fn run() -> anyhow::Result<()> {
    let mut command = run::command(&["cargo", "test", "--workspace", "--quiet"]);
    command.env("ACCEPT", "1");
    run::shown(command)?;
    let (_, changed) = run::shown(run::command(&["git", "status", "--short"]))?;
    println!("{}", if changed.is_empty() { "nothing changed" } else { "look at the diff before you commit it" });
    Ok(())
}
