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
        let mut open = Stack::default();
        for (index, token) in tokens.iter().enumerate() {
            if recover && !open.is_empty() && starts_item(source, tokens, index) {
                matching.report_unclosed(source, tokens, open.split_off(0));
            }
            if recover && let Some(outer) = rule_in_rule(source, tokens, index, &open) {
                matching.report_unclosed(source, tokens, open.split_off(outer));
            }
            match token.kind {
                TokenKind::Open(bracket) => {
                    matching.depths.push(open.len());
                    open.push(bracket, index);
                }
                TokenKind::Close(bracket) => {
                    match open.partner(bracket) {
                        Some(position) => {
                            let unclosed = open.split_off(position + 1);
                            matching.report_unclosed(source, tokens, unclosed);
                            let opener = open.split_off(position).first().map(|(_, opener)| *opener);
                            if let Some(slot) = opener.and_then(|opener| matching.closed_by.get_mut(opener)) {
                                *slot = Some(index);
                            }
                        }
                        None => {
                            let span = Span::new(source.id, token.start, token.end);
                            matching.problems.push(unmatched(bracket, span));
                        }
                    }
                    matching.depths.push(open.len());
                }
                _ => matching.depths.push(open.len()),
            }
        }
        matching.left_open = !open.is_empty();
        matching.report_unclosed(source, tokens, open.split_off(0));
        matching
    }

    fn report_unclosed(&mut self, source: &SourceFile, tokens: &[Token], openers: Vec<(u8, usize)>) {
        for (bracket, opener) in openers {
            let token = tokens.get(opener);
            self.problems.extend(token.map(|token| unclosed(bracket, Span::new(source.id, token.start, token.end))));
        }
    }
}

/// The brackets that are open, outermost first: their kinds and their tokens.
#[derive(Default)]
struct Stack {
    open: Vec<(u8, usize)>,
    /// How many of `{`, `(` and `[`.
    held: [usize; 3],
}

impl Stack {
    fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn len(&self) -> usize {
        self.open.len()
    }

    fn held(&mut self, bracket: u8) -> &mut usize {
        let [brace, paren, square] = &mut self.held;
        match bracket {
            b'{' | b'}' => brace,
            b'(' | b')' => paren,
            _ => square,
        }
    }

    fn push(&mut self, bracket: u8, token: usize) {
        *self.held(bracket) += 1;
        self.open.push((bracket, token));
    }

    /// The place of the innermost bracket this one closes. It searches only when there is one, and what it passes is unclosed
    /// and leaves the stack: all searches together take no longer than there are brackets.
    fn partner(&mut self, closing: u8) -> Option<usize> {
        if *self.held(closing) == 0 {
            return None;
        }
        self.open.iter().rposition(|(opener, _)| closer(*opener) == closing)
    }

    fn split_off(&mut self, position: usize) -> Vec<(u8, usize)> {
        let removed = self.open.split_off(position.min(self.open.len()));
        for (bracket, _) in &removed {
            *self.held(*bracket) -= 1;
        }
        removed
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
fn rule_in_rule(source: &SourceFile, tokens: &[Token], index: usize, open: &Stack) -> Option<usize> {
    let text =
        |index: usize| tokens.get(index).and_then(|token| source.text.get(token.start..token.end)).unwrap_or_default();
    let token = tokens.get(index).filter(|token| token.starts_line)?;
    if text(index) != "rule" || tokens.get(index + 1)?.kind != TokenKind::Word || token.kind != TokenKind::Word {
        return None;
    }
    // `rule name {` or `rule name "title" {`
    open.open
        .iter()
        .take(crate::MAX_NESTING)
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
