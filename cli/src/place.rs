//! Which data a command works on: the demo's folder, or what a configuration names.

use std::path::{Path, PathBuf};

use anyhow::Context;
use challenge::Issuer;
use server::config::Config;
use server::keys::Keys;
use server::random::Random;
use server::store::{Options, Store};

use crate::demo;

/// Where `stepup demo` keeps its data unless told otherwise.
pub const DATA: &str = "./stepup-data";

/// The `--data` and `--config` options.
#[derive(Clone, clap::Args)]
pub struct Place {
    /// The data folder of `stepup demo`
    #[arg(long, value_name = "DIR", default_value = DATA, conflicts_with = "config")]
    data: PathBuf,
    /// The configuration of `stepup serve`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    /// The configuration there, as the service would have it.
    pub fn config(&self) -> anyhow::Result<Config> {
        match &self.config {
            Some(path) => Ok(Config::load(Some(path), environment())?),
            None => Ok(demo::left_behind(&self.data)),
        }
    }

    /// Refuses a data folder that is not there: it is `stepup demo` that makes one, and a misspelt name would become another.
    pub fn must_exist(&self) -> anyhow::Result<()> {
        let there = self.config.is_some() || self.data.is_dir();
        anyhow::ensure!(there, "there is no data folder {}; {}", self.data.display(), self.remedy());
        Ok(())
    }

    /// What to say when nothing is there.
    pub fn remedy(&self) -> &'static str {
        match self.config {
            Some(_) => "start `stepup serve` once to create it",
            None => "name the right folder with --data, or a configuration with --config",
        }
    }
}

/// The environment's variables that are text.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// The SQLite file of a configuration.
pub fn database(config: &Config) -> anyhow::Result<&Path> {
    config.sqlite_path().context("`database` is not `sqlite:PATH`")
}

/// Opens the data for writing, beside no running service.
pub async fn open(config: &Config, remedy: &str) -> anyhow::Result<Store> {
    let database = database(config)?;
    anyhow::ensure!(database.is_file(), "there is no database at {}; {remedy}", database.display());
    create_or_open(config).await
}

/// The same, creating what is missing.
pub async fn create_or_open(config: &Config) -> anyhow::Result<Store> {
    let database = database(config)?;
    let issuer = Issuer::parse(config.server.public_url.trim_end_matches('/'))?;
    let keys = Keys::load(&config.keys.directory, &issuer, Vec::new(), &Random::system())?;
    if let Some(folder) = database.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    Ok(Store::open(Options::new(database, keys.log().clone())).await?)
}
