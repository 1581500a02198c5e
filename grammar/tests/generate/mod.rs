//! Files somebody could write, with odd spacing and comments in every gap.

pub mod comments;

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

/// A file without errors, and the comments in it.
#[derive(Debug, Clone)]
pub struct Written {
    pub text: String,
    pub comments: Vec<String>,
}

/// A file without errors, its tokens apart by anything that may stand between them.
pub fn file() -> impl Strategy<Value = Written> {
    (proptest::collection::vec(item(), 0..5), gap_style()).prop_flat_map(|(items, style)| {
        let tokens: Vec<String> = items.concat();
        let gaps = proptest::collection::vec(gap(style), tokens.len() + 1);
        (gaps, any::<bool>()).prop_map(move |(gaps, glued)| {
            let mut written = Written { text: String::new(), comments: Vec::new() };
            for (index, gap) in gaps.iter().enumerate() {
                let (before, token) = (index.checked_sub(1).and_then(|before| tokens.get(before)), tokens.get(index));
                // ` ` alone may be left out beside a sign.
                let needless =
                    glued && gap.is_empty() && [before, token].into_iter().flatten().any(|token| is_sign(token));
                written.text.push_str(if gap.is_empty() && !needless { " " } else { "" });
                for part in gap {
                    written.text.push_str(part);
                    if part.starts_with(['#', '/']) {
                        written.comments.push(part.trim_end().replace("\r\n", "\n"));
                    }
                }
                written.text.push_str(token.map_or("", String::as_str));
            }
            if glued && written.text.ends_with('\n') {
                written.text.pop();
            }
            written
        })
    })
}

/// Signs that need no blank around them.
fn is_sign(token: &str) -> bool {
    matches!(token, "(" | ")" | "{" | "}" | "[" | "]" | "," | "=" | "==" | "<=" | "*" | "??" | "->" | "?")
}

/// How often something else than a space stands between two tokens, in a hundred.
fn gap_style() -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(2), 3 => Just(15), 2 => Just(50), 1 => Just(100)]
}

/// What may stand between any two tokens: blanks and comments, apart. Nothing means a space.
fn gap(odd: u32) -> impl Strategy<Value = Vec<&'static str>> {
    let blanks = select(&[" ", "\n", "\n\n", "\n\n\n", "\t", " \t\n  ", "\r\n", "\r\n\r\n", "   "][..]);
    let comment = select(
        &[
            "# a comment\n",
            "#\n",
            "#no blank, \"quoted\" { ( [ \t \n",
            "# größer – 更 */ \r\n",
            "/* inside */",
            "/**/",
            "/*a*/",
            "/* # \" } */",
            "/* two\n   lines */",
            "/*\n\n*/",
            "/* two\r\n\tlines, with blanks \r\n */",
            "/***\nstars ***/",
        ][..],
    );
    let part = prop_oneof![blanks, comment];
    prop_oneof![
        100 - odd => Just(Vec::new()),
        odd => proptest::collection::vec(part, 1..5),
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
        "last_verified.geo",
        "a_name.that_goes_on.for_quite_a_while.so_that.lines_break",
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
        let paren = inner.clone().prop_map(|inner| cat(vec![words("("), inner, words(")")])).boxed();
        let argument = prop_oneof![path(), literal(), paren.clone()].boxed();
        let operand = prop_oneof![3 => argument.clone(), 1 => call(argument)].boxed();
        let operands = |count| proptest::collection::vec(operand.clone(), count);
        prop_oneof![
            (operand.clone(), fixed(&["==", "!=", "<", "<=", ">", ">=", "in", "not in", "in 1 .."]), operand.clone())
                .prop_map(|(left, op, right)| cat(vec![left, op, right])),
            (operands(2..6), fixed(&["+", "-", "*", "/", "??", "and", "or", "and not", "or not not"]))
                .prop_map(|(operands, op)| joined(operands, &op)),
            operands(3..4).prop_map(|mut operands| {
                let (c, b, a) = (operands.pop(), operands.pop(), operands.pop());
                cat(vec![a, Some(words("between")), b, Some(words("and")), c].into_iter().flatten().collect())
            }),
            (
                operand.clone(),
                fixed(&[
                    "is missing",
                    "is not known",
                    "matches \"^x\"",
                    "in [ NZ , user , @l ]",
                    "in [ 1 , ]",
                    "in 1 .. 5",
                    "in 23:00 .. 05:00",
                    "in 5~EUR .. 6~EUR",
                    "in NZ .. 1.5",
                    "in user .. ip.asn",
                    "in @l",
                    "in 23:00..05:00 tz user.tz ?? \"UTC\""
                ])
            )
                .prop_map(|(value, tail)| cat(vec![value, tail])),
            (operand.clone(), proptest::collection::vec(prop_oneof![literal(), path()], 1..12)).prop_map(
                |(value, elements)| cat(vec![value, words("in ["), joined(elements, &words(",")), words("]")])
            ),
            operand.clone().prop_map(|inner| cat(vec![words("not not"), inner])),
            (aggregate_head(), proptest::option::of(inner), window(), operand.clone()).prop_map(
                |(head, filter, window, limit)| {
                    let filter = filter.map_or(Vec::new(), |filter| cat(vec![words("where ("), filter, words(")")]));
                    cat(vec![head, filter, window, words(">="), limit])
                }
            ),
            paren,
        ]
    })
}

fn call(argument: impl Strategy<Value = Tokens>) -> impl Strategy<Value = Tokens> {
    (fixed(&["distance (", "a_function_with_a_name_of_some_length ("]), proptest::collection::vec(argument, 1..5))
        .prop_map(|(head, arguments)| cat(vec![head, joined(arguments, &words(",")), words(")")]))
}

fn joined(operands: Vec<Tokens>, between: &Tokens) -> Tokens {
    operands.join(between.as_slice())
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
        "mode off priority -1",
        "priority 10",
        "active from 2026-01-01 until 2027-01-01",
        "active until 2027-01-01T00:00:00Z",
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
    let head = fixed(&["policy p on any {", "policy p on sign_in , withdrawal {", "policy p on event {"]);
    let default = fixed(&[
        "default allow",
        "default challenge qr { level : possession }",
        "default block combine strictest on unknown match",
        "default allow combine first_match",
        "default allow combine score { challenge at 50 , block at 90 }",
        "default allow combine score { allow at 0 challenge at 50 block at 90 , } on unknown skip",
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
        "history 5 x a.b { a : [ ] , b : [ [ 1 , ] , { } ] } every 1m ending 2m ago",
        "event e { a : 1 b : 2 , c : [ a_rather_long_value , another_rather_long_value , a_third_rather_long_value , \"x\" ] }",
        "history 5 x e { a : { lat : 51.5 , lon : -0.1 } b : [ NZ , x ] } every 1m ending 2m ago",
        "expect allow",
        "expect challenge qr by default",
        "expect block by r reason R_ONE",
        "expect not rule r",
        "expect rule r",
        "expect unknown r",
        "expect challenge",
    ]);
    proptest::collection::vec(step, 0..5)
        .prop_map(|steps| cat(vec![words("test \"claim\" {"), steps.concat(), words("}")]))
}

fn item() -> impl Strategy<Value = Tokens> {
    prop_oneof![
        2 => fixed(&[
            "import \"a.rules\"", "rates from \"r.csv\"", "event e { }", "event e { a : enum ( \"x\" , \"y\" , ) ? @pii b : enum ( \"a~rather~long~value\" , \"another~rather~long~value\" , \"a~third~one\" ) }",
            "event e { }", "event e \"a\" , \"b\" requires ip , device { a : string b : money ? @currency ( currency ) @pii c : enum ( \"a\" , \"b\" ) ? }",
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
