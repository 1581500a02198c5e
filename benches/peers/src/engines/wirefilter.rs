//! wirefilter: the engine behind a large network's firewall rules. Lists are written into each use.

use std::net::{IpAddr, Ipv4Addr};

use wirefilter::{ExecutionContext, Filter, Scheme, Type};

use super::compared;
use crate::{
    events::Sent,
    rules::{Clause, Field, Lists, Op, Rule, country_name},
};

pub struct Wirefilter {
    filters: Vec<Filter<'static>>,
    contexts: Vec<ExecutionContext<'static>>,
}

impl Wirefilter {
    pub fn new(rules: &[Rule], lists: &Lists, events: &[Sent]) -> anyhow::Result<Wirefilter> {
        let mut scheme = Scheme::new();
        let Some(first) = events.first() else { anyhow::bail!("no events") };
        let mut add = |name: &str, ty| scheme.add_field(name.into(), ty).map_err(|error| anyhow::anyhow!("{error}"));
        first.texts().iter().try_for_each(|(name, _)| add(name, Type::Bytes))?;
        first.numbers().iter().try_for_each(|(name, _)| add(name, Type::Int))?;
        add("is_new_device", Type::Bool)?;
        add("is_vpn", Type::Bool)?;
        add("ip", Type::Ip)?;
        // Filters and contexts borrow from the scheme; it lives as long as the benchmark.
        let scheme: &'static Scheme = Box::leak(Box::new(scheme));
        let filter = |rule: &Rule| {
            let text = rule.iter().map(|clause| written(clause, lists)).collect::<Vec<_>>().join(" && ");
            let parsed = scheme.parse(&text).map_err(|error| anyhow::anyhow!("{error}"))?;
            Ok(parsed.compile())
        };
        let filters = rules.iter().map(filter).collect::<anyhow::Result<_>>()?;
        let contexts = events.iter().map(|event| context(scheme, event)).collect::<anyhow::Result<_>>()?;
        Ok(Wirefilter { filters, contexts })
    }

    pub fn evaluate(&self, event: usize, out: &mut Vec<u32>) {
        let context = &self.contexts[event];
        for (number, filter) in self.filters.iter().enumerate() {
            if filter.execute(context).expect("the context fits the scheme") {
                out.push(number as u32);
            }
        }
    }
}

fn written(clause: &Clause, lists: &Lists) -> String {
    let list = clause.value as usize;
    let members: Vec<String> = match (clause.field, clause.op) {
        (Field::Country, Op::In) => {
            lists.countries[list].iter().map(|country| format!("\"{}\"", country_name(*country))).collect()
        }
        (Field::Bin, Op::In) => lists.bins[list].iter().map(ToString::to_string).collect(),
        (Field::Ip, Op::In) => {
            lists.networks[list].iter().map(|(base, prefix)| format!("{}/{prefix}", Ipv4Addr::from(*base))).collect()
        }
        _ => return compared(clause, '"'),
    };
    format!("{} in {{{}}}", clause.field.name(), members.join(" "))
}

fn context(scheme: &'static Scheme, event: &Sent) -> anyhow::Result<ExecutionContext<'static>> {
    let event: &'static Sent = Box::leak(Box::new(event.clone()));
    let mut context = ExecutionContext::new(scheme);
    let failed = |error| anyhow::anyhow!("{error}");
    for (name, text) in event.texts() {
        context.set_field_value(name, text).map_err(failed)?;
    }
    for (name, number) in event.numbers() {
        context.set_field_value(name, number as i32).map_err(failed)?;
    }
    context.set_field_value("is_new_device", event.is_new_device).map_err(failed)?;
    context.set_field_value("is_vpn", event.is_vpn).map_err(failed)?;
    context.set_field_value("ip", IpAddr::V4(event.ip)).map_err(failed)?;
    Ok(context)
}
