//! Bounded history: memory in proportion to the thresholds, answers that never contradict the full history.
//!
//! In reading order: which structures a plan needs (`layout`); the events of a key of which nothing is in doubt (`log`);
//! of all others the structures (`queue`, `times`, `values`, `amounts` and their `part`s, `extremes`), one of them with
//! its undecided events (`track`); what is kept under a key (`group`, `shelf`, `places`, `pieces`, `pages`); how an answer is read
//! (`answer`); and what is kept beside the windows (`trail`, `ledger`).

mod amounts;
mod answer;
mod extremes;
mod group;
mod layout;
mod ledger;
mod log;
mod pages;
mod part;
mod pieces;
mod places;
mod queue;
mod replan;
mod shelf;
mod times;
mod track;
mod trail;
mod values;

use std::{borrow::Borrow, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use self::{
    answer::Asking,
    group::Group,
    layout::{Layout, TrackPlan},
    ledger::{GivenUp, Ledger, Remembered},
    pieces::Piece,
    shelf::{Hashed, Quota, Shelf},
    track::Track,
    trail::Trail,
};
use super::{
    atom::Key,
    hashing::Hashing,
    limits::Limits,
    observation::{Observation, Observed, Settled, in_flight},
    plan::{EventKind, HistoryPlan},
    position::{Lost, Position, Reach},
};
use crate::{
    maybe::{Maybe, Why},
    status::Status,
};

/// The history of one tenant.
///
/// `observe` is one atomic step: it answers what the event asks about its past and takes it in, so of two events
/// handed in one after the other the second always sees the first (if it is not dated before it: a server dates its
/// own events no earlier than [`History::watermark`]).
#[derive(Clone, Debug)]
pub struct History {
    plan: Arc<HistoryPlan>,
    limits: Limits,
    hashing: Hashing,
    layout: Layout,
    groups: Vec<Group>,
    /// The trail of each user, where rules ask for it.
    users: Option<Shelf<Trail>>,
    /// What the trail of a new user has missed.
    users_hidden: Lost,
    ledger: Ledger,
    /// The time of the newest event, in microseconds.
    newest: i64,
    /// Room for what is found out about events before they are taken in.
    touched: Vec<Touched>,
}

/// So many events are looked up together.
pub(super) const TOGETHER: usize = 16;

/// Everything by which history looks into its tables for an event.
#[derive(Clone, Debug, Default)]
struct Touched {
    /// User and reference.
    name: u64,
    /// Where users have a trail.
    user: Option<Hashed>,
    /// By group; `None` where the group has nothing to do with the event, or the event has no key.
    keys: SmallVec<[Option<Hashed>; 2]>,
}

/// How large a history is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Keys of all sets of windows together.
    pub keys: usize,
    /// The keys of the largest set, to be held against [`Limits::keys`].
    pub most_keys: usize,
    /// Keys of which nothing is in doubt: their events are kept as they came, in the smallest form.
    pub plain_keys: usize,
    /// Users with a trail.
    pub users: usize,
    /// Timestamps, values, amounts and summaries kept.
    pub entries: usize,
    /// The most of them under one key in one structure.
    pub most_entries: usize,
    /// Undecided events, counted once in every structure that waits for them.
    pub pending: usize,
    /// Events whose reference is remembered, and how many of them are undecided.
    pub references: usize,
    /// Undecided events among them.
    pub undecided: usize,
    /// An estimate of the memory taken, in bytes.
    pub bytes: usize,
}

impl History {
    /// An empty history of a tenant that has no past, or whose past follows through [`History::remember`].
    pub fn new(plan: Arc<HistoryPlan>, limits: Limits) -> History {
        History::missing(plan, limits, Lost::NOTHING)
    }

    /// An empty history of a tenant whose past up to `since` is not known: windows that reach back so far say "at
    /// least", with the reason `warming_up`.
    pub fn warming(plan: Arc<HistoryPlan>, limits: Limits, since: Timestamp) -> History {
        History::missing(plan, limits, warming(since))
    }

    fn missing(plan: Arc<HistoryPlan>, limits: Limits, hidden: Lost) -> History {
        let layout = Layout::of(&plan, &limits);
        let groups = layout.groups.iter().map(|group| Group::new(group, hidden)).collect();
        let users = plan.anchors.then(Shelf::new);
        History {
            plan,
            limits,
            hashing: Hashing::default(),
            layout,
            groups,
            users,
            users_hidden: hidden,
            ledger: Ledger::default(),
            newest: i64::MIN,
            touched: Vec::new(),
        }
    }

    /// The same empty history with a secret seed for its tables: without it, whoever chooses ids could choose such that
    /// collide. Answers do not depend on it; once there are events, nothing changes.
    #[must_use]
    pub fn seeded(mut self, seed: [u64; 4]) -> History {
        if self.newest == i64::MIN {
            self.hashing = Hashing::seeded(seed);
        }
        self
    }

    /// The plan in force.
    pub fn plan(&self) -> &Arc<HistoryPlan> {
        &self.plan
    }

    /// The time of the newest event.
    pub fn watermark(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.newest).ok().filter(|_| self.newest != i64::MIN)
    }

    /// Answers what the plan asks about the event's past, and takes the event in. A retry of a known event is
    /// answered as of the first try and not counted again.
    pub fn observe(&mut self, event: &Observation) -> Observed {
        let mut observed = self.nothing(event);
        self.together(std::slice::from_ref(event), |history, event, touched| {
            history.answer(event, touched, &mut observed);
        });
        observed
    }

    /// Observes the events one after the other. Where many are at hand this takes less time than to hand them in one by
    /// one, since all that some of them need is fetched from memory at once, and the answers are lent.
    pub fn observe_all(&mut self, events: &[Observation], mut answered: impl FnMut(&Observation, &Observed)) {
        let mut observed = Observed::nothing(self.plan.windows.len(), self.plan.seen.len(), false);
        self.together(events, |history, event, touched| {
            observed.forget(event.future);
            history.answer(event, touched, &mut observed);
            answered(event, &observed);
        });
    }

    fn together<E: Borrow<Observation>>(
        &mut self,
        events: &[E],
        mut f: impl FnMut(&mut History, &Observation, &Touched),
    ) {
        let mut room = std::mem::take(&mut self.touched);
        room.resize_with(TOGETHER, Touched::default);
        for events in events.chunks(TOGETHER) {
            let touched = room.get_mut(..events.len()).unwrap_or_default();
            events.iter().zip(&mut *touched).for_each(|(event, touched)| self.touch(event.borrow(), touched));
            self.warm(touched);
            for (event, touched) in events.iter().zip(touched) {
                f(self, event.borrow(), touched);
            }
        }
        self.touched = room;
    }

    /// Answers, where nothing is answered yet.
    fn answer(&mut self, event: &Observation, touched: &Touched, observed: &mut Observed) {
        if self.ledger.find(touched.name, &event.user, &event.reference).is_some() {
            *observed = self.peek(event);
        } else {
            self.take_in(event, touched, Some(observed));
        }
    }

    /// Takes the event in without answering: for rebuilding a history from the journal.
    pub fn remember(&mut self, event: &Observation) {
        self.remember_all(&[event]);
    }

    /// Takes the events in, one after the other.
    fn remember_all(&mut self, events: &[&Observation]) {
        self.together(events, |history, event, touched| {
            if history.ledger.find(touched.name, &event.user, &event.reference).is_none() {
                history.take_in(event, touched, None);
            }
        });
    }

    /// Answers as [`History::observe`] would, and keeps nothing.
    pub fn peek(&self, event: &Observation) -> Observed {
        let name = self.hashing.of_both(&event.user, &event.reference);
        let known = self.ledger.find(name, &event.user, &event.reference);
        let (at, status) = known.unwrap_or((Position::of(event.time, event.seq), event.status));
        let asking = self.asking(event, at, status);
        let mut observed = self.nothing(event);
        observed.duplicate = known.is_some();
        let newest = self.newest.max(at.at);
        for (group, plan) in self.groups.iter().zip(&self.layout.groups) {
            group.answer(plan, &self.hashing, &asking, quota(&self.limits, newest, plan.stay), &mut observed);
        }
        if let Some(users) = &self.users {
            let user = users.get(&self.user_key(&event.user));
            let room = !is_action(event.kind) || users.has_room(quota(&self.limits, newest, self.users_stay()));
            match user {
                Some(trail) => follow(&asking, Some(trail), &mut observed),
                None if room => follow(&asking, Some(&fresh(self.users_hidden, users.missed)), &mut observed),
                None => follow(&asking, None, &mut observed),
            }
        }
        observed
    }

    /// Finds that out, and writes it to where it stays.
    #[inline]
    fn touch(&self, event: &Observation, touched: &mut Touched) {
        touched.name = self.hashing.of_both(&event.user, &event.reference);
        touched.user = self.users.is_some().then(|| self.user_key(&event.user));
        touched.keys.resize(self.layout.groups.len(), None);
        for (plan, place) in self.layout.groups.iter().zip(&mut touched.keys) {
            let (hash, key) = place.get_or_insert_default();
            match group::write_key(plan, event, key) {
                Some(Ok(())) => *hash = self.hashing.of(key.as_slice()),
                Some(Err(_)) | None => *place = None,
            }
        }
    }

    fn user_key(&self, user: &str) -> Hashed {
        self.hashing.key(Key::of(user.as_bytes()))
    }

    /// Looks at everything that is kept under the keys, to no other end than that it is near when it is needed: the
    /// processor waits for all that is looked at together, not for one after the other.
    fn warm(&self, touched: &[Touched]) {
        let mut near = 0;
        for (place, (group, plan)) in self.groups.iter().zip(&self.layout.groups).enumerate() {
            let horizon = quota(&self.limits, self.newest, plan.stay).horizon;
            near ^= group.keys.look_ahead(horizon, touched.len());
            let keys = touched.iter().filter_map(|touched| touched.keys.get(place)?.as_ref());
            near ^= look(&group.keys, keys);
        }
        if let Some(users) = &self.users {
            near ^= look(users, touched.iter().filter_map(|touched| touched.user.as_ref()));
        }
        near ^= touched.iter().fold(0, |near, touched| near ^ self.ledger.glance(touched.name));
        near ^= self.ledger.glance_ahead(touched.len());
        std::hint::black_box(near);
    }

    fn take_in(&mut self, event: &Observation, touched: &Touched, mut observed: Option<&mut Observed>) {
        let asking = self.asking(event, Position::of(event.time, event.seq), event.status);
        let newest = self.newest.max(asking.at.at);
        self.newest = newest;
        let mut pending_in = Vec::new();
        let groups = self.groups.iter_mut().zip(&self.layout.groups).zip(&touched.keys).enumerate();
        for (place, ((group, plan), key)) in groups {
            match key {
                Some(key) => {
                    let quota = quota(&self.limits, newest, plan.stay);
                    if group.observe(plan, &asking, key, quota, observed.as_deref_mut()) {
                        pending_in.push((place, key.1.clone()));
                    }
                }
                None => group::explain(plan, &self.hashing, &asking, observed.as_deref_mut()),
            }
        }
        let user_pending = match &touched.user {
            Some(user) => self.take_in_user(&asking, user, newest, observed),
            None => false,
        };
        let (at, status, most) = (asking.at, event.status, self.limits.references);
        if in_flight(status) {
            let remembered = Remembered { at, status, pending_in, user_pending };
            let given_up = self.ledger.open(touched.name, &event.user, &event.reference, remembered, most);
            if let Some(given_up) = given_up {
                self.give_up(given_up);
            }
        } else {
            self.ledger.decided(touched.name, &event.user, &event.reference, at, status, most);
        }
    }

    /// Answers what is asked about the user, and takes the event in. Returns whether it is pending there.
    fn take_in_user(
        &mut self,
        asking: &Asking<'_>,
        key: &Hashed,
        newest: i64,
        observed: Option<&mut Observed>,
    ) -> bool {
        let (hidden, quota) = (self.users_hidden, quota(&self.limits, newest, self.users_stay()));
        let Some(users) = &mut self.users else { return false };
        if !is_action(asking.event.kind) {
            if let Some(observed) = observed {
                match users.get(key) {
                    Some(trail) => follow(asking, Some(trail), observed),
                    None => follow(asking, Some(&fresh(hidden, users.missed)), observed),
                }
            }
            return false;
        }
        let Some((piece, new)) = users.take_in(key, asking.at, quota, 1) else {
            if let Some(observed) = observed {
                follow(asking, None, observed);
            }
            return false;
        };
        let mut row = users.row_mut(piece);
        let (newest, missed) = (row.newest().max(asking.at), row.missed());
        row.set_newest(newest);
        if new {
            users.set_aside(piece, fresh(hidden, missed));
        }
        let Some(trail) = users.aside_mut(piece) else { return false };
        if let Some(observed) = observed {
            follow(asking, Some(trail), observed);
        }
        trail.append(asking.at, asking.status, &asking.event.snapshot, self.limits.pending)
    }

    /// Changes the status of an event in flight; every window follows.
    pub fn settle(&mut self, user: &str, reference: &str, status: Status) -> Settled {
        let name = self.hashing.of_both(user, reference);
        let event = if in_flight(status) {
            self.ledger.find_undecided(name, user, reference).map(|event| {
                event.status = status;
                event.clone()
            })
        } else {
            self.ledger.close(name, user, reference)
        };
        let Some(Remembered { at, pending_in, user_pending, .. }) = event else {
            return match self.ledger.find(name, user, reference) {
                Some(_) => Settled::AlreadyFinal,
                None => Settled::NotInFlight,
            };
        };
        self.where_pending(pending_in, |track, plan| track.settle(plan, at, status));
        if user_pending && let Some(trail) = self.trail_mut(user) {
            trail.settle(at, status);
        }
        if !in_flight(status) {
            self.ledger.decided(name, user, reference, at, status, self.limits.references);
        }
        Settled::Changed
    }

    /// Stops waiting for an event that had to make room: answers hold whatever becomes of it.
    fn give_up(&mut self, GivenUp { user, event }: GivenUp) {
        self.where_pending(event.pending_in, |track, plan| track.freeze(plan, event.at));
        if event.user_pending
            && let Some(trail) = self.trail_mut(&user)
        {
            trail.freeze(event.at);
        }
    }

    /// Does something to all structures of these groups and keys.
    fn where_pending(&mut self, pending_in: Vec<(usize, Key)>, f: impl Fn(&mut Track, &TrackPlan)) {
        for (place, key) in pending_in {
            let (Some(plan), Some(group)) = (self.layout.groups.get(place), self.groups.get_mut(place)) else {
                continue;
            };
            let tracks = group.keys.get_mut(&self.hashing.key(key)).into_iter().flatten();
            tracks.zip(&plan.tracks).for_each(|(track, plan)| f(track, plan));
        }
    }

    /// How large it is. Walks everything kept.
    pub fn stats(&self) -> Sizes {
        let mut sizes = Sizes {
            users: self.users.as_ref().map_or(0, Shelf::len),
            references: self.ledger.len(),
            undecided: self.ledger.undecided(),
            bytes: self.users.as_ref().map_or(0, |users| {
                users.bytes() + users.rows().filter_map(|(_, trail)| trail).map(Trail::heap).sum::<usize>()
            }) + self.ledger.bytes(),
            ..Sizes::default()
        };
        for (group, plan) in self.groups.iter().zip(&self.layout.groups) {
            sizes.keys += group.keys.len();
            sizes.most_keys = sizes.most_keys.max(group.keys.len());
            sizes.bytes += group.keys.bytes();
            for (row, aside) in group.keys.rows() {
                sizes.plain_keys += usize::from(aside.is_none());
                let (kept, most, pending) = group::lengths(plan, row, aside);
                sizes.entries += kept;
                sizes.most_entries = sizes.most_entries.max(most);
                sizes.pending += pending;
                let heap = |tracks: &Vec<Track>| {
                    tracks.capacity() * size_of::<Track>() + tracks.iter().map(Track::heap).sum::<usize>()
                };
                sizes.bytes += aside.map_or(0, heap);
            }
        }
        sizes
    }

    #[inline(always)]
    fn nothing(&self, event: &Observation) -> Observed {
        Observed::nothing(self.plan.windows.len(), self.plan.seen.len(), event.future)
    }

    fn asking<'a>(&self, event: &'a Observation, at: Position, status: Status) -> Asking<'a> {
        Asking { event, at, status, retention: self.retention() }
    }

    /// In microseconds.
    fn retention(&self) -> i64 {
        self.limits.retention_ms.saturating_mul(1_000)
    }

    /// How long a user can matter after the newest event.
    fn users_stay(&self) -> i64 {
        self.retention().saturating_add(self.limits.lateness_ms.saturating_mul(1_000))
    }

    fn trail_mut(&mut self, user: &str) -> Option<&mut Trail> {
        let key = self.user_key(user);
        self.users.as_mut()?.get_mut(&key)
    }
}

/// Finds where all keys are, and then looks at what is there.
#[inline]
fn look<'a, V>(shelf: &Shelf<V>, keys: impl Iterator<Item = &'a Hashed>) -> u64 {
    let pieces: SmallVec<[Piece; TOGETHER]> = keys.filter_map(|key| shelf.glance(key)).collect();
    pieces.into_iter().fold(0, |near, piece| near ^ shelf.look(piece))
}

fn quota(limits: &Limits, newest: i64, stay: i64) -> Quota {
    Quota { horizon: newest.saturating_sub(stay), keys: limits.keys }
}

/// The trail of a user who is new.
fn fresh(hidden: Lost, missed: Lost) -> Trail {
    Trail::new(*hidden.wider(&missed))
}

/// Fills in what the user's trail says; without one, there was no room for it.
fn follow(asking: &Asking<'_>, trail: Option<&Trail>, observed: &mut Observed) {
    let start = Position::opening(asking.at.at.saturating_sub(asking.retention).saturating_add(1));
    let reach = &Reach { start, end: asking.at };
    match trail {
        Some(trail) => {
            observed.last_verified = trail.last_verified(reach);
            observed.previous = trail.previous(reach);
        }
        None => {
            observed.last_verified = Maybe::Unknown(Why::Quota);
            observed.previous = Maybe::Unknown(Why::Quota);
        }
    }
}

fn is_action(kind: EventKind) -> bool {
    matches!(kind, EventKind::Action(_))
}

fn warming(since: Timestamp) -> Lost {
    Lost { upto: Position { at: since.as_microsecond(), seq: u64::MAX }, why: Why::WarmingUp }
}
