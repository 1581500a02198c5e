//! Our engine: the rules as a pack, every field optional, so that nothing is won by knowing that it is there.

use std::{fmt::Write as _, net::Ipv4Addr, sync::Arc};

use anyhow::Context as _;
use engine::{EventInput, Located, PackSource, Program, Ruling, Signals, Stream, compile, judge_into};
use jiff::Timestamp;

use crate::{
    events::Sent,
    rules::{Clause, Field, Lists, Op, Rule, country_name},
};

/// The text of the pack.
pub fn pack(rules: &[Rule], lists: &Lists) -> PackSource {
    let mut text = String::from(
        "event operation { op: string?  amount: int?  currency: string?  country: string?  as_number: int?  is_new_device: bool?\n  \
         is_vpn: bool?  count_1h: int?  count_24h: int?  sum_24h: int?  distinct_ip_24h: int?  hour: int?  risk: int?\n  \
         km_1h: int?  account_age_days: int?  channel: string?  email_domain: string?  bin: int? }\n\
         reason MATCHED \"A rule matched\"\n",
    );
    // Writing to a string cannot fail.
    for (number, bins) in lists.bins.iter().enumerate() {
        let bins: Vec<String> = bins.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "list @bins{number}: int = [{}]", bins.join(", "));
    }
    for (number, networks) in lists.networks.iter().enumerate() {
        let networks: Vec<String> =
            networks.iter().map(|(base, prefix)| format!("{}/{prefix}", Ipv4Addr::from(*base))).collect();
        let _ = writeln!(text, "list @nets{number}: cidr = [{}]", networks.join(", "));
    }
    let mut files = std::collections::BTreeMap::new();
    // A file has a limit; policies on one event are judged together.
    for (number, rules) in rules.chunks(RULES_IN_A_FILE).enumerate() {
        let _ = writeln!(text, "policy operations{number} on operation {{\n  default allow\n  on unknown skip");
        for (position, rule) in rules.iter().enumerate() {
            let name = number * RULES_IN_A_FILE + position;
            let clauses: Vec<String> = rule.iter().map(|clause| written(clause, lists)).collect();
            let _ =
                writeln!(text, "  rule r{name} {{ when {} then challenge qr reason MATCHED }}", clauses.join(" and "));
        }
        text.push_str("}\n");
        files.insert(format!("operations{number}.rules"), std::mem::take(&mut text).into_bytes());
    }
    PackSource { name: "peers".to_owned(), files }
}

const RULES_IN_A_FILE: usize = 5_000;

fn written(clause: &Clause, lists: &Lists) -> String {
    let name = match clause.field {
        Field::Action => "op",
        Field::Asn => "as_number",
        other => other.name(),
    };
    let value = clause.value;
    match (clause.field, clause.op) {
        (Field::Country, Op::In) => {
            let set = &lists.countries[value as usize];
            let names: Vec<String> = set.iter().map(|country| format!("\"{}\"", country_name(*country))).collect();
            format!("country in [{}]", names.join(", "))
        }
        (Field::Bin, Op::In) => format!("bin in @bins{value}"),
        (Field::Ip, Op::In) => format!("ip in @nets{value}"),
        (_, Op::Is) => format!("{name} == true"),
        (field, op) => match field.symbol(value) {
            Some(text) => format!("{name} {} \"{text}\"", op.symbol()),
            None => format!("{name} {} {value}", op.symbol()),
        },
    }
}

pub struct Stepup {
    program: Arc<Program>,
    signals: Vec<Signals>,
    ruling: Ruling,
}

impl Stepup {
    pub fn new(rules: &[Rule], lists: &Lists, events: &[Sent]) -> anyhow::Result<Stepup> {
        let compiled = compile(&pack(rules, lists));
        let program = compiled
            .program
            .with_context(|| grammar::diagnostic::render_text(&compiled.diagnostics, &compiled.sources, false))?;
        let mut stream = Stream::new(Arc::clone(&program));
        let signals =
            events.iter().map(|event| signals(&program, &mut stream, event)).collect::<anyhow::Result<_>>()?;
        Ok(Stepup { program, signals, ruling: Ruling::default() })
    }

    /// The numbers of the rules that matched, with a decision made of them.
    pub fn evaluate(&mut self, event: usize, out: &mut Vec<u32>) {
        judge_into(&self.program, &self.signals[event], &mut self.ruling);
        let number = |(policy, rule): &(u16, u32)| u32::from(*policy) * RULES_IN_A_FILE as u32 + rule;
        out.extend(self.ruling.matched.iter().map(number));
        std::hint::black_box(self.ruling.outcome);
    }
}

fn signals(program: &Program, stream: &mut Stream, sent: &Sent) -> anyhow::Result<Signals> {
    let mut input = EventInput::new("operation", &sent.user_id, Timestamp::UNIX_EPOCH);
    input.ip = Some(sent.ip.into());
    for (name, text) in sent.texts() {
        input.custom.insert(if name == "action" { "op" } else { name }.to_owned(), text.into());
    }
    for (name, number) in sent.numbers() {
        input.custom.insert(if name == "asn" { "as_number" } else { name }.to_owned(), number.into());
    }
    input.custom.insert("is_new_device".to_owned(), sent.is_new_device.into());
    input.custom.insert("is_vpn".to_owned(), sent.is_vpn.into());
    let event = program.decode(&input).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
    Ok(stream.push(Located::nowhere(Arc::new(event))).0)
}
