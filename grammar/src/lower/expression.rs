//! Expressions.

use super::{Lower, Pair, Rule, all, child, first, has, literal};
use crate::ast::{
    Aggregate, AggregateFn, Arithmetic, ArithmeticOp, Between, CalendarUnit, CalendarWindow, Call, ClockSet, Coalesce,
    Compare, CompareOp, Expr, ExprKind, Literal, Matches, Membership, Presence, PresenceQuestion, RangeSet, Seen,
    SeenFn, Set, SetLiteral, Window,
};
use crate::diagnostic::Diagnostic;
use crate::source::Span;

pub(super) fn expr(lower: &mut Lower, pair: Pair) -> Option<Expr> {
    let span = lower.span(&pair);
    let mut alternatives = all(&pair, Rule::and_e).map(|inner| and(lower, inner)).collect::<Option<Vec<_>>>()?;
    Some(if alternatives.len() == 1 { alternatives.pop()? } else { Expr { kind: ExprKind::Or(alternatives), span } })
}

fn and(lower: &mut Lower, pair: Pair) -> Option<Expr> {
    let span = lower.span(&pair);
    let mut conditions = all(&pair, Rule::not_e).map(|inner| not(lower, inner)).collect::<Option<Vec<_>>>()?;
    Some(if conditions.len() == 1 { conditions.pop()? } else { Expr { kind: ExprKind::And(conditions), span } })
}

fn not(lower: &mut Lower, pair: Pair) -> Option<Expr> {
    let mut result = comparison(lower, child(&pair, Rule::cmp_e)?)?;
    let nots: Vec<Span> = all(&pair, Rule::kw_not).map(|word| lower.span(&word)).collect();
    for word in nots.into_iter().rev() {
        let span = word.to(result.span);
        result = Expr { kind: ExprKind::Not(Box::new(result)), span };
    }
    Some(result)
}

fn comparison(lower: &mut Lower, pair: Pair) -> Option<Expr> {
    let span = lower.span(&pair);
    let mut parts = pair.into_inner();
    let left = coalesce(lower, parts.next()?)?;
    let Some(tail) = parts.next() else { return Some(left) };
    let kind = match tail.as_rule() {
        Rule::compare => {
            let op = child(&tail, Rule::compare_op)?;
            ExprKind::Compare(Box::new(Compare {
                left,
                op: compare_op(op.as_str())?,
                op_span: lower.span(&op),
                right: coalesce(lower, child(&tail, Rule::coal_e)?)?,
            }))
        }
        Rule::membership => {
            let op = child(&tail, Rule::in_op)?;
            ExprKind::In(Box::new(Membership {
                value: left,
                negated: has(&op, Rule::kw_not),
                op_span: lower.span(&op),
                set: set(lower, tail.into_inner().nth(1)?)?,
            }))
        }
        Rule::presence => ExprKind::Is(Box::new(Presence {
            value: left,
            negated: has(&tail, Rule::kw_not),
            question: if has(&tail, Rule::kw_missing) { PresenceQuestion::Missing } else { PresenceQuestion::Known },
        })),
        Rule::matches => {
            ExprKind::Matches(Box::new(Matches { value: left, pattern: lower.text(child(&tail, Rule::string)?)? }))
        }
        Rule::between => {
            let mut ends = all(&tail, Rule::coal_e);
            let (low, high) = (ends.next()?, ends.next()?);
            ExprKind::Between(Box::new(Between {
                value: left,
                low: coalesce(lower, low)?,
                high: coalesce(lower, high)?,
            }))
        }
        _ => return None,
    };
    Some(Expr { kind, span })
}

fn compare_op(symbol: &str) -> Option<CompareOp> {
    Some(match symbol {
        "==" => CompareOp::Equal,
        "!=" => CompareOp::NotEqual,
        "<" => CompareOp::Less,
        "<=" => CompareOp::LessOrEqual,
        ">" => CompareOp::Greater,
        ">=" => CompareOp::GreaterOrEqual,
        _ => return None,
    })
}

fn set(lower: &mut Lower, pair: Pair) -> Option<Set> {
    Some(match pair.as_rule() {
        Rule::set_lit => Set::Elements(set_literal(lower, pair)?),
        Rule::list_name => Set::List(lower.list_name(pair)?),
        Rule::clock_set => Set::Clock(ClockSet {
            range: literal::clock_range(lower, &child(&pair, Rule::clock_range)?)?,
            zone: match child(&pair, Rule::coal_e) {
                Some(zone) => Some(coalesce(lower, zone)?),
                None => None,
            },
        }),
        Rule::range => {
            let mut ends = all(&pair, Rule::coal_e);
            let low = coalesce(lower, ends.next()?)?;
            match ends.next() {
                Some(high) => Set::Range(RangeSet { low, high: coalesce(lower, high)? }),
                None => Set::Value(low),
            }
        }
        _ => return None,
    })
}

pub(super) fn set_literal(lower: &mut Lower, pair: Pair) -> Option<SetLiteral> {
    let elements = all(&pair, Rule::element).map(|element| operand(lower, first(&element)?)).collect::<Option<_>>()?;
    Some(SetLiteral { elements, span: lower.span(&pair) })
}

fn coalesce(lower: &mut Lower, pair: Pair) -> Option<Expr> {
    let mut values = all(&pair, Rule::add_e).map(|inner| sum(lower, inner)).collect::<Option<Vec<_>>>()?;
    let mut result = values.pop()?;
    while let Some(value) = values.pop() {
        let span = value.span.to(result.span);
        result = Expr { kind: ExprKind::Coalesce(Box::new(Coalesce { value, fallback: result })), span };
    }
    Some(result)
}

fn sum(lower: &mut Lower, pair: Pair) -> Option<Expr> {
    chain(lower, pair, product)
}

fn product(lower: &mut Lower, pair: Pair) -> Option<Expr> {
    chain(lower, pair, primary)
}

/// `a op b op c`, grouped to the left.
fn chain(lower: &mut Lower, pair: Pair, operand: fn(&mut Lower, Pair) -> Option<Expr>) -> Option<Expr> {
    let mut parts = pair.into_inner();
    let mut left = operand(lower, parts.next()?)?;
    while let (Some(op), Some(right)) = (parts.next(), parts.next()) {
        let right = operand(lower, right)?;
        let span = left.span.to(right.span);
        let op_span = lower.span(&op);
        let op = match op.as_str() {
            "+" => ArithmeticOp::Add,
            "-" => ArithmeticOp::Subtract,
            "*" => ArithmeticOp::Multiply,
            "/" => ArithmeticOp::Divide,
            _ => return None,
        };
        left = Expr { kind: ExprKind::Arithmetic(Box::new(Arithmetic { left, op, op_span, right })), span };
    }
    Some(left)
}

fn primary(lower: &mut Lower, pair: Pair) -> Option<Expr> {
    operand(lower, first(&pair)?)
}

fn operand(lower: &mut Lower, pair: Pair) -> Option<Expr> {
    let span = lower.span(&pair);
    let kind = match pair.as_rule() {
        Rule::literal => ExprKind::Literal(literal::literal(lower, pair)?),
        Rule::list_name => ExprKind::List(lower.list_name(pair)?),
        Rule::path => ExprKind::Path(lower.path(pair)?),
        Rule::paren => ExprKind::Paren(Box::new(expr(lower, child(&pair, Rule::expr)?)?)),
        Rule::reference => reference(lower, &pair)?,
        Rule::aggregate => ExprKind::Aggregate(Box::new(aggregate(lower, &pair)?)),
        Rule::seen => ExprKind::Seen(Box::new(seen(lower, &pair)?)),
        _ => return None,
    };
    Some(Expr { kind, span })
}

fn reference(lower: &mut Lower, pair: &Pair) -> Option<ExprKind> {
    let mut path = lower.path(child(pair, Rule::path)?)?;
    let Some(arguments) = child(pair, Rule::arguments) else { return Some(ExprKind::Path(path)) };
    let arguments = all(&arguments, Rule::expr).map(|argument| expr(lower, argument)).collect::<Option<Vec<_>>>()?;
    if path.segments.len() > 1 {
        lower.problems.push(
            Diagnostic::error("unexpected-token", format!("`{}` is not a function", path.text()))
                .at(path.span, "a function's name has no dots")
                .help(instead_of_method(&path.text(), &arguments)),
        );
    }
    Some(ExprKind::Call(Call { name: path.segments.pop()?, arguments }))
}

/// `payee.startsWith("x")`: how to ask that.
fn instead_of_method(path: &str, arguments: &[Expr]) -> String {
    let (value, method) = path.rsplit_once('.').unwrap_or(("x", path));
    let text = match arguments {
        [Expr { kind: ExprKind::Literal(Literal::Text(text)), .. }]
            if text.value.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
        {
            text.value.as_str()
        }
        _ => "text",
    };
    match method.to_ascii_lowercase().replace('_', "").as_str() {
        "startswith" | "beginswith" => format!("write `{value} matches \"^{text}\"`"),
        "endswith" => format!("write `{value} matches \"{text}$\"`"),
        "contains" | "includes" | "indexof" | "match" | "matches" | "test" | "like" => {
            format!("write `{value} matches \"{text}\"`, or `value in {value}` of a list")
        }
        "equals" | "eq" | "equalsignorecase" => format!("write `{value} == …`, or `{value} matches \"(?i)^{text}$\"`"),
        "tolowercase" | "touppercase" | "lower" | "upper" | "tolower" | "toupper" => {
            format!("a pattern can ignore capitals: `{value} matches \"(?i)^text$\"`")
        }
        _ => "pass the value to a function instead, as in `distance(geo, last_verified.geo)`".to_owned(),
    }
}

fn aggregate(lower: &mut Lower, pair: &Pair) -> Option<Aggregate> {
    let function = child(pair, Rule::aggregate_fn)?;
    // The paths among the children: the argument, if there is one, then the event.
    let mut paths: Vec<_> = all(pair, Rule::path).map(|path| lower.path(path)).collect::<Option<_>>()?;
    let event = paths.pop()?;
    let filter = match child(pair, Rule::filter) {
        Some(filter) => Some(expr(lower, child(&filter, Rule::expr)?)?),
        None => None,
    };
    Some(Aggregate {
        function_span: lower.span(&function),
        function: match function.as_str() {
            "count" => AggregateFn::Count,
            "sum" => AggregateFn::Sum,
            "avg" => AggregateFn::Avg,
            "min" => AggregateFn::Min,
            "max" => AggregateFn::Max,
            "stddev" => AggregateFn::Stddev,
            "p95" => AggregateFn::P95,
            _ => return None,
        },
        distinct: has(pair, Rule::kw_distinct),
        argument: paths.pop(),
        event,
        filter,
        keys: lower.paths(&child(pair, Rule::keys)?)?,
        window: window(lower, &child(pair, Rule::window)?)?,
        including_this: has(pair, Rule::including),
    })
}

fn window(lower: &mut Lower, pair: &Pair) -> Option<Window> {
    let inner = pair.clone().into_inner().find(|inner| inner.as_rule() != Rule::kw_over)?;
    Some(match inner.as_rule() {
        Rule::duration => Window::Sliding(literal::duration(lower, &inner)),
        Rule::tumbling => Window::Tumbling(literal::duration(lower, &child(&inner, Rule::duration)?)),
        Rule::since => Window::Since(lower.path(child(&inner, Rule::path)?)?),
        Rule::calendar => Window::Calendar(CalendarWindow {
            unit: match child(&inner, Rule::calendar_unit)?.as_str() {
                "hour" => CalendarUnit::Hour,
                "day" => CalendarUnit::Day,
                "week" => CalendarUnit::Week,
                "month" => CalendarUnit::Month,
                _ => return None,
            },
            zone: coalesce(lower, child(&inner, Rule::coal_e)?)?,
        }),
        _ => return None,
    })
}

fn seen(lower: &mut Lower, pair: &Pair) -> Option<Seen> {
    let function = child(pair, Rule::seen_fn)?;
    let within = child(pair, Rule::within).and_then(|within| child(&within, Rule::duration));
    Some(Seen {
        function_span: lower.span(&function),
        function: match function.as_str() {
            "first_seen" => SeenFn::First,
            "last_seen" => SeenFn::Last,
            "times_seen" => SeenFn::Times,
            _ => return None,
        },
        what: lower.path(child(pair, Rule::path)?)?,
        keys: lower.paths(&child(pair, Rule::keys)?)?,
        within: within.map(|within| literal::duration(lower, &within)),
    })
}
