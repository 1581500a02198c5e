//! All structures kept by the same keys.

use smallvec::SmallVec;

use super::{
    super::{
        atom::{self, Key},
        hashing::Hashing,
        observation::Observed,
        plan::EventKind,
        position::{Lost, Position},
    },
    answer::Asking,
    layout::{Ask, GroupPlan},
    shelf::{Quota, Shelf},
    track::{Brought, Track, bring},
};
use crate::maybe::{Maybe, Why};

/// What is kept under each key of a group: its structures, in the order of the plan.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub keys: Shelf<Box<[Track]>>,
    /// What each structure has missed before it existed.
    pub hidden: Vec<Lost>,
}

/// Parts of an event by structure of the group.
type Parts = SmallVec<[Option<Brought>; 4]>;

/// An event's key, with its hash.
pub(super) type Hashed = (u64, Key);

impl Group {
    /// An empty group; events up to `hidden` may be missing.
    pub fn new(plan: &GroupPlan, hidden: Lost) -> Group {
        Group { keys: Shelf::new(), hidden: vec![hidden; plan.tracks.len()] }
    }

    /// Answers what the event asks of this group, and keeps nothing.
    pub fn answer(
        &self,
        plan: &GroupPlan,
        hashing: &Hashing,
        asking: &Asking<'_>,
        quota: Quota,
        observed: &mut Observed,
    ) {
        let Some((_, key)) = key(plan, hashing, asking, Some(&mut *observed)) else { return };
        let parts = parts(plan, asking);
        let feeds = parts.iter().any(Option::is_some);
        match self.keys.get(hashing, &key) {
            Some(slot) => read(plan, asking, &slot.value, &parts, observed),
            None if feeds && !self.keys.has_room(hashing, quota) => refuse(plan, asking, Why::Quota, observed),
            None => read(plan, asking, &fresh(plan, &self.hidden, self.keys.missed), &parts, observed),
        }
    }

    /// Looks at what is kept under the key of an event that is about to be observed.
    pub fn warm(&self, (hash, key): &Hashed) {
        self.keys.warm(*hash, key, |tracks| tracks.iter().fold(0, |all, track| all ^ track.warm()));
    }

    /// Answers what the event asks, if anybody wants to know, then takes it in. Returns whether it is pending in some
    /// structure.
    pub fn observe(
        &mut self,
        plan: &GroupPlan,
        hashing: &Hashing,
        asking: &Asking<'_>,
        (hash, key): &Hashed,
        quota: Quota,
        observed: Option<&mut Observed>,
    ) -> bool {
        let parts = parts(plan, asking);
        if parts.iter().all(Option::is_none) {
            if let Some(observed) = observed {
                match self.keys.get(hashing, key) {
                    Some(slot) => read(plan, asking, &slot.value, &parts, observed),
                    None => read(plan, asking, &fresh(plan, &self.hidden, self.keys.missed), &parts, observed),
                }
            }
            return false;
        }
        let hidden = &self.hidden;
        let slot = self.keys.take_in(hashing, (*hash, key), asking.at, quota, |missed| fresh(plan, hidden, missed));
        let Some(slot) = slot else {
            if let Some(observed) = observed {
                refuse(plan, asking, Why::Quota, observed);
            }
            return false;
        };
        let tracks = &mut slot.value;
        if let Some(observed) = observed {
            read(plan, asking, tracks, &parts, observed);
        }
        slot.newest = slot.newest.max(asking.at.at);
        let horizon = Position::opening(slot.newest.saturating_sub(plan.stay));
        let most_pending = plan.most_pending;
        let mut pending = false;
        for ((track, plan), part) in tracks.iter_mut().zip(&plan.tracks).zip(parts) {
            if let Some(brought) = part {
                pending |= track.append(plan, asking.at, brought, asking.status, most_pending);
                track.purge(plan, horizon);
            }
        }
        pending
    }
}

/// What the event brings to each structure.
fn parts(plan: &GroupPlan, asking: &Asking<'_>) -> Parts {
    plan.tracks.iter().map(|track| bring(track, asking.event)).collect()
}

/// The event's key with its hash. `None` if the group has nothing to do with the event, or the event has no key, which
/// is answered.
pub(super) fn key(
    plan: &GroupPlan,
    hashing: &Hashing,
    asking: &Asking<'_>,
    observed: Option<&mut Observed>,
) -> Option<Hashed> {
    let kind = asking.event.kind;
    let takes = plan.tracks.iter().any(|track| track.feed.takes(kind));
    if !takes && !plan.asks.iter().any(|ask| ask.asked_by(kind)) {
        return None;
    }
    match atom::key(&asking.event.fields, &plan.fields) {
        Ok(key) => Some((hashing.of(key.as_slice()), key)),
        Err(why) => {
            if let Some(observed) = observed {
                refuse(plan, asking, why, observed);
            }
            None
        }
    }
}

/// Structures for a new key.
fn fresh(plan: &GroupPlan, hidden: &[Lost], missed: Lost) -> Box<[Track]> {
    let wider = |hidden: &Lost| if hidden.upto >= missed.upto { *hidden } else { missed };
    plan.tracks.iter().zip(hidden).map(|(track, hidden)| Track::new(track, wider(hidden))).collect()
}

fn refuse(plan: &GroupPlan, asking: &Asking<'_>, why: Why, observed: &mut Observed) {
    for ask in asked(plan, asking.event.kind) {
        match ask {
            Ask::Window { slot, .. } => set(&mut observed.windows, *slot, Maybe::Unknown(why)),
            Ask::Seen { slot, .. } => set(&mut observed.seen, *slot, Maybe::Unknown(why)),
        }
    }
}

fn read(plan: &GroupPlan, asking: &Asking<'_>, tracks: &[Track], parts: &[Option<Brought>], observed: &mut Observed) {
    for ask in asked(plan, asking.event.kind) {
        match ask {
            Ask::Window { slot, spec, track, anchor, .. } => {
                let anchor = anchor.and_then(|anchor| tracks.get(anchor));
                let (Some(kept), Some(track_plan)) = (tracks.get(*track), plan.tracks.get(*track)) else { continue };
                let start = asking.start(spec.window, anchor);
                let answer = start.and_then(|start| {
                    set(&mut observed.starts, *slot, start.time);
                    let this = if spec.including_this { parts.get(*track).and_then(Option::as_ref) } else { None };
                    asking.aggregate(spec, track_plan, kept, start, this)
                });
                set(&mut observed.windows, *slot, answer.map_or_else(Maybe::Unknown, Maybe::Known));
            }
            Ask::Seen { slot, spec, track, .. } => {
                let (Some(kept), Some(track_plan)) = (tracks.get(*track), plan.tracks.get(*track)) else { continue };
                let answer = asking.appearance(spec, track_plan, kept);
                set(&mut observed.seen, *slot, answer.map_or_else(Maybe::Unknown, Maybe::Known));
            }
        }
    }
}

fn asked(plan: &GroupPlan, kind: EventKind) -> impl Iterator<Item = &Ask> {
    plan.asks.iter().filter(move |ask| ask.asked_by(kind))
}

fn set<T>(slots: &mut [T], slot: usize, value: T) {
    if let Some(place) = slots.get_mut(slot) {
        *place = value;
    }
}
