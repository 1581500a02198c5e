//! The usual slips, each with what was meant. Tried in order; the first that fits speaks.

use super::{Stop, is_reserved, keyword, list};
use crate::diagnostic::Diagnostic;
use crate::lower::Rule;
use crate::nearest;
use crate::scan::{Scan, Token, TokenKind, meant_unit};
use crate::source::Span;

pub(super) fn hint(stop: &Stop) -> Option<Diagnostic> {
    missing_method(stop)
        .or_else(|| missing_then(stop))
        .or_else(|| chained_comparison(stop))
        .or_else(|| spaced_unit(stop))
        .or_else(|| capital_operator(stop))
        .or_else(|| foreign_word(stop))
        .or_else(|| misspelled(stop))
        .or_else(|| reserved(stop))
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

    fn expects(&self, rules: &[Rule]) -> bool {
        self.expected.iter().any(|rule| rules.contains(rule))
    }

    /// Whether an expression could have gone on here.
    fn after_operand(&self) -> bool {
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

/// `challenge reason X`: how the user is challenged is not said.
fn missing_method(stop: &Stop) -> Option<Diagnostic> {
    let challenge = stop.before().filter(|token| stop.scan.text(token) == "challenge")?;
    let span = stop.scan.span(challenge);
    Some(Diagnostic::error("missing-method", "this challenge does not say how").at(span, "needs a method").suggest(
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
    (stop.region.start..stop.found).rev().find(|index| matches!(stop.scan.word(*index), "when" | "unless"))
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
    if let Some(unit) = meant_unit(word) {
        let meant = format!("{digits}{unit}");
        return Some(
            Diagnostic::error("unknown-unit", format!("`{digits} {word}` is not a literal"))
                .at(both, "a unit stands right behind its number")
                .suggest(format!("did you mean `{meant}`?"), both, meant),
        );
    }
    let currency = word.to_ascii_uppercase();
    let letters = word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_alphabetic()) && currency != word;
    letters.then(|| {
        Diagnostic::error("lower-case-currency", format!("`{word}` is not a currency"))
            .at(span, "currencies are three capitals")
            .suggest(format!("did you mean `{digits} {currency}`?"), span, currency)
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
            _ => return None,
        };
        return Some(
            Diagnostic::error("wrong-operator", format!("there is no operator `{word}`"))
                .at(span, "not an operator")
                .help(help),
        );
    }
    let help = match word {
        "if" => "a rule says `when … then …`",
        "else" | "elif" | "elsif" => "a rule has no other branch; write a second rule, or use the policy's `default`",
        "deny" | "reject" | "decline" => "the outcomes are `allow`, `challenge` and `block`",
        "approve" | "permit" | "accept" => "the outcomes are `allow`, `challenge` and `block`",
        "review" => "write `then nothing flag manual_review`, or add `flag manual_review` to another outcome",
        "var" | "const" | "def" | "define" | "set" => "to name a value, write `let name = …`",
        "null" | "nil" | "None" | "undefined" => "what is absent is `missing`, asked with `is missing`",
        _ => return None,
    };
    let expected = list(&stop.expected);
    Some(
        Diagnostic::error("unexpected-token", format!("expected {expected}, found `{word}`"))
            .at(span, "a word of another language")
            .help(help),
    )
}

/// `whn x > 5`: nearly a word that could stand here.
fn misspelled(stop: &Stop) -> Option<Diagnostic> {
    let token = stop.token().filter(|token| token.kind == TokenKind::Word)?;
    let word = stop.scan.text(token);
    let candidates = candidates(stop);
    if candidates.contains(&word) {
        return None;
    }
    let meant = nearest(word, candidates)?;
    let span = stop.scan.span(token);
    Some(
        Diagnostic::error("misspelled-keyword", format!("there is no `{word}` here"))
            .at(span, "not expected here")
            .suggest(format!("did you mean `{meant}`?"), span, meant),
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
    Some(
        Diagnostic::error("reserved-word", format!("expected {expected}, found `{}`", stop.word()))
            .at(span, "a word of the language")
            .help("something is missing before it; as a name it cannot be used"),
    )
}
