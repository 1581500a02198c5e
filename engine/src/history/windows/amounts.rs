//! Sums, means, deviations and percentiles: the newest amounts one by one, older ones summarised.

use std::collections::{BTreeSet, VecDeque};

use super::{
    super::{
        estimate::{Cell, Moments, Sample},
        number::Number,
        position::{Gaps, Position, Reach},
    },
    part::Part,
};
use crate::{maybe::Why, tri::Tri, value::Currency};

/// At most this many summaries.
const MOST_PARTS: usize = 64;

/// How much to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::history) struct Room {
    /// Amounts kept one by one.
    pub entries: usize,
    /// Drop the oldest once the newer ones total more than this: only for sums compared with a constant.
    pub total: Option<i128>,
    /// Equal amounts count once, so they cannot be summarised.
    pub distinct: bool,
    /// Every amount is the one of a count. Others may be below zero, those never seen included.
    pub ones: bool,
}

/// The amounts under a key.
#[derive(Clone, Debug, Default)]
pub(in crate::history) struct Amounts {
    /// Summaries, in order, all older than `recent`.
    parts: VecDeque<Part>,
    /// Certain amounts in order, with running totals.
    recent: VecDeque<Entry>,
    /// Amounts of events of which the filter could not be decided, in order.
    perhaps: VecDeque<(Position, Number)>,
    /// The newest event whose amount could not be found out.
    unknown: Option<(Position, Why)>,
    /// The currency of the first amount, until another one is seen.
    currency: Option<Currency>,
    mixed: bool,
    /// The sum of everything in `parts` and `recent`.
    total: i128,
    any_negative: bool,
    /// The newest negative amount that was dropped: sums that may contain it have no lower end.
    dropped_negative: Option<Position>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Position,
    number: Number,
    /// The sum up to and including this entry, from an arbitrary start.
    running: i128,
}

/// A sum lies between these; `hi: None` is infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::history) struct Sum {
    pub lo: i128,
    pub hi: Option<i128>,
    pub why: Option<Why>,
    /// The currency of the amounts in the window, if there are any.
    pub currency: Option<Currency>,
    /// The currency of amounts that may be in the window.
    pub perhaps_currency: Option<Currency>,
}

impl Amounts {
    /// Adds an event.
    pub fn insert(&mut self, at: Position, number: Number, certain: bool, room: Room, gaps: &mut Gaps) {
        match (self.currency, number.currency) {
            (Some(one), Some(other)) if one != other => self.mixed = true,
            (_, Some(other)) => self.currency = Some(other),
            (_, None) => {}
        }
        self.any_negative |= number.steps < 0;
        if !certain {
            let place = self.perhaps.partition_point(|(other, _)| *other < at);
            self.perhaps.insert(place, (at, number));
            while self.perhaps.len() > room.entries {
                if let Some((at, number)) = self.perhaps.pop_front() {
                    self.note_dropped(at, number.steps < 0, gaps);
                }
            }
            return;
        }
        self.total = self.total.wrapping_add(number.steps);
        self.insert_certain(at, number);
        if self.recent.len() > room.entries {
            self.fold(room, gaps);
        }
        // With amounts below zero, what is over the threshold now may come back under it.
        if let Some(most) = room.total.filter(|_| !self.mixed && !self.any_negative) {
            self.drop_beyond(most, gaps);
        }
    }

    fn insert_certain(&mut self, at: Position, number: Number) {
        match self.recent.back() {
            Some(newest) if newest.at < at => {
                let running = newest.running.wrapping_add(number.steps);
                self.recent.push_back(Entry { at, number, running });
            }
            None if self.parts.is_empty() => self.recent.push_back(Entry { at, number, running: number.steps }),
            Some(_) | None => self.insert_late(at, number),
        }
    }

    fn insert_late(&mut self, at: Position, number: Number) {
        if let Some(last) = self.parts.back()
            && at < last.last
        {
            let place = self.parts.partition_point(|part| part.last < at);
            if let Some(part) = self.parts.get_mut(place) {
                part.add(at, number);
            }
            return;
        }
        let place = self.recent.partition_point(|entry| entry.at < at);
        let before = place.checked_sub(1).and_then(|before| self.recent.get(before));
        let running = match (before, self.recent.front()) {
            (Some(before), _) => before.running,
            (None, Some(first)) => first.running.wrapping_sub(first.number.steps),
            (None, None) => 0,
        };
        self.recent.insert(place, Entry { at, number, running });
        for entry in self.recent.range_mut(place..) {
            entry.running = entry.running.wrapping_add(number.steps);
        }
    }

    /// Summarises the oldest sixteenth of the entries (four at least), or drops it where equal amounts count once.
    fn fold(&mut self, room: Room, gaps: &mut Gaps) {
        let many = (room.entries / 16).max(4);
        let oldest: Vec<Entry> = self.recent.drain(..many.min(self.recent.len())).collect();
        if room.distinct {
            for entry in oldest {
                self.note_dropped(entry.at, entry.number.steps < 0, gaps);
            }
            return;
        }
        if let Some(part) = Part::of(oldest.iter().map(|entry| (entry.at, entry.number))) {
            self.parts.push_back(part);
        }
        if self.parts.len() > MOST_PARTS {
            // The two neighbours that together are the smallest become one.
            let pair = |place: &usize| {
                let count = |place| self.parts.get(place).map_or(u64::MAX, Part::count);
                count(*place).saturating_add(count(*place + 1))
            };
            let smallest = (0..MOST_PARTS).min_by_key(pair).unwrap_or(0);
            if let Some(newer) = self.parts.remove(smallest + 1)
                && let Some(older) = self.parts.get_mut(smallest)
            {
                older.merge(&newer);
            }
        }
    }

    /// Drops the oldest while the newer ones still total more than `most`.
    fn drop_beyond(&mut self, most: i128, gaps: &mut Gaps) {
        while let Some(part) = self.parts.front() {
            if self.total.saturating_sub(part.sum()) <= most {
                return;
            }
            self.total -= part.sum();
            let (last, negative) = (part.last, part.negative < 0);
            self.parts.pop_front();
            self.note_dropped(last, negative, gaps);
        }
        while let Some(entry) = self.recent.front().copied() {
            if self.total.saturating_sub(entry.number.steps) <= most {
                return;
            }
            self.total -= entry.number.steps;
            self.recent.pop_front();
            self.note_dropped(entry.at, entry.number.steps < 0, gaps);
        }
    }

    fn note_dropped(&mut self, at: Position, negative: bool, gaps: &mut Gaps) {
        gaps.dropped.extend(at, Why::Saturated);
        if negative {
            self.dropped_negative = self.dropped_negative.max(Some(at));
        }
    }

    /// Adds an event whose amount could not be found out.
    pub fn insert_unknown(&mut self, at: Position, why: Why) {
        if self.unknown.is_none_or(|(newest, _)| newest < at) {
            self.unknown = Some((at, why));
        }
    }

    /// Drops what lies before `horizon`: it has left every window.
    pub fn purge(&mut self, horizon: Position, gaps: &mut Gaps) {
        while let Some(part) = self.parts.front().filter(|part| part.last < horizon) {
            self.total = self.total.wrapping_sub(part.sum());
            let (last, negative) = (part.last, part.negative < 0);
            self.parts.pop_front();
            self.note_dropped(last, negative, gaps);
        }
        while let Some(entry) = self.recent.front().copied().filter(|entry| entry.at < horizon) {
            self.total = self.total.wrapping_sub(entry.number.steps);
            self.recent.pop_front();
            self.note_dropped(entry.at, entry.number.steps < 0, gaps);
        }
        while let Some((at, number)) = self.perhaps.front().copied().filter(|(at, _)| *at < horizon) {
            self.perhaps.pop_front();
            self.note_dropped(at, number.steps < 0, gaps);
        }
    }

    /// The entries in reach.
    fn entries(&self, reach: Reach) -> impl DoubleEndedIterator<Item = &Entry> + Clone {
        let from = self.recent.partition_point(|entry| entry.at < reach.start);
        let to = match self.recent.back() {
            Some(newest) if newest.at >= reach.end => self.recent.partition_point(|entry| entry.at < reach.end),
            Some(_) | None => self.recent.len(),
        };
        self.recent.range(from..to.max(from))
    }

    /// Their number and sum, without walking them.
    fn entries_total(&self, reach: Reach) -> (u64, i128) {
        let mut entries = self.entries(reach);
        let count = entries.clone().size_hint().0 as u64;
        let Some(first) = entries.next() else { return (0, 0) };
        let last = entries.next_back().unwrap_or(first);
        (count, last.running.wrapping_sub(first.running).wrapping_add(first.number.steps))
    }

    fn known(&self, reach: Reach) -> Result<(), Why> {
        match self.unknown {
            Some((at, why)) if reach.contains(at) => Err(why),
            Some((at, _)) if at >= reach.end => Err(Why::Saturated),
            Some(_) | None => Ok(()),
        }
    }

    fn perhaps_in(&self, reach: Reach) -> impl Iterator<Item = Number> {
        self.perhaps.iter().filter(move |(at, _)| reach.contains(*at)).map(|(_, number)| *number)
    }

    /// The one currency of what certainly is in reach, and of what may be.
    fn currency_in(&self, reach: Reach, loose: &[(Number, Tri)]) -> Result<(Option<Currency>, Option<Currency>), Why> {
        let mut one = OneCurrency(None);
        for part in self.parts.iter().filter(|part| part.overlap(reach) == Some(Tri::True)) {
            part.currencies(&mut one)?;
        }
        if self.mixed {
            self.entries(reach).try_for_each(|entry| one.meet(entry.number.currency))?;
        } else if self.entries(reach).next().is_some() {
            one.meet(self.currency)?;
        }
        let loose_of = |wanted: Tri| loose.iter().filter(move |(_, passes)| *passes == wanted).map(|(n, _)| n.currency);
        loose_of(Tri::True).try_for_each(|currency| one.meet(currency))?;
        let certain = one.0;
        for part in self.parts.iter().filter(|part| part.overlap(reach) == Some(Tri::Unknown)) {
            part.currencies(&mut one)?;
        }
        self.perhaps_in(reach).try_for_each(|number| one.meet(number.currency))?;
        loose_of(Tri::Unknown).try_for_each(|currency| one.meet(currency))?;
        Ok((certain, one.0))
    }

    /// The sum over reach.
    pub fn sum(&self, reach: Reach, loose: &[(Number, Tri)], room: Room, gaps: &Gaps) -> Result<Sum, Why> {
        self.known(reach)?;
        let (currency, mut perhaps_currency) = self.currency_in(reach, loose)?;
        let (mut lo, mut hi) =
            if room.distinct { self.distinct_sum(reach, loose) } else { self.plain_sum(reach, loose) };
        let mut why = (lo != hi).then_some(Why::Absent);
        let mut endless = false;
        for part in &self.parts {
            match part.overlap(reach) {
                None => {}
                Some(Tri::True) => (lo, hi) = (lo + part.sum(), hi + part.sum()),
                Some(Tri::False | Tri::Unknown) => {
                    (lo, hi) = (lo + part.negative, hi + part.positive);
                    why = Some(Why::Saturated);
                }
            }
        }
        if let Some(cause) = gaps.affect(reach) {
            let dropped_negative = self.dropped_negative.is_some_and(|at| at >= reach.start);
            let hidden_negative = !room.ones && gaps.hidden.affects(reach).is_some();
            if dropped_negative || hidden_negative || self.mixed {
                return Err(cause);
            }
            (endless, why) = (true, Some(cause));
            perhaps_currency = perhaps_currency.or(self.currency);
        }
        Ok(Sum { lo, hi: (!endless).then_some(hi), why, currency, perhaps_currency })
    }

    fn plain_sum(&self, reach: Reach, loose: &[(Number, Tri)]) -> (i128, i128) {
        let sure = self.entries_total(reach).1;
        let (mut lo, mut hi) = (sure, sure);
        let loose = loose.iter().copied();
        for (number, passes) in self.perhaps_in(reach).map(|number| (number, Tri::Unknown)).chain(loose) {
            match passes {
                Tri::True => (lo, hi) = (lo + number.steps, hi + number.steps),
                Tri::Unknown => (lo, hi) = (lo + number.steps.min(0), hi + number.steps.max(0)),
                Tri::False => {}
            }
        }
        (lo, hi)
    }

    fn distinct_sum(&self, reach: Reach, loose: &[(Number, Tri)]) -> (i128, i128) {
        let (sure, perhaps) = self.distinct(reach, loose);
        let all: i128 = sure.iter().sum();
        let part = |sign: i128| perhaps.iter().filter(|steps| steps.signum() == sign).sum::<i128>();
        (all + part(-1), all + part(1))
    }

    /// Certain values once each, and the uncertain ones that are not among them.
    fn distinct(&self, reach: Reach, loose: &[(Number, Tri)]) -> (BTreeSet<i128>, BTreeSet<i128>) {
        let of = |wanted: Tri| loose.iter().filter(move |(_, passes)| *passes == wanted).map(|(n, _)| n.steps);
        let sure: BTreeSet<i128> = self.entries(reach).map(|entry| entry.number.steps).chain(of(Tri::True)).collect();
        let perhaps: BTreeSet<i128> =
            self.perhaps_in(reach).map(|number| number.steps).chain(of(Tri::Unknown)).collect();
        let more = perhaps.difference(&sure).copied().collect();
        (sure, more)
    }

    /// Everything in reach, for a mean, deviation or percentile. `for_mean` leaves the certain values summed up.
    pub fn sample(
        &self,
        reach: Reach,
        loose: &[(Number, Tri)],
        room: Room,
        for_mean: bool,
        gaps: &Gaps,
    ) -> Result<(Sample, Option<Currency>), Why> {
        self.known(reach)?;
        if let Some(cause) = gaps.affect(reach) {
            return Err(cause);
        }
        let (_, currency) = self.currency_in(reach, loose)?;
        if room.distinct {
            let (sure, perhaps) = self.distinct(reach, loose);
            let points = |values: BTreeSet<i128>| values.into_iter().map(Cell::point).collect();
            return Ok((Sample { sure: points(sure), perhaps: points(perhaps), summed: None }, currency));
        }
        let mut sample = Sample::default();
        let mut folded = Moments::default();
        for part in &self.parts {
            match part.overlap(reach) {
                None => {}
                Some(Tri::True) => {
                    folded.merge(&part.moments);
                    sample.sure.extend(&part.cells);
                }
                Some(Tri::False | Tri::Unknown) => sample.perhaps.extend(&part.cells),
            }
        }
        let of = |wanted: Tri| loose.iter().filter(move |(_, passes)| *passes == wanted).map(|(n, _)| n.steps);
        sample
            .perhaps
            .extend(self.perhaps_in(reach).map(|number| number.steps).chain(of(Tri::Unknown)).map(Cell::point));
        if for_mean {
            let (count, sum) = self.entries_total(reach);
            folded.merge(&Moments { count, sum: sum.into(), ..Moments::default() });
            folded.merge(&Moments::of(of(Tri::True).map(|steps| (steps, 1))));
            sample.sure.clear();
            sample.summed = Some(folded);
        } else {
            let points = self.entries(reach).map(|entry| entry.number.steps).chain(of(Tri::True));
            if folded.count > 0 {
                folded.merge(&Moments::of(points.clone().map(|steps| (steps, 1))));
                sample.summed = Some(folded);
            }
            sample.sure.extend(points.map(Cell::point));
        }
        Ok((sample, currency))
    }

    pub fn len(&self) -> usize {
        self.parts.len() + self.recent.len() + self.perhaps.len()
    }

    pub fn bytes(&self) -> usize {
        self.recent.capacity() * size_of::<Entry>()
            + self.perhaps.capacity() * size_of::<(Position, Number)>()
            + self.parts.iter().map(Part::bytes).sum::<usize>()
    }
}

/// Meets amounts one by one and refuses the second currency.
pub(super) struct OneCurrency(Option<Currency>);

impl OneCurrency {
    pub fn meet(&mut self, other: Option<Currency>) -> Result<(), Why> {
        match (self.0, other) {
            (Some(one), Some(other)) if one != other => Err(Why::CurrencyMismatch),
            (_, Some(other)) => {
                self.0 = Some(other);
                Ok(())
            }
            (_, None) => Ok(()),
        }
    }
}
