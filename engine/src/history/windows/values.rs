//! Distinct counts: the values seen last, as many as the threshold needs.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::super::{
    atom::Atom,
    position::{Lost, Position, Reach},
};
use crate::{maybe::Why, tri::Tri};

/// The values under a key.
#[derive(Clone, Debug, Default)]
pub(in crate::history) struct Values {
    /// Values of events that certainly count.
    sure: Vec<Seen>,
    /// Values of events of which the filter could not be decided.
    perhaps: Vec<Seen>,
    /// Events that count, or may, but whose value could not be found out.
    unknown: VecDeque<Position>,
}

/// A value, and its newest appearances.
#[derive(Clone, Debug)]
struct Seen {
    atom: Atom,
    newest: Position,
    second: Option<Position>,
    /// The newest of all earlier ones, which are not kept.
    older: Option<Position>,
}

impl Values {
    /// Adds an event with this value and drops what was seen longest ago beyond `keep`.
    pub fn insert(&mut self, position: Position, atom: Atom, certain: bool, keep: usize, lost: &mut Lost) {
        let values = if certain { &mut self.sure } else { &mut self.perhaps };
        if let Some(seen) = values.iter_mut().find(|seen| seen.atom == atom) {
            seen.add(position);
            return;
        }
        values.push(Seen { atom, newest: position, second: None, older: None });
        if values.len() > keep {
            let oldest = values.iter().enumerate().min_by_key(|(_, seen)| seen.newest).map(|(place, _)| place);
            if let Some(place) = oldest {
                let dropped = values.swap_remove(place);
                lost.extend(dropped.newest, Why::Saturated);
            }
        }
    }

    /// Adds an event whose value could not be found out.
    pub fn insert_unknown(&mut self, position: Position, keep: usize, lost: &mut Lost) {
        let place = self.unknown.partition_point(|at| *at < position);
        self.unknown.insert(place, position);
        if self.unknown.len() > keep
            && let Some(oldest) = self.unknown.pop_front()
        {
            lost.extend(oldest, Why::Saturated);
        }
    }

    /// How many values certainly are in reach, and how many more may be. `loose` are values that stand beside the
    /// kept ones: undecided events, and the event being judged; `None` is a value that could not be found out.
    pub fn count<'a>(&'a self, reach: Reach, loose: impl Iterator<Item = (Option<&'a Atom>, Tri)>) -> (u64, u64) {
        let mut unknown = self.unknown.iter().filter(|at| reach.contains(**at)).count() as u64;
        let mut loose_sure: SmallVec<[&Atom; 8]> = SmallVec::new();
        let mut maybe: SmallVec<[&Atom; 8]> = SmallVec::new();
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
                Tri::True if !loose_sure.contains(&&seen.atom) => sure += 1,
                Tri::True | Tri::False => {}
                Tri::Unknown => maybe.push(&seen.atom),
            }
        }
        maybe.extend(self.perhaps.iter().filter(|seen| !seen.within(reach).is_false()).map(|seen| &seen.atom));
        let is_sure = |atom: &Atom| {
            loose_sure.contains(&atom)
                || self.sure.iter().any(|seen| seen.atom == *atom && seen.within(reach).is_true())
        };
        let mut more: SmallVec<[&Atom; 8]> = SmallVec::new();
        for atom in maybe {
            if !more.contains(&atom) && !is_sure(atom) {
                more.push(atom);
            }
        }
        (sure, more.len() as u64 + unknown)
    }

    pub fn len(&self) -> usize {
        self.sure.len() + self.perhaps.len() + self.unknown.len()
    }

    pub fn bytes(&self) -> usize {
        (self.sure.capacity() + self.perhaps.capacity()) * size_of::<Seen>()
            + self.unknown.capacity() * size_of::<Position>()
    }
}

impl Seen {
    fn add(&mut self, position: Position) {
        let displaced = if position > self.newest {
            self.second.replace(std::mem::replace(&mut self.newest, position))
        } else if self.second.is_none_or(|second| position > second) {
            self.second.replace(position)
        } else {
            Some(position)
        };
        self.older = self.older.max(displaced);
    }

    /// Whether the value appears in reach. Only an event later than two others of the same value may not tell.
    fn within(&self, reach: Reach) -> Tri {
        for at in [Some(self.newest), self.second, self.older].into_iter().flatten() {
            if at < reach.start {
                return Tri::False;
            }
            if at < reach.end {
                return Tri::True;
            }
        }
        // All kept appearances come after the end; before the oldest of three there may be more.
        if self.older.is_some() { Tri::Unknown } else { Tri::False }
    }
}
