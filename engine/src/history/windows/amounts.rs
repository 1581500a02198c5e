//! Sums, means, deviations and percentiles: the newest amounts one by one, older ones summarised.

use std::{
    collections::{BTreeSet, VecDeque},
    ops::Range,
};

use super::{
    super::{
        estimate::{Cell, Moments, Sample},
        number::Number,
        position::{Gaps, Lost, Position, Reach},
    },
    part::Part,
    queue::{Placed, Queue},
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
    /// Certain amounts, the newest one by one, with running totals.
    recent: Queue<Entry>,
    /// The running total before the first of them.
    base: i128,
    /// The currency of the first amount.
    currency: Option<Currency>,
    mixed: bool,
    any_negative: bool,
    /// What only some keys have.
    more: Option<Box<More>>,
}

#[derive(Clone, Debug, Default)]
struct More {
    /// Summaries, in order, all older than the entries.
    parts: VecDeque<Part>,
    /// The sum of everything in them.
    summarised: i128,
    /// The currency of each entry, once they are mixed.
    currencies: VecDeque<Option<Currency>>,
    /// Amounts of events of which the filter could not be decided, in order.
    perhaps: VecDeque<(Position, Number)>,
    /// The newest event whose amount could not be found out.
    unknown: Option<(Position, Why)>,
    /// The newest negative amount that was dropped: sums that may contain it have no lower end.
    dropped_negative: Option<Position>,
    /// The newest amount that was dropped and not in the currency of the first.
    dropped_foreign: Option<Position>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Position,
    /// The sum up to and including this entry, from an arbitrary start.
    running: i128,
}

impl Placed for Entry {
    fn at(&self) -> Position {
        self.at
    }
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
    pub fn insert(&mut self, at: Position, number: Number, certain: bool, room: Room, dropped: &mut Lost) {
        self.meet(number.currency);
        self.any_negative |= number.steps < 0;
        if !certain {
            let more = self.more.get_or_insert_default();
            let place = more.perhaps.partition_point(|(other, _)| *other < at);
            more.perhaps.insert(place, (at, number));
            while more.perhaps.len() > room.entries {
                if let Some((at, number)) = more.perhaps.pop_front() {
                    more.note_dropped(at, number, self.currency, dropped);
                }
            }
            return;
        }
        self.insert_certain(at, number);
        if self.recent.len() > room.entries {
            self.fold(room, dropped);
        }
        // With amounts below zero, what is over the threshold now may come back under it.
        if let Some(most) = room.total.filter(|_| !self.mixed && !self.any_negative) {
            self.drop_beyond(most, dropped);
        }
    }

    /// Amounts in this currency were there, and are gone.
    pub fn have_had(&mut self, currency: Option<Currency>) {
        self.currency = self.currency.or(currency);
    }

    /// Notes that amounts up to here were dropped, some of them perhaps below zero.
    pub fn have_dropped(&mut self, upto: Position) {
        if upto > Position::START {
            let more = self.more.get_or_insert_default();
            more.dropped_negative = more.dropped_negative.max(Some(upto));
        }
    }

    /// Notes an amount's currency.
    fn meet(&mut self, currency: Option<Currency>) {
        match (self.currency, currency) {
            (Some(one), Some(other)) if one != other => {
                if !self.mixed {
                    self.mixed = true;
                    let all = std::iter::repeat_n(self.currency, self.recent.len());
                    self.more.get_or_insert_default().currencies = all.collect();
                }
            }
            (_, Some(other)) => self.currency = Some(other),
            (_, None) => {}
        }
    }

    fn insert_certain(&mut self, at: Position, number: Number) {
        if let Some(more) = &mut self.more
            && let Some(last) = more.parts.back()
            && at < last.last
        {
            let place = more.parts.partition_point(|part| part.last < at);
            if let Some(part) = more.parts.get_mut(place) {
                part.add(at, number);
                more.summarised = more.summarised.wrapping_add(number.steps);
            }
            return;
        }
        let newest = self.recent.last().copied();
        let in_order = newest.is_none_or(|newest| newest.at < at);
        let before = if in_order { self.recent.len() } else { self.recent.before(at) };
        let running = self.running_before(before).wrapping_add(number.steps);
        for entry in self.recent.insert(Entry { at, running }) {
            entry.running = entry.running.wrapping_add(number.steps);
        }
        if self.mixed {
            self.more.get_or_insert_default().currencies.insert(before, number.currency);
        }
    }

    /// The running total before the entry at this place.
    fn running_before(&self, place: usize) -> i128 {
        let before = place.checked_sub(1).and_then(|before| self.recent.as_slice().get(before));
        before.map_or(self.base, |before| before.running)
    }

    /// The amounts at these places.
    fn numbers(&self, places: Range<usize>) -> impl Iterator<Item = Number> + Clone {
        let entries = self.recent.as_slice().get(places.clone()).unwrap_or_default();
        let mut before = self.running_before(places.start);
        entries.iter().zip(places).map(move |(entry, place)| {
            let steps = entry.running.wrapping_sub(before);
            before = entry.running;
            Number { steps, currency: self.currency_at(place) }
        })
    }

    fn currency_at(&self, place: usize) -> Option<Currency> {
        match &self.more {
            Some(more) if self.mixed => more.currencies.get(place).copied().flatten(),
            Some(_) | None => self.currency,
        }
    }

    fn pop_front(&mut self) -> Option<(Position, Number)> {
        let currency = self.currency_at(0);
        let entry = self.recent.pop_front()?;
        let steps = entry.running.wrapping_sub(self.base);
        self.base = entry.running;
        if self.mixed
            && let Some(more) = &mut self.more
        {
            more.currencies.pop_front();
        }
        Some((entry.at, Number { steps, currency }))
    }

    /// Summarises the oldest sixteenth of the entries (four at least), or drops it where equal amounts count once.
    fn fold(&mut self, room: Room, dropped: &mut Lost) {
        let many = (room.entries / 16).max(4);
        let oldest: Vec<(Position, Number)> = std::iter::from_fn(|| self.pop_front()).take(many).collect();
        let more = self.more.get_or_insert_default();
        if room.distinct {
            for (at, number) in oldest {
                more.note_dropped(at, number, self.currency, dropped);
            }
            return;
        }
        if let Some(part) = Part::of(oldest.into_iter()) {
            more.summarised = more.summarised.wrapping_add(part.sum());
            more.parts.push_back(part);
        }
        if more.parts.len() > MOST_PARTS {
            // The two neighbours that together are the smallest become one.
            let pair = |place: &usize| {
                let count = |place| more.parts.get(place).map_or(u64::MAX, Part::count);
                count(*place).saturating_add(count(*place + 1))
            };
            let smallest = (0..MOST_PARTS).min_by_key(pair).unwrap_or(0);
            if let Some(newer) = more.parts.remove(smallest + 1)
                && let Some(older) = more.parts.get_mut(smallest)
            {
                older.merge(&newer);
            }
        }
    }

    /// The sum of everything certain.
    fn total(&self) -> i128 {
        let recent = self.running_before(self.recent.len()).wrapping_sub(self.base);
        self.more.as_ref().map_or(recent, |more| more.summarised.wrapping_add(recent))
    }

    /// Drops the oldest while the newer ones still total more than `most`.
    fn drop_beyond(&mut self, most: i128, dropped: &mut Lost) {
        let mut total = self.total();
        if total <= most {
            return;
        }
        if let Some(more) = &mut self.more {
            while let Some(part) = more.parts.front() {
                if total.saturating_sub(part.sum()) <= most {
                    return;
                }
                total -= part.sum();
                more.drop_part(self.currency, dropped);
            }
        }
        while let Some(entry) = self.recent.first() {
            let steps = entry.running.wrapping_sub(self.base);
            if total.saturating_sub(steps) <= most {
                return;
            }
            total -= steps;
            self.drop_entry(dropped);
        }
    }

    fn drop_entry(&mut self, dropped: &mut Lost) {
        if let Some((at, number)) = self.pop_front() {
            if number.steps < 0 || number.currency != self.currency {
                self.more.get_or_insert_default().note_dropped(at, number, self.currency, dropped);
            } else {
                dropped.extend(at, Why::Saturated);
            }
        }
    }

    /// Adds an event whose amount could not be found out.
    pub fn insert_unknown(&mut self, at: Position, why: Why) {
        let unknown = &mut self.more.get_or_insert_default().unknown;
        if unknown.is_none_or(|(newest, _)| newest < at) {
            *unknown = Some((at, why));
        }
    }

    /// Drops what lies before `horizon`: it has left every window.
    pub fn purge(&mut self, horizon: Position, dropped: &mut Lost) {
        if let Some(more) = &mut self.more {
            while more.parts.front().is_some_and(|part| part.last < horizon) {
                more.drop_part(self.currency, dropped);
            }
            while let Some((at, number)) = more.perhaps.pop_front_if(|(at, _)| *at < horizon) {
                more.note_dropped(at, number, self.currency, dropped);
            }
        }
        while self.recent.first().is_some_and(|entry| entry.at < horizon) {
            self.drop_entry(dropped);
        }
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.more.iter().flat_map(|more| &more.parts)
    }

    /// The sum of the entries in reach, without walking them.
    fn entries_sum(&self, places: &Range<usize>) -> i128 {
        self.running_before(places.end).wrapping_sub(self.running_before(places.start))
    }

    fn known(&self, reach: &Reach) -> Result<(), Why> {
        match self.more.as_ref().and_then(|more| more.unknown) {
            Some((at, why)) if reach.contains(at) => Err(why),
            Some((at, _)) if at >= reach.end => Err(Why::Saturated),
            Some(_) | None => Ok(()),
        }
    }

    fn perhaps_in(&self, reach: &Reach) -> impl Iterator<Item = Number> {
        let perhaps = self.more.iter().flat_map(|more| &more.perhaps);
        perhaps.filter(move |(at, _)| reach.contains(*at)).map(|(_, number)| *number)
    }

    /// The one currency of what certainly is in reach, and of what may be.
    fn currency_in(
        &self,
        reach: &Reach,
        entries: &Range<usize>,
        loose: &[(Number, Tri)],
    ) -> Result<(Option<Currency>, Option<Currency>), Why> {
        let mut one = OneCurrency(None);
        for part in self.parts().filter(|part| part.overlap(reach) == Some(Tri::True)) {
            part.currencies(&mut one)?;
        }
        if self.mixed {
            entries.clone().try_for_each(|place| one.meet(self.currency_at(place)))?;
        } else if !entries.is_empty() {
            one.meet(self.currency)?;
        }
        let loose_of = |wanted: Tri| loose.iter().filter(move |(_, passes)| *passes == wanted).map(|(n, _)| n.currency);
        loose_of(Tri::True).try_for_each(|currency| one.meet(currency))?;
        let certain = one.0;
        for part in self.parts().filter(|part| part.overlap(reach) == Some(Tri::Unknown)) {
            part.currencies(&mut one)?;
        }
        self.perhaps_in(reach).try_for_each(|number| one.meet(number.currency))?;
        loose_of(Tri::Unknown).try_for_each(|currency| one.meet(currency))?;
        Ok((certain, one.0))
    }

    /// The sum over reach.
    pub fn sum(&self, reach: &Reach, loose: &[(Number, Tri)], room: Room, gaps: Gaps<'_>) -> Result<Sum, Why> {
        self.known(reach)?;
        let entries = self.recent.range(reach);
        let (currency, mut perhaps_currency) = self.currency_in(reach, &entries, loose)?;
        let (mut lo, mut hi) =
            if room.distinct { self.distinct_sum(reach, loose) } else { self.plain_sum(reach, &entries, loose) };
        let mut why = (lo != hi).then_some(Why::Absent);
        let mut endless = false;
        for part in self.parts() {
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
            let dropped = |newest: fn(&More) -> Option<Position>| {
                self.more.as_deref().and_then(newest).is_some_and(|at| at >= reach.start)
            };
            let hidden_negative = !room.ones && gaps.hidden.affects(reach).is_some();
            if hidden_negative || dropped(|more| more.dropped_negative) || dropped(|more| more.dropped_foreign) {
                return Err(cause);
            }
            // What was dropped was in the currency of the first that was seen.
            if perhaps_currency.is_some_and(|other| self.currency.is_some_and(|currency| currency != other)) {
                return Err(cause);
            }
            (endless, why) = (true, Some(cause));
            perhaps_currency = perhaps_currency.or(self.currency);
        }
        Ok(Sum { lo, hi: (!endless).then_some(hi), why, currency, perhaps_currency })
    }

    fn plain_sum(&self, reach: &Reach, entries: &Range<usize>, loose: &[(Number, Tri)]) -> (i128, i128) {
        let sure = self.entries_sum(entries);
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

    fn distinct_sum(&self, reach: &Reach, loose: &[(Number, Tri)]) -> (i128, i128) {
        let (sure, perhaps) = self.distinct(reach, loose);
        let all: i128 = sure.iter().sum();
        let part = |sign: i128| perhaps.iter().filter(|steps| steps.signum() == sign).sum::<i128>();
        (all + part(-1), all + part(1))
    }

    /// Certain values once each, and the uncertain ones that are not among them.
    fn distinct(&self, reach: &Reach, loose: &[(Number, Tri)]) -> (BTreeSet<i128>, BTreeSet<i128>) {
        let of = |wanted: Tri| loose.iter().filter(move |(_, passes)| *passes == wanted).map(|(n, _)| n.steps);
        let entries = self.numbers(self.recent.range(reach)).map(|number| number.steps);
        let sure: BTreeSet<i128> = entries.chain(of(Tri::True)).collect();
        let perhaps: BTreeSet<i128> =
            self.perhaps_in(reach).map(|number| number.steps).chain(of(Tri::Unknown)).collect();
        let more = perhaps.difference(&sure).copied().collect();
        (sure, more)
    }

    /// Everything in reach, for a mean, deviation or percentile. `for_mean` leaves the certain values summed up.
    pub fn sample(
        &self,
        reach: &Reach,
        loose: &[(Number, Tri)],
        room: Room,
        for_mean: bool,
        gaps: Gaps<'_>,
    ) -> Result<(Sample, Option<Currency>), Why> {
        self.known(reach)?;
        if let Some(cause) = gaps.affect(reach) {
            return Err(cause);
        }
        let entries = self.recent.range(reach);
        let (_, currency) = self.currency_in(reach, &entries, loose)?;
        if room.distinct {
            let (sure, perhaps) = self.distinct(reach, loose);
            let points = |values: BTreeSet<i128>| values.into_iter().map(Cell::point).collect();
            return Ok((Sample { sure: points(sure), perhaps: points(perhaps), summed: None }, currency));
        }
        let mut sample = Sample::default();
        let mut folded = Moments::default();
        for part in self.parts() {
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
            let sum = self.entries_sum(&entries);
            folded.merge(&Moments { count: entries.len() as u64, sum: sum.into(), ..Moments::default() });
            folded.merge(&Moments::of(of(Tri::True).map(|steps| (steps, 1))));
            sample.sure.clear();
            sample.summed = Some(folded);
        } else {
            let points = self.numbers(entries).map(|number| number.steps).chain(of(Tri::True));
            if folded.count > 0 {
                folded.merge(&Moments::of(points.clone().map(|steps| (steps, 1))));
                sample.summed = Some(folded);
            }
            sample.sure.extend(points.map(Cell::point));
        }
        Ok((sample, currency))
    }

    pub fn len(&self) -> usize {
        self.recent.len() + self.more.as_ref().map_or(0, |more| more.parts.len() + more.perhaps.len())
    }

    /// What it takes beyond its own size, in bytes.
    pub fn heap(&self) -> usize {
        let more = self.more.as_ref().map_or(0, |more| {
            size_of::<More>()
                + more.parts.iter().map(Part::bytes).sum::<usize>()
                + more.currencies.capacity() * size_of::<Option<Currency>>()
                + more.perhaps.capacity() * size_of::<(Position, Number)>()
        });
        self.recent.heap() + more
    }
}

impl More {
    /// `first` is the currency of the first amount.
    fn drop_part(&mut self, first: Option<Currency>, dropped: &mut Lost) {
        if let Some(part) = self.parts.pop_front() {
            self.summarised = self.summarised.wrapping_sub(part.sum());
            let foreign = part.currencies(&mut OneCurrency(first)).is_err();
            self.note(part.last, part.negative < 0, foreign, dropped);
        }
    }

    fn note_dropped(&mut self, at: Position, number: Number, first: Option<Currency>, dropped: &mut Lost) {
        self.note(at, number.steps < 0, number.currency != first, dropped);
    }

    fn note(&mut self, at: Position, negative: bool, foreign: bool, dropped: &mut Lost) {
        dropped.extend(at, Why::Saturated);
        if negative {
            self.dropped_negative = self.dropped_negative.max(Some(at));
        }
        if foreign {
            self.dropped_foreign = self.dropped_foreign.max(Some(at));
        }
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
