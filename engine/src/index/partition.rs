//! From a value to its class.
//!
//! The constants that tests compare a feature with divide its values into positions ([`Domain`]): each constant, and
//! each stretch between two. Positions that no test tells apart are one class ([`Partition`]).

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use ipnet::IpNet;
use rust_decimal::Decimal;

use super::{
    feature::{ODD, constant, constants_of},
    number::{moved, text, whole},
};
use crate::{
    ir::{Ask, Comparison, Cond},
    value::Value,
};

/// The kinds of values that can be divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int,
    Duration,
    Asn,
    Weekday,
    Country,
    Currency,
    Decimal,
    Percent,
    Money,
    Timestamp,
    Speed,
    Distance,
    Text,
    User,
    Device,
    Ip,
}

/// The kind of a constant; none if its like cannot be divided.
pub(super) fn kind(value: &Value) -> Option<Kind> {
    match value {
        Value::Bool(_) => Some(Kind::Bool),
        Value::Int(_) => Some(Kind::Int),
        Value::Decimal(_) => Some(Kind::Decimal),
        Value::Percent(_) => Some(Kind::Percent),
        Value::Money(_) => Some(Kind::Money),
        Value::Duration(_) => Some(Kind::Duration),
        Value::Timestamp(_) => Some(Kind::Timestamp),
        Value::Country(_) => Some(Kind::Country),
        Value::Currency(_) => Some(Kind::Currency),
        Value::Asn(_) => Some(Kind::Asn),
        Value::Ip(_) | Value::Cidr(_) => Some(Kind::Ip),
        Value::Speed(_) => Some(Kind::Speed),
        Value::Distance(_) => Some(Kind::Distance),
        Value::Text(_) => Some(Kind::Text),
        Value::User(_) => Some(Kind::User),
        Value::Device(_) => Some(Kind::Device),
        Value::Weekday(_) => Some(Kind::Weekday),
        Value::Geo(_) | Value::Clock(_) | Value::List(_) => None,
    }
}

/// The values of a feature, divided by the constants they are compared with.
#[derive(Debug)]
pub(super) enum Domain {
    /// Nothing is compared: all values are alike.
    Alike,
    /// Constants in order. `2i + 1` is the constant `i`; `2i` is what lies before it and after the one before. Where
    /// values have no order, `0` is every other value.
    Points { constants: Vec<Value>, ordered: bool, kind: Kind },
    /// The first addresses of stretches that no network or address divides.
    Addresses { v4: Vec<u32>, v6: Vec<u128> },
}

impl Domain {
    /// The domain that these questions make; none if they compare the feature with things that do not go together.
    pub fn of<'a>(asks: impl Iterator<Item = &'a Ask> + Clone) -> Option<Domain> {
        let mut constants: Vec<Value> = asks.clone().flat_map(constants_of).collect();
        let first = match constants.first() {
            None => return Some(Domain::Alike),
            Some(first) => kind(first)?,
        };
        let mut common = first;
        for value in &constants {
            common = match (common, kind(value)?) {
                (a, b) if a == b => a,
                // Whole and fixed-point numbers compare with each other.
                (Kind::Int | Kind::Decimal, Kind::Int | Kind::Decimal) => Kind::Decimal,
                (_, _) => return None,
            };
        }
        if common == Kind::Ip {
            return Some(Domain::addresses(&constants));
        }
        // Two currencies have no order.
        let comparable = constants.iter().all(|value| constants.first().is_some_and(|a| a.compare(value).is_some()));
        if !comparable {
            return None;
        }
        constants.sort_by(|a, b| a.compare(b).unwrap_or(std::cmp::Ordering::Equal));
        constants.dedup_by(|a, b| a.same(b) == Some(true));
        let ordered = match common {
            Kind::Int
            | Kind::Duration
            | Kind::Decimal
            | Kind::Percent
            | Kind::Money
            | Kind::Timestamp
            | Kind::Speed
            | Kind::Distance => true,
            Kind::Bool
            | Kind::Asn
            | Kind::Weekday
            | Kind::Country
            | Kind::Currency
            | Kind::Text
            | Kind::User
            | Kind::Device
            | Kind::Ip => false,
        };
        Some(Domain::Points { constants, ordered, kind: common })
    }

    /// Whether its values are amounts of money.
    pub fn is_money(&self) -> bool {
        matches!(self, Domain::Points { kind: Kind::Money, .. })
    }

    fn addresses(constants: &[Value]) -> Domain {
        let (mut v4, mut v6) = (vec![0], vec![0]);
        for value in constants {
            let (first, last) = match value {
                Value::Ip(ip) => (*ip, *ip),
                Value::Cidr(net) => (net.network(), net.broadcast()),
                _ => continue,
            };
            match (first, last) {
                (IpAddr::V4(first), IpAddr::V4(last)) => {
                    v4.push(first.to_bits());
                    v4.extend(last.to_bits().checked_add(1));
                }
                (IpAddr::V6(first), IpAddr::V6(last)) => {
                    v6.push(first.to_bits());
                    v6.extend(last.to_bits().checked_add(1));
                }
                (_, _) => {}
            }
        }
        v4.sort_unstable();
        v4.dedup();
        v6.sort_unstable();
        v6.dedup();
        Domain::Addresses { v4, v6 }
    }

    /// How many positions there are.
    pub fn len(&self) -> usize {
        match self {
            Domain::Alike => 0,
            Domain::Points { constants, .. } => 2 * constants.len() + 1,
            Domain::Addresses { v4, v6 } => v4.len() + v6.len(),
        }
    }

    /// The positions that values can have.
    pub fn positions(&self) -> Vec<usize> {
        match self {
            Domain::Points { ordered: false, constants, .. } => {
                (0..=constants.len()).map(|place| if place == 0 { 0 } else { 2 * place - 1 }).collect()
            }
            Domain::Alike | Domain::Points { ordered: true, .. } | Domain::Addresses { .. } => {
                (0..self.len()).collect()
            }
        }
    }

    /// Where a question is answered with yes.
    pub fn ranges(&self, ask: &Ask) -> Ranges {
        let ranges = match (ask, self) {
            (Ask::Listed(_) | Ask::Holds(_), _) => return Ranges::truth(),
            (Ask::Compare(op, a, b), Domain::Points { .. }) => match (constant(b), constant(a)) {
                (Some(value), _) => vec![self.compared(*op, value)],
                (None, Some(value)) => vec![self.compared(op.flipped(), value)],
                (None, None) => Vec::new(),
            },
            (Ask::Compare(_, a, b), Domain::Addresses { .. }) => {
                constant(b).or(constant(a)).and_then(|value| self.stretch(value)).into_iter().collect()
            }
            (Ask::Among(_, values), Domain::Points { .. }) => {
                values.iter().map(|value| self.place(value)).map(|at| (at, at + 1)).collect()
            }
            (Ask::Among(_, values), Domain::Addresses { .. }) => {
                values.iter().filter_map(|value| self.stretch(value)).collect()
            }
            (Ask::Within(_, networks), _) => {
                networks.iter().filter_map(|net| self.stretch(&Value::Cidr(*net))).collect()
            }
            (
                Ask::Compare(..)
                | Ask::Among(..)
                | Ask::Contains(..)
                | Ask::Clock { .. }
                | Ask::Matches(..)
                | Ask::Missing(_)
                | Ask::Known(_),
                _,
            ) => Vec::new(),
        };
        Ranges::of(ranges)
    }

    fn compared(&self, op: Comparison, value: &Value) -> (usize, usize) {
        let (at, end) = (self.place(value), self.len());
        match op {
            Comparison::Equal => (at, at + 1),
            Comparison::Less => (0, at),
            Comparison::AtMost => (0, at + 1),
            Comparison::Greater => (at + 1, end),
            Comparison::AtLeast => (at, end),
        }
    }

    /// The position of a constant.
    fn place(&self, value: &Value) -> usize {
        match self {
            Domain::Points { constants, .. } => {
                2 * constants.partition_point(|other| other.compare(value).is_some_and(std::cmp::Ordering::is_lt)) + 1
            }
            Domain::Alike | Domain::Addresses { .. } => 0,
        }
    }

    /// The positions of an address or a network.
    fn stretch(&self, value: &Value) -> Option<(usize, usize)> {
        let Domain::Addresses { v4, v6 } = self else { return None };
        let net = match value {
            Value::Ip(ip) => IpNet::from(*ip),
            Value::Cidr(net) => *net,
            _ => return None,
        };
        match (net.network(), net.broadcast()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                let (first, last) = (first.to_bits(), last.to_bits());
                Some((v4.partition_point(|at| *at < first), v4.partition_point(|at| *at <= last)))
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                let (first, last) = (first.to_bits(), last.to_bits());
                let from = v4.len();
                Some((from + v6.partition_point(|at| *at < first), from + v6.partition_point(|at| *at <= last)))
            }
            (_, _) => None,
        }
    }
}

/// The position of `true` in a domain of truth values, and of a list's yes.
const TRUE_POSITION: usize = 3;

/// Sorted positions, as stretches from a first to one past the last.
#[derive(Debug)]
pub(super) struct Ranges(Vec<(usize, usize)>);

impl Ranges {
    /// Where a truth value is true.
    pub fn truth() -> Ranges {
        Ranges(vec![(TRUE_POSITION, TRUE_POSITION + 1)])
    }

    fn of(mut ranges: Vec<(usize, usize)>) -> Ranges {
        ranges.retain(|(start, end)| start < end);
        ranges.sort_unstable();
        let mut merged: Vec<(usize, usize)> = Vec::with_capacity(ranges.len());
        for (start, end) in ranges {
            match merged.last_mut() {
                Some((_, last)) if *last >= start => *last = (*last).max(end),
                _ => merged.push((start, end)),
            }
        }
        Ranges(merged)
    }

    pub fn contains(&self, position: usize) -> bool {
        let before = self.0.partition_point(|(start, _)| *start <= position);
        before.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, end)| position < *end)
    }
}

/// How a value's class is found.
#[derive(Debug)]
pub(super) enum Partition {
    /// All values are alike.
    Alike,
    /// A whole condition is asked instead.
    Condition(Cond),
    /// A list's answer.
    Answer,
    /// Whole numbers, by the constants they lie between.
    Whole(Stretches),
    /// Anything with an order.
    Ordered { cuts: Box<[Value]>, classes: Box<[u16]> },
    /// Texts and ids.
    Texts { kind: Kind, classes: HashMap<Arc<str>, u16, foldhash::fast::FixedState>, other: u16 },
    /// Addresses.
    Addresses { v4: Box<[u32]>, v4_classes: Box<[u16]>, v6: Box<[u128]>, v6_classes: Box<[u16]> },
}

/// Constants that are whole numbers, and the classes of each and of what lies between.
#[derive(Debug)]
pub(super) struct Stretches {
    kind: Kind,
    cuts: Box<[i64]>,
    classes: Box<[u16]>,
}

impl Stretches {
    #[inline]
    fn position(&self, number: i64) -> usize {
        let before = self.cuts.partition_point(|cut| *cut < number);
        2 * before + usize::from(self.cuts.get(before) == Some(&number))
    }

    /// The position of a fixed-point number, which may lie between two whole ones.
    fn fixed(&self, number: Decimal) -> usize {
        let before = self.cuts.partition_point(|cut| Decimal::from(*cut) < number);
        2 * before + usize::from(self.cuts.get(before).is_some_and(|cut| Decimal::from(*cut) == number))
    }
}

impl Partition {
    /// The partition of a domain whose positions have these classes.
    pub fn new(domain: Domain, classes: Vec<u16>) -> Partition {
        let class = |position: usize| classes.get(position).copied().unwrap_or(ODD);
        match domain {
            Domain::Alike => Partition::Alike,
            Domain::Addresses { v4, v6 } => {
                let (a, b) = classes.split_at(v4.len().min(classes.len()));
                Partition::Addresses { v4: v4.into(), v4_classes: a.into(), v6: v6.into(), v6_classes: b.into() }
            }
            Domain::Points { constants, ordered, kind } => {
                if let Some(texts) = constants.iter().map(text).collect::<Option<Vec<_>>>() {
                    let classes: HashMap<Arc<str>, u16, _> = texts
                        .into_iter()
                        .enumerate()
                        .map(|(place, text)| (Arc::clone(text), class(2 * place + 1)))
                        .collect();
                    return Partition::Texts { kind, classes, other: class(0) };
                }
                let cuts: Option<Vec<i64>> = constants.iter().map(|value| whole(value, kind)).collect();
                let Some(cuts) = cuts else {
                    return Partition::Ordered { cuts: constants.into(), classes: classes.into() };
                };
                // Where values have no order, what lies between two constants is like everything else.
                let classes: Box<[u16]> = (0..2 * cuts.len() + 1)
                    .map(|position| if ordered || position % 2 == 1 { class(position) } else { class(0) })
                    .collect();
                Partition::Whole(Stretches { kind, cuts: cuts.into(), classes })
            }
        }
    }

    /// The class of a value.
    pub fn class(&self, value: &Value) -> u16 {
        match self {
            Partition::Whole(_) | Partition::Ordered { .. } => {
                self.position(value).map_or(ODD, |position| self.class_at(position))
            }
            Partition::Texts { kind: wanted, .. } => match text(value) {
                Some(text) if kind(value) == Some(*wanted) => self.text_class(text),
                Some(_) | None => ODD,
            },
            Partition::Addresses { v4, v4_classes, v6, v6_classes } => match value {
                Value::Ip(IpAddr::V4(ip)) => within(v4, v4_classes, ip.to_bits()),
                Value::Ip(IpAddr::V6(ip)) => within(v6, v6_classes, ip.to_bits()),
                _ => ODD,
            },
            Partition::Alike | Partition::Condition(_) | Partition::Answer => ODD,
        }
    }

    /// The class of every text that is no constant, if the constants are texts.
    pub fn other_text(&self) -> Option<u16> {
        match self {
            Partition::Texts { other, .. } => Some(*other),
            Partition::Alike
            | Partition::Condition(_)
            | Partition::Answer
            | Partition::Whole(_)
            | Partition::Ordered { .. }
            | Partition::Addresses { .. } => None,
        }
    }

    /// The class of a text.
    pub fn text_class(&self, text: &str) -> u16 {
        match self {
            Partition::Texts { classes, other, .. } => classes.get(text).copied().unwrap_or(*other),
            Partition::Alike
            | Partition::Condition(_)
            | Partition::Answer
            | Partition::Whole(_)
            | Partition::Ordered { .. }
            | Partition::Addresses { .. } => ODD,
        }
    }

    /// The constants as whole numbers as they are noted, with the class of every position as in [`Domain::Points`]. An
    /// address of four bytes is one too.
    pub fn whole_numbers(&self) -> Option<(Vec<i64>, Vec<u16>)> {
        match self {
            Partition::Whole(Stretches { kind, cuts, classes, .. }) => {
                Some((cuts.iter().map(|cut| cut.saturating_sub(moved(*kind))).collect(), classes.to_vec()))
            }
            Partition::Addresses { v4, v4_classes, .. } => {
                // What lies before the start of a stretch belongs to the stretch before.
                let classes = v4_classes.iter().flat_map(|class| [*class; 2]);
                let starts = v4.iter().map(|start| i64::from(*start) - moved(Kind::Ip));
                Some((starts.collect(), [ODD].into_iter().chain(classes).collect()))
            }
            Partition::Alike
            | Partition::Condition(_)
            | Partition::Answer
            | Partition::Ordered { .. }
            | Partition::Texts { .. } => None,
        }
    }

    /// Where a value lies among the constants, as in [`Domain::Points`]; none where there is no order to lie in.
    pub fn position(&self, value: &Value) -> Option<usize> {
        match self {
            Partition::Whole(stretches) => match value {
                // A fixed-point field may be compared with whole numbers only.
                Value::Decimal(number) if stretches.kind == Kind::Int => Some(stretches.fixed(*number)),
                _ => whole(value, stretches.kind).map(|number| stretches.position(number)),
            },
            Partition::Ordered { cuts, .. } => {
                cuts.first()?.compare(value)?;
                let before = cuts.partition_point(|cut| cut.compare(value).is_some_and(std::cmp::Ordering::is_lt));
                let exactly = cuts.get(before).is_some_and(|cut| cut.same(value) == Some(true));
                Some(2 * before + usize::from(exactly))
            }
            Partition::Alike
            | Partition::Condition(_)
            | Partition::Answer
            | Partition::Texts { .. }
            | Partition::Addresses { .. } => None,
        }
    }

    /// The position beyond the last constant.
    pub fn last(&self) -> Option<usize> {
        self.by_position().and_then(|classes| classes.len().checked_sub(1))
    }

    /// The class of a position.
    pub fn class_at(&self, position: usize) -> u16 {
        self.by_position().and_then(|classes| classes.get(position)).copied().unwrap_or(ODD)
    }

    fn by_position(&self) -> Option<&[u16]> {
        match self {
            Partition::Whole(Stretches { classes, .. }) | Partition::Ordered { classes, .. } => Some(classes),
            Partition::Alike
            | Partition::Condition(_)
            | Partition::Answer
            | Partition::Texts { .. }
            | Partition::Addresses { .. } => None,
        }
    }
}

/// The class of the stretch a number lies in; the first begins at zero.
#[inline]
fn within<N: PartialOrd + Copy>(starts: &[N], classes: &[u16], number: N) -> u16 {
    let after = starts.partition_point(|start| *start <= number);
    after.checked_sub(1).and_then(|place| classes.get(place)).copied().unwrap_or(ODD)
}
