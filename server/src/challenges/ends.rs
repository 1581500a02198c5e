//! What lies between the two ends of a claim, for the policies. What is not known well is left out: rules say what that means.

use std::net::IpAddr;
use std::sync::Arc;

use engine::codes::Country;
use engine::maybe::Maybe;
use engine::signals::NetworkFacts;
use engine::travel;
use engine::value::{GeoFix, Precision};
use geoip::Atlas;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Map, Value, json};

use crate::enrich;
use crate::store::Site;

/// A distance is told if it is known to so many kilometres.
const SURE_KM: u32 = 200;
/// A terminal stands within this of where its administrator says.
const SITE_RADIUS_KM: f64 = 0.1;

/// The fields `origin_ip`, `origin_asn`, `origin_country`, `same_country` and `origin_distance` of a claim. The screen is at
/// `site`, if it is a terminal of which that is registered, and otherwise where its address is.
pub fn between(phone: IpAddr, screen: Option<IpAddr>, site: Option<&Site>, atlas: &Atlas) -> Map<String, Value> {
    let mut fields = Map::new();
    let (phone, screen) = (phone.to_canonical(), screen.map(|ip| ip.to_canonical()));
    let (phone_place, phone_network) = enrich::place_of(phone, atlas);
    let mut hidden = hides(&phone_network);
    let mut origin = End::default();
    if let Some(screen) = screen {
        let (place, network) = enrich::place_of(screen, atlas);
        fields.insert("origin_ip".to_owned(), json!(screen.to_string()));
        if let Maybe::Known(asn) = network.asn {
            fields.insert("origin_asn".to_owned(), json!(asn));
        }
        let place = place.known().cloned();
        origin = End { country: place.as_ref().map(|place| place.country), place };
        // A shop's own line may end in a data centre; where the shop is, its administrator knows.
        hidden |= hides(&network) && site.is_none();
    }
    if let Some(site) = site {
        origin = end_of(site, origin);
    }
    if let Some(country) = origin.country {
        fields.insert("origin_country".to_owned(), json!(country.to_string()));
    }
    // Where an exit of Tor, a VPN or a hosting network is says nothing of who is behind it.
    if hidden {
        return fields;
    }
    if Some(phone) == screen {
        fields.insert("same_country".to_owned(), json!(true));
        fields.insert("origin_distance".to_owned(), json!(0));
        return fields;
    }
    let Maybe::Known(phone) = phone_place else { return fields };
    if let Some(country) = origin.country {
        fields.insert("same_country".to_owned(), json!(phone.country == country));
    }
    if let Some(place) = origin.place
        && let Some(km) = travel::distance(&phone, &place).known().and_then(|km| least_km(km.lo?, km.hi?))
    {
        fields.insert("origin_distance".to_owned(), json!(km));
    }
    fields
}

/// Where the screen is.
#[derive(Default)]
struct End {
    country: Option<Country>,
    place: Option<Arc<GeoFix>>,
}

/// Where a registered terminal stands; its address says the rest, but no position in another country.
fn end_of(site: &Site, by_address: End) -> End {
    let Some(country) = site.place.country.as_deref().and_then(Country::parse) else { return by_address };
    let fix = site.position.and_then(|(lat, lon)| {
        Some(Arc::new(GeoFix {
            country,
            region: site.place.region.as_deref().map(Arc::from),
            city: site.place.city.as_deref().map(Arc::from),
            lat: lat.to_f64()?,
            lon: lon.to_f64()?,
            radius_km: SITE_RADIUS_KM,
            time_zone: None,
            precision: Precision::City,
            source: "terminal".into(),
            digest: "".into(),
        }))
    });
    let place = fix.or_else(|| by_address.place.filter(|place| place.country == country));
    End { country: Some(country), place }
}

/// The least distance in whole kilometres, if it is known well enough to be told.
fn least_km(least: Decimal, most: Decimal) -> Option<u64> {
    let sure = most - least <= Decimal::from(SURE_KM);
    sure.then(|| u64::try_from(least.trunc()).ok()).flatten()
}

fn hides(network: &NetworkFacts) -> bool {
    [&network.tor, &network.vpn, &network.hosting].into_iter().any(|fact| *fact == Maybe::Known(true))
}

#[cfg(test)]
mod tests {
    use challenge::state::OriginPlace;

    use super::*;

    fn told(phone: &str, screen: Option<&str>, site: Option<&Site>) -> Value {
        let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
        Value::Object(between(parse(phone), screen.map(parse), site, &Atlas::bundled()))
    }

    fn site(country: &str, position: Option<(&str, &str)>) -> Site {
        let degrees = |text: &str| text.parse().expect("a number");
        let place = OriginPlace { country: Some(country.to_owned()), ..OriginPlace::default() };
        Site { place, position: position.map(|(lat, lon)| (degrees(lat), degrees(lon))) }
    }

    #[test]
    fn what_lies_between_two_ends_is_told_as_far_as_it_is_known() {
        assert_eq!(told("81.2.69.142", None, None), json!({}));
        assert_eq!(told("127.0.0.1", Some("::ffff:127.0.0.1"), None), {
            json!({"origin_ip": "127.0.0.1", "same_country": true, "origin_distance": 0})
        });
        let apart = told("81.2.69.142", Some("8.8.8.8"), None);
        assert_eq!((&apart["origin_country"], &apart["origin_ip"]), (&json!("US"), &json!("8.8.8.8")), "{apart}");
        // Country-level data never says how far.
        assert_eq!(apart.get("origin_distance"), None, "{apart}");
    }

    #[test]
    fn a_terminal_is_where_its_administrator_says() {
        // The phone is British; the address of the screen is American, which the register overrules.
        let london = site("GB", Some(("51.5", "-0.1")));
        let told_of = told("81.2.69.142", Some("8.8.8.8"), Some(&london));
        assert_eq!(told_of["origin_country"], "GB", "{told_of}");
        assert_eq!(told_of["same_country"], true, "{told_of}");
        let without_position = told("81.2.69.142", Some("8.8.8.8"), Some(&site("FR", None)));
        assert_eq!(without_position["same_country"], false, "{without_position}");
        assert_eq!(
            without_position.get("origin_distance"),
            None,
            "an American position says nothing of a French place"
        );
        assert_eq!(told("81.2.69.142", None, Some(&london))["same_country"], true, "without any address of its own");
        assert_eq!(told("81.2.69.142", Some("8.8.8.8"), Some(&Site::default()))["origin_country"], "US");
    }

    #[test]
    fn a_distance_is_the_least_there_can_be_and_told_if_it_is_known_to_200_km() {
        let km = |least: &str, most: &str| least_km(least.parse().expect("a number"), most.parse().expect("a number"));
        assert_eq!(km("512.9", "700"), Some(512));
        assert_eq!(km("0", "200"), Some(0));
        assert_eq!(km("0", "200.001"), None);
    }
}
