//! Literals to values.

use grammar::{Diagnostic, Span, ast};
use ipnet::IpNet;
use rust_decimal::Decimal;

use super::Checker;
use crate::{
    codes::{COUNTRIES, Country, Currency},
    decode,
    lists::{canonical, moment},
    money::Money,
    types::Type,
    value::Value,
};

impl Checker<'_> {
    /// The value of a literal and its type. A number is whole if it is written without decimals.
    pub(super) fn literal(&mut self, literal: &ast::Literal) -> Option<(Value, Type)> {
        let out = |value, ty| Some((value, ty));
        match literal {
            ast::Literal::Bool(value) => out(Value::Bool(*value), Type::Bool),
            ast::Literal::Number(number) if number.text.contains('.') => {
                out(Value::Decimal(self.decimal(number)?), Type::Decimal)
            }
            ast::Literal::Number(number) => out(Value::Int(self.int(number)?), Type::Int),
            ast::Literal::Percent(number) => out(Value::Percent(self.decimal(number)?), Type::Percent),
            ast::Literal::Speed(number) => out(Value::Speed(self.decimal(number)?), Type::Speed),
            ast::Literal::Distance(number) => out(Value::Distance(self.decimal(number)?), Type::Distance),
            ast::Literal::Money(money) => out(Value::Money(self.money(money)?), Type::Money),
            ast::Literal::Duration(duration) => out(Value::Duration(self.duration(duration)?), Type::Duration),
            ast::Literal::Text(text) => out(Value::Text(decode::text(&text.value).into()), Type::Text),
            ast::Literal::Country(code) => out(Value::Country(self.country(code)?), Type::Country),
            ast::Literal::Currency(code) => out(Value::Currency(self.currency(code)?), Type::Currency),
            ast::Literal::Asn(asn) => {
                let number = asn.name.trim_start_matches("AS").parse().ok();
                out(Value::Asn(self.in_range(number, asn.span, "an AS number has at most 32 bits")?), Type::Asn)
            }
            ast::Literal::Ip(ip) => {
                let address = ip.name.parse::<std::net::IpAddr>().ok().map(|ip| ip.to_canonical());
                out(Value::Ip(self.in_range(address, ip.span, "not an IP address")?), Type::Ip)
            }
            ast::Literal::Cidr(net) => {
                let network = net.name.parse::<IpNet>().ok().map(canonical);
                out(Value::Cidr(self.in_range(network, net.span, "not a network")?), Type::Cidr)
            }
            ast::Literal::Clock(clock) => {
                self.lonely_clock(clock.span);
                None
            }
            ast::Literal::ClockRange(range) => {
                self.lonely_clock(range.span);
                None
            }
            ast::Literal::DateTime(date) => out(Value::Timestamp(self.date_time(date)?), Type::Timestamp),
        }
    }

    fn in_range<T>(&mut self, value: Option<T>, span: Span, text: &str) -> Option<T> {
        if value.is_none() {
            self.report(Diagnostic::error("number-out-of-range", text).at(span, "does not fit"));
        }
        value
    }

    pub(super) fn int(&mut self, number: &ast::Number) -> Option<i64> {
        self.in_range(number.as_i64(), number.span, "a whole number has at most 64 bits")
    }

    fn decimal(&mut self, number: &ast::Number) -> Option<Decimal> {
        let value = Decimal::from_str_exact(&number.digits()).ok();
        self.in_range(value, number.span, "a number has at most 28 digits")
    }

    fn money(&mut self, money: &ast::Money) -> Option<Money> {
        let currency = self.currency(&money.currency)?;
        let digits = money.amount.digits();
        let (whole, decimals) = digits.split_once('.').unwrap_or((&digits, ""));
        // Even if they are zeros: where a point groups digits, `10.000 EUR` is ten thousand.
        if decimals.len() > usize::try_from(currency.exponent()).unwrap_or(usize::MAX) {
            self.too_many_decimals(currency, money.amount.span, whole, decimals);
            return None;
        }
        match Money::parse(&digits, currency) {
            Ok(money) => {
                if !self.draft.currencies.contains(&currency) {
                    self.draft.currencies.push(currency);
                }
                Some(money)
            }
            Err(error) => self.in_range(None, money.amount.span, &error.to_string()),
        }
    }

    fn too_many_decimals(&mut self, currency: Currency, span: Span, whole: &str, decimals: &str) {
        let has = match currency.exponent() {
            0 => "no decimals".to_owned(),
            1 => "1 decimal".to_owned(),
            many => format!("{many} decimals"),
        };
        let finding = Diagnostic::error("too-many-decimals", format!("{currency} has {has}"))
            .at(span, "finer than the smallest unit");
        self.report(match digits_grouped(whole, decimals) {
            Some(grouped) => offer_grouped(finding, span, grouped),
            None => finding,
        });
    }

    pub(super) fn duration(&mut self, duration: &ast::Duration) -> Option<i64> {
        // A hundred years is more than anybody keeps, and leaves room to add to any timestamp.
        let most = 100 * 366 * 86_400_000;
        let ms = duration.as_millis().filter(|ms| *ms <= most);
        self.in_range(ms, duration.span, "a length of time is at most 100 years")
    }

    fn country(&mut self, code: &ast::Ident) -> Option<Country> {
        let country = Country::parse(&code.name);
        if country.is_none() {
            let text = format!("there is no country `{}`", code.name);
            let finding = Diagnostic::error("unknown-country", text).at(code.span, "not in ISO 3166-1");
            // What the European Union and everybody else write.
            let near = match code.name.as_str() {
                "UK" => Some("GB"),
                "EL" => Some("GR"),
                _ => None,
            };
            let turned: String = code.name.chars().rev().collect();
            self.report(if let Some(near) = near {
                finding.correct(format!("did you mean `{near}`?"), code.span, near)
            } else if Country::parse(&turned).is_some() {
                finding.suggest(format!("did you mean `{turned}`?"), code.span, turned)
            } else {
                finding.help(countries_like(&code.name))
            });
        }
        country
    }

    pub(super) fn date_time(&mut self, date: &ast::DateTime) -> Option<jiff::Timestamp> {
        self.in_range(moment(&date.text), date.span, "not a day or moment of the calendar")
    }

    fn lonely_clock(&mut self, span: Span) {
        self.report(
            Diagnostic::error("type-mismatch", "a time of day stands only behind `in`")
                .at(span, "not a value")
                .help("write `time in 23:00..05:00 tz \"UTC\"`"),
        );
    }
}

/// The number with its last three digits grouped, if the point before them may be meant so: `10.000`, but not `0.125`.
pub(super) fn digits_grouped(whole: &str, decimals: &str) -> Option<String> {
    let groups = decimals.len() == 3 && !whole.trim_start_matches('-').starts_with('0');
    groups.then(|| format!("{whole}_{decimals}"))
}

/// Offers the number with its digits grouped.
pub(super) fn offer_grouped(finding: Diagnostic, span: Span, grouped: String) -> Diagnostic {
    finding.suggest(format!("digits are grouped by `_`: did you mean `{grouped}`?"), span, grouped)
}

/// The codes that begin with the same letter; how a code is written if none does, or this is none.
fn countries_like(name: &str) -> String {
    let first = name.get(..1).filter(|_| name.len() == 2);
    let alike = COUNTRIES.iter().copied().filter(|country| first.is_some_and(|first| country.starts_with(first)));
    match alike.collect::<Vec<_>>().as_slice() {
        [] => "write the two capitals of ISO 3166-1, as in `NZ`".to_owned(),
        some => format!("countries that begin alike: {}", some.join(", ")),
    }
}
