//! What becomes of each rule.

use aws_lc_rs::digest::{SHA256, digest};
use smallvec::SmallVec;

use super::{scene::Scene, tally::Leads};
use crate::{
    index::{Index, Place, Told},
    lists::plain,
    maybe::Maybe,
    program::{Answer, Mode, OnUnknown, Policies, Rollout, Rule, Weight},
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

    /// Whether anything follows from it, or may follow.
    pub fn counts(self) -> bool {
        self.matched() || self.unknown() || self == Standing::Waiting
    }

    /// Whether its condition could not be told.
    pub fn unknown(self) -> bool {
        matches!(self, Standing::MatchedUnknown | Standing::StepUp | Standing::Skipped)
    }
}

/// A rule of one of the policies that apply, and what became of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit<'a> {
    /// The policy's position among those that apply.
    pub policy: u16,
    /// The rule's position in the file.
    pub position: u32,
    pub weight: Weight,
    pub standing: Standing,
    pub rule: &'a Rule,
}

/// Rules with what became of them, by policy and position.
pub(crate) type Hits<'a> = SmallVec<[Hit<'a>; 16]>;

/// Rules by policy and position.
pub type Places = SmallVec<[(u16, u32); 16]>;

/// Where to write what is found out about the rules of an event.
pub(crate) struct Found<'a, 'f> {
    /// Live rules that match, and whose outcome is all there is to combine.
    pub plain: &'f mut Places,
    /// What these come to, policy by policy.
    pub leads: &'f mut [Leads],
    /// All others from which something follows or may follow.
    pub hits: &'f mut Hits<'a>,
}

impl<'a> Found<'a, '_> {
    /// Asks the rules that waited for a script.
    pub fn ask_again(&mut self, scene: &Scene<'_>) {
        for hit in self.hits.iter_mut().filter(|hit| hit.standing == Standing::Waiting) {
            hit.standing = standing(scene, hit.rule, Told::Across);
        }
    }

    /// Puts every rule that was found among the hits.
    pub fn gather(self, policies: Policies<'a>) {
        self.hits.extend(self.plain.drain(..).filter_map(|(policy, position)| {
            let rule = policies.get(policy)?.rules.get(position as usize)?;
            Some(Hit { policy, position, weight: Weight::of(rule), standing: Standing::Matched, rule })
        }));
    }
}

/// The rules that matched or could not be told, found by the index.
pub(crate) fn find_rules<'a>(scene: &Scene<'a>, index: &'a Index, policies: Policies<'a>, found: &mut Found<'a, '_>) {
    index.search(scene, &mut |place, told| {
        let Place { policy, position, .. } = *place;
        if place.plain && told == Told::True {
            if let Some(leads) = found.leads.get_mut(usize::from(policy)) {
                leads.add(place.lead);
            }
            found.plain.push((policy, position));
            return;
        }
        found.hits.extend(hit(scene, policies, place, told));
    });
}

/// A rule that is not plain or not certain, if anything follows from it.
#[cold]
fn hit<'a>(scene: &Scene<'a>, policies: Policies<'a>, place: &Place, told: Told) -> Option<Hit<'a>> {
    let Place { policy, position, .. } = *place;
    let rule = policies.get(policy)?.rules.get(position as usize)?;
    let standing = standing(scene, rule, told);
    standing.counts().then(|| Hit { policy, position, weight: Weight::of(rule), standing, rule })
}

/// Every rule, asked one by one: what the explanation and the index's own tests rest on.
pub(crate) fn ask_rules<'a>(scene: &Scene<'a>, _: &'a Index, policies: Policies<'a>, found: &mut Found<'a, '_>) {
    for (policy, asked) in policies.iter() {
        for (position, rule) in (0..).zip(&asked.rules) {
            let standing = standing(scene, rule, Told::Across);
            found.hits.push(Hit { policy, position, weight: Weight::of(rule), standing, rule });
        }
    }
}

/// What becomes of a rule whose condition comes to this; `Across` asks the condition itself.
fn standing(scene: &Scene<'_>, rule: &Rule, told: Told) -> Standing {
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
    let holds = match told {
        Told::True if !rule.scripted => Tri::True,
        Told::Unknown if !rule.scripted => Tri::Unknown,
        Told::True | Told::Unknown | Told::Across => scene.holds(&rule.cond),
    };
    match holds.and(rolled_out) {
        Tri::True => Standing::Matched,
        Tri::False => Standing::NotMatched,
        Tri::Unknown if holds.is_unknown() && !scene.scripts_run && rule.scripted => Standing::Waiting,
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
