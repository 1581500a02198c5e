//! The data that comes with the program; `geoip/data/README.md` says what it is and what it cannot tell.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use crate::layout::{Layout, PlaceLayout};
use crate::mmdb::Mmdb;
use crate::ranges::RangeList;

const COUNTRY_NAME: &str = "iptoasn-country";
const COUNTRY_BYTES: &[u8] = include_bytes!("../data/iptoasn-country.mmdb");
pub(crate) const COUNTRY_LICENCE: &str = "PDDL-1.0";
/// Counting walks the whole file; a test counts and compares.
const COUNTRY_NETWORKS: u64 = 400_859;
const COUNTRY_LAYOUT: Layout = Layout { place: Some(PlaceLayout::Flat { fine: false }), asn: None, flags: None };

const RANGES_NAME: &str = "hosting_vpn_tor_2026-10-05.csv";
const RANGES_TEXT: &str = include_str!("../data/hosting_vpn_tor_2026-10-05.csv");
pub(crate) const RANGES_LICENCE: &str = "operators' own feeds and CC0-1.0";

/// The country database. `None` cannot happen with the file of this repository; a test opens it.
pub(crate) fn country() -> Option<Arc<Mmdb>> {
    static COUNTRY: LazyLock<Option<Arc<Mmdb>>> = LazyLock::new(|| {
        Mmdb::embedded(COUNTRY_NAME, COUNTRY_BYTES, COUNTRY_LAYOUT, COUNTRY_NETWORKS).ok().map(Arc::new)
    });
    COUNTRY.clone()
}

/// The range list, parsed once a process.
pub(crate) fn ranges() -> Option<Arc<RangeList>> {
    static RANGES: LazyLock<Option<Arc<RangeList>>> =
        LazyLock::new(|| RangeList::parse(Path::new(RANGES_NAME), RANGES_TEXT).ok().map(Arc::new));
    RANGES.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program takes for granted about its own files is what they hold.
    #[test]
    fn the_bundled_country_file_is_what_the_constants_say() {
        let file = Mmdb::open(Path::new(COUNTRY_NAME), COUNTRY_BYTES.to_vec(), true).expect("a good file");
        assert_eq!(file.layout, COUNTRY_LAYOUT);
        assert_eq!(file.networks, Some(COUNTRY_NETWORKS));
        assert_eq!(file.built.map(|built| built.to_string()).as_deref(), Some("2026-06-17T19:54:21Z"));
        assert_eq!(Some(&file.digest), country().map(|embedded| embedded.digest.clone()).as_ref());
    }

    #[test]
    fn every_line_of_the_bundled_ranges_is_taken() {
        let list = ranges().expect("a good list");
        let lines = RANGES_TEXT.lines().filter(|line| !line.starts_with(['#', 'c'])).count();
        assert_eq!(list.ranges, lines as u64);
        assert!(list.built.is_some(), "the list must say its date");
    }
}
