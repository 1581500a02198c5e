//! `min` and `max`: the values that can still become the extreme, a monotonic queue.

use std::collections::VecDeque;

use super::super::{
    number::Number,
    position::{Gaps, Lost, Position, Reach},
};
use crate::{maybe::Why, tri::Tri, value::Currency};

/// More than this many candidates are thinned out.
const THIN_AT: usize = 32;

/// The candidates under a key. Values are negated for a minimum, so that the extreme is always the greatest.
#[derive(Clone, Debug)]
pub(in crate::history) struct Extremes {
    least: bool,
    /// Certain values in order; a value with a newer one as great is dropped when there are many.
    sure: VecDeque<(Position, Number)>,
    /// Values of events of which the filter could not be decided.
    perhaps: VecDeque<(Position, Number)>,
    /// The newest event whose value could not be found out.
    unknown: Option<(Position, Why)>,
    /// Events before this position are not all kept: only answers beyond it are exact.
    thinned: Position,
    /// The greatest value ever dropped for want of room.
    dropped: Option<i128>,
    /// The currency of the first value, until another one is seen.
    currency: Option<Currency>,
    mixed: bool,
    thin_at: usize,
}

/// The extreme lies between these; `None` is infinity on that side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::history) struct Extreme {
    pub lo: Option<i128>,
    pub hi: Option<i128>,
    pub why: Option<Why>,
    pub currency: Option<Currency>,
}

impl Extremes {
    pub fn new(least: bool) -> Extremes {
        Extremes {
            least,
            sure: VecDeque::new(),
            perhaps: VecDeque::new(),
            unknown: None,
            thinned: Position::START,
            dropped: None,
            currency: None,
            mixed: false,
            thin_at: THIN_AT,
        }
    }

    /// Adds an event; at most `keep` of each sort stay.
    pub fn insert(&mut self, position: Position, number: Number, certain: bool, keep: usize, lost: &mut Lost) {
        let number = self.turned(number);
        self.mixed |= self.currency.is_some_and(|currency| Some(currency) != number.currency);
        self.currency = number.currency;
        let values = if certain { &mut self.sure } else { &mut self.perhaps };
        let place = values.partition_point(|(at, _)| *at < position);
        values.insert(place, (position, number));
        if certain && values.len() > self.thin_at {
            self.thin();
        }
        let values = if certain { &mut self.sure } else { &mut self.perhaps };
        while values.len() > keep {
            if let Some((at, number)) = values.pop_front() {
                lost.extend(at, Why::Saturated);
                self.dropped = self.dropped.max(Some(number.steps));
            }
        }
    }

    /// Adds an event whose value could not be found out.
    pub fn insert_unknown(&mut self, position: Position, why: Why) {
        if self.unknown.is_none_or(|(newest, _)| newest < position) {
            self.unknown = Some((position, why));
        }
    }

    /// Drops every value that has a newer one as great in the same currency.
    fn thin(&mut self) {
        let mut kept: VecDeque<(Position, Number)> = VecDeque::new();
        while let Some((at, number)) = self.sure.pop_back() {
            match kept.front() {
                Some((newer, greatest)) if greatest.currency == number.currency && greatest.steps >= number.steps => {
                    self.thinned = self.thinned.max(*newer);
                }
                Some(_) | None => kept.push_front((at, number)),
            }
        }
        self.thin_at = (2 * kept.len()).max(THIN_AT);
        self.sure = kept;
    }

    /// The extreme over reach; `Ok(None)` if there certainly is no value.
    pub fn find(
        &self,
        reach: &Reach,
        loose: impl Iterator<Item = (Result<Number, Why>, Tri)>,
        gaps: Gaps<'_>,
    ) -> Result<Option<Extreme>, Why> {
        match self.unknown {
            Some((at, why)) if reach.contains(at) => return Err(why),
            Some((at, _)) if at >= reach.end => return Err(Why::Saturated),
            Some(_) | None => {}
        }
        let mut found = Found::default();
        for (_, number) in self.sure.iter().filter(|(at, _)| reach.contains(*at)) {
            found.add(*number, Tri::True)?;
        }
        for (_, number) in self.perhaps.iter().filter(|(at, _)| reach.contains(*at)) {
            found.add(*number, Tri::Unknown)?;
        }
        for (number, passes) in loose.filter(|(_, passes)| !passes.is_false()) {
            found.add(self.turned(number?), passes)?;
        }
        let thinned = (reach.end <= self.thinned).then_some(Why::Saturated);
        let missing = gaps.affect(reach).or(thinned);
        if let Some(why) = missing.filter(|_| self.mixed) {
            return Err(why);
        }
        let (Some(lo), Some(hi)) = (found.sure, found.any) else {
            return match missing {
                Some(why) => Err(why),
                None if found.any.is_some() => Err(Why::LowPrecision),
                None => Ok(None),
            };
        };
        let hi = match missing {
            // What was dropped for want of room is known to have been no greater than this.
            Some(_) if thinned.is_none() && gaps.hidden.affects(reach).is_none() => {
                self.dropped.map(|dropped| hi.max(dropped))
            }
            Some(_) => None,
            None => Some(hi),
        };
        let why = if hi == Some(lo) { None } else { missing.or(Some(Why::Absent)) };
        let (lo, hi) = if self.least { (hi.map(|steps| -steps), Some(-lo)) } else { (Some(lo), hi) };
        Ok(Some(Extreme { lo, hi, why, currency: found.currency }))
    }

    fn turned(&self, number: Number) -> Number {
        Number { steps: if self.least { -number.steps } else { number.steps }, ..number }
    }

    pub fn len(&self) -> usize {
        self.sure.len() + self.perhaps.len()
    }

    pub fn heap(&self) -> usize {
        size_of::<Extremes>() + (self.sure.capacity() + self.perhaps.capacity()) * size_of::<(Position, Number)>()
    }
}

#[derive(Default)]
struct Found {
    sure: Option<i128>,
    any: Option<i128>,
    currency: Option<Currency>,
}

impl Found {
    fn add(&mut self, number: Number, passes: Tri) -> Result<(), Why> {
        match (self.currency, number.currency) {
            (Some(one), Some(other)) if one != other => return Err(Why::CurrencyMismatch),
            (_, Some(other)) => self.currency = Some(other),
            (_, None) => {}
        }
        self.any = self.any.max(Some(number.steps));
        if passes.is_true() {
            self.sure = self.sure.max(Some(number.steps));
        }
        Ok(())
    }
}
