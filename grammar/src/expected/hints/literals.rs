//! Numbers, times and dates as they are written elsewhere.

use super::Stop;
use crate::diagnostic::Diagnostic;
use crate::lower::Rule;
use crate::scan::{TokenKind, in_short, is_currency, meant_unit, twelve_hours};

/// `5 min`, `30 eur`, `15 m`: something after a number that is no operator.
pub(super) fn spaced_unit(stop: &Stop) -> Option<Diagnostic> {
    // Pest stops before the number when a duration has to be there, and behind it in an expression.
    let number_at = [Some(stop.found), stop.found.checked_sub(1)].into_iter().flatten();
    let number_at =
        number_at.filter(|at| stop.region.contains(at)).find(|at| stop.scan.kind(*at) == Some(TokenKind::Number))?;
    let number = stop.scan.tokens.get(number_at)?;
    let token = stop.scan.tokens.get(number_at + 1).filter(|token| token.kind == TokenKind::Word)?;
    let (digits, word) = (stop.scan.text(number), stop.scan.text(token));
    if !digits.bytes().all(|byte| byte.is_ascii_digit() || b"._".contains(&byte))
        || token.starts_line
        || keyword_word(word)
    {
        return None;
    }
    let (span, both) = (stop.scan.span(token), stop.scan.span(number).to(stop.scan.span(token)));
    let lower = word.to_ascii_lowercase();
    if word.len() > 1 && lower != word && keyword_word(&lower) {
        let finding = match lower.as_str() {
            "and" | "or" | "not" | "is" | "in" => {
                Diagnostic::error("wrong-operator", format!("`{word}` is not an operator here"))
            }
            _ => Diagnostic::error("misspelled-keyword", format!("there is no `{word}` here")),
        };
        return Some(finding.at(span, "with a capital it is a name").correct(format!("write `{lower}`"), span, lower));
    }
    if let Some(help) = metres(stop, number_at, word) {
        return Some(
            Diagnostic::error("unknown-unit", format!("`{digits} {word}` is not a literal"))
                .at(both, "not a unit")
                .help(help),
        );
    }
    let behind = stop.scan.source.text.get(token.end..).unwrap_or_default().trim_start_matches(' ');
    if let Some(help) = in_short(digits, word, behind) {
        return Some(
            Diagnostic::error("unknown-unit", format!("`{digits} {word}` is not a literal"))
                .at(both, "not a unit")
                .help(help),
        );
    }
    if let Some(unit) = meant_unit(word) {
        let meant = format!("{digits}{unit}");
        return Some(
            Diagnostic::error("unknown-unit", format!("`{digits} {word}` is not a literal"))
                .at(both, "a unit stands right behind its number")
                .correct(format!("write `{meant}`"), both, meant),
        );
    }
    if let Some(time) = twelve_hours(digits, word) {
        return Some(
            Diagnostic::error("unknown-unit", format!("`{digits} {word}` is not a time of day"))
                .at(both, "the clock has 24 hours")
                .correct(format!("write `{time}`"), both, time),
        );
    }
    let currency = word.to_ascii_uppercase();
    // It may be another word misspelt: `3 amd n < 5`.
    (word.len() == 3 && currency != word && is_currency(word)).then(|| {
        Diagnostic::error("lower-case-currency", format!("`{word}` is not a currency"))
            .at(span, "currencies are three capitals")
            .suggest(format!("did you mean `{digits} {currency}`?"), span, currency)
    })
}

/// `distance(geo, previous.geo) > 200 m`: a length in a unit that is none, and that of a time in the language.
fn metres(stop: &Stop, number: usize, word: &str) -> Option<&'static str> {
    matches!(word.to_ascii_lowercase().as_str(), "m" | "metre" | "metres" | "meter" | "meters").then_some(())?;
    let ends = |word: &str| matches!(word, "and" | "or" | "&&" | "||" | "when" | "unless");
    let operand = (stop.region.start..number).rev().map(|index| stop.scan.word(index)).take_while(|word| !ends(word));
    match operand.into_iter().find(|word| matches!(*word, "distance" | "speed"))? {
        "distance" => Some("a distance is in kilometres: `0.2 km`, `200 km`"),
        _ => Some("a speed is in kilometres an hour: `1000 km/h`"),
    }
}

/// Whether a word is a keyword that may follow a number.
fn keyword_word(word: &str) -> bool {
    matches!(
        word,
        "and"
            | "or"
            | "ops"
            | "x"
            | "at"
            | "for"
            | "per"
            | "reason"
            | "flag"
            | "add"
            | "severity"
            | "then"
            | "when"
            | "not"
            | "is"
            | "in"
    )
}

/// `10,000`, `1,234.50 EUR` and `30,50 EUR`: a comma inside a number.
pub(super) fn grouped_digits(stop: &Stop) -> Option<Diagnostic> {
    let comma = (stop.word() == ",").then_some(stop.found)?;
    let (first, last) = comma_run(stop, comma)?;
    let both = stop.span_of(first)?.to(stop.span_of(last)?);
    let read = read_commas(stop.scan.source.slice(both), stop.scan.word(last + 1))?;
    let finding = Diagnostic::error("unexpected-token", read.message).at(both, "a comma separates things");
    let written = read.written;
    Some(match read.other {
        Some(other) => finding.suggest(format!("write `{written}`, or `{other}`"), both, written),
        None if read.sure => finding.correct(format!("write `{written}`"), both, written),
        None => finding.suggest(format!("write `{written}`"), both, written),
    })
}

/// `1 000 EUR`: a blank inside a number.
pub(super) fn blank_in_number(stop: &Stop) -> Option<Diagnostic> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let group = |at: usize| {
        let word = stop.scan.word(at);
        let (whole, decimals) = word.split_once('.').unwrap_or((word, "0"));
        stop.region.contains(&at) && whole.len() == 3 && digits(whole) && digits(decimals)
    };
    (digits(stop.back(1)) && stop.back(1).len() <= 3 && group(stop.found)).then_some(())?;
    let mut last = stop.found;
    while group(last + 1) {
        last += 1;
    }
    let span = stop.scan.span(stop.before()?).to(stop.span_of(last)?);
    let written = (stop.found - 1..=last).map(|at| stop.scan.word(at)).collect::<Vec<_>>().join("_");
    Some(Diagnostic::error("unexpected-token", "digits are grouped by `_`").at(span, "a blank ends a number").correct(
        format!("write `{written}`"),
        span,
        written,
    ))
}

/// The numbers around this comma that are glued together by commas: the first token and the last.
pub(super) fn comma_run(stop: &Stop, comma: usize) -> Option<(usize, usize)> {
    let glued = |comma: usize| {
        let number = |at: usize| {
            stop.scan.kind(at) == Some(TokenKind::Number)
                && stop.scan.word(at).bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        };
        comma > stop.region.start
            && stop.scan.word(comma) == ","
            && number(comma - 1)
            && number(comma + 1)
            && stop.touches_next(comma - 1)
            && stop.touches_next(comma)
    };
    glued(comma).then_some(())?;
    let (mut first, mut last) = (comma - 1, comma + 1);
    while first > stop.region.start + 1 && glued(first - 1) {
        first -= 2;
    }
    while glued(last + 1) {
        last += 2;
    }
    Some((first, last))
}

/// Whether the comma it stopped at groups the digits of one number, as what follows that shows: a currency, or one of these.
pub(super) fn comma_in_number(stop: &Stop, behind: &[&str]) -> bool {
    let Some((first, last)) = comma_run(stop, stop.found) else { return false };
    let next = stop.scan.word(last + 1);
    let grouped = (first + 2..=last).step_by(2).all(|at| stop.scan.word(at).len() >= 3);
    grouped && (behind.contains(&next) || (next.len() == 3 && is_currency(next)))
}

/// How a number with commas is meant.
struct Commas {
    message: &'static str,
    written: String,
    sure: bool,
    /// What else it may be.
    other: Option<String>,
}

/// Nothing, where the commas are not those of one number. `unit` is the word that follows.
fn read_commas(text: &str, unit: &str) -> Option<Commas> {
    let groups = |parts: &[&str]| parts.iter().skip(1).all(|part| part.len() == 3 && !part.contains('.'));
    let commas: Vec<&str> = text.split(',').collect();
    let points: Vec<&str> = text.split('.').collect();
    let decimal =
        |written: String| Commas { message: "decimals stand behind a point", written, sure: true, other: None };
    let grouped = |written: String, sure: bool, other: Option<String>| Commas {
        message: "digits are grouped by `_`",
        written,
        sure,
        other,
    };
    match (commas.as_slice(), points.as_slice()) {
        // `1.000,50`
        ([whole, decimals], [_, _, ..]) if groups(&whole.split('.').collect::<Vec<_>>()) && !decimals.contains('.') => {
            whole.contains('.').then(|| grouped(format!("{}.{decimals}", whole.replace('.', "_")), true, None))
        }
        // `1,234.50`
        (_, [whole, decimals]) if groups(&whole.split(',').collect::<Vec<_>>()) && !decimals.contains(',') => {
            Some(grouped(format!("{}.{decimals}", whole.replace(',', "_")), true, None))
        }
        ([_, ..], [_, _, ..]) => None,
        ([whole, decimals], _) if decimals.len() != 3 => Some(decimal(format!("{whole}.{decimals}"))),
        ([whole, decimals], _) if whole.starts_with('0') => {
            Some(Commas { sure: false, ..decimal(format!("{whole}.{decimals}")) })
        }
        // Three digits may be decimals, but not of an amount that has two at most.
        ([whole, decimals], _) => {
            let two = iso_currency::Currency::from_code(unit).and_then(iso_currency::Currency::exponent);
            let sure = two.is_some_and(|decimals| decimals < 3);
            let other = (!sure).then(|| format!("{whole}.{decimals}"));
            Some(grouped(format!("{whole}_{decimals}"), sure, other))
        }
        (parts, _) if groups(parts) => Some(grouped(text.replace(',', "_"), true, None)),
        _ => None,
    }
}

/// `9:00`, `11pm`, `23:00-05:00`
pub(super) fn other_clock(stop: &Stop) -> Option<Diagnostic> {
    let first = stop.found.saturating_sub(7).max(stop.region.start);
    let (start, (from, length)) = (first..=stop.found).find_map(|index| Some((index, clock_at(stop, index)?)))?;
    let next = start + length;
    let range =
        matches!(stop.scan.word(next), "-" | "to" | ".." | "and" | "until").then(|| clock_at(stop, next + 1)).flatten();
    let (end, written) = match &range {
        Some((until, length)) => (next + length, format!("{from}..{until}")),
        None => (next - 1, from),
    };
    let span = stop.span_of(start)?.to(stop.span_of(end)?);
    (stop.scan.source.slice(span) != written).then(|| {
        Diagnostic::error("invalid-time", "this is not how a time of day is written")
            .at(span, if range.is_some() { "a range is `23:00..05:00`" } else { "a time is `09:00`" })
            .correct(format!("write `{written}`"), span, written)
    })
}

/// The time of day at this token, as it should be written, and how many tokens it takes.
fn clock_at(stop: &Stop, index: usize) -> Option<(String, usize)> {
    stop.region.contains(&index).then_some(())?;
    let text = stop.scan.word(index);
    if let Some((number, half)) = text.find(|c: char| c.is_ascii_alphabetic()).and_then(|at| text.split_at_checked(at))
    {
        return twelve_hours(number, half).map(|time| (time, 1));
    }
    let digits = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let minute = stop.scan.word(index + 2);
    let glued = stop.touches_next(index) && stop.touches_next(index + 1);
    let clock = stop.scan.word(index + 1) == ":" && glued && digits(text) && digits(minute) && minute.len() == 2;
    clock.then(|| (format!("{text:0>2}:{minute}"), 3))
}

/// `2026/01/31`, `31.01.2026`, `2026-1-5`
pub(super) fn other_date(stop: &Stop) -> Option<Diagnostic> {
    if let Some(moment) = date_and_time(stop) {
        return Some(moment);
    }
    let first = stop.found.saturating_sub(3).max(stop.region.start);
    let (start, year, month, day) = (first..=stop.found).find_map(|index| date_at(stop, index))?;
    let end = start + 4;
    let span = stop.span_of(start)?.to(stop.span_of(end)?);
    let written = format!("{year:0>4}-{month:0>2}-{day:0>2}");
    // A right one is in the way of something else.
    if stop.scan.source.slice(span) == written {
        return None;
    }
    // `01/02/2026` is two days.
    let sure = stop.scan.word(start).len() == 4;
    let finding =
        Diagnostic::error("invalid-date", "a date is year, month and day: `2026-01-31`").at(span, "not a date");
    Some(match sure {
        true => finding.correct(format!("write `{written}`"), span, written),
        false => finding.suggest(format!("did you mean `{written}`?"), span, written),
    })
}

/// `2026-03-01 10:00`
fn date_and_time(stop: &Stop) -> Option<Diagnostic> {
    let (clock, length) = clock_at(stop, stop.found)?;
    let start = stop.found.checked_sub(5)?;
    date_at(stop, start)?;
    let span = stop.span_of(start)?.to(stop.span_of(stop.found + length - 1)?);
    let written = format!("{}T{clock}:00Z", stop.scan.source.slice(stop.span_of(start)?.to(stop.span_of(start + 4)?)));
    Some(Diagnostic::error("invalid-date", "a date and a time are joined by `T`").at(span, "not a moment").suggest(
        format!("write `{written}`, or another offset than `Z`"),
        span,
        written,
    ))
}

fn date_at<'a>(stop: &Stop<'a>, index: usize) -> Option<(usize, &'a str, &'a str, &'a str)> {
    let sign = stop.scan.word(index + 1);
    let same = matches!(sign, "/" | "-") && stop.scan.word(index + 3) == sign;
    let glued = (index..index + 4).all(|index| stop.touches_next(index));
    (same && glued && stop.region.contains(&(index + 4))).then_some(())?;
    let parts = [index, index + 2, index + 4].map(|index| stop.scan.word(index));
    parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit())).then_some(())?;
    match parts {
        [year, month, day] if year.len() == 4 && month.len() <= 2 && day.len() <= 2 => Some((index, year, month, day)),
        [day, month, year] if year.len() == 4 && month.len() <= 2 && day.len() <= 2 => Some((index, year, month, day)),
        _ => None,
    }
}

/// `rollout 10 by user`
pub(super) fn percent_sign(stop: &Stop) -> Option<Diagnostic> {
    let number = stop.token().filter(|token| token.kind == TokenKind::Number)?;
    (stop.back(1) == "rollout" && stop.expects(&[Rule::percent])).then_some(())?;
    let (span, written) = (stop.scan.span(number), format!("{}%", stop.word()));
    Some(Diagnostic::error("unexpected-token", "a rollout is a percentage").at(span, "of how many?").correct(
        format!("write `{written}`"),
        span,
        written,
    ))
}

/// `amount > 2x avg(amount) of …`
pub(super) fn multiple(stop: &Stop) -> Option<Diagnostic> {
    let number = stop.word().strip_suffix(['x', 'X'])?;
    let digits = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && !number.is_empty();
    digits.then_some(())?;
    let (span, written) = (stop.span()?, format!("{number} *"));
    Some(
        Diagnostic::error("unexpected-token", format!("`{}` is not a number", stop.word()))
            .at(span, "so many times what?")
            .suggest(format!("write `{written} …`"), span, written),
    )
}
