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

/// The file's text; `None` if there is no file.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the file in one step and returns when it is on the disk: after a crash there is the old text or the new.
pub fn write(path: &Path, note: &str) -> io::Result<()> {
    let fresh = path.with_extension("checkpoint.new");
    let mut file = File::create(&fresh)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
