//! A key's newest events as they came, one after the other in one piece: while nothing about them is in doubt, each
//! structure is no more than a set of rows.
//!
//! In order, certain, in one currency and few: so are the events of nearly every key. What such a log cannot hold (an
//! event that comes late, one that may or may not count, a second currency, more rows than a set has bits) turns it into
//! the structures themselves, which hold everything.

mod straight;

use std::ops::Deref;

use jiff::Timestamp;
use smallvec::SmallVec;

pub(super) use self::straight::Straight;
use super::{
    super::{
        atom::{self, Atom, Key},
        estimate::{Cell, Sample},
        number::{self, Number},
        observation::{Observed, in_flight},
        plan::{Function, Unit, WindowSpec},
        position::{Gaps, Lost, Position, Reach},
    },
    amounts::Sum,
    answer::{Anchor, Asking, Start, counted, described, extremal, known, whole},
    extremes::Extreme,
    group::{Missing, asked, fresh},
    layout::{Ask, GroupPlan, TrackPlan, What},
    track::{Content, Kept, Track, of_status, passes},
};
use crate::{
    interval::Interval,
    maybe::{Maybe, Why},
    money::Money,
    tri::Tri,
    value::{Currency, Value},
};

/// A set of rows: one bit each, the oldest first.
type Rows = u64;

const MOST_ROWS: usize = Rows::BITS as usize;
/// The most words that an atom takes: few, until one is longer.
const WIDEST: usize = 5;
/// The shape of the rows, and the position from which theirs are counted.
const FIXED: usize = 3;
/// Of a position in one word, so many bits are for the order of ingestion, and the others for microseconds.
const SEQ_BITS: u32 = 24;
/// Numbers are smaller than this, so that those of all rows can be added.
const LARGEST: i128 = 1 << 56;

/// How the rows of a group look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogPlan {
    /// What each structure has in a row.
    columns: Vec<Column>,
    numbers: usize,
    atoms: usize,
    /// Words before the first row.
    head: usize,
    /// More rows than this are not kept for late events alone.
    rows: usize,
}

/// What a structure has in a row, where its state is, and its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Column {
    sort: Sort,
    state: usize,
    /// The most rows of it, or of values.
    most: usize,
    /// Its oldest rows go while the newer ones total more than this.
    total: Option<i64>,
    /// None of its rows can go.
    all: bool,
}

/// What a structure has in a row, and the how manieth of its sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Event,
    Number(usize),
    Atom(usize),
}

/// The events of a key in words: the shape, then the state of each structure, then the rows. All zero, it is empty.
pub(super) struct Log<'a, W> {
    plan: &'a LogPlan,
    shape: Shape,
    words: W,
}

/// Where the rows are, and how they are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shape {
    /// How many there are.
    rows: usize,
    /// How many have gone from before the first.
    gone: usize,
    /// Words of an atom.
    width: usize,
    /// A position takes two words instead of one.
    far: bool,
}

/// What a structure keeps of the rows.
#[derive(Clone, Copy, Debug)]
struct State {
    /// The rows it has.
    kept: Rows,
    /// The newest row it has dropped.
    dropped: Position,
    /// Of values: the rows that are the newest with theirs.
    newest: Rows,
    /// Of values: the rows whose value had appeared before, in a row that is gone.
    orphaned: Rows,
    /// Of amounts: their currency.
    currency: Option<Currency>,
    /// Of numbers: the sum of the rows it has.
    total: i64,
}

/// What an event brings to a structure, as a row has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Nothing,
    Event,
    Number(i64, Option<Currency>),
    /// With how many bytes it has, and the newest row of the same value.
    Atom(Packed, u8, Option<u8>),
}

/// The bytes of an atom and zeros. In a row, the last byte says how many they are.
type Packed = [u64; WIDEST];

/// What an event brings, by structure.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    entries: SmallVec<[Entry; 4]>,
    /// Whether it takes part in anything, be it that it does not count.
    pub feeds: bool,
    /// Whether it could be in a log.
    pub certain: bool,
    /// Words of its longest atom.
    width: usize,
}

/// How a row is going to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    shape: Shape,
    /// Its position, if it takes one word.
    near: Option<u64>,
    /// As many words as the log should be given, if it has too few.
    pub more: Option<usize>,
}

impl LogPlan {
    /// `None` where a structure remembers what no row says.
    pub fn of(tracks: &[TrackPlan]) -> Option<LogPlan> {
        let mut plan = LogPlan { columns: Vec::new(), numbers: 0, atoms: 0, head: FIXED, rows: 0 };
        for track in tracks {
            let sort = match track.what {
                What::Times | What::Ones => Sort::Event,
                What::Values(_) => {
                    plan.atoms += 1;
                    Sort::Atom(plan.atoms - 1)
                }
                What::Amounts { .. } | What::Greatest(..) | What::Least(..) => {
                    plan.numbers += 1;
                    Sort::Number(plan.numbers - 1)
                }
                What::Appearances => return None,
            };
            // The sum of all rows is less than the most there can be.
            let total = track.keep.room(track.what).total.map(|total| i64::try_from(total).unwrap_or(i64::MAX));
            let total = total.filter(|_| matches!(sort, Sort::Number(_)));
            let all = track.what == What::Ones;
            plan.columns.push(Column { sort, state: plan.head, most: track.keep.entries, total, all });
            plan.head += match sort {
                Sort::Event => 3,
                Sort::Number(_) | Sort::Atom(_) => 5,
            };
            plan.rows = plan.rows.max(track.keep.entries).min(MOST_ROWS);
        }
        Some(plan)
    }

    /// The words that a log begins with: there is room for a few rows.
    pub fn words(&self) -> usize {
        self.head + 5 * (1 + self.numbers + self.atoms)
    }
}

impl Default for Arrival {
    fn default() -> Arrival {
        Arrival { entries: SmallVec::new(), feeds: false, certain: true, width: 1 }
    }
}

impl Arrival {
    /// Finds out what the event brings to each structure, where nothing is known of that yet.
    #[inline]
    pub fn fill(&mut self, tracks: &[TrackPlan], asking: &Asking<'_>) {
        for track in tracks {
            let entry = if track.feed.takes(asking.event.kind) { self.entry(track, asking) } else { Entry::Nothing };
            self.entries.push(entry);
        }
    }

    #[inline]
    fn entry(&mut self, track: &TrackPlan, asking: &Asking<'_>) -> Entry {
        let entry = match track.what {
            What::Times | What::Ones | What::Appearances => Ok(Entry::Event),
            What::Values(field) => {
                let entry = packed(atom::field(&asking.event.fields, field));
                if let Ok(Entry::Atom(_, length, _)) = entry {
                    self.width = self.width.max(width_of(length));
                }
                entry
            }
            What::Amounts { field, unit, .. } | What::Greatest(field, unit) | What::Least(field, unit) => {
                match atom::field(&asking.event.fields, field) {
                    Maybe::Known(value) => number::number(value, unit).and_then(|Number { steps, currency }| {
                        let fits = -LARGEST < steps && steps < LARGEST;
                        if fits { Ok(Entry::Number(steps as i64, currency)) } else { Err(Why::Overflow) }
                    }),
                    Maybe::Unknown(why) => Err(why),
                }
            }
        };
        if entry == Err(Why::Absent) {
            return Entry::Nothing;
        }
        self.feeds = true;
        if track.filter.is_none() {
            self.certain &= entry.is_ok();
            return entry.unwrap_or(Entry::Nothing);
        }
        let by_status = passes(track, asking.event);
        let passes = of_status(by_status, asking.status);
        let settled = !in_flight(asking.status) || by_status.iter().all(|other| *other == passes);
        match (passes, entry) {
            (Tri::False, _) if settled => Entry::Nothing,
            (Tri::True, Ok(entry)) if settled => entry,
            (Tri::True | Tri::False | Tri::Unknown, _) => {
                self.certain = false;
                Entry::Nothing
            }
        }
    }

    /// Whether it counts nowhere.
    pub fn is_nothing(&self) -> bool {
        self.entries.iter().all(|entry| *entry == Entry::Nothing)
    }
}

impl Shape {
    fn read(word: u64) -> Shape {
        let [rows, gone, width, far, ..] = word.to_le_bytes().map(usize::from);
        Shape { rows, gone, width: width.max(1), far: far != 0 }
    }

    fn word(self) -> u64 {
        let Shape { rows, gone, width, far } = self;
        u64::from_le_bytes([rows as u8, gone as u8, width as u8, u8::from(far), 1, 0, 0, 0])
    }

    fn position(self) -> usize {
        1 + usize::from(self.far)
    }

    /// Words of a row.
    fn stride(self, plan: &LogPlan) -> usize {
        self.position() + plan.numbers + plan.atoms * self.width
    }
}

impl State {
    const EMPTY: State = State { kept: 0, dropped: Position::START, newest: 0, orphaned: 0, currency: None, total: 0 };

    #[inline]
    fn read(sort: Sort, words: &[u64]) -> State {
        let &[kept, at, seq, ref more @ ..] = words else { return State::EMPTY };
        let state = State { kept, dropped: Position { at: at as i64, seq }, ..State::EMPTY };
        match (sort, more) {
            (Sort::Number(_), [currency, total, ..]) => {
                State { currency: Currency::unpack(*currency), total: *total as i64, ..state }
            }
            (Sort::Atom(_), [newest, orphaned, ..]) => State { newest: *newest, orphaned: *orphaned, ..state },
            _ => state,
        }
    }

    #[inline]
    fn write(&self, sort: Sort, words: &mut [u64]) {
        let [kept, at, seq, more @ ..] = words else { return };
        (*kept, *at, *seq) = (self.kept, self.dropped.at as u64, self.dropped.seq);
        match (sort, more) {
            (Sort::Number(_), [currency, total, ..]) => {
                (*currency, *total) = (self.currency.map_or(0, Currency::pack), self.total as u64);
            }
            (Sort::Atom(_), [newest, orphaned, ..]) => (*newest, *orphaned) = (self.newest, self.orphaned),
            _ => {}
        }
    }

    /// The rows it cannot do without.
    fn needed(&self, sort: Sort) -> Rows {
        match sort {
            Sort::Event | Sort::Number(_) => self.kept,
            Sort::Atom(_) => self.newest,
        }
    }

    fn lost(&self) -> Lost {
        Lost { upto: self.dropped, why: Why::Saturated }
    }
}

impl<'a, W: Deref<Target = [u64]>> Log<'a, W> {
    /// The log that these words are.
    #[inline]
    pub fn of(plan: &'a LogPlan, words: W) -> Log<'a, W> {
        let shape = Shape::read(words.first().copied().unwrap_or(0));
        Log { plan, shape, words }
    }

    pub fn rows(&self) -> usize {
        self.shape.rows
    }

    /// Whether no event was ever taken in.
    fn is_untouched(&self) -> bool {
        self.words.first().is_none_or(|shape| *shape == 0)
    }

    /// The most rows that one structure has.
    pub fn most(&self) -> usize {
        self.columns().map(|(_, column)| self.state(column).kept.count_ones() as usize).max().unwrap_or(0)
    }

    fn columns(&self) -> impl Iterator<Item = (usize, Column)> + use<'a, W> {
        self.plan.columns.iter().copied().enumerate()
    }

    #[inline]
    fn stride(&self) -> usize {
        self.shape.stride(self.plan)
    }

    /// Where the row begins.
    #[inline]
    fn from(&self, row: usize) -> usize {
        self.plan.head + (self.shape.gone + row) * self.stride()
    }

    fn word(&self, place: usize) -> u64 {
        self.words.get(place).copied().unwrap_or(0)
    }

    #[inline]
    fn base(&self) -> Position {
        Position { at: self.word(1) as i64, seq: self.word(2) }
    }

    #[inline]
    fn at(&self, row: usize) -> Position {
        let (from, base) = (self.from(row), self.base());
        let word = self.word(from);
        if self.shape.far {
            Position { at: word as i64, seq: self.word(from + 1) }
        } else {
            let seq = word & !(u64::MAX << SEQ_BITS);
            Position { at: base.at.wrapping_add((word >> SEQ_BITS) as i64), seq: base.seq.wrapping_add(seq) }
        }
    }

    #[inline]
    fn number(&self, row: usize, number: usize) -> i64 {
        self.word(self.from(row) + self.shape.position() + number) as i64
    }

    #[inline]
    fn atom(&self, row: usize, atom: usize) -> &[u64] {
        let width = self.shape.width;
        let from = self.from(row) + self.shape.position() + self.plan.numbers + atom * width;
        self.words.get(from..from + width).unwrap_or_default()
    }

    #[inline]
    fn state(&self, column: Column) -> State {
        if self.is_untouched() {
            return State::EMPTY;
        }
        self.words.get(column.state..).map_or(State::EMPTY, |words| State::read(column.sort, words))
    }

    fn state_of(&self, track: usize) -> Option<State> {
        self.plan.columns.get(track).map(|column| self.state(*column))
    }

    /// Whether an event that comes after all others, and counts without doubt, can follow what is there. Notes in what it
    /// brings which rows have the same values.
    pub fn fits(&self, arrival: &mut Arrival) -> bool {
        let width = self.shape.width;
        for (column, entry) in self.plan.columns.iter().zip(&mut arrival.entries) {
            match (entry, column.sort) {
                (Entry::Number(steps, currency), _) => {
                    let state = self.state(*column);
                    let nothing_yet = state.kept == 0 && state.dropped == Position::START;
                    let same_currency = nothing_yet || state.currency == *currency;
                    // With amounts below zero, what is over the threshold now may come back under it.
                    let may_drop = *steps >= 0 || column.total.is_none();
                    if !same_currency || !may_drop {
                        return false;
                    }
                }
                (Entry::Atom(packed, length, same), Sort::Atom(atom)) if width_of(*length) <= width => {
                    let packed = with_length(*packed, *length, width);
                    let wanted = packed.get(..width).unwrap_or_default();
                    let alike = |row: &usize| equal(wanted, self.atom(*row, atom));
                    *same = each(self.state(*column).newest).find(alike).map(|row| row as u8);
                }
                (Entry::Nothing | Entry::Event | Entry::Atom(..), _) => {}
            }
        }
        true
    }

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

    /// The first row in or after this position.
    fn first_from(&self, start: Position) -> usize {
        let (mut from, mut to) = (0, self.rows());
        if self.shape.far {
            while from < to {
                let middle = from.midpoint(to);
                if self.at(middle) < start { from = middle + 1 } else { to = middle }
            }
            return from;
        }
        let Some(start) = self.nearest(start) else { return to };
        let (first, stride) = (self.from(0), self.stride());
        while from < to {
            let middle = from.midpoint(to);
            if self.word(first + middle * stride) < start { from = middle + 1 } else { to = middle }
        }
        from
    }

    /// The position in one word, if it can be.
    #[inline]
    fn near(&self, at: Position) -> Option<u64> {
        let base = self.base();
        let (micros, seq) = (at.at.checked_sub(base.at)?, at.seq.checked_sub(base.seq)?);
        let fits = micros >= 0 && micros >> (u64::BITS - SEQ_BITS) == 0 && seq >> SEQ_BITS == 0;
        fits.then_some((micros as u64) << SEQ_BITS | seq)
    }

    /// The least word of a position that is not before this one; `None` if all are before it.
    #[inline]
    fn nearest(&self, at: Position) -> Option<u64> {
        let base = self.base();
        let micros = at.at.saturating_sub(base.at);
        if micros < 0 {
            return Some(0);
        }
        let seq = at.seq.saturating_sub(base.seq);
        let micros = if seq >> SEQ_BITS == 0 { micros } else { micros.saturating_add(1) };
        let seq = if seq >> SEQ_BITS == 0 { seq } else { 0 };
        (micros >> (u64::BITS - SEQ_BITS) == 0).then_some((micros as u64) << SEQ_BITS | seq)
    }

    /// The structures themselves, which hold what the log has held.
    pub fn open(&self, group: &GroupPlan, missing: Missing<'_>) -> Vec<Track> {
        let mut tracks: Vec<Track> = fresh(group, missing).collect();
        for (((_, column), track_plan), track) in self.columns().zip(&group.tracks).zip(&mut tracks) {
            let state = self.state(column);
            for row in each(state.kept) {
                let content = match column.sort {
                    Sort::Event if track_plan.what == What::Ones => {
                        Content::Number(Number { steps: 1, currency: None })
                    }
                    Sort::Event => Content::Event,
                    Sort::Number(number) => {
                        let steps = self.number(row, number).into();
                        Content::Number(Number { steps, currency: state.currency })
                    }
                    Sort::Atom(atom) => Content::Value(Atom::of(&unpack(self.atom(row, atom)))),
                };
                track.keep(track_plan, self.at(row), &content, Tri::True);
            }
            if state.dropped > Position::START {
                track.dropped.extend(state.dropped, Why::Saturated);
            }
            if let Kept::Amounts(amounts) = &mut track.kept {
                amounts.have_had(state.currency);
            }
            match (&mut track.kept, column.sort) {
                // Those that are dropped because of a threshold are none below zero.
                (Kept::Amounts(amounts), _) if track_plan.keep.room(track_plan.what).total.is_none() => {
                    amounts.have_dropped(state.dropped);
                }
                (Kept::Values(values), Sort::Atom(atom)) => {
                    for row in each(state.orphaned) {
                        values.orphan(&Atom::of(&unpack(self.atom(row, atom))));
                    }
                }
                _ => {}
            }
        }
        tracks
    }
}

impl Log<'_, &mut [u64]> {
    fn set_state(&mut self, column: Column, state: State) {
        if let Some(words) = self.words.get_mut(column.state..) {
            state.write(column.sort, words);
        }
    }

    fn set(&mut self, place: usize, word: u64) {
        if let Some(place) = self.words.get_mut(place) {
            *place = word;
        }
    }

    fn save(&mut self) {
        if !self.is_untouched() {
            self.set(0, self.shape.word());
        }
    }

    /// How the event is going to be written.
    #[inline]
    pub fn prepare(&mut self, arrival: &Arrival, at: Position) -> Ready {
        if self.rows() == 0 {
            let shape = Shape { width: arrival.width, ..Shape::default() };
            let words = self.plan.head + shape.stride(self.plan);
            return Ready { shape, near: Some(0), more: (words > self.words.len()).then_some(words) };
        }
        let mut near = if self.shape.far { None } else { self.near(at) };
        if near.is_none() && !self.shape.far {
            self.rebase();
            near = self.near(at);
        }
        let shape = Shape { width: arrival.width.max(self.shape.width), far: near.is_none(), ..self.shape };
        let stride = shape.stride(self.plan);
        let words = self.plan.head + (shape.rows + 1) * stride;
        // Rows are seldom moved where there is some room: a key whose rows do not go yet may soon have many more.
        let some = if shape.gone > 0 { 0 } else { shape.rows * stride };
        Ready { shape, near, more: (words > self.words.len()).then_some(words + some) }
    }

    /// Makes room for one more row, where there are words enough.
    #[inline]
    fn make_room(&mut self, at: Position, Ready { shape, .. }: Ready) {
        if self.rows() == 0 {
            if self.is_untouched() {
                let head = self.plan.head;
                self.words.get_mut(..head).unwrap_or_default().fill(0);
                self.set(0, shape.word());
                self.plan.columns.iter().for_each(|column| self.set(column.state + 1, Position::START.at as u64));
            }
            self.shape = shape;
            self.set(1, at.at as u64);
            self.set(2, at.seq);
        } else if (shape.width, shape.far) != (self.shape.width, self.shape.far) {
            self.rewrite(Shape { gone: 0, ..shape });
        } else if self.from(self.rows() + 1) > self.words.len() {
            self.close_gap();
        }
    }

    /// Counts positions from the first row on, as they must be where many have gone since.
    fn rebase(&mut self) {
        let base = self.at(0);
        let positions: SmallVec<[Position; 16]> = (0..self.rows()).map(|row| self.at(row)).collect();
        let old = self.base();
        self.set(1, base.at as u64);
        self.set(2, base.seq);
        let near: Option<SmallVec<[u64; 16]>> = positions.iter().map(|at| self.near(*at)).collect();
        match near {
            Some(near) => near.into_iter().enumerate().for_each(|(row, word)| self.set(self.from(row), word)),
            None => {
                self.set(1, old.at as u64);
                self.set(2, old.seq);
            }
        }
    }

    /// Writes the rows again in another shape.
    fn rewrite(&mut self, shape: Shape) {
        let mut rows: Vec<u64> = Vec::with_capacity(shape.rows * shape.stride(self.plan));
        for row in 0..self.rows() {
            let at = self.at(row);
            match self.near(at).filter(|_| !shape.far) {
                Some(near) => rows.push(near),
                None => rows.extend([at.at as u64, at.seq]),
            }
            rows.extend((0..self.plan.numbers).map(|number| self.number(row, number) as u64));
            for atom in 0..self.plan.atoms {
                let bytes = unpack(self.atom(row, atom));
                let packed = with_length(pack(&bytes), bytes.len() as u8, shape.width);
                rows.extend_from_slice(packed.get(..shape.width).unwrap_or_default());
            }
        }
        self.shape = shape;
        let head = self.plan.head;
        if let Some(words) = self.words.get_mut(head..head + rows.len()) {
            words.copy_from_slice(&rows);
        }
    }

    /// Moves the rows to the front.
    fn close_gap(&mut self) {
        let (head, from, to) = (self.plan.head, self.from(0), self.from(self.rows()));
        if to <= self.words.len() {
            self.words.copy_within(from..to, head);
        }
        self.shape.gone = 0;
    }

    /// Takes the event in, for which there are words enough, and drops what no threshold needs. `false` if what is left is
    /// more than a log can hold.
    #[must_use]
    #[inline]
    pub fn append(&mut self, at: Position, arrival: &Arrival, ready: Ready) -> bool {
        self.make_room(at, ready);
        let row = self.push(at, arrival, ready);
        let (bit, mut all, mut fits) = (1 << row, 0, true);
        for (column, entry) in self.plan.columns.iter().zip(&arrival.entries) {
            let mut state = self.state(*column);
            match entry {
                Entry::Nothing => {}
                Entry::Event => state.kept |= bit,
                Entry::Number(steps, currency) => {
                    state.kept |= bit;
                    state.currency = *currency;
                    state.total += steps;
                }
                Entry::Atom(.., same) => {
                    let before = same.map_or(0, |row| 1 << row);
                    if state.orphaned & before != 0 {
                        state.orphaned |= bit;
                    }
                    state.orphaned &= !before;
                    state.newest = state.newest & !before | bit;
                    state.kept |= bit;
                }
            }
            if *entry != Entry::Nothing {
                fits &= self.drop_beyond(column, &mut state);
                self.set_state(*column, state);
            }
            all |= state.kept;
        }
        self.drop_rows(all);
        self.save();
        fits && self.rows() < MOST_ROWS
    }

    /// Writes the row, and says which it is.
    #[inline]
    fn push(&mut self, at: Position, arrival: &Arrival, ready: Ready) -> usize {
        let (row, width) = (self.rows(), self.shape.width);
        let (from, position) = (self.from(row), self.shape.position());
        match ready.near {
            Some(near) => self.set(from, near),
            None => {
                self.set(from, at.at as u64);
                self.set(from + 1, at.seq);
            }
        }
        for (column, entry) in self.plan.columns.iter().zip(&arrival.entries) {
            match (column.sort, entry) {
                (Sort::Event, _) => {}
                (Sort::Number(number), entry) => {
                    let steps = if let Entry::Number(steps, _) = entry { *steps } else { 0 };
                    self.set(from + position + number, steps as u64);
                }
                (Sort::Atom(atom), entry) => {
                    let packed = match entry {
                        Entry::Atom(packed, length, _) => with_length(*packed, *length, width),
                        Entry::Nothing | Entry::Event | Entry::Number(..) => Packed::default(),
                    };
                    let place = from + position + self.plan.numbers + atom * width;
                    for (place, word) in (place..place + width).zip(packed) {
                        self.set(place, word);
                    }
                }
            }
        }
        self.shape.rows += 1;
        row
    }

    /// Takes a row from a structure.
    fn drop_row(&self, sort: Sort, state: &mut State, row: usize) {
        let bit = 1 << row;
        if state.kept & bit != 0 {
            state.kept &= !bit;
            state.newest &= !bit;
            state.orphaned &= !bit;
            state.dropped = state.dropped.max(self.at(row));
            if let Sort::Number(number) = sort {
                state.total -= self.number(row, number);
            }
        }
    }

    /// Drops rows of a structure that its threshold does not need. `false` if it would have to be summarised instead.
    #[inline]
    fn drop_beyond(&self, column: &Column, state: &mut State) -> bool {
        let Column { sort, most, .. } = *column;
        let oldest = |rows: Rows| rows.trailing_zeros() as usize;
        if let (Sort::Number(number), Some(total)) = (sort, column.total) {
            let without = |state: &State| state.total - self.number(oldest(state.kept), number);
            while state.total > total && state.kept != 0 && without(state) > total {
                self.drop_row(sort, state, oldest(state.kept));
            }
        }
        if self.rows() <= most {
            return true;
        }
        match sort {
            // A count without a threshold keeps amounts of one.
            Sort::Event if column.all => state.kept.count_ones() as usize <= most,
            Sort::Event => {
                while state.kept.count_ones() as usize > most {
                    self.drop_row(sort, state, oldest(state.kept));
                }
                true
            }
            Sort::Atom(_) => {
                while state.newest.count_ones() as usize > most {
                    self.drop_row(sort, state, oldest(state.newest));
                }
                true
            }
            Sort::Number(_) => state.kept.count_ones() as usize <= most,
        }
    }

    /// Removes rows that no structure has, and of those that are kept for late events alone the oldest. `all` are those
    /// that some structure has.
    fn drop_rows(&mut self, all: Rows) {
        let mut unused = first(self.rows()) & !all;
        while let Some(row) = newest_of(unused) {
            self.remove(row);
            unused &= !(1 << row);
        }
        while self.rows() > self.plan.rows {
            let needed = self.columns().fold(0, |all, (_, column)| all | self.state(column).needed(column.sort));
            let spare = first(self.rows()) & !needed;
            if spare == 0 {
                return;
            }
            let row = spare.trailing_zeros() as usize;
            self.orphan(row);
            self.remove(row);
        }
    }

    /// Notes with the newer rows of its values that this row is going.
    fn orphan(&mut self, row: usize) {
        for (_, column) in self.columns() {
            let (Sort::Atom(atom), mut state) = (column.sort, self.state(column)) else { continue };
            if state.kept & 1 << row != 0 {
                let same = |newer: &usize| self.atom(*newer, atom) == self.atom(row, atom);
                state.orphaned |= each(state.newest).find(same).map_or(0, |newer| 1 << newer);
                self.set_state(column, state);
            }
        }
    }

    fn remove(&mut self, row: usize) {
        if row == 0 {
            self.remove_first(1);
            return;
        }
        let (from, next, end) = (self.from(row), self.from(row + 1), self.from(self.rows()));
        if end <= self.words.len() {
            self.words.copy_within(next..end, from);
        }
        self.shape.rows -= 1;
        let older = !(Rows::MAX << row);
        let close = |rows: Rows| rows & older | rows >> 1 & !older;
        for (_, column) in self.columns() {
            let mut state = self.state(column);
            [state.kept, state.newest, state.orphaned] = [state.kept, state.newest, state.orphaned].map(close);
            self.set_state(column, state);
        }
    }

    /// Removes the oldest rows.
    fn remove_first(&mut self, rows: usize) {
        let close = |set: Rows| set.checked_shr(rows as u32).unwrap_or(0);
        for (_, column) in self.columns() {
            let mut state = self.state(column);
            [state.kept, state.newest, state.orphaned] = [state.kept, state.newest, state.orphaned].map(close);
            self.set_state(column, state);
        }
        self.shape.rows -= rows;
        self.shape.gone += rows;
        if self.shape.gone > MOST_ROWS {
            self.close_gap();
        }
    }

    /// Drops what lies before `horizon`: it has left every window.
    #[inline]
    pub fn purge(&mut self, horizon: Position) {
        let rows = self.rows();
        let gone = (0..rows).find(|row| self.at(*row) >= horizon).unwrap_or(rows);
        if gone == 0 {
            return;
        }
        for column in &self.plan.columns {
            let mut state = self.state(*column);
            let leaving = state.kept & first(gone);
            if let Some(newest) = newest_of(leaving) {
                state.dropped = state.dropped.max(self.at(newest));
            }
            if let Sort::Number(number) = column.sort {
                state.total -= each(leaving).map(|row| self.number(row, number)).sum::<i64>();
            }
            state.kept &= !leaving;
            self.set_state(*column, state);
        }
        self.remove_first(gone);
        self.save();
    }

    /// As many words as would do for one more row, where it has many more. The rows are moved to where they will be found in fewer.
    pub fn fewer(&mut self, Ready { shape, .. }: Ready) -> Option<usize> {
        let words = self.plan.head + (self.rows() + 1) * shape.stride(self.plan);
        if words * 4 > self.words.len() || self.is_untouched() {
            return None;
        }
        self.close_gap();
        self.save();
        Some(words)
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
        let count = |sure: u32| known(counted(u64::from(sure), 0, self.gap, self.spec.bound).map(whole));
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

fn newest_of(rows: Rows) -> Option<usize> {
    rows.checked_ilog2().map(|row| row as usize)
}

/// The set of so many rows.
#[inline]
fn first(rows: usize) -> Rows {
    !Rows::MAX.checked_shl(rows as u32).unwrap_or(0)
}

/// The rows of a set.
#[inline]
fn each(mut rows: Rows) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let row = (rows != 0).then(|| rows.trailing_zeros() as usize)?;
        rows &= rows - 1;
        Some(row)
    })
}

/// The value as a row has it. One that is too long for any row is as one that could not be found out: the structures
/// themselves know better.
fn packed(value: Maybe<&Value>) -> Result<Entry, Why> {
    let value = match value {
        Maybe::Known(value) => value,
        Maybe::Unknown(why) => return Err(why),
    };
    let mut key = Key::default();
    atom::write(value, &mut key)?;
    let length = key.as_slice().len();
    if length >= WIDEST * size_of::<u64>() {
        return Err(Why::Overflow);
    }
    Ok(Entry::Atom(std::array::from_fn(|place| key.word(place)), length as u8, None))
}

/// Words for so many bytes and their number.
fn width_of(bytes: u8) -> usize {
    usize::from(bytes) / size_of::<u64>() + 1
}

fn pack(bytes: &[u8]) -> Packed {
    let mut words = Packed::default();
    let (whole, rest) = bytes.as_chunks();
    let last = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    for (word, bytes) in words.iter_mut().zip(whole.iter().map(|word| u64::from_le_bytes(*word)).chain([last])) {
        *word = bytes;
    }
    words
}

/// With how many bytes there are in the last of so many words.
#[inline]
fn with_length(mut words: Packed, length: u8, width: usize) -> Packed {
    if let Some(word) = words.get_mut(width - 1) {
        *word |= u64::from(length) << (u64::BITS - u8::BITS);
    }
    words
}

fn unpack(words: &[u64]) -> SmallVec<[u8; WIDEST * 8]> {
    let mut bytes: SmallVec<[u8; WIDEST * 8]> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let length = bytes.last().copied().map_or(0, usize::from);
    bytes.truncate(length);
    bytes
}

/// Whether short lists are the same.
#[inline]
fn equal(one: &[u64], other: &[u64]) -> bool {
    one.iter().zip(other).all(|(one, other)| one == other)
}
