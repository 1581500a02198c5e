//! Values of the language as a script sees them, and back. No floating point: what has decimals is a decimal.
//!
//! | the language | a script |
//! |---|---|
//! | bool | bool |
//! | int; asn | whole number |
//! | duration; timestamp | whole number of milliseconds; of milliseconds since 1970 |
//! | weekday | 1 (Monday) to 7 |
//! | decimal; percent, speed, distance | decimal; the number before the unit |
//! | money | `#{ value: 12.30, currency: "EUR" }` |
//! | string, user, device, country, currency, ip, cidr | text |
//! | list | array |

use jiff::Timestamp;
use rhai::{Array, Dynamic, Map};
use rust_decimal::Decimal;

use crate::{
    codes::Currency,
    decode,
    lists::{parse_entry, plain},
    money::Money,
    types::Type,
    value::Value,
};

/// Whether a script can take and give values of this type. A place is taken part by part: `geo.country`, `geo.lat`.
pub(crate) fn passes(ty: &Type) -> bool {
    match ty {
        Type::Bool
        | Type::Int
        | Type::Decimal
        | Type::Percent
        | Type::Money
        | Type::Duration
        | Type::Timestamp
        | Type::Weekday
        | Type::Country
        | Type::Currency
        | Type::Asn
        | Type::Ip
        | Type::Cidr
        | Type::Speed
        | Type::Distance
        | Type::Text
        | Type::User
        | Type::Device => true,
        Type::Geo | Type::Status => false,
        Type::List(element) => passes(element),
    }
}

/// A value as an argument of this type; none if it does not fit a script's numbers.
pub(super) fn into_script(value: &Value, ty: &Type) -> Option<Dynamic> {
    match value {
        Value::Bool(value) => Some((*value).into()),
        // A whole number where decimals are declared divides like a decimal.
        Value::Int(value) if *ty == Type::Decimal => Some(Decimal::from(*value).into()),
        Value::Int(value) | Value::Duration(value) => Some((*value).into()),
        Value::Decimal(value) | Value::Percent(value) | Value::Speed(value) | Value::Distance(value) => {
            Some((*value).into())
        }
        Value::Money(money) => {
            let value = Decimal::try_from_i128_with_scale(money.minor, money.currency.exponent()).ok()?;
            let parts = [("value".into(), value.into()), ("currency".into(), money.currency.to_string().into())];
            Some(Map::from(parts).into())
        }
        Value::Timestamp(at) => Some(at.as_millisecond().into()),
        Value::Weekday(day) => Some(i64::from(*day).into()),
        Value::Asn(number) => Some(i64::from(*number).into()),
        Value::Text(_)
        | Value::User(_)
        | Value::Device(_)
        | Value::Country(_)
        | Value::Currency(_)
        | Value::Ip(_)
        | Value::Cidr(_) => Some(plain(value).into()),
        Value::List(values) => {
            let Type::List(element) = ty else { return None };
            let elements: Array = values.iter().map(|value| into_script(value, element)).collect::<Option<_>>()?;
            Some(elements.into())
        }
        Value::Geo(_) | Value::Clock(_) => None,
    }
}

/// What a script returned as a value of the declared type; none if it is none.
pub(super) fn from_script(given: Dynamic, ty: &Type) -> Option<Value> {
    match ty {
        Type::Bool => given.as_bool().ok().map(Value::Bool),
        Type::Int => given.as_int().ok().map(Value::Int),
        Type::Duration => given.as_int().ok().map(Value::Duration),
        Type::Timestamp => Timestamp::from_millisecond(given.as_int().ok()?).ok().map(Value::Timestamp),
        Type::Weekday => {
            let day = u8::try_from(given.as_int().ok()?).ok().filter(|day| (1..=7).contains(day));
            day.map(Value::Weekday)
        }
        Type::Asn => u32::try_from(given.as_int().ok()?).ok().map(Value::Asn),
        Type::Decimal => number(&given).map(Value::Decimal),
        Type::Percent => number(&given).map(Value::Percent),
        Type::Speed => number(&given).map(Value::Speed),
        Type::Distance => number(&given).map(Value::Distance),
        Type::Money => money(given).map(Value::Money),
        // As it would be, had a caller sent it: normalised, and not empty where it is somebody's id.
        Type::Text => Some(Value::Text(decode::text(&given.into_string().ok()?).into())),
        Type::User | Type::Device => parse_entry(&decode::text(&given.into_string().ok()?), ty),
        Type::Country | Type::Currency | Type::Ip | Type::Cidr => parse_entry(&given.into_string().ok()?, ty),
        Type::List(element) => {
            let elements = given.into_array().ok()?;
            let values: Option<Vec<Value>> = elements.into_iter().map(|value| from_script(value, element)).collect();
            values.map(|values| Value::List(values.into()))
        }
        Type::Geo | Type::Status => None,
    }
}

fn number(given: &Dynamic) -> Option<Decimal> {
    given.as_decimal().ok().or_else(|| given.as_int().ok().map(Decimal::from))
}

/// An amount with no more decimals than its currency has.
fn money(given: Dynamic) -> Option<Money> {
    let parts = given.try_cast::<Map>().filter(|parts| parts.len() == 2)?;
    let currency = Currency::parse(&parts.get("currency")?.clone().into_string().ok()?)?;
    let value = number(parts.get("value")?)?;
    Money::parse(&value.normalize().to_string(), currency).ok()
}

#[cfg(test)]
mod tests {
    use rhai::Engine;

    use super::*;
    use crate::value::Money;

    fn decimal(digits: &str) -> Decimal {
        digits.parse().expect("it is a number")
    }

    fn amount(text: &str) -> Value {
        Value::Money(Money::parse_text(text).expect("it is an amount"))
    }

    fn list(ty: Type) -> Type {
        Type::List(Box::new(ty))
    }

    #[test]
    fn every_value_comes_back_as_it_went() {
        let cases = [
            (Type::Bool, Value::Bool(true)),
            (Type::Int, Value::Int(i64::MIN)),
            (Type::Decimal, Value::Decimal(decimal("-0.0000000000000000000000000001"))),
            (Type::Percent, Value::Percent(decimal("12.5"))),
            (Type::Speed, Value::Speed(decimal("1000"))),
            (Type::Distance, Value::Distance(decimal("0.25"))),
            (Type::Money, amount("-1200 JPY")),
            (Type::Money, amount("0.01 EUR")),
            (Type::Money, amount("1.005 KWD")),
            (Type::Money, amount("7922816251426433759354395.0335 CLF")),
            (Type::Duration, Value::Duration(i64::MAX)),
            (Type::Timestamp, Value::Timestamp("1969-12-31T23:59:59.999Z".parse().expect("it is a time"))),
            (Type::Weekday, Value::Weekday(7)),
            (Type::Country, Value::Country(crate::value::Country::parse("NZ").expect("a country"))),
            (Type::Currency, Value::Currency(Currency::parse("EUR").expect("a currency"))),
            (Type::Asn, Value::Asn(u32::MAX)),
            (Type::Ip, Value::Ip("203.0.113.9".parse().expect("an address"))),
            (Type::Ip, Value::Ip("2001:db8::1".parse().expect("an address"))),
            (Type::Cidr, Value::Cidr("2001:db8::/32".parse().expect("a network"))),
            (Type::Text, Value::Text("".into())),
            (Type::Text, Value::Text("\"\u{0}\\ü".into())),
            (Type::User, Value::User("ann".into())),
            (Type::Device, Value::Device("d".into())),
            (list(Type::Money), Value::List([amount("1 EUR"), amount("2 USD")].into())),
            (list(Type::Text), Value::List([].into())),
        ];
        for (ty, value) in cases {
            assert!(passes(&ty), "{ty}");
            let there = into_script(&value, &ty).unwrap_or_else(|| panic!("{value} does not go"));
            assert_eq!(from_script(there, &ty), Some(value), "{ty}");
        }
    }

    #[test]
    fn what_does_not_fit_the_declared_type_is_nothing() {
        let engine = Engine::new();
        let refused = [
            (Type::Bool, "1"),
            (Type::Int, "1.0"),
            (Type::Int, "\"1\""),
            (Type::Duration, "1.5"),
            (Type::Duration, "\"5m\""),
            (Type::Timestamp, "\"2026-01-01\""),
            (Type::Timestamp, "9223372036854775807"),
            (Type::Weekday, "0"),
            (Type::Weekday, "8"),
            (Type::Weekday, "\"monday\""),
            (Type::Asn, "-1"),
            (Type::Asn, "4294967296"),
            (Type::Decimal, "\"1.5\""),
            (Type::Percent, "\"10%\""),
            (Type::Money, "12.30"),
            (Type::Money, "\"12.30 EUR\""),
            (Type::Money, "#{ value: 12.305, currency: \"EUR\" }"),
            (Type::Money, "#{ value: 1.5, currency: \"JPY\" }"),
            (Type::Money, "#{ value: 1, currency: \"XYZ\" }"),
            (Type::Money, "#{ value: \"1\", currency: \"EUR\" }"),
            (Type::Money, "#{ value: 1 }"),
            (Type::Money, "#{ value: 1, currency: \"EUR\", more: 1 }"),
            (Type::Country, "\"XX\""),
            (Type::Country, "\"nz\""),
            (Type::Currency, "\"EU\""),
            (Type::Ip, "\"203.0.113.256\""),
            (Type::Cidr, "\"203.0.113.0/33\""),
            (Type::Text, "1"),
            (Type::Text, "()"),
            (Type::User, "\"\""),
            (Type::Device, "\" \""),
            (list(Type::Int), "1"),
            (list(Type::Int), "[1, \"2\"]"),
            (Type::Geo, "#{}"),
            (Type::Status, "\"allowed\""),
        ];
        for (ty, script) in refused {
            let given: Dynamic = engine.eval(script).expect("the script runs");
            assert_eq!(from_script(given, &ty), None, "{script} as {ty}");
        }
    }

    #[test]
    fn what_a_script_makes_is_what_a_caller_may_send() {
        let engine = Engine::new();
        let taken = [
            (Type::Decimal, "1", Value::Decimal(decimal("1"))),
            (Type::Money, "#{ value: 12, currency: \"EUR\" }", amount("12 EUR")),
            (Type::Money, "#{ value: 12.300, currency: \"EUR\" }", amount("12.30 EUR")),
            (Type::Ip, "\"::ffff:203.0.113.9\"", Value::Ip("203.0.113.9".parse().expect("an address"))),
            (Type::Cidr, "\"203.0.113.9\"", Value::Cidr("203.0.113.9/32".parse().expect("a network"))),
            (Type::Cidr, "\"203.0.113.9/24\"", Value::Cidr("203.0.113.0/24".parse().expect("a network"))),
            (Type::Text, "\" \u{fb01} \"", Value::Text("fi".into())),
        ];
        for (ty, script, value) in taken {
            let given: Dynamic = engine.eval(script).expect("the script runs");
            assert_eq!(from_script(given, &ty), Some(value), "{script} as {ty}");
        }
    }

    #[test]
    fn an_amount_that_no_decimal_holds_does_not_go() {
        let most = Money { minor: i128::MAX, currency: Currency::parse("EUR").expect("a currency") };
        assert!(into_script(&Value::Money(most), &Type::Money).is_none());
    }
}
