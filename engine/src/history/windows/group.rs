//! All structures kept by the same keys.

use jiff::Timestamp;
use smallvec::SmallVec;

use super::{
    super::{
        atom,
        hashing::Hashing,
        observation::{Observation, Observed},
        plan::EventKind,
        position::{Gaps, Lost, Position},
    },
    answer::{Asking, Held},
    layout::{Ask, GroupPlan},
    shelf::{Hashed, Quota, Shelf},
    track::{Brought, Track, bring},
};
use crate::maybe::{Maybe, Why};

/// What is kept under each key of a group: its structures, in the order of the plan.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub keys: Shelf<Track>,
    /// What each structure has missed before it existed.
    pub hidden: Vec<Lost>,
}

/// What is kept under one key.
#[derive(Clone, Copy)]
struct Tracks<'a> {
    tracks: &'a [Track],
    hidden: &'a [Lost],
    /// What the key has missed.
    missed: &'a Lost,
}

/// Parts of an event by structure of the group.
type Parts<'a> = SmallVec<[Option<Brought<'a>>; 4]>;

impl Group {
    /// An empty group; events up to `hidden` may be missing.
    pub fn new(plan: &GroupPlan, hidden: Lost) -> Group {
        Group { keys: Shelf::new(plan.tracks.len()), hidden: vec![hidden; plan.tracks.len()] }
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
        let key = match key(plan, hashing, asking.event) {
            Some(Ok(key)) => key,
            Some(Err(why)) => return refuse(plan, asking, why, observed),
            None => return,
        };
        let parts = parts(plan, asking);
        let feeds = parts.iter().any(Option::is_some);
        if feeds && self.keys.get(&key).is_none() && !self.keys.has_room(quota) {
            refuse(plan, asking, Why::Quota, observed);
        } else {
            self.read(plan, asking, &key, &parts, observed);
        }
    }

    /// Answers from what is kept under the key, or from nothing.
    fn read(
        &self,
        plan: &GroupPlan,
        asking: &Asking<'_>,
        key: &Hashed,
        parts: &[Option<Brought<'_>>],
        observed: &mut Observed,
    ) {
        match self.keys.get(key) {
            Some((head, tracks)) => {
                read(plan, asking, Tracks { tracks, hidden: &self.hidden, missed: &head.missed }, parts, observed);
            }
            None => {
                let missed = &self.keys.missed;
                let tracks: Vec<Track> = fresh(plan, &self.hidden, *missed).collect();
                read(plan, asking, Tracks { tracks: &tracks, hidden: &self.hidden, missed }, parts, observed);
            }
        }
    }

    /// Answers what the event asks, if anybody wants to know, then takes it in. Returns whether it is pending in some
    /// structure.
    pub fn observe(
        &mut self,
        plan: &GroupPlan,
        asking: &Asking<'_>,
        key: &Hashed,
        quota: Quota,
        observed: Option<&mut Observed>,
    ) -> bool {
        let parts = parts(plan, asking);
        if parts.iter().all(Option::is_none) {
            if let Some(observed) = observed {
                self.read(plan, asking, key, &parts, observed);
            }
            return false;
        }
        let hidden = &self.hidden;
        let Some((head, tracks)) = self.keys.take_in(key, asking.at, quota, |missed| fresh(plan, hidden, missed))
        else {
            if let Some(observed) = observed {
                refuse(plan, asking, Why::Quota, observed);
            }
            return false;
        };
        if let Some(observed) = observed {
            read(plan, asking, Tracks { tracks, hidden, missed: &head.missed }, &parts, observed);
        }
        head.newest = head.newest.max(asking.at);
        let horizon = Position::opening(head.newest.at.saturating_sub(plan.stay));
        let mut pending = false;
        for ((track, track_plan), part) in tracks.iter_mut().zip(&plan.tracks).zip(&parts) {
            if let Some(brought) = part {
                pending |= track.append(track_plan, asking.at, brought, asking.status, plan.most_pending);
                track.purge(track_plan, horizon);
            }
        }
        pending
    }
}

impl<'a> Tracks<'a> {
    fn get(self, place: usize) -> Option<Held<'a>> {
        let (track, hidden) = (self.tracks.get(place)?, self.hidden.get(place)?);
        Some(Held { track, gaps: Gaps { hidden: hidden.wider(self.missed), dropped: &track.dropped } })
    }
}

/// What the event brings to each structure.
fn parts<'a>(plan: &GroupPlan, asking: &Asking<'a>) -> Parts<'a> {
    let mut parts = Parts::new();
    for track in &plan.tracks {
        parts.push(bring(track, asking.event));
    }
    parts
}

/// The event's key with its hash, or why it has none. `None` if the group has nothing to do with the event.
pub(super) fn key(plan: &GroupPlan, hashing: &Hashing, event: &Observation) -> Option<Result<Hashed, Why>> {
    let takes = plan.tracks.iter().any(|track| track.feed.takes(event.kind));
    if !takes && !plan.asks.iter().any(|ask| ask.asked_by(event.kind)) {
        return None;
    }
    Some(atom::key(&event.fields, &plan.fields).map(|key| hashing.key(key)))
}

/// Answers an event that has no key in this group.
pub(super) fn explain(plan: &GroupPlan, hashing: &Hashing, asking: &Asking<'_>, observed: Option<&mut Observed>) {
    if let (Some(observed), Some(Err(why))) = (observed, key(plan, hashing, asking.event)) {
        refuse(plan, asking, why, observed);
    }
}

/// Structures for a new key.
fn fresh(plan: &GroupPlan, hidden: &[Lost], missed: Lost) -> impl Iterator<Item = Track> {
    plan.tracks.iter().zip(hidden).map(move |(track, hidden)| Track::new(track, *hidden.wider(&missed)))
}

fn refuse(plan: &GroupPlan, asking: &Asking<'_>, why: Why, observed: &mut Observed) {
    for ask in asked(plan, asking.event.kind) {
        match ask {
            Ask::Window { slot, .. } => set(&mut observed.windows, *slot, Maybe::Unknown(why)),
            Ask::Seen { slot, .. } => set(&mut observed.seen, *slot, Maybe::Unknown(why)),
        }
    }
}

fn read(
    plan: &GroupPlan,
    asking: &Asking<'_>,
    tracks: Tracks<'_>,
    parts: &[Option<Brought<'_>>],
    observed: &mut Observed,
) {
    for ask in asked(plan, asking.event.kind) {
        match ask {
            Ask::Window { slot, spec, track, anchor, .. } => {
                let anchor = anchor.and_then(|anchor| tracks.get(anchor));
                let (Some(held), Some(track_plan)) = (tracks.get(*track), plan.tracks.get(*track)) else { continue };
                let Some(answer) = observed.windows.get_mut(*slot) else { continue };
                match asking.start(spec.window, anchor) {
                    Ok(start) => {
                        let time = start.time.and_then(|time| Timestamp::from_microsecond(time).ok());
                        set(&mut observed.starts, *slot, time);
                        let this = parts.get(*track).and_then(Option::as_ref).filter(|_| spec.including_this);
                        *answer = asking.aggregate(spec, track_plan, &held, &start, this);
                    }
                    Err(why) => *answer = Maybe::Unknown(why),
                }
            }
            Ask::Seen { slot, spec, track, .. } => {
                let (Some(held), Some(track_plan)) = (tracks.get(*track), plan.tracks.get(*track)) else { continue };
                let answer = asking.appearance(spec, track_plan, &held);
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
