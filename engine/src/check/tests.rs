//! Tests and proofs: their records are typed by the schema, their expectations name what exists.

use std::{collections::HashMap, sync::Arc};

use grammar::{Diagnostic, FileId, Span, ast};

use super::{Checker, Scope};
use crate::{
    codes::Country,
    event::EventId,
    history::plan::EventKind,
    ir::NetworkFact,
    program::Proof,
    status::Status,
    testing::{Expectation, Given, Target, TestCase, TestEvent, TestHistory, TestList},
    types::Type,
    value::{Value, WEEKDAYS, weekday_named},
};

/// The most events in one line of a test's history.
pub const MOST_HISTORY: u32 = 100_000;

impl<'a> Checker<'a> {
    pub(super) fn tests(&mut self, items: impl Iterator<Item = &'a ast::Item>) {
        let mut names: HashMap<(FileId, &str), Span> = HashMap::new();
        for item in items {
            match item {
                ast::Item::Test(test) => {
                    if let Some(first) = names.insert((test.span.file, &test.name.value), test.name.span) {
                        let text = format!("there are two tests \"{}\"", test.name.value);
                        let help = "names of tests are unique in a file: say what is different here";
                        self.named_again(text, test.name.span, first, help);
                    }
                    if let Some(case) = self.test(test) {
                        self.draft.tests.push(case);
                    }
                }
                ast::Item::Prove(prove) => self.prove(prove),
                ast::Item::Import(_)
                | ast::Item::Rates(_)
                | ast::Item::Event(_)
                | ast::Item::List(_)
                | ast::Item::Script(_)
                | ast::Item::Reason(_)
                | ast::Item::Let(_)
                | ast::Item::Policy(_) => {}
            }
        }
    }

    fn prove(&mut self, prove: &'a ast::Prove) {
        let event = self.event_named(&prove.event);
        if let (Some(event), Some(condition)) = (event, &prove.condition) {
            self.nodes = 0;
            let scope = Scope::of(vec![event], None);
            let _ = self.condition(condition, &scope);
            self.expanding.clear();
            self.optional.clear();
            self.reads.clear();
        }
        let line = self.sources.position(prove.span).map_or(0, |position| position.line);
        let file = self.sources.name(prove.span.file).to_owned();
        self.draft.proofs.push(Proof { name: prove.name.value.clone(), file, line });
    }

    fn test(&mut self, test: &'a ast::Test) -> Option<TestCase> {
        let mut case = TestCase { name: test.name.value.clone(), span: test.name.span, ..TestCase::default() };
        let mut sound = true;
        for member in &test.members {
            let done = match member {
                ast::TestMember::At(at) => self.date_time(&at.time).map(|time| case.at = Some(time)),
                ast::TestMember::Event(event) => {
                    let id = self.event_named(&event.event);
                    id.and_then(|id| self.test_event(EventKind::Action(id), &event.record, event.event.span))
                        .map(|event| case.event = Some(event))
                }
                ast::TestMember::History(history) => {
                    self.test_history(history).map(|history| case.history.push(history))
                }
                ast::TestMember::List(list) => self.test_list(list).map(|list| case.lists.push(list)),
                ast::TestMember::Expect(expect) => self.expect(expect).map(|expect| case.expects.push(expect)),
            };
            sound &= done.is_some();
        }
        // What the parser could not read may be what is missing.
        let sound = sound && !self.could_not_read(test.span);
        let missing = match (sound, case.event.is_some(), case.expects.is_empty()) {
            (true, false, _) => Some("an `event`"),
            (true, true, true) => Some("an `expect`"),
            (_, _, _) => None,
        };
        if let Some(missing) = missing {
            self.report(
                Diagnostic::error("test-incomplete", format!("the test has no {}", missing.trim_start_matches("an ")))
                    .at(test.name.span, format!("needs {missing}"))
                    .help("write `event name { … }` and `expect OUTCOME`"),
            );
            return None;
        }
        sound.then_some(case)
    }

    fn test_history(&mut self, history: &'a ast::TestHistory) -> Option<TestHistory> {
        let kind = self.event_kind(&history.event)?;
        let event = self.test_event(kind, &history.record, history.event.span)?;
        let count = self.int(&history.count)?;
        let count = u32::try_from(count).ok().filter(|count| (1..=MOST_HISTORY).contains(count));
        if count.is_none() {
            self.report(
                Diagnostic::error(
                    "number-out-of-range",
                    format!("a test's history has between 1 and {MOST_HISTORY} events"),
                )
                .at(history.count.span, "not in this range"),
            );
        }
        let (every_ms, ending_ms) = (self.duration(&history.every)?, self.duration(&history.ending)?);
        Some(TestHistory { count: count?, event, every_ms, ending_ms })
    }

    fn test_list(&mut self, list: &'a ast::TestList) -> Option<TestList> {
        let index = self.list_named(&list.list)?;
        let (element, changes) = {
            let definition = self.draft.lists.get(index)?;
            (definition.element.clone(), definition.changes)
        };
        if !changes {
            self.report(
                Diagnostic::error("list-is-fixed", format!("`@{}` is fixed by the pack", list.list.name))
                    .at(list.list.span, "cannot be added to")
                    .help("the test already has what the pack says is on it"),
            );
            return None;
        }
        let (value, ty) = self.literal(&list.value)?;
        let value = self.fitting(value, &ty, &element, list.span)?;
        Some(TestList { list: self.draft.lists.get(index)?.name.clone(), value })
    }

    /// A literal as a value of the type that is wanted.
    fn fitting(&mut self, value: Value, ty: &Type, wanted: &Type, span: Span) -> Option<Value> {
        let span = self.trimmed(span);
        match (wanted, value) {
            (Type::User, Value::Text(text)) => Some(Value::User(text)),
            (Type::Device, Value::Text(text)) => Some(Value::Device(text)),
            (Type::Cidr, Value::Ip(ip)) => Some(Value::Cidr(ip.into())),
            (Type::Decimal, Value::Int(int)) => Some(Value::Decimal(int.into())),
            (Type::Asn, Value::Int(int)) if u32::try_from(int).is_ok() => u32::try_from(int).ok().map(Value::Asn),
            (_, value) if ty == wanted => Some(value),
            (_, value) => {
                let text = format!("`{value}` is {ty}, and {wanted} is wanted");
                let finding = Diagnostic::error("type-mismatch", text).at(span, format!("not {wanted}"));
                let finding = self.constant_as_wanted(finding, span, &value, wanted);
                self.report(match wanted.example() {
                    Some(example) => finding.or_help(format!("{wanted} is written like `{example}`")),
                    None => finding,
                });
                None
            }
        }
    }

    fn test_event(&mut self, kind: EventKind, record: &'a ast::Record, span: Span) -> Option<TestEvent> {
        let id = match kind {
            EventKind::Action(id) => Some(EventId(id.0)),
            EventKind::ChallengeIssued
            | EventKind::ChallengeSucceeded
            | EventKind::ChallengeDeclined
            | EventKind::ChallengeExpired => None,
        };
        let mut given: Vec<Given> = Vec::new();
        let mut sound = true;
        for entry in &record.entries {
            match self.given(id, entry) {
                Some(one) => given.push(one),
                None => sound = false,
            }
        }
        if !sound {
            return None;
        }
        let has = |target: &Target| given.iter().any(|given| given.target == *target && given.value.is_some());
        let mut lacking: Vec<String> = Vec::new();
        if !has(&Target::User) {
            lacking.push("user".to_owned());
        }
        if let Some(event) = id.and_then(|id| self.draft.events.get(usize::from(id.0))) {
            let required = event.fields.iter().filter(|field| !field.optional).map(|field| &field.name);
            for name in event.requires.iter().chain(required) {
                let present = self.draft.slot(name).is_some_and(|slot| has(&Target::Field(slot)));
                if !present {
                    lacking.push(name.to_string());
                }
            }
        }
        if !lacking.is_empty() {
            self.report(
                Diagnostic::error("test-incomplete", format!("the event needs `{}`", lacking.join("`, `")))
                    .at(span, "such an event would be refused")
                    .help("give every required field a value"),
            );
            return None;
        }
        Some(TestEvent { kind, given })
    }

    fn given(&mut self, id: Option<EventId>, entry: &'a ast::RecordEntry) -> Option<Given> {
        let path = entry.key.text();
        let out = |target, value| Some(Given { target, value: Some(value) });
        let missing = |target| Some(Given { target, value: None });
        let (target, ty) = match self.target(id, &path) {
            Some(found) => found,
            None => {
                let scope = Scope::of(id.into_iter().collect(), None);
                let message = format!("a test event has no field `{path}`");
                let mut names: Vec<String> = TEST_FIELDS.iter().map(|(name, _, _)| (*name).to_owned()).collect();
                names.extend(crate::schema::SENT.iter().map(|(path, _)| (*path).to_owned()));
                let events = scope.events.iter().filter_map(|id| self.draft.events.get(usize::from(id.0)));
                names.extend(events.flat_map(|event| event.fields.iter().map(|field| field.name.to_string())));
                let candidates = names.iter().map(String::as_str);
                let finding = Diagnostic::error("unknown-signal", message).at(entry.key.span, "not a field");
                if let Some(help) = said_otherwise(&path) {
                    self.unknown(&path, finding.help(help));
                    return None;
                }
                let finding = finding.near(&path, entry.key.span, candidates);
                self.unknown(&path, finding.or_help("declare it on the event: `event … { name: type }`"));
                return None;
            }
        };
        match (&entry.value, &target) {
            (ast::RecordValue::Missing, Target::User) => {
                self.report(
                    Diagnostic::error("test-incomplete", "every event has a user").at(entry.span, "cannot be missing"),
                );
                None
            }
            (ast::RecordValue::Missing, _) => missing(target),
            (ast::RecordValue::Record(record), Target::Geo) => {
                self.point(record, entry.span).and_then(|value| out(target, value))
            }
            (ast::RecordValue::Literal(ast::Literal::Country(code)), Target::Geo) => {
                let (value, _) = self.literal(&ast::Literal::Country(code.clone()))?;
                out(target, value)
            }
            (ast::RecordValue::Name(word), Target::Status) => self
                .word("status", word, &Status::ALL, Status::word)
                .and_then(|status| out(target, Value::Text(status.word().into()))),
            (value, _) => {
                let value = self.record_value(value, &ty, self.value_span(entry))?;
                let events = id.and_then(|id| self.draft.events.get(usize::from(id.0)));
                let choices = events.and_then(|event| event.field(&path)).map(|field| Arc::clone(&field.choices));
                match (&value, choices) {
                    (Value::Text(text), Some(choices)) if !choices.is_empty() && !choices.contains(text) => {
                        let message = format!("`{path}` is never `{text}`");
                        let span = match &entry.value {
                            ast::RecordValue::Literal(ast::Literal::Text(text)) => text.span,
                            _ => entry.span,
                        };
                        self.no_choice(message, text, span, &choices);
                        None
                    }
                    (_, _) => out(target, value),
                }
            }
        }
    }

    /// Where the value of an entry stands.
    fn value_span(&self, entry: &ast::RecordEntry) -> Span {
        let behind = Span { start: entry.key.span.end, ..entry.span };
        let text = self.sources.slice(behind);
        let value = text.trim_start().trim_start_matches(':').trim_start();
        Span { start: behind.end.saturating_sub(u32::try_from(value.len()).unwrap_or(0)), ..behind }
    }

    fn record_value(&mut self, value: &'a ast::RecordValue, ty: &Type, span: Span) -> Option<Value> {
        match (value, ty) {
            (ast::RecordValue::Literal(literal), ty) => {
                let (value, found) = self.literal(literal)?;
                self.fitting(value, &found, ty, span)
            }
            (ast::RecordValue::List(values), Type::List(element)) => {
                let values: Option<Vec<Value>> =
                    values.iter().map(|value| self.record_value(value, element, span)).collect();
                values.map(|values| Value::List(values.into()))
            }
            (ast::RecordValue::Name(word), Type::Weekday) => {
                let day = weekday_named(&word.name);
                if day.is_none() {
                    let text = format!("there is no weekday `{}`", word.name);
                    self.report(
                        Diagnostic::error("unknown-word", text)
                            .at(word.span, "not a weekday")
                            .near(&word.name, word.span, WEEKDAYS)
                            .or_help("write `monday`, `tuesday`, …"),
                    );
                }
                day
            }
            (ast::RecordValue::Missing, _) => None,
            (ast::RecordValue::Name(word), _)
                if matches!(word.name.as_str(), "null" | "nil" | "none" | "None" | "NULL" | "undefined") =>
            {
                self.report(
                    Diagnostic::error("type-mismatch", format!("there is no `{}`", word.name))
                        .at(word.span, "a word of another language")
                        .correct("what is absent is `missing`", word.span, "missing"),
                );
                None
            }
            (ast::RecordValue::Name(word), Type::Text | Type::User | Type::Device) => {
                let quoted = format!("\"{}\"", word.name);
                self.report(
                    Diagnostic::error("type-mismatch", format!("{ty} is wanted here")).at(word.span, "a name").correct(
                        format!("a text stands in double quotes: `{quoted}`"),
                        word.span,
                        quoted,
                    ),
                );
                None
            }
            (_, ty) => {
                self.report(
                    Diagnostic::error("type-mismatch", format!("{ty} is wanted here"))
                        .at(span, "something else")
                        .help(format!("write a constant of type {ty}, or `missing`")),
                );
                None
            }
        }
    }

    fn target(&self, id: Option<EventId>, path: &str) -> Option<(Target, Type)> {
        if let Some((_, target, ty)) = TEST_FIELDS.iter().find(|(name, _, _)| *name == path) {
            return Some((target.clone(), ty.clone()));
        }
        if let Some((_, ty)) = crate::schema::SENT.iter().find(|(name, _)| *name == path) {
            return self.draft.slot(path).map(|slot| (Target::Field(slot), ty.clone()));
        }
        let event = id.and_then(|id| self.draft.events.get(usize::from(id.0)))?;
        let field = event.field(path)?;
        self.draft.slot(path).map(|slot| (Target::Field(slot), field.ty.clone()))
    }

    /// `{ lat: 51.5, lon: -0.1, country: GB, city: "London", radius: 20 km }`
    fn point(&mut self, record: &'a ast::Record, span: Span) -> Option<Value> {
        let mut fix = crate::value::GeoFix {
            country: Country::UNSPECIFIED,
            region: None,
            city: None,
            lat: 0.0,
            lon: 0.0,
            radius_km: 0.0,
            time_zone: None,
            precision: crate::value::Precision::City,
            source: "test".into(),
            digest: "test".into(),
        };
        let (mut lat, mut lon) = (None, None);
        for entry in &record.entries {
            let key = entry.key.text();
            let ast::RecordValue::Literal(literal) = &entry.value else {
                self.report(Diagnostic::error("type-mismatch", "a place holds constants").at(entry.span, ""));
                return None;
            };
            let (value, ty) = self.literal(literal)?;
            let number = match &value {
                Value::Int(value) => Some(rust_decimal::Decimal::from(*value)),
                Value::Decimal(value) | Value::Distance(value) => Some(*value),
                _ => None,
            }
            .and_then(|number| f64::try_from(number).ok());
            match (key.as_str(), value, number) {
                ("lat", Value::Int(_) | Value::Decimal(_), Some(number)) if number.abs() <= 90.0 => lat = Some(number),
                ("lon", Value::Int(_) | Value::Decimal(_), Some(number)) if number.abs() <= 180.0 => lon = Some(number),
                ("radius", _, Some(number)) if number >= 0.0 => fix.radius_km = number,
                ("country", Value::Country(country), _) => fix.country = country,
                ("city", Value::Text(text), _) => fix.city = Some(text),
                ("region", Value::Text(text), _) => fix.region = Some(text),
                (name @ ("lat" | "lon" | "radius" | "country" | "city" | "region"), value, _) => {
                    let text = format!("`{value}` ({ty}) cannot be `{name}` of a place");
                    self.report(Diagnostic::error("type-mismatch", text).at(entry.span, "not possible"));
                    return None;
                }
                (name, _, _) => {
                    let text = format!("a place has no `{name}`");
                    let names = ["lat", "lon", "radius", "country", "city", "region"];
                    self.report(
                        Diagnostic::error("unknown-signal", text)
                            .at(entry.key.span, "not a part of it")
                            .near(name, entry.key.span, names)
                            .or_help(format!("a place has `{}`", names.join("`, `"))),
                    );
                    return None;
                }
            }
        }
        let (Some(lat), Some(lon)) = (lat, lon) else {
            self.report(
                Diagnostic::error("test-incomplete", "a place needs `lat` and `lon`")
                    .at(span, "where is it?")
                    .help("or write only the country: `geo: NZ`"),
            );
            return None;
        };
        (fix.lat, fix.lon) = (lat, lon);
        Some(Value::Geo(fix.into()))
    }

    fn expect(&mut self, expect: &'a ast::Expect) -> Option<(Expectation, Span)> {
        let expectation = match &expect.kind {
            ast::ExpectKind::Rule(rule) => Expectation::Rule(self.rule_named(rule, NO_DEFAULT)?),
            ast::ExpectKind::NotRule(rule) => Expectation::NotRule(self.rule_named(rule, NO_DEFAULT)?),
            ast::ExpectKind::Unknown(rule) => Expectation::Unknown(self.rule_named(rule, NO_DEFAULT)?),
            ast::ExpectKind::Outcome(outcome) => {
                let word = match &outcome.outcome.kind {
                    ast::OutcomeKind::Allow => Some(crate::outcome::Outcome::Allow),
                    ast::OutcomeKind::Challenge(_) => Some(crate::outcome::Outcome::Challenge),
                    ast::OutcomeKind::Block => Some(crate::outcome::Outcome::Block),
                    ast::OutcomeKind::AllowFinal | ast::OutcomeKind::Score(_) | ast::OutcomeKind::Nothing => None,
                };
                let Some(word) = word else {
                    self.report(
                        Diagnostic::error("type-mismatch", "the answer is allow, challenge or block")
                            .at(outcome.outcome.span, "never this")
                            .help("a test expects what the caller is told: `allow`, `challenge` or `block`"),
                    );
                    return None;
                };
                let by = outcome.by.as_ref().map(|by| match by {
                    ast::ExpectBy::Default => Some("default".to_owned()),
                    ast::ExpectBy::Rule(rule) if matches!(rule.name.as_str(), "unknown" | "score") => {
                        Some(rule.name.clone())
                    }
                    ast::ExpectBy::Rule(rule) => self.rule_named(rule, OR_DEFAULT),
                });
                let reason = outcome.reason.as_ref().map(|reason| {
                    self.reason_named(reason)?;
                    Some(reason.name.clone())
                });
                // Both were looked at, so that both are reported.
                let by = by.map_or(Some(None), |known| known.map(Some))?;
                let reason = reason.map_or(Some(None), |known| known.map(Some))?;
                Expectation::Outcome { outcome: word, by, reason }
            }
        };
        Some((expectation, self.trimmed(expect.span)))
    }

    fn rule_named(&mut self, rule: &ast::Ident, help: &str) -> Option<String> {
        if self.rule_names.contains(&rule.name) {
            return Some(rule.name.clone());
        }
        let default = (help == OR_DEFAULT).then_some("default");
        let names = self.rule_names.iter().map(String::as_str).chain(default);
        let finding = Diagnostic::error("unknown-rule", format!("there is no rule `{}`", rule.name))
            .at(rule.span, "not a rule")
            .near(&rule.name, rule.span, names)
            .or_help(help);
        self.unknown(&rule.name, finding);
        None
    }
}

/// Where a rule may have decided, or none.
const OR_DEFAULT: &str = "name a rule of the pack, or `default`";

/// Where a rule is meant, and nothing that decides without one.
const NO_DEFAULT: &str = "name a rule of the pack; that no rule decides is `expect allow by default`";

/// How a test says what is no field of its event.
fn said_otherwise(path: &str) -> Option<&'static str> {
    Some(match path {
        "time" | "now" => "when it happens is said by the test: `at 2026-03-01T10:00:00Z`",
        "action" => "it is the name behind `event`",
        path if path.starts_with("geo.") => {
            "say where it is as one: `geo: NZ`, or `geo: { lat: -36.8, lon: 174.8, country: NZ, city: \"Auckland\" }`"
        }
        path if path.starts_with("last_verified.") || path.starts_with("previous.") => {
            "it comes from the events before this one: write them as `history 1 x …`"
        }
        _ => return None,
    })
}

/// What a test can say about an event besides its own fields.
const TEST_FIELDS: &[(&str, Target, Type)] = &[
    ("user", Target::User, Type::User),
    ("geo", Target::Geo, Type::Geo),
    ("status", Target::Status, Type::Status),
    ("ip.asn", Target::Network(NetworkFact::Asn), Type::Asn),
    ("ip.as_org", Target::Network(NetworkFact::AsOrg), Type::Text),
    ("ip.hosting", Target::Network(NetworkFact::Hosting), Type::Bool),
    ("ip.vpn", Target::Network(NetworkFact::Vpn), Type::Bool),
    ("ip.tor", Target::Network(NetworkFact::Tor), Type::Bool),
    ("user.tz", Target::UserTz, Type::Text),
    ("user.home_country", Target::UserHomeCountry, Type::Country),
];
