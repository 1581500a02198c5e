//! The running service, as `demo` and `serve` share it: open, listen, stop.

use std::net::SocketAddr;

use anyhow::Context;
use server::app::{App, StartError};
use server::config::Config;
use server::policies::PackRefused;
use server::store::OpenError;
use tokio::net::TcpListener;

use crate::exit::Exit;

/// Why the service does not run, and what the exit code says about it.
pub struct Refused {
    /// For the operator.
    pub why: anyhow::Error,
    /// For the supervisor.
    pub exit: Exit,
}

impl From<anyhow::Error> for Refused {
    fn from(why: anyhow::Error) -> Refused {
        Refused { why, exit: Exit::Failed }
    }
}

impl From<StartError> for Refused {
    fn from(error: StartError) -> Refused {
        let exit = match &error {
            StartError::Pack(PackRefused::Wrong { .. }) => Exit::Pack,
            // T-62: a restart does not help, and must not write on top of a history that is not the one we signed.
            StartError::Open(OpenError::RolledBack { .. } | OpenError::Damaged(_)) => Exit::Data,
            StartError::Open(OpenError::Database { .. } | OpenError::OldSqlite { .. } | OpenError::InUse { .. })
            | StartError::Pack(PackRefused::Unreadable(_) | PackRefused::Broken(_))
            | StartError::Store(_)
            | StartError::Keys(_)
            | StartError::Geo(_)
            | StartError::Config { .. } => Exit::Failed,
        };
        Refused { why: error.into(), exit }
    }
}

impl Refused {
    /// Says why and ends with the exit code.
    pub fn report(self) -> Exit {
        eprintln!("stepup: {:#}", self.why);
        self.exit
    }
}

/// A runtime with a thread per core.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot start")
}

/// Opens the port. `remedy` says how to choose another.
pub async fn listen(address: SocketAddr, remedy: &str) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let port = address.port();
            Err(anyhow::anyhow!("port {port} is taken by another program ({address}); {remedy}"))
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on {address}; {remedy}")),
    }
}

/// Opens the data and compiles the packs.
pub async fn start(config: Config) -> Result<App, Refused> {
    Ok(App::start(config).await?)
}

/// Serves until SIGINT or SIGTERM, finishes what is in flight, and closes the data.
pub async fn serve(app: App, listener: TcpListener) -> anyhow::Result<()> {
    let stop = stop_signal()?;
    let store = app.store.clone();
    let served = server::serve::serve(app, listener, stop).await;
    store.close().await;
    served.context("the service stopped")
}

/// Resolves at the first SIGINT or SIGTERM. A second one ends the process the hard way.
#[cfg(unix)]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be handled")?;
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be handled")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping: requests in flight are finished");
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            // Everything that was answered is durable; only what is in flight is lost.
            std::process::exit(130);
        });
    })
}

#[cfg(not(unix))]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without a handler the process ends at Ctrl-C, and everything answered is durable.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
