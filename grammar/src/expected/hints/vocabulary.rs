//! Words that are nearly ours.

use super::super::{Stop, is_reserved, keyword, list};
use super::conditions::condition_start;
use super::literals::comma_in_number;
use crate::diagnostic::Diagnostic;
use crate::lower::Rule;
use crate::nearest::meant;
use crate::scan::TokenKind;

/// Words that are nearly ours, or missing before what is here: each with the word that is meant.
pub(super) fn other_words(stop: &Stop) -> Option<Diagnostic> {
    let span = stop.span();
    let word = stop.word();
    // What was found, and what should stand in its place.
    let instead = match word {
        "to" | "until" | ".." | "-" | ","
            if !comma_in_number(stop, &["and"])
                && stop.expects(&[Rule::kw_and])
                && [2, 3].into_iter().any(|back| stop.back(back) == "between") =>
        {
            Some("and")
        }
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
        "for" | "of" | "in" | "at" | "to" | "against" if stop.expects(&[Rule::kw_on]) && stop.back(2) == "policy" => {
            Some("on")
        }
        "challenged" if stop.expects(&[Rule::expected, Rule::outcome, Rule::kw_challenge]) => Some("challenge qr"),
        "?" if stop.expects(&[Rule::type_ref]) && stop.scan.kind(stop.found + 1) == Some(TokenKind::Word) => None,
        "not" if stop.back(1) == "in" => None,
        _ => {
            // What is missing before this, or at the end.
            let missing = match stop.expected.as_slice() {
                [Rule::arrow] if !matches!(stop.word(), "from" | "budget" | "") => "->",
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
        (Some(meant), _) => {
            // A comma stands right behind what is before it.
            let blank = if word == "," { " " } else { "" };
            let behind = if stop.touches_next(stop.found) { " " } else { "" };
            Some(
                Diagnostic::error("unexpected-token", format!("expected `{meant}`, found `{word}`"))
                    .at(span, "not expected here")
                    .correct(format!("write `{meant}`"), span, format!("{blank}{meant}{behind}")),
            )
        }
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

/// Words of other languages.
pub(super) fn foreign_word(stop: &Stop) -> Option<Diagnostic> {
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
pub(super) fn misspelled(stop: &Stop) -> Option<Diagnostic> {
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
pub(super) fn reserved(stop: &Stop) -> Option<Diagnostic> {
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
