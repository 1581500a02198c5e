//! Outcomes of rules to the outcome of a policy, outcomes of policies to the verdict.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{
    cause::cause,
    hits::{Hit, Hits, Standing},
    scene::{Scene, shown},
    tally::{Leads, Tally, acts},
};
use crate::{
    maybe::{Maybe, Why},
    outcome::{Claimant, Outcome},
    program::{Answer, AnswerKind, ChallengeTemplate, Combine, Mode, NamedFields, Policies, Policy, Rule},
    verdict::{ChallengeSpec, DecidedBy, FieldText, ListEffect, Reason, RuleHit, Score, UnknownAtom, Verdict},
};

/// Everything about one event, asked and combined.
pub(crate) struct Judged<'a> {
    pub scene: Scene<'a>,
    /// None if no policy applies.
    pub policies: Option<Policies<'a>>,
    pub hits: Hits<'a>,
    pub decided: Answers<'a>,
}

/// What each policy answers.
pub(crate) type Answers<'a> = SmallVec<[Decided<'a>; 2]>;

/// What one policy answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decided<'a> {
    /// The policy's position among those that apply.
    pub policy: u16,
    pub outcome: Outcome,
    pub by: By<'a>,
    pub score: Option<i64>,
    /// What the points would reach, had every rule matched that could not be told.
    might: Option<Outcome>,
}

/// What settled a policy's answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By<'a> {
    Rule(&'a Rule),
    Default,
    Unknown,
    Score,
}

impl By<'_> {
    pub fn word(self) -> DecidedBy {
        match self {
            By::Rule(rule) => DecidedBy::Rule(Arc::clone(&rule.name)),
            By::Default => DecidedBy::Default,
            By::Unknown => DecidedBy::Unknown,
            By::Score => DecidedBy::Score,
        }
    }

    fn exempts(self) -> bool {
        matches!(self, By::Rule(rule) if matches!(rule.answer, Answer::Exempt))
    }
}

/// One policy's answer, from the rules that were found. With `shadow`, as if its shadow rules were live.
pub(crate) fn decide<'a>(number: u16, policy: &'a Policy, hits: &[Hit<'a>], shadow: bool) -> Decided<'a> {
    answer(number, policy, &Leads::default(), hits, shadow)
}

/// One policy's answer, from the rules that simply match and all others that were found.
#[inline(always)]
pub(crate) fn answer<'a>(
    number: u16,
    policy: &'a Policy,
    leads: &Leads,
    hits: &[Hit<'a>],
    shadow: bool,
) -> Decided<'a> {
    let mut tally = Tally::new(*leads);
    hits.iter().filter(|hit| hit.policy == number).for_each(|hit| tally.add(hit, shadow));
    let strictest = tally.strictest(policy);
    let (score, scored, might) = match &policy.combine {
        Combine::Score(scale) => {
            let total = |points: i128| i64::try_from(points).unwrap_or(if points < 0 { i64::MIN } else { i64::MAX });
            let reached = |total: i64| scale.iter().find(|(at, _)| total >= *at).map(|(_, outcome)| *outcome);
            let might = reached(total(tally.points + tally.more));
            (Some(total(tally.points)), reached(total(tally.points)), might)
        }
        Combine::Strictest | Combine::FirstMatch => (None, None, None),
    };
    // An exemption beats a challenge, whether rules or points ask for it, never a block.
    let blocked = strictest.map(|(outcome, _)| outcome).max(scored) == Some(Outcome::Block);
    let exempt = tally.exempt(policy).filter(|_| !blocked);
    let (by_rule, scored) = match (&policy.combine, exempt) {
        (Combine::FirstMatch, _) => (tally.first(policy), None),
        (Combine::Strictest | Combine::Score(_), Some(exempt)) => (Some(exempt), None),
        (Combine::Strictest | Combine::Score(_), None) => (strictest, scored),
    };
    let (outcome, by) = match (by_rule, scored) {
        (Some((outcome, rule)), scored) if scored.is_none_or(|scored| outcome >= scored) => (outcome, By::Rule(rule)),
        (_, Some(outcome)) => (outcome, By::Score),
        (_, None) => (policy.default.outcome().unwrap_or(Outcome::Challenge), By::Default),
    };
    let decided = Decided { policy: number, outcome, by, score, might };
    // A step-up on unknown raises the answer, but is not a match: the default stands below it.
    let raised = |hit: &Hit<'_>| hit.policy == number && acts(hit.weight.mode, shadow) && raises(policy, decided, hit);
    if tally.unknown && outcome < Outcome::Challenge && hits.iter().any(raised) {
        return Decided { outcome: Outcome::Challenge, by: By::Unknown, ..decided };
    }
    decided
}

/// Whether a rule that could not be told raises an answer. An exemption stands against those that it would have beaten,
/// had they matched.
fn raises(policy: &Policy, decided: Decided<'_>, hit: &Hit<'_>) -> bool {
    let blocks = matches!(hit.rule.answer, Answer::Block);
    let stands = match (&policy.combine, decided.by) {
        // Only what stands before the first match could have changed it.
        (Combine::FirstMatch, By::Rule(first)) => hit.weight.rank < first.rank,
        (Combine::Strictest, by) => !by.exempts() || blocks,
        (Combine::Score(_), by) if by.exempts() => {
            blocks || (hit.weight.kind == AnswerKind::Score && decided.might == Some(Outcome::Block))
        }
        (Combine::Score(_) | Combine::FirstMatch, _) => true,
    };
    hit.standing == Standing::StepUp && stands
}

fn template(answer: &Answer) -> Option<&ChallengeTemplate> {
    match answer {
        Answer::Challenge(template) => Some(template),
        Answer::Allow | Answer::Exempt | Answer::Block | Answer::Score(_) | Answer::Nothing => None,
    }
}

/// The answer without any policy: nobody has said that the action is fine. The server refuses such an action beforehand.
pub(crate) const UNJUDGED: Outcome = Outcome::Challenge;

impl<'a> Judged<'a> {
    fn policy(&self, number: u16) -> Option<&'a Policy> {
        self.policies?.get(number)
    }

    pub fn outcome(&self) -> Outcome {
        self.decided.iter().map(|decided| decided.outcome).max().unwrap_or(UNJUDGED)
    }

    /// The live rules of a policy that matched, in the order of their priority.
    fn matched(&self, policy: u16) -> Vec<&'a Rule> {
        self.ranked(|hit| hit.policy == policy && hit.standing.matched())
    }

    fn ranked(&self, of: impl Fn(&Hit<'a>) -> bool) -> Vec<&'a Rule> {
        let mut rules: Vec<&'a Rule> =
            self.hits.iter().filter(|hit| acts(hit.rule.mode, false) && of(hit)).map(|hit| hit.rule).collect();
        rules.sort_by_key(|rule| rule.rank);
        rules
    }

    /// The rules whose answer this is.
    fn because(&self, decided: &Decided<'a>) -> Vec<&'a Rule> {
        let mut rules = self.matched(decided.policy);
        let first_match = self.policy(decided.policy).is_some_and(|policy| policy.combine == Combine::FirstMatch);
        match decided.by {
            By::Rule(rule) if first_match => return vec![rule],
            By::Rule(_) if decided.by.exempts() => rules.retain(|rule| matches!(rule.answer, Answer::Exempt)),
            By::Rule(_) => rules.retain(|rule| rule.answer.outcome() == Some(decided.outcome)),
            By::Default | By::Score => rules.retain(|rule| matches!(rule.answer, Answer::Score(_))),
            By::Unknown => rules.clear(),
        }
        rules
    }

    /// The rules that could not be told and raised the answer.
    fn raised_by(&self, decided: &Decided<'a>) -> Vec<&'a Rule> {
        let Some(policy) = self.policy(decided.policy) else { return Vec::new() };
        match decided.by {
            By::Unknown => {
                // What the points might reach is a matter of the rules that are left out.
                let before = decide_without_unknown(decided.policy, policy, &self.hits);
                let before = Decided { might: decided.might, ..before };
                self.ranked(|hit| hit.policy == decided.policy && raises(policy, before, hit))
            }
            By::Rule(_) | By::Default | By::Score => Vec::new(),
        }
    }

    /// The challenges that merge into one, if the answer is a challenge.
    fn challenges(&self, decided: &Decided<'a>) -> Vec<&'a ChallengeTemplate> {
        let rules = match decided.by {
            By::Default => {
                let default = self.policy(decided.policy).and_then(|policy| template(&policy.default));
                return default.into_iter().collect();
            }
            By::Rule(_) => self.because(decided),
            By::Score => self.matched(decided.policy),
            By::Unknown => self.raised_by(decided),
        };
        rules.into_iter().filter_map(|rule| template(&rule.answer)).collect()
    }
}

/// The answer below the rules that could not be told.
fn decide_without_unknown<'a>(number: u16, policy: &'a Policy, hits: &[Hit<'a>]) -> Decided<'a> {
    let told: Vec<Hit<'a>> = hits.iter().filter(|hit| hit.standing != Standing::StepUp).copied().collect();
    decide(number, policy, &told, false)
}

/// Everything the engine says about the event.
pub(crate) fn verdict(mut judged: Judged<'_>) -> Verdict {
    judged.hits.sort_by_key(|hit| (hit.policy, hit.position));
    let Judged { scene, hits, decided, .. } = &judged;
    let outcome = judged.outcome();
    let deciding = || decided.iter().filter(|decided| decided.outcome == outcome);
    let by = deciding().map(|decided| decided.by).min_by_key(|by| matches!(by, By::Default));
    let with_policy = |of: fn(&Hit<'_>) -> bool| {
        hits.iter().filter(move |hit| of(hit)).filter_map(|hit| Some((judged.policy(hit.policy)?, hit.rule)))
    };
    let live = with_policy(|hit| hit.rule.mode == Mode::Live && hit.standing.matched());
    let shadow: Vec<RuleHit> = with_policy(|hit| hit.rule.mode == Mode::Shadow && hit.standing.matched())
        .map(|(policy, rule)| rule_hit(policy, rule))
        .collect();
    let shadow_matters = hits.iter().any(|hit| hit.rule.mode == Mode::Shadow);
    let policies = judged.policies.iter().flat_map(Policies::iter);
    let shadow_outcome =
        policies.filter(|_| shadow_matters).map(|(number, policy)| decide(number, policy, hits, true).outcome).max();
    let acting = acting(&judged);
    let mut flags: Vec<String> = acting.iter().flat_map(|rule| rule.flags.iter().map(ToString::to_string)).collect();
    flags.sort();
    flags.dedup();
    let scores = decided.iter().filter_map(|decided| {
        let policy = judged.policy(decided.policy)?;
        Some(Score { policy: Arc::clone(&policy.name), total: decided.score? })
    });
    Verdict {
        outcome,
        decided_by: by.map_or(DecidedBy::Default, By::word),
        rules: live.map(|(policy, rule)| rule_hit(policy, rule)).collect(),
        reasons: reasons(&judged, outcome, &acting),
        flags,
        severity: acting.iter().filter_map(|rule| rule.severity).max(),
        unknown: with_policy(|hit| hit.rule.mode == Mode::Live && hit.standing.unknown())
            .flat_map(|(policy, rule)| unknown_atoms(scene, policy, rule))
            .collect(),
        shadow,
        shadow_outcome: shadow_outcome.unwrap_or(outcome),
        challenge: (outcome == Outcome::Challenge)
            .then(|| challenge(scene, &deciding().flat_map(|decided| judged.challenges(decided)).collect::<Vec<_>>())),
        effects: effects(scene, &acting),
        scripts: scene.scripts.borrow().clone(),
        scores: scores.collect(),
    }
}

/// The live rules whose effects take place: all that matched; under `first_match`, up to the one that decided.
fn acting<'a>(judged: &Judged<'a>) -> Vec<&'a Rule> {
    let takes_place = |hit: &&Hit<'a>| {
        let Some(policy) = judged.policy(hit.policy) else { return false };
        let decided = judged.decided.iter().find(|decided| decided.policy == hit.policy);
        let decides =
            decided.is_some_and(|decided| matches!(decided.by, By::Rule(rule) if std::ptr::eq(rule, hit.rule)));
        policy.combine != Combine::FirstMatch || matches!(hit.rule.answer, Answer::Nothing) || decides
    };
    let live = judged.hits.iter().filter(|hit| hit.rule.mode == Mode::Live && hit.standing.matched());
    live.filter(takes_place).map(|hit| hit.rule).collect()
}

fn rule_hit(policy: &Policy, rule: &Rule) -> RuleHit {
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
fn reasons<'a>(judged: &Judged<'a>, outcome: Outcome, acting: &[&'a Rule]) -> Vec<Reason> {
    let scene = &judged.scene;
    let mut reasons: Vec<Reason> = Vec::new();
    let mut add = |reason: Reason| {
        if !reasons.iter().any(|known| known.code == reason.code) {
            reasons.push(reason);
        }
    };
    let deciding = || judged.decided.iter().filter(|decided| decided.outcome == outcome);
    let because = deciding().flat_map(|decided| judged.because(decided));
    let noting = acting.iter().copied().filter(|rule| matches!(rule.answer, Answer::Nothing | Answer::Score(_)));
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
    for decided in deciding() {
        let Some(policy) = judged.policy(decided.policy) else { continue };
        for rule in judged.raised_by(decided) {
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
    if let Some(rollout) = &rule.rollout
        && let Maybe::Unknown(why) = scene.read(&rollout.by).maybe()
    {
        add(Arc::clone(&rollout.path), why);
    }
    found
}

/// All challenges asked for, as one: the highest level, every field bound or shown, the shortest time.
fn challenge(scene: &Scene<'_>, templates: &[&ChallengeTemplate]) -> ChallengeSpec {
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

fn effects(scene: &Scene<'_>, acting: &[&Rule]) -> Vec<ListEffect> {
    let mut effects = Vec::new();
    for rule in acting {
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
