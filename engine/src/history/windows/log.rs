//! A key's newest events as they came, one after the other in one piece: while nothing about them is in doubt, each
//! structure is no more than a set of rows.
//!
//! In order, certain, in one currency and few: so are the events of nearly every key. What such a log cannot hold (an
//! event that comes late, one that may or may not count, a second currency, more rows than a set has bits) turns it into
//! the structures themselves, which hold everything.

use smallvec::SmallVec;

use super::{
    super::{
        atom::Atom,
        estimate::{Cell, Sample},
        number::Number,
        observation::{Observed, in_flight},
        plan::{Function, WindowSpec},
        position::{Gaps, Lost, Position, Reach},
    },
    amounts::Sum,
    answer::{Anchor, Asking, counted, described, extremal, known, whole},
    extremes::Extreme,
    group::{Missing, Parts, answer, asked, fresh},
    layout::{Ask, GroupPlan, TrackPlan, What},
    track::{Brought, Content, Kept, Track, of_status},
};
use crate::{
    interval::Interval,
    maybe::{Maybe, Why},
    tri::Tri,
    value::{Currency, Value},
};

/// A set of rows: one bit each, the oldest first.
type Rows = u64;

const MOST_ROWS: usize = Rows::BITS as usize;
/// A position is two words.
const POSITION: usize = 2;
/// Words that an atom takes: few, until one is longer.
const NARROW: usize = 2;
const WIDE: usize = 5;

/// How the rows of a group look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogPlan {
    /// What each structure has in a row.
    columns: Vec<Column>,
    numbers: usize,
    atoms: usize,
    /// More rows than this are not kept for late events alone.
    rows: usize,
}

/// What a structure has in a row, and the how manieth of its sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Event,
    Number(usize),
    Atom(usize),
}

/// The events of a key: first the state of each structure, then the rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    words: Vec<u64>,
    /// How many there are.
    rows: u8,
    wide: bool,
}

/// What a structure keeps of the rows.
#[derive(Clone, Copy, Debug)]
struct State {
    /// The rows it has.
    kept: Rows,
    /// Of values: the rows that are the newest with theirs.
    newest: Rows,
    /// Of values: the rows whose value had appeared before, in a row that is gone.
    orphaned: Rows,
    /// The currency of its amounts.
    currency: Option<Currency>,
    /// The newest row it has dropped.
    dropped: Position,
}

/// What an event brings to a structure, as a row has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Nothing,
    Event,
    Number(i64, Option<Currency>),
    /// With the newest row of the same value.
    Atom(Packed, Option<usize>),
}

/// The bytes of an atom, zeros, and in the last byte of as many words as it takes how many they are.
type Packed = [u64; WIDE];

/// What an event that fits into the log brings, by structure.
pub(super) type Arrival = SmallVec<[Entry; 4]>;

impl LogPlan {
    /// `None` where a structure remembers what no row says.
    pub fn of(tracks: &[TrackPlan]) -> Option<LogPlan> {
        let mut plan = LogPlan { columns: Vec::new(), numbers: 0, atoms: 0, rows: 0 };
        for track in tracks {
            plan.columns.push(match track.what {
                What::Times | What::Ones => Column::Event,
                What::Values(_) => {
                    plan.atoms += 1;
                    Column::Atom(plan.atoms - 1)
                }
                What::Amounts { .. } | What::Greatest(..) | What::Least(..) => {
                    plan.numbers += 1;
                    Column::Number(plan.numbers - 1)
                }
                What::Appearances => return None,
            });
            plan.rows = plan.rows.max(track.keep.entries).min(MOST_ROWS);
        }
        Some(plan)
    }

    /// The words before the first row.
    fn head(&self) -> usize {
        self.columns.len() * State::WORDS
    }

    fn columns(&self) -> impl Iterator<Item = (usize, Column)> + '_ {
        self.columns.iter().copied().enumerate()
    }
}

impl State {
    const WORDS: usize = 6;

    fn read(words: &[u64]) -> State {
        let &[kept, newest, orphaned, currency, at, seq] = words else { return State::EMPTY };
        let dropped = Position { at: at as i64, seq };
        State { kept, newest, orphaned, currency: Currency::unpack(currency), dropped }
    }

    const EMPTY: State = State { kept: 0, newest: 0, orphaned: 0, currency: None, dropped: Position::START };

    fn words(&self) -> [u64; State::WORDS] {
        let State { kept, newest, orphaned, currency, dropped } = *self;
        [kept, newest, orphaned, currency.map_or(0, Currency::pack), dropped.at as u64, dropped.seq]
    }

    /// The rows it cannot do without.
    fn needed(&self, column: Column) -> Rows {
        match column {
            Column::Event | Column::Number(_) => self.kept,
            Column::Atom(_) => self.newest,
        }
    }

    fn drop_row(&mut self, row: usize, at: Position) {
        let bit = 1 << row;
        if self.kept & bit != 0 {
            self.kept &= !bit;
            self.newest &= !bit;
            self.orphaned &= !bit;
            self.dropped = self.dropped.max(at);
        }
    }

    fn lost(&self) -> Lost {
        Lost { upto: self.dropped, why: Why::Saturated }
    }
}

impl Log {
    /// Words of a row.
    fn stride(&self, plan: &LogPlan) -> usize {
        POSITION + plan.numbers + plan.atoms * self.width()
    }

    fn width(&self) -> usize {
        if self.wide { WIDE } else { NARROW }
    }

    pub fn rows(&self) -> usize {
        usize::from(self.rows)
    }

    /// The most rows that one structure has.
    pub fn most(&self, plan: &LogPlan) -> usize {
        plan.columns().map(|(track, _)| self.state(track).kept.count_ones() as usize).max().unwrap_or(0)
    }

    fn row(&self, plan: &LogPlan, row: usize) -> &[u64] {
        let stride = self.stride(plan);
        let from = plan.head() + row * stride;
        self.words.get(from..from + stride).unwrap_or_default()
    }

    fn at(&self, plan: &LogPlan, row: usize) -> Position {
        match self.row(plan, row) {
            [at, seq, ..] => Position { at: *at as i64, seq: *seq },
            _ => Position::START,
        }
    }

    fn number(&self, plan: &LogPlan, row: usize, number: usize) -> i64 {
        self.row(plan, row).get(POSITION + number).map_or(0, |word| *word as i64)
    }

    fn atom(&self, plan: &LogPlan, row: usize, atom: usize) -> &[u64] {
        let from = POSITION + plan.numbers + atom * self.width();
        self.row(plan, row).get(from..from + self.width()).unwrap_or_default()
    }

    fn state(&self, track: usize) -> State {
        let from = track * State::WORDS;
        self.words.get(from..from + State::WORDS).map_or(State::EMPTY, State::read)
    }

    fn set_state(&mut self, track: usize, state: State) {
        let from = track * State::WORDS;
        if let Some(words) = self.words.get_mut(from..from + State::WORDS) {
            words.copy_from_slice(&state.words());
        }
    }

    /// Looks at all of it.
    pub fn warm(&self) -> i64 {
        self.words.iter().step_by(8).fold(0, |near, word| near ^ word) as i64
    }

    /// What the event brings, if nothing about it is in doubt. `newest` is the key's newest event.
    pub fn fits(
        &mut self,
        plan: &LogPlan,
        tracks: &[TrackPlan],
        parts: &Parts<'_>,
        asking: &Asking<'_>,
        newest: Position,
    ) -> Option<Arrival> {
        if asking.at <= newest && !self.words.is_empty() {
            return None;
        }
        self.make_room(plan, parts)?;
        let mut arrival = Arrival::new();
        for (((place, column), track), part) in plan.columns().zip(tracks).zip(parts) {
            let Some(brought) = part else {
                arrival.push(Entry::Nothing);
                continue;
            };
            let passes = of_status(brought.passes, asking.status);
            if in_flight(asking.status) && brought.passes.iter().any(|other| *other != passes) {
                return None;
            }
            arrival.push(match passes {
                Tri::False => Entry::Nothing,
                Tri::Unknown => return None,
                Tri::True => self.entry(plan, track, place, column, &brought.content)?,
            });
        }
        Some(arrival)
    }

    fn entry(
        &self,
        plan: &LogPlan,
        track: &TrackPlan,
        place: usize,
        column: Column,
        content: &Content,
    ) -> Option<Entry> {
        match (column, content) {
            (Column::Event, Content::Event | Content::Number(_)) => Some(Entry::Event),
            (Column::Number(_), Content::Number(Number { steps, currency })) => {
                let state = self.state(place);
                let nothing_yet = state.kept == 0 && state.dropped == Position::START;
                let same_currency = nothing_yet || state.currency == *currency;
                // With amounts below zero, what is over the threshold now may come back under it.
                let may_drop = *steps >= 0 || track.keep.room(track.what).total.is_none();
                let steps = i64::try_from(*steps).ok()?;
                (same_currency && may_drop).then_some(Entry::Number(steps, *currency))
            }
            (Column::Atom(atom), Content::Value(value)) => {
                let packed = pack(value.as_slice(), self.width());
                let same = |row: &usize| packed.get(..self.width()) == Some(self.atom(plan, *row, atom));
                Some(Entry::Atom(packed, each(self.state(place).newest).find(same)))
            }
            (_, Content::Event | Content::Value(_) | Content::Number(_) | Content::Unknown(_)) => None,
        }
    }

    /// Widens every row if a value of the event is longer than those before it; `None` if it is too long for any.
    fn make_room(&mut self, plan: &LogPlan, parts: &Parts<'_>) -> Option<()> {
        let length = |part: &Option<Brought<'_>>| match part.as_ref()?.content {
            Content::Value(ref value) => Some(value.as_slice().len()),
            Content::Event | Content::Number(_) | Content::Unknown(_) => None,
        };
        let longest = parts.iter().filter_map(length).max().unwrap_or(0);
        if longest < self.width() * size_of::<u64>() {
            return Some(());
        }
        if longest >= WIDE * size_of::<u64>() {
            return None;
        }
        let head = self.words.get(..plan.head()).unwrap_or_default();
        let mut wide = Log { words: head.to_vec(), rows: self.rows, wide: true };
        for row in 0..self.rows() {
            let fixed = self.row(plan, row).get(..POSITION + plan.numbers).unwrap_or_default();
            wide.words.extend_from_slice(fixed);
            for atom in 0..plan.atoms {
                wide.words.extend_from_slice(&pack(&unpack(self.atom(plan, row, atom)), WIDE));
            }
        }
        *self = wide;
        Some(())
    }

    /// Answers what the event asks; `arrival` is what it brings, if it takes part.
    pub fn answer(
        &self,
        group: &GroupPlan,
        plan: &LogPlan,
        asking: &Asking<'_>,
        missing: Missing<'_>,
        arrival: &[Entry],
        observed: &mut Observed,
    ) {
        for ask in asked(group, asking.event.kind) {
            let Ask::Window { slot, spec, track, anchor, .. } = ask else { continue };
            let (Some(track_plan), Some(column)) = (group.tracks.get(*track), plan.columns.get(*track)) else {
                continue;
            };
            let (state, this) = (self.state(*track), arrival.get(*track).filter(|_| spec.including_this));
            let since = |reach: &Reach| {
                let state = self.state((*anchor)?);
                let gaps = Gaps { hidden: missing.of((*anchor)?)?, dropped: &state.lost() };
                let newest = newest_of(state.kept).map(|row| self.at(plan, row));
                Some(Anchor::of(newest.filter(|newest| *newest >= reach.start), gaps, reach))
            };
            let start = asking.start(spec.window, since);
            let Some(hidden) = missing.of(*track) else { continue };
            answer(observed, *slot, start, |start| {
                let over = |reach: &Reach| {
                    let gaps = Gaps { hidden, dropped: &state.lost() };
                    let window = Window {
                        asking,
                        spec,
                        track: track_plan,
                        state: &state,
                        from: self.first_from(plan, reach.start),
                        gap: gaps.affect(reach),
                        hidden: hidden.affects(reach).is_some(),
                    };
                    window.read(*column, this, |row, number| self.number(plan, row, number))
                };
                asking.between(spec, &start, over)
            });
        }
    }

    /// The first row in or after this position.
    fn first_from(&self, plan: &LogPlan, start: Position) -> usize {
        let (mut from, mut to) = (0, self.rows());
        if to > 0 && self.at(plan, 0) >= start {
            return 0;
        }
        while from < to {
            let middle = from.midpoint(to);
            if self.at(plan, middle) < start { from = middle + 1 } else { to = middle }
        }
        from
    }

    /// Takes the event in and drops what no threshold needs. `false` if what is left is more than a log can hold.
    #[must_use]
    pub fn append(&mut self, plan: &LogPlan, tracks: &[TrackPlan], at: Position, arrival: &[Entry]) -> bool {
        if arrival.iter().all(|entry| *entry == Entry::Nothing) {
            return true;
        }
        let row = self.push(plan, at, arrival);
        let (bit, mut all, mut fits) = (1 << row, 0, true);
        for ((track, entry), track_plan) in arrival.iter().enumerate().zip(tracks) {
            let mut state = self.state(track);
            match entry {
                Entry::Nothing => {}
                Entry::Event => state.kept |= bit,
                Entry::Number(_, currency) => {
                    state.kept |= bit;
                    state.currency = *currency;
                }
                Entry::Atom(_, same) => {
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
                fits &= self.drop_beyond(plan, track, track_plan, &mut state);
                self.set_state(track, state);
            }
            all |= state.kept;
        }
        self.drop_rows(plan, all);
        fits && self.rows() < MOST_ROWS
    }

    /// Writes the row, and says which it is.
    fn push(&mut self, plan: &LogPlan, at: Position, arrival: &[Entry]) -> usize {
        if self.words.is_empty() {
            self.words.reserve_exact(plan.head() + 2 * self.stride(plan));
            plan.columns.iter().for_each(|_| self.words.extend_from_slice(&State::EMPTY.words()));
        }
        let (row, stride) = (self.rows(), self.stride(plan));
        if self.words.capacity() - self.words.len() < stride {
            self.words.reserve_exact((row / 2).max(2) * stride);
        }
        self.words.extend_from_slice(&[at.at as u64, at.seq]);
        for entry in arrival.iter().zip(&plan.columns).filter(|(_, column)| matches!(column, Column::Number(_))) {
            self.words.push(if let (Entry::Number(steps, _), _) = entry { *steps as u64 } else { 0 });
        }
        let width = self.width();
        for entry in arrival.iter().zip(&plan.columns).filter(|(_, column)| matches!(column, Column::Atom(_))) {
            let packed = if let (Entry::Atom(packed, _), _) = entry { *packed } else { Packed::default() };
            self.words.extend_from_slice(packed.get(..width).unwrap_or_default());
        }
        self.rows += 1;
        row
    }

    /// Drops rows of a structure that its threshold does not need. `false` if it would have to be summarised instead.
    fn drop_beyond(&self, plan: &LogPlan, track: usize, track_plan: &TrackPlan, state: &mut State) -> bool {
        let most = track_plan.keep.entries;
        let oldest = |rows: Rows| rows.trailing_zeros() as usize;
        match plan.columns.get(track) {
            Some(Column::Event) => {
                // A count without a threshold keeps amounts of one.
                if track_plan.what == What::Ones {
                    return state.kept.count_ones() as usize <= most;
                }
                while state.kept.count_ones() as usize > most {
                    state.drop_row(oldest(state.kept), self.at(plan, oldest(state.kept)));
                }
                true
            }
            Some(Column::Atom(_)) => {
                while state.newest.count_ones() as usize > most {
                    state.drop_row(oldest(state.newest), self.at(plan, oldest(state.newest)));
                }
                true
            }
            Some(Column::Number(number)) => {
                if let Some(most) = track_plan.keep.room(track_plan.what).total {
                    let steps = |row: usize| i128::from(self.number(plan, row, *number));
                    let mut total: i128 = each(state.kept).map(steps).sum();
                    while state.kept != 0 && total - steps(oldest(state.kept)) > most {
                        total -= steps(oldest(state.kept));
                        state.drop_row(oldest(state.kept), self.at(plan, oldest(state.kept)));
                    }
                }
                state.kept.count_ones() as usize <= most
            }
            None => true,
        }
    }

    /// Removes rows that no structure has, and of those that are kept for late events alone the oldest. `all` are those
    /// that some structure has.
    fn drop_rows(&mut self, plan: &LogPlan, all: Rows) {
        let every = |rows: usize| if rows == MOST_ROWS { Rows::MAX } else { !(Rows::MAX << rows) };
        let unused = every(self.rows()) & !all;
        for row in each(unused).collect::<SmallVec<[usize; 4]>>().into_iter().rev() {
            self.remove(plan, row);
        }
        while self.rows() > plan.rows {
            let needed = plan.columns().fold(0, |all, (track, column)| all | self.state(track).needed(column));
            let spare = every(self.rows()) & !needed;
            if spare == 0 {
                return;
            }
            let row = spare.trailing_zeros() as usize;
            self.orphan(plan, row);
            self.remove(plan, row);
        }
    }

    /// Notes with the newer rows of its values that this row is going.
    fn orphan(&mut self, plan: &LogPlan, row: usize) {
        for (track, column) in plan.columns() {
            let (Column::Atom(atom), mut state) = (column, self.state(track)) else { continue };
            if state.kept & 1 << row != 0 {
                let same = |newer: &usize| self.atom(plan, *newer, atom) == self.atom(plan, row, atom);
                state.orphaned |= each(state.newest).find(same).map_or(0, |newer| 1 << newer);
                self.set_state(track, state);
            }
        }
    }

    fn remove(&mut self, plan: &LogPlan, row: usize) {
        let (from, stride) = (plan.head() + row * self.stride(plan), self.stride(plan));
        self.words.drain(from..from + stride);
        self.rows -= 1;
        let older = !(Rows::MAX << row);
        let close = |rows: Rows| rows & older | rows >> 1 & !older;
        for (track, _) in plan.columns() {
            let State { kept, newest, orphaned, currency, dropped } = self.state(track);
            let [kept, newest, orphaned] = [kept, newest, orphaned].map(close);
            self.set_state(track, State { kept, newest, orphaned, currency, dropped });
        }
    }

    /// Drops what lies before `horizon`: it has left every window.
    pub fn purge(&mut self, plan: &LogPlan, horizon: Position) {
        while self.rows() > 0 && self.at(plan, 0) < horizon {
            let at = self.at(plan, 0);
            for (track, _) in plan.columns() {
                let mut state = self.state(track);
                state.drop_row(0, at);
                self.set_state(track, state);
            }
            self.remove(plan, 0);
        }
        if self.words.len() * 4 <= self.words.capacity() {
            self.words.shrink_to(self.words.len() + self.stride(plan));
        }
    }

    /// The structures themselves, which hold what the log has held.
    pub fn open(&self, group: &GroupPlan, plan: &LogPlan, missing: Missing<'_>) -> Vec<Track> {
        let mut tracks: Vec<Track> = fresh(group, missing).collect();
        for (((place, column), track_plan), track) in plan.columns().zip(&group.tracks).zip(&mut tracks) {
            let state = self.state(place);
            for row in each(state.kept) {
                let content = match column {
                    Column::Event if track_plan.what == What::Ones => {
                        Content::Number(Number { steps: 1, currency: None })
                    }
                    Column::Event => Content::Event,
                    Column::Number(number) => {
                        let steps = self.number(plan, row, number).into();
                        Content::Number(Number { steps, currency: state.currency })
                    }
                    Column::Atom(atom) => Content::Value(Atom::of(&unpack(self.atom(plan, row, atom)))),
                };
                track.keep(track_plan, self.at(plan, row), &content, Tri::True);
            }
            if state.dropped > Position::START {
                track.dropped.extend(state.dropped, Why::Saturated);
            }
            match (&mut track.kept, column) {
                // Those that are dropped because of a threshold are none below zero.
                (Kept::Amounts(amounts), _) if track_plan.keep.room(track_plan.what).total.is_none() => {
                    amounts.have_dropped(state.dropped);
                }
                (Kept::Values(values), Column::Atom(atom)) => {
                    for row in each(state.orphaned) {
                        values.orphan(&Atom::of(&unpack(self.atom(plan, row, atom))));
                    }
                }
                _ => {}
            }
        }
        tracks
    }

    /// What it takes beyond its own size, in bytes.
    pub fn heap(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
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
    fn read(
        &self,
        column: Column,
        this: Option<&Entry>,
        number_in: impl Fn(usize, usize) -> i64,
    ) -> Maybe<Interval<Value>> {
        let within = Rows::MAX.checked_shl(self.from as u32).unwrap_or(0);
        let count = |sure: u32| known(counted(u64::from(sure), 0, self.gap, self.spec.bound).map(whole));
        match column {
            Column::Event => {
                count((self.state.kept & within).count_ones() + u32::from(matches!(this, Some(Entry::Event))))
            }
            Column::Atom(_) => {
                let new = matches!(this, Some(Entry::Atom(_, same)) if same.is_none_or(|row| row < self.from));
                count((self.state.newest & within).count_ones() + u32::from(new))
            }
            Column::Number(number) => {
                let this = match this {
                    Some(Entry::Number(steps, currency)) => Some((*steps, *currency)),
                    Some(Entry::Nothing | Entry::Event | Entry::Atom(..)) | None => None,
                };
                let rows = self.state.kept & within;
                let numbers = each(rows).map(|row| number_in(row, number)).chain(this.map(|(steps, _)| steps));
                let currency = match this {
                    Some((_, currency)) => currency,
                    None => self.state.currency.filter(|_| rows != 0),
                };
                known(self.of_numbers(numbers.map(i128::from), currency))
            }
        }
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
            (_, Function::Sum(_)) => {
                // What was never seen may have been below zero.
                if let Some(why) = gap.filter(|_| self.hidden) {
                    return Err(why);
                }
                let lo = if spec.distinct { once_each(numbers).iter().sum() } else { numbers.sum() };
                let perhaps_currency = currency.or(self.state.currency.filter(|_| gap.is_some()));
                let sum = Sum { lo, hi: gap.is_none().then_some(lo), why: gap, currency, perhaps_currency };
                self.asking.summed(spec, sum)
            }
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

/// The rows of a set.
fn each(mut rows: Rows) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let row = (rows != 0).then(|| rows.trailing_zeros() as usize)?;
        rows &= rows - 1;
        Some(row)
    })
}

/// `bytes` are fewer than so many words have.
fn pack(bytes: &[u8], width: usize) -> Packed {
    let mut packed = [0; WIDE * size_of::<u64>()];
    if let Some(place) = packed.get_mut(..bytes.len()) {
        place.copy_from_slice(bytes);
    }
    if let Some(length) = packed.get_mut(width * size_of::<u64>() - 1) {
        *length = bytes.len() as u8;
    }
    let mut words = Packed::default();
    for (word, bytes) in words.iter_mut().zip(packed.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

fn unpack(words: &[u64]) -> SmallVec<[u8; WIDE * 8]> {
    let mut bytes: SmallVec<[u8; WIDE * 8]> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let length = bytes.last().copied().map_or(0, usize::from);
    bytes.truncate(length);
    bytes
}
