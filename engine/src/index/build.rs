//! From rules to the index.

use std::collections::{BTreeMap, HashMap};

use super::{
    BITS, Index, MOST_CHEAP, Numbering, Place, Rows, Word,
    feature::{Feature, Point, Prepared, Source, source_of, takes_intervals},
    line::Line,
    order::{Candidate, arrange},
    partition::{Domain, Partition},
};
use crate::{
    evaluate::{Lead, runs_script},
    ir::{Ask, Atom, Cond},
    program::{AnswerKind, Mode, Policy, Rule, Weight},
    tri::Tri,
};

/// Rows of one feature may take this many words; tests of a feature with more are asked one by one.
const MOST_WORDS: usize = 1 << 22;
/// More classes than this are not told apart.
const MOST_CLASSES: usize = 60_000;

/// A test that one or more rules make.
struct Draft<'a> {
    cond: Cond,
    asks: Vec<&'a Ask>,
    /// The rules that make it, by their number.
    rules: Vec<usize>,
}

/// A feature and the tests about it.
struct Topic {
    source: Source,
    domain: Domain,
    tests: Vec<usize>,
    prepared: Vec<Prepared>,
}

impl Index {
    /// The index over all rules of these policies that are not switched off. Where `rates` bring currencies together, what
    /// an amount is in another one changes from day to day, so that tests of amounts are left to the conditions.
    pub fn new(policies: &[&Policy], atoms: &[Atom], numbering: &Numbering, rates: bool) -> Index {
        let (places, drafts) = tests_of(policies, atoms);
        let words = places.len().div_ceil(BITS);
        let mut topics = topics(&drafts, atoms, words, rates);
        let worth = |topic: &Topic| -> f64 {
            let of = |(test, prepared): (&usize, &Prepared)| {
                let rules = drafts.get(*test).map_or(0, |draft| draft.rules.len());
                rules as f64 * (1.0 - selectivity(topic, prepared).0)
            };
            topic.tests.iter().zip(&topic.prepared).map(of).sum()
        };
        topics.sort_by_cached_key(|topic| (!topic.source.is_cheap(), std::cmp::Reverse((1e3 * worth(topic)) as u64)));
        let mut candidates: Vec<Candidate> = vec![Candidate::default(); places.len()];
        for (number, topic) in topics.iter().enumerate() {
            for (test, prepared) in topic.tests.iter().zip(&topic.prepared) {
                let (share, first) = selectivity(topic, prepared);
                for rule in drafts.get(*test).into_iter().flat_map(|draft| &draft.rules) {
                    if let Some(candidate) = candidates.get_mut(*rule) {
                        candidate.test(number, share, first);
                    }
                }
            }
        }
        let cheap = topics.iter().filter(|topic| topic.source.is_cheap()).count().min(MOST_CHEAP);
        let order = arrange(&candidates, cheap);
        let mut position_of = vec![0; places.len()];
        for (position, rule) in order.iter().enumerate() {
            if let Some(place) = position_of.get_mut(*rule) {
                *place = position;
            }
        }
        let mut index = Index {
            rules: order.iter().filter_map(|rule| places.get(*rule).copied()).collect(),
            stride: words.div_ceil(Line::WORDS),
            cheap,
            ..Index::default()
        };
        let mut all = vec![0; words];
        (0..places.len()).for_each(|position| set(&mut all, position));
        // As words while they grow: memory for lines is aligned, and growing that is dear.
        let mut rows = Vec::new();
        add_row(&mut rows, &all);
        add_row(&mut rows, &vec![0; words]);
        for topic in topics {
            index.feature(topic, &drafts, &position_of, numbering, &mut rows);
        }
        index.lines = rows.chunks(Line::WORDS).map(Line::of).collect();
        let ordered = order.iter().filter_map(|rule| candidates.get(*rule));
        index.words(&ordered.collect::<Vec<_>>());
        index
    }

    /// Adds a feature with a row for each of its classes.
    fn feature(
        &mut self,
        topic: Topic,
        drafts: &[Draft<'_>],
        position_of: &[usize],
        numbering: &Numbering,
        table: &mut Vec<u64>,
    ) {
        let width = position_of.len().div_ceil(BITS);
        let bits: Vec<Vec<usize>> = topic
            .tests
            .iter()
            .filter_map(|test| drafts.get(*test))
            .map(|draft| draft.rules.iter().filter_map(|rule| position_of.get(*rule).copied()).collect())
            .collect();
        let row = |point: Point| {
            let (mut may, mut sure) = (vec![u64::MAX; width], vec![u64::MAX; width]);
            for (prepared, bits) in topic.prepared.iter().zip(&bits) {
                match prepared.told(point) {
                    Tri::True => {}
                    Tri::Unknown => clear(&mut sure, bits),
                    Tri::False => {
                        clear(&mut sure, bits);
                        clear(&mut may, bits);
                    }
                }
            }
            (may, sure)
        };
        let asks = || topic.tests.iter().filter_map(|test| drafts.get(*test)).flat_map(|draft| &draft.asks);
        let exact = asks().any(|ask| !takes_intervals(ask));
        let mut rows: Vec<Rows> = Vec::new();
        for point in [Point::Absent, Point::Unknown, Point::Odd] {
            let row = row(point);
            rows.push(rows_of(table, row));
        }
        let partition = match &topic.source {
            Source::Cond(_) | Source::List(_) => {
                for truth in [Point::At(1), Point::At(3)] {
                    let row = row(truth);
                    rows.push(rows_of(table, row));
                }
                match (&topic.source, topic.tests.first().and_then(|test| drafts.get(*test))) {
                    (Source::Cond(_), Some(draft)) => Partition::Condition(draft.cond.clone()),
                    (_, _) => Partition::Answer,
                }
            }
            Source::Field(_)
            | Source::Signal(_)
            | Source::Window(_)
            | Source::Seen(_)
            | Source::Distance(..)
            | Source::Speed(..) => {
                let mut known: HashMap<(Vec<u64>, Vec<u64>), u16> = HashMap::new();
                let mut classes = Vec::with_capacity(topic.domain.len());
                for position in 0..topic.domain.len() {
                    let row = row(Point::At(position));
                    let class = match known.get(&row) {
                        Some(class) => *class,
                        None => {
                            let class = u16::try_from(rows.len()).unwrap_or(u16::MAX);
                            rows.push(rows_of(table, row.clone()));
                            known.insert(row, class);
                            class
                        }
                    };
                    classes.push(class);
                }
                Partition::new(topic.domain, classes)
            }
        };
        self.quick.add(&topic.source, &partition, &rows, numbering);
        self.features.push(Feature { source: topic.source, partition, exact, classes: rows.into() });
    }

    /// The words, each with the features it looks at only on behalf of some rules.
    fn words(&mut self, ordered: &[&Candidate]) {
        let first = if ordered.len() <= BITS { 0 } else { self.cheap };
        for rules in ordered.chunks(BITS) {
            let mut tests: BTreeMap<usize, u64> = BTreeMap::new();
            for (position, candidate) in rules.iter().enumerate() {
                for (feature, ..) in candidate.tests.iter().filter(|(feature, ..)| *feature >= first) {
                    *tests.entry(*feature).or_default() |= 1 << position;
                }
            }
            // Features are numbered by what they cost and refuse.
            self.words.push(Word { tests: tests.into_iter().collect() });
        }
    }
}

/// Adds the rows of a class.
fn rows_of(table: &mut Vec<u64>, (may, sure): (Vec<u64>, Vec<u64>)) -> Rows {
    let start = table.len() / Line::WORDS;
    add_row(table, &may);
    if may != sure {
        add_row(table, &sure);
    }
    Rows::new(start, may != sure)
}

/// Adds a row of whole lines.
fn add_row(table: &mut Vec<u64>, words: &[u64]) {
    table.extend_from_slice(words);
    table.resize(table.len().next_multiple_of(Line::WORDS), 0);
}

fn set(row: &mut [u64], position: usize) {
    if let Some(word) = row.get_mut(position / BITS) {
        *word |= 1 << (position % BITS);
    }
}

fn clear(row: &mut [u64], bits: &[usize]) {
    for bit in bits {
        if let Some(word) = row.get_mut(bit / BITS) {
            *word &= !(1 << (bit % BITS));
        }
    }
}

/// The rules that can match at all, and the tests they make, each test once.
fn tests_of<'a>(policies: &[&Policy], atoms: &'a [Atom]) -> (Vec<Place>, Vec<Draft<'a>>) {
    let mut places = Vec::new();
    let mut drafts: Vec<Draft<'a>> = Vec::new();
    let mut known: HashMap<Key, usize> = HashMap::new();
    for (policy_number, policy) in policies.iter().enumerate() {
        for (rule_number, rule) in policy.rules.iter().enumerate() {
            let mut conjuncts = Vec::new();
            flatten(&rule.cond, false, &mut conjuncts);
            let never = conjuncts.iter().any(|cond| matches!(cond, Cond::Const(Tri::False)));
            if rule.mode == Mode::Off || never {
                continue;
            }
            let number = places.len();
            places.push(place(policy_number, rule_number, rule));
            for cond in conjuncts {
                if matches!(cond, Cond::Const(Tri::True)) || runs_script(atoms, &cond) {
                    continue;
                }
                let test = *known.entry(Key::of(&cond)).or_insert_with(|| {
                    let mut asks = Vec::new();
                    collect(&cond, atoms, &mut asks);
                    drafts.push(Draft { cond, asks, rules: Vec::new() });
                    drafts.len() - 1
                });
                if let Some(draft) = drafts.get_mut(test)
                    && draft.rules.last() != Some(&number)
                {
                    draft.rules.push(number);
                }
            }
        }
    }
    (places, drafts)
}

fn place(policy: usize, position: usize, rule: &Rule) -> Place {
    let position = u32::try_from(position).unwrap_or(u32::MAX);
    let timeless = rule.from.is_none() && rule.until.is_none() && rule.rollout.is_none() && !rule.scripted;
    let outcome = match Weight::of(rule).kind {
        AnswerKind::Outcome(outcome) if timeless && rule.mode == Mode::Live => Some(outcome),
        AnswerKind::Outcome(_) | AnswerKind::Exempt | AnswerKind::Score | AnswerKind::Nothing => None,
    };
    Place {
        policy: u16::try_from(policy).unwrap_or(u16::MAX),
        position,
        plain: outcome.is_some(),
        lead: outcome.map(|outcome| Lead::new(outcome, rule.rank, position)).unwrap_or_default(),
    }
}

/// What makes two tests the same.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Atom(usize),
    NotAtom(usize),
    Other(String),
}

impl Key {
    fn of(cond: &Cond) -> Key {
        match cond {
            Cond::Atom(atom) => Key::Atom(*atom),
            Cond::Not(inner) => match &**inner {
                Cond::Atom(atom) => Key::NotAtom(*atom),
                _ => Key::Other(format!("{cond:?}")),
            },
            Cond::Const(_) | Cond::All(_) | Cond::Any(_) => Key::Other(format!("{cond:?}")),
        }
    }
}

/// The parts all of which must hold. De Morgan's laws hold, so `not (a or b)` is two parts.
fn flatten(cond: &Cond, negated: bool, conjuncts: &mut Vec<Cond>) {
    match (cond, negated) {
        (Cond::All(parts), false) | (Cond::Any(parts), true) => {
            parts.iter().for_each(|part| flatten(part, negated, conjuncts));
        }
        (Cond::Not(inner), _) => flatten(inner, !negated, conjuncts),
        (Cond::Const(tri), true) => conjuncts.push(Cond::Const(tri.not())),
        (other, true) => conjuncts.push(Cond::Not(Box::new(other.clone()))),
        (other, false) => conjuncts.push(other.clone()),
    }
}

fn collect<'a>(cond: &Cond, atoms: &'a [Atom], asks: &mut Vec<&'a Ask>) {
    match cond {
        Cond::Const(_) => {}
        Cond::Not(inner) => collect(inner, atoms, asks),
        Cond::All(parts) | Cond::Any(parts) => parts.iter().for_each(|part| collect(part, atoms, asks)),
        Cond::Atom(atom) => asks.extend(atoms.get(*atom).map(|atom| &atom.ask)),
    }
}

/// Tests by what they are about. A test about several things is about its own condition.
fn topics(drafts: &[Draft<'_>], atoms: &[Atom], width: usize, rates: bool) -> Vec<Topic> {
    let mut sources: Vec<(Source, Vec<usize>)> = Vec::new();
    let mut number_of: HashMap<Source, usize> = HashMap::new();
    let mut alone: Vec<usize> = Vec::new();
    for (test, draft) in drafts.iter().enumerate() {
        let mut about = draft.asks.iter().map(|ask| source_of(ask));
        let first = about.next().flatten();
        match first.filter(|first| about.all(|other| other.as_ref() == Some(first))) {
            Some(source) => {
                let number = *number_of.entry(source.clone()).or_insert_with(|| {
                    sources.push((source, Vec::new()));
                    sources.len() - 1
                });
                sources.get_mut(number).into_iter().for_each(|(_, tests)| tests.push(test));
            }
            None => alone.push(test),
        }
    }
    let mut topics = Vec::new();
    for (source, tests) in sources {
        let asks = tests.iter().filter_map(|test| drafts.get(*test)).flat_map(|draft| draft.asks.iter().copied());
        let domain = Domain::of(asks)
            .filter(|domain| !(rates && domain.is_money()))
            .filter(|domain| domain.len() <= MOST_CLASSES && domain.len().saturating_mul(width) <= MOST_WORDS);
        let Some(domain) = domain else {
            alone.extend(tests);
            continue;
        };
        let prepared = tests
            .iter()
            .filter_map(|test| drafts.get(*test))
            .map(|draft| Prepared::new(&draft.cond, atoms, &domain))
            .collect();
        topics.push(Topic { source, domain, tests, prepared });
    }
    for test in alone {
        let source = Source::Cond(test);
        topics.push(Topic { source, domain: Domain::Alike, tests: vec![test], prepared: vec![Prepared::truth()] });
    }
    topics
}

/// About which share of events a test lets through, and the first position that it does.
fn selectivity(topic: &Topic, prepared: &Prepared) -> (f64, usize) {
    match topic.source {
        // Nothing is known about it, and asking it is dear.
        Source::Cond(_) => return (0.5, 0),
        Source::List(_) => return (if prepared.told(Point::At(3)).is_true() { 0.1 } else { 0.9 }, 0),
        Source::Field(_)
        | Source::Signal(_)
        | Source::Window(_)
        | Source::Seen(_)
        | Source::Distance(..)
        | Source::Speed(..) => {}
    }
    let positions = topic.domain.positions();
    let admitted = || positions.iter().filter(|position| prepared.told(Point::At(**position)).is_true());
    let share = admitted().count() as f64 / positions.len().max(1) as f64;
    (if positions.is_empty() { 0.5 } else { share }, admitted().next().copied().unwrap_or(0))
}
