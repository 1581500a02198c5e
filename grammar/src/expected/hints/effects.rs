//! What follows `then`.

use super::Stop;
use crate::diagnostic::Diagnostic;
use crate::lower::Rule;
use crate::scan::TokenKind;

/// `combine score { challenge: 50 }`, `{ challenge >= 50 }`, `{ 50: challenge }`
pub(super) fn step_otherwise(stop: &Stop) -> Option<Diagnostic> {
    let open = (stop.region.start..stop.found)
        .find(|index| stop.scan.word(*index) == "score" && stop.scan.word(index + 1) == "{")?;
    let finding = Diagnostic::error("unexpected-token", "a step is an outcome at a number of points");
    let span = stop.span()?;
    let sign = |word: &str| matches!(word, ":" | "=" | "==" | ">=" | ">" | "->" | "=>" | "from" | "over");
    if is_outcome(stop.back(1)) && sign(stop.word()) {
        let written = format!("write `{} at {}`", stop.back(1), stop.ahead(1));
        return Some(finding.at(span, "not `at`").correct(written, span, stop.spaced(stop.found, "at")));
    }
    if is_outcome(stop.back(1)) && points(stop, stop.found) && stop.expects(&[Rule::kw_at]) {
        let written = format!("write `{} at {}`", stop.back(1), stop.word());
        return Some(finding.at(span, "`at` is missing before it").correct(written, span.before(), "at "));
    }
    // The points first.
    let first =
        [stop.found, stop.found.saturating_sub(1)].into_iter().find(|at| *at > open + 1 && points(stop, *at))?;
    let last = first + 2;
    (sign(stop.scan.word(first + 1)) && is_outcome(stop.scan.word(last))).then_some(())?;
    let both = stop.span_of(first)?.to(stop.span_of(last)?);
    let written = format!("{} at {}", stop.scan.word(last), stop.scan.word(first));
    Some(finding.at(both, "the other way round").correct(format!("write `{written}`"), both, written))
}

fn points(stop: &Stop, at: usize) -> bool {
    stop.scan.kind(at) == Some(TokenKind::Number)
}

fn is_outcome(word: &str) -> bool {
    matches!(word, "allow" | "challenge" | "block")
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
    // A bound and a step have none.
    (!stop.expects(&[Rule::kw_at]) && stop.scan.word(stop.region.start) != "prove").then_some(())?;
    let span = stop.scan.span(challenge);
    Some(Diagnostic::error("missing-method", "this challenge does not say how").at(span, "needs a method").correct(
        "write `challenge qr`",
        span.after(),
        " qr",
    ))
}

/// `expect at least challenge qr`
pub(super) fn method_of_bound(stop: &Stop) -> Option<Diagnostic> {
    let bound = stop.back(1) == "challenge" && matches!(stop.back(2), "least" | "most");
    (bound && stop.token()?.kind == TokenKind::Word).then_some(())?;
    let span = stop.span()?;
    Some(
        Diagnostic::error("unexpected-token", "a bound is an outcome without its method")
            .at(span, "not needed")
            .correct("leave it out: every challenge is meant", stop.scan.span(stop.before()?).after().to(span), ""),
    )
}

/// `then block, flag manual_review`, `then block and flag manual_review`
pub(super) fn comma_between_effects(stop: &Stop) -> Option<Diagnostic> {
    let what = match stop.word() {
        "," => "separated by commas",
        "and" => "joined by `and`",
        _ => return None,
    };
    stop.expects(&[Rule::effect]).then_some(())?;
    let (span, next) = (stop.span()?, stop.ahead(1));
    if is_outcome(next) || matches!(next, "score" | "nothing") {
        return Some(
            Diagnostic::error("unexpected-token", "a rule has one outcome")
                .at(span.to(stop.span_of(stop.found + 1)?), "a second one")
                .help("write a rule for each outcome"),
        );
    }
    let finding = Diagnostic::error("unexpected-token", format!("an outcome and its effects are not {what}"))
        .at(span, "not expected here");
    Some(match (next, stop.back(2)) {
        ("reason" | "severity" | "flag" | "add", _) => {
            let gone = span.to(stop.span_of(stop.found + 1)?.before());
            let blank = if stop.touches_next(stop.found - 1) { " " } else { "" };
            finding.correct("leave it out", gone, blank)
        }
        (_, "flag") if stop.scan.kind(stop.found + 1) == Some(TokenKind::Word) => {
            finding.correct(format!("write `flag {next}`"), span, stop.spaced(stop.found, "flag"))
        }
        _ => finding.help("the effects are `reason`, `severity`, `flag` and `add`, one behind the other"),
    })
}

/// `on unknown stepup`, `on unknown step-up`
pub(super) fn step_up_otherwise(stop: &Stop) -> Option<Diagnostic> {
    (stop.back(1) == "unknown" && stop.expects(&[Rule::kw_step_up])).then_some(())?;
    let span = stop.span()?;
    let finding = |span| {
        let written = stop.scan.source.slice(span);
        Diagnostic::error("misspelled-keyword", format!("there is no `on unknown {written}`"))
            .at(span, "not expected here")
    };
    let help = "write `step_up`";
    Some(match (stop.word(), stop.ahead(1), stop.ahead(2)) {
        ("stepup" | "stepUp" | "StepUp", _, _) => finding(span).correct(help, span, "step_up"),
        ("step", "-", "up") => {
            let all = span.to(stop.span_of(stop.found + 2)?);
            finding(all).correct(help, all, "step_up")
        }
        ("step", "up", _) => {
            let all = span.to(stop.span_of(stop.found + 1)?);
            finding(all).correct(help, all, "step_up")
        }
        ("challenge" | "mfa" | "verify", _, _) => finding(span).suggest(help, span, "step_up"),
        ("block" | "allow" | "deny" | "ignore", _, _) => {
            finding(span).help("write `on unknown step_up`, `on unknown match` or `on unknown skip`")
        }
        _ => return None,
    })
}

/// `expect not r`, `expect rule not r`, `expect not block`
pub(super) fn expect_not_otherwise(stop: &Stop) -> Option<Diagnostic> {
    let (word, span) = (stop.word(), stop.span()?);
    // `not` was read as the rule's name.
    if stop.back(1) == "not" && stop.back(2) == "rule" && stop.back(3) == "expect" {
        let both = stop.span_of(stop.found - 2)?.to(stop.scan.span(stop.before()?));
        return Some(
            Diagnostic::error("unexpected-token", "`not` stands before `rule`")
                .at(both, "the other way round")
                .correct(format!("write `expect not rule {word}`"), both, "not rule"),
        );
    }
    (stop.back(1) == "not" && stop.back(2) == "expect" && stop.expects(&[Rule::kw_rule])).then_some(())?;
    (stop.token()?.kind == TokenKind::Word).then_some(())?;
    let finding = Diagnostic::error("unexpected-token", format!("`rule` is missing before `{word}`"));
    Some(if is_outcome(word) {
        Diagnostic::error("unexpected-token", "what is not expected is a rule")
            .at(span, "an outcome")
            .help("name the outcome that is expected, or a rule that does not match: `expect not rule NAME`")
    } else {
        finding.at(span, "the name of a rule").correct(
            format!("write `expect not rule {word}`"),
            span.before(),
            "rule ",
        )
    })
}

/// `expect challenge qr { level: possession }`
pub(super) fn options_of_expected(stop: &Stop) -> Option<Diagnostic> {
    let expected =
        stop.scan.word(stop.region.start) == "expect" && stop.scan.word(stop.region.start + 1) == "challenge";
    (expected && stop.word() == "{" && stop.found <= stop.region.start + 3).then_some(())?;
    let close = stop.scan.brackets.close_of(stop.found).filter(|close| *close < stop.region.end);
    let finding = Diagnostic::error("unexpected-token", "`expect` names only the outcome").at(stop.span()?, "not here");
    let help = "leave the braces out: how the challenge is made is the rule's to say";
    Some(match close.and_then(|close| stop.span_of(close)) {
        Some(close) => finding.suggest(help, stop.scan.span(stop.before()?).after().to(close), ""),
        None => finding.help(help),
    })
}
