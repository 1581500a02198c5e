//! What the verifier says, to people and to programs.

use std::fmt::Write;

use serde::Serialize;

/// The result of verifying a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The database that was read.
    pub database: String,
    /// Entries that were found good, from the first on.
    pub entries: u64,
    /// Signed checkpoints whose root and signature fit.
    pub checkpoints: u64,
    /// Rows of state that are as their newest entry says.
    pub rows: u64,
    /// Personal documents that are as their entries say.
    pub documents: u64,
    /// The newest signed checkpoint that fits.
    pub checkpoint: Option<SignedHead>,
    /// Whose word the signatures were checked against.
    pub trust: Trust,
    /// The first thing that is not as it was signed; `None` if everything is.
    pub first_bad: Option<Finding>,
}

/// A checkpoint in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedHead {
    /// The log's name.
    pub origin: String,
    /// How many entries it is signed over.
    pub size: u64,
    /// Their root, hexadecimal.
    pub root: String,
}

/// Where the public key came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "source", content = "key")]
pub enum Trust {
    /// The caller's: the only one that a stranger should rely on.
    Pinned(String),
    /// `audit.pub` beside the database: whoever rewrote the one could have rewritten the other.
    BesideDatabase(String),
    /// There was none: signatures were not checked.
    Unchecked,
}

/// Something that is not as it was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The number of the first entry it concerns; `None` when it concerns no entry in particular.
    pub seq: Option<u64>,
    /// The entry's kind, or the table of the row.
    pub kind: Option<String>,
    /// What it is about: a row's name, a document's field, a checkpoint's size.
    pub id: Option<String>,
    /// A word for what is wrong: `leaf-changed`, `row-changed`, …
    pub what: &'static str,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl Report {
    /// Whether nothing was found that is not as it should be.
    pub fn is_good(&self) -> bool {
        self.first_bad.is_none()
    }

    /// Whether everything is as it was signed: without a key a log agrees with itself at best, as a forged one may.
    pub fn is_proven(&self) -> bool {
        self.is_good() && self.trust != Trust::Unchecked
    }

    /// JSON on one line.
    pub fn to_json(&self) -> String {
        // A struct of strings and numbers always serialises; the fallback is for the type checker.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// A few lines for people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let verdict = match (self.is_good(), self.is_proven()) {
            (_, true) => "good",
            (true, false) => "NOT PROVEN",
            (false, _) => "BAD",
        };
        let _ = writeln!(text, "{verdict}: {}", self.database);
        if let Some(bad) = &self.first_bad {
            let entry = bad.seq.map_or("no entry in particular".to_owned(), |seq| format!("entry {seq}"));
            let about = [&bad.kind, &bad.id].into_iter().flatten().map(String::as_str).filter(|part| !part.is_empty());
            let about = match about.collect::<Vec<_>>().join(" ") {
                nothing if nothing.is_empty() => nothing,
                about => format!(" ({about})"),
            };
            let _ = writeln!(text, "  first bad: {entry}{about}: {}", bad.what);
            let _ = writeln!(text, "    expected: {}", bad.expected);
            let _ = writeln!(text, "    found:    {}", bad.found);
        }
        let _ = writeln!(
            text,
            "  {} entries, {} checkpoints, {} rows and {} documents {}",
            self.entries,
            self.checkpoints,
            self.rows,
            self.documents,
            if self.trust == Trust::Unchecked { "agree with each other" } else { "are as signed" }
        );
        if let Some(head) = &self.checkpoint {
            let _ = writeln!(text, "  checkpoint: {} · {} entries · root {}", head.origin, head.size, head.root);
        }
        let _ = match &self.trust {
            Trust::Pinned(key) => writeln!(text, "  key: {key} (given)"),
            Trust::BesideDatabase(key) => {
                writeln!(text, "  key: {key} (found beside the database: compare it with the one you were given)")
            }
            Trust::Unchecked => {
                writeln!(
                    text,
                    "  key: none, so that signatures were not checked; give the log's public key with `--key`"
                )
            }
        };
        text
    }
}
