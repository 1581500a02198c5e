//! A chapter of the manual: headings, and the fenced blocks under them.

use std::ops::Range;

/// One file of the manual.
pub struct Chapter {
    /// Its file name.
    pub file: String,
    /// Its text, line by line.
    pub lines: Vec<String>,
    /// Its headings, each with what stands between it and the next.
    pub sections: Vec<Section>,
}

/// A heading and the blocks under it.
pub struct Section {
    pub heading: String,
    pub blocks: Vec<Block>,
}

/// A fenced block.
pub struct Block {
    pub kind: Kind,
    /// Whether every heading of the chapter has it.
    pub shared: bool,
    pub text: String,
    /// Its lines in the file, counted from 0, without the fences.
    pub lines: Range<usize>,
}

/// What a block is for, by the first word behind the fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A rule file of the pack; `example.rules` when nothing is said.
    Rules(Option<String>),
    /// Another file of the pack, by its path: a list, a script, a table of rates.
    File(String),
    /// Where addresses are, for the events of this example.
    Geo,
    /// A smaller history than usual.
    Limits,
    /// A stream of events.
    Events,
    /// The decisions it gives.
    Decisions,
    /// What the last event's rules read.
    Reads,
    /// What `stepup check` prints, and `stepup test` for what fails.
    Diagnostics,
    /// All words of one kind.
    Words(String),
    /// The limits of packs, rules and history, one a line.
    Limited,
    /// The grammar in short: it has every word of the language.
    Grammar,
    /// What the formatter makes the next rules of.
    Untidy,
    /// For the reader only.
    Shown,
}

impl Chapter {
    /// Reads a chapter, or says what is wrong with it.
    pub fn read(file: &str, text: &str) -> Result<Chapter, String> {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut sections: Vec<Section> = Vec::new();
        let mut open: Option<(&str, usize)> = None;
        for (number, line) in lines.iter().enumerate() {
            let at = |what: String| format!("{file}:{}: {what}", number + 1);
            match (open, line.strip_prefix("```")) {
                (Some((info, from)), Some("")) => {
                    let section = sections.last_mut().ok_or_else(|| at("a block before the first heading".into()))?;
                    let (kind, shared) = kind(info).map_err(at)?;
                    let text = lines[from..number].iter().map(|line| format!("{line}\n")).collect();
                    section.blocks.push(Block { kind, shared, text, lines: from..number });
                    open = None;
                }
                (Some(_), _) => {}
                (None, Some(info)) => open = Some((info, number + 1)),
                (None, None) => {
                    let heading = line.trim_start_matches('#');
                    if heading.len() < line.len() && heading.starts_with(' ') {
                        sections.push(Section { heading: heading.trim().to_owned(), blocks: Vec::new() });
                    }
                }
            }
        }
        if let Some((_, from)) = open {
            return Err(format!("{file}:{from}: the block has no end"));
        }
        let late = sections.iter().skip(1).flat_map(|section| &section.blocks).find(|block| block.shared);
        if let Some(block) = late {
            return Err(format!("{file}:{}: shared blocks stand before the second heading", block.lines.start));
        }
        Ok(Chapter { file: file.to_owned(), lines, sections })
    }

    /// The blocks every heading has.
    pub fn shared(&self) -> impl Iterator<Item = &Block> {
        self.sections.iter().flat_map(|section| &section.blocks).filter(|block| block.shared)
    }

    /// The chapter with other text in some of its blocks.
    pub fn with(&self, mut changes: Vec<(Range<usize>, String)>) -> String {
        changes.sort_by_key(|(lines, _)| std::cmp::Reverse(lines.start));
        let mut lines = self.lines.clone();
        for (place, text) in changes {
            lines.splice(place, text.lines().map(str::to_owned));
        }
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

fn kind(info: &str) -> Result<(Kind, bool), String> {
    let words: Vec<&str> = info.split_whitespace().collect();
    Ok(match words.as_slice() {
        ["rules"] => (Kind::Rules(None), false),
        ["rules", "shared"] => (Kind::Rules(None), true),
        ["rules", path] => (Kind::Rules(Some((*path).to_owned())), false),
        ["geo"] => (Kind::Geo, false),
        ["geo", "shared"] => (Kind::Geo, true),
        ["list" | "script" | "rates", "shared", path] => (Kind::File((*path).to_owned()), true),
        ["list" | "script" | "rates", path] => (Kind::File((*path).to_owned()), false),
        ["limits"] => (Kind::Limits, false),
        ["events"] => (Kind::Events, false),
        ["decisions"] => (Kind::Decisions, false),
        ["reads"] => (Kind::Reads, false),
        ["diagnostics"] => (Kind::Diagnostics, false),
        ["grammar"] => (Kind::Grammar, false),
        ["untidy"] => (Kind::Untidy, false),
        ["words", "limits"] => (Kind::Limited, false),
        ["words", what] => (Kind::Words((*what).to_owned()), false),
        ["sh" | "text" | "json"] => (Kind::Shown, false),
        _ => return Err(format!("`{info}` is no kind of block")),
    })
}
