//! The typed program: every name resolved, every constant parsed, every condition that recurs kept once.
//!
//! Conditions are data, not closures, so that the evaluator, the explainer and an index over
//! `field op constant` all read the same thing.

use std::sync::Arc;

use ipnet::IpNet;
use regex::Regex;

use crate::{event::Slot, tri::Tri, types::Type, value::Value};

/// When: now, or at one of the two events that history remembers per user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// The event being judged.
    Now,
    /// The user's newest event that passed a challenge.
    LastVerified,
    /// The user's newest earlier event with a location fix that was not blocked.
    Previous,
}

/// A part of a location fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GeoPart {
    /// The fix itself.
    Fix,
    /// Its country.
    Country,
    /// Its region.
    Region,
    /// Its city.
    City,
    /// Degrees north.
    Lat,
    /// Degrees east.
    Lon,
    /// Its uncertainty.
    Radius,
}

impl GeoPart {
    /// Every part, the fix first.
    pub const ALL: [GeoPart; 7] =
        [GeoPart::Fix, GeoPart::Country, GeoPart::Region, GeoPart::City, GeoPart::Lat, GeoPart::Lon, GeoPart::Radius];

    /// Its type.
    #[must_use]
    pub fn ty(self) -> Type {
        match self {
            GeoPart::Fix => Type::Geo,
            GeoPart::Country => Type::Country,
            GeoPart::Region | GeoPart::City => Type::Text,
            GeoPart::Lat | GeoPart::Lon => Type::Decimal,
            GeoPart::Radius => Type::Distance,
        }
    }
}

/// A fact about the network of the event's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NetworkFact {
    /// The autonomous system.
    Asn,
    /// Who runs it.
    AsOrg,
    /// A hosting provider.
    Hosting,
    /// An exit of a VPN.
    Vpn,
    /// An exit of Tor.
    Tor,
}

/// A fact that is not a field of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Who acts.
    User,
    /// What they do.
    Action,
    /// When.
    Time(Moment),
    /// From where.
    Geo(Moment, GeoPart),
    /// From which address, at an earlier moment.
    Ip(Moment),
    /// On which device, at an earlier moment.
    Device(Moment),
    /// What kind of network.
    Network(NetworkFact),
    /// The user's time zone.
    UserTz,
    /// Where the user lives.
    UserHomeCountry,
    /// How the event ended; in `where` only.
    Status,
    /// Whether it went through; in `where` only.
    Completed,
}

/// An expression with a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Itself.
    Const(Value),
    /// A field of the event.
    Field(Slot),
    /// Another fact.
    Signal(Signal),
    /// The answer of history to an aggregate, by position in the plan.
    Window(usize),
    /// The answer of history about earlier appearances, by position in the plan.
    Seen(usize),
    /// `a + b`
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    /// `a ?? b`
    Coalesce(Box<Expr>, Box<Expr>),
    /// `distance(a, b)`
    Distance(Moment, Moment),
    /// `speed(a, b)`
    Speed(Moment, Moment),
    /// `weekday(time, zone)`
    Weekday(Box<Expr>, Box<Expr>),
    /// A script, by position in the program.
    Script(usize, Vec<Expr>),
    /// A condition as a value.
    Test(Box<Cond>),
}

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Cond {
    /// Settled when compiled.
    Const(Tri),
    /// All hold.
    All(Vec<Cond>),
    /// At least one holds.
    Any(Vec<Cond>),
    /// It does not hold.
    Not(Box<Cond>),
    /// A condition without `and`, `or`, `not`, by position in the program.
    Atom(usize),
}

/// The smallest condition: what the trace names and an index can look up.
#[derive(Clone, Debug)]
pub struct Atom {
    /// What it asks.
    pub ask: Ask,
    /// As written, with every `let` expanded: equal texts mean equal atoms.
    pub text: Arc<str>,
    /// Every field, aggregate and script it reads, with the name the trace gives it.
    pub reads: Vec<(Arc<str>, Expr)>,
    /// Whether it runs a script: then it is asked last.
    pub scripted: bool,
}

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Comparison {
    /// The operator with its sides exchanged.
    #[must_use]
    pub fn flipped(self) -> Comparison {
        match self {
            Comparison::Equal => Comparison::Equal,
            Comparison::Less => Comparison::Greater,
            Comparison::AtMost => Comparison::AtLeast,
            Comparison::Greater => Comparison::Less,
            Comparison::AtLeast => Comparison::AtMost,
        }
    }
}

/// A question with a yes, a no, or neither.
#[derive(Clone, Debug)]
pub enum Ask {
    /// A value of type bool.
    Holds(Expr),
    /// `a == b`, `a < b`, …
    Compare(Comparison, Expr, Expr),
    /// `a in [x, y]`, constants of one type in order.
    Among(Expr, Arc<[Value]>),
    /// `ip in 203.0.113.0/24`, `ip in @office`
    Within(Expr, Arc<[IpNet]>),
    /// `x in field`, where the field is a list.
    Contains(Expr, Expr),
    /// `x in @list`, where the list changes at run time: by position among the program's questions.
    Listed(usize),
    /// `time in 23:00..05:00 tz zone`, in minutes since midnight.
    Clock {
        /// The moment.
        time: Expr,
        /// First minute in it.
        from: u16,
        /// First minute after it; before `from` when it goes over midnight.
        until: u16,
        /// An IANA zone.
        zone: Expr,
    },
    /// `a matches "…"`
    Matches(Expr, Regex),
    /// `a is missing`
    Missing(Expr),
    /// `a is known`
    Known(Expr),
}
