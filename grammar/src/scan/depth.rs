//! How deep an item nests: refused here, before anything recurses over it.

use super::{Scan, TokenKind};
use crate::diagnostic::Diagnostic;
use crate::{MAX_EXPRESSION_DEPTH, MAX_EXPRESSION_NESTING, MAX_NESTING};
use std::ops::Range;

/// What one pair of brackets can add to the depth of a tree besides its operators: the bracket, `or`, `and`, a comparison
/// and the operand itself.
const NODES_PER_BRACKET: usize = 5;

/// What stands between two brackets, and how deep the expression tree under it may get.
#[derive(Default)]
struct Level {
    /// The deepest operand of the chain that is being read.
    operand: usize,
    /// The operators of that chain; each may put the operands before it one deeper.
    operators: usize,
    /// The deepest chain so far.
    deepest: usize,
}

impl Level {
    fn depth(&self) -> usize {
        self.deepest.max(self.operand + self.operators + NODES_PER_BRACKET)
    }

    fn next_chain(&mut self) {
        *self = Level { deepest: self.depth(), ..Level::default() };
    }
}

/// What is wrong with an item that nests too deep. An item that passes has at most [`MAX_NESTING`] brackets open at once,
/// and its expression trees are at most [`MAX_EXPRESSION_DEPTH`] nodes deep: this counts an upper bound of that.
pub(crate) fn too_deep(scan: &Scan, item: Range<usize>) -> Option<Diagnostic> {
    let mut levels = vec![Level::default()];
    let mut open: Vec<u8> = Vec::new();
    let mut date_dashes = 0;
    for index in item {
        let token = scan.tokens.get(index)?;
        match token.kind {
            TokenKind::Open(bracket) => {
                open.push(bracket);
                levels.push(Level::default());
            }
            TokenKind::Close(_) => {
                // A block in braces is no operand of anything.
                let block = open.pop() == Some(b'{');
                let inner = if levels.len() > 1 { levels.pop().map_or(0, |level| level.depth()) } else { 0 };
                if let Some(level) = levels.last_mut().filter(|_| !block) {
                    level.operand = level.operand.max(inner);
                }
            }
            TokenKind::Number if starts_date(scan, index) => date_dashes = 2,
            TokenKind::Symbol if date_dashes > 0 && scan.text(token) == "-" => date_dashes -= 1,
            TokenKind::Word | TokenKind::Symbol => {
                if let Some(level) = levels.last_mut() {
                    match scan.text(token) {
                        "+" | "-" | "*" | "/" | "??" | "not" => level.operators += 1,
                        "let" if scan.word(index + 2) == "=" => level.next_chain(),
                        text if ENDS_CHAIN.contains(&text) => level.next_chain(),
                        _ => {}
                    }
                }
            }
            TokenKind::Number | TokenKind::Text | TokenKind::ListName => {}
        }
        let span = scan.span(token);
        let in_expression = open.iter().filter(|bracket| **bracket != b'{').count();
        if open.len() > MAX_NESTING || in_expression > MAX_EXPRESSION_NESTING {
            let limit = if open.len() > MAX_NESTING { MAX_NESTING } else { MAX_EXPRESSION_NESTING };
            return Some(
                Diagnostic::error("nested-too-deep", format!("more than {limit} brackets are open here"))
                    .at(span, "one too many")
                    .help("give an inner part a name with `let` and use the name"),
            );
        }
        if levels.last().is_some_and(|level| level.depth() > MAX_EXPRESSION_DEPTH) {
            return Some(
                Diagnostic::error("expression-too-deep", "this expression has too many operators in a row")
                    .at(span, "one too many")
                    .help("give an inner part a name with `let` and use the name"),
            );
        }
    }
    None
}

/// The dashes of a date are no operators. Exactly what the grammar reads as a date, or a long chain could hide behind it.
fn starts_date(scan: &Scan, index: usize) -> bool {
    let Some(year) = scan.tokens.get(index) else { return false };
    let date = scan.source.text.get(year.start..).and_then(|rest| rest.as_bytes().get(..10)).unwrap_or_default();
    date.len() == 10
        && date
            .iter()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { *byte == b'-' } else { byte.is_ascii_digit() })
}

/// Operators and words between operands that do not nest in each other. Only words that can be no name, or a long chain
/// could hide behind names.
const ENDS_CHAIN: [&str; 20] = [
    ",", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in", "is", "between", "when", "unless", "then", "rule", "by",
    "over", "of", "where",
];
