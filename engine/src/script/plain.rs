//! Scripts that only say what a rule can say: comparisons, `&&`, `||`, `!` and sums over their arguments.

use std::sync::Arc;

use grammar::{FileId, SourceFile};

use crate::types::Type;

/// The expression a rule could write instead of calling the script; none if the script does more than that, or
/// something else than the language's operators do.
pub(crate) fn as_expression(name: &str, params: &[(Arc<str>, Type)], returns: &Type, source: &str) -> Option<String> {
    // Its arithmetic on percent and decimals is not the language's, and a whole number is no percentage.
    if !matches!(returns, Type::Bool | Type::Int | Type::Text) {
        return None;
    }
    // Nor are other types what a script sees of them: `NZ` is a text to it.
    let alike = |ty: &Type| matches!(ty, Type::Bool | Type::Int | Type::Text | Type::User | Type::Device);
    if !params.iter().all(|(_, ty)| alike(ty)) {
        return None;
    }
    let tokens = tokens(source)?;
    let (names, body) = function(name, &tokens)
        .unwrap_or_else(|| (params.iter().map(|(param, _)| &**param).collect(), tokens.as_slice()));
    if !negations_stand_alone(body) {
        return None;
    }
    let numbers = params.iter().all(|(_, ty)| matches!(ty, Type::Int | Type::Bool));
    let mut words: Vec<&str> = Vec::new();
    for token in body {
        words.push(match *token {
            "&&" => "and",
            "||" => "or",
            "!" => "not",
            "(" | ")" | "==" | "!=" => token,
            // Texts are not added up, and have no order.
            "+" | "-" | "*" | "<" | "<=" | ">" | ">=" if numbers => token,
            "true" | "false" => token,
            text if text.starts_with('"') => text,
            number if number.bytes().all(|byte| byte.is_ascii_digit()) => number,
            word => {
                let place = names.iter().position(|name| *name == word)?;
                params.get(place).map(|(param, _)| &**param)?
            }
        });
    }
    let expression = joined(&words);
    // What a rule cannot say this way (`a == b == c`) is left to the script.
    let definition = SourceFile::new(FileId(0), "", format!("let it = {expression}"));
    grammar::parse(&definition).diagnostics.is_empty().then_some(expression)
}

/// Whether each `!` is about a name or a group that nothing is compared with: `!a == b` is `(!a) == b` to a script, and
/// `not (a == b)` to a rule.
fn negations_stand_alone(tokens: &[&str]) -> bool {
    let mut rest = tokens;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != "!" {
            continue;
        }
        let operand = match after {
            ["(", ..] => {
                let mut open = 0_usize;
                let closed = after.iter().position(|token| {
                    match *token {
                        "(" => open += 1,
                        ")" => open -= 1,
                        _ => {}
                    }
                    open == 0
                });
                closed.map_or(after.len(), |last| last + 1)
            }
            _ => 1,
        };
        if !matches!(after.get(operand), None | Some(&("&&" | "||" | ")" | "}"))) {
            return false;
        }
    }
    true
}

/// `fn name(a, b) { body }`, if that is all there is.
fn function<'t>(name: &str, tokens: &'t [&'t str]) -> Option<(Vec<&'t str>, &'t [&'t str])> {
    let ["fn", named, "(", rest @ ..] = tokens else { return None };
    if *named != name {
        return None;
    }
    let close = rest.iter().position(|token| *token == ")")?;
    let (names, body) = rest.split_at_checked(close)?;
    match body {
        [")", "{", body @ .., "}"] => Some((names.iter().copied().filter(|name| *name != ",").collect(), body)),
        _ => None,
    }
}

/// The tokens of a script that has nothing but names, numbers, texts and operators; comments and blanks are left out.
fn tokens(source: &str) -> Option<Vec<&str>> {
    let mut tokens = Vec::new();
    let mut rest = source.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/")? + 2
        } else if first.is_alphabetic() || first == '_' {
            rest.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(rest.len())
        } else if first.is_ascii_digit() {
            rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len())
        } else if first == '"' {
            // A text with an escape is written another way in a rule.
            let end = rest.get(1..)?.find(['"', '\\']).filter(|end| rest.get(end + 1..end + 2) == Some("\""))?;
            end + 2
        } else {
            OPERATORS.iter().find(|operator| rest.starts_with(**operator))?.len()
        };
        let (token, after) = rest.split_at_checked(length)?;
        if !token.starts_with("//") && !token.starts_with("/*") {
            tokens.push(token);
        }
        rest = after.trim_start();
    }
    Some(tokens)
}

/// The longer one first. What is not here (`/`, `%`, `.`, `;`, …) means something else in a rule, or nothing.
const OPERATORS: [&str; 17] =
    ["==", "!=", "<=", ">=", "&&", "||", "!", "(", ")", "{", "}", ",", "+", "-", "*", "<", ">"];

fn joined(words: &[&str]) -> String {
    let mut text = String::new();
    for word in words {
        if !text.is_empty() && !text.ends_with('(') && *word != ")" {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(params: &[(&str, Type)], returns: Type, source: &str) -> Option<String> {
        let params: Vec<(Arc<str>, Type)> = params.iter().map(|(name, ty)| ((*name).into(), ty.clone())).collect();
        as_expression("s", &params, &returns, source)
    }

    #[test]
    fn what_a_rule_can_say_is_said_as_a_rule() {
        let two = [("a", Type::Int), ("b", Type::Int)];
        let one = [("name", Type::Text)];
        let cases = [
            (expression(&two, Type::Bool, "a > 3 && !(b == 2) // both"), Some("a > 3 and not (b == 2)")),
            (expression(&two, Type::Int, "fn s(x, y) { 2 * x + y }"), Some("2 * a + b")),
            (
                expression(&one, Type::Bool, "/* who */ name == \"x\" || name == \"y\""),
                Some("name == \"x\" or name == \"y\""),
            ),
            (expression(&one, Type::Text, "name"), Some("name")),
            (
                expression(&two, Type::Bool, "!(a == b) || !(a > b && (b > 3))"),
                Some("not (a == b) or not (a > b and (b > 3))"),
            ),
        ];
        for (found, expected) in cases {
            assert_eq!(found.as_deref(), expected);
        }
    }

    #[test]
    fn what_only_a_script_can_say_is_left_to_it() {
        let two = [("a", Type::Int), ("b", Type::Int)];
        let one = [("name", Type::Text)];
        for (params, returns, source) in [
            (&two[..], Type::Int, "a / b"),
            (&two, Type::Int, "a % 2"),
            (&two, Type::Int, "let c = a; c"),
            (&two, Type::Int, "if a > b { a } else { b }"),
            (&two, Type::Int, "fn t(x) { x } t(a)"),
            (&two, Type::Percent, "a * 2"),
            (&[("place", Type::Country)], Type::Bool, "place == \"NZ\""),
            (&[("length", Type::Duration)], Type::Bool, "length == 5"),
            (&one, Type::Text, "name + \"x\""),
            (&one, Type::Bool, "name > \"m\""),
            (&one, Type::Int, "name.len()"),
            (&one, Type::Bool, "name == \"a\\nb\""),
            (&one, Type::Bool, "name == 'x'"),
            (&one, Type::Bool, "other == \"x\""),
            (&two, Type::Bool, "!(a) == b"),
            (&two, Type::Bool, "!a == b"),
            (&two, Type::Bool, "!!(a == b)"),
            (&two, Type::Bool, "a < b == true"),
            (&two, Type::Bool, "a +"),
            (&one, Type::Bool, ""),
            (&one, Type::Bool, "\""),
            (&one, Type::Bool, "/* open"),
        ] {
            assert_eq!(expression(params, returns, source), None, "{source}");
        }
    }
}
