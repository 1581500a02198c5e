//! What becomes of each rule.

use aws_lc_rs::digest::{SHA256, digest};

use super::scene::{Scene, runs_script};
use crate::{
    lists::plain,
    maybe::Maybe,
    program::{Answer, Mode, OnUnknown, Policy, Rollout, Rule},
    tri::Tri,
};

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its condition holds.
    Matched,
    /// Its condition is unknown, and `on unknown match` makes that a match.
    MatchedUnknown,
    /// It does not.
    NotMatched,
    /// Its condition is unknown and it raises the answer to a challenge.
    StepUp,
    /// Its condition is unknown and nothing follows.
    Skipped,
    /// It waits for a script.
    Waiting,
    /// It would run a script, and the answer cannot change any more.
    NotAsked,
    /// It is switched off.
    Off,
    /// The event lies outside its validity.
    NotActive,
    /// The event's entity is outside its rollout.
    NotRolledOut,
}

impl Standing {
    /// Whether the rule counts as matched.
    pub fn matched(self) -> bool {
        matches!(self, Standing::Matched | Standing::MatchedUnknown)
    }

    /// Whether its condition could not be told.
    pub fn unknown(self) -> bool {
        matches!(self, Standing::MatchedUnknown | Standing::StepUp | Standing::Skipped)
    }
}

/// A rule and what became of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuleResult<'a> {
    pub rule: &'a Rule,
    pub standing: Standing,
}

/// Asks every rule of a policy, in the order of the file.
pub(crate) fn ask_rules<'a>(scene: &Scene<'a>, policy: &'a Policy) -> Vec<RuleResult<'a>> {
    policy.rules.iter().map(|rule| RuleResult { rule, standing: standing(scene, rule) }).collect()
}

fn standing(scene: &Scene<'_>, rule: &Rule) -> Standing {
    let now = scene.located.event.time;
    if rule.mode == Mode::Off {
        return Standing::Off;
    }
    if rule.from.is_some_and(|from| now < from) || rule.until.is_some_and(|until| now >= until) {
        return Standing::NotActive;
    }
    let rolled_out = rule.rollout.as_ref().map_or(Tri::True, |rollout| rolled_out(scene, rule, rollout));
    if rolled_out.is_false() {
        return Standing::NotRolledOut;
    }
    match scene.holds(&rule.cond).and(rolled_out) {
        Tri::True => Standing::Matched,
        Tri::False => Standing::NotMatched,
        Tri::Unknown if !scene.scripts_run && runs_script(scene.program, &rule.cond) => Standing::Waiting,
        Tri::Unknown => when_unknown(rule),
    }
}

fn when_unknown(rule: &Rule) -> Standing {
    match (&rule.answer, rule.on_unknown) {
        // No exemption rests on what is not known, whatever `on unknown` says.
        (Answer::Allow | Answer::Exempt, _) => Standing::Skipped,
        (_, OnUnknown::Skip) => Standing::Skipped,
        (_, OnUnknown::Match) => Standing::MatchedUnknown,
        // A rule without an outcome has nothing to raise.
        (Answer::Nothing, OnUnknown::StepUp) => Standing::Skipped,
        (Answer::Challenge(_) | Answer::Block | Answer::Score(_), OnUnknown::StepUp) => Standing::StepUp,
    }
}

/// Whether the entity is in: its keyed hash is below the share. Raising the share only ever lets more in. The rule's
/// name is the key, so that the same users are not first in line for every rule.
fn rolled_out(scene: &Scene<'_>, rule: &Rule, rollout: &Rollout) -> Tri {
    let entity = match scene.read(&rollout.by).maybe() {
        Maybe::Known(value) => plain(&value),
        Maybe::Unknown(_) => return Tri::Unknown,
    };
    let text = format!("stepup-rollout-v1\n{}\n{}\n{entity}", rule.name, rollout.path);
    let hash = digest(&SHA256, text.as_bytes());
    let mut first = [0_u8; 8];
    first.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    Tri::from(u64::from_be_bytes(first) % 10_000 < u64::from(rollout.share))
}
