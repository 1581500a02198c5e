//! One structure under one key, with its undecided events beside it.

use smallvec::SmallVec;

use super::{
    super::{
        atom::{self, Atom},
        number::{self, Number},
        observation::{Observation, in_flight},
        plan::FieldRef,
        position::{Gaps, Lost, Position, Reach},
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
#[derive(Clone, Debug)]
pub(in crate::history) struct Track {
    pub kept: Kept,
    pub gaps: Gaps,
    /// Events whose status can still change whether they count. They are merged in at every reading, so none is ever
    /// un-counted, and take no room from those that are decided.
    pending: Vec<Pending>,
}

#[derive(Clone, Debug)]
pub(in crate::history) enum Kept {
    Times(Times),
    Appearances(Times, Run),
    Values(Values),
    Amounts(Amounts),
    Extremes(Extremes),
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
pub(in crate::history) struct Brought {
    pub content: Content,
    pub passes: [Tri; 7],
}

/// What the event brings to this structure; `None` if it takes no part.
pub(in crate::history) fn bring(plan: &TrackPlan, event: &Observation) -> Option<Brought> {
    if !plan.feed.takes(event.kind) {
        return None;
    }
    let passes = match plan.filter {
        None => [Tri::True; 7],
        Some(filter) => event.filters.get(usize::from(filter.0)).copied().unwrap_or([Tri::Unknown; 7]),
    };
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
    Some(Brought { content, passes })
}

impl Track {
    pub fn new(plan: &TrackPlan, hidden: Lost) -> Track {
        let kept = match plan.what {
            What::Times => Kept::Times(Times::default()),
            What::Appearances => Kept::Appearances(Times::default(), Run::new(hidden)),
            What::Values(_) => Kept::Values(Values::default()),
            What::Ones | What::Amounts { .. } => Kept::Amounts(Amounts::default()),
            What::Greatest(..) => Kept::Extremes(Extremes::new(false)),
            What::Least(..) => Kept::Extremes(Extremes::new(true)),
        };
        Track { kept, gaps: Gaps { hidden, dropped: Lost::NOTHING }, pending: Vec::new() }
    }

    /// Looks at every part that answering and taking in will look at.
    pub fn warm(&self) -> i64 {
        let kept = match &self.kept {
            Kept::Times(times) | Kept::Appearances(times, _) => times.warm(),
            Kept::Values(values) => values.warm(),
            Kept::Amounts(amounts) => amounts.warm(),
            Kept::Extremes(_) => 0,
        };
        kept ^ self.gaps.dropped.upto.at ^ self.pending.len() as i64
    }

    /// Takes in an event. Returns whether its status can still change whether it counts.
    pub fn append(
        &mut self,
        plan: &TrackPlan,
        at: Position,
        brought: Brought,
        status: Status,
        most_pending: usize,
    ) -> bool {
        let Brought { content, passes } = brought;
        let now = of_status(&passes, status);
        if !in_flight(status) || passes.iter().all(|other| *other == now) {
            self.keep(plan, at, content, now);
            return false;
        }
        self.pending.push(Pending { at, content, passes, status });
        if self.pending.len() > most_pending {
            let oldest = self.pending.iter().enumerate().min_by_key(|(_, pending)| pending.at).map(|(place, _)| place);
            if let Some(place) = oldest {
                self.freeze_at(plan, place);
            }
        }
        true
    }

    /// Changes the status of a pending event; a final one decides whether it counts.
    pub fn settle(&mut self, plan: &TrackPlan, at: Position, status: Status) {
        let Some(place) = self.pending.iter().position(|pending| pending.at == at) else { return };
        if let Some(pending) = self.pending.get_mut(place) {
            pending.status = status;
        }
        if !in_flight(status) {
            let pending = self.pending.swap_remove(place);
            let passes = of_status(&pending.passes, status);
            self.keep(plan, at, pending.content, passes);
        }
    }

    /// Stops waiting for a pending event: whatever may still become of it, answers must hold.
    pub fn freeze(&mut self, plan: &TrackPlan, at: Position) {
        if let Some(place) = self.pending.iter().position(|pending| pending.at == at) {
            self.freeze_at(plan, place);
        }
    }

    fn freeze_at(&mut self, plan: &TrackPlan, place: usize) {
        let pending = self.pending.swap_remove(place);
        let now = of_status(&pending.passes, pending.status);
        let settled = pending.passes.iter().all(|other| *other == now);
        self.keep(plan, pending.at, pending.content, if settled { now } else { Tri::Unknown });
    }

    fn keep(&mut self, plan: &TrackPlan, at: Position, content: Content, passes: Tri) {
        let certain = match passes {
            Tri::True => true,
            Tri::Unknown => false,
            Tri::False => return,
        };
        let (entries, dropped) = (plan.keep.entries, &mut self.gaps.dropped);
        match (&mut self.kept, content) {
            (Kept::Times(times), Content::Event) => times.insert(at, certain, entries, dropped),
            (Kept::Appearances(times, run), Content::Event) => {
                times.insert(at, certain, entries, dropped);
                run.insert(at, plan.span);
            }
            (Kept::Values(values), Content::Value(atom)) => values.insert(at, atom, certain, entries, dropped),
            (Kept::Values(values), Content::Unknown(_)) => values.insert_unknown(at, entries, dropped),
            (Kept::Amounts(amounts), Content::Number(number)) => {
                amounts.insert(at, number, certain, plan.keep.room(plan.what), &mut self.gaps);
            }
            (Kept::Amounts(amounts), Content::Unknown(why)) => amounts.insert_unknown(at, why),
            (Kept::Extremes(extremes), Content::Number(number)) => {
                extremes.insert(at, number, certain, entries, dropped);
            }
            (Kept::Extremes(extremes), Content::Unknown(why)) => extremes.insert_unknown(at, why),
            // `bring` made the content for this structure.
            (Kept::Times(_) | Kept::Appearances(..) | Kept::Values(_) | Kept::Amounts(_) | Kept::Extremes(_), _) => {}
        }
    }

    /// Lets go of what has left every window for good, so that it takes no room from what has not.
    pub fn purge(&mut self, plan: &TrackPlan, horizon: Position) {
        while let Some(place) = self.pending.iter().position(|pending| pending.at < horizon) {
            match &self.kept {
                Kept::Times(_) | Kept::Appearances(..) | Kept::Values(_) => {
                    let pending = self.pending.swap_remove(place);
                    self.gaps.dropped.extend(pending.at, Why::Saturated);
                }
                // These remember more of what they drop than where it stood.
                Kept::Amounts(_) | Kept::Extremes(_) => self.freeze_at(plan, place),
            }
        }
        if let Kept::Amounts(amounts) = &mut self.kept {
            amounts.purge(horizon, &mut self.gaps);
        }
    }

    /// Pending events in reach, and the event being judged, with what is known of whether each counts.
    pub fn loose<'a>(&'a self, reach: Reach, this: Option<(&'a Brought, Status)>) -> SmallVec<[(&'a Content, Tri); 4]> {
        let pending = self.pending.iter().filter(|pending| reach.contains(pending.at));
        let mut loose: SmallVec<[(&Content, Tri); 4]> =
            pending.map(|pending| (&pending.content, of_status(&pending.passes, pending.status))).collect();
        if let Some((brought, status)) = this {
            loose.push((&brought.content, of_status(&brought.passes, status)));
        }
        loose.retain(|(_, passes)| !passes.is_false());
        loose
    }

    /// Entries kept, pending ones apart.
    pub fn len(&self) -> (usize, usize) {
        let kept = match &self.kept {
            Kept::Times(times) | Kept::Appearances(times, _) => times.len(),
            Kept::Values(values) => values.len(),
            Kept::Amounts(amounts) => amounts.len(),
            Kept::Extremes(extremes) => extremes.len(),
        };
        (kept, self.pending.len())
    }

    pub fn bytes(&self) -> usize {
        let kept = match &self.kept {
            Kept::Times(times) | Kept::Appearances(times, _) => times.heap(),
            Kept::Values(values) => values.heap(),
            Kept::Amounts(amounts) => amounts.heap(),
            Kept::Extremes(extremes) => extremes.bytes(),
        };
        size_of::<Track>() + kept + self.pending.capacity() * size_of::<Pending>()
    }
}

fn of_status(passes: &[Tri; 7], status: Status) -> Tri {
    passes.get(status.index()).copied().unwrap_or(Tri::Unknown)
}
