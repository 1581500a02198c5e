//! Patterns as other languages write them: `matches /^x/i`, `=~ /^x/`, `matches ^x`.

use super::{Scanner, TokenKind};
use crate::diagnostic::{Applicability, Diagnostic};

/// The flags that a pattern here can begin with, as in `(?i)`.
const OUR_FLAGS: &str = "imsx";
/// Flags that say what is so here anyway, or that asking whether a text matches has no use for.
const IDLE_FLAGS: &str = "guy";

impl Scanner<'_> {
    /// Whether a pattern is due here: nothing else begins with a `/`.
    pub(super) fn pattern_is_due(&self) -> bool {
        self.tokens.last().is_some_and(|last| {
            let written = self.source.text.get(last.start..last.end).unwrap_or_default();
            matches!(written, "matches" | "like" | "=~" | "~" | "!~" | "==" | "!=")
        })
    }

    /// `/^x/i`; whether it was one.
    pub(super) fn slashed_pattern(&mut self) -> bool {
        let Some((body, flags)) = slashed(self.rest()) else { return false };
        let (start, end) = (self.at, self.at + body.len() + flags.len() + 2);
        let span = self.span(start, end);
        let finding = Diagnostic::error("wrong-operator", "a pattern stands in double quotes")
            .at(span, "slashes of another language");
        let kept: String = OUR_FLAGS.chars().filter(|flag| flags.contains(*flag)).collect();
        let begins = if kept.is_empty() { String::new() } else { format!("(?{kept})") };
        let written = format!("\"{begins}{}\"", in_a_text(&body.replace("\\/", "/")));
        let understood = flags.chars().all(|flag| OUR_FLAGS.contains(flag) || IDLE_FLAGS.contains(flag));
        let operator = self.tokens.last().map(|last| self.span(last.start, last.end)).unwrap_or_default();
        self.problems.push(match self.source.slice(operator) {
            _ if !understood => {
                finding.help("flags stand at its beginning: `\"(?i)…\"` for either case, and `m`, `s` and `x`")
            }
            // Compared with the text of a pattern, a value would be equal to it, which nobody means.
            "==" => {
                let edits = [(operator, "matches".to_owned()), (span, written.clone())];
                finding.with_edits(format!("write `matches {written}`"), edits, Applicability::Certain)
            }
            "!=" => finding.help(format!("write `not value matches {written}`")),
            _ => finding.correct(format!("write `{written}`"), span, written),
        });
        self.token(TokenKind::Text, end);
        true
    }

    /// `matches ^x`; whether it was one.
    pub(super) fn bare_pattern(&mut self) -> bool {
        let after_matches = self.tokens.last().is_some_and(|last| {
            self.source.text.get(last.start..last.end).is_some_and(|written| matches!(written, "matches" | "=~"))
        });
        if !after_matches || !self.rest().starts_with(['^', '\\', '.', '$']) {
            return false;
        }
        let length = self.rest().find(char::is_whitespace).unwrap_or(self.rest().len());
        let written = format!("\"{}\"", in_a_text(self.rest().get(..length).unwrap_or_default()));
        let span = self.span(self.at, self.at + length);
        self.problems.push(
            Diagnostic::error("wrong-operator", "a pattern stands in double quotes")
                .at(span, "without quotes")
                .suggest(format!("write `{written}`"), span, written),
        );
        self.token(TokenKind::Text, self.at + length);
        true
    }

    /// `payee =~ "^x"`, `payee ~ "^x"`, `payee !~ "^x"`; whether it was one.
    pub(super) fn foreign_match(&mut self) -> bool {
        let sign = ["=~", "!~", "~*", "~"].into_iter().find(|sign| self.rest().starts_with(sign));
        let Some(sign) = sign else { return false };
        let behind = self.rest().get(sign.len()..).unwrap_or_default().trim_start();
        if !behind.starts_with(['/', '"', '\'']) {
            return false;
        }
        let span = self.span(self.at, self.at + sign.len());
        let finding = Diagnostic::error("wrong-operator", format!("`{sign}` is not an operator here"))
            .at(span, "an operator of another language");
        self.problems.push(match sign {
            "!~" => finding.help("write `not value matches \"…\"`"),
            "~*" => finding.help("write `matches`, and `(?i)` where the pattern begins: `matches \"(?i)…\"`"),
            _ => finding.correct("to search a text with a pattern, write `matches`", span, "matches"),
        });
        self.token(TokenKind::Symbol, self.at + sign.len());
        true
    }
}

/// What is between two slashes on one line, and the letters right behind them.
fn slashed(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('/')?;
    let (mut escaped, mut in_class, mut close) = (false, false, None);
    for (at, sign) in inner.char_indices() {
        match sign {
            '\n' | '\r' => break,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '/' if !in_class => {
                close = Some(at);
                break;
            }
            _ => {}
        }
    }
    let body = inner.get(..close?).filter(|body| !body.is_empty())?;
    let behind = inner.get(body.len() + 1..)?;
    let letters = behind.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(behind.len());
    Some((body, behind.get(..letters)?))
}

/// A pattern as it is written between double quotes.
pub(crate) fn in_a_text(pattern: &str) -> String {
    pattern.replace('\\', "\\\\").replace('"', "\\\"")
}
