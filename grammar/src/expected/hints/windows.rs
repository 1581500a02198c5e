//! Windows and aggregates.

use super::Stop;
use crate::diagnostic::{Applicability, Diagnostic};
use crate::lower::Rule;

/// `where outcome == "failed" by user`
pub(super) fn where_without_parentheses(stop: &Stop) -> Option<Diagnostic> {
    (stop.back(1) == "where" && stop.expected.contains(&Rule::open_paren)).then_some(())?;
    let depth = stop.token()?.depth;
    let end = (stop.found..stop.region.end).find(|index| {
        stop.scan.word(*index) == "by" && stop.scan.tokens.get(*index).is_some_and(|token| token.depth == depth)
    })?;
    (end > stop.found).then_some(())?;
    let (first, last) = (stop.span()?, stop.span_of(end - 1)?);
    Some(
        Diagnostic::error("unexpected-token", "the condition of a `where` stands in parentheses")
            .at(first.to(last), "without them")
            .with_edits("write `where (…)`", [(first.before(), "("), (last.after(), ")")], Applicability::Certain),
    )
}

/// `of sign_in over 1h by user`
pub(super) fn window_before_key(stop: &Stop) -> Option<Diagnostic> {
    (stop.word() == "over" && stop.ahead(2) == "by" && stop.expects(&[Rule::keys, Rule::kw_by])).then_some(())?;
    let mut last = stop.found + 3;
    while stop.scan.word(last + 1) == "." || stop.scan.word(last + 1) == "," {
        last += 2;
    }
    let window = stop.span()?.to(stop.span_of(stop.found + 1)?);
    let keys = stop.span_of(stop.found + 2)?.to(stop.span_of(last)?);
    let written = format!("{} {}", stop.scan.source.slice(keys), stop.scan.source.slice(window));
    Some(
        Diagnostic::error("unexpected-token", "the key stands before the window")
            .at(window.to(keys), "the other way round")
            .correct(format!("write `{written}`"), window.to(keys), written),
    )
}

/// `count(*)`
pub(super) fn star_in_count(stop: &Stop) -> Option<Diagnostic> {
    (stop.word() == "*" && stop.back(1) == "(" && stop.back(2) == "count").then_some(())?;
    let span = stop.span()?;
    Some(
        Diagnostic::error("unexpected-token", "`count()` counts events and takes no `*`")
            .at(span, "not needed")
            .correct("write `count()`", span, ""),
    )
}

/// `count distinct payee of withdrawal`, `count(distinct(payee))`
pub(super) fn distinct_in_brackets(stop: &Stop) -> Option<Diagnostic> {
    let from = stop.found.saturating_sub(7).max(stop.region.start);
    let at = (from..=stop.found).find(|at| {
        let words = [1, 2].map(|next| stop.scan.word(at + next));
        stop.scan.word(*at) == "count" && (words == ["(", "distinct"] || words[0] == "distinct")
    })?;
    let called = stop.scan.word(at + 1) == "(";
    let (first, open) = if called { (at + 4, stop.scan.word(at + 3) == "(") } else { (at + 2, false) };
    (open == called).then_some(())?;
    let mut last = first;
    while stop.scan.word(last + 1) == "." {
        last += 2;
    }
    let field = stop.scan.source.slice(stop.span_of(first)?.to(stop.span_of(last)?));
    let span = stop.span_of(at)?.to(stop.span_of(if called { last + 2 } else { last })?);
    let written = format!("count(distinct {field})");
    let whole = stop.scan.source.slice(span).replace(' ', "")
        == if called { format!("count(distinct({field}))") } else { format!("countdistinct{field}") };
    whole.then(|| {
        Diagnostic::error("unexpected-token", "what is counted stands in the parentheses of `count`, behind `distinct`")
            .at(span, "written otherwise")
            .correct(format!("write `{written}`"), span, written)
    })
}

/// `count of sign_in by user`
pub(super) fn brackets_of_count(stop: &Stop) -> Option<Diagnostic> {
    let at = [stop.found.checked_sub(1)?, stop.found.checked_sub(2)?]
        .into_iter()
        .find(|at| stop.region.contains(at) && stop.scan.word(*at) == "count" && stop.scan.word(*at + 1) == "of")?;
    let span = stop.span_of(at)?;
    Some(Diagnostic::error("unexpected-token", "`count` is followed by parentheses").at(span, "counts what?").correct(
        "write `count()`, or `count(distinct field)`",
        span.after(),
        "()",
    ))
}

/// `over the last 1h`, `within 1h`, `per user`
pub(super) fn other_window(stop: &Stop) -> Option<Diagnostic> {
    let span = stop.span()?;
    let word = stop.word();
    if stop.expects(&[Rule::duration])
        // `in`, which was found to be meant for `over`, still stands in the source.
        && matches!(stop.back(1), "over" | "in" | "within" | "during")
        && matches!(word, "the" | "last" | "past" | "a" | "previous")
    {
        let last = (stop.found..stop.region.end)
            .take_while(|index| matches!(stop.scan.word(*index), "the" | "last" | "past" | "a" | "previous"))
            .last()?;
        let words = span.to(stop.span_of(last)?);
        return Some(
            Diagnostic::error(
                "unexpected-token",
                format!("a window is only its length, without `{}`", stop.scan.source.slice(words)),
            )
            .at(words, "not needed")
            .correct("leave it out, as in `over 1h`", words, ""),
        );
    }
    let meant = match word {
        "within" | "in" | "during" | "last"
            if stop.expects(&[Rule::window, Rule::kw_over, Rule::since, Rule::kw_since]) =>
        {
            "over"
        }
        "per" | "for" | "group" | "grouped" if stop.expects(&[Rule::keys, Rule::kw_by]) => "by",
        "group_by" if stop.expects(&[Rule::keys, Rule::kw_by]) => "by",
        "from" | "on" | "in" if stop.expects(&[Rule::kw_of]) && stop.back(1) == ")" => "of",
        _ => return None,
    };
    let words = match (word, stop.ahead(1)) {
        ("group" | "grouped", "by") => span.to(stop.span_of(stop.found + 1)?),
        _ => span,
    };
    Some(
        Diagnostic::error("unexpected-token", format!("expected `{meant}`, found `{}`", stop.scan.source.slice(words)))
            .at(words, "not expected here")
            .correct(format!("write `{meant}`"), words, meant),
    )
}

/// `over -1h`
pub(super) fn negative_length(stop: &Stop) -> Option<Diagnostic> {
    (stop.word() == "-" && stop.expects(&[Rule::duration])).then_some(())?;
    let span = stop.span()?;
    Some(Diagnostic::error("unexpected-token", "a length of time is not negative").at(span, "not here").suggest(
        "leave it out",
        span,
        "",
    ))
}
