//! Imports, events, lists, scripts, reasons, `let`s.

use super::{Lower, Pair, Rule, all, child, expression, has, literal};
use crate::ast::{
    Attribute, EventDef, Expr, ExprKind, FieldDef, Import, LetDef, ListDef, ListSource, Param, Rates, ReasonDef,
    ScriptDef, Text, TypeRef,
};

impl Lower<'_> {
    pub(super) fn import(&mut self, pair: Pair) -> Option<Import> {
        Some(Import { path: self.text(child(&pair, Rule::string)?)?, span: self.span(&pair) })
    }

    pub(super) fn rates(&mut self, pair: Pair) -> Option<Rates> {
        Some(Rates { path: self.text(child(&pair, Rule::string)?)?, span: self.span(&pair) })
    }

    pub(super) fn event(&mut self, pair: Pair) -> Option<EventDef> {
        let head = self.event_head(child(&pair, Rule::event_head)?)?;
        let fields = all(&pair, Rule::field_def).map(|field| self.field(field)).collect::<Option<_>>()?;
        Some(EventDef { fields, span: self.span(&pair), ..head })
    }

    /// An event without its fields.
    pub fn event_head(&mut self, pair: Pair) -> Option<EventDef> {
        let aliases = match child(&pair, Rule::aliases) {
            Some(aliases) => all(&aliases, Rule::string).map(|alias| self.text(alias)).collect::<Option<_>>()?,
            None => Vec::new(),
        };
        let requires = match child(&pair, Rule::requires) {
            Some(requires) => all(&requires, Rule::ident).map(|name| self.ident(name)).collect::<Option<_>>()?,
            None => Vec::new(),
        };
        let name = self.new_name(child(&pair, Rule::ident)?)?;
        Some(EventDef { name, aliases, requires, fields: Vec::new(), span: self.span(&pair) })
    }

    pub fn field(&mut self, pair: Pair) -> Option<FieldDef> {
        Some(FieldDef {
            name: self.new_name(child(&pair, Rule::ident)?)?,
            ty: self.type_ref(child(&pair, Rule::type_ref)?)?,
            attributes: all(&pair, Rule::attribute)
                .map(|attribute| self.attribute(attribute))
                .collect::<Option<_>>()?,
            span: self.span(&pair),
        })
    }

    fn attribute(&mut self, pair: Pair) -> Option<Attribute> {
        let argument = match (child(&pair, Rule::literal), child(&pair, Rule::path)) {
            (Some(value), _) => {
                let span = self.span(&value);
                Some(Expr { kind: ExprKind::Literal(literal::literal(self, value)?), span })
            }
            (None, Some(path)) => {
                let span = self.span(&path);
                Some(Expr { kind: ExprKind::Path(self.path(path)?), span })
            }
            (None, None) => None,
        };
        Some(Attribute { name: self.ident(child(&pair, Rule::ident)?)?, argument, span: self.span(&pair) })
    }

    fn type_ref(&mut self, pair: Pair) -> Option<TypeRef> {
        let list = child(&pair, Rule::list_type);
        let name = child(list.as_ref().unwrap_or(&pair), Rule::ident)?;
        let choices = match child(&pair, Rule::choices) {
            Some(choices) => all(&choices, Rule::string).map(|choice| self.text(choice)).collect::<Option<_>>()?,
            None => Vec::new(),
        };
        Some(TypeRef {
            name: self.ident(name)?,
            choices,
            list: list.is_some(),
            optional: has(&pair, Rule::optional),
            span: self.span(&pair),
        })
    }

    pub(super) fn list(&mut self, pair: Pair) -> Option<ListDef> {
        let from = child(&pair, Rule::list_from)?;
        let source = if let Some(set) = child(&from, Rule::set_lit) {
            ListSource::Inline(expression::set_literal(self, set)?.elements)
        } else if let Some(path) = child(&from, Rule::string) {
            ListSource::File(self.text(path)?)
        } else {
            ListSource::Managed
        };
        let ttl = child(&pair, Rule::ttl).and_then(|ttl| child(&ttl, Rule::duration));
        Some(ListDef {
            name: self.list_name(child(&pair, Rule::list_name)?)?,
            element: self.ident(child(&pair, Rule::ident)?)?,
            source,
            ttl: ttl.map(|ttl| literal::duration(self, &ttl)),
            span: self.span(&pair),
        })
    }

    pub(super) fn script(&mut self, pair: Pair) -> Option<ScriptDef> {
        Some(ScriptDef {
            name: self.new_name(child(&pair, Rule::ident)?)?,
            params: all(&pair, Rule::param).map(|param| self.param(param)).collect::<Option<_>>()?,
            returns: self.type_ref(child(&pair, Rule::type_ref)?)?,
            path: self.text(child(&pair, Rule::string)?)?,
            budget: literal::number(self, &child(&pair, Rule::integer)?),
            span: self.span(&pair),
        })
    }

    fn param(&mut self, pair: Pair) -> Option<Param> {
        Some(Param {
            name: self.new_name(child(&pair, Rule::ident)?)?,
            ty: self.type_ref(child(&pair, Rule::type_ref)?)?,
        })
    }

    pub(super) fn reason(&mut self, pair: Pair) -> Option<ReasonDef> {
        Some(ReasonDef {
            code: self.ident(child(&pair, Rule::ident)?)?,
            public: self.text(child(&pair, Rule::string)?)?,
            internal: self.labelled_text(child(&pair, Rule::internal))?,
            regulation: self.labelled_text(child(&pair, Rule::regulation))?,
            span: self.span(&pair),
        })
    }

    /// The text after a word, if the word is there.
    fn labelled_text(&mut self, pair: Option<Pair>) -> Option<Option<Text>> {
        match pair {
            Some(pair) => Some(Some(self.text(child(&pair, Rule::string)?)?)),
            None => Some(None),
        }
    }

    pub(super) fn let_def(&mut self, pair: Pair) -> Option<LetDef> {
        Some(LetDef {
            name: self.new_name(child(&pair, Rule::ident)?)?,
            value: expression::expr(self, child(&pair, Rule::expr)?)?,
            span: self.span(&pair),
        })
    }
}
