//! Which fields a database has: first what its type promises, then what its records hold.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use maxminddb::{LookupResult, MaxMindDbError, PathElement, Reader, WithinOptions, path};
use serde::de::IgnoredAny;

use crate::fields::{Bytes, quote};
use crate::number::Number;

/// Networks read from the start of the file, and addresses looked up across it.
const WALKED: usize = 2_000;
const LEAVES: usize = 20_000;
const SPREAD: u32 = 1_024;
/// One failure in ten sampled networks, and the file is refused.
const TOLERATED: usize = 10;

/// What a database can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Layout {
    pub place: Option<PlaceLayout>,
    pub asn: Option<Prefix>,
    pub flags: Option<Prefix>,
}

/// How a record writes a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlaceLayout {
    /// MaxMind's: `country.iso_code`, `city.names.en`, `location.latitude`. `fine` if any record has a location.
    Nested { fine: bool },
    /// ip-location-db's: `country_code`, `city`, `latitude`. `fine` if any record has a latitude.
    Flat { fine: bool },
}

/// Where a record keeps a group of fields: at the top, or under `traits` as GeoIP2-Enterprise does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefix {
    Top,
    Traits,
}

impl Prefix {
    pub fn path<'a>(self, field: &'a str) -> Vec<PathElement<'a>> {
        match self {
            Prefix::Top => vec![PathElement::Key(field)],
            Prefix::Traits => vec![PathElement::Key("traits"), PathElement::Key(field)],
        }
    }
}

/// What the sample showed.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    pub tried: usize,
    pub failed: usize,
    pub first_failure: Option<String>,
    /// Records whose position cannot be read, though their country can.
    pub positions_lost: usize,
    /// Top-level field names, at most twelve.
    pub fields: Vec<String>,
    pub layout: Layout,
}

impl Sample {
    pub fn is_damaged(&self) -> bool {
        self.failed * TOLERATED > self.tried
    }

    fn failure(&mut self, what: impl std::fmt::Display) {
        self.failed += 1;
        self.first_failure.get_or_insert_with(|| quote(what));
    }
}

/// The field a database of this type always has, by the words of its `database_type`; `None` for an unknown type.
///
/// A mismatch is refused: it is the wrong file under a known name, and half an answer from it would look whole.
pub(crate) fn promised(database_type: &str) -> Option<&'static str> {
    let words: BTreeSet<String> =
        database_type.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_lowercase).collect();
    let says = |word: &str| words.contains(word);
    let nested = says("geoip2") || says("geolite2") || says("dbip");
    match () {
        () if says("anonymous") => Some("is_anonymous_vpn"),
        () if says("asn") || says("isp") => Some("autonomous_system_number"),
        () if nested && (says("city") || says("country") || says("enterprise")) => Some("country.iso_code"),
        () if says("city") || says("country") => Some("country_code"),
        () => None,
    }
}

impl Layout {
    pub fn is_empty(self) -> bool {
        self == Layout::default()
    }

    /// True if the field that the type promises was seen.
    pub fn keeps(self, promise: &str) -> bool {
        match promise {
            "is_anonymous_vpn" => self.flags.is_some(),
            "autonomous_system_number" => self.asn.is_some(),
            "country.iso_code" => matches!(self.place, Some(PlaceLayout::Nested { .. })),
            "country_code" => matches!(self.place, Some(PlaceLayout::Flat { .. })),
            _ => true,
        }
    }
}

/// Reads networks from the start of the file and addresses spread over it, and notes the fields they have.
pub(crate) fn sample(reader: &Reader<Bytes>) -> Sample {
    let mut sample = Sample::default();
    let mut seen = Seen::default();

    // Empty leaves are counted too, or a damaged tree without a single record could be walked for ever.
    match reader.networks(WithinOptions::default().include_networks_without_data()) {
        Ok(networks) => {
            for network in networks.take(LEAVES) {
                look_at(network, &mut sample, &mut seen);
                if sample.tried == WALKED {
                    break;
                }
            }
        }
        Err(error) => {
            sample.tried += 1;
            sample.failure(error);
        }
    }
    for address in spread(reader.metadata().ip_version) {
        look_at(reader.lookup(address), &mut sample, &mut seen);
    }

    sample.fields = seen.names.iter().take(12).cloned().collect();
    sample.layout = seen.layout();
    sample
}

/// Addresses at even steps through the unicast space of the families the file covers.
fn spread(ip_version: u16) -> impl Iterator<Item = IpAddr> {
    let four = (0..SPREAD).map(|i| IpAddr::V4(Ipv4Addr::from_bits(i << 22)));
    let six = (0..SPREAD).filter(move |_| ip_version == 6);
    four.chain(six.map(|i| IpAddr::V6(Ipv6Addr::from_bits((0x2000_u128 << 112) | (u128::from(i) << 115)))))
}

/// The numbers of a MaxMind `location`, to see whether they can be read.
#[derive(serde::Deserialize)]
#[allow(dead_code, reason = "read for the errors alone")]
struct Position {
    latitude: Option<Number>,
    longitude: Option<Number>,
    accuracy_radius: Option<Number>,
}

#[derive(Default)]
struct Seen {
    names: BTreeSet<String>,
    nested: bool,
    nested_fine: bool,
    flat: bool,
    flat_fine: bool,
    asn: Option<Prefix>,
    flags: Option<Prefix>,
}

impl Seen {
    fn layout(&self) -> Layout {
        let place = match (self.nested, self.flat) {
            (true, _) => Some(PlaceLayout::Nested { fine: self.nested_fine }),
            (false, true) => Some(PlaceLayout::Flat { fine: self.flat_fine }),
            (false, false) => None,
        };
        Layout { place, asn: self.asn, flags: self.flags }
    }
}

fn look_at(looked_up: Result<LookupResult<'_, Bytes>, MaxMindDbError>, sample: &mut Sample, seen: &mut Seen) {
    let record = match looked_up {
        Ok(record) if record.has_data() => record,
        Ok(_) => return,
        Err(error) => {
            sample.tried += 1;
            return sample.failure(error);
        }
    };
    sample.tried += 1;
    // Names first; a record that breaks off inside one value still shows its other fields below.
    if let Ok(Some(names)) = record.decode::<BTreeMap<String, IgnoredAny>>() {
        seen.names.extend(names.into_keys().map(quote));
    }
    let (mut read, mut broken) = (false, None);
    let mut has = |path: &[PathElement<'_>]| match record.decode_path::<IgnoredAny>(path) {
        Ok(value) => {
            read = true;
            value.is_some()
        }
        Err(error) => {
            broken.get_or_insert(error);
            false
        }
    };
    seen.nested |= has(&path!["country", "iso_code"]);
    // Present is enough: a database whose first locations are broken is still a city database.
    match record.decode_path::<Position>(&path!["location"]) {
        Ok(None) => {}
        Ok(Some(_)) => seen.nested_fine = true,
        Err(_) => {
            seen.nested_fine = true;
            sample.positions_lost += 1;
        }
    }
    seen.flat |= has(&path!["country_code"]);
    seen.flat_fine |= has(&path!["latitude"]);
    for prefix in [Prefix::Top, Prefix::Traits] {
        if seen.asn.is_none() && has(&prefix.path("autonomous_system_number")) {
            seen.asn = Some(prefix);
        }
        for flag in ["is_anonymous_vpn", "is_tor_exit_node", "is_hosting_provider"] {
            if seen.flags.is_none() && has(&prefix.path(flag)) {
                seen.flags = Some(prefix);
            }
        }
    }
    // A path that stops at another type than expected is no damage (a city may be a string, a record may be a text).
    if let (false, Some(error)) = (read, broken)
        && record.decode::<IgnoredAny>().is_err()
    {
        sample.failure(error);
    }
}
