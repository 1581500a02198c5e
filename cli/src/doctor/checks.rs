//! What the doctor looks at, in the order in which the service would need it.

use std::path::Path;

use geoip::{Atlas, Freshness};
use jiff::tz::TimeZoneDatabase;
use jiff::{SignedDuration, Timestamp};
use server::config::Config;
use server::store;

use super::{Finding, Grade};
use crate::pack;
use crate::place::{self, Place};

/// A clock this far behind the log's last entry is wrong, not slow.
const BEHIND: SignedDuration = SignedDuration::from_hours(24);

/// Looks at everything a configuration names.
pub async fn all(config: &Config, place: &Place) -> Vec<Finding> {
    let mut findings = vec![configuration(config)];
    findings.extend(config.warnings().into_iter().map(|text| warning("configuration", text)));
    findings.extend(folder(config));
    findings.extend(private_files(config));
    findings.extend(database(config, place).await);
    findings.extend(packs(config));
    findings.extend(geo(config));
    findings.push(time_zones());
    findings
}

fn ok(about: &'static str, text: impl Into<String>) -> Finding {
    Finding { grade: Grade::Ok, about, text: text.into() }
}

fn warning(about: &'static str, text: impl Into<String>) -> Finding {
    Finding { grade: Grade::Warning, about, text: text.into() }
}

fn wrong(about: &'static str, text: impl Into<String>) -> Finding {
    Finding { grade: Grade::Wrong, about, text: text.into() }
}

fn configuration(config: &Config) -> Finding {
    ok("configuration", format!("{} on {}", config.server.public_url, config.server.listen))
}

fn folder(config: &Config) -> Option<Finding> {
    let folder = config.sqlite_path()?.parent().filter(|folder| !folder.as_os_str().is_empty())?;
    Some(match std::fs::metadata(folder) {
        Err(error) => warning("data folder", format!("{}: {error}; the first start makes it", folder.display())),
        Ok(metadata) => match exposed(&metadata, 0o007) {
            Some(mode) => warning(
                "data folder",
                format!("{} is open to everybody (mode {mode:o}); run `chmod 700` on it", folder.display()),
            ),
            None => ok("data folder", folder.display().to_string()),
        },
    })
}

/// Keys and secrets must be ours alone; the service refuses those that are not.
fn private_files(config: &Config) -> Vec<Finding> {
    let keys = std::fs::read_dir(&config.keys.directory).into_iter().flatten().filter_map(Result::ok);
    let keys = keys.map(|entry| entry.path()).filter(|path| path.is_file());
    let secrets = config.tenants.values().filter_map(|tenant| tenant.secret_file.clone());
    let mut files: Vec<_> = keys.chain(secrets).collect();
    files.sort();
    if files.is_empty() {
        return vec![warning(
            "keys",
            format!("{} has none; the first start makes them", config.keys.directory.display()),
        )];
    }
    let mut findings = Vec::new();
    for path in &files {
        match std::fs::metadata(path) {
            Err(error) => findings.push(wrong("keys", format!("{}: {error}", path.display()))),
            Ok(metadata) => {
                if let Some(mode) = exposed(&metadata, 0o077) {
                    let text =
                        format!("{} can be read by others (mode {mode:o}); run `chmod 600` on it", path.display());
                    findings.push(wrong("keys", text));
                }
            }
        }
    }
    if findings.is_empty() {
        findings.push(ok("keys", format!("{} files, readable by their owner alone", files.len())));
    }
    findings
}

/// The mode, if it has one of the bits of `mask`.
#[cfg(unix)]
fn exposed(metadata: &std::fs::Metadata, mask: u32) -> Option<u32> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
    (mode & mask != 0).then_some(mode)
}

#[cfg(not(unix))]
fn exposed(_: &std::fs::Metadata, _: u32) -> Option<u32> {
    None
}

async fn database(config: &Config, place: &Place) -> Vec<Finding> {
    let path = match place::database(config) {
        Ok(path) => path,
        Err(error) => return vec![wrong("database", error.to_string())],
    };
    if !path.is_file() {
        return vec![warning("database", format!("there is none at {}; {}", path.display(), place.remedy()))];
    }
    let seen = match store::glance(path).await {
        Ok(seen) => seen,
        Err(error) => return vec![wrong("database", format!("{}: {error}", path.display()))],
    };
    let used = if in_use(path) { "a service is running on it" } else { "no service is running on it" };
    let text = format!("{}, SQLite {}, {} audit entries, {used}", path.display(), seen.sqlite, seen.entries);
    vec![ok("database", text), clock(seen.last_at)]
}

/// Whether another process holds the store's lock.
fn in_use(database: &Path) -> bool {
    let mut lock = database.as_os_str().to_owned();
    lock.push(".lock");
    let Ok(file) = std::fs::File::open(Path::new(&lock)) else { return false };
    matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock))
}

fn clock(last: Option<Timestamp>) -> Finding {
    let now = Timestamp::now();
    let Some(last) = last else { return ok("clock", format!("{now}; the log is empty")) };
    let behind = last.duration_since(now);
    if behind > BEHIND {
        return wrong("clock", format!("it says {now}, but the log's last entry is of {last}: one of them is wrong"));
    }
    if behind > SignedDuration::from_secs(5) {
        return warning("clock", format!("it says {now}, a little before the log's last entry of {last}"));
    }
    ok("clock", format!("{now}; the log's last entry is of {last}"))
}

fn packs(config: &Config) -> Vec<Finding> {
    let own = config.tenants.values().filter_map(|tenant| tenant.pack.as_deref());
    let mut folders: Vec<&Path> = std::iter::once(config.policies.pack.as_path()).chain(own).collect();
    folders.sort();
    folders.dedup();
    folders.into_iter().map(pack_in).collect()
}

fn pack_in(folder: &Path) -> Finding {
    let name = folder.display();
    match pack::compiled(folder) {
        Err(error) => wrong("pack", format!("{error:#}")),
        Ok(compilation) => match &compilation.program {
            None => {
                wrong("pack", format!("{name}: {}; see `stepup check {name}`", pack::tally(&compilation.diagnostics)))
            }
            Some(program) => ok("pack", format!("{name}, {}", program.version())),
        },
    }
}

fn geo(config: &Config) -> Vec<Finding> {
    let atlas = match config.geo.files.as_slice() {
        [] => Atlas::bundled(),
        files => match Atlas::open(files) {
            Ok(atlas) => atlas,
            Err(error) => return vec![wrong("geo data", error.to_string())],
        },
    };
    let now = Timestamp::now();
    let mut findings = Vec::new();
    for source in atlas.sources() {
        let age = source.age_days(now).map_or_else(|| "of unknown age".to_owned(), |days| format!("{days} days old"));
        let licence =
            source.licence.map_or_else(|| "licence: yours to know".to_owned(), |licence| format!("licence {licence}"));
        let text = format!("{}, {age}, {licence}", source.name);
        findings.push(match source.freshness(now) {
            Freshness::Fresh => ok("geo data", text),
            Freshness::Ageing | Freshness::Stale => {
                warning("geo data", format!("{text}; bring GeoLite2, GeoIP2 or DB-IP files with `geo.files`"))
            }
        });
        findings.extend(source.warnings.iter().map(|odd| warning("geo data", format!("{}: {odd}", source.name))));
    }
    findings
}

fn time_zones() -> Finding {
    // Rules read the bundled data only: the same pack means the same on every machine.
    let zones = TimeZoneDatabase::bundled();
    match zones.get("Pacific/Auckland") {
        Ok(_) => ok("time zones", format!("{} zones, bundled with the program", zones.available().count())),
        Err(error) => wrong("time zones", format!("the bundled time zone data cannot be used: {error}")),
    }
}
