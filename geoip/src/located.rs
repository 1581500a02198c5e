//! What a look-up gives: a place and a network.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use crate::{Known, Scope};

/// Looks addresses up. [`Atlas`](crate::Atlas) reads files, [`FixtureGeo`](crate::FixtureGeo) a table in a test.
pub trait GeoLookup: Send + Sync {
    /// Everything known about the address. Never fails as a whole: each field says what is known of it.
    fn locate(&self, ip: IpAddr) -> Located;
}

/// Everything known about one address.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// Where it is.
    pub place: Known<Place>,
    /// Whose it is.
    pub network: Network,
}

/// A point with an uncertainty, and the names of what is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// ISO 3166-1 alpha-2.
    pub country: Country2,
    /// The first subdivision as the database writes it: `ENG` in MaxMind's layout, `California` in the flat one.
    pub region: Option<String>,
    /// The city's English name.
    pub city: Option<String>,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// How far from the point the address may be, in kilometres.
    ///
    /// For [`Precision::Country`] the whole country lies inside. For [`Precision::City`] it is the database's own
    /// accuracy radius, which MaxMind defines as holding two thirds of the addresses, not all of them.
    pub radius_km: f64,
    /// IANA name: the database's, or the country's if the country has only one.
    pub time_zone: Option<String>,
    /// What the point stands for.
    pub precision: Precision,
    /// The database that said so: its `database_type`, or the name of the bundled file.
    pub source: Arc<str>,
    /// SHA-256 of that database's bytes, in hexadecimal: what an audit entry keeps.
    pub digest: Arc<str>,
}

/// What the point of a [`Place`] stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// The middle of the country's largest part.
    Country,
    /// A position below the level of the country.
    City,
}

/// Two capital letters, as in ISO 3166-1 alpha-2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country2([u8; 2]);

/// The text is not two ASCII letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a country code: two letters of ISO 3166-1, such as `NZ`")]
pub struct NotACountry(String);

impl Country2 {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        // Invariant: both bytes are ASCII letters, so the text is always valid.
        std::str::from_utf8(&self.0).unwrap_or("ZZ")
    }
}

impl FromStr for Country2 {
    type Err = NotACountry;

    fn from_str(text: &str) -> Result<Country2, NotACountry> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Country2([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => Err(NotACountry(text.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for Country2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose the address is, and what kind of network it belongs to.
///
/// The flags are listings. `Found(false)` means "a source that lists such networks does not list this one", no more.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Public, or why not. Nothing else is known of an address that is not public.
    pub scope: Scope,
    /// Autonomous system number.
    pub asn: Known<u32>,
    /// The organisation that runs the autonomous system.
    pub as_org: Known<String>,
    /// A data centre or cloud, rather than a home, office or phone.
    pub hosting: Known<bool>,
    /// The exit of a VPN or of a privacy relay (Apple Private Relay counts; `provider` tells them apart).
    pub vpn: Known<bool>,
    /// A Tor exit.
    pub tor: Known<bool>,
    /// Who runs the hosting, VPN or Tor service, if a source names it.
    pub provider: Known<String>,
}

impl Network {
    /// A network of which only the scope is known.
    pub fn unknown(scope: Scope) -> Network {
        Network {
            scope,
            asn: Known::Absent,
            as_org: Known::Absent,
            hosting: Known::Absent,
            vpn: Known::Absent,
            tor: Known::Absent,
            provider: Known::Absent,
        }
    }

    /// True if the person is likely elsewhere than the address: a Tor exit, a VPN, or a data centre.
    pub fn hides_position(&self) -> bool {
        [&self.hosting, &self.vpn, &self.tor].into_iter().any(|flag| *flag == Known::Found(true))
    }
}
