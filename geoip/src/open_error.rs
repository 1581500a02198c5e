//! Why a file was not taken.

use std::path::PathBuf;

/// A file that cannot serve as a source. Each message names the file, what is wrong, and what would be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file is missing or cannot be read.
    #[error("cannot read `{}`: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file is larger than any database is.
    #[error("`{}` has {bytes} bytes; no more than {} are read", path.display(), crate::MAX_FILE_BYTES)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Neither MMDB nor text; compressed files are the usual case.
    #[error("`{}` is {what}; {help}", path.display())]
    NotAList {
        /// The file.
        path: PathBuf,
        /// What it seems to be.
        what: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// An MMDB whose metadata or search tree cannot be used at all.
    #[error("`{}` is not a usable MMDB: {reason}; fetch it again and compare its checksum", path.display())]
    NotUsable {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        reason: String,
    },
    /// An MMDB that opens, but too many of its networks cannot be read.
    #[error(
        "`{}` (database_type `{database_type}`) is damaged: {failed} of {tried} sampled networks cannot be read, \
         first {first}; fetch it again and compare its checksum",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// From its metadata.
        database_type: String,
        /// Networks sampled.
        tried: usize,
        /// Networks that could not be read.
        failed: usize,
        /// The first of the failures.
        first: String,
    },
    /// An MMDB of a layout this reader does not know.
    #[error(
        "`{}` (database_type `{database_type}`) has no field this reader knows; its records have {}; accepted are \
         `country.iso_code` (GeoIP2, GeoLite2, DB-IP Lite), `country_code` (ip-location-db, repackaged DB-IP), \
         `autonomous_system_number` (ASN, ISP) and `is_anonymous_vpn`, `is_tor_exit_node`, `is_hosting_provider` \
         (Anonymous-IP, Anonymous-Plus)",
        path.display(), quoted(fields)
    )]
    UnknownLayout {
        /// The file.
        path: PathBuf,
        /// From its metadata.
        database_type: String,
        /// The names of the top-level fields seen in the sample, at most twelve.
        fields: Vec<String>,
    },
    /// An MMDB whose records are not what its type promises.
    #[error(
        "`{}` says it is `{database_type}`, but no sampled record has `{missing}`; its records have {}; \
         it may be another file under that name",
        path.display(), quoted(fields)
    )]
    NotWhatItSays {
        /// The file.
        path: PathBuf,
        /// From its metadata.
        database_type: String,
        /// The field such a database always has.
        missing: &'static str,
        /// The names of the top-level fields seen in the sample, at most twelve.
        fields: Vec<String>,
    },
    /// A line of a range list that is not understood.
    #[error("`{}` line {line}: {reason}", path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it and what a line looks like.
        reason: String,
    },
    /// A list without kinds whose name does not say what it lists.
    #[error(
        "`{}` is a plain list and does not say of what; name it `tor…`, `vpn…` or `hosting…`, \
         or write the lines as `cidr,kind,provider`",
        path.display()
    )]
    UnknownKind {
        /// The file.
        path: PathBuf,
    },
    /// A range list without a single range.
    #[error("`{}` lists no range of kind `hosting`, `vpn` or `tor`", path.display())]
    EmptyList {
        /// The file.
        path: PathBuf,
    },
}

fn quoted(fields: &[String]) -> String {
    if fields.is_empty() {
        return "no named field".to_owned();
    }
    fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ")
}
