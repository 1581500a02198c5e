//! Distinct counts: the values seen last, as many as the threshold needs.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::{
    super::{
        atom::Atom,
        position::{Lost, Position, Reach},
    },
    queue::grow,
};
use crate::{maybe::Why, tri::Tri};

/// The values under a key.
#[derive(Clone, Debug, Default)]
pub(in crate::history) struct Values {
    /// Values of events that certainly count.
    sure: Vec<Seen>,
    doubtful: Option<Box<Doubtful>>,
}

#[derive(Clone, Debug, Default)]
struct Doubtful {
    /// Values of events of which the filter could not be decided.
    perhaps: Vec<Seen>,
    /// Events that count, or may, but whose value could not be found out.
    unknown: VecDeque<Position>,
}

/// How many values there are in reach.
#[derive(Clone, Copy, Debug)]
pub(super) struct Distinct {
    /// Certainly.
    pub sure: u64,
    /// More that there may be, and why that is open.
    pub perhaps: u64,
    pub why: Why,
}

/// A value, and its newest appearances.
#[derive(Clone, Debug)]
struct Seen {
    atom: Atom,
    newest: Position,
    /// When the one before was, and the newest of all before that, which are not kept: for events that come late.
    /// [`NEVER`] where there are fewer.
    second: i64,
    older: i64,
}

const NEVER: i64 = i64::MIN;

impl Values {
    /// Adds an event with this value and drops what was seen longest ago beyond `keep`.
    pub fn insert(&mut self, position: Position, atom: &Atom, certain: bool, keep: usize, lost: &mut Lost) {
        if certain {
            if let Some(seen) = self.sure.iter_mut().find(|seen| seen.atom == *atom) {
                seen.add(position);
                return;
            }
            grow(&mut self.sure);
            self.sure.push(Seen::once(atom.clone(), position));
            if self.sure.len() > keep
                && let Some(place) = seen_longest_ago(&self.sure)
            {
                lost.extend(self.sure.swap_remove(place).newest, Why::Saturated);
            }
        } else {
            let perhaps = &mut self.doubtful.get_or_insert_default().perhaps;
            if let Some(seen) = perhaps.iter_mut().find(|seen| seen.atom == *atom) {
                seen.add(position);
                return;
            }
            perhaps.push(Seen::once(atom.clone(), position));
            if perhaps.len() > keep
                && let Some(place) = seen_longest_ago(perhaps)
            {
                // As many are left as make the answer open, and open for the same reason.
                lost.extend(perhaps.swap_remove(place).newest, Why::Absent);
            }
        }
    }

    /// Notes that a value had appeared before, at a time that is not known.
    pub fn orphan(&mut self, atom: &Atom) {
        if let Some(seen) = self.sure.iter_mut().find(|seen| seen.atom == *atom) {
            seen.second = if seen.second == NEVER { seen.newest.at } else { seen.second };
            seen.older = seen.second;
        }
    }

    /// Adds an event whose value could not be found out.
    pub fn insert_unknown(&mut self, position: Position, keep: usize, lost: &mut Lost) {
        let unknown = &mut self.doubtful.get_or_insert_default().unknown;
        let place = unknown.partition_point(|at| *at < position);
        unknown.insert(place, position);
        if unknown.len() > keep
            && let Some(oldest) = unknown.pop_front()
        {
            lost.extend(oldest, Why::Saturated);
        }
    }

    /// How many values are in reach. `loose` are values that stand beside the
    /// kept ones: undecided events, and the event being judged; `None` is a value that could not be found out.
    pub fn count<'a>(&'a self, reach: &Reach, loose: impl Iterator<Item = (Option<&'a Atom>, Tri)>) -> Distinct {
        let mut unknown = 0;
        let mut loose_sure: SmallVec<[&Atom; 4]> = SmallVec::new();
        let (mut maybe, mut late): (SmallVec<[&Atom; 4]>, SmallVec<[&Atom; 4]>) = Default::default();
        for (atom, passes) in loose {
            match (atom, passes) {
                (_, Tri::False) => {}
                (None, Tri::True | Tri::Unknown) => unknown += 1,
                (Some(atom), Tri::True) if !loose_sure.contains(&atom) => loose_sure.push(atom),
                (Some(_), Tri::True) => {}
                (Some(atom), Tri::Unknown) => maybe.push(atom),
            }
        }
        let mut sure = loose_sure.len() as u64;
        for seen in &self.sure {
            match seen.within(reach) {
                Tri::True => sure += u64::from(!loose_sure.contains(&&seen.atom)),
                Tri::False => {}
                Tri::Unknown => late.push(&seen.atom),
            }
        }
        if let Some(doubtful) = &self.doubtful {
            unknown += doubtful.unknown.iter().filter(|at| reach.contains(**at)).count() as u64;
            let perhaps = doubtful.perhaps.iter().filter(|seen| !seen.within(reach).is_false());
            maybe.extend(perhaps.map(|seen| &seen.atom));
        }
        let is_sure = |atom: &Atom| {
            loose_sure.contains(&atom)
                || self.sure.iter().any(|seen| seen.atom == *atom && seen.within(reach).is_true())
        };
        let mut more: SmallVec<[&Atom; 4]> = SmallVec::new();
        for atom in maybe {
            if !more.contains(&atom) && !is_sure(atom) {
                more.push(atom);
            }
        }
        let undecided = more.len() as u64 + unknown;
        // Whether they appear so early is not kept.
        late.retain(|atom| !more.contains(atom) && !is_sure(atom));
        let why = if undecided == 0 { Why::Saturated } else { Why::Absent };
        Distinct { sure, perhaps: undecided + late.len() as u64, why }
    }

    pub fn len(&self) -> usize {
        self.sure.len() + self.doubtful.as_ref().map_or(0, |doubtful| doubtful.perhaps.len() + doubtful.unknown.len())
    }

    /// What it takes beyond its own size, in bytes.
    pub fn heap(&self) -> usize {
        let sure = self.sure.capacity() * size_of::<Seen>();
        let texts = |seen: &[Seen]| seen.iter().map(|seen| seen.atom.heap()).sum::<usize>();
        let doubtful = self.doubtful.as_ref().map_or(0, |doubtful| {
            size_of::<Doubtful>()
                + doubtful.perhaps.capacity() * size_of::<Seen>()
                + doubtful.unknown.capacity() * size_of::<Position>()
                + texts(&doubtful.perhaps)
        });
        sure + texts(&self.sure) + doubtful
    }
}

fn seen_longest_ago(values: &[Seen]) -> Option<usize> {
    values.iter().enumerate().min_by_key(|(_, seen)| seen.newest).map(|(place, _)| place)
}

impl Seen {
    fn once(atom: Atom, position: Position) -> Seen {
        Seen { atom, newest: position, second: NEVER, older: NEVER }
    }

    fn add(&mut self, position: Position) {
        let earlier =
            if position > self.newest { std::mem::replace(&mut self.newest, position).at } else { position.at };
        if earlier >= self.second {
            self.older = self.second;
            self.second = earlier;
        } else {
            self.older = self.older.max(earlier);
        }
    }

    /// Whether the value appears in reach. Only an event later than two others of the same value may not tell.
    fn within(&self, reach: &Reach) -> Tri {
        if self.newest < reach.end {
            return Tri::from(self.newest >= reach.start);
        }
        for at in [self.second, self.older] {
            // Of two events at the same time it is not known which came first.
            let (earliest, latest) = (Position::opening(at), Position { at, seq: u64::MAX });
            if latest < reach.start {
                return Tri::False;
            }
            if earliest < reach.end {
                return if reach.contains(earliest) && latest < reach.end { Tri::True } else { Tri::Unknown };
            }
        }
        // All kept appearances come after the end, or may; before the oldest of them there may be more.
        Tri::Unknown
    }
}
