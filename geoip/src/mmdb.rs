//! One MMDB file: read into memory, digested, sampled, and only then used.

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use maxminddb::{Reader, WithinOptions};
use serde::de::IgnoredAny;

use crate::fields::{Bytes, Record, quote};
use crate::layout::{Layout, promised, sample};
use crate::{Failure, Known, OpenError};

/// Files up to this size are read whole when they are opened (some 30 ms for 5 MiB); larger ones are sampled, and read
/// whole by [`verify`](crate::verify).
const VERIFY_ON_OPEN_BYTES: usize = 16 << 20;

/// An MMDB that passed the gate.
pub(crate) struct Mmdb {
    /// Its `database_type`, or the name of the bundled file.
    pub name: Arc<str>,
    /// SHA-256 in hexadecimal.
    pub digest: Arc<str>,
    pub layout: Layout,
    pub built: Option<Timestamp>,
    /// Networks with a record; `None` if they were not counted.
    pub networks: Option<u64>,
    pub warnings: Vec<String>,
    reader: Reader<Bytes>,
}

impl Mmdb {
    /// Opens the bytes and decides what can be asked of them.
    ///
    /// `path` is for messages only. `whole` asks for every record to be verified, whatever the size.
    pub fn open(path: &Path, bytes: Vec<u8>, whole: bool) -> Result<Mmdb, OpenError> {
        let whole = whole || bytes.len() <= VERIFY_ON_OPEN_BYTES;
        let digest = sha256_hex(&bytes);
        let reader = Reader::from_source(Bytes::Owned(bytes))
            .map_err(|error| OpenError::NotUsable { path: path.to_owned(), reason: quote(error) })?;
        let database_type = quote(&reader.metadata().database_type);

        let sample = sample(&reader);
        if sample.is_damaged() {
            return Err(OpenError::Damaged {
                path: path.to_owned(),
                database_type,
                tried: sample.tried,
                failed: sample.failed,
                first: sample.first_failure.unwrap_or_default(),
            });
        }
        if let Some(missing) = promised(&database_type).filter(|promise| !sample.layout.keeps(promise)) {
            return Err(OpenError::NotWhatItSays {
                path: path.to_owned(),
                database_type,
                missing,
                fields: sample.fields,
            });
        }
        if sample.layout.is_empty() {
            return Err(OpenError::UnknownLayout { path: path.to_owned(), database_type, fields: sample.fields });
        }

        let mut warnings = Vec::new();
        if let Some(first) = &sample.first_failure {
            warnings.push(format!(
                "{} of {} sampled networks cannot be read and stay unknown; first: {first}",
                sample.failed, sample.tried
            ));
        }
        if sample.positions_lost > 0 {
            warnings.push(format!(
                "the positions of {} of {} sampled networks cannot be read; those addresses keep only their country",
                sample.positions_lost, sample.tried
            ));
        }
        let built = built(reader.metadata().build_epoch);
        if built.is_none() {
            warnings.push("the build date in its metadata is not a date; the age of the data is unknown".to_owned());
        }
        if reader.metadata().ip_version == 4 {
            warnings.push("it covers IPv4 only; an IPv6 address gets no answer from it".to_owned());
        }
        if whole && let Err(error) = reader.verify() {
            warnings.push(format!("strict verification says: {}", quote(error)));
        }
        let walk = whole.then(|| walk(&reader));
        if let Some(Walk { networks, unreadable: unreadable @ 1.., first_failure: Some(first) }) = &walk {
            warnings.push(format!("{unreadable} records of {networks} networks cannot be read whole; first: {first}"));
        }
        let networks = walk.map(|walk| walk.networks);
        let (layout, name) = (sample.layout, database_type.into());
        Ok(Mmdb { name, digest: digest.into(), layout, built, networks, warnings, reader })
    }

    /// Opens bytes of our own repository, whose layout and size are known and guarded by a test.
    pub fn embedded(name: &str, bytes: &'static [u8], layout: Layout, networks: u64) -> Result<Mmdb, String> {
        let digest = sha256_hex(bytes).into();
        let reader = Reader::from_source(Bytes::Borrowed(bytes)).map_err(quote)?;
        let built = built(reader.metadata().build_epoch);
        Ok(Mmdb { name: name.into(), digest, layout, built, networks: Some(networks), warnings: Vec::new(), reader })
    }

    /// The record of this address. A file of IPv4 alone has no answer for IPv6; that is no failure.
    pub fn record(&self, ip: IpAddr) -> Known<Record<'_>> {
        if ip.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Known::Absent;
        }
        match self.reader.lookup(ip) {
            Ok(record) if record.has_data() => Known::Found(record),
            Ok(_) => Known::Absent,
            Err(error) => self.failed(error),
        }
    }

    /// A failure of this file.
    pub fn failed<T>(&self, reason: impl std::fmt::Display) -> Known<T> {
        Known::Failed(Failure { source: self.name.to_string(), reason: quote(reason) })
    }
}

fn built(epoch: u64) -> Option<Timestamp> {
    i64::try_from(epoch).ok().and_then(|seconds| Timestamp::from_second(seconds).ok())
}

/// What reading the whole file showed.
#[derive(Default)]
struct Walk {
    networks: u64,
    unreadable: u64,
    first_failure: Option<String>,
}

/// Visits every network and decodes every distinct record. The reader's own `verify` is stricter about metadata and
/// stops there for files with an empty description, of which there are many good ones; this does not.
///
/// Nodes that point at each other make a small file a nearly endless tree, so the walk ends at the first error and
/// at three leaves a node (a sound tree has one more leaf than nodes; aliases add some), empty leaves counted.
fn walk(reader: &Reader<Bytes>) -> Walk {
    let mut walk = Walk::default();
    let most = (reader.metadata().node_count as usize).saturating_mul(3).saturating_add(2);
    let mut decoded = HashSet::new();
    let networks = match reader.networks(WithinOptions::default().include_networks_without_data()) {
        Ok(networks) => networks,
        Err(error) => {
            walk.failed(error);
            return walk;
        }
    };
    for (leaves, network) in networks.enumerate() {
        let record = match network {
            Ok(record) if leaves < most => record,
            Ok(_) => {
                walk.failed("the search tree has more leaves than its nodes can have");
                return walk;
            }
            Err(error) => {
                walk.failed(error);
                return walk;
            }
        };
        let Some(offset) = record.offset() else { continue };
        walk.networks += 1;
        if decoded.insert(offset)
            && let Err(error) = record.decode::<IgnoredAny>()
        {
            walk.failed(error);
        }
    }
    walk
}

impl Walk {
    fn failed(&mut self, error: impl std::fmt::Display) {
        self.unreadable += 1;
        self.first_failure.get_or_insert_with(|| quote(error));
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
