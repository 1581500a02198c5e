//! Conditions as they are said aloud: amounts, comparisons and aggregates in the words of other tools.

use super::Stop;
use super::windows::{is_aggregate, is_of};
use crate::diagnostic::{Applicability, Diagnostic};
use crate::lower::Rule;
use crate::nearest::meant;
use crate::scan::TokenKind;
use crate::source::Span;

/// `EUR 10`
pub(super) fn currency_first(stop: &Stop) -> Option<Diagnostic> {
    let (currency, number) = (stop.back(1), stop.word());
    let capitals = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
    (capitals && stop.token()?.kind == TokenKind::Number).then_some(())?;
    let both = stop.scan.span(stop.before()?).to(stop.span()?);
    let written = format!("{number} {currency}");
    Some(
        Diagnostic::error("unexpected-token", "an amount stands before its currency")
            .at(both, "the other way round")
            .correct(format!("write `{written}`"), both, written),
    )
}

/// `10 Euro`, `3 miles`
pub(super) fn unit_in_words(stop: &Stop) -> Option<Diagnostic> {
    let number = stop.before().filter(|token| token.kind == TokenKind::Number)?;
    let (span, word) = (stop.span()?, stop.word());
    let currency = match word.to_ascii_lowercase().as_str() {
        "euro" | "euros" => "EUR",
        "dollar" | "dollars" => "USD",
        "pound" | "pounds" => "GBP",
        "franc" | "francs" | "franken" => "CHF",
        "yen" => "JPY",
        unit => {
            let what = match unit {
                "mi" | "mile" | "miles" => "a distance is in kilometres: `200 km`",
                "mph" | "kmh" | "kph" => "a speed is in kilometres an hour: `1000 km/h`",
                _ => return None,
            };
            let both = stop.scan.span(number).to(span);
            let digits = stop.scan.text(number);
            return Some(
                Diagnostic::error("unknown-unit", format!("`{digits} {word}` is not a literal"))
                    .at(both, "not a unit")
                    .help(what),
            );
        }
    };
    Some(
        Diagnostic::error("unexpected-token", format!("`{word}` is not a currency"))
            .at(span, "a currency is three capitals")
            .suggest(format!("write `{currency}`"), span, currency),
    )
}

/// `amount > 10 EUR and < 20 EUR`
pub(super) fn nothing_compared(stop: &Stop) -> Option<Diagnostic> {
    let (word, joint) = (stop.word(), stop.back(1));
    // `&&` was read as `and`, and still stands in the source.
    let joint = match joint {
        "&&" => "and",
        "||" => "or",
        _ => joint,
    };
    (matches!(joint, "and" | "or") && matches!(word, "==" | "!=" | "<" | "<=" | ">" | ">=")).then_some(())?;
    Some(
        Diagnostic::error("unexpected-token", format!("nothing is compared by this `{word}`"))
            .at(stop.span()?, "compares what?")
            .help(format!("each side of `{joint}` is a condition of its own: repeat the name, or use `between`")),
    )
}

/// `over calendar day > 3`
pub(super) fn calendar_without_zone(stop: &Stop) -> Option<Diagnostic> {
    let unit = stop.back(1);
    (matches!(unit, "hour" | "day" | "week" | "month") && stop.back(2) == "calendar" && stop.word() != "in")
        .then_some(())?;
    let span = stop.scan.span(stop.before()?);
    Some(
        Diagnostic::error("unexpected-token", format!("a calendar {unit} means nothing without a zone"))
            .at(span, "in which zone?")
            .suggest("add the zone: `in user.tz ?? \"UTC\"`", span.after(), " in user.tz ?? \"UTC\""),
    )
}

/// `average(n) of`, `count(unique ip)`
pub(super) fn other_aggregate(stop: &Stop) -> Option<Diagnostic> {
    if matches!(stop.back(1), "unique" | "different") && stop.back(2) == "(" {
        let (word, span) = (stop.back(1), stop.scan.span(stop.before()?));
        return Some(
            Diagnostic::error("unexpected-token", format!("there is no `{word}` in the language"))
                .at(span, "a word of another language")
                .correct("write `distinct`", span, "distinct"),
        );
    }
    // `in` is read on: what cannot follow is the key.
    let joint = if stop.back(2) == "in" && !is_of(stop.word()) { stop.found - 2 } else { stop.found };
    (is_of(stop.scan.word(joint)) && stop.scan.kind(joint.checked_sub(1)?) == Some(TokenKind::Close(b')')))
        .then_some(())?;
    let depth = stop.scan.tokens.get(joint - 1)?.depth;
    let open = (stop.region.start..joint).rev().find(|at| {
        let token = stop.scan.tokens.get(*at);
        token.is_some_and(|token| token.kind == TokenKind::Open(b'(') && token.depth == depth)
    })?;
    let at = open.checked_sub(1)?;
    let (word, span) = (stop.scan.word(at), stop.span_of(at)?);
    let meant = match word.to_ascii_lowercase().as_str() {
        "average" | "mean" => "avg",
        "total" | "add" => "sum",
        "maximum" | "highest" => "max",
        "minimum" | "lowest" => "min",
        "number" | "cnt" => "count",
        "std" | "stdev" | "deviation" => "stddev",
        _ if is_aggregate(word) && stop.scan.word(joint) == "in" => {
            let span = stop.span_of(joint)?;
            return Some(
                Diagnostic::error("unexpected-token", "expected `of`, found `in`")
                    .at(span, "not expected here")
                    .correct("write `of`", span, "of"),
            );
        }
        _ => return None,
    };
    Some(
        Diagnostic::error("unexpected-token", format!("there is no aggregate `{word}`"))
            .at(span, "a word of another language")
            .with_edits(
                format!("write `{meant}`"),
                [(span, meant), (stop.span_of(joint)?, "of")],
                Applicability::Certain,
            ),
    )
}

/// `rule my-rule {`
pub(super) fn dash_in_name(stop: &Stop) -> Option<Diagnostic> {
    let named = matches!(stop.back(2), "rule" | "policy" | "event" | "reason" | "let" | "script");
    let first = stop.before().filter(|token| named && stop.word() == "-" && token.kind == TokenKind::Word)?;
    let mut last = stop.found;
    while stop.touches_next(last)
        && (stop.scan.word(last + 1) == "-"
            || matches!(stop.scan.kind(last + 1), Some(TokenKind::Word | TokenKind::Number)))
    {
        last += 1;
    }
    let span = stop.scan.span(first).to(stop.span_of(last)?);
    let name = stop.scan.source.slice(span).replace('-', "_");
    (stop.touches_next(stop.found - 1) && last > stop.found).then(|| {
        Diagnostic::error("unexpected-token", "there is no `-` in a name").at(span, "letters, digits and `_`").suggest(
            format!("write `{name}`"),
            span,
            name,
        )
    })
}

/// `starts with`, `is greater than`: what stands where a comparison is due.
pub(super) fn comparison_in_words(stop: &Stop) -> Option<Diagnostic> {
    let (word, after_is) = (stop.word(), stop.back(1) == "is");
    (after_is || stop.expects(&[Rule::compare, Rule::compare_op])).then_some(())?;
    let help = match word {
        "greater" | "more" | "larger" | "above" | "over" | "exceeds" => "compare with `>`, or `>=` for “at least”",
        "less" | "smaller" | "fewer" | "below" | "under" => "compare with `<`, or `<=` for “at most”",
        "starts" | "begins" => "use a pattern: `matches \"^text\"`",
        "ends" => "use a pattern: `matches \"text$\"`",
        _ => return None,
    };
    Some(
        Diagnostic::error("wrong-operator", format!("there is no operator `{word}`"))
            .at(stop.span()?, "not an operator")
            .help(help),
    )
}

/// `cuont() of e`, `first_sen(ip) by user`, `count(distint payee) of e`: a function of history, misspelt.
pub(super) fn misspelt_function(stop: &Stop) -> Option<Diagnostic> {
    if stop.back(2) == "(" && is_aggregate(stop.back(3)) && stop.token()?.kind == TokenKind::Word {
        let span = stop.scan.span(stop.before()?);
        let (near, sure) = meant(stop.back(1), ["distinct"])?;
        return Some(misspelt(stop.back(1), span, near, sure));
    }
    const AGGREGATES: [&str; 7] = ["count", "sum", "avg", "min", "max", "stddev", "p95"];
    const SEEN: [&str; 3] = ["first_seen", "last_seen", "times_seen"];
    let candidates: &[&'static str] = match stop.word() {
        "of" => &AGGREGATES,
        "by" => &SEEN,
        _ => return None,
    };
    (stop.back(1) == ")").then_some(())?;
    let depth = stop.before()?.depth;
    let open = (stop.region.start..stop.found).rev().find(|at| {
        let token = stop.scan.tokens.get(*at);
        token.is_some_and(|token| token.kind == TokenKind::Open(b'(') && token.depth == depth)
    })?;
    let at = open.checked_sub(1).filter(|at| stop.region.contains(at))?;
    let (near, sure) = meant(stop.scan.word(at), candidates.iter().copied())?;
    Some(misspelt(stop.scan.word(at), stop.span_of(at)?, near, sure))
}

fn misspelt(word: &str, span: Span, near: &'static str, sure: Applicability) -> Diagnostic {
    Diagnostic::error("misspelled-keyword", format!("there is no `{word}` here"))
        .at(span, "not a word of the language")
        .with_fix(format!("did you mean `{near}`?"), span, near, sure)
}
