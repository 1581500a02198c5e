//! Exact money: minor units and a currency, never a binary float.

use std::{cmp::Ordering, fmt};

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{codes::Currency, exact};

/// An amount of money. Arithmetic is checked: `None` is overflow or a mixture of currencies.
///
/// Packed: otherwise the alignment of its amount would make every [`Value`](crate::value::Value) twice as large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C, packed)]
pub struct Money {
    /// The amount in the currency's smallest unit: 12.30 EUR is 1230.
    pub minor: i128,
    /// Which money.
    pub currency: Currency,
}

/// Why a text or number is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The number does not read.
    #[error("`{0}` is not a decimal number")]
    NotANumber(String),
    /// The currency is not in ISO 4217.
    #[error("`{0}` is not an ISO 4217 currency")]
    UnknownCurrency(String),
    /// The amount is finer than the currency's smallest unit.
    #[error("`{digits}` has more decimals than {currency} has ({exponent})")]
    TooManyDecimals {
        /// The amount as written.
        digits: String,
        /// Its currency.
        currency: Currency,
        /// How many decimals the currency has.
        exponent: u32,
    },
    /// The amount does not fit.
    #[error("`{0}` is too large an amount")]
    TooLarge(String),
}

impl Money {
    /// The amount written in decimal digits, exactly. More of them than the currency has are refused, zeros too: `10.000` may mean
    /// ten thousand.
    pub fn parse(digits: &str, currency: Currency) -> Result<Money, MoneyError> {
        let not_a_number = || MoneyError::NotANumber(digits.to_owned());
        let too_large = || MoneyError::TooLarge(digits.to_owned());
        let (sign, unsigned) = match digits.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", digits),
        };
        let (whole, fraction) =
            unsigned.split_once('.').map_or((unsigned, None), |(whole, fraction)| (whole, Some(fraction)));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(whole) || !fraction.is_none_or(plain) {
            return Err(not_a_number());
        }
        let fraction = fraction.unwrap_or_default();
        let exponent = currency.exponent();
        let wanted = usize::try_from(exponent).unwrap_or(0);
        if fraction.len() > wanted {
            return Err(MoneyError::TooManyDecimals { digits: digits.to_owned(), currency, exponent });
        }
        let minor: i128 = format!("{sign}{whole}{fraction:0<wanted$}").parse().map_err(|_| too_large())?;
        Ok(Money { minor, currency })
    }

    /// An amount written as `12.30 EUR`.
    pub fn parse_text(text: &str) -> Result<Money, MoneyError> {
        let (digits, code) = text.split_once(' ').ok_or_else(|| MoneyError::NotANumber(text.to_owned()))?;
        let code = code.trim_start();
        let currency = Currency::parse(code).ok_or_else(|| MoneyError::UnknownCurrency(code.to_owned()))?;
        Money::parse(digits, currency)
    }

    /// The decimal digits without the currency: `12.30`.
    #[must_use]
    pub fn digits(&self) -> String {
        let exponent = usize::try_from(self.currency.exponent()).unwrap_or(0);
        let sign = if self.minor < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", self.minor.unsigned_abs(), width = exponent + 1);
        let (whole, fraction) = digits.split_at(digits.len() - exponent);
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    /// Sum; `None` on overflow or two currencies.
    #[must_use]
    pub fn plus(self, other: Money) -> Option<Money> {
        self.with(other)?.minor.checked_add(other.minor).map(|minor| Money { minor, ..self })
    }

    /// Difference; `None` on overflow or two currencies.
    #[must_use]
    pub fn minus(self, other: Money) -> Option<Money> {
        self.with(other)?.minor.checked_sub(other.minor).map(|minor| Money { minor, ..self })
    }

    /// A multiple, rounded half to even to the smallest unit; `None` on overflow.
    #[must_use]
    pub fn times(self, factor: Decimal) -> Option<Money> {
        exact::times(self.minor, factor).map(|minor| Money { minor, ..self })
    }

    /// So many per cent of it, rounded half to even to the smallest unit; `None` on overflow.
    #[must_use]
    pub fn share(self, percent: Decimal) -> Option<Money> {
        exact::share(self.minor, percent).map(|minor| Money { minor, ..self })
    }

    /// A fraction, rounded half to even to the smallest unit; `None` on overflow or division by zero.
    #[must_use]
    pub fn divided_by(self, divisor: Decimal) -> Option<Money> {
        exact::over(self.minor, divisor).map(|minor| Money { minor, ..self })
    }

    /// How many times `other` fits, to as many decimals as a decimal has room for; `None` on overflow, division by zero
    /// or two currencies.
    #[must_use]
    pub fn ratio(self, other: Money) -> Option<Decimal> {
        exact::ratio(self.with(other)?.minor, other.minor)
    }

    /// Which is more; `None` for two currencies, which never compare silently.
    #[must_use]
    pub fn compare(&self, other: &Money) -> Option<Ordering> {
        (self.currency == other.currency).then(|| { self.minor }.cmp(&{ other.minor }))
    }

    fn with(self, other: Money) -> Option<Money> {
        (self.currency == other.currency).then_some(self)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.digits(), self.currency)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        Money::parse_text(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        Money::parse_text(text).expect("the test writes valid amounts")
    }

    #[test]
    fn every_exponent_is_exact_and_reads_back() {
        for text in ["0 JPY", "1200 JPY", "0.01 EUR", "-12.30 EUR", "1.005 KWD", "1.0001 CLF", "7 XAU"] {
            assert_eq!(money(text).to_string(), text);
        }
        assert_eq!({ money("12.3 EUR").minor }, 1230);
    }

    #[test]
    fn more_decimals_than_the_currency_has_are_refused() {
        for text in ["0.001 EUR", "10.000 EUR", "1.5 JPY", "1.0 JPY", "1.00001 CLF"] {
            assert!(matches!(Money::parse_text(text), Err(MoneyError::TooManyDecimals { .. })), "{text}");
        }
        for text in ["1e3 EUR", "+1 EUR", ". EUR", "1. EUR", "1,0 EUR", "EUR", "1 XYZ"] {
            assert!(Money::parse_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn currencies_never_mix_and_overflow_is_noticed() {
        assert_eq!(money("1 EUR").plus(money("1 USD")), None);
        assert_eq!(money("1 EUR").compare(&money("1 USD")), None);
        let most = Money { minor: i128::MAX, currency: money("1 EUR").currency };
        assert_eq!(most.plus(money("0.01 EUR")), None);
        assert_eq!(most.times(Decimal::TWO), None);
    }

    #[test]
    fn fractions_round_half_to_even() {
        assert_eq!(money("0.05 EUR").divided_by(Decimal::TWO), Some(money("0.02 EUR")));
        assert_eq!(money("0.15 EUR").divided_by(Decimal::TWO), Some(money("0.08 EUR")));
        assert_eq!(money("10 EUR").times(Decimal::new(15, 1)), Some(money("15 EUR")));
        assert_eq!(money("10 EUR").divided_by(Decimal::ZERO), None);
        assert_eq!(money("10 EUR").ratio(money("4 EUR")), Some(Decimal::new(25, 1)));
    }
}
