//! Every word of the language, as the code has it: for the manual's word lists, and to see that each has an example.

use std::collections::BTreeSet;

use engine::{
    Outcome, Why,
    check::{
        limits,
        words::{ATTRIBUTES, CHALLENGE_EVENTS, CHALLENGE_OPTIONS, ENUM, FUNCTIONS},
    },
    decode,
    outcome::{Claimant, Level, Severity},
    schema::standard_fields,
    script,
    status::Status,
    types::Type,
    value::WEEKDAYS,
};
use grammar::ast::{AggregateFn, ArithmeticOp, CalendarUnit, CompareOp, SeenFn};

use crate::{
    chapter::{Block, Chapter, Kind},
    example::Found,
};

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
        "types" => Type::names().chain([ENUM]).map(str::to_owned).collect(),
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

/// The limits, one a line.
pub fn limits(block: &Block) -> Found {
    let pack = engine::Limits::default();
    let history = engine::history::Limits::default();
    let days = |ms: i64| format!("{} days", ms / 86_400_000);
    let all = [
        ("files of a pack", pack.files.to_string()),
        ("bytes of a rule file", pack.file_bytes.to_string()),
        ("bytes of a pack", pack.pack_bytes.to_string()),
        ("rules of a pack", pack.rules.to_string()),
        ("events of a pack", limits::MOST_EVENTS.to_string()),
        ("entries of a list", pack.list_entries.to_string()),
        ("brackets and `not`s around one place", grammar::MAX_NESTING.to_string()),
        ("operators in a row", grammar::MAX_OPERATORS.to_string()),
        ("parts of a condition, every `let` written out", limits::MOST_NODES.to_string()),
        ("bytes of a pattern", limits::MOST_PATTERN_BYTES.to_string()),
        ("bytes of a pattern, compiled", limits::MOST_REGEX_BYTES.to_string()),
        ("seconds a challenge stays open", limits::MOST_EXPIRES_S.to_string()),
        ("events of one line of a test's history", limits::MOST_HISTORY.to_string()),
        ("operations of a script", script::MOST_OPS.to_string()),
        ("bytes of a script", script::MOST_SOURCE_BYTES.to_string()),
        ("calls of a script inside each other", script::MOST_CALL_LEVELS.to_string()),
        ("bytes of a text of a script", script::MOST_STRING_BYTES.to_string()),
        ("elements of an array of a script", script::MOST_ELEMENTS.to_string()),
        ("bytes of a text of an event", decode::MOST_TEXT_BYTES.to_string()),
        ("elements of a list of an event", decode::MOST_ELEMENTS.to_string()),
        ("how far history reaches back", days(history.retention_ms)),
        ("keys of one set of windows", history.keys.to_string()),
        ("timestamps or values of a threshold", history.threshold.to_string()),
        ("amounts or values without a threshold", history.entries.to_string()),
        ("how long what left a window is kept for late events", format!("{} s", history.lateness_ms / 1_000)),
    ];
    let text = all.iter().map(|(what, most)| format!("{what}: {most}\n")).collect();
    let (lines, expected) = (block.lines.clone(), block.text.clone());
    Found { lines, what: "the limits are", expected, text, shows: true }
}

/// The grammar in short: every word of the language stands in it between quotes, and no other.
pub fn grammar(block: &Block) -> Result<Found, String> {
    let word = |quoted: &&str| quoted.starts_with(|char: char| char.is_ascii_lowercase());
    let said: BTreeSet<&str> = block.text.split('\'').skip(1).step_by(2).filter(word).collect();
    let mut words = grammar::keywords();
    words.extend(AggregateFn::ALL.map(AggregateFn::name));
    words.extend(SeenFn::ALL.map(SeenFn::name));
    words.extend(CalendarUnit::ALL.map(CalendarUnit::name));
    words.extend(["true", "false"]);
    let words: BTreeSet<&str> = words.into_iter().collect();
    let missing: Vec<&&str> = words.difference(&said).collect();
    let strange: Vec<&&str> = said.difference(&words).collect();
    if !missing.is_empty() || !strange.is_empty() {
        return Err(format!("the grammar lacks {missing:?}, and has {strange:?}, which are no words"));
    }
    let (lines, expected, text) = (block.lines.clone(), block.text.clone(), block.text.clone());
    Ok(Found { lines, what: "the grammar is", expected, text, shows: true })
}

/// Whether each word stands in rules, events or decisions of the manual.
pub fn all_are_said(chapters: &[&Chapter]) -> Result<(), String> {
    let mut said = Said::default();
    for block in chapters.iter().flat_map(|chapter| &chapter.sections).flat_map(|section| &section.blocks) {
        match block.kind {
            Kind::Rules(_) => said.read(&block.text),
            Kind::Decisions => said.causes.push_str(&block.text),
            _ => {}
        }
    }
    let mut lacking = Vec::new();
    for name in SETS {
        let missing = |word: &String| match name {
            "causes" => !said.causes.contains(&format!("\"why\": \"{word}\"")),
            "operators" => !said.code.contains(&format!(" {word} ")),
            // In a `where`, a status is a text.
            "statuses" => !said.words.contains(word.as_str()) && !said.texts.contains(word.as_str()),
            _ => !said.words.contains(word.as_str()),
        };
        let words = set(name).expect("every set has words");
        lacking.extend(words.iter().filter(|word| missing(word)).map(|word| format!("{word} ({name})")));
    }
    let outcomes = [Outcome::Allow, Outcome::Challenge, Outcome::Block].map(Outcome::word);
    let units = ["ms", "s", "m", "h", "d", "w", "%", "km", "km/h"];
    lacking.extend(
        outcomes.iter().chain(&WEEKDAYS).filter(|word| !said.words.contains(**word)).map(|word| (*word).to_owned()),
    );
    lacking.extend(units.iter().filter(|unit| !said.has_unit(unit)).map(|unit| format!("a number with `{unit}`")));
    if lacking.is_empty() { Ok(()) } else { Err(format!("no example has {}", lacking.join(", "))) }
}

/// What rules say.
#[derive(Default)]
struct Said {
    /// Without comments and texts.
    code: String,
    words: BTreeSet<String>,
    texts: BTreeSet<String>,
    causes: String,
}

impl Said {
    fn read(&mut self, rules: &str) {
        for line in rules.lines() {
            // Outside of quotes and inside of them by turns. No example has a `#` or an escaped quote in a text.
            let code = line.split('#').next().unwrap_or_default();
            for (index, part) in code.split('"').enumerate() {
                if index % 2 == 1 {
                    self.texts.insert(part.to_owned());
                    continue;
                }
                self.code.push_str(part);
                self.code.push(' ');
                let inside = |char: char| char.is_alphanumeric() || "_.@".contains(char);
                self.words.extend(part.split(|char| !inside(char)).map(str::to_owned));
            }
        }
    }

    fn has_unit(&self, unit: &str) -> bool {
        self.code.split([' ', ',', ')', ']', '}']).collect::<Vec<_>>().windows(2).any(|pair| {
            let number = |text: &str| text.starts_with(|char: char| char.is_ascii_digit());
            let joined = pair[0].strip_suffix(unit).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
            (number(pair[0]) && pair[1] == unit) || (number(pair[0]) && joined)
        })
    }
}
