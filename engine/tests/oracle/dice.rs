//! Random numbers that a seed repeats (SplitMix64).

#![allow(dead_code, reason = "the fuzzer uses its part")]

/// One sequence of throws.
pub struct Dice {
    /// Throws that are given; the seed's follow.
    given: std::vec::IntoIter<u8>,
    state: u64,
}

impl Dice {
    /// The sequence of this seed and this case.
    pub fn of(seed: u64, case: u64) -> Dice {
        let state = seed ^ case.wrapping_mul(0xd134_2543_de82_ef95);
        let mut dice = Dice { given: Vec::new().into_iter(), state };
        dice.next();
        dice
    }

    /// A throw for each byte: a fuzzer that changes bytes changes what is thrown.
    pub fn given(bytes: &[u8]) -> Dice {
        Dice { given: Vec::from(bytes).into_iter(), state: 0 }
    }

    pub fn next(&mut self) -> u64 {
        if let Some(byte) = self.given.next() {
            return u64::from(byte);
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 up to and without `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn range(&mut self, from: i64, to: i64) -> i64 {
        from + self.below((to - from) as usize) as i64
    }

    /// Once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}
