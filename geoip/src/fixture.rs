//! A table of addresses, for tests that want a certain answer.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::located::{Country2, GeoLookup, Located, Network, Place, Precision};
use crate::{Known, Scope, canonical};

/// Answers from a table; the most specific network wins, an address outside all of them is [`Known::Absent`].
///
/// ```
/// use geoip::{FixtureGeo, GeoLookup};
/// let geo = FixtureGeo::new().at("192.0.2.0/24".parse()?, "NZ".parse()?, -36.85, 174.76, 20.0);
/// let place = geo.locate("192.0.2.7".parse()?).place.found().expect("in the table");
/// assert_eq!(place.country.as_str(), "NZ");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct FixtureGeo(Vec<(IpNet, Located)>);

impl FixtureGeo {
    /// An empty table.
    pub fn new() -> FixtureGeo {
        FixtureGeo::default()
    }

    /// Adds a network at a point. It is public, whatever the tables of special ranges say, and listed nowhere.
    pub fn at(self, network: IpNet, country: Country2, lat: f64, lon: f64, radius_km: f64) -> FixtureGeo {
        let place = Place {
            country,
            region: None,
            city: None,
            lat,
            lon,
            radius_km,
            time_zone: None,
            precision: Precision::City,
            source: "fixture".into(),
            digest: "fixture".into(),
        };
        let unlisted = Network {
            hosting: Known::Found(false),
            vpn: Known::Found(false),
            tor: Known::Found(false),
            ..Network::unknown(Scope::Public)
        };
        self.with(network, Located { place: Known::Found(place), network: unlisted })
    }

    /// Adds a network with any answer, a failure included.
    pub fn with(mut self, network: IpNet, located: Located) -> FixtureGeo {
        self.0.push((network, located));
        self
    }
}

impl GeoLookup for FixtureGeo {
    fn locate(&self, ip: IpAddr) -> Located {
        let ip = canonical(ip);
        let row =
            self.0.iter().filter(|(network, _)| network.contains(&ip)).max_by_key(|(network, _)| network.prefix_len());
        match row {
            Some((_, located)) => located.clone(),
            None => Located { place: Known::Absent, network: Network::unknown(Scope::of(ip)) },
        }
    }
}
