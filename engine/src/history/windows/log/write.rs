//! How an event gets into a log, and how rows leave it.

use smallvec::SmallVec;

use super::{
    Column, Log, Sort,
    arrival::{Arrival, Entry, Packed, pack, unpack, with_length},
    rows::{MOST_ROWS, Rows, each, first, newest_of},
    shape::{Ready, Shape, State},
};
use crate::history::position::Position;

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

    pub(super) fn save(&mut self) {
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
    pub(super) fn make_room(&mut self, at: Position, Ready { shape, .. }: Ready) {
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
