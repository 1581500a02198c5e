//! A compiled pack.

use std::{collections::HashMap, sync::Arc};

use grammar::{SourceMap, Span};
use jiff::Timestamp;

use crate::{
    codes::Currency,
    event::{Event, EventId, Slot},
    history::plan::{EventKind, HistoryPlan},
    index::{Index, Numbering},
    ir::{Atom, Cond, Expr},
    lists::List,
    outcome::{Claimant, Level, Outcome, Severity},
    rates::Rates,
    schema::EventSchema,
    script::Script,
    testing::TestCase,
    types::Type,
};

/// The action that stands for a phone claiming a challenge.
pub const CHALLENGE_CLAIM: &str = "challenge_claim";
/// The action that stands for the recovery of an account.
pub const RECOVERY: &str = "recovery";

/// A compiled pack: what [`crate::compile`] makes and everything else reads.
#[derive(Debug)]
pub struct Program {
    pub(crate) version: String,
    pub(crate) events: Vec<EventSchema>,
    pub(crate) actions: HashMap<Arc<str>, EventId>,
    pub(crate) slots: Arc<[Arc<str>]>,
    pub(crate) atoms: Vec<Atom>,
    pub(crate) policies: Vec<Policy>,
    pub(crate) panels: Vec<Panel>,
    pub(crate) numbering: Numbering,
    /// The panel of each declared event.
    pub(crate) panel_of: Vec<usize>,
    /// The panel of events that no other policy names.
    pub(crate) fallback: usize,
    pub(crate) reasons: Vec<ReasonText>,
    pub(crate) lists: Vec<List>,
    pub(crate) questions: Vec<ListQuestion>,
    pub(crate) scripts: Vec<Script>,
    pub(crate) rates: Option<Rates>,
    /// Of the amounts that the rules name.
    pub(crate) currencies: Vec<Currency>,
    pub(crate) plan: Arc<HistoryPlan>,
    pub(crate) recorded: Recorded,
    pub(crate) needs: Needs,
    pub(crate) tests: Vec<TestCase>,
    pub(crate) proofs: Vec<Proof>,
    pub(crate) sources: SourceMap,
}

/// Policies that judge an event together.
#[derive(Debug)]
pub(crate) struct Panel {
    /// Positions in `policies`, in the order of the pack.
    pub policies: Vec<usize>,
    /// The index over their rules.
    pub index: Index,
}

/// The policies that apply to an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policies<'a> {
    program: &'a Program,
    numbers: &'a [usize],
}

impl<'a> Policies<'a> {
    /// The policy at this position among those that apply.
    #[inline]
    pub fn get(&self, number: u16) -> Option<&'a Policy> {
        self.program.policies.get(*self.numbers.get(usize::from(number))?)
    }

    /// How many apply.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// All of them, with their positions.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &'a Policy)> + use<'a> {
        let program = self.program;
        (0..).zip(self.numbers.iter().filter_map(move |number| program.policies.get(*number)))
    }
}

/// How to read from an event what the history plan keeps of it.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// By `FieldRef`.
    pub fields: Vec<Kept>,
    /// By `FilterId`.
    pub filters: Vec<Filter>,
    /// By `ZoneRef`.
    pub zones: Vec<Expr>,
}

/// A field of past events.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Where it is read.
    pub expr: Expr,
    /// The currency in which its amounts are kept, each at the rate of its own time.
    pub currency: Option<Currency>,
}

/// A `where` clause.
#[derive(Debug)]
pub(crate) struct Filter {
    /// Whose events it is about; of any others it is false.
    pub event: EventKind,
    /// The clause.
    pub cond: Cond,
}

/// A question to a list that changes at run time.
#[derive(Debug)]
pub(crate) struct ListQuestion {
    /// As in `ip in @blocked_ips`.
    pub text: Arc<str>,
    /// What is looked for.
    pub value: Expr,
    /// The list.
    pub list: usize,
}

/// A policy.
#[derive(Debug)]
pub(crate) struct Policy {
    pub name: Arc<str>,
    /// The declared events it is for; empty for `on any`.
    pub events: Vec<EventId>,
    pub default: Answer,
    pub combine: Combine,
    /// In the order of the file.
    pub rules: Vec<Rule>,
    pub owner: Option<Arc<str>>,
}

/// How the outcomes of rules combine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Combine {
    Strictest,
    FirstMatch,
    /// The least total for each outcome, greatest first.
    Score(Vec<(i64, Outcome)>),
}

/// A rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub name: Arc<str>,
    /// Its place in its policy by priority, higher first, then by position.
    pub rank: u32,
    pub description: Option<Arc<str>>,
    pub mode: Mode,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub rollout: Option<Rollout>,
    pub cond: Cond,
    /// Whether asking the condition may run a script.
    pub scripted: bool,
    pub on_unknown: OnUnknown,
    pub answer: Answer,
    pub reasons: Vec<usize>,
    pub severity: Option<Severity>,
    pub flags: Vec<Arc<str>>,
    pub adds: Vec<Add>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Live,
    Shadow,
    Off,
}

impl Mode {
    /// As written behind `mode`.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Live => "live",
            Mode::Shadow => "shadow",
            Mode::Off => "off",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnUnknown {
    StepUp,
    Match,
    Skip,
}

/// What a rule or a default asks for.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Allow,
    Exempt,
    Challenge(ChallengeTemplate),
    Block,
    Score(i64),
    Nothing,
}

impl Answer {
    /// The outcome, if it is one.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Answer::Allow | Answer::Exempt => Some(Outcome::Allow),
            Answer::Challenge(_) => Some(Outcome::Challenge),
            Answer::Block => Some(Outcome::Block),
            Answer::Score(_) | Answer::Nothing => None,
        }
    }

    /// The points it adds.
    pub fn points(&self) -> i128 {
        match self {
            Answer::Score(points) => i128::from(*points),
            Answer::Allow | Answer::Exempt | Answer::Challenge(_) | Answer::Block | Answer::Nothing => 0,
        }
    }
}

/// What a rule adds to the answer, in the few bytes that combining needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight {
    pub kind: AnswerKind,
    pub mode: Mode,
    /// See [`Rule::rank`].
    pub rank: u32,
}

/// An answer without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerKind {
    Outcome(Outcome),
    Exempt,
    Score,
    Nothing,
}

impl Weight {
    pub fn of(rule: &Rule) -> Weight {
        let kind = match (&rule.answer, rule.answer.outcome()) {
            (Answer::Exempt, _) => AnswerKind::Exempt,
            (_, Some(outcome)) => AnswerKind::Outcome(outcome),
            (Answer::Score(_), None) => AnswerKind::Score,
            (_, None) => AnswerKind::Nothing,
        };
        Weight { kind, mode: rule.mode, rank: rule.rank }
    }
}

/// Fields by their path in the rule.
pub(crate) type NamedFields = Vec<(Arc<str>, Expr)>;

/// A challenge before the event's values are put in.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChallengeTemplate {
    pub level: Level,
    pub bind: NamedFields,
    pub show: NamedFields,
    pub expires_s: Option<u32>,
    pub attempts: Option<u32>,
    pub user: Claimant,
}

/// `rollout 10% by user`
#[derive(Clone, Debug)]
pub(crate) struct Rollout {
    /// Of every ten thousand.
    pub share: u16,
    pub by: Expr,
    pub path: Arc<str>,
}

/// `add ip to @blocked_ips for 24h`
#[derive(Clone, Debug)]
pub(crate) struct Add {
    pub value: Expr,
    pub list: usize,
    pub for_ms: i64,
}

/// A declared reason.
#[derive(Clone, Debug)]
pub(crate) struct ReasonText {
    pub code: Arc<str>,
    pub text: Arc<str>,
    pub internal: Option<Arc<str>>,
    pub regulation: Option<Arc<str>>,
}

/// A proof that the pack asks for.
#[derive(Clone, Debug)]
pub struct Proof {
    /// What it claims.
    pub name: String,
    /// The file.
    pub file: String,
    /// The line.
    pub line: u32,
}

/// What a program reads, so that enrichment looks up only that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Where the address is. Always wanted when history keeps location fixes.
    pub geo: bool,
    /// What network the address belongs to.
    pub network: bool,
    /// `user.tz`
    pub user_tz: bool,
    /// `user.home_country`
    pub user_home_country: bool,
}

/// A declared action, for people and tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionInfo {
    /// Its name in rules.
    pub name: Arc<str>,
    /// Other codes for it.
    pub aliases: Vec<Arc<str>>,
    /// Standard fields that must be present.
    pub requires: Vec<Arc<str>>,
    /// Its own fields.
    pub fields: Vec<FieldInfo>,
}

/// A declared field, for people and tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    /// Its name.
    pub name: Arc<str>,
    /// Its type, as written.
    pub ty: String,
    /// Whether it must be present.
    pub required: bool,
    /// Whether it is personal data.
    pub pii: bool,
}

/// A policy, for people and tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyInfo {
    /// Its name.
    pub name: Arc<str>,
    /// The actions it is for; empty for `on any`.
    pub actions: Vec<Arc<str>>,
    /// Who answers for it.
    pub owner: Option<Arc<str>>,
    /// Its rules, in the order of the file.
    pub rules: Vec<Arc<str>>,
}

impl Program {
    /// `sha256:…`, as written into every decision.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The declared event for an action's name or alias.
    #[must_use]
    pub fn event(&self, action: &str) -> Option<&EventSchema> {
        self.events.get(usize::from(self.actions.get(action)?.0))
    }

    /// What the pack says a rule is for.
    #[must_use]
    pub fn description_of(&self, rule: &str) -> Option<&str> {
        let rules = self.policies.iter().flat_map(|policy| &policy.rules);
        rules.into_iter().find(|other| *other.name == *rule)?.description.as_deref()
    }

    /// Whether a challenge that answers this event is one of its own. That of a claim is the challenge being claimed: to
    /// ask for the number on the screen issues nothing, so `challenge.issued` and the like do not count it.
    #[must_use]
    pub fn has_own_challenge(&self, event: &Event) -> bool {
        self.event(CHALLENGE_CLAIM).is_none_or(|claim| claim.id != event.id)
    }

    /// What history must keep.
    #[must_use]
    pub fn history_plan(&self) -> &Arc<HistoryPlan> {
        &self.plan
    }

    /// What enrichment must look up.
    #[must_use]
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// Every declared action.
    #[must_use]
    pub fn actions(&self) -> Vec<ActionInfo> {
        let field = |field: &crate::schema::FieldSchema| FieldInfo {
            name: Arc::clone(&field.name),
            ty: field.type_text(),
            required: !field.optional,
            pii: field.pii,
        };
        let action = |event: &EventSchema| ActionInfo {
            name: Arc::clone(&event.name),
            aliases: event.aliases.clone(),
            requires: event.requires.clone(),
            fields: event.fields.iter().map(field).collect(),
        };
        self.events.iter().map(action).collect()
    }

    /// Every policy.
    #[must_use]
    pub fn policies(&self) -> Vec<PolicyInfo> {
        let name = |id: &EventId| self.events.get(usize::from(id.0)).map(|event| Arc::clone(&event.name));
        let policy = |policy: &Policy| PolicyInfo {
            name: Arc::clone(&policy.name),
            actions: policy.events.iter().filter_map(name).collect(),
            owner: policy.owner.clone(),
            rules: policy.rules.iter().map(|rule| Arc::clone(&rule.name)).collect(),
        };
        self.policies.iter().map(policy).collect()
    }

    /// The lists that change at run time: name and type of the entries.
    pub fn managed_lists(&self) -> impl Iterator<Item = (&str, &Type)> {
        self.lists.iter().filter(|list| list.changes).map(|list| (&*list.name, &list.element))
    }

    /// How long an entry of this list stays when it is added without an end.
    #[must_use]
    pub fn list_ttl(&self, name: &str) -> Option<jiff::SignedDuration> {
        let list = self.lists.iter().find(|list| &*list.name == name)?;
        list.ttl_ms.map(jiff::SignedDuration::from_millis)
    }

    /// The proofs the pack asks for. Deciding them is the analyser's work; none is decided here.
    #[must_use]
    pub fn proofs(&self) -> &[Proof] {
        &self.proofs
    }

    /// The source files, to draw diagnostics on.
    #[must_use]
    pub fn sources(&self) -> &SourceMap {
        &self.sources
    }

    /// Whether some policy is `on any`.
    fn judges_any(&self) -> bool {
        self.panels.get(self.fallback).is_some_and(|panel| !panel.policies.is_empty())
    }

    /// Whether the action may be tracked: some policy judges it. What happens without being tracked, the claim of a challenge and the
    /// recovery of an account, may be declared to be counted alone.
    pub(crate) fn knows(&self, schema: Option<&EventSchema>) -> bool {
        let Some(schema) = schema else { return self.judges_any() };
        [CHALLENGE_CLAIM, RECOVERY].contains(&&*schema.name)
            || self.judges(schema.id).is_some_and(|(policies, _)| policies.len() > 0)
    }

    /// Which policies judge this event, and the index over their rules; none if no policy does.
    pub(crate) fn judges(&self, event: EventId) -> Option<(Policies<'_>, &Index)> {
        let number = self.panel_of.get(usize::from(event.0)).copied().unwrap_or(self.fallback);
        let panel = self.panels.get(number)?;
        Some((Policies { program: self, numbers: &panel.policies }, &panel.index))
    }

    pub(crate) fn slot(&self, name: &str) -> Option<Slot> {
        let position = self.slots.iter().position(|slot| &**slot == name)?;
        u16::try_from(position).ok().map(Slot)
    }
}
