//! Links between chapters lead to a heading.

use crate::chapter::Chapter;

/// Every link of the manual whose chapter or heading is not there.
pub fn broken(chapters: &[&Chapter]) -> Result<(), String> {
    let mut broken = Vec::new();
    for chapter in chapters {
        for link in chapter.lines.iter().flat_map(|line| line.split("](").skip(1)) {
            let target = link.split(')').next().unwrap_or_default();
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { &chapter.file } else { file };
            let elsewhere = file.contains("://") || !file.ends_with(".md");
            let there = chapters.iter().find(|other| other.file == file).is_some_and(|other| {
                anchor.is_empty() || other.sections.iter().any(|section| anchor_of(&section.heading) == anchor)
            });
            if !elsewhere && !there {
                broken.push(format!("{}: {target}", chapter.file));
            }
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(format!("these links lead nowhere:\n{}", broken.join("\n"))) }
}

/// The anchor that a heading gets where the manual is read: letters, digits, `-` and `_`, in lower case.
fn anchor_of(heading: &str) -> String {
    let kept = heading.chars().filter(|char| char.is_alphanumeric() || "-_ ".contains(*char));
    kept.map(|char| if char == ' ' { '-' } else { char.to_ascii_lowercase() }).collect()
}
