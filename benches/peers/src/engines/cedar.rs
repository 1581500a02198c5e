//! Cedar: a `permit` a rule, all reasons collected. Lists are entity groups; the networks' answers are handed in, which is
//! faster than a chain of `isInRange`.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityUid, Policy, PolicyId, PolicySet, Request,
    RestrictedExpression,
};

use super::compared;
use crate::{
    events::{Sent, Sets},
    rules::{Field, Lists, Op, Rule, action_name, country_name},
};

pub struct Cedar {
    policies: PolicySet,
    entities: Entities,
    authorizer: Authorizer,
    requests: Vec<Request>,
}

impl Cedar {
    pub fn new(rules: &[Rule], lists: &Lists, sets: &Sets, events: &[Sent]) -> anyhow::Result<Cedar> {
        let mut policies = PolicySet::new();
        for (number, rule) in rules.iter().enumerate() {
            policies.add(Policy::parse(Some(PolicyId::new(number.to_string())), written(rule))?)?;
        }
        let mut groups: HashMap<EntityUid, HashSet<EntityUid>> = HashMap::new();
        for (number, set) in lists.countries.iter().enumerate() {
            for country in set {
                groups
                    .entry(uid("Country", &country_name(*country))?)
                    .or_default()
                    .insert(uid("CountryList", &format!("c{number}"))?);
            }
        }
        for (number, bins) in lists.bins.iter().enumerate() {
            for bin in bins {
                groups.entry(uid("Bin", &bin.to_string())?).or_default().insert(uid("BinList", &format!("b{number}"))?);
            }
        }
        let members = groups.into_iter().map(|(member, groups)| Entity::new_no_attrs(member, groups));
        Ok(Cedar {
            policies,
            entities: Entities::from_entities(members, None)?,
            authorizer: Authorizer::new(),
            requests: events.iter().map(|event| request(event, sets)).collect::<anyhow::Result<_>>()?,
        })
    }

    pub fn evaluate(&self, event: usize, out: &mut Vec<u32>) {
        let answer = self.authorizer.is_authorized(&self.requests[event], &self.policies, &self.entities);
        out.extend(answer.diagnostics().reason().map(|policy| {
            let id: &str = policy.as_ref();
            id.parse::<u32>().expect("policies are numbered")
        }));
    }
}

fn uid(ty: &str, id: &str) -> anyhow::Result<EntityUid> {
    Ok(EntityUid::from_type_name_and_id(ty.parse()?, EntityId::new(id)))
}

fn written(rule: &Rule) -> String {
    let mut action = "action".to_owned();
    let mut clauses = Vec::new();
    for clause in rule {
        match (clause.field, clause.op) {
            (Field::Action, _) => action = format!("action == Action::\"{}\"", action_name(clause.value as usize)),
            (Field::Country, Op::In) => {
                clauses.push(format!("context.country_ref in CountryList::\"c{}\"", clause.value))
            }
            (Field::Bin, Op::In) => clauses.push(format!("context.bin_ref in BinList::\"b{}\"", clause.value)),
            (Field::Ip, Op::In) => clauses.push(format!("context.in_ip{}", clause.value)),
            _ => clauses.push(format!("context.{}", compared(clause, '"'))),
        }
    }
    let when = if clauses.is_empty() { String::new() } else { format!(" when {{ {} }}", clauses.join(" && ")) };
    format!("permit(principal, {action}, resource){when};")
}

fn request(event: &Sent, sets: &Sets) -> anyhow::Result<Request> {
    let mut context: Vec<(String, RestrictedExpression)> = Vec::new();
    let mut add = |name: &str, value| context.push((name.to_owned(), value));
    for (name, text) in event.texts() {
        add(name, RestrictedExpression::new_string(text.to_owned()));
    }
    for (name, number) in event.numbers() {
        add(name, RestrictedExpression::new_long(number));
    }
    for list in 0..4 {
        add(&format!("in_ip{list}"), RestrictedExpression::new_bool(sets.has_ip(list, event.ip.to_bits())));
    }
    add("is_new_device", RestrictedExpression::new_bool(event.is_new_device));
    add("is_vpn", RestrictedExpression::new_bool(event.is_vpn));
    add("country_ref", RestrictedExpression::new_entity_uid(uid("Country", &event.country)?));
    add("bin_ref", RestrictedExpression::new_entity_uid(uid("Bin", &event.bin.to_string())?));
    let context = Context::from_pairs(context)?;
    let (principal, action) = (uid("User", &event.user_id)?, uid("Action", &event.action)?);
    Ok(Request::new(principal, action, uid("Device", &event.device_id)?, context, None)?)
}
