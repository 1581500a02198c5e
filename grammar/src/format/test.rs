//! Tests and proofs.

use super::{Blanks, Docs, Layout, cat, indent, line, space};
use crate::ast::{Expect, ExpectBy, ExpectKind, Prove, ProveBound, Record, RecordEntry, RecordValue, Test, TestMember};

impl Layout<'_> {
    pub(super) fn test(&mut self, test: &Test) -> Docs {
        let head = self.clause("test", |layout| layout.quoted(&test.name));
        cat([head, space(), self.block(&test.members, " ", |layout, member| layout.test_member(member))])
    }

    fn test_member(&mut self, member: &TestMember) -> Docs {
        match member {
            TestMember::At(at) => self.clause("at", |layout| layout.leaf(at.time.span, at.time.text.clone())),
            TestMember::Event(event) => {
                let head = self.clause("event", |layout| layout.ident(&event.event));
                cat([head, space(), self.record(&event.record)])
            }
            TestMember::History(history) => {
                let head = self.clause("history", |layout| {
                    let count = layout.leaf(history.count.span, history.count.text.clone());
                    cat([count, space(), layout.word("x"), space(), layout.path(&history.event)])
                });
                let record = self.record(&history.record);
                let every = self.named(&["every"], history.every.span, &history.every.text);
                let ending = self.named(&["ending"], history.ending.span, &history.ending.text);
                let tail = cat([every, space(), ending, space(), self.word("ago")]);
                cat([head, space(), record, space(), indent(tail)])
            }
            TestMember::List(list) => self.clause("list", |layout| {
                let name = layout.list_name(&list.list);
                cat([name, space(), layout.word("has"), space(), layout.literal(&list.value)])
            }),
            TestMember::Expect(expect) => self.clause("expect", |layout| layout.expect(expect)),
        }
    }

    fn expect(&mut self, expect: &Expect) -> Docs {
        match &expect.kind {
            ExpectKind::Rule(name) => cat([self.word("rule"), space(), self.ident(name)]),
            ExpectKind::NotRule(name) => cat([self.words(&["not", "rule"]), space(), self.ident(name)]),
            ExpectKind::Unknown(name) => cat([self.word("unknown"), space(), self.ident(name)]),
            ExpectKind::Outcome(expected) => {
                let mut docs = self.outcome(&expected.outcome);
                match &expected.by {
                    Some(ExpectBy::Default) => docs.extend(cat([space(), self.words(&["by", "default"])])),
                    Some(ExpectBy::Rule(name)) => {
                        docs.extend(cat([space(), self.word("by"), space(), self.ident(name)]));
                    }
                    None => {}
                }
                if let Some(reason) = &expected.reason {
                    docs.extend(cat([space(), self.word("reason"), space(), self.ident(reason)]));
                }
                docs
            }
        }
    }

    fn record(&mut self, record: &Record) -> Docs {
        self.list(("{", "}"), &record.entries, |layout, entry| layout.entry(entry))
    }

    fn entry(&mut self, entry: &RecordEntry) -> Docs {
        let key = self.path(&entry.key);
        let colon = indent(cat([self.word(":"), space()]));
        cat([key, colon, self.value(&entry.value)])
    }

    fn value(&mut self, value: &RecordValue) -> Docs {
        match value {
            RecordValue::Missing => self.word("missing"),
            RecordValue::Literal(literal) => self.literal(literal),
            RecordValue::Name(name) => self.ident(name),
            RecordValue::Record(record) => self.record(record),
            RecordValue::List(values) => self.list(("[", "]"), values, |layout, value| layout.value(value)),
        }
    }

    pub(super) fn prove(&mut self, prove: &Prove) -> Docs {
        let head = self.clause("prove", |layout| layout.quoted(&prove.name));
        let bound = match prove.bound {
            ProveBound::AtLeast => "least",
            ProveBound::AtMost => "most",
        };
        let was_broken = self.has_line_end_inside();
        let block = self.group(was_broken, |layout| {
            let open = layout.word("{");
            let above = layout.above_member(Blanks::Inner);
            let claim = layout.group(false, |layout| {
                let head =
                    layout.clause("for", |layout| cat([layout.word("all"), space(), layout.ident(&prove.event)]));
                let Some(condition) = &prove.condition else { return head };
                let word = indent(layout.word("where"));
                cat([head, space(), word, space(), layout.behind(|layout| layout.expr(condition))])
            });
            let below = layout.above_member(Blanks::All);
            let expect = layout.clause("expect", |layout| layout.words(&["at", bound, prove.outcome.name()]));
            let inside = cat([line(" "), above, claim, line(" "), below, expect]);
            layout.closed(open, inside, " ", "}")
        });
        cat([head, space(), block])
    }
}
