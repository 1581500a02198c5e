//! What a rate did to a decision stands in the decision: a replay needs neither the file nor the day.

use std::{collections::BTreeMap, sync::Arc};

use engine::{
    EventInput, Located, Outcome, PackSource, Program, Signals, Stream, Verdict, Why, compile, evaluate, explain,
};

const RULES: &str = "rates from \"rates.csv\"\n\
    event pay { amount: money  fee: money? }\n\
    policy p on pay { default allow  on unknown step_up\n\
      rule large { when amount > 100 EUR then block }\n\
      rule share { when fee / amount > 0.5 on unknown skip then challenge qr }\n\
      rule day { when sum(amount) of pay by user over 24h including this > 150 EUR then challenge qr }\n\
    }\n";

fn pack(rates: &str) -> PackSource {
    let files =
        BTreeMap::from([("pack.rules".to_owned(), RULES.into()), ("rates.csv".to_owned(), rates.as_bytes().to_vec())]);
    PackSource { name: "pay".to_owned(), files }
}

fn program(rates: &str) -> Arc<Program> {
    let compilation = compile(&pack(rates));
    let drawn = grammar::render_text(&compilation.diagnostics, &compilation.sources, false);
    compilation.program.unwrap_or_else(|| panic!("{drawn}"))
}

fn pay(stream: &mut Stream, at: &str, fields: &[(&str, &str)]) -> (Signals, Verdict) {
    let mut input = EventInput::new("pay", "ann", at.parse().expect("it is a time"));
    input.custom.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())));
    let event = stream.program().decode(&input).expect("it is a payment");
    stream.push(Located::nowhere(Arc::new(event)))
}

const RATES: &str = "EUR,USD,1.25\nEUR,JPY,160,2026-01-01\nEUR,GBP,0.85\n";

#[test]
fn the_rates_in_force_are_written_down_and_a_replay_takes_them_from_there() {
    let program = program(RATES);
    let mut stream = Stream::new(Arc::clone(&program));
    let (signals, verdict) = pay(&mut stream, "2026-03-01T10:00:00Z", &[("amount", "126 USD"), ("fee", "9600 JPY")]);
    assert_eq!(verdict.outcome, Outcome::Block);
    let written: Vec<String> = signals.rates.iter().map(ToString::to_string).collect();
    assert_eq!(written, ["1 EUR = 160 JPY since 2026-01-01T00:00:00Z", "1 EUR = 1.25 USD"]);
    assert_eq!(explain(&program, &signals).rates, signals.rates);

    let text = serde_json::to_string(&signals).expect("signals serialise");
    let recorded: Signals = serde_json::from_str(&text).expect("signals read back");
    assert_eq!(recorded, signals);
    // The same rules beside other rates: the old decision stays what it was, a new one does not.
    let later = self::program("EUR,USD,2\nEUR,JPY,1000\n");
    assert_eq!(evaluate(&later, &recorded), verdict);
    let (_, anew) = pay(&mut Stream::new(later), "2026-03-01T10:00:00Z", &[("amount", "126 USD"), ("fee", "9600 JPY")]);
    assert_eq!(anew.outcome, Outcome::Allow);
}

/// The list is the only place that speaks of JPY.
#[test]
fn an_amount_on_a_list_meets_one_in_another_currency_at_the_rate_that_is_written_down() {
    let rules = "rates from \"rates.csv\"\nlist @probes: money from \"probes.csv\"\nevent pay { amount: money }\n\
        policy p on pay { default allow  rule probe { when amount in @probes then block } }\n";
    let files = [("pack.rules", rules), ("rates.csv", RATES), ("probes.csv", "160 JPY\n")];
    let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())).into();
    let program = compile(&PackSource { name: "pay".to_owned(), files }).program.expect("it compiles");
    let mut stream = Stream::new(program);
    for (amount, outcome) in [("1.25 USD", Outcome::Block), ("1.26 USD", Outcome::Allow)] {
        let (signals, verdict) = pay(&mut stream, "2026-03-01T10:00:00Z", &[("amount", amount)]);
        let written: Vec<String> = signals.rates.iter().map(ToString::to_string).collect();
        assert_eq!(verdict.outcome, outcome, "{amount}");
        assert_eq!(written, ["1 EUR = 160 JPY since 2026-01-01T00:00:00Z", "1 EUR = 1.25 USD"]);
    }
}

#[test]
fn nothing_is_written_down_where_nothing_can_meet() {
    let mut stream = Stream::new(program(RATES));
    let (signals, verdict) = pay(&mut stream, "2026-03-01T10:00:00Z", &[("amount", "99 EUR")]);
    assert_eq!((verdict.outcome, signals.rates.len()), (Outcome::Allow, 0));
    assert!(!serde_json::to_string(&signals).expect("signals serialise").contains("rates"));
}

#[test]
fn without_a_rate_it_stays_unknown() {
    let mut stream = Stream::new(program(RATES));
    for (at, amount) in [("2026-03-01T10:00:00Z", "1 CHF"), ("2025-12-31T23:59:59Z", "1 JPY")] {
        let (_, verdict) = pay(&mut stream, at, &[("amount", amount)]);
        assert_eq!(verdict.outcome, Outcome::Challenge, "{amount}");
        let causes: Vec<(&str, Why)> = verdict.unknown.iter().map(|unknown| (&*unknown.rule, unknown.why)).collect();
        let expected = [("large", Why::CurrencyMismatch), ("share", Why::Absent), ("day", Why::CurrencyMismatch)];
        assert_eq!(causes, expected, "{amount}");
    }
}

#[test]
fn a_sum_counts_each_amount_at_the_rate_of_its_own_time() {
    let mut stream = Stream::new(program("EUR,USD,1.25\nEUR,USD,2,2026-03-02\n"));
    let (_, first) = pay(&mut stream, "2026-03-01T23:00:00Z", &[("amount", "100 USD")]); // 80 EUR
    let (_, second) = pay(&mut stream, "2026-03-02T01:00:00Z", &[("amount", "140 USD")]); // 70 EUR
    let (signals, third) = pay(&mut stream, "2026-03-02T02:00:00Z", &[("amount", "0.02 USD")]); // a cent
    let outcomes = [first, second, third].map(|verdict| verdict.outcome);
    assert_eq!(outcomes, [Outcome::Allow, Outcome::Allow, Outcome::Challenge]);
    assert!(serde_json::to_string(&signals.observed).expect("it serialises").contains("150.01 EUR"));
}

#[test]
fn the_file_is_part_of_the_version() {
    assert_ne!(pack(RATES).version(), pack("EUR,USD,1.26\n").version());
    assert_ne!(program(RATES).version(), program("EUR,USD,1.26\n").version());
}
