//! A stretch of old amounts, summarised.

use super::{
    super::{
        estimate::{Cell, Moments},
        number::Number,
        position::{Position, Reach},
    },
    amounts::OneCurrency,
};
use crate::{maybe::Why, tri::Tri, value::Currency};

/// At most this many ranges of values.
const MOST_CELLS: usize = 16;

/// What is kept of the amounts from `first` to `last`.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub first: Position,
    pub last: Position,
    pub negative: i128,
    pub positive: i128,
    pub moments: Moments,
    /// How many values lie in which range; ranges do not overlap except at their ends.
    pub cells: Vec<Cell>,
    currency: Option<Currency>,
    mixed: bool,
}

impl Part {
    /// Summarises these amounts, which stand in order.
    pub fn of(amounts: impl Iterator<Item = (Position, Number)>) -> Option<Part> {
        let mut amounts = amounts.peekable();
        let (first, _) = *amounts.peek()?;
        let mut part = Part {
            first,
            last: first,
            negative: 0,
            positive: 0,
            moments: Moments::default(),
            cells: Vec::new(),
            currency: None,
            mixed: false,
        };
        for (at, number) in amounts {
            part.take(at, number);
        }
        part.fewer_cells();
        Some(part)
    }

    /// Adds a late amount.
    pub fn add(&mut self, at: Position, number: Number) {
        self.take(at, number);
        self.fewer_cells();
    }

    fn take(&mut self, at: Position, number: Number) {
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        self.negative += number.steps.min(0);
        self.positive += number.steps.max(0);
        self.moments.merge(&Moments::of([(number.steps, 1)].into_iter()));
        self.cells.push(Cell::point(number.steps));
        match (self.currency, number.currency) {
            (Some(one), Some(other)) if one != other => self.mixed = true,
            (_, Some(other)) => self.currency = Some(other),
            (_, None) => {}
        }
    }

    /// Takes in the next part.
    pub fn merge(&mut self, newer: &Part) {
        self.first = self.first.min(newer.first);
        self.last = self.last.max(newer.last);
        self.negative += newer.negative;
        self.positive += newer.positive;
        self.moments.merge(&newer.moments);
        self.cells.extend(&newer.cells);
        self.mixed |= newer.mixed || self.currency != newer.currency;
        self.fewer_cells();
    }

    /// Joins neighbouring ranges, the closest first, until few are left.
    fn fewer_cells(&mut self) {
        self.cells.sort_unstable_by_key(|cell| (cell.lo, cell.hi));
        while self.cells.len() > MOST_CELLS {
            let widths = self.cells.windows(2).enumerate().filter_map(|(place, pair)| match pair {
                [a, b] => Some((b.hi.max(a.hi).saturating_sub(a.lo), place)),
                _ => None,
            });
            let Some((_, place)) = widths.min() else { return };
            let newer = self.cells.remove(place + 1);
            if let Some(cell) = self.cells.get_mut(place) {
                cell.hi = cell.hi.max(newer.hi);
                cell.count += newer.count;
            }
        }
    }

    pub fn count(&self) -> u64 {
        self.moments.count
    }

    pub fn sum(&self) -> i128 {
        self.negative + self.positive
    }

    /// Whether the part lies in reach: all of it, some of it perhaps, or none (`None`).
    pub fn overlap(&self, reach: &Reach) -> Option<Tri> {
        if self.last < reach.start || self.first >= reach.end {
            None
        } else if self.first >= reach.start && self.last < reach.end {
            Some(Tri::True)
        } else {
            Some(Tri::Unknown)
        }
    }

    pub fn currencies(&self, one: &mut OneCurrency) -> Result<(), Why> {
        if self.mixed { Err(Why::CurrencyMismatch) } else { one.meet(self.currency) }
    }

    pub fn bytes(&self) -> usize {
        size_of::<Part>() + self.cells.capacity() * size_of::<Cell>() + 64
    }
}
