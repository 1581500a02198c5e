//! Laws of the logic, of absence, and of the machine: for all inputs, not for examples.

use std::sync::Arc;

use engine::{
    EventInput, Located, Maybe, Outcome, PackSource, Stream, Value, Verdict, compile, run_tests,
    value::{Country, GeoFix, Interval, Money, Precision, Tri, Why},
};
use proptest::prelude::*;

fn tri() -> impl Strategy<Value = Tri> {
    prop_oneof![Just(Tri::True), Just(Tri::False), Just(Tri::Unknown)]
}

fn interval() -> impl Strategy<Value = (Interval<i64>, Vec<i64>)> {
    (-20_i64..20, 0_i64..6, any::<bool>(), any::<bool>()).prop_map(|(lo, width, open_lo, open_hi)| {
        let hi = lo + width;
        let within = (if open_lo { lo - 30 } else { lo }..=if open_hi { hi + 30 } else { hi }).collect();
        let interval =
            Interval { lo: (!open_lo).then_some(lo), hi: (!open_hi).then_some(hi), why: Some(Why::Saturated) };
        (interval, within)
    })
}

proptest! {
    #[test]
    fn de_morgan_commutativity_double_negation_and_the_rest(a in tri(), b in tri(), c in tri()) {
        prop_assert_eq!(a.and(b).not(), a.not().or(b.not()));
        prop_assert_eq!(a.or(b).not(), a.not().and(b.not()));
        prop_assert_eq!(a.and(b), b.and(a));
        prop_assert_eq!(a.or(b), b.or(a));
        prop_assert_eq!(a.not().not(), a);
        prop_assert_eq!(a.and(b).and(c), a.and(b.and(c)));
        prop_assert_eq!(a.and(b.or(c)), a.and(b).or(a.and(c)));
        prop_assert_eq!(Tri::Unknown.and(Tri::False), Tri::False);
        prop_assert_eq!(Tri::Unknown.or(Tri::True), Tri::True);
    }

    #[test]
    fn a_comparison_of_intervals_is_certain_only_if_every_pair_agrees((a, xs) in interval(), (b, ys) in interval()) {
        let pairs = || xs.iter().flat_map(|x| ys.iter().map(move |y| (x, y)));
        let less = a.less(&b);
        prop_assert!(!less.is_true() || pairs().all(|(x, y)| x < y));
        prop_assert!(!less.is_false() || pairs().all(|(x, y)| x >= y));
        let equal = a.equal_by(&b, |x, y| Some(x.cmp(y)));
        prop_assert!(!equal.is_true() || pairs().all(|(x, y)| x == y) );
        prop_assert!(!equal.is_false() || pairs().all(|(x, y)| x != y));
    }

    #[test]
    fn no_text_makes_the_engine_panic(text in "(?s).{0,200}") {
        survive(&text);
    }

    #[test]
    fn no_mutation_of_a_pack_makes_the_engine_panic(cut in any::<prop::sample::Index>(), length in 0_usize..40, insert in "[a-z0-9@{}()\\[\\]<>=!?.,:\"# ]{0,12}", from in any::<prop::sample::Index>()) {
        let source = six_policies();
        let chars: Vec<char> = source.chars().collect();
        let start = cut.index(chars.len());
        let taken = from.index(chars.len());
        let moved: String = chars.iter().skip(taken).take(length).collect();
        let mutated: String = chars.iter().take(start).copied()
            .chain(insert.chars()).chain(moved.chars())
            .chain(chars.iter().skip(start + length).copied()).collect();
        survive(&mutated);
    }
}

/// The pack of the manual, in one file.
fn six_policies() -> String {
    let chapter = include_str!("../../docs/language/17-six-policies.md");
    let rules =
        chapter.split("```").find_map(|block| block.strip_prefix("rules shared\n")).expect("the chapter has rules");
    let lines = rules.lines().filter(|line| !line.starts_with("script "));
    lines.map(|line| line.replace("from \"lists/blocked_ips.csv\"", "managed") + "\n").collect()
}

#[test]
fn the_pack_that_is_mutated_has_no_mistake_of_its_own() {
    assert!(compile(&PackSource::of_rules(&six_policies())).program.is_some());
}

/// Parses, checks, and, if there is a program, judges an event of every kind and runs its tests.
fn survive(text: &str) {
    let compilation = compile(&PackSource::of_rules(text));
    let _ = grammar::render_text(&compilation.diagnostics, &compilation.sources, false);
    let Some(program) = compilation.program else {
        assert!(compilation.diagnostics.iter().any(grammar::Diagnostic::is_error), "no program and no error");
        return;
    };
    let _ = run_tests(&program, &|_| engine::Whereabouts::default());
    let mut stream = Stream::new(Arc::clone(&program));
    for action in program.actions() {
        let input = EventInput::new(&action.name, "u", "2026-01-01T00:00:00Z".parse().expect("it is a time"));
        if let Ok(event) = program.decode(&input) {
            let _ = stream.push(Located::nowhere(Arc::new(event)));
        }
    }
}

/// A policy whose only question is about one optional fact, which is absent.
fn with_absent(condition: &str, then: &str) -> Verdict {
    let rules = format!(
        "event e {{ n: int?  t: string?  b: bool?  d: duration?  m: money?  c: country?  p: percent?  k: decimal?  w: timestamp? }}\n\
         policy p on e {{ default allow  on unknown step_up\n  rule r {{ when {condition} {then} }}\n}}\n"
    );
    let compilation = compile(&PackSource::of_rules(&rules));
    let drawn = grammar::render_text(&compilation.diagnostics, &compilation.sources, false);
    let program = compilation.program.unwrap_or_else(|| panic!("{drawn}"));
    let input = EventInput::new("e", "u", "2026-01-01T00:00:00Z".parse().expect("it is a time"));
    let event = program.decode(&input).expect("everything is optional");
    Stream::new(program).push(Located::nowhere(Arc::new(event))).1
}

const ABOUT_SOMETHING_OPTIONAL: &[&str] = &[
    "n > 3",
    "n == 3",
    "n != 3",
    "n in [1, 2]",
    "n not in [1, 2]",
    "n between 1 and 3",
    "n in 1..3",
    "n + 1 > 3",
    "t == \"x\"",
    "t != \"x\"",
    "t matches \"x\"",
    "t in [\"a\"]",
    "b",
    "not b",
    "b == true",
    "b and n > 3",
    "d > 5m",
    "m > 30 EUR",
    "m * 50% > 30 EUR",
    "c == NZ",
    "c not in [NZ]",
    "p > 40%",
    "k < 1.5",
    "w < now - 30d",
    "ip in 203.0.113.0/24",
    "ip not in 203.0.113.0/24",
    "ip == 203.0.113.9",
    "device == \"d\"",
    "email == \"x\"",
    "phone == \"x\"",
    "user_agent matches \"x\"",
    "session == \"x\"",
    "locale == \"x\"",
    "device.name == \"x\"",
    "geo.country == NZ",
    "geo.country != NZ",
    "geo.region == \"x\"",
    "geo.city == \"x\"",
    "geo.lat > 1.0",
    "geo.lon > 1.0",
    "geo.radius > 5 km",
    "ip.asn == AS64500",
    "ip.as_org == \"x\"",
    "ip.hosting",
    "not ip.vpn",
    "ip.tor",
    "user.tz == \"UTC\"",
    "user.home_country == NZ",
    "geo.country == user.home_country",
    "distance(geo, last_verified.geo) > 200 km",
    "speed(geo, previous.geo) > 1000 km/h",
    "last_verified.ip == ip",
    "last_verified.device == device",
    "previous.time < now - 1h",
    "first_seen(device) by user < now - 30d",
    "times_seen(ip) by user within 90d == 0",
    "count() of e by ip over 1h == 0",
    "count() of e by device over 1h < 3",
    "time in 08:00..18:00 tz user.tz",
    "weekday(time, user.tz) == monday",
    "avg(n) of e by user over 1d > 3",
];

#[test]
fn no_rule_on_something_optional_allows_through_absence() {
    assert!(ABOUT_SOMETHING_OPTIONAL.len() >= 40);
    for condition in ABOUT_SOMETHING_OPTIONAL {
        for then in ["then challenge qr", "then block"] {
            for condition in
                [(*condition).to_owned(), format!("not ({condition})"), format!("({condition}) or ({condition})")]
            {
                let verdict = with_absent(&condition, then);
                assert!(verdict.outcome >= Outcome::Challenge, "{condition} {then}: {verdict:?}");
                assert!(!verdict.unknown.is_empty(), "{condition}: nothing is named");
                assert!(verdict.reasons.iter().any(|reason| reason.code.starts_with("UNKNOWN:r:")), "{condition}");
            }
        }
    }
}

#[test]
fn no_exemption_rests_on_what_is_absent() {
    for condition in ABOUT_SOMETHING_OPTIONAL {
        for (rule, default) in
            [("then allow", "challenge qr"), ("active until 2100-01-01 when_ then allow final", "block")]
        {
            for unknown in ["on unknown match", "on unknown skip", "on unknown step_up"] {
                let (validity, then) = match rule.split_once(" when_ ") {
                    Some((validity, then)) => (validity, then),
                    None => ("", rule),
                };
                let rules = format!(
                    "event e {{ n: int?  t: string?  b: bool?  d: duration?  m: money?  c: country?  p: percent?  k: decimal?  w: timestamp? }}\n\
                     policy p on e {{ default {default}\n  rule r {{ {validity} when {condition} {unknown} {then} }}\n}}\n"
                );
                let program = compile(&PackSource::of_rules(&rules)).program.expect("it compiles");
                let input = EventInput::new("e", "u", "2026-01-01T00:00:00Z".parse().expect("it is a time"));
                let event = program.decode(&input).expect("everything is optional");
                let verdict = Stream::new(program).push(Located::nowhere(Arc::new(event))).1;
                assert!(verdict.outcome >= Outcome::Challenge, "{condition} {unknown} {then}: {verdict:?}");
            }
        }
    }
}

/// The last verdict of a stream of events that differ in their fields, one second apart.
fn last_of(rules: &str, events: &[&[(&str, serde_json::Value)]]) -> Verdict {
    let compilation = compile(&PackSource::of_rules(rules));
    let drawn = grammar::render_text(&compilation.diagnostics, &compilation.sources, false);
    let program = compilation.program.unwrap_or_else(|| panic!("{drawn}"));
    let mut stream = Stream::new(Arc::clone(&program));
    let mut at: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().expect("it is a time");
    let mut last = None;
    for fields in events {
        at += jiff::SignedDuration::from_secs(1);
        let mut input = EventInput::new("e", "u", at);
        input.custom.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let event = program.decode(&input).expect("the event fits its schema");
        last = Some(stream.push(Located::nowhere(Arc::new(event))).1);
    }
    last.expect("there is an event")
}

#[test]
fn evidence_that_lies_across_a_constant_is_unknown_and_no_other_rule_changes_that() {
    // Two earlier events of which nobody knows whether they count: between none and two of them.
    let events: [&[(&str, serde_json::Value)]; 3] = [&[("n", 1.into())], &[("n", 1.into())], &[("n", 1.into())]];
    let count = "count() of e where (m > 0) by user over 1h";
    for (condition, holds) in [
        (format!("{count} == 1"), None),
        (format!("{count} != 1"), None),
        (format!("{count} >= 2 and {count} <= 0"), None),
        (format!("{count} in [1, 7]"), None),
        (format!("{count} in [3, 7]"), Some(false)),
        (format!("{count} not in [3, 7]"), Some(true)),
        (format!("{count} < 3"), Some(true)),
        (format!("{count} > 2"), Some(false)),
    ] {
        for other in ["true", &format!("{count} == 0"), &format!("{count} > 1"), &format!("{count} in [0, 2, 9]")] {
            let rules = format!(
                "event e {{ n: int  m: int? }}\n\
                 policy p on e {{ default allow on unknown skip\n  rule r {{ when {condition} then block }}\n\
                 rule other {{ when {other} then nothing }}\n}}\n"
            );
            let verdict = last_of(&rules, &events);
            let said = if verdict.rules.iter().any(|hit| &*hit.rule == "r") {
                Some(true)
            } else if verdict.unknown.iter().any(|unknown| &*unknown.rule == "r") {
                None
            } else {
                Some(false)
            };
            assert_eq!(said, holds, "{condition} beside {other}");
        }
    }
}

#[test]
fn doubtful_events_beyond_what_a_threshold_keeps_are_as_doubtful_as_those_within() {
    let events: Vec<[(&str, serde_json::Value); 1]> = (0..6).map(|n| [("n", n.into())]).collect();
    let events: Vec<&[(&str, serde_json::Value)]> = events.iter().map(|event| &event[..]).collect();
    for count in ["count()", "count(distinct n)"] {
        let rules = format!(
            "event e {{ n: int  m: int? }}\n\
             policy p on e {{ default allow on unknown step_up\n\
             rule r {{ when {count} of e where (m > 0) by user over 1h <= 1 then block }}\n}}\n"
        );
        let verdict = last_of(&rules, &events);
        let causes: Vec<Why> = verdict.unknown.iter().map(|unknown| unknown.why).collect();
        assert_eq!(causes, [Why::Absent], "{count}: {:?}", verdict.unknown);
    }
}

#[test]
fn points_that_might_block_stand_against_an_exemption_and_say_why() {
    let rules = "event e { n: int  m: int? }\n\
        policy p on e { default allow on unknown step_up combine score { challenge at 10, block at 20 }\n\
          rule exempt { active until 2100-01-01 when n == 1 then allow final }\n\
          rule points { when n == 1 then score 15 }\n\
          rule more { when m > 1 then score 5 }\n}\n";
    let told = last_of(rules, &[&[("n", 1.into()), ("m", 1.into())]]);
    assert_eq!((told.outcome, told.decided_by.word()), (Outcome::Allow, "exempt"), "points ask for a challenge only");
    let untold = last_of(rules, &[&[("n", 1.into())]]);
    assert_eq!((untold.outcome, untold.decided_by.word()), (Outcome::Challenge, "unknown"));
    assert!(untold.reasons.iter().any(|reason| reason.code == "UNKNOWN:more:m"), "{:?}", untold.reasons);
    let blocked = last_of(rules, &[&[("n", 1.into()), ("m", 2.into())]]);
    assert_eq!(blocked.outcome, Outcome::Block);
}

#[test]
fn a_rollout_reaches_its_share_and_only_grows() {
    let reached = |percent: &str| -> Vec<usize> {
        let rules = format!(
            "event e {{}}\npolicy p on e {{ default allow\n  rule r {{ rollout {percent}% by user when now > 2020-01-01 then block }}\n}}\n"
        );
        let program = compile(&PackSource::of_rules(&rules)).program.expect("it compiles");
        let mut stream = Stream::new(Arc::clone(&program));
        let at = "2026-01-01T00:00:00Z".parse().expect("it is a time");
        let mut blocked = |user: &usize| {
            let event = program.decode(&EventInput::new("e", &format!("user-{user}"), at)).expect("it is an event");
            stream.push(Located::nowhere(Arc::new(event))).1.outcome == Outcome::Block
        };
        (0..4_000).filter(|user| blocked(user)).collect()
    };
    let (none, ten, half, all) = (reached("0"), reached("10"), reached("50"), reached("100"));
    assert!(none.is_empty());
    assert_eq!(all.len(), 4_000);
    assert!((300..500).contains(&ten.len()), "{} of 4000 at 10%", ten.len());
    assert!((1_850..2_150).contains(&half.len()), "{} of 4000 at 50%", half.len());
    assert!(ten.iter().all(|user| half.contains(user)), "raising the share put somebody out");
}

#[test]
fn every_value_reads_back_from_the_audit_log() {
    let fix = GeoFix {
        country: Country::UNSPECIFIED,
        region: None,
        city: Some("Zürich".into()),
        lat: 47.376_887,
        lon: -0.1,
        radius_km: 0.1 + 0.2,
        time_zone: Some("Europe/Zurich".into()),
        precision: Precision::City,
        source: "fixture".into(),
        digest: "00".into(),
    };
    let values = [
        Value::Bool(true),
        Value::Int(i64::MIN),
        Value::Decimal("1234567890123456789012345.678".parse().expect("it is a number")),
        Value::Percent("40".parse().expect("it is a number")),
        Value::Money(Money::parse_text("-12.30 EUR").expect("it is an amount")),
        Value::Duration(-1),
        Value::Timestamp("2026-03-01T10:00:00.123456789Z".parse().expect("it is a time")),
        Value::Country(Country::parse("NZ").expect("it is a country")),
        Value::Asn(u32::MAX),
        Value::Ip("2001:db8::1".parse().expect("it is an address")),
        Value::Cidr("2001:db8::/32".parse().expect("it is a network")),
        Value::Geo(Arc::new(fix)),
        Value::Text("\u{0}\"\\ü".into()),
        Value::User("u".into()),
        Value::Weekday(7),
        Value::List([Value::Int(1), Value::Int(2)].into()),
    ];
    for value in values {
        let known = Maybe::Known(value);
        let text = serde_json::to_string(&known).expect("it serialises");
        let back: Maybe<Value> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(back, known, "{text}");
    }
}
