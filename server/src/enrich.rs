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
        as_org: maybe(located.network.as_org).map(Arc::from),
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
        region: place.region.map(Arc::from),
        city: place.city.map(Arc::from),
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

/// What rules may know about a user: their `custom` attributes `homeCountry` and `timeZone`.
pub fn user_facts(user: Option<&User>) -> UserFacts {
    let custom = user.and_then(|user| user.attributes.custom.as_deref());
    let Some(Value::Object(custom)) = custom.and_then(|text| serde_json::from_str(text).ok()) else {
        return UserFacts::default();
    };
    let text = |names: [&str; 2]| names.into_iter().find_map(|name| custom.get(name)?.as_str());
    UserFacts {
        home_country: Maybe::from(text(["homeCountry", "home_country"]).and_then(Country::parse)),
        tz: Maybe::from(text(["timeZone", "tz"]).map(Arc::from)),
    }
}
