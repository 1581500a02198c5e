//! Lists: fixed by the pack, or changing at run time.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};

use ipnet::IpNet;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    codes::{Country, Currency},
    decode,
    ir::{Ask, Expr},
    money::Money,
    types::Type,
    value::{Value, weekday_named},
};

/// A declared list.
#[derive(Clone, Debug)]
pub struct List {
    /// Its name, without `@`.
    pub name: Arc<str>,
    /// The type of its entries.
    pub element: Type,
    /// Whether entries come and go at run time (`managed`, `from`).
    pub changes: bool,
    /// How long an added entry stays when nothing else is said, in milliseconds.
    pub ttl_ms: Option<i64>,
    /// The entries the pack itself has.
    pub entries: Entries,
}

impl List {
    /// The amounts on it at this moment, in whatever currencies.
    pub(crate) fn amounts<'a>(&'a self, state: &'a ListState, at: Timestamp) -> impl Iterator<Item = &'a Value> {
        let there = move |end: &Option<Timestamp>| end.is_none_or(|end| at < end);
        let all = [Some(&self.entries), state.lists.get(&*self.name)].into_iter().flatten();
        let values = all.flat_map(|entries| entries.values.values());
        values.filter(move |(_, end)| there(end)).map(|(value, _)| value)
    }
}

/// Entries that answer whether a value is among them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entries {
    /// Networks, when the element type is `cidr`: an address is on the list if one contains it.
    networks: Vec<(Net, Option<Timestamp>)>,
    /// Everything else, by its text, with the moment it ends.
    values: HashMap<String, (Value, Option<Timestamp>)>,
}

/// A network written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Net(IpNet);

impl Serialize for Net {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Net {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Net, D::Error> {
        String::deserialize(deserializer)?.parse().map(Net).map_err(serde::de::Error::custom)
    }
}

impl Entries {
    /// Adds an entry, or lets the one that is there end later.
    pub fn add(&mut self, value: &Value, until: Option<Timestamp>) {
        let later = |old: Option<Timestamp>| match (old, until) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (None, _) | (_, None) => None,
        };
        if let Value::Cidr(net) = value {
            match self.networks.iter_mut().find(|(other, _)| other.0 == *net) {
                Some((_, end)) => *end = later(*end),
                None => self.networks.push((Net(*net), until)),
            }
            return;
        }
        let entry = self.values.entry(key(value));
        entry.and_modify(|(_, end)| *end = later(*end)).or_insert_with(|| (value.clone(), until));
    }

    /// Removes an entry; says whether it was there.
    pub fn remove(&mut self, value: &Value) -> bool {
        match value {
            Value::Cidr(net) => {
                let before = self.networks.len();
                self.networks.retain(|(other, _)| other.0 != *net);
                self.networks.len() < before
            }
            value => self.values.remove(&key(value)).is_some(),
        }
    }

    /// Whether the value is on the list at this moment.
    #[must_use]
    pub fn has(&self, value: &Value, at: Timestamp) -> bool {
        let lasts = |end: &Option<Timestamp>| end.is_none_or(|end| at < end);
        let listed = self.values.get(&key(value)).is_some_and(|(_, end)| lasts(end));
        listed || self.networks.iter().any(|(net, end)| lies_within(value, &net.0) && lasts(end))
    }

    /// The question whether a value is among entries that never change.
    pub(crate) fn asked(&self, value: Expr, ty: &Type) -> Ask {
        if self.networks.is_empty() {
            let mut values: Vec<Value> = self.values.values().map(|(value, _)| value.clone()).collect();
            values.sort_by(|a, b| a.compare(b).unwrap_or(std::cmp::Ordering::Equal).then_with(|| key(a).cmp(&key(b))));
            return Ask::Among(value, values.into());
        }
        let networks = self.networks.iter().map(|(net, _)| net.0);
        match ty {
            Type::Cidr => Ask::Contains(value, Expr::Const(Value::List(networks.map(Value::Cidr).collect()))),
            _ => Ask::Within(value, networks.collect()),
        }
    }

    /// How many entries there are, ended ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.networks.len() + self.values.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn key(value: &Value) -> String {
    plain(value)
}

/// What changed on the lists since the pack was compiled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ListState {
    lists: BTreeMap<String, Entries>,
}

impl ListState {
    /// Adds an entry to a list, until a moment or for good.
    pub fn add(&mut self, list: &str, value: &Value, until: Option<Timestamp>) {
        self.lists.entry(list.to_owned()).or_default().add(value, until);
    }

    /// Takes an added entry off a list; says whether it was there.
    pub fn remove(&mut self, list: &str, value: &Value) -> bool {
        self.lists.get_mut(list).is_some_and(|entries| entries.remove(value))
    }

    /// Whether the value was added to the list and still is on it at this moment.
    #[must_use]
    pub fn has(&self, list: &str, value: &Value, at: Timestamp) -> bool {
        self.lists.get(list).is_some_and(|entries| entries.has(value, at))
    }
}

/// The text of an entry, written as in a rule, as the value it stands for; `None` if it is not of the type.
#[must_use]
pub fn parse_entry(text: &str, element: &Type) -> Option<Value> {
    let text = &*decode::text(text);
    let number = |digits: &str| Decimal::from_str_exact(digits.trim_end()).ok();
    match element {
        Type::Bool => text.parse().ok().map(Value::Bool),
        Type::Int => text.parse().ok().map(Value::Int),
        Type::Decimal => number(text).map(Value::Decimal),
        Type::Percent => text.strip_suffix('%').and_then(number).map(Value::Percent),
        Type::Money => Money::parse_text(text).ok().map(Value::Money),
        Type::Duration => decode::duration(text).map(Value::Duration),
        Type::Timestamp => moment(text).map(Value::Timestamp),
        Type::Weekday => weekday_named(text),
        Type::Speed => text.strip_suffix("km/h").and_then(number).map(Value::Speed),
        Type::Distance => text.strip_suffix("km").and_then(number).map(Value::Distance),
        Type::Ip => Some(Value::Ip(text.parse::<IpAddr>().ok()?.to_canonical())),
        Type::Cidr => {
            let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
            Some(Value::Cidr(canonical(net)))
        }
        Type::Country => Country::parse(text).map(Value::Country),
        Type::Currency => Currency::parse(text).map(Value::Currency),
        Type::Asn => text.strip_prefix("AS").unwrap_or(text).parse().ok().map(Value::Asn),
        Type::Text if !text.is_empty() => Some(Value::Text(text.into())),
        Type::User if !text.is_empty() => Some(Value::User(text.into())),
        Type::Device if !text.is_empty() => Some(Value::Device(text.into())),
        Type::Text | Type::User | Type::Device | Type::Geo | Type::Status | Type::List(_) => None,
    }
}

/// A day or a moment; a day is its first moment in UTC, and so is a moment without an offset.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let utc = |civil: jiff::civil::DateTime| {
        civil.to_zoned_datetime(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    };
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<jiff::civil::DateTime>().ok().and_then(utc))
        .or_else(|| text.parse::<jiff::civil::Date>().ok().and_then(|date| utc(date.at(0, 0, 0, 0))))
}

/// Whether an address, or a whole network, lies in a network.
pub(crate) fn lies_within(value: &Value, net: &IpNet) -> bool {
    match value {
        Value::Ip(ip) => net.contains(ip),
        Value::Cidr(part) => net.contains(part),
        _ => false,
    }
}

/// The network with its host bits cleared; a v4-mapped one as the v4 network it is.
pub(crate) fn canonical(net: IpNet) -> IpNet {
    match net {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => match v6.addr().to_ipv4_mapped() {
            Some(v4) => ipnet::Ipv4Net::new(v4, v6.prefix_len() - 96).map_or(net, |v4| IpNet::V4(v4.trunc())),
            None => net.trunc(),
        },
        IpNet::V4(_) | IpNet::V6(_) => net.trunc(),
    }
}

/// A value without the quotes a rule puts around text: for people, lists and bound fields.
#[must_use]
pub fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a rule adds is kept as text, and read again after a restart.
    #[test]
    fn an_entry_of_every_type_reads_back() {
        let more =
            ["-1.50", "-90%", "-3 JPY", "-3m", "0s", "1500ms", "2026-03-01T10:00:00.5Z", "2.5 km", "::ffff:10.0.0.1"];
        for ty in Type::names().filter_map(Type::named) {
            let Some(example) = ty.example() else { continue };
            let example = example.trim_matches('"');
            let read = |text: &str| parse_entry(text, &ty);
            assert!(read(example).is_some(), "{ty}: {example}");
            for value in more.into_iter().chain([example]).filter_map(read) {
                assert_eq!(read(&plain(&value)), Some(value.clone()), "{ty}: {value}");
            }
        }
    }
}
