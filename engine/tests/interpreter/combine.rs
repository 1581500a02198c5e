//! From conditions to an answer.

use std::cell::{Cell, RefCell};

use grammar::ast;

use super::{Answer, Entry, Fact, Pack, Past, Plain, PolicyOf, Said, World, lookup, moment_of};

const WORDS: [&str; 3] = ["allow", "challenge", "block"];

/// What becomes of a rule.
#[derive(Clone, Copy, PartialEq)]
enum Standing {
    Matched,
    /// Unknown, and `on unknown match`.
    MatchedUnknown,
    NotMatched,
    StepUp,
    Skipped,
    /// A script would have to say.
    Waiting,
    /// Switched off, outside its time, or not asked any more.
    Idle,
}

impl Standing {
    fn matched(self) -> bool {
        matches!(self, Standing::Matched | Standing::MatchedUnknown)
    }

    fn unknown(self) -> bool {
        matches!(self, Standing::MatchedUnknown | Standing::StepUp | Standing::Skipped)
    }
}

/// A policy's answer.
struct Decided<'a> {
    outcome: usize,
    by: String,
    /// The rules whose answer it is.
    because: Vec<&'a ast::Rule>,
    raised_by: Vec<&'a ast::Rule>,
    challenges: Vec<&'a ast::Challenge>,
    score: Option<i64>,
}

/// A policy, its world, and its rules in the order of the file.
type Judged<'a> = (&'a PolicyOf<'a>, World<'a>, Vec<Standing>);

pub(super) fn judge<'a>(pack: &'a Pack<'a>, this: &'a Past, past: &'a [Past], entries: &'a [Entry]) -> Said {
    let applies = |policy: &&PolicyOf<'_>| match &policy.policy.target {
        ast::Target::Any => false,
        ast::Target::Events(names) => names.iter().any(|name| name.name == this.kind),
    };
    pack.scripts_run.set(false);
    let mut judged: Vec<Judged<'_>> = pack
        .policies
        .iter()
        .filter(applies)
        .map(|policy| {
            let (hint, computed) = (Cell::new(None), RefCell::default());
            let world = World { pack, lets: &policy.lets, this, past, entries, in_where: false, hint, computed };
            let standings = policy.rules.iter().map(|rule| world.standing(policy, rule)).collect();
            (policy, world, standings)
        })
        .collect();
    let strictest = |judged: &[Judged<'_>]| judged.iter().map(|judged| decide(judged, false).outcome).max();
    if strictest(&judged) == Some(2) {
        // Nothing is stricter: the rules that wait for a script are not asked any more.
        for standing in judged.iter_mut().flat_map(|(_, _, standings)| standings) {
            *standing = if *standing == Standing::Waiting { Standing::Idle } else { *standing };
        }
    } else {
        pack.scripts_run.set(true);
        for (policy, world, standings) in &mut judged {
            for (rule, standing) in policy.rules.iter().zip(standings) {
                if *standing == Standing::Waiting {
                    *standing = world.standing(policy, rule);
                }
            }
        }
    }
    let decide_all = |shadow| judged.iter().map(|judged| decide(judged, shadow)).collect::<Vec<_>>();
    let (decided, would) = (decide_all(false), decide_all(true));
    let outcome = decided.iter().map(|one| one.outcome).max().expect("a policy applies");
    let deciding = || judged.iter().zip(&decided).filter(|(_, decided)| decided.outcome == outcome);
    let by = deciding().map(|(_, decided)| &decided.by).find(|by| *by != "default");
    let mut said = Said {
        outcome: WORDS[outcome],
        by: by.cloned().unwrap_or_else(|| "default".to_owned()),
        shadow_outcome: WORDS[would.iter().map(|one| one.outcome).max().expect("a policy applies")],
        ..Said::default()
    };
    for ((policy, world, standings), decided) in judged.iter().zip(&decided) {
        for (rule, standing) in policy.rules.iter().zip(standings) {
            let word = || format!("{} {}", rule.name.name, word(kind(rule)));
            match mode(rule) {
                ast::ModeKind::Live => {
                    said.rules.extend(standing.matched().then(word));
                    if standing.unknown() {
                        said.unknown.extend(world.blamed(rule));
                    }
                    if standing.matched() && acts(policy, decided, rule) {
                        world.effects(rule, &mut said);
                    }
                }
                ast::ModeKind::Shadow => said.shadow.extend(standing.matched().then(word)),
                ast::ModeKind::Off => {}
            }
        }
        said.scores.extend(decided.score.map(|total| (policy.policy.name.name.clone(), total)));
    }
    for ((_, world, _), decided) in deciding() {
        said.reasons.extend(decided.because.iter().flat_map(|rule| reasons(rule)));
        for rule in &decided.raised_by {
            let blamed = world.blamed(rule);
            said.reasons.extend(blamed.into_iter().map(|(rule, what, _)| format!("UNKNOWN:{rule}:{what}")));
        }
    }
    said.reasons.sort();
    said.reasons.dedup();
    said.flags.sort();
    said.flags.dedup();
    if outcome == 1 {
        let challenges: Vec<&ast::Challenge> = deciding().flat_map(|(_, one)| one.challenges.iter().copied()).collect();
        said.challenge = Some(merged(&challenges));
    }
    said
}

fn decide<'a>((policy, _, standings): &Judged<'a>, shadow: bool) -> Decided<'a> {
    let live = |rule: &ast::Rule| match mode(rule) {
        ast::ModeKind::Live => true,
        ast::ModeKind::Shadow => shadow,
        ast::ModeKind::Off => false,
    };
    let ordered: Vec<(&ast::Rule, Standing)> = policy
        .order
        .iter()
        .map(|index| (policy.rules[*index], standings[*index]))
        .filter(|(rule, _)| live(rule))
        .collect();
    let has_outcome = |rule: &ast::Rule| rank(kind(rule)).is_some();
    let default = &policy.policy.default().expect("there is a default").kind;
    let how = policy.policy.combine().map_or(&ast::CombineHow::Strictest, |combine| &combine.how);
    // Under `first_match` nothing behind the first match counts, known or not.
    let upto = match how {
        ast::CombineHow::FirstMatch => ordered.iter().position(|(rule, one)| one.matched() && has_outcome(rule)),
        ast::CombineHow::Strictest | ast::CombineHow::Score(_) => None,
    };
    let first_match = matches!(how, ast::CombineHow::FirstMatch);
    let counted = &ordered[..upto.map_or(ordered.len(), |first| first + 1)];
    let matched: Vec<&ast::Rule> = counted.iter().filter(|(_, one)| one.matched()).map(|(rule, _)| *rule).collect();
    let unknown = counted.iter().filter(|(_, one)| *one == Standing::StepUp).map(|(rule, _)| *rule);

    let points = |rule: &ast::Rule| match kind(rule) {
        ast::OutcomeKind::Score(points) => points.as_i64(),
        _ => None,
    };
    let total = matched.iter().filter_map(|rule| points(rule)).fold(0_i64, i64::saturating_add);
    let reached = |total: i64| match how {
        ast::CombineHow::Score(steps) => steps
            .iter()
            .filter(|step| total >= step.at.as_i64().expect("it is a number"))
            .map(|step| step.outcome as usize)
            .max(),
        ast::CombineHow::Strictest | ast::CombineHow::FirstMatch => None,
    };
    let scored = reached(total);
    let strictest = matched.iter().filter_map(|rule| rank(kind(rule))).max();
    let exempt = |rule: &&&ast::Rule| matches!(kind(rule), ast::OutcomeKind::AllowFinal);
    // An exemption beats a challenge, never a block.
    let exempted = matched.iter().find(exempt).filter(|_| strictest.max(scored) != Some(2));
    let with = |outcome: usize| matched.iter().copied().filter(move |rule| rank(kind(rule)) == Some(outcome));
    let name = |rule: &ast::Rule| rule.name.name.clone();
    let scores = || matched.iter().copied().filter(|rule| points(rule).is_some());
    let (outcome, by, because): (usize, String, Vec<&ast::Rule>) = match (exempted, strictest, scored) {
        (Some(rule), _, _) => (0, name(rule), matched.iter().filter(exempt).copied().collect()),
        (None, Some(outcome), scored) if scored <= Some(outcome) => {
            let because: Vec<&ast::Rule> = with(outcome).collect();
            (outcome, name(because[0]), because)
        }
        (None, _, Some(outcome)) => (outcome, "score".to_owned(), scores().collect()),
        (None, _, None) => (rank(default).expect("a default is an outcome"), "default".to_owned(), scores().collect()),
    };
    let mut challenges: Vec<&ast::Challenge> = match by.as_str() {
        "default" => template(default).into_iter().collect(),
        "score" => with(1).filter_map(|rule| template(kind(rule))).collect(),
        _ => because.iter().filter_map(|rule| template(kind(rule))).collect(),
    };
    // Had it matched, an unknown challenge would not have changed an exemption; a block would, and so would points
    // enough for one. Where the first match decides, whatever stands before the exemption would.
    let unknown: Vec<&ast::Rule> = unknown.collect();
    let more = unknown.iter().filter_map(|rule| points(rule)).filter(|points| *points > 0);
    let might_block = reached(more.fold(total, i64::saturating_add)) == Some(2);
    let counts = |rule: &&ast::Rule| match kind(rule) {
        _ if exempted.is_none() || first_match => true,
        ast::OutcomeKind::Block => true,
        ast::OutcomeKind::Score(_) => might_block,
        _ => false,
    };
    let raised_by: Vec<&ast::Rule> = unknown.into_iter().filter(counts).collect();
    let score = matches!(how, ast::CombineHow::Score(_)).then_some(total);
    if outcome == 0 && !raised_by.is_empty() {
        challenges = raised_by.iter().filter_map(|rule| template(kind(rule))).collect();
        return Decided { outcome: 1, by: "unknown".to_owned(), because: Vec::new(), raised_by, challenges, score };
    }
    Decided { outcome, by, because, raised_by: Vec::new(), challenges, score }
}

impl<'a> World<'a> {
    fn standing(&self, policy: &PolicyOf<'a>, rule: &'a ast::Rule) -> Standing {
        let now = self.this.at;
        let active = rule.validity().is_none_or(|validity| {
            validity.from.as_ref().is_none_or(|from| now >= moment_of(from))
                && validity.until.as_ref().is_none_or(|until| now < moment_of(until))
        });
        if !active || mode(rule) == ast::ModeKind::Off {
            return Standing::Idle;
        }
        let rolled_out = rule.rollout().map_or(Ok(true), |rollout| self.rolled_out(rule, rollout));
        if rolled_out == Ok(false) {
            return Standing::Idle;
        }
        let when = rule.when().map_or(Ok(true), |when| self.truth(&when.condition));
        let unless = rule.unless().map_or(Ok(false), |unless| self.truth(&unless.condition));
        let mut conditions = rule.when().into_iter().chain(rule.unless());
        let scripted = conditions.any(|condition| self.scripted(&condition.condition));
        match (when, unless) {
            (Ok(true), Ok(false)) if rolled_out.is_ok() => Standing::Matched,
            (Ok(false), _) | (_, Ok(true)) => Standing::NotMatched,
            (Err(_), _) | (_, Err(_)) if scripted && !self.pack.scripts_run.get() => Standing::Waiting,
            (_, _) => {
                let unknown = rule.on_unknown().or(policy.policy.on_unknown()).map(|unknown| unknown.what);
                match (kind(rule), unknown.unwrap_or(ast::UnknownAction::StepUp)) {
                    // No exemption rests on what is not known.
                    (ast::OutcomeKind::Allow | ast::OutcomeKind::AllowFinal, _) => Standing::Skipped,
                    (_, ast::UnknownAction::Skip) => Standing::Skipped,
                    (_, ast::UnknownAction::Match) => Standing::MatchedUnknown,
                    // It has no outcome to raise.
                    (ast::OutcomeKind::Nothing, ast::UnknownAction::StepUp) => Standing::Skipped,
                    (_, ast::UnknownAction::StepUp) => Standing::StepUp,
                }
            }
        }
    }

    /// What a rule needed and did not get.
    fn blamed(&self, rule: &'a ast::Rule) -> Vec<(String, String, String)> {
        let mut found = Vec::new();
        for condition in rule.when().into_iter().chain(rule.unless()) {
            let answer: Answer = self.truth(&condition.condition);
            if answer.is_err() {
                self.blame(&condition.condition, &mut found);
            }
        }
        if let Some(rollout) = rule.rollout()
            && let Err(cause) = self.rolled_out(rule, rollout)
            && !found.iter().any(|(what, _)| *what == rollout.by.text())
        {
            found.push((rollout.by.text(), cause));
        }
        let name = &rule.name.name;
        found.into_iter().map(|(what, cause)| (name.clone(), what, cause.to_owned())).collect()
    }

    /// Whether this one is among the first so many of ten thousand, in an order of the rule's own.
    fn rolled_out(&self, rule: &ast::Rule, rollout: &ast::Rollout) -> Answer {
        let entity = match self.read(&rollout.by) {
            Fact::Known(Plain::Word(word)) => word,
            Fact::Unknown(cause) => return Err(cause),
            other => panic!("{other:?} is nobody"),
        };
        let text = format!("stepup-rollout-v1\n{}\n{}\n{entity}", rule.name.name, rollout.by.text());
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        let first = hash.as_ref()[..8].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let percent = rollout.percent.as_i64().expect("the tests roll out whole percentages").unsigned_abs();
        Ok(first % 10_000 < percent * 100)
    }

    fn effects(&self, rule: &'a ast::Rule, said: &mut Said) {
        let then = rule.then().expect("a rule has a `then`");
        if matches!(then.outcome.kind, ast::OutcomeKind::Nothing | ast::OutcomeKind::Score(_)) {
            said.reasons.extend(reasons(rule));
        }
        for effect in &then.effects {
            match &effect.kind {
                ast::EffectKind::Flag(flag) => said.flags.push(flag.name.clone()),
                ast::EffectKind::Add(add) => {
                    if let Fact::Known(Plain::Word(word)) = lookup(&self.this.record, &add.value.text()) {
                        let seconds = add.duration.as_millis().expect("it is a length") / 1_000;
                        said.effects.push((add.list.name.clone(), word.to_owned(), seconds.unsigned_abs()));
                    }
                }
                ast::EffectKind::Reason(_) | ast::EffectKind::Severity(_) => {}
            }
        }
    }
}

/// Whether what a matched rule wants besides its outcome is done: all of it; under `first_match`, that of the rule that
/// decided and of those without an outcome.
fn acts(policy: &PolicyOf<'_>, decided: &Decided<'_>, rule: &ast::Rule) -> bool {
    let first_match = matches!(policy.policy.combine().map(|one| &one.how), Some(ast::CombineHow::FirstMatch));
    !first_match
        || matches!(kind(rule), ast::OutcomeKind::Nothing)
        || decided.because.iter().any(|because| std::ptr::eq(*because, rule))
}

/// All challenges as one: the highest level, the shortest time, the fewest attempts; anonymous if all are.
fn merged(challenges: &[&ast::Challenge]) -> (String, Option<u64>, Option<u64>, String) {
    let option = |challenge: &ast::Challenge, name: &str| {
        challenge.options.iter().find(|option| option.name.name == name).map(|option| match &option.value {
            ast::OptionValue::Name(word) => word.name.clone(),
            ast::OptionValue::Duration(length) => (length.as_millis().expect("a length") / 1_000).to_string(),
            ast::OptionValue::Number(number) => number.text.clone(),
            ast::OptionValue::Paths(_) => panic!("not used in these tests"),
        })
    };
    let word = |name: &'static str| challenges.iter().filter_map(move |one| option(one, name));
    let least = |name: &'static str| word(name).map(|text| text.parse().expect("it is a number")).min();
    let level = if word("level").any(|level| level == "biometric") { "biometric" } else { "possession" };
    let anonymous = |one: &&ast::Challenge| option(one, "user").is_some_and(|user| user == "anonymous");
    let user = if !challenges.is_empty() && challenges.iter().all(anonymous) { "anonymous" } else { "locked" };
    (level.to_owned(), least("expires"), least("attempts"), user.to_owned())
}

fn reasons(rule: &ast::Rule) -> impl Iterator<Item = String> {
    rule.then().expect("a rule has a `then`").effects.iter().filter_map(|effect| match &effect.kind {
        ast::EffectKind::Reason(code) => Some(code.name.clone()),
        _ => None,
    })
}

fn mode(rule: &ast::Rule) -> ast::ModeKind {
    rule.mode().map_or(ast::ModeKind::Live, |mode| mode.kind)
}

fn kind(rule: &ast::Rule) -> &ast::OutcomeKind {
    &rule.then().expect("a rule has a `then`").outcome.kind
}

fn template(kind: &ast::OutcomeKind) -> Option<&ast::Challenge> {
    match kind {
        ast::OutcomeKind::Challenge(challenge) => Some(challenge),
        _ => None,
    }
}

fn rank(kind: &ast::OutcomeKind) -> Option<usize> {
    match kind {
        ast::OutcomeKind::Allow | ast::OutcomeKind::AllowFinal => Some(0),
        ast::OutcomeKind::Challenge(_) => Some(1),
        ast::OutcomeKind::Block => Some(2),
        ast::OutcomeKind::Score(_) | ast::OutcomeKind::Nothing => None,
    }
}

fn word(kind: &ast::OutcomeKind) -> String {
    match (kind, rank(kind)) {
        (_, Some(rank)) => WORDS[rank].to_owned(),
        (ast::OutcomeKind::Score(points), None) => format!("score {}", points.text),
        (_, None) => "nothing".to_owned(),
    }
}
