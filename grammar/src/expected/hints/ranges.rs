//! Ranges and sets, as they are said aloud.

use super::Stop;
use super::literals::{comma_in_number, comma_run};
use crate::diagnostic::{Applicability, Diagnostic};
use crate::lower::Rule;
use crate::scan::TokenKind;

/// `n in 3 to 5`, `n from 3 to 5`
pub(super) fn range_in_words(stop: &Stop) -> Option<Diagnostic> {
    let span = stop.span()?;
    if matches!(stop.word(), "to" | "until" | "through" | "upto") && stop.expects(&[Rule::dots]) && in_is_near(stop) {
        return Some(
            Diagnostic::error("unexpected-token", "a range is written with two points").at(span, "in words").correct(
                "write `..`",
                span,
                "..",
            ),
        );
    }
    (stop.word() == "from" && stop.after_operand()).then_some(())?;
    let to =
        (stop.found + 2..=stop.found + 3).find(|at| matches!(stop.scan.word(*at), "to" | "until" | "and" | "-"))?;
    let (low, to) = (stop.span_of(stop.found + 1)?.to(stop.span_of(to - 1)?), stop.span_of(to)?);
    let low = stop.scan.source.slice(low);
    Some(Diagnostic::error("unexpected-token", "there is no `from … to …`").at(span, "of another language").with_edits(
        format!("write `between {low} and …`; both ends belong to it"),
        [(span, "between"), (to, "and")],
        Applicability::Certain,
    ))
}

/// Whether the operand before the stop stands behind an `in`.
fn in_is_near(stop: &Stop) -> bool {
    [2, 3].into_iter().any(|back| stop.back(back) == "in")
}

/// `n in between 3 and 5`, `n is between 3 and 5`
pub(super) fn word_before_between(stop: &Stop) -> Option<Diagnostic> {
    let word = stop.back(1);
    (matches!(stop.word(), "between" | "in") && matches!(word, "in" | "is") && stop.word() != word).then_some(())?;
    let span = stop.scan.span(stop.before()?);
    Some(
        Diagnostic::error("unexpected-token", format!("`{}` stands without `{word}`", stop.word()))
            .at(span, "not needed")
            .correct("leave it out", span.to(stop.span()?.before()), ""),
    )
}

/// `n between [3, 5]`, `n between (3, 5)`
pub(super) fn brackets_of_between(stop: &Stop) -> Option<Diagnostic> {
    let near = stop.found.saturating_sub(4).max(stop.region.start)..=stop.found;
    let open = near.into_iter().find(|at| {
        matches!(stop.scan.kind(*at), Some(TokenKind::Open(b'[' | b'(')))
            && *at > 0
            && stop.scan.word(at - 1) == "between"
    })?;
    let close = stop.scan.brackets.close_of(open).filter(|close| *close < stop.region.end)?;
    let commas: Vec<usize> = (open + 1..close).filter(|at| stop.scan.word(*at) == ",").collect();
    let [comma] = commas.as_slice() else { return None };
    (stop.found <= *comma).then_some(())?;
    let (first, comma, last) = (stop.span_of(open)?, stop.span_of(*comma)?, stop.span_of(close)?);
    let blank = if stop.touches_next(open - 1) { " " } else { "" };
    Some(
        Diagnostic::error("unexpected-token", "the ends of `between` stand without brackets")
            .at(first.to(last), "in brackets")
            .with_edits(
                "write `between … and …`; both ends belong to it",
                [(first, blank), (comma, " and"), (last, "")],
                Applicability::Certain,
            ),
    )
}

/// `n in [3..5]`
pub(super) fn range_in_brackets(stop: &Stop) -> Option<Diagnostic> {
    let dots = matches!(stop.word(), ".." | "..." | "to") && stop.expects(&[Rule::close_bracket]);
    let open = [2, 3].into_iter().find(|back| dots && stop.back(*back) == "[").map(|back| stop.found - back)?;
    let close = stop.scan.brackets.close_of(open).filter(|close| *close < stop.region.end)?;
    let one = stop.scan.word(open.checked_sub(1)?) == "in" && !(open..close).any(|at| stop.scan.word(at) == ",");
    one.then_some(())?;
    let (first, dots, last) = (stop.span_of(open)?, stop.span()?, stop.span_of(close)?);
    Some(
        Diagnostic::error("unexpected-token", "a range stands without brackets")
            .at(first.to(last), "in brackets")
            .with_edits(
                "write `in a..b`; both ends belong to it",
                [(first, ""), (dots, ".."), (last, "")],
                Applicability::Certain,
            ),
    )
}

/// `payee in "a", "b"`
pub(super) fn set_without_brackets(stop: &Stop) -> Option<Diagnostic> {
    let constant = |at: usize| {
        matches!(stop.scan.kind(at), Some(TokenKind::Text | TokenKind::Number)) || is_code(stop.scan.word(at))
    };
    let first = stop.found.checked_sub(1).filter(|first| stop.word() == "," && constant(*first))?;
    (stop.back(2) == "in" && stop.after_operand()).then_some(())?;
    let mut last = first;
    while stop.scan.word(last + 1) == "," && constant(last + 2) && last + 2 < stop.region.end {
        last += 2;
    }
    (last > first).then_some(())?;
    if comma_in_number(stop, &["..", "..."]) {
        return None;
    }
    // `100,200` may be one number.
    let glued = (stop.found..last)
        .step_by(2)
        .any(|comma| comma_run(stop, comma).is_some() && stop.scan.word(comma + 1).len() == 3);
    let sure = if glued { Applicability::Likely } else { Applicability::Certain };
    let (first, last) = (stop.span_of(first)?, stop.span_of(last)?);
    Some(
        Diagnostic::error("unexpected-token", "a set stands in square brackets")
            .at(first.to(last), "without them")
            .with_edits("write `[…]`", [(first.before(), "["), (last.after(), "]")], sure),
    )
}

fn is_code(word: &str) -> bool {
    matches!(word.len(), 2 | 3) && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// `payee not matches "x"`, `n not between 3 and 5`
pub(super) fn not_before_operator(stop: &Stop) -> Option<Diagnostic> {
    let word = stop.word();
    (stop.back(1) == "not" && matches!(word, "matches" | "between")).then_some(())?;
    let not = stop.found - 1;
    let mut first = not.checked_sub(1).filter(|at| stop.scan.kind(*at) == Some(TokenKind::Word))?;
    while first >= stop.region.start + 2 && stop.scan.word(first - 1) == "." {
        first -= 2;
    }
    let (value, not) = (stop.span_of(first)?.to(stop.span_of(not - 1)?), stop.span_of(not)?);
    let finding = Diagnostic::error("wrong-operator", format!("there is no `not {word}`")).at(not, "not here");
    let written = format!("write `not {} {word} …`", stop.scan.source.slice(value));
    let begins = first.checked_sub(1).map_or("", |before| stop.scan.word(before));
    Some(if matches!(begins, "when" | "unless" | "and" | "or" | "(" | "=") {
        finding.with_edits(
            written,
            [(value.before(), "not "), (not.to(stop.span()?.before()), "")],
            Applicability::Certain,
        )
    } else {
        finding.help(written)
    })
}
