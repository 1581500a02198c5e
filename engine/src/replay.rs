//! A stream of events folded into decisions: the one loop behind `eval`, `test`, backtests and the live server.

mod open;
mod repeats;

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    evaluate::evaluate,
    event::{Event, FieldError},
    history::{History, HistoryPlan, Limits, Settled, plan::EventKind},
    lists::{ListState, parse_entry},
    observe::Occasion,
    outcome::Outcome,
    program::Program,
    signals::{Located, Signals},
    status::Status,
    verdict::{ListEffect, Verdict},
};
use open::Open;
use repeats::Repeats;

/// How a challenge ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeEnd {
    /// Approved.
    Succeeded,
    /// Rejected on the phone.
    Declined,
    /// Not answered in time.
    Expired,
}

impl ChallengeEnd {
    /// The end with this name in a stream.
    #[must_use]
    pub fn from_word(word: &str) -> Option<ChallengeEnd> {
        match word {
            "succeeded" => Some(ChallengeEnd::Succeeded),
            "declined" => Some(ChallengeEnd::Declined),
            "expired" => Some(ChallengeEnd::Expired),
            _ => None,
        }
    }

    /// The status the event has then.
    #[must_use]
    pub fn status(self) -> Status {
        match self {
            ChallengeEnd::Succeeded => Status::Verified,
            ChallengeEnd::Declined => Status::Declined,
            ChallengeEnd::Expired => Status::Expired,
        }
    }

    /// The step it is in history.
    #[must_use]
    pub fn kind(self) -> EventKind {
        match self {
            ChallengeEnd::Succeeded => EventKind::ChallengeSucceeded,
            ChallengeEnd::Declined => EventKind::ChallengeDeclined,
            ChallengeEnd::Expired => EventKind::ChallengeExpired,
        }
    }
}

/// The fold: a program, the past so far, and the lists as they are.
///
/// The stream is the complete history, so nothing is warming up. An event's outcome becomes its status: allowed and
/// blocked are final, challenged waits for [`Stream::challenge`]. Imported events that say how they ended keep that.
#[derive(Debug)]
pub struct Stream {
    program: Arc<Program>,
    history: History,
    lists: ListState,
    seq: u64,
    /// Challenged events, so that the end of a challenge can be told with the fields of its event.
    open: Open,
    repeats: Repeats,
}

impl Stream {
    /// A stream at its beginning.
    #[must_use]
    pub fn new(program: Arc<Program>) -> Stream {
        let history = History::new(plan(&program), Limits::default());
        Stream::over(program, history)
    }

    /// A stream that goes on from a history of the program's plan.
    #[must_use]
    pub fn over(program: Arc<Program>, history: History) -> Stream {
        Stream {
            program,
            history,
            lists: ListState::default(),
            seq: 0,
            open: Open::default(),
            repeats: Repeats::default(),
        }
    }

    /// The lists, to add entries to before the stream begins.
    pub fn lists_mut(&mut self) -> &mut ListState {
        &mut self.lists
    }

    /// The program that judges the stream.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The refusal of an event whose idempotency key is that of another event of its user. To be asked before the event is pushed;
    /// as many keys are remembered as history has references ([`Limits::references`]) at least.
    pub fn contradiction(&mut self, event: &Event) -> Option<FieldError> {
        self.repeats.contradicts(event).then(|| FieldError {
            pointer: "/idempotencyKey".into(),
            code: "idempotency-conflict",
            detail: "an earlier event of this user has the same key and is another one; a repeat says the same".into(),
        })
    }

    /// Observes an event, judges it, and settles it by the verdict.
    pub fn push(&mut self, located: Located) -> (Signals, Verdict) {
        let reference = self.reference(&located);
        let occasion = Occasion { seq: self.next_seq(), reference: Arc::clone(&reference), kind: None, future: false };
        let observation = self.program.observe(&located, &self.lists, &occasion);
        let observed = self.history.observe(&observation);
        let signals = self.program.assemble(located.clone(), observed, &self.lists);
        let verdict = evaluate(&self.program, &signals);
        self.apply(&verdict.effects, located.event.time);
        if located.event.status.is_none() {
            match verdict.outcome {
                Outcome::Allow => self.settle(&located.event.user, &reference, Status::Allowed),
                Outcome::Block => self.settle(&located.event.user, &reference, Status::Blocked),
                Outcome::Challenge => {
                    self.settle(&located.event.user, &reference, Status::Challenged);
                    self.step(&located, EventKind::ChallengeIssued, located.event.time, &reference);
                    let user = Arc::clone(&located.event.user);
                    self.open.insert(&user, reference, self.seq, located);
                    Settled::Changed
                }
            };
        }
        (signals, verdict)
    }

    /// Remembers an event without judging it.
    pub fn remember(&mut self, located: &Located, kind: Option<EventKind>) {
        let reference = self.reference(located);
        let occasion = Occasion { seq: self.next_seq(), reference, kind, future: false };
        let observation = self.program.observe(located, &self.lists, &occasion);
        self.history.remember(&observation);
    }

    /// Tells how the challenge of an earlier event ended. Says whether there was such a challenge.
    pub fn challenge(&mut self, user: &str, reference: &str, end: ChallengeEnd, at: Timestamp) -> bool {
        let Some(located) = self.open.remove(user, reference) else { return false };
        self.step(&located, end.kind(), at, reference);
        self.settle(user, reference, end.status()) == Settled::Changed
    }

    /// Changes how an event ended.
    pub fn settle(&mut self, user: &str, reference: &str, status: Status) -> Settled {
        self.history.settle(user, reference, status)
    }

    fn step(&mut self, located: &Located, kind: EventKind, at: Timestamp, reference: &str) {
        if !self.program.has_own_challenge(&located.event) {
            return;
        }
        let event = crate::event::Event { time: at, status: None, ..crate::event::Event::clone(&located.event) };
        let located = Located { event: Arc::new(event), ..located.clone() };
        let reference = Arc::from(format!("{reference}#{kind:?}"));
        let occasion = Occasion { seq: self.next_seq(), reference, kind: Some(kind), future: false };
        let observation = self.program.observe(&located, &self.lists, &occasion);
        self.history.remember(&observation);
    }

    fn apply(&mut self, effects: &[ListEffect], at: Timestamp) {
        for effect in effects {
            let Some(list) = self.program.lists.iter().find(|list| list.name == effect.list) else { continue };
            let for_s = i64::try_from(effect.for_s).unwrap_or(i64::MAX);
            let until = at.checked_add(jiff::SignedDuration::from_secs(for_s)).ok();
            if let Some(value) = parse_entry(&effect.value, &list.element) {
                self.lists.add(&effect.list, &value, until);
            }
        }
    }

    fn reference(&self, located: &Located) -> Arc<str> {
        match &located.event.reference {
            Some(reference) => Arc::clone(reference),
            None => format!("#{}", self.seq + 1).into(),
        }
    }

    fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }
}

fn plan(program: &Program) -> Arc<HistoryPlan> {
    Arc::clone(program.history_plan())
}
