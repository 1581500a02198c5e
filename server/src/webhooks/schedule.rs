//! When to try again.

use std::time::Duration;

use crate::random::Random;

/// The pause after the first failure, before jitter.
const FIRST: Duration = Duration::from_secs(5);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// The pause after so many failed attempts: doubling, and then a random part of its second half, so that what failed
/// together does not come back together.
pub fn pause(failed: u32, random: &Random) -> Duration {
    let doubled = FIRST.saturating_mul(1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX));
    let whole = doubled.min(LONGEST);
    let share = u32::from_be_bytes(random.bytes());
    whole / 2 + (whole / 2).mul_f64(f64::from(share) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_six_hours_and_differ() {
        let random = Random::seeded(7);
        for (failed, whole_s) in [(1, 5), (2, 10), (3, 20), (10, 2_560), (13, 20_480), (14, 21_600), (80, 21_600)] {
            let whole = Duration::from_secs(whole_s);
            for _ in 0..20 {
                let pause = pause(failed, &random);
                assert!(pause >= whole / 2 && pause <= whole, "{failed}: {pause:?} of {whole:?}");
            }
        }
        assert_ne!(pause(5, &random), pause(5, &random));
    }
}
