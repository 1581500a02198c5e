//! What every engine must find: each rule asked clause by clause, and a checksum over the pairs of event and rule.

use crate::{
    events::{Event, Sets},
    rules::{Clause, Field, Op, Rule},
};

/// The checksums over ten thousand events, by the number of rules.
pub const CHECKSUMS: [(usize, u64); 4] = [
    (10, 0xf87d_b4c6_a8df_884a),
    (100, 0x5859_5f3d_b2d0_303a),
    (1_000, 0xf03b_9c42_eaa0_35da),
    (10_000, 0x8320_387f_1cd6_4037),
];

/// The rules that match, event by event.
pub fn matches(rules: &[Rule], events: &[Event], sets: &Sets) -> Vec<Vec<u32>> {
    let of = |event: &Event| {
        let matching =
            rules.iter().enumerate().filter(|(_, rule)| rule.iter().all(|clause| holds(clause, event, sets)));
        matching.map(|(number, _)| number as u32).collect()
    };
    events.iter().map(of).collect()
}

/// How many matches there are, and their checksum.
pub fn checksum(matches: &[Vec<u32>]) -> (u64, u64) {
    let pairs = matches.iter().enumerate();
    let pairs = pairs.flat_map(|(event, rules)| rules.iter().map(move |rule| (event as u64, u64::from(*rule))));
    pairs.fold((0, 0), |(count, sum), (event, rule)| (count + 1, sum.wrapping_add(mixed(event, rule))))
}

fn mixed(event: u64, rule: u64) -> u64 {
    let mut z = (event << 20 | rule).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z ^= z >> 29;
    z.wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

fn holds(clause: &Clause, event: &Event, sets: &Sets) -> bool {
    let value = read(clause.field, event);
    match clause.op {
        Op::Is => value != 0,
        Op::Eq => value == clause.value,
        Op::Ne => value != clause.value,
        Op::Ge => value >= clause.value,
        Op::Lt => value < clause.value,
        Op::In => match clause.field {
            Field::Country => sets.countries[clause.value as usize] >> event.country & 1 == 1,
            Field::Bin => sets.bins[clause.value as usize].contains(&event.bin),
            _ => sets.has_ip(clause.value as usize, event.ip),
        },
    }
}

fn read(field: Field, e: &Event) -> i64 {
    match field {
        Field::Action => e.action.into(),
        Field::NewDevice => e.is_new_device.into(),
        Field::Vpn => e.is_vpn.into(),
        Field::Amount => e.amount,
        Field::Count1h => e.count_1h.into(),
        Field::Count24h => e.count_24h.into(),
        Field::Sum24h => e.sum_24h,
        Field::DistinctIp => e.distinct_ip_24h.into(),
        Field::Hour => e.hour.into(),
        Field::Risk => e.risk.into(),
        Field::Km => e.km_1h.into(),
        Field::AgeDays => e.account_age_days.into(),
        Field::Asn => e.asn.into(),
        Field::Currency => e.currency.into(),
        Field::Channel => e.channel.into(),
        Field::Domain => e.email_domain.into(),
        Field::Country => e.country.into(),
        Field::Bin => e.bin.into(),
        Field::Ip => e.ip.into(),
    }
}
