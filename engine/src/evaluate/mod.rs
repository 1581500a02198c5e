//! From signals to a verdict: every rule asked, outcomes combined, challenge and effects put together.
//!
//! Pure and total: the same program and signals always give the same verdict, and there always is one.

mod arithmetic;
mod cause;
mod combine;
mod hits;
mod scene;
mod tally;

use std::{borrow::Cow, sync::Arc};

use smallvec::SmallVec;

pub(crate) use scene::{Lists, Reading, Scene, runs_script, zone_named};

use crate::{
    event::Event,
    index::Index,
    outcome::Outcome,
    program::{Combine, Policies, Program},
    rates::Exchange,
    signals::{Located, Signals},
    verdict::Verdict,
};
use combine::{Answers, UNJUDGED, answer};
pub(crate) use combine::{Decided, Judged};
pub use hits::Places;
pub(crate) use hits::{Found, Hit, Hits, Standing, ask_rules, find_rules};
pub(crate) use tally::{Lead, Leads};

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
    let mut ruling = Ruling::default();
    judge_into(program, signals, &mut ruling);
    ruling
}

/// The same into a ruling that is there already, for one event after the other: nothing of what it said is left.
pub fn judge_into(program: &Program, signals: &Signals, ruling: &mut Ruling) {
    if signals.located.event.fields.lies_in(&program.slots) {
        brief(program, signals, &signals.located, find_rules, ruling);
    } else {
        brief(program, signals, &in_layout(program, &signals.located), find_rules, ruling);
    }
}

/// The same by asking every rule in turn, without the index. Slow: it is what the index is held against.
#[must_use]
pub fn judge_one_by_one_briefly(program: &Program, signals: &Signals) -> Ruling {
    let mut ruling = Ruling::default();
    brief(program, signals, &in_layout(program, &signals.located), ask_rules, &mut ruling);
    ruling
}

/// So many policies on one event need no memory from the heap.
const FEW: usize = 4;

#[inline]
fn brief<'a>(program: &'a Program, signals: &'a Signals, located: &'a Located, asked: Asking<'a>, ruling: &mut Ruling) {
    ruling.matched.clear();
    ruling.unknown.clear();
    let Some((policies, index)) = program.judges(located.event.id) else {
        ruling.outcome = UNJUDGED;
        return;
    };
    let mut scene = scene(program, signals, located);
    // In place, and few: moving what was just written makes the processor wait.
    let (mut few, mut many) = ([Leads::default(); FEW], Vec::new());
    let leads = few.get_mut(..policies.len()).unwrap_or_else(|| {
        many.resize(policies.len(), Leads::default());
        &mut many
    });
    let mut found = Found { plain: &mut ruling.matched, leads, hits: &mut Hits::new() };
    asked(&scene, index, policies, &mut found);
    ruling.outcome = settle(&mut scene, policies, &mut found);
    for hit in &*found.hits {
        if hit.standing.matched() {
            found.plain.push((hit.policy, hit.position));
        }
        if hit.standing.unknown() {
            ruling.unknown.push((hit.policy, hit.position));
        }
    }
}

/// The answer in brief. Rules are numbered over the policies that apply, in the order of the pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// The answer.
    pub outcome: Outcome,
    /// Every rule that matched, shadow rules among them, in no particular order: policy, then position in its file.
    pub matched: Places,
    /// Every rule that could not be told.
    pub unknown: SmallVec<[(u16, u32); 4]>,
}

impl Default for Ruling {
    /// What an event comes to that no policy judges.
    fn default() -> Ruling {
        Ruling { outcome: UNJUDGED, matched: Places::new(), unknown: SmallVec::new() }
    }
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
pub(crate) type Asking<'a> = fn(&Scene<'a>, &'a Index, Policies<'a>, &mut Found<'a, '_>);

/// Asks the rules, and says what follows from them.
pub(crate) fn judge<'a>(mut scene: Scene<'a>, asked: Asking<'a>) -> Judged<'a> {
    let Some((policies, index)) = scene.program.judges(scene.located.event.id) else {
        return Judged { scene, policies: None, hits: Hits::new(), decided: Answers::new() };
    };
    let (mut hits, mut leads) = (Hits::new(), vec![Leads::default(); policies.len()]);
    let mut found = Found { plain: &mut Places::new(), leads: &mut leads, hits: &mut hits };
    asked(&scene, index, policies, &mut found);
    settle(&mut scene, policies, &mut found);
    let decided = (0..policies.len()).filter_map(|number| answer_of(policies, number, &found)).collect();
    found.gather(policies);
    Judged { scene, policies: Some(policies), hits, decided }
}

/// The strictest answer of all policies. Scripts run last, and only while the answer can still change.
#[inline]
fn settle<'a>(scene: &mut Scene<'a>, policies: Policies<'a>, found: &mut Found<'a, '_>) -> Outcome {
    let outcome = strictest(policies, found);
    if !found.hits.iter().any(|hit| hit.standing == Standing::Waiting) {
        return outcome;
    }
    if outcome < Outcome::Block {
        scene.scripts_run = true;
        found.ask_again(scene);
        return strictest(policies, found);
    }
    // Nothing is stricter than a block: these rules are not asked any more.
    for hit in found.hits.iter_mut().filter(|hit| hit.standing == Standing::Waiting) {
        hit.standing = Standing::NotAsked;
    }
    outcome
}

#[inline]
fn strictest<'a>(policies: Policies<'a>, found: &Found<'a, '_>) -> Outcome {
    let mut strictest = None;
    for number in 0..policies.len() {
        strictest = strictest.max(outcome_of(policies, number, found));
    }
    strictest.unwrap_or(UNJUDGED)
}

/// The outcome alone, which needs no counting if all rules that were found simply match.
#[inline]
fn outcome_of<'a>(policies: Policies<'a>, number: usize, found: &Found<'a, '_>) -> Option<Outcome> {
    let (leads, policy) = (found.leads.get(number)?, policies.get(u16::try_from(number).ok()?)?);
    let strictest = match policy.combine {
        Combine::Strictest if found.hits.is_empty() => leads.strictest(),
        Combine::FirstMatch if found.hits.is_empty() => leads.first().outcome(),
        Combine::Strictest | Combine::FirstMatch | Combine::Score(_) => {
            return Some(answer_of(policies, number, found)?.outcome);
        }
    };
    strictest.or_else(|| policy.default.outcome()).or(Some(UNJUDGED))
}

fn answer_of<'a>(policies: Policies<'a>, number: usize, found: &Found<'a, '_>) -> Option<Decided<'a>> {
    let (leads, number) = (found.leads.get(number)?, u16::try_from(number).ok()?);
    Some(answer(number, policies.get(number)?, leads, found.hits, false))
}
