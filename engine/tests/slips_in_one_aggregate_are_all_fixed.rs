//! Slips that stand side by side: each has a certain fix, and `mend` makes them all.

use engine::{PackSource, check::mend};

/// The parts of an aggregate in their order: first as it is written here, then as others write it.
const PARTS: [&[&str]; 6] = [
    &[
        "count()",
        "count(*)",
        "count",
        "average(n)",
        "count(unique payee)",
        "count distinct payee",
        "count(distinct(payee))",
    ],
    &["of", "from", "in", "on"],
    &["pay", "Pay", "payy"],
    &["", "where n > 3", "where (n = 3)", "where (n > 3 && n < 5)", "where (payee is null)"],
    &["by user", "per user", "for user", "group by user", "by User", "by usr"],
    &["over 1h", "within 1h", "over the last 1h", "in last 1h", "over 60 min", "over 1 h", "over 2hours"],
];

/// Read as a question whether the count is in a set: nothing says that it was meant otherwise.
const LEFT: [&str; 1] = ["count() in pay in last 1h by user"];

#[test]
fn two_slips_of_one_aggregate_are_both_fixed() {
    let (mut asked, mut left) = (0, Vec::new());
    for aggregate in with_two_slips() {
        let rules = format!(
            "event pay {{ amount: money n: int payee: string? }}\npolicy p on pay {{\n  default allow\n  rule r {{ when {aggregate} > 3 then challenge qr }}\n}}\n"
        );
        let mended = mend(&PackSource::of_rules(rules.as_str()));
        asked += 1;
        if mended.compilation.program.is_none() {
            left.push(aggregate);
        }
    }
    assert!(asked > 500, "only {asked} aggregates");
    assert_eq!(left, LEFT, "an aggregate keeps a slip");
}

/// Every aggregate with at most two parts as others write them, the key before and behind the window.
fn with_two_slips() -> Vec<String> {
    let mut all = Vec::new();
    for (first, ways) in PARTS.iter().enumerate() {
        for (second, other_ways) in PARTS.iter().enumerate().skip(first + 1) {
            for (way, other) in ways.iter().flat_map(|way| other_ways.iter().map(move |other| (way, other))) {
                let mut parts = PARTS.map(|ways| ways[0]);
                (parts[first], parts[second]) = (way, other);
                let [function, of, event, filter, key, window] = parts;
                for order in [[key, window], [window, key]] {
                    let words = [function, of, event, filter].into_iter().chain(order);
                    all.push(words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "));
                }
            }
        }
    }
    all.sort();
    all.dedup();
    all
}
