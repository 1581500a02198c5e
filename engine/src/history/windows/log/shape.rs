//! Where the rows of a log are, and what each structure has of them.

use super::{LogPlan, Sort, rows::Rows};
use crate::{
    history::position::{Lost, Position},
    maybe::Why,
    value::Currency,
};

/// Where the rows are, and how they are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::history::windows) struct Shape {
    /// How many there are.
    pub rows: usize,
    /// How many have gone from before the first.
    pub gone: usize,
    /// Words of an atom.
    pub width: usize,
    /// A position takes two words instead of one.
    pub far: bool,
}

/// What a structure keeps of the rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    /// The rows it has.
    pub kept: Rows,
    /// The newest row it has dropped.
    pub dropped: Position,
    /// Of values: the rows that are the newest with theirs.
    pub newest: Rows,
    /// Of values: the rows whose value had appeared before, in a row that is gone.
    pub orphaned: Rows,
    /// Of amounts: their currency.
    pub currency: Option<Currency>,
    /// Of numbers: the sum of the rows it has.
    pub total: i64,
}

/// How a row is going to be written.
#[derive(Clone, Copy, Debug)]
pub(in crate::history::windows) struct Ready {
    pub shape: Shape,
    /// Its position, if it takes one word.
    pub near: Option<u64>,
    /// As many words as the log should be given, if it has too few.
    pub more: Option<usize>,
}

impl Shape {
    pub fn read(word: u64) -> Shape {
        let [rows, gone, width, far, ..] = word.to_le_bytes().map(usize::from);
        Shape { rows, gone, width: width.max(1), far: far != 0 }
    }

    pub fn word(self) -> u64 {
        let Shape { rows, gone, width, far } = self;
        u64::from_le_bytes([rows as u8, gone as u8, width as u8, u8::from(far), 1, 0, 0, 0])
    }

    pub fn position(self) -> usize {
        1 + usize::from(self.far)
    }

    /// Words of a row.
    pub fn stride(self, plan: &LogPlan) -> usize {
        self.position() + plan.numbers + plan.atoms * self.width
    }
}

impl State {
    pub const EMPTY: State =
        State { kept: 0, dropped: Position::START, newest: 0, orphaned: 0, currency: None, total: 0 };

    #[inline]
    pub fn read(sort: Sort, words: &[u64]) -> State {
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
    pub fn write(&self, sort: Sort, words: &mut [u64]) {
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
    pub fn needed(&self, sort: Sort) -> Rows {
        match sort {
            Sort::Event | Sort::Number(_) => self.kept,
            Sort::Atom(_) => self.newest,
        }
    }

    pub fn lost(&self) -> Lost {
        Lost { upto: self.dropped, why: Why::Saturated }
    }
}
