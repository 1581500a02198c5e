//! Checked arithmetic on values and intervals. What leaves its range is unknown, never wrapped.

use rust_decimal::Decimal;

use super::scene::Reading;
use crate::{exact, interval::Interval, ir::Arithmetic, maybe::Why, rates::Exchange, value::Value};

const MS_PER_HOUR: Decimal = Decimal::from_parts(3_600_000, 0, 0, false, 0);

/// `a op b`. Unknown in, unknown out; intervals give intervals.
pub(crate) fn arithmetic(op: Arithmetic, a: Reading, b: Reading, exchange: Exchange<'_>) -> Reading {
    match (a, b) {
        (Reading::Known(a), Reading::Known(b)) => match on_values(op, &a, &b, exchange) {
            Ok(value) => Reading::Known(value),
            Err(why) => Reading::Unknown(why),
        },
        (Reading::Unknown(why), _) | (_, Reading::Unknown(why)) => Reading::Unknown(why),
        (a, b) => match (a.interval(), b.interval()) {
            (Ok(a), Ok(b)) => on_intervals(op, &a, &b, exchange),
            (Err(why), _) | (_, Err(why)) => Reading::Unknown(why),
        },
    }
}

fn on_intervals(op: Arithmetic, a: &Interval<Value>, b: &Interval<Value>, exchange: Exchange<'_>) -> Reading {
    let why = a.why.or(b.why);
    let fails = |why| Reading::Unknown(why);
    let both = |x: &Option<Value>, y: &Option<Value>| match (x, y) {
        (Some(x), Some(y)) => on_values(op, x, y, exchange).map(Some),
        (_, _) => Ok(None),
    };
    let bounds = match op {
        Arithmetic::Add => (both(&a.lo, &b.lo), both(&a.hi, &b.hi)),
        Arithmetic::Subtract => (both(&a.lo, &b.hi), both(&a.hi, &b.lo)),
        // Both are monotonic in each operand between its bounds (a divisor that may be zero has no quotient), so the
        // extremes lie at the corners; with an infinite corner nothing is known but that.
        Arithmetic::Multiply | Arithmetic::Divide => {
            let (Some(a0), Some(a1), Some(b0), Some(b1)) = (&a.lo, &a.hi, &b.lo, &b.hi) else {
                return half_open(op, a, b, why, exchange);
            };
            if op == Arithmetic::Divide && sign(b0) != sign(b1) {
                return fails(why.unwrap_or(Why::Overflow));
            }
            let mut least: Option<Value> = None;
            let mut most: Option<Value> = None;
            for (x, y) in [(a0, b0), (a0, b1), (a1, b0), (a1, b1)] {
                match on_values(op, x, y, exchange) {
                    Ok(corner) => {
                        if least.as_ref().is_none_or(|old| corner.compare(old).is_some_and(|order| order.is_lt())) {
                            least = Some(corner.clone());
                        }
                        if most.as_ref().is_none_or(|old| corner.compare(old).is_some_and(|order| order.is_gt())) {
                            most = Some(corner);
                        }
                    }
                    Err(why) => return fails(why),
                }
            }
            (Ok(least), Ok(most))
        }
    };
    match bounds {
        (Ok(lo), Ok(hi)) => Reading::of(Interval { lo, hi, why }),
        (Err(why), _) | (_, Err(why)) => fails(why),
    }
}

/// `[k, ∞) * c` and `[k, ∞) / c` for a positive point `c`, which a saturated counter needs.
fn half_open(
    op: Arithmetic,
    a: &Interval<Value>,
    b: &Interval<Value>,
    why: Option<Why>,
    exchange: Exchange<'_>,
) -> Reading {
    let unknown = Reading::Unknown(why.unwrap_or(Why::Saturated));
    let point = |interval: &Interval<Value>| match (&interval.lo, &interval.hi) {
        (Some(lo), Some(hi)) if lo.same(hi) == Some(true) => Some(lo.clone()),
        (_, _) => None,
    };
    let (open, factor, swapped) = match (point(a), point(b)) {
        (_, Some(factor)) => (a, factor, false),
        (Some(factor), None) if op == Arithmetic::Multiply => (b, factor, true),
        (_, None) => return unknown,
    };
    if sign(&factor) <= 0 {
        return unknown;
    }
    let apply = |bound: &Option<Value>| match bound {
        Some(bound) if swapped => on_values(op, &factor, bound, exchange).map(Some),
        Some(bound) => on_values(op, bound, &factor, exchange).map(Some),
        None => Ok(None),
    };
    match (apply(&open.lo), apply(&open.hi)) {
        (Ok(lo), Ok(hi)) => Reading::of(Interval { lo, hi, why }),
        (Err(why), _) | (_, Err(why)) => Reading::Unknown(why),
    }
}

/// -1, 0 or 1; of no number, 0.
fn sign(value: &Value) -> i32 {
    let of = |number: &Decimal| {
        if number.is_zero() {
            0
        } else if number.is_sign_negative() {
            -1
        } else {
            1
        }
    };
    match value {
        Value::Int(value) | Value::Duration(value) => value.signum() as i32,
        Value::Decimal(value) | Value::Percent(value) | Value::Speed(value) | Value::Distance(value) => of(value),
        Value::Money(money) => money.minor.signum() as i32,
        _ => 0,
    }
}

fn on_values(op: Arithmetic, a: &Value, b: &Value, exchange: Exchange<'_>) -> Result<Value, Why> {
    use Value::{Distance, Duration, Int, Money, Percent, Speed, Timestamp};
    let overflow = Why::Overflow;
    if let (Money(a), Money(b)) = (a, b) {
        // The result is in the currency of the left side.
        return match op {
            Arithmetic::Add => a.plus(exchange.convert(*b, a.currency)?).map(Money).ok_or(overflow),
            Arithmetic::Subtract => a.minus(exchange.convert(*b, a.currency)?).map(Money).ok_or(overflow),
            Arithmetic::Divide => exchange.ratio(*a, *b).map(Value::Decimal),
            Arithmetic::Multiply => Err(overflow),
        };
    }
    let value = match (op, a, b) {
        (Arithmetic::Add, Int(a), Int(b)) => a.checked_add(*b).map(Int),
        (Arithmetic::Subtract, Int(a), Int(b)) => a.checked_sub(*b).map(Int),
        (Arithmetic::Multiply, Int(a), Int(b)) => a.checked_mul(*b).map(Int),
        (Arithmetic::Multiply, Money(money), Percent(share)) | (Arithmetic::Multiply, Percent(share), Money(money)) => {
            money.share(*share).map(Money)
        }
        (Arithmetic::Multiply, Money(money), number) | (Arithmetic::Multiply, number, Money(money)) => {
            decimal(number).and_then(|number| money.times(number)).map(Money)
        }
        (Arithmetic::Divide, Money(money), number) => {
            decimal(number).and_then(|number| money.divided_by(number)).map(Money)
        }
        (Arithmetic::Add, Timestamp(at), Duration(ms)) | (Arithmetic::Add, Duration(ms), Timestamp(at)) => {
            at.checked_add(jiff::SignedDuration::from_millis(*ms)).ok().map(Timestamp)
        }
        (Arithmetic::Subtract, Timestamp(at), Duration(ms)) => {
            at.checked_sub(jiff::SignedDuration::from_millis(*ms)).ok().map(Timestamp)
        }
        (Arithmetic::Subtract, Timestamp(a), Timestamp(b)) => {
            a.as_millisecond().checked_sub(b.as_millisecond()).map(Duration)
        }
        (Arithmetic::Add, Duration(a), Duration(b)) => a.checked_add(*b).map(Duration),
        (Arithmetic::Subtract, Duration(a), Duration(b)) => a.checked_sub(*b).map(Duration),
        (Arithmetic::Divide, Duration(a), Duration(b)) => {
            Decimal::from(*a).checked_div(Decimal::from(*b)).map(Value::Decimal)
        }
        // Multiplied first: a third of an hour has no last decimal.
        (Arithmetic::Divide, Distance(km), Duration(ms)) => {
            km.checked_mul(MS_PER_HOUR).and_then(|km| km.checked_div(Decimal::from(*ms))).map(Speed)
        }
        (Arithmetic::Multiply, Speed(speed), Duration(ms)) | (Arithmetic::Multiply, Duration(ms), Speed(speed)) => {
            speed.checked_mul(Decimal::from(*ms)).and_then(|km| km.checked_div(MS_PER_HOUR)).map(Distance)
        }
        (Arithmetic::Multiply, Duration(ms), number) | (Arithmetic::Multiply, number, Duration(ms)) => {
            decimal(number).and_then(|number| whole_ms(exact::times(i128::from(*ms), number))).map(Duration)
        }
        (Arithmetic::Divide, Duration(ms), number) => {
            decimal(number).and_then(|number| whole_ms(exact::over(i128::from(*ms), number))).map(Duration)
        }
        (op, Percent(a), Percent(b)) => ratio_or(op, *a, *b, Percent),
        (op, Speed(a), Speed(b)) => ratio_or(op, *a, *b, Speed),
        (op, Distance(a), Distance(b)) => ratio_or(op, *a, *b, Distance),
        (op, Percent(a), number) => decimal(number).and_then(|number| scaled(op, *a, number)).map(Percent),
        (op, Speed(a), number) => decimal(number).and_then(|number| scaled(op, *a, number)).map(Speed),
        (op, Distance(a), number) => decimal(number).and_then(|number| scaled(op, *a, number)).map(Distance),
        (Arithmetic::Multiply, number, Percent(b)) => {
            decimal(number).and_then(|number| number.checked_mul(*b)).map(Percent)
        }
        (Arithmetic::Multiply, number, Speed(b)) => {
            decimal(number).and_then(|number| number.checked_mul(*b)).map(Speed)
        }
        (Arithmetic::Multiply, number, Distance(b)) => {
            decimal(number).and_then(|number| number.checked_mul(*b)).map(Distance)
        }
        (op, a, b) => match (decimal(a), decimal(b)) {
            (Some(a), Some(b)) => on_decimals(op, a, b).map(Value::Decimal),
            (_, _) => None,
        },
    };
    value.ok_or(overflow)
}

fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Int(value) => Some(Decimal::from(*value)),
        Value::Decimal(value) => Some(*value),
        _ => None,
    }
}

fn on_decimals(op: Arithmetic, a: Decimal, b: Decimal) -> Option<Decimal> {
    match op {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide => a.checked_div(b),
    }
}

/// Two quantities of one unit: their quotient is a plain number.
fn ratio_or(op: Arithmetic, a: Decimal, b: Decimal, unit: fn(Decimal) -> Value) -> Option<Value> {
    match op {
        Arithmetic::Divide => a.checked_div(b).map(Value::Decimal),
        Arithmetic::Add | Arithmetic::Subtract => on_decimals(op, a, b).map(unit),
        Arithmetic::Multiply => None,
    }
}

fn scaled(op: Arithmetic, quantity: Decimal, number: Decimal) -> Option<Decimal> {
    match op {
        Arithmetic::Multiply => quantity.checked_mul(number),
        Arithmetic::Divide => quantity.checked_div(number),
        Arithmetic::Add | Arithmetic::Subtract => None,
    }
}

fn whole_ms(ms: Option<i128>) -> Option<i64> {
    i64::try_from(ms?).ok()
}
