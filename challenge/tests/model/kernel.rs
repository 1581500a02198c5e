//! The real transitions, remembered: they are pure, so each one is computed once, signatures verified and all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use challenge::signature::Signature;
use challenge::state::{Draft, Supersession};
use challenge::*;

use crate::support::{self, Phone};

/// A tick of the model's clock, in seconds. As long as [`challenge::redeem::RETRY_WINDOW`], so that a retry comes in time
/// within a tick and too late after it.
pub const TICK_S: i64 = 60;
/// How many ticks a challenge lives.
pub const LIFE: u8 = 2;

/// A challenge in one of its states, by number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Row(u16);

/// Which of the two challenges.
pub type Which = u8;
/// Which of the two phones.
pub type Who = u8;

/// What somebody may send about a challenge.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Request {
    /// A phone scans it.
    Claim(Who, Which),
    /// A phone answers; `true` approves.
    Answer(Who, Which, bool),
    /// Somebody who read the body of a claim sends its signature as an approval.
    Replay(Who, Which),
    /// Somebody who holds up a rejection on its way sends its signature as an approval.
    Flip(Who, Which),
    /// The server's worker ends it.
    Expire(Which),
    /// The backend changes the action.
    Change(Which),
    /// The screen shows the second challenge in the place of the first.
    Refresh,
    /// The user removes a phone.
    Revoke(Who),
    /// A backend, by its API key, validates the approval's token.
    Validate(Which, u8),
}

/// Where a challenge's life stands, for those who look.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Stands {
    Generated,
    Claimed,
    Approved,
    Rejected,
    Expired,
    Superseded,
}

impl Stands {
    pub fn is_end(self) -> bool {
        !matches!(self, Self::Generated | Self::Claimed)
    }
}

/// What the properties ask about a row.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    pub stands: Stands,
    pub claimer: Option<Who>,
    /// Tick from which it can be neither claimed nor answered.
    pub expires: u8,
    /// The approval may be the claim replayed, and says so.
    pub repeats_claim: bool,
}

/// What a transition yields.
pub type Step = Result<(Row, Effect), Refusal>;

pub struct Kernel {
    phones: [Phone; 2],
    subject: Subject,
    /// What each phone signs to claim each challenge with a stock SDK, and to reject it: the same bytes however often they
    /// are sent, and by whom.
    claims: [[Signature; 2]; 2],
    rejections: [[Signature; 2]; 2],
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    rows: HashMap<(String, String, u32), Row>,
    challenges: Vec<(Arc<Challenge>, Facts)>,
    generated: HashMap<(Which, u8), Row>,
    /// The bytes that a phone sends for a request are made once: whoever retries sends the same again.
    operations: HashMap<(Request, u8), Arc<Operation>>,
    steps: HashMap<(Row, Request, bool, u8), Step>,
}

impl Kernel {
    pub fn new(phones: [Phone; 2], subject: Subject) -> Self {
        let signed = || {
            std::array::from_fn(|who: usize| {
                std::array::from_fn(|which| phones[who].sign(&id(which as Which).to_string()))
            })
        };
        let (claims, rejections) = (signed(), signed());
        Self { phones, subject, claims, rejections, known: Mutex::default() }
    }

    pub fn owner(&self, phone: Who) -> &UserId {
        &self.phones[phone as usize].credential.user
    }

    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    pub fn facts(&self, row: Row) -> Facts {
        self.known().challenges[row.0 as usize].1
    }

    /// A new challenge.
    pub fn generate(&self, which: Which, now: u8) -> Row {
        let mut known = self.known();
        if let Some(row) = known.generated.get(&(which, now)) {
            return *row;
        }
        let draft = Draft {
            id: id(which),
            subject: self.subject.clone(),
            life: jiff::SignedDuration::from_secs(i64::from(LIFE) * TICK_S),
            ..support::draft()
        };
        let challenge = Challenge::generate(draft, at(now)).expect("a challenge");
        let row = self.number(&mut known, challenge, now);
        known.generated.insert((which, now), row);
        row
    }

    /// The transition that a request asks for, by a credential that is or is not revoked.
    pub fn step(&self, row: Row, request: Request, revoked: bool, now: u8) -> Step {
        let mut known = self.known();
        let key = (row, request, revoked, now);
        if let Some(step) = known.steps.get(&key) {
            return *step;
        }
        let (before, facts) = known.challenges[row.0 as usize].clone();
        let made = facts.expires - LIFE;
        let operation = known
            .operations
            .entry((request, made))
            .or_insert_with(|| Arc::new(self.operation(request, &before)))
            .clone();
        let credential = match request {
            Request::Claim(who, _) | Request::Answer(who, ..) | Request::Replay(who, _) | Request::Flip(who, _) => {
                let mut credential = self.phones[who as usize].credential.clone();
                if revoked {
                    credential.status = CredentialStatus::Revoked;
                }
                Some(credential)
            }
            Request::Expire(_) | Request::Change(_) | Request::Refresh | Request::Revoke(_) | Request::Validate(..) => {
                None
            }
        };
        let step = before.apply(&operation, credential.as_ref(), at(now)).map(|transition| {
            let next = support::stored(&transition.next);
            (self.number(&mut known, next, made), transition.effect)
        });
        known.steps.insert(key, step);
        step
    }

    /// How many different transitions were asked of the kernel.
    pub fn asked(&self) -> usize {
        self.known().steps.len()
    }

    fn operation(&self, request: Request, challenge: &Challenge) -> Operation {
        let phone = |who: Who| &self.phones[who as usize];
        let id = challenge.id().to_string();
        let signed = |made: &[[Signature; 2]; 2], who: Who, which: Which| made[who as usize][which as usize];
        let v2 = |who: Who| phone(who).credential.platform == Platform::Other;
        match request {
            Request::Claim(who, _) if v2(who) => Operation::Claim(phone(who).v2_claim(challenge)),
            Request::Claim(who, which) => {
                Operation::Claim(support::compat_claim_with(signed(&self.claims, who, which)))
            }
            Request::Answer(who, _, yes) if v2(who) => {
                Operation::Answer(decision(yes), phone(who).v2_answer(challenge, decision(yes), ""))
            }
            Request::Answer(who, _, true) => {
                Operation::Answer(Decision::Approve, support::compat_answer_with(phone(who).sign(&id), ""))
            }
            Request::Answer(who, which, false) => {
                let signature = signed(&self.rejections, who, which);
                Operation::Answer(Decision::Reject, support::compat_answer_with(signature, ""))
            }
            Request::Replay(who, _) if v2(who) => {
                let signature = phone(who).v2_claim(challenge).signature;
                let proof = AnswerProof::V2 { issuer: support::issuer() };
                Operation::Answer(Decision::Approve, AnswerAttempt { signature, proof, code: support::code("") })
            }
            Request::Replay(who, which) => {
                let signature = signed(&self.claims, who, which);
                Operation::Answer(Decision::Approve, support::compat_answer_with(signature, ""))
            }
            Request::Flip(who, _) if v2(who) => {
                Operation::Answer(Decision::Approve, phone(who).v2_answer(challenge, Decision::Reject, ""))
            }
            Request::Flip(who, which) => {
                let signature = signed(&self.rejections, who, which);
                Operation::Answer(Decision::Approve, support::compat_answer_with(signature, ""))
            }
            Request::Expire(_) => Operation::Expire,
            Request::Change(_) => Operation::Supersede(Supersession::ActionChanged),
            Request::Refresh => Operation::Supersede(Supersession::Refreshed),
            Request::Revoke(_) | Request::Validate(..) => unreachable!("not about a challenge's state"),
        }
    }

    fn number(&self, known: &mut Known, challenge: Challenge, made: u8) -> Row {
        let key = (challenge.frozen_text().expect("text"), challenge.state_text().expect("text"), challenge.version());
        if let Some(row) = known.rows.get(&key) {
            return *row;
        }
        let row = Row(u16::try_from(known.challenges.len()).expect("few rows"));
        let facts = self.look(&challenge, made);
        known.challenges.push((Arc::new(challenge), facts));
        known.rows.insert(key, row);
        row
    }

    fn look(&self, challenge: &Challenge, made: u8) -> Facts {
        let stands = match challenge.state() {
            State::Generated => Stands::Generated,
            State::Claimed(_) => Stands::Claimed,
            State::Approved { .. } => Stands::Approved,
            State::Rejected { .. } => Stands::Rejected,
            State::Expired { .. } => Stands::Expired,
            State::Superseded { .. } => Stands::Superseded,
        };
        let by = challenge.state().claim().map(|claim| &claim.by);
        let claimer = by.and_then(|by| self.phones.iter().position(|phone| phone.credential.id == *by));
        Facts {
            stands,
            claimer: claimer.map(|who| who as Who),
            expires: made + LIFE,
            repeats_claim: matches!(challenge.state(), State::Approved { answer, .. } if answer.repeats_claim),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub fn at(tick: u8) -> jiff::Timestamp {
    support::at(i64::from(tick) * TICK_S)
}

fn id(which: Which) -> ChallengeId {
    ChallengeId::parse(&format!("3a991a14-690c-492b-a5e5-02b9056a4b7{which}")).expect("an id")
}

fn decision(yes: bool) -> Decision {
    if yes { Decision::Approve } else { Decision::Reject }
}
