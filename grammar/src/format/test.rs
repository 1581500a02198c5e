//! Tests and proofs.

use super::{Doc, Docs, Layout, group, indent, text};
use crate::ast::{Expect, ExpectBy, ExpectKind, Prove, ProveBound, Record, RecordEntry, RecordValue, Test, TestMember};

impl Layout<'_> {
    pub(super) fn test(&mut self, test: &Test) -> Docs {
        let mut docs = vec![text("test ")];
        docs.extend(self.quoted(&test.name));
        docs.push(text(" "));
        let close = Self::close_of(test.span);
        docs.push(self.block(close, &test.members, " ", TestMember::span, |layout, member| layout.test_member(member)));
        docs
    }

    fn test_member(&mut self, member: &TestMember) -> Docs {
        let docs = match member {
            TestMember::At(at) => self.lead(at.time.span, format!("at {}", at.time.text)),
            TestMember::Event(event) => {
                let mut docs = vec![text("event ")];
                docs.extend(self.ident(&event.event));
                docs.push(text(" "));
                docs.push(self.record(&event.record));
                docs
            }
            TestMember::History(history) => {
                let mut docs = self.lead(history.count.span, format!("history {} x ", history.count.text));
                docs.extend(self.path(&history.event));
                docs.push(text(" "));
                docs.push(self.record(&history.record));
                docs.extend(self.lead(history.every.span, format!(" every {}", history.every.text)));
                docs.extend(self.lead(history.ending.span, format!(" ending {} ago", history.ending.text)));
                docs
            }
            TestMember::List(list) => {
                let mut docs = vec![text("list ")];
                docs.extend(self.list_name(&list.list));
                docs.push(text(" has "));
                docs.extend(self.literal(&list.value));
                docs
            }
            TestMember::Expect(expect) => self.expect(expect),
        };
        vec![group(docs, false)]
    }

    fn expect(&mut self, expect: &Expect) -> Docs {
        match &expect.kind {
            ExpectKind::NotRule(name) => [vec![text("expect not rule ")], self.ident(name)].concat(),
            ExpectKind::Unknown(name) => [vec![text("expect unknown ")], self.ident(name)].concat(),
            ExpectKind::Outcome(expected) => {
                let mut docs = vec![text("expect ")];
                docs.extend(self.outcome(&expected.outcome));
                match &expected.by {
                    Some(ExpectBy::Default) => docs.push(text(" by default")),
                    Some(ExpectBy::Rule(name)) => {
                        docs.push(text(" by "));
                        docs.extend(self.ident(name));
                    }
                    None => {}
                }
                if let Some(reason) = &expected.reason {
                    docs.extend(self.lead(reason.span, " reason "));
                    docs.extend(self.ident(reason));
                }
                docs
            }
        }
    }

    fn record(&mut self, record: &Record) -> Doc {
        let close = Self::close_of(record.span);
        self.list(("{", "}"), close, &record.entries, |entry| entry.span, |layout, entry| layout.entry(entry))
    }

    fn entry(&mut self, entry: &RecordEntry) -> Docs {
        let mut docs = self.path(&entry.key);
        docs.push(text(": "));
        docs.extend(self.value(&entry.value));
        docs
    }

    fn value(&mut self, value: &RecordValue) -> Docs {
        match value {
            RecordValue::Missing => vec![text("missing")],
            RecordValue::Literal(literal) => self.literal(literal),
            RecordValue::Name(name) => self.ident(name),
            RecordValue::Record(record) => vec![self.record(record)],
            RecordValue::List(values) => {
                let mut docs = vec![text("[")];
                docs.extend(self.separated(values, ", ", |layout, value| layout.value(value)));
                docs.push(text("]"));
                docs
            }
        }
    }

    pub(super) fn prove(&mut self, prove: &Prove) -> Docs {
        let mut docs = vec![text("prove ")];
        docs.extend(self.quoted(&prove.name));
        docs.push(text(" "));
        let close = Self::close_of(prove.span);
        let open = self.opened_at.get(&close).copied().unwrap_or(close);
        let was_broken = self.source.get(open..close).is_some_and(|inside| inside.contains('\n'));
        let mut inside = vec![Doc::Line(" ")];
        inside.extend(self.lead(prove.event.span, "for all "));
        inside.extend(self.ident(&prove.event));
        if let Some(condition) = &prove.condition {
            inside.extend(self.lead(condition.span, " where "));
            let condition = self.expr(condition);
            inside.push(group(condition, false));
        }
        let bound = match prove.bound {
            ProveBound::AtLeast => "at least",
            ProveBound::AtMost => "at most",
        };
        inside.extend(self.comments_before(close));
        inside.push(Doc::Line(" "));
        inside.push(text(format!("expect {bound} {}", prove.outcome.name())));
        docs.push(group(vec![text("{"), indent(inside), Doc::Line(" "), text("}")], was_broken));
        docs
    }
}
