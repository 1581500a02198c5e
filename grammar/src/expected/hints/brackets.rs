//! Brackets, and commas between what is in them.

use super::Stop;
use crate::diagnostic::{Applicability, Diagnostic};
use crate::lower::Rule;
use crate::scan::TokenKind;

/// `in ("a", "b")`
pub(super) fn set_in_parentheses(stop: &Stop) -> Option<Diagnostic> {
    (stop.word() == "," && stop.expects(&[Rule::close_paren])).then_some(())?;
    let depth = stop.token()?.depth;
    let open = (stop.region.start..stop.found).rev().find(|index| {
        stop.scan.kind(*index) == Some(TokenKind::Open(b'('))
            && stop.scan.tokens.get(*index).is_some_and(|token| token.depth + 1 == depth)
    })?;
    (open > stop.region.start && stop.scan.word(open - 1).eq_ignore_ascii_case("in")).then_some(())?;
    let close = stop.scan.brackets.close_of(open).filter(|close| *close < stop.region.end)?;
    let (open, close) = (stop.span_of(open)?, stop.span_of(close)?);
    Some(
        Diagnostic::error("unexpected-token", "a set stands in square brackets")
            .at(open.to(close), "in parentheses")
            .with_edits("write `[…]`", [(open, "["), (close, "]")], Applicability::Certain),
    )
}

/// `[a,, b]`, `[, a]`
pub(super) fn one_comma_too_many(stop: &Stop) -> Option<Diagnostic> {
    (stop.word() == "," && matches!(stop.back(1), "," | "[" | "(" | "{")).then_some(())?;
    let span = stop.span()?;
    Some(Diagnostic::error("unexpected-token", "there is nothing before this `,`").at(span, "one too many").correct(
        "leave it out",
        span,
        "",
    ))
}

/// `policy p on e (`, `list @l: ip = {…}`, `then { block }`
pub(super) fn other_brackets(stop: &Stop) -> Option<Diagnostic> {
    let open = stop.span()?;
    let close = stop.scan.brackets.close_of(stop.found).filter(|close| *close < stop.region.end);
    let (what, inside, outside) = match stop.word() {
        "(" | "[" if stop.expects(&[Rule::open_brace]) => ("a block stands in braces", "{", "}"),
        "{" | "(" if stop.expects(&[Rule::open_bracket, Rule::set_lit]) && stop.back(1) == "=" => {
            ("a list stands in square brackets", "[", "]")
        }
        "[" | "(" if stop.back(1) == "list" && stop.expects(&[Rule::optional]) => {
            ("a list's type is `list<string>`", "<", ">")
        }
        "{" | "(" if stop.back(1) == "then" => ("an outcome stands without brackets", "", ""),
        _ => return None,
    };
    let finding = Diagnostic::error("unexpected-token", what).at(open, "another bracket");
    let written = if inside.is_empty() { "leave them out".to_owned() } else { format!("write `{inside}…{outside}`") };
    Some(match close.and_then(|close| stop.span_of(close)) {
        Some(close) => finding.with_edits(written, [(open, inside), (close, outside)], Applicability::Certain),
        None => finding.help(written),
    })
}

/// `{ "user": "u1" }`
pub(super) fn quoted_key(stop: &Stop) -> Option<Diagnostic> {
    let text = stop.word().strip_prefix('"').and_then(|text| text.strip_suffix('"'))?;
    let name = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte));
    (stop.ahead(1) == ":"
        && name
        && stop.expects(&[Rule::path, Rule::ident, Rule::entry, Rule::option, Rule::field_def, Rule::meta_entry]))
    .then_some(())?;
    let span = stop.span()?;
    Some(Diagnostic::error("unexpected-token", "a key stands without quotes").at(span, "a text").correct(
        format!("write `{text}`"),
        span,
        text,
    ))
}
