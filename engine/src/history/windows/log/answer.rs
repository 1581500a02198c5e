//! What a log answers.

use std::ops::Deref;

use jiff::Timestamp;
use smallvec::SmallVec;

use super::{
    Column, Entry, Log, Sort,
    arrival::Arrival,
    rows::{Rows, each, newest_of},
    shape::State,
};
use crate::{
    history::{
        estimate::{Cell, Sample},
        number,
        observation::Observed,
        plan::{Function, Unit, WindowSpec},
        position::{Gaps, Position, Reach},
        windows::{
            amounts::Sum,
            answer::{Anchor, Asking, Start, counted, described, extremal, known, whole},
            extremes::Extreme,
            group::{Missing, asked},
            layout::{Ask, GroupPlan, TrackPlan, What},
        },
    },
    interval::Interval,
    maybe::{Maybe, Why},
    money::Money,
    value::{Currency, Value},
};

impl<W: Deref<Target = [u64]>> Log<'_, W> {
    /// Answers what the event asks; `arrival` is what it brings, if it takes part.
    pub fn answer(
        &self,
        group: &GroupPlan,
        asking: &Asking<'_>,
        missing: Missing<'_>,
        arrival: Option<&Arrival>,
        observed: &mut Observed,
    ) {
        let mut openings: SmallVec<[Option<Opening>; 4]> = SmallVec::new();
        openings.resize(group.openings.len(), None);
        for ask in asked(group, asking.event.kind) {
            let Ask::Window { slot, spec, track, opening, .. } = ask else { continue };
            let (Some(opening), Some(answer), Some(hidden)) =
                (openings.get_mut(*opening), observed.windows.get_mut(*slot), missing.of(*track))
            else {
                continue;
            };
            let Opening { start, time, from } = opening.get_or_insert_with(|| self.open_at(ask, asking, missing));
            let start = match start {
                Ok(start) => start,
                Err(why) => {
                    *answer = Maybe::Unknown(*why);
                    continue;
                }
            };
            if let Some(place) = observed.starts.get_mut(*slot) {
                *place = *time;
            }
            let (Some(track_plan), Some(column)) = (group.tracks.get(*track), self.plan.columns.get(*track)) else {
                continue;
            };
            let this = arrival.and_then(|arrival| arrival.entries.get(*track)).filter(|_| spec.including_this);
            let complete = hidden.upto.at < start.position.at && start.at_latest.is_none();
            if complete && self.answer_exactly(spec, column, start.position.at, *from, this, answer) {
                continue;
            }
            let state = self.state(*column);
            let over = |reach: &Reach| {
                let from = if reach.start == start.position { *from } else { self.first_from(reach.start) };
                let gaps = Gaps { hidden, dropped: &state.lost() };
                let (gap, hidden) = (gaps.affect(reach), hidden.affects(reach).is_some());
                let window = Window { asking, spec, track: track_plan, state: &state, from, gap, hidden };
                window.read(column.sort, this, |row, number| self.number(row, number))
            };
            *answer = asking.between(spec, start, over);
        }
    }

    /// The answer of nearly every window: a number that is no larger than what it is compared with, where no event is
    /// missing. `false` where more must be said than that.
    #[inline]
    fn answer_exactly(
        &self,
        spec: &WindowSpec,
        column: &Column,
        start: i64,
        from: usize,
        this: Option<&Entry>,
        answer: &mut Maybe<Interval<Value>>,
    ) -> bool {
        let within = Rows::MAX.checked_shl(from as u32).unwrap_or(0);
        // The state of a count is shorter than others, and may be nearly all there is.
        let [kept, dropped, first, second] = match self.words.get(column.state..) {
            Some([kept, at, _, more @ ..]) if !self.is_untouched() => {
                let more = |place: usize| more.get(place).copied().unwrap_or(0);
                [*kept, *at, more(0), more(1)]
            }
            Some(_) | None => [0, Position::START.at as u64, 0, 0],
        };
        if dropped as i64 >= start {
            return false;
        }
        let (rows, more) = match (column.sort, this) {
            (Sort::Event, this) => (kept, matches!(this, Some(Entry::Event))),
            (Sort::Atom(_), Some(Entry::Atom(.., same))) => (first, same.is_none_or(|row| usize::from(row) < from)),
            (Sort::Atom(_), _) => (first, false),
            (Sort::Number(number), Some(Entry::Number(steps, currency)))
                if matches!(spec.function, Function::Sum(_)) && !spec.distinct =>
            {
                let before: i64 = each(kept & !within).map(|row| self.number(row, number)).sum();
                let sum = second as i64 - before + steps;
                let (unit, currency) = (spec.unit, *currency);
                let value = || match (unit, currency) {
                    (Unit::Money(_), Some(currency)) => Some(Value::Money(Money { minor: sum.into(), currency })),
                    (Unit::Int, _) => Some(Value::Int(sum)),
                    _ => number::value(sum.into(), unit, currency),
                };
                let Some(lo) = value().filter(|_| spec.bound.reaches(sum.into())) else { return false };
                *answer = Maybe::Known(Interval { lo: Some(lo), hi: value(), why: None });
                return true;
            }
            (Sort::Number(_), _) => return false,
        };
        let count = i64::from((rows & within).count_ones() + u32::from(more));
        if !spec.bound.reaches(count.into()) {
            return false;
        }
        *answer = Maybe::Known(Interval { lo: Some(Value::Int(count)), hi: Some(Value::Int(count)), why: None });
        true
    }

    /// Where the window of this question starts.
    fn open_at(&self, ask: &Ask, asking: &Asking<'_>, missing: Missing<'_>) -> Opening {
        let Ask::Window { spec, anchor, .. } = ask else { return Opening::NOWHERE };
        let since = |reach: &Reach| {
            let state = self.state_of((*anchor)?)?;
            let gaps = Gaps { hidden: missing.of((*anchor)?)?, dropped: &state.lost() };
            let newest = newest_of(state.kept).map(|row| self.at(row));
            Some(Anchor::of(newest.filter(|newest| *newest >= reach.start), gaps, reach))
        };
        let start = asking.start(spec.window, since);
        Opening {
            start,
            time: start.ok().and_then(|start| Timestamp::from_microsecond(start.time?).ok()),
            from: start.map_or(0, |start| self.first_from(start.position)),
        }
    }
}

/// Where a window starts, as it is logged, and its first row.
#[derive(Clone, Copy)]
struct Opening {
    start: Result<Start, Why>,
    time: Option<Timestamp>,
    from: usize,
}

impl Opening {
    const NOWHERE: Opening = Opening { start: Err(Why::Absent), time: None, from: 0 };
}

/// A question, and the rows of the structure that answers it.
struct Window<'a> {
    asking: &'a Asking<'a>,
    spec: &'a WindowSpec,
    track: &'a TrackPlan,
    state: &'a State,
    /// The first row.
    from: usize,
    /// Why events may be missing.
    gap: Option<Why>,
    /// Whether some may be missing that were never seen.
    hidden: bool,
}

impl Window<'_> {
    /// `number_in` reads a number of a row.
    #[inline]
    fn read(
        &self,
        sort: Sort,
        this: Option<&Entry>,
        number_in: impl Fn(usize, usize) -> i64,
    ) -> Maybe<Interval<Value>> {
        let within = Rows::MAX.checked_shl(self.from as u32).unwrap_or(0);
        let count = |sure: u32| known(counted(u64::from(sure), (0, Why::Absent), self.gap, self.spec.bound).map(whole));
        match sort {
            Sort::Event => {
                count((self.state.kept & within).count_ones() + u32::from(matches!(this, Some(Entry::Event))))
            }
            Sort::Atom(_) => {
                let new =
                    matches!(this, Some(Entry::Atom(.., same)) if same.is_none_or(|row| usize::from(row) < self.from));
                count((self.state.newest & within).count_ones() + u32::from(new))
            }
            Sort::Number(number) => {
                let this = match this {
                    Some(Entry::Number(steps, currency)) => Some((*steps, *currency)),
                    Some(Entry::Nothing | Entry::Event | Entry::Atom(..)) | None => None,
                };
                let rows = self.state.kept & within;
                let currency = match this {
                    Some((_, currency)) => currency,
                    None => self.state.currency.filter(|_| rows != 0),
                };
                if matches!(self.spec.function, Function::Sum(_)) && !self.spec.distinct {
                    let before: i64 = each(self.state.kept & !within).map(|row| number_in(row, number)).sum();
                    let sum = i128::from(self.state.total - before) + this.map_or(0, |(steps, _)| i128::from(steps));
                    return known(self.summed(sum, currency));
                }
                let numbers = each(rows).map(|row| number_in(row, number)).chain(this.map(|(steps, _)| steps));
                known(self.of_numbers(numbers.map(i128::from), currency))
            }
        }
    }

    fn summed(&self, lo: i128, currency: Option<Currency>) -> Result<Interval<Value>, Why> {
        let gap = self.gap;
        // What was never seen may have been below zero.
        if let Some(why) = gap.filter(|_| self.hidden) {
            return Err(why);
        }
        let perhaps_currency = currency.or(self.state.currency.filter(|_| gap.is_some()));
        let sum = Sum { lo, hi: gap.is_none().then_some(lo), why: gap, currency, perhaps_currency };
        self.asking.summed(self.spec, sum)
    }

    fn of_numbers(
        &self,
        numbers: impl Iterator<Item = i128>,
        currency: Option<Currency>,
    ) -> Result<Interval<Value>, Why> {
        let Window { spec, gap, .. } = *self;
        match (self.track.what, spec.function) {
            (What::Greatest(..), _) => extremal(spec, greatest(numbers.max(), gap, currency)?),
            (What::Least(..), _) => extremal(spec, least(numbers.min(), gap, currency)?),
            (_, Function::Sum(_)) => self.summed(once_each(numbers).iter().sum(), currency),
            _ => {
                if let Some(why) = gap {
                    return Err(why);
                }
                let numbers: Vec<i128> = if spec.distinct { once_each(numbers) } else { numbers.collect() };
                let sure = numbers.into_iter().map(Cell::point).collect();
                described(spec, &Sample { sure, ..Sample::default() }, currency)
            }
        }
    }
}

fn greatest(found: Option<i128>, gap: Option<Why>, currency: Option<Currency>) -> Result<Option<Extreme>, Why> {
    match (found, gap) {
        (Some(found), None) => Ok(Some(Extreme { lo: Some(found), hi: Some(found), why: None, currency })),
        (Some(found), why) => Ok(Some(Extreme { lo: Some(found), hi: None, why, currency })),
        (None, Some(why)) => Err(why),
        (None, None) => Ok(None),
    }
}

fn least(found: Option<i128>, gap: Option<Why>, currency: Option<Currency>) -> Result<Option<Extreme>, Why> {
    let turned = |extreme: Extreme| Extreme { lo: extreme.hi, hi: extreme.lo, ..extreme };
    greatest(found, gap, currency).map(|extreme| extreme.map(turned))
}

fn once_each(numbers: impl Iterator<Item = i128>) -> Vec<i128> {
    let mut numbers: Vec<i128> = numbers.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}
