//! Means, deviations and percentiles over values of which some are known only to lie in a range, and some perhaps
//! are not there at all. Each answer is an interval that holds for every possibility.

use num_bigint::{BigInt, BigUint};

use super::number::Finer;

/// `count` values, each somewhere in `[lo, hi]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub lo: i128,
    pub hi: i128,
    pub count: u64,
}

impl Cell {
    /// One value, known exactly.
    pub fn point(value: i128) -> Cell {
        Cell { lo: value, hi: value, count: 1 }
    }

    fn end(&self, side: Side) -> (i128, u64) {
        match side {
            Side::Least => (self.lo, self.count),
            Side::Most => (self.hi, self.count),
        }
    }
}

/// The values of a window: those that are certainly in it, and those that may be.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    pub sure: Vec<Cell>,
    pub perhaps: Vec<Cell>,
    /// The exact moments of all certain values, where they are known better than by `sure`, which may then be empty
    /// if no percentile is asked for.
    pub summed: Option<Moments>,
}

/// The least and the most a result can be.
pub(super) type Range = (i128, i128);

impl Sample {
    /// Whether certainly at least one value is there. Without one, the functions below have no answer.
    pub fn certain(&self) -> bool {
        self.summed.as_ref().is_some_and(|moments| moments.count > 0) || self.sure.iter().any(|cell| cell.count > 0)
    }

    /// Whether certainly no value is there.
    pub fn empty(&self) -> bool {
        !self.certain() && self.perhaps.iter().all(|cell| cell.count == 0)
    }

    /// The mean, rounded half to even.
    pub fn mean(&self, finer: Finer) -> Option<Range> {
        if !self.certain() {
            return None;
        }
        Some((rounded(self.furthest_mean(Side::Least)?, finer)?, rounded(self.furthest_mean(Side::Most)?, finer)?))
    }

    /// The most extreme mean, as (sum, count): every certain value, and as many of the others as push it further.
    fn furthest_mean(&self, side: Side) -> Option<(i128, u64)> {
        let (mut sum, mut count) = match &self.summed {
            Some(moments) => (i128::try_from(&moments.sum).ok()?, moments.count),
            None => total(self.sure.iter().map(|cell| cell.end(side)))?,
        };
        let mut others: Vec<(i128, u64)> = self.perhaps.iter().map(|cell| cell.end(side)).collect();
        others.sort_unstable();
        if side == Side::Most {
            others.reverse();
        }
        for (value, times) in others {
            let level = value.checked_mul(i128::from(count))?;
            let helps = match side {
                Side::Least => level < sum,
                Side::Most => level > sum,
            };
            if helps {
                sum = sum.checked_add(value.checked_mul(i128::from(times))?)?;
                count = count.checked_add(times)?;
            }
        }
        Some((sum, count))
    }

    /// The nearest-rank 95th percentile.
    pub fn p95(&self) -> Option<Range> {
        if !self.certain() {
            return None;
        }
        let least = ranked(&self.sure, &self.perhaps, Side::Least)?;
        let most = ranked(&self.sure, &self.perhaps, Side::Most)?;
        Some((least, most))
    }

    /// The standard deviation of the population, rounded half to even. Exact where every value is certain and known;
    /// otherwise between 0 and half the range (no population deviates more).
    pub fn deviation(&self, finer: Finer) -> Option<Range> {
        if !self.certain() {
            return None;
        }
        if self.perhaps.iter().all(|cell| cell.count == 0) {
            let exact = match &self.summed {
                Some(moments) => Some(moments.deviation(finer)?),
                None if self.sure.iter().all(|cell| cell.lo == cell.hi) => {
                    Some(Moments::of(self.sure.iter().map(|cell| (cell.lo, cell.count))).deviation(finer)?)
                }
                None => None,
            };
            if let Some(exact) = exact {
                return Some((exact, exact));
            }
        }
        let cells = || self.sure.iter().chain(&self.perhaps).filter(|cell| cell.count > 0);
        let spread = cells().map(|cell| cell.hi).max()?.checked_sub(cells().map(|cell| cell.lo).min()?)?;
        let widest = spread.checked_mul(finer.factor)?;
        Some((0, widest / 2 + widest % 2))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Least,
    Most,
}

fn total(values: impl Iterator<Item = (i128, u64)>) -> Option<(i128, u64)> {
    let (mut sum, mut count) = (0_i128, 0_u64);
    for (value, times) in values {
        sum = sum.checked_add(value.checked_mul(i128::from(times))?)?;
        count = count.checked_add(times)?;
    }
    Some((sum, count))
}

/// `sum · factor / count`, rounded half to even.
fn rounded((sum, count): (i128, u64), finer: Finer) -> Option<i128> {
    let divisor = i128::from(count);
    let scaled = sum.checked_mul(finer.factor)?;
    let floor = scaled.checked_div_euclid(divisor)?;
    let rest = scaled.checked_rem_euclid(divisor)?;
    let up = match (rest.checked_mul(2)?).cmp(&divisor) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => floor % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    floor.checked_add(i128::from(up))
}

/// Past this many uncertain values the percentile is only said to lie between the least and the greatest.
const MOST_UNCERTAIN: u64 = 256;

/// The most extreme 95th percentile: some number of the most extreme uncertain values are there. For each number of
/// them, taking the most extreme is the worst case, so trying every number finds it.
fn ranked(sure: &[Cell], perhaps: &[Cell], side: Side) -> Option<i128> {
    let mut values: Vec<(i128, u64)> = sure.iter().map(|cell| cell.end(side)).collect();
    let mut others: Vec<(i128, u64)> = perhaps.iter().map(|cell| cell.end(side)).collect();
    values.sort_unstable();
    others.sort_unstable();
    let uncertain = others.iter().try_fold(0_u64, |sum, (_, count)| sum.checked_add(*count))?;
    if side == Side::Most {
        others.reverse();
    }
    let certain = nearest_rank(&values)?;
    if uncertain > MOST_UNCERTAIN {
        let everything = values.iter().chain(&others).map(|(value, _)| *value);
        return match side {
            Side::Least => everything.min(),
            Side::Most => everything.max(),
        };
    }
    let mut worst = certain;
    for (value, count) in others {
        let place = values.partition_point(|(other, _)| *other < value);
        values.insert(place, (value, 0));
        for _ in 0..count {
            if let Some((_, times)) = values.get_mut(place) {
                *times += 1;
            }
            let candidate = nearest_rank(&values)?;
            worst = match side {
                Side::Least => worst.min(candidate),
                Side::Most => worst.max(candidate),
            };
        }
    }
    Some(worst)
}

/// The ⌈0.95·n⌉-th smallest of these sorted (value, count).
fn nearest_rank(sorted: &[(i128, u64)]) -> Option<i128> {
    let total: u128 = sorted.iter().map(|(_, count)| u128::from(*count)).sum();
    let rank = (total * 95).div_ceil(100);
    let mut passed = 0_u128;
    sorted
        .iter()
        .find(|(_, count)| {
            passed += u128::from(*count);
            passed >= rank
        })
        .map(|(value, _)| *value)
}

/// Count, sum and sum of squares, in as many bits as it takes.
#[derive(Clone, Debug, Default)]
pub(super) struct Moments {
    pub count: u64,
    pub sum: BigInt,
    pub squares: BigUint,
}

impl Moments {
    /// The moments of these (value, count).
    pub fn of(values: impl Iterator<Item = (i128, u64)>) -> Moments {
        /// Up to here a million squares add up in 128 bits.
        const SMALL: i128 = 10_i128.pow(15);
        let mut moments = Moments::default();
        let (mut sum, mut squares, mut batch) = (0_i128, 0_u128, 0_u32);
        for (value, count) in values {
            moments.count += count;
            if value.abs() <= SMALL && count == 1 && batch < 1_000_000 {
                sum += value;
                squares += value.unsigned_abs() * value.unsigned_abs();
                batch += 1;
            } else {
                moments.sum += BigInt::from(value) * count;
                moments.squares += BigUint::from(value.unsigned_abs()).pow(2) * count;
            }
        }
        moments.sum += sum;
        moments.squares += squares;
        moments
    }

    pub fn merge(&mut self, other: &Moments) {
        self.count += other.count;
        self.sum += &other.sum;
        self.squares += &other.squares;
    }

    /// The deviation of the population, `sqrt(n·Σx² − (Σx)²) / n`, rounded half to even.
    pub fn deviation(&self, finer: Finer) -> Option<i128> {
        if self.count == 0 {
            return None;
        }
        let n = BigUint::from(self.count);
        let spread = &n * &self.squares - self.sum.magnitude().pow(2);
        let scaled = spread * BigUint::from(finer.factor.unsigned_abs()).pow(2);
        let floor = (&scaled / n.pow(2)).sqrt();
        // Up if sqrt(scaled)/n > floor + 1/2, that is 4·scaled > (2·floor + 1)²·n².
        let half = (&floor * 2_u32 + 1_u32).pow(2) * n.pow(2);
        let up = match (scaled * 4_u32).cmp(&half) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => floor.bit(0),
            std::cmp::Ordering::Greater => true,
        };
        i128::try_from(floor + u32::from(up)).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::history::plan::Unit;

    /// Every way the uncertain values may be there or not.
    fn possibilities(sample: &Sample) -> impl Iterator<Item = Sample> + '_ {
        (0_u32..1 << sample.perhaps.len()).map(|chosen| {
            let extra = sample.perhaps.iter().enumerate().filter(move |(i, _)| chosen >> i & 1 == 1).map(|(_, c)| *c);
            Sample { sure: sample.sure.iter().copied().chain(extra).collect(), ..Sample::default() }
        })
    }

    fn points(values: Vec<i128>) -> Vec<Cell> {
        values.into_iter().map(Cell::point).collect()
    }

    proptest! {
        #[test]
        fn a_mean_and_a_percentile_are_the_tightest_intervals_over_every_possibility(
            sure in prop::collection::vec(-50_i128..50, 1..40),
            perhaps in prop::collection::vec(-60_i128..60, 0..8),
        ) {
            let sample = Sample { sure: points(sure), perhaps: points(perhaps), summed: None };
            let finer = Finer::than(Unit::Int);
            for ask in [|s: &Sample| s.mean(Finer::than(Unit::Int)), Sample::p95 as fn(&Sample) -> Option<Range>] {
                let all: Vec<i128> = possibilities(&sample).map(|s| ask(&s).expect("not empty").0).collect();
                let tightest = (*all.iter().min().expect("one"), *all.iter().max().expect("one"));
                prop_assert_eq!(ask(&sample), Some(tightest));
            }
            let (least, most) = sample.deviation(finer).expect("not empty");
            for possible in possibilities(&sample) {
                let (exact, same) = possible.deviation(finer).expect("not empty");
                prop_assert_eq!(exact, same);
                prop_assert!(least <= exact && exact <= most);
            }
        }

        #[test]
        fn ranges_hold_every_value_they_stand_for(values in prop::collection::vec((-50_i128..50, 0_i128..9, 0_i128..9), 1..30)) {
            let exact = Sample { sure: points(values.iter().map(|v| v.0).collect()), ..Sample::default() };
            let wide = values.iter().map(|(v, a, b)| Cell { lo: v - a, hi: v + b, count: 1 }).collect();
            let wide = Sample { sure: wide, ..Sample::default() };
            let finer = Finer::than(Unit::Duration);
            for (narrow, range) in [(exact.mean(finer), wide.mean(finer)), (exact.p95(), wide.p95()), (exact.deviation(finer), wide.deviation(finer))] {
                let ((value, _), (lo, hi)) = (narrow.expect("not empty"), range.expect("not empty"));
                prop_assert!(lo <= value && value <= hi);
            }
        }
    }

    #[test]
    fn results_are_rounded_half_to_even() {
        let mean = |values: &[i128]| {
            Sample { sure: points(values.to_vec()), ..Sample::default() }.mean(Finer::than(Unit::Duration))
        };
        assert_eq!(mean(&[0, 1]), Some((0, 0)));
        assert_eq!(mean(&[1, 2]), Some((2, 2)));
        assert_eq!(mean(&[-1, 0]), Some((0, 0)));
        assert_eq!(mean(&[-3, -2]), Some((-2, -2)));
        let deviation = |values: &[i128]| {
            Sample { sure: points(values.to_vec()), ..Sample::default() }.deviation(Finer::than(Unit::Int))
        };
        assert_eq!(deviation(&[2, 4, 4, 4, 5, 5, 7, 9]), Some((2_000_000_000, 2_000_000_000)));
        assert_eq!(deviation(&[1, 2]), Some((500_000_000, 500_000_000)));
        assert_eq!(deviation(&[0, 0, 1]), Some((471_404_521, 471_404_521))); // √2/3
    }

    #[test]
    fn the_percentile_is_the_nearest_rank() {
        let p95 = |n: i128| Sample { sure: points((1..=n).collect()), ..Sample::default() }.p95().expect("not empty").0;
        assert_eq!([p95(1), p95(19), p95(20), p95(21), p95(100), p95(1000)], [1, 19, 19, 20, 95, 950]);
    }
}
