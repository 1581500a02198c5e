//! From a field's noted number straight to the rows of its class.

use super::{
    Rows,
    number::{Numbering, OTHER_TEXT, SEE_VALUE},
    partition::Partition,
};
use crate::event::Slot;

/// So many neighbouring numbers are looked up in a table.
const MOST_DIRECT: usize = 1 << 14;

/// Tables longer than this are worth a step more, so that they stay in the nearest cache.
const MOST_WIDE: usize = 512;

/// How the number of one field finds its rows.
#[derive(Debug, Default)]
pub(super) enum Quick {
    /// It does not: the value itself is looked at.
    #[default]
    Slow,
    /// Neighbouring numbers; the first stands for all lower ones, the last for all higher ones.
    Table { noted: usize, low: i64, rows: Box<[Rows]> },
    /// The same for many numbers of few classes.
    Classes { noted: usize, low: i64, classes: Box<[u8]>, rows: Box<[Rows]> },
    /// Numbers far from each other.
    Cuts(Cuts),
}

impl Quick {
    /// How the field in this slot finds its rows, if its number is noted and the partition takes it.
    pub fn new(slot: Slot, partition: &Partition, classes: &[Rows], numbering: &Numbering) -> Quick {
        let Some(noted) = numbering.place(slot) else { return Quick::Slow };
        let rows = |class: u16| classes.get(usize::from(class)).copied().unwrap_or(Rows::ACROSS);
        if let Some(other) = partition.other_text() {
            let mut table = vec![rows(other); numbering.symbols(slot).count() + 1];
            for (text, symbol) in numbering.symbols(slot) {
                if let Some(place) = usize::try_from(symbol).ok().and_then(|symbol| table.get_mut(symbol)) {
                    *place = rows(partition.text_class(text));
                }
            }
            return Quick::table(noted, OTHER_TEXT, table);
        }
        let Some((cuts, classes)) = partition.whole_numbers() else { return Quick::Slow };
        let Some((first, last)) = cuts.first().copied().zip(cuts.last().copied()) else { return Quick::Slow };
        let cuts = Cuts::new(noted, cuts, classes.into_iter().map(rows).collect());
        let width = last.checked_sub(first).and_then(|width| usize::try_from(width).ok());
        match (width, first.checked_sub(1), last.checked_add(1)) {
            (Some(width), Some(low), Some(high)) if width < MOST_DIRECT => {
                Quick::table(noted, low, (low..=high).map(|number| cuts.find(number)).collect())
            }
            (_, _, _) => Quick::Cuts(cuts),
        }
    }

    fn table(noted: usize, low: i64, rows: Vec<Rows>) -> Quick {
        let mut distinct = rows.clone();
        distinct.sort_unstable_by_key(|rows| rows.0);
        distinct.dedup();
        let class = |row: &Rows| u8::try_from(distinct.partition_point(|other| other.0 < row.0)).ok();
        match rows.iter().map(class).collect() {
            Some(classes) if rows.len() > MOST_WIDE => Quick::Classes { noted, low, classes, rows: distinct.into() },
            _ => Quick::Table { noted, low, rows: rows.into() },
        }
    }

    /// The rows of the field's number, if it is noted. Of an event's noted numbers.
    #[inline(always)]
    pub fn rows(&self, numbers: &[i64]) -> Option<Rows> {
        let number = |noted: usize| numbers.get(noted).copied().filter(|number| *number != SEE_VALUE);
        match self {
            Quick::Slow => None,
            Quick::Table { noted, low, rows } => {
                rows.get((above(*low, number(*noted)?) as usize).min(rows.len() - 1)).copied()
            }
            Quick::Classes { noted, low, classes, rows } => {
                let class = classes.get((above(*low, number(*noted)?) as usize).min(classes.len() - 1))?;
                rows.get(usize::from(*class)).copied()
            }
            Quick::Cuts(cuts) => number(cuts.noted).map(|number| cuts.find(number)),
        }
    }
}

/// Whole numbers in order and the rows before, at and after each of them.
#[derive(Debug)]
pub(super) struct Cuts {
    noted: usize,
    low: i64,
    cuts: Box<[i64]>,
    /// As in [`super::partition::Domain::Points`].
    rows: Box<[Rows]>,
    /// By [`bucket`] of the distance to the lowest: the first cut in it or beyond. The last is the number of cuts.
    hints: Box<[u16]>,
}

impl Cuts {
    fn new(noted: usize, cuts: Vec<i64>, rows: Vec<Rows>) -> Cuts {
        let (low, high) = (cuts.first().copied().unwrap_or(0), cuts.last().copied().unwrap_or(0));
        let bucket_of = |cut: i64| bucket(above(low, cut));
        let hint = |bucket: usize| u16::try_from(cuts.partition_point(|cut| bucket_of(*cut) < bucket)).unwrap_or(0);
        let hints = (0..=bucket_of(high) + 1).map(hint).collect();
        Cuts { noted, low, hints, cuts: cuts.into(), rows: rows.into() }
    }

    #[inline]
    fn find(&self, number: i64) -> Rows {
        let bucket = bucket(above(self.low, number)).min(self.hints.len() - 2);
        let hint = |bucket: usize| self.hints.get(bucket).map_or(0, |place| usize::from(*place));
        let from = hint(bucket);
        // Mostly at most one, which needs no branch; but one number far below can crowd all others into one bucket.
        let mut place = from + usize::from(self.cuts.get(from).is_some_and(|cut| *cut < number));
        if let Some(others @ [_, ..]) = self.cuts.get(from + 1..hint(bucket + 1)) {
            place += others.partition_point(|cut| *cut < number);
        }
        let exactly = self.cuts.get(place) == Some(&number);
        self.rows.get(2 * place + usize::from(exactly)).copied().unwrap_or(Rows::ACROSS)
    }
}

/// How far a number lies above another; zero if it does not.
#[inline]
fn above(low: i64, number: i64) -> u64 {
    // The difference of two signed numbers always fits an unsigned one.
    number.max(low).wrapping_sub(low) as u64
}

/// Buckets of equal relative width, as in a high dynamic range histogram: 128 for each power of two.
#[inline]
fn bucket(number: u64) -> usize {
    const BITS: u32 = 7;
    let power = (number | 1).ilog2().saturating_sub(BITS);
    ((power as usize) << BITS) + (number >> power) as usize
}
