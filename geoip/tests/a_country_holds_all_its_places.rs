//! The table of countries against sources it was not made from.

use std::collections::BTreeSet;

use geoip::{Atlas, Country2, countries, country};

/// Where the time zone database puts a place of each zone: coordinates by other hands than Natural Earth's.
const ZONES: &str = include_str!("../data/zone.tab");
const ISO: &str = include_str!("../data/iso3166.tab");

fn haversine_km(a: (f64, f64), b: (f64, f64)) -> f64 {
    let ((lat_a, lon_a), (lat_b, lon_b)) = ((a.0.to_radians(), a.1.to_radians()), (b.0.to_radians(), b.1.to_radians()));
    let h = ((lat_b - lat_a) / 2.0).sin().powi(2) + lat_a.cos() * lat_b.cos() * ((lon_b - lon_a) / 2.0).sin().powi(2);
    2.0 * 6371.0088 * h.sqrt().min(1.0).asin()
}

/// ISO 6709: `+5130-00007` or `+404251-0740023`.
fn degrees(text: &str) -> f64 {
    let (sign, digits) = text.split_at(1);
    let seconds = match digits.len() {
        4 | 5 => format!("{digits}00"),
        _ => digits.to_owned(),
    };
    let (rest, s) = seconds.split_at(seconds.len() - 2);
    let (d, m) = rest.split_at(rest.len() - 2);
    let [d, m, s] = [d, m, s].map(|part| part.parse::<f64>().expect("digits"));
    (d + m / 60.0 + s / 3600.0) * if sign == "-" { -1.0 } else { 1.0 }
}

#[test]
fn every_zone_of_a_country_lies_inside_its_radius() {
    let mut outside = Vec::new();
    let mut tried = 0;
    for line in ZONES.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        let at = cells[1][1..].find(['+', '-']).expect("two numbers") + 1;
        let point = (degrees(&cells[1][..at]), degrees(&cells[1][at..]));
        let row = country(cells[0].parse().expect("a code")).unwrap_or_else(|| panic!("no row for {}", cells[0]));
        let km = haversine_km((row.lat, row.lon), point);
        if km > row.radius_km {
            outside.push(format!("{} {} is {km:.0} km away, radius {}", cells[0], cells[2], row.radius_km));
        }
        tried += 1;
    }
    assert!(tried > 400, "zone.tab was not read");
    assert_eq!(outside, Vec::<String>::new());
}

#[test]
fn no_radius_is_smaller_than_a_disc_of_the_countrys_area() {
    for row in countries() {
        let disc_km = (row.area_km2 / std::f64::consts::PI).sqrt();
        assert!(
            row.radius_km >= disc_km && row.radius_km <= 20_038.0,
            "{}: {} km, disc {disc_km:.0}",
            row.code,
            row.radius_km
        );
        assert!((-90.0..=90.0).contains(&row.lat) && (-180.0..=180.0).contains(&row.lon), "{}", row.code);
    }
}

#[test]
fn the_codes_are_those_of_iso_3166_and_kosovo() {
    let iso = ISO.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split('\t').next());
    let expected: BTreeSet<Country2> = iso.chain(["XK"]).map(|code| code.parse().expect("a code")).collect();
    let codes: Vec<Country2> = countries().iter().map(|row| row.code).collect();
    assert_eq!(codes, expected.into_iter().collect::<Vec<_>>(), "sorted, each once");
}

/// The least distance two country-level fixes prove: what `speed(...)` may count on.
fn proven_km(a: &str, b: &str) -> f64 {
    let atlas = Atlas::bundled();
    let [a, b] = [a, b].map(|ip| {
        atlas.locate(ip.parse().expect("an address")).place.found().unwrap_or_else(|| panic!("{ip} has no country"))
    });
    (haversine_km((a.lat, a.lon), (b.lat, b.lon)) - a.radius_km - b.radius_km).max(0.0)
}

#[test]
fn a_far_country_proves_a_journey_and_a_large_one_does_not() {
    let (london, sydney, new_york, toronto) = ("81.2.69.142", "129.78.5.8", "128.59.105.24", "142.150.1.1");
    assert!(proven_km(london, sydney) > 10_000.0, "{}", proven_km(london, sydney));
    assert_eq!(proven_km(london, new_york), 0.0, "Kure Atoll is as far from Kansas as London is");
    assert_eq!(proven_km(new_york, toronto), 0.0);
    assert_eq!(proven_km(sydney, sydney), 0.0);
}
