//! rhai: all rules as one script, fully optimised, over constants in the scope. Host functions look lists up.

use std::{collections::HashSet, fmt::Write as _, sync::Arc};

use rhai::{AST, Array, Engine, ImmutableString, OptimizationLevel, Scope};

use super::compared;
use crate::{
    events::{Sent, Sets},
    rules::{Clause, Field, Lists, Op, Rule, country_name},
};

pub struct Rhai {
    engine: Engine,
    script: AST,
    scopes: Vec<Scope<'static>>,
}

impl Rhai {
    pub fn new(rules: &[Rule], lists: &Lists, sets: &Arc<Sets>, events: &[Sent]) -> anyhow::Result<Rhai> {
        let mut engine = Engine::new();
        engine.set_max_expr_depths(0, 0).set_optimization_level(OptimizationLevel::Full);
        let networks = Arc::clone(sets);
        engine.register_fn("ip_in", move |ip: i64, list: i64| networks.has_ip(list as usize, ip as u32));
        let bins = Arc::clone(sets);
        engine.register_fn("bin_in", move |bin: i64, list: i64| bins.bins[list as usize].contains(&(bin as u32)));
        let countries: Vec<HashSet<String, foldhash::fast::FixedState>> =
            lists.countries.iter().map(|set| set.iter().map(|country| country_name(*country)).collect()).collect();
        engine.register_fn("country_in", move |country: ImmutableString, list: i64| {
            countries[list as usize].contains(country.as_str())
        });
        let mut text = "let out = [];\n".to_owned();
        for (number, rule) in rules.iter().enumerate() {
            let clauses: Vec<String> = rule.iter().map(written).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "if {} {{ out.push({number}); }}", clauses.join(" && "));
        }
        text.push_str("out");
        let script = engine.compile(&text)?;
        Ok(Rhai { engine, script, scopes: events.iter().map(scope).collect() })
    }

    pub fn evaluate(&mut self, event: usize, out: &mut Vec<u32>) {
        let scope = &mut self.scopes[event];
        let length = scope.len();
        let matched: Array = self.engine.eval_ast_with_scope(scope, &self.script).expect("the rules are well typed");
        scope.rewind(length);
        out.extend(matched.into_iter().filter_map(|number| number.as_int().ok()).map(|number| number as u32));
    }
}

fn written(clause: &Clause) -> String {
    match (clause.field, clause.op) {
        (Field::Country, Op::In) => format!("country_in(country, {})", clause.value),
        (Field::Bin, Op::In) => format!("bin_in(bin, {})", clause.value),
        (Field::Ip, Op::In) => format!("ip_in(ip, {})", clause.value),
        _ => compared(clause, '"'),
    }
}

fn scope(event: &Sent) -> Scope<'static> {
    let mut scope = Scope::new();
    for (name, number) in event.numbers() {
        scope.push_constant(name, number);
    }
    scope.push_constant("is_new_device", event.is_new_device);
    scope.push_constant("is_vpn", event.is_vpn);
    scope.push_constant("ip", i64::from(event.ip.to_bits()));
    // Looked up from the end: the action, which most rules read first, stands last.
    for (name, text) in event.texts().into_iter().rev() {
        scope.push_constant(name, ImmutableString::from(text));
    }
    scope
}
