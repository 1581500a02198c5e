//! The starter pack: the checkout's, or the one inside the binary.

use std::path::{Path, PathBuf};

use crate::shipped;

/// The pack the demo runs.
pub struct Pack {
    /// Its folder.
    pub folder: PathBuf,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a pack came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The checkout we were started in.
    Checkout,
    /// Unpacked from the binary now.
    Unpacked,
    /// Unpacked at an earlier start, and perhaps edited since.
    Kept,
}

/// The pack of the checkout if `here` is one, else the one that was unpacked to the data folder.
pub fn find(here: &Path, data: &Path) -> Option<Pack> {
    let checkout = here.join("rules/starter");
    if has_rules(&checkout) {
        let folder = checkout.strip_prefix(".").unwrap_or(&checkout).to_owned();
        return Some(Pack { folder, origin: Origin::Checkout });
    }
    let folder = data.join("rules/starter");
    has_rules(&folder).then_some(Pack { folder, origin: Origin::Kept })
}

/// The same, unpacking it to the data folder if need be.
pub fn find_or_unpack(here: &Path, data: &Path) -> anyhow::Result<Pack> {
    if let Some(pack) = find(here, data) {
        return Ok(pack);
    }
    let folder = data.join("rules/starter");
    shipped::unpack("starter", &folder)?;
    Ok(Pack { folder, origin: Origin::Unpacked })
}

fn has_rules(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.filter_map(Result::ok).any(|entry| entry.path().extension().is_some_and(|ending| ending == "rules"))
}
