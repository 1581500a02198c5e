//! A changed pack, a new token key and a new list of called-back keystores take over while the service runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::load::{self, Loaded};
use super::past::{self, Past};
use super::{Policies, ReloadFailure, TenantPolicies};
use crate::app::App;
use crate::store::{Store, StoreError};

/// Editors write a file in several steps; wait until they are done.
const QUIET: Duration = Duration::from_millis(300);

/// Reloads when a file of a pack, a key or a list changes and on SIGHUP, until the service closes.
pub async fn watch(app: App) {
    let (changed, mut changes) = mpsc::channel::<()>(1);
    let watchers =
        app.config.policies.watch.then(|| (packs_and_keys(&app, changed.clone()), lists(&app, changed.clone())));
    let hangups = tokio::spawn(hangups(changed));
    loop {
        tokio::select! {
            change = changes.recv() => if change.is_none() { break },
            () = app.closing.cancelled() => break,
        }
        // Later changes of the same edit arrive while we wait, and are covered by the same reload.
        while let Ok(Some(())) = tokio::time::timeout(QUIET, changes.recv()).await {}
        if let Err(error) = app.keys.reload() {
            metrics::counter!("stepup_key_reloads_failed_total").increment(1);
            tracing::error!(%error, "the token keys were not reloaded; those in use stay");
        }
        app.judges.reload(app.clock.now());
        app.policies.reload(&app.store, app.clock.now()).await;
    }
    hangups.abort();
    drop(watchers);
}

fn packs_and_keys(app: &App, changed: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let tenants = app.policies.tenants();
    let packs = tenants.iter().map(|policies| policies.folder.clone()).chain([app.config.policies.pack.clone()]);
    let folders = packs.map(|folder| (folder, RecursiveMode::Recursive));
    let keys = (app.config.keys.directory.clone(), RecursiveMode::NonRecursive);
    watcher("packs and keys", folders.chain([keys]), |_| true, changed)
}

/// The folders are watched, since a list is best replaced by another file; what else is in them does not count.
fn lists(app: &App, changed: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let lists = app.judges.lists();
    let folder = |list: &PathBuf| match list.parent() {
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        Some(folder) => folder.to_owned(),
        None => list.clone(),
    };
    let folders: BTreeSet<PathBuf> = lists.iter().map(folder).collect();
    let is_list = move |path: &Path| lists.iter().any(|list| list.file_name() == path.file_name());
    let folders = folders.into_iter().map(|folder| (folder, RecursiveMode::NonRecursive));
    watcher("lists of what was called back", folders, is_list, changed)
}

fn watcher(
    what: &str,
    folders: impl Iterator<Item = (PathBuf, RecursiveMode)>,
    counts: impl Fn(&Path) -> bool + Send + 'static,
    changed: mpsc::Sender<()>,
) -> Option<RecommendedWatcher> {
    let tell = move |event: notify::Result<notify::Event>| {
        // A full channel means that a reload is due already.
        let matters = |event: notify::Event| event.need_rescan() || event.paths.iter().any(|path| counts(path));
        if event.is_ok_and(|event| !event.kind.is_access() && matters(event)) {
            let _ = changed.try_send(());
        }
    };
    let watching = notify::recommended_watcher(tell).and_then(|mut watcher| {
        for (folder, depth) in folders {
            watcher.watch(&folder, depth)?;
        }
        Ok(watcher)
    });
    watching.inspect_err(|error| tracing::warn!(%error, "{what} are not watched; SIGHUP still reloads")).ok()
}

#[cfg(unix)]
async fn hangups(changed: mpsc::Sender<()>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut hangups) = signal(SignalKind::hangup()) else { return };
    while hangups.recv().await.is_some() {
        let _ = changed.try_send(());
    }
}

#[cfg(not(unix))]
async fn hangups(_: mpsc::Sender<()>) {}

impl Policies {
    /// Reads all packs again. One that compiles takes over; one that does not is reported and changes nothing.
    pub async fn reload(&self, store: &Store, now: Timestamp) {
        let (folder, _) = self.default();
        let default = load::load(folder.clone()).await;
        if let Ok(loaded) = &default {
            self.0.default.lock().unwrap_or_else(std::sync::PoisonError::into_inner).1 = loaded.clone();
        }
        for policies in self.tenants() {
            let loaded = if policies.folder == folder {
                default.as_ref().map(Loaded::clone).map_err(ToString::to_string)
            } else {
                load::load(policies.folder.clone()).await.map_err(|error| error.to_string())
            };
            let outcome = match loaded {
                Ok(loaded) => policies.take_over(store, loaded, now).await.map_err(|error| error.to_string()),
                Err(report) => Err(report),
            };
            policies.note(&policies.folder, outcome, now);
        }
    }
}

impl TenantPolicies {
    fn note(&self, folder: &Path, outcome: Result<(), String>, now: Timestamp) {
        match outcome {
            Ok(()) => self.failure.store(None),
            Err(report) => {
                metrics::counter!("stepup_policy_reloads_failed_total").increment(1);
                tracing::error!(tenant = %self.tenant, pack = %folder.display(), "the pack was not reloaded; the last good one stays in force\n{report}");
                self.failure.store(Some(Arc::new(ReloadFailure { at: now, report })));
            }
        }
    }

    /// Puts a pack into force. History is rebuilt beside the one in use; then nobody judges for the moment it takes to
    /// read what was committed meanwhile and to swap both.
    async fn take_over(&self, store: &Store, loaded: Loaded, now: Timestamp) -> Result<(), StoreError> {
        if self.program().version() == loaded.program.version() {
            return Ok(());
        }
        let mut rebuilt = Past::empty(&loaded.program);
        let mut remember = |tenant: &challenge::TenantId, step: &past::Step| {
            if *tenant == self.tenant {
                rebuilt.remember(&loaded.program, &self.lists.load(), step);
            }
        };
        let read = past::replay(store, None, &mut remember).await?;
        let judging_stopped = self.turnstile.write().await;
        let read = past::replay(store, read, &mut remember).await?;
        load::activate(store, &self.tenant, &loaded, now).await?;
        *self.past() = rebuilt;
        self.loaded.store(Arc::new(loaded));
        self.read_lists(store, now).await?;
        // A challenge may have ended while we swapped; saying so twice changes nothing.
        let program = self.program();
        past::replay(store, read, |tenant, step| {
            if *tenant == self.tenant {
                self.past().remember(&program, &self.lists.load(), step);
            }
        })
        .await?;
        drop(judging_stopped);
        Ok(())
    }
}
