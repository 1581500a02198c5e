//! Policies, rules, events and lists: what they begin with.

use super::super::{Stop, forms};
use crate::diagnostic::Diagnostic;
use crate::lower::Rule;
use crate::scan::{TokenKind, in_a_text};

/// `test`, `policy` and their like inside a policy or a rule, and a rule inside a rule.
pub(super) fn misplaced_item(stop: &Stop) -> Option<Diagnostic> {
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
pub(super) fn colon_of_yaml(stop: &Stop) -> Option<Diagnostic> {
    let what = stop.back(1);
    let item = matches!(what, "policy" | "event" | "list" | "script" | "reason" | "let" | "test" | "prove" | "import");
    (item && stop.back(2).is_empty() && stop.word() == ":").then_some(())?;
    let (span, form) = (stop.span()?, forms::form(stop)?);
    Some(
        Diagnostic::error("unexpected-token", format!("`{what}` stands without a colon"))
            .at(span, "not expected here")
            .help(format!("this reads like YAML; {form}")),
    )
}

/// `policy on sign_in {`, `rule {`, `rule "title" {`, `event { … }`
pub(super) fn missing_name(stop: &Stop) -> Option<Diagnostic> {
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
pub(super) fn short_name(stop: &Stop) -> Option<Diagnostic> {
    let word = stop.word();
    let short = (1..=2).contains(&word.len()) && word.starts_with(|c: char| c.is_ascii_uppercase());
    (short && stop.expects(&[Rule::ident, Rule::path])).then_some(())?;
    Some(
        Diagnostic::error("reserved-word", format!("`{word}` is too short for a name in capitals"))
            .at(stop.span()?, "two capitals are a country")
            .help("names that begin with a capital have at least three characters, as in `IP_BLOCKED`"),
    )
}

/// `event e { amount }`
pub(super) fn no_type(stop: &Stop) -> Option<Diagnostic> {
    let field = stop.expected == [Rule::colon] && stop.found >= stop.region.end && stop.region.len() == 1;
    let name = stop.before().filter(|_| field)?;
    Some(
        Diagnostic::error("unexpected-end", format!("field `{}` has no type", stop.scan.text(name)))
            .at(stop.scan.span(name), "of what type?")
            .help("a field is written `amount: money`, with a `?` behind the type if it may be absent"),
    )
}

/// `rule r { amount > 5 then block }`
pub(super) fn no_when(stop: &Stop) -> Option<Diagnostic> {
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

/// `import lists.rules`, `test sign_in {`
pub(super) fn quotes_missing(stop: &Stop) -> Option<Diagnostic> {
    let token = stop.token().filter(|token| token.kind == TokenKind::Word)?;
    let only = stop.expected.iter().all(|rule| matches!(rule, Rule::string | Rule::close_paren));
    (stop.expects(&[Rule::string]) && only).then_some(())?;
    // All that is glued to it: `lists/office.csv`.
    let separates = |index: usize| {
        matches!(stop.scan.word(index), "," | ";")
            || matches!(stop.scan.kind(index), Some(TokenKind::Open(_) | TokenKind::Close(_)))
    };
    let last = (stop.found..stop.region.end)
        .find(|index| !stop.touches_next(*index) || !stop.region.contains(&(index + 1)) || separates(index + 1))?;
    let span = stop.scan.span(token).to(stop.span_of(last)?);
    let quoted = match stop.ahead(1).strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        // `r"\d"`: what other languages call raw.
        Some(raw) if last == stop.found + 1 => format!("\"{}\"", in_a_text(raw)),
        _ => format!("\"{}\"", stop.scan.source.slice(span)),
    };
    (!quoted.contains('\n')).then(|| {
        Diagnostic::error("unexpected-token", "a text stands in double quotes").at(span, "without quotes").correct(
            format!("write `{quoted}`"),
            span,
            quoted,
        )
    })
}

/// `import "a.rules", "b.rules"`
pub(super) fn second_import(stop: &Stop) -> Option<Diagnostic> {
    (matches!(stop.word(), "," | "and") && stop.scan.word(stop.region.start) == "import" && stop.expects(&[Rule::EOI]))
        .then_some(())?;
    Some(
        Diagnostic::error("unexpected-token", "an `import` names one file")
            .at(stop.span()?, "a second one")
            .help("write another `import` for it"),
    )
}

/// `let big: bool = n > 3`
pub(super) fn type_of_let(stop: &Stop) -> Option<Diagnostic> {
    (stop.word() == ":" && stop.back(2) == "let" && stop.expects(&[Rule::equals])).then_some(())?;
    let equals = (stop.found + 2..stop.region.end.min(stop.found + 6)).find(|at| stop.scan.word(*at) == "=")?;
    let name = stop.scan.span(stop.before()?);
    let ty = stop.span()?.to(stop.span_of(equals - 1)?);
    Some(
        Diagnostic::error("unexpected-token", "a `let` has no type of its own")
            .at(ty, "its type is that of its value")
            .correct(format!("write `let {} = …`", stop.back(1)), name.after().to(ty), ""),
    )
}
