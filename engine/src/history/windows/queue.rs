//! Entries in order of position, in one piece.

use super::super::position::{Position, Reach};

/// Something that stands in the order.
pub(super) trait Placed: Copy + std::fmt::Debug {
    fn at(&self) -> Position;
}

impl Placed for Position {
    fn at(&self) -> Position {
        *self
    }
}

/// A sorted queue. Entries nearly always come in order, and the oldest go first.
#[derive(Clone, Debug)]
pub(super) struct Queue<T> {
    items: Vec<T>,
    /// So many at the front have gone.
    gone: usize,
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue { items: Vec::new(), gone: 0 }
    }
}

impl<T: Placed> Queue<T> {
    pub fn as_slice(&self) -> &[T] {
        self.items.get(self.gone..).unwrap_or_default()
    }

    pub fn len(&self) -> usize {
        self.items.len().saturating_sub(self.gone)
    }

    pub fn first(&self) -> Option<&T> {
        self.items.get(self.gone)
    }

    pub fn last(&self) -> Option<&T> {
        self.as_slice().last()
    }

    /// Puts an entry in its place. Returns the entries that come after it.
    pub fn insert(&mut self, item: T) -> &mut [T] {
        let before = match self.last() {
            Some(newest) if newest.at() > item.at() => self.before(item.at()),
            Some(_) | None => self.len(),
        };
        if self.items.len() == self.items.capacity() {
            self.tidy();
            grow(&mut self.items);
        }
        let place = self.gone + before;
        self.items.insert(place, item);
        self.items.get_mut(place + 1..).unwrap_or_default()
    }

    pub fn pop_front(&mut self) -> Option<T> {
        let item = self.items.get(self.gone).copied()?;
        self.gone += 1;
        if self.gone == self.items.len() {
            self.items.clear();
            self.gone = 0;
        }
        Some(item)
    }

    /// Makes room at the back out of the room at the front, where that is worth the moving.
    fn tidy(&mut self) {
        let few = self.items.len() <= 16;
        if self.gone > 0 && (few || self.gone * 2 >= self.items.len()) {
            self.items.drain(..self.gone);
            self.gone = 0;
            if self.items.len() * 4 <= self.items.capacity() {
                self.items.shrink_to_fit();
            }
        }
    }

    /// How many entries come before the position.
    pub fn before(&self, position: Position) -> usize {
        let items = self.as_slice();
        let is_before = |place: usize| items.get(place).is_some_and(|item| item.at() < position);
        // Most windows start near one of the ends, of which less is far apart in memory.
        let (mut from, mut to, mut step) = (0, items.len(), 1);
        while step * 4 < items.len() {
            if !is_before(step) {
                to = step;
                break;
            }
            if is_before(items.len() - step) {
                from = items.len() - step;
                break;
            }
            (from, to, step) = (step, items.len() - step, step * 2);
        }
        from + items.get(from..to).unwrap_or_default().partition_point(|item| item.at() < position)
    }

    /// The places from the first entry in reach to the one after the last.
    pub fn range(&self, reach: &Reach) -> std::ops::Range<usize> {
        let to = match self.last() {
            Some(newest) if newest.at() >= reach.end => self.before(reach.end),
            Some(_) | None => self.len(),
        };
        self.before(reach.start).min(to)..to
    }

    /// The entries in reach.
    pub fn within(&self, reach: &Reach) -> &[T] {
        self.as_slice().get(self.range(reach)).unwrap_or_default()
    }

    /// What it takes beyond its own size, in bytes.
    pub fn heap(&self) -> usize {
        self.items.capacity() * size_of::<T>()
    }
}

/// Makes room for one more, and for half as many as there are: of most keys there are many, and little is kept under each.
pub(super) fn grow<T>(items: &mut Vec<T>) {
    if items.len() == items.capacity() {
        items.reserve_exact((items.len() / 2).max(4));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_sorted_list(steps in prop::collection::vec((0_i64..60, prop::bool::weighted(0.45)), 0..400)) {
            let (mut queue, mut list) = (Queue::<Position>::default(), Vec::new());
            for (seq, (at, pop)) in steps.into_iter().enumerate() {
                if pop {
                    prop_assert_eq!(queue.pop_front(), (!list.is_empty()).then(|| list.remove(0)));
                } else {
                    let position = Position { at: at + seq as i64 / 4, seq: seq as u64 };
                    list.push(position);
                    list.sort();
                    let after = list.iter().filter(|other| **other > position).copied().collect::<Vec<_>>();
                    prop_assert_eq!(&*queue.insert(position), &after[..]);
                }
                prop_assert_eq!(queue.as_slice(), &list[..]);
                let reach = &Reach { start: Position::opening(at), end: Position::opening(at + 9) };
                let within: Vec<Position> = list.iter().copied().filter(|at| reach.contains(*at)).collect();
                prop_assert_eq!(queue.within(reach), &within[..]);
                prop_assert_eq!((queue.first(), queue.last(), queue.len()), (list.first(), list.last(), list.len()));
            }
        }

        #[test]
        fn it_takes_no_more_than_it_needs(lengths in prop::collection::vec(1_usize..500, 1..8)) {
            let mut queue = Queue::<Position>::default();
            let mut seq = 0;
            for length in lengths {
                for _ in 0..3_000 {
                    seq += 1;
                    queue.insert(Position { at: seq as i64, seq });
                    while queue.len() > length {
                        queue.pop_front();
                    }
                }
                prop_assert!(queue.heap() <= 16 * size_of::<Position>() * length.max(4), "{} {length}", queue.heap());
            }
        }
    }
}
