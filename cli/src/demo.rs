//! `stepup demo`: everything on embedded defaults, and where to look.

mod data;
mod guide;
mod starter;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::Timestamp;
use server::app::App;
use server::config::{Config, LogConfig, LogFormat, TenantConfig};
use tokio::net::TcpListener;

use crate::exit::Exit;
use crate::geo::GeoFiles;
use crate::logging;
use crate::place::DATA;
use crate::service::{self, Refused};
use data::DemoFile;

/// The demo's only tenant.
const TENANT: &str = "demo";

/// Options of `demo`.
#[derive(clap::Args)]
pub struct Demo {
    /// The port to listen on, on this machine only; 0 picks a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Where to keep everything; a second start goes on with it
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,
    #[command(flatten)]
    geo: GeoFiles,
    /// Say more in the log; twice for even more
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

impl Demo {
    /// Runs until it is told to stop.
    pub fn run(self) -> anyhow::Result<Exit> {
        let filter = match self.verbose {
            0 => "warn,server::policies::load=error", // remarks on a pack are for `check`
            1 => "info,sqlx=warn",
            _ => "debug,sqlx=info,hyper=info",
        };
        logging::start(&LogConfig { filter: filter.to_owned(), format: LogFormat::Text })?;
        service::runtime()?.block_on(async {
            match self.serve().await {
                Ok(()) => Ok(Exit::Fine),
                Err(refused) => Ok(refused.report()),
            }
        })
    }

    async fn serve(self) -> Result<(), Refused> {
        // The port first: it is part of the public address, and a taken one must leave everything as it is.
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let remedy = "stop that program, or choose another port with --port (0 picks a free one)";
        let listener = service::listen(address, remedy).await?;
        let port = listener.local_addr().context("the port is not known")?.port();
        let (config, pack) = self.configure(port)?;
        let app = service::start(config).await?;
        let file = demo_file(&app, &self.data, &pack)?;
        self.announce(&app, listener, &file, &pack).await?;
        Ok(())
    }

    fn configure(&self, port: u16) -> anyhow::Result<(Config, starter::Pack)> {
        data::create_folder(&self.data)?;
        data::make_secret(&self.data)?;
        let pack = starter::find_or_unpack(Path::new("."), &self.data)?;
        let mut config = configuration(&self.data, port, &pack.folder);
        config.geo.files = self.geo.files.clone();
        config.demo = Some(TENANT.to_owned());
        Ok((config, pack))
    }

    /// Serves, and once the port answers says where to look.
    async fn announce(
        &self,
        app: &App,
        listener: TcpListener,
        file: &DemoFile,
        pack: &starter::Pack,
    ) -> anyhow::Result<()> {
        let atlas = app.atlas.load_full();
        let serving = tokio::spawn(service::serve(app.clone(), listener));
        file.write(&self.data)?;
        let printed = guide::print(&guide::Guide {
            file,
            pack,
            data: &self.data,
            sources: atlas.sources(),
            now: Timestamp::now(),
            program: &guide::program_name(),
        });
        if let Err(error) = printed {
            tracing::debug!(%error, "nobody reads where to look");
        }
        serving.await.context("the service ended in an unusual way")??;
        // Whoever read the guide may be gone; the data is safe all the same.
        let _ = writeln!(std::io::stdout(), "stopped; everything is kept in {}", self.data.display());
        Ok(())
    }
}

/// What the demo runs on, once its data folder is made.
pub fn configuration(data: &Path, port: u16, pack: &Path) -> Config {
    let mut config = Config::demo(data, port);
    config.policies.pack = pack.to_owned();
    let tenant = TenantConfig {
        name: Some("Demo".to_owned()),
        secret_file: Some(data::secret_path(data)),
        redirect_origins: vec![config.server.public_url.clone()],
        ..TenantConfig::default()
    };
    config.tenants.insert(TENANT.to_owned(), tenant);
    config
}

/// The demo's configuration as its last start left it, for commands that look at its data.
pub fn left_behind(data: &Path) -> Config {
    let pack = starter::find(Path::new("."), data).map_or_else(|| data.join("rules/starter"), |pack| pack.folder);
    configuration(data, data::last_port(data).unwrap_or(8080), &pack)
}

fn demo_file(app: &App, data: &Path, pack: &starter::Pack) -> anyhow::Result<DemoFile> {
    let public = app.config.server.public_url.trim_end_matches('/').to_owned();
    Ok(DemoFile {
        base_url: format!("{public}/v1"),
        tenant_id: TENANT.to_owned(),
        api_secret: data::secret(data)?.expose().to_owned(),
        console_url: format!("{public}/demo"),
        demo_url: format!("{public}/demo"),
        authenticator_url: format!("{public}/authenticator"),
        challenge_url: format!("{public}/challenge"),
        audit_public_key: app.keys.log().verifier().to_string(),
        data: absolute(data),
        pack: absolute(&pack.folder),
        pid: std::process::id(),
    })
}

fn absolute(path: &Path) -> String {
    path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string()
}
