//! Why, in full: every rule, every condition with the values it read, and what would have changed the answer.

use crate::{
    evaluate::{Decided, Hit, Judged, Reading, Scene, Standing, ask_rules, evaluate, in_layout, judge, scene},
    ir::Cond,
    maybe::{Maybe, Why},
    outcome::Outcome,
    program::{Answer, Mode, Policies, Policy, Program, Rollout, Rule},
    signals::Signals,
    trace::{AtomTrace, PolicyTrace, Read, RuleState, RuleTrace, Trace, Turn},
    tri::Tri,
};

/// Up to this many conditions are turned round to see what would have changed the answer.
const MOST_TURNS: usize = 200;

/// Explains the decision on these signals. Judges them anew; the decision itself never pays for it.
#[must_use]
pub fn explain(program: &Program, signals: &Signals) -> Trace {
    let verdict = evaluate(program, signals);
    let located = in_layout(program, &signals.located);
    let mut judged = judge(scene(program, signals, &located), ask_rules);
    // The explanation names every condition, so scripts that were spared are asked now.
    judged.scene.scripts_run = true;
    let policies = traces(&judged);
    let mut atoms = Vec::new();
    for hit in judged.hits.iter().filter(|hit| hit.rule.mode == Mode::Live) {
        collect(&hit.rule.cond, &mut atoms);
    }
    Trace {
        outcome: verdict.outcome,
        decided_by: verdict.decided_by.clone(),
        policy_version: program.version().to_owned(),
        rates: signals.rates.clone(),
        policies,
        would_change: turns(program, signals, &atoms, verdict.outcome),
        verdict,
    }
}

/// Every rule of every policy that applies, with each of its conditions: also those that the answer did not need.
pub(crate) fn asked(program: &Program, signals: &Signals) -> Vec<PolicyTrace> {
    let located = in_layout(program, &signals.located);
    let mut judged = judge(scene(program, signals, &located), ask_rules);
    judged.scene.scripts_run = true;
    traces(&judged)
}

fn traces(judged: &Judged<'_>) -> Vec<PolicyTrace> {
    let policies = judged.policies.iter().flat_map(Policies::iter).zip(&judged.decided);
    let trace = |((number, policy), decided): ((u16, &Policy), &Decided<'_>)| PolicyTrace {
        policy: policy.name.clone(),
        outcome: decided.outcome,
        decided_by: decided.by.word(),
        rules: judged.hits.iter().filter(|hit| hit.policy == number).map(|hit| rule(&judged.scene, hit)).collect(),
    };
    policies.map(trace).collect()
}

fn rule(scene: &Scene<'_>, hit: &Hit<'_>) -> RuleTrace {
    let rule = hit.rule;
    let mut atoms = Vec::new();
    collect(&rule.cond, &mut atoms);
    let rollout = rule.rollout.as_ref().and_then(|rollout| rollout_in_doubt(scene, rollout));
    RuleTrace {
        rule: rule.name.clone(),
        description: rule.description.clone(),
        mode: rule.mode.word().to_owned(),
        at: place(scene.program, rule),
        state: match hit.standing {
            Standing::Matched => RuleState::Matched,
            Standing::NotMatched | Standing::NotAsked => RuleState::NotMatched,
            Standing::MatchedUnknown | Standing::StepUp | Standing::Skipped | Standing::Waiting => RuleState::Unknown,
            Standing::Off => RuleState::Off,
            Standing::NotActive => RuleState::NotActive,
            Standing::NotRolledOut => RuleState::NotRolledOut,
        },
        then: then(&rule.answer),
        // Last: coverage counts the conditions as they were written.
        atoms: atoms.into_iter().filter_map(|index| atom(scene, index)).chain(rollout).collect(),
    }
}

/// That a rule is for this event is a condition too, where it could not be told.
fn rollout_in_doubt(scene: &Scene<'_>, rollout: &Rollout) -> Option<AtomTrace> {
    let reading = scene.read(&rollout.by);
    let Maybe::Unknown(why) = reading.clone().maybe() else { return None };
    let share = rust_decimal::Decimal::new(i64::from(rollout.share), 2).normalize();
    Some(AtomTrace {
        text: format!("rollout {share}% by {}", rollout.path),
        result: Tri::Unknown,
        why: Some(why),
        reads: vec![Read { what: rollout.path.to_string(), value: text(reading) }],
    })
}

fn place(program: &Program, rule: &Rule) -> String {
    let line = program.sources.position(rule.span).map_or(0, |position| position.line);
    format!("{}:{line}", program.sources.name(rule.span.file))
}

fn then(answer: &Answer) -> String {
    match answer {
        Answer::Allow => "allow".to_owned(),
        Answer::Exempt => "allow final".to_owned(),
        Answer::Challenge(_) => "challenge".to_owned(),
        Answer::Block => "block".to_owned(),
        Answer::Score(points) => format!("score {points}"),
        Answer::Nothing => "nothing".to_owned(),
    }
}

fn atom(scene: &Scene<'_>, index: usize) -> Option<AtomTrace> {
    let atom = scene.program.atoms.get(index)?;
    let (result, why) = scene.ask(index);
    let read = |(what, expr): &(std::sync::Arc<str>, crate::ir::Expr)| Read {
        what: what.to_string(),
        value: text(scene.read(expr)),
    };
    Some(AtomTrace { text: atom.text.to_string(), result, why, reads: atom.reads.iter().map(read).collect() })
}

/// A reading as a person writes it.
pub(crate) fn text(reading: Reading) -> String {
    match reading {
        Reading::Known(value) => value.to_string(),
        Reading::Unknown(why) => format!("unknown ({why})"),
        Reading::Within(interval) => {
            let bound = |bound: Option<crate::value::Value>| bound.map_or(String::new(), |value| value.to_string());
            let why = interval.why.map_or(String::new(), |why: Why| format!(" ({why})"));
            format!("{}..{}{why}", bound(interval.lo), bound(interval.hi))
        }
    }
}

pub(crate) fn collect(cond: &Cond, atoms: &mut Vec<usize>) {
    match cond {
        Cond::Const(_) => {}
        Cond::Not(inner) => collect(inner, atoms),
        Cond::All(parts) | Cond::Any(parts) => parts.iter().for_each(|part| collect(part, atoms)),
        Cond::Atom(atom) => {
            if !atoms.contains(atom) {
                atoms.push(*atom);
            }
        }
    }
}

/// Each condition turned round alone: does the answer change?
fn turns(program: &Program, signals: &Signals, atoms: &[usize], outcome: Outcome) -> Vec<Turn> {
    let located = in_layout(program, &signals.located);
    let mut seen: Vec<usize> = Vec::new();
    let mut turns = Vec::new();
    for index in atoms.iter().take(MOST_TURNS) {
        if seen.contains(index) {
            continue;
        }
        seen.push(*index);
        let Some(atom) = program.atoms.get(*index) else { continue };
        let now = { scene(program, signals, &located).ask(*index).0 };
        let others = [Tri::True, Tri::False].into_iter().filter(|other| *other != now);
        for becomes in others {
            let mut turned = scene(program, signals, &located);
            turned.turned = Some((*index, becomes));
            let then = judge(turned, ask_rules).outcome();
            if then != outcome {
                turns.push(Turn { condition: atom.text.to_string(), becomes, outcome: then });
            }
        }
    }
    turns
}
