//! What pest expected and did not find, in words for people, with a hint for the usual reasons.

mod forms;
mod hints;
mod words;

pub use words::{RESERVED, keywords};
pub(crate) use words::{is_reserved, keyword};

use crate::amend::Amended;
use crate::diagnostic::Diagnostic;
use crate::lower::Rule;
use crate::scan::Scan;
use pest::error::{Error, ErrorVariant, InputLocation};
use std::collections::BTreeSet;
use std::ops::Range;

/// Where pest stopped and what it could have gone on with.
pub(crate) struct Stop<'a> {
    pub scan: &'a Scan<'a>,
    /// The tokens that were parsed.
    pub region: Range<usize>,
    /// The token it stopped at; the end of the region when it ran out.
    pub found: usize,
    pub expected: Vec<Rule>,
}

/// The diagnostic for pest's error over `region`, of which `amended` was parsed. What was `said` is mended there and still
/// stands in the source: it is not why.
pub(crate) fn diagnose(
    scan: &Scan,
    region: Range<usize>,
    amended: &Amended,
    error: &Error<Rule>,
    said: &[Diagnostic],
) -> Diagnostic {
    let at = amended.original(match error.location {
        InputLocation::Pos(at) => at,
        InputLocation::Span((start, _)) => start,
    });
    let expected = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives.clone(),
        ErrorVariant::CustomError { .. } => Vec::new(),
    };
    // Pest may stop on the blanks before a token, or inside one: either way that token is what it could not use.
    let tokens = scan.tokens.get(region.clone()).unwrap_or_default();
    let found = region.start + tokens.partition_point(|token| token.end <= at);
    let stop = Stop { scan, region, found, expected };
    hints::hint(&stop, said).unwrap_or_else(|| plain(&stop))
}

fn plain(stop: &Stop) -> Diagnostic {
    // Any name could be called: that says little behind one.
    let called = |rule: &&Rule| **rule != Rule::open_paren || !stop.after_operand();
    let expected = list(&stop.expected.iter().filter(called).copied().collect::<Vec<_>>());
    let form = forms::form(stop);
    let last = stop.scan.tokens.get(stop.region.clone()).and_then(|tokens| tokens.last());
    let help = |finding: Diagnostic| match form {
        Some(form) => finding.help(form),
        None => finding.help("docs/language shows how each clause is written"),
    };
    if stop.found >= stop.region.end {
        let end = last.map(|token| stop.scan.span(token)).unwrap_or_default();
        return help(
            Diagnostic::error("unexpected-end", format!("expected {expected}, but this ends here"))
                .at(end, "after this"),
        );
    }
    let Some(token) = stop.scan.tokens.get(stop.found) else {
        return help(Diagnostic::error("unexpected-end", format!("expected {expected}")));
    };
    let text = stop.scan.text(token);
    let shown: String = text.chars().take(40).collect();
    let only_the_end = stop.expected.iter().all(|rule| *rule == Rule::EOI);
    let message = if only_the_end {
        format!("`{shown}` stands behind the end of this `{}`", stop.scan.word(stop.region.start))
    } else {
        format!("expected {expected}, found `{shown}`")
    };
    help(Diagnostic::error("unexpected-token", message).at(stop.scan.span(token), "not expected here"))
}

/// `a, b or c`, the most telling first.
fn list(rules: &[Rule]) -> String {
    // That it could also end here helps nobody, when something is there.
    let phrases: BTreeSet<(u8, &str)> =
        rules.iter().filter(|rule| **rule != Rule::EOI).filter_map(|rule| words::phrase(*rule)).collect();
    let mut unique: Vec<String> = Vec::new();
    for (_, phrase) in phrases {
        let phrase = if keyword_like(phrase) { format!("`{phrase}`") } else { phrase.to_owned() };
        if !unique.contains(&phrase) {
            unique.push(phrase);
        }
    }
    // More than this nobody reads.
    unique.truncate(6);
    match unique.split_last() {
        None => "something else".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

fn keyword_like(phrase: &str) -> bool {
    !phrase.contains(' ')
}
