//! Expressions: types, operators, and the conditions they make.

use std::{cmp::Ordering, sync::Arc};

use grammar::{Applicability, Diagnostic, Span, ast};
use regex::RegexBuilder;
use rust_decimal::Decimal;
use unicode_normalization::UnicodeNormalization;

use super::{
    Checker, Scope,
    atom::grouped,
    inside_quotes, literal,
    resolve::{Typed, day_in_short},
};
use crate::{
    codes::{Country, Currency},
    ir::{Arithmetic, Ask, Comparison, Cond, Expr},
    lists::moment,
    money::Money,
    tri::Tri,
    types::Type,
    value::{Value, weekday_named},
};

/// A condition and its text.
pub(crate) struct Checked {
    pub cond: Cond,
    pub text: String,
}

/// The longest pattern, as written (`security.md` T-38).
pub const MOST_PATTERN_BYTES: usize = 1_024;
/// The largest pattern, compiled (`security.md` T-38).
pub const MOST_REGEX_BYTES: usize = 1 << 20;

impl<'a> Checker<'a> {
    /// An expression that must be true or false.
    pub(super) fn condition(&mut self, expr: &'a ast::Expr, scope: &Scope) -> Option<Checked> {
        self.enter(expr.span)?;
        let checked = self.condition_inside(expr, scope);
        self.depth -= 1;
        checked
    }

    fn condition_inside(&mut self, expr: &'a ast::Expr, scope: &Scope) -> Option<Checked> {
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
        let mut checked: Vec<Option<Checked>> = Vec::new();
        let mut left = parts;
        while let Some(part) = left.first() {
            let shared = self.shared_comparison(left, word);
            self.shares_its_comparison = shared.is_some();
            checked.push(self.condition(part, scope));
            self.shares_its_comparison = false;
            checked.extend(shared.map(|_| None));
            left = left.get(shared.unwrap_or(1)..).unwrap_or_default();
        }
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
                .help(format!("compare it with something: `{} == …`", self.slice(expr.span))),
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
        self.enter(expr.span)?;
        let typed = self.value_inside(expr, scope, hint);
        self.depth -= 1;
        typed
    }

    fn value_inside(&mut self, expr: &'a ast::Expr, scope: &Scope, hint: Option<Currency>) -> Option<Typed> {
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
        let fallback = self.as_type_of(&value, fallback, coalesce.fallback.span)?;
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
        self.same_currency(&value, &fallback, coalesce.fallback.span)?;
        let currency = self.joined_currency(&value, &fallback);
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
        if op == Arithmetic::Divide && is_zero(&right.expr) {
            self.report(
                Diagnostic::error("division-by-zero", format!("`{}` is divided by zero", left.text))
                    .at(arithmetic.right.span, "zero")
                    .help("the condition would be unknown for every event; divide by something else"),
            );
            return None;
        }
        let text = format!("({} {symbol} {})", left.text, right.text);
        let currency = match (&ty, &left.ty, &right.ty) {
            (Type::Money, Type::Money, Type::Money) => self.joined_currency(&left, &right),
            (Type::Money, _, _) => left.currency.or(right.currency),
            (_, _, _) => None,
        };
        let expr = Expr::Arithmetic(op, Box::new(left.expr), Box::new(right.expr));
        Some(Typed { currency, ..Typed::new(expr, ty, text) })
    }

    fn compare(&mut self, compare: &'a ast::Compare, scope: &Scope) -> Option<Checked> {
        self.not_absent(compare, scope)?;
        let mark = self.begin_atom();
        let optional = self.optional.len();
        let left = self.value(&compare.left, scope, money_of(&compare.right));
        let right = self.value_beside(left.as_ref(), &compare.right, scope, money_of(&compare.left));
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
        self.no_grouping_point(&left, &compare.right)?;
        self.no_grouping_point(&right, &compare.left)?;
        self.same_currency(&left, &right, compare.op_span)?;
        if negated {
            self.negation_lint(optional, compare.op_span, scope);
        }
        self.limit_lint((&left, &compare.left), (&right, &compare.right), op, scope);
        let text = format!("{} {} {}", left.text, if negated { "==" } else { compare.op.symbol() }, right.text);
        let checked = self.atom(mark, Ask::Compare(op, left.expr, right.expr), text);
        Some(if negated { negate(checked) } else { checked })
    }

    /// The value of what stands beside another one: a name that is none may be a text without its quotes.
    pub(super) fn value_beside(
        &mut self,
        other: Option<&Typed>,
        expr: &'a ast::Expr,
        scope: &Scope,
        hint: Option<Currency>,
    ) -> Option<Typed> {
        if matches!(expr.kind, ast::ExprKind::Path(_)) {
            self.beside = other.map(|other| (other.ty.clone(), Arc::clone(&other.choices)));
        }
        let typed = self.value(expr, scope, hint);
        self.beside = None;
        typed
    }

    /// `n > 10.000`, where `n` is whole: in many countries a point groups digits, and this is ten thousand.
    pub(super) fn no_grouping_point(&mut self, other: &Typed, constant: &ast::Expr) -> Option<()> {
        let ast::ExprKind::Literal(ast::Literal::Number(number)) = &constant.unwrapped().kind else { return Some(()) };
        let grouped =
            number.text.split_once('.').and_then(|(whole, decimals)| literal::digits_grouped(whole, decimals));
        let Some(grouped) = grouped.filter(|_| other.ty == Type::Int) else { return Some(()) };
        let text = format!("`{}` is whole, and this has a point before three digits", other.text);
        let finding = Diagnostic::error("grouping-point", text).at(number.span, "a number with decimals");
        self.report(literal::offer_grouped(finding, number.span, grouped));
        None
    }

    /// `a == null`: what other languages compare with, is asked here.
    fn not_absent(&mut self, compare: &ast::Compare, scope: &Scope) -> Option<()> {
        let ast::ExprKind::Path(path) = &compare.right.kind else { return Some(()) };
        let nothing =
            matches!(path.text().as_str(), "null" | "nil" | "none" | "None" | "NULL" | "undefined" | "missing");
        let asks = match compare.op {
            ast::CompareOp::Equal => "is missing",
            ast::CompareOp::NotEqual => "is not missing",
            _ => return Some(()),
        };
        if !nothing || !self.declared(&scope.events, &path.text()).is_empty() {
            return Some(());
        }
        self.report(
            Diagnostic::error("unknown-signal", format!("there is no `{}`", path.text()))
                .at(path.span, "a word of another language")
                .correct(format!("write `{asks}`"), compare.op_span.to(self.trimmed(compare.right.span)), asks),
        );
        None
    }

    /// A quoted constant beside a user, a device or a status is one.
    pub(super) fn as_type_of(&mut self, other: &Typed, this: Typed, span: Span) -> Option<Typed> {
        let Expr::Const(Value::Text(text)) = &this.expr else { return Some(this) };
        if !other.choices.is_empty() && !other.choices.contains(text) {
            let message = format!("`{}` is never `{text}`", other.text);
            self.no_choice(message, text, span, &other.choices);
            return None;
        }
        let value = match &other.ty {
            Type::User => Value::User(Arc::clone(text)),
            Type::Device => Value::Device(Arc::clone(text)),
            Type::Status => {
                if crate::status::Status::from_word(text).is_none() {
                    let words = crate::status::Status::ALL.map(crate::status::Status::word);
                    let message = format!("there is no status `{text}`");
                    self.report(
                        Diagnostic::error("unknown-word", message)
                            .at(span, "not a status")
                            .near(text, inside_quotes(span), words)
                            .or_help(format!("write one of `{}`", words.join("`, `"))),
                    );
                    return None;
                }
                return Some(Typed { ty: Type::Status, ..this });
            }
            _ => return Some(this),
        };
        Some(Typed { expr: Expr::Const(value), ty: other.ty.clone(), ..this })
    }

    /// A value that the `enum` does not have.
    pub(super) fn no_choice(&mut self, message: String, text: &str, span: Span, choices: &[Arc<str>]) {
        let finding = Diagnostic::error("unknown-word", message).at(span, "not one of its values");
        let finding = match grammar::meant(text, choices.iter().map(|choice| &**choice)) {
            Some((near, sure)) => finding.with_fix(format!("did you mean `{near}`?"), span, quoted(near), sure),
            None => finding.help(format!("write one of `{}`", choices.join("`, `"))),
        };
        self.report(finding);
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
                (Type::Duration, Type::Int) | (Type::Int, Type::Duration) => {
                    finding.help("a length of time has a unit: write `15m`")
                }
                (Type::Timestamp, Type::Int) if let Some(date) = date_of(&self.slice(compare.right.span)) => {
                    let span = self.trimmed(compare.right.span);
                    finding.suggest(format!("a date has two digits for its month and its day: `{date}`"), span, date)
                }
                (Type::Distance, Type::Duration) | (Type::Duration, Type::Distance) => {
                    finding.help("`m` are minutes; a distance is in kilometres: `0.2 km`, `200 km`")
                }
                (Type::Speed, Type::Duration) | (Type::Duration, Type::Speed) => {
                    finding.help("a speed is in kilometres an hour: `1000 km/h`")
                }
                (Type::Ip, Type::Cidr) => {
                    let is_in = if compare.op == ast::CompareOp::NotEqual { "not in" } else { "in" };
                    let help = format!("write `{} {is_in} {}`", left.text, right.text);
                    match op {
                        Comparison::Equal => {
                            finding.correct(format!("an address is in a network: {help}"), compare.op_span, is_in)
                        }
                        _ => finding.help(help),
                    }
                }
                (Type::Ip, Type::Text) if let Some(network) = network_of(&right.expr) => {
                    let is_in = if compare.op == ast::CompareOp::NotEqual { "not in" } else { "in" };
                    let help = format!("a part of the addresses is a network: write `{} {is_in} {network}`", left.text);
                    finding.help(help)
                }
                (_, _) => {
                    let finding = self.as_wanted(finding, &compare.right, &right.expr, a);
                    let finding = match finding.fix {
                        None => self.as_wanted(finding, &compare.left, &left.expr, b),
                        Some(_) => finding,
                    };
                    finding.or_help(format!("compare {a} with another {a}, or {b} with another {b}"))
                }
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
        self.no_clock_range(&between.value, &between.low, &between.high)?;
        self.range(&between.value, &between.low, &between.high, scope)
    }

    pub(super) fn range(
        &mut self,
        value: &'a ast::Expr,
        low: &'a ast::Expr,
        high: &'a ast::Expr,
        scope: &Scope,
    ) -> Option<Checked> {
        let mut currencies = Vec::new();
        let mut constants = Vec::new();
        let mut bound = |bound: &'a ast::Expr, op: Comparison, symbol: &str| {
            let mark = self.begin_atom();
            let value_typed = self.value(value, scope, money_of(bound));
            let bound_typed = self.value(bound, scope, money_of(value));
            let (value_typed, bound_typed) = (value_typed?, bound_typed?);
            let (a, b) = (&value_typed.ty, &bound_typed.ty);
            if !a.compares_with(b) || !a.ordered() {
                let finding = Diagnostic::error("type-mismatch", format!("{a} does not lie between two of {b}"))
                    .at(bound.span, b.to_string())
                    .also(value.span, a.to_string());
                let finding = self.as_wanted(finding, bound, &bound_typed.expr, a);
                self.report(finding);
                return None;
            }
            self.no_grouping_point(&value_typed, bound)?;
            self.same_currency(&value_typed, &bound_typed, bound.span)?;
            currencies.push(bound_typed.currency);
            if let Expr::Const(constant) = &bound_typed.expr {
                constants.push(constant.clone());
            }
            let text = format!("{} {symbol} {}", value_typed.text, bound_typed.text);
            Some(self.atom(mark, Ask::Compare(op, value_typed.expr, bound_typed.expr), text))
        };
        let lower = bound(low, Comparison::AtLeast, ">=");
        let upper = bound(high, Comparison::AtMost, "<=");
        let (lower, upper) = (lower?, upper?);
        self.meet(currencies.first().copied().flatten(), currencies.last().copied().flatten(), high.span)?;
        if let [least, most] = constants.as_slice()
            && least.compare(most) == Some(Ordering::Greater)
        {
            let (low, high) = (self.trimmed(low.span), self.trimmed(high.span));
            self.report(
                Diagnostic::error("number-out-of-range", "the range is empty: it ends before it begins")
                    .at(low.to(high), "nothing lies in it")
                    .help(format!("the smaller one comes first: `{}`, `{}`", self.slice(high), self.slice(low))),
            );
            return None;
        }
        let text = format!("({} and {})", lower.text, upper.text);
        Some(Checked { cond: Cond::All(vec![lower.cond, upper.cond]), text })
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
        self.no_slashes(pattern)?;
        let normal: String = pattern.value.nfkc().collect();
        if normal != pattern.value {
            let text = "this pattern has a sign that no text has: texts are normalised (NFKC)";
            let finding = Diagnostic::error("bad-pattern", text).at(pattern.span, "never found");
            self.report(finding.help(format!("write {normal:?}")));
            return None;
        }
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
}

impl Checker<'_> {
    /// The finding about a constant of another type than is wanted, with the fix where that is plain.
    pub(super) fn as_wanted(&self, finding: Diagnostic, expr: &ast::Expr, value: &Expr, wanted: &Type) -> Diagnostic {
        match (&expr.kind, value) {
            (ast::ExprKind::Literal(_), Expr::Const(value)) => {
                self.constant_as_wanted(finding, expr.span, value, wanted)
            }
            _ => finding,
        }
    }

    /// The same of the constant at this place.
    pub(super) fn constant_as_wanted(
        &self,
        finding: Diagnostic,
        span: Span,
        value: &Value,
        wanted: &Type,
    ) -> Diagnostic {
        let span = self.trimmed(span);
        match as_meant(&self.slice(span), value, wanted) {
            Some((help, written, sure)) => finding.with_fix(format!("{help}: write `{written}`"), span, written, sure),
            None => match (wanted, value) {
                (Type::Money, Value::Int(_) | Value::Decimal(_)) => {
                    finding.or_help(format!("an amount has a currency: write `{} EUR`", self.slice(span)))
                }
                (Type::Duration, Value::Int(_)) => {
                    finding.or_help(format!("a length of time has a unit: write `{}m`", self.slice(span)))
                }
                (_, _) => finding,
            },
        }
    }
}

/// `2026-1-5`, which is a subtraction: the date that is meant.
fn date_of(written: &str) -> Option<String> {
    let mut parts = written.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let date = format!("{year:0>4}-{month:0>2}-{day:0>2}");
    (parts.next().is_none() && year.len() == 4 && moment(&date).is_some()).then_some(date)
}

/// `"10.0.*"`: the network that is meant.
fn network_of(expr: &Expr) -> Option<String> {
    let Expr::Const(Value::Text(text)) = expr else { return None };
    let (start, rest) = text.split_once(".*").or_else(|| text.strip_suffix('.').map(|start| (start, "")))?;
    let octets: Vec<u8> = start.split('.').map(|octet| octet.parse().ok()).collect::<Option<_>>()?;
    let any = rest.split('.').all(|part| matches!(part, "" | "*"));
    (any && octets.len() < 4).then_some(())?;
    let address = (0..4).map(|at| octets.get(at).copied().unwrap_or(0).to_string()).collect::<Vec<_>>().join(".");
    Some(format!("{address}/{}", octets.len() * 8))
}

/// How a constant that is written like this would be written to be of the type that is wanted, where that is plain: why,
/// what, and how sure that is.
fn as_meant(written: &str, value: &Value, wanted: &Type) -> Option<(&'static str, String, Applicability)> {
    use Applicability::{Certain, Likely};
    let certain = |why, what| Some((why, what, Certain));
    match (wanted, value) {
        (Type::Speed, Value::Int(_) | Value::Decimal(_)) => certain("a speed has a unit", format!("{written} km/h")),
        (Type::Distance, Value::Int(_) | Value::Decimal(_)) => {
            certain("a distance has a unit", format!("{written} km"))
        }
        (Type::Speed, Value::Distance(_)) => certain("a speed is in km/h", format!("{written}/h")),
        // All of it, or a hundredth: whoever counts in shares means the one, and nothing is nothing.
        (Type::Percent, Value::Int(0)) => certain("a share is a percentage", format!("{written}%")),
        (Type::Percent, Value::Int(1)) => Some(("a share is a percentage", "100%".to_owned(), Likely)),
        (Type::Percent, Value::Int(_)) => Some(("a share is a percentage", format!("{written}%"), Likely)),
        (Type::Percent, Value::Decimal(share)) if share.abs() <= Decimal::ONE => {
            let percent = (*share * Decimal::ONE_HUNDRED).normalize();
            Some(("a share is a percentage", format!("{percent}%"), Likely))
        }
        (Type::Asn, Value::Int(number)) if u32::try_from(*number).is_ok() => {
            certain("a network's number begins with `AS`", format!("AS{number}"))
        }
        (Type::Text | Type::User | Type::Device, Value::Int(_) | Value::Bool(_)) => {
            certain("a text stands in double quotes", quoted(written))
        }
        (_, Value::Text(text)) => without_quotes(text, wanted).and_then(|(why, what)| certain(why, what)),
        (_, _) => None,
    }
}

/// What a quoted constant is without its quotes.
fn without_quotes(text: &str, wanted: &Type) -> Option<(&'static str, String)> {
    let same = || text.to_owned();
    let parsed = |sound: bool, why: &'static str| sound.then(|| (why, same()));
    match wanted {
        Type::Asn => {
            let number: u32 = text.trim_start_matches(['A', 'S', 'a', 's']).parse().ok()?;
            Some(("a network's number stands without quotes", format!("AS{number}")))
        }
        Type::Country => Some(match Country::parse(&text.to_uppercase()) {
            Some(country) => ("a country stands without quotes", country.to_string()),
            None => ("a country is the two capitals of its code", Country::named(text)?.to_string()),
        }),
        Type::Currency => {
            Some(("a currency stands without quotes", Currency::parse(&text.to_uppercase())?.to_string()))
        }
        Type::Bool => parsed(matches!(text, "true" | "false"), "true and false stand without quotes"),
        Type::Int => parsed(text.parse::<i64>().is_ok(), "a number stands without quotes"),
        Type::Decimal => parsed(Decimal::from_str_exact(text).is_ok(), "a number stands without quotes"),
        Type::Ip => parsed(text.parse::<std::net::IpAddr>().is_ok(), "an address stands without quotes"),
        Type::Cidr => parsed(text.parse::<ipnet::IpNet>().is_ok(), "a network stands without quotes"),
        Type::Timestamp => parsed(moment(text).is_some(), "a date stands without quotes"),
        Type::Money => {
            let (amount, currency) = text.split_once(' ')?;
            let sound = Money::parse(amount, Currency::parse(currency)?).is_ok();
            parsed(sound, "an amount stands without quotes")
        }
        Type::Percent => {
            parsed(Decimal::from_str_exact(text.strip_suffix('%')?).is_ok(), "a percentage stands without quotes")
        }
        Type::Weekday => parsed(weekday_named(text).is_some(), "a day stands without quotes").or_else(|| {
            let day = day_in_short(text)?;
            Some(("a day stands without quotes, and in full", day.to_owned()))
        }),
        Type::Duration
        | Type::Geo
        | Type::Speed
        | Type::Distance
        | Type::Text
        | Type::User
        | Type::Device
        | Type::Status
        | Type::List(_) => None,
    }
}

fn not(cond: Cond) -> Cond {
    match cond {
        Cond::Not(inner) => *inner,
        Cond::Const(value) => Cond::Const(value.not()),
        other => Cond::Not(Box::new(other)),
    }
}

pub(super) fn negate(checked: Checked) -> Checked {
    Checked { cond: not(checked.cond), text: format!("not ({})", checked.text) }
}

/// The currency of an amount written beside an aggregate: that of its empty sum.
fn money_of(expr: &ast::Expr) -> Option<Currency> {
    match &expr.unwrapped().kind {
        ast::ExprKind::Literal(ast::Literal::Money(money)) => Currency::parse(&money.currency.name),
        _ => None,
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

/// Whether it is a zero that is written down.
fn is_zero(expr: &Expr) -> bool {
    match expr {
        Expr::Const(Value::Int(number) | Value::Duration(number)) => *number == 0,
        Expr::Const(
            Value::Decimal(number) | Value::Percent(number) | Value::Speed(number) | Value::Distance(number),
        ) => number.is_zero(),
        Expr::Const(Value::Money(money)) => money.minor == 0,
        _ => false,
    }
}

/// A text as rules write it.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
