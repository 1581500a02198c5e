//! A key's newest events as they came, one after the other in one piece: while nothing about them is in doubt, each
//! structure is no more than a set of rows.
//!
//! In order, certain, in one currency and few: so are the events of nearly every key. What such a log cannot hold (an
//! event that comes late, one that may or may not count, a second currency, more rows than a set has bits) turns it into
//! the structures themselves, which hold everything.
//!
//! In reading order: what an event brings (`arrival`); where the rows are (`shape`), and sets of them (`rows`); how an event
//! gets in and rows leave (`write`); what is answered (`answer`); and all of that for nearly every event (`straight`).

mod answer;
mod arrival;
mod rows;
mod shape;
mod straight;
mod write;

use std::ops::Deref;

pub(super) use self::{arrival::Arrival, straight::Straight};
use self::{
    arrival::{Entry, equal, unpack, width_of, with_length},
    rows::{MOST_ROWS, each},
    shape::{Shape, State},
};
use super::{
    super::{atom::Atom, number::Number, position::Position},
    group::{Missing, fresh},
    layout::{GroupPlan, TrackPlan, What},
    track::{Content, Kept, Track},
};
use crate::{maybe::Why, tri::Tri};

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
