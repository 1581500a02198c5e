//! Smaller cases that still fail.

use super::{
    Case, Mismatch,
    interpreter::{Fact, Plain},
    rules::{Node, Policy, Rule},
};

/// How many smaller cases are tried.
const MOST_TRIES: usize = 5_000;

type Smaller<'a, T> = Box<dyn Iterator<Item = T> + 'a>;

/// The smallest failing case that removing one thing after the other finds.
pub fn smallest(mut case: Case, mut mismatch: Mismatch) -> (Case, Mismatch) {
    let mut tries = 0;
    loop {
        case.events.truncate(mismatch.at + 1);
        let smaller = cases(&case).take(MOST_TRIES - tries).find_map(|smaller| {
            tries += 1;
            // Without a member or a `let` it may not compile any more.
            let found = smaller.compare().ok()??;
            Some((smaller, found))
        });
        match smaller {
            Some(found) => (case, mismatch) = found,
            None => return (case, mismatch),
        }
    }
}

/// The case without one thing, the largest things first.
fn cases(case: &Case) -> impl Iterator<Item = Case> + '_ {
    let last = case.events.len() - 1;
    let events = chunks(last).map(|chunk| {
        let mut smaller = case.clone();
        smaller.events.drain(chunk);
        smaller
    });
    let policies = without_one(&case.policies).filter(|policies| !policies.is_empty());
    let within = replaced(&case.policies, policies_of);
    let policies = policies.chain(within).map(|policies| Case { policies, ..case.clone() });
    let fields = case.events.iter().enumerate().flat_map(move |(index, told)| {
        without_one(&told.record).filter(|record| sound(&told.record, record)).map(move |record| {
            let mut smaller = case.clone();
            smaller.events[index].record = record;
            smaller
        })
    });
    events.chain(policies).chain(fields)
}

/// Required fields stay, the parts of a place stay together, and so does what hides it.
fn sound(before: &super::interpreter::Record, after: &super::interpreter::Record) -> bool {
    let has = |name: &str| after.iter().any(|(other, _)| *other == name);
    let hidden = after.contains(&("geo.city", Fact::Unknown("low_precision")));
    let hides = |name: &str| after.contains(&(name, Fact::Known(Plain::Bool(true))));
    if hidden && !["ip.tor", "ip.vpn", "ip.hosting"].into_iter().any(hides) {
        return false;
    }
    let parts = |record: &super::interpreter::Record| record.iter().filter(|(name, _)| name.starts_with("geo")).count();
    let beside_its_currency = has("cur") || !has("limit");
    ["user", "n", "d", "amount", "kind"].into_iter().all(has) && beside_its_currency && parts(after) == parts(before)
}

fn policies_of(policy: &Policy) -> Smaller<'_, Policy> {
    let with = |rules: Vec<Rule>| Policy { rules, ..policy.clone() };
    let fewer = chunks(policy.rules.len()).map(|chunk| {
        let mut rules = policy.rules.clone();
        rules.drain(chunk);
        rules
    });
    // The first member is `default`.
    let members = without_one(&policy.members[1..])
        .map(|rest| Policy { members: policy.members[..1].iter().cloned().chain(rest).collect(), ..policy.clone() });
    Box::new(fewer.map(with).chain(members).chain(replaced(&policy.rules, rules_of).map(with)))
}

fn rules_of(rule: &Rule) -> Smaller<'_, Rule> {
    let unless = rule.unless.is_some().then(|| Rule { unless: None, ..rule.clone() });
    let plain = rule.outcome.split(" {").next().unwrap_or_default();
    let outcome = (plain != rule.outcome).then(|| Rule { outcome: plain.to_owned(), ..rule.clone() });
    Box::new(
        unless
            .into_iter()
            .chain(outcome)
            .chain(nodes_of(&rule.when).map(|when| Rule { when, ..rule.clone() }))
            .chain(rule.unless.iter().flat_map(nodes_of).map(|node| Rule { unless: Some(node), ..rule.clone() }))
            .chain(without_one(&rule.members).map(|members| Rule { members, ..rule.clone() }))
            .chain(without_one(&rule.effects).map(|effects| Rule { effects, ..rule.clone() })),
    )
}

fn nodes_of(node: &Node) -> Smaller<'_, Node> {
    let join = |parts: Vec<Node>| if matches!(node, Node::Any(_)) { Node::Any(parts) } else { Node::All(parts) };
    let parts = match node {
        Node::All(parts) | Node::Any(parts) => parts,
        Node::Not(inner) => {
            let deeper = nodes_of(inner).map(|inner| Node::Not(Box::new(inner)));
            return Box::new(std::iter::once(Node::clone(inner)).chain(deeper));
        }
        Node::Leaf(_) => return Box::new(std::iter::empty()),
    };
    let fewer = without_one(parts).filter(|parts| parts.len() > 1).map(join);
    Box::new(parts.iter().cloned().chain(fewer).chain(replaced(parts, nodes_of).map(join)))
}

/// Halves, quarters, eighths and single places.
fn chunks(length: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let sizes = [length / 2, length / 4, length / 8, 1].into_iter().filter(|size| *size > 0);
    sizes.flat_map(move |size| (0..length).step_by(size).map(move |start| start..(start + size).min(length)))
}

fn without_one<T: Clone>(all: &[T]) -> impl Iterator<Item = Vec<T>> + '_ {
    (0..all.len()).map(|index| {
        let kept = all.iter().enumerate().filter(|(at, _)| *at != index);
        kept.map(|(_, one)| one.clone()).collect()
    })
}

/// All of them, with one of them smaller.
fn replaced<'a, T: Clone>(all: &'a [T], smaller: fn(&T) -> Smaller<'_, T>) -> impl Iterator<Item = Vec<T>> + 'a {
    all.iter().enumerate().flat_map(move |(index, one)| {
        smaller(one).map(move |one| {
            let mut all = all.to_vec();
            all[index] = one;
            all
        })
    })
}
