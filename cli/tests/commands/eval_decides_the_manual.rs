//! The manual's decisions are those of the binary: each of its streams is given to `stepup eval`. Examples that say where
//! addresses are, or make history smaller, are the engine's own (`engine/tests/language`).

#[allow(dead_code)]
#[path = "../../../engine/tests/language/chapter.rs"]
mod chapter;
#[allow(dead_code)]
#[path = "../../../engine/tests/language/expected.rs"]
mod expected;

use std::collections::BTreeMap;

use chapter::{Block, Chapter, Kind};
use serde_json::Value;

use crate::support::{Run, checkout};

/// The files of an example.
#[derive(Clone, Default)]
struct Example {
    files: BTreeMap<String, String>,
    /// Whether something was asked of it already.
    asked: bool,
    /// Whether the binary alone can answer.
    plain: bool,
}

impl Example {
    fn of(chapter: &Chapter) -> Example {
        let mut example = Example { plain: true, ..Example::default() };
        chapter.shared().for_each(|block| example.take(block, "shared.rules"));
        example.asked = false;
        example
    }

    fn take(&mut self, block: &Block, name: &str) {
        match &block.kind {
            Kind::Rules(path) => {
                let file = self.files.entry(path.clone().unwrap_or_else(|| name.to_owned())).or_default();
                file.push_str(&block.text);
                self.asked |= block.text.lines().any(|line| line.starts_with("test "));
            }
            Kind::File(path) => {
                self.files.insert(path.clone(), block.text.clone());
            }
            _ => self.plain = false,
        }
    }

    /// What the binary answers; a line that is refused makes it end with 4.
    fn decide(&self, events: &str, refuses: bool) -> Vec<Value> {
        let run = Run::new("eval .").input(events).exit(if refuses { 4 } else { 0 });
        let ran = self.files.iter().fold(run, |run, (path, text)| run.file(path, text)).run();
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("a decision is JSON")).collect()
    }
}

/// The chapters about what events look like: reading them is the binary's own, deciding them the engine's.
const CHAPTERS: [&str; 4] = ["01-a-first-rule.md", "03-events.md", "04-types.md", "08-history.md"];

#[test]
fn the_streams_of_the_manual_are_decided_by_the_binary_as_they_stand_there() {
    let (mut streams, mut differing): (u32, Vec<String>) = (0, Vec::new());
    for name in CHAPTERS {
        let text = std::fs::read_to_string(checkout("docs/language").join(name)).expect("a chapter");
        let chapter = Chapter::read(name, &text).expect("it is in order");
        for section in &chapter.sections {
            let mut example = Example::of(&chapter);
            let mut events = "";
            for block in section.blocks.iter().filter(|block| !block.shared) {
                match &block.kind {
                    Kind::Rules(_) | Kind::File(_) | Kind::Geo | Kind::Limits => {
                        if example.asked {
                            example = Example::of(&chapter);
                        }
                        example.take(block, "example.rules");
                    }
                    Kind::Events => {
                        events = &block.text;
                        example.asked = true;
                    }
                    Kind::Decisions if example.plain => {
                        let decided = example.decide(events, block.text.contains("\"error\""));
                        let came = expected::decisions(&block.text, &decided);
                        streams += 1;
                        if came != block.text {
                            let text = &block.text;
                            differing.push(format!("{name}, {}:\n{came}-- instead of:\n{text}", section.heading));
                        }
                    }
                    _ => example.asked |= block.kind == Kind::Diagnostics,
                }
            }
        }
    }
    assert!(streams > 30, "only {streams} streams were tried");
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
