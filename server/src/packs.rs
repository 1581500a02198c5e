//! Reads policy packs from disk, and keeps them as one blob beside the decisions they made.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
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
    #[error("the pack in {folder} is too large: {limit}")]
    TooLarge {
        /// Which pack.
        folder: PathBuf,
        /// What is too large, and the limit.
        limit: String,
    },
    /// Something in it is named like a file of a pack, or like a folder, and is not safe to read.
    #[error("{path} {why}")]
    NoFile {
        /// Which.
        path: PathBuf,
        /// What it is instead.
        why: &'static str,
    },
    /// An archive is not one.
    #[error("the stored pack cannot be read")]
    Archive,
}

/// What belongs to a pack; everything else in the folder (a README) does not change its version.
const KINDS: [&str; 3] = ["rules", "rhai", "csv"];

/// How deep the folders of a pack may be in each other.
const MOST_DEEP: usize = 8;

/// Reads the pack in a folder: rules, scripts and lists in it and below it, hidden files left out. Reading stops at the
/// first limit that is passed, and nothing is opened that is no file.
pub fn read_pack(folder: &Path) -> Result<PackSource, ReadPackError> {
    read_pack_within(folder, Limits::default())
}

/// The same under other limits than the usual ones.
pub fn read_pack_within(folder: &Path, limits: Limits) -> Result<PackSource, ReadPackError> {
    let name = folder.file_name().map_or_else(|| "pack".to_owned(), |name| name.to_string_lossy().into_owned());
    let mut reader = Reader { folder, limits, files: BTreeMap::new(), bytes: 0, folders: 0, around: Vec::new() };
    reader.folder(folder, "")?;
    let files = reader.files;
    if !files.keys().any(|path| path.ends_with(".rules")) {
        return Err(ReadPackError::NoRules(folder.to_owned()));
    }
    Ok(PackSource { name, files })
}

/// Reads a file, if it is one and has at most so many bytes; otherwise nothing, or what is in its way.
pub fn read_file(path: &Path, most: usize) -> Result<Option<Vec<u8>>, ReadPackError> {
    // Asked before it is opened: opening a pipe waits for its other end.
    if !fs::metadata(path).map_err(unreadable(path))?.is_file() {
        return Err(ReadPackError::NoFile {
            path: path.to_owned(),
            why: "is named like a file of a pack, and is no file",
        });
    }
    read_at_most(File::open(path).map_err(unreadable(path))?, most).map_err(unreadable(path))
}

/// Everything that comes, if it is at most so many bytes. What the file system says of a size need not be so.
pub fn read_at_most(from: impl Read, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    from.take(u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= most).then_some(bytes))
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> ReadPackError {
    let path = path.to_owned();
    move |cause| ReadPackError::Unreadable { path, cause }
}

/// A pack as far as it is read.
struct Reader<'a> {
    folder: &'a Path,
    limits: Limits,
    files: BTreeMap<String, Vec<u8>>,
    bytes: usize,
    folders: usize,
    /// The folders around the one at hand, without links.
    around: Vec<PathBuf>,
}

impl Reader<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str) -> Result<(), ReadPackError> {
        let real = folder.canonicalize().map_err(unreadable(folder))?;
        if self.around.contains(&real) {
            let why = "leads back to a folder around it";
            return Err(ReadPackError::NoFile { path: folder.to_owned(), why });
        }
        if self.around.len() > MOST_DEEP {
            return self.too_large(format!("`{prefix}` is deeper than the limit of {MOST_DEEP} folders"));
        }
        self.folders += 1;
        if self.folders > self.limits.files {
            return self.too_large(format!("it has more folders than the limit of {}", self.limits.files));
        }
        self.around.push(real);
        let entries = fs::read_dir(folder).map_err(unreadable(folder))?;
        for entry in entries {
            let path = entry.map_err(unreadable(folder))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.'))
            else {
                continue;
            };
            let inside = format!("{prefix}{name}");
            if path.is_dir() {
                self.folder(&path, &format!("{inside}/"))?;
            } else if path.extension().and_then(|kind| kind.to_str()).is_some_and(|kind| KINDS.contains(&kind)) {
                self.file(&path, inside)?;
            }
        }
        self.around.pop();
        Ok(())
    }

    fn file(&mut self, path: &Path, inside: String) -> Result<(), ReadPackError> {
        if self.files.len() >= self.limits.files {
            return self.too_large(format!("it has more files than the limit of {}", self.limits.files));
        }
        let left = self.limits.pack_bytes.saturating_sub(self.bytes);
        let rules = inside.ends_with(".rules");
        let most = if rules { left.min(self.limits.file_bytes) } else { left };
        match read_file(path, most)? {
            Some(content) => {
                self.bytes += content.len();
                self.files.insert(inside, content);
                Ok(())
            }
            None if rules && most == self.limits.file_bytes => {
                let most = self.limits.file_bytes;
                self.too_large(format!("`{inside}` has more than the limit of {most} bytes for a rule file"))
            }
            None => self
                .too_large(format!("its files have more than the limit of {} bytes together", self.limits.pack_bytes)),
        }
    }

    fn too_large(&self, limit: String) -> Result<(), ReadPackError> {
        Err(ReadPackError::TooLarge { folder: self.folder.to_owned(), limit })
    }
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

    #[test]
    fn a_pack_over_a_limit_is_refused_with_the_limit_named() {
        let limits = Limits { files: 3, file_bytes: 10, pack_bytes: 25, ..Limits::default() };
        let refused = |files: &[(&str, usize)]| {
            let folder = tempfile::tempdir().expect("a folder");
            for (path, length) in files {
                let path = folder.path().join(path);
                fs::create_dir_all(path.parent().expect("a parent")).expect("made");
                fs::write(path, "#".repeat(*length)).expect("written");
            }
            match read_pack_within(folder.path(), limits) {
                Ok(_) => String::new(),
                Err(ReadPackError::TooLarge { limit, .. }) => limit,
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!(refused(&[("a.rules", 10), ("b.csv", 15)]), "");
        assert_eq!(refused(&[("a.rules", 11)]), "`a.rules` has more than the limit of 10 bytes for a rule file");
        let together = "its files have more than the limit of 25 bytes together";
        assert_eq!(refused(&[("a.csv", 16), ("b.rules", 10)]), together);
        assert_eq!(refused(&[("a.csv", 26)]), together);
        let many = [("a.rules", 1), ("b.rules", 1), ("c.rules", 1), ("d.rules", 1)];
        assert_eq!(refused(&many), "it has more files than the limit of 3");
        assert_eq!(refused(&[("a/x", 1), ("b/x", 1), ("c/x", 1)]), "it has more folders than the limit of 3");
    }

    #[test]
    fn folders_too_deep_are_refused_rather_than_overlooked() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |deep: usize| {
            let inner = folder.path().join("d/".repeat(deep));
            fs::create_dir_all(&inner).expect("made");
            fs::write(inner.join("a.rules"), "event x {}").expect("written");
        };
        write(MOST_DEEP);
        assert_eq!(read_pack(folder.path()).expect("a pack").files.len(), 1);
        write(MOST_DEEP + 1);
        assert!(matches!(read_pack(folder.path()), Err(ReadPackError::TooLarge { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_opened_and_circles_of_links_end() {
        use std::os::unix::{fs::symlink, net::UnixListener};
        let made = |make: &dyn Fn(&Path)| {
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join("a.rules"), "event x {}").expect("written");
            make(folder.path());
            read_pack(folder.path())
        };
        let circle = made(&|folder| symlink(folder, folder.join("again")).expect("a link"));
        assert!(matches!(circle, Err(ReadPackError::NoFile { .. })), "{circle:?}");
        let device = made(&|folder| symlink("/dev/zero", folder.join("b.csv")).expect("a link"));
        assert!(matches!(device, Err(ReadPackError::NoFile { .. })), "{device:?}");
        let socket = made(&|folder| drop(UnixListener::bind(folder.join("b.rules")).expect("a socket")));
        assert!(matches!(socket, Err(ReadPackError::NoFile { .. })), "{socket:?}");
        let itself = made(&|folder| symlink("b.rules", folder.join("b.rules")).expect("a link"));
        assert!(matches!(itself, Err(ReadPackError::Unreadable { .. })), "{itself:?}");
        // A mounted configuration is links to files, and fine.
        let linked = made(&|folder| symlink("a.rules", folder.join("b.rules")).expect("a link"));
        assert_eq!(linked.expect("a pack").files.len(), 2);
        let other = made(&|folder| symlink("/dev/zero", folder.join("notes.txt")).expect("a link"));
        assert!(other.is_ok(), "{other:?}");
    }
}
