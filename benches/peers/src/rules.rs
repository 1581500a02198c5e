//! The workload's rules and lists, from fixed seeds: two to four clauses a rule; seven in ten name one of 40 actions, the
//! others are ranges, equalities, flags, sets of 12 countries, lists of 1,000 card prefixes and of 100 networks. Cheap
//! clauses come first, for every engine.

#[path = "../../src/dice.rs"]
mod dice;

pub use dice::Dice;

pub const ACTIONS: usize = 40;
pub const COUNTRIES: usize = 60;
pub const DOMAINS: usize = 200;
pub const CURRENCIES: [&str; 10] = ["USD", "EUR", "GBP", "JPY", "CHF", "BRL", "INR", "NGN", "PLN", "SEK"];
pub const CHANNELS: [&str; 5] = ["web", "ios", "android", "api", "branch"];

pub fn action_name(i: usize) -> String {
    let nouns = ["login", "password", "email", "mfa", "payout", "transfer", "card", "apikey", "session", "profile"];
    let verbs = ["create", "change", "remove", "recover"];
    format!("{}.{}", nouns[i / 4], verbs[i % 4])
}

pub fn country_name(i: usize) -> String {
    format!("{}{}", char::from(b'A' + (i / 3) as u8), char::from(b'A' + (i * 7 % 26) as u8))
}

pub fn domain_name(i: usize) -> String {
    format!("mail{i:03}.example")
}

/// Amounts from 100 to 5,000,000, as many small ones as large ones.
pub fn amount(dice: &mut Dice) -> i64 {
    let (low, high) = (100_f64.ln(), 5_000_000_f64.ln());
    (low + (high - low) * dice.unit()).exp() as i64
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    Action,
    NewDevice,
    Vpn,
    Amount,
    Count1h,
    Count24h,
    Sum24h,
    DistinctIp,
    Hour,
    Risk,
    Km,
    AgeDays,
    Asn,
    Currency,
    Channel,
    Domain,
    Country,
    Bin,
    Ip,
}

impl Field {
    pub fn name(self) -> &'static str {
        match self {
            Field::Action => "action",
            Field::NewDevice => "is_new_device",
            Field::Vpn => "is_vpn",
            Field::Amount => "amount",
            Field::Count1h => "count_1h",
            Field::Count24h => "count_24h",
            Field::Sum24h => "sum_24h",
            Field::DistinctIp => "distinct_ip_24h",
            Field::Hour => "hour",
            Field::Risk => "risk",
            Field::Km => "km_1h",
            Field::AgeDays => "account_age_days",
            Field::Asn => "asn",
            Field::Currency => "currency",
            Field::Channel => "channel",
            Field::Domain => "email_domain",
            Field::Country => "country",
            Field::Bin => "bin",
            Field::Ip => "ip",
        }
    }

    /// The text that a number of this field stands for, if it is a text field.
    pub fn symbol(self, value: i64) -> Option<String> {
        let i = value as usize;
        match self {
            Field::Action => Some(action_name(i)),
            Field::Currency => Some(CURRENCIES[i].to_owned()),
            Field::Channel => Some(CHANNELS[i].to_owned()),
            Field::Domain => Some(domain_name(i)),
            Field::Country => Some(country_name(i)),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    Is,
    Eq,
    Ne,
    Ge,
    Lt,
    In,
}

impl Op {
    pub fn symbol(self) -> &'static str {
        match self {
            Op::Is | Op::Eq => "==",
            Op::Ne => "!=",
            Op::Ge => ">=",
            Op::Lt => "<",
            Op::In => "in",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Clause {
    pub field: Field,
    pub op: Op,
    pub value: i64,
}

pub type Rule = Vec<Clause>;

fn clause(dice: &mut Dice) -> Clause {
    let of = |field, op, value| Clause { field, op, value };
    match dice.below(20) {
        0 => of(Field::Amount, Op::Ge, (amount(dice) * 2 / 1000 + 1) * 1000),
        1 => of(Field::Amount, Op::Lt, (amount(dice) / 1000 + 1) * 1000),
        2 => of(Field::Currency, Op::Eq, dice.below(CURRENCIES.len() as u64) as i64),
        3 | 4 => of(Field::Country, Op::In, dice.below(8) as i64),
        5 => of(Field::Country, Op::Ne, dice.below(COUNTRIES as u64) as i64),
        6 => of(Field::Count1h, Op::Ge, 3 + dice.below(20) as i64),
        7 => of(Field::Count24h, Op::Ge, 10 + dice.below(80) as i64),
        8 => of(Field::Sum24h, Op::Ge, (1 + dice.below(90) as i64) * 100_000),
        9 => of(Field::DistinctIp, Op::Ge, 2 + dice.below(8) as i64),
        10 => of(Field::Hour, Op::Lt, 4 + dice.below(6) as i64),
        11 => of(Field::NewDevice, Op::Is, 1),
        12 => of(Field::Vpn, Op::Is, 1),
        13 => of(Field::Domain, Op::Eq, dice.below(DOMAINS as u64) as i64),
        14 => of(Field::Bin, Op::In, dice.below(4) as i64),
        15 => of(Field::Risk, Op::Ge, 500 + dice.below(49) as i64 * 10),
        16 => of(Field::Asn, Op::Eq, 13_000 + dice.below(300) as i64),
        17 => of(Field::Km, Op::Ge, 200 + dice.below(40) as i64 * 50),
        18 if dice.chance(0.5) => of(Field::AgeDays, Op::Lt, 1 + dice.below(60) as i64),
        18 => of(Field::Channel, Op::Eq, dice.below(CHANNELS.len() as u64) as i64),
        _ => of(Field::Ip, Op::In, dice.below(4) as i64),
    }
}

/// The first `count` rules.
pub fn rules(count: usize) -> Vec<Rule> {
    let mut dice = Dice(0xC0FFEE);
    let rule = |dice: &mut Dice| {
        let wanted = 2 + dice.below(3) as usize;
        let mut clauses = Rule::new();
        if dice.chance(0.7) {
            clauses.push(Clause { field: Field::Action, op: Op::Eq, value: dice.below(ACTIONS as u64) as i64 });
        }
        while clauses.len() < wanted {
            let next = clause(dice);
            if !clauses.iter().any(|other| other.field == next.field && other.op == next.op) {
                clauses.push(next);
            }
        }
        clauses.sort();
        clauses
    };
    (0..count).map(|_| rule(&mut dice)).collect()
}

/// The lists that rules look things up in.
pub struct Lists {
    pub countries: Vec<Vec<usize>>,
    pub bins: Vec<Vec<u32>>,
    pub networks: Vec<Vec<(u32, u8)>>,
}

pub fn lists() -> Lists {
    let mut dice = Dice(0xBEEF);
    let mut distinct = |count: usize, draw: &mut dyn FnMut(&mut Dice) -> u32| {
        let mut members = Vec::new();
        while members.len() < count {
            let member = draw(&mut dice);
            if !members.contains(&member) {
                members.push(member);
            }
        }
        members.sort_unstable();
        members
    };
    let countries = (0..8)
        .map(|_| distinct(12, &mut |dice| dice.below(COUNTRIES as u64) as u32))
        .map(|set| set.into_iter().map(|member| member as usize).collect())
        .collect();
    let bins = (0..4).map(|_| distinct(1000, &mut |dice| 400_000 + dice.below(8_000) as u32)).collect();
    let network = |dice: &mut Dice| {
        let prefix = 14 + dice.below(11) as u8;
        let base = (11_u32 << 24) + (dice.roll() as u32 & 0x3FFF_FFFF);
        (base & (!0_u32 << (32 - prefix)), prefix)
    };
    let networks = (0..4).map(|_| (0..100).map(|_| network(&mut dice)).collect()).collect();
    Lists { countries, bins, networks }
}
