//! Values as the interpreter knows them, and its own arithmetic and order on them.

use std::{cmp::Ordering, net::IpAddr};

use grammar::ast::{ArithmeticOp, CompareOp};
use num_bigint::BigInt;
use rust_decimal::Decimal;

/// Why something is unknown, as decisions spell it.
pub type Cause = &'static str;

/// A value. Texts, ids, countries and currencies are words: the checker has seen to it that they do not mix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plain<'a> {
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Percent(Decimal),
    Speed(Decimal),
    Distance(Decimal),
    /// Minor units and a currency.
    Money(i128, &'a str),
    Millis(i64),
    /// Milliseconds since 1970.
    Moment(i64),
    /// Monday is 1.
    Day(u8),
    Word(&'a str),
    Asn(u32),
    Ip(IpAddr),
    Net(IpAddr, u8),
    Place,
    List(&'a [Plain<'a>]),
}

/// What is known of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fact<'a> {
    Known(Plain<'a>),
    Between(Plain<'a>, Plain<'a>, Cause),
    Unknown(Cause),
}

/// What one euro is worth, from a moment on.
#[derive(Clone, Debug)]
pub struct Rate {
    pub currency: &'static str,
    pub from: i64,
    pub worth: Decimal,
}

/// The rates at one moment.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    pub rates: &'a [Rate],
    pub at: i64,
}

impl Exchange<'_> {
    fn worth(self, currency: &str) -> Option<Decimal> {
        if currency == "EUR" {
            return Some(Decimal::ONE).filter(|_| !self.rates.is_empty());
        }
        let begun = self.rates.iter().filter(|rate| rate.currency == currency && rate.from <= self.at);
        begun.max_by_key(|rate| rate.from).map(|rate| rate.worth)
    }

    /// One smallest unit of `from` in smallest units of `to`, as a fraction.
    fn fraction(self, from: &str, to: &str) -> Option<(BigInt, BigInt)> {
        if from == to {
            return Some((1.into(), 1.into()));
        }
        let (from_worth, to_worth) = (self.worth(from)?, self.worth(to)?);
        let ten = |power| BigInt::from(10).pow(power);
        let over = BigInt::from(to_worth.mantissa()) * ten(exponent(to)) * ten(from_worth.scale());
        let under = BigInt::from(from_worth.mantissa()) * ten(exponent(from)) * ten(to_worth.scale());
        Some((over, under))
    }

    pub fn convert(self, minor: i128, from: &str, to: &str) -> Result<i128, Cause> {
        let (over, under) = self.fraction(from, to).ok_or("currency_mismatch")?;
        half_even(&(over * minor), &under).ok_or("overflow")
    }
}

/// Yes, no, or why neither.
pub type Answer = Result<bool, Cause>;

impl<'a> Fact<'a> {
    /// Between these two; one value if they are equal.
    pub fn between(low: Plain<'a>, high: Plain<'a>, cause: Cause) -> Fact<'a> {
        if order(low, high, NO_RATES) == Some(Ordering::Equal) {
            Fact::Known(low)
        } else {
            Fact::Between(low, high, cause)
        }
    }

    fn ends(self) -> Result<(Plain<'a>, Plain<'a>, Option<Cause>), Cause> {
        match self {
            Fact::Known(value) => Ok((value, value, None)),
            Fact::Between(low, high, cause) => Ok((low, high, Some(cause))),
            Fact::Unknown(cause) => Err(cause),
        }
    }
}

pub const NO_RATES: Exchange<'static> = Exchange { rates: &[], at: 0 };

/// Which is more; nothing for amounts in two currencies that no rate brings together.
pub fn order(a: Plain<'_>, b: Plain<'_>, exchange: Exchange<'_>) -> Option<Ordering> {
    use Plain::{Asn, Bool, Day, Distance, Int, Ip, List, Millis, Moment, Money, Percent, Speed, Word};
    Some(match (a, b) {
        (Bool(a), Bool(b)) => a.cmp(&b),
        (Int(a), Int(b)) => a.cmp(&b),
        (Percent(a), Percent(b)) | (Speed(a), Speed(b)) | (Distance(a), Distance(b)) => a.cmp(&b),
        (Money(a, ours), Money(b, theirs)) => {
            let (over, under) = exchange.fraction(theirs, ours)?;
            (under * a).cmp(&(over * b))
        }
        (Millis(a), Millis(b)) | (Moment(a), Moment(b)) => a.cmp(&b),
        (Day(a), Day(b)) => a.cmp(&b),
        (Word(a), Word(b)) => a.cmp(b),
        (Asn(a), Asn(b)) => a.cmp(&b),
        (Ip(a), Ip(b)) => a.cmp(&b),
        (List(a), List(b)) => {
            if a == b {
                Ordering::Equal
            } else {
                Ordering::Less
            }
        }
        (a, b) => decimal(a).cmp(&decimal(b)),
    })
}

fn number(value: Plain<'_>) -> Option<Decimal> {
    match value {
        Plain::Int(value) => Some(Decimal::from(value)),
        Plain::Decimal(value) => Some(value),
        _ => None,
    }
}

fn decimal(value: Plain<'_>) -> Decimal {
    number(value).unwrap_or_else(|| panic!("{value:?} is no number"))
}

pub fn compare(op: CompareOp, a: Fact<'_>, b: Fact<'_>, exchange: Exchange<'_>) -> Answer {
    let (low_a, high_a, cause_a) = a.ends()?;
    let (low_b, high_b, cause_b) = b.ends()?;
    let unsure = cause_a.or(cause_b).unwrap_or("absent");
    let order = |a, b| order(a, b, exchange).ok_or("currency_mismatch");
    // Certain only if it holds, or fails, for every pair of values in between.
    let less = |(low_a, high_a), (low_b, high_b)| {
        if order(high_a, low_b)?.is_lt() {
            Ok(true)
        } else if order(low_a, high_b)?.is_ge() {
            Ok(false)
        } else {
            Err(unsure)
        }
    };
    let (a, b) = ((low_a, high_a), (low_b, high_b));
    let equal = || {
        if less(a, b) == Ok(true) || less(b, a) == Ok(true) {
            return Ok(false);
        }
        let points = [order(low_a, high_a)?, order(high_a, low_b)?, order(low_b, high_b)?];
        if points.iter().all(|order| order.is_eq()) { Ok(true) } else { Err(unsure) }
    };
    match op {
        CompareOp::Equal => equal(),
        CompareOp::NotEqual => equal().map(|equal| !equal),
        CompareOp::Less => less(a, b),
        CompareOp::LessOrEqual => less(b, a).map(|more| !more),
        CompareOp::Greater => less(b, a),
        CompareOp::GreaterOrEqual => less(a, b).map(|less| !less),
    }
}

pub fn arithmetic<'a>(op: ArithmeticOp, a: Fact<'a>, b: Fact<'a>, exchange: Exchange<'_>) -> Fact<'a> {
    let (a, b) = match (a.ends(), b.ends()) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(cause), _) | (_, Err(cause)) => return Fact::Unknown(cause),
    };
    let cause = a.2.or(b.2);
    let zero_inside = cause.is_some() && op == ArithmeticOp::Divide && sign(b.0) != sign(b.1);
    if zero_inside {
        return Fact::Unknown(cause.unwrap_or("overflow"));
    }
    let mut ends: Option<(Plain<'a>, Plain<'a>)> = None;
    for x in [a.0, a.1] {
        for y in [b.0, b.1] {
            let corner = match on_values(op, x, y, exchange) {
                Ok(corner) => corner,
                Err(cause) => return Fact::Unknown(cause),
            };
            let (low, high) = ends.unwrap_or((corner, corner));
            let low = if order(corner, low, NO_RATES) == Some(Ordering::Less) { corner } else { low };
            let high = if order(corner, high, NO_RATES) == Some(Ordering::Greater) { corner } else { high };
            ends = Some((low, high));
        }
    }
    let (low, high) = ends.expect("there are four corners");
    Fact::between(low, high, cause.unwrap_or("overflow"))
}

fn sign(value: Plain<'_>) -> Ordering {
    match value {
        Plain::Int(value) | Plain::Millis(value) => value.cmp(&0),
        Plain::Money(minor, _) => minor.cmp(&0),
        Plain::Decimal(value) | Plain::Percent(value) | Plain::Speed(value) | Plain::Distance(value) => {
            value.cmp(&Decimal::ZERO)
        }
        other => panic!("{other:?} has no sign"),
    }
}

fn on_values<'a>(op: ArithmeticOp, a: Plain<'a>, b: Plain<'a>, exchange: Exchange<'_>) -> Result<Plain<'a>, Cause> {
    use ArithmeticOp::{Add, Divide, Multiply, Subtract};
    use Plain::{Distance, Int, Millis, Moment, Money, Percent, Speed};
    // Two amounts: in the currency of the left side.
    if let (Money(left, ours), Money(right, theirs)) = (a, b)
        && ours != theirs
    {
        if op == Divide {
            let (over, under) = exchange.fraction(theirs, ours).ok_or("currency_mismatch")?;
            return quotient(&(under * left), &(over * right)).map(Plain::Decimal).ok_or("overflow");
        }
        return on_values(op, a, Money(exchange.convert(right, theirs, ours)?, ours), exchange);
    }
    let result = match (op, a, b) {
        (Add, Int(a), Int(b)) => a.checked_add(b).map(Int),
        (Subtract, Int(a), Int(b)) => a.checked_sub(b).map(Int),
        (Multiply, Int(a), Int(b)) => a.checked_mul(b).map(Int),
        (Add, Money(a, currency), Money(b, _)) => a.checked_add(b).map(|sum| Money(sum, currency)),
        (Subtract, Money(a, currency), Money(b, _)) => a.checked_sub(b).map(|rest| Money(rest, currency)),
        (Divide, Money(a, _), Money(b, _)) => {
            Decimal::from_i128_with_scale(a, 0).checked_div(Decimal::from_i128_with_scale(b, 0)).map(Plain::Decimal)
        }
        (Multiply, Money(minor, currency), Percent(share)) | (Multiply, Percent(share), Money(minor, currency)) => {
            times(minor, share, 100).map(|minor| Money(minor, currency))
        }
        (Multiply, Money(minor, currency), factor) | (Multiply, factor, Money(minor, currency)) => {
            times(minor, decimal(factor), 1).map(|minor| Money(minor, currency))
        }
        (Divide, Money(minor, currency), divisor) => over(minor, decimal(divisor)).map(|minor| Money(minor, currency)),
        (Add, Moment(at), Millis(ms)) | (Add, Millis(ms), Moment(at)) => at.checked_add(ms).map(Moment),
        (Subtract, Moment(at), Millis(ms)) => at.checked_sub(ms).map(Moment),
        (Subtract, Moment(a), Moment(b)) => a.checked_sub(b).map(Millis),
        (Add, Millis(a), Millis(b)) => a.checked_add(b).map(Millis),
        (Subtract, Millis(a), Millis(b)) => a.checked_sub(b).map(Millis),
        (Divide, Millis(a), Millis(b)) => Decimal::from(a).checked_div(Decimal::from(b)).map(Plain::Decimal),
        (Divide, Distance(km), Millis(ms)) => {
            km.checked_mul(Decimal::from(MS_PER_HOUR)).and_then(|km| km.checked_div(Decimal::from(ms))).map(Speed)
        }
        (Multiply, Speed(speed), Millis(ms)) | (Multiply, Millis(ms), Speed(speed)) => speed
            .checked_mul(Decimal::from(ms))
            .and_then(|product| product.checked_div(Decimal::from(MS_PER_HOUR)))
            .map(Distance),
        (Multiply, Millis(ms), factor) | (Multiply, factor, Millis(ms)) => {
            times(i128::from(ms), decimal(factor), 1).and_then(|ms| i64::try_from(ms).ok()).map(Millis)
        }
        (Divide, Millis(ms), divisor) => {
            over(i128::from(ms), decimal(divisor)).and_then(|ms| i64::try_from(ms).ok()).map(Millis)
        }
        (Divide, Percent(a), Percent(b)) | (Divide, Speed(a), Speed(b)) | (Divide, Distance(a), Distance(b)) => {
            a.checked_div(b).map(Plain::Decimal)
        }
        (op, Percent(a), Percent(b)) => on_decimals(op, a, b).map(Percent),
        (op, Speed(a), Speed(b)) => on_decimals(op, a, b).map(Speed),
        (op, Distance(a), Distance(b)) => on_decimals(op, a, b).map(Distance),
        (op, Percent(a), b) => on_decimals(op, a, decimal(b)).map(Percent),
        (op, Speed(a), b) => on_decimals(op, a, decimal(b)).map(Speed),
        (op, Distance(a), b) => on_decimals(op, a, decimal(b)).map(Distance),
        (Multiply, a, Percent(b)) => on_decimals(op, decimal(a), b).map(Percent),
        (Multiply, a, Speed(b)) => on_decimals(op, decimal(a), b).map(Speed),
        (Multiply, a, Distance(b)) => on_decimals(op, decimal(a), b).map(Distance),
        (op, a, b) => on_decimals(op, decimal(a), decimal(b)).map(Plain::Decimal),
    };
    result.ok_or("overflow")
}

const MS_PER_HOUR: i64 = 3_600_000;

fn on_decimals(op: ArithmeticOp, a: Decimal, b: Decimal) -> Option<Decimal> {
    match op {
        ArithmeticOp::Add => a.checked_add(b),
        ArithmeticOp::Subtract => a.checked_sub(b),
        ArithmeticOp::Multiply => a.checked_mul(b),
        ArithmeticOp::Divide => a.checked_div(b),
    }
}

/// `whole · factor / divisor`, rounded half to even.
fn times(whole: i128, factor: Decimal, divisor: u32) -> Option<i128> {
    let scale = BigInt::from(10).pow(factor.scale());
    half_even(&(BigInt::from(whole) * factor.mantissa()), &(scale * divisor))
}

/// `whole / divisor`, rounded half to even.
fn over(whole: i128, divisor: Decimal) -> Option<i128> {
    let scale = BigInt::from(10).pow(divisor.scale());
    half_even(&(BigInt::from(whole) * scale), &BigInt::from(divisor.mantissa()))
}

/// The quotient, rounded half to even; nothing for a division by zero or a quotient of more than 128 bits.
pub fn half_even(dividend: &BigInt, divisor: &BigInt) -> Option<i128> {
    let zero = BigInt::ZERO;
    if *divisor == zero {
        return None;
    }
    let (dividend, divisor) = if *divisor < zero { (-dividend, -divisor) } else { (dividend.clone(), divisor.clone()) };
    // Rounded down first, whatever the sign.
    let mut floor = &dividend / &divisor;
    if &floor * &divisor > dividend {
        floor -= 1;
    }
    let rest: BigInt = (&dividend - &floor * &divisor) * 2;
    let odd = &floor % 2 != zero;
    if rest > divisor || (rest == divisor && odd) {
        floor += 1;
    }
    i128::try_from(floor).ok()
}

/// The quotient to as many decimals as there is room for.
fn quotient(dividend: &BigInt, divisor: &BigInt) -> Option<Decimal> {
    (0..=28_u32).rev().find_map(|places| {
        let scaled = half_even(&(dividend * BigInt::from(10).pow(places)), divisor)?;
        Decimal::try_from_i128_with_scale(scaled, places).ok()
    })
}

/// How many decimals the currencies of the tests have.
pub fn exponent(currency: &str) -> u32 {
    match currency {
        "JPY" => 0,
        "EUR" | "USD" => 2,
        "KWD" => 3,
        "CLF" => 4,
        other => panic!("{other} is not used in tests"),
    }
}

/// Digits with a point, as minor units.
pub fn minor_units(digits: &str, currency: &str) -> i128 {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let places = exponent(currency) as usize;
    assert!(fraction.len() <= places, "{digits} {currency} has too many decimals");
    format!("{whole}{fraction:0<places$}").parse().expect("it is a number")
}
