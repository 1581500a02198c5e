//! Which bracket closes which, and what to do when it does not add up.

use super::{Token, TokenKind};
use crate::diagnostic::{Applicability, Diagnostic, Findings};
use crate::source::{SourceFile, Span};

/// For each opening bracket, the token that closes it.
#[derive(Debug)]
pub(crate) struct Brackets {
    closed_by: Vec<Option<usize>>,
    /// Where those stand that are open where the file ends, in bytes, outermost first.
    pub left_open: Vec<usize>,
}

impl Brackets {
    /// Matches brackets and writes each token's depth into it.
    pub(super) fn of(source: &SourceFile, tokens: &mut [Token], problems: &mut Findings) -> Self {
        // When something stays open to the end of the file, the item it is in has probably lost a bracket: look again,
        // and end an item where another one clearly starts.
        let mut matching = Matching::of(source, tokens, false, problems.most());
        if !matching.left_open.is_empty() {
            matching = Matching::of(source, tokens, true, problems.most());
        }
        for (token, depth) in tokens.iter_mut().zip(&matching.depths) {
            token.depth = *depth;
        }
        // A string or comment that never ends, between the bracket and where it was missed, has probably swallowed its partner.
        let swallowed: Vec<u32> = problems
            .as_slice()
            .iter()
            .filter(|problem| matches!(problem.code, "unclosed-string" | "unclosed-comment" | "merge-conflict"))
            .filter_map(|problem| problem.span().map(|span| span.start))
            .collect();
        matching.problems.retain(|problem| {
            let missed = problem.labels.iter().map(|label| label.span.end).max().unwrap_or_default();
            let opened = problem.span().map_or(0, |span| span.start);
            problem.code != "unclosed-bracket" || !swallowed.iter().any(|place| (opened..missed).contains(place))
        });
        for problem in matching.problems.as_mut_slice() {
            // Only to be compared: a caret at the end of the file says nothing.
            problem.labels.retain(|label| label.primary || !label.text.is_empty());
        }
        problems.append(matching.problems);
        Brackets { closed_by: matching.closed_by, left_open: matching.left_open }
    }

    pub fn close_of(&self, open: usize) -> Option<usize> {
        self.closed_by.get(open).copied().flatten()
    }
}

struct Matching {
    closed_by: Vec<Option<usize>>,
    depths: Vec<usize>,
    problems: Findings,
    left_open: Vec<usize>,
}

impl Matching {
    fn of(source: &SourceFile, tokens: &[Token], recover: bool, most: usize) -> Self {
        let mut matching = Matching {
            closed_by: vec![None; tokens.len()],
            depths: Vec::new(),
            problems: Findings::up_to(most),
            left_open: Vec::new(),
        };
        let mut open = Stack::default();
        for (index, token) in tokens.iter().enumerate() {
            if recover && !open.is_empty() && starts_item(source, tokens, index) {
                matching.report_unclosed(source, tokens, open.split_off(0), index);
            }
            if recover && let Some(outer) = rule_in_rule(source, tokens, index, &open) {
                matching.report_unclosed(source, tokens, open.split_off(outer), index);
            }
            match token.kind {
                TokenKind::Open(bracket) => {
                    matching.depths.push(open.len());
                    open.push(bracket, index);
                }
                TokenKind::Close(bracket) => {
                    if recover && let Some(outer) = outdented(source, tokens, index, &open) {
                        matching.report_unclosed(source, tokens, open.split_off(outer), index);
                    }
                    match open.partner(bracket) {
                        Some(position) => {
                            let unclosed = open.split_off(position + 1);
                            matching.report_unclosed(source, tokens, unclosed, index);
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
        let start = |(_, opener): &(u8, usize)| tokens.get(*opener).map(|token| token.start);
        matching.left_open = open.open.iter().filter_map(start).collect();
        matching.report_unclosed(source, tokens, open.split_off(0), tokens.len());
        matching
    }

    /// Reports brackets that are found open at the token `missed`: one mistake, however many they are.
    fn report_unclosed(&mut self, source: &SourceFile, tokens: &[Token], openers: Vec<(u8, usize)>, missed: usize) {
        let Some(((bracket, opener), outer)) = openers.split_last() else { return };
        let span = |token: usize| tokens.get(token).map(|token| Span::new(source.id, token.start, token.end));
        let Some(place) = span(*opener) else { return };
        let open = char::from(*bracket);
        let mut finding = Diagnostic::error("unclosed-bracket", format!("this `{open}` is never closed"));
        finding = finding.at(place, "opened here");
        for (_, opener) in outer.iter().rev().take(MOST_SHOWN) {
            finding = finding.also(span(*opener).unwrap_or(place), "nor is this");
        }
        // Where the bracket was missed: to tell what stands between.
        let until = tokens.get(missed).map_or(source.text.len(), |token| token.start);
        finding = finding.also(Span::new(source.id, until, until), "");
        let (mut place, mut sure) = closing_place(source, tokens, *bracket, *opener, missed);
        if !outer.is_empty() {
            // All of them end where the file or the block does.
            place = missed.saturating_sub(1);
            sure = if openers.iter().all(|(bracket, _)| *bracket == b'{') { sure } else { Applicability::Likely };
        }
        let closers = || openers.iter().rev().map(|(bracket, _)| char::from(closer(*bracket)));
        let help = match closers().find(|other| *other != char::from(closer(*bracket))) {
            None if outer.is_empty() => format!("add the missing `{}`", char::from(closer(*bracket))),
            None => format!("add the {} missing `{}`", openers.len(), char::from(closer(*bracket))),
            Some(_) => {
                let shown: Vec<String> = closers().take(MOST_SHOWN).map(String::from).collect();
                format!("add the missing `{}`", shown.join("` and `"))
            }
        };
        if openers.len() > crate::MAX_NESTING {
            self.problems.push(finding.help(help));
            return;
        }
        let after = tokens.get(place).map_or(until, |token| token.end);
        let closing: String =
            openers.iter().rev().map(|(bracket, opener)| closing(source, tokens, *bracket, *opener, after)).collect();
        self.problems.push(finding.with_fix(help, Span::new(source.id, after, after), closing, sure));
    }
}

/// More than these nobody reads.
const MOST_SHOWN: usize = 4;

/// What closes this bracket behind the byte `after`: on a line of its own where the block is on several, as the formatter
/// has it.
fn closing(source: &SourceFile, tokens: &[Token], bracket: u8, opener: usize, after: usize) -> String {
    let start = tokens.get(opener).map_or(0, |token| token.end);
    if bracket != b'{' {
        return char::from(closer(bracket)).to_string();
    }
    if !source.text.get(start..after).unwrap_or_default().contains('\n') {
        return " }".to_owned();
    }
    let line = source.text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let indent = source.text.get(line..).unwrap_or_default().chars().take_while(|c| matches!(c, ' ' | '\t'));
    format!("\n{}}}", indent.collect::<String>())
}

/// Behind which token the missing bracket belongs, and whether that is certain.
fn closing_place(
    source: &SourceFile,
    tokens: &[Token],
    bracket: u8,
    opener: usize,
    missed: usize,
) -> (usize, Applicability) {
    let last = missed.saturating_sub(1);
    if bracket == b'{' {
        // A block ends before what cannot be in it.
        return (last, Applicability::Certain);
    }
    // An expression or a list ends before the next clause, or with its line.
    let text =
        |index: usize| tokens.get(index).and_then(|token| source.text.get(token.start..token.end)).unwrap_or_default();
    let end = (opener + 1..missed).take(LONGEST_LINE).find(|index| {
        matches!(text(*index), "then" | "unless" | "when") || tokens.get(*index).is_some_and(|token| token.starts_line)
    });
    (end.map_or(last, |end| end - 1), Applicability::Likely)
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

/// Where a `}` at the start of a line stands under the line of an outer brace and not under that of the innermost: how many
/// brackets that leaves open.
fn outdented(source: &SourceFile, tokens: &[Token], index: usize, open: &Stack) -> Option<usize> {
    let closing = tokens.get(index).filter(|token| token.starts_line && token.kind == TokenKind::Close(b'}'))?;
    // Of a line that a person would write; nothing behind more than that is looked at.
    let indent = |at: usize| {
        let near = source.text.as_bytes().get(at.saturating_sub(LONGEST_LINE)..at)?;
        let newline = near.iter().rposition(|byte| *byte == b'\n');
        let line = match newline {
            Some(newline) => near.get(newline + 1..)?,
            None if near.len() < LONGEST_LINE => near,
            None => return None,
        };
        Some(line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count())
    };
    let wanted = indent(closing.start)?;
    let stands_under = |opener: &(u8, usize)| {
        opener.0 == b'{' && tokens.get(opener.1).is_some_and(|token| indent(token.start) == Some(wanted))
    };
    let innermost = open.open.last()?;
    if stands_under(innermost) {
        return None;
    }
    // Nobody indents deeper than this.
    let from = open.len().saturating_sub(crate::MAX_NESTING);
    let outer = open.open.get(from..)?.iter().rposition(stands_under)?;
    Some(from + outer + 1)
}

/// In bytes or in tokens: nobody writes more on one line, and farther nobody looks for what is missing.
const LONGEST_LINE: usize = 400;

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

fn unmatched(bracket: u8, span: Span) -> Diagnostic {
    Diagnostic::error("unmatched-bracket", format!("this `{}` closes nothing", char::from(bracket)))
        .at(span, "nothing is open here")
        .suggest("leave it out, or open it earlier", span, "")
}
