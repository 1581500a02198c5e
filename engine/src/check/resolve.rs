//! Paths to what they name: a field of the event, a standard field, or a fact that is looked up.

use std::sync::Arc;

use grammar::{Diagnostic, Span, ast};

use super::{Checker, OptionalRead, Scope, expr::quoted};
use crate::{
    codes::Country,
    codes::Currency,
    event::EventId,
    ir::{Expr, Signal},
    schema::{FieldSchema, From},
    types::Type,
    value::weekday_named,
};

/// What a path or an expression comes to.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    pub expr: Expr,
    pub ty: Type,
    /// As written, with every `let` expanded and spaces normalised.
    pub text: String,
    /// The currency, where it is certain.
    pub currency: Option<Currency>,
    /// The only values it can have, where its field is an `enum`; empty otherwise.
    pub choices: Arc<[Arc<str>]>,
}

impl Typed {
    pub fn new(expr: Expr, ty: Type, text: impl Into<String>) -> Typed {
        Typed { expr, ty, text: text.into(), currency: None, choices: Arc::default() }
    }
}

impl Checker<'_> {
    /// The field a path names, without `let`s. Notes the read for the trace and the lints.
    pub(super) fn resolve(&mut self, path: &ast::Path, scope: &Scope) -> Option<Typed> {
        let text = path.text();
        let (expr, ty, optional) = match self.lookup(&text, path, scope) {
            Lookup::Found(expr, ty, optional) => (expr, ty, optional),
            Lookup::Reported => return None,
            Lookup::Nothing => {
                if let Some(day) = weekday_named(&text) {
                    return Some(Typed::new(Expr::Const(day), Type::Weekday, text));
                }
                self.no_such_signal(&text, path, scope);
                return None;
            }
        };
        if let Expr::Signal(signal) = &expr {
            self.draft.need(*signal);
            let anchored = matches!(
                signal,
                Signal::Geo(crate::ir::Moment::LastVerified | crate::ir::Moment::Previous, _)
                    | Signal::Time(crate::ir::Moment::LastVerified | crate::ir::Moment::Previous)
                    | Signal::Ip(_)
                    | Signal::Device(_)
            );
            if anchored {
                if scope.filter_of.is_some() {
                    self.report(
                        Diagnostic::error("history-in-where", format!("`{text}` is history, and so is the `where`"))
                            .at(path.span, "not inside `where (…)`")
                            .help("compare it outside of the aggregate"),
                    );
                    return None;
                }
                self.draft.plan.anchors = true;
                // A snapshot holds where its event was: every event must be located.
                self.draft.needs.geo = true;
                self.draft.needs.network = true;
            }
        }
        if optional {
            self.optional.push(OptionalRead { path: text.clone(), span: path.span });
        }
        self.reads.push((text.as_str().into(), expr.clone()));
        let choices = if matches!(expr, Expr::Field(_)) { self.choices(&text, scope) } else { Arc::default() };
        Some(Typed { choices, ..Typed::new(expr, ty, text) })
    }

    /// The values the field can have on any of the events, if it is an `enum` on all of them.
    fn choices(&self, name: &str, scope: &Scope) -> Arc<[Arc<str>]> {
        let fields = self.declared(&scope.events, name);
        if fields.iter().any(|(_, field)| field.choices.is_empty()) {
            return Arc::default();
        }
        fields.iter().flat_map(|(_, field)| field.choices.iter().cloned()).collect()
    }

    pub(super) fn lookup(&mut self, text: &str, path: &ast::Path, scope: &Scope) -> Lookup {
        if scope.filter_of.is_some() {
            match text {
                "completed" => return Lookup::Found(Expr::Signal(Signal::Completed), Type::Bool, false),
                "status" if self.declared(&scope.events, text).is_empty() => {
                    return Lookup::Found(Expr::Signal(Signal::Status), Type::Status, false);
                }
                _ => {}
            }
        }
        if let Some(name) = path.single() {
            let declared = self.declared(&scope.events, name);
            if let Some((_, first)) = declared.first() {
                let first = first.clone();
                let lacking = scope.events.iter().find(|id| !declared.iter().any(|(other, _)| other == *id));
                if let Some(lacking) = lacking.and_then(|id| self.draft.events.get(usize::from(id.0))) {
                    let event = Arc::clone(&lacking.name);
                    self.report(
                        Diagnostic::error("unknown-signal", format!("the event `{event}` has no field `{name}`"))
                            .at(path.span, format!("not on `{event}`"))
                            .help("a policy for several events reads only fields that all of them have"),
                    );
                    return Lookup::Reported;
                }
                if let Some((_, other)) = declared.iter().find(|(_, field)| field.ty != first.ty) {
                    let text = format!("`{name}` is {} on one event and {} on another", first.ty, other.ty);
                    self.report(
                        Diagnostic::error("type-mismatch", text)
                            .at(path.span, "two types")
                            .help("write one policy per event"),
                    );
                    return Lookup::Reported;
                }
                let optional = declared.iter().any(|(_, field)| field.optional);
                return match self.draft.slot(name) {
                    Some(slot) => Lookup::Found(Expr::Field(slot), first.ty, optional),
                    None => Lookup::Nothing,
                };
            }
        }
        let Some(standard) = self.standard.iter().find(|standard| standard.path == text).cloned() else {
            return Lookup::Nothing;
        };
        let required = !scope.events.is_empty()
            && scope
                .events
                .iter()
                .all(|id| self.draft.events.get(usize::from(id.0)).is_some_and(|event| event.requires(standard.path)));
        let optional = standard.optional && !required;
        match standard.from {
            From::Event => match self.draft.slot(text) {
                Some(slot) => Lookup::Found(Expr::Field(slot), standard.ty, optional),
                None => Lookup::Nothing,
            },
            From::Signal(signal) => Lookup::Found(Expr::Signal(signal), standard.ty, optional),
        }
    }

    pub(super) fn declared(&self, events: &[EventId], name: &str) -> Vec<(EventId, FieldSchema)> {
        let events = events.iter().filter_map(|id| self.draft.events.get(usize::from(id.0)));
        events.filter_map(|event| Some((event.id, event.field(name)?.clone()))).collect()
    }

    fn no_such_signal(&mut self, text: &str, path: &ast::Path, scope: &Scope) {
        // Of what could not be read, nobody knows what it has.
        let declared = path.segments.iter().any(|segment| self.broken.contains(&segment.name));
        if scope.lenient || declared {
            return;
        }
        let mut candidates: Vec<String> = self.standard.iter().map(|standard| standard.path.to_owned()).collect();
        let events = scope.events.iter().filter_map(|id| self.draft.events.get(usize::from(id.0)));
        candidates.extend(events.flat_map(|event| event.fields.iter().map(|field| field.name.to_string())));
        let lets = self.lets.keys().filter(|(policy, _)| policy.is_none() || *policy == scope.policy);
        candidates.extend(lets.map(|(_, name)| name.clone()));
        candidates.sort();
        let finding =
            Diagnostic::error("unknown-signal", format!("there is no signal `{text}`")).at(path.span, "not a signal");
        let beside = self.beside.take().filter(|_| path.single().is_some());
        if let Some((_, choices)) = &beside
            && !choices.is_empty()
        {
            return self.report(a_choice(finding, text, path.span, choices));
        }
        if let Some(help) = another_kind(text) {
            return self.report(finding.help(help));
        }
        if let Some(day) = day_in_short(text) {
            return self.report(finding.suggest(format!("a day is written in full: `{day}`"), path.span, day));
        }
        if let Some(ours) = named_here(text) {
            return self.report(finding.suggest(format!("here it is called `{ours}`"), path.span, ours));
        }
        if let Some((Type::Country, _)) = &beside
            && let Some(country) = Country::parse(&text.to_ascii_uppercase()).or_else(|| Country::named(text))
        {
            let help = format!("a country is the two capitals of its code: `{country}`");
            return self.report(finding.correct(help, path.span, country.to_string()));
        }
        let finding = finding.near(text, path.span, candidates.iter().map(String::as_str));
        if finding.fix.is_some() {
            return self.report(finding);
        }
        let texts = matches!(beside, Some((Type::Text | Type::User | Type::Device | Type::Status, _)));
        if self.list_names.contains_key(text) && texts {
            let help = format!("the name of a list begins with `@`: did you mean `in @{text}`?");
            return self.report(finding.suggest(help, path.span, format!("@{text}")));
        }
        if let Some((Type::Text | Type::User | Type::Device | Type::Status, _)) = beside {
            let written = quoted(text);
            let help = format!("if a text is meant, it stands in double quotes: `{written}`");
            return self.report(finding.suggest(help, path.span, written));
        }
        let finding = match self.no_signal_but(text) {
            Some((help, replacement)) => return self.report(finding.correct(help, path.span, replacement)),
            None => finding,
        };
        // `country`: the last part of a longer name, rather of this event than of an earlier one.
        let end = format!(".{text}");
        let longer = self.standard.iter().map(|standard| standard.path).filter(|path| path.ends_with(&end));
        if let Some(longer) = longer.min_by_key(|path| path.len()) {
            return self.report(finding.suggest(format!("did you mean `{longer}`?"), path.span, longer));
        }
        let elsewhere = self.draft.events.iter().find(|event| event.field(text).is_some());
        let finding = match elsewhere {
            Some(event) if scope.events.is_empty() => finding.help(format!(
                "`{text}` is a field of the event `{}`; a policy `on any` reads standard fields only",
                event.name
            )),
            Some(event) => finding.help(format!("`{text}` is a field of another event, `{}`", event.name)),
            None => match Country::parse(&text.to_ascii_uppercase()) {
                Some(country) => {
                    let help =
                        format!("declare it on the event; if a country is meant, it is two capitals: `{country}`");
                    finding.suggest(help, path.span, country.to_string())
                }
                None => finding.help("declare it on the event: `event … { name: type }`"),
            },
        };
        self.report(finding);
    }
}

impl Checker<'_> {
    /// What else a name may be, and how that is written.
    fn no_signal_but(&self, text: &str) -> Option<(String, String)> {
        if self.list_names.contains_key(text) {
            return Some((format!("the name of a list begins with `@`: `@{text}`"), format!("@{text}")));
        }
        let written = match text {
            "True" | "TRUE" | "yes" | "Yes" | "YES" => "true",
            "False" | "FALSE" | "no" | "No" | "NO" => "false",
            _ => return None,
        };
        Some((format!("write `{written}`"), written.to_owned()))
    }
}

/// A name beside a field with few values, of which it is one without its quotes.
fn a_choice(finding: Diagnostic, text: &str, span: Span, choices: &[Arc<str>]) -> Diagnostic {
    match grammar::meant(text, choices.iter().map(|choice| &**choice)) {
        _ if choices.iter().any(|choice| **choice == *text) => {
            let written = quoted(text);
            finding.correct(format!("a value stands in double quotes: `{written}`"), span, written)
        }
        Some((near, sure)) => finding.with_fix(format!("did you mean `{}`?", quoted(near)), span, quoted(near), sure),
        None => {
            let written: Vec<String> = choices.iter().map(|choice| quoted(choice)).collect();
            finding.help(format!("write one of `{}`", written.join("`, `")))
        }
    }
}

/// `sat`, `Monday`
pub(super) fn day_in_short(text: &str) -> Option<&'static str> {
    const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let lower = text.to_ascii_lowercase();
    DAYS.into_iter().find(|day| lower.len() >= 3 && day.starts_with(&lower))
}

/// How to ask for what is no signal, but something else.
fn another_kind(text: &str) -> Option<&'static str> {
    Some(match text {
        "completed" | "status" => "it is known of past events only: write it inside `where (…)`",
        "challenge.issued" | "challenge.succeeded" | "challenge.declined" | "challenge.expired" => {
            "it is an event of the past: count it, as in `count() of challenge.declined by user over 10m`, or look `since` it"
        }
        "day" | "weekday" | "day_of_week" => {
            "ask `weekday(time, \"UTC\")`, or in the user's zone: `weekday(time, user.tz ?? \"UTC\")`"
        }
        "hour" | "time_of_day" => "ask for a range of the clock: `time in 22:00..06:00 tz user.tz ?? \"UTC\"`",
        "today" | "yesterday" | "tomorrow" => "a moment is written from `now`, as in `now - 1d`, or as a date",
        _ => return None,
    })
}

/// The name in rules of what callers and other systems name otherwise.
fn named_here(text: &str) -> Option<&'static str> {
    Some(match text {
        "userId" | "userID" | "user_id" | "user.id" => "user",
        "ipAddress" | "ip_address" | "ip_addr" | "ip.address" | "remote_ip" | "client_ip" => "ip",
        "deviceId" | "deviceID" | "device_id" | "device.id" => "device",
        "deviceName" | "device_name" => "device.name",
        "phoneNumber" | "phone_number" => "phone",
        "userAgent" | "useragent" | "ua" => "user_agent",
        "sessionId" | "session_id" | "session.id" => "session",
        "timestamp" => "time",
        "asn" | "ip.as" => "ip.asn",
        "geo.latitude" | "latitude" | "lat" => "geo.lat",
        "geo.longitude" | "longitude" | "lon" | "lng" => "geo.lon",
        "timezone" | "time_zone" | "user.timezone" | "user.time_zone" => "user.tz",
        "user.country" | "home_country" => "user.home_country",
        _ => return None,
    })
}

/// What a path names.
pub(super) enum Lookup {
    Found(Expr, Type, bool),
    Reported,
    Nothing,
}

impl super::Draft {
    pub(super) fn slot(&self, name: &str) -> Option<crate::event::Slot> {
        let position = self.slots.iter().position(|slot| **slot == *name)?;
        u16::try_from(position).ok().map(crate::event::Slot)
    }
}
