//! Tests and proofs.

use super::{DateTime, Duration, Expr, Ident, ListName, Literal, Number, Outcome, OutcomeWord, Path, Text};
use crate::source::Span;
use serde::Serialize;

/// `test "claim" { … }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Test {
    /// What it claims.
    pub name: Text,
    /// What is between its braces, in order.
    pub members: Vec<TestMember>,
    /// The whole item.
    #[serde(skip)]
    pub span: Span,
}

/// One member of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum TestMember {
    /// `at 2026-03-01T10:00:00Z`
    At(TestAt),
    /// `event withdrawal { … }`
    Event(TestEvent),
    /// `history 5 x withdrawal { … } every 1m ending 2m ago`
    History(TestHistory),
    /// `list @office has 203.0.113.9`
    List(TestList),
    /// `expect block by stuffing`
    Expect(Expect),
}

impl TestMember {
    /// The whole member.
    pub fn span(&self) -> Span {
        match self {
            TestMember::At(member) => member.span,
            TestMember::Event(member) => member.span,
            TestMember::History(member) => member.span,
            TestMember::List(member) => member.span,
            TestMember::Expect(member) => member.span,
        }
    }
}

/// `at 2026-03-01T10:00:00Z`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestAt {
    /// The moment of the event.
    pub time: DateTime,
    /// The whole member.
    #[serde(skip)]
    pub span: Span,
}

/// `event withdrawal { user: "u1", amount: 20 EUR }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestEvent {
    /// Which event.
    pub event: Ident,
    /// Its fields.
    pub record: Record,
    /// The whole member.
    #[serde(skip)]
    pub span: Span,
}

/// `history 5 x withdrawal { … } every 1m ending 2m ago`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestHistory {
    /// How many.
    pub count: Number,
    /// Which event, or `challenge.declined` and its like.
    pub event: Path,
    /// The fields of each; `{n}` in a string counts up from 1.
    pub record: Record,
    /// How far apart.
    pub every: Duration,
    /// How long before the event the last of them was.
    pub ending: Duration,
    /// The whole member.
    #[serde(skip)]
    pub span: Span,
}

/// `list @office has 203.0.113.9`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestList {
    /// Which list.
    pub list: ListName,
    /// What it has.
    pub value: Literal,
    /// The whole member.
    #[serde(skip)]
    pub span: Span,
}

/// `expect …`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expect {
    /// What.
    pub kind: ExpectKind,
    /// The whole member.
    #[serde(skip)]
    pub span: Span,
}

/// What a test expects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum ExpectKind {
    /// `expect block by stuffing reason CREDENTIAL_STUFFING`
    Outcome(ExpectOutcome),
    /// `expect rule anon_new`: the rule matches, whether it decides, or is in shadow, or another one is stricter.
    Rule(Ident),
    /// `expect not rule travel`: the rule does not match.
    NotRule(Ident),
    /// `expect unknown travel`: the rule's condition is unknown.
    Unknown(Ident),
}

/// `expect outcome by rule reason CODE`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExpectOutcome {
    /// The outcome. A challenge may leave its method out and has no options.
    pub outcome: Outcome,
    /// What decided it.
    pub by: Option<ExpectBy>,
    /// A reason among those given.
    pub reason: Option<Ident>,
}

/// What decided an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum ExpectBy {
    /// `by default`
    Default,
    /// `by stuffing`
    Rule(Ident),
}

/// `{ user: "u1", geo: { lat: 51.5, lon: -0.1 } }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Its entries, in order.
    pub entries: Vec<RecordEntry>,
    /// With the braces.
    #[serde(skip)]
    pub span: Span,
}

impl Record {
    /// The value of an entry, by its key as written.
    pub fn get(&self, key: &str) -> Option<&RecordValue> {
        self.entries.iter().find(|entry| entry.key.text() == key).map(|entry| &entry.value)
    }
}

/// `ip.asn: 64500`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordEntry {
    /// Which field.
    pub key: Path,
    /// Its value.
    pub value: RecordValue,
    /// Both.
    #[serde(skip)]
    pub span: Span,
}

/// The value of a record's entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum RecordValue {
    /// `missing`
    Missing,
    /// `20 EUR`
    Literal(Literal),
    /// `verified`: a status, a weekday, …
    Name(Ident),
    /// `[NZ, AU]`
    List(Vec<RecordValue>),
    /// `{ lat: 51.5, lon: -0.1 }`
    Record(Record),
}

/// `prove "claim" { for all withdrawal where … expect at least block }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prove {
    /// What it claims.
    pub name: Text,
    /// About which event.
    pub event: Ident,
    /// Under which condition.
    pub condition: Option<Expr>,
    /// Which side of the outcome is claimed.
    pub bound: ProveBound,
    /// The outcome.
    pub outcome: OutcomeWord,
    /// The whole item.
    #[serde(skip)]
    pub span: Span,
}

/// Which side of an outcome a proof claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum ProveBound {
    /// `at least`
    AtLeast,
    /// `at most`
    AtMost,
}
