//! Lists: their names, their types and what is in them.

use super::Stop;
use crate::ast;
use crate::diagnostic::{Applicability, Diagnostic};
use crate::lower::Rule;
use crate::scan::TokenKind;
use crate::source::Span;
use std::net::IpAddr;

/// `list office: ip managed`, `add ip to blocked for 1h`, `list @l: ip = []`
pub(super) fn no_at_sign_or_entry(stop: &Stop) -> Option<Diagnostic> {
    let span = stop.span()?;
    if matches!(stop.back(1), "list" | "to")
        && stop.expects(&[Rule::list_name])
        && stop.token()?.kind == TokenKind::Word
    {
        let name = format!("@{}", stop.word());
        return Some(
            Diagnostic::error("unexpected-token", "the name of a list begins with `@`").at(span, "without it").correct(
                format!("write `{name}`"),
                span,
                name,
            ),
        );
    }
    let empty = stop.word() == "]" && stop.back(1) == "[" && stop.expects(&[Rule::element, Rule::path, Rule::literal]);
    empty.then(|| {
        Diagnostic::error("unexpected-token", "nothing is in this list")
            .at(span, "expected a value")
            .help("write what is in it; a list that is filled at run time is `managed`")
    })
}

/// `list @l = [NZ]`, `list @l ip managed`, `list @l: [NZ]`, `list @l: country [NZ]`
pub(super) fn no_type_of_list(stop: &Stop) -> Option<Diagnostic> {
    let named = stop.back(2) == "list" && stop.expects(&[Rule::colon]);
    let behind_colon = stop.back(1) == ":" && stop.back(3) == "list" && stop.expects(&[Rule::ident]);
    let name = stop.found.checked_sub(if behind_colon { 2 } else { 1 })?;
    let before = stop.scan.span(stop.before()?);
    if stop.back(2) == ":" && stop.back(4) == "list" && stop.word() == "[" && stop.expects(&[Rule::list_from]) {
        return Some(
            Diagnostic::error("unexpected-token", "`=` is missing before what is in the list")
                .at(stop.span()?, "the list starts here")
                .correct("write `= […]`", before.after(), " ="),
        );
    }
    (named || behind_colon).then_some(())?;
    if named && stop.token()?.kind == TokenKind::Word && !matches!(stop.word(), "from" | "managed") {
        // `list @vip of user`
        let joint =
            matches!(stop.word(), "of" | "is" | "as") && stop.scan.kind(stop.found + 1) == Some(TokenKind::Word);
        if joint {
            let written = format!("list {}: {}", stop.scan.word(name), stop.ahead(1));
            let span = stop.span()?;
            return Some(
                Diagnostic::error("unexpected-token", "`:` stands before the type of the list")
                    .at(span, "not expected here")
                    .correct(format!("write `{written}`"), before.after().to(span), ":"),
            );
        }
        let written = format!("list {}: {}", stop.scan.word(name), stop.word());
        return Some(
            Diagnostic::error("unexpected-token", "`:` is missing before the type of the list")
                .at(stop.span()?, "the type")
                .correct(format!("write `{written}`"), before.after(), ":"),
        );
    }
    // `list @l: [string]` is a type.
    if behind_colon
        && stop.word() == "["
        && stop.ahead(2) == "]"
        && stop.scan.kind(stop.found + 1) == Some(TokenKind::Word)
    {
        let word = stop.ahead(1);
        if word.starts_with(|c: char| c.is_ascii_lowercase()) {
            return one_entry(stop, word, stop.found, stop.found + 2);
        }
    }
    let open = match stop.word() {
        "[" => Some(stop.found),
        "=" if stop.ahead(1) == "[" => Some(stop.found + 1),
        "=" | "from" | "managed" => None,
        _ => return None,
    };
    let finding = Diagnostic::error("unexpected-token", format!("the list `{}` has no type", stop.scan.word(name)))
        .at(stop.span()?, "its type is due here");
    let Some((ty, sure)) = open.and_then(|open| type_of_entries(stop, open)) else {
        return Some(finding.help(format!("write what its entries are, as in `list {}: ip …`", stop.scan.word(name))));
    };
    let colon = if behind_colon { "" } else { ":" };
    let equals = if stop.word() == "[" { " =" } else { "" };
    Some(finding.with_fix(
        format!("write `list {}: {ty} = …`", stop.scan.word(name)),
        before.after(),
        format!("{colon} {ty}{equals}"),
        if sure { Applicability::Certain } else { Applicability::Likely },
    ))
}

/// `list @l: list<ip> = …`, `list @l: ip[] = …`
pub(super) fn list_of_lists(stop: &Stop) -> Option<Diagnostic> {
    stop.expects(&[Rule::list_from]).then_some(())?;
    match stop.word() {
        "<" if stop.back(2) == ":" && stop.ahead(2) == ">" => {
            one_entry(stop, stop.ahead(1), stop.found - 1, stop.found + 2)
        }
        "[" if stop.back(2) == ":" && stop.ahead(1) == "]" => {
            one_entry(stop, stop.back(1), stop.found - 1, stop.found + 1)
        }
        _ => None,
    }
}

fn one_entry(stop: &Stop, ty: &str, first: usize, last: usize) -> Option<Diagnostic> {
    let span: Span = stop.span_of(first)?.to(stop.span_of(last)?);
    Some(
        Diagnostic::error("unexpected-token", "the type of a list is that of one entry")
            .at(span, "a list of lists")
            .correct(format!("write `{ty}`"), span, ty),
    )
}

/// The type of what is between these brackets, where all of it is of one, and whether it can be no other.
fn type_of_entries(stop: &Stop, open: usize) -> Option<(&'static str, bool)> {
    let close = stop.scan.brackets.close_of(open).filter(|close| *close < stop.region.end)?;
    let inside = Span::new(stop.scan.source.id, stop.scan.tokens.get(open)?.end, stop.scan.tokens.get(close)?.start);
    let mut entries = stop.scan.source.slice(inside).split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let first = type_of_entry(entries.next()?)?;
    entries.try_fold(first, |so_far, entry| match (so_far.0, type_of_entry(entry)?.0) {
        (known, ty) if known == ty => Some(so_far),
        // A single address is a network too.
        ("ip" | "cidr", "ip" | "cidr") => Some(("cidr", true)),
        _ => None,
    })
}

fn type_of_entry(entry: &str) -> Option<(&'static str, bool)> {
    let capitals = |length: usize| entry.len() == length && entry.bytes().all(|byte| byte.is_ascii_uppercase());
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let (address, prefix) = entry.split_once('/').unwrap_or((entry, ""));
    Some(match entry {
        // A text may be a user, a device or just a text; a number may be of anything.
        _ if entry.starts_with('"') && !entry.trim_matches('"').contains('"') => ("string", false),
        _ if digits(entry) => ("int", false),
        _ if capitals(2) => ("country", true),
        _ if capitals(3) => ("currency", true),
        _ if entry.strip_prefix("AS").is_some_and(digits) => ("asn", true),
        _ if address.parse::<IpAddr>().is_ok() => (if prefix.is_empty() { "ip" } else { "cidr" }, true),
        _ if ast::Duration::millis_of(entry).is_some() => ("duration", true),
        _ => return None,
    })
}
