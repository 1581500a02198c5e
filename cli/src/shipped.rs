//! The packs inside the binary, for machines without the repository.

use std::path::Path;

use anyhow::Context;
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../rules"]
struct Embedded;

/// The name of each pack, with what the first line of its README says.
pub fn packs() -> Vec<(String, String)> {
    let readmes = Embedded::iter().filter_map(|path| Some((path.strip_suffix("/README.md")?.to_owned(), path)));
    let mut packs: Vec<(String, String)> = readmes.map(|(name, path)| (name, title(&path))).collect();
    packs.sort();
    packs
}

fn title(readme: &str) -> String {
    let text = Embedded::get(readme).map(|file| String::from_utf8_lossy(&file.data).into_owned()).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default().trim_start_matches('#').trim();
    line.split_once(": ").map_or(line, |(_, what)| what).to_owned()
}

/// Writes the files of a pack to a folder that is not there yet: beside it first, then renamed, so that half a pack is
/// never taken for a pack.
pub fn unpack(pack: &str, folder: &Path) -> anyhow::Result<()> {
    let failed = |path: &Path| format!("cannot unpack the pack `{pack}` to {}", path.display());
    let beside = folder.with_extension("new");
    if beside.exists() {
        std::fs::remove_dir_all(&beside).with_context(|| failed(&beside))?;
    }
    for path in Embedded::iter() {
        let inside = path.strip_prefix(pack).and_then(|rest| rest.strip_prefix('/'));
        let (Some(inside), Some(file)) = (inside, Embedded::get(&path)) else { continue };
        let path = beside.join(inside);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| failed(parent))?;
        }
        std::fs::write(&path, &file.data).with_context(|| failed(&path))?;
    }
    std::fs::rename(&beside, folder).with_context(|| failed(folder))
}
