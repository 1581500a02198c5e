//! Mistakes one can see in a token and its neighbours: operators of other languages, `=` for `==`, unknown units.

use super::{Token, TokenKind};
use crate::diagnostic::Diagnostic;
use crate::nearest;
use crate::source::{SourceFile, Span};

/// The units a number may carry, glued to it.
pub(crate) const UNITS: [&str; 8] = ["ms", "s", "m", "h", "d", "w", "km", "%"];

/// What people write for a unit, and the unit they mean.
pub(crate) fn meant_unit(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "millis" | "millisecond" | "milliseconds" | "msec" => "ms",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        "w" | "wk" | "week" | "weeks" => "w",
        "kmh" | "kph" | "kmph" => " km/h",
        "kilometer" | "kilometers" | "kilometre" | "kilometres" | "kms" => " km",
        "pct" | "percent" => "%",
        _ => return None,
    })
}

pub(super) fn judge(source: &SourceFile, tokens: &[Token], problems: &mut Vec<Diagnostic>) {
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Symbol => problems.extend(wrong_symbol(source, tokens, index, token)),
            TokenKind::Number => problems.extend(wrong_unit(source, token)),
            _ => {}
        }
    }
}

fn wrong_symbol(source: &SourceFile, tokens: &[Token], index: usize, token: &Token) -> Option<Diagnostic> {
    let text =
        |index: usize| tokens.get(index).and_then(|token| source.text.get(token.start..token.end)).unwrap_or_default();
    let span = Span::new(source.id, token.start, token.end);
    let written = text(index);
    let meant = match written {
        "&&" | "&" => "and",
        "||" | "|" => "or",
        "!" => "not ",
        "===" => "==",
        "!==" | "<>" => "!=",
        "=>" => ">=",
        "=<" => "<=",
        "//" => {
            return Some(
                Diagnostic::error("wrong-operator", "`//` does not start a comment")
                    .at(span, "not an operator")
                    .correct("comments start with `#`", span, "#"),
            );
        }
        "=" => {
            let before = |distance: usize| index.checked_sub(distance).map_or("", text);
            // `let x =` and `list @x: type =` are the two places for a single one.
            // A name that is none is somebody else's finding.
            if before(2) == "let" || before(3) == "let" || (before(2) == ":" && before(4) == "list") {
                return None;
            }
            return Some(
                Diagnostic::error("single-equals", "`=` does not compare")
                    .at(span, "names a value, only after `let` and `list`")
                    .correct("to compare, write `==`", span, "=="),
            );
        }
        _ => return None,
    };
    let word = meant.trim_end();
    Some(
        Diagnostic::error("wrong-operator", format!("`{written}` is not an operator here"))
            .at(span, "an operator of another language")
            .correct(format!("write `{word}`"), span, meant),
    )
}

fn wrong_unit(source: &SourceFile, token: &Token) -> Option<Diagnostic> {
    let text = source.text.get(token.start..token.end)?;
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at_checked(unit_at)?;
    // Pieces of dates and IPv6 addresses look like numbers with letters glued to them.
    let neighbours = source
        .text
        .get(..token.start)?
        .bytes()
        .next_back()
        .into_iter()
        .chain(source.text.get(token.end..)?.bytes().next());
    if neighbours.into_iter().any(|byte| b":-.".contains(&byte)) || unit == "x" || UNITS.contains(&unit) {
        return None;
    }
    let span = Span::new(source.id, token.start, token.end);
    let unit_span = Span::new(source.id, token.start + unit_at, token.end);
    let finding = Diagnostic::error("unknown-unit", format!("there is no unit `{unit}`")).at(unit_span, "not a unit");
    Some(if unit.len() == 3 && unit.bytes().all(|byte| byte.is_ascii_uppercase()) {
        let spaced = format!("{number} {unit}");
        finding.correct(format!("an amount of money has a space before its currency: `{spaced}`"), span, spaced)
    } else if let Some(meant) = meant_unit(unit).or_else(|| nearest(unit, UNITS)) {
        finding.suggest(format!("did you mean `{number}{meant}`?"), unit_span, meant)
    } else {
        finding.help("units are `ms`, `s`, `m`, `h`, `d`, `w`, `%`, `km` and `km/h`")
    })
}
