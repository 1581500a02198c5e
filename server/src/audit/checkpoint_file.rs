//! `audit.checkpoint`: the newest signed checkpoint in a file of its own.
//!
//! A database that was truncated or restored from an older copy cannot take this file back with it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// `audit.checkpoint` in the database's folder.
pub fn checkpoint_path(database: &Path) -> PathBuf {
    database.with_file_name("audit.checkpoint")
}

/// `audit.pub` in the database's folder: the log's public key, as a C2SP verifier key. For convenience, not for trust.
pub fn public_key_path(database: &Path) -> PathBuf {
    database.with_file_name("audit.pub")
}

/// The file's text; `None` if there is no file.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the file in one step and returns when it is on the disk: after a crash there is the old text or the new.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let mut file = File::create(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
