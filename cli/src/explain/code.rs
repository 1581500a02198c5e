//! What a diagnostic code means.

use std::io::Write;

use grammar::diagnostic::codes::CodeDoc;

use super::manual;
use crate::exit::Exit;
use crate::output;

/// Says what the code means, why it matters, shows an example and what to write instead.
pub fn explain(code: &str) -> anyhow::Result<Exit> {
    let known: Vec<&CodeDoc> = grammar::diagnostic::codes::CODES.iter().chain(engine::check::codes::CODES).collect();
    let wanted = code.trim_start_matches(['[', '`']).trim_end_matches([']', '`']);
    let Some(doc) = known.iter().find(|doc| doc.code == wanted) else {
        let hint = match grammar::nearest(wanted, known.iter().map(|doc| doc.code)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`stepup check` prints codes in brackets; a pack is explained with `--event FILE`".to_owned(),
        };
        eprintln!("stepup: there is no diagnostic `{wanted}`; {hint}");
        return Ok(Exit::Usage);
    };
    let mut out = output::stdout();
    writeln!(out, "{}[{}]: {}", doc.severity.name(), doc.code, doc.summary)?;
    let parts = [
        ("What it means", doc.meaning),
        ("Why it matters", doc.why),
        ("Example", doc.example),
        ("Instead", doc.instead),
    ];
    for (title, text) in parts.into_iter().filter(|(_, text)| !text.is_empty()) {
        writeln!(out, "\n{title}")?;
        for line in text.lines() {
            writeln!(out, "{}", format!("  {line}").trim_end())?;
        }
    }
    writeln!(out, "\nThe manual of the language: {}", manual::place(doc.code))?;
    out.flush()?;
    Ok(Exit::Fine)
}
