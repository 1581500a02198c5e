//! From signals to a verdict: every rule asked, outcomes combined, challenge and effects put together.
//!
//! Pure and total: the same program and signals always give the same verdict, and there always is one.

mod arithmetic;
mod cause;
mod combine;
mod hits;
mod scene;

use std::{borrow::Cow, sync::Arc};

use smallvec::SmallVec;

pub(crate) use scene::{Lists, Reading, Scene, runs_script, zone_named};

use crate::{
    event::Event,
    index::Index,
    outcome::Outcome,
    program::{Policies, Program},
    rates::Exchange,
    signals::{Located, Signals},
    verdict::Verdict,
};
use combine::Answers;
pub(crate) use combine::{Decided, Judged, strictest_of};
use hits::ask_again;
pub(crate) use hits::{Hit, Hits, Standing, ask_rules, find_rules};

/// Judges an event by every policy that applies to it, and writes out everything that led to the answer.
#[must_use]
pub fn evaluate(program: &Program, signals: &Signals) -> Verdict {
    let located = in_layout(program, &signals.located);
    combine::verdict(judge(scene(program, signals, &located), find_rules))
}

/// Judges an event without writing anything out: the answer, and which rules matched or could not be told.
///
/// This is the engine's core; it takes no memory from the heap for events with a few matches. The signals should be in
/// the program's layout, as [`Program::decode`] makes them: others are brought into it first, which costs a copy.
#[must_use]
pub fn judge_briefly(program: &Program, signals: &Signals) -> Ruling {
    if signals.located.event.fields.lies_in(&program.slots) {
        return brief(program, signals, &signals.located, find_rules);
    }
    brief(program, signals, &in_layout(program, &signals.located), find_rules)
}

/// The same by asking every rule in turn, without the index. Slow: it is what the index is held against.
#[must_use]
pub fn judge_one_by_one_briefly(program: &Program, signals: &Signals) -> Ruling {
    brief(program, signals, &in_layout(program, &signals.located), ask_rules)
}

#[inline]
fn brief<'a>(program: &'a Program, signals: &'a Signals, located: &'a Located, asked: Asking<'a>) -> Ruling {
    let mut scene = scene(program, signals, located);
    let mut ruling = Ruling { outcome: Outcome::Challenge, matched: SmallVec::new(), unknown: SmallVec::new() };
    let Some((policies, index)) = program.judges(located.event.id) else { return ruling };
    let mut hits = Hits::new();
    asked(&scene, index, policies, &mut hits);
    ruling.outcome = strictest_of(&settle(&mut scene, policies, &mut hits));
    for hit in &hits {
        if hit.standing.matched() {
            ruling.matched.push((hit.policy, hit.position));
        }
        if hit.standing.unknown() {
            ruling.unknown.push((hit.policy, hit.position));
        }
    }
    ruling
}

/// The answer in brief. Rules are numbered over the policies that apply, in the order of the pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// The answer.
    pub outcome: Outcome,
    /// Every rule that matched, shadow rules among them, in no particular order: policy, then position in its file.
    pub matched: SmallVec<[(u16, u32); 16]>,
    /// Every rule that could not be told.
    pub unknown: SmallVec<[(u16, u32); 4]>,
}

impl Ruling {
    /// The same ruling with its rules in the order of the pack.
    #[must_use]
    pub fn sorted(mut self) -> Ruling {
        self.matched.sort_unstable();
        self.unknown.sort_unstable();
        self
    }
}

/// The scene of recorded or fresh signals.
pub(crate) fn scene<'a>(program: &'a Program, signals: &'a Signals, located: &'a Located) -> Scene<'a> {
    let lists = Lists::Answered(&signals.listed);
    let exchange = Exchange::Recorded(&signals.rates);
    let scene = Scene::new(program, located, Some(&signals.observed), lists);
    Scene { recorded_scripts: Some(&signals.scripts), exchange, ..scene }
}

/// Signals from the audit log carry their fields by name; the program reads them by slot.
pub(crate) fn in_layout<'a>(program: &Program, located: &'a Located) -> Cow<'a, Located> {
    if located.event.fields.lies_in(&program.slots) {
        return Cow::Borrowed(located);
    }
    let mut fields = located.event.fields.moved_to(&program.slots);
    program.numbering.note(&mut fields);
    let id = program.actions.get(&located.event.action).copied().unwrap_or(crate::event::UNDECLARED);
    let event = Arc::new(Event { fields, id, ..Event::clone(&located.event) });
    Cow::Owned(Located { event, ..located.clone() })
}

/// How the rules of an event are asked: by the index, or one by one.
pub(crate) type Asking<'a> = fn(&Scene<'a>, &'a Index, Policies<'a>, &mut Hits<'a>);

/// Asks the rules, and says what follows from them.
pub(crate) fn judge<'a>(mut scene: Scene<'a>, asked: Asking<'a>) -> Judged<'a> {
    let mut hits = Hits::new();
    let applying = scene.program.judges(scene.located.event.id);
    let decided = applying.map(|(policies, index)| {
        asked(&scene, index, policies, &mut hits);
        settle(&mut scene, policies, &mut hits)
    });
    let policies = applying.map(|(policies, _)| policies);
    Judged { scene, policies, hits, decided: decided.unwrap_or_default() }
}

/// What each policy answers. Scripts run last, and only while the answer can still change.
fn settle<'a>(scene: &mut Scene<'a>, policies: Policies<'a>, hits: &mut Hits<'a>) -> Answers<'a> {
    let decide = |hits: &Hits<'a>| -> Answers<'a> {
        policies.iter().map(|(number, policy)| combine::decide(number, policy, hits, false)).collect()
    };
    let mut decided = decide(hits);
    if hits.iter().any(|hit| hit.standing == Standing::Waiting) {
        if strictest_of(&decided) < Outcome::Block {
            scene.scripts_run = true;
            ask_again(scene, hits);
            decided = decide(hits);
        } else {
            // Nothing is stricter than a block: these rules are not asked any more.
            for hit in hits.iter_mut().filter(|hit| hit.standing == Standing::Waiting) {
                hit.standing = Standing::NotAsked;
            }
        }
    }
    decided
}
