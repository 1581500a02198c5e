//! The keys that sign QR codes, as files: which signs when stands in a file's name. Phones pin the public halves of those that
//! sign or will, and learn of new ones with each claim, so that the next key is known before it signs.

use std::path::{Path, PathBuf};

use challenge::qr::{QrPublicKey, QrSigningKey};
use challenge::state::LONGEST_LIFE;
use jiff::Timestamp;

use super::tokens::{WHEN, instant, write_new_key};
use super::{KeyAlgorithm, KeyTurn, KeysError, files_in, read_private, unusable};

/// The key that was there first. Its number is 1.
const FIRST: &str = "qr.p8";

/// The keys that sign QR codes, in the order of their turns.
pub struct QrKeys(Vec<QrTurn>);

struct QrTurn {
    from: Option<Timestamp>,
    key: QrSigningKey,
}

/// One key file and its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QrKeyFile {
    /// The file.
    pub path: PathBuf,
    /// The key's number in a code.
    pub kid: u8,
    /// From when it signs; `None` for the first.
    pub from: Option<Timestamp>,
    /// How it stands.
    pub turn: KeyTurn,
}

impl QrKeys {
    /// Reads the keys of `directory`, making the first if there is none.
    pub(super) fn load(directory: &Path) -> Result<QrKeys, KeysError> {
        if files(directory)?.is_empty() {
            write_new_key(&directory.join(FIRST), KeyAlgorithm::EdDsa)?;
        }
        let turns = files(directory)?.into_iter().map(|Found { from, kid, path }| {
            let key = QrSigningKey::from_pkcs8(kid, &read_private(&path)?).map_err(unusable(&path))?;
            Ok(QrTurn { from, key })
        });
        Ok(QrKeys(turns.collect::<Result<_, _>>()?))
    }

    /// What signs at this time; `None` only where there is no key at all.
    pub fn signing(&self, at: Timestamp) -> Option<&QrSigningKey> {
        let begun = self.0.iter().rev().find(|turn| turn.from.is_none_or(|from| from <= at));
        begun.or(self.0.first()).map(|turn| &turn.key)
    }

    /// What phones pin at this time: what signs, what will, and what signed a code that may still be shown.
    pub fn published(&self, at: Timestamp) -> Vec<QrPublicKey> {
        let ends = self.0.iter().skip(1).map(|next| next.from.map(retires_at)).chain([None]);
        let shown = self.0.iter().zip(ends).filter(|(_, end)| end.is_none_or(|end| at < end));
        shown.map(|(turn, _)| turn.key.public()).collect()
    }
}

/// Makes the key that signs from `from` on, to the second. Phones learn of it as soon as a service has read it.
pub fn rotate_qr(directory: &Path, from: Timestamp) -> Result<PathBuf, KeysError> {
    let known = files(directory)?;
    let last = known.iter().map(|found| found.kid).max();
    let last = last.ok_or_else(|| unusable(directory)("it has no key that signs QR codes; start the service once"))?;
    // A number that phones may have pinned for another key is never given again.
    let kid = last.checked_add(1).ok_or_else(|| unusable(directory)("the numbers of keys for QR codes are used up"))?;
    let when = from.strftime(WHEN).to_string();
    if known.iter().any(|found| found.from == instant(&when)) {
        return Err(unusable(directory)("there is a key for QR codes that begins in that second already"));
    }
    let path = directory.join(format!("qr-{kid}-{when}.p8"));
    write_new_key(&path, KeyAlgorithm::EdDsa)?;
    Ok(path)
}

/// The keys that sign QR codes and how each stands at `now`, in the order of their turns.
pub fn list_qr(directory: &Path, now: Timestamp) -> Result<Vec<QrKeyFile>, KeysError> {
    let found = files(directory)?;
    let begins: Vec<Option<Timestamp>> = found.iter().skip(1).map(|next| next.from).chain([None]).collect();
    let listed = found.into_iter().zip(begins).enumerate().map(|(place, (Found { from, kid, path }, next))| {
        let turn = match next {
            // The earliest signs though its time has not come: there is no other.
            _ if place > 0 && from.is_some_and(|from| now < from) => KeyTurn::Next,
            Some(next) if next <= now && now < retires_at(next) => KeyTurn::Verifying(retires_at(next)),
            Some(next) if next <= now => KeyTurn::Retired,
            Some(_) | None => KeyTurn::Signing,
        };
        QrKeyFile { path, kid, from, turn }
    });
    Ok(listed.collect())
}

/// When the last code is over that was signed before `next` began.
fn retires_at(next: Timestamp) -> Timestamp {
    next.saturating_add(LONGEST_LIFE).unwrap_or(Timestamp::MAX)
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    from: Option<Timestamp>,
    kid: u8,
    path: PathBuf,
}

/// The files with their times and numbers, in the order of their turns.
fn files(directory: &Path) -> Result<Vec<Found>, KeysError> {
    let mut found: Vec<Found> = Vec::new();
    for (name, path) in files_in(directory)? {
        let (kid, from) = if name == FIRST {
            (1, None)
        } else if let Some(rest) = name.strip_prefix("qr-").and_then(|rest| rest.strip_suffix(".p8")) {
            let why = "its name must say its number and from when it signs, in UTC: `qr-2-20260301T100000Z.p8`";
            let numbered = rest.split_once('-').and_then(|(kid, when)| Some((kid.parse::<u8>().ok()?, instant(when)?)));
            let (kid, from) = numbered.filter(|(kid, _)| *kid > 1).ok_or_else(|| unusable(&path)(why))?;
            (kid, Some(from))
        } else {
            continue;
        };
        if found.iter().any(|other| other.kid == kid) {
            return Err(unusable(&path)(format!("another key for QR codes has the number {kid}")));
        }
        found.push(Found { from, kid, path });
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn numbers(keys: &QrKeys, now: Timestamp) -> (Vec<u8>, u8) {
        let published = keys.published(now).iter().map(|key| key.kid).collect();
        (published, keys.signing(now).expect("a key").public().kid)
    }

    #[test]
    fn a_key_is_pinned_before_it_signs_and_until_its_last_code_is_over() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(rotate_qr(folder.path(), at("2026-03-02T10:00:00Z")).is_err(), "there is no first key");
        QrKeys::load(folder.path()).expect("made");
        let path = rotate_qr(folder.path(), at("2026-03-02T10:00:00.7Z")).expect("rotated");
        assert_eq!(path.file_name().and_then(|name| name.to_str()), Some("qr-2-20260302T100000Z.p8"));
        assert!(rotate_qr(folder.path(), at("2026-03-02T10:00:00.9Z")).is_err(), "the same second");
        let keys = QrKeys::load(folder.path()).expect("loaded");
        let until = at("2026-03-02T10:10:00Z");
        for (now, published, signing, turns) in [
            (at("2026-03-01T10:00:00Z"), vec![1, 2], 1, [KeyTurn::Signing, KeyTurn::Next]),
            (at("2026-03-02T10:00:00Z"), vec![1, 2], 2, [KeyTurn::Verifying(until), KeyTurn::Signing]),
            (until, vec![2], 2, [KeyTurn::Retired, KeyTurn::Signing]),
        ] {
            assert_eq!(numbers(&keys, now), (published, signing), "{now}");
            let listed = list_qr(folder.path(), now).expect("listed");
            assert_eq!(listed.iter().map(|key| key.turn).collect::<Vec<_>>(), turns, "{now}");
        }
        // The first may go when it has retired; its number does not come again.
        fs::remove_file(folder.path().join(FIRST)).expect("removed");
        assert_eq!(numbers(&QrKeys::load(folder.path()).expect("loaded"), until), (vec![2], 2));
        let third = rotate_qr(folder.path(), at("2026-04-01T00:00:00Z")).expect("rotated");
        assert!(third.ends_with("qr-3-20260401T000000Z.p8"), "{third:?}");
    }

    #[test]
    fn a_file_whose_name_says_too_little_is_refused() {
        for name in
            ["qr-.p8", "qr-2.p8", "qr-1-20260302T100000Z.p8", "qr-256-20260302T100000Z.p8", "qr-2-20260231T100000Z.p8"]
        {
            let folder = tempfile::tempdir().expect("a folder");
            QrKeys::load(folder.path()).expect("made");
            write_new_key(&folder.path().join(name), KeyAlgorithm::EdDsa).expect("a key");
            let error = QrKeys::load(folder.path()).err().expect(name).to_string();
            assert!(error.contains(name) && error.contains("its number and from when"), "{error}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["qr-2-20260302T100000Z.p8", "qr-2-20260303T100000Z.p8"] {
            write_new_key(&folder.path().join(name), KeyAlgorithm::EdDsa).expect("a key");
        }
        let error = QrKeys::load(folder.path()).err().expect("one number twice").to_string();
        assert!(error.contains("has the number 2"), "{error}");
    }
}
