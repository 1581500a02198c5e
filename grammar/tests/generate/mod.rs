//! Files somebody could write, with odd spacing and comments in every gap.

use proptest::prelude::*;
use proptest::sample::select;

/// Words and signs of the language in no order.
pub fn noise() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "policy",
        "rule",
        "test",
        "let",
        "event",
        "list",
        "when",
        "then",
        "unless",
        "and",
        "or",
        "not",
        "in",
        "is",
        "missing",
        "block",
        "challenge",
        "qr",
        "count",
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        "of",
        "by",
        "over",
        "5m",
        "since",
        "==",
        "=",
        "<",
        "..",
        "??",
        "+",
        "-",
        "@l",
        "\"s\"",
        "\"",
        "'",
        "#",
        "/*",
        "*/",
        "30 EUR",
        "5min",
        "1.2.3.4",
        "::",
        "2026-01-01",
        "23:00",
        "\n",
        "\n",
        ",",
        ":",
        ".",
        "x",
        "NZ",
        "default",
        "allow",
        "on",
        "unknown",
        "expect",
        "history",
        "1",
        "é",
        "\\",
        "\r\n",
        "/**/",
        "where",
        "including",
        "this",
        "distinct",
        "prove",
        "reason",
        "import",
        "for",
        "all",
    ];
    proptest::collection::vec((select(WORDS), select(&["", " ", "\n"][..])), 0..60)
        .prop_map(|parts| parts.into_iter().flat_map(|(word, gap)| [word, gap]).collect())
}

/// A file without errors.
pub fn file() -> impl Strategy<Value = String> {
    proptest::collection::vec(item(), 0..5).prop_flat_map(|items| {
        let tokens: Vec<String> = items.concat();
        let gaps = proptest::collection::vec(gap(), tokens.len() + 1);
        gaps.prop_map(move |gaps| {
            let mut text = String::new();
            for (index, gap) in gaps.iter().enumerate() {
                text.push_str(gap);
                text.push_str(tokens.get(index).map_or("", String::as_str));
            }
            text
        })
    })
}

/// What may stand between any two tokens.
fn gap() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        20 => Just(" "),
        3 => Just("\n"),
        1 => Just("\n\n\n"),
        1 => Just("\t  "),
        1 => Just(" # a comment\n"),
        1 => Just("\n # alone\n"),
        1 => Just("\n\n# after a blank line\n\n"),
        1 => Just(" /* inside */ "),
        1 => Just("\n/* two\n   lines */\n"),
        1 => Just(" /* two\n lines, inside */ "),
        1 => Just(" # one\n# two\n"),
        1 => Just("/*a*//*b*/"),
        1 => Just("\r\n"),
    ]
}

type Tokens = Vec<String>;

fn words(text: &str) -> Tokens {
    // Money and its like are one token with a space inside.
    text.split(' ').filter(|word| !word.is_empty()).map(|word| word.replace('~', " ")).collect()
}

fn fixed(texts: &'static [&'static str]) -> impl Strategy<Value = Tokens> {
    select(texts).prop_map(words)
}

fn cat(parts: Vec<Tokens>) -> Tokens {
    parts.concat()
}

fn literal() -> impl Strategy<Value = Tokens> {
    fixed(&[
        "1",
        "10_000",
        "-1.5",
        "true",
        "false",
        "40%",
        "30~EUR",
        "-1~JPY",
        "15m",
        "1000~km/h",
        "200km",
        "\"text\"",
        "\"a~#~\\\"b\\\"\"",
        "NZ",
        "EUR",
        "AS64500",
        "1.2.3.4",
        "::1",
        "10.0.0.0/8",
        "2001:db8::/32",
        "23:00",
        "2026-01-01",
        "2026-03-01T10:00:00Z",
    ])
}

fn path() -> impl Strategy<Value = Tokens> {
    fixed(&[
        "user",
        "ip.asn",
        "geo.country",
        "last_verified.geo",
        "list",
        "event",
        "mode",
        "reason",
        "test",
        "amount",
        "a_rather_long_field_name.of_a_record",
    ])
}

fn expr() -> impl Strategy<Value = Tokens> {
    let leaf = prop_oneof![literal(), path(), seen(), Just(words("f ( )")), Just(words("@office"))];
    leaf.prop_recursive(4, 24, 3, |inner| {
        // An operand is in parentheses, so that everything may stand everywhere.
        let operand =
            prop_oneof![path(), literal(), inner.clone().prop_map(|inner| cat(vec![words("("), inner, words(")")]))];
        prop_oneof![
            (
                operand.clone(),
                fixed(&["==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "??", "and", "or", "in", "not in"]),
                operand.clone()
            )
                .prop_map(|(left, op, right)| cat(vec![left, op, right])),
            (operand.clone(), operand.clone(), operand.clone()).prop_map(|(a, b, c)| cat(vec![
                a,
                words("between"),
                b,
                words("and"),
                c
            ])),
            (operand.clone(), operand.clone(), operand.clone()).prop_map(|(a, b, c)| cat(vec![
                a,
                words("and not"),
                b,
                words("and"),
                c
            ])),
            (operand.clone(), operand.clone(), operand.clone()).prop_map(|(a, b, c)| cat(vec![
                a,
                words("-"),
                b,
                words("/"),
                c
            ])),
            (
                operand.clone(),
                fixed(&[
                    "is missing",
                    "is not known",
                    "matches \"^x\"",
                    "in [ NZ , user , @l ]",
                    "in [ 1 , ]",
                    "in 1 .. 5",
                    "in @l",
                    "in 23:00..05:00 tz user.tz ?? \"UTC\""
                ])
            )
                .prop_map(|(value, tail)| cat(vec![value, tail])),
            operand.clone().prop_map(|inner| cat(vec![words("not not"), inner])),
            (operand.clone(), operand.clone()).prop_map(|(a, b)| cat(vec![
                words("distance ("),
                a,
                words(","),
                b,
                words(")")
            ])),
            (aggregate_head(), proptest::option::of(inner.clone()), window(), operand.clone()).prop_map(
                |(head, filter, window, limit)| {
                    let filter = filter.map_or(Vec::new(), |filter| cat(vec![words("where ("), filter, words(")")]));
                    cat(vec![head, filter, window, words(">="), limit])
                }
            ),
            inner.prop_map(|inner| cat(vec![words("("), inner, words(")")])),
        ]
    })
}

fn aggregate_head() -> impl Strategy<Value = Tokens> {
    fixed(&[
        "count ( ) of sign_in",
        "count ( distinct user ) of e",
        "sum ( amount ) of withdrawal",
        "p95 ( a.b ) of challenge.declined",
    ])
}

fn window() -> impl Strategy<Value = Tokens> {
    fixed(&[
        "by user over 10m",
        "by user , ip.asn over tumbling 1h including this",
        "by client over calendar day in user.tz ?? \"UTC\" including this",
        "by user since challenge.succeeded",
    ])
}

fn seen() -> impl Strategy<Value = Tokens> {
    fixed(&["first_seen ( device ) by user", "times_seen ( ip.asn ) by user , device within 90d"])
}

fn rule() -> impl Strategy<Value = Tokens> {
    let extras = fixed(&[
        "",
        "mode shadow",
        "priority 10",
        "active from 2026-01-01 until 2027-01-01",
        "rollout 10% by user",
        "on unknown skip",
        "meta { owner : \"x\" , review : 2027-01-31 }",
        "meta { }",
    ]);
    let outcome = fixed(&[
        "block",
        "allow",
        "allow final",
        "score 10",
        "nothing",
        "challenge qr",
        "challenge qr { level : possession , bind : [ amount , payee ] , expires : 5m }",
        "challenge qr { attempts : 3 }",
    ]);
    let effects = proptest::collection::vec(
        fixed(&["reason R_ONE", "severity high", "flag manual_review", "add ip.address to @blocked for 24h"]),
        0..4,
    );
    (
        fixed(&["rule r {", "rule longer_name \"with~a~title\" {"]),
        extras,
        expr(),
        proptest::option::of(expr()),
        outcome,
        effects,
    )
        .prop_map(|(head, extras, when, unless, outcome, effects)| {
            let unless = unless.map_or(Vec::new(), |unless| cat(vec![words("unless"), unless]));
            cat(vec![head, extras, words("when"), when, unless, words("then"), outcome, effects.concat(), words("}")])
        })
}

fn policy() -> impl Strategy<Value = Tokens> {
    let head = fixed(&["policy p on any {", "policy p on sign_in , withdrawal {"]);
    let default = fixed(&[
        "default allow",
        "default challenge qr { level : possession }",
        "default block combine strictest on unknown match",
    ]);
    let combine = fixed(&["", "meta { a : 1 }"]);
    let member = prop_oneof![rule(), expr().prop_map(|value| cat(vec![words("let x ="), value]))];
    (head, default, combine, proptest::collection::vec(member, 0..3))
        .prop_map(|(head, default, combine, members)| cat(vec![head, default, combine, members.concat(), words("}")]))
}

fn test_item() -> impl Strategy<Value = Tokens> {
    let step = fixed(&[
        "at 2026-03-01T10:00:00Z",
        "list @office has 1.2.3.4",
        "event withdrawal { }",
        "event e { user : \"u1\" , amount : 20~EUR , geo : missing }",
        "history 5 x e { a : { lat : 51.5 , lon : -0.1 } b : [ NZ , x ] } every 1m ending 2m ago",
        "expect allow",
        "expect challenge qr by default",
        "expect block by r reason R_ONE",
        "expect not rule r",
        "expect unknown r",
        "expect challenge",
    ]);
    proptest::collection::vec(step, 0..5)
        .prop_map(|steps| cat(vec![words("test \"claim\" {"), steps.concat(), words("}")]))
}

fn item() -> impl Strategy<Value = Tokens> {
    prop_oneof![
        2 => fixed(&[
            "import \"a.rules\"", "rates from \"r.csv\"", "event e { }", "event e \"a\" , \"b\" requires ip , device { a : string b : money ? @currency ( currency ) @pii }",
            "list @l : ip = [ 1.2.3.4 , ::1 ]", "list @l : ip from \"f.csv\" ttl 7d", "list @l : string managed",
            "script s ( a : string , b : list < ip > ) -> percent ? from \"s.rhai\" budget 100 ops", "script s ( ) -> bool from \"s\" budget 1 ops",
            "reason R_ONE \"text\"", "reason R_TWO \"text\" internal \"more\" regulation \"law\"",
        ]),
        2 => expr().prop_map(|value| cat(vec![words("let x ="), value])),
        3 => policy(),
        1 => test_item(),
        1 => expr().prop_map(|value| cat(vec![words("prove \"claim\" { for all e where"), value, words("expect at least block }")])),
    ]
}
