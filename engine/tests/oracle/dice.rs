//! Throws that a seed repeats, or that a fuzzer chooses.

#![allow(dead_code, reason = "the fuzzer uses its part")]

#[path = "../../../benches/src/dice.rs"]
mod seeded;

/// One sequence of throws.
pub struct Dice {
    /// Throws that are given; the seed's follow.
    given: std::vec::IntoIter<u8>,
    seeded: seeded::Dice,
}

impl Dice {
    /// The sequence of this seed and this case.
    pub fn of(seed: u64, case: u64) -> Dice {
        let mut seeded = seeded::Dice(seed ^ case.wrapping_mul(0xd134_2543_de82_ef95));
        seeded.roll();
        Dice { given: Vec::new().into_iter(), seeded }
    }

    /// A throw for each byte: a fuzzer that changes bytes changes what is thrown.
    pub fn given(bytes: &[u8]) -> Dice {
        Dice { given: Vec::from(bytes).into_iter(), seeded: seeded::Dice(0) }
    }

    pub fn next(&mut self) -> u64 {
        self.given.next().map_or_else(|| self.seeded.roll(), u64::from)
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
