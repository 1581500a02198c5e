//! All structures kept by the same keys.

use std::borrow::Cow;

use jiff::Timestamp;
use smallvec::SmallVec;

use super::{
    super::{
        atom,
        hashing::Hashing,
        observation::{Observation, Observed, set},
        plan::EventKind,
        position::{Gaps, Lost, Position},
    },
    answer::{Asking, Held, Start},
    layout::{Ask, GroupPlan},
    log::Log,
    shelf::{Hashed, Quota, Row, Shelf},
    track::{Brought, Track, bring},
};
use crate::{
    interval::Interval,
    maybe::{Maybe, Why},
    value::Value,
};

/// What is kept under each key of a group.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub keys: Shelf<Past>,
    /// What each structure has missed before it existed.
    pub hidden: Vec<Lost>,
}

/// What is kept under one key.
#[derive(Clone, Debug)]
pub(super) enum Past {
    /// Events of which nothing is in doubt.
    Log(Log),
    /// Any events: the structures in the order of the plan.
    Tracks(Vec<Track>),
}

/// What is kept of a key in structures of its own.
#[derive(Clone, Copy)]
struct Tracks<'a> {
    tracks: &'a [Track],
    missing: Missing<'a>,
}

/// What the structures of a key have missed.
#[derive(Clone, Copy)]
pub(super) struct Missing<'a> {
    /// Before each existed.
    pub hidden: &'a [Lost],
    /// Before the key was taken in.
    pub missed: &'a Lost,
}

/// Parts of an event by structure of the group.
pub(super) type Parts<'a> = SmallVec<[Option<Brought<'a>>; 4]>;

impl Default for Past {
    fn default() -> Past {
        Past::Log(Log::default())
    }
}

impl Past {
    /// Nothing, for a key that is new.
    pub fn new(plan: &GroupPlan, missing: Missing<'_>) -> Past {
        if plan.log.is_some() { Past::default() } else { Past::Tracks(fresh(plan, missing).collect()) }
    }

    /// The structures of what is kept.
    pub fn tracks(&self, plan: &GroupPlan, missing: Missing<'_>) -> Cow<'_, [Track]> {
        match (self, &plan.log) {
            (Past::Tracks(tracks), _) => Cow::Borrowed(tracks),
            (Past::Log(log), Some(log_plan)) => Cow::Owned(log.open(plan, log_plan, missing)),
            (Past::Log(_), None) => Cow::Owned(fresh(plan, missing).collect()),
        }
    }

    /// The same in structures of their own.
    pub fn open(&mut self, plan: &GroupPlan, missing: Missing<'_>) -> &mut [Track] {
        if let Past::Log(_) = self {
            *self = Past::Tracks(self.tracks(plan, missing).into_owned());
        }
        self.opened()
    }

    /// The structures, if there are any.
    pub fn opened(&mut self) -> &mut [Track] {
        match self {
            Past::Tracks(tracks) => tracks,
            Past::Log(_) => &mut [],
        }
    }

    /// Looks at what answering will look at.
    pub fn warm(&self) -> i64 {
        match self {
            Past::Log(log) => log.warm(),
            Past::Tracks(tracks) => tracks.iter().fold(0, |near, track| near ^ track.warm()),
        }
    }

    /// Entries kept, the most of them in one structure, and those that are undecided.
    pub fn len(&self, plan: &GroupPlan) -> (usize, usize, usize) {
        match self {
            Past::Log(log) => plan.log.as_ref().map_or((0, 0, 0), |plan| (log.rows(), log.most(plan), 0)),
            Past::Tracks(tracks) => {
                tracks.iter().map(Track::len).fold((0, 0, 0), |(all, most, pending), (kept, waiting)| {
                    (all + kept, most.max(kept), pending + waiting)
                })
            }
        }
    }

    /// What it takes beyond its own size, in bytes.
    pub fn heap(&self) -> usize {
        match self {
            Past::Log(log) => log.heap(),
            Past::Tracks(tracks) => {
                tracks.capacity() * size_of::<Track>() + tracks.iter().map(Track::heap).sum::<usize>()
            }
        }
    }
}

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
        let row = self.keys.get(key);
        let missed = row.map_or(&self.keys.missed, |row| &row.missed);
        let missing = Missing { hidden: &self.hidden, missed };
        if let Some(log_plan) = &plan.log
            && parts.iter().all(Option::is_none)
        {
            // What only asks, and is not late, finds its answer in a log as it is.
            match row {
                Some(Row { value: Past::Log(log), newest, .. }) if *newest < asking.at => {
                    return log.answer(plan, log_plan, asking, missing, &[], observed);
                }
                None => return Log::default().answer(plan, log_plan, asking, missing, &[], observed),
                Some(_) => {}
            }
        }
        let tracks = match row.map(|row| &row.value) {
            Some(past) => past.tracks(plan, missing),
            None => Cow::Owned(fresh(plan, missing).collect()),
        };
        read(plan, asking, Tracks { tracks: &tracks, missing }, parts, observed);
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
        let make = |missed: &Lost| Past::new(plan, Missing { hidden, missed });
        let Some(row) = self.keys.take_in(key, asking.at, quota, make) else {
            if let Some(observed) = observed {
                refuse(plan, asking, Why::Quota, observed);
            }
            return false;
        };
        let newest = row.newest;
        row.newest = newest.max(asking.at);
        let horizon = Position::opening(row.newest.at.saturating_sub(plan.stay));
        if let (Past::Tracks(_), Some(_)) = (&row.value, &plan.log)
            && newest < horizon
        {
            // Nothing of it matters any more, so that what was in doubt is no longer.
            row.value = Past::default();
            row.missed.extend(newest, Why::Saturated);
        }
        let missing = Missing { hidden, missed: &row.missed };
        if let (Past::Log(log), Some(log_plan)) = (&mut row.value, &plan.log) {
            log.purge(log_plan, horizon);
            if let Some(arrival) = log.fits(log_plan, &plan.tracks, &parts, asking, newest) {
                if let Some(observed) = observed {
                    log.answer(plan, log_plan, asking, missing, &arrival, observed);
                }
                if !log.append(log_plan, &plan.tracks, asking.at, &arrival) {
                    row.value.open(plan, missing);
                }
                return false;
            }
        }
        let tracks = row.value.open(plan, missing);
        if let Some(observed) = observed {
            read(plan, asking, Tracks { tracks, missing }, &parts, observed);
        }
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

impl<'a> Missing<'a> {
    pub fn of(self, place: usize) -> Option<&'a Lost> {
        Some(self.hidden.get(place)?.wider(self.missed))
    }
}

impl<'a> Tracks<'a> {
    fn get(self, place: usize) -> Option<Held<'a>> {
        let track = self.tracks.get(place)?;
        Some(Held { track, gaps: Gaps { hidden: self.missing.of(place)?, dropped: &track.dropped } })
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
pub(super) fn fresh(plan: &GroupPlan, Missing { hidden, missed }: Missing<'_>) -> impl Iterator<Item = Track> {
    plan.tracks.iter().zip(hidden).map(move |(track, hidden)| Track::new(track, *hidden.wider(missed)))
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
                let start = asking.start(spec.window, |reach| anchor.and_then(|anchor| anchor.anchor(reach)));
                let this = parts.get(*track).and_then(Option::as_ref).filter(|_| spec.including_this);
                answer(observed, *slot, start, |start| asking.aggregate(spec, track_plan, &held, &start, this));
            }
            Ask::Seen { slot, spec, track, .. } => {
                let (Some(held), Some(track_plan)) = (tracks.get(*track), plan.tracks.get(*track)) else { continue };
                let answer = asking.appearance(spec, track_plan, &held);
                set(&mut observed.seen, *slot, answer.map_or_else(Maybe::Unknown, Maybe::Known));
            }
        }
    }
}

/// Answers a window that starts there, and says where.
pub(super) fn answer(
    observed: &mut Observed,
    slot: usize,
    start: Result<Start, Why>,
    read: impl FnOnce(Start) -> Maybe<Interval<Value>>,
) {
    let Some(answer) = observed.windows.get_mut(slot) else { return };
    match start {
        Ok(start) => {
            let time = start.time.and_then(|time| Timestamp::from_microsecond(time).ok());
            *answer = read(start);
            set(&mut observed.starts, slot, time);
        }
        Err(why) => *answer = Maybe::Unknown(why),
    }
}

/// What events of this kind ask.
pub(super) fn asked(plan: &GroupPlan, kind: EventKind) -> impl Iterator<Item = &Ask> {
    plan.asks.iter().filter(move |ask| ask.asked_by(kind))
}
