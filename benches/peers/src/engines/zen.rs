//! zen-expression: compiled to opcodes, the machine reused. It has no networks: their answers are handed in.

use serde_json::{Map, Value, json};
use zen_expression::{Expression, Scope, compile_expression, expression::Standard, variable::Variable, vm::VM};

use super::compared;
use crate::{
    events::{Sent, Sets},
    rules::{Clause, Field, Lists, Op, Rule, country_name},
};

pub struct Zen {
    expressions: Vec<Expression<Standard>>,
    machine: VM,
    scopes: Vec<Scope>,
}

impl Zen {
    pub fn new(rules: &[Rule], lists: &Lists, sets: &Sets, events: &[Sent]) -> anyhow::Result<Zen> {
        let expression = |rule: &Rule| {
            let text = rule.iter().map(written).collect::<Vec<_>>().join(" and ");
            compile_expression(&text).map_err(|error| anyhow::anyhow!("{text}: {error:?}"))
        };
        let expressions = rules.iter().map(expression).collect::<anyhow::Result<_>>()?;
        let keyed = |keys: Vec<String>| {
            Variable::from(Value::Object(keys.into_iter().map(|key| (key, true.into())).collect::<Map<_, _>>()))
        };
        let mut tables: Vec<(String, Variable)> = Vec::new();
        for (number, set) in lists.countries.iter().enumerate() {
            tables.push((format!("c{number}"), keyed(set.iter().map(|country| country_name(*country)).collect())));
        }
        for (number, bins) in lists.bins.iter().enumerate() {
            tables.push((format!("b{number}"), keyed(bins.iter().map(ToString::to_string).collect())));
        }
        let scope = |event: &Sent| {
            let variable: Variable = seen(event, sets).into();
            for (name, table) in &tables {
                variable.dot_insert(name, table.clone());
            }
            Scope::new(variable)
        };
        Ok(Zen { expressions, machine: VM::new(), scopes: events.iter().map(scope).collect() })
    }

    pub fn evaluate(&mut self, event: usize, out: &mut Vec<u32>) {
        let scope = &self.scopes[event];
        for (number, expression) in self.expressions.iter().enumerate() {
            let result = expression.evaluate_with_scope(scope, &mut self.machine);
            if matches!(result.expect("the rules are well typed"), Variable::Bool(true)) {
                out.push(number as u32);
            }
        }
    }
}

fn written(clause: &Clause) -> String {
    match (clause.field, clause.op) {
        (Field::Country, Op::In) => format!("country in c{}", clause.value),
        (Field::Bin, Op::In) => format!("bin_text in b{}", clause.value),
        (Field::Ip, Op::In) => format!("in_ip{}", clause.value),
        _ => compared(clause, '\''),
    }
}

fn seen(event: &Sent, sets: &Sets) -> Value {
    let mut fields = Map::new();
    fields.extend(event.texts().map(|(name, text)| (name.to_owned(), text.into())));
    fields.extend(event.numbers().map(|(name, number)| (name.to_owned(), number.into())));
    fields.extend((0..4).map(|list| (format!("in_ip{list}"), sets.has_ip(list, event.ip.to_bits()).into())));
    fields.insert("is_new_device".to_owned(), event.is_new_device.into());
    fields.insert("is_vpn".to_owned(), event.is_vpn.into());
    fields.insert("bin_text".to_owned(), json!(event.bin.to_string()));
    Value::Object(fields)
}
