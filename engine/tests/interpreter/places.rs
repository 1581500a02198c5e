//! How far apart two places are, and how fast somebody was who was at both.

use grammar::ast;
use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};

use super::{Cause, Fact, Past, Plain, World, lookup};

/// The mean radius of the earth.
const EARTH_KM: f64 = 6_371.008_8;
/// How far a sphere is from the ellipsoid, at most.
const SPHERE_ERROR: f64 = 0.006;
const HALF_ROUND_KM: f64 = 20_004.0;

impl<'a> World<'a> {
    /// `distance(geo, previous.geo)`, `speed(…)`.
    pub(super) fn way(&self, call: &'a ast::Call) -> Fact<'a> {
        let moments = match &call.arguments[..] {
            [from, to] => self.moment(from).and_then(|from| Ok((from, self.moment(to)?))),
            other => panic!("{other:?} are no two places"),
        };
        let (from, to) = match moments {
            Ok(moments) => moments,
            Err(cause) => return Fact::Unknown(cause),
        };
        let (least, most) = match apart(from, to) {
            Ok(ends) => ends,
            Err(cause) => return Fact::Unknown(cause),
        };
        if call.name.name == "distance" {
            return Fact::between(Plain::Distance(least), Plain::Distance(most), "low_precision");
        }
        let elapsed = Decimal::from((from.at - to.at).abs().max(60_000));
        let per_hour = |km: Decimal, rounding| {
            Plain::Speed((km * Decimal::from(3_600_000) / elapsed).round_dp_with_strategy(3, rounding))
        };
        let low = per_hour(least, RoundingStrategy::ToZero);
        Fact::between(low, per_hour(most, RoundingStrategy::AwayFromZero), "low_precision")
    }

    /// The event a place belongs to; without an event there is no place.
    fn moment(&self, place: &'a ast::Expr) -> Result<&'a Past, Cause> {
        let ast::ExprKind::Path(path) = &place.unwrapped().kind else { panic!("{place:?} is no place") };
        self.of_moment(&path.text()).0.ok_or("absent")
    }
}

/// The least and the greatest distance. Whoever has the same address, or is in the same network, has not moved.
fn apart(from: &Past, to: &Past) -> Result<(Decimal, Decimal), Cause> {
    let same = |name: &str| match (lookup(&from.record, name), lookup(&to.record, name)) {
        (Fact::Known(one), Fact::Known(other)) => one == other,
        _ => false,
    };
    let located = |event: &Past| match lookup(&event.record, "geo") {
        Fact::Known(_) => Ok(()),
        Fact::Unknown(cause) => Err(cause),
        other => panic!("{other:?} is no place"),
    };
    if same("ip") || same("ip.asn") && located(from).is_ok() && located(to).is_ok() {
        return Ok((Decimal::ZERO, Decimal::ZERO));
    }
    located(from).and(located(to))?;
    let hidden = |event: &Past| {
        ["ip.tor", "ip.vpn", "ip.hosting"]
            .iter()
            .any(|fact| lookup(&event.record, fact) == Fact::Known(Plain::Bool(true)))
    };
    if hidden(from) || hidden(to) {
        return Err("low_precision");
    }
    let number = |event: &Past, part: &str| match lookup(&event.record, part) {
        Fact::Known(Plain::Decimal(number) | Plain::Distance(number)) => number.to_f64().expect("it is a number"),
        other => panic!("{other:?} is no part of a place"),
    };
    let on_sphere = |event: &Past| {
        let (lat, lon) = (number(event, "geo.lat").to_radians(), number(event, "geo.lon").to_radians());
        [lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()]
    };
    // The angle between two arrows from the middle of the earth.
    let (a, b) = (on_sphere(from), on_sphere(to));
    let cross = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    let dot: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    let length = cross.iter().map(|part| part * part).sum::<f64>().sqrt();
    let km = if a == b { 0.0 } else { EARTH_KM * length.atan2(dot) };
    let radii = number(from, "geo.radius") + number(to, "geo.radius");
    let slack = if km == 0.0 { radii } else { radii + km * SPHERE_ERROR + 0.001 };
    let outward = |km: f64, rounding| {
        Decimal::from_f64_retain(km).expect("it is a number").round_dp_with_strategy(3, rounding).normalize()
    };
    let least = outward((km - slack).max(0.0), RoundingStrategy::ToZero);
    Ok((least, outward((km + slack).min(HALF_ROUND_KM), RoundingStrategy::AwayFromZero)))
}
