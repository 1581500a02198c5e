//! A tenant's history in memory, and how the journal gives it back.

use std::sync::Arc;

use challenge::TenantId;
use engine::history::{History, Limits};
use engine::program::Program;
use engine::signals::Located;
use engine::status::Status;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::status_after;
use crate::store::{JournalEntry, Seq, Store, StoreError};

/// How many journal entries are read at a time.
const PAGE: u32 = 1_000;

/// What the journal keeps of an event: enough to observe it again under any pack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JournalLine {
    /// The event with what was looked up about it at the time.
    pub located: Located,
    /// When it reached us.
    pub received: Timestamp,
    /// How it was answered.
    pub status: Status,
}

/// One step of the past.
pub(super) enum Step {
    /// An event, and the moment it reached us.
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

/// History and the order in which it heard of things.
pub(super) struct Past {
    pub(super) history: History,
    next: u64,
}

impl Past {
    /// A tenant without a past, or whose past is about to be remembered.
    pub(super) fn empty(program: &Program) -> Past {
        Past { history: History::new(program.history_plan().clone(), Limits::default()), next: 0 }
    }

    /// A tenant with a past that was not read.
    pub(super) fn unknown_before(program: &Program, since: Timestamp) -> Past {
        Past { history: History::warming(program.history_plan().clone(), Limits::default(), since), next: 0 }
    }

    /// The next place in the order of arrival.
    pub(super) fn next(&mut self) -> u64 {
        let next = self.next;
        self.next += 1;
        next
    }
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
