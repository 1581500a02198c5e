//! What we write while we run: to standard error, as the operator asked.

use anyhow::Context;
use server::config::{LogConfig, LogFormat};
use tracing_subscriber::EnvFilter;

use crate::output::colours_on_stderr;

/// Starts logging for the rest of the process.
pub fn start(config: &LogConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.filter)
        .with_context(|| format!("`log.filter` is not a filter such as `info,server=debug`: {}", config.filter))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
        LogFormat::Text => lines.with_ansi(colours_on_stderr()).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))
}
