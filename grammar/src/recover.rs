//! Where one item ends and the next begins, and what can be saved of an item with an error in it.

use crate::ast::{Item, Policy, PolicyMember, Rule as RuleNode, Test};
use crate::diagnostic::Diagnostic;
use crate::expected::is_reserved;
use crate::lower::Rule;
use crate::nearest;
use crate::parse::Parser;
use crate::scan::{Scan, TokenKind};
use std::ops::Range;

const ITEM_WORDS: [&str; 10] =
    ["import", "rates", "event", "list", "script", "reason", "let", "policy", "test", "prove"];
const POLICY_WORDS: [&str; 6] = ["meta", "default", "combine", "on", "let", "rule"];
const RULE_WORDS: [&str; 9] = ["meta", "mode", "priority", "active", "rollout", "on", "when", "unless", "then"];
const TEST_WORDS: [&str; 5] = ["at", "event", "history", "list", "expect"];

/// The tokens of each top-level item, in order; together they are all tokens.
pub(crate) fn items(scan: &Scan) -> Vec<Range<usize>> {
    let mut regions = Vec::new();
    let mut start = 0;
    for index in 1..scan.tokens.len() {
        if item_starts(scan, start, index) {
            regions.push(start..index);
            start = index;
        }
    }
    if start < scan.tokens.len() {
        regions.push(start..scan.tokens.len());
    }
    regions
}

fn item_starts(scan: &Scan, item: usize, index: usize) -> bool {
    let Some(token) = scan.tokens.get(index).filter(|token| token.depth == 0 && token.kind == TokenKind::Word) else {
        return false;
    };
    // An item in braces is over at its closing brace, whatever comes next.
    let braced =
        matches!(scan.word(item), "event" | "policy" | "test" | "prove") || !ITEM_WORDS.contains(&scan.word(item));
    if braced && scan.kind(index - 1) == Some(TokenKind::Close(b'}')) {
        return true;
    }
    let word = scan.text(token);
    if !ITEM_WORDS.contains(&word) {
        // `polcy x on y {` at the margin, though it is no item, is not part of the one before either.
        let slip = token.at_margin && !goes_on(scan, index - 1) && scan.kind(index + 1) == Some(TokenKind::Word);
        return slip && nearest(word, ITEM_WORDS).is_some();
    }
    // Where an operand is due, `a == event and "x"` and `a == reason test "claim" {` name fields.
    if goes_on(scan, index - 1) && (ITEM_WORDS.contains(&scan.word(index + 1)) || is_reserved(scan.word(index + 1))) {
        return false;
    }
    let named = ITEM_WORDS.contains(&scan.word(index - 1)) || matches!(scan.word(index - 1), "tz" | "requires" | "on");
    declares(scan, index) || (token.starts_line && !named && !goes_on(scan, index - 1) && !is_operator(scan, index + 1))
}

/// Whether an item's keyword is followed by what only that item has. No expression has two operands side by side.
fn declares(scan: &Scan, index: usize) -> bool {
    let (first, second) = (scan.kind(index + 1), scan.word(index + 2));
    match scan.word(index) {
        "import" | "test" | "prove" => first == Some(TokenKind::Text),
        "rates" => scan.word(index + 1) == "from",
        "event" => first == Some(TokenKind::Word) && (second == "{" || second == "requires" || second.starts_with('"')),
        "list" => first == Some(TokenKind::ListName),
        "script" => first == Some(TokenKind::Word) && second == "(",
        "reason" => first == Some(TokenKind::Word) && second.starts_with('"'),
        "let" => first == Some(TokenKind::Word) && second == "=",
        "policy" => first == Some(TokenKind::Word) && second == "on",
        _ => false,
    }
}

/// Whether an expression cannot end with this token.
fn goes_on(scan: &Scan, index: usize) -> bool {
    let word = scan.word(index);
    is_operator(scan, index)
        || matches!(scan.kind(index), Some(TokenKind::Open(_)))
        || matches!(word, "," | ":" | "->" | "=" | ".")
}

fn is_operator(scan: &Scan, index: usize) -> bool {
    matches!(
        scan.word(index),
        "==" | "!="
            | "<"
            | "<="
            | ">"
            | ">="
            | "+"
            | "-"
            | "*"
            | "/"
            | "??"
            | ".."
            | "."
            | "and"
            | "or"
            | "not"
            | "in"
            | "is"
            | "between"
            | "matches"
            | "by"
            | "of"
            | "when"
            | "unless"
            | "where"
            | "over"
            | "since"
            | "="
    )
}

/// The finding for a region that is no item at all; empty inside when the scanner has said it already.
pub(crate) fn unknown_item(scan: &Scan, region: &Range<usize>) -> Option<Option<Diagnostic>> {
    let token = scan.tokens.get(region.start)?;
    let word = scan.text(token);
    if ITEM_WORDS.contains(&word) {
        return None;
    }
    if scan.has_problem(token.start, token.end) {
        return Some(None);
    }
    let span = scan.span(token);
    let shown: String = word.chars().take(40).collect();
    let finding =
        Diagnostic::error("unknown-item", format!("`{shown}` does not start an item")).at(span, "not an item");
    Some(Some(match (nearest(word, ITEM_WORDS), word) {
        (Some(meant), _) => finding.suggest(format!("did you mean `{meant}`?"), span, meant),
        (None, "rule") => finding.help("a rule stands inside a policy: `policy name on event { … }`"),
        (None, "}" | ")" | "]") => finding.help("a bracket was closed too early above"),
        (None, _) => finding.help(format!("a file is made of {} and `prove`", listed(&ITEM_WORDS))),
    }))
}

fn listed(words: &[&str]) -> String {
    words.iter().filter(|word| **word != "prove").map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Parses an item with an error in it part by part: reports every part that is wrong and keeps those that are right.
pub(crate) fn item(parser: &mut Parser, region: Range<usize>) -> Option<Item> {
    match parser.scan.word(region.start) {
        "policy" => policy(parser, region),
        "test" => test(parser, region),
        _ => parser.read_or_report(Rule::item_only, region, |lower, pair| lower.item(pair)),
    }
}

fn policy(parser: &mut Parser, region: Range<usize>) -> Option<Item> {
    let Some(block) = Block::of(parser.scan, region.clone(), &POLICY_WORDS) else {
        return parser.read_or_report(Rule::item_only, region, |lower, pair| lower.item(pair));
    };
    let head = parser.read_or_report(Rule::policy_head_only, block.head, |lower, pair| lower.policy_head(pair));
    let mut members = Vec::new();
    for member in block.members {
        let is_rule = parser.scan.word(member.start) == "rule";
        match parser.read(Rule::policy_member_only, member.clone(), |lower, pair| lower.policy_member(pair)) {
            Ok(member) => members.push(member),
            Err(finding) if is_rule => members.extend(rule(parser, member, finding).map(PolicyMember::Rule)),
            Err(finding) => parser.diagnostics.extend(finding.map(|finding| *finding)),
        }
    }
    trailing(parser, block.trailing);
    let (name, target) = head?;
    Some(Item::Policy(Policy { name, target, members, span: parser.span(&region) }))
}

fn rule(parser: &mut Parser, region: Range<usize>, whole: Option<Box<Diagnostic>>) -> Option<RuleNode> {
    let Some(block) = Block::of(parser.scan, region.clone(), &RULE_WORDS) else {
        parser.diagnostics.extend(whole.map(|finding| *finding));
        return None;
    };
    let before = parser.diagnostics.len();
    let head = parser.read_or_report(Rule::rule_head_only, block.head, |lower, pair| lower.rule_head(pair));
    let mut members = Vec::new();
    for member in block.members {
        members.extend(parser.read_or_report(Rule::rule_member_only, member, |lower, pair| lower.rule_member(pair)));
    }
    trailing(parser, block.trailing);
    if parser.diagnostics.len() == before {
        parser.diagnostics.extend(whole.map(|finding| *finding));
    }
    let (name, title) = head?;
    Some(RuleNode { name, title, members, span: parser.span(&region) })
}

fn test(parser: &mut Parser, region: Range<usize>) -> Option<Item> {
    let Some(block) = Block::of(parser.scan, region.clone(), &TEST_WORDS) else {
        return parser.read_or_report(Rule::item_only, region, |lower, pair| lower.item(pair));
    };
    let name = parser.read_or_report(Rule::test_head_only, block.head, |lower, pair| lower.test_head(pair));
    let mut members = Vec::new();
    for member in block.members {
        members.extend(parser.read_or_report(Rule::test_member_only, member, |lower, pair| lower.test_member(pair)));
    }
    trailing(parser, block.trailing);
    Some(Item::Test(Test { name: name?, members, span: parser.span(&region) }))
}

/// Reports what stands behind the closing brace of an item.
fn trailing(parser: &mut Parser, region: Range<usize>) {
    if region.is_empty() {
        return;
    }
    let (start, end) = parser.bytes(&region);
    if parser.scan.has_problem(start, end) {
        return;
    }
    let shown = parser.scan.word(region.start).to_owned();
    let span = parser.span(&(region.start..region.start + 1));
    parser.diagnostics.push(
        Diagnostic::error("unexpected-token", format!("`{shown}` stands behind the end of this item"))
            .at(span, "not expected here")
            .help("leave it out, or move it inside the braces"),
    );
}

/// A block taken apart into its members.
struct Block {
    head: Range<usize>,
    members: Vec<Range<usize>>,
    trailing: Range<usize>,
}

impl Block {
    /// Nothing if there is no block: no brace is opened.
    fn of(scan: &Scan, region: Range<usize>, words: &[&str]) -> Option<Block> {
        let open = region.clone().find(|index| scan.kind(*index) == Some(TokenKind::Open(b'{')))?;
        let depth = scan.tokens.get(open)?.depth + 1;
        let close = scan.brackets.close_of(open).filter(|close| *close < region.end);
        let end = close.unwrap_or(region.end);
        let mut members = Vec::new();
        let mut start = open + 1;
        for index in open + 2..end {
            if member_starts(scan, index, depth, words) {
                members.push(start..index);
                start = index;
            }
        }
        if start < end {
            members.push(start..end);
        }
        Some(Block { head: region.start..open, members, trailing: close.map_or(end, |close| close + 1)..region.end })
    }
}

fn member_starts(scan: &Scan, index: usize, depth: usize, words: &[&str]) -> bool {
    let Some(token) = scan.tokens.get(index).filter(|token| token.depth == depth && token.kind == TokenKind::Word)
    else {
        return false;
    };
    if goes_on(scan, index - 1) || is_operator(scan, index + 1) || scan.word(index + 1) == ":" {
        return false;
    }
    let word = scan.text(token);
    match word {
        // These words also stand inside members.
        "on" => scan.word(index + 1) == "unknown" || token.starts_line,
        "at" | "list" | "event" | "default" | "rule" if !token.starts_line => {
            !matches!(scan.word(index - 1), "by" | "not" | "expect") && words.contains(&word)
        }
        _ if words.contains(&word) => true,
        // A slip in the word itself, where a member clearly starts.
        _ => token.starts_line && nearest(word, words.iter().copied()).is_some(),
    }
}
