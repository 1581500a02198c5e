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
//! Rules that share a selective test stand together, so that the first few rows leave nothing of most lines; a line is what
//! the processor reads and combines at once. In reading order: what is read and how a test is told in a class (`feature`),
//! from a value to its class (`partition`; `number` and `quick` for fields), from rules to the index (`line`, `build`,
//! `order`), from an event to rules (here).

mod build;
mod feature;
mod line;
mod number;
mod order;
mod partition;
mod quick;

use smallvec::SmallVec;

pub(crate) use self::number::Numbering;
use self::{feature::Feature, line::Line, quick::Quick};
use crate::evaluate::{Lead, Scene};

/// Rules in one word.
const BITS: usize = 64;
/// Of more features than this, those that refuse least count as dear.
const MOST_CHEAP: usize = 32;
/// After so many rows, of the features that refuse most, it is asked whether anything is left of a line.
const FIRST_ROWS: usize = 4;

/// An index over the rules of some policies.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Those that are cheap to look at first, the most refusing before the others.
    features: Vec<Feature>,
    /// How the noted numbers of fields find their rows.
    quick: Quick,
    /// How many features are cheap.
    cheap: usize,
    /// The words of rules, in order.
    words: Vec<Word>,
    /// Rows of bits, each of `stride` lines. The first row is all rules, the second none.
    lines: Vec<Line>,
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
    /// What no test refuses.
    const ALL: Rows = Rows(0);
    /// What lies across several classes: refused by none of them and settled by none.
    const ACROSS: Rows = Rows(1);
    /// Not known from the noted number: the value itself must be looked at.
    const SEE_VALUE: Rows = Rows(1 << 31);

    fn new(start: usize, unsettled: bool) -> Rows {
        Rows(u32::try_from(start).unwrap_or(0) << 1 | u32::from(unsettled))
    }

    fn may(self) -> usize {
        self.0 as usize >> 1
    }

    fn unsettled(self) -> bool {
        self.0 & 1 != 0
    }

    fn unseen(self) -> bool {
        self.0 & Rows::SEE_VALUE.0 != 0
    }

    /// What is true of one of them.
    fn or(self, other: Rows) -> Rows {
        Rows(self.0 | other.0)
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
            _ => self.search_words(scene, found),
        }
    }

    /// Up to 64 rules: a feature is looked at only if a rule that is left tests it.
    fn search_word(&self, word: &Word, scene: &Scene<'_>, found: &mut impl FnMut(&Place, Told)) {
        let numbers = scene.located.event.fields.numbers();
        let mut may = self.word(0, 0);
        let (mut unsettled, mut across) = (false, false);
        for (feature, rules) in &word.tests {
            if may & rules == 0 {
                continue;
            }
            let rows = self.rows(*feature, numbers, scene);
            unsettled |= rows.unsettled();
            across |= rows == Rows::ACROSS;
            may &= self.word(rows.may(), 0);
            if may == 0 {
                return;
            }
        }
        let mut sure = may;
        if unsettled {
            for (feature, _) in word.tests.iter().filter(|(_, rules)| may & rules != 0) {
                sure &= self.word(self.rows(*feature, numbers, scene).sure(self.stride), 0);
            }
        }
        self.tell(0, Left { may, sure, across }, found);
    }

    /// More rules: the cheap features are looked at once, without a branch between them.
    fn search_words(&self, scene: &Scene<'_>, found: &mut impl FnMut(&Place, Told)) {
        let mut kept: [Rows; MOST_CHEAP] = self.quick.first_rows(scene.located.event.fields.numbers());
        let cheap = kept.get_mut(..self.cheap).unwrap_or_default();
        let any = |cheap: &[Rows]| cheap.iter().copied().fold(Rows::ALL, Rows::or);
        if any(cheap).unseen() {
            for (rows, feature) in cheap.iter_mut().zip(&self.features).filter(|(rows, _)| rows.unseen()) {
                *rows = feature.rows(scene);
            }
        }
        let (cheap, settled) = (&*cheap, !any(cheap).unsettled());
        let (first, others) = cheap.split_at_checked(FIRST_ROWS).unwrap_or((cheap, &[]));
        for group in 0..self.stride {
            let mut may = self.lines.get(group).copied().unwrap_or_default();
            self.narrow(&mut may, group, first);
            if may.is_empty() {
                continue;
            }
            self.narrow(&mut may, group, others);
            for (place, may) in may.filled() {
                let number = group * Line::WORDS + place;
                let tests = self.words.get(number).map_or(&[][..], |word| &word.tests);
                let left = if settled && tests.is_empty() {
                    Left { may, sure: may, across: false }
                } else {
                    self.look_closer(number, tests, cheap, may, scene)
                };
                self.tell(number, left, found);
            }
        }
    }

    /// Keeps what none of these rows refuses. A function of its own, so that the line stays in vector registers.
    #[inline(never)]
    fn narrow(&self, may: &mut Line, group: usize, rows: &[Rows]) {
        let mut left = *may;
        for rows in rows {
            if let Some(line) = self.lines.get(rows.may() + group) {
                left = left.and(line);
            }
        }
        *may = left;
    }

    /// What dear features leave of a word, and what of it is certain.
    fn look_closer(&self, number: usize, tests: &[(usize, u64)], cheap: &[Rows], may: u64, scene: &Scene<'_>) -> Left {
        let mut left = Left { may, sure: may, across: cheap.contains(&Rows::ACROSS) };
        let mut dear: SmallVec<[Rows; 8]> = SmallVec::new();
        let numbers = scene.located.event.fields.numbers();
        for (feature, rules) in tests {
            if left.may & rules != 0 {
                let rows = self.rows(*feature, numbers, scene);
                left.across |= rows == Rows::ACROSS;
                left.may &= self.word(rows.may(), number);
                dear.push(rows);
            }
        }
        let sures = cheap.iter().chain(&dear).map(|rows| self.word(rows.sure(self.stride), number));
        left.sure = sures.fold(left.may, |sure, row| sure & row);
        left
    }

    /// A word of a row.
    #[inline]
    fn word(&self, row: usize, number: usize) -> u64 {
        self.lines.get(row + number / Line::WORDS).map_or(u64::MAX, |line| line.word(number % Line::WORDS))
    }

    /// The rows of a feature's class. With the event's noted numbers.
    #[inline]
    fn rows(&self, feature: usize, numbers: &[i32], scene: &Scene<'_>) -> Rows {
        match self.quick.rows(feature, numbers) {
            Rows::SEE_VALUE => self.features.get(feature).map_or(Rows::ACROSS, |feature| feature.rows(scene)),
            rows => rows,
        }
    }

    #[inline(always)]
    fn tell(&self, number: usize, left: Left, found: &mut impl FnMut(&Place, Told)) {
        let rules = self.rules.get(number * BITS..).unwrap_or_default();
        for bit in bits(left.may) {
            let told = match (left.sure >> bit & 1 == 1, left.across) {
                (true, _) => Told::True,
                (false, true) => Told::Across,
                (false, false) => Told::Unknown,
            };
            rules.get(bit).into_iter().for_each(|place| found(place, told));
        }
    }
}

/// The rules that are left of a word.
struct Left {
    /// Those that no test refuses.
    may: u64,
    /// Those of them whose tests all hold.
    sure: u64,
    /// Whether evidence lies across classes.
    across: bool,
}

/// The places of a word's bits.
#[inline]
fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = (word != 0).then(|| word.trailing_zeros() as usize);
        word &= word.wrapping_sub(1);
        place
    })
}
