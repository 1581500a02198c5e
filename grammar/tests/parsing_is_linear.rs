//! Doubling a text may at most multiply the work by 2.3, whatever is doubled.
//!
//! Work is counted, not timed: pest counts the calls of its rules against a limit, so the smallest limit under which a text
//! still gives the same result is the work it takes. The limit is one for the whole process, so this is the only test of its
//! binary and runs its generators one after the other.

use grammar::{FileId, SourceFile, parse};
use std::num::NonZeroUsize;

#[test]
fn doubling_a_text_at_most_multiplies_its_work_by_two_point_three() {
    let mut slow = Vec::new();
    for (name, sizes, generate) in generators() {
        let [small, large] = sizes.map(|size| work(&generate(size)));
        assert!(small > 20, "{name} takes {small} calls: pest was never asked");
        let ratio = large as f64 / small as f64;
        if ratio > 2.3 {
            slow.push(format!("{name}: {small} calls, then {large}: times {ratio:.2}"));
        }
    }
    assert!(slow.is_empty(), "{slow:#?}");
}

type Generator = (&'static str, [usize; 2], Box<dyn Fn(usize) -> String>);

/// What nests is as deep as it may be at the larger size; what repeats is long.
fn generators() -> Vec<Generator> {
    fn nested(open: &'static str, inner: &'static str, close: &'static str) -> Box<dyn Fn(usize) -> String> {
        Box::new(move |n| format!("let a = {}{inner}{}", open.repeat(n), close.repeat(n)))
    }
    fn repeated(head: &'static str, part: &'static str, tail: &'static str) -> Box<dyn Fn(usize) -> String> {
        Box::new(move |n| format!("{head}{}{tail}", part.repeat(n)))
    }
    const DEEP: [usize; 2] = [15, 30];
    const CHAIN: [usize; 2] = [100, 200];
    const LONG: [usize; 2] = [200, 400];
    vec![
        ("parentheses", DEEP, nested("(", "b", ")")),
        ("parentheses, one missing", DEEP, Box::new(|n| format!("let a = {}b{}", "(".repeat(n), ")".repeat(n - 1)))),
        ("parentheses around nothing", DEEP, nested("(", "", ")")),
        ("membership in membership", DEEP, nested("b in (", "c", ")")),
        ("membership, broken inside", DEEP, nested("b in (", "c c", ")")),
        ("membership in ranges", DEEP, nested("b in 1 .. (", "c", ")")),
        ("negated membership", DEEP, nested("b not in (", "c", ")")),
        ("comparisons", DEEP, nested("1 < (", "c", ")")),
        ("comparisons, broken inside", DEEP, nested("1 < (", "< <", ")")),
        ("between", DEEP, nested("b between 1 and (", "c", ")")),
        ("fallbacks", DEEP, nested("b ?? (", "c", ")")),
        ("sums and products", DEEP, nested("1 + 2 * (", "c", ")")),
        ("negations", DEEP, nested("not (", "c", ")")),
        ("disjunctions of conjunctions", DEEP, nested("a and b or (", "c", ")")),
        ("calls", DEEP, nested("f(", "x", ")")),
        ("calls with more arguments", DEEP, nested("f(1, a.b, ", "x", ", g())")),
        ("calls named like aggregates", DEEP, nested("min(", "x", ")")),
        ("calls, broken inside", DEEP, nested("count(", "x x", ")")),
        ("aggregates in filters", DEEP, nested("count() of e where (", "x", ") by u over 5m > 1")),
        ("aggregates in filters, broken inside", DEEP, nested("sum(a) of e where (", "x x", ") by u over 5m > 1")),
        ("aggregates without windows", DEEP, nested("count() of e where (", "x", ") by u > 1")),
        ("time zones", DEEP, nested("t in 23:00..05:00 tz (", "z", ")")),
        ("calendar zones", DEEP, nested("count() of e by u over calendar day in (", "z", ")")),
        (
            "records in records",
            [15, 30],
            Box::new(|n| format!("test \"t\" {{ event e {{ a: {}1{} }} }}", "{ b: ".repeat(n), " }".repeat(n))),
        ),
        (
            "lists in lists",
            DEEP,
            Box::new(|n| format!("test \"t\" {{ event e {{ a: {}1{} }} }}", "[".repeat(n), "]".repeat(n))),
        ),
        ("long sums", CHAIN, repeated("let a = b", " + c", "")),
        ("long products, broken at the end", CHAIN, repeated("let a = b", " * c", " *")),
        ("long negations", CHAIN, repeated("let a = ", "not ", "b")),
        ("long fallbacks", CHAIN, repeated("let a = b", " ?? c", "")),
        ("long conjunctions", LONG, repeated("let a = b", " and c == 1", "")),
        ("long disjunctions", LONG, repeated("let a = b", " or not c in [1, 2]", "")),
        ("long lists", LONG, repeated("list @l: ip = [1.2.3.4", ", 1.2.3.4", "]")),
        ("long lists, broken at the end", LONG, repeated("list @l: country = [NZ", ", AU", " AU]")),
        ("long numbers", LONG, repeated("let a = 1", "_0", "")),
        ("long paths", LONG, repeated("let a = b", ".b", "")),
        ("long strings", LONG, repeated("let a = \"", "\\\\x", "\"")),
        ("many digits and colons", LONG, repeated("let a = ", "1:", "")),
        ("many items", LONG, repeated("", "let a = b\n", "")),
        ("many broken items", LONG, repeated("", "let a = b b\n", "")),
        ("many rules", LONG, repeated("policy p on e { default allow", " rule r { when a then block }", "}")),
        (
            "many rules, each broken",
            LONG,
            repeated("policy p on e { default allow", " rule r { when a a then block }", "}"),
        ),
        (
            "many rules, the last broken",
            LONG,
            repeated("policy p on e { default allow", " rule r { when a then block }", " rule r { }}}"),
        ),
        ("many clauses", LONG, repeated("policy p on e { default allow rule r { when a then block", " flag f", "}}")),
        ("many fields", LONG, repeated("event e {", " a: string @pii", "}")),
        ("many entries", LONG, repeated("test \"t\" { event e {", " a.b: 1 EUR,", "} }")),
        ("many comments", LONG, repeated("let a = b", " /* c */ and /* d */ e # f\n", "")),
        ("many unclosed braces", LONG, repeated("", "policy p on e { default allow\n", "")),
        ("many steps", LONG, repeated("test \"t\" {", " expect not rule r", "}")),
    ]
}

/// The fewest pest calls under which the text gives the result it gives without a limit.
fn work(text: &str) -> usize {
    let source = SourceFile::new(FileId(0), "case.rules", text);
    pest::set_call_limit(None);
    let expected = parse(&source);
    let enough = |limit: usize| {
        pest::set_call_limit(NonZeroUsize::new(limit));
        parse(&source) == expected
    };
    let mut high = 64;
    while !enough(high) {
        high *= 2;
        assert!(high < 1 << 32, "{} bytes take more than four billion calls", text.len());
    }
    let mut low = high / 2;
    // A per cent is close enough.
    while high - low > 1 + low / 100 {
        let middle = low.midpoint(high);
        if enough(middle) { high = middle } else { low = middle }
    }
    pest::set_call_limit(None);
    high
}
