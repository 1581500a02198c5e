//! Pest's pairs to the syntax tree. Only this module and `expected.rs` know pest's rules.
//!
//! Every function gives `None` for a pair that lacks what the grammar promises; the caller turns that into a diagnostic, so a
//! slip between the grammar and this file is a message and not a panic.

mod declaration;
mod expression;
mod literal;
mod policy;
mod test;

use crate::amend::{Amended, stand_in};
use crate::ast::{Expr, Ident, Item, ListName, Path, PolicyMember, RuleMember, Target, TestMember, Text};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceFile, Span};
use pest::iterators::Pair as PestPair;
pub(crate) use policy::{judge_policy, judge_rule};

/// The grammar.
#[derive(pest_derive::Parser)]
#[grammar = "policy.pest"]
pub(crate) struct Grammar;

pub(crate) type Pair<'a> = PestPair<'a, Rule>;

/// Where the parsed slice lies, and what was wrong with its literals.
pub(crate) struct Lower<'a> {
    pub source: &'a SourceFile,
    /// The text that was parsed, and where it stands in the file.
    pub amended: &'a Amended<'a>,
    pub problems: Vec<Diagnostic>,
}

impl Lower<'_> {
    pub fn item(&mut self, pair: Pair) -> Option<Item> {
        Some(match pair.as_rule() {
            Rule::import => Item::Import(self.import(pair)?),
            Rule::rates => Item::Rates(self.rates(pair)?),
            Rule::event_def => Item::Event(self.event(pair)?),
            Rule::list_def => Item::List(self.list(pair)?),
            Rule::script_def => Item::Script(self.script(pair)?),
            Rule::reason_def => Item::Reason(self.reason(pair)?),
            Rule::let_def => Item::Let(self.let_def(pair)?),
            Rule::policy => Item::Policy(self.policy(pair)?),
            Rule::test => Item::Test(self.test(pair)?),
            Rule::prove => Item::Prove(self.prove(pair)?),
            _ => return None,
        })
    }

    pub fn span(&self, pair: &Pair) -> Span {
        let span = pair.as_span();
        Span::new(self.source.id, self.amended.original(span.start()), self.amended.original(span.end()))
    }

    /// A name, as its author wrote it.
    fn name(&self, read: &str, span: Span) -> String {
        let written = self.source.slice(span);
        if !written.is_ascii() && stand_in(written) == read { written.to_owned() } else { read.to_owned() }
    }

    fn ident(&mut self, pair: Pair) -> Option<Ident> {
        let span = self.span(&pair);
        Some(Ident { name: self.name(pair.as_str(), span), span })
    }

    /// A name that is being given, rather than used.
    fn new_name(&mut self, pair: Pair) -> Option<Ident> {
        let ident = self.ident(pair)?;
        if crate::expected::is_reserved(&ident.name) {
            let message = format!("`{}` is a word of the language and cannot be a name", ident.name);
            self.problems.push(
                Diagnostic::error("reserved-word", message)
                    .at(ident.span, "not a name")
                    .help("choose another name, for example with a `_` in it"),
            );
        } else if ident.name.len() == 3 && ident.name.bytes().all(|byte| byte.is_ascii_uppercase()) {
            let message = format!("`{}` reads as a currency and cannot be a name here", ident.name);
            self.problems.push(
                Diagnostic::error("reserved-word", message).at(ident.span, "three capitals are a currency").suggest(
                    "write it in lower case",
                    ident.span,
                    ident.name.to_ascii_lowercase(),
                ),
            );
        }
        Some(ident)
    }

    fn list_name(&mut self, pair: Pair) -> Option<ListName> {
        let span = self.span(&pair);
        Some(ListName { name: self.name(pair.as_str(), span).strip_prefix('@')?.to_owned(), span })
    }

    fn path(&mut self, pair: Pair) -> Option<Path> {
        let span = self.span(&pair);
        let mut start = span.start as usize;
        let mut segments = Vec::new();
        for name in pair.as_str().split('.') {
            let span = Span::new(self.source.id, start, start + name.len());
            segments.push(Ident { name: self.name(name, span), span });
            start += name.len() + 1;
        }
        Some(Path { segments, span })
    }

    fn text(&mut self, pair: Pair) -> Option<Text> {
        literal::text(self, &pair)
    }

    fn paths(&mut self, pair: &Pair) -> Option<Vec<Path>> {
        all(pair, Rule::path).map(|path| self.path(path)).collect()
    }

    pub fn policy_member(&mut self, pair: Pair) -> Option<PolicyMember> {
        policy::policy_member(self, pair)
    }

    pub fn policy_head(&mut self, pair: Pair) -> Option<(Ident, Target)> {
        policy::policy_head(self, pair)
    }

    pub fn rule_member(&mut self, pair: Pair) -> Option<RuleMember> {
        policy::rule_member(self, pair)
    }

    pub fn condition(&mut self, pair: Pair) -> Option<Expr> {
        expression::expr(self, pair)
    }

    pub fn rule_head(&mut self, pair: Pair) -> Option<(Ident, Option<Text>)> {
        policy::rule_head(self, pair)
    }

    pub fn test_head(&mut self, pair: Pair) -> Option<Text> {
        self.text(child(&pair, Rule::string)?)
    }

    pub fn test_member(&mut self, pair: Pair) -> Option<TestMember> {
        test::test_member(self, pair)
    }
}

/// The first child of this kind.
fn child<'a>(pair: &Pair<'a>, rule: Rule) -> Option<Pair<'a>> {
    pair.clone().into_inner().find(|inner| inner.as_rule() == rule)
}

/// All children of this kind.
fn all<'a>(pair: &Pair<'a>, rule: Rule) -> impl Iterator<Item = Pair<'a>> + use<'a> {
    pair.clone().into_inner().filter(move |inner| inner.as_rule() == rule)
}

fn has(pair: &Pair, rule: Rule) -> bool {
    child(pair, rule).is_some()
}

/// The first child.
fn first<'a>(pair: &Pair<'a>) -> Option<Pair<'a>> {
    pair.clone().into_inner().next()
}
