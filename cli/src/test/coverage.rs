//! How `test --coverage` shows what the tests exercise.

use std::io::Write;

use engine::Coverage;
use engine::coverage::{ConditionCoverage, RuleCoverage};
use serde_json::{Value, json};

/// What `--require-coverage` insists on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Required {
    /// Every live or shadow rule matched in some test.
    Rules,
    /// Besides, every condition of such a rule was seen both true and false.
    Conditions,
}

impl Required {
    /// The rules of which the tests do not exercise what is required.
    pub fn unmet(self, coverage: &Coverage) -> Vec<&str> {
        let met = |rule: &&RuleCoverage| match self {
            Required::Rules => rule.covered(),
            Required::Conditions => rule.covered() && lacking(rule).is_empty(),
        };
        coverage.rules().filter(|rule| !met(rule)).map(|rule| &*rule.rule).collect()
    }
}

/// One table a policy, what lacks under each rule, and a line that adds up.
pub fn text(out: &mut impl Write, coverage: &Coverage) -> std::io::Result<()> {
    let width = coverage.rules().map(|rule| rule.rule.len()).max().unwrap_or(0).max("rule".len());
    for policy in &coverage.policies {
        let (judged, by_default) = (policy.judged, policy.by_default);
        writeln!(out, "coverage of {}: the default decided {by_default} of {judged} tests", policy.policy)?;
        if !policy.rules.is_empty() {
            writeln!(out, "  {:<width$}  matched  not matched  unknown", "rule")?;
        }
        for rule in &policy.rules {
            let (name, matched, not_matched, unknown) = (&rule.rule, rule.matched, rule.not_matched, rule.unknown);
            let mode = if rule.mode == "live" { String::new() } else { format!("  ({})", rule.mode) };
            writeln!(out, "  {name:<width$}  {matched:>7}  {not_matched:>11}  {unknown:>7}{mode}")?;
            match (rule.covered(), rule.idle) {
                (true, _) => {}
                (false, 0) => writeln!(out, "    never matched")?,
                (false, idle) => writeln!(out, "    never matched; not active or not rolled out in {idle} tests")?,
            }
            for condition in lacking(rule) {
                writeln!(out, "    {}: {}", lack(condition), condition.text)?;
            }
        }
    }
    let rules: Vec<&RuleCoverage> = coverage.rules().filter(|rule| rule.mode != "off").collect();
    let conditions: Vec<&ConditionCoverage> = rules.iter().flat_map(|rule| &rule.conditions).collect();
    writeln!(
        out,
        "{} of {} rules matched, {} of {} conditions seen both ways",
        rules.iter().filter(|rule| rule.covered()).count(),
        rules.len(),
        conditions.iter().filter(|condition| condition.both_ways()).count(),
        conditions.len()
    )
}

/// The same for programs.
pub fn as_json(coverage: &Coverage) -> Value {
    let condition = |condition: &ConditionCoverage| {
        json!({
            "condition": &*condition.text, "true": condition.seen_true, "false": condition.seen_false,
            "unknown": condition.seen_unknown,
        })
    };
    let rule = |rule: &RuleCoverage| {
        json!({
            "rule": &*rule.rule, "mode": rule.mode, "matched": rule.matched, "notMatched": rule.not_matched,
            "unknown": rule.unknown, "idle": rule.idle,
            "conditions": rule.conditions.iter().map(condition).collect::<Vec<_>>(),
        })
    };
    let policies = coverage.policies.iter().map(|policy| {
        json!({
            "policy": &*policy.policy, "judged": policy.judged, "byDefault": policy.by_default,
            "rules": policy.rules.iter().map(rule).collect::<Vec<_>>(),
        })
    });
    policies.collect()
}

/// The conditions that no test saw both ways. A rule that is off has none to see.
fn lacking(rule: &RuleCoverage) -> Vec<&ConditionCoverage> {
    rule.conditions.iter().filter(|condition| rule.mode != "off" && !condition.both_ways()).collect()
}

fn lack(condition: &ConditionCoverage) -> &'static str {
    match (condition.seen_true, condition.seen_false) {
        (0, 0) => "never true, never false",
        (0, _) => "never true",
        (_, _) => "never false",
    }
}
