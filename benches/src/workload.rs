//! The rule workload: seeded rules of two to four clauses over 19 fields, and events to match, always the same.
//!
//! Seven rules in ten name one of 40 operations; the others are ranges, equalities, flags, sets of countries, lists of a
//! thousand card prefixes and lists of a hundred networks. Cheap clauses come first in every rule.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::dice::Dice;

const OPERATIONS: u64 = 40;
const COUNTRIES: u64 = 60;
const CURRENCIES: [&str; 10] = ["USD", "EUR", "GBP", "JPY", "CHF", "BRL", "INR", "NGN", "PLN", "SEK"];
const CHANNELS: [&str; 5] = ["web", "ios", "android", "api", "branch"];

fn operation(i: u64) -> String {
    let nouns = ["login", "password", "email", "mfa", "payout", "transfer", "card", "apikey", "session", "profile"];
    let verbs = ["create", "change", "remove", "recover"];
    format!("{}.{}", nouns[(i / 4) as usize], verbs[(i % 4) as usize])
}

fn country(i: u64) -> String {
    format!("{}{}", char::from(b'A' + (i / 3) as u8), char::from(b'A' + (i * 7 % 26) as u8))
}

fn domain(i: u64) -> String {
    format!("mail{i:03}.example")
}

/// Amounts from 100 to 5,000,000, as many small ones as large ones.
fn amount(dice: &mut Dice) -> u64 {
    let (low, high) = (100f64.ln(), 5_000_000f64.ln());
    (low + (high - low) * dice.unit()).exp() as u64
}

/// One clause: where it is sorted in its rule, the field and operator that may occur once, and its text.
type Clause = (usize, &'static str, String);

fn clause(dice: &mut Dice, sets: &[String]) -> Clause {
    match dice.below(20) {
        0 => (3, "amount>=", format!("amount >= {}", (amount(dice) * 2 / 1000 + 1) * 1000)),
        1 => (3, "amount<", format!("amount < {}", (amount(dice) / 1000 + 1) * 1000)),
        2 => (13, "currency", format!("currency == \"{}\"", CURRENCIES[dice.below(10) as usize])),
        3 | 4 => (16, "country in", format!("country in {}", sets[dice.below(8) as usize])),
        5 => (16, "country !=", format!("country != \"{}\"", country(dice.below(COUNTRIES)))),
        6 => (4, "count_1h", format!("count_1h >= {}", 3 + dice.below(20))),
        7 => (5, "count_24h", format!("count_24h >= {}", 10 + dice.below(80))),
        8 => (6, "sum_24h", format!("sum_24h >= {}", (1 + dice.below(90)) * 100_000)),
        9 => (7, "distinct_ip", format!("distinct_ip_24h >= {}", 2 + dice.below(8))),
        10 => (8, "hour", format!("hour < {}", 4 + dice.below(6))),
        11 => (1, "new_device", "is_new_device == true".to_owned()),
        12 => (2, "vpn", "is_vpn == true".to_owned()),
        13 => (15, "domain", format!("email_domain == \"{}\"", domain(dice.below(200)))),
        14 => (17, "bin", format!("bin in @bins{}", dice.below(4))),
        15 => (9, "risk", format!("risk >= {}", 500 + dice.below(49) * 10)),
        16 => (12, "asn", format!("as_number == {}", 13_000 + dice.below(300))),
        17 => (10, "km", format!("km_1h >= {}", 200 + dice.below(40) * 50)),
        18 if dice.chance(0.5) => (11, "age", format!("account_age_days < {}", 1 + dice.below(60))),
        18 => (14, "channel", format!("channel == \"{}\"", CHANNELS[dice.below(5) as usize])),
        _ => (18, "ip", format!("ip in @nets{}", dice.below(4))),
    }
}

/// The conditions of `count` rules.
fn conditions(count: usize) -> Vec<String> {
    let mut dice = Dice(0xC0FFEE);
    let sets = country_sets();
    let rule = |dice: &mut Dice| {
        let wanted = 2 + dice.below(3) as usize;
        let mut clauses: Vec<Clause> = Vec::new();
        if dice.chance(0.7) {
            clauses.push((0, "op", format!("op == \"{}\"", operation(dice.below(OPERATIONS)))));
        }
        while clauses.len() < wanted {
            let next = clause(dice, &sets);
            if clauses.iter().all(|(_, kind, _)| *kind != next.1) {
                clauses.push(next);
            }
        }
        clauses.sort();
        clauses.into_iter().map(|(_, _, text)| text).collect::<Vec<_>>().join(" and ")
    };
    (0..count).map(|_| rule(&mut dice)).collect()
}

fn country_sets() -> Vec<String> {
    let mut dice = Dice(0xBEEF);
    let set = |dice: &mut Dice| {
        let mut members = Vec::new();
        while members.len() < 12 {
            let member = format!("\"{}\"", country(dice.below(COUNTRIES)));
            if !members.contains(&member) {
                members.push(member);
            }
        }
        format!("[{}]", members.join(", "))
    };
    (0..8).map(|_| set(&mut dice)).collect()
}

fn networks() -> Vec<Vec<(u32, u32)>> {
    let mut dice = Dice(0xC1D2);
    let network = |dice: &mut Dice| {
        let prefix = 14 + dice.below(11) as u32;
        let base = (11u32 << 24) + (dice.roll() as u32 & 0x3FFF_FFFF);
        (base & (!0u32 << (32 - prefix)), prefix)
    };
    (0..4).map(|_| (0..100).map(|_| network(&mut dice)).collect()).collect()
}

/// The files of a pack with `count` rules on one event, all shadowed by nothing, all evaluated.
pub fn pack(count: usize) -> BTreeMap<String, Vec<u8>> {
    let mut text = String::from(
        "event operation { op: string amount: int currency: string country: string as_number: int is_new_device: bool is_vpn: bool \
         count_1h: int count_24h: int sum_24h: int distinct_ip_24h: int hour: int risk: int km_1h: int account_age_days: int \
         channel: string email_domain: string bin: int }\n\
         reason MATCHED \"A rule matched\"\n",
    );
    for list in 0..4 {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "list @bins{list}: int from \"lists/bins{list}.csv\"\nlist @nets{list}: cidr from \"lists/nets{list}.csv\""
        );
    }
    text.push_str("policy operations on operation {\n  default allow\n  on unknown skip\n");
    for (number, condition) in conditions(count).iter().enumerate() {
        let _ = writeln!(text, "  rule r{number} {{ when {condition} then challenge qr reason MATCHED }}");
    }
    text.push_str("}\n");

    let mut files = BTreeMap::from([("bench.rules".to_owned(), text.into_bytes())]);
    let mut dice = Dice(0xB145);
    for (list, networks) in networks().iter().enumerate() {
        let bins: Vec<String> = (0..1000).map(|_| (400_000 + dice.below(8_000)).to_string()).collect();
        files.insert(format!("lists/bins{list}.csv"), format!("value\n{}\n", bins.join("\n")).into_bytes());
        let lines: Vec<String> =
            networks.iter().map(|(base, prefix)| format!("{}/{prefix}", Ipv4Addr::from(*base))).collect();
        files.insert(format!("lists/nets{list}.csv"), format!("value\n{}\n", lines.join("\n")).into_bytes());
    }
    files
}

/// One event: its address and its fields, as a backend would send them.
pub struct Sample {
    /// Where it comes from.
    pub ip: Ipv4Addr,
    /// Who.
    pub user: String,
    /// The declared fields.
    pub custom: serde_json::Map<String, serde_json::Value>,
}

/// `count` events for the pack.
pub fn events(count: usize) -> Vec<Sample> {
    let mut dice = Dice(0x5EED);
    let networks = networks();
    (0..count).map(|_| sample(&mut dice, &networks)).collect()
}

fn sample(dice: &mut Dice, networks: &[Vec<(u32, u32)>]) -> Sample {
    // Squares and cubes make some values common and most of them rare, as in life.
    let squared = |dice: &mut Dice, top: f64| (top * dice.unit() * dice.unit()) as u64;
    let ip = if dice.chance(0.3) {
        let (base, prefix) = networks[dice.below(4) as usize][dice.below(100) as usize];
        base | (dice.roll() as u32 & !(!0u32 << (32 - prefix)))
    } else {
        (11u32 << 24) + (dice.roll() as u32 & 0x3FFF_FFFF)
    };
    let custom = serde_json::json!({
        "op": operation(squared(dice, OPERATIONS as f64)),
        "amount": amount(dice),
        "currency": CURRENCIES[squared(dice, 10.0) as usize],
        "country": country(squared(dice, COUNTRIES as f64)),
        "as_number": 13_000 + dice.below(600),
        "is_new_device": dice.chance(0.15),
        "is_vpn": dice.chance(0.1),
        "count_1h": squared(dice, 25.0),
        "count_24h": squared(dice, 100.0),
        "sum_24h": amount(dice) * 2,
        "distinct_ip_24h": squared(dice, 11.0),
        "hour": dice.below(24),
        "risk": squared(dice, 1000.0),
        "km_1h": squared(dice, 3000.0),
        "account_age_days": dice.below(1500),
        "channel": CHANNELS[dice.below(5) as usize],
        "email_domain": domain(squared(dice, 200.0)),
        "bin": 400_000 + dice.below(8_000),
    });
    let serde_json::Value::Object(custom) = custom else { unreachable!("an object was written above") };
    Sample { ip: Ipv4Addr::from(ip), user: format!("u_{:08}", dice.below(100_000)), custom }
}
