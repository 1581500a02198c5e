//! Files that are replaced whole: a crash leaves the old one or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Puts `text` in the place of a file that still says `before`: somebody may have saved it since it was read.
pub fn replace(path: &Path, before: &[u8], text: &str) -> anyhow::Result<()> {
    // Through a link, so that the link stays one.
    let path = path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?;
    let beside = beside(&path);
    let written = write(&path, &beside, before, text);
    if written.is_err() {
        // What failed has been said; that its half is left over would be a second story.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write(path: &Path, beside: &Path, before: &[u8], text: &str) -> anyhow::Result<()> {
    let writing = || format!("cannot write {}", beside.display());
    // A new file: what lies there, or is linked there, is not ours.
    let mut file = OpenOptions::new().write(true).create_new(true).open(beside).with_context(writing)?;
    file.write_all(text.as_bytes()).with_context(writing)?;
    let metadata = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    file.set_permissions(metadata.permissions())
        .with_context(|| format!("cannot set the mode of {}", beside.display()))?;
    file.sync_all().with_context(writing)?;
    drop(file);
    let now = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    anyhow::ensure!(now == before, "{} was changed by somebody else and is left alone", path.display());
    fs::rename(beside, path).with_context(|| format!("cannot replace {}", path.display()))?;
    if let Some(folder) = path.parent() {
        // The new name is durable with its folder; not every system can do that, and the file is whole without it.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

/// A hidden name in the same folder, so that nothing takes it for a rule file while it is half written.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.new", std::process::id()))
}
