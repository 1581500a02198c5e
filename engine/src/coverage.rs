//! What the tests of a pack exercise: which rules matched, and which conditions were seen both true and false.

use std::sync::Arc;

use crate::{
    explain::collect,
    program::{Mode, Policy, Program, Rule},
    trace::{PolicyTrace, RuleState, RuleTrace},
    tri::Tri,
    verdict::DecidedBy,
};

/// What the tests of a pack exercise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// By policy, in the order of the pack.
    pub policies: Vec<PolicyCoverage>,
}

/// What the tests exercise of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyCoverage {
    /// Its name.
    pub policy: Arc<str>,
    /// In how many tests it judged the event.
    pub judged: u32,
    /// In how many of them its default decided.
    pub by_default: u32,
    /// Its rules, in the order of the file.
    pub rules: Vec<RuleCoverage>,
}

/// In how many tests a rule came to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCoverage {
    /// Its name.
    pub rule: Arc<str>,
    /// `live`, `shadow` or `off`.
    pub mode: &'static str,
    /// It matched.
    pub matched: u32,
    /// It did not.
    pub not_matched: u32,
    /// It could not be told, whatever `on unknown` makes of that.
    pub unknown: u32,
    /// It was off, not active at that time, or not rolled out to that event.
    pub idle: u32,
    /// Its conditions, in the order written.
    pub conditions: Vec<ConditionCoverage>,
}

/// In how many tests a condition came to what: `and`, `or` and `not` join conditions and are none themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionCoverage {
    /// As written, with every `let` expanded.
    pub text: Arc<str>,
    /// It held.
    pub seen_true: u32,
    /// It did not.
    pub seen_false: u32,
    /// It could not be told.
    pub seen_unknown: u32,
}

impl Coverage {
    /// Nothing exercised yet.
    pub(crate) fn of(program: &Program) -> Coverage {
        Coverage { policies: program.policies.iter().map(|policy| PolicyCoverage::of(program, policy)).collect() }
    }

    /// Adds what one test saw.
    pub(crate) fn add(&mut self, traces: &[PolicyTrace]) {
        for trace in traces {
            if let Some(policy) = self.policies.iter_mut().find(|policy| policy.policy == trace.policy) {
                policy.judged += 1;
                policy.by_default += u32::from(trace.decided_by == DecidedBy::Default);
                policy.rules.iter_mut().zip(&trace.rules).for_each(|(rule, trace)| rule.add(trace));
            }
        }
    }

    /// All rules.
    pub fn rules(&self) -> impl Iterator<Item = &RuleCoverage> {
        self.policies.iter().flat_map(|policy| &policy.rules)
    }
}

impl PolicyCoverage {
    fn of(program: &Program, policy: &Policy) -> PolicyCoverage {
        let rules = policy.rules.iter().map(|rule| RuleCoverage::of(program, rule)).collect();
        PolicyCoverage { policy: Arc::clone(&policy.name), judged: 0, by_default: 0, rules }
    }
}

impl RuleCoverage {
    fn of(program: &Program, rule: &Rule) -> RuleCoverage {
        let mut atoms = Vec::new();
        collect(&rule.cond, &mut atoms);
        let condition = |atom: &crate::ir::Atom| ConditionCoverage {
            text: Arc::clone(&atom.text),
            seen_true: 0,
            seen_false: 0,
            seen_unknown: 0,
        };
        RuleCoverage {
            rule: Arc::clone(&rule.name),
            mode: rule.mode.word(),
            matched: 0,
            not_matched: 0,
            unknown: 0,
            idle: 0,
            conditions: atoms.into_iter().filter_map(|atom| program.atoms.get(atom)).map(condition).collect(),
        }
    }

    fn add(&mut self, trace: &RuleTrace) {
        let count = match trace.state {
            RuleState::Matched => &mut self.matched,
            RuleState::NotMatched => &mut self.not_matched,
            RuleState::Unknown => &mut self.unknown,
            RuleState::Off | RuleState::NotActive | RuleState::NotRolledOut => &mut self.idle,
        };
        *count += 1;
        for (condition, atom) in self.conditions.iter_mut().zip(&trace.atoms) {
            let count = match atom.result {
                Tri::True => &mut condition.seen_true,
                Tri::False => &mut condition.seen_false,
                Tri::Unknown => &mut condition.seen_unknown,
            };
            *count += 1;
        }
    }

    /// Whether some test saw it match. A rule that is off cannot.
    #[must_use]
    pub fn covered(&self) -> bool {
        self.matched > 0 || self.mode == Mode::Off.word()
    }
}

impl ConditionCoverage {
    /// Whether some test saw it hold, and some other did not.
    #[must_use]
    pub fn both_ways(&self) -> bool {
        self.seen_true > 0 && self.seen_false > 0
    }
}
