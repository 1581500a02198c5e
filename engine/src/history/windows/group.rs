//! All structures kept by the same keys.

use smallvec::SmallVec;

use super::{
    super::{
        atom::{self, Key},
        limits::Limits,
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
    pub keys: Shelf<Key, Box<[Track]>>,
    /// What each structure has missed before it existed.
    pub hidden: Vec<Lost>,
}

/// Parts of an event by structure of the group.
type Parts = SmallVec<[Option<Brought>; 8]>;

impl Group {
    /// An empty group; events up to `hidden` may be missing.
    pub fn new(plan: &GroupPlan, hidden: Lost) -> Group {
        Group { keys: Shelf::new(), hidden: vec![hidden; plan.tracks.len()] }
    }

    /// Answers what the event asks of this group, and keeps nothing.
    pub fn answer(&self, plan: &GroupPlan, asking: Asking<'_>, quota: Quota, observed: &mut Observed) {
        let Some((key, parts)) = prepare(plan, asking, observed) else { return };
        let feeds = parts.iter().any(Option::is_some);
        match self.keys.get(&key) {
            Some(tracks) => read(plan, asking, tracks, &parts, observed),
            None if feeds && !self.keys.has_room(quota) => refuse(plan, asking, Why::Quota, observed),
            None => read(plan, asking, &fresh(plan, &self.hidden, self.keys.missed), &parts, observed),
        }
    }

    /// Answers what the event asks, then takes it in. Returns the key if it is pending in some structure.
    pub fn observe(
        &mut self,
        plan: &GroupPlan,
        asking: Asking<'_>,
        quota: Quota,
        limits: &Limits,
        observed: Option<&mut Observed>,
    ) -> Option<Key> {
        let mut ignored = None;
        let asks = observed.is_some();
        let observed = match observed {
            Some(observed) => observed,
            None => ignored.insert(Observed::nothing(0, 0)),
        };
        let (key, parts) = prepare(plan, asking, observed)?;
        if parts.iter().all(Option::is_none) {
            if asks {
                match self.keys.get(&key) {
                    Some(tracks) => read(plan, asking, tracks, &parts, observed),
                    None => read(plan, asking, &fresh(plan, &self.hidden, self.keys.missed), &parts, observed),
                }
            }
            return None;
        }
        let hidden = &self.hidden;
        let Some((tracks, newest)) = self.keys.take_in(&key, asking.at, quota, |missed| fresh(plan, hidden, missed))
        else {
            refuse(plan, asking, Why::Quota, observed);
            return None;
        };
        if asks {
            read(plan, asking, tracks, &parts, observed);
        }
        let mut pending = false;
        for ((track, plan), part) in tracks.iter_mut().zip(&plan.tracks).zip(parts) {
            if let Some(brought) = part {
                pending |= track.append(plan, asking.at, brought, asking.status, limits.pending);
                let reach = plan.span.saturating_add(limits.lateness_ms.saturating_mul(1_000));
                track.purge(plan, Position::opening(newest.saturating_sub(reach)));
            }
        }
        pending.then_some(key)
    }
}

/// The event's key and what it brings to each structure. `None` if the group has nothing to do with the event, or the
/// event has no key, which is answered.
fn prepare(plan: &GroupPlan, asking: Asking<'_>, observed: &mut Observed) -> Option<(Key, Parts)> {
    let parts: Parts = plan.tracks.iter().map(|track| bring(track, asking.event)).collect();
    let kind = asking.event.kind;
    if parts.iter().all(Option::is_none) && !plan.asks.iter().any(|ask| ask.asked_by(kind)) {
        return None;
    }
    match atom::key(&asking.event.fields, &plan.fields) {
        Ok(key) => Some((key, parts)),
        Err(why) => {
            refuse(plan, asking, why, observed);
            None
        }
    }
}

/// Structures for a new key.
fn fresh(plan: &GroupPlan, hidden: &[Lost], missed: Lost) -> Box<[Track]> {
    let wider = |hidden: &Lost| if hidden.upto >= missed.upto { *hidden } else { missed };
    plan.tracks.iter().zip(hidden).map(|(track, hidden)| Track::new(track, wider(hidden))).collect()
}

fn refuse(plan: &GroupPlan, asking: Asking<'_>, why: Why, observed: &mut Observed) {
    for ask in asked(plan, asking.event.kind) {
        match ask {
            Ask::Window { slot, .. } => set(&mut observed.windows, *slot, Maybe::Unknown(why)),
            Ask::Seen { slot, .. } => set(&mut observed.seen, *slot, Maybe::Unknown(why)),
        }
    }
}

fn read(plan: &GroupPlan, asking: Asking<'_>, tracks: &[Track], parts: &[Option<Brought>], observed: &mut Observed) {
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
