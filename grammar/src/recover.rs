//! Where one item ends and the next begins, and what can be saved of an item with an error in it.

use crate::ast::{EventDef, Item, Policy, PolicyMember, Rule as RuleNode, Test};
use crate::diagnostic::{Applicability, Diagnostic};
use crate::expected::is_reserved;
use crate::lower::{Rule, judge_policy, judge_rule};
use crate::nearest;
use crate::parse::Parser;
use crate::scan::{Scan, TokenKind};
use std::collections::VecDeque;
use std::ops::Range;

const ITEM_WORDS: [&str; 10] =
    ["import", "rates", "event", "list", "script", "reason", "let", "policy", "test", "prove"];
const POLICY_WORDS: [&str; 6] = ["meta", "default", "combine", "on", "let", "rule"];
/// Words that begin no member of a policy and stand where one should begin.
const POLICY_STRANGERS: [&str; 15] = [
    "policy", "test", "prove", "import", "rates", "event", "list", "script", "reason", "when", "unless", "then",
    "expect", "if", "else",
];
const RULE_STRANGERS: [&str; 10] =
    ["policy", "test", "prove", "import", "script", "rule", "default", "combine", "expect", "if"];
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
    declares_as(scan, scan.word(index), index)
}

/// The same, were this the keyword.
fn declares_as(scan: &Scan, keyword: &str, index: usize) -> bool {
    let (first, second) = (scan.kind(index + 1), scan.word(index + 2));
    match keyword {
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
    if scan.has_problem(&(token.start..token.end)) {
        return Some(None);
    }
    let span = scan.span(token);
    let shown: String = word.chars().take(40).collect();
    let finding =
        Diagnostic::error("unknown-item", format!("`{shown}` does not start an item")).at(span, "not an item");
    let help = match token.kind {
        TokenKind::Open(b'{' | b'[') | TokenKind::Text => {
            Some("this reads like JSON; a rule file is made of items such as `policy name on event { … }`".to_owned())
        }
        TokenKind::Close(_) => Some("a bracket was closed too early above".to_owned()),
        _ => home_of(word).or_else(|| other_language(word).map(str::to_owned)),
    };
    Some(Some(match help {
        Some(help) => finding.help(help),
        None if matches!(word, "const" | "var" | "set" | "define") && scan.word(region.start + 2) == "=" => {
            finding.correct("to name a value, write `let name = …`", span, "let")
        }
        None => surely_an_item(scan, region.start, finding.near(word, span, ITEM_WORDS))
            .or_help(format!("a file is made of {} and `prove`", listed(&ITEM_WORDS))),
    }))
}

/// Leaves the keyword that is nearly the word for certain only where that is followed by what such an item has.
fn surely_an_item(scan: &Scan, index: usize, mut finding: Diagnostic) -> Diagnostic {
    let sure = |keyword: &str| scan.word(index).eq_ignore_ascii_case(keyword) || declares_as(scan, keyword, index);
    if let Some(fix) = &mut finding.fix
        && !fix.edits.iter().all(|edit| sure(&edit.replacement))
    {
        fix.applicability = Applicability::Likely;
    }
    finding
}

/// Where a word stands that starts no item.
fn home_of(word: &str) -> Option<String> {
    let home = match word {
        "rule" | "default" | "combine" => "a policy: `policy name on event { … }`",
        "when" | "unless" | "then" | "mode" | "priority" | "active" | "rollout" | "block" | "allow" | "challenge" => {
            "a rule, and a rule in a policy: `rule name { when … then … }`"
        }
        "expect" | "history" | "at" => "a test: `test \"…\" { event … expect … }`",
        "meta" => "a policy or a rule: `meta { owner: \"team\" }`",
        "on" => "a policy or a rule: `on unknown step_up`",
        _ => return None,
    };
    Some(format!("`{word}` stands inside {home}"))
}

/// What people write at the top of a file in other languages.
fn other_language(word: &str) -> Option<&'static str> {
    Some(match word {
        "def" | "function" | "fn" | "func" | "class" => {
            "there are no functions; name an expression with `let name = …`, or compute a value in a `script`"
        }
        "select" | "SELECT" | "insert" | "INSERT" => {
            "there are no queries; history is asked in a rule: `count() of sign_in by user over 1h`"
        }
        "if" | "If" | "IF" => "a rule asks: `rule name { when … then … }`, inside a policy",
        "include" | "require" | "use" | "using" => {
            "another file is named with `import \"file.rules\"`; a pack is read as a whole"
        }
        "type" | "struct" | "schema" | "record" => {
            "what an action carries is declared with `event name { field: type }`"
        }
        _ => return None,
    })
}

fn listed(words: &[&str]) -> String {
    words.iter().filter(|word| **word != "prove").map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The names a region declares that could not be read: its own, and those of the members in it.
pub(crate) fn declared<'a>(scan: &Scan<'a>, region: &Range<usize>) -> Vec<&'a str> {
    let mut names = Vec::new();
    if scan.word(region.start) == "combine" {
        // Its scale is the only one of the policy.
        names.push("combine");
    }
    for index in region.clone() {
        let word = scan.word(index);
        let first = index == region.start;
        let item =
            first && (ITEM_WORDS.contains(&word) || scan.tokens.get(index).is_some_and(|token| token.depth == 0));
        let name = if matches!(word, "rule" | "let") || item {
            index + 1
        } else if scan.word(index + 1) == ":" {
            // A field, or an entry that nothing asks for.
            index
        } else {
            continue;
        };
        if region.contains(&name) && matches!(scan.kind(name), Some(TokenKind::Word | TokenKind::ListName)) {
            names.push(scan.word(name).trim_start_matches('@'));
        }
    }
    names
}

/// Parses an item with an error in it part by part: reports every part that is wrong and keeps those that are right.
pub(crate) fn item(parser: &mut Parser, region: Range<usize>) -> Option<Item> {
    match parser.word(region.start) {
        "policy" => policy(parser, region),
        "test" => test(parser, region),
        "event" => event(parser, region),
        _ => parser.read_or_report(Rule::item_only, region, |lower, pair| lower.item(pair)),
    }
}

fn event(parser: &mut Parser, region: Range<usize>) -> Option<Item> {
    let Some(block) = Block::of(parser.scan, region.clone(), Starts::Field) else {
        return parser.read_or_report(Rule::item_only, region, |lower, pair| lower.item(pair));
    };
    let head = parser.read_or_report(Rule::event_head_only, block.head, |lower, pair| lower.event_head(pair));
    let mut fields = Vec::new();
    for member in block.members {
        fields.extend(parser.read_or_report(Rule::field_only, member, |lower, pair| lower.field(pair)));
    }
    trailing(parser, block.trailing);
    Some(Item::Event(EventDef { fields, span: parser.span(&region), ..head? }))
}

fn policy(parser: &mut Parser, region: Range<usize>) -> Option<Item> {
    let Some(block) = Block::of(parser.scan, region.clone(), Starts::Word(&POLICY_WORDS, &POLICY_STRANGERS)) else {
        return parser.read_or_report(Rule::item_only, region, |lower, pair| lower.item(pair));
    };
    let head = parser.read_or_report(Rule::policy_head_only, block.head, |lower, pair| lower.policy_head(pair));
    let mut members = Vec::new();
    let mut whole = true;
    for member in block.members {
        let mut read =
            parser.read(Rule::policy_member_only, member.clone(), &[], |lower, pair| lower.policy_member(pair));
        if parser.word(member.start) != "rule"
            && let Err(Some(finding)) = &read
            && finding.certain_fix().is_some_and(|fix| fix.edits.iter().all(|edit| edit.replacement == "rule"))
            && parser.amends(finding, &member)
        {
            parser.diagnostics.push(*finding.clone());
            read = parser.read(Rule::policy_member_only, member.clone(), &[], |lower, pair| lower.policy_member(pair));
        }
        match read {
            Ok(member) => members.push(member),
            Err(finding) if parser.word(member.start) == "rule" => {
                members.extend(rule(parser, member, finding).map(PolicyMember::Rule));
            }
            Err(_) => {
                let read =
                    parser.read_or_report(Rule::policy_member_only, member, |lower, pair| lower.policy_member(pair));
                whole &= read.is_some();
                members.extend(read);
            }
        }
    }
    trailing(parser, block.trailing);
    let (name, target) = head?;
    let policy = Policy { name, target, members, span: parser.span(&region) };
    if whole {
        parser.judge(|problems| judge_policy(problems, &policy));
    }
    Some(Item::Policy(policy))
}

fn rule(parser: &mut Parser, region: Range<usize>, whole: Option<Box<Diagnostic>>) -> Option<RuleNode> {
    let Some(block) = Block::of(parser.scan, region.clone(), Starts::Word(&RULE_WORDS, &RULE_STRANGERS)) else {
        parser.diagnostics.extend(whole.map(|finding| *finding));
        parser.lose(&region);
        return None;
    };
    let before = parser.diagnostics.len();
    let head = parser.read_or_report(Rule::rule_head_only, block.head, |lower, pair| lower.rule_head(pair));
    let mut members = Vec::new();
    let mut complete = true;
    let mut left: VecDeque<Range<usize>> = block.members.into();
    while let Some(mut member) = left.pop_front() {
        let said = parser.diagnostics.len();
        let mut read =
            parser.read_or_report(Rule::rule_member_only, member.clone(), |lower, pair| lower.rule_member(pair));
        if read.is_none()
            && let Some(next) = hidden_clause(parser, &member)
        {
            left.push_front(next..member.end);
            member = member.start..next;
            read = parser.read_or_report(Rule::rule_member_only, member.clone(), |lower, pair| lower.rule_member(pair));
        }
        if read.is_none() && matches!(parser.word(member.start), "when" | "unless") {
            rest_of_condition(parser, member, said);
        }
        complete &= read.is_some();
        members.extend(read);
    }
    trailing(parser, block.trailing);
    if parser.diagnostics.len() == before && !parser.scan.has_problem(&parser.bytes(&region)) {
        parser.diagnostics.extend(whole.map(|finding| *finding));
    }
    let (name, title) = head?;
    let rule = RuleNode { name, title, members, span: parser.span(&region) };
    if complete {
        parser.judge(|problems| judge_rule(problems, &rule));
    }
    Some(rule)
}

/// Where in a clause the next one begins with a word that was misspelt: `when n > 3 thn block`.
fn hidden_clause(parser: &Parser, member: &Range<usize>) -> Option<usize> {
    let depth = |index: usize| parser.scan.tokens.get(index).map(|token| token.depth);
    (member.start + 1..member.end).find(|index| {
        let (written, meant) = (parser.scan.word(*index), parser.word(*index));
        depth(*index) == depth(member.start) && written != meant && RULE_WORDS.contains(&meant)
    })
}

/// Reads what stands behind the part of a condition that could not be read: each further operand of `and` and `or` that
/// compares something has its own finding. Words without a comparison may be anything, and one finding has said so.
fn rest_of_condition(parser: &mut Parser, member: Range<usize>, said: usize) {
    let found = parser.diagnostics.as_slice().get(said..).unwrap_or_default();
    let Some(at) = found.iter().filter_map(Diagnostic::span).map(|span| span.start as usize).max() else { return };
    let scan = parser.scan;
    let Some(depth) = scan.tokens.get(member.start).map(|token| token.depth) else { return };
    let mut operands = Vec::new();
    let (mut start, mut between) = (None, false);
    for index in member.clone() {
        let Some(token) = scan.tokens.get(index).filter(|token| token.depth == depth) else { continue };
        match scan.text(token) {
            "between" => between = true,
            "and" if between => between = false,
            "and" | "or" => {
                operands.extend(start.map(|start| start..index));
                between = false;
                start = (token.start >= at).then_some(index + 1);
            }
            _ => {}
        }
    }
    operands.extend(start.map(|start| start..member.end));
    let compares = |operand: &Range<usize>| {
        let signs = ["==", "=", "!=", "<", "<=", ">", ">="];
        operand.clone().any(|index| signs.contains(&scan.word(index)))
    };
    for operand in operands.into_iter().filter(|operand| !operand.is_empty() && compares(operand)) {
        parser.read_or_report(Rule::condition_only, operand, |lower, pair| lower.condition(pair));
    }
}

fn test(parser: &mut Parser, region: Range<usize>) -> Option<Item> {
    let Some(block) = Block::of(parser.scan, region.clone(), Starts::Word(&TEST_WORDS, &[])) else {
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
    if region.is_empty() || parser.scan.has_problem(&parser.bytes(&region)) {
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

/// How a member of a block begins.
#[derive(Clone, Copy)]
enum Starts<'a> {
    /// With one of these words; or, at the start of a line, with one of those that do not belong here.
    Word(&'a [&'a str], &'a [&'a str]),
    /// With a name and a colon.
    Field,
}

/// A block taken apart into its members.
struct Block {
    head: Range<usize>,
    members: Vec<Range<usize>>,
    trailing: Range<usize>,
}

impl Block {
    /// Nothing if there is no block: no brace is opened.
    fn of(scan: &Scan, region: Range<usize>, starts: Starts) -> Option<Block> {
        let open = region.clone().find(|index| scan.kind(*index) == Some(TokenKind::Open(b'{')))?;
        let depth = scan.tokens.get(open)?.depth + 1;
        let close = scan.brackets.close_of(open).filter(|close| *close < region.end);
        let end = close.unwrap_or(region.end);
        let mut members = Vec::new();
        let mut start = open + 1;
        for index in open + 2..end {
            let starts = match starts {
                Starts::Word(words, strangers) => member_starts(scan, index, depth, words, strangers),
                Starts::Field => field_starts(scan, index, depth),
            };
            if starts {
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

fn field_starts(scan: &Scan, index: usize, depth: usize) -> bool {
    let named = scan.tokens.get(index).is_some_and(|token| token.depth == depth && token.kind == TokenKind::Word);
    named && (scan.word(index + 1) == ":" || scan.tokens.get(index).is_some_and(|token| token.starts_line))
}

fn member_starts(scan: &Scan, index: usize, depth: usize, words: &[&str], strangers: &[&str]) -> bool {
    let Some(token) = scan.tokens.get(index).filter(|token| token.depth == depth) else { return false };
    // `"rule": { … }`
    let json =
        token.kind == TokenKind::Text && token.starts_line && scan.word(index + 1) == ":" && !strangers.is_empty();
    if json && !goes_on(scan, index - 1) {
        return true;
    }
    let word = scan.text(token);
    // `expect not rule r` begins with `expect`.
    let asks = |scan: &Scan, next: usize| is_operator(scan, next) && !(word == "expect" && scan.word(next) == "not");
    let colon = scan.word(index + 1) == ":" && !words.contains(&word);
    if token.kind != TokenKind::Word || goes_on(scan, index - 1) || asks(scan, index + 1) || colon {
        return false;
    }
    if strangers.contains(&word) && token.starts_line && !words.contains(&word) {
        return true;
    }
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
