//! Weak evidence: a quantity known only to lie between two bounds.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::{maybe::Why, tri::Tri};

/// A closed interval. A missing bound is infinite: a counter that stopped at 21 is `[21, ∞)`.
///
/// `why` says what made it wide (or would, if it is a point: then `None`). It is the reason given
/// when a comparison cannot be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Interval<T> {
    /// The least it can be; `None` is minus infinity.
    pub lo: Option<T>,
    /// The most it can be; `None` is plus infinity.
    pub hi: Option<T>,
    /// Why it is not a point.
    pub why: Option<Why>,
}

impl<T: Clone> Interval<T> {
    /// Exactly this.
    pub fn exactly(value: T) -> Interval<T> {
        Interval { lo: Some(value.clone()), hi: Some(value), why: None }
    }
}

impl<T> Interval<T> {
    /// Between these two, both included, because of `why`.
    pub fn between(lo: T, hi: T, why: Why) -> Interval<T> {
        Interval { lo: Some(lo), hi: Some(hi), why: Some(why) }
    }

    /// This or more, because of `why`.
    pub fn at_least(lo: T, why: Why) -> Interval<T> {
        Interval { lo: Some(lo), hi: None, why: Some(why) }
    }

    /// This or less, because of `why`.
    pub fn at_most(hi: T, why: Why) -> Interval<T> {
        Interval { lo: None, hi: Some(hi), why: Some(why) }
    }

    /// The same bounds in another type.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Interval<U> {
        Interval { lo: self.lo.map(&mut f), hi: self.hi.map(&mut f), why: self.why }
    }

    /// `self < other`, decided only if it holds (or fails) for every pair of values within.
    ///
    /// `order` compares two bounds; `None` (say, two currencies) makes the answer unknown.
    pub fn less_by(&self, other: &Interval<T>, order: impl Fn(&T, &T) -> Option<Ordering>) -> Tri {
        if let (Some(hi), Some(lo)) = (&self.hi, &other.lo) {
            match order(hi, lo) {
                None => return Tri::Unknown,
                Some(Ordering::Less) => return Tri::True,
                Some(Ordering::Equal | Ordering::Greater) => {}
            }
        }
        if let (Some(lo), Some(hi)) = (&self.lo, &other.hi) {
            match order(lo, hi) {
                None => return Tri::Unknown,
                Some(Ordering::Less) => {}
                Some(Ordering::Equal | Ordering::Greater) => return Tri::False,
            }
        }
        Tri::Unknown
    }

    /// `self == other`: true for two equal points, false if the intervals do not touch.
    pub fn equal_by(&self, other: &Interval<T>, order: impl Fn(&T, &T) -> Option<Ordering>) -> Tri {
        if self.less_by(other, &order).is_true() || other.less_by(self, &order).is_true() {
            return Tri::False;
        }
        match (&self.lo, &self.hi, &other.lo, &other.hi) {
            (Some(a), Some(b), Some(c), Some(d)) => {
                let same = |x, y| order(x, y) == Some(Ordering::Equal);
                if same(a, b) && same(b, c) && same(c, d) { Tri::True } else { Tri::Unknown }
            }
            (_, _, _, _) => Tri::Unknown,
        }
    }
}

impl<T: Ord> Interval<T> {
    /// The value, if the interval is a point.
    pub fn point(&self) -> Option<&T> {
        match (&self.lo, &self.hi) {
            (Some(lo), Some(hi)) if lo == hi => Some(lo),
            (_, _) => None,
        }
    }

    /// `self < other` for totally ordered bounds.
    pub fn less(&self, other: &Interval<T>) -> Tri {
        self.less_by(other, |a, b| Some(a.cmp(b)))
    }
}
