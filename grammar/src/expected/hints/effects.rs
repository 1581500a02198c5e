//! What follows `then`.

use super::Stop;
use crate::diagnostic::Diagnostic;
use crate::lower::Rule;

/// `combine score { challenge: 50 }`
pub(super) fn step_with_colon(stop: &Stop) -> Option<Diagnostic> {
    let outcome = matches!(stop.back(1), "allow" | "challenge" | "block");
    let scale = (stop.region.start..stop.found)
        .any(|index| stop.scan.word(index) == "score" && stop.scan.word(index + 1) == "{");
    (stop.word() == ":" && outcome && scale).then_some(())?;
    let span = stop.span()?;
    Some(
        Diagnostic::error("unexpected-token", "a step is an outcome at a number of points")
            .at(span, "not a block of keys")
            .correct(format!("write `{} at {}`", stop.back(1), stop.ahead(1)), span, " at"),
    )
}

/// `challenge(qr)`, `challenge "qr"`
pub(super) fn method_in_parentheses(stop: &Stop) -> Option<Diagnostic> {
    (stop.back(1) == "challenge").then_some(())?;
    let (word, last) = match stop.word() {
        "(" if stop.ahead(2) == ")" => (stop.ahead(1), stop.found + 2),
        text if text.starts_with('"') => (text, stop.found),
        _ => return None,
    };
    let method = word.trim_matches('"');
    (!method.is_empty() && method.bytes().all(|byte| byte.is_ascii_lowercase())).then_some(())?;
    let span = stop.span()?.to(stop.span_of(last)?);
    let blank = if stop.touches_next(stop.found - 1) { " " } else { "" };
    Some(
        Diagnostic::error("unexpected-token", "a challenge's method is a plain word")
            .at(span, "not a call, and no text")
            .correct(format!("write `challenge {method}`"), span, format!("{blank}{method}")),
    )
}

/// `challenge reason X`: how the user is challenged is not said.
pub(super) fn missing_method(stop: &Stop) -> Option<Diagnostic> {
    let challenge = stop.before().filter(|token| stop.scan.text(token) == "challenge")?;
    let span = stop.scan.span(challenge);
    Some(Diagnostic::error("missing-method", "this challenge does not say how").at(span, "needs a method").correct(
        "write `challenge qr`",
        span.after(),
        " qr",
    ))
}

/// `then block, flag manual_review`, `then block and flag manual_review`
pub(super) fn comma_between_effects(stop: &Stop) -> Option<Diagnostic> {
    let what = match stop.word() {
        "," => "separated by commas",
        "and" => "joined by `and`",
        _ => return None,
    };
    stop.expects(&[Rule::effect]).then_some(())?;
    let span = stop.span()?;
    Some(
        Diagnostic::error("unexpected-token", format!("an outcome and its effects are not {what}"))
            .at(span, "not expected here")
            .correct("leave it out", span, ""),
    )
}
