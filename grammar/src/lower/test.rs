//! Tests and proofs.

use super::policy::{outcome_word, unique_keys};
use super::{Lower, Pair, Rule, all, child, expression, first, has, literal};
use crate::ast::{
    Challenge, Expect, ExpectBy, ExpectKind, ExpectOutcome, Outcome, OutcomeKind, Prove, ProveBound, Record,
    RecordEntry, RecordValue, Test, TestAt, TestEvent, TestHistory, TestList, TestMember,
};

impl Lower<'_> {
    pub(super) fn test(&mut self, pair: Pair) -> Option<Test> {
        let name = self.test_head(child(&pair, Rule::test_head)?)?;
        let span = self.span(&pair);
        let members = pair.into_inner().filter(|inner| {
            matches!(
                inner.as_rule(),
                Rule::test_at | Rule::test_event | Rule::test_history | Rule::test_list | Rule::expect
            )
        });
        Some(Test { name, members: members.map(|member| test_member(self, member)).collect::<Option<_>>()?, span })
    }

    pub(super) fn prove(&mut self, pair: Pair) -> Option<Prove> {
        let condition = match child(&pair, Rule::prove_where) {
            Some(condition) => Some(expression::expr(self, child(&condition, Rule::expr)?)?),
            None => None,
        };
        Some(Prove {
            name: self.text(child(&pair, Rule::string)?)?,
            event: self.ident(child(&pair, Rule::ident)?)?,
            condition,
            bound: if has(&pair, Rule::kw_least) { ProveBound::AtLeast } else { ProveBound::AtMost },
            outcome: outcome_word(&child(&pair, Rule::outcome_word)?)?,
            span: self.span(&pair),
        })
    }
}

pub(super) fn test_member(lower: &mut Lower, pair: Pair) -> Option<TestMember> {
    let span = lower.span(&pair);
    Some(match pair.as_rule() {
        Rule::test_at => {
            TestMember::At(TestAt { time: literal::datetime(lower, &child(&pair, Rule::datetime)?), span })
        }
        Rule::test_event => TestMember::Event(TestEvent {
            event: lower.ident(child(&pair, Rule::ident)?)?,
            record: record(lower, &child(&pair, Rule::record)?)?,
            span,
        }),
        Rule::test_history => TestMember::History(TestHistory {
            count: literal::number(lower, &child(&pair, Rule::integer)?),
            event: lower.path(child(&pair, Rule::path)?)?,
            record: record(lower, &child(&pair, Rule::record)?)?,
            every: literal::duration(lower, &child(&child(&pair, Rule::every)?, Rule::duration)?),
            ending: literal::duration(lower, &child(&child(&pair, Rule::ending)?, Rule::duration)?),
            span,
        }),
        Rule::test_list => TestMember::List(TestList {
            list: lower.list_name(child(&pair, Rule::list_name)?)?,
            value: literal::literal(lower, child(&pair, Rule::literal)?)?,
            span,
        }),
        Rule::expect => TestMember::Expect(Expect { kind: expect(lower, &pair)?, span }),
        _ => return None,
    })
}

fn expect(lower: &mut Lower, pair: &Pair) -> Option<ExpectKind> {
    if let Some(not) = child(pair, Rule::expect_not) {
        return Some(ExpectKind::NotRule(lower.ident(child(&not, Rule::ident)?)?));
    }
    if let Some(rule) = child(pair, Rule::expect_rule) {
        return Some(ExpectKind::Rule(lower.ident(child(&rule, Rule::ident)?)?));
    }
    if let Some(unknown) = child(pair, Rule::expect_unknown) {
        return Some(ExpectKind::Unknown(lower.ident(child(&unknown, Rule::ident)?)?));
    }
    let whole = child(pair, Rule::expect_outcome)?;
    let expected = child(&whole, Rule::expected)?;
    let span = lower.span(&expected);
    let inner = first(&expected)?;
    let kind = match inner.as_rule() {
        Rule::kw_block => OutcomeKind::Block,
        Rule::kw_allow => OutcomeKind::Allow,
        Rule::expected_challenge => {
            let method = match child(&inner, Rule::method) {
                Some(method) => Some(lower.ident(method)?),
                None => None,
            };
            OutcomeKind::Challenge(Challenge { method, options: Vec::new() })
        }
        _ => return None,
    };
    let by = match child(&whole, Rule::expect_by) {
        Some(by) if has(&by, Rule::kw_default) => Some(ExpectBy::Default),
        Some(by) => Some(ExpectBy::Rule(lower.ident(child(&by, Rule::ident)?)?)),
        None => None,
    };
    let reason = match child(&whole, Rule::give_reason) {
        Some(reason) => Some(lower.ident(child(&reason, Rule::ident)?)?),
        None => None,
    };
    Some(ExpectKind::Outcome(ExpectOutcome { outcome: Outcome { kind, span }, by, reason }))
}

fn record(lower: &mut Lower, pair: &Pair) -> Option<Record> {
    let entries = all(pair, Rule::entry).map(|inner| entry(lower, &inner)).collect::<Option<Vec<_>>>()?;
    unique_keys(lower, entries.iter().map(|entry| (entry.key.text(), entry.key.span)));
    Some(Record { entries, span: lower.span(pair) })
}

fn entry(lower: &mut Lower, pair: &Pair) -> Option<RecordEntry> {
    Some(RecordEntry {
        key: lower.path(child(pair, Rule::path)?)?,
        value: value(lower, &child(pair, Rule::value)?)?,
        span: lower.span(pair),
    })
}

fn value(lower: &mut Lower, pair: &Pair) -> Option<RecordValue> {
    let inner = first(pair)?;
    Some(match inner.as_rule() {
        Rule::kw_missing => RecordValue::Missing,
        Rule::record => RecordValue::Record(record(lower, &inner)?),
        Rule::value_list => {
            RecordValue::List(all(&inner, Rule::value).map(|inner| value(lower, &inner)).collect::<Option<_>>()?)
        }
        Rule::literal => RecordValue::Literal(literal::literal(lower, inner)?),
        Rule::ident => RecordValue::Name(lower.ident(inner)?),
        _ => return None,
    })
}
