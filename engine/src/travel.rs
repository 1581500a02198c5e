//! How far apart two places are, and how fast one would have had to travel between them.
//!
//! A place is a point and a radius within which the person is. The distance between two places is therefore an
//! interval, `[d − ra − rb, d + ra + rb]`, and so is the speed. A comparison that holds only for a part of the
//! interval is unknown: two country-level fixes never prove an impossible journey between neighbours.
//!
//! The sphere stands in for the ellipsoid. Great-circle distances on the mean sphere are within 0.56 % of geodesics
//! on WGS 84, and that error is part of the interval.

use std::sync::Arc;

use jiff::Timestamp;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::{
    history::Snapshot,
    interval::Interval,
    maybe::{Maybe, Why},
    value::{GeoFix, Precision},
};

/// The mean radius of the earth in km (IUGG R1).
const EARTH_RADIUS_KM: f64 = 6_371.008_8;
/// How far a great circle on that sphere may be off the geodesic on the ellipsoid, relative to the distance.
const SPHERE_ERROR: f64 = 0.006;
/// Half of the earth's circumference along a meridian is 20 003.9 km; no two points are further apart.
const FURTHEST_KM: f64 = 20_004.0;
/// Bounds are whole multiples of a metre, rounded outward.
const DISTANCE_PLACES: u32 = 3;
/// Speeds are rounded outward to this many decimals of a km/h.
const SPEED_PLACES: u32 = 3;
/// A journey takes at least this long: clocks differ, and one network may answer for another within seconds.
const SHORTEST_JOURNEY_US: i64 = 60_000_000;

/// The distance between two places in km. Unknown (`low_precision`) where either position is not the person's but a
/// VPN's, Tor's or a hosting network's.
pub fn distance(a: &GeoFix, b: &GeoFix) -> Maybe<Interval<Decimal>> {
    if a.precision == Precision::Hidden || b.precision == Precision::Hidden {
        return Maybe::Unknown(Why::LowPrecision);
    }
    let Some((least, most)) = distance_km(a, b) else { return Maybe::Unknown(Why::LowPrecision) };
    let lo = decimal(least, DISTANCE_PLACES, RoundingStrategy::ToZero);
    let hi = decimal(most, DISTANCE_PLACES, RoundingStrategy::AwayFromZero);
    match (lo, hi) {
        (Some(lo), Some(hi)) => Maybe::Known(between(lo, hi)),
        (Some(_) | None, Some(_) | None) => Maybe::Unknown(Why::LowPrecision),
    }
}

/// The distance between where two events happened: none for the same address, or for the same autonomous system
/// while the data base was the same, since then the position may jump with the network's routing though nobody moved.
pub fn distance_between(a: &Snapshot, b: &Snapshot) -> Maybe<Interval<Decimal>> {
    if same_origin(a, b) {
        return Maybe::Known(Interval::exactly(Decimal::ZERO));
    }
    match (&a.geo, &b.geo) {
        (Maybe::Known(a), Maybe::Known(b)) => distance(a, b),
        (Maybe::Unknown(why), _) | (_, Maybe::Unknown(why)) => Maybe::Unknown(*why),
    }
}

/// How fast somebody travelled who was at both, in km/h. The time between is at least a minute.
pub fn speed_between(a: &Snapshot, b: &Snapshot) -> Maybe<Interval<Decimal>> {
    distance_between(a, b).and_then(|distance| speed(&distance, a.time, b.time))
}

/// A distance in km over the time between two moments, at least a minute, in km/h.
pub fn speed(distance: &Interval<Decimal>, a: Timestamp, b: Timestamp) -> Maybe<Interval<Decimal>> {
    let elapsed_us = a.as_microsecond().abs_diff(b.as_microsecond());
    let elapsed_us = Decimal::from(elapsed_us).max(Decimal::from(SHORTEST_JOURNEY_US));
    let per_hour = |km: Decimal, rounding| {
        let us_per_hour = Decimal::from(3_600_000_000_i64);
        // The quotient is rounded at the 28th digit, far below where it is rounded outward next.
        let exact = km.checked_mul(us_per_hour)?.checked_div(elapsed_us)?;
        Some(exact.round_dp_with_strategy(SPEED_PLACES, rounding))
    };
    let lo = distance.lo.map(|km| per_hour(km, RoundingStrategy::ToZero));
    let hi = distance.hi.map(|km| per_hour(km, RoundingStrategy::AwayFromZero));
    match (lo, hi) {
        (Some(Some(lo)), Some(Some(hi))) => Maybe::Known(between(lo, hi)),
        (Some(None), _) | (_, Some(None)) => Maybe::Unknown(Why::Overflow),
        (None, hi) => Maybe::Known(Interval { lo: None, hi: hi.flatten(), why: distance.why }),
        (lo, None) => Maybe::Known(Interval { lo: lo.flatten(), hi: None, why: distance.why }),
    }
}

/// Whether two events came over the same connection, as far as geolocation can tell.
fn same_origin(a: &Snapshot, b: &Snapshot) -> bool {
    let same_ip = matches!((&a.ip, &b.ip), (Maybe::Known(a), Maybe::Known(b)) if a == b);
    let same_asn = matches!((&a.asn, &b.asn), (Maybe::Known(a), Maybe::Known(b)) if a == b);
    same_ip || same_asn && same_data(&a.geo, &b.geo)
}

/// Both fixes come from the same edition of the same data base, that is, from within one refresh period.
fn same_data(a: &Maybe<Arc<GeoFix>>, b: &Maybe<Arc<GeoFix>>) -> bool {
    matches!((a, b), (Maybe::Known(a), Maybe::Known(b)) if a.digest == b.digest)
}

/// Least and greatest distance; `None` for positions that are none.
fn distance_km(a: &GeoFix, b: &GeoFix) -> Option<(f64, f64)> {
    for fix in [a, b] {
        let valid =
            fix.lat.abs() <= 90.0 && fix.lon.abs() <= 360.0 && fix.radius_km >= 0.0 && fix.radius_km.is_finite();
        if !valid {
            return None;
        }
    }
    let centre = great_circle_km((a.lat, a.lon), (b.lat, b.lon));
    // Positions are given to about 0.1 m, and arithmetic adds nanometres: 1 m covers both.
    let slack = a.radius_km + b.radius_km + centre * SPHERE_ERROR + 0.001;
    let slack = if centre == 0.0 { a.radius_km + b.radius_km } else { slack };
    Some(((centre - slack).max(0.0), (centre + slack).min(FURTHEST_KM)))
}

/// The haversine formula, which is stable for near points, at the antimeridian and at the poles.
///
/// The trigonometry is `libm`'s, in Rust: the platform's own differs in the last digit from machine to machine, and a
/// decision must replay bit for bit on every one.
fn great_circle_km((lat_a, lon_a): (f64, f64), (lat_b, lon_b): (f64, f64)) -> f64 {
    let half = |degrees: f64| libm::sin(degrees.to_radians() / 2.0);
    let (across, along) = (half(lat_b - lat_a), half(lon_b - lon_a));
    let square = across * across + libm::cos(lat_a.to_radians()) * libm::cos(lat_b.to_radians()) * along * along;
    2.0 * EARTH_RADIUS_KM * libm::asin(square.clamp(0.0, 1.0).sqrt())
}

fn decimal(km: f64, places: u32, rounding: RoundingStrategy) -> Option<Decimal> {
    // From the float's exact digits, so that rounding outward is outward.
    Some(Decimal::from_f64_retain(km)?.round_dp_with_strategy(places, rounding).normalize())
}

fn between(lo: Decimal, hi: Decimal) -> Interval<Decimal> {
    if lo == hi { Interval::exactly(lo) } else { Interval::between(lo, hi, Why::LowPrecision) }
}
