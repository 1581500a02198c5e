//! A tenant's history in memory, and how the journal gives it back.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;

use challenge::TenantId;
use engine::event::Event;
use engine::history::plan::EventKind;
use engine::history::{History, Limits, Observation, Observed, clamp_future};
use engine::lists::ListState;
use engine::observe::Occasion;
use engine::program::Program;
use engine::signals::Located;
use engine::status::Status;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::status_after;
use crate::store::{JournalEntry, Seq, Store, StoreError};

/// How many journal entries are read at a time.
const PAGE: u32 = 1_000;
/// How far in the future an event may claim to be before its time is clamped.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);
/// Events remembered until their challenge ends.
const MOST_OPEN: usize = 65_536;

/// What the journal keeps of an event: enough to observe it again under any pack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JournalLine {
    /// The event with what was looked up about it at the time.
    pub located: Located,
    /// How it was answered.
    pub status: Status,
}

/// One step of the past.
pub(super) enum Step {
    /// An event.
    Event(Box<JournalLine>),
    /// How an earlier one ended.
    Settled {
        /// Whose.
        user: String,
        /// History's name for it.
        reference: String,
        /// How.
        status: Status,
        /// When.
        at: Timestamp,
    },
}

/// History, the order in which it heard of things, and the events whose challenge is open.
pub(super) struct Past {
    history: History,
    seq: u64,
    open: HashMap<(Arc<str>, Arc<str>), Located>,
    opened: VecDeque<(Arc<str>, Arc<str>)>,
}

/// When an event happened, as far as the caller says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// As the event says (`occurredAt`).
    Said,
    /// Now: when it is observed.
    Now,
}

impl Past {
    /// A tenant without a past, or whose past is about to be remembered.
    pub(super) fn empty(program: &Program) -> Past {
        Past::of(History::new(program.history_plan().clone(), Limits::default()).seeded(seed()))
    }

    /// A tenant with a past that was not read.
    pub(super) fn unknown_before(program: &Program, since: Timestamp) -> Past {
        Past::of(History::warming(program.history_plan().clone(), Limits::default(), since).seeded(seed()))
    }

    fn of(history: History) -> Past {
        Past { history, seq: 0, open: HashMap::new(), opened: VecDeque::new() }
    }

    /// Counts an event and answers what the pack asks about its past. The time is stamped here, under the lock, and
    /// never before an event that was counted already: two parallel events must see each other one way round.
    pub(super) fn observe(
        &mut self,
        program: &Program,
        lists: &ListState,
        located: &mut Located,
        when: When,
        received: Timestamp,
    ) -> Observed {
        let future = self.stamp(located, when, received);
        self.seq += 1;
        let observation = observation(program, lists, located, self.seq, None, future);
        self.history.observe(&observation)
    }

    /// Answers as [`Past::observe`] would, and counts nothing.
    pub(super) fn peek(
        &self,
        program: &Program,
        lists: &ListState,
        located: &mut Located,
        when: When,
        received: Timestamp,
    ) -> Observed {
        let future = self.stamp(located, when, received);
        self.history.peek(&observation(program, lists, located, self.seq + 1, None, future))
    }

    fn stamp(&self, located: &mut Located, when: When, received: Timestamp) -> bool {
        let (time, future) = match when {
            When::Said => clamp_future(located.event.time, received, TOLERANCE),
            When::Now => (self.history.watermark().map_or(received, |newest| newest.max(received)), false),
        };
        if time != located.event.time {
            Arc::make_mut(&mut located.event).time = time;
        }
        future
    }

    /// Takes in a step of the journal.
    pub(super) fn remember(&mut self, program: &Program, lists: &ListState, step: &Step) {
        match step {
            Step::Event(line) => {
                self.seq += 1;
                self.history.remember(&observation(program, lists, &line.located, self.seq, None, false));
                self.answered(program, lists, &line.located, line.status);
            }
            Step::Settled { user, reference, status, at } => {
                self.settle(program, lists, user, reference, *status, *at);
            }
        }
    }

    /// Says how an event was answered.
    pub(super) fn answered(&mut self, program: &Program, lists: &ListState, located: &Located, status: Status) {
        let reference = reference(located);
        self.history.settle(&located.event.user, &reference, status);
        if status != Status::Challenged {
            return;
        }
        self.challenge_step(program, lists, located, EventKind::ChallengeIssued, located.event.time);
        let key = (located.event.user.clone(), reference);
        if self.open.insert(key.clone(), located.clone()).is_none() {
            self.opened.push_back(key);
        }
        while self.opened.len() > MOST_OPEN {
            // The oldest have ended long ago, or were superseded.
            if let Some(oldest) = self.opened.pop_front() {
                self.open.remove(&oldest);
            }
        }
    }

    /// Says how an event ended.
    pub(super) fn settle(
        &mut self,
        program: &Program,
        lists: &ListState,
        user: &str,
        reference: &str,
        status: Status,
        at: Timestamp,
    ) {
        let kind = match status {
            Status::Verified => Some(EventKind::ChallengeSucceeded),
            Status::Declined => Some(EventKind::ChallengeDeclined),
            Status::Expired => Some(EventKind::ChallengeExpired),
            Status::Pending | Status::Allowed | Status::Blocked | Status::Challenged => None,
        };
        if status != Status::Challenged
            && let Some(located) = self.open.remove(&(Arc::from(user), Arc::from(reference)))
            && let Some(kind) = kind
        {
            self.challenge_step(program, lists, &located, kind, at);
        }
        self.history.settle(user, reference, status);
    }

    /// A step of a challenge's life is an event of its own, with the fields of the event it is about.
    fn challenge_step(
        &mut self,
        program: &Program,
        lists: &ListState,
        located: &Located,
        kind: EventKind,
        at: Timestamp,
    ) {
        if !program.has_own_challenge(&located.event) {
            return;
        }
        let event = Event { time: at, status: None, ..Event::clone(&located.event) };
        let located = Located { event: Arc::new(event), ..located.clone() };
        self.seq += 1;
        self.history.remember(&observation(program, lists, &located, self.seq, Some(kind), false));
    }
}

/// A secret of this process: whoever chooses ids must not be able to choose such that collide in history's tables.
fn seed() -> [u64; 4] {
    let dice = std::hash::RandomState::new();
    [0, 1, 2, 3].map(|n: u64| dice.hash_one(n))
}

fn observation(
    program: &Program,
    lists: &ListState,
    located: &Located,
    seq: u64,
    kind: Option<EventKind>,
    future: bool,
) -> Observation {
    let reference = match kind {
        None => reference(located),
        Some(kind) => format!("{}#{kind:?}", reference(located)).into(),
    };
    program.observe(located, lists, &Occasion { seq, reference, kind, future })
}

fn reference(located: &Located) -> Arc<str> {
    // Every event of ours has one; an empty one would make all of a user's events the same.
    located.event.reference.clone().unwrap_or_else(|| located.event.time.to_string().into())
}

/// Reads the journal after `after` and hands every step on, in commit order; gives where it ended.
pub(super) async fn replay(
    store: &Store,
    mut after: Option<Seq>,
    mut take: impl FnMut(&TenantId, &Step),
) -> Result<Option<Seq>, StoreError> {
    loop {
        let page = store.journal(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(after) };
        after = Some(last.seq());
        for entry in &page {
            match entry {
                JournalEntry::Event { seq, tenant, line, .. } => match serde_json::from_str(line) {
                    Ok(line) => take(tenant, &Step::Event(Box::new(line))),
                    // Erased lines are empty by design; a line that is merely strange must not stop the service.
                    Err(error) if !line.is_empty() => tracing::error!(seq, %error, "a journal line cannot be read"),
                    Err(_) => {}
                },
                JournalEntry::Settled(settled) => {
                    let Some(status) = status_after(settled.how) else { continue };
                    let step = Step::Settled {
                        user: settled.user.to_string(),
                        reference: crate::decode::reference(&settled.action, &settled.idempotency_key),
                        status,
                        at: settled.at,
                    };
                    take(&settled.tenant, &step);
                }
            }
        }
    }
}
