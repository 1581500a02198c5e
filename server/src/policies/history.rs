//! Observing before judging: one event, one atomic append-and-read of history, one verdict.

use std::sync::Arc;

use engine::program::Program;
use engine::signals::{Located, Signals};
use engine::status::Status;
use engine::verdict::Verdict;
use jiff::{SignedDuration, Timestamp};

use super::past::{Past, Step};
use super::{Loaded, TenantPolicies};

/// How far in the future an event may claim to be before its time is clamped.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// The right to judge under one pack. While it is held, no other pack takes over, so what was observed under this one
/// is committed under this one.
pub struct Judging<'a> {
    policies: &'a TenantPolicies,
    loaded: Arc<Loaded>,
    _turn: tokio::sync::RwLockReadGuard<'a, ()>,
}

impl TenantPolicies {
    /// Begins to judge an event.
    pub async fn judging(&self) -> Judging<'_> {
        let turn = self.turnstile.read().await;
        Judging { policies: self, loaded: self.loaded.load_full(), _turn: turn }
    }
}

impl Judging<'_> {
    /// The program that judges.
    pub fn program(&self) -> &Arc<Program> {
        &self.loaded.program
    }

    /// Counts the event, and says what the rules say. Of two parallel events one sees the other.
    ///
    /// A commit that fails afterwards leaves the event pending: it counts as if it had gone through, which errs towards
    /// asking once too often. The restart that follows a broken store forgets it.
    pub fn observe(&self, located: Located, received: Timestamp) -> (Signals, Verdict) {
        let program = self.program();
        let observed = {
            let mut past = self.policies.past();
            let observation = program.observation(&located, Status::Pending, past.next(), received, TOLERANCE);
            past.history.observe(&observation)
        };
        self.judge(located, observed)
    }

    /// What the rules would say; nothing is counted.
    pub fn rehearse(&self, located: Located, received: Timestamp) -> (Signals, Verdict) {
        let observed = {
            let past = self.policies.past();
            let observation = self.program().observation(&located, Status::Pending, u64::MAX, received, TOLERANCE);
            past.history.peek(&observation)
        };
        self.judge(located, observed)
    }

    fn judge(&self, located: Located, observed: engine::history::Observed) -> (Signals, Verdict) {
        let lists = self.policies.lists.load_full();
        let signals = self.program().assemble(located, observed, &lists);
        let verdict = engine::evaluate(self.program(), &signals);
        (signals, verdict)
    }

    /// Tells history how the event was answered. Call it after the commit.
    pub fn settle(&self, user: &str, reference: &str, status: Status, at: Timestamp) {
        self.policies.past().settle(self.program(), user, reference, status, at);
    }
}

impl Past {
    /// Takes in a step of the journal.
    pub(super) fn remember(&mut self, program: &Program, step: &Step) {
        match step {
            Step::Event(line) => {
                let located = &line.located;
                let observation = program.observation(located, line.status, self.next(), line.received, TOLERANCE);
                self.history.remember(&observation);
            }
            Step::Settled { user, reference, status, at } => self.settle(program, user, reference, *status, *at),
        }
    }

    /// Says how an event ended.
    pub(super) fn settle(&mut self, _program: &Program, user: &str, reference: &str, status: Status, _at: Timestamp) {
        self.history.settle(user, reference, status);
    }
}
