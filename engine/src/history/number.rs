//! Numbers as whole multiples of a step, so that sums are exact in any order. [`Unit`] says how long the step is.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::plan::Unit;
use crate::{
    maybe::Why,
    money::Money,
    value::{Currency, Value},
};

/// The largest magnitude of one value, in steps: 10⁸ of them still sum without overflow.
const MOST_STEPS: i128 = 10_i128.pow(30);
/// Decimals are multiples of 10⁻¹².
const DECIMAL_PLACES: u32 = 12;
/// Means of integers are multiples of 10⁻⁹.
const INT_MEAN_PLACES: u32 = 9;

/// A value in steps. Money keeps its currency, for two currencies never add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Number {
    pub steps: i128,
    pub currency: Option<Currency>,
}

/// A field's value in steps, or why it cannot be one: it has more decimals than a step, is too large, or is no number
/// at all.
pub(super) fn number(value: &Value, unit: Unit) -> Result<Number, Why> {
    let plain = |steps| Number { steps, currency: None };
    let within =
        |steps: i128| if steps.unsigned_abs() <= MOST_STEPS.unsigned_abs() { Ok(steps) } else { Err(Why::Overflow) };
    match (unit, value) {
        (Unit::Int, Value::Int(value)) => Ok(plain(i128::from(*value))),
        (Unit::Duration, Value::Duration(ms)) => Ok(plain(i128::from(*ms))),
        (Unit::Timestamp, Value::Timestamp(at)) => Ok(plain(i128::from(at.as_microsecond()))),
        (Unit::Money(_), Value::Money(money)) => {
            within(money.minor).map(|steps| Number { steps, currency: Some(money.currency) })
        }
        (Unit::Decimal, Value::Int(value)) => Ok(plain(i128::from(*value) * 10_i128.pow(DECIMAL_PLACES))),
        (Unit::Decimal, Value::Decimal(value))
        | (Unit::Percent, Value::Percent(value))
        | (Unit::Speed, Value::Speed(value))
        | (Unit::Distance, Value::Distance(value)) => {
            decimal_steps(*value).ok_or(Why::Overflow).and_then(within).map(plain)
        }
        (_, _) => Err(Why::Absent),
    }
}

/// A result in steps as a value of the unit; `None` if the type cannot hold it.
pub(super) fn value(steps: i128, unit: Unit, currency: Option<Currency>) -> Option<Value> {
    match unit {
        Unit::Int => i64::try_from(steps).ok().map(Value::Int),
        Unit::Duration => i64::try_from(steps).ok().map(Value::Duration),
        Unit::Timestamp => Timestamp::from_microsecond(i64::try_from(steps).ok()?).ok().map(Value::Timestamp),
        Unit::Money(hint) => Some(Value::Money(Money { minor: steps, currency: currency.or(hint)? })),
        Unit::Decimal => decimal(steps, DECIMAL_PLACES).map(Value::Decimal),
        Unit::Percent => decimal(steps, DECIMAL_PLACES).map(Value::Percent),
        Unit::Speed => decimal(steps, DECIMAL_PLACES).map(Value::Speed),
        Unit::Distance => decimal(steps, DECIMAL_PLACES).map(Value::Distance),
    }
}

/// By how much a mean or deviation is finer than the step of its field, and how to turn it into a value.
#[derive(Clone, Copy)]
pub(super) struct Finer {
    pub factor: i128,
    unit: Unit,
}

impl Finer {
    /// Integers have decimal means; all others are rounded to their own step.
    pub fn than(unit: Unit) -> Finer {
        let factor = if unit == Unit::Int { 10_i128.pow(INT_MEAN_PLACES) } else { 1 };
        Finer { factor, unit }
    }

    /// A rounded result as a value.
    pub fn value(self, steps: i128, currency: Option<Currency>) -> Option<Value> {
        if self.unit == Unit::Int {
            decimal(steps, INT_MEAN_PLACES).map(Value::Decimal)
        } else {
            value(steps, self.unit, currency)
        }
    }
}

/// A constant of the program in steps, rounded up.
pub(super) fn steps_rounded_up(constant: &Value, unit: Unit) -> Option<i128> {
    match (unit, constant) {
        (Unit::Int, Value::Decimal(value)) => whole(value.ceil()),
        (Unit::Decimal | Unit::Percent | Unit::Speed | Unit::Distance, Value::Decimal(value))
        | (Unit::Percent, Value::Percent(value))
        | (Unit::Speed, Value::Speed(value))
        | (Unit::Distance, Value::Distance(value)) => {
            // A constant finer than a step is compared with multiples of the step only.
            decimal_steps(
                value.round_dp_with_strategy(DECIMAL_PLACES, rust_decimal::RoundingStrategy::ToPositiveInfinity),
            )
        }
        (_, _) => number(constant, unit).ok().map(|number| number.steps),
    }
}

fn whole(value: Decimal) -> Option<i128> {
    let value = value.normalize();
    (value.scale() == 0).then(|| value.mantissa())
}

fn decimal_steps(value: Decimal) -> Option<i128> {
    let value = value.normalize();
    let places = DECIMAL_PLACES.checked_sub(value.scale())?;
    value.mantissa().checked_mul(10_i128.pow(places))
}

/// `steps · 10^-places`, with trailing zeros dropped so that whole results stay whole and large ones fit.
fn decimal(mut steps: i128, mut places: u32) -> Option<Decimal> {
    while places > 0 && steps % 10 == 0 {
        steps /= 10;
        places -= 1;
    }
    Decimal::try_from_i128_with_scale(steps, places).ok()
}
