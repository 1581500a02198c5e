//! Bounded history: memory in proportion to the thresholds, answers that never contradict the full history.
//!
//! In reading order: which structures a plan needs (`layout`), the structures (`times`, `values`, `amounts` and their
//! `part`s, `extremes`), one of them with its undecided events (`track`), all of them under a key (`group`, `shelf`),
//! how an answer is read (`answer`), and what is kept beside the windows (`trail`, `ledger`).

mod amounts;
mod answer;
mod extremes;
mod group;
mod layout;
mod ledger;
mod part;
mod replan;
mod shelf;
mod times;
mod track;
mod trail;
mod values;

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::{
    answer::Asking,
    group::Group,
    layout::Layout,
    ledger::{GivenUp, Ledger, Remembered},
    shelf::{Quota, Shelf},
    track::Track,
    trail::Trail,
};
use super::{
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
    layout: Layout,
    groups: Vec<Group>,
    users: Shelf<Arc<str>, Trail>,
    /// What the trail of a new user has missed.
    users_hidden: Lost,
    ledger: Ledger,
    /// The time of the newest event, in microseconds.
    newest: i64,
}

/// How large a history is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Keys of all sets of windows together.
    pub keys: usize,
    /// The keys of the largest set, to be held against [`Limits::keys`].
    pub most_keys: usize,
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
        History {
            plan,
            limits,
            layout,
            groups,
            users: Shelf::new(),
            users_hidden: hidden,
            ledger: Ledger::default(),
            newest: i64::MIN,
        }
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
        if self.ledger.find(&event.user, &event.reference).is_some() {
            return self.peek(event);
        }
        let mut observed = self.nothing(event);
        self.take_in(event, Some(&mut observed));
        observed
    }

    /// Takes the event in without answering: for rebuilding a history from the journal.
    pub fn remember(&mut self, event: &Observation) {
        if self.ledger.find(&event.user, &event.reference).is_none() {
            self.take_in(event, None);
        }
    }

    /// Answers as [`History::observe`] would, and keeps nothing.
    pub fn peek(&self, event: &Observation) -> Observed {
        let known = self.ledger.find(&event.user, &event.reference);
        let asking = match known {
            Some(first_try) => self.asking(event, first_try.at, first_try.status),
            None => self.asking(event, Position::of(event.time, event.seq), event.status),
        };
        let mut observed = self.nothing(event);
        observed.duplicate = known.is_some();
        let newest = self.newest.max(asking.at.at);
        for (group, plan) in self.groups.iter().zip(&self.layout.groups) {
            group.answer(plan, asking, self.quota(newest, plan.span), &mut observed);
        }
        let fresh;
        let trail = match self.users.get(&*event.user) {
            Some(trail) => Some(trail),
            None if !self.users.has_room(self.quota(newest, asking.retention)) && is_action(event.kind) => None,
            None => {
                fresh = Trail::new(wider(self.users_hidden, self.users.missed));
                Some(&fresh)
            }
        };
        self.follow(asking, trail, &mut observed);
        observed
    }

    fn take_in(&mut self, event: &Observation, mut observed: Option<&mut Observed>) {
        let asking = self.asking(event, Position::of(event.time, event.seq), event.status);
        let newest = self.newest.max(asking.at.at);
        self.newest = newest;
        let mut remembered =
            Remembered { at: asking.at, status: event.status, pending_in: Vec::new(), user_pending: false };
        for place in 0..self.layout.groups.len() {
            let (Some(plan), Some(group)) = (self.layout.groups.get(place), self.groups.get_mut(place)) else {
                continue;
            };
            let quota = quota(&self.limits, newest, plan.span);
            if let Some(key) = group.observe(plan, asking, quota, &self.limits, observed.as_deref_mut()) {
                remembered.pending_in.push((place, key));
            }
        }
        let (hidden, quota) = (self.users_hidden, self.quota(newest, asking.retention));
        if is_action(event.kind) {
            let trail = self.users.take_in(&event.user, asking.at, quota, |missed| Trail::new(wider(hidden, missed)));
            let mut trail = trail.map(|(trail, _)| trail);
            if let Some(observed) = observed {
                follow(&self.plan, asking, trail.as_deref(), observed);
            }
            if let Some(trail) = &mut trail {
                trail.newest = trail.newest.max(asking.at);
                remembered.user_pending = self.plan.anchors && trail.append(asking.at, event.status, &event.snapshot);
            }
        } else if let Some(observed) = observed {
            let fresh = Trail::new(wider(hidden, self.users.missed));
            follow(&self.plan, asking, Some(self.users.get(&*event.user).unwrap_or(&fresh)), observed);
        }
        let evicted = self.ledger.remember(&event.user, &event.reference, remembered, self.limits.references);
        if let Some(evicted) = evicted {
            self.give_up(evicted);
        }
    }

    /// Changes the status of an event in flight; every window follows.
    pub fn settle(&mut self, user: &str, reference: &str, status: Status) -> Settled {
        let Some(event) = self.ledger.find_mut(user, reference) else { return Settled::NotInFlight };
        if !in_flight(event.status) {
            return Settled::AlreadyFinal;
        }
        event.status = status;
        let (at, user_pending) = (event.at, event.user_pending);
        let pending_in =
            if in_flight(status) { event.pending_in.clone() } else { std::mem::take(&mut event.pending_in) };
        for (place, key) in pending_in {
            let (Some(plan), Some(group)) = (self.layout.groups.get(place), self.groups.get_mut(place)) else {
                continue;
            };
            for (track, plan) in group.keys.get_mut(&key).into_iter().flatten().zip(&plan.tracks) {
                track.settle(plan, at, status);
            }
        }
        if user_pending && let Some(trail) = self.users.get_mut(user) {
            trail.settle(at, status);
        }
        if !in_flight(status) {
            self.ledger.decided(user, reference, self.limits.references);
        }
        Settled::Changed
    }

    /// Stops waiting for an event that had to make room: answers hold whatever becomes of it.
    fn give_up(&mut self, GivenUp { user, event }: GivenUp) {
        for (place, key) in event.pending_in {
            let (Some(plan), Some(group)) = (self.layout.groups.get(place), self.groups.get_mut(place)) else {
                continue;
            };
            for (track, plan) in group.keys.get_mut(&key).into_iter().flatten().zip(&plan.tracks) {
                track.freeze(plan, event.at);
            }
        }
        if event.user_pending
            && let Some(trail) = self.users.get_mut(&*user)
        {
            trail.freeze(event.at);
        }
    }

    /// How large it is. Walks everything kept.
    pub fn stats(&self) -> Sizes {
        let mut sizes = Sizes {
            users: self.users.len(),
            references: self.ledger.len(),
            undecided: self.ledger.undecided(),
            bytes: self.users.bytes() + self.users.values().map(Trail::bytes).sum::<usize>() + self.ledger.bytes(),
            ..Sizes::default()
        };
        for group in &self.groups {
            sizes.keys += group.keys.len();
            sizes.most_keys = sizes.most_keys.max(group.keys.len());
            sizes.bytes += group.keys.bytes();
            for track in group.keys.values().flatten() {
                let (kept, pending) = track.len();
                sizes.entries += kept;
                sizes.most_entries = sizes.most_entries.max(kept);
                sizes.pending += pending;
                sizes.bytes += Track::bytes(track);
            }
        }
        sizes
    }

    fn nothing(&self, event: &Observation) -> Observed {
        let observed = Observed::nothing(self.plan.windows.len(), self.plan.seen.len());
        Observed { future: event.future, ..observed }
    }

    fn asking<'a>(&self, event: &'a Observation, at: Position, status: Status) -> Asking<'a> {
        let time = Timestamp::from_microsecond(at.at).unwrap_or(event.time);
        Asking { event, at, time, status, retention: self.limits.retention_ms.saturating_mul(1_000) }
    }

    fn quota(&self, newest: i64, span: i64) -> Quota {
        quota(&self.limits, newest, span)
    }

    fn follow(&self, asking: Asking<'_>, trail: Option<&Trail>, observed: &mut Observed) {
        follow(&self.plan, asking, trail, observed);
    }
}

fn quota(limits: &Limits, newest: i64, span: i64) -> Quota {
    let reach = span.saturating_add(limits.lateness_ms.saturating_mul(1_000));
    Quota { horizon: newest.saturating_sub(reach), keys: limits.keys }
}

/// Fills in what the user's trail says.
fn follow(plan: &HistoryPlan, asking: Asking<'_>, trail: Option<&Trail>, observed: &mut Observed) {
    observed.late = trail.is_some_and(|trail| trail.newest > asking.at);
    if !plan.anchors {
        return;
    }
    let start = Position::opening(asking.at.at.saturating_sub(asking.retention).saturating_add(1));
    let reach = Reach { start, end: asking.at };
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

fn wider(a: Lost, b: Lost) -> Lost {
    if a.upto >= b.upto { a } else { b }
}
