//! Slips that can be read, and mean something else than they say: what was meant, and how it is written.

use grammar::{Applicability, Diagnostic, Span, ast};

use super::{Checker, Scope};
use crate::{codes::Currency, history::plan::EventKind};

impl<'a> Checker<'a> {
    /// `n == 3 or 5`, `amount in 3 EUR and 5 EUR`: how many of the parts, from this one on, one comparison was meant to have.
    pub(super) fn shared_comparison(&mut self, parts: &'a [ast::Expr], joint: &str) -> Option<usize> {
        let (first, rest) = parts.split_first()?;
        let more = rest.iter().take_while(|part| constant(part)).count();
        let last = rest.get(more.checked_sub(1)?)?;
        let (operator, value) = operator_and_constant(first)?;
        let finding = Diagnostic::error("not-a-condition", "each side of this is a condition of its own")
            .at(self.trimmed(last.span), "compared with what?")
            .also(operator.span, "compares only what is next to it");
        let all: Vec<String> = std::iter::once(value)
            .chain(rest.iter().take(more))
            .map(|part| self.slice(self.trimmed(part.span)))
            .collect();
        let set = format!("[{}]", all.join(", "));
        let until = self.trimmed(last.span);
        let ends = match all.as_slice() {
            [low, high] if joint == " and " => Some((low.as_str(), high.as_str())),
            _ => None,
        };
        let whole = operator.span.to(until);
        let finding = match (operator.is, joint, ends) {
            (Asks::Equals | Asks::In, " or ", _) => {
                finding.correct(format!("write `in {set}`"), whole, format!("in {set}"))
            }
            // That both are excluded is meant, and never what `or` says.
            (Asks::Differs | Asks::NotIn, _, _) => {
                finding.suggest(format!("write `not in {set}`"), whole, format!("not in {set}"))
            }
            // A range, or a choice of two.
            (Asks::In, _, Some((low, high))) => finding.suggest(
                format!("a range is `between {low} and {high}`; a choice is `in {set}`"),
                whole,
                format!("between {low} and {high}"),
            ),
            (_, _, _) => finding.help("repeat the name, as in `n > 3 and n < 5`"),
        };
        self.report(finding);
        Some(1 + more)
    }

    /// `n in 3 - 5`, which would be the number -2.
    pub(super) fn no_dashed_range(&mut self, arithmetic: &ast::Arithmetic) -> Option<()> {
        let dashed = matches!(arithmetic.op, ast::ArithmeticOp::Subtract);
        if !(dashed && constant(&arithmetic.left) && constant(&arithmetic.right)) {
            return Some(());
        }
        let (low, high) = (self.trimmed(arithmetic.left.span), self.trimmed(arithmetic.right.span));
        let written = format!("{}..{}", self.slice(low), self.slice(high));
        self.report(
            Diagnostic::error("type-mismatch", "a range is written with two points")
                .at(low.to(high), "one number less another")
                .suggest(format!("write `in {written}`; both ends belong to it"), low.to(high), written),
        );
        None
    }

    /// `matches "/^x/"`: slashes of another language, which make a pattern that nothing matches.
    pub(super) fn no_slashes(&mut self, pattern: &ast::Text) -> Option<()> {
        let inner = pattern.value.strip_prefix('/').and_then(|inner| inner.strip_suffix('/'));
        if !inner.is_some_and(|inner| inner.starts_with('^') || inner.ends_with('$')) {
            return Some(());
        }
        let raw = pattern.raw.trim_start_matches('/').trim_end_matches('/');
        let written = format!("\"{raw}\"");
        self.report(
            Diagnostic::error("bad-pattern", "this pattern matches no text: a `/` stands where the text ends")
                .at(pattern.span, "slashes of another language")
                .correct(format!("write `{written}`"), pattern.span, written.clone()),
        );
        None
    }

    /// `sum() of amount`, `count() of amount`: a field of an event stands where its event is due. Says so, if it is one.
    pub(super) fn field_for_event(
        &mut self,
        aggregate: &ast::Aggregate,
        scope: &Scope,
        money: Option<Currency>,
    ) -> Option<()> {
        let field = aggregate.event.single()?.to_owned();
        // Another field that is asked for must be of the same event.
        let argument = aggregate.argument.as_ref().and_then(|path| path.single());
        let has =
            |name: &str, event: &crate::schema::EventSchema| event.fields.iter().any(|field| &*field.name == name);
        let events: Vec<&crate::schema::EventSchema> = self
            .draft
            .events
            .iter()
            .filter(|event| has(&field, event) && argument.is_none_or(|argument| has(argument, event)))
            .collect();
        let of = events.iter().find(|event| scope.events.contains(&event.id)).or(events.first())?;
        let (event, only) = (of.name.to_string(), events.len() == 1);
        let name = aggregate.function.name();
        let counts = aggregate.function == ast::AggregateFn::Count;
        let head = Span { end: aggregate.event.span.end, ..aggregate.function_span };
        let finding = Diagnostic::error("unknown-event", format!("there is no event `{field}`"))
            .at(aggregate.event.span, format!("a field of `{event}`"));
        let (written, sure) = match (&aggregate.argument, counts) {
            (Some(argument), _) => {
                let distinct = if aggregate.distinct { "distinct " } else { "" };
                (format!("{name}({distinct}{}) of {event}", argument.text()), only)
            }
            // What is compared with an amount is a sum.
            (None, true) if money.is_some() => (format!("sum({field}) of {event}"), only),
            (None, true) => {
                let (sum, distinct) =
                    (format!("sum({field}) of {event}"), format!("count(distinct {field}) of {event}"));
                let finding = finding.help(format!(
                    "to count events write `count() of {event}`; for what they come to `{sum}`, for how many values `{distinct}`"
                ));
                self.report(finding);
                return Some(());
            }
            (None, false) => (format!("{name}({field}) of {event}"), only),
        };
        let sure = if sure { Applicability::Certain } else { Applicability::Likely };
        let finding = finding.with_fix(format!("write `{written}`"), head, written, sure);
        self.report(finding);
        Some(())
    }

    /// `count(pay) of pay`, `sum(pay.amount) of pay`: the event's name stands where a field of it is due. Says so, if it does.
    pub(super) fn event_for_field(&mut self, aggregate: &ast::Aggregate, event: EventKind) -> Option<()> {
        let EventKind::Action(id) = event else { return None };
        let name = self.draft.events.get(usize::from(id.0))?.name.to_string();
        let argument = aggregate.argument.as_ref()?;
        let (first, rest) = argument.segments.split_first()?;
        if first.name != name || !self.declared(&[id], &name).is_empty() {
            return None;
        }
        let finding = Diagnostic::error("unknown-signal", format!("there is no signal `{}`", argument.text()))
            .at(argument.span, "the event itself");
        let field = rest.iter().map(|segment| segment.name.as_str()).collect::<Vec<_>>().join(".");
        let finding = match (rest.is_empty(), aggregate.function, aggregate.distinct) {
            (false, _, _) => finding.correct(format!("write `{field}`: the event follows `of`"), argument.span, field),
            (true, ast::AggregateFn::Count, false) => {
                finding.correct(format!("write `count() of {name}`"), argument.span, "")
            }
            (true, _, _) => finding.help(format!("name a field of `{name}`")),
        };
        self.report(finding);
        Some(())
    }
}

/// How a value is compared with a constant.
#[derive(Clone, Copy)]
struct Operator {
    is: Asks,
    span: Span,
}

#[derive(Clone, Copy)]
enum Asks {
    Equals,
    Differs,
    In,
    NotIn,
    Another,
}

/// The operator of a comparison with one constant on its right, and that.
fn operator_and_constant(expr: &ast::Expr) -> Option<(Operator, &ast::Expr)> {
    let (is, span, value) = match &expr.kind {
        ast::ExprKind::Compare(compare) => {
            let is = match compare.op {
                ast::CompareOp::Equal => Asks::Equals,
                ast::CompareOp::NotEqual => Asks::Differs,
                ast::CompareOp::Less
                | ast::CompareOp::LessOrEqual
                | ast::CompareOp::Greater
                | ast::CompareOp::GreaterOrEqual => Asks::Another,
            };
            (is, compare.op_span, &compare.right)
        }
        ast::ExprKind::In(membership) => match &membership.set {
            ast::Set::Value(value) => {
                (if membership.negated { Asks::NotIn } else { Asks::In }, membership.op_span, value)
            }
            _ => return None,
        },
        _ => return None,
    };
    constant(value).then_some((Operator { is, span }, value))
}

/// Whether this is a constant that is neither true nor false.
fn constant(expr: &ast::Expr) -> bool {
    matches!(&expr.kind, ast::ExprKind::Literal(literal) if !matches!(literal, ast::Literal::Bool(_) | ast::Literal::Clock(_)))
}
