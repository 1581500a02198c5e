//! Plain Rust: generated `if`s, and an interpreter of clauses, which is the reference for all.

use crate::{
    events::{Event, Sets},
    rules::{Clause, Field, Op, Rule},
};

include!(concat!(env!("OUT_DIR"), "/ifs.rs"));

/// The rules as generated `if`s; only for 10, 100 and 1,000 rules.
pub fn ifs(rules: usize) -> Option<fn(&Event, &Sets, &mut Vec<u32>)> {
    match rules {
        10 => Some(evaluate_10),
        100 => Some(evaluate_100),
        1000 => Some(evaluate_1000),
        _ => None,
    }
}

/// Every rule, clause by clause.
pub fn interpret(rules: &[Rule], event: &Event, sets: &Sets, out: &mut Vec<u32>) {
    for (number, rule) in rules.iter().enumerate() {
        if rule.iter().all(|clause| holds(clause, event, sets)) {
            out.push(number as u32);
        }
    }
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
