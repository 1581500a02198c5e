//! The usual slips, each with what was meant. Tried in order; the first that fits speaks.

mod spoken;

use super::{Stop, is_reserved, keyword, list};
use crate::diagnostic::{Applicability, Diagnostic};
use crate::lower::Rule;
use crate::nearest::meant;
use crate::scan::{Scan, Token, TokenKind, meant_unit, twelve_hours};
use crate::source::Span;

pub(super) fn hint(stop: &Stop) -> Option<Diagnostic> {
    const HINTS: [fn(&Stop) -> Option<Diagnostic>; 42] = [
        colon_of_yaml,
        comma_between_effects,
        step_with_colon,
        method_in_parentheses,
        missing_method,
        missing_then,
        misplaced_item,
        missing_name,
        short_name,
        no_type,
        no_when,
        no_at_sign_or_entry,
        one_comma_too_many,
        other_brackets,
        set_in_parentheses,
        quoted_key,
        negative_length,
        spoken::dash_in_name,
        spoken::currency_first,
        spoken::nothing_compared,
        spoken::calendar_without_zone,
        spoken::other_aggregate,
        spoken::unit_in_words,
        spoken::comparison_in_words,
        other_words,
        where_without_parentheses,
        window_before_key,
        absence,
        grouped_digits,
        other_clock,
        other_date,
        chained_comparison,
        spaced_unit,
        star_in_count,
        brackets_of_count,
        other_window,
        foreign_sign,
        quotes_missing,
        capital_operator,
        foreign_word,
        misspelled,
        reserved,
    ];
    HINTS.iter().find_map(|hint| hint(stop))
}

impl<'a> Stop<'a> {
    fn token(&self) -> Option<&'a Token> {
        self.scan.tokens.get(self.found).filter(|_| self.found < self.region.end)
    }

    fn word(&self) -> &'a str {
        self.token().map_or("", |token| self.scan.text(token))
    }

    fn before(&self) -> Option<&'a Token> {
        self.found
            .checked_sub(1)
            .filter(|before| *before >= self.region.start)
            .and_then(|before| self.scan.tokens.get(before))
    }

    fn span(&self) -> Option<Span> {
        self.token().map(|token| self.scan.span(token))
    }

    /// The text of the token this far behind the one it stopped at.
    fn ahead(&self, distance: usize) -> &'a str {
        let index = self.found + distance;
        if index < self.region.end { self.scan.word(index) } else { "" }
    }

    /// The text of the token this far before the one it stopped at.
    pub(super) fn back(&self, distance: usize) -> &'a str {
        let index = self.found.checked_sub(distance).filter(|index| *index >= self.region.start);
        index.map_or("", |index| self.scan.word(index))
    }

    fn span_of(&self, index: usize) -> Option<Span> {
        self.scan.tokens.get(index).filter(|_| self.region.contains(&index)).map(|token| self.scan.span(token))
    }

    /// Whether no blank is between this token and the next.
    fn touches_next(&self, index: usize) -> bool {
        self.scan.tokens.get(index).map(|token| token.end) == self.scan.tokens.get(index + 1).map(|token| token.start)
    }

    fn expects(&self, rules: &[Rule]) -> bool {
        self.expected.iter().any(|rule| rules.contains(rule))
    }

    /// Whether an expression could have gone on here.
    pub(super) fn after_operand(&self) -> bool {
        self.expects(&[
            Rule::kw_and,
            Rule::kw_or,
            Rule::add_op,
            Rule::mul_op,
            Rule::otherwise,
            Rule::compare,
            Rule::compare_op,
            Rule::membership,
            Rule::presence,
            Rule::matches,
            Rule::between,
            Rule::in_op,
        ])
    }
}

/// `combine score { challenge: 50 }`
fn step_with_colon(stop: &Stop) -> Option<Diagnostic> {
    let outcome = matches!(stop.back(1), "allow" | "challenge" | "block");
    let scale = (stop.region.start..stop.found)
        .any(|index| stop.scan.word(index) == "score" && stop.scan.word(index + 1) == "{");
    (stop.word() == ":" && outcome && scale).then_some(())?;
    let span = stop.span()?;
    Some(
        Diagnostic::error("unexpected-token", "a step is an outcome at a number of points")
            .at(span, "not a block of keys")
            .correct(format!("write `{} at {}`", stop.back(1), stop.ahead(1)), span, " at"),
    )
}

/// `challenge(qr)`, `challenge "qr"`
fn method_in_parentheses(stop: &Stop) -> Option<Diagnostic> {
    (stop.back(1) == "challenge").then_some(())?;
    let (word, last) = match stop.word() {
        "(" if stop.ahead(2) == ")" => (stop.ahead(1), stop.found + 2),
        text if text.starts_with('"') => (text, stop.found),
        _ => return None,
    };
    let method = word.trim_matches('"');
    (!method.is_empty() && method.bytes().all(|byte| byte.is_ascii_lowercase())).then_some(())?;
    let span = stop.span()?.to(stop.span_of(last)?);
    let blank = if stop.touches_next(stop.found - 1) { " " } else { "" };
    Some(
        Diagnostic::error("unexpected-token", "a challenge's method is a plain word")
            .at(span, "not a call, and no text")
            .correct(format!("write `challenge {method}`"), span, format!("{blank}{method}")),
    )
}

/// `challenge reason X`: how the user is challenged is not said.
fn missing_method(stop: &Stop) -> Option<Diagnostic> {
    let challenge = stop.before().filter(|token| stop.scan.text(token) == "challenge")?;
    let span = stop.scan.span(challenge);
    Some(Diagnostic::error("missing-method", "this challenge does not say how").at(span, "needs a method").correct(
        "write `challenge qr`",
        span.after(),
        " qr",
    ))
}

/// `when x > 5 block`
fn missing_then(stop: &Stop) -> Option<Diagnostic> {
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
fn condition_start(stop: &Stop) -> Option<usize> {
    // Read on behind a capital, what was corrected still stands in the source.
    let begins = |word: &str| ["when", "unless"].iter().any(|clause| word.eq_ignore_ascii_case(clause));
    (stop.region.start..stop.found).rev().find(|index| begins(stop.scan.word(*index)))
}

const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

/// `a < b < c`
fn chained_comparison(stop: &Stop) -> Option<Diagnostic> {
    let again = COMPARISONS.contains(&stop.word()).then(|| stop.token())??;
    let mut index = stop.found;
    while index > stop.region.start {
        index -= 1;
        let token = stop.scan.tokens.get(index)?;
        if token.depth > again.depth || matches!(token.kind, TokenKind::Close(_)) {
            continue;
        }
        let text = stop.scan.text(token);
        if token.depth < again.depth || matches!(text, "and" | "or" | "not" | "when" | "unless" | "where" | "," | "let")
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

/// `5 min`, `30 eur`, `15 m`: something after a number that is no operator.
fn spaced_unit(stop: &Stop) -> Option<Diagnostic> {
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
    let letters = word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_alphabetic()) && currency != word;
    letters.then(|| {
        Diagnostic::error("lower-case-currency", format!("`{word}` is not a currency"))
            .at(span, "currencies are three capitals")
            .correct(format!("did you mean `{digits} {currency}`?"), span, currency)
    })
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

/// `test`, `policy` and their like inside a policy or a rule, and a rule inside a rule.
fn misplaced_item(stop: &Stop) -> Option<Diagnostic> {
    let token = stop.token()?;
    let word = stop.scan.text(token);
    let inside_policy =
        stop.expects(&[Rule::policy_member_only, Rule::meta, Rule::default, Rule::rule_head, Rule::rule_def]);
    let inside_rule = stop.expects(&[Rule::rule_member_only, Rule::mode, Rule::priority, Rule::when, Rule::then]);
    if token.kind == TokenKind::Text
        && stop.ahead(1) == ":"
        && stop.expects(&[Rule::policy_member_only, Rule::rule_member_only])
    {
        return Some(
            Diagnostic::error("unexpected-token", format!("`{word}` does not stand inside a policy"))
                .at(stop.scan.span(token), "a text")
                .help("this reads like JSON; a rule is written `rule name { when … then … }`"),
        );
    }
    let (what, help) = match word {
        "policy" | "test" | "prove" | "import" | "script" | "rates" if inside_policy || inside_rule => {
            ("a policy", "move it behind the policy's closing `}`")
        }
        "event" | "list" | "reason" if (inside_policy || inside_rule) && stop.found == stop.region.start => {
            ("a policy", "move it to the top of the file")
        }
        "rule" | "default" | "combine" if inside_rule && !inside_policy => {
            ("a rule", "close the rule above with `}` first")
        }
        "when" | "unless" | "then" if inside_policy && !inside_rule && stop.found == stop.region.start => {
            ("a policy, only in a rule", "put it in a rule: `rule name { when … then … }`")
        }
        _ => return None,
    };
    Some(
        Diagnostic::error("unexpected-token", format!("`{word}` does not stand inside {what}"))
            .at(stop.scan.span(token), "not here")
            .help(help),
    )
}

/// `policy:` at the beginning of an item.
fn colon_of_yaml(stop: &Stop) -> Option<Diagnostic> {
    let what = stop.back(1);
    let item = matches!(what, "policy" | "event" | "list" | "script" | "reason" | "let" | "test" | "prove" | "import");
    (item && stop.back(2).is_empty() && stop.word() == ":").then_some(())?;
    let (span, form) = (stop.span()?, super::forms::form(stop)?);
    Some(
        Diagnostic::error("unexpected-token", format!("`{what}` stands without a colon"))
            .at(span, "not expected here")
            .help(format!("this reads like YAML; {form}")),
    )
}

/// `then block, flag manual_review`
fn comma_between_effects(stop: &Stop) -> Option<Diagnostic> {
    (stop.word() == "," && stop.expects(&[Rule::effect])).then_some(())?;
    let span = stop.span()?;
    Some(
        Diagnostic::error("unexpected-token", "an outcome and its effects are not separated by commas")
            .at(span, "not expected here")
            .correct("leave it out", span, ""),
    )
}

/// `policy on sign_in {`, `rule {`, `rule "title" {`, `event { … }`
fn missing_name(stop: &Stop) -> Option<Diagnostic> {
    // The head of a block is read alone: its name may be missing at its end.
    let (index, what) = [(stop.found, stop.back(1)), (stop.found.saturating_sub(1), stop.back(2))]
        .into_iter()
        .find(|(_, what)| matches!(*what, "policy" | "rule" | "event" | "let" | "reason" | "script"))?;
    let name = stop.scan.word(index);
    let nameless = match what {
        "policy" => name == "on" || name == "{",
        "rule" | "event" => name == "{" || (name.starts_with('"') && index == stop.found),
        "let" => name == "=" && index == stop.found,
        "reason" => name.starts_with('"') && index == stop.found && stop.expects(&[Rule::ident]),
        "script" => name == "(" && index == stop.found,
        _ => false,
    };
    nameless.then_some(())?;
    let span = stop.scan.tokens.get(index.checked_sub(1)?).map(|token| stop.scan.span(token))?;
    Some(Diagnostic::error("missing-name", format!("this `{what}` has no name")).at(span, "needs a name").help(
        match what {
            "policy" => "write `policy name on event { … }`",
            "rule" => "write `rule name \"title\" { … }`: decisions and tests speak of a rule by its name",
            "event" => "write `event name { … }`",
            "let" => "write `let name = …`",
            "reason" if !stop.back(2).is_empty() => {
                "a rule gives a code, as in `reason TOO_MANY`; its text stands in the declaration, `reason TOO_MANY \"…\"`"
            }
            "reason" => "write `reason CODE \"what the user may read\"`",
            _ => "write `script name(…) -> type from \"file.rhai\" budget 1000 ops`",
        },
    ))
}

/// `reason A1`: too short for a name in capitals.
fn short_name(stop: &Stop) -> Option<Diagnostic> {
    let word = stop.word();
    let short = (1..=2).contains(&word.len()) && word.starts_with(|c: char| c.is_ascii_uppercase());
    (short && stop.expects(&[Rule::ident, Rule::path])).then_some(())?;
    Some(
        Diagnostic::error("reserved-word", format!("`{word}` is too short for a name in capitals"))
            .at(stop.span()?, "two capitals are a country")
            .help("names that begin with a capital have at least four characters, as in `IP_BLOCKED`"),
    )
}

/// `in ("a", "b")`
fn set_in_parentheses(stop: &Stop) -> Option<Diagnostic> {
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

/// `event e { amount }`
fn no_type(stop: &Stop) -> Option<Diagnostic> {
    let field = stop.expected == [Rule::colon] && stop.found >= stop.region.end && stop.region.len() == 1;
    let name = stop.before().filter(|_| field)?;
    Some(
        Diagnostic::error("unexpected-end", format!("field `{}` has no type", stop.scan.text(name)))
            .at(stop.scan.span(name), "of what type?")
            .help("a field is written `amount: money`, with a `?` behind the type if it may be absent"),
    )
}

/// `rule r { amount > 5 then block }`
fn no_when(stop: &Stop) -> Option<Diagnostic> {
    let start = stop.found == stop.region.start && stop.expects(&[Rule::rule_member_only]);
    let condition = matches!(
        stop.ahead(1),
        "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "is" | "not" | "matches" | "between" | "."
    );
    (start && condition).then_some(())?;
    let span = stop.span()?;
    Some(
        Diagnostic::error("unexpected-token", "a condition begins with `when`")
            .at(span, "the condition starts here")
            .suggest("write `when` before it, or `unless`", span.before(), "when "),
    )
}

/// `list office: ip managed`, `list @l: ip = []`
fn no_at_sign_or_entry(stop: &Stop) -> Option<Diagnostic> {
    let span = stop.span()?;
    if stop.back(1) == "list" && stop.expects(&[Rule::list_name]) && stop.token()?.kind == TokenKind::Word {
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

/// `[a,, b]`, `[, a]`
fn one_comma_too_many(stop: &Stop) -> Option<Diagnostic> {
    (stop.word() == "," && matches!(stop.back(1), "," | "[" | "(" | "{")).then_some(())?;
    let span = stop.span()?;
    Some(Diagnostic::error("unexpected-token", "there is nothing before this `,`").at(span, "one too many").correct(
        "leave it out",
        span,
        "",
    ))
}

/// `policy p on e (`, `list @l: ip = {…}`, `then { block }`
fn other_brackets(stop: &Stop) -> Option<Diagnostic> {
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
fn quoted_key(stop: &Stop) -> Option<Diagnostic> {
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

/// `over -1h`
fn negative_length(stop: &Stop) -> Option<Diagnostic> {
    (stop.word() == "-" && stop.expects(&[Rule::duration])).then_some(())?;
    let span = stop.span()?;
    Some(Diagnostic::error("unexpected-token", "a length of time is not negative").at(span, "not here").suggest(
        "leave it out",
        span,
        "",
    ))
}

/// Words that are nearly ours, or missing before what is here: each with the word that is meant.
fn other_words(stop: &Stop) -> Option<Diagnostic> {
    let span = stop.span();
    let word = stop.word();
    // What was found, and what should stand in its place.
    let instead = match word {
        "to" | "until" | ".." | "-" | "," if stop.expects(&[Rule::kw_and]) && stop.back(2) == "between" => Some("and"),
        "include" | "include_this" | "including_this" | "incl" if stop.after_operand() => {
            Some(if word.ends_with("this") { "including this" } else { "including" })
        }
        "because" | "reasons" if stop.expects(&[Rule::give_reason, Rule::kw_reason, Rule::effect]) => Some("reason"),
        "blocked" | "denied" | "rejected" if stop.expects(&[Rule::expected, Rule::outcome, Rule::kw_block]) => {
            Some("block")
        }
        "allowed" | "permitted" | "approved" if stop.expects(&[Rule::expected, Rule::outcome, Rule::kw_allow]) => {
            Some("allow")
        }
        "challenged" if stop.expects(&[Rule::expected, Rule::outcome, Rule::kw_challenge]) => Some("challenge qr"),
        "?" if stop.expects(&[Rule::type_ref]) && stop.scan.kind(stop.found + 1) == Some(TokenKind::Word) => None,
        "not" if stop.back(1) == "in" => None,
        _ => {
            // What is missing before this, or at the end.
            let missing = match stop.expected.as_slice() {
                [Rule::arrow] => "->",
                [Rule::kw_ops] => "ops",
                [Rule::kw_this] => "this",
                [Rule::kw_ago] => "ago",
                _ => return None,
            };
            let last = stop.before()?;
            let place = stop.scan.span(last).after();
            return Some(
                Diagnostic::error(
                    "unexpected-token",
                    format!("`{missing}` is missing behind `{}`", stop.scan.text(last)),
                )
                .at(stop.scan.span(last), "behind this")
                .correct(format!("add `{missing}`"), place, format!(" {missing}")),
            );
        }
    };
    let span = span?;
    match (instead, word) {
        (Some(meant), _) => Some(
            Diagnostic::error("unexpected-token", format!("expected `{meant}`, found `{word}`"))
                .at(span, "not expected here")
                .correct(format!("write `{meant}`"), span, meant),
        ),
        (None, "?") => {
            let both = span.to(stop.span_of(stop.found + 1)?);
            let written = format!("{}?", stop.ahead(1));
            Some(
                Diagnostic::error("unexpected-token", "the `?` of an optional field stands behind its type")
                    .at(span, "before it")
                    .correct(format!("write `{written}`"), both, written),
            )
        }
        (None, _) => {
            let both = stop.span_of(stop.found - 1)?.to(span);
            Some(Diagnostic::error("unexpected-token", "there is no `in not`").at(both, "the other way round").correct(
                "write `not in`",
                both,
                "not in",
            ))
        }
    }
}

/// `where outcome == "failed" by user`
fn where_without_parentheses(stop: &Stop) -> Option<Diagnostic> {
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
fn window_before_key(stop: &Stop) -> Option<Diagnostic> {
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

/// `is null`, `is not empty`, `x missing`
fn absence(stop: &Stop) -> Option<Diagnostic> {
    let span = stop.span()?;
    let word = stop.word();
    if stop.expects(&[Rule::kw_missing, Rule::kw_known]) {
        let meant = match word.to_ascii_lowercase().as_str() {
            "null" | "nil" | "none" | "undefined" | "empty" | "absent" | "nothing" | "unknown" => "missing",
            "present" | "set" | "there" | "given" | "defined" => "known",
            _ => return None,
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

/// `10,000` and `30,50 EUR`: a comma inside a number.
fn grouped_digits(stop: &Stop) -> Option<Diagnostic> {
    let comma = stop.found;
    (stop.word() == "," && stop.scan.kind(comma.checked_sub(1)?) == Some(TokenKind::Number)).then_some(())?;
    (stop.scan.kind(comma + 1) == Some(TokenKind::Number) && stop.touches_next(comma - 1) && stop.touches_next(comma))
        .then_some(())?;
    let (before, after) = (stop.back(1), stop.ahead(1));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(before) && digits(after)).then_some(())?;
    let both = stop.span_of(comma - 1)?.to(stop.span_of(comma + 1)?);
    let (message, written) = if after.len() == 3 {
        ("digits are grouped by `_`", format!("{before}_{after}"))
    } else {
        ("decimals stand behind a point", format!("{before}.{after}"))
    };
    Some(Diagnostic::error("unexpected-token", message).at(both, "a comma separates things").correct(
        format!("write `{written}`"),
        both,
        written,
    ))
}

/// `9:00`, `11pm`, `23:00-05:00`
fn other_clock(stop: &Stop) -> Option<Diagnostic> {
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
fn other_date(stop: &Stop) -> Option<Diagnostic> {
    if let Some(moment) = date_and_time(stop) {
        return Some(moment);
    }
    let first = stop.found.saturating_sub(3).max(stop.region.start);
    let (start, year, month, day) = (first..=stop.found).find_map(|index| date_at(stop, index))?;
    let end = start + 4;
    let span = stop.span_of(start)?.to(stop.span_of(end)?);
    let written = format!("{year:0>4}-{month:0>2}-{day:0>2}");
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

/// `count(*)`
fn star_in_count(stop: &Stop) -> Option<Diagnostic> {
    (stop.word() == "*" && stop.back(1) == "(" && stop.back(2) == "count").then_some(())?;
    let span = stop.span()?;
    Some(
        Diagnostic::error("unexpected-token", "`count()` counts events and takes no `*`")
            .at(span, "not needed")
            .correct("write `count()`", span, ""),
    )
}

/// `count of sign_in by user`
fn brackets_of_count(stop: &Stop) -> Option<Diagnostic> {
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
fn other_window(stop: &Stop) -> Option<Diagnostic> {
    let span = stop.span()?;
    let word = stop.word();
    if stop.expects(&[Rule::duration])
        && stop.back(1) == "over"
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

/// `?`, `%`, `[` and their like behind an operand.
fn foreign_sign(stop: &Stop) -> Option<Diagnostic> {
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

/// `import lists.rules`, `test sign_in {`
fn quotes_missing(stop: &Stop) -> Option<Diagnostic> {
    let token = stop.token().filter(|token| token.kind == TokenKind::Word)?;
    (stop.expects(&[Rule::string]) && stop.expected.len() == 1).then_some(())?;
    // All that is glued to it: `lists/office.csv`.
    let last = (stop.found..stop.region.end)
        .find(|index| !stop.touches_next(*index) || !stop.region.contains(&(index + 1)))?;
    let span = stop.scan.span(token).to(stop.span_of(last)?);
    let quoted = format!("\"{}\"", stop.scan.source.slice(span));
    (!quoted.contains('\n')).then(|| {
        Diagnostic::error("unexpected-token", "a text stands in double quotes").at(span, "without quotes").correct(
            format!("write `{quoted}`"),
            span,
            quoted,
        )
    })
}

/// `AND`, `OR`, `NOT`: read as names, so it is the token after or the word itself that does not fit.
fn capital_operator(stop: &Stop) -> Option<Diagnostic> {
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

/// Words of other languages.
fn foreign_word(stop: &Stop) -> Option<Diagnostic> {
    let span = stop.span()?;
    let word = stop.word();
    if stop.after_operand() {
        let help = match word {
            "equals" | "eq" => "to compare, write `==`",
            "contains" | "includes" | "has" => "to ask whether a list holds a value, write `value in list`",
            "like" | "regex" | "startswith" | "starts_with" | "endswith" | "ends_with" => {
                "to search a text, write `matches \"…\"` with a regular expression"
            }
            "xor" => "write `(a and not b) or (b and not a)`",
            "mod" => "there is no remainder",
            "if" | "else" => "there is no `if … else`; write two rules",
            _ => return None,
        };
        return Some(
            Diagnostic::error("wrong-operator", format!("there is no operator `{word}`"))
                .at(span, "not an operator")
                .help(help),
        );
    }
    let (help, meant) = match word {
        "if" => ("a rule says `when … then …`", stop.expects(&[Rule::when, Rule::rule_member_only]).then_some("when")),
        "else" | "elif" | "elsif" | "elseif" | "otherwise" => {
            ("a rule has no other branch; write a second rule, or use the policy's `default`", None)
        }
        "deny" | "reject" | "decline" | "refuse" => {
            ("the outcomes are `allow`, `challenge` and `block`", Some("block"))
        }
        "approve" | "permit" | "accept" | "pass" => {
            ("the outcomes are `allow`, `challenge` and `block`", Some("allow"))
        }
        "mfa" | "step_up" | "stepup" | "verify" => {
            ("the outcomes are `allow`, `challenge qr` and `block`", Some("challenge qr"))
        }
        "review" => ("write `then nothing flag manual_review`, or add `flag manual_review` to another outcome", None),
        "var" | "const" | "def" | "define" | "set" => ("to name a value, write `let name = …`", Some("let")),
        "return" => ("a rule ends in `then` and an outcome", None),
        "null" | "nil" | "None" | "undefined" => ("what is absent is `missing`, asked with `is missing`", None),
        "select" | "SELECT" => ("there are no queries; history is asked with `count() of event by user over 1h`", None),
        "for" | "while" | "foreach" => ("there are no loops; a rule is asked once for each event", None),
        _ => return None,
    };
    // A name of their own is not a word of another language.
    if stop.expects(&[Rule::ident, Rule::path, Rule::reference, Rule::prim]) && meant.is_none() {
        return None;
    }
    let outcome = stop.expects(&[Rule::outcome, Rule::outcome_word, Rule::expected, Rule::expect_outcome]);
    let member = stop.found == stop.region.start || word == "return";
    let finding = Diagnostic::error("unexpected-token", format!("there is no `{word}` in the language"))
        .at(span, "a word of another language");
    Some(match meant {
        Some(meant) if outcome || (member && matches!(meant, "when" | "let")) => finding.suggest(help, span, meant),
        _ if outcome || member => finding.help(help),
        _ => {
            let expected = list(&stop.expected);
            Diagnostic::error("unexpected-token", format!("expected {expected}, found `{word}`"))
                .at(span, "a word of another language")
                .help(help)
        }
    })
}

/// `whn x > 5`: nearly a word that could stand here.
fn misspelled(stop: &Stop) -> Option<Diagnostic> {
    let token = stop.token().filter(|token| token.kind == TokenKind::Word)?;
    let word = stop.scan.text(token);
    let candidates = candidates(stop);
    if candidates.contains(&word) {
        return None;
    }
    let (near, sure) = meant(word, candidates)?;
    let span = stop.scan.span(token);
    Some(
        Diagnostic::error("misspelled-keyword", format!("there is no `{word}` here"))
            .at(span, "not expected here")
            .with_fix(format!("did you mean `{near}`?"), span, near, sure),
    )
}

/// The words that could stand here, those that pest folded into a larger rule included.
fn candidates(stop: &Stop) -> Vec<&'static str> {
    let mut words: Vec<&'static str> = stop.expected.iter().filter_map(|rule| keyword(*rule)).collect();
    if stop.after_operand() && condition_start(stop).is_some() {
        words.extend(["then", "unless", "and", "or"]);
    }
    for rule in &stop.expected {
        words.extend_from_slice(match rule {
            Rule::outcome | Rule::outcome_word | Rule::expected => &["allow", "challenge", "block", "score", "nothing"],
            Rule::effect | Rule::give_reason => &["reason", "severity", "flag", "add"],
            Rule::keys => &["by"],
            Rule::filter | Rule::prove_where => &["where"],
            Rule::window => &["over", "since"],
            Rule::including => &["including"],
            Rule::within => &["within"],
            Rule::calendar_unit => &["hour", "day", "week", "month"],
            Rule::membership | Rule::in_op => &["in", "not"],
            Rule::presence => &["is"],
            Rule::matches => &["matches"],
            Rule::between => &["between"],
            Rule::every => &["every"],
            Rule::ending => &["ending"],
            Rule::requires => &["requires"],
            Rule::ttl => &["ttl"],
            Rule::internal => &["internal"],
            Rule::regulation => &["regulation"],
            Rule::policy_member_only => &["meta", "default", "combine", "on", "let", "rule"],
            Rule::rule_member_only => {
                &["meta", "mode", "priority", "active", "rollout", "on", "when", "unless", "then"]
            }
            Rule::test_member_only => &["at", "event", "history", "list", "expect"],
            Rule::meta => &["meta"],
            Rule::default => &["default"],
            Rule::combine => &["combine"],
            Rule::let_def => &["let"],
            Rule::rule_def | Rule::rule_head => &["rule"],
            Rule::mode => &["mode"],
            Rule::priority => &["priority"],
            Rule::validity => &["active"],
            Rule::rollout => &["rollout"],
            Rule::when => &["when"],
            Rule::unless => &["unless"],
            Rule::then => &["then"],
            Rule::valid_from => &["from"],
            Rule::valid_until => &["until"],
            Rule::list_from => &["from", "managed"],
            Rule::calendar => &["calendar"],
            Rule::tumbling => &["tumbling"],
            Rule::expect => &["expect"],
            Rule::test_at => &["at"],
            Rule::test_event => &["event"],
            Rule::test_history => &["history"],
            Rule::test_list => &["list"],
            Rule::score_steps => &["score"],
            Rule::expect_by => &["by"],
            _ => &[],
        });
    }
    words
}

/// A word of the language where a name should be.
fn reserved(stop: &Stop) -> Option<Diagnostic> {
    let wants_name = stop.expects(&[
        Rule::ident,
        Rule::path,
        Rule::expr,
        Rule::and_e,
        Rule::not_e,
        Rule::cmp_e,
        Rule::coal_e,
        Rule::add_e,
        Rule::mul_e,
        Rule::prim,
        Rule::reference,
        Rule::range,
    ]);
    (wants_name && is_reserved(stop.word())).then_some(())?;
    let span = stop.span()?;
    let expected = list(&stop.expected);
    let before = stop.before().map_or("", |token| stop.scan.text(token));
    let help = if before.is_empty() {
        "a word of the language cannot be a name".to_owned()
    } else {
        format!("something is missing between `{before}` and `{}`", stop.word())
    };
    Some(
        Diagnostic::error("reserved-word", format!("expected {expected}, found `{}`", stop.word()))
            .at(span, "a word of the language")
            .help(help),
    )
}
