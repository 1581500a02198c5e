//! An attempt as a caller tells it, to an event typed by the pack: parsed at the door, then trusted.

use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::Value as Json;
use unicode_normalization::UnicodeNormalization;

use crate::{
    codes::{Country, Currency},
    event::{Event, EventInput, FieldError, Fields, UNDECLARED},
    lists::canonical,
    money::{Money, MoneyError},
    program::Program,
    schema::{EventSchema, FieldSchema},
    types::Type,
    value::{Value, weekday_named},
};

/// The longest text of a field, in bytes.
pub const MOST_TEXT_BYTES: usize = 8 << 10;
/// The most elements of a list field.
pub const MOST_ELEMENTS: usize = 1_024;

impl Program {
    /// Types an attempt by the schema, or says everything that is wrong with it.
    pub fn decode(&self, input: &EventInput) -> Result<Event, Vec<FieldError>> {
        let mut errors = Vec::new();
        let schema = self.event(&input.action);
        if !self.knows(schema) {
            let known: Vec<&str> =
                self.events.iter().filter(|event| self.knows(Some(event))).map(|event| &*event.name).collect();
            let near = self.actions.keys().map(|code| &**code).filter(|code| self.knows(self.event(code)));
            let near = grammar::nearest(&input.action, near);
            let hint = match (near, schema) {
                (_, Some(schema)) => format!(": `event {0}` is declared, and no policy is `on {0}`", schema.name),
                (Some(near), None) => format!("; did you mean `{near}`?"),
                (None, None) => format!("; the policies know {}", known.join(", ")),
            };
            let detail = format!("no policy knows the action `{}`{hint}", input.action);
            return Err(vec![FieldError { pointer: "/action".into(), code: "undeclared-action", detail }]);
        }
        let mut fields = Fields::empty(&self.slots);
        self.standard(input, schema, &mut fields, &mut errors);
        if let Some(schema) = schema {
            self.declared(input, schema, &mut fields, &mut errors);
        }
        let user = text(&input.user_id);
        if user.is_empty() || user.len() > MOST_TEXT_BYTES {
            let detail = "the user's id has between 1 and 8192 bytes".to_owned();
            errors.push(FieldError { pointer: "/userId".into(), code: "invalid-user", detail });
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        self.numbering.note(&mut fields);
        Ok(Event {
            id: schema.map_or(UNDECLARED, |schema| schema.id),
            action: schema.map_or_else(|| input.action.as_str().into(), |schema| Arc::clone(&schema.name)),
            user: user.into(),
            time: input.time,
            reference: input.idempotency_key.as_deref().map(Arc::from),
            status: input.status,
            fields,
        })
    }

    fn standard(
        &self,
        input: &EventInput,
        schema: Option<&EventSchema>,
        fields: &mut Fields,
        errors: &mut Vec<FieldError>,
    ) {
        let texts = [
            ("device.name", "/deviceName", &input.device_name),
            ("email", "/email", &input.email),
            ("phone", "/phoneNumber", &input.phone),
            ("user_agent", "/userAgent", &input.user_agent),
            ("session", "/sessionId", &input.session),
            ("locale", "/locale", &input.locale),
            ("device", "/deviceId", &input.device),
        ];
        for (name, pointer, given) in texts {
            match given.as_deref().map(text) {
                Some(given) if given.len() > MOST_TEXT_BYTES => errors.push(too_long(pointer)),
                Some(given) if !given.is_empty() => {
                    let value = if name == "device" { Value::Device(given.into()) } else { Value::Text(given.into()) };
                    if let Some(slot) = self.slot(name) {
                        fields.set(slot, value);
                    }
                }
                Some(_) | None => self.required(name, pointer, schema, errors),
            }
        }
        match (input.ip, self.slot("ip")) {
            (Some(ip), Some(slot)) => fields.set(slot, Value::Ip(ip.to_canonical())),
            (_, _) => self.required("ip", "/ipAddress", schema, errors),
        }
    }

    fn required(&self, name: &str, pointer: &str, schema: Option<&EventSchema>, errors: &mut Vec<FieldError>) {
        if let Some(schema) = schema.filter(|schema| schema.requires(name)) {
            let detail = format!("`{}` requires `{name}`", schema.name);
            errors.push(FieldError { pointer: pointer.into(), code: "missing-field", detail });
        }
    }

    fn declared(&self, input: &EventInput, schema: &EventSchema, fields: &mut Fields, errors: &mut Vec<FieldError>) {
        // Currencies first: an amount may be a number beside one.
        let mut ordered: Vec<&FieldSchema> = schema.fields.iter().collect();
        ordered.sort_by_key(|field| field.currency_from.is_some());
        for field in ordered {
            let pointer = format!("/custom/{}", field.name);
            let given = input.custom.get(&*field.name).filter(|json| !json.is_null());
            let Some(json) = given else {
                if !field.optional {
                    let detail = format!("`{}` needs `{}`, of type {}", schema.name, field.name, field.type_text());
                    errors.push(FieldError { pointer, code: "missing-field", detail });
                }
                continue;
            };
            let beside = field.currency_from.as_ref().and_then(|from| match fields.named(from) {
                Some(Value::Currency(currency)) => Some(*currency),
                _ => None,
            });
            match typed(json, &field.ty, beside).and_then(|value| chosen(value, field)) {
                Ok(value) => {
                    if let Some(slot) = self.slot(&field.name) {
                        fields.set(slot, value);
                    }
                }
                Err(Wrong { code, detail }) => {
                    let detail = format!("`{}` {detail}", field.name);
                    errors.push(FieldError { pointer, code, detail });
                }
            }
        }
    }
}

fn too_long(pointer: &str) -> FieldError {
    let detail = format!("a text has at most {MOST_TEXT_BYTES} bytes");
    FieldError { pointer: pointer.into(), code: "too-long", detail }
}

/// NFKC, once and for all, without the spaces around it; those that NFKC makes of other signs too, so that doing it twice
/// changes nothing. What a pack or a list says is read the same way: it is compared with this.
#[must_use]
pub fn text(given: &str) -> String {
    if given.is_ascii() {
        return given.trim().to_owned();
    }
    let normal: String = given.nfkc().collect();
    normal.trim().to_owned()
}

/// The value, if the field may have it: an `enum` has no others than it names.
fn chosen(value: Value, field: &FieldSchema) -> Result<Value, Wrong> {
    match &value {
        Value::Text(text) if !field.choices.is_empty() && !field.choices.contains(text) => {
            Err(Wrong::ty(format!("must be one of `{}`", field.choices.join("`, `"))))
        }
        _ => Ok(value),
    }
}

struct Wrong {
    code: &'static str,
    detail: String,
}

impl Wrong {
    fn ty(detail: impl Into<String>) -> Wrong {
        Wrong { code: "wrong-type", detail: detail.into() }
    }
}

fn typed(json: &Json, ty: &Type, beside: Option<Currency>) -> Result<Value, Wrong> {
    let string = |what: &str| json.as_str().map(text).ok_or_else(|| Wrong::ty(format!("must be a string: {what}")));
    let bounded = |given: String| {
        let long = given.len() > MOST_TEXT_BYTES;
        let detail = format!("has more than {MOST_TEXT_BYTES} bytes");
        if long { Err(Wrong { code: "too-long", detail }) } else { Ok(Arc::<str>::from(given)) }
    };
    match ty {
        Type::Bool => json.as_bool().map(Value::Bool).ok_or_else(|| Wrong::ty("must be true or false")),
        Type::Int => number(json)
            .filter(|number| number.fract().is_zero())
            .and_then(|number| i64::try_from(number.trunc()).ok())
            .map(Value::Int)
            .ok_or_else(|| Wrong::ty("must be a whole number of at most 64 bits")),
        Type::Decimal => {
            number(json).map(Value::Decimal).ok_or_else(|| Wrong::ty("must be a number of at most 28 digits"))
        }
        Type::Percent => match json {
            Json::String(given) => given
                .trim()
                .strip_suffix('%')
                .and_then(|digits| Decimal::from_str_exact(digits.trim()).ok())
                .map(Value::Percent)
                .ok_or_else(|| Wrong::ty("must be a number of per cent, as in 40 or \"40%\"")),
            other => number(other).map(Value::Percent).ok_or_else(|| Wrong::ty("must be a number of per cent")),
        },
        Type::Money => money(json, beside).map(Value::Money),
        Type::Duration => match json {
            Json::String(given) => duration(given)
                .map(Value::Duration)
                .ok_or_else(|| Wrong::ty("must be a length of time, as in \"15m\", or milliseconds")),
            other => number(other)
                .and_then(|ms| i64::try_from(ms.trunc()).ok().filter(|_| ms.fract().is_zero()))
                .map(Value::Duration)
                .ok_or_else(|| Wrong::ty("must be a length of time, as in \"15m\", or milliseconds")),
        },
        Type::Timestamp => string("an RFC 3339 time").and_then(|given| {
            given.parse().map(Value::Timestamp).map_err(|_| Wrong::ty("must be an RFC 3339 time with an offset"))
        }),
        Type::Weekday => string("a day like monday")
            .and_then(|given| weekday_named(&given).ok_or_else(|| Wrong::ty("must be a day like monday"))),
        Type::Country => string("a country").and_then(|given| {
            let detail = "must be the two capitals of ISO 3166-1, as in NZ".to_owned();
            Country::parse(&given).map(Value::Country).ok_or(Wrong { code: "unknown-country", detail })
        }),
        Type::Currency => string("a currency").and_then(|given| {
            let detail = "must be the three capitals of ISO 4217, as in EUR".to_owned();
            Currency::parse(&given).map(Value::Currency).ok_or(Wrong { code: "unknown-currency", detail })
        }),
        Type::Asn => number(json)
            .and_then(|number| u32::try_from(number.trunc()).ok().filter(|_| number.fract().is_zero()))
            .or_else(|| json.as_str().and_then(|given| given.trim_start_matches("AS").parse().ok()))
            .map(Value::Asn)
            .ok_or_else(|| Wrong::ty("must be an AS number")),
        Type::Ip => string("an IP address").and_then(|given| {
            let ip = given.parse::<std::net::IpAddr>().map_err(|_| Wrong::ty("must be an IP address"))?;
            Ok(Value::Ip(ip.to_canonical()))
        }),
        Type::Cidr => string("a network").and_then(|given| {
            let net = given.parse().map_err(|_| Wrong::ty("must be a network, as in 203.0.113.0/24"))?;
            Ok(Value::Cidr(canonical(net)))
        }),
        Type::Speed => number(json).map(Value::Speed).ok_or_else(|| Wrong::ty("must be a number of km/h")),
        Type::Distance => number(json).map(Value::Distance).ok_or_else(|| Wrong::ty("must be a number of km")),
        Type::Text => string("text").and_then(bounded).map(Value::Text),
        Type::User => string("a user's id").and_then(bounded).map(Value::User),
        Type::Device => string("a device's id").and_then(bounded).map(Value::Device),
        Type::List(element) => {
            let elements = json.as_array().ok_or_else(|| Wrong::ty(format!("must be a list of {element}")))?;
            if elements.len() > MOST_ELEMENTS {
                let detail = format!("has more than {MOST_ELEMENTS} elements");
                return Err(Wrong { code: "too-long", detail });
            }
            elements
                .iter()
                .map(|json| typed(json, element, None))
                .collect::<Result<Vec<_>, _>>()
                .map(|v| Value::List(v.into()))
        }
        Type::Geo | Type::Status => Err(Wrong::ty(format!("is {ty}, which no caller can send"))),
    }
}

/// A number exactly as sent: the digits are kept, no binary float stands between.
fn number(json: &Json) -> Option<Decimal> {
    let Json::Number(number) = json else { return None };
    let digits = number.to_string();
    if digits.contains(['e', 'E']) {
        return Decimal::from_scientific(&digits).ok();
    }
    Decimal::from_str_exact(&digits).ok()
}

/// `{"value":"12.30","currency":"EUR"}`, `"12.30 EUR"`, or a number beside a currency.
fn money(json: &Json, beside: Option<Currency>) -> Result<Money, Wrong> {
    let shape = "must be an amount: {\"value\":\"12.30\",\"currency\":\"EUR\"} or \"12.30 EUR\"";
    let wrong = |error: MoneyError| {
        let code = match error {
            MoneyError::NotANumber(_) | MoneyError::TooLarge(_) => "wrong-type",
            MoneyError::UnknownCurrency(_) => "unknown-currency",
            MoneyError::TooManyDecimals { .. } => "too-many-decimals",
        };
        Wrong { code, detail: format!("is no amount: {error}") }
    };
    let digits = |json: &Json| match json {
        Json::String(digits) => Some(digits.trim().to_owned()),
        // Some programs write whole numbers as `1200.0`.
        Json::Number(number) => {
            let digits = number.to_string();
            let fits = digits.contains('.') && !digits.contains(['e', 'E']);
            Some(if fits { digits.trim_end_matches('0').trim_end_matches('.').to_owned() } else { digits })
        }
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    };
    let as_beside = |money: Money| match beside {
        Some(beside) if beside != money.currency => {
            Err(Wrong::ty(format!("is in {}, and the event's currency is {beside}", money.currency)))
        }
        Some(_) | None => Ok(money),
    };
    match json {
        Json::Object(parts) => {
            let stranger = parts.keys().find(|key| !matches!(key.as_str(), "value" | "currency"));
            if let Some(stranger) = stranger {
                return Err(Wrong::ty(format!("{shape}, and has `{stranger}`")));
            }
            let value = parts.get("value").and_then(digits).ok_or_else(|| Wrong::ty(shape))?;
            let code = parts.get("currency").and_then(Json::as_str).ok_or_else(|| Wrong::ty(shape))?;
            let currency = Currency::parse(code).ok_or_else(|| wrong(MoneyError::UnknownCurrency(code.to_owned())))?;
            Money::parse(&value, currency).map_err(wrong).and_then(as_beside)
        }
        Json::String(given) if given.contains(' ') => {
            Money::parse_text(given.trim()).map_err(wrong).and_then(as_beside)
        }
        Json::String(_) | Json::Number(_) => match (digits(json), beside) {
            (Some(digits), Some(currency)) => Money::parse(&digits, currency).map_err(wrong),
            (_, _) => Err(Wrong::ty(shape)),
        },
        Json::Null | Json::Bool(_) | Json::Array(_) => Err(Wrong::ty(shape)),
    }
}

/// `15m`, `-15m`
pub(crate) fn duration(given: &str) -> Option<i64> {
    let given = given.trim();
    match given.strip_prefix('-') {
        Some(length) => grammar::ast::Duration::millis_of(length)?.checked_neg(),
        None => grammar::ast::Duration::millis_of(given),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_as_long_in_an_event_as_in_a_rule() {
        for text in
            ["500ms", "30s", "15m", "24h", "90d", "2w", "15", "m", "15 m", "15min", "1.5h", "9223372036854775807w"]
        {
            let in_a_rule =
                grammar::ast::Duration { text: text.to_owned(), span: grammar::Span::default() }.as_millis();
            assert_eq!(duration(text), in_a_rule, "{text}");
            assert_eq!(duration(&format!("-{text}")), in_a_rule.map(|ms| -ms), "-{text}");
        }
        assert_eq!(duration("--1m"), None);
    }
}
