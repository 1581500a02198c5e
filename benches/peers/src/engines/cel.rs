//! CEL: one program a rule. It has no networks: a host function looks them up.

use std::{collections::HashMap, sync::Arc};

use cel::{Context, Program, Value};

use super::compared;
use crate::{
    events::{Sent, Sets},
    rules::{Clause, Field, Lists, Op, Rule, country_name},
};

pub struct Cel {
    programs: Vec<Program>,
    contexts: Vec<Context<'static, 'static>>,
}

impl Cel {
    pub fn new(rules: &[Rule], lists: &Lists, sets: &Arc<Sets>, events: &[Sent]) -> anyhow::Result<Cel> {
        let mut root = Context::default();
        let networks = Arc::clone(sets);
        root.add_function("ip_in", move |ip: i64, list: i64| networks.has_ip(list as usize, ip as u32))
            .map_err(|error| anyhow::anyhow!("{error:?}"))?;
        for (number, set) in lists.countries.iter().enumerate() {
            let table: HashMap<String, bool> = set.iter().map(|country| (country_name(*country), true)).collect();
            root.add_variable_from_value(format!("c{number}"), table);
        }
        for (number, bins) in lists.bins.iter().enumerate() {
            let table: HashMap<i64, bool> = bins.iter().map(|bin| (i64::from(*bin), true)).collect();
            root.add_variable_from_value(format!("b{number}"), table);
        }
        let root: &'static Context<'static, 'static> = Box::leak(Box::new(root));
        let program = |rule: &Rule| {
            let text = rule.iter().map(written).collect::<Vec<_>>().join(" && ");
            Program::compile(&text).map_err(|error| anyhow::anyhow!("{text}: {error:?}"))
        };
        let programs = rules.iter().map(program).collect::<anyhow::Result<_>>()?;
        Ok(Cel { programs, contexts: events.iter().map(|event| context(root, event)).collect() })
    }

    pub fn evaluate(&self, event: usize, out: &mut Vec<u32>) {
        let context = &self.contexts[event];
        for (number, program) in self.programs.iter().enumerate() {
            if matches!(program.execute(context).expect("the rules are well typed"), Value::Bool(true)) {
                out.push(number as u32);
            }
        }
    }
}

fn written(clause: &Clause) -> String {
    match (clause.field, clause.op) {
        (Field::Country, Op::In) => format!("country in c{}", clause.value),
        (Field::Bin, Op::In) => format!("bin in b{}", clause.value),
        (Field::Ip, Op::In) => format!("ip_in(ip, {})", clause.value),
        _ => compared(clause, '\''),
    }
}

fn context(root: &'static Context<'static, 'static>, event: &Sent) -> Context<'static, 'static> {
    let mut context = root.new_inner_scope();
    for (name, text) in event.texts() {
        context.add_variable_from_value(name, text.to_owned());
    }
    for (name, number) in event.numbers() {
        context.add_variable_from_value(name, number);
    }
    context.add_variable_from_value("is_new_device", event.is_new_device);
    context.add_variable_from_value("is_vpn", event.is_vpn);
    context.add_variable_from_value("ip", i64::from(event.ip.to_bits()));
    context
}
