//! The manual of the language, `docs/language/`, is the test suite of the language: every example in it is compiled and
//! decided, every expected decision compared, one test a heading. `docs/language/README.md` says how its blocks are read.
//! `ACCEPT=1` writes what comes; read the difference before keeping it.

mod chapter;
mod example;
mod expected;
mod links;
mod words;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use chapter::{Chapter, Kind, Section};
use example::Found;
use libtest_mimic::{Arguments, Failed, Trial};

/// Chapters that are read and not run.
const NOT_RUN: [&str; 1] = ["README.md"];

type Law = fn(&[&Chapter]) -> Result<(), String>;

/// What holds of the manual as a whole.
const WHOLE: [(&str, Law); 2] = [
    ("every_word_of_the_language_is_in_an_example", words::all_are_said),
    ("every_link_leads_somewhere", links::broken),
];

fn main() {
    let arguments = Arguments::from_args();
    if std::env::var_os("ACCEPT").is_some() && !arguments.list {
        // Rules that are laid out anew move what is said about them: once more.
        for _ in 0..2 {
            chapters().iter().for_each(accept);
        }
    }
    let chapters: Vec<Arc<Chapter>> = chapters().into_iter().map(Arc::new).collect();
    let mut trials: Vec<Trial> = chapters.iter().flat_map(trials_of).collect();
    for (name, holds) in WHOLE {
        let chapters = chapters.clone();
        trials.push(Trial::test(name, move || {
            let read: Vec<&Chapter> = chapters.iter().map(|chapter| &**chapter).collect();
            holds(&read).map_err(Failed::from)
        }));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/language")
}

fn chapters() -> Vec<Chapter> {
    let entries = fs::read_dir(folder()).expect("the manual is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("the entry is readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let read = |path: &PathBuf| {
        let file = path.file_name().expect("it has a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(path).expect("the chapter is readable");
        Chapter::read(&file, &text).unwrap_or_else(|wrong| panic!("{wrong}"))
    };
    paths.iter().map(read).collect()
}

/// Writes what comes over what was expected. What cannot be compared stays, and its test says why.
fn accept(chapter: &Chapter) {
    let found = chapter.sections.iter().filter_map(|section| example::found(chapter, section).ok()).flatten();
    let changes: Vec<_> =
        found.filter(|found| found.text != found.expected).map(|found| (found.lines, found.text)).collect();
    if changes.is_empty() {
        return;
    }
    // Several processes may accept at once: each replaces the whole file.
    let beside = folder().join(format!(".{}.{}", chapter.file, std::process::id()));
    fs::write(&beside, chapter.with(changes)).expect("the manual is writable");
    fs::rename(&beside, folder().join(&chapter.file)).expect("the manual is writable");
}

fn trials_of(chapter: &Arc<Chapter>) -> Vec<Trial> {
    let name = chapter.file.trim_end_matches(".md").to_owned();
    let mut trials = Vec::new();
    let mut headings = BTreeSet::new();
    for (index, section) in chapter.sections.iter().enumerate() {
        let heading = slug(&section.heading);
        if !headings.insert(heading.clone()) {
            let complain = || Err("the chapter has this heading twice".into());
            trials.push(Trial::test(format!("{name}::{heading}_again"), complain));
        } else if section.blocks.iter().any(|block| block.kind != Kind::Shown) {
            let chapter = Arc::clone(chapter);
            let test = move || judge(&chapter, &chapter.sections[index]);
            trials.push(Trial::test(format!("{name}::{heading}"), test));
        }
    }
    let runs =
        chapter.sections.iter().flat_map(|section| &section.blocks).any(|block| matches!(block.kind, Kind::Rules(_)));
    if !runs && !NOT_RUN.contains(&chapter.file.as_str()) {
        let complain = || Err("nothing in this chapter is executed".into());
        trials.push(Trial::test(format!("{name}::something_is_executed"), complain));
    }
    trials
}

fn judge(chapter: &Chapter, section: &Section) -> Result<(), Failed> {
    let found = example::found(chapter, section).map_err(|wrong| format!("{}: {wrong}", chapter.file))?;
    if !found.iter().any(|found| found.shows) {
        return Err("the heading has blocks, and nothing in them is compared".into());
    }
    let differs = |found: &&Found| found.text != found.expected;
    let said = |found: &Found| {
        let line = found.lines.start + 1;
        format!("{}:{line}: {}:\n{}-- instead of:\n{}", chapter.file, found.what, found.text, found.expected)
    };
    let wrong: Vec<String> = found.iter().filter(differs).map(said).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// A heading as the name of a test.
fn slug(heading: &str) -> String {
    let plain = |char: char| if char.is_alphanumeric() || char == '_' { char.to_ascii_lowercase() } else { ' ' };
    heading.chars().map(plain).collect::<String>().split_whitespace().collect::<Vec<_>>().join("_")
}
