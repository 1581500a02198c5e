//! A row's unit: as much as fits the processor's vector registers.

use super::bits;

/// A bit for each of 1,024 rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(align(64))]
pub(super) struct Line([u64; Line::WORDS]);

impl Line {
    pub const WORDS: usize = 16;

    /// Of so many words at most; what is missing is empty.
    pub fn of(words: &[u64]) -> Line {
        let mut line = Line::default();
        line.0.iter_mut().zip(words).for_each(|(to, word)| *to = *word);
        line
    }

    /// What both have.
    #[inline(always)]
    pub fn and(mut self, other: &Line) -> Line {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
        self
    }

    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.0.iter().fold(0, |any, word| any | word) == 0
    }

    #[inline]
    pub fn word(&self, number: usize) -> u64 {
        self.0.get(number).copied().unwrap_or(0)
    }

    /// The words that are not empty, with their places.
    #[inline(always)]
    pub fn filled(&self) -> impl Iterator<Item = (usize, u64)> {
        let filled = self.0.iter().zip(0..).fold(0, |filled, (word, place)| filled | u64::from(*word != 0) << place);
        bits(filled).map(|place| (place, self.word(place)))
    }
}
