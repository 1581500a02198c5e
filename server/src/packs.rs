//! Reads policy packs from disk, and keeps them as one blob beside the decisions they made.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::pack::{Limits, PackSource};

/// Why a pack cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadPackError {
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {cause}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// There are no rules in it.
    #[error("{0} has no `.rules` file: is this the pack's folder?")]
    NoRules(PathBuf),
    /// It is over a limit; reading stopped there.
    #[error("the pack in {path} is too large: {limit}")]
    TooLarge {
        /// Which pack.
        path: PathBuf,
        /// Which limit.
        limit: String,
    },
    /// An archive is not one.
    #[error("the stored pack cannot be read")]
    Archive,
}

/// What belongs to a pack; everything else in the folder (a README) does not change its version.
const KINDS: [&str; 3] = ["rules", "rhai", "csv"];

/// Reads the pack in a folder: rules, scripts and lists in it and below it, hidden files left out.
pub fn read_pack(folder: &Path) -> Result<PackSource, ReadPackError> {
    let name = folder.file_name().map_or_else(|| "pack".to_owned(), |name| name.to_string_lossy().into_owned());
    let mut files = BTreeMap::new();
    let mut bytes = 0;
    collect(folder, "", &mut files, &mut bytes)?;
    if !files.keys().any(|path: &String| path.ends_with(".rules")) {
        return Err(ReadPackError::NoRules(folder.to_owned()));
    }
    Ok(PackSource { name, files })
}

fn collect(
    folder: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, Vec<u8>>,
    bytes: &mut usize,
) -> Result<(), ReadPackError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |cause| ReadPackError::Unreadable { path, cause }
    };
    let limits = Limits::default();
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let inside = format!("{prefix}{name}");
        if path.is_dir() {
            // A pack is a few levels deep; a folder that contains itself through a link would never end.
            if inside.matches('/').count() < 8 {
                collect(&path, &format!("{inside}/"), files, bytes)?;
            }
            continue;
        }
        if !path.extension().and_then(|kind| kind.to_str()).is_some_and(|kind| KINDS.contains(&kind)) {
            continue;
        }
        let content = fs::read(&path).map_err(unreadable(&path))?;
        *bytes += content.len();
        let too_large = |limit: String| ReadPackError::TooLarge { path: path.clone(), limit };
        if *bytes > limits.pack_bytes {
            return Err(too_large(format!("all files together may have {} bytes", limits.pack_bytes)));
        }
        if files.len() >= limits.files {
            return Err(too_large(format!("it may have {} files", limits.files)));
        }
        files.insert(inside, content);
    }
    Ok(())
}

/// The pack as one text: a JSON object from path to base64.
pub fn archive(pack: &PackSource) -> Vec<u8> {
    let files: BTreeMap<&str, String> =
        pack.files.iter().map(|(path, bytes)| (path.as_str(), STANDARD.encode(bytes))).collect();
    // Text under text keys always serialises.
    serde_json::to_vec(&files).unwrap_or_default()
}

/// The inverse of [`archive`].
pub fn unarchive(name: &str, archive: &[u8]) -> Result<PackSource, ReadPackError> {
    let files: BTreeMap<String, String> = serde_json::from_slice(archive).map_err(|_| ReadPackError::Archive)?;
    let decode = |(path, text): (String, String)| Some((path, STANDARD.decode(text).ok()?));
    let files = files.into_iter().map(decode).collect::<Option<_>>().ok_or(ReadPackError::Archive)?;
    Ok(PackSource { name: name.to_owned(), files })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_is_its_rules_scripts_and_lists_and_survives_the_archive() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        };
        write("a.rules", "event x {}");
        write("deep/b.rules", "event y {}");
        write("lists/ips.csv", "203.0.113.1\n");
        let before = read_pack(folder.path()).expect("a pack");
        write("README.md", "read me");
        write(".a.rules.swp", "half");
        let pack = read_pack(folder.path()).expect("a pack");
        assert_eq!(pack.files.keys().collect::<Vec<_>>(), ["a.rules", "deep/b.rules", "lists/ips.csv"]);
        assert_eq!(pack.version(), before.version());
        assert_eq!(unarchive(&pack.name, &archive(&pack)).expect("the archive").version(), pack.version());
    }

    #[test]
    fn a_folder_without_rules_is_no_pack() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(matches!(read_pack(folder.path()), Err(ReadPackError::NoRules(_))));
        assert!(matches!(read_pack(&folder.path().join("none")), Err(ReadPackError::Unreadable { .. })));
    }
}
