//! The types of the language.

use std::fmt;

/// The type of an expression. Whether a value may be absent is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// A condition.
    Bool,
    /// A whole number.
    Int,
    /// A fixed-point number.
    Decimal,
    /// `40%`
    Percent,
    /// `30 EUR`
    Money,
    /// `15m`
    Duration,
    /// `2026-01-01`
    Timestamp,
    /// `monday`
    Weekday,
    /// `NZ`
    Country,
    /// `EUR`
    Currency,
    /// `AS64500`
    Asn,
    /// `203.0.113.9`
    Ip,
    /// `203.0.113.0/24`
    Cidr,
    /// A located place.
    Geo,
    /// `1000 km/h`
    Speed,
    /// `200 km`
    Distance,
    /// `"text"`
    Text,
    /// A user's id.
    User,
    /// A device's id.
    Device,
    /// How an event ended.
    Status,
    /// Several values of one type.
    List(Box<Type>),
}

/// The names that can stand in a declaration.
const NAMED: &[(&str, Type)] = &[
    ("bool", Type::Bool),
    ("int", Type::Int),
    ("decimal", Type::Decimal),
    ("percent", Type::Percent),
    ("money", Type::Money),
    ("duration", Type::Duration),
    ("timestamp", Type::Timestamp),
    ("weekday", Type::Weekday),
    ("country", Type::Country),
    ("currency", Type::Currency),
    ("asn", Type::Asn),
    ("ip", Type::Ip),
    ("cidr", Type::Cidr),
    ("geo", Type::Geo),
    ("speed", Type::Speed),
    ("distance", Type::Distance),
    ("string", Type::Text),
    ("user", Type::User),
    ("device", Type::Device),
];

impl Type {
    /// The type with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Type> {
        NAMED.iter().find(|(other, _)| *other == name).map(|(_, ty)| ty.clone())
    }

    /// Every name, for suggestions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMED.iter().map(|(name, _)| *name)
    }

    /// A constant of the type, as rules write it; none of those that have no constants.
    #[must_use]
    pub fn example(&self) -> Option<&'static str> {
        Some(match self {
            Type::Bool => "true",
            Type::Int => "3",
            Type::Decimal => "1.5",
            Type::Percent => "40%",
            Type::Money => "30 EUR",
            Type::Duration => "15m",
            Type::Timestamp => "2026-01-31T12:00:00Z",
            Type::Weekday => "monday",
            Type::Country => "NZ",
            Type::Currency => "EUR",
            Type::Asn => "AS64500",
            Type::Ip => "203.0.113.9",
            Type::Cidr => "203.0.113.0/24",
            Type::Speed => "1000 km/h",
            Type::Distance => "200 km",
            Type::Text | Type::User | Type::Device => "\"text\"",
            Type::Status => "\"allowed\"",
            Type::Geo | Type::List(_) => return None,
        })
    }

    /// Whether `<` makes sense.
    #[must_use]
    pub fn ordered(&self) -> bool {
        match self {
            Type::Int
            | Type::Decimal
            | Type::Percent
            | Type::Money
            | Type::Duration
            | Type::Timestamp
            | Type::Speed
            | Type::Distance => true,
            Type::Bool
            | Type::Weekday
            | Type::Country
            | Type::Currency
            | Type::Asn
            | Type::Ip
            | Type::Cidr
            | Type::Geo
            | Type::Text
            | Type::User
            | Type::Device
            | Type::Status
            | Type::List(_) => false,
        }
    }

    /// Whether values of the two types compare. Whole and fixed-point numbers do, exactly.
    #[must_use]
    pub fn compares_with(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Int, Type::Decimal) | (Type::Decimal, Type::Int) => true,
            (Type::Status, Type::Text) | (Type::Text, Type::Status) => true,
            (Type::Geo, _) | (_, Type::Geo) => false,
            (a, b) => a == b,
        }
    }

    /// Whether values can be added up.
    #[must_use]
    pub fn sums(&self) -> bool {
        self.ordered() && *self != Type::Timestamp
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Status => f.write_str("status"),
            Type::List(element) => write!(f, "list<{element}>"),
            plain => f.write_str(NAMED.iter().find(|(_, ty)| ty == plain).map_or("?", |(name, _)| *name)),
        }
    }
}
