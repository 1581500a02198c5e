//! Expressions.

use super::{ClockRange, Duration, Ident, ListName, Literal, Path, Text};
use crate::source::Span;
use serde::Serialize;

/// An expression. The tree is at most [`crate::MAX_EXPRESSION_DEPTH`] nodes deep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

impl Expr {
    /// The expression inside any parentheses around it.
    pub fn unwrapped(&self) -> &Expr {
        let mut expr = self;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum ExprKind {
    /// `30 EUR`
    Literal(Literal),
    /// `geo.country`; a field, a `let`, `now`, …
    Path(Path),
    /// `@office`, alone.
    List(ListName),
    /// `(…)`, kept because people group for the reader too. See [`Expr::unwrapped`].
    Paren(Box<Expr>),
    /// `distance(geo, last_verified.geo)`
    Call(Call),
    /// `a or b or c`; at least two.
    Or(Vec<Expr>),
    /// `a and b and c`; at least two.
    And(Vec<Expr>),
    /// `not a`
    Not(Box<Expr>),
    /// `a == b`
    Compare(Box<Compare>),
    /// `a in …`, `a not in …`
    In(Box<Membership>),
    /// `a between b and c`, both ends included.
    Between(Box<Between>),
    /// `a is missing`, `a is not known`
    Is(Box<Presence>),
    /// `a matches "…"`
    Matches(Box<Matches>),
    /// `a ?? b`; groups to the right.
    Coalesce(Box<Coalesce>),
    /// `a + b`; groups to the left.
    Arithmetic(Box<Arithmetic>),
    /// `count() of sign_in by user over 10m`
    Aggregate(Box<Aggregate>),
    /// `times_seen(device) by user within 90d`
    Seen(Box<Seen>),
}

/// `name(argument, …)`: a built-in function or a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// Its name.
    pub name: Ident,
    /// Its arguments.
    pub arguments: Vec<Expr>,
}

/// `left op right`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compare {
    /// The left side.
    pub left: Expr,
    /// The operator.
    pub op: CompareOp,
    /// Where the operator stands.
    #[serde(skip)]
    pub op_span: Span,
    /// The right side.
    pub right: Expr,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum CompareOp {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl CompareOp {
    /// Every operator.
    pub const ALL: [CompareOp; 6] = [
        CompareOp::Equal,
        CompareOp::NotEqual,
        CompareOp::Less,
        CompareOp::LessOrEqual,
        CompareOp::Greater,
        CompareOp::GreaterOrEqual,
    ];

    /// As written.
    pub fn symbol(self) -> &'static str {
        match self {
            CompareOp::Equal => "==",
            CompareOp::NotEqual => "!=",
            CompareOp::Less => "<",
            CompareOp::LessOrEqual => "<=",
            CompareOp::Greater => ">",
            CompareOp::GreaterOrEqual => ">=",
        }
    }
}

/// `value in set`, `value not in set`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Membership {
    /// What is looked for.
    pub value: Expr,
    /// Whether it is `not in`.
    pub negated: bool,
    /// Where `in` or `not in` stands.
    #[serde(skip)]
    pub op_span: Span,
    /// Where it is looked for.
    pub set: Set,
}

/// The right side of `in`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Set {
    /// `[NZ, AU]`; each element is a literal, a list name or a path.
    Elements(SetLiteral),
    /// `@office`
    List(ListName),
    /// `23:00..05:00 tz user.tz ?? "UTC"`
    Clock(ClockSet),
    /// `1..5`, both ends included.
    Range(RangeSet),
    /// Anything else: a CIDR literal, a path to a field of a list type.
    Value(Expr),
}

/// `[NZ, AU]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetLiteral {
    /// Its elements; at least one.
    pub elements: Vec<Expr>,
    /// With the brackets.
    #[serde(skip)]
    pub span: Span,
}

/// `23:00..05:00 tz user.tz`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClockSet {
    /// From when until when.
    pub range: ClockRange,
    /// In which zone. Leaving it out is the checker's error.
    pub zone: Option<Expr>,
}

/// `low..high`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RangeSet {
    /// The smallest value in it.
    pub low: Expr,
    /// The largest value in it.
    pub high: Expr,
}

/// `value between low and high`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Between {
    /// What is compared.
    pub value: Expr,
    /// The smallest value that matches.
    pub low: Expr,
    /// The largest value that matches.
    pub high: Expr,
}

/// `value is missing`, `value is not known`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Presence {
    /// What is asked about.
    pub value: Expr,
    /// Whether it is `is not`.
    pub negated: bool,
    /// Which question.
    pub question: PresenceQuestion,
}

/// The question after `is`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum PresenceQuestion {
    /// `missing`
    Missing,
    /// `known`
    Known,
}

/// `value matches "pattern"`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Matches {
    /// What is searched.
    pub value: Expr,
    /// The regular expression.
    pub pattern: Text,
}

/// `value ?? fallback`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coalesce {
    /// Used when known.
    pub value: Expr,
    /// Used when `value` is unknown.
    pub fallback: Expr,
}

/// `left op right`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Arithmetic {
    /// The left side.
    pub left: Expr,
    /// The operator.
    pub op: ArithmeticOp,
    /// Where the operator stands.
    #[serde(skip)]
    pub op_span: Span,
    /// The right side.
    pub right: Expr,
}

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum ArithmeticOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
}

impl ArithmeticOp {
    /// Every operator.
    pub const ALL: [ArithmeticOp; 4] =
        [ArithmeticOp::Add, ArithmeticOp::Subtract, ArithmeticOp::Multiply, ArithmeticOp::Divide];

    /// As written.
    pub fn symbol(self) -> &'static str {
        match self {
            ArithmeticOp::Add => "+",
            ArithmeticOp::Subtract => "-",
            ArithmeticOp::Multiply => "*",
            ArithmeticOp::Divide => "/",
        }
    }
}

/// `sum(distinct path) of event where (…) by key, key over 24h including this`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Aggregate {
    /// `count`, `sum`, …
    pub function: AggregateFn,
    /// Where the function's name stands.
    #[serde(skip)]
    pub function_span: Span,
    /// Whether `distinct` is before the argument.
    pub distinct: bool,
    /// What is counted or summed; `count()` has none.
    pub argument: Option<Path>,
    /// Whose history: an event's name, or `challenge.declined` and its like.
    pub event: Path,
    /// Which past events.
    pub filter: Option<Expr>,
    /// Per what; at least one.
    pub keys: Vec<Path>,
    /// How far back.
    pub window: Window,
    /// Whether the current event counts too.
    pub including_this: bool,
}

/// An aggregate function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum AggregateFn {
    /// `count`
    Count,
    /// `sum`
    Sum,
    /// `avg`
    Avg,
    /// `min`
    Min,
    /// `max`
    Max,
    /// `stddev`
    Stddev,
    /// `p95`
    P95,
}

impl AggregateFn {
    /// Every function.
    pub const ALL: [AggregateFn; 7] = [
        AggregateFn::Count,
        AggregateFn::Sum,
        AggregateFn::Avg,
        AggregateFn::Min,
        AggregateFn::Max,
        AggregateFn::Stddev,
        AggregateFn::P95,
    ];

    /// As written.
    pub fn name(self) -> &'static str {
        match self {
            AggregateFn::Count => "count",
            AggregateFn::Sum => "sum",
            AggregateFn::Avg => "avg",
            AggregateFn::Min => "min",
            AggregateFn::Max => "max",
            AggregateFn::Stddev => "stddev",
            AggregateFn::P95 => "p95",
        }
    }
}

/// How far back an aggregate looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Window {
    /// `over 1h`
    Sliding(Duration),
    /// `over tumbling 1h`
    Tumbling(Duration),
    /// `over calendar day in user.tz ?? "UTC"`
    Calendar(CalendarWindow),
    /// `since challenge.succeeded`
    Since(Path),
}

/// `calendar day in zone`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CalendarWindow {
    /// The unit.
    pub unit: CalendarUnit,
    /// In which zone.
    pub zone: Expr,
}

/// A unit of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum CalendarUnit {
    /// `hour`
    Hour,
    /// `day`
    Day,
    /// `week`, from Monday (ISO 8601).
    Week,
    /// `month`
    Month,
}

impl CalendarUnit {
    /// Every unit.
    pub const ALL: [CalendarUnit; 4] = [CalendarUnit::Hour, CalendarUnit::Day, CalendarUnit::Week, CalendarUnit::Month];

    /// As written.
    pub fn name(self) -> &'static str {
        match self {
            CalendarUnit::Hour => "hour",
            CalendarUnit::Day => "day",
            CalendarUnit::Week => "week",
            CalendarUnit::Month => "month",
        }
    }
}

/// `first_seen(device) by user within 90d`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Which question.
    pub function: SeenFn,
    /// Where the function's name stands.
    #[serde(skip)]
    pub function_span: Span,
    /// What was seen.
    pub what: Path,
    /// By whom; at least one.
    pub keys: Vec<Path>,
    /// How far back; all retained history when left out.
    pub within: Option<Duration>,
}

/// Which question about earlier sightings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum SeenFn {
    /// `first_seen`
    First,
    /// `last_seen`
    Last,
    /// `times_seen`
    Times,
}

impl SeenFn {
    /// Every question.
    pub const ALL: [SeenFn; 3] = [SeenFn::First, SeenFn::Last, SeenFn::Times];

    /// As written.
    pub fn name(self) -> &'static str {
        match self {
            SeenFn::First => "first_seen",
            SeenFn::Last => "last_seen",
            SeenFn::Times => "times_seen",
        }
    }
}
