//! Conditions, and what is to blame when they are unknown.

use std::net::IpAddr;

use grammar::ast::{self, CompareOp};

use super::{Answer, Cause, Exchange, Fact, Plain, World, constant, plain};

/// A condition without `and`, `or`, `not`.
#[derive(Debug)]
enum Question<'a> {
    Holds(&'a ast::Expr),
    Compare(&'a ast::Expr, CompareOp, &'a ast::Expr),
    Among(&'a ast::Expr, Vec<&'a ast::Expr>),
    Within(&'a ast::Expr, &'a ast::Expr),
    Contains(&'a ast::Expr, &'a ast::Expr),
    Listed(&'a ast::Expr, &'a str),
    Clock(&'a ast::Expr, &'a ast::ClockSet),
    Matches(&'a ast::Expr, &'a str),
    Is(&'a ast::Expr, ast::PresenceQuestion),
}

/// A condition taken apart.
enum Part<'a> {
    Sure(bool),
    All(Vec<Part<'a>>),
    Any(Vec<Part<'a>>),
    Not(Box<Part<'a>>),
    Ask(Question<'a>),
}

impl<'a> World<'a> {
    /// Kleene's logic: one false settles an `and`, one true an `or`, whatever else is unknown.
    pub(super) fn truth(&self, expr: &'a ast::Expr) -> Answer {
        self.holds(&self.part(expr))
    }

    fn holds(&self, part: &Part<'a>) -> Answer {
        match part {
            Part::Sure(value) => Ok(*value),
            Part::Not(inner) => self.holds(inner).map(|value| !value),
            Part::All(parts) => self.settled(parts, false),
            Part::Any(parts) => self.settled(parts, true),
            Part::Ask(question) => self.ask(question),
        }
    }

    fn settled(&self, parts: &[Part<'a>], by: bool) -> Answer {
        let mut result = Ok(!by);
        for part in parts {
            match self.holds(part) {
                Ok(value) if value == by => return Ok(by),
                Ok(_) => {}
                Err(cause) => result = result.and(Err(cause)),
            }
        }
        result
    }

    fn part(&self, expr: &'a ast::Expr) -> Part<'a> {
        let parts = |exprs: &'a [ast::Expr]| exprs.iter().map(|one| self.part(one)).collect();
        match &expr.kind {
            ast::ExprKind::Paren(inner) => self.part(inner),
            ast::ExprKind::Literal(ast::Literal::Bool(value)) => Part::Sure(*value),
            ast::ExprKind::And(all) => Part::All(parts(all)),
            ast::ExprKind::Or(any) => Part::Any(parts(any)),
            ast::ExprKind::Not(inner) => Part::Not(Box::new(self.part(inner))),
            ast::ExprKind::Path(path) => match self.named(path) {
                Some(body) => self.part(body),
                None => Part::Ask(Question::Holds(expr)),
            },
            ast::ExprKind::Compare(compare) => Part::Ask(Question::Compare(&compare.left, compare.op, &compare.right)),
            ast::ExprKind::Between(between) => range(&between.value, &between.low, &between.high),
            ast::ExprKind::In(membership) => {
                let inside = self.membership(&membership.value, &membership.set);
                if membership.negated { Part::Not(Box::new(inside)) } else { inside }
            }
            ast::ExprKind::Is(presence) => {
                let asked = Part::Ask(Question::Is(&presence.value, presence.question));
                if presence.negated { Part::Not(Box::new(asked)) } else { asked }
            }
            ast::ExprKind::Matches(matches) => Part::Ask(Question::Matches(&matches.value, &matches.pattern.value)),
            ast::ExprKind::Literal(_)
            | ast::ExprKind::List(_)
            | ast::ExprKind::Call(_)
            | ast::ExprKind::Coalesce(_)
            | ast::ExprKind::Arithmetic(_)
            | ast::ExprKind::Aggregate(_)
            | ast::ExprKind::Seen(_) => Part::Ask(Question::Holds(expr)),
        }
    }

    fn membership(&self, value: &'a ast::Expr, set: &'a ast::Set) -> Part<'a> {
        match set {
            ast::Set::Range(bounds) => range(value, &bounds.low, &bounds.high),
            ast::Set::Clock(clock) => Part::Ask(Question::Clock(value, clock)),
            ast::Set::List(list) => Part::Ask(Question::Listed(value, &list.name)),
            ast::Set::Value(set) => Part::Ask(one_of(value, set)),
            // The constants are one question; lists, networks and fields among the elements are questions of their own.
            ast::Set::Elements(set) => {
                let constant = |expr: &&ast::Expr| matches!(&expr.kind, ast::ExprKind::Literal(one) if !matches!(one, ast::Literal::Cidr(_)));
                let constants: Vec<&ast::Expr> = set.elements.iter().filter(constant).collect();
                let mut any = Vec::new();
                if !constants.is_empty() {
                    any.push(Part::Ask(Question::Among(value, constants)));
                }
                any.extend(set.elements.iter().filter(|one| !constant(one)).map(|one| Part::Ask(one_of(value, one))));
                Part::Any(any)
            }
        }
    }

    fn ask(&self, question: &Question<'a>) -> Answer {
        if !self.pack.scripts_run.get() && question.reads().iter().any(|(expr, _)| self.scripted(expr)) {
            return Err("script_error");
        }
        match question {
            Question::Holds(expr) => match self.fact(expr) {
                Fact::Known(Plain::Bool(value)) => Ok(value),
                Fact::Unknown(cause) => Err(cause),
                other => panic!("{other:?} is no condition"),
            },
            Question::Compare(left, op, right) => {
                let (left, right) = (self.beside(left, amount(right)), self.beside(right, amount(left)));
                plain::compare(*op, left, right, self.exchange(self.this))
            }
            Question::Among(value, elements) => {
                let value = self.fact(value);
                among(value, elements.iter().map(|element| self.fact(element)), self.exchange(self.this))
            }
            Question::Contains(value, list) => match (self.fact(value), self.fact(list)) {
                (Fact::Unknown(cause), _) | (_, Fact::Unknown(cause)) => Err(cause),
                (value, Fact::Known(Plain::List(elements))) => {
                    among(value, elements.iter().map(|element| Fact::Known(*element)), self.exchange(self.this))
                }
                (_, other) => panic!("{other:?} is no list"),
            },
            Question::Within(value, net) => match (self.fact(value), self.fact(net)) {
                (Fact::Known(Plain::Ip(ip)), Fact::Known(Plain::Net(base, length))) => Ok(inside(ip, base, length)),
                (Fact::Unknown(cause), _) | (_, Fact::Unknown(cause)) => Err(cause),
                other => panic!("{other:?} is no question"),
            },
            Question::Listed(value, list) => self.listed(self.fact(value), list),
            Question::Clock(at, clock) => {
                let zone = clock.zone.as_ref().expect("a clock has its zone");
                let local = self.local(self.fact(at), self.fact(zone))?;
                let minutes = |clock: &ast::Clock| i16::from(clock.hour) * 60 + i16::from(clock.minute);
                let now = i16::from(local.hour()) * 60 + i16::from(local.minute());
                let (from, until) = (minutes(&clock.range.from), minutes(&clock.range.until));
                Ok(if from < until { from <= now && now < until } else { now >= from || now < until })
            }
            Question::Matches(value, pattern) => match self.fact(value) {
                Fact::Known(Plain::Word(text)) => {
                    let mut patterns = self.pack.patterns.borrow_mut();
                    let compiled = || regex::Regex::new(pattern).expect("it is a pattern");
                    Ok(patterns.entry((*pattern).to_owned()).or_insert_with(compiled).is_match(text))
                }
                Fact::Unknown(cause) => Err(cause),
                other => panic!("{other:?} is no text"),
            },
            Question::Is(value, ast::PresenceQuestion::Missing) => match self.fact(value) {
                Fact::Known(_) | Fact::Between(..) => Ok(false),
                Fact::Unknown("absent") => Ok(true),
                Fact::Unknown(cause) => Err(cause),
            },
            Question::Is(value, ast::PresenceQuestion::Known) => Ok(matches!(self.fact(value), Fact::Known(_))),
        }
    }

    /// The value of what is compared with an amount in this currency.
    fn beside(&self, expr: &'a ast::Expr, currency: Option<&'a str>) -> Fact<'a> {
        let outer = self.hint.replace(currency);
        let fact = self.fact(expr);
        self.hint.set(outer);
        fact
    }

    fn listed(&self, value: Fact<'a>, list: &str) -> Answer {
        if let ast::ListSource::Inline(elements) = &self.pack.lists[list].source {
            let elements = elements.iter().map(|element| match &element.kind {
                ast::ExprKind::Literal(literal) => constant(literal),
                other => panic!("{other:?} is no entry"),
            });
            return match value {
                Fact::Known(Plain::Ip(ip)) => Ok(elements.into_iter().any(|element| match element {
                    Plain::Net(base, length) => inside(ip, base, length),
                    element => element == Plain::Ip(ip),
                })),
                value => among(value, elements.map(Fact::Known), self.exchange(self.this)),
            };
        }
        let value = match value {
            Fact::Known(value) => value,
            Fact::Between(_, _, cause) | Fact::Unknown(cause) => return Err(cause),
        };
        let lasts = |until: i64| self.this.at < until;
        Ok(self.entries.iter().any(|(name, entry, until)| name == list && lasts(*until) && *entry == value))
    }

    // ---- who is to blame

    /// What makes a condition unknown, with its cause: each thing once, in the order written.
    pub(super) fn blame(&self, expr: &'a ast::Expr, found: &mut Vec<(String, Cause)>) {
        self.blame_part(&self.part(expr), found);
    }

    fn blame_part(&self, part: &Part<'a>, found: &mut Vec<(String, Cause)>) {
        let Err(cause) = self.holds(part) else { return };
        match part {
            Part::Sure(_) => {}
            Part::Not(inner) => self.blame_part(inner, found),
            Part::All(parts) | Part::Any(parts) => parts.iter().for_each(|part| self.blame_part(part, found)),
            Part::Ask(question) => {
                let read = question.reads();
                // What is unknown, or else values that do not go together, of which the first stands for all, or else
                // what is known too weakly.
                let outer = self.hint.get();
                let first = |pick: fn(&World<'a>, &'a ast::Expr) -> Option<(String, Cause)>| {
                    read.iter().find_map(|(expr, currency)| {
                        self.hint.set(*currency);
                        pick(self, expr)
                    })
                };
                let together = !["currency_mismatch", "overflow"].contains(&cause);
                let blamed = first(World::unknown_in).or_else(|| first(World::weak_in).filter(|_| together));
                let blamed = blamed
                    .or_else(|| first(|world, expr| Some((world.known_in(expr)?, ""))).map(|(name, _)| (name, cause)));
                self.hint.set(outer);
                let (name, cause) = blamed.unwrap_or_else(|| panic!("nothing is to blame: {question:?}"));
                if !found.iter().any(|(known, _)| *known == name) {
                    found.push((name, cause));
                }
            }
        }
    }

    /// The first unknown thing without which this would be known.
    fn unknown_in(&self, expr: &'a ast::Expr) -> Option<(String, Cause)> {
        let Fact::Unknown(cause) = self.fact(expr) else { return None };
        match &expr.kind {
            ast::ExprKind::Paren(inner) => self.unknown_in(inner),
            ast::ExprKind::Path(path) => match self.named(path) {
                Some(body) => self.unknown_in(body),
                None => Some((path.text(), cause)),
            },
            ast::ExprKind::Aggregate(aggregate) => {
                let zone = || match &aggregate.window {
                    ast::Window::Calendar(calendar) => self.unknown_in(&calendar.zone),
                    _ => None,
                };
                let missing = self.missing_key(&aggregate.keys).or_else(zone);
                Some(missing.unwrap_or_else(|| (self.text(expr), cause)))
            }
            ast::ExprKind::Call(call) if call.name.name != "weekday" => {
                let mut arguments = call.arguments.iter();
                let unknown = arguments.clone().find_map(|argument| self.unknown_in(argument));
                let weak = || arguments.find_map(|argument| self.weak_in(argument));
                Some(unknown.or_else(weak).unwrap_or_else(|| (self.text(expr), cause)))
            }
            ast::ExprKind::Seen(seen) => {
                let missing = self.missing_key(std::slice::from_ref(&seen.what));
                let missing = missing.or_else(|| self.missing_key(&seen.keys));
                Some(missing.unwrap_or_else(|| (self.text(expr), cause)))
            }
            _ => match inner(expr) {
                Some(parts) => parts.into_iter().find_map(|part| self.unknown_in(part)),
                None => self.blamed_in(expr),
            },
        }
    }

    /// The first thing in a nested condition.
    fn blamed_in(&self, expr: &'a ast::Expr) -> Option<(String, Cause)> {
        let mut found = Vec::new();
        self.blame(expr, &mut found);
        found.into_iter().next()
    }

    fn weak_in(&self, expr: &'a ast::Expr) -> Option<(String, Cause)> {
        match &expr.kind {
            ast::ExprKind::Paren(inner) => self.weak_in(inner),
            ast::ExprKind::Path(path) => self.named(path).and_then(|body| self.weak_in(body)),
            ast::ExprKind::Aggregate(_) | ast::ExprKind::Seen(_) | ast::ExprKind::Call(_) => match self.fact(expr) {
                Fact::Between(_, _, cause) => Some((self.text(expr), cause)),
                Fact::Known(_) | Fact::Unknown(_) => None,
            },
            ast::ExprKind::Coalesce(coalesce) => self.weak_in(self.taken(coalesce)),
            _ => inner(expr)?.into_iter().find_map(|part| self.weak_in(part)),
        }
    }

    fn known_in(&self, expr: &'a ast::Expr) -> Option<String> {
        match &expr.kind {
            ast::ExprKind::Paren(inner) => self.known_in(inner),
            ast::ExprKind::Literal(_) => None,
            ast::ExprKind::Path(path) => match self.named(path) {
                Some(body) => self.known_in(body),
                None if super::WEEKDAYS.contains(&path.text().as_str()) => None,
                None => Some(path.text()),
            },
            ast::ExprKind::Aggregate(_) | ast::ExprKind::Seen(_) => Some(self.text(expr)),
            ast::ExprKind::Call(call) if call.name.name != "weekday" => Some(self.text(expr)),
            // Behind a constant that took its place, the field that is absent.
            ast::ExprKind::Coalesce(coalesce) => {
                self.known_in(self.taken(coalesce)).or_else(|| self.known_in(&coalesce.value))
            }
            _ => inner(expr)?.into_iter().find_map(|part| self.known_in(part)),
        }
    }

    /// The side of `??` that counts.
    fn taken(&self, coalesce: &'a ast::Coalesce) -> &'a ast::Expr {
        match self.fact(&coalesce.value) {
            Fact::Unknown("absent") => &coalesce.fallback,
            _ => &coalesce.value,
        }
    }

    fn missing_key(&self, keys: &[ast::Path]) -> Option<(String, Cause)> {
        keys.iter().find_map(|key| match self.read(key) {
            Fact::Unknown(cause) => Some((key.text(), cause)),
            Fact::Known(_) | Fact::Between(..) => None,
        })
    }
}

impl<'a> Question<'a> {
    /// What it reads, each with the currency it is compared with. A zone stands before the moment it is about.
    fn reads(&self) -> Vec<(&'a ast::Expr, Option<&'a str>)> {
        match self {
            Question::Holds(expr) | Question::Matches(expr, _) | Question::Is(expr, _) => vec![(expr, None)],
            Question::Listed(expr, _) | Question::Among(expr, _) => vec![(expr, None)],
            Question::Compare(a, _, b) => vec![(a, amount(b)), (b, amount(a))],
            Question::Within(a, b) | Question::Contains(a, b) => vec![(a, None), (b, None)],
            Question::Clock(at, clock) => clock.zone.iter().chain([*at]).map(|expr| (expr, None)).collect(),
        }
    }
}

/// The currency of an amount written out.
fn amount(expr: &ast::Expr) -> Option<&str> {
    match &expr.unwrapped().kind {
        ast::ExprKind::Literal(ast::Literal::Money(money)) => Some(&money.currency.name),
        _ => None,
    }
}

/// The parts of an expression that is not a condition.
fn inner(expr: &ast::Expr) -> Option<Vec<&ast::Expr>> {
    match &expr.kind {
        ast::ExprKind::Coalesce(coalesce) => Some(vec![&coalesce.value, &coalesce.fallback]),
        ast::ExprKind::Arithmetic(arithmetic) => Some(vec![&arithmetic.left, &arithmetic.right]),
        ast::ExprKind::Call(call) => Some(call.arguments.iter().rev().collect()),
        _ => None,
    }
}

fn range<'a>(value: &'a ast::Expr, low: &'a ast::Expr, high: &'a ast::Expr) -> Part<'a> {
    let above = Question::Compare(value, CompareOp::GreaterOrEqual, low);
    let below = Question::Compare(value, CompareOp::LessOrEqual, high);
    Part::All(vec![Part::Ask(above), Part::Ask(below)])
}

/// `value in set`, where the set is a list, a network, or a field that is one or the value itself.
fn one_of<'a>(value: &'a ast::Expr, set: &'a ast::Expr) -> Question<'a> {
    match &set.kind {
        ast::ExprKind::List(list) => Question::Listed(value, &list.name),
        ast::ExprKind::Literal(ast::Literal::Cidr(_)) => Question::Within(value, set),
        ast::ExprKind::Path(path) if ["tags", "codes"].contains(&path.text().as_str()) => {
            Question::Contains(value, set)
        }
        ast::ExprKind::Path(path) if path.text() == "net" => Question::Within(value, set),
        _ => Question::Compare(value, CompareOp::Equal, set),
    }
}

/// `in [a, b]` is `== a or == b`.
fn among<'a>(value: Fact<'a>, elements: impl Iterator<Item = Fact<'a>>, exchange: Exchange<'_>) -> Answer {
    let mut result = Ok(false);
    for element in elements {
        match plain::compare(CompareOp::Equal, value, element, exchange) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(cause) => result = result.and(Err(cause)),
        }
    }
    result
}

/// Whether the first `length` bits agree.
fn inside(ip: IpAddr, base: IpAddr, length: u8) -> bool {
    match (ip, base) {
        (IpAddr::V4(ip), IpAddr::V4(base)) => u64::from(ip.to_bits() ^ base.to_bits()) >> (32 - u32::from(length)) == 0,
        (IpAddr::V6(ip), IpAddr::V6(base)) => {
            (ip.to_bits() ^ base.to_bits()).checked_shr(128 - u32::from(length)).unwrap_or(0) == 0
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}
