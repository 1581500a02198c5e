//! Mistakes one can see in a token and its neighbours: operators of other languages, `=` for `==`, unknown units.

use super::{Token, TokenKind};
use crate::diagnostic::{Diagnostic, Findings};
use crate::source::{SourceFile, Span};

/// The units a number may carry, glued to it.
pub(crate) const UNITS: [&str; 8] = ["ms", "s", "m", "h", "d", "w", "km", "%"];

/// Whether three letters are a currency, written in capitals or not.
pub(crate) fn is_currency(word: &str) -> bool {
    iso_currency::Currency::from_code(&word.to_ascii_uppercase()).is_some()
}

/// What people write for a unit, and the unit they mean.
pub(crate) fn meant_unit(word: &str) -> Option<&'static str> {
    // Minutes, months or millions: nobody knows.
    if word == "M" {
        return None;
    }
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

pub(super) fn judge(source: &SourceFile, tokens: &[Token], problems: &mut Findings) {
    let mut open: Vec<Inside> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let here = Here { source, tokens, index };
        match token.kind {
            TokenKind::Open(b'{') if open.last() == Some(&Inside::Entries) => open.push(Inside::Entries),
            TokenKind::Open(b'{') => open.push(here.opens()),
            TokenKind::Open(_) => open.push(Inside::Other),
            TokenKind::Close(_) => drop(open.pop()),
            TokenKind::Symbol => problems.extend(wrong_symbol(&here, open.last().copied().unwrap_or(Inside::Other))),
            TokenKind::Number => problems.extend(wrong_unit(source, token)),
            TokenKind::Word | TokenKind::Text | TokenKind::ListName => {}
        }
    }
}

/// What the innermost open bracket holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// Braces with `key: value`, or a block of events' fields.
    Entries,
    /// Braces of a policy, a rule or a test.
    Members,
    /// An expression, a list, something else, or nothing at all.
    Other,
}

/// A token among its neighbours.
struct Here<'a> {
    source: &'a SourceFile,
    tokens: &'a [Token],
    index: usize,
}

impl<'a> Here<'a> {
    fn text(&self, index: usize) -> &'a str {
        self.tokens.get(index).and_then(|token| self.source.text.get(token.start..token.end)).unwrap_or_default()
    }

    fn before(&self, distance: usize) -> &'a str {
        self.index.checked_sub(distance).map_or("", |index| self.text(index))
    }

    fn after(&self, distance: usize) -> &'a str {
        self.text(self.index + distance)
    }

    fn span(&self, index: usize) -> Span {
        self.tokens.get(index).map_or_else(Span::default, |token| Span::new(self.source.id, token.start, token.end))
    }

    /// Whether nothing is between this token and the one at this distance.
    fn touches_next(&self) -> bool {
        let end = self.tokens.get(self.index).map(|token| token.end);
        end.is_some() && end == self.tokens.get(self.index + 1).map(|token| token.start)
    }

    fn same_line_as_next(&self) -> bool {
        self.tokens.get(self.index + 1).is_some_and(|next| !next.starts_line)
    }

    fn same_line_as_last(&self) -> bool {
        self.tokens.get(self.index).is_some_and(|token| !token.starts_line)
    }

    fn touches_last(&self) -> bool {
        let last = self.index.checked_sub(1).and_then(|index| self.tokens.get(index));
        last.is_some() && last.map(|token| token.end) == self.tokens.get(self.index).map(|token| token.start)
    }

    /// Whether a list is declared on the way to this `=`, with or without its type and its `@`: `list @l: list<ip> =`
    fn names_a_list(&self) -> bool {
        let head = (1..=LONGEST_LIST_HEAD).take_while(|back| !matches!(self.before(*back), "" | "=" | "}"));
        head.into_iter().any(|back| {
            let next = self.index.checked_sub(back).and_then(|list| self.tokens.get(list + 1)).map(|token| token.kind);
            self.before(back) == "list" && matches!(next, Some(TokenKind::ListName | TokenKind::Word))
        })
    }

    /// What this brace begins.
    fn opens(&self) -> Inside {
        if self.before(1) == "meta" || self.before(2) == "challenge" || self.before(2) == "x" {
            return Inside::Entries;
        }
        // `event name "alias" requires ip, device {`, `policy name on sign_in, payment {`
        let head = self.tokens.get(..self.index).unwrap_or_default().iter().enumerate().rev().take(LONGEST_HEAD);
        for (index, token) in head {
            match (token.kind, self.text(index)) {
                (TokenKind::Word, "event") if index + 1 < self.index => return Inside::Entries,
                (TokenKind::Word, "policy" | "rule" | "test") if index + 1 < self.index => return Inside::Members,
                (TokenKind::Word | TokenKind::Text, _) | (TokenKind::Symbol, ",") => {}
                _ => break,
            }
        }
        Inside::Other
    }
}

/// In tokens: `list @l: list<ip>`
const LONGEST_LIST_HEAD: usize = 7;

/// In tokens; a longer one is not understood.
const LONGEST_HEAD: usize = 64;

const OUTCOMES: [&str; 5] = ["allow", "challenge", "block", "score", "nothing"];

/// Words that something follows without a colon.
const NO_COLON: [&str; 18] = [
    "when", "unless", "then", "default", "combine", "mode", "priority", "active", "rollout", "reason", "severity",
    "flag", "expect", "at", "meta", "unknown", "score", "add",
];

fn wrong_symbol(here: &Here, inside: Inside) -> Option<Diagnostic> {
    let span = here.span(here.index);
    let written = here.text(here.index);
    // `let x =` and `list @x: type =` are the two places for a single one.
    let named = here.index.checked_sub(1).and_then(|index| here.tokens.get(index)).map(|token| token.kind);
    let lets = named == Some(TokenKind::Word) && matches!(here.before(2), "let" | "const" | "var" | "set" | "define");
    let lists = named == Some(TokenKind::ListName) && here.before(2) == "list";
    let names = lets || lists || here.names_a_list();
    let outcome_follows = OUTCOMES.contains(&here.after(1));
    let meant = match written {
        "=>" | "->" if outcome_follows => "then",
        "&&" | "&" => "and",
        "||" | "|" => "or",
        "!" if here.after(1) != "=" => "not ",
        "===" => "==",
        "!==" | "<>" => "!=",
        "..." => "..",
        "=>" => ">=",
        "=<" => "<=",
        ":=" if names => "=",
        "==" if lets && here.before(2) == "let" => "=",
        ":=" => "==",
        // A name that is none is somebody else's finding.
        "=" if names || here.before(1) == "let" || here.before(3) == "let" => return None,
        // `let x: bool =`: that it has a type is the parser's finding.
        "=" if here.before(2) == ":" && here.before(4) == "let" => return None,
        "=" if here.before(1) == ">" && here.before(3) == "<" && here.before(4) == "list" => return None,
        // `> =`, said once.
        "=" | "!" if here.after(1) == "=" && here.same_line_as_next() => return None,
        "=" if matches!(here.before(1), "=" | "<" | ">" | "!") && here.same_line_as_last() => {
            let meant = format!("{}=", here.before(1));
            let both = here.span(here.index - 1).to(span);
            return Some(
                Diagnostic::error("wrong-operator", format!("`{} =` is not an operator", here.before(1)))
                    .at(both, "a blank inside of an operator")
                    .correct(format!("write `{meant}`"), both, meant),
            );
        }
        "=" if inside == Inside::Entries => {
            return Some(
                Diagnostic::error("single-equals", "`=` does not stand between a key and its value")
                    .at(span, "names a value, only after `let` and `list`")
                    .correct("write `:`", span, ":"),
            );
        }
        "=" => {
            return Some(
                Diagnostic::error("single-equals", "`=` does not compare")
                    .at(span, "names a value, only after `let` and `list`")
                    .correct("to compare, write `==`", span, "=="),
            );
        }
        ":" if inside == Inside::Members && NO_COLON.contains(&here.before(1)) && here.after(1) != ":" => {
            return Some(
                Diagnostic::error("wrong-operator", format!("`{}` stands without a colon", here.before(1)))
                    .at(span, "not needed")
                    .correct("leave it out", span, ""),
            );
        }
        "." if here.touches_next()
            && !here.touches_last()
            && here.after(1).starts_with(|c: char| c.is_ascii_digit()) =>
        {
            let number = format!("0.{}", here.after(1));
            return Some(
                Diagnostic::error("unexpected-token", format!("`.{}` is not a number", here.after(1)))
                    .at(span.to(here.span(here.index + 1)), "begins with its point")
                    .correct(format!("write `{number}`"), span.before(), "0"),
            );
        }
        "." if here.touches_last()
            && !here.touches_next()
            && here.before(1).ends_with(|c: char| c.is_ascii_digit()) =>
        {
            return Some(
                Diagnostic::error("unexpected-token", format!("`{}.` is not a number", here.before(1)))
                    .at(here.span(here.index - 1).to(span), "ends with its point")
                    .correct(format!("write `{}`", here.before(1)), span, ""),
            );
        }
        "//" => {
            return Some(
                Diagnostic::error("wrong-operator", "`//` is not an operator here")
                    .at(span, "an operator of another language")
                    .suggest("to divide, write `/`; comments start with `#`", span, "/"),
            );
        }
        "**" => {
            return Some(
                Diagnostic::error("wrong-operator", "`**` is not an operator here")
                    .at(span, "an operator of another language")
                    .help("there are no powers; multiply with `*`"),
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
    if unit.starts_with(['e', 'E']) && unit.bytes().skip(1).all(|byte| byte.is_ascii_digit()) {
        return Some(
            Diagnostic::error("unknown-unit", format!("`{text}` is not a number"))
                .at(span, "numbers have no exponent")
                .help("write all digits, grouped by `_`: `1_000_000`"),
        );
    }
    if number == "0" && unit.starts_with(['x', 'b', 'o', 'X', 'B', 'O']) {
        return Some(
            Diagnostic::error("unknown-unit", format!("`{text}` is not a number"))
                .at(span, "not in decimal digits")
                .help("write it in decimal digits"),
        );
    }
    if let Some(time) = twelve_hours(number, unit) {
        return Some(
            Diagnostic::error("unknown-unit", format!("`{text}` is not a time of day"))
                .at(span, "the clock has 24 hours")
                .correct(format!("write `{time}`"), span, time),
        );
    }
    let finding = Diagnostic::error("unknown-unit", format!("there is no unit `{unit}`")).at(unit_span, "not a unit");
    let behind = source.text.get(token.end..).unwrap_or_default().trim_start_matches(' ');
    if let Some(help) = in_short(number, unit, behind) {
        return Some(finding.help(help));
    }
    if NEXT_WORDS.contains(&unit) {
        return Some(
            Diagnostic::error("unexpected-token", format!("a blank is missing before `{unit}`"))
                .at(span, "a number and a word")
                .correct(format!("write `{number} {unit}`"), span, format!("{number} {unit}")),
        );
    }
    Some(if unit.len() == 3 && unit.bytes().all(|byte| byte.is_ascii_uppercase()) && is_currency(unit) {
        let spaced = format!("{number} {unit}");
        finding.correct(format!("an amount of money has a space before its currency: `{spaced}`"), span, spaced)
    } else if let Some(meant) = meant_unit(unit) {
        finding.correct(format!("did you mean `{number}{meant}`?"), unit_span, meant)
    } else {
        finding.near(unit, unit_span, UNITS).or_help("units are `ms`, `s`, `m`, `h`, `d`, `w`, `%`, `km` and `km/h`")
    })
}

/// Words that may stand right behind a number, where a blank is forgotten: `5then`.
const NEXT_WORDS: [&str; 5] = ["and", "or", "then", "unless", "reason"];

/// `10k`, `5M`, `1.5h`: what is said in short and has no short form here; `behind` is the text that follows.
pub(crate) fn in_short(number: &str, unit: &str, behind: &str) -> Option<String> {
    let zeros = match unit {
        "k" | "K" => "_000",
        "M" | "mio" | "Mio" | "MIO" | "mln" | "million" => "_000_000",
        _ => return None,
    };
    let whole = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let currency: String = behind.chars().take_while(char::is_ascii_alphanumeric).collect();
    let currency = if currency.len() == 3 && is_currency(&currency) { format!(" {currency}") } else { String::new() };
    let all =
        if whole { format!("write all digits: `{number}{zeros}{currency}`") } else { "write all digits".to_owned() };
    Some(match unit {
        "M" if currency.is_empty() => {
            format!("minutes are `{number}m`, and months are days: `90d`; if millions are meant, {all}")
        }
        _ => all,
    })
}

/// `11pm` as `23:00`.
pub(crate) fn twelve_hours(number: &str, half: &str) -> Option<String> {
    let hour: u8 = number.parse().ok().filter(|hour| (1..=12).contains(hour))?;
    let hour = match half.to_ascii_lowercase().as_str() {
        "am" => hour % 12,
        "pm" => hour % 12 + 12,
        _ => return None,
    };
    Some(format!("{hour:02}:00"))
}
