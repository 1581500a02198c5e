//! Windows and aggregates.

use super::Stop;
use crate::ast;
use crate::diagnostic::{Applicability, Diagnostic};
use crate::lower::Rule;
use crate::scan::{TokenKind, meant_unit};

/// `where outcome == "failed" by user`
pub(super) fn where_without_parentheses(stop: &Stop) -> Option<Diagnostic> {
    (stop.back(1) == "where" && stop.expected.contains(&Rule::open_paren)).then_some(())?;
    let depth = stop.token()?.depth;
    let end = (stop.found..stop.region.end).find(|index| {
        let ends = match stop.scan.word(*index) {
            "by" | "per" | "for" | "group" | "group_by" | "over" | "within" | "since" => true,
            "in" => is_filler(stop.scan.word(index + 1)),
            _ => false,
        };
        ends && stop.scan.tokens.get(*index).is_some_and(|token| token.depth == depth)
    })?;
    (end > stop.found).then_some(())?;
    let (first, last) = (stop.span()?, stop.span_of(end - 1)?);
    Some(
        Diagnostic::error("unexpected-token", "the condition of a `where` stands in parentheses")
            .at(first.to(last), "without them")
            .with_edits("write `where (…)`", [(first.before(), "("), (last.after(), ")")], Applicability::Certain),
    )
}

/// `of sign_in over 1h by user`, `of sign_in in the last 60 min per user`
pub(super) fn window_before_key(stop: &Stop) -> Option<Diagnostic> {
    (matches!(stop.word(), "over" | "within" | "in" | "during") && stop.expects(&[Rule::keys, Rule::kw_by]))
        .then_some(())?;
    let mut length = stop.found + 1;
    while is_filler(stop.scan.word(length)) {
        length += 1;
    }
    let (last, written) = length_at(stop, length)?;
    let key = match [1, 2].map(|next| stop.scan.word(last + next)) {
        ["group" | "grouped", "by"] => last + 3,
        ["by" | "per" | "for" | "group_by", _] => last + 2,
        _ => return None,
    };
    let mut end = key;
    while matches!(stop.scan.word(end + 1), "." | ",") {
        end += 2;
    }
    let keys = stop.scan.source.slice(stop.span_of(key)?.to(stop.span_of(end)?));
    let written = format!("by {keys} over {written}");
    let (over, by) = (stop.span()?, stop.span_of(last + 1)?);
    let moved = match stop.word() {
        "over" => (over.before(), format!("by {keys} ")),
        _ => (over, format!("by {keys} over")),
    };
    // The key alone is moved: what is wrong with the window is fixed where it stands.
    let gone = match stop.scan.kind(end + 1) {
        Some(kind) if !matches!(kind, TokenKind::Close(_)) => by.to(stop.span_of(end + 1)?.before()),
        _ => stop.span_of(last)?.after().to(stop.span_of(end)?),
    };
    Some(
        Diagnostic::error("unexpected-token", "the key stands before the window")
            .at(by.to(stop.span_of(end)?), "behind it")
            .with_edits(format!("write `{written}`"), [moved, (gone, String::new())], Applicability::Certain),
    )
}

/// The words of a length that is said aloud.
fn is_filler(word: &str) -> bool {
    matches!(word, "the" | "last" | "past" | "a" | "previous")
}

/// A length of time from this token on, and how it is written: `1h`, `60 min`, `2hours`.
fn length_at(stop: &Stop, at: usize) -> Option<(usize, String)> {
    let text = stop.scan.word(at);
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(digits).filter(|(digits, _)| !digits.is_empty())?;
    let (last, unit) = if unit.is_empty() { (at + 1, stop.scan.word(at + 1)) } else { (at, unit) };
    let unit = if unit == "ms" { unit } else { meant_unit(unit)? };
    let written = format!("{digits}{unit}");
    ast::Duration::millis_of(&written).map(|_| (last, written))
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

/// `count of sign_in by user`, `count from sign_in`
pub(super) fn brackets_of_count(stop: &Stop) -> Option<Diagnostic> {
    // `count in sign_in` is read on: what cannot follow is the key.
    let at = (1..=3)
        .filter_map(|back| stop.found.checked_sub(back))
        .find(|at| stop.region.contains(at) && stop.scan.word(*at) == "count" && is_of(stop.scan.word(*at + 1)))?;
    let (span, of) = (stop.span_of(at)?, stop.span_of(at + 1)?);
    Some(
        Diagnostic::error("unexpected-token", "`count` is followed by parentheses")
            .at(span, "counts what?")
            .with_edits(
                "write `count() of …`, or `count(distinct field) of …`",
                [(span.after(), "()"), (of, "of")],
                Applicability::Certain,
            ),
    )
}

/// What stands between an aggregate and its event, here and elsewhere.
pub(super) fn is_of(word: &str) -> bool {
    matches!(word, "of" | "from" | "on" | "in")
}

/// `sum of amount by user`, `sum(amount) by user`, `distinct(payee) of pay`
pub(super) fn parts_of_aggregate(stop: &Stop) -> Option<Diagnostic> {
    let span = stop.span()?;
    if stop.word() == "of"
        && stop.back(1) == ")"
        && stop.back(3) == "("
        && matches!(stop.back(4), "distinct" | "unique")
    {
        let (first, field) = (stop.found - 4, stop.back(2));
        let (first, last) = (stop.span_of(first)?, stop.scan.span(stop.before()?));
        let written = format!("count(distinct {field})");
        return Some(
            Diagnostic::error("unexpected-token", "`distinct` stands in the parentheses of `count`")
                .at(first.to(last), "written otherwise")
                .correct(format!("write `{written}`"), first.to(last), written),
        );
    }
    if stop.back(1) == ")" && stop.back(2) == "distinct" && is_of(stop.word()) {
        let field = stop.ahead(1);
        return Some(
            Diagnostic::error("unexpected-token", "`distinct` is followed by a field")
                .at(stop.span_of(stop.found - 2)?, "distinct what?")
                .help(format!("write `count(distinct {field}) of event by user over 1h`")),
        );
    }
    let called = stop.back(1) == ")" && stop.expects(&[Rule::kw_of]) && matches!(stop.word(), "by" | "over" | "where");
    if called {
        let function = (stop.region.start..stop.found).rev().find(|at| is_aggregate(stop.scan.word(*at)))?;
        let written = stop.scan.source.slice(stop.span_of(function)?.to(stop.span_of(stop.found - 1)?));
        return Some(
            Diagnostic::error("unexpected-token", format!("`of` and an event are missing behind `{written}`"))
                .at(span, "of which events?")
                .help(format!("write `{written} of event {} …`", stop.word())),
        );
    }
    let bare = stop.word() == "of" && is_aggregate(stop.back(1)) && stop.back(1) != "count";
    bare.then(|| {
        let (function, field) = (stop.back(1), stop.ahead(1));
        Diagnostic::error("unexpected-token", format!("`{function}` is followed by a field in parentheses"))
            .at(span, "of which field?")
            .help(format!("write `{function}({field}) of event by user over 1h`"))
    })
}

pub(super) fn is_aggregate(word: &str) -> bool {
    matches!(word, "count" | "sum" | "avg" | "min" | "max" | "stddev" | "p95")
}

/// `over the last 1h`, `within 1h`, `per user`
pub(super) fn other_window(stop: &Stop) -> Option<Diagnostic> {
    let span = stop.span()?;
    let word = stop.word();
    if stop.expects(&[Rule::duration])
        // `in`, which was found to be meant for `over`, still stands in the source.
        && matches!(stop.back(1), "over" | "in" | "within" | "during")
        && is_filler(word)
    {
        let last = (stop.found..stop.region.end).take_while(|index| is_filler(stop.scan.word(*index))).last()?;
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
        word if is_of(word)
            && stop.expects(&[Rule::kw_of])
            && (stop.back(1) == ")" || stop.expected == [Rule::kw_of]) =>
        {
            "of"
        }
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

/// `first_seen(device) over 30d`, `times_seen(device) by user over 30d`
pub(super) fn window_of_seen(stop: &Stop) -> Option<Diagnostic> {
    matches!(stop.word(), "over" | "in" | "within" | "for" | "during" | "last").then_some(())?;
    let from = stop.found.saturating_sub(12).max(stop.region.start);
    let seen = (from..stop.found)
        .rev()
        .find(|at| matches!(stop.scan.word(*at), "first_seen" | "last_seen" | "times_seen"))
        .filter(|at| stop.scan.word(at + 1) == "(")?;
    let close = stop.scan.brackets.close_of(seen + 1)?;
    let length = ast::Duration::millis_of(stop.ahead(1)).is_some();
    let asked = stop.scan.source.slice(stop.span_of(seen)?.to(stop.span_of(close)?));
    let span = stop.span()?;
    if close + 1 == stop.found && length {
        let finding = Diagnostic::error("unexpected-token", format!("`by` is missing behind `{asked}`"));
        let help = format!("write `{asked} by user within {}`", stop.ahead(1));
        return Some(finding.at(span, "seen by whom?").suggest(help, span, "by user within"));
    }
    (stop.scan.word(close + 1) == "by"
        && stop.expects(&[Rule::within, Rule::kw_within])
        && stop.word() != "within"
        && length)
        .then_some(())?;
    Some(
        Diagnostic::error("unexpected-token", format!("expected `within`, found `{}`", stop.word()))
            .at(span, "not expected here")
            .correct(format!("write `within {}`", stop.ahead(1)), span, "within"),
    )
}

/// `count() of e by user where (n > 3) over 1h`: the filter behind the key, or behind the window.
pub(super) fn late_where(stop: &Stop) -> Option<Diagnostic> {
    (stop.word() == "where").then_some(())?;
    let from = stop.found.saturating_sub(24).max(stop.region.start);
    let by = (from..stop.found).rev().find(|at| stop.scan.word(*at) == "by")?;
    (from..by).rev().any(|at| stop.scan.word(at) == "of").then_some(())?;
    let finding = Diagnostic::error("unexpected-token", "`where (…)` stands before `by`").at(stop.span()?, "too late");
    let close = stop.scan.brackets.close_of(stop.found + 1).filter(|close| *close < stop.region.end);
    let Some(close) = close.filter(|_| stop.ahead(1) == "(") else {
        return Some(finding.help("write `of event where (…) by user over 1h`"));
    };
    let filter = stop.span()?.to(stop.span_of(close)?);
    let gone = stop.scan.span(stop.before()?).after().to(filter);
    Some(finding.with_edits(
        format!("write `{} by …`", stop.scan.source.slice(filter)),
        [(stop.span_of(by)?.before(), format!("{} ", stop.scan.source.slice(filter))), (gone, String::new())],
        Applicability::Certain,
    ))
}

/// `count(e) by user over 1h`: the event in the parentheses of `count`.
pub(super) fn event_in_count(stop: &Stop) -> Option<Diagnostic> {
    (matches!(stop.word(), "by" | "over" | "where")
        && stop.back(1) == ")"
        && stop.back(3) == "("
        && stop.back(4) == "count")
        .then_some(())?;
    let event = stop.back(2);
    let written = format!("count() of {event}");
    let all = stop.span_of(stop.found - 4)?.to(stop.scan.span(stop.before()?));
    Some(Diagnostic::error("unexpected-token", "what is counted follows `of`").at(all, "of which events?").suggest(
        format!("write `{written} {} …`", stop.word()),
        all,
        written,
    ))
}
