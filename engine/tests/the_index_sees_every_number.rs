//! Numbers at the edges of what is noted of an event, and beyond: found by the index exactly as by asking rule after rule.

mod common;

use engine::{EventInput, Located, Stream, judge_briefly, judge_one_by_one_briefly};
use jiff::Timestamp;
use serde_json::{Value, json};

const EDGES: [i64; 14] = [
    i64::MIN,
    i64::MIN + 1,
    -2_147_483_649,
    -2_147_483_648,
    -2_147_483_647,
    -2_147_483_646,
    -1,
    0,
    1,
    2_147_483_646,
    2_147_483_647,
    2_147_483_648,
    i64::MAX - 1,
    i64::MAX,
];
const ADDRESSES: [&str; 7] =
    ["0.0.0.0", "0.0.0.1", "0.0.0.2", "127.255.255.255", "128.0.0.0", "255.255.255.255", "2001:db8::1"];
const SYSTEMS: [u32; 6] = [0, 1, 2, 2_147_483_648, 4_294_967_294, 4_294_967_295];

/// Comparisons with these constants, and as many more that never hold as make an index of this many rules.
fn pack(numbers: &[i64], rules: usize) -> String {
    let mut conditions = Vec::new();
    for number in numbers.iter().filter(|number| **number > i64::MIN) {
        conditions.extend(["<", "==", ">="].map(|sign| format!("n {sign} {number}")));
    }
    conditions.extend(ADDRESSES.map(|address| format!("ip == {address}")));
    conditions.extend(["ip in 0.0.0.0/31", "ip in 128.0.0.0/1", "ip in 2001:db8::/32"].map(str::to_owned));
    conditions.extend(SYSTEMS.map(|system| format!("num == AS{system}")));
    conditions.extend(["n is missing", "ip is missing", "num is missing", "not (num == AS1)"].map(str::to_owned));
    conditions.extend((conditions.len()..rules).map(|number| format!("m == {number} and n == 1")));
    let rules = conditions
        .iter()
        .enumerate()
        .map(|(number, when)| format!("  rule r{number} {{ when {when} then challenge qr reason HIT }}\n"));
    let rules: String = rules.collect();
    format!(
        "event e {{ n: int?  m: int?  num: asn? }}\nreason HIT \"hit\"\npolicy p on e {{\n  default allow\n  on unknown skip\n{rules}}}\n"
    )
}

#[test]
fn at_and_beyond_the_edges_of_what_is_noted() {
    // All constants make ranges too wide for a table; a few make one; many rules are searched in another way than few.
    for (numbers, rules) in [(&EDGES[..], 0), (&EDGES[6..9], 0), (&EDGES[6..9], 100), (&EDGES[..], 2_000)] {
        let program = common::program_of(&engine::PackSource::of_rules(&pack(numbers, rules)));
        let mut stream = Stream::new(std::sync::Arc::clone(&program));
        let events = EDGES.map(|n| json!({ "n": n })).into_iter();
        let events = events.chain(SYSTEMS.map(|num| json!({ "num": num }))).chain([json!({})]);
        for (number, custom) in events.enumerate() {
            for ip in ADDRESSES.map(Some).into_iter().chain([None]) {
                let mut input = EventInput::new("e", "u", Timestamp::UNIX_EPOCH);
                input.ip = ip.map(|ip| ip.parse().expect("it is an address"));
                let Value::Object(fields) = &custom else { unreachable!() };
                input.custom = fields.clone();
                let event = program.decode(&input).expect("it is well-formed");
                let (signals, _) = stream.push(Located::nowhere(std::sync::Arc::new(event)));
                let found = judge_briefly(&program, &signals).sorted();
                let asked = judge_one_by_one_briefly(&program, &signals).sorted();
                assert_eq!(found, asked, "event {number}, {custom}, {ip:?}, {rules} rules");
                assert!(!found.matched.is_empty());
            }
        }
    }
}
