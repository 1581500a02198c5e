//! How deep an item nests: refused here, before anything recurses over it.

use super::{Scan, TokenKind};
use crate::diagnostic::Diagnostic;
use crate::{MAX_EXPRESSION_DEPTH, MAX_NESTING, MAX_OPERATORS};
use std::ops::Range;

/// What one pair of brackets can add to the depth of a tree besides its operators: the bracket, `or`, `and`, a comparison
/// and the operand itself.
const NODES_PER_BRACKET: usize = 5;

const _: () = assert!(MAX_EXPRESSION_DEPTH >= MAX_OPERATORS + NODES_PER_BRACKET * (MAX_NESTING + 1));

/// What stands between two brackets, and how many operators are around what is in it.
#[derive(Default)]
struct Level {
    /// The most operators in an operand of the chain that is being read.
    operand: usize,
    /// The operators of that chain; each may put the operands before it one deeper in the tree.
    operators: usize,
    /// The `not`s in front of the condition that is being read.
    nots: usize,
    /// Whether the next `and` belongs to a `between`.
    between: bool,
    /// The most operators in a chain so far.
    deepest: usize,
}

impl Level {
    fn most(&self) -> usize {
        self.deepest.max(self.operand + self.operators)
    }

    fn next_condition(&mut self) {
        *self = Level { deepest: self.most(), ..Level::default() };
    }

    fn next_operand(&mut self) {
        *self = Level { deepest: self.most(), nots: self.nots, ..Level::default() };
    }

    fn read(&mut self, word: &str) {
        match word {
            "+" | "-" | "*" | "/" | "??" => self.operators += 1,
            "not" => self.nots += 1,
            "between" => {
                self.next_operand();
                self.between = true;
            }
            "and" if self.between => self.next_operand(),
            word if BETWEEN_OPERANDS.contains(&word) => self.next_operand(),
            word if BETWEEN_CONDITIONS.contains(&word) => self.next_condition(),
            _ => {}
        }
    }
}

/// What is wrong with an item that nests too deep. In an item that passes, at most [`MAX_NESTING`] brackets and `not`s are
/// around anything, and at most [`MAX_OPERATORS`]: its expression trees are at most [`MAX_EXPRESSION_DEPTH`] nodes deep.
pub(crate) fn too_deep(scan: &Scan, item: Range<usize>) -> Option<Diagnostic> {
    let mut levels = vec![Level::default()];
    let mut open: Vec<u8> = Vec::new();
    let mut date_dashes = 0;
    for index in item {
        let token = scan.tokens.get(index)?;
        let mut nests = false;
        match token.kind {
            TokenKind::Open(bracket) => {
                open.push(bracket);
                levels.push(Level::default());
                nests = true;
            }
            TokenKind::Close(_) => {
                // A block in braces is no operand of anything.
                let block = open.pop() == Some(b'{');
                let inner = if levels.len() > 1 { levels.pop().map_or(0, |level| level.most()) } else { 0 };
                if let Some(level) = levels.last_mut().filter(|_| !block) {
                    level.operand = level.operand.max(inner);
                }
            }
            TokenKind::Number if starts_date(scan, index) => date_dashes = 2,
            TokenKind::Symbol if date_dashes > 0 && scan.text(token) == "-" => date_dashes -= 1,
            TokenKind::Word | TokenKind::Symbol => {
                let word = scan.text(token);
                nests = word == "not";
                if let Some(level) = levels.last_mut() {
                    if word == "let" && scan.word(index + 2) == "=" {
                        level.next_condition();
                    }
                    level.read(word);
                }
            }
            TokenKind::Number | TokenKind::Text | TokenKind::ListName => {}
        }
        let span = scan.span(token);
        if nests && open.len() + levels.iter().map(|level| level.nots).sum::<usize>() > MAX_NESTING {
            return Some(
                Diagnostic::error("nested-too-deep", format!("this is nested more than {MAX_NESTING} deep"))
                    .at(span, "one level too many")
                    .help("give an inner part a name with `let` and use the name"),
            );
        }
        if levels.last().is_some_and(|level| level.most() > MAX_OPERATORS) {
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

/// Operators between two operands of one condition.
const BETWEEN_OPERANDS: [&str; 8] = ["==", "!=", "<", "<=", ">", ">=", "in", "is"];

/// What stands between conditions, or between clauses. Only words that can be no name, or a long chain could hide behind
/// names.
const BETWEEN_CONDITIONS: [&str; 11] =
    [",", "and", "or", "when", "unless", "then", "rule", "by", "over", "of", "where"];
