//! The workload's events, as a backend would send them and as a native program would hold them.

use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
};

use crate::rules::{
    ACTIONS, CHANNELS, COUNTRIES, CURRENCIES, DOMAINS, Dice, Lists, action_name, amount, country_name, domain_name,
};

/// An event in texts and numbers.
#[derive(Clone)]
pub struct Sent {
    pub user_id: String,
    pub action: String,
    pub amount: i64,
    pub currency: String,
    pub country: String,
    pub asn: i64,
    pub device_id: String,
    pub is_new_device: bool,
    pub is_vpn: bool,
    pub count_1h: i64,
    pub count_24h: i64,
    pub sum_24h: i64,
    pub distinct_ip_24h: i64,
    pub hour: i64,
    pub risk: i64,
    pub km_1h: i64,
    pub account_age_days: i64,
    pub channel: String,
    pub email_domain: String,
    pub bin: i64,
    pub ip: Ipv4Addr,
}

impl Sent {
    /// The whole numbers, by name.
    pub fn numbers(&self) -> [(&'static str, i64); 11] {
        [
            ("amount", self.amount),
            ("count_1h", self.count_1h),
            ("count_24h", self.count_24h),
            ("sum_24h", self.sum_24h),
            ("distinct_ip_24h", self.distinct_ip_24h),
            ("hour", self.hour),
            ("risk", self.risk),
            ("km_1h", self.km_1h),
            ("account_age_days", self.account_age_days),
            ("asn", self.asn),
            ("bin", self.bin),
        ]
    }

    /// The texts that rules read, by name.
    pub fn texts(&self) -> [(&'static str, &str); 5] {
        [
            ("action", &self.action),
            ("currency", &self.currency),
            ("country", &self.country),
            ("channel", &self.channel),
            ("email_domain", &self.email_domain),
        ]
    }
}

/// `count` events. Squares and cubes make some values common and most of them rare, as in life.
pub fn events(count: usize, lists: &Lists) -> Vec<Sent> {
    let mut dice = Dice(0x5EED);
    (0..count).map(|_| event(&mut dice, lists)).collect()
}

fn event(dice: &mut Dice, lists: &Lists) -> Sent {
    let squared = |dice: &mut Dice, top: f64| (top * dice.unit() * dice.unit()) as i64;
    let cubed = |dice: &mut Dice, top: f64| (top * dice.unit() * dice.unit() * dice.unit()) as i64;
    let skewed = |dice: &mut Dice, top: usize| {
        let unit = dice.unit();
        (top as f64 * unit * unit) as usize
    };
    let action = skewed(dice, ACTIONS);
    let ip = if dice.chance(0.3) {
        let (base, prefix) = lists.networks[dice.below(4) as usize][dice.below(100) as usize];
        base | (dice.roll() as u32 & !(!0_u32 << (32 - prefix)))
    } else {
        (11_u32 << 24) + (dice.roll() as u32 & 0x3FFF_FFFF)
    };
    let country = skewed(dice, COUNTRIES);
    let user_id = format!("u_{:08}", dice.below(100_000));
    let amount_now = amount(dice);
    let currency = CURRENCIES[squared(dice, 10.0) as usize].to_owned();
    let asn = 13_000 + dice.below(600) as i64;
    // A latitude and a longitude that no rule reads.
    let _ = (dice.unit(), dice.unit());
    Sent {
        user_id,
        action: action_name(action),
        amount: amount_now,
        currency,
        country: country_name(country),
        asn,
        device_id: format!("d{:016x}", dice.roll()),
        is_new_device: dice.chance(0.15),
        is_vpn: dice.chance(0.1),
        count_1h: squared(dice, 25.0),
        count_24h: squared(dice, 100.0),
        sum_24h: amount(dice) * 2,
        distinct_ip_24h: cubed(dice, 11.0),
        hour: dice.below(24) as i64,
        risk: squared(dice, 1000.0),
        km_1h: cubed(dice, 3000.0),
        account_age_days: dice.below(1500) as i64,
        channel: CHANNELS[dice.below(5) as usize].to_owned(),
        email_domain: domain_name(squared(dice, 200.0) as usize),
        bin: 400_000 + dice.below(8_000) as i64,
        ip: Ipv4Addr::from(ip),
    }
}

/// An event as a native program would hold it: every text a small number.
#[derive(Clone, Copy)]
pub struct Event {
    pub amount: i64,
    pub sum_24h: i64,
    pub asn: u32,
    pub bin: u32,
    pub ip: u32,
    pub count_1h: i32,
    pub count_24h: i32,
    pub distinct_ip_24h: i32,
    pub hour: i32,
    pub risk: i32,
    pub km_1h: i32,
    pub account_age_days: i32,
    pub action: u16,
    pub email_domain: u16,
    pub currency: u8,
    pub country: u8,
    pub channel: u8,
    pub is_new_device: bool,
    pub is_vpn: bool,
}

/// The events in native form.
pub fn interned(events: &[Sent]) -> Vec<Event> {
    let numbers = |count: usize, name: &dyn Fn(usize) -> String| -> HashMap<String, u16> {
        (0..count).map(|i| (name(i), i as u16)).collect()
    };
    let actions = numbers(ACTIONS, &action_name);
    let currencies = numbers(CURRENCIES.len(), &|i| CURRENCIES[i].to_owned());
    let countries = numbers(COUNTRIES, &country_name);
    let channels = numbers(CHANNELS.len(), &|i| CHANNELS[i].to_owned());
    let domains = numbers(DOMAINS, &domain_name);
    let event = |e: &Sent| Event {
        amount: e.amount,
        sum_24h: e.sum_24h,
        asn: e.asn as u32,
        bin: e.bin as u32,
        ip: e.ip.to_bits(),
        count_1h: e.count_1h as i32,
        count_24h: e.count_24h as i32,
        distinct_ip_24h: e.distinct_ip_24h as i32,
        hour: e.hour as i32,
        risk: e.risk as i32,
        km_1h: e.km_1h as i32,
        account_age_days: e.account_age_days as i32,
        action: actions[&e.action],
        email_domain: domains[&e.email_domain],
        currency: currencies[&e.currency] as u8,
        country: countries[&e.country] as u8,
        channel: channels[&e.channel] as u8,
        is_new_device: e.is_new_device,
        is_vpn: e.is_vpn,
    };
    events.iter().map(event).collect()
}

/// The lists in native form: bits, hash sets, merged ranges.
pub struct Sets {
    pub countries: Vec<u64>,
    pub bins: Vec<HashSet<u32, foldhash::fast::FixedState>>,
    networks: Vec<Vec<(u32, u32)>>,
}

impl Sets {
    pub fn new(lists: &Lists) -> Sets {
        let merged = |networks: &Vec<(u32, u8)>| {
            let range = |(base, prefix): &(u32, u8)| (*base, base | !(!0_u32 << (32 - prefix)));
            let mut ranges: Vec<(u32, u32)> = networks.iter().map(range).collect();
            ranges.sort_unstable();
            let mut merged: Vec<(u32, u32)> = Vec::new();
            for (first, last) in ranges {
                match merged.last_mut() {
                    Some((_, end)) if first <= *end => *end = (*end).max(last),
                    _ => merged.push((first, last)),
                }
            }
            merged
        };
        Sets {
            countries: lists
                .countries
                .iter()
                .map(|set| set.iter().fold(0, |bits, country| bits | 1 << country))
                .collect(),
            bins: lists.bins.iter().map(|bins| bins.iter().copied().collect()).collect(),
            networks: lists.networks.iter().map(merged).collect(),
        }
    }

    #[inline]
    pub fn has_ip(&self, list: usize, ip: u32) -> bool {
        let ranges = &self.networks[list];
        let after = ranges.partition_point(|(first, _)| *first <= ip);
        after > 0 && ranges[after - 1].1 >= ip
    }
}
