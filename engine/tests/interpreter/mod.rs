//! A second, obviously simple reading of the language: walks the syntax tree, scans the whole past, keeps nothing.
//!
//! Test-only. It knows whole numbers, texts, truth values, counts and the first appearance of a device; what it knows
//! it decides by the letter of the language's description, not by the engine's code.

use std::collections::BTreeMap;

use grammar::ast;

/// A value, or nothing when it is absent.
#[derive(Clone, Debug, PartialEq)]
pub enum Plain {
    Int(i64),
    Text(String),
    Bool(bool),
}

pub type Record = BTreeMap<String, Plain>;

/// One event of the stream, and how it ended.
#[derive(Clone, Debug)]
pub struct Past {
    pub at_ms: i64,
    pub fields: Record,
    pub completed: bool,
}

/// What the interpreter says: outcome, what decided, the rules that matched.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    pub outcome: u8,
    pub by: String,
    pub matched: Vec<String>,
}

pub struct World<'a> {
    pub file: &'a ast::File,
    pub past: &'a [Past],
    pub at_ms: i64,
    pub fields: &'a Record,
    /// In a `where`: whether the past event went through.
    pub completed: Option<bool>,
}

impl World<'_> {
    pub fn judge(&self) -> Said {
        let policy = self
            .file
            .items
            .iter()
            .find_map(|item| match item {
                ast::Item::Policy(policy) => Some(policy),
                _ => None,
            })
            .expect("there is a policy");
        let first_match = matches!(policy.combine().map(|combine| &combine.how), Some(ast::CombineHow::FirstMatch));
        let mut rules: Vec<&ast::Rule> = policy.rules().collect();
        rules.sort_by_key(|rule| -rule.priority().and_then(|priority| priority.value.as_i64()).unwrap_or(0));
        let mut matched: Vec<&ast::Rule> = Vec::new();
        let mut raising: Vec<&ast::Rule> = Vec::new();
        let mut found_first = false;
        for rule in &rules {
            if rule.mode().is_some_and(|mode| mode.kind != ast::ModeKind::Live) {
                continue;
            }
            let when = rule.when().map_or(Some(true), |when| self.truth(&when.condition));
            let unless = rule.unless().map_or(Some(false), |unless| self.truth(&unless.condition));
            let allows = matches!(kind(rule), ast::OutcomeKind::Allow | ast::OutcomeKind::AllowFinal);
            let unknown = rule.on_unknown().or(policy.on_unknown()).map(|unknown| unknown.what);
            match and(when, unless.map(|value| !value)) {
                Some(true) => matched.push(rule),
                Some(false) => {}
                None if allows => {}
                None => match unknown.unwrap_or(ast::UnknownAction::StepUp) {
                    ast::UnknownAction::Match => matched.push(rule),
                    ast::UnknownAction::Skip => {}
                    // Behind the first match nothing can change it.
                    ast::UnknownAction::StepUp if !(first_match && found_first) => raising.push(rule),
                    ast::UnknownAction::StepUp => {}
                },
            }
            found_first = !matched.is_empty();
        }
        let counted: Vec<&ast::Rule> =
            if first_match { matched.iter().take(1).copied().collect() } else { matched.clone() };
        let strictest = counted.iter().map(|rule| rank(kind(rule))).max();
        let exempt = counted.iter().find(|rule| matches!(kind(rule), ast::OutcomeKind::AllowFinal));
        let (mut outcome, mut by) = match (strictest, exempt) {
            (None, _) => (rank(&policy.default().expect("there is a default").kind), "default".to_owned()),
            (Some(2), _) | (Some(_), None) => {
                let outcome = strictest.unwrap_or(0);
                let rule = counted.iter().find(|rule| rank(kind(rule)) == outcome).expect("one of them is strictest");
                (outcome, rule.name.name.clone())
            }
            (Some(_), Some(rule)) => (0, rule.name.name.clone()),
        };
        let exempted = outcome == 0 && exempt.is_some();
        let raised = raising.iter().any(|rule| !exempted || rank(kind(rule)) == 2);
        if raised && outcome == 0 {
            (outcome, by) = (1, "unknown".to_owned());
        }
        let written = policy.rules().filter(|rule| matched.iter().any(|other| std::ptr::eq(*other, *rule)));
        Said { outcome, by, matched: written.map(|rule| rule.name.name.clone()).collect() }
    }

    fn truth(&self, expr: &ast::Expr) -> Option<bool> {
        match &expr.kind {
            ast::ExprKind::Paren(inner) => self.truth(inner),
            ast::ExprKind::And(parts) => all(parts.iter().map(|part| self.truth(part))),
            ast::ExprKind::Or(parts) => {
                let none = all(parts.iter().map(|part| self.truth(part).map(|value| !value)));
                none.map(|none| !none)
            }
            ast::ExprKind::Not(inner) => self.truth(inner).map(|value| !value),
            ast::ExprKind::Compare(compare) => {
                let (left, right) = (self.value(&compare.left)?, self.value(&compare.right)?);
                let order = match (&left, &right) {
                    (Plain::Int(a), Plain::Int(b)) => a.cmp(b),
                    (Plain::Text(a), Plain::Text(b)) => a.cmp(b),
                    (Plain::Bool(a), Plain::Bool(b)) => a.cmp(b),
                    _ => panic!("{left:?} and {right:?} do not compare"),
                };
                Some(match compare.op {
                    ast::CompareOp::Equal => order.is_eq(),
                    ast::CompareOp::NotEqual => order.is_ne(),
                    ast::CompareOp::Less => order.is_lt(),
                    ast::CompareOp::LessOrEqual => order.is_le(),
                    ast::CompareOp::Greater => order.is_gt(),
                    ast::CompareOp::GreaterOrEqual => order.is_ge(),
                })
            }
            ast::ExprKind::In(membership) => {
                let ast::Set::Elements(set) = &membership.set else { panic!("only sets are known here") };
                let value = self.value(&membership.value)?;
                let inside = set.elements.iter().any(|element| self.value(element).as_ref() == Some(&value));
                Some(inside != membership.negated)
            }
            ast::ExprKind::Between(between) => {
                let (Plain::Int(value), Plain::Int(low), Plain::Int(high)) =
                    (self.value(&between.value)?, self.value(&between.low)?, self.value(&between.high)?)
                else {
                    panic!("only numbers have an order here")
                };
                Some((low..=high).contains(&value))
            }
            ast::ExprKind::Is(presence) => {
                let missing = self.value(&presence.value).is_none();
                let asked = presence.question == ast::PresenceQuestion::Missing;
                Some((missing == asked) != presence.negated)
            }
            _ => match self.value(expr)? {
                Plain::Bool(value) => Some(value),
                other => panic!("{other:?} is no condition"),
            },
        }
    }

    fn value(&self, expr: &ast::Expr) -> Option<Plain> {
        match &expr.kind {
            ast::ExprKind::Paren(inner) => self.value(inner),
            ast::ExprKind::Literal(ast::Literal::Number(number)) => number.as_i64().map(Plain::Int),
            ast::ExprKind::Literal(ast::Literal::Text(text)) => Some(Plain::Text(text.value.clone())),
            ast::ExprKind::Literal(ast::Literal::Bool(value)) => Some(Plain::Bool(*value)),
            ast::ExprKind::Path(path) => match (path.text().as_str(), self.completed) {
                ("completed", Some(completed)) => Some(Plain::Bool(completed)),
                (name, _) => self.fields.get(name).cloned(),
            },
            ast::ExprKind::Coalesce(coalesce) => self.value(&coalesce.value).or_else(|| self.value(&coalesce.fallback)),
            ast::ExprKind::Arithmetic(arithmetic) => {
                let (Plain::Int(a), Plain::Int(b)) = (self.value(&arithmetic.left)?, self.value(&arithmetic.right)?)
                else {
                    panic!("only numbers add up here")
                };
                let result = match arithmetic.op {
                    ast::ArithmeticOp::Add => a.checked_add(b),
                    ast::ArithmeticOp::Subtract => a.checked_sub(b),
                    ast::ArithmeticOp::Multiply => a.checked_mul(b),
                    ast::ArithmeticOp::Divide => panic!("no division here"),
                };
                result.map(Plain::Int)
            }
            ast::ExprKind::Aggregate(aggregate) => self.count(aggregate),
            other => panic!("not known here: {other:?}"),
        }
    }

    /// The events of the window with the same keys. An event whose `where` is unknown is not used in these tests.
    fn count(&self, aggregate: &ast::Aggregate) -> Option<Plain> {
        let ast::Window::Sliding(length) = &aggregate.window else { panic!("only sliding windows are known here") };
        let length = length.as_millis().expect("it is a length");
        let keys: Vec<String> = aggregate.keys.iter().map(ast::Path::text).collect();
        let own: Option<Vec<&Plain>> = keys.iter().map(|key| self.fields.get(key)).collect();
        let own = own?;
        let current = Past { at_ms: self.at_ms, fields: self.fields.clone(), completed: true };
        let considered = self.past.iter().chain(aggregate.including_this.then_some(&current));
        let counted = considered.filter(|past| {
            let inside = past.at_ms > self.at_ms - length && past.at_ms <= self.at_ms;
            let same = keys.iter().map(|key| past.fields.get(key)).eq(own.iter().map(|own| Some(*own)));
            let passes = aggregate.filter.as_ref().is_none_or(|filter| {
                let there = World {
                    fields: &past.fields,
                    completed: Some(past.completed),
                    at_ms: past.at_ms,
                    past: &[],
                    file: self.file,
                };
                there.truth(filter) == Some(true)
            });
            inside && same && passes
        });
        if let (true, Some(what)) = (aggregate.distinct, &aggregate.argument) {
            let mut values: Vec<&Plain> = Vec::new();
            for value in counted.filter_map(|past| past.fields.get(&what.text())) {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            return i64::try_from(values.len()).ok().map(Plain::Int);
        }
        i64::try_from(counted.count()).ok().map(Plain::Int)
    }
}

fn kind(rule: &ast::Rule) -> &ast::OutcomeKind {
    &rule.then().expect("a rule has a `then`").outcome.kind
}

fn rank(kind: &ast::OutcomeKind) -> u8 {
    match kind {
        ast::OutcomeKind::Allow | ast::OutcomeKind::AllowFinal => 0,
        ast::OutcomeKind::Challenge(_) => 1,
        ast::OutcomeKind::Block => 2,
        other => panic!("not known here: {other:?}"),
    }
}

fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        (None, _) | (_, None) => None,
    }
}

/// One false settles it, whatever else is unknown.
fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for part in parts {
        result = and(result, part);
    }
    result
}
