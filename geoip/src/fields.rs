//! One field of one record: found, absent, or broken alone.

use std::borrow::Cow;

use maxminddb::{LookupResult, PathElement, path};
use serde::Deserialize;

use crate::countries::{ANYWHERE_KM, country};
use crate::layout::{Layout, PlaceLayout, Prefix};
use crate::located::{Country2, Network, Place, Precision};
use crate::mmdb::Mmdb;
use crate::number::Number;
use crate::{Failure, Known, Scope};

/// The bytes of a file: embedded, or read into memory.
pub(crate) type Bytes = Cow<'static, [u8]>;
pub(crate) type Record<'a> = LookupResult<'a, Bytes>;

/// A position with a city but no accuracy radius (ip-location-db never has one).
pub const CITY_RADIUS_KM: f64 = 50.0;
/// A position with a region but neither city nor accuracy radius.
pub const REGION_RADIUS_KM: f64 = 500.0;

/// Longest name taken from a database; longer ones are cut.
const NAME_CHARS: usize = 100;

/// What databases write for "somewhere in this continent", "anonymous proxy", "satellite" or "none": no country.
const NOT_COUNTRIES: [&str; 12] = ["", "-", "None", "AP", "EU", "XX", "ZZ", "A1", "A2", "A3", "O1", "T1"];

/// A foreign text, short and on one line, for a message.
pub(crate) fn quote(text: impl std::fmt::Display) -> String {
    text.to_string().chars().filter(|c| !c.is_control()).take(200).collect()
}

fn read<'a, T: Deserialize<'a>>(file: &Mmdb, record: &Record<'a>, path: &[PathElement<'_>]) -> Known<T> {
    match record.decode_path::<T>(path) {
        Ok(Some(value)) => Known::Found(value),
        Ok(None) => Known::Absent,
        Err(error) => file.failed(error),
    }
}

/// A name fit to be shown: trimmed, without control characters, not empty.
fn name(file: &Mmdb, record: &Record<'_>, path: &[PathElement<'_>]) -> Option<String> {
    let text = read::<&str>(file, record, path).found()?;
    let clean: String = text.trim().chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect();
    (!clean.is_empty()).then_some(clean)
}

/// The place a record names. The country decides: without it there is no place, whatever else can be read.
pub(crate) fn place(file: &Mmdb, record: &Record<'_>, layout: PlaceLayout) -> Known<Place> {
    let code = match layout {
        PlaceLayout::Nested { .. } => read::<&str>(file, record, &path!["country", "iso_code"]),
        PlaceLayout::Flat { .. } => read::<&str>(file, record, &path!["country_code"]),
    };
    let code = match code {
        Known::Found(text) if NOT_COUNTRIES.contains(&text) => return Known::Absent,
        Known::Found(text) => match text.parse::<Country2>() {
            Ok(code) => code,
            Err(not_a_country) => return file.failed(not_a_country),
        },
        Known::Absent => return Known::Absent,
        Known::Failed(failure) => return Known::Failed(failure),
    };
    let whole_country = at_country_level(code, file);
    Known::Found(match layout {
        PlaceLayout::Nested { fine: false } | PlaceLayout::Flat { fine: false } => whole_country,
        PlaceLayout::Nested { fine: true } => nested(file, record, whole_country),
        PlaceLayout::Flat { fine: true } => flat(file, record, whole_country),
    })
}

/// The whole country: its middle, and a radius that holds all of it.
fn at_country_level(code: Country2, file: &Mmdb) -> Place {
    let row = country(code);
    Place {
        country: code,
        region: None,
        city: None,
        // A code without a row is a real answer about the country and none about the position.
        lat: row.map_or(0.0, |row| row.lat),
        lon: row.map_or(0.0, |row| row.lon),
        radius_km: row.map_or(ANYWHERE_KM, |row| row.radius_km),
        time_zone: row.and_then(|row| row.time_zone).map(str::to_owned),
        precision: Precision::Country,
        source: file.name.clone(),
        digest: file.digest.clone(),
    }
}

/// The same address, with only its country believed.
pub(crate) fn coarsened(place: Place) -> Place {
    let row = country(place.country);
    Place {
        region: None,
        city: None,
        lat: row.map_or(0.0, |row| row.lat),
        lon: row.map_or(0.0, |row| row.lon),
        radius_km: row.map_or(ANYWHERE_KM, |row| row.radius_km),
        time_zone: row.and_then(|row| row.time_zone).map(str::to_owned),
        precision: Precision::Country,
        ..place
    }
}

fn nested(file: &Mmdb, record: &Record<'_>, whole_country: Place) -> Place {
    // One anycast address is in many places at once; MaxMind marks some of them.
    if read::<bool>(file, record, &path!["traits", "is_anycast"]) == Known::Found(true) {
        return whole_country;
    }
    let city = name(file, record, &path!["city", "names", "en"]);
    let region = name(file, record, &path!["subdivisions", 0, "iso_code"])
        .or_else(|| name(file, record, &path!["subdivisions", 0, "names", "en"]));
    let point =
        point(read(file, record, &path!["location", "latitude"]), read(file, record, &path!["location", "longitude"]));
    let radius = read::<Number>(file, record, &path!["location", "accuracy_radius"]).map(|number| number.0);
    let time_zone = name(file, record, &path!["location", "time_zone"]);
    refined(whole_country, region, city, point, radius.found(), time_zone)
}

fn flat(file: &Mmdb, record: &Record<'_>, whole_country: Place) -> Place {
    let city = name(file, record, &path!["city"]);
    let region = name(file, record, &path!["state1"]);
    let point = point(read(file, record, &path!["latitude"]), read(file, record, &path!["longitude"]));
    let time_zone = name(file, record, &path!["timezone"]);
    refined(whole_country, region, city, point, None, time_zone)
}

/// A point that can be on Earth; (0, 0) is how databases write "none".
fn point(lat: Known<Number>, lon: Known<Number>) -> Option<(f64, f64)> {
    let (Number(lat), Number(lon)) = (lat.found()?, lon.found()?);
    let on_earth = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon) && (lat, lon) != (0.0, 0.0);
    on_earth.then_some((lat, lon))
}

/// The names are kept even if the point is lost; the point counts only with a name below the country.
///
/// A city database that knows only the country gives some point in it with a radius that does not hold the country
/// (Kansas and 1,000 km for the United States). The country's own middle and reach are the honest answer then.
fn refined(
    whole_country: Place,
    region: Option<String>,
    city: Option<String>,
    point: Option<(f64, f64)>,
    radius_km: Option<f64>,
    time_zone: Option<String>,
) -> Place {
    let default_radius_km = match (&city, &region) {
        (Some(_), _) => Some(CITY_RADIUS_KM),
        (None, Some(_)) => Some(REGION_RADIUS_KM),
        (None, None) => None,
    };
    let time_zone = time_zone.or(whole_country.time_zone.clone());
    match (point, default_radius_km) {
        (Some((lat, lon)), Some(default_km)) => Place {
            region,
            city,
            lat,
            lon,
            radius_km: radius_km.filter(|km| (1.0..=ANYWHERE_KM).contains(km)).unwrap_or(default_km),
            time_zone,
            precision: Precision::City,
            ..whole_country
        },
        (None, _) | (_, None) => Place { region, city, time_zone, ..whole_country },
    }
}

/// What a record says of the network, by the groups of fields its file has.
pub(crate) fn network(file: &Mmdb, record: &Record<'_>, layout: Layout) -> Network {
    let mut network = Network::unknown(Scope::Public);
    if let Some(prefix) = layout.asn {
        network.asn = match read::<Number>(file, record, &prefix.path("autonomous_system_number")) {
            Known::Found(number) => match number.as_u32() {
                Some(asn) => Known::Found(asn),
                None => file.failed(format_args!("`{}` is no autonomous system number", number.0)),
            },
            Known::Absent => Known::Absent,
            Known::Failed(failure) => Known::Failed(failure),
        };
        network.as_org = read(file, record, &prefix.path("autonomous_system_organization"));
    }
    if let Some(prefix) = layout.flags {
        network.hosting = listed(file, record, prefix, "is_hosting_provider");
        network.vpn = listed(file, record, prefix, "is_anonymous_vpn");
        network.tor = listed(file, record, prefix, "is_tor_exit_node");
        network.provider = name(file, record, &prefix.path("provider_name")).map_or(Known::Absent, Known::Found);
    }
    network
}

/// These databases write only what is true: no such field in a record that can be read means "not listed".
fn listed(file: &Mmdb, record: &Record<'_>, prefix: Prefix, flag: &str) -> Known<bool> {
    match read::<bool>(file, record, &prefix.path(flag)) {
        Known::Found(value) => Known::Found(value),
        Known::Absent => Known::Found(false),
        Known::Failed(failure) => Known::Failed(failure),
    }
}

/// What a file that lists networks says of an address it has no record for.
pub(crate) fn unlisted(layout: Layout) -> Network {
    let mut network = Network::unknown(Scope::Public);
    if layout.flags.is_some() {
        network.hosting = Known::Found(false);
        network.vpn = Known::Found(false);
        network.tor = Known::Found(false);
    }
    network
}

/// What a file that could not be read says: of every field it may have, nothing.
pub(crate) fn unreadable(failure: &Failure, layout: Layout) -> Network {
    let mut network = Network::unknown(Scope::Public);
    if layout.asn.is_some() {
        network.asn = Known::Failed(failure.clone());
        network.as_org = Known::Failed(failure.clone());
    }
    if layout.flags.is_some() {
        network.hosting = Known::Failed(failure.clone());
        network.vpn = Known::Failed(failure.clone());
        network.tor = Known::Failed(failure.clone());
    }
    network
}
