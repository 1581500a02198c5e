//! `in`: sets, lists, networks, and times of day in their zones.

use std::sync::Arc;

use grammar::{Diagnostic, Span, ast};

use super::{
    Checker, Scope,
    expr::{Checked, negate},
    inside_quotes,
    resolve::Typed,
};
use crate::{
    ir::{Ask, Comparison, Cond, Expr},
    program::ListQuestion,
    tri::Tri,
    types::Type,
    value::Value,
};

impl<'a> Checker<'a> {
    pub(super) fn membership(&mut self, membership: &'a ast::Membership, scope: &Scope) -> Option<Checked> {
        let optional = self.optional.len();
        let checked = match &membership.set {
            ast::Set::Range(range) => self.range(&membership.value, &range.low, &range.high, scope),
            ast::Set::Clock(clock) => self.clock(&membership.value, clock, scope),
            ast::Set::List(list) => self.in_list(&membership.value, list, scope),
            ast::Set::Elements(set) => self.in_elements(&membership.value, set, scope),
            ast::Set::Value(set) => {
                if let ast::ExprKind::Arithmetic(arithmetic) = &set.kind {
                    self.no_clock_range(&membership.value, &arithmetic.left, &arithmetic.right)?;
                    self.no_dashed_range(arithmetic)?;
                }
                self.in_value(&membership.value, set, scope, Some(membership))
            }
        }?;
        if membership.negated {
            self.negation_lint(optional, membership.op_span, scope);
            return Some(negate(checked));
        }
        Some(checked)
    }

    pub(super) fn clock(&mut self, value: &'a ast::Expr, clock: &'a ast::ClockSet, scope: &Scope) -> Option<Checked> {
        let mark = self.begin_atom();
        let time = self.value(value, scope, None);
        let Some(zone) = &clock.zone else {
            self.report(
                Diagnostic::error("clock-without-zone", "a time of day means nothing without a zone")
                    .at(clock.range.span, "in which zone?")
                    .suggest(
                        "add `tz`, for example the user's zone",
                        clock.range.span.after(),
                        " tz user.tz ?? \"UTC\"",
                    ),
            );
            return None;
        };
        let zone = self.zone(zone, scope);
        let (time, zone) = (time?, zone?);
        if time.ty != Type::Timestamp {
            let text = format!("`{}` is {}, and a time of day is asked of a timestamp", time.text, time.ty);
            self.report(Diagnostic::error("type-mismatch", text).at(value.span, "not a timestamp"));
            return None;
        }
        let minutes = |clock: &ast::Clock| u16::from(clock.hour) * 60 + u16::from(clock.minute);
        let (from, until) = (minutes(&clock.range.from), minutes(&clock.range.until));
        if from == until {
            self.report(
                Diagnostic::error("number-out-of-range", "the range is empty")
                    .at(clock.range.span, "begins where it ends")
                    .help("leave the condition out if it should always hold"),
            );
            return None;
        }
        let text = format!("{} in {} tz {}", time.text, self.slice(clock.range.span), zone.text);
        Some(self.atom(mark, Ask::Clock { time: time.expr, from, until, zone: zone.expr }, text))
    }

    /// An expression that names an IANA zone; a constant one must exist.
    pub(super) fn zone(&mut self, expr: &'a ast::Expr, scope: &Scope) -> Option<Typed> {
        let zone = self.value(expr, scope, None)?;
        if zone.ty != Type::Text {
            let text = format!("a zone is a text like \"Europe/Paris\", not {}", zone.ty);
            self.report(Diagnostic::error("type-mismatch", text).at(expr.span, zone.ty.to_string()));
            return None;
        }
        let mut constants = Vec::new();
        zone_constants(expr, &mut constants);
        for text in constants {
            if crate::evaluate::zone_named(&text.value).is_none() {
                let message = format!("there is no time zone `{}`", text.value);
                let names: Vec<String> =
                    jiff::tz::TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect();
                let place = inside_quotes(text.span);
                let finding = Diagnostic::error("unknown-zone", message).at(text.span, "not in the IANA database");
                // `Paris` is the end of one zone's name.
                let city = text.value.replace(' ', "_");
                let mut ends = names.iter().filter(|name| name.rsplit_once('/').is_some_and(|(_, end)| end == city));
                self.report(match (ends.next(), ends.next()) {
                    (Some(zone), None) => finding.suggest(format!("did you mean `{zone}`?"), place, zone.as_str()),
                    _ => finding
                        .near(&text.value, place, names.iter().map(String::as_str))
                        .or_help("write a zone like \"Europe/Paris\" or \"UTC\""),
                });
                return None;
            }
        }
        Some(zone)
    }

    pub(super) fn in_list(&mut self, value: &'a ast::Expr, list: &ast::ListName, scope: &Scope) -> Option<Checked> {
        let mark = self.begin_atom();
        let value_typed = self.value(value, scope, None);
        let index = self.list_named(list);
        let (mut typed, index) = (value_typed?, index?);
        let definition = self.draft.lists.get(index)?;
        let (element, changes) = (definition.element.clone(), definition.changes);
        if let (Expr::Const(Value::Text(text)), Type::User) = (&typed.expr, &element) {
            typed = Typed::new(Expr::Const(Value::User(Arc::clone(text))), Type::User, typed.text);
        }
        let fits = typed.ty == element || (typed.ty == Type::Ip && element == Type::Cidr);
        if !fits {
            let text = format!("`{}` is {}, and `@{}` holds {element}", typed.text, typed.ty, list.name);
            self.report(
                Diagnostic::error("type-mismatch", text)
                    .at(value.span, typed.ty.to_string())
                    .also(list.span, format!("a list of {element}")),
            );
            return None;
        }
        let text = format!("{} in @{}", typed.text, list.name);
        let ask = if changes {
            let question = self.question(&text, &typed.expr, index);
            Ask::Listed(question)
        } else {
            // A long list is put in order once, however many rules ask it.
            let known = self.atom_index.get(text.as_str()).and_then(|atom| self.draft.atoms.get(*atom));
            match known {
                Some(known) => known.ask.clone(),
                None => self.draft.lists.get(index)?.entries.asked(typed.expr, &typed.ty),
            }
        };
        Some(self.atom(mark, ask, text))
    }

    pub(super) fn question(&mut self, text: &str, value: &Expr, list: usize) -> usize {
        if let Some(position) = self.draft.questions.iter().position(|question| *question.text == *text) {
            return position;
        }
        self.draft.questions.push(ListQuestion { text: text.into(), value: value.clone(), list });
        self.draft.questions.len() - 1
    }

    pub(super) fn list_named(&mut self, list: &ast::ListName) -> Option<usize> {
        if let Some((index, _)) = self.list_names.get(&list.name) {
            self.used_lists.insert(*index);
            return Some(*index);
        }
        if self.broken.contains(&list.name) {
            return None;
        }
        let text = format!("there is no list `@{}`", list.name);
        let mut names: Vec<String> = self.list_names.keys().map(|name| format!("@{name}")).collect();
        names.sort();
        let finding = Diagnostic::error("unknown-list", text)
            .at(list.span, "not a list")
            .near(&format!("@{}", list.name), list.span, names.iter().map(String::as_str))
            .or_help("declare it: `list @name: type = […]`");
        self.report(finding);
        None
    }

    pub(super) fn in_elements(
        &mut self,
        value: &'a ast::Expr,
        set: &'a ast::SetLiteral,
        scope: &Scope,
    ) -> Option<Checked> {
        self.no_grouping_comma(set)?;
        // Lists, paths and networks inside the brackets are questions of their own.
        let constant = |expr: &ast::Expr| matches!(&expr.kind, ast::ExprKind::Literal(literal) if !matches!(literal, ast::Literal::Cidr(_)));
        let mut parts: Vec<Option<Checked>> = Vec::new();
        let plain: Vec<&'a ast::Expr> = set.elements.iter().filter(|element| constant(element)).collect();
        if !plain.is_empty() {
            parts.push(self.among(value, &plain, scope));
        }
        for element in set.elements.iter().filter(|element| !constant(element)) {
            parts.push(match &element.kind {
                ast::ExprKind::List(list) => self.in_list(value, list, scope),
                _ => self.in_value(value, element, scope, None),
            });
        }
        let parts: Vec<Checked> = parts.into_iter().collect::<Option<_>>()?;
        let text = parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(" or ");
        let mut conds: Vec<Cond> = parts.into_iter().map(|part| part.cond).collect();
        match (conds.len(), conds.pop()) {
            (1, Some(only)) => Some(Checked { cond: only, text }),
            (_, Some(last)) => {
                conds.push(last);
                Some(Checked { cond: Cond::Any(conds), text: format!("({text})") })
            }
            (_, None) => Some(Checked { cond: Cond::Const(Tri::False), text }),
        }
    }

    /// `[1,500, 2,000]`: commas that stand for decimals or thousands would be four numbers.
    fn no_grouping_comma(&mut self, set: &ast::SetLiteral) -> Option<()> {
        let is_number = |element: &ast::Expr| matches!(element.kind, ast::ExprKind::Literal(ast::Literal::Number(_)));
        let noughts = |text: &str| text.len() > 1 && text.starts_with('0') && !text.contains('.');
        let (mut glued, mut spaced) = (Vec::new(), false);
        for (one, next) in set.elements.iter().zip(set.elements.iter().skip(1)) {
            let (first, second) = (self.trimmed(one.span), self.trimmed(next.span));
            if first.end + 1 < second.start {
                spaced = true;
            } else if is_number(one) && is_number(next) {
                glued.push((first, second));
            }
        }
        let wrong = glued.into_iter().find(|(_, next)| spaced || noughts(&self.slice(*next)));
        let Some((one, next)) = wrong else { return Some(()) };
        let (whole, rest) = (self.slice(one), self.slice(next));
        let grouped = if whole != "0" && rest.len() == 3 { format!("`{whole}_{rest}` or ") } else { String::new() };
        self.report(
            Diagnostic::error("grouping-point", format!("`{whole},{rest}` are two numbers"))
                .at(one.to(next), "one number, or two?")
                .help(format!("for one write {grouped}`{whole}.{rest}`, for two a blank behind every comma")),
        );
        None
    }

    pub(super) fn among(&mut self, value: &'a ast::Expr, elements: &[&'a ast::Expr], scope: &Scope) -> Option<Checked> {
        let mark = self.begin_atom();
        let typed = self.value(value, scope, None);
        let mut values = Vec::new();
        let mut sound = true;
        let mut currency = typed.as_ref().and_then(|typed| typed.currency);
        for element in elements {
            let constant = self.value(element, scope, None);
            let (Some(typed), Some(constant)) = (&typed, constant) else {
                sound = false;
                continue;
            };
            let Some(constant) = self.as_type_of(typed, constant, element.span) else {
                sound = false;
                continue;
            };
            if self.no_grouping_point(typed, element).is_none() {
                sound = false;
            } else if !typed.ty.compares_with(&constant.ty) {
                let text = format!("`{}` is {}, and this is {}", typed.text, typed.ty, constant.ty);
                let finding = Diagnostic::error("type-mismatch", text)
                    .at(element.span, constant.ty.to_string())
                    .also(value.span, typed.ty.to_string());
                let finding = self.as_wanted(finding, element, &constant.expr, &typed.ty);
                self.report(finding);
                sound = false;
            } else if let Expr::Const(value) = constant.expr {
                sound &= self.meet(currency, constant.currency, element.span).is_some();
                currency = currency.or(constant.currency);
                values.push(value);
            }
        }
        let typed = typed.filter(|_| sound)?;
        let text = values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let text = format!("{} in [{text}]", typed.text);
        Some(self.atom(mark, Ask::Among(typed.expr, values.into()), text))
    }

    /// `22:00-06:00`, `between 22:00 and 06:00`: a range of the clock is written in one way.
    pub(super) fn no_clock_range(&mut self, value: &ast::Expr, from: &ast::Expr, until: &ast::Expr) -> Option<()> {
        let clock = |expr: &ast::Expr| matches!(expr.kind, ast::ExprKind::Literal(ast::Literal::Clock(_)));
        if !(clock(from) && clock(until)) {
            return Some(());
        }
        let (low, high) = (self.slice(self.trimmed(from.span)), self.slice(self.trimmed(until.span)));
        let written = format!("in {low}..{high} tz \"UTC\"");
        let until = self.trimmed(until.span);
        self.report(
            Diagnostic::error("type-mismatch", "a range of the clock is written with two points, and has a zone")
                .at(from.span.to(until), "not a range")
                .suggest(
                    format!("write `{written}`, or the zone that is meant"),
                    self.trimmed(value.span).after().to(until),
                    format!(" {written}"),
                ),
        );
        None
    }

    /// Whether a value is in what another one holds, `alone` behind its `in`; or is it, among the elements of a set.
    pub(super) fn in_value(
        &mut self,
        value: &'a ast::Expr,
        set: &'a ast::Expr,
        scope: &Scope,
        alone: Option<&ast::Membership>,
    ) -> Option<Checked> {
        let mark = self.begin_atom();
        let value_typed = self.value(value, scope, None);
        let set_typed = self.value_beside(value_typed.as_ref(), set, scope, None);
        let (value_typed, set_typed) = (value_typed?, set_typed?);
        self.same_currency(&value_typed, &set_typed, set.span)?;
        let text = format!("{} in {}", value_typed.text, set_typed.text);
        let ask = match (&value_typed.ty, &set_typed.ty, set_typed.expr) {
            (Type::Ip, Type::Cidr, Expr::Const(Value::Cidr(net))) => Ask::Within(value_typed.expr, [net].into()),
            (Type::Ip | Type::Cidr, Type::Cidr, expr) => Ask::Contains(value_typed.expr, expr),
            (Type::Ip, Type::List(element), expr) if **element == Type::Cidr => Ask::Contains(value_typed.expr, expr),
            (ty, Type::List(element), expr) if ty.compares_with(element) => Ask::Contains(value_typed.expr, expr),
            // An element of a set that is a path: the same value.
            (ty, other, expr) if alone.is_none() && ty.compares_with(other) => {
                Ask::Compare(Comparison::Equal, value_typed.expr, expr)
            }
            (ty, other, _) if let Some(membership) = alone.filter(|_| ty.compares_with(other)) => {
                // `in 3 or 5` was meant to have a set.
                if !self.shares_its_comparison {
                    self.report(in_one(&set_typed.text, ty, membership, set.span));
                }
                return None;
            }
            (ty, other, expr) => {
                let finding = Diagnostic::error("type-mismatch", format!("{ty} is not in {other}"))
                    .at(set.span, other.to_string())
                    .also(value.span, ty.to_string());
                let wanted = if *ty == Type::Ip { &Type::Cidr } else { ty };
                let finding = self.as_wanted(finding, set, &expr, wanted);
                self.report(finding.or_help("behind `in` stands a list, a set, a range or a network"));
                return None;
            }
        };
        Some(self.atom(mark, ask, text))
    }
}

/// `"@example.com" in email`: what holds nothing is asked whether it holds something.
fn in_one(text: &str, ty: &Type, membership: &ast::Membership, set: Span) -> Diagnostic {
    let operator = if membership.negated { "!=" } else { "==" };
    let help = match ty {
        Type::Text => {
            format!("write `{operator}`, or `matches` with a pattern if a part of the text is looked for")
        }
        _ => format!("write `{operator}`"),
    };
    Diagnostic::error("type-mismatch", format!("`{text}` is one {ty}, and holds nothing"))
        .at(set, "not a list, a set, a range or a network")
        .suggest(help, membership.op_span, operator)
}

/// The constants a zone expression can come to.
fn zone_constants<'e>(expr: &'e ast::Expr, found: &mut Vec<&'e ast::Text>) {
    match &expr.unwrapped().kind {
        ast::ExprKind::Literal(ast::Literal::Text(text)) => found.push(text),
        ast::ExprKind::Coalesce(coalesce) => {
            zone_constants(&coalesce.value, found);
            zone_constants(&coalesce.fallback, found);
        }
        _ => {}
    }
}
