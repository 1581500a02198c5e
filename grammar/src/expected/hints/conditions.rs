//! Conditions: comparisons and what connects them.

use super::Stop;
use crate::diagnostic::{Applicability, Diagnostic};
use crate::lower::Rule;
use crate::nearest;
use crate::scan::{Scan, Token, TokenKind};
use crate::source::Span;

/// `when x > 5 block`
pub(super) fn missing_then(stop: &Stop) -> Option<Diagnostic> {
    let outcome = matches!(stop.word(), "allow" | "challenge" | "block" | "score" | "nothing");
    let in_condition = stop.after_operand() && condition_start(stop).is_some();
    (outcome && in_condition && !stop.expects(&[Rule::expect, Rule::kw_expect])).then_some(())?;
    let span = stop.span()?;
    Some(
        Diagnostic::error("missing-then", format!("`then` is missing before `{}`", stop.word()))
            .at(span, "the outcome starts here")
            .correct(format!("write `then {}`", stop.word()), span.before(), "then "),
    )
}

/// The `when` or `unless` the stop is behind.
pub(super) fn condition_start(stop: &Stop) -> Option<usize> {
    // Read on behind a capital, what was corrected still stands in the source.
    let begins = |word: &str| ["when", "unless"].iter().any(|clause| word.eq_ignore_ascii_case(clause));
    let slip =
        |index: usize| index == stop.region.start && nearest(stop.scan.word(index), ["when", "unless"]).is_some();
    (stop.region.start..stop.found).rev().find(|index| begins(stop.scan.word(*index)) || slip(*index))
}

const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

/// `a < b < c`
pub(super) fn chained_comparison(stop: &Stop) -> Option<Diagnostic> {
    let again = COMPARISONS.contains(&stop.word()).then(|| stop.token())??;
    let mut index = stop.found;
    while index > stop.region.start {
        index -= 1;
        let token = stop.scan.tokens.get(index)?;
        if token.depth > again.depth || matches!(token.kind, TokenKind::Close(_)) {
            continue;
        }
        let text = stop.scan.text(token);
        if token.depth < again.depth
            || matches!(text, "and" | "or" | "&&" | "||" | "not" | "when" | "unless" | "where" | "," | "let")
        {
            return None;
        }
        if COMPARISONS.contains(&text) {
            let middle = stop.scan.source.text.get(token.end..again.start).unwrap_or_default().trim();
            if middle.is_empty() {
                let both = stop.scan.span(token).to(stop.scan.span(again));
                return Some(
                    Diagnostic::error("wrong-operator", format!("`{text}{}` is not an operator", stop.word()))
                        .at(both, "two comparisons with nothing between them")
                        .help("compare with `==`, `!=`, `<`, `<=`, `>` or `>=`"),
                );
            }
            let help = if middle.len() <= 40 && !middle.contains('\n') {
                format!("say it twice: `… {text} {middle} and {middle} {} …`, or use `between`", stop.word())
            } else {
                "join two comparisons with `and`, or use `between`".to_owned()
            };
            return Some(
                Diagnostic::error("chained-comparison", "comparisons do not chain")
                    .at(stop.scan.span(again), "a second comparison")
                    .also(stop.scan.span(token), "the first")
                    .help(help),
            );
        }
    }
    None
}

/// `is null`, `is not empty`, `x missing`
pub(super) fn absence(stop: &Stop) -> Option<Diagnostic> {
    let span = stop.span()?;
    let word = stop.word();
    if stop.expects(&[Rule::kw_missing, Rule::kw_known]) {
        let meant = match word.to_ascii_lowercase().as_str() {
            "null" | "nil" | "none" | "undefined" | "empty" | "absent" | "nothing" | "unknown" => "missing",
            "present" | "set" | "there" | "given" | "defined" => "known",
            _ => return comparison_with_is(stop),
        };
        return Some(
            Diagnostic::error("wrong-operator", format!("there is no `is {word}`"))
                .at(span, "a word of another language")
                .correct(format!("write `is {meant}`"), span, meant),
        );
    }
    let bare = matches!(word, "missing" | "known") && stop.after_operand() && stop.back(1) != "is";
    bare.then(|| {
        Diagnostic::error("unexpected-token", format!("`is` is missing before `{word}`"))
            .at(span, "asks about absence")
            .correct(format!("write `is {word}`"), span.before(), "is ")
    })
}

/// `?`, `%`, `[` and their like behind an operand.
pub(super) fn foreign_sign(stop: &Stop) -> Option<Diagnostic> {
    stop.after_operand().then_some(())?;
    let (message, help) = match stop.word() {
        "?" => ("there is no `? :`", "write two rules, or `??` for a value that may be missing"),
        "%" => ("there is no remainder", "the operators are `+`, `-`, `*` and `/`"),
        "[" => ("nothing is picked out of a list by its place", "ask whether a value is in it: `value in list`"),
        "." if stop.ahead(1) == "*" => ("a part of the addresses is a network", "write `ip in 203.0.113.0/24`"),
        "." => (
            "a name or a number does not stand like this",
            "names are joined by a point without blanks; a text stands in double quotes",
        ),
        "{" => ("an expression has no braces", "group with `(` and `)`; an outcome follows `then` without braces"),
        "," if !stop.expects(&[Rule::comma]) => {
            ("conditions are not separated by commas", "join them with `and` or `or`")
        }
        _ => return None,
    };
    Some(Diagnostic::error("wrong-operator", message).at(stop.span()?, "not an operator").help(help))
}

/// `is "failed"`, `is not NZ`
fn comparison_with_is(stop: &Stop) -> Option<Diagnostic> {
    let token = stop.token()?;
    let code = matches!(stop.word().len(), 2 | 3) && stop.word().bytes().all(|byte| byte.is_ascii_uppercase());
    let value =
        matches!(token.kind, TokenKind::Text | TokenKind::Number) || (code && capital(stop.scan, token).is_none());
    value.then_some(())?;
    let (operator, first) =
        if stop.back(1) == "not" { ("!=", stop.found.checked_sub(2)?) } else { ("==", stop.found.checked_sub(1)?) };
    let is = stop.span_of(first)?.to(stop.span_of(stop.found.checked_sub(1)?)?);
    Some(
        Diagnostic::error("wrong-operator", format!("`{}` does not compare", stop.scan.source.slice(is)))
            .at(is, "asks about absence")
            .correct(format!("to compare, write `{operator}`"), is, operator),
    )
}

/// `AND`, `OR`, `NOT`: read as names, so it is the token after or the word itself that does not fit.
pub(super) fn capital_operator(stop: &Stop) -> Option<Diagnostic> {
    let place =
        [stop.token(), stop.before()].into_iter().flatten().find(|token| capital(stop.scan, token).is_some())?;
    let (written, span) = (stop.scan.text(place), stop.scan.span(place));
    let meant = capital(stop.scan, place)?;
    Some(
        Diagnostic::error("wrong-operator", format!("`{written}` is not an operator here"))
            .at(span, "in capitals it is a name")
            .correct(format!("write `{meant}`"), span, meant),
    )
}

fn capital(scan: &Scan, token: &Token) -> Option<&'static str> {
    match scan.text(token) {
        "AND" | "And" => Some("and"),
        "OR" | "Or" => Some("or"),
        "NOT" | "Not" => Some("not"),
        "IN" => Some("in"),
        "IS" => Some("is"),
        _ => None,
    }
}

/// `is true`, `is not false`
pub(super) fn is_true(stop: &Stop) -> Option<Diagnostic> {
    let word = stop.word();
    (stop.expects(&[Rule::kw_missing, Rule::kw_known]) && matches!(word, "true" | "false")).then_some(())?;
    let negated = stop.back(1) == "not";
    let first = stop.found.checked_sub(if negated { 2 } else { 1 })?;
    let is = stop.span_of(first)?.to(stop.scan.span(stop.before()?));
    // What is absent is not false either: whether that is meant, nobody knows.
    let (operator, sure) = if negated { ("!=", Applicability::Likely) } else { ("==", Applicability::Certain) };
    Some(
        Diagnostic::error("wrong-operator", format!("`{}` does not compare", stop.scan.source.slice(is)))
            .at(is, "asks about absence")
            .with_fix(format!("write `{operator} {word}`, or the condition alone"), is, operator, sure),
    )
}

/// `not is missing`, `isnt missing`, `is not in [..]`
pub(super) fn not_of_is(stop: &Stop) -> Option<Diagnostic> {
    let (word, span) = (stop.word(), stop.span()?);
    let finding = |what: &str, span: Span| {
        Diagnostic::error("wrong-operator", format!("there is no `{what}`")).at(span, "not an operator")
    };
    if word == "is" && stop.back(1) == "not" {
        let both = stop.scan.span(stop.before()?).to(span);
        return Some(finding("not is", both).correct("write `is not`", both, "is not"));
    }
    if word == "in" && stop.back(1) == "not" && stop.back(2) == "is" {
        let all = stop.span_of(stop.found - 2)?.to(span);
        return Some(finding("is not in", all).correct("write `not in`", all, "not in"));
    }
    let asks = matches!(stop.ahead(1), "missing" | "known");
    (matches!(word, "isnt" | "isn" | "aint") && stop.after_operand() && asks).then_some(())?;
    Some(finding(word, span).correct("write `is not`", span, "is not"))
}

/// `ok == missing`
pub(super) fn equals_missing(stop: &Stop) -> Option<Diagnostic> {
    let asked = matches!(stop.word(), "missing" | "known") && matches!(stop.back(1), "==" | "!=" | "=");
    asked.then_some(())?;
    let meant = if stop.back(1) == "!=" { "is not" } else { "is" };
    let operator = stop.scan.span(stop.before()?);
    Some(
        Diagnostic::error("wrong-operator", format!("`{}` is no value to compare with", stop.word()))
            .at(stop.span()?, "asked with `is`")
            .correct(format!("write `{meant} {}`", stop.word()), operator, stop.spaced(stop.found - 1, meant)),
    )
}

/// `when { … }`, `when [ … ]`
pub(super) fn condition_in_braces(stop: &Stop) -> Option<Diagnostic> {
    (matches!(stop.back(1), "when" | "unless" | "and" | "or" | "not") && matches!(stop.word(), "{" | "["))
        .then_some(())?;
    Some(
        Diagnostic::error("unexpected-token", "conditions are grouped with `(` and `)`")
            .at(stop.span()?, "another bracket")
            .help(format!("write `{} a > 3 and (b or c)`, without braces around it", stop.back(1))),
    )
}
