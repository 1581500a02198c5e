//! Questions about the past: aggregates and earlier appearances, as slots of the history plan.

use grammar::{Diagnostic, Span, ast};

use super::{
    Checker, Scope,
    atom::in_parentheses,
    resolve::{Lookup, Typed},
};
use crate::{
    codes::Currency,
    history::{
        RETENTION_MS,
        plan::{Bound, CalendarUnit, EventKind, FieldRef, Function, SeenKind, SeenSpec, Unit, Window, WindowSpec},
    },
    ir::{Ask, Expr},
    program::{Filter, Kept},
    types::Type,
    value::Value,
};

/// The steps in the life of a challenge that are history too.
pub const CHALLENGE_EVENTS: [(&str, EventKind); 4] = [
    ("challenge.issued", EventKind::ChallengeIssued),
    ("challenge.succeeded", EventKind::ChallengeSucceeded),
    ("challenge.declined", EventKind::ChallengeDeclined),
    ("challenge.expired", EventKind::ChallengeExpired),
];

impl<'a> Checker<'a> {
    pub(super) fn aggregate(
        &mut self,
        aggregate: &'a ast::Aggregate,
        span: Span,
        scope: &Scope,
        hint: Option<Currency>,
    ) -> Option<Typed> {
        self.not_in_where(span, scope)?;
        let named = self.event_named_so(&aggregate.event.text());
        if named.is_none() && self.field_for_event(aggregate, scope, hint).is_some() {
            return None;
        }
        let event = self.event_kind(&aggregate.event)?;
        if self.event_for_field(aggregate, event).is_some() {
            return None;
        }
        let past = past_scope(event, scope);
        let counts = aggregate.function == ast::AggregateFn::Count;
        let currency = hint.filter(|_| !counts && self.draft.rates.is_some());
        let argument = aggregate.argument.as_ref().map(|path| self.recorded_field(path, &past, currency));
        let filter = aggregate.filter.as_ref().map(|filter| self.filter(filter, event, &past));
        let keys: Vec<_> = aggregate.keys.iter().map(|key| self.key(key, &past, scope)).collect();
        let window = self.window(&aggregate.window, scope);
        let anchored = match &aggregate.window {
            ast::Window::Since(anchor) => self.anchored(anchor, &aggregate.keys, scope),
            ast::Window::Sliding(_) | ast::Window::Tumbling(_) | ast::Window::Calendar(_) => Some(()),
        };
        // Everything is checked before the first failure counts.
        let argument = match argument {
            Some(argument) => Some(argument?),
            None => None,
        };
        let (filter, filter_text) = match filter {
            Some(filter) => {
                let (id, text) = filter?;
                (Some(id), format!(" where {}", in_parentheses(text)))
            }
            None => (None, String::new()),
        };
        let keys: Vec<(FieldRef, String)> = keys.into_iter().collect::<Option<_>>()?;
        let (window, window_text) = window?;
        anchored?;
        let (function, unit, ty) = self.function(aggregate, argument.as_ref(), hint)?;
        if aggregate.including_this && !self.can_include(event, scope) {
            self.report(
                Diagnostic::error("including-another", "`including this` counts the event being judged")
                    .at(aggregate.event.span, "which is never one of these")
                    .help("leave `including this` out"),
            );
            return None;
        }
        let names: Vec<&str> = keys.iter().map(|(_, name)| name.as_str()).collect();
        let distinct = if aggregate.distinct { "distinct " } else { "" };
        let argument_text = argument.as_ref().map_or("", |(_, typed)| typed.text.as_str());
        let short = format!("{}({distinct}{argument_text}) of {}", aggregate.function.name(), aggregate.event.text());
        let including = if aggregate.including_this { " including this" } else { "" };
        let text = format!("{short}{filter_text} by {} {window_text}{including}", names.join(", "));
        let slot = self.draft.plan.intern_window(WindowSpec {
            event,
            filter,
            keys: keys.into_iter().map(|(key, _)| key).collect(),
            function,
            distinct: aggregate.distinct,
            unit,
            window,
            including_this: aggregate.including_this,
            // Raised to what the comparison around it needs, in `bound_windows`.
            bound: Bound::AtMost(0),
        });
        if !self.asked.windows.contains(&slot) {
            self.asked.windows.push(slot);
        }
        self.reads.push((text.as_str().into(), Expr::Window(slot)));
        Some(Typed::new(Expr::Window(slot), ty, text))
    }

    fn function(
        &mut self,
        aggregate: &ast::Aggregate,
        argument: Option<&(FieldRef, Typed)>,
        hint: Option<Currency>,
    ) -> Option<(Function, Unit, Type)> {
        let name = aggregate.function.name();
        if aggregate.function == ast::AggregateFn::Count {
            return match (aggregate.distinct, argument) {
                (true, Some((field, _))) => Some((Function::CountDistinct(*field), Unit::Int, Type::Int)),
                (false, None) => Some((Function::Count, Unit::Int, Type::Int)),
                (false, Some((_, typed))) => {
                    let text = format!("`count` counts events; to count values write `count(distinct {})`", typed.text);
                    self.report(Diagnostic::error("argument-count", text).at(aggregate.function_span, "of what?"));
                    None
                }
                (true, None) => {
                    self.report(
                        Diagnostic::error("argument-count", "`distinct` needs a field")
                            .at(aggregate.function_span, "distinct what?"),
                    );
                    None
                }
            };
        }
        let Some((field, typed)) = argument else {
            let text = format!("`{name}` needs a field, as in `{name}(amount)`");
            self.report(Diagnostic::error("argument-count", text).at(aggregate.function_span, "of what?"));
            return None;
        };
        let additive = !matches!(aggregate.function, ast::AggregateFn::Min | ast::AggregateFn::Max);
        let unit = unit_of(&typed.ty, typed.currency.or(hint)).filter(|_| !additive || typed.ty.sums());
        let Some(unit) = unit else {
            let text = format!("`{name}` does not work on {}", typed.ty);
            self.report(
                Diagnostic::error("type-mismatch", text)
                    .at(aggregate.function_span, "needs numbers")
                    .help("use `count(distinct …)` for values that cannot be added up"),
            );
            return None;
        };
        let mean = if typed.ty == Type::Int { Type::Decimal } else { typed.ty.clone() };
        Some(match aggregate.function {
            ast::AggregateFn::Count => (Function::Count, Unit::Int, Type::Int),
            ast::AggregateFn::Sum => (Function::Sum(*field), unit, typed.ty.clone()),
            ast::AggregateFn::Avg => (Function::Avg(*field), unit, mean),
            ast::AggregateFn::Min => (Function::Min(*field), unit, typed.ty.clone()),
            ast::AggregateFn::Max => (Function::Max(*field), unit, typed.ty.clone()),
            ast::AggregateFn::Stddev => (Function::Stddev(*field), unit, mean),
            ast::AggregateFn::P95 => (Function::P95(*field), unit, typed.ty.clone()),
        })
    }

    pub(super) fn seen(&mut self, seen: &'a ast::Seen, span: Span, scope: &Scope) -> Option<Typed> {
        self.not_in_where(span, scope)?;
        let what = self.current_field(&seen.what, scope);
        let keys: Vec<_> = seen.keys.iter().map(|key| self.current_field(key, scope)).collect();
        let within = match &seen.within {
            Some(within) => Some((self.length(within)?, within.text.clone())),
            None => None,
        };
        let what = what?;
        let keys: Vec<(FieldRef, String)> = keys.into_iter().collect::<Option<_>>()?;
        let (kind, ty) = match seen.function {
            ast::SeenFn::First => (SeenKind::First, Type::Timestamp),
            ast::SeenFn::Last => (SeenKind::Last, Type::Timestamp),
            ast::SeenFn::Times => (SeenKind::Times, Type::Int),
        };
        let names: Vec<&str> = keys.iter().map(|(_, name)| name.as_str()).collect();
        let within_text = within.as_ref().map_or(String::new(), |(_, text)| format!(" within {text}"));
        let text = format!("{}({}) by {}{within_text}", seen.function.name(), what.1, names.join(", "));
        let slot = self.draft.plan.intern_seen(SeenSpec {
            kind,
            what: what.0,
            keys: keys.into_iter().map(|(key, _)| key).collect(),
            within_ms: within.map(|(ms, _)| ms),
            bound: Bound::AtMost(0),
        });
        if !self.asked.seen.contains(&slot) {
            self.asked.seen.push(slot);
        }
        self.reads.push((text.as_str().into(), Expr::Seen(slot)));
        Some(Typed::new(Expr::Seen(slot), ty, text))
    }

    fn not_in_where(&mut self, span: Span, scope: &Scope) -> Option<()> {
        if scope.filter_of.is_none() {
            return Some(());
        }
        self.report(
            Diagnostic::error("history-in-where", "history inside `where (…)` of history")
                .at(span, "not here")
                .help("a `where` reads one past event; combine two aggregates with `and` instead"),
        );
        None
    }

    fn event_named_so(&self, name: &str) -> Option<EventKind> {
        let challenge = CHALLENGE_EVENTS.iter().find(|(other, _)| *other == name).map(|(_, kind)| *kind);
        challenge.or_else(|| self.event_names.get(name).map(|(id, _)| EventKind::Action(*id)))
    }

    pub(super) fn event_kind(&mut self, path: &ast::Path) -> Option<EventKind> {
        let text = path.text();
        if let Some(kind) = self.event_named_so(&text) {
            return Some(kind);
        }
        let mut names: Vec<String> = self.event_names.keys().cloned().collect();
        names.extend(CHALLENGE_EVENTS.iter().map(|(name, _)| (*name).to_owned()));
        names.sort();
        let message = format!("there is no event `{text}`");
        let finding = Diagnostic::error("unknown-event", message).at(path.span, "not an event");
        if let Some(step) = text.strip_prefix("challenge.") {
            let steps = "the steps of a challenge are `issued`, `succeeded`, `declined` and `expired`";
            let meant = match step {
                "success" | "succeed" | "successful" | "passed" | "completed" | "approved" => "challenge.succeeded",
                "failed" | "failure" | "denied" | "rejected" | "decline" => "challenge.declined",
                "created" | "started" | "sent" | "issue" => "challenge.issued",
                "timeout" | "timed_out" | "expire" => "challenge.expired",
                _ => "",
            };
            self.unknown(
                &text,
                match meant {
                    "" => finding.near(&text, path.span, CHALLENGE_EVENTS.iter().map(|(name, _)| *name)).or_help(steps),
                    _ => finding.suggest(format!("{steps}: did you mean `{meant}`?"), path.span, meant),
                },
            );
            return None;
        }
        let finding = finding
            .near(&text, path.span, names.iter().map(String::as_str))
            .or_help("declare it: `event name { field: type }`");
        self.unknown(&text, finding);
        None
    }

    fn can_include(&self, event: EventKind, scope: &Scope) -> bool {
        match event {
            // Of which events a `let` that nothing reads would be asked, is not known.
            EventKind::Action(id) => scope.lenient || scope.events.contains(&id),
            EventKind::ChallengeIssued
            | EventKind::ChallengeSucceeded
            | EventKind::ChallengeDeclined
            | EventKind::ChallengeExpired => false,
        }
    }

    /// A field of past events that history records; amounts of money in this currency, if one is given.
    fn recorded_field(
        &mut self,
        path: &ast::Path,
        past: &Scope,
        currency: Option<Currency>,
    ) -> Option<(FieldRef, Typed)> {
        let marks = (self.optional.len(), self.reads.len());
        let typed = self.resolve(path, past);
        // A past event without the field is skipped: nothing is unknown because of it.
        self.optional.truncate(marks.0);
        self.reads.truncate(marks.1);
        let typed = typed?;
        self.record(&typed, path, currency).map(|field| (field, typed))
    }

    /// A key: a field that past events have, and the event being judged.
    fn key(&mut self, path: &ast::Path, past: &Scope, scope: &Scope) -> Option<(FieldRef, String)> {
        let now = self.resolve(path, scope)?;
        let (field, then) = self.recorded_field(path, past, None)?;
        if then.ty != now.ty {
            let text = format!("`{}` is {} now and was {} then", now.text, now.ty, then.ty);
            self.report(Diagnostic::error("type-mismatch", text).at(path.span, "two types"));
            return None;
        }
        Some((field, now.text))
    }

    /// The event behind `since` is looked for by the same keys: without one of them it would never be found, and the
    /// window would silently reach back for ever.
    fn anchored(&mut self, anchor: &ast::Path, keys: &[ast::Path], scope: &Scope) -> Option<()> {
        // A step of a challenge has the fields of the event it belongs to; any other name has been reported.
        let Some((id, _)) = self.event_names.get(&anchor.text()).copied() else { return Some(()) };
        let past = past_scope(EventKind::Action(id), scope);
        let mut found = Some(());
        for key in keys {
            let name = key.text();
            let (now, then) = (self.lookup(&name, key, scope), self.lookup(&name, key, &past));
            let (code, text) = match (now, then) {
                (Lookup::Found(_, now, _), Lookup::Found(_, then, _)) if now == then => continue,
                (Lookup::Found(_, now, _), Lookup::Found(_, then, _)) => {
                    ("type-mismatch", format!("`{name}` is {now} here and {then} on `{}`", anchor.text()))
                }
                (Lookup::Found(..), _) => {
                    ("unknown-signal", format!("the event `{}` has no field `{name}`", anchor.text()))
                }
                // The key itself has been reported.
                (_, _) => continue,
            };
            self.report(
                Diagnostic::error(code, text)
                    .at(anchor.span, "never found by this key")
                    .also(key.span, "the key")
                    .help(
                        "`since` looks for its event by the same keys: declare the field there, or leave the key out",
                    ),
            );
            found = None;
        }
        found
    }

    fn current_field(&mut self, path: &ast::Path, scope: &Scope) -> Option<(FieldRef, String)> {
        let typed = self.resolve(path, scope)?;
        self.record(&typed, path, None).map(|field| (field, typed.text))
    }

    fn record(&mut self, typed: &Typed, path: &ast::Path, currency: Option<Currency>) -> Option<FieldRef> {
        let anchored = match &typed.expr {
            Expr::Field(_) => false,
            Expr::Signal(signal) => signal_is_history(*signal),
            _ => true,
        };
        if anchored || typed.ty == Type::Geo || matches!(typed.ty, Type::List(_)) {
            let text = format!("history is not kept by `{}`", typed.text);
            self.report(
                Diagnostic::error("not-a-key", text)
                    .at(path.span, typed.ty.to_string())
                    .help("use a plain field of the event, like `user`, `ip` or `geo.country`"),
            );
            return None;
        }
        let currency = currency.filter(|_| typed.ty == Type::Money);
        let name = match currency {
            Some(currency) => format!("{} in {currency}", typed.text),
            None => typed.text.clone(),
        };
        let field = self.draft.plan.intern_field(&name)?;
        if usize::from(field.0) == self.draft.recorded.fields.len() {
            self.draft.recorded.fields.push(Kept { expr: typed.expr.clone(), currency });
        }
        Some(field)
    }

    fn filter(
        &mut self,
        filter: &'a ast::Expr,
        event: EventKind,
        past: &Scope,
    ) -> Option<(crate::history::plan::FilterId, String)> {
        let optional = self.optional.len();
        let reads = self.reads.len();
        let checked = self.condition(filter, past);
        // A past event whose `where` is unknown widens the interval; that is weaker evidence, not absence here.
        self.optional.truncate(optional);
        self.reads.truncate(reads);
        let checked = checked?;
        let about = match event {
            EventKind::Action(id) => {
                self.draft.events.get(usize::from(id.0)).map(|event| event.name.to_string()).unwrap_or_default()
            }
            kind => CHALLENGE_EVENTS.iter().find(|(_, other)| *other == kind).map_or("", |(name, _)| name).to_owned(),
        };
        let id = self.draft.plan.intern_filter(&format!("{about}: {}", checked.text))?;
        if usize::from(id.0) == self.draft.recorded.filters.len() {
            self.draft.recorded.filters.push(Filter { event, cond: checked.cond });
        }
        Some((id, checked.text))
    }

    fn window(&mut self, window: &'a ast::Window, scope: &Scope) -> Option<(Window, String)> {
        match window {
            ast::Window::Sliding(length) => {
                Some((Window::Sliding(self.length(length)?), format!("over {}", length.text)))
            }
            ast::Window::Tumbling(length) => {
                Some((Window::Tumbling(self.length(length)?), format!("over tumbling {}", length.text)))
            }
            ast::Window::Since(path) => Some((Window::Since(self.event_kind(path)?), format!("since {}", path.text()))),
            ast::Window::Calendar(calendar) => {
                let zone = self.zone(&calendar.zone, scope)?;
                let unit = match calendar.unit {
                    ast::CalendarUnit::Hour => CalendarUnit::Hour,
                    ast::CalendarUnit::Day => CalendarUnit::Day,
                    ast::CalendarUnit::Week => CalendarUnit::Week,
                    ast::CalendarUnit::Month => CalendarUnit::Month,
                };
                let slot = self.draft.plan.intern_zone(&zone.text)?;
                if usize::from(slot.0) == self.draft.recorded.zones.len() {
                    self.draft.recorded.zones.push(zone.expr);
                }
                let text = format!("over calendar {} in {}", calendar.unit.name(), zone.text);
                Some((Window::Calendar { unit, zone: slot }, text))
            }
        }
    }

    fn length(&mut self, duration: &ast::Duration) -> Option<i64> {
        let ms = self.positive(duration, "a window has some length", "nothing is in it")?;
        if ms > RETENTION_MS {
            let days = RETENTION_MS / 86_400_000;
            self.report(
                Diagnostic::error("number-out-of-range", format!("history reaches back {days} days"))
                    .at(duration.span, "what came before is not known")
                    .help(format!("write `{days}d` or less")),
            );
            return None;
        }
        Some(ms)
    }

    /// A length of time that is not nothing.
    pub(super) fn positive(&mut self, duration: &ast::Duration, what: &str, label: &str) -> Option<i64> {
        let ms = self.duration(duration)?;
        if ms == 0 {
            self.report(Diagnostic::error("number-out-of-range", what).at(duration.span, label));
            return None;
        }
        Some(ms)
    }

    /// Tells history the largest constant each aggregate of an atom is compared with.
    pub(super) fn bound_windows(&mut self, ask: &Ask) {
        match ask {
            Ask::Compare(_, a, b) => match (a, b) {
                (aggregate @ (Expr::Window(_) | Expr::Seen(_)), Expr::Const(constant))
                | (Expr::Const(constant), aggregate @ (Expr::Window(_) | Expr::Seen(_))) => {
                    self.bound(aggregate, Some(constant));
                }
                (a, b) => {
                    self.unbounded(a);
                    self.unbounded(b);
                }
            },
            Ask::Holds(a) | Ask::Among(a, _) | Ask::Within(a, _) | Ask::Matches(a, _) => self.unbounded(a),
            Ask::Missing(a) | Ask::Known(a) => self.unbounded(a),
            Ask::Contains(a, b) => {
                self.unbounded(a);
                self.unbounded(b);
            }
            Ask::Clock { time, zone, .. } => {
                self.unbounded(time);
                self.unbounded(zone);
            }
            Ask::Listed(question) => {
                if let Some(value) = self.draft.questions.get(*question).map(|question| question.value.clone()) {
                    self.unbounded(&value);
                }
            }
        }
    }

    fn bound(&mut self, aggregate: &Expr, constant: Option<&Value>) {
        let plan = &mut self.draft.plan;
        match aggregate {
            Expr::Window(slot) => {
                if let Some(spec) = plan.windows.get_mut(*slot) {
                    let bound = constant.map_or(Bound::Unbounded, |value| Bound::for_constant(value, spec.unit));
                    spec.bound = spec.bound.max(bound);
                }
            }
            Expr::Seen(slot) => {
                if let Some(spec) = plan.seen.get_mut(*slot) {
                    let bound = constant.map_or(Bound::Unbounded, |value| Bound::for_constant(value, Unit::Int));
                    spec.bound = spec.bound.max(bound);
                }
            }
            _ => {}
        }
    }

    fn unbounded(&mut self, expr: &Expr) {
        match expr {
            Expr::Window(_) | Expr::Seen(_) => self.bound(expr, None),
            Expr::Arithmetic(_, a, b) | Expr::Coalesce(a, b) | Expr::Weekday(a, b) => {
                self.unbounded(a);
                self.unbounded(b);
            }
            Expr::Script(_, arguments) => arguments.iter().for_each(|argument| self.unbounded(argument)),
            // The atoms of a condition were bounded when they were made.
            Expr::Test(_)
            | Expr::Const(_)
            | Expr::Field(_)
            | Expr::Signal(_)
            | Expr::Distance(_, _)
            | Expr::Speed(_, _) => {}
        }
    }
}

/// Where the fields of past events are looked up.
fn past_scope(event: EventKind, scope: &Scope) -> Scope {
    let events = match event {
        EventKind::Action(id) => vec![id],
        EventKind::ChallengeIssued
        | EventKind::ChallengeSucceeded
        | EventKind::ChallengeDeclined
        | EventKind::ChallengeExpired => Vec::new(),
    };
    Scope { filter_of: Some(event), says_unknown: scope.says_unknown, ..Scope::of(events, scope.policy) }
}

fn signal_is_history(signal: crate::ir::Signal) -> bool {
    use crate::ir::{Moment, Signal};
    match signal {
        Signal::Geo(moment, _) | Signal::Time(moment) | Signal::Ip(moment) | Signal::Device(moment) => {
            moment != Moment::Now
        }
        Signal::User | Signal::Action | Signal::Network(_) | Signal::UserTz | Signal::UserHomeCountry => false,
        Signal::Status | Signal::Completed => true,
    }
}

fn unit_of(ty: &Type, currency: Option<Currency>) -> Option<Unit> {
    match ty {
        Type::Int => Some(Unit::Int),
        Type::Decimal => Some(Unit::Decimal),
        Type::Percent => Some(Unit::Percent),
        Type::Money => Some(Unit::Money(currency)),
        Type::Duration => Some(Unit::Duration),
        Type::Timestamp => Some(Unit::Timestamp),
        Type::Speed => Some(Unit::Speed),
        Type::Distance => Some(Unit::Distance),
        Type::Bool
        | Type::Weekday
        | Type::Country
        | Type::Currency
        | Type::Asn
        | Type::Ip
        | Type::Cidr
        | Type::Geo
        | Type::Text
        | Type::User
        | Type::Device
        | Type::Status
        | Type::List(_) => None,
    }
}
