//! `stepup serve --config stepup.toml`

use std::path::PathBuf;

use challenge::TenantId;
use geoip::Freshness;
use server::app::App;
use server::config::Config;

use crate::exit::Exit;
use crate::logging;
use crate::place::environment;
use crate::service::{self, Refused};

/// Options of `serve`.
#[derive(clap::Args)]
#[command(after_help = AFTER)]
pub struct Serve {
    /// The configuration; variables STEPUP__SECTION__KEY of the environment are laid over it
    #[arg(long, value_name = "FILE", default_value = "stepup.toml")]
    config: PathBuf,
}

const AFTER: &str = "\
SIGHUP reads the packs again; one that does not compile changes nothing. SIGTERM finishes what is in flight.
Exit codes: 1 it cannot start or run; 3 a pack has errors; 78 the data is not what was signed, look before you restart.";

impl Serve {
    /// Runs the service until it is told to stop.
    pub fn run(self) -> anyhow::Result<Exit> {
        let config = Config::load(Some(&self.config), environment())?;
        logging::start(&config.log)?;
        for warning in config.warnings() {
            tracing::warn!("{warning}");
        }
        service::runtime()?.block_on(async {
            match serve(config).await {
                Ok(()) => Ok(Exit::Fine),
                Err(refused) => Ok(refused.report()),
            }
        })
    }
}

async fn serve(config: Config) -> Result<(), Refused> {
    let remedy = "stop it, or set `server.listen` to another address";
    let listener = service::listen(config.server.listen, remedy).await?;
    let app = service::start(config).await?;
    every_tenant_has_a_key(&app).await?;
    warn_of_old_places(&app);
    let versions = app.policies.report();
    tracing::info!(listen = %app.config.server.listen, public_url = %app.config.server.public_url, packs = %versions, "serving");
    service::serve(app, listener).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Rules decide on where addresses were when these files were made.
fn warn_of_old_places(app: &App) {
    let now = app.clock.now();
    for source in app.atlas.load().sources() {
        if source.freshness(now) != Freshness::Fresh {
            let (source, age_days) = (&source.name, source.age_days(now));
            tracing::warn!(%source, age_days, "geo data is old: bring newer files with `geo.files`");
        }
    }
}

/// A tenant that nobody has a secret of, or no tenant at all, is a configuration that was not finished.
async fn every_tenant_has_a_key(app: &App) -> Result<(), Refused> {
    let unfinished = |text: String| Refused::from(anyhow::anyhow!(text));
    let store = |error: server::store::StoreError| Refused::from(anyhow::Error::from(error));
    let tenants = app.store.tenants().await.map_err(store)?;
    if tenants.is_empty() {
        let text = "there is no tenant: add `[tenants.NAME]` with `secret_file` to the configuration";
        return Err(unfinished(text.to_owned()));
    }
    for id in app.config.tenants.keys() {
        let Ok(tenant) = TenantId::parse(id.clone()) else { continue };
        let keys = app.store.api_keys(&tenant).await.map_err(store)?;
        if keys.iter().all(|key| key.revoked_at.is_some()) {
            return Err(unfinished(format!(
                "the tenant `{id}` has no API secret: set `tenants.{id}.secret_file`, or make a key with `stepup keys new`"
            )));
        }
    }
    Ok(())
}
