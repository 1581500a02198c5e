//! A pack: a folder of rule files, lists and scripts, compiled as a whole.

use std::{collections::BTreeMap, fmt::Write as _};

use aws_lc_rs::digest::{SHA256, digest};

/// The files of a pack, read by somebody else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackSource {
    /// The pack's name, for people.
    pub name: String,
    /// Relative path, with `/` between folders, to bytes.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// How large a pack may be. A pack over a limit is refused with the limit named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Files in the pack.
    pub files: usize,
    /// Bytes of one rule file.
    pub file_bytes: usize,
    /// Bytes of all files together.
    pub pack_bytes: usize,
    /// Rules in all policies together.
    pub rules: usize,
    /// Entries in one list.
    pub list_entries: usize,
    /// Findings of one file that are kept.
    pub findings: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            files: 1_000,
            file_bytes: 1 << 20,
            pack_bytes: 64 << 20,
            rules: 20_000,
            list_entries: 1_000_000,
            findings: 1_000,
        }
    }
}

impl PackSource {
    /// A pack of one rule file.
    #[must_use]
    pub fn of_rules(text: &str) -> PackSource {
        let files = BTreeMap::from([("pack.rules".to_owned(), text.as_bytes().to_vec())]);
        PackSource { name: "pack".to_owned(), files }
    }

    /// `sha256:` and the digest, in hex, of a canonical manifest: per file, in byte order of the
    /// paths, the path's length and bytes, the content's length, and the content's SHA-256.
    /// The pack's name is not part of it.
    #[must_use]
    pub fn version(&self) -> String {
        let mut manifest = Vec::new();
        manifest.extend_from_slice(b"stepup-pack-v1\n");
        for (path, bytes) in &self.files {
            manifest.extend_from_slice(format!("{}:{path}:{}:", path.len(), bytes.len()).as_bytes());
            manifest.extend_from_slice(digest(&SHA256, bytes).as_ref());
            manifest.push(b'\n');
        }
        format!("sha256:{}", hex(digest(&SHA256, &manifest).as_ref()))
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_and_path_is_in_the_version() {
        let pack = |path: &str, text: &str| PackSource {
            name: String::new(),
            files: BTreeMap::from([(path.to_owned(), text.as_bytes().to_vec())]),
        };
        let version = pack("a.rules", "x").version();
        assert_eq!(version.len(), "sha256:".len() + 64);
        assert_ne!(version, pack("a.rules", "y").version());
        assert_ne!(version, pack("b.rules", "x").version());
        assert_eq!(version, PackSource { name: "other".into(), ..pack("a.rules", "x") }.version());
    }
}
