//! Literals, and whether what they say exists: an address, a day, a time of day, an escape.

use super::{Lower, Pair, Rule, child, first};
use crate::ast::{Clock, ClockRange, DateTime, Duration, Ident, Literal, Money, Number, Text};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use std::net::IpAddr;

pub(super) fn literal(lower: &mut Lower, pair: Pair) -> Option<Literal> {
    let inner = if pair.as_rule() == Rule::literal { first(&pair)? } else { pair };
    Some(match inner.as_rule() {
        Rule::boolean => Literal::Bool(inner.as_str() == "true"),
        Rule::number => Literal::Number(number(lower, &inner)),
        Rule::percent => Literal::Percent(number(lower, &child(&inner, Rule::number)?)),
        Rule::speed => Literal::Speed(number(lower, &child(&inner, Rule::number)?)),
        Rule::distance => Literal::Distance(number(lower, &child(&inner, Rule::number)?)),
        Rule::money => Literal::Money(Money {
            amount: number(lower, &child(&inner, Rule::number)?),
            currency: word(lower, &child(&inner, Rule::currency)?),
            span: lower.span(&inner),
        }),
        Rule::duration => Literal::Duration(duration(lower, &inner)),
        Rule::string => Literal::Text(text(lower, &inner)?),
        Rule::country => Literal::Country(word(lower, &inner)),
        Rule::currency => Literal::Currency(word(lower, &inner)),
        Rule::asn => Literal::Asn(word(lower, &inner)),
        Rule::ip => Literal::Ip(ip(lower, &inner)),
        Rule::cidr => Literal::Cidr(cidr(lower, &inner)),
        Rule::clock => Literal::Clock(clock(lower, &inner)?),
        Rule::clock_range => Literal::ClockRange(clock_range(lower, &inner)?),
        Rule::datetime => Literal::DateTime(datetime(lower, &inner)),
        _ => return None,
    })
}

fn word(lower: &Lower, pair: &Pair) -> Ident {
    Ident { name: pair.as_str().to_owned(), span: lower.span(pair) }
}

pub(super) fn number(lower: &Lower, pair: &Pair) -> Number {
    Number { text: pair.as_str().to_owned(), span: lower.span(pair) }
}

pub(super) fn duration(lower: &mut Lower, pair: &Pair) -> Duration {
    let duration = Duration { text: pair.as_str().to_owned(), span: lower.span(pair) };
    if duration.as_millis().is_none() {
        lower.problems.push(
            Diagnostic::error("invalid-duration", format!("`{}` is longer than a duration can be", duration.text))
                .at(duration.span, "too long")
                .help("the longest is about 292 million years"),
        );
    }
    duration
}

pub(super) fn clock_range(lower: &mut Lower, pair: &Pair) -> Option<ClockRange> {
    let mut clocks = pair.clone().into_inner().filter(|inner| inner.as_rule() == Rule::clock);
    let (from, until) = (clocks.next()?, clocks.next()?);
    Some(ClockRange { from: clock(lower, &from)?, until: clock(lower, &until)?, span: lower.span(pair) })
}

fn clock(lower: &mut Lower, pair: &Pair) -> Option<Clock> {
    let (hour, minute) = pair.as_str().split_once(':')?;
    let clock = Clock { hour: hour.parse().ok()?, minute: minute.parse().ok()?, span: lower.span(pair) };
    if clock.hour > 23 || clock.minute > 59 {
        lower.problems.push(
            Diagnostic::error("invalid-time", format!("there is no time of day `{}`", pair.as_str()))
                .at(clock.span, "not a time of day")
                .help("hours go from 00 to 23, minutes from 00 to 59; midnight is `00:00`"),
        );
    }
    Some(clock)
}

fn ip(lower: &mut Lower, pair: &Pair) -> Ident {
    if pair.as_str().parse::<IpAddr>().is_err() {
        lower.problems.push(no_address(pair.as_str(), lower.span(pair)));
    }
    word(lower, pair)
}

fn cidr(lower: &mut Lower, pair: &Pair) -> Ident {
    let (address, length) = pair.as_str().split_once('/').unwrap_or((pair.as_str(), ""));
    let span = lower.span(pair);
    match address.parse::<IpAddr>() {
        Err(_) => lower.problems.push(no_address(address, span)),
        Ok(address) => {
            let (version, longest) = if address.is_ipv4() { ("IPv4", 32) } else { ("IPv6", 128) };
            if length.parse::<u8>().is_ok_and(|length| length > longest) || length.parse::<u8>().is_err() {
                lower.problems.push(
                    Diagnostic::error(
                        "invalid-address",
                        format!("`/{length}` is no prefix length of an {version} network"),
                    )
                    .at(span, "prefix too long")
                    .help(format!("an {version} prefix has at most {longest} bits")),
                );
            }
        }
    }
    word(lower, pair)
}

fn no_address(text: &str, span: Span) -> Diagnostic {
    Diagnostic::error("invalid-address", format!("`{text}` is not an IP address"))
        .at(span, "not an address")
        .help("an IPv4 address has four numbers up to 255, an IPv6 address eight groups or one `::`")
}

pub(super) fn datetime(lower: &mut Lower, pair: &Pair) -> DateTime {
    let datetime = DateTime { text: pair.as_str().to_owned(), span: lower.span(pair) };
    if let Some((problem, help)) = no_such_moment(&datetime.text) {
        lower.problems.push(
            Diagnostic::error("invalid-date", format!("there is no {problem} `{}`", datetime.text))
                .at(datetime.span, format!("not a {problem}"))
                .help(help),
        );
    }
    datetime
}

/// What does not exist about a date of the right shape.
fn no_such_moment(text: &str) -> Option<(&'static str, &'static str)> {
    let digits = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<u16>().ok());
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    if day == 0 || day > last {
        return Some(("date", "a date is year, month and day: `2026-01-31`"));
    }
    let time = text.get(11..)?;
    let (hour, minute) = (digits(11..13)?, digits(14..16)?);
    let second = if time.get(5..6) == Some(":") { digits(17..19)? } else { 0 };
    let offset = time.find(['+', '-']).and_then(|at| time.get(at + 1..));
    let bad_offset = offset.is_some_and(|offset| {
        let part = |range: std::ops::Range<usize>| offset.get(range).and_then(|part| part.parse::<u16>().ok());
        part(0..2).is_none_or(|hours| hours > 18) || part(3..5).is_none_or(|minutes| minutes > 59)
    });
    (hour > 23 || minute > 59 || second > 59 || bad_offset)
        .then_some(("moment", "a time goes from `00:00:00` to `23:59:59`, an offset to `+18:00`"))
}

pub(super) fn text(lower: &mut Lower, pair: &Pair) -> Option<Text> {
    let span = lower.span(pair);
    let raw = pair.as_str().strip_prefix('"')?.strip_suffix('"')?;
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at_checked(at)?;
        value.push_str(before);
        match unescape(escape) {
            Ok((character, length)) => {
                value.push(character);
                rest = escape.get(length..)?;
            }
            Err(length) => {
                let start = span.start as usize + 1 + (raw.len() - escape.len());
                let shown = escape.get(..length)?;
                let place = Span::new(lower.source.id, start, start + length);
                lower.problems.push(
                    Diagnostic::error("unknown-escape", format!("`{shown}` has no meaning in a string"))
                        .at(place, "not an escape")
                        .suggest(
                            format!("for a backslash write `\\{shown}`; the escapes are `\\\"`, `\\\\`, `\\n`, `\\r`, `\\t` and `\\u{{…}}`"),
                            place,
                            format!("\\{shown}"),
                        ),
                );
                rest = escape.get(length..)?;
            }
        }
    }
    value.push_str(rest);
    Some(Text { raw: raw.to_owned(), value, span })
}

/// The character an escape stands for and its length in bytes; or the length of what is no escape.
fn unescape(escape: &str) -> Result<(char, usize), usize> {
    let second = escape.chars().nth(1).ok_or(1_usize)?;
    Ok(match second {
        '"' | '\\' => (second, 2),
        'n' => ('\n', 2),
        'r' => ('\r', 2),
        't' => ('\t', 2),
        'u' => {
            let close = escape.find('}').ok_or(2_usize)?;
            let digits = escape.get(2..close).and_then(|inner| inner.strip_prefix('{')).ok_or(2_usize)?;
            let fits = (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let code = u32::from_str_radix(digits, 16).ok().filter(|_| fits).ok_or(2_usize)?;
            (char::from_u32(code).ok_or(close + 1)?, close + 1)
        }
        _ => return Err(1 + second.len_utf8()),
    })
}
