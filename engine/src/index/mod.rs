//! Which rules may hold: bitsets over rules, by classes of values.
//!
//! A rule's condition is a conjunction of tests, and a test is about one *feature* (a field, a fact, an answer of
//! history, a list's answer), or else it is a feature of its own with three values. The constants of all tests about a
//! feature cut its values into classes; each class has a row with a bit for every rule that it does not refuse. An
//! event is in one class of each feature, so the rules that may hold are the conjunction of a few rows.
//!
//! Unknown costs nothing: to be absent, to be unknown and to be of another currency are classes too. A class in which
//! some test can be neither told true nor false has a second row with the rules whose tests it settles. Evidence that
//! lies across two classes is left to the condition itself, for the rules that all else lets through.
//!
//! Rules that share a selective test stand together, so that an event looks only at chunks of rules that its own values
//! admit. In reading order: what is read and how a test is told in a class (`feature`), from a value to its class
//! (`partition`, `number`), from rules to the index (`build`, `order`), from an event to rules (here).

mod build;
mod feature;
mod number;
mod order;
mod partition;

use smallvec::SmallVec;

use self::feature::Feature;
pub(crate) use self::number::{Numbering, SEE_VALUE};
use crate::{evaluate::Scene, program::Weight};

/// Rules in one word.
const BITS: usize = 64;
/// Words in one chunk, a cache line: looked at together. An index of a single word has no chunks.
const LANES: usize = 8;

/// Of more features than this, those that refuse least count as dear.
const MOST_CHEAP: usize = 48;

/// An index over the rules of some policies.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Those that are cheap to look at first, the most refusing before the others.
    features: Vec<Feature>,
    /// By feature: how its noted number finds its rows.
    quick: Vec<Quick>,
    /// The rows of neighbouring numbers, feature by feature.
    direct: Vec<Rows>,
    /// How many features are cheap.
    cheap: usize,
    chunks: Vec<Chunk>,
    segments: Vec<Segment>,
    /// Rows of bits, each of `stride` words. The first is all ones, the second all zeros.
    table: Vec<u64>,
    stride: usize,
    /// By position in the words.
    rules: Vec<Place>,
}

/// Where a rule stands in the program, and what it weighs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Among the policies that were indexed.
    pub policy: u16,
    /// In the file of its policy.
    pub position: u32,
    /// Whether its condition is all there is to it: no dates, no rollout, no script.
    pub plain: bool,
    pub weight: Weight,
}

/// Rules that are looked at together.
#[derive(Debug)]
struct Chunk {
    /// Which bits are rules.
    full: [u64; LANES],
    /// The features that its rules test, and which of its rules do: all in an index of one word, else the dear ones.
    tests: Vec<(usize, [u64; LANES])>,
}

/// Rules that stand together because they all test one cheap feature, which refuses most of them.
#[derive(Debug)]
struct Segment {
    feature: usize,
    /// By class of the feature: the chunks with a rule that it does not refuse, as bits.
    visit: Vec<u64>,
}

/// Where the rows of a class are: the rules it does not refuse and, behind them if it leaves some undecided, those it
/// admits for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rows(u32);

impl Rows {
    /// What lies across several classes: refused by none of them and settled by none.
    const ACROSS: Rows = Rows(1);

    fn new(start: usize, unsettled: bool) -> Rows {
        Rows(u32::try_from(start).unwrap_or(0) << 1 | u32::from(unsettled))
    }

    fn may(self) -> usize {
        self.0 as usize >> 1
    }

    fn unsettled(self) -> bool {
        self.0 & 1 != 0
    }

    fn sure(self, stride: usize) -> usize {
        if self.unsettled() { self.may() + stride } else { self.may() }
    }
}

/// A field whose number finds its rows in a table: the first stands for all lower ones, the last for all higher ones.
#[derive(Clone, Copy, Debug, Default)]
struct Quick {
    low: i64,
    /// Where the field's number is noted.
    noted: u32,
    /// In `direct`.
    start: u32,
    /// The last place of the table; zero if there is no table.
    last: u32,
}

/// How a rule's indexed tests came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// All hold.
    True,
    /// None fails, and some cannot be told.
    Unknown,
    /// None fails; some lie across classes, and only the condition itself can tell.
    Across,
}

impl Index {
    /// Every rule whose condition holds or cannot be told; tests with a script are left out of consideration, so that a
    /// rule with one is found if everything else lets it through.
    #[inline]
    pub fn search(&self, scene: &Scene<'_>, mut found: impl FnMut(&Place, Told)) {
        match self.stride {
            0 => {}
            1 => self.search_word(scene, &mut found),
            _ => self.search_chunks(scene, &mut found),
        }
    }

    /// Up to 64 rules: a feature is looked at only if a rule that is left tests it.
    fn search_word(&self, scene: &Scene<'_>, found: &mut impl FnMut(&Place, Told)) {
        let Some(chunk) = self.chunks.first() else { return };
        let [mut may, ..] = chunk.full;
        let (mut unsettled, mut across) = (false, false);
        for (feature, [rules, ..]) in &chunk.tests {
            if may & rules == 0 {
                continue;
            }
            let rows = self.rows(*feature, scene);
            unsettled |= rows.unsettled();
            across |= rows == Rows::ACROSS;
            may &= self.word(rows.may());
            if may == 0 {
                return;
            }
        }
        let mut sure = may;
        if unsettled {
            for (feature, _) in chunk.tests.iter().filter(|(_, [rules, ..])| may & rules != 0) {
                sure &= self.word(self.rows(*feature, scene).sure(1));
            }
        }
        self.tell(0, may, sure, across, found);
    }

    /// More rules: the cheap features are looked at once, without a branch between them.
    fn search_chunks(&self, scene: &Scene<'_>, found: &mut impl FnMut(&Place, Told)) {
        let mut visit = u64::MAX;
        let mut kept = [Rows::ACROSS; MOST_CHEAP];
        let cheap = kept.get_mut(..self.cheap).unwrap_or_default();
        for (feature, rows) in cheap.iter_mut().enumerate() {
            *rows = self.rows(feature, scene);
        }
        if !self.segments.is_empty() {
            visit = self.segments.iter().fold(0, |visit, segment| visit | self.visit(segment, scene));
        }
        let settled = !cheap.iter().any(|rows| rows.unsettled());
        let cheap_across = !settled && cheap.contains(&Rows::ACROSS);
        for (number, chunk) in self.chunks.iter().enumerate() {
            if visit & 1 << (number % BITS) == 0 {
                continue;
            }
            let first = number * LANES;
            let mut may = chunk.full;
            for rows in cheap.iter() {
                may = narrowed(may, self.chunk(rows.may() + first));
            }
            if !common(&may, &[u64::MAX; LANES]) {
                continue;
            }
            let (mut unsettled, mut across) = (!settled, cheap_across);
            let mut dear: SmallVec<[Rows; 8]> = SmallVec::new();
            for (feature, rules) in &chunk.tests {
                if !common(&may, rules) {
                    continue;
                }
                let rows = self.rows(*feature, scene);
                unsettled |= rows.unsettled();
                across |= rows == Rows::ACROSS;
                may = narrowed(may, self.chunk(rows.may() + first));
                dear.push(rows);
            }
            let mut sure = may;
            if unsettled {
                for rows in cheap.iter().chain(&dear) {
                    sure = narrowed(sure, self.chunk(rows.sure(self.stride) + first));
                }
            }
            for (lane, (may, sure)) in may.into_iter().zip(sure).enumerate() {
                self.tell(first + lane, may, sure, across, found);
            }
        }
    }

    #[inline]
    fn chunk(&self, start: usize) -> &[u64; LANES] {
        self.table.get(start..).and_then(|rest| rest.first_chunk()).unwrap_or(&[u64::MAX; LANES])
    }

    #[inline]
    fn word(&self, start: usize) -> u64 {
        self.table.get(start).copied().unwrap_or(u64::MAX)
    }

    #[inline]
    fn rows(&self, feature: usize, scene: &Scene<'_>) -> Rows {
        if let Some(quick) = self.quick.get(feature).filter(|quick| quick.last != 0) {
            let number = scene.located.event.fields.number(quick.noted as usize);
            if number != SEE_VALUE {
                // The difference of two signed numbers always fits an unsigned one.
                let above = number.max(quick.low).wrapping_sub(quick.low) as u64;
                let place = quick.start as usize + above.min(u64::from(quick.last)) as usize;
                return self.direct.get(place).copied().unwrap_or(Rows::ACROSS);
            }
        }
        self.features.get(feature).map_or(Rows::ACROSS, |feature| feature.rows(scene))
    }

    fn visit(&self, segment: &Segment, scene: &Scene<'_>) -> u64 {
        let class = self.features.get(segment.feature).and_then(|feature| feature.class(scene));
        class.and_then(|class| segment.visit.get(usize::from(class))).copied().unwrap_or(u64::MAX)
    }

    #[inline]
    fn tell(&self, word: usize, mut may: u64, sure: u64, across: bool, found: &mut impl FnMut(&Place, Told)) {
        while may != 0 {
            let bit = may & may.wrapping_neg();
            may ^= bit;
            let told = match (sure & bit != 0, across) {
                (true, _) => Told::True,
                (false, true) => Told::Across,
                (false, false) => Told::Unknown,
            };
            if let Some(place) = self.rules.get(word * BITS + bit.trailing_zeros() as usize) {
                found(place, told);
            }
        }
    }
}

/// Whether two sets of rules have one in common.
#[inline]
fn common(a: &[u64; LANES], b: &[u64; LANES]) -> bool {
    a.iter().zip(b).fold(0, |common, (a, b)| common | a & b) != 0
}

/// The rules of both.
#[inline]
fn narrowed(a: [u64; LANES], b: &[u64; LANES]) -> [u64; LANES] {
    let [a0, a1, a2, a3, a4, a5, a6, a7] = a;
    let [b0, b1, b2, b3, b4, b5, b6, b7] = b;
    [a0 & b0, a1 & b1, a2 & b2, a3 & b3, a4 & b4, a5 & b5, a6 & b6, a7 & b7]
}
