//! The engine and the interpreter on the same random policies and events; where they differ, the smallest case that
//! still does.

#![allow(dead_code, reason = "the fuzzer uses its part")]

pub mod dice;
mod events;
mod rules;
mod shrink;

use std::{fmt, rc::Rc, sync::Arc};

use engine::{
    ChallengeEnd, PackSource, Stream, Verdict, compile, judge_briefly, judge_one_by_one_briefly, outcome::Claimant,
};
use jiff::Timestamp;

use crate::interpreter;
use dice::Dice;
use events::{START_MS, Told};
use interpreter::{Entry, Pack, Past, Plain, Rate, Said};
use rules::{Policy, Style};
pub use shrink::smallest;

/// A pack and a stream of events.
#[derive(Clone, Debug)]
pub struct Case {
    policies: Vec<Policy>,
    events: Vec<Told>,
    history: bool,
    rates: bool,
}

/// Where engine and interpreter differ.
pub struct Mismatch {
    /// Position in the stream.
    at: usize,
    engine: Box<Said>,
    interpreter: Box<Said>,
}

/// The case with this number.
pub fn case(seed: u64, number: u64) -> Case {
    let mut dice = Dice::of(seed, number);
    // Every third pack asks about the past.
    let history = number % 3 == 1;
    // Every tenth pack is a large one of plain comparisons, which is what an index is for; some need rows of two lines.
    let (rules, flat) = match number % 10 {
        0 => (if number % 50 == 20 { 600 } else { 200 }, true),
        2 | 5 | 8 => (20 + dice.below(21), dice.once_in(2)),
        _ => (1 + dice.below(12), false),
    };
    let style = style(&mut dice, if history { rules.min(12) } else { rules }, history, flat);
    // A percentile of more values than a window keeps singly is an interval, and has tests of its own.
    let events = match (history, style.spread) {
        (true, true) => 60,
        (true, false) => 120,
        (false, _) => EVENTS,
    };
    drawn(&mut dice, style, events)
}

fn style(dice: &mut Dice, rules: usize, history: bool, flat: bool) -> Style {
    let (sums, rates) = (dice.once_in(2), dice.once_in(4));
    let (negative, spread, calendar, late) = (dice.once_in(2), dice.once_in(3), dice.once_in(3), dice.once_in(4));
    Style { rules, history, sums, rates, flat, negative, spread, calendar, late: late && history }
}

/// A small case, thrown with these bytes.
pub fn given(bytes: &[u8]) -> Case {
    let mut dice = Dice::given(bytes);
    let (rules, history) = (1 + dice.below(8), dice.once_in(2));
    let style = style(&mut dice, rules, history, false);
    let events = 1 + dice.below(20);
    drawn(&mut dice, style, events)
}

fn drawn(dice: &mut Dice, style: Style, events: usize) -> Case {
    let policies = rules::policies(dice, style);
    const HOUR: i64 = 3_600_000;
    // Days on which clocks change among them, forward and back, in both hemispheres.
    let begins = ["2026-01-01", "2026-03-28", "2026-04-04", "2026-09-26", "2026-10-24", "2026-12-30"];
    let mut at_ms = if style.calendar { events::day(dice.pick(&begins)) } else { 0 };
    let events = (0..events).map(|_| {
        at_ms += if style.calendar {
            dice.pick(&[0, 1, 20_000, HOUR / 4, HOUR - 1, HOUR, 3 * HOUR, 11 * HOUR, 25 * HOUR, 24 * 9 * HOUR])
        } else {
            // Often the same moment as the one before.
            dice.pick(&[0, 0, 1, 999, 5_000, 10_000, 20_000])
        };
        // In the past of one that is already there, as far back as windows reach, and further.
        let behind = if style.late { dice.pick(&[0, 0, 0, 1, 5_000, 12_000, 70_000, 4_000_000]) } else { 0 };
        events::event(dice, (at_ms - behind).max(0), style)
    });
    Case { events: events.collect(), policies, history: style.history, rates: style.rates }
}

/// Events for one compiled pack that does not ask about the past.
const EVENTS: usize = 100;

impl Case {
    /// How many pairs of a policy and an event it is.
    pub fn pairs(&self) -> u64 {
        (self.policies.len() * self.events.len()) as u64
    }

    /// The first event on which the two differ.
    pub fn differs(&self) -> Option<Mismatch> {
        self.compare().unwrap_or_else(|errors| panic!("a generated pack does not compile\n{errors}"))
    }

    /// The first event on which the two differ, or why the pack does not compile.
    fn compare(&self) -> Result<Option<Mismatch>, String> {
        let source = rules::source(&self.policies, self.rates);
        let mut files = PackSource::of_rules(&source);
        files.files.insert("rates.csv".to_owned(), rules::RATES.into());
        files.files.extend(rules::SCRIPTS.map(|(name, text)| (name.to_owned(), text.into())));
        let compilation = compile(&files);
        let Some(program) = compilation.program else {
            let errors: Vec<_> = compilation.diagnostics.into_iter().filter(|finding| finding.is_error()).collect();
            return Err(grammar::render_text(&errors, &compilation.sources, false));
        };
        let file = grammar::parse(&compilation.sources.files()[0]).file;
        let rates = if self.rates { rates() } else { Vec::new() };
        let pack = Pack::new(&source, &file, &rates);
        let mut stream = Stream::new(Arc::clone(&program));
        let mut memory = Memory::default();
        let mut newest_ms = i64::MIN;
        for (at, event) in self.events.iter().enumerate() {
            while let Some(ended) = memory.next_ending(event.at_ms) {
                let end = ChallengeEnd::from_word(ended.kind.trim_start_matches("challenge.")).expect("it is an end");
                let moment = Timestamp::from_millisecond(START_MS + ended.at_ms).expect("in the calendar");
                let known = stream.challenge(ended.user, &ended.reference, end, moment);
                assert!(known, "the challenge was open");
            }
            let reference = at.to_string();
            let (signals, verdict) = stream.push(events::located(&program, event, &reference));
            // The index against asking every rule in turn, which the interpreter need not understand.
            let found = judge_briefly(&program, &signals).sorted();
            assert_eq!(found, judge_one_by_one_briefly(&program, &signals).sorted(), "{self}\nat event {at}");
            assert_eq!(found.outcome, verdict.outcome, "{self}\nat event {at}");
            let this = memory.arrives(event);
            let said = pack.judge(&this, &memory.past, &memory.entries);
            let engine = said_by(&verdict);
            let untold = found.unknown.iter().map(|(policy, rule)| {
                let policy = &self.policies[usize::from(*policy)];
                policy.rules[*rule as usize].name.as_str()
            });
            let mut untold: Vec<&str> = untold.collect();
            // What waits for a script is asked no more once the answer is a block, and is not among the unknown then.
            if engine.outcome == "block" || said.outcome == "block" {
                untold.extend(self.policies.iter().flat_map(Policy::scripted));
            }
            if engine != said && !(event.at_ms < newest_ms && weaker(&engine, &said, &untold)) {
                return Ok(Some(Mismatch { at, engine: Box::new(engine), interpreter: Box::new(said) }));
            }
            newest_ms = newest_ms.max(event.at_ms);
            if self.history {
                memory.keep(this, event, &said_by(&verdict), reference);
            }
        }
        Ok(None)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&rules::source(&self.policies, self.rates))?;
        for told in &self.events {
            writeln!(f, "\nafter {} ms, challenge: {:?}", told.at_ms, told.ending)?;
            for (name, fact) in &told.record {
                writeln!(f, "  {name}: {fact:?}")?;
            }
        }
        Ok(())
    }
}

/// `rules::RATES`, as the interpreter reads it.
fn rates() -> Vec<Rate> {
    let rate = |currency, from: &str, worth: &str| Rate {
        currency,
        from: from.parse::<Timestamp>().map_or(i64::MIN, Timestamp::as_millisecond),
        worth: worth.parse().expect("it is a number"),
    };
    vec![
        rate("USD", "", "1.25"),
        rate("USD", "2026-01-01T00:02:00Z", "2"),
        rate("JPY", "", "160.5"),
        rate("KWD", "2027-01-01T00:00:00Z", "0.33"),
    ]
}

/// The engine's verdict in the interpreter's words.
fn said_by(verdict: &Verdict) -> Said {
    let hits =
        |hits: &[engine::verdict::RuleHit]| hits.iter().map(|hit| format!("{} {}", hit.rule, hit.word())).collect();
    let unknown = |atom: &engine::verdict::UnknownAtom| {
        let name = interpreter::without_parentheses(&atom.atom);
        (atom.rule.to_string(), name, atom.why.slug().to_owned())
    };
    let reasons = verdict.reasons.iter().map(|reason| interpreter::without_parentheses(&reason.code));
    let mut reasons: Vec<String> = reasons.collect();
    reasons.sort();
    Said {
        outcome: verdict.outcome.word(),
        by: verdict.decided_by.word().to_owned(),
        rules: hits(&verdict.rules),
        unknown: verdict.unknown.iter().map(unknown).collect(),
        shadow: hits(&verdict.shadow),
        shadow_outcome: verdict.shadow_outcome.word(),
        scores: verdict.scores.iter().map(|score| (score.policy.to_string(), score.total)).collect(),
        reasons,
        flags: verdict.flags.clone(),
        challenge: verdict.challenge.as_ref().map(|spec| {
            let user = match spec.user {
                Claimant::Anonymous => "anonymous",
                Claimant::Locked => "locked",
            };
            let number = |number: Option<u32>| number.map(u64::from);
            (spec.level.word().to_owned(), number(spec.expires_s), number(spec.attempts), user.to_owned())
        }),
        effects: verdict.effects.iter().map(|add| (add.list.to_string(), add.value.clone(), add.for_s)).collect(),
    }
}

/// Whether the engine says what the interpreter says, except of rules that it cannot tell: bounded memory knows less of
/// what was before the events it keeps, which only a late event asks about. It may say so, and nothing else.
fn weaker(engine: &Said, interpreter: &Said, untold: &[&str]) -> bool {
    let told = |said: &Said| {
        let all = said.rules.iter().chain(&said.shadow);
        all.filter(|rule| !untold.contains(&rule.split(' ').next().unwrap_or_default())).cloned().collect::<Vec<_>>()
    };
    let others_unknown = interpreter.unknown.iter().any(|(rule, _, _)| !untold.contains(&rule.as_str()));
    !untold.is_empty() && told(engine) == told(interpreter) && !others_unknown
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the engine says      {:#?}\nthe interpreter says {:#?}", self.engine, self.interpreter)
    }
}

/// What the interpreter is told of the past.
#[derive(Default)]
struct Memory {
    past: Vec<Past>,
    entries: Vec<Entry>,
    /// Challenges that will end, in the order in which they do.
    open: Vec<Ending>,
    seq: u64,
}

struct Ending {
    at_ms: i64,
    kind: &'static str,
    /// Whose event it is about: position in the past.
    about: usize,
    user: &'static str,
    reference: String,
}

impl Memory {
    fn arrives(&mut self, told: &Told) -> Past {
        self.seq += 1;
        let record = Rc::new(told.record.clone());
        Past { at: START_MS + told.at_ms, seq: self.seq, kind: "e", record, status: "pending" }
    }

    /// Remembers an event as it was decided.
    fn keep(&mut self, this: Past, told: &Told, said: &Said, reference: String) {
        for (list, word, seconds) in &said.effects {
            let until = this.at + i64::try_from(*seconds).expect("a short time") * 1_000;
            self.entries.push((list.clone(), Plain::Word(events::word(word)), until));
        }
        let status = match said.outcome {
            "allow" => "allowed",
            "block" => "blocked",
            _ => "challenged",
        };
        let about = self.past.len();
        self.past.push(Past { status, ..this.clone() });
        if status != "challenged" {
            return;
        }
        self.seq += 1;
        self.past.push(Past { seq: self.seq, kind: "challenge.issued", ..this });
        if let Some((kind, later)) = told.ending {
            let at_ms = told.at_ms + later;
            let user = events::user(&told.record);
            let place = self.open.partition_point(|other| other.at_ms <= at_ms);
            self.open.insert(place, Ending { at_ms, kind, about, user, reference });
        }
    }

    /// The next challenge that has ended by now; it has ended when this returns it.
    fn next_ending(&mut self, now_ms: i64) -> Option<Ending> {
        if self.open.first()?.at_ms > now_ms {
            return None;
        }
        let ended = self.open.remove(0);
        self.seq += 1;
        let event = &mut self.past[ended.about];
        event.status = if ended.kind == "challenge.succeeded" { "verified" } else { "declined" };
        let record = Rc::clone(&event.record);
        let (at, seq) = (START_MS + ended.at_ms, self.seq);
        self.past.push(Past { at, seq, kind: ended.kind, record, status: "pending" });
        Some(ended)
    }
}
