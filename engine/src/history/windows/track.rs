//! One structure under one key, with its undecided events beside it.

use super::{
    super::{
        atom::{self, Atom},
        number::{self, Number},
        observation::{Observation, in_flight},
        plan::FieldRef,
        position::{Lost, Position, Reach},
    },
    amounts::Amounts,
    extremes::Extremes,
    layout::{TrackPlan, What},
    times::{Run, Times},
    values::Values,
};
use crate::{
    maybe::{Maybe, Why},
    status::Status,
    tri::Tri,
};

/// What a structure keeps, and what it may have missed.
#[derive(Clone, Debug, Default)]
pub(in crate::history) struct Track {
    pub kept: Kept,
    /// What was seen and dropped, because no threshold needs it.
    pub dropped: Lost,
    waiting: Option<Box<Waiting>>,
}

/// Events whose status can still change whether they count. They are merged in at every reading, so none is ever
/// un-counted, and take no room from those that are decided.
#[derive(Clone, Debug, Default)]
struct Waiting {
    pending: Vec<Pending>,
}

#[derive(Clone, Debug)]
pub(in crate::history) enum Kept {
    Times(Times),
    Appearances(Box<(Times, Run)>),
    Values(Values),
    Amounts(Amounts),
    Extremes(Box<Extremes>),
}

impl Default for Kept {
    fn default() -> Kept {
        Kept::Times(Times::default())
    }
}

#[derive(Clone, Debug)]
struct Pending {
    at: Position,
    content: Content,
    passes: [Tri; 7],
    status: Status,
}

/// What one event brings to a structure.
#[derive(Clone, Debug)]
pub(in crate::history) enum Content {
    /// That it happened.
    Event,
    Value(Atom),
    Number(Number),
    /// A value that could not be found out.
    Unknown(Why),
}

/// An event as a structure takes it.
#[derive(Clone, Debug)]
pub(in crate::history) struct Brought<'a> {
    pub content: Content,
    /// Whether it passes the filter, by status.
    pub passes: &'a [Tri; 7],
}

/// What the event brings to this structure; `None` if it takes no part.
pub(in crate::history) fn bring<'a>(plan: &TrackPlan, event: &'a Observation) -> Option<Brought<'a>> {
    if !plan.feed.takes(event.kind) {
        return None;
    }
    let of_field = |field: FieldRef, read: &dyn Fn(&crate::value::Value) -> Result<Content, Why>| {
        let content = match atom::field(&event.fields, field) {
            Maybe::Known(value) => read(value),
            Maybe::Unknown(why) => Err(why),
        };
        match content {
            Ok(content) => Some(content),
            Err(Why::Absent) => None,
            Err(why) => Some(Content::Unknown(why)),
        }
    };
    let content = match plan.what {
        What::Times | What::Appearances => Content::Event,
        What::Ones => Content::Number(Number { steps: 1, currency: None }),
        What::Values(field) => of_field(field, &|value| atom::atom(value).map(Content::Value).ok_or(Why::Absent))?,
        What::Amounts { field, unit, .. } | What::Greatest(field, unit) | What::Least(field, unit) => {
            of_field(field, &|value| number::number(value, unit).map(Content::Number))?
        }
    };
    Some(Brought { content, passes: passes(plan, event) })
}

/// Whether the event passes the filter of a structure, by status.
pub(super) fn passes<'a>(plan: &TrackPlan, event: &'a Observation) -> &'a [Tri; 7] {
    match plan.filter {
        None => &[Tri::True; 7],
        Some(filter) => event.filters.get(usize::from(filter.0)).unwrap_or(&[Tri::Unknown; 7]),
    }
}

impl Track {
    pub fn new(plan: &TrackPlan, hidden: Lost) -> Track {
        let kept = match plan.what {
            What::Times => Kept::Times(Times::default()),
            What::Appearances => Kept::Appearances(Box::new((Times::default(), Run::new(hidden)))),
            What::Values(_) => Kept::Values(Values::default()),
            What::Ones | What::Amounts { .. } => Kept::Amounts(Amounts::default()),
            What::Greatest(..) => Kept::Extremes(Box::new(Extremes::new(false))),
            What::Least(..) => Kept::Extremes(Box::new(Extremes::new(true))),
        };
        Track { kept, ..Track::default() }
    }

    fn pending(&self) -> &[Pending] {
        self.waiting.as_ref().map_or(&[], |waiting| &waiting.pending)
    }

    /// Takes in an event. Returns whether its status can still change whether it counts.
    pub fn append(
        &mut self,
        plan: &TrackPlan,
        at: Position,
        Brought { content, passes }: &Brought<'_>,
        status: Status,
        most_pending: usize,
    ) -> bool {
        let now = of_status(passes, status);
        if !in_flight(status) || passes.iter().all(|other| *other == now) {
            self.keep(plan, at, content, now);
            return false;
        }
        let pending = &mut self.waiting.get_or_insert_default().pending;
        pending.push(Pending { at, content: content.clone(), passes: **passes, status });
        if pending.len() > most_pending {
            let oldest = pending.iter().enumerate().min_by_key(|(_, pending)| pending.at).map(|(place, _)| place);
            if let Some(place) = oldest {
                self.freeze_at(plan, place);
            }
        }
        true
    }

    /// Changes the status of a pending event; a final one decides whether it counts.
    pub fn settle(&mut self, plan: &TrackPlan, at: Position, status: Status) {
        let Some(waiting) = &mut self.waiting else { return };
        let Some(place) = waiting.pending.iter().position(|pending| pending.at == at) else { return };
        if let Some(pending) = waiting.pending.get_mut(place) {
            pending.status = status;
        }
        if !in_flight(status) {
            let pending = waiting.pending.swap_remove(place);
            let passes = of_status(&pending.passes, status);
            self.keep(plan, at, &pending.content, passes);
        }
    }

    /// Stops waiting for a pending event: whatever may still become of it, answers must hold.
    pub fn freeze(&mut self, plan: &TrackPlan, at: Position) {
        if let Some(place) = self.pending().iter().position(|pending| pending.at == at) {
            self.freeze_at(plan, place);
        }
    }

    fn freeze_at(&mut self, plan: &TrackPlan, place: usize) {
        let Some(waiting) = &mut self.waiting else { return };
        let pending = waiting.pending.swap_remove(place);
        let now = of_status(&pending.passes, pending.status);
        let settled = pending.passes.iter().all(|other| *other == now);
        self.keep(plan, pending.at, &pending.content, if settled { now } else { Tri::Unknown });
    }

    /// Keeps an event that counts, or may.
    pub fn keep(&mut self, plan: &TrackPlan, at: Position, content: &Content, passes: Tri) {
        let certain = match passes {
            Tri::True => true,
            Tri::Unknown => false,
            Tri::False => return,
        };
        let (entries, dropped) = (plan.keep.entries, &mut self.dropped);
        match (&mut self.kept, content) {
            (Kept::Times(times), Content::Event) => times.insert(at, certain, entries, dropped),
            (Kept::Appearances(appearances), Content::Event) => {
                let (times, run) = &mut **appearances;
                times.insert(at, certain, entries, dropped);
                run.insert(at, plan.span);
            }
            (Kept::Values(values), Content::Value(atom)) => values.insert(at, atom, certain, entries, dropped),
            (Kept::Values(values), Content::Unknown(_)) => values.insert_unknown(at, entries, dropped),
            (Kept::Amounts(amounts), Content::Number(number)) => {
                amounts.insert(at, *number, certain, plan.keep.room(plan.what), dropped);
            }
            (Kept::Amounts(amounts), Content::Unknown(why)) => amounts.insert_unknown(at, *why),
            (Kept::Extremes(extremes), Content::Number(number)) => {
                extremes.insert(at, *number, certain, entries, dropped);
            }
            (Kept::Extremes(extremes), Content::Unknown(why)) => extremes.insert_unknown(at, *why),
            // `bring` made the content for this structure.
            (Kept::Times(_) | Kept::Appearances(..) | Kept::Values(_) | Kept::Amounts(_) | Kept::Extremes(_), _) => {}
        }
    }

    /// Lets go of what has left every window for good, so that it takes no room from what has not.
    pub fn purge(&mut self, plan: &TrackPlan, horizon: Position) {
        while let Some(place) = self.pending().iter().position(|pending| pending.at < horizon) {
            match (&self.kept, &mut self.waiting) {
                (Kept::Times(_) | Kept::Appearances(..) | Kept::Values(_), Some(waiting)) => {
                    let pending = waiting.pending.swap_remove(place);
                    self.dropped.extend(pending.at, Why::Saturated);
                }
                // These remember more of what they drop than where it stood.
                (Kept::Amounts(_) | Kept::Extremes(_), _) | (_, None) => self.freeze_at(plan, place),
            }
        }
        match &mut self.kept {
            Kept::Times(times) => times.purge(horizon, &mut self.dropped),
            Kept::Amounts(amounts) => amounts.purge(horizon, &mut self.dropped),
            // The first appearance is asked for beyond any window.
            Kept::Appearances(_) | Kept::Values(_) | Kept::Extremes(_) => {}
        }
    }

    /// Pending events in reach, and the event being judged, with what is known of whether each counts.
    pub fn loose<'a>(
        &'a self,
        reach: &'a Reach,
        this: Option<(&'a Brought<'a>, Status)>,
    ) -> impl Iterator<Item = (&'a Content, Tri)> + Clone {
        let pending = self.pending().iter().filter(move |pending| reach.contains(pending.at));
        let pending = pending.map(|pending| (&pending.content, of_status(&pending.passes, pending.status)));
        let this = this.map(|(brought, status)| (&brought.content, of_status(brought.passes, status)));
        pending.chain(this).filter(|(_, passes)| !passes.is_false())
    }

    /// Entries kept, pending ones apart.
    pub fn len(&self) -> (usize, usize) {
        let kept = match &self.kept {
            Kept::Times(times) => times.len(),
            Kept::Appearances(appearances) => appearances.0.len(),
            Kept::Values(values) => values.len(),
            Kept::Amounts(amounts) => amounts.len(),
            Kept::Extremes(extremes) => extremes.len(),
        };
        (kept, self.pending().len())
    }

    /// What it takes beyond its own size, in bytes.
    pub fn heap(&self) -> usize {
        let kept = match &self.kept {
            Kept::Times(times) => times.heap(),
            Kept::Appearances(appearances) => size_of::<(Times, Run)>() + appearances.0.heap(),
            Kept::Values(values) => values.heap(),
            Kept::Amounts(amounts) => amounts.heap(),
            Kept::Extremes(extremes) => extremes.heap(),
        };
        kept + self
            .waiting
            .as_ref()
            .map_or(0, |waiting| size_of::<Waiting>() + waiting.pending.capacity() * size_of::<Pending>())
    }
}

/// Whether an event of this status passes.
pub(super) fn of_status(passes: &[Tri; 7], status: Status) -> Tri {
    passes.get(status.index()).copied().unwrap_or(Tri::Unknown)
}
