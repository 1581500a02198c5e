//! Every word of the language, as the code has it: for the manual's word lists, and to see that each has an example.

use std::collections::BTreeSet;

use engine::{
    Why,
    check::words::{ATTRIBUTES, CHALLENGE_EVENTS, CHALLENGE_OPTIONS, FUNCTIONS},
    outcome::{Claimant, Level, Severity},
    schema::standard_fields,
    status::Status,
    types::Type,
};
use grammar::ast::{AggregateFn, ArithmeticOp, CalendarUnit, CompareOp, SeenFn};

use crate::{chapter::Block, example::Found};

/// The sets of words, by the name a `words` block gives them.
const SETS: [&str; 16] = [
    "keywords",
    "reserved",
    "types",
    "attributes",
    "functions",
    "aggregates",
    "seen",
    "calendar",
    "operators",
    "options",
    "levels",
    "severities",
    "statuses",
    "steps",
    "fields",
    "causes",
];

fn set(name: &str) -> Option<Vec<String>> {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Some(match name {
        "keywords" => owned(&grammar::keywords()),
        "reserved" => owned(&grammar::RESERVED),
        "types" => Type::names().map(str::to_owned).collect(),
        "attributes" => ATTRIBUTES.map(|word| format!("@{word}")).to_vec(),
        "functions" => owned(&FUNCTIONS),
        "aggregates" => owned(&AggregateFn::ALL.map(AggregateFn::name)),
        "seen" => owned(&SeenFn::ALL.map(SeenFn::name)),
        "calendar" => owned(&CalendarUnit::ALL.map(CalendarUnit::name)),
        "operators" => {
            let mut symbols = CompareOp::ALL.map(CompareOp::symbol).to_vec();
            symbols.extend(ArithmeticOp::ALL.map(ArithmeticOp::symbol));
            symbols.push("??");
            owned(&symbols)
        }
        "options" => owned(&CHALLENGE_OPTIONS),
        "levels" => {
            let mut words = Level::ALL.map(Level::word).to_vec();
            words.extend(Claimant::ALL.map(Claimant::word));
            owned(&words)
        }
        "severities" => owned(&Severity::ALL.map(Severity::word)),
        "statuses" => owned(&Status::ALL.map(Status::word)),
        "steps" => owned(&CHALLENGE_EVENTS.map(|(name, _)| name)),
        "fields" => standard_fields().iter().map(|field| field.path.to_owned()).collect(),
        "causes" => owned(&Why::ALL.map(Why::slug)),
        _ => return None,
    })
}

/// A `words` block: all words of the set and no others, in any order and layout.
pub fn of(name: &str, block: &Block) -> Result<Found, String> {
    let words = set(name).ok_or_else(|| format!("`{name}` is no set of words; the sets are {}", SETS.join(", ")))?;
    let said: BTreeSet<&str> = block.text.split_whitespace().collect();
    let right =
        said == words.iter().map(String::as_str).collect() && said.len() == block.text.split_whitespace().count();
    let text = if right { block.text.clone() } else { in_lines(&words) };
    let (lines, expected) = (block.lines.clone(), block.text.clone());
    Ok(Found { lines, what: "the words are", expected, text, shows: true })
}

fn in_lines(words: &[String]) -> String {
    let mut lines = vec![String::new()];
    for word in words {
        let line = lines.last_mut().expect("there is a first line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + word.len() < 100 {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.clone());
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}
