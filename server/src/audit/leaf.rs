//! One audit entry: canonical JSON that says what happened, and commits to what it may not say.
//!
//! A leaf stays for ever, so it holds nothing personal. Personal data stands beside it, and the leaf holds a salted
//! SHA-256 commitment to each piece: with the salt gone the commitment says nothing, and the tree still verifies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::note::hex;
use super::tree::{Hash, sha256};

/// The most bytes a leaf has: tlog-tiles bundles entries with 16-bit lengths.
pub const LARGEST_LEAF: usize = 65_535;

/// The version of the leaf format.
pub const VERSION: u8 = 1;

/// One audit entry. Its fields stand in the order of their names, as canonical JSON wants; there are no floats in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// What happened, in words and numbers that may be kept for ever.
    pub facts: BTreeMap<String, Fact>,
    /// Commitments to the documents beside the leaf (`event`, `record`): hexadecimal [`commitment`].
    pub holds: BTreeMap<String, String>,
    /// What kind of thing happened: `decision`, `challenge.claimed`, `refusal.claim`, …
    pub kind: String,
    /// The rows of state that this entry made or changed, by name (`challenge/…`): hexadecimal row digest.
    pub rows: BTreeMap<String, String>,
    /// The entry's number: gap-free from 0.
    pub seq: u64,
    /// Whose log line it is.
    pub tenant: String,
    /// When, in milliseconds since 1970 UTC; never less than the entry before.
    pub time: i64,
    /// The format's version.
    pub v: u8,
}

/// A value that a leaf states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    /// A word.
    Text(String),
    /// Several words.
    List(Vec<String>),
}

impl Leaf {
    /// Whether the entry is of this kind, or names this: one of its facts, or a row that it made or changed.
    pub fn names(&self, name: &str) -> bool {
        let fact = |fact: &Fact| match fact {
            Fact::Text(text) => text == name,
            Fact::List(words) => words.iter().any(|word| word == name),
        };
        let row = |row: &String| row.split_once('/').is_some_and(|(_, id)| id == name);
        self.kind == name || self.facts.values().any(fact) || self.rows.keys().any(row)
    }
}

impl Fact {
    /// The word, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(_) => None,
        }
    }

    /// The words, if they are several.
    pub fn list(&self) -> &[String] {
        match self {
            Self::Text(_) => &[],
            Self::List(words) => words,
        }
    }
}

impl From<&str> for Fact {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Fact {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[String]> for Fact {
    fn from(words: &[String]) -> Self {
        Self::List(words.to_vec())
    }
}

/// Why bytes are not a leaf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLeaf {
    /// They are not JSON of a leaf's shape.
    #[error("it is not an audit entry: {0}")]
    Shape(String),
    /// They are, but not in the one canonical spelling.
    #[error("it is not in canonical form")]
    NotCanonical,
    /// A newer program wrote them.
    #[error("its format has version {0}, this program knows version {VERSION}")]
    Version(u8),
    /// They are more than [`LARGEST_LEAF`].
    #[error("it has {0} bytes, an audit entry has at most {LARGEST_LEAF}")]
    TooLarge(usize),
}

impl Leaf {
    /// The canonical bytes, which are hashed and kept.
    pub fn encode(&self) -> Result<String, InvalidLeaf> {
        let text = serde_json::to_string(self).map_err(|error| InvalidLeaf::Shape(error.to_string()))?;
        if text.len() > LARGEST_LEAF { Err(InvalidLeaf::TooLarge(text.len())) } else { Ok(text) }
    }

    /// Reads canonical bytes, and only those.
    pub fn decode(text: &str) -> Result<Self, InvalidLeaf> {
        let leaf: Self = serde_json::from_str(text).map_err(|error| InvalidLeaf::Shape(error.to_string()))?;
        if leaf.v != VERSION {
            return Err(InvalidLeaf::Version(leaf.v));
        }
        if leaf.encode()? == text { Ok(leaf) } else { Err(InvalidLeaf::NotCanonical) }
    }
}

/// Commits to `value` as the document `field`: SHA-256 over salt, field and value, each behind its length (u32,
/// big-endian), in hexadecimal.
pub fn commitment(salt: &[u8], field: &str, value: &[u8]) -> String {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    let hash: Hash = sha256(&[&length(salt), salt, &length(field.as_bytes()), field.as_bytes(), &length(value), value]);
    hex(&hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf() -> Leaf {
        Leaf {
            facts: BTreeMap::from([
                ("rules".to_owned(), Fact::List(vec!["guessing".to_owned()])),
                ("outcome".to_owned(), "challenge".into()),
            ]),
            holds: BTreeMap::new(),
            kind: "decision".to_owned(),
            rows: BTreeMap::new(),
            seq: 3,
            tenant: "t1".to_owned(),
            time: 1_700_000_000_000,
            v: VERSION,
        }
    }

    #[test]
    fn a_leaf_has_one_spelling() {
        let text = leaf().encode().unwrap();
        assert_eq!(
            text,
            r#"{"facts":{"outcome":"challenge","rules":["guessing"]},"holds":{},"kind":"decision","rows":{},"seq":3,"tenant":"t1","time":1700000000000,"v":1}"#
        );
        assert_eq!(Leaf::decode(&text), Ok(leaf()));
        for other in [text.replace(":3,", ": 3,"), text.replace(r#""kind":"decision","#, "") + " "] {
            assert!(Leaf::decode(&other).is_err(), "{other}");
        }
        let swapped = text.replace(r#""seq":3,"tenant":"t1""#, r#""tenant":"t1","seq":3"#);
        assert_eq!(Leaf::decode(&swapped), Err(InvalidLeaf::NotCanonical));
        assert_eq!(Leaf::decode(&text.replace(r#""v":1"#, r#""v":2"#)), Err(InvalidLeaf::Version(2)));
    }

    #[test]
    fn a_leaf_too_large_for_a_tile_is_refused() {
        let mut leaf = leaf();
        leaf.facts.insert("long".to_owned(), "x".repeat(LARGEST_LEAF).into());
        assert!(matches!(leaf.encode(), Err(InvalidLeaf::TooLarge(_))));
    }

    #[test]
    fn a_commitment_tells_salt_field_and_value_apart() {
        let one = commitment(b"salt", "event", b"value");
        for other in [
            commitment(b"sal", "tevent", b"value"),
            commitment(b"salt", "even", b"tvalue"),
            commitment(b"salt", "record", b"value"),
            commitment(b"salu", "event", b"value"),
        ] {
            assert_ne!(one, other);
        }
    }
}
