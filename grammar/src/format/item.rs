//! Files and declarations.

use super::{Blanks, Doc, Docs, Layout, cat, indent, line, space};
use crate::ast::{Attribute, EventDef, File, Item, LetDef, ListDef, ListSource, ReasonDef, ScriptDef, TypeRef};

impl Layout<'_> {
    pub(super) fn file(&mut self, file: &File) -> Docs {
        let mut docs = Vec::new();
        for (index, item) in file.items.iter().enumerate() {
            docs.push(Doc::Line(""));
            docs.extend(self.above_member(if index == 0 { Blanks::Inner } else { Blanks::All }));
            docs.extend(self.group(false, |layout| layout.item(item)));
        }
        docs.push(Doc::Line(""));
        docs.extend(self.comment_lines(if docs.len() == 1 { Blanks::Inner } else { Blanks::All }));
        docs
    }

    fn item(&mut self, item: &Item) -> Docs {
        match item {
            Item::Import(import) => cat([self.word("import"), indent(cat([space(), self.quoted(&import.path)]))]),
            Item::Rates(rates) => {
                cat([self.word("rates"), indent(cat([space(), self.word("from"), space(), self.quoted(&rates.path)]))])
            }
            Item::Event(event) => self.event(event),
            Item::List(list) => self.list_def(list),
            Item::Script(script) => self.script(script),
            Item::Reason(reason) => self.reason(reason),
            Item::Let(definition) => self.let_def(definition),
            Item::Policy(policy) => self.policy(policy),
            Item::Test(test) => self.test(test),
            Item::Prove(prove) => self.prove(prove),
        }
    }

    fn event(&mut self, event: &EventDef) -> Docs {
        let word = self.word("event");
        let mut head = cat([space(), self.ident(&event.name)]);
        if !event.aliases.is_empty() {
            head.extend(space());
            head.extend(self.separated(&event.aliases, |layout, alias| layout.quoted(alias)));
        }
        if !event.requires.is_empty() {
            head.extend(cat([space(), self.word("requires"), space()]));
            head.extend(self.separated(&event.requires, |layout, field| layout.ident(field)));
        }
        let block = self.block(&event.fields, "  ", |layout, field| {
            let name = layout.ident(&field.name);
            let mut rest = cat([layout.word(":"), space(), layout.type_ref(&field.ty)]);
            for attribute in &field.attributes {
                rest.extend(cat([space(), layout.attribute(attribute)]));
            }
            cat([name, indent(rest)])
        });
        cat([word, indent(head), space(), block])
    }

    fn type_ref(&mut self, ty: &TypeRef) -> Docs {
        if ty.choices.is_empty() {
            return self.glued(ty.span);
        }
        let name = self.ident(&ty.name);
        let choices = self.arguments(&ty.choices, |layout, choice| layout.quoted(choice));
        let mark = if ty.optional { self.word("?") } else { Vec::new() };
        cat([name, choices, mark])
    }

    fn attribute(&mut self, attribute: &Attribute) -> Docs {
        let name = self.glued(attribute.name.span);
        match &attribute.argument {
            Some(argument) => cat([name, self.word("("), self.expr(argument), self.word(")")]),
            None => name,
        }
    }

    fn list_def(&mut self, list: &ListDef) -> Docs {
        let word = self.word("list");
        let name = cat([space(), self.list_name(&list.name), self.word(":"), space(), self.ident(&list.element)]);
        let source = match &list.source {
            ListSource::Inline(elements) => cat([
                indent(self.word("=")),
                space(),
                self.list(("[", "]"), elements, |layout, element| layout.expr(element)),
            ]),
            ListSource::File(path) => indent(cat([self.word("from"), space(), self.quoted(path)])),
            ListSource::Managed => indent(self.word("managed")),
        };
        let ttl = match &list.ttl {
            Some(ttl) => indent(cat([space(), self.named(&["ttl"], ttl.span, &ttl.text)])),
            None => Vec::new(),
        };
        cat([word, indent(name), space(), source, ttl])
    }

    fn script(&mut self, script: &ScriptDef) -> Docs {
        let word = self.word("script");
        let name = cat([space(), self.ident(&script.name)]);
        let parameters = self.arguments(&script.params, |layout, param| {
            cat([layout.ident(&param.name), layout.word(":"), space(), layout.type_ref(&param.ty)])
        });
        let returns = cat([space(), self.word("->"), space(), self.type_ref(&script.returns)]);
        let from = cat([line(" "), self.word("from"), space(), self.quoted(&script.path)]);
        let budget = cat([space(), self.named(&["budget"], script.budget.span, &script.budget.text)]);
        let budget = cat([budget, space(), self.word("ops")]);
        cat([word, indent(name), parameters, indent(cat([returns, from, budget]))])
    }

    fn reason(&mut self, reason: &ReasonDef) -> Docs {
        let word = self.word("reason");
        let mut rest = cat([space(), self.ident(&reason.code), space(), self.quoted(&reason.public)]);
        for (word, value) in [("internal", &reason.internal), ("regulation", &reason.regulation)] {
            if let Some(value) = value {
                rest.extend(cat([line(" "), self.word(word), space(), self.quoted(value)]));
            }
        }
        cat([word, indent(rest)])
    }

    pub(super) fn let_def(&mut self, definition: &LetDef) -> Docs {
        let word = self.word("let");
        let name = cat([space(), self.ident(&definition.name), space(), self.word("=")]);
        cat([word, indent(name), space(), self.behind(|layout| layout.expr(&definition.value))])
    }
}
