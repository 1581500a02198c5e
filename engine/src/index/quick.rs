//! From the noted numbers of fields straight to the rows of their classes.

use super::{
    Rows,
    feature::{ABSENT as ABSENT_CLASS, Source},
    number::{ABSENT, Numbering, OTHER_TEXT, SEE_VALUE},
    partition::Partition,
};
use crate::event::Slot;

/// So many neighbouring numbers are looked up in a table.
const MOST_DIRECT: usize = 1 << 14;

/// Tables longer than this are worth a step more, so that they stay in the nearest cache.
const MOST_WIDE: usize = 512;

/// How the noted numbers of an event's fields find the rows of their classes.
#[derive(Debug, Default)]
pub(super) struct Quick {
    /// By feature.
    ways: Vec<Way>,
    // By kind, so that one is looked up after the other without a branch that depends on the event.
    tables: Vec<Table>,
    wide: Vec<Wide>,
    cuts: Vec<Cuts>,
    /// Of all tables, one behind the other.
    rows: Vec<Rows>,
}

/// What a feature is looked up in, by its place there.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Nothing: the value itself is looked at.
    Slow,
    Table(usize),
    Wide(usize),
    Cuts(usize),
}

/// Neighbouring numbers: rows for [`SEE_VALUE`] and [`ABSENT`], for all lower numbers, their own, for all higher ones.
#[derive(Debug)]
struct Table {
    noted: u32,
    feature: u32,
    low: i32,
    high: i32,
    start: usize,
}

/// The same for many numbers of few classes.
#[derive(Debug)]
struct Wide {
    table: Table,
    classes: Box<[u8]>,
    rows: Box<[Rows]>,
}

impl Table {
    #[inline(always)]
    fn place(&self, number: i32) -> usize {
        let special = number.wrapping_sub(SEE_VALUE) as u32;
        // The difference of two numbers in order fits.
        let above = number.min(self.high).max(self.low).wrapping_sub(self.low) as u32;
        (if special < SPECIAL { special } else { above + SPECIAL }) as usize
    }
}

/// So many numbers stand for something else.
const SPECIAL: u32 = 2;

impl Quick {
    /// Adds the next feature.
    pub fn add(&mut self, source: &Source, partition: &Partition, classes: &[Rows], numbering: &Numbering) {
        let noted = match source {
            Source::Field(slot) => numbering.place(*slot).and_then(|noted| Some((*slot, u32::try_from(noted).ok()?))),
            _ => None,
        };
        let way = noted.and_then(|(slot, noted)| self.way(slot, noted, partition, classes, numbering));
        self.ways.push(way.unwrap_or(Way::Slow));
    }

    fn way(
        &mut self,
        slot: Slot,
        noted: u32,
        partition: &Partition,
        classes: &[Rows],
        numbering: &Numbering,
    ) -> Option<Way> {
        let feature = u32::try_from(self.ways.len()).ok()?;
        let rows = |class: u16| classes.get(usize::from(class)).copied().unwrap_or(Rows::ACROSS);
        let absent = rows(ABSENT_CLASS);
        if let Some(other) = partition.other_text() {
            let mut table = vec![rows(other); numbering.symbols(slot).count() + 1];
            for (text, symbol) in numbering.symbols(slot) {
                if let Some(place) = usize::try_from(symbol).ok().and_then(|symbol| table.get_mut(symbol)) {
                    *place = rows(partition.text_class(text));
                }
            }
            return self.table(feature, noted, i64::from(OTHER_TEXT), absent, table);
        }
        let (cuts, classes) = partition.whole_numbers()?;
        let (first, last) = cuts.first().copied().zip(cuts.last().copied())?;
        let cuts = Cuts::new(feature, noted, absent, cuts, classes.into_iter().map(rows).collect());
        let width = last.checked_sub(first).and_then(|width| usize::try_from(width).ok());
        if let (Some(width), Some(low), Some(high)) = (width, first.checked_sub(1), last.checked_add(1))
            && width < MOST_DIRECT
            && let Some(way) =
                self.table(feature, noted, low, absent, (low..=high).map(|number| cuts.find(number)).collect())
        {
            return Some(way);
        }
        self.cuts.push(cuts);
        Some(Way::Cuts(self.cuts.len() - 1))
    }

    /// None if the numbers are too large to be noted.
    fn table(&mut self, feature: u32, noted: u32, low: i64, absent: Rows, numbers: Vec<Rows>) -> Option<Way> {
        let high = i32::try_from(low.checked_add_unsigned(numbers.len() as u64)? - 1).ok()?;
        let low = i32::try_from(low).ok()?;
        let rows: Vec<Rows> = [Rows::SEE_VALUE, absent].into_iter().chain(numbers).collect();
        let mut distinct = rows.clone();
        distinct.sort_unstable_by_key(|rows| rows.0);
        distinct.dedup();
        let class = |row: &Rows| u8::try_from(distinct.partition_point(|other| other.0 < row.0)).ok();
        let table = Table { noted, feature, low, high, start: self.rows.len() };
        Some(match rows.iter().map(class).collect() {
            Some(classes) if rows.len() > MOST_WIDE => {
                self.wide.push(Wide { table, classes, rows: distinct.into() });
                Way::Wide(self.wide.len() - 1)
            }
            _ => {
                self.rows.extend(rows);
                self.tables.push(table);
                Way::Table(self.tables.len() - 1)
            }
        })
    }

    /// The rows of a feature, or that its value itself must be looked at. Of an event's noted numbers.
    #[inline]
    pub fn rows(&self, feature: usize, numbers: &[i32]) -> Rows {
        let number = |noted: u32| numbers.get(noted as usize).copied();
        let rows = match self.ways.get(feature) {
            None | Some(Way::Slow) => None,
            Some(Way::Table(place)) => {
                self.tables.get(*place).and_then(|table| self.in_table(table, number(table.noted)?))
            }
            Some(Way::Wide(place)) => self.wide.get(*place).and_then(|wide| wide.rows(number(wide.table.noted)?)),
            Some(Way::Cuts(place)) => self.cuts.get(*place).and_then(|cuts| Some(cuts.rows(number(cuts.noted)?))),
        };
        rows.unwrap_or(Rows::SEE_VALUE)
    }

    /// The same for the first features, each in its place.
    #[inline(always)]
    pub fn first_rows<const N: usize>(&self, numbers: &[i32]) -> [Rows; N] {
        let mut first = [Rows::SEE_VALUE; N];
        let mut keep = |feature: u32, rows: Option<Rows>| {
            if let (Some(kept), Some(rows)) = (first.get_mut(feature as usize), rows) {
                *kept = rows;
            }
        };
        let number = |noted: u32| numbers.get(noted as usize).copied();
        for table in &self.tables {
            keep(table.feature, number(table.noted).and_then(|number| self.in_table(table, number)));
        }
        for wide in &self.wide {
            keep(wide.table.feature, number(wide.table.noted).and_then(|number| wide.rows(number)));
        }
        for cuts in &self.cuts {
            keep(cuts.feature, number(cuts.noted).map(|number| cuts.rows(number)));
        }
        first
    }

    #[inline(always)]
    fn in_table(&self, table: &Table, number: i32) -> Option<Rows> {
        self.rows.get(table.start + table.place(number)).copied()
    }
}

impl Wide {
    #[inline(always)]
    fn rows(&self, number: i32) -> Option<Rows> {
        self.rows.get(usize::from(*self.classes.get(self.table.place(number))?)).copied()
    }
}

/// Whole numbers in order and the rows before, at and after each of them.
#[derive(Debug)]
struct Cuts {
    noted: u32,
    feature: u32,
    absent: Rows,
    low: i64,
    cuts: Box<[i64]>,
    /// As in [`super::partition::Domain::Points`].
    rows: Box<[Rows]>,
    /// By [`bucket`] of the distance to the lowest: the first cut in it or beyond. The last is the number of cuts.
    hints: Box<[u16]>,
}

impl Cuts {
    fn new(feature: u32, noted: u32, absent: Rows, cuts: Vec<i64>, rows: Vec<Rows>) -> Cuts {
        let (low, high) = (cuts.first().copied().unwrap_or(0), cuts.last().copied().unwrap_or(0));
        let bucket_of = |cut: i64| bucket(above(low, cut));
        let hint = |bucket: usize| u16::try_from(cuts.partition_point(|cut| bucket_of(*cut) < bucket)).unwrap_or(0);
        let hints = (0..=bucket_of(high) + 1).map(hint).collect();
        Cuts { noted, feature, absent, low, hints, cuts: cuts.into(), rows: rows.into() }
    }

    #[inline(always)]
    fn rows(&self, number: i32) -> Rows {
        match number {
            SEE_VALUE => Rows::SEE_VALUE,
            ABSENT => self.absent,
            number => self.find(i64::from(number)),
        }
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
