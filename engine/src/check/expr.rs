//! Expressions: types, operators, and the conditions they make.

use std::sync::Arc;

use grammar::{Diagnostic, Span, ast};
use regex::RegexBuilder;

use super::{Checker, Scope, resolve::Typed};
use crate::{
    codes::Currency,
    ir::{Arithmetic, Ask, Atom, Comparison, Cond, Expr, GeoPart, Moment, Signal},
    program::ListQuestion,
    tri::Tri,
    types::Type,
    value::Value,
};

/// A condition and its text.
pub(crate) struct Checked {
    pub cond: Cond,
    pub text: String,
}

/// What the parts of one condition may add up to, with every `let` expanded.
const MOST_NODES: usize = 10_000;
/// Limits on `matches` (`security.md` T-38).
const MOST_PATTERN_BYTES: usize = 1_024;
const MOST_REGEX_BYTES: usize = 1 << 20;

impl<'a> Checker<'a> {
    /// An expression that must be true or false.
    pub(super) fn condition(&mut self, expr: &'a ast::Expr, scope: &Scope) -> Option<Checked> {
        self.count_node(expr.span)?;
        match &expr.kind {
            ast::ExprKind::Paren(inner) => self.condition(inner, scope),
            ast::ExprKind::And(parts) => self.junction(parts, scope, " and ", Cond::All),
            ast::ExprKind::Or(parts) => self.junction(parts, scope, " or ", Cond::Any),
            ast::ExprKind::Not(inner) => {
                let inner = self.condition(inner, scope)?;
                Some(Checked { cond: not(inner.cond), text: format!("not ({})", inner.text) })
            }
            ast::ExprKind::Literal(ast::Literal::Bool(value)) => {
                Some(Checked { cond: Cond::Const(Tri::from(*value)), text: value.to_string() })
            }
            ast::ExprKind::Path(path) => {
                if let Some(key) = self.let_named(path, scope) {
                    let (body, scope) = self.enter_let(&key, path.span, scope)?;
                    let checked = self.condition(body, &scope);
                    self.expanding.pop();
                    return checked.map(|checked| Checked { text: grouped(checked.text), ..checked });
                }
                self.holds(expr, scope)
            }
            ast::ExprKind::Compare(compare) => self.compare(compare, scope),
            ast::ExprKind::In(membership) => self.membership(membership, scope),
            ast::ExprKind::Between(between) => self.between(between, scope),
            ast::ExprKind::Is(presence) => self.presence(presence, scope),
            ast::ExprKind::Matches(matches) => self.matches(matches, scope),
            ast::ExprKind::Literal(_)
            | ast::ExprKind::List(_)
            | ast::ExprKind::Call(_)
            | ast::ExprKind::Coalesce(_)
            | ast::ExprKind::Arithmetic(_)
            | ast::ExprKind::Aggregate(_)
            | ast::ExprKind::Seen(_) => self.holds(expr, scope),
        }
    }

    fn junction(
        &mut self,
        parts: &'a [ast::Expr],
        scope: &Scope,
        word: &str,
        join: fn(Vec<Cond>) -> Cond,
    ) -> Option<Checked> {
        // Every part is checked before the first failure counts: all mistakes in one run.
        let checked: Vec<Option<Checked>> = parts.iter().map(|part| self.condition(part, scope)).collect();
        let checked: Vec<Checked> = checked.into_iter().collect::<Option<_>>()?;
        let text = checked.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(word);
        Some(Checked { cond: join(checked.into_iter().map(|part| part.cond).collect()), text: format!("({text})") })
    }

    fn holds(&mut self, expr: &'a ast::Expr, scope: &Scope) -> Option<Checked> {
        let mark = self.begin_atom();
        let typed = self.value(expr, scope, None)?;
        if typed.ty != Type::Bool {
            self.report(
                Diagnostic::error(
                    "not-a-condition",
                    format!("`{}` is {}, not a condition", self.slice(expr.span), typed.ty),
                )
                .at(expr.span, "neither true nor false")
                .help("compare it with something"),
            );
            return None;
        }
        if let Expr::Test(cond) = typed.expr {
            return Some(Checked { cond: *cond, text: typed.text });
        }
        Some(self.atom(mark, Ask::Holds(typed.expr), typed.text))
    }

    /// An expression with a value. `hint` is the currency of what it is compared with.
    pub(super) fn value(&mut self, expr: &'a ast::Expr, scope: &Scope, hint: Option<Currency>) -> Option<Typed> {
        self.count_node(expr.span)?;
        match &expr.kind {
            ast::ExprKind::Paren(inner) => self.value(inner, scope, hint),
            ast::ExprKind::Literal(literal) => {
                let (value, ty) = self.literal(literal)?;
                let currency = match &value {
                    Value::Money(money) => Some(money.currency),
                    _ => None,
                };
                let text = value.to_string();
                Some(Typed { currency, ..Typed::new(Expr::Const(value), ty, text) })
            }
            ast::ExprKind::Path(path) => {
                if let Some(key) = self.let_named(path, scope) {
                    let (body, scope) = self.enter_let(&key, path.span, scope)?;
                    let typed = self.value(body, &scope, hint);
                    self.expanding.pop();
                    return typed.map(|typed| Typed { text: grouped(typed.text), ..typed });
                }
                self.resolve(path, scope)
            }
            ast::ExprKind::List(list) => {
                self.report(
                    Diagnostic::error("type-mismatch", format!("`@{}` is a list", list.name))
                        .at(expr.span, "a list stands only behind `in`"),
                );
                None
            }
            ast::ExprKind::Or(_)
            | ast::ExprKind::And(_)
            | ast::ExprKind::Not(_)
            | ast::ExprKind::Compare(_)
            | ast::ExprKind::In(_)
            | ast::ExprKind::Between(_)
            | ast::ExprKind::Is(_)
            | ast::ExprKind::Matches(_) => {
                let checked = self.condition(expr, scope)?;
                Some(Typed::new(Expr::Test(Box::new(checked.cond)), Type::Bool, checked.text))
            }
            ast::ExprKind::Call(call) => self.call(call, expr.span, scope),
            ast::ExprKind::Coalesce(coalesce) => self.coalesce(coalesce, scope, hint),
            ast::ExprKind::Arithmetic(arithmetic) => self.arithmetic(arithmetic, scope, hint),
            ast::ExprKind::Aggregate(aggregate) => self.aggregate(aggregate, expr.span, scope, hint),
            ast::ExprKind::Seen(seen) => self.seen(seen, expr.span, scope),
        }
    }

    fn coalesce(&mut self, coalesce: &'a ast::Coalesce, scope: &Scope, hint: Option<Currency>) -> Option<Typed> {
        let before = self.optional.len();
        let value = self.value(&coalesce.value, scope, hint);
        // `??` says what absence means: nothing is left to warn about.
        self.optional.truncate(before);
        let fallback = self.value(&coalesce.fallback, scope, hint);
        let (value, fallback) = (value?, fallback?);
        let ty = match (&value.ty, &fallback.ty) {
            (Type::Int, Type::Decimal) | (Type::Decimal, Type::Int) => Type::Decimal,
            (a, b) if a == b => value.ty.clone(),
            (a, b) => {
                let span = coalesce.fallback.span;
                self.report(
                    Diagnostic::error("type-mismatch", format!("`{}` is {a}, and its fallback is {b}", value.text))
                        .at(span, format!("{b}, not {a}")),
                );
                return None;
            }
        };
        let text = format!("({} ?? {})", value.text, fallback.text);
        let currency = value.currency.filter(|currency| fallback.currency == Some(*currency));
        let expr = Expr::Coalesce(Box::new(value.expr), Box::new(fallback.expr));
        Some(Typed { currency, ..Typed::new(expr, ty, text) })
    }

    fn arithmetic(&mut self, arithmetic: &'a ast::Arithmetic, scope: &Scope, hint: Option<Currency>) -> Option<Typed> {
        let left = self.value(&arithmetic.left, scope, hint);
        let right = self.value(&arithmetic.right, scope, hint);
        let (left, right) = (left?, right?);
        let op = match arithmetic.op {
            ast::ArithmeticOp::Add => Arithmetic::Add,
            ast::ArithmeticOp::Subtract => Arithmetic::Subtract,
            ast::ArithmeticOp::Multiply => Arithmetic::Multiply,
            ast::ArithmeticOp::Divide => Arithmetic::Divide,
        };
        let symbol = arithmetic.op.symbol();
        let Some(ty) = result_type(op, &left.ty, &right.ty) else {
            let (a, b) = (&left.ty, &right.ty);
            self.report(
                Diagnostic::error("type-mismatch", format!("`{symbol}` does not work on {a} and {b}"))
                    .at(arithmetic.op_span, format!("{a} {symbol} {b}"))
                    .also(arithmetic.left.span, a.to_string())
                    .also(arithmetic.right.span, b.to_string()),
            );
            return None;
        };
        self.same_currency(&left, &right, arithmetic.op_span)?;
        let text = format!("({} {symbol} {})", left.text, right.text);
        let currency = if ty == Type::Money { left.currency.or(right.currency) } else { None };
        let expr = Expr::Arithmetic(op, Box::new(left.expr), Box::new(right.expr));
        Some(Typed { currency, ..Typed::new(expr, ty, text) })
    }

    fn same_currency(&mut self, left: &Typed, right: &Typed, span: Span) -> Option<()> {
        if let (Some(a), Some(b)) = (left.currency, right.currency)
            && a != b
        {
            self.report(
                Diagnostic::error("two-currencies", format!("{a} and {b} never mix"))
                    .at(span, format!("{a} here, {b} there"))
                    .help("write both in one currency"),
            );
            return None;
        }
        Some(())
    }

    fn compare(&mut self, compare: &'a ast::Compare, scope: &Scope) -> Option<Checked> {
        let mark = self.begin_atom();
        let optional = self.optional.len();
        let left = self.value(&compare.left, scope, money_of(&compare.right));
        let right = self.value(&compare.right, scope, money_of(&compare.left));
        let (left, right) = (left?, right?);
        let (op, negated) = match compare.op {
            ast::CompareOp::Equal => (Comparison::Equal, false),
            ast::CompareOp::NotEqual => (Comparison::Equal, true),
            ast::CompareOp::Less => (Comparison::Less, false),
            ast::CompareOp::LessOrEqual => (Comparison::AtMost, false),
            ast::CompareOp::Greater => (Comparison::Greater, false),
            ast::CompareOp::GreaterOrEqual => (Comparison::AtLeast, false),
        };
        let right = self.as_type_of(&left, right, compare.right.span)?;
        let left = self.as_type_of(&right, left, compare.left.span)?;
        self.comparable(&left, &right, op, compare)?;
        self.same_currency(&left, &right, compare.op_span)?;
        if negated {
            self.negation_lint(optional, compare.op_span);
        }
        self.limit_lint(&left, &right, op, compare.left.span.to(compare.right.span), scope);
        let text = format!("{} {} {}", left.text, if negated { "==" } else { compare.op.symbol() }, right.text);
        let checked = self.atom(mark, Ask::Compare(op, left.expr, right.expr), text);
        Some(if negated { negate(checked) } else { checked })
    }

    /// A quoted constant beside a user, a device or a status is one.
    fn as_type_of(&mut self, other: &Typed, this: Typed, span: Span) -> Option<Typed> {
        let Expr::Const(Value::Text(text)) = &this.expr else { return Some(this) };
        let value = match &other.ty {
            Type::User => Value::User(Arc::clone(text)),
            Type::Device => Value::Device(Arc::clone(text)),
            Type::Status => {
                if crate::status::Status::from_word(text).is_none() {
                    let words = crate::status::Status::ALL.map(crate::status::Status::word);
                    let message = format!("there is no status `{text}`");
                    self.unknown_name("unknown-word", message, text, span, "not a status", words);
                    return None;
                }
                return Some(Typed { ty: Type::Status, ..this });
            }
            _ => return Some(this),
        };
        Some(Typed { expr: Expr::Const(value), ty: other.ty.clone(), ..this })
    }

    fn comparable(&mut self, left: &Typed, right: &Typed, op: Comparison, compare: &ast::Compare) -> Option<()> {
        let (a, b) = (&left.ty, &right.ty);
        if !a.compares_with(b) {
            let finding = Diagnostic::error("type-mismatch", format!("{a} and {b} do not compare"))
                .at(compare.op_span, format!("{a} {} {b}", compare.op.symbol()))
                .also(compare.left.span, a.to_string())
                .also(compare.right.span, b.to_string());
            let finding = match (a, b) {
                (Type::Geo, _) | (_, Type::Geo) => finding.help("compare `geo.country`, or use `distance(…)`"),
                (Type::Money, Type::Int | Type::Decimal) | (Type::Int | Type::Decimal, Type::Money) => {
                    finding.help("an amount has a currency: write `30 EUR`")
                }
                (_, _) => finding,
            };
            self.report(finding);
            return None;
        }
        if op != Comparison::Equal && !(a.ordered() && b.ordered()) {
            self.report(
                Diagnostic::error("type-mismatch", format!("{a} has no order"))
                    .at(compare.op_span, "needs more and less")
                    .help("use `==`, `!=` or `in`"),
            );
            return None;
        }
        Some(())
    }

    fn between(&mut self, between: &'a ast::Between, scope: &Scope) -> Option<Checked> {
        self.range(&between.value, &between.low, &between.high, scope)
    }

    fn range(
        &mut self,
        value: &'a ast::Expr,
        low: &'a ast::Expr,
        high: &'a ast::Expr,
        scope: &Scope,
    ) -> Option<Checked> {
        let mut bound = |bound: &'a ast::Expr, op: Comparison, symbol: &str| {
            let mark = self.begin_atom();
            let value_typed = self.value(value, scope, money_of(bound));
            let bound_typed = self.value(bound, scope, money_of(value));
            let (value_typed, bound_typed) = (value_typed?, bound_typed?);
            let (a, b) = (&value_typed.ty, &bound_typed.ty);
            if !a.compares_with(b) || !a.ordered() {
                self.report(
                    Diagnostic::error("type-mismatch", format!("{a} does not lie between two of {b}"))
                        .at(bound.span, b.to_string())
                        .also(value.span, a.to_string()),
                );
                return None;
            }
            self.same_currency(&value_typed, &bound_typed, bound.span)?;
            let text = format!("{} {symbol} {}", value_typed.text, bound_typed.text);
            Some(self.atom(mark, Ask::Compare(op, value_typed.expr, bound_typed.expr), text))
        };
        let low = bound(low, Comparison::AtLeast, ">=");
        let high = bound(high, Comparison::AtMost, "<=");
        let (low, high) = (low?, high?);
        Some(Checked { text: format!("({} and {})", low.text, high.text), cond: Cond::All(vec![low.cond, high.cond]) })
    }

    fn membership(&mut self, membership: &'a ast::Membership, scope: &Scope) -> Option<Checked> {
        let optional = self.optional.len();
        let checked = match &membership.set {
            ast::Set::Range(range) => self.range(&membership.value, &range.low, &range.high, scope),
            ast::Set::Clock(clock) => self.clock(&membership.value, clock, scope),
            ast::Set::List(list) => self.in_list(&membership.value, list, scope),
            ast::Set::Elements(set) => self.in_elements(&membership.value, set, scope),
            ast::Set::Value(set) => self.in_value(&membership.value, set, scope),
        }?;
        if membership.negated {
            self.negation_lint(optional, membership.op_span);
            return Some(negate(checked));
        }
        Some(checked)
    }

    fn clock(&mut self, value: &'a ast::Expr, clock: &'a ast::ClockSet, scope: &Scope) -> Option<Checked> {
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
                let near = grammar::nearest(&text.value, names.iter().map(String::as_str));
                let finding = Diagnostic::error("unknown-zone", message).at(text.span, "not in the IANA database");
                self.report(match near {
                    Some(near) => finding.suggest(format!("did you mean `{near}`?"), text.span, format!("\"{near}\"")),
                    None => finding.help("write a zone like \"Europe/Paris\" or \"UTC\""),
                });
                return None;
            }
        }
        Some(zone)
    }

    fn in_list(&mut self, value: &'a ast::Expr, list: &ast::ListName, scope: &Scope) -> Option<Checked> {
        let mark = self.begin_atom();
        let value_typed = self.value(value, scope, None);
        let index = self.list_named(list);
        let (mut typed, index) = (value_typed?, index?);
        let definition = self.draft.lists.get(index)?;
        let (element, changes, entries) = (definition.element.clone(), definition.changes, definition.entries.clone());
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
            entries.asked(typed.expr)
        };
        Some(self.atom(mark, ask, text))
    }

    fn question(&mut self, text: &str, value: &Expr, list: usize) -> usize {
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
        let names: Vec<String> = self.list_names.keys().cloned().collect();
        let near = grammar::nearest(&list.name, names.iter().map(String::as_str)).map(str::to_owned);
        let finding = Diagnostic::error("unknown-list", text).at(list.span, "not a list");
        self.report(match near {
            Some(near) => finding.suggest(format!("did you mean `@{near}`?"), list.span, format!("@{near}")),
            None => finding.help("declare it: `list @name: type = […]`"),
        });
        None
    }

    fn in_elements(&mut self, value: &'a ast::Expr, set: &'a ast::SetLiteral, scope: &Scope) -> Option<Checked> {
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
                _ => self.in_value(value, element, scope),
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

    fn among(&mut self, value: &'a ast::Expr, elements: &[&'a ast::Expr], scope: &Scope) -> Option<Checked> {
        let mark = self.begin_atom();
        let typed = self.value(value, scope, None);
        let mut values = Vec::new();
        let mut sound = true;
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
            if !typed.ty.compares_with(&constant.ty) {
                let text = format!("`{}` is {}, and this is {}", typed.text, typed.ty, constant.ty);
                self.report(
                    Diagnostic::error("type-mismatch", text)
                        .at(element.span, constant.ty.to_string())
                        .also(value.span, typed.ty.to_string()),
                );
                sound = false;
            } else if let Expr::Const(value) = constant.expr {
                values.push(value);
            }
        }
        let typed = typed.filter(|_| sound)?;
        let text = values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let text = format!("{} in [{text}]", typed.text);
        Some(self.atom(mark, Ask::Among(typed.expr, values.into()), text))
    }

    fn in_value(&mut self, value: &'a ast::Expr, set: &'a ast::Expr, scope: &Scope) -> Option<Checked> {
        let mark = self.begin_atom();
        let value_typed = self.value(value, scope, None);
        let set_typed = self.value(set, scope, None);
        let (value_typed, set_typed) = (value_typed?, set_typed?);
        let text = format!("{} in {}", value_typed.text, set_typed.text);
        let ask = match (&value_typed.ty, &set_typed.ty, set_typed.expr) {
            (Type::Ip, Type::Cidr, Expr::Const(Value::Cidr(net))) => Ask::Within(value_typed.expr, [net].into()),
            (ty, Type::List(element), expr) if ty.compares_with(element) => Ask::Contains(value_typed.expr, expr),
            // An element of a set that is a path: the same value.
            (ty, other, expr) if ty.compares_with(other) => Ask::Compare(Comparison::Equal, value_typed.expr, expr),
            (ty, other, _) => {
                self.report(
                    Diagnostic::error("type-mismatch", format!("{ty} is not in {other}"))
                        .at(set.span, other.to_string())
                        .also(value.span, ty.to_string())
                        .help("behind `in` stands a list, a set, a range or a network"),
                );
                return None;
            }
        };
        Some(self.atom(mark, ask, text))
    }

    fn presence(&mut self, presence: &'a ast::Presence, scope: &Scope) -> Option<Checked> {
        let mark = self.begin_atom();
        let before = self.optional.len();
        let typed = self.value(&presence.value, scope, None)?;
        // Asking about absence is handling it.
        self.optional.truncate(before);
        let (ask, word) = match presence.question {
            ast::PresenceQuestion::Missing => (Ask::Missing(typed.expr), "missing"),
            ast::PresenceQuestion::Known => (Ask::Known(typed.expr), "known"),
        };
        let checked = self.atom(mark, ask, format!("{} is {word}", typed.text));
        Some(if presence.negated { negate(checked) } else { checked })
    }

    fn matches(&mut self, matches: &'a ast::Matches, scope: &Scope) -> Option<Checked> {
        let mark = self.begin_atom();
        let typed = self.value(&matches.value, scope, None)?;
        if typed.ty != Type::Text {
            let text = format!("`{}` is {}, and `matches` searches text", typed.text, typed.ty);
            self.report(Diagnostic::error("type-mismatch", text).at(matches.value.span, typed.ty.to_string()));
            return None;
        }
        let pattern = &matches.pattern;
        let regex = if pattern.value.len() > MOST_PATTERN_BYTES {
            Err(format!("it has {} bytes, and {MOST_PATTERN_BYTES} is the limit", pattern.value.len()))
        } else {
            RegexBuilder::new(&pattern.value)
                .size_limit(MOST_REGEX_BYTES)
                .dfa_size_limit(MOST_REGEX_BYTES)
                .nest_limit(32)
                .build()
                .map_err(|error| match error {
                    regex::Error::CompiledTooBig(_) => "it needs more than 1 MiB".to_owned(),
                    other => {
                        let text = other.to_string();
                        let last = text.lines().last().unwrap_or_default().trim();
                        last.strip_prefix("error: ").unwrap_or(last).to_owned()
                    }
                })
        };
        match regex {
            Ok(regex) => {
                let text = format!("{} matches {:?}", typed.text, pattern.value);
                Some(self.atom(mark, Ask::Matches(typed.expr, regex), text))
            }
            Err(why) => {
                self.report(
                    Diagnostic::error("bad-pattern", format!("this pattern cannot be used: {why}"))
                        .at(pattern.span, "")
                        .help("patterns are those of the `regex` crate: linear time, no back-references"),
                );
                None
            }
        }
    }

    fn call(&mut self, call: &'a ast::Call, span: Span, scope: &Scope) -> Option<Typed> {
        match call.name.name.as_str() {
            name @ ("distance" | "speed") => {
                self.arguments(call, 2)?;
                let mut moments = Vec::new();
                let mut texts = Vec::new();
                for argument in &call.arguments {
                    let typed = self.value(argument, scope, None)?;
                    let Expr::Signal(Signal::Geo(moment, GeoPart::Fix)) = typed.expr else {
                        let text = format!("`{name}` takes places, and `{}` is {}", typed.text, typed.ty);
                        self.report(
                            Diagnostic::error("type-mismatch", text)
                                .at(argument.span, "not a place")
                                .help("places are `geo`, `last_verified.geo` and `previous.geo`"),
                        );
                        return None;
                    };
                    moments.push(moment);
                    texts.push(typed.text);
                }
                let (from, to): (Moment, Moment) = (*moments.first()?, *moments.get(1)?);
                let (expr, ty) = if name == "speed" {
                    (Expr::Speed(from, to), Type::Speed)
                } else {
                    (Expr::Distance(from, to), Type::Distance)
                };
                let text = format!("{name}({})", texts.join(", "));
                self.reads.push((text.as_str().into(), expr.clone()));
                Some(Typed::new(expr, ty, text))
            }
            "weekday" => {
                self.arguments(call, 2)?;
                let time = self.value(call.arguments.first()?, scope, None);
                let zone = self.zone(call.arguments.get(1)?, scope);
                let (time, zone) = (time?, zone?);
                if time.ty != Type::Timestamp {
                    let text = format!("`weekday` takes a timestamp, and `{}` is {}", time.text, time.ty);
                    self.report(Diagnostic::error("type-mismatch", text).at(span, "not a timestamp"));
                    return None;
                }
                let text = format!("weekday({}, {})", time.text, zone.text);
                Some(Typed::new(Expr::Weekday(Box::new(time.expr), Box::new(zone.expr)), Type::Weekday, text))
            }
            name => self.script_call(name, call, span, scope),
        }
    }

    fn arguments(&mut self, call: &ast::Call, wanted: usize) -> Option<()> {
        let have = call.arguments.len();
        if have == wanted {
            return Some(());
        }
        let text = format!("`{}` takes {wanted} arguments, not {have}", call.name.name);
        self.report(Diagnostic::error("argument-count", text).at(call.name.span, format!("{wanted} wanted")));
        None
    }

    fn script_call(&mut self, name: &str, call: &'a ast::Call, span: Span, scope: &Scope) -> Option<Typed> {
        let Some((index, _)) = self.script_names.get(name).copied() else {
            if self.broken.contains(name) {
                return None;
            }
            let mut names: Vec<String> = self.script_names.keys().cloned().collect();
            names.extend(["distance", "speed", "weekday"].map(str::to_owned));
            names.sort();
            let text = format!("there is no function or script `{name}`");
            let candidates = names.iter().map(String::as_str);
            self.unknown_name("unknown-function", text, name, call.name.span, "not a function", candidates);
            return None;
        };
        if scope.filter_of.is_some() {
            self.report(
                Diagnostic::error("history-in-where", "a script cannot filter past events")
                    .at(span, "not inside `where (…)`"),
            );
            return None;
        }
        let (params, returns) = {
            let script = self.draft.scripts.get(index)?;
            (script.params.clone(), script.returns.clone())
        };
        self.arguments(call, params.len())?;
        let mut arguments = Vec::new();
        let mut texts = Vec::new();
        for (argument, (param, ty)) in call.arguments.iter().zip(&params) {
            let typed = self.value(argument, scope, None)?;
            let fits = typed.ty == *ty
                || (typed.ty == Type::Int && *ty == Type::Decimal)
                || (*ty == Type::Text && matches!(typed.ty, Type::User | Type::Device));
            if !fits {
                let text = format!("`{name}` takes {ty} as `{param}`, and `{}` is {}", typed.text, typed.ty);
                self.report(Diagnostic::error("type-mismatch", text).at(argument.span, typed.ty.to_string()));
                return None;
            }
            arguments.push(typed.expr);
            texts.push(typed.text);
        }
        let text = format!("{name}({})", texts.join(", "));
        let expr = Expr::Script(index, arguments);
        self.scripted = true;
        self.reads.push((text.as_str().into(), expr.clone()));
        Some(Typed::new(expr, returns, text))
    }

    // ---- `let`s

    /// The `let` a path names here, if any.
    fn let_named(&self, path: &ast::Path, scope: &Scope) -> Option<(Option<usize>, String)> {
        let name = path.single()?;
        let own = (scope.policy, name.to_owned());
        let shared = (None, name.to_owned());
        [own, shared].into_iter().find(|key| self.lets.contains_key(key))
    }

    fn enter_let(
        &mut self,
        key: &(Option<usize>, String),
        span: Span,
        scope: &Scope,
    ) -> Option<(&'a ast::Expr, Scope)> {
        let found = *self.lets.get(key)?;
        self.used_lets.insert(key.clone());
        if self.expanding.contains(key) {
            let name = &key.1;
            self.report(
                Diagnostic::error("let-circle", format!("`{name}` is defined by itself"))
                    .at(found.definition.name.span, "comes back to itself")
                    .also(span, "here"),
            );
            return None;
        }
        self.expanding.push(key.clone());
        Some((&found.definition.value, Scope { policy: found.policy, ..scope.clone() }))
    }

    fn count_node(&mut self, span: Span) -> Option<()> {
        self.nodes += 1;
        if self.nodes <= MOST_NODES {
            return Some(());
        }
        if self.nodes == MOST_NODES + 1 {
            self.report(
                Diagnostic::error("condition-too-large", format!("the condition has more than {MOST_NODES} parts"))
                    .at(span, "with every `let` expanded")
                    .help("`let`s that use each other multiply: split the rule"),
            );
        }
        None
    }

    // ---- atoms

    /// Starts an atom: what is read from here on is its own.
    fn begin_atom(&mut self) -> (Vec<(Arc<str>, Expr)>, bool) {
        (std::mem::take(&mut self.reads), std::mem::take(&mut self.scripted))
    }

    fn atom(&mut self, mark: (Vec<(Arc<str>, Expr)>, bool), ask: Ask, text: String) -> Checked {
        let mut reads = std::mem::replace(&mut self.reads, mark.0);
        let scripted = std::mem::replace(&mut self.scripted, mark.1);
        // An enclosing atom (`(a > b) == c`) reads all this one does.
        self.reads.extend(reads.iter().cloned());
        self.scripted |= scripted;
        reads.dedup_by(|a, b| a.0 == b.0);
        self.bound_windows(&ask);
        let key: Arc<str> = text.as_str().into();
        let index = match self.atom_index.get(&key) {
            Some(index) => *index,
            None => {
                self.draft.atoms.push(Atom { ask, text: Arc::clone(&key), reads, scripted });
                self.atom_index.insert(key, self.draft.atoms.len() - 1);
                self.draft.atoms.len() - 1
            }
        };
        Checked { cond: Cond::Atom(index), text }
    }

    pub(super) fn slice(&self, span: Span) -> String {
        self.sources.slice(span).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

fn not(cond: Cond) -> Cond {
    match cond {
        Cond::Not(inner) => *inner,
        Cond::Const(value) => Cond::Const(value.not()),
        other => Cond::Not(Box::new(other)),
    }
}

fn negate(checked: Checked) -> Checked {
    Checked { cond: not(checked.cond), text: format!("not ({})", checked.text) }
}

/// A `let` of several parts keeps its unity in the text.
fn grouped(text: String) -> String {
    let plain = text.starts_with('(') || !text.contains(' ');
    if plain { text } else { format!("({text})") }
}

/// The currency of an amount written beside an aggregate: that of its empty sum.
fn money_of(expr: &ast::Expr) -> Option<Currency> {
    match &expr.unwrapped().kind {
        ast::ExprKind::Literal(ast::Literal::Money(money)) => Currency::parse(&money.currency.name),
        _ => None,
    }
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

/// The type of `a op b`, if the two go together.
fn result_type(op: Arithmetic, a: &Type, b: &Type) -> Option<Type> {
    use Type::{Decimal, Distance, Duration, Int, Money, Percent, Speed, Timestamp};
    let number = |ty: &Type| matches!(ty, Int | Decimal);
    match (op, a, b) {
        (Arithmetic::Divide, Int | Decimal, Int | Decimal) => Some(Decimal),
        (_, Int, Int) => Some(Int),
        (_, Int | Decimal, Int | Decimal) => Some(Decimal),
        (Arithmetic::Add | Arithmetic::Subtract, Timestamp, Duration) => Some(Timestamp),
        (Arithmetic::Add, Duration, Timestamp) => Some(Timestamp),
        (Arithmetic::Subtract, Timestamp, Timestamp) => Some(Duration),
        (Arithmetic::Add | Arithmetic::Subtract, Money | Duration | Percent | Speed | Distance, _) if a == b => {
            Some(a.clone())
        }
        (Arithmetic::Multiply, Money | Duration | Percent | Speed | Distance, _) if number(b) => Some(a.clone()),
        (Arithmetic::Multiply, _, Money | Duration | Percent | Speed | Distance) if number(a) => Some(b.clone()),
        (Arithmetic::Multiply, Money, Percent) => Some(Money),
        (Arithmetic::Multiply, Percent, Money) => Some(Money),
        (Arithmetic::Divide, Money | Duration | Percent | Speed | Distance, _) if number(b) => Some(a.clone()),
        (Arithmetic::Divide, Money | Duration | Percent | Speed | Distance, _) if a == b => Some(Decimal),
        (Arithmetic::Divide, Distance, Duration) => Some(Speed),
        (Arithmetic::Multiply, Speed, Duration) | (Arithmetic::Multiply, Duration, Speed) => Some(Distance),
        (_, _, _) => None,
    }
}
