//! Literals, each with the exact text it was written with.
//!
//! The parser has checked the shape: an address is an address, a date is a day of the calendar, a clock is below 24:00.
//! Whether a number fits a type is the checker's question.

use super::Ident;
use crate::source::Span;
use serde::Serialize;

/// A literal of any type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Literal {
    /// `true`, `false`
    Bool(bool),
    /// `5`, `10_000`, `-1.5`
    Number(Number),
    /// `40%`; the number before the sign.
    Percent(Number),
    /// `30 EUR`
    Money(Money),
    /// `15m`
    Duration(Duration),
    /// `1000 km/h`; the number before the unit.
    Speed(Number),
    /// `200 km`; the number before the unit.
    Distance(Number),
    /// `"failed"`
    Text(Text),
    /// `NZ`: two capitals. Whether the country exists is the checker's question.
    Country(Ident),
    /// `EUR`: three capitals. Whether the currency exists is the checker's question.
    Currency(Ident),
    /// `AS64500`; the digits are a number.
    Asn(Ident),
    /// `203.0.113.9`, `2001:db8::1`; parses as [`std::net::IpAddr`].
    Ip(Ident),
    /// `203.0.113.0/24`; an address, a slash and a prefix length that fits it.
    Cidr(Ident),
    /// `23:00`
    Clock(Clock),
    /// `23:00..05:00`
    ClockRange(ClockRange),
    /// `2026-01-01`, `2026-03-01T10:00:00Z`
    DateTime(DateTime),
}

/// A number, exactly as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Number {
    /// The text, with its sign, `_` separators and decimals: `-10_000.50`.
    pub text: String,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

impl Number {
    /// The text without its `_` separators, ready for a decimal parser.
    pub fn digits(&self) -> String {
        self.text.replace('_', "")
    }

    /// The value, if it is a whole number that fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.digits().parse().ok()
    }
}

/// `30 EUR`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Money {
    /// The amount in the currency's main unit.
    pub amount: Number,
    /// Three capitals.
    pub currency: Ident,
    /// Both.
    #[serde(skip)]
    pub span: Span,
}

/// `500ms`, `30s`, `15m`, `24h`, `90d`, `2w`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duration {
    /// As written.
    pub text: String,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

impl Duration {
    /// The length in milliseconds; nothing when it does not fit.
    pub fn as_millis(&self) -> Option<i64> {
        Duration::millis_of(&self.text)
    }

    /// The milliseconds of a length of time as it is written, here and wherever one is sent or listed: digits and a unit.
    /// A day is 24 hours, a week 7 days.
    pub fn millis_of(text: &str) -> Option<i64> {
        let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
        let (digits, unit) = text.split_at_checked(unit_at)?;
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        digits.parse::<i64>().ok()?.checked_mul(unit_ms)
    }
}

/// A string in double quotes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Text {
    /// What is between the quotes, escapes untouched.
    pub raw: String,
    /// What it means, escapes resolved: `\" \\ \n \r \t \u{…}`.
    #[serde(skip)]
    pub value: String,
    /// With the quotes.
    #[serde(skip)]
    pub span: Span,
}

/// `23:00`: a time of day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clock {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

/// `23:00..05:00`; when the end is before the start it goes over midnight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClockRange {
    /// First minute in it.
    pub from: Clock,
    /// First minute after it.
    pub until: Clock,
    /// Both.
    #[serde(skip)]
    pub span: Span,
}

/// A day, or a moment: `2026-01-01`, `2026-03-01T10:00:00Z`, `2026-03-01T10:00+13:00`.
/// Without an offset it is UTC; without a time it is the day's first moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DateTime {
    /// As written.
    pub text: String,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}
