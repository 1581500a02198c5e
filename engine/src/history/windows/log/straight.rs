//! The straight way through a log: what nearly every event needs, and no more.
//!
//! Its windows slide and are counts and sums; it counts where it counts without doubt, is newer than all others, and
//! takes no structure over its threshold. Whatever else may be is left to the general way, of which this is a part: the
//! same answers, and the same words afterwards.

use jiff::Timestamp;

use super::{
    Log, LogPlan, Sort,
    arrival::{Arrival, Entry, equal, width_of, with_length},
    rows::{MOST_ROWS, Rows, each},
    shape::Ready,
};
use crate::{
    history::{
        number,
        observation::Observed,
        plan::{Bound, Function, Unit, Window},
        position::Position,
        windows::{
            answer::Asking,
            group::Missing,
            layout::{Ask, AskedBy, GroupPlan, asked_by},
        },
    },
    interval::Interval,
    maybe::Maybe,
    money::Money,
    value::{Currency, Value},
};

/// So many rows are walked rather than searched.
const WALKED: usize = 16;
/// So many windows may start apart from each other.
const MOST_WIDTHS: usize = 4;

/// What a group asks, where all of it can be answered straight.
#[derive(Clone, Debug)]
pub(in crate::history::windows) struct Straight {
    /// How far back the windows reach that start together, in microseconds.
    widths: Vec<i64>,
    questions: Vec<Question>,
}

/// A count or a sum over a window.
#[derive(Clone, Debug)]
struct Question {
    slot: usize,
    column: usize,
    opening: usize,
    including_this: bool,
    unit: Unit,
    bound: Bound,
    by: AskedBy,
}

/// Where a window starts: its first microsecond, as it is logged, and its rows.
#[derive(Clone, Copy)]
struct Opening {
    start: i64,
    time: Option<Timestamp>,
    from: usize,
    within: Rows,
}

impl Straight {
    /// `retention` is in microseconds.
    pub fn of(group: &GroupPlan, log: &LogPlan, retention: i64) -> Option<Straight> {
        let width = |window: &Window| match window {
            Window::Sliding(ms) => Some(ms.max(&0).saturating_mul(1_000)).filter(|width| *width < retention),
            Window::Tumbling(_) | Window::Calendar { .. } | Window::Since(_) | Window::Retained => None,
        };
        let question = |ask: &Ask| {
            let Ask::Window { slot, spec, track, opening, by, .. } = ask else { return None };
            let straight = match log.columns.get(*track)?.sort {
                Sort::Event | Sort::Atom(_) => true,
                Sort::Number(_) => matches!(spec.function, Function::Sum(_)) && !spec.distinct,
            };
            straight.then(|| Question {
                slot: *slot,
                column: *track,
                opening: *opening,
                including_this: spec.including_this,
                unit: spec.unit,
                bound: spec.bound,
                by: by.clone(),
            })
        };
        let widths: Vec<i64> = group.openings.iter().map(width).collect::<Option<_>>()?;
        let questions = group.asks.iter().map(question).collect::<Option<_>>()?;
        (widths.len() <= MOST_WIDTHS).then_some(Straight { widths, questions })
    }
}

impl Log<'_, &mut [u64]> {
    /// Answers the event, if anybody wants to know, and takes it in. `false` if that cannot be done straight: then
    /// nothing is taken in.
    #[inline]
    pub fn pass(
        &mut self,
        straight: &Straight,
        asking: &Asking<'_>,
        missing: Missing<'_>,
        arrival: &mut Arrival,
        ready: Ready,
        observed: Option<&mut Observed>,
    ) -> bool {
        let Ready { shape, near: Some(near), .. } = ready else { return false };
        if self.rows() > 0 && shape.width != self.shape.width || shape.rows + 1 > self.plan.rows.min(MOST_ROWS - 1) {
            return false;
        }
        if self.rows() == 0 {
            self.make_room(asking.at, ready);
        }
        if !self.takes(arrival)
            || observed.is_some_and(|o| !self.answer_straight(straight, asking, missing, arrival, o))
        {
            return false;
        }
        // Not before all else is sure: until the event is taken in, the words say where the rows were.
        if self.rows() > 0 {
            self.make_room(asking.at, ready);
        }
        self.put(near, arrival);
        true
    }

    /// Whether the structures take what the event brings, and stay below their thresholds. Notes which rows have the same values.
    #[inline]
    fn takes(&self, arrival: &mut Arrival) -> bool {
        let rows = self.rows();
        for (column, entry) in self.plan.columns.iter().zip(&mut arrival.entries) {
            let Some([kept, at, seq, more @ ..]) = self.words.get(column.state..) else { return false };
            let below = |set: Rows, more: usize| rows < column.most || set.count_ones() as usize + more <= column.most;
            let takes = match (column.sort, entry, more) {
                (_, Entry::Nothing, _) => true,
                (Sort::Event, _, _) => below(*kept, 1),
                (Sort::Number(_), Entry::Number(steps, currency), [known, total, ..]) => {
                    let nothing_yet = *kept == 0 && (*at as i64, *seq) == (Position::START.at, Position::START.seq);
                    let same_currency = nothing_yet || *known == currency.map_or(0, Currency::pack);
                    let small = column.total.is_none_or(|most| *steps >= 0 && *total as i64 + *steps <= most);
                    same_currency && small && below(*kept, 1)
                }
                (Sort::Atom(atom), Entry::Atom(packed, length, same), [newest, ..]) => {
                    let width = self.shape.width;
                    let packed = with_length(*packed, *length, width);
                    let wanted = packed.get(..width).unwrap_or_default();
                    let alike = |row: &usize| equal(wanted, self.atom(*row, atom));
                    *same =
                        if width_of(*length) <= width { each(*newest).find(alike).map(|row| row as u8) } else { None };
                    below(*newest, usize::from(same.is_none()))
                }
                (Sort::Number(_) | Sort::Atom(_), _, _) => false,
            };
            if !takes {
                return false;
            }
        }
        true
    }

    /// Where a window of this width starts.
    #[inline]
    fn open_straight(&self, end: i64, width: i64) -> Opening {
        let start = end.saturating_sub(width).saturating_add(1);
        let position = Position::opening(start);
        let rows = self.rows();
        let from = if rows > WALKED {
            self.first_from(position)
        } else if let Some(start) = self.nearest(position) {
            let (first, stride) = (self.from(0), self.stride());
            (0..rows).map(|row| usize::from(self.word(first + row * stride) < start)).sum()
        } else {
            rows
        };
        let time = end.checked_sub(width).and_then(|time| Timestamp::from_microsecond(time).ok());
        Opening { start, time, from, within: Rows::MAX.checked_shl(from as u32).unwrap_or(0) }
    }

    /// Answers what the event asks. `false` if some of it is not one number, or something is missing.
    #[inline]
    fn answer_straight(
        &self,
        straight: &Straight,
        asking: &Asking<'_>,
        missing: Missing<'_>,
        arrival: &Arrival,
        observed: &mut Observed,
    ) -> bool {
        let mut openings = [Opening { start: 0, time: None, from: 0, within: 0 }; MOST_WIDTHS];
        for (opening, width) in openings.iter_mut().zip(&straight.widths) {
            *opening = self.open_straight(asking.at.at, *width);
        }
        let hidden = missing.hidden.iter().fold(missing.missed.upto.at, |upto, hidden| upto.max(hidden.upto.at));
        let kind = asking.event.kind;
        for question in straight.questions.iter().filter(|question| asked_by(&question.by, kind)) {
            let Question { slot, column, opening, including_this, unit, bound, .. } = question;
            let (Some(opening), Some(answer), Some(start), Some(plan), Some(entry)) = (
                openings.get(*opening),
                observed.windows.get_mut(*slot),
                observed.starts.get_mut(*slot),
                self.plan.columns.get(*column),
                arrival.entries.get(*column),
            ) else {
                return false;
            };
            let Some([kept, dropped, _, more @ ..]) = self.words.get(plan.state..) else { return false };
            let known = (*dropped as i64).max(hidden) < opening.start;
            let this = if *including_this { entry } else { &Entry::Nothing };
            let (steps, currency) = match (plan.sort, this, more) {
                (Sort::Event, this, _) => {
                    (count(kept & opening.within) + i64::from(!matches!(this, Entry::Nothing)), None)
                }
                (Sort::Atom(_), this, [newest, ..]) => {
                    let new = |same: &Option<u8>| same.is_none_or(|row| usize::from(row) < opening.from);
                    let new = matches!(this, Entry::Atom(.., same) if new(same));
                    (count(newest & opening.within) + i64::from(new), None)
                }
                (Sort::Number(number), this, [currency, total, ..]) => {
                    let (steps, currency) = match this {
                        Entry::Number(steps, currency) => (*steps, *currency),
                        _ if kept & opening.within != 0 => (0, Currency::unpack(*currency)),
                        _ => (0, None),
                    };
                    let before: i64 = each(kept & !opening.within).map(|row| self.number(row, number)).sum();
                    (*total as i64 - before + steps, currency)
                }
                (Sort::Atom(_) | Sort::Number(_), _, _) => return false,
            };
            if !known || !bound.reaches(steps.into()) {
                return false;
            }
            *start = opening.time;
            // What is made where it stays is not copied.
            match (*unit, currency) {
                (Unit::Int, _) => {
                    *answer =
                        Maybe::Known(Interval { lo: Some(Value::Int(steps)), hi: Some(Value::Int(steps)), why: None });
                }
                (Unit::Money(_), Some(currency)) => {
                    let minor = i128::from(steps);
                    *answer = Maybe::Known(Interval {
                        lo: Some(Value::Money(Money { minor, currency })),
                        hi: Some(Value::Money(Money { minor, currency })),
                        why: None,
                    });
                }
                _ => match number::value(steps.into(), *unit, currency) {
                    Some(value) => *answer = Maybe::Known(Interval::exactly(value)),
                    None => return false,
                },
            }
        }
        true
    }

    /// Writes the row, and that the structures have it.
    #[inline]
    fn put(&mut self, near: u64, arrival: &Arrival) {
        let (row, stride, width) = (self.rows(), self.stride(), self.shape.width);
        let (from, bit) = (self.from(row), 1 << row);
        let Some((head, rows)) = self.words.split_at_mut_checked(self.plan.head) else { return };
        let from = from - self.plan.head;
        let Some([position, values @ ..]) = rows.get_mut(from..from + stride) else { return };
        *position = near;
        values.fill(0);
        for (column, entry) in self.plan.columns.iter().zip(&arrival.entries) {
            let Some([kept, _, _, more @ ..]) = head.get_mut(column.state..) else { return };
            match (column.sort, entry, more) {
                (Sort::Event, Entry::Event, _) => *kept |= bit,
                (Sort::Number(number), Entry::Number(steps, currency), [known, total, ..]) => {
                    *kept |= bit;
                    *known = currency.map_or(0, Currency::pack);
                    *total = total.wrapping_add(*steps as u64);
                    if let Some(value) = values.get_mut(number) {
                        *value = *steps as u64;
                    }
                }
                (Sort::Atom(atom), Entry::Atom(packed, length, same), [newest, orphaned, ..]) => {
                    *kept |= bit;
                    let before = same.map_or(0, |row| 1 << row);
                    *newest = *newest & !before | bit;
                    *orphaned = if *orphaned & before == 0 { *orphaned } else { *orphaned & !before | bit };
                    let place = self.plan.numbers + atom * width;
                    let packed = with_length(*packed, *length, width);
                    let value = values.get_mut(place..place + width).unwrap_or_default();
                    value.iter_mut().zip(packed).for_each(|(place, word)| *place = word);
                }
                _ => {}
            }
        }
        self.shape.rows += 1;
        self.save();
    }
}

fn count(rows: Rows) -> i64 {
    i64::from(rows.count_ones())
}
