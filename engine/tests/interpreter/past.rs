//! Questions about the past, answered from all of it.

use std::cell::{Cell, RefCell};

use grammar::ast;
use num_bigint::BigInt;
use rust_decimal::Decimal;

use super::{
    Cause, Fact, Past, Plain, World, lookup,
    plain::{NO_RATES, half_even, order},
};

impl<'a> World<'a> {
    pub(super) fn aggregate(&self, aggregate: &'a ast::Aggregate) -> Fact<'a> {
        let keys = match self.keys(&aggregate.keys) {
            Ok(keys) => keys,
            Err(cause) => return Fact::Unknown(cause),
        };
        let earlier: Vec<&Past> = self.earlier().filter(|event| agree(event, &keys)).collect();
        let midnight = match &aggregate.window {
            ast::Window::Calendar(calendar) => match self.began(calendar) {
                Ok(began) => began,
                Err(cause) => return Fact::Unknown(cause),
            },
            _ => 0,
        };
        let after = |event: &&&Past| match &aggregate.window {
            ast::Window::Sliding(length) => event.at > self.this.at - length.as_millis().expect("it is a length"),
            ast::Window::Tumbling(length) => {
                let length = length.as_millis().expect("it is a length");
                event.at >= self.this.at - self.this.at.rem_euclid(length)
            }
            ast::Window::Since(path) => {
                let anchors = earlier.iter().filter(|event| event.kind == path.text());
                let anchor = anchors.map(|event| (event.at, event.seq)).max();
                anchor.is_none_or(|anchor| (event.at, event.seq) > anchor)
            }
            ast::Window::Calendar(_) => event.at >= midnight,
        };
        let mut inside: Vec<&Past> = earlier.iter().filter(after).copied().collect();
        inside.extend(aggregate.including_this.then_some(self.this));
        let kind = aggregate.event.text();
        // Whether each passes the filter, and its value; those without the field are skipped.
        let passes = inside.into_iter().filter(|event| event.kind == kind).filter_map(|event| {
            match self.passes(event, aggregate.filter.as_ref()) {
                Ok(false) => None,
                Ok(true) => Some((true, event)),
                Err(_) => Some((false, event)),
            }
        });
        let Some(field) = &aggregate.argument else {
            let (sure, perhaps): (Vec<_>, Vec<_>) = passes.partition(|(certain, _)| *certain);
            return whole(sure.len(), sure.len() + perhaps.len());
        };
        let field = field.text();
        let (mut sure, mut perhaps) = (Vec::new(), Vec::new());
        for (certain, event) in passes {
            // Amounts are kept in the currency that they are compared with, at the rate of their own time.
            let fact = match (lookup(&event.record, &field), self.hint.get()) {
                (Fact::Known(Plain::Money(minor, currency)), Some(hint))
                    if !self.pack.rates.is_empty() && aggregate.function != ast::AggregateFn::Count =>
                {
                    match self.exchange(event).convert(minor, currency, hint) {
                        Ok(minor) => Fact::Known(Plain::Money(minor, hint)),
                        Err(cause) => return Fact::Unknown(cause),
                    }
                }
                (fact, _) => fact,
            };
            match fact {
                Fact::Known(value) if certain => sure.push(value),
                Fact::Known(value) => perhaps.push(value),
                Fact::Unknown("absent") => {}
                other => panic!("no aggregate of {other:?} in these tests"),
            }
        }
        if aggregate.distinct {
            sure = distinct(&sure, &[]);
            perhaps = distinct(&perhaps, &sure);
        }
        if aggregate.function == ast::AggregateFn::Count {
            return whole(sure.len(), sure.len() + perhaps.len());
        }
        let mut currencies = sure.iter().chain(&perhaps).filter_map(currency);
        if let Some(one) = currencies.next()
            && currencies.any(|other| other != one)
        {
            return Fact::Unknown("currency_mismatch");
        }
        match aggregate.function {
            ast::AggregateFn::Sum => self.sum(&field, &sure, &perhaps),
            _ if sure.is_empty() => Fact::Unknown(if perhaps.is_empty() { "absent" } else { "low_precision" }),
            ast::AggregateFn::Min => Fact::between(least(sure.iter().chain(&perhaps)), least(sure.iter()), "absent"),
            ast::AggregateFn::Max => Fact::between(most(sure.iter()), most(sure.iter().chain(&perhaps)), "absent"),
            ast::AggregateFn::Avg => mean(&sure, &perhaps),
            ast::AggregateFn::P95 => percentile(&sure, &perhaps),
            ast::AggregateFn::Stddev => deviation(&sure, &perhaps),
            ast::AggregateFn::Count => panic!("counted before"),
        }
    }

    /// The sum of none is zero: in the currency it is compared with, or else in that of the event being judged.
    fn sum(&self, field: &str, sure: &[Plain<'a>], perhaps: &[Plain<'a>]) -> Fact<'a> {
        let zero = match self.pack.types[field] {
            "int" => Plain::Int(0),
            "decimal" => Plain::Decimal(Decimal::ZERO),
            "percent" => Plain::Percent(Decimal::ZERO),
            "duration" => Plain::Millis(0),
            "money" => {
                let own = match lookup(&self.this.record, field) {
                    Fact::Known(value) => currency(&value),
                    Fact::Between(..) | Fact::Unknown(_) => None,
                };
                let certain = sure.iter().find_map(currency).or(self.hint.get()).or(own);
                match (certain, perhaps.iter().find_map(currency)) {
                    // Nothing, or something in another currency.
                    (certain, Some(perhaps)) if certain != Some(perhaps) => return Fact::Unknown("currency_mismatch"),
                    (Some(certain), _) => Plain::Money(0, certain),
                    (None, _) => return Fact::Unknown("absent"),
                }
            }
            other => panic!("no sum of {other} in these tests"),
        };
        let total: i128 = sure.iter().map(steps).sum();
        let part = |sign: i128| perhaps.iter().map(steps).filter(|steps| steps.signum() == sign).sum::<i128>();
        match (like(total + part(-1), &zero), like(total + part(1), &zero)) {
            (Some(low), Some(high)) => Fact::between(low, high, "absent"),
            (_, _) => Fact::Unknown("overflow"),
        }
    }

    pub(super) fn seen(&self, seen: &'a ast::Seen) -> Fact<'a> {
        let paths: Vec<&ast::Path> = std::iter::once(&seen.what).chain(&seen.keys).collect();
        let keys: Result<Vec<_>, Cause> = paths.into_iter().map(|path| self.key(path)).collect();
        let keys = match keys {
            Ok(keys) => keys,
            Err(cause) => return Fact::Unknown(cause),
        };
        let from = seen.within.as_ref().map_or(i64::MIN, |within| self.this.at - within.as_millis().expect("a length"));
        let found = self
            .earlier()
            .filter(|event| !event.kind.starts_with("challenge.") && event.at > from && agree(event, &keys));
        let moment = |at: Option<i64>| at.map_or(Fact::Unknown("absent"), |at| Fact::Known(Plain::Moment(at)));
        match seen.function {
            ast::SeenFn::Times => whole(found.clone().count(), found.count()),
            ast::SeenFn::First => moment(found.map(|event| event.at).min()),
            ast::SeenFn::Last => moment(found.map(|event| event.at).max()),
        }
    }

    /// When the calendar's unit began there: the clock is turned back, minute by minute.
    fn began(&self, calendar: &'a ast::CalendarWindow) -> Result<i64, Cause> {
        const MINUTE: i64 = 60_000;
        const HOUR: i64 = 60 * MINUTE;
        let zone = self.fact(&calendar.zone);
        let local = |at: i64| self.local(Fact::Known(Plain::Moment(at)), zone);
        let now = local(self.this.at)?;
        let mut at = self.this.at - self.this.at.rem_euclid(MINUTE);
        if calendar.unit == ast::CalendarUnit::Hour {
            while local(at)?.minute() != 0 {
                at -= MINUTE;
            }
            return Ok(at);
        }
        let same = |at: i64| -> Result<bool, Cause> {
            let (one, other) = (local(at)?.date(), now.date());
            Ok(match calendar.unit {
                ast::CalendarUnit::Hour | ast::CalendarUnit::Day => one == other,
                ast::CalendarUnit::Week => one.iso_week_date().week() == other.iso_week_date().week(),
                ast::CalendarUnit::Month => one.month() == other.month(),
            })
        };
        for step in [HOUR, MINUTE] {
            while same(at - step)? {
                at -= step;
            }
        }
        Ok(at)
    }

    pub(super) fn earlier(&self) -> impl Iterator<Item = &'a Past> + Clone {
        let this = (self.this.at, self.this.seq);
        self.past.iter().filter(move |event| (event.at, event.seq) < this)
    }

    fn keys<'k>(&self, paths: &'k [ast::Path]) -> Result<Vec<(String, Plain<'a>)>, Cause> {
        paths.iter().map(|path| self.key(path)).collect()
    }

    fn key(&self, path: &ast::Path) -> Result<(String, Plain<'a>), Cause> {
        match self.read(path) {
            Fact::Known(value) => Ok((path.text(), value)),
            Fact::Between(_, _, cause) | Fact::Unknown(cause) => Err(cause),
        }
    }

    fn passes(&self, event: &'a Past, filter: Option<&'a ast::Expr>) -> Result<bool, Cause> {
        let Some(filter) = filter else { return Ok(true) };
        let there = World {
            this: event,
            past: &[],
            in_where: true,
            hint: Cell::new(None),
            computed: RefCell::default(),
            ..*self
        };
        there.truth(filter)
    }
}

fn agree(event: &Past, keys: &[(String, Plain<'_>)]) -> bool {
    keys.iter().all(|(path, value)| lookup(&event.record, path) == Fact::Known(*value))
}

fn whole<'a>(least: usize, most: usize) -> Fact<'a> {
    Fact::between(Plain::Int(least as i64), Plain::Int(most as i64), "absent")
}

/// The different ones among `values` that are not in `known`.
fn distinct<'a>(values: &[Plain<'a>], known: &[Plain<'a>]) -> Vec<Plain<'a>> {
    let mut found: Vec<Plain<'a>> = Vec::new();
    for value in values {
        let same = |other: &Plain<'a>| order(*value, *other, NO_RATES).is_some_and(|order| order.is_eq());
        if !known.iter().any(same) && !found.iter().any(same) {
            found.push(*value);
        }
    }
    found
}

fn currency<'a>(value: &Plain<'a>) -> Option<&'a str> {
    match value {
        Plain::Money(_, currency) => Some(currency),
        _ => None,
    }
}

fn least<'p, 'a: 'p>(values: impl Iterator<Item = &'p Plain<'a>>) -> Plain<'a> {
    *values.min_by(|a, b| order(**a, **b, NO_RATES).expect("one currency")).expect("there is one")
}

fn most<'p, 'a: 'p>(values: impl Iterator<Item = &'p Plain<'a>>) -> Plain<'a> {
    *values.max_by(|a, b| order(**a, **b, NO_RATES).expect("one currency")).expect("there is one")
}

/// In whole steps of the value's unit.
fn steps(value: &Plain<'_>) -> i128 {
    match value {
        Plain::Int(value) | Plain::Millis(value) | Plain::Moment(value) => i128::from(*value),
        Plain::Money(minor, _) => *minor,
        Plain::Decimal(value) | Plain::Percent(value) => value.mantissa() * 10_i128.pow(DECIMAL_PLACES - value.scale()),
        other => panic!("{other:?} has no steps"),
    }
}

const DECIMAL_PLACES: u32 = 12;

fn like<'a>(steps: i128, value: &Plain<'a>) -> Option<Plain<'a>> {
    let decimal = || Some(Decimal::try_from_i128_with_scale(steps, DECIMAL_PLACES).ok()?.normalize());
    match value {
        Plain::Int(_) => i64::try_from(steps).ok().map(Plain::Int),
        Plain::Millis(_) => i64::try_from(steps).ok().map(Plain::Millis),
        Plain::Money(_, currency) => Some(Plain::Money(steps, currency)),
        Plain::Decimal(_) => decimal().map(Plain::Decimal),
        Plain::Percent(_) => decimal().map(Plain::Percent),
        other => panic!("{other:?} has no steps"),
    }
}

/// The mean, rounded half to even: of whole numbers to nine decimals, of all others to their own unit. With values
/// that are perhaps there: from the least it can be to the most.
fn mean<'a>(sure: &[Plain<'a>], perhaps: &[Plain<'a>]) -> Fact<'a> {
    let example = sure[0];
    let furthest = |descending: bool| {
        let mut others: Vec<i128> = perhaps.iter().map(steps).collect();
        others.sort_unstable();
        if descending {
            others.reverse();
        }
        let (mut sum, mut count) = (sure.iter().map(steps).sum::<i128>(), sure.len() as i128);
        for other in others {
            let helps = if descending { other * count > sum } else { other * count < sum };
            if helps {
                (sum, count) = (sum + other, count + 1);
            }
        }
        let finer: i128 = if matches!(example, Plain::Int(_)) { 1_000_000_000 } else { 1 };
        let mean = half_even(&(BigInt::from(sum) * finer), &BigInt::from(count))?;
        match example {
            Plain::Int(_) => Some(Plain::Decimal(Decimal::try_from_i128_with_scale(mean, 9).ok()?.normalize())),
            other => like(mean, &other),
        }
    };
    match (furthest(false), furthest(true)) {
        (Some(low), Some(high)) => Fact::between(low, high, "absent"),
        (_, _) => Fact::Unknown("overflow"),
    }
}

/// The 95th percentile by nearest rank. With values that are perhaps there: from the least it can be to the most, each
/// with as many of the least, or the greatest, as make it so.
fn percentile<'a>(sure: &[Plain<'a>], perhaps: &[Plain<'a>]) -> Fact<'a> {
    let ranked = |mut values: Vec<Plain<'a>>| {
        values.sort_by(|a, b| order(*a, *b, NO_RATES).expect("one currency"));
        values[(values.len() * 95).div_ceil(100) - 1]
    };
    let mut others = perhaps.to_vec();
    others.sort_by(|a, b| order(*a, *b, NO_RATES).expect("one currency"));
    let with = |others: &[Plain<'a>]| ranked(sure.iter().chain(others).copied().collect());
    let least: Vec<Plain<'a>> = (0..=others.len()).map(|many| with(&others[..many])).collect();
    let greatest: Vec<Plain<'a>> = (0..=others.len()).map(|many| with(&others[many..])).collect();
    Fact::between(self::least(least.iter()), most(greatest.iter()), "absent")
}

/// The standard deviation of the population, rounded half to even: of whole numbers to nine decimals, of all others to
/// their own unit.
fn deviation<'a>(sure: &[Plain<'a>], perhaps: &[Plain<'a>]) -> Fact<'a> {
    assert!(perhaps.is_empty(), "the tests ask for no deviation of what is perhaps there");
    let example = sure[0];
    let finer: i128 = if matches!(example, Plain::Int(_)) { 1_000_000_000 } else { 1 };
    let values: Vec<BigInt> = sure.iter().map(|value| BigInt::from(steps(value)) * finer).collect();
    let count = BigInt::from(values.len());
    let sum: BigInt = values.iter().sum();
    let squares: BigInt = values.iter().map(|value| value * value).sum();
    // n² times the variance; its root is n times the deviation.
    let variance = &count * squares - &sum * &sum;
    let floor = variance.sqrt() / &count;
    // Twice the deviation, squared, against twice the middle between two whole numbers, squared.
    let (middle, twice): (BigInt, BigInt) = (&floor * 2 + 1, variance * 4);
    let up = match twice.cmp(&(&middle * &middle * &count * &count)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => &floor % 2 != BigInt::ZERO,
        std::cmp::Ordering::Greater => true,
    };
    let Ok(rounded) = i128::try_from(floor + i32::from(up)) else { return Fact::Unknown("overflow") };
    let value = match example {
        Plain::Int(_) => Decimal::try_from_i128_with_scale(rounded, 9).ok().map(|it| Plain::Decimal(it.normalize())),
        other => like(rounded, &other),
    };
    value.map_or(Fact::Unknown("overflow"), Fact::Known)
}
