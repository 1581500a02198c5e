//! A new pack takes over what it still needs of the old one's history.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use smallvec::SmallVec;

use super::{
    super::{
        limits::Limits,
        observation::Observation,
        plan::{EventKind, FieldRef, HistoryPlan},
        position::Lost,
    },
    History, TOGETHER,
    answer::serves,
    group::{Group, Missing, opened},
    layout::{Feed, GroupPlan, Layout, TrackPlan, What},
    shelf::Shelf,
    track::Track,
    warming,
};

impl History {
    /// A history rebuilt from journalled events, in any order, under a plan. Before `known_since` events may be
    /// missing from the journal; `None` says that it is complete.
    pub fn rebuild<'a>(
        plan: Arc<HistoryPlan>,
        limits: Limits,
        known_since: Option<Timestamp>,
        events: impl IntoIterator<Item = &'a Observation>,
    ) -> History {
        let mut history = match known_since {
            Some(since) => History::warming(plan, limits, since),
            None => History::new(plan, limits),
        };
        let mut events = events.into_iter();
        loop {
            let together: SmallVec<[&Observation; TOGETHER]> = events.by_ref().take(TOGETHER).collect();
            if together.is_empty() {
                return history;
            }
            history.remember_all(&together);
        }
    }

    /// Goes on under a new plan. What both plans keep alike (the same events, filter, keys and field, by name, with a
    /// threshold and a reach no larger than before) goes over as it is; everything else starts empty and says
    /// `warming_up` where it reaches back before `now`. Where the journal is at hand, [`History::rebuild`] knows more.
    pub fn replan(&mut self, plan: Arc<HistoryPlan>, now: Timestamp) {
        let layout = Layout::of(&plan, &self.limits);
        let hidden = warming(now);
        let old_names: Vec<Vec<Arc<str>>> =
            self.layout.groups.iter().map(|group| field_names(&self.plan, &group.fields)).collect();
        let mut moved: HashMap<usize, usize> = HashMap::new();
        let mut groups = Vec::new();
        for (place, wanted) in layout.groups.iter().enumerate() {
            let names = field_names(&plan, &wanted.fields);
            let old_place = old_names.iter().position(|other| *other == names);
            let old = old_place.and_then(|old| Some((old, self.layout.groups.get(old)?, self.groups.get_mut(old)?)));
            groups.push(match old {
                None => Group::new(wanted, hidden),
                Some((old_place, old_plan, old)) => {
                    moved.insert(old_place, place);
                    let from = sources(&self.plan, old_plan, &plan, wanted);
                    let old = std::mem::replace(old, Group::new(old_plan, hidden));
                    take_over(old, old_plan, wanted, &from, hidden)
                }
            });
        }
        for event in self.ledger.undecided_mut() {
            event.pending_in.retain_mut(|(place, _)| match moved.get(place) {
                Some(new) => {
                    *place = *new;
                    true
                }
                None => false,
            });
        }
        if plan.anchors && !self.plan.anchors {
            self.users_hidden = hidden;
        }
        if plan.anchors != self.plan.anchors {
            self.users = plan.anchors.then(Shelf::new);
        }
        (self.plan, self.layout, self.groups) = (plan, layout, groups);
    }
}

/// For each structure of the new group, the one of the old group that can serve it.
fn sources(old: &HistoryPlan, old_group: &GroupPlan, new: &HistoryPlan, new_group: &GroupPlan) -> Vec<Option<usize>> {
    let serves = |kept: &TrackPlan, wanted: &TrackPlan| {
        serves(kept.keep, wanted.keep) && kept.span >= wanted.span && identity(old, kept) == identity(new, wanted)
    };
    new_group.tracks.iter().map(|wanted| old_group.tracks.iter().position(|kept| serves(kept, wanted))).collect()
}

fn take_over(old: Group, old_plan: &GroupPlan, plan: &GroupPlan, from: &[Option<usize>], hidden: Lost) -> Group {
    let Group { mut keys, hidden: old_hidden } = old;
    let of_old = |place: &Option<usize>| place.and_then(|place| old_hidden.get(place).copied()).unwrap_or(hidden);
    let new_hidden: Vec<Lost> = from.iter().map(of_old).collect();
    // A log has its columns in the order of the structures, so it goes over where they are the same.
    let alike = plan.log == old_plan.log && from.iter().enumerate().all(|(place, from)| *from == Some(place));
    keys.convert(|row, aside| {
        if alike && aside.is_none() {
            return None;
        }
        let missing = Missing { hidden: &old_hidden, missed: &row.missed() };
        let mut tracks = opened(old_plan, missing, row, aside);
        let mut take = |place: &Option<usize>| Some(std::mem::take(tracks.get_mut((*place)?)?));
        let tracks = from.iter().zip(&plan.tracks);
        Some(tracks.map(|(place, plan)| take(place).unwrap_or_else(|| Track::new(plan, hidden))).collect())
    });
    Group { keys, hidden: new_hidden }
}

fn field_names(plan: &HistoryPlan, fields: &[FieldRef]) -> Vec<Arc<str>> {
    fields.iter().map(|field| field_name(plan, *field)).collect()
}

fn field_name(plan: &HistoryPlan, field: FieldRef) -> Arc<str> {
    plan.fields.get(usize::from(field.0)).cloned().unwrap_or_default()
}

/// What a structure takes and keeps, by the names that stay the same from pack to pack.
fn identity(plan: &HistoryPlan, track: &TrackPlan) -> (String, Option<Arc<str>>, String) {
    let feed = match track.feed {
        Feed::Only(EventKind::Action(id)) => {
            format!("action {}", plan.actions.get(usize::from(id.0)).map_or("", |name| name))
        }
        Feed::Only(kind) => format!("{kind:?}"),
        Feed::AnyAction => "any action".to_owned(),
    };
    let filter = track.filter.map(|filter| plan.filters.get(usize::from(filter.0)).cloned().unwrap_or_default());
    let what = match track.what {
        What::Times => "times".to_owned(),
        What::Appearances => "appearances".to_owned(),
        What::Ones => "ones".to_owned(),
        What::Values(field) => format!("values of {}", field_name(plan, field)),
        What::Amounts { field, unit, distinct, for_sums } => {
            format!("amounts of {} {unit:?} {distinct} {for_sums}", field_name(plan, field))
        }
        What::Greatest(field, unit) => format!("greatest {} {unit:?}", field_name(plan, field)),
        What::Least(field, unit) => format!("least {} {unit:?}", field_name(plan, field)),
    };
    (feed, filter, what)
}
