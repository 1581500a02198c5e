//! Products and quotients of whole numbers, exact until they are rounded once, half to even.

use num_bigint::BigInt;
use rust_decimal::Decimal;

/// `whole · factor`; `None` if it does not fit.
pub(crate) fn times(whole: i128, factor: Decimal) -> Option<i128> {
    quotient(whole, factor.mantissa(), 10_i128.pow(factor.scale()))
}

/// So many per cent of `whole`; `None` if it does not fit.
pub(crate) fn share(whole: i128, percent: Decimal) -> Option<i128> {
    quotient(whole, percent.mantissa(), 10_i128.pow(percent.scale() + 2))
}

/// `whole / divisor`; `None` if it does not fit, and by zero.
pub(crate) fn over(whole: i128, divisor: Decimal) -> Option<i128> {
    quotient(whole, 10_i128.pow(divisor.scale()), divisor.mantissa())
}

/// `a / b`, to as many decimals as fit into a [`Decimal`]; `None` if not even the whole part does, and by zero.
pub(crate) fn ratio(a: i128, b: i128) -> Option<Decimal> {
    let short = |number| Decimal::try_from_i128_with_scale(number, 0).ok();
    if let (Some(a), Some(b)) = (short(a), short(b)) {
        return a.checked_div(b);
    }
    ratio_of(&BigInt::from(a), &BigInt::from(b))
}

/// The same for numbers of any length.
pub(crate) fn ratio_of(a: &BigInt, b: &BigInt) -> Option<Decimal> {
    let rounded_to = |places: u32| {
        let scaled = quotient_of(a * BigInt::from(10).pow(places), b.clone())?;
        Decimal::try_from_i128_with_scale(scaled, places).ok()
    };
    (0..=Decimal::MAX_SCALE).rev().find_map(rounded_to).map(|ratio| ratio.normalize())
}

/// `a · b / c`; the product may have more bits than the result.
pub(crate) fn quotient(a: i128, b: i128, c: i128) -> Option<i128> {
    if c == 0 {
        return None;
    }
    match a.checked_mul(b) {
        Some(product) if c > 0 => {
            rounded(product.div_euclid(c), product.rem_euclid(c).unsigned_abs(), c.unsigned_abs())
        }
        Some(_) | None => quotient_of(BigInt::from(a) * b, BigInt::from(c)),
    }
}

/// The quotient of numbers of any length; `None` if it does not fit, and by zero.
pub(crate) fn quotient_of(dividend: BigInt, divisor: BigInt) -> Option<i128> {
    if divisor == BigInt::ZERO {
        return None;
    }
    let (dividend, divisor) = if divisor < BigInt::ZERO { (-dividend, -divisor) } else { (dividend, divisor) };
    let mut floor = &dividend / &divisor;
    let mut rest = &dividend - &floor * &divisor;
    if rest < BigInt::ZERO {
        floor -= 1;
        rest += &divisor;
    }
    let up = match (rest * 2_u32).cmp(&divisor) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => floor.bit(0),
        std::cmp::Ordering::Greater => true,
    };
    i128::try_from(floor + u32::from(up)).ok()
}

/// `floor + rest / divisor` as a whole number.
fn rounded(floor: i128, rest: u128, divisor: u128) -> Option<i128> {
    let up = match rest.cmp(&(divisor - rest)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => floor % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    floor.checked_add(i128::from(up))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn short_and_long_division_agree(a in any::<i64>(), b in any::<i64>(), c in any::<i64>()) {
            let (a, b, c) = (i128::from(a), i128::from(b), i128::from(c));
            prop_assert_eq!(quotient(a, b, c), quotient_of(BigInt::from(a) * b, BigInt::from(c)));
            let c = c % 8;
            prop_assert_eq!(quotient(a, b % 8, c), quotient_of(BigInt::from(a) * (b % 8), BigInt::from(c)));
        }
    }

    #[test]
    fn halves_go_to_the_even_neighbour_on_both_sides_of_zero() {
        let halves: Vec<_> = (-5..=5).map(|a| quotient(a, 1, 2)).collect();
        let expected = [-2, -2, -2, -1, 0, 0, 0, 1, 2, 2, 2].map(Some);
        assert_eq!(halves, expected);
        assert_eq!(quotient(5, 1, -2), Some(-2));
        assert_eq!(quotient(7, 1, -2), Some(-4));
        assert_eq!(quotient(i128::MAX, 2, 2), Some(i128::MAX));
        assert_eq!(quotient(i128::MIN, 1, -1), None);
        assert_eq!(quotient(1, 1, 0), None);
    }
}
