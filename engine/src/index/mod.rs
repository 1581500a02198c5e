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
//! Rules that share a selective test stand together, and a row begins with a summary: a bit for each of its words that
//! is not empty. The conjunction of the summaries is the words to look at, a few of many. In reading order: what is read and how a test is told in a class (`feature`), from a value to its class
//! (`partition`; `number` and `quick` for fields), from rules to the index (`build`, `order`), from an event to rules (here).

mod build;
mod feature;
mod number;
mod order;
mod partition;
mod quick;

use smallvec::SmallVec;

pub(crate) use self::number::Numbering;
use self::{feature::Feature, quick::Quick};
use crate::evaluate::{Lead, Scene};

/// Rules in one word.
const BITS: usize = 64;
/// Of more features than this, those that refuse least count as dear.
const MOST_CHEAP: usize = 32;

/// An index over the rules of some policies.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Those that are cheap to look at first, the most refusing before the others.
    features: Vec<Feature>,
    /// By feature: how its noted number finds its rows.
    quick: Vec<Quick>,
    /// How many features are cheap.
    cheap: usize,
    /// The words of rules, in order.
    words: Vec<Word>,
    /// Rows of bits, each of `stride` words: first the summary, then the rules. The first row is all rules, the second none.
    table: Vec<u64>,
    /// Words of a row's summary; none in an index of a single word.
    summary: usize,
    stride: usize,
    /// By position in the words.
    rules: Vec<Place>,
}

/// Where a rule stands in the program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Among the policies that were indexed.
    pub policy: u16,
    /// In the file of its policy.
    pub position: u32,
    /// Whether its condition and its outcome are all there is to it: live, no points, no dates, no rollout, no script.
    pub plain: bool,
    /// How it leads if it is plain.
    pub lead: Lead,
}

/// Up to 64 rules.
#[derive(Debug, Default)]
struct Word {
    /// The features that its rules test, and which of its rules do: all in an index of one word, else the dear ones.
    tests: Vec<(usize, u64)>,
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
    pub fn search(&self, scene: &Scene<'_>, found: &mut impl FnMut(&Place, Told)) {
        match self.words.as_slice() {
            [] => {}
            [word] => self.search_word(word, scene, found),
            words => self.search_words(words, scene, found),
        }
    }

    /// Up to 64 rules: a feature is looked at only if a rule that is left tests it.
    fn search_word(&self, word: &Word, scene: &Scene<'_>, found: &mut impl FnMut(&Place, Told)) {
        let mut may = self.row(0);
        let (mut unsettled, mut across) = (false, false);
        for (feature, rules) in &word.tests {
            if may & rules == 0 {
                continue;
            }
            let rows = self.rows(*feature, scene);
            unsettled |= rows.unsettled();
            across |= rows == Rows::ACROSS;
            may &= self.row(rows.may());
            if may == 0 {
                return;
            }
        }
        let mut sure = may;
        if unsettled {
            for (feature, _) in word.tests.iter().filter(|(_, rules)| may & rules != 0) {
                sure &= self.row(self.rows(*feature, scene).sure(self.stride));
            }
        }
        self.tell(0, may, sure, across, found);
    }

    /// More rules: the cheap features are looked at once, without a branch between them.
    fn search_words(&self, words: &[Word], scene: &Scene<'_>, found: &mut impl FnMut(&Place, Told)) {
        let numbers = scene.located.event.fields.numbers();
        let mut kept = [Rows::ACROSS; MOST_CHEAP];
        let mut starts = [0_u32; MOST_CHEAP];
        let mut unsettled_bits = 0;
        let features = self.features.iter().zip(&self.quick).take(self.cheap);
        for ((kept, start), (feature, quick)) in kept.iter_mut().zip(&mut starts).zip(features) {
            let rows = quick.rows(numbers).unwrap_or_else(|| feature.rows(scene));
            (*kept, *start) = (rows, rows.0 >> 1);
            unsettled_bits |= rows.0;
        }
        let cheap = kept.get(..self.cheap).unwrap_or_default();
        let settled = unsettled_bits & 1 == 0;
        let cheap_across = !settled && cheap.contains(&Rows::ACROSS);
        let starts = starts.get(..self.cheap).unwrap_or_default();
        let (first, others) = starts.split_at(starts.len() / 2);
        let narrow = |may: u64, starts: &[u32], place: usize| {
            let table = self.table.get(place..).unwrap_or_default();
            starts.iter().fold(may, |may, start| may & table.get(*start as usize).copied().unwrap_or(u64::MAX))
        };
        for block in 0..self.summary {
            let mut visit = narrow(self.row(block), starts, block);
            while visit != 0 {
                let number = block * BITS + visit.trailing_zeros() as usize;
                visit &= visit - 1;
                let place = self.summary + number;
                // The features that refuse most come first, and one time in two nothing is left behind them.
                let mut may = narrow(self.row(place), first, place);
                if may == 0 {
                    continue;
                }
                may = narrow(may, others, place);
                if may == 0 {
                    continue;
                }
                let tests = words.get(number).map_or(&[][..], |word| &word.tests);
                if settled && tests.is_empty() {
                    self.places(number, may).for_each(|place| found(place, Told::True));
                    continue;
                }
                let (mut unsettled, mut across) = (!settled, cheap_across);
                let mut dear: SmallVec<[Rows; 8]> = SmallVec::new();
                for (feature, rules) in tests {
                    if may & rules != 0 {
                        let rows = self.rows(*feature, scene);
                        unsettled |= rows.unsettled();
                        across |= rows == Rows::ACROSS;
                        may &= self.row(rows.may() + place);
                        dear.push(rows);
                    }
                }
                let mut sure = may;
                if unsettled {
                    let sures = cheap.iter().chain(&dear).map(|rows| self.row(rows.sure(self.stride) + place));
                    sure = sures.fold(may, |sure, row| sure & row);
                }
                self.tell(number, may, sure, across, found);
            }
        }
    }

    /// A word of a row.
    #[inline]
    fn row(&self, place: usize) -> u64 {
        self.table.get(place).copied().unwrap_or(u64::MAX)
    }

    #[inline]
    fn rows(&self, feature: usize, scene: &Scene<'_>) -> Rows {
        let numbers = scene.located.event.fields.numbers();
        let noted = self.quick.get(feature).and_then(|quick| quick.rows(numbers));
        noted.unwrap_or_else(|| self.features.get(feature).map_or(Rows::ACROSS, |feature| feature.rows(scene)))
    }

    #[inline]
    fn tell(&self, word: usize, may: u64, sure: u64, across: bool, found: &mut impl FnMut(&Place, Told)) {
        for place in self.places(word, may & sure) {
            found(place, Told::True);
        }
        if may & !sure != 0 {
            let told = if across { Told::Across } else { Told::Unknown };
            self.places(word, may & !sure).for_each(|place| found(place, told));
        }
    }

    /// The rules of a word's bits.
    #[inline]
    fn places(&self, word: usize, mut bits: u64) -> impl Iterator<Item = &Place> {
        std::iter::from_fn(move || {
            let place = self.rules.get(word * BITS + bits.trailing_zeros() as usize).filter(|_| bits != 0);
            bits &= bits.wrapping_sub(1);
            place
        })
    }
}
