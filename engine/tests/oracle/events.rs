//! Random events, as the engine is told of them and as the interpreter reads them.

use std::{net::IpAddr, sync::Arc};

use engine::{
    EventInput, Located, Maybe, NetworkFacts, Program, UserFacts, Why,
    value::{Country, GeoFix, Precision},
};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

use super::{
    dice::Dice,
    interpreter::{
        Fact, Plain, Record,
        plain::{exponent, minor_units},
    },
    rules::Style,
};

/// 2026-01-01T00:00:00Z, a Thursday.
pub const START_MS: i64 = 1_767_225_600_000;

/// The first moment of a day, in milliseconds since the start.
pub fn day(date: &str) -> i64 {
    format!("{date}T00:00:00Z").parse::<Timestamp>().expect("it is a day").as_millisecond() - START_MS
}

/// One event of a stream.
#[derive(Clone, Debug)]
pub struct Told {
    /// Milliseconds since the start.
    pub at_ms: i64,
    pub record: Record,
    /// How its challenge ends, if it is challenged, and how much later.
    pub ending: Option<(&'static str, i64)>,
}

/// An event at this moment.
pub fn event(dice: &mut Dice, at_ms: i64, style: Style) -> Told {
    let mut record: Record = Vec::new();
    let known = Fact::Known;
    // A threshold on a sum keeps no more than takes the sum over it, so an amount below zero later makes it unknown;
    // that has tests of its own.
    let summed = style.history && style.sums && !style.negative;
    let int = move |dice: &mut Dice| dice.range(if summed { 0 } else { -2 }, 9);
    let decimal = move |digits: &str| if summed { decimal(digits).abs() } else { decimal(digits) };
    let money = move |dice: &mut Dice| match money(dice) {
        Plain::Money(minor, currency) if summed => Plain::Money(minor.abs(), currency),
        money => money,
    };
    record.push(("user", known(Plain::Word(dice.pick(&["u", "u", "v"])))));
    record.push(("n", known(Plain::Int(int(dice)))));
    record.push(("d", known(Plain::Decimal(decimal(dice.pick(&DECIMALS))))));
    record.push(("amount", known(money(dice))));
    record.push(("kind", known(Plain::Word(dice.pick(&WORDS)))));
    // Absent now and then; when it is there, drawn from few values so that constants are met exactly.
    let thin = dice.once_in(6);
    let mut maybe = |name: &'static str, value: &dyn Fn(&mut Dice) -> Plain<'static>| {
        if !dice.once_in(if thin { 2 } else { 5 }) {
            record.push((name, known(value(dice))));
        }
    };
    // Nor can a sum be told that does not fit, except that it lies above every constant.
    let large = move |dice: &mut Dice| !summed && dice.once_in(20);
    maybe("m", &|dice| Plain::Int(if large(dice) { i64::MAX - dice.range(0, 3) } else { int(dice) }));
    maybe("x", &|dice| Plain::Decimal(decimal(dice.pick(&DECIMALS))));
    maybe("p", &|dice| Plain::Percent(decimal(dice.pick(&["0", "10", "12.5", "33.3", "50", "100", "-10"]))));
    maybe("fee", &money);
    maybe("cur", &|dice| Plain::Word(dice.pick(&CURRENCIES)));
    maybe("age", &|dice| Plain::Millis(dice.pick(&[0, 500, 30_000, 60_000, 90_000, 900_000, 3_600_000])));
    maybe("due", &|dice| Plain::Moment(START_MS + dice.pick(&[-86_400_000, 0, 1, 30_000, 300_000, 43_200_000])));
    maybe("day", &|dice| Plain::Day(dice.pick(&[1, 4, 7])));
    maybe("c", &|dice| Plain::Word(dice.pick(&COUNTRIES)));
    maybe("net", &|_| Plain::Net(IpAddr::from([10, 0, 0, 0]), 24));
    maybe("who", &|dice| Plain::Word(dice.pick(&["u", "v"])));
    maybe("dev", &|dice| Plain::Word(dice.pick(&["d1", "d2"])));
    maybe("num", &|dice| Plain::Asn(dice.pick(&[1, 2, 64_500])));
    maybe("name", &|dice| Plain::Word(dice.pick(&WORDS)));
    maybe("mood", &|dice| Plain::Word(dice.pick(&["a", "b", "c"])));
    maybe("yes", &|dice| Plain::Bool(dice.once_in(2)));
    maybe("tags", &|dice| Plain::List(dice.pick(&TAGS)));
    maybe("codes", &|dice| Plain::List(dice.pick(&CODES)));
    maybe("fast", &|dice| Plain::Speed(decimal(dice.pick(&["0", "59.9", "60", "100", "300"]))));
    maybe("far", &|dice| Plain::Distance(decimal(dice.pick(&["0", "5", "10.5", "100"]))));
    maybe("ip", &|dice| {
        let v6 = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
        Plain::Ip(dice.pick(&[
            [10, 0, 0, 1].into(),
            [10, 0, 1, 7].into(),
            [10, 0, 1, 8].into(),
            [192, 0, 2, 1].into(),
            v6,
        ]))
    });
    maybe("device", &|dice| Plain::Word(dice.pick(&["d1", "d2", "d3"])));
    maybe("device.name", &|dice| Plain::Word(dice.pick(&WORDS)));
    maybe("email", &|dice| Plain::Word(dice.pick(&WORDS)));
    maybe("locale", &|dice| Plain::Word(dice.pick(&WORDS)));
    maybe("user.home_country", &|dice| Plain::Word(dice.pick(&COUNTRIES)));
    maybe("user.tz", &|dice| Plain::Word(dice.pick(&["UTC", "Europe/Paris", "Asia/Tokyo", "Nowhere/Here"])));
    let currency = match super::interpreter::lookup(&record, "cur") {
        Fact::Known(Plain::Word(currency)) => Some(currency),
        _ => None,
    };
    if let Some(currency) = currency.filter(|_| !dice.once_in(4)) {
        let minor = amount(dice, currency);
        record.push(("limit", known(Plain::Money(if summed { minor.abs() } else { minor }, currency))));
    }
    surroundings(dice, &mut record);
    let ending = match dice.below(4) {
        0 => Some(("challenge.succeeded", dice.range(0, 20_000))),
        1 => Some(("challenge.declined", dice.range(0, 20_000))),
        _ => None,
    };
    Told { at_ms, record, ending }
}

/// Where the address is and what network it belongs to, as a look-up found it, or failed to.
fn surroundings(dice: &mut Dice, record: &mut Record) {
    let mut hidden = false;
    for (name, org) in [("ip.tor", false), ("ip.vpn", false), ("ip.hosting", false), ("ip.as_org", true)] {
        let fact = match dice.below(6) {
            0 => continue,
            1 if dice.once_in(2) => Fact::Unknown("lookup_failed"),
            _ if org => Fact::Known(Plain::Word(dice.pick(&WORDS))),
            value => Fact::Known(Plain::Bool(value == 2)),
        };
        hidden |= fact == Fact::Known(Plain::Bool(true));
        record.push((name, fact));
    }
    match dice.below(5) {
        0 => {}
        1 if dice.once_in(2) => record.push(("ip.asn", Fact::Unknown("lookup_failed"))),
        _ => record.push(("ip.asn", Fact::Known(Plain::Asn(dice.pick(&[1, 2, 64_500]))))),
    }
    let parts = ["geo", "geo.country", "geo.city", "geo.lat", "geo.lon", "geo.radius"];
    match dice.below(8) {
        0 => {}
        1 if dice.once_in(2) => record.extend(parts.map(|part| (part, Fact::Unknown("lookup_failed")))),
        _ => {
            let known = Fact::Known;
            record.push(("geo", known(Plain::Place)));
            record.push(("geo.country", known(Plain::Word(dice.pick(&COUNTRIES)))));
            // Behind an exit nobody's city is known; that is not the same as having none.
            match (hidden, dice.once_in(4)) {
                (true, _) => record.push(("geo.city", Fact::Unknown("low_precision"))),
                (false, true) => {}
                (false, false) => record.push(("geo.city", known(Plain::Word(dice.pick(&WORDS))))),
            }
            record.push(("geo.lat", known(Plain::Decimal(decimal(dice.pick(&["47.5", "-0.5", "0"]))))));
            record.push(("geo.lon", known(Plain::Decimal(decimal("8.5")))));
            record.push(("geo.radius", known(Plain::Distance(decimal(dice.pick(&["0", "5", "10.5"]))))));
        }
    }
}

const WORDS: [&str; 4] = ["a", "b", "c", "bc"];
/// The text as one of those that events are made of.
pub fn word(text: &str) -> &'static str {
    WORDS.into_iter().find(|word| *word == text).expect("events are made of these")
}

/// Whose event it is.
pub fn user(record: &Record) -> &'static str {
    match super::interpreter::lookup(record, "user") {
        Fact::Known(value) => self::text(&value),
        other => panic!("{other:?}"),
    }
}

const COUNTRIES: [&str; 4] = ["NZ", "FR", "DE", "US"];
const CURRENCIES: [&str; 5] = ["EUR", "USD", "JPY", "KWD", "CLF"];
const DECIMALS: [&str; 9] = ["0", "0.5", "1", "1.5", "2.25", "-0.5", "47.5", "3", "0.3333"];
const TAGS: [&[Plain<'static>]; 4] =
    [&[], &[Plain::Word("a")], &[Plain::Word("a"), Plain::Word("b")], &[Plain::Word("bc")]];
const CODES: [&[Plain<'static>]; 3] = [&[], &[Plain::Int(0)], &[Plain::Int(3), Plain::Int(-1)]];

fn decimal(digits: &str) -> Decimal {
    digits.parse().expect("it is a number")
}

fn money(dice: &mut Dice) -> Plain<'static> {
    let currency = dice.pick(&["EUR", "EUR", "EUR", "USD", "JPY", "KWD", "CLF"]);
    Plain::Money(amount(dice, currency), currency)
}

fn amount(dice: &mut Dice, currency: &str) -> i128 {
    let whole = dice.pick(&["0", "1", "5", "10", "15", "30", "-5", "29"]);
    // On a constant, or the smallest unit beside it.
    minor_units(whole, currency) + i128::from(dice.pick(&[0, 0, 0, 1, -1]))
}

// ---- for the engine

/// The event with what was looked up about it, in the engine's terms.
pub fn located(program: &Program, told: &Told, reference: &str) -> Located {
    let at = Timestamp::from_millisecond(START_MS + told.at_ms).expect("in the calendar");
    let word = |name: &str| match super::interpreter::lookup(&told.record, name) {
        Fact::Known(Plain::Word(word)) => Some(word.to_owned()),
        _ => None,
    };
    let mut input = EventInput::new("e", &word("user").expect("it has a user"), at);
    input.idempotency_key = Some(reference.to_owned());
    input.device = word("device");
    input.device_name = word("device.name");
    input.email = word("email");
    input.locale = word("locale");
    for (name, fact) in &told.record {
        match fact {
            Fact::Known(Plain::Ip(ip)) if *name == "ip" => input.ip = Some(mapped(*ip, told.at_ms)),
            Fact::Known(value) if DECLARED.contains(name) => {
                input.custom.insert((*name).to_owned(), json_of(name, value, told.at_ms));
            }
            _ => {}
        }
    }
    let event = program.decode(&input).unwrap_or_else(|errors| panic!("{errors:?}\n{told:?}"));
    let of = |name: &str| maybe(super::interpreter::lookup(&told.record, name));
    let yes = |name: &str| of(name).map(|value| value == Plain::Bool(true));
    let network = NetworkFacts {
        asn: of("ip.asn").map(|value| match value {
            Plain::Asn(number) => number,
            other => panic!("{other:?}"),
        }),
        as_org: of("ip.as_org").map(|value| Arc::from(text(&value))),
        hosting: yes("ip.hosting"),
        vpn: yes("ip.vpn"),
        tor: yes("ip.tor"),
    };
    let user = UserFacts {
        home_country: of("user.home_country").map(|value| country(&value)),
        tz: of("user.tz").map(|value| Arc::from(text(&value))),
    };
    let place = of("geo").map(|_| {
        let number = |name: &str| match of(name) {
            Maybe::Known(Plain::Decimal(number) | Plain::Distance(number)) => {
                number.to_string().parse::<f64>().expect("it is a number")
            }
            other => panic!("{other:?}"),
        };
        Arc::new(GeoFix {
            country: of("geo.country").known().map(country).expect("a place has a country"),
            region: None,
            // What a hidden place is reported as; the engine must forget it.
            city: match of("geo.city") {
                Maybe::Known(value) => Some(text(&value).into()),
                Maybe::Unknown(Why::LowPrecision) => Some("a".into()),
                Maybe::Unknown(_) => None,
            },
            lat: number("geo.lat"),
            lon: number("geo.lon"),
            radius_km: number("geo.radius"),
            time_zone: None,
            precision: Precision::City,
            source: "oracle".into(),
            digest: "00".into(),
        })
    });
    Located::new(Arc::new(event), place, network, user)
}

const DECLARED: [&str; 25] = [
    "n", "m", "d", "x", "p", "amount", "fee", "limit", "cur", "age", "due", "day", "c", "net", "who", "dev", "num",
    "kind", "name", "mood", "yes", "tags", "codes", "fast", "far",
];

fn maybe(fact: Fact<'static>) -> Maybe<Plain<'static>> {
    match fact {
        Fact::Known(value) => Maybe::Known(value),
        Fact::Unknown("absent") => Maybe::Unknown(Why::Absent),
        Fact::Unknown("lookup_failed") => Maybe::Unknown(Why::LookupFailed),
        Fact::Unknown("low_precision") => Maybe::Unknown(Why::LowPrecision),
        other => panic!("{other:?} is not in a record"),
    }
}

fn text(value: &Plain<'static>) -> &'static str {
    match value {
        Plain::Word(word) => word,
        other => panic!("{other:?} is no word"),
    }
}

fn country(value: &Plain<'static>) -> Country {
    Country::parse(text(value)).expect("it is a country")
}

/// Every other v4 address comes in its v6 dress.
fn mapped(ip: IpAddr, salt: i64) -> IpAddr {
    match ip {
        IpAddr::V4(v4) if salt % 2 == 0 => v4.to_ipv6_mapped().into(),
        ip => ip,
    }
}

fn number(digits: String) -> Json {
    serde_json::from_str(&digits).expect("it is a number")
}

/// A value as a caller may write it; where there are several forms, one after the other.
fn json_of(name: &str, value: &Plain<'static>, salt: i64) -> Json {
    match value {
        Plain::Bool(value) => json!(value),
        Plain::Int(value) => json!(value),
        Plain::Decimal(value) | Plain::Speed(value) | Plain::Distance(value) => number(value.to_string()),
        Plain::Percent(value) if salt % 2 == 0 => json!(format!("{value}%")),
        Plain::Percent(value) => number(value.to_string()),
        Plain::Money(minor, currency) => {
            let digits = digits(*minor, exponent(currency));
            match salt % 3 {
                0 if name == "limit" => number(digits),
                1 => json!({ "value": digits, "currency": currency }),
                _ => json!(format!("{digits} {currency}")),
            }
        }
        Plain::Millis(ms) if ms % 1_000 == 0 && salt % 2 == 0 => json!(format!("{}s", ms / 1_000)),
        Plain::Millis(ms) => json!(ms),
        Plain::Moment(at) => json!(Timestamp::from_millisecond(*at).expect("in the calendar").to_string()),
        Plain::Day(1) => json!("monday"),
        Plain::Day(4) => json!("thursday"),
        Plain::Day(_) => json!("sunday"),
        Plain::Word(word) => json!(word),
        Plain::Asn(asn) if salt % 2 == 0 => json!(format!("AS{asn}")),
        Plain::Asn(asn) => json!(asn),
        Plain::Ip(ip) => json!(ip.to_string()),
        Plain::Net(base, length) => json!(format!("{base}/{length}")),
        Plain::List(elements) => Json::Array(elements.iter().map(|element| json_of(name, element, salt)).collect()),
        Plain::Place => panic!("no caller sends a place"),
    }
}

fn digits(minor: i128, exponent: u32) -> String {
    let unit = 10_i128.pow(exponent);
    let sign = if minor < 0 { "-" } else { "" };
    let (whole, rest) = (minor.abs() / unit, minor.abs() % unit);
    if exponent == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{rest:0width$}", width = exponent as usize)
    }
}
