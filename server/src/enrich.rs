//! What we know about an event beside what the backend said: where its address is, and who the user is.
//!
//! Only what the pack reads is looked up. A source that fails gives an unknown, never an error and never a guess.

use std::net::IpAddr;
use std::sync::Arc;

use engine::codes::Country;
use engine::event::Event;
use engine::maybe::{Maybe, Why};
use engine::program::Needs;
use engine::signals::{Located, NetworkFacts, UserFacts};
use engine::value::{GeoFix, Precision};
use geoip::{Atlas, Known};
use jiff::Timestamp;
use serde_json::Value;

use crate::store::{User, UserDevice};

/// Puts the event on the map.
pub fn locate(event: Arc<Event>, ip: Option<IpAddr>, atlas: &Atlas, needs: &Needs, user: UserFacts) -> Located {
    let (place, network) = match ip {
        Some(ip) if needs.geo || needs.network => place_of(ip, atlas),
        Some(_) | None => (Maybe::Unknown(Why::Absent), NetworkFacts::default()),
    };
    Located::new(event, place, network, user)
}

/// What the atlas says of an address, in the engine's words.
pub fn place_of(ip: IpAddr, atlas: &Atlas) -> (Maybe<Arc<GeoFix>>, NetworkFacts) {
    let located = atlas.locate(ip);
    let network = NetworkFacts {
        asn: maybe(located.network.asn),
        as_org: maybe(located.network.as_org).map(|name| normal(&name)),
        hosting: maybe(located.network.hosting),
        vpn: maybe(located.network.vpn),
        tor: maybe(located.network.tor),
    };
    (maybe(located.place).and_then(fix), network)
}

fn fix(place: geoip::Place) -> Maybe<Arc<GeoFix>> {
    // A code that the engine's table does not have is a look-up gone wrong, not a missing country.
    let Some(country) = Country::parse(place.country.as_str()) else { return Maybe::Unknown(Why::LookupFailed) };
    Maybe::Known(Arc::new(GeoFix {
        country,
        region: place.region.as_deref().map(normal),
        city: place.city.as_deref().map(normal),
        lat: place.lat,
        lon: place.lon,
        radius_km: place.radius_km,
        time_zone: place.time_zone.map(Arc::from),
        precision: match place.precision {
            geoip::Precision::City => Precision::City,
            geoip::Precision::Country => Precision::Country,
        },
        source: place.source,
        digest: place.digest,
    }))
}

/// A database's text as the texts of events and rules are.
fn normal(text: &str) -> Arc<str> {
    engine::decode::text(text).into()
}

fn maybe<T>(known: Known<T>) -> Maybe<T> {
    match known {
        Known::Found(value) => Maybe::Known(value),
        Known::Absent => Maybe::Unknown(Why::Absent),
        Known::Failed(_) => Maybe::Unknown(Why::LookupFailed),
    }
}

/// What the server tells an event about the device it came from, where the pack declares a `bool` field of this name:
/// whether the user is remembered on it, and whether it was taken back.
pub fn device_fact(field: &str, device: Option<&UserDevice>, now: Timestamp) -> Option<bool> {
    match field {
        "device_remembered" => Some(device.is_some_and(|device| device.is_remembered(now))),
        "device_invalidated" => Some(device.is_some_and(|device| device.invalidated_at.is_some())),
        _ => None,
    }
}

/// Where in a user's `custom` their home country stands.
pub const HOME_COUNTRY: [&str; 2] = ["homeCountry", "home_country"];
/// Where their time zone stands.
pub const TIME_ZONE: [&str; 2] = ["timeZone", "tz"];

/// What rules may know about a user: their `custom` attributes `homeCountry` and `timeZone`.
pub fn user_facts(user: Option<&User>) -> UserFacts {
    let custom = user.and_then(|user| user.attributes.custom.as_deref());
    let Some(Value::Object(custom)) = custom.and_then(|text| serde_json::from_str(text).ok()) else {
        return UserFacts::default();
    };
    let text = |names: &[&str]| names.iter().find_map(|name| custom.get(*name)?.as_str());
    UserFacts {
        home_country: Maybe::from(text(&HOME_COUNTRY).and_then(Country::parse)),
        tz: Maybe::from(text(&TIME_ZONE).map(Arc::from)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_places_are_normalised_like_the_rules_that_ask_for_them() {
        let place = geoip::Place {
            country: "NZ".parse().expect("a country"),
            region: Some(" Wai\u{304}pukurau ".to_owned()),
            city: Some("Wha\u{304}nga\u{304}rei".to_owned()),
            lat: -35.7,
            lon: 174.3,
            radius_km: 20.0,
            time_zone: None,
            precision: geoip::Precision::City,
            source: "test".into(),
            digest: "test".into(),
        };
        let Maybe::Known(fix) = fix(place) else { panic!("the country exists") };
        assert_eq!((fix.city.as_deref(), fix.region.as_deref()), (Some("Whāngārei"), Some("Waīpukurau")));
    }
}
