//! Expressions and literals.

use super::{Docs, Layout, cat, indent, line, space};
use crate::ast::{
    Aggregate, Clock, ClockRange, Expr, ExprKind, Literal, Number, PresenceQuestion, RangeSet, Seen, Set, SetLiteral,
    Window,
};
use crate::source::Span;

impl Layout<'_> {
    pub(super) fn expr(&mut self, expr: &Expr) -> Docs {
        match &expr.kind {
            ExprKind::Literal(literal) => self.literal(literal),
            ExprKind::Path(path) => self.path(path),
            ExprKind::List(name) => self.list_name(name),
            ExprKind::Paren(inner) => self.paren(inner),
            ExprKind::Call(call) => {
                cat([self.ident(&call.name), self.arguments(&call.arguments, |layout, value| layout.expr(value))])
            }
            ExprKind::Or(operands) => self.joined("or", operands),
            ExprKind::And(operands) => self.joined("and", operands),
            ExprKind::Not(inner) => cat([self.word("not"), space(), self.behind(|layout| layout.expr(inner))]),
            ExprKind::Compare(compare) => {
                let symbol = compare.op.symbol();
                cat([self.expr(&compare.left), self.operation(symbol, |layout| layout.expr(&compare.right))])
            }
            ExprKind::In(membership) => {
                let word: &[&str] = if membership.negated { &["not", "in"] } else { &["in"] };
                let left = self.expr(&membership.value);
                let operator = cat([space(), self.words(word), space()]);
                cat([left, indent(cat([operator, self.behind(|layout| layout.set(&membership.set))]))])
            }
            ExprKind::Between(between) => cat([
                self.expr(&between.value),
                self.operation("between", |layout| layout.expr(&between.low)),
                self.operation("and", |layout| layout.expr(&between.high)),
            ]),
            ExprKind::Is(presence) => {
                let question = match presence.question {
                    PresenceQuestion::Missing => "missing",
                    PresenceQuestion::Known => "known",
                };
                let words: &[&str] = if presence.negated { &["is", "not", question] } else { &["is", question] };
                cat([self.expr(&presence.value), indent(cat([space(), self.words(words)]))])
            }
            ExprKind::Matches(matches) => {
                cat([self.expr(&matches.value), self.operation("matches", |layout| layout.quoted(&matches.pattern))])
            }
            ExprKind::Coalesce(coalesce) => {
                cat([self.expr(&coalesce.value), self.operation("??", |layout| layout.expr(&coalesce.fallback))])
            }
            ExprKind::Arithmetic(arithmetic) => {
                let symbol = arithmetic.op.symbol();
                cat([self.expr(&arithmetic.left), self.operation(symbol, |layout| layout.expr(&arithmetic.right))])
            }
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate),
            ExprKind::Seen(seen) => self.seen(seen),
        }
    }

    /// ` op right`, indented where comments push it to a line of its own.
    fn operation(&mut self, symbol: &str, right: impl FnOnce(&mut Self) -> Docs) -> Docs {
        indent(cat([space(), self.word(symbol), space(), self.behind(right)]))
    }

    /// `(a or b)`: what is inside indents its own continuation; only comments push the whole of it.
    fn paren(&mut self, inner: &Expr) -> Docs {
        self.group(false, |layout| {
            let open = layout.word("(");
            let first = layout.is_pushed();
            let inside = layout.expr(inner);
            let last = layout.is_pushed();
            let inside = cat([inside, layout.comment_lines(super::Blanks::None)]);
            cat([open, if first || last { indent(inside) } else { inside }, layout.word(")")])
        })
    }

    /// `a and b and c`, broken before each word where it does not fit.
    fn joined(&mut self, word: &str, operands: &[Expr]) -> Docs {
        self.group(false, |layout| {
            let mut docs = Vec::new();
            let mut rest = Vec::new();
            for (index, operand) in operands.iter().enumerate() {
                if index == 0 {
                    docs = layout.expr(operand);
                    continue;
                }
                rest.extend(cat([line(" "), layout.word(word), space()]));
                rest.extend(layout.behind(|layout| layout.expr(operand)));
            }
            cat([docs, indent(rest)])
        })
    }

    fn set(&mut self, set: &Set) -> Docs {
        match set {
            Set::Elements(elements) => self.set_literal(elements),
            Set::List(name) => self.list_name(name),
            Set::Clock(clock) => {
                let range = self.leaf(clock.range.span, clock_range(&clock.range));
                match &clock.zone {
                    Some(zone) => cat([range, self.operation("tz", |layout| layout.expr(zone))]),
                    None => range,
                }
            }
            Set::Range(range) => self.range(range),
            Set::Value(value) => self.expr(value),
        }
    }

    /// `1..5`, `a + 1 .. b`. Two clocks without blanks would be one literal.
    fn range(&mut self, range: &RangeSet) -> Docs {
        let apart = match &range.low.kind {
            ExprKind::Literal(literal) => matches!(literal, Literal::Clock(_)),
            kind => !matches!(kind, ExprKind::Path(_)),
        };
        let gap = || if apart { space() } else { Vec::new() };
        let low = self.expr(&range.low);
        cat([low, indent(cat([gap(), self.word(".."), gap(), self.behind(|layout| layout.expr(&range.high))]))])
    }

    fn set_literal(&mut self, set: &SetLiteral) -> Docs {
        self.list(("[", "]"), &set.elements, |layout, element| layout.expr(element))
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Docs {
        self.group(false, |layout| {
            let function = layout.word(aggregate.function.name());
            let open = layout.word("(");
            let mut argument = Vec::new();
            if aggregate.distinct {
                argument = cat([layout.word("distinct"), space()]);
            }
            if let Some(path) = &aggregate.argument {
                argument.extend(layout.path(path));
            }
            let head = cat([function, open, indent(argument), layout.word(")")]);
            let mut rest = cat([space(), layout.word("of"), space(), layout.path(&aggregate.event)]);
            if let Some(filter) = &aggregate.filter {
                rest.extend(line(" "));
                rest.extend(layout.group(false, |layout| cat([layout.word("where"), space(), layout.paren(filter)])));
            }
            rest.extend(cat([line(" "), layout.keys(&aggregate.keys)]));
            rest.extend(cat([line(" "), layout.window(&aggregate.window)]));
            if aggregate.including_this {
                rest.extend(cat([space(), layout.words(&["including", "this"])]));
            }
            cat([head, indent(rest)])
        })
    }

    /// `by a, b`
    fn keys(&mut self, keys: &[crate::ast::Path]) -> Docs {
        cat([self.word("by"), space(), self.separated(keys, |layout, path| layout.path(path))])
    }

    fn window(&mut self, window: &Window) -> Docs {
        match window {
            Window::Sliding(duration) => self.named(&["over"], duration.span, &duration.text),
            Window::Tumbling(duration) => self.named(&["over", "tumbling"], duration.span, &duration.text),
            Window::Calendar(calendar) => {
                let words = self.words(&["over", "calendar", calendar.unit.name(), "in"]);
                cat([words, space(), self.expr(&calendar.zone)])
            }
            Window::Since(path) => cat([self.word("since"), space(), self.path(path)]),
        }
    }

    /// Words and the leaf they introduce: `over 5m`.
    pub(super) fn named(&mut self, words: &[&str], span: Span, written: &str) -> Docs {
        cat([self.words(words), space(), self.leaf(span, written)])
    }

    fn seen(&mut self, seen: &Seen) -> Docs {
        let function = self.word(seen.function.name());
        let head = cat([function, self.word("("), indent(self.path(&seen.what)), self.word(")")]);
        let mut rest = cat([space(), self.keys(&seen.keys)]);
        if let Some(within) = &seen.within {
            rest.extend(cat([space(), self.named(&["within"], within.span, &within.text)]));
        }
        cat([head, indent(rest)])
    }

    pub(super) fn literal(&mut self, literal: &Literal) -> Docs {
        match literal {
            Literal::Bool(value) => self.word(if *value { "true" } else { "false" }),
            Literal::Number(number) => self.leaf(number.span, number.text.clone()),
            Literal::Percent(number) => self.measured(number, "", "%"),
            Literal::Money(money) => self.leaf(money.span, format!("{} {}", money.amount.text, money.currency.name)),
            Literal::Duration(duration) => self.leaf(duration.span, duration.text.clone()),
            Literal::Speed(number) => self.measured(number, " ", "km/h"),
            Literal::Distance(number) => self.measured(number, " ", "km"),
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

impl Layout<'_> {
    /// A number and its unit, which may be written with blanks between.
    fn measured(&mut self, number: &Number, gap: &str, unit: &str) -> Docs {
        let behind = self.source.get(number.span.range().end..).unwrap_or_default();
        let blanks = behind.bytes().take_while(|byte| *byte == b' ').count();
        self.piece(number.span.range().end + blanks + unit.len(), format!("{}{gap}{unit}", number.text))
    }
}

fn clock(clock: &Clock) -> String {
    format!("{:02}:{:02}", clock.hour, clock.minute)
}

fn clock_range(range: &ClockRange) -> String {
    format!("{}..{}", clock(&range.from), clock(&range.until))
}
