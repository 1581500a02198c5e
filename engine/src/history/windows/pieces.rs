//! Memory in pieces of many sizes, found by a number half as long as an address.

/// Words of which a slab has about so many.
const SLAB: usize = 65_536;
/// Bits of a number that say which piece of its size it is.
const PLACE_BITS: u32 = 26;

/// Pieces of words. Those that are given back are used again, by others of their size.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    sizes: Vec<Size>,
}

/// One piece: its size, and which one of them it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece(pub u32);

/// All pieces of a size, a power of two of them in a slab.
#[derive(Clone, Debug)]
struct Size {
    words: usize,
    shift: u32,
    /// Only the first grows; growing moves nothing else.
    slabs: Vec<Vec<u64>>,
    used: u32,
    vacant: Vec<u32>,
}

impl Pieces {
    /// A piece of at least so many words, with anything in them; `None` if there is no room for it.
    pub fn take(&mut self, words: usize) -> Option<Piece> {
        let size = size_for(words)?;
        while self.sizes.len() <= size {
            self.sizes.push(Size::of(self.sizes.len()));
        }
        let number = self.sizes.get_mut(size)?.take()?;
        Some(Piece((size as u32) << PLACE_BITS | number))
    }

    /// A piece of at least so many words that begins as this one does, which is given back; `None` if there is no room.
    pub fn resize(&mut self, piece: Piece, words: usize) -> Option<Piece> {
        let other = self.take(words)?;
        let (from, to) = (piece.size(), other.size());
        if from == to {
            self.give(other);
            return Some(piece);
        }
        if let Ok([from, to]) = self.sizes.get_disjoint_mut([from, to])
            && let (Some(old), Some(new)) = (from.get(piece.number()), to.get_mut(other.number()))
        {
            let both = old.len().min(new.len());
            if let (Some(old), Some(new)) = (old.get(..both), new.get_mut(..both)) {
                new.copy_from_slice(old);
            }
        }
        self.give(piece);
        Some(other)
    }

    /// Gives a piece back.
    pub fn give(&mut self, piece: Piece) {
        if let Some(size) = self.sizes.get_mut(piece.size()) {
            size.vacant.push(piece.number());
        }
    }

    #[inline]
    pub fn get(&self, piece: Piece) -> &[u64] {
        self.sizes.get(piece.size()).and_then(|size| size.get(piece.number())).unwrap_or_default()
    }

    #[inline]
    pub fn get_mut(&mut self, piece: Piece) -> &mut [u64] {
        self.sizes.get_mut(piece.size()).and_then(|size| size.get_mut(piece.number())).unwrap_or_default()
    }

    /// The memory taken.
    pub fn bytes(&self) -> usize {
        let of_size = |size: &Size| {
            size.slabs.iter().map(|slab| slab.capacity() * size_of::<u64>()).sum::<usize>()
                + size.vacant.capacity() * size_of::<u32>()
        };
        self.sizes.iter().map(of_size).sum()
    }
}

impl Piece {
    fn size(self) -> usize {
        (self.0 >> PLACE_BITS) as usize
    }

    fn number(self) -> u32 {
        self.0 & !(u32::MAX << PLACE_BITS)
    }
}

impl Size {
    fn of(size: usize) -> Size {
        let words = words_of(size);
        Size { words, shift: (SLAB / words).max(1).ilog2(), slabs: Vec::new(), used: 0, vacant: Vec::new() }
    }

    #[inline]
    fn place(&self, number: u32) -> (usize, usize) {
        let within = number & !(u32::MAX << self.shift);
        ((number >> self.shift) as usize, within as usize * self.words)
    }

    #[inline]
    fn get(&self, number: u32) -> Option<&[u64]> {
        let (slab, from) = self.place(number);
        self.slabs.get(slab)?.get(from..from + self.words)
    }

    #[inline]
    fn get_mut(&mut self, number: u32) -> Option<&mut [u64]> {
        let (slab, from) = self.place(number);
        self.slabs.get_mut(slab)?.get_mut(from..from + self.words)
    }

    fn take(&mut self) -> Option<u32> {
        if let Some(vacant) = self.vacant.pop() {
            return Some(vacant);
        }
        let number = self.used;
        if number >> PLACE_BITS != 0 {
            return None;
        }
        let (slab, from) = self.place(number);
        if self.slabs.len() <= slab {
            self.slabs.push(if slab == 0 { Vec::new() } else { Vec::with_capacity(self.words << self.shift) });
        }
        self.slabs.get_mut(slab)?.resize(from + self.words, 0);
        self.used += 1;
        Some(number)
    }
}

/// Four sizes from each power of two to the next.
fn words_of(size: usize) -> usize {
    (4 + size % 4) << (1 + size / 4)
}

fn size_for(words: usize) -> Option<usize> {
    // The sizes start with eight words.
    let doublings = (words.max(8) - 1).ilog2().saturating_sub(2) as usize;
    let first = doublings.saturating_sub(1) * 4;
    (first..first + 9).find(|size| words_of(*size) >= words).filter(|size| *size < 1 << (u32::BITS - PLACE_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_as_large_as_asked_for_and_little_larger() {
        let sizes: Vec<usize> = (0..9).map(words_of).collect();
        assert_eq!(sizes, [8, 10, 12, 14, 16, 20, 24, 28, 32]);
        for words in (1..2_000).chain([100_000, 400_000]) {
            let size = size_for(words).expect("there is room");
            assert!(words_of(size) >= words && (size == 0 || words_of(size - 1) < words), "{words}");
        }
        assert_eq!(size_for(1 << 20), None);
    }

    #[test]
    fn pieces_do_not_overlap_and_are_used_again() {
        let mut pieces = Pieces::default();
        let taken: Vec<Piece> = (0..5_000).map(|n| pieces.take(8 + n % 70).expect("there is room")).collect();
        for (n, piece) in taken.iter().enumerate() {
            pieces.get_mut(*piece).fill(n as u64);
        }
        for (n, piece) in taken.iter().enumerate() {
            assert!(pieces.get(*piece).len() >= 8 + n % 70);
            assert!(pieces.get(*piece).iter().all(|word| *word == n as u64), "{n}");
        }
        let before = pieces.bytes();
        for piece in &taken {
            pieces.give(*piece);
        }
        assert!((0..5_000).all(|n| pieces.take(8 + n % 70).is_some_and(|piece| taken.contains(&piece))));
        assert!(pieces.bytes() < before + 5_000 * 8);
    }
}
