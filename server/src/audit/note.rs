//! Signed notes and checkpoints, after C2SP `signed-note` and `tlog-checkpoint`.
//!
//! A note is text that ends in a newline, an empty line, and signature lines `— name base64(key id ‖ signature)`. A
//! checkpoint is a note whose text is three lines: the log's origin, the tree size, the root hash in base64.

use std::fmt;

use aws_lc_rs::signature::{self, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::tree::{Hash, sha256};

/// The signature type byte of Ed25519 in key ids and verifier keys.
const ED25519: u8 = 0x01;

/// A note with more signatures is refused, as in the reference implementation.
const MOST_SIGNATURES: usize = 100;

/// The key that signs checkpoints.
pub struct LogSigner {
    name: String,
    id: [u8; 4],
    key: Ed25519KeyPair,
}

impl LogSigner {
    /// A signer from the 32-byte Ed25519 seed. The name is the log's origin: not empty, no space, no plus sign.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, InvalidKey> {
        let key = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| InvalidKey("the seed is not a key"))?;
        let id = key_id(valid_name(name)?, key.public_key().as_ref());
        Ok(Self { name: name.to_owned(), id, key })
    }

    /// The name that stands in checkpoints: the log's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a verifier needs, and may know.
    pub fn verifier(&self) -> LogKey {
        let mut public = [0; 32];
        public.copy_from_slice(self.key.public_key().as_ref());
        LogKey { name: self.name.clone(), public }
    }

    /// Signs `text`, which must end in a newline and hold no other control character.
    pub fn sign(&self, text: &str) -> String {
        let mut signed = self.id.to_vec();
        signed.extend_from_slice(self.key.sign(text.as_bytes()).as_ref());
        format!("{text}\n— {} {}\n", self.name, STANDARD.encode(signed))
    }
}

impl fmt::Debug for LogSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogSigner({})", self.verifier())
    }
}

/// A log's public key with its name: a C2SP verifier key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey {
    name: String,
    public: [u8; 32],
}

impl LogKey {
    /// Reads `name+hex(key id)+base64(0x01 ‖ public key)`; the key id must be right.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let form = InvalidKey("it is not of the form `name+hash+key`");
        let (name, rest) = text.trim().split_once('+').ok_or(form)?;
        let (id, key) = rest.split_once('+').ok_or(form)?;
        let key = STANDARD.decode(key).map_err(|_| InvalidKey("the key is not base64"))?;
        let Some((&ED25519, public)) = key.split_first() else {
            return Err(InvalidKey("it is not an Ed25519 key"));
        };
        let public: [u8; 32] = public.try_into().map_err(|_| InvalidKey("an Ed25519 key has 32 bytes"))?;
        if id != hex(&key_id(valid_name(name)?, &public)) {
            return Err(InvalidKey("its hash does not belong to its name and key"));
        }
        Ok(Self { name: name.to_owned(), public })
    }

    /// The name that stands in checkpoints.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text of `note` if this key signed it. The first line that names this key decides, as in the reference
    /// implementation; lines of other keys are skipped.
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, InvalidNote> {
        let malformed = InvalidNote::Malformed;
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(malformed);
        }
        let at = note.rfind("\n\n").ok_or(malformed)?;
        let (text, signatures) = (note.get(..=at).ok_or(malformed)?, note.get(at + 2..).ok_or(malformed)?);
        let signatures = signatures.strip_suffix('\n').ok_or(malformed)?;
        let id = key_id(&self.name, &self.public);
        let mut decided = None;
        for (count, line) in signatures.split('\n').enumerate() {
            let (name, signed) = line.strip_prefix("— ").and_then(|line| line.split_once(' ')).ok_or(malformed)?;
            let signed = STANDARD.decode(signed).map_err(|_| malformed)?;
            let (signer, signature) = signed.split_at_checked(4).ok_or(malformed)?;
            if valid_name(name).is_err() || signature.is_empty() || count >= MOST_SIGNATURES {
                return Err(malformed);
            }
            if decided.is_none() && name == self.name && signer == id {
                let key = UnparsedPublicKey::new(&signature::ED25519, &self.public);
                decided = Some(key.verify(text.as_bytes(), signature).is_ok());
            }
        }
        match decided {
            Some(true) => Ok(text),
            Some(false) => Err(InvalidNote::BadSignature),
            None => Err(InvalidNote::NotSigned),
        }
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519];
        key.extend_from_slice(&self.public);
        write!(f, "{}+{}+{}", self.name, hex(&key_id(&self.name, &self.public)), STANDARD.encode(key))
    }
}

/// What a log commits to: this many entries with this root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// Their Merkle root.
    pub root: Hash,
}

impl Checkpoint {
    /// The three lines that are signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// Reads the three lines; lines after them (extensions) are allowed and ignored.
    pub fn parse(text: &str) -> Result<Self, InvalidNote> {
        let mut lines = text.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or(InvalidNote::NotACheckpoint);
        let (origin, size, root) = (line()?.to_owned(), line()?, line()?);
        let canonical = size == "0" || (!size.starts_with('0') && size.bytes().all(|b| b.is_ascii_digit()));
        let size = if canonical { size.parse().ok() } else { None };
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
        match (size, root) {
            (Some(size), Some(root)) => Ok(Self { origin, size, root }),
            _ => Err(InvalidNote::NotACheckpoint),
        }
    }

    /// Opens a signed checkpoint: the key must have signed it and be named as its origin.
    pub fn open(note: &str, key: &LogKey) -> Result<Self, InvalidNote> {
        let checkpoint = Self::parse(key.open(note)?)?;
        if checkpoint.origin == key.name { Ok(checkpoint) } else { Err(InvalidNote::WrongOrigin) }
    }
}

/// Why a text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a log key: {0}")]
pub struct InvalidKey(&'static str);

/// Why a text is not a note, or not one by this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNote {
    /// It has not the form of a note.
    #[error("it is not a signed note")]
    Malformed,
    /// Nobody we know signed it.
    #[error("it is not signed by the expected key")]
    NotSigned,
    /// It has a signature by the key's name that is not by the key.
    #[error("its signature is wrong")]
    BadSignature,
    /// Its text is not a checkpoint.
    #[error("it is not a checkpoint")]
    NotACheckpoint,
    /// It is a checkpoint of another log.
    #[error("it is a checkpoint of another log")]
    WrongOrigin,
}

/// The first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key).
fn key_id(name: &str, public: &[u8]) -> [u8; 4] {
    let hash = sha256(&[name.as_bytes(), b"\n", &[ED25519], public]);
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

fn valid_name(name: &str) -> Result<&str, InvalidKey> {
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+') {
        return Err(InvalidKey("a name has no spaces and no plus signs, and is not empty"));
    }
    Ok(name)
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
