//! Where an address is, and whose it is: from MMDB files, range lists, and a small set of data that comes along.
//!
//! ```
//! use geoip::{Atlas, Known, Precision, Scope};
//!
//! let atlas = Atlas::bundled();
//!
//! let located = atlas.locate("8.8.8.8".parse()?);
//! let place = located.place.found().expect("the bundled country file has it");
//! assert_eq!(place.country.as_str(), "US");
//! assert_eq!(place.precision, Precision::Country);
//! assert!(place.radius_km > 7_000.0); // somewhere in the United States, Hawaii included
//!
//! // A Tor exit, found in the bundled ranges, and the same one written as IPv6.
//! assert_eq!(atlas.locate("185.220.101.1".parse()?).network.tor, Known::Found(true));
//! assert_eq!(atlas.locate("::ffff:185.220.101.1".parse()?).network.tor, Known::Found(true));
//!
//! // No database is asked about an address that is not public.
//! let at_home = atlas.locate("192.168.1.20".parse()?);
//! assert_eq!((at_home.place, at_home.network.scope), (Known::Absent, Scope::Private));
//! # Ok::<(), std::net::AddrParseError>(())
//! ```
//!
//! Three promises, kept by the tests in `geoip/tests`:
//!
//! - **An error is unknown.** A record that cannot be read is [`Known::Failed`], never [`Known::Absent`] and never an
//!   empty country. Each field is read alone, so a broken coordinate does not cost the country.
//! - **A file is probed, not trusted.** What a file can answer is decided when it is opened, from its `database_type`
//!   and its records. A file that fits no layout, or not the one it claims, is refused with what was seen and what is taken.
//! - **No input panics.** Files are read into memory, never mapped; the broken files of MaxMind's own test set and
//!   thousands of random changes to good ones are part of the tests.
//!
//! An [`Atlas`] is immutable and cheap to clone: reload by opening a new one and swapping it in.

mod known;

mod scope;

mod countries;
mod located;

mod layout;

mod fields;
mod mmdb;
mod number;

mod ranges;

mod bundled;
mod source;

mod atlas;
mod fixture;

mod open_error;

pub use atlas::{Atlas, MAX_FILE_BYTES, verify};
pub use countries::{Country, countries, country};
pub use fields::{CITY_RADIUS_KM, REGION_RADIUS_KM};
pub use fixture::FixtureGeo;
pub use known::{Failure, Known};
pub use located::{Country2, GeoLookup, Located, Network, NotACountry, Place, Precision};
pub use open_error::OpenError;
pub use scope::{Scope, SpecialRange, canonical, special_range, special_ranges};
pub use source::{Freshness, SourceInfo, SourceKind};
