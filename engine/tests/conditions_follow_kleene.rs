//! Kleene's logic, held by compiled programs: random conditions over optional facts, some of them absent and some that
//! a look-up failed to find. What a rule says follows from what its atoms say, by the three-valued tables and nothing
//! else; learning more changes nothing that was known; no absence allows; and what is unknown has a name and a cause.

use std::{
    collections::BTreeSet,
    fmt,
    net::IpAddr,
    sync::{Arc, LazyLock},
};

use engine::{
    EventInput, Located, Maybe, NetworkFacts, Outcome, PackSource, Program, Signals, Stream, Trace, UserFacts, Verdict,
    Why, compile, explain, trace::RuleState, value::Country,
};
use proptest::{prelude::*, sample::select, strategy::Union};
use serde_json::Value as Json;

// ---- what can be known about an event

/// Every fact, with the two values it may have.
const FACTS: [(&str, [&str; 2]); 16] = [
    ("n", ["1", "5"]),
    ("m", ["0", "9"]),
    ("k", ["0.5", "2.5"]),
    ("b", ["true", "false"]),
    ("t", ["\"x\"", "\"y\""]),
    ("c", ["\"NZ\"", "\"FR\""]),
    ("a", ["\"10 EUR\"", "\"50 EUR\""]),
    ("p", ["\"20%\"", "\"150%\""]),
    ("d", ["\"1m\"", "\"1h\""]),
    ("w", ["\"2025-12-01T00:00:00Z\"", "\"2026-01-01T00:00:00Z\""]),
    ("device", ["d1", "d2"]),
    ("ip", ["10.0.0.1", "192.0.2.1"]),
    ("ip.tor", ["true", "false"]),
    ("ip.asn", ["1", "2"]),
    ("user.home_country", ["NZ", "FR"]),
    ("user.tz", ["UTC", "Asia/Tokyo"]),
];

/// What is known of one event, fact by fact: one of its two values, or nothing.
#[derive(Clone)]
struct Known([Option<bool>; FACTS.len()]);

impl Known {
    fn value(&self, name: &str) -> Option<&'static str> {
        let (index, (_, values)) = FACTS.iter().enumerate().find(|(_, (other, _))| *other == name).expect("a fact");
        self.0[index].map(|second| values[usize::from(second)])
    }

    /// The same, and what `more` knows beside it.
    fn filled(&self, more: &Known) -> Known {
        let mut filled = self.clone();
        filled.0.iter_mut().zip(more.0).for_each(|(known, more)| *known = known.or(more));
        filled
    }

    /// Nothing but this fact.
    fn only(&self, name: &str) -> Known {
        Known(std::array::from_fn(|index| self.0[index].filter(|_| FACTS[index].0 == name)))
    }

    /// The event, as the engine is told of it.
    fn located(&self, program: &Program, second: i64) -> Located {
        let at = jiff::Timestamp::from_second(1_767_225_600 + second).expect("in the calendar");
        let mut input = EventInput::new("e", "u", at);
        input.device = self.value("device").map(str::to_owned);
        input.ip = self.value("ip").map(|ip| ip.parse::<IpAddr>().expect("an address"));
        for (name, _) in &FACTS[..10] {
            let value = self.value(name).map(|text| serde_json::from_str::<Json>(text).expect("it is JSON"));
            input.custom.extend(value.map(|value| ((*name).to_owned(), value)));
        }
        let found = |name: &str| self.value(name).map_or(Maybe::Unknown(Why::LookupFailed), Maybe::Known);
        let told = |name: &str| self.value(name).map_or(Maybe::Unknown(Why::Absent), Maybe::Known);
        let network = NetworkFacts {
            tor: found("ip.tor").map(|word| word == "true"),
            asn: found("ip.asn").map(|digits| digits.parse().expect("a number")),
            ..NetworkFacts::default()
        };
        let user = UserFacts {
            home_country: told("user.home_country").map(|code| Country::parse(code).expect("a country")),
            tz: told("user.tz").map(Arc::from),
        };
        let event = program.decode(&input).unwrap_or_else(|errors| panic!("{errors:?}"));
        Located::new(Arc::new(event), Maybe::Unknown(Why::Absent), network, user)
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = FACTS.iter().filter_map(|(name, _)| Some((name, self.value(name)?)));
        f.debug_map().entries(known).finish()
    }
}

fn cause(fact: &str) -> Why {
    if matches!(fact, "ip.tor" | "ip.asn") { Why::LookupFailed } else { Why::Absent }
}

fn known(often: f64) -> impl Strategy<Value = Known> {
    prop::array::uniform16(prop::option::weighted(often, any::<bool>())).prop_map(Known)
}

// ---- what can be asked

/// Every atom with the facts it needs; without any of them it is unknown.
const ATOMS: [(&str, &[&str]); 26] = [
    ("b", &["b"]),
    ("b == false", &["b"]),
    ("n > 3", &["n"]),
    ("n == 1", &["n"]),
    ("n != 1", &["n"]),
    ("n in [1, 2]", &["n"]),
    ("n between 0 and 3", &["n"]),
    ("n + m > 4", &["n", "m"]),
    ("n < m", &["n", "m"]),
    ("k * n < 1.5", &["k", "n"]),
    ("t == \"x\"", &["t"]),
    ("t matches \"^x\"", &["t"]),
    ("t not in [\"y\"]", &["t"]),
    ("c == NZ", &["c"]),
    ("c != user.home_country", &["c", "user.home_country"]),
    ("a > 30 EUR", &["a"]),
    ("a * p > 10 EUR", &["a", "p"]),
    ("d >= 5m", &["d"]),
    ("w < now - 1d", &["w"]),
    ("ip in 10.0.0.0/8", &["ip"]),
    ("ip.tor", &["ip.tor"]),
    ("ip.asn == AS1", &["ip.asn"]),
    ("time in 08:00..18:00 tz user.tz", &["user.tz"]),
    ("device == \"d1\"", &["device"]),
    ("count() of e by device over 1h < 2", &["device"]),
    ("times_seen(ip) by user within 90d == 0", &["ip"]),
];
/// And one that past events may leave open.
const OF_THE_PAST: &str = "count() of e where (m > 4) by user over 1h >= 2";

#[derive(Clone)]
enum Tree {
    Atom(usize),
    Not(Box<Tree>),
    All(Vec<Tree>),
    Any(Vec<Tree>),
}

use Tree::{All, Any, Not};

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |parts: &[Tree], word: &str| parts.iter().map(Tree::to_string).collect::<Vec<_>>().join(word);
        match self {
            Tree::Atom(index) => write!(f, "({})", atom(*index)),
            Not(inner) => write!(f, "not {inner}"),
            All(parts) => write!(f, "({})", joined(parts, " and ")),
            Any(parts) => write!(f, "({})", joined(parts, " or ")),
        }
    }
}

fn atom(index: usize) -> &'static str {
    ATOMS.get(index).map_or(OF_THE_PAST, |(text, _)| text)
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Tree {
    /// Kleene's tables: `None` is unknown.
    fn holds(&self, atoms: &[Option<bool>]) -> Option<bool> {
        let settled = |parts: &[Tree], by: bool| {
            let parts: Vec<Option<bool>> = parts.iter().map(|part| part.holds(atoms)).collect();
            if parts.contains(&Some(by)) {
                Some(by)
            } else if parts.contains(&None) {
                None
            } else {
                Some(!by)
            }
        };
        match self {
            Tree::Atom(index) => atoms[*index],
            Not(inner) => inner.holds(atoms).map(|holds| !holds),
            All(parts) => settled(parts, false),
            Any(parts) => settled(parts, true),
        }
    }

    /// The atoms that leave it open.
    fn open(&self, atoms: &[Option<bool>]) -> BTreeSet<usize> {
        if self.holds(atoms).is_some() {
            return BTreeSet::new();
        }
        match self {
            Tree::Atom(index) => BTreeSet::from([*index]),
            Not(inner) => inner.open(atoms),
            All(parts) | Any(parts) => parts.iter().flat_map(|part| part.open(atoms)).collect(),
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = (0..=ATOMS.len()).prop_map(Tree::Atom);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let parts = prop::collection::vec(inner.clone(), 2..4);
        let not = inner.prop_map(|tree| Not(Box::new(tree))).boxed();
        Union::new([not, parts.clone().prop_map(All).boxed(), parts.prop_map(Any).boxed()])
    })
}

// ---- what a program says

const EVENT: &str = "event e { n: int?  m: int?  k: decimal?  b: bool?  t: string?  c: country?  a: money?  p: percent?  \
                     d: duration?  w: timestamp? }\n";

fn program(members: &str, rules: impl IntoIterator<Item = String>) -> Arc<Program> {
    let rules: String = rules.into_iter().collect();
    let source = format!("{EVENT}policy p on e {{ {members}\n{rules}}}\n");
    let compilation = compile(&PackSource::of_rules(&source));
    let drawn = grammar::render_text(&compilation.diagnostics, &compilation.sources, false);
    compilation.program.unwrap_or_else(|| panic!("{drawn}"))
}

fn rule(name: &str, condition: impl fmt::Display) -> String {
    format!("rule {name} {{ when {condition} then nothing }}\n")
}

/// Every atom alone.
static ALONE: LazyLock<Arc<Program>> =
    LazyLock::new(|| program("default allow", (0..=ATOMS.len()).map(|index| rule(&format!("r{index}"), atom(index)))));

/// The last of these events, judged.
fn judged(program: &Arc<Program>, events: &[Known]) -> (Signals, Verdict) {
    let mut stream = Stream::new(Arc::clone(program));
    let mut last = None;
    for (second, event) in (0..).zip(events) {
        last = Some(stream.push(event.located(program, second)));
    }
    last.expect("there is an event")
}

/// Whether a rule matched; `None` if it could not be told.
fn said(verdict: &Verdict, rule: &str) -> Option<bool> {
    let unknown = verdict.unknown.iter().any(|unknown| &*unknown.rule == rule);
    let matched = verdict.rules.iter().any(|hit| &*hit.rule == rule);
    assert!(!(unknown && matched), "{rule} is both");
    (!unknown).then_some(matched)
}

/// What a rule needed and did not get.
fn named(verdict: &Verdict, rule: &str) -> BTreeSet<(String, Why)> {
    let of_rule = verdict.unknown.iter().filter(|unknown| &*unknown.rule == rule);
    of_rule.map(|unknown| (unknown.atom.to_string(), unknown.why)).collect()
}

fn atoms_of(events: &[Known]) -> Vec<Option<bool>> {
    let (_, verdict) = judged(&ALONE, events);
    (0..=ATOMS.len()).map(|index| said(&verdict, &format!("r{index}"))).collect()
}

fn not(tree: &Tree) -> Tree {
    Not(Box::new(tree.clone()))
}

fn events() -> impl Strategy<Value = Vec<Known>> {
    prop::collection::vec(known(0.6), 1..5)
}

proptest! {
    #[test]
    fn the_laws_hold_for_whole_conditions(a in tree(), b in tree(), c in tree(), events in events()) {
        let all = |parts: &[&Tree]| All(parts.iter().map(|part| (*part).clone()).collect());
        let any = |parts: &[&Tree]| Any(parts.iter().map(|part| (*part).clone()).collect());
        let laws = [
            ("de Morgan's, of and", not(&all(&[&a, &b])), any(&[&not(&a), &not(&b)])),
            ("de Morgan's, of or", not(&any(&[&a, &b])), all(&[&not(&a), &not(&b)])),
            ("commutativity of and", all(&[&a, &b]), all(&[&b, &a])),
            ("commutativity of or", any(&[&a, &b]), any(&[&b, &a])),
            ("associativity of and", all(&[&all(&[&a, &b]), &c]), all(&[&a, &all(&[&b, &c])])),
            ("associativity of or", any(&[&any(&[&a, &b]), &c]), any(&[&a, &any(&[&b, &c])])),
            ("double negation", not(&not(&a)), a.clone()),
            ("idempotence", any(&[&a, &a]), all(&[&a, &a])),
        ];
        let sides = laws.iter().enumerate().flat_map(|(index, (_, left, right))| {
            [rule(&format!("left{index}"), left), rule(&format!("right{index}"), right)]
        });
        // What is to be excluded can be said with `unless`, too.
        let unless = format!("rule without {{ when {a} unless {b} then nothing }}\n");
        let program = program("default allow", sides.chain([unless, rule("and_not", all(&[&a, &not(&b)]))]));
        let (_, verdict) = judged(&program, &events);
        let atoms = atoms_of(&events);
        for (index, (law, left, right)) in laws.iter().enumerate() {
            let (left_name, right_name) = (format!("left{index}"), format!("right{index}"));
            prop_assert_eq!(said(&verdict, &left_name), said(&verdict, &right_name), "{}: {} and {}", law, left, right);
            // Both sides need the same.
            prop_assert_eq!(named(&verdict, &left_name), named(&verdict, &right_name), "{}: {} and {}", law, left, right);
            prop_assert_eq!(said(&verdict, &left_name), left.holds(&atoms), "{}: {}", law, left);
        }
        prop_assert_eq!(said(&verdict, "without"), said(&verdict, "and_not"));
        prop_assert_eq!(named(&verdict, "without"), named(&verdict, "and_not"));
    }

    #[test]
    fn an_atom_is_unknown_without_the_facts_it_needs_and_only_then(events in events()) {
        let last = events.last().expect("there is one");
        for ((text, facts), holds) in ATOMS.iter().zip(atoms_of(&events)) {
            prop_assert_eq!(holds.is_none(), facts.iter().any(|fact| last.value(fact).is_none()), "{}", text);
        }
    }

    #[test]
    fn learning_more_changes_nothing_that_was_known(
        trees in prop::collection::vec(tree(), 6), events in events(), more in prop::collection::vec(known(0.5), 4),
    ) {
        let rules = trees.iter().enumerate().map(|(index, tree)| rule(&format!("r{index}"), tree));
        let program = program("default allow", rules);
        // About the event; and about those before it, whether they count. (Whose they were is no fact that may be missing:
        // an event of no device is none of this device's.)
        let mut filled: Vec<Known> = events.iter().zip(&more).map(|(event, more)| event.filled(&more.only("m"))).collect();
        if let (Some(last), Some(more)) = (filled.last_mut(), more.last()) {
            *last = last.filled(more);
        }
        let ((_, before), (_, after)) = (judged(&program, &events), judged(&program, &filled));
        for (index, tree) in trees.iter().enumerate() {
            let name = format!("r{index}");
            if let Some(known) = said(&before, &name) {
                prop_assert_eq!(said(&after, &name), Some(known), "{}", tree);
            }
        }
    }

    #[test]
    fn absence_never_allows(
        tree in tree(), events in events(), unknown in select(&["step_up", "match", "skip"][..]), final_ in any::<bool>(),
    ) {
        let holds = tree.holds(&atoms_of(&events));
        let outcome = |members: &str, then: &str| {
            let program = program(members, [format!("rule r {{ when {tree} {then} }}\n")]);
            judged(&program, &events).1
        };
        // A rule that asks for more than the default.
        for (then, matched) in [("then challenge qr", Outcome::Challenge), ("then block", Outcome::Block)] {
            let verdict = outcome("default allow on unknown step_up", then);
            let expected = match holds {
                Some(true) => matched,
                Some(false) => Outcome::Allow,
                None => Outcome::Challenge,
            };
            prop_assert_eq!(verdict.outcome, expected, "{} {}", tree, then);
            // And says why: in the reasons, what it needed.
            let needed: BTreeSet<String> = named(&verdict, "r").into_iter().map(|(name, _)| format!("UNKNOWN:r:{name}")).collect();
            let reasons: BTreeSet<String> = verdict.reasons.into_iter().map(|reason| reason.code).collect();
            prop_assert_eq!(reasons, needed);
        }
        // A rule that asks for less: whatever `on unknown` says, it is no exemption.
        let then = if final_ { "active until 2100-01-01 on unknown WORD then allow final" } else { "on unknown WORD then allow" };
        let then = then.replace("WORD", unknown);
        let (when_not, default) = if final_ { (Outcome::Block, "block") } else { (Outcome::Challenge, "challenge qr") };
        let source = format!("default {default}");
        let program = program(&source, [rule_with(&tree, &then)]);
        let verdict = judged(&program, &events).1;
        prop_assert_eq!(verdict.outcome, if holds == Some(true) { Outcome::Allow } else { when_not }, "{} {}", tree, then);
    }

    #[test]
    fn what_is_unknown_has_a_name_and_a_cause(trees in prop::collection::vec(tree(), 4), events in events()) {
        let rules = trees.iter().enumerate().map(|(index, tree)| rule(&format!("r{index}"), tree));
        let program = program("default allow", rules);
        let (signals, verdict) = judged(&program, &events);
        let (atoms, last) = (atoms_of(&events), events.last().expect("there is one"));
        let missing = |index: usize| -> BTreeSet<(String, Why)> {
            let facts = ATOMS.get(index).map_or(&[][..], |(_, facts)| facts);
            let absent = facts.iter().filter(|fact| last.value(fact).is_none());
            let mut missing: BTreeSet<_> = absent.map(|fact| ((*fact).to_owned(), cause(fact))).collect();
            if index == ATOMS.len() {
                missing.insert((OF_THE_PAST.trim_end_matches(" >= 2").to_owned(), Why::Absent));
            }
            missing
        };
        for (index, tree) in trees.iter().enumerate() {
            let named = named(&verdict, &format!("r{index}"));
            let open = tree.open(&atoms);
            let could: BTreeSet<_> = open.iter().flat_map(|atom| missing(*atom)).collect();
            prop_assert!(named.is_subset(&could), "{}: {:?} is named, and it needs {:?}", tree, named, could);
            for atom in open {
                prop_assert!(!missing(atom).is_disjoint(&named), "{}: of {} nothing is named", tree, self::atom(atom));
            }
        }
        let trace: Trace = explain(&program, &signals);
        for (rule, tree) in trace.policies[0].rules.iter().zip(&trees) {
            let state = match tree.holds(&atoms) {
                Some(true) => RuleState::Matched,
                Some(false) => RuleState::NotMatched,
                None => RuleState::Unknown,
            };
            prop_assert_eq!(rule.state, state, "{}", tree);
            for atom in &rule.atoms {
                // The trace says of each unknown condition why, and of each value it read; of no other.
                prop_assert_eq!(atom.result.is_unknown(), atom.why.is_some(), "{}", &atom.text);
                let causes: Vec<&str> = atom.reads.iter().map(|read| &*read.value).collect();
                let told = |why: Why| causes.iter().any(|value| value.ends_with(&format!("({why})")));
                prop_assert!(atom.why.is_none_or(told), "{}: {:?}", &atom.text, causes);
            }
        }
    }
}

fn rule_with(tree: &Tree, then: &str) -> String {
    // `active` stands before `when`.
    match then.strip_prefix("active until 2100-01-01 ") {
        Some(then) => format!("rule r {{ active until 2100-01-01 when {tree} {then} }}\n"),
        None => format!("rule r {{ when {tree} {then} }}\n"),
    }
}
