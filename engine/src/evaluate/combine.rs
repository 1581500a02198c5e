//! Outcomes of rules to the outcome of a policy, outcomes of policies to the verdict.

use std::sync::Arc;

use super::{
    cause::cause,
    hits::{RuleResult, Standing},
    scene::{Scene, shown},
};
use crate::{
    maybe::Why,
    outcome::{Claimant, Outcome},
    program::{Answer, ChallengeTemplate, Combine, Mode, NamedFields, Policy, Rule},
    verdict::{ChallengeSpec, DecidedBy, FieldText, ListEffect, Reason, RuleHit, Score, UnknownAtom, Verdict},
};

/// Everything about one event, asked and combined.
pub(crate) struct Judged<'a> {
    pub scene: Scene<'a>,
    pub policies: Vec<&'a Policy>,
    /// By policy, then by rule.
    pub results: Vec<Vec<RuleResult<'a>>>,
    pub decided: Vec<Decided<'a>>,
}

/// What one policy answers.
#[derive(Clone, Debug)]
pub(crate) struct Decided<'a> {
    pub outcome: Outcome,
    pub by: DecidedBy,
    /// The rules whose answer this is.
    pub because: Vec<&'a Rule>,
    /// The rules that could not be told and raised the answer.
    pub raised_by: Vec<&'a Rule>,
    /// The challenges that merge into one, if the answer is a challenge.
    pub challenges: Vec<&'a ChallengeTemplate>,
    pub score: Option<i64>,
}

/// One policy's answer. With `shadow`, as if its shadow rules were live.
pub(crate) fn decide<'a>(policy: &'a Policy, results: &[RuleResult<'a>], shadow: bool) -> Decided<'a> {
    let acts =
        |result: &&RuleResult<'a>| result.rule.mode == Mode::Live || (shadow && result.rule.mode == Mode::Shadow);
    let ordered: Vec<&RuleResult<'a>> =
        policy.order.iter().filter_map(|position| results.get(*position)).filter(acts).collect();
    let matched: Vec<&'a Rule> =
        ordered.iter().filter(|result| result.standing.matched()).map(|result| result.rule).collect();
    let unknown: Vec<&'a Rule> =
        ordered.iter().filter(|result| result.standing == Standing::StepUp).map(|result| result.rule).collect();
    match &policy.combine {
        Combine::Strictest => {
            raise(strictest(policy, &matched, None), &unknown, |rule| matches!(rule.answer, Answer::Block))
        }
        Combine::Score(scale) => {
            let points = |rule: &Rule| match rule.answer {
                Answer::Score(points) => points,
                Answer::Allow | Answer::Exempt | Answer::Challenge(_) | Answer::Block | Answer::Nothing => 0,
            };
            let reached = |total: i64| scale.iter().find(|(at, _)| total >= *at).map(|(_, outcome)| *outcome);
            let total = matched.iter().fold(0_i64, |total, rule| total.saturating_add(points(rule)));
            let at_most = unknown.iter().fold(total, |total, rule| total.saturating_add(points(rule).max(0)));
            let decided = Decided { score: Some(total), ..strictest(policy, &matched, reached(total)) };
            raise(decided, &unknown, |rule| match rule.answer {
                Answer::Block => true,
                Answer::Score(_) => reached(at_most) == Some(Outcome::Block),
                Answer::Allow | Answer::Exempt | Answer::Challenge(_) | Answer::Nothing => false,
            })
        }
        Combine::FirstMatch => {
            let first =
                ordered.iter().position(|result| result.standing.matched() && result.rule.answer.outcome().is_some());
            // Only what stands before the first match could have changed it.
            let before = first.unwrap_or(ordered.len());
            let unknown: Vec<&'a Rule> = ordered
                .iter()
                .take(before)
                .filter(|result| result.standing == Standing::StepUp)
                .map(|result| result.rule)
                .collect();
            let first: Vec<&'a Rule> =
                first.and_then(|at| ordered.get(at)).map(|result| result.rule).into_iter().collect();
            // An exemption that stands behind an unknown rule would not have been reached.
            raise(strictest(policy, &first, None), &unknown, |_| true)
        }
    }
}

/// The strictest of the rules that matched, the default if none did. `scored` is what the points add up to.
fn strictest<'a>(policy: &'a Policy, matched: &[&'a Rule], scored: Option<Outcome>) -> Decided<'a> {
    let strictest = matched.iter().filter_map(|rule| rule.answer.outcome()).max();
    let exempt = matched.iter().find(|rule| matches!(rule.answer, Answer::Exempt)).copied();
    // An exemption beats a challenge, whether rules or points ask for it, never a block.
    let exempt = exempt.filter(|_| strictest.max(scored) != Some(Outcome::Block));
    let scored = scored.filter(|_| exempt.is_none());
    let by_rules = match (strictest, exempt) {
        (_, Some(rule)) => Some((Outcome::Allow, rule)),
        (Some(outcome), None) => {
            matched.iter().find(|rule| rule.answer.outcome() == Some(outcome)).map(|rule| (outcome, *rule))
        }
        (None, None) => None,
    };
    let none = Decided {
        outcome: Outcome::Allow,
        by: DecidedBy::Default,
        because: Vec::new(),
        raised_by: Vec::new(),
        challenges: Vec::new(),
        score: None,
    };
    let points = || matched.iter().copied().filter(|rule| matches!(rule.answer, Answer::Score(_)));
    match (by_rules, scored) {
        (Some((outcome, rule)), scored) if scored.is_none_or(|scored| outcome >= scored) => {
            let because: Vec<&Rule> = matched
                .iter()
                .copied()
                .filter(|rule| rule.answer.outcome() == Some(outcome))
                .filter(|rule| exempt.is_none() || matches!(rule.answer, Answer::Exempt))
                .collect();
            let challenges = because.iter().filter_map(|rule| template(&rule.answer)).collect();
            Decided { outcome, by: DecidedBy::Rule(Arc::clone(&rule.name)), because, challenges, ..none }
        }
        (_, Some(outcome)) => {
            let challenges = matched.iter().filter_map(|rule| template(&rule.answer)).collect();
            Decided { outcome, by: DecidedBy::Score, because: points().collect(), challenges, ..none }
        }
        (_, None) => {
            let outcome = policy.default.outcome().unwrap_or(Outcome::Challenge);
            Decided {
                outcome,
                challenges: template(&policy.default).into_iter().collect(),
                because: points().collect(),
                ..none
            }
        }
    }
}

/// A step-up on unknown raises the answer, but is not a match: the default stands below it. An exemption stands against
/// every unknown rule that it would have beaten, had it matched: not against those that `beats_exemption`.
fn raise<'a>(decided: Decided<'a>, unknown: &[&'a Rule], beats_exemption: impl Fn(&Rule) -> bool) -> Decided<'a> {
    let exempted = decided.because.iter().any(|rule| matches!(rule.answer, Answer::Exempt));
    let raising: Vec<&Rule> = unknown.iter().copied().filter(|rule| !exempted || beats_exemption(rule)).collect();
    if raising.is_empty() || decided.outcome >= Outcome::Challenge {
        return decided;
    }
    Decided {
        outcome: Outcome::Challenge,
        by: DecidedBy::Unknown,
        because: Vec::new(),
        challenges: raising.iter().filter_map(|rule| template(&rule.answer)).collect(),
        raised_by: raising,
        score: decided.score,
    }
}

fn template(answer: &Answer) -> Option<&ChallengeTemplate> {
    match answer {
        Answer::Challenge(template) => Some(template),
        Answer::Allow | Answer::Exempt | Answer::Block | Answer::Score(_) | Answer::Nothing => None,
    }
}

/// The strictest answer of all policies so far.
pub(crate) fn outcome_of<'a>(_scene: &Scene<'a>, policies: &[&'a Policy], results: &[Vec<RuleResult<'a>>]) -> Outcome {
    let outcomes = policies.iter().zip(results).map(|(policy, results)| decide(policy, results, false).outcome);
    outcomes.max().unwrap_or(Outcome::Challenge)
}

/// Everything the engine says about the event.
pub(crate) fn verdict(judged: &Judged<'_>) -> Verdict {
    let Judged { scene, policies, results, decided } = judged;
    // Without any policy nobody has said that the action is fine. The server refuses such an action beforehand.
    let outcome = decided.iter().map(|decided| decided.outcome).max().unwrap_or(Outcome::Challenge);
    let deciding: Vec<&Decided<'_>> = decided.iter().filter(|decided| decided.outcome == outcome).collect();
    let by = deciding.iter().map(|decided| &decided.by).min_by_key(|by| *by == &DecidedBy::Default);
    let live = |result: &&RuleResult<'_>| result.rule.mode == Mode::Live;
    let every = || {
        policies.iter().zip(results).flat_map(|(policy, results)| results.iter().map(move |result| (*policy, result)))
    };
    let rules = every()
        .filter(|(_, result)| live(result) && result.standing.matched())
        .map(|(policy, result)| hit(policy, result.rule))
        .collect();
    let shadow = every()
        .filter(|(_, result)| result.rule.mode == Mode::Shadow && result.standing.matched())
        .map(|(policy, result)| hit(policy, result.rule))
        .collect();
    let shadow_outcome =
        policies.iter().zip(results).map(|(policy, results)| decide(policy, results, true).outcome).max();
    let matched = || acting(policies, results, decided);
    let mut flags: Vec<String> = matched().flat_map(|rule| rule.flags.iter().map(ToString::to_string)).collect();
    flags.sort();
    flags.dedup();
    let scores = policies
        .iter()
        .zip(decided)
        .filter_map(|(policy, decided)| decided.score.map(|total| Score { policy: Arc::clone(&policy.name), total }));
    Verdict {
        outcome,
        decided_by: by.cloned().unwrap_or(DecidedBy::Default),
        rules,
        reasons: reasons(scene, policies, decided, outcome, matched()),
        flags,
        severity: matched().filter_map(|rule| rule.severity).max(),
        unknown: every()
            .filter(|(_, result)| live(result) && result.standing.unknown())
            .flat_map(|(policy, result)| unknown_atoms(scene, policy, result.rule))
            .collect(),
        shadow,
        shadow_outcome: shadow_outcome.unwrap_or(outcome),
        challenge: (outcome == Outcome::Challenge).then(|| challenge(scene, &deciding)),
        effects: effects(scene, matched()),
        scripts: scene.scripts.borrow().clone(),
        scores: scores.collect(),
    }
}

/// The live rules whose effects take place: all that matched; under `first_match`, up to the one that decided.
fn acting<'s, 'a: 's>(
    policies: &'s [&'a Policy],
    results: &'s [Vec<RuleResult<'a>>],
    decided: &'s [Decided<'a>],
) -> impl Iterator<Item = &'a Rule> + 's {
    policies.iter().zip(results).zip(decided).flat_map(|((policy, results), decided)| {
        let first = policy.combine == Combine::FirstMatch;
        results
            .iter()
            .filter(|result| result.rule.mode == Mode::Live && result.standing.matched())
            .map(|result| result.rule)
            .filter(move |rule| {
                !first
                    || matches!(rule.answer, Answer::Nothing)
                    || decided.because.iter().any(|because| std::ptr::eq(*because, *rule))
            })
    })
}

fn hit(policy: &Policy, rule: &Rule) -> RuleHit {
    let score = match rule.answer {
        Answer::Score(points) => Some(points),
        Answer::Allow | Answer::Exempt | Answer::Challenge(_) | Answer::Block | Answer::Nothing => None,
    };
    RuleHit {
        policy: Arc::clone(&policy.name),
        rule: Arc::clone(&rule.name),
        outcome: rule.answer.outcome(),
        score,
        exemption: matches!(rule.answer, Answer::Exempt),
    }
}

/// The reasons of the rules whose answer this is and of those that only note something, each once; then one for
/// each thing that could not be told and raised the answer.
fn reasons<'a>(
    scene: &Scene<'a>,
    policies: &[&'a Policy],
    decided: &[Decided<'a>],
    outcome: Outcome,
    matched: impl Iterator<Item = &'a Rule>,
) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = Vec::new();
    let mut add = |reason: Reason| {
        if !reasons.iter().any(|known| known.code == reason.code) {
            reasons.push(reason);
        }
    };
    let deciding = || policies.iter().zip(decided).filter(|(_, decided)| decided.outcome == outcome);
    let because = deciding().flat_map(|(_, decided)| decided.because.iter().copied());
    let noting = matched.filter(|rule| matches!(rule.answer, Answer::Nothing | Answer::Score(_)));
    for rule in because.chain(noting) {
        for declared in rule.reasons.iter().filter_map(|index| scene.program.reasons.get(*index)) {
            add(Reason {
                code: declared.code.to_string(),
                text: declared.text.to_string(),
                internal: declared.internal.as_ref().map(ToString::to_string),
                regulation: declared.regulation.as_ref().map(ToString::to_string),
            });
        }
    }
    for (policy, decided) in deciding() {
        for rule in &decided.raised_by {
            for unknown in unknown_atoms(scene, policy, rule) {
                add(Reason {
                    code: format!("UNKNOWN:{}:{}", unknown.rule, unknown.atom),
                    text: "Something needed for this decision is not known".to_owned(),
                    internal: Some(format!("`{}` is unknown: {}", unknown.atom, unknown.why)),
                    regulation: None,
                });
            }
        }
    }
    reasons
}

/// What a rule needed and did not get.
pub(crate) fn unknown_atoms(scene: &Scene<'_>, policy: &Policy, rule: &Rule) -> Vec<UnknownAtom> {
    let mut atoms = Vec::new();
    scene.unknown_atoms(&rule.cond, &mut atoms);
    let mut found: Vec<UnknownAtom> = Vec::new();
    let mut add = |atom: Arc<str>, why: Why| {
        if !found.iter().any(|known| known.atom == atom) {
            let (policy, rule) = (Arc::clone(&policy.name), Arc::clone(&rule.name));
            found.push(UnknownAtom { policy, rule, atom, why });
        }
    };
    for (atom, why) in atoms.into_iter().filter_map(|index| cause(scene, index)) {
        add(atom, why);
    }
    if let (true, Some(rollout)) = (found.is_empty(), &rule.rollout) {
        let (policy, rule) = (Arc::clone(&policy.name), Arc::clone(&rule.name));
        found.push(UnknownAtom { policy, rule, atom: Arc::clone(&rollout.path), why: Why::Absent });
    }
    found
}

/// All challenges asked for, as one: the highest level, every field bound or shown, the shortest time.
fn challenge(scene: &Scene<'_>, deciding: &[&Decided<'_>]) -> ChallengeSpec {
    let templates: Vec<&ChallengeTemplate> =
        deciding.iter().flat_map(|decided| decided.challenges.iter().copied()).collect();
    let union = |pick: fn(&ChallengeTemplate) -> &NamedFields| {
        let mut fields: Vec<FieldText> = Vec::new();
        for (path, expr) in templates.iter().flat_map(|template| pick(template)) {
            if !fields.iter().any(|field| field.path == *path) {
                fields.push(FieldText { path: Arc::clone(path), value: shown(scene.read(expr)) });
            }
        }
        fields
    };
    // Anonymous only if every challenge allows it; a plain challenge is for the event's user.
    let anonymous = !templates.is_empty() && templates.iter().all(|template| template.user == Claimant::Anonymous);
    ChallengeSpec {
        method: "qr".to_owned(),
        level: templates.iter().map(|template| template.level).max().unwrap_or_default(),
        bind: union(|template| &template.bind),
        show: union(|template| &template.show),
        expires_s: templates.iter().filter_map(|template| template.expires_s).min(),
        attempts: templates.iter().filter_map(|template| template.attempts).min(),
        user: if anonymous { Claimant::Anonymous } else { Claimant::Locked },
    }
}

fn effects<'a>(scene: &Scene<'a>, matched: impl Iterator<Item = &'a Rule>) -> Vec<ListEffect> {
    let mut effects = Vec::new();
    for rule in matched {
        for add in &rule.adds {
            let list = scene.program.lists.get(add.list);
            if let (Some(list), Some(value)) = (list, shown(scene.read(&add.value))) {
                effects.push(ListEffect {
                    list: Arc::clone(&list.name),
                    value,
                    for_s: u64::try_from(add.for_ms.div_euclid(1_000)).unwrap_or(0),
                    rule: Arc::clone(&rule.name),
                });
            }
        }
    }
    effects
}
