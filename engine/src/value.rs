//! The values a rule can read and compare.

use std::{cmp::Ordering, fmt, net::IpAddr, sync::Arc};

use ipnet::IpNet;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

pub use crate::{
    codes::{Country, Currency},
    interval::Interval,
    maybe::{Maybe, Why},
    money::Money,
    tri::Tri,
};

/// One value of any type of the language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A fixed-point number.
    Decimal(Decimal),
    /// Per cent: `40%` is 40.
    Percent(Decimal),
    /// An amount of money.
    Money(Money),
    /// A length of time in milliseconds.
    Duration(i64),
    /// A moment.
    Timestamp(Timestamp),
    /// A country.
    Country(Country),
    /// A currency.
    Currency(Currency),
    /// An autonomous system number.
    Asn(u32),
    /// An address, canonical: a v4-mapped v6 address is its v4 address.
    Ip(IpAddr),
    /// A network.
    #[serde(with = "as_text")]
    Cidr(IpNet),
    /// A located place.
    Geo(Arc<GeoFix>),
    /// A speed in km/h.
    Speed(Decimal),
    /// A distance in km.
    Distance(Decimal),
    /// A text, NFKC-normalised at ingestion.
    Text(Arc<str>),
    /// A user's id.
    User(Arc<str>),
    /// A device's id.
    Device(Arc<str>),
    /// A time of day, in minutes since midnight.
    Clock(u16),
    /// A day of the week, 1 (Monday) to 7 (Sunday).
    Weekday(u8),
    /// Several values of one type.
    List(Arc<[Value]>),
}

impl Value {
    /// Which is greater; `None` where the two do not compare (two types, two currencies, two places).
    ///
    /// Whole and fixed-point numbers compare with each other exactly.
    #[must_use]
    pub fn compare(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
            (Value::Int(a), Value::Int(b)) | (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
            (Value::Int(a), Value::Decimal(b)) => Some(Decimal::from(*a).cmp(b)),
            (Value::Decimal(a), Value::Int(b)) => Some(a.cmp(&Decimal::from(*b))),
            (Value::Decimal(a), Value::Decimal(b))
            | (Value::Percent(a), Value::Percent(b))
            | (Value::Speed(a), Value::Speed(b))
            | (Value::Distance(a), Value::Distance(b)) => Some(a.cmp(b)),
            (Value::Money(a), Value::Money(b)) => a.compare(b),
            (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
            (Value::Country(a), Value::Country(b)) => Some(a.cmp(b)),
            (Value::Currency(a), Value::Currency(b)) => Some(a.cmp(b)),
            (Value::Asn(a), Value::Asn(b)) => Some(a.cmp(b)),
            (Value::Ip(a), Value::Ip(b)) => Some(a.cmp(b)),
            (Value::Cidr(a), Value::Cidr(b)) => Some(a.cmp(b)),
            (Value::Text(a), Value::Text(b))
            | (Value::User(a), Value::User(b))
            | (Value::Device(a), Value::Device(b)) => Some(a.cmp(b)),
            (Value::Clock(a), Value::Clock(b)) => Some(a.cmp(b)),
            (Value::Weekday(a), Value::Weekday(b)) => Some(a.cmp(b)),
            (_, _) => None,
        }
    }

    /// Whether the two are the same; `None` where they do not compare.
    #[must_use]
    pub fn same(&self, other: &Value) -> Option<bool> {
        match (self, other) {
            (Value::List(a), Value::List(b)) => Some(a == b),
            (Value::Geo(a), Value::Geo(b)) => Some(a == b),
            (a, b) => a.compare(b).map(Ordering::is_eq),
        }
    }
}

impl fmt::Display for Value {
    /// As it would be written in a rule, and shown to a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => write!(f, "{value}"),
            Value::Int(value) => write!(f, "{value}"),
            Value::Decimal(value) => write!(f, "{}", value.normalize()),
            Value::Percent(value) => write!(f, "{}%", value.normalize()),
            Value::Money(value) => write!(f, "{value}"),
            Value::Duration(ms) => f.write_str(&duration_text(*ms)),
            Value::Timestamp(value) => write!(f, "{value}"),
            Value::Country(value) => write!(f, "{value}"),
            Value::Currency(value) => write!(f, "{value}"),
            Value::Asn(value) => write!(f, "AS{value}"),
            Value::Ip(value) => write!(f, "{value}"),
            Value::Cidr(value) => write!(f, "{value}"),
            Value::Geo(fix) => write!(f, "{fix}"),
            Value::Speed(value) => write!(f, "{} km/h", value.normalize()),
            Value::Distance(value) => write!(f, "{} km", value.normalize()),
            Value::Text(value) => write!(f, "{value:?}"),
            Value::User(value) | Value::Device(value) => f.write_str(value),
            Value::Clock(minutes) => write!(f, "{:02}:{:02}", minutes / 60, minutes % 60),
            Value::Weekday(day) => f.write_str(weekday_name(*day)),
            Value::List(values) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
        }
    }
}

/// The length of time as a rule writes it: the largest unit that divides it, `3m`, `24h`, `1500ms`.
#[must_use]
pub fn duration_text(ms: i64) -> String {
    const UNITS: [(i64, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
    let unit = UNITS.into_iter().find(|(size, _)| ms % size == 0 && (ms != 0 || *size == 1_000));
    let (size, name) = unit.unwrap_or((1, "ms"));
    format!("{}{name}", ms / size)
}

/// The days of the week as rules write them, Monday first.
pub const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// The day with this name.
pub(crate) fn weekday_named(name: &str) -> Option<Value> {
    let position = WEEKDAYS.iter().position(|day| *day == name)?;
    u8::try_from(position + 1).ok().map(Value::Weekday)
}

fn weekday_name(day: u8) -> &'static str {
    usize::from(day).checked_sub(1).and_then(|index| WEEKDAYS.get(index).copied()).unwrap_or("no day")
}

/// How finely a place is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// The address is an exit of Tor, a VPN or a hosting network: the country is the exit's, and
    /// distance and speed are unknown (`low_precision`).
    Hidden,
    /// The country; the position is its middle.
    Country,
    /// The city.
    City,
}

/// Where an address is, and how we know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GeoFix {
    /// The country.
    pub country: Country,
    /// The largest subdivision, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Arc<str>>,
    /// The city, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<Arc<str>>,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// The position lies within this many km.
    pub radius_km: f64,
    /// The IANA time zone, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Arc<str>>,
    /// How finely the place is known.
    pub precision: Precision,
    /// The data base's name.
    pub source: Arc<str>,
    /// The data base's SHA-256, in hex.
    pub digest: Arc<str>,
}

impl fmt::Display for GeoFix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(city) = &self.city {
            write!(f, "{city}, ")?;
        }
        write!(f, "{} ({:.4}, {:.4} ± {} km)", self.country, self.lat, self.lon, self.radius_km)
    }
}

/// Networks are written as text: `203.0.113.0/24`.
mod as_text {
    use ipnet::IpNet;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(net: &IpNet, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(net)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpNet, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
