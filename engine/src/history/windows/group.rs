//! All structures kept by the same keys.

use std::borrow::Cow;

use jiff::Timestamp;
use smallvec::SmallVec;

use super::{
    super::{
        atom::{self, Key},
        hashing::Hashing,
        observation::{Observation, Observed, set},
        plan::EventKind,
        position::{Gaps, Lost, Position},
    },
    answer::{Asking, Held, Start},
    layout::{Ask, GroupPlan},
    log::{Arrival, Log},
    shelf::{Hashed, Quota, Row, Shelf},
    track::{Brought, Track, bring},
};
use crate::{
    interval::Interval,
    maybe::{Maybe, Why},
    value::Value,
};

/// What is kept under each key of a group: the words of a log, of events of which nothing is in doubt; or set aside, of
/// any events, the structures in the order of the plan.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub keys: Shelf<Vec<Track>>,
    /// What each structure has missed before it existed.
    pub hidden: Vec<Lost>,
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
type Parts<'a> = SmallVec<[Option<Brought<'a>>; 4]>;

/// The structures of a key, of which the words are given, and the structures if they are set aside.
pub(super) fn opened(
    plan: &GroupPlan,
    missing: Missing<'_>,
    row: Row<&[u64]>,
    aside: Option<Vec<Track>>,
) -> Vec<Track> {
    match (aside, &plan.log) {
        (Some(tracks), _) => tracks,
        (None, Some(log)) => Log::of(log, row.body()).open(plan, missing),
        (None, None) => fresh(plan, missing).collect(),
    }
}

/// Entries kept, the most of them in one structure, and those that are undecided.
pub(super) fn lengths(plan: &GroupPlan, row: Row<&[u64]>, aside: Option<&Vec<Track>>) -> (usize, usize, usize) {
    match (aside, &plan.log) {
        (Some(tracks), _) => tracks
            .iter()
            .map(Track::len)
            .fold((0, 0, 0), |(all, most, pending), (kept, waiting)| (all + kept, most.max(kept), pending + waiting)),
        (None, Some(log)) => {
            let log = Log::of(log, row.body());
            (log.rows(), log.most(), 0)
        }
        (None, None) => (0, 0, 0),
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
        if feeds && self.keys.find(&key).is_none() && !self.keys.has_room(quota) {
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
        let found = self.keys.find(key).map(|piece| (self.keys.row(piece), self.keys.aside(piece)));
        let missed = &found.map_or(self.keys.missed, |(row, _)| row.missed());
        let missing = Missing { hidden: &self.hidden, missed };
        if let Some(log) = &plan.log
            && parts.iter().all(Option::is_none)
        {
            // What only asks, and is not late, finds its answer in a log as it is.
            match found {
                Some((row, None)) if row.newest() < asking.at => {
                    return Log::of(log, row.body()).answer(plan, asking, missing, None, observed);
                }
                None => return Log::of(log, &[][..]).answer(plan, asking, missing, None, observed),
                Some(_) => {}
            }
        }
        let tracks = match (found, &plan.log) {
            (Some((_, Some(tracks))), _) => Cow::Borrowed(tracks.as_slice()),
            (Some((row, None)), Some(log)) => Cow::Owned(Log::of(log, row.body()).open(plan, missing)),
            (Some((_, None)) | None, _) => Cow::Owned(fresh(plan, missing).collect()),
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
        mut observed: Option<&mut Observed>,
    ) -> bool {
        let Some(log) = &plan.log else { return self.observe_apart(plan, asking, key, quota, observed) };
        let mut arrival = Arrival::default();
        arrival.fill(&plan.tracks, asking);
        if !arrival.feeds {
            if let Some(observed) = observed {
                self.read(plan, asking, key, &parts(plan, asking), observed);
            }
            return false;
        }
        let Some((mut piece, new)) = self.keys.take_in(key, asking.at, quota, log.words()) else {
            if let Some(observed) = observed {
                refuse(plan, asking, Why::Quota, observed);
            }
            return false;
        };
        let mut row = self.keys.row_mut(piece);
        let newest = if new { Position::START } else { row.newest() };
        row.set_newest(newest.max(asking.at));
        let horizon = Position::opening(newest.max(asking.at).at.saturating_sub(plan.stay));
        if !row.is_plain() && newest < horizon {
            // Nothing of it matters any more, so that what was in doubt is no longer.
            let mut missed = row.missed();
            missed.extend(newest, Why::Saturated);
            row.set_missed(missed);
            self.keys.take_back(piece);
            row = self.keys.row_mut(piece);
        }
        let missed = &row.missed();
        let missing = Missing { hidden: &self.hidden, missed };
        if row.is_plain() {
            let mut words = Log::of(log, row.body_mut());
            words.purge(horizon);
            let follows = arrival.certain && asking.at > newest;
            if follows && arrival.is_nothing() {
                if let Some(observed) = observed {
                    words.answer(plan, asking, missing, Some(&arrival), observed);
                }
                return false;
            }
            let ready = follows.then(|| words.prepare(&arrival, asking.at));
            if let Some(ready) = ready
                && let Some(moved) = match ready.more.or_else(|| words.fewer(ready)) {
                    Some(size) => self.keys.resize(key, piece, size),
                    None => Some(piece),
                }
            {
                piece = moved;
                let mut row = self.keys.row_mut(piece);
                let mut words = Log::of(log, row.body_mut());
                if let Some(straight) = &plan.straight
                    && words.pass(straight, asking, missing, &mut arrival, ready, observed.as_deref_mut())
                {
                    return false;
                }
                if words.fits(&mut arrival) {
                    if let Some(observed) = observed {
                        words.answer(plan, asking, missing, Some(&arrival), observed);
                    }
                    if !words.append(asking.at, &arrival, ready) {
                        let tracks = words.open(plan, missing);
                        self.keys.set_aside(piece, tracks);
                    }
                    return false;
                }
            }
            let tracks = Log::of(log, self.keys.row(piece).into_body()).open(plan, missing);
            self.keys.set_aside(piece, tracks);
        }
        let Some(tracks) = self.keys.aside_mut(piece) else { return false };
        take_in(plan, asking, tracks, missing, horizon, observed)
    }

    /// The same where keys have structures always.
    fn observe_apart(
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
        let Some((piece, new)) = self.keys.take_in(key, asking.at, quota, 1) else {
            if let Some(observed) = observed {
                refuse(plan, asking, Why::Quota, observed);
            }
            return false;
        };
        let mut row = self.keys.row_mut(piece);
        let newest = row.newest().max(asking.at);
        row.set_newest(newest);
        let missing = Missing { hidden: &self.hidden, missed: &row.missed() };
        if new {
            self.keys.set_aside(piece, fresh(plan, missing).collect());
        }
        let Some(tracks) = self.keys.aside_mut(piece) else { return false };
        let horizon = Position::opening(newest.at.saturating_sub(plan.stay));
        take_in(plan, asking, tracks, missing, horizon, observed)
    }
}

/// Answers an event from the structures, if anybody wants to know, and takes it in. Returns whether it is pending in some
/// of them.
fn take_in(
    plan: &GroupPlan,
    asking: &Asking<'_>,
    tracks: &mut [Track],
    missing: Missing<'_>,
    horizon: Position,
    observed: Option<&mut Observed>,
) -> bool {
    let parts = parts(plan, asking);
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
fn key(plan: &GroupPlan, hashing: &Hashing, event: &Observation) -> Option<Result<Hashed, Why>> {
    let mut key = Key::default();
    Some(write_key(plan, event, &mut key)?.map(|()| hashing.key(key)))
}

/// Writes the event's key, in place of another.
#[inline]
pub(super) fn write_key(plan: &GroupPlan, event: &Observation, key: &mut Key) -> Option<Result<(), Why>> {
    let takes = plan.tracks.iter().any(|track| track.feed.takes(event.kind));
    if !takes && !plan.asks.iter().any(|ask| ask.asked_by(event.kind)) {
        return None;
    }
    Some(atom::write_key(&event.fields, &plan.fields, key))
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
