//! Where the manual shows a diagnostic.

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../docs/language"]
struct Chapters;

/// The chapter and the heading under which the manual shows what causes this diagnostic; the manual's first page for
/// one that it does not show.
pub fn place(code: &str) -> String {
    let mut chapters: Vec<_> = Chapters::iter().collect();
    chapters.sort();
    let shown = chapters.iter().find_map(|name| {
        let file = Chapters::get(name)?;
        let heading = heading(&String::from_utf8_lossy(&file.data), code)?;
        Some(format!("docs/language/{name}, \"{heading}\""))
    });
    shown.unwrap_or_else(|| "docs/language/README.md".to_owned())
}

/// The heading under which a block shows `error[code]: …` and its like.
fn heading(chapter: &str, code: &str) -> Option<String> {
    let drawn = ["error", "warning", "note"].map(|severity| format!("{severity}[{code}]: "));
    let mut heading = None;
    let mut inside = false;
    for line in chapter.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside {
            if drawn.iter().any(|drawn| line.starts_with(drawn.as_str())) {
                return heading;
            }
        } else if line.starts_with('#') {
            heading = Some(line.trim_start_matches('#').trim().to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_is_found_where_it_is_drawn_and_any_other_leads_to_the_first_page() {
        assert_eq!(place("bound-not-shown"), "docs/language/10-outcomes.md, \"bind and show\"");
        assert_eq!(place("no-such-code"), "docs/language/README.md");
    }
}
