//! Amounts in every currency of ISO 4217, up to the last of their 128 bits: compiled rules against numbers of any
//! length. What does not fit, and what is in two currencies, is unknown and says why.

mod interpreter;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use engine::{
    EventInput, Located, PackSource, Program, Stream, Verdict, Why, compile,
    value::{Currency, Money},
};
use interpreter::plain::half_even;
use num_bigint::BigInt;
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::json;

/// ISO 4217:2015 with its amendments: the currencies whose smallest unit is no hundredth.
const WITHOUT_DECIMALS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
const WITH_THREE: &str = "BHD IQD JOD KWD LYD OMR TND";
const WITH_FOUR: &str = "CLF UYW";
/// Metals, units of account and codes for tests have no smallest unit; they are counted as a whole.
const WITHOUT_UNITS: &str = "XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX";

fn exponent(code: &str) -> u32 {
    let among = |codes: &str| codes.split(' ').any(|other| other == code);
    if among(WITHOUT_DECIMALS) || among(WITHOUT_UNITS) {
        0
    } else if among(WITH_THREE) {
        3
    } else if among(WITH_FOUR) {
        4
    } else {
        2
    }
}

static CURRENCIES: LazyLock<Vec<Currency>> =
    LazyLock::new(|| Currency::all().iter().map(|code| Currency::parse(code).expect("it is a currency")).collect());

const RULES: &str = "event e { a: money  b: money  c: money  f: decimal  q: percent }
policy p on e {
  default allow
  rule less { when a < b then nothing }
  rule same { when a == b then nothing }
  rule within { when a between b and c then nothing }
  rule among { when a in [b, c] then nothing }
  rule sum { when a + b == c then nothing }
  rule rest { when a - b == c then nothing }
  rule product { when a * f == c then nothing }
  rule share { when a * q == c then nothing }
  rule part { when a / f == c then nothing }
  rule quotient { when a / b > 1 then nothing }
  rule total { when sum(a) of e by user over 1h including this == c then nothing }
  rule least { when min(a) of e by user over 1h including this == c then nothing }
  rule most { when max(a) of e by user over 1h including this == c then nothing }
  rule mean { when avg(a) of e by user over 1h including this == c then nothing }
}
";

static PROGRAM: LazyLock<Arc<Program>> = LazyLock::new(|| {
    let compilation = compile(&PackSource::of_rules(RULES));
    let drawn = grammar::render_text(&compilation.diagnostics, &compilation.sources, false);
    compilation.program.unwrap_or_else(|| panic!("{drawn}"))
});

/// What rules say: yes, no, or why neither.
struct Said(BTreeMap<String, Result<bool, Why>>);

impl Said {
    fn of(verdict: &Verdict) -> Said {
        let matched = verdict.rules.iter().map(|hit| (hit.rule.to_string(), Ok(true)));
        let unknown = verdict.unknown.iter().map(|unknown| (unknown.rule.to_string(), Err(unknown.why)));
        Said(matched.chain(unknown).collect())
    }

    fn on(&self, rule: &str) -> Result<bool, Why> {
        self.0.get(rule).copied().unwrap_or(Ok(false))
    }
}

/// An event with three amounts, a factor that is a percentage too, and what the rules say of it.
struct Asked {
    stream: Stream,
    seconds: i64,
}

impl Asked {
    fn new() -> Asked {
        Asked { stream: Stream::new(Arc::clone(&PROGRAM)), seconds: 0 }
    }

    fn ask(&mut self, [a, b, c]: [Money; 3], factor: Decimal) -> Said {
        self.seconds += 1;
        let at = jiff::Timestamp::from_second(1_767_225_600 + self.seconds).expect("in the calendar");
        let mut input = EventInput::new("e", "u", at);
        // Every form in which a caller may write an amount.
        let written = [
            ("a", json!(a.to_string())),
            ("b", json!({ "value": b.digits(), "currency": b.currency.code() })),
            ("c", json!({ "value": number(&c.digits()), "currency": c.currency.code() })),
            ("f", number(&factor.to_string())),
            ("q", json!(format!("{factor}%"))),
        ];
        input.custom.extend(written.map(|(name, value)| (name.to_owned(), value)));
        let event = PROGRAM.decode(&input).unwrap_or_else(|errors| panic!("{errors:?}"));
        Said::of(&self.stream.push(Located::nowhere(Arc::new(event))).1)
    }
}

fn number(digits: &str) -> serde_json::Value {
    serde_json::from_str(digits).expect("it is a number")
}

/// Ordinary amounts, and those around the ends of what 128 bits hold.
fn minor() -> impl Strategy<Value = i128> {
    prop_oneof![
        any::<i128>(),
        -1_000_i128..1_000,
        any::<i64>().prop_map(i128::from),
        (0_i128..200).prop_map(|less| i128::MAX - less),
        (0_i128..200).prop_map(|more| i128::MIN + more),
        (-2_i128..3).prop_map(|beside| i128::MAX / 2 + beside),
        (-2_i128..3).prop_map(|beside| 10_i128.pow(30) + beside),
    ]
}

fn currency() -> impl Strategy<Value = Currency> {
    any::<prop::sample::Index>().prop_map(|index| *index.get(&CURRENCIES))
}

fn factor() -> impl Strategy<Value = Decimal> {
    prop_oneof![
        Just(Decimal::ZERO),
        Just(Decimal::MAX),
        Just(Decimal::MIN),
        (any::<i64>(), 0_u32..=28).prop_map(|(digits, scale)| Decimal::new(digits, scale)),
        (-300_i64..300, 0_u32..4).prop_map(|(digits, scale)| Decimal::new(digits, scale)),
    ]
}

fn ten(power: u32) -> BigInt {
    BigInt::from(10).pow(power)
}

#[test]
fn every_currency_has_the_decimals_of_iso_4217() {
    for currency in CURRENCIES.iter() {
        assert_eq!(currency.exponent(), exponent(currency.code()), "{currency}");
    }
    let known = |code: &str| Currency::parse(code).is_some();
    let listed =
        [WITHOUT_DECIMALS, WITH_THREE, WITH_FOUR].map(|codes| codes.split(' ').filter(|code| known(code)).count());
    assert_eq!(listed, [17, 7, 2], "the table of currencies lacks some");
    assert!(CURRENCIES.len() >= 170, "only {} currencies", CURRENCIES.len());
}

#[test]
fn every_currency_reads_its_last_decimal_and_refuses_one_more() {
    for currency in CURRENCIES.iter() {
        let exponent = currency.exponent() as usize;
        for minor in [0, 1, -1, 9, 12_345, i128::MAX, i128::MIN] {
            let money = Money { minor, currency: *currency };
            assert_eq!(Money::parse_text(&money.to_string()), Ok(money));
            let longer =
                if exponent == 0 { format!("{}.000", money.digits()) } else { format!("{}000", money.digits()) };
            assert!(Money::parse(&longer, *currency).is_err(), "a point may stand for thousands: {longer}");
        }
        let finer = format!("0.{}1", "0".repeat(exponent));
        let mut input = EventInput::new("e", "u", jiff::Timestamp::UNIX_EPOCH);
        let fine = json!(format!("1 {currency}"));
        let forms = [json!(format!("{finer} {currency}")), json!({ "value": finer, "currency": currency.code() })];
        for form in forms {
            for (name, value) in [("a", &form), ("b", &fine), ("c", &fine), ("f", &json!(1)), ("q", &json!(1))] {
                input.custom.insert(name.to_owned(), value.clone());
            }
            let errors = PROGRAM.decode(&input).expect_err("it is finer than the currency");
            let found: Vec<(&str, &str)> = errors.iter().map(|error| (&*error.pointer, error.code)).collect();
            assert_eq!(found, [("/custom/a", "too-many-decimals")], "{form}");
        }
    }
}

proptest! {
    #[test]
    fn rules_calculate_as_numbers_of_any_length_do(currency in currency(), a in minor(), b in minor(), factor in factor()) {
        let money = |minor| Money { minor, currency };
        let (wide_a, scale) = (BigInt::from(a), ten(factor.scale()));
        let divisor = BigInt::from(factor.mantissa());
        let exact = [
            ("sum", i128::try_from(&wide_a + b).ok()),
            ("rest", i128::try_from(&wide_a - b).ok()),
            ("product", half_even(&(&wide_a * &divisor), &scale)),
            ("share", half_even(&(&wide_a * &divisor), &(&scale * 100))),
            ("part", half_even(&(&wide_a * &scale), &divisor)),
        ];
        for (rule, result) in exact {
            let c = result.unwrap_or(0);
            let said = Asked::new().ask([money(a), money(b), money(c)], factor);
            prop_assert_eq!(said.on(rule), result.map(|_| true).ok_or(Why::Overflow), "{} = {:?}", rule, result);
            if let Some(beside) = result.and_then(|result| result.checked_add(1)) {
                let said = Asked::new().ask([money(a), money(b), money(beside)], factor);
                prop_assert_eq!(said.on(rule), Ok(false), "{} = {:?}", rule, result);
            }
            prop_assert_eq!(said.on("less"), Ok(a < b));
            prop_assert_eq!(said.on("same"), Ok(a == b));
            prop_assert_eq!(said.on("within"), Ok(b <= a && a <= c));
            prop_assert_eq!(said.on("among"), Ok(a == b || a == c));
        }
    }

    #[test]
    fn two_currencies_never_meet(
        one in currency(), other in currency(), minors in [minor(), minor(), minor()], factor in factor(),
    ) {
        prop_assume!(one != other);
        let [a, b, c] = minors;
        let money = |minor, currency| Money { minor, currency };
        // The second amount is in another currency.
        let said = Asked::new().ask([money(a, one), money(b, other), money(c, one)], factor);
        for rule in ["less", "same", "sum", "rest", "quotient"] {
            prop_assert_eq!(said.on(rule), Err(Why::CurrencyMismatch), "{}", rule);
        }
        // Known only where one side settles it.
        prop_assert_eq!(said.on("within"), if a > c { Ok(false) } else { Err(Why::CurrencyMismatch) });
        prop_assert_eq!(said.on("among"), if a == c { Ok(true) } else { Err(Why::CurrencyMismatch) });
        // What a window holds is compared with an amount in another currency.
        let said = Asked::new().ask([money(1, one), money(1, one), money(c, other)], Decimal::ONE);
        for rule in ["product", "total", "least", "most", "mean"] {
            prop_assert_eq!(said.on(rule), Err(Why::CurrencyMismatch), "{}", rule);
        }
        // And a window holds amounts in two currencies.
        let mut asked = Asked::new();
        asked.ask([money(1, one); 3], Decimal::ONE);
        let said = asked.ask([money(1, other), money(1, other), money(1, other)], Decimal::ONE);
        for rule in ["total", "least", "most", "mean"] {
            prop_assert_eq!(said.on(rule), Err(Why::CurrencyMismatch), "{}", rule);
        }
    }

    #[test]
    fn windows_add_up_exactly(currency in currency(), minors in prop::collection::vec(minor(), 1..6)) {
        let money = |minor| Money { minor, currency };
        let most_kept = 10_u128.pow(30);
        let fits = minors.iter().all(|minor| minor.unsigned_abs() <= most_kept);
        let total: BigInt = minors.iter().map(|minor| BigInt::from(*minor)).sum();
        let count = BigInt::from(minors.len());
        let exact = [
            ("total", i128::try_from(total.clone()).ok()),
            ("least", minors.iter().min().copied()),
            ("most", minors.iter().max().copied()),
            ("mean", half_even(&total, &count)),
        ];
        for (rule, result) in exact {
            let mut asked = Asked::new();
            let mut said = None;
            for minor in &minors {
                let c = result.unwrap_or(0);
                said = Some(asked.ask([money(*minor), money(0), money(c)], Decimal::ONE));
            }
            let said = said.expect("there is one").on(rule);
            // An amount beyond what a window keeps exactly makes it unknown, and says so.
            let expected = if fits { Ok(true) } else { Err(Why::Overflow) };
            prop_assert_eq!(said, expected, "{} of {:?}", rule, minors);
        }
    }
}
