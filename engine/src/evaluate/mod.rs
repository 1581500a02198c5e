//! From signals to a verdict: every rule asked, outcomes combined, challenge and effects put together.
//!
//! Pure and total: the same program and signals always give the same verdict, and there always is one.

mod arithmetic;
mod cause;
mod combine;
mod hits;
mod scene;

use std::{borrow::Cow, sync::Arc};

pub(crate) use scene::{Lists, Reading, Scene, zone_named};

use crate::{
    event::Event,
    outcome::Outcome,
    program::{Policy, Program},
    signals::{Located, Signals},
    verdict::Verdict,
};
pub(crate) use combine::{Decided, Judged};
pub(crate) use hits::{RuleResult, Standing, ask_rules};

/// Judges an event by every policy that applies to it.
#[must_use]
pub fn evaluate(program: &Program, signals: &Signals) -> Verdict {
    let located = in_layout(program, &signals.located);
    let scene = scene(program, signals, &located);
    let judged = judge(scene);
    combine::verdict(&judged)
}

/// The scene of recorded or fresh signals.
pub(crate) fn scene<'a>(program: &'a Program, signals: &'a Signals, located: &'a Located) -> Scene<'a> {
    let lists = Lists::Answered(&signals.listed);
    Scene { recorded_scripts: &signals.scripts, ..Scene::new(program, located, Some(&signals.observed), lists) }
}

/// Signals from the audit log carry their fields by name; the program reads them by slot.
pub(crate) fn in_layout<'a>(program: &Program, located: &'a Located) -> Cow<'a, Located> {
    if located.event.fields.lies_in(&program.slots) {
        return Cow::Borrowed(located);
    }
    let fields = located.event.fields.moved_to(&program.slots);
    let id = program.actions.get(&located.event.action).copied().unwrap_or(crate::event::UNDECLARED);
    let event = Arc::new(Event { fields, id, ..Event::clone(&located.event) });
    Cow::Owned(Located { event, ..located.clone() })
}

/// Asks every rule of every policy that applies. Scripts run last, and only while the answer can still change.
pub(crate) fn judge(mut scene: Scene<'_>) -> Judged<'_> {
    let policies: Vec<&Policy> = scene.program.policies_for(scene.located.event.id).collect();
    let mut results: Vec<Vec<RuleResult<'_>>> = policies.iter().map(|policy| ask_rules(&scene, policy)).collect();
    let waiting = results.iter().flatten().any(|result| result.standing == Standing::Waiting);
    if waiting {
        let so_far = combine::outcome_of(&scene, &policies, &results);
        if so_far < Outcome::Block {
            scene.scripts_run = true;
            results = policies.iter().map(|policy| ask_rules(&scene, policy)).collect();
        } else {
            // Nothing is stricter than a block: these rules are not asked any more.
            for result in results.iter_mut().flatten().filter(|result| result.standing == Standing::Waiting) {
                result.standing = Standing::NotAsked;
            }
        }
    }
    let decided =
        policies.iter().zip(&results).map(|(policy, results)| combine::decide(policy, results, false)).collect();
    Judged { scene, policies, results, decided }
}
