//! Files and declarations.

use super::{Doc, Docs, Layout, group, indent, text};
use crate::ast::{Attribute, EventDef, File, Item, LetDef, ListDef, ListSource, Param, ReasonDef, ScriptDef, TypeRef};

impl Layout<'_> {
    pub(super) fn file(&mut self, file: &File) -> Docs {
        let mut docs = Vec::new();
        for item in &file.items {
            let start = item.span().start as usize;
            docs.push(Doc::Line(""));
            docs.extend(self.comments_before(start));
            if self.trivia.blank_before(start) {
                docs.push(Doc::Blank);
            }
            docs.push(group(self.item(item), false));
        }
        docs.push(Doc::Line(""));
        docs.extend(self.comments_before(usize::MAX));
        docs
    }

    fn item(&mut self, item: &Item) -> Docs {
        match item {
            Item::Import(import) => [vec![text("import ")], self.quoted(&import.path)].concat(),
            Item::Rates(rates) => [vec![text("rates from ")], self.quoted(&rates.path)].concat(),
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
        let mut docs = vec![text("event ")];
        docs.extend(self.ident(&event.name));
        if let Some(first) = event.aliases.first() {
            docs.extend(self.lead(first.span, " "));
            docs.extend(self.separated(&event.aliases, ", ", |layout, alias| layout.quoted(alias)));
        }
        if let Some(first) = event.requires.first() {
            docs.extend(self.lead(first.span, " requires "));
            docs.extend(self.names(&event.requires));
        }
        docs.push(text(" "));
        docs.push(self.block(
            Self::close_of(event.span),
            &event.fields,
            "  ",
            |field| field.span,
            |layout, field| {
                let mut docs = layout.ident(&field.name);
                docs.push(text(": "));
                docs.extend(layout.type_ref(&field.ty));
                for attribute in &field.attributes {
                    docs.extend(layout.attribute(attribute));
                }
                docs
            },
        ));
        docs
    }

    fn attribute(&mut self, attribute: &Attribute) -> Docs {
        let mut docs = self.lead(attribute.span, format!(" @{}", attribute.name.name));
        if let Some(argument) = &attribute.argument {
            docs.push(text("("));
            docs.extend(self.expr(argument));
            docs.push(text(")"));
        }
        docs
    }

    fn type_ref(&mut self, ty: &TypeRef) -> Docs {
        let name = if ty.list { format!("list<{}>", ty.name.name) } else { ty.name.name.clone() };
        self.leaf(ty.span, if ty.optional { format!("{name}?") } else { name })
    }

    fn list_def(&mut self, list: &ListDef) -> Docs {
        let mut docs = vec![text("list ")];
        docs.extend(self.list_name(&list.name));
        docs.push(text(": "));
        docs.extend(self.ident(&list.element));
        match &list.source {
            ListSource::Inline(elements) => {
                docs.push(text(" = "));
                let close = self.close_after(list.element.span.end as usize);
                docs.push(self.list(
                    ("[", "]"),
                    close,
                    elements,
                    |element| element.span,
                    |layout, element| layout.expr(element),
                ));
            }
            ListSource::File(path) => {
                docs.extend(self.lead(path.span, " from "));
                docs.extend(self.quoted(path));
            }
            ListSource::Managed => docs.push(text(" managed")),
        }
        if let Some(ttl) = &list.ttl {
            docs.extend(self.lead(ttl.span, " ttl "));
            docs.extend(self.leaf(ttl.span, ttl.text.clone()));
        }
        docs
    }

    fn script(&mut self, script: &ScriptDef) -> Docs {
        let mut docs = vec![text("script ")];
        docs.extend(self.ident(&script.name));
        let close = self.close_after(script.name.span.end as usize);
        docs.push(self.list_without_trailing_comma(close, &script.params));
        docs.push(text(" -> "));
        docs.extend(self.type_ref(&script.returns));
        let mut rest = vec![Doc::Line(" ")];
        rest.extend(self.lead(script.path.span, "from "));
        rest.extend(self.quoted(&script.path));
        rest.extend(self.lead(script.budget.span, " budget "));
        rest.extend(self.leaf(script.budget.span, script.budget.text.clone()));
        rest.push(text(" ops"));
        docs.push(indent(rest));
        docs
    }

    fn list_without_trailing_comma(&mut self, close: usize, params: &[Param]) -> Doc {
        let mut inside = Vec::new();
        for (index, param) in params.iter().enumerate() {
            inside.push(if index == 0 { Doc::Line("") } else { Doc::Line(" ") });
            inside.extend(self.ident(&param.name));
            inside.push(text(": "));
            inside.extend(self.type_ref(&param.ty));
            if index + 1 < params.len() {
                inside.push(text(","));
            }
        }
        inside.extend(self.comments_before(close));
        group(vec![text("("), indent(inside), Doc::Line(""), text(")")], false)
    }

    fn reason(&mut self, reason: &ReasonDef) -> Docs {
        let mut docs = vec![text("reason ")];
        docs.extend(self.ident(&reason.code));
        docs.push(text(" "));
        docs.extend(self.quoted(&reason.public));
        let mut rest = Vec::new();
        for (word, value) in [("internal ", &reason.internal), ("regulation ", &reason.regulation)] {
            if let Some(value) = value {
                rest.extend(self.comments_before(value.span.start as usize));
                rest.push(Doc::Line(" "));
                rest.push(text(word));
                rest.extend(self.quoted(value));
            }
        }
        docs.push(indent(rest));
        docs
    }

    pub(super) fn let_def(&mut self, definition: &LetDef) -> Docs {
        let mut docs = vec![text("let ")];
        docs.extend(self.ident(&definition.name));
        docs.push(text(" = "));
        docs.extend(self.expr(&definition.value));
        docs
    }
}
