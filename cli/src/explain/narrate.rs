//! A trace as a person tells it: a sentence first, then every rule with the values it read.

use std::fmt::Write;

use engine::Outcome;
use engine::trace::{AtomTrace, PolicyTrace, RuleState, RuleTrace, Trace, Turn};
use engine::tri::Tri;
use engine::verdict::{DecidedBy, Reason, UnknownAtom};

/// The whole story.
pub fn text(heading: &str, trace: &Trace) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{heading}\n{}\n", sentence(trace));
    for policy in &trace.policies {
        tell_policy(&mut text, policy);
    }
    if trace.policies.is_empty() {
        text.push_str("no policy is for this action\n\n");
    }
    tell_reasons(&mut text, &trace.verdict.reasons);
    tell_unknown(&mut text, &trace.verdict.unknown);
    tell_shadow(&mut text, trace);
    tell_turns(&mut text, &trace.would_change);
    for rate in &trace.rates {
        let _ = writeln!(text, "rate {rate}");
    }
    let _ = writeln!(text, "pack {}", trace.policy_version);
    text
}

/// `Challenged, because rule guessing matched: Too many failed sign-ins.`
fn sentence(trace: &Trace) -> String {
    let outcome = match trace.outcome {
        Outcome::Allow => "Allowed",
        Outcome::Challenge => "Challenged",
        Outcome::Block => "Blocked",
    };
    match &trace.decided_by {
        DecidedBy::Rule(rule) => {
            let told = rule_named(trace, rule).and_then(|rule| rule.description.as_deref());
            let told = told.map_or(String::new(), |description| format!(": {description}"));
            format!("{outcome}, because the rule `{rule}` matched{told}.")
        }
        DecidedBy::Default => format!("{outcome} by default: no rule matched that asks for anything else."),
        DecidedBy::Score => {
            let scores: Vec<String> = trace
                .verdict
                .scores
                .iter()
                .map(|score| format!("{} points in `{}`", score.total, score.policy))
                .collect();
            format!("{outcome} by score: {}.", scores.join(", "))
        }
        DecidedBy::Unknown => {
            let mut rules: Vec<String> =
                trace.verdict.unknown.iter().map(|unknown| format!("`{}`", unknown.rule)).collect();
            rules.dedup();
            format!(
                "{outcome}, because it could not be told whether {} matches: what it needs is not known.",
                rules.join(" or ")
            )
        }
    }
}

fn rule_named<'a>(trace: &'a Trace, name: &str) -> Option<&'a RuleTrace> {
    trace.policies.iter().flat_map(|policy| &policy.rules).find(|rule| &*rule.rule == name)
}

fn tell_policy(text: &mut String, policy: &PolicyTrace) {
    let by = match &policy.decided_by {
        DecidedBy::Rule(rule) => format!("by rule `{rule}`"),
        DecidedBy::Default => "by default".to_owned(),
        DecidedBy::Unknown => "because something is not known".to_owned(),
        DecidedBy::Score => "by score".to_owned(),
    };
    let _ = writeln!(text, "policy {}: {} {by}", policy.policy, policy.outcome.word());
    for rule in &policy.rules {
        tell_rule(text, rule);
    }
    text.push('\n');
}

fn tell_rule(text: &mut String, rule: &RuleTrace) {
    let state = match rule.state {
        RuleState::Matched => format!("matched, asks for {}", rule.then),
        RuleState::NotMatched => "did not match".to_owned(),
        RuleState::Unknown => format!("could not be told, would ask for {}", rule.then),
        RuleState::Off => "is switched off".to_owned(),
        RuleState::NotActive => "is not active at this time".to_owned(),
        RuleState::NotRolledOut => "is not rolled out to this one".to_owned(),
    };
    let shadow = if rule.mode == "shadow" { " (shadow: does not count)" } else { "" };
    let _ = writeln!(text, "  rule {}{shadow}: {state}  [{}]", rule.rule, rule.at);
    for atom in &rule.atoms {
        tell_atom(text, atom);
    }
}

fn tell_atom(text: &mut String, atom: &AtomTrace) {
    let result = match (atom.result, atom.why) {
        (Tri::True, _) => "true".to_owned(),
        (Tri::False, _) => "false".to_owned(),
        (Tri::Unknown, Some(why)) => format!("unknown ({why})"),
        (Tri::Unknown, None) => "unknown".to_owned(),
    };
    let _ = writeln!(text, "    {result:<9} {}", one_line(&atom.text));
    for read in &atom.reads {
        let _ = writeln!(text, "              {} = {}", one_line(&read.what), one_line(&read.value));
    }
}

fn tell_reasons(text: &mut String, reasons: &[Reason]) {
    if reasons.is_empty() {
        return;
    }
    text.push_str("reasons\n");
    for reason in reasons {
        let internal = reason.internal.as_ref().map_or(String::new(), |internal| format!(" (internal: {internal})"));
        let regulation = reason.regulation.as_ref().map_or(String::new(), |regulation| format!(" ({regulation})"));
        let _ = writeln!(text, "  {}: {}{internal}{regulation}", reason.code, reason.text);
    }
    text.push('\n');
}

fn tell_unknown(text: &mut String, unknown: &[UnknownAtom]) {
    if unknown.is_empty() {
        return;
    }
    text.push_str("not known\n");
    for unknown in unknown {
        let _ = writeln!(text, "  {} in rule {}: {}", one_line(&unknown.atom), unknown.rule, unknown.why);
    }
    text.push('\n');
}

fn tell_shadow(text: &mut String, trace: &Trace) {
    if trace.verdict.shadow.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "with its shadow rules live, the answer would have been {}",
        trace.verdict.shadow_outcome.word()
    );
    for hit in &trace.verdict.shadow {
        let _ = writeln!(text, "  rule {}: {}", hit.rule, hit.word());
    }
    text.push('\n');
}

fn tell_turns(text: &mut String, turns: &[Turn]) {
    if turns.is_empty() {
        text.push_str("no single condition would have changed the answer\n\n");
        return;
    }
    text.push_str("what would have changed the answer\n");
    for turn in turns {
        let becomes = match turn.becomes {
            Tri::True => "true",
            Tri::False => "false",
            Tri::Unknown => "unknown",
        };
        let _ = writeln!(text, "  if `{}` had been {becomes}: {}", one_line(&turn.condition), turn.outcome.word());
    }
    text.push('\n');
}

/// Values come from outside: they may not move the cursor or begin a line.
fn one_line(text: &str) -> String {
    let visible = |char: char| if char.is_control() { ' ' } else { char };
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().map(visible).collect()
}
