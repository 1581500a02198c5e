//! Expressions and literals.

use super::{Doc, Docs, Layout, group, indent, text};
use crate::ast::{
    Aggregate, Clock, ClockRange, Expr, ExprKind, Literal, PresenceQuestion, Seen, Set, SetLiteral, Window,
};

impl Layout<'_> {
    pub(super) fn expr(&mut self, expr: &Expr) -> Docs {
        match &expr.kind {
            ExprKind::Literal(literal) => self.literal(literal),
            ExprKind::Path(path) => self.path(path),
            ExprKind::List(name) => self.list_name(name),
            ExprKind::Paren(inner) => {
                let mut docs = self.lead(expr.span, "(");
                let mut inside = self.expr(inner);
                inside.extend(self.comments_before(Self::close_of(expr.span)));
                // What is inside indents itself; only comments need it from here.
                let commented = inside.iter().any(|doc| matches!(doc, Doc::OwnLine(_) | Doc::Trailing(_)));
                docs.extend(if commented { vec![indent(inside)] } else { inside });
                docs.push(text(")"));
                vec![group(docs, false)]
            }
            ExprKind::Call(call) => {
                let mut docs = self.ident(&call.name);
                let mut inside = Vec::new();
                for (index, argument) in call.arguments.iter().enumerate() {
                    inside.push(if index == 0 { Doc::Line("") } else { Doc::Line(" ") });
                    inside.extend(self.expr(argument));
                    if index + 1 < call.arguments.len() {
                        inside.push(text(","));
                    }
                }
                inside.extend(self.comments_before(Self::close_of(expr.span)));
                let close = if call.arguments.is_empty() { text("") } else { Doc::Line("") };
                docs.push(group(vec![text("("), indent(inside), close, text(")")], false));
                docs
            }
            ExprKind::Or(operands) => self.joined("or ", operands),
            ExprKind::And(operands) => self.joined("and ", operands),
            ExprKind::Not(inner) => [self.lead(expr.span, "not "), self.expr(inner)].concat(),
            ExprKind::Compare(compare) => {
                let mut docs = self.expr(&compare.left);
                docs.extend(self.operator(compare.right.span.start as usize, compare.op.symbol()));
                docs.extend(self.expr(&compare.right));
                docs
            }
            ExprKind::In(membership) => {
                let mut docs = self.expr(&membership.value);
                let word = if membership.negated { "not in" } else { "in" };
                docs.extend(self.operator(set_start(&membership.set), word));
                docs.extend(self.set(&membership.set));
                docs
            }
            ExprKind::Between(between) => {
                let mut docs = self.expr(&between.value);
                docs.extend(self.operator(between.low.span.start as usize, "between"));
                docs.extend(self.expr(&between.low));
                docs.extend(self.operator(between.high.span.start as usize, "and"));
                docs.extend(self.expr(&between.high));
                docs
            }
            ExprKind::Is(presence) => {
                let mut docs = self.expr(&presence.value);
                let not = if presence.negated { "not " } else { "" };
                let question = match presence.question {
                    PresenceQuestion::Missing => "missing",
                    PresenceQuestion::Known => "known",
                };
                docs.push(text(format!(" is {not}{question}")));
                docs
            }
            ExprKind::Matches(matches) => {
                let mut docs = self.expr(&matches.value);
                docs.extend(self.operator(matches.pattern.span.start as usize, "matches"));
                docs.extend(self.quoted(&matches.pattern));
                docs
            }
            ExprKind::Coalesce(coalesce) => {
                let mut docs = self.expr(&coalesce.value);
                docs.extend(self.operator(coalesce.fallback.span.start as usize, "??"));
                docs.extend(self.expr(&coalesce.fallback));
                docs
            }
            ExprKind::Arithmetic(arithmetic) => {
                let mut docs = self.expr(&arithmetic.left);
                docs.extend(self.operator(arithmetic.right.span.start as usize, arithmetic.op.symbol()));
                docs.extend(self.expr(&arithmetic.right));
                docs
            }
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate),
            ExprKind::Seen(seen) => self.seen(seen),
        }
    }

    /// ` op ` between two operands, the comments around it before it.
    fn operator(&mut self, right: usize, symbol: &str) -> Docs {
        let mut docs = self.comments_before(right);
        docs.push(text(format!(" {symbol} ")));
        docs
    }

    /// `a and b and c`, broken before each word where it does not fit.
    fn joined(&mut self, word: &str, operands: &[Expr]) -> Docs {
        let mut docs = Vec::new();
        let mut rest = Vec::new();
        for (index, operand) in operands.iter().enumerate() {
            if index == 0 {
                docs.extend(self.expr(operand));
                continue;
            }
            rest.extend(self.comments_before(operand.span.start as usize));
            rest.push(Doc::Line(" "));
            rest.push(text(word));
            rest.extend(self.expr(operand));
        }
        docs.push(indent(rest));
        vec![group(docs, false)]
    }

    fn set(&mut self, set: &Set) -> Docs {
        match set {
            Set::Elements(elements) => vec![self.set_literal(elements)],
            Set::List(name) => self.list_name(name),
            Set::Clock(clock) => {
                let mut docs = self.leaf(clock.range.span, clock_range(&clock.range));
                if let Some(zone) = &clock.zone {
                    docs.extend(self.operator(zone.span.start as usize, "tz"));
                    docs.extend(self.expr(zone));
                }
                docs
            }
            Set::Range(range) => {
                let mut docs = self.expr(&range.low);
                docs.extend(self.lead(range.high.span, ".."));
                docs.extend(self.expr(&range.high));
                docs
            }
            Set::Value(value) => self.expr(value),
        }
    }

    fn set_literal(&mut self, set: &SetLiteral) -> Doc {
        let close = Self::close_of(set.span);
        self.list(("[", "]"), close, &set.elements, |element| element.span, |layout, element| layout.expr(element))
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Docs {
        let mut docs = self.leaf(aggregate.function_span, aggregate.function.name());
        docs.push(text("("));
        if let Some(argument) = &aggregate.argument {
            docs.extend(self.lead(argument.span, if aggregate.distinct { "distinct " } else { "" }));
            docs.extend(self.path(argument));
        }
        docs.push(text(")"));
        docs.extend(self.operator(aggregate.event.span.start as usize, "of"));
        docs.extend(self.path(&aggregate.event));
        let mut rest = Vec::new();
        if let Some(filter) = &aggregate.filter {
            rest.extend(self.comments_before(filter.span.start as usize));
            rest.push(Doc::Line(" "));
            let condition = self.expr(filter);
            rest.push(group([vec![text("where (")], condition, vec![text(")")]].concat(), false));
        }
        if let Some(first) = aggregate.keys.first() {
            rest.extend(self.comments_before(first.span.start as usize));
            rest.push(Doc::Line(" "));
            rest.push(text("by "));
            rest.extend(self.paths(&aggregate.keys));
        }
        rest.extend(self.window(&aggregate.window));
        if aggregate.including_this {
            rest.push(text(" including this"));
        }
        docs.push(indent(rest));
        vec![group(docs, false)]
    }

    fn window(&mut self, window: &Window) -> Docs {
        let start = match window {
            Window::Sliding(duration) | Window::Tumbling(duration) => duration.span,
            Window::Calendar(calendar) => calendar.zone.span,
            Window::Since(path) => path.span,
        };
        let mut docs = self.comments_before(start.start as usize);
        docs.push(Doc::Line(" "));
        match window {
            Window::Sliding(duration) => docs.push(text(format!("over {}", duration.text))),
            Window::Tumbling(duration) => docs.push(text(format!("over tumbling {}", duration.text))),
            Window::Calendar(calendar) => {
                docs.push(text(format!("over calendar {} in ", calendar.unit.name())));
                docs.extend(self.expr(&calendar.zone));
            }
            Window::Since(path) => {
                docs.push(text("since "));
                docs.extend(self.path(path));
            }
        }
        docs
    }

    fn seen(&mut self, seen: &Seen) -> Docs {
        let mut docs = self.leaf(seen.function_span, format!("{}(", seen.function.name()));
        docs.extend(self.path(&seen.what));
        docs.push(text(")"));
        if let Some(first) = seen.keys.first() {
            docs.extend(self.operator(first.span.start as usize, "by"));
            docs.extend(self.paths(&seen.keys));
        }
        if let Some(within) = &seen.within {
            docs.extend(self.operator(within.span.start as usize, "within"));
            docs.push(text(within.text.clone()));
        }
        docs
    }

    pub(super) fn literal(&mut self, literal: &Literal) -> Docs {
        match literal {
            Literal::Bool(value) => vec![text(if *value { "true" } else { "false" })],
            Literal::Number(number) => self.leaf(number.span, number.text.clone()),
            Literal::Percent(number) => self.leaf(number.span, format!("{}%", number.text)),
            Literal::Money(money) => self.leaf(money.span, format!("{} {}", money.amount.text, money.currency.name)),
            Literal::Duration(duration) => self.leaf(duration.span, duration.text.clone()),
            Literal::Speed(number) => self.leaf(number.span, format!("{} km/h", number.text)),
            Literal::Distance(number) => self.leaf(number.span, format!("{} km", number.text)),
            Literal::Text(value) => self.quoted(value),
            Literal::Country(name)
            | Literal::Currency(name)
            | Literal::Asn(name)
            | Literal::Ip(name)
            | Literal::Cidr(name) => self.ident(name),
            Literal::Clock(value) => self.leaf(value.span, clock(value)),
            Literal::ClockRange(range) => self.leaf(range.span, clock_range(range)),
            Literal::DateTime(moment) => self.leaf(moment.span, moment.text.clone()),
        }
    }
}

fn set_start(set: &Set) -> usize {
    let span = match set {
        Set::Elements(elements) => elements.span,
        Set::List(name) => name.span,
        Set::Clock(clock) => clock.range.span,
        Set::Range(range) => range.low.span,
        Set::Value(value) => value.span,
    };
    span.start as usize
}

fn clock(clock: &Clock) -> String {
    format!("{:02}:{:02}", clock.hour, clock.minute)
}

fn clock_range(range: &ClockRange) -> String {
    format!("{}..{}", clock(&range.from), clock(&range.until))
}
