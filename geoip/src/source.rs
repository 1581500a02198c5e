//! What an atlas was made of, for `demo`, `doctor` and the audit log.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

/// One file an [`Atlas`](crate::Atlas) answers from.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceInfo {
    /// Its `database_type`, or its file name.
    pub name: Arc<str>,
    /// What it answers.
    pub kind: SourceKind,
    /// Where it was read from; `None` if it came with the program.
    pub path: Option<PathBuf>,
    /// When its maker built it; `None` if it does not say.
    pub build_date: Option<Timestamp>,
    /// How many networks or ranges it has; `None` if it is large and was not counted.
    pub networks: Option<u64>,
    /// SHA-256 of its bytes in hexadecimal.
    pub digest: Arc<str>,
    /// The licence of a bundled file; of the operator's own files only the operator knows.
    pub licence: Option<&'static str>,
    /// What is odd about it, though it is used.
    pub warnings: Vec<String>,
}

/// What a source answers. One file may answer several questions; the first that applies is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// Positions below the country.
    City,
    /// Countries.
    Country,
    /// Autonomous systems, or hosting, VPN and Tor flags, from an MMDB.
    Network,
    /// Ranges of hosting, VPN or Tor networks.
    Ranges,
}

/// How far the age of a source can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Freshness {
    /// No older than 45 days.
    Fresh,
    /// Older than 45 days: worth a warning.
    Ageing,
    /// Older than 90 days, or of unknown age.
    Stale,
}

impl SourceInfo {
    /// Whole days from the build to `now`; `None` if the build date is unknown. Never negative.
    pub fn age_days(&self, now: Timestamp) -> Option<u32> {
        let seconds = now.duration_since(self.build_date?).as_secs().max(0);
        u32::try_from(seconds / 86_400).ok()
    }

    /// Whether the source is old. What follows from that is the caller's decision.
    pub fn freshness(&self, now: Timestamp) -> Freshness {
        match self.age_days(now) {
            Some(0..=45) => Freshness::Fresh,
            Some(46..=90) => Freshness::Ageing,
            Some(91..) | None => Freshness::Stale,
        }
    }

    /// True if the file came with the program.
    pub fn is_bundled(&self) -> bool {
        self.path.is_none()
    }
}
