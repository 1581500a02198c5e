//! What the rules of a policy come to, counted as they are found, in any order.

use super::hits::{Hit, Standing};
use crate::{
    outcome::Outcome,
    program::{AnswerKind, Mode, Policy, Rule},
};

/// The live rules that simply match, as far as combining goes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Leads {
    strictest: Lead,
    /// Of all rules, the one of the highest priority: its outcome's bits stand last.
    first: Lead,
}

impl Leads {
    #[inline]
    pub fn add(&mut self, lead: Lead) {
        self.strictest = self.strictest.max(lead);
        self.first = self.first.max(Lead(lead.0.rotate_left(OUTCOME)));
    }

    /// The outcome of the strictest rule.
    #[inline]
    pub fn strictest(&self) -> Option<Outcome> {
        self.strictest.outcome()
    }

    /// The rule of the highest priority.
    #[inline]
    pub fn first(&self) -> Lead {
        Lead(self.first.0.rotate_right(OUTCOME))
    }
}

/// What all rules of a policy come to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    leads: Leads,
    exempt: Lead,
    pub points: i128,
    /// What the points of rules that could not be told and raise the answer would add.
    pub more: i128,
    /// Whether a rule that could not be told would raise the answer.
    pub unknown: bool,
}

impl Tally {
    pub fn new(leads: Leads) -> Tally {
        Tally { leads, ..Tally::default() }
    }

    /// Any rule. With `shadow`, as if shadow rules were live.
    pub fn add(&mut self, hit: &Hit<'_>, shadow: bool) {
        if !acts(hit.weight.mode, shadow) {
            return;
        }
        if hit.standing == Standing::StepUp {
            self.unknown = true;
            self.more += hit.rule.answer.points().max(0);
        }
        if !hit.standing.matched() {
            return;
        }
        let lead = |outcome| Lead::new(outcome, hit.weight.rank, hit.position);
        match hit.weight.kind {
            AnswerKind::Outcome(outcome) => self.leads.add(lead(outcome)),
            AnswerKind::Exempt => {
                self.exempt = self.exempt.max(lead(Outcome::Allow));
                self.leads.add(lead(Outcome::Allow));
            }
            AnswerKind::Score => self.points += hit.rule.answer.points(),
            AnswerKind::Nothing => {}
        }
    }

    /// The strictest outcome that rules ask for, and of those that do the rule of the highest priority.
    pub fn strictest<'a>(&self, policy: &'a Policy) -> Option<(Outcome, &'a Rule)> {
        self.leads.strictest.of(policy)
    }

    /// The rule with an outcome of the highest priority.
    pub fn first<'a>(&self, policy: &'a Policy) -> Option<(Outcome, &'a Rule)> {
        self.leads.first().of(policy)
    }

    /// The exemption of the highest priority.
    pub fn exempt<'a>(&self, policy: &'a Policy) -> Option<(Outcome, &'a Rule)> {
        self.exempt.of(policy)
    }
}

/// Whether a rule has a say in the policy's answer. With `shadow`, as if shadow rules were live.
pub(crate) fn acts(mode: Mode, shadow: bool) -> bool {
    match mode {
        Mode::Live => true,
        Mode::Shadow => shadow,
        Mode::Off => false,
    }
}

/// A rule that leads, as a number, so that the higher one leads: by its outcome, then by its priority. Zero is no rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lead(u64);

/// Bits of an outcome, and of a rank and of a position: packs have limits far below.
const OUTCOME: u32 = 2;
const PLACE: u32 = 31;
const MOST: u64 = (1 << PLACE) - 1;

impl Lead {
    pub fn new(outcome: Outcome, rank: u32, position: u32) -> Lead {
        let outcome = match outcome {
            Outcome::Allow => 0,
            Outcome::Challenge => 1,
            Outcome::Block => 2,
        };
        let priority = MOST - u64::from(rank).min(MOST - 1);
        Lead(outcome << (2 * PLACE) | priority << PLACE | u64::from(position).min(MOST))
    }

    #[inline]
    pub fn outcome(self) -> Option<Outcome> {
        match self.0 >> (2 * PLACE) {
            _ if self == Lead::default() => None,
            0 => Some(Outcome::Allow),
            1 => Some(Outcome::Challenge),
            _ => Some(Outcome::Block),
        }
    }

    fn of(self, policy: &Policy) -> Option<(Outcome, &Rule)> {
        Some((self.outcome()?, policy.rules.get(usize::try_from(self.0 & MOST).ok()?)?))
    }
}
