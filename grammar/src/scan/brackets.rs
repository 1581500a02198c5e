//! Which bracket closes which, and what to do when it does not add up.

use super::{Token, TokenKind};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceFile, Span};

/// For each opening bracket, the token that closes it.
#[derive(Debug)]
pub(crate) struct Brackets {
    closed_by: Vec<Option<usize>>,
}

impl Brackets {
    /// Matches brackets and writes each token's depth into it.
    pub(super) fn of(source: &SourceFile, tokens: &mut [Token], problems: &mut Vec<Diagnostic>) -> Self {
        // When something stays open to the end of the file, the item it is in has probably lost a bracket: look again,
        // and end an item where another one clearly starts.
        let mut matching = Matching::of(source, tokens, false);
        if matching.left_open {
            matching = Matching::of(source, tokens, true);
        }
        for (token, depth) in tokens.iter_mut().zip(&matching.depths) {
            token.depth = *depth;
        }
        // A string or comment that never ends has probably swallowed the bracket.
        let swallowed =
            problems.iter().filter(|problem| matches!(problem.code, "unclosed-string" | "unclosed-comment"));
        let last = swallowed.filter_map(Diagnostic::span).map(|span| span.start).max();
        matching.problems.retain(|problem| {
            problem.code != "unclosed-bracket"
                || problem.span().is_none_or(|span| last.is_none_or(|last| span.start > last))
        });
        problems.append(&mut matching.problems);
        Brackets { closed_by: matching.closed_by }
    }

    pub fn close_of(&self, open: usize) -> Option<usize> {
        self.closed_by.get(open).copied().flatten()
    }
}

struct Matching {
    closed_by: Vec<Option<usize>>,
    depths: Vec<usize>,
    problems: Vec<Diagnostic>,
    left_open: bool,
}

impl Matching {
    fn of(source: &SourceFile, tokens: &[Token], recover: bool) -> Self {
        let mut matching = Matching {
            closed_by: vec![None; tokens.len()],
            depths: Vec::new(),
            problems: Vec::new(),
            left_open: false,
        };
        let mut open: Vec<(u8, usize)> = Vec::new();
        let span = |index: usize| tokens.get(index).map(|token| Span::new(source.id, token.start, token.end));
        for (index, token) in tokens.iter().enumerate() {
            if recover && !open.is_empty() && starts_item(source, tokens, index) {
                for (bracket, opener) in open.drain(..) {
                    matching.problems.extend(span(opener).map(|span| unclosed(bracket, span)));
                }
            }
            if recover && let Some(outer) = rule_in_rule(source, tokens, index, &open) {
                for (bracket, opener) in open.drain(outer..) {
                    matching.problems.extend(span(opener).map(|span| unclosed(bracket, span)));
                }
            }
            match token.kind {
                TokenKind::Open(bracket) => {
                    matching.depths.push(open.len());
                    open.push((bracket, index));
                }
                TokenKind::Close(bracket) => {
                    match open.iter().rposition(|(opener, _)| closer(*opener) == bracket) {
                        Some(position) => {
                            for (bracket, opener) in open.drain(position + 1..) {
                                matching.problems.extend(span(opener).map(|span| unclosed(bracket, span)));
                            }
                            if let Some((_, opener)) = open.pop()
                                && let Some(slot) = matching.closed_by.get_mut(opener)
                            {
                                *slot = Some(index);
                            }
                        }
                        None => matching.problems.extend(span(index).map(|span| unmatched(bracket, span))),
                    }
                    matching.depths.push(open.len());
                }
                _ => matching.depths.push(open.len()),
            }
        }
        matching.left_open = !open.is_empty();
        for (bracket, opener) in open {
            matching.problems.extend(span(opener).map(|span| unclosed(bracket, span)));
        }
        matching
    }
}

/// Whether an item starts here for certain: its keyword at the start of a line, and behind it what only an item has.
fn starts_item(source: &SourceFile, tokens: &[Token], index: usize) -> bool {
    let text =
        |index: usize| tokens.get(index).and_then(|token| source.text.get(token.start..token.end)).unwrap_or_default();
    let kind = |index: usize| tokens.get(index).map(|token| token.kind);
    let Some(token) = tokens.get(index).filter(|token| token.starts_line) else { return false };
    let (first, second) = (kind(index + 1), text(index + 2));
    match text(index) {
        "policy" => second == "on",
        "test" | "prove" | "import" => first == Some(TokenKind::Text),
        "rates" => text(index + 1) == "from",
        "script" => second == "(",
        "reason" => kind(index + 2) == Some(TokenKind::Text),
        "list" => first == Some(TokenKind::ListName) && second == ":",
        // Inside a policy or a test these are members; there they are indented.
        "event" | "let" => token.at_margin && first == Some(TokenKind::Word),
        _ => false,
    }
}

/// Where a rule starts inside another, the place of the outer one's brace among those that are open.
fn rule_in_rule(source: &SourceFile, tokens: &[Token], index: usize, open: &[(u8, usize)]) -> Option<usize> {
    let text =
        |index: usize| tokens.get(index).and_then(|token| source.text.get(token.start..token.end)).unwrap_or_default();
    let token = tokens.get(index).filter(|token| token.starts_line)?;
    if text(index) != "rule" || tokens.get(index + 1)?.kind != TokenKind::Word || token.kind != TokenKind::Word {
        return None;
    }
    // `rule name {` or `rule name "title" {`
    open.iter()
        .position(|(_, opener)| (2..=3).any(|back| opener.checked_sub(back).is_some_and(|at| text(at) == "rule")))
}

fn closer(opener: u8) -> u8 {
    match opener {
        b'{' => b'}',
        b'(' => b')',
        _ => b']',
    }
}

fn unclosed(bracket: u8, span: Span) -> Diagnostic {
    let (open, close) = (char::from(bracket), char::from(closer(bracket)));
    Diagnostic::error("unclosed-bracket", format!("this `{open}` is never closed"))
        .at(span, "opened here")
        .help(format!("add the missing `{close}`"))
}

fn unmatched(bracket: u8, span: Span) -> Diagnostic {
    Diagnostic::error("unmatched-bracket", format!("this `{}` closes nothing", char::from(bracket)))
        .at(span, "nothing is open here")
        .suggest("leave it out, or open it earlier", span, "")
}
