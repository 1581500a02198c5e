//! Exchange rates that a pack declares: `rates from "rates.csv"`.
//!
//! Every rate says what one unit of the base is worth; two other currencies meet through the base. Amounts are compared
//! exactly, with no rounding; an amount that is converted is rounded once, half to even, to the smallest unit of what
//! it becomes.

use std::{cmp::Ordering, collections::BTreeMap, fmt};

use jiff::Timestamp;
use num_bigint::BigInt;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{codes::Currency, exact, maybe::Why, money::Money};

/// What one unit of the base is worth, as it stands in a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// The currency of which one unit is meant.
    pub base: Currency,
    /// The other currency.
    pub currency: Currency,
    /// How many units of it.
    pub rate: Decimal,
    /// Since when; always, if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1 {} = {} {}", self.base, self.rate.normalize(), self.currency)?;
        match self.from {
            Some(from) => write!(f, " since {from}"),
            None => Ok(()),
        }
    }
}

/// The rates of a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    base: Currency,
    /// By currency and by when they begin.
    rates: BTreeMap<(Currency, Option<Timestamp>), Decimal>,
}

impl Rates {
    /// No rates yet, of one unit of this.
    #[must_use]
    pub fn of(base: Currency) -> Rates {
        Rates { base, rates: BTreeMap::new() }
    }

    /// The currency of which one unit is meant.
    #[must_use]
    pub fn base(&self) -> Currency {
        self.base
    }

    /// Adds a rate from a moment on; says whether there was none that begins then.
    pub fn add(&mut self, currency: Currency, rate: Decimal, from: Option<Timestamp>) -> bool {
        self.rates.insert((currency, from), rate).is_none()
    }

    /// The rate in force at a moment.
    #[must_use]
    pub fn at(&self, currency: Currency, at: Timestamp) -> Option<Rate> {
        let until = self.rates.range((currency, None)..=(currency, Some(at)));
        let ((_, from), rate) = until.last()?;
        Some(Rate { base: self.base, currency, rate: *rate, from: *from })
    }

    /// Whether amounts in the two ever meet.
    #[must_use]
    pub fn join(&self, a: Currency, b: Currency) -> bool {
        let has = |currency| currency == self.base || self.rates.keys().any(|(other, _)| *other == currency);
        has(a) && has(b)
    }
}

/// Where the rates for one event come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Exchange<'a> {
    /// From the signals: those that were in force when the event was judged.
    Recorded(&'a [Rate]),
    /// From the pack, at this moment: while the signals are being made.
    Declared(Option<&'a Rates>, Timestamp),
}

impl Exchange<'_> {
    /// Which is more, exactly; `currency_mismatch` where no rate in force brings the two together.
    pub fn compare(self, a: Money, b: Money) -> Result<Ordering, Why> {
        if let Some(order) = a.compare(&b) {
            return Ok(order);
        }
        let factor = self.factor(b.currency, a.currency)?;
        Ok((factor.under * a.minor).cmp(&(factor.over * b.minor)))
    }

    /// The amount in another currency, rounded half to even to its smallest unit.
    pub fn convert(self, amount: Money, to: Currency) -> Result<Money, Why> {
        if amount.currency == to {
            return Ok(amount);
        }
        let factor = self.factor(amount.currency, to)?;
        let minor = exact::quotient_of(factor.over * amount.minor, factor.under).ok_or(Why::Overflow)?;
        Ok(Money { minor, currency: to })
    }

    /// How many times `b` fits into `a`.
    pub fn ratio(self, a: Money, b: Money) -> Result<Decimal, Why> {
        if a.currency == b.currency {
            return a.ratio(b).ok_or(Why::Overflow);
        }
        let factor = self.factor(b.currency, a.currency)?;
        exact::ratio_of(&(factor.under * a.minor), &(factor.over * b.minor)).ok_or(Why::Overflow)
    }

    /// What one smallest unit of `from` is worth in smallest units of `to`.
    fn factor(self, from: Currency, to: Currency) -> Result<Factor, Why> {
        let worth = |currency: Currency| self.worth(currency).ok_or(Why::CurrencyMismatch);
        let (from_worth, to_worth) = (worth(from)?, worth(to)?);
        let ten = |power: u32| BigInt::from(10).pow(power);
        Ok(Factor {
            over: ten(from_worth.scale() + to.exponent()) * to_worth.mantissa(),
            under: ten(to_worth.scale() + from.exponent()) * from_worth.mantissa(),
        })
    }

    /// How many units of it one unit of the base is worth.
    fn worth(self, currency: Currency) -> Option<Decimal> {
        match self {
            Exchange::Recorded(rates) if rates.first()?.base == currency => Some(Decimal::ONE),
            Exchange::Recorded(rates) => rates.iter().find(|rate| rate.currency == currency).map(|rate| rate.rate),
            Exchange::Declared(rates, _) if rates?.base == currency => Some(Decimal::ONE),
            Exchange::Declared(rates, at) => rates?.at(currency, at).map(|rate| rate.rate),
        }
    }
}

/// A fraction that no rounding has touched; rates are above zero, and so are both its parts.
struct Factor {
    over: BigInt,
    under: BigInt,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).expect("the test names a currency")
    }

    fn money(text: &str) -> Money {
        Money::parse_text(text).expect("the test writes an amount")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("the test writes a moment")
    }

    fn decimal(digits: &str) -> Decimal {
        digits.parse().expect("the test writes a number")
    }

    fn rates() -> Rates {
        let mut rates = Rates::of(currency("EUR"));
        assert!(rates.add(currency("USD"), decimal("1.08"), None));
        assert!(rates.add(currency("USD"), decimal("1.25"), Some(at("2026-02-01T00:00:00Z"))));
        assert!(rates.add(currency("JPY"), decimal("160"), Some(at("2026-01-01T00:00:00Z"))));
        assert!(rates.add(currency("KWD"), decimal("0.33"), None));
        assert!(!rates.add(currency("KWD"), decimal("0.34"), None));
        rates.add(currency("KWD"), decimal("0.33"), None);
        rates
    }

    #[test]
    fn a_rate_holds_from_its_day_on() {
        let rates = rates();
        let on = |day: &str| rates.at(currency("USD"), at(day)).map(|rate| rate.rate.to_string());
        assert_eq!(on("2020-01-01T00:00:00Z").as_deref(), Some("1.08"));
        assert_eq!(on("2026-01-31T23:59:59.999Z").as_deref(), Some("1.08"));
        assert_eq!(on("2026-02-01T00:00:00Z").as_deref(), Some("1.25"));
        assert_eq!(rates.at(currency("JPY"), at("2025-12-31T23:59:59Z")), None);
        assert_eq!(rates.at(currency("CHF"), at("2026-12-31T23:59:59Z")), None);
        let shown = rates.at(currency("JPY"), at("2026-01-01T00:00:00Z")).map(|rate| rate.to_string());
        assert_eq!(shown.as_deref(), Some("1 EUR = 160 JPY since 2026-01-01T00:00:00Z"));
        assert!(rates.join(currency("USD"), currency("JPY")) && rates.join(currency("EUR"), currency("KWD")));
        assert!(!rates.join(currency("USD"), currency("CHF")));
    }

    #[test]
    fn amounts_meet_through_the_base() {
        let rates = rates();
        let exchange = Exchange::Declared(Some(&rates), at("2026-03-01T00:00:00Z"));
        let convert = |from: &str, to: &str| exchange.convert(money(from), currency(to)).map(|money| money.to_string());
        assert_eq!(convert("10 EUR", "USD").as_deref(), Ok("12.50 USD"));
        assert_eq!(convert("12.50 USD", "JPY").as_deref(), Ok("1600 JPY"));
        assert_eq!(convert("1 JPY", "KWD").as_deref(), Ok("0.002 KWD")); // 0.0020625
        assert_eq!(convert("-4 JPY", "EUR").as_deref(), Ok("-0.02 EUR")); // -0.025: to the even cent
        assert_eq!(convert("12 JPY", "EUR").as_deref(), Ok("0.08 EUR")); // 0.075
        assert_eq!(convert("1 CHF", "EUR"), Err(Why::CurrencyMismatch));
        assert_eq!(convert("1 EUR", "CHF"), Err(Why::CurrencyMismatch));
        let most = Money { minor: i128::MAX, currency: currency("EUR") };
        assert_eq!(exchange.convert(most, currency("USD")), Err(Why::Overflow));
        assert_eq!(exchange.compare(most, money("1 USD")), Ok(Ordering::Greater));
        // A comparison rounds nothing: a yen is a little more than two thousandths of a dinar.
        assert_eq!(exchange.compare(money("1 JPY"), money("0.002 KWD")), Ok(Ordering::Greater));
        assert_eq!(exchange.compare(money("12.50 USD"), money("10 EUR")), Ok(Ordering::Equal));
        assert_eq!(exchange.ratio(money("25 USD"), money("1600 JPY")), Ok(decimal("2")));
        assert_eq!(exchange.ratio(money("25 USD"), money("0 JPY")), Err(Why::Overflow));
    }

    #[test]
    fn before_its_day_and_without_rates_nothing_meets() {
        let rates = rates();
        let before = Exchange::Declared(Some(&rates), at("2025-01-01T00:00:00Z"));
        assert_eq!(before.compare(money("1 JPY"), money("1 EUR")), Err(Why::CurrencyMismatch));
        for none in [Exchange::Declared(None, at("2026-01-01T00:00:00Z")), Exchange::Recorded(&[])] {
            assert_eq!(none.compare(money("1 USD"), money("1 EUR")), Err(Why::CurrencyMismatch));
            assert_eq!(none.compare(money("1 USD"), money("2 USD")), Ok(Ordering::Less));
        }
    }

    proptest! {
        #[test]
        fn a_comparison_has_one_answer_whichever_side_is_asked(
            a in any::<i64>(), b in any::<i64>(), c in any::<i64>(), from in 0..4_usize, to in 0..4_usize, via in 0..4_usize,
        ) {
            let rates = rates();
            let exchange = Exchange::Declared(Some(&rates), at("2026-03-01T00:00:00Z"));
            let codes = ["EUR", "USD", "JPY", "KWD"].map(currency);
            let amount = |minor: i64, index: usize| Money { minor: minor.into(), currency: codes[index] };
            let (a, b, c) = (amount(a % 10_000, from), amount(b % 10_000, to), amount(c % 10_000, via));
            let order = |a, b| exchange.compare(a, b).expect("they meet");
            prop_assert_eq!(order(a, b), order(b, a).reverse());
            if order(a, b) == order(b, c) {
                prop_assert_eq!(order(a, c), order(a, b));
            }
            // And what is converted is the nearest amount there is.
            let there = exchange.convert(a, b.currency).expect("it fits");
            let beside = |by| Money { minor: there.minor * 2 + by, currency: b.currency };
            let twice = Money { minor: a.minor * 2, ..a };
            prop_assert!(order(twice, beside(-1)).is_ge() && order(twice, beside(1)).is_le());
        }
    }
}
