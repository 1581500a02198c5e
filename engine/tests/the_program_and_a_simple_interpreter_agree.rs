//! Random policies on random streams: the compiled program with its bounded history, against an interpreter that
//! walks the tree and scans the whole past.

mod interpreter;

use std::sync::Arc;

use engine::{EventInput, Located, Outcome, PackSource, Stream, compile};
use interpreter::{Past, Plain, Record, World};
use jiff::{SignedDuration, Timestamp};
use proptest::{prelude::*, strategy::Union};

const SCHEMA: &str = "event e { n: int  m: int?  name: string?  yes: bool?  kind: string }\n";

fn number() -> BoxedStrategy<String> {
    let leaf = Union::new(vec![
        Just("n".to_owned()).boxed(),
        Just("m".to_owned()).boxed(),
        (-3_i64..4).prop_map(|value| value.to_string()).boxed(),
        Just("(m ?? 1)".to_owned()).boxed(),
        aggregate(),
    ]);
    leaf.prop_recursive(2, 4, 2, |inner| {
        (inner.clone(), prop_oneof![Just("+"), Just("-"), Just("*")], inner)
            .prop_map(|(a, op, b)| format!("({a} {op} {b})"))
    })
    .boxed()
}

fn aggregate() -> BoxedStrategy<String> {
    let function = prop_oneof![Just("count()"), Just("count(distinct name)"), Just("count(distinct kind)")];
    let filter = prop_oneof![
        Just(""),
        Just(" where (kind == \"a\")"),
        Just(" where (completed and n > 0)"),
        Just(" where (not completed)")
    ];
    let keys = prop_oneof![Just("user"), Just("name"), Just("user, kind"), Just("device")];
    let window = prop_oneof![Just("10s"), Just("1m"), Just("1h")];
    let this = prop_oneof![Just(""), Just(" including this")];
    (function, filter, keys, window, this)
        .prop_map(|(function, filter, keys, window, this)| {
            format!("({function} of e{filter} by {keys} over {window}{this})")
        })
        .boxed()
}

fn condition() -> BoxedStrategy<String> {
    let compare = prop_oneof![Just("=="), Just("!="), Just("<"), Just("<="), Just(">"), Just(">=")];
    let equal = prop_oneof![Just("=="), Just("!=")];
    let text = prop_oneof![Just("name"), Just("kind"), Just("(name ?? kind)")];
    let word = prop_oneof![Just("\"a\""), Just("\"b\""), Just("name"), Just("kind")];
    let leaf = Union::new(vec![
        (number(), compare, number()).prop_map(|(a, op, b)| format!("{a} {op} {b}")).boxed(),
        (text.clone(), equal, word).prop_map(|(a, op, b)| format!("{a} {op} {b}")).boxed(),
        (text, prop_oneof![Just("in"), Just("not in")]).prop_map(|(a, op)| format!("{a} {op} [\"a\", \"c\"]")).boxed(),
        (number(), -2_i64..2, 0_i64..3)
            .prop_map(|(a, low, more)| format!("{a} between {low} and {}", low + more))
            .boxed(),
        prop_oneof![Just("m"), Just("name"), Just("yes")]
            .prop_flat_map(|field| {
                prop_oneof![Just("is missing"), Just("is not missing"), Just("is known"), Just("is not known")]
                    .prop_map(move |question| format!("{field} {question}"))
            })
            .boxed(),
        Just("yes".to_owned()).boxed(),
    ]);
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not ({part})")),
        ]
    })
    .boxed()
}

fn rule(index: usize) -> BoxedStrategy<String> {
    let unknown = prop_oneof![Just("on unknown step_up"), Just("on unknown match"), Just("on unknown skip")];
    let mode = prop_oneof![4 => Just(""), 1 => Just("mode shadow"), 1 => Just("mode off")];
    let then = prop_oneof![
        Just("allow"),
        Just("active until 2100-01-01 then allow final"),
        Just("challenge qr"),
        Just("block")
    ];
    (mode, -2_i64..3, condition(), prop::option::of(condition()), unknown, then)
        .prop_map(move |(mode, priority, when, unless, unknown, then)| {
            let unless = unless.map_or(String::new(), |unless| format!("unless {unless}"));
            let then = if then.starts_with("active") { then.to_owned() } else { format!("then {then}") };
            let (validity, then) = then
                .strip_prefix("active until 2100-01-01 ")
                .map_or(("", then.as_str()), |then| ("active until 2100-01-01", then));
            format!(
                "  rule r{index} {{ {mode} priority {priority} {validity} when {when} {unless} {unknown} {then} }}\n"
            )
        })
        .boxed()
}

fn policy() -> BoxedStrategy<String> {
    let rules = (0..6).map(rule).collect::<Vec<_>>();
    let combine = prop_oneof![Just("strictest"), Just("first_match")];
    let default = prop_oneof![Just("allow"), Just("challenge qr"), Just("block")];
    (rules, combine, default)
        .prop_map(|(rules, combine, default)| {
            format!("{SCHEMA}policy p on e {{ default {default}  combine {combine}\n{}}}\n", rules.concat())
        })
        .boxed()
}

fn event() -> BoxedStrategy<(i64, Record)> {
    let word = || prop_oneof![Just("a".to_owned()), Just("b".to_owned()), Just("c".to_owned())];
    let user = prop_oneof![Just("u".to_owned()), Just("v".to_owned())];
    (
        0_i64..40_000,
        -3_i64..5,
        prop::option::of(-3_i64..5),
        prop::option::of(word()),
        prop::option::of(any::<bool>()),
        word(),
        user,
        prop::option::of(word()),
    )
        .prop_map(|(later, n, m, name, yes, kind, user, device)| {
            let mut record = Record::new();
            record.insert("n".into(), Plain::Int(n));
            record.insert("kind".into(), Plain::Text(kind));
            record.insert("user".into(), Plain::Text(user));
            let optional = [
                ("m", m.map(Plain::Int)),
                ("name", name.map(Plain::Text)),
                ("yes", yes.map(Plain::Bool)),
                ("device", device.map(Plain::Text)),
            ];
            for (name, value) in optional {
                if let Some(value) = value {
                    record.insert(name.into(), value);
                }
            }
            (later, record)
        })
        .boxed()
}

fn input(at: Timestamp, record: &Record) -> EventInput {
    let text = |name: &str| match record.get(name) {
        Some(Plain::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let mut input = EventInput::new("e", &text("user").expect("it has a user"), at);
    input.device = text("device");
    for name in ["n", "m", "name", "yes", "kind"] {
        let json = match record.get(name) {
            Some(Plain::Int(value)) => (*value).into(),
            Some(Plain::Text(value)) => value.as_str().into(),
            Some(Plain::Bool(value)) => (*value).into(),
            None => continue,
        };
        input.custom.insert(name.to_owned(), json);
    }
    input
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn on_every_event_of_a_random_stream(source in policy(), events in prop::collection::vec(event(), 1..25)) {
        let pack = PackSource::of_rules(&source);
        let compilation = compile(&pack);
        let drawn = grammar::render_text(&compilation.diagnostics, &compilation.sources, false);
        let Some(program) = compilation.program else { panic!("{drawn}\n{source}") };
        let file = grammar::parse(&compilation.sources.files()[0]).file;
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("it is a time");
        let mut stream = Stream::new(Arc::clone(&program));
        let mut past: Vec<Past> = Vec::new();
        let mut at_ms = 0;
        for (later, record) in events {
            at_ms += later;
            let at = start + SignedDuration::from_millis(at_ms);
            let decoded = program.decode(&input(at, &record)).expect("the event fits its schema");
            let (_, verdict) = stream.push(Located::nowhere(Arc::new(decoded)));
            let said = World { file: &file, past: &past, at_ms, fields: &record, completed: None }.judge();
            let rank = match verdict.outcome { Outcome::Allow => 0, Outcome::Challenge => 1, Outcome::Block => 2 };
            let matched: Vec<String> = verdict.rules.iter().map(|hit| hit.rule.to_string()).collect();
            prop_assert_eq!((rank, verdict.decided_by.word().to_owned(), matched), (said.outcome, said.by, said.matched), "{}\n{:?}", source, record);
            past.push(Past { at_ms, fields: record, completed: verdict.outcome == Outcome::Allow });
        }
    }
}
