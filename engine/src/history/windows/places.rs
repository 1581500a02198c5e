//! Where keys are: half of each key's hash, and a number.

/// A table in one piece of memory, a word for each key, of which no more than four fifths are taken: to find a key is
/// to look at one place in memory, and nearly always at no more. Keys of one hash may be there many times.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// Hash and number, or zero. A hash of which the upper bits are `n` stands in place `n`, or after it with no gap
    /// between. The length is a power of two.
    words: Vec<u64>,
    taken: usize,
}

/// The smallest table.
const FEWEST: usize = 8;

impl Places {
    /// The first number of this hash that is meant.
    #[inline]
    pub fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut place = self.home(hash);
        loop {
            let word = self.word(place);
            if word == 0 {
                return None;
            }
            if hash_of(word) == hash && is_it(number_of(word)) {
                return Some(number_of(word));
            }
            place = self.after(place);
        }
    }

    /// All numbers of this hash.
    pub fn all(&self, hash: u32) -> impl Iterator<Item = u32> + '_ {
        let mut place = self.home(hash);
        let words = std::iter::from_fn(move || {
            let word = self.word(place);
            place = self.after(place);
            (word != 0).then_some(word)
        });
        words.filter(move |word| hash_of(*word) == hash).map(number_of)
    }

    /// Adds a number, less than the largest there is.
    pub fn insert(&mut self, hash: u32, number: u32) {
        if (self.taken + 1) * 5 > self.words.len() * 4 {
            let larger = vec![0; (self.words.len() * 2).max(FEWEST)];
            let smaller = std::mem::replace(&mut self.words, larger);
            smaller.into_iter().filter(|word| *word != 0).for_each(|word| self.put(word));
        }
        self.put(u64::from(hash) << u32::BITS | (u64::from(number) + 1));
        self.taken += 1;
    }

    fn put(&mut self, word: u64) {
        let mut place = self.home(hash_of(word));
        while self.word(place) != 0 {
            place = self.after(place);
        }
        self.set(place, word);
    }

    /// Gives this one another number.
    pub fn change(&mut self, hash: u32, number: u32, other: u32) {
        if let Some(place) = self.place_of(hash, number) {
            self.set(place, u64::from(hash) << u32::BITS | (u64::from(other) + 1));
        }
    }

    /// Removes this one, and closes the gap.
    pub fn remove(&mut self, hash: u32, number: u32) {
        let Some(mut gap) = self.place_of(hash, number) else { return };
        self.set(gap, 0);
        self.taken -= 1;
        let mut place = self.after(gap);
        loop {
            let word = self.word(place);
            if word == 0 {
                return;
            }
            // It may go back as far as its own place.
            let mask = self.words.len() - 1;
            let from_home = place.wrapping_sub(self.home(hash_of(word))) & mask;
            if from_home >= place.wrapping_sub(gap) & mask {
                self.set(gap, word);
                self.set(place, 0);
                gap = place;
            }
            place = self.after(place);
        }
    }

    fn place_of(&self, hash: u32, number: u32) -> Option<usize> {
        let wanted = u64::from(hash) << u32::BITS | (u64::from(number) + 1);
        let mut place = self.home(hash);
        loop {
            match self.word(place) {
                0 => return None,
                word if word == wanted => return Some(place),
                _ => place = self.after(place),
            }
        }
    }

    /// All numbers.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().filter(|word| **word != 0).map(|word| number_of(*word))
    }

    pub fn len(&self) -> usize {
        self.taken
    }

    /// Forgets all, and keeps the memory.
    pub fn clear(&mut self) {
        self.words.fill(0);
        self.taken = 0;
    }

    pub fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }

    /// Where a hash stands if it can.
    #[inline]
    fn home(&self, hash: u32) -> usize {
        let bits = self.words.len().checked_ilog2().unwrap_or(0);
        (u64::from(hash) << bits >> u32::BITS) as usize
    }

    #[inline]
    fn after(&self, place: usize) -> usize {
        (place + 1) & self.words.len().wrapping_sub(1)
    }

    #[inline]
    fn word(&self, place: usize) -> u64 {
        self.words.get(place).copied().unwrap_or(0)
    }

    #[inline]
    fn set(&mut self, place: usize, word: u64) {
        if let Some(place) = self.words.get_mut(place) {
            *place = word;
        }
    }
}

#[inline]
fn hash_of(word: u64) -> u32 {
    (word >> u32::BITS) as u32
}

#[inline]
fn number_of(word: u64) -> u32 {
    (word as u32).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_list_of_pairs(steps in prop::collection::vec((0_u32..9, 0_u32..3, 0_u32..30), 0..400)) {
            let hashes = [0, 1, 0x2000_0000, 0x2000_0001, 0x7fff_ffff, 0x8000_0000, 0xefff_ffff, 0xf000_0000, u32::MAX];
            let (mut places, mut list) = (Places::default(), BTreeMap::new());
            for (hash, step, number) in steps {
                let hash = hashes[hash as usize];
                match (step, list.remove(&number)) {
                    (_, Some(hash)) if step < 2 => places.remove(hash, number),
                    (_, Some(hash)) => {
                        places.change(hash, number, number + 100);
                        prop_assert_eq!(places.find(hash, |other| other == number), None);
                        places.change(hash, number + 100, number);
                        list.insert(number, hash);
                    }
                    (_, None) => {
                        places.insert(hash, number);
                        list.insert(number, hash);
                    }
                }
                prop_assert_eq!(places.len(), list.len());
                for hash in hashes {
                    let mut found: Vec<u32> = places.all(hash).collect();
                    found.sort_unstable();
                    let expected: Vec<u32> = list.iter().filter(|(_, other)| **other == hash).map(|(number, _)| *number).collect();
                    prop_assert_eq!(&found, &expected);
                    prop_assert_eq!(places.find(hash, |_| true).is_some(), !expected.is_empty());
                }
            }
        }
    }
}
