//! Distances against geodesics on the ellipsoid, and journeys against what people can do.

use std::{net::IpAddr, sync::Arc};

use engine::{
    codes::Country,
    history::Snapshot,
    interval::Interval,
    maybe::{Maybe, Why},
    travel::{distance, distance_between, speed, speed_between},
    tri::Tri,
    value::{GeoFix, Precision},
};
use geographiclib_rs::{Geodesic, InverseGeodesic};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rust_decimal::{Decimal, prelude::ToPrimitive};

fn fix(lat: f64, lon: f64, radius_km: f64) -> GeoFix {
    GeoFix {
        country: Country::parse("NZ").expect("a country"),
        region: None,
        city: None,
        lat,
        lon,
        radius_km,
        time_zone: None,
        precision: Precision::City,
        source: "test".into(),
        digest: "edition 1".into(),
    }
}

fn event(time: &str, geo: GeoFix, ip: &str, asn: u32) -> Snapshot {
    let ip: IpAddr = ip.parse().expect("an address");
    Snapshot {
        time: time.parse().expect("a timestamp"),
        geo: Maybe::Known(Arc::new(geo)),
        ip: Maybe::Known(ip),
        asn: Maybe::Known(asn),
        device: Maybe::Unknown(Why::Absent),
    }
}

fn geodesic_km(a: (f64, f64), b: (f64, f64)) -> f64 {
    let metres: f64 = Geodesic::wgs84().inverse(a.0, a.1, b.0, b.1);
    metres / 1_000.0
}

/// Least and greatest, in km or km/h.
fn ends(interval: Maybe<Interval<Decimal>>) -> (f64, f64) {
    let Maybe::Known(Interval { lo: Some(lo), hi: Some(hi), .. }) = interval else { panic!("known: {interval:?}") };
    (lo.to_f64().expect("a number"), hi.to_f64().expect("a number"))
}

const LONDON: (f64, f64) = (51.5074, -0.1278);
const SYDNEY: (f64, f64) = (-33.8688, 151.2093);
const PARIS: (f64, f64) = (48.8566, 2.3522);

fn city((lat, lon): (f64, f64)) -> GeoFix {
    fix(lat, lon, 20.0)
}

#[test]
fn known_distances_lie_within_0_6_per_cent_of_the_geodesic() {
    let table = [
        (LONDON, SYDNEY),
        (LONDON, PARIS),
        ((0.0, 179.9), (0.0, -179.9)),   // across the antimeridian
        ((65.0, 180.0), (65.0, -180.0)), // the same point, written twice
        ((90.0, 0.0), (90.0, 137.0)),    // the pole has every longitude
        ((90.0, 0.0), (-90.0, 0.0)),     // from pole to pole
        ((89.9, 0.0), (89.9, 180.0)),    // across the pole
        ((0.0, 0.0), (0.0, 180.0)),      // antipodes
        ((0.0, 0.0), (0.5, 179.7)),      // nearly antipodes, where Vincenty's formula does not converge
        ((-41.29, 174.78), (-41.29, 174.78)),
        ((10.0, 10.0), (10.000_01, 10.0)), // a metre
    ];
    for (a, b) in table {
        let (lo, hi) = ends(distance(&fix(a.0, a.1, 0.0), &fix(b.0, b.1, 0.0)));
        let exact = geodesic_km(a, b);
        assert!(lo <= exact && exact <= hi, "{a:?} {b:?}: {exact} not in [{lo}, {hi}]");
        let middle = f64::midpoint(lo, hi);
        assert!((middle - exact).abs() <= exact * 0.006 + 0.002, "{a:?} {b:?}: {middle} against {exact}");
    }
}

/// `PROPTEST_CASES` says otherwise.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(20_000)
}

fn point() -> impl Strategy<Value = (f64, f64)> {
    (-90.0..=90.0_f64, -180.0..=180.0_f64)
}

/// Two points anywhere; near each other; on the two sides of the antimeridian; by a pole; nearly antipodes.
fn pair() -> impl Strategy<Value = ((f64, f64), (f64, f64))> {
    let off = (-2.0..2.0_f64, -2.0..2.0_f64);
    let lat = |lat: f64| lat.clamp(-90.0, 90.0);
    prop_oneof![
        4 => (point(), point()),
        2 => (point(), off.clone()).prop_map(move |(a, off)| (a, (lat(a.0 + off.0), a.1 + off.1))),
        1 => (point(), off.clone()).prop_map(move |(a, off)| ((a.0, 180.0 - off.0.abs()), (lat(a.0 + off.0), off.1.abs() - 180.0))),
        1 => (point(), off.clone(), -180.0..180.0_f64)
            .prop_map(|(a, off, lon)| ((90.0 - off.0.abs(), a.1), ((90.0 - off.1.abs()).copysign(a.0), lon))),
        1 => (point(), off).prop_map(move |(a, off)| (a, (lat(off.0 - a.0), a.1 - 180.0_f64.copysign(a.1) + off.1))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn every_distance_and_speed_lies_within_0_6_per_cent_of_the_geodesic((a, b) in pair(), seconds in 0..1_000_000_i64) {
        let exact = geodesic_km(a, b);
        let (lo, hi) = ends(distance(&fix(a.0, a.1, 0.0), &fix(b.0, b.1, 0.0)));
        // Two metres for what is rounded outward.
        let about = |value: f64, exact: f64, rounded: f64| (value - exact).abs() <= exact * 0.006 + rounded;
        prop_assert!(lo <= exact + 1e-6 && exact <= hi + 1e-6, "{} not in [{}, {}]", exact, lo, hi);
        prop_assert!(about(f64::midpoint(lo, hi), exact, 0.002), "[{}, {}] against {}", lo, hi, exact);
        let one = event("2026-03-01T10:00:00Z", fix(a.0, a.1, 0.0), "198.51.100.1", 1);
        let mut other = event("2026-03-01T10:00:00Z", fix(b.0, b.1, 0.0), "203.0.113.1", 2);
        other.time += SignedDuration::from_secs(seconds);
        let fast = exact / (seconds.max(60) as f64 / 3_600.0);
        for (from, to) in [(&one, &other), (&other, &one)] {
            let (lo, hi) = ends(speed_between(from, to));
            prop_assert!(lo <= fast + 1e-3 && fast <= hi + 1e-3, "{} not in [{}, {}]", fast, lo, hi);
            prop_assert!(about(f64::midpoint(lo, hi), fast, 0.2), "[{}, {}] against {}", lo, hi, fast);
        }
    }

    #[test]
    fn every_distance_holds_the_geodesic_between_any_two_points_of_the_circles(
        (a, b) in pair(),
        radii in (0.0..500.0_f64, 0.0..500.0_f64),
        towards in (0.0..360.0_f64, 0.0..360.0_f64), part in (0.0..=1.0_f64, 0.0..=1.0_f64),
    ) {
        let (lo, hi) = ends(distance(&fix(a.0, a.1, radii.0), &fix(b.0, b.1, radii.1)));
        // Where the two people really are: somewhere within their circles.
        let person = |(lat, lon): (f64, f64), azimuth: f64, km: f64| -> (f64, f64) {
            use geographiclib_rs::DirectGeodesic;
            Geodesic::wgs84().direct(lat, lon, azimuth, km * 1_000.0)
        };
        let (one, other) = (person(a, towards.0, radii.0 * part.0), person(b, towards.1, radii.1 * part.1));
        let apart = geodesic_km(one, other);
        prop_assert!(lo <= apart + 1e-6 && apart <= hi + 1e-6, "{} not in [{}, {}]", apart, lo, hi);
        // And the interval is no wider than it must be.
        let exact = geodesic_km(a, b);
        prop_assert!(hi - lo <= 2.0 * (radii.0 + radii.1) + exact * 0.0122 + 0.01);
        let back = ends(distance(&fix(b.0, b.1, radii.1), &fix(a.0, a.1, radii.0)));
        prop_assert_eq!((lo, hi), back);
    }

    #[test]
    fn no_position_makes_it_panic(lat in proptest::num::f64::ANY, lon in proptest::num::f64::ANY, radius in proptest::num::f64::ANY) {
        let answer = distance(&fix(lat, lon, radius), &fix(1.0, 2.0, 3.0));
        if let Maybe::Known(interval) = answer {
            prop_assert!(interval.lo >= Some(Decimal::ZERO) && interval.lo <= interval.hi);
        }
    }
}

/// Whether the journey was certainly faster than any airliner.
fn impossible(a: &Snapshot, b: &Snapshot) -> Tri {
    let limit = Interval::exactly(Decimal::from(1_000));
    match speed_between(a, b) {
        Maybe::Known(speed) => limit.less(&speed),
        Maybe::Unknown(_) => Tri::Unknown,
    }
}

#[test]
fn london_to_sydney_in_an_hour_is_impossible_and_in_a_day_is_not() {
    let london = event("2026-03-01T10:00:00Z", city(LONDON), "198.51.100.1", 1);
    let in_an_hour = event("2026-03-01T11:00:00Z", city(SYDNEY), "203.0.113.1", 2);
    let in_a_day = event("2026-03-02T10:00:00Z", city(SYDNEY), "203.0.113.1", 2);
    assert_eq!(impossible(&london, &in_an_hour), Tri::True);
    assert_eq!(impossible(&in_an_hour, &london), Tri::True);
    assert_eq!(impossible(&london, &in_a_day), Tri::False);
    let (lo, hi) = ends(speed_between(&london, &in_an_hour));
    assert!(16_000.0 < lo && hi < 17_200.0, "[{lo}, {hi}]");
}

#[test]
fn the_same_address_or_network_has_not_moved() {
    let here = event("2026-03-01T10:00:00Z", city(LONDON), "198.51.100.1", 7);
    let same_ip = event("2026-03-01T10:00:10Z", city(SYDNEY), "198.51.100.1", 8);
    let same_asn = event("2026-03-01T10:00:10Z", city(SYDNEY), "198.51.100.2", 7);
    let zero = Maybe::Known(Interval::exactly(Decimal::ZERO));
    assert_eq!(distance_between(&here, &same_ip), zero);
    assert_eq!(distance_between(&here, &same_asn), zero);
    assert_eq!(speed_between(&here, &same_asn), zero);
    // A newer edition of the data base may have moved the network: then it counts as a place like any other.
    let newer = GeoFix { digest: "edition 2".into(), ..city(SYDNEY) };
    assert_eq!(impossible(&here, &event("2026-03-01T10:00:10Z", newer, "198.51.100.2", 7)), Tri::True);
    // Two events of which nothing is known are not the same address.
    let nowhere = Snapshot::at(Timestamp::UNIX_EPOCH);
    assert_eq!(distance_between(&nowhere, &nowhere), Maybe::Unknown(Why::Absent));
}

#[test]
fn without_a_fix_on_either_side_nothing_is_known_of_the_way() {
    let london = event("2026-03-01T10:00:00Z", city(LONDON), "198.51.100.1", 1);
    for why in [Why::Absent, Why::LookupFailed] {
        let lost =
            Snapshot { geo: Maybe::Unknown(why), ..event("2026-03-01T10:05:00Z", city(SYDNEY), "203.0.113.1", 2) };
        for (from, to) in [(&london, &lost), (&lost, &london), (&lost, &lost)] {
            let same = std::ptr::eq(from, to);
            let expected = if same { Maybe::Known(Interval::exactly(Decimal::ZERO)) } else { Maybe::Unknown(why) };
            assert_eq!(distance_between(from, to), expected);
            assert_eq!(speed_between(from, to), expected);
        }
        // It may have no fix, and still be the same address.
        let same_ip = Snapshot { ip: london.ip, ..lost.clone() };
        assert_eq!(distance_between(&london, &same_ip), Maybe::Known(Interval::exactly(Decimal::ZERO)));
    }
}

#[test]
fn a_low_precision_fix_widens_the_interval_until_it_proves_nothing() {
    let london = event("2026-03-01T10:00:00Z", city(LONDON), "198.51.100.1", 1);
    // Paris is 344 km away; at the latest from a radius of 324 km on, the two may be one place.
    for (radius, near, standing) in
        [(20.0, false, Tri::True), (200.0, false, Tri::Unknown), (330.0, true, Tri::Unknown)]
    {
        let paris = event("2026-03-01T10:10:00Z", fix(PARIS.0, PARIS.1, radius), "203.0.113.1", 2);
        let (lo, hi) = ends(distance_between(&london, &paris));
        assert_eq!(lo == 0.0, near, "[{lo}, {hi}]");
        let exact = geodesic_km(LONDON, PARIS);
        assert!((hi - exact - radius - 20.0).abs() < exact * 0.006, "[{lo}, {hi}]");
        assert_eq!(impossible(&london, &paris), standing, "± {radius} km");
    }
}

#[test]
fn a_place_behind_tor_a_vpn_or_a_hosting_network_proves_nothing() {
    let hidden = GeoFix { precision: Precision::Hidden, ..city(SYDNEY) };
    let london = event("2026-03-01T10:00:00Z", city(LONDON), "198.51.100.1", 1);
    let exit = event("2026-03-01T10:05:00Z", hidden, "203.0.113.1", 2);
    assert_eq!(speed_between(&london, &exit), Maybe::Unknown(Why::LowPrecision));
    assert_eq!(impossible(&london, &exit), Tri::Unknown);
}

#[test]
fn country_level_fixes_prove_nothing_about_neighbours() {
    // France and Germany by their middles, each as large as the country.
    let france = event("2026-03-01T10:00:00Z", fix(46.6, 2.4, 560.0), "198.51.100.1", 1);
    let germany = event("2026-03-01T10:20:00Z", fix(51.1, 10.4, 460.0), "203.0.113.1", 2);
    assert_eq!(impossible(&france, &germany), Tri::Unknown); // Strasbourg to Kehl is a bridge
    let australia = event("2026-03-01T10:20:00Z", fix(-25.3, 133.8, 2_300.0), "203.0.113.9", 3);
    assert_eq!(impossible(&france, &australia), Tri::True); // but nobody is in Australia after twenty minutes
}

#[test]
fn within_a_minute_the_speed_is_that_of_a_minute() {
    let km = Interval::exactly(Decimal::from(10));
    let at = |ms| Timestamp::UNIX_EPOCH + SignedDuration::from_millis(ms);
    let check = |a, b, expected: i64| {
        assert_eq!(speed(&km, at(a), at(b)), Maybe::Known(Interval::exactly(Decimal::from(expected))));
    };
    check(0, 0, 600);
    check(0, 60_000, 600);
    check(120_000, 0, 300);
    let odd = speed(&km, at(0), at(7 * 60_000));
    let (lo, hi) = (Decimal::new(85_714, 3), Decimal::new(85_715, 3)); // 85.7142857…, outward
    assert_eq!(odd, Maybe::Known(Interval::between(lo, hi, Why::LowPrecision)));
}
