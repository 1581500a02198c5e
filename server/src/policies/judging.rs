//! Observing before judging: one event, one atomic append-and-read of history, one verdict.

use std::sync::Arc;

use engine::history::Observed;
use engine::lists::ListState;
use engine::program::Program;
use engine::signals::{Located, Signals};
use engine::status::Status;
use engine::verdict::Verdict;
use jiff::Timestamp;

use super::past::When;
use super::{Loaded, TenantPolicies};

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
    pub fn observe(&self, mut located: Located, when: When, received: Timestamp) -> (Signals, Verdict) {
        let lists = self.policies.lists.load_full();
        let observed = self.policies.past().observe(self.program(), &lists, &mut located, when, received);
        self.judge(located, observed, &lists)
    }

    /// What the rules would say; nothing is counted.
    pub fn rehearse(&self, mut located: Located, when: When, received: Timestamp) -> (Signals, Verdict) {
        let lists = self.policies.lists.load_full();
        let observed = self.policies.past().peek(self.program(), &lists, &mut located, when, received);
        self.judge(located, observed, &lists)
    }

    fn judge(&self, located: Located, observed: Observed, lists: &ListState) -> (Signals, Verdict) {
        let mut signals = self.program().assemble(located, observed, lists);
        let verdict = engine::evaluate(self.program(), &signals);
        // A replay takes what the scripts returned instead of running them again.
        signals.scripts = verdict.scripts.clone();
        (signals, verdict)
    }

    /// Tells history how the event was answered. Call it after the commit.
    pub fn answered(&self, located: &Located, status: Status) {
        let lists = self.policies.lists.load();
        self.policies.past().answered(self.program(), &lists, located, status);
    }
}
