//! Policies, rules and outcomes.
//!
//! Members stand in the order they were written, so that the formatter can keep it. The parser has reported a member
//! that stands twice, a policy without `default`, a rule without `then` and a rule without `when` or `unless`;
//! the accessors give the first of each.

use super::{DateTime, Duration, Expr, Ident, LetDef, ListName, Literal, Number, Path, Text};
use crate::source::Span;
use serde::Serialize;

/// `policy name on event, event { … }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Its name.
    pub name: Ident,
    /// What it decides about.
    pub target: Target,
    /// What is between its braces.
    pub members: Vec<PolicyMember>,
    /// The whole item.
    #[serde(skip)]
    pub span: Span,
}

impl Policy {
    /// Its `default` outcome.
    pub fn default(&self) -> Option<&Outcome> {
        self.members.iter().find_map(|member| match member {
            PolicyMember::Default(default) => Some(&default.outcome),
            _ => None,
        })
    }

    /// Its `combine`.
    pub fn combine(&self) -> Option<&Combine> {
        self.members.iter().find_map(|member| match member {
            PolicyMember::Combine(combine) => Some(combine),
            _ => None,
        })
    }

    /// Its `on unknown`.
    pub fn on_unknown(&self) -> Option<&OnUnknown> {
        self.members.iter().find_map(|member| match member {
            PolicyMember::OnUnknown(unknown) => Some(unknown),
            _ => None,
        })
    }

    /// Its `meta` block.
    pub fn meta(&self) -> Option<&Meta> {
        self.members.iter().find_map(|member| match member {
            PolicyMember::Meta(meta) => Some(meta),
            _ => None,
        })
    }

    /// Its `let`s, in order.
    pub fn lets(&self) -> impl Iterator<Item = &LetDef> {
        self.members.iter().filter_map(|member| match member {
            PolicyMember::Let(definition) => Some(definition),
            _ => None,
        })
    }

    /// Its rules, in order.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.members.iter().filter_map(|member| match member {
            PolicyMember::Rule(rule) => Some(rule),
            _ => None,
        })
    }
}

/// What a policy decides about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Target {
    /// `on any`: every action no other policy names.
    Any,
    /// `on sign_in, withdrawal`; at least one.
    Events(Vec<Ident>),
}

/// One member of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum PolicyMember {
    /// `meta { owner: "identity-risk" }`
    Meta(Meta),
    /// `default challenge qr`
    Default(DefaultOutcome),
    /// `combine strictest`
    Combine(Combine),
    /// `on unknown step_up`
    OnUnknown(OnUnknown),
    /// `let failures = …`
    Let(LetDef),
    /// `rule guessing { … }`
    Rule(Rule),
}

impl PolicyMember {
    /// The whole member.
    pub fn span(&self) -> Span {
        match self {
            PolicyMember::Meta(member) => member.span,
            PolicyMember::Default(member) => member.span,
            PolicyMember::Combine(member) => member.span,
            PolicyMember::OnUnknown(member) => member.span,
            PolicyMember::Let(member) => member.span,
            PolicyMember::Rule(member) => member.span,
        }
    }
}

/// `meta { key: literal, … }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Meta {
    /// Its entries.
    pub entries: Vec<MetaEntry>,
    /// The whole block.
    #[serde(skip)]
    pub span: Span,
}

/// `owner: "identity-risk"`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetaEntry {
    /// The key.
    pub key: Ident,
    /// The value.
    pub value: Literal,
    /// Both.
    #[serde(skip)]
    pub span: Span,
}

/// `default outcome`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DefaultOutcome {
    /// The outcome when no rule matches.
    pub outcome: Outcome,
    /// The whole member.
    #[serde(skip)]
    pub span: Span,
}

/// `combine …`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Combine {
    /// How outcomes combine.
    pub how: CombineHow,
    /// The whole member.
    #[serde(skip)]
    pub span: Span,
}

/// How outcomes combine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum CombineHow {
    /// `strictest`
    Strictest,
    /// `first_match`
    FirstMatch,
    /// `score { challenge at 50, block at 90 }`; at least one.
    Score(Vec<ScoreStep>),
}

/// `challenge at 50`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScoreStep {
    /// The outcome from there on.
    pub outcome: OutcomeWord,
    /// The lowest sum that gives it.
    pub at: Number,
    /// Both.
    #[serde(skip)]
    pub span: Span,
}

/// `allow`, `challenge` or `block`, from mildest to strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum OutcomeWord {
    /// `allow`
    Allow,
    /// `challenge`
    Challenge,
    /// `block`
    Block,
}

impl OutcomeWord {
    /// As written.
    pub fn name(self) -> &'static str {
        match self {
            OutcomeWord::Allow => "allow",
            OutcomeWord::Challenge => "challenge",
            OutcomeWord::Block => "block",
        }
    }
}

/// `on unknown step_up`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnUnknown {
    /// What then.
    pub what: UnknownAction,
    /// The whole member.
    #[serde(skip)]
    pub span: Span,
}

/// What to do when a condition is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum UnknownAction {
    /// `step_up`: at least a challenge.
    StepUp,
    /// `match`: as if it were true.
    Match,
    /// `skip`: as if it were false.
    Skip,
}

impl UnknownAction {
    /// As written.
    pub fn name(self) -> &'static str {
        match self {
            UnknownAction::StepUp => "step_up",
            UnknownAction::Match => "match",
            UnknownAction::Skip => "skip",
        }
    }
}

/// `rule name "title" { … }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its name.
    pub name: Ident,
    /// What it is about, for people.
    pub title: Option<Text>,
    /// What is between its braces.
    pub members: Vec<RuleMember>,
    /// The whole rule.
    #[serde(skip)]
    pub span: Span,
}

macro_rules! first_member {
    ($($(#[$doc:meta])* $name:ident: $variant:ident -> $node:ty;)*) => {$(
        $(#[$doc])*
        pub fn $name(&self) -> Option<&$node> {
            self.members.iter().find_map(|member| match member {
                RuleMember::$variant(node) => Some(node),
                _ => None,
            })
        }
    )*};
}

impl Rule {
    first_member! {
        /// Its `meta` block.
        meta: Meta -> Meta;
        /// Its `mode`; `live` when left out.
        mode: Mode -> Mode;
        /// Its `priority`; 0 when left out.
        priority: Priority -> Priority;
        /// Its `active from … until …`.
        validity: Validity -> Validity;
        /// Its `rollout`.
        rollout: Rollout -> Rollout;
        /// Its own `on unknown`; the policy's when left out.
        on_unknown: OnUnknown -> OnUnknown;
        /// Its `when`.
        when: When -> Condition;
        /// Its `unless`.
        unless: Unless -> Condition;
        /// Its `then`.
        then: Then -> Then;
    }
}

/// One member of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum RuleMember {
    /// `meta { … }`
    Meta(Meta),
    /// `mode shadow`
    Mode(Mode),
    /// `priority 10`
    Priority(Priority),
    /// `active from 2026-01-01 until 2027-01-01`
    Validity(Validity),
    /// `rollout 10% by user`
    Rollout(Rollout),
    /// `on unknown skip`
    OnUnknown(OnUnknown),
    /// `when …`
    When(Condition),
    /// `unless …`
    Unless(Condition),
    /// `then …`
    Then(Then),
}

impl RuleMember {
    /// The whole member.
    pub fn span(&self) -> Span {
        match self {
            RuleMember::Meta(member) => member.span,
            RuleMember::Mode(member) => member.span,
            RuleMember::Priority(member) => member.span,
            RuleMember::Validity(member) => member.span,
            RuleMember::Rollout(member) => member.span,
            RuleMember::OnUnknown(member) => member.span,
            RuleMember::When(member) | RuleMember::Unless(member) => member.span,
            RuleMember::Then(member) => member.span,
        }
    }
}

/// `mode live | shadow | off`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mode {
    /// Which.
    pub kind: ModeKind,
    /// The whole member.
    #[serde(skip)]
    pub span: Span,
}

/// Whether a rule acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum ModeKind {
    /// `live`: it acts.
    Live,
    /// `shadow`: it only says what it would have done.
    Shadow,
    /// `off`: it is compiled and not run.
    Off,
}

impl ModeKind {
    /// As written.
    pub fn name(self) -> &'static str {
        match self {
            ModeKind::Live => "live",
            ModeKind::Shadow => "shadow",
            ModeKind::Off => "off",
        }
    }
}

/// `priority 10`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Priority {
    /// A whole number; higher goes first.
    pub value: Number,
    /// The whole member.
    #[serde(skip)]
    pub span: Span,
}

/// `active from 2026-01-01 until 2027-01-01`; at least one end, half-open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Validity {
    /// The first moment.
    pub from: Option<DateTime>,
    /// The first moment after.
    pub until: Option<DateTime>,
    /// The whole member.
    #[serde(skip)]
    pub span: Span,
}

/// `rollout 10% by user`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rollout {
    /// The number before the sign.
    pub percent: Number,
    /// What is hashed.
    pub by: Path,
    /// The whole member.
    #[serde(skip)]
    pub span: Span,
}

/// `when …` or `unless …`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// The condition.
    pub condition: Expr,
    /// With the keyword.
    #[serde(skip)]
    pub span: Span,
}

/// `then outcome effect …`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Then {
    /// What is answered.
    pub outcome: Outcome,
    /// What else happens, in order.
    pub effects: Vec<Effect>,
    /// With the keyword.
    #[serde(skip)]
    pub span: Span,
}

/// An outcome as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Which.
    pub kind: OutcomeKind,
    /// All of it.
    #[serde(skip)]
    pub span: Span,
}

/// Which outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum OutcomeKind {
    /// `allow`
    Allow,
    /// `allow final`
    AllowFinal,
    /// `challenge qr { … }`
    Challenge(Challenge),
    /// `block`
    Block,
    /// `score 60`, a whole number.
    Score(Number),
    /// `nothing`: only the effects.
    Nothing,
}

/// `challenge qr { level: possession, expires: 3m }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Challenge {
    /// `qr`. Left out only in a test's `expect challenge`.
    pub method: Option<Ident>,
    /// Its options, in order.
    pub options: Vec<ChallengeOption>,
}

/// `level: possession`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChallengeOption {
    /// Its name.
    pub name: Ident,
    /// Its value.
    pub value: OptionValue,
    /// Both.
    #[serde(skip)]
    pub span: Span,
}

/// The value of a challenge option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum OptionValue {
    /// `3m`
    Duration(Duration),
    /// `3`
    Number(Number),
    /// `[amount, payee]`
    Paths(PathList),
    /// `possession`
    Name(Ident),
}

/// `[amount, payee]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathList {
    /// Its paths; at least one.
    pub paths: Vec<Path>,
    /// With the brackets.
    #[serde(skip)]
    pub span: Span,
}

/// Something that happens besides the outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// Which.
    pub kind: EffectKind,
    /// All of it.
    #[serde(skip)]
    pub span: Span,
}

/// Which effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum EffectKind {
    /// `reason IP_BLOCKED`
    Reason(Ident),
    /// `severity high`
    Severity(Ident),
    /// `flag manual_review`
    Flag(Ident),
    /// `add ip to @blocked_ips for 24h`
    Add(AddToList),
}

/// `add ip to @blocked_ips for 24h`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddToList {
    /// What is added.
    pub value: Path,
    /// To which list.
    pub list: ListName,
    /// For how long.
    pub duration: Duration,
}
