//! What rules test, and how a test comes out in a class of values.

use super::{
    Rows,
    partition::{Domain, Partition, Ranges},
};
use crate::{
    evaluate::{Reading, Scene},
    event::{Fields, Slot},
    interval::Interval,
    ir::{Ask, Atom, Cond, Expr, Moment, Signal},
    maybe::{Maybe, Why},
    tri::Tri,
    value::Value,
};

/// Something that tests are about.
#[derive(Debug)]
pub(super) struct Feature {
    pub source: Source,
    pub partition: Partition,
    /// Whether evidence that is no point is left to the condition: some test wants to know the very value.
    pub exact: bool,
    /// The rows of each class.
    pub classes: Box<[Rows]>,
}

/// Where a feature's value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    Field(Slot),
    Signal(Signal),
    Window(usize),
    Seen(usize),
    Distance(Moment, Moment),
    Speed(Moment, Moment),
    /// A question to a list that changes.
    List(usize),
    /// A whole condition: true, false or unknown.
    /// By the number of its test.
    Cond(usize),
}

/// The class of what is absent.
pub(super) const ABSENT: u16 = 0;
/// The class of what is unknown for another reason.
pub(super) const UNKNOWN: u16 = 1;
/// The class of values that do not compare with the constants: of another currency, or known and not compared at all.
pub(super) const ODD: u16 = 2;
/// The first class of values.
pub(super) const FIRST: u16 = 3;
/// The classes of a condition or a list's answer.
pub(super) const FALSE: u16 = FIRST;
pub(super) const TRUE: u16 = FIRST + 1;

impl Source {
    /// Whether the value lies ready and only its class must be found.
    pub fn is_cheap(&self) -> bool {
        match self {
            Source::Field(_) | Source::Window(_) | Source::Seen(_) | Source::List(_) => true,
            Source::Signal(_) | Source::Distance(..) | Source::Speed(..) | Source::Cond(_) => false,
        }
    }
}

impl Feature {
    /// The rows of the event's class.
    #[inline]
    pub fn rows(&self, scene: &Scene<'_>) -> Rows {
        let class = self.class(scene);
        class.and_then(|class| self.classes.get(usize::from(class))).copied().unwrap_or(Rows::ACROSS)
    }

    /// The event's class; none if it lies across several.
    #[inline]
    pub fn class(&self, scene: &Scene<'_>) -> Option<u16> {
        match &self.source {
            Source::Field(slot) => Some(self.of_field(&scene.located.event.fields, *slot)),
            Source::Window(slot) => self.answered(scene.observed.and_then(|observed| observed.windows.get(*slot))),
            Source::Seen(slot) => self.answered(scene.observed.and_then(|observed| observed.seen.get(*slot))),
            Source::Signal(signal) => self.reading(scene.read(&Expr::Signal(*signal))),
            Source::Distance(a, b) => self.reading(scene.read(&Expr::Distance(*a, *b))),
            Source::Speed(a, b) => self.reading(scene.read(&Expr::Speed(*a, *b))),
            Source::List(question) => Some(of_tri(scene.answer_list(*question).0)),
            Source::Cond(_) => match &self.partition {
                Partition::Condition(cond) => Some(of_tri(scene.holds(cond))),
                _ => None,
            },
        }
    }

    #[inline]
    fn of_field(&self, fields: &Fields, slot: Slot) -> u16 {
        match fields.get(slot) {
            Some(value) => self.partition.class(value),
            None => ABSENT,
        }
    }

    fn answered(&self, answer: Option<&Maybe<Interval<Value>>>) -> Option<u16> {
        match answer {
            Some(Maybe::Known(interval)) => self.between(interval),
            Some(Maybe::Unknown(Why::Absent)) => Some(ABSENT),
            Some(Maybe::Unknown(_)) | None => Some(UNKNOWN),
        }
    }

    fn reading(&self, reading: Reading) -> Option<u16> {
        match reading {
            Reading::Known(value) => Some(self.partition.class(&value)),
            Reading::Within(interval) => self.between(&interval),
            Reading::Unknown(Why::Absent) => Some(ABSENT),
            Reading::Unknown(_) => Some(UNKNOWN),
        }
    }

    /// Where no constant lies on or between the ends of an interval, all comparisons come out the same. That the ends are
    /// in one class is not enough: all that is not a constant is alike to `==`, on both sides of it.
    fn between(&self, interval: &Interval<Value>) -> Option<u16> {
        match (&interval.lo, &interval.hi) {
            (Some(lo), Some(hi)) if lo.same(hi) == Some(true) => Some(self.partition.class(lo)),
            (_, _) if self.exact => None,
            (Some(lo), hi) => {
                let low = self.partition.position(lo)?;
                let high = match hi {
                    Some(hi) => self.partition.position(hi)?,
                    None => self.partition.last()?,
                };
                (low == high).then(|| self.partition.class_at(low))
            }
            (None, Some(_) | None) => None,
        }
    }
}

fn of_tri(tri: Tri) -> u16 {
    match tri {
        Tri::True => TRUE,
        Tri::False => FALSE,
        Tri::Unknown => UNKNOWN,
    }
}

/// A point of a feature, standing for its class.
#[derive(Clone, Copy, Debug)]
pub(super) enum Point {
    Absent,
    Unknown,
    Odd,
    /// A position of the feature's [`Domain`].
    At(usize),
}

/// A condition about one feature, made ready to be told at every point.
#[derive(Debug)]
pub(super) enum Prepared {
    Const(Tri),
    Not(Box<Prepared>),
    All(Vec<Prepared>),
    Any(Vec<Prepared>),
    Missing,
    Known,
    /// True at these positions and at no other.
    At(Ranges),
}

impl Prepared {
    pub fn new(cond: &Cond, atoms: &[Atom], domain: &Domain) -> Prepared {
        let all = |parts: &[Cond]| parts.iter().map(|part| Prepared::new(part, atoms, domain)).collect();
        match cond {
            Cond::Const(tri) => Prepared::Const(*tri),
            Cond::Not(inner) => Prepared::Not(Box::new(Prepared::new(inner, atoms, domain))),
            Cond::All(parts) => Prepared::All(all(parts)),
            Cond::Any(parts) => Prepared::Any(all(parts)),
            Cond::Atom(atom) => match atoms.get(*atom).map(|atom| &atom.ask) {
                Some(Ask::Missing(_)) => Prepared::Missing,
                Some(Ask::Known(_)) => Prepared::Known,
                Some(ask) => Prepared::At(domain.ranges(ask)),
                None => Prepared::Const(Tri::Unknown),
            },
        }
    }

    /// A condition that is asked as a whole: told by its own truth.
    pub fn truth() -> Prepared {
        Prepared::At(Ranges::truth())
    }

    pub fn told(&self, point: Point) -> Tri {
        match (self, point) {
            (Prepared::Const(tri), _) => *tri,
            (Prepared::Not(inner), _) => inner.told(point).not(),
            (Prepared::All(parts), _) => parts.iter().fold(Tri::True, |so_far, part| so_far.and(part.told(point))),
            (Prepared::Any(parts), _) => parts.iter().fold(Tri::False, |so_far, part| so_far.or(part.told(point))),
            (Prepared::Missing, Point::Absent) => Tri::True,
            (Prepared::Missing, Point::Unknown) => Tri::Unknown,
            (Prepared::Missing, Point::Odd | Point::At(_)) => Tri::False,
            (Prepared::Known, Point::Absent | Point::Unknown) => Tri::False,
            (Prepared::Known, Point::Odd | Point::At(_)) => Tri::True,
            (Prepared::At(_), Point::Absent | Point::Unknown | Point::Odd) => Tri::Unknown,
            (Prepared::At(ranges), Point::At(position)) => Tri::from(ranges.contains(position)),
        }
    }
}

/// What an indexable question is about.
pub(super) fn source_of(ask: &Ask) -> Option<Source> {
    // A network compared with networks is not an address among them.
    let network = |value: &Value| matches!(value, Value::Cidr(_));
    match ask {
        Ask::Among(_, values) if values.iter().any(network) => None,
        Ask::Holds(expr) | Ask::Missing(expr) | Ask::Known(expr) | Ask::Among(expr, _) | Ask::Within(expr, _) => {
            source(expr)
        }
        Ask::Compare(_, a, b) => match (constant(a), constant(b)) {
            (Some(value), _) | (_, Some(value)) if network(value) => None,
            (None, Some(_)) => source(a),
            (Some(_), None) => source(b),
            (_, _) => None,
        },
        Ask::Listed(question) => Some(Source::List(*question)),
        Ask::Contains(..) | Ask::Clock { .. } | Ask::Matches(..) => None,
    }
}

fn source(expr: &Expr) -> Option<Source> {
    match expr {
        Expr::Field(slot) => Some(Source::Field(*slot)),
        Expr::Signal(signal) => Some(Source::Signal(*signal)),
        Expr::Window(slot) => Some(Source::Window(*slot)),
        Expr::Seen(slot) => Some(Source::Seen(*slot)),
        Expr::Distance(a, b) => Some(Source::Distance(*a, *b)),
        Expr::Speed(a, b) => Some(Source::Speed(*a, *b)),
        Expr::Const(_)
        | Expr::Arithmetic(..)
        | Expr::Coalesce(..)
        | Expr::Weekday(..)
        | Expr::Script(..)
        | Expr::Test(_) => None,
    }
}

pub(super) fn constant(expr: &Expr) -> Option<&Value> {
    match expr {
        Expr::Const(value) => Some(value),
        _ => None,
    }
}

/// Whether a question is told by the ends of an interval when both lie in one class.
pub(super) fn takes_intervals(ask: &Ask) -> bool {
    matches!(ask, Ask::Compare(..) | Ask::Missing(_))
}

/// The constants a question compares its feature with.
pub(super) fn constants_of(ask: &Ask) -> Vec<Value> {
    match ask {
        Ask::Holds(_) => vec![Value::Bool(false), Value::Bool(true)],
        Ask::Compare(_, a, b) => match constant(a).or(constant(b)) {
            // So that `yes == true` and `yes` divide alike.
            Some(Value::Bool(_)) => vec![Value::Bool(false), Value::Bool(true)],
            other => other.cloned().into_iter().collect(),
        },
        Ask::Among(_, values) => values.to_vec(),
        Ask::Within(_, networks) => networks.iter().map(|net| Value::Cidr(*net)).collect(),
        Ask::Contains(..) | Ask::Listed(_) | Ask::Clock { .. } | Ask::Matches(..) | Ask::Missing(_) | Ask::Known(_) => {
            Vec::new()
        }
    }
}
